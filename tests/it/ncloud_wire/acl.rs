//! The address list (IP ACL) of a key: whom it binds, and what it looks like.

use super::uses::{all_go_well, all_refused, requests};
use super::{Scene, encrypted, key_id, path, tag};
use crate::support::Home;
use crate::support::aws::{Raw, error};
use crate::support::client::text;
use crate::support::ncloud::{Ncloud, b64, data, refused};
use serde_json::{Value, json};
use tonic::Code;

#[tokio::test]
async fn a_list_binds_every_use_of_a_key_in_every_dialect() {
    let scene = Scene::start().await;
    tokio::join!(
        a_list_that_is_enabled_lets_nobody_in(&scene),
        an_address_in_the_list_lets_in(&scene),
        tokens_are_bound_whatever_they_do(&scene),
        addresses_come_and_go(&scene),
        what_is_no_ipv4_address_is_refused(&scene),
        a_list_has_at_most_100_addresses(&scene),
        who_sets_bindings_sets_lists(&scene),
        every_way_in_tells_the_address(&scene),
        both_keys_of_a_re_encryption_are_asked(&scene),
    );
}

#[tokio::test]
async fn lists_bind_only_tokens_in_a_folder_that_asks_for_it() {
    let home = Home::new();
    let dev = home.start().await;
    let folder = dev.folder().to_owned();
    assert!(dev.terminate().await.success());
    let scene = Scene::start_in(home.with("CLAVIGER_ACCESS__NCLOUD_ACL_COMPAT", &folder)).await;
    let key = scene.new_key("BASIC").await;
    let sealed = encrypted(&scene.admin, &key, b"x").await;
    let (access, refresh) = tokens(&scene, &key).await;
    switch(&scene, &key, "enable").await;
    all_go_well(&scene.admin, &key, &sealed).await;
    natively(&scene, &key, 200).await;
    raw(&scene).call("Encrypt", &json!({"KeyId": key_id(&key), "Plaintext": "aGk="})).await.ok();
    tokens_are_refused(&scene, &key, &sealed, &access, &refresh).await;
    // Another folder is as ever.
    let made = scene.rest.post("/claviger/v1/folders", &json!({"name": "another"})).await.ok();
    let body = json!({"folderId": made["id"], "defaultAlgorithm": "AES_256"});
    let id = text(&scene.rest.post("/kms/v1/keys", &body).await.ok()["metadata"]["keyId"]);
    let other = path(&id.replace('-', ""));
    let sealed = encrypted(&scene.admin, &other, b"x").await;
    switch(&scene, &other, "enable").await;
    all_refused(&scene.admin, &other, &sealed, 403, "FORBIDDEN").await;
}

fn raw(scene: &Scene) -> Raw {
    Raw::new(scene.dev.credential("CLAVIGER_ENDPOINT"), &scene.key)
}

/// Enables or disables the list.
async fn switch(scene: &Scene, key: &str, what: &str) {
    let answer = data(&scene.admin.act(&format!("{key}/acl/{what}")).await);
    assert_eq!(answer, json!({"keyTag": tag(key), "isAclEnabled": what == "enable"}));
}

/// Adds or removes addresses, and gives those that are in the list then.
async fn change(scene: &Scene, method: &str, key: &str, addresses: &[&str]) -> Value {
    let body = json!({"ipList": addresses});
    let answer = data(&scene.admin.call(method, &format!("{key}/acl"), Some(&body)).await);
    assert_eq!(answer["keyTag"], tag(key));
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    answer["allowedIpList"].clone()
}

async fn listed(scene: &Scene, key: &str) -> Value {
    data(&scene.admin.get(&format!("{key}/acl")).await)
}

/// An access and a refresh token.
async fn tokens(scene: &Scene, key: &str) -> (Ncloud, Ncloud) {
    data(&scene.admin.act(&format!("{key}/token-generator")).await);
    let set = data(&scene.admin.act(&format!("{key}/token-set")).await);
    let with = |name: &str| scene.admin.with_token(&text(&set[name]));
    (with("accessToken"), with("refreshToken"))
}

