//! Folders: who makes them, and who sees which.

use super::{Office, is_denied, is_invalid, is_missing};
use crate::service::in_own_process;
use claviger::domain::access::{PrincipalKind, Role};
use claviger::domain::id::FolderId;
use claviger::service::error::{Missing, ServiceError};
use claviger::service::ports::BindingScope;
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
