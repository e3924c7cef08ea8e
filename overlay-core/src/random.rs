//! A node's randomness.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded stream. Keeps the seed and the place in the stream, and not the generator: that has a buffer of
/// 256 bytes, and a node draws a handful of numbers in its life.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    seed: [u8; 32],
    /// How many numbers of 64 bits were drawn.
    drawn: u32,
}

impl Random {
    pub(crate) const fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next number.
    pub(crate) fn draw(&mut self) -> u64 {
        let mut stream = ChaCha8Rng::from_seed(self.seed);
        stream.set_word_pos(u128::from(self.drawn) * 2);
        self.drawn = self.drawn.wrapping_add(1);
        stream.next_u64()
    }

    /// 16 bytes more.
    pub(crate) fn draw_bytes(&mut self) -> [u8; 16] {
        let (low, high) = (self.draw(), self.draw());
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_one_by_one_is_the_stream() {
        let mut stream = ChaCha8Rng::from_seed([7; 32]);
        let mut random = Random::from_seed([7; 32]);
        for _ in 0..100 {
            assert_eq!(random.draw(), stream.next_u64());
        }
        let mut bytes = [0; 16];
        stream.fill_bytes(&mut bytes);
        assert_eq!(random.draw_bytes(), bytes);
    }
}
