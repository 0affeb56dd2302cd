//! Principals: who sees them, who manages whom, and who stays.

use super::{Office, binding, every_kind, is_denied, is_invalid, is_missing};
use crate::service::in_own_process;
use claviger::domain::access::{BindingDelta, PrincipalKind, Role};
use claviger::domain::id::{FolderId, PrincipalId};
use claviger::service::error::{Missing, ServiceError};
use claviger::service::identity::{CreatePrincipal, IssueCredential, NewCredential};
use claviger::service::ports::{BindingScope, Principal};
use claviger::service::request::RequestContext;
use std::collections::HashSet;

async fn try_to_issue(office: &Office, ctx: &RequestContext, to: PrincipalId) -> Result<(), ServiceError> {
    let kind = NewCredential::ApiToken;
    let request = IssueCredential { principal_id: to, name: String::new(), expires_at: None, kind };
    office.kms().issue_credential(ctx, request).await.map(drop)
}

async fn try_to_create(office: &Office, ctx: &RequestContext, folder_id: FolderId) -> Result<Principal, ServiceError> {
    let request = CreatePrincipal { folder_id, kind: PrincipalKind::User, name: "new".into() };
    office.kms().create_principal(ctx, request).await
}

#[test]
fn who_may_not_see_principals_sees_itself_and_of_others_nothing() {
    in_own_process(module_path!(), "who_may_not_see_principals_sees_itself_and_of_others_nothing", async |core| {
        let office = Office::start(core).await;
        let (home, kms) = (office.home(), office.kms());
        let (one, other) = (office.account().await, office.account().await);
        let ctx = office.as_caller(&one).await;
        assert_eq!(kms.principal(&ctx, one.id).await.unwrap(), one);
        assert!(is_denied(&kms.principals(&ctx, home, None, 10).await));
        assert!(is_denied(&try_to_create(&office, &ctx, home).await));
        assert!(is_denied(&kms.delete_principal(&ctx, one.id).await));
        assert!(is_denied(&try_to_issue(&office, &ctx, one.id).await));
        let unknown = PrincipalId::from_bytes([9; 16]);
        for (ctx, id) in [(&ctx, other.id), (&ctx, unknown), (office.root(), unknown)] {
            let Err(ServiceError::NotFound { what: Missing::Principal, id: named }) = kms.principal(ctx, id).await
            else {
                unreachable!("it may not be shown");
            };
            assert_eq!(named, id.to_string());
            assert!(is_missing(&kms.delete_principal(ctx, id).await, Missing::Principal));
            assert!(is_missing(&try_to_issue(&office, ctx, id).await, Missing::Principal));
            assert!(is_missing(&kms.credentials(ctx, id, None, 10).await, Missing::Principal));
        }
        let elsewhere = office.folder("elsewhere").await;
        let there = office.principal(elsewhere, PrincipalKind::User).await;
        let viewer = office.with_role(home, BindingScope::Folder(home), Role::Viewer).await;
        assert_eq!(kms.principal(&viewer, other.id).await.unwrap(), other);
        assert!(is_denied(&kms.delete_principal(&viewer, other.id).await));
        assert!(is_missing(&kms.principal(&viewer, there.id).await, Missing::Principal));
        assert!(is_missing(&kms.principals(&viewer, elsewhere, None, 10).await, Missing::Folder));
    });
}

#[test]
fn deleted_principals_are_not_listed_but_can_be_looked_up() {
    in_own_process(module_path!(), "deleted_principals_are_not_listed_but_can_be_looked_up", async |core| {
        let office = Office::start(core).await;
        let folder = office.folder("a folder").await;
        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(office.principal(folder, PrincipalKind::User).await);
        }
        let gone = all.remove(2);
        let deleted = office.kms().delete_principal(office.root(), gone.id).await.unwrap();
        assert_eq!(deleted, Principal { deleted_at: Some(office.kms().now()), ..gone.clone() });
        assert_eq!(office.kms().principal(office.root(), gone.id).await.unwrap(), deleted);
        let first = office.kms().principals(office.root(), folder, None, 3).await.unwrap();
        let rest = office.kms().principals(office.root(), folder, first.next, 3).await.unwrap();
        let listed: HashSet<_> = first.items.into_iter().chain(rest.items).map(|it| it.id).collect();
        assert!(rest.next.is_none() && listed == all.iter().map(|it| it.id).collect());
        let again = office.kms().delete_principal(office.root(), gone.id).await;
        assert!(is_missing(&again, Missing::Principal), "{again:?}");
    });
}

