//! `claviger credential create`: the secret goes to standard output or into a new file, once, and nowhere else.

use super::super::{Exit, Failure, say};
use super::arguments::{CredentialType, IssueArguments};
use super::key_pair::RsaPair;
use super::secret_file::SecretFile;
use super::server::Server;
use crate::auth::certificate::{CertificateError, read_pem, rsa_public_key};
use anyhow::Context;
use serde_json::{Map, Value, json};
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
    let secret = secret_of(arguments.kind, &mut answer, pair.as_ref())?;
    let credential = &answer["credential"];
    let id = credential["id"].as_str().unwrap_or_default();
    let lost = |failure: Failure| {
        let text = format!("credential {id} was issued, but its secret is lost: revoke it ({})", failure.text);
        Failure { text, ..failure }
    };
    match (file, secret) {
        (Some(file), Some(secret)) => {
            file.write(&secret).map_err(lost)?;
            if json { say(&answer) } else { say(id) }
        }
        (None, Some(secret)) => print(json, &answer, &secret).map_err(lost),
        (_, None) => if json { say(&answer) } else { say(id) },
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
    if let Some(at) = &arguments.expires_at {
        body.insert("expiresAt".into(), at.clone().into());
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

/// Takes the secret out of an answer, in the form in which it is used.
fn secret_of(
    kind: CredentialType,
    answer: &mut Value,
    pair: Option<&RsaPair>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let secret = match answer.as_object_mut().and_then(|members| members.remove("secret")) {
        Some(Value::String(secret)) => Some(Zeroizing::new(secret)),
        _ => None,
    };
    let credential = &answer["credential"];
    match (kind, secret) {
        (CredentialType::Key, _) => Ok(pair.map(|pair| pair.file(credential)).transpose()?),
        (CredentialType::Certificate, _) => Ok(None),
        (_, None) => Err(Failure::new(Exit::Failed, "the server's answer has no secret")),
        (CredentialType::ApiToken, Some(token)) => Ok(Some(Zeroizing::new(format!("{}\n", *token).into_bytes()))),
        (CredentialType::AccessKey, Some(secret)) => {
            let id = credential["accessKeyId"].as_str().unwrap_or_default();
            let lines = format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={}\n", *secret);
            Ok(Some(Zeroizing::new(lines.into_bytes())))
        }
    }
}

/// The secret alone on standard output, so that a shell can take it from there; what it is of, on standard error.
fn print(json: bool, answer: &Value, secret: &[u8]) -> Result<(), Failure> {
    if json {
        return say(with_secret(answer, secret)?);
    }
    let mut out = std::io::stdout().lock();
    let written = out.write_all(secret).and_then(|()| out.flush());
    written.context("standard output")?;
    let credential = &answer["credential"];
    let text = |name: &str| credential[name].as_str().unwrap_or("-");
    // The secret is out: a closed standard error changes nothing.
    let _ = writeln!(std::io::stderr(), "credential {}, expires {}, shown this once", text("id"), text("expiresAt"));
    Ok(())
}
