//! Ids, pages and times of requests to checked values.

use super::super::yandex::convert::{List, next_token, page_after, page_size, period};
use super::super::yandex::wkt;
use super::wire::{PageQuery, PrincipalType};
use crate::domain::access::PrincipalKind;
use crate::domain::id::{CredentialId, FolderId, PrincipalId};
use crate::domain::time::Timestamp;
use crate::service::error::{Missing, ServiceError};
use crate::service::ports::{Cursor, Page};

/// 9999-12-30T00:00:00Z. Later instants are not written by every library.
const LAST_END: Timestamp = Timestamp::from_micros(253_402_128_000_000_000);

/// A refusal with a text.
pub fn invalid(text: impl Into<String>) -> ServiceError {
    ServiceError::Invalid(text.into())
}

/// That there is nothing with this id: a text that is no id was never handed out.
fn missing(what: Missing, id: &str) -> ServiceError {
    ServiceError::NotFound { what, id: id.to_owned() }
}

/// The folder of a path.
///
/// # Errors
/// [`ServiceError::NotFound`] if the text is no id.
pub fn folder_id(text: &str) -> Result<FolderId, ServiceError> {
    FolderId::parse(text).ok_or_else(|| missing(Missing::Folder, text))
}

/// The folder that a body or query names.
///
/// # Errors
/// [`ServiceError::Invalid`] if it names none, [`ServiceError::NotFound`] if the text is no id.
pub fn required_folder_id(text: &str) -> Result<FolderId, ServiceError> {
    if text.is_empty() { Err(invalid("folderId is required")) } else { folder_id(text) }
}

/// The principal of a path.
///
/// # Errors
/// [`ServiceError::NotFound`] if the text is no id.
pub fn principal_id(text: &str) -> Result<PrincipalId, ServiceError> {
    PrincipalId::parse(text).ok_or_else(|| missing(Missing::Principal, text))
}

/// The credential of a path.
///
/// # Errors
/// [`ServiceError::NotFound`] if the text is no id.
pub fn credential_id(text: &str) -> Result<CredentialId, ServiceError> {
    CredentialId::parse(text).ok_or_else(|| missing(Missing::Credential, text))
}

/// The kind of a principal.
///
/// # Errors
/// [`ServiceError::Invalid`] if there is none.
pub fn principal_kind(kind: Option<PrincipalType>) -> Result<PrincipalKind, ServiceError> {
    match kind {
        Some(PrincipalType::ServiceAccount) => Ok(PrincipalKind::ServiceAccount),
        Some(PrincipalType::UserAccount) => Ok(PrincipalKind::User),
        None => Err(invalid("type is required")),
    }
}

/// Part of a list: where it begins and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Which list.
    list: List,
    /// What it is a list of.
    resource: [u8; 16],
    /// After which row it begins.
    pub after: Option<Cursor>,
    /// The most rows.
    pub limit: u32,
}

impl Window {
    /// Reads the page that a query asks for.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a size out of range and a token of another list.
    pub fn of(list: List, resource: [u8; 16], query: &PageQuery) -> Result<Self, ServiceError> {
        let limit = page_size(query.page_size)?;
        let after = page_after(list, &resource, &query.page_token)?;
        Ok(Self { list, resource, after, limit })
    }

    /// The rows of a page as they are shown, and the token of the next page.
    pub fn rendered<T, M>(&self, page: Page<T>, render: impl Fn(T) -> M) -> (Vec<M>, String) {
        let next = next_token(self.list, &self.resource, page.next);
        (page.items.into_iter().map(render).collect(), next)
    }
}