#[test]
fn principals_are_made_in_folders_that_exist_with_names_of_some_length() {
    in_own_process(
        module_path!(),
        "principals_are_made_in_folders_that_exist_with_names_of_some_length",
        async |core| {
            let office = Office::start(core).await;
            let unknown = try_to_create(&office, office.root(), FolderId::from_bytes([9; 16])).await;
            assert!(is_missing(&unknown, Missing::Folder), "{unknown:?}");
            for (name, good) in [("", false), ("a", true), (&"\u{e4}".repeat(100), true), (&"a".repeat(101), false)] {
                let request =
                    CreatePrincipal { folder_id: office.home(), kind: PrincipalKind::User, name: name.to_owned() };
                let made = office.kms().create_principal(office.root(), request).await;
                assert!(if good { made.is_ok() } else { is_invalid(&made) }, "{name}: {made:?}");
            }
        },
    );
}

/// With a credential of a principal that has a role on the service, a folder's administrator would have that role.
#[test]
fn a_folders_administrator_does_not_manage_who_has_a_role_on_the_service() {
    let name = "a_folders_administrator_does_not_manage_who_has_a_role_on_the_service";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let (folder, kms) = (office.folder("a folder").await, office.kms());
        let admin = office.with_role(folder, BindingScope::Folder(folder), Role::Admin).await;
        for role in Role::ALL {
            let account = office.principal(folder, PrincipalKind::ServiceAccount).await;
            let (credential, _) = office.issue(&account, NewCredential::ApiToken).await;
            try_to_issue(&office, &admin, account.id).await.unwrap();
            office.bind(BindingScope::Service, role, &account).await;
            assert!(is_denied(&try_to_issue(&office, &admin, account.id).await), "{role:?}");
            assert!(is_denied(&kms.revoke_credential(&admin, credential).await), "{role:?}");
            assert!(is_denied(&kms.delete_principal(&admin, account.id).await), "{role:?}");
            assert!(kms.principal(&admin, account.id).await.is_ok(), "it is still seen");
            assert!(kms.credential(&admin, credential).await.is_ok());
            try_to_issue(&office, office.root(), account.id).await.unwrap();
            office.unbind(BindingScope::Service, role, &account).await;
            assert!(kms.revoke_credential(&admin, credential).await.is_ok(), "{role:?}");
            assert!(kms.delete_principal(&admin, account.id).await.is_ok(), "{role:?}");
        }
        let root_id = office.root().caller.principal_id;
        assert!(is_missing(&kms.delete_principal(&admin, root_id).await, Missing::Principal), "of another folder");
        assert!(kms.delete_principal(office.root(), admin.caller.principal_id).await.is_ok());
    });
}

#[test]
fn a_folders_administrator_manages_that_folder_alone() {
    in_own_process(module_path!(), "a_folders_administrator_manages_that_folder_alone", async |core| {
        let office = Office::start(core).await;
        let (mine, other, kms) = (office.folder("mine").await, office.folder("other").await, office.kms());
        let admin = office.with_role(mine, BindingScope::Folder(mine), Role::Admin).await;
        let account = try_to_create(&office, &admin, mine).await.unwrap();
        try_to_issue(&office, &admin, account.id).await.unwrap();
        assert!(kms.delete_principal(&admin, account.id).await.is_ok());
        let there = office.principal(other, PrincipalKind::User).await;
        assert!(is_missing(&try_to_create(&office, &admin, other).await, Missing::Folder));
        assert!(is_missing(&try_to_issue(&office, &admin, there.id).await, Missing::Principal));
        assert!(is_missing(&kms.delete_principal(&admin, there.id).await, Missing::Principal));
        // A role on one key of a folder says nothing about its principals.
        let foreign = office.with_role(mine, BindingScope::Folder(other), Role::KeysUser).await;
        assert!(is_denied(&try_to_create(&office, &foreign, other).await));
        assert!(is_missing(&kms.principal(&foreign, there.id).await, Missing::Principal));
    });
}

