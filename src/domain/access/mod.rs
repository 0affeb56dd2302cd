//! Who may do what: roles, permissions, bindings and the one decision.

mod binding;
mod decision;
mod grants;
mod origin;
mod role;

pub use binding::{Binding, BindingDelta, BindingSet, MAX_BINDINGS, Subject, SubjectKind};
pub use decision::{AccessContext, Decision, Grounds, KeyAttached, Level, Refusal, Resource, authorise};
pub use grants::Grants;
pub use origin::Origin;
pub use role::{Permission, Role, RoleSet};

use super::id::{CredentialId, FolderId, PrincipalId};

/// Person or program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A program.
    ServiceAccount,
}

/// Who sent a request, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person or service account.
    pub principal_id: PrincipalId,
    /// Which of the two it is: bindings name both the kind and the id.
    pub kind: PrincipalKind,
    /// The credential that was presented.
    pub credential_id: CredentialId,
    /// The folder that owns the principal.
    pub folder_id: FolderId,
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
