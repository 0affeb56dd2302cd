//! Who may do what, through the use cases: what every test of it shares.

mod bindings;
mod decisions;
mod hiding;
mod limits;
mod lists;
mod names;

use super::Service;
use super::core::Core;
use claviger::domain::access::{
    Binding, BindingDelta, BindingSet, Caller, Permission, PrincipalKind, Role, Subject, SubjectKind,
};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::context::EncryptionContext;
use claviger::domain::id::{AccountId, FolderId, KeyId, MaterialId, PrincipalId};
use claviger::domain::key_pair::KeyPairSpec;
use claviger::service::error::ServiceError;
use claviger::service::ports::{BindingScope, Change, Folder, Principal, Store, Stored};
use claviger::service::request::{
    CreateKey, Decrypt, DryDecrypt, DryRun, Encrypt, GenerateDataKey, GenerateDataKeyPair, KeyPatch, OnDemandRules,
    ReEncrypt, RequestContext,
};
use claviger::service::{Kms, KmsSettings};
use zeroize::Zeroizing;

const UNKNOWN_KEY: KeyId = KeyId::from_bytes([0x77; 16]);
const UNKNOWN_VERSION: MaterialId = MaterialId::from_bytes([0x78; 16]);
const UNKNOWN_FOLDER: FolderId = FolderId::from_bytes([0x79; 16]);

/// A service with somebody who may do everything that bindings are about.
struct World {
    service: Service,
    /// Administers the service, and cannot use keys.
    root: RequestContext,
    /// Administers the first folder, uses its keys and restores them.
    administrator: RequestContext,
}

/// A key with something to decrypt.
#[derive(Clone)]
struct Object {
    key_id: KeyId,
    version_id: MaterialId,
    ciphertext: Vec<u8>,
}

impl World {
    async fn start(core: Core) -> Self {
        Self::with(core, super::settings()).await
    }

    async fn with(core: Core, settings: KmsSettings) -> Self {
        let service = Service::with(core, settings).await;
        let root = person(&service, service.ctx.caller.folder_id, PrincipalKind::User).await;
        // Nobody could bind the first one; nothing was decided yet, so that nothing of it is in memory.
        let Stored { value, row_seq } = service.core.store.bindings(BindingScope::Service).await.unwrap();
        let value = value.changed([BindingDelta::Add(binding(Role::Admin, &root))]).unwrap();
        let put = Change::PutBindings(BindingScope::Service, Stored { value, row_seq });
        service.core.store.commit(vec![put]).await.unwrap();
        let administrator = person(&service, service.ctx.caller.folder_id, PrincipalKind::User).await;
        let scope = BindingScope::Folder(administrator.caller.folder_id);
        let roles = [Role::Admin, Role::KeysEncrypterDecrypter, Role::Operator];
        let deltas = roles.map(|role| BindingDelta::Add(binding(role, &administrator)));
        service.kms.update_access_bindings(&root, scope, deltas.to_vec()).await.unwrap();
        Self { service, root, administrator }
    }

    fn kms(&self) -> &Kms {
        &self.service.kms
    }

    fn home(&self) -> FolderId {
        self.service.ctx.caller.folder_id
    }

    const fn administrator(&self) -> &RequestContext {
        &self.administrator
    }

    async fn folder(&self) -> FolderId {
        let number: [u8; 16] = self.service.core.ids.id();
        let folder = Folder {
            id: FolderId::from_bytes(number),
            account_id: AccountId::from_random(number[..8].try_into().unwrap()),
            name: "another".into(),
            created_at: self.kms().now(),
        };
        let id = folder.id;
        self.service.store.commit(vec![Change::InsertFolder(folder)]).await.unwrap();
        id
    }

    /// A service account without roles.
    async fn account(&self, folder: FolderId) -> RequestContext {
        person(&self.service, folder, PrincipalKind::ServiceAccount).await
    }

    async fn bind(&self, scope: BindingScope, role: Role, to: &RequestContext) {
        let deltas = vec![BindingDelta::Add(binding(role, to))];
        self.kms().update_access_bindings(&self.root, scope, deltas).await.unwrap();
    }

    async fn unbind(&self, scope: BindingScope, role: Role, from: &RequestContext) {
        let deltas = vec![BindingDelta::Remove(binding(role, from))];
        self.kms().update_access_bindings(&self.root, scope, deltas).await.unwrap();
    }

