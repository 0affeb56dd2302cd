//! What the row-MAC key is used for: MACs of rows, leaf hashes and the root of the state tree.

use super::sql::Value;
use super::table::Table;
use aws_lc_rs::{constant_time, digest, hmac};
use std::collections::BTreeMap;

/// 32 bytes of a hash or MAC.
pub(super) type Hash = [u8; 32];

/// Names a row: the first 16 bytes of SHA-256 over its table and primary key.
pub(super) type HeadId = [u8; 16];

/// What the state tree keeps of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The row's sequence number.
    pub(super) row_seq: u64,
    /// The row's MAC.
    pub(super) row_mac: Vec<u8>,
}

/// All heads whose ids begin with the same 16 bits, in the order of their ids.
pub(super) type Bucket = BTreeMap<HeadId, Head>;

/// The keys of the store's MACs.
pub(super) struct SealKeys {
    row: hmac::Key,
    tree: hmac::Key,
}

/// The bucket of a head.
pub(super) const fn bucket_of(id: HeadId) -> u16 {
    u16::from_be_bytes([id[0], id[1]])
}

/// The name of a row in the state tree.
pub(super) fn head_id(table: &str, primary_key: &Value) -> HeadId {
    let mut encoding = Vec::with_capacity(64);
    encode(&Value::from(table), &mut encoding);
    encode(primary_key, &mut encoding);
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(&encoding)[..16]);
    id
}

/// SHA-256 (FIPS 180-4).
pub(super) fn sha256(bytes: &[u8]) -> Hash {
    to_hash(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Compares without telling where the difference is.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// The one encoding of a value: type, length, bytes. No two lists of values have the same encoding.
fn encode(value: &Value, out: &mut Vec<u8>) {
    let (kind, bytes): (u8, &[u8]) = match value {
        Value::Null => (0, &[]),
        Value::Int(number) => (1, &number.to_be_bytes()),
        Value::Text(text) => (2, text.as_bytes()),
        Value::Blob(bytes) => (3, bytes),
    };
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn to_hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(bytes);
    hash
}

fn sign(key: &hmac::Key, message: &[u8]) -> Hash {
    to_hash(hmac::sign(key, message).as_ref())
}

impl SealKeys {
    /// The keys that follow from the row-MAC key.
    pub(super) fn new(row_key: &[u8; 32]) -> Self {
        let row = hmac::Key::new(hmac::HMAC_SHA256, row_key);
        let tree = zeroize::Zeroizing::new(sign(&row, b"claviger-state-tree-1"));
        let tree = hmac::Key::new(hmac::HMAC_SHA256, tree.as_ref());
        Self { row, tree }
    }

    /// The MAC of a row: over its table, its sequence number and its columns, the primary key being the first.
    pub(super) fn row_mac(&self, table: &Table, row_seq: u64, columns: &[Value]) -> Hash {
        let mut message = b"claviger-row-1".to_vec();
        encode(&Value::from(table.name), &mut message);
        message.extend_from_slice(&row_seq.to_be_bytes());
        for column in table.covered(columns) {
            encode(column, &mut message);
        }
        sign(&self.row, &message)
    }

    /// The hash of a bucket; zero for an empty one, so that a new tree needs no rows.
    pub(super) fn leaf(&self, bucket: u16, heads: &Bucket) -> Hash {
        if heads.is_empty() {
            return [0; 32];
        }
        let mut message = b"leaf".to_vec();
        message.extend_from_slice(&bucket.to_be_bytes());
        for (id, head) in heads {
            message.extend_from_slice(id);
            message.extend_from_slice(&head.row_seq.to_be_bytes());
            message.extend_from_slice(&(head.row_mac.len() as u64).to_be_bytes());
            message.extend_from_slice(&head.row_mac);
        }
        sign(&self.tree, &message)
    }

    /// The MAC of the tree's root.
    pub(super) fn root_mac(&self, state_seq: u64, root: &Hash) -> Hash {
        let mut message = b"root".to_vec();
        message.extend_from_slice(&state_seq.to_be_bytes());
        message.extend_from_slice(root);
        sign(&self.tree, &message)
    }
}
