//! The ceremony on real SoftHSM tokens: made once, cut off anywhere, adopted, and what every start refuses.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use crate::ceremony_adopt::Vendor;
use crate::ceremony_rig::{Inventory, LABEL, LoggedIn, Options, PIN, Rig, Role, SO_PIN, SOFTHSM, blank, log_in, pin};
use claviger::service::ports::{Assurance, AttackOutcome, Protection, WrapMechanism};
use claviger::token::ceremony::{Staging, init_token};
use claviger::token::module::{Module, TokenSelector};
use claviger::token::raw_attr::Attr;
use claviger::token::template;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki_sys::{
    CKA_CLASS, CKA_EXTRACTABLE, CKA_ID, CKA_KEY_TYPE, CKA_LABEL, CKA_PRIVATE, CKA_SENSITIVE, CKA_TOKEN, CKA_UNWRAP,
    CKA_VALUE_LEN, CKA_WRAP, CKK_AES, CKO_SECRET_KEY,
};
use rstest::rstest;
use serde::{Deserialize, Serialize};

/// What a child process of these tests does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Body {
    /// Initialises the token in its place.
    InitToken,
    /// How many objects anyone sees without login, in all tokens.
    PublicObjects,
    MakeVendorKek(Vendor),
    Tamper(Tampering),
    WrongPin,
    InitTwice,
    Selectors,
    Reinitialize,
}

/// What somebody with the PINs did to the token after the ceremony.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Tampering {
    KeyWithTheKeksId,
    KeyWithTheKeksLabel,
    KeyWithAnInternalKeysLabel,
    TrustedKeyOfAnother,
    PublicKekOfTheSo,
    KekReplacedByAnUntrustedOne,
    KekReplacedByAnEqualOne,
    KekDestroyed,
    KekReplacedByItsPublicForm,
    RowMacKeyReplacedByAnExtractableOne,
}

impl Body {
    pub fn run(self, rig: &Rig) -> String {
        match self {
            Self::InitToken => {
                let module = Module::load(SOFTHSM.as_ref()).unwrap();
                init_token(&module, &blank(), &pin(SO_PIN), &pin(PIN)).unwrap();
            }
            Self::PublicObjects => return public_objects().to_string(),
            Self::MakeVendorKek(vendor) => vendor.make(),
            Self::Tamper(tampering) => tamper(rig, tampering),
            Self::WrongPin => wrong_pin(),
            Self::InitTwice => init_twice(),
            Self::Selectors => selectors(),
            Self::Reinitialize => reinitialize(),
        }
        "done".into()
    }
}

const GOOD: Inventory = Inventory { public: 0, private: 5, trusted: 1 };
/// A good token of profile N.
const UNTRUSTED: Inventory = Inventory { public: 0, private: 5, trusted: 0 };

fn staging_directories_left(rig: &Rig) -> usize {
    let place = rig.place().canonicalize().unwrap();
    let shared = std::fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().path().join("place"));
    shared.filter(|file| std::fs::read(file).is_ok_and(|text| text == place.as_os_str().as_encoded_bytes())).count()
}

fn assert_good(rig: &Rig) {
    assert_token(rig, &GOOD);
}

fn assert_token(rig: &Rig, inventory: &Inventory) {
    assert_eq!(rig.verify().unwrap(), "good");
    assert_eq!(rig.inventory(), *inventory);
    assert_eq!(std::fs::read_dir(rig.place()).unwrap().count(), 1, "one token and no unfinished copy");
    assert_eq!(staging_directories_left(rig), 0);
    let binding = rig.binding().unwrap();
    assert!(binding.complete);
    assert_eq!(binding.keks.iter().map(|kek| kek.number).collect::<Vec<_>>(), [1]);
}

