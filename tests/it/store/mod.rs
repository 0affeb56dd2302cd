//! The metadata store on a real SQLite file, and what somebody who can write that file may try.

mod attacks;
mod destruction;
mod fixture;
mod locked;
mod paging;
mod rollback;
mod round_trips;
mod writers;
