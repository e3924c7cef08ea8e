//! A node's randomness.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How many numbers the secret takes.
const SECRET_DRAWS: u32 = 2;

/// A seeded stream of numbers. Keeps the seed and the position in the stream, and not the generator: that has a buffer
/// of 256 bytes, and a node draws a handful of numbers in its life.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    seed: [u8; 32],
    /// How many numbers of 64 bits were drawn.
    drawn: u32,
}

impl Random {
    /// The stream behind the node's [secret](Self::secret).
    pub(crate) const fn from_seed(seed: [u8; 32]) -> Self {
        Self {
            seed,
            drawn: SECRET_DRAWS,
        }
    }

    /// The node's secret: what the stream begins with.
    pub(crate) fn secret(&self) -> [u8; 16] {
        let mut beginning = Self {
            seed: self.seed,
            drawn: 0,
        };
        let (low, high) = (beginning.draw(), beginning.draw());
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }

    /// The next number.
    pub(crate) fn draw(&mut self) -> u64 {
        let mut stream = ChaCha8Rng::from_seed(self.seed);
        stream.set_word_pos(u128::from(self.drawn) * 2);
        self.drawn = self.drawn.wrapping_add(1);
        stream.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_and_then_each_number_come_from_one_stream() {
        let mut stream = ChaCha8Rng::from_seed([7; 32]);
        let mut random = Random::from_seed([7; 32]);
        let mut secret = [0; 16];
        stream.fill_bytes(&mut secret);
        assert_eq!(random.secret(), secret);
        for _ in 0..100 {
            assert_eq!(random.draw(), stream.next_u64());
        }
    }
}
