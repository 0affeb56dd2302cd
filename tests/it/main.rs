//! Integration tests: real token, real database, real clients. One binary, so that it links once.

mod attacks;
mod ceremony;
mod ceremony_rig;
mod token;
mod token_faults;
mod token_rig;
