//! The bare token: `C_EncryptInit` and `C_Encrypt` (AES-GCM) in a loop, through the very function that the service
//! calls, so that the two differ by nothing but what is around it.
//!
//! The PKCS#11 library reads `SOFTHSM2_CONF` from its process' environment, hence a child process.

use crate::server::cpu_of;
use anyhow::{Context, Result, ensure};
use claviger::token::raw::RawFunctions;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const MODULE: &str = "CLAVIGER_BENCH_MODULE";
const PIN_FILE: &str = "CLAVIGER_BENCH_PIN_FILE";
/// Length of the AAD that the service binds to an Encrypt without context.
const AAD_BYTES: usize = 81;

/// What the bare token takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bare {
    /// One measurement per size.
    pub sizes: Vec<BareSize>,
}

/// One size on the bare token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BareSize {
    /// Plaintext in bytes.
    pub size: usize,
    /// Encryptions per second, one thread.
    pub throughput: f64,
    /// CPU time per encryption in microseconds.
    pub cpu_micros: f64,
}

impl Bare {
    /// CPU time per encryption of `size` bytes.
    pub fn cpu_micros(&self, size: usize) -> Option<f64> {
        self.sizes.iter().find(|row| row.size == size).map(|row| row.cpu_micros)
    }
}

/// Makes a token and measures it in a child process.
pub fn measure_in_child() -> Result<Bare> {
    let directory = tempfile::tempdir()?;
    let token = directory.path().join("token");
    script("new-token.sh", &[&token])?;
    let module = script("find-module.sh", &[])?;
    let answer = Command::new(std::env::current_exe()?)
        .arg("--bare-token")
        .env("SOFTHSM2_CONF", token.join("softhsm2.conf"))
        .env(MODULE, module.trim())
        .env(PIN_FILE, token.join("user.pin"))
        .output()?;
    let errors = String::from_utf8_lossy(&answer.stderr).into_owned();
    ensure!(answer.status.success(), "the measurement of the bare token failed: {errors}");
    serde_json::from_slice(&answer.stdout).context("the child's answer")
}

/// Runs a script of `softhsm/` and returns what it printed.
fn script(name: &str, arguments: &[&PathBuf]) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("softhsm").join(name);
    let answer = Command::new(&path).args(arguments).output().with_context(|| path.display().to_string())?;
    ensure!(answer.status.success(), "{name}: {}", String::from_utf8_lossy(&answer.stderr));
    Ok(String::from_utf8(answer.stdout)?)
}

/// In the child: measures the token that the environment names, and prints a [`Bare`] as JSON.
pub fn measure_and_print(sizes: &[usize], window: Duration) -> Result<()> {
    let (functions, session) = open_session()?;
    let template = [
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::ValueLen(32.into()),
    ];
    let key = session.generate_key(&Mechanism::AesKeyGen, &template)?;
    let rows = sizes.iter().map(|size| measure(&functions, &session, key, *size, window)).collect::<Result<_>>()?;
    println!("{}", serde_json::to_string(&Bare { sizes: rows })?);
    Ok(())
}

fn open_session() -> Result<(RawFunctions, Session)> {
    let named = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let path = PathBuf::from(named(MODULE)?);
    let module = Pkcs11::new(&path)?;
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let pin = AuthPin::new(fs::read_to_string(named(PIN_FILE)?)?.into());
    let slots = module.get_slots_with_initialized_token()?;
    let session = module.open_rw_session(*slots.first().context("the token is not there")?)?;
    session.login(UserType::User, Some(&pin))?;
    Ok((RawFunctions::load(&path)?, session))
}

fn measure(
    functions: &RawFunctions,
    session: &Session,
    key: ObjectHandle,
    size: usize,
    window: Duration,
) -> Result<BareSize> {
    let plaintext = vec![0x5a_u8; size];
    let aad = [0_u8; AAD_BYTES];
    let mut count = 0_u64;
    let (cpu_before, begun) = (cpu_of("self")?, Instant::now());
    while begun.elapsed() < window {
        let mut iv = [0_u8; 12];
        iv[..8].copy_from_slice(&count.to_be_bytes());
        functions.gcm_encrypt(session, key, &mut iv, &aad, &plaintext)?;
        count += 1;
    }
    let (cpu, elapsed) = (cpu_of("self")?.saturating_sub(cpu_before), begun.elapsed());
    let count = count as f64;
    let (throughput, cpu_micros) = (count / elapsed.as_secs_f64(), cpu.as_secs_f64() * 1e6 / count);
    Ok(BareSize { size, throughput, cpu_micros })
}
