//! What each operation takes: one table of members, with types, lengths, ranges, patterns and names.
