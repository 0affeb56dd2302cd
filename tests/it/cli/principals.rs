//! `claviger principal` and `claviger whoami`

use super::{REFUSED, Shell, UNKNOWN, USAGE, caller, masked, names, text};
use crate::support::Home;

#[tokio::test]
async fn principals_are_made_listed_shown_and_deleted() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let made = shell.json(&["principal", "create", "--name", "app"]);
    let id = text(&made, "/id");
    assert_eq!((&made["type"], &made["folderId"]), (&"serviceAccount".into(), &dev.folder().into()));
    let person = shell.json(&["principal", "create", "--name", "eve", "--type", "user-account"]);
    assert_eq!(person["type"], "userAccount");
    assert_eq!(shell.json(&["principal", "show", &id]), made);
    insta::assert_snapshot!(masked(&shell.ok(&["principal", "show", &id])), @r"
    id <id>
    type serviceAccount
    name app
    folder <id>
    created <time>
    ");
    let list = masked(&shell.ok(&["principal", "list"]));
    assert!(list.starts_with("ID TYPE NAME CREATED\n"), "{list}");
    assert!(list.ends_with("<id> serviceAccount app <time>\n<id> userAccount eve <time>"), "{list}");

    shell.refused(&["principal", "delete", &id], USAGE, "--yes");
    assert!(shell.json(&["principal", "show", &id])["deletedAt"].is_null());
    let said = shell.ok(&["principal", "delete", &id, "--yes"]);
    assert_eq!(said, format!("principal {id} is deleted and its credentials are revoked\n"));
    assert!(!names(&shell.json(&["principal", "list"])).contains(&"app".to_owned()));
    assert!(shell.json(&["principal", "delete", &text(&person, "/id"), "-y"])["deletedAt"].is_string());
}

#[tokio::test]
async fn another_folder_is_named_by_option_or_environment() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let other = shell.id(&["folder", "create", "--name", "other"]);
    assert_eq!(shell.json(&["principal", "create", "--name", "a", "--folder", &other])["folderId"], other.as_str());
    let there = shell.clone().with("CLAVIGER_FOLDER", &other);
    assert_eq!(names(&there.json(&["principal", "list"])), ["a"]);
    assert_eq!(names(&shell.json(&["principal", "list", "--folder", &other])), ["a"]);
    shell.clone().without("CLAVIGER_FOLDER").refused(&["principal", "list"], USAGE, "say --folder");
    shell.with("CLAVIGER_FOLDER", "../x").refused(&["principal", "list"], USAGE, "CLAVIGER_FOLDER");
}

#[tokio::test]
async fn whoami_tells_every_caller_who_it_is_and_others_are_hidden() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let (id, stranger) = caller(&shell, "stranger");
    let me = stranger.json(&["whoami"]);
    assert_eq!((text(&me, "/principal/id"), text(&me, "/credential/principalId")), (id.clone(), id));
    insta::assert_snapshot!(masked(&stranger.ok(&["whoami"])), @r"
    principal <id>
    type serviceAccount
    name stranger
    folder <id>
    credential <id>
    credential type apiToken
    credential name -
    ");
    let administrator = text(&shell.json(&["whoami"]), "/principal/id");
    let unseen = format!("principal {administrator} not found");
    stranger.refused(&["principal", "show", &administrator], REFUSED, &unseen);
    stranger.refused(&["principal", "delete", &administrator, "--yes"], REFUSED, &unseen);
    stranger.refused(&["principal", "list"], REFUSED, "permission denied");
    stranger.refused(&["principal", "create", "--name", "x"], REFUSED, "permission denied");
    shell.refused(&["principal", "show", UNKNOWN], REFUSED, &format!("principal {UNKNOWN} not found"));
    shell.refused(&["principal", "list", "--folder", UNKNOWN], REFUSED, &format!("folder {UNKNOWN} not found"));
    shell.as_caller("wrong").refused(&["whoami"], REFUSED, "a valid credential is required");
}
