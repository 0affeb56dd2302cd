//! Bytes on a socket that are no HTTP, or not quite.

use super::super::{PATIENCE, encrypt, new_key};
use super::Suite;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1::SymmetricAlgorithm::Aes256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn what_is_not_http_ends_its_connection_only() {
    let suite = Suite::start().await;
    let key_id = new_key(suite.grpc(), suite.folder(), Aes256).await.id;
    let plain = suite.dev.credential("CLAVIGER_ENDPOINT").replace("http://", "");
    let tls = suite.dev.credential("CLAVIGER_TLS_ENDPOINT").replace("https://localhost", "127.0.0.1");
    for address in [&plain, &tls] {
        garbage_is_answered_or_cut(address).await;
        suite.is_up(address).await;
    }
    requests_that_are_not_quite_http(&suite, &plain).await;
    bodies_in_pieces(&suite, &plain, &key_id).await;
    connections_that_end_early(&suite, &plain, &tls, &key_id).await;
    suite.accepted("after all of it", &encrypt(&key_id, b"x", b"")).await;
}

/// Sends what asks for the end of the connection after it, and reads what comes.
async fn exchange(address: &str, bytes: &[u8]) -> String {
    converse(address, bytes, false).await
}

/// Sends the beginning of something, hangs up, and reads what comes.
async fn begin(address: &str, bytes: &[u8]) -> String {
    converse(address, bytes, true).await
}

async fn converse(address: &str, bytes: &[u8], hang_up: bool) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may hang up before it has read everything.
    let _ = stream.write_all(bytes).await;
    if hang_up {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server neither answers nor hangs up: {:?}", String::from_utf8_lossy(bytes));
    String::from_utf8_lossy(&answer).into_owned()
}

async fn garbage_is_answered_or_cut(address: &str) {
    let hello = [&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03][..], &[7; 600]].concat();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let frames = [&preface[..], &[0xff; 9], &[0; 1000]].concat();
    let oversize_frame = [&preface[..], &[0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01]].concat();
    for bytes in [
        &b""[..],
        b"\0",
        &[0; 5000],
        &[0xff; 5000],
        b"\r\n\r\n\r\n",
        b"hello\r\n\r\n",
        &hello,
        &frames,
        &oversize_frame,
    ] {
        let answer = begin(address, bytes).await;
        assert!(!answer.contains("HTTP/1.1 2"), "{bytes:?}: {answer}");
    }
}

async fn requests_that_are_not_quite_http(suite: &Suite, address: &str) {
    let token = suite.dev.credential("CLAVIGER_TOKEN");
    let list = format!("GET /kms/v1/keys?folderId={} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", suite.folder());
    let authorized = format!("{list}Authorization: Bearer {token}\r\n");
    let many = (0..2000).map(|number| format!("x-{number}: y\r\n")).collect::<String>();
    let refused = [
        format!("{authorized}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        format!("{authorized}Content-Length: -1\r\n\r\n"),
        format!("{authorized}Content-Length: 99999999999999999999\r\n\r\n"),
        format!("{authorized}x y: z\r\n\r\n"),
        format!("{authorized}{many}\r\n"),
        format!("{authorized}x: {}\r\n\r\n", "y".repeat(1_000_000)),
        format!("{authorized}Authorization: Bearer {token}\r\n\r\n"),
        format!("{list}Authorization: Bearer\u{a0}{token}\r\n\r\n"),
        authorized.replace("HTTP/1.1", "HTTP/9.9") + "\r\n",
        authorized.replace("GET ", "G\u{1}T ") + "\r\n",
        authorized.replace("/kms", "kms") + "\r\n",
        authorized.replace("/kms", "/kms\u{0}") + "\r\n",
        authorized.replace("GET", "TRACE") + "\r\n",
        authorized.replace("GET", "OPTIONS") + "\r\n",
        authorized.replace("/kms/v1/keys", "/kms/v1/../v1/keys") + "\r\n",
        authorized.replace("/kms/v1/keys", "//kms/v1/keys") + "\r\n",
    ];
    for request in &refused {
        let answer = exchange(address, request.as_bytes()).await;
        let shown: String = request.chars().take(300).collect();
        assert!(!answer.starts_with("HTTP/1.1 2") && !answer.starts_with("HTTP/1.0 2"), "{shown}: {answer}");
        assert!(!answer.starts_with("HTTP/1.1 5"), "{shown}: {answer}");
    }
    suite.is_up("requests that are not quite HTTP").await;
    let answer = exchange(address, format!("{authorized}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let smuggled = format!("{authorized}x-request-id: a\r\n b\r\n\r\n");
    let answer = exchange(address, smuggled.as_bytes()).await;
    assert!(!answer.contains("x-request-id: a"), "{answer}");
}

async fn bodies_in_pieces(suite: &Suite, address: &str, key_id: &str) {
    let token = suite.dev.credential("CLAVIGER_TOKEN");
    let head = format!(
        "POST /kms/v1/keys/{key_id}:encrypt HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
    );
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let whole = format!("{chunked}8\r\n{{\"plaint\r\nc\r\next\":\"AAAA\"}}\r\n0\r\n\r\n");
    let answer = exchange(address, whole.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let expecting = format!("{head}Expect: 100-continue\r\nContent-Length: 20\r\n\r\n{{\"plaintext\":\"AAAA\"}}");
    let answer = exchange(address, expecting.as_bytes()).await;
    assert!(answer.contains("HTTP/1.1 200"), "{answer}");
    for cut in [
        format!("{chunked}ffffffffffffffff\r\n{{"),
        format!("{chunked}zz\r\n{{"),
        format!("{chunked}9\r\n{{\"plaint"),
        format!("{head}Content-Length: 100\r\n\r\n{{\"plaintext\":\"AAAA\"}}"),
        format!("{head}Content-Length: 19\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ] {
        let answer = begin(address, cut.as_bytes()).await;
        assert!(!answer.contains(" 200 ") && !answer.contains(" 500 "), "{cut}: {answer}");
    }
    suite.is_up("bodies in pieces").await;
}

/// Half a request, then nothing more, from many sides.
async fn connections_that_end_early(suite: &Suite, plain: &str, tls: &str, key_id: &str) {
    let token = suite.dev.credential("CLAVIGER_TOKEN");
    let request = format!(
        "POST /kms/v1/keys/{key_id}:encrypt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 20\r\n\r\n{{"
    );
    let mut open = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(if number % 2 == 0 { plain } else { tls }).await.unwrap();
        stream.write_all(&request.as_bytes()[..number % request.len()]).await.unwrap();
        open.push(stream);
    }
    suite.accepted("while others hold connections", &encrypt(key_id, b"x", b"")).await;
    drop(open);
    suite.is_up("connections that ended early").await;
}
