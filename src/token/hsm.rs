//! The token as the service sees it: [`Token`] over a PKCS#11 library.
//!
//! In: messages of the port. Out: bytes. The async side looks keys up, borrows them, hands one job to a worker thread
//! and waits for one answer; it never calls the library. Every wait ends with the deadline.

use super::cache::Cache;
use super::config::{OpenedToken, TokenConfig};
use super::convergent::ConvergentKey;
use super::core::Core;
use super::gate::Gate;
use super::handle::KeyHandle;
use super::health::{Verdict, WaitingRoom};
use super::ivs::MadeIvs;
use super::job::{Failure, Inputs, Job, Reply};
use super::key_pair::KeyPairs;
use super::live;
use super::module::Module;
use super::owner::OwnerJob;
use super::queue;
use super::recovery::{self, Notice};
use super::sealing::{MAX_SECRET_BYTES, SealingRole, Secret, credential_aad, version_aad};
use super::software::SoftwareKey;
use super::stats::{Counters, TokenStats};
use super::watch::Watch;
use crate::domain::algorithm::Algorithm;
use crate::domain::envelope::{IV_BYTES, Suite, TAG_BYTES};
use crate::domain::id::{CredentialId, KeyId, MaterialId};
use crate::domain::key_pair::KeyPairSpec;
use crate::service::ports::{
    IvMode, KeyPair, Material, SealedData, SealedMaterial, Token, TokenBinding, TokenCapabilities, TokenDescription,
    TokenError,
};
use async_trait::async_trait;
use crossbeam_channel::{Sender, bounded, unbounded};
use std::future::Future;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// A PKCS#11 token in use.
pub struct HsmToken {
    core: Arc<Core>,
    jobs: queue::Sender<Job>,
    key_pairs: KeyPairs,
    versions_counter: Option<MaterialId>,
    secrets_counter: Option<MaterialId>,
    /// Dropped to end the watch.
    stop_watch: Sender<()>,
    watch: Option<JoinHandle<()>>,
    recovery: Option<JoinHandle<()>>,
}

impl HsmToken {
    /// Loads the library, logs in once, verifies the token's keys and starts the threads. Blocks.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if library, token or login fail, [`TokenError::Untrusted`] if the keys are not those
    /// of `init`.
    pub fn open(config: TokenConfig, binding: TokenBinding) -> Result<OpenedToken, TokenError> {
        let module = Module::load(&config.module)?;
        // A library that stays initialised could not be opened again by this process.
        Self::open_with(module.clone(), config, binding).inspect_err(|_| drop(module.finalize()))
    }

