//! What ends a token before its time.

use super::tokens::{generator, issue, key_with_generator, uses, with_token};
use super::*;
use crate::service::access::{binding, person};
use crate::service::{DAY, in_own_process};
use claviger::domain::access::{BindingDelta, PrincipalKind, Role};
use claviger::domain::key_token::TokenUse;
use claviger::service::key_tokens::{GeneratorChange, TokenOrder};
use claviger::service::ports::BindingScope;

const FOREVER: TokenOrder = (TokenUse::Access, None);

/// Somebody who may use the keys of the folder.
async fn user(service: &Service) -> RequestContext {
    let folder = service.ctx.caller.folder_id;
    let user = person(service, folder, PrincipalKind::ServiceAccount).await;
    let delta = BindingDelta::Add(binding(Role::KeysEncrypterDecrypter, &user));
    service.kms.update_access_bindings(&service.ctx, BindingScope::Folder(folder), vec![delta]).await.unwrap();
    RequestContext { dialect: claviger::domain::Dialect::Ncloud, ..user }
}

#[test]
fn a_token_ends_with_the_credential_that_it_was_issued_with() {
    in_own_process(module_path!(), "a_token_ends_with_the_credential_that_it_was_issued_with", async |core| {
        let mut service = Service::start(core).await;
        let key = key_with_generator(&service).await;
        let (one, other) = (user(&service).await, user(&service).await);
        let access = issue(&service, &one, key, FOREVER).await.unwrap();
        let of_other = issue(&service, &other, key, FOREVER).await.unwrap();
        let refresh = issue(&service, &one, key, (TokenUse::Refresh, None)).await.unwrap();
        let by_refresh = with_token(&service, &refresh).await.unwrap();
        let renewed = issue(&service, &by_refresh, key, FOREVER).await.unwrap();
        assert!(uses(&service, &access, key).await && uses(&service, &renewed, key).await);
        let kms = &service.kms;
        let revoked = kms.revoke_credentials(one.caller.principal_id, "tests").await.unwrap();
        assert_eq!(revoked, 1);
        let late = issue(&service, &by_refresh, key, FOREVER).await;
        assert!(matches!(late, Err(ServiceError::Unauthenticated)), "recognised before: {late:?}");
        for _ in 0..2 {
            for ended in [&access, &renewed, &refresh] {
                assert!(with_token(&service, ended).await.is_none());
            }
            assert!(uses(&service, &of_other, key).await);
            service.restart();
        }
    });
}

#[test]
fn a_token_ends_with_its_principal() {
    in_own_process(module_path!(), "a_token_ends_with_its_principal", async |core| {
        let service = Service::start(core).await;
        let key = key_with_generator(&service).await;
        let user = user(&service).await;
        let access = issue(&service, &user, key, FOREVER).await.unwrap();
        assert!(uses(&service, &access, key).await);
        service.kms.delete_principal(&service.ctx, user.caller.principal_id).await.unwrap();
        assert!(with_token(&service, &access).await.is_none());
    });
}

#[test]
fn a_token_gives_no_more_than_who_issued_it_has_now() {
    in_own_process(module_path!(), "a_token_gives_no_more_than_who_issued_it_has_now", async |core| {
        let service = Service::start(core).await;
        let key = key_with_generator(&service).await;
        let user = user(&service).await;
        let access = issue(&service, &user, key, FOREVER).await.unwrap();
        let ctx = with_token(&service, &access).await.unwrap();
        let scope = BindingScope::Folder(user.caller.folder_id);
        let change = async |delta| service.kms.update_access_bindings(&service.ctx, scope, vec![delta]).await.unwrap();
        change(BindingDelta::Add(binding(Role::Viewer, &user))).await;
        change(BindingDelta::Remove(binding(Role::KeysEncrypterDecrypter, &user))).await;
        let refused = encrypt(&service, &ctx, key, &EncryptionContext::Empty).await.map(drop);
        assert!(matches!(refused, Err(ServiceError::Denied)), "{refused:?}");
        change(BindingDelta::Remove(binding(Role::Viewer, &user))).await;
        let refused = encrypt(&service, &ctx, key, &EncryptionContext::Empty).await.map(drop);
        assert!(matches!(refused, Err(ServiceError::NotFound { .. })), "{refused:?}");
        change(BindingDelta::Add(binding(Role::KeysEncrypter, &user))).await;
        let sealed = encrypt(&service, &ctx, key, &EncryptionContext::Empty).await.unwrap();
        let refused = decrypt(&service, &ctx, key, &EncryptionContext::Empty, &sealed.ciphertext).await;
        assert!(matches!(refused, Err(ServiceError::Denied)), "{refused:?}");
    });
}

