//! Systems other than Unix: the process boundary is the whole wall. Jobs, restricted tokens and
//! app containers of Windows need system calls that have no safe interface here. Untested.

use super::{Stage, Walls, empty_environment};
use crate::report::Wall;

pub(super) struct Other;

impl Walls for Other {
    const ALONE: Stage = &[(Wall::EmptyEnvironment, empty_environment)];
    const TOGETHER: Stage = &[];
}
