//! The ceremony: makes the token keys of an installation, or checks those that it made before.
//!
//! In: a [`CeremonyRequest`] of the commands `init` and `dev`. Out: a [`TokenBinding`], saved in the store first as
//! an intent with the ids of all objects to come, and at the end complete. It can be cut off at any point and
//! repeated: objects of an incomplete binding are destroyed and made anew. [`verify()`] is what every start does.

mod adopt;
mod blank;
mod canary;
pub(super) mod hex;
mod inspect;
mod internal;
mod kek;
mod plan;
mod run;
mod staging;
mod verify;

pub use blank::{BlankToken, ensure_token, init_token};
pub use canary::check_of;
pub use kek::KekName;
pub use run::run;
pub use staging::Staging;
pub use verify::{Parts, open_parts, verify};

use super::module::TokenSelector;
use super::pin::Pin;
use crate::domain::id::ClusterId;
use crate::domain::time::Timestamp;
use crate::service::ports::{Assurance, AttackReport, IdSource, InternalKeyRole, StoreError, TokenBinding, TokenError};
use std::path::PathBuf;

/// What the ceremony is to do.
pub struct CeremonyRequest<'a> {
    /// The PKCS#11 library. It must not be initialised in this process, and is not afterwards.
    pub module: PathBuf,
    /// The token.
    pub selector: TokenSelector,
    /// A blank token to initialise first, which `selector` will then find.
    pub blank: Option<BlankToken>,
    /// The security officer's PIN, for profile T and for a blank token.
    pub so_pin: Option<Pin>,
    /// The user PIN.
    pub user_pin: Pin,
    /// The installation.
    pub cluster_id: ClusterId,
    /// Now.
    pub created_at: Timestamp,
    /// Ids of the objects.
    pub ids: &'a dyn IdSource,
    /// What stands behind the token. SoftHSM is always [`Assurance::Software`].
    pub assurance: Assurance,
    /// Whether profile W is accepted.
    pub accept_pin_holder_can_export: bool,
    /// A KEK that a vendor's tool made, instead of a new one.
    pub adopt_kek: Option<KekName>,
    /// The private directory that this process's SoftHSM works in.
    pub staging: Option<&'a Staging>,
    /// Is told each step that was done.
    pub on_step: &'a dyn Fn(Step),
}

/// A step of the ceremony that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The blank token was initialised.
    TokenReady,
    /// What an earlier run left behind was destroyed.
    LeftoversDestroyed,
    /// The token's abilities were probed.
    Probed,
    /// The intent was saved.
    IntentSaved,
    /// The security officer made a trusted KEK that is public.
    PublicKekMade,
    /// The user made a private copy of it.
    PrivateKekCopied,
    /// The public KEK was destroyed.
    PublicKekDestroyed,
    /// The KEK with this number is made; 0 is the throw-away one.
    KekMade(u32),
    /// The attacks were played.
    AttacksPlayed,
    /// The throw-away KEK was destroyed.
    TrialKekDestroyed,
    /// An internal key was made.
    InternalKeyMade(InternalKeyRole),
    /// The canary was made.
    CanaryMade,
    /// All keys were read back and compared.
    Verified,
    /// The finished token was copied beside its place.
    TokenCopied,
    /// The finished token is in its place.
    TokenPublished,
    /// The binding was saved as complete.
    CompleteSaved,
}

/// What came of a ceremony.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The keys were made.
    Made(TokenBinding),
    /// An earlier run had made them; they are as they should be.
    AlreadyDone(TokenBinding),
}

impl Outcome {
    /// The binding.
    #[must_use]
    pub fn into_binding(self) -> TokenBinding {
        match self {
            Self::Made(binding) | Self::AlreadyDone(binding) => binding,
        }
    }
}

/// Why there is no ceremony.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The token did not do something, or is not what it should be.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The store did not keep the binding.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The staging directory failed.
    #[error("{what}: {error}")]
    Staging {
        /// What was done.
        what: &'static str,
        /// The cause.
        error: std::io::Error,
    },
    /// On SoftHSM a trusted KEK is public for a moment, which is only safe in a private directory.
    #[error("a trusted KEK on SoftHSM is made in a private staging directory, and none was given")]
    NeedsStaging,
    /// There is something that this ceremony did not make, or the request does not fit what there is.
    #[error("{0}")]
    Refused(String),
    /// The token enforces nothing, and that was not accepted in so many words.
    #[error("a holder of the user PIN can export keys from this token ({}): --accept-pin-holder-can-export", names(.attacks))]
    PinHolderCanExport {
        /// What was played.
        attacks: Vec<AttackReport>,
    },
}

fn names(attacks: &[AttackReport]) -> String {
    use crate::service::ports::AttackOutcome::Succeeded;
    let won = attacks.iter().filter(|report| report.outcome == Succeeded);
    won.map(|report| report.name.as_str()).collect::<Vec<_>>().join(", ")
}
