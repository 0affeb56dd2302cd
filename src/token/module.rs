//! A loaded PKCS#11 library.
//!
//! In: the path of a library and the name of a token. Out: [`Module`], through which sessions are opened, and the
//! slot of the token. Used by the ceremony and by the running token.

use super::pin::{Pin, PinMemory};
use super::raw::{RawFunctions, RawTokenInfo};
use super::uri::{Pkcs11Uri, UriError};
use crate::service::ports::{TokenError, TokenIdentity};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki_sys::CKF_TOKEN_INITIALIZED;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How an operator names the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSelector {
    /// By its label.
    Label(String),
    /// By its serial number.
    Serial(String),
    /// By a PKCS#11 URI (RFC 7512).
    Uri(Pkcs11Uri),
}

impl std::str::FromStr for TokenSelector {
    type Err = UriError;

    /// A text that begins with `pkcs11:` is a URI, `serial:` a serial number, any other a label.
    fn from_str(text: &str) -> Result<Self, UriError> {
        if text.starts_with("pkcs11:") {
            return text.parse().map(Self::Uri);
        }
        Ok(text.strip_prefix("serial:").map_or_else(|| Self::Label(text.into()), |serial| Self::Serial(serial.into())))
    }
}

impl TokenSelector {
    fn matches(&self, token: &RawTokenInfo) -> bool {
        let is = |wanted: &Option<String>, found: &String| wanted.as_ref().is_none_or(|wanted| wanted == found);
        match self {
            Self::Label(label) => *label == token.label,
            Self::Serial(serial) => *serial == token.serial,
            Self::Uri(uri) => {
                is(&uri.token, &token.label)
                    && is(&uri.serial, &token.serial)
                    && is(&uri.manufacturer, &token.manufacturer)
                    && is(&uri.model, &token.model)
            }
        }
    }
}

/// A PKCS#11 library that is loaded and initialised. Clones are the same library.
#[derive(Debug, Clone)]
pub struct Module {
    path: PathBuf,
    pkcs11: Pkcs11,
    raw: Arc<RawFunctions>,
    pins: Arc<PinMemory>,
}

