//! What the writer thread does in a transaction.

use super::edit::Edit;
use super::rows::{self, SealedColumns};
use super::seal::sha256;
use super::sql::{Fields, Value, int, json};
use super::table::{self, COUNTERS, KEYS, VERSIONS};
use super::view::alarm;
use super::{aliases, directory, reads};
use crate::domain::access::{BindingSet, Grants, Permission, PrincipalKind, RoleSet};
use crate::domain::id::{CredentialId, GeneratorId, KeyId, MaterialId, PrincipalId};
use crate::domain::key::{Key, KeyState};
use crate::domain::operation::Operation;
use crate::domain::time::Timestamp;
use crate::domain::version::KeyVersion;
use crate::service::ports::{
    BindingScope, BlobUpdate, Change, Folder, InvocationLease, RememberedRequest, SealedMaterial, StoreError, Stored,
};

/// Removes a key from the index over the principals that its bindings name: key.
pub(super) const UNNAME_KEY_STATEMENT: &str = "DELETE FROM bound_keys WHERE key_id = ?1";
/// The same for a folder.
pub(super) const UNNAME_FOLDER_STATEMENT: &str = "DELETE FROM bound_folders WHERE folder_id = ?1";

/// Applies the changes of one commit.
pub(super) fn apply(edit: &mut Edit<'_>, changes: &[Change]) -> Result<(), StoreError> {
    let mut ordered: Vec<&Change> = changes.iter().collect();
    ordered.sort_by_key(|change| rank(change));
    ordered.into_iter().try_for_each(|change| apply_one(edit, change))
}

/// Rows that others refer to come first, in whatever order the use case named them.
const fn rank(change: &Change) -> u8 {
    match change {
        Change::InsertFolder(_) => 0,
        Change::InsertPrincipal(_) => 1,
        Change::InsertKey(_) => 2,
        // A certificate may be issued anew in the commit that revokes its old credential.
        Change::UpdateCredential(_) => 3,
        _ => 4,
    }
}

fn apply_one(edit: &mut Edit<'_>, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::InsertFolder(folder) => edit.insert(&table::FOLDERS, rows::folder_row(folder)),
        Change::InsertPrincipal(principal) => edit.insert(&table::PRINCIPALS, rows::principal_row(principal)),
        Change::UpdatePrincipal(Stored { value, row_seq }) => {
            edit.update(&table::PRINCIPALS, *row_seq, rows::principal_row(value))
        }
        Change::InsertCredential(credential) => edit.insert(&table::CREDENTIALS, rows::credential_row(credential)),
        Change::UpdateCredential(Stored { value, row_seq }) => {
            edit.update(&table::CREDENTIALS, *row_seq, rows::credential_row(value))
        }
        Change::PutBindings(scope, set) => put_bindings(edit, *scope, set),
        Change::PutAlias(alias) => aliases::put(edit, alias),
        Change::InsertKey(key) => edit.insert(&KEYS, rows::key_row(key)?),
        Change::UpdateKey(key) => update_key(edit, &key.value, key.row_seq),
        Change::InsertVersion(version, sealed) => insert_version(edit, version, sealed),
        Change::InsertCounter(id) => insert_counter(edit, *id),
        Change::UpdateVersion(version, blob) => update_version(edit, &version.value, version.row_seq, *blob),
        Change::InsertOperation(operation) => insert_operation(edit, operation),
        Change::RememberRequest(request) => remember(edit, request),
        Change::CountTokens(generator, more) => count_tokens(edit, *generator, *more),
    }
}

fn put_bindings(edit: &mut Edit<'_>, scope: BindingScope, set: &Stored<BindingSet>) -> Result<(), StoreError> {
    let (table, primary_key) = rows::binding_set_place(scope);
    let row = rows::binding_set_row(primary_key, &set.value)?;
    if set.row_seq == 0 { edit.insert(table, row) } else { edit.update(table, set.row_seq, row) }?;
    let missing = |what: String| StoreError::Bug(format!("bindings of {what}, which is not there"));
    match scope {
        BindingScope::Service => Ok(()),
        BindingScope::Folder(id) => {
            let folder = directory::folder(&edit.view, id)?.ok_or_else(|| missing(format!("folder {id}")))?;
            name_folder(edit, &folder, &set.value)
        }
        BindingScope::Key(id) => {
            let key = reads::key(&edit.view, id)?.ok_or_else(|| missing(format!("key {id}")))?;
            name_key(edit, &key.value, &set.value)
        }
    }
}

