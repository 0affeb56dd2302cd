//! Roles and what they permit.

use serde::{Deserialize, Serialize};

/// One thing that may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See a key in a list.
    ListKeys,
    /// See one key, its versions and operations.
    ViewKey,
    /// Create keys in a folder.
    CreateKey,
    /// Change a key's settings.
    UpdateKey,
    /// Make a new version.
    RotateKey,
    /// Make another version primary.
    SetPrimaryVersion,
    /// Delete a key.
    DeleteKey,
    /// Schedule and cancel the destruction of versions.
    DestroyVersion,
    /// Encrypt, and generate data keys.
    Encrypt,
    /// Decrypt.
    Decrypt,
    /// Take a pending deletion back.
    RestoreKey,
    /// Release destructions that are held because the clock leapt.
    ConfirmClock,
    /// See who has which role on a resource.
    ListBindings,
    /// Change who has which role on a resource.
    SetBindings,
    /// See a folder.
    ViewFolder,
    /// Create folders.
    CreateFolder,
    /// See principals and their credentials, never a secret.
    ViewPrincipals,
    /// Create and delete principals, issue and revoke their credentials.
    ManagePrincipals,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 18] = [
        Self::ListKeys,
        Self::ViewKey,
        Self::CreateKey,
        Self::UpdateKey,
        Self::RotateKey,
        Self::SetPrimaryVersion,
        Self::DeleteKey,
        Self::DestroyVersion,
        Self::Encrypt,
        Self::Decrypt,
        Self::RestoreKey,
        Self::ConfirmClock,
        Self::ListBindings,
        Self::SetBindings,
        Self::ViewFolder,
        Self::CreateFolder,
        Self::ViewPrincipals,
        Self::ManagePrincipals,
    ];

    /// Whether it is to use the key material itself.
    #[must_use]
    pub const fn uses_key(self) -> bool {
        matches!(self, Self::Encrypt | Self::Decrypt)
    }
}

/// A set of permissions that is bound to subjects on the service, a folder or a key.
///
/// The `kms.*` roles are those of the native model, with one difference: `kms.editor` and `kms.admin` use no keys,
/// unless `access.yandex_role_compat` names the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Role {
    /// List, view and use keys.
    KeysUser,
    /// View keys and encrypt.
    KeysEncrypter,
    /// View keys and decrypt.
    KeysDecrypter,
    /// View keys, encrypt and decrypt.
    KeysEncrypterDecrypter,
    /// List and view keys and their access bindings, principals and their credentials.
    Auditor,
    /// As `kms.auditor`.
    Viewer,
    /// Create, update and rotate keys, view access bindings.
    Editor,
    /// All management of keys, principals, credentials and access bindings.
    Admin,
    /// Operating the service: restoring deleted keys, releasing held destructions.
    Operator,
    /// Of asymmetric keys, which are not served yet: permits nothing of symmetric ones.
    AsymmetricEncryptionPublicKeyViewer,
    /// Of asymmetric keys, which are not served yet: permits nothing of symmetric ones.
    AsymmetricEncryptionDecrypter,
    /// Of asymmetric keys, which are not served yet: permits nothing of symmetric ones.
    AsymmetricSignaturePublicKeyViewer,
    /// Of asymmetric keys, which are not served yet: permits nothing of symmetric ones.
    AsymmetricSignatureSigner,
}

