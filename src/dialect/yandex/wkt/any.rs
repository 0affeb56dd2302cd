//! `google.protobuf.Any` and its JSON form for the messages that this service puts into one.

use super::super::proto::google::rpc::RequestInfo;
use super::super::proto::yandex::cloud::access::{SetAccessBindingsMetadata, UpdateAccessBindingsMetadata};
use super::super::proto::yandex::cloud::kms::v1::{
    CancelSymmetricKeyVersionDestructionMetadata, CreateSymmetricKeyMetadata, DeleteSymmetricKeyMetadata,
    RotateSymmetricKeyMetadata, ScheduleSymmetricKeyVersionDestructionMetadata, SetPrimarySymmetricKeyVersionMetadata,
    SymmetricKey, SymmetricKeyVersion, UpdateSymmetricKeyMetadata,
};
use super::Empty;
use prost::{Message, Name};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Any {
    /// `type.googleapis.com/` and the full name of the message.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The encoded message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

impl Any {
    /// Packs a message.
    #[must_use]
    pub fn pack<M: Message + Name>(message: &M) -> Self {
        Self { type_url: M::type_url(), value: message.encode_to_vec() }
    }

    /// Unpacks a message, if it is one of this type.
    #[must_use]
    pub fn unpack<M: Message + Name + Default>(&self) -> Option<M> {
        (self.type_url == M::type_url()).then(|| M::decode(self.value.as_slice()).ok())?
    }
}

/// A message with its type, as one JSON object.
#[derive(Serialize)]
struct Typed<'a, M> {
    #[serde(rename = "@type")]
    type_url: &'a str,
    #[serde(flatten)]
    message: M,
}

/// Calls a generic function as the message type that a type URL names, if it may be in an `Any` of ours.
macro_rules! dispatch {
    ($type_url:expr, $function:ident $arguments:tt) => {
        dispatch!($type_url, $function $arguments, [
            CreateSymmetricKeyMetadata,
            UpdateSymmetricKeyMetadata,
            DeleteSymmetricKeyMetadata,
            SetPrimarySymmetricKeyVersionMetadata,
            ScheduleSymmetricKeyVersionDestructionMetadata,
            CancelSymmetricKeyVersionDestructionMetadata,
            RotateSymmetricKeyMetadata,
            SymmetricKey,
            SymmetricKeyVersion,
            SetAccessBindingsMetadata,
            UpdateAccessBindingsMetadata,
            RequestInfo,
            Empty,
        ])
    };
    ($type_url:expr, $function:ident $arguments:tt, [$($message:ty),* $(,)?]) => {
        $(if $type_url == <$message>::type_url() {
            Some($function::<$message, _> $arguments)
        } else)* {
            None
        }
    };
}

fn serialize_as<M: Message + Serialize + Default, S: Serializer>(any: &Any, serializer: S) -> Result<S::Ok, S::Error> {
    let message = M::decode(any.value.as_slice()).map_err(S::Error::custom)?;
    Typed { type_url: &any.type_url, message }.serialize(serializer)
}

fn deserialize_as<M: Message + DeserializeOwned, E: serde::de::Error>(
    members: serde_json::Map<String, serde_json::Value>,
) -> Result<Vec<u8>, E> {
    let message: M = serde_json::from_value(members.into()).map_err(E::custom)?;
    Ok(message.encode_to_vec())
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        dispatch!(self.type_url, serialize_as(self, serializer))
            .unwrap_or_else(|| Err(S::Error::custom("a message type that has no JSON form here")))
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = serde_json::Map::deserialize(deserializer)?;
        let Some(serde_json::Value::String(type_url)) = members.remove("@type") else {
            return Err(D::Error::missing_field("@type"));
        };
        let value = dispatch!(type_url, deserialize_as(members))
            .unwrap_or_else(|| Err(D::Error::custom("a message type that is not known here")))?;
        Ok(Self { type_url, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> CreateSymmetricKeyMetadata {
        CreateSymmetricKeyMetadata { key_id: "k".into(), primary_version_id: "v".into() }
    }

    #[test]
    fn a_packed_message_names_its_type_in_json() {
        let any = Any::pack(&metadata());
        let json = serde_json::to_string(&any).unwrap();
        insta::assert_snapshot!(json, @r#"{"@type":"type.googleapis.com/yandex.cloud.kms.v1.CreateSymmetricKeyMetadata","keyId":"k","primaryVersionId":"v"}"#);
        assert_eq!(serde_json::from_str::<Any>(&json).unwrap(), any);
    }

    #[test]
    fn a_packed_message_is_unpacked_as_its_own_type_only() {
        let any = Any::pack(&metadata());
        assert_eq!(any.unpack::<CreateSymmetricKeyMetadata>(), Some(metadata()));
        assert_eq!(any.unpack::<DeleteSymmetricKeyMetadata>(), None);
    }

    #[test]
    fn an_unknown_type_is_refused_in_both_directions() {
        let any = Any { type_url: "type.googleapis.com/a.B".into(), value: Vec::new() };
        assert!(serde_json::to_string(&any).is_err());
        assert!(serde_json::from_str::<Any>(r#"{"@type":"type.googleapis.com/a.B"}"#).is_err());
        assert!(serde_json::from_str::<Any>(r#"{"keyId":"k"}"#).is_err());
    }
}
