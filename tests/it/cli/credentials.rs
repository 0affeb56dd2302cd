//! `claviger credential`

use super::{FAILED, REFUSED, Ran, Shell, UNKNOWN, USAGE, caller, masked, text};
use crate::support::{Dev, Home};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

struct Scene {
    home: Home,
    dev: Dev,
    shell: Shell,
    principal: String,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let home = Home::new().with("CLAVIGER_LOG__FILTER", "debug");
        let dev = home.start().await;
        let shell = Shell::of(&dev);
        let principal = shell.id(&["principal", "create", "--name", "app"]);
        Self { home, dev, shell, principal, directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn issue(&self, arguments: &[&str]) -> Ran {
        self.shell.run(&[&["credential", "create", "--principal", &self.principal], arguments].concat())
    }

    fn list(&self) -> Vec<Value> {
        self.shell.json(&["credential", "list", "--principal", &self.principal]).as_array().unwrap().clone()
    }

    fn assert_not_logged(&self, secret: &str) {
        assert!(secret.len() > 20 && !self.home.log().contains(secret), "a secret was logged");
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The id in the line on standard error.
fn issued_id(ran: &Ran) -> String {
    let id = ran.stderr.split([' ', ',']).nth(1).unwrap();
    assert!(ran.stderr.ends_with("shown this once\n") && id.len() == 36, "{}", ran.stderr);
    id.to_owned()
}

#[tokio::test]
async fn an_api_token_is_shown_once_works_and_is_revoked() {
    let scene = Scene::new().await;
    let ran = scene.issue(&["--type", "api-token", "--name", "deploy", "--ttl", "90d"]);
    let id = issued_id(&ran);
    assert!(ran.stderr.contains(", expires 2"), "{}", ran.stderr);
    let token = ran.printed(&[]).trim().to_owned();
    let app = scene.shell.as_caller(&token);
    assert_eq!(text(&app.json(&["whoami"]), "/credential/id"), id);
    scene.assert_not_logged(&token);

    let shown = scene.shell.json(&["credential", "show", &id]);
    assert_eq!((&shown["state"], &shown["name"]), (&"ACTIVE".into(), &"deploy".into()));
    assert!(shown["expiresAt"].is_string() && !shown.to_string().contains(&token), "{shown}");
    let listed = masked(&scene.shell.ok(&["credential", "list", "--principal", &scene.principal]));
    assert!(
        listed.starts_with("ID TYPE NAME STATE CREATED EXPIRES LAST USED\n<id> apiToken deploy ACTIVE <time> <time>")
    );

    assert_eq!(scene.shell.ok(&["credential", "revoke", &id]), format!("credential {id} is revoked\n"));
    app.refused(&["whoami"], REFUSED, "a valid credential is required");
    assert_eq!(scene.shell.json(&["credential", "revoke", &id])["state"], "REVOKED");
    let revoked = masked(&scene.shell.ok(&["credential", "show", &id]));
    assert!(revoked.contains("state REVOKED") && revoked.contains("revoked <time>"), "{revoked}");
}

#[tokio::test]
async fn access_keys_are_printed_as_variables_and_as_the_servers_json() {
    let scene = Scene::new().await;
    let ran = scene.issue(&["--type", "access-key", "--name", "s3"]);
    let id = issued_id(&ran);
    assert_eq!(ran.stderr, format!("credential {id}, shown this once\n"));
    let printed = ran.printed(&[]);
    let lines: Vec<_> = printed.lines().map(|line| line.split_once('=').unwrap()).collect();
    let [("AWS_ACCESS_KEY_ID", key_id), ("AWS_SECRET_ACCESS_KEY", secret)] = lines[..] else { panic!("{printed}") };
    assert_eq!(scene.shell.json(&["credential", "show", &id])["accessKeyId"], key_id);
    scene.assert_not_logged(secret);
    let other: Value = serde_json::from_str(&scene.issue(&["--type", "access-key", "--json"]).printed(&[])).unwrap();
    assert_ne!(text(&other, "/secret"), secret);
    assert_eq!(text(&other, "/credential/type"), "accessKey");
    scene.assert_not_logged(&text(&other, "/secret"));
}

#[tokio::test]
async fn a_secret_goes_into_a_new_file_that_is_its_owners_only() {
    let scene = Scene::new().await;
    let file = scene.file("token");
    let id = scene.issue(&["--type", "api-token", "--output", path(&file)]).printed(&[]).trim().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text(&scene.shell.as_caller(token.trim()).json(&["whoami"]), "/credential/id"), id);

    scene.issue(&["--type", "api-token", "--output", path(&file)]).assert_refused(FAILED, "exists");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), token);
    assert_eq!(scene.list().len(), 1, "a credential was issued whose secret nobody has");
    let other = scene.file("other");
    let long = "x".repeat(101);
    scene.issue(&["--type", "api-token", "--name", &long, "--output", path(&other)]).assert_refused(REFUSED, "name");
    assert!(!other.exists());
    let json = scene.issue(&["--type", "api-token", "--output", path(&other), "--json"]).printed(&[]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json.get("secret").is_none() && json["credential"]["state"] == "ACTIVE", "{json}");
}

