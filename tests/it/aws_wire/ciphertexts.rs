//! Encrypt, Decrypt and ReEncrypt.

use super::{NOBODY, Scene, assert_material_id};
use crate::support::Home;
use crate::support::aws::{good, refused, refused_as};
use aws_sdk_kms::operation::encrypt::EncryptOutput;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::EncryptionAlgorithmSpec;

const NO_SUCH_CIPHERTEXT_KEY: &str = "The ciphertext refers to a customer master key that does not exist, does not exist \
                                      in this region, or you are not allowed to access.";
const WRONG_KEY: &str = "The key ID in the request does not identify a CMK that can perform this operation.";
const SYMMETRIC: Option<&EncryptionAlgorithmSpec> = Some(&EncryptionAlgorithmSpec::SymmetricDefault);

#[tokio::test]
async fn what_was_encrypted_is_decrypted_and_nothing_else() {
    let scene = Scene::start_in(Home::new().with("CLAVIGER_LOG__FILTER", "debug")).await;
    tokio::join!(
        every_member_is_there(&scene),
        one_to_4096_bytes_are_encrypted(&scene),
        a_changed_ciphertext_is_refused(&scene),
        another_key_is_the_wrong_one(&scene),
        a_key_that_is_gone_is_not_told_apart(&scene),
        ciphertexts_outlive_rotations(&scene),
        ciphertexts_move_to_other_keys(&scene),
        other_algorithms_are_not_the_keys(&scene),
        grant_tokens_and_recipients_are_refused(&scene),
    );
    no_plaintext_is_logged(&scene);
}

async fn encrypt(scene: &Scene, id: &str, plaintext: &[u8]) -> EncryptOutput {
    good(scene.admin.kms.encrypt().key_id(id).plaintext(Blob::new(plaintext)).send().await)
}

async fn every_member_is_there(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    let encrypted = encrypt(scene, &id, b"MARKER-OF-PLAINTEXT").await;
    assert_eq!((encrypted.key_id(), encrypted.encryption_algorithm()), (Some(scene.arn(&id).as_str()), SYMMETRIC));
    let sealed = encrypted.ciphertext_blob.unwrap();
    let again = encrypt(scene, &id, b"MARKER-OF-PLAINTEXT").await.ciphertext_blob.unwrap();
    assert_ne!(sealed, again, "two encryptions of the same text differ");
    for key_id in [None, Some(id.clone()), Some(scene.arn(&id))] {
        let request = scene.admin.kms.decrypt().set_key_id(key_id).ciphertext_blob(sealed.clone());
        let opened = good(request.send().await);
        assert_eq!((opened.key_id(), opened.encryption_algorithm()), (Some(scene.arn(&id).as_str()), SYMMETRIC));
        assert_eq!(opened.plaintext().unwrap().as_ref(), b"MARKER-OF-PLAINTEXT");
        assert_eq!(opened.key_material_id(), Some(scene.admin.material(&id).await.as_str()));
        assert!(opened.ciphertext_for_recipient().is_none());
    }
}

async fn one_to_4096_bytes_are_encrypted(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    for size in [1, 2, 4095, 4096] {
        let plaintext = vec![0xa5; size];
        let sealed = scene.admin.encrypt(&id, &plaintext).await;
        assert!(sealed.as_ref().len() <= 6144, "{}", sealed.as_ref().len());
        assert_eq!(scene.admin.decrypt(&sealed).await, plaintext);
    }
    for (size, rule) in [(0, "greater than or equal to 1"), (4097, "less than or equal to 4096")] {
        let outcome = scene.admin.kms.encrypt().key_id(&id).plaintext(Blob::new(vec![0; size])).send().await;
        let text =
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length";
        refused(outcome, "ValidationException", &format!("{text} {rule}"));
    }
}