    /// As [`open`](Self::open), with a library that is loaded already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        module: Module,
        config: TokenConfig,
        mut binding: TokenBinding,
    ) -> Result<OpenedToken, TokenError> {
        binding.capabilities = config.capabilities(&binding.capabilities);
        let (owners, workers) = config.threads(binding.capabilities.max_sessions)?;
        let (live, login) = live::start(&module, &config, &binding, 1)?;
        let row_key = live::row_key(&live, &login, binding.cluster_id)?;
        let counter = |role| live::sealing_counter(&binding, role);
        let versions_counter = counter(SealingRole::SoftwareVersions);
        let secrets_counter = counter(SealingRole::Credentials);
        let (jobs, queue) = queue::queue(config.queue);
        let (notices, notice_queue) = unbounded();
        let counters = Counters::default();
        let core = Arc::new(Core {
            gate: Gate::new(live),
            jobs: queue,
            owners: (0..owners).map(|_| unbounded()).collect(),
            handles: Cache::new(binding.capabilities.cached_keys, counters.handles.clone()),
            software: Cache::new(config.software_cached_keys, counters.software.clone()),
            convergent: Cache::new(config.software_cached_keys, counters.software.clone()),
            made_ivs: MadeIvs::default(),
            waiting: WaitingRoom::default(),
            notices,
            counters,
            config,
            binding,
            module,
        });
        let no_thread = |error: std::io::Error| TokenError::Unavailable(format!("no thread: {error}"));
        let watch = Watch::start(Arc::clone(&core), workers).map_err(no_thread)?;
        let (stop_watch, watch_stopped) = bounded(0);
        let watch = spawn("token-watch", move || watch.run(&watch_stopped)).map_err(no_thread)?;
        let shared = Arc::clone(&core);
        let recovery = spawn("token-recovery", move || recovery::run(&shared, &notice_queue, login));
        let recovery = Some(recovery.map_err(no_thread)?);
        let watch = Some(watch);
        let key_pairs = KeyPairs::new();
        let token = Self { core, jobs, key_pairs, versions_counter, secrets_counter, stop_watch, watch, recovery };
        Ok(OpenedToken { token, row_key })
    }

    /// A reading of the counters.
    #[must_use]
    pub fn stats(&self) -> TokenStats {
        self.core.counters.read(self.core.gate.generation())
    }

    /// Ends all use of the library: waits for the threads, and finalizes it unless a call hangs in it. Blocks, for two
    /// deadlines at most. Dropping the token does the same: a process that exits while a thread is in the library, or
    /// is ending after it was, may crash in the library's destructors (seen with SoftHSM 2.6.1 and OpenSSL).
    pub fn close(self) {
        drop(self);
    }

    /// Ends all use of the library while others still hold the token: what they ask of it is refused, and the library
    /// is finalized unless a call hangs in it. Blocks, for a deadline at most.
    pub fn shut(&self) {
        self.core.gate.close();
        let (done, finalized) = bounded(1);
        if self.core.notices.send(Notice::Stop(done)).is_ok() {
            let _ = finalized.recv_timeout(self.core.config.deadline);
        }
    }

    /// What the token can do, with the settings over what was probed.
    #[must_use]
    pub fn capabilities(&self) -> &TokenCapabilities {
        &self.core.binding.capabilities
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, TokenError>>) -> Result<T, TokenError> {
        self.core.gate.ready()?;
        let late = |_| TokenError::Unavailable("it did not answer in time".to_owned());
        tokio::time::timeout(self.core.config.deadline, work).await.map_err(late)?
    }

    /// Sends one job to the workers and waits for its answer.
    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let full = |queue::Full| TokenError::Unavailable("too many requests wait for it".to_owned());
        self.jobs.try_send(job(reply)).map_err(full)?;
        answer.await.unwrap_or_else(|_| Err(self.unanswered().into()))
    }

    /// Sends one job to an owner and waits for its answer.
    async fn ask_owner<T>(&self, owner: usize, job: impl FnOnce(Reply<T>) -> OwnerJob) -> Result<T, Failure> {
        let (queue, _) = &self.core.owners[owner];
        if queue.len() >= self.core.config.queue {
            return Err(TokenError::Unavailable("too many keys wait to be unwrapped".to_owned()).into());
        }
        let (reply, answer) = oneshot::channel();
        queue.send(job(reply)).map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(self.unanswered().into()))
    }

    /// As [`ask_owner`](Self::ask_owner), for what takes room in the token: if there is none, some cached keys are
    /// destroyed, and it is asked once more.
    async fn ask_owner_for_room<T>(&self, owner: usize, job: impl Fn(Reply<T>) -> OwnerJob) -> Result<T, Failure> {
        let shrinks = self.core.handles.shrinks();
        match self.ask_owner(owner, &job).await {
            Err(Failure::Exhausted(_)) => self.core.make_room(shrinks),
            other => return other,
        }
        for index in 0..self.core.owners.len() {
            // The keys were given back to their owners, who destroy them before they answer. It is only waited for.
            let _ = self.ask_owner(index, |reply| OwnerJob::Barrier { reply }).await;
        }
        self.ask_owner(owner, &job).await
    }

    /// Why a thread dropped a request without an answer: the token was closed, or the thread panicked.
    fn unanswered(&self) -> TokenError {
        let crashed = || TokenError::Unavailable("the thread that served the call has crashed".to_owned());
        self.core.gate.ready().err().unwrap_or_else(crashed)
    }

    /// The owner of a material's handle.
    fn owner_of(&self, id: MaterialId) -> usize {
        usize::from(id.as_bytes()[15]) % self.core.owners.len()
    }

    /// What a failure means once a probe has spoken: `if_well` if the token is well, so that the input was wrong.
    async fn settle(&self, failure: Failure, if_well: TokenError) -> TokenError {
        match failure {
            Failure::Known(TokenError::NotAuthentic) => if_well,
            Failure::Known(error) => error,
            Failure::Unclear(code) => match self.probe().await {
                Ok(Verdict::Well) => match if_well {
                    TokenError::Unavailable(text) => TokenError::Unavailable(format!("{text}: {code}")),
                    error => error,
                },
                Ok(Verdict::Unwell(error)) | Err(error) => error,
            },
            Failure::Exhausted(code) => TokenError::Unavailable(format!("it has no room: {code}")),
            // The token's permanent keys do not go away while it works.
            Failure::Stale { generation, .. } => {
                self.core.lose(generation, "it does not know its own permanent keys any more")
            }
        }
    }

    async fn probe(&self) -> Result<Verdict, TokenError> {
        let (owner, _) = &self.core.owners[0];
        let verdict = self.core.waiting.join(|| drop(owner.send(OwnerJob::Probe)))?;
        verdict.await.map_err(|_| self.unanswered())
    }

    /// The handle of a data key in the token, unwrapped if need be.
    async fn borrow(&self, material: &Material) -> Result<Arc<KeyHandle>, TokenError> {
        if let Some(key) = self.core.handles.hit(material.id) {
            return Ok(key);
        }
        let load = || async {
            let sealed = &material.sealed;
            let job = |reply| OwnerJob::Unwrap { kek: sealed.sealed_by, wrapped: sealed.bytes.clone(), reply };
            match self.ask_owner_for_room(self.owner_of(material.id), job).await {
                Ok(handle) => Ok(handle),
                Err(failure) => Err(self.settle(failure, damaged("it does not unwrap")).await),
            }
        };
        self.core.handles.load(material.id, load).await
    }

    /// Runs a job with the key's handle, and once more if the handle turns out to be stale.
    async fn with_handle<T>(
        &self,
        material: &Material,
        mut inputs: Inputs,
        if_well: TokenError,
        job: impl Fn(Arc<KeyHandle>, Inputs, Reply<T>) -> Job,
    ) -> Result<T, TokenError> {
        for _ in 0..2 {
            let key = self.borrow(material).await?;
            let borrowed = Arc::clone(&key);
            match self.ask(|reply| job(borrowed, inputs, reply)).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Stale { inputs: Some(returned), .. }) => {
                    self.core.handles.remove_value(material.id, &key);
                    inputs = *returned;
                }
                Err(failure) => return Err(self.settle(failure, if_well).await),
            }
        }
        let lost = TokenError::Unavailable("it lost a key that it has just unwrapped".to_owned());
        Err(self.settle(Failure::Unclear("stale handle".to_owned()), lost).await)
    }

    /// The key of a software-protected version, decrypted if need be.
    async fn software_key(&self, material: &Material) -> Result<Arc<SoftwareKey>, TokenError> {
        if let Some(key) = self.core.software.hit(material.id) {
            return Ok(key);
        }
        let load = || async { SoftwareKey::new(material.algorithm, &self.key_bytes(material).await?) };
        self.core.software.load(material.id, load).await
    }

    /// As [`software_key`](Self::software_key), of a convergent version.
    async fn convergent_key(&self, material: &Material) -> Result<Arc<ConvergentKey>, TokenError> {
        if let Some(key) = self.core.convergent.hit(material.id) {
            return Ok(key);
        }
        let load = || async { ConvergentKey::new(&self.key_bytes(material).await?) };
        self.core.convergent.load(material.id, load).await
    }

    /// The bytes of a software-protected version.
    async fn key_bytes(&self, material: &Material) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let aad = version_aad(material.id, material.key_id, material.algorithm);
        self.unseal(SealingRole::SoftwareVersions, material.sealed.clone(), aad).await
    }

    /// Decrypts a secret of ours with the internal key that encrypted it.
    async fn unseal(
        &self,
        role: SealingRole,
        sealed: SealedMaterial,
        aad: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        match self.ask(|reply| Job::Unseal { role, sealed, aad, reply }).await {
            Ok(secret) => Ok(secret),
            Err(failure) => Err(self.settle(failure, damaged("it does not decrypt")).await),
        }
    }

    fn limit(&self, bytes: usize) -> Result<(), TokenError> {
        let max_bytes = self.core.binding.capabilities.max_gcm_bytes;
        if bytes > max_bytes { Err(TokenError::TooLarge { max_bytes }) } else { Ok(()) }
    }
}

