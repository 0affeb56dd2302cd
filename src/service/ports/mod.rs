//! What the service needs from the outside world. The adapters (`token`, `store`, the clock) implement these
//! traits and are named only where the server is put together.

mod ambient;
mod store;
mod token;

pub use ambient::{BootInstant, Clock, IdSource};
pub use store::{
    BindingScope, BlobUpdate, Change, CredentialLookup, CredentialRecord, CredentialSecret, CredentialView, Cursor,
    Due, Folder, Heartbeat, InvocationLease, KeyFilter, KeyRecord, NumberedPage, Page, Principal, RememberedRequest,
    Store, StoreError, Stored, StoredMaterial, TokenStateStore,
};
pub use token::{
    Assurance, AttackOutcome, AttackReport, InternalKey, InternalKeyRole, IvMode, KekRecord, KeyPair, Material,
    Protection, SealedData, SealedMaterial, Token, TokenBinding, TokenCapabilities, TokenDescription, TokenError,
    TokenIdentity, WrapMechanism,
};
