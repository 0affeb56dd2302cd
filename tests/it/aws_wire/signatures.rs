//! Signature Version 4: what is not signed well, for here and for now, is refused by the cloud's names.

use super::Scene;
use crate::support::Home;
use crate::support::aws::{AccessKey, Draft, Raw, Signer, amz_date, error, good, refused, sdk};
use serde_json::json;

const MISSING: &str = "MissingAuthenticationTokenException";
const INCOMPLETE: &str = "IncompleteSignatureException";
const INVALID: &str = "InvalidSignatureException";
const UNKNOWN: &str = "UnrecognizedClientException";

#[tokio::test]
async fn only_well_signed_requests_are_served() {
    let scene = Scene::start_in(Home::new().with("CLAVIGER_LOG__FILTER", "debug")).await;
    let raw = &scene.admin.raw;
    raw.call("ListKeys", &json!({})).await.ok();
    unsigned_requests_are_refused(raw).await;
    half_signatures_are_refused(raw).await;
    a_signature_covers_the_whole_request(raw).await;
    the_headers_that_matter_must_be_signed(raw).await;
    the_scope_must_be_ours(raw).await;
    the_date_must_be_now(raw).await;
    unknown_keys_and_sessions_are_refused(&scene).await;
    presigned_requests_are_refused(raw).await;
    other_paths_are_refused(raw).await;
    nothing_of_a_signature_is_logged(&scene).await;
    raw.call("ListKeys", &json!({})).await.ok();
}

fn list() -> Draft {
    Draft::of("ListKeys", "{}")
}

fn signed(raw: &Raw, draft: &Draft) -> Draft {
    raw.signer.sign(draft, &raw.host())
}

async fn assert_refused(raw: &Raw, draft: &Draft, code: &str) -> String {
    let answer = raw.send(draft).await;
    let (found, text) = error(&answer);
    assert_eq!(found, code, "{text}: {draft:?}");
    assert!(!text.is_empty());
    text
}

async fn unsigned_requests_are_refused(raw: &Raw) {
    assert_eq!(assert_refused(raw, &list(), MISSING).await, "Request is missing Authentication Token");
    for body in ["", "{", "{}"] {
        assert_refused(raw, &Draft::of("Encrypt", body), MISSING).await;
    }
    // What is no signature of this kind is either none at all or an incomplete one.
    for authorization in ["Bearer x", "Basic eDp4", "AWS a:b", "AWS4-ECDSA-P256-SHA256 Credential=x"] {
        let answer = raw.send(&list().with("authorization", authorization)).await;
        let (code, text) = error(&answer);
        assert!([MISSING, INCOMPLETE].contains(&code.as_str()), "{authorization}: {code} {text}");
    }
}

async fn half_signatures_are_refused(raw: &Raw) {
    let whole = signed(raw, &list());
    let value = whole.header("authorization").to_owned();
    let (algorithm, parts) = value.split_once(' ').unwrap();
    let parts: Vec<_> = parts.split(", ").collect();
    for missing in 0..3 {
        let mut rest = parts.clone();
        rest.remove(missing);
        let half = whole.clone().with("authorization", &format!("{algorithm} {}", rest.join(", ")));
        assert_refused(raw, &half, INCOMPLETE).await;
    }
    for broken in [
        algorithm.to_owned(),
        format!("{algorithm} Credential"),
        format!("{algorithm} Credential=, {}", parts[1..].join(", ")),
    ] {
        assert_refused(raw, &whole.clone().with("authorization", &broken), INCOMPLETE).await;
    }
    let short_scope = value.replace("/kms/aws4_request", "");
    assert_refused(raw, &whole.clone().with("authorization", &short_scope), INCOMPLETE).await;
    assert_refused(raw, &whole.clone().without("x-amz-date"), INCOMPLETE).await;
    for date in ["yesterday", "20260101", "2026-01-01T00:00:00Z", ""] {
        assert_refused(raw, &whole.clone().with("x-amz-date", date), INCOMPLETE).await;
    }
}

async fn a_signature_covers_the_whole_request(raw: &Raw) {
    let whole = signed(raw, &list());
    raw.send(&whole).await.ok();
    let text = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                Access Key and signing method. Consult the service documentation for details.";
    let other_body = Draft { body: b"{\"Limit\":1}".to_vec(), ..whole.clone() };
    let other_target = whole.clone().with("x-amz-target", "TrentService.ListAliases");
    let other_type = whole.clone().with("content-type", "application/json");
    let value = whole.header("authorization").to_owned();
    let at = value.len() - 1;
    let last = if value.ends_with('0') { '1' } else { '0' };
    let flipped = whole.clone().with("authorization", &format!("{}{last}", &value[..at]));
    let cut = whole.clone().with("authorization", &value[..at]);
    for changed in [other_body, other_target, other_type, flipped] {
        let found = assert_refused(raw, &changed, INVALID).await;
        assert_eq!(found, text);
    }
    let answer = raw.send(&cut).await;
    assert!([INVALID, INCOMPLETE].contains(&error(&answer).0.as_str()), "{}", answer.text);
    let key = AccessKey { secret: "wrong".into(), ..raw.signer.key.clone() };
    let wrong = raw.signed_by(Signer { key, ..raw.signer.clone() });
    assert_eq!(error(&wrong.signed(&list()).await), (INVALID.into(), text.into()));
    // Signed for another host, as one that somebody else received would be.
    let elsewhere = raw.signer.sign(&list(), "kms.us-east-1.amazonaws.com");
    assert_refused(raw, &elsewhere, INVALID).await;
}

