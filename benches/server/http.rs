//! An HTTP/1.1 client that costs as little as possible: one keep-alive connection, one request at a time.
//! The machine's processors should be the server's.

use anyhow::{Context, Result, bail, ensure};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::net::TcpStream;

const LARGEST_ANSWER_BYTES: usize = 1 << 20;

/// A keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and returns the body of its answer, which must have status 200.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.send(request).await?;
        self.buffer.clear();
        let (head_bytes, body_bytes) = loop {
            self.receive().await?;
            if let Some(lengths) = head_and_body(&self.buffer)? {
                break lengths;
            }
            ensure!(self.buffer.len() < LARGEST_ANSWER_BYTES, "the answer's head does not end");
        };
        while self.buffer.len() < head_bytes + body_bytes {
            self.receive().await?;
        }
        let (head, body) = self.buffer.split_at(head_bytes);
        if !head.starts_with(b"HTTP/1.1 200") {
            bail!("{}\n{}", String::from_utf8_lossy(head), String::from_utf8_lossy(body));
        }
        Ok(body)
    }

    async fn send(&mut self, mut request: &[u8]) -> Result<()> {
        while !request.is_empty() {
            match self.stream.try_write(request) {
                Ok(sent) => request = &request[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits for more bytes of the answer.
    async fn receive(&mut self) -> Result<()> {
        loop {
            self.stream.readable().await?;
            match self.stream.try_read_buf(&mut self.buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The lengths of head and body, once the head is complete.
fn head_and_body(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end])?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let body_bytes = length.context("the answer has no content-length")??;
    Ok(Some((end + 4, body_bytes)))
}