#[test]
fn the_ceremony_makes_a_good_token_once() {
    let rig = Rig::new();
    assert_eq!(rig.ceremony(&Options::default()).unwrap(), "made");
    assert_good(&rig);
    let binding = rig.binding().unwrap();
    assert_eq!(binding.protection, Protection::Trusted);
    assert_eq!(binding.assurance, Assurance::Software, "SoftHSM is software whatever was said");
    assert_eq!(binding.capabilities.wrap_mechanism, WrapMechanism::AesKeyWrap);
    assert!(!binding.capabilities.value_len_on_unwrap);
    assert_eq!(rig.ceremony(&Options::default()).unwrap(), "already done");
    assert_eq!(rig.binding().unwrap(), binding);
    assert_good(&rig);
}

/// Kills the ceremony after its first step, after its second, and so on, each time from the state that `before`
/// makes; after each kill nothing public is in the place, and the next run makes a good token.
fn kill_at_every_step(options: &Options, good: &Inventory, before: impl Fn(&Rig)) {
    let mut killed = 0;
    for step in 1.. {
        let rig = Rig::new();
        before(&rig);
        let (result, staging) = rig.ceremony_cut_off(&Options { crash_at: Some(step), ..options.clone() });
        let Err(how) = result else {
            staging.map(Staging::remove).transpose().unwrap();
            break;
        };
        assert!(how.contains("signal: 9"), "{how}");
        killed += 1;
        assert_eq!(rig.run(Role::Body(Body::PublicObjects)).unwrap(), "0", "after step {step}");
        rig.ceremony(options).unwrap_or_else(|error| panic!("after step {step}: {error}"));
        assert_token(&rig, good);
    }
    assert!(killed >= 12, "only {killed} steps");
}

#[test]
fn a_ceremony_killed_at_any_step_is_made_good_by_the_next() {
    kill_at_every_step(&Options::default(), &GOOD, |_| ());
}

#[test]
fn a_ceremony_killed_at_any_step_on_a_token_with_leftovers_is_made_good_by_the_next() {
    // The last step saves the complete binding.
    let last_but_one = Rig::new().steps().len() - 1;
    kill_at_every_step(&Options::default(), &GOOD, |rig| {
        rig.ceremony(&Options { crash_at: Some(last_but_one), ..Options::default() }).unwrap_err();
        assert!(!rig.binding().unwrap().complete);
        assert_eq!(rig.inventory(), GOOD, "published, but the binding is not complete");
    });
}

#[test]
fn a_ceremony_killed_at_any_step_on_the_token_itself_is_made_good_by_the_next() {
    let in_place = Options { so_pin: false, blank: false, staged: false, ..Options::default() };
    kill_at_every_step(&in_place, &UNTRUSTED, |rig| {
        rig.run(Role::Body(Body::InitToken)).unwrap();
    });
}

#[test]
fn a_public_kek_that_a_crash_left_in_the_place_is_destroyed_and_a_new_one_is_made() {
    let rig = Rig::with_token();
    let mut binding = rig.binding().unwrap();
    binding.complete = false;
    rig.save(&binding);
    rig.run(Role::Body(Body::Tamper(Tampering::KekReplacedByItsPublicForm))).unwrap();
    assert_eq!(rig.run(Role::Body(Body::PublicObjects)).unwrap(), "1");
    assert_eq!(rig.ceremony(&Options::default()).unwrap(), "made");
    assert_good(&rig);
    assert_ne!(rig.binding().unwrap().keks[0].canary, binding.keks[0].canary);
}

#[test]
fn without_the_so_pin_the_profile_is_n() {
    let rig = Rig::new();
    rig.run(Role::Body(Body::InitToken)).unwrap();
    let options = Options { so_pin: false, blank: false, staged: false, ..Options::default() };
    assert_eq!(rig.ceremony(&options).unwrap(), "made");
    assert_token(&rig, &UNTRUSTED);
    let binding = rig.binding().unwrap();
    assert_eq!(binding.protection, Protection::NonExtractable);
    assert_eq!(
        (binding.attacks[0].name.as_str(), binding.attacks[0].outcome),
        ("profile-trusted", AttackOutcome::NotApplicable)
    );
}

#[test]
fn a_trusted_kek_on_softhsm_needs_a_staging_directory() {
    let rig = Rig::new();
    let refused = rig.ceremony(&Options { staged: false, ..Options::default() }).unwrap_err();
    assert!(refused.contains("staging directory"), "{refused}");
    assert_eq!(std::fs::read_dir(rig.place()).unwrap().count(), 0, "not even the token was made");
}

