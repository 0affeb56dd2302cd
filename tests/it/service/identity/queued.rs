//! Requests that were decided and then waited while their caller lost what they were decided by. The store holds the
//! loss back, after it has the turn, until the requests wait for that: nothing is left to chance.

use super::{Office, SECOND, binding, is_denied, is_missing};
use crate::service::in_own_process;
use claviger::domain::access::{BindingDelta, BindingSet, Role};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::id::{CredentialId, KeyId};
use claviger::domain::operation::OperationKind;
use claviger::service::error::{Missing, ServiceError};
use claviger::service::identity::{CreatePrincipal, IssueCredential, NewCredential};
use claviger::service::ports::{BindingScope, CredentialRecord, Folder, Principal, Stored};
use claviger::service::request::{KeyPatch, OnDemandRules, RequestContext};
use futures_util::future::join_all;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// A request on its way.
type Asked<'a> = Pin<Box<dyn Future<Output = Result<(), ServiceError>> + 'a>>;

const UNKNOWN: CredentialId = CredentialId::from_bytes([9; 16]);

/// Goes on with a request until it is answered, or waits for something else than the store.
async fn until_it_waits(office: &Office, asked: &mut Asked<'_>) -> Option<Result<(), ServiceError>> {
    loop {
        let polled = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx))).await;
        match polled {
            Poll::Ready(answer) => return Some(answer),
            Poll::Pending if !office.service.store.is_busy() => return None,
            Poll::Pending => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Answers of requests that were decided before `loss` was stored, and had their turn after it.
async fn behind<'a>(office: &Office, loss: Asked<'a>, asked: Vec<Asked<'a>>) -> Vec<Result<(), ServiceError>> {
    behind_and(office, loss, asked, || ()).await
}

/// The same, and something happens while they wait.
async fn behind_and<'a>(
    office: &Office,
    mut loss: Asked<'a>,
    mut asked: Vec<Asked<'a>>,
    meanwhile: impl FnOnce(),
) -> Vec<Result<(), ServiceError>> {
    let held = office.service.store.hold_commits();
    assert!(until_it_waits(office, &mut loss).await.is_none(), "it waits for the store");
    for request in &mut asked {
        let early = until_it_waits(office, request).await;
        assert!(early.is_none(), "it was decided, and waits for its turn: {early:?}");
    }
    meanwhile();
    drop(held);
    loss.await.unwrap();
    join_all(asked).await
}

/// Everything that changes are made of.
struct Place {
    office: Office,
    key_id: KeyId,
    /// Somebody to be managed, with a credential.
    account: Principal,
    credential_id: CredentialId,
}

/// What must stay as it is.
#[derive(Debug, PartialEq)]
struct State {
    bindings: Vec<Stored<BindingSet>>,
    principals: Vec<Principal>,
    credentials: Vec<CredentialRecord>,
    folders: Vec<Folder>,
}

impl Place {
    async fn start(core: crate::service::core::Core) -> Self {
        let office = Office::start(core).await;
        let key_id = office.service.create(Algorithm::Aes128, None).await;
        let account = office.account().await;
        let (credential_id, _) = office.issue(&account, NewCredential::ApiToken).await;
        Self { office, key_id, account, credential_id }
    }

    /// From the service downwards.
    fn scopes(&self) -> [BindingScope; 3] {
        [BindingScope::Service, BindingScope::Folder(self.office.home()), BindingScope::Key(self.key_id)]
    }

    /// An administrator, who belongs to another folder.
    async fn administrator(&self, scope: BindingScope) -> (Principal, RequestContext) {
        let folder = self.office.folder("another").await;
        let caller = self.office.with_role(folder, scope, Role::Admin).await;
        let me = self.office.kms().principal(self.office.root(), caller.caller.principal_id).await.unwrap();
        self.remember(&caller, scope).await;
        (me, caller)
    }

    /// Brings into memory what changes by this caller are decided by, so that they wait for their turn and for nothing
    /// before it: its credential under its id, and then the roles from a scope downwards.
    async fn remember(&self, ctx: &RequestContext, scope: BindingScope) {
        let kms = self.office.kms();
        kms.update_access_bindings(ctx, BindingScope::Key(self.key_id), Vec::new()).await.unwrap();
        let scopes = self.scopes();
        for scope in scopes.into_iter().skip_while(|it| *it != scope) {
            kms.access_bindings(ctx, scope).await.unwrap();
        }
    }

