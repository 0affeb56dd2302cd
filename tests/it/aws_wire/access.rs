//! Who may do what: roles, accounts, and what those are told who may not.

use super::{Caller, NOBODY, Scene, denied};
use crate::support::aws::{REGION, error, good, refused};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use serde_json::{Value, json};

#[tokio::test]
async fn callers_meet_their_roles_and_nothing_of_what_they_may_not_see() {
    let scene = Scene::start().await;
    let id = scene.admin.new_key_id().await;
    good(scene.admin.kms.create_alias().alias_name("alias/secret").target_key_id(&id).send().await);
    tokio::join!(
        who_has_no_role_sees_nothing(&scene, &id),
        who_may_only_encrypt_does_only_that(&scene, &id),
        who_may_only_decrypt_does_only_that(&scene, &id),
        who_may_only_look_does_only_that(&scene, &id),
        the_administrator_of_keys_uses_none(&scene, &id),
        lists_show_what_the_caller_may_see(&scene),
    );
    other_accounts_need_an_arn_and_a_role(&scene, &id).await;
    a_revoked_key_is_nobodys(&scene).await;
    the_name_of_a_principal_is_in_its_arn(&scene, &id).await;
}

fn user(scene: &Scene, name: &str) -> String {
    format!("arn:aws:iam::{}:user/{name}", scene.account)
}

/// Requests about a key, by the name that is given.
fn requests(scene: &Scene, name: &str, sealed: &Value) -> Vec<(&'static str, Value)> {
    let key = |mut rest: Value| {
        rest["KeyId"] = json!(name);
        rest
    };
    vec![
        ("CancelKeyDeletion", key(json!({}))),
        ("CreateAlias", json!({"AliasName": "alias/mine", "TargetKeyId": name})),
        ("Decrypt", key(json!({"CiphertextBlob": sealed}))),
        ("DescribeKey", key(json!({}))),
        ("DisableKey", key(json!({}))),
        ("DisableKeyRotation", key(json!({}))),
        ("EnableKey", key(json!({}))),
        ("EnableKeyRotation", key(json!({}))),
        ("Encrypt", key(json!({"Plaintext": "aGk="}))),
        ("GenerateDataKey", key(json!({"NumberOfBytes": 8}))),
        ("GenerateDataKeyPair", key(json!({"KeyPairSpec": "ECC_NIST_P256"}))),
        ("GenerateDataKeyPairWithoutPlaintext", key(json!({"KeyPairSpec": "ECC_NIST_P256"}))),
        ("GenerateDataKeyWithoutPlaintext", key(json!({"NumberOfBytes": 8}))),
        ("GetKeyPolicy", key(json!({}))),
        ("GetKeyRotationStatus", key(json!({}))),
        ("ListAliases", key(json!({}))),
        ("ListKeyPolicies", key(json!({}))),
        ("ListKeyRotations", key(json!({}))),
        ("ListResourceTags", key(json!({}))),
        ("PutKeyPolicy", key(json!({"Policy": super::policies::default_policy(&scene.arn(name))}))),
        ("ReEncrypt", json!({"CiphertextBlob": sealed, "DestinationKeyId": name})),
        ("ReEncrypt", json!({"CiphertextBlob": sealed, "SourceKeyId": name, "DestinationKeyId": name})),
        ("RotateKeyOnDemand", key(json!({}))),
        ("ScheduleKeyDeletion", key(json!({}))),
        ("TagResource", key(json!({"Tags": [{"TagKey": "k", "TagValue": "v"}]}))),
        ("UntagResource", key(json!({"TagKeys": ["k"]}))),
        ("UpdateKeyDescription", key(json!({"Description": "mine"}))),
    ]
}

async fn sealed(scene: &Scene, id: &str) -> Value {
    let sealed = scene.admin.raw.call("Encrypt", &json!({"KeyId": id, "Plaintext": "aGk="})).await.ok();
    sealed["CiphertextBlob"].clone()
}

