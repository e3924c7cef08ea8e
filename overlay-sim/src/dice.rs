//! Randomness, by the name that the simulator knows it by.

pub use overlay_testkit::Rng as Dice;
