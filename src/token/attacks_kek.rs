//! Attacks on the KEK itself, on trust, and by what the KEK is for.

use super::attacks::{Ending, Target, refused, unprepared};
use super::attacks_unwrap::{copy_and_judge, discard, judge, own_wrapping_key, value_of};
use super::raw::RawMechanism;
use super::raw_attr::{Attr, Value};
use super::template::{self, KEY_BYTES, wrap_mechanism};
use cryptoki::error::Result;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::ekdf::AesCbcDeriveParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki_sys::{
    CKA_CLASS, CKA_DECRYPT, CKA_EXTRACTABLE, CKA_KEY_TYPE, CKA_MODIFIABLE, CKA_PRIVATE, CKA_SENSITIVE, CKA_SIGN,
    CKA_TOKEN, CKA_TRUSTED, CKA_UNWRAP, CKA_UNWRAP_TEMPLATE, CKA_VALUE, CKA_VALUE_LEN, CKA_WRAP, CKK_AES, CKM_AES_CBC,
    CKM_AES_KEY_GEN, CKO_SECRET_KEY,
};

/// One AES block of known text.
const BLOCK: [u8; 16] = *b"claviger-attack.";

fn gained<T>(result: Result<T>, what: &str) -> Ending {
    match result {
        Ok(_) => Ending::Succeeded(what.to_owned()),
        Err(error) => refused(&error),
    }
}

pub(super) fn read_value(target: &Target<'_>) -> Ending {
    value_of(target, target.kek)
}

pub(super) fn encrypt(target: &Target<'_>) -> Ending {
    gained(target.access.session.encrypt(&Mechanism::AesEcb, target.kek, &BLOCK), "a block encrypted under the KEK")
}

pub(super) fn decrypt(target: &Target<'_>) -> Ending {
    gained(target.access.session.decrypt(&Mechanism::AesEcb, target.kek, &BLOCK), "a block decrypted under the KEK")
}

pub(super) fn cmac(target: &Target<'_>) -> Ending {
    gained(target.access.session.sign(&Mechanism::AesCMac, target.kek, &BLOCK), "a CMAC under the KEK")
}

pub(super) fn derive(target: &Target<'_>) -> Ending {
    let mechanism = Mechanism::AesCbcEncryptData(AesCbcDeriveParams::new([0; 16], &[0x5a; 32]));
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::Token(false),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::ValueLen(32.into()),
    ];
    match target.access.session.derive_key(&mechanism, target.kek, &template) {
        Err(error) => refused(&error),
        Ok(key) => {
            discard(target, key);
            Ending::Succeeded("two blocks encrypted under the KEK".into())
        }
    }
}

/// Wrapping by CBC under the KEK encrypts blocks of the attacker's choice: an oracle for RFC 3394.
pub(super) fn wrap_by_cbc(target: &Target<'_>) -> Ending {
    match known_key(target) {
        Err(error) => unprepared("making a key of known value", &error),
        Ok(key) => {
            let cbc = RawMechanism { kind: CKM_AES_CBC, parameter: vec![0; 16] };
            let wrapped = target.access.raw.wrap_key(target.access.session, &cbc, target.kek, key);
            discard(target, key);
            gained(wrapped, "blocks encrypted under the KEK")
        }
    }
}

pub(super) fn wrap_itself(target: &Target<'_>) -> Ending {
    match own_wrapping_key(target) {
        Err(error) => unprepared("making a wrapping key", &error),
        Ok(own) => {
            let wrapped = target.access.wrap(wrap_mechanism(target.mechanism), own, target.kek);
            discard(target, own);
            gained(wrapped, "the KEK wrapped under a key of the attacker")
        }
    }
}

pub(super) fn copy_modifiable(target: &Target<'_>) -> Ending {
    copy_and_judge(target, target.kek, &[Attr::bool(CKA_MODIFIABLE, true)])
}

pub(super) fn copy_session(target: &Target<'_>) -> Ending {
    copy_and_judge(target, target.kek, &[Attr::bool(CKA_TOKEN, false)])
}

pub(super) fn copy_permanent(target: &Target<'_>) -> Ending {
    copy_and_judge(target, target.kek, &[Attr::bool(CKA_TOKEN, true)])
}

pub(super) fn copy_decrypt(target: &Target<'_>) -> Ending {
    copy_and_judge(target, target.kek, &[Attr::bool(CKA_DECRYPT, true)])
}

pub(super) fn copy_public(target: &Target<'_>) -> Ending {
    copy_and_judge(target, target.kek, &[Attr::bool(CKA_PRIVATE, false)])
}

pub(super) fn copy_sign(target: &Target<'_>) -> Ending {
    copy_and_judge(target, target.kek, &[Attr::bool(CKA_SIGN, true)])
}

pub(super) fn set_decrypt(target: &Target<'_>) -> Ending {
    set_on_kek(target, &Attr::bool(CKA_DECRYPT, true))
}

pub(super) fn clear_unwrap_template(target: &Target<'_>) -> Ending {
    set_on_kek(target, &Attr::template(CKA_UNWRAP_TEMPLATE, Vec::new()))
}

fn set_on_kek(target: &Target<'_>, wanted: &Attr) -> Ending {
    if target.spare_kek
        && target.access.attribute(target.kek, CKA_MODIFIABLE).ok().flatten() != Some(Value::Bool(false))
    {
        return Ending::Succeeded("not tried on a KEK in use, but CKA_MODIFIABLE is not false".into());
    }
    let wanted = std::slice::from_ref(wanted);
    match target.access.raw.set_attributes(target.access.session, target.kek, wanted) {
        Err(error) => refused(&error),
        Ok(()) => judge(target, target.kek, wanted),
    }
}

