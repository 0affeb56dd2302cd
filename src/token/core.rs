//! What the threads and callers of one token share.

use super::cache::Cache;
use super::ckr::{Fault, fault};
use super::config::TokenConfig;
use super::convergent::ConvergentKey;
use super::gate::Gate;
use super::handle::KeyHandle;
use super::health::WaitingRoom;
use super::ivs::MadeIvs;
use super::job::{CallError, Failure, Job};
use super::module::{Module, ckr_text};
use super::owner::OwnerJob;
use super::queue;
use super::recovery::Notice;
use super::software::SoftwareKey;
use super::stats::{Counters, count};
use crate::service::ports::{TokenBinding, TokenError};
use crossbeam_channel::{Receiver, Sender};
use cryptoki::error::Error;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

/// The shared part of a token.
pub struct Core {
    /// Settings.
    pub config: TokenConfig,
    /// Which keys the token must have, and what it can do.
    pub binding: TokenBinding,
    /// The library.
    pub module: Module,
    /// Open while the library may be called.
    pub gate: Gate,
    /// Counters.
    pub counters: Counters,
    /// Requests to the data workers.
    pub jobs: queue::Receiver<Job>,
    /// Requests to the owners, one channel each.
    pub owners: Vec<(Sender<OwnerJob>, Receiver<OwnerJob>)>,
    /// Unwrapped keys.
    pub handles: Cache<KeyHandle>,
    /// Decrypted software keys.
    pub software: Cache<SoftwareKey>,
    /// The same for convergent versions.
    pub convergent: Cache<ConvergentKey>,
    /// The IVs that the token has made, where it makes them.
    pub made_ivs: MadeIvs,
    /// Callers that wait for a probe.
    pub waiting: WaitingRoom,
    /// To the recovery.
    pub notices: Sender<Notice>,
}

impl Core {
    /// Opens a session that is not closed when it is dropped.
    pub fn open_session(&self, slot: Slot) -> Result<Session, Error> {
        open_session(&self.module, slot, self.binding.capabilities.rw_sessions_only)
    }

    /// Decides what the failure of a call of this generation means, and starts a recovery if the token is lost.
    pub fn judge(&self, generation: u64, error: CallError) -> Failure {
        let error = match error {
            CallError::Known(error) => return Failure::Known(error),
            CallError::Stale => return Failure::Stale { generation, inputs: None },
            CallError::Pkcs11(error) => error,
        };
        let text = ckr_text(&error);
        match fault(&error) {
            Fault::Input => Failure::Known(TokenError::NotAuthentic),
            Fault::StaleHandle => Failure::Stale { generation, inputs: None },
            Fault::Lost => Failure::Known(self.lose(generation, &text)),
            Fault::Exhausted => Failure::Exhausted(text),
            Fault::Refused => {
                Failure::Known(TokenError::Untrusted(format!("it refuses what it accepted before: {text}")))
            }
            Fault::Session | Fault::Unclear => Failure::Unclear(text),
        }
    }

    /// Has fewer unwrapped keys kept in the token for a while, because it has no room. `shrinks` is what the cache said
    /// before the call that failed: of many calls that fail at once one makes room.
    pub fn make_room(&self, shrinks: u64) {
        count(&self.counters.exhaustions);
        if let Some(kept) = self.handles.shrink(shrinks) {
            tracing::warn!(kept, "the token has no room for a key: fewer are kept in it for a while");
        }
    }

    /// Starts a recovery, unless one is under way or was made since.
    pub fn lose(&self, generation: u64, reason: &str) -> TokenError {
        let error = TokenError::Unavailable(reason.to_owned());
        if self.gate.lose(generation, error.clone()) {
            // Fails only if the token was closed.
            let _ = self.notices.send(Notice::Lost(generation));
        }
        error
    }

    /// Shuts the token until the process is started anew.
    pub fn condemn(&self, reason: &str) -> TokenError {
        let error = TokenError::Untrusted(reason.to_owned());
        self.gate.condemn(error.clone());
        error
    }
}

/// Opens a session that is not closed when it is dropped: in a later generation its number may be somebody else's.
pub fn open_session(module: &Module, slot: Slot, rw_only: bool) -> Result<Session, Error> {
    let pkcs11 = module.pkcs11();
    if rw_only { pkcs11.open_rw_session_no_drop(slot) } else { pkcs11.open_ro_session_no_drop(slot) }
}
