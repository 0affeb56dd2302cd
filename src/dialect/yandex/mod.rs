//! The native dialect: Yandex Cloud KMS over gRPC and REST.

#[expect(missing_docs, reason = "generated code; docs/dialects/yandex.md describes it")]
pub mod proto;
pub mod convert;
pub mod errors;
pub mod wkt;
