//! The calls that cryptoki has no wrapper or no argument for, through the module's function list.
//!
//! In: sessions, handles and [`Attr`] templates. Out: handles, values and cryptoki's own error type, so that one
//! map of return values serves both. Used by the token layer only; with `raw_attr.rs` its only `unsafe` code.
#![expect(unsafe_code, reason = "PKCS#11 is a C interface; each block says why it is sound")]

use super::raw_attr::{Attr, Encoded, Layout, Value, decode, layout};
use cryptoki::context::Function;
use cryptoki::error::{Error, Result, Rv, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_FUNCTION_LIST, CK_INFO, CK_MECHANISM, CK_MECHANISM_INFO, CK_MECHANISM_TYPE,
    CK_RV, CK_TOKEN_INFO, CK_ULONG, CK_UNAVAILABLE_INFORMATION,
};
use std::path::Path;
use std::ptr::null_mut;
use zeroize::Zeroizing;

/// The first guess for a wrapped key's size: above every AES key, so that one call is enough.
const WRAPPED_BYTES: usize = 128;
/// The largest attribute that is read.
const MAX_ATTRIBUTE_BYTES: usize = 64 * 1024;
/// The largest number of attributes in a template that is read.
const MAX_TEMPLATE_ATTRIBUTES: usize = 64;

/// A mechanism whose parameter, if any, is a string of bytes.
#[derive(Debug, Clone)]
pub struct RawMechanism {
    /// `CKM_...`.
    pub kind: CK_MECHANISM_TYPE,
    /// The parameter; empty for none.
    pub parameter: Vec<u8>,
}

impl RawMechanism {
    /// A mechanism without parameter.
    #[must_use]
    pub const fn plain(kind: CK_MECHANISM_TYPE) -> Self {
        Self { kind, parameter: Vec::new() }
    }

    /// The C form. It is valid while `self` is neither moved out of nor changed.
    fn raw(&self) -> CK_MECHANISM {
        let address = if self.parameter.is_empty() { null_mut() } else { self.parameter.as_ptr().cast_mut().cast() };
        CK_MECHANISM { mechanism: self.kind, pParameter: address, ulParameterLen: self.parameter.len() as CK_ULONG }
    }
}

/// What `C_GetTokenInfo` tells.
#[derive(Debug, Clone)]
pub struct RawTokenInfo {
    /// Label.
    pub label: String,
    /// Manufacturer.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// `CKF_...`.
    pub flags: CK_ULONG,
    /// Sessions that may be open at once; `None` if the token sets or tells no limit.
    pub max_sessions: Option<u32>,
    /// Firmware version, `major.minor`.
    pub firmware: String,
}

impl RawTokenInfo {
    /// Whether a flag (`CKF_...`) is set.
    #[must_use]
    pub const fn has(&self, flag: CK_ULONG) -> bool {
        self.flags & flag != 0
    }
}

/// The module's functions.
pub struct RawFunctions {
    pub(super) list: CK_FUNCTION_LIST,
    /// Keeps the library, and with it the functions in `list`, loaded.
    _library: cryptoki_sys::Pkcs11,
}

impl std::fmt::Debug for RawFunctions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawFunctions")
    }
}

fn check(rv: CK_RV, function: Function) -> Result<()> {
    Rv::from(rv).into_result(function)
}

fn handle_of(raw: CK_ULONG) -> ObjectHandle {
    // SAFETY: a handle is a number that the token checks at each use; this one was just handed out by the token.
    unsafe { ObjectHandle::new_from_raw(raw) }
}

fn padded(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches([' ', '\0']).to_owned()
}

macro_rules! function {
    ($self:ident, $name:ident) => {
        $self.list.$name.ok_or(Error::NullFunctionPointer)?
    };
}

impl RawFunctions {
    /// Takes the function list of the library at `path`, which the caller has loaded already.
    ///
    /// # Errors
    /// [`Error`] if the library cannot be loaded or has no function list.
    pub fn load(path: &Path) -> Result<Self> {
        // SAFETY: loading runs the library's initialisers; it is the PKCS#11 module that the operator named, and
        // it is loaded into this process already.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path) }.map_err(Error::LibraryLoading)?;
        let Ok(entry) = &library.C_GetFunctionList else {
            return Err(Error::MissingSymbol("C_GetFunctionList"));
        };
        let mut list: *mut CK_FUNCTION_LIST = null_mut();
        // SAFETY: `entry` is the library's C_GetFunctionList, which writes one pointer through its valid argument.
        check(unsafe { entry(&raw mut list) }, Function::GetFunctionList)?;
        if list.is_null() {
            return Err(Error::NullFunctionPointer);
        }
        // SAFETY: PKCS#11 2.40, 5.4: the list is static data of the library and is not null here. It is copied, and
        // `_library` keeps the functions that it names loaded.
        let list = unsafe { list.read_unaligned() };
        Ok(Self { list, _library: library })
    }

