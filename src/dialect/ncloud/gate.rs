//! What every request passes before its operation: whose it is, who sent it, whether it may be sent so.
//!
//! Authentication comes first: who is not known learns nothing, not even whether a path exists.

use super::NcloudDeps;
use super::call::{Call, dispatch as handle_call};
use super::error::{Code, GatewayCode, NcloudError};
use super::input::Input;
use super::output::Output;
use super::route::{Api, NoRoute, Proof, Route, Target};
use crate::auth::body_budget::Sender;
use crate::auth::ncloud::Identified;
use crate::auth::{NcloudAuthError, Peer};
use crate::dialect::whole_body::{BodyError, whole};
use crate::dialect::{RequestId, is_grpc};
use crate::domain::Dialect;
use crate::domain::access::{Caller, Origin};
use crate::domain::key_token::TokenUse;
use crate::service::request::RequestContext;
use crate::telemetry::RequestNotes;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;

/// The largest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// What the names of all headers of this dialect begin with.
const HEADER_PREFIX: &str = "x-ncp-";

/// Whether a request is one of this dialect, whatever becomes of it: by its path alone where no other dialect has such
/// paths, else by its headers.
#[must_use]
pub fn is_ncloud(request: &Request) -> bool {
    let path = request.uri().path();
    let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_grpc(request.headers()) {
        return false;
    }
    if below("/keys/v2") || below("/keys/v1") {
        return true;
    }
    below("/kms/v1") && request.headers().keys().any(|name| name.as_str().starts_with(HEADER_PREFIX))
}

/// Answers requests of this dialect, and lets others through.
pub async fn dispatch(State(deps): State<Arc<NcloudDeps>>, request: Request, next: Next) -> Response {
    if !is_ncloud(&request) {
        return next.run(request).await;
    }
    let notes = request.extensions().get::<RequestNotes>().cloned();
    match answer(&deps, request, notes.as_ref()).await {
        Ok(output) => output.into_response(),
        Err(error) => {
            error.note(notes.as_ref());
            error.into_response()
        }
    }
}

async fn answer(deps: &NcloudDeps, request: Request, notes: Option<&RequestNotes>) -> Result<Output, NcloudError> {
    let (head, body) = request.into_parts();
    let route = Route::of(&head.method, head.uri.path());
    if let Some(notes) = notes {
        notes.operation("ncloud", route.as_ref().map_or("unknown", |route| route.operation.name()));
    }
    let key_id = route.as_ref().ok().and_then(Route::key_id);
    let identified = deps.requests.identify(&head, key_id).await?;
    if let Some(notes) = notes {
        notes.principal(identified.caller.principal_id);
    }
    // Many requests end before a use case: each counts here, and once.
    let counted = deps.kms.count_incoming(&identified.caller)?;
    let route = route.map_err(no_route)?;
    require_proof(route, &identified)?;
    let Identified { caller, key_token } = identified;
    let address = head.extensions.get::<Peer>().map(|peer| peer.address);
    let input = match route.operation.has_body() {
        true => read(deps, body, &caller, address).await?,
        false => Input::default(),
    };
    let request_id = head.extensions.get::<RequestId>().cloned().unwrap_or_default().0;
    let origin = Origin { address, key_token };
    let ctx = RequestContext { request_id, caller, dialect: Dialect::Ncloud, region: None, origin, counted };
    let query = head.uri.query().unwrap_or_default();
    handle_call(&Call { kms: &deps.kms, ctx, route, query, base_url: &deps.base_url }, input).await
}

fn no_route(none: NoRoute) -> NcloudError {
    let details = match none {
        NoRoute::Path => "Nothing is served at this path.".to_owned(),
        NoRoute::Method(allowed) => format!("This path takes {allowed} only."),
        NoRoute::SignatureV1 => "Signature v1 is not served: use /keys/v2 with signature v2.".to_owned(),
    };
    NcloudError::gateway(GatewayCode::NotFound, details)
}

/// Refuses an operation by another proof than it takes.
fn require_proof(route: Route, identified: &Identified) -> Result<(), NcloudError> {
    if identified.key_token.is_some() && route.key == Some(Target::Nobody) {
        return Err(NcloudAuthError::Token.into());
    }
    let usage = identified.key_token.map(|token| token.usage);
    let fits = match (route.operation.proof(), usage) {
        (Proof::Signature | Proof::Access, None) | (Proof::Refresh, Some(TokenUse::Refresh)) => true,
        (Proof::Access, Some(TokenUse::Access)) => route.api == Api::Two,
        _ => false,
    };
    let wanted = match route.operation.proof() {
        Proof::Signature => "a signature",
        Proof::Access if route.api == Api::One => "a signature",
        Proof::Access => "a signature or an access token",
        Proof::Refresh => "a refresh token",
    };
    if fits { Ok(()) } else { Err(NcloudError::new(Code::Unauthorized, format!("this operation takes {wanted}"))) }
}

/// A body is read after its sender is known, within the room that there is for bodies.
async fn read(deps: &NcloudDeps, body: Body, caller: &Caller, address: Option<IpAddr>) -> Result<Input, NcloudError> {
    let sender = Sender { address, credential_id: caller.credential_id };
    let (body, _held) = whole(body, MAX_BODY_BYTES, &deps.bodies, sender).await.map_err(unread)?;
    // Once more: the credential may have been revoked while the body came in.
    deps.kms.require_in_force(caller).await?;
    Input::read(&body)
}

/// A refusal of a body.
fn unread(error: BodyError) -> NcloudError {
    match error {
        BodyError::TooLarge => NcloudError::gateway(
            GatewayCode::TooLarge,
            format!("The body of the request must be at most {MAX_BODY_BYTES} bytes long."),
        ),
        BodyError::Incomplete => {
            NcloudError::gateway(GatewayCode::BadRequest, "The body of the request is not complete.")
        }
        BodyError::TooSlow => {
            NcloudError::gateway(GatewayCode::BadRequest, "The body of the request did not arrive in time.")
        }
        BodyError::NoRoom(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/kms/v1/keys", &["x-ncp-iam-access-key"], true)]
    #[case("/kms/v1/keys", &["x-ncp-lang"], true)]
    #[case("/kms/v1/keys", &["x-ncp-ocapi-token", "authorization"], true)]
    #[case("/kms/v1/keys", &["authorization"], false)]
    #[case("/kms/v1/keys", &[], false)]
    #[case("/kms/v1/nothing", &["x-ncp-lang"], true)]
    #[case("/kms/v1x/keys", &["x-ncp-lang"], false)]
    #[case("/claviger/v1/whoami", &["x-ncp-lang"], false)]
    #[case("/", &["x-ncp-lang", "x-amz-target"], false)]
    #[case("/keys/v2/x/encrypt", &[], true)]
    #[case("/keys/v2/x/encrypt", &["authorization"], true)]
    #[case("/keys/v1/x/encrypt", &[], true)]
    #[case("/keys/v3/x/encrypt", &["x-ncp-lang"], false)]
    fn shared_paths_are_told_apart_by_their_headers(
        #[case] path: &str,
        #[case] headers: &[&str],
        #[case] expected: bool,
    ) {
        let request = headers.iter().fold(Request::builder().uri(path), |request, name| request.header(*name, "x"));
        assert_eq!(is_ncloud(&request.body(Body::empty()).unwrap()), expected);
    }

    #[test]
    fn grpc_is_never_of_this_dialect() {
        let request = Request::builder().uri("/kms/v1/keys").header("x-ncp-lang", "x");
        let request = request.header("content-type", "application/grpc").body(Body::empty()).unwrap();
        assert!(!is_ncloud(&request));
    }
}
