//! A new file for a secret.

use super::super::Failure;
use anyhow::Context;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that only its owner can read. It is removed again unless something is written into it: it is made before the
/// secret is, so that no secret is made that cannot be kept.
pub struct SecretFile {
    path: PathBuf,
    file: Option<File>,
}

impl SecretFile {
    /// Makes the file.
    ///
    /// # Errors
    /// The file system's, also if there is such a file already.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), file: Some(file) })
    }

    /// Writes the file, durable when it returns.
    ///
    /// # Errors
    /// The file system's; the file is removed then.
    pub fn write(mut self, contents: &[u8]) -> Result<(), Failure> {
        if let Some(file) = &mut self.file {
            let written = file.write_all(contents).and_then(|()| file.sync_all());
            written.with_context(|| self.path.display().to_string())?;
        }
        self.file = None;
        Ok(())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            // An empty or half-written file is left where it cannot be removed: there is nobody to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_file_is_new_and_its_owners_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        SecretFile::create(&path).unwrap().write(b"s").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"s");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SecretFile::create(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"s");
    }

    #[test]
    fn a_file_without_a_secret_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        drop(SecretFile::create(&path).unwrap());
        assert!(!path.exists());
    }
}
