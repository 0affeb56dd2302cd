//! Who may do what: roles, permissions and the one decision.

use super::id::{CredentialId, FolderId, KeyId, PrincipalId};
use serde::{Deserialize, Serialize};

/// Who sent a request, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person or service account.
    pub principal_id: PrincipalId,
    /// The credential that was presented.
    pub credential_id: CredentialId,
    /// The folder that owns the principal.
    pub folder_id: FolderId,
}

/// A set of permissions that is bound to principals on a folder or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// List, view and use keys.
    #[serde(rename = "kms.keys.user")]
    KeysUser,
    /// View keys and encrypt.
    #[serde(rename = "kms.keys.encrypter")]
    KeysEncrypter,
    /// View keys and decrypt.
    #[serde(rename = "kms.keys.decrypter")]
    KeysDecrypter,
    /// View keys, encrypt and decrypt.
    #[serde(rename = "kms.keys.encrypterDecrypter")]
    KeysEncrypterDecrypter,
    /// List and view keys and their access bindings.
    #[serde(rename = "kms.auditor")]
    Auditor,
    /// As `kms.auditor`, and versions.
    #[serde(rename = "kms.viewer")]
    Viewer,
    /// Create, update and rotate keys. No crypto.
    #[serde(rename = "kms.editor")]
    Editor,
    /// All management of keys. No crypto.
    #[serde(rename = "kms.admin")]
    Admin,
    /// Operating the service: restoring deleted keys, releasing held destructions.
    #[serde(rename = "claviger.operator")]
    Operator,
}

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
}

impl Role {
    /// Whether the role contains a permission.
    #[must_use]
    pub const fn permits(self, permission: Permission) -> bool {
        use Permission as P;
        let views = matches!(permission, P::ListKeys | P::ViewKey);
        let edits = matches!(permission, P::CreateKey | P::UpdateKey | P::RotateKey);
        let administers = matches!(permission, P::SetPrimaryVersion | P::DeleteKey | P::DestroyVersion);
        match self {
            Self::KeysUser => views || matches!(permission, P::Encrypt | P::Decrypt),
            Self::KeysEncrypter => matches!(permission, P::ViewKey | P::Encrypt),
            Self::KeysDecrypter => matches!(permission, P::ViewKey | P::Decrypt),
            Self::KeysEncrypterDecrypter => {
                matches!(permission, P::ViewKey | P::Encrypt | P::Decrypt)
            }
            Self::Auditor | Self::Viewer => views,
            Self::Editor => views || edits,
            Self::Admin => views || edits || administers,
            Self::Operator => matches!(permission, P::RestoreKey | P::ConfirmClock),
        }
    }
}

/// Roles given to principals on one folder or key. The whole set is one stored row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BindingSet(pub Vec<Binding>);

/// One role given to one principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The role.
    pub role: Role,
    /// Who has it.
    pub principal_id: PrincipalId,
}

/// What a request wants to touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A folder as a whole.
    Folder(FolderId),
    /// A key and the folder that owns it.
    Key {
        /// The key.
        key_id: KeyId,
        /// Its folder.
        folder_id: FolderId,
    },
    /// The service itself.
    Service,
}

/// The answer of [`authorise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allowed,
    /// The caller may know that the resource exists, but not do this.
    Denied,
    /// The caller may not even know that the resource exists.
    Hidden,
}

/// Decides whether `caller` may do `permission` on `resource`, given the bindings of the folder concerned
/// (for [`Resource::Service`], of the caller's own folder).
///
/// A principal acts in its own folder only.
#[must_use]
pub fn authorise(caller: &Caller, permission: Permission, resource: Resource, bindings: &BindingSet) -> Decision {
    let in_own_folder = match resource {
        Resource::Folder(folder_id) | Resource::Key { folder_id, .. } => folder_id == caller.folder_id,
        Resource::Service => true,
    };
    if !in_own_folder {
        return Decision::Hidden;
    }
    let holds = |wanted: Permission| {
        let mine = bindings.0.iter().filter(|binding| binding.principal_id == caller.principal_id);
        mine.into_iter().any(|binding| binding.role.permits(wanted))
    };
    match resource {
        _ if holds(permission) => Decision::Allowed,
        Resource::Key { .. } if !holds(Permission::ViewKey) => Decision::Hidden,
        _ => Decision::Denied,
    }
}
