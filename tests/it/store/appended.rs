//! What keys and versions have got since their tables were made: it comes back, and nobody writes it past the service.

use super::fixture::{Db, assert_alarm, at, bytes, key, key_id, sealed, version, version_id};
use claviger::domain::address::AddressList;
use claviger::domain::id::GeneratorId;
use claviger::domain::key::{Key, KeyState, Switch};
use claviger::domain::key_token::TokenGenerator;
use claviger::domain::version::{KeyVersion, VersionState};
use claviger::service::ports::{BlobUpdate, Change, Store, Stored};
use core::net::Ipv4Addr;
use rstest::rstest;

fn addresses(enabled: bool, count: u32) -> AddressList {
    let addresses: Vec<_> = (0..count).map(|number| Ipv4Addr::from_bits(0xc000_0200 + number)).collect();
    AddressList::default().with(&addresses).unwrap().switched(enabled)
}

fn generator() -> TokenGenerator {
    TokenGenerator::new(GeneratorId::from_bytes(bytes(9, 1)), at(50))
}

fn pending(requested_at: Option<i64>) -> KeyState {
    KeyState::PendingDeletion { delete_at: at(900), switch: Switch::Active, requested_at: requested_at.map(at) }
}

fn shapes() -> Vec<Key> {
    let base = || key(10);
    vec![
        Key { state: pending(Some(700)), ..base() },
        Key { state: pending(Some(0)), ..base() },
        Key { convergent: true, ..base() },
        Key { addresses: addresses(true, 0), ..base() },
        Key { addresses: addresses(false, 3), ..base() },
        Key { addresses: addresses(true, 100), ..base() },
        Key { token_generator: Some(generator()), ..base() },
        Key { token_generator: Some(generator().deleted(at(60)).unwrap()), ..base() },
        Key {
            state: pending(Some(700)),
            convergent: true,
            addresses: addresses(true, 1),
            token_generator: Some(generator()),
            ..base()
        },
        Key { convergent: true, token_generator: Some(generator()), ..base() },
    ]
}

#[tokio::test]
async fn each_shape_of_a_key_is_inserted_changed_into_and_changed_back() {
    for shape in shapes() {
        let db = Db::new().await;
        db.store.commit(vec![Change::InsertKey(Box::new(shape.clone()))]).await.unwrap();
        let other = Key { id: key_id(1), key_tag: key(1).key_tag, primary_version: version_id(1, 1), ..shape.clone() };
        let into = Stored { value: other.clone(), row_seq: 1 };
        db.store.commit(vec![Change::UpdateKey(Box::new(into))]).await.unwrap();
        let db = db.restart().unwrap();
        assert_eq!(db.key(10).await, Stored { value: shape, row_seq: 1 });
        assert_eq!(db.key(1).await, Stored { value: other, row_seq: 2 });
        let back = Stored { value: key(1), row_seq: 2 };
        db.store.commit(vec![Change::UpdateKey(Box::new(back))]).await.unwrap();
        let db = db.restart().unwrap();
        assert_eq!(db.key(1).await, Stored { value: key(1), row_seq: 3 });
        let nulls = "SELECT count(*) FROM keys WHERE id = ?1 AND deletion_requested_at IS NULL AND convergent IS NULL
            AND addresses IS NULL AND token_generator IS NULL";
        let count: i64 = db.raw().query_row(nulls, [key_id(1).as_bytes()], |row| row.get(0)).unwrap();
        assert_eq!(count, 1, "what is as for a key that never had it is NULL");
    }
}

#[tokio::test]
async fn the_instant_of_a_versions_state_comes_back() {
    let db = Db::new().await;
    let shape = KeyVersion { state: VersionState::Disabled, state_changed_at: Some(at(7)), ..version(1, 2) };
    db.store.commit(vec![Change::InsertVersion(Box::new(shape.clone()), sealed(1, 2))]).await.unwrap();
    let mut stored = db.version(1, 1).await;
    stored.value.state_changed_at = Some(at(0));
    db.store.commit(vec![Change::UpdateVersion(Box::new(stored.clone()), BlobUpdate::Keep)]).await.unwrap();
    let db = db.restart().unwrap();
    assert_eq!(db.version(1, 2).await, Stored { value: shape, row_seq: 1 });
    assert_eq!(db.version(1, 1).await, Stored { row_seq: 2, ..stored });
    assert_eq!(db.store.material(key_id(1), version_id(1, 1)).await.unwrap().unwrap().sealed, Some(sealed(1, 1)));
}

