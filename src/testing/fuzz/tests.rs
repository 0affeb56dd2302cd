//! Every entry point on seeded mutations, and the proof that a broken parser would be found.

use super::super::mutate::mutations;
use super::{ENTRY_POINTS, EntryPoint, texts};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Mutated inputs of each entry point: some seconds for all of them in a debug build.
const COUNT: usize = 3000;
/// Where the inputs begin. Another number gives others; a failure names it.
const SEED: u64 = 20_261_122;

/// How often an entry point accepted its inputs, or the input on which it failed, fit for a message.
fn outcome(entry: &EntryPoint, count: usize, seed: u64) -> Result<(usize, usize), String> {
    let corpus = (entry.seeds)();
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    let (mut accepted, mut refused) = (0, 0);
    for (number, input) in mutations(&corpus, count, seed).enumerate() {
        match catch_unwind(AssertUnwindSafe(|| (entry.run)(&input))) {
            Ok(true) => accepted += 1,
            Ok(false) => refused += 1,
            Err(_) => return Err(format!("{}: input {number} of seed {seed}: {}", entry.name, shown(&input))),
        }
    }
    Ok((accepted, refused))
}

fn shown(input: &[u8]) -> String {
    let head = &input[..input.len().min(400)];
    format!("{} bytes, b\"{}\"", input.len(), head.escape_ascii())
}

#[test]
fn every_seed_is_accepted() {
    for entry in ENTRY_POINTS {
        for seed in (entry.seeds)() {
            assert!((entry.run)(&seed), "{} refuses {}", entry.name, shown(&seed));
        }
    }
}

#[test]
fn no_mutated_input_breaks_a_parser() {
    let outcomes: Vec<_> = ENTRY_POINTS.iter().map(|entry| (entry.name, outcome(entry, COUNT, SEED))).collect();
    let failures: Vec<_> = outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().err().cloned()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // Where nothing but seeds is accepted, what is promised of accepted inputs was not looked at; of authentic ones
    // just that is promised.
    for (name, outcome) in outcomes {
        let (accepted, refused) = outcome.unwrap();
        let authentic = matches!(name, "jwt" | "login-token" | "sigv4-request" | "ncloud-request" | "ncloud-token");
        assert!(authentic || accepted >= COUNT / 100, "{name} accepted {accepted}, refused {refused}");
        let takes_all = matches!(name, "context-bytes" | "context-pairs");
        assert!(takes_all || refused >= COUNT / 20, "{name} accepted {accepted}, refused {refused}");
    }
}

#[test]
fn a_parser_that_panics_or_breaks_its_promise_is_found() {
    /// Panics where a percent sign has no digits behind it.
    fn careless(data: &[u8]) -> bool {
        data.iter().position(|byte| *byte == b'%').is_none_or(|at| data[at + 1] != data[at + 2])
    }
    /// Takes any case and writes lower case.
    fn unfaithful(data: &[u8]) -> bool {
        assert_eq!(data.to_ascii_lowercase(), data);
        true
    }
    let seeds = || texts(&["token=a%20b"]);
    for (name, run) in [("careless", careless as fn(&[u8]) -> bool), ("unfaithful", unfaithful)] {
        let failure = outcome(&EntryPoint { name, seeds, run }, COUNT, SEED).unwrap_err();
        assert!(failure.starts_with(&format!("{name}: input ")), "{failure}");
    }
    let sound = EntryPoint { name: "sound", seeds, run: |data| data.len() > 5 };
    assert!(outcome(&sound, COUNT, SEED).is_ok_and(|(accepted, refused)| accepted + refused == COUNT));
}

#[test]
fn names_of_entry_points_differ_and_are_names_of_files() {
    let names: BTreeSet<&str> = ENTRY_POINTS.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), ENTRY_POINTS.len());
    let fits = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    assert!(names.into_iter().all(fits));
}