    fn unbind<'a>(&'a self, scope: BindingScope, from: &Principal) -> Asked<'a> {
        let deltas = vec![BindingDelta::Remove(binding(Role::Admin, from))];
        Box::pin(
            async move { self.office.kms().update_access_bindings(self.office.root(), scope, deltas).await.map(drop) },
        )
    }

    /// Both ways for somebody to bind itself.
    async fn bindings_of_itself<'a>(
        &'a self,
        ctx: &'a RequestContext,
        scope: BindingScope,
        me: &Principal,
    ) -> [Asked<'a>; 2] {
        let kms = self.office.kms();
        let add = vec![BindingDelta::Add(binding(Role::Admin, me))];
        let there = kms.access_bindings(self.office.root(), scope).await.unwrap().value;
        let set = there.changed(add.clone()).unwrap();
        [
            Box::pin(async move { kms.update_access_bindings(ctx, scope, add).await.map(drop) }),
            Box::pin(async move { kms.set_access_bindings(ctx, scope, set).await.map(drop) }),
        ]
    }

    /// Every other change of who may do what.
    fn changes<'a>(&'a self, ctx: &'a RequestContext) -> [Asked<'a>; 5] {
        let (kms, id, folder_id) = (self.office.kms(), self.account.id, self.office.home());
        let issue =
            IssueCredential { principal_id: id, name: "mine".into(), expires_at: None, kind: NewCredential::ApiToken };
        let create = CreatePrincipal { folder_id, kind: self.account.kind, name: "mine".into() };
        [
            Box::pin(async move { kms.issue_credential(ctx, issue).await.map(drop) }),
            Box::pin(async move { kms.revoke_credential(ctx, self.credential_id).await.map(drop) }),
            Box::pin(async move { kms.delete_principal(ctx, id).await.map(drop) }),
            Box::pin(async move { kms.create_principal(ctx, create).await.map(drop) }),
            Box::pin(async move { kms.create_folder(ctx, "mine".into()).await.map(drop) }),
        ]
    }

    async fn state(&self) -> State {
        let (kms, root) = (self.office.kms(), self.office.root());
        let mut bindings = Vec::new();
        for scope in self.scopes() {
            bindings.push(kms.access_bindings(root, scope).await.unwrap());
        }
        let credentials = kms.credentials(root, self.account.id, None, 100).await.unwrap().items;
        State {
            bindings,
            principals: kms.principals(root, self.office.home(), None, 100).await.unwrap().items,
            credentials: credentials.into_iter().map(|it| it.record).collect(),
            folders: kms.folders(root, None, 100).await.unwrap().items,
        }
    }
}

/// Roles come from above as well: whoever loses the service's must not keep a key's by being quick.
#[test]
fn who_lost_its_role_does_not_put_itself_back_with_a_request_that_waited() {
    let name = "who_lost_its_role_does_not_put_itself_back_with_a_request_that_waited";
    in_own_process(module_path!(), name, async |core| {
        let place = Place::start(core).await;
        for (level, from) in place.scopes().into_iter().enumerate() {
            for at in place.scopes().into_iter().skip(level) {
                let (me, caller) = place.administrator(from).await;
                let asked = place.bindings_of_itself(&caller, at, &me).await;
                let answers = behind(&place.office, place.unbind(from, &me), asked.into()).await;
                for answer in answers {
                    let refused = matches!(answer, Err(ServiceError::Denied | ServiceError::NotFound { .. }));
                    assert!(refused, "{from:?} {at:?}: {answer:?}");
                }
                for scope in place.scopes() {
                    let kept = place.office.kms().access_bindings(place.office.root(), scope).await.unwrap().value;
                    assert!(!kept.as_slice().contains(&binding(Role::Admin, &me)), "{from:?} {at:?}: {scope:?}");
                    assert!(place.office.kms().access_bindings(&caller, scope).await.is_err());
                }
            }
        }
    });
}

#[test]
fn who_lost_its_role_changes_nothing_with_requests_that_waited() {
    in_own_process(module_path!(), "who_lost_its_role_changes_nothing_with_requests_that_waited", async |core| {
        let place = Place::start(core).await;
        let before = place.state().await.principals;
        let (me, caller) = place.administrator(BindingScope::Service).await;
        let folders = place.state().await.folders;
        let loss = place.unbind(BindingScope::Service, &me);
        for answer in behind(&place.office, loss, place.changes(&caller).into()).await {
            let refused = matches!(answer, Err(ServiceError::Denied | ServiceError::NotFound { .. }));
            assert!(refused, "{answer:?}");
        }
        let after = place.state().await;
        assert_eq!((after.principals, after.folders), (before, folders));
        assert!(after.credentials.len() == 1 && after.credentials[0].revoked_at.is_none());
    });
}

