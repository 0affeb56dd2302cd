//! The order of the ceremony.

use super::kek::{KekMaker, NotMade};
use super::plan::{FIRST, TRIAL, internal_names, kek_names};
use super::verify::{open_parts, verify, verify_parts};
use super::{CeremonyError, CeremonyRequest, Outcome, Step, adopt, canary, ensure_token, hex, inspect, internal, plan};
use crate::service::ports::{
    AttackOutcome, AttackReport, KekRecord, Protection, TokenBinding, TokenError, TokenStateStore,
};
use crate::token::access::Access;
use crate::token::attacks::{self, Target};
use crate::token::module::{Module, unavailable};
use crate::token::{probe, softhsm};
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;

/// Makes the token keys, or checks those that are there.
///
/// The order: intent saved; attacks on a throw-away KEK decide the profile; KEK; internal keys; canary; everything
/// read back and compared; the finished token put into its place; binding saved as complete.
///
/// # Errors
/// [`CeremonyError`]. Whatever was made until then is destroyed by the next run.
pub fn run(request: &CeremonyRequest<'_>, store: &dyn TokenStateStore) -> Result<Outcome, CeremonyError> {
    let before = store.token_binding()?;
    if before.as_ref().is_some_and(|binding| binding.cluster_id != request.cluster_id) {
        return Err(CeremonyError::Refused("the database belongs to another installation".into()));
    }
    let module = Module::load(&request.module)?;
    let made = match before {
        Some(binding) if binding.complete => check_again(request, &module, binding),
        before => make(request, &module, before.as_ref(), store).map(Outcome::Made),
    };
    // The library must have written everything before the token's files are copied.
    let finalized = module.finalize();
    match made? {
        Outcome::AlreadyDone(binding) => Ok(Outcome::AlreadyDone(binding)),
        Outcome::Made(binding) => {
            finalized?;
            publish(request, &binding)?;
            store.save_token_binding(&binding)?;
            (request.on_step)(Step::CompleteSaved);
            Ok(Outcome::Made(binding))
        }
    }
}

fn publish(request: &CeremonyRequest<'_>, binding: &TokenBinding) -> Result<(), CeremonyError> {
    let Some(staging) = request.staging else {
        return Ok(());
    };
    let done = staging.publish(&binding.identity.serial, &|| (request.on_step)(Step::TokenCopied));
    done.map_err(|error| CeremonyError::Staging { what: "putting the token into its place", error })?;
    (request.on_step)(Step::TokenPublished);
    Ok(())
}

/// A session of the logged-in user.
fn login(request: &CeremonyRequest<'_>, module: &Module, slot: Slot) -> Result<Session, TokenError> {
    let session = module.open_rw(slot)?;
    module.login_once(&session, slot, UserType::User, &request.user_pin)?;
    Ok(session)
}

fn check_again(
    request: &CeremonyRequest<'_>,
    module: &Module,
    binding: TokenBinding,
) -> Result<Outcome, CeremonyError> {
    let slot = module.find_slot(&request.selector)?;
    let session = login(request, module, slot)?;
    verify(module, slot, &session, &binding)?;
    Ok(Outcome::AlreadyDone(binding))
}

fn make(
    request: &CeremonyRequest<'_>,
    module: &Module,
    cut_off: Option<&TokenBinding>,
    store: &dyn TokenStateStore,
) -> Result<TokenBinding, CeremonyError> {
    refuse_unstaged(request, module)?;
    let slot = token_slot(request, module)?;
    let identity = module.identity(slot)?;
    refuse_other_token(request, cut_off, &identity.serial)?;
    let session = login(request, module, slot)?;
    let access = Access::new(module, &session, slot);
    if let Some(intent) = cut_off {
        inspect::destroy_leftovers(&access, intent)?;
        (request.on_step)(Step::LeftoversDestroyed);
    }
    if request.adopt_kek.is_none() {
        inspect::refuse_unknown_trusted(&access, &[])?;
    }
    let capabilities = probe::probe(module, &access)?;
    (request.on_step)(Step::Probed);
    let mut binding = plan::intent(request, identity, capabilities, cut_off);
    store.save_token_binding(&binding)?;
    (request.on_step)(Step::IntentSaved);
    let ceremony = Ceremony { request, module, access };
    let kek = ceremony.kek(&mut binding)?;
    ceremony.internal_keys(&mut binding)?;
    ceremony.canary(&mut binding, kek)?;
    binding.complete = true;
    let parts = open_parts(module, slot, &session, &binding)?;
    verify_parts(&access, &binding, &parts)?;
    (request.on_step)(Step::Verified);
    Ok(binding)
}

