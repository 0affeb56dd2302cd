//! Lines of the log about who was given or lost which right: one for every change that was committed.
//!
//! In: what was changed, and by whom. Out: lines of the target `claviger::access`. Called by the use cases after their commit.
//! Nothing that was handed over is repeated unquoted: ids of subjects are free text.

use super::ports::{BindingScope, CredentialRecord, CredentialSecret, Folder, Principal};
use super::request::RequestContext;
use crate::domain::access::{Binding, BindingSet, SubjectKind};
use std::collections::HashSet;
use std::fmt;

/// The most bindings that a line names; it counts all.
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
