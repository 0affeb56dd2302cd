//! Regions: keys and aliases live in the one that their creating request was signed for.

use super::Scene;
use crate::support::Home;
use crate::support::aws::{REGION, Signer, error, good, refused, sdk};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use serde_json::json;

const OTHER: &str = "eu-north-1";

#[tokio::test]
async fn keys_exist_in_their_region_only() {
    let scene = Scene::start_in(Home::new().with("CLAVIGER_AWS__EXTRA_REGIONS", "eu-north-1,ap-south-1")).await;
    let there = sdk(scene.endpoint(), OTHER, &scene.admin.key);
    let (here, native) = (scene.admin.new_key().await, scene.native_key("AES_256_HSM").await);
    let far = good(there.create_key().send().await).key_metadata.unwrap();
    let far_arn = format!("arn:aws:kms:{OTHER}:{}:key/{}", scene.account, far.key_id);
    assert_eq!((far.arn(), here.arn()), (Some(far_arn.as_str()), Some(scene.arn(&here.key_id).as_str())));
    assert_eq!(scene.admin.describe(&native).await.arn(), Some(scene.arn(&native).as_str()), "the first region");

    lists_show_one_region(&scene, &there, [&here.key_id, &native], &far.key_id).await;
    names_of_the_other_region_are_not_found(&scene, &there, &here.key_id, &far.key_id).await;
    ciphertexts_stay_in_their_region(&scene, &there, &here.key_id, &far.key_id).await;
    aliases_are_of_one_region(&scene, &there, &here.key_id, &far.key_id).await;
    other_dialects_know_no_regions(&scene, &far.key_id).await;
    regions_that_are_not_served_are_refused(&scene).await;
}

async fn lists_show_one_region(scene: &Scene, there: &Client, here: [&str; 2], far: &str) {
    let ids = |keys: &[aws_sdk_kms::types::KeyListEntry]| {
        let mut ids: Vec<_> = keys.iter().map(|key| key.key_id().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let mut expected = here.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(ids(good(scene.admin.kms.list_keys().send().await).keys()), expected);
    assert_eq!(ids(good(there.list_keys().send().await).keys()), [far]);
}

async fn names_of_the_other_region_are_not_found(scene: &Scene, there: &Client, here: &str, far: &str) {
    let far_arn = format!("arn:aws:kms:{OTHER}:{}:key/{far}", scene.account);
    let describe = scene.admin.kms.describe_key().key_id(&far_arn).send().await;
    refused(describe, "NotFoundException", &format!("Invalid arn {OTHER}"));
    let describe = there.describe_key().key_id(scene.arn(here)).send().await;
    refused(describe, "NotFoundException", &format!("Invalid arn {REGION}"));
    // As one that never was.
    let text = format!("Key '{}' does not exist", scene.arn(far));
    refused(scene.admin.kms.describe_key().key_id(far).send().await, "NotFoundException", &text);
    refused(scene.admin.kms.disable_key().key_id(far).send().await, "NotFoundException", &text);
    refused(scene.admin.kms.schedule_key_deletion().key_id(far).send().await, "NotFoundException", &text);
    refused(scene.admin.kms.encrypt().key_id(far).plaintext(Blob::new("x")).send().await, "NotFoundException", &text);
    assert_eq!(good(there.describe_key().key_id(far).send().await).key_metadata.unwrap().key_id, far);
}

async fn ciphertexts_stay_in_their_region(scene: &Scene, there: &Client, here: &str, far: &str) {
    let sealed = good(there.encrypt().key_id(far).plaintext(Blob::new("far")).send().await).ciphertext_blob.unwrap();
    let elsewhere = scene.admin.kms.decrypt().ciphertext_blob(sealed.clone()).send().await;
    let text = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or \
                you are not allowed to access.";
    refused(elsewhere, "AccessDeniedException", text);
    let moved = scene.admin.kms.re_encrypt().destination_key_id(here).ciphertext_blob(sealed.clone()).send().await;
    refused(moved, "AccessDeniedException", text);
    let opened = good(there.decrypt().ciphertext_blob(sealed).send().await);
    assert_eq!(opened.plaintext().unwrap().as_ref(), b"far");
}

async fn aliases_are_of_one_region(scene: &Scene, there: &Client, here: &str, far: &str) {
    let name = "alias/both";
    good(scene.admin.kms.create_alias().alias_name(name).target_key_id(here).send().await);
    let text = format!("Key '{}' does not exist", scene.arn(far));
    let made = scene.admin.kms.create_alias().alias_name("alias/far").target_key_id(far).send().await;
    refused(made, "NotFoundException", &text);
    good(there.create_alias().alias_name(name).target_key_id(far).send().await);
    assert_eq!(scene.admin.describe(name).await.key_id, here);
    let described = good(there.describe_key().key_id(name).send().await).key_metadata.unwrap();
    assert_eq!(described.key_id, far);
    let listed = good(there.list_aliases().send().await);
    let [entry] = listed.aliases() else { panic!("{listed:?}") };
    let arn = format!("arn:aws:kms:{OTHER}:{}:{name}", scene.account);
    assert_eq!((entry.alias_arn(), entry.target_key_id()), (Some(arn.as_str()), Some(far)));
    let described = scene.admin.kms.describe_key().key_id(&arn).send().await;
    refused(described, "NotFoundException", &format!("Invalid arn {OTHER}"));
    good(there.delete_alias().alias_name(name).send().await);
    assert_eq!(scene.admin.describe(name).await.key_id, here);
}

async fn other_dialects_know_no_regions(scene: &Scene, far: &str) {
    assert_eq!(scene.rest.get(&format!("/kms/v1/keys/{far}")).await.ok()["id"], far);
    let listed = scene.rest.get(&format!("/kms/v1/keys?folderId={}", scene.dev.folder())).await.ok();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 3);
}

async fn regions_that_are_not_served_are_refused(scene: &Scene) {
    for region in ["eu-west-3", "us-east-1a", "EU-NORTH-1", ""] {
        let signer = Signer { region: region.into(), ..scene.admin.raw.signer.clone() };
        let answer = scene.admin.raw.signed_by(signer).call("ListKeys", &json!({})).await;
        let (code, _) = error(&answer);
        let expected = if region.is_empty() { "IncompleteSignatureException" } else { "InvalidSignatureException" };
        assert!(code == expected || code == "InvalidSignatureException", "{region:?}: {}", answer.text);
    }
}