/// Writes the index from principals to a folder anew, as [`name_key`] does.
fn name_folder(edit: &Edit<'_>, folder: &Folder, set: &BindingSet) -> Result<(), StoreError> {
    edit.view.sql.execute(UNNAME_FOLDER_STATEMENT, &[Value::from(folder.id.as_bytes())])?;
    let statement = "INSERT INTO bound_folders (principal_id, principal_kind, folder_created_at, folder_id)
        VALUES (?1, ?2, ?3, ?4)";
    for (kind, principal) in permitted(set, Permission::ViewFolder) {
        let params = [
            Value::from(principal.as_bytes()),
            Value::from(rows::principal_kind(kind)),
            Value::from(folder.created_at),
            Value::from(folder.id.as_bytes()),
        ];
        edit.view.sql.execute(statement, &params)?;
    }
    Ok(())
}

/// Writes the index from principals to a key anew: what is not ours in it goes, and what was lost comes back.
fn name_key(edit: &Edit<'_>, key: &Key, set: &BindingSet) -> Result<(), StoreError> {
    edit.view.sql.execute(UNNAME_KEY_STATEMENT, &[Value::from(key.id.as_bytes())])?;
    let statement = "INSERT INTO bound_keys
        (principal_id, principal_kind, key_folder_id, key_created_at, key_id, key_region) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    for (kind, principal) in permitted(set, Permission::ViewKey) {
        let params = [
            Value::from(principal.as_bytes()),
            Value::from(rows::principal_kind(kind)),
            Value::from(key.folder_id.as_bytes()),
            Value::from(key.created_at),
            Value::from(key.id.as_bytes()),
            Value::from(key.region.as_str()),
        ];
        edit.view.sql.execute(statement, &params)?;
    }
    Ok(())
}

/// The principals of ours to whom a set gives a permission. What lets editors use keys in some folders decides about
/// none of the permissions that are asked for here.
fn permitted(set: &BindingSet, permission: Permission) -> Vec<(PrincipalKind, PrincipalId)> {
    let grants = Grants::of(set);
    let permits = |roles: RoleSet| roles.permitting(permission, false).is_some();
    grants.principals().filter(|(_, _, roles)| permits(*roles)).map(|(kind, id, _)| (kind, id)).collect()
}

/// Counts tokens that are being issued.
fn count_tokens(edit: &Edit<'_>, generator: GeneratorId, more: u64) -> Result<(), StoreError> {
    let statement = "INSERT INTO token_counts (generator_id, issued) VALUES (?1, ?2)
        ON CONFLICT (generator_id) DO UPDATE SET issued = issued + excluded.issued";
    edit.view.sql.execute(statement, &[Value::from(generator.as_bytes()), int(more)])?;
    Ok(())
}

/// Writes down when credentials were last used.
pub(super) fn record_uses(edit: &Edit<'_>, uses: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
    let statement = "INSERT INTO credential_uses (credential_id, last_used_at) VALUES (?1, ?2)
        ON CONFLICT (credential_id) DO UPDATE SET last_used_at = max(last_used_at, excluded.last_used_at)";
    for (credential, at) in uses {
        edit.view.sql.execute(statement, &[Value::from(credential.as_bytes()), Value::from(*at)])?;
    }
    Ok(())
}

fn update_key(edit: &mut Edit<'_>, key: &Key, row_seq: u64) -> Result<(), StoreError> {
    edit.update(&KEYS, row_seq, rows::key_row(key)?)?;
    if !matches!(key.state, KeyState::Deleted { .. }) {
        return Ok(());
    }
    // No list shows it any more.
    edit.view.sql.execute(UNNAME_KEY_STATEMENT, &[Value::from(key.id.as_bytes())])?;
    if has_material(edit, key.id)? {
        let statement = "INSERT INTO deletions_under_way (key_id) VALUES (?1) ON CONFLICT (key_id) DO NOTHING";
        edit.view.sql.execute(statement, &[Value::from(key.id.as_bytes())])?;
    }
    Ok(())
}

fn has_material(edit: &Edit<'_>, key: KeyId) -> Result<bool, StoreError> {
    let statement = "SELECT 1 FROM versions WHERE key_id = ?1 AND blob_sha256 IS NOT NULL LIMIT 1";
    Ok(edit.view.sql.query_one(statement, &[Value::from(key.as_bytes())])?.is_some())
}

