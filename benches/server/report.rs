//! The result as a table for people and as JSON for programs.

use crate::load::Load;
use crate::token::Bare;
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The goal: 32 B with AES_256_HSM at concurrency 8.
const GOAL: (&str, usize, usize) = ("AES_256_HSM", 32, 8);
const GOAL_RATIO: f64 = 2.0;
const GOAL_CPU_MICROS: f64 = 60.0;

/// One measurement of the server.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    operation: String,
    algorithm: Option<String>,
    /// Bytes of plaintext.
    pub size: Option<usize>,
    /// Connections that were kept busy.
    pub concurrency: usize,
    throughput: f64,
    p50_micros: f64,
    p99_micros: f64,
    /// CPU time of the server per request in microseconds.
    pub cpu_micros: f64,
    ratio: Option<f64>,
}

impl Row {
    /// The route that does nothing.
    pub fn nothing(size: usize, concurrency: usize, load: &Load) -> Self {
        Self {
            operation: format!("nothing, {size} B"),
            algorithm: None,
            size: Some(size),
            concurrency,
            throughput: load.throughput,
            p50_micros: load.percentile(50),
            p99_micros: load.percentile(99),
            cpu_micros: load.cpu_micros,
            ratio: None,
        }
    }

    /// An Encrypt. `base_micros` is the CPU time of the do-nothing route and the bare token together.
    pub fn encrypt(algorithm: &str, size: usize, concurrency: usize, load: &Load, base_micros: f64) -> Self {
        Self {
            operation: format!("Encrypt {size} B {algorithm}"),
            algorithm: Some(algorithm.into()),
            ratio: Some(load.cpu_micros / base_micros),
            ..Self::nothing(size, concurrency, load)
        }
    }

    /// The same over another interface.
    pub fn over(self, interface: &str) -> Self {
        Self { operation: format!("{interface} {}", self.operation), algorithm: None, ..self }
    }

    fn is_goal(&self) -> bool {
        let (algorithm, size, concurrency) = GOAL;
        self.algorithm.as_deref() == Some(algorithm) && self.size == Some(size) && self.concurrency == concurrency
    }
}

/// Everything that was measured.
pub struct Report {
    /// The bare token.
    pub bare: Bare,
    /// The server.
    pub rows: Vec<Row>,
}

impl Report {
    /// A Markdown table, ready for docs/benchmarks.md.
    pub fn table(&self) -> String {
        let mut out = format!("\n{}\n\n", machine());
        out.push_str("| operation | concurrency | per second | p50 us | p99 us | CPU us/op | ratio |\n");
        out.push_str("|---|---:|---:|---:|---:|---:|---:|\n");
        for row in &self.bare.sizes {
            let (size, throughput, cpu) = (row.size, row.throughput, row.cpu_micros);
            let _ = writeln!(out, "| bare C_Encrypt {size} B | 1 | {throughput:.0} | | | {cpu:.1} | |");
        }
        for row in &self.rows {
            let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let Row { operation, concurrency, throughput, p50_micros, p99_micros, cpu_micros, .. } = row;
            let figures = format!("{throughput:.0} | {p50_micros:.0} | {p99_micros:.0} | {cpu_micros:.1}");
            let _ = writeln!(out, "| {operation} | {concurrency} | {figures} | {ratio} |");
        }
        let _ = writeln!(out, "\n{}", self.verdict());
        out
    }

    fn verdict(&self) -> String {
        let goal = self.rows.iter().find(|row| row.is_goal());
        let reached = goal
            .is_some_and(|row| row.cpu_micros <= GOAL_CPU_MICROS && row.ratio.is_some_and(|ratio| ratio <= GOAL_RATIO));
        let (algorithm, size, concurrency) = GOAL;
        let word = if reached { "reached" } else { "NOT reached" };
        format!(
            "Goal for {size} B {algorithm} at concurrency {concurrency}: ratio <= {GOAL_RATIO}, \
             CPU <= {GOAL_CPU_MICROS} us: {word}."
        )
    }

    /// Writes the figures to `bench-server.json` in the target directory.
    pub fn write(&self) -> Result<PathBuf> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("no target directory")?;
        let path = target.join("bench-server.json");
        let value = json!({ "machine": machine(), "bare_token": self.bare, "server": self.rows });
        fs::write(&path, serde_json::to_string_pretty(&value)?)?;
        Ok(path)
    }
}

/// Processor, how many of them there are, and how busy they were.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu_info = read("/proc/cpuinfo");
    let model = cpu_info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg").split_whitespace().next().unwrap_or("?").to_owned();
    format!("{model}, {processors} processors, load average {load} at the end")
}
