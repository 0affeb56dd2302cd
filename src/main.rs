//! The `claviger` command.

use std::process::ExitCode;

/// The system's allocator costs several microseconds a request with several threads (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    claviger::cli::run()
}
