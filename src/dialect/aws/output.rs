//! Answers: JSON 1.1 bodies.

use super::error::{AwsError, CONTENT_TYPE};
use crate::dialect::wiped::WipedBody;
use crate::domain::time::Timestamp;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::{Serialize, Serializer};

/// What a handler answers.
pub enum Output {
    /// HTTP 200 without a body.
    Empty,
    /// HTTP 200 with this JSON, which is wiped once it is sent.
    Body(WipedBody),
}

impl Output {
    /// A structure with members named as on the wire; absent ones are left out by the structure.
    ///
    /// # Errors
    /// KMSInternalException for a structure without a JSON form.
    pub fn of(answer: &impl Serialize) -> Result<Self, AwsError> {
        let bug = |error| AwsError::bug(format!("an answer has no JSON form: {error}"));
        WipedBody::json(answer).map(Self::Body).map_err(bug)
    }
}

impl IntoResponse for Output {
    /// Caches on the way must keep no answer (RFC 9111, 5.2.2.5): many hold plaintext.
    fn into_response(self) -> Response {
        let body = match self {
            Self::Empty => Body::empty(),
            Self::Body(body) => Body::from(body),
        };
        let mut response = body.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Writes a time as seconds since the epoch with milliseconds as decimals (`#[serde(serialize_with = "epoch")]`).
///
/// # Errors
/// The serializer's.
pub fn epoch<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 9999 fit into 53 bits")]
    let seconds = at.as_micros().div_euclid(1000) as f64 / 1000.0;
    serializer.serialize_f64(seconds)
}

/// As [`epoch`], for a time that may be absent.
///
/// # Errors
/// The serializer's.
pub fn epoch_if<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => epoch(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Answer {
        #[serde(serialize_with = "epoch")]
        at: Timestamp,
        #[serde(serialize_with = "epoch_if", skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    }

    async fn body_of(output: Output) -> (Response<()>, String) {
        let (head, body) = output.into_response().into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (Response::from_parts(head, ()), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn times_are_numbers_of_seconds_with_milliseconds() {
        let at = |micros| Timestamp::from_micros(micros);
        let (_, body) = body_of(Output::of(&Answer { at: at(1_790_312_384_592_999), until: None }).unwrap()).await;
        assert_eq!(body, r#"{"at":1790312384.592}"#);
        let answer = Answer { at: at(0), until: Some(at(253_402_128_000_000_000)) };
        let (_, body) = body_of(Output::of(&answer).unwrap()).await;
        assert_eq!(body, r#"{"at":0.0,"until":253402128000.0}"#);
    }

    #[tokio::test]
    async fn an_empty_answer_has_no_body_and_no_answer_is_to_be_kept() {
        let (head, body) = body_of(Output::Empty).await;
        assert_eq!((head.status().as_u16(), body.as_str()), (200, ""));
        assert_eq!(head.headers()["cache-control"], "no-store");
        assert_eq!(head.headers()["content-type"], CONTENT_TYPE);
    }

    #[test]
    fn an_answer_without_a_json_form_is_a_mistake_of_ours() {
        let refused: std::collections::BTreeMap<Vec<u8>, u8> = [(vec![1], 1)].into();
        let error = Output::of(&refused).err().unwrap();
        assert_eq!((error.code.status().as_u16(), error.message.as_str()), (500, "internal error"));
        assert!(error.cause().is_some_and(|cause| cause.contains("JSON form")));
    }
}
