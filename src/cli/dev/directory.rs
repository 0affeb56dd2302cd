//! The data directory of a development server: who has it, and what is where in it.

use crate::server::files;
use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A private directory with an absolute path.
#[derive(Debug, Clone)]
pub struct DataDirectory(PathBuf);

/// Held as long as the process lives; the kernel takes it back however the process ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, never read")] File);

impl DataDirectory {
    /// Makes the directory, or takes an existing one away from other users.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let absolute = std::path::absolute(path).context("the data directory")?;
        let text = absolute.to_str().unwrap_or_default();
        // The path goes into credentials.env, which is sourced by shells and holds no quotes.
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,@%=".contains(&byte);
        if text.is_empty() || !text.bytes().all(safe) {
            bail!("the data directory's path may only have letters, digits and / . _ - + , @ % =: {absolute:?}");
        }
        files::private_directory(&absolute).with_context(|| absolute.display().to_string())?;
        // Without links, so that another name of the same directory is the same directory.
        Ok(Self(absolute.canonicalize().with_context(|| absolute.display().to_string())?))
    }

    /// Takes the directory for this process.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        let path = self.file("lock");
        let mut options = File::options();
        let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = opened.with_context(|| path.display().to_string())?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                bail!("another claviger is running in {}", self.0.display())
            }
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_belongs_to_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(dir.path()).unwrap();
        let lock = directory.lock().unwrap();
        assert!(directory.lock().unwrap_err().to_string().contains("another claviger"));
        drop(lock);
        assert!(directory.lock().is_ok());
    }

    #[test]
    fn a_path_that_a_shell_would_not_read_as_one_word_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a b", "a;b", "a$b", "a'b", "\u{e4}"] {
            assert!(DataDirectory::open(&dir.path().join(name)).is_err(), "{name} was accepted");
        }
    }
}