impl Module {
    /// Loads the library and initialises it for use by several threads.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if it cannot be loaded or initialised, [`TokenError::Untrusted`] if it gives each
    /// caller an instance of its own (p11-kit-client), which the raw calls cannot use.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let what = |error: Error| unavailable(&format!("loading {}", path.display()), &error);
        let pkcs11 = Pkcs11::new(path).map_err(what)?;
        let raw = RawFunctions::load(path).map_err(what)?;
        let module = Self { path: path.into(), pkcs11, raw: Arc::new(raw), pins: Arc::default() };
        module.initialize()?;
        match module.raw.library() {
            Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => Err(TokenError::Untrusted(format!(
                "{} hands out a separate instance of itself at each C_GetFunctionList, which is not supported",
                path.display()
            ))),
            _ => Ok(module),
        }
    }

    fn initialize(&self) -> Result<(), TokenError> {
        let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        self.pkcs11.initialize(args).map_err(|error| unavailable("C_Initialize", &error))
    }

    /// Ends the use of the library by this process and begins it anew: all sessions and handles are invalid then.
    /// A library that lost its token, or that was finalised, may find it again.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if it cannot be initialised.
    pub fn reinitialize(&self) -> Result<(), TokenError> {
        // It may be finalised or broken already; what counts is whether it can be initialised.
        drop(self.pkcs11.clone().finalize());
        self.initialize()
    }

    /// Ends the use of the library by this process, for all clones.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if the library refuses.
    pub fn finalize(self) -> Result<(), TokenError> {
        self.pkcs11.finalize().map_err(|error| unavailable("C_Finalize", &error))
    }

    /// cryptoki's view of the library.
    #[must_use]
    pub const fn pkcs11(&self) -> &Pkcs11 {
        &self.pkcs11
    }

    /// The calls that cryptoki lacks.
    #[must_use]
    pub fn raw(&self) -> &RawFunctions {
        &self.raw
    }

    /// The library's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All slots with a token, and what the tokens say of themselves. Slots that cannot be read are left out.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if the library does not list its slots.
    pub fn tokens(&self) -> Result<Vec<(Slot, RawTokenInfo)>, TokenError> {
        let slots = self.pkcs11.get_slots_with_token().map_err(|error| unavailable("C_GetSlotList", &error))?;
        Ok(slots.into_iter().filter_map(|slot| Some((slot, self.raw.token_info(slot).ok()?))).collect())
    }

    /// The slot of the one token that fits.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if no token fits, [`TokenError::Untrusted`] if several do.
    pub fn find_slot(&self, selector: &TokenSelector) -> Result<Slot, TokenError> {
        let tokens = self.tokens()?;
        let fitting: Vec<_> = tokens.iter().filter(|(_, token)| selector.matches(token)).collect();
        match fitting.as_slice() {
            [(slot, _)] => Ok(*slot),
            [] => Err(TokenError::Unavailable(format!("no token fits {selector:?}; there are: {}", list(&tokens)))),
            several => Err(TokenError::Untrusted(format!("{} tokens fit {selector:?}", several.len()))),
        }
    }

    /// What the token in a slot says of itself.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if it does not answer.
    pub fn token_info(&self, slot: Slot) -> Result<RawTokenInfo, TokenError> {
        self.raw.token_info(slot).map_err(|error| unavailable("C_GetTokenInfo", &error))
    }

    /// Which token is in a slot.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if it does not answer.
    pub fn identity(&self, slot: Slot) -> Result<TokenIdentity, TokenError> {
        let token = self.token_info(slot)?;
        Ok(TokenIdentity {
            label: token.label,
            manufacturer: token.manufacturer,
            model: token.model,
            serial: token.serial,
            firmware: token.firmware,
            library: self.raw.library().map_err(|error| unavailable("C_GetInfo", &error))?,
        })
    }

    /// Opens a session in which objects can be made.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if the token does not open one.
    pub fn open_rw(&self, slot: Slot) -> Result<Session, TokenError> {
        self.pkcs11.open_rw_session(slot).map_err(|error| unavailable("C_OpenSession", &error))
    }

    /// Logs in, unless the token has called this PIN wrong before: tokens lock after some wrong PINs. That someone
    /// is logged in already is success. The memory lasts as long as the process.
    ///
    /// # Errors
    /// [`TokenError::PinRefused`] if the PIN is wrong or was wrong before, or if one more wrong PIN would lock the
    /// token, [`TokenError::Unavailable`] if the token does not answer.
    pub fn login_once(&self, session: &Session, slot: Slot, user: UserType, pin: &Pin) -> Result<(), TokenError> {
        self.pins.login_once(session, &self.token_info(slot)?, user, pin)
    }
}

fn list(tokens: &[(Slot, RawTokenInfo)]) -> String {
    let name = |(_, token): &(Slot, RawTokenInfo)| match token.has(CKF_TOKEN_INITIALIZED) {
        true => format!("{:?} (serial {})", token.label, token.serial),
        false => format!("a blank one, which --init-token {:?} initialises", token.serial),
    };
    tokens.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// An error of the token as the refusal of what was tried.
pub(super) fn unavailable(what: &str, error: &Error) -> TokenError {
    TokenError::Unavailable(format!("{what}: {}", ckr_text(error)))
}

/// The standard's name of a return value, such as `CKR_PIN_INCORRECT`, or the text of another error.
pub(super) fn ckr_text(error: &Error) -> String {
    let Error::Pkcs11(rv, _) = error else {
        return error.to_string();
    };
    let mut name = "CKR".to_owned();
    for letter in format!("{rv:?}").chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki::context::Function;

    #[test]
    fn return_values_are_named_as_in_the_standard() {
        let error = Error::Pkcs11(RvError::KeyFunctionNotPermitted, Function::SignInit);
        assert_eq!(ckr_text(&error), "CKR_KEY_FUNCTION_NOT_PERMITTED");
    }

    #[test]
    fn a_text_is_a_uri_a_serial_number_or_a_label() {
        assert_eq!("kms".parse(), Ok(TokenSelector::Label("kms".into())));
        assert_eq!("serial:ab12".parse(), Ok(TokenSelector::Serial("ab12".into())));
        let uri = Pkcs11Uri { token: Some("kms".into()), ..Pkcs11Uri::default() };
        assert_eq!("pkcs11:token=kms".parse(), Ok(TokenSelector::Uri(uri)));
    }
}
