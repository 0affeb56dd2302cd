//! The running token over a real SoftHSM.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use crate::token_rig::{Opened, Rig, config, decrypt, encrypt, isolated, material, run, until};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::id::{KeyId, MaterialId};
use claviger::service::ports::{Material, Protection, SealedData, Token, TokenError};
use claviger::token::{HsmToken, TokenStats};
use cryptoki::context::Pkcs11;
use std::sync::Arc;
use std::time::Duration;

fn defaults(rig: &Rig) -> Opened {
    rig.open(|_, _| {})
}

#[test]
fn every_algorithm_decrypts_what_it_encrypts_at_every_size() {
    isolated("token::every_algorithm_decrypts_what_it_encrypts_at_every_size", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            for (number, algorithm) in (1..).zip(Algorithm::ALL) {
                let material = material(&token, number, algorithm).await;
                for size in [0, 1, 32, 4096, 32_768] {
                    let data: Vec<u8> = (0..size).map(|index| u8::try_from(index % 251).unwrap()).collect();
                    let sealed = encrypt(&token, &material, b"aad", &data).await.unwrap();
                    assert_eq!(sealed.ciphertext.len(), size + 16);
                    assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), data);
                }
            }
        });
    });
}

#[test]
fn a_change_in_any_part_is_not_authentic_and_leaves_the_token_well() {
    isolated("token::a_change_in_any_part_is_not_authentic_and_leaves_the_token_well", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            for (number, algorithm) in (1..).zip(Algorithm::ALL) {
                let material = material(&token, number, algorithm).await;
                let sealed = encrypt(&token, &material, b"aad", b"thirty-two bytes of a data key..").await.unwrap();
                let before = token.stats();
                for changed in changes(&sealed) {
                    assert_eq!(decrypt(&token, &material, b"aad", &changed).await, Err(TokenError::NotAuthentic));
                }
                for aad in [&b"aae"[..], b"aa", b""] {
                    assert_eq!(decrypt(&token, &material, aad, &sealed).await, Err(TokenError::NotAuthentic));
                }
                assert!(decrypt(&token, &material, b"aad", &sealed).await.is_ok());
                assert_same_token(&before, &token.stats());
            }
        });
    });
}

/// One changed bit in each byte, and lengths that cannot be.
fn changes(sealed: &SealedData) -> Vec<SealedData> {
    let mut all = Vec::new();
    for index in 0..sealed.iv.len() {
        let mut changed = sealed.clone();
        changed.iv[index] ^= 1;
        all.push(changed);
    }
    for index in 0..sealed.ciphertext.len() {
        let mut changed = sealed.clone();
        changed.ciphertext[index] ^= 0x80;
        all.push(changed);
    }
    for bytes in [0, 1, 15, 16, sealed.ciphertext.len() - 1] {
        all.push(SealedData { iv: sealed.iv.clone(), ciphertext: sealed.ciphertext[..bytes].to_vec() });
    }
    for iv in [Vec::new(), vec![0; 12], sealed.iv[..11].to_vec(), vec![7; 16]] {
        all.push(SealedData { iv, ciphertext: sealed.ciphertext.clone() });
    }
    all
}

/// The same generation, and no key was unwrapped or evicted between two readings.
fn assert_same_token(before: &TokenStats, after: &TokenStats) {
    let state = |stats: &TokenStats| (stats.generation, stats.recoveries, stats.unwraps, stats.cache_evictions);
    assert_eq!(state(before), state(after));
}

#[test]
fn the_ciphertext_of_one_key_is_not_authentic_under_another() {
    isolated("token::the_ciphertext_of_one_key_is_not_authentic_under_another", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            for algorithm in Algorithm::ALL {
                let (one, other) = (material(&token, 1, algorithm).await, material(&token, 2, algorithm).await);
                let sealed = encrypt(&token, &one, b"aad", b"data").await.unwrap();
                assert_eq!(decrypt(&token, &other, b"aad", &sealed).await, Err(TokenError::NotAuthentic));
                token.forget(one.id).await;
                token.forget(other.id).await;
            }
        });
    });
}

