//! The one thread that writes.
//!
//! It takes what is queued, makes one SQLite transaction of it with a savepoint for each member, and answers all of
//! them after the durable commit: the cost of an fsync is shared.

use super::edit::Edit;
use super::seal::Hash;
use super::sql::{Sql, Value};
use super::sqlite::Sqlite;
use super::table::TOKEN_BINDING;
use super::tree::Tree;
use super::view::{Shared, View};
use super::{changes, rows};
use crate::domain::id::{CredentialId, MaterialId};
use crate::domain::time::Timestamp;
use crate::service::ports::{Change, Heartbeat, InvocationLease, StoreError};
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// The most members of one transaction.
const MAX_GROUP: usize = 64;

/// What can be asked of the writer.
pub(super) enum Job {
    /// Apply changes.
    Commit(Vec<Change>),
    /// Lease invocations.
    Lease(MaterialId, u64),
    /// Record a heartbeat.
    Beat(Heartbeat),
    /// Forget requests.
    Forget(Timestamp),
    /// Write down when credentials were last used.
    Uses(Vec<(CredentialId, Timestamp)>),
    /// Seal the token binding, given as JSON. `first`: there is no state tree yet.
    Bind {
        /// The record; `None` if there is none.
        binding: Option<String>,
        /// Whether the tree is begun by this.
        first: bool,
    },
    /// Empty the WAL. Not part of a transaction.
    Erase,
}

/// What comes back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Done {
    /// Nothing but that it was done.
    Plain,
    /// A lease.
    Lease(InvocationLease),
}

/// A job and where its answer goes.
pub(super) struct Request {
    pub(super) job: Job,
    pub(super) reply: oneshot::Sender<Result<Done, StoreError>>,
}

/// What a group's transaction came to.
enum Group {
    /// Durable; the answers of the members, in their order.
    Done(Vec<Result<Done, StoreError>>),
    /// Not begun: nothing was changed.
    NotBegun(StoreError),
    /// Ended before its commit: nothing was changed.
    Lost(StoreError),
}

/// The writing connection and the tree.
pub(super) struct Writer {
    sql: Sqlite,
    shared: Arc<Shared>,
    tree: Tree,
}

impl Writer {
    /// A writer for the state that was read with `sql`.
    pub(super) const fn new(sql: Sqlite, shared: Arc<Shared>, tree: Tree) -> Self {
        Self { sql, shared, tree }
    }

