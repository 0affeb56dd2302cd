//! Bodies: of any content type, of at most so many bytes, whole, and of no interest where none is read.

use super::{Scene, encrypted, plaintext, tag};
use crate::support::Home;
use crate::support::aws::AccessKey;
use crate::support::client::{Answer, text};
use crate::support::ncloud::{Draft, data, now, refused, refused_before};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MAX_BYTES: usize = 256 * 1024;

#[tokio::test]
async fn bodies_are_json_whatever_their_type_and_not_too_large() {
    let scene = Scene::start_in(Home::new().with("CLAVIGER_ACCESS__FAILED_ATTEMPTS_PER_MINUTE", "0")).await;
    let key = scene.new_key("BASIC").await;
    the_content_type_does_not_matter(&scene, &key).await;
    a_body_that_is_not_read_does_not_matter(&scene, &key).await;
    a_body_without_a_length_is_read(&scene, &key).await;
    a_body_has_at_most_256_kib(&scene, &key).await;
    a_body_that_is_cut_short_is_refused(&scene, &key).await;
    data(&scene.admin.get(&key).await);
}

fn draft(target: &str, body: &[u8]) -> Draft {
    Draft { body: Some(body.to_vec()), ..Draft::of("POST", target, None) }
}

async fn signed(scene: &Scene, draft: Draft) -> Answer {
    scene.admin.send(draft.signed(&scene.key, now())).await
}

async fn the_content_type_does_not_matter(scene: &Scene, key: &str) {
    let body = plaintext(b"hi").to_string();
    for target in [format!("{key}/encrypt"), format!("/keys/v2/{}/encrypt", tag(key))] {
        let draft = draft(&target, body.as_bytes());
        data(&signed(scene, draft.clone()).await);
        for content_type in [
            "application/json",
            "application/json;charset=UTF-8",
            "application/json; charset=EUC-KR",
            "application/x-www-form-urlencoded",
            "text/plain",
            "multipart/form-data; boundary=x",
            "nonsense",
            "",
        ] {
            let answer = signed(scene, draft.clone().with("content-type", content_type)).await;
            assert!(data(&answer)["ciphertext"].is_string(), "{content_type}");
        }
    }
}

async fn a_body_that_is_not_read_does_not_matter(scene: &Scene, key: &str) {
    let mut version = 1;
    for body in [None, Some(&b""[..]), Some(b"{}"), Some(b"{"), Some(b"\xff\x00"), Some(&[b'x'; 100_000])] {
        let target = format!("{key}/rotate");
        let draft = Draft { body: body.map(<[u8]>::to_vec), ..Draft::of("POST", &target, None) };
        version += 1;
        assert_eq!(data(&signed(scene, draft).await)["version"], version);
        let rename = Draft { method: "PUT".parse().unwrap(), ..draft_of_name(key, body) };
        refused(&signed(scene, rename).await, 400, "INVALID_REQUEST");
    }
    for (head, expected) in [("", 200), ("content-length: 0\r\n", 200)] {
        let answer = raw(scene, &format!("{key}/rotate"), head, b"").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{answer}");
    }
}

fn draft_of_name(key: &str, body: Option<&[u8]>) -> Draft {
    Draft { body: body.map(<[u8]>::to_vec), ..Draft::of("PUT", &format!("{key}/name"), None) }
}

async fn a_body_without_a_length_is_read(scene: &Scene, key: &str) {
    let body = plaintext(b"hi").to_string();
    let (one, other) = body.split_at(5);
    let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n", one.len(), other.len());
    let answer = raw(scene, &format!("{key}/encrypt"), "transfer-encoding: chunked\r\n", chunks.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("ncpkms:v"), "{answer}");
}

async fn a_body_has_at_most_256_kib(scene: &Scene, key: &str) {
    let target = format!("{key}/encrypt");
    let of_size = |size: usize| {
        let mut body = plaintext(b"hi").to_string().into_bytes();
        body.resize(size, b' ');
        draft(&target, &body)
    };
    data(&signed(scene, of_size(MAX_BYTES)).await);
    for size in [MAX_BYTES + 1, 2 * MAX_BYTES] {
        let details = refused_before(&signed(scene, of_size(size)).await, 413, "430");
        assert!(details.contains("262144"), "{details}");
    }
    let plain = vec![7; 32 * 1024];
    let sealed = encrypted(&scene.admin, key, &plain).await;
    let opened = data(&scene.admin.post(&format!("{key}/decrypt"), &json!({"ciphertext": sealed})).await);
    assert_eq!(text(&opened["plaintext"]).len(), plain.len().div_ceil(3) * 4, "the largest plaintext fits");
    // Who is not known is told that first.
    refused_before(&scene.admin.send(of_size(MAX_BYTES + 1).with("x-ncp-lang", "en")).await, 401, "200");
}

