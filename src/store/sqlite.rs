//! SQLite behind [`Sql`], and how a database file is opened.

use super::sql::{Row, Sql, Value};
use crate::service::ports::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, ffi, params_from_iter};
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

mod embedded {
    refinery::embed_migrations!("src/store/migrations");
}

/// How long a statement waits for a lock that another process holds (a backup, an operator's shell).
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long emptying the WAL waits for readers. It is tried again later, so that writers do not wait long.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_millis(250);

/// One connection.
pub(super) struct Sqlite(Connection);

/// Creates the file, readable by its owner only. SQLite gives the WAL and the index the same mode.
pub(super) fn create_private(path: &Path) -> Result<File, StoreError> {
    let unavailable = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = file.map_err(unavailable)?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(unavailable)?;
    Ok(file)
}

/// Makes this process the only one that serves the database: another one would not know the state that this
/// one holds in memory. A file of its own, because closing any descriptor of the database itself would drop
/// SQLite's locks. The kernel releases it when the process ends, however it ends.
pub(super) fn lock_exclusively(database: &Path) -> Result<File, StoreError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let file = create_private(Path::new(&path))?;
    // A store that was dropped a moment ago may still have a read under way on another thread.
    for _ in 0..100 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(error)) => return Err(StoreError::Unavailable(error.to_string())),
        }
    }
    Err(StoreError::Unavailable("another process uses this database".to_owned()))
}

impl Sqlite {
    /// Opens the connection that writes.
    pub(super) fn writer(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path).map_err(|error| store_error(&error))?;
        Self::configure(connection)
    }

    /// Opens a connection that only reads.
    pub(super) fn reader(path: &Path) -> Result<Self, StoreError> {
        let reader = Self::writer(path)?;
        reader.pragma("query_only", "ON")?;
        Ok(reader)
    }

    fn configure(connection: Connection) -> Result<Self, StoreError> {
        let this = Self(connection);
        this.0.busy_timeout(BUSY_TIMEOUT).map_err(|error| store_error(&error))?;
        this.0.set_prepared_statement_cache_capacity(64);
        this.pragma("journal_mode", "WAL")?;
        this.pragma("synchronous", "FULL")?;
        this.pragma("foreign_keys", "ON")?;
        this.pragma("secure_delete", "ON")?;
        // Statement journals hold old pages: in memory they end with the process.
        this.pragma("temp_store", "MEMORY")?;
        this.pragma("cell_size_check", "ON")?;
        // We use none of these; somebody who can write the file could plant a trigger that keeps what we destroy.
        for (option, on) in [
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        ] {
            this.0.set_db_config(option, on).map_err(|error| store_error(&error))?;
        }
        Ok(this)
    }

    fn pragma(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.0.pragma_update(None, name, value).map_err(|error| store_error(&error))
    }

    /// Brings the schema up to date, in one transaction: otherwise each step and the note that it was made are two, and a
    /// start that is killed between them could never be repeated.
    pub(super) fn migrate(&mut self) -> Result<(), StoreError> {
        let report = embedded::migrations::runner().set_grouped(true).run(&mut self.0);
        report.map(|_| ()).map_err(|error| StoreError::Unavailable(format!("migration: {error}")))
    }

    /// Makes the schema that a version had.
    #[cfg(test)]
    pub(super) fn migrate_to(&mut self, version: i32) {
        let runner = embedded::migrations::runner().set_target(refinery::Target::Version(version));
        assert!(runner.run(&mut self.0).is_ok_and(|report| !report.applied_migrations().is_empty()));
    }

    /// Copies the WAL into the database file and cuts it to zero length.
    pub(super) fn empty_wal(&self) -> Result<(), StoreError> {
        self.0.busy_timeout(CHECKPOINT_TIMEOUT).map_err(|error| store_error(&error))?;
        let busy = self.query_one("PRAGMA wal_checkpoint(TRUNCATE)", &[]);
        self.0.busy_timeout(BUSY_TIMEOUT).map_err(|error| store_error(&error))?;
        match busy?.as_deref() {
            Some([Value::Int(0), ..]) => Ok(()),
            _ => Err(StoreError::Unavailable("a reader still holds old pages of the WAL".to_owned())),
        }
    }
}

impl Sql for Sqlite {
    fn execute(&self, sql: &str, params: &[Value]) -> Result<usize, StoreError> {
        let run = || self.0.prepare_cached(sql)?.execute(params_from_iter(params));
        run().map_err(|error| store_error(&error))
    }

    fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let run = || {
            let mut statement = self.0.prepare_cached(sql)?;
            let columns = statement.column_count();
            let rows = statement.query_map(params_from_iter(params), |row| {
                (0..columns).map(|index| row.get_ref(index).map(value)).collect::<Result<Row, _>>()
            })?;
            rows.collect::<Result<Vec<Row>, _>>()
        };
        run().map_err(|error| store_error(&error))
    }

    fn in_transaction(&self) -> bool {
        !self.0.is_autocommit()
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A value as read. We never write floating point numbers or text that is not UTF-8: what becomes of them only has to
/// differ from everything that we do write, so that the row's MAC is wrong.
fn value(read: ValueRef<'_>) -> Value {
    match read {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Text(format!("\u{fffd}{number}")),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// Whose fault an SQLite error is.
fn store_error(error: &rusqlite::Error) -> StoreError {
    let Some(failure) = error.sqlite_error() else {
        return StoreError::Bug(error.to_string());
    };
    match failure.code {
        ErrorCode::ConstraintViolation => match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => StoreError::Conflict,
            _ => StoreError::Bug(error.to_string()),
        },
        ErrorCode::DiskFull
        | ErrorCode::ReadOnly
        | ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::SystemIoFailure
        | ErrorCode::OutOfMemory
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OperationInterrupted => StoreError::Unavailable(error.to_string()),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            StoreError::Integrity { table: "sqlite_schema", row: error.to_string() }
        }
        _ => StoreError::Bug(error.to_string()),
    }
}
