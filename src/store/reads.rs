//! Reads of keys and of what belongs to them, each inside of one short transaction.

use super::paging::{Listing, MAX_ROWS, Part, cut, place};
use super::seal::{same, sha256};
use super::sql::{Fields, Row, Value, int};
use super::table::{self, KEYS, VERSIONS};
use super::view::{View, alarm};
use super::{directory, rows};
use crate::domain::access::PrincipalKind;
use crate::domain::id::{FolderId, GeneratorId, KeyId, MaterialId, OperationId, PrincipalId};
use crate::domain::key::{Key, KeyState};
use crate::domain::operation::{KeyView, Operation};
use crate::domain::text::ShortName;
use crate::domain::version::KeyVersion;
use crate::service::ports::{
    BindingScope, Cursor, Heartbeat, KeyFilter, KeyRecord, NumberedPage, Page, RememberedRequest, SealedMaterial,
    StoreError, Stored, StoredMaterial,
};

type Read<T> = Result<T, StoreError>;

/// A key by id.
pub(super) fn key(view: &View<'_>, id: KeyId) -> Read<Option<Stored<Key>>> {
    view.find(&KEYS, &Value::from(id.as_bytes()))?.as_ref().map(rows::key).transpose()
}

/// A key with what its use needs.
pub(super) fn key_record(view: &View<'_>, id: KeyId) -> Read<Option<KeyRecord>> {
    let Some(key) = key(view, id)? else { return Ok(None) };
    let primary_version = key.value.primary_version;
    let primary = material(view, id, primary_version)?;
    let primary = primary.ok_or_else(|| alarm(&VERSIONS, &Value::from(primary_version.as_bytes())))?;
    let bindings = directory::bindings(view, BindingScope::Key(id))?.value;
    Ok(Some(KeyRecord { key, primary, bindings }))
}

/// The statement of [`keys`]: folder, region where there is one, then the place.
pub(super) fn keys_statement(filter: &KeyFilter) -> String {
    let (region, next) = if filter.region.is_some() { (" AND region = ?2", 3) } else { ("", 2) };
    format!(
        "{} WHERE folder_id = ?1{region} AND {} AND (created_at, id) > (?{next}, ?{}) ORDER BY created_at, id LIMIT ?{}",
        KEYS.select,
        state(filter),
        next + 1,
        next + 2
    )
}

/// In the words of the indexes, which hold the keys in these states only.
const fn state(filter: &KeyFilter) -> &'static str {
    if filter.pending_deletion { "state <> 'deleted'" } else { "state = 'live'" }
}

/// A folder's keys.
pub(super) fn keys(view: &View<'_>, folder: FolderId, filter: &KeyFilter, part: Part) -> Read<Page<KeyView>> {
    let mut values = vec![Value::from(folder.as_bytes())];
    values.extend(filter.region.as_deref().map(Value::from));
    let list = Listing { statement: &keys_statement(filter), filter: values };
    list.page(view, part, |row| key_view(view, row, folder, filter), key_place)
}

/// The statement of [`keys_naming`]: principal, kind, folder, region where there is one, then the place. SQLite takes the
/// tables of a `CROSS JOIN` in this order: begun at the keys, the search would walk the whole folder.
pub(super) fn keys_naming_statement(filter: &KeyFilter) -> String {
    let (region, next) =
        if filter.region.is_some() { (" AND key_region = ?4 AND region = key_region", 5) } else { ("", 4) };
    format!(
        "SELECT {} FROM bound_keys CROSS JOIN keys
        WHERE id = key_id AND principal_id = ?1 AND principal_kind = ?2 AND key_folder_id = ?3{region}
        AND (key_created_at, key_id) > (?{next}, ?{})
        AND {} AND folder_id = key_folder_id AND created_at = key_created_at
        ORDER BY key_created_at, key_id LIMIT ?{}",
        KEYS.list,
        next + 1,
        state(filter),
        next + 2
    )
}

/// A folder's keys whose own bindings let a principal view them, as far as the index says.
///
/// Nobody gains by changing the index: an entry only leads to a key, whose row is checked and must be of this folder, of
/// this filter and of the entry's age. Whether the key is shown is decided by its bindings, which are sealed. A removed
/// entry hides a key from the list, not from whoever asks for it by its id.
pub(super) fn keys_naming(
    view: &View<'_>,
    (kind, id): (PrincipalKind, PrincipalId),
    folder: FolderId,
    filter: &KeyFilter,
    part: Part,
) -> Read<Page<KeyView>> {
    let kind = Value::from(rows::principal_kind(kind));
    let mut values = vec![Value::from(id.as_bytes()), kind, Value::from(folder.as_bytes())];
    values.extend(filter.region.as_deref().map(Value::from));
    let list = Listing { statement: &keys_naming_statement(filter), filter: values };
    list.page(view, part, |row| key_view(view, row, folder, filter), key_place)
}

