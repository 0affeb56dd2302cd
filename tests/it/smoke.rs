//! A key's life from end to end, over each transport.
