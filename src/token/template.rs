//! The attributes of every key in the token, defined once: keys are made with them, read back against
//! them, and unwrapped with them.
//!
//! Pure values. `CKA_MODIFIABLE` stands last in each list: SoftHSM refuses what comes after it in a copy.

use super::raw_attr::Attr;
use crate::service::ports::{InternalKeyRole, Protection, WrapMechanism};
use cryptoki_sys::{
    CK_MECHANISM_TYPE, CK_ULONG, CKA_ALLOWED_MECHANISMS, CKA_ALWAYS_SENSITIVE, CKA_CLASS, CKA_DECRYPT, CKA_DERIVE,
    CKA_EC_PARAMS, CKA_ENCRYPT, CKA_EXTRACTABLE, CKA_ID, CKA_KEY_TYPE, CKA_LABEL, CKA_LOCAL, CKA_MODIFIABLE,
    CKA_NEVER_EXTRACTABLE, CKA_PRIVATE, CKA_SENSITIVE, CKA_SIGN, CKA_TOKEN, CKA_TRUSTED, CKA_UNWRAP,
    CKA_UNWRAP_TEMPLATE, CKA_VALUE_LEN, CKA_VERIFY, CKA_WRAP, CKA_WRAP_WITH_TRUSTED, CKK_AES, CKK_EC,
    CKK_GENERIC_SECRET, CKM_AES_GCM, CKM_AES_KEY_GEN, CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD,
    CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, CKM_GENERIC_SECRET_KEY_GEN, CKM_SHA256_HMAC, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY,
    CKO_SECRET_KEY,
};

/// Length of AES and HMAC keys.
pub const KEY_BYTES: CK_ULONG = 32;
/// DER of the object identifier of P-256 (RFC 5480, 2.1.1.1), as `CKA_EC_PARAMS` wants it.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// The number of a wrap mechanism.
#[must_use]
pub const fn wrap_mechanism(mechanism: WrapMechanism) -> CK_MECHANISM_TYPE {
    match mechanism {
        WrapMechanism::AesKeyWrap => CKM_AES_KEY_WRAP,
        WrapMechanism::AesKeyWrapPad => CKM_AES_KEY_WRAP_PAD,
        WrapMechanism::AesKeyWrapKwp => CKM_AES_KEY_WRAP_KWP,
    }
}

fn aes(token: bool, private: bool) -> Vec<Attr> {
    vec![
        Attr::ulong(CKA_CLASS, CKO_SECRET_KEY),
        Attr::ulong(CKA_KEY_TYPE, CKK_AES),
        Attr::bool(CKA_TOKEN, token),
        Attr::bool(CKA_PRIVATE, private),
        Attr::bool(CKA_SENSITIVE, true),
    ]
}

/// A session key that wraps and unwraps and is nothing special: what anybody with the user PIN can make.
#[must_use]
pub fn session_wrapping_key() -> Vec<Attr> {
    vec![
        Attr::ulong(CKA_CLASS, CKO_SECRET_KEY),
        Attr::ulong(CKA_KEY_TYPE, CKK_AES),
        Attr::ulong(CKA_VALUE_LEN, KEY_BYTES),
        Attr::bool(CKA_TOKEN, false),
        Attr::bool(CKA_PRIVATE, true),
        Attr::bool(CKA_WRAP, true),
        Attr::bool(CKA_UNWRAP, true),
    ]
}

/// What identifies an object: `CKA_ID` and `CKA_LABEL`.
#[must_use]
pub fn names(id: &[u8], label: &str) -> Vec<Attr> {
    vec![Attr::bytes(CKA_ID, id), Attr::bytes(CKA_LABEL, label.as_bytes())]
}

/// What a KEK of profile T or N reads back as: what it is made with, and where it comes from. The token sets the
/// latter itself, and a key whose value somebody brought in or could once read does not have it.
#[must_use]
pub fn kek_read_back(protection: Protection, mechanism: WrapMechanism) -> Vec<Attr> {
    let mut list = kek(protection, mechanism);
    list.push(Attr::ulong(CKA_VALUE_LEN, KEY_BYTES));
    list.extend([CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE].map(|origin| Attr::bool(origin, true)));
    list
}

/// The attributes of the KEK, without its names: what it is made with.
#[must_use]
pub fn kek(protection: Protection, mechanism: WrapMechanism) -> Vec<Attr> {
    let mut list = kek_with_privacy(protection, mechanism, true);
    list.push(Attr::bool(CKA_MODIFIABLE, false));
    list
}

/// The attributes of a KEK that is still public and can be copied, because only the security officer can trust it
/// and cannot make private objects (SoftHSM).
#[must_use]
pub fn public_kek(mechanism: WrapMechanism) -> Vec<Attr> {
    kek_with_privacy(Protection::Trusted, mechanism, false)
}

