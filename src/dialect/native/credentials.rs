//! Credentials of principals.

use super::super::yandex::convert::List;
use super::super::yandex::rest::{Answer, Call, MethodNotAllowed, NO_SUCH_PATH, Outcome, Segments, run};
use super::convert::{self, Window, invalid};
use super::wire::{self, Credential, CredentialType, Credentials, Issued, NoFields, Object, PageQuery};
use crate::auth::certificate;
use crate::domain::id::PrincipalId;
use crate::domain::time::Timestamp;
use crate::service::Kms;
use crate::service::error::ServiceError;
use crate::service::identity::{IssueCredential, IssuedCredential, NewCredential, ShownSecret};
use crate::service::ports::CredentialView;
use crate::service::request::RequestContext;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::Method;
use std::sync::Arc;

/// `/claviger/v1/principals/{id}/credentials`
pub async fn credentials(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    Segments(id): Segments<String>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| match *call.method() {
        Method::GET => list(&kms, &ctx, &id, &call.query()?).await,
        Method::POST => issue(&kms, &ctx, &id, call.body().await?).await,
        _ => MethodNotAllowed::with("GET, POST"),
    })
    .await
}

async fn list(kms: &Kms, ctx: &RequestContext, principal: &str, query: &PageQuery) -> Outcome {
    let principal_id = convert::principal_id(principal)?;
    let window = Window::of(List::Credentials, *principal_id.as_bytes(), query)?;
    let page = kms.credentials(ctx, principal_id, window.after, window.limit).await?;
    let now = kms.now();
    let (credentials, next_page_token) = window.rendered(page, |view| Credential::of(view, now));
    Answer::of(&Credentials { credentials, next_page_token })
}

async fn issue(
    kms: &Kms,
    ctx: &RequestContext,
    principal: &str,
    Object(body): Object<wire::IssueCredential>,
) -> Outcome {
    let now = kms.now();
    let request = read(convert::principal_id(principal)?, body, now)?;
    let IssuedCredential { record, secret } = kms.issue_credential(ctx, request).await?;
    let credential = Credential::of(CredentialView { record, last_used_at: None }, now);
    match secret {
        ShownSecret::None => Answer::of(&Issued { credential, secret: None }),
        ShownSecret::ApiToken(text) | ShownSecret::AccessKey(text) => {
            Answer::secret(&Issued { credential, secret: Some(&text) })
        }
    }
}

