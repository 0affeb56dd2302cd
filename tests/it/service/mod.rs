//! The use cases over a real token and a real database, with a clock that the test moves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod access;
mod aliases;
mod aws_rules;
mod aws_schedules;
pub mod core;
mod faulty_store;
mod identity;
mod key_pairs;
mod maintenance;
mod ncloud;
mod rules;

use claviger::domain::Dialect;
use claviger::domain::access::{Caller, Origin, Role};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::context::EncryptionContext;
use claviger::domain::id::{KeyId, MaterialId};
use claviger::domain::operation::{Operation, Snapshot, VersionView};
use claviger::domain::text::{Description, Labels, Name};
use claviger::domain::time::Timestamp;
use claviger::service::error::ServiceError;
use claviger::service::ports::Store;
use claviger::service::request::{Counted, CreateKey, Decrypt, Encrypt, RequestContext};
use claviger::service::{AccessSettings, Kms, KmsParts, KmsSettings};
use claviger::testing::ManualClock;
use core::Core;
pub use core::in_own_process;
use faulty_store::FaultyStore;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// A service with a moving clock and a store that can be switched off.
pub struct Service {
    pub core: Core,
    pub clock: Arc<ManualClock>,
    pub store: Arc<FaultyStore>,
    pub kms: Kms,
    pub ctx: RequestContext,
}

pub fn settings() -> KmsSettings {
    KmsSettings {
        access: AccessSettings { login_period: HOUR, ..AccessSettings::default() },
        min_rotation_period: DAY,
        min_version_pending_period: DAY,
        default_version_pending_period: DAY * 7,
        key_deletion_period: HOUR * 72,
        max_versions_per_key: 0,
        region: "us-east-1".into(),
        max_clock_leap: HOUR,
        cached_keys: 1000,
    }
}

impl Service {
    pub async fn start(core: Core) -> Self {
        Self::with(core, settings()).await
    }

    pub async fn with(core: Core, settings: KmsSettings) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000)));
        let store = Arc::new(FaultyStore::new(Arc::clone(&core.store)));
        let kms = Self::kms_over(&core, &clock, &store, settings);
        let roles = [Role::Admin, Role::KeysEncrypterDecrypter, Role::Operator];
        let administration = kms.ensure_administration("tests", "administrator", &roles).await.unwrap();
        let credential = kms.issue_token(&administration.administrator, "tests", None).await.unwrap();
        let caller = Caller {
            principal_id: administration.administrator.id,
            kind: administration.administrator.kind,
            credential_id: credential.credential_id,
            folder_id: administration.folder.id,
        };
        let ctx = RequestContext {
            request_id: "test".into(),
            caller,
            dialect: Dialect::Yandex,
            region: None,
            origin: Origin::default(),
            counted: Counted::by_use_cases(),
        };
        Self { core, clock, store, kms, ctx }
    }

    fn kms_over(core: &Core, clock: &Arc<ManualClock>, store: &Arc<FaultyStore>, settings: KmsSettings) -> Kms {
        Kms::new(Self::parts(core, clock, store, settings))
    }

    fn parts(core: &Core, clock: &Arc<ManualClock>, store: &Arc<FaultyStore>, settings: KmsSettings) -> KmsParts {
        KmsParts {
            store: Arc::clone(store) as Arc<dyn Store>,
            token: Arc::clone(&core.token),
            clock: Arc::clone(clock) as Arc<_>,
            ids: Arc::clone(&core.ids),
            login_key: Zeroizing::new([9; 32]),
            settings,
        }
    }

    /// Another process on the same database and token, but for what `change` changes.
    pub fn another(&self, change: impl FnOnce(&mut KmsParts)) -> Kms {
        let mut parts = Self::parts(&self.core, &self.clock, &self.store, settings());
        change(&mut parts);
        Kms::new(parts)
    }

    /// A process that was started anew on the same database and token: nothing is in memory.
    pub fn restart(&mut self) {
        self.store.cut_after(i64::MAX);
        self.kms = Self::kms_over(&self.core, &self.clock, &self.store, settings());
    }

    pub fn create_request(&self, algorithm: Algorithm, rotation_period: Option<Duration>) -> CreateKey {
        CreateKey {
            folder_id: self.ctx.caller.folder_id,
            name: Name::new("a key".into()).unwrap(),
            key_name: None,
            convergent: false,
            description: Description::default(),
            labels: Labels::default(),
            tags: BTreeMap::new(),
            algorithm,
            rotation_period,
            deletion_protection: false,
            idempotency: None,
        }
    }

    pub async fn create(&self, algorithm: Algorithm, rotation_period: Option<Duration>) -> KeyId {
        let request = self.create_request(algorithm, rotation_period);
        self.kms.create_key(&self.ctx, request).await.unwrap().key_id
    }

    pub async fn encrypt(&self, key_id: KeyId, version_id: Option<MaterialId>) -> Result<Vec<u8>, ServiceError> {
        let request = Encrypt {
            key_id,
            version_id,
            context: EncryptionContext::from_bytes(b"context".to_vec()),
            plaintext: Zeroizing::new(b"attack at dawn".to_vec()),
        };
        Ok(self.kms.encrypt(&self.ctx, request).await?.ciphertext)
    }

    pub async fn decrypt(&self, key_id: KeyId, ciphertext: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let context = EncryptionContext::from_bytes(b"context".to_vec());
        let request = Decrypt { key_id, context, ciphertext: ciphertext.to_vec() };
        Ok(self.kms.decrypt(&self.ctx, request).await?.plaintext.to_vec())
    }

    pub async fn versions(&self, key_id: KeyId) -> Vec<VersionView> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let mut page = self.kms.versions(&self.ctx, key_id, after, 7).await.unwrap();
            all.append(&mut page.items);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    pub async fn primary(&self, key_id: KeyId) -> MaterialId {
        self.kms.key(&self.ctx, key_id).await.unwrap().key.primary_version
    }
}

pub fn primary_of(operation: &Operation) -> MaterialId {
    match &operation.snapshot {
        Snapshot::Key(view) => view.primary.id,
        Snapshot::Version(view) => view.version.id,
        Snapshot::Nothing => unreachable!("the operation is about a key or version"),
    }
}
