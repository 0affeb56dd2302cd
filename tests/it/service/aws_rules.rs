//! What the AWS dialect asks of the use cases beyond the native one: regions, waits, tags, the limit of rotations on
//! demand, versions by age, random bytes.

use super::{DAY, HOUR, Service, in_own_process};
use claviger::domain::Dialect;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::error::{StateError, ValueError};
use claviger::domain::id::KeyId;
use claviger::domain::key::{Key, KeyState, Requires, Switch};
use claviger::domain::operation::Snapshot;
use claviger::domain::version::VersionOrigin;
use claviger::service::error::ServiceError;
use claviger::service::request::{CreateKey, KeyPatch, OnDemandRules, RequestContext, TagChange};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;

/// The administrator, by the AWS dialect in a region.
pub fn in_region(service: &Service, region: &str) -> RequestContext {
    RequestContext { dialect: Dialect::Aws, region: Some(region.into()), ..service.ctx.clone() }
}

/// The same, in the region of keys that other dialects make.
pub fn aws(service: &Service) -> RequestContext {
    in_region(service, "us-east-1")
}

pub async fn make(service: &Service, ctx: &RequestContext) -> KeyId {
    service.kms.create_key(ctx, service.create_request(Algorithm::Aes256, None)).await.unwrap().key_id
}

pub async fn key(service: &Service, ctx: &RequestContext, id: KeyId) -> Key {
    service.kms.key(ctx, id).await.unwrap().key
}

pub fn switch(switch: Switch) -> KeyPatch {
    KeyPatch { switch: Some(switch), ..KeyPatch::default() }
}

fn tags(set: impl IntoIterator<Item = (String, String)>, remove: &[&str]) -> KeyPatch {
    let remove = remove.iter().map(|&name| name.to_owned()).collect();
    KeyPatch { tags: TagChange { set: set.into_iter().collect(), remove }, ..KeyPatch::default() }
}

fn numbered(count: usize) -> BTreeMap<String, String> {
    (0..count).map(|number| (format!("tag{number}"), number.to_string())).collect()
}

const fn at_most(rotations: u32) -> OnDemandRules {
    OnDemandRules { max_rotations: Some(rotations), keep_clear_of_schedule: Duration::ZERO }
}

#[test]
fn keys_are_made_in_the_region_of_the_request_and_listed_there_alone() {
    in_own_process(module_path!(), "keys_are_made_in_the_region_of_the_request_and_listed_there_alone", async |core| {
        let service = Service::start(core).await;
        let (east, west) = (aws(&service), in_region(&service, "eu-west-1"));
        let native = service.create(Algorithm::Aes128, None).await;
        service.clock.advance(HOUR);
        let eastern = make(&service, &east).await;
        service.clock.advance(HOUR);
        let western = make(&service, &west).await;
        assert_eq!(key(&service, &east, native).await.region, "us-east-1", "that of keys without one");
        assert_eq!(key(&service, &west, western).await.region, "eu-west-1");
        let listed = async |ctx: &RequestContext| {
            let page = service.kms.keys(ctx, ctx.caller.folder_id, None, 10).await.unwrap();
            page.items.into_iter().map(|view| view.key.id).collect::<Vec<_>>()
        };
        assert_eq!(listed(&east).await, [native, eastern]);
        assert_eq!(listed(&west).await, [western]);
        assert_eq!(listed(&in_region(&service, "ap-east-1")).await, []);
        assert_eq!(listed(&service.ctx).await, [native, eastern, western], "the native dialect knows no regions");

        service.kms.delete_key(&east, eastern, None).await.unwrap();
        assert_eq!(listed(&east).await, [native, eastern], "shown as long as it is pending deletion");
        assert_eq!(listed(&service.ctx).await, [native, western]);
        service.clock.advance(DAY * 7);
        assert_eq!(service.kms.maintain().await.unwrap().deleted, 1);
        assert_eq!(listed(&east).await, [native]);
    });
}

