//! A session bus of the test's own, with what a desktop has on it: a key store, and a tray.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use libtest_mimic::Failed;
use zbus::{
    blocking::{Connection, Proxy, connection, fdo::DBusProxy},
    message::Header,
    zvariant::{OwnedObjectPath, OwnedValue, Structure, Value},
};

use crate::{
    process::{Started, wait, wait_until},
    webdriver::PAGE,
};

const SECRETS: &str = "org.freedesktop.secrets";
const SECRETS_PATH: &str = "/org/freedesktop/secrets";

pub struct Bus {
    address: String,
    connection: Connection,
    _daemon: Started,
}

impl Bus {
    /// Starts a bus on which nothing starts by itself.
    pub fn start(folder: &Path) -> Result<Self, Failed> {
        let config = folder.join("bus.conf");
        let listen = folder.display();
        let text = format!(
            "<busconfig><type>session</type><listen>unix:dir={listen}</listen>\
             <policy context=\"default\"><allow send_destination=\"*\"/><allow eavesdrop=\"true\"/>\
             <allow own=\"*\"/></policy></busconfig>"
        );
        fs::write(&config, text)?;
        let mut command = Command::new("dbus-daemon");
        command
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut daemon = Started::new(&mut command)?;
        let said = daemon
            .child()
            .stdout
            .take()
            .ok_or("dbus-daemon has no output")?;
        let mut address = String::new();
        BufReader::new(said).read_line(&mut address)?;
        let address = address.trim().to_owned();
        let connection = connection::Builder::address(address.as_str())?.build()?;
        Ok(Self {
            address,
            connection,
            _daemon: daemon,
        })
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Starts a real key store, unlocked.
    pub fn start_key_store(&self, environment: &[(&str, String)]) -> Result<KeyStore, Failed> {
        let mut command = Command::new("gnome-keyring-daemon");
        command
            .args(["--foreground", "--unlock", "--components=secrets"])
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut daemon = Started::new(&mut command)?;
        let mut password = daemon
            .child()
            .stdin
            .take()
            .ok_or("no way to unlock the key store")?;
        password.write_all(b"a password for the test")?;
        drop(password);
        let bus = DBusProxy::new(&self.connection)?;
        wait_until("the key store is on the bus", PAGE, || {
            Ok(bus.name_has_owner(SECRETS.try_into()?)?)
        })?;
        Ok(KeyStore {
            connection: self.connection.clone(),
            _daemon: daemon,
        })
    }

    /// Shows tray icons, as a desktop's panel does.
    pub fn start_tray(&self) -> Result<Tray, Failed> {
        let items = Arc::<Mutex<Vec<(String, String)>>>::default();
        let watcher = Watcher {
            items: Arc::clone(&items),
        };
        let panel = connection::Builder::address(self.address.as_str())?
            .serve_at("/StatusNotifierWatcher", watcher)?
            .name("org.kde.StatusNotifierWatcher")?
            .build()?;
        Ok(Tray { panel, items })
    }
}

pub struct KeyStore {
    connection: Connection,
    _daemon: Started,
}

impl KeyStore {
    /// The secrets that OmniSwarm keeps there.
    pub fn secrets(&self) -> Result<Vec<Vec<u8>>, Failed> {
        let proxy = |path: &str, interface: &str| {
            Proxy::new_owned(
                self.connection.clone(),
                SECRETS.to_owned(),
                path.to_owned(),
                interface.to_owned(),
            )
        };
        let service = proxy(SECRETS_PATH, "org.freedesktop.Secret.Service")?;
        let wanted = HashMap::from([("service", "org.omniswarm")]);
        let (unlocked, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) =
            service.call("SearchItems", &(wanted,))?;
        if !locked.is_empty() {
            return Err("the key store is locked".into());
        }
        let (_, session): (OwnedValue, OwnedObjectPath) =
            service.call("OpenSession", &("plain", Value::from("")))?;
        let mut secrets = Vec::new();
        for item in unlocked {
            let item = proxy(item.as_str(), "org.freedesktop.Secret.Item")?;
            let (secret,): ((OwnedObjectPath, Vec<u8>, Vec<u8>, String),) =
                item.call("GetSecret", &(&session,))?;
            secrets.push(secret.2);
        }
        Ok(secrets)
    }
}

/// The panel's side of the tray: icons tell it that they are there.
struct Watcher {
    /// Bus name and path of each.
    items: Arc<Mutex<Vec<(String, String)>>>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, path: String, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        if let Ok(mut items) = self.items.lock() {
            items.push((sender, path));
        }
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        Vec::new()
    }
}

