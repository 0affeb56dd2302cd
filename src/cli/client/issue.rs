//! `claviger credential create`: the secret goes to standard output or into a new file, once, and nowhere else.

use super::super::{Exit, Failure, say};
use super::arguments::{CredentialType, IssueArguments};
use super::key_pair::RsaPair;
use super::secret_file::SecretFile;
use super::server::Server;
use super::table::printable;
use crate::auth::certificate::{CertificateError, read_pem, rsa_public_key};
use anyhow::Context;
use serde_json::{Map, Value};
use std::io::Write;
use std::path::Path;
use zeroize::Zeroizing;

/// Runs the command.
pub fn run(arguments: &IssueArguments, json: bool) -> Result<(), Failure> {
    check(arguments)?;
    let server = Server::from_environment()?;
    let (body, pair) = request(arguments)?;
    let file = arguments.output.as_deref().map(SecretFile::create).transpose()?;
    let path = format!("/claviger/v1/principals/{}/credentials", arguments.principal);
    let mut answer = server.post(&path, &body)?;
    let secret = secret_of(arguments.kind, &answer, pair.as_ref())?;
    let id = answer["credential"]["id"].as_str().unwrap_or_default().to_owned();
    let lost = |failure: Failure| {
        let text = format!("credential {id} was issued, but its secret is lost: revoke it ({})", failure.text);
        Failure { text, ..failure }
    };
    let in_file = file.is_some();
    match (file, secret) {
        (Some(file), Some(secret)) => {
            file.write(&secret).map_err(lost)?;
            without_secret(&mut answer);
        }
        (None, Some(secret)) if !json => return print(&answer["credential"], &secret).map_err(lost),
        // The server's answer has the secret of what the server made; what was made here is put beside it.
        (None, Some(secret)) if pair.is_some() => {
            answer["key"] = serde_json::from_slice(&secret).context("the key file")?;
        }
        _ => {}
    }
    // A secret that nobody could read is lost, so here a closed standard output is a failure.
    let line = if json { answer.to_string() } else { id.clone() };
    if in_file { super::say(line) } else { say(line).map_err(lost) }
}

/// An answer whose secret is in a file is shown without it.
fn without_secret(answer: &mut Value) {
    if let Some(Value::String(secret)) = answer.as_object_mut().and_then(|members| members.remove("secret")) {
        drop(Zeroizing::new(secret));
    }
}

/// Options that do not belong to the kind of credential are mistakes.
fn check(arguments: &IssueArguments) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::new(Exit::Usage, text));
    let IssueArguments { kind, certificate, public_key, output, .. } = arguments;
    let has_secret = match kind {
        CredentialType::Certificate => false,
        CredentialType::Key => public_key.is_none(),
        CredentialType::ApiToken | CredentialType::AccessKey => true,
    };
    match (kind, certificate, public_key) {
        (CredentialType::Certificate, None, _) => usage("--type certificate needs --certificate"),
        (CredentialType::ApiToken | CredentialType::AccessKey | CredentialType::Key, Some(_), _) => {
            usage("--certificate is for --type certificate only")
        }
        (CredentialType::ApiToken | CredentialType::AccessKey | CredentialType::Certificate, _, Some(_)) => {
            usage("--public-key is for --type key only")
        }
        _ if output.is_some() && !has_secret => usage("--output is for secrets that are made, and here is none"),
        _ => Ok(()),
    }
}

/// The request, and the key pair that was made for it.
fn request(arguments: &IssueArguments) -> Result<(Value, Option<RsaPair>), Failure> {
    let (mut body, mut pair) = (Map::new(), None);
    body.insert("name".into(), arguments.name.clone().into());
    if let Some(ttl) = arguments.ttl {
        body.insert("ttl".into(), super::keys::seconds(ttl).into());
    }
    if let Some(at) = arguments.expires_at {
        body.insert("expiresAt".into(), at.to_string().into());
    }
    let kind = match (arguments.kind, &arguments.certificate, &arguments.public_key) {
        (CredentialType::ApiToken, ..) => "apiToken",
        (CredentialType::AccessKey, ..) => "accessKey",
        (CredentialType::Certificate, path, _) => {
            let path = path.as_deref().unwrap_or(Path::new(""));
            body.insert("certificate".into(), public_pem(path, |pem| read_pem(pem).map(drop))?.into());
            "certificate"
        }
        (CredentialType::Key, _, Some(path)) => {
            body.insert("publicKey".into(), public_pem(path, |pem| rsa_public_key(pem).map(drop))?.into());
            "publicKey"
        }
        (CredentialType::Key, _, None) => {
            let made = RsaPair::generate()?;
            body.insert("publicKey".into(), made.public.clone().into());
            pair = Some(made);
            "publicKey"
        }
    };
    body.insert("type".into(), kind.into());
    Ok((Value::Object(body), pair))
}

/// A PEM file that passes the server's own check here already, so that a private key in it stays here.
fn public_pem(path: &Path, check: impl Fn(&[u8]) -> Result<(), CertificateError>) -> Result<String, Failure> {
    let name = path.display();
    let pem = std::fs::read(path).with_context(|| name.to_string())?;
    check(&pem).map_err(|error| Failure::new(Exit::Usage, format!("{name}: {error}")))?;
    String::from_utf8(pem).map_err(|_| Failure::new(Exit::Usage, format!("{name}: this is not text")))
}

