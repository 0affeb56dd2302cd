//! The running token over a library that fails, delays and sticks (`tests/p11shim`, SoftHSM behind it).

use crate::token_rig::{Rig, decrypt, encrypt, material, until};
use crate::token_shim::{self, hits, impatient, is_unavailable, rules};
use claviger::domain::algorithm::Algorithm;
use claviger::service::ports::{Token, TokenError};
use claviger::token::{HsmToken, TokenConfig};
use std::sync::Arc;

/// `CKR_DEVICE_ERROR`, `CKR_KEY_HANDLE_INVALID`, `CKR_PIN_INCORRECT`, `CKR_USER_NOT_LOGGED_IN`.
const DEVICE_ERROR: &str = "fail 0x30";
const KEY_HANDLE_INVALID: &str = "fail 0x60";
const PIN_INCORRECT: &str = "fail 0xA0";
const USER_NOT_LOGGED_IN: &str = "fail 0x101";

fn faulty(name: &str, change: impl FnOnce(&mut TokenConfig), body: impl AsyncFnOnce(&Rig, Arc<HsmToken>)) {
    token_shim::faulty(&format!("token_faults::{name}"), change, body);
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