    /// A key of a folder, made by who administers the service.
    async fn key_in(&self, folder_id: FolderId) -> KeyId {
        let request = CreateKey { folder_id, ..self.service.create_request(Algorithm::Aes128, None) };
        self.kms().create_key(&self.root, request).await.unwrap().key_id
    }

    /// A key of the first folder with something to decrypt.
    async fn object(&self) -> Object {
        let key_id = self.key_in(self.home()).await;
        self.with_ciphertext(key_id, self.administrator()).await
    }

    /// A key of any folder with something to decrypt.
    async fn object_in(&self, folder: FolderId) -> Object {
        let key_id = self.key_in(folder).await;
        let scope = BindingScope::Key(key_id);
        self.bind(scope, Role::KeysEncrypter, &self.root).await;
        let object = self.with_ciphertext(key_id, &self.root).await;
        self.unbind(scope, Role::KeysEncrypter, &self.root).await;
        object
    }

    async fn with_ciphertext(&self, key_id: KeyId, by: &RequestContext) -> Object {
        let encrypted = self.kms().encrypt(by, encrypt(key_id, None)).await.unwrap();
        Object { key_id, version_id: encrypted.version_id, ciphertext: encrypted.ciphertext }
    }
}

pub(super) async fn person(service: &Service, folder_id: FolderId, kind: PrincipalKind) -> RequestContext {
    let id = PrincipalId::from_bytes(service.core.ids.id());
    let principal =
        Principal { id, folder_id, kind, name: "somebody".into(), created_at: service.kms.now(), deleted_at: None };
    service.store.commit(vec![Change::InsertPrincipal(principal.clone())]).await.unwrap();
    let credential_id = service.kms.issue_token(&principal, "tests", None).await.unwrap().credential_id;
    let caller = Caller { principal_id: id, kind, credential_id, folder_id };
    RequestContext { caller, ..service.ctx.clone() }
}

pub(super) fn binding(role: Role, to: &RequestContext) -> Binding {
    Binding { role, subject: Subject::of(to.caller.kind, to.caller.principal_id) }
}

/// Somebody whom we do not know.
fn foreign_binding(role: Role, kind: SubjectKind, id: &str) -> Binding {
    Binding { role, subject: Subject::new(kind, id.into()).unwrap() }
}

fn set(bindings: impl IntoIterator<Item = Binding>) -> BindingSet {
    BindingSet::new(bindings).unwrap()
}

fn is_denied(result: &Result<(), ServiceError>) -> bool {
    matches!(result, Err(ServiceError::Denied))
}

/// Every use case on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Key,
    Versions,
    Operations,
    Update,
    Rotate,
    SetPrimary,
    Delete,
    Restore,
    Schedule,
    Cancel,
    Encrypt,
    Decrypt,
    GenerateDataKey,
    ReEncryptTo,
    ReEncryptFrom,
    ListBindings,
    SetBindings,
    UpdateBindings,
    VersionsByAge,
    GenerateDataKeyPair,
    DryEncrypt,
    DryDecrypt,
    DryReEncryptTo,
    DryReEncryptFrom,
}

impl Op {
    const ALL: [Self; 24] = [
        Self::Key,
        Self::Versions,
        Self::Operations,
        Self::Update,
        Self::Rotate,
        Self::SetPrimary,
        Self::Delete,
        Self::Restore,
        Self::Schedule,
        Self::Cancel,
        Self::Encrypt,
        Self::Decrypt,
        Self::GenerateDataKey,
        Self::ReEncryptTo,
        Self::ReEncryptFrom,
        Self::ListBindings,
        Self::SetBindings,
        Self::UpdateBindings,
        Self::VersionsByAge,
        Self::GenerateDataKeyPair,
        Self::DryEncrypt,
        Self::DryDecrypt,
        Self::DryReEncryptTo,
        Self::DryReEncryptFrom,
    ];

    const fn permission(self) -> Permission {
        match self {
            Self::Key | Self::Versions | Self::VersionsByAge | Self::Operations => Permission::ViewKey,
            Self::Update => Permission::UpdateKey,
            Self::Rotate => Permission::RotateKey,
            Self::SetPrimary => Permission::SetPrimaryVersion,
            Self::Delete => Permission::DeleteKey,
            Self::Restore => Permission::RestoreKey,
            Self::Schedule | Self::Cancel => Permission::DestroyVersion,
            Self::Encrypt | Self::GenerateDataKey | Self::ReEncryptTo => Permission::Encrypt,
            Self::GenerateDataKeyPair | Self::DryEncrypt | Self::DryReEncryptTo => Permission::Encrypt,
            Self::Decrypt | Self::ReEncryptFrom | Self::DryDecrypt | Self::DryReEncryptFrom => Permission::Decrypt,
            Self::ListBindings => Permission::ListBindings,
            Self::SetBindings | Self::UpdateBindings => Permission::SetBindings,
        }
    }
}

