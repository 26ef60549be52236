//! A screen of the test's own: Xvfb, pictures of it, and the close button that no window manager
//! draws there.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    process::{Command, Stdio},
};

use libtest_mimic::Failed;

use crate::process::Started;

/// Title of the program's window.
const TITLE: &[u8] = b"OmniSwarm";
/// Longest answer that is read, in units of 4 bytes.
const MAX_ANSWER: u32 = 4096;

pub struct Display {
    number: u32,
    _server: Started,
}

impl Display {
    pub fn start() -> Result<Self, Failed> {
        let mut command = Command::new("Xvfb");
        // A screen that starts anew when its last program leaves turns away whoever comes meanwhile.
        command
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "960x680x24",
                "-noreset",
                "-nolisten",
                "tcp",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = Started::new(&mut command)?;
        let said = server.child().stdout.take().ok_or("Xvfb has no output")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let number = line
            .trim()
            .parse()
            .map_err(|_| "Xvfb found no free display")?;
        Ok(Self {
            number,
            _server: server,
        })
    }

    pub fn name(&self) -> String {
        format!(":{}", self.number)
    }

    /// Puts a picture of the screen into a file.
    pub fn picture(&self, path: &Path) -> Result<(), Failed> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let status = Command::new("import")
            .args(["-display", &self.name(), "-window", "root"])
            .arg(path)
            .status()?;
        if !status.success() {
            return Err("no picture of the screen".into());
        }
        Ok(())
    }

    /// Whether the program's window is on the screen.
    pub fn has_window(&self) -> Result<bool, Failed> {
        Ok(Connection::open(self.number)?.window()?.is_some())
    }

    /// What a click on the close button does.
    pub fn close_window(&self) -> Result<(), Failed> {
        let mut connection = Connection::open(self.number)?;
        let window = connection.window()?.ok_or("no window to close")?;
        connection.close(window)
    }
}

/// A connection to the X server: the core protocol, little-endian.
struct Connection {
    stream: UnixStream,
    root: u32,
}

impl Connection {
    fn open(display: u32) -> Result<Self, Failed> {
        let mut stream = UnixStream::connect(format!("/tmp/.X11-unix/X{display}"))?;
        // Byte order, protocol 11.0, no authorisation.
        stream.write_all(&[b'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        let mut head = [0; 8];
        stream.read_exact(&mut head)?;
        if head[0] != 1 {
            return Err("the X server refuses the connection".into());
        }
        let mut setup = vec![0; usize::from(u16::from_le_bytes([head[6], head[7]])) * 4];
        stream.read_exact(&mut setup)?;
        let vendor = usize::from(u16::from_le_bytes([setup[16], setup[17]]));
        let formats = usize::from(setup[21]);
        let screen = 32 + vendor.next_multiple_of(4) + formats * 8;
        let root = number(&setup, screen);
        Ok(Self { stream, root })
    }

    /// Sends a request; the second byte and everything after the length are given.
    fn send(&mut self, code: u8, second: u8, rest: &[u8]) -> Result<(), Failed> {
        let rest_padded = rest.len().next_multiple_of(4);
        let length = (4 + rest_padded) / 4;
        let mut bytes = vec![code, second];
        bytes.extend((length as u16).to_le_bytes());
        bytes.extend(rest);
        bytes.resize(4 + rest_padded, 0);
        Ok(self.stream.write_all(&bytes)?)
    }

    fn ask(&mut self, code: u8, second: u8, rest: &[u8]) -> Result<Vec<u8>, Failed> {
        self.send(code, second, rest)?;
        let mut answer = vec![0; 32];
        self.stream.read_exact(&mut answer)?;
        let more = number(&answer, 4);
        if answer[0] != 1 || more > MAX_ANSWER {
            return Err(format!("the X server refuses request {code}").into());
        }
        let mut rest = vec![0; more as usize * 4];
        self.stream.read_exact(&mut rest)?;
        answer.extend(rest);
        Ok(answer)
    }

    fn atom(&mut self, name: &str) -> Result<u32, Failed> {
        let mut rest = (name.len() as u16).to_le_bytes().to_vec();
        rest.extend([0, 0]);
        rest.extend(name.as_bytes());
        Ok(number(&self.ask(16, 0, &rest)?, 8))
    }

    /// The value of a window's property.
    fn property(&mut self, window: u32, property: u32) -> Result<Vec<u8>, Failed> {
        let rest = words(&[window, property, 0, 0, 64]);
        let answer = self.ask(20, 0, &rest)?;
        let length = number(&answer, 16) as usize * usize::from(answer[1] / 8);
        Ok(answer[32..32 + length].to_vec())
    }

    /// The program's window, when it is shown.
    fn window(&mut self) -> Result<Option<u32>, Failed> {
        const WM_NAME: u32 = 39;
        const SHOWN: u8 = 2;
        let protocols = self.atom("WM_PROTOCOLS")?;
        let root = self.root;
        let tree = self.ask(15, 0, &words(&[root]))?;
        let count = usize::from(u16::from_le_bytes([tree[16], tree[17]]));
        for place in 0..count {
            let window = number(&tree, 32 + place * 4);
            let is_titled = self
                .property(window, WM_NAME)
                .is_ok_and(|name| name == TITLE);
            if is_titled
                && self
                    .property(window, protocols)
                    .is_ok_and(|found| !found.is_empty())
                && self
                    .ask(3, 0, &words(&[window]))
                    .is_ok_and(|found| found[26] == SHOWN)
            {
                return Ok(Some(window));
            }
        }
        Ok(None)
    }

    fn close(&mut self, window: u32) -> Result<(), Failed> {
        const CLIENT_MESSAGE: u8 = 33;
        let protocols = self.atom("WM_PROTOCOLS")?;
        let delete = self.atom("WM_DELETE_WINDOW")?;
        let mut rest = words(&[window, 0]);
        rest.extend([CLIENT_MESSAGE, 32, 0, 0]);
        rest.extend(words(&[window, protocols, delete, 0, 0, 0, 0]));
        self.send(25, 0, &rest)?;
        // An answer to anything later shows that the message has gone out.
        self.atom("WM_PROTOCOLS").map(drop)
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
