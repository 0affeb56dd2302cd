//! A session of a logged-in user with the calls that the ceremony, the attacks and the probes share.

use super::module::Module;
use super::raw::{RawFunctions, RawMechanism};
use super::raw_attr::{Attr, Value, attribute_name};
use cryptoki::error::Result;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_MECHANISM_TYPE, CKA_CHECK_VALUE, CKA_CLASS, CKO_CERTIFICATE};

/// A session and the calls on it.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// The raw calls.
    pub raw: &'a RawFunctions,
    /// The session.
    pub session: &'a Session,
    /// The token's slot.
    pub slot: Slot,
}

impl<'a> Access<'a> {
    /// The calls of `module` on `session`.
    #[must_use]
    pub fn new(module: &'a Module, session: &'a Session, slot: Slot) -> Self {
        Self { raw: module.raw(), session, slot }
    }

    /// `C_GenerateKey`.
    pub(super) fn generate(&self, mechanism: CK_MECHANISM_TYPE, template: &[Attr]) -> Result<ObjectHandle> {
        self.raw.generate_key(self.session, mechanism, template)
    }

    /// `C_CopyObject`.
    pub(super) fn copy(&self, object: ObjectHandle, template: &[Attr]) -> Result<ObjectHandle> {
        self.raw.copy_object(self.session, object, template)
    }

    /// `C_WrapKey`.
    pub(super) fn wrap(&self, kind: CK_MECHANISM_TYPE, by: ObjectHandle, key: ObjectHandle) -> Result<Vec<u8>> {
        self.raw.wrap_key(self.session, &RawMechanism::plain(kind), by, key)
    }

    /// `C_UnwrapKey`.
    pub(super) fn unwrap(
        &self,
        kind: CK_MECHANISM_TYPE,
        by: ObjectHandle,
        blob: &[u8],
        template: &[Attr],
    ) -> Result<ObjectHandle> {
        self.raw.unwrap_key(self.session, &RawMechanism::plain(kind), by, blob, template)
    }

    /// One attribute, or `None`.
    pub(super) fn attribute(&self, object: ObjectHandle, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<Value>> {
        self.raw.attribute(self.session, object, kind)
    }

    /// The objects with this `CKA_ID`.
    pub(super) fn by_id(&self, id: &[u8]) -> Result<Vec<ObjectHandle>> {
        self.session.find_objects(&[Attribute::Id(id.to_vec())])
    }

    /// The objects with this `CKA_LABEL`.
    pub(super) fn by_label(&self, label: &str) -> Result<Vec<ObjectHandle>> {
        self.session.find_objects(&[Attribute::Label(label.as_bytes().to_vec())])
    }

    /// All trusted keys. Certificates can be trusted too, which is another matter.
    pub(super) fn trusted_keys(&self) -> Result<Vec<ObjectHandle>> {
        let mut keys = self.session.find_objects(&[Attribute::Trusted(true)])?;
        let is_key = |key: &ObjectHandle| {
            let class = self.attribute(*key, CKA_CLASS);
            !matches!(class, Ok(Some(Value::Ulong(CKO_CERTIFICATE))))
        };
        keys.retain(is_key);
        Ok(keys)
    }

    /// All permanent secret keys.
    pub(super) fn secret_keys(&self) -> Result<Vec<ObjectHandle>> {
        self.session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Token(true)])
    }

    /// `CKA_CHECK_VALUE`, where the token has one.
    pub(super) fn check_value(&self, key: ObjectHandle) -> Option<Vec<u8>> {
        match self.attribute(key, CKA_CHECK_VALUE) {
            Ok(Some(Value::Bytes(bytes))) if !bytes.is_empty() => Some(bytes),
            _ => None,
        }
    }

    /// How an object differs from what it must be; empty if it does not.
    pub(super) fn differences(&self, object: ObjectHandle, expected: &[Attr]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for wanted in expected {
            let value = self.attribute(object, wanted.kind)?;
            if !value.as_ref().is_some_and(|value| same(&wanted.value, value)) {
                let name = attribute_name(wanted.kind);
                found.push(match value {
                    Some(value) => format!("{name} is {value:?}, not {:?}", wanted.value),
                    None => format!("{name} is absent, not {:?}", wanted.value),
                });
            }
        }
        Ok(found)
    }
}

/// Equality, regardless of order in lists: tokens sort them.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Mechanisms(wanted), Value::Mechanisms(found)) => {
            wanted.len() == found.len() && wanted.iter().all(|mechanism| found.contains(mechanism))
        }
        (Value::Template(wanted), Value::Template(found)) => {
            wanted.len() == found.len() && wanted.iter().all(|attr| found.contains(attr))
        }
        (wanted, found) => wanted == found,
    }
}
