//! From where a key may be used, whichever dialect asks.

use super::*;
use crate::service::{DAY, in_own_process, settings};
use claviger::domain::address::MAX_ADDRESSES;
use claviger::domain::error::{StateError, ValueError};
use claviger::domain::key_pair::KeyPairSpec;
use claviger::service::addresses::AddressChange;
use claviger::service::lists_of_data::ListOf;
use claviger::service::request::{DryDecrypt, DryRun, GenerateDataKey, GenerateDataKeyPair, ReEncrypt};
use claviger::service::{AccessSettings, KmsSettings};
use std::collections::HashSet;

const HOME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

async fn change(service: &Service, key: KeyId, change: AddressChange) -> Result<(), ServiceError> {
    service.kms.change_addresses(&ncloud(service), key, change).await.map(drop)
}

/// Binds the key to one address.
async fn bind(service: &Service, key: KeyId) {
    change(service, key, AddressChange::Add(vec![HOME])).await.unwrap();
    change(service, key, AddressChange::Enable(true)).await.unwrap();
}

/// Every use of the key.
async fn uses(service: &Service, ctx: &RequestContext, key_id: KeyId, sealed: &[u8]) -> Vec<Result<(), ServiceError>> {
    let (kms, context, ciphertext) = (&service.kms, EncryptionContext::Empty, sealed.to_vec());
    let source = Decrypt { key_id, context: context.clone(), ciphertext: ciphertext.clone() };
    let data_key = GenerateDataKey { key_id, version_id: None, context: context.clone(), bytes: 32 };
    let pair = GenerateDataKeyPair { key_id, context: context.clone(), spec: KeyPairSpec::EccNistP256 };
    let re = ReEncrypt { source: source.clone(), key_id, version_id: None, context: context.clone() };
    let plaintexts = ListOf { key_id, context: context.clone(), items: vec![Zeroizing::new(TEXT.to_vec())] };
    let ciphertexts = || ListOf { key_id, context: context.clone(), items: vec![ciphertext.clone()] };
    let dry_decrypt = DryRun { decrypt: Some(DryDecrypt::Ciphertext(source)), encrypt: None, context: None };
    let dry_key =
        DryRun { decrypt: Some(DryDecrypt::Key(key_id)), encrypt: Some(key_id), context: Some(context.clone()) };
    vec![
        encrypt(service, ctx, key_id, &context).await.map(drop),
        decrypt(service, ctx, key_id, &context, sealed).await.map(drop),
        kms.generate_data_key(ctx, data_key).await.map(drop),
        kms.generate_data_key_pair(ctx, pair).await.map(drop),
        kms.re_encrypt(ctx, re).await.map(drop),
        kms.encrypt_list(ctx, plaintexts).await.map(drop),
        kms.decrypt_list(ctx, ciphertexts()).await.map(drop),
        kms.re_encrypt_list(ctx, ciphertexts()).await.map(drop),
        kms.dry_run(ctx, DryRun { encrypt: Some(key_id), ..DryRun::default() }).await,
        kms.dry_run(ctx, dry_decrypt).await,
        kms.dry_run(ctx, dry_key).await,
    ]
}

#[test]
fn a_list_that_binds_lets_nobody_use_the_key_from_elsewhere_in_any_dialect() {
    let name = "a_list_that_binds_lets_nobody_use_the_key_from_elsewhere_in_any_dialect";
    in_own_process(module_path!(), name, async |core| {
        let mut service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        let sealed = encrypt(&service, &service.ctx, key, &EncryptionContext::Empty).await.unwrap().ciphertext;
        bind(&service, key).await;
        for _ in 0..2 {
            for ctx in [ncloud(&service), yandex(&service), aws(&service)] {
                for result in uses(&service, &from(ctx.clone(), HOME), key, &sealed).await {
                    result.unwrap();
                }
                for ctx in [from(ctx.clone(), ELSEWHERE), ctx.clone()] {
                    for (number, result) in uses(&service, &ctx, key, &sealed).await.into_iter().enumerate() {
                        let denied = matches!(result, Err(ServiceError::AddressDenied));
                        assert!(denied, "{:?}, use {number}: {result:?}", ctx.dialect);
                    }
                    let shown = service.kms.key(&ctx, key).await.unwrap().key;
                    assert!(shown.addresses.is_enabled(), "management goes on from everywhere");
                    rotate(&service, &ctx, key).await;
                }
            }
            service.restart();
        }
    });
}