async fn tokens_are_refused(scene: &Scene, key: &str, sealed: &str, access: &Ncloud, refresh: &Ncloud) {
    for (action, body) in requests(sealed) {
        let msg = refused(&access.post(&format!("{key}/{action}"), &body).await, 403, "FORBIDDEN");
        assert!(msg.contains("address list"), "{msg}");
    }
    for action in ["sign", "verify", "get-pub-key"] {
        refused(&access.act(&format!("{key}/{action}")).await, 403, "FORBIDDEN");
    }
    let renewals = [
        refresh.call("PUT", &format!("{key}/token-set"), None).await,
        refresh.act(&format!("{key}/access-token")).await,
    ];
    for answer in renewals {
        refused(&answer, 403, "FORBIDDEN");
    }
    let issued = data(&scene.admin.get(&format!("{key}/token-generator")).await);
    assert_eq!(issued["issuedTokenCount"], 2, "none was issued");
}

async fn natively(scene: &Scene, key: &str, status: u16) {
    let id = key_id(key);
    for (action, body) in
        [("encrypt", json!({"plaintext": "aGk="})), ("generateDataKey", json!({"dataKeySpec": "AES_256"}))]
    {
        let answer = scene.rest.post(&format!("/kms/v1/keys/{id}:{action}"), &body).await;
        assert_eq!(answer.status, status, "{action}: {}", answer.text);
        if status == 403 {
            assert_eq!(answer.code(), 7, "PERMISSION_DENIED: {}", answer.text);
        }
    }
}

async fn over_aws(scene: &Scene, key: &str, blob: &Value) {
    let raw = raw(scene);
    let id = key_id(key);
    let me = scene.rest.get("/claviger/v1/whoami").await.ok();
    for (operation, body) in [
        ("Encrypt", json!({"KeyId": id, "Plaintext": "aGk="})),
        ("Decrypt", json!({"KeyId": id, "CiphertextBlob": blob})),
        ("GenerateDataKey", json!({"KeyId": id, "NumberOfBytes": 8})),
        ("GenerateDataKeyPairWithoutPlaintext", json!({"KeyId": id, "KeyPairSpec": "ECC_NIST_P256"})),
        ("Encrypt", json!({"KeyId": id, "Plaintext": "aGk=", "DryRun": true})),
    ] {
        let (code, said) = error(&raw.call(operation, &body).await);
        assert_eq!(code, "AccessDeniedException", "{operation}: {said}");
        let explicit = format!("is not authorized to perform: kms:{operation} on resource: ");
        assert!(said.contains(&explicit), "{said}");
        assert!(said.ends_with("with an explicit deny in a resource-based policy"), "{said} {me}");
    }
}

async fn a_list_that_is_enabled_lets_nobody_in(scene: &Scene) {
    let key = scene.new_key("COMMON_HSM").await;
    let sealed = encrypted(&scene.admin, &key, b"x").await;
    let blob = raw(scene).call("Encrypt", &json!({"KeyId": key_id(&key), "Plaintext": "aGk="})).await.ok();
    assert_eq!(listed(scene, &key).await, json!({"keyTag": tag(&key), "isAclEnabled": false, "allowedIpList": []}));
    switch(scene, &key, "enable").await;
    switch(scene, &key, "enable").await;
    assert_eq!(listed(scene, &key).await, json!({"keyTag": tag(&key), "isAclEnabled": true, "allowedIpList": []}));
    all_refused(&scene.admin, &key, &sealed, 403, "FORBIDDEN").await;
    natively(scene, &key, 403).await;
    over_aws(scene, &key, &blob["CiphertextBlob"]).await;

    // Who may not use the key anyway is told the same as ever.
    let viewer = scene.caller("acl-viewer", &["kms.viewer"]).await;
    refused(&viewer.post(&format!("{key}/encrypt"), &json!({"plaintext": "eA=="})).await, 403, "FORBIDDEN");
    let nobody = scene.caller("acl-nobody", &[]).await;
    refused(&nobody.post(&format!("{key}/encrypt"), &json!({"plaintext": "eA=="})).await, 404, "NOT_FOUND");

    // Management goes on, in every dialect.
    for (method, what, body) in [
        ("GET", "", None),
        ("GET", "/versions", None),
        ("PUT", "/memo", Some(json!({"memo": "still managed"}))),
        ("POST", "/rotate", None),
        ("POST", "/disable", None),
        ("POST", "/enable", None),
        ("POST", "/request-deletion", None),
        ("POST", "/cancel-deletion", None),
        ("POST", "/enable", None),
        ("POST", "/token-generator", None),
        ("POST", "/token-set", None),
    ] {
        data(&scene.admin.call(method, &format!("{key}{what}"), body.as_ref()).await);
    }
    scene.rest.get(&format!("/kms/v1/keys/{}", key_id(&key))).await.ok();
    raw(scene).call("DescribeKey", &json!({"KeyId": key_id(&key)})).await.ok();
    switch(scene, &key, "disable").await;
    all_go_well(&scene.admin, &key, &sealed).await;
    natively(scene, &key, 200).await;
    let body = json!({"KeyId": key_id(&key), "CiphertextBlob": blob["CiphertextBlob"]});
    assert_eq!(raw(scene).call("Decrypt", &body).await.ok()["Plaintext"], "aGk=");
}

