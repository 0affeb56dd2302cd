//! The key pair of a service account: made here, so that its private half never is anywhere else.

use anyhow::{Context, anyhow};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use zeroize::Zeroizing;

/// Characters of a line (RFC 7468, 2).
const LINE: usize = 64;
/// More than a file with an RSA-2048 pair has: the buffer is never moved and leaves no copy behind.
const FILE_BYTES: usize = 8 * 1024;

/// An RSA-2048 key pair, PEM.
pub struct RsaPair {
    /// SubjectPublicKeyInfo.
    pub public: String,
    /// PKCS#8.
    private: Zeroizing<String>,
}

impl RsaPair {
    /// A new pair.
    pub fn generate() -> anyhow::Result<Self> {
        let failed = |_| anyhow!("a key pair could not be made");
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(failed)?;
        Ok(Self {
            public: pem("PUBLIC KEY", public.as_ref()).as_str().to_owned(),
            private: pem("PRIVATE KEY", private.as_ref()),
        })
    }

    /// The file with which the SDKs of the Yandex dialect log in, as `yc iam key create` writes it. `credential` is the
    /// answer of the server.
    pub fn file(&self, credential: &serde_json::Value) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let text = |name: &str| credential[name].as_str().with_context(|| format!("the server's answer has no {name}"));
        let file = KeyFile {
            id: text("id")?,
            service_account_id: text("principalId")?,
            created_at: text("createdAt")?,
            key_algorithm: "RSA_2048",
            public_key: &self.public,
            private_key: &self.private,
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
        serde_json::to_writer_pretty(&mut *bytes, &file)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[derive(Serialize)]
struct KeyFile<'a> {
    id: &'a str,
    service_account_id: &'a str,
    created_at: &'a str,
    key_algorithm: &'a str,
    public_key: &'a str,
    private_key: &'a str,
}

/// The textual form of RFC 7468.
fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() * 2 + 128));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(LINE.min(rest.len()));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_file_has_the_form_that_sdks_read() {
        let pair = RsaPair::generate().unwrap();
        let credential = json!({ "id": "k", "principalId": "p", "createdAt": "2023-11-14T22:13:20Z", "name": "n" });
        let bytes = pair.file(&credential).unwrap();
        assert!(bytes.capacity() == FILE_BYTES, "the file was moved");
        let file: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(file.as_object().unwrap().len(), 6);
        assert_eq!((&file["id"], &file["service_account_id"]), (&json!("k"), &json!("p")));
        assert_eq!((&file["created_at"], &file["key_algorithm"]), (&json!("2023-11-14T22:13:20Z"), &json!("RSA_2048")));
        let public = file["public_key"].as_str().unwrap();
        assert!(
            public.starts_with("-----BEGIN PUBLIC KEY-----\nMII") && public.ends_with("\n-----END PUBLIC KEY-----\n")
        );
        assert!(file["private_key"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----\nMII"));
        assert!(public.lines().all(|line| line.len() <= LINE));
    }

    #[test]
    fn both_halves_belong_together() {
        let pair = RsaPair::generate().unwrap();
        let file: Value =
            serde_json::from_slice(&pair.file(&json!({ "id": "k", "principalId": "p", "createdAt": "t" })).unwrap())
                .unwrap();
        let read =
            rcgen::KeyPair::from_pem_and_sign_algo(file["private_key"].as_str().unwrap(), &rcgen::PKCS_RSA_SHA256);
        let public = read.unwrap().public_key_pem();
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(squeezed(&public), squeezed(&pair.public));
        assert_ne!(RsaPair::generate().unwrap().public, pair.public);
    }

    #[test]
    fn an_answer_without_an_id_makes_no_file() {
        assert!(RsaPair::generate().unwrap().file(&json!({})).is_err());
    }
}
