//! Methods and paths to operations.

use crate::domain::id::KeyId;
use http::Method;

/// Which of the two APIs a path is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `/keys/v2/{keyTag}/{action}`. Its answers have a `msg`.
    One,
    /// `/kms/v1/keys...`.
    Two,
}

/// How a request of an operation may be authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By a signature only.
    Signature,
    /// By a signature or an access token.
    Access,
    /// By a refresh token only.
    Refresh,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What can be asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name),*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in logs and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),*
                }
            }
        }
    };
}

operations! {
    /// `POST /keys`
    CreateKey,
    /// `GET /keys`
    ListKeys,
    /// `GET /keys/{keyTag}`
    KeyInfo,
    /// `POST .../enable`
    EnableKey,
    /// `POST .../disable`
    DisableKey,
    /// `PUT .../name`
    UpdateName,
    /// `PUT .../memo`
    UpdateMemo,
    /// `POST .../request-deletion`
    RequestDeletion,
    /// `POST .../cancel-deletion`
    CancelDeletion,
    /// `DELETE /keys/{keyTag}`
    DeleteKey,
    /// `POST .../rotate`
    RotateKey,
    /// `POST .../enable-auto-rotation`
    EnableAutoRotation,
    /// `POST .../disable-auto-rotation`
    DisableAutoRotation,
    /// `PUT .../rotation-period`
    UpdateRotationPeriod,
    /// `GET .../versions`
    ListVersions,
    /// `POST .../versions/{version}/enable`
    EnableVersion,
    /// `POST .../versions/{version}/disable`
    DisableVersion,
    /// `POST .../encrypt`
    Encrypt,
    /// `POST .../decrypt`
    Decrypt,
    /// `POST .../create-custom-key`
    CreateCustomKey,
    /// `POST .../re-encrypt`
    ReEncrypt,
    /// `POST .../sign`
    Sign,
    /// `POST .../verify`
    Verify,
    /// `POST .../get-pub-key`
    PublicKey,
    /// `POST .../token-generator`
    CreateTokenGenerator,
    /// `GET .../token-generator`
    TokenGenerator,
    /// `PUT .../token-generator`
    ReplaceTokenGenerator,
    /// `DELETE .../token-generator`
    DeleteTokenGenerator,
    /// `POST .../token-set`
    IssueTokenSet,
    /// `PUT .../token-set`
    RenewTokenSet,
    /// `POST .../access-token`
    RenewAccessToken,
    /// `POST .../acl/enable`
    EnableAcl,
    /// `POST .../acl/disable`
    DisableAcl,
    /// `GET .../acl`
    Acl,
    /// `POST .../acl`
    AddAclAddresses,
    /// `DELETE .../acl`
    RemoveAclAddresses,
    /// `GET .../activities`
    Activities,
    /// `GET .../last-use-info`
    LastUseInfo,
}

impl Operation {
    /// How a request of it may be authenticated.
    #[must_use]
    pub const fn proof(self) -> Proof {
        match self {
            Self::Encrypt
            | Self::Decrypt
            | Self::CreateCustomKey
            | Self::ReEncrypt
            | Self::Sign
            | Self::Verify
            | Self::PublicKey => Proof::Access,
            Self::RenewTokenSet | Self::RenewAccessToken => Proof::Refresh,
            _ => Proof::Signature,
        }
    }

    /// Whether it reads a body. What the others are sent is not looked at.
    #[must_use]
    pub const fn has_body(self) -> bool {
        matches!(
            self,
            Self::CreateKey
                | Self::UpdateName
                | Self::UpdateMemo
                | Self::UpdateRotationPeriod
                | Self::Encrypt
                | Self::Decrypt
                | Self::CreateCustomKey
                | Self::ReEncrypt
                | Self::IssueTokenSet
                | Self::RenewTokenSet
                | Self::RenewAccessToken
                | Self::AddAclAddresses
                | Self::RemoveAclAddresses
        )
    }
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The API.
    pub api: Api,
    /// What is asked for.
    pub operation: Operation,
    /// The key; that of nobody for operations without one.
    pub key: Option<Target>,
    /// The version's number, in paths that have one. Zero, which no version has, for what is no number.
    pub version: u32,
}

/// A key as a path names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// By a tag that may be one of ours.
    Key(KeyId),
    /// By a text that is no tag: no key has it.
    Nobody,
}

/// Why a path is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing is there.
    Path,
    /// The path is there, and takes these methods only.
    Method(&'static str),
    /// The path is of API 1.0 with signature v1, which is not served.
    SignatureV1,
}

