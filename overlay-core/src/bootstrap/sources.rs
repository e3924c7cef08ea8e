//! Where clients come from, and what one origin may do.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use super::config::Config;
use crate::time::Instant;

/// Where a connection comes from. The relay only asks whether two are equal: clients that an
/// attacker can have many of at no cost should be one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(pub u128);

impl From<IpAddr> for Source {
    /// An IPv4 address is one source; so is a whole /64 network of IPv6, which a single subscriber
    /// commonly has to itself.
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() >> 64 << 64),
        }
    }
}

/// How many connections each source has. Holds no more sources than there are connections.
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

/// The sources that have lately guessed at a token. Of too many, those that began the longest ago
/// are forgotten first.
#[derive(Debug, Default)]
pub(super) struct WrongTokens(BTreeMap<Source, Guesses>);

#[derive(Clone, Copy, Debug)]
struct Guesses {
    count: u32,
    since: Instant,
}

impl WrongTokens {
    /// Whether no token of this source is looked at for now, right or wrong: an answer to every
    /// guess would let it guess on.
    pub(super) fn too_many(&self, source: Source, now: Instant, config: &Config) -> bool {
        self.0.get(&source).is_some_and(|guesses| {
            guesses.count >= config.max_wrong_tokens && guesses.lately(now, config)
        })
    }

    pub(super) fn record(&mut self, source: Source, now: Instant, config: &Config) {
        if !self.0.contains_key(&source) && self.0.len() >= config.max_wrong_token_sources {
            self.forget_oldest();
        }
        let none = Guesses {
            count: 0,
            since: now,
        };
        let guesses = self.0.entry(source).or_insert(none);
        if !guesses.lately(now, config) {
            *guesses = none;
        }
        guesses.count += 1;
    }

    fn forget_oldest(&mut self) {
        let oldest = self.0.iter().min_by_key(|(_, guesses)| guesses.since);
        if let Some(source) = oldest.map(|(source, _)| *source) {
            self.0.remove(&source);
        }
    }
}

impl Guesses {
    fn lately(&self, now: Instant, config: &Config) -> bool {
        now.since(self.since) < config.wrong_token_window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_within_a_64_are_one_source_and_mapped_ipv4_addresses_are_not() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:0:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("::ffff:192.0.2.1"), source("::ffff:192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }
}
