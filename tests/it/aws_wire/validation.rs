//! Every rule of the service's model, at its borders: what is on them is not refused by the rule, and what is beyond is,
//! in the cloud's words.

use super::{NOBODY, Scene};
use crate::support::aws::error;
use serde_json::{Value, json};

/// An operation, the rest of its members, the member that a row is about, its name in refusals.
struct Member {
    operation: &'static str,
    rest: Value,
    name: &'static str,
    shown: &'static str,
}

impl Member {
    const fn new(operation: &'static str, rest: Value, name: &'static str, shown: &'static str) -> Self {
        Self { operation, rest, name, shown }
    }

    fn body(&self, value: &Value) -> Value {
        let mut body = self.rest.clone();
        body[self.name] = value.clone();
        body
    }
}

#[tokio::test]
async fn members_are_held_to_the_model() {
    let scene = Scene::start().await;
    let id = scene.admin.new_key_id().await;
    tokio::join!(
        required_members_are_required(&scene, &id),
        key_ids_have_1_to_2048_characters(&scene, &id),
        texts_have_their_lengths(&scene, &id),
        blobs_have_their_lengths(&scene, &id),
        numbers_have_their_ranges(&scene, &id),
        names_are_those_of_the_enumerations(&scene, &id),
        lists_have_their_lengths(&scene, &id),
        texts_follow_their_patterns(&scene, &id),
        several_errors_are_told_together(&scene),
    );
}

/// Whether the rule, with these words, is what refused the request.
async fn judge(scene: &Scene, member: &Member, value: &Value, refused: bool, rule: &str) {
    let body = member.body(value);
    let answer = scene.admin.raw.call(member.operation, &body).await;
    let what = body.to_string().chars().take(200).collect::<String>();
    let end = format!("at '{}' failed to satisfy constraint: {rule}", member.shown);
    let said = if answer.status == 200 { String::new() } else { error(&answer).1 };
    let is_this = said.starts_with("1 validation error detected: Value ") && said.contains(&end);
    if refused {
        assert_eq!(error(&answer).0, "ValidationException", "{} {what}", member.operation);
    }
    let said = said.chars().take(300).collect::<String>();
    assert_eq!(is_this, refused, "{} {what}: {said:?}, not {end:?}", member.operation);
}

async fn required_members_are_required(scene: &Scene, id: &str) {
    let sealed = "AAAA";
    let rows = [
        ("CancelKeyDeletion", json!({}), "keyId"),
        ("CreateAlias", json!({"TargetKeyId": id}), "aliasName"),
        ("CreateAlias", json!({"AliasName": "alias/a"}), "targetKeyId"),
        ("Decrypt", json!({}), "ciphertextBlob"),
        ("DeleteAlias", json!({}), "aliasName"),
        ("DescribeKey", json!({}), "keyId"),
        ("DisableKey", json!({}), "keyId"),
        ("DisableKeyRotation", json!({}), "keyId"),
        ("EnableKey", json!({}), "keyId"),
        ("EnableKeyRotation", json!({}), "keyId"),
        ("Encrypt", json!({"KeyId": id}), "plaintext"),
        ("Encrypt", json!({"Plaintext": "aGk="}), "keyId"),
        ("GenerateDataKey", json!({"KeySpec": "AES_256"}), "keyId"),
        ("GenerateDataKeyPair", json!({"KeyPairSpec": "RSA_2048"}), "keyId"),
        ("GenerateDataKeyPair", json!({"KeyId": id}), "keyPairSpec"),
        ("GenerateDataKeyPairWithoutPlaintext", json!({"KeyId": id}), "keyPairSpec"),
        ("GenerateDataKeyWithoutPlaintext", json!({"KeySpec": "AES_256"}), "keyId"),
        ("GetKeyPolicy", json!({}), "keyId"),
        ("GetKeyRotationStatus", json!({}), "keyId"),
        ("ListKeyPolicies", json!({}), "keyId"),
        ("ListKeyRotations", json!({}), "keyId"),
        ("ListResourceTags", json!({}), "keyId"),
        ("PutKeyPolicy", json!({"KeyId": id}), "policy"),
        ("PutKeyPolicy", json!({"Policy": "{}"}), "keyId"),
        ("ReEncrypt", json!({"DestinationKeyId": id}), "ciphertextBlob"),
        ("ReEncrypt", json!({"CiphertextBlob": sealed}), "destinationKeyId"),
        ("RotateKeyOnDemand", json!({}), "keyId"),
        ("ScheduleKeyDeletion", json!({}), "keyId"),
        ("TagResource", json!({"KeyId": id}), "tags"),
        ("TagResource", json!({"KeyId": id, "Tags": [{"TagValue": "v"}]}), "tags.1.member.tagKey"),
        ("TagResource", json!({"KeyId": id, "Tags": [{"TagKey": "k"}]}), "tags.1.member.tagValue"),
        ("UntagResource", json!({"KeyId": id}), "tagKeys"),
        ("UpdateAlias", json!({"TargetKeyId": id}), "aliasName"),
        ("UpdateAlias", json!({"AliasName": "alias/a"}), "targetKeyId"),
        ("UpdateKeyDescription", json!({"KeyId": id}), "description"),
    ];
    for (operation, body, member) in rows {
        let (code, text) = error(&scene.admin.raw.call(operation, &body).await);
        assert_eq!(code, "ValidationException", "{operation} {body}: {text}");
        let end = format!("at '{member}' failed to satisfy constraint: Member must not be null");
        assert!(text.starts_with("1 validation error detected: Value ") && text.ends_with(&end), "{operation}: {text}");
    }
}

