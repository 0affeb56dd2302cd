//! Data key pairs and dry runs.

use super::aws_rules::{aws, make, switch};
use super::identity::Office;
use super::identity::counting_token::CountingToken;
use super::{Service, in_own_process};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, ParsedPublicKey,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, VerificationAlgorithm,
};
use claviger::domain::Dialect;
use claviger::domain::access::Role;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::context::EncryptionContext;
use claviger::domain::error::StateError;
use claviger::domain::id::KeyId;
use claviger::domain::key::Switch;
use claviger::domain::key_pair::KeyPairSpec;
use claviger::service::error::ServiceError;
use claviger::service::ports::BindingScope;
use claviger::service::request::{
    DataKeyPair, Decrypt, DryDecrypt, DryRun, Encrypt, GenerateDataKeyPair, OnDemandRules, ReEncrypt, RequestContext,
};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use zeroize::Zeroizing;

const MESSAGE: &[u8] = b"attack at dawn";

fn context() -> EncryptionContext {
    EncryptionContext::from_bytes(b"context".to_vec())
}

async fn pair(
    service: &Service,
    ctx: &RequestContext,
    key_id: KeyId,
    spec: KeyPairSpec,
) -> Result<DataKeyPair, ServiceError> {
    service.kms.generate_data_key_pair(ctx, GenerateDataKeyPair { key_id, context: context(), spec }).await
}

/// Signs with the private half, PKCS #8, and verifies with the public one, SubjectPublicKeyInfo.
fn fit(spec: KeyPairSpec, private: &[u8], public: &[u8]) -> bool {
    let rng = SystemRandom::new();
    let rsa = |bits: usize| {
        let pair = RsaKeyPair::from_pkcs8(private).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        assert_eq!(signature.len() * 8, bits);
        pair.sign(&RSA_PSS_SHA256, &rng, MESSAGE, &mut signature).unwrap();
        verify(&RSA_PSS_2048_8192_SHA256, public, &signature)
    };
    let ecc = |sign: &'static EcdsaSigningAlgorithm, algorithm: &'static dyn VerificationAlgorithm| {
        let signature = EcdsaKeyPair::from_pkcs8(sign, private).unwrap().sign(&rng, MESSAGE).unwrap();
        verify(algorithm, public, signature.as_ref())
    };
    match spec {
        KeyPairSpec::Rsa2048 => rsa(2048),
        KeyPairSpec::Rsa3072 => rsa(3072),
        KeyPairSpec::Rsa4096 => rsa(4096),
        KeyPairSpec::EccNistP256 => ecc(&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_ASN1),
        KeyPairSpec::EccNistP384 => ecc(&ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1),
        KeyPairSpec::EccNistP521 => ecc(&ECDSA_P521_SHA512_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1),
    }
}

fn verify(algorithm: &'static dyn VerificationAlgorithm, public: &[u8], signature: &[u8]) -> bool {
    ParsedPublicKey::new(algorithm, public).unwrap().verify_sig(MESSAGE, signature).is_ok()
}

#[test]
fn the_halves_of_every_data_key_pair_fit_and_the_private_one_comes_back_by_decryption() {
    let name = "the_halves_of_every_data_key_pair_fit_and_the_private_one_comes_back_by_decryption";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        let specs = [
            KeyPairSpec::Rsa2048,
            KeyPairSpec::Rsa3072,
            KeyPairSpec::Rsa4096,
            KeyPairSpec::EccNistP256,
            KeyPairSpec::EccNistP384,
            KeyPairSpec::EccNistP521,
        ];
        for spec in specs {
            let DataKeyPair { pair, encrypted } = pair(&service, &ctx, key, spec).await.unwrap();
            let private = service.decrypt(key, &encrypted.ciphertext).await.unwrap();
            assert_eq!(private, *pair.private_pkcs8, "{spec:?}");
            assert!(fit(spec, &private, &pair.public_spki), "{spec:?}");
            // RFC 5208, 5: a SEQUENCE that begins with INTEGER 0, the version.
            let version = private.windows(3).position(|bytes| bytes == [2, 1, 0]);
            assert!(version.is_some_and(|at| at <= 4), "{spec:?}: {version:?}");
            assert_eq!(encrypted.version_id, service.primary(key).await);
        }
        let one = pair(&service, &ctx, key, KeyPairSpec::EccNistP256).await.unwrap().pair;
        let two = pair(&service, &ctx, key, KeyPairSpec::EccNistP256).await.unwrap().pair;
        assert!(!fit(KeyPairSpec::EccNistP256, &one.private_pkcs8, &two.public_spki), "the check can fail");
    });
}

