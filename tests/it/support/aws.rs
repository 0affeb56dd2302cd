//! Clients of the AWS dialect: the cloud's own SDK, and a signer of our own for what no SDK sends.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use super::client::Answer;
use aws_lc_rs::{digest, hmac};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use aws_smithy_http_client::tls;
use claviger::server::ambient::SystemClock;
use claviger::service::ports::Clock;
use reqwest::{Certificate, Method, Url};
use serde_json::Value;
use std::fmt::Debug;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// The region of a server without settings.
pub const REGION: &str = "us-east-1";

/// What requests are signed with.
#[derive(Debug, Clone)]
pub struct AccessKey {
    pub id: String,
    pub secret: String,
}

/// The SDK, over HTTP, without retries.
pub fn sdk(endpoint: &str, region: &str, key: &AccessKey) -> Client {
    Client::from_conf(config(endpoint, region, key).build())
}

/// The SDK, over TLS, trusting one authority.
pub fn sdk_over_tls(endpoint: &str, region: &str, key: &AccessKey, ca: &Path) -> Client {
    let trusted = tls::TrustStore::empty().with_pem_certificate(std::fs::read(ca).unwrap());
    let context = tls::TlsContext::builder().with_trust_store(trusted).build().unwrap();
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    let client = aws_smithy_http_client::Builder::new().tls_provider(provider).tls_context(context).build_https();
    Client::from_conf(config(endpoint, region, key).http_client(client).build())
}

fn config(endpoint: &str, region: &str, key: &AccessKey) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(&key.id, &key.secret, None, None, "tests"))
        .retry_config(RetryConfig::disabled())
}

/// What the SDK gives for an operation.
pub type Outcome<O, E> = Result<O, SdkError<E, HttpResponse>>;

/// The answer to a request that went well, and says its id.
#[track_caller]
pub fn good<O: RequestId, E: Debug>(outcome: Outcome<O, E>) -> O {
    let output = outcome.unwrap_or_else(|error| panic!("{error:?}"));
    assert_request_id(output.request_id());
    output
}

/// The name and the text of a refusal that is the caller's to mend.
#[track_caller]
pub fn refusal<O: Debug, E: ProvideErrorMetadata + Debug>(outcome: Outcome<O, E>) -> (String, String) {
    let error = outcome.unwrap_err();
    let response = error.raw_response().unwrap_or_else(|| panic!("no answer: {error:?}"));
    assert_request_id(response.headers().get("x-amzn-requestid"));
    assert_eq!(response.headers().get("content-type"), Some("application/x-amz-json-1.1"), "{error:?}");
    assert_eq!(response.status().as_u16(), 400, "{error:?}");
    let code = error.code().unwrap_or_else(|| panic!("no name: {error:?}"));
    (code.to_owned(), error.message().unwrap_or_default().to_owned())
}

/// Expects a refusal of this name and text.
#[track_caller]
pub fn refused<O: Debug, E: ProvideErrorMetadata + Debug>(outcome: Outcome<O, E>, code: &str, text: &str) {
    let (found, message) = refusal(outcome);
    assert_eq!((found.as_str(), message.as_str()), (code, text));
}

/// Expects a refusal of this name, and gives its text, which no document fixes.
#[track_caller]
pub fn refused_as<O: Debug, E: ProvideErrorMetadata + Debug>(outcome: Outcome<O, E>, code: &str) -> String {
    let (found, message) = refusal(outcome);
    assert_eq!(found, code, "{message}");
    message
}

/// Every answer names its request by a UUID.
#[track_caller]
pub fn assert_request_id(id: Option<&str>) {
    let id = id.unwrap_or_else(|| panic!("no x-amzn-RequestId"));
    assert!(id.parse::<uuid::Uuid>().is_ok() && id.len() == 36, "{id:?} is not a UUID");
}

/// A request that can be sent as it is, signed or not.
#[derive(Debug, Clone)]
pub struct Draft {
    pub method: Method,
    /// What follows the authority.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Draft {
    /// What an SDK would send for an operation.
    pub fn of(operation: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { method: Method::POST, path: "/".into(), headers: Vec::new(), body: body.into() }
            .with("content-type", "application/x-amz-json-1.1")
            .with("x-amz-target", &format!("TrentService.{operation}"))
    }

    /// With this header, and no other of its name.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self
    }

    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no header {name}"))
    }
}

/// Signature Version 4, header form (AWS General Reference, "Create a signed request").
#[derive(Debug, Clone)]
pub struct Signer {
    pub key: AccessKey,
    pub region: String,
    pub service: String,
    /// The last part of the scope.
    pub terminator: String,
    /// Seconds from now to the date of the signature.
    pub skew: i64,
    /// The day of the scope, where it is not that of the date.
    pub scope_day: Option<String>,
    /// Headers that are sent and not signed.
    pub unsigned: Vec<String>,
}

impl Signer {
    pub fn new(key: &AccessKey) -> Self {
        Self {
            key: key.clone(),
            region: REGION.into(),
            service: "kms".into(),
            terminator: "aws4_request".into(),
            skew: 0,
            scope_day: None,
            unsigned: Vec::new(),
        }
    }