impl Route {
    /// What this method and path ask for. Paths are compared as they are sent: no tag has a character that needs encoding.
    ///
    /// # Errors
    /// [`NoRoute`].
    pub fn of(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match *segments.as_slice() {
            ["kms", "v1", "keys"] => {
                let operation =
                    by_method(method, &[(Method::GET, Operation::ListKeys), (Method::POST, Operation::CreateKey)])?;
                Ok(Self { api: Api::Two, operation, key: None, version: 0 })
            }
            ["kms", "v1", "keys", tag, ref rest @ ..] => {
                let (operation, version) = of_key(method, rest)?;
                Ok(Self { api: Api::Two, operation, key: Some(Target::of(tag)), version })
            }
            ["keys", "v2", tag, action] => {
                let operation = by_method(method, &[(Method::POST, of_api_one(action).ok_or(NoRoute::Path)?)])?;
                Ok(Self { api: Api::One, operation, key: Some(Target::of(tag)), version: 0 })
            }
            ["keys", "v1", ..] => Err(NoRoute::SignatureV1),
            _ => Err(NoRoute::Path),
        }
    }
}

impl Route {
    /// The key that the path names, if a key can have the name.
    #[must_use]
    pub const fn key_id(&self) -> Option<KeyId> {
        match self.key {
            Some(Target::Key(key_id)) => Some(key_id),
            Some(Target::Nobody) | None => None,
        }
    }
}

impl Target {
    fn of(tag: &str) -> Self {
        KeyId::from_tag(tag).map_or(Self::Nobody, Self::Key)
    }
}

fn of_api_one(action: &str) -> Option<Operation> {
    match action {
        "encrypt" => Some(Operation::Encrypt),
        "decrypt" => Some(Operation::Decrypt),
        "createCustomKey" => Some(Operation::CreateCustomKey),
        "reencrypt" => Some(Operation::ReEncrypt),
        "sign" => Some(Operation::Sign),
        "verify" => Some(Operation::Verify),
        _ => None,
    }
}

/// What follows the tag, and the number of a version in it.
fn of_key(method: &Method, rest: &[&str]) -> Result<(Operation, u32), NoRoute> {
    use Operation as O;
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let table: &[(Method, Operation)] = match rest {
        [] => &[(get, O::KeyInfo), (delete, O::DeleteKey)],
        ["enable"] => &[(post, O::EnableKey)],
        ["disable"] => &[(post, O::DisableKey)],
        ["name"] => &[(put, O::UpdateName)],
        ["memo"] => &[(put, O::UpdateMemo)],
        ["request-deletion"] => &[(post, O::RequestDeletion)],
        ["cancel-deletion"] => &[(post, O::CancelDeletion)],
        ["rotate"] => &[(post, O::RotateKey)],
        ["enable-auto-rotation"] => &[(post, O::EnableAutoRotation)],
        ["disable-auto-rotation"] => &[(post, O::DisableAutoRotation)],
        ["rotation-period"] => &[(put, O::UpdateRotationPeriod)],
        ["versions"] => &[(get, O::ListVersions)],
        ["versions", number, "enable"] => {
            return Ok((by_method(method, &[(post, O::EnableVersion)])?, version(number)));
        }
        ["versions", number, "disable"] => {
            return Ok((by_method(method, &[(post, O::DisableVersion)])?, version(number)));
        }
        ["encrypt"] => &[(post, O::Encrypt)],
        ["decrypt"] => &[(post, O::Decrypt)],
        ["create-custom-key"] => &[(post, O::CreateCustomKey)],
        ["re-encrypt"] => &[(post, O::ReEncrypt)],
        ["sign"] => &[(post, O::Sign)],
        ["verify"] => &[(post, O::Verify)],
        ["get-pub-key"] => &[(post, O::PublicKey)],
        ["token-generator"] => &[
            (get, O::TokenGenerator),
            (post, O::CreateTokenGenerator),
            (put, O::ReplaceTokenGenerator),
            (delete, O::DeleteTokenGenerator),
        ],
        ["token-set"] => &[(post, O::IssueTokenSet), (put, O::RenewTokenSet)],
        ["access-token"] => &[(post, O::RenewAccessToken)],
        ["acl"] => &[(get, O::Acl), (post, O::AddAclAddresses), (delete, O::RemoveAclAddresses)],
        ["acl", "enable"] => &[(post, O::EnableAcl)],
        ["acl", "disable"] => &[(post, O::DisableAcl)],
        ["activities"] => &[(get, O::Activities)],
        ["last-use-info"] => &[(get, O::LastUseInfo)],
        _ => return Err(NoRoute::Path),
    };
    Ok((by_method(method, table)?, 0))
}

/// The operation of a method.
fn by_method(method: &Method, table: &[(Method, Operation)]) -> Result<Operation, NoRoute> {
    let found = table.iter().find(|(known, _)| known == method).map(|(_, operation)| *operation);
    found.ok_or_else(|| NoRoute::Method(allowed(table)))
}