#[test]
fn the_shortest_wait_is_the_keys_whichever_dialect_deletes_it() {
    in_own_process(module_path!(), "the_shortest_wait_is_the_keys_whichever_dialect_deletes_it", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let native = service.create(Algorithm::Aes128, None).await;
        let made = make(&service, &ctx).await;
        let cases = [
            (&ctx, made, Some(DAY), DAY * 7),
            (&ctx, made, Some(DAY * 30), DAY * 30),
            (&service.ctx, made, None, DAY * 7),
            (&ctx, native, Some(DAY * 7), DAY * 7),
            (&service.ctx, native, None, HOUR * 72),
            (&ctx, native, Some(HOUR), DAY),
        ];
        for (by, id, asked, expected) in cases {
            let operation = service.kms.delete_key(by, id, asked).await.unwrap();
            let Snapshot::Key(view) = operation.snapshot else { panic!("no key") };
            let KeyState::PendingDeletion { delete_at, .. } = view.key.state else { panic!("{:?}", view.key.state) };
            assert_eq!(delete_at.since(service.kms.now()), expected, "{asked:?} by {:?}", by.dialect);
            let again = service.kms.delete_key(&ctx, id, asked).await.unwrap_err();
            assert!(matches!(again, ServiceError::State(StateError::KeyPendingDeletion)), "{again:?}");
            service.kms.restore_key(by, id, None).await.unwrap();
        }
    });
}

#[test]
fn a_key_is_restored_to_what_the_dialect_wants_it_to_be() {
    in_own_process(module_path!(), "a_key_is_restored_to_what_the_dialect_wants_it_to_be", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let id = make(&service, &ctx).await;
        let refused = service.kms.restore_key(&ctx, id, Some(Switch::Inactive)).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::KeyNotPendingDeletion)), "{refused:?}");
        service.kms.delete_key(&ctx, id, None).await.unwrap();
        let refused = service.encrypt(id, None).await.unwrap_err();
        assert!(matches!(refused, ServiceError::NotFound { .. }), "{refused:?}");
        service.kms.restore_key(&ctx, id, Some(Switch::Inactive)).await.unwrap();
        let refused = service.encrypt(id, None).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::KeyInactive)), "{refused:?}");
        service.kms.update_key(&ctx, id, switch(Switch::Active)).await.unwrap();
        service.kms.delete_key(&ctx, id, None).await.unwrap();
        service.kms.restore_key(&service.ctx, id, None).await.unwrap();
        assert!(service.encrypt(id, None).await.is_ok(), "as it was");
    });
}

#[test]
fn a_key_has_fifty_tags_at_most_and_its_labels_beside_them() {
    in_own_process(module_path!(), "a_key_has_fifty_tags_at_most_and_its_labels_beside_them", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let request = |count| CreateKey { tags: numbered(count), ..service.create_request(Algorithm::Aes128, None) };
        let refused = |error| {
            let limit = ValueError::TooMany { field: "tags", limit: 50 };
            matches!(error, ServiceError::Value(value) if value == limit)
        };
        assert!(refused(service.kms.create_key(&ctx, request(51)).await.unwrap_err()));
        let id = service.kms.create_key(&ctx, request(50)).await.unwrap().key_id;
        let one_more = || tags([("more".to_owned(), String::new())], &[]);
        assert!(refused(service.kms.update_key(&ctx, id, one_more()).await.unwrap_err()));
        assert_eq!(key(&service, &ctx, id).await.tags, numbered(50));
        let changed = tags([("tag1".to_owned(), "new".to_owned())], &["tag0", "never there"]);
        service.kms.update_key(&ctx, id, changed).await.unwrap();
        service.kms.update_key(&ctx, id, one_more()).await.unwrap();
        let now = key(&service, &ctx, id).await;
        assert_eq!((now.tags.len(), now.tags["tag1"].as_str(), now.tags.get("tag0")), (50, "new", None));
        assert!(now.labels.pairs().is_empty());
        // Removing and setting at once: the place of the one is free for the other.
        service.kms.update_key(&ctx, id, tags([("last".to_owned(), String::new())], &["tag1"])).await.unwrap();
        assert_eq!(key(&service, &ctx, id).await.tags.len(), 50);
    });
}