#[test]
fn software_material_of_another_row_or_algorithm_is_damaged() {
    isolated("token::software_material_of_another_row_or_algorithm_is_damaged", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            let good = material(&token, 1, Algorithm::Aes256).await;
            let moved = [
                Material { id: MaterialId::from_bytes([2; 16]), ..(*good).clone() },
                Material { id: MaterialId::from_bytes([3; 16]), key_id: KeyId::from_bytes([3; 16]), ..(*good).clone() },
                Material { key_id: KeyId::from_bytes([4; 16]), ..(*good).clone() },
                Material { algorithm: Algorithm::Aes128, ..(*good).clone() },
            ];
            for wrong in moved {
                let error = encrypt(&token, &Arc::new(wrong), b"aad", b"data").await.unwrap_err();
                assert!(matches!(error, TokenError::MaterialDamaged(_)), "{error}");
            }
            assert!(encrypt(&token, &good, b"aad", b"data").await.is_ok());
        });
    });
}

#[test]
fn changed_material_is_damaged_and_leaves_the_token_well() {
    isolated("token::changed_material_is_damaged_and_leaves_the_token_well", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            for (number, algorithm) in (1..).zip(Algorithm::ALL) {
                let good = material(&token, number, algorithm).await;
                let mut wrong: Vec<Material> = vec![(*good).clone(); 4];
                wrong[0].sealed.bytes[13] ^= 1;
                wrong[1].sealed.bytes.truncate(24);
                wrong[2].sealed.bytes.clear();
                wrong[3].sealed.sealed_by = 7;
                for wrong in wrong {
                    let error = encrypt(&token, &Arc::new(wrong), b"aad", b"data").await.unwrap_err();
                    assert!(matches!(error, TokenError::MaterialDamaged(_)), "{algorithm:?}: {error}");
                }
                assert!(encrypt(&token, &good, b"aad", b"data").await.is_ok());
            }
            assert_eq!(token.stats().generation, 1);
        });
    });
}

#[test]
fn data_above_the_tokens_limit_is_too_large() {
    isolated("token::data_above_the_tokens_limit_is_too_large", |rig| {
        let Opened { token, .. } = rig.open(|config, _| config.max_gcm_bytes = Some(100));
        run(async {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            let sealed = encrypt(&token, &material, b"aad", &[0; 100]).await.unwrap();
            assert!(decrypt(&token, &material, b"aad", &sealed).await.is_ok());
            let too_large = TokenError::TooLarge { max_bytes: 100 };
            assert_eq!(encrypt(&token, &material, b"aad", &[0; 101]).await.unwrap_err(), too_large);
            let large = SealedData { iv: vec![1; 12], ciphertext: vec![0; 117] };
            assert_eq!(decrypt(&token, &material, b"aad", &large).await, Err(too_large));
        });
    });
}

#[test]
fn keys_are_evicted_and_forgotten_under_load_without_a_wrong_answer() {
    isolated("token::keys_are_evicted_and_forgotten_under_load_without_a_wrong_answer", |rig| {
        let Opened { token, .. } = rig.open(|config, _| config.cached_keys = Some(4));
        run(async {
            let mut materials = Vec::new();
            for number in 0..12 {
                materials.push(material(&token, number, Algorithm::Aes256Hsm).await);
            }
            let tasks: Vec<_> =
                (0..8).map(|task| tokio::spawn(churn(token.clone(), materials.clone(), task))).collect();
            for task in tasks {
                task.await.unwrap();
            }
            let stats = token.stats();
            assert!(stats.cache_evictions > 0 && stats.unwraps > 12, "{stats:?}");
            assert_eq!((stats.generation, stats.hung_calls), (1, 0));
            for material in &materials {
                token.forget(material.id).await;
            }
            let all_destroyed = || async { token.stats().destroys == token.stats().unwraps };
            until("the destruction of every unwrapped key", all_destroyed).await;
        });
    });
}

/// Encrypts, decrypts and forgets keys in an order of its own.
async fn churn(token: Arc<HsmToken>, materials: Vec<Arc<Material>>, task: usize) {
    for step in 0..200 {
        let material = &materials[(step * 7 + task * 5) % materials.len()];
        let data = format!("{task}-{step}").into_bytes();
        let sealed = encrypt(&token, material, b"aad", &data).await.unwrap();
        if step % 3 == 0 {
            token.forget(material.id).await;
        }
        assert_eq!(decrypt(&token, material, b"aad", &sealed).await.unwrap(), data);
    }
}

