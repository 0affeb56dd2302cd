//! Answers: `{"code": "SUCCESS", "data": ...}`.

use super::error::{CONTENT_TYPE, NcloudError};
use super::input::Form;
use super::route::Api;
use crate::dialect::wiped::WipedBody;
use crate::domain::time::Timestamp;
use crate::service::error::ServiceError;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, header};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// What a handler answers.
pub struct Output(WipedBody);

#[derive(Serialize)]
struct Success<'a, T> {
    code: &'static str,
    /// Answers of API 1.0 have an empty one.
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<&'static str>,
    data: &'a T,
    #[serde(flatten)]
    beside: Option<Counts>,
}

/// How much of a list there is and which part this is. The cloud's documents print these names inside and beside `data`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Which page this is, from 1.
    pub current_page_no: u64,
    /// How many pages there are.
    pub total_page_no: u64,
    /// How many entries there are.
    pub total_count: u64,
}

impl Output {
    /// An answer; `data` has members named as on the wire.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR for data without a JSON form.
    pub fn of(api: Api, data: &impl Serialize) -> Result<Self, NcloudError> {
        Self::written(api, data, None)
    }

    /// An answer with counts beside its data.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn counted(data: &impl Serialize, counts: Counts) -> Result<Self, NcloudError> {
        Self::written(Api::Two, data, Some(counts))
    }

    fn written(api: Api, data: &impl Serialize, beside: Option<Counts>) -> Result<Self, NcloudError> {
        let msg = match api {
            Api::One => Some(""),
            Api::Two => None,
        };
        let bug = |error| ServiceError::Bug(format!("an answer has no JSON form: {error}")).into();
        WipedBody::json(&Success { code: "SUCCESS", msg, data, beside }).map(Self).map_err(bug)
    }
}

impl IntoResponse for Output {
    /// Caches on the way must keep no answer (RFC 9111, 5.2.2.5): many hold plaintext or tokens.
    fn into_response(self) -> Response {
        let mut response = Body::from(self.0).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Texts in the form of the request. They are wiped once they are written.
pub struct Texts {
    /// The texts.
    pub texts: Vec<Zeroizing<String>>,
    /// The form.
    pub form: Form,
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.form, self.texts.as_slice()) {
            (Form::One, [text]) => serializer.serialize_str(text),
            _ => serializer.collect_seq(self.texts.iter().map(|text| text.as_str())),
        }
    }
}

/// The base64 of bytes (RFC 4648, section 4).
#[must_use]
pub fn text_of(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

/// Milliseconds since the Unix epoch.
#[must_use]
pub const fn millis(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(output: Output) -> String {
        let body = output.into_response().into_body();
        String::from_utf8(axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn api_one_has_a_msg_and_api_two_has_none() {
        let data = serde_json::json!({"a": 1});
        assert_eq!(text(Output::of(Api::Two, &data).unwrap()).await, r#"{"code":"SUCCESS","data":{"a":1}}"#);
        assert_eq!(text(Output::of(Api::One, &data).unwrap()).await, r#"{"code":"SUCCESS","msg":"","data":{"a":1}}"#);
        assert_eq!(text(Output::of(Api::Two, &()).unwrap()).await, r#"{"code":"SUCCESS","data":null}"#);
    }

    #[tokio::test]
    async fn counts_stand_beside_the_data_too() {
        let counts = Counts { current_page_no: 2, total_page_no: 3, total_count: 5 };
        let shown = text(Output::counted(&serde_json::json!({}), counts).unwrap()).await;
        assert_eq!(shown, r#"{"code":"SUCCESS","data":{},"currentPageNo":2,"totalPageNo":3,"totalCount":5}"#);
    }

    #[tokio::test]
    async fn no_answer_is_to_be_kept() {
        let response = Output::of(Api::Two, &()).unwrap().into_response();
        assert_eq!(response.headers()["cache-control"], "no-store");
    }

    #[test]
    fn texts_have_the_form_of_the_request() {
        let texts = |form| Texts { texts: vec![text_of(&[0])], form };
        assert_eq!(serde_json::to_string(&texts(Form::One)).unwrap(), r#""AA==""#);
        assert_eq!(serde_json::to_string(&texts(Form::Many)).unwrap(), r#"["AA=="]"#);
    }

    #[test]
    fn times_are_whole_milliseconds() {
        assert_eq!(millis(Timestamp::from_micros(1_790_312_384_592_999)), 1_790_312_384_592);
        assert_eq!(millis(Timestamp::from_micros(-1)), -1);
    }
}
