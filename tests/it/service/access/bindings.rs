//! Setting, changing and listing access bindings.

use super::super::in_own_process;
use super::{Object, Op, World, binding, foreign_binding, is_denied, run, set};
use claviger::domain::Dialect;
use claviger::domain::access::{Binding, BindingDelta, MAX_BINDINGS, PrincipalKind, Role, Subject, SubjectKind};
use claviger::domain::error::StateError;
use claviger::domain::id::PrincipalId;
use claviger::domain::operation::{OperationKind, Snapshot};
use claviger::service::error::ServiceError;
use claviger::service::ports::{BindingScope, Change, Store};
use claviger::service::request::RequestContext;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// The three scopes, with a key to which roles on each of them reach.
async fn scopes(world: &World) -> (Object, [BindingScope; 3]) {
    let object = world.object().await;
    let folder = BindingScope::Folder(world.home());
    let scopes = [BindingScope::Key(object.key_id), folder, BindingScope::Service];
    (object, scopes)
}

/// Bindings that must stay, or the test would lock itself out.
async fn with_what_is_there(world: &World, scope: BindingScope, more: Vec<Binding>) -> Vec<Binding> {
    let there = world.kms().access_bindings(&world.root, scope).await.unwrap().value;
    there.as_slice().iter().cloned().chain(more).collect()
}

#[test]
fn what_was_set_is_listed_exactly_with_subjects_that_we_do_not_know_and_without_inherited_roles() {
    let name = "what_was_set_is_listed_exactly_with_subjects_that_we_do_not_know_and_without_inherited_roles";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (_, scopes) = scopes(&world).await;
        for scope in scopes {
            let strangers = vec![
                foreign_binding(Role::KeysUser, SubjectKind::System, "allAuthenticatedUsers"),
                foreign_binding(Role::Editor, SubjectKind::UserAccount, "ajeunknown"),
                foreign_binding(Role::KeysUser, SubjectKind::Group, "a group"),
                foreign_binding(Role::Viewer, SubjectKind::FederatedUser, "somebody@example.org"),
                foreign_binding(Role::AsymmetricSignatureSigner, SubjectKind::ServiceAccount, "0"),
            ];
            let wanted = with_what_is_there(&world, scope, strangers).await;
            let before = world.kms().access_bindings(&world.root, scope).await.unwrap().row_seq;
            let answer = world.kms().set_access_bindings(&world.root, scope, set(wanted.clone())).await.unwrap();
            assert_eq!(answer.is_some(), matches!(scope, BindingScope::Key(_)));
            let listed = world.kms().access_bindings(&world.root, scope).await.unwrap();
            assert_eq!(listed.value.as_slice(), wanted, "{scope:?}");
            assert!(listed.row_seq > before);
        }
    });
}

#[test]
fn a_change_of_a_keys_bindings_is_an_operation_of_the_key() {
    in_own_process(module_path!(), "a_change_of_a_keys_bindings_is_an_operation_of_the_key", async |core| {
        let world = World::start(core).await;
        let (object, [scope, ..]) = scopes(&world).await;
        let somebody = world.account(world.home()).await;
        let new = binding(Role::Viewer, &somebody);
        let made = world.kms().set_access_bindings(world.administrator(), scope, set([new.clone()])).await.unwrap();
        let deltas = vec![BindingDelta::Remove(new)];
        let changed = world.kms().update_access_bindings(world.administrator(), scope, deltas).await.unwrap();
        let (made, changed) = (made.unwrap(), changed.unwrap());
        assert_eq!(made.kind, OperationKind::SetAccessBindings);
        assert_eq!(changed.kind, OperationKind::UpdateAccessBindings);
        for operation in [&made, &changed] {
            assert_eq!(operation.snapshot, Snapshot::Nothing);
            assert_eq!(operation.created_by, Some(world.administrator().caller.principal_id));
            let stored = world.kms().operation(world.administrator(), operation.id).await.unwrap();
            assert_eq!(stored, *operation);
        }
        let listed = world.kms().key_operations(world.administrator(), object.key_id, None, 10).await.unwrap();
        assert!(listed.items.contains(&made) && listed.items.contains(&changed));
    });
}

#[test]
fn a_role_is_effective_as_soon_as_it_is_bound_and_gone_as_soon_as_it_is_not() {
    let name = "a_role_is_effective_as_soon_as_it_is_bound_and_gone_as_soon_as_it_is_not";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (object, scopes) = scopes(&world).await;
        let caller = world.account(world.home()).await;
        let attempt = async || run(world.kms(), &caller, Op::Encrypt, &object, &object).await;
        for scope in scopes {
            assert!(attempt().await.is_err());
            world.bind(scope, Role::KeysEncrypter, &caller).await;
            assert!(attempt().await.is_ok(), "{scope:?}");
            world.bind(scope, Role::Viewer, &caller).await;
            world.unbind(scope, Role::KeysEncrypter, &caller).await;
            assert!(is_denied(&attempt().await), "{scope:?}");
            let rest = world.kms().access_bindings(&world.root, scope).await.unwrap().value;
            let others = rest.as_slice().iter().filter(|held| held.subject != binding(Role::Viewer, &caller).subject);
            world.kms().set_access_bindings(&world.root, scope, set(others.cloned())).await.unwrap();
            assert!(matches!(attempt().await, Err(ServiceError::NotFound { .. })), "{scope:?}");
        }
    });
}