async fn a_changed_ciphertext_is_refused(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    let sealed = scene.admin.encrypt(&id, b"whole").await.into_inner();
    // Every byte matters. Where the changed byte names the key, another key (or none) is meant.
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        let with_key = scene.admin.kms.decrypt().key_id(&id).ciphertext_blob(Blob::new(changed.clone())).send().await;
        let (code, text) = crate::support::aws::refusal(with_key);
        let known = ["InvalidCiphertextException", "IncorrectKeyException"].contains(&code.as_str());
        assert!(known, "byte {at}: {code} {text}");
        let without = scene.admin.kms.decrypt().ciphertext_blob(Blob::new(changed)).send().await;
        match crate::support::aws::refusal(without) {
            (code, text) if code == "InvalidCiphertextException" => assert_eq!(text, "", "byte {at}"),
            (code, text) => {
                assert_eq!((code.as_str(), text.as_str()), ("AccessDeniedException", NO_SUCH_CIPHERTEXT_KEY));
            }
        }
    }
    let mut longer = sealed.clone();
    longer.push(0);
    let halves = [sealed[..sealed.len() - 1].to_vec(), sealed[..20].to_vec(), sealed[..1].to_vec(), longer];
    for bytes in halves.into_iter().chain([b"no envelope".to_vec(), vec![0; 6144]]) {
        for key_id in [None, Some(id.clone())] {
            let request = scene.admin.kms.decrypt().set_key_id(key_id).ciphertext_blob(Blob::new(bytes.clone()));
            refused(request.send().await, "InvalidCiphertextException", "");
            let request =
                scene.admin.kms.re_encrypt().destination_key_id(&id).ciphertext_blob(Blob::new(bytes.clone()));
            refused(request.send().await, "InvalidCiphertextException", "");
        }
    }
}

async fn another_key_is_the_wrong_one(scene: &Scene) {
    let [one, other] = [scene.admin.new_key_id().await, scene.admin.new_key_id().await];
    let sealed = scene.admin.encrypt(&one, b"mine").await;
    let kms = &scene.admin.kms;
    for name in [other.clone(), scene.arn(&other)] {
        refused(
            kms.decrypt().key_id(&name).ciphertext_blob(sealed.clone()).send().await,
            "IncorrectKeyException",
            WRONG_KEY,
        );
        let request = kms.re_encrypt().source_key_id(&name).destination_key_id(&one).ciphertext_blob(sealed.clone());
        refused(request.send().await, "IncorrectKeyException", WRONG_KEY);
    }
    let unknown = kms.decrypt().key_id(NOBODY).ciphertext_blob(sealed).send().await;
    refused(unknown, "NotFoundException", &format!("Key '{}' does not exist", scene.arn(NOBODY)));
}

async fn a_key_that_is_gone_is_not_told_apart(scene: &Scene) {
    // The envelope of a key that never was: the key's id is somewhere in it, so put another there.
    let id = scene.admin.new_key_id().await;
    let sealed = scene.admin.encrypt(&id, b"x").await.into_inner();
    let bytes = *id.parse::<uuid::Uuid>().unwrap().as_bytes();
    // The envelope names its key.
    let at = sealed.windows(16).position(|window| window == bytes).unwrap();
    let mut unknown = sealed.clone();
    unknown[at..at + 16].copy_from_slice(NOBODY.parse::<uuid::Uuid>().unwrap().as_bytes());
    let outcome = scene.admin.kms.decrypt().ciphertext_blob(Blob::new(unknown.clone())).send().await;
    refused(outcome, "AccessDeniedException", NO_SUCH_CIPHERTEXT_KEY);
    let request = scene.admin.kms.re_encrypt().destination_key_id(&id).ciphertext_blob(Blob::new(unknown));
    refused(request.send().await, "AccessDeniedException", NO_SUCH_CIPHERTEXT_KEY);
}

async fn ciphertexts_outlive_rotations(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    let mut sealed = vec![(scene.admin.material(&id).await, scene.admin.encrypt(&id, &[0]).await)];
    for round in 1..3 {
        let material = scene.admin.rotate(&id).await;
        assert_material_id(&material);
        assert!(sealed.iter().all(|(old, _)| *old != material), "a rotation makes new material");
        sealed.push((material, scene.admin.encrypt(&id, &[round]).await));
    }
    for (round, (material, ciphertext)) in (0..).zip(&sealed) {
        let opened = good(scene.admin.kms.decrypt().ciphertext_blob(ciphertext.clone()).send().await);
        assert_eq!(
            (opened.plaintext().unwrap().as_ref(), opened.key_material_id()),
            (&[round][..], Some(material.as_str()))
        );
    }
}

