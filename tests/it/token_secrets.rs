//! Secrets of credentials, sealed by the running token over a real SoftHSM.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use crate::token_rig::{Opened, Rig, SOFTHSM, config, isolated, material, run, until};
use crate::token_shim::{self, hits, impatient, is_unavailable, rules};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::id::{CredentialId, KeyId, MaterialId};
use claviger::service::ports::{InternalKeyRole, Material, SealedMaterial, Token, TokenBinding, TokenError};
use claviger::token::ceremony::open_parts;
use claviger::token::module::Module;
use claviger::token::{HsmToken, TokenConfig};
use cryptoki::session::UserType;
use std::sync::Arc;
use zeroize::Zeroizing;

const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const ID: CredentialId = CredentialId::from_bytes([0x11; 16]);
const OTHER: CredentialId = CredentialId::from_bytes([0x12; 16]);

async fn seal(token: &HsmToken, id: CredentialId, secret: &[u8]) -> Result<SealedMaterial, TokenError> {
    token.seal_secret(id, Zeroizing::new(secret.to_vec())).await
}

async fn open(token: &HsmToken, id: CredentialId, sealed: &SealedMaterial) -> Result<Vec<u8>, TokenError> {
    token.open_secret(id, sealed.clone()).await.map(|secret| secret.to_vec())
}

fn is_damaged<T>(outcome: &Result<T, TokenError>) -> bool {
    matches!(outcome, Err(TokenError::MaterialDamaged(_)))
}

fn faulty(name: &str, change: impl FnOnce(&mut TokenConfig), body: impl AsyncFnOnce(&Rig, Arc<HsmToken>)) {
    token_shim::faulty(&format!("token_secrets::{name}"), change, body);
}

/// Number and `CKA_ID` of the internal key of a role.
fn internal_key(binding: &TokenBinding, role: InternalKeyRole) -> (u32, MaterialId) {
    let key = binding.internal_keys.iter().find(|key| key.role == role).unwrap();
    let id = (0..16).map(|at| u8::from_str_radix(&key.object_id[at * 2..at * 2 + 2], 16).unwrap());
    (key.number, MaterialId::from_bytes(id.collect::<Vec<_>>().try_into().unwrap()))
}

#[test]
fn a_secret_opens_as_it_was_sealed_at_every_size() {
    isolated("token_secrets::a_secret_opens_as_it_was_sealed_at_every_size", |rig| {
        let Opened { token, binding, .. } = rig.open(|_, _| {});
        let (number, _) = internal_key(&binding, InternalKeyRole::Credentials);
        run(async {
            for size in [0, 1, 32, 40, 4096] {
                let secret: Vec<u8> = (0..size).map(|index| u8::try_from(index % 251).unwrap()).collect();
                let sealed = seal(&token, ID, &secret).await.unwrap();
                assert_eq!((sealed.sealed_by, sealed.bytes.len()), (number, 12 + size + 16));
                assert_eq!(open(&token, ID, &sealed).await.unwrap(), secret);
            }
            let too_large = Err(TokenError::TooLarge { max_bytes: 4096 });
            assert_eq!(seal(&token, ID, &[0; 4097]).await, too_large);
        });
    });
}

#[test]
fn the_invocations_of_the_credentials_key_have_a_counter_of_their_own() {
    isolated("token_secrets::the_invocations_of_the_credentials_key_have_a_counter_of_their_own", |rig| {
        let Opened { token, binding, .. } = rig.open(|_, _| {});
        let (_, credentials) = internal_key(&binding, InternalKeyRole::Credentials);
        let (_, versions) = internal_key(&binding, InternalKeyRole::SoftwareVersions);
        assert_eq!(token.secrets_key(), Some(credentials));
        assert_eq!(token.sealing_key(Algorithm::Aes256), Some(versions));
        assert_ne!(credentials, versions);
    });
}

