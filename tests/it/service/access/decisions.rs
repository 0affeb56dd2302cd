//! Every role on every level against every use case on a key, by what the code says that roles permit: on live keys with
//! something to decrypt, and with each end of a re-encryption by itself. That the documents say the same is tried over the
//! wire, in `access_table`.

use super::super::{Service, in_own_process, settings};
use super::{Object, Op, World, encrypt, is_denied, run};
use claviger::domain::access::{Level, Permission, Role};
use claviger::service::AccessSettings;
use claviger::service::error::ServiceError;
use claviger::service::ports::BindingScope;
use claviger::service::request::{KeyPatch, ReEncrypt, RequestContext};
use claviger::service::{Kms, KmsSettings};

/// What the caller gets, by the roles' own table: allowed, denied or not found.
fn expected(role: Option<Role>, op: Op) -> &'static str {
    let permits = |permission| role.is_some_and(|role| role.permits(permission, false));
    match op {
        _ if permits(op.permission()) => "allowed",
        _ if permits(Permission::ViewKey) => "denied",
        _ => "not found",
    }
}

fn outcome(result: &Result<(), ServiceError>) -> &'static str {
    match result {
        Err(ServiceError::Denied) => "denied",
        Err(ServiceError::NotFound { .. }) => "not found",
        // That it was not in a state for it says that it was allowed.
        Ok(()) | Err(ServiceError::State(_)) => "allowed",
        Err(_) => "failed",
    }
}

#[test]
fn every_role_on_every_level_allows_exactly_what_the_table_says_on_what_it_reaches() {
    let name = "every_role_on_every_level_allows_exactly_what_the_table_says_on_what_it_reaches";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let abroad = world.folder().await;
        let (mine, own, beside) = (world.object().await, world.object().await, world.object().await);
        let elsewhere = world.object_in(abroad).await;
        let unknown = Object { key_id: super::UNKNOWN_KEY, ..own.clone() };
        // The keys must be there to the end.
        let protect = KeyPatch { deletion_protection: Some(true), ..KeyPatch::default() };
        for object in [&own, &beside, &elsewhere] {
            world.kms().update_key(&world.root, object.key_id, protect.clone()).await.unwrap();
        }
        for role in Role::ALL {
            for level in [Level::Service, Level::Folder, Level::Key] {
                let scope = match level {
                    Level::Service => BindingScope::Service,
                    Level::Folder => BindingScope::Folder(world.home()),
                    Level::Key => BindingScope::Key(own.key_id),
                };
                let caller = world.account(world.folder().await).await;
                world.bind(BindingScope::Key(mine.key_id), Role::KeysEncrypterDecrypter, &caller).await;
                world.bind(scope, role, &caller).await;
                let reach = [
                    (&own, true),
                    (&beside, level != Level::Key),
                    (&elsewhere, level == Level::Service),
                    (&unknown, false),
                ];
                for (object, reached) in reach {
                    for op in Op::ALL {
                        // Replacing the bindings of the key would take the role away.
                        if op == Op::SetBindings && scope == BindingScope::Key(object.key_id) {
                            continue;
                        }
                        let done = run(world.kms(), &caller, op, object, &mine).await;
                        let expected = expected(reached.then_some(role), op);
                        assert_eq!(outcome(&done), expected, "{role:?} {scope:?} {op:?} {}: {done:?}", object.key_id);
                    }
                }
            }
        }
    });
}

#[test]
fn whoever_creates_a_key_gets_no_role_on_it() {
    in_own_process(module_path!(), "whoever_creates_a_key_gets_no_role_on_it", async |core| {
        let world = World::start(core).await;
        let editor = world.account(world.home()).await;
        world.bind(BindingScope::Folder(world.home()), Role::Editor, &editor).await;
        let request = world.service.create_request(claviger::domain::algorithm::Algorithm::Aes128, None);
        let key = world.kms().create_key(&editor, request).await.unwrap().key_id;
        let bound = world.kms().access_bindings(&editor, BindingScope::Key(key)).await.unwrap();
        assert!(bound.value.as_slice().is_empty() && bound.row_seq == 0);
        world.unbind(BindingScope::Folder(world.home()), Role::Editor, &editor).await;
        assert!(matches!(world.kms().key(&editor, key).await, Err(ServiceError::NotFound { .. })));
    });
}

