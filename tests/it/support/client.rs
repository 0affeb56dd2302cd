//! REST and gRPC clients with a bearer token and the server's CA.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use claviger::dialect::yandex::proto::yandex::cloud::iam::v1 as iam;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::operation;
use reqwest::{Certificate, Method, RequestBuilder};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate as PemCertificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

/// A REST client of one server and one caller.
#[derive(Clone)]
pub struct Rest {
    client: reqwest::Client,
    endpoint: String,
    token: String,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    /// The body of a request that went well.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// The gRPC code in the body of a refusal.
    #[track_caller]
    pub fn code(&self) -> i64 {
        assert_ne!(self.status, 200, "{}", self.text);
        self.json()["code"].as_i64().unwrap()
    }
}

impl Rest {
    pub fn new(endpoint: &str, token: &str, ca: &Path) -> Self {
        let authority = Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
        Self::with_authorities(endpoint, token, vec![authority])
    }

    /// A client that trusts nobody.
    pub fn in_clear(endpoint: &str, token: &str) -> Self {
        Self::with_authorities(endpoint, token, Vec::new())
    }

    fn with_authorities(endpoint: &str, token: &str, authorities: Vec<Certificate>) -> Self {
        let builder = reqwest::Client::builder().tls_certs_only(authorities).timeout(Duration::from_secs(60));
        Self { client: builder.build().unwrap(), endpoint: endpoint.to_owned(), token: token.to_owned() }
    }

    /// The same server with another token; an empty one is not sent.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// A request, ready for more headers.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.endpoint));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// The id of a new service account of a folder.
    pub async fn service_account(&self, folder: &str, name: &str) -> String {
        let body = json!({"folderId": folder, "type": "serviceAccount", "name": name});
        text(&self.post("/claviger/v1/principals", &body).await.ok()["id"])
    }

    /// The id and the text of a new API token of a principal.
    pub async fn api_token(&self, principal: &str) -> (String, String) {
        let path = format!("/claviger/v1/principals/{principal}/credentials");
        let issued = self.post(&path, &json!({"type": "apiToken", "name": "tests"})).await.ok();
        (text(&issued["credential"]["id"]), text(&issued["secret"]))
    }
}

/// A text in JSON.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// Adds the bearer token to every call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

type Authorised = InterceptedService<Channel, Bearer>;

/// gRPC clients of one server and one caller.
#[derive(Clone)]
pub struct Grpc {
    channel: Channel,
    bearer: Bearer,
}

impl Grpc {
    /// Connects; `ca` is a PEM certificate where the endpoint is `https`.
    pub async fn connect(endpoint: &str, token: &str, ca: Option<&[u8]>) -> Self {
        let mut endpoint = Endpoint::from_shared(endpoint.to_owned()).unwrap();
        if let Some(pem) = ca {
            let tls = ClientTlsConfig::new().ca_certificate(PemCertificate::from_pem(pem));
            endpoint = endpoint.tls_config(tls).unwrap();
        }
        Self { channel: endpoint.connect().await.unwrap(), bearer: Bearer::new(token) }
    }

    /// The same connection with another token; an empty one is not sent.
    pub fn with_token(&self, token: &str) -> Self {
        Self { channel: self.channel.clone(), bearer: Bearer::new(token) }
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub fn keys(&self) -> kms::symmetric_key_service_client::SymmetricKeyServiceClient<Authorised> {
        kms::symmetric_key_service_client::SymmetricKeyServiceClient::new(self.authorised())
    }

    pub fn crypto(&self) -> kms::symmetric_crypto_service_client::SymmetricCryptoServiceClient<Authorised> {
        kms::symmetric_crypto_service_client::SymmetricCryptoServiceClient::new(self.authorised())
    }

    pub fn logins(&self) -> iam::iam_token_service_client::IamTokenServiceClient<Authorised> {
        iam::iam_token_service_client::IamTokenServiceClient::new(self.authorised())
    }

    pub fn operations(&self) -> operation::operation_service_client::OperationServiceClient<Authorised> {
        operation::operation_service_client::OperationServiceClient::new(self.authorised())
    }

    fn authorised(&self) -> Authorised {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }
}

impl Bearer {
    fn new(token: &str) -> Self {
        Self((!token.is_empty()).then(|| format!("Bearer {token}").parse().unwrap()))
    }
}
