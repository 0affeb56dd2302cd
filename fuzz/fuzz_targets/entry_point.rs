//! libFuzzer's way to the entry points of `claviger::testing::fuzz`: one program for all of them, so that a new one needs
//! nothing here. `fuzz/run` tells through the environment which one is run.
#![no_main]

use claviger::testing::fuzz::{ENTRY_POINTS, EntryPoint};
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::process::exit;
use std::sync::LazyLock;

/// The name of the entry point.
const ENTRY: &str = "CLAVIGER_FUZZ_ENTRY";
/// Instead of fuzzing: the directory into which the seeds of all entry points are written, each in one named after it.
/// The names are printed.
const SEEDS: &str = "CLAVIGER_FUZZ_SEEDS";

static CHOSEN: LazyLock<&EntryPoint> = LazyLock::new(|| {
    let name = std::env::var(ENTRY).unwrap_or_default();
    ENTRY_POINTS.iter().find(|entry| entry.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = ENTRY_POINTS.iter().map(|entry| entry.name).collect();
        eprintln!("set {ENTRY} to one of: {}", names.join(" "));
        exit(2)
    })
});

fn write_seeds(into: &Path) -> std::io::Result<()> {
    for entry in ENTRY_POINTS {
        let directory = into.join(entry.name);
        std::fs::create_dir_all(&directory)?;
        for (number, seed) in (entry.seeds)().into_iter().enumerate() {
            std::fs::write(directory.join(format!("seed-{number}")), seed)?;
        }
        println!("{}", entry.name);
    }
    Ok(())
}

fuzz_target!(
    init: {
        if let Some(into) = std::env::var_os(SEEDS) {
            let written = write_seeds(Path::new(&into)).inspect_err(|error| eprintln!("writing seeds: {error}"));
            exit(i32::from(written.is_err()));
        }
        LazyLock::force(&CHOSEN);
    },
    |data: &[u8]| {
        (CHOSEN.run)(data);
    }
);