/// On SoftHSM the security officer's keys are public: nothing is begun where others could see them.
fn refuse_unstaged(request: &CeremonyRequest<'_>, module: &Module) -> Result<(), CeremonyError> {
    let trusting = request.so_pin.is_some() && request.adopt_kek.is_none();
    let softhsm = module.tokens()?.iter().any(|(_, token)| softhsm::is_made_by(&token.manufacturer));
    if trusting && softhsm && request.staging.is_none() {
        return Err(CeremonyError::NeedsStaging);
    }
    Ok(())
}

fn token_slot(request: &CeremonyRequest<'_>, module: &Module) -> Result<Slot, CeremonyError> {
    let Some(blank) = &request.blank else {
        return Ok(module.find_slot(&request.selector)?);
    };
    let Some(so_pin) = &request.so_pin else {
        return Err(CeremonyError::Refused("initialising a blank token needs the security officer's PIN".into()));
    };
    ensure_token(module, blank, so_pin, &request.user_pin)?;
    (request.on_step)(Step::TokenReady);
    Ok(module.find_slot(&request.selector)?)
}

/// Keys of a run that was cut off would stay for ever on the token where it began. In a staging directory they
/// went with it.
fn refuse_other_token(
    request: &CeremonyRequest<'_>,
    cut_off: Option<&TokenBinding>,
    serial: &str,
) -> Result<(), CeremonyError> {
    match cut_off {
        Some(intent) if intent.identity.serial != serial && request.staging.is_none() => {
            Err(CeremonyError::Refused(format!(
                "an earlier run was cut off on the token with serial number {:?}: repeat it there",
                intent.identity.serial
            )))
        }
        _ => Ok(()),
    }
}

struct Ceremony<'a> {
    request: &'a CeremonyRequest<'a>,
    module: &'a Module,
    access: Access<'a>,
}

