//! The pipe protocol: `u32 BE length ‖ canonical bytes` in both directions, one answer for each
//! request.

use std::io::{Read, Write};

use omni_types::{
    ResourceLimits, canonical,
    work::{MAX_INPUT_BYTES, MAX_OUTPUT_BYTES},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
#[cfg(any(feature = "engine", feature = "fuzzing"))]
use tokio::io::{AsyncRead, AsyncReadExt};
#[cfg(feature = "engine")]
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{Failure, TrapKind, admission::MAX_MODULE_BYTES, report::Raised};

/// Room for the names and numbers around the byte string in a frame, bytes.
const SLACK_BYTES: usize = 1 << 10;
/// Largest frame to the child, bytes: a module.
pub(crate) const MAX_REQUEST_BYTES: usize = MAX_MODULE_BYTES + SLACK_BYTES;
/// Largest frame from the child, bytes: the output of one segment.
pub(crate) const MAX_ANSWER_BYTES: usize = MAX_OUTPUT_BYTES + SLACK_BYTES;

const _: () = assert!(MAX_INPUT_BYTES <= MAX_MODULE_BYTES);

/// From parent to child, in this order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Put up every wall, for runs under these limits; first and once.
    Prepare { limits: ResourceLimits },
    /// Compile this module; once.
    Load {
        #[serde(with = "serde_bytes")]
        module: Vec<u8>,
    },
    /// Run it once on this input.
    Run {
        #[serde(with = "serde_bytes")]
        input: Vec<u8>,
        seed: u64,
    },
}

/// From child to parent. Carries no text: nothing the child says is shown.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// These walls stand.
    Ready { raised: Raised },
    /// The module is compiled.
    Loaded,
    /// The module cannot be compiled.
    Refused,
    /// What the skill wrote.
    Output {
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The skill did not run to its end.
    Failed { fault: Fault },
}

/// The failures that a child may report; the others are for the parent to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    Trap {
        kind: TrapKind,
    },
    ExitCode {
        code: i32,
    },
    MemoryLimit,
    StackOverflow,
    OutputTooLarge,
    /// The engine could not do its part, for example for want of memory on this computer.
    Engine,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Trap { kind } => Self::Trap(kind),
            Fault::ExitCode { code } => Self::ExitCode(code),
            Fault::MemoryLimit => Self::MemoryLimit,
            Fault::StackOverflow => Self::StackOverflow,
            Fault::OutputTooLarge => Self::OutputTooLarge,
            Fault::Engine => Self::ChildDied,
        }
    }
}

/// The other side has gone, or speaks something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    Closed,
    Protocol,
}

impl From<std::io::Error> for FrameError {
    fn from(_: std::io::Error) -> Self {
        Self::Closed
    }
}

fn encode<T: Serialize>(value: &T, limit: usize) -> Result<Vec<u8>, FrameError> {
    let body = canonical::to_bytes(value).map_err(|_| FrameError::Protocol)?;
    if body.len() > limit {
        return Err(FrameError::Protocol);
    }
    let length = u32::try_from(body.len()).map_err(|_| FrameError::Protocol)?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

fn decode<T: Serialize + DeserializeOwned>(body: &[u8], limit: usize) -> Result<T, FrameError> {
    canonical::from_bytes(body, limit).map_err(|_| FrameError::Protocol)
}

/// The announced length, only when it is within `limit`: checked before anything is allocated.
fn checked_length(header: [u8; 4], limit: usize) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(header) as usize;
    if length == 0 || length > limit {
        return Err(FrameError::Protocol);
    }
    Ok(length)
}

/// Reads one request; blocks. Child side.
pub(crate) fn read_request(from: &mut impl Read) -> Result<Request, FrameError> {
    let mut header = [0; 4];
    from.read_exact(&mut header)?;
    let mut body = vec![0; checked_length(header, MAX_REQUEST_BYTES)?];
    from.read_exact(&mut body)?;
    decode(&body, MAX_REQUEST_BYTES)
}

/// Writes one answer; blocks. Child side.
pub(crate) fn write_answer(to: &mut impl Write, answer: &Answer) -> Result<(), FrameError> {
    to.write_all(&encode(answer, MAX_ANSWER_BYTES)?)?;
    Ok(to.flush()?)
}

/// Writes one request. Parent side.
#[cfg(feature = "engine")]
pub(crate) async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    request: &Request,
) -> Result<(), FrameError> {
    to.write_all(&encode(request, MAX_REQUEST_BYTES)?).await?;
    Ok(to.flush().await?)
}

/// Reads one answer. Parent side.
#[cfg(any(feature = "engine", feature = "fuzzing"))]
pub(crate) async fn receive(from: &mut (impl AsyncRead + Unpin)) -> Result<Answer, FrameError> {
    let mut header = [0; 4];
    from.read_exact(&mut header).await?;
    let mut body = vec![0; checked_length(header, MAX_ANSWER_BYTES)?];
    from.read_exact(&mut body).await?;
    decode(&body, MAX_ANSWER_BYTES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_largest_messages_fit_into_a_frame() {
        let load = Request::Load {
            module: vec![1; MAX_MODULE_BYTES],
        };
        encode(&load, MAX_REQUEST_BYTES).unwrap();
        let output = Answer::Output {
            bytes: vec![1; MAX_OUTPUT_BYTES],
        };
        encode(&output, MAX_ANSWER_BYTES).unwrap();
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        for length in [0u32, MAX_ANSWER_BYTES as u32 + 1, u32::MAX] {
            let checked = checked_length(length.to_be_bytes(), MAX_ANSWER_BYTES);
            assert_eq!(checked, Err(FrameError::Protocol), "{length}");
        }
    }
}
