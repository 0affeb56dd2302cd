//! The JSON of requests and answers. Members that a request does not have are refused; what an answer has no value for
//! is left out.

use super::super::yandex::proto::yandex::cloud::kms::v1::SymmetricKey;
use super::super::yandex::render::timestamp;
use super::super::yandex::wkt;
use crate::domain::access::{PrincipalKind, SubjectKind};
use crate::domain::time::Timestamp;
use crate::service::ports::{
    self, Assurance, CredentialRecord, CredentialSecret, CredentialView, Protection, TokenDescription,
};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt::{self, Write as _};
use std::marker::PhantomData;

/// A body that has to be an object: the derived readers also take an array of the fields' values.
#[derive(Debug, Default)]
pub struct Object<M>(pub M);

impl<'de, M: Deserialize<'de>> Deserialize<'de> for Object<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<M>(PhantomData<M>);
        impl<'de, M: Deserialize<'de>> Visitor<'de> for Members<M> {
            type Value = Object<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Object<M>, A::Error> {
                M::deserialize(MapAccessDeserializer::new(access)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// A request without fields.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFields {}

/// A page of a list, in query parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PageQuery {
    /// The most rows; 0 is the default.
    #[serde(deserialize_with = "number")]
    pub page_size: i64,
    /// Where to go on.
    pub page_token: String,
}

/// A page of the principals of a folder, in query parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PrincipalsQuery {
    /// The folder.
    pub folder_id: String,
    /// As in [`PageQuery`].
    #[serde(deserialize_with = "number")]
    pub page_size: i64,
    /// As in [`PageQuery`].
    pub page_token: String,
}

/// A number in a query parameter.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom("not a number"))
}

/// `POST /claviger/v1/folders`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CreateFolder {
    /// Free name.
    pub name: String,
}

/// The kinds of principals.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PrincipalType {
    /// A program.
    ServiceAccount,
    /// A person.
    UserAccount,
}

/// `POST /claviger/v1/principals`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CreatePrincipal {
    /// The folder that will own it.
    pub folder_id: String,
    /// Its kind.
    pub r#type: Option<PrincipalType>,
    /// Free name.
    pub name: String,
}

/// The kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CredentialType {
    /// An API token, made by the service.
    ApiToken,
    /// An access key pair, made by the service.
    AccessKey,
    /// A client certificate.
    Certificate,
    /// The public half of an RSA key pair.
    PublicKey,
}

/// `POST /claviger/v1/principals/{id}/credentials`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IssueCredential {
    /// Its kind.
    pub r#type: Option<CredentialType>,
    /// What it is for.
    pub name: String,
    /// When it ends.
    pub expires_at: Option<wkt::Timestamp>,
    /// Or how long it lasts.
    pub ttl: Option<wkt::Duration>,
    /// The certificate, PEM.
    pub certificate: Option<String>,
    /// The public key, PEM.
    pub public_key: Option<String>,
}

/// A folder.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Folder {
    id: String,
    name: String,
    account_id: String,
    created_at: wkt::Timestamp,
}

impl From<ports::Folder> for Folder {
    fn from(folder: ports::Folder) -> Self {
        Self {
            id: folder.id.to_string(),
            name: folder.name,
            account_id: folder.account_id.to_string(),
            created_at: timestamp(folder.created_at),
        }
    }
}

/// A page of folders.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Folders {
    /// The rows.
    pub folders: Vec<Folder>,
    /// Where to go on; left out on the last page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next_page_token: String,
}

/// A principal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    id: String,
    folder_id: String,
    r#type: &'static str,
    name: String,
    created_at: wkt::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<wkt::Timestamp>,
}

impl From<ports::Principal> for Principal {
    fn from(principal: ports::Principal) -> Self {
        Self {
            id: principal.id.to_string(),
            folder_id: principal.folder_id.to_string(),
            r#type: type_name(principal.kind),
            name: principal.name,
            created_at: timestamp(principal.created_at),
            deleted_at: principal.deleted_at.map(timestamp),
        }
    }
}

fn type_name(kind: PrincipalKind) -> &'static str {
    SubjectKind::from(kind).name()
}

