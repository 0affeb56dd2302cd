//! What a caller may not know of cannot be told from what is not there, by the answer or by the work that it costs; and
//! a refusal for want of a role comes before everything that stored data has to say.

use super::super::in_own_process;
use super::{Object, Op, UNKNOWN_FOLDER, UNKNOWN_KEY, UNKNOWN_VERSION, World, is_denied, re_encrypt, run};
use claviger::domain::Dialect;
use claviger::domain::access::Role;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::id::{FolderId, OperationId};
use claviger::domain::key::Switch;
use claviger::service::error::{Missing, ServiceError};
use claviger::service::ports::{BindingScope, Store};
use claviger::service::request::{CreateKey, KeyPatch, OnDemandRules, RequestContext};
use std::time::Duration;

/// A service account of another folder that may use one key there.
async fn stranger(world: &World) -> (RequestContext, Object) {
    let folder = world.folder().await;
    let stranger = world.account(folder).await;
    let mine = world.object_in(folder).await;
    world.bind(BindingScope::Key(mine.key_id), Role::KeysEncrypterDecrypter, &stranger).await;
    world.kms().key(&stranger, mine.key_id).await.unwrap();
    (stranger, mine)
}

fn unknown() -> Object {
    Object { key_id: UNKNOWN_KEY, version_id: UNKNOWN_VERSION, ciphertext: vec![1; 100] }
}

/// The refusal in words, without the id that the caller gave, and the reads of the store that it cost.
async fn refusal(
    world: &World,
    ctx: &RequestContext,
    op: Op,
    of: &Object,
    mine: &Object,
) -> (String, Vec<&'static str>) {
    world.service.store.take_reads();
    let error = run(world.kms(), ctx, op, of, mine).await.unwrap_err();
    let expected = matches!(&error, ServiceError::NotFound { what: Missing::Key, id } if *id == of.key_id.to_string());
    assert!(expected, "{op:?}: {error:?}");
    (error.to_string().replace(&of.key_id.to_string(), "ID"), world.service.store.take_reads())
}

#[test]
fn an_unknown_key_and_a_hidden_one_get_the_same_answer_for_the_same_work() {
    let name = "an_unknown_key_and_a_hidden_one_get_the_same_answer_for_the_same_work";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (stranger, mine) = stranger(&world).await;
        let hidden = world.object().await;
        // The roles that are bound on the two folders come into memory.
        refusal(&world, &stranger, Op::Key, &hidden, &mine).await;
        for op in Op::ALL {
            let of_unknown = refusal(&world, &stranger, op, &unknown(), &mine).await;
            assert_eq!(of_unknown.1.len(), 1, "{op:?}: {of_unknown:?}");
            assert_eq!(refusal(&world, &stranger, op, &hidden, &mine).await, of_unknown, "{op:?}, from memory");
        }
    });
}

#[test]
fn a_hidden_key_that_is_not_in_memory_costs_one_call_of_the_store_as_an_unknown_one() {
    let name = "a_hidden_key_that_is_not_in_memory_costs_one_call_of_the_store_as_an_unknown_one";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (stranger, mine) = stranger(&world).await;
        let hidden = world.object().await;
        refusal(&world, &stranger, Op::Key, &hidden, &mine).await;
        for op in Op::ALL {
            // A change of the key drops it from memory, and it alone.
            world.kms().update_key(world.administrator(), hidden.key_id, KeyPatch::default()).await.unwrap();
            let of_hidden = refusal(&world, &stranger, op, &hidden, &mine).await;
            assert_eq!(of_hidden, refusal(&world, &stranger, op, &unknown(), &mine).await, "{op:?}");
        }
    });
}

#[test]
fn a_key_that_its_dialect_hides_is_answered_as_an_unknown_one_too() {
    in_own_process(module_path!(), "a_key_that_its_dialect_hides_is_answered_as_an_unknown_one_too", async |core| {
        let world = World::start(core).await;
        let (deleted, mine) = (world.object().await, world.object().await);
        let administrator = world.administrator();
        world.kms().delete_key(administrator, deleted.key_id, None).await.unwrap();
        refusal(&world, administrator, Op::Key, &deleted, &mine).await;
        for op in Op::ALL.into_iter().filter(|op| *op != Op::Restore) {
            let of_unknown = refusal(&world, administrator, op, &unknown(), &mine).await;
            assert_eq!(refusal(&world, administrator, op, &deleted, &mine).await, of_unknown, "{op:?}");
        }
        world.kms().restore_key(administrator, deleted.key_id, None).await.unwrap();
    });
}