async fn who_has_no_role_sees_nothing(scene: &Scene, id: &str) {
    let nobody = scene.caller(scene.dev.folder(), "nobody", &[]).await;
    let sealed = sealed(scene, id).await;
    for (operation, body) in requests(scene, id, &sealed) {
        let hidden = error(&nobody.raw.call(operation, &body).await);
        // Exactly what is said of a key that never was.
        let text = body.to_string().replace(id, NOBODY);
        let unknown = error(&nobody.raw.call(operation, &serde_json::from_str(&text).unwrap()).await);
        assert_eq!((hidden.0, hidden.1.replace(id, NOBODY)), unknown, "{operation}");
        assert_eq!(unknown.0, "NotFoundException", "{operation}");
    }
    let alias = nobody.kms.describe_key().key_id("alias/secret").send().await;
    let text = format!("Alias {} is not found.", scene.alias_arn("alias/secret"));
    refused(alias, "NotFoundException", &text);
    refused(nobody.kms.delete_alias().alias_name("alias/secret").send().await, "NotFoundException", &text);
    let decrypt = nobody.raw.call("Decrypt", &json!({"CiphertextBlob": sealed})).await;
    assert_eq!(error(&decrypt).0, "AccessDeniedException");
    assert!(!decrypt.text.contains(id), "{}", decrypt.text);
    for (operation, body) in [("CreateKey", json!({})), ("GenerateRandom", json!({"NumberOfBytes": 8}))] {
        let (code, text) = error(&nobody.raw.call(operation, &body).await);
        assert_eq!(code, "AccessDeniedException", "{operation}");
        let start =
            format!("User: {} is not authorized to perform: kms:{operation} on resource: ", user(scene, "nobody"));
        assert!(text.starts_with(&start), "{text}");
    }
    assert_eq!(good(nobody.kms.list_keys().send().await).keys(), []);
    assert_eq!(good(nobody.kms.list_aliases().send().await).aliases(), []);
}

/// Makes every request and compares what succeeded with what may.
async fn assert_allowed(scene: &Scene, caller: &Caller, name: &str, id: &str, allowed: &[&str]) {
    let sealed = sealed(scene, id).await;
    for (operation, body) in requests(scene, id, &sealed) {
        let answer = caller.raw.call(operation, &body).await;
        let may = allowed.contains(&operation);
        if may {
            assert!(
                answer.status == 200 || error(&answer).0 == "KMSInvalidStateException",
                "{operation}: {}",
                answer.text
            );
        } else {
            let operation = match operation {
                "ReEncrypt" if allowed.contains(&"Decrypt") => "ReEncryptTo",
                "ReEncrypt" => "ReEncryptFrom",
                other => other,
            };
            let (code, text) = error(&answer);
            let expected = denied(&user(scene, name), operation, &scene.arn(id));
            let one = expected.replace("ReEncryptFrom", "ReEncrypt").replace("ReEncryptTo", "ReEncrypt");
            assert_eq!(code, "AccessDeniedException", "{operation}: {text}");
            assert!(text == expected || text == one, "{text}");
        }
    }
}

const VIEW: [&str; 7] = [
    "DescribeKey",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "ListAliases",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
];

async fn who_may_only_encrypt_does_only_that(scene: &Scene, id: &str) {
    let caller = scene.caller(scene.dev.folder(), "encrypter", &[]).await;
    scene.bind(&format!("/kms/v1/keys/{id}"), "kms.keys.encrypter", &caller.id).await;
    let data_keys = [
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
    ];
    assert_allowed(scene, &caller, "encrypter", id, &[&VIEW[..], &data_keys].concat()).await;
}

async fn who_may_only_decrypt_does_only_that(scene: &Scene, id: &str) {
    let caller = scene.caller(scene.dev.folder(), "decrypter", &[]).await;
    scene.bind(&format!("/kms/v1/keys/{id}"), "kms.keys.decrypter", &caller.id).await;
    assert_allowed(scene, &caller, "decrypter", id, &[&VIEW[..], &["Decrypt"]].concat()).await;
}

