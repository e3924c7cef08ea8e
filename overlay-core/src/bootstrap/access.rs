//! Access: which overlays a server carries, and which token makes a client the root.

use alloc::collections::BTreeMap;

use subtle::ConstantTimeEq;

use super::ConfigError;
use crate::wire::{OverlayName, Token};

/// The overlays that a server carries, each with the token of its root.
#[derive(Clone, Debug, Default)]
pub struct Access {
    named: BTreeMap<OverlayName, Token>,
    wildcard: Option<Token>,
}

impl Access {
    /// Adds the overlay `name`, whose root knows `token`. No other token opens it.
    #[must_use]
    pub fn overlay(mut self, name: OverlayName, token: Token) -> Self {
        self.named.insert(name, token);
        self
    }

    /// Adds the wildcard token, which opens every overlay that has no token of its own.
    #[must_use]
    pub fn any_overlay(mut self, token: Token) -> Self {
        self.wildcard = Some(token);
        self
    }

    /// Whether the overlay has a token of its own.
    pub(super) fn names(&self, name: &OverlayName) -> bool {
        self.named.contains_key(name)
    }

    /// Whether the overlay can have a root here.
    pub(super) fn carries(&self, name: &OverlayName) -> bool {
        self.wildcard.is_some() || self.names(name)
    }

    /// Whether `token` makes its bearer the overlay's root. A client can't tell an overlay that isn't carried from a
    /// wrong token, neither by the answer nor by the time it takes: that depends on the lengths alone.
    pub(super) fn opens(&self, name: &OverlayName, token: &Token) -> bool {
        let expected = self.named.get(name).or(self.wildcard.as_ref());
        let compared = expected.unwrap_or(token).expose().as_bytes();
        bool::from(compared.ct_eq(token.expose().as_bytes())) && expected.is_some()
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let mut tokens = self.named.values().chain(&self.wildcard).peekable();
        if tokens.peek().is_none() {
            return Err(ConfigError::NoOverlay);
        }
        if tokens.any(|token| token.expose().is_empty()) {
            return Err(ConfigError::EmptyToken);
        }
        Ok(())
    }
}