#[test]
fn a_key_of_another_region_is_answered_as_an_unknown_one_in_every_use_case() {
    let name = "a_key_of_another_region_is_answered_as_an_unknown_one_in_every_use_case";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let far = world.object().await;
        let in_region = |region: &str| RequestContext {
            dialect: Dialect::Aws,
            region: Some(region.into()),
            ..world.administrator().clone()
        };
        let (here, there) = (in_region("us-east-1"), in_region("eu-west-1"));
        let made = world.kms().create_key(&there, create_in(&world, world.home())).await.unwrap().key_id;
        let mine = world.with_ciphertext(made, &there).await;
        refusal(&world, &there, Op::Key, &far, &mine).await;
        for op in Op::ALL {
            let of_unknown = refusal(&world, &there, op, &unknown(), &mine).await;
            assert_eq!(refusal(&world, &there, op, &far, &mine).await, of_unknown, "{op:?}");
            refusal(&world, &here, op, &mine, &far).await;
        }
        let record = world.kms().rotate_key(&here, far.key_id, OnDemandRules::default()).await.unwrap().id;
        let hidden = world.kms().operation(&there, record).await.unwrap_err();
        assert!(matches!(hidden, ServiceError::NotFound { what: Missing::Operation, .. }), "{hidden:?}");
        assert!(world.kms().operation(&here, record).await.is_ok());
        // A request without a region finds both.
        assert!(run(world.kms(), world.administrator(), Op::ReEncryptTo, &far, &mine).await.is_ok());
    });
}

#[test]
fn while_the_database_is_away_a_hidden_key_cannot_be_told_from_an_unknown_one() {
    let name = "while_the_database_is_away_a_hidden_key_cannot_be_told_from_an_unknown_one";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (stranger, mine) = stranger(&world).await;
        let hidden = world.object().await;
        refusal(&world, &stranger, Op::Key, &hidden, &mine).await;
        world.service.store.cut_after(0);
        for of in [&hidden, &unknown()] {
            let error = run(world.kms(), &stranger, Op::Encrypt, of, &mine).await.unwrap_err();
            assert!(matches!(error, ServiceError::Unavailable(_)), "{error:?}");
        }
        assert!(run(world.kms(), &stranger, Op::Encrypt, &mine, &mine).await.is_ok(), "from memory alone");
    });
}

#[test]
fn an_operation_of_a_hidden_key_is_answered_as_an_unknown_one() {
    in_own_process(module_path!(), "an_operation_of_a_hidden_key_is_answered_as_an_unknown_one", async |core| {
        let world = World::start(core).await;
        let (stranger, mine) = stranger(&world).await;
        let hidden = world.object().await;
        refusal(&world, &stranger, Op::Key, &hidden, &mine).await;
        let record =
            world.kms().rotate_key(world.administrator(), hidden.key_id, OnDemandRules::default()).await.unwrap().id;
        world.kms().key(world.administrator(), hidden.key_id).await.unwrap();
        let mut answers = Vec::new();
        for id in [record, OperationId::from_bytes([0x55; 16])] {
            world.service.store.take_reads();
            let error = world.kms().operation(&stranger, id).await.unwrap_err();
            assert!(matches!(error, ServiceError::NotFound { what: Missing::Operation, .. }), "{error:?}");
            answers.push((error.to_string().replace(&id.to_string(), "ID"), world.service.store.take_reads()));
        }
        assert_eq!(answers[0], answers[1]);
    });
}

#[test]
fn the_source_of_a_re_encryption_is_hidden_whatever_the_state_of_its_target() {
    let name = "the_source_of_a_re_encryption_is_hidden_whatever_the_state_of_its_target";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (stranger, mine) = stranger(&world).await;
        let hidden = world.object().await;
        let off = KeyPatch { switch: Some(Switch::Inactive), ..KeyPatch::default() };
        world.kms().update_key(&world.root, mine.key_id, off).await.unwrap();
        for of in [&hidden, &unknown()] {
            let error = world.kms().re_encrypt(&stranger, re_encrypt(of, &mine)).await.unwrap_err();
            let of_source = matches!(&error, ServiceError::NotFound { id, .. } if *id == of.key_id.to_string());
            assert!(of_source, "{error:?}");
        }
        world.bind(BindingScope::Key(hidden.key_id), Role::KeysEncrypter, &stranger).await;
        let error = world.kms().re_encrypt(&stranger, re_encrypt(&hidden, &mine)).await.unwrap_err();
        assert!(matches!(error, ServiceError::Denied), "before the state of the target: {error:?}");
    });
}

