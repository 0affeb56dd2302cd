//! The process is killed under load, again and again: whatever was acknowledged is there. (What the kernel has taken
//! survives kill -9; that it is on the disk before it is acknowledged is for the tests of the store.)

use super::{Api, create, decrypt, destroyed, encrypt, key, primary, response, schedule, version, versions};
use crate::support::{Dev, Home};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use kms::symmetric_key_version::Status as VersionStatus;
use kms::{SymmetricAlgorithm, SymmetricKey};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const ROUNDS: u64 = 8;
const SOON: Duration = Duration::from_secs(1);
const CLIENTS: u64 = 6;
/// How many ciphertexts of earlier rounds are tried again, per key.
const OLD_CIPHERTEXTS: usize = 3;

/// SplitMix64: a test's luck that can be repeated.
#[derive(Clone)]
struct Luck(u64);

impl Luck {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// What a client was told of one of its keys.
#[derive(Clone, Default)]
struct Known {
    id: String,
    /// Oldest first.
    versions: Vec<String>,
    primary: String,
    sealed: Vec<(String, Vec<u8>)>,
    /// Versions whose destruction, far off, was acknowledged.
    scheduled: Vec<String>,
    /// Versions whose destruction in a second was acknowledged: the power may be cut in the midst of it.
    doomed: Vec<String>,
    /// A version whose destruction was asked for without an answer, and whether it is a matter of a second.
    in_doubt: Option<(String, bool)>,
}

impl Known {
    fn is_ending(&self, id: &String) -> bool {
        self.scheduled.contains(id) || self.doomed.contains(id)
    }

