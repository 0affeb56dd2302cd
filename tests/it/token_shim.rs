//! A token behind the shim (`tests/p11shim`), whose rules a test changes as it goes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use crate::p11shim_rules::parse;
use crate::token_rig::{Opened, Rig, SOFTHSM, config, isolated_with, run};
use claviger::service::ports::{IvMode, Protection, TokenBinding, TokenError};
use claviger::token::access::Access;
use claviger::token::ceremony::{check_of, open_parts};
use claviger::token::module::Module;
use claviger::token::raw::RawMechanism;
use claviger::token::{HsmToken, TokenConfig, template};
use cryptoki::session::UserType;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Runs `body` with a token behind the shim. `name` is the test's, with its module.
pub fn faulty(name: &str, change: impl FnOnce(&mut TokenConfig), body: impl AsyncFnOnce(&Rig, Arc<HsmToken>)) {
    faulty_with(name, |binding| binding, change, body);
}

/// As [`faulty`], with a token of which `init` noted that it makes IVs itself. Rules have to make them.
pub fn making_ivs(name: &str, change: impl FnOnce(&mut TokenConfig), body: impl AsyncFnOnce(&Rig, Arc<HsmToken>)) {
    faulty_with(name, expecting_made_ivs, change, body);
}

fn faulty_with(
    name: &str,
    binding: impl FnOnce(TokenBinding) -> TokenBinding,
    change: impl FnOnce(&mut TokenConfig),
    body: impl AsyncFnOnce(&Rig, Arc<HsmToken>),
) {
    let variables = [("P11SHIM_MODULE", SOFTHSM), ("P11SHIM_RULES", "{dir}/rules")];
    isolated_with(name, &variables, |rig| {
        let binding = binding(rig.make_token(Protection::Trusted));
        let Opened { token, .. } = rig.open_again(binding, |config, _| {
            config.module = shim();
            change(config);
        });
        run(body(&rig, token));
    });
}

/// The shim's library.
pub fn shim() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    binary.parent().unwrap().parent().unwrap().join("examples/libp11shim.so")
}

/// Replaces the rules in one step, so that no call reads half of them.
pub fn rules(rig: &Rig, lines: &[&str]) {
    let (text, new) = (lines.join("\n"), rig.dir.join("rules.new"));
    // The shim would end the process; here the test says what is wrong.
    parse(&text).unwrap();
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, rig.dir.join("rules")).unwrap();
}

/// How often a rule fitted a call of this function.
pub fn hits(rig: &Rig, function: &str) -> usize {
    let log = std::fs::read_to_string(rig.dir.join("rules.log")).unwrap_or_default();
    log.lines().filter(|line| *line == function).count()
}

/// Whether the token said that it is unavailable.
pub fn is_unavailable<T>(outcome: &Result<T, TokenError>) -> bool {
    matches!(outcome, Err(TokenError::Unavailable(_)))
}

/// A short deadline and few threads, so that hung calls are soon too many.
pub fn impatient(config: &mut TokenConfig) {
    config.deadline = Duration::from_millis(400);
    config.max_hung_calls = 2;
    config.workers = 2;
}

/// The binding as `init` makes it on a token that makes IVs itself, where the canary is checked in another way.
fn expecting_made_ivs(mut binding: TokenBinding) -> TokenBinding {
    let module = Module::load(SOFTHSM.as_ref()).unwrap();
    let config = config();
    let slot = module.find_slot(&config.selector).unwrap();
    let session = module.open_rw(slot).unwrap();
    module.login_once(&session, slot, UserType::User, &config.pin).unwrap();
    let kek = open_parts(&module, slot, &session, &binding).unwrap().keks[0].1;
    let mechanism = RawMechanism::plain(template::wrap_mechanism(binding.capabilities.wrap_mechanism));
    let template = template::data_key_unwrap(binding.protection, false);
    let canary = unhex(&binding.keks[0].canary);
    let canary = module.raw().unwrap_key(&session, &mechanism, kek, &canary, &template).unwrap();
    let check = check_of(&Access::new(&module, &session, slot), canary, IvMode::Made).unwrap();
    binding.keks[0].canary_check = check.iter().map(|byte| format!("{byte:02x}")).collect();
    binding.capabilities.iv_mode = IvMode::Made;
    drop(session);
    module.finalize().unwrap();
    binding
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
