//! The running server, as the environment names it.

use super::super::{Exit, Failure, variable};
use super::environment;
use super::patience::Patience;
use anyhow::Context;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Fewest requests for a list: the largest page that the server gives.
const PAGE_SIZE: &str = "1000";

/// A server and who calls it.
pub struct Server {
    runtime: Runtime,
    client: reqwest::Client,
    endpoint: String,
    /// `None` if a client certificate says who calls.
    token: Option<Zeroizing<String>>,
}

impl Server {
    /// The server that the environment names, over TLS if it can be.
    pub fn from_environment() -> Result<Self, Failure> {
        let usage = |text: &str| Failure::new(Exit::Usage, text);
        let endpoint = variable("CLAVIGER_TLS_ENDPOINT").or_else(|| variable("CLAVIGER_ENDPOINT"));
        let endpoint = endpoint.ok_or_else(|| usage("set CLAVIGER_TLS_ENDPOINT or CLAVIGER_ENDPOINT"))?;
        let mut builder = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let encrypted = environment::is_encrypted(&endpoint)?;
        if !encrypted {
            // A proxy would read the token.
            builder = builder.no_proxy();
        }
        if let Some(path) = variable("CLAVIGER_CA") {
            builder = builder.tls_certs_only(environment::authorities(&path)?);
        }
        let token = variable("CLAVIGER_TOKEN").map(Zeroizing::new);
        token.as_ref().map_or(Ok(()), |token| environment::check_token(token))?;
        let identity = (variable("CLAVIGER_CLIENT_CERTIFICATE"), variable("CLAVIGER_CLIENT_KEY"));
        match (&token, identity) {
            (Some(_), (None, None)) => {}
            (None, (Some(certificate), Some(key))) => {
                if !encrypted {
                    return Err(usage("a client certificate needs CLAVIGER_TLS_ENDPOINT"));
                }
                builder = builder.identity(environment::client_identity(&certificate, &key)?);
            }
            (Some(_), _) => return Err(usage("set CLAVIGER_TOKEN or a client certificate, not both")),
            (None, (None, None)) => {
                let text = "set CLAVIGER_TOKEN, or CLAVIGER_CLIENT_CERTIFICATE and CLAVIGER_CLIENT_KEY";
                return Err(usage(text));
            }
            (None, _) => return Err(usage("set both CLAVIGER_CLIENT_CERTIFICATE and CLAVIGER_CLIENT_KEY")),
        }
        let client = builder.build().map_err(|error| environment::not_built(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting")?;
        Ok(Self { runtime, client, endpoint: endpoint.trim_end_matches('/').to_owned(), token })
    }

    /// What a path has.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, None)
    }

    /// Sends a body.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, Some(body))
    }

    /// Changes what a path has.
    pub fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::PATCH, path, Some(body))
    }

    /// Deletes.
    pub fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::DELETE, path, None)
    }

    /// All pages of a list, whose rows are the `member` of each answer. `path` may have query parameters.
    pub fn list(&self, path: &str, member: &str) -> Result<Vec<Value>, Failure> {
        let first = format!("{path}{}pageSize={PAGE_SIZE}", if path.contains('?') { '&' } else { '?' });
        let (mut rows, mut token) = (Vec::new(), String::new());
        loop {
            let mut page =
                if token.is_empty() { self.get(&first)? } else { self.get(&format!("{first}&pageToken={token}"))? };
            if let Some(Value::Array(more)) = page.get_mut(member).map(Value::take) {
                rows.extend(more);
            }
            let next = page["nextPageToken"].as_str().unwrap_or_default();
            if next.is_empty() {
                return Ok(rows);
            }
            if next == token || !next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
                return Err(Failure::new(Exit::Failed, "the server's list does not end"));
            }
            next.clone_into(&mut token);
        }
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.endpoint));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.as_str());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(self.answer(request))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let unreachable = |error| environment::unreachable(&self.endpoint, error);
        let answer = patiently(request).await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let request_id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = answer.bytes().await.map_err(unreachable)?;
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        match body {
            Some(body) if status == 200 => Ok(body),
            body => Err(refusal(status, &body.unwrap_or_default(), request_id.as_deref())),
        }
    }
}

/// Sends a request, and again while the server throttles it: it has not done anything of it then.
async fn patiently(request: RequestBuilder) -> reqwest::Result<Response> {
    let mut patience = Patience::new();
    // Only a body that is a stream cannot be sent again; ours are in memory.
    while let Some(copy) = request.try_clone() {
        let answer = copy.send().await?;
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        match patience.wait(answer.status().as_u16(), retry_after) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Ok(answer),
        }
    }
    request.send().await
}

/// A refusal, with the id by which the server's log knows the request.
fn refusal(status: u16, body: &Value, request_id: Option<&str>) -> Failure {
    let text = body["message"].as_str().map_or_else(|| format!("the server answered HTTP {status}"), str::to_owned);
    let request = request_id.map(|id| format!(" (request {id})")).unwrap_or_default();
    Failure::new(exit_of(status, body["code"].as_i64()), super::table::printable(&format!("{text}{request}")))
}

