//! What a client still sends after its request was refused.
//!
//! A TCP connection that is closed with unread bytes takes the answer with it (RFC 9112, 9.6), and the client sees a
//! broken pipe instead of the refusal. So what is left of a body is read and forgotten, within limits, before the
//! answer leaves. HTTP/2 needs none of this: there a stream ends without its connection.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http::{Version, header};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// The most bytes that are read to be forgotten.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// The longest time for that.
const MAX_PERIOD: Duration = Duration::from_secs(5);

/// What may come back of a request's body.
pub struct Leftover(Option<oneshot::Receiver<Body>>);

/// Lends a body out: what is not read of it comes back when it is dropped.
pub fn lend(request: Request) -> (Request, Leftover) {
    // Who expects "100 Continue" has sent nothing yet, and will not after a refusal (RFC 9110, 10.1.1).
    let waits = request.headers().contains_key(header::EXPECT);
    if request.version() == Version::HTTP_2 || waits || request.body().is_end_stream() {
        return (request, Leftover(None));
    }
    let (back, leftover) = oneshot::channel();
    let request = request.map(|body| Body::new(Lent { body, ended: false, back: Some(back) }));
    (request, Leftover(Some(leftover)))
}

impl Leftover {
    /// Reads the rest and forgets it. Call it when the answer is made: what is still being read is left alone.
    pub async fn discard(self) {
        let Some(mut body) = self.0.and_then(|mut leftover| leftover.try_recv().ok()) else { return };
        let rest = async {
            let mut bytes = 0;
            while let Some(Ok(frame)) = body.frame().await {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > MAX_BYTES {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(MAX_PERIOD, rest).await;
    }
}

struct Lent {
    body: Body,
    ended: bool,
    back: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        // After an error there is nothing more to read either.
        self.ended |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.ended || self.body.is_end_stream() {
            return;
        }
        if let Some(back) = self.back.take() {
            // Nobody waits for it any more when the connection is gone.
            let _ = back.send(std::mem::take(&mut self.body));
        }
    }
}
