//! The running token over a library that loses its sessions, its memory, its KEK's favour and its random numbers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use crate::token_rig::{Rig, SOFTHSM, config, decrypt, encrypt, isolated, material, until};
use crate::token_shim::{self, hits, impatient, is_unavailable, rules};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::envelope::Suite;
use claviger::domain::id::{KeyId, MaterialId};
use claviger::service::ports::{Material, Protection, Token, TokenError};
use claviger::token::{HsmToken, TokenConfig};
use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, ObjectClass};
use std::sync::Arc;
use std::time::Duration;

/// `CKR_SESSION_HANDLE_INVALID`, `CKR_DEVICE_MEMORY`.
const SESSION_HANDLE_INVALID: &str = "fail 0xB3";
const DEVICE_MEMORY: &str = "fail 0x31";

fn faulty(name: &str, change: impl FnOnce(&mut TokenConfig), body: impl AsyncFnOnce(&Rig, Arc<HsmToken>)) {
    token_shim::faulty(&format!("token_outages::{name}"), change, body);
}

fn making_ivs(name: &str, change: impl FnOnce(&mut TokenConfig), body: impl AsyncFnOnce(&Rig, Arc<HsmToken>)) {
    token_shim::making_ivs(&format!("token_outages::{name}"), change, body);
}

fn one_worker(config: &mut TokenConfig) {
    config.workers = 1;
}

async fn recovered(token: &HsmToken) {
    until("the recovery", || async { token.check().await.is_ok() }).await;
}

fn is_untrusted<T>(outcome: &Result<T, TokenError>) -> bool {
    matches!(outcome, Err(TokenError::Untrusted(_)))
}

#[test]
fn general_errors_of_a_dead_token_are_never_bad_ciphertext() {
    let name = "general_errors_of_a_dead_token_are_never_bad_ciphertext";
    faulty(name, one_worker, async |rig, token| {
        let material = material(&token, 1, Algorithm::Aes256Hsm).await;
        let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
        let mut changed = sealed.clone();
        changed.ciphertext[0] ^= 1;
        rules(rig, &["* fail 0x5"]);
        for _ in 0..20 {
            for sealed in [&sealed, &changed] {
                let outcome = decrypt(&token, &material, b"aad", sealed).await;
                assert!(is_unavailable(&outcome), "{outcome:?}");
            }
        }
        rules(rig, &[]);
        recovered(&token).await;
        assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
        assert_eq!(decrypt(&token, &material, b"aad", &changed).await, Err(TokenError::NotAuthentic));
    });
}

#[test]
fn a_token_that_rebooted_is_used_again_with_new_sessions_and_handles() {
    let name = "a_token_that_rebooted_is_used_again_with_new_sessions_and_handles";
    faulty(
        name,
        |_| {},
        async |rig, token| {
            let mut all = Vec::new();
            for (number, algorithm) in (1..).zip(Algorithm::ALL) {
                let material = material(&token, number, algorithm).await;
                let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
                all.push((material, sealed));
            }
            let (hsm, sealed) = all.iter().find(|(material, _)| material.algorithm.hosted_by_hsm()).unwrap();
            rules(rig, &["C_DecryptInit reboot"]);
            assert!(is_unavailable(&decrypt(&token, hsm, b"aad", sealed).await));
            recovered(&token).await;
            for (material, sealed) in &all {
                assert_eq!(decrypt(&token, material, b"aad", sealed).await.unwrap(), b"data");
            }
            let stats = token.stats();
            assert_eq!((hits(rig, "C_DecryptInit"), stats.generation, stats.recoveries), (1, 2, 1));
        },
    );
}

#[test]
fn reboots_under_load_give_no_wrong_answer() {
    faulty(
        "reboots_under_load_give_no_wrong_answer",
        |_| {},
        async |rig, token| {
            let mut materials = Vec::new();
            for number in 0..6 {
                materials.push(material(&token, number, Algorithm::Aes256Hsm).await);
            }
            rules(rig, &["C_Encrypt after 40 reboot", "C_DecryptInit after 400 reboot", "C_UnwrapKey after 15 reboot"]);
            let load = |task| tokio::spawn(use_all(token.clone(), materials.clone(), task));
            let tasks: Vec<_> = (0..6).map(load).collect();
            for task in tasks {
                task.await.unwrap();
            }
            assert!(token.stats().recoveries > 1, "{:?}", token.stats());
            recovered(&token).await;
        },
    );
}

