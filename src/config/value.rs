//! The text forms of setting values. Environment variables are text only, so every form can be read from it.

use crate::domain::id::FolderId;
use serde::de::{Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// A duration: a whole number and `ms`, `s`, `m`, `h` or `d`; or `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a duration such as 1s, 15m, 24h or 7d");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            "d" => 24 * 60 * 60 * 1000,
            "" if number == 0 => 0,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit_ms).map(|ms| Self(Duration::from_millis(ms))).ok_or_else(wrong)
    }
}

impl Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = self.0.as_millis();
        let units = [(24 * 60 * 60 * 1000, "d"), (60 * 60 * 1000, "h"), (60 * 1000, "m"), (1000, "s"), (1, "ms")];
        let fits = units.into_iter().find(|(unit_ms, _)| ms != 0 && ms.is_multiple_of(*unit_ms));
        let (unit_ms, name) = fits.unwrap_or((1000, "s"));
        write!(f, "{}{name}", ms / unit_ms)
    }
}

/// Where to listen: `address:port`, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listen(pub Option<SocketAddr>);

impl Listen {
    /// This port of 127.0.0.1.
    #[must_use]
    pub const fn loopback(port: u16) -> Self {
        Self(Some(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)))
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let wrong = |_| format!("{text:?} is not an address and port such as 127.0.0.1:8200 or [::1]:8200");
        text.parse().map(|address| Self(Some(address))).map_err(wrong)
    }
}

impl Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(f))
    }
}

/// Texts, comma-separated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextList(pub Vec<String>);

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl FromStr for TextList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(items(text).map(str::to_owned).collect()))
    }
}

impl Display for TextList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.join(",").fmt(f)
    }
}

/// Ids of folders, comma-separated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FolderList(pub Vec<FolderId>);

impl FromStr for FolderList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let folder = |item| FolderId::parse(item).ok_or_else(|| format!("{item:?} is not the id of a folder"));
        Ok(Self(items(text).map(folder).collect::<Result<_, _>>()?))
    }
}

impl Display for FolderList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",").fmt(f)
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

as_text!(Period, Listen, TextList, FolderList);

/// Tokens of logins are there to be short-lived.
const MAX_LOGIN_PERIOD: Period = Period(Duration::from_secs(366 * 24 * 60 * 60));

/// Reads how long tokens of logins last.
pub(super) fn login_period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
    let period = Period::deserialize(deserializer)?;
    if period.0 > MAX_LOGIN_PERIOD.0 {
        return Err(D::Error::custom(format!("{period} is more than {MAX_LOGIN_PERIOD}")));
    }
    Ok(period)
}

/// Reads a number or boolean, also from text.
pub(super) fn scalar<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr + Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Text(String),
        Number(u64),
        Flag(bool),
    }
    match Form::deserialize(deserializer)? {
        Form::Text(text) => {
            let expected = std::any::type_name::<T>();
            text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a value of type {expected}")))
        }
        Form::Number(number) => T::deserialize(number.into_deserializer()),
        Form::Flag(flag) => T::deserialize(flag.into_deserializer()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        let seconds = |text: &str| text.parse::<Period>().map(|period| period.0.as_secs());
        assert_eq!(seconds("1s"), Ok(1));
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("24h"), Ok(86_400));
        assert_eq!(seconds("7d"), Ok(604_800));
        assert_eq!(seconds("0"), Ok(0));
        assert_eq!("250ms".parse::<Period>().map(|period| period.0), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "1", "s", "-1s", "1.5h", "1w", "1s ", "99999999999999999999d", "999999999999999999d"] {
            assert!(text.parse::<Period>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn durations_are_printed_as_they_are_read() {
        for text in ["1s", "15m", "25h", "7d", "250ms", "0s"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn lists_are_comma_separated() {
        let list: TextList = "eu-central-1, kr-standard".parse().unwrap();
        assert_eq!(list.0, ["eu-central-1", "kr-standard"]);
        assert_eq!("".parse::<TextList>().unwrap().0, Vec::<String>::new());
    }

    #[test]
    fn a_folder_list_holds_ids_of_folders_only() {
        let id = FolderId::from_bytes([7; 16]);
        let list: FolderList = format!("{id}, {id}").parse().unwrap();
        assert_eq!((list.0.len(), list.to_string()), (2, format!("{id},{id}")));
        assert!("default".parse::<FolderList>().is_err());
    }
}
