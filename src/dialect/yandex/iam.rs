//! `IamTokenService`: SDKs that hold a service account's key log in with it. Nobody calls yet, so its routes are open;
//! who guesses is counted and throttled by the logins themselves.

use super::errors::WireError;
use super::proto::yandex::cloud::iam::v1::create_iam_token_request::Identity;
use super::proto::yandex::cloud::iam::v1::{CreateIamTokenRequest, CreateIamTokenResponse};
use super::render;
use super::rest::{Answer, Call, MethodNotAllowed, Outcome, run_open};
use crate::auth::{Logins, Peer};
use crate::service::error::ServiceError;
use crate::telemetry::RequestNotes;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::{Extensions, Method};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The largest message of an open route that is read, in bytes: the largest JWT with room to spare, since anybody may
/// send one.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// The longest JWT, in characters.
const MAX_JWT_CHARS: usize = 8000;

/// What a login with an OAuth token is answered.
const NO_OAUTH: ServiceError =
    ServiceError::NotImplemented("logins with OAuth tokens: send the JWT of a service account's key");
/// What `CreateForServiceAccount` answers.
pub const NO_IMPERSONATION: ServiceError =
    ServiceError::NotImplemented("tokens for other service accounts: log in with the service account's own key");
/// What `Revoke` answers.
pub const NO_REVOCATION: ServiceError = ServiceError::NotImplemented(
    "revoking the token of a login: revoke the key that it was made with, and the token ends too",
);

/// The service.
#[derive(Clone)]
pub struct IamTokens {
    logins: Arc<dyn Logins>,
}

impl IamTokens {
    /// A service over these logins.
    #[must_use]
    pub const fn new(logins: Arc<dyn Logins>) -> Self {
        Self { logins }
    }

    /// `IamTokenService.Create`. `from` are the extensions of the request: where it came from, and its notes for the log,
    /// which are told who has logged in.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] without a JWT, [`ServiceError::NotImplemented`] for OAuth tokens, and those of
    /// [`Logins::exchange`].
    pub async fn create(
        &self,
        mut message: CreateIamTokenRequest,
        from: &Extensions,
    ) -> Result<CreateIamTokenResponse, ServiceError> {
        let jwt = match message.identity.take() {
            Some(Identity::Jwt(jwt)) if !jwt.is_empty() => Zeroizing::new(jwt),
            Some(Identity::YandexPassportOauthToken(token)) => {
                drop(Zeroizing::new(token));
                return Err(NO_OAUTH);
            }
            Some(Identity::Jwt(_)) | None => return Err(ServiceError::Invalid("jwt is required".into())),
        };
        if jwt.chars().count() > MAX_JWT_CHARS {
            return Err(ServiceError::Invalid(format!("jwt must be at most {MAX_JWT_CHARS} characters long")));
        }
        let mut token = self.logins.exchange(&jwt, from.get::<Peer>()).await?;
        if let Some(notes) = from.get::<RequestNotes>() {
            notes.principal(token.principal_id);
        }
        let expires_at = Some(render::timestamp(token.expires_at));
        Ok(CreateIamTokenResponse { iam_token: std::mem::take(&mut *token.text), expires_at })
    }
}

/// The REST routes.
pub fn rest(tokens: IamTokens) -> Router {
    Router::new()
        .route("/iam/v1/tokens", any(create))
        .route("/iam/v1/tokens:createForServiceAccount", any(async |request| refuse(request, NO_IMPERSONATION).await))
        .route("/iam/v1/tokens:revoke", any(async |request| refuse(request, NO_REVOCATION).await))
        .with_state(tokens)
}

async fn create(State(tokens): State<IamTokens>, request: Request) -> Response {
    let from = request.extensions().clone();
    post(request, async |call| {
        let message = call.body_within(MAX_MESSAGE_BYTES).await?;
        Answer::secret(&tokens.create(message, &from).await?)
    })
    .await
}

async fn refuse(request: Request, error: ServiceError) -> Response {
    post(request, async |_| Err(WireError::from(error).into())).await
}

async fn post(request: Request, act: impl AsyncFnOnce(Call) -> Outcome) -> Response {
    run_open(request, async |call: Call| match *call.method() {
        Method::POST => act(call).await,
        _ => MethodNotAllowed::with("POST"),
    })
    .await
}
