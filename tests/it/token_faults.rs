//! The running token over a library that fails, delays and sticks (`examples/p11shim.rs`, SoftHSM behind it).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use crate::token_rig::{Opened, Rig, SOFTHSM, config, decrypt, encrypt, isolated_with, material, run, until};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::envelope::Suite;
use claviger::service::ports::{IvMode, Protection, Token, TokenBinding, TokenError};
use claviger::token::access::Access;
use claviger::token::ceremony::{check_of, open_parts};
use claviger::token::module::Module;
use claviger::token::raw::RawMechanism;
use claviger::token::{HsmToken, TokenConfig, template};
use cryptoki::session::UserType;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// `CKR_DEVICE_ERROR`, `CKR_KEY_HANDLE_INVALID`, `CKR_PIN_INCORRECT`, `CKR_USER_NOT_LOGGED_IN`.
const DEVICE_ERROR: &str = "fail 0x30";
const KEY_HANDLE_INVALID: &str = "fail 0x60";
const PIN_INCORRECT: &str = "fail 0xA0";
const USER_NOT_LOGGED_IN: &str = "fail 0x101";

/// Runs `body` with a token behind the shim.
fn faulty(name: &str, change: impl FnOnce(&mut TokenConfig), body: impl AsyncFnOnce(&Rig, Arc<HsmToken>)) {
    let variables = [("P11SHIM_MODULE", SOFTHSM), ("P11SHIM_RULES", "{dir}/rules")];
    isolated_with(&format!("token_faults::{name}"), &variables, |rig| {
        let binding = rig.make_token(Protection::Trusted);
        let Opened { token, .. } = rig.open_again(binding, |config, _| {
            config.module = shim();
            change(config);
        });
        run(body(&rig, token));
    });
}

fn shim() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    binary.parent().unwrap().parent().unwrap().join("examples/libp11shim.so")
}

/// Replaces the rules in one step, so that no call reads half of them.
fn rules(rig: &Rig, lines: &[&str]) {
    let new = rig.dir.join("rules.new");
    std::fs::write(&new, lines.join("\n")).unwrap();
    std::fs::rename(new, rig.dir.join("rules")).unwrap();
}

/// How often a rule fitted a call of this function.
fn hits(rig: &Rig, function: &str) -> usize {
    let log = std::fs::read_to_string(rig.dir.join("rules.log")).unwrap_or_default();
    log.lines().filter(|line| *line == function).count()
}

fn is_unavailable<T>(outcome: &Result<T, TokenError>) -> bool {
    matches!(outcome, Err(TokenError::Unavailable(_)))
}

fn impatient(config: &mut TokenConfig) {
    config.deadline = Duration::from_millis(400);
    config.max_hung_calls = 2;
    config.workers = 2;
}

#[test]
fn a_hung_call_costs_its_caller_only() {
    faulty("a_hung_call_costs_its_caller_only", impatient, async |rig, token| {
        let material = material(&token, 1, Algorithm::Aes256Hsm).await;
        let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
        rules(rig, &["C_Decrypt stuck"]);
        assert!(is_unavailable(&decrypt(&token, &material, b"aad", &sealed).await));
        assert!(encrypt(&token, &material, b"aad", b"data").await.is_ok());
        until("the watch to see it", || async { token.stats().hung_now == 1 }).await;
        assert!(encrypt(&token, &material, b"aad", b"data").await.is_ok());
        rules(rig, &[]);
        until("the end of the hung call", || async { token.stats().hung_now == 0 }).await;
        assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
        assert_eq!((token.stats().hung_calls, token.stats().generation), (1, 1));
    });
}

#[test]
fn more_hung_calls_than_allowed_make_the_token_fail_fast_until_they_end() {
    let name = "more_hung_calls_than_allowed_make_the_token_fail_fast_until_they_end";
    faulty(name, impatient, async |rig, token| {
        let material = material(&token, 1, Algorithm::Aes256Hsm).await;
        let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
        rules(rig, &["C_Decrypt stuck"]);
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let (token, material, sealed) = (token.clone(), material.clone(), sealed.clone());
                tokio::spawn(async move { decrypt(&token, &material, b"aad", &sealed).await })
            })
            .collect();
        for caller in callers {
            assert!(is_unavailable(&caller.await.unwrap()));
        }
        // The third waited for a thread; another one makes sure that three hang.
        let more = || async {
            let _ = decrypt(&token, &material, b"aad", &sealed).await;
            token.stats().hung_now > 2
        };
        until("three hung calls", more).await;
        let refused = encrypt(&token, &material, b"aad", b"data").await;
        assert_eq!(refused.map(|_| ()), Err(TokenError::Unavailable("too many calls hang".to_owned())));
        rules(rig, &[]);
        until("the end of the hung calls", || async { token.stats().hung_now == 0 }).await;
        until("the token to answer", || async { encrypt(&token, &material, b"aad", b"data").await.is_ok() }).await;
        assert_eq!(token.stats().generation, 1);
    });
}