#[test]
fn a_flood_of_bad_ciphertexts_leaves_other_keys_cached_and_the_token_up() {
    isolated("token::a_flood_of_bad_ciphertexts_leaves_other_keys_cached_and_the_token_up", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            let victim = material(&token, 1, Algorithm::Aes256Hsm).await;
            let abused = material(&token, 2, Algorithm::Aes256Hsm).await;
            let sealed = encrypt(&token, &victim, b"aad", b"data").await.unwrap();
            let mut bad = encrypt(&token, &abused, b"aad", b"data").await.unwrap();
            bad.ciphertext[0] ^= 1;
            let before = token.stats();
            let flood: Vec<_> =
                (0..20).map(|_| tokio::spawn(abuse(token.clone(), abused.clone(), bad.clone()))).collect();
            for _ in 0..500 {
                assert_eq!(decrypt(&token, &victim, b"aad", &sealed).await.unwrap(), b"data");
            }
            for task in flood {
                task.await.unwrap();
            }
            let after = token.stats();
            assert_same_token(&before, &after);
            assert_eq!(after.cache_misses, before.cache_misses);
            assert_eq!(after.cache_hits, before.cache_hits + 1500);
            assert!(after.probes - before.probes < 1000, "each bad ciphertext had a probe of its own: {after:?}");
        });
    });
}

async fn abuse(token: Arc<HsmToken>, material: Arc<Material>, bad: SealedData) {
    for _ in 0..50 {
        assert_eq!(decrypt(&token, &material, b"aad", &bad).await, Err(TokenError::NotAuthentic));
    }
}

#[test]
fn a_forgotten_key_is_unwrapped_again_when_it_is_used_again() {
    isolated("token::a_forgotten_key_is_unwrapped_again_when_it_is_used_again", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
            assert_eq!(token.stats().unwraps, 1);
            token.forget(material.id).await;
            until("the destruction", || async { token.stats().destroys == 1 }).await;
            assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
            assert_eq!(token.stats().unwraps, 2);
        });
    });
}

#[test]
fn many_callers_that_miss_at_once_unwrap_once() {
    isolated("token::many_callers_that_miss_at_once_unwrap_once", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            let tasks: Vec<_> = (0..32)
                .map(|_| {
                    let (token, material) = (token.clone(), material.clone());
                    tokio::spawn(async move { encrypt(&token, &material, b"aad", b"data").await.map(drop) })
                })
                .collect();
            for task in tasks {
                task.await.unwrap().unwrap();
            }
            assert_eq!(token.stats().unwraps, 1);
        });
    });
}

#[test]
fn a_token_that_goes_away_is_unavailable_and_recovers_when_it_is_back() {
    isolated("token::a_token_that_goes_away_is_unavailable_and_recovers_when_it_is_back", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            let (hsm, soft) =
                (material(&token, 1, Algorithm::Aes256Hsm).await, material(&token, 2, Algorithm::Aes128).await);
            let sealed = [encrypt(&token, &hsm, b"aad", b"hsm").await, encrypt(&token, &soft, b"aad", b"soft").await];
            let away = rig.dir.join("away");
            std::fs::rename(rig.tokens(), &away).unwrap();
            assert!(matches!(token.check().await, Err(TokenError::Unavailable(_))));
            assert!(matches!(encrypt(&token, &hsm, b"aad", b"data").await, Err(TokenError::Unavailable(_))));
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(matches!(token.check().await, Err(TokenError::Unavailable(_))));
            std::fs::rename(&away, rig.tokens()).unwrap();
            until("the recovery", || async { token.check().await.is_ok() }).await;
            for (material, sealed) in [&hsm, &soft].into_iter().zip(sealed) {
                assert!(decrypt(&token, material, b"aad", &sealed.unwrap()).await.is_ok());
            }
            let stats = token.stats();
            assert_eq!((stats.generation, stats.recoveries, stats.unwraps), (2, 1, 2));
        });
    });
}

