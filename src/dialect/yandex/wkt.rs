//! Well-known types of Protocol Buffers with the JSON forms of the proto3 mapping: an instant is RFC 3339 text, a
//! period is `"2592000s"`, a field mask is one comma-separated text, and `Any` names its type in `@type`.

mod any;

pub use any::Any;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest period of the well-known type: 10,000 years, in seconds.
const MAX_DURATION_SECONDS: u64 = 315_576_000_000;

/// The first second of the well-known type: 0001-01-01T00:00:00Z.
pub const MIN_SECONDS: i64 = -62_135_596_800;
/// The last second that every zone can write: 9999-12-30T22:00:00Z. The well-known type has one day more.
pub const MAX_SECONDS: i64 = 253_402_207_200;

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Timestamp {
    /// Seconds since the Unix epoch.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds after that second, never negative.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `google.protobuf.Empty`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message, Serialize, Deserialize)]
pub struct Empty {}

impl ::prost::Name for Empty {
    const NAME: &'static str = "Empty";
    const PACKAGE: &'static str = "google.protobuf";

    fn type_url() -> String {
        format!("type.googleapis.com/{}", Self::full_name())
    }
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Duration {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds, of the same sign.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `google.protobuf.FieldMask`: paths in `snake_case`.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct FieldMask {
    /// The paths.
    #[prost(string, repeated, tag = "1")]
    pub paths: Vec<String>,
}

/// The digits of a fraction of a second: none, or 3, 6 or 9, as the proto3 JSON mapping wants them.
fn fraction(nanos: u32) -> String {
    match nanos {
        0 => String::new(),
        n if n.is_multiple_of(1_000_000) => format!(".{:03}", n / 1_000_000),
        n if n.is_multiple_of(1_000) => format!(".{:06}", n / 1_000),
        n => format!(".{n:09}"),
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let second = jiff::Timestamp::from_second(self.seconds.clamp(MIN_SECONDS, MAX_SECONDS));
        let second = second.map_err(serde::ser::Error::custom)?;
        let nanos = u32::try_from(self.nanos).map_err(serde::ser::Error::custom)?;
        let text = second.to_string();
        let second = text.strip_suffix('Z').unwrap_or(&text);
        serializer.collect_str(&format_args!("{second}{}Z", fraction(nanos)))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant: jiff::Timestamp = text.parse().map_err(|_| D::Error::custom("not an RFC 3339 instant"))?;
        let (seconds, nanos) = (instant.as_second(), instant.subsec_nanosecond());
        if nanos < 0 {
            return Ok(Self { seconds: seconds - 1, nanos: nanos + 1_000_000_000 });
        }
        Ok(Self { seconds, nanos })
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sign = if self.seconds < 0 || self.nanos < 0 { "-" } else { "" };
        let seconds = self.seconds.unsigned_abs();
        serializer.collect_str(&format_args!("{sign}{seconds}{}s", fraction(self.nanos.unsigned_abs())))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        parse_duration(&text).ok_or_else(|| D::Error::custom("not a duration such as \"2592000s\""))
    }
}

/// Reads `[-]seconds[.fraction]s`.
fn parse_duration(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (sign, number) = number.strip_prefix('-').map_or((1, number), |rest| (-1, rest));
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || fraction.is_some_and(|rest| !digits(rest) || rest.len() > 9) {
        return None;
    }
    let seconds: u64 = whole.parse().ok().filter(|seconds| *seconds <= MAX_DURATION_SECONDS)?;
    let nanos: i32 = format!("{:0<9}", fraction.unwrap_or_default()).parse().ok()?;
    Some(Duration { seconds: sign * i64::try_from(seconds).ok()?, nanos: nanos * if sign < 0 { -1 } else { 1 } })
}

impl Serialize for FieldMask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let paths: Vec<String> = self.paths.iter().map(|path| camel_case(path)).collect();
        serializer.serialize_str(&paths.join(","))
    }
}

impl<'de> Deserialize<'de> for FieldMask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { paths: text.split(',').map(|path| snake_case(path.trim())).collect() })
    }
}

