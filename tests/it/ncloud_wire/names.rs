//! Names and memos of keys, also of keys that other dialects made.

use super::{Scene, path, tag};
use crate::support::client::text;
use crate::support::ncloud::{Ncloud, data, refused};
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test]
async fn names_belong_to_one_key_of_a_folder() {
    let scene = Scene::start().await;
    tokio::join!(
        a_name_is_changed_and_the_tag_stays(&scene),
        a_taken_name_is_refused(&scene),
        a_name_is_free_again_after_the_deletion(&scene),
        of_many_that_want_one_name_one_gets_it(&scene),
        another_folder_has_names_of_its_own(&scene),
        a_key_without_a_name_is_shown_with_one(&scene),
        a_long_description_is_shown_cut(&scene),
    );
}

fn named(name: &str) -> Value {
    json!({"keyName": name, "keyType": "AES256", "protectionType": "BASIC"})
}

async fn new_named(caller: &Ncloud, name: &str) -> String {
    path(&text(&data(&caller.post("/kms/v1/keys", &named(name)).await)["keyTag"]))
}

async fn assert_taken(caller: &Ncloud, name: &str) {
    let text = refused(&caller.post("/kms/v1/keys", &named(name)).await, 422, "UNPROCESSABLE_ENTITY");
    assert_eq!(text, "Invalid status: a key with this keyName already exists");
}

async fn a_name_is_changed_and_the_tag_stays(scene: &Scene) {
    let key = new_named(&scene.admin, "changed-1").await;
    for name in ["changed-2", "changed-2", "Changed-2"] {
        let answer = data(&scene.admin.put(&format!("{key}/name"), &json!({"keyName": name})).await);
        assert_eq!(answer, json!({"keyTag": tag(&key), "keyName": name}));
        assert_eq!(data(&scene.admin.get(&key).await)["keyName"], name);
    }
    new_named(&scene.admin, "changed-1").await;
    for (body, expected) in [
        (json!({}), "keyName is required"),
        (json!({"keyName": null}), "keyName is required"),
        (json!({"keyName": 7}), "keyName must be a string"),
        (json!({"keyName": "ab"}), "keyName"),
        (json!({"keyName": "a234567890123456"}), "keyName"),
        (json!({"keyName": "1-2-3"}), "keyName"),
    ] {
        let text = refused(&scene.admin.put(&format!("{key}/name"), &body).await, 400, "INVALID_REQUEST");
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(data(&scene.admin.get(&key).await)["keyName"], "Changed-2", "a refused name changes nothing");
}

async fn a_taken_name_is_refused(scene: &Scene) {
    new_named(&scene.admin, "taken").await;
    assert_taken(&scene.admin, "taken").await;
    let other = new_named(&scene.admin, "Taken").await;
    let answer = scene.admin.put(&format!("{other}/name"), &json!({"keyName": "taken"})).await;
    let text = refused(&answer, 422, "UNPROCESSABLE_ENTITY");
    assert_eq!(text, "Invalid status: a key with this keyName already exists");
    assert_eq!(data(&scene.admin.get(&other).await)["keyName"], "Taken");
}

async fn a_name_is_free_again_after_the_deletion(scene: &Scene) {
    let key = new_named(&scene.admin, "freed").await;
    data(&scene.admin.act(&format!("{key}/request-deletion")).await);
    assert_taken(&scene.admin, "freed").await;
    assert_eq!(data(&scene.admin.get(&key).await)["keyName"], "freed");
    data(&scene.admin.delete(&key).await);
    let other = new_named(&scene.admin, "freed").await;
    assert_ne!(other, key, "a tag is never given again");
}

async fn of_many_that_want_one_name_one_gets_it(scene: &Scene) {
    let body = named("wanted");
    let answers = join_all((0..6).map(|_| scene.admin.post("/kms/v1/keys", &body))).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(good.len(), 1, "{answers:?}");
    for answer in bad {
        refused(answer, 422, "UNPROCESSABLE_ENTITY");
    }
    let keys = [new_named(&scene.admin, "wanting-1").await, new_named(&scene.admin, "wanting-2").await];
    let body = json!({"keyName": "wanted-too"});
    let targets = keys.map(|key| format!("{key}/name"));
    let answers = join_all(targets.iter().map(|target| scene.admin.put(target, &body))).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1, "{answers:?}");
}

async fn another_folder_has_names_of_its_own(scene: &Scene) {
    let folder = text(&scene.rest.post("/claviger/v1/folders", &json!({"name": "names"})).await.ok()["id"]);
    let keeper = scene.principal_of(&folder, "keeper", &["kms.admin"]).await.0;
    new_named(&scene.admin, "of-each").await;
    let other = new_named(&keeper, "of-each").await;
    assert_taken(&keeper, "of-each").await;
    let shown = data(&keeper.get("/kms/v1/keys").await);
    assert_eq!((&shown["totalCount"], &shown["keyList"][0]["keyTag"]), (&json!(1), &json!(tag(&other))));
}

async fn native_key(scene: &Scene, members: Value) -> String {
    let mut body = json!({"folderId": scene.dev.folder(), "defaultAlgorithm": "AES_256", "name": "a native name"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let made = scene.rest.post("/kms/v1/keys", &body).await.ok();
    text(&made["metadata"]["keyId"])
}

async fn a_key_without_a_name_is_shown_with_one(scene: &Scene) {
    let id = native_key(scene, json!({})).await;
    let key_tag = id.replace('-', "");
    let key = path(&key_tag);
    assert_eq!(data(&scene.admin.get(&key).await)["keyName"], format!("k{}", &key_tag[..14]));
    data(&scene.admin.put(&format!("{key}/name"), &json!({"keyName": "from-native"})).await);
    assert_eq!(data(&scene.admin.get(&key).await)["keyName"], "from-native");
    let native = scene.rest.get(&format!("/kms/v1/keys/{id}")).await.ok();
    assert_eq!(native["name"], "a native name", "names of the dialects are apart");
    assert_taken(&scene.admin, "from-native").await;
}

async fn a_long_description_is_shown_cut(scene: &Scene) {
    let description = format!("{}{}", "\u{d55c}".repeat(100), "rest");
    let id = native_key(scene, json!({"description": description})).await;
    let key = path(&id.replace('-', ""));
    assert_eq!(data(&scene.admin.get(&key).await)["memo"], "\u{d55c}".repeat(100));
    data(&scene.admin.act(&format!("{key}/disable")).await);
    let native = async || scene.rest.get(&format!("/kms/v1/keys/{id}")).await.ok()["description"].clone();
    assert_eq!(native().await, description, "what is shown cut is kept whole");
    data(&scene.admin.put(&format!("{key}/memo"), &json!({"memo": "short"})).await);
    assert_eq!(native().await, "short");
}
