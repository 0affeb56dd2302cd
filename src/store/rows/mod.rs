//! Domain values to columns and back. The order of columns is that of [`super::table`].

mod access;
mod alias;
mod credential;
mod key;
mod record;
mod version;

pub(super) use access::{
    binding_set, binding_set_place, binding_set_row, folder, folder_row, principal, principal_kind, principal_row,
};
pub(super) use alias::{alias, alias_id, alias_row};
pub(super) use credential::{certificate_handle, credential, credential_row};
pub(super) use key::{key, key_row};
pub(super) use record::{heartbeat, heartbeat_row, remembered, remembered_row};
pub(super) use version::{SealedColumns, version, version_row};

use crate::domain::algorithm::Algorithm;
use crate::domain::time::Timestamp;
use crate::service::ports::StoreError;
use crate::store::sql::{Fields, Value};
use std::time::Duration;

impl From<Timestamp> for Value {
    fn from(instant: Timestamp) -> Self {
        Self::Int(instant.as_micros())
    }
}

impl From<Duration> for Value {
    /// Microseconds; what is finer is cut off.
    fn from(period: Duration) -> Self {
        Self::Int(i64::try_from(period.as_micros()).unwrap_or(i64::MAX))
    }
}

impl From<Algorithm> for Value {
    fn from(algorithm: Algorithm) -> Self {
        Self::Int(algorithm.code().into())
    }
}

impl Fields<'_> {
    fn instant(&mut self) -> Result<Timestamp, StoreError> {
        self.int().map(Timestamp::from_micros)
    }

    fn optional_instant(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional_int()?.map(Timestamp::from_micros))
    }

    fn algorithm(&mut self) -> Result<Algorithm, StoreError> {
        Algorithm::from_code(self.number()?).ok_or_else(|| self.nonsense())
    }

    fn period(&mut self) -> Result<Duration, StoreError> {
        self.number().map(Duration::from_micros)
    }
}