#[test]
fn of_tags_that_are_changed_at_the_same_moment_none_is_lost() {
    in_own_process(module_path!(), "of_tags_that_are_changed_at_the_same_moment_none_is_lost", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let request = CreateKey { tags: numbered(25), ..service.create_request(Algorithm::Aes128, None) };
        let id = service.kms.create_key(&ctx, request).await.unwrap().key_id;
        let set = |number: usize| tags([(format!("new{number}"), String::new())], &[]);
        let remove = |number: usize| tags([], &[&format!("tag{number}")]);
        let patches = (0..25).flat_map(|number| [set(number), remove(number)]);
        let done = join_all(patches.map(|patch| service.kms.update_key(&ctx, id, patch))).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        let names: Vec<_> = key(&service, &ctx, id).await.tags.into_keys().collect();
        assert!(names.len() == 25 && names.iter().all(|name| name.starts_with("new")), "{names:?}");
    });
}

#[test]
fn a_change_is_refused_unless_the_key_is_in_the_state_that_it_asks_for() {
    in_own_process(
        module_path!(),
        "a_change_is_refused_unless_the_key_is_in_the_state_that_it_asks_for",
        async |core| {
            let service = Service::start(core).await;
            let ctx = aws(&service);
            let id = make(&service, &ctx).await;
            let asking = |requires| KeyPatch { requires, ..tags([("name".to_owned(), String::new())], &[]) };
            let change = async |requires| service.kms.update_key(&ctx, id, asking(requires)).await;
            assert!(change(Requires::Live).await.is_ok() && change(Requires::Active).await.is_ok());
            service.kms.update_key(&ctx, id, switch(Switch::Inactive)).await.unwrap();
            assert!(change(Requires::Live).await.is_ok());
            let refused = change(Requires::Active).await.unwrap_err();
            assert!(matches!(refused, ServiceError::State(StateError::KeyInactive)), "{refused:?}");
            service.kms.delete_key(&ctx, id, None).await.unwrap();
            for requires in [Requires::Live, Requires::Active] {
                let refused = change(requires).await.unwrap_err();
                assert!(matches!(refused, ServiceError::State(StateError::KeyPendingDeletion)), "{refused:?}");
            }
        },
    );
}

#[test]
fn of_two_rotations_on_demand_at_the_limit_one_is_made() {
    in_own_process(module_path!(), "of_two_rotations_on_demand_at_the_limit_one_is_made", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let id = make(&service, &ctx).await;
        let rotate = || service.kms.rotate_key(&ctx, id, at_most(25));
        for _ in 0..24 {
            rotate().await.unwrap();
        }
        let (one, other) = tokio::join!(rotate(), rotate());
        assert_ne!(one.is_ok(), other.is_ok(), "{one:?} {other:?}");
        let refused = one.err().or(other.err()).unwrap();
        assert!(matches!(refused, ServiceError::OnDemandRotationLimit { limit: 25 }), "{refused:?}");
        assert_eq!(service.versions(id).await.len(), 1 + 25);
        let refused = rotate().await.unwrap_err();
        assert!(matches!(refused, ServiceError::OnDemandRotationLimit { limit: 25 }), "{refused:?}");
        service.kms.rotate_key(&service.ctx, id, OnDemandRules::default()).await.unwrap();
    });
}