async fn an_address_in_the_list_lets_in(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let sealed = encrypted(&scene.admin, &key, b"x").await;
    switch(scene, &key, "enable").await;
    change(scene, "POST", &key, &["192.0.2.1", "127.0.0.2"]).await;
    all_refused(&scene.admin, &key, &sealed, 403, "FORBIDDEN").await;
    change(scene, "POST", &key, &["127.0.0.1"]).await;
    all_go_well(&scene.admin, &key, &sealed).await;
    natively(scene, &key, 200).await;
    let elsewhere =
        Raw::from_address(scene.dev.credential("CLAVIGER_ENDPOINT"), &scene.key, "127.0.0.3".parse().unwrap());
    let body = json!({"KeyId": key_id(&key), "Plaintext": "aGk="});
    raw(scene).call("Encrypt", &body).await.ok();
    assert_eq!(error(&elsewhere.call("Encrypt", &body).await).0, "AccessDeniedException");
    change(scene, "DELETE", &key, &["127.0.0.1"]).await;
    all_refused(&scene.admin, &key, &sealed, 403, "FORBIDDEN").await;
    // A list that is disabled is kept, and binds again as it was.
    switch(scene, &key, "disable").await;
    all_go_well(&scene.admin, &key, &sealed).await;
    let kept = json!({"keyTag": tag(&key), "isAclEnabled": false, "allowedIpList": ["127.0.0.2", "192.0.2.1"]});
    assert_eq!(listed(scene, &key).await, kept);
    switch(scene, &key, "enable").await;
    all_refused(&scene.admin, &key, &sealed, 403, "FORBIDDEN").await;
}

async fn tokens_are_bound_whatever_they_do(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let sealed = encrypted(&scene.admin, &key, b"x").await;
    let (access, refresh) = tokens(scene, &key).await;
    all_go_well(&access, &key, &sealed).await;
    switch(scene, &key, "enable").await;
    tokens_are_refused(scene, &key, &sealed, &access, &refresh).await;
    change(scene, "POST", &key, &["127.0.0.1"]).await;
    all_go_well(&access, &key, &sealed).await;
    let renewed = data(&refresh.call("PUT", &format!("{key}/token-set"), None).await);
    all_go_well(&scene.admin.with_token(&text(&renewed["accessToken"])), &key, &sealed).await;
    data(&refresh.act(&format!("{key}/access-token")).await);
}