#[tokio::test]
async fn the_key_of_a_service_account_is_made_here_and_logs_in() {
    let scene = Scene::new().await;
    let file = scene.file("key.json");
    let id = scene.issue(&["--type", "key", "--output", path(&file)]).printed(&[]).trim().to_owned();
    let key: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((text(&key, "/id"), text(&key, "/service_account_id")), (id.clone(), scene.principal.clone()));
    let private = text(&key, "/private_key");
    scene.assert_not_logged(private.lines().nth(1).unwrap());

    let shown = scene.shell.json(&["credential", "show", &id]);
    assert_eq!(text(&key, "/created_at"), text(&shown, "/createdAt"));
    let from = text(&shown, "/createdAt").parse::<jiff::Timestamp>().unwrap().as_second();
    let claims = json!({
        "iss": scene.principal,
        "aud": "https://iam.api.cloud.yandex.net/iam/v1/tokens",
        "iat": from,
        "exp": from + 3600,
    });
    let header = Header { kid: Some(id), ..Header::new(Algorithm::PS256) };
    let signer = EncodingKey::from_rsa_pem(private.as_bytes()).unwrap();
    let jwt = jsonwebtoken::encode(&header, &claims, &signer).unwrap();
    let login = scene.dev.rest().with_token("").post("/iam/v1/tokens", &json!({ "jwt": jwt })).await.ok();
    let me = scene.shell.as_caller(&text(&login, "/iamToken")).json(&["whoami"]);
    assert_eq!(text(&me, "/principal/id"), scene.principal);

    let public = scene.file("public.pem");
    std::fs::write(&public, text(&key, "/public_key")).unwrap();
    let second = scene.issue(&["--type", "key", "--public-key", path(&public)]).printed(&[]).trim().to_owned();
    let [one, two] = [text(&shown, "/id"), second].map(|id| scene.shell.json(&["credential", "show", &id]));
    assert_eq!(text(&one, "/spkiSha256"), text(&two, "/spkiSha256"));
    let printed: Value = serde_json::from_str(&scene.issue(&["--type", "key"]).printed(&[])).unwrap();
    assert!(text(&printed, "/private_key").contains("BEGIN PRIVATE KEY"));
    let printed: Value = serde_json::from_str(&scene.issue(&["--type", "key", "--json"]).printed(&[])).unwrap();
    assert_eq!(printed["key"]["id"], printed["credential"]["id"]);
}

#[tokio::test]
async fn a_client_certificate_is_registered_and_calls() {
    let scene = Scene::new().await;
    let pair = rcgen::KeyPair::generate().unwrap();
    let identity = rcgen::CertificateParams::new(vec!["client".into()]).unwrap().self_signed(&pair).unwrap();
    let [certificate, key] = ["client.pem", "client.key"].map(|name| scene.file(name));
    std::fs::write(&certificate, identity.pem()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    let id =
        scene.issue(&["--type", "certificate", "--certificate", path(&certificate)]).printed(&[]).trim().to_owned();
    let with_certificate = scene
        .shell
        .clone()
        .without("CLAVIGER_TOKEN")
        .with("CLAVIGER_CLIENT_CERTIFICATE", path(&certificate))
        .with("CLAVIGER_CLIENT_KEY", path(&key));
    assert_eq!(text(&with_certificate.json(&["whoami"]), "/credential/id"), id);
    let shown = masked(&scene.shell.ok(&["credential", "show", &id]));
    assert!(shown.contains("public key SHA-256 <sha256>") && shown.contains("expires <time>"), "{shown}");
    scene.issue(&["--type", "certificate", "--certificate", path(&certificate)]).assert_refused(REFUSED, "in use");
    scene.issue(&["--type", "certificate", "--certificate", path(&key)]).assert_refused(USAGE, "private key");

    let plain = with_certificate.clone().without("CLAVIGER_TLS_ENDPOINT");
    plain.refused(&["whoami"], USAGE, "CLAVIGER_TLS_ENDPOINT");
    with_certificate.clone().without("CLAVIGER_CLIENT_KEY").refused(&["whoami"], USAGE, "CLAVIGER_CLIENT_KEY");
    with_certificate.with("CLAVIGER_TOKEN", "t").refused(&["whoami"], USAGE, "not both");
}

#[tokio::test]
async fn credentials_of_others_are_neither_issued_nor_shown_nor_revoked() {
    let scene = Scene::new().await;
    let (_, stranger) = caller(&scene.shell, "stranger");
    let token = scene.issue(&["--type", "api-token"]).printed(&[]);
    let id = text(&scene.list()[0], "/id");
    let unseen = format!("principal {} not found", scene.principal);
    stranger.refused(
        &["credential", "create", "--principal", &scene.principal, "--type", "api-token"],
        REFUSED,
        &unseen,
    );
    stranger.refused(&["credential", "list", "--principal", &scene.principal], REFUSED, &unseen);
    stranger.refused(&["credential", "show", &id], REFUSED, &format!("credential {id} not found"));
    stranger.refused(&["credential", "revoke", &id], REFUSED, &format!("credential {id} not found"));
    scene.shell.as_caller(token.trim()).ok(&["whoami"]);
    scene.shell.refused(&["credential", "show", UNKNOWN], REFUSED, "not found");
    scene.shell.refused(&["credential", "list", "--principal", "nobody"], REFUSED, "principal nobody not found");
    scene.issue(&["--type", "api-token", "--expires-at", "2001-01-01T00:00:00Z"]).assert_refused(REFUSED, "");
    scene.issue(&["--type", "api-token", "--expires-at", "tomorrow"]).assert_refused(USAGE, "--expires-at");
    scene.issue(&["--type", "password"]).assert_refused(USAGE, "password");
    scene.issue(&["--type", "certificate"]).assert_refused(USAGE, "--certificate");
}
