//! REST requests to wire messages, by the proto3 JSON mapping.
//!
//! A body is read once, straight into its message. Texts of refusals name fields and places, never values: a value
//! may be a plaintext.

use crate::dialect::unambiguous::Unambiguous;
use crate::service::error::ServiceError;
use axum::extract::Query;
use http::Uri;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The message in a body; an empty body is an empty message.
///
/// # Errors
/// [`ServiceError::Invalid`] for what is not JSON or not this message.
pub fn from_body<M: DeserializeOwned + Default>(body: &[u8]) -> Result<M, ServiceError> {
    if body.trim_ascii().is_empty() {
        return Ok(M::default());
    }
    let message = serde_json::from_slice(body);
    let message = message.or_else(|error| from_body_without_nulls(body).ok_or_else(|| refusal(&error)))?;
    // The reader of a message notices its own members only, not those of a map within.
    if body.iter().filter(|byte| **byte == b'{').count() > 1 {
        serde_json::from_slice::<Unambiguous>(body).map_err(|error| refusal(&error))?;
    }
    Ok(message)
}

/// Reads a body again whose members may be `null`, which stands for an absent field in the proto3 mapping. Clients
/// that send it are rare, so only a body that failed comes here.
fn from_body_without_nulls<M: DeserializeOwned>(body: &[u8]) -> Option<M> {
    if !body.windows(4).any(|window| window == b"null") {
        return None;
    }
    let UniqueMembers(mut members) = serde_json::from_slice(body).ok()?;
    let before = members.len();
    members.retain(|_, value| !value.is_null());
    if members.len() == before {
        return None;
    }
    serde_json::from_value(Value::Object(members)).ok()
}

/// A JSON object none of whose members is there twice.
struct UniqueMembers(Map<String, Value>);