/// `rotation_period` to `rotationPeriod`.
pub(super) fn camel_case(name: &str) -> String {
    let mut upper = false;
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else {
            out.push(if upper { c.to_ascii_uppercase() } else { c });
            upper = false;
        }
    }
    out
}

/// `rotationPeriod` to `rotation_period`; a name in `snake_case` stays as it is.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 0, "\"1970-01-01T00:00:00Z\"")]
    #[case(1_700_000_000, 123_000_000, "\"2023-11-14T22:13:20.123Z\"")]
    #[case(1_700_000_000, 123_456_000, "\"2023-11-14T22:13:20.123456Z\"")]
    #[case(-1, 500_000_000, "\"1969-12-31T23:59:59.500Z\"")]
    fn an_instant_is_rfc_3339_text(#[case] seconds: i64, #[case] nanos: i32, #[case] text: &str) {
        let instant = Timestamp { seconds, nanos };
        assert_eq!(serde_json::to_string(&instant).unwrap(), text);
        assert_eq!(serde_json::from_str::<Timestamp>(text).unwrap(), instant);
    }

    #[rstest]
    #[case(MIN_SECONDS, "\"0001-01-01T00:00:00Z\"")]
    #[case(MIN_SECONDS - 1, "\"0001-01-01T00:00:00Z\"")]
    #[case(i64::MIN, "\"0001-01-01T00:00:00Z\"")]
    #[case(MAX_SECONDS, "\"9999-12-30T22:00:00Z\"")]
    #[case(MAX_SECONDS + 1, "\"9999-12-30T22:00:00Z\"")]
    #[case(i64::MAX, "\"9999-12-30T22:00:00Z\"")]
    fn an_instant_that_rfc_3339_cannot_write_becomes_the_nearest(#[case] seconds: i64, #[case] text: &str) {
        assert_eq!(serde_json::to_string(&Timestamp { seconds, nanos: 0 }).unwrap(), text);
    }

    #[rstest]
    #[case(2_592_000, 0, "\"2592000s\"")]
    #[case(0, 0, "\"0s\"")]
    #[case(1, 500_000_000, "\"1.500s\"")]
    #[case(0, -1_000, "\"-0.000001s\"")]
    #[case(-90, -1, "\"-90.000000001s\"")]
    fn a_period_is_seconds_with_an_s(#[case] seconds: i64, #[case] nanos: i32, #[case] text: &str) {
        let period = Duration { seconds, nanos };
        assert_eq!(serde_json::to_string(&period).unwrap(), text);
        assert_eq!(serde_json::from_str::<Duration>(text).unwrap(), period);
    }

    #[rstest]
    #[case("2592000")]
    #[case("s")]
    #[case("-s")]
    #[case("+1s")]
    #[case("1.s")]
    #[case(".5s")]
    #[case("1.0000000001s")]
    #[case("1 s")]
    #[case("1h")]
    #[case("315576000001s")]
    #[case("99999999999999999999s")]
    fn a_malformed_period_is_refused(#[case] text: &str) {
        assert!(serde_json::from_value::<Duration>(text.into()).is_err());
    }

    #[test]
    fn a_field_mask_is_one_text_in_camel_case() {
        let mask = FieldMask { paths: vec!["name".into(), "rotation_period".into()] };
        assert_eq!(serde_json::to_string(&mask).unwrap(), "\"name,rotationPeriod\"");
        assert_eq!(serde_json::from_str::<FieldMask>("\"name,rotationPeriod\"").unwrap(), mask);
        assert_eq!(serde_json::from_str::<FieldMask>("\"name,rotation_period\"").unwrap(), mask);
        assert_eq!(serde_json::from_str::<FieldMask>("\"\"").unwrap(), FieldMask::default());
    }
}
