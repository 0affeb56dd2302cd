//! Tags.

use super::Scene;
use crate::support::aws::{good, refused_as};
use aws_sdk_kms::types::Tag;
use std::collections::BTreeMap;

#[tokio::test]
async fn tags_are_set_listed_and_removed() {
    let scene = Scene::start().await;
    tokio::join!(
        tags_are_added_overwritten_and_removed(&scene),
        lengths_have_borders(&scene),
        names_that_clash_are_refused(&scene),
        there_are_50_at_most(&scene),
    );
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().tag_key(key).tag_value(value).build().unwrap()
}

async fn tags(scene: &Scene, id: &str) -> BTreeMap<String, String> {
    let listed = good(scene.admin.kms.list_resource_tags().key_id(id).send().await);
    assert_eq!((listed.truncated, listed.next_marker()), (false, None));
    listed.tags.unwrap().into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect()
}

async fn set(scene: &Scene, id: &str, some: &[(&str, &str)]) {
    let some = some.iter().map(|(key, value)| tag(key, value)).collect();
    good(scene.admin.kms.tag_resource().key_id(id).set_tags(Some(some)).send().await);
}

/// A refusal that changes nothing, in TagResource and in CreateKey.
async fn assert_refused(scene: &Scene, id: &str, some: Vec<Tag>, code: &str) {
    let before = tags(scene, id).await;
    refused_as(scene.admin.kms.tag_resource().key_id(id).set_tags(Some(some.clone())).send().await, code);
    assert_eq!(tags(scene, id).await, before);
    refused_as(scene.admin.kms.create_key().set_tags(Some(some)).send().await, code);
}

fn map(some: &[(&str, &str)]) -> BTreeMap<String, String> {
    some.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn tags_are_added_overwritten_and_removed(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    assert_eq!(tags(scene, &id).await, map(&[]));
    set(scene, &id, &[("b", "1"), ("a", ""), ("Ключ", "\u{1f511}")]).await;
    set(scene, &id, &[("b", "2"), ("B", "3")]).await;
    assert_eq!(tags(scene, &id).await, map(&[("B", "3"), ("a", ""), ("b", "2"), ("Ключ", "\u{1f511}")]));
    good(kms.untag_resource().key_id(scene.arn(&id)).tag_keys("a").tag_keys("absent").send().await);
    good(kms.untag_resource().key_id(&id).tag_keys("a").send().await);
    assert_eq!(tags(scene, &id).await, map(&[("B", "3"), ("b", "2"), ("Ключ", "\u{1f511}")]));
    good(kms.untag_resource().key_id(&id).set_tag_keys(Some(vec!["B".into(), "b".into(), "Ключ".into()])).send().await);
    assert_eq!(tags(scene, &id).await, map(&[]));
}

async fn lengths_have_borders(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    let (key, value) = ("\u{416}".repeat(128), "\u{416}".repeat(256));
    set(scene, &id, &[(&key, &value)]).await;
    assert_eq!(tags(scene, &id).await, map(&[(&key, &value)]));
    for wrong in [tag("", "v"), tag(&format!("{key}a"), "v"), tag("k", &format!("{value}a"))] {
        assert_refused(scene, &id, vec![tag("good", "v"), wrong], "ValidationException").await;
    }
    let untag = scene.admin.kms.untag_resource().key_id(&id).tag_keys("").send().await;
    refused_as(untag, "ValidationException");
}

async fn names_that_clash_are_refused(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    assert_refused(scene, &id, vec![tag("a", "1"), tag("b", "1"), tag("a", "1")], "TagException").await;
    for reserved in ["aws:", "aws:a", "AWS:a", "Aws:cloudformation:stack-name"] {
        assert_refused(scene, &id, vec![tag("a", "1"), tag(reserved, "1")], "TagException").await;
    }
    set(scene, &id, &[("awsome", "1"), ("aws", "2"), ("a:aws:", "3")]).await;
}

async fn there_are_50_at_most(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    let fifty: Vec<_> = (0..50).map(|number| tag(&format!("tag-{number:02}"), "v")).collect();
    let mut more = fifty.clone();
    more.push(tag("tag-50", "v"));
    assert_refused(scene, &id, more, "TagException").await;
    good(kms.tag_resource().key_id(&id).set_tags(Some(fifty)).send().await);
    refused_as(kms.tag_resource().key_id(&id).tags(tag("tag-50", "v")).send().await, "TagException");
    // Another value is not one more.
    set(scene, &id, &[("tag-00", "new")]).await;
    for limit in [1, 20, 49, 50] {
        let (mut all, mut marker) = (Vec::new(), None);
        loop {
            let page = good(kms.list_resource_tags().key_id(&id).limit(limit).set_marker(marker).send().await);
            assert_eq!(page.truncated, page.next_marker.is_some());
            assert!(page.tags().len() <= usize::try_from(limit).unwrap());
            all.extend(page.tags.unwrap().into_iter().map(|tag| tag.tag_key));
            marker = page.next_marker;
            if marker.is_none() {
                break;
            }
        }
        all.sort();
        assert_eq!(all, (0..50).map(|number| format!("tag-{number:02}")).collect::<Vec<_>>(), "by {limit}");
    }
    let marker = good(kms.list_resource_tags().key_id(&id).limit(1).send().await).next_marker;
    let other = scene.admin.new_key_id().await;
    refused_as(kms.list_resource_tags().key_id(&other).set_marker(marker).send().await, "InvalidMarkerException");
    refused_as(kms.list_resource_tags().key_id(&id).marker("x").send().await, "InvalidMarkerException");
}
