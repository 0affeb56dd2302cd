//! Who calls: credentials to principals.
