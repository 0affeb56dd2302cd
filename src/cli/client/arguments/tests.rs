//! The command line, and that docs/cli.md has it.

use super::*;
use crate::cli::arguments::Arguments;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use rstest::rstest;

const ID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(std::iter::once("claviger").chain(line.split(' ')))
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[rstest]
#[case("whoami")]
#[case("whoami --json")]
#[case("folder create --name n")]
#[case("folder --json list")]
#[case("folder list --json")]
#[case("principal create --name n --type user-account --folder f")]
#[case("principal delete 1 --yes")]
#[case("credential create --principal 1 --type api-token --ttl 90d")]
#[case("credential create --principal 1 --type key --output f --expires-at 2030-01-01T00:00:00Z")]
#[case("binding list --service")]
#[case("binding add --key 1 --role kms.viewer --subject group:x")]
#[case("binding set -")]
#[case("key create --label a=b --label c= --rotation-period 24h")]
#[case("key schedule-destruction 1 2 --wait 7d -y")]
#[case("key update 1 --name n --description d --status inactive --deletion-protection false")]
#[case("key update 1 --rotation-period none --json")]
#[case("key update 1 --rotation-period 90d")]
#[case("credential create --principal 1 --type api-token --ttl 36525d")]
#[case("clock confirm")]
#[case("clock confirm --json")]
fn commands_are_read(#[case] line: &str) {
    parse(line).unwrap();
}

#[rstest]
#[case("folder create")]
#[case("folder show a/b")]
#[case("folder show a?b")]
#[case("key show ..")]
#[case("principal create --name n --type robot")]
#[case("credential create --principal 1 --type api-token --ttl 90")]
#[case("credential create --principal 1 --type api-token --ttl 1d --expires-at 2030-01-01T00:00:00Z")]
#[case("credential create --principal 1")]
#[case("binding list --service --folder f")]
#[case("binding add --role r --subject s --folder f --key k")]
#[case("key create --label a")]
#[case("key set-primary 1")]
#[case("key update 1")]
#[case("key update 1 --status destroyed")]
#[case("key update 1 --deletion-protection maybe")]
fn mistakes_are_refused(#[case] line: &str) {
    let error = parse(line).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::DisplayHelp, "{line}");
}

#[rstest]
#[case("credential create --principal 1 --type api-token --expires-at tomorrow", "--expires-at")]
#[case("credential create --principal 1 --type api-token --ttl 999999999d", "--ttl")]
#[case("key create --algorithm RSA", "--algorithm")]
#[case("key create --rotation-period 36526d", "--rotation-period")]
#[case("key update 1 --rotation-period never", "--rotation-period")]
fn a_wrong_value_is_refused_with_the_name_of_its_option(#[case] line: &str, #[case] option: &str) {
    assert!(parse(line).unwrap_err().to_string().contains(&format!("for '{option} ")), "{line}");
}

/// The commands in the examples of docs/cli.md, without what the shell does with them.
fn documented() -> Vec<Vec<&'static str>> {
    let text = include_str!("../../../../docs/cli.md");
    let blocks = text.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).filter(|line| line.starts_with("claviger "));
    lines
        .map(|line| line.split_whitespace().take_while(|word| !["#", ">", "|", "<"].contains(word)).collect())
        .collect()
}

#[test]
fn every_documented_command_is_one() {
    for command in documented() {
        // The examples have names for ids where the server has ids.
        Arguments::try_parse_from(command.iter().map(|word| word.trim_start_matches('$'))).unwrap();
    }
}

/// Every command with its options, but for those that clap adds.
fn leaves(command: &clap::Command, path: &str) -> Vec<(String, Vec<String>)> {
    let path = format!("{path} {}", command.get_name());
    if command.has_subcommands() {
        return command.get_subcommands().flat_map(|below| leaves(below, &path)).collect();
    }
    let own = command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned);
    vec![(path.trim_start().to_owned(), own.collect())]
}

#[test]
fn every_client_command_is_documented_and_none_takes_a_secret() {
    let own = ["dev", "init", "serve", "ceremony", "version"];
    let documented = documented();
    for (command, options) in leaves(&Arguments::command(), "") {
        let words: Vec<&str> = command.split(' ').collect();
        if own.contains(&words[1]) {
            continue;
        }
        assert!(documented.iter().any(|it| it.starts_with(&words)), "`{command}` is not in docs/cli.md");
        let secret = ["token", "secret", "password", "private-key", "pin"];
        assert!(!options.iter().any(|option| secret.contains(&option.as_str())), "{command} {options:?}");
    }
}

#[test]
fn an_id_fits_into_a_path() {
    assert_eq!(id(ID).unwrap(), ID);
    for text in ["", "a b", "a/b", "a%2e", "\u{e4}", &"a".repeat(51)] {
        assert!(id(text).is_err(), "{text:?}");
    }
}
