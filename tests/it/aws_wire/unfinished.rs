//! Bodies that do not arrive: they fill the share of their sender, and keep nobody else's requests away.

use super::{Caller, Scene};
use crate::support::aws::{AccessKey, Draft, Raw};
use serde_json::json;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The largest body.
const BODY: usize = 256 * 1024;
/// Room for the bodies of one credential at one address.
const SHARE: usize = 4 * BODY;

/// Sends the head of a signed request, and what it wants of the body.
async fn begin(caller: &Caller, key: &AccessKey, length: &str, extra: &[u8]) -> TcpStream {
    let mut signer = caller.raw.signer.clone();
    signer.key = key.clone();
    let draft = signer.sign(&Draft::of("ListKeys", "{}"), &caller.raw.host());
    let lines: String = draft.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("POST / HTTP/1.1\r\nhost: {}\r\n{lines}{length}\r\n\r\n", caller.raw.host());
    let mut stream = TcpStream::connect(caller.raw.host()).await.unwrap();
    stream.write_all(&[head.as_bytes(), extra].concat()).await.unwrap();
    stream
}

/// The head of the answer, as it comes.
async fn answer(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"}") {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).await.unwrap();
        if length == 0 {
            break;
        }
        text.extend_from_slice(&part[..length]);
    }
    String::from_utf8(text).unwrap()
}

async fn metric(scene: &Scene, name: &str) -> usize {
    let metrics = scene.rest.get("/metrics").await.text;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().to_owned();
    line.parse().unwrap()
}

async fn held(scene: &Scene) -> usize {
    metric(scene, "claviger_unverified_body_bytes").await
}

async fn until_held(scene: &Scene, bytes: usize) {
    loop {
        let held = held(scene).await;
        assert!(held <= SHARE, "{held}");
        if held == bytes {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn unfinished_bodies_fill_the_share_of_their_sender_only() {
    let scene = Scene::start().await;
    let home = scene.dev.folder().to_owned();
    let other = scene.caller(&home, "other", &["kms.admin"]).await;
    let large = json!({"Description": "large", "Other": "x".repeat(100 * 1024)});
    let mut open = Vec::new();
    for number in 0..40 {
        let length = if number % 2 == 0 { "content-length: 262144" } else { "transfer-encoding: chunked" };
        let extra = if number % 2 == 0 { b"{".as_slice() } else { b"1\r\n{\r\n" };
        open.push(begin(&scene.admin, &scene.admin.key, length, extra).await);
    }
    until_held(&scene, SHARE).await;
    scene.admin.raw.call("ListKeys", &json!({})).await.ok();
    other.raw.call("CreateKey", &large).await.ok();
    let elsewhere = Raw::from_address(scene.endpoint(), &scene.admin.key, IpAddr::from([127, 0, 0, 2]));
    elsewhere.call("CreateKey", &large).await.ok();
    let refused = answer_of_a_refused(open).await;
    assert!(refused.to_lowercase().contains("retry-after: 1\r\n"), "{refused}");
    assert!(metric(&scene, "claviger_unverified_bodies_refused_total").await > 0);
    // All of them are gone now.
    until_held(&scene, 0).await;
    scene.admin.raw.call("CreateKey", &large).await.ok();
}

/// The first answer that says so; the connections end with it.
async fn answer_of_a_refused(open: Vec<TcpStream>) -> String {
    let mut answers = tokio::task::JoinSet::new();
    open.into_iter().for_each(|stream| drop(answers.spawn(answer(stream))));
    while let Some(answer) = answers.join_next().await {
        let answer = answer.unwrap();
        if answer.contains("ThrottlingException") {
            return answer;
        }
        assert!(answer.contains("RequestTimeoutException"), "{answer}");
    }
    panic!("nobody was refused for lack of room");
}

#[tokio::test]
async fn only_who_names_a_known_access_key_is_asked_for_a_body() {
    let scene = Scene::start().await;
    let waiting = "content-length: 262144\r\nexpect: 100-continue";
    let unknown = AccessKey { id: "AKIAIOSFODNN7EXAMPLE".into(), secret: "secret".into() };
    let refused = answer(begin(&scene.admin, &unknown, waiting, b"").await).await;
    assert!(refused.starts_with("HTTP/1.1 400 ") && refused.contains("UnrecognizedClientException"), "{refused}");
    let mut asked = begin(&scene.admin, &scene.admin.key, waiting, b"").await;
    let mut line = [0; 21];
    asked.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue");
}
