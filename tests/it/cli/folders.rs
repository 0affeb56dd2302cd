//! `claviger folder`

use super::{REFUSED, Shell, UNKNOWN, USAGE, caller, masked, names, text};
use crate::support::Home;

#[tokio::test]
async fn folders_are_made_listed_and_shown() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let made = shell.json(&["folder", "create", "--name", "payments"]);
    let id = text(&made, "/id");
    assert_eq!(made["name"], "payments");
    assert_eq!(shell.json(&["folder", "show", &id]), made);
    assert_eq!(names(&shell.json(&["folder", "list"])).last().unwrap(), "payments");
    insta::assert_snapshot!(masked(&shell.ok(&["folder", "show", &id])), @r"
    id <id>
    name payments
    account <account>
    created <time>
    ");
    let list = masked(&shell.ok(&["folder", "list"]));
    assert!(
        list.starts_with("ID NAME ACCOUNT CREATED\n") && list.ends_with("<id> payments <account> <time>"),
        "{list}"
    );
    insta::assert_snapshot!(masked(&shell.ok(&["folder", "create", "--name", "a\u{1b}b"])), @r"
    id <id>
    name a\u{1b}b
    account <account>
    created <time>
    ");
}

#[tokio::test]
async fn a_folder_of_others_is_not_shown() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let folder = shell.id(&["folder", "create", "--name", "secret"]);
    let (_, stranger) = caller(&shell, "stranger");
    shell.refused(&["folder", "show", UNKNOWN], REFUSED, &format!("folder {UNKNOWN} not found"));
    stranger.refused(&["folder", "show", &folder], REFUSED, &format!("folder {folder} not found"));
    stranger.refused(&["folder", "create", "--name", "mine"], REFUSED, "permission denied");
    assert!(!names(&stranger.json(&["folder", "list"])).contains(&"secret".to_owned()));
    shell.refused(&["folder", "create", "--name", ""], REFUSED, "name");
    shell.refused(&["folder", "show", "a/b"], USAGE, "this is not an id");
    shell.refused(&["folder", "create"], USAGE, "--name");
}
