//! Pages of folders, principals, credentials and of the keys that name a principal.

use super::fixture::{
    Db, access_key, at, bytes, credential, folder, folder_id, insert_key, key, key_id, other_principal_id, principal,
    principal_id, put, viewers,
};
use claviger::domain::access::{Binding, BindingSet, Permission, PrincipalKind, Role, Subject, SubjectKind};
use claviger::domain::id::{AccountId, FolderId, KeyId, PrincipalId};
use claviger::domain::key::{Key, KeyState, Switch};
use claviger::service::ports::KeyFilter;
use claviger::service::ports::{
    BindingScope, Change, CredentialRecord, Cursor, Folder, Page, Principal, Store, StoreError, Stored,
};
use std::collections::BTreeSet;

/// All rows of a list, read in pages of three.
async fn all<T>(read: impl AsyncFn(Option<Cursor>, u32) -> Result<Page<T>, StoreError>) -> Vec<T> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = read(after, 3).await.unwrap();
        assert!(page.items.len() == 3 || page.next.is_none());
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

async fn naming(db: &Db, principal: PrincipalId) -> Vec<KeyId> {
    let principal = (PrincipalKind::ServiceAccount, principal);
    let keys = all(async |after, limit| {
        db.store.keys_naming(principal, folder_id(), KeyFilter::default(), after, limit).await
    })
    .await;
    keys.into_iter().map(|view| view.key.id).collect()
}

async fn bind(db: &Db, number: u32, set: BindingSet) {
    let scope = BindingScope::Key(key_id(number));
    let row_seq = db.store.bindings(scope).await.unwrap().row_seq;
    db.store.commit(vec![put(scope, set, row_seq)]).await.unwrap();
}

async fn shown(db: &Db, principal: PrincipalId) -> Vec<FolderId> {
    let principal = (PrincipalKind::ServiceAccount, principal);
    let folders = all(async |after, limit| db.store.folders_naming(principal, after, limit).await).await;
    folders.into_iter().map(|folder| folder.id).collect()
}

