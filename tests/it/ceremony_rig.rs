//! Ceremonies on real SoftHSM tokens, each in a process of its own, as the commands run them.
//!
//! SoftHSM reads `SOFTHSM2_CONF` when it is initialised, and a process that is killed half-way must be a real one.
//! So a test is a parent that prepares directories and starts this test binary again with [`child`] as the only
//! test; what the child does is named by [`Role`].
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test that cannot go on fails")]

use crate::{attacks, ceremony};
use claviger::domain::id::ClusterId;
use claviger::domain::time::Timestamp;
use claviger::service::ports::{Assurance, IdSource, StoreError, TokenBinding, TokenStateStore};
use claviger::token::ceremony::{BlankToken, CeremonyError, CeremonyRequest, Outcome, Staging};
use claviger::token::module::{Module, TokenSelector};
use claviger::token::pin::Pin;
use claviger::token::softhsm;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use zeroize::Zeroizing;

pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub const LABEL: &str = "ceremony";
pub const PIN: &str = "648219";
pub const SO_PIN: &str = "735102";
const JOB: &str = "CLAVIGER_TEST_JOB";

/// What a child process does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Role {
    /// Runs the ceremony.
    Ceremony,
    /// Logs in and verifies the stored binding.
    Verify,
    /// Counts what is in the token.
    Inventory,
    /// Runs a body of the attack tests.
    Attack(attacks::Body),
    /// Runs a body of the ceremony tests.
    Body(ceremony::Body),
}

/// How a ceremony is run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Options {
    pub crash_at: Option<usize>,
    pub so_pin: bool,
    pub adopt: Option<String>,
    pub accept: bool,
    pub staged: bool,
    pub blank: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { crash_at: None, so_pin: true, adopt: None, accept: false, staged: true, blank: true }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Job {
    dir: PathBuf,
    role: Role,
    options: Options,
    staging: Option<PathBuf>,
}

/// The directories of one test: where tokens live, and the store.
pub struct Rig {
    dir: PathBuf,
    _temp: Option<tempfile::TempDir>,
}

/// What is in a token, by number of objects.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    pub public: usize,
    pub private: usize,
    pub trusted: usize,
}

/// The ids of a test; random, because a crash must not make two runs alike.
struct Ids;

impl IdSource for Ids {
    fn id(&self) -> [u8; 16] {
        random()
    }

    fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new([0; 32])
    }
}

pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).unwrap();
    bytes
}

/// The binding as a file, replaced in one step.
struct FileStore(PathBuf);

impl TokenStateStore for FileStore {
    fn token_binding(&self) -> Result<Option<TokenBinding>, StoreError> {
        Ok(std::fs::read(&self.0).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap()))
    }

    fn save_token_binding(&self, binding: &TokenBinding) -> Result<(), StoreError> {
        let new = self.0.with_extension("new");
        std::fs::write(&new, serde_json::to_vec_pretty(binding).unwrap()).unwrap();
        std::fs::rename(&new, &self.0).unwrap();
        Ok(())
    }
}

pub fn blank() -> BlankToken {
    BlankToken { serial: None, label: LABEL.into() }
}

pub fn pin(text: &str) -> Pin {
    Pin::generated(&Zeroizing::new(text.to_owned()))
}

impl Rig {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let rig = Self { dir: temp.path().into(), _temp: Some(temp) };
        std::fs::create_dir(rig.place()).unwrap();
        std::fs::write(rig.conf(), softhsm::conf(&rig.place())).unwrap();
        rig
    }

    /// A rig whose ceremony was run.
    pub fn with_token() -> Self {
        let rig = Self::new();
        rig.ceremony(&Options::default()).unwrap();
        rig
    }

    pub fn place(&self) -> PathBuf {
        self.dir.join("tokens")
    }

    fn conf(&self) -> PathBuf {
        self.dir.join("softhsm2.conf")
    }

    fn store(&self) -> FileStore {
        FileStore(self.dir.join("binding.json"))
    }

    pub fn binding(&self) -> Option<TokenBinding> {
        self.store().token_binding().unwrap()
    }

    pub fn save(&self, binding: &TokenBinding) {
        self.store().save_token_binding(binding).unwrap();
    }

    /// Runs the ceremony as a command does: prepare, child, remove.
    pub fn ceremony(&self, options: &Options) -> Result<String, String> {
        let staging = options.staged.then(|| self.prepare());
        let output = self.start(Role::Ceremony, options, staging.as_ref());
        staging.map(Staging::remove).transpose().unwrap();
        result(&output)
    }

    /// Runs the ceremony and leaves the staging directory as it is, as if the whole machine had stopped.
    pub fn ceremony_cut_off(&self, options: &Options) -> (Result<String, String>, Option<Staging>) {
        let staging = options.staged.then(|| self.prepare());
        let output = self.start(Role::Ceremony, options, staging.as_ref());
        (result(&output), staging)
    }

    /// The steps of a ceremony, by running one.
    pub fn steps(&self) -> Vec<String> {
        let staging = self.prepare();
        let output = self.start(Role::Ceremony, &Options::default(), Some(&staging));
        staging.remove().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().filter(|line| line.starts_with("step ")).map(str::to_owned).collect()
    }

    pub fn prepare(&self) -> Staging {
        Staging::prepare(&self.place(), &["/dev/shm".into()], &random()).unwrap()
    }

    /// Runs a role on the token in its place.
    pub fn run(&self, role: Role) -> Result<String, String> {
        result(&self.start(role, &Options::default(), None))
    }

    pub fn verify(&self) -> Result<String, String> {
        self.run(Role::Verify)
    }

    pub fn inventory(&self) -> Inventory {
        serde_json::from_str(&self.run(Role::Inventory).unwrap()).unwrap()
    }

    fn start(&self, role: Role, options: &Options, staging: Option<&Staging>) -> Output {
        let job = Job {
            dir: self.dir.clone(),
            role,
            options: options.clone(),
            staging: staging.map(|staging| staging.root().to_path_buf()),
        };
        let conf = staging.map_or_else(|| self.conf(), Staging::conf);
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ceremony_rig::child", "--nocapture"])
            .env(softhsm::CONF_VARIABLE, conf)
            .env(JOB, serde_json::to_string(&job).unwrap())
            .output()
            .unwrap()
    }
}

