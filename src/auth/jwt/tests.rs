//! Every rule for a JWT. Cases are looped over where there are many: each test that runs in a process of its own makes a
//! key, which takes longer than all the rest.

use super::*;
use crate::domain::access::PrincipalKind;
use crate::domain::id::{FolderId, PrincipalId};
use crate::testing::mutate::mutations;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use rcgen::{KeyPair, PublicKeyData, RsaKeySize};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::LazyLock;

const KID: CredentialId = CredentialId::from_bytes([0x11; 16]);
const ISS: PrincipalId = PrincipalId::from_bytes([0x22; 16]);
const AUD: &str = "https://kms.example.com/iam/v1/tokens";
const NOW: i64 = 1_800_000_000;

static KEY: LazyLock<KeyPair> = LazyLock::new(rsa_key);

fn rsa_key() -> KeyPair {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

fn signer() -> EncodingKey {
    EncodingKey::from_rsa_pem(KEY.serialize_pem().as_bytes()).unwrap()
}

fn login_key(key: &KeyPair) -> LoginKey {
    let caller = Caller {
        principal_id: ISS,
        kind: PrincipalKind::ServiceAccount,
        credential_id: KID,
        folder_id: FolderId::from_bytes([0x33; 16]),
    };
    LoginKey { caller, spki: key.subject_public_key_info() }
}

fn header(algorithm: Algorithm) -> Header {
    Header { kid: Some(KID.to_string()), ..Header::new(algorithm) }
}

fn claims() -> Value {
    json!({ "iss": ISS.to_string(), "aud": AUD, "iat": NOW, "exp": NOW + 3600 })
}

fn signed(claims: &Value) -> String {
    encode(&header(Algorithm::PS256), claims, &signer()).unwrap()
}

/// A JWT with this header as text, correctly signed with PS256.
fn signed_with_header(header: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims().to_string()));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &signer(), Algorithm::PS256).unwrap();
    format!("{message}.{signature}")
}

fn rules() -> Rules {
    Rules::new(HashSet::from([AUD.to_owned()])).unwrap()
}

fn accepted_at(jwt: &str, now: i64) -> bool {
    let key = login_key(&KEY);
    rules().accept(jwt, Some(&key), Timestamp::from_micros(now * 1_000_000)).is_some()
}

fn accepted(jwt: &str) -> bool {
    accepted_at(jwt, NOW)
}

/// The usual claims with some of them replaced; null takes one away.
fn with(changes: &Value) -> String {
    let mut all = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(all.as_object_mut().unwrap().remove(name)),
            value => all[name] = value.clone(),
        }
    }
    signed(&all)
}

#[test]
fn a_jwt_signed_by_the_key_of_its_kid_is_accepted() {
    let jwt = signed(&claims());
    assert_eq!(key_id(&jwt), Some(KID));
    let key = login_key(&KEY);
    let caller = rules().accept(&jwt, Some(&key), Timestamp::from_micros(NOW * 1_000_000)).cloned();
    assert_eq!(caller, Some(key.caller));
}

#[test]
fn a_jwt_signed_by_another_key_is_refused() {
    let jwt = signed(&claims());
    let now = Timestamp::from_micros(NOW * 1_000_000);
    assert!(rules().accept(&jwt, Some(&login_key(&rsa_key())), now).is_none());
    assert!(rules().accept(&jwt, None, now).is_none(), "no key at all");
}

#[test]
fn other_signatures_with_the_same_key_are_refused() {
    let cases = [Algorithm::RS256, Algorithm::RS512, Algorithm::PS384, Algorithm::PS512];
    for algorithm in cases {
        let jwt = encode(&header(algorithm), &claims(), &signer()).unwrap();
        assert_eq!(key_id(&jwt), None, "{algorithm:?}");
        assert!(!accepted(&jwt), "{algorithm:?}");
    }
}

/// The oldest attack on JWTs: the public key as the secret of an HMAC.
#[rstest]
fn an_hmac_with_the_public_key_is_refused(#[values(true, false)] der: bool) {
    let spki = KEY.subject_public_key_info();
    let secret = if der { spki } else { KEY.public_key_pem().into_bytes() };
    let jwt = encode(&header(Algorithm::HS256), &claims(), &EncodingKey::from_secret(&secret)).unwrap();
    assert_eq!(key_id(&jwt), None);
    assert!(!accepted(&jwt));
}

#[test]
fn an_elliptic_signature_is_refused() {
    let key = KeyPair::generate().unwrap();
    let key = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
    assert_eq!(key_id(&encode(&header(Algorithm::ES256), &claims(), &key).unwrap()), None);
}

#[test]
fn an_algorithm_of_another_name_is_refused() {
    let cases = ["none", "None", "ps256", ""];
    for algorithm in cases {
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": KID.to_string() }).to_string();
        let jwt = signed_with_header(&header);
        assert_eq!(key_id(&jwt), None, "{algorithm:?}");
        let unsigned = format!("{}.", jwt.rsplit_once('.').unwrap().0);
        assert!(!accepted(&unsigned) && !accepted(&jwt), "{algorithm:?}");
    }
}

#[test]
fn a_header_names_one_of_our_keys_and_asks_for_nothing_special() {
    let cases = [
        (json!({ "alg": "PS256", "kid": KID.to_string() }), true),
        (json!({ "alg": "PS256", "kid": KID.to_string(), "typ": "jwt" }), true),
        (json!({ "alg": "PS256", "kid": KID.to_string(), "typ": "at+jwt" }), false),
        (json!({ "alg": "PS256", "typ": "JWT" }), false),
        (json!({ "alg": "PS256", "kid": "", "typ": "JWT" }), false),
        (json!({ "alg": "PS256", "kid": "ajelprpohp7r5r8fgg3d" }), false),
        (json!({ "alg": "PS256", "kid": KID.to_string().replace("-", "") }), false),
        (json!({ "alg": "PS256", "kid": [KID.to_string()] }), false),
        (json!({ "alg": "PS256", "kid": KID.to_string(), "crit": [] }), false),
        (json!({ "alg": "PS256", "kid": KID.to_string(), "crit": ["b64"], "b64": false }), false),
    ];
    for (header, good) in cases {
        assert_eq!(accepted(&signed_with_header(&header.to_string())), good, "{header}");
    }
}

