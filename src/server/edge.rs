//! The frame around every request: its id, its longest time, panics, the one log line and the metrics. The size of
//! bodies is limited by the dialects, which answer in their own form.

use super::leftover::Leftover;
use crate::auth::Peer;
use crate::dialect::aws::error::{AwsError, Code as AwsCode};
use crate::dialect::aws::gate::is_aws;
use crate::dialect::ncloud::error::{Code as NcloudCode, GatewayCode, NcloudError};
use crate::dialect::ncloud::gate::is_ncloud;
use crate::dialect::yandex::errors::{WireError, rest_response};
use crate::dialect::{RequestId, is_grpc};
use crate::service::ports::IdSource;
use crate::telemetry::{RequestNotes, Stopwatch, metrics};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;
use tower_http::catch_panic::CatchPanicLayer;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The same id where clients of AWS look for it.
const X_AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// The same where clients of Ncloud do.
const X_NCP_REQUEST_ID: HeaderName = HeaderName::from_static("x-ncp-request-id");
const MAX_REQUEST_ID_BYTES: usize = 64;

/// What the frame needs.
pub struct Edge {
    /// Makes ids for requests that have none.
    pub ids: Arc<dyn IdSource>,
    /// The longest time for a request.
    pub request_timeout: Duration,
}

/// Puts the frame around `router`.
pub fn around(router: Router, edge: Edge) -> Router {
    router.layer(CatchPanicLayer::custom(panicked)).layer(from_fn_with_state(Arc::new(edge), handle))
}

/// How a request is answered where no dialect could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// gRPC: trailers only.
    Grpc,
    /// REST: a JSON body.
    Rest,
    /// AWS: JSON 1.1.
    Aws,
    /// Ncloud: a JSON body with an error object.
    Ncloud,
}

impl Form {
    fn of(request: &Request) -> Self {
        if is_grpc(request.headers()) {
            Self::Grpc
        } else if is_aws(request) {
            Self::Aws
        } else if is_ncloud(request) {
            Self::Ncloud
        } else {
            Self::Rest
        }
    }
}

/// Why no dialect answered.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Panicked,
    TooSlow,
}

/// Marks the answer of a request whose code panicked.
#[derive(Clone)]
struct Panicked;

/// The panic's text stays unseen: it may hold what the code was working on.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Panicked);
    response
}

async fn handle(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let form = Form::of(&request);
    let grpc = form == Form::Grpc;
    let id = request_id(&request, form, edge.ids.as_ref());
    let notes = RequestNotes::default();
    let quiet = matches!(request.uri().path(), "/healthz" | "/readyz" | "/metrics");
    let method = request.method().clone();
    let source = request.extensions().get::<Peer>().map(|peer| peer.address);
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(notes.clone());
    // gRPC ends a stream that it has answered without harm, and a client may keep one open on purpose.
    let (request, leftover) = if grpc { (request, Leftover::default()) } else { Leftover::of(request) };
    let answered = tokio::time::timeout(edge.request_timeout, next.run(request)).await;
    let mut response = match answered {
        Ok(response) if response.extensions().get::<Panicked>().is_some() => failure(form, Failure::Panicked, &id),
        Ok(response) => response,
        Err(_) => failure(form, Failure::TooSlow, &id),
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        let own_name = match form {
            Form::Aws => Some(X_AMZN_REQUEST_ID),
            Form::Ncloud => Some(X_NCP_REQUEST_ID),
            Form::Grpc | Form::Rest => None,
        };
        if let Some(name) = own_name {
            response.headers_mut().insert(name, value.clone());
        }
        response.headers_mut().insert(REQUEST_ID, value);
    }
    record(&Record { id: &id, method: method.as_str(), source, grpc, quiet }, &notes, &response, watch.elapsed());
    leftover.discard().await;
    response
}