/// The statements of [`keys_at`]: one that counts, by folder and region where there is one, and one that reads, by these,
/// limit and how many to pass over.
pub(super) fn keys_at_statements(filter: &KeyFilter) -> [String; 2] {
    let (region, next) = if filter.region.is_some() { (" AND region = ?2", 3) } else { ("", 2) };
    let chosen = format!("WHERE folder_id = ?1{region} AND {}", state(filter));
    [
        format!("SELECT count(*) FROM keys {chosen}"),
        format!("{} {chosen} ORDER BY created_at DESC, id DESC LIMIT ?{next} OFFSET ?{}", KEYS.select, next + 1),
    ]
}

/// A folder's keys by place in the list, newest first.
pub(super) fn keys_at(
    view: &View<'_>,
    folder: FolderId,
    filter: &KeyFilter,
    skip: u64,
    limit: u32,
) -> Read<NumberedPage<KeyView>> {
    let [count, read] = keys_at_statements(filter);
    let mut params = vec![Value::from(folder.as_bytes())];
    params.extend(filter.region.as_deref().map(Value::from));
    let counted = view.sql.query_one(&count, &params)?.unwrap_or_default();
    let total = Fields::new(KEYS.name, &counted).number()?;
    params.extend([Value::from(limit.min(MAX_ROWS)), int(skip)]);
    let rows = view.sql.query(&read, &params)?;
    let items = rows.into_iter().map(|row| key_view(view, row, folder, filter)).collect::<Result<_, _>>()?;
    Ok(NumberedPage { items, total })
}

/// The statement of [`key_named`]: folder and name.
pub(super) fn key_named_statement() -> String {
    format!("{} WHERE folder_id = ?1 AND key_name = ?2", KEYS.select)
}

/// The key of a folder with a name. Found through an index: a changed one leads to no key that does not have the name.
pub(super) fn key_named(view: &View<'_>, folder: FolderId, name: &ShortName) -> Read<Option<KeyId>> {
    let params = [Value::from(folder.as_bytes()), Value::from(name.as_str())];
    let Some(row) = view.sql.query_one(&key_named_statement(), &params)? else { return Ok(None) };
    let key = rows::key(&view.check(&KEYS, row)?)?.value;
    if key.folder_id != folder || key.key_name.as_ref() != Some(name) {
        return Err(alarm(&KEYS, &Value::from(key.id.as_bytes())));
    }
    Ok(Some(key.id))
}

fn key_place(item: &KeyView) -> Cursor {
    place(item.key.created_at, item.key.id.as_bytes())
}

fn key_view(view: &View<'_>, row: Row, folder: FolderId, filter: &KeyFilter) -> Read<KeyView> {
    let key = rows::key(&view.check(&KEYS, row)?)?.value;
    let in_region = filter.region.as_ref().is_none_or(|region| *region == key.region);
    let in_state = match key.state {
        KeyState::Live { .. } => true,
        KeyState::PendingDeletion { .. } => filter.pending_deletion,
        KeyState::Deleted { .. } => false,
    };
    if key.folder_id != folder || !in_region || !in_state {
        // An index that was changed may lead to genuine rows that were not asked for.
        return Err(alarm(&KEYS, &Value::from(key.id.as_bytes())));
    }
    let primary_key = Value::from(key.primary_version.as_bytes());
    let primary = view.find(&VERSIONS, &primary_key)?.ok_or_else(|| alarm(&VERSIONS, &primary_key))?;
    Ok(KeyView { key, primary: rows::version(&primary)?.0.value })
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

/// The statement of [`material_numbered`]: key and number.
pub(super) const VERSION_ID_STATEMENT: &str = "SELECT id FROM versions WHERE key_id = ?1 AND number = ?2";

/// A version by its number, and its material. The number is looked up in an index; the row that it leads to is checked.
pub(super) fn material_numbered(view: &View<'_>, key: KeyId, number: u32) -> Read<Option<StoredMaterial>> {
    let row = view.sql.query_one(VERSION_ID_STATEMENT, &[Value::from(key.as_bytes()), Value::from(number)])?;
    let Some(row) = row else {
        // Numbers have no gaps and are never reused.
        let newest = self::key(view, key)?.map_or(0, |key| key.value.latest_version_number);
        let missing = || Err(alarm(&VERSIONS, &Value::from(key.as_bytes())));
        return if (1..=newest).contains(&number) { missing() } else { Ok(None) };
    };
    let id: [u8; 16] = Fields::new(VERSIONS.name, &row).bytes()?;
    match material(view, key, MaterialId::from_bytes(id))? {
        Some(found) if found.version.value.number == number => Ok(Some(found)),
        _ => Err(alarm(&VERSIONS, &Value::from(&id))),
    }
}

/// The statement of [`tokens_issued`].
pub(super) const TOKENS_ISSUED_STATEMENT: &str = "SELECT issued FROM token_counts WHERE generator_id = ?1";

/// How many tokens were issued under a generator.
pub(super) fn tokens_issued(view: &View<'_>, generator: GeneratorId) -> Read<u64> {
    let row = view.sql.query_one(TOKENS_ISSUED_STATEMENT, &[Value::from(generator.as_bytes())])?;
    row.map_or(Ok(0), |row| Fields::new("token_counts", &row).number())
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
