//! JSON 1.1 over HTTP: what is read, what is answered, and in which form.

use super::Scene;
use crate::support::aws::{Draft, REGION, Raw, error, good, sdk_over_tls};
use crate::support::client::Answer;
use aws_sdk_kms::primitives::Blob;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn requests_and_answers_have_the_documented_form() {
    let scene = Scene::start().await;
    let id = scene.admin.new_key_id().await;
    tokio::join!(
        both_content_types_are_read(&scene, &id),
        operations_without_output_answer_nothing(&scene),
        what_is_no_json_of_the_right_types_is_refused(&scene, &id),
        members_are_read_strictly(&scene, &id),
        the_target_names_the_operation(&scene),
        large_bodies_are_refused(&scene),
        tls_and_http2_are_served(&scene, &id),
        answers_are_json_with_epoch_times(&scene, &id),
        other_methods_and_paths_stay_native(&scene),
    );
}

fn of_key(id: &str) -> Draft {
    Draft::of("DescribeKey", json!({"KeyId": id}).to_string())
}

async fn both_content_types_are_read(scene: &Scene, id: &str) {
    for content_type in [
        "application/x-amz-json-1.1",
        "application/json",
        "application/json; charset=utf-8",
        "Application/X-Amz-Json-1.1",
        "application/x-amz-json-1.1; charset=utf-8",
    ] {
        let answer = scene.admin.raw.signed(&of_key(id).with("content-type", content_type)).await;
        assert_eq!(answer.ok()["KeyMetadata"]["KeyId"], id, "{content_type}");
    }
}

async fn operations_without_output_answer_nothing(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    let key = |mut rest: Value| {
        rest["KeyId"] = json!(id);
        rest
    };
    let policy = super::policies::default_policy(&scene.arn(&id));
    let operations = [
        ("CreateAlias", json!({"AliasName": "alias/quiet", "TargetKeyId": id})),
        ("UpdateAlias", json!({"AliasName": "alias/quiet", "TargetKeyId": id})),
        ("DeleteAlias", json!({"AliasName": "alias/quiet"})),
        ("DisableKey", key(json!({}))),
        ("EnableKey", key(json!({}))),
        ("EnableKeyRotation", key(json!({}))),
        ("DisableKeyRotation", key(json!({}))),
        ("TagResource", key(json!({"Tags": [{"TagKey": "k", "TagValue": "v"}]}))),
        ("UntagResource", key(json!({"TagKeys": ["k"]}))),
        ("UpdateKeyDescription", key(json!({"Description": "d"}))),
        ("PutKeyPolicy", key(json!({"Policy": policy}))),
    ];
    for (operation, body) in operations {
        let answer = scene.admin.raw.call(operation, &body).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{operation}");
    }
}

