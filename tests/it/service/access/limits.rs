//! Limits of requests, in the one frame that every dialect runs in.

use super::super::{in_own_process, settings};
use super::{Object, Op, UNKNOWN_KEY, World, encrypt, re_encrypt, run};
use crate::service::core::Core;
use claviger::domain::access::Role;
use claviger::domain::id::OperationId;
use claviger::service::error::ServiceError;
use claviger::service::ports::BindingScope;
use claviger::service::request::RequestContext;
use claviger::service::{AccessSettings, KmsSettings};
use std::num::NonZeroU32;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A service with limits; every second of its clock has room again for everybody.
async fn limited(core: Core, per_principal: u32, per_key: u32) -> World {
    let access = AccessSettings {
        requests_per_principal: NonZeroU32::new(per_principal),
        requests_per_key: NonZeroU32::new(per_key),
        ..settings().access
    };
    World::with(core, KmsSettings { access, ..settings() }).await
}

async fn user(world: &World, of: &Object) -> RequestContext {
    let user = world.account(world.home()).await;
    world.service.clock.advance(SECOND);
    world.bind(BindingScope::Key(of.key_id), Role::KeysEncrypterDecrypter, &user).await;
    world.service.clock.advance(SECOND);
    user
}

fn is_throttled<T: std::fmt::Debug>(result: &Result<T, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::Throttled { .. }))
}

#[test]
fn a_principal_is_throttled_by_itself_and_refused_requests_count() {
    in_own_process(module_path!(), "a_principal_is_throttled_by_itself_and_refused_requests_count", async |core| {
        let world = limited(core, 5, 0).await;
        let object = world.object().await;
        let (one, other) = (user(&world, &object).await, user(&world, &object).await);
        let unknown = Object { key_id: UNKNOWN_KEY, ..object.clone() };
        for op in [Op::Encrypt, Op::Rotate, Op::ReEncryptTo] {
            assert!(!is_throttled(&run(world.kms(), &one, op, &object, &object).await), "{op:?}");
        }
        for _ in 0..2 {
            let refused = run(world.kms(), &one, Op::Key, &unknown, &object).await;
            assert!(matches!(refused, Err(ServiceError::NotFound { .. })));
        }
        for op in Op::ALL {
            assert!(is_throttled(&run(world.kms(), &one, op, &object, &object).await), "{op:?}");
            assert!(is_throttled(&run(world.kms(), &one, op, &unknown, &object).await), "{op:?}");
        }
        assert!(run(world.kms(), &other, Op::Encrypt, &object, &object).await.is_ok(), "others are free");
        world.service.clock.advance(SECOND / 5);
        assert!(run(world.kms(), &one, Op::Encrypt, &object, &object).await.is_ok());
        assert!(is_throttled(&run(world.kms(), &one, Op::Encrypt, &object, &object).await));
    });
}

#[test]
fn requests_that_are_not_about_one_key_count_for_their_principal_too() {
    let name = "requests_that_are_not_about_one_key_count_for_their_principal_too";
    in_own_process(module_path!(), name, async |core| {
        let world = limited(core, 1, 0).await;
        let caller = world.account(world.home()).await;
        let (kms, folder) = (world.kms(), BindingScope::Folder(world.home()));
        let principal = caller.caller.principal_id;
        let credential = caller.caller.credential_id;
        for number in 0..16 {
            let attempt = async || match number {
                0 => kms.keys(&caller, world.home(), None, 10).await.map(drop),
                1 => kms.operation(&caller, OperationId::from_bytes([7; 16])).await.map(drop),
                2 => kms.access_bindings(&caller, BindingScope::Service).await.map(drop),
                3 => kms.access_bindings(&caller, folder).await.map(drop),
                4 => kms.set_access_bindings(&caller, folder, super::set([])).await.map(drop),
                5 => kms.confirm_clock(&caller).await,
                6 => kms.folders(&caller, None, 10).await.map(drop),
                7 => kms.folder(&caller, world.home()).await.map(drop),
                8 => kms.create_folder(&caller, "new".into()).await.map(drop),
                9 => kms.principals(&caller, world.home(), None, 10).await.map(drop),
                10 => kms.principal(&caller, principal).await.map(drop),
                11 => kms.delete_principal(&caller, principal).await.map(drop),
                12 => kms.credentials(&caller, principal, None, 10).await.map(drop),
                13 => kms.credential(&caller, credential).await.map(drop),
                14 => kms.revoke_credential(&caller, credential).await.map(drop),
                _ => {
                    let request = world.service.create_request(super::Algorithm::Aes128, None);
                    kms.create_key(&caller, request).await.map(drop)
                }
            };
            assert!(!is_throttled(&attempt().await), "request {number}");
            assert!(is_throttled(&attempt().await), "request {number}");
            world.service.clock.advance(SECOND);
        }
    });
}

