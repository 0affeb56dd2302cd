//! The default key policy, and whether a policy is that one.
//!
//! In: the text of a policy. Out: whether it says what the default policy says, which leaves everything to the roles of
//! the account. It is compared as what it means, not as text: spaces, the order of members, and the forms that the
//! policy language has for one value make no difference. Another policy is never stored, because nothing would enforce
//! it.

use super::error::{AwsError, Code};
use crate::domain::id::AccountId;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

const VERSION: &str = "2012-10-17";
const ID: &str = "key-default-1";
const SID: &str = "Enable IAM User Permissions";

/// The default policy of an account's keys, as the cloud prints it ("Default key policy").
#[must_use]
pub fn default_of(account: AccountId) -> String {
    format!(
        r#"{{
  "Version" : "{VERSION}",
  "Id" : "{ID}",
  "Statement" : [ {{
    "Sid" : "{SID}",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "{root}"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#,
        root = root(account)
    )
}

fn root(account: AccountId) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// Refuses every policy but the default one.
///
/// # Errors
/// MalformedPolicyDocumentException for what is no policy, UnsupportedOperationException for another policy.
pub fn require_default(text: &str, account: AccountId) -> Result<(), AwsError> {
    parse(text)?.require_default(account)
}

/// A policy that is well-formed.
#[derive(Debug)]
pub struct Policy(BTreeMap<String, Json>);

/// Reads a policy.
///
/// # Errors
/// MalformedPolicyDocumentException for what is no JSON, has a member twice, or lacks what every policy has.
pub fn parse(text: &str) -> Result<Policy, AwsError> {
    let malformed = |why: &str| AwsError::new(Code::MalformedPolicyDocument, why);
    let Ok(Json::Object(policy)) = serde_json::from_str(text) else {
        return Err(malformed("The policy is not a JSON object, or has a member twice."));
    };
    if let Some(Json::Text(version)) = policy.get("Version")
        && ![VERSION, "2008-10-17"].contains(&version.as_str())
    {
        return Err(malformed("The policy's Version must be 2012-10-17 or 2008-10-17."));
    }
    let statements = policy.get("Statement").map(Json::many).unwrap_or_default();
    if statements.is_empty() || !statements.iter().all(|statement| is_statement(statement)) {
        return Err(malformed(
            "The policy must have statements, each with Effect, Principal or NotPrincipal, Action or NotAction, and \
             Resource or NotResource.",
        ));
    }
    Ok(Policy(policy))
}

fn is_statement(json: &Json) -> bool {
    let Json::Object(statement) = json else { return false };
    let one_of = |names: [&str; 2]| names.iter().filter(|name| statement.contains_key(**name)).count() == 1;
    let effect = statement.get("Effect").and_then(Json::text);
    matches!(effect, Some("Allow" | "Deny"))
        && one_of(["Principal", "NotPrincipal"])
        && one_of(["Action", "NotAction"])
        && one_of(["Resource", "NotResource"])
}

impl Policy {
    /// Refuses every policy but the default one of this account.
    ///
    /// # Errors
    /// UnsupportedOperationException for another policy.
    pub fn require_default(&self, account: AccountId) -> Result<(), AwsError> {
        if self.is_default(account) {
            return Ok(());
        }
        Err(AwsError::unsupported(
            "Key policies other than the default policy are not supported, because they would not be enforced: leave \
             the policy out, and grant access by roles.",
        ))
    }

    fn is_default(&self, account: AccountId) -> bool {
        let version = self.0.get("Version").and_then(Json::text);
        version == Some(VERSION)
            && only(&self.0, &["Version", "Id", "Statement"])
            && self.0.get("Id").is_none_or(|id| id.text() == Some(ID))
            && match self.0.get("Statement").map(Json::many).unwrap_or_default().as_slice() {
                [Json::Object(statement)] => is_default_statement(statement, account),
                _ => false,
            }
    }
}

fn is_default_statement(statement: &BTreeMap<String, Json>, account: AccountId) -> bool {
    let says = |name: &str, what: &str| statement.get(name).and_then(Json::one) == Some(what);
    let principal = match statement.get("Principal") {
        Some(Json::Object(principal)) if only(principal, &["AWS"]) => principal.get("AWS").and_then(Json::one),
        _ => None,
    };
    only(statement, &["Sid", "Effect", "Principal", "Action", "Resource"])
        && statement.get("Sid").is_none_or(|sid| sid.text() == Some(SID))
        && statement.get("Effect").and_then(Json::text) == Some("Allow")
        && principal.is_some_and(|one| one == root(account) || one == account.to_string())
        && says("Action", "kms:*")
        && says("Resource", "*")
}

fn only(object: &BTreeMap<String, Json>, names: &[&str]) -> bool {
    object.keys().all(|name| names.contains(&name.as_str()))
}

/// JSON in which no object has a member twice: of two Effects, who knows which is meant. What is neither text, list nor
/// object is in no policy that is compared further.
#[derive(Debug)]
enum Json {
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
    Other,
}

impl Json {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// One value may stand without a list.
    fn many(&self) -> Vec<&Self> {
        match self {
            Self::List(items) => items.iter().collect(),
            other => vec![other],
        }
    }

    /// The only text, or that of a list of one.
    fn one(&self) -> Option<&str> {
        match self.many().as_slice() {
            [one] => one.text(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Json>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests;
