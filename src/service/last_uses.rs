//! When credentials were last accepted, until maintenance writes it down.
//!
//! A request writes nothing to the database: it leaves a note here, at most once a minute and credential.

use super::error::ServiceError;
use super::kms::Kms;
use crate::domain::id::CredentialId;
use crate::domain::time::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A use that follows the last noted one sooner than this is not noted.
const INTERVAL: Duration = Duration::from_secs(60);
/// The most credentials that are remembered while the database does not take what is to be written down.
const MOST: usize = 100_000;
/// What is written in one transaction.
const BATCH: usize = 1000;

/// The last noted use of a credential that is in memory. Taking notes of a credential that is used all the time costs
/// one load of an atomic number.
pub(super) struct LastUse(AtomicI64);

impl Default for LastUse {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl LastUse {
    /// Whether a use at `now` is to be noted. Of several uses at the same moment, one is.
    pub fn is_news(&self, now: Timestamp) -> bool {
        let noted = self.0.load(Ordering::Relaxed);
        let old = now.since(Timestamp::from_micros(noted)) >= INTERVAL;
        old && self.0.compare_exchange(noted, now.as_micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Notes that are not written down yet.
#[derive(Default)]
pub(super) struct LastUses(Mutex<HashMap<CredentialId, Timestamp>>);

impl LastUses {
    fn notes(&self) -> MutexGuard<'_, HashMap<CredentialId, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a use.
    pub fn note(&self, id: CredentialId, at: Timestamp) {
        let mut notes = self.notes();
        if notes.len() < MOST || notes.contains_key(&id) {
            notes.insert(id, at);
        }
    }

    /// The noted use of a credential.
    pub fn of(&self, id: CredentialId) -> Option<Timestamp> {
        self.notes().get(&id).copied()
    }

    /// Everything that is to be written down.
    pub fn unwritten(&self) -> Vec<(CredentialId, Timestamp)> {
        self.notes().iter().map(|(id, at)| (*id, *at)).collect()
    }

    /// Forgets what was written down, unless there was a later use meanwhile.
    pub fn written(&self, uses: &[(CredentialId, Timestamp)]) {
        let mut notes = self.notes();
        for (id, at) in uses {
            if notes.get(id) == Some(at) {
                notes.remove(id);
            }
        }
    }
}

impl Kms {
    /// Writes down when credentials were last used. What could not be written stays for the next time.
    ///
    /// # Errors
    /// The store's.
    pub async fn flush_uses(&self) -> Result<(), ServiceError> {
        let uses = self.directory.uses();
        for batch in uses.unwritten().chunks(BATCH) {
            self.store.record_uses(batch.to_vec()).await?;
            uses.written(batch);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_use_is_news_once_a_minute() {
        let last = LastUse::default();
        let news: Vec<_> = [0, 1, 59, 60, 61, 119, 120, 10, 180].into_iter().map(|s| last.is_news(at(s))).collect();
        assert_eq!(news, [true, false, false, true, false, false, true, false, true]);
    }

    #[test]
    fn a_later_use_is_kept_when_an_earlier_one_was_written() {
        let (uses, id) = (LastUses::default(), CredentialId::from_bytes([1; 16]));
        uses.note(id, at(0));
        let writing = uses.unwritten();
        uses.note(id, at(60));
        uses.written(&writing);
        assert_eq!(uses.of(id), Some(at(60)));
        uses.written(&uses.unwritten());
        assert_eq!(uses.of(id), None);
    }

    #[test]
    fn notes_are_limited_and_known_credentials_still_move_on() {
        let uses = LastUses::default();
        let id = |number: usize| CredentialId::from_bytes(u128::try_from(number).unwrap().to_be_bytes());
        (0..MOST + 5).for_each(|number| uses.note(id(number), at(0)));
        uses.note(id(0), at(60));
        assert_eq!(uses.unwritten().len(), MOST);
        assert_eq!((uses.of(id(0)), uses.of(id(MOST))), (Some(at(60)), None));
    }
}
