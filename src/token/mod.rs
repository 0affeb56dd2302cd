//! The PKCS#11 token: the only user of cryptoki.

pub mod module;
pub mod pin;
pub mod raw;
pub mod raw_attr;
pub mod template;
pub mod uri;
