//! Ciphertexts that name their version by number.

use super::*;
use crate::service::{DAY, in_own_process};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claviger::domain::error::StateError;
use claviger::domain::key::Switch;

/// A key of each kind, and what it is used with.
async fn kinds(service: &Service) -> Vec<(KeyId, EncryptionContext)> {
    let mut kinds = Vec::new();
    for algorithm in Algorithm::ALL {
        kinds.push((new_key(service, algorithm).await, EncryptionContext::Empty));
    }
    kinds.push((new_convergent_key(service).await, convergent(b"table 1")));
    kinds
}

fn with_number(number: u32, body: &[u8]) -> Vec<u8> {
    format!("ncpkms:v{number}:{}", STANDARD.encode(body)).into_bytes()
}

#[test]
fn texts_of_all_versions_of_all_kinds_of_keys_are_decrypted() {
    in_own_process(module_path!(), "texts_of_all_versions_of_all_kinds_of_keys_are_decrypted", async |core| {
        let mut service = Service::start(core).await;
        let mut made = Vec::new();
        for (key, context) in kinds(&service).await {
            for number in 1..=3 {
                let encrypted = encrypt(&service, &ncloud(&service), key, &context).await.unwrap();
                assert_eq!(encrypted.version_number, number);
                made.push((key, context.clone(), encrypted));
                rotate(&service, &ncloud(&service), key).await;
            }
        }
        for _ in 0..2 {
            for (key, context, encrypted) in &made {
                let text = text(encrypted);
                assert!(text.starts_with(format!("ncpkms:v{}:", encrypted.version_number).as_bytes()));
                assert_eq!(decrypt(&service, &ncloud(&service), *key, context, &text).await.unwrap(), TEXT);
                assert_eq!(decrypt(&service, &yandex(&service), *key, context, &text).await.unwrap(), TEXT);
                assert_eq!(decrypt(&service, &aws(&service), *key, context, &text).await.unwrap(), TEXT);
            }
            service.restart();
        }
    });
}

#[test]
fn a_text_under_another_number_key_or_context_is_not_authentic() {
    in_own_process(module_path!(), "a_text_under_another_number_key_or_context_is_not_authentic", async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        let others = kinds(&service).await;
        for (key, context) in kinds(&service).await {
            let encrypted = encrypt(&service, &ctx, key, &context).await.unwrap();
            rotate(&service, &ctx, key).await;
            let body = &encrypted.ciphertext[35..];
            assert_eq!(text(&encrypted), with_number(1, body), "nothing of the header is in the text");
            for number in [2, 3, u32::MAX] {
                assert_not_authentic(&decrypt(&service, &ctx, key, &context, &with_number(number, body)).await);
            }
            for (other, _) in &others {
                assert_not_decrypted(&decrypt(&service, &ctx, *other, &context, &text(&encrypted)).await);
            }
            let wrong = EncryptionContext::from_bytes(b"another".to_vec());
            assert_not_authentic(&decrypt(&service, &ctx, key, &wrong, &text(&encrypted)).await);
            for at in [0, body.len() / 2, body.len() - 1] {
                let mut changed = body.to_vec();
                changed[at] ^= 1;
                assert_not_authentic(&decrypt(&service, &ctx, key, &context, &with_number(1, &changed)).await);
            }
            for short in [&body[..17], &body[..27], &body[..body.len() - 1], &[]] {
                assert_not_authentic(&decrypt(&service, &ctx, key, &context, &with_number(1, short)).await);
            }
        }
    });
}

#[test]
fn a_whole_envelope_after_the_prefix_is_decrypted_under_its_number_only() {
    let name = "a_whole_envelope_after_the_prefix_is_decrypted_under_its_number_only";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        for (key, context) in kinds(&service).await {
            let envelope = encrypt(&service, &yandex(&service), key, &context).await.unwrap().ciphertext;
            rotate(&service, &ctx, key).await;
            assert_eq!(decrypt(&service, &ctx, key, &context, &with_number(1, &envelope)).await.unwrap(), TEXT);
            for number in [2, 3] {
                assert_not_authentic(&decrypt(&service, &ctx, key, &context, &with_number(number, &envelope)).await);
            }
            let another = new_key(&service, Algorithm::Aes256).await;
            assert_not_decrypted(&decrypt(&service, &ctx, another, &context, &with_number(1, &envelope)).await);
            let nested = with_number(1, &with_number(1, &envelope));
            assert_not_authentic(&decrypt(&service, &ctx, key, &context, &nested).await);
        }
    });
}

#[test]
fn a_text_of_a_disabled_scheduled_or_destroyed_version_is_refused_by_its_state() {
    let name = "a_text_of_a_disabled_scheduled_or_destroyed_version_is_refused_by_its_state";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        for (key, context) in kinds(&service).await {
            let old = service.primary(key).await;
            let encrypted = encrypt(&service, &ctx, key, &context).await.unwrap();
            rotate(&service, &ctx, key).await;
            let both = [text(&encrypted), with_number(1, &encrypted.ciphertext)];
            let refused = async |expected: StateError| {
                for ciphertext in &both {
                    assert_state(decrypt(&service, &ctx, key, &context, ciphertext).await, expected.clone());
                }
            };
            service.kms.switch_version(&ctx, key, 1, Switch::Inactive).await.unwrap();
            refused(StateError::VersionNotActive).await;
            service.kms.switch_version(&ctx, key, 1, Switch::Active).await.unwrap();
            for ciphertext in &both {
                assert_eq!(decrypt(&service, &ctx, key, &context, ciphertext).await.unwrap(), TEXT);
            }
            service.kms.schedule_version_destruction(&service.ctx, key, old, Some(DAY)).await.unwrap();
            refused(StateError::VersionNotActive).await;
            service.kms.maintain().await.unwrap();
            service.clock.advance(DAY);
            service.kms.maintain().await.unwrap();
            refused(StateError::VersionDestroyed).await;
        }
    });
}

#[test]
fn texts_of_old_versions_are_decrypted_from_memory() {
    in_own_process(module_path!(), "texts_of_old_versions_are_decrypted_from_memory", async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        for (key, context) in kinds(&service).await {
            let encrypted = encrypt(&service, &ctx, key, &context).await.unwrap();
            rotate(&service, &ctx, key).await;
            let newer = encrypt(&service, &ctx, key, &context).await.unwrap();
            rotate(&service, &ctx, key).await;
            let texts = [text(&encrypted), text(&newer)];
            for text in &texts {
                assert_eq!(decrypt(&service, &ctx, key, &context, text).await.unwrap(), TEXT);
            }
            service.store.take_reads();
            for text in texts.iter().cycle().take(6) {
                assert_eq!(decrypt(&service, &ctx, key, &context, text).await.unwrap(), TEXT);
            }
            let envelope = &encrypted.ciphertext;
            assert_eq!(decrypt(&service, &yandex(&service), key, &context, envelope).await.unwrap(), TEXT);
            assert_not_authentic(&decrypt(&service, &ctx, key, &context, &with_number(9, &[0; 60])).await);
            assert_eq!(service.store.take_reads(), Vec::<&str>::new());
        }
    });
}
