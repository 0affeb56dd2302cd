//! One connection: TLS handshake, protocol, requests, end.

use super::client_certificates::presented;
use super::peer::{FarEnd, WithPeer};
use crate::telemetry::metrics::OpenConnection;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// The longest time for a TLS handshake, for the first bytes, and for the head of an HTTP/1.1 request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Between HTTP/2 pings to a quiet client, and for their answers.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const MAX_STREAMS: u32 = 250;
/// What a client may send ahead of what is read of its bodies, in bytes: per connection, which is what it can make us hold
/// outside of any budget, and per stream. The library's default is 1 MiB for both.
const CONNECTION_WINDOW: u32 = 256 * 1024;
const STREAM_WINDOW: u32 = 64 * 1024;
const MAX_HEAD_BYTES: u32 = 32 * 1024;
/// The client's connection preface (RFC 9113, 3.4); no HTTP/1.1 method begins like it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection serves, and how it learns that the server ends.
#[derive(Clone)]
pub struct Serving {
    /// The requests' way in.
    pub router: axum::Router,
    /// Becomes true when the server ends: idle connections end at once, others when their requests are answered.
    pub stop: watch::Receiver<bool>,
    /// The longest time for those answers.
    pub grace: Duration,
}

/// Waits for the server's end.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The sender is gone only when the server is.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The protocol that a client begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves a connection until either side ends it.
pub async fn serve(stream: TcpStream, far_end: FarEnd, tls: Option<TlsAcceptor>, serving: Serving) {
    let _ = stream.set_nodelay(true);
    let mut stop = serving.stop.clone();
    let begun = async {
        match tls {
            None => Opened::Plain(protocol_of(&stream).await?, stream).ok(),
            Some(acceptor) => {
                let stream = acceptor.accept(stream).await?;
                Opened::Tls(Box::new(stream)).ok()
            }
        }
    };
    let opened = tokio::select! {
        () = stopped(&mut stop) => return,
        begun = timeout(HEAD_TIMEOUT, begun) => begun,
    };
    match opened {
        Ok(Ok(Opened::Plain(protocol, stream))) => run("plain", stream, protocol, far_end, serving).await,
        Ok(Ok(Opened::Tls(stream))) => {
            let tls = stream.get_ref().1;
            let protocol = if tls.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
            let far_end = far_end.with_certificate(presented(tls));
            run("tls", *stream, protocol, far_end, serving).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a connection failed before its first request"),
        Err(_) => tracing::debug!("a connection was closed because its client said nothing"),
    }
}

enum Opened {
    Plain(Protocol, TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl Opened {
    const fn ok(self) -> io::Result<Self> {
        Ok(self)
    }
}

/// Looks at the first bytes without taking them.
async fn protocol_of(stream: &TcpStream) -> io::Result<Protocol> {
    let mut head = [0; 4];
    loop {
        let seen = stream.peek(&mut head).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if head[..seen] != PREFACE[..seen] {
            return Ok(Protocol::Http1);
        }
        if seen == head.len() {
            return Ok(Protocol::Http2);
        }
        // The kernel reports the same few bytes as readable again and again.
        sleep(Duration::from_millis(10)).await;
    }
}

async fn run<I>(listener: &'static str, stream: I, protocol: Protocol, far_end: FarEnd, serving: Serving)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _open = OpenConnection::new(listener);
    let Serving { router, mut stop, grace } = serving;
    let builder = builder(protocol);
    let io = TokioIo::new(FirstBytes::new(stream, protocol));
    let service = WithPeer { service: TowerToHyperService::new(router), far_end };
    let mut connection = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            timeout(grace, connection).await.unwrap_or_else(|late| Err(late.into()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended early");
    }
}

fn builder(protocol: Protocol) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(HEAD_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_header_list_size(MAX_HEAD_BYTES);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}

/// A stream that fails if its first bytes take too long. HTTP/2 has no timeout of its own for its preface.
struct FirstBytes<I> {
    stream: I,
    missing: usize,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<I> FirstBytes<I> {
    fn new(stream: I, protocol: Protocol) -> Self {
        let deadline = (protocol == Protocol::Http2).then(|| Box::pin(sleep(HEAD_TIMEOUT)));
        Self { stream, missing: PREFACE.len(), deadline }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for FirstBytes<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(deadline) = &mut this.deadline else {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        };
        if deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        this.missing = this.missing.saturating_sub(buffer.filled().len() - before);
        if this.missing == 0 {
            this.deadline = None;
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for FirstBytes<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
