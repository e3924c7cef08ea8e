//! Counters of a server.

use crate::wire::Refusal;

/// The present state of a server in numbers, and what has happened since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections now.
    pub connections: usize,
    /// Overlays that have a root now.
    pub overlays: usize,
    /// Joins that roots know of now.
    pub pending_joins: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// Requests passed to a root.
    pub joins_passed: u64,
    /// Answers passed to a joiner.
    pub answers_passed: u64,
    /// Requests rejected because the overlay had no root, and joins that lost theirs.
    pub joins_without_root: u64,
    /// Requests rejected because the overlay had too many joins under way.
    pub joins_over_limit: u64,
    /// Joins forgotten because they took too long.
    pub joins_expired: u64,
    /// Frames dropped because their join had ended.
    pub frames_late: u64,
    /// Frames dropped because their join had had its share: second answers, and ICE candidates over the limit.
    pub frames_surplus: u64,
    /// Standbys promoted to root.
    pub promotions: u64,
    /// Clients refused or disconnected by the server.
    pub refused: Refusals,
}

/// The number of clients that the server refused or disconnected, for each reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// [`Refusal::Version`].
    pub version: u64,
    /// [`Refusal::WrongToken`].
    pub wrong_token: u64,
    /// [`Refusal::UnknownOverlay`].
    pub unknown_overlay: u64,
    /// [`Refusal::IdInUse`].
    pub id_in_use: u64,
    /// [`Refusal::Superseded`].
    pub superseded: u64,
    /// [`Refusal::TooManyConnections`].
    pub too_many_connections: u64,
    /// [`Refusal::RateLimited`].
    pub rate_limited: u64,
    /// [`Refusal::Silent`].
    pub silent: u64,
    /// [`Refusal::Malformed`].
    pub malformed: u64,
    /// [`Refusal::ShuttingDown`].
    pub shutting_down: u64,
}

impl Refusals {
    pub(super) const fn of_mut(&mut self, refusal: Refusal) -> &mut u64 {
        match refusal {
            Refusal::Version => &mut self.version,
            Refusal::WrongToken => &mut self.wrong_token,
            Refusal::UnknownOverlay => &mut self.unknown_overlay,
            Refusal::IdInUse => &mut self.id_in_use,
            Refusal::Superseded => &mut self.superseded,
            Refusal::TooManyConnections => &mut self.too_many_connections,
            Refusal::RateLimited => &mut self.rate_limited,
            Refusal::Silent => &mut self.silent,
            Refusal::Malformed => &mut self.malformed,
            Refusal::ShuttingDown => &mut self.shutting_down,
        }
    }
}
