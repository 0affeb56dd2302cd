//! Ciphertexts that are not what they were, or not with what they were made for.

use super::super::{decrypt, encrypt, new_key, rotate};
use super::Suite;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use kms::SymmetricAlgorithm::{Aes128, Aes256, Aes256Hsm};
use tonic::Code;

const INVALID: Code = Code::InvalidArgument;
/// Format, suite, key id, material id, IV length.
const HEADER_BYTES: usize = 35;

#[tokio::test]
async fn a_changed_or_foreign_ciphertext_is_an_invalid_argument() {
    let suite = Suite::start().await;
    for algorithm in [Aes256Hsm, Aes256] {
        let key_id = new_key(suite.grpc(), suite.folder(), algorithm).await.id;
        let sealed = suite.grpc().ok(encrypt(&key_id, b"twenty-four bytes of it!", b"aad")).await.ciphertext;
        every_changed_bit_is_noticed(&suite, &key_id, &sealed).await;
        every_truncation_is_noticed(&suite, &key_id, &sealed).await;
        only_the_same_additional_data_opens_it(&suite, &key_id, &sealed).await;
        only_its_own_key_and_version_open_it(&suite, &key_id, &sealed).await;
        suite.accepted("the true one", &decrypt(&key_id, &sealed, b"aad")).await;
    }
    what_is_no_ciphertext_at_all_is_invalid(&suite).await;
}

async fn every_changed_bit_is_noticed(suite: &Suite, key_id: &str, sealed: &[u8]) {
    for byte in 0..sealed.len() {
        for bit in 0..8 {
            let mut bad = sealed.to_vec();
            bad[byte] ^= 1 << bit;
            // Every bit over gRPC, every byte over both.
            let request = decrypt(key_id, &bad, b"aad");
            let refusal = suite.grpc().refused(&format!("byte {byte} bit {bit}"), request.clone()).await;
            assert_eq!(refusal.code, INVALID, "byte {byte} bit {bit}: {refusal:?}");
            if bit == byte % 8 {
                suite.refused(&format!("byte {byte} bit {bit}"), INVALID, &request).await;
            }
        }
    }
    for value in 0..=255 {
        for byte in [0, 1, HEADER_BYTES - 1] {
            let mut bad = sealed.to_vec();
            if std::mem::replace(&mut bad[byte], value) != value {
                let refusal = suite.grpc().refused("header byte", decrypt(key_id, &bad, b"aad")).await;
                assert_eq!(refusal.code, INVALID, "byte {byte} as {value}: {refusal:?}");
            }
        }
    }
}

async fn every_truncation_is_noticed(suite: &Suite, key_id: &str, sealed: &[u8]) {
    for length in 0..sealed.len() {
        let refusal = suite.grpc().refused("truncated", decrypt(key_id, &sealed[..length], b"aad")).await;
        assert_eq!(refusal.code, INVALID, "{length} bytes of {}: {refusal:?}", sealed.len());
    }
    let longer = [sealed, b"x"].concat();
    suite.refused("a byte more", INVALID, &decrypt(key_id, &longer, b"aad")).await;
    suite.refused("twice", INVALID, &decrypt(key_id, &sealed.repeat(2), b"aad")).await;
    suite.refused("without its first byte", INVALID, &decrypt(key_id, &sealed[1..], b"aad")).await;
}

async fn only_the_same_additional_data_opens_it(suite: &Suite, key_id: &str, sealed: &[u8]) {
    for aad in [b"".as_slice(), b"aad ", b"AAD", b"aa", b"\0", &[0; 8192]] {
        suite.refused("other additional data", INVALID, &decrypt(key_id, sealed, aad)).await;
        suite.refused("other additional data", INVALID, &re_encrypt(key_id, key_id, sealed, aad)).await;
    }
    let without = suite.grpc().ok(encrypt(key_id, b"x", b"")).await.ciphertext;
    suite.refused("additional data where there was none", INVALID, &decrypt(key_id, &without, b"aad")).await;
}

fn re_encrypt(key_id: &str, source: &str, sealed: &[u8], aad: &[u8]) -> kms::SymmetricReEncryptRequest {
    kms::SymmetricReEncryptRequest {
        key_id: key_id.to_owned(),
        source_key_id: source.to_owned(),
        source_aad_context: aad.to_vec(),
        ciphertext: sealed.to_vec(),
        ..Default::default()
    }
}

async fn only_its_own_key_and_version_open_it(suite: &Suite, key_id: &str, sealed: &[u8]) {
    let grpc = suite.grpc();
    for algorithm in [Aes256Hsm, Aes256, Aes128] {
        let other = new_key(grpc, suite.folder(), algorithm).await.id;
        suite.refused("another key", INVALID, &decrypt(&other, sealed, b"aad")).await;
        suite.refused("another key", INVALID, &re_encrypt(key_id, &other, sealed, b"aad")).await;
        let foreign = grpc.ok(encrypt(&other, b"twenty-four bytes of it!", b"aad")).await.ciphertext;
        for (from, to) in [(0, 2), (2, 18), (18, 34), (2, 34), (0, 34)] {
            let mut mixed = sealed.to_vec();
            mixed[from..to].copy_from_slice(&foreign[from..to]);
            if mixed != sealed {
                suite
                    .refused(&format!("foreign header bytes {from}..{to}"), INVALID, &decrypt(key_id, &mixed, b"aad"))
                    .await;
            }
        }
    }
    rotate(grpc, key_id).await;
    let newer = grpc.ok(encrypt(key_id, b"twenty-four bytes of it!", b"aad")).await.ciphertext;
    let mut mixed = sealed.to_vec();
    mixed[18..34].copy_from_slice(&newer[18..34]);
    suite.refused("the id of the key's other version", INVALID, &decrypt(key_id, &mixed, b"aad")).await;
}

async fn what_is_no_ciphertext_at_all_is_invalid(suite: &Suite) {
    let key_id = new_key(suite.grpc(), suite.folder(), Aes256Hsm).await.id;
    for garbage in [b"x".to_vec(), vec![0; 64], vec![0xff; 64], vec![1; 100_000], b"ncpkms:v1:AAAA".to_vec()] {
        suite.refused("garbage", INVALID, &decrypt(&key_id, &garbage, b"")).await;
        suite.refused("garbage", INVALID, &re_encrypt(&key_id, &key_id, &garbage, b"")).await;
    }
    let large = vec![1; 3 * 1024 * 1024];
    for api in &suite.apis {
        let refusal = api.refused("3 MiB of ciphertext", decrypt(&key_id, &large, b"")).await;
        assert_eq!(refusal.code, INVALID, "{}: {refusal:?}", api.name);
    }
}
