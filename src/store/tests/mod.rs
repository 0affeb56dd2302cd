//! What can only be seen from inside: plans of statements, groups on a database that refuses, and databases of the
//! first schema.

mod groups;
mod migration;
mod plans;
