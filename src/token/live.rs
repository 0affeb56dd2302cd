//! What is known of the token while one generation of the library runs: its slot and the handles of its permanent keys.

use super::ceremony;
use super::core::open_unowned;
use super::module::{Module, TokenSelector, unavailable};
use super::pin::Pin;
use crate::domain::id::{ClusterId, MaterialId};
use crate::service::ports::{InternalKey, InternalKeyRole, TokenBinding, TokenError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use zeroize::Zeroizing;

/// Domain separation of the row-MAC key.
const ROW_KEY_LABEL: &[u8] = b"claviger-row-mac-1";

/// One generation.
pub struct Live {
    /// Counts the starts of the library, from 1.
    pub generation: u64,
    /// The token's slot, which may change from one generation to the next.
    pub slot: Slot,
    keks: Vec<(u32, ObjectHandle)>,
    sealing_keys: Vec<(u32, ObjectHandle)>,
}
