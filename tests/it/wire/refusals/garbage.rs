//! What is not a request: wrong paths, wrong methods, wrong bytes, too many bytes.

use super::super::api::rest_refusal;
use super::super::{encrypt, new_key, raw};
use super::Suite;
use bytes::Bytes;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use kms::SymmetricAlgorithm::Aes256;
use prost::Message;
use reqwest::Method;
use tonic::Code;

const KEYS: &str = "/yandex.cloud.kms.v1.SymmetricKeyService";
const CRYPTO: &str = "/yandex.cloud.kms.v1.SymmetricCryptoService";

#[tokio::test]
async fn what_is_not_a_request_is_refused_and_the_server_stays_up() {
    let suite = Suite::start().await;
    let key_id = new_key(suite.grpc(), suite.folder(), Aes256).await.id;
    bytes_that_are_no_message(&suite).await;
    methods_and_services_that_do_not_exist(&suite).await;
    bodies_that_are_no_message(&suite, &key_id).await;
    bodies_of_another_type(&suite, &key_id).await;
    paths_and_methods_that_do_not_exist(&suite, &key_id).await;
    messages_that_are_too_large(&suite, &key_id).await;
    queries_that_are_wrong(&suite, &key_id).await;
    suite.accepted("after all of it", &encrypt(&key_id, b"x", b"")).await;
}

/// The code of a call with these bytes, as the administrator.
async fn code(suite: &Suite, path: &str, message: impl Into<Bytes>) -> Code {
    let client = suite.dev.grpc().await.with_token("");
    let authorization = format!("Bearer {}", suite.dev.credential("CLAVIGER_TOKEN"));
    let code = match raw::call(&client, &[&authorization], path, message).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    };
    suite.is_up(path).await;
    code
}

async fn bytes_that_are_no_message(suite: &Suite) {
    let garbage = [
        b"\xff".as_slice(),
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x0a\x7fshort",
        b"\x0a\x02\xff\xfe",
        b"\x0b\x0b\x0b",
        b"\x07",
        b"{\"folderId\":\"x\"}",
    ];
    for message in garbage {
        for path in [format!("{KEYS}/Create"), format!("{KEYS}/Get"), format!("{CRYPTO}/Encrypt")] {
            let code = code(suite, &path, message).await;
            assert_eq!(code, Code::InvalidArgument, "{path}: {message:?}");
        }
    }
    // A field of a later version of the protocol is skipped, as protobuf wants it.
    let mut message =
        kms::ListSymmetricKeysRequest { folder_id: suite.folder().to_owned(), ..Default::default() }.encode_to_vec();
    message.extend([0xfa, 0x01, 0x01, b'x']);
    assert_eq!(code(suite, &format!("{KEYS}/List"), message).await, Code::Ok);
}

async fn methods_and_services_that_do_not_exist(suite: &Suite) {
    let paths = [
        format!("{KEYS}/NoSuchMethod"),
        "/yandex.cloud.kms.v1.NoSuchService/Get".to_owned(),
        "/yandex.cloud.iam.v1.IamTokenService/CreateForServiceAccount".to_owned(),
        "/yandex.cloud.iam.v1.IamTokenService/Revoke".to_owned(),
        "/x/y".to_owned(),
        "/yandex.cloud.kms.v1.asymmetricencryption.AsymmetricEncryptionKeyService/Create".to_owned(),
        "/yandex.cloud.kms.v1.asymmetricencryption.AsymmetricEncryptionCryptoService/GetPublicKey".to_owned(),
        "/yandex.cloud.kms.v1.asymmetricsignature.AsymmetricSignatureKeyService/Get".to_owned(),
        "/yandex.cloud.kms.v1.asymmetricsignature.AsymmetricSignatureCryptoService/Sign".to_owned(),
    ];
    for path in paths {
        assert_eq!(code(suite, &path, Bytes::new()).await, Code::Unimplemented, "{path}");
    }
}

