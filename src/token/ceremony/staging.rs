//! The private directory in which the ceremony on SoftHSM runs.
//!
//! SoftHSM trusts a key only while it is public, and public keys lie in clear in the token's directory. So the
//! ceremony works on a copy of the tokens in a directory of mode 0700, in memory where there is a tmpfs, and only
//! the finished token is put into its place. A crash at any point leaves no public KEK there.
//!
//! SoftHSM reads `SOFTHSM2_CONF` when it is initialised, and a variable cannot safely be set in a process that has
//! threads. Therefore the command that wants a ceremony calls [`Staging::prepare`], starts its own executable again
//! with the variable set to [`Staging::conf`] and with [`Staging::root`] as an argument, and that second process
//! calls [`Staging::reopen`] and `ceremony::run`. Afterwards, whatever came of it, the first one calls
//! [`Staging::remove`].

use crate::token::softhsm;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Prefix of the staging directories; what follows is random.
const PREFIX: &str = "claviger-ceremony-";
/// The directory, inside of the place, of a copy that is not in its place yet. SoftHSM takes every directory in the
/// place for a token and aborts the process if two are the same one, so the copy lies a level deeper, where it does
/// not look.
const COPY_DIRECTORY: &str = ".claviger-copy";
/// The file that names the place that a staging directory is for.
const PLACE_FILE: &str = "place";
/// The file that tells how the imported tokens looked.
const IMPORTED_FILE: &str = "imported";
/// `f_type` of a tmpfs (`statfs(2)`).
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// A staging directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staging {
    root: PathBuf,
    place: PathBuf,
}

impl Staging {
    /// Makes a staging directory for the SoftHSM token directory `place`, with a copy of the tokens that are there.
    /// What earlier runs for the same place left behind is wiped. The first of `candidates` that is a tmpfs is used
    /// (usually `/dev/shm`, then `$XDG_RUNTIME_DIR`), else the directory beside `place`. `random` makes the name.
    /// The caller holds the lock of the installation: nobody else runs a ceremony for the same place.
    ///
    /// # Errors
    /// The error of the file system.
    pub fn prepare(place: &Path, candidates: &[PathBuf], random: &[u8; 16]) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(place)?;
        let place = place.canonicalize()?;
        let beside = beside(&place);
        let of_nowhere = |staging: &Self| !staging.place.exists();
        for parent in candidates.iter().chain([&beside]) {
            wipe_leftovers(parent, &place, &of_nowhere)?;
        }
        wipe_copy(&place)?;
        let parent = candidates.iter().find(|path| is_tmpfs(path)).unwrap_or(&beside);
        let root = parent.join(format!("{PREFIX}{}", uuid::Uuid::from_bytes(*random).simple()));
        // Not recursive: fails if someone made the name before us.
        DirBuilder::new().mode(0o700).create(&root)?;
        let staging = Self { root, place };
        staging.fill().inspect_err(|_| drop(wipe(&staging.root)))?;
        Ok(staging)
    }

    /// Wipes what runs for `place` that were cut off left behind. A run that was cut off after its last step but one
    /// leaves a copy of the finished token, so this is for starts that need no ceremony too. The caller holds the
    /// lock of the installation.
    ///
    /// # Errors
    /// The error of the file system.
    pub fn clean(place: &Path, candidates: &[PathBuf]) -> io::Result<()> {
        let place = place.canonicalize()?;
        for parent in candidates.iter().chain([&beside(&place)]) {
            wipe_leftovers(parent, &place, &|_| false)?;
        }
        wipe_copy(&place)
    }

    fn fill(&self) -> io::Result<()> {
        // Renamed, so that nobody reads half a path, finds no such place and wipes us.
        let unfinished = self.root.join("place.new");
        write_private(&unfinished, self.place.as_os_str().as_encoded_bytes())?;
        std::fs::rename(unfinished, self.root.join(PLACE_FILE))?;
        DirBuilder::new().mode(0o700).create(self.tokens())?;
        write_private(&self.conf(), softhsm::conf(&self.tokens()).as_bytes())?;
        for (name, path) in token_directories(&self.place)? {
            copy_directory(&path, &self.tokens().join(name))?;
        }
        write_private(&self.root.join(IMPORTED_FILE), state_of(&self.place)?.as_bytes())
    }

    /// The staging directory at `root`, which another process has prepared.
    ///
    /// # Errors
    /// The error of the file system, or `InvalidData` if it is not one, or is open to others.
    pub fn reopen(root: &Path) -> io::Result<Self> {
        let meta = std::fs::symlink_metadata(root)?;
        let private = meta.is_dir() && meta.mode() & 0o077 == 0 && meta.uid() == rustix::process::geteuid().as_raw();
        if !private {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the staging directory is not private"));
        }
        Ok(Self { root: root.into(), place: read_place(root)? })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SoftHSM configuration to run the ceremony with.
    #[must_use]
    pub fn conf(&self) -> PathBuf {
        self.root.join("softhsm2.conf")
    }

    fn tokens(&self) -> PathBuf {
        self.root.join("tokens")
    }

    /// Puts the token with this serial number into its place: copied, made durable, and then exchanged in one step.
    /// The library must be finalised, so that all files are written. `copied` is called between the two.
    ///
    /// # Errors
    /// The error of the file system; the place is as it was then. `Other` if the tokens there were changed since
    /// they were copied, or if the serial number does not name one token.
    pub fn publish(&self, serial: &str, copied: &dyn Fn()) -> io::Result<()> {
        let found = token_directories(&self.tokens())?;
        let mut fitting = found.into_iter().filter(|(name, _)| softhsm::is_directory_of(name, serial));
        let (Some((name, from)), None) = (fitting.next(), fitting.next()) else {
            return Err(io::Error::other("no single token directory has the serial number of the ceremony's token"));
        };
        if state_of(&self.place)? != std::fs::read_to_string(self.root.join(IMPORTED_FILE))? {
            return Err(io::Error::other("the tokens were changed by someone else during the ceremony"));
        }
        let outer = self.place.join(COPY_DIRECTORY);
        DirBuilder::new().mode(0o700).create(&outer)?;
        let (copy, target) = (outer.join(&name), self.place.join(&name));
        copy_directory(&from, &copy)?;
        copied();
        let how = if target.exists() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        renameat_with(CWD, &copy, CWD, &target, how)?;
        sync(&self.place)?;
        wipe(&outer)
    }

    /// Wipes the directory.
    ///
    /// # Errors
    /// The error of the file system.
    pub fn remove(self) -> io::Result<()> {
        wipe(&self.root)
    }
}

