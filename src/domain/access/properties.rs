//! What holds for every decision, over random sets of bindings.

use super::*;
use crate::domain::address::AddressList;
use crate::domain::id::KeyId;
use proptest::prelude::*;
use std::collections::HashSet;

const FOLDER: FolderId = FolderId::from_bytes([2; 16]);

/// A few principals, so that bindings often meet.
fn principal() -> impl Strategy<Value = (PrincipalKind, PrincipalId)> {
    let kind = prop::sample::select(vec![PrincipalKind::User, PrincipalKind::ServiceAccount]);
    (kind, (0..3u8).prop_map(|number| PrincipalId::from_bytes([number; 16])))
}

fn subject() -> impl Strategy<Value = Subject> {
    let kind = prop::sample::select(SubjectKind::ALL.to_vec());
    (kind, (0..3u8))
        .prop_map(|(kind, number)| Subject::new(kind, PrincipalId::from_bytes([number; 16]).to_string()).unwrap())
}

fn binding() -> impl Strategy<Value = Binding> {
    let role = prop::sample::select(Role::ALL.to_vec());
    (role, subject()).prop_map(|(role, subject)| Binding { role, subject })
}

fn bindings() -> impl Strategy<Value = Vec<Binding>> {
    prop::collection::vec(binding(), 0..6)
}

fn caller() -> impl Strategy<Value = Caller> {
    (principal(), any::<bool>()).prop_map(|((kind, principal_id), at_home)| Caller {
        principal_id,
        kind,
        credential_id: CredentialId::from_bytes([9; 16]),
        folder_id: if at_home { FOLDER } else { FolderId::from_bytes([3; 16]) },
    })
}

fn resource() -> impl Strategy<Value = Resource> {
    let key = Resource::Key { key_id: KeyId::from_bytes([1; 16]), folder_id: FOLDER };
    prop::sample::select(vec![Resource::Service, Resource::Folder(FOLDER), key])
}

fn permission() -> impl Strategy<Value = Permission> {
    prop::sample::select(Permission::ALL.to_vec())
}

/// The bindings that reach the resource: on service, folder and key.
fn reaching(resource: Resource, sets: &[Vec<Binding>; 3]) -> Vec<Binding> {
    let levels = match resource {
        Resource::Service => 1,
        Resource::Folder(_) => 2,
        Resource::Key { .. } => 3,
    };
    sets[..levels].concat()
}

fn decide(
    caller: &Caller,
    permission: Permission,
    resource: Resource,
    sets: &[Vec<Binding>; 3],
    compatible: bool,
) -> Decision {
    let [service, folder, key] =
        [0, 1, 2].map(|level: usize| Grants::of(&BindingSet::new(sets[level].iter().cloned()).unwrap()));
    let addresses = AddressList::default();
    let (folder, key) = match resource {
        Resource::Service => (None, None),
        Resource::Folder(_) => (Some(&folder), None),
        Resource::Key { .. } => {
            (Some(&folder), Some(KeyAttached { grants: &key, addresses: &addresses, generator_id: None }))
        }
    };
    let context = AccessContext {
        service: &service,
        folder,
        key,
        editors_use_keys: compatible,
        addresses_bind_tokens_only: false,
    };
    authorise(caller, &Origin::default(), permission, resource, &context)
}

/// From nothing to everything.
const fn power(decision: Decision) -> u8 {
    match decision {
        Decision::Hidden(_) => 0,
        Decision::Denied(_) => 1,
        Decision::Allowed(_) => 2,
    }
}

proptest! {
    /// Computed another way: by looking through all bindings, without levels and sets.
    #[test]
    fn a_request_is_allowed_if_and_only_if_a_binding_of_the_caller_that_reaches_the_resource_permits_it(
        caller in caller(), permission in permission(), resource in resource(),
        sets in [bindings(), bindings(), bindings()], compatible in any::<bool>(),
    ) {
        let me = Subject::of(caller.kind, caller.principal_id);
        let mine: Vec<_> = reaching(resource, &sets).into_iter().filter(|binding| binding.subject == me).collect();
        let permitted = |wanted| mine.iter().any(|binding| binding.role.permits(wanted, compatible));
        match decide(&caller, permission, resource, &sets, compatible) {
            Decision::Allowed(Grounds::Role { role, .. }) => {
                prop_assert!(role.permits(permission, compatible));
                prop_assert!(mine.iter().any(|binding| binding.role == role));
            }
            Decision::Denied(refusal) | Decision::Hidden(refusal) => {
                prop_assert!(!permitted(permission));
                prop_assert_eq!(refusal == Refusal::NoRole, mine.is_empty());
            }
        }
        let hidden = matches!(decide(&caller, permission, resource, &sets, compatible), Decision::Hidden(_));
        let may_know = match resource {
            Resource::Service => true,
            Resource::Folder(folder) => caller.folder_id == folder || !mine.is_empty(),
            Resource::Key { .. } => permitted(Permission::ViewKey),
        };
        prop_assert_eq!(hidden, !may_know && !permitted(permission));
    }

    #[test]
    fn one_more_binding_takes_nothing_from_anybody(
        caller in caller(), permission in permission(), resource in resource(),
        sets in [bindings(), bindings(), bindings()], more in binding(), level in 0..3usize,
    ) {
        let before = decide(&caller, permission, resource, &sets, false);
        let mut larger = sets;
        larger[level].push(more.clone());
        let after = decide(&caller, permission, resource, &larger, false);
        prop_assert!(power(after) >= power(before));
        if more.subject != Subject::of(caller.kind, caller.principal_id) {
            prop_assert_eq!(before, after, "a binding of somebody else changes nothing");
        }
    }

    #[test]
    fn a_changed_set_has_no_repetitions_and_ends_as_its_last_deltas_say(
        held in bindings(), deltas in prop::collection::vec((any::<bool>(), binding()), 0..12),
    ) {
        let delta = |(add, binding): &(bool, Binding)| {
            if *add { BindingDelta::Add(binding.clone()) } else { BindingDelta::Remove(binding.clone()) }
        };
        let before = BindingSet::new(held).unwrap();
        let after = before.clone().changed(deltas.iter().map(delta)).unwrap();
        let unique: HashSet<_> = after.as_slice().iter().collect();
        prop_assert_eq!(unique.len(), after.as_slice().len());
        for binding in before.as_slice().iter().chain(deltas.iter().map(|(_, binding)| binding)) {
            let last = deltas.iter().rev().find(|(_, changed)| changed == binding);
            let expected = last.map_or_else(|| before.as_slice().contains(binding), |(add, _)| *add);
            prop_assert_eq!(unique.contains(binding), expected);
        }
    }
}
