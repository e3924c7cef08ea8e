//! Guesses at root tokens, counted by where they come from.

use super::config::Config;
use super::source::Source;
use crate::expiring::Expiring;
use crate::time::Instant;
use crate::wire::{OverlayName, Refusal, Token};

/// The number of wrong tokens of each source, until its window is over. Of too many sources, those whose window ends
/// first are forgotten.
#[derive(Debug, Default)]
pub(super) struct WrongTokens(Expiring<Source, u32>);

impl WrongTokens {
    /// Whether the token opens the overlay. A wrong token and an unknown overlay get the same answer. A source that
    /// has guessed too often gets none, right or wrong: each answer would let it guess on.
    pub(super) fn check(
        &mut self,
        source: Source,
        (overlay, token): (&OverlayName, &Token),
        now: Instant,
        config: &Config,
    ) -> Result<(), Refusal> {
        while self.0.pop_due(now).is_some() {}
        let guesses = self.0.get(&source).copied().unwrap_or(0);
        if guesses >= config.max_wrong_tokens {
            return Err(Refusal::RateLimited);
        }
        if config.access.opens(overlay, token) {
            return Ok(());
        }
        if let Some(guesses) = self.0.get_mut(&source) {
            *guesses += 1;
        } else {
            if self.0.len() >= config.max_wrong_token_sources {
                self.0.pop_first();
            }
            self.0.insert(source, now + config.wrong_token_window, 1);
        }
        Err(Refusal::WrongToken)
    }
}