/// Asks for a use case on `of`. A re-encryption has `mine` at its other end, which the caller may use.
async fn run(kms: &Kms, ctx: &RequestContext, op: Op, of: &Object, mine: &Object) -> Result<(), ServiceError> {
    let (key, version_id) = (of.key_id, of.version_id);
    match op {
        Op::Key => kms.key(ctx, key).await.map(drop),
        Op::Versions => kms.versions(ctx, key, None, 10).await.map(drop),
        Op::Operations => kms.key_operations(ctx, key, None, 10).await.map(drop),
        Op::Update => kms.update_key(ctx, key, KeyPatch::default()).await.map(drop),
        Op::Rotate => kms.rotate_key(ctx, key, OnDemandRules::default()).await.map(drop),
        Op::SetPrimary => kms.set_primary_version(ctx, key, version_id).await.map(drop),
        Op::Delete => kms.delete_key(ctx, key, None).await.map(drop),
        Op::Restore => kms.restore_key(ctx, key, None).await.map(drop),
        Op::Schedule => kms.schedule_version_destruction(ctx, key, version_id, None).await.map(drop),
        Op::Cancel => kms.cancel_version_destruction(ctx, key, version_id).await.map(drop),
        Op::Encrypt => kms.encrypt(ctx, encrypt(key, Some(version_id))).await.map(drop),
        Op::Decrypt => kms.decrypt(ctx, decrypt(of)).await.map(drop),
        Op::GenerateDataKey => kms.generate_data_key(ctx, data_key(of)).await.map(drop),
        Op::ReEncryptTo => kms.re_encrypt(ctx, re_encrypt(mine, of)).await.map(drop),
        Op::ReEncryptFrom => kms.re_encrypt(ctx, re_encrypt(of, mine)).await.map(drop),
        Op::ListBindings => kms.access_bindings(ctx, BindingScope::Key(key)).await.map(drop),
        Op::SetBindings => {
            let scope = BindingScope::Key(key);
            kms.set_access_bindings(ctx, scope, BindingSet::default()).await.map(drop)
        }
        Op::UpdateBindings => kms.update_access_bindings(ctx, BindingScope::Key(key), Vec::new()).await.map(drop),
        Op::VersionsByAge => kms.versions_by_age(ctx, key, 0, 10).await.map(drop),
        Op::GenerateDataKeyPair => {
            let request = GenerateDataKeyPair { key_id: key, context: context(), spec: KeyPairSpec::EccNistP256 };
            kms.generate_data_key_pair(ctx, request).await.map(drop)
        }
        Op::DryEncrypt => kms.dry_run(ctx, dry(None, Some(of))).await,
        Op::DryDecrypt => kms.dry_run(ctx, dry(Some(of), None)).await,
        Op::DryReEncryptTo => kms.dry_run(ctx, dry(Some(mine), Some(of))).await,
        Op::DryReEncryptFrom => kms.dry_run(ctx, dry(Some(of), Some(mine))).await,
    }
}

fn context() -> EncryptionContext {
    EncryptionContext::from_bytes(b"context".to_vec())
}

fn encrypt(key_id: KeyId, version_id: Option<MaterialId>) -> Encrypt {
    Encrypt { key_id, version_id, context: context(), plaintext: Zeroizing::new(b"attack at dawn".to_vec()) }
}

fn decrypt(of: &Object) -> Decrypt {
    Decrypt { key_id: of.key_id, context: context(), ciphertext: of.ciphertext.clone() }
}

fn dry(from: Option<&Object>, to: Option<&Object>) -> DryRun {
    let decrypt = from.map(|from| DryDecrypt::Ciphertext(decrypt(from)));
    DryRun { decrypt, encrypt: to.map(|to| to.key_id), context: to.map(|_| context()) }
}

fn data_key(of: &Object) -> GenerateDataKey {
    GenerateDataKey { key_id: of.key_id, version_id: Some(of.version_id), context: context(), bytes: 32 }
}

fn re_encrypt(from: &Object, to: &Object) -> ReEncrypt {
    ReEncrypt { source: decrypt(from), key_id: to.key_id, version_id: Some(to.version_id), context: context() }
}
