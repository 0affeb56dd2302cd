//! Data key pairs: what is made can be used, and the private half is in the ciphertext.

use super::Scene;
use crate::support::aws::{error, good, refused, refused_as};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair, ParsedPublicKey, RsaKeyPair};
use aws_sdk_kms::types::DataKeyPairSpec;
use serde_json::json;
use std::collections::HashMap;

const MESSAGE: &[u8] = b"signed by a data key pair";
const SPECS: [&str; 6] = ["RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"];

#[tokio::test]
async fn data_key_pairs_are_made_and_can_be_used() {
    let scene = Scene::start().await;
    let id = scene.admin.new_key_id().await;
    for spec in SPECS {
        a_pair_is_made(&scene, &id, spec).await;
    }
    for spec in ["RSA_2048", "ECC_NIST_P384"] {
        a_pair_is_made_without_plaintext(&scene, &id, spec).await;
    }
    what_is_not_served_is_refused(&scene, &id).await;
}

/// Signs with a private key of PKCS #8, verifies with a public key of X.509, and compares the two.
fn assert_pair(spec: &str, private: &[u8], public: &[u8]) {
    let random = SystemRandom::new();
    let (own_public, signature, verification) = if spec.starts_with("RSA") {
        let pair = RsaKeyPair::from_pkcs8(private).unwrap();
        let bits: usize = spec[4..].parse().unwrap();
        assert_eq!(pair.public_modulus_len() * 8, bits);
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&signature::RSA_PKCS1_SHA256, &random, MESSAGE, &mut signature).unwrap();
        let own = AsDer::<PublicKeyX509Der>::as_der(pair.public_key()).unwrap();
        let verification: &'static dyn signature::VerificationAlgorithm = &signature::RSA_PKCS1_2048_8192_SHA256;
        (own.as_ref().to_vec(), signature, verification)
    } else {
        let (signing, verification): (_, &'static dyn signature::VerificationAlgorithm) = match spec {
            "ECC_NIST_P256" => (&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &signature::ECDSA_P256_SHA256_ASN1),
            "ECC_NIST_P384" => (&signature::ECDSA_P384_SHA384_ASN1_SIGNING, &signature::ECDSA_P384_SHA384_ASN1),
            _ => (&signature::ECDSA_P521_SHA512_ASN1_SIGNING, &signature::ECDSA_P521_SHA512_ASN1),
        };
        let pair = EcdsaKeyPair::from_pkcs8(signing, private).unwrap();
        let own = AsDer::<PublicKeyX509Der>::as_der(pair.public_key()).unwrap();
        (own.as_ref().to_vec(), pair.sign(&random, MESSAGE).unwrap().as_ref().to_vec(), verification)
    };
    assert_eq!(own_public, public, "the public key in its documented form, DER of X.509");
    let parsed = ParsedPublicKey::new(verification, public).unwrap();
    parsed.verify_sig(MESSAGE, &signature).unwrap();
    parsed.verify_sig(b"another", &signature).unwrap_err();
}

async fn a_pair_is_made(scene: &Scene, id: &str, spec: &str) {
    let context = HashMap::from([("purpose".to_owned(), spec.to_owned())]);
    let request = scene.admin.kms.generate_data_key_pair().key_id(id).key_pair_spec(spec.into());
    let made = good(request.set_encryption_context(Some(context.clone())).send().await);
    assert_eq!(made.key_id(), Some(scene.arn(id).as_str()));
    assert_eq!(made.key_pair_spec(), Some(&DataKeyPairSpec::from(spec)));
    assert_eq!(made.key_material_id(), Some(scene.admin.material(id).await.as_str()));
    assert!(made.ciphertext_for_recipient().is_none());
    let private = made.private_key_plaintext().unwrap().as_ref();
    assert_pair(spec, private, made.public_key().unwrap().as_ref());
    let sealed = made.private_key_ciphertext_blob().unwrap();
    let request = scene.admin.kms.decrypt().ciphertext_blob(sealed.clone());
    let opened = good(request.set_encryption_context(Some(context)).send().await);
    assert!(opened.plaintext().unwrap().as_ref() == private, "the ciphertext holds another private key");
    let without = scene.admin.kms.decrypt().ciphertext_blob(sealed.clone()).send().await;
    refused(without, "InvalidCiphertextException", "");
}

async fn a_pair_is_made_without_plaintext(scene: &Scene, id: &str, spec: &str) {
    let request = scene.admin.kms.generate_data_key_pair_without_plaintext().key_id(id).key_pair_spec(spec.into());
    let made = good(request.send().await);
    assert_eq!(made.key_id(), Some(scene.arn(id).as_str()));
    assert_eq!(made.key_pair_spec(), Some(&DataKeyPairSpec::from(spec)));
    assert_eq!(made.key_material_id(), Some(scene.admin.material(id).await.as_str()));
    let private = scene.admin.decrypt(made.private_key_ciphertext_blob().unwrap()).await;
    assert_pair(spec, &private, made.public_key().unwrap().as_ref());
    let body = json!({"KeyId": id, "KeyPairSpec": spec});
    let made = scene.admin.raw.call("GenerateDataKeyPairWithoutPlaintext", &body).await.ok();
    let members: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["KeyId", "KeyMaterialId", "KeyPairSpec", "PrivateKeyCiphertextBlob", "PublicKey"]);
}

async fn what_is_not_served_is_refused(scene: &Scene, id: &str) {
    let unserved = ["SM2", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"];
    for operation in ["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"] {
        for spec in unserved {
            let answer = scene.admin.raw.call(operation, &json!({"KeyId": id, "KeyPairSpec": spec})).await;
            assert_eq!(error(&answer).0, "UnsupportedOperationException", "{spec}");
        }
        for body in [json!({"KeyId": id}), json!({"KeyId": id, "KeyPairSpec": "RSA_1024"})] {
            assert_eq!(error(&scene.admin.raw.call(operation, &body).await).0, "ValidationException", "{body}");
        }
    }
    let document = aws_sdk_kms::types::RecipientInfo::builder().build();
    let request = scene.admin.kms.generate_data_key_pair().key_id(id).key_pair_spec(DataKeyPairSpec::EccNistP256);
    refused_as(request.recipient(document).send().await, "UnsupportedOperationException");
}
