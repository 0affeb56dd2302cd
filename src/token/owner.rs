//! Owners: the threads in whose sessions data keys live. They generate, unwrap, destroy and probe, nothing else,
//! because an object dies with the session that made it.
//!
//! In: [`OwnerJob`]s from the owner's own channel. Out: handles, sealed material, verdicts. An owner session is never
//! closed while its generation runs: its objects may be borrowed, and a token may use their numbers again.

use super::ckr::{Fault, fault};
use super::core::Core;
use super::handle::{KeyHandle, Tag};
use super::health::Verdict;
use super::job::{CallError, Failure, Reply};
use super::live::Live;
use super::module::ckr_text;
use super::raw::RawMechanism;
use super::raw_attr::Attr;
use super::stats::count;
use super::template::{canary_unwrap, data_key_generate, data_key_unwrap, wrap_mechanism};
use super::threads::Seat;
use crate::service::ports::{Protection, SealedMaterial, TokenError};
use crossbeam_channel::{Receiver, Sender};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::CKM_AES_KEY_GEN;
use std::sync::Arc;

/// One request to an owner.
pub enum OwnerJob {
    /// Unwrap a data key and keep it.
    Unwrap {
        /// The number of the KEK.
        kek: u32,
        /// The wrapped key.
        wrapped: Vec<u8>,
        /// Where the handle goes.
        reply: Reply<KeyHandle>,
    },
    /// Make a data key, wrap it and destroy it.
    Generate {
        /// Where the wrapped key goes.
        reply: Reply<SealedMaterial>,
    },
    /// Destroy a data key.
    Destroy {
        /// The object.
        object: ObjectHandle,
        /// Whose it is.
        tag: Tag,
    },
    /// Find out whether the token is well, for all who wait.
    Probe,
    /// Answer when all that was asked before is done.
    Barrier {
        /// Where the answer goes.
        reply: Reply<()>,
    },
    /// End.
    Stop,
}

/// One owner.
pub struct Owner {
    core: Arc<Core>,
    jobs: Receiver<OwnerJob>,
    sender: Sender<OwnerJob>,
    session: Option<OwnerSession>,
    mechanism: RawMechanism,
    unwrap_template: Vec<Attr>,
    canary_template: Vec<Attr>,
    generate_template: Vec<Attr>,
}

struct OwnerSession {
    generation: u64,
    session: Session,
    /// The canary, unwrapped so that a probe can wrap it again without making an object.
    canary: Option<ObjectHandle>,
}

impl Owner {
    /// Works until the token is closed, or until the watch gives the seat to another thread.
    pub fn run(core: Arc<Core>, index: usize, seat: &Seat) {
        let (sender, jobs) = core.owners[index].clone();
        let (protection, capabilities) = (core.binding.protection, &core.binding.capabilities);
        let mut owner = Self {
            mechanism: RawMechanism::plain(wrap_mechanism(capabilities.wrap_mechanism)),
            canary_template: canary_unwrap(protection, capabilities.value_len_on_unwrap),
            unwrap_template: data_key_unwrap(protection, capabilities.value_len_on_unwrap),
            generate_template: data_key_generate(protection),
            core,
            jobs,
            sender,
            session: None,
        };
        while let Ok(job) = owner.jobs.recv() {
            let _working = seat.work();
            if !owner.perform(job) || seat.is_given_away() {
                break;
            }
        }
    }

    fn perform(&mut self, job: OwnerJob) -> bool {
        match job {
            OwnerJob::Unwrap { reply, .. } if reply.is_closed() => {}
            OwnerJob::Unwrap { kek, wrapped, reply } => {
                // If the caller has gone, the handle comes back in the error, and its drop destroys the object.
                drop(reply.send(self.unwrap(kek, &wrapped)));
            }
            OwnerJob::Generate { reply } if reply.is_closed() => {}
            OwnerJob::Generate { reply } => drop(reply.send(self.generate())),
            OwnerJob::Destroy { object, tag } => self.destroy(object, tag),
            OwnerJob::Probe => self.probe(),
            OwnerJob::Barrier { reply } => drop(reply.send(Ok(()))),
            OwnerJob::Stop => return false,
        }
        true
    }

    fn unwrap(&mut self, kek: u32, wrapped: &[u8]) -> Result<KeyHandle, Failure> {
        let sender = self.sender.clone();
        self.call(|owner, live, own| {
            let kek = live.kek(kek).map_err(CallError::Known)?;
            let raw = owner.core.module.raw();
            let key = raw.unwrap_key(&own.session, &owner.mechanism, kek, wrapped, &owner.unwrap_template)?;
            count(&owner.core.counters.unwraps);
            let tag = Tag { generation: live.generation, owner_session: own.session.handle() };
            Ok(KeyHandle::new(key, tag, sender))
        })
    }

    fn generate(&mut self) -> Result<SealedMaterial, Failure> {
        self.call(|owner, live, own| {
            let (number, kek) = live.newest_kek().map_err(CallError::Known)?;
            let raw = owner.core.module.raw();
            let key = raw.generate_key(&own.session, CKM_AES_KEY_GEN, &owner.generate_template)?;
            let wrapped = raw.wrap_key(&own.session, &owner.mechanism, kek, key);
            let destroyed = own.session.destroy_object(key);
            let sealed = SealedMaterial { sealed_by: number, bytes: wrapped? };
            destroyed?;
            Ok(sealed)
        })
    }

