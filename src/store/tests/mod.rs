//! What can only be seen from inside: plans of statements, and groups on a database that refuses.

mod groups;
mod plans;
