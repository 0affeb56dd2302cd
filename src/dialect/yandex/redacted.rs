//! Messages that hold plaintext or credentials: they are printed without them, and answers wipe them when they are
//! dropped. A request's plaintext or JWT is moved into a type that wipes it before anything else is read.

use super::proto::yandex::cloud::iam::v1::create_iam_token_request::Identity;
use super::proto::yandex::cloud::iam::v1::{CreateIamTokenRequest, CreateIamTokenResponse, RevokeIamTokenRequest};
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

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::YandexPassportOauthToken(_) => "YandexPassportOauthToken(..)",
            Self::Jwt(_) => "Jwt(..)",
        })
    }
}

impl fmt::Debug for CreateIamTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateIamTokenRequest").field("identity", &self.identity).finish()
    }
}

impl fmt::Debug for CreateIamTokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateIamTokenResponse").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl fmt::Debug for RevokeIamTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevokeIamTokenRequest").finish_non_exhaustive()
    }
}

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
wiped!(CreateIamTokenResponse, iam_token);
wiped!(RevokeIamTokenRequest, iam_token);

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
    fn credentials_are_not_printed() {
        let jwt = CreateIamTokenRequest { identity: Some(Identity::Jwt("SECRET".into())) };
        assert_eq!(format!("{jwt:?}"), "CreateIamTokenRequest { identity: Some(Jwt(..)) }");
        let oauth = CreateIamTokenRequest { identity: Some(Identity::YandexPassportOauthToken("SECRET".into())) };
        assert!(!format!("{oauth:?}").contains("SECRET"));
        let answer = CreateIamTokenResponse { iam_token: "SECRET".into(), expires_at: None };
        assert_eq!(format!("{answer:?}"), "CreateIamTokenResponse { expires_at: None, .. }");
        let revoked = RevokeIamTokenRequest { iam_token: "SECRET".into() };
        assert_eq!(format!("{revoked:?}"), "RevokeIamTokenRequest { .. }");
    }

    #[test]
    fn answers_wipe_their_secrets() {
        fn is_wiped<M: ZeroizeOnDrop>(_: M) {}
        is_wiped(SymmetricDecryptResponse::default());
        is_wiped(GenerateDataKeyResponse::default());
        is_wiped(CreateIamTokenResponse::default());
    }
}
