//! Signature v2: what is not signed well, for here and for now, is refused as the cloud's gateway refuses it.

use super::{NOBODY, Scene, path, plaintext};
use crate::support::Home;
use crate::support::aws::AccessKey;
use crate::support::client::{Answer, text};
use crate::support::ncloud::{Draft, Ncloud, data, now, refused, refused_before, signature};
use serde_json::{Value, json};

const TIME: &str = "x-ncp-apigw-timestamp";
const ACCESS_KEY: &str = "x-ncp-iam-access-key";
const SIGNATURE: &str = "x-ncp-apigw-signature-v2";
const WRONG: &str = "The access key or the signature is not valid.";
const MINUTE_MS: i64 = 60 * 1000;

#[tokio::test]
async fn only_well_signed_requests_are_served() {
    let home =
        Home::new().with("CLAVIGER_LOG__FILTER", "debug").with("CLAVIGER_ACCESS__FAILED_ATTEMPTS_PER_MINUTE", "0");
    let scene = Scene::start_in(home).await;
    let key = scene.new_key("BASIC").await;
    signatures_are_good_over_every_transport(&scene, &key).await;
    a_signature_covers_method_target_time_and_access_key(&scene, &key).await;
    the_target_is_signed_as_it_is_sent(&scene, &key).await;
    headers_are_there_once_and_well_formed(&scene).await;
    a_wrong_key_and_a_wrong_secret_are_told_alike(&scene).await;
    a_request_is_signed_within_five_minutes(&scene).await;
    a_body_is_not_signed(&scene, &key).await;
    who_is_not_known_learns_nothing(&scene, &key).await;
    nothing_of_a_signature_is_logged(&scene).await;
    data(&scene.admin.get(&key).await);
}

fn list() -> Draft {
    Draft::of("GET", "/kms/v1/keys?pageNo=1&pageSize=1", None)
}

async fn sent(scene: &Scene, draft: &Draft) -> Answer {
    scene.admin.send(draft.clone()).await
}

