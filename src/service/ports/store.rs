//! The metadata store.
//!
//! Reads return rows whose MAC was checked. Writes go through [`Store::commit`]: one transaction of
//! [`Change`]s, each of which names the row sequence that it was computed from, so that two writers of one
//! row cannot both succeed.

use super::BootInstant;
use super::token::{SealedMaterial, TokenBinding};
use crate::domain::access::{BindingSet, PrincipalKind};
use crate::domain::alias::{Alias, AliasPlace};
use crate::domain::id::{AccountId, CredentialId, FolderId, GeneratorId, KeyId, MaterialId, OperationId, PrincipalId};
use crate::domain::key::Key;
use crate::domain::operation::{KeyView, Operation};
use crate::domain::text::ShortName;
use crate::domain::time::Timestamp;
use crate::domain::version::KeyVersion;
use async_trait::async_trait;

/// Why the store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A row was changed by someone else since it was read. Read again and decide again.
    #[error("the row was changed meanwhile")]
    Conflict,
    /// A row does not carry the MAC that this service gave it: somebody else wrote it, rolled it back or
    /// removed it. Raise the alarm; do not use it.
    #[error("the {table} row {row} was changed outside of the service")]
    Integrity {
        /// The table.
        table: &'static str,
        /// The row's primary key, printable.
        row: String,
    },
    /// The database cannot be reached, is full or is locked. Nothing was changed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A mistake of ours, such as SQL that does not fit the schema.
    #[error("the database refused a statement: {0}")]
    Bug(String),
}

/// A row and the sequence number of its last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The row.
    pub value: T,
    /// Counts the changes of the row, from 1.
    pub row_seq: u64,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its id.
    pub id: FolderId,
    /// The account number that AWS clients see.
    pub account_id: AccountId,
    /// Free name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Somebody who may hold credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its id.
    pub id: PrincipalId,
    /// The folder that owns it.
    pub folder_id: FolderId,
    /// Person or program.
    pub kind: PrincipalKind,
    /// Free name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted. Its row stays, so that records that name it can be read; its credentials are revoked.
    pub deleted_at: Option<Timestamp>,
}

/// What the server keeps of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSecret {
    /// SHA-256 of an API token of 256 random bits.
    TokenSha256([u8; 32]),
    /// An access key pair in the AWS form.
    AccessKey {
        /// The public id: 20 characters, upper-case letters and digits.
        access_key_id: String,
        /// The secret of 40 characters, encrypted by the token.
        sealed: SealedMaterial,
    },
    /// SHA-256 of the SubjectPublicKeyInfo (DER) of a client certificate.
    CertificateSha256([u8; 32]),
    /// The RSA public key of a service account: SubjectPublicKeyInfo, DER. The credential's id is the `kid` of its JWTs.
    PublicKey(Vec<u8>),
}

/// How a request names a credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CredentialLookup {
    /// By its id.
    Id(CredentialId),
    /// By the SHA-256 of an API token.
    TokenSha256([u8; 32]),
    /// By the public id of an access key pair.
    AccessKeyId(String),
    /// By the SHA-256 of a client certificate's SubjectPublicKeyInfo. One that is not revoked comes first.
    CertificateSha256([u8; 32]),
}

/// A credential and its last use, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialView {
    /// The credential.
    pub record: CredentialRecord,
    /// About when it was last accepted (written down once a minute at most); `None` = never.
    pub last_used_at: Option<Timestamp>,
}

/// What a set of bindings is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindingScope {
    /// The service with all its folders.
    Service,
    /// A folder.
    Folder(FolderId),
    /// A key.
    Key(KeyId),
}

/// A credential of a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    /// Its id.
    pub id: CredentialId,
    /// Whose it is.
    pub principal_id: PrincipalId,
    /// The folder that owns the principal.
    pub folder_id: FolderId,
    /// What it was issued for, in the issuer's words.
    pub name: String,
    /// What is kept of the secret.
    pub secret: CredentialSecret,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it ends; `None` = never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A version's material as stored, ready for the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMaterial {
    /// The version.
    pub version: Stored<KeyVersion>,
    /// Its material; `None` once it is being destroyed.
    pub sealed: Option<SealedMaterial>,
}

