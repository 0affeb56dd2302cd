//! `make bench`: what the server adds to the token, measured in one run.
//!
//! Three things are measured on the same machine, one after the other:
//! 1. the bare token: a loop of `C_Encrypt` on a SoftHSM2 token of its own, in a process of its own;
//! 2. a route that does nothing (`/healthz`) of a running `claviger dev`, with the headers and body of an Encrypt;
//! 3. Encrypt over REST at that server;
//! 4. the same over its AWS interface, signed by SigV4.
//!
//! The ratio is the server's CPU time per Encrypt over that of 1 and 2 together, so it tells what authentication,
//! JSON, the envelope and the hand-over to the token cost. docs/benchmarks.md has results.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is for a terminal")]

mod http;
mod load;
mod report;
mod server;
mod token;

use anyhow::{Context, Result};
use report::{Report, Row};
use server::Server;
use std::time::Duration;

const ALGORITHMS: [&str; 2] = ["AES_256_HSM", "AES_256"];
const SIZES: [usize; 2] = [32, 4096];
const CONCURRENCY: [usize; 3] = [1, 8, 32];
const WARM_UP: Duration = Duration::from_millis(500);
const WINDOW: Duration = Duration::from_secs(4);
const TOKEN_WINDOW: Duration = Duration::from_secs(3);

fn main() -> Result<()> {
    // `cargo bench` adds --bench; the benchmark starts itself again with --bare-token.
    if std::env::args().any(|argument| argument == "--bare-token") {
        return token::measure_and_print(&SIZES, TOKEN_WINDOW);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(run())?;
    println!("{}", report.table());
    let path = report.write()?;
    println!("Written to {}", path.display());
    Ok(())
}

async fn run() -> Result<Report> {
    eprintln!("the bare token…");
    let bare = token::measure_in_child()?;
    let server = Server::start()?;
    let mut rows = vec![];
    for (size, concurrency) in every_case() {
        eprintln!("the do-nothing route, {size} B, concurrency {concurrency}…");
        let load = load::run(&server, &server.idle_request(size), concurrency, WARM_UP, WINDOW).await?;
        rows.push(Row::nothing(size, concurrency, &load));
    }
    let nothing = rows.clone();
    let mut others = vec![];
    for algorithm in ALGORITHMS {
        let key_id = server.create_key(algorithm).await?;
        for (size, concurrency) in every_case() {
            eprintln!("{algorithm}, {size} B, concurrency {concurrency}…");
            let request = server.encrypt_request(&key_id, size);
            let load = load::run(&server, &request, concurrency, WARM_UP, WINDOW).await?;
            let same = |row: &&Row| row.size == Some(size) && row.concurrency == concurrency;
            let idle = nothing.iter().find(same).context("no idle row")?;
            let base = idle.cpu_micros + bare.cpu_micros(size).context("size not measured")?;
            rows.push(Row::encrypt(algorithm, size, concurrency, &load, base));
            let signed = [
                ("AWS", server.aws_encrypt_request(&key_id, size)?),
                ("Ncloud", server.ncloud_encrypt_request(&key_id, size)?),
            ];
            for (interface, request) in signed {
                let load = load::run(&server, &request, concurrency, WARM_UP, WINDOW).await?;
                others.push(Row::encrypt(algorithm, size, concurrency, &load, base).over(interface));
            }
        }
    }
    rows.extend(others);
    Ok(Report { bare, rows })
}

fn every_case() -> impl Iterator<Item = (usize, usize)> {
    SIZES.into_iter().flat_map(|size| CONCURRENCY.map(|concurrency| (size, concurrency)))
}