async fn addresses_come_and_go(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    assert_eq!(change(scene, "DELETE", &key, &["192.0.2.1"]).await, json!([]), "one that is not there");
    assert_eq!(change(scene, "POST", &key, &["192.0.2.10", "192.0.2.9"]).await, json!(["192.0.2.9", "192.0.2.10"]));
    let same = change(scene, "POST", &key, &["192.0.2.9", "192.0.2.9"]).await;
    assert_eq!(same, json!(["192.0.2.9", "192.0.2.10"]), "one that is there");
    assert_eq!(change(scene, "DELETE", &key, &["192.0.2.9", "192.0.2.9", "10.0.0.1"]).await, json!(["192.0.2.10"]));
    assert_eq!(listed(scene, &key).await["allowedIpList"], json!(["192.0.2.10"]));
    let older = json!({"IpList": ["0.0.0.0", "255.255.255.255"]});
    let answer = data(&scene.admin.post(&format!("{key}/acl"), &older).await);
    assert_eq!(answer["allowedIpList"], json!(["0.0.0.0", "192.0.2.10", "255.255.255.255"]));
    // It is not copied by anything that is done with the key, and nothing can be changed once the key is to be deleted.
    data(&scene.admin.act(&format!("{key}/request-deletion")).await);
    let body = json!({"ipList": ["192.0.2.1"]});
    for answer in [
        scene.admin.post(&format!("{key}/acl"), &body).await,
        scene.admin.call("DELETE", &format!("{key}/acl"), Some(&body)).await,
        scene.admin.act(&format!("{key}/acl/enable")).await,
        scene.admin.act(&format!("{key}/acl/disable")).await,
    ] {
        refused(&answer, 422, "UNPROCESSABLE_ENTITY");
    }
}

async fn what_is_no_ipv4_address_is_refused(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    for wrong in [
        json!({}),
        json!({"ipList": []}),
        json!({"ipList": null}),
        json!({"ipList": "192.0.2.1"}),
        json!({"ipList": [7]}),
        json!({"ipList": ["192.0.2.1", null]}),
        json!({"ipList": ["192.0.2.1", "::1"]}),
        json!({"ipList": ["::ffff:192.0.2.1"]}),
        json!({"ipList": ["192.0.2.0/24"]}),
        json!({"ipList": ["192.0.2.256"]}),
        json!({"ipList": ["192.0.2.01"]}),
        json!({"ipList": ["192.0.2.1 "]}),
        json!({"ipList": ["localhost"]}),
        json!({"ipList": [""]}),
    ] {
        for method in ["POST", "DELETE"] {
            let answer = scene.admin.call(method, &format!("{key}/acl"), Some(&wrong)).await;
            refused(&answer, 400, "INVALID_REQUEST");
        }
    }
    assert_eq!(listed(scene, &key).await["allowedIpList"], json!([]), "all or none");
}

async fn a_list_has_at_most_100_addresses(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let addresses: Vec<String> = (1..=101).map(|number| format!("10.0.0.{number}")).collect();
    let all: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let too_many = scene.admin.post(&format!("{key}/acl"), &json!({"ipList": all})).await;
    let msg = refused(&too_many, 400, "INVALID_REQUEST");
    assert!(msg.contains("100"), "{msg}");
    assert_eq!(listed(scene, &key).await["allowedIpList"], json!([]));
    let listed = change(scene, "POST", &key, &all[..100]).await;
    assert_eq!(listed.as_array().unwrap().len(), 100);
    change(scene, "POST", &key, &all[..100]).await;
    refused(&scene.admin.post(&format!("{key}/acl"), &json!({"ipList": all[100..]})).await, 400, "INVALID_REQUEST");
    change(scene, "DELETE", &key, &all[..1]).await;
    assert_eq!(change(scene, "POST", &key, &all[100..]).await.as_array().unwrap().len(), 100);
}

