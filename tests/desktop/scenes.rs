//! What people do with the program, and what must be true then.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use libtest_mimic::{Failed, Trial};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    bus::{Bus, KeyStore, Tray},
    display::Display,
    process::{
        Started, internet_sockets, is_alive, sandbox_children, signal, state, wait_until,
        web_processes,
    },
    webdriver::{ENTER, PAGE, Window},
};

/// What has to be installed: program and Debian package.
const PROGRAMS: [(&str, &str); 5] = [
    ("Xvfb", "xvfb"),
    ("WebKitWebDriver", "webkit2gtk-driver"),
    ("dbus-daemon", "dbus-x11"),
    ("gnome-keyring-daemon", "gnome-keyring"),
    ("import", "imagemagick"),
];
/// The kill switch's promise.
const KILL: Duration = Duration::from_millis(250);
/// A new volunteer's first receipt: under a minute when the computer is idle (printed, a figure for
/// benchmarks); beside a busy build the lowest priority makes it later.
pub const FIRST_RECEIPT: Duration = Duration::from_secs(300);
/// For work to begin or to end.
pub const WORK: Duration = Duration::from_secs(120);
/// The tray's menu below the line that tells the state.
const MENU: [&str; 8] = [
    "Open OmniSwarm",
    "Pause",
    "For 1 hour",
    "Until tomorrow, 6 in the morning",
    "Until I resume",
    "Resume",
    "Stop everything",
    "Quit",
];
/// How long the screen must stay the same to be what the page holds.
const STILL: Duration = Duration::from_millis(500);
/// Size of a picture without anything on it, bytes.
const BLANK_BYTES: usize = 8_000;
/// A bus that is not there.
const NO_BUS: &str = "unix:path=/nonexistent/bus";

pub type Outcome = Result<(), Failed>;

macro_rules! check {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+).into());
        }
    };
}
pub(crate) use check;

pub fn all() -> Vec<Trial> {
    vec![
        Trial::test("a_volunteer_agrees_works_stops_and_comes_back", volunteer),
        Trial::test(
            "the_tray_keeps_the_program_and_brings_the_window_back",
            tray,
        ),
        Trial::test("without_a_tray_the_closed_window_ends_the_program", no_tray),
        Trial::test(
            "without_a_key_store_a_session_identity_goes_on",
            no_key_store,
        ),
        Trial::test("a_second_program_on_the_same_data_harms_nothing", same_data),
    ]
}

/// A desktop with a screen, a home folder, and perhaps a bus with a key store.
pub struct Desktop {
    pub display: Display,
    pub bus: Option<(KeyStore, Bus)>,
    home: TempDir,
    program: PathBuf,
}

impl Desktop {
    pub fn start() -> Result<Self, Failed> {
        let mut desktop = Self::without_bus()?;
        let bus = Bus::start(desktop.home.path())?;
        let mut environment = desktop.environment("en_US.UTF-8");
        environment.push(("DBUS_SESSION_BUS_ADDRESS", bus.address().to_owned()));
        let key_store = bus.start_key_store(&environment)?;
        desktop.bus = Some((key_store, bus));
        Ok(desktop)
    }

