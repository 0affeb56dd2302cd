//! The use cases, one file per operation.
//!
//! In: a [`request::RequestContext`] and a checked request. Out: a domain value or a
//! [`error::ServiceError`]. Called by the dialects, the scheduler and `auth`; calls the ports only.

pub mod error;
pub mod ports;
pub mod request;
