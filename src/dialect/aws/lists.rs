//! What lists have in common: markers that are bound to a key, and the members of every answer.

use super::arn;
use super::call::{Call, Naming};
use super::error::AwsError;
use super::input::Input;
use super::marker::{self, List, Listed, Wanted};
use crate::service::ports::Cursor;
use crate::service::request::KeyName;
use serde::Serialize;

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
    pub fn of(listed: Listed<'_>, next: Option<Cursor>) -> Self {
        Self { next_marker: marker::next(listed, next), truncated: next.is_some() }
    }
}

/// A list of the folder or key with the id `resource`, in the region of the request.
#[must_use]
pub fn of<'a>(call: &'a Call<'_>, list: List, resource: &'a [u8; 16]) -> Listed<'a> {
    Listed { list, resource, region: call.region() }
}

/// The page that is wanted of a list of the key that the member `KeyId` names, and the key's id. It is read before the
/// key is looked for, so that a bad marker tells nobody whether there is such a key.
///
/// # Errors
/// NotFoundException for what cannot name a key, and those of [`marker::wanted`].
pub fn wanted_of_key(call: &Call<'_>, input: &Input, list: List) -> Result<Wanted, AwsError> {
    let given = input.text("KeyId").unwrap_or_default();
    match arn::key_name(given, Naming::IdOrArn, call.region(), call.account)? {
        KeyName::Anywhere(id) | KeyName::Id(_, id) => marker::wanted(input, of(call, list, id.as_bytes())),
        KeyName::Alias(..) => Err(AwsError::not_found(format!("Invalid keyId '{given}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_marker() {
        let rest = Rest::of(Listed { list: List::Keys, resource: &[1; 16], region: "us-east-1" }, None);
        assert_eq!(serde_json::to_string(&rest).unwrap(), r#"{"Truncated":false}"#);
    }
}