/// A binding that names who was deleted stays, so that its roles alone would let the requests through.
#[test]
fn who_was_deleted_or_lost_its_credential_changes_nothing_with_requests_that_waited() {
    let name = "who_was_deleted_or_lost_its_credential_changes_nothing_with_requests_that_waited";
    in_own_process(module_path!(), name, async |core| {
        let place = Place::start(core).await;
        let (kms, root) = (place.office.kms(), place.office.root());
        for deleted in [true, false] {
            let (me, caller) = place.administrator(BindingScope::Service).await;
            let mut asked: Vec<Asked<'_>> = place.changes(&caller).into();
            for scope in place.scopes() {
                asked.extend(place.bindings_of_itself(&caller, scope, &me).await);
            }
            let before = place.state().await;
            let credential_id = caller.caller.credential_id;
            let loss: Asked<'_> = match deleted {
                true => Box::pin(async move { kms.delete_principal(root, me.id).await.map(drop) }),
                false => Box::pin(async move { kms.revoke_credential(root, credential_id).await.map(drop) }),
            };
            for answer in behind(&place.office, loss, asked).await {
                assert!(matches!(answer, Err(ServiceError::Unauthenticated)), "deleted: {deleted}: {answer:?}");
            }
            let mut after = place.state().await;
            if deleted {
                // The deletion itself wrote the service's set anew.
                after.bindings[0].row_seq = before.bindings[0].row_seq;
            }
            assert_eq!(after, before);
        }
    });
}

#[test]
fn a_caller_whose_credential_ended_while_it_waited_is_refused() {
    in_own_process(module_path!(), "a_caller_whose_credential_ended_while_it_waited_is_refused", async |core| {
        let place = Place::start(core).await;
        let (me, _) = place.administrator(BindingScope::Service).await;
        let (kms, end) = (place.office.kms(), place.office.kms().now().plus(SECOND));
        let token = kms.issue_token(&me, "short", Some(end)).await.unwrap();
        let caller = place.office.with_credential(&me, token.credential_id);
        place.remember(&caller, BindingScope::Service).await;
        let before = place.state().await.credentials;
        let meanwhile: Asked<'_> = Box::pin(async {
            let made = kms.create_folder(place.office.root(), "another".into()).await;
            made.map(drop)
        });
        let clock = &place.office.service.clock;
        let answers =
            behind_and(&place.office, meanwhile, place.changes(&caller).into(), || clock.advance(SECOND)).await;
        for answer in answers {
            assert!(matches!(answer, Err(ServiceError::Unauthenticated)), "{answer:?}");
        }
        assert_eq!(place.state().await.credentials, before);
    });
}

/// Changes of a key do not wait for a turn, but for the key, which the loss of a role on it has.
#[test]
fn who_lost_its_role_on_a_key_changes_nothing_of_it_with_requests_that_waited() {
    let name = "who_lost_its_role_on_a_key_changes_nothing_of_it_with_requests_that_waited";
    in_own_process(module_path!(), name, async |core| {
        let place = Place::start(core).await;
        let (kms, root, id) = (place.office.kms(), place.office.root(), place.key_id);
        let version_id = kms.key(root, id).await.unwrap().key.primary_version;
        kms.rotate_key(root, id, OnDemandRules::default()).await.unwrap();
        let (me, caller) = place.administrator(BindingScope::Key(id)).await;
        let before = kms.key(&caller, id).await.unwrap();
        let ctx = &caller;
        let asked: Vec<Asked<'_>> = vec![
            Box::pin(async move { kms.update_key(ctx, id, KeyPatch::default()).await.map(drop) }),
            Box::pin(async move { kms.rotate_key(ctx, id, OnDemandRules::default()).await.map(drop) }),
            Box::pin(async move { kms.set_primary_version(ctx, id, version_id).await.map(drop) }),
            Box::pin(async move { kms.schedule_version_destruction(ctx, id, version_id, None).await.map(drop) }),
            Box::pin(async move { kms.cancel_version_destruction(ctx, id, version_id).await.map(drop) }),
            Box::pin(async move { kms.delete_key(ctx, id, None).await.map(drop) }),
            Box::pin(async move { kms.restore_key(ctx, id, None).await.map(drop) }),
        ];
        for answer in behind(&place.office, place.unbind(BindingScope::Key(id), &me), asked).await {
            assert!(is_missing(&answer, Missing::Key), "{answer:?}");
        }
        assert_eq!(kms.key(root, id).await.unwrap(), before);
        assert_eq!(kms.versions(root, id, None, 10).await.unwrap().items.len(), 2);
    });
}