    fn without_bus() -> Result<Self, Failed> {
        let missing: Vec<&str> = PROGRAMS
            .into_iter()
            .filter(|(program, _)| !is_installed(program))
            .map(|(_, package)| package)
            .collect();
        check!(
            missing.is_empty(),
            "Debian packages are missing: apt-get install {}",
            missing.join(" ")
        );
        let this = std::env::current_exe()?;
        let folder = this.ancestors().nth(2).ok_or("no target folder")?;
        let program = folder.join("omniswarm-desktop");
        check!(
            program.exists(),
            "{} is missing: cargo build -p omniswarm-desktop",
            program.display()
        );
        Ok(Self {
            display: Display::start()?,
            bus: None,
            home: tempfile::tempdir()?,
            program,
        })
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Everything that a program on this desktop knows of the outside.
    fn environment(&self, language: &str) -> Vec<(&'static str, String)> {
        let home = self.home.path().display().to_string();
        let bus = match &self.bus {
            Some((_, bus)) => bus.address().to_owned(),
            None => NO_BUS.to_owned(),
        };
        vec![
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", home.clone()),
            ("XDG_RUNTIME_DIR", home.clone()),
            ("XDG_DATA_HOME", format!("{home}/share")),
            ("XDG_CACHE_HOME", format!("{home}/cache")),
            ("XDG_CONFIG_HOME", format!("{home}/config")),
            ("TMPDIR", home),
            ("DISPLAY", self.display.name()),
            ("DBUS_SESSION_BUS_ADDRESS", bus),
            ("LANG", language.to_owned()),
            // No accessibility bus: nothing starts by itself on the test's bus.
            ("NO_AT_BRIDGE", "1".to_owned()),
            ("OMNISWARM_DATA", self.data().display().to_string()),
            ("OMNISWARM_LOG", "warn,omni_node=info".to_owned()),
        ]
    }

    /// A program of this desktop; what it says goes into a file beside the pictures.
    fn command(&self, program: &Path, language: &str) -> Result<Command, Failed> {
        fs::create_dir_all(pictures()?)?;
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(pictures()?.join("programs.log"))?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.environment(language))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    /// Starts the program under WebDriver.
    pub fn window(&self, language: &str) -> Result<Window, Failed> {
        self.window_with(language, &[])
    }

    pub fn window_with(&self, language: &str, more: &[(&str, &str)]) -> Result<Window, Failed> {
        let mut driver = self.command("WebKitWebDriver".as_ref(), language)?;
        driver.envs(more.iter().copied());
        Window::open(driver, &self.program)
    }

    /// Starts the program as people do.
    pub fn program(&self, more: &[(&str, &str)]) -> Result<Started, Failed> {
        let mut command = self.command(&self.program, "en_US.UTF-8")?;
        Started::new(command.envs(more.iter().copied()))
    }

    /// Puts a picture of what the window shows beside the others.
    pub fn picture(&self, window: &Window, name: &str) -> Outcome {
        window.wait_for_drawing()?;
        self.picture_of_screen(name)
    }

    /// The screen lags behind the page: what counts is a picture that stays the same for a while.
    pub fn picture_of_screen(&self, name: &str) -> Outcome {
        let path = pictures()?.join(format!("{name}.png"));
        let start = Instant::now();
        let (mut before, mut same_since) = (Vec::new(), start);
        wait_until("the screen shows something", PAGE, || {
            self.display.picture(&path)?;
            let now = fs::read(&path)?;
            if now != before {
                (before, same_since) = (now, Instant::now());
            }
            let settled = same_since.elapsed() > STILL || start.elapsed() > STILL * 8;
            Ok(settled && before.len() > BLANK_BYTES)
        })
    }

    pub fn wait_for_window(&self, there: bool) -> Outcome {
        wait_until(&format!("window there: {there}"), PAGE, || {
            Ok(self.display.has_window()? == there)
        })
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn pictures() -> Result<PathBuf, Failed> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().nth(3).ok_or("no target folder")?;
    Ok(target.join("desktop-shots"))
}

/// Nothing runs and nothing is connected.
fn is_silent(app: u32) -> Outcome {
    let sockets = internet_sockets(app);
    check!(
        sockets.is_empty(),
        "there are internet sockets: {sockets:?}"
    );
    let children = sandbox_children(app);
    check!(
        children.is_empty(),
        "there are sandbox children: {children:?}"
    );
    Ok(())
}

pub fn wait_for_work(app: u32) -> Outcome {
    wait_until("every node has a sandbox child", WORK, || {
        Ok(sandbox_children(app).len() >= 3)
    })
}

pub fn wait_for_freeze(app: u32) -> Outcome {
    wait_until("the sandbox children are frozen", WORK, || {
        let children = sandbox_children(app);
        Ok(!children.is_empty() && children.iter().all(|child| state(*child) == Some('T')))
    })
}

fn wait_for_thaw(app: u32) -> Outcome {
    wait_until("a sandbox child goes on", WORK, || {
        Ok(sandbox_children(app)
            .iter()
            .any(|child| matches!(state(*child), Some('R' | 'S'))))
    })
}

/// Waits for the end of all children; says how long it took.
fn wait_for_kill(app: u32) -> Result<Duration, Failed> {
    let start = Instant::now();
    wait_until("every sandbox child is dead", KILL, || {
        Ok(sandbox_children(app).is_empty())
    })?;
    Ok(start.elapsed())
}

pub fn wait_for_end(app: u32) -> Outcome {
    wait_until("the program has ended", WORK, || Ok(!is_alive(app)))
}

fn volunteer() -> Outcome {
    let desktop = Desktop::start()?;
    let window = desktop.window("en_US.UTF-8")?;
    let app = window.app();
    window.wait_for_phase("consent-needed")?;
    desktop.picture(&window, "01-consent")?;
    is_silent(app)?;
    key_is_in_the_key_store_only(&desktop)?;

    window.press(ENTER)?;
    wait_until("Enter declines", PAGE, || {
        Ok(window.count("read-again")? == 1)
    })?;
    desktop.picture(&window, "02-not-now")?;
    is_silent(app)?;
    window.click("read-again")?;
    window.wait_for_phase("consent-needed")?;

    let start = Instant::now();
    window.click("agree")?;
    wait_until("the dashboard is there", PAGE, || {
        Ok(window.count("stop")? == 1)
    })?;
    desktop.picture(&window, "03-agreed")?;
    wait_until("the first receipt", FIRST_RECEIPT, || {
        Ok(window.count("receipt-row")? > 0)
    })?;
    println!(
        "  first receipt after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    wait_until("the best result", PAGE, || {
        Ok(window.text("best-result")?.contains("Merit factor"))
    })?;
    desktop.picture(&window, "04-first-receipt")?;

    wait_for_work(app)?;
    window.click("pause")?;
    window.click("pause-resumed")?;
    window.wait_for_phase("paused")?;
    wait_for_freeze(app)?;
    desktop.picture(&window, "05-paused")?;
    window.click("resume")?;
    window.wait_for_phase("running")?;
    wait_for_thaw(app)?;

    wait_for_work(app)?;
    window.click("stop")?;
    let took = wait_for_kill(app)?;
    println!("  stopped {} ms after the click", took.as_millis());
    window.wait_for_phase("stopped")?;
    wait_until("no connection is left", PAGE, || {
        Ok(internet_sockets(app).is_empty())
    })?;
    desktop.picture(&window, "06-stopped")?;
    is_silent(app)?;
    let receipts = window.count("receipt-row")?;

    signal(app, Signal::TERM)?;
    wait_for_end(app)?;
    drop(window);

    let (_, bus) = desktop.bus.as_ref().ok_or("no bus")?;
    let tray = bus.start_tray()?;
    let window = desktop.window("de_DE.UTF-8")?;
    let app = window.app();
    window.wait_for_phase("stopped")?;
    tray.wait_for("Gestoppt")?;
    tray.wait_for("Arbeit wieder erlauben")?;
    check!(
        window.count("receipt-row")? >= receipts,
        "receipts are missing after a restart"
    );
    is_silent(app)?;
    desktop.picture(&window, "07-stopped-after-restart")?;
    window.click("lift-stop")?;
    window.wait_for_phase("running")?;
    wait_for_work(app)?;
    wait_until("another receipt", FIRST_RECEIPT, || {
        Ok(window.count("receipt-row")? > receipts)
    })?;
    desktop.picture(&window, "08-works-again")?;

    signal(app, Signal::TERM)?;
    let children = sandbox_children(app);
    wait_for_end(app)?;
    wait_until("no child outlives the program", KILL, || {
        Ok(!children.iter().any(|child| is_alive(*child)))
    })
}

fn key_is_in_the_key_store_only(desktop: &Desktop) -> Outcome {
    let (key_store, _) = desktop.bus.as_ref().ok_or("no bus")?;
    let secrets = key_store.secrets()?;
    check!(
        secrets.len() == 1,
        "{} secrets in the key store",
        secrets.len()
    );
    let secret = secrets.first().ok_or("no secret")?;
    check!(secret.len() >= 32, "a secret of {} bytes", secret.len());
    let mut folders = vec![desktop.data()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
                continue;
            }
            // A socket holds nothing and cannot be read.
            if !entry.file_type()?.is_file() {
                continue;
            }
            let bytes = fs::read(entry.path())?;
            let holds = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_slice());
            check!(!holds, "the secret is in {}", entry.path().display());
        }
    }
    Ok(())
}

