//! Where requests come from, as far as they are counted and queued by it.
//!
//! In: the address of a connection's other end. Out: a [`Source`]. Called by [`super::attempts`],
//! [`super::body_budget`] and [`super::turns`].

use std::net::IpAddr;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A connection whose other end is not known, which only tests make.
    Unknown,
    /// One address.
    V4([u8; 4]),
    /// The first 64 bits: whoever has one address of such a network has all of them (RFC 4291, 2.5.1; RFC 6177).
    V6([u8; 8]),
}

impl Source {
    /// The source of a connection from this address.
    pub(super) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_v6_network_are_one_source_and_mapped_v4_is_v4() {
        let source = |address: &str| Source::of(Some(address.parse().unwrap()));
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }
}
