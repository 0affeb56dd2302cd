//! The metadata store on a real SQLite file, and what somebody who can write that file may try.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests and their fixtures end at the first surprise")]

mod access;
mod aliases;
mod appended;
mod attacks;
mod destruction;
mod fixture;
mod forgeries;
mod lists;
mod locked;
mod numbered;
mod paging;
mod rollback;
mod round_trips;
mod writers;
