//! The documents agree with the repository: links lead somewhere, and settings that are named exist.
#![expect(clippy::unwrap_used, reason = "a document that cannot be read fails its test")]

use claviger::dialect::aws::dispatch::members;
use claviger::dialect::aws::operation::Operation;
use claviger::dialect::ncloud::route::{Operation as Ncloud, Proof, Route};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for place in [".", "docs", "docs/adr", "docs/dialects"] {
        let entries = fs::read_dir(root().join(place)).into_iter().flatten().map(|entry| entry.unwrap().path());
        found.extend(entries.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    assert!(found.len() > 10, "the documents were not found");
    found
}

/// The targets of `[text](target)` links that stay in the repository.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets.filter(|target| !target.contains("://")).collect()
}

/// What a heading is called in a link: lower case, hyphens for spaces, without other punctuation.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let slug = |heading: &str| -> String {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        words
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(slug).collect()
}

fn broken_links(document: &Path, text: &str) -> Vec<String> {
    let leads_somewhere = |target: &&str| {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() { document.to_path_buf() } else { document.parent().unwrap().join(file) };
        path.exists() && (anchor.is_empty() || fs::read_to_string(path).is_ok_and(|it| anchors(&it).contains(anchor)))
    };
    links(text).into_iter().filter(|target| !leads_somewhere(target)).map(str::to_owned).collect()
}

/// `section.name` in backticks, where `section` is one of the settings file.
fn named_settings<'a>(text: &'a str, sections: &BTreeSet<String>) -> Vec<&'a str> {
    let quoted = text.split('`').skip(1).step_by(2).filter_map(|code| code.split([' ', '=']).next());
    quoted
        .filter(|code| {
            let parts: Vec<&str> = code.split('.').collect();
            let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            parts.len() == 2 && sections.contains(parts[0]) && is_name(parts[1])
        })
        .collect()
}

/// Sections and `section.name`s of a settings file.
fn settings(toml: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut sections, mut names, mut section) = (BTreeSet::new(), BTreeSet::new(), String::new());
    for line in toml.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            sections.insert(section.clone());
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            names.insert(format!("{section}.{name}"));
        }
    }
    (sections, names)
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        broken.extend(
            broken_links(&document, &text).into_iter().map(|target| format!("{}: {target}", document.display())),
        );
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let document = root().join("docs/security.md");
    assert_eq!(
        broken_links(&document, "[a](nothing.md) [b](hsm.md) [c](#limits) [d](#nothing)"),
        ["nothing.md", "#nothing"]
    );
}

#[test]
fn settings_named_in_documents_exist() {
    let (sections, names) = settings(&fs::read_to_string(root().join("deploy/claviger.toml")).unwrap());
    assert!(names.contains("token.module"), "the settings were not found");
    let mut unknown = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let missing = named_settings(&text, &sections).into_iter().filter(|name| !names.contains(*name));
        unknown.extend(missing.map(|name| format!("{}: {name}", document.display())));
    }
    assert!(unknown.is_empty(), "settings that do not exist:\n{}", unknown.join("\n"));
}

#[test]
fn an_unknown_setting_is_found() {
    let (sections, names) = settings("[token]\n# pin = 1\nmodule = \"x\"\n");
    let named = named_settings("`token.module` and `token.colour = 1`, not `a.b`", &sections);
    assert_eq!(named, ["token.module", "token.colour"]);
    assert!(names.contains("token.module") && !names.contains("token.colour") && !names.contains("token.pin"));
}

#[test]
fn every_aws_operation_is_documented_as_it_is_served() {
    let text = fs::read_to_string(root().join("docs/dialects/aws.md")).unwrap();
    let section = text.split("## Operations").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let documented: Vec<(&str, bool)> = rows.skip(1).map(|(name, rest)| (name, !rest.starts_with("no |"))).collect();
    let expected: Vec<_> = Operation::ALL.iter().map(|it| (it.name(), members(*it).is_some())).collect();
    assert_eq!(documented, expected);
}

/// Name, path, and proof of every operation, as the router has them.
#[test]
fn every_ncloud_operation_is_documented_as_it_is_served() {
    let text = fs::read_to_string(root().join("docs/dialects/ncloud.md")).unwrap();
    let section = text.split("## Operations").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let cells = rows.map(|row| row.trim_end_matches(" |").split(" | ").collect::<Vec<_>>());
    let mut documented = Vec::new();
    for row in cells {
        let [name, path, _, proof] = *row.as_slice() else { panic!("{row:?}") };
        let (method, path) = path.trim_matches('`').split_once(' ').unwrap();
        let path = path.replace("{keyTag}", "0b7c1b6e5a944c1e9a530d9d7d4b2f11").replace("{version}", "1");
        let route = Route::of(&method.parse().unwrap(), &format!("/kms/v1{path}")).unwrap();
        let expected = match route.operation.proof() {
            Proof::Signature => "signature",
            Proof::Access => "signature, access token",
            Proof::Refresh => "refresh token",
        };
        assert_eq!((route.operation.name(), expected), (name, proof));
        documented.push(name);
    }
    assert_eq!(documented, Ncloud::ALL.iter().map(|operation| operation.name()).collect::<Vec<_>>());
}