#[test]
fn a_change_of_the_list_binds_when_it_is_answered() {
    in_own_process(module_path!(), "a_change_of_the_list_binds_when_it_is_answered", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        let at_home = from(ncloud(&service), HOME);
        let may = async || match encrypt(&service, &at_home, key, &EncryptionContext::Empty).await {
            Ok(_) => true,
            Err(ServiceError::AddressDenied) => false,
            Err(other) => panic!("{other:?}"),
        };
        for (step, expected) in [
            (AddressChange::Enable(true), false),
            (AddressChange::Add(vec![HOME, ELSEWHERE]), true),
            (AddressChange::Remove(vec![HOME]), false),
            (AddressChange::Enable(false), true),
            (AddressChange::Add(vec![HOME]), true),
            (AddressChange::Enable(true), true),
            (AddressChange::Remove(vec![HOME, HOME]), false),
        ] {
            change(&service, key, step.clone()).await.unwrap();
            assert_eq!(may().await, expected, "after {step:?}");
        }
    });
}

#[test]
fn who_may_not_use_the_key_is_not_told_of_its_list() {
    in_own_process(module_path!(), "who_may_not_use_the_key_is_not_told_of_its_list", async |core| {
        use claviger::domain::access::{BindingDelta, PrincipalKind, Role};
        use claviger::service::ports::BindingScope;
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        bind(&service, key).await;
        let folder = service.ctx.caller.folder_id;
        let stranger = crate::service::access::person(&service, folder, PrincipalKind::User).await;
        let refused = encrypt(&service, &stranger, key, &EncryptionContext::Empty).await.map(drop);
        assert!(matches!(refused, Err(ServiceError::NotFound { .. })), "{refused:?}");
        let delta = BindingDelta::Add(crate::service::access::binding(Role::Viewer, &stranger));
        service.kms.update_access_bindings(&service.ctx, BindingScope::Key(key), vec![delta]).await.unwrap();
        let refused = encrypt(&service, &stranger, key, &EncryptionContext::Empty).await.map(drop);
        assert!(matches!(refused, Err(ServiceError::Denied)), "{refused:?}");
        let refused = service.kms.change_addresses(&stranger, key, AddressChange::Enable(false)).await;
        assert!(matches!(refused, Err(ServiceError::Denied)), "{refused:?}");
    });
}

#[test]
fn where_lists_bind_tokens_only_everybody_else_uses_the_key_from_everywhere() {
    let name = "where_lists_bind_tokens_only_everybody_else_uses_the_key_from_everywhere";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        bind(&service, key).await;
        let compatible = |folder| {
            let access =
                AccessSettings { addresses_bind_tokens_only_in: HashSet::from([folder]), ..AccessSettings::default() };
            service.another(|parts| parts.settings = KmsSettings { access, ..settings() })
        };
        let request = || Encrypt {
            key_id: key,
            version_id: None,
            context: EncryptionContext::Empty,
            plaintext: Zeroizing::new(TEXT.to_vec()),
        };
        let here = compatible(service.ctx.caller.folder_id);
        for ctx in [ncloud(&service), yandex(&service), aws(&service)] {
            assert!(here.encrypt(&from(ctx, ELSEWHERE), request()).await.is_ok());
        }
        let elsewhere = compatible(claviger::domain::id::FolderId::from_bytes([9; 16]));
        let refused = elsewhere.encrypt(&from(ncloud(&service), ELSEWHERE), request()).await.map(drop);
        assert!(matches!(refused, Err(ServiceError::AddressDenied)), "{refused:?}");
    });
}

#[test]
fn a_full_list_and_a_key_that_is_leaving_take_no_more_addresses() {
    in_own_process(module_path!(), "a_full_list_and_a_key_that_is_leaving_take_no_more_addresses", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        let many: Vec<_> = (1..).map(Ipv4Addr::from_bits).take(MAX_ADDRESSES).collect();
        change(&service, key, AddressChange::Add(many.clone())).await.unwrap();
        let refused = change(&service, key, AddressChange::Add(vec![HOME])).await;
        assert!(matches!(refused, Err(ServiceError::Value(ValueError::TooMany { .. }))), "{refused:?}");
        assert_eq!(stored(&service, key).await.addresses.addresses().collect::<Vec<_>>(), many);
        service.kms.delete_key(&ncloud(&service), key, Some(DAY * 3)).await.unwrap();
        for step in [AddressChange::Enable(true), AddressChange::Add(vec![]), AddressChange::Remove(many)] {
            assert_state(change(&service, key, step).await, StateError::KeyPendingDeletion);
        }
    });
}

#[test]
fn changes_of_one_list_that_meet_are_all_made() {
    in_own_process(module_path!(), "changes_of_one_list_that_meet_are_all_made", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        let adds = (1..=20).map(|number| change(&service, key, AddressChange::Add(vec![Ipv4Addr::from_bits(number)])));
        for result in futures_util::future::join_all(adds).await {
            result.unwrap();
        }
        assert_eq!(stored(&service, key).await.addresses.addresses().count(), 20);
    });
}
