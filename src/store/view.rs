//! Rows that were checked: nothing else can be decoded.
//!
//! A row is handed out if its MAC is right, the head of its id names this sequence and this MAC, and the bucket
//! of that head has the leaf hash that this process holds in memory.

use super::seal::{Bucket, Hash, Head, HeadId, SealKeys, bucket_of, head_id, same};
use super::sql::{Fields, Row, Sql, Value};
use super::table::{Table, printable};
use crate::service::ports::StoreError;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

/// What all threads of a store share.
pub(super) struct Shared {
    /// The keys of the MACs.
    pub(super) keys: SealKeys,
    /// The leaf hashes of the last durable transaction.
    leaves: RwLock<Vec<Hash>>,
    /// Held while a transaction becomes durable and its leaves are published: who holds it sees both or neither.
    pub(super) gate: Mutex<()>,
    /// Rows that were found good.
    pub(super) rows_checked: AtomicU64,
    /// Reads and writes that ended with [`StoreError::Integrity`].
    pub(super) alarms: AtomicU64,
}

impl Shared {
    /// Starts with the leaves that were read and checked.
    pub(super) fn new(keys: SealKeys, leaves: Vec<Hash>) -> Self {
        Self {
            keys,
            leaves: RwLock::new(leaves),
            gate: Mutex::new(()),
            rows_checked: AtomicU64::new(0),
            alarms: AtomicU64::new(0),
        }
    }

    /// Replaces leaves after a commit.
    pub(super) fn publish(&self, changed: &[(u16, Hash)]) {
        let mut leaves = self.leaves.write().unwrap_or_else(PoisonError::into_inner);
        for (bucket, leaf) in changed {
            leaves[usize::from(*bucket)] = *leaf;
        }
    }

    fn leaf(&self, bucket: u16) -> Hash {
        self.leaves.read().unwrap_or_else(PoisonError::into_inner)[usize::from(bucket)]
    }

    /// Counts an error that is an alarm.
    pub(super) fn count<T>(&self, result: &Result<T, StoreError>) {
        if matches!(result, Err(StoreError::Integrity { .. })) {
            self.alarms.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A row that this service wrote, and the last one that it wrote for this id.
pub(super) struct Checked {
    table: &'static str,
    /// Its own columns.
    pub(super) columns: Row,
    /// Its sequence number.
    pub(super) row_seq: u64,
}

impl Checked {
    /// Reads its columns.
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields::new(self.table, &self.columns)
    }
}

/// One transaction's view of the database.
pub(super) struct View<'a> {
    /// The connection, inside of a transaction.
    pub(super) sql: &'a dyn Sql,
    pub(super) shared: &'a Shared,
    /// Buckets that were read and found good, with the changes of this transaction.
    pub(super) buckets: RefCell<BTreeMap<u16, Bucket>>,
}

/// The alarm for a row.
pub(super) fn alarm(table: &Table, primary_key: &Value) -> StoreError {
    StoreError::Integrity { table: table.name, row: printable(primary_key) }
}

impl<'a> View<'a> {
    /// A view with nothing read yet.
    pub(super) const fn new(sql: &'a dyn Sql, shared: &'a Shared) -> Self {
        Self { sql, shared, buckets: RefCell::new(BTreeMap::new()) }
    }

    /// The row with this primary key.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] also if there was one and it is gone.
    pub(super) fn find(&self, table: &Table, primary_key: &Value) -> Result<Option<Checked>, StoreError> {
        let row = self.sql.query_one(&table.select_by_key, std::slice::from_ref(primary_key))?;
        if let Some(row) = row {
            return self.check(table, row).map(Some);
        }
        match self.head(table, primary_key)? {
            None => Ok(None),
            Some(_) => Err(alarm(table, primary_key)),
        }
    }

    /// Checks a row that was read with all its columns.
    pub(super) fn check(&self, table: &Table, mut row: Row) -> Result<Checked, StoreError> {
        let primary_key = row.first().cloned().unwrap_or(Value::Null);
        let (Some(Value::Blob(row_mac)), Some(Value::Int(row_seq))) = (row.pop(), row.pop()) else {
            return Err(alarm(table, &primary_key));
        };
        let row_seq = u64::try_from(row_seq).map_err(|_| alarm(table, &primary_key))?;
        let head = self.head(table, &primary_key)?.ok_or_else(|| alarm(table, &primary_key))?;
        let expected = self.shared.keys.row_mac(table, row_seq, &row);
        if !same(&expected, &row_mac) || head.row_seq != row_seq || !same(&head.row_mac, &row_mac) {
            return Err(alarm(table, &primary_key));
        }
        self.shared.rows_checked.fetch_add(1, Ordering::Relaxed);
        Ok(Checked { table: table.name, columns: row, row_seq })
    }

    /// Does with columns that nobody stored what [`check`](Self::check) does with a row, so that a name that leads nowhere
    /// takes about the time of one that leads to a row. What comes out was checked by nothing: it is for nothing but being
    /// decoded and dropped.
    pub(super) fn as_if_found(&self, table: &Table, columns: Row) -> Checked {
        let primary_key = columns.first().cloned().unwrap_or(Value::Null);
        // No alarm: a damaged bucket says nothing of a row that is not there.
        let head = self.head(table, &primary_key);
        let row_mac = self.shared.keys.row_mac(table, 0, &columns);
        let _ = black_box((head.is_ok(), same(&row_mac, &row_mac)));
        Checked { table: table.name, columns, row_seq: 0 }
    }

    /// Checks rows that were read with all their columns.
    pub(super) fn check_all(&self, table: &Table, rows: Vec<Row>) -> Result<Vec<Checked>, StoreError> {
        rows.into_iter().map(|row| self.check(table, row)).collect()
    }

    fn head(&self, table: &Table, primary_key: &Value) -> Result<Option<Head>, StoreError> {
        let id = head_id(table.name, primary_key);
        let bucket = bucket_of(id);
        let mut buckets = self.buckets.borrow_mut();
        if let Some(heads) = buckets.get(&bucket) {
            return Ok(heads.get(&id).cloned());
        }
        let heads = self.load_bucket(bucket)?.ok_or_else(|| alarm(table, primary_key))?;
        Ok(buckets.entry(bucket).or_insert(heads).get(&id).cloned())
    }

    /// The heads of a bucket; `None` if they are not those whose leaf hash is held in memory.
    fn load_bucket(&self, bucket: u16) -> Result<Option<Bucket>, StoreError> {
        let [high, low] = bucket.to_be_bytes();
        let (mut first, mut last): (HeadId, HeadId) = ([0; 16], [0xff; 16]);
        (first[0], first[1], last[0], last[1]) = (high, low, high, low);
        let statement = "SELECT id, row_seq, row_mac FROM row_heads WHERE id BETWEEN ?1 AND ?2";
        let rows = self.sql.query(statement, &[Value::from(&first), Value::from(&last)])?;
        let heads = rows.iter().map(|row| read_head(row)).collect::<Option<Bucket>>();
        let expected = self.shared.leaf(bucket);
        Ok(heads.filter(|heads| same(&self.shared.keys.leaf(bucket, heads), &expected)))
    }
}

fn read_head(row: &[Value]) -> Option<(HeadId, Head)> {
    let [Value::Blob(id), Value::Int(row_seq), Value::Blob(row_mac)] = row else { return None };
    let head = Head { row_seq: u64::try_from(*row_seq).ok()?, row_mac: row_mac.clone() };
    Some((id.as_slice().try_into().ok()?, head))
}
