//! The use cases, one file per operation.
//!
//! In: a [`request::RequestContext`] and a checked request. Out: a domain value or a
//! [`error::ServiceError`]. Called by the dialects, the scheduler and `auth`; calls the ports only.
//! Every use case runs inside `Kms::on_key`, `on_folder`, `on_service` or `on_principal`, which authorise before
//! anything else happens.

mod access_log;
pub mod addresses;
pub mod aliases;
pub mod bindings;
mod change;
mod clock_guard;
mod confirm_clock;
mod create_key;
pub mod credentials;
mod crypto;
mod data_key_pair;
mod delete_key;
mod destroy_version;
pub mod directory;
mod dry_run;
pub mod error;
pub mod folders;
pub mod identity;
mod invocations;
mod key_cache;
mod key_names;
pub(crate) mod key_token_text;
pub mod key_tokens;
mod kms;
mod last_uses;
mod limits;
pub mod lists_of_data;
mod locate;
pub(crate) mod login_token;
pub mod maintenance;
mod material;
mod names;
mod new_secret;
mod pair_places;
pub mod ports;
pub mod principals;
pub mod provision;
mod random;
pub mod rate;
mod read;
pub mod request;
mod rotate_key;
mod signed_text;
mod stale;
mod switch_version;
mod turn;
mod update_key;

pub use kms::{AccessSettings, Kms, KmsParts, KmsSettings};
