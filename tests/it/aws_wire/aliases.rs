//! Aliases: made, moved, listed, used and deleted.

use super::Scene;
use crate::support::aws::{good, now, refused, refused_as};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::AliasListEntry;

#[tokio::test]
async fn aliases_name_keys() {
    let scene = Scene::start().await;
    an_alias_is_made_moved_and_deleted(&scene).await;
    tokio::join!(
        names_follow_the_rules(&scene),
        a_key_has_50_aliases_at_most(&scene),
        an_alias_of_a_doomed_key_goes_on(&scene),
    );
}

async fn of_key(scene: &Scene, id: &str) -> Vec<AliasListEntry> {
    let listed = good(scene.admin.kms.list_aliases().key_id(id).send().await);
    assert_eq!((listed.truncated, listed.next_marker()), (false, None));
    listed.aliases.unwrap()
}

async fn an_alias_is_made_moved_and_deleted(scene: &Scene) {
    let kms = &scene.admin.kms;
    let [one, other] = [scene.admin.new_key_id().await, scene.admin.new_key_id().await];
    let name = "alias/Team_1/app-key";
    assert_eq!(of_key(scene, &one).await, []);
    good(kms.create_alias().alias_name(name).target_key_id(scene.arn(&one)).send().await);
    let [entry] = &of_key(scene, &one).await[..] else { panic!("one alias") };
    assert_eq!((entry.alias_name(), entry.alias_arn()), (Some(name), Some(scene.alias_arn(name).as_str())));
    assert_eq!(entry.target_key_id(), Some(one.as_str()));
    for date in [entry.creation_date(), entry.last_updated_date()] {
        assert!((date.unwrap().secs() - now()).abs() <= 60, "{entry:?}");
    }
    assert_eq!(scene.admin.describe(name).await.key_id, one);
    let sealed = scene.admin.encrypt(name, b"by alias").await;

    for target in [&one, &other] {
        let exists = kms.create_alias().alias_name(name).target_key_id(target).send().await;
        let text = refused_as(exists, "AlreadyExistsException");
        assert_eq!(text, format!("An alias with the name {} already exists", scene.alias_arn(name)));
    }
    // Names differ by case.
    good(kms.create_alias().alias_name("alias/team_1/app-key").target_key_id(&one).send().await);
    good(kms.delete_alias().alias_name("alias/team_1/app-key").send().await);

    good(kms.update_alias().alias_name(name).target_key_id(&other).send().await);
    assert_eq!(scene.admin.describe(&scene.alias_arn(name)).await.key_id, other);
    assert_eq!(of_key(scene, &one).await, []);
    let [moved] = &of_key(scene, &other).await[..] else { panic!("one alias") };
    assert_eq!(moved.creation_date(), entry.creation_date());
    assert!(moved.last_updated_date() > entry.last_updated_date(), "{moved:?}");
    // The ciphertext names its key, not its alias.
    assert_eq!(scene.admin.decrypt(&sealed).await, b"by alias");
    refused_as(kms.decrypt().key_id(name).ciphertext_blob(sealed).send().await, "IncorrectKeyException");

    good(kms.delete_alias().alias_name(name).send().await);
    let text = format!("Alias {} is not found.", scene.alias_arn(name));
    refused(kms.delete_alias().alias_name(name).send().await, "NotFoundException", &text);
    refused(kms.update_alias().alias_name(name).target_key_id(&one).send().await, "NotFoundException", &text);
    let encrypt = kms.encrypt().key_id(name).plaintext(Blob::new("x")).send().await;
    refused(encrypt, "NotFoundException", &text);
    good(kms.create_alias().alias_name(name).target_key_id(&one).send().await);
}

