//! Wire formats over one core: each dialect parses, makes one service call and renders.

pub mod aws;
pub mod days;
pub mod native;
pub mod ncloud;
pub mod page_token;
pub mod unambiguous;
pub mod whole_body;
pub mod wiped;
pub mod yandex;

use http::{HeaderMap, HeaderValue, header};

/// The id of a request, as it stands in logs and in `x-request-id` of the answer. A middleware of the server
/// makes it and puts it into the request's extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestId(pub String);

/// A text for callers of at most `limit` characters: it may quote what one of them sent.
fn cut(text: String, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Whether the headers say that the request is gRPC.
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    content_type.starts_with(b"application/grpc")
}