fn tray() -> Outcome {
    let desktop = Desktop::start()?;
    let (_, bus) = desktop.bus.as_ref().ok_or("no bus")?;
    let tray: Tray = bus.start_tray()?;
    let mut program = desktop.program(&[])?;
    let app = program.pid();
    desktop.wait_for_window(true)?;
    tray.wait_for("Waiting for your decision")?;
    is_silent(app)?;
    let icon_before = tray.icon()?;

    // Consent is given in the window; here it is in the data folder already.
    signal(app, Signal::TERM)?;
    program.ended("the program ends", WORK)?;
    let window = desktop.window("en_US.UTF-8")?;
    window.wait_for_phase("consent-needed")?;
    window.click("agree")?;
    window.wait_for_phase("running")?;
    signal(window.app(), Signal::TERM)?;
    wait_for_end(window.app())?;
    drop(window);

    let mut program = desktop.program(&[])?;
    let app = program.pid();
    desktop.wait_for_window(true)?;
    wait_for_work(app)?;
    tray.wait_for("Running")?;
    wait_until("the icon shows the state", PAGE, || {
        Ok(tray.icon()? != icon_before)
    })?;
    let labels = tray.labels()?;
    check!(
        labels.get(1..) == Some(&MENU.map(str::to_owned)),
        "the tray's menu is {labels:?}"
    );

    desktop.display.close_window()?;
    desktop.wait_for_window(false)?;
    wait_until("the web processes end", PAGE, || {
        Ok(web_processes(app).is_empty())
    })?;
    check!(is_alive(app), "the program ended with its window");
    wait_for_work(app)?;
    println!("  {}", memory(app)?);

    let mut second = desktop.program(&[])?;
    let status = second.ended("the second start ends", WORK)?;
    check!(status.success(), "the second start ended with {status}");
    desktop.wait_for_window(true)?;
    desktop.display.close_window()?;
    desktop.wait_for_window(false)?;
    tray.choose("Open OmniSwarm")?;
    desktop.wait_for_window(true)?;
    wait_until("the page is drawn", PAGE, || {
        Ok(!web_processes(app).is_empty())
    })?;

    tray.choose("Until I resume")?;
    wait_for_freeze(app)?;
    tray.wait_for("Paused")?;
    tray.choose("Resume")?;
    wait_for_thaw(app)?;
    tray.wait_for("Running")?;
    tray.choose("For 1 hour")?;
    wait_for_freeze(app)?;
    wait_until("the tray says until when", PAGE, || {
        let labels = tray.labels().unwrap_or_default();
        Ok(labels
            .first()
            .is_some_and(|label| label.starts_with("Paused until ")))
    })?;
    tray.choose("Resume")?;
    wait_for_thaw(app)?;
    wait_for_work(app)?;
    tray.choose("Stop everything")?;
    let took = wait_for_kill(app)?;
    println!("  stopped {} ms after the tray's answer", took.as_millis());
    tray.wait_for("Stopped")?;
    desktop.picture_of_screen("10-opened-from-the-tray")?;
    is_quiet_soon(app)?;
    tray.choose("Allow work again")?;
    wait_for_work(app)?;
    tray.choose("Quit")?;
    let status = program.ended("the program ends", WORK)?;
    check!(status.success(), "the program ended with {status}");
    Ok(())
}