#[test]
fn members_that_come_twice_are_refused() {
    let kid = KID.to_string();
    assert!(!accepted(&signed_with_header(&format!(r#"{{"alg":"HS256","alg":"PS256","kid":"{kid}"}}"#))));
    assert!(!accepted(&signed_with_header(&format!(r#"{{"alg":"PS256","kid":"x","kid":"{kid}"}}"#))));
}

#[test]
fn claims_are_judged_strictly() {
    let cases = [
        (json!({ "aud": [AUD] }), true),
        (json!({ "sub": "anything", "jti": 7, "nbf": NOW + 60 }), true),
        (json!({ "iss": null }), false),
        (json!({ "iss": KID.to_string() }), false),
        (json!({ "iss": [ISS.to_string()] }), false),
        (json!({ "aud": null }), false),
        (json!({ "aud": "" }), false),
        (json!({ "aud": "https://kms.example.com/iam/v1/tokens/" }), false),
        (json!({ "aud": [] }), false),
        (json!({ "aud": [AUD, AUD] }), false),
        (json!({ "aud": [AUD, "https://elsewhere.example.com"] }), false),
        (json!({ "iat": null }), false),
        (json!({ "exp": null }), false),
        (json!({ "iat": NOW.to_string() }), false),
        (json!({ "exp": 1.8e9 }), false),
        (json!({ "exp": u64::MAX }), false),
        (json!({ "exp": i64::MAX }), false),
        (json!({ "iat": i64::MIN, "exp": i64::MAX }), false),
        (json!({ "nbf": NOW + 61 }), false),
        (json!({ "nbf": "soon" }), false),
    ];
    for (changes, good) in cases {
        assert_eq!(accepted(&with(&changes)), good, "{changes}");
    }
}

#[test]
fn a_jwt_counts_from_iat_to_exp_and_for_an_hour_at_most() {
    let cases = [
        (NOW, NOW + 3600, NOW, true),
        (NOW, NOW + 3601, NOW, false),
        (NOW, NOW + 3600, NOW - 60, true),
        (NOW, NOW + 3600, NOW - 61, false),
        (NOW, NOW + 3600, NOW + 3599, true),
        (NOW, NOW + 3600, NOW + 3600, false),
        (NOW, NOW + 1, NOW, true),
        (NOW, NOW, NOW - 1, false),
        (NOW + 30, NOW + 20, NOW, false),
    ];
    for (iat, exp, now, good) in cases {
        let jwt = with(&json!({ "iat": iat, "exp": exp }));
        assert_eq!(accepted_at(&jwt, now), good, "from {iat} to {exp} at {now}");
    }
}

#[test]
fn a_jwt_ends_with_its_last_second_also_between_seconds() {
    let key = login_key(&KEY);
    let jwt = signed(&claims());
    let at = |micros| rules().accept(&jwt, Some(&key), Timestamp::from_micros(micros)).is_some();
    let end = (NOW + 3600) * 1_000_000;
    assert_eq!((at(end - 1), at(end)), (true, false));
}

#[test]
fn an_overlong_jwt_is_not_looked_at() {
    let fill = |bytes: usize| with(&json!({ "fill": "a".repeat(bytes) }));
    let short = fill(1);
    let room = (MAX_BYTES - short.len()) / 4 * 3;
    let longest = fill(room);
    assert!(longest.len() <= MAX_BYTES && accepted(&longest), "{}", longest.len());
    let longer = fill(room + 9);
    assert!(longer.len() > MAX_BYTES && !accepted(&longer));
}

#[test]
fn what_is_no_jwt_is_refused() {
    let jwt = signed(&claims());
    let padded = format!("{jwt}=");
    let spaced = format!("{jwt} ");
    let four_parts = format!("{jwt}.");
    for text in ["", ".", "..", "...", "a.b.c", &padded, &spaced, &four_parts, jwt.trim_end_matches(|c| c != '.')] {
        assert!(!accepted(text), "{text:?}");
    }
}

#[test]
fn no_mutant_of_a_signed_jwt_is_accepted() {
    let jwt = signed(&claims());
    let corpus = [jwt.as_bytes()];
    let all = mutations(&corpus, 5000, 7519).filter_map(|mutant| String::from_utf8(mutant).ok());
    let mutants: Vec<_> = all.filter(|mutant| *mutant != jwt).collect();
    assert!(mutants.len() > 3000);
    for mutant in mutants {
        assert!(!accepted(&mutant), "{mutant:?}");
    }
}

/// The last character of each part carries bits that belong to no byte: all spellings but one are refused.
#[test]
fn every_other_last_character_of_a_part_is_refused() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0";
    let jwt = signed(&claims());
    let parts: Vec<_> = jwt.split('.').map(str::to_owned).collect();
    let spellings = (0..parts.len()).flat_map(|part| ALPHABET.iter().map(move |byte| (part, char::from(*byte))));
    for (part, last) in spellings {
        let mut changed = parts.clone();
        changed[part].pop();
        changed[part].push(last);
        let changed = changed.join(".");
        assert_eq!(accepted(&changed), changed == jwt, "{changed:?}");
    }
}