    /// Description and version of the library.
    ///
    /// # Errors
    /// [`Error`] of `C_GetInfo`.
    pub fn library(&self) -> Result<String> {
        let mut info = CK_INFO::default();
        let call = function!(self, C_GetInfo);
        // SAFETY: `info` is a valid CK_INFO for the call to fill.
        check(unsafe { call(&raw mut info) }, Function::GetInfo)?;
        let version = info.libraryVersion;
        Ok(format!("{} {}.{}", padded(&info.libraryDescription), version.major, version.minor))
    }

    /// What the token in a slot says of itself. Unlike cryptoki's, this does not fail where a token's clock or
    /// counters are not as the standard wants them (opencryptoki 3.8.1).
    ///
    /// # Errors
    /// [`Error`] of `C_GetTokenInfo`.
    pub fn token_info(&self, slot: Slot) -> Result<RawTokenInfo> {
        let mut info = CK_TOKEN_INFO::default();
        let call = function!(self, C_GetTokenInfo);
        // SAFETY: `info` is a valid CK_TOKEN_INFO for the call to fill.
        check(unsafe { call(slot.into(), &raw mut info) }, Function::GetTokenInfo)?;
        let limit = info.ulMaxSessionCount;
        let unlimited = limit == cryptoki_sys::CK_EFFECTIVELY_INFINITE || limit == CK_UNAVAILABLE_INFORMATION;
        Ok(RawTokenInfo {
            label: padded(&info.label),
            manufacturer: padded(&info.manufacturerID),
            model: padded(&info.model),
            serial: padded(&info.serialNumber),
            flags: info.flags,
            max_sessions: if unlimited { None } else { u32::try_from(limit).ok() },
            firmware: format!("{}.{}", info.firmwareVersion.major, info.firmwareVersion.minor),
        })
    }

