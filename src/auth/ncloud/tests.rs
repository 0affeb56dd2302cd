//! Signature v2, against vectors of the documented algorithm.

use super::*;
use http::{HeaderValue, Request};
use rstest::rstest;

const AT: i64 = 1_700_000_000_000;

/// The first is what the provider's own signer makes; both follow the documented algorithm.
const VECTORS: [(&str, &str, &str, &str, &str); 2] = [
    ("GET", "/kms/v1/keys?pageNo=1&pageSize=1", "AK", "SK", "z8OgaJFfo1idMjk8CQBHuJZTxwG8415enjPYwyRESdI="),
    ("POST", "/keys/v2/my-key/encrypt", "access-key", "secret-key", "nN4Khw0rV/jdEssNpeGwcKkrj5NCYo3YCGYNziynwgI="),
];

fn head(method: &str, target: &str, headers: &[(&HeaderName, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_str(value).unwrap());
    }
    request.body(()).unwrap().into_parts().0
}

fn signed(method: &str, target: &str, access_key: &str, signature: &str) -> Parts {
    head(method, target, &[(&TIMESTAMP, &AT.to_string()), (&ACCESS_KEY, access_key), (&SIGNATURE, signature)])
}

fn is_good(head: &Parts, secret: &str) -> bool {
    Claim::read(head).unwrap().is_signed(head, secret.as_bytes())
}

#[test]
fn the_vectors_are_good_signatures() {
    for (method, target, access_key, secret, signature) in VECTORS {
        assert!(is_good(&signed(method, target, access_key, signature), secret), "{target}");
    }
}

#[test]
fn what_is_signed_cannot_be_changed() {
    let (method, target, access_key, secret, signature) = VECTORS[0];
    for other in ["HEAD", "get", "POST"] {
        assert!(!is_good(&signed(other, target, access_key, signature), secret), "{other}");
    }
    for other in [
        "/kms/v1/keys?pageSize=1&pageNo=1",
        "/kms/v1/keys?pageNo=1&pageSize=1&",
        "/kms/v1/keys?pageNo=%31&pageSize=1",
        "/kms/v1/keys",
        "/kms/v1/keys/?pageNo=1&pageSize=1",
        "/KMS/v1/keys?pageNo=1&pageSize=1",
    ] {
        assert!(!is_good(&signed(method, other, access_key, signature), secret), "{other}");
    }
    assert!(!is_good(&signed(method, target, "AL", signature), secret));
    assert!(!is_good(&signed(method, target, access_key, signature), "SL"));
    let later =
        head(method, target, &[(&TIMESTAMP, "1700000000001"), (&ACCESS_KEY, access_key), (&SIGNATURE, signature)]);
    assert!(!is_good(&later, secret));
}

#[test]
fn every_changed_bit_of_a_signature_is_refused() {
    let (method, target, access_key, secret, signature) = VECTORS[0];
    let bytes = STANDARD.decode(signature).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_good(&signed(method, target, access_key, &STANDARD.encode(changed)), secret), "bit {bit}");
    }
}

#[test]
fn a_target_in_absolute_form_is_signed_without_scheme_and_host() {
    let (method, target, access_key, secret, signature) = VECTORS[0];
    let absolute = format!("http://127.0.0.1:8200{target}");
    assert!(is_good(&signed(method, &absolute, access_key, signature), secret));
}

#[rstest]
#[case(&[(&TIMESTAMP, "1"), (&SIGNATURE, "AA==")], "x-ncp-iam-access-key is required")]
#[case(&[(&ACCESS_KEY, "a"), (&ACCESS_KEY, "a"), (&TIMESTAMP, "1"), (&SIGNATURE, "AA==")], "x-ncp-iam-access-key is required")]
#[case(&[(&ACCESS_KEY, "a"), (&SIGNATURE, "AA==")], "timestamp is required")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "1"), (&TIMESTAMP, "1"), (&SIGNATURE, "AA==")], "timestamp is required")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "1")], "signature-v2 is required")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "1"), (&SIGNATURE, "AA=="), (&SIGNATURE, "AA==")], "signature-v2 is required")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "+1"), (&SIGNATURE, "AA==")], "timestamp must be")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "-1"), (&SIGNATURE, "AA==")], "timestamp must be")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, ""), (&SIGNATURE, "AA==")], "timestamp must be")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "1.0"), (&SIGNATURE, "AA==")], "timestamp must be")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "999999999999999"), (&SIGNATURE, "AA==")], "timestamp must be")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "1"), (&SIGNATURE, "AA==")], "signature-v2 must be")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "1"), (&SIGNATURE, "z8OgaJFfo1idMjk8CQBHuJZTxwG8415enjPYwyRESdI")], "signature-v2 must be")]
#[case(&[(&ACCESS_KEY, "a"), (&TIMESTAMP, "1"), (&SIGNATURE, "z8OgaJFfo1idMjk8CQBHuJZTxwG8415enjPYwyRESdJ=")], "signature-v2 must be")]
fn a_head_that_is_not_whole_is_refused(#[case] headers: &[(&HeaderName, &str)], #[case] text: &str) {
    let head = head("GET", "/", headers);
    let refusal = Claim::read(&head).unwrap_err();
    assert!(refusal.contains(text), "{refusal}");
}

#[test]
fn five_minutes_are_too_much_in_both_directions() {
    let (method, target, access_key, _, signature) = VECTORS[0];
    let head = signed(method, target, access_key, signature);
    let at = |offset_ms: i64| Timestamp::from_micros((AT + offset_ms) * 1000);
    let in_time = |offset_ms| Claim::read(&head).unwrap().in_time(at(offset_ms)).is_ok();
    for good in [0, 299_999, -299_999] {
        assert!(in_time(good), "{good}");
    }
    for bad in [300_000, -300_000, 300_001, -300_001, 3_600_000] {
        assert!(!in_time(bad), "{bad}");
    }
}
