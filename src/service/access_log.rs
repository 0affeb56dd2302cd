//! Lines of the log about who was given or lost which right: one for every change that was committed.
//!
//! In: what was changed, and by whom. Out: lines of the target `claviger::access`. Called by the use cases after their commit.
//! Nothing that was handed over is repeated unquoted: ids of subjects are free text.

use super::ports::{BindingScope, CredentialRecord, CredentialSecret, Folder, Principal};
use super::request::RequestContext;
use crate::domain::access::{Binding, BindingSet, SubjectKind};
use crate::domain::address::AddressList;
use crate::domain::id::{GeneratorId, KeyId};
use crate::domain::key_token::TokenGenerator;
use std::collections::HashSet;
use std::fmt;
use std::net::Ipv4Addr;

/// The most bindings or addresses that a line names; it counts all.
const NAMED: usize = 50;

/// Bindings were set or changed.
pub fn bindings_changed(ctx: &RequestContext, scope: BindingScope, before: &BindingSet, after: &BindingSet) {
    let (added, removed) = (missing_in(before, after), missing_in(after, before));
    let named_added = &added[..added.len().min(NAMED)];
    let named_removed = &removed[..removed.len().min(NAMED - named_added.len())];
    tracing::info!(
        target: "claviger::access",
        by = %ctx.caller.principal_id,
        resource = %Resource(scope),
        added_count = added.len(),
        removed_count = removed.len(),
        added = %Named(named_added),
        removed = %Named(named_removed),
        "access bindings changed"
    );
}

/// A folder was made.
pub fn folder_created(ctx: &RequestContext, folder: &Folder) {
    tracing::info!(
        target: "claviger::access",
        by = %ctx.caller.principal_id,
        folder = %folder.id,
        account = %folder.account_id,
        "folder created"
    );
}

/// A principal was made.
pub fn principal_created(ctx: &RequestContext, principal: &Principal) {
    tracing::info!(
        target: "claviger::access",
        by = %ctx.caller.principal_id,
        principal = %principal.id,
        folder = %principal.folder_id,
        kind = SubjectKind::from(principal.kind).name(),
        "principal created"
    );
}

/// A principal was deleted, and its credentials with it.
pub fn principal_deleted(ctx: &RequestContext, principal: &Principal) {
    tracing::info!(
        target: "claviger::access",
        by = %ctx.caller.principal_id,
        principal = %principal.id,
        folder = %principal.folder_id,
        kind = SubjectKind::from(principal.kind).name(),
        "principal deleted"
    );
}

/// A credential was issued.
pub fn credential_issued(ctx: &RequestContext, record: &CredentialRecord) {
    tracing::info!(
        target: "claviger::access",
        by = %ctx.caller.principal_id,
        principal = %record.principal_id,
        folder = %record.folder_id,
        credential = %record.id,
        kind = kind(&record.secret),
        expires_at_unix_s = record.expires_at.map(|at| at.as_micros().div_euclid(1_000_000)),
        "credential issued"
    );
}

/// A credential was revoked.
pub fn credential_revoked(ctx: &RequestContext, record: &CredentialRecord) {
    tracing::info!(
        target: "claviger::access",
        by = %ctx.caller.principal_id,
        principal = %record.principal_id,
        folder = %record.folder_id,
        credential = %record.id,
        kind = kind(&record.secret),
        "credential revoked"
    );
}

/// The list of addresses of a key was changed, or switched.
pub fn addresses_changed(ctx: &RequestContext, key_id: KeyId, before: &AddressList, after: &AddressList) {
    let (added, removed): (Vec<_>, Vec<_>) = (before.missing(after).collect(), after.missing(before).collect());
    let named =
        |addresses: &[Ipv4Addr]| addresses.iter().take(NAMED).map(Ipv4Addr::to_string).collect::<Vec<_>>().join(", ");
    tracing::info!(
        target: "claviger::access",
        by = %ctx.caller.principal_id,
        resource = %Resource(BindingScope::Key(key_id)),
        enabled = after.is_enabled(),
        added_count = added.len(),
        removed_count = removed.len(),
        added = %named(&added),
        removed = %named(&removed),
        "address list changed"
    );
}