#[test]
fn one_secret_sealed_twice_gives_other_bytes_under_another_iv() {
    isolated("token_secrets::one_secret_sealed_twice_gives_other_bytes_under_another_iv", |rig| {
        let Opened { token, .. } = rig.open(|_, _| {});
        run(async {
            let mut all = Vec::new();
            for _ in 0..20 {
                let sealed = seal(&token, ID, SECRET).await.unwrap();
                assert!(!sealed.bytes.windows(8).any(|window| SECRET.windows(8).any(|secret| secret == window)));
                all.push(sealed.bytes);
            }
            for part in [0..12, 12..all[0].len()] {
                let mut parts: Vec<&[u8]> = all.iter().map(|bytes| &bytes[part.clone()]).collect();
                parts.sort_unstable();
                parts.dedup();
                assert_eq!(parts.len(), 20);
            }
        });
    });
}

#[test]
fn a_secret_of_another_credential_is_damaged() {
    isolated("token_secrets::a_secret_of_another_credential_is_damaged", |rig| {
        let Opened { token, .. } = rig.open(|_, _| {});
        run(async {
            let (one, other) = (seal(&token, ID, SECRET).await.unwrap(), seal(&token, OTHER, SECRET).await.unwrap());
            for (id, sealed) in [(OTHER, &one), (ID, &other)] {
                let outcome = open(&token, id, sealed).await;
                assert!(is_damaged(&outcome), "{outcome:?}");
            }
            assert_eq!(open(&token, ID, &one).await.unwrap(), SECRET);
            assert_eq!(open(&token, OTHER, &other).await.unwrap(), SECRET);
        });
    });
}

#[test]
fn a_change_of_any_byte_is_damage_and_leaves_the_token_well() {
    isolated("token_secrets::a_change_of_any_byte_is_damage_and_leaves_the_token_well", |rig| {
        let Opened { token, .. } = rig.open(|_, _| {});
        run(async {
            let sealed = seal(&token, ID, SECRET).await.unwrap();
            for changed in changes(&sealed) {
                let outcome = open(&token, ID, &changed).await;
                assert!(is_damaged(&outcome), "{outcome:?}");
            }
            assert_eq!(open(&token, ID, &sealed).await.unwrap(), SECRET);
            assert_eq!((token.stats().generation, token.stats().recoveries), (1, 0));
        });
    });
}

/// One changed bit in each byte, lengths that cannot be, and key numbers that are not of this kind of secret.
fn changes(sealed: &SealedMaterial) -> Vec<SealedMaterial> {
    let SealedMaterial { sealed_by, bytes } = sealed;
    let flipped = (0..bytes.len()).map(|index| {
        let mut changed = bytes.clone();
        changed[index] ^= 0x40;
        changed
    });
    let shorter = [0, 1, 12, 27, 28, bytes.len() - 1].into_iter().map(|length| bytes[..length].to_vec());
    let longer = [1, 5000].into_iter().map(|more| [&bytes[..], &vec![0; more]].concat());
    let of_this_key = flipped.chain(shorter).chain(longer).map(|bytes| SealedMaterial { sealed_by: *sealed_by, bytes });
    let numbers = (0..6).chain([u32::MAX]).filter(|number| number != sealed_by);
    of_this_key.chain(numbers.map(|sealed_by| SealedMaterial { sealed_by, bytes: bytes.clone() })).collect()
}