/// What a copy of the public KEK changes.
#[must_use]
pub fn private_copy() -> Vec<Attr> {
    vec![Attr::bool(CKA_TOKEN, true), Attr::bool(CKA_PRIVATE, true), Attr::bool(CKA_MODIFIABLE, false)]
}

fn kek_with_privacy(protection: Protection, mechanism: WrapMechanism, private: bool) -> Vec<Attr> {
    let mut list = aes(true, private);
    list.push(Attr::bool(CKA_EXTRACTABLE, false));
    list.extend([Attr::bool(CKA_WRAP, true), Attr::bool(CKA_UNWRAP, true)]);
    // SIGN and VERIFY default to true on SoftHSM: CMAC with the KEK is an oracle.
    let unused = [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_DERIVE];
    list.extend(unused.map(|usage| Attr::bool(usage, false)));
    list.push(Attr::mechanisms(CKA_ALLOWED_MECHANISMS, &[wrap_mechanism(mechanism)]));
    match protection {
        Protection::Trusted => list.push(Attr::bool(CKA_TRUSTED, true)),
        Protection::NonExtractable | Protection::Weak => {}
    }
    match protection {
        Protection::Trusted | Protection::NonExtractable => {
            list.push(Attr::template(CKA_UNWRAP_TEMPLATE, unwrap_template(protection)));
        }
        Protection::Weak => {}
    }
    list
}

/// The least that a KEK of profile W must be: it cannot be read, it is as long as the keys that it wraps, and it can
/// wrap.
#[must_use]
pub fn weakest_kek() -> Vec<Attr> {
    let mut list = aes(true, true);
    list.push(Attr::ulong(CKA_VALUE_LEN, KEY_BYTES));
    list.push(Attr::bool(CKA_EXTRACTABLE, false));
    list.extend([Attr::bool(CKA_WRAP, true), Attr::bool(CKA_UNWRAP, true)]);
    list
}

/// `CKA_UNWRAP_TEMPLATE` of the KEK: what every key that it unwraps must be. Each line closes an attack of
/// `attacks.rs`.
#[must_use]
pub fn unwrap_template(protection: Protection) -> Vec<Attr> {
    let mut list = aes(false, true);
    list.push(match protection {
        // EXTRACTABLE stays open, so that a KEK can be replaced: unwrap, then wrap under the next trusted one.
        Protection::Trusted => Attr::bool(CKA_WRAP_WITH_TRUSTED, true),
        Protection::NonExtractable | Protection::Weak => Attr::bool(CKA_EXTRACTABLE, false),
    });
    let unused = [CKA_DERIVE, CKA_WRAP, CKA_UNWRAP, CKA_SIGN, CKA_VERIFY];
    list.extend(unused.map(|usage| Attr::bool(usage, false)));
    list.push(Attr::bool(CKA_MODIFIABLE, false));
    list
}

/// The template of a data key that is generated, to be wrapped and destroyed.
#[must_use]
pub fn data_key_generate(protection: Protection) -> Vec<Attr> {
    data_key(protection, true, true)
}

/// The template with which a data key is unwrapped: all of the KEK's unwrap template (SoftHSM wants it repeated),
/// and what a key in use needs. `value_len` adds `CKA_VALUE_LEN`, which Luna wants and SoftHSM refuses.
#[must_use]
pub fn data_key_unwrap(protection: Protection, value_len: bool) -> Vec<Attr> {
    data_key(protection, false, value_len)
}

/// The template with which the canary is unwrapped for a probe: as a data key, but extractable where that lets the KEK
/// wrap it again.
#[must_use]
pub fn canary_unwrap(protection: Protection, value_len: bool) -> Vec<Attr> {
    data_key(protection, protection == Protection::Trusted, value_len)
}

fn data_key(protection: Protection, extractable: bool, value_len: bool) -> Vec<Attr> {
    let pinned = unwrap_template(protection);
    let mut list: Vec<Attr> =
        pinned.into_iter().filter(|attr| !matches!(attr.kind, CKA_EXTRACTABLE | CKA_MODIFIABLE)).collect();
    if value_len {
        list.push(Attr::ulong(CKA_VALUE_LEN, KEY_BYTES));
    }
    list.push(Attr::bool(CKA_EXTRACTABLE, extractable));
    list.extend([Attr::bool(CKA_ENCRYPT, true), Attr::bool(CKA_DECRYPT, true)]);
    list.push(Attr::bool(CKA_MODIFIABLE, false));
    list
}

