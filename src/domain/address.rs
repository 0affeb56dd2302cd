//! The list of addresses from which a key may be used.

use super::error::ValueError;
use core::net::{IpAddr, Ipv4Addr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most addresses of one key.
pub const MAX_ADDRESSES: usize = 100;

/// From where a key may be used. It is kept while it is switched off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressList {
    enabled: bool,
    addresses: BTreeSet<Ipv4Addr>,
}

impl AddressList {
    /// Whether the key may be used from there. Where a request comes from that nobody knows is no address of the list.
    #[must_use]
    pub fn admits(&self, source: Option<IpAddr>) -> bool {
        if !self.enabled {
            return true;
        }
        match source.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => self.addresses.contains(&address),
            Some(IpAddr::V6(_)) | None => false,
        }
    }

    /// Whether the list binds. One that binds and is empty lets nobody in.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The list, binding or not.
    #[must_use]
    pub fn switched(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }

    /// The addresses, in their order as numbers.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses.iter().copied()
    }

    /// Whether it is as for a key that never had one.
    #[must_use]
    pub fn is_default(&self) -> bool {
        !self.enabled && self.addresses.is_empty()
    }

    /// The addresses that another list has and this one has not.
    pub fn missing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Ipv4Addr> + 'a {
        other.addresses.difference(&self.addresses).copied()
    }

    /// The list with these addresses too.
    ///
    /// # Errors
    /// [`ValueError::TooMany`] above [`MAX_ADDRESSES`].
    pub fn with(mut self, more: &[Ipv4Addr]) -> Result<Self, ValueError> {
        self.addresses.extend(more);
        if self.addresses.len() > MAX_ADDRESSES {
            return Err(ValueError::TooMany { field: "addresses", limit: MAX_ADDRESSES });
        }
        Ok(self)
    }

    /// The list without these addresses. One that is not in it is no mistake.
    #[must_use]
    pub fn without(mut self, fewer: &[Ipv4Addr]) -> Self {
        for address in fewer {
            self.addresses.remove(address);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    fn source(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_list_that_binds_admits_its_addresses_only() {
        let off = AddressList::default().with(&[A]).unwrap();
        let on = off.clone().switched(true);
        for (from, admitted) in [
            (source("192.0.2.1"), true),
            (source("::ffff:192.0.2.1"), true),
            (source("192.0.2.2"), false),
            (source("2001:db8::1"), false),
            (None, false),
        ] {
            assert!(off.admits(from), "{from:?}");
            assert_eq!(on.admits(from), admitted, "{from:?}");
        }
        assert!(!AddressList::default().switched(true).admits(source("192.0.2.1")));
    }

    #[test]
    fn addresses_come_and_go_and_repetitions_change_nothing() {
        let list = AddressList::default().with(&[B, A, B]).unwrap();
        assert_eq!(list.addresses().collect::<Vec<_>>(), [A, B]);
        assert_eq!(list.clone().with(&[A]).unwrap(), list);
        let list = list.without(&[A, A]).without(&[A]);
        assert_eq!(list.addresses().collect::<Vec<_>>(), [B]);
        assert!(list.without(&[B]).is_default());
    }

    #[test]
    fn a_list_has_an_end() {
        let many: Vec<Ipv4Addr> = (0..).map(Ipv4Addr::from_bits).take(MAX_ADDRESSES + 1).collect();
        assert!(AddressList::default().with(&many[1..]).is_ok());
        assert_eq!(
            AddressList::default().with(&many).unwrap_err(),
            ValueError::TooMany { field: "addresses", limit: MAX_ADDRESSES }
        );
    }
}
