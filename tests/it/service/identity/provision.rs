//! The first folder and the administrator of the service, made, found, repaired and replaced.

use super::{Office, binding, knows};
use crate::service::in_own_process;
use claviger::domain::access::{Binding, BindingDelta, BindingSet, PrincipalKind, Role};
use claviger::domain::id::{AccountId, FolderId, PrincipalId};
use claviger::service::Kms;
use claviger::service::error::ServiceError;
use claviger::service::ports::{BindingScope, Change, Folder, Principal, Store, Stored};
use claviger::service::provision::Administration;

const NAME: &str = "administrator";

async fn provision(kms: &Kms, roles: &[Role]) -> Administration {
    kms.ensure_administration("tests", NAME, roles).await.unwrap()
}

async fn on_service(office: &Office) -> Stored<BindingSet> {
    office.service.store.bindings(BindingScope::Service).await.unwrap()
}

#[test]
fn the_first_administrator_has_its_roles_on_the_service_and_a_repetition_changes_nothing() {
    let name = "the_first_administrator_has_its_roles_on_the_service_and_a_repetition_changes_nothing";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let first = provision(office.kms(), &[Role::Viewer]).await;
        assert_eq!(first.administrator.id, office.root().caller.principal_id);
        assert!(first.in_office && first.folder.id == office.home());
        let roles = [Role::Admin, Role::KeysEncrypterDecrypter, Role::Operator];
        let expected: Vec<Binding> = roles.iter().map(|role| binding(*role, &first.administrator)).collect();
        let bindings = on_service(&office).await;
        assert_eq!((bindings.value.as_slice(), bindings.row_seq), (expected.as_slice(), 1));
        let folder = office.service.store.bindings(BindingScope::Folder(office.home())).await.unwrap();
        assert!(folder.value.as_slice().is_empty());
        assert!(office.kms().confirm_clock(office.root()).await.is_ok(), "it operates all of the service");
        assert!(office.kms().principals(office.root(), office.home(), None, 10).await.unwrap().items.len() == 1);
    });
}

#[test]
fn what_an_administrator_changed_is_kept() {
    in_own_process(module_path!(), "what_an_administrator_changed_is_kept", async |core| {
        let office = Office::start(core).await;
        let administrator = provision(office.kms(), &[]).await.administrator;
        office.unbind(BindingScope::Service, Role::Operator, &administrator).await;
        office.unbind(BindingScope::Service, Role::KeysEncrypterDecrypter, &administrator).await;
        let changed = on_service(&office).await;
        assert!(provision(office.kms(), &[Role::Admin, Role::Operator]).await.in_office);
        assert_eq!(on_service(&office).await, changed);
    });
}

/// An installation of the version whose roles were on folders only.
async fn earlier_installation(store: &dyn Store) -> (Folder, Principal) {
    let created_at = claviger::domain::time::Timestamp::from_micros(1);
    let id = FolderId::from_bytes([1; 16]);
    let folder = Folder { id, account_id: AccountId::from_random([1; 8]), name: "default".into(), created_at };
    let administrator = Principal {
        id: PrincipalId::from_bytes([2; 16]),
        folder_id: folder.id,
        kind: PrincipalKind::User,
        name: NAME.into(),
        created_at,
        deleted_at: None,
    };
    let roles = [Role::Admin, Role::Operator].map(|role| binding(role, &administrator));
    let bindings = Stored { value: BindingSet::new(roles).unwrap(), row_seq: 0 };
    let changes = vec![
        Change::InsertFolder(folder.clone()),
        Change::InsertPrincipal(administrator.clone()),
        Change::PutBindings(BindingScope::Folder(folder.id), bindings),
    ];
    store.commit(changes).await.unwrap();
    (folder, administrator)
}

