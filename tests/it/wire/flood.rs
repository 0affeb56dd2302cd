//! Garbage in a flood does not touch those who send none.

use super::{Api, decrypt, encrypt, new_key};
use crate::support::{Dev, Home, Rest};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1::SymmetricAlgorithm;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::Code;

/// As many a second as the sending side makes, if the machine bears it.
const PER_TICK: usize = 50;
const TICK: Duration = Duration::from_millis(50);
const TICKS: usize = 80;

#[tokio::test]
async fn tampered_ciphertexts_in_a_flood_leave_other_keys_their_cached_handles() {
    let home = Home::new();
    let dev = home.start().await;
    let api = Api::grpc(&dev).await;
    let victim = new_key(&api, dev.folder(), SymmetricAlgorithm::Aes256Hsm).await.id;
    let good = new_key(&api, dev.folder(), SymmetricAlgorithm::Aes256Hsm).await.id;
    let sealed = api.ok(encrypt(&victim, b"whole", b"a")).await.ciphertext;
    let kept = api.ok(encrypt(&good, b"kept", b"")).await.ciphertext;
    let before = token_counters(&dev.rest()).await;

    let ended = Arc::new(AtomicBool::new(false));
    let worker = tokio::spawn(work(Api::grpc(&dev).await, good, kept, Arc::clone(&ended)));
    let refused = flood(&dev, &victim, &sealed).await;
    ended.store(true, Ordering::Relaxed);
    let done = worker.await.unwrap();

    assert_eq!(refused, TICKS * PER_TICK);
    assert!(done > 0, "no good request was answered in the flood");
    assert_eq!(token_counters(&dev.rest()).await, before);
    assert_eq!(api.ok(decrypt(&victim, &sealed, b"a")).await.plaintext, b"whole");
    let ready = dev.rest().get("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
}

/// Sends every kind of tampering, and counts the refusals.
async fn flood(dev: &Dev, key_id: &str, sealed: &[u8]) -> usize {
    let senders = [Api::grpc(dev).await, Api::grpc(dev).await, Api::rest(dev)];
    let refused = Arc::new(AtomicUsize::new(0));
    let mut flying = JoinSet::new();
    let mut clock = tokio::time::interval(TICK);
    for number in 0..TICKS * PER_TICK {
        if number % PER_TICK == 0 {
            clock.tick().await;
        }
        let mut bad = sealed.to_vec();
        let bit = number % (bad.len() * 8);
        bad[bit / 8] ^= 1 << (bit % 8);
        let (sender, refused) = (senders[number % senders.len()].clone(), Arc::clone(&refused));
        let request = decrypt(key_id, &bad, b"a");
        flying.spawn(async move {
            let refusal = sender.refused(&format!("bit {bit}"), request).await;
            assert_eq!(refusal.code, Code::InvalidArgument, "bit {bit}: {refusal:?}");
            refused.fetch_add(1, Ordering::Relaxed);
        });
    }
    flying.join_all().await;
    refused.load(Ordering::Relaxed)
}

/// Encrypts and decrypts until told to end; everything must go well.
async fn work(api: Api, key_id: String, kept: Vec<u8>, ended: Arc<AtomicBool>) -> usize {
    let mut done = 0;
    while !ended.load(Ordering::Relaxed) {
        let sealed = api.ok(encrypt(&key_id, b"meanwhile", b"")).await.ciphertext;
        assert_eq!(api.ok(decrypt(&key_id, &sealed, b"")).await.plaintext, b"meanwhile");
        assert_eq!(api.ok(decrypt(&key_id, &kept, b"")).await.plaintext, b"kept");
        done += 1;
    }
    done
}

/// What must not move: whatever makes others unwrap again, or takes the token down.
async fn token_counters(rest: &Rest) -> BTreeMap<String, String> {
    let names = [
        "claviger_token_recoveries_total",
        "claviger_token_cache_misses_total",
        "claviger_token_cache_evictions_total",
        "claviger_token_unwraps_total",
        "claviger_token_hung_calls_total",
    ];
    let text = rest.get("/metrics").await.text;
    let value = |name: &str| {
        let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).to_owned()
    };
    names.into_iter().map(|name| (name.to_owned(), value(name))).collect()
}
