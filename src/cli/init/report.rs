//! What operators are shown of the token's keys.

use crate::cli::{Failure, say};
use crate::service::ports::{Assurance, AttackOutcome, AttackReport, Protection, TokenBinding};

/// Prints what was made, or found as it should be.
pub fn print(binding: &TokenBinding, made: bool) -> Result<(), Failure> {
    say(if made { "The token's keys were made." } else { "The token's keys are there and as they should be." })?;
    let identity = &binding.identity;
    say(format_args!("  installation   {}", binding.cluster_id))?;
    say(format_args!("  token          {:?}, serial {}, {}", identity.label, identity.serial, identity.model))?;
    say(format_args!("  library        {}", identity.library))?;
    say(format_args!("  assurance      {}", assurance(&binding.assurance)))?;
    say(format_args!("  protection     {}", protection(binding.protection)))?;
    for kek in &binding.keks {
        let check = kek.check_value.as_deref().unwrap_or("none");
        let origin = if kek.adopted { ", adopted" } else { "" };
        say(format_args!("  KEK {}          id {}, check value {check}{origin}", kek.number, kek.object_id))?;
    }
    for key in &binding.internal_keys {
        say(format_args!("  internal key   id {}, {:?} {}", key.object_id, key.role, key.number))?;
    }
    say("Attacks of a holder of the user PIN, played on a throw-away key:")?;
    binding.attacks.iter().try_for_each(print_attack)
}

fn print_attack(attack: &AttackReport) -> Result<(), Failure> {
    let outcome = match attack.outcome {
        AttackOutcome::Refused => "refused",
        AttackOutcome::Succeeded => "SUCCEEDED",
        AttackOutcome::NotApplicable => "not applicable",
    };
    say(format_args!("  {outcome:<15}{}: {}", attack.name, attack.detail))
}

fn assurance(assurance: &Assurance) -> String {
    match assurance {
        Assurance::Software => "software".into(),
        Assurance::HsmUnvalidated => "hsm-unvalidated".into(),
        Assurance::HsmValidated(certificate) => format!("hsm-validated({certificate})"),
    }
}

const fn protection(protection: Protection) -> &'static str {
    match protection {
        Protection::Trusted => "T: trusted wrapping is enforced; a holder of the user PIN cannot export keys",
        Protection::NonExtractable => {
            "N: unwrapped keys cannot be extracted; the KEK cannot be replaced by re-wrapping"
        }
        Protection::Weak => "W: NOTHING IS ENFORCED: a holder of the user PIN can export keys",
    }
}