#[test]
fn secrets_and_software_versions_do_not_open_as_each_other() {
    isolated("token_secrets::secrets_and_software_versions_do_not_open_as_each_other", |rig| {
        let Opened { token, binding, .. } = rig.open(|_, _| {});
        let numbers = [InternalKeyRole::SoftwareVersions, InternalKeyRole::Credentials]
            .map(|role| internal_key(&binding, role).0);
        run(async {
            let version = material(&token, 0x11, Algorithm::Aes256).await;
            let secret = seal(&token, ID, &[7; 32]).await.unwrap();
            assert_eq!([version.sealed.sealed_by, secret.sealed_by], numbers);
            for sealed_by in numbers {
                let as_secret = SealedMaterial { sealed_by, bytes: version.sealed.bytes.clone() };
                assert!(is_damaged(&open(&token, ID, &as_secret).await));
                let sealed = SealedMaterial { sealed_by, bytes: secret.bytes.clone() };
                let (id, key_id) = (MaterialId::from_bytes([0x11; 16]), KeyId::from_bytes([0x11; 16]));
                let as_version =
                    Arc::new(Material { id, key_id, algorithm: Algorithm::Aes256, sealed, convergent: false });
                token.forget(id).await;
                let used = token.encrypt(as_version, Vec::new(), Zeroizing::default()).await;
                assert!(is_damaged(&used), "{used:?}");
            }
            assert_eq!(open(&token, ID, &secret).await.unwrap(), [7; 32]);
        });
    });
}

#[test]
fn the_stored_bytes_are_aes_gcm_under_the_credentials_key_and_no_other() {
    isolated("token_secrets::the_stored_bytes_are_aes_gcm_under_the_credentials_key_and_no_other", |rig| {
        let Opened { token, binding, .. } = rig.open(|_, _| {});
        let SealedMaterial { bytes, .. } = run(seal(&token, ID, SECRET)).unwrap();
        Arc::into_inner(token).unwrap().close();
        let (module, config) = (Module::load(SOFTHSM.as_ref()).unwrap(), config());
        let slot = module.find_slot(&config.selector).unwrap();
        let session = module.open_rw(slot).unwrap();
        module.login_once(&session, slot, UserType::User, &config.pin).unwrap();
        let parts = open_parts(&module, slot, &session, &binding).unwrap();
        // Each part with its length; written out here, because databases hold bytes that were sealed so.
        let mut aad = Vec::new();
        for part in [&b"claviger-seal-1"[..], b"credential-secret", b"credentials", &[0x11; 16]] {
            aad.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            aad.extend(part);
        }
        let opened = |role, aad: &[u8]| {
            let key = parts.internal_key(role, internal_key(&binding, role).0).unwrap();
            let opened = module.raw().gcm_decrypt(&session, key, &mut bytes[..12].to_vec(), aad, &bytes[12..]);
            opened.ok().map(|secret| secret.to_vec())
        };
        assert_eq!(opened(InternalKeyRole::Credentials, &aad).unwrap(), SECRET);
        assert_eq!(opened(InternalKeyRole::Credentials, b""), None);
        assert_eq!(opened(InternalKeyRole::SoftwareVersions, &aad), None);
        drop(session);
        module.finalize().unwrap();
    });
}

#[test]
fn a_secret_is_opened_after_the_token_was_closed_and_opened_again() {
    isolated("token_secrets::a_secret_is_opened_after_the_token_was_closed_and_opened_again", |rig| {
        let first = rig.open(|_, _| {});
        let sealed = run(seal(&first.token, ID, SECRET)).unwrap();
        Arc::into_inner(first.token).unwrap().close();
        let second = rig.open_again(first.binding, |_, _| {});
        assert_eq!(run(open(&second.token, ID, &sealed)).unwrap(), SECRET);
    });
}

#[test]
fn a_secret_is_opened_after_the_token_has_rebooted() {
    faulty(
        "a_secret_is_opened_after_the_token_has_rebooted",
        |_| {},
        async |rig, token| {
            let sealed = seal(&token, ID, SECRET).await.unwrap();
            for (rule, generation) in [("C_DecryptInit reboot", 2), ("C_EncryptInit reboot", 3)] {
                rules(rig, &[rule]);
                let outcome = match generation {
                    2 => open(&token, ID, &sealed).await.map(drop),
                    _ => seal(&token, ID, SECRET).await.map(drop),
                };
                assert!(is_unavailable(&outcome), "{outcome:?}");
                until("the recovery", || async { token.check().await.is_ok() }).await;
                assert_eq!(token.stats().generation, generation);
                assert_eq!(open(&token, ID, &sealed).await.unwrap(), SECRET);
                let again = seal(&token, OTHER, SECRET).await.unwrap();
                assert_eq!(open(&token, OTHER, &again).await.unwrap(), SECRET);
            }
        },
    );
}