/// A page of principals.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Principals {
    /// The rows.
    pub principals: Vec<Principal>,
    /// Where to go on; left out on the last page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next_page_token: String,
}

/// A credential, without its secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    id: String,
    principal_id: String,
    folder_id: String,
    r#type: &'static str,
    name: String,
    state: &'static str,
    created_at: wkt::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<wkt::Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<wkt::Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<wkt::Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spki_sha256: Option<String>,
}

impl Credential {
    /// A credential as it is at `now`.
    pub fn of(view: CredentialView, now: Timestamp) -> Self {
        let CredentialView { record, last_used_at } = view;
        let state = state(&record, now);
        let (r#type, access_key_id, spki_sha256) = match record.secret {
            CredentialSecret::TokenSha256(_) => ("apiToken", None, None),
            CredentialSecret::AccessKey { access_key_id, .. } => ("accessKey", Some(access_key_id), None),
            CredentialSecret::CertificateSha256(sha256) => ("certificate", None, Some(hex(&sha256))),
            CredentialSecret::PublicKey(spki) => ("publicKey", None, Some(hex(&sha256(&spki)))),
        };
        Self {
            id: record.id.to_string(),
            principal_id: record.principal_id.to_string(),
            folder_id: record.folder_id.to_string(),
            r#type,
            name: record.name,
            state,
            created_at: timestamp(record.created_at),
            expires_at: record.expires_at.map(timestamp),
            revoked_at: record.revoked_at.map(timestamp),
            last_used_at: last_used_at.map(timestamp),
            access_key_id,
            spki_sha256,
        }
    }
}

/// A revoked credential stays revoked when its end comes.
fn state(record: &CredentialRecord, now: Timestamp) -> &'static str {
    match (record.revoked_at, record.expires_at) {
        (Some(_), _) => "REVOKED",
        (None, Some(expires_at)) if expires_at <= now => "EXPIRED",
        (None, _) => "ACTIVE",
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A page of credentials.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The rows.
    pub credentials: Vec<Credential>,
    /// Where to go on; left out on the last page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next_page_token: String,
}

/// A new credential with its secret: has no `Debug`, so that it cannot get into a log.
#[derive(Serialize)]
pub struct Issued<'a> {
    /// The credential.
    pub credential: Credential,
    /// The secret, if the service made one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<&'a str>,
}

/// Who calls, and with what.
#[derive(Debug, Serialize)]
pub struct WhoAmI {
    /// The caller.
    pub principal: Principal,
    /// The credential that it presented.
    pub credential: Credential,
}

/// A key, and how it is protected.
#[derive(Debug, Serialize)]
pub struct ProtectedKey {
    /// The key, as the Yandex dialect shows it.
    pub key: SymmetricKey,
    /// What stands behind it.
    pub protection: KeyProtection,
}

/// What stands behind a key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyProtection {
    assurance: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    profile: &'static str,
    pin_holder_can_export: bool,
    hosted_by_hsm: bool,
    token_label: String,
    token_manufacturer: String,
    token_model: String,
    token_serial: String,
    token_firmware: String,
}

impl KeyProtection {
    /// Of a key whose primary version is used inside of the token, or is not.
    ///
    /// Whoever has the database and the user PIN reads versions that are used outside of the token, whatever the token
    /// enforces.
    pub fn of(token: TokenDescription, hosted_by_hsm: bool) -> Self {
        let (assurance, certificate) = match token.assurance {
            Assurance::Software => ("software", None),
            Assurance::HsmUnvalidated => ("hsm-unvalidated", None),
            Assurance::HsmValidated(certificate) => ("hsm-validated", Some(certificate)),
        };
        let profile = match token.protection {
            Protection::Trusted => "T",
            Protection::NonExtractable => "N",
            Protection::Weak => "W",
        };
        Self {
            assurance,
            certificate,
            profile,
            pin_holder_can_export: !hosted_by_hsm || token.protection == Protection::Weak,
            hosted_by_hsm,
            token_label: token.identity.label,
            token_manufacturer: token.identity.manufacturer,
            token_model: token.identity.model,
            token_serial: token.identity.serial,
            token_firmware: token.identity.firmware,
        }
    }
}

#[cfg(test)]
mod tests;
