//! A database whose row-MAC key is not known yet: only the token binding can be read.

use super::adapter::SqliteStore;
use super::seal::SealKeys;
use super::sql::{Fields, Sql, Value};
use super::sqlite::{Sqlite, create_private, lock_exclusively};
use super::table::{SEALED, TOKEN_BINDING};
use super::tree::{Tree, tampered};
use super::view::{Shared, View, alarm};
use super::writer::{Job, Writer};
use crate::service::ports::{StoreError, TokenBinding, TokenStateStore};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// An open, migrated database before [`unlock`](Self::unlock).
///
/// What it reads of the token binding is not checked yet; `unlock` refuses if that was not what this service wrote.
pub struct LockedStore {
    path: PathBuf,
    lock: File,
    inner: Mutex<Inner>,
}

struct Inner {
    sql: Sqlite,
    /// The binding, as JSON, that was handed out or saved last.
    seen: Option<String>,
    /// A binding that replaces a sealed one: it is written when its MAC can be.
    staged: Option<String>,
}

impl LockedStore {
    /// Opens the database file, creating it if there is none, and brings its schema up to date.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let path = &without_links(path)?;
        let lock = lock_exclusively(path)?;
        create_private(path)?;
        let mut sql = Sqlite::writer(path)?;
        sql.migrate()?;
        let inner = Mutex::new(Inner { sql, seen: None, staged: None });
        Ok(Self { path: path.to_owned(), lock, inner })
    }

    /// Checks the whole state against its MACs' key and starts the store. The first time, it begins the state tree
    /// and seals the token binding.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] if the state, or the token binding that was read before, is not what this service
    /// wrote under this key; other variants if the database cannot be used.
    pub fn unlock(self, row_key: Zeroizing<[u8; 32]>) -> Result<SqliteStore, StoreError> {
        let inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        let keys = SealKeys::new(&row_key);
        drop(row_key);
        let loaded = Tree::load(&inner.sql, &keys)?;
        let (first, tree) = (loaded.is_none(), loaded.unwrap_or_else(Tree::empty));
        let shared = Arc::new(Shared::new(keys, tree.leaves().to_vec()));
        let binding = if first { unsealed_binding(&inner.sql)? } else { sealed_binding(&inner.sql, &shared)? };
        let expected = if inner.staged.is_some() { None } else { inner.seen.as_ref() };
        if expected.is_some() && expected != binding.as_ref() {
            return Err(alarm(&TOKEN_BINDING, &Value::Int(1)));
        }
        let mut writer = Writer::new(inner.sql, Arc::clone(&shared), tree);
        if first || inner.staged.is_some() {
            let binding = inner.staged.or(binding);
            writer.perform(&[&Job::Bind { binding, first }]).into_iter().try_for_each(|result| result.map(drop))?;
        }
        SqliteStore::start(&self.path, self.lock, shared, writer)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file's own name: under a link to it, the lock and SQLite's files must be those beside the file.
fn without_links(path: &Path) -> Result<PathBuf, StoreError> {
    let unavailable = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    match path.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(path.to_owned()),
        other => other.map_err(unavailable),
    }
}

fn raw_binding(sql: &dyn Sql) -> Result<Option<String>, StoreError> {
    let row = sql.query_one("SELECT binding FROM token_binding WHERE id = 1", &[])?;
    row.map(|row| Fields::new("token_binding", &row).text().map(str::to_owned)).transpose()
}

/// The binding of a database that was never unlocked, which holds nothing else.
fn unsealed_binding(sql: &dyn Sql) -> Result<Option<String>, StoreError> {
    for table in SEALED {
        if sql.query_one(&format!("SELECT 1 FROM {table} LIMIT 1"), &[])?.is_some() {
            return Err(tampered());
        }
    }
    raw_binding(sql)
}

/// The binding of a database that was unlocked before, checked.
fn sealed_binding(sql: &dyn Sql, shared: &Shared) -> Result<Option<String>, StoreError> {
    let view = View::new(sql, shared);
    let Some(row) = view.find(&TOKEN_BINDING, &Value::Int(1))? else { return Ok(None) };
    let mut fields = row.fields();
    let _id = fields.int()?;
    Ok(Some(fields.text()?.to_owned()))
}

impl TokenStateStore for LockedStore {
    fn token_binding(&self) -> Result<Option<TokenBinding>, StoreError> {
        let mut inner = self.inner();
        let json = match &inner.staged {
            Some(json) => Some(json.clone()),
            None => raw_binding(&inner.sql)?,
        };
        inner.seen.clone_from(&json);
        let parse = |json: String| serde_json::from_str(&json).map_err(|_| alarm(&TOKEN_BINDING, &Value::Int(1)));
        json.map(parse).transpose()
    }

    /// Before the first unlock: durable when it returns. Later the record needs a MAC that only the token's key can
    /// make, so that it is kept in memory and becomes durable in [`LockedStore::unlock`].
    fn save_token_binding(&self, binding: &TokenBinding) -> Result<(), StoreError> {
        let json = serde_json::to_string(binding).map_err(|error| StoreError::Bug(error.to_string()))?;
        let mut inner = self.inner();
        if inner.sql.query_one("SELECT 1 FROM state_root", &[])?.is_some() {
            inner.staged = Some(json);
            return Ok(());
        }
        let statement = "INSERT INTO token_binding (id, binding, row_seq) VALUES (1, ?1, 0)
            ON CONFLICT (id) DO UPDATE SET binding = excluded.binding";
        inner.sql.execute(statement, &[Value::from(json.as_str())])?;
        inner.seen = Some(json);
        Ok(())
    }
}
