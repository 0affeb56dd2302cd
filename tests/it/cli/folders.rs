//! `claviger folder`

use super::{REFUSED, Shell, UNKNOWN, USAGE, caller, masked, names, text};
use crate::support::Home;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use claviger::domain::id::FolderId;

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

#[tokio::test]
async fn no_page_token_names_a_folder_that_the_caller_may_not_see() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let folders: Vec<String> =
        (1..=6).map(|number| shell.id(&["folder", "create", "--name", &format!("tenant-{number}")])).collect();
    let (somebody, theirs) = caller(&shell, "somebody");
    let visible = [&folders[1], &folders[3]];
    for folder in visible {
        shell.ok(&["binding", "add", "--folder", folder, "--role", "kms.viewer", "--subject", &somebody]);
    }
    let rest = dev.rest().with_token(&theirs.0["CLAVIGER_TOKEN"]);
    let (mut seen, mut token, mut tokens) = (Vec::new(), String::new(), Vec::new());
    loop {
        let page = rest.get(&format!("/claviger/v1/folders?pageSize=1&pageToken={token}")).await.ok();
        seen.extend(page["folders"].as_array().into_iter().flatten().map(|folder| text(folder, "/id")));
        match page["nextPageToken"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => break,
        }
        tokens.push(URL_SAFE_NO_PAD.decode(&token).unwrap());
    }
    assert_eq!(seen.iter().collect::<Vec<_>>(), visible);
    let named = |folder: &String, token: &Vec<u8>| {
        let id = FolderId::parse(folder).unwrap();
        token.windows(16).any(|bytes| bytes == id.as_bytes())
    };
    assert_eq!(tokens.len(), 1);
    assert!(named(&folders[1], &tokens[0]), "a token is what this test takes it for");
    for hidden in folders.iter().filter(|folder| !visible.contains(folder)).chain([&dev.folder().to_owned()]) {
        assert!(!tokens.iter().any(|token| named(hidden, token)));
    }
}
