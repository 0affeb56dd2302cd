//! Integration tests: real token, real database, real clients. One binary, so that it links once.

mod service;
mod token;
mod token_faults;
mod token_rig;
mod yandex_wire;
