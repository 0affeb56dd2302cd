//! Refusals, limits and permissions of the use cases.

use super::{DAY, Service, in_own_process, settings};
use claviger::domain::Dialect;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::context::EncryptionContext;
use claviger::domain::error::StateError;
use claviger::domain::id::{FolderId, KeyId, MaterialId, PrincipalId};
use claviger::domain::key::Switch;
use claviger::service::directory::Recognised;
use claviger::service::error::{Missing, ServiceError};
use claviger::service::ports::Store;
use claviger::service::request::{CreateKey, Decrypt, Idempotency, KeyPatch, OnDemandRules, ReEncrypt, RequestContext};
use claviger::service::{Kms, KmsSettings};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

#[test]
fn every_algorithm_encrypts_and_binds_its_context() {
    in_own_process(module_path!(), "every_algorithm_encrypts_and_binds_its_context", async |core| {
        let service = Service::start(core).await;
        for algorithm in Algorithm::ALL {
            let key = service.create(algorithm, None).await;
            let ciphertext = service.encrypt(key, None).await.unwrap();
            assert_eq!(service.decrypt(key, &ciphertext).await.unwrap(), b"attack at dawn", "{algorithm:?}");
            for context in [EncryptionContext::Empty, EncryptionContext::Bytes(b"other".to_vec())] {
                let request = Decrypt { key_id: key, context, ciphertext: ciphertext.clone() };
                let refused = service.kms.decrypt(&service.ctx, request).await.unwrap_err();
                assert!(matches!(refused, ServiceError::NotAuthentic), "{refused:?}");
            }
        }
    });
}

#[test]
fn every_changed_bit_of_a_ciphertext_is_refused_as_not_authentic() {
    in_own_process(module_path!(), "every_changed_bit_of_a_ciphertext_is_refused_as_not_authentic", async |core| {
        let service = Service::start(core).await;
        for algorithm in [Algorithm::Aes256Hsm, Algorithm::Aes128] {
            let key = service.create(algorithm, None).await;
            let ciphertext = service.encrypt(key, None).await.unwrap();
            for bit in 0..ciphertext.len() * 8 {
                let mut changed = ciphertext.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let refused = service.decrypt(key, &changed).await.unwrap_err();
                assert!(matches!(refused, ServiceError::NotAuthentic), "bit {bit}: {refused:?}");
            }
            for length in 0..ciphertext.len() {
                let refused = service.decrypt(key, &ciphertext[..length]).await.unwrap_err();
                assert!(matches!(refused, ServiceError::NotAuthentic), "length {length}: {refused:?}");
            }
            assert!(service.decrypt(key, &ciphertext).await.is_ok());
        }
    });
}

#[test]
fn a_ciphertext_of_another_key_is_not_authentic() {
    in_own_process(module_path!(), "a_ciphertext_of_another_key_is_not_authentic", async |core| {
        let service = Service::start(core).await;
        let (one, other) =
            (service.create(Algorithm::Aes256Hsm, None).await, service.create(Algorithm::Aes256Hsm, None).await);
        let ciphertext = service.encrypt(one, None).await.unwrap();
        assert!(matches!(service.decrypt(other, &ciphertext).await, Err(ServiceError::NotAuthentic)));
    });
}

#[test]
fn an_old_version_encrypts_when_it_is_named_and_can_become_primary_again() {
    in_own_process(
        module_path!(),
        "an_old_version_encrypts_when_it_is_named_and_can_become_primary_again",
        async |core| {
            let service = Service::start(core).await;
            let key = service.create(Algorithm::Aes256Hsm, None).await;
            let old = service.primary(key).await;
            service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap();
            assert_ne!(service.primary(key).await, old);
            let ciphertext = service.encrypt(key, Some(old)).await.unwrap();
            assert_eq!(service.decrypt(key, &ciphertext).await.unwrap(), b"attack at dawn");
            service.kms.set_primary_version(&service.ctx, key, old).await.unwrap();
            assert_eq!(service.primary(key).await, old);
            let unknown = MaterialId::from_bytes([3; 16]);
            let refused = service.encrypt(key, Some(unknown)).await.unwrap_err();
            assert!(matches!(refused, ServiceError::NotFound { what: Missing::Version, .. }), "{refused:?}");
        },
    );
}

