//! Text and lists with a limit that is checked before a byte is allocated.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// The error for a text or list above its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} exceeds the limit of {limit}")]
pub struct TooLong {
    /// Its length: bytes of a text, elements of a list.
    pub len: usize,
    /// The limit, in the same unit.
    pub limit: usize,
}

/// UTF-8 text of at most `MAX` bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// Takes `text` if it is short enough.
    pub fn new(text: impl Into<String>) -> Result<Self, TooLong> {
        let text = text.into();
        within(text.len(), MAX)?;
        Ok(Self(text))
    }

    /// A text of this crate's own, known to fit.
    pub(crate) fn literal(text: &'static str) -> Self {
        debug_assert!(text.len() <= MAX, "a literal fits its limit");
        Self(String::from(text))
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: &str = Deserialize::deserialize(deserializer)?;
        Self::new(text).map_err(de::Error::custom)
    }
}

/// Defines a kind of [`Text`] as a type of its own, whose name documentation and error messages show.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $max:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name($crate::bounded::Text<$max>);

        impl $name {
            #[doc = concat!("Takes `text` if it has at most [`", stringify!($max), "`] bytes.")]
            pub fn new(
                text: impl Into<alloc::string::String>,
            ) -> Result<Self, $crate::bounded::TooLong> {
                $crate::bounded::Text::new(text).map(Self)
            }

            /// A text of this crate's own, known to fit.
            #[allow(dead_code, reason = "not every kind has one")]
            pub(crate) fn literal(text: &'static str) -> Self {
                Self($crate::bounded::Text::literal(text))
            }
        }

        impl core::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}
pub(crate) use text;

/// A list of at most `MAX` elements.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> List<T, MAX> {
    /// Takes `items` if they are few enough.
    pub fn new(items: Vec<T>) -> Result<Self, TooLong> {
        within(items.len(), MAX)?;
        Ok(Self(items))
    }

    /// The list of one element.
    #[must_use]
    pub fn from_one(item: T) -> Self {
        const { assert!(MAX > 0, "a list of one needs room for one") };
        Self(Vec::from([item]))
    }

    /// Appends `item`, if there is room.
    pub fn push(&mut self, item: T) -> Result<(), TooLong> {
        within(self.0.len() + 1, MAX)?;
        self.0.push(item);
        Ok(())
    }

    /// Makes the list `len` elements long, or as long as it may be: cuts it off, or appends `item`s.
    pub(crate) fn resize(&mut self, len: usize, item: T)
    where
        T: Clone,
    {
        self.0.resize(len.min(MAX), item);
    }
}

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> DerefMut for List<T, MAX> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: fmt::Debug, const MAX: usize> fmt::Debug for List<T, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T, const MAX: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Elements<T, MAX> {
            type Value = List<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX} elements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let claimed = seq.size_hint().unwrap_or(0);
                within(claimed, MAX).map_err(de::Error::custom)?;
                let mut list = List(Vec::with_capacity(claimed));
                while let Some(item) = seq.next_element()? {
                    list.push(item).map_err(de::Error::custom)?;
                }
                Ok(list)
            }
        }

        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

fn within(len: usize, limit: usize) -> Result<(), TooLong> {
    if len > limit {
        Err(TooLong { len, limit })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_length_past_the_limit_is_refused_before_allocation() {
        // A list that claims 2^28 elements in five bytes.
        let claim = [0xff, 0xff, 0xff, 0x7f];
        assert!(postcard::from_bytes::<List<u32, 64>>(&claim).is_err());
    }

    #[test]
    fn text_at_its_limit_passes_and_one_byte_more_does_not() {
        let at_limit = postcard::to_allocvec("12345678").unwrap();
        assert!(postcard::from_bytes::<Text<8>>(&at_limit).is_ok());
        let over = postcard::to_allocvec("123456789").unwrap();
        assert!(postcard::from_bytes::<Text<8>>(&over).is_err());
    }
}
