//! Paths that two dialects share: whose a request is.

use super::{Scene, key_id, plaintext};
use crate::support::client::Answer;
use crate::support::ncloud::{Draft, Proof, data, now, refused, refused_before};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use serde_json::json;

const LANG: &str = "x-ncp-lang";

#[tokio::test]
async fn headers_say_which_dialect_a_request_is_of() {
    let scene = Scene::start().await;
    let key = scene.new_key("BASIC").await;
    shared_paths_are_told_apart(&scene, &key).await;
    paths_of_one_dialect_are_not_the_others(&scene, &key).await;
    grpc_and_aws_are_not_of_this_dialect(&scene, &key).await;
    what_is_of_no_cloud_is_unaffected(&scene).await;
    every_answer_says_its_id(&scene, &key).await;
    other_methods_are_refused(&scene, &key).await;
}

fn bearer(scene: &Scene) -> String {
    format!("Bearer {}", scene.dev.credential("CLAVIGER_TOKEN"))
}

/// Expects an answer of the native dialect.
#[track_caller]
fn native(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let json = answer.json();
    assert!(json["code"].is_null() || json["code"].is_i64(), "{json}");
    assert!(answer.headers.get("x-ncp-request-id").is_none());
}

async fn shared_paths_are_told_apart(scene: &Scene, key: &str) {
    let list = || Draft::of("GET", &format!("/kms/v1/keys?folderId={}", scene.dev.folder()), None);
    let of_one = || Draft::of("GET", key, None);
    let send = async |draft: Draft| scene.admin.send(draft).await;
    let by_native = send(list().with("authorization", &bearer(scene))).await;
    native(&by_native, 200);
    assert_eq!(by_native.json()["keys"][0]["id"], key_id(key));
    for draft in [list(), of_one()] {
        native(&send(draft.clone()).await, 401);
        native(&send(draft.clone().with("authorization", "Bearer wrong")).await, 401);
        data(&send(draft.clone().signed(&scene.key, now())).await);
        for authorization in [bearer(scene), "Bearer wrong".to_owned(), "Basic eDp4".to_owned()] {
            data(&send(draft.clone().signed(&scene.key, now()).with("authorization", &authorization)).await);
        }
        // One header is enough, whatever it is, and no bearer token stands in for a signature.
        for name in [LANG, "x-ncp-", "x-ncp-apigw-timestamp", "x-ncp-request-id", "x-ncp-dmn_cd"] {
            for authorization in ["", &bearer(scene)] {
                let draft = draft.clone().with(name, "x").with("authorization", authorization);
                refused_before(&send(draft).await, 401, "200");
            }
        }
        let both = draft.with("x-ncp-ocapi-token", "x").with("authorization", &bearer(scene));
        refused(&send(both).await, 401, "UNAUTHORIZED");
    }
}

async fn paths_of_one_dialect_are_not_the_others(scene: &Scene, key: &str) {
    let id = key_id(key);
    for (method, target) in [
        ("POST", format!("/kms/v1/keys/{id}:encrypt")),
        ("POST", format!("/kms/v1/keys/{id}:rotate")),
        ("PATCH", format!("/kms/v1/keys/{id}")),
        ("GET", format!("/kms/v1/keys/{id}/operations")),
        ("GET", "/kms/v1/asymmetricEncryptionKeys".into()),
        ("GET", "/kms/v1".into()),
        ("GET", "/kms/v1/".into()),
    ] {
        let signed = scene.admin.call(method, &target, None).await;
        refused_before(&signed, 404, "300");
    }
    for target in [format!("{key}/encrypt"), format!("{key}/rotate"), format!("{key}/token-generator")] {
        let draft = Draft::of("POST", &target, Some(&plaintext(b"x"))).with("authorization", &bearer(scene));
        let answer = scene.admin.send(draft).await;
        assert!([404, 405].contains(&answer.status), "{target}: {}", answer.text);
        assert!(answer.headers.get("x-ncp-request-id").is_none());
    }
    // Paths that no other dialect has need no header.
    let nobody = scene.admin.proving(Proof::Nothing);
    for target in ["/keys/v2/x/encrypt", "/keys/v2", "/keys/v1/x/encrypt", "/keys/v1"] {
        refused_before(&nobody.post(target, &plaintext(b"x")).await, 401, "200");
        let draft = Draft::of("POST", target, None).with("authorization", &bearer(scene));
        refused_before(&scene.admin.send(draft).await, 401, "200");
    }
    let details = refused_before(&scene.admin.act("/keys/v1/x/encrypt").await, 404, "300");
    assert_eq!(details, "Signature v1 is not served: use /keys/v2 with signature v2.");
    for target in ["/keys/v3/x/encrypt", "/keys", "/keys/v22/x/encrypt", "/kms/v2/keys"] {
        let answer = scene.admin.act(target).await;
        assert!([401, 404].contains(&answer.status), "{target}: {}", answer.text);
        assert!(answer.headers.get("x-ncp-request-id").is_none(), "{target}");
    }
}

