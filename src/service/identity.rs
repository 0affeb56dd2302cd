//! What dialects hand to the use cases of folders, principals and credentials, and what they get back.

use super::error::ServiceError;
use super::ports::CredentialRecord;
use crate::domain::access::PrincipalKind;
use crate::domain::id::{FolderId, PrincipalId};
use crate::domain::time::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// The longest name of a folder, principal or credential, in characters.
const MAX_NAME: usize = 100;

/// Refuses a name that is too short or too long.
pub(super) fn checked_name(name: &str, shortest: usize) -> Result<(), ServiceError> {
    if (shortest..=MAX_NAME).contains(&name.chars().count()) {
        return Ok(());
    }
    Err(ServiceError::Invalid(format!("name must have {shortest} to {MAX_NAME} characters")))
}

/// A principal to be made.
#[derive(Debug, Clone)]
pub struct CreatePrincipal {
    /// The folder that will own it.
    pub folder_id: FolderId,
    /// Person or program.
    pub kind: PrincipalKind,
    /// Free name, 1 to 100 characters.
    pub name: String,
}

/// A credential to be issued.
#[derive(Debug, Clone)]
pub struct IssueCredential {
    /// Whose it will be.
    pub principal_id: PrincipalId,
    /// What it is for, 0 to 100 characters.
    pub name: String,
    /// When it ends; `None` = never.
    pub expires_at: Option<Timestamp>,
    /// Which kind.
    pub kind: NewCredential,
}

/// The kinds of credentials, with what a caller hands over for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewCredential {
    /// An API token, made here.
    ApiToken,
    /// An access key pair, made here.
    AccessKey,
    /// A client certificate, known by the SHA-256 of its SubjectPublicKeyInfo.
    Certificate {
        /// SHA-256 of the SubjectPublicKeyInfo, DER.
        spki_sha256: [u8; 32],
        /// When the certificate ends: the credential does not outlive it.
        not_after: Timestamp,
    },
    /// The public half of a service account's RSA key pair, which stays with its owner.
    PublicKey {
        /// SubjectPublicKeyInfo, DER.
        spki: Vec<u8>,
    },
}

/// What is shown once, when a credential is issued.
pub enum ShownSecret {
    /// Nothing: the secret never was here.
    None,
    /// An API token.
    ApiToken(Zeroizing<String>),
    /// The secret of an access key pair.
    AccessKey(Zeroizing<String>),
}

/// A new credential.
pub struct IssuedCredential {
    /// The credential.
    pub record: CredentialRecord,
    /// Its secret, which is stored nowhere in clear.
    pub secret: ShownSecret,
}

/// A short-lived token for a login.
#[derive(Clone)]
pub struct LoginToken {
    /// Who has logged in.
    pub principal_id: PrincipalId,
    /// The token.
    pub text: Zeroizing<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

// Secrets are never printed, whoever prints the answer that they are in.

impl fmt::Debug for ShownSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::ApiToken(_) => "ApiToken(..)",
            Self::AccessKey(_) => "AccessKey(..)",
        })
    }
}

impl fmt::Debug for IssuedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuedCredential({}, {:?})", self.record.id, self.secret)
    }
}

impl fmt::Debug for LoginToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginToken(until {:?})", self.expires_at)
    }
}
