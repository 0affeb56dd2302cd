//! The scripts of `softhsm/`, run as a user runs them.
#![expect(clippy::unwrap_used, reason = "a script that cannot be run fails its test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn script(name: &str, arguments: &[&Path]) -> Output {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("softhsm").join(name);
    Command::new(path).args(arguments).output().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_new_token_is_private_initialised_and_shows_no_pin() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("token");
    let made = script("new-token.sh", &[&dir]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert_eq!(mode(&dir), 0o700);
    let shown = text(&made.stdout) + &text(&made.stderr);
    for name in ["user.pin", "so.pin"] {
        let pin = fs::read_to_string(dir.join(name)).unwrap();
        assert_eq!(mode(&dir.join(name)), 0o600);
        assert_eq!(pin.len(), 32, "{name}");
        assert!(!shown.contains(&pin), "{name} is shown");
        assert!(shown.contains(&format!("file:{}", dir.join(name).display())), "how to use {name} is not shown");
    }
    let conf = dir.join("softhsm2.conf");
    let slots = Command::new("softhsm2-util").arg("--show-slots").env("SOFTHSM2_CONF", &conf).output().unwrap();
    let slots = text(&slots.stdout);
    assert!(slots.contains("claviger-throw-away"), "{slots}");
    assert!(slots.lines().any(|line| line.contains("User PIN init.:") && line.contains("yes")), "{slots}");
}

#[test]
fn a_directory_with_something_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine"), "kept").unwrap();
    let refused = script("new-token.sh", &[dir.path()]);
    assert!(!refused.status.success());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn the_configuration_template_names_the_token_directory_once() {
    let template = include_str!("../softhsm/softhsm2.conf");
    assert_eq!(template.matches("@TOKENDIR@").count(), 1);
    assert!(template.lines().any(|line| line == "directories.tokendir = @TOKENDIR@"));
}
