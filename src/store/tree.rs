//! The state tree: a hash tree over the heads of all rows (docs/adr/0003-state-tree.md).
//!
//! 65,536 leaves, 16 children per node, five levels. The whole tree is 2 MiB and is held in memory; the leaves
//! are also in the database, 16 to a row, and the root with its MAC.

use super::seal::{Hash, SealKeys, same, sha256};
use super::sql::{Fields, Sql, Value, int};
use crate::service::ports::StoreError;

const ARITY: usize = 16;
const LEAVES: usize = 1 << 16;
const GROUP_BYTES: usize = ARITY * 32;

/// The tree, owned by the thread that writes.
pub(super) struct Tree {
    /// Counts the transactions that changed it.
    pub(super) state_seq: u64,
    /// `levels[0]` are the leaves, the last level is the root.
    levels: Vec<Vec<Hash>>,
}

/// The alarm for a tree that is not the one that this service wrote.
pub(super) fn tampered() -> StoreError {
    StoreError::Integrity { table: "state_root", row: "1".to_owned() }
}

impl Tree {
    /// The tree of a database without rows.
    pub(super) fn empty() -> Self {
        Self::build(0, vec![[0; 32]; LEAVES])
    }

    fn build(state_seq: u64, leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks(ARITY).map(node).collect();
            levels.push(above);
        }
        Self { state_seq, levels }
    }

    /// The hash over everything.
    pub(super) fn root(&self) -> Hash {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// All leaves.
    pub(super) fn leaves(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// Replaces a leaf and gives the old one.
    pub(super) fn set(&mut self, bucket: u16, leaf: Hash) -> Hash {
        let mut index = usize::from(bucket);
        let old = std::mem::replace(&mut self.levels[0][index], leaf);
        for level in 1..self.levels.len() {
            index /= ARITY;
            let hash = node(&self.levels[level - 1][index * ARITY..(index + 1) * ARITY]);
            self.levels[level][index] = hash;
        }
        old
    }

    /// Writes the row that holds the leaf of `bucket` and its neighbours.
    pub(super) fn save_group(&self, sql: &dyn Sql, group: u16) -> Result<(), StoreError> {
        let first = usize::from(group) * ARITY;
        let hashes = self.leaves()[first..first + ARITY].concat();
        let statement = "INSERT INTO state_leaves (id, hashes) VALUES (?1, ?2)
            ON CONFLICT (id) DO UPDATE SET hashes = excluded.hashes";
        sql.execute(statement, &[Value::Int(group.into()), Value::Blob(hashes)]).map(|_| ())
    }

    /// Writes the root that follows the one with number `before`.
    pub(super) fn save_root(&self, sql: &dyn Sql, keys: &SealKeys, before: u64) -> Result<(), StoreError> {
        let root = self.root();
        let mac = keys.root_mac(self.state_seq, &root);
        let statement = "UPDATE state_root SET state_seq = ?1, root = ?2, mac = ?3 WHERE id = 1 AND state_seq = ?4";
        let changed =
            sql.execute(statement, &[int(self.state_seq), Value::from(&root), Value::from(&mac), int(before)])?;
        if changed == 1 { Ok(()) } else { Err(tampered()) }
    }

    /// Writes the root of a new tree.
    pub(super) fn save_first_root(&self, sql: &dyn Sql, keys: &SealKeys) -> Result<(), StoreError> {
        let root = self.root();
        let mac = keys.root_mac(self.state_seq, &root);
        let statement = "INSERT INTO state_root (id, state_seq, root, mac) VALUES (1, ?1, ?2, ?3)";
        sql.execute(statement, &[int(self.state_seq), Value::from(&root), Value::from(&mac)]).map(|_| ())
    }

    /// Reads the tree and checks it against the root's MAC; `None` if there is none yet.
    pub(super) fn load(sql: &dyn Sql, keys: &SealKeys) -> Result<Option<Self>, StoreError> {
        let Some(row) = sql.query_one("SELECT state_seq, root, mac FROM state_root WHERE id = 1", &[])? else {
            return Ok(None);
        };
        let (state_seq, root, mac) = read_root(&row).map_err(|_| tampered())?;
        if !same(&keys.root_mac(state_seq, &root), &mac) {
            return Err(tampered());
        }
        let mut leaves = vec![[0; 32]; LEAVES];
        for row in sql.query("SELECT id, hashes FROM state_leaves", &[])? {
            place_group(&mut leaves, &row).ok_or_else(tampered)?;
        }
        let tree = Self::build(state_seq, leaves);
        if same(&tree.root(), &root) { Ok(Some(tree)) } else { Err(tampered()) }
    }
}

fn node(children: &[Hash]) -> Hash {
    sha256(&children.concat())
}

fn read_root(row: &[Value]) -> Result<(u64, Hash, Hash), StoreError> {
    let mut fields = Fields::new("state_root", row);
    Ok((fields.number()?, fields.bytes()?, fields.bytes()?))
}

fn place_group(leaves: &mut [Hash], row: &[Value]) -> Option<()> {
    let [Value::Int(group), Value::Blob(hashes)] = row else { return None };
    let first = usize::try_from(*group).ok()?.checked_mul(ARITY)?;
    let hashes: &[u8; GROUP_BYTES] = hashes.as_slice().try_into().ok()?;
    let target = leaves.get_mut(first..first.checked_add(ARITY)?)?;
    let (chunks, _) = hashes.as_chunks::<32>();
    target.copy_from_slice(chunks);
    Some(())
}
