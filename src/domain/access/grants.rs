//! A binding set, arranged for the question "which roles has this caller".

use super::binding::BindingSet;
use super::role::RoleSet;
use super::{Caller, PrincipalKind};
use crate::domain::id::PrincipalId;
use std::collections::HashMap;

/// The roles of each principal on one resource, without inherited ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(HashMap<(PrincipalKind, PrincipalId), RoleSet>);

impl Grants {
    /// What the bindings give to principals of ours.
    #[must_use]
    pub fn of(bindings: &BindingSet) -> Self {
        let mut grants: HashMap<_, RoleSet> = HashMap::new();
        for binding in bindings.as_slice() {
            if let Some(principal) = binding.subject.principal() {
                grants.entry(principal).or_default().insert(binding.role);
            }
        }
        Self(grants)
    }

    /// The roles of a principal.
    #[must_use]
    pub fn roles(&self, kind: PrincipalKind, id: PrincipalId) -> RoleSet {
        self.0.get(&(kind, id)).copied().unwrap_or_default()
    }

    /// The roles of a caller.
    #[must_use]
    pub fn roles_of(&self, caller: &Caller) -> RoleSet {
        self.roles(caller.kind, caller.principal_id)
    }

    /// The principals that have a role here.
    pub fn principals(&self) -> impl Iterator<Item = (PrincipalKind, PrincipalId, RoleSet)> {
        self.0.iter().map(|((kind, id), roles)| (*kind, *id, *roles))
    }
}