#[test]
fn a_token_with_somebody_elses_trusted_key_is_refused() {
    let rig = Rig::new();
    rig.run(Role::Body(Body::InitToken)).unwrap();
    rig.run(Role::Body(Body::MakeVendorKek(Vendor::Trusted))).unwrap();
    let refused = rig.ceremony(&Options::default()).unwrap_err();
    assert!(refused.contains("trusted key that this installation did not make"), "{refused}");
    assert!(rig.binding().is_none());
}

#[rstest]
#[case(Tampering::KeyWithTheKeksId, "2 objects have the id of KEK 1")]
#[case(Tampering::KeyWithTheKeksLabel, "another object has the label of KEK 1")]
#[case(Tampering::KeyWithAnInternalKeysLabel, "another object has the label of the key claviger-row-mac")]
#[case(Tampering::TrustedKeyOfAnother, "trusted key that this installation did not make")]
#[case(Tampering::PublicKekOfTheSo, "trusted key that this installation did not make")]
#[case(Tampering::KekReplacedByAnUntrustedOne, "KEK 1 is not as it was made: CKA_TRUSTED")]
#[case(Tampering::KekReplacedByAnUntrustedOne, "CKA_UNWRAP_TEMPLATE is")]
#[case(Tampering::KekReplacedByItsPublicForm, "CKA_PRIVATE is false, not true")]
#[case(Tampering::KekReplacedByAnEqualOne, "KEK 1 does not unwrap its canary")]
#[case(Tampering::KekDestroyed, "KEK 1 is not in the token")]
#[case(Tampering::RowMacKeyReplacedByAnExtractableOne, "CKA_EXTRACTABLE is true, not false")]
fn every_start_refuses_what_was_done_to_the_token(#[case] tampering: Tampering, #[case] text: &str) {
    let rig = Rig::with_token();
    assert_eq!(rig.verify().unwrap(), "good");
    rig.run(Role::Body(Body::Tamper(tampering))).unwrap();
    let refused = rig.verify().unwrap();
    assert!(refused.contains(text), "{refused}");
    let repeated = rig.ceremony(&Options::default()).unwrap_err();
    assert!(repeated.contains(text), "a complete ceremony is not made good by force: {repeated}");
}

#[test]
fn the_database_of_another_token_is_refused() {
    let rig = Rig::with_token();
    let mut binding = rig.binding().unwrap();
    binding.identity.serial = "0000000000000000".into();
    rig.save(&binding);
    assert!(rig.verify().unwrap().contains("serial number"));
    binding.complete = false;
    rig.save(&binding);
    assert!(rig.verify().unwrap().contains("cut off"));
}

#[test]
fn a_wrong_pin_is_tried_once_only() {
    Rig::with_token().run(Role::Body(Body::WrongPin)).unwrap();
}

#[test]
fn an_initialised_token_is_never_initialised_again() {
    Rig::new().run(Role::Body(Body::InitTwice)).unwrap();
}

#[test]
fn a_token_is_found_by_label_serial_or_uri_if_it_is_the_only_one() {
    Rig::with_token().run(Role::Body(Body::Selectors)).unwrap();
}

#[test]
fn a_module_can_be_initialised_again() {
    Rig::with_token().run(Role::Body(Body::Reinitialize)).unwrap();
}

#[test]
fn tokens_changed_during_the_ceremony_are_not_replaced() {
    let rig = Rig::with_token();
    let staging = rig.prepare();
    rig.run(Role::Body(Body::Tamper(Tampering::KeyWithTheKeksLabel))).unwrap();
    let serial = rig.binding().unwrap().identity.serial;
    let refused = staging.publish(&serial, &|| panic!("nothing is copied")).unwrap_err();
    assert!(refused.to_string().contains("changed by someone else"), "{refused}");
    staging.remove().unwrap();
}

