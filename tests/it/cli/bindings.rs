//! `claviger binding`

use super::{FAILED, REFUSED, Shell, UNKNOWN, USAGE, caller, masked, text};
use crate::support::Home;
use serde_json::json;

#[tokio::test]
async fn roles_are_given_and_taken_back_on_key_folder_and_service() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let key = shell.new_key("k");
    let (id, app) = caller(&shell, "app");
    for target in [vec!["--key", key.as_str()], vec!["--folder", dev.folder()], vec![], vec!["--service"]] {
        let binding = |verb: &'static str, subject: &str| -> Vec<String> {
            let fixed = ["binding", verb, "--role", "kms.viewer", "--subject", subject];
            fixed.iter().chain(&target).map(|it| (*it).to_owned()).collect()
        };
        let run = |arguments: Vec<String>| shell.ok(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        app.refused(&["key", "show", &key], REFUSED, "not found");
        let said = run(binding("add", &id));
        assert_eq!(said, format!("kms.viewer serviceAccount:{id} is bound\n"), "{target:?}");
        assert_eq!(text(&app.json(&["key", "show", &key]), "/key/id"), key);
        let list = shell.ok(&[&["binding", "list"], target.as_slice()].concat());
        assert!(masked(&list).starts_with("ROLE SUBJECT TYPE SUBJECT NAME\n"), "{list}");
        assert!(masked(&list).contains("kms.viewer serviceAccount <id> app"), "{list}");
        let said = run(binding("remove", &format!("serviceAccount:{id}")));
        assert_eq!(said, format!("kms.viewer serviceAccount:{id} is no longer bound\n"));
    }
    app.refused(&["key", "show", &key], REFUSED, "not found");
}

#[tokio::test]
async fn a_set_is_replaced_after_its_changes_were_shown() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let key = shell.new_key("k");
    let (id, _) = caller(&shell, "app");
    let target = ["--key", key.as_str()];
    let set =
        |more: &[&str], input: &str| shell.run_with_input(&[&["binding", "set"], &target[..], more].concat(), input);
    let list = || shell.json(&["binding", "list", "--key", &key]);
    let lines = format!("# who\nkms.keys.encrypter {id}\nkms.viewer group:auditors\n");
    set(&["-"], &lines).assert_refused(USAGE, "--yes");
    assert_eq!(list(), json!([]));
    let ran = set(&["-", "--yes"], &lines);
    let shown = format!("+ kms.keys.encrypter serviceAccount:{id}\n+ kms.viewer group:auditors\n");
    let warning = "claviger: warning: group:auditors is nobody on this server: the binding gives nobody anything\n";
    assert_eq!(ran.stderr, format!("{shown}{warning}"));
    assert_eq!(ran.printed(&[]), "2 bindings are set, 2 changes\n");
    let first = list();
    assert_eq!(first[1], json!({ "roleId": "kms.viewer", "subject": { "id": "auditors", "type": "group" } }));

    let file = home.data().join("bindings.json");
    std::fs::write(&file, first.to_string()).unwrap();
    let unchanged = set(&[file.to_str().unwrap()], "");
    assert_eq!((unchanged.stderr.as_str(), unchanged.stdout.as_str()), ("", "2 bindings are set, 0 changes\n"));
    let ran = set(&["-", "--yes", "--json"], r#"{"accessBindings":[]}"#);
    assert!(ran.stderr.starts_with("- kms.keys.encrypter"), "{}", ran.stderr);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.printed(&[])).unwrap()["done"], true);
    assert_eq!(list(), json!([]));
    let one = set(&["-", "--yes"], &format!("kms.viewer {id}\n"));
    assert_eq!(one.printed(&[]), "1 binding is set, 1 change\n");
    for nothing in ["", "\n", "# nothing\n"] {
        set(&["-", "--yes"], nothing).assert_refused(USAGE, "standard input: there is no binding in it");
    }
    let empty = home.data().join("empty");
    std::fs::write(&empty, "").unwrap();
    set(&[empty.to_str().unwrap(), "--yes"], "").assert_refused(USAGE, "give it []");
    assert_eq!(list().as_array().unwrap().len(), 1);
    assert_eq!(set(&["-", "--yes"], "[]").printed(&[]), "0 bindings are set, 1 change\n");
}

