//! Who calls, over real connections: client certificates, bearer tokens, logins, and what happens after many failures.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod clients;
mod listener;
mod throttle;
