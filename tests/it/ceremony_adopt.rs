//! Adopting a KEK that a vendor's tool made: what it has to be, and what is made of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use crate::ceremony::{Body, plain_key, with_names};
use crate::ceremony_rig::{Options, Rig, Role, log_in};
use claviger::service::ports::{Protection, WrapMechanism};
use claviger::token::raw_attr::{Attr, Value};
use claviger::token::template;
use cryptoki_sys::{CKA_MODIFIABLE, CKA_VALUE, CKA_VALUE_LEN};
use rstest::rstest;
use serde::{Deserialize, Serialize};

/// A KEK that a vendor's tool made.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Vendor {
    Trusted,
    NonExtractable,
    NonExtractableWithTwin,
    NothingPinned,
    Extractable,
    /// Its value came from outside: whoever brought it in knows it.
    Imported,
    /// Of 128 bits.
    Short,
}

fn adopt(vendor: Vendor, accept: bool) -> (Rig, Result<String, String>) {
    let rig = Rig::new();
    rig.run(Role::Body(Body::InitToken)).unwrap();
    rig.run(Role::Body(Body::MakeVendorKek(vendor))).unwrap();
    let adopt = Some("pkcs11:object=vendor".into());
    let options = Options { adopt, accept, so_pin: false, blank: false, staged: false, crash_at: None };
    let result = rig.ceremony(&options);
    (rig, result)
}

#[rstest]
#[case(Vendor::Trusted, Protection::Trusted)]
#[case(Vendor::NonExtractable, Protection::NonExtractable)]
fn a_vendors_kek_is_adopted_for_what_it_withstands(#[case] vendor: Vendor, #[case] protection: Protection) {
    let (rig, result) = adopt(vendor, false);
    assert_eq!(result.unwrap(), "made");
    let binding = rig.binding().unwrap();
    assert_eq!(binding.protection, protection);
    assert!(binding.keks[0].adopted);
    assert_eq!(rig.verify().unwrap(), "good");
}

#[test]
fn a_kek_with_nothing_pinned_is_refused_unless_that_is_accepted() {
    let (rig, refused) = adopt(Vendor::NothingPinned, false);
    let refused = refused.unwrap_err();
    assert!(
        refused.contains("--accept-pin-holder-can-export") && refused.contains("unwrap-not-sensitive"),
        "{refused}"
    );
    assert!(!rig.binding().unwrap().complete);
    let (rig, accepted) = adopt(Vendor::NothingPinned, true);
    assert_eq!(accepted.unwrap(), "made");
    assert_eq!(rig.binding().unwrap().protection, Protection::Weak);
    assert_eq!(rig.verify().unwrap(), "good");
}

#[test]
fn a_kek_that_can_be_read_is_not_adopted_even_if_export_is_accepted() {
    let (_rig, refused) = adopt(Vendor::Extractable, true);
    let refused = refused.unwrap_err();
    assert!(refused.contains("cannot be a KEK") && refused.contains("CKA_EXTRACTABLE is true"), "{refused}");
}

#[test]
fn a_twin_under_another_name_is_found() {
    let (rig, refused) = adopt(Vendor::NonExtractableWithTwin, false);
    let refused = refused.unwrap_err();
    assert!(refused.contains("is a twin of KEK 1") && refused.contains("harmless"), "{refused}");
    assert!(!rig.binding().unwrap().complete);
}

#[test]
fn a_kek_whose_value_came_from_outside_promises_nothing() {
    let (_rig, refused) = adopt(Vendor::Imported, false);
    let refused = refused.unwrap_err();
    assert!(refused.contains("--accept-pin-holder-can-export"), "{refused}");
    let (rig, accepted) = adopt(Vendor::Imported, true);
    assert_eq!(accepted.unwrap(), "made");
    let binding = rig.binding().unwrap();
    assert_eq!(binding.protection, Protection::Weak);
    assert!(binding.attacks.iter().any(|note| note.detail.contains("CKA_LOCAL is false")), "{:?}", binding.attacks);
}

#[test]
fn a_kek_of_128_bits_is_not_adopted() {
    let (_rig, refused) = adopt(Vendor::Short, true);
    let refused = refused.unwrap_err();
    assert!(refused.contains("cannot be a KEK") && refused.contains("CKA_VALUE_LEN"), "{refused}");
}

impl Vendor {
    /// Makes the key in the token.
    pub fn make(self) {
        let user = log_in();
        let non_extractable = || template::kek(Protection::NonExtractable, WrapMechanism::AesKeyWrap);
        match self {
            Vendor::Trusted => {
                user.trusted("vendor", &template::public_kek(WrapMechanism::AesKeyWrap));
            }
            Vendor::NonExtractable => {
                user.generate(&with_names("vendor", non_extractable()));
            }
            Vendor::NonExtractableWithTwin => {
                let mut modifiable = non_extractable();
                modifiable.retain(|attr| attr.kind != CKA_MODIFIABLE);
                let twin = user.generate(&with_names("harmless", modifiable));
                let mut names = template::names(b"vendor", "vendor");
                names.push(Attr::bool(CKA_MODIFIABLE, false));
                user.module.raw().copy_object(&user.session, twin, &names).unwrap();
            }
            Vendor::NothingPinned => {
                user.generate(&with_names("vendor", plain_key(false)));
            }
            Vendor::Extractable => {
                user.generate(&with_names("vendor", plain_key(true)));
            }
            Vendor::Imported => {
                let mut known = template::names(b"vendor", "vendor");
                known.push(Attr { kind: CKA_VALUE, value: Value::Bytes(vec![7; 32]) });
                known.extend(non_extractable());
                user.module.raw().create_object(&user.session, &known).unwrap();
            }
            Vendor::Short => {
                let mut short = with_names("vendor", non_extractable());
                short.retain(|attr| attr.kind != CKA_VALUE_LEN);
                short.insert(0, Attr::ulong(CKA_VALUE_LEN, 16));
                user.generate(&short);
            }
        }
    }
}