/// They wait for the key, which another change of it has.
#[test]
fn a_caller_whose_credential_ended_while_it_waited_for_a_key_changes_nothing_of_it() {
    let name = "a_caller_whose_credential_ended_while_it_waited_for_a_key_changes_nothing_of_it";
    in_own_process(module_path!(), name, async |core| {
        let place = Place::start(core).await;
        let (kms, root, id) = (place.office.kms(), place.office.root(), place.key_id);
        let (me, _) = place.administrator(BindingScope::Service).await;
        let token = kms.issue_token(&me, "short", Some(kms.now().plus(SECOND))).await.unwrap();
        let caller = place.office.with_credential(&me, token.credential_id);
        place.remember(&caller, BindingScope::Service).await;
        let ctx = &caller;
        let version_id = kms.key(ctx, id).await.unwrap().key.primary_version;
        let asked: Vec<Asked<'_>> = vec![
            Box::pin(async move { kms.update_key(ctx, id, KeyPatch::default()).await.map(drop) }),
            Box::pin(async move { kms.set_primary_version(ctx, id, version_id).await.map(drop) }),
            Box::pin(async move { kms.delete_key(ctx, id, None).await.map(drop) }),
        ];
        let other: Asked<'_> = Box::pin(async { kms.update_key(root, id, KeyPatch::default()).await.map(drop) });
        let clock = &place.office.service.clock;
        for answer in behind_and(&place.office, other, asked, || clock.advance(SECOND)).await {
            assert!(matches!(answer, Err(ServiceError::Unauthenticated)), "{answer:?}");
        }
        let made = kms.key_operations(root, id, None, 10).await.unwrap().items;
        let updates = made.iter().filter(|it| it.kind == OperationKind::UpdateKey).count();
        let deletions = made.iter().filter(|it| it.kind == OperationKind::DeleteKey).count();
        assert_eq!((updates, deletions), (1, 0), "{made:?}");
    });
}

#[test]
fn changes_of_a_key_look_a_credential_up_once() {
    in_own_process(module_path!(), "changes_of_a_key_look_a_credential_up_once", async |core| {
        let place = Place::start(core).await;
        let (kms, root) = (place.office.kms(), place.office.root());
        let looked_up = || place.office.service.store.take_reads().into_iter().filter(|it| *it == "credential").count();
        for first in [true, false] {
            looked_up();
            kms.update_key(root, place.key_id, KeyPatch::default()).await.unwrap();
            assert!(looked_up() <= usize::from(first));
        }
    });
}

#[test]
fn who_may_not_revoke_a_credential_is_answered_without_a_turn() {
    in_own_process(module_path!(), "who_may_not_revoke_a_credential_is_answered_without_a_turn", async |core| {
        let place = Place::start(core).await;
        let (kms, root, credential_id) = (place.office.kms(), place.office.root(), place.credential_id);
        let stranger = place.office.as_caller(&place.office.account().await).await;
        let owner = place.office.with_credential(&place.account, credential_id);
        for ctx in [&stranger, &owner, root] {
            // What it is decided by comes into memory.
            drop(kms.credential(ctx, credential_id).await);
            drop(kms.folder(ctx, place.office.home()).await);
        }
        let mut other: Asked<'_> = Box::pin(async { kms.create_folder(root, "slow".into()).await.map(drop) });
        let held = place.office.service.store.hold_commits();
        assert!(until_it_waits(&place.office, &mut other).await.is_none(), "it has the turn");
        let revoke = |ctx, id| -> Asked<'_> { Box::pin(async move { kms.revoke_credential(ctx, id).await.map(drop) }) };
        for (ctx, id) in [(&stranger, UNKNOWN), (&stranger, credential_id), (root, UNKNOWN)] {
            let answer = until_it_waits(&place.office, &mut revoke(ctx, id)).await;
            assert!(answer.is_some_and(|answer| is_missing(&answer, Missing::Credential)));
        }
        let answer = until_it_waits(&place.office, &mut revoke(&owner, credential_id)).await;
        assert!(answer.is_some_and(|answer| is_denied(&answer)));
        let mut allowed = revoke(root, credential_id);
        assert!(until_it_waits(&place.office, &mut allowed).await.is_none(), "this one has to wait");
        drop(held);
        other.await.unwrap();
        allowed.await.unwrap();
    });
}