    /// Works until the last sender is gone.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut requests = vec![first];
            while requests.len() < MAX_GROUP {
                let Ok(next) = queue.try_recv() else { break };
                requests.push(next);
            }
            let (erasures, members): (Vec<_>, Vec<_>) =
                requests.into_iter().partition(|request| matches!(request.job, Job::Erase));
            self.answer(members);
            if !erasures.is_empty() {
                let result = self.sql.empty_wal().map(|()| Done::Plain);
                erasures.into_iter().for_each(|request| send(request, result.clone()));
            }
        }
    }

    fn answer(&mut self, members: Vec<Request>) {
        let jobs: Vec<&Job> = members.iter().map(|request| &request.job).collect();
        let results = self.perform(&jobs);
        for (request, result) in members.into_iter().zip(results) {
            self.shared.count(&result);
            send(request, result);
        }
    }

    /// Does jobs in one transaction; if that is lost to one of them, each in its own.
    pub(super) fn perform(&mut self, jobs: &[&Job]) -> Vec<Result<Done, StoreError>> {
        if jobs.is_empty() {
            return Vec::new();
        }
        match self.group(jobs) {
            Group::Done(results) => results,
            Group::Lost(_) if jobs.len() > 1 => jobs.iter().flat_map(|job| self.perform(&[job])).collect(),
            Group::NotBegun(error) | Group::Lost(error) => jobs.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    fn group(&mut self, jobs: &[&Job]) -> Group {
        if let Err(error) = self.sql.execute("BEGIN IMMEDIATE", &[]) {
            return Group::NotBegun(error);
        }
        let outcome = transact(&self.sql, &self.shared, &mut self.tree, jobs);
        if outcome.is_err() && self.sql.in_transaction() {
            // If even this fails SQLite has rolled back itself, or the next BEGIN reports it.
            let _ = self.sql.execute("ROLLBACK", &[]);
        }
        outcome.map_or_else(Group::Lost, Group::Done)
    }
}

fn send(request: Request, result: Result<Done, StoreError>) {
    // A caller that no longer waits does not need the answer.
    let _ = request.reply.send(result);
}

/// Does the members, then moves the tree and commits. On an error the tree is as it was.
fn transact(
    sql: &Sqlite,
    shared: &Shared,
    tree: &mut Tree,
    jobs: &[&Job],
) -> Result<Vec<Result<Done, StoreError>>, StoreError> {
    let mut edit = Edit::new(View::new(sql, shared));
    let results = jobs.iter().map(|job| member(&mut edit, tree, job)).collect::<Result<Vec<_>, _>>()?;
    let before = tree.state_seq;
    let leaves = new_leaves(&edit);
    let old: Vec<(u16, Hash)> = leaves.iter().map(|(bucket, leaf)| (*bucket, tree.set(*bucket, *leaf))).collect();
    let committed = save_tree(sql, shared, tree, &leaves).and_then(|()| commit(sql, shared, &leaves));
    if let Err(error) = committed {
        for (bucket, leaf) in old {
            tree.set(bucket, leaf);
        }
        tree.state_seq = before;
        return Err(error);
    }
    Ok(results)
}

/// One member inside of its savepoint. The outer error means that the whole transaction is gone.
fn member(edit: &mut Edit<'_>, tree: &Tree, job: &Job) -> Result<Result<Done, StoreError>, StoreError> {
    let sql = edit.view.sql;
    sql.execute("SAVEPOINT member", &[])?;
    let result = act(edit, tree, job);
    if let Err(error) = &result {
        edit.take_back();
        if !sql.in_transaction() {
            return Err(error.clone());
        }
        sql.execute("ROLLBACK TO member", &[])?;
    }
    sql.execute("RELEASE member", &[])?;
    edit.keep();
    Ok(result)
}

fn act(edit: &mut Edit<'_>, tree: &Tree, job: &Job) -> Result<Done, StoreError> {
    match job {
        Job::Commit(changes) => changes::apply(edit, changes).map(|()| Done::Plain),
        Job::Lease(material, count) => changes::lease(edit, *material, *count).map(Done::Lease),
        Job::Beat(beat) => edit.put(&super::table::HEARTBEAT, rows::heartbeat_row(beat)).map(|()| Done::Plain),
        Job::Forget(now) => changes::forget(edit, *now).map(|()| Done::Plain),
        Job::Uses(uses) => changes::record_uses(edit, uses).map(|()| Done::Plain),
        Job::Bind { binding, first } => bind(edit, tree, binding.as_deref(), *first).map(|()| Done::Plain),
        Job::Erase => Err(StoreError::Bug("the WAL cannot be emptied inside of a transaction".to_owned())),
    }
}

fn bind(edit: &mut Edit<'_>, tree: &Tree, binding: Option<&str>, first: bool) -> Result<(), StoreError> {
    if first {
        tree.save_first_root(edit.view.sql, &edit.view.shared.keys)?;
        edit.view.sql.execute("DELETE FROM token_binding", &[])?;
    }
    match binding {
        Some(json) => edit.put(&TOKEN_BINDING, vec![Value::Int(1), Value::from(json)]),
        None => Ok(()),
    }
}

fn new_leaves(edit: &Edit<'_>) -> Vec<(u16, Hash)> {
    let buckets = edit.view.buckets.borrow();
    let changed = edit.dirty.iter().filter_map(|bucket| buckets.get(bucket).map(|heads| (*bucket, heads)));
    changed.map(|(bucket, heads)| (bucket, edit.view.shared.keys.leaf(bucket, heads))).collect()
}

fn save_tree(sql: &dyn Sql, shared: &Shared, tree: &mut Tree, leaves: &[(u16, Hash)]) -> Result<(), StoreError> {
    if leaves.is_empty() {
        return Ok(());
    }
    let before = tree.state_seq;
    tree.state_seq += 1;
    let groups: BTreeSet<u16> = leaves.iter().map(|(bucket, _)| bucket / 16).collect();
    groups.into_iter().try_for_each(|group| tree.save_group(sql, group))?;
    tree.save_root(sql, &shared.keys, before)
}

/// Makes the transaction durable and the leaves known, so that nobody who holds the gate sees one without the other.
fn commit(sql: &dyn Sql, shared: &Shared, leaves: &[(u16, Hash)]) -> Result<(), StoreError> {
    let _gate = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
    sql.execute("COMMIT", &[])?;
    shared.publish(leaves);
    Ok(())
}