#[test]
fn folders_that_are_hidden_and_folders_that_are_not_there_get_the_same_answer() {
    let name = "folders_that_are_hidden_and_folders_that_are_not_there_get_the_same_answer";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let (stranger, _) = stranger(&world).await;
        for (ctx, folder) in [(&stranger, world.home()), (&stranger, UNKNOWN_FOLDER), (&world.root, UNKNOWN_FOLDER)] {
            let scope = BindingScope::Folder(folder);
            let kms = world.kms();
            let refused = [
                kms.access_bindings(ctx, scope).await.map(drop),
                kms.set_access_bindings(ctx, scope, super::set([])).await.map(drop),
                kms.update_access_bindings(ctx, scope, Vec::new()).await.map(drop),
                kms.create_key(ctx, create_in(&world, folder)).await.map(drop),
            ];
            for result in refused {
                let error = result.unwrap_err();
                let id = folder.to_string();
                let expected = ServiceError::NotFound { what: Missing::Folder, id };
                assert_eq!(error.to_string(), expected.to_string());
            }
            let listed = kms.keys(ctx, folder, None, 10).await.unwrap();
            assert!(listed.items.is_empty() && listed.next.is_none());
        }
        // Whoever has some role on the service learns nothing of folders either.
        let operator = world.account(stranger.caller.folder_id).await;
        world.bind(BindingScope::Service, Role::Operator, &operator).await;
        for folder in [world.home(), UNKNOWN_FOLDER] {
            let refused = world.kms().create_key(&operator, create_in(&world, folder)).await.map(drop);
            assert!(is_denied(&refused), "{refused:?}");
        }
    });
}

fn create_in(world: &World, folder_id: FolderId) -> CreateKey {
    CreateKey { folder_id, ..world.service.create_request(Algorithm::Aes128, None) }
}

/// Keys in every state, with versions and ciphertexts that would be refused if anybody looked at them.
async fn objects_in_every_state(world: &World) -> Vec<(&'static str, Object)> {
    let (kms, administrator) = (world.kms(), world.administrator());
    let good = world.object().await;
    let inactive = world.object().await;
    let off = KeyPatch { switch: Some(Switch::Inactive), ..KeyPatch::default() };
    kms.update_key(administrator, inactive.key_id, off).await.unwrap();
    let protected = world.object().await;
    let protect = KeyPatch { deletion_protection: Some(true), ..KeyPatch::default() };
    kms.update_key(administrator, protected.key_id, protect).await.unwrap();
    let destroyed = world.object().await;
    kms.rotate_key(administrator, destroyed.key_id, OnDemandRules::default()).await.unwrap();
    let wait = Some(Duration::from_secs(24 * 3600));
    kms.schedule_version_destruction(administrator, destroyed.key_id, destroyed.version_id, wait).await.unwrap();
    world.service.clock.advance(Duration::from_secs(25 * 3600));
    assert_eq!(kms.maintain().await.unwrap().destroyed, 1);
    let deleted = world.object().await;
    kms.delete_key(administrator, deleted.key_id, None).await.unwrap();
    vec![
        ("active", good.clone()),
        ("inactive", inactive),
        ("protected from deletion", protected),
        ("with a destroyed version", destroyed),
        ("with an unknown version", Object { version_id: UNKNOWN_VERSION, ..good.clone() }),
        ("with garbage to decrypt", Object { ciphertext: vec![0; 5], ..good.clone() }),
        ("with nothing to decrypt", Object { ciphertext: Vec::new(), ..good }),
        ("pending deletion", deleted),
    ]
}

#[test]
fn a_viewer_is_denied_and_a_stranger_finds_nothing_whatever_the_state_of_key_and_request() {
    let name = "a_viewer_is_denied_and_a_stranger_finds_nothing_whatever_the_state_of_key_and_request";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let objects = objects_in_every_state(&world).await;
        let (stranger, mine) = stranger(&world).await;
        let (viewer, my_own) = self::stranger(&world).await;
        world.bind(BindingScope::Folder(world.home()), Role::Viewer, &viewer).await;
        // This dialect shows keys that are pending deletion.
        let in_aws = |ctx: &RequestContext| RequestContext { dialect: Dialect::Aws, ..ctx.clone() };
        let (stranger, viewer) = (in_aws(&stranger), in_aws(&viewer));
        for (state, object) in &objects {
            for op in Op::ALL {
                let seen = run(world.kms(), &viewer, op, object, &my_own).await;
                if Role::Viewer.permits(op.permission(), false) {
                    assert!(seen.is_ok(), "{op:?} of a key {state}: {seen:?}");
                } else {
                    assert!(is_denied(&seen), "{op:?} of a key {state}: {seen:?}");
                }
                refusal(&world, &stranger, op, object, &mine).await;
            }
        }
    });
}

#[test]
fn a_key_that_is_gone_is_not_found_by_anybody() {
    in_own_process(module_path!(), "a_key_that_is_gone_is_not_found_by_anybody", async |core| {
        let world = World::start(core).await;
        let (gone, mine) = (world.object().await, world.object().await);
        world.kms().delete_key(world.administrator(), gone.key_id, None).await.unwrap();
        world.service.clock.advance(Duration::from_secs(30 * 24 * 3600));
        assert_eq!(world.kms().maintain().await.unwrap().deleted, 1);
        assert!(world.service.store.key(gone.key_id).await.unwrap().is_some(), "its row stays");
        for dialect in [Dialect::Yandex, Dialect::Aws] {
            let ctx = RequestContext { dialect, ..world.administrator().clone() };
            for op in Op::ALL.into_iter().filter(|op| *op != Op::Restore) {
                refusal(&world, &ctx, op, &gone, &mine).await;
            }
        }
    });
}
