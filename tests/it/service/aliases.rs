//! The life of aliases: names, states, limits, races, and what memory holds of them.

use super::{DAY, HOUR, Service, in_own_process, settings};
use claviger::domain::Dialect;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::alias::{Alias, AliasName, AliasPlace, MAX_ALIASES_PER_KEY};
use claviger::domain::error::StateError;
use claviger::domain::id::KeyId;
use claviger::domain::key::Switch;
use claviger::domain::operation::OperationKind;
use claviger::service::aliases::AliasesOf;
use claviger::service::error::{Missing, ServiceError};
use claviger::service::ports::Store;
use claviger::service::request::{KeyName, KeyPatch, RequestContext};
use claviger::service::{AccessSettings, KmsSettings};
use futures_util::future::join_all;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

const REGION: &str = "us-east-1";

fn name(text: &str) -> AliasName {
    AliasName::new(&format!("alias/{text}")).unwrap()
}

fn in_region(service: &Service, region: &str) -> RequestContext {
    RequestContext { dialect: Dialect::Aws, region: Some(region.into()), ..service.ctx.clone() }
}

fn aws(service: &Service) -> RequestContext {
    in_region(service, REGION)
}

async fn key(service: &Service) -> KeyId {
    service.create(Algorithm::Aes128, None).await
}

async fn create(service: &Service, text: &str, key_id: KeyId) -> Result<(), ServiceError> {
    service.kms.create_alias(&aws(service), name(text), key_id).await
}

async fn update(service: &Service, text: &str, key_id: KeyId) -> Result<(), ServiceError> {
    service.kms.update_alias(&aws(service), name(text), key_id).await
}

async fn delete(service: &Service, text: &str) -> Result<(), ServiceError> {
    service.kms.delete_alias(&aws(service), name(text)).await
}

async fn target(service: &Service, text: &str) -> Result<KeyId, ServiceError> {
    let account = service.kms.account_of(service.ctx.caller.folder_id).await.unwrap();
    let named = KeyName::Alias(account, name(text));
    service.kms.locate(&aws(service), &named).await.map(|located| located.key_id)
}

fn place(service: &Service, text: &str) -> AliasPlace {
    AliasPlace { folder_id: service.ctx.caller.folder_id, region: REGION.to_owned(), name: name(text) }
}

async fn listed(service: &Service, of: AliasesOf) -> Vec<Alias> {
    let page = service.kms.aliases(&aws(service), of, None, 1000).await.unwrap();
    assert_eq!(page.next, None);
    page.items
}

fn names(aliases: &[Alias]) -> Vec<&str> {
    aliases.iter().map(|alias| alias.place.name.as_str()).collect()
}

fn is_missing_alias<T>(result: &Result<T, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::NotFound { what: Missing::Alias, .. }))
}

fn is_pending<T>(result: &Result<T, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::State(StateError::KeyPendingDeletion)))
}

