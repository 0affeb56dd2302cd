//! Where PINs come from, and the rule that a wrong PIN is never tried twice.
//!
//! In: `file:PATH`, `env:NAME`, `fd:N`, `credential:NAME` or `prompt`, never the PIN itself, because command lines
//! and settings are read by others. Out: [`Pin`]. Used by the ceremony, the running token and the commands.

use super::module::{ckr_text, unavailable};
use super::raw::RawTokenInfo;
use crate::service::ports::TokenError;
use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use cryptoki_sys::{CK_ULONG, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED};
use secrecy::ExposeSecret;
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use zeroize::Zeroizing;

/// The longest PIN that is read; PKCS#11 tokens take at most 255 bytes.
const MAX_PIN_BYTES: u64 = 1024;

/// A PIN in memory that is wiped when it is dropped.
#[derive(Debug, Clone)]
pub struct Pin(AuthPin);

impl Pin {
    /// A PIN that this process made itself, such as that of a token for development.
    #[must_use]
    pub fn generated(text: &Zeroizing<String>) -> Self {
        Self(AuthPin::from(text.as_str()))
    }

    /// The form that cryptoki takes.
    #[must_use]
    pub const fn auth(&self) -> &AuthPin {
        &self.0
    }

    fn from_bytes(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, PinError> {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| PinError::NotText)?;
        if text.is_empty() {
            return Err(PinError::Empty);
        }
        Ok(Self(AuthPin::from(text)))
    }
}

/// Where a PIN is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// A file that others cannot read.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// An open file descriptor: a file or pipe that the caller of the process left open.
    Fd(u32),
    /// A credential of the systemd unit: a file in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// The terminal.
    Prompt,
}

/// Why there is no PIN. No variant tells anything of a PIN.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The text names no source. It is not repeated, because it may be a PIN.
    #[error("a PIN is given as file:PATH, env:NAME, fd:N, credential:NAME or prompt, never itself")]
    Source,
    /// The source cannot be read.
    #[error("reading the PIN from {from}: {error}")]
    Read {
        /// The source.
        from: String,
        /// The cause.
        error: std::io::Error,
    },
    /// The environment variable is not set.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// The file can be read by everyone.
    #[error("the PIN file {} can be read by other users: chmod o-rwx it", .0.display())]
    OpenToOthers(PathBuf),
    /// There is nothing in it.
    #[error("the PIN is empty")]
    Empty,
    /// Not UTF-8, or too long.
    #[error("the PIN is not a text of at most {MAX_PIN_BYTES} bytes")]
    NotText,
}

impl std::str::FromStr for PinSource {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        if text == "prompt" {
            return Ok(Self::Prompt);
        }
        match text.split_once(':') {
            Some((_, "")) | None => Err(PinError::Source),
            Some(("file", path)) => Ok(Self::File(path.into())),
            Some(("env", name)) => Ok(Self::Env(name.into())),
            Some(("fd", number)) => number.parse().map(Self::Fd).map_err(|_| PinError::Source),
            Some(("credential", name)) if !name.contains('/') => Ok(Self::Credential(name.into())),
            Some(_) => Err(PinError::Source),
        }
    }
}

impl PinSource {
    /// Reads the PIN; `env` looks up environment variables, `prompt` is shown on a terminal.
    ///
    /// One line break at the end is not part of the PIN.
    ///
    /// # Errors
    /// [`PinError`] if there is none.
    pub fn read(&self, env: &dyn Fn(&str) -> Option<String>, prompt: &str) -> Result<Pin, PinError> {
        match self {
            Self::File(path) => read_private_file(path),
            Self::Fd(number) => read_file(Path::new(&format!("/proc/self/fd/{number}"))),
            Self::Env(name) => variable(env, name).and_then(|text| Pin::from_bytes(text.into_bytes())),
            Self::Credential(name) => {
                let directory = variable(env, "CREDENTIALS_DIRECTORY")?;
                read_private_file(&Path::new(directory.as_str()).join(name))
            }
            Self::Prompt => read_terminal(prompt),
        }
    }
}

/// A text that is wiped when it is dropped.
struct Secret(Zeroizing<String>);

impl Secret {
    fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.as_bytes().to_vec())
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

fn variable(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Result<Secret, PinError> {
    env(name).map(|text| Secret(Zeroizing::new(text))).ok_or_else(|| PinError::NotSet(name.to_owned()))
}

fn read_private_file(path: &Path) -> Result<Pin, PinError> {
    let failed = |error| PinError::Read { from: path.display().to_string(), error };
    let meta = std::fs::metadata(path).map_err(failed)?;
    if meta.is_file() && meta.permissions().mode() & 0o007 != 0 {
        return Err(PinError::OpenToOthers(path.into()));
    }
    read_file(path)
}

fn read_file(path: &Path) -> Result<Pin, PinError> {
    let failed = |error| PinError::Read { from: path.display().to_string(), error };
    let file = File::open(path).map_err(failed)?;
    read_bounded(file).map_err(failed).and_then(Pin::from_bytes)
}

fn read_bounded(from: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // Room for all, so that the vector never moves and leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2048));
    let read = from.take(MAX_PIN_BYTES + 1).read_to_end(&mut bytes)?;
    if read as u64 > MAX_PIN_BYTES {
        return Err(std::io::Error::other("too long"));
    }
    Ok(bytes)
}

/// Asks on the terminal, without echo.
fn read_terminal(prompt: &str) -> Result<Pin, PinError> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let failed = |error: std::io::Error| PinError::Read { from: "the terminal".into(), error };
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
    std::io::Write::write_all(&mut &terminal, prompt.as_bytes()).map_err(failed)?;
    let before = tcgetattr(&terminal).map_err(|error| failed(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Flush, &silent).map_err(|error| failed(error.into()))?;
    let line = read_line(&terminal);
    // The terminal gets its echo back whatever was read.
    tcsetattr(&terminal, OptionalActions::Flush, &before).map_err(|error| failed(error.into()))?;
    std::io::Write::write_all(&mut &terminal, b"\n").map_err(failed)?;
    Pin::from_bytes(line.map_err(failed)?)
}

fn read_line(mut terminal: &File) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(2048));
    let mut byte = Zeroizing::new([0_u8; 1]);
    while line.len() as u64 <= MAX_PIN_BYTES && terminal.read(&mut *byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    Ok(line)
}

