//! Tokens with which one key is used.

use super::*;
use crate::service::{DAY, HOUR, in_own_process};
use claviger::domain::access::{BindingDelta, BindingSet};
use claviger::domain::error::StateError;
use claviger::domain::key::Switch;
use claviger::domain::key_token::TokenUse;
use claviger::service::addresses::AddressChange;
use claviger::service::key_tokens::{GeneratorChange, TokenOrder};
use claviger::service::lists_of_data::ListOf;
use claviger::service::ports::BindingScope;
use claviger::service::request::{DryRun, GenerateDataKey};
use std::time::Duration;

const ACCESS: TokenOrder = (TokenUse::Access, Some(HOUR));
const REFRESH: TokenOrder = (TokenUse::Refresh, Some(DAY));

pub async fn generator(service: &Service, key: KeyId, change: GeneratorChange) -> Result<(), ServiceError> {
    service.kms.change_token_generator(&ncloud(service), key, change).await
}

/// A key with a generator.
pub async fn key_with_generator(service: &Service) -> KeyId {
    let key = new_key(service, Algorithm::Aes256).await;
    generator(service, key, GeneratorChange::Create).await.unwrap();
    key
}

pub async fn issue(
    service: &Service,
    ctx: &RequestContext,
    key: KeyId,
    order: TokenOrder,
) -> Result<String, ServiceError> {
    let [text] = service.kms.issue_key_tokens(ctx, key, [order]).await?;
    Ok(text.to_string())
}

/// A request with this token, if it is good.
pub async fn with_token(service: &Service, text: &str) -> Option<RequestContext> {
    let directory = service.kms.directory();
    let found = directory.by_key_token(text).await.unwrap().in_force();
    if let Some(remembered) = directory.remembered_by_key_token(text) {
        assert_eq!(Some(&remembered), found.as_ref());
    }
    let (caller, token) = found?;
    let ctx = ncloud(service);
    Some(RequestContext { caller, origin: Origin { key_token: Some(token), ..ctx.origin }, ..ctx })
}

async fn use_key(service: &Service, ctx: &RequestContext, key: KeyId) -> Result<(), ServiceError> {
    let sealed = encrypt(service, ctx, key, &EncryptionContext::Empty).await?;
    decrypt(service, ctx, key, &EncryptionContext::Empty, &text(&sealed)).await.map(drop)
}

/// Whether the token is good for using the key.
pub async fn uses(service: &Service, text: &str, key: KeyId) -> bool {
    let Some(ctx) = with_token(service, text).await else { return false };
    let result = use_key(service, &ctx, key).await;
    assert!(matches!(result, Ok(()) | Err(ServiceError::Unauthenticated)), "{result:?}");
    result.is_ok()
}

#[track_caller]
fn assert_unauthenticated<T: std::fmt::Debug>(result: &Result<T, ServiceError>, what: &str) {
    assert!(matches!(result, Err(ServiceError::Unauthenticated)), "{what}: {result:?}");
}

#[test]
fn an_access_token_uses_its_key_until_it_ends() {
    in_own_process(module_path!(), "an_access_token_uses_its_key_until_it_ends", async |core| {
        let mut service = Service::start(core).await;
        let key = key_with_generator(&service).await;
        let access = issue(&service, &ncloud(&service), key, ACCESS).await.unwrap();
        let forever = issue(&service, &ncloud(&service), key, (TokenUse::Access, None)).await.unwrap();
        for _ in 0..2 {
            assert!(uses(&service, &access, key).await && uses(&service, &forever, key).await);
            service.restart();
        }
        service.clock.advance(HOUR - Duration::from_micros(1));
        assert!(uses(&service, &access, key).await);
        service.clock.advance(Duration::from_micros(1));
        assert!(!uses(&service, &access, key).await, "its hour is over");
        service.clock.advance(DAY * 365 * 50);
        assert!(uses(&service, &forever, key).await);
        for bad in ["", "clvk1_", &access[..access.len() - 1], &format!("{access}A")] {
            assert!(with_token(&service, bad).await.is_none(), "{bad}");
        }
    });
}

