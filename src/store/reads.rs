//! Reads, each inside of one short transaction. Lists are cut at [`MAX_ROWS`].

use super::rows;
use super::seal::{same, sha256};
use super::sql::{Fields, Row, Value};
use super::table::{self, KEYS, VERSIONS};
use super::view::{Checked, View, alarm};
use crate::domain::access::BindingSet;
use crate::domain::id::{FolderId, KeyId, MaterialId, OperationId, PrincipalId};
use crate::domain::key::Key;
use crate::domain::operation::{KeyView, Operation};
use crate::domain::version::KeyVersion;
use crate::service::ports::{
    CredentialRecord, Cursor, Folder, Heartbeat, Page, Principal, RememberedRequest, SealedMaterial, StoreError,
    Stored, StoredMaterial,
};

/// The most rows of one answer: a read must not hold its snapshot for long, because the WAL cannot be emptied
/// meanwhile.
const MAX_ROWS: u32 = 1000;

type Read<T> = Result<T, StoreError>;

/// A folder by id.
pub(super) fn folder(view: &View<'_>, id: FolderId) -> Read<Option<Folder>> {
    view.find(&table::FOLDERS, &Value::from(id.as_bytes()))?.as_ref().map(rows::folder).transpose()
}

/// The oldest folder.
pub(super) fn first_folder(view: &View<'_>) -> Read<Option<Folder>> {
    let statement = format!("{} ORDER BY created_at, id LIMIT 1", table::FOLDERS.select);
    let row = view.sql.query_one(&statement, &[])?;
    row.map(|row| rows::folder(&view.check(&table::FOLDERS, row)?)).transpose()
}

/// A folder's bindings.
pub(super) fn bindings(view: &View<'_>, folder: FolderId) -> Read<Stored<BindingSet>> {
    let row = view.find(&table::BINDINGS, &Value::from(folder.as_bytes()))?;
    row.as_ref().map_or_else(|| Ok(Stored { value: BindingSet::default(), row_seq: 0 }), rows::binding_set)
}

/// A principal by id.
pub(super) fn principal(view: &View<'_>, id: PrincipalId) -> Read<Option<Stored<Principal>>> {
    let row = view.find(&table::PRINCIPALS, &Value::from(id.as_bytes()))?;
    row.map(|row| Ok(Stored { value: rows::principal(&row)?, row_seq: row.row_seq })).transpose()
}

/// The oldest principal of a folder.
pub(super) fn first_principal(view: &View<'_>, folder: FolderId) -> Read<Option<Principal>> {
    let statement = format!("{} WHERE folder_id = ?1 ORDER BY created_at, id LIMIT 1", table::PRINCIPALS.select);
    let row = view.sql.query_one(&statement, &[Value::from(folder.as_bytes())])?;
    row.map(|row| rows::principal(&view.check(&table::PRINCIPALS, row)?)).transpose()
}

/// A credential by its token's hash.
pub(super) fn credential_by_token(view: &View<'_>, sha256: &[u8; 32]) -> Read<Option<Stored<CredentialRecord>>> {
    let statement = format!("{} WHERE token_sha256 = ?1 LIMIT 1", table::CREDENTIALS.select);
    let row = view.sql.query_one(&statement, &[Value::from(sha256)])?;
    row.map(|row| rows::credential(&view.check(&table::CREDENTIALS, row)?)).transpose()
}

/// A principal's credentials that are not revoked.
pub(super) fn credentials_of(view: &View<'_>, principal: PrincipalId) -> Read<Vec<Stored<CredentialRecord>>> {
    let statement = format!(
        "{} WHERE principal_id = ?1 AND revoked_at IS NULL ORDER BY created_at, id LIMIT ?2",
        table::CREDENTIALS.select
    );
    let rows = view.sql.query(&statement, &[Value::from(principal.as_bytes()), Value::from(MAX_ROWS)])?;
    view.check_all(&table::CREDENTIALS, rows)?.iter().map(rows::credential).collect()
}

/// A key by id.
pub(super) fn key(view: &View<'_>, id: KeyId) -> Read<Option<Stored<Key>>> {
    view.find(&KEYS, &Value::from(id.as_bytes()))?.as_ref().map(rows::key).transpose()
}

/// The statement of [`keys`]: folder, creation time and id of the row before, limit.
pub(super) fn keys_statement() -> String {
    format!(
        "{} WHERE folder_id = ?1 AND state = 'live' AND (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?4",
        KEYS.select
    )
}

/// A folder's live keys.
pub(super) fn keys(view: &View<'_>, folder: FolderId, after: Option<Cursor>, limit: u32) -> Read<Page<KeyView>> {
    let (at, id) = after.map_or((i64::MIN, Vec::new()), |cursor| (cursor.at, cursor.id.to_vec()));
    let limit = limit.min(MAX_ROWS);
    let params = [Value::from(folder.as_bytes()), Value::Int(at), Value::Blob(id), Value::from(limit + 1)];
    let rows = view.sql.query(&keys_statement(), &params)?;
    let (rows, more) = cut(rows, limit);
    let items: Vec<KeyView> =
        view.check_all(&KEYS, rows)?.iter().map(|row| key_view(view, row)).collect::<Result<_, _>>()?;
    let last = items.last().map(|item| Cursor { at: item.key.created_at.as_micros(), id: *item.key.id.as_bytes() });
    Ok(Page { items, next: last.filter(|_| more) })
}