impl Role {
    /// Every role, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::KeysUser,
        Self::KeysEncrypter,
        Self::KeysDecrypter,
        Self::KeysEncrypterDecrypter,
        Self::Auditor,
        Self::Viewer,
        Self::Editor,
        Self::Admin,
        Self::Operator,
        Self::AsymmetricEncryptionPublicKeyViewer,
        Self::AsymmetricEncryptionDecrypter,
        Self::AsymmetricSignaturePublicKeyViewer,
        Self::AsymmetricSignatureSigner,
    ];

    /// The name by which bindings and documents know the role.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeysUser => "kms.keys.user",
            Self::KeysEncrypter => "kms.keys.encrypter",
            Self::KeysDecrypter => "kms.keys.decrypter",
            Self::KeysEncrypterDecrypter => "kms.keys.encrypterDecrypter",
            Self::Auditor => "kms.auditor",
            Self::Viewer => "kms.viewer",
            Self::Editor => "kms.editor",
            Self::Admin => "kms.admin",
            Self::Operator => "claviger.operator",
            Self::AsymmetricEncryptionPublicKeyViewer => "kms.asymmetricEncryptionKeys.publicKeyViewer",
            Self::AsymmetricEncryptionDecrypter => "kms.asymmetricEncryptionKeys.decrypter",
            Self::AsymmetricSignaturePublicKeyViewer => "kms.asymmetricSignatureKeys.publicKeyViewer",
            Self::AsymmetricSignatureSigner => "kms.asymmetricSignatureKeys.signer",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether the role contains a permission. `uses_keys`: whether `kms.editor` and `kms.admin` encrypt and decrypt,
    /// as they do in the cloud.
    #[must_use]
    pub const fn permits(self, permission: Permission, uses_keys: bool) -> bool {
        use Permission as P;
        let crypto = permission.uses_key();
        let views = matches!(permission, P::ListKeys | P::ViewKey | P::ViewFolder);
        let audits = matches!(permission, P::ListBindings | P::ViewPrincipals);
        let edits = matches!(permission, P::CreateKey | P::UpdateKey | P::RotateKey | P::ListBindings);
        let administers = matches!(
            permission,
            P::SetPrimaryVersion
                | P::DeleteKey
                | P::RestoreKey
                | P::DestroyVersion
                | P::SetBindings
                | P::CreateFolder
                | P::ManagePrincipals
        );
        match self {
            Self::KeysUser => views || crypto,
            Self::KeysEncrypter => matches!(permission, P::ViewKey | P::Encrypt),
            Self::KeysDecrypter => matches!(permission, P::ViewKey | P::Decrypt),
            Self::KeysEncrypterDecrypter => crypto || matches!(permission, P::ViewKey),
            Self::Auditor | Self::Viewer => views || audits,
            Self::Editor => views || edits || (crypto && uses_keys),
            Self::Admin => views || audits || edits || administers || (crypto && uses_keys),
            Self::Operator => matches!(permission, P::RestoreKey | P::ConfirmClock | P::ViewFolder),
            Self::AsymmetricEncryptionPublicKeyViewer
            | Self::AsymmetricEncryptionDecrypter
            | Self::AsymmetricSignaturePublicKeyViewer
            | Self::AsymmetricSignatureSigner => false,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl From<Role> for &'static str {
    fn from(role: Role) -> Self {
        role.name()
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name).ok_or_else(|| format!("{name:?} is no role"))
    }
}

/// Any number of roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoleSet(u16);

impl RoleSet {
    /// No role.
    pub const NONE: Self = Self(0);

    /// Adds a role.
    pub const fn insert(&mut self, role: Role) {
        self.0 |= role.bit();
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The first of the roles that permits it.
    #[must_use]
    pub fn permitting(self, permission: Permission, uses_keys: bool) -> Option<Role> {
        let held = |role: &Role| self.0 & role.bit() != 0;
        Role::ALL.into_iter().filter(held).find(|role| role.permits(permission, uses_keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_known_by_its_name_and_by_no_other() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
            let json = serde_json::to_string(&role).unwrap();
            assert_eq!(json, format!("{:?}", role.name()));
            assert_eq!(serde_json::from_str::<Role>(&json).unwrap(), role);
        }
        assert_eq!(Role::parse("KMS.ADMIN"), None);
        assert!(serde_json::from_str::<Role>("\"admin\"").is_err());
    }

    #[test]
    fn a_role_set_permits_what_its_roles_permit() {
        for a in Role::ALL {
            for b in Role::ALL {
                let mut set = RoleSet::NONE;
                set.insert(a);
                set.insert(b);
                for permission in Permission::ALL {
                    for uses_keys in [false, true] {
                        let expected = a.permits(permission, uses_keys) || b.permits(permission, uses_keys);
                        assert_eq!(set.permitting(permission, uses_keys).is_some(), expected);
                    }
                }
            }
        }
    }

    /// Every permission that the role has somewhere; `*` marks those of folders where editors use keys.
    fn row(role: Role) -> String {
        let cell = |permission| match (role.permits(permission, false), role.permits(permission, true)) {
            (false, false) => None,
            (true, true) => Some(format!("{permission:?}")),
            (false, true) => Some(format!("*{permission:?}")),
            (true, false) => Some(format!("!{permission:?}")),
        };
        Permission::ALL.into_iter().filter_map(cell).collect::<Vec<_>>().join(" ")
    }

    /// The table of the native model, role by role, with our differences. Written out so that a slip in the code that
    /// computes it is seen.
    #[test]
    fn every_role_permits_exactly_this() {
        let auditor = "ListKeys ViewKey ListBindings ViewFolder ViewPrincipals";
        let expected = [
            (Role::KeysUser, "ListKeys ViewKey Encrypt Decrypt ViewFolder"),
            (Role::KeysEncrypter, "ViewKey Encrypt"),
            (Role::KeysDecrypter, "ViewKey Decrypt"),
            (Role::KeysEncrypterDecrypter, "ViewKey Encrypt Decrypt"),
            (Role::Auditor, auditor),
            (Role::Viewer, auditor),
            (Role::Editor, "ListKeys ViewKey CreateKey UpdateKey RotateKey *Encrypt *Decrypt ListBindings ViewFolder"),
            (
                Role::Admin,
                "ListKeys ViewKey CreateKey UpdateKey RotateKey SetPrimaryVersion DeleteKey DestroyVersion *Encrypt \
                 *Decrypt RestoreKey ListBindings SetBindings ViewFolder CreateFolder ViewPrincipals ManagePrincipals",
            ),
            (Role::Operator, "RestoreKey ConfirmClock ViewFolder"),
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
}
