//! What the scheduler asks: each statement walks an index that holds only rows with a date.
//!
//! Only ids and dates are handed out. Whoever acts on them reads the row by its id, checked.

use super::sql::{Fields, Row, Sql, Value};
use crate::domain::id::{KeyId, MaterialId};
use crate::domain::time::Timestamp;
use crate::service::ports::{Due, StoreError};

/// Keys whose schedule fires: now, limit.
pub(super) const ROTATIONS: &str = "SELECT id FROM keys WHERE fires_at <= ?1 ORDER BY fires_at, id LIMIT ?2";
/// Versions to be destroyed: now, limit.
pub(super) const DESTRUCTIONS: &str = "SELECT key_id, id FROM versions
    WHERE state = 'scheduled' AND destroy_at <= ?1 ORDER BY destroy_at, id LIMIT ?2";
/// Destructions that did not end: limit.
pub(super) const UNFINISHED_DESTRUCTIONS: &str = "SELECT key_id, id FROM versions
    WHERE state = 'destroying' ORDER BY destroy_at, id LIMIT ?1";
/// Keys to be deleted: now, limit.
pub(super) const DELETIONS: &str = "SELECT id FROM keys WHERE delete_at <= ?1 ORDER BY delete_at, id LIMIT ?2";
/// Deletions that did not end: limit.
pub(super) const UNFINISHED_DELETIONS: &str = "SELECT key_id FROM deletions_under_way ORDER BY key_id LIMIT ?1";
/// The next dates after now.
pub(super) const NEXT: [&str; 3] = [
    "SELECT fires_at FROM keys WHERE fires_at > ?1 ORDER BY fires_at LIMIT 1",
    "SELECT destroy_at FROM versions WHERE state = 'scheduled' AND destroy_at > ?1 ORDER BY destroy_at LIMIT 1",
    "SELECT delete_at FROM keys WHERE delete_at > ?1 ORDER BY delete_at LIMIT 1",
];

/// What is due, at most `limit` of each kind.
pub(super) fn due(sql: &dyn Sql, now: Timestamp, limit: u32) -> Result<Due, StoreError> {
    let until = [Value::from(now), Value::from(limit)];
    let all = [Value::from(limit)];
    Ok(Due {
        rotations: keys(&sql.query(ROTATIONS, &until)?)?,
        destructions: versions(&sql.query(DESTRUCTIONS, &until)?)?,
        unfinished_destructions: versions(&sql.query(UNFINISHED_DESTRUCTIONS, &all)?)?,
        deletions: keys(&sql.query(DELETIONS, &until)?)?,
        unfinished_deletions: keys(&sql.query(UNFINISHED_DELETIONS, &all)?)?,
    })
}

/// The earliest date after `now`.
pub(super) fn next_due_after(sql: &dyn Sql, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let mut earliest = None;
    for statement in NEXT {
        let Some(row) = sql.query_one(statement, &[Value::from(now)])? else { continue };
        let date = Timestamp::from_micros(Fields::new("keys", &row).int()?);
        earliest = Some(earliest.map_or(date, |before: Timestamp| before.min(date)));
    }
    Ok(earliest)
}

fn keys(rows: &[Row]) -> Result<Vec<KeyId>, StoreError> {
    rows.iter().map(|row| Fields::new("keys", row).bytes().map(KeyId::from_bytes)).collect()
}

fn versions(rows: &[Row]) -> Result<Vec<(KeyId, MaterialId)>, StoreError> {
    let ids = |row: &Row| {
        let mut fields = Fields::new("versions", row);
        Ok((KeyId::from_bytes(fields.bytes()?), MaterialId::from_bytes(fields.bytes()?)))
    };
    rows.iter().map(ids).collect()
}
