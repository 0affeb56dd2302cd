//! A client of the Ncloud dialect, signed by signature v2 as the cloud documents it. It shares no code with the server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use super::aws::AccessKey;
use super::client::Answer;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claviger::server::ambient::SystemClock;
use claviger::service::ports::Clock;
use reqwest::{Certificate, Method};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A client of one server.
#[derive(Clone)]
pub struct Ncloud {
    client: reqwest::Client,
    endpoint: String,
    proof: Proof,
}

/// How requests are authenticated.
#[derive(Debug, Clone)]
pub enum Proof {
    Key(AccessKey),
    Token(String),
    Nothing,
}

/// A request that can be sent as it is.
#[derive(Debug, Clone)]
pub struct Draft {
    pub method: Method,
    /// What follows the authority.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

impl Draft {
    pub fn of(method: &str, target: &str, body: Option<&Value>) -> Self {
        let body = body.map(|body| serde_json::to_vec(body).unwrap());
        Self { method: method.parse().unwrap(), target: target.to_owned(), headers: Vec::new(), body }
    }

    /// With this header, and no other of its name.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without the headers of this name.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// Signed at this time, in milliseconds.
    pub fn signed(self, key: &AccessKey, millis: i64) -> Self {
        let (method, target) = (self.method.clone(), self.target.clone());
        let signature = signature(method.as_str(), &target, &millis.to_string(), &key.id, &key.secret);
        self.with("x-ncp-apigw-timestamp", &millis.to_string())
            .with("x-ncp-iam-access-key", &key.id)
            .with("x-ncp-apigw-signature-v2", &signature)
    }
}

/// Signature v2 over method, request target, time and access key.
pub fn signature(method: &str, target: &str, time: &str, access_key: &str, secret: &str) -> String {
    let message = format!("{method} {target}\n{time}\n{access_key}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, message.as_bytes()))
}

/// The present, in milliseconds.
pub fn now() -> i64 {
    SystemClock::new().unwrap().now().as_micros() / 1000
}

impl Ncloud {
    /// A client in the clear.
    pub fn new(endpoint: &str, key: &AccessKey) -> Self {
        Self::with_authorities(endpoint, key, Vec::new())
    }

    /// A client over TLS, trusting one authority; client and server agree on HTTP/2.
    pub fn over_tls(endpoint: &str, key: &AccessKey, ca: &Path) -> Self {
        let authority = Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
        Self::with_authorities(endpoint, key, vec![authority])
    }

    /// A client over HTTP/2 in the clear.
    pub fn h2c(endpoint: &str, key: &AccessKey) -> Self {
        Self::over(endpoint, key, reqwest::Client::builder().http2_prior_knowledge())
    }

    fn with_authorities(endpoint: &str, key: &AccessKey, authorities: Vec<Certificate>) -> Self {
        Self::over(endpoint, key, reqwest::Client::builder().tls_certs_only(authorities))
    }

    fn over(endpoint: &str, key: &AccessKey, client: reqwest::ClientBuilder) -> Self {
        let client = client.timeout(Duration::from_secs(60)).build().unwrap();
        Self { client, endpoint: endpoint.to_owned(), proof: Proof::Key(key.clone()) }
    }

    /// The same server with another proof.
    pub fn proving(&self, proof: Proof) -> Self {
        Self { proof, ..self.clone() }
    }

    /// The same server with the token of a key.
    pub fn with_token(&self, token: &str) -> Self {
        self.proving(Proof::Token(token.to_owned()))
    }

    /// Sends a request as it is.
    pub async fn send(&self, draft: Draft) -> Answer {
        let mut request = self.client.request(draft.method, format!("{}{}", self.endpoint, draft.target));
        for (name, value) in &draft.headers {
            request = request.header(name, value);
        }
        if let Some(body) = draft.body {
            request = request.body(body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }

    /// Sends a request with the client's proof. No content type is sent, as in the cloud's examples.
    pub async fn call(&self, method: &str, target: &str, body: Option<&Value>) -> Answer {
        let draft = Draft::of(method, target, body);
        self.send(match &self.proof {
            Proof::Key(key) => draft.signed(key, now()),
            Proof::Token(token) => draft.with("x-ncp-ocapi-token", token),
            Proof::Nothing => draft,
        })
        .await
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.call("GET", target, None).await
    }

    /// A POST without a body.
    pub async fn act(&self, target: &str) -> Answer {
        self.call("POST", target, None).await
    }

    pub async fn post(&self, target: &str, body: &Value) -> Answer {
        self.call("POST", target, Some(body)).await
    }

    pub async fn put(&self, target: &str, body: &Value) -> Answer {
        self.call("PUT", target, Some(body)).await
    }

    pub async fn delete(&self, target: &str) -> Answer {
        self.call("DELETE", target, None).await
    }
}

/// The data of an answer that went well.
#[track_caller]
pub fn data(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["code"], "SUCCESS", "{json}");
    json["data"].clone()
}

/// Expects a refusal by the service, and gives its text.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str) -> String {
    let json = answer.json();
    assert_eq!((answer.status, json["code"].as_str()), (status, Some(code)), "{json}");
    assert!(json["error"].is_null() && json["data"].is_null(), "{json}");
    json["msg"].as_str().unwrap().to_owned()
}

/// Expects a refusal before the service, and gives its details.
#[track_caller]
pub fn refused_before(answer: &Answer, status: u16, code: &str) -> String {
    let json = answer.json();
    assert_eq!((answer.status, json["error"]["errorCode"].as_str()), (status, Some(code)), "{json}");
    assert!(json["code"].is_null() && json["error"]["message"].is_string(), "{json}");
    json["error"]["details"].as_str().unwrap().to_owned()
}

/// Base64.
pub fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