    /// Destroys an object, unless it died with its generation. A failure leaves the object to the session's end.
    fn destroy(&mut self, object: ObjectHandle, tag: Tag) {
        let done = self.call(|owner, live, own| {
            if tag.generation == live.generation {
                own.session.destroy_object(object)?;
                count(&owner.core.counters.destroys);
            }
            Ok(())
        });
        if let Err(Failure::Unclear(code)) = done {
            tracing::debug!(code, "a session key could not be destroyed; it ends with its session");
        }
    }

    /// Runs the probe for everybody who asked before it.
    fn probe(&mut self) {
        let waiters = self.core.waiting.begin();
        let generation = self.core.gate.generation();
        let shrinks = self.core.handles.shrinks();
        count(&self.core.counters.probes);
        let done = self.call(|owner, live, own| {
            let done = owner.wrap_canary(live, own);
            done.map_err(|error| owner.judge_probe(live.generation, error))
        });
        let verdict = match done {
            Ok(()) => Verdict::Well,
            Err(Failure::Known(error)) => Verdict::Unwell(error),
            Err(Failure::Exhausted(text)) => {
                // The keys that are cached work on; the next probe may find room.
                self.core.make_room(shrinks);
                Verdict::Unwell(TokenError::Unavailable(text))
            }
            Err(Failure::Unclear(text)) => {
                Verdict::Unwell(self.core.lose(generation, &format!("the probe failed: {text}")))
            }
            Err(Failure::Stale { .. }) => Verdict::Unwell(self.core.lose(generation, "it has lost its keys")),
        };
        for waiter in waiters {
            // Fails if the waiter's deadline is over.
            let _ = waiter.send(verdict.clone());
        }
    }

    /// The probe's input is good: a token that calls it bad or forbidden does not have the KEK of `init` any more, or
    /// another policy. The recovery verifies the KEK, and opens to the right one only.
    fn judge_probe(&self, generation: u64, error: CallError) -> CallError {
        match error {
            CallError::Pkcs11(error) if matches!(fault(&error), Fault::Input | Fault::Refused) => {
                let reason = format!("the probe was refused: {}", ckr_text(&error));
                CallError::Known(self.core.lose(generation, &reason))
            }
            other => other,
        }
    }

    /// A real operation with the KEK whose result is known: RFC 3394 and 5649 are deterministic, so wrapping the
    /// canary must give the bytes that `init` stored. Where the profile forbids to wrap it again, unwrapping is the
    /// operation.
    fn wrap_canary(&self, live: &Live, own: &mut OwnerSession) -> Result<(), CallError> {
        if self.core.binding.protection != Protection::Trusted {
            let canary = self.unwrap_canary(live, own)?;
            return Ok(own.session.destroy_object(canary)?);
        }
        let (_, kek) = live.newest_kek().map_err(CallError::Known)?;
        let canary = match own.canary {
            Some(canary) => canary,
            None => self.unwrap_canary(live, own)?,
        };
        let raw = self.core.module.raw();
        let mut wrapped = raw.wrap_key(&own.session, &self.mechanism, kek, canary);
        if matches!(&wrapped, Err(error) if fault(error) == Fault::StaleHandle) {
            // The canary itself may be gone, with a node of the HSM: that does not make the KEK unwell.
            let again = self.unwrap_canary(live, own)?;
            wrapped = raw.wrap_key(&own.session, &self.mechanism, kek, again);
        }
        if wrapped? == live.canary {
            return Ok(());
        }
        Err(CallError::Known(self.core.condemn("its KEK is not the one of `init`")))
    }

    fn unwrap_canary(&self, live: &Live, own: &mut OwnerSession) -> Result<ObjectHandle, CallError> {
        let (_, kek) = live.newest_kek().map_err(CallError::Known)?;
        let raw = self.core.module.raw();
        let canary = raw.unwrap_key(&own.session, &self.mechanism, kek, &live.canary, &self.canary_template)?;
        own.canary = Some(canary);
        Ok(canary)
    }

    /// Runs `operation` in the owner's session. A session that is lost takes its objects with it, so only a recovery
    /// helps.
    fn call<T>(
        &mut self,
        operation: impl FnOnce(&Self, &Live, &mut OwnerSession) -> Result<T, CallError>,
    ) -> Result<T, Failure> {
        let core = Arc::clone(&self.core);
        let pass = core.gate.enter()?;
        let live = pass.live()?;
        let mut own = self.session(live)?;
        let result = operation(self, live, &mut own);
        self.session = Some(own);
        result.map_err(|error| match error {
            CallError::Pkcs11(error) if fault(&error) == Fault::Session => {
                Failure::Known(core.lose(live.generation, &ckr_text(&error)))
            }
            error => core.judge(live.generation, error),
        })
    }

    fn session(&mut self, live: &Live) -> Result<OwnerSession, Failure> {
        match self.session.take() {
            Some(own) if own.generation == live.generation => Ok(own),
            _ => {
                let opened = self.core.open_session(live.slot);
                let session = opened.map_err(|error| self.core.judge(live.generation, error.into()))?;
                Ok(OwnerSession { generation: live.generation, session, canary: None })
            }
        }
    }
}
