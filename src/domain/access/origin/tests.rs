//! What address lists and tokens of keys take away, over every permission and resource.

use super::super::*;
use super::*;
use crate::domain::address::AddressList;
use crate::domain::id::{GeneratorId, KeyId};
use core::net::Ipv4Addr;
use proptest::prelude::*;
use rstest::rstest;

const FOLDER: FolderId = FolderId::from_bytes([2; 16]);
const KEY_ID: KeyId = KeyId::from_bytes([1; 16]);
const KEY: Resource = Resource::Key { key_id: KEY_ID, folder_id: FOLDER };
const GENERATOR: GeneratorId = GeneratorId::from_bytes([7; 16]);
const LISTED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const UNLISTED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// What is asked, of a key that has a generator.
#[derive(Debug, Clone)]
struct Case {
    origin: Origin,
    roles: Vec<Role>,
    addresses: AddressList,
    generator_id: Option<GeneratorId>,
    bind_tokens_only: bool,
}

impl Case {
    /// By somebody with every role, for a key without a list.
    fn from(origin: Origin) -> Self {
        let addresses = AddressList::default();
        let generator_id = Some(GENERATOR);
        Self { origin, roles: Role::ALL.to_vec(), addresses, generator_id, bind_tokens_only: false }
    }

    /// The same, for a key whose list has one address.
    fn listed(origin: Origin) -> Self {
        Self { addresses: AddressList::default().with(&[LISTED]).unwrap().switched(true), ..Self::from(origin) }
    }

    fn decide(&self, permission: Permission, resource: Resource) -> Decision {
        let principal_id = PrincipalId::from_bytes([5; 16]);
        let kind = PrincipalKind::ServiceAccount;
        let credential_id = CredentialId::from_bytes([6; 16]);
        let caller = Caller { principal_id, kind, credential_id, folder_id: FOLDER };
        let subject = Subject::of(kind, principal_id);
        let bindings = self.roles.iter().map(|role| Binding { role: *role, subject: subject.clone() });
        let (grants, none) = (Grants::of(&BindingSet::new(bindings).unwrap()), Grants::default());
        let attached = KeyAttached { grants: &none, addresses: &self.addresses, generator_id: self.generator_id };
        let (folder, key) = match resource {
            Resource::Service => (None, None),
            Resource::Folder(_) => (Some(&none), None),
            Resource::Key { .. } => (Some(&none), Some(attached)),
        };
        let context = AccessContext {
            service: &grants,
            folder,
            key,
            editors_use_keys: false,
            addresses_bind_tokens_only: self.bind_tokens_only,
        };
        authorise(&caller, &self.origin, permission, resource, &context)
    }

    fn allows(&self, permission: Permission) -> bool {
        matches!(self.decide(permission, KEY), Decision::Allowed(_))
    }
}

fn at(address: Ipv4Addr) -> Origin {
    Origin::of(Some(address.into()))
}

fn by(usage: TokenUse) -> Origin {
    let token = KeyToken { usage, key_id: KEY_ID, generator_id: GENERATOR };
    Origin { key_token: Some(token), ..at(LISTED) }
}

/// On single keys.
fn on_keys() -> impl Iterator<Item = Permission> {
    let everybody = Case::from(Origin::default());
    Permission::ALL.into_iter().filter(move |permission| everybody.allows(*permission))
}

#[test]
fn a_list_binds_whoever_uses_the_key_and_nobody_who_manages_it() {
    for origin in [at(UNLISTED), Origin::default()] {
        for permission in on_keys() {
            let decision = Case::listed(origin).decide(permission, KEY);
            if matches!(permission, Permission::Encrypt | Permission::Decrypt) {
                assert_eq!(decision, Decision::Denied(Refusal::Address), "{permission:?} from {origin:?}");
            } else {
                assert!(matches!(decision, Decision::Allowed(_)), "{permission:?} from {origin:?}");
            }
        }
    }
    for permission in on_keys() {
        assert!(Case::listed(at(LISTED)).allows(permission), "{permission:?} from a listed address");
    }
}

#[test]
fn who_may_not_use_the_key_learns_nothing_of_its_list() {
    let case = Case { roles: vec![Role::Viewer], ..Case::listed(at(UNLISTED)) };
    assert_eq!(case.decide(Permission::Encrypt, KEY), Decision::Denied(Refusal::NotPermitted));
    let case = Case { roles: Vec::new(), ..Case::listed(at(UNLISTED)) };
    assert_eq!(case.decide(Permission::Encrypt, KEY), Decision::Hidden(Refusal::NoRole));
}