/// How the process ends: by the gRPC code if the server gave one, else by the HTTP status.
const fn exit_of(status: u16, code: Option<i64>) -> Exit {
    match (code, status) {
        // DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE
        (Some(4 | 8 | 10 | 14), _) | (None, 429 | 502..=504) => Exit::Unavailable,
        // UNKNOWN, INTERNAL, DATA_LOSS; an answer that is none
        (Some(2 | 13 | 15), _) | (None, 500 | 501 | 505..) | (_, 0..400) => Exit::Failed,
        _ => Exit::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    /// A server that gives these answers, one per connection, and tells the first lines of what it was asked.
    fn server(bodies: Vec<String>) -> (Server, JoinHandle<Vec<String>>) {
        server_that(bodies.into_iter().map(|body| ("200 OK", body)).collect())
    }

    fn server_that(answers: Vec<(&'static str, String)>) -> (Server, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked =
            thread::spawn(move || answers.iter().map(|(status, body)| answer(&listener, status, body)).collect());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = reqwest::Client::builder().tls_certs_only(Vec::new()).build().unwrap();
        (Server { runtime, client, endpoint, token: Some(Zeroizing::new("t".into())) }, asked)
    }

    fn answer(listener: &TcpListener, head: &str, body: &str) -> String {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        assert!(lines.take_while(|line| !line.is_empty()).any(|line| line == "authorization: Bearer t"));
        let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        first
    }

    #[test]
    fn a_list_is_read_to_its_last_page() {
        let pages = [
            json!({ "rows": [1, 2], "nextPageToken": "a-_9" }),
            json!({ "nextPageToken": "b" }),
            json!({ "rows": [3] }),
        ];
        let (server, asked) = server(pages.iter().map(ToString::to_string).collect());
        assert_eq!(server.list("/rows?folderId=f", "rows").unwrap(), [json!(1), json!(2), json!(3)]);
        let first = "GET /rows?folderId=f&pageSize=1000";
        let expected = ["", "&pageToken=a-_9", "&pageToken=b"].map(|token| format!("{first}{token} HTTP/1.1"));
        assert_eq!(asked.join().unwrap(), expected);
    }

    #[rstest]
    #[case(&["a", "a"])]
    #[case(&["a&folderId=x"])]
    fn a_list_that_does_not_end_is_a_failure(#[case] tokens: &[&str]) {
        let (server, asked) = server(tokens.iter().map(|it| json!({ "nextPageToken": it }).to_string()).collect());
        assert_eq!(server.list("/rows", "rows").unwrap_err().exit, Exit::Failed);
        assert_eq!(asked.join().unwrap().len(), tokens.len());
    }

    #[test]
    fn an_answer_that_is_not_json_is_a_failure() {
        let (server, _) = server(vec!["<html>".to_owned()]);
        assert_eq!(server.get("/x").unwrap_err().exit, Exit::Failed);
    }

    const THROTTLED: &str = "429 Too Many Requests\r\nretry-after: 0";

    #[test]
    fn a_throttled_request_is_sent_again() {
        let (server, asked) = server_that(vec![(THROTTLED, "{}".into()), ("200 OK", "[1]".into())]);
        assert_eq!(server.post("/x", &json!({ "a": 1 })).unwrap(), json!([1]));
        assert_eq!(asked.join().unwrap(), ["POST /x HTTP/1.1"; 2]);
    }

    #[test]
    fn a_request_is_throttled_four_times_at_most() {
        let (server, asked) = server_that(vec![(THROTTLED, json!({ "code": 8 }).to_string()); 4]);
        assert_eq!(server.get("/x").unwrap_err().exit, Exit::Unavailable);
        assert_eq!(asked.join().unwrap().len(), 4);
    }

    #[test]
    fn a_request_is_not_sent_again_before_its_time() {
        let later = "429 Too Many Requests\r\nretry-after: 60";
        let (server, asked) = server_that(vec![(later, "{}".into())]);
        assert_eq!(server.get("/x").unwrap_err().exit, Exit::Unavailable);
        assert_eq!(asked.join().unwrap().len(), 1);
    }

    #[rstest]
    #[case(400, Some(3), Exit::Refused)]
    #[case(400, Some(9), Exit::Refused)]
    #[case(401, Some(16), Exit::Refused)]
    #[case(403, Some(7), Exit::Refused)]
    #[case(404, Some(5), Exit::Refused)]
    #[case(405, Some(12), Exit::Refused)]
    #[case(409, Some(6), Exit::Refused)]
    #[case(409, Some(10), Exit::Unavailable)]
    #[case(429, Some(8), Exit::Unavailable)]
    #[case(500, Some(13), Exit::Failed)]
    #[case(500, Some(15), Exit::Failed)]
    #[case(501, Some(12), Exit::Refused)]
    #[case(503, Some(14), Exit::Unavailable)]
    #[case(502, None, Exit::Unavailable)]
    #[case(429, None, Exit::Unavailable)]
    #[case(500, None, Exit::Failed)]
    #[case(404, None, Exit::Refused)]
    #[case(200, None, Exit::Failed)]
    #[case(302, None, Exit::Failed)]
    fn a_refusal_decides_how_the_process_ends(#[case] status: u16, #[case] code: Option<i64>, #[case] exit: Exit) {
        assert_eq!(exit_of(status, code), exit);
    }

    #[test]
    fn a_refusal_names_the_request() {
        let failure = refusal(403, &json!({ "code": 7, "message": "permission denied" }), Some("r-1"));
        assert_eq!((failure.exit, failure.text.as_str()), (Exit::Refused, "permission denied (request r-1)"));
        let proxy = refusal(502, &Value::Null, None);
        assert_eq!((proxy.exit, proxy.text.as_str()), (Exit::Unavailable, "the server answered HTTP 502"));
    }
}
