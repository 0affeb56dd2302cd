//! Every line of the attack table in docs/security.md with the user PIN, against the token that the ceremony made. Weak
//! KEKs beside it show that each attack is able to succeed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use crate::ceremony_rig::{LoggedIn, PIN, Rig, SO_PIN, log_in, pin};
use claviger::service::ports::{AttackOutcome, Protection, TokenBinding, WrapMechanism};
use claviger::token::access::Access;
use claviger::token::attacks::{self, Target};
use claviger::token::ceremony::open_parts;
use claviger::token::raw::RawMechanism;
use claviger::token::raw_attr::{Attr, Value};
use claviger::token::template;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::UserType;
use cryptoki_sys::{
    CKA_ALLOWED_MECHANISMS, CKA_CLASS, CKA_DECRYPT, CKA_DERIVE, CKA_EXTRACTABLE, CKA_KEY_TYPE, CKA_MODIFIABLE,
    CKA_PRIVATE, CKA_SENSITIVE, CKA_TOKEN, CKA_TRUSTED, CKA_UNWRAP, CKA_UNWRAP_TEMPLATE, CKA_VALUE, CKA_VALUE_LEN,
    CKA_WRAP, CKA_WRAP_WITH_TRUSTED, CKK_AES, CKM_AES_KEY_GEN, CKM_AES_KEY_WRAP, CKO_SECRET_KEY,
};
use serde::{Deserialize, Serialize};

/// What a child process of these tests does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Body {
    Table,
    NonExtractable,
    SoAndUserPin,
    PublicKekWithoutLogin,
    TwinFromThePublicPhase,
    DestroyedPublicKek,
}

impl Body {
    pub fn run(self, rig: &Rig) -> String {
        match self {
            Self::Table => table(rig),
            Self::NonExtractable => non_extractable(),
            Self::SoAndUserPin => so_and_user_pin(rig),
            Self::PublicKekWithoutLogin => public_kek_without_login(),
            Self::TwinFromThePublicPhase => twin_from_the_public_phase(),
            Self::DestroyedPublicKek => destroyed_public_kek(rig),
        }
        "done".into()
    }
}

use AttackOutcome::{NotApplicable, Refused, Succeeded};

/// Attack, ending on the ceremony's KEK, on the table's weak KEK (unwrap template {SENSITIVE, WRAP_WITH_TRUSTED},
/// MODIFIABLE=false) and on an open one (no unwrap template, modifiable).
const TABLE: &[(&str, AttackOutcome, AttackOutcome, AttackOutcome)] = &[
    ("unwrap-not-sensitive", Refused, Refused, Succeeded),
    ("unwrap-not-wrap-with-trusted", Refused, Refused, Succeeded),
    ("unwrap-without-wrap-with-trusted", Refused, Refused, Succeeded),
    ("unwrap-public-permanent", Refused, Succeeded, Succeeded),
    ("unwrap-private-permanent", Refused, Succeeded, Succeeded),
    ("unwrap-derive", Refused, Succeeded, Succeeded),
    ("unwrap-wrap", Refused, Succeeded, Succeeded),
    ("unwrap-unwrap", Refused, Succeeded, Succeeded),
    ("unwrap-sign", Refused, Succeeded, Succeeded),
    ("unwrap-verify", Refused, Succeeded, Succeeded),
    ("unwrap-modifiable", Refused, Succeeded, Succeeded),
    ("unwrap-generic-secret-derive", Refused, Succeeded, Succeeded),
    ("data-key-read-value", Refused, Refused, Refused),
    ("data-key-set-derive", Refused, Refused, Refused),
    ("data-key-set-wrap", Refused, Refused, Refused),
    ("data-key-copy-permanent", Refused, Refused, Refused),
    ("data-key-copy-not-sensitive", Refused, Refused, Refused),
    ("data-key-wrap-under-own-key", Refused, Refused, Refused),
    ("kek-read-value", Refused, Refused, Refused),
    ("kek-encrypt", Refused, Succeeded, Succeeded),
    ("kek-decrypt", Refused, Refused, Refused),
    ("kek-cmac", Refused, Succeeded, Succeeded),
    ("kek-derive", Refused, Succeeded, Succeeded),
    ("kek-wrap-by-cbc", Refused, Succeeded, Succeeded),
    ("kek-wrap-itself", Refused, Refused, Refused),
    ("kek-copy-modifiable", Refused, Refused, Succeeded),
    ("kek-copy-session", Refused, Refused, Succeeded),
    ("kek-copy-permanent", Refused, Refused, Succeeded),
    ("kek-copy-decrypt", Refused, Refused, Succeeded),
    ("kek-copy-public", Refused, Refused, Refused),
    ("kek-copy-sign", Refused, Refused, Succeeded),
    ("kek-set-decrypt", Refused, Refused, Succeeded),
    ("kek-clear-unwrap-template", Refused, Refused, Refused),
    ("trust-by-generate", Refused, Refused, Refused),
    ("trust-by-create", Refused, Refused, Refused),
    ("trust-by-unwrap", Refused, Refused, Refused),
    ("trust-by-copy", Refused, Refused, Refused),
    ("trust-by-set", Refused, Refused, Refused),
    ("rewrap-under-next-kek", Succeeded, Succeeded, NotApplicable),
    ("inject-known-key", Succeeded, Succeeded, Succeeded),
    ("kek-destroy", Succeeded, Succeeded, Succeeded),
];

