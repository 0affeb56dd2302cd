//! Integration tests: real token, real database, real clients. One binary, so that it links once.

mod store;
