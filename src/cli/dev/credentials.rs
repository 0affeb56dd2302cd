//! `credentials.env`: how clients reach a development server and who they are.

use crate::server::files;
use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// What the file says.
pub struct Credentials<'a> {
    /// `http://address:port`
    pub endpoint: Option<String>,
    /// `https://localhost:port`
    pub tls_endpoint: Option<String>,
    /// PEM file with the CA certificate.
    pub ca_file: &'a Path,
    /// The folder's id.
    pub folder: String,
    /// The folder's account number, by which AWS clients know it.
    pub account: String,
    /// The region of AWS clients.
    pub region: &'a str,
    /// The administrator's credentials.
    pub secrets: &'a Secrets,
}

/// Credentials of the administrator. Each is used and replaced without regard to the other.
pub struct Secrets {
    /// An API token.
    pub token: Zeroizing<String>,
    /// Signs requests of AWS and Ncloud.
    pub access_key: AccessKeyPair,
}

/// An access key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeyPair {
    /// Public.
    pub id: String,
    /// What signatures are made with.
    pub secret: Zeroizing<String>,
}

/// What an earlier start left in the file. It may have been changed since.
#[derive(Default)]
pub struct Kept {
    /// Whether users other than its owner could read or change the file. Then nothing of it is kept.
    pub exposed: bool,
    /// The token, if there is one.
    pub token: Option<Zeroizing<String>>,
    /// The pair, if both halves are there.
    pub access_key: Option<AccessKeyPair>,
}

/// Permissions of the file's group and of everybody.
const OF_OTHERS: u32 = 0o077;
const TOKEN: &str = "CLAVIGER_TOKEN";
const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";

/// Writes the file anew: whole or not at all, readable by its owner only.
pub fn write(path: &Path, credentials: &Credentials<'_>) -> io::Result<()> {
    let ca_file = credentials.ca_file.display().to_string();
    let Credentials { endpoint, tls_endpoint, secrets, .. } = credentials;
    let lines = [
        ("CLAVIGER_ENDPOINT", endpoint.as_deref()),
        ("CLAVIGER_TLS_ENDPOINT", tls_endpoint.as_deref()),
        ("CLAVIGER_CA", Some(ca_file.as_str())),
        ("CLAVIGER_FOLDER", Some(credentials.folder.as_str())),
        (TOKEN, Some(secrets.token.as_str())),
        ("AWS_ENDPOINT_URL_KMS", endpoint.as_deref().or(tls_endpoint.as_deref())),
        // The SDKs read the first of these two, those of Python and the AWS CLI 1 the second.
        ("AWS_REGION", Some(credentials.region)),
        ("AWS_DEFAULT_REGION", Some(credentials.region)),
        ("AWS_ACCOUNT_ID", Some(credentials.account.as_str())),
        (ACCESS_KEY_ID, Some(secrets.access_key.id.as_str())),
        (SECRET_ACCESS_KEY, Some(secrets.access_key.secret.as_str())),
        // The same pair, as clients of Ncloud read it.
        ("NCP_ACCESS_KEY", Some(secrets.access_key.id.as_str())),
        ("NCP_SECRET_KEY", Some(secrets.access_key.secret.as_str())),
    ];
    let mut text = Zeroizing::new(String::with_capacity(4096));
    for (name, value) in lines {
        if let Some(value) = value {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}={value}");
        }
    }
    files::replace(path, text.as_bytes())
}

/// The credentials that the file holds, as far as it is there, whole and its owner's alone.
pub fn read(path: &Path) -> io::Result<Kept> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(error),
    };
    if file.metadata()?.permissions().mode() & OF_OTHERS != 0 {
        return Ok(Kept { exposed: true, ..Kept::default() });
    }
    let mut text = Zeroizing::new(Vec::with_capacity(4096));
    file.read_to_end(&mut text)?;
    let Ok(text) = std::str::from_utf8(&text) else { return Ok(Kept::default()) };
    let value = |name| last_value(text, name).map(|value| Zeroizing::new(value.to_owned()));
    let pair = last_value(text, ACCESS_KEY_ID).zip(value(SECRET_ACCESS_KEY));
    let access_key = pair.map(|(id, secret)| AccessKeyPair { id: id.to_owned(), secret });
    Ok(Kept { exposed: false, token: value(TOKEN), access_key })
}

