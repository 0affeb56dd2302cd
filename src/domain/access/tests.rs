//! The decision, over every role, permission, level and resource.

use super::*;
use crate::domain::address::AddressList;
use crate::domain::id::KeyId;
use rstest::rstest;

const FOLDER: FolderId = FolderId::from_bytes([2; 16]);
const OTHER_FOLDER: FolderId = FolderId::from_bytes([3; 16]);
const KEY: Resource = Resource::Key { key_id: KeyId::from_bytes([1; 16]), folder_id: FOLDER };
const FOREIGN_KEY: Resource = Resource::Key { key_id: KeyId::from_bytes([1; 16]), folder_id: OTHER_FOLDER };

fn caller() -> Caller {
    Caller {
        principal_id: PrincipalId::from_bytes([5; 16]),
        kind: PrincipalKind::ServiceAccount,
        credential_id: CredentialId::from_bytes([6; 16]),
        folder_id: FOLDER,
    }
}

fn grants(roles: &[Role]) -> Grants {
    let subject = Subject::of(caller().kind, caller().principal_id);
    Grants::of(&BindingSet::new(roles.iter().map(|role| Binding { role: *role, subject: subject.clone() })).unwrap())
}

/// Decides with these roles on the service, the folder and the key.
fn decide(roles: [&[Role]; 3], permission: Permission, resource: Resource, editors_use_keys: bool) -> Decision {
    let [service, folder, key] = roles.map(grants);
    let addresses = AddressList::default();
    let (folder, key) = match resource {
        Resource::Service => (None, None),
        Resource::Folder(_) => (Some(&folder), None),
        Resource::Key { .. } => {
            (Some(&folder), Some(KeyAttached { grants: &key, addresses: &addresses, generator_id: None }))
        }
    };
    let context = AccessContext { service: &service, folder, key, editors_use_keys, addresses_bind_tokens_only: false };
    authorise(&caller(), &Origin::default(), permission, resource, &context)
}

#[test]
fn a_role_allows_what_it_permits_at_its_level_and_below_and_says_so() {
    for role in Role::ALL {
        for permission in Permission::ALL {
            for uses_keys in [false, true] {
                for (place, level) in [Level::Service, Level::Folder, Level::Key].into_iter().enumerate() {
                    let mut roles: [&[Role]; 3] = [&[], &[], &[]];
                    let held = [role];
                    roles[place] = &held;
                    let decision = decide(roles, permission, KEY, uses_keys);
                    let expected = if role.permits(permission, uses_keys) {
                        Decision::Allowed(Grounds::Role { role, level })
                    } else if role.permits(Permission::ViewKey, uses_keys) {
                        Decision::Denied(Refusal::NotPermitted)
                    } else {
                        Decision::Hidden(Refusal::NotPermitted)
                    };
                    assert_eq!(decision, expected, "{role:?} {permission:?} {level:?}");
                }
            }
        }
    }
}

#[test]
fn the_nearest_level_is_the_reason() {
    let roles: [&[Role]; 3] = [&[Role::Admin], &[Role::Editor], &[Role::Admin]];
    let reason = |permission| decide(roles, permission, KEY, false);
    let at = |role, level| Decision::Allowed(Grounds::Role { role, level });
    assert_eq!(reason(Permission::RotateKey), at(Role::Admin, Level::Key));
    assert_eq!(
        decide([&[Role::Admin], &[Role::Editor], &[]], Permission::RotateKey, KEY, false),
        at(Role::Editor, Level::Folder)
    );
    assert_eq!(decide([&[Role::Admin], &[], &[]], Permission::RotateKey, KEY, false), at(Role::Admin, Level::Service));
}

#[test]
fn roles_do_not_reach_upwards() {
    let on_folder: [&[Role]; 3] = [&[], &[Role::Admin, Role::Operator], &[]];
    for permission in Permission::ALL {
        assert!(matches!(decide(on_folder, permission, Resource::Service, true), Decision::Denied(_)));
    }
}

#[rstest]
#[case(&[], Permission::ViewKey)]
#[case(&[Role::Operator], Permission::ViewKey)]
#[case(&[Role::Operator], Permission::DeleteKey)]
#[case(&[Role::AsymmetricSignatureSigner], Permission::Encrypt)]
fn a_key_is_hidden_from_whoever_may_not_view_it(#[case] roles: &[Role], #[case] permission: Permission) {
    let refusal = if roles.is_empty() { Refusal::NoRole } else { Refusal::NotPermitted };
    for resource in [KEY, FOREIGN_KEY] {
        assert_eq!(decide([&[], roles, &[]], permission, resource, true), Decision::Hidden(refusal));
    }
}

#[test]
fn an_operator_restores_keys_that_it_may_not_view() {
    assert!(matches!(decide([&[], &[Role::Operator], &[]], Permission::RestoreKey, KEY, false), Decision::Allowed(_)));
}

#[test]
fn a_folder_is_hidden_from_strangers_without_a_role_only() {
    let foreign = Resource::Folder(OTHER_FOLDER);
    assert!(matches!(decide([&[], &[], &[]], Permission::CreateKey, foreign, false), Decision::Hidden(_)));
    assert!(matches!(
        decide([&[], &[Role::KeysUser], &[]], Permission::CreateKey, foreign, false),
        Decision::Denied(_)
    ));
    assert!(matches!(decide([&[], &[Role::Editor], &[]], Permission::CreateKey, foreign, false), Decision::Allowed(_)));
    let own = Resource::Folder(FOLDER);
    let refused = |refusal| Decision::Denied(refusal);
    assert_eq!(decide([&[], &[], &[]], Permission::CreateKey, own, false), refused(Refusal::NoRole));
    assert_eq!(decide([&[Role::Viewer], &[], &[]], Permission::CreateKey, own, false), refused(Refusal::NotPermitted));
}

#[test]
fn a_binding_of_somebody_else_or_of_another_kind_gives_nothing() {
    let others = [
        Subject::of(caller().kind, PrincipalId::from_bytes([99; 16])),
        Subject::of(PrincipalKind::User, caller().principal_id),
        Subject::new(SubjectKind::System, "allUsers".into()).unwrap(),
        Subject::new(SubjectKind::Group, caller().principal_id.to_string()).unwrap(),
        Subject::new(SubjectKind::FederatedUser, caller().principal_id.to_string()).unwrap(),
    ];
    let set = BindingSet::new(others.map(|subject| Binding { role: Role::Admin, subject })).unwrap();
    let (none, some) = (Grants::default(), Grants::of(&set));
    let addresses = AddressList::default();
    let context = AccessContext {
        service: &some,
        folder: Some(&some),
        key: Some(KeyAttached { grants: &some, addresses: &addresses, generator_id: None }),
        editors_use_keys: true,
        addresses_bind_tokens_only: false,
    };
    assert!(matches!(
        authorise(&caller(), &Origin::default(), Permission::ViewKey, KEY, &context),
        Decision::Hidden(_)
    ));
    assert_eq!(none.roles_of(&caller()), RoleSet::NONE);
}
