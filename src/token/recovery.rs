//! Recovery: starting the library anew after the token was lost.
//!
//! In: [`Notice`]s. Out: a new generation behind the gate, and empty caches. One thread does it, so that any number of
//! failing calls start it once; until it has succeeded every call is refused at once.

use super::core::Core;
use super::live::{self, Live};
use super::stats::count;
use crate::service::ports::TokenError;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use cryptoki::session::Session;
use std::sync::Arc;
use std::time::Duration;

/// How long one look at a closing gate lasts before the thread looks for a stop again.
const DRAIN_STEP: Duration = Duration::from_millis(200);

/// What the recovery is told.
pub enum Notice {
    /// The token of this generation is lost.
    Lost(u64),
    /// End, and tell when the library is finalized or will not be.
    Stop(Sender<()>),
}

/// Recovers whenever the token is lost, until it is told to stop. `login` is the session that keeps the login.
pub fn run(core: &Arc<Core>, notices: &Receiver<Notice>, login: Session) {
    let mut login = Some(login);
    while let Ok(notice) = notices.recv() {
        let stop = match notice {
            Notice::Stop(done) => Some(done),
            Notice::Lost(generation) if generation != core.gate.generation() => None,
            Notice::Lost(generation) => {
                // The session's number dies with the generation, so it is dropped without being closed.
                drop(login.take());
                match recover(core, notices, generation + 1) {
                    Ok(session) => {
                        login = Some(session);
                        None
                    }
                    Err(stop) => stop,
                }
            }
        };
        if let Some(done) = stop {
            finalize(core);
            let _ = done.send(());
            return;
        }
    }
}

/// Tries until it succeeds; the error is the request to stop that came meanwhile.
fn recover(core: &Core, notices: &Receiver<Notice>, generation: u64) -> Result<Session, Option<Sender<()>>> {
    tracing::warn!(generation, "the token is lost: the library is started anew");
    while !empty(core) {
        // A call that hangs in the library keeps it from being finalized; nothing but a new process helps then.
        let hangs = "a call hangs in the library, which cannot be started anew";
        core.gate.explain(TokenError::Unavailable(hangs.to_owned()));
        pause(notices, Duration::ZERO)?;
    }
    let (mut wait, longest) = core.config.recovery_pause;
    loop {
        let started = core.module.reinitialize();
        match started.and_then(|()| live::start(&core.module, &core.config, &core.binding, generation)) {
            Ok((live, login)) => {
                reopen(core, live);
                return Ok(login);
            }
            Err(error) => {
                // That a token cannot be trusted is not final here: tokens use the same code for a wrong KEK and for a
                // device that is failing. Every call is refused with that reason until all is verified.
                match &error {
                    TokenError::Untrusted(_) => tracing::error!(%error, "the token was not recovered"),
                    _ => tracing::warn!(%error, "the token could not be recovered yet"),
                }
                core.gate.explain(error);
            }
        }
        pause(notices, wait)?;
        wait = (wait * 2).min(longest);
    }
}

/// Waits for the last call to leave. Nothing of the old generation is left then.
fn empty(core: &Core) -> bool {
    match core.gate.drain(DRAIN_STEP) {
        Some(mut live) => {
            *live = None;
            true
        }
        None => false,
    }
}

fn reopen(core: &Core, live: Live) {
    let generation = live.generation;
    core.handles.clear();
    count(&core.counters.recoveries);
    core.gate.reopen(live);
    tracing::info!(generation, "the token is back");
}

fn pause(notices: &Receiver<Notice>, wait: Duration) -> Result<(), Option<Sender<()>>> {
    match notices.recv_timeout(wait) {
        Ok(Notice::Stop(done)) => Err(Some(done)),
        Ok(Notice::Lost(_)) | Err(RecvTimeoutError::Timeout) => Ok(()),
        Err(RecvTimeoutError::Disconnected) => Err(None),
    }
}

/// Ends the use of the library, if no call hangs in it.
fn finalize(core: &Core) {
    for _ in 0..5 {
        if empty(core) {
            if let Err(error) = core.module.clone().finalize() {
                tracing::debug!(%error, "the library was not finalized");
            }
            return;
        }
    }
}