#[test]
fn nobody_deletes_itself_or_the_last_administrator_of_the_service() {
    in_own_process(module_path!(), "nobody_deletes_itself_or_the_last_administrator_of_the_service", async |core| {
        let office = Office::start(core).await;
        let (home, kms) = (office.home(), office.kms());
        let root_id = office.root().caller.principal_id;
        assert!(is_invalid(&kms.delete_principal(office.root(), root_id).await), "itself");
        let second = office.with_role(home, BindingScope::Service, Role::Admin).await;
        assert!(is_invalid(&kms.delete_principal(&second, second.caller.principal_id).await), "itself");
        assert!(kms.delete_principal(&second, root_id).await.is_ok(), "one is left");
        // Roles of who was deleted do not count, nor do those of subjects that are no principals of that kind.
        let ghost = Principal { kind: PrincipalKind::ServiceAccount, ..kms.principal(&second, root_id).await.unwrap() };
        let deltas = vec![BindingDelta::Add(binding(Role::Admin, &ghost))];
        kms.update_access_bindings(&second, BindingScope::Service, deltas).await.unwrap();
        let late = kms.delete_principal(office.root(), second.caller.principal_id).await;
        assert!(
            matches!(late, Err(ServiceError::Unauthenticated)),
            "a request of the first one that was under way: {late:?}"
        );
        assert!(kms.principal(&second, second.caller.principal_id).await.unwrap().deleted_at.is_none());
    });
}

#[test]
fn two_administrators_who_delete_each_other_at_the_same_moment_do_not_both_succeed() {
    let name = "two_administrators_who_delete_each_other_at_the_same_moment_do_not_both_succeed";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let (home, kms) = (office.home(), office.kms());
        let mut one = office.root().clone();
        for _ in 0..10 {
            let principal = try_to_create(&office, &one, home).await.unwrap();
            let deltas = vec![BindingDelta::Add(binding(Role::Admin, &principal))];
            kms.update_access_bindings(&one, BindingScope::Service, deltas).await.unwrap();
            let other = office.as_caller(&principal).await;
            let (a, b) = tokio::join!(
                kms.delete_principal(&one, other.caller.principal_id),
                kms.delete_principal(&other, one.caller.principal_id)
            );
            assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
            one = if a.is_ok() { one } else { other };
            let listed = kms.principals(&one, home, None, 100).await.unwrap().items;
            assert!(listed.iter().any(|it| it.id == one.caller.principal_id));
        }
    });
}

/// One takes the other's role while the other deletes the one.
#[test]
fn a_deletion_and_a_change_of_bindings_at_the_same_moment_leave_an_administrator() {
    let name = "a_deletion_and_a_change_of_bindings_at_the_same_moment_leave_an_administrator";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let (home, kms) = (office.home(), office.kms());
        let mut one = kms.principal(office.root(), office.root().caller.principal_id).await.unwrap();
        for _ in 0..10 {
            let ctx = office.as_caller(&one).await;
            let other = try_to_create(&office, &ctx, home).await.unwrap();
            let deltas = vec![BindingDelta::Add(binding(Role::Admin, &other))];
            kms.update_access_bindings(&ctx, BindingScope::Service, deltas).await.unwrap();
            let taken = vec![BindingDelta::Remove(binding(Role::Admin, &other))];
            let other_ctx = office.as_caller(&other).await;
            let (removed, deleted) = tokio::join!(
                kms.update_access_bindings(&ctx, BindingScope::Service, taken),
                kms.delete_principal(&other_ctx, one.id)
            );
            assert!(removed.is_ok() != deleted.is_ok(), "{removed:?} {deleted:?}");
            one = if deleted.is_ok() { other } else { one };
            let again = kms.access_bindings(&office.as_caller(&one).await, BindingScope::Service).await;
            assert!(again.is_ok(), "{again:?}");
        }
    });
}

#[test]
fn a_deletion_is_tried_again_when_somebody_else_was_faster() {
    in_own_process(module_path!(), "a_deletion_is_tried_again_when_somebody_else_was_faster", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        for kind in every_kind(1) {
            office.issue(&account, kind).await;
        }
        office.service.store.plant_conflicts(4);
        assert!(office.kms().delete_principal(office.root(), account.id).await.unwrap().deleted_at.is_some());
        let account = office.account().await;
        office.service.store.plant_conflicts(5);
        let refused = office.kms().delete_principal(office.root(), account.id).await;
        assert!(matches!(refused, Err(ServiceError::Conflict)), "{refused:?}");
        assert!(office.kms().principal(office.root(), account.id).await.unwrap().deleted_at.is_none());
    });
}
