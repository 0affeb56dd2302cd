//! What is learned about a request on its way and logged when it is answered.

use crate::domain::id::PrincipalId;
use std::sync::{Arc, OnceLock};

/// Travels in the request's extensions; whoever learns something notes it here. The first note counts.
#[derive(Debug, Clone, Default)]
pub struct RequestNotes(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    dialect: OnceLock<&'static str>,
    operation: OnceLock<&'static str>,
    principal_id: OnceLock<PrincipalId>,
    cause: OnceLock<String>,
}

impl RequestNotes {
    /// The dialect and its name for the operation, from a fixed set.
    pub fn operation(&self, dialect: &'static str, operation: &'static str) {
        let _ = self.0.dialect.set(dialect);
        let _ = self.0.operation.set(operation);
    }

    /// Who asked.
    pub fn principal(&self, id: PrincipalId) {
        let _ = self.0.principal_id.set(id);
    }

    /// Why the service failed, for operators only. Never with secrets or data of the request.
    pub fn cause(&self, text: &str) {
        let _ = self.0.cause.set(text.to_owned());
    }

    /// The dialect, `none` if the request is of none.
    #[must_use]
    pub fn noted_dialect(&self) -> &'static str {
        self.0.dialect.get().copied().unwrap_or("none")
    }

    /// The operation, `unknown` if it is none.
    #[must_use]
    pub fn noted_operation(&self) -> &'static str {
        self.0.operation.get().copied().unwrap_or("unknown")
    }

    /// Who asked, if a valid credential was there.
    #[must_use]
    pub fn noted_principal(&self) -> Option<PrincipalId> {
        self.0.principal_id.get().copied()
    }

    /// Why the service failed, if it did.
    #[must_use]
    pub fn noted_cause(&self) -> Option<&str> {
        self.0.cause.get().map(String::as_str)
    }
}
