//! Credentials: one table for all kinds, each of which fills its own columns.

use crate::domain::id::{CredentialId, FolderId, PrincipalId};
use crate::service::ports::{CredentialRecord, CredentialSecret, SealedMaterial, StoreError, Stored};
use crate::store::sql::{Fields, Row, Value};
use crate::store::view::Checked;
use std::fmt::Write;

/// The columns of a credential that its kind decides.
struct SecretColumns {
    kind: &'static str,
    token_sha256: Value,
    handle: Value,
    sealed_by: Value,
    secret: Value,
}

/// The columns of a credential.
pub(in crate::store) fn credential_row(credential: &CredentialRecord) -> Row {
    let columns = secret_columns(&credential.secret);
    vec![
        Value::from(credential.id.as_bytes()),
        Value::from(credential.principal_id.as_bytes()),
        Value::from(credential.folder_id.as_bytes()),
        Value::from(credential.name.as_str()),
        Value::from(columns.kind),
        columns.token_sha256,
        Value::from(credential.created_at),
        Value::from(credential.expires_at),
        Value::from(credential.revoked_at),
        columns.handle,
        columns.sealed_by,
        columns.secret,
    ]
}

fn secret_columns(secret: &CredentialSecret) -> SecretColumns {
    let nothing = |kind| SecretColumns {
        kind,
        token_sha256: Value::Null,
        handle: Value::Null,
        sealed_by: Value::Null,
        secret: Value::Null,
    };
    match secret {
        CredentialSecret::TokenSha256(sha256) => {
            SecretColumns { token_sha256: Value::from(sha256), ..nothing("api_token") }
        }
        CredentialSecret::AccessKey { access_key_id, sealed } => SecretColumns {
            handle: Value::from(access_key_id.as_str()),
            sealed_by: Value::from(sealed.sealed_by),
            secret: Value::Blob(sealed.bytes.clone()),
            ..nothing("access_key")
        },
        CredentialSecret::CertificateSha256(sha256) => {
            SecretColumns { handle: certificate_handle(sha256), ..nothing("certificate") }
        }
        CredentialSecret::PublicKey(spki) => {
            SecretColumns { secret: Value::Blob(spki.clone()), ..nothing("public_key") }
        }
    }
}

/// The handle of a client certificate: the SHA-256 of its SubjectPublicKeyInfo in lower hex.
pub(in crate::store) fn certificate_handle(sha256: &[u8; 32]) -> Value {
    let hex = sha256.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Value::Text(hex)
}

/// A credential.
pub(in crate::store) fn credential(row: &Checked) -> Result<Stored<CredentialRecord>, StoreError> {
    let mut fields = row.fields();
    let id = CredentialId::from_bytes(fields.bytes()?);
    let principal_id = PrincipalId::from_bytes(fields.bytes()?);
    let folder_id = FolderId::from_bytes(fields.bytes()?);
    let name = fields.text()?.to_owned();
    let kind = fields.text()?;
    let token_sha256 = fields.optional_array()?;
    let created_at = fields.instant()?;
    let expires_at = fields.optional_instant()?;
    let revoked_at = fields.optional_instant()?;
    let secret = secret(&mut fields, kind, token_sha256)?;
    let value = CredentialRecord { id, principal_id, folder_id, name, secret, created_at, expires_at, revoked_at };
    Ok(Stored { value, row_seq: row.row_seq })
}

fn secret(fields: &mut Fields<'_>, kind: &str, token_sha256: Option<[u8; 32]>) -> Result<CredentialSecret, StoreError> {
    let handle = fields.optional_text()?;
    let sealed_by = fields.optional_int()?;
    let secret = fields.optional_bytes()?;
    match (kind, token_sha256, handle, sealed_by, secret) {
        ("api_token", Some(sha256), None, None, None) => Ok(CredentialSecret::TokenSha256(sha256)),
        ("access_key", None, Some(handle), Some(sealed_by), Some(secret)) => {
            let sealed_by = u32::try_from(sealed_by).map_err(|_| fields.nonsense())?;
            let sealed = SealedMaterial { sealed_by, bytes: secret.to_vec() };
            Ok(CredentialSecret::AccessKey { access_key_id: handle.to_owned(), sealed })
        }
        ("certificate", None, Some(handle), None, None) => {
            from_hex(handle).map(CredentialSecret::CertificateSha256).ok_or_else(|| fields.nonsense())
        }
        ("public_key", None, None, None, Some(spki)) => Ok(CredentialSecret::PublicKey(spki.to_vec())),
        _ => Err(fields.nonsense()),
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    rest.is_empty().then_some(bytes)?.try_into().ok()
}