#[test]
fn a_lost_login_is_recovered_and_no_handle_of_before_is_used() {
    isolated("token::a_lost_login_is_recovered_and_no_handle_of_before_is_used", |rig| {
        let Opened { token, .. } = defaults(&rig);
        run(async {
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            let sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
            log_out();
            // The first call finds the handle invalid, unwraps again and finds the login lost.
            let outcome = decrypt(&token, &material, b"aad", &sealed).await;
            assert!(matches!(outcome, Err(TokenError::Unavailable(_))), "{outcome:?}");
            until("the recovery", || async { token.check().await.is_ok() }).await;
            assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
            assert_eq!((token.stats().generation, token.stats().unwraps), (2, 2));
        });
    });
}

/// Logs this process out of the token, as another user of the library in it could.
fn log_out() {
    let pkcs11 = Pkcs11::new(crate::token_rig::SOFTHSM).unwrap();
    let slot = pkcs11.get_slots_with_initialized_token().unwrap()[0];
    pkcs11.open_ro_session(slot).unwrap().logout().unwrap();
}

#[test]
fn a_kek_that_does_not_wrap_as_at_init_is_not_trusted() {
    isolated("token::a_kek_that_does_not_wrap_as_at_init_is_not_trusted", |rig| {
        let mut binding = rig.make_token(Protection::Trusted);
        let canary = &mut binding.keks[0].canary;
        let other = if canary.starts_with("00") { "01" } else { "00" };
        canary.replace_range(0..2, other);
        let outcome = HsmToken::open(config(), binding).map(|_| ());
        assert!(matches!(outcome, Err(TokenError::Untrusted(_))), "{outcome:?}");
    });
}

#[test]
fn a_token_without_trust_is_probed_by_unwrapping() {
    isolated("token::a_token_without_trust_is_probed_by_unwrapping", |rig| {
        let binding = rig.make_token(Protection::NonExtractable);
        let Opened { token, .. } = rig.open_again(binding, |_, _| {});
        run(async {
            token.check().await.unwrap();
            let material = material(&token, 1, Algorithm::Aes256Hsm).await;
            let mut sealed = encrypt(&token, &material, b"aad", b"data").await.unwrap();
            assert_eq!(decrypt(&token, &material, b"aad", &sealed).await.unwrap(), b"data");
            sealed.ciphertext[0] ^= 1;
            assert_eq!(decrypt(&token, &material, b"aad", &sealed).await, Err(TokenError::NotAuthentic));
        });
    });
}

#[test]
fn keys_and_the_row_key_survive_a_restart() {
    isolated("token::keys_and_the_row_key_survive_a_restart", |rig| {
        let first = defaults(&rig);
        let (material, sealed) = run(async {
            let material = material(&first.token, 1, Algorithm::Aes256Hsm).await;
            let sealed = encrypt(&first.token, &material, b"aad", b"data").await.unwrap();
            (material, sealed)
        });
        Arc::into_inner(first.token).unwrap().close();
        let second = rig.open_again(first.binding.clone(), |_, _| {});
        assert_eq!(first.row_key, second.row_key);
        assert_eq!(run(decrypt(&second.token, &material, b"aad", &sealed)).unwrap(), b"data");
        Arc::into_inner(second.token).unwrap().close();
        let other_cluster = rig.open_again(first.binding, |_, binding| binding.cluster_id = other_cluster());
        assert_ne!(first.row_key, other_cluster.row_key);
    });
}

fn other_cluster() -> claviger::domain::id::ClusterId {
    claviger::domain::id::ClusterId::from_bytes([8; 16])
}

#[test]
fn software_keys_are_dropped_when_their_time_is_over() {
    isolated("token::software_keys_are_dropped_when_their_time_is_over", |rig| {
        let Opened { token, .. } = rig.open(|config, _| config.software_cache_ttl = Duration::from_millis(40));
        run(async {
            let material = material(&token, 1, Algorithm::Aes256).await;
            let decrypted_again = || async {
                encrypt(&token, &material, b"aad", b"data").await.unwrap();
                token.stats().software_misses >= 3
            };
            until("the third decryption of the key", decrypted_again).await;
        });
    });
}
