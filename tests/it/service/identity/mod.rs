//! Folders, principals and their credentials, through the use cases and the directory.

mod counted;
pub mod counting_token;
mod credentials;
mod folders;
mod forms;
mod last_uses;
mod logins;
mod principals;
mod provision;
mod queued;
mod secrets;
mod signatures;

use super::Service;
use super::core::Core;
use claviger::domain::access::{Binding, BindingDelta, Caller, PrincipalKind, Role, Subject};
use claviger::domain::id::{CredentialId, FolderId};
use claviger::domain::time::Timestamp;
use claviger::service::Kms;
use claviger::service::directory::Recognised;
use claviger::service::error::{Missing, ServiceError};
use claviger::service::identity::{
    CreatePrincipal, IssueCredential, IssuedCredential, LoginToken, NewCredential, ShownSecret,
};
use claviger::service::ports::{BindingScope, CredentialSecret, Principal};
use claviger::service::request::RequestContext;
use std::time::Duration;
use zeroize::Zeroizing;

/// Stands for the SubjectPublicKeyInfo of an RSA key: its form is the dialect's to check.
const SPKI: [u8; 294] = [0x30; 294];
const CERTIFICATE: [u8; 32] = [0xce; 32];
const SECOND: Duration = Duration::from_secs(1);

/// A service, and its administrator as the one who asks for everything that is no test's subject.
pub(super) struct Office {
    pub(super) service: Service,
}

/// What a client presents.
enum Shown {
    Token(Zeroizing<String>),
    AccessKey { id: String, secret: Zeroizing<String> },
    Certificate([u8; 32]),
    PublicKey(CredentialId),
}

impl Office {
    pub(super) async fn start(core: Core) -> Self {
        Self { service: Service::start(core).await }
    }

    pub(super) fn kms(&self) -> &Kms {
        &self.service.kms
    }

    pub(super) fn root(&self) -> &RequestContext {
        &self.service.ctx
    }

    pub(super) fn home(&self) -> FolderId {
        self.root().caller.folder_id
    }

    /// A folder that is younger than those before.
    async fn folder(&self, name: &str) -> FolderId {
        self.service.clock.advance(SECOND);
        self.kms().create_folder(self.root(), name.into()).await.unwrap().id
    }

    /// A principal that is younger than those before.
    async fn principal(&self, folder_id: FolderId, kind: PrincipalKind) -> Principal {
        self.service.clock.advance(SECOND);
        let request = CreatePrincipal { folder_id, kind, name: "somebody".into() };
        self.kms().create_principal(self.root(), request).await.unwrap()
    }

    /// A service account of the first folder, without roles.
    async fn account(&self) -> Principal {
        self.principal(self.home(), PrincipalKind::ServiceAccount).await
    }

    /// Somebody with a role, as who asks.
    pub(super) async fn with_role(&self, folder_id: FolderId, scope: BindingScope, role: Role) -> RequestContext {
        let principal = self.principal(folder_id, PrincipalKind::User).await;
        self.bind(scope, role, &principal).await;
        self.as_caller(&principal).await
    }

    async fn bind(&self, scope: BindingScope, role: Role, principal: &Principal) {
        let deltas = vec![BindingDelta::Add(binding(role, principal))];
        self.kms().update_access_bindings(self.root(), scope, deltas).await.unwrap();
    }

    async fn unbind(&self, scope: BindingScope, role: Role, principal: &Principal) {
        let deltas = vec![BindingDelta::Remove(binding(role, principal))];
        self.kms().update_access_bindings(self.root(), scope, deltas).await.unwrap();
    }

    /// With a credential of its own for this.
    async fn as_caller(&self, principal: &Principal) -> RequestContext {
        let token = self.kms().issue_token(principal, "caller", None).await.unwrap();
        self.with_credential(principal, token.credential_id)
    }