async fn key_ids_have_1_to_2048_characters(scene: &Scene, id: &str) {
    let rows = [
        Member::new("DescribeKey", json!({}), "KeyId", "keyId"),
        Member::new("Encrypt", json!({"Plaintext": "aGk="}), "KeyId", "keyId"),
        Member::new("Decrypt", json!({"CiphertextBlob": "AAAA"}), "KeyId", "keyId"),
        Member::new("ReEncrypt", json!({"CiphertextBlob": "AAAA"}), "DestinationKeyId", "destinationKeyId"),
        Member::new(
            "ReEncrypt",
            json!({"CiphertextBlob": "AAAA", "DestinationKeyId": id}),
            "SourceKeyId",
            "sourceKeyId",
        ),
        Member::new("CreateAlias", json!({"AliasName": "alias/v"}), "TargetKeyId", "targetKeyId"),
        Member::new("ListAliases", json!({}), "KeyId", "keyId"),
        Member::new("ScheduleKeyDeletion", json!({}), "KeyId", "keyId"),
        Member::new("GetKeyRotationStatus", json!({}), "KeyId", "keyId"),
    ];
    for row in &rows {
        at_borders(scene, row, 1, 2048).await;
    }
}

/// Lengths of a text: the shortest, the longest, and one beyond each.
async fn at_borders(scene: &Scene, member: &Member, min: usize, max: usize) {
    let long = format!("Member must have length less than or equal to {max}");
    let short = format!("Member must have length greater than or equal to {min}");
    judge(scene, member, &json!("a".repeat(max + 1)), true, &long).await;
    judge(scene, member, &json!("a".repeat(max)), false, &long).await;
    judge(scene, member, &json!("a".repeat(min)), false, &short).await;
    if min > 0 {
        judge(scene, member, &json!("a".repeat(min - 1)), true, &short).await;
    }
}