#[test]
fn an_inactive_key_neither_encrypts_nor_rotates_but_can_be_managed() {
    in_own_process(module_path!(), "an_inactive_key_neither_encrypts_nor_rotates_but_can_be_managed", async |core| {
        let service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        let old = service.primary(key).await;
        service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap();
        let off = KeyPatch { switch: Some(Switch::Inactive), ..KeyPatch::default() };
        service.kms.update_key(&service.ctx, key, off).await.unwrap();
        let refused = |error: ServiceError| matches!(error, ServiceError::State(StateError::KeyInactive));
        assert!(refused(service.encrypt(key, None).await.unwrap_err()));
        assert!(refused(service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap_err()));
        assert!(service.kms.schedule_version_destruction(&service.ctx, key, old, None).await.is_ok());
    });
}

#[test]
fn the_primary_version_and_short_waits_are_refused() {
    in_own_process(module_path!(), "the_primary_version_and_short_waits_are_refused", async |core| {
        let service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        let old = service.primary(key).await;
        let schedule =
            async |version, wait| service.kms.schedule_version_destruction(&service.ctx, key, version, wait).await;
        let refused = schedule(old, None).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::VersionIsPrimary)), "{refused:?}");
        service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap();
        let refused = schedule(old, Some(DAY / 2)).await.unwrap_err();
        assert!(matches!(refused, ServiceError::Value(_)), "{refused:?}");
        let refused = service.kms.cancel_version_destruction(&service.ctx, key, old).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::VersionNotScheduled)), "{refused:?}");
        schedule(old, None).await.unwrap();
        let refused = service.kms.set_primary_version(&service.ctx, key, old).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::VersionNotActive)), "{refused:?}");
    });
}

#[test]
fn deletion_protection_holds_until_it_is_switched_off() {
    in_own_process(module_path!(), "deletion_protection_holds_until_it_is_switched_off", async |core| {
        let service = Service::start(core).await;
        let request = CreateKey { deletion_protection: true, ..service.create_request(Algorithm::Aes256Hsm, None) };
        let key = service.kms.create_key(&service.ctx, request).await.unwrap().key_id;
        let refused = service.kms.delete_key(&service.ctx, key, None).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::DeletionProtected)), "{refused:?}");
        let patch = KeyPatch { deletion_protection: Some(false), ..KeyPatch::default() };
        service.kms.update_key(&service.ctx, key, patch).await.unwrap();
        assert!(service.kms.delete_key(&service.ctx, key, None).await.is_ok());
    });
}

#[test]
fn a_repeated_create_gets_the_first_answer_and_another_request_is_refused() {
    in_own_process(
        module_path!(),
        "a_repeated_create_gets_the_first_answer_and_another_request_is_refused",
        async |core| {
            let service = Service::start(core).await;
            let request = |fingerprint: u8| CreateKey {
                idempotency: Some(Idempotency { key: "once".into(), fingerprint: [fingerprint; 32] }),
                ..service.create_request(Algorithm::Aes256Hsm, None)
            };
            let create = |fingerprint| service.kms.create_key(&service.ctx, request(fingerprint));
            let (one, two) = tokio::join!(create(1), create(1));
            assert_eq!(one.unwrap(), two.unwrap(), "at the same moment too");
            assert!(matches!(create(2).await, Err(ServiceError::Invalid(_))));
            let listed = service.kms.keys(&service.ctx, service.ctx.caller.folder_id, None, 10).await.unwrap();
            assert_eq!(listed.items.len(), 1);
        },
    );
}

