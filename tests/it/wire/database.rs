//! The server's database file, opened behind its back.

use crate::support::Home;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

pub fn path(home: &Home) -> PathBuf {
    home.data().join("claviger.db")
}

/// For looking only.
pub fn reader(home: &Home) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    patient(Connection::open_with_flags(path(home), flags).unwrap())
}

/// As somebody who may write the file, and knows SQL.
pub fn writer(home: &Home) -> Connection {
    let connection = patient(Connection::open(path(home)).unwrap());
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection
}

fn patient(connection: Connection) -> Connection {
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection
}

/// An id as the tables hold it.
pub fn bytes(id: &str) -> Vec<u8> {
    Uuid::parse_str(id).unwrap().as_bytes().to_vec()
}

/// The sealed material of a version.
pub fn material(connection: &Connection, version_id: &str) -> Vec<u8> {
    let statement = "SELECT m.blob FROM materials m JOIN versions v ON v.material_row = m.id WHERE v.id = ?1";
    connection.query_row(statement, [bytes(version_id)], |row| row.get(0)).unwrap()
}

/// The stored state of a version.
pub fn state(connection: &Connection, version_id: &str) -> String {
    let statement = "SELECT state FROM versions WHERE id = ?1";
    connection.query_row(statement, [bytes(version_id)], |row| row.get(0)).optional().unwrap().unwrap()
}

/// The database file and its companions that are there.
pub fn files(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path(home).display()));
    let all = ["", "-wal", "-shm", "-journal"].map(beside);
    all.into_iter().filter_map(|path| std::fs::read(&path).ok().map(|bytes| (path, bytes))).collect()
}

/// Where these bytes are found.
pub fn places(home: &Home, wanted: &[u8]) -> Vec<PathBuf> {
    let holds = |bytes: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    files(home).into_iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect()
}
