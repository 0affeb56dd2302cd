//! The native dialect on the wire, over real connections: what is answered before a key is looked at.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod grpc;
mod logins;
mod native;
mod outage;
mod rest;
