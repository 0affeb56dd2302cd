//! Integration tests: real token, real database, real clients. One binary, so that it links once.

mod access_log;
mod access_table;
mod attacks;
mod auth_wire;
mod aws_wire;
mod ceremony;
mod ceremony_adopt;
mod ceremony_rig;
mod cli;
mod ncloud_wire;
#[path = "../p11shim/rules.rs"]
mod p11shim_rules;
mod production;
mod run_contract;
mod service;
mod serving;
mod smoke;
mod store;
mod support;
mod token;
mod token_faults;
mod token_outages;
mod token_rig;
mod token_secrets;
mod token_shim;
mod wire;
mod yandex_wire;
