//! Access bindings to wire messages.

use super::super::convert::BindingsPage;
use super::super::proto::yandex::cloud::access::{AccessBinding, ListAccessBindingsResponse, Subject};
use crate::domain::access::{Binding, BindingSet};
use crate::service::error::ServiceError;
use crate::service::ports::Stored;

/// A page of the bindings of a resource, as they were set.
///
/// # Errors
/// [`ServiceError::Invalid`] if they were changed since the page before.
pub fn bindings_page(
    page: BindingsPage,
    stored: &Stored<BindingSet>,
) -> Result<ListAccessBindingsResponse, ServiceError> {
    let (shown, next_page_token) = page.of(stored)?;
    Ok(ListAccessBindingsResponse { access_bindings: shown.iter().map(binding).collect(), next_page_token })
}

fn binding(binding: &Binding) -> AccessBinding {
    let subject = &binding.subject;
    AccessBinding {
        role_id: binding.role.name().to_owned(),
        subject: Some(Subject { id: subject.id().to_owned(), r#type: subject.kind.name().to_owned() }),
    }
}