async fn who_may_only_look_does_only_that(scene: &Scene, id: &str) {
    let caller = scene.caller(scene.dev.folder(), "viewer", &["kms.viewer"]).await;
    assert_allowed(scene, &caller, "viewer", id, &VIEW).await;
    let made = caller.kms.create_key().send().await;
    let (code, _) = crate::support::aws::refusal(made);
    assert_eq!(code, "AccessDeniedException");
    let alias = caller.kms.delete_alias().alias_name("alias/secret").send().await;
    let (code, text) = crate::support::aws::refusal(alias);
    assert_eq!(code, "AccessDeniedException");
    assert!(text.contains("kms:DeleteAlias"), "{text}");
}

async fn the_administrator_of_keys_uses_none(scene: &Scene, id: &str) {
    let caller = scene.caller(scene.dev.folder(), "keeper", &["kms.admin"]).await;
    let sealed = sealed(scene, id).await;
    for (operation, body) in requests(scene, id, &sealed) {
        if ["Decrypt", "Encrypt", "ReEncrypt"].contains(&operation) || operation.starts_with("GenerateDataKey") {
            assert_eq!(error(&caller.raw.call(operation, &body).await).0, "AccessDeniedException", "{operation}");
        }
    }
    // Who may delete may take it back.
    let own = caller.new_key_id().await;
    good(caller.kms.schedule_key_deletion().key_id(&own).send().await);
    good(caller.kms.cancel_key_deletion().key_id(&own).send().await);
    let random = caller.kms.generate_random().number_of_bytes(1).send().await;
    assert_eq!(crate::support::aws::refusal(random).0, "AccessDeniedException");
}

