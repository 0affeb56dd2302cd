//! Folders, principals, credentials and bindings.

use crate::domain::access::{BindingSet, PrincipalKind};
use crate::domain::id::{AccountId, CredentialId, FolderId, PrincipalId};
use crate::service::ports::{CredentialRecord, CredentialSecret, Folder, Principal, StoreError, Stored};
use crate::store::sql::{Row, Value, int, json};
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

/// The columns of a principal.
pub(in crate::store) fn principal_row(principal: &Principal) -> Row {
    let kind = match principal.kind {
        PrincipalKind::User => "user",
        PrincipalKind::ServiceAccount => "service_account",
    };
    vec![
        Value::from(principal.id.as_bytes()),
        Value::from(principal.folder_id.as_bytes()),
        Value::from(kind),
        Value::from(principal.name.as_str()),
        Value::from(principal.created_at),
    ]
}

/// A principal.
pub(in crate::store) fn principal(row: &Checked) -> Result<Principal, StoreError> {
    let mut fields = row.fields();
    Ok(Principal {
        id: PrincipalId::from_bytes(fields.bytes()?),
        folder_id: FolderId::from_bytes(fields.bytes()?),
        kind: match fields.text()? {
            "user" => PrincipalKind::User,
            "service_account" => PrincipalKind::ServiceAccount,
            _ => return Err(fields.nonsense()),
        },
        name: fields.text()?.to_owned(),
        created_at: fields.instant()?,
        deleted_at: None,
    })
}

/// The columns of a credential.
pub(in crate::store) fn credential_row(credential: &CredentialRecord) -> Row {
    let CredentialSecret::TokenSha256(sha256) = &credential.secret else { return Vec::new() };
    vec![
        Value::from(credential.id.as_bytes()),
        Value::from(credential.principal_id.as_bytes()),
        Value::from(credential.folder_id.as_bytes()),
        Value::from(credential.name.as_str()),
        Value::from("api_token"),
        Value::from(sha256),
        Value::from(credential.created_at),
        Value::from(credential.expires_at),
        Value::from(credential.revoked_at),
    ]
}

/// A credential.
pub(in crate::store) fn credential(row: &Checked) -> Result<Stored<CredentialRecord>, StoreError> {
    let mut fields = row.fields();
    let value = CredentialRecord {
        id: CredentialId::from_bytes(fields.bytes()?),
        principal_id: PrincipalId::from_bytes(fields.bytes()?),
        folder_id: FolderId::from_bytes(fields.bytes()?),
        name: fields.text()?.to_owned(),
        secret: match fields.text()? {
            "api_token" => CredentialSecret::TokenSha256(fields.bytes()?),
            _ => return Err(fields.nonsense()),
        },
        created_at: fields.instant()?,
        expires_at: fields.optional_instant()?,
        revoked_at: fields.optional_instant()?,
    };
    Ok(Stored { value, row_seq: row.row_seq })
}

/// The columns of a folder's bindings.
pub(in crate::store) fn binding_set_row(folder: FolderId, set: &BindingSet) -> Result<Row, StoreError> {
    Ok(vec![Value::from(folder.as_bytes()), json(set)?])
}

/// A folder's bindings.
pub(in crate::store) fn binding_set(row: &Checked) -> Result<Stored<BindingSet>, StoreError> {
    let mut fields = row.fields();
    let _folder: [u8; 16] = fields.bytes()?;
    Ok(Stored { value: fields.json()?, row_seq: row.row_seq })
}
