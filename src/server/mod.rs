//! Listeners, TLS, health, and the place where all parts are put together.

pub mod ambient;
mod connection;
pub mod dev_ca;
pub mod files;
pub mod listen;
pub mod process;
pub mod tls;
