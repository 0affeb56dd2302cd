//! Initialising a blank token.

use crate::service::ports::TokenError;
use crate::token::module::{Module, unavailable};
use crate::token::pin::Pin;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use cryptoki_sys::{CKF_TOKEN_INITIALIZED, CKF_USER_PIN_INITIALIZED};

/// The longest label of a token (`CK_TOKEN_INFO`).
const MAX_LABEL_BYTES: usize = 32;

/// A blank token to be initialised.
#[derive(Debug, Clone)]
pub struct BlankToken {
    /// Its serial number; `None` for the only blank one (SoftHSM's has no serial number yet).
    pub serial: Option<String>,
    /// The label that it gets.
    pub label: String,
}

/// Initialises a blank token and sets the user PIN (`C_InitToken`, `C_InitPIN`).
///
/// # Errors
/// [`TokenError::Untrusted`] if the token is initialised already or a token with that label exists: initialising
/// destroys all keys. [`TokenError::Unavailable`] if no blank token fits or the token refuses.
pub fn init_token(module: &Module, blank: &BlankToken, so_pin: &Pin, user_pin: &Pin) -> Result<Slot, TokenError> {
    let slot = blank_slot(module, blank)?;
    let made = module.pkcs11().init_token(slot, so_pin.auth(), &blank.label);
    made.map_err(|error| unavailable("C_InitToken", &error))?;
    let slot = labelled(module, &blank.label)?.ok_or_else(|| {
        TokenError::Unavailable(format!("the token {:?} is not there after C_InitToken", blank.label))
    })?;
    set_user_pin(module, slot, so_pin, user_pin)?;
    Ok(slot)
}

/// As [`init_token`], but goes on where an earlier run was cut off: a token with that label is left as it is, and
/// gets its user PIN if it has none.
///
/// # Errors
/// As [`init_token`].
pub fn ensure_token(module: &Module, blank: &BlankToken, so_pin: &Pin, user_pin: &Pin) -> Result<Slot, TokenError> {
    let Some(slot) = labelled(module, &blank.label)? else {
        return init_token(module, blank, so_pin, user_pin);
    };
    if !module.token_info(slot)?.has(CKF_USER_PIN_INITIALIZED) {
        set_user_pin(module, slot, so_pin, user_pin)?;
    }
    Ok(slot)
}

fn blank_slot(module: &Module, blank: &BlankToken) -> Result<Slot, TokenError> {
    if blank.label.is_empty() || blank.label.len() > MAX_LABEL_BYTES {
        return Err(TokenError::Unavailable(format!("a token label has 1 to {MAX_LABEL_BYTES} bytes")));
    }
    if labelled(module, &blank.label)?.is_some() {
        return Err(TokenError::Untrusted(format!("a token {:?} exists already", blank.label)));
    }
    let tokens = module.tokens()?;
    let wanted = |serial: &str| blank.serial.as_deref().is_none_or(|wanted| wanted == serial);
    let fitting: Vec<_> = tokens.iter().filter(|(_, token)| wanted(&token.serial)).collect();
    let blanks: Vec<_> = fitting.iter().filter(|(_, token)| !token.has(CKF_TOKEN_INITIALIZED)).collect();
    match (blanks.as_slice(), fitting.as_slice()) {
        ([(slot, _)], _) => Ok(*slot),
        ([], []) => Err(TokenError::Unavailable(format!(
            "no token has the serial number {:?}; a blank SoftHSM2 token has none: \"\"",
            blank.serial.as_deref().unwrap_or_default()
        ))),
        ([], _) => Err(TokenError::Untrusted("the token is initialised already".into())),
        (several, _) => Err(TokenError::Untrusted(format!("{} blank tokens fit", several.len()))),
    }
}

fn labelled(module: &Module, label: &str) -> Result<Option<Slot>, TokenError> {
    let tokens = module.tokens()?;
    let mut fitting = tokens.iter().filter(|(_, token)| token.has(CKF_TOKEN_INITIALIZED) && token.label == label);
    Ok(fitting.next().map(|(slot, _)| *slot))
}

fn set_user_pin(module: &Module, slot: Slot, so_pin: &Pin, user_pin: &Pin) -> Result<(), TokenError> {
    let session = module.open_rw(slot)?;
    module.login_once(&session, slot, UserType::So, so_pin)?;
    session.init_pin(user_pin.auth()).map_err(|error| unavailable("C_InitPIN", &error))?;
    session.logout().map_err(|error| unavailable("C_Logout", &error))
}
