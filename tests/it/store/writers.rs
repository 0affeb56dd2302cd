//! Several writers, and a database that refuses.

use super::fixture::{Db, at, folder_id, insert_key, key, key_id, rotation, short_name, version_id};
use claviger::domain::key::Key;
use claviger::service::ports::KeyFilter;
use claviger::service::ports::{Change, Store, StoreError, Stored};
use futures_util::future::join_all;

#[tokio::test]
async fn of_two_writers_of_one_row_one_gets_a_conflict() {
    let db = Db::new().await;
    let stored = db.key(1).await;
    let change = || vec![Change::UpdateKey(Box::new(stored.clone()))];
    let (first, second) = tokio::join!(db.store.commit(change()), db.store.commit(change()));
    let conflicts = [&first, &second].into_iter().filter(|result| matches!(result, Err(StoreError::Conflict))).count();
    assert_eq!((conflicts, first.is_ok() || second.is_ok()), (1, true), "{first:?} {second:?}");
    assert_eq!(db.key(1).await.row_seq, 2);
}

#[tokio::test]
async fn a_conflict_undoes_the_changes_before_it() {
    let db = Db::new().await;
    let stale = Stored { row_seq: 7, ..db.key(1).await };
    let mut changes = insert_key(3);
    changes.push(Change::UpdateKey(Box::new(stale)));
    let refused = db.store.commit(changes).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(db.store.key(key_id(3)).await.unwrap(), None);
    assert_eq!(db.store.material(key_id(3), version_id(3, 1)).await.unwrap(), None);
    db.store.commit(insert_key(3)).await.unwrap();
    assert_eq!(db.key(3).await.value, key(3));
}

#[tokio::test]
async fn a_failing_member_of_a_group_does_not_touch_the_others() {
    let db = Db::new().await;
    let stale = Stored { row_seq: 7, ..db.key(1).await };
    let members = (10..60_u32).map(|number| {
        let mut changes = insert_key(number);
        if number % 2 == 0 {
            changes.push(Change::UpdateKey(Box::new(stale.clone())));
        }
        db.store.commit(changes)
    });
    let results = join_all(members).await;
    for (number, result) in (10..60_u32).zip(&results) {
        assert_eq!(result.is_ok(), number % 2 == 1, "{number}: {result:?}");
    }
    let db = db.restart().unwrap();
    for number in 10..60 {
        assert_eq!(db.store.key(key_id(number)).await.unwrap().is_some(), number % 2 == 1, "{number}");
    }
}

#[tokio::test]
async fn changes_of_a_commit_may_come_in_any_order() {
    let db = Db::new().await;
    let mut changes = insert_key(3);
    changes.reverse();
    db.store.commit(changes).await.unwrap();
    assert_eq!(db.key(3).await.value, key(3));
}

#[tokio::test]
async fn a_key_name_is_unique_in_its_folder() {
    let db = Db::new().await;
    let named = |number| Change::InsertKey(Box::new(Key { key_name: Some(short_name("orders")), ..key(number) }));
    db.store.commit(vec![named(3)]).await.unwrap();
    let taken = db.store.commit(vec![named(4)]).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    assert_eq!(db.store.key(key_id(4)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_raise_no_false_alarm_while_rows_change() {
    let db = Db::new().await;
    let write = async {
        for _ in 0..200 {
            let stored = db.key(1).await;
            db.store.commit(rotation(&stored, 1)).await.unwrap();
        }
    };
    let read = async {
        for _ in 0..400 {
            let page = db.store.versions(key_id(1), None, 5).await.unwrap();
            assert!(!page.items.is_empty());
            assert_eq!(db.store.keys(folder_id(), KeyFilter::default(), None, 10).await.unwrap().items.len(), 2);
        }
    };
    tokio::join!(write, read, async { join_all((0..200).map(|_| db.store.key(key_id(1)))).await });
    assert_eq!(db.store.stats().integrity_alarms, 0);
    assert!(db.store.stats().rows_checked > 2000);
}

#[tokio::test]
async fn a_locked_database_is_unavailable_and_unchanged() {
    let db = Db::new().await;
    let other = db.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = db.store.commit(insert_key(3)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(db.store.key(key_id(3)).await.unwrap(), None);
    assert_eq!(db.key(1).await.row_seq, 1, "reads go on");
    other.execute_batch("ROLLBACK").unwrap();
    db.store.commit(insert_key(3)).await.unwrap();
}

#[tokio::test]
async fn a_second_store_on_the_same_file_is_refused() {
    let db = Db::new().await;
    let second = claviger::store::SqliteStore::open(db.path());
    assert!(matches!(second, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_caller_that_stops_waiting_does_not_stop_the_others() {
    let db = Db::new().await;
    for _ in 0..50 {
        let impatient = tokio::time::timeout(std::time::Duration::ZERO, db.store.key(key_id(1))).await;
        drop(impatient);
    }
    let answers = join_all((0..20).map(|_| db.store.key(key_id(1)))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().is_some()));
    assert!(db.store.due(at(0), 10).await.unwrap().rotations.is_empty());
}