/// How many of all ways to encrypt with a key go well.
async fn ways_in(scene: &Scene, key: &str) -> Vec<bool> {
    let (dev, id) = (&scene.dev, key_id(key));
    let (clear, tls) = (dev.credential("CLAVIGER_ENDPOINT"), dev.credential("CLAVIGER_TLS_ENDPOINT"));
    let (native, aws) = (json!({"plaintext": "aGk="}), json!({"KeyId": id, "Plaintext": "aGk="}));
    let mut ways = Vec::new();
    for caller in [Ncloud::new(clear, &scene.key), Ncloud::over_tls(tls, &scene.key, dev.ca())] {
        ways.push(caller.post(&format!("{key}/encrypt"), &native).await.status);
    }
    for rest in [dev.rest(), dev.rest_tls()] {
        ways.push(rest.post(&format!("/kms/v1/keys/{id}:encrypt"), &native).await.status);
    }
    for raw in [Raw::new(clear, &scene.key), Raw::h2c(clear, &scene.key), Raw::tls(tls, &scene.key, dev.ca())] {
        ways.push(raw.call("Encrypt", &aws).await.status);
    }
    let mut done: Vec<bool> = ways.into_iter().map(|status| status == 200).collect();
    for grpc in [dev.grpc().await, dev.grpc_tls().await] {
        let request = crate::wire::encrypt(&id, b"hi", b"");
        let answer = grpc.crypto().encrypt(request).await;
        assert!(answer.as_ref().err().is_none_or(|status| status.code() == Code::PermissionDenied), "{answer:?}");
        done.push(answer.is_ok());
    }
    done
}

async fn every_way_in_tells_the_address(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    assert_eq!(ways_in(scene, &key).await, [true; 9]);
    switch(scene, &key, "enable").await;
    assert_eq!(ways_in(scene, &key).await, [false; 9]);
    change(scene, "POST", &key, &["127.0.0.1"]).await;
    assert_eq!(ways_in(scene, &key).await, [true; 9]);
}

async fn both_keys_of_a_re_encryption_are_asked(scene: &Scene) {
    let (bound, free) = (scene.new_key("BASIC").await, scene.new_key("BASIC").await);
    let (raw, bound_id, free_id) = (raw(scene), key_id(&bound), key_id(&free));
    let encrypt = async |id: &str| {
        text(&raw.call("Encrypt", &json!({"KeyId": id, "Plaintext": "aGk="})).await.ok()["CiphertextBlob"])
    };
    let (of_bound, of_free) = (encrypt(&bound_id).await, encrypt(&free_id).await);
    switch(scene, &bound, "enable").await;
    for (source, sealed, target) in [(&bound_id, &of_bound, &free_id), (&free_id, &of_free, &bound_id)] {
        let body = json!({"sourceKeyId": source, "ciphertext": sealed});
        let answer = scene.rest.post(&format!("/kms/v1/keys/{target}:reEncrypt"), &body).await;
        assert_eq!((answer.status, answer.code()), (403, 7), "{}", answer.text);
        for named in [json!({}), json!({"SourceKeyId": source})] {
            let mut body = json!({"CiphertextBlob": sealed, "DestinationKeyId": target});
            body.as_object_mut().unwrap().extend(named.as_object().unwrap().clone());
            let (code, said) = error(&raw.call("ReEncrypt", &body).await);
            assert_eq!(code, "AccessDeniedException", "{said}");
        }
    }
    let (code, said) = error(&raw.call("Decrypt", &json!({"CiphertextBlob": of_bound})).await);
    assert_eq!(code, "AccessDeniedException", "{said}");
    raw.call("Decrypt", &json!({"CiphertextBlob": of_free})).await.ok();
}

/// Who may change a key's settings may not say from where it is used.
async fn who_sets_bindings_sets_lists(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let editor = scene.caller("acl-editor", &["kms.editor"]).await;
    let owner = scene.caller("acl-owner", &["kms.admin"]).await;
    let body = json!({"ipList": [b64(b"no").as_str()]});
    for answer in [
        editor.act(&format!("{key}/acl/enable")).await,
        editor.act(&format!("{key}/acl/disable")).await,
        editor.post(&format!("{key}/acl"), &json!({"ipList": ["192.0.2.1"]})).await,
        editor.call("DELETE", &format!("{key}/acl"), Some(&json!({"ipList": ["192.0.2.1"]}))).await,
    ] {
        refused(&answer, 403, "FORBIDDEN");
    }
    data(&editor.get(&format!("{key}/acl")).await);
    refused(&owner.post(&format!("{key}/acl"), &body).await, 400, "INVALID_REQUEST");
    data(&owner.act(&format!("{key}/acl/enable")).await);
    data(&owner.post(&format!("{key}/acl"), &json!({"ipList": ["192.0.2.1"]})).await);
}