#[test]
fn editors_and_administrators_use_keys_in_compatible_folders_only() {
    let name = "editors_and_administrators_use_keys_in_compatible_folders_only";
    in_own_process(module_path!(), name, async |core| {
        let mut world = World::start(core).await;
        let compatible = world.folder().await;
        let (here, there) = (world.key_in(world.home()).await, world.key_in(compatible).await);
        let access = AccessSettings { editors_use_keys_in: [compatible].into_iter().collect(), ..settings().access };
        let settings = KmsSettings { access, ..settings() };
        let Service { core, clock, store, .. } = &world.service;
        world.service.kms = Service::kms_over(core, clock, store, settings);
        for role in [Role::Editor, Role::Admin, Role::Viewer, Role::Operator] {
            let uses = matches!(role, Role::Editor | Role::Admin);
            for scopes in [
                vec![BindingScope::Service],
                vec![BindingScope::Folder(world.home()), BindingScope::Folder(compatible)],
                vec![BindingScope::Key(here), BindingScope::Key(there)],
            ] {
                let caller = world.account(world.home()).await;
                for scope in scopes {
                    world.bind(scope, role, &caller).await;
                }
                let in_compatible = world.kms().encrypt(&caller, encrypt(there, None)).await;
                assert_eq!(in_compatible.is_ok(), uses, "{role:?}: {in_compatible:?}");
                assert!(world.kms().encrypt(&caller, encrypt(here, None)).await.is_err(), "{role:?}");
            }
        }
    });
}

#[test]
fn random_bytes_are_for_who_may_encrypt_with_the_keys_of_its_own_folder() {
    let name = "random_bytes_are_for_who_may_encrypt_with_the_keys_of_its_own_folder";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let key = world.object().await.key_id;
        for role in Role::ALL {
            let scopes = [
                (BindingScope::Service, true),
                (BindingScope::Folder(world.home()), true),
                (BindingScope::Folder(world.folder().await), false),
                (BindingScope::Key(key), false),
            ];
            for (scope, holds) in scopes {
                let caller = world.account(world.home()).await;
                world.bind(scope, role, &caller).await;
                let given = world.kms().random(&caller, 16).await.map(drop);
                let none = world.kms().random(&caller, 0).await.map(drop);
                if holds && role.permits(Permission::Encrypt, false) {
                    assert!(given.is_ok(), "{role:?} on {scope:?}: {given:?}");
                    assert!(matches!(none, Err(ServiceError::Invalid(_))), "{none:?}");
                } else {
                    assert!(is_denied(&given) && is_denied(&none), "{role:?} on {scope:?}: {given:?} {none:?}");
                }
            }
        }
    });
}

#[test]
fn a_re_encryption_needs_both_keys() {
    in_own_process(module_path!(), "a_re_encryption_needs_both_keys", async |core| {
        let world = World::start(core).await;
        let (from, to) = (world.object().await, world.object().await);
        let caller = world.account(world.home()).await;
        let attempt = async || world.kms().re_encrypt(&caller, super::re_encrypt(&from, &to)).await.map(drop);
        let (from_scope, to_scope) = (BindingScope::Key(from.key_id), BindingScope::Key(to.key_id));
        world.bind(from_scope, Role::KeysEncrypter, &caller).await;
        world.bind(to_scope, Role::KeysDecrypter, &caller).await;
        assert!(is_denied(&attempt().await));
        world.bind(from_scope, Role::KeysDecrypter, &caller).await;
        assert!(is_denied(&attempt().await));
        world.bind(to_scope, Role::KeysEncrypter, &caller).await;
        assert!(attempt().await.is_ok());
        world.unbind(from_scope, Role::KeysDecrypter, &caller).await;
        assert!(is_denied(&attempt().await));
    });
}

#[test]
fn a_crypto_request_with_everything_in_memory_reads_nothing_from_the_store() {
    let name = "a_crypto_request_with_everything_in_memory_reads_nothing_from_the_store";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let object = world.object().await;
        let caller = world.account(world.home()).await;
        world.bind(BindingScope::Key(object.key_id), Role::KeysEncrypterDecrypter, &caller).await;
        let ops = [Op::Encrypt, Op::Decrypt, Op::ReEncryptTo, Op::GenerateDataKey];
        run(world.kms(), &caller, Op::Encrypt, &object, &object).await.unwrap();
        world.service.store.take_reads();
        for op in ops {
            run(world.kms(), &caller, op, &object, &object).await.unwrap();
            assert!(world.service.store.take_reads().is_empty(), "{op:?}");
        }
    });
}

/// Handlers are spawned on other threads, so every use case must be `Send`.
#[test]
fn decisions_can_move_between_threads() {
    const fn assert_send<T: Send>(_: &T) {}
    fn check(kms: &Kms, ctx: &RequestContext, request: ReEncrypt) {
        let scope = BindingScope::Service;
        assert_send(&kms.re_encrypt(ctx, request));
        assert_send(&kms.keys(ctx, ctx.caller.folder_id, None, 1));
        assert_send(&kms.access_bindings(ctx, scope));
        assert_send(&kms.set_access_bindings(ctx, scope, super::set([])));
        assert_send(&kms.update_access_bindings(ctx, scope, Vec::new()));
    }
    let _ = check;
}
