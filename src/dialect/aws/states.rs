//! What each operation asks of a key's state: one table.