fn own_key(extra: &[Attr]) -> Vec<Attr> {
    let mut template = vec![
        Attr::ulong(CKA_CLASS, CKO_SECRET_KEY),
        Attr::ulong(CKA_KEY_TYPE, CKK_AES),
        Attr::bool(CKA_TOKEN, false),
        Attr::bool(CKA_PRIVATE, true),
        Attr::bool(CKA_WRAP, true),
        Attr::bool(CKA_UNWRAP, true),
    ];
    template.extend_from_slice(extra);
    template
}

fn trusted_by(target: &Target<'_>, made: Result<ObjectHandle>) -> Ending {
    match made {
        Err(error) => refused(&error),
        Ok(key) => {
            let ending = judge(target, key, &[Attr::bool(CKA_TRUSTED, true)]);
            discard(target, key);
            ending
        }
    }
}

pub(super) fn trust_by_generate(target: &Target<'_>) -> Ending {
    let extra = [Attr::ulong(CKA_VALUE_LEN, KEY_BYTES), Attr::bool(CKA_TRUSTED, true)];
    trusted_by(target, target.access.generate(CKM_AES_KEY_GEN, &own_key(&extra)))
}

pub(super) fn trust_by_create(target: &Target<'_>) -> Ending {
    let extra = [Attr::bytes(CKA_VALUE, &[0x5a; 32]), Attr::bool(CKA_TRUSTED, true)];
    trusted_by(target, target.access.raw.create_object(target.access.session, &own_key(&extra)))
}

/// A key that the KEK itself unwraps could be of known value: the injected one.
pub(super) fn trust_by_unwrap(target: &Target<'_>) -> Ending {
    let mut template = template::data_key_unwrap(target.protection, false);
    let at = template.iter().position(|attr| attr.kind == CKA_MODIFIABLE).unwrap_or(template.len());
    template.insert(at, Attr::bool(CKA_TRUSTED, true));
    let mechanism = wrap_mechanism(target.mechanism);
    let under_kek = target.access.unwrap(mechanism, target.kek, target.blob, &template);
    match trusted_by(target, under_kek) {
        Ending::Refused(first) => match unwrap_own_trusted(target) {
            Ending::Refused(second) => Ending::Refused(format!("under the KEK {first}, under an own key {second}")),
            other => other,
        },
        other => other,
    }
}

fn unwrap_own_trusted(target: &Target<'_>) -> Ending {
    let prepared = own_wrapping_key(target).and_then(|own| Ok((own, known_key(target)?)));
    let (own, known) = match prepared {
        Ok(keys) => keys,
        Err(error) => return unprepared("making own keys", &error),
    };
    let mechanism = wrap_mechanism(target.mechanism);
    let ending = match target.access.wrap(mechanism, own, known) {
        Err(error) => unprepared("wrapping an own key", &error),
        Ok(blob) => {
            let template = own_key(&[Attr::bool(CKA_TRUSTED, true)]);
            trusted_by(target, target.access.unwrap(mechanism, own, &blob, &template))
        }
    };
    discard(target, own);
    discard(target, known);
    ending
}

/// Copying the KEK keeps its trust, which is no gain; copying an own key and trusting the copy would be.
pub(super) fn trust_by_copy(target: &Target<'_>) -> Ending {
    with_own_key(target, |own| trusted_by(target, target.access.copy(own, &[Attr::bool(CKA_TRUSTED, true)])))
}

pub(super) fn trust_by_set(target: &Target<'_>) -> Ending {
    let wanted = [Attr::bool(CKA_TRUSTED, true)];
    with_own_key(target, |own| match target.access.raw.set_attributes(target.access.session, own, &wanted) {
        Err(error) => refused(&error),
        Ok(()) => judge(target, own, &wanted),
    })
}

fn with_own_key(target: &Target<'_>, play: impl Fn(ObjectHandle) -> Ending) -> Ending {
    match own_wrapping_key(target) {
        Err(error) => unprepared("making a wrapping key", &error),
        Ok(own) => {
            let ending = play(own);
            discard(target, own);
            ending
        }
    }
}

/// A session key whose value the attacker knows.
fn known_key(target: &Target<'_>) -> Result<ObjectHandle> {
    let extra =
        [Attr::bytes(CKA_VALUE, &[0x5a; 32]), Attr::bool(CKA_SENSITIVE, false), Attr::bool(CKA_EXTRACTABLE, true)];
    target.access.raw.create_object(target.access.session, &own_key(&extra))
}

/// Wraps a key of known value under the KEK: it could be put into the database. Row MACs answer this.
pub(super) fn inject_known_key(target: &Target<'_>) -> Ending {
    match known_key(target) {
        Err(error) => unprepared("making a key of known value", &error),
        Ok(key) => {
            let wrapped = target.access.wrap(wrap_mechanism(target.mechanism), target.kek, key);
            discard(target, key);
            gained(wrapped, "a key of known value wrapped under the KEK")
        }
    }
}

pub(super) fn destroy(target: &Target<'_>) -> Ending {
    if target.spare_kek {
        return Ending::NotApplicable("not tried on a KEK in use".into());
    }
    gained(target.access.session.destroy_object(target.kek), "the KEK is gone: keep backups")
}
