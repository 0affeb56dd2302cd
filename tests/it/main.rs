//! Integration tests: real token, real database, real clients. One binary, so that it links once.
#![expect(missing_docs, reason = "tests are described by their names")]

mod attacks;
mod ceremony;
mod ceremony_rig;
mod run_contract;
mod serving;
mod smoke;
mod support;
mod wire;
mod token;
mod token_rig;
mod yandex_wire;