async fn texts_have_their_lengths(scene: &Scene, id: &str) {
    let key = json!({"KeyId": id});
    let unknown = json!({"KeyId": NOBODY});
    at_borders(scene, &Member::new("CreateKey", json!({}), "Description", "description"), 0, 8192).await;
    at_borders(scene, &Member::new("UpdateKeyDescription", key.clone(), "Description", "description"), 0, 8192).await;
    let alias = Member::new("CreateAlias", json!({"TargetKeyId": id}), "AliasName", "aliasName");
    at_borders(scene, &alias, 1, 256).await;
    at_borders(scene, &Member::new("DeleteAlias", json!({}), "AliasName", "aliasName"), 1, 256).await;
    at_borders(scene, &Member::new("GetKeyPolicy", key.clone(), "PolicyName", "policyName"), 1, 128).await;
    at_borders(scene, &Member::new("PutKeyPolicy", key.clone(), "Policy", "policy"), 1, 131_072).await;
    at_borders(scene, &Member::new("ListKeys", json!({}), "Marker", "marker"), 1, 1024).await;
    at_borders(scene, &Member::new("ListKeyRotations", key.clone(), "Marker", "marker"), 1, 1024).await;
    at_borders(scene, &Member::new("ListResourceTags", key, "Marker", "marker"), 1, 1024).await;
    let store = Member::new("CreateKey", json!({}), "CustomKeyStoreId", "customKeyStoreId");
    at_borders(scene, &store, 1, 64).await;
    // Members of lists are counted from 1.
    for (length, rule) in [(0, "greater than or equal to 1"), (129, "less than or equal to 128")] {
        let tags = json!([{"TagKey": "a", "TagValue": ""}, {"TagKey": "k".repeat(length), "TagValue": ""}]);
        let member = Member::new("TagResource", unknown.clone(), "Tags", "tags.2.member.tagKey");
        judge(scene, &member, &tags, true, &format!("Member must have length {rule}")).await;
    }
    let tags = json!([{"TagKey": "a", "TagValue": "v".repeat(257)}]);
    let member = Member::new("TagResource", unknown, "Tags", "tags.1.member.tagValue");
    judge(scene, &member, &tags, true, "Member must have length less than or equal to 256").await;
}

/// Base64 of so many bytes.
fn blob(size: usize) -> Value {
    let mut text = "AAAA".repeat(size / 3);
    text.push_str(["", "AA==", "AAA="][size % 3]);
    json!(text)
}

async fn blobs_have_their_lengths(scene: &Scene, id: &str) {
    let rows = [
        (Member::new("Encrypt", json!({"KeyId": id}), "Plaintext", "plaintext"), 4096),
        (Member::new("Decrypt", json!({}), "CiphertextBlob", "ciphertextBlob"), 6144),
        (Member::new("ReEncrypt", json!({"DestinationKeyId": id}), "CiphertextBlob", "ciphertextBlob"), 6144),
    ];
    for (member, max) in &rows {
        let long = format!("Member must have length less than or equal to {max}");
        judge(scene, member, &blob(max + 1), true, &long).await;
        judge(scene, member, &blob(*max), false, &long).await;
        judge(scene, member, &blob(1), false, "Member").await;
        judge(scene, member, &json!(""), true, "Member must have length greater than or equal to 1").await;
        let (_, text) = error(&scene.admin.raw.call(member.operation, &member.body(&blob(max + 1))).await);
        assert!(text.starts_with("1 validation error detected: Value at '"), "values of blobs are not shown: {text}");
    }
}

async fn numbers_have_their_ranges(scene: &Scene, id: &str) {
    let (key, unknown) = (json!({"KeyId": id}), json!({"KeyId": NOBODY}));
    let rows = [
        (Member::new("GenerateDataKey", key.clone(), "NumberOfBytes", "numberOfBytes"), 1, 1024),
        (Member::new("GenerateDataKeyWithoutPlaintext", key.clone(), "NumberOfBytes", "numberOfBytes"), 1, 1024),
        (Member::new("GenerateRandom", json!({}), "NumberOfBytes", "numberOfBytes"), 1, 1024),
        (Member::new("EnableKeyRotation", unknown, "RotationPeriodInDays", "rotationPeriodInDays"), 90, 2560),
        (Member::new("ListKeys", json!({}), "Limit", "limit"), 1, 1000),
        (Member::new("ListKeyRotations", key.clone(), "Limit", "limit"), 1, 1000),
        (Member::new("ListKeyPolicies", key, "Limit", "limit"), 1, 1000),
    ];
    for (member, min, max) in &rows {
        let low = format!("Member must have value greater than or equal to {min}");
        let high = format!("Member must have value less than or equal to {max}");
        for (value, refused, rule) in
            [(min - 1, true, &low), (*min, false, &low), (*max, false, &high), (max + 1, true, &high), (-7, true, &low)]
        {
            judge(scene, member, &json!(value), refused, rule).await;
        }
    }
    // What is no whole number of 32 bits is of another type.
    for wrong in [json!(1.5), json!(1e300), json!(4_294_967_297_i64), json!("1")] {
        let answer = scene.admin.raw.call("GenerateRandom", &json!({"NumberOfBytes": wrong})).await;
        let (code, _) = error(&answer);
        assert!(["SerializationException", "ValidationException"].contains(&code.as_str()), "{wrong}: {code}");
    }
}

