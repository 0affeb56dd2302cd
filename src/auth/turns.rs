//! Turns of sources at looking credentials up in the database.
//!
//! In: where a request comes from. Out: a [`Turn`], as soon as few enough others of that source have one. Called by
//! [`super::credentials`], [`super::jwt`], [`super::ncloud`] and [`super::sigv4`] before they ask for a credential that is not in memory:
//! whoever sends any number of bad ones fills a queue of its own, and others wait behind a few of them only. Nobody is
//! refused.

use super::shares::{Part, Shares};
use super::source::Source;
use std::net::IpAddr;

/// Requests of one source that have a turn at once.
const TURNS_PER_SOURCE: usize = 8;

/// The queues of all sources that wait for something.
#[derive(Default)]
pub struct Turns {
    queues: Shares<Source>,
}

/// The right to look something up, until it is dropped.
pub struct Turn<'a>(#[expect(dead_code, reason = "held, never read")] Part<'a, Source>);

impl Turns {
    /// Waits for a turn of whoever is at this address.
    pub async fn turn(&self, address: Option<IpAddr>) -> Turn<'_> {
        Turn(self.queues.take(Source::of(address), TURNS_PER_SOURCE, 1).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn from(host: u8) -> Option<IpAddr> {
        Some([192, 0, 2, host].into())
    }

    /// What is there without waiting.
    fn now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn taken(turns: &Turns, host: u8) -> Vec<Turn<'_>> {
        std::iter::from_fn(|| now(pin!(turns.turn(from(host))))).take(100).collect()
    }

    #[test]
    fn a_source_waits_for_its_own_turns_only_and_gets_them_in_order() {
        let turns = Turns::default();
        let mut first = taken(&turns, 1);
        assert_eq!(first.len(), TURNS_PER_SOURCE);
        let (mut ninth, mut tenth) = (pin!(turns.turn(from(1))), pin!(turns.turn(from(1))));
        assert!(now(ninth.as_mut()).is_none());
        assert!(now(tenth.as_mut()).is_none());
        assert_eq!(taken(&turns, 2).len(), TURNS_PER_SOURCE, "another source");
        first.pop();
        assert!(now(tenth.as_mut()).is_none());
        let turn = now(ninth.as_mut());
        assert!(turn.is_some());
        drop(turn);
        assert!(now(tenth.as_mut()).is_some());
    }

    #[test]
    fn nothing_is_kept_of_who_has_no_turn_and_waits_for_none() {
        let turns = Turns::default();
        for host in 0..=255 {
            let held = taken(&turns, host);
            {
                let mut gone = pin!(turns.turn(from(host)));
                assert!(now(gone.as_mut()).is_none());
                assert_eq!(turns.queues.len(), 1);
            }
            assert_eq!(
                turns.queues.visitors_of(Source::of(from(host))),
                held.len(),
                "who went away is out of the queue"
            );
        }
        assert_eq!(turns.queues.len(), 0);
    }
}
