//! Somebody writes into the database file beside the running server. What they touch is refused with an alarm, after a
//! restart too; everything else goes on.

use super::{Api, Refusal, database, decrypt, destroyed, encrypt, new_key, primary, rotate, schedule, until};
use crate::support::{Dev, Home};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::wkt::FieldMask;
use claviger::service::provision::token_sha256;
use kms::SymmetricAlgorithm::{Aes256, Aes256Hsm};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use std::time::Duration;
use tonic::Code;

const FORGED: &str = "clv1_forged-by-somebody-who-can-write-the-file";

/// A key with two versions, and a ciphertext of the first.
#[derive(Clone)]
struct Target {
    key_id: String,
    version_id: String,
    second_id: String,
    sealed: Vec<u8>,
}

/// What somebody kept of a row to put it back later: all of its columns, and what the state tree said of it.
struct OldRow {
    table: &'static str,
    columns: Vec<Value>,
    heads: Vec<Vec<Value>>,
}

#[tokio::test]
async fn what_somebody_changes_in_the_database_file_is_refused_and_the_rest_goes_on() {
    let home = Home::new()
        .with("CLAVIGER_LIMITS__MIN_VERSION_PENDING_PERIOD", "1s")
        .with("CLAVIGER_SCHEDULER__INTERVAL", "1s");
    let dev = home.start().await;
    let api = Api::grpc(&dev).await;
    let untouched = target(&api, dev.folder()).await;
    let mut victims = Vec::new();
    for _ in 0..9 {
        victims.push(target(&api, dev.folder()).await);
    }
    let inactive = old_copy_of_an_active_key(&home, &api, &victims[5]).await;
    let revived = old_copy_of_a_destroyed_version(&home, &api, &victims[6]).await;
    assert!(dev.terminate().await.success());

    // A server that has not looked at any of them yet.
    let dev = home.start().await;
    let database = database::writer(&home);
    swap_material(&database, &victims[0].version_id, &victims[0].second_id);
    swap_material(&database, &victims[1].version_id, &victims[2].version_id);
    set(&database, "UPDATE versions SET algorithm = 3 WHERE id = ?1", &victims[3].version_id);
    set(&database, "UPDATE counters SET leased = 0 WHERE id = ?1", &victims[4].version_id);
    put_back(&database, &inactive);
    put_back(&database, &revived.0);
    set(&database, "DELETE FROM keys WHERE id = ?1", &victims[7].key_id);
    set(&database, "UPDATE keys SET deletion_protection = 1 - deletion_protection WHERE id = ?1", &victims[8].key_id);
    restore_material(&database, &victims[6].version_id, &revived.1);
    add_token(&database);
    drop(database);

    let mut victims_of_a_change: Vec<Target> = victims.clone();
    let lowered = victims_of_a_change.remove(4);
    for _ in 0..2 {
        all_are_refused(&dev, &victims_of_a_change, &lowered).await;
        goes_on(&dev, &untouched).await;
    }
    alarms_name_what_was_changed(&home, &victims);
    let metrics = dev.rest().get("/metrics").await.text;
    let counted = metrics.lines().find_map(|line| line.strip_prefix("claviger_store_integrity_alarms_total "));
    assert!(counted.unwrap().parse::<u64>().unwrap() > 0, "{metrics}");
    assert!(dev.terminate().await.success());
    let dev = home.start().await;
    all_are_refused(&dev, &victims_of_a_change, &lowered).await;
    goes_on(&dev, &untouched).await;
    a_date_that_was_set_forward_destroys_nothing(&home, &dev, &untouched).await;
    let dev = an_added_binding_is_refused(&home, dev, &untouched).await;
    assert!(dev.terminate().await.success());
    the_server_does_not_start_on_what_holds_all_together(&home).await;
    goes_on(&home.start().await, &untouched).await;
}

