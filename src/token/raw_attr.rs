//! PKCS#11 attributes that cryptoki has no type for, `CKA_UNWRAP_TEMPLATE` above all.
//!
//! In: [`Attr`] values. Out: the C arrays that the calls in `raw.rs` pass on, and back. Used by the token layer only.

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_MECHANISM_TYPE, CK_ULONG, CKA_ALLOWED_MECHANISMS, CKA_ALWAYS_SENSITIVE,
    CKA_CLASS, CKA_COPYABLE, CKA_DECRYPT, CKA_DERIVE, CKA_DESTROYABLE, CKA_ENCRYPT, CKA_EXTRACTABLE,
    CKA_KEY_GEN_MECHANISM, CKA_KEY_TYPE, CKA_LOCAL, CKA_MODIFIABLE, CKA_NEVER_EXTRACTABLE, CKA_PRIVATE, CKA_SENSITIVE,
    CKA_SIGN, CKA_TOKEN, CKA_TRUSTED, CKA_UNWRAP, CKA_UNWRAP_TEMPLATE, CKA_VALUE_LEN, CKA_VERIFY, CKA_WRAP,
    CKA_WRAP_TEMPLATE, CKA_WRAP_WITH_TRUSTED,
};
use std::fmt;

/// A value of an attribute.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// `CK_BBOOL`.
    Bool(bool),
    /// `CK_ULONG` and what is defined as one.
    Ulong(CK_ULONG),
    /// Bytes or text.
    Bytes(Vec<u8>),
    /// An array of mechanism types.
    Mechanisms(Vec<CK_MECHANISM_TYPE>),
    /// An array of attributes.
    Template(Vec<Attr>),
}

impl fmt::Debug for Value {
    /// Shows the length of bytes only: they may be key material.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Ulong(value) => write!(f, "{value:#x}"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Mechanisms(list) => f.debug_list().entries(list.iter().map(|m| format!("{m:#x}"))).finish(),
            Self::Template(list) => f.debug_list().entries(list).finish(),
        }
    }
}

/// An attribute and its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Attr {
    /// Which attribute (`CKA_...`).
    pub kind: CK_ATTRIBUTE_TYPE,
    /// Its value.
    pub value: Value,
}

impl fmt::Debug for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?}", attribute_name(self.kind), self.value)
    }
}

impl Attr {
    /// A boolean attribute.
    #[must_use]
    pub const fn bool(kind: CK_ATTRIBUTE_TYPE, value: bool) -> Self {
        Self { kind, value: Value::Bool(value) }
    }

    /// A numeric attribute.
    #[must_use]
    pub const fn ulong(kind: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Self {
        Self { kind, value: Value::Ulong(value) }
    }

    /// An attribute of bytes or text.
    #[must_use]
    pub fn bytes(kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        Self { kind, value: Value::Bytes(value.to_vec()) }
    }

    /// An array of mechanism types.
    #[must_use]
    pub fn mechanisms(kind: CK_ATTRIBUTE_TYPE, value: &[CK_MECHANISM_TYPE]) -> Self {
        Self { kind, value: Value::Mechanisms(value.to_vec()) }
    }

    /// An array of attributes.
    #[must_use]
    pub const fn template(kind: CK_ATTRIBUTE_TYPE, value: Vec<Self>) -> Self {
        Self { kind, value: Value::Template(value) }
    }
}

/// How the value of an attribute is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Bool,
    Ulong,
    Bytes,
    Mechanisms,
    Template,
}

const NAMES: &[(CK_ATTRIBUTE_TYPE, &str, Layout)] = &[
    (CKA_CLASS, "CKA_CLASS", Layout::Ulong),
    (CKA_KEY_TYPE, "CKA_KEY_TYPE", Layout::Ulong),
    (CKA_VALUE_LEN, "CKA_VALUE_LEN", Layout::Ulong),
    (CKA_KEY_GEN_MECHANISM, "CKA_KEY_GEN_MECHANISM", Layout::Ulong),
    (CKA_TOKEN, "CKA_TOKEN", Layout::Bool),
    (CKA_PRIVATE, "CKA_PRIVATE", Layout::Bool),
    (CKA_MODIFIABLE, "CKA_MODIFIABLE", Layout::Bool),
    (CKA_COPYABLE, "CKA_COPYABLE", Layout::Bool),
    (CKA_DESTROYABLE, "CKA_DESTROYABLE", Layout::Bool),
    (CKA_SENSITIVE, "CKA_SENSITIVE", Layout::Bool),
    (CKA_ALWAYS_SENSITIVE, "CKA_ALWAYS_SENSITIVE", Layout::Bool),
    (CKA_EXTRACTABLE, "CKA_EXTRACTABLE", Layout::Bool),
    (CKA_NEVER_EXTRACTABLE, "CKA_NEVER_EXTRACTABLE", Layout::Bool),
    (CKA_LOCAL, "CKA_LOCAL", Layout::Bool),
    (CKA_TRUSTED, "CKA_TRUSTED", Layout::Bool),
    (CKA_WRAP_WITH_TRUSTED, "CKA_WRAP_WITH_TRUSTED", Layout::Bool),
    (CKA_ENCRYPT, "CKA_ENCRYPT", Layout::Bool),
    (CKA_DECRYPT, "CKA_DECRYPT", Layout::Bool),
    (CKA_WRAP, "CKA_WRAP", Layout::Bool),
    (CKA_UNWRAP, "CKA_UNWRAP", Layout::Bool),
    (CKA_SIGN, "CKA_SIGN", Layout::Bool),
    (CKA_VERIFY, "CKA_VERIFY", Layout::Bool),
    (CKA_DERIVE, "CKA_DERIVE", Layout::Bool),
    (CKA_ALLOWED_MECHANISMS, "CKA_ALLOWED_MECHANISMS", Layout::Mechanisms),
    (CKA_WRAP_TEMPLATE, "CKA_WRAP_TEMPLATE", Layout::Template),
    (CKA_UNWRAP_TEMPLATE, "CKA_UNWRAP_TEMPLATE", Layout::Template),
    (cryptoki_sys::CKA_ID, "CKA_ID", Layout::Bytes),
    (cryptoki_sys::CKA_LABEL, "CKA_LABEL", Layout::Bytes),
    (cryptoki_sys::CKA_VALUE, "CKA_VALUE", Layout::Bytes),
    (cryptoki_sys::CKA_CHECK_VALUE, "CKA_CHECK_VALUE", Layout::Bytes),
    (cryptoki_sys::CKA_EC_PARAMS, "CKA_EC_PARAMS", Layout::Bytes),
    (cryptoki_sys::CKA_EC_POINT, "CKA_EC_POINT", Layout::Bytes),
];