/// A key with what its use needs, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub key: Stored<Key>,
    /// Its primary version.
    pub primary: StoredMaterial,
    /// Its own bindings.
    pub bindings: BindingSet,
}

/// Which keys of a folder a list has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// Only keys of this region; `None` is every region.
    pub region: Option<String>,
    /// Whether keys that are pending deletion are in it; deleted ones never are.
    pub pending_deletion: bool,
}

/// Where a list goes on: after the row with these values (keyset pagination).
///
/// Folders, principals, credentials and keys are ordered by creation time and id, versions by number (`at` = number),
/// operations newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The order column's value: microseconds or number.
    pub at: i64,
    /// The row's id.
    pub id: [u8; 16],
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where to go on; `None` on the last page.
    pub next: Option<Cursor>,
}

/// Part of a list whose parts are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedPage<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many rows the whole list has.
    pub total: u64,
}

/// Work of the scheduler, read through indexes that hold only rows with a date.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Keys whose rotation is due and whose state lets it fire.
    pub rotations: Vec<KeyId>,
    /// Versions whose `destroy_at` is reached.
    pub destructions: Vec<(KeyId, MaterialId)>,
    /// Versions whose destruction began but did not end.
    pub unfinished_destructions: Vec<(KeyId, MaterialId)>,
    /// Keys whose `delete_at` is reached.
    pub deletions: Vec<KeyId>,
    /// Deleted keys that still have versions with material.
    pub unfinished_deletions: Vec<KeyId>,
}

/// The scheduler's last sign of life, and whether destruction is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Wall clock then.
    pub at: Timestamp,
    /// Boot clock then.
    pub boot: BootInstant,
    /// Why destructions are held, if they are.
    pub held: Option<String>,
}

/// A create request that was answered, so that its repetition gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedRequest {
    /// Who sent it.
    pub principal_id: PrincipalId,
    /// Its idempotency key.
    pub key: String,
    /// SHA-256 of the request: another request with the same idempotency key is refused.
    pub fingerprint: [u8; 32],
    /// The answer.
    pub operation_id: OperationId,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// What happens to a version's bytes when the version is updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobUpdate {
    /// Nothing.
    Keep,
    /// They are overwritten with as many zero bytes, in the same transaction.
    Overwrite,
}

/// One row change of a transaction. Where a `Stored` is given, the row must still have that `row_seq`, which
/// the commit counts up by one.
#[derive(Debug, Clone)]
pub enum Change {
    /// A new folder.
    InsertFolder(Folder),
    /// A new principal.
    InsertPrincipal(Principal),
    /// A changed principal.
    UpdatePrincipal(Stored<Principal>),
    /// A new credential.
    InsertCredential(CredentialRecord),
    /// A changed credential.
    UpdateCredential(Stored<CredentialRecord>),
    /// The whole set of bindings of a resource; `row_seq` 0 if there was none.
    PutBindings(BindingScope, Stored<BindingSet>),
    /// A new or changed alias; `row_seq` 0 if its name was never used before in its place.
    PutAlias(Box<Stored<Alias>>),
    /// A new key.
    InsertKey(Box<Key>),
    /// A changed key.
    UpdateKey(Box<Stored<Key>>),
    /// A new version with its material and an invocation counter at zero.
    InsertVersion(Box<KeyVersion>, SealedMaterial),
    /// An invocation counter at zero, for an internal GCM key of the token.
    InsertCounter(MaterialId),
    /// A changed version.
    UpdateVersion(Box<Stored<KeyVersion>>, BlobUpdate),
    /// A new operation record.
    InsertOperation(Box<Operation>),
    /// A remembered create request.
    RememberRequest(RememberedRequest),
    /// So many more tokens were issued under a generator.
    CountTokens(GeneratorId, u64),
}

