use super::*;
use crate::auth::body_budget::Room;
use crate::domain::id::CredentialId;
use futures_util::{StreamExt as _, stream};
use http_body_util::Full;
use std::convert::Infallible;
use std::io;

const MAX: usize = 64 * 1024;
const SENDER: Sender = Sender { address: None, credential_id: CredentialId::from_bytes([1; 16]) };

/// Room for one body of the largest size.
fn budget() -> BodyBudget {
    let kib = MAX / 1024;
    let patience = Duration::from_millis(5);
    BodyBudget::new(Room { all_kib: kib, source_kib: kib, credential_kib: kib, waiting: 10, patience })
}

async fn read(budget: &BodyBudget, body: Body) -> Result<(Bytes, Option<Held<'_>>), BodyError> {
    whole_within(Duration::from_millis(20), body, MAX, budget, SENDER).await
}

/// A body that says how long it is, and does not end.
struct Unfinished(usize, bool);

impl HttpBody for Unfinished {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        if std::mem::replace(&mut self.1, true) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"first")))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0 as u64)
    }
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_read_and_a_larger_one_refused() {
    let budget = budget();
    for length in [0, 1, SMALL, SMALL + 1, MAX] {
        let (bytes, held) = read(&budget, Body::new(Full::new(Bytes::from(vec![b'x'; length])))).await.unwrap();
        assert_eq!((bytes.len(), held.is_some()), (length, length > SMALL), "{length}");
        assert!(bytes.iter().all(|byte| *byte == b'x'));
    }
    let larger = Body::new(Full::new(Bytes::from(vec![b'x'; MAX + 1])));
    assert!(matches!(read(&budget, larger).await, Err(BodyError::TooLarge)));
}

#[tokio::test]
async fn a_body_of_unknown_length_takes_room_for_the_largest_and_is_read_up_to_it() {
    let budget = budget();
    let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1000])));
    assert!(matches!(read(&budget, Body::from_stream(endless)).await, Err(BodyError::TooLarge)));
    let parts = || Body::from_stream(stream::iter((0..10).map(|_| Ok::<_, Infallible>(Bytes::from_static(b"part")))));
    let (bytes, held) = read(&budget, parts()).await.unwrap();
    assert_eq!(bytes, b"part".repeat(10).as_slice());
    assert!(matches!(read(&budget, parts()).await, Err(BodyError::NoRoom(ServiceError::Throttled { .. }))));
    drop(held);
    assert!(read(&budget, parts()).await.is_ok());
}

#[tokio::test]
async fn without_room_small_bodies_that_are_there_are_read_all_the_same() {
    let budget = budget();
    let _held = budget.reserve(SENDER, MAX).await.unwrap();
    let (bytes, held) = read(&budget, Body::from("whole")).await.unwrap();
    assert!(bytes == "whole" && held.is_none());
    for size in [5000, MAX] {
        let unfinished = Body::new(Unfinished(size, false));
        assert!(matches!(read(&budget, unfinished).await, Err(BodyError::NoRoom(_))), "{size}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_gives_its_room_back() {
    let budget = budget();
    for size in [5000, MAX] {
        let unfinished = Body::new(Unfinished(size, false));
        assert!(matches!(read(&budget, unfinished).await, Err(BodyError::TooSlow)), "{size}");
        assert!(budget.reserve(SENDER, MAX).await.is_ok());
    }
}

#[tokio::test]
async fn what_arrives_in_parts_is_read_in_order() {
    let parts = stream::iter(0..100_u8).then(async |number| {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(Bytes::from(vec![number]))
    });
    let (bytes, _) = whole(Body::from_stream(parts), MAX, &budget(), SENDER).await.unwrap();
    assert!(bytes.iter().copied().eq(0..100));
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused() {
    let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(io::Error::other("SECRET"))]);
    assert!(matches!(read(&budget(), Body::from_stream(broken)).await, Err(BodyError::Incomplete)));
}
