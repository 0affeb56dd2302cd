//! The tables whose rows carry a MAC, and the statements over all their columns.

use super::sql::Value;
use std::sync::LazyLock;

/// A table with `row_seq` and `row_mac` after its own columns, the first of which is the primary key.
pub(super) struct Table {
    /// Its name.
    pub(super) name: &'static str,
    /// How many columns of its own it had at first.
    first_columns: usize,
    /// All columns, as lists of them are selected.
    pub(super) list: String,
    /// `SELECT` of all columns, to be followed by a condition.
    pub(super) select: String,
    /// `SELECT` of the row with primary key `?1`.
    pub(super) select_by_key: String,
    /// `INSERT` of all columns.
    pub(super) insert: String,
    /// `UPDATE` of all columns, as numbered for `insert`, where the sequence is still the one given last.
    pub(super) update: String,
}

impl Table {
    /// A table that was made with the columns `first` and got those of `appended` later.
    pub(super) fn new(name: &'static str, first: &[&str], appended: &[&str]) -> Self {
        let all: Vec<&str> = first.iter().chain(appended).copied().chain(["row_seq", "row_mac"]).collect();
        let key = all[0];
        let list = all.join(", ");
        let numbers: Vec<String> = (1..=all.len()).map(|number| format!("?{number}")).collect();
        let assignments: Vec<String> =
            all.iter().zip(&numbers).skip(1).map(|(name, number)| format!("{name} = {number}")).collect();
        let select = format!("SELECT {list} FROM {name}");
        Self {
            name,
            first_columns: first.len(),
            select_by_key: format!("{select} WHERE {key} = ?1"),
            insert: format!("INSERT INTO {name} ({list}) VALUES ({})", numbers.join(", ")),
            update: format!(
                "UPDATE {name} SET {} WHERE {key} = ?1 AND row_seq = ?{}",
                assignments.join(", "),
                all.len() + 1
            ),
            select,
            list,
        }
    }

    /// Those of a row's own columns that its MAC is over: the first ones always, an appended one only if it or one after
    /// it is not NULL.
    ///
    /// A row that was written before a column was appended holds NULL there and keeps its MAC. Nothing is lost by it:
    /// what is cut off is known to be NULL, so that no two rows of a table have the same covered columns.
    pub(super) fn covered<'a>(&self, columns: &'a [Value]) -> &'a [Value] {
        let last = columns.iter().rposition(|column| *column != Value::Null).map_or(0, |index| index + 1);
        &columns[..last.max(self.first_columns).min(columns.len())]
    }
}

/// A primary key, printable: UUIDs in their usual form.
pub(super) fn printable(primary_key: &Value) -> String {
    match primary_key {
        Value::Null => "NULL".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => uuid::Uuid::from_slice(bytes)
            .map_or_else(|_| format!("an id of {} bytes", bytes.len()), |id| id.hyphenated().to_string()),
    }
}

macro_rules! tables {
    ($(
        $(#[$doc:meta])*
        $table:ident = $name:literal [$($first:literal),* $(,)?] $(+ [$($appended:literal),* $(,)?])?;
    )*) => {
        $(
            $(#[$doc])*
            pub(super) static $table: LazyLock<Table> =
                LazyLock::new(|| Table::new($name, &[$($first),*], &[$($($appended),*)?]));
        )*
    };
}

tables! {
    /// The one record of the token keys that this database belongs to.
    TOKEN_BINDING = "token_binding" ["id", "binding"];
    /// Tenants.
    FOLDERS = "folders" ["id", "account_id", "name", "created_at"];
    /// People and programs.
    PRINCIPALS = "principals" ["id", "folder_id", "kind", "name", "created_at"] + ["deleted_at"];
    /// Their credentials.
    CREDENTIALS = "credentials" [
        "id", "principal_id", "folder_id", "name", "kind", "token_sha256", "created_at", "expires_at", "revoked_at",
    ] + ["handle", "sealed_by", "secret"];
    /// Sets of bindings, one row per folder.
    BINDINGS = "bindings" ["folder_id", "bindings"];
    /// The set of bindings of the service.
    SERVICE_BINDINGS = "service_bindings" ["id", "bindings"];
    /// Sets of bindings, one row per key that ever had one.
    KEY_BINDINGS = "key_bindings" ["key_id", "bindings"];
    /// Keys.
    KEYS = "keys" [
        "id", "folder_id", "created_by_dialect", "key_tag", "key_name", "region", "name", "description", "labels",
        "tags", "default_algorithm", "state", "switch", "delete_at", "deleted_at", "primary_version",
        "latest_version_number", "created_at", "rotated_at", "rotation_period", "next_rotation_at", "rotation_owner",
        "fires_at", "deletion_protection", "min_destruction_wait",
    ] + ["deletion_requested_at", "convergent", "addresses", "token_generator"];
    /// Key versions.
    VERSIONS = "versions" [
        "id", "key_id", "number", "algorithm", "residency", "origin", "created_at", "state", "was_disabled",
        "destroy_at", "destroyed_at", "pin_holder_can_export", "sealed_by", "material_row", "blob_sha256",
    ] + ["state_changed_at"];
    /// Names of keys.
    ALIASES = "aliases" ["id", "folder_id", "region", "name", "key_id", "created_at", "updated_at"];
    /// GCM invocations that were leased.
    COUNTERS = "counters" ["id", "leased"];
    /// The scheduler's last sign of life.
    HEARTBEAT = "heartbeat" ["id", "at", "boot_id", "elapsed", "held"];
}

/// Every table above, and the two that follow from their rows: all are empty before the first unlock.
pub(super) const SEALED: [&str; 13] = [
    "folders",
    "principals",
    "credentials",
    "bindings",
    "service_bindings",
    "key_bindings",
    "keys",
    "versions",
    "aliases",
    "counters",
    "heartbeat",
    "row_heads",
    "state_leaves",
];