/// Invocations that may be made without asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvocationLease {
    /// How many invocations were leased before, all of them counted as made.
    pub from: u64,
    /// The count after this lease is used up.
    pub to: u64,
}

/// The metadata store, after its row-MAC key is known.
#[async_trait]
pub trait Store: Send + Sync {
    /// Applies all changes in one transaction, durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if a row is not at the named sequence, or if an id, a name or the handle of a credential is
    /// taken; nothing is changed then.
    async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError>;

    /// The folder with this id.
    async fn folder(&self, id: FolderId) -> Result<Option<Folder>, StoreError>;
    /// The first folder, made by `init`.
    async fn first_folder(&self) -> Result<Option<Folder>, StoreError>;
    /// The folder with this account number.
    async fn folder_by_account(&self, account: AccountId) -> Result<Option<Folder>, StoreError>;
    /// All folders, oldest first.
    async fn folders(&self, after: Option<Cursor>, limit: u32) -> Result<Page<Folder>, StoreError>;
    /// Folders whose own bindings let a principal of this kind view them, oldest first. The list comes from an index:
    /// whoever shows one of these folders decides by the folder's bindings. A changed index can lead to no other rows than
    /// folders that were checked; it may lack some.
    async fn folders_naming(
        &self,
        principal: (PrincipalKind, PrincipalId),
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Folder>, StoreError>;
    /// The bindings of a resource; an empty set at sequence 0 if there are none.
    async fn bindings(&self, scope: BindingScope) -> Result<Stored<BindingSet>, StoreError>;
    /// The principal with this id, deleted or not.
    async fn principal(&self, id: PrincipalId) -> Result<Option<Stored<Principal>>, StoreError>;
    /// The first principal of a folder, made by `init`: its administrator.
    async fn first_principal(&self, folder: FolderId) -> Result<Option<Principal>, StoreError>;
    /// Principals of a folder that are not deleted, oldest first.
    async fn principals(
        &self,
        folder: FolderId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Principal>, StoreError>;
    /// The credential that a request names, in force or not.
    async fn credential(&self, lookup: CredentialLookup) -> Result<Option<Stored<CredentialRecord>>, StoreError>;
    /// The credentials of a principal that are not revoked, at most 1000.
    async fn credentials_of(&self, principal: PrincipalId) -> Result<Vec<Stored<CredentialRecord>>, StoreError>;
    /// All credentials of a principal, oldest first.
    async fn credentials(
        &self,
        principal: PrincipalId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<CredentialView>, StoreError>;
    /// Writes down when credentials were last used. A later time that is there already stays. After an error some of
    /// them may be written: a repetition does no harm.
    async fn record_uses(&self, uses: Vec<(CredentialId, Timestamp)>) -> Result<(), StoreError>;
    /// When a credential was last used, as far as it was written down.
    async fn last_used_at(&self, credential: CredentialId) -> Result<Option<Timestamp>, StoreError>;

    /// The key with this id, in any state.
    async fn key(&self, id: KeyId) -> Result<Option<Stored<Key>>, StoreError>;
    /// The key with this id, in any state, with its primary version and its own bindings.
    async fn key_record(&self, id: KeyId) -> Result<Option<KeyRecord>, StoreError>;
    /// Keys of a folder that the filter lets through, with their primary versions, oldest first.
    async fn keys(
        &self,
        folder: FolderId,
        filter: KeyFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<KeyView>, StoreError>;
    /// Keys of a folder whose own bindings let a principal of this kind view them, oldest first. The list comes from an index: whoever
    /// shows one of these keys decides by the key's bindings. A changed index can lead to no other keys than those of this
    /// folder and filter that were checked; it may lack some.
    async fn keys_naming(
        &self,
        principal: (PrincipalKind, PrincipalId),
        folder: FolderId,
        filter: KeyFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<KeyView>, StoreError>;
    /// Keys of a folder that the filter lets through, with their primary versions, newest first: those after the first
    /// `skip`, and how many there are in all, counted in an index. It takes longer the more keys the folder has.
    async fn keys_at(
        &self,
        folder: FolderId,
        filter: KeyFilter,
        skip: u64,
        limit: u32,
    ) -> Result<NumberedPage<KeyView>, StoreError>;
    /// The key of a folder that has this name, in any state but deleted.
    async fn key_named(&self, folder: FolderId, name: ShortName) -> Result<Option<KeyId>, StoreError>;
    /// The alias in this place, deleted ones too.
    async fn alias(&self, place: AliasPlace) -> Result<Option<Stored<Alias>>, StoreError>;
    /// The aliases of a folder and region that are not deleted, or those of one key of it, oldest first.
    async fn aliases(
        &self,
        folder: FolderId,
        region: String,
        key: Option<KeyId>,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Alias>, StoreError>;
    /// How many aliases a key of a folder and region has. They are counted and not read: damaged ones count too.
    async fn count_aliases(&self, folder: FolderId, region: String, key: KeyId) -> Result<usize, StoreError>;
    /// The aliases of keys of a folder and region whose own bindings let a principal of this kind view them, oldest first.
    /// The list comes from an index, as that of [`keys_naming`](Self::keys_naming): whoever shows one of these aliases
    /// decides by the bindings of its key.
    async fn aliases_naming(
        &self,
        principal: (PrincipalKind, PrincipalId),
        folder: FolderId,
        region: String,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Alias>, StoreError>;
    /// How many tokens were issued under a generator.
    async fn tokens_issued(&self, generator: GeneratorId) -> Result<u64, StoreError>;
    /// A version of a key with its material.
    async fn material(&self, key: KeyId, version: MaterialId) -> Result<Option<StoredMaterial>, StoreError>;
    /// The version of a key with this number, with its material. One that the key has had and that is not there is an alarm.
    async fn material_numbered(&self, key: KeyId, number: u32) -> Result<Option<StoredMaterial>, StoreError>;
    /// Versions of a key, newest first.
    async fn versions(
        &self,
        key: KeyId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Stored<KeyVersion>>, StoreError>;

    /// An operation record.
    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError>;
    /// Operation records of a key, newest first.
    async fn operations(&self, key: KeyId, after: Option<Cursor>, limit: u32) -> Result<Page<Operation>, StoreError>;
    /// The remembered create request of a principal.
    async fn remembered(&self, principal: PrincipalId, key: &str) -> Result<Option<RememberedRequest>, StoreError>;

    /// Leases the next `count` GCM invocations of a material, durably, before they are made.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] if the counter is not as this service left it, or is missing.
    async fn lease_invocations(&self, material: MaterialId, count: u64) -> Result<InvocationLease, StoreError>;

    /// What is due at `now`, at most `limit` rows of each kind.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Due, StoreError>;
    /// The earliest date that is not due yet.
    async fn next_due_after(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;
    /// Forgets create requests whose time has passed.
    async fn forget_requests(&self, now: Timestamp) -> Result<(), StoreError>;
    /// Makes sure that no copy of overwritten bytes is left outside of the table: SQLite's WAL is emptied.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while a reader still holds old pages: try again.
    async fn erase_copies(&self) -> Result<(), StoreError>;
    /// The last heartbeat.
    async fn heartbeat(&self) -> Result<Option<Heartbeat>, StoreError>;
    /// Records a heartbeat: a real, durable write.
    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError>;
}

/// The part of the store that is read before the row-MAC key is known, and written by `init` alone.
pub trait TokenStateStore {
    /// The token keys that this database belongs to.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    fn token_binding(&self) -> Result<Option<TokenBinding>, StoreError>;
    /// Replaces the record, durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    fn save_token_binding(&self, binding: &TokenBinding) -> Result<(), StoreError>;
}