    fn ends(&mut self, id: String, soon: bool) {
        if soon { self.doomed.push(id) } else { self.scheduled.push(id) }
    }
}

/// Another one with each run, unless `CLAVIGER_TEST_SEED` repeats one.
#[expect(clippy::disallowed_methods, reason = "a test's own variable")]
fn seed() -> u64 {
    std::env::var("CLAVIGER_TEST_SEED").map_or_else(|_| std::process::id().into(), |text| text.parse().unwrap())
}

#[tokio::test]
async fn everything_acknowledged_survives_kill_9_under_load() {
    let seed = seed();
    eprintln!("seed {seed}");
    let mut luck = Luck(seed);
    let home = Home::new()
        .with("CLAVIGER_LIMITS__MIN_VERSION_PENDING_PERIOD", "1s")
        .with("CLAVIGER_SCHEDULER__INTERVAL", "1s");
    let mut ledgers: Vec<Vec<Known>> = vec![Vec::new(); usize::try_from(CLIENTS).unwrap()];
    let mut dev = home.start().await;
    for round in 0..ROUNDS {
        let moment = Duration::from_millis(200 + luck.next() % 1500);
        ledgers = load_and_cut(dev, ledgers, &mut luck, moment).await;
        dev = home.start().await;
        let kept: usize = ledgers.iter().flatten().map(|known| known.sealed.len()).sum();
        eprintln!("seed {seed}: round {round}, cut after {moment:?}, {kept} ciphertexts so far");
        verify(&dev, &mut ledgers).await;
    }
    let made = ledgers.iter().flatten().count();
    let rotated = ledgers.iter().flatten().map(|known| known.versions.len() - 1).sum::<usize>();
    let ending = ledgers.iter().flatten().map(|known| known.scheduled.len() + known.doomed.len()).sum::<usize>();
    eprintln!("seed {seed}: {made} keys, {rotated} rotations, {ending} scheduled");
    assert!(made > 0 && rotated > 0 && ending > 0, "nothing was tried");
    what_is_doomed_ends_in_spite_of_all(&dev, &ledgers).await;
    assert!(dev.terminate().await.success());
}

async fn what_is_doomed_ends_in_spite_of_all(dev: &Dev, ledgers: &[Vec<Known>]) {
    let api = Api::grpc(dev).await;
    for known in ledgers.iter().flatten() {
        for id in &known.doomed {
            destroyed(&api, &known.id, id).await;
        }
        for id in &known.scheduled {
            let version = version(&api, &known.id, id).await;
            assert_eq!(version.status(), VersionStatus::ScheduledForDestruction, "before its time: {version:?}");
        }
    }
    let ready = dev.rest().get("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
}

async fn load_and_cut(dev: Dev, ledgers: Vec<Vec<Known>>, luck: &mut Luck, moment: Duration) -> Vec<Vec<Known>> {
    let cut = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for (number, ledger) in ledgers.into_iter().enumerate() {
        let apis = Api::both(&dev).await;
        let client = Client {
            api: apis[number % apis.len()].clone(),
            folder: dev.folder().to_owned(),
            luck: Luck(luck.next()),
            ledger,
        };
        clients.spawn(client.run(Arc::clone(&cut)));
    }
    tokio::time::sleep(moment).await;
    // The flag comes first: from now on a failing request is nobody's fault.
    cut.store(true, Ordering::SeqCst);
    dev.kill();
    clients.join_all().await
}

struct Client {
    api: Api,
    folder: String,
    luck: Luck,
    ledger: Vec<Known>,
}

impl Client {
    async fn run(mut self, cut: Arc<AtomicBool>) -> Vec<Known> {
        while !cut.load(Ordering::SeqCst) {
            if let Err(refusal) = self.step().await {
                assert!(cut.load(Ordering::SeqCst), "refused while the server was well: {refusal:?}");
            }
        }
        self.ledger
    }

    async fn step(&mut self) -> Result<(), String> {
        let choice = self.luck.below(100);
        if self.ledger.is_empty() || choice < 10 {
            return self.create().await;
        }
        let index = self.luck.below(self.ledger.len());
        match choice {
            10..30 => self.rotate(index).await,
            30..40 => self.schedule(index).await,
            _ => self.encrypt(index).await,
        }
    }

    async fn create(&mut self) -> Result<(), String> {
        let algorithm = [SymmetricAlgorithm::Aes256Hsm, SymmetricAlgorithm::Aes256][self.luck.below(2)];
        let made: SymmetricKey = response(&self.api.attempt(create(&self.folder, algorithm)).await?);
        let first = primary(&made);
        self.ledger.push(Known { id: made.id, versions: vec![first.clone()], primary: first, ..Known::default() });
        Ok(())
    }

    async fn rotate(&mut self, index: usize) -> Result<(), String> {
        let request = kms::RotateSymmetricKeyRequest { key_id: self.ledger[index].id.clone() };
        let rotated: SymmetricKey = response(&self.api.attempt(request).await?);
        let known = &mut self.ledger[index];
        known.primary = primary(&rotated);
        known.versions.push(known.primary.clone());
        Ok(())
    }

    /// Schedules the oldest version that can be, to be destroyed soon or late.
    async fn schedule(&mut self, index: usize) -> Result<(), String> {
        let soon = self.luck.below(2) == 0;
        let known = &mut self.ledger[index];
        let oldest = known.versions.iter().find(|id| **id != known.primary && !known.is_ending(id));
        let Some(oldest) = oldest.cloned() else { return Ok(()) };
        known.in_doubt = Some((oldest.clone(), soon));
        self.api.attempt(schedule(&known.id, &oldest, soon.then_some(SOON))).await?;
        known.in_doubt = None;
        known.ends(oldest, soon);
        Ok(())
    }

    async fn encrypt(&mut self, index: usize) -> Result<(), String> {
        let known = &mut self.ledger[index];
        let sealed = self.api.attempt(encrypt(&known.id, known.id.as_bytes(), b"aad")).await?;
        assert_eq!(sealed.version_id, known.primary);
        known.sealed.push((sealed.version_id, sealed.ciphertext));
        Ok(())
    }
}

async fn verify(dev: &Dev, ledgers: &mut [Vec<Known>]) {
    let api = Api::grpc(dev).await;
    for known in ledgers.iter_mut().flatten() {
        settle(&api, known).await;
        let shown = versions(&api, &known.id).await;
        for id in &known.versions {
            let version = shown.iter().find(|version| version.id == *id);
            let version = version.unwrap_or_else(|| panic!("version {id} of {} is lost", known.id));
            let expected: &[VersionStatus] = if known.scheduled.contains(id) {
                &[VersionStatus::ScheduledForDestruction]
            } else if known.doomed.contains(id) {
                &[VersionStatus::ScheduledForDestruction, VersionStatus::Destroyed]
            } else {
                &[VersionStatus::Active]
            };
            assert!(expected.contains(&version.status()), "{version:?}");
        }
        primary_is_as_acknowledged_or_newer(&api, known, &shown).await;
        ciphertexts_open(&api, known).await;
    }
}

/// A change without an answer may have been made or not; afterwards it is known which.
async fn settle(api: &Api, known: &mut Known) {
    let Some((id, soon)) = known.in_doubt.take() else { return };
    if version(api, &known.id, &id).await.status() != VersionStatus::Active {
        known.ends(id, soon);
    }
}

async fn primary_is_as_acknowledged_or_newer(api: &Api, known: &mut Known, shown: &[kms::SymmetricKeyVersion]) {
    let now = primary(&key(api, &known.id).await);
    assert_eq!(shown.iter().filter(|version| version.primary).map(|version| &version.id).collect::<Vec<_>>(), [&now]);
    if now != known.primary {
        // Newest first: a rotation that was not acknowledged stands before the last one that was.
        let place = |id: &str| shown.iter().position(|version| version.id == id).unwrap();
        assert!(place(&now) < place(&known.primary), "{} went back to an older version", known.id);
        assert!(!known.versions.contains(&now));
        known.versions.push(now.clone());
        known.primary = now;
    }
}

async fn ciphertexts_open(api: &Api, known: &mut Known) {
    for (version_id, ciphertext) in &known.sealed {
        let opened = api.call(decrypt(&known.id, ciphertext, b"aad")).await;
        if known.is_ending(version_id) {
            assert_eq!(opened.unwrap_err().code, tonic::Code::FailedPrecondition);
        } else {
            let opened = opened.unwrap();
            assert_eq!((opened.plaintext.as_slice(), &opened.version_id), (known.id.as_bytes(), version_id));
        }
    }
    // They were all tried now; a few stand for them in later rounds.
    known.sealed.truncate(OLD_CIPHERTEXTS);
}
