//! Time and randomness of the real machine: the only place where they enter the process.

use crate::domain::time::Timestamp;
use crate::service::ports::{BootInstant, Clock, IdSource};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The machine's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    boot_id: Arc<str>,
}

impl SystemClock {
    /// Reads which boot this is.
    ///
    /// # Errors
    /// If `/proc` is not mounted.
    pub fn new() -> std::io::Result<Self> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        Ok(Self { boot_id: boot_id.trim().into() })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Realtime);
        Timestamp::from_micros(tv_sec.saturating_mul(1_000_000).saturating_add(tv_nsec / 1000))
    }

    fn boot(&self) -> BootInstant {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(tv_sec).unwrap_or(0);
        let nanos = u32::try_from(tv_nsec).unwrap_or(0);
        BootInstant { boot_id: Arc::clone(&self.boot_id), elapsed: Duration::new(seconds, nanos) }
    }
}

/// The kernel's random generator.
#[derive(Debug, Clone, Copy)]
pub struct SystemIds(());

impl SystemIds {
    /// Waits until the generator is seeded, after which it cannot fail.
    ///
    /// # Errors
    /// If the kernel has none.
    pub fn new() -> std::io::Result<Self> {
        let mut probe = [0; 1];
        getrandom(&mut probe, GetRandomFlags::empty())?;
        Ok(Self(()))
    }
}

/// Random bytes for ids, which are no secrets: one system call is made for many. Each byte is used once.
struct Pool {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

const POOL_BYTES: usize = 256;
const ID_BYTES: usize = 16;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], used: POOL_BYTES }) };
}

impl Pool {
    fn take(&mut self) -> [u8; ID_BYTES] {
        if self.used >= POOL_BYTES {
            fill(&mut self.bytes);
            self.used = 0;
        }
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&self.bytes[self.used..self.used + ID_BYTES]);
        self.used += ID_BYTES;
        id
    }
}

impl IdSource for SystemIds {
    fn id(&self) -> [u8; 16] {
        let bytes = POOL.with_borrow_mut(Pool::take);
        *uuid::Builder::from_random_bytes(bytes).as_uuid().as_bytes()
    }

    fn secret(&self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill(bytes.as_mut_slice());
        bytes
    }
}

/// Fills at most 256 bytes: getrandom(2) hands them out whole and uninterrupted once the pool is seeded, which
/// [`SystemIds::new`] waited for. Were it to fail all the same, going on would hand out known secrets.
fn fill(bytes: &mut [u8]) {
    if getrandom(&mut *bytes, GetRandomFlags::empty()) != Ok(bytes.len()) {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_4_uuids_and_differ() {
        let ids = SystemIds::new().unwrap();
        let [one, two] = [ids.id(), ids.id()];
        assert_ne!(one, two);
        let uuid = uuid::Uuid::from_bytes(one);
        assert_eq!(uuid.get_version_num(), 4);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_ne!(ids.secret(), ids.secret());
    }

    #[test]
    fn the_wall_clock_is_in_this_century_and_the_boot_clock_never_steps_back() {
        let clock = SystemClock::new().unwrap();
        assert!(clock.now() > Timestamp::from_micros(1_700_000_000_000_000));
        let first = clock.boot();
        let second = clock.boot();
        assert_eq!(first.boot_id, second.boot_id);
        assert!(first.elapsed <= second.elapsed);
    }
}
