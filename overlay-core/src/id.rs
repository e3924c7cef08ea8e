//! Identities. An id is never reused, so a late event about something that is gone can't be
//! mistaken for news about something that is there.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::arena;

/// A node's identity: 128 random bits, stable for the node's life and the same on every link.
///
/// Printed as 32 hexadecimal digits; `{:?}` prints the first eight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId([u8; 16]);

impl NodeId {
    /// The id with these bytes. Draw them at random: two nodes with one id refuse each other.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id with this number, most significant byte first. Handy in tests.
    #[must_use]
    pub const fn from_u128(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node id is 32 hexadecimal digits")]
pub struct ParseNodeIdError;

impl FromStr for NodeId {
    type Err = ParseNodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all_digits = text.bytes().all(|digit| digit.is_ascii_hexdigit());
        if text.len() != 32 || !all_digits {
            return Err(ParseNodeIdError);
        }
        u128::from_str_radix(text, 16)
            .map(Self::from_u128)
            .map_err(|_| ParseNodeIdError)
    }
}

/// One attempt of one node to join: the name under which every node on the way remembers it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JoinId {
    /// The joiner.
    pub origin: NodeId,
    /// Counts that node's attempts, from 1, over its whole life.
    pub attempt: u32,
}

impl fmt::Debug for JoinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.origin, self.attempt)
    }
}

/// The epoch of one root's leadership. The server gives epochs out, as microseconds since 1970 and each higher than
/// the one before, so no two roots have the same. A node obeys the highest epoch that it has seen, unless the server
/// tells it another: the server knows best which node is the root. 0 is before any root.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Epoch(pub u64);

/// Declares an id that an [`Arena`](arena::Arena) mints.
macro_rules! arena_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            pub(crate) index: u32,
            pub(crate) generation: u32,
        }

        impl arena::Id for $name {
            fn from_parts(index: u32, generation: u32) -> Self {
                Self { index, generation }
            }

            fn index(self) -> u32 {
                self.index
            }

            fn generation(self) -> u32 {
                self.generation
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}.{}", self.index, self.generation)
            }
        }
    };
}

arena_id! {
    /// A WebRTC connection of one [`Node`](crate::Node). Minted by the node; means nothing to others.
    LinkId
}

arena_id! {
    /// A client's connection to one [`bootstrap::Server`](crate::bootstrap::Server). Minted by the server.
    ConnectionId
}

impl LinkId {
    /// The id as a number, for a host in another language. It is below 2⁵³ as long as the node has fewer than 2²¹ links at
    /// once, so a double holds it.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        (self.index as u64) << 32 | self.generation as u64
    }

    /// The id with this number. One that the node has not minted names no link, and an event about it changes nothing.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "each half is taken")]
    pub const fn from_u64(number: u64) -> Self {
        Self {
            index: (number >> 32) as u32,
            generation: number as u32,
        }
    }
}

/// One try of a node to connect to a bootstrap server. Minted by the node, counting up from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootstrapId(pub(crate) u32);

impl BootstrapId {
    /// The number of this try: a driver with several server addresses takes them in turn by it.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The id of the try with this number, for a host in another language.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_link_id_survives_its_own_number() {
        let link = LinkId {
            index: 1030,
            generation: u32::MAX,
        };
        assert_eq!(LinkId::from_u64(link.to_u64()), link);
        assert!(link.to_u64() < 1 << 53);
    }

    #[test]
    fn a_node_id_survives_its_own_text() {
        let id = NodeId::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "01234567");
    }

    #[test]
    fn a_sign_or_a_missing_digit_is_not_a_node_id() {
        for text in ["", "+0123456789abcdef0011223344556677", "0123456789abcdef"] {
            assert_eq!(text.parse::<NodeId>(), Err(ParseNodeIdError));
        }
        let signed = "+123456789abcdef00112233445566aa";
        assert_eq!(signed.parse::<NodeId>(), Err(ParseNodeIdError));
    }
}
