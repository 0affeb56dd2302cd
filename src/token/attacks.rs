//! The attacks of a holder of the user PIN on a KEK and on the keys that it wraps (docs/security.md).
//!
//! In: a logged-in session, a KEK and a key wrapped under it. Out: a report per attack. The ceremony plays them on a
//! throw-away KEK and decides by the reports what the token enforces; tests play them on real ones. An attack counts
//! as succeeded only if what it wanted is there afterwards: some tokens answer OK and change nothing.

use super::access::Access;
use super::attacks_kek as on_kek;
use super::attacks_unwrap as on_unwrap;
use super::module::ckr_text;
use crate::service::ports::{AttackOutcome, AttackReport, Protection, WrapMechanism};
use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;

/// What is attacked.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The attacker's session: logged in with the user PIN.
    pub access: Access<'a>,
    /// The KEK.
    pub kek: ObjectHandle,
    /// A data key wrapped under it.
    pub blob: &'a [u8],
    /// The profile whose templates the KEK was made with.
    pub protection: Protection,
    /// The mechanism that wrapped the data key.
    pub mechanism: WrapMechanism,
    /// A second trusted KEK, if there is one.
    pub next_kek: Option<ObjectHandle>,
    /// Whether the KEK is not ours to damage: an attack that would change it is then judged by `CKA_MODIFIABLE`.
    pub spare_kek: bool,
}

/// What an attack that succeeds means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threat {
    /// Key bytes, or a use of the keys that gives them away, or a copy that survives destruction.
    Export,
    /// The user can make a key that counts as trusted.
    ForgedTrust,
    /// It is known to work on every token and is answered elsewhere (row MACs, backups), or it is wanted.
    Accepted,
}

/// How an attack ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The token refused, with this text.
    Refused(String),
    /// This was gained.
    Succeeded(String),
    /// The token lacks what the attack needs.
    NotApplicable(String),
}

/// One attack.
#[derive(Clone, Copy)]
pub struct Attack {
    /// Stable name.
    pub name: &'static str,
    /// What its success means.
    pub threat: Threat,
    /// Plays it.
    pub play: fn(&Target<'_>) -> Ending,
}

/// Every attack, in the order in which they are played: the last one destroys the KEK.
pub const ALL: &[Attack] = &[
    attack("unwrap-not-sensitive", Threat::Export, on_unwrap::not_sensitive),
    attack("unwrap-not-wrap-with-trusted", Threat::Export, on_unwrap::not_wrap_with_trusted),
    attack("unwrap-without-wrap-with-trusted", Threat::Export, on_unwrap::without_wrap_with_trusted),
    attack("unwrap-public-permanent", Threat::Export, on_unwrap::public_permanent),
    attack("unwrap-private-permanent", Threat::Export, on_unwrap::private_permanent),
    attack("unwrap-derive", Threat::Export, on_unwrap::derive),
    attack("unwrap-wrap", Threat::Export, on_unwrap::wrap),
    attack("unwrap-unwrap", Threat::Export, on_unwrap::unwrap),
    attack("unwrap-sign", Threat::Export, on_unwrap::sign),
    attack("unwrap-verify", Threat::Export, on_unwrap::verify),
    attack("unwrap-modifiable", Threat::Export, on_unwrap::modifiable),
    attack("unwrap-generic-secret-derive", Threat::Export, on_unwrap::generic_secret),
    attack("data-key-read-value", Threat::Export, on_unwrap::read_value),
    attack("data-key-set-derive", Threat::Export, on_unwrap::set_derive),
    attack("data-key-set-wrap", Threat::Export, on_unwrap::set_wrap),
    attack("data-key-copy-permanent", Threat::Export, on_unwrap::copy_permanent),
    attack("data-key-copy-not-sensitive", Threat::Export, on_unwrap::copy_not_sensitive),
    attack("data-key-wrap-under-own-key", Threat::Export, on_unwrap::wrap_under_own_key),
    attack("kek-read-value", Threat::Export, on_kek::read_value),
    attack("kek-encrypt", Threat::Export, on_kek::encrypt),
    attack("kek-decrypt", Threat::Export, on_kek::decrypt),
    attack("kek-cmac", Threat::Export, on_kek::cmac),
    attack("kek-derive", Threat::Export, on_kek::derive),
    attack("kek-wrap-by-cbc", Threat::Export, on_kek::wrap_by_cbc),
    attack("kek-wrap-itself", Threat::Export, on_kek::wrap_itself),
    attack("kek-copy-modifiable", Threat::Export, on_kek::copy_modifiable),
    attack("kek-copy-session", Threat::Export, on_kek::copy_session),
    attack("kek-copy-permanent", Threat::Export, on_kek::copy_permanent),
    attack("kek-copy-decrypt", Threat::Export, on_kek::copy_decrypt),
    attack("kek-copy-public", Threat::Export, on_kek::copy_public),
    attack("kek-copy-sign", Threat::Export, on_kek::copy_sign),
    attack("kek-set-decrypt", Threat::Export, on_kek::set_decrypt),
    attack("kek-clear-unwrap-template", Threat::Export, on_kek::clear_unwrap_template),
    attack("trust-by-generate", Threat::ForgedTrust, on_kek::trust_by_generate),
    attack("trust-by-create", Threat::ForgedTrust, on_kek::trust_by_create),
    attack("trust-by-unwrap", Threat::ForgedTrust, on_kek::trust_by_unwrap),
    attack("trust-by-copy", Threat::ForgedTrust, on_kek::trust_by_copy),
    attack("trust-by-set", Threat::ForgedTrust, on_kek::trust_by_set),
    attack("rewrap-under-next-kek", Threat::Accepted, on_unwrap::rewrap_under_next_kek),
    attack("inject-known-key", Threat::Accepted, on_kek::inject_known_key),
    attack("kek-destroy", Threat::Accepted, on_kek::destroy),
];

const fn attack(name: &'static str, threat: Threat, play: fn(&Target<'_>) -> Ending) -> Attack {
    Attack { name, threat, play }
}

