//! What can only be seen from inside: plans of statements, groups on a database that refuses, and databases of
//! earlier schemas.

mod groups;
mod migration;
mod plans;
mod third_schema;