#[test]
fn an_alias_is_made_moved_and_deleted_and_its_name_is_free_again() {
    in_own_process(module_path!(), "an_alias_is_made_moved_and_deleted_and_its_name_is_free_again", async |core| {
        let service = Service::start(core).await;
        let (one, two) = (key(&service).await, key(&service).await);
        let folder = AliasesOf::Folder(service.ctx.caller.folder_id);
        service.clock.advance(HOUR);
        create(&service, "a", one).await.unwrap();
        service.clock.advance(HOUR);
        create(&service, "b", one).await.unwrap();
        assert_eq!((target(&service, "a").await.unwrap(), target(&service, "b").await.unwrap()), (one, one));
        let made = listed(&service, folder).await;
        assert_eq!(names(&made), ["alias/a", "alias/b"]);
        assert_eq!(names(&listed(&service, AliasesOf::Key(one)).await), ["alias/a", "alias/b"]);
        service.clock.advance(HOUR);
        update(&service, "a", two).await.unwrap();
        assert_eq!(target(&service, "a").await.unwrap(), two);
        assert_eq!(names(&listed(&service, AliasesOf::Key(one)).await), ["alias/b"]);
        let moved = listed(&service, AliasesOf::Key(two)).await;
        let expected = Alias { key_id: Some(two), updated_at: service.kms.now(), ..made[0].clone() };
        assert_eq!(moved, [expected], "made then, moved now");
        service.clock.advance(HOUR);
        delete(&service, "a").await.unwrap();
        assert!(is_missing_alias(&target(&service, "a").await));
        for again in [delete(&service, "a").await, update(&service, "a", one).await] {
            assert!(is_missing_alias(&again), "{again:?}");
        }
        assert_eq!(names(&listed(&service, folder).await), ["alias/b"]);
        create(&service, "a", one).await.unwrap();
        let anew = &listed(&service, folder).await[1];
        assert_eq!((anew.place.name.as_str(), anew.created_at), ("alias/a", service.kms.now()));
        let kinds = async |key| {
            let page = service.kms.key_operations(&service.ctx, key, None, 10).await.unwrap();
            page.items.into_iter().map(|operation| operation.kind).collect::<Vec<_>>()
        };
        use OperationKind::{CreateKey, UpdateKey};
        assert_eq!(kinds(one).await, [UpdateKey, UpdateKey, UpdateKey, UpdateKey, CreateKey]);
        assert_eq!(kinds(two).await, [UpdateKey, UpdateKey, CreateKey]);
    });
}

#[test]
fn a_name_is_taken_once_in_each_region() {
    in_own_process(module_path!(), "a_name_is_taken_once_in_each_region", async |core| {
        let service = Service::start(core).await;
        let abroad = in_region(&service, "eu-west-1");
        let (one, two) = (key(&service).await, key(&service).await);
        let far = service.create_request(Algorithm::Aes128, None);
        let far = service.kms.create_key(&abroad, far).await.unwrap().key_id;
        create(&service, "a", one).await.unwrap();
        for key_id in [one, two] {
            let taken = create(&service, "a", key_id).await;
            assert!(matches!(taken, Err(ServiceError::Exists(_))), "{taken:?}");
        }
        service.kms.create_alias(&abroad, name("a"), far).await.unwrap();
        assert_eq!(target(&service, "a").await.unwrap(), one);
        let account = service.kms.account_of(service.ctx.caller.folder_id).await.unwrap();
        let there = service.kms.locate(&abroad, &KeyName::Alias(account, name("a"))).await.unwrap();
        assert_eq!((there.key_id, there.account_id), (far, account));
        let moved = update(&service, "a", far).await;
        assert!(matches!(moved, Err(ServiceError::NotFound { what: Missing::Key, .. })), "{moved:?}");
        let foreign = create(&service, "b", far).await;
        assert!(matches!(foreign, Err(ServiceError::NotFound { what: Missing::Key, .. })), "{foreign:?}");
        service.kms.delete_alias(&abroad, name("a")).await.unwrap();
        assert_eq!(target(&service, "a").await.unwrap(), one);
    });
}

#[test]
fn aliases_follow_the_state_of_their_key() {
    in_own_process(module_path!(), "aliases_follow_the_state_of_their_key", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let (live, off, pending) = (key(&service).await, key(&service).await, key(&service).await);
        for (text, key_id) in [("live", live), ("off", off), ("pending", pending), ("gone", pending)] {
            create(&service, text, key_id).await.unwrap();
        }
        let patch = KeyPatch { switch: Some(Switch::Inactive), ..KeyPatch::default() };
        service.kms.update_key(&ctx, off, patch).await.unwrap();
        service.kms.delete_key(&ctx, pending, Some(DAY * 7)).await.unwrap();
        create(&service, "more", off).await.unwrap();
        update(&service, "live", off).await.unwrap();
        assert!(is_pending(&create(&service, "new", pending).await));
        assert!(is_pending(&update(&service, "off", pending).await));
        assert!(is_pending(&update(&service, "pending", pending).await));
        assert_eq!(target(&service, "pending").await.unwrap(), pending, "it is shown until it is gone");
        update(&service, "pending", live).await.unwrap();
        update(&service, "pending", off).await.unwrap();
        delete(&service, "gone").await.unwrap();
        assert_eq!(names(&listed(&service, AliasesOf::Key(pending)).await), Vec::<&str>::new());
    });
}

