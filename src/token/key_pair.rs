//! Asymmetric key pairs that leave the service at once.
//!
//! In: the kind. Out: both halves, DER. Made by aws-lc-rs in this process: RSA takes up to seconds of a processor, so
//! that pairs are made on threads that may block, few at once. How many callers wait is the service's to bound.

use crate::domain::key_pair::KeyPairSpec;
use crate::service::ports::{KeyPair, TokenError};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _,
};
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

/// Makes key pairs.
pub struct KeyPairs {
    /// Pairs that are made at once: half of the processors stay for everything else.
    turns: Arc<Semaphore>,
}

impl KeyPairs {
    /// Nothing is being made.
    pub fn new() -> Self {
        let processors = available_parallelism().map_or(1, std::num::NonZero::get);
        Self { turns: Arc::new(Semaphore::new(processors.div_ceil(2))) }
    }

    /// Makes a pair, in the order in which callers came.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if the library refuses.
    pub async fn make(&self, spec: KeyPairSpec) -> Result<KeyPair, TokenError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| failed())?;
        let made = spawn_blocking(move || {
            let made = generate(spec);
            // The turn ends with the work. A caller that goes away ends neither.
            drop(turn);
            made
        });
        made.await.map_err(|_| failed())?.map_err(|_| failed())
    }
}

fn failed() -> TokenError {
    TokenError::Unavailable("a key pair could not be made".to_owned())
}

fn generate(spec: KeyPairSpec) -> Result<KeyPair, Unspecified> {
    match spec {
        KeyPairSpec::Rsa2048 => rsa(KeySize::Rsa2048),
        KeyPairSpec::Rsa3072 => rsa(KeySize::Rsa3072),
        KeyPairSpec::Rsa4096 => rsa(KeySize::Rsa4096),
        KeyPairSpec::EccNistP256 => ecc(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyPairSpec::EccNistP384 => ecc(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyPairSpec::EccNistP521 => ecc(&ECDSA_P521_SHA512_ASN1_SIGNING),
    }
}

/// With the public exponent 65537.
fn rsa(size: KeySize) -> Result<KeyPair, Unspecified> {
    let pair = rsa::KeyPair::generate(size)?;
    let private: Pkcs8V1Der<'_> = pair.as_der()?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    Ok(both_halves(private.as_ref(), public.as_ref()))
}

/// The curve decides alone; the digest of the algorithm is not part of the keys.
fn ecc(curve: &'static EcdsaSigningAlgorithm) -> Result<KeyPair, Unspecified> {
    let pair = EcdsaKeyPair::generate(curve)?;
    let private = pair.to_pkcs8v1()?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    Ok(both_halves(private.as_ref(), public.as_ref()))
}

/// Copies of what the library overwrites when it drops it; the private half is overwritten here too.
fn both_halves(private: &[u8], public: &[u8]) -> KeyPair {
    KeyPair { private_pkcs8: Zeroizing::new(private.to_vec()), public_spki: public.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    #[tokio::test]
    async fn two_pairs_differ_and_no_private_half_is_printed() {
        let pairs = KeyPairs::new();
        let one = pairs.make(KeyPairSpec::EccNistP256).await.unwrap();
        let two = pairs.make(KeyPairSpec::EccNistP256).await.unwrap();
        assert_ne!(one.private_pkcs8, two.private_pkcs8);
        assert_ne!(one.public_spki, two.public_spki);
        assert_eq!(format!("{one:?}"), "KeyPair(91 bytes of public key)");
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_gives_its_turn_back_with_the_end_of_the_work_only() {
        let pairs = KeyPairs { turns: Arc::new(Semaphore::new(1)) };
        {
            let mut gone = pin!(pairs.make(KeyPairSpec::Rsa3072));
            let polled = poll_fn(|cx| Poll::Ready(gone.as_mut().poll(cx).is_ready())).await;
            assert!(!polled, "RSA takes longer than a poll");
        }
        assert_eq!(pairs.turns.available_permits(), 0, "its work goes on");
        pairs.make(KeyPairSpec::EccNistP256).await.unwrap();
        let _ended = pairs.turns.acquire().await.unwrap();
    }
}
