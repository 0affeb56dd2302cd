//! How messages that hold plaintext are printed: without it.

use super::proto::yandex::cloud::kms::v1::{
    GenerateDataKeyResponse, SymmetricDecryptResponse, SymmetricEncryptRequest,
};
use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_not_printed() {
        let message = SymmetricDecryptResponse { plaintext: vec![83; 3], ..Default::default() };
        assert_eq!(
            format!("{message:?}"),
            r#"SymmetricDecryptResponse { key_id: "", version_id: "", plaintext_bytes: 3, .. }"#
        );
    }
}