#[test]
fn all_tokens_end_when_the_generator_is_replaced_or_deleted() {
    in_own_process(module_path!(), "all_tokens_end_when_the_generator_is_replaced_or_deleted", async |core| {
        let mut service = Service::start(core).await;
        let (key, other) = (key_with_generator(&service).await, key_with_generator(&service).await);
        let ctx = ncloud(&service);
        let of_other = issue(&service, &ctx, other, FOREVER).await.unwrap();
        let mut ended = Vec::new();
        for changes in [
            &[GeneratorChange::Replace][..],
            &[GeneratorChange::Delete, GeneratorChange::Create],
            &[GeneratorChange::Replace, GeneratorChange::Replace],
            &[GeneratorChange::Delete],
        ] {
            let access = issue(&service, &ctx, key, FOREVER).await.unwrap();
            let refresh = issue(&service, &ctx, key, (TokenUse::Refresh, None)).await.unwrap();
            assert!(uses(&service, &access, key).await);
            for change in changes {
                generator(&service, key, *change).await.unwrap();
            }
            ended.push(access);
            let by_refresh = with_token(&service, &refresh).await.unwrap();
            let renewed = issue(&service, &by_refresh, key, FOREVER).await;
            assert!(matches!(renewed, Err(ServiceError::Unauthenticated)), "{renewed:?}");
            for _ in 0..2 {
                for access in &ended {
                    assert!(!uses(&service, access, key).await, "{changes:?}");
                }
                service.restart();
            }
        }
        let shown = service.kms.token_generator(&ctx, key).await.unwrap().unwrap();
        assert!(!shown.generator.is_active() && shown.generator.disabled_at.is_some(), "a deleted one is shown");
        assert!(uses(&service, &of_other, other).await, "other keys are not concerned");
    });
}

#[test]
fn tokens_of_a_leaving_key_are_good_again_when_it_is_restored_and_of_a_deleted_one_never() {
    let name = "tokens_of_a_leaving_key_are_good_again_when_it_is_restored_and_of_a_deleted_one_never";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        let key = key_with_generator(&service).await;
        let access = issue(&service, &ctx, key, FOREVER).await.unwrap();
        service.kms.delete_key(&ctx, key, Some(DAY * 3)).await.unwrap();
        let by_token = with_token(&service, &access).await.unwrap();
        let refused = encrypt(&service, &by_token, key, &EncryptionContext::Empty).await.map(drop);
        assert_state(refused, claviger::domain::error::StateError::KeyPendingDeletion);
        service.kms.restore_key(&ctx, key, None).await.unwrap();
        assert!(uses(&service, &access, key).await);
        service.kms.delete_key(&ctx, key, Some(DAY * 3)).await.unwrap();
        service.kms.delete_key_at_once(&ctx, key).await.unwrap();
        assert!(!uses(&service, &access, key).await);
    });
}

/// Whoever has been told that the generator was replaced sees no token of the old one used after that.
#[test]
fn no_use_that_begins_after_the_answer_to_a_replacement_is_made_with_an_old_token() {
    let name = "no_use_that_begins_after_the_answer_to_a_replacement_is_made_with_an_old_token";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        let key = key_with_generator(&service).await;
        for _ in 0..10 {
            let access = issue(&service, &ctx, key, FOREVER).await.unwrap();
            let users = futures_util::future::join_all((0..8).map(|_| uses(&service, &access, key)));
            let issues = futures_util::future::join_all((0..4).map(|_| issue(&service, &ctx, key, FOREVER)));
            let (_, replaced, issued) = tokio::join!(users, generator(&service, key, GeneratorChange::Replace), issues);
            replaced.unwrap();
            assert!(!uses(&service, &access, key).await);
            let mut good = 0;
            for text in issued {
                good += u64::from(uses(&service, &text.unwrap(), key).await);
            }
            let shown = service.kms.token_generator(&ctx, key).await.unwrap().unwrap();
            assert_eq!(shown.issued, good, "those that the new generator has counted are good, and no others");
        }
    });
}
