//! Convergent encryption: equal plaintexts under equal AAD become equal ciphertexts (docs/adr/0018).
//!
//! In: the bytes of an `AES_256` version that the token decrypted. Out: AES-256-GCM under a key, and with a nonce, that are
//! made for one plaintext under one AAD. The AAD holds key id, material id, kind and hash of the context.
//!
//! 1. `siv` = HMAC-SHA256(K_siv, length of the AAD, AAD, plaintext): the envelope's IV.
//! 2. key and nonce = HKDF-Expand(K_wrap, `siv`, SHA-256 of the AAD).
//! 3. AES-256-GCM with these. Who decrypts makes step 1 again and compares.
//!
//! K_siv and K_wrap follow from the version's bytes by HKDF (RFC 5869), which are used for nothing else.

use crate::domain::envelope::{IV_BYTES, SYNTHETIC_IV_BYTES, TAG_BYTES};
use crate::service::ports::{SealedData, TokenError};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, digest, hkdf, hmac};
use zeroize::Zeroizing;

/// Separates what is derived from the derivations of other programs.
const LABEL: &[u8] = b"claviger-convergent-1";
const KEY_BYTES: usize = 32;

/// A decrypted key of a convergent version, ready for use.
pub struct ConvergentKey {
    siv: hmac::Key,
    wrap: hkdf::Prk,
}

/// How many bytes are derived.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl ConvergentKey {
    /// The key made of these bytes.
    ///
    /// # Errors
    /// [`TokenError::MaterialDamaged`] if they are not 32.
    pub fn new(bytes: &[u8]) -> Result<Self, TokenError> {
        if bytes.len() != KEY_BYTES {
            return Err(TokenError::MaterialDamaged("the length of the key is wrong".to_owned()));
        }
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, LABEL).extract(bytes);
        let siv: Zeroizing<[u8; KEY_BYTES]> = derive(&root, &[b"siv"])?;
        let wrap: Zeroizing<[u8; KEY_BYTES]> = derive(&root, &[b"wrap"])?;
        Ok(Self {
            siv: hmac::Key::new(hmac::HMAC_SHA256, siv.as_slice()),
            wrap: hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, wrap.as_slice()),
        })
    }

    /// Encrypts. The result ends with the tag; its IV is [`SYNTHETIC_IV_BYTES`] long.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if the library refuses, which it does for sizes far above our limits only.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<SealedData, TokenError> {
        let siv = self.synthetic_iv(aad, plaintext);
        let (key, nonce) = self.message_key(&siv, aad)?;
        // Encryption runs in the vector that is returned: no copy of the plaintext is left anywhere.
        let mut sealed = Vec::with_capacity(plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(plaintext);
        if key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).is_err() {
            drop(Zeroizing::new(sealed));
            return Err(failed());
        }
        Ok(SealedData { iv: siv.to_vec(), ciphertext: sealed })
    }

    /// Decrypts what ends with its tag.
    ///
    /// # Errors
    /// [`TokenError::NotAuthentic`], also for what this key would not have made of the plaintext.
    pub fn open(&self, iv: &[u8], aad: &[u8], sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let siv: [u8; SYNTHETIC_IV_BYTES] = iv.try_into().map_err(|_| TokenError::NotAuthentic)?;
        let (key, nonce) = self.message_key(&siv, aad)?;
        let mut buffer = Zeroizing::new(sealed);
        let opened = key.open_in_place(nonce, Aad::from(aad), &mut buffer);
        let bytes = opened.map_err(|_| TokenError::NotAuthentic)?.len();
        buffer.truncate(bytes);
        let expected = self.synthetic_iv(aad, &buffer);
        constant_time::verify_slices_are_equal(&expected, &siv).map_err(|_| TokenError::NotAuthentic)?;
        Ok(buffer)
    }

    fn synthetic_iv(&self, aad: &[u8], plaintext: &[u8]) -> [u8; SYNTHETIC_IV_BYTES] {
        let mut mac = hmac::Context::with_key(&self.siv);
        mac.update(&(aad.len() as u64).to_be_bytes());
        mac.update(aad);
        mac.update(plaintext);
        let mut siv = [0; SYNTHETIC_IV_BYTES];
        siv.copy_from_slice(mac.sign().as_ref());
        siv
    }

    /// The key and the nonce of one message.
    fn message_key(&self, siv: &[u8; SYNTHETIC_IV_BYTES], aad: &[u8]) -> Result<(LessSafeKey, Nonce), TokenError> {
        let aad_sha256 = digest::digest(&digest::SHA256, aad);
        let derived: Zeroizing<[u8; KEY_BYTES + IV_BYTES]> = derive(&self.wrap, &[siv, aad_sha256.as_ref()])?;
        let (key, nonce) = derived.split_at(KEY_BYTES);
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| failed())?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
        Ok((LessSafeKey::new(key), nonce))
    }
}

/// HKDF-Expand (RFC 5869, 2.3).
fn derive<const N: usize>(key: &hkdf::Prk, info: &[&[u8]]) -> Result<Zeroizing<[u8; N]>, TokenError> {
    let mut out = Zeroizing::new([0; N]);
    let filled = key.expand(info, Length(N)).and_then(|okm| okm.fill(out.as_mut_slice()));
    filled.map(|()| out).map_err(|_| failed())
}

