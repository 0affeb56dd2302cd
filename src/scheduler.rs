//! Wakes the maintenance use cases.