/// Expects a refusal for want of a valid signature, to the letter, and gives its details.
#[track_caller]
fn unknown(answer: &Answer) -> String {
    let details = refused_before(answer, 401, "200");
    let shown = Value::from(details.as_str());
    let expected = format!(r#"{{"error":{{"errorCode":"200","message":"Authentication Failed","details":{shown}}}}}"#);
    assert_eq!(answer.text, expected);
    assert_eq!(answer.headers["content-type"], "application/json;charset=UTF-8");
    details
}

async fn signatures_are_good_over_every_transport(scene: &Scene, key: &str) {
    let (clear, tls) = (scene.dev.credential("CLAVIGER_ENDPOINT"), scene.dev.credential("CLAVIGER_TLS_ENDPOINT"));
    for client in
        [scene.admin.clone(), Ncloud::h2c(clear, &scene.key), Ncloud::over_tls(tls, &scene.key, scene.dev.ca())]
    {
        assert_eq!(data(&client.get("/kms/v1/keys?pageNo=1&pageSize=1").await)["currentPageNo"], 1);
        let sealed = data(&client.post(&format!("{key}/encrypt"), &plaintext(b"hi")).await);
        data(&client.post(&format!("{key}/decrypt"), &sealed).await);
        let draft = list().signed(&scene.key, now());
        let other = Draft { target: "/kms/v1/keys?pageNo=1&pageSize=2".into(), ..draft };
        assert_eq!(unknown(&client.send(other).await), WRONG);
        refused(&client.get(&path(NOBODY)).await, 404, "NOT_FOUND");
    }
}

async fn a_signature_covers_method_target_time_and_access_key(scene: &Scene, key: &str) {
    let whole = Draft::of("POST", &format!("{key}/disable"), None).signed(&scene.key, now());
    let header = |name: &str| whole.headers.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let (time, signed) = (header(TIME), header(SIGNATURE));
    let other_time = (time.parse::<i64>().unwrap() + 1).to_string();
    let flipped = match signed.strip_prefix('A') {
        Some(rest) => format!("B{rest}"),
        None => format!("A{}", &signed[1..]),
    };
    let target = |target: String| Draft { target, ..whole.clone() };
    for changed in [
        Draft { method: "PUT".parse().unwrap(), ..whole.clone() },
        Draft { method: "DELETE".parse().unwrap(), target: key.to_owned(), ..whole.clone() },
        target(format!("{key}/enable")),
        target(format!("{key}/disable/")),
        target(format!("{key}/disable?")),
        target(format!("{key}/disable?a=b")),
        target(format!("{}/disable", key.to_uppercase().replace("/KMS/V1/KEYS", "/kms/v1/keys"))),
        whole.clone().with(TIME, &other_time),
        whole.clone().with(TIME, &format!("0{time}")),
        whole.clone().with(SIGNATURE, &flipped),
    ] {
        assert_eq!(unknown(&sent(scene, &changed).await), WRONG, "{changed:?}");
    }
    // Paths in other letters are of nobody.
    let answer = sent(scene, &target(format!("{key}/disable").replace("/kms/", "/KMS/"))).await;
    assert!([401, 404].contains(&answer.status) && !answer.headers.contains_key("x-ncp-request-id"), "{}", answer.text);
    assert_eq!(data(&scene.admin.get(key).await)["status"], "ENABLE", "nothing was done");
    // Headers that nobody reads are not signed.
    let more = whole.with("x-ncp-lang", "ko-KR").with("x-ncp-dmn_cd", "PUB").with("accept-language", "ko");
    data(&sent(scene, &more).await);
    data(&scene.admin.act(&format!("{key}/enable")).await);
}

async fn the_target_is_signed_as_it_is_sent(scene: &Scene, key: &str) {
    for target in [
        "/kms/v1/keys?pageSize=1&pageNo=1",
        "/kms/v1/keys?pageNo=1&pageSize=1&",
        "/kms/v1/keys?",
        "/kms/v1/keys?a=%2F%2f%20+~&b=%ED%95%9C",
        "/kms/v1/keys?a=/?:@!$()*,;&&=",
        &format!("{key}?x"),
    ] {
        let answer = sent(scene, &Draft::of("GET", target, None).signed(&scene.key, now())).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text);
    }
    // Signed in another form than sent: decoded, encoded, in order, in lower case, without the query, with an authority.
    for (signed, sent_as) in [
        ("/kms/v1/keys?a=/", "/kms/v1/keys?a=%2F"),
        ("/kms/v1/keys?a=%2f", "/kms/v1/keys?a=%2F"),
        ("/kms/v1/keys?a=%20", "/kms/v1/keys?a=+"),
        ("/kms/v1/keys?a=1&b=2", "/kms/v1/keys?b=2&a=1"),
        ("/kms/v1/keys", "/kms/v1/keys?pageNo=1"),
        ("/kms/v1/keys", "/kms/v1/keys?"),
        ("/kms/v1/keys?", "/kms/v1/keys"),
        ("http://127.0.0.1/kms/v1/keys", "/kms/v1/keys"),
        ("/v1/keys", "/kms/v1/keys"),
    ] {
        let draft = Draft::of("GET", signed, None).signed(&scene.key, now());
        let answer = sent(scene, &Draft { target: sent_as.into(), ..draft }).await;
        assert_eq!(unknown(&answer), WRONG, "{signed} as {sent_as}");
    }
}

async fn headers_are_there_once_and_well_formed(scene: &Scene) {
    let whole = list().signed(&scene.key, now());
    data(&sent(scene, &whole).await);
    for name in [TIME, ACCESS_KEY, SIGNATURE] {
        let expected = format!("The header {name} is required, once.");
        assert_eq!(unknown(&sent(scene, &whole.clone().without(name)).await), expected);
        let mut twice = whole.clone();
        let header = twice.headers.iter().find(|(known, _)| known == name).unwrap().clone();
        twice.headers.push(header);
        assert_eq!(unknown(&sent(scene, &twice).await), expected);
    }
    for (name, value) in [
        (TIME, ""),
        (TIME, "0x1"),
        (TIME, "-1"),
        (TIME, "+1"),
        (TIME, "1.5"),
        (TIME, "2026-01-01T00:00:00Z"),
        (TIME, "99999999999999999999"),
        (SIGNATURE, ""),
        (SIGNATURE, "AA=="),
        (SIGNATURE, "%"),
        (SIGNATURE, "z8OgaJFfo1idMjk8CQBHuJZTxwG8415enjPYwyRESdI"),
        (SIGNATURE, "z8OgaJFfo1idMjk8CQBHuJZTxwG8415enjPYwyRESdI=, AA=="),
    ] {
        let details = unknown(&sent(scene, &whole.clone().with(name, value)).await);
        assert!(details.starts_with(&format!("The header {name} must be ")), "{name}: {value}: {details}");
    }
    // In seconds, as of 1970.
    let seconds = list().signed(&scene.key, now() / 1000);
    assert!(unknown(&sent(scene, &seconds).await).contains("5 minutes"));
    // Signature v1 is another.
    let mut old = whole.clone().without(SIGNATURE);
    old.headers.push(("x-ncp-apigw-signature-v1".into(), "AA==".into()));
    old.headers.push(("x-ncp-apigw-api-key".into(), "key".into()));
    assert!(unknown(&sent(scene, &old).await).contains(SIGNATURE));
}