fn failed() -> TokenError {
    TokenError::Unavailable("AES-GCM in software failed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn key() -> ConvergentKey {
        ConvergentKey::new(&[7; 32]).unwrap()
    }

    fn sealed(key: &ConvergentKey, aad: &[u8], plaintext: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let SealedData { iv, ciphertext } = key.seal(aad, plaintext).unwrap();
        (iv, ciphertext)
    }

    proptest! {
        #[test]
        fn equal_inputs_have_equal_results_and_any_other_input_has_others(
            aad in prop::collection::vec(any::<u8>(), 0..90), plaintext in prop::collection::vec(any::<u8>(), 0..90),
            other_aad in prop::collection::vec(any::<u8>(), 0..90), other in prop::collection::vec(any::<u8>(), 0..90),
        ) {
            let first = sealed(&key(), &aad, &plaintext);
            prop_assert_eq!(&first, &sealed(&key(), &aad, &plaintext));
            prop_assert_eq!(first.1.len(), plaintext.len() + TAG_BYTES);
            prop_assert_eq!(&*key().open(&first.0, &aad, first.1.clone()).unwrap(), &plaintext);
            if (&aad, &plaintext) != (&other_aad, &other) {
                prop_assert_ne!(&first.0, &sealed(&key(), &other_aad, &other).0, "an IV is never used twice");
            }
            let another_key = ConvergentKey::new(&[8; 32]).unwrap();
            prop_assert_ne!(&first, &sealed(&another_key, &aad, &plaintext));
            prop_assert!(another_key.open(&first.0, &aad, first.1.clone()).is_err());
        }
    }

    /// The nonce that GCM gets, and the key, for plaintexts that differ in little.
    #[test]
    fn no_two_messages_share_key_and_nonce() {
        let key = key();
        let mut seen = HashMap::new();
        for aad in [&b""[..], b"a", b"aa", b"b"] {
            for number in 0..2_000_u32 {
                let mut plaintext = b"a".repeat(usize::try_from(number % 3).unwrap());
                plaintext.extend(number.to_be_bytes());
                let siv = key.synthetic_iv(aad, &plaintext);
                let aad_sha256 = digest::digest(&digest::SHA256, aad);
                let derived: Zeroizing<[u8; 44]> = derive(&key.wrap, &[&siv, aad_sha256.as_ref()]).unwrap();
                assert_eq!(seen.insert(*derived, (aad, number)), None);
            }
        }
    }

    /// Bytes that move between AAD and plaintext make another message.
    #[test]
    fn the_border_between_aad_and_plaintext_counts() {
        assert_ne!(sealed(&key(), b"ab", b"c").0, sealed(&key(), b"a", b"bc").0);
    }

    #[test]
    fn a_changed_bit_anywhere_is_refused() {
        let (iv, ciphertext) = sealed(&key(), b"aad", b"plaintext");
        for bit in 0..ciphertext.len() * 8 {
            let mut changed = ciphertext.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key().open(&iv, b"aad", changed).unwrap_err(), TokenError::NotAuthentic);
        }
        for bit in 0..iv.len() * 8 {
            let mut changed = iv.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key().open(&changed, b"aad", ciphertext.clone()).unwrap_err(), TokenError::NotAuthentic);
        }
        for iv in [&iv[..31], &[], &[iv.as_slice(), &[0]].concat()] {
            assert_eq!(key().open(iv, b"aad", ciphertext.clone()).unwrap_err(), TokenError::NotAuthentic);
        }
        assert_eq!(key().open(&iv, b"aae", ciphertext).unwrap_err(), TokenError::NotAuthentic);
        assert_eq!(key().open(&iv, b"aad", Vec::new()).unwrap_err(), TokenError::NotAuthentic);
    }

    /// What GCM accepts and no convergent encryption makes: an IV that is not the plaintext's.
    #[test]
    fn an_iv_of_another_plaintext_is_refused_though_its_tag_is_good() {
        let key = key();
        let siv = key.synthetic_iv(b"aad", b"another plaintext");
        let (message_key, nonce) = key.message_key(&siv, b"aad").unwrap();
        let mut forged = b"plaintext".to_vec();
        message_key.seal_in_place_append_tag(nonce, Aad::from(b"aad"), &mut forged).unwrap();
        assert_eq!(key.open(&siv, b"aad", forged).unwrap_err(), TokenError::NotAuthentic);
    }

    /// So that ciphertexts of today are decrypted by every later version. Computed by an implementation of its own: see
    /// docs/adr/0018.
    #[test]
    fn the_construction_is_the_one_that_is_written_down() {
        let (iv, ciphertext) = sealed(&key(), b"aad", b"plaintext");
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            (hex(&iv).as_str(), hex(&ciphertext).as_str()),
            (
                "5961591156f58700d921a5a03749d8958a3df3b97a83b7e486584df43227266a",
                "e0cfc9121a850a23ad6c3f0e50a32ed98e22302fe3eaea6f41"
            )
        );
    }

    #[test]
    fn a_key_of_the_wrong_length_is_damaged_material() {
        assert!(matches!(ConvergentKey::new(&[0; 16]).err(), Some(TokenError::MaterialDamaged(_))));
    }
}