#[test]
fn where_lists_bind_tokens_only_they_bind_tokens() {
    let only_tokens = |case: Case| Case { bind_tokens_only: true, ..case };
    for permission in on_keys() {
        assert!(only_tokens(Case::listed(at(UNLISTED))).allows(permission), "{permission:?}");
    }
    for (usage, permission) in [(TokenUse::Access, Permission::Encrypt), (TokenUse::Refresh, Permission::ViewKey)] {
        for bind_tokens_only in [false, true] {
            let from = |address: Option<Ipv4Addr>| Case {
                bind_tokens_only,
                ..Case::listed(Origin { address: address.map(IpAddr::V4), ..by(usage) })
            };
            assert!(from(Some(LISTED)).allows(permission), "{usage:?}");
            for address in [Some(UNLISTED), None] {
                assert_eq!(from(address).decide(permission, KEY), Decision::Denied(Refusal::Address), "{usage:?}");
            }
        }
    }
}

#[test]
fn a_token_is_good_for_its_use_of_the_key_and_nothing_else() {
    for permission in Permission::ALL {
        let uses = matches!(permission, Permission::Encrypt | Permission::Decrypt);
        let renews = permission == Permission::ViewKey;
        for (usage, expected) in [(TokenUse::Access, uses), (TokenUse::Refresh, renews)] {
            let decision = Case::from(by(usage)).decide(permission, KEY);
            if expected {
                assert!(matches!(decision, Decision::Allowed(_)), "{usage:?} {permission:?}");
            } else {
                assert_eq!(decision, Decision::Denied(Refusal::Token), "{usage:?} {permission:?}");
            }
        }
    }
}

#[rstest]
#[case::service(Resource::Service)]
#[case::its_folder(Resource::Folder(FOLDER))]
#[case::another_key(Resource::Key { key_id: KeyId::from_bytes([9; 16]), folder_id: FOLDER })]
fn a_token_reaches_its_key_only(#[case] resource: Resource) {
    for permission in Permission::ALL {
        for usage in [TokenUse::Access, TokenUse::Refresh] {
            let decision = Case::from(by(usage)).decide(permission, resource);
            assert_eq!(decision, Decision::Denied(Refusal::Token), "{usage:?} {permission:?}");
        }
    }
}

#[test]
fn a_token_ends_with_its_generator() {
    for generator_id in [None, Some(GeneratorId::from_bytes([8; 16]))] {
        for (usage, permission) in [(TokenUse::Access, Permission::Decrypt), (TokenUse::Refresh, Permission::ViewKey)] {
            let case = Case { generator_id, ..Case::from(by(usage)) };
            assert_eq!(case.decide(permission, KEY), Decision::Denied(Refusal::Token), "{generator_id:?}");
        }
    }
}

fn case() -> impl Strategy<Value = Case> {
    let addresses = (any::<bool>(), prop::sample::subsequence(vec![LISTED, UNLISTED], 0..=2));
    let address = prop::option::of(prop::sample::select(vec![LISTED, UNLISTED]));
    let generator = || prop::sample::select(vec![GENERATOR, GeneratorId::from_bytes([8; 16])]);
    let key_id = prop::sample::select(vec![KEY_ID, KeyId::from_bytes([9; 16])]);
    let usage = prop::sample::select(vec![TokenUse::Access, TokenUse::Refresh]);
    let token =
        (usage, key_id, generator()).prop_map(|(usage, key_id, generator_id)| KeyToken { usage, key_id, generator_id });
    let roles = prop::sample::subsequence(Role::ALL.to_vec(), 0..=3);
    (addresses, address, prop::option::of(token), prop::option::of(generator()), roles, any::<bool>()).prop_map(
        |((enabled, listed), address, key_token, generator_id, roles, bind_tokens_only)| Case {
            origin: Origin { address: address.map(IpAddr::V4), key_token },
            roles,
            addresses: AddressList::default().with(&listed).unwrap().switched(enabled),
            generator_id,
            bind_tokens_only,
        },
    )
}

proptest! {
    /// Computed from the words of the rules.
    #[test]
    fn tokens_and_lists_take_away_and_give_nothing(
        case in case(), permission in prop::sample::select(Permission::ALL.to_vec()),
    ) {
        let without = Case { origin: Origin::default(), addresses: AddressList::default(), ..case.clone() };
        let token = case.origin.key_token;
        let token_is_good = token.is_none_or(|token| {
            let good_for: &[Permission] = match token.usage {
                TokenUse::Access => &[Permission::Encrypt, Permission::Decrypt],
                TokenUse::Refresh => &[Permission::ViewKey],
            };
            token.key_id == KEY_ID && case.generator_id == Some(token.generator_id) && good_for.contains(&permission)
        });
        let uses = matches!(permission, Permission::Encrypt | Permission::Decrypt);
        let is_bound = token.is_some() || (uses && !case.bind_tokens_only);
        let is_listed = case.origin.address.is_some_and(|at| case.addresses.addresses().any(|listed| listed == at));
        let admitted = !is_bound || !case.addresses.is_enabled() || is_listed;
        prop_assert_eq!(case.allows(permission), without.allows(permission) && token_is_good && admitted);
        if !token_is_good {
            prop_assert_eq!(case.decide(permission, KEY), Decision::Denied(Refusal::Token), "whatever else there is");
        }
    }
}