/// Key 1 has everything, key 2 nothing.
async fn database() -> Db {
    let db = Db::new().await;
    let mut stored = db.key(1).await;
    stored.value = Key {
        state: pending(Some(700)),
        convergent: true,
        addresses: addresses(true, 1),
        token_generator: Some(generator()),
        ..stored.value
    };
    let mut switched = db.version(1, 1).await;
    switched.value.state_changed_at = Some(at(7));
    let changes =
        vec![Change::UpdateKey(Box::new(stored)), Change::UpdateVersion(Box::new(switched), BlobUpdate::Keep)];
    db.store.commit(changes).await.unwrap();
    db
}

#[rstest]
#[case::an_earlier_request("deletion_requested_at", "1")]
#[case::no_instant_of_the_request("deletion_requested_at", "NULL")]
#[case::not_convergent("convergent", "0")]
#[case::never_convergent("convergent", "NULL")]
#[case::a_list_that_does_not_bind("addresses", r#"'{"enabled":false,"addresses":[]}'"#)]
#[case::another_list("addresses", r#"'{"enabled":true,"addresses":["203.0.113.9"]}'"#)]
#[case::no_list("addresses", "NULL")]
#[case::another_generator("token_generator", "replace(token_generator, '0909-0909', '0909-0908')")]
#[case::no_generator("token_generator", "NULL")]
#[case::columns_that_moved("deletion_requested_at", "convergent")]
#[tokio::test]
async fn what_is_changed_or_taken_away_on_a_key_is_found(#[case] column: &str, #[case] value: &str) {
    let db = database().await;
    db.tamper(&format!("UPDATE keys SET {column} = {value} WHERE id = ?1"), [key_id(1).as_bytes()]);
    assert_alarm(&db.store.key(key_id(1)).await, "keys");
    assert_alarm(&db.store.key_record(key_id(1)).await, "keys");
    assert!(db.store.key(key_id(2)).await.is_ok());
    let db = db.restart().unwrap();
    assert_alarm(&db.store.key(key_id(1)).await, "keys");
}

#[rstest]
#[case("deletion_requested_at", "0")]
#[case("convergent", "0")]
#[case("convergent", "1")]
#[case("addresses", r#"'{"enabled":false,"addresses":[]}'"#)]
#[case("token_generator", "'null'")]
#[tokio::test]
async fn what_is_added_to_a_key_without_it_is_found(#[case] column: &str, #[case] value: &str) {
    let db = database().await;
    db.tamper(&format!("UPDATE keys SET {column} = {value} WHERE id = ?1"), [key_id(2).as_bytes()]);
    assert_alarm(&db.store.key(key_id(2)).await, "keys");
    db.tamper(&format!("UPDATE keys SET {column} = NULL WHERE id = ?1"), [key_id(2).as_bytes()]);
    assert!(db.store.key(key_id(2)).await.is_ok(), "as it was, it is good");
}

#[tokio::test]
async fn a_changed_instant_of_a_versions_state_is_found() {
    for (number, values) in [(1, ["1", "NULL"]), (2, ["0", "1"])] {
        for value in values {
            let db = database().await;
            let id = version_id(number, 1);
            db.tamper(&format!("UPDATE versions SET state_changed_at = {value} WHERE id = ?1"), [id.as_bytes()]);
            assert_alarm(&db.store.material(key_id(number), id).await, "versions");
            assert_alarm(&db.store.material_numbered(key_id(number), 1).await, "versions");
        }
    }
}

/// An old list, or a generator that was deleted since, with the MAC that it had.
#[tokio::test]
async fn an_old_list_and_an_old_generator_are_found() {
    let db = Db::new().await;
    let mut stored = db.key(1).await;
    stored.value.token_generator = Some(generator());
    db.store.commit(vec![Change::UpdateKey(Box::new(stored))]).await.unwrap();
    let old = db.dir.path().join("old.db");
    db.raw().execute("VACUUM INTO ?1", [old.to_str().unwrap()]).unwrap();
    let mut stored = db.key(1).await;
    stored.value.token_generator = Some(generator().deleted(at(60)).unwrap());
    stored.value.addresses = addresses(true, 1);
    db.store.commit(vec![Change::UpdateKey(Box::new(stored))]).await.unwrap();
    let raw = db.raw();
    raw.execute("ATTACH ?1 AS old", [old.to_str().unwrap()]).unwrap();
    for table in ["keys", "row_heads"] {
        raw.execute(&format!("REPLACE INTO main.{table} SELECT * FROM old.{table}"), []).unwrap();
        assert_alarm(&db.store.key(key_id(1)).await, "keys");
    }
    drop(raw);
    assert_alarm(&db.restart().unwrap().store.key(key_id(1)).await, "keys");
}
