//! A real SoftHSM token with the keys of a token binding, for tests of the running token.
//!
//! SoftHSM reads `SOFTHSM2_CONF` once per process, so every test runs its body in a process of its own that was started
//! with the variable set.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use claviger::domain::algorithm::Algorithm;
use claviger::domain::id::{ClusterId, KeyId, MaterialId};
use claviger::domain::time::Timestamp;
use claviger::service::ports::{
    Assurance, IdSource, Material, Protection, SealedData, StoreError, Token, TokenBinding, TokenError, TokenStateStore,
};
use claviger::token::ceremony::{self, BlankToken, CeremonyRequest, Staging};
use claviger::token::module::TokenSelector;
use claviger::token::pin::Pin;
use claviger::token::{HsmToken, TokenConfig, softhsm};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const CHILD: &str = "CLAVIGER_TEST_TOKEN_DIR";
const LABEL: &str = "kms";
const PIN: &str = "648219";
const SO_PIN: &str = "735102";

/// Runs `body` with a directory of its own, in a process whose SoftHSM keeps its tokens there. `name` is the test's,
/// with its module.
pub fn isolated(name: &str, body: impl FnOnce(Rig)) {
    isolated_with(name, &[], body);
}

/// As [`isolated`], with more variables, in whose values `{dir}` is the directory.
#[expect(clippy::disallowed_methods, reason = "SoftHSM takes its configuration from the environment")]
pub fn isolated_with(name: &str, variables: &[(&str, &str)], body: impl FnOnce(Rig)) {
    if let Ok(dir) = std::env::var(CHILD) {
        body(Rig { dir: dir.into() });
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // The token is made and used in the staging directory; what the ceremony puts into the place is not looked at.
    let staging = Staging::prepare(&dir.path().join("place"), &[], &[7; 16]).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]);
    child.env(softhsm::CONF_VARIABLE, staging.conf()).env(CHILD, staging.root());
    for (variable, value) in variables {
        child.env(variable, value.replace("{dir}", &staging.root().display().to_string()));
    }
    let output = child.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}

/// The directory of one test.
pub struct Rig {
    pub dir: PathBuf,
}

/// A token in use, and the keys that it was made with.
pub struct Opened {
    pub token: Arc<HsmToken>,
    pub row_key: Zeroizing<[u8; 32]>,
    pub binding: TokenBinding,
}

impl Rig {
    /// Where SoftHSM keeps its tokens.
    pub fn tokens(&self) -> PathBuf {
        self.dir.join("tokens")
    }

    /// Makes a token and opens it.
    pub fn open(&self, change: impl FnOnce(&mut TokenConfig, &mut TokenBinding)) -> Opened {
        self.open_again(self.make_token(Protection::Trusted), change)
    }

    /// Opens the token of a binding.
    pub fn open_again(
        &self,
        mut binding: TokenBinding,
        change: impl FnOnce(&mut TokenConfig, &mut TokenBinding),
    ) -> Opened {
        let mut config = config();
        change(&mut config, &mut binding);
        let opened = HsmToken::open(config, binding.clone()).unwrap();
        Opened { token: Arc::new(opened.token), row_key: opened.row_key, binding }
    }

    /// Makes a token with all keys. Without the security officer's PIN it is not of profile T.
    pub fn make_token(&self, protection: Protection) -> TokenBinding {
        let staging = Staging::reopen(&self.dir).unwrap();
        let trusted = protection == Protection::Trusted;
        if !trusted {
            let args = ["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", SO_PIN];
            assert!(Command::new("softhsm2-util").args(args).output().unwrap().status.success());
        }
        let request = CeremonyRequest {
            module: SOFTHSM.into(),
            selector: TokenSelector::Label(LABEL.into()),
            blank: trusted.then(|| BlankToken { serial: None, label: LABEL.into() }),
            so_pin: trusted.then(|| pin(SO_PIN)),
            user_pin: pin(PIN),
            cluster_id: ClusterId::from_bytes([9; 16]),
            created_at: Timestamp::from_micros(0),
            ids: &CountedIds(AtomicU8::new(1)),
            assurance: Assurance::Software,
            accept_pin_holder_can_export: false,
            adopt_kek: None,
            staging: trusted.then_some(&staging),
            on_step: &|_| {},
        };
        let binding = ceremony::run(&request, &NoStore).unwrap().into_binding();
        assert_eq!(binding.protection, protection);
        binding
    }
}

/// A store that begins empty and keeps nothing.
struct NoStore;

impl TokenStateStore for NoStore {
    fn token_binding(&self) -> Result<Option<TokenBinding>, StoreError> {
        Ok(None)
    }

    fn save_token_binding(&self, _: &TokenBinding) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Ids that differ from each other.
struct CountedIds(AtomicU8);

impl IdSource for CountedIds {
    fn id(&self) -> [u8; 16] {
        [self.0.fetch_add(1, Ordering::Relaxed); 16]
    }

    fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new([self.0.fetch_add(1, Ordering::Relaxed); 32])
    }
}

/// The settings of the token.
pub fn config() -> TokenConfig {
    let mut config = TokenConfig::new(SOFTHSM.into(), TokenSelector::Label(LABEL.into()), pin(PIN));
    config.recovery_pause = (Duration::from_millis(50), Duration::from_millis(200));
    config
}

/// Makes new material of an algorithm.
pub async fn material(token: &HsmToken, number: u8, algorithm: Algorithm) -> Arc<Material> {
    let (id, key_id) = (MaterialId::from_bytes([number; 16]), KeyId::from_bytes([number ^ 0x80; 16]));
    let sealed = token.generate(id, key_id, algorithm).await.unwrap();
    Arc::new(Material { id, key_id, algorithm, sealed, convergent: false })
}

fn pin(text: &str) -> Pin {
    Pin::generated(&Zeroizing::new(text.to_owned()))
}

/// Runs async test code.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

/// Encrypts.
pub async fn encrypt(
    token: &HsmToken,
    material: &Arc<Material>,
    aad: &[u8],
    data: &[u8],
) -> Result<SealedData, TokenError> {
    token.encrypt(Arc::clone(material), aad.to_vec(), Zeroizing::new(data.to_vec())).await
}

/// Decrypts.
pub async fn decrypt(
    token: &HsmToken,
    material: &Arc<Material>,
    aad: &[u8],
    sealed: &SealedData,
) -> Result<Vec<u8>, TokenError> {
    let done = token.decrypt(Arc::clone(material), aad.to_vec(), sealed.iv.clone(), sealed.ciphertext.clone()).await;
    done.map(|data| data.to_vec())
}

/// Waits until `done` holds, for a time that only a broken token needs.
pub async fn until<F: Future<Output = bool>>(what: &str, done: impl Fn() -> F) {
    for _ in 0..600 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not happen");
}