async fn the_headers_that_matter_must_be_signed(raw: &Raw) {
    for name in ["host", "x-amz-date", "x-amz-target"] {
        let signer = Signer { unsigned: vec![name.into()], ..raw.signer.clone() };
        let (code, text) = error(&raw.signed_by(signer).signed(&list()).await);
        assert_eq!(code, INVALID, "{name}: {text}");
    }
    // A header that SDKs add and nobody reads need not be.
    let signer = Signer { unsigned: vec!["user-agent".into()], ..raw.signer.clone() };
    raw.signed_by(signer).signed(&list().with("user-agent", "tests")).await.ok();
    // Any number of other headers may be.
    raw.signed(&list().with("x-amz-user-agent", "tests").with("accept-language", "en,  de")).await.ok();
}

async fn the_scope_must_be_ours(raw: &Raw) {
    let signer = &raw.signer;
    let day = Some(amz_date(-2 * 24 * 3600)[..8].to_owned());
    for other in [
        Signer { service: "s3".into(), ..signer.clone() },
        Signer { region: "eu-west-3".into(), ..signer.clone() },
        Signer { terminator: "aws5_request".into(), ..signer.clone() },
        Signer { scope_day: day, ..signer.clone() },
    ] {
        let (code, text) = error(&raw.signed_by(other.clone()).signed(&list()).await);
        assert_eq!(code, INVALID, "{other:?}: {text}");
        assert!(!text.is_empty());
    }
}

async fn the_date_must_be_now(raw: &Raw) {
    for skew in [-240, 240] {
        raw.signed_by(Signer { skew, ..raw.signer.clone() }).signed(&list()).await.ok();
    }
    let skewed = raw.signed_by(Signer { skew: -360, ..raw.signer.clone() });
    let draft = skewed.signer.sign(&list(), &raw.host());
    let text = assert_refused(raw, &draft, INVALID).await;
    let start = format!("Signature expired: {} is now earlier than ", draft.header("x-amz-date"));
    assert!(text.starts_with(&start) && text.ends_with(" - 5 min.)"), "{text}");
    for skew in [-900, -24 * 3600, -365 * 24 * 3600] {
        let (code, text) = error(&raw.signed_by(Signer { skew, ..raw.signer.clone() }).signed(&list()).await);
        assert_eq!(code, INVALID);
        assert!(text.starts_with("Signature expired: "), "{text}");
    }
    for skew in [360, 900, 24 * 3600] {
        let (code, text) = error(&raw.signed_by(Signer { skew, ..raw.signer.clone() }).signed(&list()).await);
        assert_eq!(code, INVALID);
        assert!(text.starts_with("Signature not yet current: "), "{text}");
    }
}

async fn unknown_keys_and_sessions_are_refused(scene: &Scene) {
    let raw = &scene.admin.raw;
    let text = "The security token included in the request is invalid.";
    for id in ["AKIAIOSFODNN7EXAMPLE", "x"] {
        let key = AccessKey { id: id.into(), ..raw.signer.key.clone() };
        let unknown = sdk(scene.endpoint(), &raw.signer.region, &key);
        refused(unknown.list_keys().send().await, UNKNOWN, text);
    }
    let said = assert_refused(raw, &signed(raw, &list().with("x-amz-security-token", "session")), UNKNOWN).await;
    assert!(said.to_lowercase().contains("session"), "{said}");
    let unsigned = signed(raw, &list()).with("x-amz-security-token", "session");
    assert_refused(raw, &unsigned, UNKNOWN).await;
    good(scene.admin.kms.list_keys().send().await);
}

async fn presigned_requests_are_refused(raw: &Raw) {
    let query = format!(
        "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}%2Fus-east-1%2Fkms%2Faws4_request&X-Amz-Date={}\
         &X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
        raw.signer.key.id,
        &raw.signer.date()[..8],
        raw.signer.date(),
        "0".repeat(64)
    );
    let draft = Draft { path: query, ..list() };
    let said = assert_refused(raw, &draft, INCOMPLETE).await;
    assert!(said.to_lowercase().contains("header"), "{said}");
}

async fn other_paths_are_refused(raw: &Raw) {
    let signed = raw.signed(&Draft { path: "/?Action=ListKeys".into(), ..list() }).await;
    assert_eq!(signed.status, 400, "{}", signed.text);
}

async fn nothing_of_a_signature_is_logged(scene: &Scene) {
    let draft = signed(&scene.admin.raw, &list());
    scene.admin.raw.send(&draft).await.ok();
    let signature = draft.header("authorization").rsplit('=').next().unwrap();
    let log = scene.home.log();
    assert!(!log.contains(signature) && !log.contains(&scene.admin.key.secret), "a signature was logged");
}