/// SHA-256 of the PINs that a token has called wrong, with the token and the user they were tried for.
#[derive(Debug, Default)]
pub struct PinMemory {
    wrong: Mutex<HashSet<[u8; 32]>>,
}

impl PinMemory {
    /// Logs in, unless this PIN was wrong before.
    ///
    /// # Errors
    /// As [`Module::login_once`](super::module::Module::login_once).
    pub fn login_once(
        &self,
        session: &Session,
        token: &RawTokenInfo,
        user: UserType,
        pin: &Pin,
    ) -> Result<(), TokenError> {
        let fingerprint = fingerprint(token, user, pin);
        let mut wrong = self.wrong.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if wrong.contains(&fingerprint) {
            return Err(TokenError::PinRefused("the token called this PIN wrong before; it is not tried again".into()));
        }
        refuse_last_try(token, user)?;
        match session.login(user, Some(pin.auth())) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(error) => {
                if is_wrong_pin(&error) {
                    wrong.insert(fingerprint);
                    return Err(TokenError::PinRefused(format!("login of {}: {}", user_name(user), ckr_text(&error))));
                }
                Err(unavailable(&format!("login of {}", user_name(user)), &error))
            }
        }
    }
}

const fn is_wrong_pin(error: &Error) -> bool {
    use RvError as E;
    matches!(error, Error::Pkcs11(E::PinIncorrect | E::PinInvalid | E::PinLenRange | E::PinLocked, _))
}

const fn user_name(user: UserType) -> &'static str {
    match user {
        UserType::So => "the security officer",
        _ => "the user",
    }
}

/// A process that is started again and again with a wrong PIN must not lock the token.
fn refuse_last_try(token: &RawTokenInfo, user: UserType) -> Result<(), TokenError> {
    let (locked, last): (CK_ULONG, CK_ULONG) = match user {
        UserType::So => (CKF_SO_PIN_LOCKED, CKF_SO_PIN_FINAL_TRY),
        _ => (CKF_USER_PIN_LOCKED, CKF_USER_PIN_FINAL_TRY),
    };
    let who = user_name(user);
    if token.has(locked) {
        return Err(TokenError::PinRefused(format!("the PIN of {who} is locked")));
    }
    if token.has(last) {
        return Err(TokenError::PinRefused(format!(
            "one more wrong PIN of {who} would lock the token: log in once with the vendor's tool"
        )));
    }
    Ok(())
}

fn fingerprint(token: &RawTokenInfo, user: UserType, pin: &Pin) -> [u8; 32] {
    let mut input = Zeroizing::new(Vec::with_capacity(512));
    input.extend_from_slice(token.serial.as_bytes());
    input.push(0);
    input.push(u8::from(matches!(user, UserType::So)));
    input.extend_from_slice(pin.auth().expose_secret().as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, &input).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, PinError> {
        let pin = source.parse::<PinSource>()?.read(env, "")?;
        Ok(pin.auth().expose_secret().to_owned())
    }

    fn private_file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pin");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_literal_pin_is_refused_and_not_repeated() {
        for text in ["1234", "pin:1234", "file:", "fd:x", "credential:../x"] {
            let error = text.parse::<PinSource>().unwrap_err();
            assert!(matches!(error, PinError::Source), "{text}");
            assert!(!error.to_string().contains("1234"));
        }
    }

    #[test]
    fn the_line_break_at_the_end_is_not_part_of_the_pin() {
        let (_dir, path) = private_file(" 12 34\r\n", 0o600);
        assert_eq!(read(&format!("file:{}", path.display()), &|_| None).unwrap(), " 12 34");
    }

    #[test]
    fn a_file_that_everyone_can_read_is_refused() {
        let (_dir, path) = private_file("1234", 0o604);
        let error = read(&format!("file:{}", path.display()), &|_| None).unwrap_err();
        assert!(matches!(error, PinError::OpenToOthers(_)));
    }

    #[test]
    fn variables_and_credentials_are_read() {
        let (dir, _path) = private_file("5678\n", 0o600);
        let directory = dir.path().display().to_string();
        let env = move |name: &str| match name {
            "P" => Some("1234".to_owned()),
            "CREDENTIALS_DIRECTORY" => Some(directory.clone()),
            _ => None,
        };
        assert_eq!(read("env:P", &env).unwrap(), "1234");
        assert_eq!(read("credential:pin", &env).unwrap(), "5678");
        assert!(matches!(read("env:Q", &env), Err(PinError::NotSet(_))));
    }

    #[test]
    fn an_empty_or_oversize_pin_is_refused() {
        let (_dir, path) = private_file("\n", 0o600);
        assert!(matches!(read(&format!("file:{}", path.display()), &|_| None), Err(PinError::Empty)));
        let (_dir, path) = private_file(&"1".repeat(2000), 0o600);
        assert!(matches!(read(&format!("file:{}", path.display()), &|_| None), Err(PinError::Read { .. })));
    }
}