/// The methods of a table, in words.
fn allowed(table: &[(Method, Operation)]) -> &'static str {
    let has = |method: &Method| table.iter().any(|(known, _)| known == method);
    match [has(&Method::GET), has(&Method::POST), has(&Method::PUT), has(&Method::DELETE)] {
        [true, true, true, true] => "GET, POST, PUT, DELETE",
        [true, true, false, true] => "GET, POST, DELETE",
        [true, true, ..] => "GET, POST",
        [true, _, _, true] => "GET, DELETE",
        [_, true, true, _] => "POST, PUT",
        [true, ..] => "GET",
        [_, _, true, _] => "PUT",
        _ => "POST",
    }
}

/// A version's number as paths have it, without zeros before it.
fn version(text: &str) -> u32 {
    text.parse().ok().filter(|number: &u32| number.to_string() == text).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TAG: &str = "0b7c1b6e5a944c1e9a530d9d7d4b2f11";

    fn of(method: &str, path: &str) -> Result<Route, NoRoute> {
        Route::of(&method.parse().unwrap(), path)
    }

    fn key() -> Option<Target> {
        Some(Target::Key(KeyId::from_tag(TAG).unwrap()))
    }

    #[rstest]
    #[case("POST", "/encrypt", Operation::Encrypt)]
    #[case("GET", "", Operation::KeyInfo)]
    #[case("DELETE", "", Operation::DeleteKey)]
    #[case("PUT", "/token-set", Operation::RenewTokenSet)]
    #[case("DELETE", "/acl", Operation::RemoveAclAddresses)]
    fn a_path_below_a_key_names_key_and_operation(
        #[case] method: &str,
        #[case] rest: &str,
        #[case] operation: Operation,
    ) {
        let expected = Route { api: Api::Two, operation, key: key(), version: 0 };
        assert_eq!(of(method, &format!("/kms/v1/keys/{TAG}{rest}")), Ok(expected));
    }

    #[rstest]
    #[case("12", 12)]
    #[case("4294967295", u32::MAX)]
    #[case("012", 0)]
    #[case("+1", 0)]
    #[case("x", 0)]
    #[case("4294967296", 0)]
    fn a_version_is_named_by_its_number(#[case] text: &str, #[case] number: u32) {
        let route = of("POST", &format!("/kms/v1/keys/{TAG}/versions/{text}/disable")).unwrap();
        assert_eq!((route.operation, route.version), (Operation::DisableVersion, number));
    }

    #[rstest]
    #[case("encrypt", Operation::Encrypt)]
    #[case("createCustomKey", Operation::CreateCustomKey)]
    #[case("reencrypt", Operation::ReEncrypt)]
    fn api_one_has_names_of_its_own(#[case] action: &str, #[case] operation: Operation) {
        let expected = Route { api: Api::One, operation, key: key(), version: 0 };
        assert_eq!(of("POST", &format!("/keys/v2/{TAG}/{action}")), Ok(expected));
    }

    #[rstest]
    #[case("GET", "/kms/v1/keys/")]
    #[case("POST", "/kms/v1/key")]
    #[case("POST", "/keys/v2/x/create-custom-key")]
    #[case("POST", "/keys/v2/x")]
    #[case("POST", "/kms/v1/keys/x/createCustomKey")]
    #[case("POST", "/kms/v1/keys/x/encrypt/")]
    #[case("POST", "/kms/v1//keys")]
    #[case("POST", "/kms/v1/asymmetricEncryptionKeys")]
    fn other_paths_are_none(#[case] method: &str, #[case] path: &str) {
        let route = of(method, path);
        let nobody = matches!(route, Ok(Route { key: Some(Target::Nobody), .. }));
        assert!(nobody || route == Err(NoRoute::Path), "{route:?}");
    }

    #[rstest]
    #[case("PUT", "/kms/v1/keys", "GET, POST")]
    #[case("POST", "/kms/v1/keys/x", "GET, DELETE")]
    #[case("GET", "/kms/v1/keys/x/encrypt", "POST")]
    #[case("POST", "/kms/v1/keys/x/memo", "PUT")]
    #[case("POST", "/kms/v1/keys/x/versions", "GET")]
    #[case("DELETE", "/kms/v1/keys/x/token-set", "POST, PUT")]
    #[case("PATCH", "/kms/v1/keys/x/token-generator", "GET, POST, PUT, DELETE")]
    #[case("PUT", "/kms/v1/keys/x/acl", "GET, POST, DELETE")]
    #[case("GET", "/keys/v2/x/encrypt", "POST")]
    fn another_method_is_told_which_there_are(#[case] method: &str, #[case] path: &str, #[case] allowed: &'static str) {
        assert_eq!(of(method, path), Err(NoRoute::Method(allowed)));
    }

    #[test]
    fn a_text_that_is_no_tag_names_nobody() {
        for tag in ["x", "0B7C1B6E5A944C1E9A530D9D7D4B2F11", "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11", "%30"] {
            assert_eq!(of("GET", &format!("/kms/v1/keys/{tag}")).unwrap().key, Some(Target::Nobody), "{tag}");
        }
    }
}