impl<'de> serde::Deserialize<'de> for UniqueMembers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = UniqueMembers;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<UniqueMembers, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("duplicate field"));
                    }
                }
                Ok(UniqueMembers(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The message in the query parameters, whose names may be in both spellings.
///
/// # Errors
/// [`ServiceError::Invalid`] for parameters that are unknown, repeated or not of their type.
pub fn from_query<M: DeserializeOwned + Default>(uri: &Uri) -> Result<M, ServiceError> {
    if uri.query().is_none_or(str::is_empty) {
        return Ok(M::default());
    }
    let malformed = |_| ServiceError::Invalid("the query parameters are malformed".into());
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(malformed)?;
    let mut members = Map::new();
    for (name, value) in pairs {
        if members.insert(name.clone(), Value::String(value)).is_some() {
            return Err(ServiceError::Invalid(format!("query parameter {name:?} is given twice")));
        }
    }
    serde_json::from_value(Value::Object(members)).map_err(|error| refusal(&error))
}

/// Refuses query parameters where a request has none.
///
/// # Errors
/// [`ServiceError::Invalid`] if there are any.
pub fn no_query(uri: &Uri) -> Result<(), ServiceError> {
    match uri.query() {
        None | Some("") => Ok(()),
        Some(_) => Err(ServiceError::Invalid("this request has no query parameters".into())),
    }
}

/// The reader's text where it names fields only, else the place of the mistake.
fn refusal(error: &serde_json::Error) -> ServiceError {
    let text = error.to_string();
    let names_fields =
        ["unknown field", "unknown variant", "duplicate field"].iter().any(|kind| text.starts_with(kind));
    let (line, column) = (error.line(), error.column());
    let text = match error.classify() {
        _ if names_fields => text,
        serde_json::error::Category::Data if line == 0 => "a field has a value of the wrong type or form".to_owned(),
        serde_json::error::Category::Data => {
            format!("a field has a value of the wrong type or form, at line {line} column {column}")
        }
        _ => format!("the body is not JSON, at line {line} column {column}"),
    };
    ServiceError::Invalid(text)
}

#[cfg(test)]
mod tests {
    use super::super::proto::yandex::cloud::kms::v1::{
        CreateSymmetricKeyRequest, GenerateDataKeyRequest, ListSymmetricKeysRequest, SymmetricEncryptRequest,
        UpdateSymmetricKeyRequest,
    };
    use super::*;
    use rstest::rstest;

    fn create(body: &str) -> Result<CreateSymmetricKeyRequest, ServiceError> {
        from_body(body.as_bytes())
    }

    fn encrypt(body: &str) -> Result<SymmetricEncryptRequest, ServiceError> {
        from_body(body.as_bytes())
    }

    fn list(query: &str) -> Result<ListSymmetricKeysRequest, ServiceError> {
        from_query(&format!("/kms/v1/keys?{query}").parse().unwrap())
    }

    #[rstest]
    #[case(r#"{"folderId":"f","defaultAlgorithm":"AES_256_HSM","rotationPeriod":"86400s","deletionProtection":true}"#)]
    #[case(r#"{"folder_id":"f","default_algorithm":4,"rotation_period":"86400s","deletion_protection":true}"#)]
    #[case(r#"{"folderId":"f","name":null,"labels":null,"defaultAlgorithm":4,"rotationPeriod":"86400s","deletionProtection":true}"#)]
    fn both_spellings_enum_numbers_and_nulls_are_read(#[case] body: &str) {
        let message = create(body).unwrap();
        assert_eq!((message.folder_id.as_str(), message.default_algorithm), ("f", 4));
        assert_eq!(message.rotation_period.unwrap().seconds, 86_400);
        assert!(message.deletion_protection && message.name.is_empty());
    }

    #[rstest]
    #[case(r#"{"folderId":"f","color":"red"}"#, "unknown field `color`")]
    #[case(r#"{"defaultAlgorithm":"AES_512"}"#, "unknown variant `AES_512`")]
    #[case(r#"{"folderId":"f","folder_id":"g"}"#, "duplicate field `folderId`")]
    #[case(r#"{"folderId":null,"folderId":"g","folder_id":"g"}"#, "a field has a value")]
    #[case(r#"{"labels":{"a":"1","a":"2"}}"#, "duplicate field")]
    #[case(r#"{"labels":{"a":"1","\u0061":"2"},"name":null}"#, "duplicate field")]
    #[case(r#"{"folderId":"f""#, "the body is not JSON, at line 1 column 15")]
    #[case(r#"{"folderId":"f"} x"#, "the body is not JSON")]
    #[case(r#"{"folderId":7}"#, "a field has a value of the wrong type or form, at line 1 column 13")]
    #[case(r#"{"defaultAlgorithm":17}"#, "a field has a value")]
    #[case(r#"{"rotationPeriod":"1 day"}"#, "a field has a value")]
    #[case(r#"{"labels":{"a":null}}"#, "a field has a value")]
    #[case(r#"[]"#, "a field has a value")]
    #[case("\u{1}", "the body is not JSON")]
    fn what_is_not_the_message_is_refused(#[case] body: &str, #[case] text: &str) {
        let error = create(body).unwrap_err();
        assert!(matches!(&error, ServiceError::Invalid(message) if message.starts_with(text)), "{error}");
    }

    #[test]
    fn an_empty_body_is_an_empty_message() {
        assert_eq!(create("").unwrap(), CreateSymmetricKeyRequest::default());
        assert_eq!(create(" \n").unwrap(), CreateSymmetricKeyRequest::default());
    }

    #[rstest]
    #[case("+/+/")]
    #[case("-_-_")]
    fn standard_and_url_safe_base64_are_read(#[case] text: &str) {
        let message = encrypt(&format!(r#"{{"plaintext":"{text}"}}"#)).unwrap();
        assert_eq!(message.plaintext, [0xfb, 0xff, 0xbf]);
    }

    #[rstest]
    #[case("AA==")]
    #[case("AA")]
    fn padding_may_be_left_out(#[case] text: &str) {
        assert_eq!(encrypt(&format!(r#"{{"plaintext":"{text}"}}"#)).unwrap().plaintext, [0]);
    }

    #[rstest]
    #[case("A")]
    #[case("A!==")]
    #[case("+-AA")]
    #[case("AB==")]
    fn bad_base64_is_refused(#[case] text: &str) {
        assert!(encrypt(&format!(r#"{{"plaintext":"{text}"}}"#)).is_err());
    }

    #[test]
    fn a_refusal_does_not_repeat_values() {
        for body in [r#"{"plaintext":["SECRET"]}"#, r#"{"plaintext":"SECRET!"}"#, r#"{"aadContext":SECRET}"#] {
            let error = encrypt(body).map(|_| ()).unwrap_err();
            assert!(!error.to_string().contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn a_mask_is_one_text() {
        let body = br#"{"updateMask":"name,rotationPeriod","name":"n"}"#;
        let message: UpdateSymmetricKeyRequest = from_body(body).unwrap();
        assert_eq!(message.update_mask.unwrap().paths, ["name", "rotation_period"]);
    }

    #[test]
    fn a_large_integer_may_be_text() {
        for body in [r#"{"pageSize":"5"}"#, r#"{"pageSize":5}"#] {
            assert_eq!(from_body::<ListSymmetricKeysRequest>(body.as_bytes()).unwrap().page_size, 5);
        }
    }

    #[rstest]
    #[case("folderId=f&pageSize=5&pageToken=a%2Bb")]
    #[case("folder_id=f&page_size=5&page_token=a%2Bb")]
    fn query_parameters_are_read_in_both_spellings(#[case] query: &str) {
        let message = list(query).unwrap();
        assert_eq!((message.folder_id.as_str(), message.page_size, message.page_token.as_str()), ("f", 5, "a+b"));
    }

    #[rstest]
    #[case("folderId=f&x=1")]
    #[case("folderId=f&folderId=f")]
    #[case("folderId=f&folder_id=f")]
    #[case("pageSize=five")]
    #[case("pageSize=99999999999999999999")]
    fn other_query_parameters_are_refused(#[case] query: &str) {
        assert!(matches!(list(query), Err(ServiceError::Invalid(_))));
    }

    #[test]
    fn a_data_key_spec_may_be_a_number_and_a_flag_is_a_flag() {
        let message: GenerateDataKeyRequest = from_body(br#"{"dataKeySpec":3,"skipPlaintext":true}"#).unwrap();
        assert!(message.skip_plaintext && message.data_key_spec == 3);
        assert!(from_body::<GenerateDataKeyRequest>(br#"{"skipPlaintext":"true"}"#).is_err());
    }
}
