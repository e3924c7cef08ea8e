//! Where clients come from.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, Ipv6Addr};

/// The origin of a connection. The server only asks whether two are equal. Clients that one person can have many of
/// at no cost should be one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(pub u128);

impl Source {
    /// The address that it was made of; of an IPv6 network, the first.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        Ipv6Addr::from_bits(self.0).to_canonical()
    }
}

impl From<IpAddr> for Source {
    /// An IPv4 address is one source. So is a whole /64 network of IPv6: a single subscriber commonly has one to
    /// itself.
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() >> 64 << 64),
        }
    }
}

/// The number of connections of each source. It holds no more sources than there are connections.
#[derive(Debug, Default)]
pub(super) struct SourceCounts(BTreeMap<Source, usize>);

impl SourceCounts {
    pub(super) fn of(&self, source: Source) -> usize {
        self.0.get(&source).copied().unwrap_or(0)
    }

    pub(super) fn enter(&mut self, source: Source) {
        *self.0.entry(source).or_default() += 1;
    }

    pub(super) fn leave(&mut self, source: Source) {
        if let Some(count) = self.0.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_within_a_64_are_one_source_and_mapped_ipv4_addresses_are_not() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:0:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("::ffff:192.0.2.1"), source("::ffff:192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }
}
