//! A list shows what the caller may see, and nothing else.

use super::super::in_own_process;
use super::{World, is_denied};
use claviger::domain::Dialect;
use claviger::domain::access::Role;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::id::{FolderId, KeyId};
use claviger::service::ports::KeyFilter;
use claviger::service::ports::{BindingScope, Store};
use claviger::service::request::{CreateKey, RequestContext};

/// All pages, and how many there were.
async fn list(world: &World, ctx: &RequestContext, folder: FolderId, limit: u32) -> (Vec<KeyId>, usize) {
    let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = world.kms().keys(ctx, folder, after, limit).await.unwrap();
        assert!(page.items.len() <= usize::try_from(limit).unwrap());
        all.extend(page.items.iter().map(|view| view.key.id));
        pages += 1;
        assert!(pages < 100, "the list does not end");
        if page.next.is_none() {
            return (all, pages);
        }
        assert_ne!(page.next, after, "the list stands still");
        after = page.next;
    }
}

#[test]
fn whoever_may_list_the_folder_sees_all_keys_of_it_and_none_of_others() {
    let name = "whoever_may_list_the_folder_sees_all_keys_of_it_and_none_of_others";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let other = world.folder().await;
        let (one, two) = (world.key_in(world.home()).await, world.key_in(world.home()).await);
        let three = world.key_in(other).await;
        for scope in [BindingScope::Folder(world.home()), BindingScope::Service] {
            let lister = world.account(other).await;
            world.bind(scope, Role::KeysUser, &lister).await;
            assert_eq!(list(&world, &lister, world.home(), 1).await.0.len(), 2);
            let mut seen = list(&world, &lister, world.home(), 100).await.0;
            seen.sort_by_key(|id| *id != one);
            assert_eq!(seen, [one, two]);
            let elsewhere = list(&world, &lister, other, 100).await.0;
            assert_eq!(elsewhere, if scope == BindingScope::Service { vec![three] } else { Vec::new() });
        }
    });
}

#[test]
fn whoever_has_a_role_on_the_folder_that_does_not_list_is_denied() {
    let name = "whoever_has_a_role_on_the_folder_that_does_not_list_is_denied";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        let key = world.key_in(world.home()).await;
        for scope in [BindingScope::Folder(world.home()), BindingScope::Service] {
            let caller = world.account(world.folder().await).await;
            world.bind(scope, Role::KeysEncrypter, &caller).await;
            world.bind(BindingScope::Key(key), Role::Viewer, &caller).await;
            let listed = world.kms().keys(&caller, world.home(), None, 10).await.map(drop);
            assert!(is_denied(&listed), "{listed:?}");
        }
    });
}

#[test]
fn whoever_has_roles_on_single_keys_sees_those_that_it_may_view() {
    in_own_process(module_path!(), "whoever_has_roles_on_single_keys_sees_those_that_it_may_view", async |core| {
        let world = World::start(core).await;
        let other = world.folder().await;
        for at_home in [true, false] {
            let caller = world.account(if at_home { world.home() } else { other }).await;
            let mut visible = Vec::new();
            for number in 0..12 {
                let key = world.key_in(world.home()).await;
                // An operator may restore the key, but not see it; a third of the keys has no role for the caller.
                match number % 3 {
                    0 => world.bind(BindingScope::Key(key), Role::Operator, &caller).await,
                    1 => {
                        world.bind(BindingScope::Key(key), Role::KeysDecrypter, &caller).await;
                        visible.push(key);
                    }
                    _ => {}
                }
            }
            let abroad = world.key_in(other).await;
            world.bind(BindingScope::Key(abroad), Role::KeysUser, &caller).await;
            for limit in [1, 2, 3, 100] {
                let (mut seen, pages) = list(&world, &caller, world.home(), limit).await;
                seen.sort_unstable_by_key(|id| visible.iter().position(|key| key == id));
                assert_eq!(seen, visible, "pages of {limit}");
                assert!(pages <= 9);
            }
            assert_eq!(list(&world, &caller, other, 10).await.0, [abroad]);
        }
    });
}

#[test]
fn of_single_keys_those_are_listed_that_there_are_for_the_request() {
    in_own_process(module_path!(), "of_single_keys_those_are_listed_that_there_are_for_the_request", async |core| {
        let world = World::start(core).await;
        let caller = world.account(world.folder().await).await;
        let in_region = |ctx: &RequestContext, region: &str| RequestContext {
            dialect: Dialect::Aws,
            region: Some(region.into()),
            ..ctx.clone()
        };
        let request = CreateKey { folder_id: world.home(), ..world.service.create_request(Algorithm::Aes128, None) };
        let western = world.kms().create_key(&in_region(&world.root, "eu-west-1"), request).await.unwrap().key_id;
        let (eastern, deleted) = (world.key_in(world.home()).await, world.key_in(world.home()).await);
        for key in [western, eastern, deleted] {
            world.bind(BindingScope::Key(key), Role::Viewer, &caller).await;
        }
        world.kms().delete_key(&world.root, deleted, None).await.unwrap();
        let listed = async |ctx: &RequestContext| {
            let mut keys = list(&world, ctx, world.home(), 10).await.0;
            keys.sort_unstable_by_key(|id| [western, eastern, deleted].iter().position(|key| key == id));
            keys
        };
        assert_eq!(listed(&caller).await, [western, eastern]);
        assert_eq!(listed(&in_region(&caller, "us-east-1")).await, [eastern, deleted]);
        assert_eq!(listed(&in_region(&caller, "eu-west-1")).await, [western]);
    });
}

#[test]
fn a_key_leaves_the_list_with_its_role_and_with_its_deletion() {
    in_own_process(module_path!(), "a_key_leaves_the_list_with_its_role_and_with_its_deletion", async |core| {
        let world = World::start(core).await;
        let caller = world.account(world.folder().await).await;
        let (kept, unbound, deleted) =
            (world.key_in(world.home()).await, world.key_in(world.home()).await, world.key_in(world.home()).await);
        for key in [kept, unbound, deleted] {
            world.bind(BindingScope::Key(key), Role::Viewer, &caller).await;
        }
        assert_eq!(list(&world, &caller, world.home(), 10).await.0.len(), 3);
        world.unbind(BindingScope::Key(unbound), Role::Viewer, &caller).await;
        world.kms().delete_key(&world.root, deleted, None).await.unwrap();
        assert_eq!(list(&world, &caller, world.home(), 10).await.0, [kept]);
    });
}

#[test]
fn strangers_get_an_empty_list_of_folders_that_are_there_and_that_are_not_for_the_same_work() {
    let name = "strangers_get_an_empty_list_of_folders_that_are_there_and_that_are_not_for_the_same_work";
    in_own_process(module_path!(), name, async |core| {
        let world = World::start(core).await;
        world.key_in(world.home()).await;
        let stranger = world.account(world.folder().await).await;
        let mut reads = Vec::new();
        for folder in [world.home(), super::UNKNOWN_FOLDER] {
            // The roles of the folder, or that there are none, come into memory.
            assert_eq!(list(&world, &stranger, folder, 10).await, (Vec::new(), 1));
            world.service.store.take_reads();
            assert_eq!(list(&world, &stranger, folder, 10).await, (Vec::new(), 1));
            reads.push(world.service.store.take_reads());
        }
        assert_eq!(reads[0], reads[1]);
        assert_eq!(
            world.service.store.keys(super::UNKNOWN_FOLDER, KeyFilter::default(), None, 10).await.unwrap().items.len(),
            0
        );
    });
}
