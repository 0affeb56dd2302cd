//! What dialects hand to the use cases of folders, principals and credentials, and what they get back.

use super::ports::CredentialRecord;
use crate::domain::access::PrincipalKind;
use crate::domain::id::{FolderId, PrincipalId};
use crate::domain::time::Timestamp;
use zeroize::Zeroizing;

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
pub struct LoginToken {
    /// The token.
    pub text: Zeroizing<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}
