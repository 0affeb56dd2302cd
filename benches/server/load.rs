//! Sends one request again and again over some connections, and measures both sides.

use crate::http::Connection;
use crate::server::Server;
use ::http::HeaderMap;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// A request's bytes, without the `Host` line.
pub struct Request(String);

impl Request {
    /// A request with a credential and a JSON body.
    pub fn new(method: &str, path: &str, token: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n");
        Self(format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"))
    }

    /// A request with these headers, `host` among them, and a body.
    pub fn with_headers(method: &str, path: &str, headers: &HeaderMap, body: &str) -> Result<Self> {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str()?));
        }
        Ok(Self(format!("{text}content-length: {}\r\n\r\n{body}", body.len())))
    }

    /// The bytes to be sent.
    pub const fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What a window of load showed.
pub struct Load {
    /// Requests per second.
    pub throughput: f64,
    /// Latencies of the window in microseconds, sorted.
    latencies: Vec<f64>,
    /// CPU time of the server per request, user and system, in microseconds.
    pub cpu_micros: f64,
}

impl Load {
    /// The latency that `share` percent of the requests do not exceed (nearest rank).
    pub fn percentile(&self, share: usize) -> f64 {
        let rank = (self.latencies.len() * share).div_ceil(100).max(1);
        self.latencies.get(rank - 1).copied().unwrap_or(f64::NAN)
    }
}

/// Keeps `concurrency` connections busy with `request`: first `warm_up`, then the measured `window`.
pub async fn run(
    server: &Server,
    request: &Request,
    concurrency: usize,
    warm_up: Duration,
    window: Duration,
) -> Result<Load> {
    let mut connections = Vec::with_capacity(concurrency);
    for _ in 0..concurrency {
        connections.push(Connection::open(server.address).await?);
    }
    drive(&mut connections, request, warm_up).await?;
    let (cpu_before, begun) = (server.cpu()?, Instant::now());
    let mut latencies = drive(&mut connections, request, window).await?;
    let (cpu, elapsed) = (server.cpu()?.saturating_sub(cpu_before), begun.elapsed());
    latencies.sort_by(f64::total_cmp);
    let count = latencies.len() as f64;
    Ok(Load { throughput: count / elapsed.as_secs_f64(), cpu_micros: cpu.as_secs_f64() * 1e6 / count, latencies })
}

/// Sends on every connection until `window` is over; returns the latencies in microseconds.
async fn drive(connections: &mut Vec<Connection>, request: &Request, window: Duration) -> Result<Vec<f64>> {
    let until = Instant::now() + window;
    let lanes = connections.drain(..).map(|connection| {
        let bytes = request.as_bytes().to_vec();
        tokio::spawn(drive_one(connection, bytes, until))
    });
    let lanes: Vec<_> = lanes.collect();
    let mut latencies = Vec::new();
    for lane in lanes {
        let (connection, mut of_lane) = lane.await.context("a connection's task ended")??;
        latencies.append(&mut of_lane);
        connections.push(connection);
    }
    Ok(latencies)
}

async fn drive_one(mut connection: Connection, bytes: Vec<u8>, until: Instant) -> Result<(Connection, Vec<f64>)> {
    let mut latencies = Vec::new();
    loop {
        let begun = Instant::now();
        if begun >= until {
            return Ok((connection, latencies));
        }
        connection.exchange(&bytes).await?;
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
    }
}
