//! Reading settings: defaults, then the file, then the environment.

use super::{Settings, rules};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::collections::BTreeSet;

const PREFIX: &str = "CLAVIGER_";
const SEPARATOR: &str = "__";

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// These environment variables look like settings but are none.
    #[error("there is no such setting: {}", .0.join(", "))]
    UnknownVariables(Vec<String>),
    /// A value cannot be read; the text names the setting and where it was set.
    #[error("{0}")]
    Value(String),
}

/// The variables of this process's environment that are settings: `CLAVIGER_SECTION__NAME`.
///
/// Names without `__` belong to client commands and are none. The values are not secrets.
#[must_use]
pub fn read_environment() -> Vec<(String, String)> {
    let all = std::env::vars_os();
    let text = all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    text.filter(|(name, _)| is_setting(name)).collect()
}

fn is_setting(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.contains(SEPARATOR))
}

/// The settings that result from `base`, the text of a `claviger.toml` over it, and environment variables
/// over both.
///
/// # Errors
/// [`ConfigError`] naming every setting that is unknown, or the one whose value is wrong.
pub fn load(base: &Settings, toml: Option<&str>, environment: &[(String, String)]) -> Result<Settings, ConfigError> {
    let variables = Variables::new(environment)?;
    let mut figment = Figment::from(Serialized::defaults(base));
    if let Some(text) = toml {
        figment = figment.merge(Toml::string(text));
    }
    let settings: Settings = figment.merge(variables).extract().map_err(|error| ConfigError::Value(told(&error)))?;
    rules::check(&settings).map_err(ConfigError::Value)?;
    Ok(settings)
}

/// What is wrong, without the lines of the file that parsers quote and without the value of `token.pin`: an operator
/// may have put a PIN there, and errors end up in logs.
fn told(error: &figment::Error) -> String {
    if error.path.iter().map(String::as_str).eq(["token", "pin"]) {
        return "token.pin says where the PIN is: file:PATH, env:NAME, fd:N, credential:NAME or prompt".to_owned();
    }
    let text = error.to_string();
    let quoted = |line: &&str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    text.lines().filter(|line| !quoted(line)).collect::<Vec<_>>().join("\n")
}

/// The environment's settings, all as text: guessing types would turn the token label `0042` into 42.
struct Variables(Dict);

impl Variables {
    fn new(environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let known = known_names();
        let mut sections = Dict::new();
        let mut unknown = Vec::new();
        for (variable, text) in environment.iter().filter(|(name, _)| is_setting(name)) {
            let path = variable.trim_start_matches(PREFIX).to_ascii_lowercase();
            match path.split_once(SEPARATOR) {
                Some((section, name)) if known.contains(&path) => insert(&mut sections, section, name, text),
                _ => unknown.push(variable.clone()),
            }
        }
        if unknown.is_empty() { Ok(Self(sections)) } else { Err(ConfigError::UnknownVariables(unknown)) }
    }
}

fn insert(sections: &mut Dict, section: &str, name: &str, text: &str) {
    let entry = sections.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, settings) = entry {
        settings.insert(name.to_owned(), Value::from(text));
    }
}

/// `section__name` of every setting.
fn known_names() -> BTreeSet<String> {
    let sections = match Value::serialize(Settings::default()) {
        Ok(Value::Dict(_, sections)) => sections,
        _ => Dict::new(),
    };
    let names = |(section, value): (String, Value)| {
        let settings = value.into_dict().unwrap_or_default();
        settings.into_keys().map(move |name| format!("{section}{SEPARATOR}{name}"))
    };
    sections.into_iter().flat_map(names).collect()
}

impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment variable").interpolater(|_: &Profile, keys: &[&str]| {
            let path = keys.join(SEPARATOR).to_ascii_uppercase();
            format!("{PREFIX}{path}")
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Listen, LogFormat};
    use std::time::Duration;

    fn variables(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn load_from(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        load(&Settings::default(), Some(toml), &variables(environment))
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        assert_eq!(load_from("", &[]).unwrap(), Settings::default());
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = "[limits]\nmin_rotation_period = \"2h\"\nmax_versions_per_key = 5\n";
        let settings = load_from(file, &[("CLAVIGER_LIMITS__MIN_ROTATION_PERIOD", "1s")]).unwrap();
        assert_eq!(settings.limits.min_rotation_period.0, Duration::from_secs(1));
        assert_eq!(settings.limits.max_versions_per_key, 5);
    }

    #[test]
    fn text_is_read_into_every_type() {
        let environment = [
            ("CLAVIGER_LIMITS__MAX_VERSIONS_PER_KEY", "7"),
            ("CLAVIGER_SERVER__REFLECTION", "false"),
            ("CLAVIGER_SERVER__LISTEN", ""),
            ("CLAVIGER_TOKEN__LABEL", "0042"),
            ("CLAVIGER_AWS__EXTRA_REGIONS", "eu-west-1,kr-central-1"),
            ("CLAVIGER_LOG__FORMAT", "text"),
            ("CLAVIGER_CLOCK__MAX_LEAP", "0"),
        ];
        let settings = load_from("", &environment).unwrap();
        assert_eq!(settings.limits.max_versions_per_key, 7);
        assert!(!settings.server.reflection);
        assert_eq!(settings.server.listen, Listen(None));
        assert_eq!(settings.token.label, "0042");
        assert_eq!(settings.aws.extra_regions.0, ["eu-west-1", "kr-central-1"]);
        assert_eq!(settings.log.format, LogFormat::Text);
        assert_eq!(settings.clock.max_leap.0, Duration::ZERO);
    }

    #[test]
    fn unknown_variables_are_named_all_at_once() {
        let environment = [("CLAVIGER_LIMITS__MAX_KEYS", "1"), ("CLAVIGER_NONE__SUCH", "1")];
        let error = load_from("", &environment).unwrap_err().to_string();
        assert_eq!(error, "there is no such setting: CLAVIGER_LIMITS__MAX_KEYS, CLAVIGER_NONE__SUCH");
    }

    #[test]
    fn variables_without_two_underscores_are_no_settings() {
        let environment = [("CLAVIGER_TOKEN", "secret"), ("CLAVIGER_ENDPOINT", "http://localhost:1")];
        assert_eq!(load_from("", &environment).unwrap(), Settings::default());
    }

    #[test]
    fn unknown_names_in_the_file_are_refused_by_name() {
        let error = load_from("[server]\nlisten_on = \"127.0.0.1:1\"\n", &[]).unwrap_err().to_string();
        assert!(error.contains("listen_on"), "{error}");
        let error = load_from("[sever]\n", &[]).unwrap_err().to_string();
        assert!(error.contains("sever"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_variable() {
        let error = load_from("", &[("CLAVIGER_SCHEDULER__INTERVAL", "soon")]).unwrap_err().to_string();
        assert!(error.contains("soon") && error.contains("CLAVIGER_SCHEDULER__INTERVAL"), "{error}");
    }

    #[rstest::rstest]
    fn a_pin_that_was_set_in_the_wrong_place_is_not_repeated(
        #[values("pin = 81754936", "pin = [\"81754936\"]", "pin = 81754936xyz", "81754936", "pin.81754936 = 1")]
        line: &str,
    ) {
        let error = load_from(&format!("[token]\n{line}\n"), &[]).unwrap_err();
        assert!(!error.to_string().contains("81754936"), "{error}");
        assert!(!format!("{error:?}").contains("81754936"), "{error:?}");
    }

    #[test]
    fn a_file_that_is_no_toml_is_refused_with_its_line() {
        let error = load_from("[server]\n\nlisten = =\n", &[]).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }

    #[test]
    fn the_delivered_file_shows_every_setting_with_its_default() {
        let text = include_str!("../../deploy/claviger.toml");
        assert_eq!(load_from(text, &[]).unwrap(), Settings::default());
        let shown = Figment::from(Toml::string(text)).extract::<Dict>().unwrap();
        for name in known_names() {
            let dotted = name.replace(SEPARATOR, ".");
            let value = Value::from(shown.clone()).find(&dotted);
            assert!(value.is_some(), "{dotted} is not in deploy/claviger.toml");
        }
    }
}
