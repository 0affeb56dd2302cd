//! How commands reach the server, and how they end when they do not.

use super::{DONE, REFUSED, Shell, USAGE, names, text};
use crate::support::Home;
use crate::support::server::claviger;
use std::collections::BTreeMap;

const UNAVAILABLE: i32 = 4;

fn nobody() -> Shell {
    Shell(BTreeMap::new())
}

#[test]
fn every_command_needs_a_server_and_a_credential() {
    let here = nobody().with("CLAVIGER_ENDPOINT", "http://127.0.0.1:1");
    let commands: [&[&str]; 7] = [
        &["whoami"],
        &["folder", "list"],
        &["principal", "list", "--folder", "f"],
        &["credential", "list", "--principal", "p"],
        &["binding", "list", "--service"],
        &["key", "list", "--folder", "f"],
        &["clock", "confirm"],
    ];
    for command in commands {
        nobody().refused(command, USAGE, "CLAVIGER_TLS_ENDPOINT or CLAVIGER_ENDPOINT");
        here.refused(command, USAGE, "CLAVIGER_TOKEN");
        here.as_caller("t").refused(command, UNAVAILABLE, "127.0.0.1:1");
    }
}

#[test]
fn a_token_is_not_repeated_when_the_server_is_not_there() {
    let shell = nobody().with("CLAVIGER_ENDPOINT", "http://127.0.0.1:1").as_caller("clv1_not-to-be-seen");
    let ran = shell.run(&["whoami"]);
    assert!(!ran.stderr.contains("not-to-be-seen") && !ran.stderr.is_empty(), "{}", ran.stderr);
}

#[tokio::test]
async fn tls_is_preferred_and_its_authority_is_checked() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    shell.clone().with("CLAVIGER_ENDPOINT", "http://127.0.0.1:1").ok(&["whoami"]);
    shell.clone().without("CLAVIGER_TLS_ENDPOINT").without("CLAVIGER_CA").ok(&["whoami"]);
    shell.clone().without("CLAVIGER_CA").refused(&["whoami"], USAGE, "set CLAVIGER_CA");
    let other = home.data().join("other.pem");
    let pair = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertificateParams::new(vec!["other".into()]).unwrap().self_signed(&pair).unwrap();
    std::fs::write(&other, authority.pem()).unwrap();
    shell.with("CLAVIGER_CA", other.to_str().unwrap()).refused(&["whoami"], USAGE, "set CLAVIGER_CA");
}

#[test]
fn a_wrong_environment_is_told_by_the_name_of_its_variable() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.to_str().unwrap();
    let here = nobody().with("CLAVIGER_ENDPOINT", "http://127.0.0.1:1").as_caller("clv1_t");
    let tls = nobody().with("CLAVIGER_TLS_ENDPOINT", "https://127.0.0.1:1").as_caller("clv1_t");
    let wrong = |shell: &Shell, name: &str, value: &str| {
        let ran = shell.clone().with(name, value).run(&["whoami"]);
        ran.assert_refused(USAGE, &format!("claviger: {name}: "));
        assert!(!ran.stderr.contains("clv1_"), "{}", ran.stderr);
    };
    wrong(&here, "CLAVIGER_ENDPOINT", "127.0.0.1:1");
    wrong(&here, "CLAVIGER_ENDPOINT", "http://127.0.0.1:1\n");
    wrong(&tls, "CLAVIGER_TLS_ENDPOINT", "localhost:1");
    for token in ["clv1_t\n", "clv1_\u{1}t", "clv1_t t"] {
        wrong(&here, "CLAVIGER_TOKEN", token);
    }
    for file in ["/nowhere/ca.pem", "/dev", empty] {
        wrong(&tls, "CLAVIGER_CA", file);
    }
    let certified = tls.clone().without("CLAVIGER_TOKEN").with("CLAVIGER_CLIENT_KEY", empty);
    wrong(&certified, "CLAVIGER_CLIENT_CERTIFICATE", "/nowhere/client.pem");
    certified.with("CLAVIGER_CLIENT_CERTIFICATE", empty).refused(
        &["whoami"],
        USAGE,
        "CLAVIGER_CLIENT_CERTIFICATE, CLAVIGER_CLIENT_KEY: ",
    );
    let nowhere = nobody().with("CLAVIGER_TLS_ENDPOINT", "https://claviger.invalid:1").as_caller("clv1_t");
    nowhere.refused(&["whoami"], UNAVAILABLE, "claviger.invalid");
    tls.refused(&["whoami"], UNAVAILABLE, "127.0.0.1:1");
}

