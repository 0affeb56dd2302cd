//! The PKCS#11 token: the only user of cryptoki.

pub mod access;
pub mod attacks;
mod attacks_kek;
mod attacks_unwrap;
pub mod ceremony;
pub mod module;
pub mod pin;
pub mod probe;
pub mod raw;
pub mod raw_attr;
pub mod softhsm;
pub mod template;
pub mod uri;
