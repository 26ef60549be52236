//! Skills that come with the program.

use std::collections::BTreeSet;

use omni_types::{Cid, SkillKind, SkillRef};

/// A skill with its module.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Name.
    pub name: &'static str,
    /// Kind.
    pub kind: SkillKind,
    /// The WASM module.
    pub module: &'static [u8],
}

/// Every skill that comes with the program; the sources and the check that these bytes are built
/// from them are in `skills/`.
pub const BUILT_IN: &[BuiltIn] = &[BuiltIn {
    name: "labs",
    kind: SkillKind::Compute,
    module: include_bytes!("../../../skills/catalogue/labs.wasm"),
}];

impl BuiltIn {
    /// Name, kind and content id.
    pub fn reference(&self) -> SkillRef {
        SkillRef {
            name: self.name.to_owned(),
            kind: self.kind,
            cid: Cid::of(self.module),
        }
    }
}

/// The content ids of all built-in skills.
pub fn allowlist() -> BTreeSet<Cid> {
    BUILT_IN.iter().map(|skill| Cid::of(skill.module)).collect()
}

/// The module called `cid`, if it comes with the program.
pub fn module(cid: Cid) -> Option<&'static [u8]> {
    BUILT_IN
        .iter()
        .map(|skill| skill.module)
        .find(|module| cid.matches(module))
}

/// The built-in skill of this name.
pub fn named(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|skill| skill.name == name)
}