pub struct Tray {
    panel: Connection,
    items: Arc<Mutex<Vec<(String, String)>>>,
}

/// An entry of the tray's menu.
struct Entry {
    id: i32,
    label: String,
    enabled: bool,
}

/// Number, properties and children of an entry.
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

fn add_entries(layouts: Vec<OwnedValue>, entries: &mut Vec<Entry>) -> Result<(), Failed> {
    for layout in layouts {
        let (id, properties, children) = Layout::try_from(Structure::try_from(layout)?)?;
        if let Some(label) = properties.get("label") {
            let enabled = properties.get("enabled");
            entries.push(Entry {
                id,
                // An underscore marks the letter to press.
                label: label.downcast_ref::<String>()?.replace('_', ""),
                enabled: enabled
                    .and_then(|value| value.downcast_ref().ok())
                    .unwrap_or(true),
            });
        }
        add_entries(children, entries)?;
    }
    Ok(())
}

impl Tray {
    /// The icon of the program that runs.
    fn item(&self) -> Result<Proxy<'static>, Failed> {
        let bus = DBusProxy::new(&self.panel)?;
        let item = wait("the tray icon is there", PAGE, || {
            let items = self.items.lock().map_err(|_| "poisoned")?.clone();
            for (name, path) in items {
                if bus.name_has_owner(name.as_str().try_into()?)? {
                    return Ok(Some((name, path)));
                }
            }
            Ok(None)
        })?;
        let interface = "org.kde.StatusNotifierItem".to_owned();
        Ok(Proxy::new_owned(
            self.panel.clone(),
            item.0,
            item.1,
            interface,
        )?)
    }

    fn menu(&self) -> Result<Proxy<'static>, Failed> {
        let item = self.item()?;
        let path: OwnedObjectPath = item.get_property("Menu")?;
        let name = item.destination().to_string();
        let interface = "com.canonical.dbusmenu".to_owned();
        Ok(Proxy::new_owned(self.panel.clone(), name, path, interface)?)
    }

    /// Every entry, those of submenus behind the entry that opens them.
    fn entries(&self) -> Result<Vec<Entry>, Failed> {
        let all_properties: Vec<&str> = Vec::new();
        let (_, (_, _, children)): (u32, Layout) = self
            .menu()?
            .call("GetLayout", &(0_i32, -1_i32, all_properties))?;
        let mut entries = Vec::new();
        add_entries(children, &mut entries)?;
        Ok(entries)
    }

    /// Labels of the menu's entries.
    pub fn labels(&self) -> Result<Vec<String>, Failed> {
        Ok(self
            .entries()?
            .into_iter()
            .map(|entry| entry.label)
            .collect())
    }

    /// File of the icon that is shown.
    pub fn icon(&self) -> Result<String, Failed> {
        Ok(self.item()?.get_property("IconName")?)
    }

    /// Waits until the menu has an entry with this label.
    pub fn wait_for(&self, label: &str) -> Result<(), Failed> {
        let mut last = Vec::new();
        let found = wait_until(&format!("the tray's menu says {label}"), PAGE, || {
            // The program may be ending or starting.
            last = self.labels().unwrap_or_default();
            Ok(last.iter().any(|found| found == label))
        });
        found.map_err(|failed| {
            let what = failed.message().unwrap_or_default();
            format!("{what}; it says {last:?}").into()
        })
    }

    /// Chooses an entry of the menu, once it can be chosen.
    pub fn choose(&self, label: &str) -> Result<(), Failed> {
        let id = wait(&format!("{label} can be chosen"), PAGE, || {
            let mut entries = self.entries().unwrap_or_default().into_iter();
            Ok(entries
                .find(|entry| entry.label == label && entry.enabled)
                .map(|entry| entry.id))
        })?;
        let event = (id, "clicked", Value::from(0_i32), 0_u32);
        Ok(self.menu()?.call("Event", &event)?)
    }
}