#[tokio::test]
async fn whoever_stops_reading_ends_a_command_quietly_unless_a_secret_is_lost() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let me = text(&shell.json(&["whoami"]), "/principal/id");
    let unread = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = claviger().args(arguments).envs(&shell.0).stdout(writer).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let key = shell.new_key("k");
    for command in [&["key", "list"][..], &["key", "list", "--json"], &["key", "show", &key], &["whoami"]] {
        assert_eq!(unread(command), (DONE, String::new()), "{command:?}");
    }
    let issue = ["credential", "create", "--principal", &me, "--type", "api-token"];
    for command in [&issue[..], &[&issue[..], &["--json"]].concat()] {
        let (status, said) = unread(command);
        assert!(status == super::FAILED && said.contains("its secret is lost: revoke it"), "{status} {said}");
    }
}

#[test]
fn a_token_does_not_leave_this_machine_without_tls() {
    for endpoint in ["http://kms.example:8200", "http://192.0.2.1:8200", "http://localhost.example"] {
        let shell = nobody().with("CLAVIGER_ENDPOINT", endpoint).as_caller("t");
        shell.refused(&["whoami"], USAGE, "use https");
        nobody().with("CLAVIGER_TLS_ENDPOINT", endpoint).as_caller("t").refused(&["whoami"], USAGE, "use https");
    }
}

#[tokio::test]
async fn no_proxy_sees_a_token_in_clear() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev).without("CLAVIGER_TLS_ENDPOINT").without("CLAVIGER_CA");
    ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .fold(shell, |shell, name| shell.with(name, "http://127.0.0.1:1"))
        .ok(&["whoami"]);
}

#[tokio::test]
async fn lists_have_all_pages() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let wanted: Vec<String> = (0..3).map(|number| format!("folder-{number}")).collect();
    for name in &wanted {
        shell.ok(&["folder", "create", "--name", name]);
    }
    let rest = dev.rest();
    let (mut found, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = rest.get(&format!("/claviger/v1/folders?pageSize=1&pageToken={token}")).await.ok();
        found.extend(names(&page["folders"]));
        pages += 1;
        match page["nextPageToken"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => break,
        }
    }
    assert!(pages >= 4, "{pages}");
    assert_eq!(names(&shell.json(&["folder", "list"])), found);
    assert_eq!(found[1..], wanted);
    for path in ["folders?pageToken=x", "folders?pageSize=1001", "folders?size=1", "folders?pageSize=x"] {
        assert_eq!(rest.get(&format!("/claviger/v1/{path}")).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn an_answer_with_a_secret_is_not_to_be_stored() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    let me = text(&shell.json(&["whoami"]), "/principal/id");
    let path = format!("/claviger/v1/principals/{me}/credentials");
    let issued = dev.rest().post(&path, &serde_json::json!({ "type": "apiToken" })).await;
    assert_eq!(issued.headers["cache-control"], "no-store");
    assert!(text(&issued.ok(), "/secret").len() > 20);
    let listed = dev.rest().get(&path).await;
    assert!(!listed.headers.contains_key("cache-control"));
    assert!(!listed.text.contains(&text(&issued.json(), "/secret")));
}

#[tokio::test]
async fn the_clock_is_confirmed_by_command() {
    let home = Home::new();
    let dev = home.start().await;
    let shell = Shell::of(&dev);
    assert_eq!(shell.ok(&["clock", "confirm"]), "the clock is confirmed: destructions go on\n");
    assert_eq!(shell.json(&["clock", "confirm"]), serde_json::json!({}));
    let (_, stranger) = super::caller(&shell, "stranger");
    stranger.refused(&["clock", "confirm"], REFUSED, "permission denied");
}

#[test]
fn help_names_every_command_and_what_the_environment_is_for() {
    let output = claviger().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(DONE));
    for word in
        ["whoami", "folder", "principal", "credential", "binding", "key", "clock", "CLAVIGER_CLIENT_CERTIFICATE"]
    {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}
