//! The default key policy, and whether a policy is that one.
//!
//! In: the text of a policy. Out: whether it says what the default policy says, which leaves everything to the roles of
//! the account. It is compared as what it means, not as text: spaces, the order of members, and the forms that the
//! policy language has for one value make no difference. Another policy is never stored, because nothing would enforce
//! it.

use super::error::{AwsError, Code};
use crate::dialect::unambiguous::Unambiguous;
use crate::domain::id::AccountId;
use serde_json::{Map, Value};

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
pub struct Policy(Map<String, Value>);

/// Reads a policy.
///
/// # Errors
/// MalformedPolicyDocumentException for what is no JSON, has a member twice, or lacks what every policy has.
pub fn parse(text: &str) -> Result<Policy, AwsError> {
    let malformed = |why: &str| AwsError::new(Code::MalformedPolicyDocument, why);
    // Of two Effects, who knows which is meant.
    let json = serde_json::from_str::<Unambiguous>(text).and_then(|_| serde_json::from_str(text));
    let Ok(Value::Object(policy)) = json else {
        return Err(malformed("The policy is not a JSON object, or has a member twice."));
    };
    if let Some(Value::String(version)) = policy.get("Version")
        && ![VERSION, "2008-10-17"].contains(&version.as_str())
    {
        return Err(malformed("The policy's Version must be 2012-10-17 or 2008-10-17."));
    }
    let statements = policy.get("Statement").map(many).unwrap_or_default();
    if statements.is_empty() || !statements.iter().all(is_statement) {
        return Err(malformed(
            "The policy must have statements, each with Effect, Principal or NotPrincipal, Action or NotAction, and \
             Resource or NotResource.",
        ));
    }
    Ok(Policy(policy))
}

fn is_statement(json: &Value) -> bool {
    let Value::Object(statement) = json else { return false };
    let one_of = |names: [&str; 2]| names.iter().filter(|name| statement.contains_key(**name)).count() == 1;
    let effect = statement.get("Effect").and_then(Value::as_str);
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
        let version = self.0.get("Version").and_then(Value::as_str);
        version == Some(VERSION)
            && only(&self.0, &["Version", "Id", "Statement"])
            && self.0.get("Id").is_none_or(|id| id.as_str() == Some(ID))
            && match self.0.get("Statement").map(many).unwrap_or_default() {
                [Value::Object(statement)] => is_default_statement(statement, account),
                _ => false,
            }
    }
}

fn is_default_statement(statement: &Map<String, Value>, account: AccountId) -> bool {
    let says = |name: &str, what: &str| statement.get(name).and_then(one) == Some(what);
    let principal = match statement.get("Principal") {
        Some(Value::Object(principal)) if only(principal, &["AWS"]) => principal.get("AWS").and_then(one),
        _ => None,
    };
    only(statement, &["Sid", "Effect", "Principal", "Action", "Resource"])
        && statement.get("Sid").is_none_or(|sid| sid.as_str() == Some(SID))
        && statement.get("Effect").and_then(Value::as_str) == Some("Allow")
        && principal.is_some_and(|given| given == root(account) || given == account.to_string())
        && says("Action", "kms:*")
        && says("Resource", "*")
}

fn only(object: &Map<String, Value>, names: &[&str]) -> bool {
    object.keys().all(|name| names.contains(&name.as_str()))
}

/// One value may stand without a list.
fn many(json: &Value) -> &[Value] {
    json.as_array().map_or(std::slice::from_ref(json), Vec::as_slice)
}

/// The only text, or that of a list of one.
fn one(json: &Value) -> Option<&str> {
    match many(json) {
        [one] => one.as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