#[test]
fn every_attack_of_the_table_ends_as_documented() {
    let names: Vec<_> = TABLE.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, attacks::ALL.iter().map(|attack| attack.name).collect::<Vec<_>>(), "the table is complete");
    Rig::with_token().run(crate::ceremony_rig::Role::Attack(Body::Table)).unwrap();
}

fn run(body: Body) {
    Rig::with_token().run(crate::ceremony_rig::Role::Attack(body)).unwrap();
}

#[test]
fn a_kek_of_profile_n_withstands_every_export() {
    run(Body::NonExtractable);
}

#[test]
fn so_pin_and_user_pin_together_read_data_keys() {
    run(Body::SoAndUserPin);
}

#[test]
fn a_public_kek_can_be_turned_without_login() {
    run(Body::PublicKekWithoutLogin);
}

#[test]
fn a_twin_from_the_public_phase_decrypts_blobs() {
    run(Body::TwinFromThePublicPhase);
}

#[test]
fn the_file_of_a_destroyed_public_kek_still_holds_its_bytes() {
    run(Body::DestroyedPublicKek);
}

/// The ceremony's KEK; handles of private objects do not survive a change of user.
fn ceremony_kek(user: &LoggedIn, rig: &Rig) -> (ObjectHandle, TokenBinding) {
    let binding = rig.binding().unwrap();
    let parts = open_parts(&user.module, user.slot, &user.session, &binding).unwrap();
    (parts.kek(1).unwrap(), binding)
}

impl LoggedIn {
    pub fn access(&self) -> Access<'_> {
        Access::new(&self.module, &self.session, self.slot)
    }

    pub fn generate(&self, template: &[Attr]) -> ObjectHandle {
        self.module.raw().generate_key(&self.session, CKM_AES_KEY_GEN, template).unwrap()
    }

    pub fn switch(&self, user: UserType, pin_text: &str) {
        self.session.logout().unwrap();
        self.module.login_once(&self.session, self.slot, user, &pin(pin_text)).unwrap();
    }

    /// A data key of the service, wrapped under a KEK.
    fn blob(&self, kek: ObjectHandle, protection: Protection) -> Vec<u8> {
        let key = self.generate(&template::data_key_generate(protection));
        let blob = self.wrap(kek, key);
        self.session.destroy_object(key).unwrap();
        blob
    }

    fn wrap(&self, by: ObjectHandle, key: ObjectHandle) -> Vec<u8> {
        let mechanism = RawMechanism::plain(CKM_AES_KEY_WRAP);
        self.module.raw().wrap_key(&self.session, &mechanism, by, key).unwrap()
    }

    fn unwrap(&self, by: ObjectHandle, blob: &[u8], template: &[Attr]) -> ObjectHandle {
        let mechanism = RawMechanism::plain(CKM_AES_KEY_WRAP);
        self.module.raw().unwrap_key(&self.session, &mechanism, by, blob, template).unwrap()
    }

    fn target<'a>(
        &'a self,
        kek: ObjectHandle,
        blob: &'a [u8],
        protection: Protection,
        next_kek: Option<ObjectHandle>,
    ) -> Target<'a> {
        Target {
            access: self.access(),
            kek,
            blob,
            protection,
            mechanism: WrapMechanism::AesKeyWrap,
            next_kek,
            spare_kek: false,
        }
    }

    /// Makes a trusted private KEK as the ceremony does, with the given public template.
    pub fn trusted(&self, label: &str, public: &[Attr]) -> ObjectHandle {
        let mut template = template::names(label.as_bytes(), label);
        template.push(Attr::ulong(CKA_VALUE_LEN, 32));
        template.extend_from_slice(public);
        self.switch(UserType::So, SO_PIN);
        self.generate(&template);
        self.switch(UserType::User, PIN);
        let public = self.find(label);
        let private = self.module.raw().copy_object(&self.session, public, &template::private_copy()).unwrap();
        self.session.destroy_object(public).unwrap();
        private
    }

    pub fn find(&self, label: &str) -> ObjectHandle {
        let template = [cryptoki::object::Attribute::Label(label.as_bytes().to_vec())];
        self.session.find_objects(&template).unwrap()[0]
    }
}

