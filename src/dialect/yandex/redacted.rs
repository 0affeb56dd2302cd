//! Messages that hold plaintext: they are printed without it, and answers wipe it when they are dropped. A request's
//! plaintext is moved into the service's own type, which wipes it, before anything else is read.

use super::proto::yandex::cloud::kms::v1::{
    GenerateDataKeyResponse, SymmetricDecryptResponse, SymmetricEncryptRequest,
};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! redacted {
    ($message:ty, $secret:ident) => {
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message))
                    .field("key_id", &self.key_id)
                    .field("version_id", &self.version_id)
                    .field(concat!(stringify!($secret), "_bytes"), &self.$secret.len())
                    .finish_non_exhaustive()
            }
        }
    };
}

redacted!(SymmetricEncryptRequest, plaintext);
redacted!(SymmetricDecryptResponse, plaintext);
redacted!(GenerateDataKeyResponse, data_key_plaintext);

macro_rules! wiped {
    ($message:ty, $secret:ident) => {
        impl Drop for $message {
            fn drop(&mut self) {
                self.$secret.zeroize();
            }
        }

        impl ZeroizeOnDrop for $message {}
    };
}

wiped!(SymmetricDecryptResponse, plaintext);
wiped!(GenerateDataKeyResponse, data_key_plaintext);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_not_printed() {
        let mut message = SymmetricDecryptResponse::default();
        message.plaintext = vec![83; 3];
        assert_eq!(
            format!("{message:?}"),
            r#"SymmetricDecryptResponse { key_id: "", version_id: "", plaintext_bytes: 3, .. }"#
        );
    }

    #[test]
    fn answers_wipe_their_plaintext() {
        fn is_wiped<M: ZeroizeOnDrop>(_: M) {}
        is_wiped(SymmetricDecryptResponse::default());
        is_wiped(GenerateDataKeyResponse::default());
    }
}
