//! Access bindings, of keys here and of folders and the service in [`native`](crate::dialect::native).
//!
//! A request is taken as a whole or refused: one wrong binding and nothing of it is set.

use super::super::proto::yandex::cloud::access::{
    AccessBinding, AccessBindingAction, AccessBindingDelta, ListAccessBindingsRequest,
};
use super::invalid;
use super::page::{List, next_token, page_after, page_size};
use crate::domain::access::{Binding, BindingDelta, BindingSet, MAX_BINDINGS, Role, Subject, SubjectKind};
use crate::domain::id::KeyId;
use crate::service::error::{Missing, ServiceError};
use crate::service::ports::{BindingScope, Cursor, Stored};

/// The longest id of a resource that is looked at, in characters.
const MAX_RESOURCE_CHARS: usize = 64;
/// The longest name of a role that is looked at, in characters.
const MAX_ROLE_CHARS: usize = 64;
/// The longest id and type of a subject, in characters.
const MAX_SUBJECT_CHARS: usize = 100;
/// The longest page token, in characters.
const MAX_TOKEN_CHARS: usize = 2000;
/// Roles of keys that are not served yet: a refusal has no room for their names.
const ASYMMETRIC: &str = "kms.asymmetric";

/// The key whose bindings a request is about.
///
/// # Errors
/// [`ServiceError::Invalid`] or [`ServiceError::NotFound`].
pub fn key_scope(resource_id: &str) -> Result<BindingScope, ServiceError> {
    required("resource_id", resource_id, MAX_RESOURCE_CHARS)?;
    let missing = || ServiceError::NotFound { what: Missing::Key, id: resource_id.to_owned() };
    KeyId::parse(resource_id).map(BindingScope::Key).ok_or_else(missing)
}

/// The bindings that a resource shall have.
///
/// # Errors
/// [`ServiceError::Invalid`] for more than 1000, and for one that is not well-formed or names no role of ours.
pub fn binding_set(bindings: Vec<AccessBinding>) -> Result<BindingSet, ServiceError> {
    if bindings.len() > MAX_BINDINGS {
        return Err(invalid(format!("access_bindings must have at most {MAX_BINDINGS} items")));
    }
    let read = |(index, message)| binding(&format!("access_bindings[{index}]"), message);
    let bindings = bindings.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(BindingSet::new(bindings)?)
}

/// The changes of a resource's bindings.
///
/// # Errors
/// [`ServiceError::Invalid`] unless there are 1 to 1000, each with an action and a binding as
/// [`binding_set`] takes them.
pub fn binding_deltas(deltas: Vec<AccessBindingDelta>) -> Result<Vec<BindingDelta>, ServiceError> {
    if deltas.is_empty() || deltas.len() > MAX_BINDINGS {
        return Err(invalid(format!("access_binding_deltas must have 1 to {MAX_BINDINGS} items")));
    }
    deltas.into_iter().enumerate().map(|(index, message)| delta(index, message)).collect()
}

fn delta(index: usize, message: AccessBindingDelta) -> Result<BindingDelta, ServiceError> {
    let place = format!("access_binding_deltas[{index}]");
    let change = match AccessBindingAction::try_from(message.action) {
        Ok(AccessBindingAction::Add) => BindingDelta::Add,
        Ok(AccessBindingAction::Remove) => BindingDelta::Remove,
        Ok(AccessBindingAction::Unspecified) => return Err(invalid(format!("{place}.action is required"))),
        Err(_) => return Err(invalid(format!("{place}.action: {} is not an action", message.action))),
    };
    let place = format!("{place}.access_binding");
    let message = message.access_binding.ok_or_else(|| invalid(format!("{place} is required")))?;
    Ok(change(binding(&place, message)?))
}

