//! Software-protected versions: keys that are stored encrypted by a token key and used in this process.
//!
//! In: key bytes that the token decrypted. Out: AES-GCM by aws-lc-rs. The bytes are overwritten as soon as the
//! cipher is set up; the cipher's own copy lies in memory of aws-lc, which overwrites what it frees.

use crate::domain::algorithm::Algorithm;
use crate::domain::envelope::{IV_BYTES, TAG_BYTES};
use crate::service::ports::TokenError;
use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// A decrypted key, ready for use.
pub struct SoftwareKey {
    key: LessSafeKey,
}

impl SoftwareKey {
    /// The key made of these bytes.
    ///
    /// # Errors
    /// [`TokenError::MaterialDamaged`] if they are not as long as the algorithm's keys.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, TokenError> {
        let damaged = || TokenError::MaterialDamaged("the length of the key is wrong".to_owned());
        let cipher = match algorithm {
            Algorithm::Aes128 => &AES_128_GCM,
            Algorithm::Aes192 => &AES_192_GCM,
            Algorithm::Aes256 => &AES_256_GCM,
            Algorithm::Aes256Hsm => return Err(TokenError::NotImplemented("AES_256_HSM outside of the token")),
        };
        let key = UnboundKey::new(cipher, bytes).map_err(|_| damaged())?;
        Ok(Self { key: LessSafeKey::new(key) })
    }

    /// Encrypts under an IV that was never used with this key. The result ends with the tag.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if the library refuses, which it does for sizes far above our limits only.
    pub fn seal(&self, iv: [u8; IV_BYTES], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, TokenError> {
        // Encryption runs in the vector that is returned: no copy of the plaintext is left anywhere.
        let mut sealed = Vec::with_capacity(plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(plaintext);
        let nonce = Nonce::assume_unique_for_key(iv);
        let done = self.key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed);
        match done {
            Ok(()) => Ok(sealed),
            Err(_) => {
                drop(Zeroizing::new(sealed));
                Err(TokenError::Unavailable("AES-GCM in software failed".to_owned()))
            }
        }
    }

    /// Decrypts what ends with its tag.
    ///
    /// # Errors
    /// [`TokenError::NotAuthentic`].
    pub fn open(&self, iv: &[u8], aad: &[u8], sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let nonce = Nonce::try_assume_unique_for_key(iv).map_err(|_| TokenError::NotAuthentic)?;
        let mut buffer = Zeroizing::new(sealed);
        let opened = self.key.open_in_place(nonce, Aad::from(aad), &mut buffer);
        let bytes = opened.map_err(|_| TokenError::NotAuthentic)?.len();
        buffer.truncate(bytes);
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    fn what_a_software_key_seals_it_opens(
        #[values(Algorithm::Aes128, Algorithm::Aes192, Algorithm::Aes256)] a: Algorithm,
    ) {
        let key = SoftwareKey::new(a, &vec![7; a.key_bytes()]).unwrap();
        for size in [0, 1, 32, 4096] {
            let plaintext = vec![5; size];
            let sealed = key.seal([9; 12], b"aad", &plaintext).unwrap();
            assert_eq!(sealed.len(), size + TAG_BYTES);
            assert_eq!(*key.open(&[9; 12], b"aad", sealed).unwrap(), plaintext);
        }
    }

    #[test]
    fn a_changed_bit_anywhere_is_refused() {
        let key = SoftwareKey::new(Algorithm::Aes256, &[7; 32]).unwrap();
        let sealed = key.seal([9; 12], b"aad", b"plaintext").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(&[9; 12], b"aad", changed).unwrap_err(), TokenError::NotAuthentic);
        }
        assert_eq!(key.open(&[8; 12], b"aad", sealed.clone()).unwrap_err(), TokenError::NotAuthentic);
        assert_eq!(key.open(&[9; 11], b"aad", sealed.clone()).unwrap_err(), TokenError::NotAuthentic);
        assert_eq!(key.open(&[9; 12], b"aae", sealed).unwrap_err(), TokenError::NotAuthentic);
    }

    #[test]
    fn a_key_of_the_wrong_length_is_damaged_material() {
        let error = SoftwareKey::new(Algorithm::Aes192, &[0; 16]).err();
        assert!(matches!(error, Some(TokenError::MaterialDamaged(_))));
    }
}