    /// The date of a signature that is made now, as `x-amz-date` has it.
    pub fn date(&self) -> String {
        amz_date(self.skew)
    }

    /// Adds the date, and the signature over everything but [`unsigned`](Self::unsigned).
    pub fn sign(&self, draft: &Draft, host: &str) -> Draft {
        let draft = draft.clone().with("x-amz-date", &self.date());
        let headers = self.canonical_headers(&draft, host);
        let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let signature = self.signature(&draft, &headers, &names);
        let credential = format!("{}/{}", self.key.id, self.scope());
        draft.with(
            "authorization",
            &format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"),
        )
    }

    fn day(&self) -> String {
        self.scope_day.clone().unwrap_or_else(|| self.date()[..8].to_owned())
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/{}", self.day(), self.region, self.service, self.terminator)
    }

    fn canonical_headers(&self, draft: &Draft, host: &str) -> Vec<(String, String)> {
        let mut headers = draft.headers.clone();
        headers.push(("host".into(), host.into()));
        headers.retain(|(name, _)| !self.unsigned.contains(name));
        headers.sort();
        headers
    }

    fn signature(&self, draft: &Draft, headers: &[(String, String)], names: &str) -> String {
        let (path, query) = draft.path.split_once('?').unwrap_or((&draft.path, ""));
        let single = |value: &str| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", single(value))).collect();
        let body = hex(digest::digest(&digest::SHA256, &draft.body).as_ref());
        let request = format!("{}\n{path}\n{query}\n{lines}\n{names}\n{body}", draft.method);
        let request = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
        let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{request}", draft.header("x-amz-date"), self.scope());
        let secret = format!("AWS4{}", self.key.secret).into_bytes();
        let parts = [self.day(), self.region.clone(), self.service.clone(), self.terminator.clone()];
        let key = parts.iter().fold(secret, |key, part| mac(&key, part));
        hex(&mac(&key, &text))
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    SystemClock::new().unwrap().now().as_micros() / 1_000_000
}

/// The instant so many seconds from now, in the basic format of ISO 8601.
pub fn amz_date(skew: i64) -> String {
    jiff::Timestamp::from_second(now() + skew).unwrap().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Sends what it is given.
#[derive(Clone)]
pub struct Raw {
    client: reqwest::Client,
    endpoint: Url,
    pub signer: Signer,
}

impl Raw {
    /// HTTP/1.1 in the clear.
    pub fn new(endpoint: &str, key: &AccessKey) -> Self {
        Self::over(endpoint, key, reqwest::Client::builder())
    }

    /// HTTP/1.1 in the clear, from this address of the machine.
    pub fn from_address(endpoint: &str, key: &AccessKey, address: IpAddr) -> Self {
        Self::over(endpoint, key, reqwest::Client::builder().local_address(address))
    }

    /// HTTP/2 in the clear.
    pub fn h2c(endpoint: &str, key: &AccessKey) -> Self {
        Self::over(endpoint, key, reqwest::Client::builder().http2_prior_knowledge())
    }

    /// TLS, where clients and server agree on HTTP/2.
    pub fn tls(endpoint: &str, key: &AccessKey, ca: &Path) -> Self {
        let authority = Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
        Self::over(endpoint, key, reqwest::Client::builder().tls_certs_only([authority]))
    }

    fn over(endpoint: &str, key: &AccessKey, client: reqwest::ClientBuilder) -> Self {
        let client = client.timeout(Duration::from_secs(60)).build().unwrap();
        Self { client, endpoint: endpoint.parse().unwrap(), signer: Signer::new(key) }
    }

    /// The authority that requests go to, as the `host` header has it.
    pub fn host(&self) -> String {
        self.endpoint.authority().to_owned()
    }

    /// The same server, signed for by another signer.
    pub fn signed_by(&self, signer: Signer) -> Self {
        Self { signer, ..self.clone() }
    }

    /// Signs and sends what an SDK would send.
    pub async fn call(&self, operation: &str, body: &Value) -> Answer {
        self.signed(&Draft::of(operation, body.to_string())).await
    }

    /// Signs and sends.
    pub async fn signed(&self, draft: &Draft) -> Answer {
        self.send(&self.signer.sign(draft, &self.host())).await
    }

    /// Sends without a further header. Every answer says its id.
    pub async fn send(&self, draft: &Draft) -> Answer {
        let url = self.endpoint.join(&draft.path).unwrap();
        let mut request = self.client.request(draft.method.clone(), url).body(draft.body.clone());
        for (name, value) in &draft.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let answer = Answer { status, headers, text: answer.text().await.unwrap() };
        assert_request_id(answer.headers.get("x-amzn-requestid").map(|value| value.to_str().unwrap()));
        answer
    }
}

/// The name and the text in the body of a refusal with HTTP 400. Some refusals of the cloud have no text.
#[track_caller]
pub fn error(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.1", "{}", answer.text);
    let body = answer.json();
    let known = |name: &String| ["__type", "message"].contains(&name.as_str());
    assert!(body.as_object().unwrap().keys().all(known), "{}", answer.text);
    let code = body["__type"].as_str().unwrap_or_else(|| panic!("{}", answer.text));
    let text = body.get("message").map_or("", |text| text.as_str().unwrap());
    (code.to_owned(), text.to_owned())
}