#[test]
fn aliases_go_with_the_final_deletion_of_their_key() {
    in_own_process(module_path!(), "aliases_go_with_the_final_deletion_of_their_key", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let (leaving, staying) = (key(&service).await, key(&service).await);
        for number in 0..MAX_ALIASES_PER_KEY {
            create(&service, &format!("leaving/{number}"), leaving).await.unwrap();
        }
        create(&service, "staying", staying).await.unwrap();
        service.kms.delete_key(&ctx, leaving, Some(DAY * 7)).await.unwrap();
        assert_eq!(target(&service, "leaving/0").await.unwrap(), leaving);
        service.clock.advance(DAY * 8);
        // Somebody changes one of the rows at the same moment.
        service.kms.beat().await.unwrap();
        service.store.plant_conflicts(1);
        assert_eq!(service.kms.maintain().await.unwrap().deleted, 1);
        for number in 0..MAX_ALIASES_PER_KEY {
            let text = format!("leaving/{number}");
            let stored = service.store.alias(place(&service, &text)).await.unwrap().unwrap();
            assert_eq!((stored.value.key_id, stored.row_seq), (None, 2), "its row stays");
            assert!(is_missing_alias(&target(&service, &text).await));
        }
        for refused in [delete(&service, "leaving/1").await, update(&service, "leaving/1", staying).await] {
            assert!(is_missing_alias(&refused), "{refused:?}");
        }
        assert_eq!(names(&listed(&service, AliasesOf::Folder(ctx.caller.folder_id)).await), ["alias/staying"]);
        create(&service, "leaving/1", staying).await.unwrap();
        assert_eq!(target(&service, "leaving/1").await.unwrap(), staying);
    });
}

#[test]
fn a_changed_alias_keeps_no_key_from_its_destruction() {
    in_own_process(module_path!(), "a_changed_alias_keeps_no_key_from_its_destruction", async |core| {
        let mut service = Service::start(core).await;
        let (leaving, other) = (key(&service).await, key(&service).await);
        create(&service, "a", leaving).await.unwrap();
        service.kms.delete_key(&aws(&service), leaving, Some(DAY * 7)).await.unwrap();
        let attacker = rusqlite::Connection::open(&service.core.database).unwrap();
        assert_eq!(attacker.execute("UPDATE aliases SET updated_at = updated_at + 1", []).unwrap(), 1);
        service.restart();
        let found = target(&service, "a").await;
        assert!(matches!(found, Err(ServiceError::Integrity(_))), "{found:?}");
        service.clock.advance(DAY * 8);
        let report = service.kms.maintain().await.unwrap();
        assert_eq!((report.deleted, report.destroyed, report.failed), (1, 1, 0));
        // Put back as it was: it stands for a key that is gone, and is as absent.
        assert_eq!(attacker.execute("UPDATE aliases SET updated_at = updated_at - 1", []).unwrap(), 1);
        assert!(is_missing_alias(&target(&service, "a").await));
        assert!(is_missing_alias(&update(&service, "a", other).await));
        assert!(is_missing_alias(&delete(&service, "a").await));
        create(&service, "a", other).await.unwrap();
        assert_eq!(target(&service, "a").await.unwrap(), other);
    });
}

