//! The real token, and how often it was asked for the secret of a credential and for key pairs. It can wait before an
//! encryption.

use async_trait::async_trait;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::envelope::Suite;
use claviger::domain::id::{CredentialId, KeyId, MaterialId};
use claviger::domain::key_pair::KeyPairSpec;
use claviger::service::ports::KeyPair;
use claviger::service::ports::{Material, SealedData, SealedMaterial, Token, TokenDescription, TokenError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

pub struct CountingToken {
    inner: Arc<dyn Token>,
    opened: AtomicUsize,
    key_pairs: AtomicUsize,
    encryptions: AtomicUsize,
    pause: Mutex<Option<Pause>>,
}

/// Where the token waits.
struct Pause {
    before: usize,
    reached: oneshot::Sender<()>,
    go_on: oneshot::Receiver<()>,
}

impl CountingToken {
    pub fn new(inner: &Arc<dyn Token>) -> Self {
        Self {
            inner: Arc::clone(inner),
            opened: AtomicUsize::new(0),
            key_pairs: AtomicUsize::new(0),
            encryptions: AtomicUsize::new(0),
            pause: Mutex::new(None),
        }
    }

    /// Lets the token wait before this encryption, counted from 0: says when it does, and takes when to go on.
    pub fn pause_before(&self, encryption: usize) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((reached, is_reached), (go, go_on)) = (oneshot::channel(), oneshot::channel());
        *self.pause.lock().unwrap() = Some(Pause { before: encryption, reached, go_on });
        (is_reached, go)
    }

    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    pub fn key_pairs(&self) -> usize {
        self.key_pairs.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Token for CountingToken {
    async fn generate(&self, id: MaterialId, key: KeyId, algorithm: Algorithm) -> Result<SealedMaterial, TokenError> {
        self.inner.generate(id, key, algorithm).await
    }

    async fn encrypt(
        &self,
        material: Arc<Material>,
        aad: Vec<u8>,
        plaintext: Zeroizing<Vec<u8>>,
    ) -> Result<SealedData, TokenError> {
        let number = self.encryptions.fetch_add(1, Ordering::SeqCst);
        let pause = self.pause.lock().unwrap().take_if(|pause| pause.before == number);
        if let Some(Pause { reached, go_on, .. }) = pause {
            reached.send(()).unwrap();
            go_on.await.unwrap();
        }
        self.inner.encrypt(material, aad, plaintext).await
    }

    async fn decrypt(
        &self,
        material: Arc<Material>,
        aad: Vec<u8>,
        iv: Vec<u8>,
        ciphertext: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        self.inner.decrypt(material, aad, iv, ciphertext).await
    }

    async fn key_pair(&self, spec: KeyPairSpec) -> Result<KeyPair, TokenError> {
        self.key_pairs.fetch_add(1, Ordering::SeqCst);
        self.inner.key_pair(spec).await
    }

    async fn random(&self, bytes: usize) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        self.inner.random(bytes).await
    }

    async fn seal_secret(&self, id: CredentialId, secret: Zeroizing<Vec<u8>>) -> Result<SealedMaterial, TokenError> {
        self.inner.seal_secret(id, secret).await
    }

    async fn open_secret(&self, id: CredentialId, sealed: SealedMaterial) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.inner.open_secret(id, sealed).await
    }

    fn secrets_key(&self) -> Option<MaterialId> {
        self.inner.secrets_key()
    }

    async fn forget(&self, id: MaterialId) {
        self.inner.forget(id).await;
    }

    async fn check(&self) -> Result<(), TokenError> {
        self.inner.check().await
    }

    fn suite(&self, algorithm: Algorithm) -> Suite {
        self.inner.suite(algorithm)
    }

    fn description(&self) -> TokenDescription {
        self.inner.description()
    }

    fn sealing_key(&self, algorithm: Algorithm) -> Option<MaterialId> {
        self.inner.sealing_key(algorithm)
    }
}