#[test]
fn a_hung_unwrap_does_not_stop_keys_that_are_cached() {
    faulty("a_hung_unwrap_does_not_stop_keys_that_are_cached", impatient, async |rig, token| {
        let (cached, other) =
            (material(&token, 1, Algorithm::Aes256Hsm).await, material(&token, 2, Algorithm::Aes256Hsm).await);
        encrypt(&token, &cached, b"aad", b"data").await.unwrap();
        rules(rig, &["C_UnwrapKey stuck"]);
        assert!(is_unavailable(&encrypt(&token, &other, b"aad", b"data").await));
        assert!(encrypt(&token, &cached, b"aad", b"data").await.is_ok());
        until("the watch to see it", || async { token.stats().hung_now == 1 }).await;
        rules(rig, &[]);
        until("the second key to be unwrapped", || async { encrypt(&token, &other, b"aad", b"data").await.is_ok() })
            .await;
    });
}

#[test]
fn a_dead_device_is_unavailable_and_recovers() {
    faulty(
        "a_dead_device_is_unavailable_and_recovers",
        |_| {},
        async |rig, token| {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
            rules(rig, &[&format!("* {DEVICE_ERROR}")]);
            assert!(is_unavailable(&decrypt(&token, &material, b"aad", &sealed).await));
            until("an attempt to recover", || async { hits(rig, "C_Initialize") > 1 }).await;
            assert!(is_unavailable(&token.check().await));
            rules(rig, &[]);
            until("the recovery", || async { token.check().await.is_ok() }).await;
            assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
            assert_eq!((token.stats().generation, token.stats().unwraps), (2, 2));
        },
    );
}

#[test]
fn a_token_without_slots_is_looked_for_again() {
    faulty(
        "a_token_without_slots_is_looked_for_again",
        |_| {},
        async |rig, token| {
            rules(rig, &[&format!("C_WrapKey {USER_NOT_LOGGED_IN}"), "C_GetSlotList fail 0xE0"]);
            assert!(is_unavailable(&token.check().await));
            until("attempts to recover", || async { hits(rig, "C_GetSlotList") > 2 }).await;
            rules(rig, &[]);
            until("the recovery", || async { token.check().await.is_ok() }).await;
        },
    );
}

#[test]
fn a_session_that_an_error_left_busy_is_replaced() {
    faulty(
        "a_session_that_an_error_left_busy_is_replaced",
        |config| config.workers = 1,
        async |rig, token| {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            rules(rig, &[&format!("C_Encrypt {DEVICE_ERROR}")]);
            assert!(is_unavailable(&encrypt(&token, &material, b"aad", b"data").await));
            rules(rig, &[]);
            for _ in 0..3 {
                assert!(encrypt(&token, &material, b"aad", b"data").await.is_ok());
            }
            let stats = token.stats();
            assert_eq!((stats.reopened_sessions, stats.generation, stats.unwraps), (1, 1, 1));
        },
    );
}

#[test]
fn a_key_that_the_token_lost_is_unwrapped_again_once() {
    faulty(
        "a_key_that_the_token_lost_is_unwrapped_again_once",
        |_| {},
        async |rig, token| {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            encrypt(&token, &material, b"aad", b"data").await.unwrap();
            rules(rig, &[&format!("C_EncryptInit {KEY_HANDLE_INVALID}")]);
            assert!(is_unavailable(&encrypt(&token, &material, b"aad", b"data").await));
            assert_eq!(hits(rig, "C_EncryptInit"), 2);
            rules(rig, &[]);
            assert!(encrypt(&token, &material, b"aad", b"data").await.is_ok());
            assert_eq!((token.stats().generation, token.stats().unwraps), (1, 3));
        },
    );
}

#[test]
fn a_pin_that_is_called_wrong_is_never_tried_again() {
    faulty(
        "a_pin_that_is_called_wrong_is_never_tried_again",
        |_| {},
        async |rig, token| {
            rules(
                rig,
                &[
                    &format!("C_WrapKey {USER_NOT_LOGGED_IN}"),
                    &format!("C_Login {PIN_INCORRECT}"),
                    "C_Initialize delay 0",
                ],
            );
            assert!(is_unavailable(&token.check().await));
            until("three attempts to recover", || async { hits(rig, "C_Initialize") > 2 }).await;
            assert_eq!(hits(rig, "C_Login"), 1);
            // The PIN would be taken now, but nobody knows that.
            let attempts = hits(rig, "C_Initialize");
            rules(rig, &["C_Login delay 0", "C_Initialize delay 0"]);
            until("another attempt", || async { hits(rig, "C_Initialize") > attempts }).await;
            assert!(matches!(token.check().await, Err(TokenError::PinRefused(_))));
            assert_eq!(hits(rig, "C_Login"), 1);
        },
    );
}

#[test]
fn a_token_that_should_make_ivs_and_does_not_is_not_trusted() {
    let name = "token_faults::a_token_that_should_make_ivs_and_does_not_is_not_trusted";
    isolated_with(name, &[], |rig| {
        let binding = expecting_made_ivs(rig.make_token(Protection::Trusted));
        let Opened { token, .. } = rig.open_again(binding, |_, _| {});
        run(async {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            assert_eq!(token.suite(Algorithm::Aes256Hsm), Suite::HsmMadeIv);
            let outcome = encrypt(&token, &material, b"aad", b"data").await;
            assert!(matches!(outcome, Err(TokenError::Untrusted(_))), "{outcome:?}");
            assert!(matches!(token.check().await, Err(TokenError::Untrusted(_))));
        });
    });
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