#[test]
fn the_limit_counts_rotations_on_demand_of_every_dialect_and_no_others() {
    in_own_process(
        module_path!(),
        "the_limit_counts_rotations_on_demand_of_every_dialect_and_no_others",
        async |core| {
            let service = Service::start(core).await;
            let ctx = aws(&service);
            let id = service.create(Algorithm::Aes128, Some(DAY * 30)).await;
            // More than are read at once.
            for _ in 0..60 {
                service.kms.rotate_key(&service.ctx, id, OnDemandRules::default()).await.unwrap();
            }
            for _ in 0..60 {
                service.clock.advance(DAY * 30);
                assert_eq!(service.kms.maintain().await.unwrap().rotated, 1);
            }
            let refused = service.kms.rotate_key(&ctx, id, at_most(60)).await.unwrap_err();
            assert!(matches!(refused, ServiceError::OnDemandRotationLimit { limit: 60 }), "{refused:?}");
            service.kms.rotate_key(&ctx, id, at_most(61)).await.unwrap();
            assert!(service.kms.rotate_key(&ctx, id, at_most(61)).await.is_err());
            // What is off is said before what is used up.
            service.kms.update_key(&ctx, id, switch(Switch::Inactive)).await.unwrap();
            let refused = service.kms.rotate_key(&ctx, id, at_most(1)).await.unwrap_err();
            assert!(matches!(refused, ServiceError::State(StateError::KeyInactive)), "{refused:?}");
        },
    );
}

#[test]
fn versions_by_age_begin_with_the_first_and_have_no_gaps() {
    in_own_process(module_path!(), "versions_by_age_begin_with_the_first_and_have_no_gaps", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let id = make(&service, &ctx).await;
        let first = service.primary(id).await;
        for _ in 0..6 {
            service.kms.rotate_key(&ctx, id, OnDemandRules::default()).await.unwrap();
        }
        service.kms.schedule_version_destruction(&ctx, id, first, None).await.unwrap();
        service.clock.advance(DAY * 7);
        assert_eq!(service.kms.maintain().await.unwrap().destroyed, 1);
        for limit in [1, 2, 3, 7, 8, u32::MAX] {
            let (mut seen, mut after) = (Vec::new(), 0);
            loop {
                let page = service.kms.versions_by_age(&ctx, id, after, limit).await.unwrap();
                assert!(page.items.len() <= usize::try_from(limit).unwrap_or(usize::MAX));
                seen.extend(page.items);
                let Some(next) = page.next else { break };
                after = u32::try_from(next.at).unwrap();
            }
            let numbers: Vec<_> = seen.iter().map(|view| view.version.number).collect();
            assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7], "pages of {limit}");
            assert_eq!((seen[0].version.origin, seen[0].version.id), (VersionOrigin::Creation, first));
            assert!(seen[1..].iter().all(|view| view.version.origin == VersionOrigin::OnDemand));
            assert_eq!(seen.iter().filter(|view| view.primary).count(), 1);
            assert!(seen[6].primary);
        }
        for (after, limit) in [(7, 10), (u32::MAX, u32::MAX), (3, 0)] {
            let page = service.kms.versions_by_age(&ctx, id, after, limit).await.unwrap();
            assert!(page.items.is_empty() && page.next.is_none(), "{after} {limit}: {page:?}");
        }
    });
}

#[test]
fn random_bytes_are_as_many_as_asked_for_and_differ() {
    in_own_process(module_path!(), "random_bytes_are_as_many_as_asked_for_and_differ", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        for bytes in [1, 16, 1024] {
            assert_eq!(service.kms.random(&ctx, bytes).await.unwrap().len(), bytes);
        }
        assert_ne!(service.kms.random(&ctx, 32).await.unwrap(), service.kms.random(&ctx, 32).await.unwrap());
        for bytes in [0, 1025, usize::MAX] {
            let refused = service.kms.random(&ctx, bytes).await.unwrap_err();
            assert!(matches!(refused, ServiceError::Invalid(_)), "{refused:?}");
        }
    });
}
