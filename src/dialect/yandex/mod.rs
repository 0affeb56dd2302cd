//! The native dialect: Yandex Cloud KMS over gRPC and REST, on one router.
//!
//! A request passes [`gate`] (who calls), is read by [`convert`] (what is asked), makes one service call in [`rpc`]
//! and is written by [`render`]. docs/dialects/yandex.md lists what is served and where it differs from the cloud.

pub mod convert;
pub mod discovery;
pub mod errors;
pub mod gate;
pub mod grpc;
pub mod iam;
pub mod json;
pub mod names;
#[expect(missing_docs, reason = "generated")]
#[expect(clippy::allow_attributes, clippy::module_inception, clippy::too_many_lines, reason = "generated")]
pub mod proto;
mod redacted;
pub mod render;
pub mod rest;
pub mod rpc;
pub mod wkt;

use crate::auth::{Authenticator, Logins};
use crate::dialect::native;
use crate::service::Kms;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use discovery::Discovery;
use gate::{Form, Gate};
use grpc::Services;
use iam::IamTokens;
use proto::yandex::cloud::endpoint::api_endpoint_service_server::ApiEndpointServiceServer;
use proto::yandex::cloud::iam::v1::iam_token_service_server::IamTokenServiceServer;
use proto::yandex::cloud::kms::v1::symmetric_crypto_service_server::SymmetricCryptoServiceServer;
use proto::yandex::cloud::kms::v1::symmetric_key_service_server::SymmetricKeyServiceServer;
use proto::yandex::cloud::operation::operation_service_server::OperationServiceServer;
use std::convert::Infallible;
use std::sync::Arc;
use tonic::server::NamedService;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower::Service;

/// The largest message that is read, in bytes: gRPC's default.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Services that are known and answer UNIMPLEMENTED.
const NOT_SERVED: [&str; 4] = [
    "yandex.cloud.kms.v1.asymmetricencryption.AsymmetricEncryptionKeyService",
    "yandex.cloud.kms.v1.asymmetricencryption.AsymmetricEncryptionCryptoService",
    "yandex.cloud.kms.v1.asymmetricsignature.AsymmetricSignatureKeyService",
    "yandex.cloud.kms.v1.asymmetricsignature.AsymmetricSignatureCryptoService",
];

/// What the dialect is built on.
pub struct YandexDeps {
    /// The core.
    pub kms: Arc<Kms>,
    /// Finds out who calls.
    pub authenticator: Arc<dyn Authenticator>,
    /// Lets service accounts log in.
    pub logins: Arc<dyn Logins>,
    /// `host:port` that discovery hands out.
    pub advertised_address: String,
    /// Whether server reflection is served.
    pub reflection: bool,
    /// Serves `grpc.health.v1` from this reporter's statuses.
    pub health: Option<HealthReporter>,
}

/// All routes of the dialect, and the answer for paths that nothing serves.
///
/// # Errors
/// The text of the reflection library if it cannot read our own descriptors.
pub fn routes(deps: YandexDeps) -> Result<Router, String> {
    let discovery = Discovery::new(deps.advertised_address);
    let gate = |form| Gate { authenticator: Arc::clone(&deps.authenticator), form };
    let protected_grpc = grpc_services(&deps.kms).layer(from_fn_with_state(gate(Form::Grpc), gate::authenticated));
    let protected_rest = rest::protected(Arc::clone(&deps.kms))
        .merge(native::protected(deps.kms))
        .layer(from_fn_with_state(gate(Form::Rest), gate::authenticated));
    let tokens = IamTokens::new(deps.logins);
    let open_grpc = open_grpc_services(discovery.clone(), tokens.clone()).layer(from_fn(gate::open_grpc));
    let router = protected_grpc
        .merge(protected_rest)
        .merge(open_grpc)
        .merge(rest::open(Arc::new(discovery)))
        .merge(iam::rest(tokens))
        .merge(library_services(deps.reflection, deps.health)?)
        .fallback(rest::no_such_path)
        .layer(from_fn(gate::named));
    Ok(router)
}

/// The services that need a caller.
fn grpc_services(kms: &Arc<Kms>) -> Router {
    let services = Services::new(Arc::clone(kms));
    let router = Router::new();
    let keys = SymmetricKeyServiceServer::new(services.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let crypto = SymmetricCryptoServiceServer::new(services.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let operations = OperationServiceServer::new(services).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let router = serve(serve(serve(router, keys), crypto), operations);
    NOT_SERVED
        .iter()
        .fold(router, |router, name| router.route(&format!("/{name}/{{method}}"), axum::routing::any(asymmetric)))
}

/// The services that need none: discovery, and logins.
fn open_grpc_services(discovery: Discovery, tokens: IamTokens) -> Router {
    let endpoints = ApiEndpointServiceServer::new(discovery).max_decoding_message_size(iam::MAX_MESSAGE_BYTES);
    let tokens = IamTokenServiceServer::new(tokens).max_decoding_message_size(iam::MAX_MESSAGE_BYTES);
    serve(serve(Router::new(), endpoints), tokens)
}

async fn asymmetric(request: Request) -> axum::response::Response {
    gate::grpc_refusal(&rpc::NO_ASYMMETRIC_KEYS.into(), &gate::request_id(request.extensions()))
}

/// Services that the gRPC library brings along; they need no caller.
fn library_services(reflection: bool, health: Option<HealthReporter>) -> Result<Router, String> {
    let mut router = Router::new();
    if let Some(reporter) = health {
        router = serve(router, HealthServer::new(HealthService::from_health_reporter(reporter)));
    }
    if !reflection {
        return Ok(router);
    }
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let text = |error: tonic_reflection::server::Error| error.to_string();
    let v1 = builder().build_v1().map_err(text)?;
    let v1alpha = builder().build_v1alpha().map_err(text)?;
    Ok(serve(serve(router, v1), v1alpha))
}

/// Adds a gRPC service under its name.
fn serve<S>(router: Router, service: S) -> Router
where
    S: Service<Request, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    router.route_service(&format!("/{}/{{method}}", S::NAME), service)
}
