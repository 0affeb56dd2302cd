//! Members of requests and answers, by their spelling.

use super::super::super::yandex::json::{from_body, from_query};
use super::*;
use crate::domain::id::{AccountId, CredentialId, FolderId, PrincipalId};
use crate::service::ports::{SealedMaterial, TokenIdentity};
use rstest::rstest;
use serde_json::json;

const CREATED: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const LATER: Timestamp = Timestamp::from_micros(1_700_000_060_000_000);
const FOLDER: FolderId = FolderId::from_bytes([2; 16]);

fn record(secret: CredentialSecret) -> CredentialRecord {
    CredentialRecord {
        id: CredentialId::from_bytes([1; 16]),
        principal_id: PrincipalId::from_bytes([3; 16]),
        folder_id: FOLDER,
        name: "n".into(),
        secret,
        created_at: CREATED,
        expires_at: None,
        revoked_at: None,
    }
}

fn shown(record: CredentialRecord) -> serde_json::Value {
    serde_json::to_value(Credential::of(CredentialView { record, last_used_at: None }, LATER)).unwrap()
}

#[test]
fn a_credential_is_shown_without_its_secret() {
    let record = CredentialRecord {
        expires_at: Some(LATER.plus(std::time::Duration::from_secs(1))),
        ..record(CredentialSecret::TokenSha256([7; 32]))
    };
    let view = CredentialView { record, last_used_at: Some(LATER) };
    assert_eq!(
        serde_json::to_value(Credential::of(view, LATER)).unwrap(),
        json!({
            "id": "01010101-0101-0101-0101-010101010101",
            "principalId": "03030303-0303-0303-0303-030303030303",
            "folderId": "02020202-0202-0202-0202-020202020202",
            "type": "apiToken",
            "name": "n",
            "state": "ACTIVE",
            "createdAt": "2023-11-14T22:13:20Z",
            "expiresAt": "2023-11-14T22:14:21Z",
            "lastUsedAt": "2023-11-14T22:14:20Z",
        })
    );
}

#[test]
fn each_kind_of_credential_shows_what_it_is_known_by() {
    let sealed = SealedMaterial { sealed_by: 1, bytes: vec![0xee; 8] };
    let pair = shown(record(CredentialSecret::AccessKey { access_key_id: "CLAVEXAMPLE".into(), sealed }));
    assert_eq!((&pair["type"], &pair["accessKeyId"]), (&json!("accessKey"), &json!("CLAVEXAMPLE")));
    assert!(!pair.to_string().contains("ee"), "{pair}");
    let certificate = shown(record(CredentialSecret::CertificateSha256([0xab; 32])));
    assert_eq!((&certificate["type"], &certificate["spkiSha256"]), (&json!("certificate"), &json!("ab".repeat(32))));
    let public_key = shown(record(CredentialSecret::PublicKey(b"abc".to_vec())));
    // FIPS 180-2, appendix B.1
    let sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!((&public_key["type"], &public_key["spkiSha256"]), (&json!("publicKey"), &json!(sha256_of_abc)));
}

#[rstest]
#[case(None, None, "ACTIVE")]
#[case(Some(LATER), None, "EXPIRED")]
#[case(Some(CREATED), Some(LATER), "REVOKED")]
#[case(None, Some(CREATED), "REVOKED")]
fn the_state_is_that_of_the_moment(
    #[case] expires_at: Option<Timestamp>,
    #[case] revoked_at: Option<Timestamp>,
    #[case] state: &str,
) {
    let record = CredentialRecord { expires_at, revoked_at, ..record(CredentialSecret::TokenSha256([7; 32])) };
    assert_eq!(shown(record)["state"], state);
}

