//! One request, and what its answer means for the caller's permission.

use super::table::Cell;
use crate::support::Rest;
use crate::support::client::Answer;
use reqwest::Method;
use serde_json::Value;

/// A request to be made.
pub struct Call {
    pub rest: Rest,
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
}

/// How a request ended.
pub struct Outcome {
    pub cell: Cell,
    pub text: String,
}

const INVALID_ARGUMENT: i64 = 3;
const PERMISSION_DENIED: i64 = 7;
const FAILED_PRECONDITION: i64 = 9;

impl Call {
    pub async fn answer(&self) -> Answer {
        let request = self.rest.request(self.method.clone(), &self.path);
        let request = match &self.body {
            Some(body) => request.json(body),
            None => request,
        };
        self.rest.send(request).await
    }

    /// Refusals because of a state come after the permission was settled, so they mean that it was there.
    pub async fn outcome(&self) -> Outcome {
        let answer = self.answer().await;
        let text = format!("{} {}", answer.status, answer.text);
        let cell = match answer.status {
            200 if self.lists_nothing(&answer) => Cell::Hidden,
            200 => Cell::Allowed,
            404 => Cell::Hidden,
            _ => match answer.code() {
                PERMISSION_DENIED => Cell::Denied,
                FAILED_PRECONDITION => Cell::Allowed,
                INVALID_ARGUMENT => panic!("{} is a bad request: {text}", self.path),
                _ => panic!("{}: {text}", self.path),
            },
        };
        Outcome { cell, text }
    }

    /// The list of a folder's keys is empty for strangers, not refused.
    fn lists_nothing(&self, answer: &Answer) -> bool {
        self.path.starts_with("/kms/v1/keys?") && answer.json()["keys"].as_array().is_none_or(Vec::is_empty)
    }
}