fn rows_of(db: &Db, table: &str) -> i64 {
    db.raw().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

async fn set_state(db: &Db, number: u32, state: KeyState) {
    let mut stored = db.key(number).await;
    stored.value.state = state;
    db.store.commit(vec![Change::UpdateKey(Box::new(stored))]).await.unwrap();
}

/// Ages that are shared by some rows, so that the id has to decide.
fn age(number: u32) -> claviger::domain::time::Timestamp {
    at(200 + i64::from(number / 4))
}

#[tokio::test]
async fn pages_of_folders_meet_without_gap_or_overlap() {
    let db = Db::new().await;
    let new = |number: u32| Folder {
        id: FolderId::from_bytes(bytes(1, number)),
        account_id: AccountId::from_stored(u64::from(number)),
        name: format!("folder {number}"),
        created_at: age(number),
    };
    let mut expected: Vec<Folder> = (2..=12).map(new).collect();
    db.store.commit(expected.iter().cloned().map(Change::InsertFolder).collect()).await.unwrap();
    expected.push(folder());
    expected.sort_by_key(|folder| (folder.created_at, *folder.id.as_bytes()));
    assert_eq!(all(async |after, limit| db.store.folders(after, limit).await).await, expected);
}

#[tokio::test]
async fn pages_of_principals_leave_out_the_deleted_and_those_of_other_folders() {
    let db = Db::new().await;
    let other = Folder { id: FolderId::from_bytes(bytes(1, 2)), account_id: AccountId::from_stored(2), ..folder() };
    let new = |number: u32| Principal {
        id: PrincipalId::from_bytes(bytes(2, number)),
        folder_id: if number == 5 { other.id } else { folder_id() },
        kind: if number.is_multiple_of(2) { PrincipalKind::ServiceAccount } else { PrincipalKind::User },
        created_at: age(number),
        deleted_at: (number == 6).then(|| at(300)),
        ..principal()
    };
    let principals: Vec<Principal> = (2..=12).map(new).collect();
    let mut changes: Vec<Change> = principals.iter().cloned().map(Change::InsertPrincipal).collect();
    changes.push(Change::InsertFolder(other.clone()));
    db.store.commit(changes).await.unwrap();
    let mut expected: Vec<_> =
        principals.into_iter().filter(|item| item.folder_id == folder_id() && item.deleted_at.is_none()).collect();
    expected.push(principal());
    expected.sort_by_key(|item| (item.created_at, *item.id.as_bytes()));
    assert_eq!(expected.len(), 10);
    assert_eq!(all(async |after, limit| db.store.principals(folder_id(), after, limit).await).await, expected);
    assert_eq!(db.store.principals(other.id, None, 10).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn pages_of_credentials_hold_the_revoked_ones_and_the_last_use() {
    let db = Db::full().await;
    let new = |number: u32| CredentialRecord {
        created_at: age(number),
        revoked_at: number.is_multiple_of(3).then(|| at(400)),
        ..if number.is_multiple_of(2) { credential(number) } else { access_key(number) }
    };
    db.store.commit((10..=20).map(|number| Change::InsertCredential(new(number))).collect()).await.unwrap();
    db.store.record_uses(vec![(credential(11).id, at(500)), (credential(1).id, at(501))]).await.unwrap();
    let found = all(async |after, limit| db.store.credentials(principal_id(), after, limit).await).await;
    assert_eq!(found.len(), 4 + 11);
    assert!(found.is_sorted_by_key(|item| (item.record.created_at, *item.record.id.as_bytes())));
    for item in &found {
        let expected =
            [(11, at(500)), (1, at(501))].into_iter().find(|(number, _)| credential(*number).id == item.record.id);
        assert_eq!(item.last_used_at, expected.map(|(_, used_at)| used_at));
    }
    assert_eq!(found.iter().filter(|item| item.record.revoked_at.is_some()).count(), 1 + 3);
    assert!(db.store.credentials(other_principal_id(), None, 10).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn pages_of_keys_that_name_a_principal_are_in_the_order_of_all_keys() {
    let db = Db::new().await;
    for number in 3..=25 {
        let mut changes = insert_key(number);
        changes[0] = Change::InsertKey(Box::new(Key { created_at: age(number), ..key(number) }));
        db.store.commit(changes).await.unwrap();
        if number.is_multiple_of(2) {
            bind(&db, number, viewers(&[principal_id()])).await;
        }
    }
    let keys = all(async |after, limit| db.store.keys(folder_id(), KeyFilter::default(), after, limit).await).await;
    let even: BTreeSet<KeyId> = (2..=12).map(|half| key_id(2 * half)).collect();
    let expected: Vec<KeyId> = keys.into_iter().map(|view| view.key.id).filter(|id| even.contains(id)).collect();
    assert_eq!(naming(&db, principal_id()).await, expected);
    assert_eq!(expected.len(), 11);
    assert_eq!(naming(&db, other_principal_id()).await, []);
    let other = FolderId::from_bytes(bytes(1, 2));
    let account = (PrincipalKind::ServiceAccount, principal_id());
    assert!(db.store.keys_naming(account, other, KeyFilter::default(), None, 10).await.unwrap().items.is_empty());
    let person = (PrincipalKind::User, principal_id());
    assert!(
        db.store.keys_naming(person, folder_id(), KeyFilter::default(), None, 10).await.unwrap().items.is_empty(),
        "another kind"
    );
}

#[tokio::test]
async fn pages_of_folders_that_a_principal_may_view_are_in_the_order_of_all_folders_and_follow_their_bindings() {
    let db = Db::new().await;
    for number in 2..=25 {
        let id = FolderId::from_bytes(bytes(1, number));
        let account_id = AccountId::from_stored(u64::from(number));
        let folder = Folder { id, account_id, name: "f".into(), created_at: age(number) };
        let named = [principal_id()];
        let set = viewers(if number.is_multiple_of(2) { &[] } else { &named });
        db.store.commit(vec![put(BindingScope::Folder(id), set, 0), Change::InsertFolder(folder)]).await.unwrap();
    }
    let folders = db.store.folders(None, 100).await.unwrap().items;
    let odd: BTreeSet<FolderId> = (1..=12).map(|half| FolderId::from_bytes(bytes(1, 2 * half + 1))).collect();
    let mut expected: Vec<FolderId> =
        folders.into_iter().map(|folder| folder.id).filter(|id| odd.contains(id)).collect();
    assert_eq!((shown(&db, principal_id()).await, expected.len()), (expected.clone(), 12));
    assert_eq!(shown(&db, other_principal_id()).await, []);
    let person = (PrincipalKind::User, principal_id());
    let of_the_person = db.store.folders_naming(person, None, 10).await.unwrap().items;
    assert_eq!(of_the_person, [folder()], "whose id is the same, but not the kind");
    let moved = expected.remove(3);
    let set = viewers(&[other_principal_id()]);
    db.store.commit(vec![put(BindingScope::Folder(moved), set, 1)]).await.unwrap();
    assert_eq!((shown(&db, principal_id()).await, shown(&db, other_principal_id()).await), (expected, vec![moved]));
}

#[tokio::test]
async fn only_who_may_view_a_key_or_folder_is_in_its_index() {
    let db = Db::new().await;
    for (number, role) in Role::ALL.into_iter().enumerate() {
        let number = u32::try_from(number).unwrap() + 10;
        let folder = Folder {
            id: FolderId::from_bytes(bytes(1, number)),
            account_id: AccountId::from_stored(u64::from(number)),
            ..folder()
        };
        let subject = Subject::of(PrincipalKind::ServiceAccount, principal_id());
        let set = BindingSet::new([Binding { role, subject }]).unwrap();
        let place = BindingScope::Folder(folder.id);
        db.store.commit(vec![Change::InsertFolder(folder.clone()), put(place, set.clone(), 0)]).await.unwrap();
        db.store.commit(insert_key(number)).await.unwrap();
        bind(&db, number, set).await;
        let sees = |permission| role.permits(permission, false);
        assert_eq!(shown(&db, principal_id()).await.contains(&folder.id), sees(Permission::ViewFolder), "{role:?}");
        assert_eq!(naming(&db, principal_id()).await.contains(&key_id(number)), sees(Permission::ViewKey), "{role:?}");
    }
}

#[tokio::test]
async fn the_list_of_keys_that_name_a_principal_follows_their_bindings() {
    let db = Db::new().await;
    let (first, second) = (principal_id(), other_principal_id());
    let both = vec![key_id(1), key_id(2)];
    bind(&db, 1, viewers(&[first, second])).await;
    bind(&db, 2, viewers(&[first])).await;
    assert_eq!((naming(&db, first).await, naming(&db, second).await), (both.clone(), vec![key_id(1)]));
    bind(&db, 1, viewers(&[second])).await;
    bind(&db, 2, viewers(&[first, second])).await;
    assert_eq!((naming(&db, first).await, naming(&db, second).await), (vec![key_id(2)], both));
    bind(&db, 1, BindingSet::default()).await;
    bind(&db, 2, BindingSet::default()).await;
    assert_eq!((naming(&db, first).await, naming(&db, second).await), (vec![], vec![]));
}

#[tokio::test]
async fn somebody_with_many_roles_on_a_key_sees_it_once_and_strangers_are_not_in_the_index() {
    let db = Db::new().await;
    let subject = |kind| Subject::new(kind, principal_id().to_string()).unwrap();
    let bindings = Role::ALL.into_iter().flat_map(|role| SubjectKind::ALL.map(|kind| (role, kind)));
    let stranger = Binding { role: Role::Viewer, subject: Subject::new(SubjectKind::UserAccount, "x".into()).unwrap() };
    let ours = bindings.map(|(role, kind)| Binding { role, subject: subject(kind) });
    bind(&db, 1, BindingSet::new(ours.chain([stranger])).unwrap()).await;
    let group = Binding { role: Role::Viewer, subject: subject(SubjectKind::Group) };
    bind(&db, 2, BindingSet::new([group]).unwrap()).await;
    assert_eq!(naming(&db, principal_id()).await, [key_id(1)]);
    assert_eq!(rows_of(&db, "bound_keys"), 2, "the person and the service account of this id");
}

#[tokio::test]
async fn a_key_that_leaves_is_not_listed_until_it_is_restored_and_never_after_its_deletion() {
    let db = Db::new().await;
    bind(&db, 1, viewers(&[principal_id()])).await;
    set_state(&db, 1, KeyState::PendingDeletion { delete_at: at(900), switch: Switch::Active, requested_at: None })
        .await;
    assert_eq!(naming(&db, principal_id()).await, []);
    set_state(&db, 1, KeyState::Live { switch: Switch::Active }).await;
    assert_eq!(naming(&db, principal_id()).await, [key_id(1)]);
    set_state(&db, 1, KeyState::Deleted { deleted_at: at(901) }).await;
    assert_eq!(naming(&db, principal_id()).await, []);
    assert_eq!(rows_of(&db, "bound_keys"), 0, "the list need not pass over it");
    assert_eq!(db.store.bindings(BindingScope::Key(key_id(1))).await.unwrap().value, viewers(&[principal_id()]));
}

#[tokio::test]
async fn a_page_has_at_most_a_thousand_rows() {
    let db = Db::new().await;
    let many = (10..1020).map(|number| Change::InsertCredential(credential(number))).collect();
    db.store.commit(many).await.unwrap();
    let page = db.store.credentials(principal_id(), None, u32::MAX).await.unwrap();
    assert_eq!(page.items.len(), 1000);
    let rest = db.store.credentials(principal_id(), page.next, u32::MAX).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (11, None));
    assert_eq!(db.store.credentials_of(principal_id()).await.unwrap().len(), 1000);
    let stored = Stored { value: credential(10), row_seq: 1 };
    assert!(db.store.credentials_of(principal_id()).await.unwrap().contains(&stored));
}