/// What a child said between its markers, or everything it said if it failed.
fn result(output: &Output) -> Result<String, String> {
    let said = String::from_utf8_lossy(&output.stdout);
    let between = said.split_once("<<<").and_then(|(_, rest)| rest.rsplit_once(">>>")).map(|(text, _)| text.to_owned());
    match between {
        Some(text) if output.status.success() => Ok(text),
        _ => Err(format!("{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

/// The entry of child processes, which other tests start with a job. A run of all tests has none for it.
#[test]
#[expect(clippy::disallowed_methods, reason = "the parent tells the child its job by the environment")]
fn child() {
    let Ok(job) = std::env::var(JOB) else { return };
    let job: Job = serde_json::from_str(&job).unwrap();
    let rig = Rig { dir: job.dir, _temp: None };
    let answer = match job.role {
        Role::Ceremony => ceremony(&rig, &job.options, job.staging.as_deref()),
        Role::Verify => verify(&rig),
        Role::Inventory => inventory(),
        Role::Attack(body) => body.run(&rig),
        Role::Body(body) => body.run(&rig),
    };
    println!("<<<{answer}>>>");
}

fn ceremony(rig: &Rig, options: &Options, staging: Option<&Path>) -> String {
    let staging = staging.map(|root| Staging::reopen(root).unwrap());
    let count = Cell::new(0);
    let on_step = |step| {
        count.set(count.get() + 1);
        println!("step {} {step:?}", count.get());
        if Some(count.get()) == options.crash_at {
            // The real thing: no destructor, no C_Finalize.
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
    };
    match run(rig, options, staging.as_ref(), &on_step).unwrap_or_else(|error| panic!("refused: {error}")) {
        Outcome::Made(_) => "made".into(),
        Outcome::AlreadyDone(_) => "already done".into(),
    }
}

fn run(
    rig: &Rig,
    options: &Options,
    staging: Option<&Staging>,
    on_step: &dyn Fn(claviger::token::ceremony::Step),
) -> Result<Outcome, CeremonyError> {
    let request = CeremonyRequest {
        module: SOFTHSM.into(),
        selector: TokenSelector::Label(LABEL.into()),
        blank: options.blank.then(blank),
        so_pin: options.so_pin.then(|| pin(SO_PIN)),
        user_pin: pin(PIN),
        cluster_id: ClusterId::from_bytes([7; 16]),
        created_at: Timestamp::from_micros(1),
        ids: &Ids,
        assurance: Assurance::HsmUnvalidated,
        accept_pin_holder_can_export: options.accept,
        adopt_kek: options.adopt.as_deref().map(|name| name.parse().unwrap()),
        staging,
        on_step,
    };
    claviger::token::ceremony::run(&request, &rig.store())
}

/// A loaded module and a session of the logged-in user.
pub struct LoggedIn {
    pub session: Session,
    pub slot: Slot,
    pub module: Module,
}

pub fn log_in() -> LoggedIn {
    let module = Module::load(SOFTHSM.as_ref()).unwrap();
    let slot = module.find_slot(&TokenSelector::Label(LABEL.into())).unwrap();
    let session = module.open_rw(slot).unwrap();
    module.login_once(&session, slot, UserType::User, &pin(PIN)).unwrap();
    LoggedIn { session, slot, module }
}

fn verify(rig: &Rig) -> String {
    let user = log_in();
    let binding = rig.binding().unwrap();
    match claviger::token::ceremony::verify(&user.module, user.slot, &user.session, &binding) {
        Ok(()) => "good".into(),
        Err(error) => error.to_string(),
    }
}

fn inventory() -> String {
    let user = log_in();
    let all = user.session.find_objects(&[]).unwrap().len();
    let trusted = user.session.find_objects(&[cryptoki::object::Attribute::Trusted(true)]).unwrap().len();
    user.session.logout().unwrap();
    let public = user.session.find_objects(&[]).unwrap().len();
    serde_json::to_string(&Inventory { public, private: all - public, trusted }).unwrap()
}
