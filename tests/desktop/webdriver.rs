//! Just enough of a WebDriver client, over plain HTTP.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::process::{Started, child_running, wait, wait_until};

/// For an answer; a first page on a busy machine takes its time.
const ANSWER: Duration = Duration::from_secs(60);
/// For something on the page.
pub const PAGE: Duration = Duration::from_secs(60);
/// Key under which an element's reference travels.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The Enter key.
pub const ENTER: &str = "\u{E007}";
/// The Escape key.
pub const ESCAPE: &str = "\u{E00C}";
/// The key with the arrow to the right.
pub const RIGHT: &str = "\u{E014}";

/// A window that is looked at and clicked through WebDriver, with the program behind it.
pub struct Window {
    port: u16,
    session: String,
    app: u32,
    _driver: Started,
}

impl Window {
    /// Starts the program with the environment of `driver`, a command for `WebKitWebDriver`.
    pub fn open(mut driver: std::process::Command, program: &Path) -> Result<Self, Failed> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        driver
            .args([format!("--port={port}"), "--host=127.0.0.1".to_owned()])
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true");
        let driver = Started::new(&mut driver)?;
        wait_until("WebKitWebDriver listens", PAGE, || {
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
        })?;
        let options = json!({ "binary": program, "args": [] });
        let wish = json!({ "webkitgtk:browserOptions": options });
        let body = json!({ "capabilities": { "alwaysMatch": wish } });
        let answer = request(port, "POST", "/session", Some(&body))?;
        let session = answer["sessionId"].as_str().ok_or("no session")?.to_owned();
        let app = child_running(driver.pid(), program).ok_or("the program does not run")?;
        Ok(Self {
            port,
            session,
            app,
            _driver: driver,
        })
    }

    /// The program's process.
    pub fn app(&self) -> u32 {
        self.app
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failed> {
        let path = format!("/session/{}{path}", self.session);
        request(self.port, method, &path, body)
    }

    fn elements(&self, css: &str) -> Result<Vec<String>, Failed> {
        let body = json!({ "using": "css selector", "value": css });
        // The page may be drawn anew while WebDriver looks.
        let found = wait("the page holds still", PAGE, || {
            match self.send("POST", "/elements", Some(&body)) {
                Err(failed) if is_stale(&failed) => Ok(None),
                other => other.map(Some),
            }
        })?;
        let ids = found.as_array().into_iter().flatten();
        Ok(ids
            .filter_map(|found| Some(found[ELEMENT].as_str()?.to_owned()))
            .collect())
    }

    /// How many there are of a part of the page.
    pub fn count(&self, part: &str) -> Result<usize, Failed> {
        Ok(self.elements(&marked(part))?.len())
    }

    /// The text of a part of the page, once it is there.
    pub fn text(&self, part: &str) -> Result<String, Failed> {
        let text = wait(&format!("the text of {part}"), PAGE, || {
            let element = self.part(part)?;
            match self.send("GET", &format!("/element/{element}/text"), None) {
                Err(failed) if is_stale(&failed) => Ok(None),
                other => other.map(Some),
            }
        })?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Clicks a part of the page, once it is there.
    pub fn click(&self, part: &str) -> Result<(), Failed> {
        let element = self.part(part)?;
        // Away from the bars at the edges, which WebDriver does not know to be in the way.
        self.script(&format!(
            "document.querySelector('{}').scrollIntoView({{ block: 'center' }})",
            marked(part)
        ))?;
        self.send(
            "POST",
            &format!("/element/{element}/click"),
            Some(&json!({})),
        )?;
        Ok(())
    }

    /// Presses a key where the focus is.
    pub fn press(&self, key: &str) -> Result<(), Failed> {
        let active = self.send("GET", "/element/active", None)?;
        let element = active[ELEMENT].as_str().ok_or("nothing has the focus")?;
        let body = json!({ "text": key });
        self.send("POST", &format!("/element/{element}/value"), Some(&body))?;
        Ok(())
    }

    /// Types into a field of the page in place of what it holds.
    pub fn fill(&self, part: &str, text: &str) -> Result<(), Failed> {
        let element = self.part(part)?;
        let path = format!("/element/{element}");
        self.send("POST", &format!("{path}/clear"), Some(&json!({})))?;
        let body = json!({ "text": text });
        self.send("POST", &format!("{path}/value"), Some(&body))?;
        Ok(())
    }

    /// Chooses from a list of the page, as a person does with the keyboard.
    pub fn choose(&self, part: &str, value: &str) -> Result<(), Failed> {
        self.part(part)?;
        let script = format!(
            "const list = document.querySelector('{}'); list.value = '{value}'; \
             list.dispatchEvent(new Event('change', {{ bubbles: true }}))",
            marked(part)
        );
        self.script(&script).map(drop)
    }

    /// Puts the focus on a part of the page.
    pub fn focus(&self, part: &str) -> Result<(), Failed> {
        self.part(part)?;
        let script = format!("document.querySelector('{}').focus()", marked(part));
        self.script(&script).map(drop)
    }

    /// The part of the page that has the focus.
    pub fn focused(&self) -> Result<String, Failed> {
        let found = self.script("return document.activeElement?.dataset.testid ?? ''")?;
        Ok(found.as_str().unwrap_or_default().to_owned())
    }

    /// What a field of the page holds.
    pub fn value(&self, part: &str) -> Result<String, Failed> {
        self.part(part)?;
        let script = format!("return document.querySelector('{}').value", marked(part));
        Ok(self
            .script(&script)?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    fn part(&self, part: &str) -> Result<String, Failed> {
        let css = marked(part);
        wait(&format!("{part} is on the page"), PAGE, || {
            Ok(self.elements(&css)?.into_iter().next())
        })
    }

    /// What a script says.
    pub fn script(&self, script: &str) -> Result<Value, Failed> {
        let body = json!({ "script": script, "args": [] });
        self.send("POST", "/execute/sync", Some(&body))
    }

    /// Waits until what the page holds has been drawn.
    pub fn wait_for_drawing(&self) -> Result<(), Failed> {
        let script = "const done = arguments[0]; \
            requestAnimationFrame(() => requestAnimationFrame(() => done(null)))";
        let body = json!({ "script": script, "args": [] });
        self.send("POST", "/execute/async", Some(&body)).map(drop)
    }

    /// Waits until the page shows a phase of the node.
    pub fn wait_for_phase(&self, phase: &str) -> Result<(), Failed> {
        let css = format!(".app[data-phase=\"{phase}\"]");
        wait_until(&format!("the page shows {phase}"), PAGE, || {
            Ok(!self.elements(&css)?.is_empty())
        })
    }
}

/// Whether an element went away meanwhile.
fn is_stale(failed: &Failed) -> bool {
    failed
        .message()
        .is_some_and(|message| message.contains("stale element reference"))
}

fn marked(part: &str) -> String {
    format!("[data-testid=\"{part}\"]")
}

fn request(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failed> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .map_err(|error| format!("{method} {path}: no answer: {error}"))?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    let answer: Value = serde_json::from_str(body)?;
    let value = answer.get("value").cloned().unwrap_or_default();
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("{method} {path}: {value}").into());
    }
    Ok(value)
}