/// A public trusted KEK with the weak column's unwrap template and otherwise SoftHSM's defaults.
fn weak_public() -> Vec<Attr> {
    vec![
        Attr::ulong(CKA_CLASS, CKO_SECRET_KEY),
        Attr::ulong(CKA_KEY_TYPE, CKK_AES),
        Attr::bool(CKA_TOKEN, true),
        Attr::bool(CKA_PRIVATE, false),
        Attr::bool(CKA_SENSITIVE, true),
        Attr::bool(CKA_EXTRACTABLE, false),
        Attr::bool(CKA_TRUSTED, true),
        Attr::bool(CKA_WRAP, true),
        Attr::bool(CKA_UNWRAP, true),
        Attr::bool(CKA_DERIVE, true),
        Attr::bool(CKA_DECRYPT, false),
        Attr::template(
            CKA_UNWRAP_TEMPLATE,
            vec![Attr::bool(CKA_SENSITIVE, true), Attr::bool(CKA_WRAP_WITH_TRUSTED, true)],
        ),
    ]
}

/// A user's own KEK with nothing pinned.
fn open_kek() -> Vec<Attr> {
    vec![
        Attr::ulong(CKA_CLASS, CKO_SECRET_KEY),
        Attr::ulong(CKA_KEY_TYPE, CKK_AES),
        Attr::ulong(CKA_VALUE_LEN, 32),
        Attr::bool(CKA_TOKEN, true),
        Attr::bool(CKA_PRIVATE, true),
        Attr::bool(CKA_SENSITIVE, true),
        Attr::bool(CKA_EXTRACTABLE, false),
        Attr::bool(CKA_WRAP, true),
        Attr::bool(CKA_UNWRAP, true),
        Attr::bool(CKA_DERIVE, true),
        Attr::bool(CKA_DECRYPT, false),
    ]
}