fn is_quiet_soon(app: u32) -> Outcome {
    wait_until("no connection is left", PAGE, || {
        Ok(internet_sockets(app).is_empty())
    })
}

/// Memory of the program alone, as the system counts it.
fn memory(app: u32) -> Result<String, Failed> {
    let status = fs::read_to_string(format!("/proc/{app}/status"))?;
    let kilobytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.unwrap_or("?").to_owned()
    };
    Ok(format!(
        "without a window: {} kB resident, {} kB of them its own, the others of libraries",
        kilobytes("VmRSS:"),
        kilobytes("RssAnon:")
    ))
}

fn no_tray() -> Outcome {
    let desktop = Desktop::start()?;
    let mut program = desktop.program(&[])?;
    let app = program.pid();
    desktop.wait_for_window(true)?;
    wait_until("the page is drawn", PAGE, || {
        Ok(!web_processes(app).is_empty())
    })?;
    is_silent(app)?;
    desktop.display.close_window()?;
    let status = program.ended("the program ends with its window", WORK)?;
    check!(status.success(), "the program ended with {status}");
    Ok(())
}

fn no_key_store() -> Outcome {
    let desktop = Desktop::without_bus()?;
    let window = desktop.window("de_DE.UTF-8")?;
    let app = window.app();
    window.wait_for_phase("failed")?;
    let problem = window.text("problem")?;
    check!(
        problem.contains("key-store-unavailable"),
        "another problem: {problem}"
    );
    let language = window.script("return document.documentElement.lang")?;
    check!(language == "de", "the page is in {language}");
    is_silent(app)?;
    desktop.picture(&window, "11-no-key-store")?;
    window.click("use-session-identity")?;
    window.wait_for_phase("consent-needed")?;
    is_silent(app)?;
    desktop.picture(&window, "12-consent-in-german")?;
    window.click("agree")?;
    wait_for_work(app)?;
    let folders = || Ok::<_, Failed>(fs::read_dir(desktop.home.path())?.count());
    let with_session = folders()?;
    signal(app, Signal::TERM)?;
    wait_for_end(app)?;
    check!(
        folders()? < with_session,
        "the session's data is still there"
    );
    let kept = desktop.data().join("log.sqlite");
    check!(
        !kept.exists(),
        "a session identity left something in the data folder"
    );
    Ok(())
}

fn same_data() -> Outcome {
    let desktop = Desktop::without_bus()?;
    let identity = [
        ("OMNISWARM_IDENTITY", "file"),
        ("OMNISWARM_PASSPHRASE", "hunter22 hunter22"),
    ];
    let mut first = desktop.program(&identity)?;
    let log = desktop.data().join("log.sqlite");
    wait_until("the first has opened its data", PAGE, || Ok(log.exists()))?;
    desktop.wait_for_window(true)?;
    let window = desktop.window_with("en_US.UTF-8", &identity)?;
    window.wait_for_phase("failed")?;
    let problem = window.text("problem")?;
    check!(
        problem.contains("store-already-open"),
        "another problem: {problem}"
    );
    desktop.picture(&window, "13-already-running")?;
    check!(first.child().try_wait()?.is_none(), "the first ended");
    signal(first.pid(), Signal::TERM)?;
    let status = first.ended("the first ends", WORK)?;
    check!(status.success(), "the first ended with {status}");
    Ok(())
}