impl Ceremony<'_> {
    fn step(&self, step: Step) {
        (self.request.on_step)(step);
    }

    fn maker(&self) -> KekMaker<'_> {
        KekMaker {
            module: self.module,
            access: self.access,
            so_pin: self.request.so_pin.as_ref(),
            user_pin: &self.request.user_pin,
            private_directory: self.request.staging.is_some(),
            on_step: self.request.on_step,
        }
    }

    /// Makes or adopts the KEK; afterwards the binding has its profile and exactly one KEK.
    fn kek(&self, binding: &mut TokenBinding) -> Result<ObjectHandle, CeremonyError> {
        if let Some(name) = &self.request.adopt_kek {
            let adopted = adopt::adopt(&self.access, name, &binding.capabilities)?;
            self.step(Step::AttacksPlayed);
            binding.protection = adopted.protection;
            binding.attacks = adopted.attacks;
            binding.keks = vec![adopted.record];
            self.refuse_weak(binding)?;
            return Ok(adopted.key);
        }
        (binding.protection, binding.attacks) = self.decide(binding)?;
        self.refuse_weak(binding)?;
        binding.keks.retain(|kek| kek.number == FIRST);
        let Some(record) = binding.keks.first_mut() else {
            return Err(CeremonyError::Refused("the plan has no KEK".into()));
        };
        let names = kek_names(record, binding.cluster_id);
        let made = self.maker().make(binding.protection, binding.capabilities.wrap_mechanism, &names);
        let kek = made.map_err(not_made)?;
        record.check_value = self.access.check_value(kek).map(|value| hex::encode(&value));
        self.step(Step::KekMade(FIRST));
        Ok(kek)
    }

    fn refuse_weak(&self, binding: &TokenBinding) -> Result<(), CeremonyError> {
        if binding.protection == Protection::Weak && !self.request.accept_pin_holder_can_export {
            return Err(CeremonyError::PinHolderCanExport { attacks: binding.attacks.clone() });
        }
        Ok(())
    }

    /// Tries the profiles from the strongest on, each with a throw-away KEK on which all attacks are played.
    fn decide(&self, binding: &TokenBinding) -> Result<(Protection, Vec<AttackReport>), CeremonyError> {
        let trial = binding.keks.iter().find(|kek| kek.number == TRIAL);
        let trial = trial.ok_or_else(|| CeremonyError::Refused("the plan has no throw-away KEK".into()))?;
        let mut notes = Vec::new();
        for protection in [Protection::Trusted, Protection::NonExtractable, Protection::Weak] {
            match self.try_out(binding, trial, protection) {
                Ok(mut reports) if attacks::keeps(&reports, protection) => {
                    reports.splice(0..0, notes);
                    return Ok((protection, reports));
                }
                Ok(reports) => notes.push(note(protection, AttackOutcome::Succeeded, super::names(&reports))),
                Err(NotMade::Unsupported(why)) => notes.push(note(protection, AttackOutcome::NotApplicable, why)),
                Err(NotMade::Failed(error)) => return Err(error),
            }
        }
        let details = notes.iter().map(|note| format!("{}: {}", note.name, note.detail)).collect::<Vec<_>>();
        Err(CeremonyError::Refused(format!("this token cannot make a KEK: {}", details.join("; "))))
    }

    fn try_out(
        &self,
        binding: &TokenBinding,
        trial: &KekRecord,
        protection: Protection,
    ) -> Result<Vec<AttackReport>, NotMade> {
        let mechanism = binding.capabilities.wrap_mechanism;
        let kek = self.maker().make(protection, mechanism, &kek_names(trial, binding.cluster_id))?;
        self.step(Step::KekMade(TRIAL));
        let blob = canary::make(&self.access, kek, protection, &binding.capabilities);
        let reports = blob.map(|(blob, _)| {
            attacks::play_all(&Target {
                access: self.access,
                kek,
                blob: &blob,
                protection,
                mechanism,
                next_kek: None,
                spare_kek: false,
            })
        });
        self.step(Step::AttacksPlayed);
        // The last attack has destroyed it, unless the blob could not be made or the token refused.
        inspect::destroy_by_id(&self.access, &trial.object_id)?;
        self.step(Step::TrialKekDestroyed);
        reports.map_err(|error| NotMade::Unsupported(format!("wrapping a data key: {error}")))
    }

    fn internal_keys(&self, binding: &mut TokenBinding) -> Result<(), CeremonyError> {
        for key in &mut binding.internal_keys {
            let names = internal_names(key, binding.cluster_id);
            key.public_key = internal::make(&self.access, key.role, &names)?.map(|spki| hex::encode(&spki));
            self.step(Step::InternalKeyMade(key.role));
        }
        Ok(())
    }

    fn canary(&self, binding: &mut TokenBinding, kek: ObjectHandle) -> Result<(), CeremonyError> {
        let made = canary::make(&self.access, kek, binding.protection, &binding.capabilities);
        let (blob, check) = made.map_err(|error| unavailable("making the canary", &error))?;
        for record in &mut binding.keks {
            record.canary = hex::encode(&blob);
            record.canary_check = hex::encode(&check);
        }
        self.step(Step::CanaryMade);
        Ok(())
    }
}

fn not_made(error: NotMade) -> CeremonyError {
    match error {
        NotMade::Unsupported(why) => TokenError::Unavailable(format!("making the KEK: {why}")).into(),
        NotMade::Failed(error) => error,
    }
}

fn note(protection: Protection, outcome: AttackOutcome, detail: String) -> AttackReport {
    AttackReport { name: format!("profile-{protection:?}").to_lowercase(), outcome, detail }
}
