//! The metadata database.
//!
//! In: [`Change`](crate::service::ports::Change)s and reads of the [`Store`](crate::service::ports::Store) port. Out:
//! rows that were checked, or [`StoreError`](crate::service::ports::StoreError). Named only where the server is put
//! together: [`SqliteStore::open`] gives a [`LockedStore`], from which the token finds its keys; the row-MAC key that
//! it then derives unlocks the store.
//!
//! | module | what it is |
//! |---|---|
//! | `sql`, `sqlite` | the little that is needed of a database, and SQLite behind it |
//! | `table`, `rows` | tables, and domain values as columns |
//! | `seal`, `tree` | MACs of rows, and the state tree over all of them |
//! | `view`, `edit` | reading checked rows, and writing sealed ones |
//! | `directory`, `reads`, `aliases`, `paging`, `due`, `changes` | what the port can be asked |
//! | `writer`, `adapter`, `locked` | the threads around it |
//!
//! docs/adr/0003-state-tree.md says what the MACs and the tree find, and what they do not.

mod adapter;
mod aliases;
mod changes;
mod directory;
mod due;
mod edit;
mod locked;
mod paging;
mod reads;
mod rows;
mod seal;
mod sql;
mod sqlite;
mod table;
mod tree;
mod view;
mod writer;

#[cfg(test)]
mod tests;

pub use adapter::{SqliteStore, StoreStats};
pub use locked::LockedStore;