#[test]
fn a_key_that_may_not_encrypt_costs_no_data_key_pair() {
    in_own_process(module_path!(), "a_key_that_may_not_encrypt_costs_no_data_key_pair", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let key = make(&service, &ctx).await;
        let token = Arc::new(CountingToken::new(&service.core.token));
        let kms = service.another(|parts| parts.token = Arc::clone(&token) as Arc<_>);
        let ask = async |key_id| {
            let request = GenerateDataKeyPair { key_id, context: context(), spec: KeyPairSpec::EccNistP256 };
            kms.generate_data_key_pair(&ctx, request).await.map(drop)
        };
        ask(key).await.unwrap();
        assert_eq!(token.key_pairs(), 1);
        kms.update_key(&ctx, key, switch(Switch::Inactive)).await.unwrap();
        let refused = ask(key).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::KeyInactive)), "{refused:?}");
        kms.delete_key(&ctx, key, None).await.unwrap();
        let refused = ask(key).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::KeyPendingDeletion)), "{refused:?}");
        let refused = ask(KeyId::from_bytes([9; 16])).await.unwrap_err();
        assert!(matches!(refused, ServiceError::NotFound { .. }), "{refused:?}");
        assert_eq!(token.key_pairs(), 1);
    });
}

#[test]
fn a_key_that_is_disabled_while_a_pair_is_made_encrypts_it_no_more() {
    in_own_process(module_path!(), "a_key_that_is_disabled_while_a_pair_is_made_encrypts_it_no_more", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let key = make(&service, &ctx).await;
        service.encrypt(key, None).await.unwrap();
        let mut asked = Box::pin(pair(&service, &ctx, key, KeyPairSpec::Rsa2048));
        let polled = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready())).await;
        assert!(!polled, "it was allowed, and waits for the pair");
        service.kms.update_key(&ctx, key, switch(Switch::Inactive)).await.unwrap();
        let refused = asked.await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::KeyInactive)), "{refused:?}");
    });
}

#[test]
fn who_lost_its_credential_or_was_deleted_while_a_pair_is_made_does_not_get_it() {
    let name = "who_lost_its_credential_or_was_deleted_while_a_pair_is_made_does_not_get_it";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let (service, kms, root) = (&office.service, office.kms(), office.root());
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        for deleted in [false, true] {
            let scope = BindingScope::Key(key);
            let user = office.with_role(office.home(), scope, Role::KeysEncrypter).await;
            let ctx = RequestContext { dialect: Dialect::Aws, region: Some("us-east-1".into()), ..user };
            pair(service, &ctx, key, KeyPairSpec::EccNistP256).await.unwrap();
            let mut asked = Box::pin(pair(service, &ctx, key, KeyPairSpec::Rsa2048));
            let polled = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready())).await;
            assert!(!polled, "it was allowed, and waits for the pair");
            match deleted {
                true => kms.delete_principal(root, ctx.caller.principal_id).await.map(drop).unwrap(),
                false => kms.revoke_credential(root, ctx.caller.credential_id).await.map(drop).unwrap(),
            }
            let refused = asked.await.unwrap_err();
            assert!(matches!(refused, ServiceError::Unauthenticated), "deleted: {deleted}: {refused:?}");
        }
    });
}

#[test]
fn one_principal_waits_for_a_few_pairs_at_once_and_leaves_room_for_others() {
    let name = "one_principal_waits_for_a_few_pairs_at_once_and_leaves_room_for_others";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let service = &office.service;
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        let token = Arc::new(CountingToken::new(&service.core.token));
        let greedy = aws(service);
        let scope = BindingScope::Key(key);
        let user = office.with_role(office.home(), scope, Role::KeysEncrypter).await;
        let other = RequestContext { dialect: Dialect::Aws, region: Some("us-east-1".into()), ..user };
        let kms = service.another(|parts| parts.token = Arc::clone(&token) as Arc<_>);
        let ask = async |ctx: &RequestContext| {
            let request = GenerateDataKeyPair { key_id: key, context: context(), spec: KeyPairSpec::Rsa2048 };
            kms.generate_data_key_pair(ctx, request).await.map(drop)
        };
        for ctx in [&greedy, &other] {
            // What it is decided by comes into memory.
            ask(ctx).await.unwrap();
        }
        let made = token.key_pairs();
        let many = join_all((0..10).map(|_| ask(&greedy)));
        let (many, one) = tokio::join!(many, ask(&other));
        one.unwrap();
        let throttled = |answer: &&Result<(), ServiceError>| matches!(answer, Err(ServiceError::Throttled { .. }));
        assert_eq!(many.iter().filter(throttled).count(), 8, "{many:?}");
        assert_eq!(many.iter().filter(|answer| answer.is_ok()).count(), 2, "{many:?}");
        assert_eq!(token.key_pairs(), made + 3, "who is refused costs no pair");
        ask(&greedy).await.unwrap();
    });
}

