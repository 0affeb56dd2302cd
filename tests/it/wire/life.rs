//! The life of a key, over both protocols and both listeners.

use super::{
    Api, create, decrypt, encrypt, key, metadata, new_key, period, primary, response, rotate, version, versions,
};
use crate::support::{Dev, Home};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::operation::{
    CancelOperationRequest, GetOperationRequest, Operation,
};
use claviger::dialect::yandex::wkt::FieldMask;
use kms::symmetric_key::Status as KeyStatus;
use kms::symmetric_key_version::Status as VersionStatus;
use kms::{SymmetricAlgorithm, SymmetricKey};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::Code;

const AAD: &[u8] = b"invoice 4711";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn a_key_lives_over_grpc_and_rest_in_the_clear_and_over_tls() {
    let home = Home::new();
    let dev = home.start().await;
    let mut lives = JoinSet::new();
    for api in Api::all(&dev).await {
        lives.spawn(life(api, dev.folder().to_owned()));
    }
    lives.join_all().await;
    what_rest_made_is_used_over_grpc_and_the_other_way_round(&dev).await;
    a_deleted_key_comes_back_by_the_operator_command(&dev).await;
    rest_speaks_the_documented_json(&dev).await;
}

/// The names of parts are printed by a failing assertion's place; the protocol by the task's panic text.
async fn life(api: Api, folder: String) {
    let key = a_new_key_is_as_asked(&api, &folder).await;
    keys_are_listed_page_by_page(&api, &folder, &key).await;
    let old = primary(&key);
    let sealed = encryption_names_key_and_version(&api, &key.id, &old).await;
    rotation_makes_a_new_primary_version(&api, &key, &sealed).await;
    the_primary_version_can_be_set_back_and_forth(&api, &key.id, &old).await;
    re_encryption_changes_key_and_additional_data(&api, &folder, &key.id, &old, &sealed).await;
    data_keys_have_the_length_of_their_spec(&api, &key.id, &old).await;
    an_update_changes_what_its_mask_names(&api, &key.id).await;
    an_inactive_key_does_no_crypto(&api, &key.id, &sealed).await;
    operations_are_listed_newest_first(&api, &key.id).await;
    a_deleted_key_is_gone_at_once(&api, &folder, &key.id, &sealed).await;
}

async fn a_new_key_is_as_asked(api: &Api, folder: &str) -> SymmetricKey {
    let labels = BTreeMap::from([("team".to_owned(), "payments".to_owned()), ("a_b-c1".to_owned(), String::new())]);
    let request = kms::CreateSymmetricKeyRequest {
        name: "Schlüssel".into(),
        description: "for invoices".into(),
        labels: labels.clone(),
        rotation_period: Some(period(30 * DAY)),
        ..create(folder, SymmetricAlgorithm::Aes256Hsm)
    };
    let record = api.ok(request).await;
    let made: SymmetricKey = response(&record);
    let meta: kms::CreateSymmetricKeyMetadata = metadata(&record);
    assert_eq!((meta.key_id, meta.primary_version_id), (made.id.clone(), primary(&made)));
    assert!(!record.id.is_empty() && !record.created_by.is_empty() && record.created_at == record.modified_at);
    assert_eq!(made.name, "Schlüssel");
    assert_eq!((made.description.as_str(), made.folder_id.as_str()), ("for invoices", folder));
    assert_eq!((made.labels.clone(), made.status()), (labels, KeyStatus::Active));
    assert_eq!((made.rotation_period, made.deletion_protection), (Some(period(30 * DAY)), false));
    assert_eq!((made.default_algorithm(), made.rotated_at), (SymmetricAlgorithm::Aes256Hsm, made.created_at));
    let first = made.primary_version.clone().unwrap();
    assert_eq!((first.key_id.as_str(), first.status()), (made.id.as_str(), VersionStatus::Active));
    assert!(first.primary && first.hosted_by_hsm && first.destroy_at.is_none() && first.created_at.is_some());
    assert_eq!(first.algorithm(), SymmetricAlgorithm::Aes256Hsm);
    assert_eq!(key(api, &made.id).await, made);
    assert_eq!(versions(api, &made.id).await, [first]);
    made
}

