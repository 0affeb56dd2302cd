//! Reads of folders, principals, credentials and bindings.

use super::paging::{Listing, MAX_ROWS, Part, place};
use super::rows;
use super::sql::{Fields, Row, Value, int};
use super::table::{CREDENTIALS, FOLDERS, PRINCIPALS};
use super::view::{View, alarm};
use crate::domain::access::{BindingSet, PrincipalKind};
use crate::domain::id::{AccountId, CredentialId, FolderId, PrincipalId};
use crate::domain::time::Timestamp;
use crate::service::ports::{
    BindingScope, CredentialLookup, CredentialRecord, CredentialView, Folder, Page, Principal, StoreError, Stored,
};
use std::hint::black_box;

type Read<T> = Result<T, StoreError>;

/// Of a folder that is not there.
const NEVER: Timestamp = Timestamp::from_micros(0);

/// A folder by id.
pub(super) fn folder(view: &View<'_>, id: FolderId) -> Read<Option<Folder>> {
    view.find(&FOLDERS, &Value::from(id.as_bytes()))?.as_ref().map(rows::folder).transpose()
}

/// The oldest folder.
pub(super) fn first_folder(view: &View<'_>) -> Read<Option<Folder>> {
    let statement = format!("{} ORDER BY created_at, id LIMIT 1", FOLDERS.select);
    let row = view.sql.query_one(&statement, &[])?;
    row.map(|row| rows::folder(&view.check(&FOLDERS, row)?)).transpose()
}

/// The statement of [`folder_by_account`].
pub(super) fn by_account_statement() -> String {
    format!("{} WHERE account_id = ?1 LIMIT 1", FOLDERS.select)
}

/// The folder with this account number. One that is not there takes about the time of one that is.
pub(super) fn folder_by_account(view: &View<'_>, account: AccountId) -> Read<Option<Folder>> {
    let Some(row) = view.sql.query_one(&by_account_statement(), &[int(account.as_u64())])? else {
        // Its head would be in some bucket; this one is as good as any.
        let id = FolderId::from_bytes(u128::from(account.as_u64()).to_le_bytes());
        let value = Folder { id, account_id: account, name: String::from("of nobody"), created_at: NEVER };
        let _ = black_box(rows::folder(&view.as_if_found(&FOLDERS, rows::folder_row(&value))));
        return Ok(None);
    };
    let primary_key = row.first().cloned().unwrap_or(Value::Null);
    let folder = rows::folder(&view.check(&FOLDERS, row)?)?;
    // The index carries no MAC: it may lead to the genuine row of another account.
    if folder.account_id == account { Ok(Some(folder)) } else { Err(alarm(&FOLDERS, &primary_key)) }
}

/// The statement of [`folders`].
pub(super) fn folders_statement() -> String {
    format!("{} WHERE (created_at, id) > (?1, ?2) ORDER BY created_at, id LIMIT ?3", FOLDERS.select)
}

/// All folders.
pub(super) fn folders(view: &View<'_>, part: Part) -> Read<Page<Folder>> {
    folder_page(view, &Listing { statement: &folders_statement(), filter: Vec::new() }, part)
}

/// The statement of [`folders_naming`], in the order of whose `CROSS JOIN` SQLite takes the tables.
pub(super) fn folders_naming_statement() -> String {
    format!(
        "SELECT {} FROM bound_folders CROSS JOIN folders
        WHERE id = folder_id AND principal_id = ?1 AND principal_kind = ?2
        AND (folder_created_at, folder_id) > (?3, ?4) AND created_at = folder_created_at
        ORDER BY folder_created_at, folder_id LIMIT ?5",
        FOLDERS.list
    )
}

/// The folders whose own bindings let a principal view them, as far as the index says. As with keys, nobody gains by
/// changing it: the folder's row is checked, and its sealed bindings decide whether it is shown.
pub(super) fn folders_naming(view: &View<'_>, kind: PrincipalKind, id: PrincipalId, part: Part) -> Read<Page<Folder>> {
    let filter = vec![Value::from(id.as_bytes()), Value::from(rows::principal_kind(kind))];
    folder_page(view, &Listing { statement: &folders_naming_statement(), filter }, part)
}

fn folder_page(view: &View<'_>, list: &Listing<'_>, part: Part) -> Read<Page<Folder>> {
    let decode = |row| rows::folder(&view.check(&FOLDERS, row)?);
    list.page(view, part, decode, |folder| place(folder.created_at, folder.id.as_bytes()))
}

/// The bindings of a resource.
pub(super) fn bindings(view: &View<'_>, scope: BindingScope) -> Read<Stored<BindingSet>> {
    let (table, primary_key) = rows::binding_set_place(scope);
    let row = view.find(table, &primary_key)?;
    row.as_ref().map_or_else(|| Ok(Stored { value: BindingSet::default(), row_seq: 0 }), rows::binding_set)
}

/// A principal by id.
pub(super) fn principal(view: &View<'_>, id: PrincipalId) -> Read<Option<Stored<Principal>>> {
    view.find(&PRINCIPALS, &Value::from(id.as_bytes()))?.as_ref().map(rows::principal).transpose()
}