#[tokio::test]
async fn a_binding_that_gives_nobody_anything_is_made_with_a_warning() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let (app, _) = caller(&shell, "app");
    let eve = shell.id(&["principal", "create", "--name", "eve", "--type", "user-account"]);
    let gone = shell.id(&["principal", "create", "--name", "gone"]);
    let add = |shell: &Shell, subject: &str| {
        let ran = shell.run(&["binding", "add", "--role", "kms.viewer", "--subject", subject]);
        let warned = ran.stderr.clone();
        assert!(ran.printed(&[]).ends_with(" is bound\n"));
        warned
    };
    let account = |id: &str| format!("serviceAccount:{id}");
    assert_eq!(add(&shell, &account(&app)), "");
    assert_eq!(add(&shell, &account(&gone)), "");
    shell.ok(&["principal", "delete", &gone, "--yes"]);
    let warnings = [
        (account(&eve), "is of the type userAccount"),
        (format!("userAccount:{gone}"), "is of the type serviceAccount"),
        (account(UNKNOWN), "is no principal that you can see"),
        (account(&app.to_uppercase()), "is no principal that you can see"),
        (account("a/b"), "is no principal that you can see"),
        ("group:auditors".to_owned(), "is nobody on this server"),
        ("system:allUsers".to_owned(), "is nobody on this server"),
        ("federatedUser:f".to_owned(), "is nobody on this server"),
    ];
    for (subject, why) in &warnings {
        let warned = add(&shell, subject);
        assert!(warned.starts_with(&format!("claviger: warning: {subject} {why}: ")), "{warned}");
        assert_eq!(warned.lines().count(), 1, "{warned}");
    }
    let list = masked(&shell.ok(&["binding", "list"]));
    for line in [
        "kms.viewer serviceAccount <id> app",
        "kms.viewer serviceAccount <id> eve",
        "kms.viewer serviceAccount <id> (deleted)",
        "kms.viewer serviceAccount <id> -",
        "kms.viewer group auditors -",
    ] {
        assert!(list.lines().any(|it| it == line), "{line} is not in\n{list}");
    }
    let row = &shell.json(&["binding", "list"])[0];
    assert_eq!(row.as_object().unwrap().len(), 2, "{row}");
    let removed = shell.run(&["binding", "remove", "--role", "kms.viewer", "--subject", "group:auditors"]);
    assert_eq!((removed.status, removed.stderr.as_str()), (super::DONE, ""));
}

#[tokio::test]
async fn names_of_principals_that_the_caller_may_not_see_are_not_listed() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let key = shell.new_key("k");
    let (narrow, stranger) = caller(&shell, "narrow");
    let eve = shell.id(&["principal", "create", "--name", "eve", "--type", "user-account"]);
    for id in [&narrow, &eve] {
        shell.ok(&["binding", "add", "--key", &key, "--role", "kms.viewer", "--subject", id]);
    }
    let eves_line = |shell: &Shell| {
        let list = shell.ok(&["binding", "list", "--key", &key]);
        masked(list.lines().find(|line| line.contains(&eve)).unwrap())
    };
    assert_eq!(eves_line(&shell), "kms.viewer userAccount <id> eve");
    assert_eq!(eves_line(&stranger), "kms.viewer userAccount <id> -");
}

#[tokio::test]
async fn mistakes_change_nothing() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let (id, app) = caller(&shell, "app");
    let before = shell.json(&["binding", "list", "--service"]);
    let add = |more: &[&str], status: i32, why: &str| shell.refused(&[&["binding", "add"], more].concat(), status, why);
    add(&["--role", "kms.king", "--subject", &id], REFUSED, "kms.king");
    add(&["--role", "kms.viewer", "--subject", UNKNOWN], REFUSED, "principal");
    add(&["--role", "kms.viewer", "--subject", "robot:x"], USAGE, "robot");
    add(&["--role", "kms.viewer"], USAGE, "--subject");
    add(&["--role", "kms.viewer", "--subject", &id, "--folder", UNKNOWN], REFUSED, "not found");
    add(&["--role", "kms.viewer", "--subject", &id, "--key", UNKNOWN], REFUSED, "not found");
    add(&["--role", "kms.viewer", "--subject", &id, "--key", UNKNOWN, "--service"], USAGE, "cannot be used with");
    let itself = format!("serviceAccount:{id}");
    for target in [&["--service"][..], &[]] {
        let mine = [&["binding", "add", "--role", "kms.admin", "--subject", &itself], target].concat();
        app.refused(&mine, REFUSED, "permission denied");
        app.refused(&[&["binding", "list"], target].concat(), REFUSED, "permission denied");
    }
    let nobody = shell.run_with_input(&["binding", "set", "--service", "-", "--yes"], "[]");
    assert_eq!(nobody.status, REFUSED, "{}", nobody.stderr);
    shell.run_with_input(&["binding", "set", "-", "--yes"], "one two three").assert_refused(USAGE, "line 1");
    shell.run_with_input(&["binding", "set", "-", "--yes"], "[{}]").assert_refused(USAGE, "JSON");
    let half = r#"[{"roleId":"kms.viewer"}]"#;
    shell.run_with_input(&["binding", "set", "-", "--yes"], half).assert_refused(USAGE, "entry 1: missing field");
    shell.refused(&["binding", "set", "/nowhere/bindings", "--yes"], FAILED, "/nowhere/bindings");
    assert_eq!(shell.json(&["binding", "list", "--service"]), before);
}