    fn with_credential(&self, principal: &Principal, credential_id: CredentialId) -> RequestContext {
        let caller =
            Caller { principal_id: principal.id, kind: principal.kind, credential_id, folder_id: principal.folder_id };
        RequestContext { caller, ..self.root().clone() }
    }

    async fn try_to_issue(
        &self,
        principal: &Principal,
        kind: NewCredential,
        expires_at: Option<Timestamp>,
    ) -> Result<IssuedCredential, ServiceError> {
        let request = IssueCredential { principal_id: principal.id, name: "a name".into(), expires_at, kind };
        self.kms().issue_credential(self.root(), request).await
    }

    async fn issue(&self, principal: &Principal, kind: NewCredential) -> (CredentialId, Shown) {
        let issued = self.try_to_issue(principal, kind, None).await.unwrap();
        (issued.record.id, shown(issued))
    }

    async fn revoke(&self, id: CredentialId) {
        assert!(self.kms().revoke_credential(self.root(), id).await.unwrap().record.revoked_at.is_some());
    }

    /// Whether a client gets in with it.
    async fn accepts(&self, shown: &Shown) -> bool {
        accepts(self.kms(), shown).await
    }
}

/// Credentials of every kind; those of certificates differ by number.
fn every_kind(number: u8) -> [NewCredential; 4] {
    let mut spki_sha256 = CERTIFICATE;
    spki_sha256[0] = number;
    [
        NewCredential::ApiToken,
        NewCredential::AccessKey,
        NewCredential::Certificate { spki_sha256, not_after: Timestamp::from_micros(i64::MAX) },
        NewCredential::PublicKey { spki: SPKI.to_vec() },
    ]
}

fn shown(issued: IssuedCredential) -> Shown {
    match (issued.secret, issued.record.secret) {
        (ShownSecret::ApiToken(text), CredentialSecret::TokenSha256(_)) => Shown::Token(text),
        (ShownSecret::AccessKey(secret), CredentialSecret::AccessKey { access_key_id: id, .. }) => {
            Shown::AccessKey { id, secret }
        }
        (ShownSecret::None, CredentialSecret::CertificateSha256(sha256)) => Shown::Certificate(sha256),
        (ShownSecret::None, CredentialSecret::PublicKey(_)) => Shown::PublicKey(issued.record.id),
        _ => unreachable!("what is shown belongs to what is stored"),
    }
}

async fn accepts(kms: &Kms, shown: &Shown) -> bool {
    let directory = kms.directory();
    match shown {
        Shown::Token(text) => knows(kms, text).await,
        Shown::Certificate(sha256) => {
            matches!(directory.by_certificate(*sha256).await.unwrap(), Recognised::InForce(_))
        }
        Shown::AccessKey { id, secret } => {
            let key = directory.access_key(id).await.unwrap().in_force();
            key.is_some_and(|key| key.secret() == secret.as_bytes())
        }
        Shown::PublicKey(id) => match log_in(kms, *id).await {
            Some(token) => knows(kms, &token.text).await,
            None => false,
        },
    }
}

async fn knows(kms: &Kms, token: &str) -> bool {
    matches!(kms.directory().by_token(token).await.unwrap(), Recognised::InForce(_))
}

/// As who has verified the signature of a JWT with this `kid`.
async fn log_in(kms: &Kms, kid: CredentialId) -> Option<LoginToken> {
    let key = kms.directory().login_key(kid).await.unwrap().in_force()?;
    assert_eq!(key.spki, SPKI);
    Some(kms.directory().login(&key.caller).await.unwrap())
}

fn binding(role: Role, principal: &Principal) -> Binding {
    Binding { role, subject: Subject::of(principal.kind, principal.id) }
}

fn is_missing<T>(result: &Result<T, ServiceError>, missing: Missing) -> bool {
    matches!(result, Err(ServiceError::NotFound { what, .. }) if *what == missing)
}

fn is_denied<T>(result: &Result<T, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::Denied))
}

fn is_invalid<T>(result: &Result<T, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::Invalid(_)))
}
