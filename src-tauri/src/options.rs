//! Choices from the environment.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `OMNISWARM_DATA` | data folder | the system's folder for program data |
//! | `OMNISWARM_IDENTITY` | where the secret key lives: `keyring`, `file` or `session` | `keyring` |
//! | `OMNISWARM_PASSPHRASE` | passphrase for `file` (`identity.json` in the data folder) | none |
//! | `OMNISWARM_LOG` | what to log, for example `omni_node=debug,warn` | `warn` |
//! | `OMNISWARM_LOG_FORMAT` | `json` or text | text |
//! | `OMNISWARM_CAMPAIGN_LENGTH` | length of the sequences that the built-in network searches | 141 |
//! | `OMNISWARM_CAMPAIGN_SKEW` | `1`: skew-symmetric sequences only | with the default length |
//! | `OMNISWARM_CAMPAIGN_RISK` | how risky the built-in campaign is called: `low`, `medium` or `high` | `low` |
//!
//! The last three make a quick campaign, and one to be asked about, for tests.

use std::path::PathBuf;

use anyhow::Context as _;
use omni_node::{campaigns::CampaignChoice, identity::KeySource};
use omni_types::{RiskTier, Track};
use zeroize::Zeroizing;

/// Name of the encrypted key in a data folder.
const KEY_FILE: &str = "identity.json";
/// Name of the key in the system's key store.
const KEY_PROFILE: &str = "default";

/// What the program is started with.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Folder for everything that is kept.
    pub(crate) data: PathBuf,
    /// Where the key lives.
    pub(crate) key: KeySource,
    /// What the built-in network searches.
    pub(crate) choice: CampaignChoice,
}

impl Options {
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let data = std::env::var_os("OMNISWARM_DATA")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .or_else(omni_node::paths::data)
            .context("this system names no data folder; set OMNISWARM_DATA")?;
        let key = key(variable("OMNISWARM_IDENTITY").as_deref(), &data, || {
            variable("OMNISWARM_PASSPHRASE").unwrap_or_default()
        })?;
        let choice = choice(
            variable("OMNISWARM_CAMPAIGN_LENGTH").as_deref(),
            variable("OMNISWARM_CAMPAIGN_SKEW").as_deref(),
            variable("OMNISWARM_CAMPAIGN_RISK").as_deref(),
        )?;
        Ok(Self { data, key, choice })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn key(
    identity: Option<&str>,
    data: &std::path::Path,
    passphrase: impl FnOnce() -> String,
) -> anyhow::Result<KeySource> {
    match identity {
        None | Some("keyring") => Ok(KeySource::Keyring {
            profile: KEY_PROFILE.to_owned(),
        }),
        Some("file") => Ok(KeySource::EncryptedFile {
            path: data.join(KEY_FILE),
            passphrase: Zeroizing::new(passphrase()),
        }),
        Some("session") => Ok(KeySource::Session),
        Some(other) => {
            anyhow::bail!("OMNISWARM_IDENTITY is keyring, file or session, not “{other}”")
        }
    }
}

fn choice(
    length: Option<&str>,
    skew: Option<&str>,
    risk: Option<&str>,
) -> anyhow::Result<CampaignChoice> {
    let risk = match risk {
        None | Some("low") => RiskTier::Low,
        Some("medium") => RiskTier::Medium,
        Some("high") => RiskTier::High,
        Some(other) => {
            anyhow::bail!("OMNISWARM_CAMPAIGN_RISK is low, medium or high, not “{other}”")
        }
    };
    let choice = match length {
        None => CampaignChoice::default(),
        Some(length) => {
            let length = length
                .parse()
                .context("OMNISWARM_CAMPAIGN_LENGTH is a number")?;
            let track = match skew {
                Some("1") => Track::Skew,
                _ => Track::General,
            };
            CampaignChoice::labs("labs", track, length)?
        }
    };
    Ok(CampaignChoice { risk, ..choice })
}

/// Starts the log on standard error.
pub(crate) fn start_log() {
    let filter = variable("OMNISWARM_LOG").unwrap_or_else(|| "warn".to_owned());
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter));
    match variable("OMNISWARM_LOG_FORMAT").as_deref() {
        Some("json") => builder.json().init(),
        _ => builder.init(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_key_lives_where_it_is_told_to() {
        let check = |identity: Option<&str>| {
            let source = key(identity, "data".as_ref(), || "hunter22".to_owned());
            source.map_or_else(|error| error.to_string(), |source| format!("{source:?}"))
        };
        assert_eq!(check(None), "Keyring(default)");
        assert_eq!(check(Some("keyring")), "Keyring(default)");
        assert_eq!(
            check(Some("file")),
            "EncryptedFile(identity.json)".replace('(', "(data/")
        );
        assert_eq!(check(Some("session")), "Session");
        assert!(check(Some("plain")).contains("not “plain”"));
    }

    #[test]
    fn a_campaign_needs_a_length_that_fits() {
        let name = |length, skew| choice(length, skew, None).ok().map(|choice| choice.name());
        assert_eq!(name(None, None).as_deref(), Some("labs-skew-141"));
        assert_eq!(name(Some("27"), None).as_deref(), Some("labs-27"));
        assert_eq!(name(Some("27"), Some("1")).as_deref(), Some("labs-skew-27"));
        assert_eq!(name(Some("28"), Some("1")), None);
        assert_eq!(name(Some("many"), None), None);
    }
    #[test]
    fn a_campaign_is_of_low_risk_unless_it_is_called_riskier() {
        let risk = |risk| {
            choice(Some("27"), None, risk)
                .ok()
                .map(|choice| choice.risk)
        };
        assert_eq!(risk(None), Some(RiskTier::Low));
        assert_eq!(risk(Some("medium")), Some(RiskTier::Medium));
        assert_eq!(risk(Some("high")), Some(RiskTier::High));
        assert_eq!(risk(Some("none")), None);
        let default = choice(None, None, Some("medium")).ok();
        assert_eq!(default.map(|choice| choice.risk), Some(RiskTier::Medium));
    }
}