/// When a credential ends: at an instant, or some time from `now` on.
///
/// # Errors
/// [`ServiceError::Invalid`] for both at once and for what is neither.
pub fn expires_at(
    at: Option<wkt::Timestamp>,
    ttl: Option<wkt::Duration>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ServiceError> {
    let (end, field) = match (at, ttl) {
        (None, None) => return Ok(None),
        (Some(at), None) => (instant(at)?, "expiresAt"),
        (None, Some(ttl)) => (now.plus(period("ttl", ttl)?), "ttl"),
        (Some(_), Some(_)) => return Err(invalid("give expiresAt or ttl, not both")),
    };
    if end >= LAST_END {
        return Err(invalid(format!("{field} must end before 9999-12-30")));
    }
    Ok(Some(end))
}

/// Whole microseconds; what is finer is cut off.
fn instant(at: wkt::Timestamp) -> Result<Timestamp, ServiceError> {
    let micros = at.seconds.checked_mul(1_000_000).and_then(|it| it.checked_add(i64::from(at.nanos / 1_000)));
    micros.map(Timestamp::from_micros).ok_or_else(|| invalid("expiresAt is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const UUID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    #[rstest]
    #[case("")]
    #[case("x")]
    #[case(&UUID.to_uppercase())]
    #[case(&"a".repeat(1000))]
    fn what_is_no_id_is_not_found(#[case] text: &str) {
        assert!(matches!(folder_id(text), Err(ServiceError::NotFound { what: Missing::Folder, .. })));
        assert!(matches!(principal_id(text), Err(ServiceError::NotFound { what: Missing::Principal, .. })));
        assert!(matches!(credential_id(text), Err(ServiceError::NotFound { what: Missing::Credential, .. })));
    }

    #[test]
    fn a_canonical_id_is_read() {
        assert_eq!(folder_id(UUID).unwrap().to_string(), UUID);
        assert_eq!(required_folder_id(UUID).unwrap().to_string(), UUID);
        assert_eq!(principal_id(UUID).unwrap().to_string(), UUID);
        assert_eq!(credential_id(UUID).unwrap().to_string(), UUID);
    }

    #[test]
    fn a_folder_and_a_type_have_to_be_named() {
        assert!(matches!(required_folder_id(""), Err(ServiceError::Invalid(_))));
        assert!(matches!(principal_kind(None), Err(ServiceError::Invalid(_))));
    }

    #[test]
    fn a_page_leads_to_the_next_one_of_the_same_list_only() {
        let first = Window::of(List::Principals, [1; 16], &PageQuery::default()).unwrap();
        assert_eq!((first.after, first.limit), (None, 100));
        let cursor = Cursor { at: 5, id: [9; 16] };
        let (shown, page_token) = first.rendered(Page { items: vec![1, 2], next: Some(cursor) }, |it| it * 10);
        assert_eq!(shown, [10, 20]);
        let query = PageQuery { page_token, page_size: 7 };
        let second = Window::of(List::Principals, [1; 16], &query).unwrap();
        assert_eq!((second.after, second.limit), (Some(cursor), 7));
        assert!(Window::of(List::Principals, [2; 16], &query).is_err());
        assert!(Window::of(List::Credentials, [1; 16], &query).is_err());
        assert_eq!(second.rendered(Page { items: vec![3], next: None }, |it| it).1, "");
    }

    #[test]
    fn an_end_is_an_instant_or_a_period_from_now() {
        let at = wkt::Timestamp { seconds: 1_800_000_000, nanos: 1_500 };
        assert_eq!(expires_at(Some(at), None, NOW).unwrap(), Some(Timestamp::from_micros(1_800_000_000_000_001)));
        let day = wkt::Duration { seconds: 86_400, nanos: 0 };
        assert_eq!(expires_at(None, Some(day), NOW).unwrap(), Some(Timestamp::from_micros(1_700_086_400_000_000)));
        assert_eq!(expires_at(None, None, NOW).unwrap(), None);
        let negative = wkt::Duration { seconds: -1, nanos: 0 };
        assert!(expires_at(None, Some(negative), NOW).is_err());
        assert!(expires_at(Some(at), Some(day), NOW).is_err());
        let last = LAST_END.as_micros() / 1_000_000;
        let at = |seconds| expires_at(Some(wkt::Timestamp { seconds, nanos: 0 }), None, NOW);
        let after = |seconds| {
            expires_at(None, Some(wkt::Duration { seconds: seconds - NOW.as_micros() / 1_000_000, nanos: 0 }), NOW)
        };
        assert!(at(last - 1).is_ok() && after(last - 1).is_ok());
        for seconds in [last, last + 86_400, 300_000_000_000, 315_576_000_000, i64::MAX / 1_000_000, i64::MAX] {
            assert!(matches!(at(seconds), Err(ServiceError::Invalid(_))), "{seconds}");
            assert!(matches!(after(seconds), Err(ServiceError::Invalid(_))), "{seconds}");
        }
        assert!(at(i64::MIN).is_err());
    }
}
