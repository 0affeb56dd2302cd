//! What lists have in common: sizes of pages, markers that are bound to a key, and the members of every answer.

use super::arn;
use super::call::{Call, Naming};
use super::error::AwsError;
use super::input::Input;
use super::marker::{self, List, Sizes, Wanted};
use crate::service::ports::Cursor;
use crate::service::request::KeyName;
use serde::Serialize;

/// Pages of ListKeys, ListKeyPolicies and ListKeyRotations.
pub const LONG: Sizes = Sizes { default: 100, max: 1000 };
/// Pages of ListAliases.
pub const ALIASES: Sizes = Sizes { default: 50, max: 100 };
/// Pages of ListResourceTags.
pub const TAGS: Sizes = Sizes { default: 50, max: 50 };

/// How every list's answer ends.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub struct Rest {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    truncated: bool,
}

impl Rest {
    /// Whether there is more, and the marker that leads to it.
    #[must_use]
    pub fn of(list: List, resource: &[u8; 16], next: Option<Cursor>) -> Self {
        Self { next_marker: marker::next(list, resource, next), truncated: next.is_some() }
    }
}

/// The page that is wanted of a list of the key that the member `KeyId` names, and the key's id. It is read before the
/// key is looked for, so that a bad marker tells nobody whether there is such a key.
///
/// # Errors
/// NotFoundException for what cannot name a key, and those of [`marker::wanted`].
pub fn wanted_of_key(call: &Call<'_>, input: &Input, list: List, sizes: Sizes) -> Result<Wanted, AwsError> {
    let given = input.text("KeyId").unwrap_or_default();
    match arn::key_name(given, Naming::IdOrArn, call.region(), call.account)? {
        KeyName::Anywhere(id) | KeyName::Id(_, id) => marker::wanted(input, list, id.as_bytes(), sizes),
        KeyName::Alias(..) => Err(AwsError::not_found(format!("Invalid keyId '{given}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_marker() {
        let rest = Rest::of(List::Keys, &[1; 16], None);
        assert_eq!(serde_json::to_string(&rest).unwrap(), r#"{"Truncated":false}"#);
    }
}