/// The value of a name, as a shell that reads the file to its end has it.
fn last_value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let access_key = AccessKeyPair { id: "CLVAX".into(), secret: Zeroizing::new("a+b/c".into()) };
        Secrets { token: Zeroizing::new("t=1".into()), access_key }
    }

    fn credentials<'a>(endpoint: Option<&str>, secrets: &'a Secrets) -> Credentials<'a> {
        Credentials {
            endpoint: endpoint.map(str::to_owned),
            tls_endpoint: Some("https://localhost:2".into()),
            ca_file: Path::new("/d/ca.pem"),
            folder: "f".into(),
            account: "012345678901".into(),
            region: "eu-west-1",
            secrets,
        }
    }

    #[test]
    fn the_file_is_lines_that_a_shell_can_source_and_its_credentials_are_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.env");
        let nothing = read(&path).unwrap();
        assert!(nothing.token.is_none() && nothing.access_key.is_none());
        let secrets = secrets();
        write(&path, &credentials(Some("http://127.0.0.1:1"), &secrets)).unwrap();
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r"
        CLAVIGER_ENDPOINT=http://127.0.0.1:1
        CLAVIGER_TLS_ENDPOINT=https://localhost:2
        CLAVIGER_CA=/d/ca.pem
        CLAVIGER_FOLDER=f
        CLAVIGER_TOKEN=t=1
        AWS_ENDPOINT_URL_KMS=http://127.0.0.1:1
        AWS_REGION=eu-west-1
        AWS_DEFAULT_REGION=eu-west-1
        AWS_ACCOUNT_ID=012345678901
        AWS_ACCESS_KEY_ID=CLVAX
        AWS_SECRET_ACCESS_KEY=a+b/c
        NCP_ACCESS_KEY=CLVAX
        NCP_SECRET_KEY=a+b/c
        ");
        let kept = read(&path).unwrap();
        assert_eq!(kept.token.unwrap().as_str(), "t=1");
        assert!(kept.access_key.unwrap() == secrets.access_key);
    }

    #[test]
    fn aws_clients_are_sent_to_tls_where_nothing_is_in_clear() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.env");
        write(&path, &credentials(None, &secrets())).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("AWS_ENDPOINT_URL_KMS=https://localhost:2\n"), "{text}");
        assert!(!text.contains("CLAVIGER_ENDPOINT="), "{text}");
    }

    fn save(path: &Path, text: &[u8]) {
        std::fs::write(path, text).unwrap();
        set_mode(path, 0o600);
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn nothing_is_kept_of_a_file_that_others_could_read_or_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.env");
        write(&path, &credentials(None, &secrets())).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o620, 0o602] {
            set_mode(&path, mode);
            let kept = read(&path).unwrap();
            assert!(kept.exposed && kept.token.is_none() && kept.access_key.is_none(), "{mode:o}");
        }
        for mode in [0o600, 0o400] {
            set_mode(&path, mode);
            let kept = read(&path).unwrap();
            assert!(!kept.exposed && kept.token.is_some() && kept.access_key.is_some(), "{mode:o}");
        }
    }

    #[test]
    fn a_damaged_file_has_no_credentials() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.env");
        for text in [b"".as_slice(), b"CLAVIGER_TOKENS=x\nAWS_ACCESS_KEY_IDS=x\n", b"\xff\xfe"] {
            save(&path, text);
            let kept = read(&path).unwrap();
            assert!(kept.token.is_none() && kept.access_key.is_none());
        }
    }

    #[test]
    fn half_a_pair_is_none_and_the_token_beside_it_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.env");
        for half in ["AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x"] {
            save(&path, format!("CLAVIGER_TOKEN=t\n{half}\n").as_bytes());
            let kept = read(&path).unwrap();
            assert!(kept.access_key.is_none(), "{half}");
            assert_eq!(kept.token.unwrap().as_str(), "t");
        }
    }
}