/// The secret of an answer, in the form in which it is used.
fn secret_of(
    kind: CredentialType,
    answer: &Value,
    pair: Option<&RsaPair>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let credential = &answer["credential"];
    let text = |value: &Value| value.as_str().map(str::to_owned).map(Zeroizing::new);
    let missing = || Failure::new(Exit::Failed, "the server's answer has no secret");
    match kind {
        CredentialType::Certificate => Ok(None),
        CredentialType::Key => Ok(pair.map(|pair| pair.file(credential)).transpose()?),
        CredentialType::ApiToken => {
            let token = text(&answer["secret"]).ok_or_else(missing)?;
            Ok(Some(Zeroizing::new(format!("{}\n", *token).into_bytes())))
        }
        CredentialType::AccessKey => {
            let secret = text(&answer["secret"]).ok_or_else(missing)?;
            let id = credential["accessKeyId"].as_str().ok_or_else(missing)?;
            let lines = format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={}\n", *secret);
            Ok(Some(Zeroizing::new(lines.into_bytes())))
        }
    }
}

/// The secret alone on standard output, so that a shell can take it from there; what it is of, on standard error.
fn print(credential: &Value, secret: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(secret).and_then(|()| out.flush());
    written.context("standard output")?;
    // The secret is out: a closed standard error changes nothing.
    let _ = writeln!(std::io::stderr(), "{}", shown_once(credential));
    Ok(())
}

fn shown_once(credential: &Value) -> String {
    let expires = credential["expiresAt"].as_str().map(|at| format!(", expires {at}")).unwrap_or_default();
    printable(&format!("credential {}{expires}, shown this once", credential["id"].as_str().unwrap_or("-")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn arguments(kind: CredentialType) -> IssueArguments {
        IssueArguments {
            principal: "p".into(),
            kind,
            name: "n".into(),
            ttl: None,
            expires_at: None,
            output: None,
            certificate: None,
            public_key: None,
        }
    }

    #[rstest]
    #[case(CredentialType::Certificate, None, None, None)]
    #[case(CredentialType::Certificate, Some("c"), Some("p"), None)]
    #[case(CredentialType::Certificate, Some("c"), None, Some("o"))]
    #[case(CredentialType::Key, Some("c"), None, None)]
    #[case(CredentialType::Key, None, Some("p"), Some("o"))]
    #[case(CredentialType::ApiToken, Some("c"), None, None)]
    #[case(CredentialType::AccessKey, None, Some("p"), None)]
    fn options_of_another_kind_are_mistakes(
        #[case] kind: CredentialType,
        #[case] certificate: Option<&str>,
        #[case] public_key: Option<&str>,
        #[case] output: Option<&str>,
    ) {
        let [certificate, public_key, output] = [certificate, public_key, output].map(|it| it.map(Into::into));
        let wrong = IssueArguments { certificate, public_key, output, ..arguments(kind) };
        assert_eq!(check(&wrong).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn secrets_have_the_form_in_which_they_are_used() {
        let answer = json!({ "credential": { "accessKeyId": "CLAV" }, "secret": "s3cret" });
        let secret = |kind| secret_of(kind, &answer, None).unwrap().map(|it| String::from_utf8(it.to_vec()).unwrap());
        assert_eq!(secret(CredentialType::ApiToken).unwrap(), "s3cret\n");
        let lines = "AWS_ACCESS_KEY_ID=CLAV\nAWS_SECRET_ACCESS_KEY=s3cret\n";
        assert_eq!(secret(CredentialType::AccessKey).unwrap(), lines);
        assert_eq!(secret(CredentialType::Certificate), None);
        assert_eq!(secret(CredentialType::Key), None);
        assert!(secret_of(CredentialType::ApiToken, &json!({ "credential": {} }), None).is_err());
    }

    #[test]
    fn what_was_shown_is_said_with_its_end_if_it_has_one() {
        let (forever, until) = (json!({ "id": "c" }), json!({ "id": "c", "expiresAt": "2030-01-01T00:00:00Z" }));
        assert_eq!(shown_once(&forever), "credential c, shown this once");
        assert_eq!(shown_once(&until), "credential c, expires 2030-01-01T00:00:00Z, shown this once");
    }

    #[test]
    fn a_private_key_is_not_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        std::fs::write(&path, pair.serialize_pem()).unwrap();
        let wrong = IssueArguments { public_key: Some(path.clone()), ..arguments(CredentialType::Key) };
        let failure = request(&wrong).map(|_| ()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.text.contains("private key"), "{}", failure.text);
        std::fs::write(&path, pair.public_key_pem()).unwrap();
        let (body, made) = request(&wrong).unwrap();
        assert_eq!((&body["type"], &body["publicKey"]), (&json!("publicKey"), &json!(pair.public_key_pem())));
        assert!(made.is_none());
    }

    #[test]
    fn only_the_public_half_of_a_pair_is_sent() {
        let ttl = Some(std::time::Duration::from_millis(1_500));
        let (body, pair) = request(&IssueArguments { ttl, ..arguments(CredentialType::Key) }).unwrap();
        assert_eq!(
            body,
            json!({ "type": "publicKey", "name": "n", "ttl": "1.500s", "publicKey": pair.unwrap().public })
        );
    }
}
