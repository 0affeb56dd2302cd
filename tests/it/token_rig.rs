//! A real SoftHSM token with the keys of a token binding, for tests of the running token.
//!
//! SoftHSM reads `SOFTHSM2_CONF` once per process, so every test runs its body in a process of its own that was started
//! with the variable set.

use claviger::domain::id::{ClusterId, KeyId, MaterialId};
use claviger::domain::time::Timestamp;
use claviger::service::ports::{
    Assurance, InternalKey, InternalKeyRole, IvMode, KekRecord, Material, Protection, Token, TokenBinding,
    TokenCapabilities, WrapMechanism,
};
use claviger::token::module::{Module, TokenSelector};
use claviger::token::pin::Pin;
use claviger::token::raw::RawMechanism;
use claviger::token::raw_attr::Attr;
use claviger::token::{HsmToken, TokenConfig, template};
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const VARIABLE: &str = "SOFTHSM2_CONF";
const CHILD: &str = "CLAVIGER_TEST_TOKEN_DIR";
const PIN: &str = "648219";
const SO_PIN: &str = "735102";

/// Runs `body` with a directory of its own, in a process that SoftHSM was told of it. `name` is the test's.
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
    let tokens = dir.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let conf = dir.path().join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    std::fs::write(&conf, text).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("token::{name}"), "--nocapture"]).env(VARIABLE, &conf).env(CHILD, dir.path());
    for (variable, value) in variables {
        child.env(variable, value.replace("{dir}", &dir.path().display().to_string()));
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
        let (module, binding) = make_token(Protection::Trusted);
        module.finalize().unwrap();
        self.open_again(binding, change)
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
}

/// The settings of a token that `make_token` made.
pub fn config() -> TokenConfig {
    let mut config = TokenConfig::new(SOFTHSM.into(), TokenSelector::Label("kms".into()), pin(PIN));
    config.recovery_pause = (Duration::from_millis(50), Duration::from_millis(200));
    config
}

/// Makes new material of an algorithm.
pub async fn material(
    token: &HsmToken,
    number: u8,
    algorithm: claviger::domain::algorithm::Algorithm,
) -> Arc<Material> {
    let (id, key_id) = (MaterialId::from_bytes([number; 16]), KeyId::from_bytes([number ^ 0x80; 16]));
    let sealed = token.generate(id, key_id, algorithm).await.unwrap();
    Arc::new(Material { id, key_id, algorithm, sealed })
}

fn pin(text: &str) -> Pin {
    Pin::generated(&Zeroizing::new(text.to_owned()))
}

/// A token called `kms` with all keys of a binding.
pub fn make_token(protection: Protection) -> (Module, TokenBinding) {
    let args = ["--init-token", "--free", "--label", "kms", "--pin", PIN, "--so-pin", SO_PIN];
    assert!(Command::new("softhsm2-util").args(args).output().unwrap().status.success());
    let module = Module::load(Path::new(SOFTHSM)).unwrap();
    let slot = module.find_slot(&TokenSelector::Label("kms".into())).unwrap();
    if protection == Protection::Trusted {
        let session = module.open_rw(slot).unwrap();
        module.login_once(&session, slot, UserType::So, &pin(SO_PIN)).unwrap();
        generate(&module, &session, &template::public_kek(WrapMechanism::AesKeyWrap), &[0x4b; 16]);
        session.logout().unwrap();
    }
    let session = module.open_rw(slot).unwrap();
    module.login_once(&session, slot, UserType::User, &pin(PIN)).unwrap();
    let binding = make_keys(&module, &session, slot, protection);
    drop(session);
    (module, binding)
}

fn make_keys(module: &Module, session: &Session, slot: Slot, protection: Protection) -> TokenBinding {
    let kek = if protection == Protection::Trusted {
        let template = [cryptoki::object::Attribute::Id(vec![0x4b; 16])];
        let public = session.find_objects(&template).unwrap()[0];
        let copy = module.raw().copy_object(session, public, &template::private_copy()).unwrap();
        session.destroy_object(public).unwrap();
        copy
    } else {
        generate(module, session, &template::kek(protection, WrapMechanism::AesKeyWrap), &[0x4b; 16])
    };
    let aes = cryptoki_sys::CKM_AES_KEY_GEN;
    let canary = module.raw().generate_key(session, aes, &template::data_key_generate(protection)).unwrap();
    let mechanism = RawMechanism::plain(template::wrap_mechanism(WrapMechanism::AesKeyWrap));
    let wrapped = module.raw().wrap_key(session, &mechanism, kek, canary).unwrap();
    let roles = [InternalKeyRole::SoftwareVersions, InternalKeyRole::RowMac];
    TokenBinding {
        cluster_id: ClusterId::from_bytes([9; 16]),
        complete: true,
        created_at: Timestamp::from_micros(0),
        identity: module.identity(slot).unwrap(),
        capabilities: capabilities(),
        protection,
        assurance: Assurance::Software,
        attacks: Vec::new(),
        keks: vec![KekRecord {
            number: 1,
            object_id: "4b".repeat(16),
            canary: hex(&wrapped),
            canary_check: String::new(),
            check_value: None,
            adopted: false,
        }],
        internal_keys: roles
            .into_iter()
            .zip(0x60..)
            .map(|(role, id)| internal_key(module, session, role, id))
            .collect(),
    }
}

fn internal_key(module: &Module, session: &Session, role: InternalKeyRole, id: u8) -> InternalKey {
    let template = template::internal_key(role);
    let list = [template::names(&[id; 16], "test"), template.generate_only, template.attributes].concat();
    module.raw().generate_key(session, template.mechanism, &list).unwrap();
    InternalKey { role, number: 1, object_id: hex(&[id; 16]), public_key: None }
}

fn capabilities() -> TokenCapabilities {
    TokenCapabilities {
        max_gcm_bytes: 64 * 1024,
        iv_mode: IvMode::Given,
        wrap_mechanism: WrapMechanism::AesKeyWrap,
        value_len_on_unwrap: false,
        rw_sessions_only: false,
        max_sessions: None,
        cached_keys: 10_000,
    }
}

fn generate(module: &Module, session: &Session, attributes: &[Attr], id: &[u8]) -> ObjectHandle {
    let mut list = template::names(id, "test");
    list.push(Attr::ulong(cryptoki_sys::CKA_VALUE_LEN, template::KEY_BYTES));
    list.extend_from_slice(attributes);
    module.raw().generate_key(session, cryptoki_sys::CKM_AES_KEY_GEN, &list).unwrap()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