/// The oldest principal of a folder.
pub(super) fn first_principal(view: &View<'_>, folder: FolderId) -> Read<Option<Principal>> {
    let statement = format!("{} WHERE folder_id = ?1 ORDER BY created_at, id LIMIT 1", PRINCIPALS.select);
    let row = view.sql.query_one(&statement, &[Value::from(folder.as_bytes())])?;
    row.map(|row| Ok(rows::principal(&view.check(&PRINCIPALS, row)?)?.value)).transpose()
}

/// The statement of [`principals`].
pub(super) fn principals_statement() -> String {
    format!(
        "{} WHERE folder_id = ?1 AND deleted_at IS NULL AND (created_at, id) > (?2, ?3)
        ORDER BY created_at, id LIMIT ?4",
        PRINCIPALS.select
    )
}

/// Principals of a folder that are not deleted.
pub(super) fn principals(view: &View<'_>, folder: FolderId, part: Part) -> Read<Page<Principal>> {
    let list = Listing { statement: &principals_statement(), filter: vec![Value::from(folder.as_bytes())] };
    let decode = |row| Ok(rows::principal(&view.check(&PRINCIPALS, row)?)?.value);
    list.page(view, part, decode, |principal| place(principal.created_at, principal.id.as_bytes()))
}

/// The statement that finds a credential by its token's hash.
pub(super) fn by_token_statement() -> String {
    format!("{} WHERE token_sha256 = ?1 LIMIT 1", CREDENTIALS.select)
}

/// The statement that finds a credential by its access key id.
pub(super) fn by_access_key_statement() -> String {
    format!("{} WHERE kind = 'access_key' AND handle = ?1 LIMIT 1", CREDENTIALS.select)
}

/// The statements that find a credential by its certificate: the one that is not revoked, else the newest.
pub(super) fn by_certificate_statements() -> [String; 2] {
    ["AND revoked_at IS NULL LIMIT 1", "ORDER BY created_at DESC, id DESC LIMIT 1"]
        .map(|end| format!("{} WHERE kind = 'certificate' AND handle = ?1 {end}", CREDENTIALS.select))
}

/// The credential that a request names.
pub(super) fn credential(view: &View<'_>, lookup: &CredentialLookup) -> Read<Option<Stored<CredentialRecord>>> {
    let one = |statement: &str, handle: Value| view.sql.query_one(statement, &[handle]);
    let row = match lookup {
        CredentialLookup::Id(id) => {
            let row = view.find(&CREDENTIALS, &Value::from(id.as_bytes()))?;
            return row.as_ref().map(rows::credential).transpose();
        }
        CredentialLookup::TokenSha256(sha256) => one(&by_token_statement(), Value::from(sha256))?,
        CredentialLookup::AccessKeyId(id) => one(&by_access_key_statement(), Value::from(id.as_str()))?,
        CredentialLookup::CertificateSha256(sha256) => {
            let [valid, newest] = by_certificate_statements();
            match one(&valid, rows::certificate_handle(sha256))? {
                None => one(&newest, rows::certificate_handle(sha256))?,
                found => found,
            }
        }
    };
    row.map(|row| rows::credential(&view.check(&CREDENTIALS, row)?)).transpose()
}

/// The statement of [`credentials_of`].
pub(super) fn credentials_of_statement() -> String {
    format!("{} WHERE principal_id = ?1 AND revoked_at IS NULL ORDER BY created_at, id LIMIT ?2", CREDENTIALS.select)
}

/// A principal's credentials that are not revoked.
pub(super) fn credentials_of(view: &View<'_>, principal: PrincipalId) -> Read<Vec<Stored<CredentialRecord>>> {
    let params = [Value::from(principal.as_bytes()), Value::from(MAX_ROWS)];
    let rows = view.sql.query(&credentials_of_statement(), &params)?;
    view.check_all(&CREDENTIALS, rows)?.iter().map(rows::credential).collect()
}

/// The statement of [`credentials`]: the columns of a credential, then its last use.
pub(super) fn credentials_statement() -> String {
    format!(
        "SELECT {}, last_used_at FROM credentials LEFT JOIN credential_uses ON credential_id = id
        WHERE principal_id = ?1 AND (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?4",
        CREDENTIALS.list
    )
}

/// All credentials of a principal.
pub(super) fn credentials(view: &View<'_>, principal: PrincipalId, part: Part) -> Read<Page<CredentialView>> {
    let list = Listing { statement: &credentials_statement(), filter: vec![Value::from(principal.as_bytes())] };
    let decode = |mut row: Row| {
        let last_used_at = row.pop();
        let record = rows::credential(&view.check(&CREDENTIALS, row)?)?.value;
        Ok(CredentialView { record, last_used_at: use_at(last_used_at.as_slice())? })
    };
    list.page(view, part, decode, |item| place(item.record.created_at, item.record.id.as_bytes()))
}

/// The statement of [`last_used_at`].
pub(super) const LAST_USE_STATEMENT: &str = "SELECT last_used_at FROM credential_uses WHERE credential_id = ?1";

/// When a credential was last used.
pub(super) fn last_used_at(view: &View<'_>, credential: CredentialId) -> Read<Option<Timestamp>> {
    let row = view.sql.query_one(LAST_USE_STATEMENT, &[Value::from(credential.as_bytes())])?;
    row.map_or(Ok(None), |row| use_at(&row))
}

fn use_at(row: &[Value]) -> Read<Option<Timestamp>> {
    let at = Fields::new("credential_uses", row).optional_int()?;
    Ok(at.map(Timestamp::from_micros))
}