/// The attack with this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Attack> {
    ALL.iter().find(|attack| attack.name == name)
}

impl Attack {
    /// Plays the attack and reports.
    #[must_use]
    pub fn report(&self, target: &Target<'_>) -> AttackReport {
        let (outcome, detail) = match (self.play)(target) {
            Ending::Refused(detail) => (AttackOutcome::Refused, detail),
            Ending::Succeeded(detail) => (AttackOutcome::Succeeded, detail),
            Ending::NotApplicable(detail) => (AttackOutcome::NotApplicable, detail),
        };
        AttackReport { name: self.name.to_owned(), outcome, detail }
    }
}

/// Plays all attacks on `target`; those that destroy or change it only if it is ours.
#[must_use]
pub fn play_all(target: &Target<'_>) -> Vec<AttackReport> {
    ALL.iter().map(|attack| attack.report(target)).collect()
}

/// Whether a token that answered so keeps the promise of `protection`.
#[must_use]
pub fn keeps(reports: &[AttackReport], protection: Protection) -> bool {
    let succeeded = |threat: Threat| {
        let won = reports.iter().filter(|report| report.outcome == AttackOutcome::Succeeded);
        won.into_iter().any(|report| named(&report.name).is_none_or(|attack| attack.threat == threat))
    };
    match protection {
        Protection::Trusted => !succeeded(Threat::Export) && !succeeded(Threat::ForgedTrust),
        Protection::NonExtractable => !succeeded(Threat::Export),
        Protection::Weak => true,
    }
}

/// The ending when the token refused a call.
pub(super) fn refused(error: &Error) -> Ending {
    Ending::Refused(ckr_text(error))
}

/// The ending of a preparation that failed: without it nothing was proved, so it must not look like a refusal of
/// the attack, except where the token lacks the mechanism.
pub(super) fn unprepared(what: &str, error: &Error) -> Ending {
    match error {
        Error::Pkcs11(RvError::MechanismInvalid | RvError::FunctionNotSupported, _) => {
            Ending::NotApplicable(format!("{what}: {}", ckr_text(error)))
        }
        _ => Ending::Succeeded(format!("not tried, so the worst is assumed: {what}: {}", ckr_text(error))),
    }
}