#[test]
fn an_access_token_reaches_lists_data_keys_and_dry_runs_of_its_key_only() {
    let name = "an_access_token_reaches_lists_data_keys_and_dry_runs_of_its_key_only";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let (key, other) = (key_with_generator(&service).await, key_with_generator(&service).await);
        let access = issue(&service, &ncloud(&service), key, ACCESS).await.unwrap();
        let ctx = with_token(&service, &access).await.unwrap();
        let unknown = KeyId::from_bytes([0x77; 16]);
        for (key_id, good) in [(key, true), (other, false), (unknown, false)] {
            let items = vec![Zeroizing::new(TEXT.to_vec())];
            let list = ListOf { key_id, context: EncryptionContext::Empty, items };
            let data_key = GenerateDataKey { key_id, version_id: None, context: EncryptionContext::Empty, bytes: 32 };
            let results = [
                use_key(&service, &ctx, key_id).await,
                service.kms.encrypt_list(&ctx, list).await.map(drop),
                service.kms.generate_data_key(&ctx, data_key).await.map(drop),
                service.kms.dry_run(&ctx, DryRun { encrypt: Some(key_id), ..DryRun::default() }).await,
            ];
            for result in results {
                if good {
                    result.unwrap();
                } else {
                    assert_unauthenticated(&result, "known and unknown keys alike");
                }
            }
        }
    });
}

#[test]
fn no_token_manages_anything() {
    in_own_process(module_path!(), "no_token_manages_anything", async |core| {
        let service = Service::start(core).await;
        let key = key_with_generator(&service).await;
        let kms = &service.kms;
        for order in [ACCESS, REFRESH] {
            let issued = issue(&service, &ncloud(&service), key, order).await.unwrap();
            let ctx = &with_token(&service, &issued).await.unwrap();
            let before = stored(&service, key).await;
            let nobody = BindingScope::Key(key);
            let results = [
                update(&service, ctx, key, KeyPatch::default()).await,
                kms.rotate_key(ctx, key, OnDemandRules::default()).await.map(drop),
                kms.switch_version(ctx, key, 1, Switch::Inactive).await.map(drop),
                kms.delete_key(ctx, key, None).await.map(drop),
                kms.delete_key_at_once(ctx, key).await,
                kms.restore_key(ctx, key, None).await.map(drop),
                kms.change_addresses(ctx, key, AddressChange::Enable(false)).await.map(drop),
                kms.change_token_generator(ctx, key, GeneratorChange::Replace).await,
                kms.access_bindings(ctx, nobody).await.map(drop),
                kms.set_access_bindings(ctx, nobody, BindingSet::default()).await.map(drop),
                kms.update_access_bindings(ctx, nobody, Vec::<BindingDelta>::new()).await.map(drop),
            ];
            for (number, result) in results.iter().enumerate() {
                assert_unauthenticated(result, &format!("{order:?}, change {number}"));
            }
            let folder = BindingScope::Folder(ctx.caller.folder_id);
            let results = [
                kms.create_key(ctx, request(&service, Algorithm::Aes128)).await.map(drop),
                kms.keys(ctx, ctx.caller.folder_id, None, 10).await.map(drop),
                kms.access_bindings(ctx, folder).await.map(drop),
                kms.confirm_clock(ctx).await,
            ];
            for result in &results {
                assert!(matches!(result, Err(ServiceError::Denied)), "{order:?}: {result:?}");
            }
            let own = ctx.caller.principal_id;
            assert!(kms.principal(ctx, own).await.is_err(), "not even who issued it is shown");
            assert!(kms.credentials(ctx, own, None, 10).await.is_err());
            assert!(kms.credential(ctx, ctx.caller.credential_id).await.is_err());
            assert!(kms.revoke_credential(ctx, ctx.caller.credential_id).await.is_err());
            assert_eq!(stored(&service, key).await, before);
        }
    });
}

#[test]
fn a_refresh_token_renews_and_an_access_token_does_not() {
    in_own_process(module_path!(), "a_refresh_token_renews_and_an_access_token_does_not", async |core| {
        let service = Service::start(core).await;
        let key = key_with_generator(&service).await;
        let ctx = ncloud(&service);
        let [access, refresh] = service.kms.issue_key_tokens(&ctx, key, [ACCESS, REFRESH]).await.unwrap();
        let by_access = with_token(&service, &access).await.unwrap();
        assert_unauthenticated(&issue(&service, &by_access, key, ACCESS).await, "an access token");
        let by_refresh = with_token(&service, &refresh).await.unwrap();
        assert_unauthenticated(&use_key(&service, &by_refresh, key).await, "a refresh token");
        service.clock.advance(HOUR * 2);
        assert!(!uses(&service, &access, key).await);
        let by_refresh = with_token(&service, &refresh).await.unwrap();
        let [again, refresh_again] = service.kms.issue_key_tokens(&by_refresh, key, [ACCESS, REFRESH]).await.unwrap();
        assert!(uses(&service, &again, key).await);
        assert!(with_token(&service, &refresh).await.is_some(), "the old pair stays valid");
        service.clock.advance(DAY - HOUR * 2);
        assert!(with_token(&service, &refresh).await.is_none(), "its day is over");
        let by_refresh = with_token(&service, &refresh_again).await.unwrap();
        let third = issue(&service, &by_refresh, key, ACCESS).await.unwrap();
        assert!(uses(&service, &third, key).await);
        assert_eq!(service.kms.token_generator(&ncloud(&service), key).await.unwrap().unwrap().issued, 5);
    });
}

