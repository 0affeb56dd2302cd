//! The rest of a request that was answered before all of it had arrived.
//!
//! A client that is still sending does not see an answer whose connection or stream is then cut: it sees its own write
//! fail. So the rest is read and dropped before the answer goes out, up to a size and for a time.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http::header;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// The largest rest that is waited for; whoever sends more is cut off.
const MAX_BYTES: usize = 64 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(5);

/// Where a body goes when its reader has enough of it.
#[derive(Clone, Default)]
pub struct Leftover(Arc<Mutex<Option<Body>>>);

impl Leftover {
    /// Watches the body of a request.
    #[must_use]
    pub fn of(request: Request) -> (Request, Self) {
        let leftover = Self::default();
        if request.body().is_end_stream() {
            return (request, leftover);
        }
        let asks_first = request.headers().contains_key(header::EXPECT);
        let slot = leftover.clone();
        let request = request.map(|body| Body::new(Watched { body, slot, wanted: !asks_first }));
        (request, leftover)
    }

    /// Reads what is left and drops it.
    pub async fn discard(self) {
        self.discard_within(MAX_BYTES, MAX_TIME).await;
    }

    async fn discard_within(self, max_bytes: usize, max_time: Duration) {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut body) = left else { return };
        let mut bytes = 0;
        let rest = async {
            while let Some(Ok(frame)) = body.frame().await {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > max_bytes {
                    return;
                }
            }
        };
        // Who takes longer is cut off as well.
        let _ = timeout(max_time, rest).await;
    }
}

/// A body that is put aside when it is dropped before its end.
struct Watched {
    body: Body,
    slot: Leftover,
    /// False for a client that waits for `100 Continue` before it sends, until somebody reads.
    wanted: bool,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.wanted = true;
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.wanted && !self.body.is_end_stream() {
            let body = std::mem::take(&mut self.body);
            *self.slot.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt as _, stream};
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A request of `chunks` chunks, and how many of them were taken.
    fn request(chunks: usize, expect: bool) -> (Request, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let body = stream::iter(0..chunks).map(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Bytes::from_static(b"chunk"))
        });
        let mut request = Request::new(Body::from_stream(body));
        if expect {
            request.headers_mut().insert(header::EXPECT, http::HeaderValue::from_static("100-continue"));
        }
        (request, taken)
    }

    #[tokio::test]
    async fn what_the_reader_left_is_taken_to_its_end() {
        let (request, taken) = request(5, false);
        let (request, leftover) = Leftover::of(request);
        let mut body = request.into_body();
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(taken.load(Ordering::SeqCst), 1);
        leftover.discard().await;
        assert_eq!(taken.load(Ordering::SeqCst), 5);
    }

    #[tokio::test]
    async fn a_client_that_waits_to_be_asked_is_not_asked_for_what_nobody_reads() {
        let (request, taken) = request(5, true);
        let (request, leftover) = Leftover::of(request);
        drop(request);
        leftover.discard().await;
        assert_eq!(taken.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn an_endless_rest_is_given_up() {
        let (request, taken) = request(usize::MAX, false);
        let (request, leftover) = Leftover::of(request);
        drop(request);
        leftover.discard_within(1000, MAX_TIME).await;
        assert_eq!(taken.load(Ordering::SeqCst), 201);
    }

    #[tokio::test]
    async fn a_rest_that_does_not_come_is_given_up() {
        let silent = stream::pending::<Result<Bytes, Infallible>>();
        let (request, leftover) = Leftover::of(Request::new(Body::from_stream(silent)));
        drop(request);
        leftover.discard_within(MAX_BYTES, Duration::from_millis(10)).await;
    }
}