/// A request with what its kind of credential needs and nothing that belongs to another.
fn read(
    principal_id: PrincipalId,
    body: wire::IssueCredential,
    now: Timestamp,
) -> Result<IssueCredential, ServiceError> {
    let wire::IssueCredential { r#type, name, expires_at, ttl, certificate, public_key } = body;
    let expires_at = convert::expires_at(expires_at, ttl, now)?;
    let kind = r#type.ok_or_else(|| invalid("type is required"))?;
    let kind = match (kind, certificate, public_key) {
        (CredentialType::ApiToken, None, None) => NewCredential::ApiToken,
        (CredentialType::AccessKey, None, None) => NewCredential::AccessKey,
        (CredentialType::Certificate, Some(pem), None) => of_certificate(&pem)?,
        (CredentialType::PublicKey, None, Some(pem)) => of_public_key(&pem)?,
        (CredentialType::Certificate, None, _) => return Err(invalid("certificate is required")),
        (CredentialType::PublicKey, _, None) => return Err(invalid("publicKey is required")),
        _ => return Err(invalid("certificate and publicKey are for credentials of their own type only")),
    };
    Ok(IssueCredential { principal_id, name, expires_at, kind })
}

fn of_certificate(pem: &str) -> Result<NewCredential, ServiceError> {
    let read = certificate::read_pem(pem.as_bytes()).map_err(|error| invalid(format!("certificate: {error}")))?;
    Ok(NewCredential::Certificate { spki_sha256: read.spki_sha256, not_after: read.not_after })
}

fn of_public_key(pem: &str) -> Result<NewCredential, ServiceError> {
    let spki = certificate::rsa_public_key(pem.as_bytes()).map_err(|error| invalid(format!("publicKey: {error}")))?;
    Ok(NewCredential::PublicKey { spki })
}

/// `/claviger/v1/credentials/{id}` and `/claviger/v1/credentials/{id}:revoke`
pub async fn credential(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    Segments(segment): Segments<String>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| match (segment.rsplit_once(':'), call.method()) {
        (None, &Method::GET) => {
            let NoFields {} = call.query()?;
            let view = kms.credential(&ctx, convert::credential_id(&segment)?).await?;
            Answer::of(&Credential::of(view, kms.now()))
        }
        (None, _) => MethodNotAllowed::with("GET"),
        (Some((id, "revoke")), &Method::POST) => {
            call.empty_body().await?;
            let view = kms.revoke_credential(&ctx, convert::credential_id(id)?).await?;
            Answer::of(&Credential::of(view, kms.now()))
        }
        (Some((_, "revoke")), _) => MethodNotAllowed::with("POST"),
        (Some(_), _) => Err(NO_SUCH_PATH.into()),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::super::super::yandex::json::from_body;
    use super::*;
    use rstest::rstest;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn request(body: &str) -> Result<IssueCredential, ServiceError> {
        let Object(body) = from_body(body.as_bytes())?;
        read(PrincipalId::from_bytes([3; 16]), body, NOW)
    }

    #[rstest]
    #[case("{}", "type is required")]
    #[case(r#"{"type":"apiToken","publicKey":"x"}"#, "certificate and publicKey are for")]
    #[case(r#"{"type":"accessKey","certificate":"x"}"#, "certificate and publicKey are for")]
    #[case(r#"{"type":"certificate"}"#, "certificate is required")]
    #[case(r#"{"type":"certificate","publicKey":"x"}"#, "certificate is required")]
    #[case(r#"{"type":"publicKey"}"#, "publicKey is required")]
    #[case(r#"{"type":"publicKey","certificate":"x"}"#, "publicKey is required")]
    #[case(r#"{"type":"certificate","certificate":"x","publicKey":"x"}"#, "certificate and publicKey are for")]
    #[case(r#"{"type":"certificate","certificate":"x"}"#, "certificate: this is not PEM")]
    #[case(r#"{"type":"publicKey","publicKey":"x"}"#, "publicKey: this is not PEM")]
    #[case(r#"{"type":"apiToken","ttl":"-1s"}"#, "ttl must be")]
    #[case(r#"{"type":"apiToken","ttl":"1s","expiresAt":"2030-01-01T00:00:00Z"}"#, "give expiresAt or ttl")]
    fn what_does_not_belong_together_is_refused(#[case] body: &str, #[case] text: &str) {
        let error = request(body).unwrap_err();
        assert!(matches!(&error, ServiceError::Invalid(message) if message.starts_with(text)), "{error}");
    }

    #[test]
    fn a_request_for_a_token_is_read() {
        let read = request(r#"{"type":"apiToken","name":"n","ttl":"60s"}"#).unwrap();
        assert_eq!((read.kind, read.name.as_str()), (NewCredential::ApiToken, "n"));
        assert_eq!(read.expires_at, Some(Timestamp::from_micros(1_700_000_060_000_000)));
        let lasting = request(r#"{"type":"accessKey"}"#).unwrap();
        assert_eq!((lasting.kind, lasting.expires_at), (NewCredential::AccessKey, None));
    }

    #[test]
    fn certificates_and_public_keys_are_read_from_pem() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let pem = parameters.self_signed(&pair).unwrap().pem();
        let body = serde_json::json!({ "type": "certificate", "certificate": pem }).to_string();
        let NewCredential::Certificate { spki_sha256, not_after } = request(&body).unwrap().kind else { panic!() };
        assert_eq!(not_after, Timestamp::from_micros(2_208_988_800_000_000));
        let body = serde_json::json!({ "type": "publicKey", "publicKey": pair.public_key_pem() }).to_string();
        let NewCredential::PublicKey { spki } = request(&body).unwrap().kind else { panic!() };
        assert_eq!(certificate::sha256(&spki), spki_sha256);
        let body = serde_json::json!({ "type": "publicKey", "publicKey": pair.serialize_pem() }).to_string();
        let error = request(&body).unwrap_err().to_string();
        assert!(error.contains("private key"), "{error}");
    }
}
