//! Keys with which equal plaintexts under equal contexts have equal ciphertexts.

use super::*;
use crate::service::in_own_process;
use claviger::domain::error::{StateError, ValueError};
use std::collections::HashSet;

async fn sealed(service: &Service, key_id: KeyId, context: &EncryptionContext, plaintext: &[u8]) -> Vec<u8> {
    let encrypted = encrypt_with(service, &ncloud(service), key_id, None, context, plaintext).await;
    encrypted.unwrap().ciphertext
}

#[test]
fn equal_plaintexts_have_equal_ciphertexts_under_one_context_and_version_only() {
    let name = "equal_plaintexts_have_equal_ciphertexts_under_one_context_and_version_only";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let (key, other_key) = (new_convergent_key(&service).await, new_convergent_key(&service).await);
        let context = convergent(b"table 1");
        let first = sealed(&service, key, &context, TEXT).await;
        assert_eq!(sealed(&service, key, &context, TEXT).await, first);
        let mut seen = HashSet::from([first.clone()]);
        let others = [convergent(b"table 2"), EncryptionContext::from_bytes(b"table 1".to_vec()), convergent(b"")];
        for other in &others {
            assert!(seen.insert(sealed(&service, key, other, TEXT).await), "{other:?}");
        }
        assert!(seen.insert(sealed(&service, key, &context, b"attack at dusk").await));
        assert!(seen.insert(sealed(&service, key, &context, b"").await));
        assert!(seen.insert(sealed(&service, other_key, &context, TEXT).await));
        rotate(&service, &ncloud(&service), key).await;
        let second = sealed(&service, key, &context, TEXT).await;
        assert!(seen.insert(second.clone()), "the new version has a key of its own");
        assert_eq!(sealed(&service, key, &context, TEXT).await, second);
        for ciphertext in [&first, &second] {
            assert_eq!(decrypt(&service, &ncloud(&service), key, &context, ciphertext).await.unwrap(), TEXT);
            for other in &others {
                assert_not_authentic(&decrypt(&service, &ncloud(&service), key, other, ciphertext).await);
            }
        }
        assert_not_authentic(&decrypt(&service, &ncloud(&service), other_key, &context, &first).await);
    });
}

#[test]
fn an_ordinary_key_has_other_ciphertexts_each_time_and_decrypts_none_of_a_convergent_one() {
    let name = "an_ordinary_key_has_other_ciphertexts_each_time_and_decrypts_none_of_a_convergent_one";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ordinary = new_key(&service, Algorithm::Aes256).await;
        let context = EncryptionContext::from_bytes(b"table 1".to_vec());
        let first = sealed(&service, ordinary, &context, TEXT).await;
        assert_ne!(sealed(&service, ordinary, &context, TEXT).await, first);
        let key = new_convergent_key(&service).await;
        let of_convergent = encrypt(&service, &ncloud(&service), key, &context).await.unwrap();
        for ciphertext in [of_convergent.ciphertext.clone(), text(&of_convergent)] {
            assert_not_authentic(&decrypt(&service, &ncloud(&service), ordinary, &context, &ciphertext).await);
        }
        // The suite is the second byte: neither kind of key opens an envelope that claims the other's.
        for (key, mut ciphertext, suite) in [(key, of_convergent.ciphertext, 5), (ordinary, first, 6)] {
            ciphertext[1] = suite;
            assert_not_authentic(&decrypt(&service, &ncloud(&service), key, &context, &ciphertext).await);
        }
    });
}

#[test]
fn only_aes_256_is_convergent_at_creation_and_later() {
    in_own_process(module_path!(), "only_aes_256_is_convergent_at_creation_and_later", async |core| {
        let service = Service::start(core).await;
        let key = new_convergent_key(&service).await;
        for algorithm in Algorithm::ALL {
            let request = CreateKey { convergent: true, ..request(&service, algorithm) };
            let created = service.kms.create_key(&ncloud(&service), request).await.map(drop);
            let patch = || KeyPatch { default_algorithm: Some(algorithm), ..KeyPatch::default() };
            let changed = update(&service, &service.ctx, key, patch()).await;
            if algorithm == Algorithm::Aes256 {
                created.unwrap();
                changed.unwrap();
            } else {
                assert_state(created, StateError::KeyIsConvergent);
                assert_state(changed, StateError::KeyIsConvergent);
            }
        }
        rotate(&service, &service.ctx, key).await;
        let all = service.versions(key).await;
        assert!(all.iter().all(|view| view.version.algorithm == Algorithm::Aes256));
    });
}

#[test]
fn a_restart_and_a_cold_cache_change_no_ciphertext() {
    in_own_process(module_path!(), "a_restart_and_a_cold_cache_change_no_ciphertext", async |core| {
        let mut service = Service::start(core).await;
        let key = new_convergent_key(&service).await;
        let context = convergent(b"table 1");
        let first = sealed(&service, key, &context, TEXT).await;
        service.restart();
        assert_eq!(sealed(&service, key, &context, TEXT).await, first);
        service.core.token.forget(service.primary(key).await).await;
        assert_eq!(sealed(&service, key, &context, TEXT).await, first);
        rotate(&service, &ncloud(&service), key).await;
        service.restart();
        assert_eq!(decrypt(&service, &ncloud(&service), key, &context, &first).await.unwrap(), TEXT);
    });
}

#[test]
fn other_dialects_use_a_convergent_key_where_kind_and_context_are_theirs() {
    let name = "other_dialects_use_a_convergent_key_where_kind_and_context_are_theirs";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let key = new_convergent_key(&service).await;
        for ctx in [yandex(&service), aws(&service), ncloud(&service)] {
            let refused = encrypt(&service, &ctx, key, &EncryptionContext::Empty).await;
            assert!(matches!(refused, Err(ServiceError::Value(ValueError::ContextRequired))), "{refused:?}");
        }
        let contexts = [&b"table 1"[..], b"table 2"].map(|bytes| EncryptionContext::from_bytes(bytes.to_vec()));
        for context in &contexts {
            let first = encrypt(&service, &ncloud(&service), key, context).await.unwrap().ciphertext;
            for ctx in [yandex(&service), aws(&service)] {
                assert_eq!(encrypt(&service, &ctx, key, context).await.unwrap().ciphertext, first);
                assert_eq!(decrypt(&service, &ctx, key, context, &first).await.unwrap(), TEXT);
                assert_not_authentic(&decrypt(&service, &ctx, key, &convergent(b"table 1"), &first).await);
            }
        }
    });
}

#[test]
fn a_native_re_encryption_out_of_a_convergent_key_and_into_one_keeps_the_plaintext() {
    let name = "a_native_re_encryption_out_of_a_convergent_key_and_into_one_keeps_the_plaintext";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let (key, ordinary) = (new_convergent_key(&service).await, new_key(&service, Algorithm::Aes256Hsm).await);
        let context = EncryptionContext::from_bytes(b"table 1".to_vec());
        let first = encrypt(&service, &service.ctx, key, &context).await.unwrap().ciphertext;
        let mut ciphertext = first.clone();
        for (from, to) in [(key, ordinary), (ordinary, key)] {
            let source = Decrypt { key_id: from, context: context.clone(), ciphertext };
            let request = claviger::service::request::ReEncrypt {
                source,
                key_id: to,
                version_id: None,
                context: context.clone(),
            };
            ciphertext = service.kms.re_encrypt(&service.ctx, request).await.unwrap().encrypted.ciphertext;
        }
        assert_eq!(ciphertext, first, "back where it came from, it is the same");
    });
}
