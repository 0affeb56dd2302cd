//! `make bench-keys`: does the metadata store get slower with the number of keys?
//!
//! Two databases are filled through the store's own commits, with sealed rows: 1,000 keys, and `KEYS` (1,000,000).
//! Then the same is measured on both: opening, what a request reads on a cache miss, what the scheduler asks at a wake,
//! and one durable change. The service above keeps a bounded number of keys in memory, so nothing else depends on
//! their number. docs/benchmarks.md has results.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time, and its size is set by the environment")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is for a terminal")]

mod fill;

use anyhow::{Context, Result};
use claviger::domain::time::Timestamp;
use claviger::service::ports::KeyFilter;
use claviger::service::ports::{BlobUpdate, Change, Store};
use claviger::store::SqliteStore;
use fill::{folder_id, key_id, material_id, now};
use std::path::Path;
use std::time::Instant;
use zeroize::Zeroizing;

const FEW: u32 = 1_000;
const MANY: u32 = 1_000_000;
const SAMPLES: u32 = 1_000;
const ROW_KEY: [u8; 32] = [7; 32];

/// Median times in microseconds, by name.
type Times = Vec<(&'static str, f64)>;

fn main() -> Result<()> {
    let many = std::env::var("KEYS").ok().map_or(Ok(MANY), |text| text.parse()).context("KEYS")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (few, more) = (runtime.block_on(measure(FEW))?, runtime.block_on(measure(many))?);
    println!("| operation, median in us | {FEW} keys | {many} keys |\n|---|---:|---:|");
    for ((name, few), (_, more)) in few.iter().zip(&more) {
        println!("| {name} | {few:.0} | {more:.0} |");
    }
    Ok(())
}

async fn measure(keys: u32) -> Result<Times> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("claviger.db");
    eprintln!("filling a database with {keys} keys…");
    let begun = Instant::now();
    fill::fill(&open(&path)?, keys).await?;
    eprintln!("filled in {:.0?}", begun.elapsed());
    let begun = Instant::now();
    let store = open(&path)?;
    let opened = begun.elapsed().as_secs_f64() * 1e6;
    eprintln!("resident memory {} MiB", resident_mib()?);
    let mut times = vec![("open the database and check its state", opened)];
    times.extend(reads(&store, keys).await?);
    times.push(("schedule a destruction, durable", changes(&store, keys).await?));
    Ok(times)
}

fn open(path: &Path) -> Result<SqliteStore> {
    Ok(SqliteStore::open(path)?.unlock(Zeroizing::new(ROW_KEY))?)
}

/// A number that is different for each sample and spread over all keys.
const fn any_key(sample: u32, keys: u32) -> u32 {
    sample.wrapping_mul(2_654_435_761) % keys
}

async fn reads(store: &SqliteStore, keys: u32) -> Result<Times> {
    let (mut key, mut material, mut record) = (vec![], vec![], vec![]);
    let (mut page, mut due, mut next) = (vec![], vec![], vec![]);
    for sample in 0..SAMPLES {
        let number = any_key(sample, keys);
        key.push(timed(store.key(key_id(number))).await?);
        material.push(timed(store.material(key_id(number), material_id(number))).await?);
        record.push(timed(store.key_record(key_id(number))).await?);
        if sample % 20 == 0 {
            let after = fill::cursor(number);
            page.push(timed(store.keys(folder_id(), KeyFilter::default(), Some(after), 100)).await?);
            due.push(timed(store.due(now(), 200)).await?);
            next.push(timed(store.next_due_after(now())).await?);
        }
    }
    Ok(vec![
        ("read a key", median(key)),
        ("read a version with its material", median(material)),
        ("read a key, its version and bindings at once", median(record)),
        ("list 100 keys from the middle", median(page)),
        ("ask what is due", median(due)),
        ("ask what is due next", median(next)),
    ])
}

async fn changes(store: &SqliteStore, keys: u32) -> Result<f64> {
    let mut times = vec![];
    for sample in 0..SAMPLES / 10 {
        let number = any_key(sample, keys);
        let found = store.material(key_id(number), material_id(number)).await?.context("a seeded key")?.version;
        let far = Timestamp::from_micros(now().as_micros() + i64::from(sample) + 86_400_000_000);
        let version = fill::scheduled(&found, far);
        times.push(timed(store.commit(vec![Change::UpdateVersion(Box::new(version), BlobUpdate::Keep)])).await?);
    }
    Ok(median(times))
}

async fn timed<T, E: std::error::Error + Send + Sync + 'static>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<f64> {
    let begun = Instant::now();
    work.await?;
    Ok(begun.elapsed().as_secs_f64() * 1e6)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn resident_mib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("this benchmark needs Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
