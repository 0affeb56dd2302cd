//! What callers present: headers, JWTs, tokens of logins.

use super::texts;
use crate::auth::bearer::token_in;
use crate::auth::certificate::rsa_public_key;
use crate::auth::jwt::{self, Rules};
use crate::domain::access::{Caller, PrincipalKind};
use crate::domain::id::{CredentialId, FolderId, PrincipalId};
use crate::domain::time::Timestamp;
use crate::service::directory::LoginKey;
use crate::service::login_token::{Claim, LoginTokens};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::LazyLock;

/// A JWT that is good at [`NOW`], and the public key of who signed it. Nobody has the private one.
const JWT: &str = include_str!("testdata/login.jwt");
const JWT_KEY: &[u8] = include_bytes!("testdata/login_key.pem");
const AUDIENCE: &str = "https://kms.example.com/iam/v1/tokens";
const NOW: i64 = 1_800_000_000;
const KID: CredentialId = CredentialId::from_bytes([0x11; 16]);
const ISSUER: PrincipalId = PrincipalId::from_bytes([0x22; 16]);

pub fn bearer_seeds() -> Vec<Vec<u8>> {
    texts(&["Bearer cv1_Zm9vYmFyYmF6cXV4", "bearer   abc", "BEARER t1.9euelZq.signature_-~+/== "])
}

/// The value of an `authorization` header.
pub fn bearer_header(data: &[u8]) -> bool {
    let Some(token) = token_in(data) else { return false };
    assert!((1..=4096).contains(&token.len()), "a token of {} bytes", token.len());
    assert!(token.bytes().all(|byte| byte.is_ascii_graphic()), "a token with a separator or beyond ASCII");
    assert_eq!(token_in(format!("Bearer {token}").as_bytes()), Some(token), "the token is not read again");
    true
}

pub fn jwt_seeds() -> Vec<Vec<u8>> {
    texts(&[JWT])
}

static RULES: LazyLock<Option<(Rules, LoginKey)>> = LazyLock::new(|| {
    let caller = Caller {
        principal_id: ISSUER,
        kind: PrincipalKind::ServiceAccount,
        credential_id: KID,
        folder_id: FolderId::from_bytes([0x33; 16]),
    };
    let key = LoginKey { caller, spki: rsa_public_key(JWT_KEY).ok()? };
    Some((Rules::new(HashSet::from([AUDIENCE.to_owned()])).ok()?, key))
});

fn now() -> Timestamp {
    Timestamp::from_micros(NOW * 1_000_000)
}

/// One text is accepted and no other.
pub fn signed_jwt(data: &[u8]) -> bool {
    let (Some((rules, key)), Ok(text)) = (&*RULES, std::str::from_utf8(data)) else { return false };
    let accepted = rules.accept(text, Some(key), now()).is_some();
    assert!(!accepted || text == JWT, "a JWT that nobody signed is accepted");
    accepted
}

pub fn jwt_header_seeds() -> Vec<Vec<u8>> {
    let kid = KID.to_string();
    let headers = [
        format!(r#"{{"alg":"PS256","typ":"JWT","kid":"{kid}"}}"#),
        format!(r#"{{"kid":"{kid}","alg":"PS256","x5c":["MIIB"],"more":{{"a":[1,2.5,null]}}}}"#),
    ];
    headers.into_iter().map(String::into_bytes).collect()
}

/// The header of a JWT as JSON.
pub fn jwt_header(data: &[u8]) -> bool {
    let text = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(data));
    let Some(kid) = jwt::key_id(&text) else { return false };
    let header: Value = serde_json::from_slice(data).unwrap_or_default();
    assert_eq!(header["alg"], "PS256");
    assert_eq!(header["kid"], kid.to_string().as_str());
    assert!(header["crit"].is_null(), "an extension was ignored");
    true
}

pub fn jwt_claims_seeds() -> Vec<Vec<u8>> {
    let claims = |aud: &str, more: &str| {
        format!(r#"{{"iss":"{ISSUER}","aud":{aud},"iat":{NOW},"exp":{}{more}}}"#, NOW + 3600).into_bytes()
    };
    let text = format!("\"{AUDIENCE}\"");
    vec![claims(&text, ""), claims(&format!("[{text}]"), r#","nbf":1800000000,"jti":"x""#)]
}

/// The claims of a JWT as JSON.
pub fn jwt_claims(data: &[u8]) -> bool {
    let Some((rules, key)) = &*RULES else { return false };
    let Ok(claims) = serde_json::from_slice(data) else { return false };
    if !rules.admit(&claims, &key.caller, now()) {
        return false;
    }
    let claims: Value = serde_json::from_slice(data).unwrap_or_default();
    let number = |name: &str| claims[name].as_i64().unwrap_or_default();
    assert_eq!(claims["iss"], ISSUER.to_string().as_str());
    assert!(claims["aud"] == AUDIENCE || claims["aud"] == serde_json::json!([AUDIENCE]), "another audience");
    assert!((NOW - 3600..=NOW + 60).contains(&number("iat")), "issued at another time");
    assert!(number("exp") > NOW && number("exp") - number("iat") <= 3600, "it does not end in time");
    true
}

pub fn login_token_seeds() -> Vec<Vec<u8>> {
    let claim = Claim { parent: KID, expires_at: now() };
    let token = login_tokens().issue(claim, [7; 16]);
    let text = token.strip_prefix(crate::service::login_token::LOGIN_TOKEN_PREFIX);
    text.into_iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn login_tokens() -> LoginTokens {
    LoginTokens::new(&[9; 32])
}

/// One text is accepted and no other.
pub fn login_token(data: &[u8]) -> bool {
    let Some(claim) = std::str::from_utf8(data).ok().and_then(|text| login_tokens().read(text)) else { return false };
    assert_eq!(claim, Claim { parent: KID, expires_at: now() });
    assert!(login_token_seeds().iter().any(|seed| seed == data), "a token that nobody issued is accepted");
    true
}
