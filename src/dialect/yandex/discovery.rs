//! `ApiEndpointService`: SDKs ask it, without a token, where each service answers. Here all answer on one address.

use super::errors::WireError;
use super::proto::yandex::cloud::endpoint::{
    ApiEndpoint, GetApiEndpointRequest, ListApiEndpointsRequest, ListApiEndpointsResponse,
};
use tonic::Code;

/// The ids that SDKs of the cloud ask for.
const IDS: [&str; 5] = ["kms", "kms-crypto", "operation", "iam", "endpoint"];

/// Answers where services are.
#[derive(Debug, Clone)]
pub struct Discovery {
    address: String,
}

impl Discovery {
    /// All services are at `address` (`host:port`).
    #[must_use]
    pub const fn new(address: String) -> Self {
        Self { address }
    }

    /// `ApiEndpointService.Get`.
    ///
    /// # Errors
    /// `NOT_FOUND` for an id that is not served.
    pub fn endpoint(&self, message: &GetApiEndpointRequest) -> Result<ApiEndpoint, WireError> {
        let id = message.api_endpoint_id.as_str();
        let known = IDS.into_iter().find(|known| *known == id);
        known.map(|id| self.at(id)).ok_or_else(|| WireError::new(Code::NotFound, format!("endpoint {id:?} not found")))
    }

    /// `ApiEndpointService.List`, always in one page.
    #[must_use]
    pub fn endpoints(&self, _: &ListApiEndpointsRequest) -> ListApiEndpointsResponse {
        let endpoints = IDS.into_iter().map(|id| self.at(id)).collect();
        ListApiEndpointsResponse { endpoints, next_page_token: String::new() }
    }

    fn at(&self, id: &str) -> ApiEndpoint {
        ApiEndpoint { id: id.to_owned(), address: self.address.clone() }
    }
}