#[async_trait]
impl Token for HsmToken {
    async fn key_pair(&self, spec: KeyPairSpec) -> Result<KeyPair, TokenError> {
        // Not within the deadline of the token, which has no part in it. Without the token nothing could be done with it.
        self.core.gate.ready()?;
        self.key_pairs.make(spec).await
    }

    async fn generate(
        &self,
        id: MaterialId,
        key_id: KeyId,
        algorithm: Algorithm,
    ) -> Result<SealedMaterial, TokenError> {
        self.within(async {
            let made = if algorithm.hosted_by_hsm() {
                self.ask_owner_for_room(self.owner_of(id), |reply| OwnerJob::Generate { reply }).await
            } else {
                let (role, aad) = (SealingRole::SoftwareVersions, version_aad(id, key_id, algorithm));
                let secret = Secret::New { bytes: algorithm.key_bytes() };
                self.ask(|reply| Job::Seal { role, secret, aad, reply }).await
            };
            match made {
                Ok(material) => Ok(material),
                Err(failure) => Err(self.settle(failure, refused("a new key")).await),
            }
        })
        .await
    }

    async fn encrypt(
        &self,
        material: Arc<Material>,
        aad: Vec<u8>,
        plaintext: Zeroizing<Vec<u8>>,
    ) -> Result<SealedData, TokenError> {
        self.limit(plaintext.len())?;
        if material.convergent {
            return self.within(async { self.convergent_key(&material).await?.seal(&aad, &plaintext) }).await;
        }
        let inputs = Inputs { aad, iv: Vec::new(), plaintext, ciphertext: Vec::new() };
        self.within(async {
            if material.algorithm.hosted_by_hsm() {
                let job = |key, inputs, reply| Job::Encrypt { key, inputs, reply };
                return self.with_handle(&material, inputs, refused("an encryption"), job).await;
            }
            let key = self.software_key(&material).await?;
            match self.ask(|reply| Job::EncryptInSoftware { key, inputs, reply }).await {
                Ok(sealed) => Ok(sealed),
                Err(failure) => Err(self.settle(failure, refused("an encryption")).await),
            }
        })
        .await
    }