/// The name of an attribute in PKCS#11, or its number.
#[must_use]
pub fn attribute_name(kind: CK_ATTRIBUTE_TYPE) -> String {
    let known = NAMES.iter().find(|(known, ..)| *known == kind);
    known.map_or_else(|| format!("CKA_{kind:#x}"), |(_, name, _)| (*name).to_owned())
}

pub(super) fn layout(kind: CK_ATTRIBUTE_TYPE) -> Layout {
    NAMES.iter().find(|(known, ..)| *known == kind).map_or(Layout::Bytes, |(.., layout)| *layout)
}

/// A template in C's form. The pointers in `raw` point into `buffers`, whose heap blocks do not move.
pub(super) struct Encoded {
    raw: Vec<CK_ATTRIBUTE>,
    /// Never read, but owns what `raw` points to.
    _buffers: Vec<Buffer>,
}

enum Buffer {
    Bytes(Vec<u8>),
    /// Numbers are kept in words, because modules read them through a `CK_ULONG *`, which must be aligned.
    Words(Vec<CK_ULONG>),
    Nested(Encoded),
}

impl Buffer {
    fn of(value: &Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bytes(vec![u8::from(*value)]),
            Value::Ulong(value) => Self::Words(vec![*value]),
            Value::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Value::Mechanisms(list) => Self::Words(list.clone()),
            Value::Template(list) => Self::Nested(Encoded::new(list)),
        }
    }

    /// Address and size in bytes; no address for zero bytes.
    fn parts(&mut self) -> (*mut std::ffi::c_void, usize) {
        let (address, bytes) = match self {
            Self::Bytes(bytes) => (bytes.as_mut_ptr().cast(), bytes.len()),
            Self::Words(words) => (words.as_mut_ptr().cast(), std::mem::size_of_val(words.as_slice())),
            Self::Nested(inner) => (inner.raw.as_mut_ptr().cast(), std::mem::size_of_val(inner.raw.as_slice())),
        };
        if bytes == 0 { (std::ptr::null_mut(), 0) } else { (address, bytes) }
    }
}

impl Encoded {
    pub(super) fn new(attributes: &[Attr]) -> Self {
        let mut buffers: Vec<Buffer> = attributes.iter().map(|attr| Buffer::of(&attr.value)).collect();
        let raw = attributes.iter().zip(&mut buffers).map(|(attr, buffer)| {
            let (address, bytes) = buffer.parts();
            CK_ATTRIBUTE { type_: attr.kind, pValue: address, ulValueLen: bytes as CK_ULONG }
        });
        Self { raw: raw.collect(), _buffers: buffers }
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut CK_ATTRIBUTE {
        self.raw.as_mut_ptr()
    }

    pub(super) fn count(&self) -> CK_ULONG {
        self.raw.len() as CK_ULONG
    }
}

/// The value of these bytes, or `None` if they do not have the size that the layout asks for.
pub(super) fn decode(layout: Layout, bytes: &[u8]) -> Option<Value> {
    let word = |chunk: &[u8]| chunk.try_into().ok().map(CK_ULONG::from_ne_bytes);
    match layout {
        Layout::Bool => match bytes {
            [flag] => Some(Value::Bool(*flag != 0)),
            _ => None,
        },
        Layout::Ulong => word(bytes).map(Value::Ulong),
        Layout::Mechanisms => {
            let list = bytes.chunks(size_of::<CK_ULONG>()).map(word);
            list.collect::<Option<Vec<_>>>().map(Value::Mechanisms)
        }
        Layout::Bytes | Layout::Template => Some(Value::Bytes(bytes.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_not_shown() {
        let shown = format!("{:?}", Attr::bytes(cryptoki_sys::CKA_VALUE, b"secret"));
        assert_eq!(shown, "CKA_VALUE=6 bytes");
    }

    #[test]
    fn numbers_of_a_wrong_size_are_no_value() {
        assert!(decode(Layout::Bool, &[1, 0]).is_none());
        assert!(decode(Layout::Ulong, &[1, 0, 0]).is_none());
        assert!(decode(Layout::Mechanisms, &[0; 12]).is_none());
    }
}
