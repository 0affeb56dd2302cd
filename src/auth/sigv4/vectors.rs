//! AWS's own signing test suite, as the crate aws-sigv4 ships it: each request is verified as it is, and refused with any
//! one change.

use super::claim::{Claim, Rules};
use super::{SignatureError, SignatureOptions};
use crate::domain::time::Timestamp;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request, request};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Vectors that say nothing of what is served here.
const NOT_SERVED: &[(&str, &str)] = &[
    ("double-encode-path", "no context; and a path that is encoded twice, while requests to a KMS go to /"),
    ("double-url-encode", "the same"),
    (
        "get-vanilla-query-order-encoded",
        "the library orders `Param-3=` before `Param=`; requests to a KMS have no query",
    ),
    ("get-vanilla-with-session-token", "session tokens are refused"),
    ("post-sts-header-after", "session tokens are refused"),
    ("post-sts-header-before", "session tokens are refused"),
];
const VECTORS: usize = 40;

#[derive(Deserialize)]
struct Context {
    credentials: Credentials,
    normalize: bool,
    region: String,
    service: String,
}

#[derive(Deserialize)]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
}

struct Vector {
    name: String,
    directory: PathBuf,
}

impl Vector {
    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.directory.join(file))
            .unwrap_or_else(|error| panic!("{} {file}: {error}", self.name))
    }
}

/// Where cargo has the sources of aws-sigv4.
fn suite() -> PathBuf {
    // Packages of other platforms are not there on a machine that has only built for its own.
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let of_manifest = ["--manifest-path", manifest.to_str().unwrap(), "--filter-platform", host];
    let metadata = cargo(&[&["metadata", "--format-version=1", "--offline", "--locked"], &of_manifest[..]].concat());
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "aws-sigv4");
    let manifest = package.unwrap()["manifest_path"].as_str().unwrap();
    Path::new(manifest).parent().unwrap().join("aws-signing-test-suite/v4")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(option_env!("CARGO").unwrap_or("cargo")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn vectors() -> Vec<Vector> {
    let directories = std::fs::read_dir(suite()).unwrap().map(|entry| entry.unwrap().path());
    let named =
        |directory: PathBuf| Vector { name: directory.file_name().unwrap().to_str().unwrap().to_owned(), directory };
    directories.map(named).collect()
}

/// A request from its text; a line that begins with a space goes on with the one before (RFC 9112, 5.2).
fn parse(text: &str) -> (request::Parts, Bytes) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let head = head.replace("\n ", " ");
    let mut lines = head.lines();
    let first = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap();
    let (method, target) = first.split_once(' ').unwrap();
    // On the wire no target has a space in it.
    let mut request = Request::builder().method(method).uri(target.replace(' ', "%20"));
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, HeaderValue::from_bytes(value.trim().as_bytes()).unwrap());
    }
    (request.body(()).unwrap().into_parts().0, Bytes::copy_from_slice(body.as_bytes()))
}

struct Case {
    context: Context,
    head: request::Parts,
    body: Bytes,
}

impl Case {
    fn of(vector: &Vector) -> Self {
        let context = serde_json::from_str(&vector.read("context.json")).unwrap();
        let (head, body) = parse(&vector.read("header-signed-request.txt"));
        Self { context, head, body }
    }

    fn verify(&self) -> Result<(), SignatureError> {
        self.verify_as(&self.head, &self.body)
    }

    fn verify_as(&self, head: &request::Parts, body: &Bytes) -> Result<(), SignatureError> {
        let Context { credentials, normalize, region, service } = &self.context;
        let regions = [region.clone()];
        // What the suite calls not normalized is how S3 signs.
        let options = SignatureOptions { s3: !normalize, url_encode_form: false };
        let rules = Rules { service, regions: &regions, options };
        let claim = Claim::read(head)?;
        // 2015-08-30T12:36:00Z
        claim.check(&rules, Timestamp::from_micros(1_440_938_160_000_000))?;
        if claim.credential.access_key_id != credentials.access_key_id {
            return Err(SignatureError::UnknownClient);
        }
        let key = claim.signing_key(credentials.secret_access_key.as_bytes(), service);
        claim.require_signature(&key, head, body, &rules)
    }

    fn signed_headers(&self) -> Vec<HeaderName> {
        let claim = self.head.headers[AUTHORIZATION].to_str().unwrap().to_owned();
        let (_, names) = claim.split_once("SignedHeaders=").unwrap();
        names.split_once(',').unwrap().0.split(';').map(|name| name.parse().unwrap()).collect()
    }
}

/// The text with one bit of one byte changed so that it remains a header's.
fn changed(value: &HeaderValue, at: usize) -> HeaderValue {
    let mut bytes = value.as_bytes().to_vec();
    bytes[at] ^= 1;
    HeaderValue::from_bytes(&bytes).unwrap()
}

#[test]
fn every_vector_is_verified_and_refused_with_any_one_change() {
    let (mut seen, mut left_out) = (0, BTreeSet::new());
    for vector in vectors() {
        seen += 1;
        if NOT_SERVED.iter().any(|(name, _)| *name == vector.name) {
            left_out.insert(vector.name);
            continue;
        }
        let case = Case::of(&vector);
        case.verify().unwrap_or_else(|error| panic!("{}: {error:?}", vector.name));
        let refused = |what: &str, head: &request::Parts, body: &Bytes| {
            assert!(case.verify_as(head, body).is_err(), "{}: {what}", vector.name);
        };
        for name in case.signed_headers().into_iter().chain([AUTHORIZATION]) {
            for at in 0..case.head.headers[&name].len() {
                let value = changed(&case.head.headers[&name], at);
                let mut head = case.head.clone();
                head.headers.insert(&name, value);
                refused(&format!("{name} at {at}"), &head, &case.body);
            }
        }
        refused("more body", &case.head, &[case.body.as_ref(), b"x"].concat().into());
        let mut head = case.head.clone();
        head.method = http::Method::PUT;
        refused("another method", &head, &case.body);
        let mut head = case.head.clone();
        head.uri = format!("{}x", head.uri).parse().unwrap();
        refused("another target", &head, &case.body);
    }
    assert_eq!(seen, VECTORS);
    assert_eq!(left_out, NOT_SERVED.iter().map(|(name, _)| (*name).to_owned()).collect());
}

#[test]
fn presigned_forms_and_session_tokens_of_the_suite_are_refused() {
    for vector in vectors() {
        let Ok(text) = std::fs::read_to_string(vector.directory.join("query-signed-request.txt")) else { continue };
        let error = super::refuse_query(&parse(&text).0).unwrap_err();
        assert!(matches!(&error, SignatureError::Incomplete(text) if text.contains("Presigned")), "{}", vector.name);
    }
    for name in ["get-vanilla-with-session-token", "post-sts-header-after", "post-sts-header-before"] {
        let case = Case::of(&Vector { name: name.into(), directory: suite().join(name) });
        assert!(matches!(case.verify(), Err(SignatureError::SessionToken)), "{name}");
    }
}