#[test]
fn tokens_are_issued_for_an_active_key_with_a_generator_and_counted() {
    in_own_process(module_path!(), "tokens_are_issued_for_an_active_key_with_a_generator_and_counted", async |core| {
        let mut service = Service::start(core).await;
        let ctx = ncloud(&service);
        let key = new_key(&service, Algorithm::Aes256).await;
        assert_eq!(service.kms.token_generator(&ctx, key).await.unwrap(), None);
        assert_state(issue(&service, &ctx, key, ACCESS).await, StateError::NoTokenGenerator);
        assert_state(generator(&service, key, GeneratorChange::Replace).await, StateError::NoTokenGenerator);
        generator(&service, key, GeneratorChange::Delete).await.unwrap();
        generator(&service, key, GeneratorChange::Create).await.unwrap();
        for number in 1..=3 {
            let [one, other] = service.kms.issue_key_tokens(&ctx, key, [ACCESS, ACCESS]).await.unwrap();
            assert_ne!(*one, *other);
            service.restart();
            let shown = service.kms.token_generator(&ctx, key).await.unwrap().unwrap();
            assert_eq!((shown.issued, shown.generator.is_active()), (number * 2, true));
        }
        let first = service.kms.token_generator(&ctx, key).await.unwrap();
        generator(&service, key, GeneratorChange::Create).await.unwrap();
        assert_eq!(service.kms.token_generator(&ctx, key).await.unwrap(), first, "one that is there stays");
        let off = |switch| KeyPatch { switch: Some(switch), ..KeyPatch::default() };
        update(&service, &ctx, key, off(Switch::Inactive)).await.unwrap();
        assert_state(issue(&service, &ctx, key, ACCESS).await, StateError::KeyInactive);
        generator(&service, key, GeneratorChange::Replace).await.unwrap();
        update(&service, &ctx, key, off(Switch::Active)).await.unwrap();
        service.kms.delete_key(&ctx, key, Some(DAY * 3)).await.unwrap();
        assert_state(issue(&service, &ctx, key, ACCESS).await, StateError::KeyPendingDeletion);
        assert_state(service.kms.token_generator(&ctx, key).await, StateError::KeyPendingDeletion);
        assert_state(generator(&service, key, GeneratorChange::Replace).await, StateError::KeyPendingDeletion);
        generator(&service, key, GeneratorChange::Delete).await.unwrap();
    });
}

#[test]
fn the_list_of_addresses_binds_tokens_of_both_kinds() {
    in_own_process(module_path!(), "the_list_of_addresses_binds_tokens_of_both_kinds", async |core| {
        let service = Service::start(core).await;
        let key = key_with_generator(&service).await;
        let ctx = ncloud(&service);
        let [access, refresh] = service.kms.issue_key_tokens(&ctx, key, [ACCESS, REFRESH]).await.unwrap();
        let home = Ipv4Addr::new(192, 0, 2, 1);
        for change in [AddressChange::Add(vec![home]), AddressChange::Enable(true)] {
            service.kms.change_addresses(&ctx, key, change).await.unwrap();
        }
        let by_access = with_token(&service, &access).await.unwrap();
        let by_refresh = with_token(&service, &refresh).await.unwrap();
        use_key(&service, &from(by_access.clone(), home), key).await.unwrap();
        issue(&service, &from(by_refresh.clone(), home), key, ACCESS).await.unwrap();
        let elsewhere = Ipv4Addr::new(192, 0, 2, 2);
        for result in [
            use_key(&service, &from(by_access, elsewhere), key).await,
            issue(&service, &from(by_refresh.clone(), elsewhere), key, ACCESS).await.map(drop),
            issue(&service, &by_refresh, key, ACCESS).await.map(drop),
        ] {
            assert!(matches!(result, Err(ServiceError::AddressDenied)), "{result:?}");
        }
        issue(&service, &from(ctx, elsewhere), key, ACCESS).await.unwrap();
    });
}

/// Who may only view a key must not keep others from it.
#[test]
fn issuing_tokens_changes_nothing_of_the_key_and_waits_for_nobody_who_does() {
    let name = "issuing_tokens_changes_nothing_of_the_key_and_waits_for_nobody_who_does";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let key = key_with_generator(&service).await;
        let before = service.core.store.key(key).await.unwrap().unwrap();
        for _ in 0..3 {
            issue(&service, &ncloud(&service), key, ACCESS).await.unwrap();
        }
        assert_eq!(service.core.store.key(key).await.unwrap().unwrap(), before);
        assert!(service.kms.key_operations(&service.ctx, key, None, 10).await.unwrap().items.len() == 2);
    });
}