    async fn decrypt(
        &self,
        material: Arc<Material>,
        aad: Vec<u8>,
        iv: Vec<u8>,
        ciphertext: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        self.limit(ciphertext.len().saturating_sub(TAG_BYTES))?;
        if material.convergent {
            return self.within(async { self.convergent_key(&material).await?.open(&iv, &aad, ciphertext) }).await;
        }
        // Some tokens take any IV, an empty one too: ours are all of one length.
        if iv.len() != IV_BYTES || ciphertext.len() < TAG_BYTES {
            return Err(TokenError::NotAuthentic);
        }
        self.within(async {
            if material.algorithm.hosted_by_hsm() {
                let inputs = Inputs { aad, iv, plaintext: Zeroizing::default(), ciphertext };
                let job = |key, inputs, reply| Job::Decrypt { key, inputs, reply };
                return self.with_handle(&material, inputs, TokenError::NotAuthentic, job).await;
            }
            let key = self.software_key(&material).await?;
            key.open(&iv, &aad, ciphertext)
        })
        .await
    }

    async fn random(&self, bytes: usize) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        self.within(async {
            match self.ask(|reply| Job::Random { bytes, reply }).await {
                Ok(random) => Ok(random),
                Err(failure) => Err(self.settle(failure, refused("random bytes")).await),
            }
        })
        .await
    }

    async fn seal_secret(&self, id: CredentialId, secret: Zeroizing<Vec<u8>>) -> Result<SealedMaterial, TokenError> {
        let max_bytes = MAX_SECRET_BYTES.min(self.capabilities().max_gcm_bytes);
        if secret.len() > max_bytes {
            return Err(TokenError::TooLarge { max_bytes });
        }
        let (role, aad, secret) = (SealingRole::Credentials, credential_aad(id), Secret::Given(secret));
        self.within(async {
            match self.ask(|reply| Job::Seal { role, secret, aad, reply }).await {
                Ok(sealed) => Ok(sealed),
                Err(failure) => Err(self.settle(failure, refused("the secret of a credential")).await),
            }
        })
        .await
    }

    async fn open_secret(&self, id: CredentialId, sealed: SealedMaterial) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        self.within(self.unseal(SealingRole::Credentials, sealed, credential_aad(id))).await
    }

    fn secrets_key(&self) -> Option<MaterialId> {
        self.secrets_counter
    }

    async fn forget(&self, id: MaterialId) {
        self.core.handles.remove(id);
        self.core.software.remove(id);
        self.core.convergent.remove(id);
    }

    async fn check(&self) -> Result<(), TokenError> {
        self.within(async {
            match self.probe().await? {
                Verdict::Well => Ok(()),
                Verdict::Unwell(error) => Err(error),
            }
        })
        .await
    }

    fn suite(&self, algorithm: Algorithm) -> Suite {
        match (algorithm, self.core.binding.capabilities.iv_mode) {
            (Algorithm::Aes128, _) => Suite::Software128,
            (Algorithm::Aes192, _) => Suite::Software192,
            (Algorithm::Aes256, _) => Suite::Software256,
            (Algorithm::Aes256Hsm, IvMode::Given) => Suite::HsmGivenIv,
            (Algorithm::Aes256Hsm, IvMode::Made) => Suite::HsmMadeIv,
        }
    }

    fn description(&self) -> TokenDescription {
        let binding = &self.core.binding;
        TokenDescription {
            identity: binding.identity.clone(),
            protection: binding.protection,
            assurance: binding.assurance.clone(),
        }
    }

    fn sealing_key(&self, algorithm: Algorithm) -> Option<MaterialId> {
        if algorithm.hosted_by_hsm() { None } else { self.versions_counter }
    }
}

impl Drop for HsmToken {
    fn drop(&mut self) {
        self.core.gate.close();
        self.jobs.close();
        // A sender without a receiver takes its place: the watch sees that its own is gone.
        self.stop_watch = bounded(0).0;
        for (owner, _) in &self.core.owners {
            // Fails if the owner has ended.
            let _ = owner.send(OwnerJob::Stop);
        }
        join(self.watch.take());
        let (done, finalized) = bounded(1);
        let told = self.core.notices.send(Notice::Stop(done)).is_ok();
        // A recovery that cannot be told has ended.
        if !told || finalized.recv_timeout(self.core.config.deadline).is_ok() {
            join(self.recovery.take());
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

fn join(thread: Option<JoinHandle<()>>) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("a thread of the token ended in a panic");
    }
}

fn ended() -> TokenError {
    TokenError::Unavailable("it was closed".to_owned())
}

fn damaged(what: &str) -> TokenError {
    TokenError::MaterialDamaged(what.to_owned())
}

fn refused(what: &str) -> TokenError {
    TokenError::Unavailable(format!("it is well but refuses {what}"))
}