#[test]
fn a_key_is_throttled_for_everybody_but_strangers_do_not_use_it_up() {
    in_own_process(module_path!(), "a_key_is_throttled_for_everybody_but_strangers_do_not_use_it_up", async |core| {
        let world = limited(core, 0, 3).await;
        let (object, other) = (world.object().await, world.object().await);
        let (one, two) = (user(&world, &object).await, user(&world, &object).await);
        let stranger = user(&world, &other).await;
        for _ in 0..20 {
            let refused = run(world.kms(), &stranger, Op::Encrypt, &object, &other).await;
            assert!(matches!(refused, Err(ServiceError::NotFound { .. })));
            let refused = run(world.kms(), &one, Op::Rotate, &object, &object).await;
            assert!(matches!(refused, Err(ServiceError::Denied)));
        }
        assert!(world.kms().encrypt(&one, encrypt(object.key_id, None)).await.is_ok());
        assert!(world.kms().encrypt(&two, encrypt(object.key_id, None)).await.is_ok());
        assert!(run(world.kms(), &one, Op::Key, &object, &object).await.is_ok());
        for caller in [&one, &two] {
            assert!(is_throttled(&world.kms().encrypt(caller, encrypt(object.key_id, None)).await));
        }
        let refused = run(world.kms(), &stranger, Op::Encrypt, &object, &other).await;
        assert!(matches!(refused, Err(ServiceError::NotFound { .. })), "a throttled key stays hidden");
        let refused = run(world.kms(), &one, Op::Rotate, &object, &object).await;
        assert!(matches!(refused, Err(ServiceError::Denied)), "{refused:?}");
        assert!(run(world.kms(), &stranger, Op::Encrypt, &other, &other).await.is_ok(), "other keys are free");
    });
}

#[test]
fn a_re_encryption_counts_once_for_each_of_its_keys() {
    in_own_process(module_path!(), "a_re_encryption_counts_once_for_each_of_its_keys", async |core| {
        let world = limited(core, 0, 2).await;
        let from = world.object().await;
        world.service.clock.advance(SECOND);
        let to = world.object().await;
        world.service.clock.advance(SECOND);
        let ctx = world.administrator();
        let encrypts = async |of: &Object| world.kms().encrypt(ctx, encrypt(of.key_id, None)).await;
        world.kms().re_encrypt(ctx, re_encrypt(&from, &to)).await.unwrap();
        for of in [&from, &to] {
            assert!(encrypts(of).await.is_ok());
            assert!(is_throttled(&encrypts(of).await));
        }
        assert!(is_throttled(&world.kms().re_encrypt(ctx, re_encrypt(&from, &to)).await));
        world.service.clock.advance(SECOND);
        world.kms().re_encrypt(ctx, re_encrypt(&from, &from)).await.unwrap();
        assert!(encrypts(&from).await.is_ok());
        assert!(is_throttled(&encrypts(&from).await));
    });
}

#[test]
fn without_limits_nobody_is_throttled() {
    in_own_process(module_path!(), "without_limits_nobody_is_throttled", async |core| {
        let world = World::start(core).await;
        let object = world.object().await;
        for _ in 0..500 {
            run(world.kms(), world.administrator(), Op::Key, &object, &object).await.unwrap();
        }
    });
}
