//! Folders, principals and bindings.

use crate::domain::access::{BindingSet, PrincipalKind};
use crate::domain::id::{AccountId, FolderId, PrincipalId};
use crate::service::ports::{BindingScope, Folder, Principal, StoreError, Stored};
use crate::store::sql::{Row, Value, int, json};
use crate::store::table::{BINDINGS, KEY_BINDINGS, SERVICE_BINDINGS, Table};
use crate::store::view::Checked;

/// The columns of a folder.
pub(in crate::store) fn folder_row(folder: &Folder) -> Row {
    vec![
        Value::from(folder.id.as_bytes()),
        int(folder.account_id.as_u64()),
        Value::from(folder.name.as_str()),
        Value::from(folder.created_at),
    ]
}

/// A folder.
pub(in crate::store) fn folder(row: &Checked) -> Result<Folder, StoreError> {
    let mut fields = row.fields();
    Ok(Folder {
        id: FolderId::from_bytes(fields.bytes()?),
        account_id: AccountId::from_stored(fields.number()?),
        name: fields.text()?.to_owned(),
        created_at: fields.instant()?,
    })
}

/// How the database names a kind of principal.
pub(in crate::store) const fn principal_kind(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::User => "user",
        PrincipalKind::ServiceAccount => "service_account",
    }
}

/// The columns of a principal.
pub(in crate::store) fn principal_row(principal: &Principal) -> Row {
    vec![
        Value::from(principal.id.as_bytes()),
        Value::from(principal.folder_id.as_bytes()),
        Value::from(principal_kind(principal.kind)),
        Value::from(principal.name.as_str()),
        Value::from(principal.created_at),
        Value::from(principal.deleted_at),
    ]
}

/// A principal.
pub(in crate::store) fn principal(row: &Checked) -> Result<Stored<Principal>, StoreError> {
    let mut fields = row.fields();
    let value = Principal {
        id: PrincipalId::from_bytes(fields.bytes()?),
        folder_id: FolderId::from_bytes(fields.bytes()?),
        kind: match fields.text()? {
            "user" => PrincipalKind::User,
            "service_account" => PrincipalKind::ServiceAccount,
            _ => return Err(fields.nonsense()),
        },
        name: fields.text()?.to_owned(),
        created_at: fields.instant()?,
        deleted_at: fields.optional_instant()?,
    };
    Ok(Stored { value, row_seq: row.row_seq })
}

/// The table of a resource's set of bindings, and the primary key of its row.
pub(in crate::store) fn binding_set_place(scope: BindingScope) -> (&'static Table, Value) {
    match scope {
        BindingScope::Service => (&SERVICE_BINDINGS, Value::Int(1)),
        BindingScope::Folder(id) => (&BINDINGS, Value::from(id.as_bytes())),
        BindingScope::Key(id) => (&KEY_BINDINGS, Value::from(id.as_bytes())),
    }
}

/// The columns of a set of bindings.
pub(in crate::store) fn binding_set_row(primary_key: Value, set: &BindingSet) -> Result<Row, StoreError> {
    Ok(vec![primary_key, json(set)?])
}

/// A set of bindings.
pub(in crate::store) fn binding_set(row: &Checked) -> Result<Stored<BindingSet>, StoreError> {
    let mut fields = row.fields();
    fields.skip()?;
    Ok(Stored { value: fields.json()?, row_seq: row.row_seq })
}
