//! Key policies: the default one is there, and nothing else binds.

use super::{NOBODY, Scene};
use crate::support::aws::{error, good, refused, refused_as};
use serde_json::{Value, json};

/// The default policy of the account that an ARN names.
pub fn default_policy(arn: &str) -> String {
    let account = arn.split(':').nth(4).unwrap();
    policy(&json!([statement(&json!({"AWS": format!("arn:aws:iam::{account}:root")}), "kms:*")])).to_string()
}

fn statement(principal: &Value, action: &str) -> Value {
    json!({
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": "*"
    })
}

fn policy(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Id": "key-default-1", "Statement": statements})
}

#[tokio::test]
async fn the_default_policy_is_shown_and_no_other_is_taken() {
    let scene = Scene::start().await;
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    let arn = scene.arn(&id);
    let expected: Value = serde_json::from_str(&default_policy(&arn)).unwrap();
    for name in [None, Some("default".to_owned())] {
        let shown = good(kms.get_key_policy().key_id(&id).set_policy_name(name).send().await);
        let policy: Value = serde_json::from_str(shown.policy().unwrap()).unwrap();
        assert_eq!((policy, shown.policy_name()), (expected.clone(), Some("default")));
        assert!(shown.policy().unwrap().contains('\n'), "it is printed for people");
    }
    let listed = good(kms.list_key_policies().key_id(&arn).send().await);
    assert_eq!(
        (listed.policy_names(), listed.truncated, listed.next_marker()),
        (&["default".to_owned()][..], false, None)
    );

    let unknown = kms.get_key_policy().key_id(&id).policy_name("other").send().await;
    refused(unknown, "NotFoundException", "No such policy exists");
    let unknown = kms.put_key_policy().key_id(&id).policy_name("other").policy(expected.to_string()).send().await;
    refused(unknown, "NotFoundException", "No such policy exists");
    refused_as(kms.get_key_policy().key_id(NOBODY).send().await, "NotFoundException");

    the_same_policy_is_taken(&scene, &id).await;
    other_policies_are_not_supported(&scene, &id).await;
    what_is_no_policy_is_malformed(&scene, &id).await;
    let shown = good(kms.get_key_policy().key_id(&id).send().await);
    let policy: Value = serde_json::from_str(shown.policy().unwrap()).unwrap();
    assert_eq!(policy, expected, "nothing of it was stored");
}

async fn the_same_policy_is_taken(scene: &Scene, id: &str) {
    let root = format!("arn:aws:iam::{}:root", scene.account);
    let mut bare = policy(&json!([statement(&json!({"AWS": root}), "kms:*")]));
    bare.as_object_mut().unwrap().remove("Id");
    bare["Statement"][0].as_object_mut().unwrap().remove("Sid");
    let shown = good(scene.admin.kms.get_key_policy().key_id(id).send().await).policy.unwrap();
    let same = [
        default_policy(&scene.arn(id)),
        serde_json::to_string_pretty(&policy(&json!([statement(&json!({"AWS": root}), "kms:*")]))).unwrap(),
        shown,
        bare.to_string(),
        policy(&json!(statement(&json!({"AWS": root}), "kms:*"))).to_string(),
        policy(&json!([statement(&json!({"AWS": [root]}), "kms:*")])).to_string(),
        policy(&json!([statement(&json!({"AWS": scene.account}), "kms:*")])).to_string(),
    ];
    for text in same {
        good(scene.admin.kms.put_key_policy().key_id(id).policy(&text).send().await);
        let request = scene.admin.kms.put_key_policy().key_id(id).policy_name("default").policy(&text);
        good(request.bypass_policy_lockout_safety_check(true).send().await);
        good(scene.admin.kms.create_key().policy(&text).send().await);
    }
}

async fn other_policies_are_not_supported(scene: &Scene, id: &str) {
    let root = json!({"AWS": format!("arn:aws:iam::{}:root", scene.account)});
    let default = policy(&json!([statement(&root, "kms:*")]));
    let deny = {
        let mut some = default.clone();
        some["Statement"][0]["Effect"] = json!("Deny");
        some
    };
    let conditional = {
        let mut some = default.clone();
        some["Statement"][0]["Condition"] = json!({"StringEquals": {"kms:CallerAccount": "111122223333"}});
        some
    };
    let others = [
        policy(&json!([statement(&json!({"AWS": "arn:aws:iam::000000000000:root"}), "kms:*")])),
        policy(&json!([statement(&json!("*"), "kms:*")])),
        policy(&json!([statement(&root, "kms:Decrypt")])),
        policy(&json!([statement(&root, "kms:*"), statement(&json!("*"), "kms:Decrypt")])),
        deny,
        conditional,
    ];
    for other in others {
        let other = other.to_string();
        let put = scene.admin.kms.put_key_policy().key_id(id).policy(&other).send().await;
        refused_as(put, "UnsupportedOperationException");
        refused_as(scene.admin.kms.create_key().policy(&other).send().await, "UnsupportedOperationException");
    }
}

async fn what_is_no_policy_is_malformed(scene: &Scene, id: &str) {
    for text in ["{", "policy", "[]", "1", "null", "{}", r#"{"Version":"2012-10-17"}"#] {
        let put = scene.admin.kms.put_key_policy().key_id(id).policy(text).send().await;
        refused_as(put, "MalformedPolicyDocumentException");
        refused_as(scene.admin.kms.create_key().policy(text).send().await, "MalformedPolicyDocumentException");
    }
    // A duplicate member is read differently by different readers.
    let twice = default_policy(&scene.arn(id)).replacen('{', r#"{"Id":"key-default-1","#, 1);
    let put = scene.admin.raw.call("PutKeyPolicy", &json!({"KeyId": id, "Policy": twice})).await;
    assert_eq!(error(&put).0, "MalformedPolicyDocumentException");
}