async fn a_wrong_key_and_a_wrong_secret_are_told_alike(scene: &Scene) {
    let known = &scene.key;
    let other = scene.rest.service_account(scene.dev.folder(), "other").await;
    let other = crate::aws_wire::access_key(&scene.rest, &other).await;
    let wrong = [
        AccessKey { secret: other.secret, ..known.clone() },
        AccessKey { id: other.id, ..known.clone() },
        AccessKey { secret: "wrong".into(), ..known.clone() },
        AccessKey { secret: known.secret.to_lowercase(), ..known.clone() },
        AccessKey { secret: scene.dev.credential("CLAVIGER_TOKEN").into(), ..known.clone() },
        AccessKey { id: "AKIAIOSFODNN7EXAMPLE".into(), ..known.clone() },
        AccessKey { id: known.id.to_lowercase(), ..known.clone() },
        AccessKey { id: format!("{}0", known.id), ..known.clone() },
        AccessKey { id: "x".repeat(4000), ..known.clone() },
        AccessKey { id: String::new(), ..known.clone() },
    ];
    for key in wrong {
        assert_eq!(unknown(&sent(scene, &list().signed(&key, now())).await), WRONG, "{}", key.id);
    }
}

async fn a_request_is_signed_within_five_minutes(scene: &Scene) {
    // The bounds to the millisecond are tried where the clock stands still.
    for good in [0, -4 * MINUTE_MS - 50_000, 4 * MINUTE_MS + 59_000] {
        data(&sent(scene, &list().signed(&scene.key, now() + good)).await);
    }
    for bad in [-5 * MINUTE_MS, -5 * MINUTE_MS - 1, 5 * MINUTE_MS + 30_000, -24 * 60 * MINUTE_MS, 24 * 60 * MINUTE_MS] {
        let details = unknown(&sent(scene, &list().signed(&scene.key, now() + bad)).await);
        assert!(details.contains("5 minutes or more"), "{bad}: {details}");
    }
}

async fn a_body_is_not_signed(scene: &Scene, key: &str) {
    let draft = Draft::of("PUT", &format!("{key}/memo"), Some(&json!({"memo": "one"}))).signed(&scene.key, now());
    for memo in ["one", "other"] {
        let body = Some(serde_json::to_vec(&json!({"memo": memo})).unwrap());
        assert_eq!(data(&sent(scene, &Draft { body, ..draft.clone() }).await)["memo"], memo);
    }
}

async fn who_is_not_known_learns_nothing(scene: &Scene, key: &str) {
    let targets = [
        ("GET", key.to_owned()),
        ("GET", path(NOBODY)),
        ("PATCH", key.to_owned()),
        ("POST", format!("{key}/no-such-thing")),
        ("GET", "/kms/v1/nothing".into()),
        ("POST", format!("{key}/encrypt")),
        ("POST", "/keys/v1/x/encrypt".into()),
        ("GET", "/keys/v2".into()),
    ];
    let stranger = AccessKey { secret: "wrong".into(), ..scene.key.clone() };
    for (method, target) in &targets {
        let draft = Draft { body: Some(b"{".to_vec()), ..Draft::of(method, target, None) };
        assert_eq!(unknown(&sent(scene, &draft.clone().signed(&stranger, now())).await), WRONG, "{method} {target}");
        let details = unknown(&sent(scene, &draft.with("x-ncp-lang", "en")).await);
        assert_eq!(details, format!("The header {ACCESS_KEY} is required, once."), "{method} {target}");
    }
    for (method, target) in &targets[2..5] {
        refused_before(&scene.admin.call(method, target, None).await, 404, "300");
    }
}