#[test]
fn a_key_has_fifty_aliases_and_no_more_whoever_comes_at_the_same_moment() {
    let name = "a_key_has_fifty_aliases_and_no_more_whoever_comes_at_the_same_moment";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let (full, other) = (key(&service).await, key(&service).await);
        for number in 0..MAX_ALIASES_PER_KEY - 2 {
            create(&service, &format!("{number}"), full).await.unwrap();
        }
        for number in 0..4 {
            create(&service, &format!("other/{number}"), other).await.unwrap();
        }
        let made: Vec<String> = (0..4).map(|number| format!("new/{number}")).collect();
        let moved: Vec<String> = (0..4).map(|number| format!("other/{number}")).collect();
        let (made, moved) = tokio::join!(
            join_all(made.iter().map(|text| create(&service, text, full))),
            join_all(moved.iter().map(|text| update(&service, text, full))),
        );
        let results: Vec<_> = made.into_iter().chain(moved).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2, "{results:?}");
        let limited =
            |result: &&Result<(), ServiceError>| matches!(result, Err(ServiceError::AliasLimit { limit: 50 }));
        assert_eq!(results.iter().filter(limited).count(), 6, "{results:?}");
        assert_eq!(listed(&service, AliasesOf::Key(full)).await.len(), MAX_ALIASES_PER_KEY);
        update(&service, "0", full).await.unwrap();
        delete(&service, "0").await.unwrap();
        create(&service, "again", full).await.unwrap();
    });
}

/// Many, as from many connections: more than a change is tried, and each is made.
#[test]
fn changes_of_one_alias_at_the_same_moment_are_all_made() {
    in_own_process(module_path!(), "changes_of_one_alias_at_the_same_moment_are_all_made", async |core| {
        let service = Service::start(core).await;
        let keys = [key(&service).await, key(&service).await, key(&service).await];
        create(&service, "a", keys[0]).await.unwrap();
        for round in 0..5 {
            let changes = (0..12).map(|number| update(&service, "a", keys[(round + number) % keys.len()]));
            for changed in join_all(changes).await {
                changed.unwrap();
            }
            assert!(keys.contains(&target(&service, "a").await.unwrap()));
        }
        let deleted = join_all((0..12).map(|_| delete(&service, "a"))).await;
        assert_eq!(deleted.iter().filter(|result| result.is_ok()).count(), 1, "{deleted:?}");
        assert_eq!(deleted.iter().filter(|result| is_missing_alias(result)).count(), 11, "{deleted:?}");
        let changes = join_all((0..12).map(|number| create(&service, "a", keys[number % keys.len()]))).await;
        assert_eq!(changes.iter().filter(|result| result.is_ok()).count(), 1, "{changes:?}");
        let taken = |result: &&Result<(), ServiceError>| matches!(result, Err(ServiceError::Exists(_)));
        assert_eq!(changes.iter().filter(taken).count(), 11, "{changes:?}");
    });
}

#[test]
fn who_has_no_room_for_an_alias_is_not_told_whether_its_name_is_taken() {
    let name = "who_has_no_room_for_an_alias_is_not_told_whether_its_name_is_taken";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let (full, other) = (key(&service).await, key(&service).await);
        create(&service, "taken", other).await.unwrap();
        for number in 0..MAX_ALIASES_PER_KEY {
            create(&service, &format!("{number}"), full).await.unwrap();
        }
        for text in ["taken", "free"] {
            let refused = create(&service, text, full).await;
            assert!(matches!(refused, Err(ServiceError::AliasLimit { limit: MAX_ALIASES_PER_KEY })), "{refused:?}");
        }
        let taken = create(&service, "taken", other).await;
        assert!(matches!(taken, Err(ServiceError::Exists(_))), "{taken:?}");
    });
}