#[test]
fn strangers_find_nothing() {
    in_own_process(module_path!(), "strangers_find_nothing", async |core| {
        let service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        let mut stranger = RequestContext { ..service.ctx.clone() };
        stranger.caller.principal_id = PrincipalId::from_bytes([8; 16]);
        let hidden = service.kms.key(&stranger, key).await.unwrap_err();
        let unknown = service.kms.key(&stranger, KeyId::from_bytes([9; 16])).await.unwrap_err();
        assert_eq!(
            hidden.to_string().replace(&key.to_string(), "ID"),
            unknown.to_string().replace(&KeyId::from_bytes([9; 16]).to_string(), "ID")
        );
        stranger.caller.folder_id = FolderId::from_bytes([8; 16]);
        assert!(matches!(service.kms.key(&stranger, key).await, Err(ServiceError::NotFound { .. })));
        let listed = service.kms.keys(&stranger, service.ctx.caller.folder_id, None, 10).await.unwrap();
        assert!(listed.items.is_empty() && listed.next.is_none());
    });
}

#[test]
fn a_key_pending_deletion_is_hidden_from_the_native_dialect_alone() {
    in_own_process(module_path!(), "a_key_pending_deletion_is_hidden_from_the_native_dialect_alone", async |core| {
        let service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        service.kms.delete_key(&service.ctx, key, None).await.unwrap();
        let aws = RequestContext { dialect: Dialect::Aws, ..service.ctx.clone() };
        assert!(service.kms.key(&aws, key).await.is_ok());
        assert!(matches!(service.kms.key(&service.ctx, key).await, Err(ServiceError::NotFound { .. })));
    });
}

#[test]
fn re_encryption_moves_data_between_keys_and_contexts() {
    in_own_process(module_path!(), "re_encryption_moves_data_between_keys_and_contexts", async |core| {
        let service = Service::start(core).await;
        let (from, to) =
            (service.create(Algorithm::Aes256Hsm, None).await, service.create(Algorithm::Aes256, None).await);
        let ciphertext = service.encrypt(from, None).await.unwrap();
        let context = EncryptionContext::from_bytes(b"context".to_vec());
        let source = Decrypt { key_id: from, context: context.clone(), ciphertext };
        let request = ReEncrypt { source, key_id: to, version_id: None, context };
        let moved = service.kms.re_encrypt(&service.ctx, request).await.unwrap();
        assert_eq!(service.decrypt(to, &moved.encrypted.ciphertext).await.unwrap(), b"attack at dawn");
    });
}

#[test]
fn material_at_its_limit_refuses_and_near_it_is_rotated_if_it_has_a_schedule() {
    in_own_process(
        module_path!(),
        "material_at_its_limit_refuses_and_near_it_is_rotated_if_it_has_a_schedule",
        async |core| {
            let service = Service::start(core).await;
            let scheduled = service.create(Algorithm::Aes256Hsm, Some(DAY * 365)).await;
            let manual = service.create(Algorithm::Aes256Hsm, None).await;
            for key in [scheduled, manual] {
                let material = service.primary(key).await;
                service.store.lease_invocations(material, 1 << 31).await.unwrap();
                service.encrypt(key, None).await.unwrap();
            }
            let report = service.kms.maintain().await.unwrap();
            assert_eq!(report.rotated, 1, "only the key whose owner lets it rotate by itself");
            assert_eq!(service.versions(scheduled).await.len(), 2);

            let material = service.primary(manual).await;
            service.store.lease_invocations(material, 1 << 31).await.unwrap();
            let mut last = Ok(Vec::new());
            for _ in 0..5000 {
                last = service.encrypt(manual, None).await;
                if last.is_err() {
                    break;
                }
            }
            assert!(matches!(last, Err(ServiceError::InvocationLimit)), "{last:?}");
        },
    );
}

#[test]
fn the_version_limit_stops_rotation() {
    in_own_process(module_path!(), "the_version_limit_stops_rotation", async |core| {
        let service = Service::with(core, KmsSettings { max_versions_per_key: 2, ..settings() }).await;
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap();
        let refused = service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap_err();
        assert!(matches!(refused, ServiceError::VersionLimit { limit: 2 }), "{refused:?}");
    });
}