/// The scheduler asks the row, not the index; and what it cannot do does not keep it from the rest.
async fn a_date_that_was_set_forward_destroys_nothing(home: &Home, dev: &Dev, target: &Target) {
    let api = Api::grpc(dev).await;
    let hurried = self::target(&api, dev.folder()).await;
    let week = Duration::from_secs(7 * 24 * 3600);
    api.ok(schedule(&hurried.key_id, &hurried.version_id, Some(week))).await;
    let said = home.log().len();
    let database = database::writer(home);
    set(&database, "UPDATE versions SET destroy_at = 1 WHERE id = ?1", &hurried.version_id);
    let material = database::material(&database, &hurried.version_id);
    until("the scheduler raises the alarm", async || {
        home.log()[said..]
            .lines()
            .any(|line| line.contains("ERROR") && line.contains(&hurried.version_id))
            .then_some(())
    })
    .await;
    let other = self::target(&api, dev.folder()).await;
    api.ok(schedule(&other.key_id, &other.version_id, Some(Duration::from_secs(1)))).await;
    destroyed(&api, &other.key_id, &other.version_id).await;
    assert_eq!(database::state(&database, &hurried.version_id), "scheduled");
    assert_eq!(database::material(&database, &hurried.version_id), material);
    goes_on(dev, target).await;
}

async fn target(api: &Api, folder: &str) -> Target {
    let key = new_key(api, folder, Aes256Hsm).await;
    let sealed = api.ok(encrypt(&key.id, b"mine", b"")).await.ciphertext;
    let version_id = primary(&key);
    let second_id = rotate(api, &key.id).await;
    Target { key_id: key.id, version_id, second_id, sealed }
}

fn set(database: &Connection, statement: &str, id: &str) {
    assert_eq!(database.execute(statement, [database::bytes(id)]).unwrap(), 1, "{statement}");
}

fn swap_material(database: &Connection, one: &str, other: &str) {
    let (first, second) = (database::material(database, one), database::material(database, other));
    assert_ne!(first, second);
    restore_material(database, one, &second);
    restore_material(database, other, &first);
}

fn restore_material(database: &Connection, version_id: &str, bytes: &[u8]) {
    let statement = "UPDATE materials SET blob = ?1 WHERE id = (SELECT material_row FROM versions WHERE id = ?2)";
    assert_eq!(database.execute(statement, params![bytes, database::bytes(version_id)]).unwrap(), 1);
}

/// The row as it is now, with its MAC and its entry in the state tree.
fn keep(database: &Connection, table: &'static str, id: &str) -> OldRow {
    let read = |statement: &str, params: &[Value]| -> Vec<Vec<Value>> {
        let mut prepared = database.prepare(statement).unwrap();
        let width = prepared.column_count();
        let rows = prepared.query_map(params_from_iter(params), |row| (0..width).map(|i| row.get(i)).collect());
        rows.unwrap().map(Result::unwrap).collect()
    };
    let mut rows = read(&format!("SELECT * FROM {table} WHERE id = ?1"), &[Value::Blob(database::bytes(id))]);
    let columns = rows.remove(0);
    let mac = read(&format!("SELECT row_mac FROM {table} WHERE id = ?1"), &[Value::Blob(database::bytes(id))]);
    let mac = mac[0][0].clone();
    let heads = read("SELECT id, row_seq, row_mac FROM row_heads WHERE row_mac = ?1", &[mac]);
    assert_eq!(heads.len(), 1, "the row has one entry in the state tree");
    OldRow { table, columns, heads }
}

fn put_back(database: &Connection, row: &OldRow) {
    let places: Vec<String> = (1..=row.columns.len()).map(|number| format!("?{number}")).collect();
    let statement = format!("REPLACE INTO {} VALUES ({})", row.table, places.join(", "));
    assert_eq!(database.execute(&statement, params_from_iter(&row.columns)).unwrap(), 1);
    for head in &row.heads {
        database.execute("REPLACE INTO row_heads VALUES (?1, ?2, ?3)", params_from_iter(head)).unwrap();
    }
}

