use super::*;
use crate::domain::access::PrincipalKind;
use crate::domain::id::{FolderId, PrincipalId};
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

static KEYS: LazyLock<[KeyPair; 2]> =
    LazyLock::new(|| [(); 2].map(|()| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()));

fn signer() -> EncodingKey {
    EncodingKey::from_rsa_pem(KEYS[0].serialize_pem().as_bytes()).unwrap()
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
    let key = login_key(&KEYS[0]);
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
    let key = login_key(&KEYS[0]);
    let caller = rules().accept(&jwt, Some(&key), Timestamp::from_micros(NOW * 1_000_000)).cloned();
    assert_eq!(caller, Some(key.caller));
}

#[test]
fn a_jwt_signed_by_another_key_is_refused() {
    let jwt = signed(&claims());
    let now = Timestamp::from_micros(NOW * 1_000_000);
    assert!(rules().accept(&jwt, Some(&login_key(&KEYS[1])), now).is_none());
    assert!(rules().accept(&jwt, None, now).is_none(), "no key at all");
}

#[rstest]
#[case(Algorithm::RS256)]
#[case(Algorithm::RS512)]
#[case(Algorithm::PS384)]
#[case(Algorithm::PS512)]
fn other_signatures_with_the_same_key_are_refused(#[case] algorithm: Algorithm) {
    let jwt = encode(&header(algorithm), &claims(), &signer()).unwrap();
    assert_eq!(key_id(&jwt), None);
    assert!(!accepted(&jwt));
}

/// The oldest attack on JWTs: the public key as the secret of an HMAC.
#[rstest]
fn an_hmac_with_the_public_key_is_refused(#[values(true, false)] der: bool) {
    let spki = KEYS[0].subject_public_key_info();
    let secret = if der { spki } else { KEYS[0].public_key_pem().into_bytes() };
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

#[rstest]
#[case("none")]
#[case("None")]
#[case("ps256")]
#[case("")]
fn an_algorithm_of_another_name_is_refused(#[case] algorithm: &str) {
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": KID.to_string() }).to_string();
    let jwt = signed_with_header(&header);
    assert_eq!(key_id(&jwt), None);
    let unsigned = format!("{}.", jwt.rsplit_once('.').unwrap().0);
    assert!(!accepted(&unsigned) && !accepted(&jwt));
}

#[rstest]
#[case(json!({ "alg": "PS256", "kid": KID.to_string() }), true)]
#[case(json!({ "alg": "PS256", "kid": KID.to_string(), "typ": "jwt" }), true)]
#[case(json!({ "alg": "PS256", "kid": KID.to_string(), "typ": "at+jwt" }), false)]
#[case(json!({ "alg": "PS256", "typ": "JWT" }), false)]
#[case(json!({ "alg": "PS256", "kid": "", "typ": "JWT" }), false)]
#[case(json!({ "alg": "PS256", "kid": "ajelprpohp7r5r8fgg3d" }), false)]
#[case(json!({ "alg": "PS256", "kid": KID.to_string().replace("-", "") }), false)]
#[case(json!({ "alg": "PS256", "kid": [KID.to_string()] }), false)]
#[case(json!({ "alg": "PS256", "kid": KID.to_string(), "crit": [] }), false)]
#[case(json!({ "alg": "PS256", "kid": KID.to_string(), "crit": ["b64"], "b64": false }), false)]
fn a_header_names_one_of_our_keys_and_asks_for_nothing_special(#[case] header: Value, #[case] good: bool) {
    assert_eq!(accepted(&signed_with_header(&header.to_string())), good);
}

#[test]
fn members_that_come_twice_are_refused() {
    let kid = KID.to_string();
    assert!(!accepted(&signed_with_header(&format!(r#"{{"alg":"HS256","alg":"PS256","kid":"{kid}"}}"#))));
    assert!(!accepted(&signed_with_header(&format!(r#"{{"alg":"PS256","kid":"x","kid":"{kid}"}}"#))));
}

#[rstest]
#[case(json!({ "aud": [AUD] }), true)]
#[case(json!({ "sub": "anything", "jti": 7, "nbf": NOW + 60 }), true)]
#[case(json!({ "iss": null }), false)]
#[case(json!({ "iss": KID.to_string() }), false)]
#[case(json!({ "iss": [ISS.to_string()] }), false)]
#[case(json!({ "aud": null }), false)]
#[case(json!({ "aud": "" }), false)]
#[case(json!({ "aud": "https://kms.example.com/iam/v1/tokens/" }), false)]
#[case(json!({ "aud": [] }), false)]
#[case(json!({ "aud": [AUD, AUD] }), false)]
#[case(json!({ "aud": [AUD, "https://elsewhere.example.com"] }), false)]
#[case(json!({ "iat": null }), false)]
#[case(json!({ "exp": null }), false)]
#[case(json!({ "iat": NOW.to_string() }), false)]
#[case(json!({ "exp": 1.8e9 }), false)]
#[case(json!({ "exp": u64::MAX }), false)]
#[case(json!({ "exp": i64::MAX }), false)]
#[case(json!({ "iat": i64::MIN, "exp": i64::MAX }), false)]
#[case(json!({ "nbf": NOW + 61 }), false)]
#[case(json!({ "nbf": "soon" }), false)]
fn claims_are_judged_strictly(#[case] changes: Value, #[case] good: bool) {
    assert_eq!(accepted(&with(&changes)), good);
}

#[rstest]
#[case(NOW, NOW + 3600, NOW, true)]
#[case(NOW, NOW + 3601, NOW, false)]
#[case(NOW, NOW + 3600, NOW - 60, true)]
#[case(NOW, NOW + 3600, NOW - 61, false)]
#[case(NOW, NOW + 3600, NOW + 3599, true)]
#[case(NOW, NOW + 3600, NOW + 3600, false)]
#[case(NOW, NOW + 1, NOW, true)]
#[case(NOW, NOW, NOW - 1, false)]
#[case(NOW + 30, NOW + 20, NOW, false)]
fn a_jwt_counts_from_iat_to_exp_and_for_an_hour_at_most(
    #[case] iat: i64,
    #[case] exp: i64,
    #[case] now: i64,
    #[case] good: bool,
) {
    assert_eq!(accepted_at(&with(&json!({ "iat": iat, "exp": exp })), now), good);
}

#[test]
fn a_jwt_ends_with_its_last_second_also_between_seconds() {
    let key = login_key(&KEYS[0]);
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

/// A small generator of its own, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit
    }
}

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0";

fn mutated(jwt: &str, random: &mut Random) -> String {
    let mut bytes = jwt.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        let byte = ALPHABET[random.below(ALPHABET.len())];
        match random.below(5) {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at + 1),
            _ => {
                let other = random.below(bytes.len());
                bytes.swap(at, other);
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn no_mutant_of_a_signed_jwt_is_accepted() {
    let jwt = signed(&claims());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mutants: Vec<_> = (0..5000).map(|_| mutated(&jwt, &mut random)).filter(|mutant| *mutant != jwt).collect();
    assert!(mutants.len() > 4000);
    for mutant in mutants {
        assert!(!accepted(&mutant), "{mutant:?}");
    }
}

/// The last character of each part carries bits that belong to no byte: all spellings but one are refused.
#[test]
fn every_other_last_character_of_a_part_is_refused() {
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
