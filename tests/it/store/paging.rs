//! Lists and due work.

use super::fixture::{Db, at, folder_id, insert_key, key, key_id, operation, rotation, version, version_id};
use claviger::domain::Dialect;
use claviger::domain::key::{Key, KeyState, Switch};
use claviger::domain::schedule::RotationSchedule;
use claviger::domain::version::VersionState;
use claviger::service::ports::KeyFilter;
use claviger::service::ports::{BlobUpdate, Change, Due, Store, Stored};
use std::time::Duration;

#[tokio::test]
async fn pages_of_keys_meet_without_gap_or_overlap() {
    let db = Db::new().await;
    for number in 3..=25 {
        // Some keys share a creation time, so that the id has to decide.
        let mut changes = insert_key(number);
        changes[0] = Change::InsertKey(Box::new(Key { created_at: at(200 + i64::from(number / 5)), ..key(number) }));
        db.store.commit(changes).await.unwrap();
    }
    let hidden = Stored { value: Key { state: pending(1000), ..key(2) }, row_seq: 1 };
    db.store.commit(vec![Change::UpdateKey(Box::new(hidden))]).await.unwrap();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = db.store.keys(folder_id(), KeyFilter::default(), after, 7).await.unwrap();
        found.extend(page.items.into_iter().map(|item| (item.key.created_at, item.key.id)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 24);
    assert!(found.is_sorted_by(|a, b| a < b));
    assert!(!found.iter().any(|(_, id)| *id == key_id(2)));
}

#[tokio::test]
async fn pages_of_versions_count_down_to_one() {
    let db = Db::new().await;
    for _ in 2..=9 {
        let stored = db.key(1).await;
        db.store.commit(rotation(&stored, 1)).await.unwrap();
    }
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let page = db.store.versions(key_id(1), after, 3).await.unwrap();
        numbers.extend(page.items.iter().map(|item| item.value.number));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(numbers, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert!(db.store.versions(key_id(9), None, 3).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn pages_of_operations_go_back_in_time() {
    let db = Db::new().await;
    let record = |number| Change::InsertOperation(Box::new(operation(number, key(1), version(1, 1))));
    db.store.commit((1..=5).map(record).collect()).await.unwrap();
    let first = db.store.operations(key_id(1), None, 3).await.unwrap();
    let second = db.store.operations(key_id(1), first.next, 3).await.unwrap();
    let dates: Vec<_> = first.items.iter().chain(&second.items).map(|item| item.created_at).collect();
    assert_eq!(dates, [at(5), at(4), at(3), at(2), at(1)]);
    assert_eq!(second.next, None);
}

fn pending(seconds: i64) -> KeyState {
    KeyState::PendingDeletion { delete_at: at(seconds), switch: Switch::Active, requested_at: None }
}

fn rotating(number: u32, switch: Switch, owner: Dialect) -> Vec<Change> {
    let rotation = Some(RotationSchedule { period: Duration::from_secs(60), next_rotation_at: at(1000), owner });
    let mut changes = insert_key(number);
    changes[0] = Change::InsertKey(Box::new(Key { state: KeyState::Live { switch }, rotation, ..key(number) }));
    changes
}

#[tokio::test]
async fn a_schedule_is_due_when_its_time_has_come_and_its_state_lets_it_fire() {
    let db = Db::new().await;
    db.store.commit(rotating(3, Switch::Active, Dialect::Yandex)).await.unwrap();
    db.store.commit(rotating(4, Switch::Inactive, Dialect::Yandex)).await.unwrap();
    db.store.commit(rotating(5, Switch::Inactive, Dialect::Ncloud)).await.unwrap();
    db.store.commit(rotating(6, Switch::Inactive, Dialect::Aws)).await.unwrap();
    assert_eq!(db.store.due(at(999), 10).await.unwrap(), Due::default());
    assert_eq!(db.store.next_due_after(at(999)).await.unwrap(), Some(at(1000)));
    let mut rotations = db.store.due(at(1000), 10).await.unwrap().rotations;
    rotations.sort();
    let mut expected = [key_id(3), key_id(5)];
    expected.sort();
    assert_eq!(rotations, expected);
    assert_eq!(db.store.due(at(1000), 1).await.unwrap().rotations.len(), 1);
    assert_eq!(db.store.next_due_after(at(1000)).await.unwrap(), None);
    let mut stored = db.key(4).await;
    stored.value.state = KeyState::Live { switch: Switch::Active };
    db.store.commit(vec![Change::UpdateKey(Box::new(stored))]).await.unwrap();
    assert_eq!(db.store.due(at(1000), 10).await.unwrap().rotations.len(), 3);
}

#[tokio::test]
async fn a_destruction_is_due_then_unfinished_then_done() {
    let db = Db::new().await;
    let pair = vec![(key_id(1), version_id(1, 1))];
    let steps = [
        VersionState::ScheduledForDestruction { destroy_at: at(50), was_disabled: false },
        VersionState::Destroying { destroy_at: at(50) },
        VersionState::Destroyed { destroyed_at: at(51) },
    ];
    let due = [
        Due { destructions: pair.clone(), ..Due::default() },
        Due { unfinished_destructions: pair, ..Due::default() },
        Due::default(),
    ];
    for (state, due) in steps.into_iter().zip(due) {
        let mut stored = db.version(1, 1).await;
        stored.value.state = state;
        let blob =
            if matches!(state, VersionState::Destroying { .. }) { BlobUpdate::Overwrite } else { BlobUpdate::Keep };
        db.store.commit(vec![Change::UpdateVersion(Box::new(stored), blob)]).await.unwrap();
        assert_eq!(db.store.due(at(50), 10).await.unwrap(), due);
    }
    assert_eq!(db.store.next_due_after(at(0)).await.unwrap(), None);
}

#[tokio::test]
async fn a_deletion_is_unfinished_until_no_version_has_material() {
    let db = Db::new().await;
    let stored = db.key(1).await;
    db.store.commit(rotation(&stored, 1)).await.unwrap();
    let mut stored = db.key(1).await;
    stored.value.state = pending(70);
    db.store.commit(vec![Change::UpdateKey(Box::new(stored))]).await.unwrap();
    assert_eq!(db.store.next_due_after(at(0)).await.unwrap(), Some(at(70)));
    assert_eq!(db.store.due(at(70), 10).await.unwrap().deletions, [key_id(1)]);
    let mut stored = db.key(1).await;
    stored.value.state = KeyState::Deleted { deleted_at: at(70) };
    db.store.commit(vec![Change::UpdateKey(Box::new(stored))]).await.unwrap();
    for number in [1, 2] {
        let due = db.store.due(at(70), 10).await.unwrap();
        assert_eq!((due.deletions, due.unfinished_deletions), (vec![], vec![key_id(1)]));
        let mut stored = db.version(1, number).await;
        stored.value.state = VersionState::Destroying { destroy_at: at(70) };
        db.store.commit(vec![Change::UpdateVersion(Box::new(stored), BlobUpdate::Overwrite)]).await.unwrap();
    }
    assert_eq!(db.store.due(at(70), 10).await.unwrap().unfinished_deletions, []);
}