fn table(rig: &Rig) {
    let user = log_in();
    user.trusted("next", &template::public_kek(WrapMechanism::AesKeyWrap));
    user.trusted("weak", &weak_public());
    user.generate(&[open_kek(), template::names(b"open", "open")].concat());
    let (kek, binding) = ceremony_kek(&user, rig);
    assert_eq!(binding.protection, Protection::Trusted);
    let (next, weak, open) = (user.find("next"), user.find("weak"), user.find("open"));
    let (blob, weak_blob) = (user.blob(kek, Protection::Trusted), user.blob(weak, Protection::Trusted));
    // The open KEK is not trusted: it wraps only keys that do not ask for trust.
    let open_blob = user.blob(open, Protection::NonExtractable);
    data_keys_unwrapped_carelessly_are_open(&user, weak, &weak_blob);
    let turned = user.module.raw().copy_object(&user.session, open, &[Attr::bool(CKA_DECRYPT, true)]).unwrap();
    let report = attacks::named("kek-decrypt").unwrap().report(&user.target(
        turned,
        &open_blob,
        Protection::NonExtractable,
        None,
    ));
    assert_eq!(report.outcome, Succeeded, "the copy can decrypt: {report:?}");
    let targets = [
        ("ceremony", user.target(kek, &blob, Protection::Trusted, Some(next))),
        ("weak", user.target(weak, &weak_blob, Protection::Trusted, Some(next))),
        ("open", user.target(open, &open_blob, Protection::Trusted, None)),
    ];
    let mut wrong = Vec::new();
    for (column, (name, target)) in targets.iter().enumerate() {
        for row in TABLE {
            let expected = [row.1, row.2, row.3][column];
            let report = attacks::named(row.0).unwrap().report(target);
            if report.outcome != expected {
                wrong.push(format!("{name}: {report:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The attacks on a data key are refused because of MODIFIABLE=false in its template, and not for another reason.
fn data_keys_unwrapped_carelessly_are_open(user: &LoggedIn, kek: ObjectHandle, blob: &[u8]) {
    let mut careless = template::data_key_unwrap(Protection::Trusted, false);
    careless.retain(|attr| attr.kind != CKA_MODIFIABLE);
    let key = user.unwrap(kek, blob, &careless);
    let set = |attr: Attr| user.module.raw().set_attributes(&user.session, key, &[attr]);
    let copy = user.module.raw().copy_object(&user.session, key, &[Attr::bool(CKA_TOKEN, true)]).unwrap();
    set(Attr::bool(CKA_DERIVE, true)).unwrap();
    set(Attr::bool(CKA_WRAP, true)).unwrap();
    user.session.destroy_object(copy).unwrap();
}

fn non_extractable() {
    let user = log_in();
    let mut template = template::names(b"n", "n");
    template.push(Attr::ulong(CKA_VALUE_LEN, 32));
    template.extend(template::kek(Protection::NonExtractable, WrapMechanism::AesKeyWrap));
    let kek = user.generate(&template);
    let blob = user.blob(kek, Protection::NonExtractable);
    let reports = attacks::play_all(&user.target(kek, &blob, Protection::NonExtractable, None));
    assert!(attacks::keeps(&reports, Protection::NonExtractable), "{reports:#?}");
    let open = user.generate(&[open_kek(), template::names(b"open", "open")].concat());
    let blob = user.blob(open, Protection::NonExtractable);
    let reports = attacks::play_all(&user.target(open, &blob, Protection::NonExtractable, None));
    assert!(!attacks::keeps(&reports, Protection::NonExtractable), "{reports:#?}");
}

/// Bytes of a wrapped key that was wrapped under a key of this value, found outside of the token.
fn unwrapped_outside(value: &[u8; 32], blob: &[u8]) -> Vec<u8> {
    use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap};
    let mut out = [0; 64];
    AesKek::new(&AES_256, value).unwrap().unwrap(blob, &mut out).unwrap().to_vec()
}

/// A data key's use tells that its bytes are known: the same check inside and outside.
fn is_value_of(user: &LoggedIn, key: ObjectHandle, value: &[u8]) -> bool {
    let block = user.session.encrypt(&Mechanism::AesEcb, key, &[0; 16]).unwrap();
    let mut template = open_kek();
    template.retain(|attr| !matches!(attr.kind, CKA_VALUE_LEN | CKA_TOKEN | CKA_EXTRACTABLE));
    template.push(Attr::bytes(CKA_VALUE, value));
    let known = user.module.raw().create_object(&user.session, &template).unwrap();
    user.session.encrypt(&Mechanism::AesEcb, known, &[0; 16]).unwrap() == block
}

/// Why the SO PIN never enters the server: with both PINs a trusted key of known value can be imported.
fn so_and_user_pin(rig: &Rig) {
    let user = log_in();
    let value = [0x42; 32];
    user.switch(UserType::So, SO_PIN);
    let mut template = template::public_kek(WrapMechanism::AesKeyWrap);
    template.extend(template::names(b"known", "known"));
    template.push(Attr::bytes(CKA_VALUE, &value));
    user.module.raw().create_object(&user.session, &template).unwrap();
    user.switch(UserType::User, PIN);
    let (kek, _) = ceremony_kek(&user, rig);
    let blob = user.blob(kek, Protection::Trusted);
    let mut extractable = template::data_key_unwrap(Protection::Trusted, false);
    extractable.iter_mut().filter(|attr| attr.kind == CKA_EXTRACTABLE).for_each(|attr| attr.value = Value::Bool(true));
    let key = user.unwrap(kek, &blob, &extractable);
    let plain = unwrapped_outside(&value, &user.wrap(user.find("known"), key));
    assert!(is_value_of(&user, key, &plain));
    let binding = rig.binding().unwrap();
    let found = claviger::token::ceremony::verify(&user.module, user.slot, &user.session, &binding).unwrap_err();
    assert!(found.to_string().contains("trusted key that this installation did not make"), "{found}");
}

/// Makes the KEK of the public phase and stops there.
fn public_kek(user: &LoggedIn, label: &str, public: &[Attr]) {
    user.switch(UserType::So, SO_PIN);
    let mut template = template::names(label.as_bytes(), label);
    template.push(Attr::ulong(CKA_VALUE_LEN, 32));
    template.extend_from_slice(public);
    user.generate(&template);
    user.session.logout().unwrap();
}

fn public_kek_without_login() {
    let user = log_in();
    public_kek(&user, "public", &template::public_kek(WrapMechanism::AesKeyWrap));
    let (kek, decrypt) = (user.find("public"), [Attr::bool(CKA_DECRYPT, true)]);
    user.module.raw().copy_object(&user.session, kek, &decrypt).unwrap();
    user.module.raw().set_attributes(&user.session, kek, &decrypt).unwrap();
}

fn twin_from_the_public_phase() {
    let user = log_in();
    let pinned = template::public_kek(WrapMechanism::AesKeyWrap);
    let (_, twin) = kek_and_twin(&user, "pinned", &pinned);
    let refused = user.session.decrypt(&Mechanism::AesEcb, twin, &[0; 16]).unwrap_err();
    assert!(refused.to_string().contains("mechanism"), "ALLOWED_MECHANISMS cannot be copied away: {refused}");

    let free: Vec<_> = pinned.into_iter().filter(|attr| attr.kind != CKA_ALLOWED_MECHANISMS).collect();
    let (kek, twin) = kek_and_twin(&user, "free", &free);
    let blob = user.blob(kek, Protection::Trusted);
    let plain = unwrapped_by_blocks(&blob, |block| user.session.decrypt(&Mechanism::AesEcb, twin, block).unwrap());
    let key = user.unwrap(kek, &blob, &template::data_key_unwrap(Protection::Trusted, false));
    assert!(is_value_of(&user, key, &plain));
}

/// While the KEK is public, someone makes a private twin of it that can decrypt.
fn kek_and_twin(user: &LoggedIn, label: &str, public: &[Attr]) -> (ObjectHandle, ObjectHandle) {
    public_kek(user, label, public);
    user.module.login_once(&user.session, user.slot, UserType::User, &pin(PIN)).unwrap();
    let public = user.find(label);
    let mut changes = template::names(b"twin", "twin");
    changes.extend([Attr::bool(CKA_TOKEN, true), Attr::bool(CKA_PRIVATE, true), Attr::bool(CKA_DECRYPT, true)]);
    let raw = user.module.raw();
    let twin = raw.copy_object(&user.session, public, &changes).unwrap();
    let kek = raw.copy_object(&user.session, public, &template::private_copy()).unwrap();
    user.session.destroy_object(public).unwrap();
    assert_eq!(raw.attribute(&user.session, twin, CKA_DECRYPT).unwrap(), Some(Value::Bool(true)));
    (kek, twin)
}

/// RFC 3394, 2.2.2, with a block cipher that somebody else computes.
fn unwrapped_by_blocks(blob: &[u8], decrypt: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut parts: Vec<[u8; 8]> = blob.chunks(8).map(|part| part.try_into().unwrap()).collect();
    let count = parts.len() - 1;
    for step in (1..=6 * count).rev() {
        let index = (step - 1) % count + 1;
        let head = u64::from_be_bytes(parts[0]) ^ step as u64;
        let block = decrypt(&[head.to_be_bytes(), parts[index]].concat());
        parts[0] = block[..8].try_into().unwrap();
        parts[index] = block[8..].try_into().unwrap();
    }
    assert_eq!(parts[0], [0xa6; 8], "the integrity check of RFC 3394");
    parts[1..].concat()
}

fn destroyed_public_kek(rig: &Rig) {
    let user = log_in();
    let before = objects(rig);
    user.switch(UserType::So, SO_PIN);
    let mut template = template::public_kek(WrapMechanism::AesKeyWrap);
    template.extend(template::names(b"public", "public"));
    template.push(Attr::bytes(CKA_VALUE, b"key bytes of a public KEK: clear"));
    let kek = user.module.raw().create_object(&user.session, &template).unwrap();
    let made: Vec<_> = objects(rig).into_iter().filter(|path| !before.contains(path)).collect();
    let [path] = made.as_slice() else { panic!("{made:?}") };
    let mut open = std::fs::File::open(path).unwrap();
    user.session.destroy_object(kek).unwrap();
    assert!(!path.exists());
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut open, &mut bytes).unwrap();
    assert!(bytes.windows(32).any(|window| window == b"key bytes of a public KEK: clear"));
}

/// The files of all token objects.
fn objects(rig: &Rig) -> Vec<std::path::PathBuf> {
    let tokens = std::fs::read_dir(rig.place()).unwrap();
    let files = tokens.flat_map(|token| std::fs::read_dir(token.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|ext| ext == "object")).collect()
}