/// A caller whose connection breaks is dropped wherever it waits.
#[test]
fn a_role_that_was_taken_away_is_gone_though_whoever_did_it_went_away_meanwhile() {
    let name = "a_role_that_was_taken_away_is_gone_though_whoever_did_it_went_away_meanwhile";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (object, scopes) = scopes(&world).await;
        for scope in scopes {
            let caller = world.account(world.home()).await;
            world.bind(scope, Role::KeysEncrypter, &caller).await;
            let attempt = async || run(world.kms(), &caller, Op::Encrypt, &object, &object).await;
            attempt().await.unwrap();
            let deltas = vec![BindingDelta::Remove(binding(Role::KeysEncrypter, &caller))];
            let mut change = Box::pin(world.kms().update_access_bindings(&world.root, scope, deltas));
            let taken = binding(Role::KeysEncrypter, &caller);
            let stored =
                async || !world.service.core.store.bindings(scope).await.unwrap().value.as_slice().contains(&taken);
            while !stored().await {
                let polled = poll_fn(|cx| Poll::Ready(change.as_mut().poll(cx).is_ready())).await;
                assert!(!polled, "the caller was answered before it could go away");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            drop(change);
            let refused = async { while attempt().await.is_ok() {} };
            tokio::time::timeout(Duration::from_secs(20), refused).await.expect("the role still holds");
        }
    });
}

#[test]
fn changes_of_one_set_at_the_same_moment_all_count() {
    in_own_process(module_path!(), "changes_of_one_set_at_the_same_moment_all_count", async |core| {
        let world = World::start(core).await;
        let (_, scopes) = scopes(&world).await;
        for scope in scopes {
            let new = |number: u32| foreign_binding(Role::Viewer, SubjectKind::Group, &number.to_string());
            let world = &world;
            let changes = (0..20).map(|number| async move {
                let deltas = vec![BindingDelta::Add(new(number))];
                world.kms().update_access_bindings(&world.root, scope, deltas).await
            });
            for changed in futures_util::future::join_all(changes).await {
                changed.unwrap();
            }
            let listed = world.kms().access_bindings(&world.root, scope).await.unwrap().value;
            assert!((0..20).all(|number| listed.as_slice().contains(&new(number))), "{scope:?}");
        }
    });
}

#[test]
fn a_change_that_somebody_else_was_faster_than_is_tried_again_a_few_times() {
    let name = "a_change_that_somebody_else_was_faster_than_is_tried_again_a_few_times";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (_, scopes) = scopes(&world).await;
        for scope in scopes {
            let new = foreign_binding(Role::Viewer, SubjectKind::Group, "a group");
            let deltas = || vec![BindingDelta::Add(new.clone())];
            world.service.store.plant_conflicts(100);
            let refused = world.kms().update_access_bindings(&world.root, scope, deltas()).await;
            assert!(matches!(refused, Err(ServiceError::Conflict)), "{scope:?}: {refused:?}");
            world.service.store.plant_conflicts(3);
            world.kms().update_access_bindings(&world.root, scope, deltas()).await.unwrap();
            let wanted = with_what_is_there(&world, scope, Vec::new()).await;
            assert!(wanted.contains(&new));
            world.service.store.plant_conflicts(3);
            world.kms().set_access_bindings(&world.root, scope, set(wanted)).await.unwrap();
        }
    });
}

#[test]
fn the_service_always_keeps_somebody_who_can_change_its_bindings() {
    in_own_process(module_path!(), "the_service_always_keeps_somebody_who_can_change_its_bindings", async |core| {
        let world = World::start(core).await;
        let (kms, root) = (world.kms(), &world.root);
        let deleted = world.account(world.home()).await;
        let stored = world.service.store.principal(deleted.caller.principal_id).await.unwrap().unwrap();
        let mut gone = stored;
        gone.value.deleted_at = Some(kms.now());
        world.service.store.commit(vec![Change::UpdatePrincipal(gone)]).await.unwrap();
        let account = world.account(world.home()).await;
        let wrong_kind = Subject::of(PrincipalKind::User, account.caller.principal_id);
        let nobody = Subject::of(PrincipalKind::User, PrincipalId::from_bytes([0x42; 16]));
        let useless = [
            set([]),
            set([binding(Role::Editor, root), binding(Role::Operator, root)]),
            set([binding(Role::Admin, &deleted)]),
            set([Binding { role: Role::Admin, subject: wrong_kind }, Binding { role: Role::Admin, subject: nobody }]),
            set([foreign_binding(Role::Admin, SubjectKind::System, "allUsers")]),
        ];
        let before = kms.access_bindings(root, BindingScope::Service).await.unwrap();
        for bindings in useless {
            let refused = kms.set_access_bindings(root, BindingScope::Service, bindings).await.unwrap_err();
            assert!(matches!(&refused, ServiceError::Invalid(text) if text.contains("kms.admin")), "{refused:?}");
        }
        let all_out = before.value.as_slice().iter().cloned().map(BindingDelta::Remove).collect();
        let refused = kms.update_access_bindings(root, BindingScope::Service, all_out).await.unwrap_err();
        assert!(matches!(refused, ServiceError::Invalid(_)), "{refused:?}");
        assert_eq!(kms.access_bindings(root, BindingScope::Service).await.unwrap(), before);
        // It may be somebody else than before.
        let handed_over = set([binding(Role::Admin, &account)]);
        kms.set_access_bindings(root, BindingScope::Service, handed_over).await.unwrap();
        let refused = kms.access_bindings(root, BindingScope::Service).await.map(drop);
        assert!(is_denied(&refused));
        assert!(kms.access_bindings(&account, BindingScope::Service).await.is_ok());
    });
}

