//! Every read is an index search, also with 20,000 keys: asked of SQLite itself.

use crate::domain::time::Timestamp;
use crate::service::ports::KeyFilter;
use crate::store::sql::{Sql, Value};
use crate::store::sqlite::Sqlite;
use crate::store::table::{
    ALIASES, BINDINGS, COUNTERS, CREDENTIALS, FOLDERS, KEY_BINDINGS, KEYS, PRINCIPALS, SERVICE_BINDINGS, VERSIONS,
};
use crate::store::{aliases, changes, directory, due, reads};

/// 20,000 keys of one version each in one folder; every thousandth is due, scheduled or leaving at 5000 or later.
fn seeded(dir: &tempfile::TempDir) -> Sqlite {
    let mut sql = Sqlite::writer(&dir.path().join("plans.db")).unwrap();
    sql.migrate().unwrap();
    let numbers = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)";
    let rows = [
        "INSERT INTO folders VALUES (zeroblob(16), 1, 'f', 0, 1, zeroblob(32))".to_owned(),
        format!(
            "{numbers} INSERT INTO folders SELECT CAST(format('%016d', i) AS BLOB), i + 1, 'f', i, 1, zeroblob(32)
            FROM n WHERE i <= 20000"
        ),
        "INSERT INTO bound_folders SELECT zeroblob(16), 'user', created_at, id FROM folders WHERE created_at % 10 = 0"
            .to_owned(),
        "INSERT INTO principals VALUES (zeroblob(16), zeroblob(16), 'user', 'p', 0, 1, zeroblob(32), NULL)".to_owned(),
        format!(
            "{numbers} INSERT INTO credentials SELECT CAST(format('%016d', i) AS BLOB), zeroblob(16), zeroblob(16), 'c',
            iif(i % 2, 'access_key', 'certificate'), NULL, i, NULL, iif(i % 3, i, NULL), 1, zeroblob(32),
            format('%020d', i), 1, zeroblob(60) FROM n"
        ),
        "INSERT INTO materials VALUES (1, zeroblob(40))".to_owned(),
        format!(
            "{numbers} INSERT INTO keys SELECT CAST(format('%016d', i) AS BLOB), zeroblob(16), 'yandex', i, iif(i % 3, 'n' || i, NULL), iif(i % 4, 'r', 's'), 'n', 'd',
            '{{}}',
            '{{}}', 4, iif(i % 1000 = 1, 'pending_deletion', 'live'), 'active', iif(i % 1000 = 1, i + 5000, NULL), NULL,
            zeroblob(16), 2, i, i, 60, i, 'yandex', iif(i % 1000 = 0, i + 5000, NULL), 0, 0, 1, zeroblob(32), NULL, NULL,
            NULL, NULL FROM n"
        ),
        "INSERT INTO versions SELECT keys.id, keys.id, 1, 4, 'database', 'creation', created_at,
            iif(created_at % 1000 = 2, 'scheduled', 'active'), NULL,
            iif(created_at % 1000 = 2, created_at + 5000, NULL),
            NULL, 0, 1, 1, zeroblob(32), 1, zeroblob(32), NULL
            FROM keys"
            .to_owned(),
        "INSERT INTO bound_keys SELECT zeroblob(16), 'user', folder_id, created_at, id, region FROM keys
            WHERE created_at % 10 = 0"
            .to_owned(),
        "INSERT INTO aliases SELECT id, folder_id, region, 'alias/' || created_at, iif(created_at % 3, id, NULL), created_at,
            created_at, 1, zeroblob(32) FROM keys"
            .to_owned(),
        format!("{numbers} INSERT INTO row_heads SELECT CAST(format('%016d', i) AS BLOB), 1, zeroblob(32) FROM n"),
    ];
    sql.execute("BEGIN", &[]).unwrap();
    for statement in rows {
        sql.execute(&statement, &[]).unwrap();
    }
    sql.execute("COMMIT", &[]).unwrap();
    sql
}