#[test]
fn folders_and_principals_are_shown() {
    let folder =
        ports::Folder { id: FOLDER, account_id: AccountId::from_stored(42), name: "f".into(), created_at: CREATED };
    assert_eq!(
        serde_json::to_value(Folders { folders: vec![folder.into()], next_page_token: String::new() }).unwrap(),
        json!({ "folders": [{
            "id": "02020202-0202-0202-0202-020202020202",
            "name": "f",
            "accountId": "000000000042",
            "createdAt": "2023-11-14T22:13:20Z",
        }] })
    );
    let principal = ports::Principal {
        id: PrincipalId::from_bytes([3; 16]),
        folder_id: FOLDER,
        kind: PrincipalKind::ServiceAccount,
        name: "p".into(),
        created_at: CREATED,
        deleted_at: Some(LATER),
    };
    assert_eq!(
        serde_json::to_value(Principals { principals: vec![principal.into()], next_page_token: "t".into() }).unwrap(),
        json!({ "principals": [{
            "id": "03030303-0303-0303-0303-030303030303",
            "folderId": "02020202-0202-0202-0202-020202020202",
            "type": "serviceAccount",
            "name": "p",
            "createdAt": "2023-11-14T22:13:20Z",
            "deletedAt": "2023-11-14T22:14:20Z",
        }], "nextPageToken": "t" })
    );
}

#[rstest]
#[case(Protection::Trusted, true, "T", false)]
#[case(Protection::NonExtractable, true, "N", false)]
#[case(Protection::Weak, true, "W", true)]
#[case(Protection::Trusted, false, "T", true)]
fn a_key_says_whether_a_pin_holder_can_export_it(
    #[case] protection: Protection,
    #[case] hosted: bool,
    #[case] profile: &str,
    #[case] exportable: bool,
) {
    let text = |it: &str| it.to_owned();
    let identity = TokenIdentity {
        label: text("l"),
        manufacturer: text("m"),
        model: text("o"),
        serial: text("s"),
        firmware: text("1.2"),
        library: text("lib"),
    };
    let assurance = Assurance::HsmValidated("FIPS".into());
    let shown = KeyProtection::of(TokenDescription { identity, protection, assurance }, hosted);
    assert_eq!(
        serde_json::to_value(shown).unwrap(),
        json!({
            "assurance": "hsm-validated",
            "certificate": "FIPS",
            "profile": profile,
            "pinHolderCanExport": exportable,
            "hostedByHsm": hosted,
            "tokenLabel": "l",
            "tokenManufacturer": "m",
            "tokenModel": "o",
            "tokenSerial": "s",
            "tokenFirmware": "1.2",
        })
    );
}

#[rstest]
#[case(r#"{"type":"apiToken","color":"red"}"#)]
#[case(r#"{"type":"apiToken","type":"accessKey"}"#)]
#[case(r#"{"type":"password"}"#)]
#[case(r#"{"ttl":"90d"}"#)]
#[case(r#"{"expiresAt":"tomorrow"}"#)]
#[case(r#"{"name":7}"#)]
#[case("[]")]
#[case(r#"["apiToken","n"]"#)]
#[case(r#""apiToken""#)]
fn a_request_with_other_members_is_refused(#[case] body: &str) {
    assert!(from_body::<Object<IssueCredential>>(body.as_bytes()).is_err());
}

#[test]
fn a_request_is_read() {
    let body = br#"{"type":"publicKey","name":"n","ttl":"86400s","publicKey":"pem","certificate":null}"#;
    let Object(request): Object<IssueCredential> = from_body(body).unwrap();
    assert_eq!(request.r#type, Some(CredentialType::PublicKey));
    assert_eq!((request.ttl.unwrap().seconds, request.public_key.as_deref()), (86_400, Some("pem")));
    let query: PrincipalsQuery = from_query(&"/p?folderId=f&pageSize=5&pageToken=t".parse().unwrap()).unwrap();
    assert_eq!((query.folder_id.as_str(), query.page_size, query.page_token.as_str()), ("f", 5, "t"));
}

#[rstest]
#[case("pageSize=five")]
#[case("pageSize=")]
#[case("pageSize=5&pageSize=5")]
#[case("size=5")]
fn other_query_parameters_are_refused(#[case] query: &str) {
    assert!(from_query::<PageQuery>(&format!("/p?{query}").parse().unwrap()).is_err());
}