#[test]
fn the_last_administrator_of_a_folder_or_key_may_go() {
    in_own_process(module_path!(), "the_last_administrator_of_a_folder_or_key_may_go", async |core| {
        let world = World::start(core).await;
        let (object, [key, folder, _]) = scopes(&world).await;
        world.kms().set_access_bindings(world.administrator(), key, set([])).await.unwrap();
        world.kms().set_access_bindings(world.administrator(), folder, set([])).await.unwrap();
        let gone = run(world.kms(), world.administrator(), Op::Key, &object, &object).await;
        assert!(matches!(gone, Err(ServiceError::NotFound { .. })));
        let back = BindingDelta::Add(binding(Role::Admin, world.administrator()));
        world.kms().update_access_bindings(&world.root, folder, vec![back]).await.unwrap();
        assert!(run(world.kms(), world.administrator(), Op::Key, &object, &object).await.is_ok());
    });
}

#[test]
fn a_folders_administrator_changes_neither_the_service_nor_another_folder() {
    let name = "a_folders_administrator_changes_neither_the_service_nor_another_folder";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let account = world.account(world.home()).await;
        world.bind(BindingScope::Folder(world.home()), Role::Admin, &account).await;
        let more = || vec![BindingDelta::Add(binding(Role::Admin, &account))];
        let other = BindingScope::Folder(world.folder().await);
        let refused = world.kms().update_access_bindings(&account, BindingScope::Service, more()).await.map(drop);
        assert!(is_denied(&refused), "{refused:?}");
        let refused = world.kms().update_access_bindings(&account, other, more()).await;
        assert!(matches!(refused, Err(ServiceError::NotFound { .. })), "{refused:?}");
        let own = BindingScope::Folder(world.home());
        assert!(world.kms().update_access_bindings(&account, own, more()).await.is_ok());
    });
}

#[test]
fn a_set_has_a_limit_and_a_change_above_it_changes_nothing() {
    in_own_process(module_path!(), "a_set_has_a_limit_and_a_change_above_it_changes_nothing", async |core| {
        let world = World::start(core).await;
        let (_, [scope, ..]) = scopes(&world).await;
        let many = (0..MAX_BINDINGS)
            .map(|number| foreign_binding(Role::Viewer, SubjectKind::Group, &number.to_string()))
            .collect::<Vec<_>>();
        world.kms().set_access_bindings(&world.root, scope, set(many)).await.unwrap();
        let one_more = || BindingDelta::Add(foreign_binding(Role::Viewer, SubjectKind::Group, "one more"));
        let before = world.kms().access_bindings(&world.root, scope).await.unwrap();
        let refused = world.kms().update_access_bindings(&world.root, scope, vec![one_more()]).await;
        assert!(matches!(refused, Err(ServiceError::Value(_))), "{refused:?}");
        assert_eq!(world.kms().access_bindings(&world.root, scope).await.unwrap(), before);
        let out = BindingDelta::Remove(foreign_binding(Role::Viewer, SubjectKind::Group, "0"));
        world.kms().update_access_bindings(&world.root, scope, vec![out, one_more()]).await.unwrap();
    });
}

#[test]
fn the_bindings_of_a_key_that_is_being_deleted_can_be_seen_but_not_changed() {
    let name = "the_bindings_of_a_key_that_is_being_deleted_can_be_seen_but_not_changed";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (object, [scope, ..]) = scopes(&world).await;
        world.kms().delete_key(world.administrator(), object.key_id, None).await.unwrap();
        let in_aws = RequestContext { dialect: Dialect::Aws, ..world.administrator().clone() };
        assert!(world.kms().access_bindings(&in_aws, scope).await.is_ok());
        let refused = world.kms().set_access_bindings(&in_aws, scope, set([])).await;
        assert!(matches!(refused, Err(ServiceError::State(StateError::KeyPendingDeletion))), "{refused:?}");
    });
}