/// The directory in which `place` is.
fn beside(place: &Path) -> PathBuf {
    place.parent().unwrap_or(place).to_path_buf()
}

fn is_tmpfs(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type == TMPFS_MAGIC)
}

fn read_place(root: &Path) -> io::Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Ok(std::ffi::OsString::from_vec(std::fs::read(root.join(PLACE_FILE))?).into())
}

/// Wipes staging directories of this user that were made for the same place, and the `others`.
fn wipe_leftovers(parent: &Path, place: &Path, others: &dyn Fn(&Staging) -> bool) -> io::Result<()> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let left_over = Staging::reopen(&entry.path()).is_ok_and(|staging| staging.place == place || others(&staging));
        if left_over {
            gone_is_fine(wipe(&entry.path()))?;
        }
    }
    Ok(())
}

/// Somebody else may be wiping the same directory.
fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Wipes a copy that a crash kept from its place.
fn wipe_copy(place: &Path) -> io::Result<()> {
    let copy = place.join(COPY_DIRECTORY);
    if copy.exists() { wipe(&copy) } else { Ok(()) }
}

/// The directories of tokens, without unfinished copies.
fn token_directories(tokens: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(tokens)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && name != COPY_DIRECTORY {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// How the objects of all tokens look: a change during the ceremony would be lost, so it is noticed.
fn state_of(tokens: &Path) -> io::Result<String> {
    let mut lines = Vec::new();
    for (name, path) in token_directories(tokens)? {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let meta = entry.metadata()?;
            if file.ends_with(".object") {
                lines.push(format!("{name}/{file} {} {}.{}", meta.len(), meta.mtime(), meta.mtime_nsec()));
            }
        }
    }
    lines.sort();
    Ok(lines.join("\n"))
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            write_private(&to.join(entry.file_name()), &std::fs::read(entry.path())?)?;
        }
    }
    sync(to)
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Overwrites and removes a directory and everything in it. Links are removed, not followed.
fn wipe(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            wipe(&entry.path())?;
            continue;
        }
        if kind.is_file() {
            overwrite(&entry.path())?;
        }
        std::fs::remove_file(entry.path())?;
    }
    std::fs::remove_dir(path)
}

fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    file.write_all(&vec![0; size])?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const TOKEN: &str = "8f3a1c2e-77aa-1234-5b6c-7d8e9f001122";
    const SERIAL: &str = "5b6c7d8e9f001122";

    /// A place with one token that has one object.
    fn place(temp: &Path) -> PathBuf {
        let place = temp.join("tokens");
        std::fs::create_dir_all(place.join(TOKEN)).unwrap();
        std::fs::write(place.join(TOKEN).join("a.object"), "old").unwrap();
        place
    }

    fn content(path: &Path) -> String {
        std::fs::read_to_string(path.join(TOKEN).join("a.object")).unwrap()
    }

    #[test]
    fn the_directory_is_private_and_holds_a_copy() {
        let temp = tempfile::tempdir().unwrap();
        let staging = Staging::prepare(&place(temp.path()), &[], &[1; 16]).unwrap();
        assert_eq!(std::fs::metadata(staging.root()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(content(&staging.tokens()), "old");
        assert_eq!(Staging::reopen(staging.root()).unwrap(), staging);
        std::fs::set_permissions(staging.root(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Staging::reopen(staging.root()).is_err(), "others could look in");
    }

    #[test]
    fn leftovers_of_the_same_place_are_wiped_and_others_stay() {
        let (temp, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let shared = tempfile::tempdir_in("/dev/shm").unwrap();
        let candidates = [shared.path().to_path_buf()];
        let place = place(temp.path());
        let first = Staging::prepare(&place, &candidates, &[1; 16]).unwrap();
        let others = Staging::prepare(other.path(), &candidates, &[2; 16]).unwrap();
        assert!(first.root().starts_with(shared.path()), "a tmpfs is preferred");
        let second = Staging::prepare(&place, &candidates, &[3; 16]).unwrap();
        assert!(!first.root().exists() && others.root().exists() && second.root().exists());
        second.remove().unwrap();
        drop(other);
        Staging::prepare(&place, &candidates, &[4; 16]).unwrap().remove().unwrap();
        assert!(!others.root().exists(), "its place is no more");
    }

    #[test]
    fn publishing_replaces_the_token_in_one_step_and_leaves_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let place = place(temp.path());
        let staging = Staging::prepare(&place, &[], &[1; 16]).unwrap();
        std::fs::write(staging.tokens().join(TOKEN).join("a.object"), "new").unwrap();
        staging.publish(SERIAL, &|| assert_eq!(content(&place), "old")).unwrap();
        assert_eq!(content(&place), "new");
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
        assert!(staging.publish("0000", &|| ()).is_err(), "no such token");
    }
}