/// Encrypts and decrypts until it succeeded often enough. An outage is the only error that is let pass.
async fn use_all(token: Arc<HsmToken>, materials: Vec<Arc<Material>>, task: usize) {
    let mut done = 0;
    for step in 0..100_000 {
        let material = &materials[(step + task) % materials.len()];
        let data = format!("{task}-{step}").into_bytes();
        let outcome = match encrypt(&token, material, b"aad", &data).await {
            Ok(sealed) => decrypt(&token, material, b"aad", &sealed).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(found) => {
                assert_eq!(found, data);
                done += 1;
            }
            Err(TokenError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
        if done == 200 {
            return;
        }
    }
    panic!("{done} round trips only");
}

#[test]
fn a_worker_that_lost_its_session_opens_another() {
    faulty("a_worker_that_lost_its_session_opens_another", one_worker, async |rig, token| {
        let material = material(&token, 1, Algorithm::Aes256Hsm).await;
        encrypt(&token, &material, b"aad", b"data").await.unwrap();
        rules(rig, &[&format!("C_EncryptInit times 1 {SESSION_HANDLE_INVALID}")]);
        assert!(encrypt(&token, &material, b"aad", b"data").await.is_ok());
        let stats = token.stats();
        assert_eq!((hits(rig, "C_EncryptInit"), stats.reopened_sessions), (1, 1));
        assert_eq!((stats.generation, stats.unwraps), (1, 1));
    });
}

#[test]
fn an_owner_that_lost_its_session_has_the_library_started_anew() {
    let name = "an_owner_that_lost_its_session_has_the_library_started_anew";
    faulty(
        name,
        |_| {},
        async |rig, token| {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            rules(rig, &[&format!("C_UnwrapKey times 1 {SESSION_HANDLE_INVALID}")]);
            assert!(is_unavailable(&encrypt(&token, &material, b"aad", b"data").await));
            recovered(&token).await;
            assert!(encrypt(&token, &material, b"aad", b"data").await.is_ok());
            assert_eq!(token.stats().generation, 2);
        },
    );
}

#[test]
fn ivs_that_the_token_makes_are_used() {
    making_ivs("ivs_that_the_token_makes_are_used", one_worker, async |rig, token| {
        rules(rig, &["C_EncryptInit iv fresh"]);
        assert_eq!(token.suite(Algorithm::Aes256Hsm), Suite::HsmMadeIv);
        let material = material(&token, 1, Algorithm::Aes256Hsm).await;
        let mut ivs = Vec::new();
        for _ in 0..10 {
            let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
            assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
            ivs.push(sealed.iv);
        }
        ivs.sort();
        ivs.dedup();
        assert_eq!((ivs.len(), hits(rig, "C_EncryptInit")), (10, 10));
    });
}

/// Encrypts under the rules as often as is said, and once more, which must end the trust in the token.
async fn distrusted_after(rig: &Rig, token: &HsmToken, encryptions: usize, lines: &[&str]) {
    rules(rig, lines);
    let material = material(token, 1, Algorithm::Aes256Hsm).await;
    for _ in 0..encryptions {
        encrypt(token, &material, b"aad", b"data").await.unwrap();
    }
    let outcome = encrypt(token, &material, b"aad", b"data").await;
    assert!(is_untrusted(&outcome), "{outcome:?}");
    assert!(is_untrusted(&encrypt(token, &material, b"aad", b"data").await));
    assert!(is_untrusted(&token.check().await));
}

#[test]
fn a_token_that_should_make_ivs_and_does_not_is_not_trusted() {
    let name = "a_token_that_should_make_ivs_and_does_not_is_not_trusted";
    making_ivs(name, one_worker, async |rig, token| distrusted_after(rig, &token, 0, &[]).await);
}

#[test]
fn a_token_that_makes_an_iv_of_zeros_is_not_trusted() {
    let name = "a_token_that_makes_an_iv_of_zeros_is_not_trusted";
    let lines = ["C_EncryptInit times 2 iv fresh", "C_EncryptInit iv zero"];
    making_ivs(name, one_worker, async |rig, token| distrusted_after(rig, &token, 2, &lines).await);
}

#[test]
fn a_token_that_repeats_its_last_iv_is_not_trusted() {
    let name = "a_token_that_repeats_its_last_iv_is_not_trusted";
    let lines = ["C_EncryptInit times 3 iv fresh", "C_EncryptInit iv repeat"];
    making_ivs(name, one_worker, async |rig, token| distrusted_after(rig, &token, 3, &lines).await);
}

#[test]
fn a_token_that_repeats_an_earlier_iv_is_not_trusted() {
    let name = "a_token_that_repeats_an_earlier_iv_is_not_trusted";
    let again = "C_EncryptInit times 1 iv 0102030405060708090a0b0c";
    let lines = [again, "C_EncryptInit times 5 iv fresh", again];
    making_ivs(name, |_| {}, async |rig, token| distrusted_after(rig, &token, 6, &lines).await);
}

#[test]
fn an_iv_that_another_thread_was_given_before_is_found() {
    let name = "an_iv_that_another_thread_was_given_before_is_found";
    let patience = |config: &mut TokenConfig| {
        impatient(config);
        config.workers = 1;
    };
    making_ivs(name, patience, async |rig, token| {
        let same = "C_EncryptInit iv 0102030405060708090a0b0c";
        rules(rig, &[same, "C_Decrypt stuck"]);
        let material = material(&token, 1, Algorithm::Aes256Hsm).await;
        let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
        // The only worker hangs, so that another one takes its place.
        assert!(is_unavailable(&decrypt(&token, &material, b"aad", &sealed).await));
        until("the watch to see it", || async { token.stats().hung_now == 1 }).await;
        let outcome = encrypt(&token, &material, b"aad", b"data").await;
        assert!(is_untrusted(&outcome), "{outcome:?}");
        rules(rig, &[]);
    });
}

/// The secret keys in the token that die with their sessions.
fn session_keys() -> usize {
    let pkcs11 = Pkcs11::new(SOFTHSM).unwrap();
    let slot = pkcs11.get_slots_with_initialized_token().unwrap()[0];
    let session = pkcs11.open_ro_session(slot).unwrap();
    let wanted = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Token(false)];
    session.find_objects(&wanted).unwrap().len()
}

#[test]
fn a_key_that_cannot_be_wrapped_is_neither_kept_nor_handed_out() {
    let name = "a_key_that_cannot_be_wrapped_is_neither_kept_nor_handed_out";
    faulty(
        name,
        |_| {},
        async |rig, token| {
            token.check().await.unwrap();
            let before = session_keys();
            assert!(before > 0, "the canary is seen");
            for fault in ["fail 0x30", "lie 0x5"] {
                rules(rig, &[&format!("C_WrapKey times 1 {fault}")]);
                // An even number, so that the owner is the one that has the canary already.
                let (id, key_id) = (MaterialId::from_bytes([2; 16]), KeyId::from_bytes([3; 16]));
                let made = token.generate(id, key_id, Algorithm::Aes256Hsm).await;
                assert!(is_unavailable(&made), "{made:?}");
                assert_eq!(session_keys(), before);
            }
            assert_eq!((hits(rig, "C_WrapKey"), token.stats().generation), (2, 1));
        },
    );
}

#[test]
fn slow_calls_within_the_deadline_are_answered_and_do_not_hang() {
    let name = "slow_calls_within_the_deadline_are_answered_and_do_not_hang";
    let deadline = |config: &mut TokenConfig| config.deadline = Duration::from_secs(5);
    faulty(name, deadline, async |rig, token| {
        let material = material(&token, 1, Algorithm::Aes256Hsm).await;
        rules(rig, &["C_UnwrapKey delay 300", "C_Encrypt delay 300", "C_Decrypt delay 300"]);
        for _ in 0..3 {
            let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
            assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
        }
        assert_eq!((hits(rig, "C_Encrypt"), hits(rig, "C_Decrypt"), hits(rig, "C_UnwrapKey")), (3, 3, 1));
        assert_eq!((token.stats().hung_calls, token.stats().generation), (0, 1));
    });
}

#[test]
fn a_recovery_waits_for_a_call_that_hangs_and_goes_on_when_it_returns() {
    let name = "a_recovery_waits_for_a_call_that_hangs_and_goes_on_when_it_returns";
    faulty(name, impatient, async |rig, token| {
        let material = material(&token, 1, Algorithm::Aes256Hsm).await;
        let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
        rules(rig, &["C_Decrypt stuck"]);
        assert!(is_unavailable(&decrypt(&token, &material, b"aad", &sealed).await));
        // The login is lost while the call hangs.
        rules(rig, &["C_Decrypt stuck", "C_WrapKey fail 0x101", "C_Initialize delay 0"]);
        assert!(is_unavailable(&token.check().await));
        let hangs = "a call hangs in the library, which cannot be started anew";
        let told = || async { token.check().await == Err(TokenError::Unavailable(hangs.to_owned())) };
        until("the reason", told).await;
        assert!(is_unavailable(&encrypt(&token, &material, b"aad", b"data").await));
        assert_eq!((hits(rig, "C_Initialize"), token.stats().generation), (0, 1));
        rules(rig, &[]);
        recovered(&token).await;
        assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
        assert_eq!(token.stats().generation, 2);
    });
}

#[test]
fn a_kek_that_refuses_to_work_is_verified_anew_and_not_trusted_until_it_works() {
    let name = "a_kek_that_refuses_to_work_is_verified_anew_and_not_trusted_until_it_works";
    faulty(
        name,
        |_| {},
        async |rig, token| {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
            // CKR_KEY_FUNCTION_NOT_PERMITTED, then CKR_WRAPPED_KEY_INVALID.
            for (generation, code) in [(2, "0x68"), (3, "0x110")] {
                rules(rig, &[&format!("C_WrapKey fail {code}")]);
                assert!(is_unavailable(&token.check().await));
                until("the verification", || async { is_untrusted(&token.check().await) }).await;
                assert!(is_untrusted(&decrypt(&token, &material, b"aad", &sealed).await));
                rules(rig, &[]);
                recovered(&token).await;
                assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
                assert_eq!(token.stats().generation, generation);
            }
        },
    );
}

#[test]
fn a_thread_that_panics_costs_its_caller_only() {
    faulty("a_thread_that_panics_costs_its_caller_only", one_worker, async |_, token| {
        let material = material(&token, 1, Algorithm::Aes256Hsm).await;
        let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
        // No machine has room for the answer: the allocation panics in the worker.
        let outcome = token.random(usize::MAX).await.map(drop);
        let crashed = "the thread that served the call has crashed";
        assert_eq!(outcome, Err(TokenError::Unavailable(crashed.to_owned())));
        assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
        let stats = token.stats();
        assert_eq!((stats.crashed_threads, stats.generation, stats.unwraps), (1, 1, 1));
    });
}

#[test]
fn a_token_without_room_for_a_key_gets_room_from_cached_keys() {
    let name = "a_token_without_room_for_a_key_gets_room_from_cached_keys";
    faulty(
        name,
        |_| {},
        async |rig, token| {
            let mut materials = Vec::new();
            for number in 0..5 {
                materials.push(material(&token, number, Algorithm::Aes256Hsm).await);
            }
            for material in &materials[..4] {
                encrypt(&token, material, b"aad", b"data").await.unwrap();
            }
            // CKR_DEVICE_MEMORY, CKR_HOST_MEMORY, CKR_SESSION_COUNT.
            for (times, code) in [(1, "0x31"), (2, "0x2"), (3, "0xB1")] {
                rules(rig, &[&format!("C_UnwrapKey times 1 fail {code}")]);
                token.forget(materials[4].id).await;
                assert!(encrypt(&token, &materials[4], b"aad", b"data").await.is_ok());
                let stats = token.stats();
                assert_eq!((stats.exhaustions, stats.cache_evictions, stats.generation), (times, times, 1));
                assert!(stats.destroys >= times, "{stats:?}");
            }
        },
    );
}

#[test]
fn a_token_without_any_room_refuses_new_keys_and_goes_on_with_cached_ones() {
    let name = "a_token_without_any_room_refuses_new_keys_and_goes_on_with_cached_ones";
    faulty(
        name,
        |_| {},
        async |rig, token| {
            let mut materials = Vec::new();
            for number in 0..5 {
                materials.push(material(&token, number, Algorithm::Aes256Hsm).await);
            }
            for material in &materials[..4] {
                encrypt(&token, material, b"aad", b"data").await.unwrap();
            }
            token.check().await.unwrap();
            rules(rig, &[&format!("C_UnwrapKey {DEVICE_MEMORY}")]);
            assert!(is_unavailable(&encrypt(&token, &materials[4], b"aad", b"data").await));
            let mut served = 0;
            for material in &materials[..4] {
                served += usize::from(encrypt(&token, material, b"aad", b"data").await.is_ok());
            }
            assert!(served > 0, "{:?}", token.stats());
            assert!(token.check().await.is_ok());
            rules(rig, &[]);
            for material in &materials {
                assert!(encrypt(&token, material, b"aad", b"data").await.is_ok());
            }
            assert_eq!(token.stats().generation, 1);
        },
    );
}

#[test]
fn a_token_with_too_few_sessions_is_not_opened_and_can_be_opened_later() {
    isolated("token_outages::a_token_with_too_few_sessions_is_not_opened_and_can_be_opened_later", |rig| {
        let binding = rig.make_token(Protection::Trusted);
        let mut few = config();
        few.max_sessions = Some(2);
        assert!(is_unavailable(&HsmToken::open(few, binding.clone()).map(drop)));
        let opened = rig.open_again(binding, |config, _| config.max_sessions = Some(3));
        assert_eq!(opened.token.capabilities().max_sessions, Some(3));
        crate::token_rig::run(async {
            let material = material(&opened.token, 1, Algorithm::Aes256Hsm).await;
            assert!(encrypt(&opened.token, &material, b"aad", b"data").await.is_ok());
        });
    });
}
