//! What the server does around every request: health, request ids, protocols, the graceful end, operators' commands.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use crate::support::server::claviger;
use crate::support::{Dev, Home};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Output;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::test]
async fn health_and_metrics_need_no_token() {
    let home = Home::new();
    let dev = home.start().await;
    let nobody = dev.rest().with_token("");
    assert_eq!(nobody.get("/healthz").await.text, "ok\n");
    let ready = nobody.get("/readyz").await.ok();
    let expected = serde_json::json!({ "ready": true, "token": "ok", "database": "ok", "scheduler": "ok" });
    assert_eq!(ready, expected);
    nobody.get("/kms/v1/keys?folderId=x").await;
    nobody.get("/claviger/v1/whoami").await;
    let metrics = nobody.get("/metrics").await.text;
    for wanted in [
        "claviger_build_info{version=",
        "claviger_requests_total{dialect=\"yandex\",operation=\"List\",code=\"401\"} 1",
        "claviger_requests_total{dialect=\"claviger\",operation=\"WhoAmI\",code=\"401\"} 1",
        "claviger_ready{part=\"token\"} 1",
        "claviger_token_unwraps_total",
    ] {
        assert!(metrics.contains(wanted), "{wanted} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn grpc_health_says_serving_for_the_server_and_its_services() {
    let home = Home::new();
    let dev = home.start().await;
    let mut health = HealthClient::new(dev.grpc().await.channel());
    for service in ["", "yandex.cloud.kms.v1.SymmetricKeyService"] {
        let request = HealthCheckRequest { service: service.into() };
        let served = async {
            // Readiness is asked in the background right after the start.
            loop {
                let answer = health.check(request.clone()).await;
                if answer.is_ok_and(|answer| answer.into_inner().status == 1) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), served).await.unwrap();
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_sane_one_is_kept() {
    let home = Home::new();
    let dev = home.start().await;
    let keys = format!("/kms/v1/keys?folderId={}", dev.folder());
    for (token, path) in
        [("", "/healthz"), ("", &keys), ("", "/no/such/path"), (dev.credential("CLAVIGER_TOKEN"), &keys)]
    {
        let rest = dev.rest().with_token(token);
        let answer = rest.get(path).await;
        assert!(answer.headers.contains_key("x-request-id"), "{path}");
        let request = rest.request(reqwest::Method::GET, path).header("x-request-id", "my-id_1.2");
        assert_eq!(rest.send(request).await.headers["x-request-id"], "my-id_1.2");
    }
    let refused = dev.grpc().await.with_token("").keys().get(kms::GetSymmetricKeyRequest::default()).await.unwrap_err();
    assert!(refused.metadata().contains_key("x-request-id"));
    assert!(home.log().contains("my-id_1.2"), "the log does not have the request id");
}

#[tokio::test]
async fn an_unknown_path_is_answered_in_the_form_of_the_request() {
    let home = Home::new();
    let dev = home.start().await;
    for path in ["/no/such/path", "/"] {
        let answer = dev.rest().get(path).await;
        assert_eq!((answer.status, answer.code()), (404, 5));
        assert!(!answer.headers.contains_key("allow") && !answer.headers.contains_key("x-amzn-requestid"));
    }
    let nobody = dev.rest().with_token("");
    let unsigned = nobody.send(nobody.request(reqwest::Method::POST, "/").body("{")).await;
    assert_eq!(
        (unsigned.status, unsigned.json()["__type"].as_str()),
        (400, Some("MissingAuthenticationTokenException"))
    );
    assert_eq!(unsigned.headers["x-amzn-requestid"], unsigned.headers["x-request-id"]);
}

/// A client that cannot send its request to the end takes that for the error, not our refusal.
#[tokio::test]
async fn a_client_that_is_still_sending_reads_the_refusal() {
    let home = Home::new();
    let dev = home.start().await;
    for http2 in [false, true] {
        let client = reqwest::Client::builder();
        let client = if http2 { client.http2_prior_knowledge() } else { client }.build().unwrap();
        for (token, expected) in [(dev.credential("CLAVIGER_TOKEN"), 400), ("wrong", 401)] {
            let request = client.post(format!("{}/kms/v1/keys", dev.credential("CLAVIGER_ENDPOINT")));
            let answer = request.bearer_auth(token).body("a".repeat(20 * 1024 * 1024)).send().await.unwrap();
            assert_eq!(answer.status(), expected, "HTTP/2: {http2}");
        }
    }
}

#[tokio::test]
async fn requests_in_flight_finish_when_the_server_is_asked_to_end() {
    let home = Home::new();
    let dev = home.start().await;
    let address = dev.credential("CLAVIGER_ENDPOINT").trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    let body = format!(r#"{{"folderId":"{}","defaultAlgorithm":"AES_256_HSM"}}"#, dev.folder());
    let head = format!(
        "POST /kms/v1/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        dev.credential("CLAVIGER_TOKEN"),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (first, rest) = body.as_bytes().split_at(10);
    stream.write_all(first).unwrap();
    // The head must have been read for the request to be in flight.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    dev.signal("TERM");
    let refused = async {
        while TcpStream::connect(&address).is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), refused).await.unwrap();
    stream.write_all(rest).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(dev.terminate().await.success());
}

#[tokio::test]
async fn clients_that_say_nothing_or_stop_in_the_middle_are_cut_off() {
    let home = Home::new();
    let dev = home.start().await;
    let plain = dev.credential("CLAVIGER_ENDPOINT").trim_start_matches("http://").to_owned();
    let tls = dev.credential("CLAVIGER_TLS_ENDPOINT").replace("https://localhost", "127.0.0.1");
    let begun: [(&str, &[u8]); 5] = [
        (&plain, b""),
        (&plain, b"PR"),
        (&plain, b"PRI * HTTP/2.0\r\n"),
        (&plain, b"GET /healthz HTTP/1.1\r\nHost:"),
        (&tls, b"\x16\x03\x01"),
    ];
    let mut streams = Vec::new();
    for (address, bytes) in begun {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(bytes).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        streams.push((stream, bytes));
    }
    for (mut stream, bytes) in streams {
        // The end, or a reset: not the read's own timeout.
        let ended = stream.read_to_end(&mut Vec::new());
        let reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(
            ended.as_ref().is_ok() || ended.as_ref().is_err_and(reset),
            "{:?}: {ended:?}",
            bytes.escape_ascii().to_string()
        );
    }
}

fn command(dev: &Dev, token: &str, arguments: &[&str]) -> Output {
    let mut command = claviger();
    command.args(arguments).env("CLAVIGER_TOKEN", token);
    for name in ["CLAVIGER_ENDPOINT", "CLAVIGER_TLS_ENDPOINT", "CLAVIGER_CA"] {
        command.env(name, dev.credential(name));
    }
    command.output().unwrap()
}

#[tokio::test]
async fn an_operator_restores_a_deleted_key_by_command() {
    let home = Home::new();
    let dev = home.start().await;
    let token = dev.credential("CLAVIGER_TOKEN");
    let body = serde_json::json!({ "folderId": dev.folder(), "defaultAlgorithm": "AES_256_HSM" });
    let key = dev.rest().post("/kms/v1/keys", &body).await.ok()["response"]["id"].as_str().unwrap().to_owned();
    let path = format!("/kms/v1/keys/{key}");
    dev.rest().delete(&path).await.ok();
    assert_eq!(dev.rest().get(&path).await.status, 404);
    assert_eq!(command(&dev, "wrong", &["key", "restore", &key]).status.code(), Some(3));
    let output = command(&dev, token, &["key", "restore", &key]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    dev.rest().get(&path).await.ok();
    let again = command(&dev, token, &["key", "restore", &key]);
    assert_eq!(again.status.code(), Some(3), "{}", String::from_utf8_lossy(&again.stderr));
    let unknown = command(&dev, token, &["key", "restore", "00000000-0000-4000-8000-000000000000"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", String::from_utf8_lossy(&unknown.stderr));
}

#[tokio::test]
async fn an_operator_confirms_the_clock_by_command() {
    let home = Home::new();
    let dev = home.start().await;
    let output = command(&dev, dev.credential("CLAVIGER_TOKEN"), &["clock", "confirm"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(command(&dev, "wrong", &["clock", "confirm"]).status.code(), Some(3));
}

#[tokio::test]
async fn a_command_without_a_server_says_so() {
    let mut command = claviger();
    command.args(["clock", "confirm"]).env("CLAVIGER_TOKEN", "t").env("CLAVIGER_ENDPOINT", "http://127.0.0.1:1");
    assert_eq!(command.output().unwrap().status.code(), Some(4));
    assert_eq!(claviger().args(["clock", "confirm"]).output().unwrap().status.code(), Some(2));
}
