//! `claviger key`

use super::{REFUSED, Shell, UNKNOWN, USAGE, caller, masked, names, text};
use crate::support::Home;
use serde_json::json;

#[tokio::test]
async fn keys_live_by_command() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let label = ["--label", "team=payments", "--label", "env=test"];
    let made =
        [&["key", "create", "--name", "cards", "--description", "d", "--rotation-period", "90d"], &label[..]].concat();
    insta::assert_snapshot!(masked(&shell.ok(&made)), @r"
    id <id>
    name cards
    description d
    folder <id>
    status ACTIVE
    algorithm AES_256_HSM
    primary version <id>
    labels env=test team=payments
    rotation period 90d
    created <time>
    rotated <time>
    ");
    let list = shell.json(&["key", "list"]);
    assert_eq!(names(&list), ["cards"]);
    let (id, first) = (text(&list, "/0/id"), text(&list, "/0/primaryVersion/id"));
    insta::assert_snapshot!(masked(&shell.ok(&["key", "list"])), @r"
    ID NAME STATUS ALGORITHM ROTATION CREATED
    <id> cards ACTIVE AES_256_HSM 90d <time>
    ");

    let second = text(&shell.json(&["key", "rotate", &id]), "/metadata/newPrimaryVersionId");
    assert_ne!(first, second);
    let said = shell.ok(&["key", "set-primary", &id, &first]);
    assert_eq!(said, format!("version {first} is the primary version of key {id}\n"));
    shell.refused(&["key", "schedule-destruction", &id, &second], USAGE, "--yes");
    shell.refused(&["key", "schedule-destruction", &id, &first, "--yes"], REFUSED, "primary");
    let said = shell.ok(&["key", "schedule-destruction", &id, &second, "--wait", "7d", "--yes"]);
    assert!(masked(&said).ends_with("is no longer used and is destroyed at <time>"), "{said}");
    insta::assert_snapshot!(masked(&shell.ok(&["key", "show", &id])), @r"
    id <id>
    name cards
    description d
    folder <id>
    status ACTIVE
    algorithm AES_256_HSM
    primary version <id>
    labels env=test team=payments
    rotation period 90d
    created <time>
    rotated <time>
    assurance software
    profile T
    token claviger-dev
    used in the token only true
    PIN holder can export false

    VERSION STATUS PRIMARY ALGORITHM CREATED DESTROYED AT
    <id> SCHEDULED_FOR_DESTRUCTION - AES_256_HSM <time> <time>
    <id> ACTIVE true AES_256_HSM <time> -
    ");
    let said = shell.ok(&["key", "cancel-destruction", &id, &second]);
    assert_eq!(said, format!("version {second} of key {id} is used again\n"));
    let shown = shell.json(&["key", "show", &id]);
    assert_eq!(shown["versions"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&shown["protection"]["assurance"], &shown["protection"]["pinHolderCanExport"]),
        (&"software".into(), &false.into())
    );
    assert!(shell.ok(&["key", "rotate", &id]).starts_with(&format!("key {id} has the new primary version ")));
}

#[tokio::test]
async fn a_key_is_deleted_and_restored() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let key = shell.new_key("k");
    shell.refused(&["key", "delete", &key], USAGE, "--yes");
    shell.ok(&["key", "show", &key]);
    assert!(shell.ok(&["key", "delete", &key, "--yes"]).starts_with(&format!("key {key} is deleted")));
    shell.refused(&["key", "show", &key], REFUSED, &format!("key {key} not found"));
    assert_eq!(shell.ok(&["key", "restore", &key]), format!("key {key} is restored\n"));
    shell.ok(&["key", "show", &key]);
    shell.refused(&["key", "restore", &key], REFUSED, "");
    let protected = text(&shell.json(&["key", "create", "--deletion-protection"]), "/response/id");
    shell.refused(&["key", "delete", &protected, "--yes"], REFUSED, "protect");
    shell.ok(&["key", "update", &protected, "--deletion-protection", "false"]);
    shell.ok(&["key", "delete", &protected, "--yes"]);
    assert_eq!(shell.json(&["key", "delete", &key, "--yes"])["done"], true);
}

#[tokio::test]
async fn an_update_changes_what_it_names_only() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let made = ["key", "create", "--name", "cards", "--description", "d", "--label", "a=b"];
    let id = text(&shell.json(&made), "/response/id");
    let before = shell.json(&["key", "show", &id])["key"].clone();
    let update = |more: &[&str]| shell.json(&[&["key", "update", &id], more].concat())["response"].clone();
    let renamed = update(&["--name", "tokens", "--rotation-period", "90d"]);
    assert_eq!((&renamed["name"], &renamed["rotationPeriod"]), (&json!("tokens"), &json!("7776000s")));
    assert_eq!((&renamed["description"], &renamed["labels"]), (&json!("d"), &json!({ "a": "b" })));
    assert!(masked(&shell.ok(&["key", "update", &id, "--description", "e"])).contains("\nrotation period 90d\n"));
    let off = update(&["--status", "inactive", "--deletion-protection", "true"]);
    assert_eq!((&off["status"], &off["deletionProtection"]), (&json!("INACTIVE"), &json!(true)));
    update(&["--status", "active", "--deletion-protection", "false", "--rotation-period", "none"]);
    update(&["--name", "cards", "--description", "d"]);
    assert_eq!(shell.json(&["key", "show", &id])["key"], before);
    shell.refused(&["key", "update", &id], USAGE, "--name");
    shell.refused(&["key", "update", &id, "--rotation-period", "1s"], REFUSED, "rotation");
}

#[tokio::test]
async fn a_key_that_is_used_in_memory_says_that_a_pin_holder_can_export_it() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let key = text(&shell.json(&["key", "create", "--algorithm", "AES_256"]), "/response/id");
    let shown = shell.json(&["key", "show", &key]);
    assert_eq!(shown["protection"]["pinHolderCanExport"], true);
    assert_eq!(shown["protection"]["hostedByHsm"], false);
    assert!(masked(&shell.ok(&["key", "show", &key])).contains("\nPIN holder can export true\n"));
}

#[tokio::test]
async fn keys_of_others_are_not_found_and_mistakes_are_refused() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let key = shell.new_key("k");
    let version = text(&shell.json(&["key", "show", &key]), "/key/primaryVersion/id");
    let (_, stranger) = caller(&shell, "stranger");
    let unseen = format!("key {key} not found");
    let commands: [&[&str]; 8] = [
        &["key", "show", &key],
        &["key", "update", &key, "--name", "mine"],
        &["key", "rotate", &key],
        &["key", "set-primary", &key, &version],
        &["key", "schedule-destruction", &key, &version, "--yes"],
        &["key", "cancel-destruction", &key, &version],
        &["key", "delete", &key, "--yes"],
        &["key", "restore", &key],
    ];
    for command in commands {
        stranger.refused(command, REFUSED, &unseen);
    }
    stranger.refused(&["key", "create"], REFUSED, "permission denied");
    shell.refused(&["key", "show", UNKNOWN], REFUSED, &format!("key {UNKNOWN} not found"));
    shell.refused(&["key", "create", "--algorithm", "AES_512"], USAGE, "--algorithm");
    shell.refused(&["key", "create", "--rotation-period", "1s"], REFUSED, "rotation");
    shell.refused(&["key", "create", "--rotation-period", "soon"], USAGE, "soon");
    shell.refused(&["key", "set-primary", &key], USAGE, "<VERSION>");
    shell.refused(&["key", "set-primary", &key, UNKNOWN], REFUSED, "not found");
}