async fn nothing_of_a_signature_is_logged(scene: &Scene) {
    let at = now();
    let good = signature("GET", &list().target, &at.to_string(), &scene.key.id, &scene.key.secret);
    data(&sent(scene, &list().signed(&scene.key, at)).await);
    let wrong = AccessKey { secret: "not-the-secret".into(), ..scene.key.clone() };
    let bad = signature("GET", &list().target, &at.to_string(), &wrong.id, &wrong.secret);
    unknown(&sent(scene, &list().signed(&wrong, at)).await);
    let log = scene.home.log();
    for secret in [&good, &bad, &scene.key.secret, &wrong.secret] {
        assert!(!log.contains(secret.as_str()), "a signature or secret was logged");
    }
}

#[tokio::test]
async fn credentials_that_ended_are_good_for_nothing_at_once() {
    let scene = Scene::start().await;
    let (revoked, id) = scene.principal_of(scene.dev.folder(), "revoked", &["kms.viewer"]).await;
    let credentials = scene.rest.get(&format!("/claviger/v1/principals/{id}/credentials")).await.ok();
    let credential = text(&credentials["credentials"][0]["id"]);
    data(&revoked.get("/kms/v1/keys").await);
    scene.rest.post(&format!("/claviger/v1/credentials/{credential}:revoke"), &json!({})).await.ok();
    assert_eq!(unknown(&revoked.get("/kms/v1/keys").await), WRONG);

    let (deleted, id) = scene.principal_of(scene.dev.folder(), "deleted", &["kms.viewer"]).await;
    data(&deleted.get("/kms/v1/keys").await);
    let gone = scene.rest.delete(&format!("/claviger/v1/principals/{id}")).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    assert_eq!(unknown(&deleted.get("/kms/v1/keys").await), WRONG);

    let id = scene.rest.service_account(scene.dev.folder(), "expired").await;
    scene.bind(&format!("/claviger/v1/folders/{}", scene.dev.folder()), "kms.viewer", &id).await;
    let body = json!({"type": "accessKey", "name": "short", "ttl": "1s"});
    let issued = scene.rest.post(&format!("/claviger/v1/principals/{id}/credentials"), &body).await.ok();
    let key = AccessKey { id: text(&issued["credential"]["accessKeyId"]), secret: text(&issued["secret"]) };
    let expired = Ncloud::new(scene.dev.credential("CLAVIGER_ENDPOINT"), &key);
    loop {
        let answer = expired.get("/kms/v1/keys").await;
        if answer.status != 200 {
            break assert_eq!(unknown(&answer), WRONG);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn failed_attempts_are_throttled_and_the_busy_are_slowed_while_others_are_served() {
    const LIMIT: usize = 5;
    let limit = LIMIT.to_string();
    let home = Home::new()
        .with("CLAVIGER_ACCESS__FAILED_ATTEMPTS_PER_MINUTE", &limit)
        .with("CLAVIGER_ACCESS__REQUESTS_PER_PRINCIPAL", &limit);
    let scene = Scene::start_in(home).await;
    let caller = scene.caller("busy", &["kms.viewer"]).await;
    let wrong = AccessKey { secret: "wrong".into(), ..scene.key.clone() };
    let mut throttled = Vec::new();
    for turn in 0..4 * LIMIT {
        let answer = sent(&scene, &list().signed(&wrong, now())).await;
        if turn < LIMIT || answer.status == 401 {
            assert_eq!(unknown(&answer), WRONG);
        } else {
            throttled.push(answer);
        }
    }
    let nonsense = scene.admin.with_token("nonsense").get("/kms/v1/keys").await;
    assert!([401, 429].contains(&nonsense.status), "{}", nonsense.text);
    assert!(!throttled.is_empty(), "no attempt was throttled");
    for answer in &throttled {
        assert!(refused_before(answer, 429, "400").contains("too many failed attempts"), "{}", answer.text);
        assert_eq!(answer.headers["retry-after"], "60");
    }
    // One address, and one of the same principal: whoever has the secret is served.
    data(&scene.admin.get("/kms/v1/keys").await);
    data(&caller.get("/kms/v1/keys").await);
    let answers = futures_util::future::join_all((0..12 * LIMIT).map(|_| caller.get("/kms/v1/keys"))).await;
    let (good, slowed): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(!slowed.is_empty() && !good.is_empty(), "{} good, {} slowed", good.len(), slowed.len());
    for answer in slowed {
        refused_before(answer, 429, "400");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    data(&scene.admin.get("/kms/v1/keys").await);
}