async fn ciphertexts_move_to_other_keys(scene: &Scene) {
    let [one, other] = [scene.admin.new_key_id().await, scene.admin.new_key_id().await];
    let first = scene.admin.material(&one).await;
    let sealed = scene.admin.encrypt(&one, b"moving").await;
    let newer = scene.admin.rotate(&one).await;
    for (target, material) in [(&other, scene.admin.material(&other).await), (&one, newer)] {
        for source in [None, Some(scene.arn(&one))] {
            let request = scene.admin.kms.re_encrypt().set_source_key_id(source).destination_key_id(target);
            let moved = good(request.ciphertext_blob(sealed.clone()).send().await);
            assert_eq!(moved.source_key_id(), Some(scene.arn(&one).as_str()));
            assert_eq!(moved.key_id(), Some(scene.arn(target).as_str()));
            assert_eq!(moved.source_encryption_algorithm(), SYMMETRIC);
            assert_eq!(moved.destination_encryption_algorithm(), SYMMETRIC);
            assert_eq!(moved.source_key_material_id(), Some(first.as_str()));
            assert_eq!(moved.destination_key_material_id(), Some(material.as_str()));
            let opened = scene.admin.kms.decrypt().key_id(target).ciphertext_blob(moved.ciphertext_blob.unwrap());
            assert_eq!(good(opened.send().await).plaintext().unwrap().as_ref(), b"moving");
        }
    }
}

async fn other_algorithms_are_not_the_keys(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    let sealed = scene.admin.encrypt(&id, b"x").await;
    for algorithm in ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"] {
        let algorithm = EncryptionAlgorithmSpec::from(algorithm);
        let encrypt = kms.encrypt().key_id(&id).plaintext(Blob::new("x")).encryption_algorithm(algorithm.clone());
        refused_as(encrypt.send().await, "InvalidKeyUsageException");
        let decrypt = kms.decrypt().key_id(&id).ciphertext_blob(sealed.clone()).encryption_algorithm(algorithm.clone());
        refused_as(decrypt.send().await, "InvalidKeyUsageException");
        let move_it = || kms.re_encrypt().destination_key_id(&id).ciphertext_blob(sealed.clone());
        let from = move_it().source_encryption_algorithm(algorithm.clone());
        refused_as(from.send().await, "InvalidKeyUsageException");
        let to = move_it().destination_encryption_algorithm(algorithm);
        refused_as(to.send().await, "InvalidKeyUsageException");
    }
    let symmetric = EncryptionAlgorithmSpec::SymmetricDefault;
    good(kms.encrypt().key_id(&id).plaintext(Blob::new("x")).encryption_algorithm(symmetric.clone()).send().await);
    good(kms.decrypt().ciphertext_blob(sealed).encryption_algorithm(symmetric).send().await);
}

async fn grant_tokens_and_recipients_are_refused(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    let sealed = scene.admin.encrypt(&id, b"x").await;
    good(kms.encrypt().key_id(&id).plaintext(Blob::new("x")).set_grant_tokens(Some(Vec::new())).send().await);
    let encrypt = kms.encrypt().key_id(&id).plaintext(Blob::new("x")).grant_tokens("token");
    refused_as(encrypt.send().await, "InvalidGrantTokenException");
    let decrypt = kms.decrypt().ciphertext_blob(sealed.clone()).grant_tokens("token");
    refused_as(decrypt.send().await, "InvalidGrantTokenException");
    let describe = kms.describe_key().key_id(&id).grant_tokens("token");
    refused_as(describe.send().await, "InvalidGrantTokenException");
    let recipient = || {
        let document = aws_sdk_kms::types::RecipientInfo::builder().attestation_document(Blob::new("document"));
        document.key_encryption_algorithm(aws_sdk_kms::types::KeyEncryptionMechanism::RsaesOaepSha256).build()
    };
    refused_as(
        kms.decrypt().ciphertext_blob(sealed).recipient(recipient()).send().await,
        "UnsupportedOperationException",
    );
    let data_key = kms.generate_data_key().key_id(&id).key_spec("AES_256".into()).recipient(recipient());
    refused_as(data_key.send().await, "UnsupportedOperationException");
    let random = kms.generate_random().number_of_bytes(1).recipient(recipient());
    refused_as(random.send().await, "UnsupportedOperationException");
}

fn no_plaintext_is_logged(scene: &Scene) {
    let log = scene.home.log();
    assert!(!log.contains("MARKER-OF-PLAINTEXT") && !log.contains(&scene.admin.key.secret), "a secret was logged");
}