/// One binding; `place` is where it stands in the message.
fn binding(place: &str, message: AccessBinding) -> Result<Binding, ServiceError> {
    required(&format!("{place}.role_id"), &message.role_id, MAX_ROLE_CHARS)?;
    let subject = message.subject.ok_or_else(|| invalid(format!("{place}.subject is required")))?;
    required(&format!("{place}.subject.id"), &subject.id, MAX_SUBJECT_CHARS)?;
    required(&format!("{place}.subject.type"), &subject.r#type, MAX_SUBJECT_CHARS)?;
    let role = Role::parse(&message.role_id).ok_or_else(|| unknown_role(place, &message.role_id))?;
    let kind = SubjectKind::parse(&subject.r#type).ok_or_else(|| unknown_kind(place, &subject.r#type))?;
    Ok(Binding { role, subject: Subject::new(kind, subject.id)? })
}

fn required(field: &str, text: &str, max_chars: usize) -> Result<(), ServiceError> {
    match text.chars().count() {
        0 => Err(invalid(format!("{field} is required"))),
        count if count > max_chars => Err(invalid(format!("{field} must be at most {max_chars} characters long"))),
        _ => Ok(()),
    }
}

fn unknown_role(place: &str, name: &str) -> ServiceError {
    let known = Role::ALL.into_iter().map(Role::name).filter(|name| !name.starts_with(ASYMMETRIC));
    let known: Vec<_> = known.collect();
    invalid(format!("{place}.role_id: {name:?} is not a role; roles are {}", known.join(", ")))
}

fn unknown_kind(place: &str, name: &str) -> ServiceError {
    let known = SubjectKind::ALL.map(SubjectKind::name);
    invalid(format!("{place}.subject.type: {name:?} is not a type; types are {}", known.join(", ")))
}

/// Which part of a resource's bindings a client wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindingsPage {
    scope: BindingScope,
    limit: usize,
    after: Option<Place>,
}

/// A place in one state of a set of bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// The state: the sequence number of the set's row.
    row_seq: u64,
    /// How many bindings come before.
    index: usize,
}

/// Reads which page of the bindings of `scope` is wanted. The message's `resource_id` is not looked at.
///
/// # Errors
/// [`ServiceError::Invalid`] for a size outside of 0 to 1000 and a token that was not handed out for this resource.
pub fn bindings_page(scope: BindingScope, message: &ListAccessBindingsRequest) -> Result<BindingsPage, ServiceError> {
    let limit = usize::try_from(page_size(message.page_size)?).unwrap_or(MAX_BINDINGS);
    if message.page_token.chars().count() > MAX_TOKEN_CHARS {
        return Err(invalid(format!("page_token must be at most {MAX_TOKEN_CHARS} characters long")));
    }
    let (list, resource) = list_of(scope);
    let after = page_after(list, &resource, &message.page_token)?.map(Place::read).transpose()?;
    Ok(BindingsPage { scope, limit, after })
}

impl BindingsPage {
    /// The bindings of this page, and the token of the next one, which is empty on the last page.
    ///
    /// Bindings have no order but that of their set, and a set is changed as a whole: a page continues the state that
    /// the page before it showed, or none.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] if the set was changed since the page before.
    pub fn of(self, stored: &Stored<BindingSet>) -> Result<(&[Binding], String), ServiceError> {
        let begin = self.after.map_or(Ok(0), |after| after.index_in(stored))?;
        let rest = stored.value.as_slice().get(begin..).unwrap_or_default();
        let (shown, left) = rest.split_at(self.limit.min(rest.len()));
        if left.is_empty() {
            return Ok((shown, String::new()));
        }
        let next = Place { row_seq: stored.row_seq, index: begin + shown.len() };
        let (list, resource) = list_of(self.scope);
        Ok((shown, next_token(list, &resource, Some(next.cursor()))))
    }
}

impl Place {
    fn index_in(self, stored: &Stored<BindingSet>) -> Result<usize, ServiceError> {
        if self.row_seq == stored.row_seq {
            return Ok(self.index);
        }
        Err(invalid("the access bindings were changed since page_token was handed out: list them again without it"))
    }

    /// As the tokens of lists hold places: both numbers are far below the limits of their fields.
    fn cursor(self) -> Cursor {
        let at = i64::try_from(self.row_seq).unwrap_or(i64::MAX);
        let index = u128::try_from(self.index).unwrap_or(u128::MAX);
        Cursor { at, id: index.to_be_bytes() }
    }

    fn read(cursor: Cursor) -> Result<Self, ServiceError> {
        let malformed = |_| invalid("page_token is not one of this list");
        let row_seq = u64::try_from(cursor.at).map_err(malformed)?;
        Ok(Self { row_seq, index: usize::try_from(u128::from_be_bytes(cursor.id)).map_err(malformed)? })
    }
}

/// What the tokens of a resource's bindings are bound to.
const fn list_of(scope: BindingScope) -> (List, [u8; 16]) {
    match scope {
        BindingScope::Service => (List::ServiceBindings, [0; 16]),
        BindingScope::Folder(id) => (List::FolderBindings, *id.as_bytes()),
        BindingScope::Key(id) => (List::KeyBindings, *id.as_bytes()),
    }
}

#[cfg(test)]
mod tests;
