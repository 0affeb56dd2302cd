//! Several texts in one request.

use super::*;
use crate::service::identity::counting_token::CountingToken;
use crate::service::in_own_process;
use claviger::domain::error::StateError;
use claviger::domain::key::Switch;
use claviger::service::addresses::AddressChange;
use claviger::service::lists_of_data::ListOf;
use claviger::service::request::KeyPatch;
use std::sync::Arc;

fn list<T>(key_id: KeyId, items: Vec<T>) -> ListOf<T> {
    ListOf { key_id, context: EncryptionContext::Empty, items }
}

fn plaintexts(count: u8) -> Vec<Zeroizing<Vec<u8>>> {
    (0..count).map(|number| Zeroizing::new(vec![number; usize::from(number)])).collect()
}

async fn encrypt_list(service: &Service, key: KeyId, count: u8) -> Result<Vec<Encrypted>, ServiceError> {
    service.kms.encrypt_list(&ncloud(service), list(key, plaintexts(count))).await
}

async fn decrypt_list(service: &Service, key: KeyId, items: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, ServiceError> {
    let decrypted = service.kms.decrypt_list(&ncloud(service), list(key, items)).await?;
    Ok(decrypted.into_iter().map(|it| it.plaintext.to_vec()).collect())
}

async fn re_encrypt_list(service: &Service, key: KeyId, items: Vec<Vec<u8>>) -> Result<Vec<Encrypted>, ServiceError> {
    service.kms.re_encrypt_list(&ncloud(service), list(key, items)).await
}

fn texts(encrypted: &[Encrypted]) -> Vec<Vec<u8>> {
    encrypted.iter().map(text).collect()
}

#[test]
fn a_list_comes_back_in_its_order_under_one_version() {
    in_own_process(module_path!(), "a_list_comes_back_in_its_order_under_one_version", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256Hsm).await;
        let expected: Vec<_> = plaintexts(5).iter().map(|text| text.to_vec()).collect();
        let old = encrypt_list(&service, key, 5).await.unwrap();
        assert_eq!(old.iter().map(|it| it.version_number).collect::<Vec<_>>(), [1; 5]);
        assert_eq!(decrypt_list(&service, key, texts(&old)).await.unwrap(), expected);
        rotate(&service, &ncloud(&service), key).await;
        let new = re_encrypt_list(&service, key, texts(&old)).await.unwrap();
        assert_eq!(new.iter().map(|it| it.version_number).collect::<Vec<_>>(), [2; 5]);
        let mixed = [&texts(&old)[..2], &texts(&new)[2..]].concat();
        assert_eq!(decrypt_list(&service, key, mixed).await.unwrap(), expected);
        assert!(encrypt_list(&service, key, 0).await.unwrap().is_empty());
    });
}

#[test]
fn one_version_encrypts_the_whole_list_also_if_the_key_is_rotated_meanwhile() {
    let name = "one_version_encrypts_the_whole_list_also_if_the_key_is_rotated_meanwhile";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256Hsm).await;
        for _ in 0..5 {
            let (encrypted, ()) = tokio::join!(encrypt_list(&service, key, 100), async {
                rotate(&service, &ncloud(&service), key).await;
            });
            let encrypted = encrypted.unwrap();
            assert!(encrypted.iter().all(|it| it.version_number == encrypted[0].version_number));
            assert_eq!(decrypt_list(&service, key, texts(&encrypted)).await.unwrap().len(), 100);
        }
    });
}

#[test]
fn one_bad_text_spoils_its_list_wherever_it_is() {
    in_own_process(module_path!(), "one_bad_text_spoils_its_list_wherever_it_is", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        let good = texts(&encrypt_list(&service, key, 3).await.unwrap());
        let other = new_key(&service, Algorithm::Aes256).await;
        let foreign = texts(&encrypt_list(&service, other, 1).await.unwrap()).remove(0);
        for at in 0..3 {
            for bad in [foreign.clone(), b"ncpkms:v1:".to_vec(), Vec::new()] {
                let mut items = good.clone();
                items[at] = bad;
                assert_not_authentic(&decrypt_list(&service, key, items.clone()).await);
                assert_not_authentic(&re_encrypt_list(&service, key, items).await);
            }
        }
        let huge = vec![Zeroizing::new(vec![0; 1]), Zeroizing::new(vec![0; 64 << 20])];
        let refused = service.kms.encrypt_list(&ncloud(&service), list(key, huge)).await;
        assert!(matches!(refused, Err(ServiceError::TooLarge { .. })), "{:?}", refused.map(|list| list.len()));
    });
}

#[test]
fn a_list_is_refused_for_a_key_that_is_off() {
    in_own_process(module_path!(), "a_list_is_refused_for_a_key_that_is_off", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        let good = texts(&encrypt_list(&service, key, 2).await.unwrap());
        let off = KeyPatch { switch: Some(Switch::Inactive), ..KeyPatch::default() };
        update(&service, &ncloud(&service), key, off).await.unwrap();
        assert_state(encrypt_list(&service, key, 2).await, StateError::KeyInactive);
        assert_state(decrypt_list(&service, key, good.clone()).await, StateError::KeyInactive);
        assert_state(re_encrypt_list(&service, key, good).await, StateError::KeyInactive);
    });
}

#[test]
fn a_convergent_list_has_equal_texts_for_equal_items() {
    in_own_process(module_path!(), "a_convergent_list_has_equal_texts_for_equal_items", async |core| {
        let service = Service::start(core).await;
        let key_id = new_convergent_key(&service).await;
        let items = vec![Zeroizing::new(TEXT.to_vec()), Zeroizing::new(b"x".to_vec()), Zeroizing::new(TEXT.to_vec())];
        let list = ListOf { key_id, context: convergent(b"table 1"), items };
        let made = texts(&service.kms.encrypt_list(&ncloud(&service), list).await.unwrap());
        assert!(made[0] == made[2] && made[0] != made[1]);
        let again = ListOf { key_id, context: convergent(b"table 1"), items: made.clone() };
        assert_eq!(texts(&service.kms.re_encrypt_list(&ncloud(&service), again).await.unwrap()), made);
    });
}

#[test]
fn a_list_ends_where_the_key_is_switched_off_or_the_role_is_taken() {
    in_own_process(module_path!(), "a_list_ends_where_the_key_is_switched_off_or_the_role_is_taken", async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        let off = KeyPatch { switch: Some(Switch::Inactive), ..KeyPatch::default() };
        let bind_all = AddressChange::Enable(true);
        for denied in [false, true] {
            let key = new_key(&service, Algorithm::Aes256Hsm).await;
            let token = Arc::new(CountingToken::new(&service.core.token));
            let kms = service.another(|parts| parts.token = Arc::clone(&token) as _);
            let (reached, go_on) = token.pause_before(2);
            let (encrypted, ()) = tokio::join!(kms.encrypt_list(&ctx, list(key, plaintexts(9))), async {
                reached.await.unwrap();
                match denied {
                    false => kms.update_key(&ctx, key, off.clone()).await.map(drop).unwrap(),
                    true => kms.change_addresses(&ctx, key, bind_all.clone()).await.map(drop).unwrap(),
                }
                go_on.send(()).unwrap();
            });
            match (denied, &encrypted) {
                (false, Err(ServiceError::State(StateError::KeyInactive))) => {}
                (true, Err(ServiceError::AddressDenied)) => {}
                _ => panic!("{encrypted:?}"),
            }
        }
    });
}
