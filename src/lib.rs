//! Claviger: a key management service over PKCS#11.
//!
//! ```text
//! main -> cli -> server -> {dialect, scheduler, auth} -> service -> domain
//! token, store (and later the audit log) point inwards: to service::ports and domain only
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`domain`] | the rules: pure values and functions |
//! | [`service`] | the use cases, one file per operation, and the ports they need |
//! | [`token`] | the PKCS#11 token: the only user of `cryptoki` |
//! | [`store`] | the metadata database |
//! | [`auth`] | who calls: credentials to principals |
//! | [`dialect`] | wire formats: parse, one service call, render |
//! | [`server`] | listeners, TLS, health, and the place where all parts are put together |
//! | [`scheduler`] | wakes the maintenance use cases |
//! | [`telemetry`] | logs and metrics |
//! | [`config`] | settings |
//! | [`cli`] | commands |
//! | [`testing`] | what tests of several layers share |
//!
//! `tests/architecture.rs` enforces the arrows. docs/ARCHITECTURE.md walks through requests.

pub mod auth;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod domain;
pub mod scheduler;
pub mod server;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod testing;
pub mod token;