/// The steps of SQLite's plan for a statement.
fn plan(sql: &Sqlite, statement: &str) -> Vec<String> {
    let placeholders = (1..=9).filter(|number| statement.contains(&format!("?{number}"))).count();
    let rows = sql.query(&format!("EXPLAIN QUERY PLAN {statement}"), &vec![Value::Null; placeholders]).unwrap();
    let text = |row: &Vec<Value>| match &row[3] {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    rows.iter().map(text).collect()
}

fn filter(region: Option<&str>, pending_deletion: bool) -> KeyFilter {
    KeyFilter { region: region.map(str::to_owned), pending_deletion }
}

fn statements() -> Vec<(String, &'static str)> {
    let by_key = |table: &crate::store::table::Table| table.select_by_key.clone();
    let heads = "SELECT id, row_seq, row_mac FROM row_heads WHERE id BETWEEN ?1 AND ?2";
    let with_material = "SELECT 1 FROM versions WHERE key_id = ?1 AND blob_sha256 IS NOT NULL LIMIT 1";
    vec![
        (by_key(&KEYS), "sqlite_autoindex_keys_1 (id=?)"),
        (by_key(&VERSIONS), "sqlite_autoindex_versions_1 (id=?)"),
        (by_key(&COUNTERS), "sqlite_autoindex_counters_1 (id=?)"),
        (by_key(&FOLDERS), "sqlite_autoindex_folders_1 (id=?)"),
        (by_key(&PRINCIPALS), "sqlite_autoindex_principals_1 (id=?)"),
        (by_key(&CREDENTIALS), "sqlite_autoindex_credentials_1 (id=?)"),
        (by_key(&BINDINGS), "sqlite_autoindex_bindings_1 (folder_id=?)"),
        (by_key(&KEY_BINDINGS), "sqlite_autoindex_key_bindings_1 (key_id=?)"),
        (by_key(&SERVICE_BINDINGS), "INTEGER PRIMARY KEY (rowid=?)"),
        (by_key(&ALIASES), "sqlite_autoindex_aliases_1 (id=?)"),
        (directory::by_account_statement(), "(account_id=?)"),
        (directory::folders_statement(), "folders_by_age ((created_at,id)>(?,?))"),
        (directory::principals_statement(), "principals_listed (folder_id=? AND (created_at,id)>(?,?))"),
        (directory::by_token_statement(), "(token_sha256=?)"),
        (directory::by_access_key_statement(), "credentials_by_access_key (handle=?)"),
        (directory::by_certificate_statements()[0].clone(), "credentials_by_valid_certificate (handle=?)"),
        (directory::by_certificate_statements()[1].clone(), "credentials_by_certificate (handle=?)"),
        (directory::credentials_of_statement(), "credentials_in_force (principal_id=?)"),
        (directory::LAST_USE_STATEMENT.to_owned(), "credential_uses USING PRIMARY KEY (credential_id=?)"),
        (changes::UNNAME_KEY_STATEMENT.to_owned(), "bound_keys_by_key (key_id=?)"),
        (changes::UNNAME_FOLDER_STATEMENT.to_owned(), "bound_folders_by_folder (folder_id=?)"),
        (heads.to_owned(), "PRIMARY KEY (id>? AND id<?)"),
        (reads::keys_statement(&filter(None, false)), "keys_listed (folder_id=? AND (created_at,id)>(?,?))"),
        (reads::keys_statement(&filter(None, true)), "keys_shown (folder_id=? AND (created_at,id)>(?,?))"),
        (
            reads::keys_statement(&filter(Some("r"), false)),
            "keys_listed_in_region (folder_id=? AND region=? AND (created_at,id)>(?,?))",
        ),
        (
            reads::keys_statement(&filter(Some("r"), true)),
            "keys_shown_in_region (folder_id=? AND region=? AND (created_at,id)>(?,?))",
        ),
        (aliases::listed_statement(), "aliases_listed (folder_id=? AND region=? AND (created_at,id)>(?,?))"),
        (aliases::count_statement(), "aliases_of_key (key_id=? AND folder_id=? AND region=?)"),
        (
            aliases::of_key_statement(),
            "aliases_of_key (key_id=? AND folder_id=? AND region=? AND (created_at,id)>(?,?))",
        ),
        (reads::key_named_statement(), "keys_by_key_name (folder_id=? AND key_name=?)"),
        (reads::VERSION_ID_STATEMENT.to_owned(), "sqlite_autoindex_versions_2 (key_id=? AND number=?)"),
        (reads::versions_statement(), "(key_id=? AND number<?)"),
        (reads::OPERATIONS_STATEMENT.to_owned(), "operations_of_key (key_id=? AND (created_at,id)<(?,?))"),
        (with_material.to_owned(), "versions_with_material (key_id=?)"),
        (due::ROTATIONS.to_owned(), "COVERING INDEX keys_firing (fires_at<?)"),
        (due::DESTRUCTIONS.to_owned(), "versions_scheduled (destroy_at<?)"),
        (due::UNFINISHED_DESTRUCTIONS.to_owned(), "versions_destroying"),
        (due::DELETIONS.to_owned(), "COVERING INDEX keys_leaving (delete_at<?)"),
        (due::UNFINISHED_DELETIONS.to_owned(), "deletions_under_way"),
        (due::NEXT[0].to_owned(), "COVERING INDEX keys_firing (fires_at>?)"),
        (due::NEXT[1].to_owned(), "versions_scheduled (destroy_at>?)"),
        (due::NEXT[2].to_owned(), "COVERING INDEX keys_leaving (delete_at>?)"),
    ]
}

/// Two searches, the first of which gives the order of the list.
fn joins_begin_at_the_index(sql: &Sqlite) {
    let named =
        "PRIMARY KEY (principal_id=? AND principal_kind=? AND key_folder_id=? AND (key_created_at,key_id)>(?,?))";
    let named_in_region = "bound_keys_in_region \
        (principal_id=? AND principal_kind=? AND key_folder_id=? AND key_region=? AND (key_created_at,key_id)>(?,?))";
    let joins = [
        (reads::keys_naming_statement(&filter(None, false)), [named, "id=?)"]),
        (reads::keys_naming_statement(&filter(None, true)), [named, "id=?)"]),
        (reads::keys_naming_statement(&filter(Some("r"), false)), [named_in_region, "id=?)"]),
        (reads::keys_naming_statement(&filter(Some("r"), true)), [named_in_region, "id=?)"]),
        (
            directory::folders_naming_statement(),
            ["PRIMARY KEY (principal_id=? AND principal_kind=? AND (folder_created_at,folder_id)>(?,?))", "id=?)"],
        ),
        (
            directory::credentials_statement(),
            ["credentials_listed (principal_id=? AND (created_at,id)>(?,?))", "PRIMARY KEY (credential_id=?)"],
        ),
    ];
    for (statement, expected) in joins {
        let steps = plan(sql, &statement);
        assert_eq!(steps.len(), 2, "{statement}: {steps:#?}");
        for (step, expected) in steps.iter().zip(expected) {
            assert!(step.starts_with("SEARCH") && step.contains(expected), "{statement}: {steps:#?}");
        }
    }
}

/// Keys by their place in the list: counted without a look at the rows, and read backwards without sorting.
fn numbered_pages_are_read_from_the_indexes_of_the_lists(sql: &Sqlite) {
    let cases = [
        (filter(None, false), "keys_listed (folder_id=?)"),
        (filter(None, true), "keys_shown (folder_id=?)"),
        (filter(Some("r"), false), "keys_listed_in_region (folder_id=? AND region=?)"),
        (filter(Some("r"), true), "keys_shown_in_region (folder_id=? AND region=?)"),
    ];
    for (filter, index) in cases {
        let [count, read] = reads::keys_at_statements(&filter);
        let counted = plan(sql, &count);
        let (name, columns) = index.split_once(' ').unwrap();
        // Both indexes of a state hold the folder's keys of all regions.
        let covering = format!("SEARCH keys USING COVERING INDEX {name}");
        assert!(
            matches!(&counted[..], [step] if step.starts_with(&covering) && step.ends_with(columns)),
            "{counted:#?}"
        );
        assert_eq!(plan(sql, &read), [format!("SEARCH keys USING INDEX {index}")], "{read}");
    }
}

/// Two searches, of the principal's keys and of the aliases of each. Only what they find is sorted.
fn aliases_are_found_from_the_keys_of_the_principal(sql: &Sqlite) {
    let steps = plan(sql, &aliases::naming_statement());
    let expected = [
        "bound_keys_in_region (principal_id=? AND principal_kind=? AND key_folder_id=? AND key_region=?)",
        "aliases_of_key (key_id=? AND folder_id=? AND region=? AND (created_at,id)>(?,?))",
        "USE TEMP B-TREE FOR ORDER BY",
    ];
    assert_eq!(steps.len(), expected.len(), "{steps:#?}");
    for (step, expected) in steps.iter().zip(expected) {
        assert!(step.contains(expected), "{steps:#?}");
    }
}

#[test]
fn reads_search_an_index_and_sort_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sql = seeded(&dir);
    for analyzed in [false, true] {
        if analyzed {
            sql.execute("ANALYZE", &[]).unwrap();
        }
        for (statement, expected) in statements() {
            let steps = plan(&sql, &statement);
            let what = format!("analyzed: {analyzed}: {statement}: {steps:#?}");
            assert_eq!(steps.len(), 1, "{what}");
            assert!(steps[0].contains(expected), "{what}");
            // The two work lists are read from their beginning: everything in them is unfinished work.
            let work_list = statement == due::UNFINISHED_DELETIONS || statement == due::UNFINISHED_DESTRUCTIONS;
            assert!(work_list || steps[0].starts_with("SEARCH"), "{what}");
        }
        joins_begin_at_the_index(&sql);
        numbered_pages_are_read_from_the_indexes_of_the_lists(&sql);
        aliases_are_found_from_the_keys_of_the_principal(&sql);
    }
    let found = due::due(&sql, Timestamp::from_micros(9_000), 100).unwrap();
    assert_eq!((found.rotations.len(), found.deletions.len(), found.destructions.len()), (4, 4, 4));
    let next = due::next_due_after(&sql, Timestamp::from_micros(9_000)).unwrap();
    assert_eq!(next, Some(Timestamp::from_micros(9_001)));
}