async fn keys_are_listed_page_by_page(api: &Api, folder: &str, wanted: &SymmetricKey) {
    let mut request =
        kms::ListSymmetricKeysRequest { folder_id: folder.to_owned(), page_size: 1, page_token: String::new() };
    let mut seen = Vec::new();
    loop {
        let page = api.ok(request.clone()).await;
        assert!(page.keys.len() <= 1);
        seen.extend(page.keys);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen.iter().filter(|key| *key == wanted).count(), 1, "{wanted:?} is not once in {seen:?}");
}

/// The ciphertext.
async fn encryption_names_key_and_version(api: &Api, key_id: &str, version_id: &str) -> Vec<u8> {
    let sealed = api.ok(encrypt(key_id, b"plain", AAD)).await;
    assert_eq!((sealed.key_id.as_str(), sealed.version_id.as_str()), (key_id, version_id));
    let opened = api.ok(decrypt(key_id, &sealed.ciphertext, AAD)).await;
    assert_eq!((opened.key_id.as_str(), opened.version_id.as_str()), (key_id, version_id));
    assert_eq!(opened.plaintext, b"plain");
    let again = api.ok(encrypt(key_id, b"plain", AAD)).await;
    assert_ne!(again.ciphertext, sealed.ciphertext, "the same text twice has the same ciphertext");
    sealed.ciphertext
}

async fn rotation_makes_a_new_primary_version(api: &Api, before: &SymmetricKey, sealed: &[u8]) {
    let (key_id, old) = (&before.id, primary(before));
    let record = api.ok(kms::RotateSymmetricKeyRequest { key_id: key_id.clone() }).await;
    let rotated: SymmetricKey = response(&record);
    let meta: kms::RotateSymmetricKeyMetadata = metadata(&record);
    let new = rotated.primary_version.clone().unwrap();
    assert_eq!((&meta.key_id, &meta.new_primary_version_id), (key_id, &new.id));
    assert_ne!(new.id, old);
    assert_eq!(rotated.rotated_at, new.created_at);
    assert!(new.primary && new.hosted_by_hsm);
    let all = versions(api, key_id).await;
    let shown: Vec<_> = all.iter().map(|v| (v.id.as_str(), v.primary, v.status())).collect();
    assert_eq!(shown, [(new.id.as_str(), true, VersionStatus::Active), (&old, false, VersionStatus::Active)]);
    let opened = api.ok(decrypt(key_id, sealed, AAD)).await;
    assert_eq!((opened.plaintext.as_slice(), &opened.version_id), (b"plain".as_slice(), &old));
    assert_eq!(api.ok(encrypt(key_id, b"x", b"")).await.version_id, new.id);
    let by_old = kms::SymmetricEncryptRequest { version_id: old.clone(), ..encrypt(key_id, b"by old", b"") };
    let by_old = api.ok(by_old).await;
    assert_eq!(by_old.version_id, old);
    assert_eq!(api.ok(decrypt(key_id, &by_old.ciphertext, b"")).await.plaintext, b"by old");
}

async fn the_primary_version_can_be_set_back_and_forth(api: &Api, key_id: &str, old: &str) {
    let new = primary(&key(api, key_id).await);
    for version_id in [old, &new] {
        let request =
            kms::SetPrimarySymmetricKeyVersionRequest { key_id: key_id.to_owned(), version_id: version_id.to_owned() };
        let record = api.ok(request).await;
        let meta: kms::SetPrimarySymmetricKeyVersionMetadata = metadata(&record);
        assert_eq!((meta.key_id.as_str(), meta.version_id.as_str()), (key_id, version_id));
        assert_eq!(primary(&response(&record)), version_id);
        assert_eq!(primary(&key(api, key_id).await), version_id);
        assert_eq!(api.ok(encrypt(key_id, b"x", b"")).await.version_id, version_id);
        let primaries: Vec<_> = versions(api, key_id).await.into_iter().filter(|v| v.primary).map(|v| v.id).collect();
        assert_eq!(primaries, [version_id]);
    }
}