#[test]
fn a_dead_token_is_unavailable_and_never_damage() {
    faulty(
        "a_dead_token_is_unavailable_and_never_damage",
        |_| {},
        async |rig, token| {
            let sealed = seal(&token, ID, SECRET).await.unwrap();
            let mut changed = sealed.clone();
            changed.bytes[20] ^= 1;
            // CKR_GENERAL_ERROR, which SoftHSM also answers to a wrong tag; CKR_DEVICE_ERROR.
            for fault in ["* fail 0x5", "* fail 0x30"] {
                rules(rig, &[fault]);
                for sealed in [&sealed, &changed] {
                    let outcome = open(&token, ID, sealed).await;
                    assert!(is_unavailable(&outcome), "{outcome:?}");
                }
                assert!(is_unavailable(&seal(&token, ID, SECRET).await));
                rules(rig, &[]);
                until("the recovery", || async { token.check().await.is_ok() }).await;
                assert_eq!(open(&token, ID, &sealed).await.unwrap(), SECRET);
                assert!(is_damaged(&open(&token, ID, &changed).await));
            }
        },
    );
}

#[test]
fn a_hung_call_for_a_secret_costs_its_caller_only() {
    faulty("a_hung_call_for_a_secret_costs_its_caller_only", impatient, async |rig, token| {
        let sealed = seal(&token, ID, SECRET).await.unwrap();
        rules(rig, &["C_Decrypt stuck"]);
        assert!(is_unavailable(&open(&token, ID, &sealed).await));
        assert!(seal(&token, OTHER, SECRET).await.is_ok());
        rules(rig, &[]);
        until("the end of the hung call", || async { token.stats().hung_now == 0 }).await;
        assert_eq!(open(&token, ID, &sealed).await.unwrap(), SECRET);
        assert_eq!(token.stats().generation, 1);
    });
}

#[test]
fn a_lost_session_is_opened_again_without_the_callers_notice() {
    let name = "a_lost_session_is_opened_again_without_the_callers_notice";
    faulty(
        name,
        |config| config.workers = 1,
        async |rig, token| {
            let sealed = seal(&token, ID, SECRET).await.unwrap();
            // CKR_SESSION_HANDLE_INVALID.
            rules(rig, &["C_EncryptInit times 1 fail 0xB3", "C_DecryptInit times 1 fail 0xB3"]);
            let again = seal(&token, ID, SECRET).await.unwrap();
            for sealed in [&sealed, &again] {
                assert_eq!(open(&token, ID, sealed).await.unwrap(), SECRET);
            }
            assert_eq!((hits(rig, "C_EncryptInit"), hits(rig, "C_DecryptInit")), (1, 1));
            assert_eq!((token.stats().reopened_sessions, token.stats().generation), (2, 1));
        },
    );
}

#[test]
fn a_secret_is_sealed_under_the_iv_that_the_token_makes() {
    let name = "token_secrets::a_secret_is_sealed_under_the_iv_that_the_token_makes";
    token_shim::making_ivs(
        name,
        |_| {},
        async |rig, token| {
            rules(rig, &["C_EncryptInit iv 0102030405060708090a0b0c"]);
            let sealed = seal(&token, ID, SECRET).await.unwrap();
            assert_eq!(sealed.bytes[..12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
            assert_eq!(open(&token, ID, &sealed).await.unwrap(), SECRET);
            // The same again: GCM does not survive it, whichever secret is sealed.
            let repeated = seal(&token, OTHER, b"another").await;
            assert!(matches!(repeated, Err(TokenError::Untrusted(_))), "{repeated:?}");
            assert!(matches!(open(&token, ID, &sealed).await, Err(TokenError::Untrusted(_))));
        },
    );
}