fn public_objects() -> usize {
    let module = Module::load(SOFTHSM.as_ref()).unwrap();
    let tokens = module.tokens().unwrap();
    let count = |slot| module.open_rw(slot).map_or(0, |session| session.find_objects(&[]).unwrap().len());
    tokens.into_iter().map(|(slot, _)| count(slot)).sum()
}

pub fn with_names(label: &str, attributes: Vec<Attr>) -> Vec<Attr> {
    let mut template = template::names(label.as_bytes(), label);
    template.push(Attr::ulong(CKA_VALUE_LEN, 32));
    template.extend(attributes);
    template
}

pub fn plain_key(extractable: bool) -> Vec<Attr> {
    vec![
        Attr::ulong(CKA_CLASS, CKO_SECRET_KEY),
        Attr::ulong(CKA_KEY_TYPE, CKK_AES),
        Attr::bool(CKA_TOKEN, true),
        Attr::bool(CKA_PRIVATE, true),
        Attr::bool(CKA_SENSITIVE, true),
        Attr::bool(CKA_EXTRACTABLE, extractable),
        Attr::bool(CKA_WRAP, true),
        Attr::bool(CKA_UNWRAP, true),
    ]
}

/// Names of an object that an attacker takes over.
fn names_of(user: &LoggedIn, label: &str) -> Vec<Attr> {
    let object = user.find(label);
    let read = |kind| user.module.raw().attribute(&user.session, object, kind).unwrap().unwrap();
    vec![Attr { kind: CKA_ID, value: read(CKA_ID) }, Attr { kind: CKA_LABEL, value: read(CKA_LABEL) }]
}

fn tamper(rig: &Rig, tampering: Tampering) {
    let user = log_in();
    let cluster = rig.binding().unwrap().cluster_id;
    let (kek, row_mac) = (format!("claviger-kek-1-{cluster}"), format!("claviger-row-mac-{cluster}"));
    let kek_names = names_of(&user, &kek);
    let public = template::public_kek(WrapMechanism::AesKeyWrap);
    let with = |names: &[Attr], attributes: Vec<Attr>| {
        let mut template = names.to_vec();
        template.push(Attr::ulong(CKA_VALUE_LEN, 32));
        template.extend(attributes);
        template
    };
    match tampering {
        Tampering::KeyWithTheKeksId => drop(user.generate(&with(&kek_names[..1], plain_key(false)))),
        Tampering::KeyWithTheKeksLabel => drop(user.generate(&with(&kek_names[1..], plain_key(false)))),
        Tampering::KeyWithAnInternalKeysLabel => {
            user.generate(&with(&names_of(&user, &row_mac)[1..], plain_key(false)));
        }
        Tampering::TrustedKeyOfAnother => drop(user.trusted("other", &public)),
        Tampering::PublicKekOfTheSo => {
            user.switch(UserType::So, SO_PIN);
            user.generate(&with_names("other", public));
        }
        Tampering::KekReplacedByAnUntrustedOne => {
            user.session.destroy_object(user.find(&kek)).unwrap();
            let kek = template::kek(Protection::NonExtractable, WrapMechanism::AesKeyWrap);
            user.generate(&with(&kek_names, kek));
        }
        Tampering::KekReplacedByAnEqualOne => {
            user.session.destroy_object(user.find(&kek)).unwrap();
            user.switch(UserType::So, SO_PIN);
            user.generate(&with(&kek_names, public));
            user.switch(UserType::User, PIN);
            let public = user.find(&kek);
            user.module.raw().copy_object(&user.session, public, &template::private_copy()).unwrap();
            user.session.destroy_object(public).unwrap();
        }
        Tampering::KekReplacedByItsPublicForm => {
            user.session.destroy_object(user.find(&kek)).unwrap();
            user.switch(UserType::So, SO_PIN);
            user.generate(&with(&kek_names, public));
        }
        Tampering::KekDestroyed => user.session.destroy_object(user.find(&kek)).unwrap(),
        Tampering::RowMacKeyReplacedByAnExtractableOne => {
            let names = names_of(&user, &row_mac);
            user.session.destroy_object(user.find(&row_mac)).unwrap();
            let mut attributes = template::internal_key(claviger::service::ports::InternalKeyRole::RowMac).attributes;
            let extractable = attributes.iter_mut().find(|attr| attr.kind == CKA_EXTRACTABLE).unwrap();
            *extractable = Attr::bool(CKA_EXTRACTABLE, true);
            let generic = cryptoki_sys::CKM_GENERIC_SECRET_KEY_GEN;
            user.module.raw().generate_key(&user.session, generic, &with(&names, attributes)).unwrap();
        }
    }
}

