//! API 1.0: six operations, whose answers have a `msg`.

use super::{NOBODY, Scene, decrypted, encrypted, plaintext, tag};
use crate::support::client::{Answer, text};
use crate::support::ncloud::{b64, data, refused, refused_before};
use serde_json::{Value, json};

#[tokio::test]
async fn api_one_serves_its_six_operations_and_nothing_else() {
    let scene = Scene::start().await;
    let key = scene.new_key("BASIC").await;
    let one = format!("/keys/v2/{}", tag(&key));
    tokio::join!(
        four_operations_work(&scene, &key, &one),
        lists_have_the_same_names(&scene, &key, &one),
        asymmetric_operations_are_refused_clearly(&scene, &one),
        refusals_have_the_form_of_api_two(&scene, &one),
        nothing_else_is_served(&scene, &one),
    );
}

/// The data of an answer, which is exactly this long.
#[track_caller]
fn data_of_one(answer: &Answer) -> Value {
    let data = data(answer);
    assert_eq!(answer.json(), json!({"code": "SUCCESS", "msg": "", "data": data}));
    data
}

#[track_caller]
fn names(data: &Value) -> Vec<&str> {
    let mut names: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

async fn four_operations_work(scene: &Scene, key: &str, one: &str) {
    let post =
        async |action: &str, body: Value| data_of_one(&scene.admin.post(&format!("{one}/{action}"), &body).await);
    let sealed = post("encrypt", plaintext(b"hi")).await;
    assert_eq!(names(&sealed), ["ciphertext"]);
    let sealed = text(&sealed["ciphertext"]);
    assert!(sealed.starts_with("ncpkms:v1:"), "{sealed}");
    assert_eq!(post("decrypt", json!({"ciphertext": sealed})).await, json!({"plaintext": b64(b"hi")}));
    assert_eq!(decrypted(&scene.admin, key, &sealed).await, b64(b"hi"), "both APIs have one form of ciphertext");
    let again = post("reencrypt", json!({"ciphertext": encrypted(&scene.admin, key, b"2.0").await})).await;
    assert_eq!(names(&again), ["newCiphertext"]);
    assert_eq!(decrypted(&scene.admin, key, &text(&again["newCiphertext"])).await, b64(b"2.0"));
    let bare = post("createCustomKey", json!({})).await;
    assert!(bare["plaintext"].is_null() && bare["ciphertext"].is_string(), "{bare}");
    let made = post("createCustomKey", json!({"requestPlainKey": true, "bits": 512})).await;
    let opened = post("decrypt", json!({"ciphertext": made["ciphertext"]})).await;
    assert_eq!(opened["plaintext"], made["plaintext"]);
    assert_eq!(text(&made["plaintext"]).len(), 88, "64 bytes");
}

async fn lists_have_the_same_names(scene: &Scene, key: &str, one: &str) {
    let body = json!({"plaintext": [b64(b"a"), b64(b"b")]});
    let sealed = data_of_one(&scene.admin.post(&format!("{one}/encrypt"), &body).await);
    assert_eq!(sealed["ciphertext"].as_array().map(Vec::len), Some(2));
    let opened = data_of_one(&scene.admin.post(&format!("{one}/decrypt"), &sealed).await);
    assert_eq!(opened, body);
    let again = data_of_one(&scene.admin.post(&format!("{one}/reencrypt"), &sealed).await);
    assert_eq!(decrypted(&scene.admin, key, &text(&again["newCiphertext"][1])).await, b64(b"b"));
}

async fn asymmetric_operations_are_refused_clearly(scene: &Scene, one: &str) {
    for (action, body) in [
        ("sign", json!({"data": b64(b"x")})),
        ("verify", json!({"data": b64(b"x"), "signature": "ncpkms:v1:AA=="})),
        ("sign", json!({})),
    ] {
        let answer = scene.admin.post(&format!("{one}/{action}"), &body).await;
        let text = refused(&answer, 400, "INVALID_REQUEST");
        assert!(text.contains("RSA2048") && text.contains("AES256"), "{text}");
    }
}

async fn refusals_have_the_form_of_api_two(scene: &Scene, one: &str) {
    let post = async |target: &str, body: Value| scene.admin.post(target, &body).await;
    refused(&post(&format!("{one}/encrypt"), json!({})).await, 400, "INVALID_REQUEST");
    refused(&post(&format!("{one}/encrypt"), json!({"plaintext": "%"})).await, 400, "INVALID_REQUEST");
    refused(&post(&format!("{one}/decrypt"), json!({"ciphertext": b64(b"x")})).await, 400, "INVALID_REQUEST");
    refused(&post(&format!("/keys/v2/{NOBODY}/encrypt"), plaintext(b"x")).await, 404, "NOT_FOUND");
    refused(&post("/keys/v2/my-key/encrypt", plaintext(b"x")).await, 404, "NOT_FOUND");
}

async fn nothing_else_is_served(scene: &Scene, one: &str) {
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let details = refused_before(&scene.admin.call(method, &format!("{one}/encrypt"), None).await, 404, "300");
        assert_eq!(details, "This path takes POST only.", "{method}");
    }
    for rest in
        ["", "/", "/create-custom-key", "/re-encrypt", "/Encrypt", "/encrypt/", "/get-pub-key", "/rotate", "/encrypt/x"]
    {
        let details = refused_before(&scene.admin.act(&format!("{one}{rest}")).await, 404, "300");
        assert_eq!(details, "Nothing is served at this path.", "{rest}");
    }
    for target in ["/keys/v2", "/keys/v2/", "/keys/v2/encrypt"] {
        refused_before(&scene.admin.act(target).await, 404, "300");
    }
    let details = refused_before(&scene.admin.act(&one.replace("/v2/", "/v1/")).await, 404, "300");
    assert!(details.contains("/keys/v2"), "{details}");
}