async fn names_follow_the_rules(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    let longest = format!("alias/{}", "a".repeat(250));
    for name in ["alias/a", "alias/_", "alias//", "alias/a/b/-_", longest.as_str()] {
        good(kms.create_alias().alias_name(name).target_key_id(&id).send().await);
        assert_eq!(scene.admin.describe(name).await.key_id, id);
        good(kms.delete_alias().alias_name(name).send().await);
    }
    let too_long = format!("{longest}a");
    for name in ["", "a", "Alias/a", "alias", "alias/a b", "alias/\u{416}", "alias/a.b", "alias/a*", too_long.as_str()]
    {
        let made = kms.create_alias().alias_name(name).target_key_id(&id).send().await;
        refused_as(made, "ValidationException");
    }
    for name in ["alias/aws/s3", "alias/aws/", "alias/a:b"] {
        let made = kms.create_alias().alias_name(name).target_key_id(&id).send().await;
        refused_as(made, "InvalidAliasNameException");
        let moved = kms.update_alias().alias_name(name).target_key_id(&id).send().await;
        refused_as(moved, "NotFoundException");
        refused_as(kms.delete_alias().alias_name(name).send().await, "NotFoundException");
    }
    assert_eq!(of_key(scene, &id).await, []);
}

async fn a_key_has_50_aliases_at_most(scene: &Scene) {
    let kms = &scene.admin.kms;
    let [full, other] = [scene.admin.new_key_id().await, scene.admin.new_key_id().await];
    for number in 0..50 {
        good(kms.create_alias().alias_name(format!("alias/full/{number:02}")).target_key_id(&full).send().await);
    }
    let one_more = kms.create_alias().alias_name("alias/full/50").target_key_id(&full).send().await;
    refused_as(one_more, "LimitExceededException");
    good(kms.create_alias().alias_name("alias/full/50").target_key_id(&other).send().await);
    let moved = kms.update_alias().alias_name("alias/full/50").target_key_id(&full).send().await;
    refused_as(moved, "LimitExceededException");
    // One that is there already is not one more.
    good(kms.update_alias().alias_name("alias/full/00").target_key_id(&full).send().await);

    for limit in [1, 7, 49, 50, 100] {
        let (mut names, mut marker) = (Vec::new(), None);
        loop {
            let page = good(kms.list_aliases().key_id(&full).limit(limit).set_marker(marker).send().await);
            assert_eq!(page.truncated, page.next_marker.is_some());
            assert!(page.aliases().len() <= usize::try_from(limit).unwrap());
            names.extend(page.aliases.unwrap().into_iter().map(|entry| entry.alias_name.unwrap()));
            marker = page.next_marker;
            if marker.is_none() {
                break;
            }
        }
        names.sort();
        let expected: Vec<_> = (0..50).map(|number| format!("alias/full/{number:02}")).collect();
        assert_eq!(names, expected, "by {limit}");
    }
    let first = good(kms.list_aliases().key_id(&full).limit(10).send().await).next_marker;
    refused_as(kms.list_aliases().key_id(&other).set_marker(first.clone()).send().await, "InvalidMarkerException");
    refused_as(kms.list_keys().set_marker(first).send().await, "InvalidMarkerException");
    let all = good(kms.list_aliases().send().await);
    assert_eq!((all.aliases().len(), all.truncated), (50, true), "the default page");
    good(kms.delete_alias().alias_name("alias/full/00").send().await);
    good(kms.update_alias().alias_name("alias/full/50").target_key_id(&full).send().await);
}

async fn an_alias_of_a_doomed_key_goes_on(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    good(kms.create_alias().alias_name("alias/doomed").target_key_id(&id).send().await);
    good(kms.schedule_key_deletion().key_id(&id).send().await);
    assert_eq!(scene.admin.describe("alias/doomed").await.key_id, id);
    assert_eq!(of_key(scene, &id).await.len(), 1);
    let rescue = scene.admin.new_key_id().await;
    good(kms.update_alias().alias_name("alias/doomed").target_key_id(&rescue).send().await);
    let text = format!("{} is pending deletion.", scene.arn(&id));
    let back = kms.update_alias().alias_name("alias/doomed").target_key_id(&id).send().await;
    refused(back, "KMSInvalidStateException", &text);
    assert_eq!(scene.admin.describe("alias/doomed").await.key_id, rescue);
}