fn key_view(view: &View<'_>, row: &Checked) -> Read<KeyView> {
    let key = rows::key(row)?.value;
    let primary_key = Value::from(key.primary_version.as_bytes());
    let primary = view.find(&VERSIONS, &primary_key)?.ok_or_else(|| alarm(&VERSIONS, &primary_key))?;
    Ok(KeyView { key, primary: rows::version(&primary)?.0.value })
}

/// At most `limit` rows, and whether there were more.
fn cut(mut rows: Vec<Row>, limit: u32) -> (Vec<Row>, bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    (rows, more)
}

/// A version and its material.
pub(super) fn material(view: &View<'_>, key: KeyId, version: MaterialId) -> Read<Option<StoredMaterial>> {
    let primary_key = Value::from(version.as_bytes());
    let Some(row) = view.find(&VERSIONS, &primary_key)? else { return Ok(None) };
    let (stored, columns) = rows::version(&row)?;
    if stored.value.key_id != key {
        return Ok(None);
    }
    let Some((sealed_by, hash)) = columns.sealed else {
        return Ok(Some(StoredMaterial { version: stored, sealed: None }));
    };
    let statement = "SELECT blob FROM materials WHERE id = ?1";
    match view.sql.query_one(statement, &[Value::Int(columns.material_row)])?.as_deref() {
        Some([Value::Blob(bytes)]) if same(&sha256(bytes), &hash) => {
            let sealed = SealedMaterial { sealed_by, bytes: bytes.clone() };
            Ok(Some(StoredMaterial { version: stored, sealed: Some(sealed) }))
        }
        _ => Err(alarm(&VERSIONS, &primary_key)),
    }
}

/// The statement of [`versions`]: key, number of the row before, limit.
pub(super) fn versions_statement() -> String {
    format!("{} WHERE key_id = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3", VERSIONS.select)
}

/// A key's versions. Their numbers have no gaps and are never reused, so that a missing one is noticed.
pub(super) fn versions(
    view: &View<'_>,
    key_id: KeyId,
    after: Option<Cursor>,
    limit: u32,
) -> Read<Page<Stored<KeyVersion>>> {
    let Some(key) = key(view, key_id)? else { return Ok(Page { items: Vec::new(), next: None }) };
    let below = i64::from(key.value.latest_version_number) + 1;
    let below = after.map_or(below, |cursor| cursor.at.clamp(1, below));
    let limit = limit.min(MAX_ROWS);
    let params = [Value::from(key_id.as_bytes()), Value::Int(below), Value::from(limit)];
    let rows = view.check_all(&VERSIONS, view.sql.query(&versions_statement(), &params)?)?;
    let items: Vec<_> =
        rows.iter().map(|row| rows::version(row).map(|(stored, _)| stored)).collect::<Result<_, _>>()?;
    let numbers = items.iter().map(|item| i64::from(item.value.number));
    let last = (below - i64::from(limit)).max(1);
    if !numbers.eq((last..below).rev()) {
        return Err(alarm(&VERSIONS, &Value::from(key_id.as_bytes())));
    }
    let next = items.last().filter(|item| item.value.number > 1);
    let next = next.map(|item| Cursor { at: item.value.number.into(), id: *item.value.id.as_bytes() });
    Ok(Page { items, next })
}

/// An operation by id.
pub(super) fn operation(view: &View<'_>, id: OperationId) -> Read<Option<Operation>> {
    let statement = "SELECT record FROM operations WHERE id = ?1";
    let row = view.sql.query_one(statement, &[Value::from(id.as_bytes())])?;
    row.map(|row| Fields::new("operations", &row).json()).transpose()
}

/// The statement of [`operations`]: key, creation time and id of the row before, limit.
pub(super) const OPERATIONS_STATEMENT: &str = "SELECT record FROM operations
    WHERE key_id = ?1 AND (created_at, id) < (?2, ?3) ORDER BY created_at DESC, id DESC LIMIT ?4";

/// A key's operations.
pub(super) fn operations(view: &View<'_>, key: KeyId, after: Option<Cursor>, limit: u32) -> Read<Page<Operation>> {
    let (at, id) = after.map_or((i64::MAX, [0xff; 16]), |cursor| (cursor.at, cursor.id));
    let limit = limit.min(MAX_ROWS);
    let params = [Value::from(key.as_bytes()), Value::Int(at), Value::from(&id), Value::from(limit + 1)];
    let (rows, more) = cut(view.sql.query(OPERATIONS_STATEMENT, &params)?, limit);
    let items: Vec<Operation> =
        rows.iter().map(|row| Fields::new("operations", row).json()).collect::<Result<_, _>>()?;
    let last = items.last().map(|item| Cursor { at: item.created_at.as_micros(), id: *item.id.as_bytes() });
    Ok(Page { items, next: last.filter(|_| more) })
}

/// A remembered request.
pub(super) fn remembered(view: &View<'_>, principal: PrincipalId, key: &str) -> Read<Option<RememberedRequest>> {
    let statement = "SELECT principal_id, key, fingerprint, operation_id, expires_at FROM remembered_requests
        WHERE principal_id = ?1 AND key = ?2";
    let row = view.sql.query_one(statement, &[Value::from(principal.as_bytes()), Value::from(key)])?;
    row.as_deref().map(rows::remembered).transpose()
}

/// The heartbeat.
pub(super) fn heartbeat(view: &View<'_>) -> Read<Option<Heartbeat>> {
    view.find(&table::HEARTBEAT, &Value::Int(1))?.as_ref().map(rows::heartbeat).transpose()
}