/// A dry run, and what the use itself ends with.
async fn both(
    service: &Service,
    ctx: &RequestContext,
    source: Option<&Decrypt>,
    target: Option<KeyId>,
) -> [Result<(), ServiceError>; 2] {
    let plaintext = Zeroizing::new(MESSAGE.to_vec());
    let real = match (source.cloned(), target) {
        (Some(source), Some(key_id)) => {
            let request = ReEncrypt { source, key_id, version_id: None, context: context() };
            service.kms.re_encrypt(ctx, request).await.map(drop)
        }
        (Some(source), None) => service.kms.decrypt(ctx, source).await.map(drop),
        (None, Some(key_id)) => {
            let request = Encrypt { key_id, version_id: None, context: context(), plaintext };
            service.kms.encrypt(ctx, request).await.map(drop)
        }
        (None, None) => unreachable!("every use has a key"),
    };
    let decrypt = source.cloned().map(DryDecrypt::Ciphertext);
    [service.kms.dry_run(ctx, DryRun { decrypt, encrypt: target, context: None }).await, real]
}

#[test]
fn a_dry_run_ends_as_the_use_itself() {
    in_own_process(module_path!(), "a_dry_run_ends_as_the_use_itself", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let (good, off, going) = (make(&service, &ctx).await, make(&service, &ctx).await, make(&service, &ctx).await);
        let unknown = KeyId::from_bytes([9; 16]);
        let mut sources = Vec::new();
        for key_id in [good, off, going] {
            let ciphertext = service.encrypt(key_id, None).await.unwrap();
            sources.push(Decrypt { key_id, context: context(), ciphertext });
        }
        sources.push(Decrypt { key_id: unknown, ..sources[0].clone() });
        sources.push(Decrypt { context: EncryptionContext::Empty, ..sources[0].clone() });
        sources.push(Decrypt { ciphertext: vec![1; 100], ..sources[0].clone() });
        sources.push(Decrypt { key_id: good, ..sources[1].clone() });
        let old = service.primary(good).await;
        service.kms.rotate_key(&ctx, good, OnDemandRules::default()).await.unwrap();
        sources.push(Decrypt { ciphertext: service.encrypt(good, None).await.unwrap(), ..sources[0].clone() });
        service.kms.schedule_version_destruction(&ctx, good, old, None).await.unwrap();
        service.kms.update_key(&ctx, off, switch(Switch::Inactive)).await.unwrap();
        service.kms.delete_key(&ctx, going, None).await.unwrap();

        let mut seen = BTreeSet::new();
        for source in sources.iter().map(Some).chain([None]) {
            for target in [Some(good), Some(off), Some(going), Some(unknown), None] {
                if source.is_some() || target.is_some() {
                    let [dry, real] = both(&service, &ctx, source, target).await.map(|end| format!("{end:?}"));
                    assert_eq!(dry, real, "{source:?} {target:?}");
                    seen.insert(dry);
                }
            }
        }
        // Allowed, not found, inactive, pending deletion, not authentic, the version is not active.
        assert_eq!(seen.len(), 6, "{seen:?}");
        let nothing = service.kms.dry_run(&ctx, DryRun::default()).await.unwrap_err();
        assert!(matches!(nothing, ServiceError::Invalid(_)), "{nothing:?}");
    });
}

#[test]
fn a_dry_run_that_ignores_the_ciphertext_looks_at_the_key_alone() {
    in_own_process(module_path!(), "a_dry_run_that_ignores_the_ciphertext_looks_at_the_key_alone", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let (key, target) = (make(&service, &ctx).await, make(&service, &ctx).await);
        let run = async |encrypt| {
            service.kms.dry_run(&ctx, DryRun { decrypt: Some(DryDecrypt::Key(key)), encrypt, context: None }).await
        };
        assert!(run(None).await.is_ok() && run(Some(target)).await.is_ok());
        service.kms.update_key(&ctx, key, switch(Switch::Inactive)).await.unwrap();
        for encrypt in [None, Some(target)] {
            let refused = run(encrypt).await.unwrap_err();
            assert!(matches!(refused, ServiceError::State(StateError::KeyInactive)), "{refused:?}");
        }
    });
}

#[test]
fn a_dry_run_counts_no_invocation() {
    in_own_process(module_path!(), "a_dry_run_counts_no_invocation", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let (key, source) = (make(&service, &ctx).await, make(&service, &ctx).await);
        let version = service.primary(key).await;
        let ciphertext = service.encrypt(source, None).await.unwrap();
        let source = DryDecrypt::Ciphertext(Decrypt { key_id: source, context: context(), ciphertext });
        for decrypt in [None, Some(source)] {
            service.kms.dry_run(&ctx, DryRun { decrypt, encrypt: Some(key), context: None }).await.unwrap();
        }
        assert_eq!(service.core.store.lease_invocations(version, 1).await.unwrap().from, 0);
    });
}