async fn names_are_those_of_the_enumerations(scene: &Scene, id: &str) {
    let key = json!({"KeyId": id});
    let encrypt = json!({"KeyId": id, "Plaintext": "aGk="});
    let rows = [
        Member::new("CreateKey", json!({}), "KeySpec", "keySpec"),
        Member::new("CreateKey", json!({}), "CustomerMasterKeySpec", "customerMasterKeySpec"),
        Member::new("CreateKey", json!({}), "KeyUsage", "keyUsage"),
        Member::new("CreateKey", json!({}), "Origin", "origin"),
        Member::new("Encrypt", encrypt, "EncryptionAlgorithm", "encryptionAlgorithm"),
        Member::new("Decrypt", json!({"CiphertextBlob": "AAAA"}), "EncryptionAlgorithm", "encryptionAlgorithm"),
        Member::new("GenerateDataKey", key.clone(), "KeySpec", "keySpec"),
        Member::new("GenerateDataKeyPair", key.clone(), "KeyPairSpec", "keyPairSpec"),
        Member::new("ListKeyRotations", key, "IncludeKeyMaterial", "includeKeyMaterial"),
    ];
    for member in &rows {
        for value in ["", "NONSENSE", "symmetric_default", "SYMMETRIC_DEFAULT "] {
            judge(scene, member, &json!(value), true, "Member must satisfy enum value set: [").await;
        }
    }
    let (_, text) = error(&scene.admin.raw.call("GenerateDataKey", &json!({"KeyId": id, "KeySpec": "AES_1"})).await);
    assert!(text.contains("Value 'AES_1' at 'keySpec'"), "{text}");
    assert!(text.contains("AES_256") && text.contains("AES_128"), "{text}");
}

async fn lists_have_their_lengths(scene: &Scene, id: &str) {
    let rule = "Member must have length less than or equal to 10";
    let encrypt = Member::new("Encrypt", json!({"KeyId": id, "Plaintext": "aGk="}), "GrantTokens", "grantTokens");
    let describe = Member::new("DescribeKey", json!({"KeyId": id}), "GrantTokens", "grantTokens");
    for member in [&encrypt, &describe] {
        judge(scene, member, &json!(vec!["t"; 11]), true, rule).await;
        judge(scene, member, &json!(vec!["t"; 10]), false, rule).await;
        let answer = scene.admin.raw.call(member.operation, &member.body(&json!(["t"]))).await;
        assert_eq!(error(&answer).0, "InvalidGrantTokenException");
    }
    for tokens in [json!([""]), json!(["t".repeat(8193)])] {
        let answer = scene.admin.raw.call("Encrypt", &encrypt.body(&tokens)).await;
        assert_eq!(error(&answer).0, "ValidationException");
    }
}

async fn texts_follow_their_patterns(scene: &Scene, id: &str) {
    let rule = "Member must satisfy regular expression pattern: ";
    let alias = Member::new("CreateAlias", json!({"TargetKeyId": id}), "AliasName", "aliasName");
    let policy = Member::new("GetKeyPolicy", json!({"KeyId": id}), "PolicyName", "policyName");
    let marker = Member::new("ListKeys", json!({}), "Marker", "marker");
    for (member, value) in [
        (&alias, "alias/a b"),
        (&alias, "alias/\u{416}"),
        (&alias, "alias/a\n"),
        (&policy, "de-fault"),
        (&policy, "default "),
        (&marker, "\u{416}"),
        (&marker, "a\n"),
    ] {
        judge(scene, member, &json!(value), true, rule).await;
    }
}

async fn several_errors_are_told_together(scene: &Scene) {
    let body = json!({"KeyId": "", "Plaintext": ""});
    let (code, text) = error(&scene.admin.raw.call("Encrypt", &body).await);
    assert_eq!(code, "ValidationException");
    assert!(text.starts_with("2 validation errors detected: Value "), "{text}");
    assert!(
        text.contains("at 'keyId' failed") && text.contains("at 'plaintext' failed") && text.contains("; "),
        "{text}"
    );
}