#[test]
fn a_damaged_alias_keeps_nobody_from_the_others_of_its_key_and_counts() {
    in_own_process(
        module_path!(),
        "a_damaged_alias_keeps_nobody_from_the_others_of_its_key_and_counts",
        async |core| {
            let mut service = Service::start(core).await;
            let (one, other) = (key(&service).await, key(&service).await);
            for text in ["damaged", "whole"] {
                create(&service, text, one).await.unwrap();
            }
            create(&service, "moved", other).await.unwrap();
            let attacker = rusqlite::Connection::open(&service.core.database).unwrap();
            let damage = "UPDATE aliases SET updated_at = updated_at + 1 WHERE name = 'alias/damaged'";
            assert_eq!(attacker.execute(damage, []).unwrap(), 1);
            service.restart();
            create(&service, "new", one).await.unwrap();
            update(&service, "moved", one).await.unwrap();
            for text in ["whole", "new", "moved"] {
                assert_eq!(target(&service, text).await.unwrap(), one);
            }
            let found = target(&service, "damaged").await;
            assert!(matches!(found, Err(ServiceError::Integrity(_))), "{found:?}");
            // A list that lacked a row in silence would be worse.
            let list = service.kms.aliases(&aws(&service), AliasesOf::Key(one), None, 1000).await;
            assert!(matches!(list, Err(ServiceError::Integrity(_))), "{list:?}");
            for number in 4..MAX_ALIASES_PER_KEY {
                create(&service, &format!("{number}"), one).await.unwrap();
            }
            let refused = create(&service, "one-more", one).await;
            assert!(matches!(refused, Err(ServiceError::AliasLimit { .. })), "{refused:?}");
        },
    );
}

#[test]
fn of_two_who_make_one_name_at_the_same_moment_one_does() {
    in_own_process(module_path!(), "of_two_who_make_one_name_at_the_same_moment_one_does", async |core| {
        let service = Service::start(core).await;
        let (one, two) = (key(&service).await, key(&service).await);
        for round in 0..20 {
            let text = format!("round/{round}");
            let (first, second) = tokio::join!(create(&service, &text, one), create(&service, &text, two));
            let (winner, refused) = if first.is_ok() { (one, second) } else { (two, first) };
            assert!(matches!(refused, Err(ServiceError::Exists(_))), "{refused:?}");
            assert_eq!(target(&service, &text).await.unwrap(), winner);
        }
    });
}

#[test]
fn who_was_told_that_an_alias_has_changed_never_finds_the_old_key_again() {
    let name = "who_was_told_that_an_alias_has_changed_never_finds_the_old_key_again";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let (one, two) = (key(&service).await, key(&service).await);
        create(&service, "a", one).await.unwrap();
        for next in [two, one].repeat(50) {
            let users = join_all((0..8).map(|_| target(&service, "a")));
            let (changed, _) = tokio::join!(update(&service, "a", next), users);
            changed.unwrap();
            assert_eq!(target(&service, "a").await.unwrap(), next);
        }
        for _ in 0..50 {
            let users = join_all((0..8).map(|_| target(&service, "a")));
            let (deleted, _) = tokio::join!(delete(&service, "a"), users);
            deleted.unwrap();
            assert!(is_missing_alias(&target(&service, "a").await));
            let users = join_all((0..8).map(|_| target(&service, "a")));
            let (made, _) = tokio::join!(create(&service, "a", one), users);
            made.unwrap();
            assert_eq!(target(&service, "a").await.unwrap(), one);
        }
        let (moved, deleted) = tokio::join!(update(&service, "a", two), delete(&service, "a"));
        assert!(deleted.is_ok(), "{deleted:?}");
        assert!(moved.is_ok() || is_missing_alias(&moved), "{moved:?}");
        assert!(is_missing_alias(&target(&service, "a").await));
    });
}

