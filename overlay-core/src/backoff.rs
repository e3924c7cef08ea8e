//! Backoff: the wait before another try.

use core::time::Duration;

use crate::config::Config;
use crate::random::Random;

/// Exponential backoff with "equal jitter": half of the wait is fixed, half is drawn. So nodes
/// that failed together do not come back together, and none comes back at once.
/// See Brooker, "Exponential Backoff And Jitter", 2015.
pub(crate) fn after_failures(failures: u32, config: &Config, random: &mut Random) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let wait = config
        .retry_min
        .saturating_mul(1 << doublings)
        .min(config.retry_max);
    wait / 2 + up_to(wait / 2, random)
}

/// A random duration up to `most`, and at least the shortest that an `Instant` tells from none: what is to be
/// done after a wait must not be due at once.
pub(crate) fn up_to(most: Duration, random: &mut Random) -> Duration {
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros((random.draw() % micros.max(1)).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_never_fall_below_half() {
        let config = Config::default();
        let mut random = Random::from_seed([7; 32]);
        for (failures, wait) in [(1, 500), (2, 1_000), (3, 2_000), (40, 30_000)] {
            let wait = Duration::from_millis(wait);
            let drawn = after_failures(failures, &config, &mut random);
            assert!(drawn >= wait / 2 && drawn <= wait, "{failures}: {drawn:?}");
        }
    }
}
