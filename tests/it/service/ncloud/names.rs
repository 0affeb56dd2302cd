//! Names of keys, each of which one key of a folder has.

use super::*;
use crate::service::{DAY, in_own_process};
use claviger::service::ports::KeyFilter;
use claviger::service::request::Idempotency;

async fn create(service: &Service, name: &str) -> Result<KeyId, ServiceError> {
    let request = CreateKey { key_name: Some(short_name(name)), ..request(service, Algorithm::Aes128) };
    service.kms.create_key(&ncloud(service), request).await.map(|operation| operation.key_id)
}

async fn rename(service: &Service, key: KeyId, name: &str) -> Result<(), ServiceError> {
    let patch = KeyPatch { key_name: Some(short_name(name)), ..KeyPatch::default() };
    update(service, &ncloud(service), key, patch).await
}

fn is_taken<T: std::fmt::Debug>(result: &Result<T, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::Exists(_)))
}

async fn count(service: &Service) -> u64 {
    let filter = KeyFilter { region: None, pending_deletion: true };
    service.core.store.keys_at(service.ctx.caller.folder_id, filter, 0, 1).await.unwrap().total
}

async fn name_of(service: &Service, key: KeyId) -> Option<String> {
    stored(service, key).await.key_name.map(|name| name.as_str().to_owned())
}

#[test]
fn a_taken_name_is_refused_at_creation_and_when_a_key_is_renamed() {
    in_own_process(module_path!(), "a_taken_name_is_refused_at_creation_and_when_a_key_is_renamed", async |core| {
        let service = Service::start(core).await;
        let (orders, bills) = (create(&service, "orders").await.unwrap(), create(&service, "bills").await.unwrap());
        assert!(is_taken(&create(&service, "orders").await));
        assert!(is_taken(&rename(&service, bills, "orders").await));
        assert_eq!(name_of(&service, bills).await.as_deref(), Some("bills"));
        rename(&service, orders, "orders").await.unwrap();
        rename(&service, orders, "invoices").await.unwrap();
        rename(&service, bills, "orders").await.unwrap();
        assert_eq!(name_of(&service, orders).await.as_deref(), Some("invoices"));
        assert_eq!(name_of(&service, bills).await.as_deref(), Some("orders"));
        update(&service, &yandex(&service), bills, KeyPatch::default()).await.unwrap();
        assert_eq!(name_of(&service, bills).await.as_deref(), Some("orders"), "other changes leave it");
        let unnamed = service.create(Algorithm::Aes128, None).await;
        rename(&service, unnamed, "native").await.unwrap();
        assert_eq!(count(&service).await, 3);
    });
}

#[test]
fn a_leaving_key_keeps_its_name_until_it_is_deleted() {
    in_own_process(module_path!(), "a_leaving_key_keeps_its_name_until_it_is_deleted", async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        for at_once in [true, false] {
            let key = create(&service, "orders").await.unwrap();
            service.kms.delete_key(&ctx, key, Some(DAY * 3)).await.unwrap();
            assert!(is_taken(&create(&service, "orders").await));
            service.kms.restore_key(&ctx, key, None).await.unwrap();
            assert_eq!(name_of(&service, key).await.as_deref(), Some("orders"));
            service.kms.delete_key(&ctx, key, Some(DAY * 3)).await.unwrap();
            if at_once {
                service.kms.delete_key_at_once(&ctx, key).await.unwrap();
            } else {
                service.kms.maintain().await.unwrap();
                service.clock.advance(DAY * 3);
                assert_eq!(service.kms.maintain().await.unwrap().deleted, 1);
            }
            assert_eq!(name_of(&service, key).await, None);
        }
        create(&service, "orders").await.unwrap();
    });
}

#[test]
fn of_two_that_want_one_name_one_gets_it_and_the_other_is_told() {
    in_own_process(module_path!(), "of_two_that_want_one_name_one_gets_it_and_the_other_is_told", async |core| {
        let service = Service::start(core).await;
        for number in 0..8 {
            let name = format!("orders{number}");
            let before = count(&service).await;
            let (one, other) = tokio::join!(create(&service, &name), create(&service, &name));
            assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
            assert!(is_taken(&one) || is_taken(&other), "{one:?} {other:?}");
            assert_eq!(count(&service).await, before + 1);
            let (a, b) = (service.create(Algorithm::Aes128, None).await, service.create(Algorithm::Aes128, None).await);
            let name = format!("bills{number}");
            let (one, other) = tokio::join!(rename(&service, a, &name), rename(&service, b, &name));
            assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
            assert!(is_taken(&one) || is_taken(&other), "{one:?} {other:?}");
        }
    });
}

#[test]
fn a_conflict_about_something_else_is_no_taken_name() {
    in_own_process(module_path!(), "a_conflict_about_something_else_is_no_taken_name", async |core| {
        let service = Service::start(core).await;
        let key = create(&service, "orders").await.unwrap();
        service.store.plant_conflicts(1);
        assert!(matches!(rename(&service, key, "bills").await, Err(ServiceError::Conflict)));
        service.store.plant_conflicts(1);
        assert!(matches!(create(&service, "bills").await, Err(ServiceError::Conflict)));
        assert_eq!(name_of(&service, key).await.as_deref(), Some("orders"));
        rename(&service, key, "bills").await.unwrap();
    });
}

#[test]
fn a_repeated_request_gets_its_first_answer_though_its_name_is_taken_by_it() {
    let name = "a_repeated_request_gets_its_first_answer_though_its_name_is_taken_by_it";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        for number in 0..8 {
            let request = || CreateKey {
                key_name: Some(short_name(&format!("orders{number}"))),
                idempotency: Some(Idempotency { key: format!("client {number}"), fingerprint: [number; 32] }),
                ..request(&service, Algorithm::Aes128)
            };
            let ctx = ncloud(&service);
            let (one, other) =
                tokio::join!(service.kms.create_key(&ctx, request()), service.kms.create_key(&ctx, request()));
            assert_eq!(one.unwrap().id, other.unwrap().id);
        }
    });
}
