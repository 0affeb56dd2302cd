//! The whole table of roles and permissions, as documentation prints it.

use super::role::{Permission, Role};

/// Whether a role has a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permitted {
    /// It has not.
    Never,
    /// In the folders that `access.yandex_role_compat` names, and nowhere else.
    InCompatibleFolders,
    /// It has.
    Always,
}

/// What one role permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRow {
    /// The role.
    pub role: Role,
    /// Every permission, in the order of [`Permission::ALL`], and whether the role has it.
    pub permissions: [(Permission, Permitted); Permission::ALL.len()],
}

/// Every role, in the order of [`Role::ALL`], and what it permits where it is bound and below.
#[must_use]
pub fn role_table() -> [RoleRow; Role::ALL.len()] {
    Role::ALL.map(|role| RoleRow {
        role,
        permissions: Permission::ALL.map(|permission| (permission, permitted(role, permission))),
    })
}

const fn permitted(role: Role, permission: Permission) -> Permitted {
    match (role.permits(permission, false), role.permits(permission, true)) {
        (true, _) => Permitted::Always,
        (false, true) => Permitted::InCompatibleFolders,
        (false, false) => Permitted::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Every permission that the role has somewhere, by its name; `*` marks those of compatible folders.
    fn row(role: Role) -> String {
        let row = role_table().into_iter().find(|row| row.role == role).unwrap();
        let cell = |(permission, permitted): (Permission, Permitted)| match permitted {
            Permitted::Never => None,
            Permitted::InCompatibleFolders => Some(format!("*{}", permission.name())),
            Permitted::Always => Some(permission.name().to_owned()),
        };
        row.permissions.into_iter().filter_map(cell).collect::<Vec<_>>().join(" ")
    }

    /// The table of the native model, role by role, with our differences. Written out so that a slip in the code that
    /// computes it is seen.
    #[test]
    fn every_role_permits_exactly_this() {
        let auditor = "keys.list keys.get bindings.list folders.get principals.get";
        let expected = [
            (Role::KeysUser, "keys.list keys.get keys.encrypt keys.decrypt folders.get"),
            (Role::KeysEncrypter, "keys.get keys.encrypt"),
            (Role::KeysDecrypter, "keys.get keys.decrypt"),
            (Role::KeysEncrypterDecrypter, "keys.get keys.encrypt keys.decrypt"),
            (Role::Auditor, auditor),
            (Role::Viewer, auditor),
            (
                Role::Editor,
                "keys.list keys.get keys.create keys.update keys.rotate *keys.encrypt *keys.decrypt bindings.list \
                 folders.get",
            ),
            (
                Role::Admin,
                "keys.list keys.get keys.create keys.update keys.rotate keys.setPrimaryVersion keys.delete \
                 keys.destroyVersion *keys.encrypt *keys.decrypt bindings.list bindings.set folders.get folders.create \
                 principals.get principals.manage",
            ),
            (Role::Operator, "keys.restore clock.confirm folders.get"),
            (Role::AsymmetricEncryptionPublicKeyViewer, ""),
            (Role::AsymmetricEncryptionDecrypter, ""),
            (Role::AsymmetricSignaturePublicKeyViewer, ""),
            (Role::AsymmetricSignatureSigner, ""),
        ];
        assert_eq!(expected.map(|(role, _)| role), Role::ALL);
        for (role, permissions) in expected {
            assert_eq!(row(role), permissions, "{role:?}");
        }
    }

    #[test]
    fn every_permission_has_a_name_of_its_own() {
        let names: HashSet<_> = Permission::ALL.iter().map(|permission| permission.name()).collect();
        assert_eq!(names.len(), Permission::ALL.len());
    }
}