fn insert_version(edit: &mut Edit<'_>, version: &KeyVersion, sealed: &SealedMaterial) -> Result<(), StoreError> {
    let statement = "INSERT INTO materials (blob) VALUES (?1) RETURNING id";
    let row = edit.view.sql.query_one(statement, &[Value::Blob(sealed.bytes.clone())])?;
    let material_row = Fields::new("materials", &row.unwrap_or_default()).int()?;
    let columns = SealedColumns { material_row, sealed: Some((sealed.sealed_by, sha256(&sealed.bytes))) };
    edit.insert(&VERSIONS, rows::version_row(version, &columns))?;
    insert_counter(edit, version.id)
}

fn update_version(edit: &mut Edit<'_>, version: &KeyVersion, row_seq: u64, blob: BlobUpdate) -> Result<(), StoreError> {
    let current = edit.current(&VERSIONS, &Value::from(version.id.as_bytes()), row_seq)?;
    let (_, mut columns) = rows::version(&current)?;
    if blob == BlobUpdate::Overwrite {
        overwrite(edit, columns.material_row)?;
        columns.sealed = None;
    }
    edit.update(&VERSIONS, row_seq, rows::version_row(version, &columns))?;
    if blob == BlobUpdate::Overwrite && !has_material(edit, version.key_id)? {
        let statement = "DELETE FROM deletions_under_way WHERE key_id = ?1";
        edit.view.sql.execute(statement, &[Value::from(version.key_id.as_bytes())])?;
    }
    Ok(())
}

/// As many zero bytes, so that the row keeps its place and no copy of it stays behind.
fn overwrite(edit: &Edit<'_>, material_row: i64) -> Result<(), StoreError> {
    let sql = edit.view.sql;
    let row = sql.query_one("SELECT length(blob) FROM materials WHERE id = ?1", &[Value::Int(material_row)])?;
    // Material that somebody else removed needs no overwriting by us.
    let Some(row) = row else { return Ok(()) };
    let length: usize = Fields::new("materials", &row).number()?;
    let zeros = Value::Blob(vec![0; length]);
    sql.execute("UPDATE materials SET blob = ?1 WHERE id = ?2", &[zeros, Value::Int(material_row)]).map(|_| ())
}

fn insert_counter(edit: &mut Edit<'_>, id: MaterialId) -> Result<(), StoreError> {
    edit.insert(&COUNTERS, vec![Value::from(id.as_bytes()), Value::Int(0)])
}

/// Adds `count` to a counter.
pub(super) fn lease(edit: &mut Edit<'_>, id: MaterialId, count: u64) -> Result<InvocationLease, StoreError> {
    let key = Value::from(id.as_bytes());
    let current = edit.view.find(&COUNTERS, &key)?.ok_or_else(|| alarm(&COUNTERS, &key))?;
    let mut fields = current.fields();
    let _id: [u8; 16] = fields.bytes()?;
    let from: u64 = fields.number()?;
    let to = from.saturating_add(count);
    edit.update(&COUNTERS, current.row_seq, vec![key, int(to)])?;
    Ok(InvocationLease { from, to })
}

fn insert_operation(edit: &Edit<'_>, operation: &Operation) -> Result<(), StoreError> {
    let params = [
        Value::from(operation.id.as_bytes()),
        Value::from(operation.key_id.as_bytes()),
        Value::from(operation.created_at),
        json(operation)?,
    ];
    let statement = "INSERT INTO operations (id, key_id, created_at, record) VALUES (?1, ?2, ?3, ?4)";
    edit.view.sql.execute(statement, &params).map(|_| ())
}

fn remember(edit: &Edit<'_>, request: &RememberedRequest) -> Result<(), StoreError> {
    let statement = "INSERT INTO remembered_requests (principal_id, key, fingerprint, operation_id, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    edit.view.sql.execute(statement, &rows::remembered_row(request)).map(|_| ())
}

/// Forgets requests whose time has passed.
pub(super) fn forget(edit: &Edit<'_>, now: Timestamp) -> Result<(), StoreError> {
    let statement = "DELETE FROM remembered_requests WHERE expires_at <= ?1";
    edit.view.sql.execute(statement, &[Value::from(now)]).map(|_| ())
}
