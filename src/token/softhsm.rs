//! What is particular to SoftHSM: its configuration file, and how it names the directory of a token.
//!
//! Used by the ceremony's staging and by the commands that make a token for development.

use crate::service::ports::TokenIdentity;
use std::path::{Path, PathBuf};

/// The variable that names SoftHSM's configuration. It is read when the library is initialised, so it is set for a
/// process when that is started, never inside of it.
pub const CONF_VARIABLE: &str = "SOFTHSM2_CONF";

/// The configuration that softhsm/new-token.sh uses too.
const CONF_TEMPLATE: &str = include_str!("../../softhsm/softhsm2.conf");

/// Whether a token is SoftHSM's.
#[must_use]
pub fn is_softhsm(identity: &TokenIdentity) -> bool {
    is_made_by(&identity.manufacturer)
}

/// Whether this is SoftHSM's name as the manufacturer of a token, blank ones included.
#[must_use]
pub fn is_made_by(manufacturer: &str) -> bool {
    manufacturer.contains("SoftHSM")
}

/// A configuration whose tokens live in `tokens`.
#[must_use]
pub fn conf(tokens: &Path) -> String {
    CONF_TEMPLATE.replace("@TOKENDIR@", &tokens.display().to_string())
}

/// The directory of tokens that a configuration names.
#[must_use]
pub fn token_directory(conf: &str) -> Option<PathBuf> {
    let values = conf.lines().filter_map(|line| line.split_once('='));
    let mut named = values.filter(|(name, _)| name.trim() == "directories.tokendir");
    named.next_back().map(|(_, value)| PathBuf::from(value.trim()))
}

/// Where SoftHSM 2.6 looks for its configuration: the variable, the home directory, the system.
#[must_use]
pub fn conf_path(env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    if let Some(path) = env(CONF_VARIABLE) {
        return path.into();
    }
    let own = env("HOME").map(|home| Path::new(&home).join(".config/softhsm2/softhsm2.conf"));
    own.filter(|path| path.exists()).unwrap_or_else(|| "/etc/softhsm/softhsm2.conf".into())
}

/// Whether a token with this serial number lives in a directory of this name: the name is a UUID, and the serial
/// number its last 16 digits.
#[must_use]
pub fn is_directory_of(name: &str, serial: &str) -> bool {
    let digits: String = name.chars().filter(|c| *c != '-').collect();
    !serial.is_empty() && digits.len() == 32 && digits.ends_with(serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_read_back_from_the_configuration() {
        let tokens = Path::new("/a b/tokens");
        assert_eq!(token_directory(&conf(tokens)).as_deref(), Some(tokens));
        assert_eq!(token_directory("# directories.tokendir = /x\nlog.level = INFO\n"), None);
    }

    #[test]
    fn a_token_directory_is_known_by_its_serial_number() {
        assert!(is_directory_of("8f3a1c2e-77aa-1234-5b6c-7d8e9f001122", "5b6c7d8e9f001122"));
        assert!(!is_directory_of("8f3a1c2e-77aa-1234-5b6c-7d8e9f001122", ""));
        assert!(!is_directory_of("5b6c7d8e9f001122", "5b6c7d8e9f001122"));
    }
}
