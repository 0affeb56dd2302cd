//! The one decision about every request of every dialect.

use super::Caller;
use super::grants::Grants;
use super::role::{Permission, Role};
use crate::domain::id::{FolderId, KeyId};

/// What a request wants to touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// The service itself, with all its folders.
    Service,
    /// A folder as a whole.
    Folder(FolderId),
    /// A key and the folder that owns it.
    Key {
        /// The key.
        key_id: KeyId,
        /// Its folder.
        folder_id: FolderId,
    },
}

/// Where a role is bound. Roles are inherited downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// On the service: it holds for every folder and key.
    Service,
    /// On a folder: it holds for every key in it.
    Folder,
    /// On one key.
    Key,
}

/// What is attached to the resource and to what contains it.
///
/// Whatever else will bind a request in all dialects (attached denies, key policies, grants, address lists) becomes a
/// field here and a step in [`authorise`]: denies before permits.
#[derive(Debug, Clone, Copy)]
pub struct AccessContext<'a> {
    /// Roles on the service.
    pub service: &'a Grants,
    /// Roles on the folder concerned; `None` if the resource is the service.
    pub folder: Option<&'a Grants>,
    /// Roles on the key concerned; `None` if the resource is no key.
    pub key: Option<&'a Grants>,
    /// Whether `kms.editor` and `kms.admin` use keys in this folder, as they do in the cloud.
    pub editors_use_keys: bool,
}

/// Why it is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grounds {
    /// The caller has this role.
    Role {
        /// The role.
        role: Role,
        /// Where it is bound.
        level: Level,
    },
}

/// Why it is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The caller has no role at all on the resource or on what contains it.
    NoRole,
    /// The caller has roles there, but none of them has the permission.
    NotPermitted,
}

/// The answer of [`authorise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allowed(Grounds),
    /// The caller may know that the resource exists, but not do this.
    Denied(Refusal),
    /// The caller may not even know that the resource exists.
    Hidden(Refusal),
}

/// Decides whether `caller` may do `permission` on `resource`, given everything that is attached to it.
///
/// A key is hidden from whoever may not view it. A folder is hidden from whoever has no role on it and does not belong
/// to it. The service is hidden from nobody.
#[must_use]
pub fn authorise(caller: &Caller, permission: Permission, resource: Resource, context: &AccessContext<'_>) -> Decision {
    let levels = [(Level::Key, context.key), (Level::Folder, context.folder), (Level::Service, Some(context.service))];
    let roles = levels.map(|(level, grants)| (level, grants.map(|grants| grants.roles_of(caller)).unwrap_or_default()));
    let grounds = |wanted: Permission| {
        roles.iter().find_map(|(level, roles)| {
            let role = roles.permitting(wanted, context.editors_use_keys)?;
            Some(Grounds::Role { role, level: *level })
        })
    };
    if let Some(grounds) = grounds(permission) {
        return Decision::Allowed(grounds);
    }
    let has_role = roles.iter().any(|(_, roles)| !roles.is_empty());
    let visible = match resource {
        Resource::Service => true,
        Resource::Folder(folder_id) => folder_id == caller.folder_id || has_role,
        Resource::Key { .. } => grounds(Permission::ViewKey).is_some(),
    };
    let refusal = if has_role { Refusal::NotPermitted } else { Refusal::NoRole };
    if visible { Decision::Denied(refusal) } else { Decision::Hidden(refusal) }
}