/// Keeps the row of an active key, then switches the key off.
async fn old_copy_of_an_active_key(home: &Home, api: &Api, target: &Target) -> OldRow {
    let row = keep(&database::reader(home), "keys", &target.key_id);
    let off = kms::UpdateSymmetricKeyRequest {
        key_id: target.key_id.clone(),
        update_mask: Some(FieldMask { paths: vec!["status".into()] }),
        status: kms::symmetric_key::Status::Inactive.into(),
        ..Default::default()
    };
    api.ok(off).await;
    row
}

/// Keeps a version's row and material, then has the version destroyed.
async fn old_copy_of_a_destroyed_version(home: &Home, api: &Api, target: &Target) -> (OldRow, Vec<u8>) {
    let reader = database::reader(home);
    let row = keep(&reader, "versions", &target.version_id);
    let material = database::material(&reader, &target.version_id);
    drop(reader);
    api.ok(schedule(&target.key_id, &target.version_id, Some(Duration::from_secs(1)))).await;
    destroyed(api, &target.key_id, &target.version_id).await;
    (row, material)
}

/// A copy of the administrator's credential, for a token of the writer's own.
fn add_token(database: &Connection) {
    let statement =
        "INSERT INTO credentials (id, principal_id, folder_id, name, kind, token_sha256, created_at, row_seq, row_mac)
        SELECT ?1, principal_id, folder_id, name, kind, ?2, created_at, row_seq, row_mac
        FROM credentials WHERE kind = 'api_token' AND revoked_at IS NULL LIMIT 1";
    let added = database.execute(statement, params![vec![7u8; 16], token_sha256(FORGED).to_vec()]);
    assert_eq!(added.unwrap(), 1);
}

async fn all_are_refused(dev: &Dev, victims: &[Target], lowered: &Target) {
    for api in Api::both(dev).await {
        for (number, target) in victims.iter().enumerate() {
            let case = format!("attack {number} over {}", api.name);
            let refusal = api.refused(&case, decrypt(&target.key_id, &target.sealed, b"")).await;
            assert_data_loss(&case, &refusal);
        }
        // Its counter is asked before it encrypts; what was encrypted before stays readable.
        let by_lowered = kms::SymmetricEncryptRequest {
            version_id: lowered.version_id.clone(),
            ..encrypt(&lowered.key_id, b"x", b"")
        };
        assert_data_loss("lowered counter", &api.refused("lowered counter", by_lowered).await);
        let opened = api.ok(decrypt(&lowered.key_id, &lowered.sealed, b"")).await;
        assert_eq!(opened.plaintext, b"mine");
        let forged = kms::GetSymmetricKeyRequest { key_id: lowered.key_id.clone() };
        let refusal = api.with_token(FORGED).refused("a forged token", forged).await;
        assert!([Code::Unauthenticated, Code::DataLoss].contains(&refusal.code), "{refusal:?}");
    }
}

/// Never "bad ciphertext", and nothing of the inside.
fn assert_data_loss(case: &str, refusal: &Refusal) {
    assert_eq!(refusal.code, Code::DataLoss, "{case}: {refusal:?}");
    assert!(refusal.text.contains("integrity"), "{case}: {refusal:?}");
    assert!(!refusal.text.contains("row") && !refusal.text.contains("MAC"), "{case}: {refusal:?}");
}