async fn a_body_that_is_cut_short_is_refused(scene: &Scene, key: &str) {
    let target = format!("{key}/encrypt");
    let whole = plaintext(b"hi").to_string();
    let length = format!("content-length: {}\r\n", whole.len() + 1);
    for (head, body) in [
        (length.as_str(), whole.clone()),
        ("transfer-encoding: chunked\r\n", format!("{:x}\r\n{whole}\r\n", whole.len())),
        ("transfer-encoding: chunked\r\n", format!("nonsense\r\n{whole}\r\n0\r\n\r\n")),
    ] {
        let answer = raw_and_no_more(scene, &target, head, body.as_bytes()).await;
        let refused = answer.starts_with("HTTP/1.1 400 ") && answer.contains(r#""errorCode":"100""#);
        assert!(refused, "{head} {answer:?}");
    }
    // A whole one of half a JSON text is another mistake.
    let half = raw(scene, &target, "content-length: 5\r\n", &whole.as_bytes()[..5]).await;
    assert!(half.starts_with("HTTP/1.1 400 ") && half.contains(r#""code":"INVALID_REQUEST""#), "{half}");
}

/// Sends a signed POST with these further lines of its head, and gives the answer.
async fn raw(scene: &Scene, target: &str, head: &str, body: &[u8]) -> String {
    let mut stream = begun(scene, target, head, body).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// As [`raw`], but says that nothing follows. A server may have nobody left to answer to then.
async fn raw_and_no_more(scene: &Scene, target: &str, head: &str, body: &[u8]) -> String {
    let mut stream = begun(scene, target, head, body).await;
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn begun(scene: &Scene, target: &str, head: &str, body: &[u8]) -> TcpStream {
    begun_by(scene, &scene.key, target, head, body).await
}

async fn begun_by(scene: &Scene, access: &AccessKey, target: &str, head: &str, body: &[u8]) -> TcpStream {
    let host = scene.dev.credential("CLAVIGER_ENDPOINT").strip_prefix("http://").unwrap();
    let signed = Draft::of("POST", target, None).signed(access, now());
    let lines: String = signed.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("POST {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{lines}{head}\r\n");
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_credential_may_end_while_a_body_comes_in() {
    let scene = Scene::start().await;
    let key = scene.new_key("BASIC").await;
    let (_, id) = scene.principal_of(scene.dev.folder(), "slow", &["kms.keys.encrypter"]).await;
    let access = crate::aws_wire::access_key(&scene.rest, &id).await;
    let body = plaintext(b"hi").to_string();
    let expecting = format!("expect: 100-continue\r\ncontent-length: {}\r\n", body.len());
    for (revoked, expected) in [(false, "HTTP/1.1 200 "), (true, "HTTP/1.1 401 ")] {
        let mut stream = begun_by(&scene, &access, &format!("{key}/encrypt"), &expecting, b"").await;
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).await.unwrap();
        assert!(go_on.starts_with(b"HTTP/1.1 100 "), "the caller is known, and the body awaited");
        if revoked {
            revoke_all(&scene, &id).await;
        }
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(expected), "{answer}");
    }
}

/// Revokes every credential of a principal.
async fn revoke_all(scene: &Scene, principal: &str) {
    let credentials = scene.rest.get(&format!("/claviger/v1/principals/{principal}/credentials")).await.ok();
    for credential in credentials["credentials"].as_array().unwrap() {
        let id = text(&credential["id"]);
        scene.rest.post(&format!("/claviger/v1/credentials/{id}:revoke"), &json!({})).await.ok();
    }
}

#[tokio::test]
async fn an_answer_is_kept_by_no_cache() {
    let scene = Scene::start().await;
    let answer = scene.admin.get("/kms/v1/keys").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let json: Value = answer.json();
    assert_eq!(json["code"], "SUCCESS");
}
