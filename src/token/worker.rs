//! Data workers: the threads in which plaintext meets the token.
//!
//! In: [`Job`]s from one bounded channel. Out: answers to the callers. Each worker has a session of its own and never
//! makes or destroys objects. A session is kept after an error if the next operation begins in it, else it is
//! closed and another is opened.
//!
//! IVs are drawn in the session, and right before the encryption, that they are for: none is ever stored. On a network
//! token that is one round trip more per encryption.

use super::ckr::{Fault, fault};
use super::core::Core;
use super::handle::KeyHandle;
use super::job::{CallError, Failure, Inputs, Job, Reply};
use super::live::Live;
use super::sealing::{self, SealingRole, Secret};
use super::software::SoftwareKey;
use super::stats::count;
use super::threads::Seat;
use crate::domain::envelope::{IV_BYTES, TAG_BYTES};
use crate::service::ports::{IvMode, SealedData, SealedMaterial};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What one worker keeps between two jobs.
pub struct Worker {
    core: Arc<Core>,
    session: Option<DataSession>,
    /// The last IV that was drawn, to find a generator that repeats itself. It is this worker's, so that no lock is on
    /// the way of a request.
    last_iv: [u8; IV_BYTES],
}

/// A session and the generation in which it was opened. It is never closed by being dropped: in another generation
/// its number may belong to somebody else.
struct DataSession {
    generation: u64,
    session: Session,
}

impl Worker {
    /// Works until the token is closed, or until the watch gives the seat to another thread.
    pub fn run(core: Arc<Core>, seat: &Seat) {
        let mut worker = Self { core, session: None, last_iv: [0; IV_BYTES] };
        let jobs = worker.core.jobs.clone();
        while let Some(job) = jobs.recv() {
            if !job.is_abandoned() {
                let _working = seat.work();
                worker.perform(job);
            }
            if seat.is_given_away() {
                break;
            }
        }
    }

    fn perform(&mut self, job: Job) {
        match job {
            Job::Encrypt { key, inputs, reply } => self.encrypt(&key, inputs, reply),
            Job::Decrypt { key, inputs, reply } => self.decrypt(&key, inputs, reply),
            Job::EncryptInSoftware { key, inputs, reply } => answer(reply, self.encrypt_in_software(&key, &inputs)),
            Job::Seal { role, secret, aad, reply } => answer(reply, self.seal(role, &secret, &aad)),
            Job::Unseal { role, sealed, aad, reply } => answer(reply, self.unseal(role, sealed, &aad)),
            Job::Random { bytes, reply } => answer(reply, self.random(bytes)),
        }
    }

    fn encrypt(&mut self, key: &KeyHandle, inputs: Inputs, reply: Reply<SealedData>) {
        let done = self.call(|worker, live, session| {
            let object = key.object(live.generation).ok_or(CallError::Stale)?;
            worker.gcm_encrypt(session, object, &inputs.aad, &inputs.plaintext)
        });
        let done = done.map(|(iv, ciphertext)| SealedData { iv: iv.to_vec(), ciphertext });
        answer(reply, done.map_err(|failure| give_back(failure, key, inputs)));
    }

    fn decrypt(&mut self, key: &KeyHandle, mut inputs: Inputs, reply: Reply<Zeroizing<Vec<u8>>>) {
        let mut iv = std::mem::take(&mut inputs.iv);
        let done = self.call(|worker, live, session| {
            let object = key.object(live.generation).ok_or(CallError::Stale)?;
            let raw = worker.core.module.raw();
            Ok(raw.gcm_decrypt(session, object, &mut iv, &inputs.aad, &inputs.ciphertext)?)
        });
        inputs.iv = iv;
        answer(reply, done.map_err(|failure| give_back(failure, key, inputs)));
    }

    fn encrypt_in_software(&mut self, key: &SoftwareKey, inputs: &Inputs) -> Result<SealedData, Failure> {
        let iv = self.call(|worker, _, session| worker.random_iv(session))?;
        let ciphertext = key.seal(iv, &inputs.aad, &inputs.plaintext)?;
        Ok(SealedData { iv: iv.to_vec(), ciphertext })
    }

    /// A secret of ours, encrypted by the newest of the token keys for its kind.
    fn seal(&mut self, role: SealingRole, secret: &Secret, aad: &[u8]) -> Result<SealedMaterial, Failure> {
        self.call(|worker, live, session| {
            let (sealed_by, object) = live.newest_sealing_key(role).map_err(CallError::Known)?;
            let (iv, sealed) = match secret {
                Secret::Given(secret) => worker.gcm_encrypt(session, object, aad, secret)?,
                Secret::New { bytes } => {
                    let mut key = Zeroizing::new(vec![0; *bytes]);
                    worker.core.module.raw().fill_random(session, &mut key)?;
                    worker.gcm_encrypt(session, object, aad, &key)?
                }
            };
            Ok(SealedMaterial { sealed_by, bytes: [&iv[..], &sealed].concat() })
        })
    }

