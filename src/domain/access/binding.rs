//! Bindings: roles given to subjects on one resource.

use super::PrincipalKind;
use super::role::Role;
use crate::domain::error::ValueError;
use crate::domain::id::PrincipalId;
use serde::{Deserialize, Serialize};

/// The most bindings of one resource (native model).
pub const MAX_BINDINGS: usize = 1000;
/// The longest subject id, in characters (native model).
const MAX_SUBJECT_ID: usize = 100;

/// What kind of somebody a binding names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubjectKind {
    /// A person: our `User`.
    UserAccount,
    /// A program: our `ServiceAccount`.
    ServiceAccount,
    /// A person of a federation. There are none here.
    FederatedUser,
    /// A group. There are none here.
    Group,
    /// A group of the cloud's, such as `allUsers`. There are none here.
    System,
}

impl SubjectKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::UserAccount, Self::ServiceAccount, Self::FederatedUser, Self::Group, Self::System];

    /// The name of the native model.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserAccount => "userAccount",
            Self::ServiceAccount => "serviceAccount",
            Self::FederatedUser => "federatedUser",
            Self::Group => "group",
            Self::System => "system",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl From<PrincipalKind> for SubjectKind {
    fn from(kind: PrincipalKind) -> Self {
        match kind {
            PrincipalKind::User => Self::UserAccount,
            PrincipalKind::ServiceAccount => Self::ServiceAccount,
        }
    }
}

/// Somebody that a binding names. It need not be known here: then the binding is kept and gives nobody anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Its kind.
    pub kind: SubjectKind,
    id: String,
}

impl Subject {
    /// A subject with any id.
    ///
    /// # Errors
    /// [`ValueError`] for an empty id and above 100 characters.
    pub fn new(kind: SubjectKind, id: String) -> Result<Self, ValueError> {
        if id.is_empty() {
            return Err(ValueError::Empty { field: "subject id" });
        }
        if id.chars().count() > MAX_SUBJECT_ID {
            return Err(ValueError::TooLong { field: "subject id", limit: MAX_SUBJECT_ID });
        }
        Ok(Self { kind, id })
    }

    /// One of our principals.
    #[must_use]
    pub fn of(kind: PrincipalKind, id: PrincipalId) -> Self {
        Self { kind: kind.into(), id: id.to_string() }
    }

    /// The id, as it was given.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The principal that this may be, if its kind is one of ours.
    #[must_use]
    pub fn principal(&self) -> Option<(PrincipalKind, PrincipalId)> {
        let kind = match self.kind {
            SubjectKind::UserAccount => PrincipalKind::User,
            SubjectKind::ServiceAccount => PrincipalKind::ServiceAccount,
            SubjectKind::FederatedUser | SubjectKind::Group | SubjectKind::System => return None,
        };
        Some((kind, PrincipalId::parse(&self.id)?))
    }
}

/// One role given to one subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "StoredBinding")]
pub struct Binding {
    /// The role.
    pub role: Role,
    /// Who has it.
    pub subject: Subject,
}

/// The forms in which databases hold a binding.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredBinding {
    Current {
        role: Role,
        subject: Subject,
    },
    /// Before subjects had kinds there were only people.
    First {
        role: Role,
        principal_id: PrincipalId,
    },
}

impl From<StoredBinding> for Binding {
    fn from(stored: StoredBinding) -> Self {
        match stored {
            StoredBinding::Current { role, subject } => Self { role, subject },
            StoredBinding::First { role, principal_id } => {
                Self { role, subject: Subject::of(PrincipalKind::User, principal_id) }
            }
        }
    }
}

/// One change of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingDelta {
    /// Add it, unless it is there.
    Add(Binding),
    /// Remove it, if it is there.
    Remove(Binding),
}

/// All bindings of one resource, without those that it inherits: at most [`MAX_BINDINGS`], each once, in the order in
/// which they were given. The whole set is one stored row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BindingSet(Vec<Binding>);

impl BindingSet {
    /// The set of these bindings; repeated ones count once.
    ///
    /// # Errors
    /// [`ValueError::TooMany`] above [`MAX_BINDINGS`].
    pub fn new(bindings: impl IntoIterator<Item = Binding>) -> Result<Self, ValueError> {
        let mut seen = std::collections::HashSet::new();
        let bindings = bindings.into_iter().filter(|binding| seen.insert(binding.clone())).collect();
        Self(bindings).checked()
    }