async fn what_is_no_json_of_the_right_types_is_refused(scene: &Scene, id: &str) {
    let bodies = [
        "{".to_owned(),
        "}".into(),
        "nonsense".into(),
        "[]".into(),
        "1".into(),
        "\"text\"".into(),
        "null".into(),
        format!(r#"{{"KeyId":"{id}"}}x"#),
        format!(r#"{{"KeyId":"{id}",}}"#),
        format!(r#"{{'KeyId':'{id}'}}"#),
        r#"{"KeyId":1}"#.into(),
        r#"{"KeyId":true}"#.into(),
        r#"{"KeyId":["a"]}"#.into(),
        r#"{"KeyId":{"a":"b"}}"#.into(),
        format!(r#"{{"KeyId":"{id}","GrantTokens":"a"}}"#),
        format!(r#"{{"KeyId":"{id}","GrantTokens":[1]}}"#),
        format!(r#"{{"KeyId":"{id}","KeyId":"{id}"}}"#),
        format!(r#"{{"KeyId":"{id}","Other":1,"Other":2}}"#),
        format!(r#"{{"KeyId":"{id}","Other":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000)),
    ];
    for body in bodies {
        let answer = scene.admin.raw.signed(&Draft::of("DescribeKey", body.clone())).await;
        assert_eq!(error(&answer).0, "SerializationException", "{}", body.chars().take(100).collect::<String>());
    }
    let answer = scene.admin.raw.signed(&Draft::of("DescribeKey", [b"{\"KeyId\":\"\xff\"}".as_slice()].concat())).await;
    assert_eq!(error(&answer).0, "SerializationException", "no UTF-8");
    let wrong = [
        ("Encrypt", json!({"KeyId": id, "Plaintext": "%"})),
        ("Encrypt", json!({"KeyId": id, "Plaintext": 1})),
        ("Encrypt", json!({"KeyId": id, "Plaintext": "aGk=", "DryRun": "yes"})),
        ("Encrypt", json!({"KeyId": id, "Plaintext": "aGk=", "EncryptionAlgorithm": 1})),
        ("GenerateDataKey", json!({"KeyId": id, "NumberOfBytes": "16"})),
        ("GenerateDataKey", json!({"KeyId": id, "NumberOfBytes": {}})),
        ("TagResource", json!({"KeyId": id, "Tags": {}})),
        ("TagResource", json!({"KeyId": id, "Tags": ["a"]})),
        ("TagResource", json!({"KeyId": id, "Tags": [{"TagKey": 1, "TagValue": "v"}]})),
        ("UntagResource", json!({"KeyId": id, "TagKeys": [1]})),
    ];
    for (operation, body) in wrong {
        let answer = scene.admin.raw.call(operation, &body).await;
        assert_eq!(error(&answer).0, "SerializationException", "{operation} {body}");
    }
}

async fn members_are_read_strictly(scene: &Scene, id: &str) {
    // Unknown members are ignored and null is absent, as in the cloud; names are exact.
    for body in [json!({"KeyId": id, "Color": "red"}), json!({"KeyId": id, "GrantTokens": null})] {
        scene.admin.raw.call("DescribeKey", &body).await.ok();
    }
    for body in [json!({}), json!({"KeyId": null}), json!({"keyId": id}), json!({"KEYID": id})] {
        let (code, text) = error(&scene.admin.raw.call("DescribeKey", &body).await);
        assert_eq!(code, "ValidationException", "{body}");
        let end = "at 'keyId' failed to satisfy constraint: Member must not be null";
        assert!(text.starts_with("1 validation error detected: Value ") && text.ends_with(end), "{text}");
    }
    let empty = scene.admin.raw.signed(&Draft::of("ListKeys", "")).await;
    assert_eq!(empty.status, 200, "nothing is an empty object: {}", empty.text);
}

async fn the_target_names_the_operation(scene: &Scene) {
    let without = scene.admin.raw.signed(&Draft::of("ListKeys", "{}").without("x-amz-target")).await;
    let (code, text) = error(&without);
    assert!(code == "UnknownOperationException" && text.contains("is missing"), "{code}: {text}");
    let (code, text) = error(&scene.admin.raw.call("Foo", &json!({})).await);
    assert!(code == "UnknownOperationException" && text.contains("names no operation"), "{code}: {text}");
    let unsigned = scene.admin.raw.send(&Draft::of("ListKeys", "{}").without("x-amz-target")).await;
    assert_eq!(error(&unsigned).0, "MissingAuthenticationTokenException");
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/x-amz-json-1.0", "application/cbor"]
    {
        let draft = Draft::of("ListKeys", "{}").with("content-type", content_type);
        let (code, _) = error(&scene.admin.raw.signed(&draft).await);
        assert_eq!(code, "UnknownOperationException", "{content_type}");
    }
}

async fn large_bodies_are_refused(scene: &Scene) {
    let body = json!({"Description": "a".repeat(8192), "Other": "a".repeat(200 * 1024)});
    assert_eq!(scene.admin.raw.call("CreateKey", &body).await.status, 200, "whatever a table allows fits");
    for size in [257 * 1024, 5 * 1024 * 1024] {
        let body = json!({"Description": "a".repeat(size)});
        let answer = scene.admin.raw.call("CreateKey", &body).await;
        assert!([400, 413].contains(&answer.status), "{}", answer.text);
        assert!(answer.json()["__type"].is_string(), "{}", answer.text);
    }
    scene.admin.raw.call("ListKeys", &json!({})).await.ok();
}

async fn tls_and_http2_are_served(scene: &Scene, id: &str) {
    let (tls, ca) = (scene.dev.credential("CLAVIGER_TLS_ENDPOINT"), scene.dev.ca());
    let kms = sdk_over_tls(tls, REGION, &scene.admin.key, ca);
    let sealed = good(kms.encrypt().key_id(id).plaintext(Blob::new("over TLS")).send().await);
    assert_eq!(scene.admin.decrypt(&sealed.ciphertext_blob.unwrap()).await, b"over TLS");
    for raw in [Raw::tls(tls, &scene.admin.key, ca), Raw::h2c(scene.endpoint(), &scene.admin.key)] {
        assert_eq!(raw.signed(&of_key(id)).await.ok()["KeyMetadata"]["KeyId"], id);
        let (code, _) = error(&raw.send(&of_key(id)).await);
        assert_eq!(code, "MissingAuthenticationTokenException");
        let (code, _) = error(&raw.signed(&of_key("x")).await);
        assert_eq!(code, "NotFoundException");
        let elsewhere = raw.signer.sign(&of_key(id), "elsewhere:1");
        assert_eq!(error(&raw.send(&elsewhere).await).0, "InvalidSignatureException", "the authority is signed");
    }
}

async fn answers_are_json_with_epoch_times(scene: &Scene, id: &str) {
    let answer = scene.admin.raw.call("DescribeKey", &json!({"KeyId": id})).await;
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.1");
    let shown = answer.ok();
    let date = &shown["KeyMetadata"]["CreationDate"];
    assert!(date.as_f64().unwrap() > 1.7e9 && date.as_f64().unwrap() < 1e11, "{date} is not in seconds");
    let own = |answer: &Answer| answer.headers["x-amzn-requestid"].to_str().unwrap().to_owned();
    let other = scene.admin.raw.call("DescribeKey", &json!({"KeyId": id})).await;
    assert_ne!(own(&answer), own(&other), "every request has an id of its own");
}

async fn other_methods_and_paths_stay_native(scene: &Scene) {
    for method in [Method::GET, Method::PUT] {
        let answer = reqwest::Client::new().request(method.clone(), scene.endpoint()).send().await.unwrap();
        assert!([401, 404, 405].contains(&answer.status().as_u16()), "{method}: {}", answer.status());
    }
    assert_eq!(scene.rest.get(&format!("/kms/v1/keys?folderId={}", scene.dev.folder())).await.status, 200);
}