    fn unseal(
        &mut self,
        role: SealingRole,
        mut sealed: SealedMaterial,
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let (iv, bytes) = sealing::split(&mut sealed.bytes)?;
        self.call(|worker, live, session| {
            let object = live.sealing_key(role, sealed.sealed_by).map_err(CallError::Known)?;
            Ok(worker.core.module.raw().gcm_decrypt(session, object, iv, aad, bytes)?)
        })
    }

    fn random(&mut self, bytes: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.call(|worker, _, session| {
            let mut out = Zeroizing::new(vec![0; bytes]);
            worker.core.module.raw().fill_random(session, &mut out)?;
            Ok(out)
        })
    }

    /// Encrypts under an IV of the token's: given to it from its random generator, or made by it.
    fn gcm_encrypt(
        &mut self,
        session: &Session,
        object: ObjectHandle,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<([u8; IV_BYTES], Vec<u8>), CallError> {
        let made = self.core.binding.capabilities.iv_mode == IvMode::Made;
        let mut iv = if made { [0; IV_BYTES] } else { self.random_iv(session)? };
        let sealed = self.core.module.raw().gcm_encrypt(session, object, &mut iv, aad, plaintext)?;
        if made && !self.core.made_ivs.accept(iv) {
            return Err(self.bad_generator());
        }
        if sealed.len() != plaintext.len() + TAG_BYTES {
            return Err(CallError::Known(self.core.condemn("it returned a ciphertext of the wrong length")));
        }
        Ok((iv, sealed))
    }

    fn random_iv(&mut self, session: &Session) -> Result<[u8; IV_BYTES], CallError> {
        let mut iv = [0; IV_BYTES];
        self.core.module.raw().fill_random(session, &mut iv)?;
        // What a generator that has stopped gives: the buffer as it was handed in (all zero), or the same again.
        if !is_fresh(iv, self.last_iv) {
            return Err(self.bad_generator());
        }
        self.last_iv = iv;
        Ok(iv)
    }

    /// GCM does not survive a repeated IV, so the token is not used any more.
    fn bad_generator(&self) -> CallError {
        CallError::Known(self.core.condemn("it repeated an IV or made none"))
    }

    /// Runs `operation` in this worker's session. If the session turns out to be unusable, another one is opened and
    /// the operation runs once more.
    fn call<T>(
        &mut self,
        mut operation: impl FnMut(&mut Self, &Live, &Session) -> Result<T, CallError>,
    ) -> Result<T, Failure> {
        let core = Arc::clone(&self.core);
        let pass = core.gate.enter()?;
        let live = pass.live()?;
        let mut data = self.session(live)?;
        let mut result = operation(self, live, &data.session);
        if matches!(&result, Err(CallError::Pkcs11(error)) if fault(error) == Fault::Session) {
            count(&core.counters.reopened_sessions);
            // Whether the token still knows the session or not, it is not used again.
            drop(data.session.close());
            data = self.session(live)?;
            result = operation(self, live, &data.session);
        }
        self.session = Some(data);
        result.map_err(|error| core.judge(live.generation, error))
    }

    /// This worker's session, opened if there is none of this generation.
    fn session(&mut self, live: &Live) -> Result<DataSession, Failure> {
        match self.session.take() {
            Some(data) if data.generation == live.generation => Ok(data),
            _ => {
                let opened = self.core.open_session(live.slot);
                let session = opened.map_err(|error| self.core.judge(live.generation, error.into()))?;
                Ok(DataSession { generation: live.generation, session })
            }
        }
    }
}

fn answer<T>(reply: Reply<T>, result: Result<T, Failure>) {
    // Fails if the caller has gone away; then nobody wants to know.
    let _ = reply.send(result);
}

/// A stale handle is never used again, and its inputs go back to the caller.
fn give_back(failure: Failure, key: &KeyHandle, inputs: Inputs) -> Failure {
    match failure {
        Failure::Stale { generation, .. } => {
            key.mark_gone();
            Failure::Stale { generation, inputs: Some(Box::new(inputs)) }
        }
        other => other,
    }
}

fn is_fresh(iv: [u8; IV_BYTES], last: [u8; IV_BYTES]) -> bool {
    iv != [0; IV_BYTES] && iv != last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iv_that_was_not_drawn_or_is_repeated_is_not_fresh() {
        assert!(!is_fresh([0; IV_BYTES], [7; IV_BYTES]));
        assert!(!is_fresh([7; IV_BYTES], [7; IV_BYTES]));
        assert!(is_fresh([8; IV_BYTES], [7; IV_BYTES]));
    }
}
