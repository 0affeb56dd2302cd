//! Making the internal keys: those that are not KEKs.

use super::kek::Names;
use crate::service::ports::{InternalKeyRole, TokenError};
use crate::token::access::Access;
use crate::token::module::unavailable;
use crate::token::raw_attr::{Attr, Value};
use crate::token::template;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki_sys::{CKA_EC_POINT, CKA_MODIFIABLE};

/// SubjectPublicKeyInfo of a P-256 key (RFC 5480, 2) up to the point, which is 65 bytes long.
const P256_SPKI_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point of P-256 (SEC 1, 2.3.3).
const POINT_BYTES: usize = 65;

/// Makes an internal key; for a pair, returns the public key as DER SubjectPublicKeyInfo.
pub(super) fn make(access: &Access<'_>, role: InternalKeyRole, names: &Names) -> Result<Option<Vec<u8>>, TokenError> {
    let template = template::internal_key(role);
    let mut attributes = template::names(&names.id, &names.label);
    attributes.extend(template.generate_only);
    attributes.extend(template.attributes);
    let failed = |error| unavailable(&format!("generating {}", names.label), &error);
    let Some(public) = template.public else {
        access.generate(template.mechanism, &attributes).map_err(failed)?;
        return Ok(None);
    };
    let pair = access.raw.generate_key_pair(access.session, template.mechanism, &public, &attributes);
    let (public, private) = pair.map_err(failed)?;
    let point = access.attribute(public, CKA_EC_POINT);
    access.session.destroy_object(public).map_err(|error| unavailable("destroying the public key object", &error))?;
    let spki = spki(point.map_err(|error| unavailable("reading CKA_EC_POINT", &error))?)?;
    prove(access, private, &spki)?;
    Ok(Some(spki))
}

fn spki(point: Option<Value>) -> Result<Vec<u8>, TokenError> {
    let malformed = || TokenError::Untrusted("the token's CKA_EC_POINT is not a point of P-256".into());
    let Some(Value::Bytes(bytes)) = point else {
        return Err(malformed());
    };
    // The standard wants the point in a DER OCTET STRING; some tokens leave that away.
    let point = match bytes.as_slice() {
        [0x04, 0x41, point @ ..] if point.len() == POINT_BYTES => point,
        point if point.len() == POINT_BYTES => point,
        _ => return Err(malformed()),
    };
    Ok([P256_SPKI_PREFIX, point].concat())
}

/// Signs a text and checks the signature outside of the token: the two halves belong together.
fn prove(access: &Access<'_>, private: ObjectHandle, spki: &[u8]) -> Result<(), TokenError> {
    const TEXT: &[u8] = b"claviger audit signature key";
    let hash = digest(&SHA256, TEXT);
    let signature = access.session.sign(&Mechanism::Ecdsa, private, hash.as_ref());
    let signature = signature.map_err(|error| unavailable("signing with the audit key", &error))?;
    let point = spki.get(P256_SPKI_PREFIX.len()..).unwrap_or_default();
    let verified = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(TEXT, &signature);
    verified.map_err(|_| TokenError::Untrusted("the audit key's signature does not fit its public key".into()))
}

/// What an internal key must read back as.
pub(super) fn expected(role: InternalKeyRole) -> Vec<Attr> {
    let attributes = template::internal_key(role).attributes;
    debug_assert!(attributes.iter().any(|attr| attr.kind == CKA_MODIFIABLE));
    attributes
}