    /// Whether the token knows a mechanism.
    ///
    /// # Errors
    /// [`Error`] of `C_GetMechanismInfo`, other than that it does not know it.
    pub fn has_mechanism(&self, slot: Slot, mechanism: CK_MECHANISM_TYPE) -> Result<bool> {
        let mut info = CK_MECHANISM_INFO::default();
        let call = function!(self, C_GetMechanismInfo);
        // SAFETY: `info` is a valid CK_MECHANISM_INFO for the call to fill.
        match check(unsafe { call(slot.into(), mechanism, &raw mut info) }, Function::GetMechanismInfo) {
            Ok(()) => Ok(true),
            Err(Error::Pkcs11(RvError::MechanismInvalid, _)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `C_GenerateKey`.
    ///
    /// # Errors
    /// [`Error`] of the token.
    pub fn generate_key(
        &self,
        session: &Session,
        mechanism: CK_MECHANISM_TYPE,
        template: &[Attr],
    ) -> Result<ObjectHandle> {
        let mechanism = RawMechanism::plain(mechanism);
        let (mut raw, mut template, mut key) = (mechanism.raw(), Encoded::new(template), 0);
        let call = function!(self, C_GenerateKey);
        let count = template.count();
        // SAFETY: mechanism, template (of `count` attributes) and `key` are valid for the call, which keeps none.
        let rv = unsafe { call(session.handle(), &raw mut raw, template.as_mut_ptr(), count, &raw mut key) };
        check(rv, Function::GenerateKey).map(|()| handle_of(key))
    }

    /// `C_GenerateKeyPair`: public and private key.
    ///
    /// # Errors
    /// [`Error`] of the token.
    pub fn generate_key_pair(
        &self,
        session: &Session,
        mechanism: CK_MECHANISM_TYPE,
        public: &[Attr],
        private: &[Attr],
    ) -> Result<(ObjectHandle, ObjectHandle)> {
        let mechanism = RawMechanism::plain(mechanism);
        let mut raw = mechanism.raw();
        let (mut public, mut private) = (Encoded::new(public), Encoded::new(private));
        let (public_count, private_count) = (public.count(), private.count());
        let (mut public_key, mut private_key) = (0, 0);
        let call = function!(self, C_GenerateKeyPair);
        // SAFETY: mechanism, both templates with their counts and both results are valid for the call, which
        // keeps none of them.
        let rv = unsafe {
            call(
                session.handle(),
                &raw mut raw,
                public.as_mut_ptr(),
                public_count,
                private.as_mut_ptr(),
                private_count,
                &raw mut public_key,
                &raw mut private_key,
            )
        };
        check(rv, Function::GenerateKeyPair).map(|()| (handle_of(public_key), handle_of(private_key)))
    }

    /// `C_CreateObject`.
    ///
    /// # Errors
    /// [`Error`] of the token.
    pub fn create_object(&self, session: &Session, template: &[Attr]) -> Result<ObjectHandle> {
        let (mut template, mut object) = (Encoded::new(template), 0);
        let call = function!(self, C_CreateObject);
        let count = template.count();
        // SAFETY: the template (of `count` attributes) and `object` are valid for the call, which keeps neither.
        let rv = unsafe { call(session.handle(), template.as_mut_ptr(), count, &raw mut object) };
        check(rv, Function::CreateObject).map(|()| handle_of(object))
    }

    /// `C_CopyObject`.
    ///
    /// # Errors
    /// [`Error`] of the token.
    pub fn copy_object(&self, session: &Session, object: ObjectHandle, template: &[Attr]) -> Result<ObjectHandle> {
        let (mut template, mut copy) = (Encoded::new(template), 0);
        let call = function!(self, C_CopyObject);
        let count = template.count();
        // SAFETY: the template (of `count` attributes) and `copy` are valid for the call, which keeps neither.
        let rv = unsafe { call(session.handle(), object.handle(), template.as_mut_ptr(), count, &raw mut copy) };
        check(rv, Function::CopyObject).map(|()| handle_of(copy))
    }

    /// `C_SetAttributeValue`.
    ///
    /// # Errors
    /// [`Error`] of the token.
    pub fn set_attributes(&self, session: &Session, object: ObjectHandle, template: &[Attr]) -> Result<()> {
        let mut template = Encoded::new(template);
        let call = function!(self, C_SetAttributeValue);
        let count = template.count();
        // SAFETY: the template (of `count` attributes) is valid for the call, which does not keep it.
        let rv = unsafe { call(session.handle(), object.handle(), template.as_mut_ptr(), count) };
        check(rv, Function::SetAttributeValue)
    }

    /// `C_WrapKey`: the wrapped bytes.
    ///
    /// # Errors
    /// [`Error`] of the token.
    pub fn wrap_key(
        &self,
        session: &Session,
        mechanism: &RawMechanism,
        wrapping: ObjectHandle,
        key: ObjectHandle,
    ) -> Result<Vec<u8>> {
        match self.wrap_into(session, mechanism, wrapping, key, WRAPPED_BYTES) {
            Err((Error::Pkcs11(RvError::BufferTooSmall, _), needed)) => {
                self.wrap_into(session, mechanism, wrapping, key, needed.min(MAX_ATTRIBUTE_BYTES))
            }
            other => other,
        }
        .map_err(|(error, _)| error)
    }

    fn wrap_into(
        &self,
        session: &Session,
        mechanism: &RawMechanism,
        wrapping: ObjectHandle,
        key: ObjectHandle,
        capacity: usize,
    ) -> std::result::Result<Vec<u8>, (Error, usize)> {
        let call = self.list.C_WrapKey.ok_or((Error::NullFunctionPointer, 0))?;
        let mut raw = mechanism.raw();
        let mut out = vec![0_u8; capacity];
        let mut bytes = capacity as CK_ULONG;
        // SAFETY: the mechanism is valid for the call; `out` has room for the `bytes` that the call is told of.
        let rv = unsafe {
            call(session.handle(), &raw mut raw, wrapping.handle(), key.handle(), out.as_mut_ptr(), &raw mut bytes)
        };
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        check(rv, Function::WrapKey).map_err(|error| (error, bytes))?;
        out.truncate(bytes);
        Ok(out)
    }

    /// `C_UnwrapKey`.
    ///
    /// # Errors
    /// [`Error`] of the token.
    pub fn unwrap_key(
        &self,
        session: &Session,
        mechanism: &RawMechanism,
        unwrapping: ObjectHandle,
        wrapped: &[u8],
        template: &[Attr],
    ) -> Result<ObjectHandle> {
        let (mut raw, mut template, mut key) = (mechanism.raw(), Encoded::new(template), 0);
        // The standard takes a pointer to non-const bytes: a copy keeps the caller's untouched whatever a module does.
        let mut wrapped = wrapped.to_vec();
        let call = function!(self, C_UnwrapKey);
        let count = template.count();
        // SAFETY: mechanism, wrapped bytes with their length, template with its count and `key` are valid for the
        // call, which keeps none of them.
        let rv = unsafe {
            call(
                session.handle(),
                &raw mut raw,
                unwrapping.handle(),
                wrapped.as_mut_ptr(),
                wrapped.len() as CK_ULONG,
                template.as_mut_ptr(),
                count,
                &raw mut key,
            )
        };
        check(rv, Function::UnwrapKey).map(|()| handle_of(key))
    }

    /// Reads one attribute; `None` if the object does not have it.
    ///
    /// # Errors
    /// [`Error`] of the token, `CKR_ATTRIBUTE_SENSITIVE` for what it keeps to itself, and [`Error::InvalidValue`]
    /// for a value that does not have the size of its type.
    pub fn attribute(&self, session: &Session, object: ObjectHandle, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<Value>> {
        if layout(kind) == Layout::Template {
            return self.template_attribute(session, object, kind);
        }
        let mut query = CK_ATTRIBUTE { type_: kind, pValue: null_mut(), ulValueLen: 0 };
        if !self.get_attribute(session, object, &mut query)? {
            return Ok(None);
        }
        let size = usize::try_from(query.ulValueLen).unwrap_or(usize::MAX);
        if size > MAX_ATTRIBUTE_BYTES {
            return Err(Error::InvalidValue);
        }
        let mut bytes = Zeroizing::new(vec![0_u8; size]);
        query.pValue = bytes.as_mut_ptr().cast();
        if !self.get_attribute(session, object, &mut query)? {
            return Ok(None);
        }
        bytes.truncate(usize::try_from(query.ulValueLen).unwrap_or(usize::MAX));
        decode(layout(kind), &bytes).map(Some).ok_or(Error::InvalidValue)
    }

    /// `C_GetAttributeValue` of one attribute, false if the object does not have it. A value is written to at most
    /// `ulValueLen` bytes at `pValue`, which must be null or valid for that; a template's inner pointers likewise.
    fn get_attribute(&self, session: &Session, object: ObjectHandle, query: &mut CK_ATTRIBUTE) -> Result<bool> {
        let call = function!(self, C_GetAttributeValue);
        // SAFETY: `query` is one valid attribute, and its pointer is null or valid as this function's contract says;
        // both callers point it to a buffer of their own with the length of that buffer.
        let rv = unsafe { call(session.handle(), object.handle(), query, 1) };
        match check(rv, Function::GetAttributeValue) {
            Ok(()) if query.ulValueLen == CK_UNAVAILABLE_INFORMATION => Ok(false),
            Ok(()) => Ok(true),
            Err(Error::Pkcs11(RvError::AttributeTypeInvalid, _)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads an array of attributes in the three steps of PKCS#11 2.40, 5.7: how many, how large, the values.
    fn template_attribute(
        &self,
        session: &Session,
        object: ObjectHandle,
        kind: CK_ATTRIBUTE_TYPE,
    ) -> Result<Option<Value>> {
        let mut query = CK_ATTRIBUTE { type_: kind, pValue: null_mut(), ulValueLen: 0 };
        if !self.get_attribute(session, object, &mut query)? {
            return Ok(None);
        }
        let count = usize::try_from(query.ulValueLen).unwrap_or(usize::MAX) / size_of::<CK_ATTRIBUTE>();
        if count > MAX_TEMPLATE_ATTRIBUTES {
            return Err(Error::InvalidValue);
        }
        if count == 0 {
            return Ok(Some(Value::Template(Vec::new())));
        }
        let mut inner = vec![CK_ATTRIBUTE { type_: 0, pValue: null_mut(), ulValueLen: 0 }; count];
        query.pValue = inner.as_mut_ptr().cast();
        if !self.get_attribute(session, object, &mut query)? {
            return Ok(None);
        }
        let mut buffers = Vec::with_capacity(count);
        for attribute in &mut inner {
            let size = usize::try_from(attribute.ulValueLen).unwrap_or(usize::MAX);
            if size > MAX_ATTRIBUTE_BYTES {
                return Err(Error::InvalidValue);
            }
            let mut buffer = vec![0_u8; size];
            attribute.pValue = buffer.as_mut_ptr().cast();
            buffers.push(buffer);
        }
        if !self.get_attribute(session, object, &mut query)? {
            return Ok(None);
        }
        let attributes = inner.iter().zip(&buffers).map(|(attribute, buffer)| {
            decode(layout(attribute.type_), buffer).map(|value| Attr { kind: attribute.type_, value })
        });
        attributes.collect::<Option<Vec<_>>>().map(|list| Some(Value::Template(list))).ok_or(Error::InvalidValue)
    }
}
