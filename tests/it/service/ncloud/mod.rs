//! What the Ncloud dialect asks of the core, as that dialect and as the others see it.

mod addresses;
mod convergent;
mod deletion;
mod deletion_cut;
mod lists;
mod names;
mod numbered;
mod schedules;
mod token_ends;
mod tokens;
mod versions;

use super::Service;
use claviger::domain::Dialect;
use claviger::domain::access::Origin;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::context::EncryptionContext;
use claviger::domain::id::{KeyId, MaterialId};
use claviger::domain::key::Key;
use claviger::domain::numbered::Numbered;
use claviger::domain::text::ShortName;
use claviger::service::error::ServiceError;
use claviger::service::request::{CreateKey, Decrypt, Encrypt, Encrypted, KeyPatch, OnDemandRules, RequestContext};
use std::net::Ipv4Addr;
use zeroize::Zeroizing;

pub const TEXT: &[u8] = b"attack at dawn";

/// A request of the Ncloud dialect by who may do everything.
pub fn ncloud(service: &Service) -> RequestContext {
    RequestContext { dialect: Dialect::Ncloud, ..service.ctx.clone() }
}

pub fn yandex(service: &Service) -> RequestContext {
    service.ctx.clone()
}

pub use super::aws_rules::aws;

pub fn from(ctx: RequestContext, address: Ipv4Addr) -> RequestContext {
    RequestContext { origin: Origin { address: Some(address.into()), ..ctx.origin }, ..ctx }
}

pub fn short_name(text: &str) -> ShortName {
    ShortName::new(text.into()).unwrap()
}

pub fn request(service: &Service, algorithm: Algorithm) -> CreateKey {
    service.create_request(algorithm, None)
}

pub async fn make(service: &Service, ctx: &RequestContext, request: CreateKey) -> KeyId {
    service.kms.create_key(ctx, request).await.unwrap().key_id
}

/// A key that Ncloud made.
pub async fn new_key(service: &Service, algorithm: Algorithm) -> KeyId {
    make(service, &ncloud(service), request(service, algorithm)).await
}

pub async fn new_convergent_key(service: &Service) -> KeyId {
    let request = CreateKey { convergent: true, ..request(service, Algorithm::Aes256) };
    make(service, &ncloud(service), request).await
}

pub async fn rotate(service: &Service, ctx: &RequestContext, key_id: KeyId) {
    service.kms.rotate_key(ctx, key_id, OnDemandRules::default()).await.unwrap();
}

pub async fn update(service: &Service, ctx: &RequestContext, id: KeyId, patch: KeyPatch) -> Result<(), ServiceError> {
    service.kms.update_key(ctx, id, patch).await.map(drop)
}

pub async fn stored(service: &Service, key_id: KeyId) -> Key {
    service.store_key(key_id).await
}

impl Service {
    /// The key as it is stored, whoever may see it.
    pub async fn store_key(&self, key_id: KeyId) -> Key {
        self.core.store.key(key_id).await.unwrap().unwrap().value
    }
}

pub fn convergent(context: &[u8]) -> EncryptionContext {
    EncryptionContext::Convergent(context.to_vec())
}

pub async fn encrypt(
    service: &Service,
    ctx: &RequestContext,
    key_id: KeyId,
    context: &EncryptionContext,
) -> Result<Encrypted, ServiceError> {
    encrypt_with(service, ctx, key_id, None, context, TEXT).await
}

pub async fn encrypt_with(
    service: &Service,
    ctx: &RequestContext,
    key_id: KeyId,
    version_id: Option<MaterialId>,
    context: &EncryptionContext,
    plaintext: &[u8],
) -> Result<Encrypted, ServiceError> {
    let plaintext = Zeroizing::new(plaintext.to_vec());
    let request = Encrypt { key_id, version_id, context: context.clone(), plaintext };
    service.kms.encrypt(ctx, request).await
}

/// The text of what was encrypted.
pub fn text(encrypted: &Encrypted) -> Vec<u8> {
    Numbered::text(encrypted.version_number, &encrypted.ciphertext).into_bytes()
}

pub async fn decrypt(
    service: &Service,
    ctx: &RequestContext,
    key_id: KeyId,
    context: &EncryptionContext,
    ciphertext: &[u8],
) -> Result<Vec<u8>, ServiceError> {
    let request = Decrypt { key_id, context: context.clone(), ciphertext: ciphertext.to_vec() };
    service.kms.decrypt(ctx, request).await.map(|decrypted| decrypted.plaintext.to_vec())
}

/// Refused because key, context and ciphertext do not go together: the context may be of the wrong sort for the key.
#[track_caller]
pub fn assert_not_decrypted<T: std::fmt::Debug>(result: &Result<T, ServiceError>) {
    use claviger::domain::error::ValueError::{ContextRequired, NotConvergent};
    let refused =
        matches!(result, Err(ServiceError::NotAuthentic | ServiceError::Value(ContextRequired | NotConvergent)));
    assert!(refused, "{result:?}");
}

#[track_caller]
pub fn assert_not_authentic<T: std::fmt::Debug>(result: &Result<T, ServiceError>) {
    assert!(matches!(result, Err(ServiceError::NotAuthentic)), "{result:?}");
}

/// Refused because of this state.
#[track_caller]
pub fn assert_state<T: std::fmt::Debug>(
    result: Result<T, ServiceError>,
    expected: claviger::domain::error::StateError,
) {
    let expected = ServiceError::from(expected);
    assert_eq!(format!("{:?}", result.unwrap_err()), format!("{expected:?}"));
}