async fn re_encryption_changes_key_and_additional_data(
    api: &Api,
    folder: &str,
    source: &str,
    source_version: &str,
    sealed: &[u8],
) {
    let target = new_key(api, folder, SymmetricAlgorithm::Aes128).await;
    assert!(!target.primary_version.as_ref().unwrap().hosted_by_hsm);
    let request = kms::SymmetricReEncryptRequest {
        key_id: target.id.clone(),
        version_id: String::new(),
        aad_context: b"new".to_vec(),
        source_key_id: source.to_owned(),
        source_aad_context: AAD.to_vec(),
        ciphertext: sealed.to_vec(),
    };
    let moved = api.ok(request.clone()).await;
    assert_eq!((&moved.key_id, &moved.version_id), (&target.id, &primary(&target)));
    assert_eq!((moved.source_key_id.as_str(), moved.source_version_id.as_str()), (source, source_version));
    assert_eq!(api.ok(decrypt(&target.id, &moved.ciphertext, b"new")).await.plaintext, b"plain");
    let to_itself =
        kms::SymmetricReEncryptRequest { key_id: source.to_owned(), version_id: source_version.to_owned(), ..request };
    let moved = api.ok(to_itself).await;
    assert_eq!(moved.version_id, source_version);
    assert_eq!(api.ok(decrypt(source, &moved.ciphertext, b"new")).await.plaintext, b"plain");
}

async fn data_keys_have_the_length_of_their_spec(api: &Api, key_id: &str, old: &str) {
    let specs = [
        (SymmetricAlgorithm::Aes128, 16),
        (SymmetricAlgorithm::Aes192, 24),
        (SymmetricAlgorithm::Aes256, 32),
        (SymmetricAlgorithm::Aes256Hsm, 32),
    ];
    for (spec, bytes) in specs {
        let request = kms::GenerateDataKeyRequest {
            key_id: key_id.to_owned(),
            version_id: old.to_owned(),
            aad_context: AAD.to_vec(),
            data_key_spec: spec.into(),
            skip_plaintext: false,
        };
        let shown = api.ok(request.clone()).await;
        assert_eq!((shown.key_id.as_str(), shown.version_id.as_str()), (key_id, old));
        assert_eq!(shown.data_key_plaintext.len(), bytes);
        let opened = api.ok(decrypt(key_id, &shown.data_key_ciphertext, AAD)).await;
        assert_eq!(opened.plaintext, shown.data_key_plaintext);
        let hidden = api.ok(kms::GenerateDataKeyRequest { skip_plaintext: true, ..request }).await;
        assert_eq!(hidden.data_key_plaintext, b"");
        let other = api.ok(decrypt(key_id, &hidden.data_key_ciphertext, AAD)).await;
        assert!(other.plaintext.len() == bytes && other.plaintext != opened.plaintext, "two data keys are alike");
    }
}

fn update(key_id: &str, paths: &[&str]) -> kms::UpdateSymmetricKeyRequest {
    kms::UpdateSymmetricKeyRequest {
        key_id: key_id.to_owned(),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        name: "renamed".into(),
        description: "changed".into(),
        status: KeyStatus::Active.into(),
        labels: BTreeMap::from([("b".to_owned(), "2".to_owned())]),
        default_algorithm: SymmetricAlgorithm::Aes192.into(),
        rotation_period: Some(period(2 * DAY)),
        deletion_protection: true,
    }
}

async fn an_update_changes_what_its_mask_names(api: &Api, key_id: &str) {
    let mut expected = key(api, key_id).await;
    let record = api.ok(update(key_id, &["name"])).await;
    assert_eq!(metadata::<kms::UpdateSymmetricKeyMetadata>(&record).key_id, key_id);
    expected.name = "renamed".into();
    assert_eq!(response::<SymmetricKey>(&record), expected);
    assert_eq!(key(api, key_id).await, expected);
    let paths = ["description", "labels", "default_algorithm", "rotation_period", "deletion_protection"];
    expected.description = "changed".into();
    expected.labels = BTreeMap::from([("b".to_owned(), "2".to_owned())]);
    expected.default_algorithm = SymmetricAlgorithm::Aes192.into();
    expected.rotation_period = Some(period(2 * DAY));
    expected.deletion_protection = true;
    api.ok(update(key_id, &paths)).await;
    assert_eq!(key(api, key_id).await, expected);
    // A path in the mask without a value sets the default: for the period, that is off.
    let cleared = kms::UpdateSymmetricKeyRequest {
        description: String::new(),
        labels: BTreeMap::new(),
        rotation_period: None,
        deletion_protection: false,
        default_algorithm: SymmetricAlgorithm::Aes256Hsm.into(),
        ..update(key_id, &paths)
    };
    api.ok(cleared).await;
    expected = SymmetricKey {
        description: String::new(),
        labels: BTreeMap::new(),
        rotation_period: None,
        deletion_protection: false,
        default_algorithm: SymmetricAlgorithm::Aes256Hsm.into(),
        ..expected
    };
    assert_eq!(key(api, key_id).await, expected);
}