async fn lists_show_what_the_caller_may_see(scene: &Scene) {
    let (folder, _) = scene.folder("lists").await;
    let keeper = scene.caller(&folder, "keeper", &["kms.admin"]).await;
    let [one, other] = [keeper.new_key_id().await, keeper.new_key_id().await];
    for (name, id) in [("alias/one", &one), ("alias/other", &other)] {
        good(keeper.kms.create_alias().alias_name(name).target_key_id(id).send().await);
    }
    let some = scene.caller(&folder, "some", &[]).await;
    scene.bind(&format!("/kms/v1/keys/{one}"), "kms.keys.encrypterDecrypter", &some.id).await;
    let keys = |client: Client| async move {
        let listed = good(client.list_keys().send().await);
        let mut ids: Vec<_> = listed.keys().iter().map(|key| key.key_id().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let mut both = vec![one.clone(), other];
    both.sort();
    assert_eq!(keys(keeper.kms.clone()).await, both);
    assert_eq!(keys(some.kms.clone()).await, std::slice::from_ref(&one));
    let listed = good(some.kms.list_aliases().send().await);
    let names: Vec<_> = listed.aliases().iter().map(|alias| alias.alias_name().unwrap()).collect();
    assert_eq!(names, ["alias/one"], "an alias of a hidden key is hidden");
    let ordinary = scene.caller(&folder, "user", &["kms.keys.user"]).await;
    assert_eq!(keys(ordinary.kms.clone()).await, both);
    good(ordinary.kms.generate_random().number_of_bytes(1).send().await);
    // An alias moves only where both of its keys may be changed.
    scene.bind(&format!("/kms/v1/keys/{one}"), "kms.editor", &some.id).await;
    let moved = some.kms.update_alias().alias_name("alias/other").target_key_id(&one).send().await;
    assert_eq!(crate::support::aws::refusal(moved).0, "NotFoundException", "its key is hidden");
    let taken = some.kms.create_alias().alias_name("alias/other").target_key_id(&one).send().await;
    assert_eq!(crate::support::aws::refusal(taken).0, "AlreadyExistsException");
}

async fn other_accounts_need_an_arn_and_a_role(scene: &Scene, id: &str) {
    let (folder, account) = scene.folder("partner").await;
    assert_ne!(account, scene.account);
    let partner = scene.caller(&folder, "partner", &["kms.admin", "kms.keys.encrypterDecrypter"]).await;
    let own = partner.new_key().await;
    assert_eq!(own.aws_account_id(), Some(account.as_str()));
    let own_arn = format!("arn:aws:kms:{REGION}:{account}:key/{}", own.key_id);
    assert_eq!(own.arn(), Some(own_arn.as_str()));
    let listed = good(partner.kms.list_keys().send().await);
    assert_eq!(listed.keys().len(), 1, "keys of other accounts are not listed");

    let here = scene.arn(id);
    let encrypt = |name: String| partner.kms.encrypt().key_id(name).plaintext(Blob::new("across")).send();
    let text = format!("Key '{here}' does not exist");
    refused(encrypt(here.clone()).await, "NotFoundException", &text);
    scene.bind(&format!("/kms/v1/keys/{id}"), "kms.keys.encrypterDecrypter", &partner.id).await;
    let sealed = good(encrypt(here.clone()).await);
    assert_eq!(sealed.key_id(), Some(here.as_str()));
    let sealed = sealed.ciphertext_blob.unwrap();
    assert_eq!(partner.decrypt(&sealed).await, b"across", "the ciphertext names its key");
    assert_eq!(scene.admin.decrypt(&sealed).await, b"across");
    let by_alias = good(encrypt(scene.alias_arn("alias/secret")).await);
    assert_eq!(by_alias.key_id(), Some(here.as_str()));
    assert_eq!(partner.describe(&here).await.aws_account_id(), Some(scene.account.as_str()));

    // A bare id and an alias' name mean the caller's own account.
    let text = format!("Key 'arn:aws:kms:{REGION}:{account}:key/{id}' does not exist");
    refused(encrypt(id.to_owned()).await, "NotFoundException", &text);
    let text = format!("Alias arn:aws:kms:{REGION}:{account}:alias/secret is not found.");
    refused(encrypt("alias/secret".into()).await, "NotFoundException", &text);
    let wrong = here.replace(&scene.account, &account);
    let text = format!("Key '{wrong}' does not exist");
    refused(encrypt(wrong).await, "NotFoundException", &text);
    let text = denied(&format!("arn:aws:iam::{account}:user/partner"), "DisableKey", &here);
    refused(partner.kms.disable_key().key_id(&here).send().await, "AccessDeniedException", &text);
    let alias = partner.kms.create_alias().alias_name("alias/theirs").target_key_id(&here).send().await;
    let (code, _) = crate::support::aws::refusal(alias);
    assert!(["AccessDeniedException", "NotFoundException"].contains(&code.as_str()), "{code}");
    // The same name in another account is another alias.
    good(partner.kms.create_alias().alias_name("alias/secret").target_key_id(&own.key_id).send().await);
    assert_eq!(partner.describe("alias/secret").await.key_id, own.key_id);
    assert_eq!(scene.admin.describe("alias/secret").await.key_id, id);
}

async fn a_revoked_key_is_nobodys(scene: &Scene) {
    let caller = scene.caller(scene.dev.folder(), "leaver", &["kms.viewer"]).await;
    good(caller.kms.list_keys().send().await);
    let credentials = scene.rest.get(&format!("/claviger/v1/principals/{}/credentials", caller.id)).await.ok();
    let credential = credentials["credentials"][0]["id"].as_str().unwrap().to_owned();
    scene.rest.post(&format!("/claviger/v1/credentials/{credential}:revoke"), &json!({})).await.ok();
    let text = "The security token included in the request is invalid.";
    refused(caller.kms.list_keys().send().await, "UnrecognizedClientException", text);
}

async fn the_name_of_a_principal_is_in_its_arn(scene: &Scene, id: &str) {
    for (name, shown) in [("a.b+c=d,e@f-g_h", Some("a.b+c=d,e@f-g_h")), ("with space", None), ("Имя", None)] {
        let caller = scene.caller(scene.dev.folder(), name, &["kms.viewer"]).await;
        let expected = denied(&user(scene, shown.unwrap_or(&caller.id)), "DisableKey", &scene.arn(id));
        refused(caller.kms.disable_key().key_id(id).send().await, "AccessDeniedException", &expected);
    }
}