/// The client's id if it is one that a log bears, else a new one. Clients of AWS are told UUIDs, so theirs must be one.
fn request_id(request: &Request, form: Form, ids: &dyn IdSource) -> String {
    let sane = |id: &&str| {
        let fits = (1..=MAX_REQUEST_ID_BYTES).contains(&id.len());
        fits && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let is_uuid = |id: &&str| uuid::Uuid::try_parse(id).is_ok_and(|uuid| uuid.hyphenated().to_string() == **id);
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let given = given.filter(sane).filter(|id| form != Form::Aws || is_uuid(id));
    given.map_or_else(|| uuid::Uuid::from_bytes(ids.id()).to_string(), str::to_owned)
}

/// The answer where no dialect could give one.
fn failure(form: Form, failure: Failure, request_id: &str) -> Response {
    let (code, aws, message) = match failure {
        Failure::Panicked => (Code::Internal, AwsCode::KMSInternal, "internal error"),
        Failure::TooSlow => (Code::DeadlineExceeded, AwsCode::DependencyTimeout, "the request took too long"),
    };
    let ncloud = || match failure {
        Failure::Panicked => NcloudError::new(NcloudCode::InternalServerError, message),
        Failure::TooSlow => NcloudError::gateway(GatewayCode::EndpointTimeout, message),
    };
    match form {
        Form::Grpc => tonic::Status::new(code, message).into_http::<Body>(),
        Form::Rest => rest_response(&WireError::new(code, message), &RequestId(request_id.to_owned())),
        Form::Aws => AwsError::new(aws, message).into_response(),
        Form::Ncloud => ncloud().into_response(),
    }
}

struct Record<'a> {
    id: &'a str,
    method: &'a str,
    source: Option<IpAddr>,
    grpc: bool,
    quiet: bool,
}

fn record(request: &Record<'_>, notes: &RequestNotes, response: &Response, latency: Duration) {
    let code = code_of(request.grpc, response);
    // Asking for what is not served is no failure of ours.
    let status = response.status();
    let failed = (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED) || notes.noted_cause().is_some();
    let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    let principal = notes.noted_principal().map(tracing::field::display);
    let (dialect, operation) = (notes.noted_dialect(), notes.noted_operation());
    let Record { id, method, source, grpc, quiet } = request;
    macro_rules! log {
        ($target:literal, $level:ident) => {
            tracing::$level!(
                target: $target,
                request_id = id,
                method,
                grpc,
                dialect,
                operation,
                code,
                latency_us,
                principal,
                source = source.map(tracing::field::display),
                cause = notes.noted_cause(),
                "request"
            )
        };
    }
    if failed {
        log!("claviger::request", error);
    } else if *quiet {
        log!("claviger::request::probe", debug);
    } else if uses_keys(operation) && code == if *grpc { 0 } else { 200 } {
        // There may be tens of thousands a second, and a line costs as much as an encryption.
        log!("claviger::request::data", debug);
    } else {
        log!("claviger::request", info);
    }
    if !quiet {
        metrics::request(dialect, operation, code, latency);
    }
}

/// Whether an operation uses keys rather than manages them.
fn uses_keys(operation: &str) -> bool {
    matches!(
        operation,
        "Encrypt"
            | "Decrypt"
            | "ReEncrypt"
            | "GenerateDataKey"
            | "GenerateDataKeyWithoutPlaintext"
            | "GenerateDataKeyPair"
            | "GenerateDataKeyPairWithoutPlaintext"
            | "GenerateRandom"
            | "CreateCustomKey"
    )
}

/// The gRPC code of a gRPC answer, which is in its head unless the call went well; else the HTTP status.
fn code_of(grpc: bool, response: &Response) -> u16 {
    let status = response.status();
    let in_head = response.headers().get("grpc-status").and_then(|value| value.to_str().ok()?.parse().ok());
    match in_head {
        Some(code) if grpc => code,
        None if grpc && status.is_success() => 0,
        _ => status.as_u16(),
    }
}

#[cfg(test)]
mod tests;