/// How an internal key is generated and what it must read back as.
#[derive(Debug, Clone)]
pub struct InternalTemplate {
    /// The generating mechanism.
    pub mechanism: CK_MECHANISM_TYPE,
    /// Attributes that are read back, without names.
    pub attributes: Vec<Attr>,
    /// Attributes that are given to the generation only.
    pub generate_only: Vec<Attr>,
    /// For pairs: the attributes of the public key, which is a session object and does not stay.
    pub public: Option<Vec<Attr>>,
}

/// The template of an internal key.
#[must_use]
pub fn internal_key(role: InternalKeyRole) -> InternalTemplate {
    match role {
        InternalKeyRole::SoftwareVersions | InternalKeyRole::Credentials => InternalTemplate {
            mechanism: CKM_AES_KEY_GEN,
            attributes: internal(CKO_SECRET_KEY, CKK_AES, &[CKA_ENCRYPT, CKA_DECRYPT], CKM_AES_GCM),
            generate_only: vec![Attr::ulong(CKA_VALUE_LEN, KEY_BYTES)],
            public: None,
        },
        InternalKeyRole::RowMac => InternalTemplate {
            mechanism: CKM_GENERIC_SECRET_KEY_GEN,
            attributes: internal(CKO_SECRET_KEY, CKK_GENERIC_SECRET, &[CKA_SIGN], CKM_SHA256_HMAC),
            generate_only: vec![Attr::ulong(CKA_VALUE_LEN, KEY_BYTES)],
            public: None,
        },
        InternalKeyRole::AuditSignature => InternalTemplate {
            mechanism: CKM_EC_KEY_PAIR_GEN,
            attributes: internal(CKO_PRIVATE_KEY, CKK_EC, &[CKA_SIGN], CKM_ECDSA),
            generate_only: Vec::new(),
            public: Some(vec![
                Attr::ulong(CKA_CLASS, CKO_PUBLIC_KEY),
                Attr::ulong(CKA_KEY_TYPE, CKK_EC),
                Attr::bool(CKA_TOKEN, false),
                Attr::bytes(CKA_EC_PARAMS, P256),
                Attr::bool(CKA_VERIFY, true),
            ]),
        },
    }
}

fn internal(class: CK_ULONG, key_type: CK_ULONG, used: &[CK_ULONG], mechanism: CK_MECHANISM_TYPE) -> Vec<Attr> {
    let mut list = vec![
        Attr::ulong(CKA_CLASS, class),
        Attr::ulong(CKA_KEY_TYPE, key_type),
        Attr::bool(CKA_TOKEN, true),
        Attr::bool(CKA_PRIVATE, true),
        Attr::bool(CKA_SENSITIVE, true),
        Attr::bool(CKA_EXTRACTABLE, false),
    ];
    // A private key has no ENCRYPT, VERIFY or WRAP.
    let usages: &[CK_ULONG] = match class {
        CKO_PRIVATE_KEY => &[CKA_DECRYPT, CKA_SIGN, CKA_UNWRAP, CKA_DERIVE],
        _ => &[CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE],
    };
    list.extend(usages.iter().map(|usage| Attr::bool(*usage, used.contains(usage))));
    list.push(Attr::mechanisms(CKA_ALLOWED_MECHANISMS, &[mechanism]));
    list.push(Attr::bool(CKA_MODIFIABLE, false));
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    fn modifiable_stands_last_wherever_it_stands(
        #[values(Protection::Trusted, Protection::NonExtractable, Protection::Weak)] protection: Protection,
    ) {
        let lists = [
            kek(protection, WrapMechanism::AesKeyWrap),
            unwrap_template(protection),
            data_key_generate(protection),
            data_key_unwrap(protection, true),
            private_copy(),
        ];
        for list in lists {
            assert_eq!(list.last(), Some(&Attr::bool(CKA_MODIFIABLE, false)), "{list:?}");
        }
    }

    #[rstest]
    fn a_data_key_is_unwrapped_with_everything_that_the_kek_pins(
        #[values(Protection::Trusted, Protection::NonExtractable)] protection: Protection,
    ) {
        let used = data_key_unwrap(protection, false);
        for pinned in unwrap_template(protection) {
            assert!(used.contains(&pinned), "{pinned:?}");
        }
        assert!(used.contains(&Attr::bool(CKA_EXTRACTABLE, false)));
    }

    #[rstest]
    fn no_list_names_an_attribute_twice(
        #[values(Protection::Trusted, Protection::NonExtractable, Protection::Weak)] protection: Protection,
    ) {
        let mechanism = WrapMechanism::AesKeyWrap;
        for list in [kek(protection, mechanism), data_key_generate(protection), data_key_unwrap(protection, true)] {
            let mut kinds: Vec<_> = list.iter().map(|attr| attr.kind).collect();
            kinds.sort_unstable();
            kinds.dedup();
            assert_eq!(kinds.len(), list.len(), "{list:?}");
        }
    }
}
