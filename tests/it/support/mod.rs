//! A real `claviger dev` as a child process, and clients for it.

pub mod aws;
pub mod client;
pub mod ncloud;
pub mod server;

pub use client::{Grpc, Rest};
pub use server::{Dev, Home};