async fn grpc_and_aws_are_not_of_this_dialect(scene: &Scene, key: &str) {
    let grpc = scene.dev.grpc().await;
    let signed = Draft::of("POST", "/kms/v1/keys", None).signed(&scene.key, now());
    let mut request = tonic::Request::new(kms::GetSymmetricKeyRequest { key_id: key_id(key) });
    for (name, value) in &signed.headers {
        let name: tonic::metadata::MetadataKey<tonic::metadata::Ascii> = name.parse().unwrap();
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    let found = grpc.keys().get(request).await.unwrap();
    assert_eq!(found.get_ref().id, key_id(key));
    let draft = Draft { body: Some(b"{}".to_vec()), ..Draft::of("POST", "/", None) };
    let draft = draft.with("x-amz-target", "TrentService.ListKeys").with("content-type", "application/x-amz-json-1.1");
    let answer = scene.admin.send(draft.signed(&scene.key, now())).await;
    let (code, _) = crate::support::aws::error(&answer);
    assert_eq!(code, "MissingAuthenticationTokenException");
    assert!(answer.headers.contains_key("x-amzn-requestid"));
}

async fn what_is_of_no_cloud_is_unaffected(scene: &Scene) {
    for target in ["/healthz", "/readyz", "/metrics"] {
        let answer = scene.admin.send(Draft::of("GET", target, None).with(LANG, "en")).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text);
    }
    let whoami = || Draft::of("GET", "/claviger/v1/whoami", None).with(LANG, "en");
    native(&scene.admin.send(whoami().with("authorization", &bearer(scene))).await, 200);
    native(&scene.admin.send(whoami()).await, 401);
    native(&scene.admin.send(whoami().signed(&scene.key, now())).await, 401);
}

async fn every_answer_says_its_id(scene: &Scene, key: &str) {
    let own = "of-the-client_1.2";
    for draft in [
        Draft::of("GET", key, None).signed(&scene.key, now()),
        Draft::of("GET", &format!("{key}0"), None).signed(&scene.key, now()),
        Draft::of("POST", "/kms/v1/keys", None).signed(&scene.key, now()),
        Draft::of("GET", "/kms/v1/nothing", None).signed(&scene.key, now()),
        Draft::of("POST", "/keys/v2/x/encrypt", None),
        Draft::of("GET", "/kms/v1/keys", None).with("x-ncp-ocapi-token", "x"),
    ] {
        let id = |answer: &Answer| {
            let [one, other] = ["x-request-id", "x-ncp-request-id"].map(|name| answer.headers[name].clone());
            assert_eq!(one, other);
            one.to_str().unwrap().to_owned()
        };
        let answers = [scene.admin.send(draft.clone()).await, scene.admin.send(draft.clone()).await];
        assert_ne!(id(&answers[0]), id(&answers[1]), "every request has an id of its own");
        assert_eq!(answers[0].headers["content-type"], "application/json;charset=UTF-8");
        let named = scene.admin.send(draft.clone().with("x-request-id", own)).await;
        assert_eq!(id(&named), own);
        let nonsense = scene.admin.send(draft.with("x-request-id", "a b")).await;
        assert_ne!(id(&nonsense), "a b");
    }
}

async fn other_methods_are_refused(scene: &Scene, key: &str) {
    for method in ["OPTIONS", "PATCH", "TRACE", "PURGE"] {
        for target in ["/kms/v1/keys", key, "/keys/v2/x/encrypt"] {
            let details = refused_before(&scene.admin.call(method, target, None).await, 404, "300");
            assert!(details.starts_with("This path takes "), "{method} {target}: {details}");
            let unsigned = Draft::of(method, target, None).with(LANG, "en");
            refused_before(&scene.admin.send(unsigned).await, 401, "200");
        }
    }
    for (target, signed, expected) in [("/kms/v1/keys", true, 404), (key, true, 404), (key, false, 401)] {
        let draft = Draft::of("HEAD", target, None).with(LANG, "en");
        let draft = if signed { draft.signed(&scene.key, now()) } else { draft };
        let answer = scene.admin.send(draft).await;
        assert_eq!((answer.status, answer.text.as_str()), (expected, ""), "HEAD {target}");
    }
    let body = json!({"memo": "of a GET"});
    data(&scene.admin.call("GET", key, Some(&body)).await);
}
