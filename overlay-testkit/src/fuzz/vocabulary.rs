//! Bytes as stories, and stories as bytes.
//!
//! A choice takes one byte and a number its own bytes, most frequent things having most of the 256 bytes. That is
//! what `#[derive(Arbitrary)]` does not do: it spends four bytes on each choice and gives all variants the same
//! chance. And what it does with the bytes may change with its version, which would turn the committed corpus into
//! other stories; here [`Spell`] is the inverse, so that seeds are written as stories.

use arbitrary::{Arbitrary, Unstructured};

/// What can be written as the bytes that [`Arbitrary`] makes it of.
pub trait Spell {
    /// Appends the bytes.
    fn spell(&self, bytes: &mut Vec<u8>);
}

macro_rules! spell_numbers {
    ($($number:ty),*) => {$(
        impl Spell for $number {
            fn spell(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

spell_numbers!(u8, u16, u32, u64);

impl Spell for bool {
    fn spell(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(*self));
    }
}

/// Where a story begins, and its steps, as many as there are bytes for.
pub fn read<'a, S: Arbitrary<'a>, T: Arbitrary<'a>>(
    bytes: &'a [u8],
) -> arbitrary::Result<(S, impl Iterator<Item = T>)> {
    let mut bytes = Unstructured::new(bytes);
    let start = S::arbitrary(&mut bytes)?;
    let steps = std::iter::from_fn(move || {
        let more = !bytes.is_empty();
        more.then(|| T::arbitrary(&mut bytes).ok()).flatten()
    });
    Ok((start, steps))
}

/// The bytes of a story.
pub fn write(start: &impl Spell, steps: &[impl Spell]) -> Vec<u8> {
    let mut bytes = Vec::new();
    start.spell(&mut bytes);
    for step in steps {
        step.spell(&mut bytes);
    }
    bytes
}

/// One of `among`, if there is any.
pub fn pick<T>(which: u8, among: &[T]) -> Option<&T> {
    let at = usize::from(which).checked_rem(among.len())?;
    among.get(at)
}

/// Declares structs of named parts and enums of tuples, and how they are read and spelled. Before each variant
/// comes its weight; those of an enum sum up to 256 at the most.
macro_rules! vocabulary {
    () => {};
    (
        $(#[$doc:meta])* pub struct $name:ident {
            $($(#[$part_doc:meta])* $part:ident: $type:ty,)*
        }
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$part_doc])* pub $part: $type,)* }

        impl<'a> arbitrary::Arbitrary<'a> for $name {
            fn arbitrary(bytes: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
                Ok(Self { $($part: <$type>::arbitrary(bytes)?,)* })
            }
        }

        impl $crate::fuzz::vocabulary::Spell for $name {
            fn spell(&self, bytes: &mut Vec<u8>) {
                $(self.$part.spell(bytes);)*
            }
        }

        vocabulary! { $($rest)* }
    };
    (
        $(#[$doc:meta])* pub enum $name:ident {
            $($(#[$variant_doc:meta])* $weight:literal => $variant:ident
                $(($($part:ident: $type:ty),*))?,)*
        }
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant $(($($type),*))?,)* }

        impl<'a> arbitrary::Arbitrary<'a> for $name {
            fn arbitrary(bytes: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
                const WEIGHTS: u16 = 0 $(+ $weight)*;
                const { assert!(WEIGHTS <= 256, "a choice is one byte") };
                let mut draw = u16::from(u8::arbitrary(bytes)?) % WEIGHTS;
                $(
                    if draw < $weight {
                        return Ok(Self::$variant $(($(<$type>::arbitrary(bytes)?),*))?);
                    }
                    draw -= $weight;
                )*
                // The weights are used up before.
                let _ = draw;
                Err(arbitrary::Error::IncorrectFormat)
            }
        }

        impl $crate::fuzz::vocabulary::Spell for $name {
            fn spell(&self, bytes: &mut Vec<u8>) {
                let mut draw = 0_u16;
                $(
                    if let Self::$variant $(($($part),*))? = self {
                        bytes.extend(u8::try_from(draw));
                        $($($part.spell(bytes);)*)?
                        return;
                    }
                    draw += $weight;
                )*
                let _ = draw;
            }
        }

        vocabulary! { $($rest)* }
    };
}
pub(crate) use vocabulary;