async fn an_inactive_key_does_no_crypto(api: &Api, key_id: &str, sealed: &[u8]) {
    let switch =
        |status: KeyStatus| kms::UpdateSymmetricKeyRequest { status: status.into(), ..update(key_id, &["status"]) };
    let record = api.ok(switch(KeyStatus::Inactive)).await;
    assert_eq!(response::<SymmetricKey>(&record).status(), KeyStatus::Inactive);
    let refusal = api.refused("inactive", encrypt(key_id, b"x", b"")).await;
    assert_eq!(refusal.code, Code::FailedPrecondition);
    let refusal = api.refused("inactive", decrypt(key_id, sealed, AAD)).await;
    assert_eq!(refusal.code, Code::FailedPrecondition);
    api.ok(switch(KeyStatus::Active)).await;
    assert_eq!(api.ok(decrypt(key_id, sealed, AAD)).await.plaintext, b"plain");
}

async fn operations_are_listed_newest_first(api: &Api, key_id: &str) {
    let mut request =
        kms::ListSymmetricKeyOperationsRequest { key_id: key_id.to_owned(), page_size: 3, page_token: String::new() };
    let mut all: Vec<Operation> = Vec::new();
    loop {
        let page = api.ok(request.clone()).await;
        all.extend(page.operations);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let kinds: Vec<_> = all.iter().map(|record| record.description.as_str()).collect();
    let (update, set) = ("Update symmetric key", "Set primary version of symmetric key");
    let newest_first =
        [update, update, update, update, update, set, set, "Rotate symmetric key", "Create symmetric key"];
    assert_eq!(kinds, newest_first);
    for record in &all {
        assert!(record.done && record.result.is_some() && record.metadata.is_some());
        assert_eq!(api.ok(GetOperationRequest { operation_id: record.id.clone() }).await, *record);
    }
    let finished = api.ok(CancelOperationRequest { operation_id: all[0].id.clone() }).await;
    assert_eq!(finished, all[0], "cancelling what is done changes nothing");
}

async fn a_deleted_key_is_gone_at_once(api: &Api, folder: &str, key_id: &str, sealed: &[u8]) {
    let record = api.ok(kms::DeleteSymmetricKeyRequest { key_id: key_id.to_owned() }).await;
    assert_eq!(metadata::<kms::DeleteSymmetricKeyMetadata>(&record).key_id, key_id);
    assert_eq!(response::<SymmetricKey>(&record).id, key_id);
    let get = kms::GetSymmetricKeyRequest { key_id: key_id.to_owned() };
    let listing = kms::ListSymmetricKeyVersionsRequest { key_id: key_id.to_owned(), ..Default::default() };
    let again = kms::DeleteSymmetricKeyRequest { key_id: key_id.to_owned() };
    let refusals = [
        api.refused("deleted", get).await,
        api.refused("deleted", listing).await,
        api.refused("deleted", again).await,
        api.refused("deleted", encrypt(key_id, b"x", b"")).await,
        api.refused("deleted", decrypt(key_id, sealed, AAD)).await,
        api.refused("deleted", kms::RotateSymmetricKeyRequest { key_id: key_id.to_owned() }).await,
    ];
    assert!(refusals.iter().all(|refusal| refusal.code == Code::NotFound), "{refusals:?}");
    let request = kms::ListSymmetricKeysRequest { folder_id: folder.to_owned(), page_size: 1000, ..Default::default() };
    assert!(api.ok(request).await.keys.iter().all(|key| key.id != key_id));
    assert_eq!(api.ok(GetOperationRequest { operation_id: record.id.clone() }).await, record);
}

async fn what_rest_made_is_used_over_grpc_and_the_other_way_round(dev: &Dev) {
    let apis = Api::both(dev).await;
    for (maker, user) in [(&apis[0], &apis[1]), (&apis[1], &apis[0])] {
        let made = new_key(maker, dev.folder(), SymmetricAlgorithm::Aes256Hsm).await;
        assert_eq!(key(user, &made.id).await, made);
        let sealed = user.ok(encrypt(&made.id, b"across", AAD)).await.ciphertext;
        let new = rotate(maker, &made.id).await;
        assert_eq!(maker.ok(decrypt(&made.id, &sealed, AAD)).await.plaintext, b"across");
        assert_eq!(user.ok(encrypt(&made.id, b"x", b"")).await.version_id, new);
        assert!(!version(user, &made.id, &primary(&made)).await.primary);
    }
}

async fn a_deleted_key_comes_back_by_the_operator_command(dev: &Dev) {
    let api = Api::grpc(dev).await;
    let made = new_key(&api, dev.folder(), SymmetricAlgorithm::Aes256Hsm).await;
    let sealed = api.ok(encrypt(&made.id, b"kept", AAD)).await.ciphertext;
    api.ok(kms::DeleteSymmetricKeyRequest { key_id: made.id.clone() }).await;
    let mut command = crate::support::server::claviger();
    command.args(["key", "restore", &made.id]).envs(dev.credentials());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(key(&api, &made.id).await, made);
    assert_eq!(api.ok(decrypt(&made.id, &sealed, AAD)).await.plaintext, b"kept");
    let again = command.output().unwrap();
    assert!(!again.status.success(), "a key that is not deleted was restored");
}

/// The other tests read REST with the same generated code that writes it; this one has the spelling of the documents.
async fn rest_speaks_the_documented_json(dev: &Dev) {
    let rest = dev.rest();
    for body in [
        serde_json::json!({ "folderId": dev.folder(), "defaultAlgorithm": "AES_256_HSM", "rotationPeriod": "86400s" }),
        serde_json::json!({ "folder_id": dev.folder(), "default_algorithm": 4, "rotation_period": "86400s" }),
    ] {
        let record = rest.post("/kms/v1/keys", &body).await.ok();
        let key = &record["response"];
        let id = key["id"].as_str().unwrap();
        let version = key["primaryVersion"]["id"].as_str().unwrap();
        assert_eq!(record["done"], true);
        assert_eq!(
            record["metadata"],
            serde_json::json!({
                "@type": "type.googleapis.com/yandex.cloud.kms.v1.CreateSymmetricKeyMetadata",
                "keyId": id,
                "primaryVersionId": version,
            })
        );
        assert_eq!(key["@type"], "type.googleapis.com/yandex.cloud.kms.v1.SymmetricKey");
        assert_eq!((&key["rotationPeriod"], &key["status"]), (&"86400s".into(), &"ACTIVE".into()));
        assert_eq!(key["primaryVersion"]["hostedByHsm"], true);
        assert!(key["createdAt"].as_str().unwrap().ends_with('Z'));
        let shown = rest.get(&format!("/kms/v1/keys/{id}")).await.ok();
        assert_eq!(shown["primaryVersion"], key["primaryVersion"]);
        let sealed = rest
            .post(
                &format!("/kms/v1/keys/{id}:encrypt"),
                &serde_json::json!({ "plaintext": "-_8=", "aad_context": "YQ" }),
            )
            .await
            .ok();
        assert_eq!((&sealed["keyId"], &sealed["versionId"]), (&id.into(), &version.into()));
        let sealed = serde_json::json!({ "ciphertext": sealed["ciphertext"], "aadContext": "YQ==" });
        let opened = rest.post(&format!("/kms/v1/keys/{id}:decrypt"), &sealed).await.ok();
        assert_eq!(opened["plaintext"], "+/8=", "bytes are written in standard base64");
        let operation = record["id"].as_str().unwrap();
        for answer in [
            rest.get(&format!("/operations/{operation}")).await,
            rest.get(&format!("/operations/{operation}:cancel")).await,
            rest.post(&format!("/operations/{operation}:cancel"), &serde_json::json!({})).await,
        ] {
            assert_eq!(answer.ok(), record);
        }
    }
}