    /// The set after these changes, in their order.
    ///
    /// # Errors
    /// [`ValueError::TooMany`] above [`MAX_BINDINGS`].
    pub fn changed(mut self, deltas: impl IntoIterator<Item = BindingDelta>) -> Result<Self, ValueError> {
        for delta in deltas {
            match delta {
                BindingDelta::Add(binding) if self.0.contains(&binding) => {}
                BindingDelta::Add(binding) => self.0.push(binding),
                BindingDelta::Remove(binding) => self.0.retain(|held| *held != binding),
            }
        }
        self.checked()
    }

    fn checked(self) -> Result<Self, ValueError> {
        if self.0.len() > MAX_BINDINGS {
            return Err(ValueError::TooMany { field: "access bindings", limit: MAX_BINDINGS });
        }
        Ok(self)
    }

    /// The bindings.
    #[must_use]
    pub fn as_slice(&self) -> &[Binding] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(role: Role, id: &str) -> Binding {
        Binding { role, subject: Subject::new(SubjectKind::ServiceAccount, id.into()).unwrap() }
    }

    #[test]
    fn a_set_keeps_order_and_drops_repetitions() {
        let (a, b) = (binding(Role::Admin, "a"), binding(Role::Admin, "b"));
        let set = BindingSet::new([b.clone(), a.clone(), b.clone()]).unwrap();
        assert_eq!(set.as_slice(), [b, a]);
    }

    #[test]
    fn adding_twice_and_removing_what_is_not_there_changes_nothing() {
        let (a, b) = (binding(Role::Admin, "a"), binding(Role::Viewer, "a"));
        let set = BindingSet::new([a.clone()]).unwrap();
        let deltas = [BindingDelta::Add(a.clone()), BindingDelta::Remove(b.clone())];
        assert_eq!(set.clone().changed(deltas).unwrap(), set);
        let deltas = [BindingDelta::Add(b.clone()), BindingDelta::Remove(a), BindingDelta::Add(b.clone())];
        assert_eq!(set.changed(deltas).unwrap().as_slice(), [b]);
    }

    #[test]
    fn a_thousand_bindings_fit_and_no_more() {
        let many = |count: usize| (0..count).map(|number| binding(Role::Viewer, &number.to_string()));
        let full = BindingSet::new(many(MAX_BINDINGS)).unwrap();
        assert!(BindingSet::new(many(MAX_BINDINGS + 1)).is_err());
        assert!(full.clone().changed([BindingDelta::Add(binding(Role::Viewer, "more"))]).is_err());
        let swap = [BindingDelta::Remove(binding(Role::Viewer, "0")), BindingDelta::Add(binding(Role::Viewer, "more"))];
        assert!(full.changed(swap).is_ok());
    }

    #[test]
    fn the_first_form_of_a_stored_binding_names_a_person() {
        let id = PrincipalId::from_bytes([7; 16]);
        let stored = format!(r#"[{{"role":"kms.admin","principal_id":"{id}"}}]"#);
        let set: BindingSet = serde_json::from_str(&stored).unwrap();
        assert_eq!(set.as_slice(), [Binding { role: Role::Admin, subject: Subject::of(PrincipalKind::User, id) }]);
        let again: BindingSet = serde_json::from_str(&serde_json::to_string(&set).unwrap()).unwrap();
        assert_eq!(again, set);
    }

    #[test]
    fn only_users_and_service_accounts_with_one_of_our_ids_are_principals() {
        let id = PrincipalId::from_bytes([7; 16]);
        for kind in SubjectKind::ALL {
            assert_eq!(SubjectKind::parse(kind.name()), Some(kind));
            let principal = Subject::new(kind, id.to_string()).unwrap().principal();
            let ours = matches!(kind, SubjectKind::UserAccount | SubjectKind::ServiceAccount);
            assert_eq!(principal.is_some(), ours);
            assert_eq!(Subject::new(kind, "ajeabc".into()).unwrap().principal(), None);
        }
        assert!(Subject::new(SubjectKind::Group, String::new()).is_err());
        assert!(Subject::new(SubjectKind::Group, "x".repeat(101)).is_err());
    }
}
