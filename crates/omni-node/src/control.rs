//! The control socket: how `omniswarm kill` and its like reach a node that runs in another program.
//!
//! ```text
//!   omniswarm ── one line of JSON ──▶ control.sock ──▶ NodeHandle
//!             ◀─ one line of JSON ──
//! ```
//!
//! The socket lies in the data folder, which only its owner can look into; where that path is too
//! long for a socket, in a private folder below the system's run-time folder. On systems without
//! such sockets there is none: the switch file does for the kill switch, and nothing else is there.

use std::{
    io,
    path::{Path, PathBuf},
};

use omni_core::Command;
use omni_types::{Answer, Digest, Settings, SignedOrder, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{event_loop::NodeHandle, view::SettingsView};

/// Name of the socket in the data folder.
pub const SOCKET_FILE: &str = "control.sock";
/// Largest line, bytes.
pub const MAX_LINE_BYTES: u64 = 4 << 20;
/// Longest path of a socket that every system takes, bytes.
const MAX_PATH_BYTES: usize = 100;
/// Connections at once; more wait.
#[cfg(unix)]
const MAX_CONNECTIONS: usize = 8;
/// How long one exchange may take.
#[cfg(unix)]
const EXCHANGE: std::time::Duration = std::time::Duration::from_secs(15);

/// What is asked of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Ask {
    /// The view.
    View,
    /// The kill switch.
    Kill,
    /// Work is allowed again after the kill switch.
    Lift,
    /// A pause.
    Pause {
        /// Until then; without it until it is ended.
        until: Option<Timestamp>,
    },
    /// The end of a pause.
    Resume,
    /// An answer to a question.
    Answer {
        /// Its number.
        question: u64,
        /// The answer.
        answer: Answer,
    },
    /// A "yes" is taken back.
    Revoke {
        /// Number of its question.
        question: u64,
    },
    /// Other limits and times.
    Change {
        /// All of them.
        settings: SettingsView,
    },
    /// An order of the network's root keys.
    Order {
        /// The order.
        order: Box<SignedOrder>,
    },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Told<V> {
    /// Done; the view afterwards.
    Done {
        /// The view.
        view: V,
    },
    /// Not done.
    Refused {
        /// Stable code, kebab case.
        code: String,
        /// One sentence.
        sentence: String,
    },
}

impl Ask {
    /// Needed by the server, which knows what the node can be told.
    fn command(&self) -> Result<Option<Command>, omni_types::Rejection> {
        Ok(Some(match self {
            Self::View | Self::Order { .. } => return Ok(None),
            Self::Kill => Command::Kill,
            Self::Lift => Command::LiftKill,
            Self::Pause { until } => Command::Pause { until: *until },
            Self::Resume => Command::Resume,
            Self::Answer { question, answer } => Command::Answer {
                question: *question,
                answer: *answer,
            },
            Self::Revoke { question } => Command::Revoke {
                question: *question,
            },
            Self::Change { settings } => Command::Change(Settings::try_from(settings)?),
        }))
    }
}

/// Where the socket of a data folder lies.
fn socket(data: &Path) -> PathBuf {
    let direct = data.join(SOCKET_FILE);
    if direct.as_os_str().len() <= MAX_PATH_BYTES {
        return direct;
    }
    let name = Digest::of(data.as_os_str().as_encoded_bytes()).to_string();
    let short = name.get(..16).unwrap_or(&name);
    let folder = std::env::var_os("XDG_RUNTIME_DIR")
        .map_or_else(std::env::temp_dir, PathBuf::from)
        .join(format!("omniswarm-{short}"));
    folder.join(SOCKET_FILE)
}

#[cfg(unix)]
mod sockets {
    use std::{
        os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
        sync::Arc,
    };

    use tokio::{
        io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
        net::{UnixListener, UnixStream},
        sync::Semaphore,
        time::timeout,
    };

    use super::*;

    /// Serves the node on the present tokio runtime until it ends.
    pub(crate) fn serve<V>(handle: &NodeHandle<V>)
    where
        V: Clone + Serialize + Send + Sync + 'static,
    {
        let path = socket(handle.data());
        let listener = match listen(handle.data(), &path) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(%error, "there is no control socket");
                return;
            }
        };
        let handle = handle.clone();
        tokio::spawn(async move {
            let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
            tokio::select! {
                () = accept(&listener, &handle, &free) => {}
                _ = handle.ended() => {}
            }
            drop(listener);
            // A socket that is left over is replaced at the next start.
            let _ = std::fs::remove_file(&path);
        });
    }

    fn listen(data: &Path, path: &Path) -> io::Result<UnixListener> {
        let folder = path.parent().unwrap_or(data);
        if folder != data {
            match std::fs::DirBuilder::new().mode(0o700).create(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        // Somebody else's folder, or one that others can look into, is no place for it.
        let meta = std::fs::symlink_metadata(folder)?;
        let mine = std::fs::metadata(data)?.uid();
        if !meta.is_dir() || meta.uid() != mine {
            return Err(io::Error::other("the folder of the socket is not private"));
        }
        // The store's lock says that no other node has this data folder.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    async fn accept<V>(listener: &UnixListener, handle: &NodeHandle<V>, free: &Arc<Semaphore>)
    where
        V: Clone + Serialize + Send + Sync + 'static,
    {
        loop {
            let Ok(place) = Arc::clone(free).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                // For want of descriptors, perhaps.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            };
            let handle = handle.clone();
            tokio::spawn(async move {
                if let Ok(Err(error)) = timeout(EXCHANGE, exchange(stream, &handle)).await {
                    tracing::debug!(%error, "a control connection ended");
                }
                drop(place);
            });
        }
    }

    async fn exchange<V>(stream: UnixStream, handle: &NodeHandle<V>) -> io::Result<()>
    where
        V: Clone + Serialize,
    {
        let (read, mut write) = stream.into_split();
        let mut line = Vec::new();
        BufReader::new(read)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)
            .await?;
        let told = match serde_json::from_slice::<Ask>(&line) {
            Ok(ask) => answer(ask, handle).await,
            Err(_) => refused("malformed", "This is no request that the node understands."),
        };
        let mut bytes = serde_json::to_vec(&told)?;
        bytes.push(b'\n');
        write.write_all(&bytes).await
    }

    async fn answer<V: Clone>(ask: Ask, handle: &NodeHandle<V>) -> Told<V> {
        let done = match (ask.command(), ask) {
            (Err(rejection), _) => return refused(rejection.code(), rejection.sentence()),
            (Ok(Some(command)), _) => handle.command(command).await,
            (Ok(None), Ask::Order { order }) => handle.order(*order).await,
            (Ok(None), _) => Ok(()),
        };
        match done {
            Ok(()) => Told::Done {
                view: handle.view().borrow().clone(),
            },
            Err(error) => refused(error.code(), &error.to_string()),
        }
    }

    fn refused<V>(code: &str, sentence: &str) -> Told<V> {
        Told::Refused {
            code: code.to_owned(),
            sentence: sentence.to_owned(),
        }
    }

    /// Asks the node that has this data folder.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] or [`io::ErrorKind::ConnectionRefused`] when none runs.
    pub async fn ask<V: DeserializeOwned>(data: &Path, ask: &Ask) -> io::Result<Told<V>> {
        let exchange = async {
            let mut stream = UnixStream::connect(socket(data)).await?;
            let mut bytes = serde_json::to_vec(ask)?;
            bytes.push(b'\n');
            stream.write_all(&bytes).await?;
            let mut line = Vec::new();
            BufReader::new(stream)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line)
                .await?;
            Ok(serde_json::from_slice(&line)?)
        };
        timeout(EXCHANGE, exchange)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(not(unix))]
mod sockets {
    use super::*;

    /// There is no control socket on this system.
    pub(crate) fn serve<V>(_handle: &NodeHandle<V>) {}

    /// There is no control socket on this system.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`], always.
    pub async fn ask<V: DeserializeOwned>(_data: &Path, _ask: &Ask) -> io::Result<Told<V>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub use sockets::ask;
pub(crate) use sockets::serve;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_of_a_deep_folder_lies_elsewhere_and_always_in_the_same_place() {
        let near = Path::new("/data");
        assert_eq!(socket(near), near.join(SOCKET_FILE));
        let deep = PathBuf::from(format!("/{}", "deep/".repeat(40)));
        let there = socket(&deep);
        assert!(!there.starts_with(&deep));
        assert_eq!(there, socket(&deep));
        assert_ne!(there, socket(&deep.join("er")));
    }
}
