//! `credentials.env`: how clients reach a development server and who they are.

use crate::server::files;
use std::fmt::Write;
use std::io;
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
    /// The administrator's API token.
    pub token: &'a str,
}

const TOKEN: &str = "CLAVIGER_TOKEN";

/// Writes the file anew: whole or not at all, readable by its owner only.
pub fn write(path: &Path, credentials: &Credentials<'_>) -> io::Result<()> {
    let ca_file = credentials.ca_file.display().to_string();
    let lines = [
        ("CLAVIGER_ENDPOINT", credentials.endpoint.as_deref()),
        ("CLAVIGER_TLS_ENDPOINT", credentials.tls_endpoint.as_deref()),
        ("CLAVIGER_CA", Some(ca_file.as_str())),
        ("CLAVIGER_FOLDER", Some(credentials.folder.as_str())),
        (TOKEN, Some(credentials.token)),
    ];
    let mut text = Zeroizing::new(String::with_capacity(1024));
    for (name, value) in lines {
        if let Some(value) = value {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}={value}");
        }
    }
    files::replace(path, text.as_bytes())
}

/// The token that the file holds, if it is there and whole.
pub fn read_token(path: &Path) -> io::Result<Option<Zeroizing<String>>> {
    let text = match std::fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(text) = std::str::from_utf8(&text) else { return Ok(None) };
    let mut tokens = text.lines().filter_map(|line| line.strip_prefix(TOKEN)?.strip_prefix('='));
    Ok(tokens.next_back().map(|token| Zeroizing::new(token.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_lines_that_a_shell_can_source_and_its_token_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.env");
        assert_eq!(read_token(&path).unwrap(), None);
        let credentials = Credentials {
            endpoint: Some("http://127.0.0.1:1".into()),
            tls_endpoint: Some("https://localhost:2".into()),
            ca_file: Path::new("/d/ca.pem"),
            folder: "f".into(),
            token: "t=1",
        };
        write(&path, &credentials).unwrap();
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r"
        CLAVIGER_ENDPOINT=http://127.0.0.1:1
        CLAVIGER_TLS_ENDPOINT=https://localhost:2
        CLAVIGER_CA=/d/ca.pem
        CLAVIGER_FOLDER=f
        CLAVIGER_TOKEN=t=1
        ");
        assert_eq!(read_token(&path).unwrap().unwrap().as_str(), "t=1");
    }

    #[test]
    fn a_damaged_file_has_no_token() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.env");
        for text in [b"".as_slice(), b"CLAVIGER_TOKENS=x\n", b"\xff\xfe"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read_token(&path).unwrap(), None);
        }
    }
}