#[test]
fn tokens_are_valid_until_they_expire_or_are_revoked() {
    in_own_process(module_path!(), "tokens_are_valid_until_they_expire_or_are_revoked", async |core| {
        let service = Service::start(core).await;
        let principal = service.store.principal(service.ctx.caller.principal_id).await.unwrap().unwrap().value;
        let expires_at = service.kms.now().plus(DAY);
        let short = service.kms.issue_token(&principal, "short", Some(expires_at)).await.unwrap();
        let long = service.kms.issue_token(&principal, "long", None).await.unwrap();
        let directory = service.kms.directory();
        let known = async |text: &str| matches!(directory.by_token(text).await.unwrap(), Recognised::InForce(_));
        assert!(known(&short.text).await && known(&long.text).await && !known("clv1_unknown").await);
        service.clock.advance(DAY);
        assert!(!known(&short.text).await && known(&long.text).await);
        assert_eq!(service.kms.revoke_credentials(principal.id, "long").await.unwrap(), 1);
        assert!(!known(&long.text).await);
    });
}

/// A caller whose connection breaks is dropped wherever it waits.
#[test]
fn a_change_takes_effect_though_its_caller_went_away_while_it_was_stored() {
    let name = "a_change_takes_effect_though_its_caller_went_away_while_it_was_stored";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256, None).await;
        service.encrypt(key, None).await.unwrap();
        let off = KeyPatch { switch: Some(Switch::Inactive), ..KeyPatch::default() };
        let mut update = Box::pin(service.kms.update_key(&service.ctx, key, off));
        let stored = async || service.core.store.key(key).await.unwrap().unwrap().value.require_active().is_err();
        while !stored().await {
            let polled = poll_fn(|cx| Poll::Ready(update.as_mut().poll(cx).is_ready())).await;
            assert!(!polled, "the caller was answered before it could go away");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(update);
        let inactive = async { while service.encrypt(key, None).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(20), inactive).await.expect("the key still encrypts");
    });
}

#[test]
fn callers_that_go_away_waste_no_block_of_invocations() {
    in_own_process(module_path!(), "callers_that_go_away_waste_no_block_of_invocations", async |core| {
        let service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256, None).await;
        let version = service.primary(key).await;
        for _ in 0..20 {
            let mut encrypt = Box::pin(service.encrypt(key, None));
            poll_fn(|cx| Poll::Ready(encrypt.as_mut().poll(cx).is_ready())).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        service.encrypt(key, None).await.unwrap();
        assert_eq!(service.core.store.lease_invocations(version, 1).await.unwrap().from, 1 << 12);
    });
}

#[test]
fn a_rotation_and_a_change_of_the_algorithm_at_the_same_moment_both_succeed() {
    let name = "a_rotation_and_a_change_of_the_algorithm_at_the_same_moment_both_succeed";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        for algorithm in [Algorithm::Aes128, Algorithm::Aes256Hsm].repeat(20) {
            let patch = KeyPatch { default_algorithm: Some(algorithm), ..KeyPatch::default() };
            let rotated = service.kms.rotate_key(&service.ctx, key, OnDemandRules::default());
            let updated = service.kms.update_key(&service.ctx, key, patch);
            let (rotated, updated) = tokio::join!(rotated, updated);
            assert!(rotated.is_ok() && updated.is_ok(), "{rotated:?} {updated:?}");
        }
    });
}

/// Handlers are spawned on other threads, so every use case must be `Send`.
#[test]
fn use_cases_can_move_between_threads() {
    const fn assert_send<T: Send>(_: &T) {}
    fn check(kms: &Kms, ctx: &RequestContext, request: ReEncrypt) {
        assert_send(&kms.re_encrypt(ctx, request));
        assert_send(&kms.maintain());
        assert_send(&kms.restore_key(ctx, KeyId::from_bytes([0; 16]), None));
    }
    let _ = check;
}