#[test]
fn an_installation_whose_roles_were_on_the_folder_gets_them_on_the_service() {
    let name = "an_installation_whose_roles_were_on_the_folder_gets_them_on_the_service";
    in_own_process(module_path!(), name, async |core| {
        let (folder, administrator) = earlier_installation(&*core.store).await;
        let office = Office::start(core).await;
        assert_eq!((office.root().caller.principal_id, office.home()), (administrator.id, folder.id));
        assert_eq!((on_service(&office).await.row_seq, on_service(&office).await.value.as_slice().len()), (1, 3));
        let kept = office.service.store.bindings(BindingScope::Folder(folder.id)).await.unwrap();
        assert_eq!((kept.row_seq, kept.value.as_slice().len()), (1, 2));
        provision(office.kms(), &[Role::Admin]).await;
        assert_eq!(on_service(&office).await.row_seq, 1, "once");
        office.folder("another").await;
    });
}

/// The way back in, and that it is used by who asks for it only.
#[test]
fn another_administrator_is_made_for_one_that_was_deleted() {
    in_own_process(module_path!(), "another_administrator_is_made_for_one_that_was_deleted", async |core| {
        let office = Office::start(core).await;
        let (home, kms) = (office.home(), office.kms());
        let first = provision(kms, &[]).await.administrator;
        let token = kms.issue_token(&first, "init", None).await.unwrap();
        let successor = office.with_role(home, BindingScope::Service, Role::Admin).await;
        kms.delete_principal(&successor, first.id).await.unwrap();
        assert!(!knows(kms, &token.text).await);

        let before = on_service(&office).await;
        let found = provision(kms, &[Role::Admin]).await;
        assert!(!found.in_office && found.administrator.id == first.id && found.administrator.deleted_at.is_some());
        assert_eq!(on_service(&office).await, before, "nothing is made unasked");

        office.service.store.plant_conflicts(1);
        let made = kms.appoint_administrator(&found.folder, NAME, &[Role::Admin]).await.unwrap();
        assert!(made.in_office && made.administrator.id != first.id);
        let mut expected = before.value.as_slice().to_vec();
        expected.push(binding(Role::Admin, &made.administrator));
        assert_eq!(on_service(&office).await.value.as_slice(), expected, "all others keep what they have");
        let again = provision(kms, &[Role::Admin]).await;
        assert!(again.in_office && again.administrator == made.administrator, "it is found from now on");
        let token = kms.issue_token(&again.administrator, "init", None).await.unwrap();
        assert!(knows(kms, &token.text).await);
        assert!(kms.create_folder(&office.as_caller(&again.administrator).await, "works".into()).await.is_ok());
    });
}

#[test]
fn an_administrator_that_lost_its_role_does_not_get_it_back_unasked() {
    in_own_process(module_path!(), "an_administrator_that_lost_its_role_does_not_get_it_back_unasked", async |core| {
        let office = Office::start(core).await;
        let (home, kms) = (office.home(), office.kms());
        let first = provision(kms, &[]).await.administrator;
        let successor = office.with_role(home, BindingScope::Service, Role::Admin).await;
        let taken = [Role::Admin, Role::Operator].map(|role| BindingDelta::Remove(binding(role, &first)));
        kms.update_access_bindings(&successor, BindingScope::Service, taken.to_vec()).await.unwrap();
        let before = on_service(&office).await;
        let found = provision(kms, &[Role::Admin]).await;
        assert!(!found.in_office && found.administrator == first);
        assert_eq!(on_service(&office).await, before);
        office.service.store.plant_conflicts(5);
        let refused = kms.appoint_administrator(&found.folder, NAME, &[Role::Admin]).await;
        assert!(matches!(refused, Err(ServiceError::Conflict)), "{refused:?}");
        let made = kms.appoint_administrator(&found.folder, NAME, &[Role::Admin]).await.unwrap();
        assert_eq!(provision(kms, &[]).await.administrator, made.administrator);
        assert_ne!(made.administrator.id, first.id);
    });
}
