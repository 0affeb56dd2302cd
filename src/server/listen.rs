//! Listeners: plaintext (HTTP/1.1 and h2c) and TLS, with limits against clients that hold connections, and a
//! graceful end.

use super::connection::{self, Serving};
use super::peer::FarEnd;
use crate::service::ports::Clock;
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Requests in flight have this long to finish.
const GRACE: Duration = Duration::from_secs(9);
/// A pause when the kernel hands out no connection, for example because no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where to listen.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Plaintext.
    pub plain: Option<SocketAddr>,
    /// TLS.
    pub tls: Option<SocketAddr>,
    /// Plaintext on an address that other machines reach is an error, unless this is set.
    pub plain_beyond_loopback: bool,
}

impl Wanted {
    /// Refuses to serve plaintext to other machines without leave.
    ///
    /// # Errors
    /// A text that names the settings.
    pub fn require_leave(&self) -> Result<(), String> {
        let exposed = self.plain.filter(|address| !address.ip().to_canonical().is_loopback());
        match exposed.filter(|_| !self.plain_beyond_loopback) {
            Some(address) => Err(format!(
                "server.listen = {address} would send bearer tokens and data over the network in clear; \
                 to do so all the same, set server.allow_plaintext_beyond_loopback = true"
            )),
            None => Ok(()),
        }
    }
}

/// Listeners that are bound: the kernel takes connections from now on.
#[derive(Debug)]
pub struct Bound {
    plain: Option<TcpListener>,
    tls: Option<TcpListener>,
}

impl Bound {
    /// Binds.
    ///
    /// # Errors
    /// If an address is taken, or plaintext would be served to other machines without leave.
    pub async fn bind(wanted: &Wanted) -> io::Result<Self> {
        wanted.require_leave().map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))?;
        Ok(Self { plain: bind_one(wanted.plain).await?, tls: bind_one(wanted.tls).await? })
    }

    /// The plaintext address.
    #[must_use]
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.plain.as_ref()?.local_addr().ok()
    }

    /// The TLS address.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls.as_ref()?.local_addr().ok()
    }

    /// Serves until `stop` becomes true, then lets requests in flight finish.
    pub async fn serve(self, router: axum::Router, options: Options, stop: watch::Receiver<bool>) {
        let serving = Serving { router, stop, grace: GRACE };
        let places = Arc::new(Semaphore::new(options.max_connections));
        let mut loops = JoinSet::new();
        if let Some(listener) = self.plain {
            loops.spawn(accept(listener, None, serving.clone(), Arc::clone(&places), Arc::clone(&options.clock)));
        }
        if let (Some(listener), Some(config)) = (self.tls, options.tls) {
            let acceptor = Some(TlsAcceptor::from(config));
            loops.spawn(accept(listener, acceptor, serving, Arc::clone(&places), options.clock));
        }
        while loops.join_next().await.is_some() {}
        // Every open connection holds a place: when all are back, all have ended.
        let all = u32::try_from(options.max_connections).unwrap_or(u32::MAX);
        if tokio::time::timeout(GRACE, places.acquire_many(all)).await.is_err() {
            tracing::warn!("connections were cut off because their requests took too long");
        }
    }
}

/// How to serve.
pub struct Options {
    /// Needed where TLS is served.
    pub tls: Option<Arc<ServerConfig>>,
    /// Connections that are open at once.
    pub max_connections: usize,
    /// Judges whether client certificates are valid.
    pub clock: Arc<dyn Clock>,
}

async fn bind_one(address: Option<SocketAddr>) -> io::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let bound = TcpListener::bind(address).await;
    bound.map(Some).map_err(|error| io::Error::new(error.kind(), format!("listening on {address}: {error}")))
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    serving: Serving,
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
) {
    let mut stop = serving.stop.clone();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((accept_one(&listener).await, place))
        };
        let ((stream, address), place) = tokio::select! {
            () = connection::stopped(&mut stop) => return,
            next = next => match next { Some(next) => next, None => return },
        };
        let (tls, serving) = (tls.clone(), serving.clone());
        let far_end = FarEnd::new(address, Arc::clone(&clock));
        tokio::spawn(async move {
            connection::serve(stream, far_end, tls, serving).await;
            drop(place);
        });
    }
}

async fn accept_one(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bind_plain(address: &str, leave: bool) -> io::Result<Bound> {
        let plain = Some(address.parse().unwrap());
        Bound::bind(&Wanted { plain, tls: None, plain_beyond_loopback: leave }).await
    }

    #[tokio::test]
    async fn plaintext_beyond_loopback_needs_leave_in_so_many_words() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
            let error = bind_plain(address, false).await.unwrap_err();
            assert!(error.to_string().contains("allow_plaintext_beyond_loopback"), "{address}: {error}");
        }
        assert!(bind_plain("0.0.0.0:0", true).await.is_ok());
        assert!(bind_plain("127.0.0.1:0", false).await.is_ok());
    }

    #[tokio::test]
    async fn port_0_picks_a_free_port() {
        let bound = bind_plain("127.0.0.1:0", false).await.unwrap();
        assert_ne!(bound.plain_address().unwrap().port(), 0);
        assert_eq!(bound.tls_address(), None);
    }
}
