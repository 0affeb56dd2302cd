//! Writing sealed rows: the row, its head, and which buckets of the state tree changed.

use super::seal::{Bucket, Head, HeadId, bucket_of, head_id};
use super::sql::{Row, Value, int};
use super::table::{Table, printable};
use super::view::{Checked, View};
use crate::service::ports::StoreError;
use std::collections::BTreeSet;

/// A transaction that changes rows. Its members can be taken back one by one.
pub(super) struct Edit<'a> {
    /// What it sees, its own changes included.
    pub(super) view: View<'a>,
    /// Buckets whose leaf has to be computed anew.
    pub(super) dirty: BTreeSet<u16>,
    /// Heads as they were before the current member changed them, in the order of the changes.
    undo: Vec<(HeadId, Option<Head>)>,
}

impl<'a> Edit<'a> {
    /// A transaction that has changed nothing yet.
    pub(super) const fn new(view: View<'a>) -> Self {
        Self { view, dirty: BTreeSet::new(), undo: Vec::new() }
    }

    /// The current row of this id, if it is still at `row_seq`.
    pub(super) fn current(&self, table: &Table, primary_key: &Value, row_seq: u64) -> Result<Checked, StoreError> {
        let found = self.view.find(table, primary_key)?;
        found.filter(|row| row.row_seq == row_seq).ok_or(StoreError::Conflict)
    }

    /// Adds a row.
    pub(super) fn insert(&mut self, table: &Table, columns: Row) -> Result<(), StoreError> {
        if self.view.find(table, primary_key(&columns))?.is_some() {
            return Err(StoreError::Conflict);
        }
        let (params, head) = self.sealed(table, 1, columns);
        self.view.sql.execute(&table.insert, &params)?;
        self.set_head(table, &params[0], head)
    }

    /// Replaces the row that was read at `row_seq`.
    pub(super) fn update(&mut self, table: &Table, row_seq: u64, columns: Row) -> Result<(), StoreError> {
        self.current(table, primary_key(&columns), row_seq)?;
        let (mut params, head) = self.sealed(table, row_seq + 1, columns);
        params.push(int(row_seq));
        if self.view.sql.execute(&table.update, &params)? != 1 {
            return Err(StoreError::Conflict);
        }
        self.set_head(table, &params[0], head)
    }

    /// Adds or replaces a row, whatever its sequence.
    pub(super) fn put(&mut self, table: &Table, columns: Row) -> Result<(), StoreError> {
        match self.view.find(table, primary_key(&columns))? {
            None => self.insert(table, columns),
            Some(current) => self.update(table, current.row_seq, columns),
        }
    }

    fn sealed(&self, table: &Table, row_seq: u64, columns: Row) -> (Row, Head) {
        let row_mac = self.view.shared.keys.row_mac(table, row_seq, &columns);
        let mut params = columns;
        params.extend([int(row_seq), Value::from(&row_mac)]);
        (params, Head { row_seq, row_mac: row_mac.to_vec() })
    }

    fn set_head(&mut self, table: &Table, primary_key: &Value, head: Head) -> Result<(), StoreError> {
        let id = head_id(table.name, primary_key);
        let statement = "INSERT INTO row_heads (id, row_seq, row_mac) VALUES (?1, ?2, ?3)
            ON CONFLICT (id) DO UPDATE SET row_seq = excluded.row_seq, row_mac = excluded.row_mac";
        let params = [Value::from(&id), int(head.row_seq), Value::Blob(head.row_mac.clone())];
        self.view.sql.execute(statement, &params)?;
        let old = self.bucket(id, |heads| heads.insert(id, head)).ok_or_else(|| {
            StoreError::Bug(format!("{} {} was changed without a look at it", table.name, printable(primary_key)))
        })?;
        self.undo.push((id, old));
        self.dirty.insert(bucket_of(id));
        Ok(())
    }

    /// Changes a bucket that was read before.
    fn bucket<T>(&self, id: HeadId, change: impl FnOnce(&mut Bucket) -> T) -> Option<T> {
        self.view.buckets.borrow_mut().get_mut(&bucket_of(id)).map(change)
    }

    /// Forgets how to take the changes so far back.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Takes the changes since the last [`keep`](Self::keep) back; the database does the same with a savepoint.
    pub(super) fn take_back(&mut self) {
        while let Some((id, old)) = self.undo.pop() {
            self.bucket(id, |heads| match old {
                Some(head) => heads.insert(id, head),
                None => heads.remove(&id),
            });
        }
    }
}

fn primary_key(columns: &Row) -> &Value {
    columns.first().unwrap_or(&Value::Null)
}
