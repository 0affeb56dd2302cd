//! Reading and writing aliases.

use super::edit::Edit;
use super::paging::{Listing, Part, place};
use super::rows::{self, alias_id};
use super::sql::{Row, Value};
use super::table::ALIASES;
use super::view::{View, alarm};
use crate::domain::access::PrincipalKind;
use crate::domain::alias::{Alias, AliasPlace};
use crate::domain::id::{FolderId, KeyId, PrincipalId};
use crate::domain::time::Timestamp;
use crate::service::ports::{Page, StoreError, Stored};
use std::hint::black_box;

type Read<T> = Result<T, StoreError>;

/// Of an alias that is not there.
const NOBODY: KeyId = KeyId::from_bytes([0; 16]);
const NEVER: Timestamp = Timestamp::from_micros(0);

/// Where a list of aliases is looked for.
#[derive(Debug, Clone)]
pub(super) struct Within {
    pub(super) folder: FolderId,
    pub(super) region: String,
}

/// An alias by its place. One that is not there takes about the time of one that is.
pub(super) fn alias(view: &View<'_>, place: &AliasPlace) -> Read<Option<Stored<Alias>>> {
    let primary_key = Value::from(&alias_id(place));
    let Some(row) = view.find(&ALIASES, &primary_key)? else {
        let value = Alias { place: place.clone(), key_id: Some(NOBODY), created_at: NEVER, updated_at: NEVER };
        let _ = black_box(rows::alias(&view.as_if_found(&ALIASES, rows::alias_row(&value))));
        return Ok(None);
    };
    let stored = rows::alias(&row)?;
    // The id is a cut hash: that of another place would be somebody's work.
    if stored.value.place == *place { Ok(Some(stored)) } else { Err(alarm(&ALIASES, &primary_key)) }
}

/// The statement of [`aliases`] for a folder and region.
pub(super) fn listed_statement() -> String {
    format!(
        "{} WHERE folder_id = ?1 AND region = ?2 AND key_id IS NOT NULL AND (created_at, id) > (?3, ?4)
        ORDER BY created_at, id LIMIT ?5",
        ALIASES.select
    )
}

/// The statement of [`aliases`] for a key.
pub(super) fn of_key_statement() -> String {
    format!(
        "{} WHERE folder_id = ?1 AND region = ?2 AND key_id = ?3 AND (created_at, id) > (?4, ?5)
        ORDER BY created_at, id LIMIT ?6",
        ALIASES.select
    )
}

/// The aliases of a folder and region, or of one key there.
pub(super) fn aliases(view: &View<'_>, within: &Within, key: Option<KeyId>, part: Part) -> Read<Page<Alias>> {
    let mut filter = vec![Value::from(within.folder.as_bytes()), Value::from(within.region.as_str())];
    filter.extend(key.map(|key| Value::from(key.as_bytes())));
    let statement = if key.is_some() { of_key_statement() } else { listed_statement() };
    page(view, within, key, &Listing { statement: &statement, filter }, part)
}

/// The statement of [`count`].
pub(super) fn count_statement() -> String {
    format!("SELECT count(*) FROM {} WHERE folder_id = ?1 AND region = ?2 AND key_id = ?3", ALIASES.name)
}

/// How many aliases a key has, by the index alone. No row is handed out, so that none is checked: whoever changes the
/// database gains one alias more or less.
pub(super) fn count(view: &View<'_>, within: &Within, key: KeyId) -> Read<usize> {
    let params =
        [Value::from(within.folder.as_bytes()), Value::from(within.region.as_str()), Value::from(key.as_bytes())];
    let row = view.sql.query_one(&count_statement(), &params)?;
    let count = match row.as_deref() {
        Some([Value::Int(count)]) => usize::try_from(*count).ok(),
        _ => None,
    };
    count.ok_or_else(|| StoreError::Bug("a count is no number".to_owned()))
}

/// The statement of [`aliases_naming`]. SQLite takes the tables of a `CROSS JOIN` in this order. What the principal's keys
/// have is sorted: they are in the order of the keys.
pub(super) fn naming_statement() -> String {
    let columns: Vec<String> = ALIASES.list.split(", ").map(|column| format!("aliases.{column}")).collect();
    format!(
        "SELECT {} FROM bound_keys CROSS JOIN aliases ON aliases.key_id = bound_keys.key_id
        WHERE principal_id = ?1 AND principal_kind = ?2 AND key_folder_id = ?3 AND key_region = ?4
        AND folder_id = ?3 AND region = ?4 AND (aliases.created_at, aliases.id) > (?5, ?6)
        ORDER BY aliases.created_at, aliases.id LIMIT ?7",
        columns.join(", ")
    )
}

/// The aliases of keys whose own bindings let a principal view them, as far as the index says. As with keys, nobody gains
/// by changing it: the alias's row is checked, and the key's sealed bindings decide whether it is shown.
pub(super) fn aliases_naming(
    view: &View<'_>,
    (kind, id): (PrincipalKind, PrincipalId),
    within: &Within,
    part: Part,
) -> Read<Page<Alias>> {
    let filter = vec![
        Value::from(id.as_bytes()),
        Value::from(rows::principal_kind(kind)),
        Value::from(within.folder.as_bytes()),
        Value::from(within.region.as_str()),
    ];
    page(view, within, None, &Listing { statement: &naming_statement(), filter }, part)
}

fn page(view: &View<'_>, within: &Within, key: Option<KeyId>, list: &Listing<'_>, part: Part) -> Read<Page<Alias>> {
    let decode = |row: Row| {
        let primary_key = row.first().cloned().unwrap_or(Value::Null);
        let alias = rows::alias(&view.check(&ALIASES, row)?)?.value;
        // An index that was changed may lead to genuine rows that were not asked for.
        let asked_for = alias.place.folder_id == within.folder
            && alias.place.region == within.region
            && alias.key_id.is_some_and(|id| key.is_none_or(|key| key == id));
        if asked_for { Ok(alias) } else { Err(alarm(&ALIASES, &primary_key)) }
    };
    list.page(view, part, decode, |alias| place(alias.created_at, &alias_id(&alias.place)))
}

/// Writes an alias.
pub(super) fn put(edit: &mut Edit<'_>, alias: &Stored<Alias>) -> Result<(), StoreError> {
    let row = rows::alias_row(&alias.value);
    if alias.row_seq == 0 { edit.insert(&ALIASES, row) } else { edit.update(&ALIASES, alias.row_seq, row) }
}
