//! Wire formats over one core: each dialect parses, makes one service call and renders.

pub mod aws;
pub mod native;
pub mod page_token;
pub mod unambiguous;
pub mod whole_body;
pub mod wiped;
pub mod yandex;

/// The id of a request, as it stands in logs and in `x-request-id` of the answer. A middleware of the server
/// makes it and puts it into the request's extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestId(pub String);
