//! The one decision about every request of every dialect.

use super::Caller;
use super::grants::Grants;
use super::origin::Origin;
use super::role::{Permission, Role};
use crate::domain::address::AddressList;
use crate::domain::id::{FolderId, GeneratorId, KeyId};
use crate::domain::key::Key;
use crate::domain::key_token::TokenGenerator;

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

/// What is attached to a key.
#[derive(Debug, Clone, Copy)]
pub struct KeyAttached<'a> {
    /// Roles on it.
    pub grants: &'a Grants,
    /// From where it may be used.
    pub addresses: &'a AddressList,
    /// The generator that its tokens depend on, where there is one that is not deleted.
    pub generator_id: Option<GeneratorId>,
}

impl<'a> KeyAttached<'a> {
    /// What is attached to this key, beside these roles.
    #[must_use]
    pub fn of(key: &'a Key, grants: &'a Grants) -> Self {
        let generator_id = key.token_generator.filter(TokenGenerator::is_active).map(|generator| generator.id);
        Self { grants, addresses: &key.addresses, generator_id }
    }
}

/// What is attached to the resource and to what contains it.
///
/// Whatever else will bind a request in all dialects (attached denies, key policies, grants) becomes a field here and a
/// step in [`authorise`]: denies before permits.
#[derive(Debug, Clone, Copy)]
pub struct AccessContext<'a> {
    /// Roles on the service.
    pub service: &'a Grants,
    /// Roles on the folder concerned; `None` if the resource is the service.
    pub folder: Option<&'a Grants>,
    /// What is attached to the key concerned; `None` if the resource is no key.
    pub key: Option<KeyAttached<'a>>,
    /// Whether `kms.editor` and `kms.admin` use keys in this folder, as they do in the cloud.
    pub editors_use_keys: bool,
    /// Whether address lists of keys bind tokens of keys only in this folder, as they do in the cloud.
    pub addresses_bind_tokens_only: bool,
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
    /// The caller has the permission, but the key may not be used from where the request comes.
    Address,
    /// The request was authenticated by a token that is not good for this, or not any more.
    Token,
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

/// Decides whether `caller` may do `permission` on `resource` in a request from `origin`, given everything that is attached
/// to the resource.
///
/// A key is hidden from whoever may not view it. A folder is hidden from whoever has no role on it and does not belong
/// to it. The service is hidden from nobody. Who has a token that is not good is told so, and nothing of the resource.
#[must_use]
pub fn authorise(
    caller: &Caller,
    origin: &Origin,
    permission: Permission,
    resource: Resource,
    context: &AccessContext<'_>,
) -> Decision {
    if !token_reaches(origin, permission, resource, context) {
        return Decision::Denied(Refusal::Token);
    }
    let on_key = context.key.map(|key| key.grants);
    let levels = [(Level::Key, on_key), (Level::Folder, context.folder), (Level::Service, Some(context.service))];
    let roles = levels.map(|(level, grants)| (level, grants.map(|grants| grants.roles_of(caller)).unwrap_or_default()));
    let grounds = |wanted: Permission| {
        roles.iter().find_map(|(level, roles)| {
            let role = roles.permitting(wanted, context.editors_use_keys)?;
            Some(Grounds::Role { role, level: *level })
        })
    };
    let has_role = roles.iter().any(|(_, roles)| !roles.is_empty());
    let refusal = match grounds(permission) {
        Some(grounds) if address_is_admitted(origin, permission, context) => return Decision::Allowed(grounds),
        Some(_) => Refusal::Address,
        None if has_role => Refusal::NotPermitted,
        None => Refusal::NoRole,
    };
    let visible = match resource {
        Resource::Service => true,
        Resource::Folder(folder_id) => folder_id == caller.folder_id || has_role,
        Resource::Key { .. } => grounds(Permission::ViewKey).is_some(),
    };
    if visible { Decision::Denied(refusal) } else { Decision::Hidden(refusal) }
}

/// A token reaches one key, for what it is good for, as long as its generator is there.
fn token_reaches(origin: &Origin, permission: Permission, resource: Resource, context: &AccessContext<'_>) -> bool {
    let Some(token) = &origin.key_token else { return true };
    let on_its_key = matches!(resource, Resource::Key { key_id, .. } if key_id == token.key_id);
    let generator_id = context.key.and_then(|key| key.generator_id);
    on_its_key && token.reaches(permission) && generator_id == Some(token.generator_id)
}

/// The address list of a key binds whoever uses the key, and whatever is done with a token of the key.
fn address_is_admitted(origin: &Origin, permission: Permission, context: &AccessContext<'_>) -> bool {
    let by_token = origin.key_token.is_some();
    let bound = by_token || (permission.uses_key() && !context.addresses_bind_tokens_only);
    !bound || context.key.is_none_or(|key| key.addresses.admits(origin.address))
}