/// The generator of a key's tokens was made, replaced or deleted.
pub fn token_generator_changed(
    ctx: &RequestContext,
    key_id: KeyId,
    before: Option<TokenGenerator>,
    after: TokenGenerator,
) {
    let id = |generator: TokenGenerator| generator.id.to_string();
    tracing::info!(
        target: "claviger::access",
        by = %ctx.caller.principal_id,
        resource = %Resource(BindingScope::Key(key_id)),
        ended = before.map(id),
        generator = after.is_active().then(|| id(after)),
        "token generator changed"
    );
}

/// Tokens of a key were issued, with a credential or, where they were renewed, with a token that was issued with it.
pub fn key_tokens_issued(ctx: &RequestContext, key_id: KeyId, generator_id: GeneratorId, count: usize) {
    tracing::info!(
        target: "claviger::access",
        by = %ctx.caller.principal_id,
        resource = %Resource(BindingScope::Key(key_id)),
        generator = %generator_id,
        credential = %ctx.caller.credential_id,
        renewed = ctx.origin.key_token.is_some(),
        count,
        "key tokens issued"
    );
}

const fn kind(secret: &CredentialSecret) -> &'static str {
    match secret {
        CredentialSecret::TokenSha256(_) => "apiToken",
        CredentialSecret::AccessKey { .. } => "accessKey",
        CredentialSecret::CertificateSha256(_) => "certificate",
        CredentialSecret::PublicKey(_) => "publicKey",
    }
}

/// What `after` has and `before` has not, in its order.
fn missing_in<'a>(before: &BindingSet, after: &'a BindingSet) -> Vec<&'a Binding> {
    let held: HashSet<&Binding> = before.as_slice().iter().collect();
    after.as_slice().iter().filter(|binding| !held.contains(binding)).collect()
}

struct Resource(BindingScope);

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            BindingScope::Service => f.write_str("service"),
            BindingScope::Folder(id) => write!(f, "folder {id}"),
            BindingScope::Key(id) => write!(f, "key {id}"),
        }
    }
}

/// `role kind:subject`, comma-separated.
struct Named<'a>(&'a [&'a Binding]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Binding { role, subject }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}:", role.name(), subject.kind.name())?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
            if subject.id().bytes().all(plain) {
                f.write_str(subject.id())?;
            } else {
                // Otherwise an id could pass for further bindings, or for further lines.
                write!(f, "{:?}", subject.id())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{Role, Subject};

    fn binding(role: Role, id: &str) -> Binding {
        Binding { role, subject: Subject::new(SubjectKind::ServiceAccount, id.into()).unwrap() }
    }

    fn set(bindings: &[Binding]) -> BindingSet {
        BindingSet::new(bindings.iter().cloned()).unwrap()
    }

    #[test]
    fn the_difference_names_what_came_and_what_went() {
        let (a, b, c) = (binding(Role::Admin, "a"), binding(Role::Viewer, "a"), binding(Role::Viewer, "c"));
        let (before, after) = (set(&[a.clone(), b.clone()]), set(&[c.clone(), b]));
        assert_eq!(missing_in(&before, &after), [&c]);
        assert_eq!(missing_in(&after, &before), [&a]);
        assert_eq!(missing_in(&before, &before), Vec::<&Binding>::new());
    }

    #[test]
    fn an_id_cannot_pass_for_another_binding_or_line() {
        let (good, bad) = (binding(Role::Admin, "a-1"), binding(Role::Viewer, "x, kms.admin y:z\n"));
        let text = Named(&[&good, &bad]).to_string();
        assert_eq!(text, r#"kms.admin serviceAccount:a-1, kms.viewer serviceAccount:"x, kms.admin y:z\n""#);
    }
}