async fn goes_on(dev: &Dev, target: &Target) {
    for api in Api::both(dev).await {
        assert_eq!(api.ok(decrypt(&target.key_id, &target.sealed, b"")).await.plaintext, b"mine");
        let sealed = api.ok(encrypt(&target.key_id, b"new", b"")).await.ciphertext;
        assert_eq!(api.ok(decrypt(&target.key_id, &sealed, b"")).await.plaintext, b"new");
        let fresh = new_key(&api, dev.folder(), Aes256).await;
        rotate(&api, &fresh.id).await;
    }
    let ready = dev.rest().get("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
}

fn alarms_name_what_was_changed(home: &Home, victims: &[Target]) {
    let log = home.log();
    let alarms: Vec<&str> = log.lines().filter(|line| line.contains("was changed outside of the service")).collect();
    for (number, target) in victims.iter().enumerate() {
        let ids = [&target.key_id, &target.version_id, &target.second_id];
        let named = alarms.iter().any(|line| ids.into_iter().any(|id| line.contains(id)));
        assert!(named, "attack {number} is not in the alarms:\n{}", alarms.join("\n"));
    }
    assert!(alarms.iter().any(|line| line.contains("credentials")), "{}", alarms.join("\n"));
    assert!(alarms.iter().all(|line| line.contains("ERROR")), "{}", alarms.join("\n"));
    assert!(!log.contains(FORGED));
}

/// The service's bindings are one row, without which nothing can be decided: who changes it stops the service, and gains
/// nothing.
async fn an_added_binding_is_refused(home: &Home, dev: Dev, target: &Target) -> Dev {
    let database = database::writer(home);
    let read = "SELECT bindings FROM service_bindings";
    let before: String = database.query_row(read, [], |row| row.get(0)).unwrap();
    let added = r#"{"role":"kms.admin","subject":{"kind":"userAccount","id":"11111111-1111-4111-8111-111111111111"}}"#;
    let changed = before.replacen('[', &format!("[{added},"), 1);
    let write = "UPDATE service_bindings SET bindings = ?1";
    assert_eq!(database.execute(write, [&changed]).unwrap(), 1);
    drop(database);
    // The running server knows the bindings, and goes on with the genuine ones.
    goes_on(&dev, target).await;
    assert!(dev.terminate().await.success());
    let (status, said) = home.start_refused().await;
    assert!(!status.success() && said.contains("service_bindings"), "{said}");
    assert!(said.contains("changed outside of the service"), "{said}");
    let database = database::writer(home);
    assert_eq!(database.execute(write, [&before]).unwrap(), 1);
    // A set of the folder, which had none, with the very bytes of a genuine one.
    let add = "INSERT INTO bindings (folder_id, bindings, row_seq, row_mac)
        SELECT folders.id, service_bindings.bindings, service_bindings.row_seq, service_bindings.row_mac
        FROM folders, service_bindings";
    assert_eq!(database.execute(add, []).unwrap(), 1);
    let dev = home.start().await;
    for api in Api::both(&dev).await {
        let refusal = api.refused("bindings", decrypt(&target.key_id, &target.sealed, b"")).await;
        assert_data_loss("bindings", &refusal);
    }
    assert_eq!(database.execute("DELETE FROM bindings", []).unwrap(), 1);
    goes_on(&dev, target).await;
    dev
}

/// What ties the database to its token, and the root over all rows.
async fn the_server_does_not_start_on_what_holds_all_together(home: &Home) {
    let changed = "changed outside of the service";
    let attacks = [
        // It is believed until the row's MAC can be checked, for which the token must be opened: that fails first.
        (r#"UPDATE token_binding SET binding = replace(binding, '"T"', '"W"')"#, "token_binding", "binding", "canary"),
        (
            r#"UPDATE token_binding SET binding = replace(binding, '"software"', '"hsm-unvalidated"')"#,
            "token_binding",
            "binding",
            changed,
        ),
        ("UPDATE state_root SET state_seq = state_seq - 1", "state_root", "state_seq", changed),
        ("UPDATE state_root SET root = zeroblob(32)", "state_root", "root", changed),
    ];
    for (attack, table, column, text) in attacks {
        let database = database::writer(home);
        let read = || database.query_row(&format!("SELECT {column} FROM {table}"), [], |row| row.get::<_, Value>(0));
        let before = read().unwrap();
        assert_eq!(database.execute(attack, []).unwrap(), 1, "{attack}");
        assert_ne!(read().unwrap(), before, "{attack}");
        let (status, said) = home.start_refused().await;
        assert!(!status.success() && said.contains(text), "{attack}: {said}");
        database.execute(&format!("UPDATE {table} SET {column} = ?1"), [before]).unwrap();
    }
}
