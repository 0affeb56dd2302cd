//! Listeners, TLS, health, and the place where all parts are put together.

pub mod ambient;
pub mod assembly;
pub(crate) mod client_certificates;
mod connection;
pub mod dev_ca;
mod edge;
pub mod files;
mod health;
mod leftover;
pub mod listen;
mod peer;
pub mod process;
pub mod run;
pub mod tls;