/// SoftHSM flags a token after a wrong PIN (`CKF_USER_PIN_COUNT_LOW`) and takes the flag back after a right one: so
/// it shows whether it was asked.
fn wrong_pin() {
    let module = Module::load(SOFTHSM.as_ref()).unwrap();
    let slot = module.find_slot(&TokenSelector::Label(LABEL.into())).unwrap();
    let session = module.open_rw(slot).unwrap();
    let flagged = || module.token_info(slot).unwrap().has(cryptoki_sys::CKF_USER_PIN_COUNT_LOW);
    let login = |text: &str| module.login_once(&session, slot, UserType::User, &pin(text));
    assert!(!flagged());
    assert!(login("000000").unwrap_err().to_string().contains("CKR_PIN_INCORRECT"));
    assert!(flagged());
    login(PIN).unwrap();
    session.logout().unwrap();
    assert!(!flagged());
    assert!(login("000000").unwrap_err().to_string().contains("not tried again"));
    assert!(!flagged(), "the token was not asked");
    assert!(login("000001").unwrap_err().to_string().contains("CKR_PIN_INCORRECT"), "another one is tried");
    login(PIN).unwrap();
}

fn init_twice() {
    let module = Module::load(SOFTHSM.as_ref()).unwrap();
    let slot = init_token(&module, &blank(), &pin(SO_PIN), &pin(PIN)).unwrap();
    let serial = module.token_info(slot).unwrap().serial;
    let mut again = blank();
    let refused = init_token(&module, &again, &pin(SO_PIN), &pin(PIN)).unwrap_err();
    assert!(refused.to_string().contains("exists already"), "{refused}");
    again.label = "another".into();
    again.serial = Some(serial);
    let refused = init_token(&module, &again, &pin(SO_PIN), &pin(PIN)).unwrap_err();
    assert!(refused.to_string().contains("initialised already"), "{refused}");
    again.serial = Some("no such".into());
    let refused = init_token(&module, &again, &pin(SO_PIN), &pin(PIN)).unwrap_err();
    assert!(refused.to_string().contains("no token has the serial number"), "{refused}");
}

fn selectors() {
    let user = log_in();
    let serial = user.module.token_info(user.slot).unwrap().serial;
    let find = |text: &str| user.module.find_slot(&text.parse().unwrap());
    for text in [LABEL.to_owned(), format!("serial:{serial}"), format!("pkcs11:token={LABEL};serial={serial}")] {
        assert_eq!(find(&text).unwrap(), user.slot, "{text}");
    }
    assert!(find("nobody").unwrap_err().to_string().contains(LABEL), "the tokens that are there are named");
    assert!(find(&format!("pkcs11:token={LABEL};serial=0")).is_err());
    let free = user.module.tokens().unwrap().into_iter().map(|(slot, _)| slot).find(|slot| *slot != user.slot);
    user.module.pkcs11().init_token(free.unwrap(), pin(SO_PIN).auth(), LABEL).unwrap();
    assert!(find(LABEL).unwrap_err().to_string().contains("2 tokens fit"));
    assert_eq!(find(&format!("serial:{serial}")).unwrap(), user.slot);
}

fn reinitialize() {
    let user = log_in();
    user.module.reinitialize().unwrap();
    assert!(user.session.find_objects(&[]).is_err(), "old sessions are gone");
    let slot = user.module.find_slot(&TokenSelector::Label(LABEL.into())).unwrap();
    let session = user.module.open_rw(slot).unwrap();
    user.module.login_once(&session, slot, UserType::User, &pin(PIN)).unwrap();
    assert_eq!(session.find_objects(&[Attribute::Trusted(true)]).unwrap().len(), 1);
}
