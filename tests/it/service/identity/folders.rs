//! Folders: who makes them, and who sees which.

use super::{Office, is_denied, is_invalid, is_missing};
use crate::service::in_own_process;
use claviger::domain::access::{PrincipalKind, Role};
use claviger::domain::id::FolderId;
use claviger::service::error::{Missing, ServiceError};
use claviger::service::ports::{BindingScope, Principal};
use claviger::service::request::RequestContext;
use std::collections::HashSet;

async fn seen(office: &Office, ctx: &RequestContext) -> Vec<FolderId> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = office.kms().folders(ctx, after, 2).await.unwrap();
        all.extend(page.items.into_iter().map(|folder| folder.id));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

#[test]
fn everybody_sees_the_folders_in_which_a_role_lets_them() {
    in_own_process(module_path!(), "everybody_sees_the_folders_in_which_a_role_lets_them", async |core| {
        let office = Office::start(core).await;
        let mut all = vec![office.home()];
        for name in ["a", "b", "c", "d"] {
            all.push(office.folder(name).await);
        }
        assert_eq!(seen(&office, office.root()).await, all, "oldest first");
        let somebody = office.principal(all[1], PrincipalKind::User).await;
        let ctx = office.as_caller(&somebody).await;
        assert!(seen(&office, &ctx).await.is_empty(), "not even its own one, without a role");
        assert!(is_denied(&office.kms().folder(&ctx, all[1]).await));
        for (folder, role) in [(all[2], Role::Viewer), (all[4], Role::Operator), (all[3], Role::KeysEncrypter)] {
            office.bind(BindingScope::Folder(folder), role, &somebody).await;
        }
        assert_eq!(seen(&office, &ctx).await, [all[2], all[4]]);
        assert_eq!(office.kms().folder(&ctx, all[2]).await.unwrap().name, "b");
        assert!(is_denied(&office.kms().folder(&ctx, all[3]).await), "a role, but none that shows the folder");
        assert!(is_missing(&office.kms().folder(&ctx, office.home()).await, Missing::Folder));
        let unknown = FolderId::from_bytes([9; 16]);
        for ctx in [&ctx, office.root()] {
            assert!(is_missing(&office.kms().folder(ctx, unknown).await, Missing::Folder));
        }
        office.bind(BindingScope::Service, Role::Auditor, &somebody).await;
        assert_eq!(seen(&office, &ctx).await, all);
    });
}

#[test]
fn pages_begin_after_folders_that_the_caller_may_see_and_cost_nothing_for_others() {
    let name = "pages_begin_after_folders_that_the_caller_may_see_and_cost_nothing_for_others";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let mut all = vec![office.home()];
        for name in ["a", "b", "c", "d", "e"] {
            all.push(office.folder(name).await);
        }
        let somebody = office.account().await;
        let visible = [all[1], all[4]];
        for folder in visible {
            office.bind(BindingScope::Folder(folder), Role::Viewer, &somebody).await;
        }
        office.bind(BindingScope::Folder(all[2]), Role::KeysEncrypter, &somebody).await;
        let namesake = Principal { kind: PrincipalKind::User, ..somebody.clone() };
        office.bind(BindingScope::Folder(all[3]), Role::Viewer, &namesake).await;
        let ctx = office.as_caller(&somebody).await;
        office.service.store.take_reads();
        let first = office.kms().folders(&ctx, None, 1).await.unwrap();
        assert_eq!(first.next.map(|cursor| FolderId::from_bytes(cursor.id)), Some(all[1]));
        let second = office.kms().folders(&ctx, first.next, 1).await.unwrap();
        assert_eq!(second.next, None);
        assert_eq!([first.items[0].id, second.items[0].id], visible);
        let reads = office.service.store.take_reads();
        assert_eq!(reads.iter().filter(|read| **read == "folders_naming").count(), 2, "{reads:?}");
        assert!(reads.iter().filter(|read| **read == "bindings").count() <= 3, "service and two folders: {reads:?}");
    });
}

#[test]
fn a_changed_index_shows_no_folder_to_who_has_no_role_there() {
    in_own_process(module_path!(), "a_changed_index_shows_no_folder_to_who_has_no_role_there", async |core| {
        let office = Office::start(core).await;
        let (own, other) = (office.folder("own").await, office.folder("other").await);
        let caller = office.with_role(own, BindingScope::Folder(own), Role::Viewer).await;
        let everything = office.kms().folders(office.root(), None, 10).await.unwrap();
        assert!(everything.items.iter().any(|folder| folder.id == other));
        office.service.store.plant_folders(everything);
        let seen = office.kms().folders(&caller, None, 10).await.unwrap().items;
        assert_eq!(seen.into_iter().map(|folder| folder.id).collect::<Vec<_>>(), [own]);
    });
}

#[test]
fn folders_are_made_by_who_administers_the_service() {
    in_own_process(module_path!(), "folders_are_made_by_who_administers_the_service", async |core| {
        let office = Office::start(core).await;
        let home = office.home();
        let admin = office.with_role(home, BindingScope::Folder(home), Role::Admin).await;
        assert!(is_denied(&office.kms().create_folder(&admin, "mine".into()).await));
        assert!(is_denied(&office.kms().create_folder(&admin, String::new()).await), "before anything is looked at");
        for (name, good) in [("", false), ("a", true), (&"\u{e4}".repeat(100), true), (&"a".repeat(101), false)] {
            let made = office.kms().create_folder(office.root(), name.into()).await;
            assert!(if good { made.is_ok() } else { is_invalid(&made) }, "{name}: {made:?}");
        }
        let page = office.kms().folders(office.root(), None, 10).await.unwrap();
        let accounts: HashSet<_> = page.items.iter().map(|folder| folder.account_id.to_string()).collect();
        assert!(accounts.len() == 3 && accounts.iter().all(|account| account.len() == 12), "{accounts:?}");
    });
}

#[test]
fn a_folder_whose_account_number_is_taken_gets_another() {
    in_own_process(module_path!(), "a_folder_whose_account_number_is_taken_gets_another", async |core| {
        let office = Office::start(core).await;
        office.service.store.plant_conflicts(4);
        office.folder("a").await;
        office.service.store.plant_conflicts(5);
        let refused = office.kms().create_folder(office.root(), "b".into()).await;
        assert!(matches!(refused, Err(ServiceError::Conflict)), "{refused:?}");
    });
}