#[test]
fn a_loader_cannot_put_back_what_a_change_has_made_stale() {
    in_own_process(module_path!(), "a_loader_cannot_put_back_what_a_change_has_made_stale", async |core| {
        let service = Service::start(core).await;
        let (one, two) = (key(&service).await, key(&service).await);
        create(&service, "a", one).await.unwrap();
        let open = service.store.hold_next_alias();
        // It has read the alias as it was, and has not put it into memory yet.
        let mut user = Box::pin(target(&service, "a"));
        while !service.store.holds_alias() {
            assert!(!is_ready(&mut user).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut change = Box::pin(update(&service, "a", two));
        let stored = async || service.core.store.alias(place(&service, "a")).await.unwrap().unwrap().value.key_id;
        for _ in 0..20 {
            assert!(!is_ready(&mut change).await, "it was answered while a loader had the old key");
            assert_eq!(stored().await, Some(one));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(open);
        let (used, changed) = tokio::join!(user, change);
        assert_eq!((used.unwrap(), changed.is_ok()), (one, true));
        assert_eq!(target(&service, "a").await.unwrap(), two);
    });
}

async fn is_ready<T>(future: &mut Pin<Box<impl Future<Output = T>>>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

#[test]
fn a_change_whose_caller_has_gone_away_leaves_no_old_alias_in_memory() {
    let name = "a_change_whose_caller_has_gone_away_leaves_no_old_alias_in_memory";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let (one, two) = (key(&service).await, key(&service).await);
        create(&service, "a", one).await.unwrap();
        assert_eq!(target(&service, "a").await.unwrap(), one);
        let mut update = Box::pin(update(&service, "a", two));
        let stored = async || service.core.store.alias(place(&service, "a")).await.unwrap().unwrap().value.key_id;
        while stored().await != Some(two) {
            assert!(!is_ready(&mut update).await, "the caller was answered before it could go away");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(update);
        let changed = async { while target(&service, "a").await.unwrap() != two {} };
        tokio::time::timeout(Duration::from_secs(20), changed).await.expect("the alias still stands for the old key");
    });
}

#[test]
fn with_warm_caches_no_name_needs_the_database() {
    in_own_process(module_path!(), "with_warm_caches_no_name_needs_the_database", async |core| {
        let mut service = Service::start(core).await;
        let one = key(&service).await;
        create(&service, "a", one).await.unwrap();
        for started in ["as it was", "anew"] {
            let ctx = aws(&service);
            let account = service.kms.account_of(ctx.caller.folder_id).await.unwrap();
            let all = [KeyName::Anywhere(one), KeyName::Id(account, one), KeyName::Alias(account, name("a"))];
            for warm in [false, true] {
                service.store.take_reads();
                for named in &all {
                    let located = service.kms.locate(&ctx, named).await.unwrap();
                    assert_eq!((located.key_id, located.account_id), (one, account));
                }
                let reads = service.store.take_reads();
                assert!(!warm || reads.is_empty(), "{started}: {reads:?}");
            }
            service.store.cut_after(0);
            for named in &all {
                assert!(service.kms.locate(&ctx, named).await.is_ok(), "from memory alone");
            }
            service.restart();
        }
    });
}

#[test]
fn names_that_lead_nowhere_count_as_requests_and_names_that_lead_to_a_key_count_once() {
    let name = "names_that_lead_nowhere_count_as_requests_and_names_that_lead_to_a_key_count_once";
    in_own_process(module_path!(), name, async |core| {
        let access = AccessSettings { requests_per_principal: NonZeroU32::new(3), ..settings().access };
        let service = Service::with(core, KmsSettings { access, ..settings() }).await;
        let second = || service.clock.advance(Duration::from_secs(1));
        let one = key(&service).await;
        second();
        create(&service, "a", one).await.unwrap();
        second();
        for _ in 0..3 {
            let located = target(&service, "a").await.unwrap();
            service.kms.key(&aws(&service), located).await.unwrap();
        }
        assert!(matches!(service.kms.key(&service.ctx, one).await, Err(ServiceError::Throttled { .. })));
        second();
        for _ in 0..3 {
            assert!(is_missing_alias(&target(&service, "b").await));
        }
        let refused = target(&service, "b").await;
        assert!(matches!(refused, Err(ServiceError::Throttled { .. })), "{refused:?}");
    });
}
