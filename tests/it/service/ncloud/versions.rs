//! Versions that are switched off and on.

use super::*;
use crate::service::{HOUR, in_own_process};
use claviger::domain::error::StateError;
use claviger::domain::key::Switch;
use claviger::domain::version::VersionState;
use claviger::service::error::Missing;

async fn switch(service: &Service, key: KeyId, number: u32, switch: Switch) -> Result<(), ServiceError> {
    service.kms.switch_version(&ncloud(service), key, number, switch).await.map(drop)
}

#[test]
fn a_disabled_version_decrypts_for_nobody_until_it_is_enabled() {
    in_own_process(module_path!(), "a_disabled_version_decrypts_for_nobody_until_it_is_enabled", async |core| {
        let mut service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256Hsm).await;
        let context = EncryptionContext::Empty;
        let old = encrypt(&service, &ncloud(&service), key, &context).await.unwrap();
        rotate(&service, &ncloud(&service), key).await;
        assert_eq!(decrypt(&service, &service.ctx, key, &context, &old.ciphertext).await.unwrap(), TEXT);
        service.clock.advance(HOUR);
        let at = service.kms.now();
        switch(&service, key, 1, Switch::Inactive).await.unwrap();
        for _ in 0..2 {
            for ctx in [ncloud(&service), yandex(&service), aws(&service)] {
                let refused = decrypt(&service, &ctx, key, &context, &old.ciphertext).await;
                assert_state(refused, StateError::VersionNotActive);
                let named = encrypt_with(&service, &ctx, key, Some(old.version_id), &context, TEXT).await;
                assert_state(named, StateError::VersionNotActive);
                assert!(encrypt(&service, &ctx, key, &context).await.is_ok(), "the newest one encrypts");
            }
            service.restart();
        }
        let shown = service.versions(key).await.pop().unwrap().version;
        assert_eq!((shown.state, shown.state_since()), (VersionState::Disabled, at));
        switch(&service, key, 1, Switch::Inactive).await.unwrap();
        assert_eq!(service.versions(key).await.pop().unwrap().version.state_since(), at, "it was off already");
        service.clock.advance(HOUR);
        switch(&service, key, 1, Switch::Active).await.unwrap();
        assert_eq!(service.versions(key).await.pop().unwrap().version.state_since(), at.plus(HOUR));
        assert_eq!(decrypt(&service, &service.ctx, key, &context, &old.ciphertext).await.unwrap(), TEXT);
    });
}

#[test]
fn neither_the_newest_nor_the_primary_version_is_switched_off() {
    in_own_process(module_path!(), "neither_the_newest_nor_the_primary_version_is_switched_off", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        let first = service.primary(key).await;
        assert_state(switch(&service, key, 1, Switch::Inactive).await, StateError::VersionIsPrimary);
        rotate(&service, &ncloud(&service), key).await;
        assert_state(switch(&service, key, 2, Switch::Inactive).await, StateError::VersionIsPrimary);
        service.kms.set_primary_version(&service.ctx, key, first).await.unwrap();
        assert_state(switch(&service, key, 1, Switch::Inactive).await, StateError::VersionIsPrimary);
        assert_state(switch(&service, key, 2, Switch::Inactive).await, StateError::VersionIsNewest);
        for number in [0, 3, u32::MAX] {
            let refused = switch(&service, key, number, Switch::Active).await;
            assert!(matches!(refused, Err(ServiceError::NotFound { what: Missing::Version, .. })), "{refused:?}");
        }
    });
}

#[test]
fn versions_keep_their_own_switches_while_their_key_is_off() {
    in_own_process(module_path!(), "versions_keep_their_own_switches_while_their_key_is_off", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        for _ in 0..2 {
            rotate(&service, &ncloud(&service), key).await;
        }
        switch(&service, key, 1, Switch::Inactive).await.unwrap();
        let turn = |switch| KeyPatch { switch: Some(switch), ..KeyPatch::default() };
        update(&service, &ncloud(&service), key, turn(Switch::Inactive)).await.unwrap();
        for number in [1, 2, 3, 9] {
            for to in [Switch::Active, Switch::Inactive] {
                assert_state(switch(&service, key, number, to).await, StateError::KeyInactive);
            }
        }
        update(&service, &ncloud(&service), key, turn(Switch::Active)).await.unwrap();
        let states: Vec<_> = service.versions(key).await.into_iter().map(|view| view.version.state).collect();
        assert_eq!(states, [VersionState::Active, VersionState::Active, VersionState::Disabled]);
        let delete = service.kms.delete_key(&ncloud(&service), key, None).await;
        delete.unwrap();
        assert_state(switch(&service, key, 1, Switch::Active).await, StateError::KeyPendingDeletion);
    });
}
