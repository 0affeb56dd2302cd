//! The PKCS#11 token: the only user of cryptoki.

pub mod access;
pub mod attacks;
mod attacks_kek;
mod attacks_unwrap;
mod cache;
pub mod ceremony;
mod ckr;
mod config;
mod core;
mod gate;
mod handle;
mod health;
mod hsm;
mod job;
mod live;
pub mod module;
mod owner;
pub mod pin;
pub mod probe;
mod queue;
pub mod raw;
pub mod raw_attr;
mod raw_data;
mod recovery;
pub mod softhsm;
mod software;
mod stats;
pub mod template;
mod threads;
pub mod uri;
mod watch;
mod worker;

pub use config::{OpenedToken, TokenConfig};
pub use hsm::HsmToken;
pub use stats::TokenStats;