async fn post(suite: &Suite, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Code {
    let rest = suite.dev.rest();
    let request = rest.request(Method::POST, path).header("content-type", content_type).body(body);
    let answer = rest.send(request).await;
    suite.is_up(path).await;
    if answer.status == 200 { Code::Ok } else { rest_refusal(&answer).code }
}

async fn bodies_that_are_no_message(suite: &Suite, key_id: &str) {
    let folder = suite.folder();
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_member = format!(r#"{{"labels":{}1{}}}"#, r#"{"a":"#.repeat(50_000), "}".repeat(50_000));
    let create = [
        "{".to_owned(),
        "[]".into(),
        "null".into(),
        "\"x\"".into(),
        "7".into(),
        "\u{0}".into(),
        nested,
        deep_member,
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_256"}} trailing"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_256","colour":"red"}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_257"}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"aes_256"}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":6}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"GOST_R_3412_2015_K"}}"#),
        format!(r#"{{"folderId":"{folder}","folderId":"{folder}","defaultAlgorithm":"AES_256"}}"#),
        format!(r#"{{"folderId":"{folder}","folder_id":"{folder}","defaultAlgorithm":"AES_256"}}"#),
        r#"{"folderId":7,"defaultAlgorithm":"AES_256"}"#.into(),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_256","rotationPeriod":"1 day"}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_256","rotationPeriod":86400}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_256","labels":["a"]}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_256","labels":{{"a":1}}}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_256","labels":{{"a":"1","a":"2"}}}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_256","deletionProtection":"yes"}}"#),
        format!(r#"{{"folderId":"{folder}","defaultAlgorithm":"AES_256","name":"\ud800"}}"#),
    ];
    for body in create {
        let shown: String = body.chars().take(100).collect();
        let code = post(suite, "/kms/v1/keys", "application/json", body).await;
        assert_eq!(code, Code::InvalidArgument, "{shown}");
    }
    let not_text = post(suite, "/kms/v1/keys", "application/json", b"{\"name\":\"\xff\xfe\"}".to_vec()).await;
    assert_eq!(not_text, Code::InvalidArgument);
    let encrypt = format!("/kms/v1/keys/{key_id}:encrypt");
    for plaintext in [r#""A""#, r#""A!==""#, r#""+-AA""#, r#""AB==""#, "[1,2]", "1", r#"{"a":1}"#, "true"] {
        let code = post(suite, &encrypt, "application/json", format!(r#"{{"plaintext":{plaintext}}}"#)).await;
        assert_eq!(code, Code::InvalidArgument, "{plaintext}");
    }
    let another = r#"{"keyId":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","plaintext":"AA=="}"#;
    assert_eq!(post(suite, &encrypt, "application/json", another).await, Code::InvalidArgument);
    for good in
        [r#"{"plaintext":"AA=="}"#, r#"{"plaintext":"AA"}"#, r#"{"plaintext":"-_-_"}"#, r#"{"plaintext":"+/+/"}"#]
    {
        assert_eq!(post(suite, &encrypt, "application/json", good).await, Code::Ok, "{good}");
    }
}

async fn bodies_of_another_type(suite: &Suite, key_id: &str) {
    let encrypt = format!("/kms/v1/keys/{key_id}:encrypt");
    let body = r#"{"plaintext":"AA=="}"#;
    for wrong in ["text/plain", "text/html", "application/xml", "multipart/form-data; boundary=x", "", "json"] {
        assert_eq!(post(suite, &encrypt, wrong, body).await, Code::InvalidArgument, "{wrong:?}");
    }
    for right in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(post(suite, &encrypt, right, body).await, Code::Ok, "{right:?}");
    }
    // A REST path asked as gRPC, and a gRPC path asked as REST.
    let rest = suite.dev.rest();
    let as_json = rest.request(Method::POST, &format!("{KEYS}/List")).header("content-type", "application/json");
    assert_eq!(rest.send(as_json.body("{}")).await.status, 415);
    suite.is_up("another content type").await;
}

async fn paths_and_methods_that_do_not_exist(suite: &Suite, key_id: &str) {
    let rest = suite.dev.rest();
    let unknown = [
        (Method::GET, "/".to_owned()),
        (Method::GET, "/kms/v1".into()),
        (Method::GET, "/kms/v2/keys".into()),
        (Method::GET, "/kms/v1/keys/".into()),
        (Method::GET, format!("/kms/v1/keys/{key_id}/")),
        (Method::GET, format!("/kms/v1/keys/{key_id}/nothing")),
        (Method::GET, format!("/kms/v1/keys/{key_id}/versions/1")),
        (Method::POST, format!("/kms/v1/keys/{key_id}:destroy")),
        (Method::POST, format!("/kms/v1/keys/{key_id}:")),
        (Method::POST, format!("/operations/{key_id}:resume")),
        (Method::POST, format!("/claviger/v1/keys/{key_id}:steal")),
    ];
    for (method, path) in unknown {
        let answer = rest.send(rest.request(method, &path)).await;
        assert_eq!(rest_refusal(&answer).code, Code::NotFound, "{path}: {}", answer.text);
    }
    let wrong = [
        (Method::PUT, "/kms/v1/keys".to_owned(), "GET, POST"),
        (Method::DELETE, "/kms/v1/keys".into(), "GET, POST"),
        (Method::POST, format!("/kms/v1/keys/{key_id}"), "GET, PATCH, DELETE"),
        (Method::GET, format!("/kms/v1/keys/{key_id}:encrypt"), "POST"),
        (Method::POST, format!("/kms/v1/keys/{key_id}/versions"), "GET"),
        (Method::POST, format!("/operations/{key_id}"), "GET"),
        (Method::POST, "/endpoints".into(), "GET"),
        (Method::POST, format!("/kms/v1/keys/{key_id}:listAccessBindings"), "GET"),
        (Method::GET, format!("/kms/v1/keys/{key_id}:setAccessBindings"), "POST"),
        (Method::GET, "/iam/v1/tokens".into(), "POST"),
        (Method::GET, format!("/claviger/v1/keys/{key_id}:restore"), "POST"),
    ];
    for (method, path, allow) in wrong {
        let answer = rest.send(rest.request(method, &path)).await;
        assert_eq!((answer.status, answer.code()), (405, 12), "{path}: {}", answer.text);
        assert_eq!(answer.headers["allow"], allow, "{path}");
    }
    let not_served = [
        (Method::POST, "/iam/v1/tokens:createForServiceAccount".into()),
        (Method::POST, "/iam/v1/tokens:revoke".into()),
        (Method::POST, "/kms/v1/asymmetricEncryptionKeys".into()),
        (Method::GET, format!("/kms/v1/asymmetricEncryptionKeys/{key_id}/publicKey")),
        (Method::POST, format!("/kms/v1/asymmetricSignatureKeys/{key_id}:signHash")),
    ];
    for (method, path) in not_served {
        let answer = rest.send(rest.request(method, &path)).await;
        assert_eq!(rest_refusal(&answer).code, Code::Unimplemented, "{path}: {}", answer.text);
    }
    suite.is_up("unknown paths").await;
}

async fn messages_that_are_too_large(suite: &Suite, key_id: &str) {
    let encrypt_path = format!("/kms/v1/keys/{key_id}:encrypt");
    for bytes in [2 * 1024 * 1024, 5 * 1024 * 1024, 20 * 1024 * 1024] {
        let message = encrypt(key_id, &vec![1; bytes], b"").encode_to_vec();
        let code = code(suite, &format!("{CRYPTO}/Encrypt"), message).await;
        assert_eq!(code, Code::InvalidArgument, "{bytes} bytes over gRPC");
        let body = format!(r#"{{"plaintext":"{}"}}"#, "A".repeat(bytes));
        let code = post(suite, &encrypt_path, "application/json", body).await;
        assert_eq!(code, Code::InvalidArgument, "{bytes} bytes over REST");
    }
}

async fn queries_that_are_wrong(suite: &Suite, key_id: &str) {
    let folder = suite.folder();
    let rest = suite.dev.rest();
    let wrong = [
        "/kms/v1/keys".to_owned(),
        format!("/kms/v1/keys?folderId={folder}&colour=red"),
        format!("/kms/v1/keys?folderId={folder}&folderId={folder}"),
        format!("/kms/v1/keys?folderId={folder}&folder_id={folder}"),
        format!("/kms/v1/keys?folderId={folder}&pageSize=five"),
        format!("/kms/v1/keys?folderId={folder}&pageSize=99999999999999999999"),
        format!("/kms/v1/keys?folderId={folder}&pageToken=%FF"),
        format!("/kms/v1/keys/{key_id}?colour=red"),
        format!("/kms/v1/keys/{key_id}?keyId=another"),
        format!("/kms/v1/keys/{key_id}/versions?folderId={folder}"),
    ];
    for path in wrong {
        let answer = rest.get(&path).await;
        assert_eq!(rest_refusal(&answer).code, Code::InvalidArgument, "{path}: {}", answer.text);
    }
    for path in [format!("/kms/v1/keys?folder_id={folder}&page_size=1"), format!("/kms/v1/keys?folderId={folder}&")] {
        rest.get(&path).await.ok();
    }
    let rotate = rest.request(Method::POST, &format!("/kms/v1/keys/{key_id}:rotate?x=1"));
    assert_eq!(rest_refusal(&rest.send(rotate).await).code, Code::InvalidArgument);
    suite.is_up("wrong queries").await;
}
