//! A `claviger dev` of its own, in a temporary directory, as a child process.

use crate::http::Connection;
use crate::load::Request;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use anyhow::{Context, Result, bail};
use aws_lc_rs::hmac;
use base64::Engine;
use claviger::testing::signer::Signer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Linux counts CPU time in `/proc/PID/stat` in hundredths of a second (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// The running server.
pub struct Server {
    /// Where it serves plaintext HTTP.
    pub address: SocketAddr,
    child: Child,
    folder_id: String,
    token: String,
    /// Signs requests of AWS and Ncloud.
    aws: AwsClient,
    _directory: tempfile::TempDir,
}

impl Server {
    /// Starts it and waits until it serves.
    pub fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let data = directory.path().join("data");
        let log = directory.path().join("log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .args(["dev", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .spawn()
            .context("starting claviger")?;
        let credentials = match wait_for_credentials(&mut child, &data) {
            Ok(credentials) => credentials,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error.context(fs::read_to_string(&log).unwrap_or_default()));
            }
        };
        let named = |name: &str| credentials.get(name).cloned().with_context(|| format!("{name} is not in the file"));
        let endpoint = named("CLAVIGER_ENDPOINT")?;
        let address = endpoint.trim_start_matches("http://").parse().context("CLAVIGER_ENDPOINT")?;
        let (folder_id, token) = (named("CLAVIGER_FOLDER")?, named("CLAVIGER_TOKEN")?);
        let aws = AwsClient {
            region: named("AWS_REGION")?,
            access_key_id: named("AWS_ACCESS_KEY_ID")?,
            secret: named("AWS_SECRET_ACCESS_KEY")?,
        };
        Ok(Self { address, child, folder_id, token, aws, _directory: directory })
    }

    /// Makes a key and returns its id.
    pub async fn create_key(&self, algorithm: &str) -> Result<String> {
        let body = json!({ "folderId": self.folder_id, "name": "bench", "defaultAlgorithm": algorithm });
        let request = Request::new("POST", "/kms/v1/keys", &self.token, &body.to_string());
        let mut connection = Connection::open(self.address).await?;
        let operation: Value = serde_json::from_slice(connection.exchange(request.as_bytes()).await?)?;
        let key_id = operation["metadata"]["keyId"].as_str().or_else(|| operation["response"]["id"].as_str());
        Ok(key_id.with_context(|| format!("no key id in {operation}"))?.to_owned())
    }

    /// An Encrypt of `size` bytes.
    pub fn encrypt_request(&self, key_id: &str, size: usize) -> Request {
        Request::new("POST", &format!("/kms/v1/keys/{key_id}:encrypt"), &self.token, &body(size))
    }

    /// The same over the AWS interface, signed now: good for five minutes, as often as it is sent.
    pub fn aws_encrypt_request(&self, key_id: &str, size: usize) -> Result<Request> {
        let body = json!({ "KeyId": key_id, "Plaintext": plaintext(size) }).to_string();
        let at = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", self.address.to_string().as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-date", &at),
            ("x-amz-target", "TrentService.Encrypt"),
        ] {
            headers.insert(HeaderName::from_lowercase(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        let scope = format!("{}/{}/kms/aws4_request", &at[..8], self.aws.region);
        let AwsClient { access_key_id, secret, .. } = &self.aws;
        Signer { access_key_id, secret, scope: &scope, at: &at }.sign(&mut headers, body.as_bytes());
        Request::with_headers("POST", "/", &headers, &body)
    }

    /// The same over the Ncloud interface, signed now.
    pub fn ncloud_encrypt_request(&self, key_id: &str, size: usize) -> Result<Request> {
        let AwsClient { access_key_id, secret, .. } = &self.aws;
        let target = format!("/kms/v1/keys/{}/encrypt", key_id.replace('-', ""));
        let time = jiff::Timestamp::now().as_millisecond().to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&key, format!("POST {target}\n{time}\n{access_key_id}").as_bytes());
        let signature = base64::engine::general_purpose::STANDARD.encode(signature);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", self.address.to_string().as_str()),
            ("x-ncp-apigw-timestamp", &time),
            ("x-ncp-iam-access-key", access_key_id),
            ("x-ncp-apigw-signature-v2", &signature),
        ] {
            headers.insert(HeaderName::from_lowercase(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        Request::with_headers("POST", &target, &headers, &body(size))
    }

    /// The same headers and body, to a route that does nothing with them.
    pub fn idle_request(&self, size: usize) -> Request {
        Request::new("GET", "/healthz", &self.token, &body(size))
    }

    /// CPU time that it has used, user and system, of all its threads.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of(&self.child.id().to_string())
    }
}

/// An access key pair and where it signs for.
struct AwsClient {
    region: String,
    access_key_id: String,
    secret: String,
}

fn body(size: usize) -> String {
    json!({ "plaintext": plaintext(size) }).to_string()
}

fn plaintext(size: usize) -> String {
    base64::engine::general_purpose::STANDARD.encode(vec![0x5a; size])
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// CPU time of a process (`self` or a number): fields 14 and 15 of `/proc/PID/stat`, see proc_pid_stat(5).
pub fn cpu_of(process: &str) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("{path} (this benchmark needs Linux)"))?;
    // Field 2 is the program's name in parentheses and may contain spaces: count from after it.
    let after_name = stat.rsplit_once(')').context("unexpected form of stat")?.1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let total: u32 = ticks.sum::<Result<u32, _>>()?;
    Ok(TICK * total)
}

fn wait_for_credentials(child: &mut Child, data: &Path) -> Result<BTreeMap<String, String>> {
    let path = data.join("credentials.env");
    let begun = Instant::now();
    while begun.elapsed() < START_TIMEOUT {
        if let Ok(text) = fs::read_to_string(&path) {
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            return Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        }
        if let Some(status) = child.try_wait()? {
            bail!("claviger ended with {status} before it served");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("claviger did not write {} in {START_TIMEOUT:?}", path.display())
}
