//! Commands that are requests to the running server.

use super::{Exit, Failure, say, variable};
use anyhow::Context;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

/// `claviger key restore ID`
pub fn restore_key(id: &str) -> Result<(), Failure> {
    let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain {
        return Err(Failure::new(Exit::Usage, format!("{id:?} is not a key id")));
    }
    post(&format!("/claviger/v1/keys/{id}:restore"))?;
    say(format_args!("key {id} is restored"))
}

/// `claviger clock confirm`
pub fn confirm_clock() -> Result<(), Failure> {
    post("/claviger/v1/clock:confirm")?;
    say("the clock is confirmed: destructions go on")
}

/// Sends an empty request with the caller's API token.
fn post(path: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting")?;
    runtime.block_on(async {
        let Server { client, endpoint, token } = server()?;
        let request = client.post(format!("{endpoint}{path}")).bearer_auth(token);
        let unreachable = |error: reqwest::Error| {
            Failure::new(Exit::Unavailable, format!("{endpoint}: {:#}", anyhow::Error::from(error)))
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body: serde_json::Value = answer.json().await.unwrap_or_default();
        let text = body["message"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        let exit = if status.is_server_error() { Exit::Unavailable } else { Exit::Refused };
        Err(Failure::new(exit, text))
    })
}

struct Server {
    client: reqwest::Client,
    endpoint: String,
    token: String,
}

/// The server that the environment names, over TLS if it can be.
fn server() -> Result<Server, Failure> {
    let usage = |text: &str| Failure::new(Exit::Usage, text);
    let endpoint = variable("CLAVIGER_TLS_ENDPOINT").or_else(|| variable("CLAVIGER_ENDPOINT"));
    let endpoint = endpoint.ok_or_else(|| usage("set CLAVIGER_TLS_ENDPOINT or CLAVIGER_ENDPOINT"))?;
    let token = variable("CLAVIGER_TOKEN").ok_or_else(|| usage("set CLAVIGER_TOKEN"))?;
    let mut builder = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
    if let Some(path) = variable("CLAVIGER_CA") {
        let pem = std::fs::read(&path).with_context(|| path.clone())?;
        let authority = reqwest::Certificate::from_pem(&pem).with_context(|| path.clone())?;
        builder = builder.tls_certs_only([authority]);
    }
    let client = builder.build().context("starting the client")?;
    Ok(Server { client, endpoint: endpoint.trim_end_matches('/').to_owned(), token })
}
