//! Pages of lists: their size, their tokens, and how much fits into one answer.

use super::invalid;
use crate::dialect::page_token::{self, Place};
use crate::service::error::ServiceError;
use crate::service::ports::{Cursor, Page};
use prost::Message;

/// Rows of a page if the client does not say.
const DEFAULT_PAGE_SIZE: u32 = 100;
/// Most rows of a page.
const MAX_PAGE_SIZE: u32 = 1000;
/// gRPC clients refuse messages above 4 MiB by default, so a page ends before that.
const MAX_PAGE_BYTES: usize = 3 * 1024 * 1024;

/// Which list a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Keys of a folder.
    Keys,
    /// Versions of a key.
    Versions,
    /// Operations of a key.
    Operations,
    /// Access bindings of a key.
    KeyBindings,
    /// Access bindings of a folder.
    FolderBindings,
    /// Access bindings of the service.
    ServiceBindings,
    /// Folders of the service.
    Folders,
    /// Principals of a folder.
    Principals,
    /// Credentials of a principal.
    Credentials,
}

impl List {
    const fn of(self, resource: &[u8; 16]) -> Place<'_> {
        Place { list: self.code(), resource, region: "" }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Keys => 1,
            Self::Versions => 2,
            Self::Operations => 3,
            Self::KeyBindings => 4,
            Self::FolderBindings => 5,
            Self::ServiceBindings => 6,
            Self::Folders => 7,
            Self::Principals => 8,
            Self::Credentials => 9,
        }
    }
}

/// Reads the size of a page.
///
/// # Errors
/// [`ServiceError::Invalid`] outside of 0 to 1000.
pub fn page_size(size: i64) -> Result<u32, ServiceError> {
    match u32::try_from(size) {
        Ok(0) => Ok(DEFAULT_PAGE_SIZE),
        Ok(limit) if limit <= MAX_PAGE_SIZE => Ok(limit),
        _ => Err(invalid(format!("page_size must be between 0 and {MAX_PAGE_SIZE}"))),
    }
}

/// Reads the token of a page of `list` of the folder or key with the id `resource`; `None` is the first page.
///
/// # Errors
/// [`ServiceError::Invalid`] for a token that was not handed out for this list.
pub fn page_after(list: List, resource: &[u8; 16], token: &str) -> Result<Option<Cursor>, ServiceError> {
    if token.is_empty() {
        return Ok(None);
    }
    let after = page_token::read(list.of(resource), token);
    after.map(Some).ok_or_else(|| invalid("page_token is not one of this list"))
}

/// The token of the page after `next`; empty on the last page.
#[must_use]
pub fn next_token(list: List, resource: &[u8; 16], next: Option<Cursor>) -> String {
    next.map(|cursor| page_token::write(list.of(resource), cursor)).unwrap_or_default()
}

/// Renders the rows of a page, as many as fit into one answer, and says where the next page begins.
///
/// `cursor_of` is the place of a row in the list.
pub fn render_page<T, M: Message>(
    page: Page<T>,
    render: impl Fn(T) -> M,
    cursor_of: impl Fn(&T) -> Cursor,
) -> (Vec<M>, Option<Cursor>) {
    let mut messages = Vec::with_capacity(page.items.len());
    let (mut bytes, mut last) = (0, None);
    for item in page.items {
        let cursor = cursor_of(&item);
        let message = render(item);
        bytes += message.encoded_len();
        if bytes > MAX_PAGE_BYTES && last.is_some() {
            return (messages, last);
        }
        messages.push(message);
        last = Some(cursor);
    }
    (messages, page.next)
}

#[cfg(test)]
mod tests {
    use super::super::super::proto::yandex::cloud::endpoint::ApiEndpoint;
    use super::*;
    use rstest::rstest;

    const HERE: [u8; 16] = [7; 16];
    const CURSOR: Cursor = Cursor { at: -1_700_000_000_000_000, id: [9; 16] };

    #[rstest]
    #[case(0, Some(100))]
    #[case(1, Some(1))]
    #[case(1000, Some(1000))]
    #[case(1001, None)]
    #[case(-1, None)]
    #[case(i64::MIN, None)]
    #[case(i64::MAX, None)]
    fn the_page_size_has_a_default_and_limits(#[case] size: i64, #[case] limit: Option<u32>) {
        assert_eq!(page_size(size).ok(), limit);
    }

    #[rstest]
    #[case(List::Keys)]
    #[case(List::Versions)]
    #[case(List::Operations)]
    #[case(List::KeyBindings)]
    #[case(List::FolderBindings)]
    #[case(List::ServiceBindings)]
    #[case(List::Folders)]
    #[case(List::Principals)]
    #[case(List::Credentials)]
    fn a_token_leads_to_the_next_page(#[case] list: List) {
        let token = next_token(list, &HERE, Some(CURSOR));
        assert!(token.len() <= page_token::MAX_CHARS);
        assert_eq!(page_after(list, &HERE, &token).unwrap(), Some(CURSOR));
    }

    #[test]
    fn the_last_page_has_an_empty_token() {
        assert_eq!(next_token(List::Keys, &HERE, None), "");
    }

    #[test]
    fn a_token_of_another_list_or_resource_is_refused() {
        let token = next_token(List::Keys, &HERE, Some(CURSOR));
        assert!(page_after(List::Versions, &HERE, &token).is_err());
        assert!(page_after(List::Keys, &[8; 16], &token).is_err());
    }

    #[test]
    fn every_changed_character_makes_a_token_bad() {
        let token = next_token(List::Keys, &HERE, Some(CURSOR));
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(page_after(List::Keys, &HERE, &changed).is_err(), "{changed}");
        }
    }

    #[rstest]
    #[case("x")]
    #[case("!!!!")]
    #[case("\u{444}")]
    #[case(&"A".repeat(101))]
    fn garbage_is_not_a_token(#[case] token: &str) {
        assert!(matches!(page_after(List::Keys, &HERE, token), Err(ServiceError::Invalid(_))));
    }

    #[test]
    fn a_page_ends_before_it_is_too_large_for_a_client() {
        let items: Vec<i64> = (0..4).collect();
        let page = Page { items, next: None };
        let render = |_| ApiEndpoint { id: String::new(), address: "a".repeat(1024 * 1024) };
        let (messages, next) = render_page(page, render, |at| Cursor { at: *at, id: [0; 16] });
        assert_eq!(messages.len(), 2);
        assert_eq!(next, Some(Cursor { at: 1, id: [0; 16] }));
    }

    #[test]
    fn a_page_that_fits_keeps_its_own_next() {
        let page = Page { items: vec![1_i64, 2], next: Some(CURSOR) };
        let (messages, next) = render_page(page, |_| ApiEndpoint::default(), |_| CURSOR);
        assert_eq!((messages.len(), next), (2, Some(CURSOR)));
    }
}
