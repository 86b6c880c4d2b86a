//! Pauses between tries: exponential, with full jitter, and bounded.

use std::time::Duration;

use tokio::time::sleep;

/// Tries of an optimistic loop; each that fails means that somebody else has written.
const MAX_TRIES: u32 = 30;

/// Upper bound of the first pause; it doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Longest pause. All pauses of a loop together take 12 seconds on average.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Counts the tries of an optimistic loop, and pauses before each but the first.
///
/// ```
/// # use active_learning_aws::backoff::Tries;
/// # async fn write() -> bool { true }
/// # async fn example() -> Result<(), &'static str> {
/// let mut tries = Tries::default();
/// while tries.again().await {
///     if write().await {
///         return Ok(());
///     }
/// }
/// Err("others kept writing it")
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Tries {
    made: u32,
}

impl Tries {
    /// Waits for the next try; returns whether there is one.
    pub async fn again(&mut self) -> bool {
        if self.made == MAX_TRIES {
            return false;
        }
        if let Some(failed) = self.made.checked_sub(1) {
            sleep(full_jitter(failed, FIRST_PAUSE, MAX_PAUSE)).await;
        }
        self.made += 1;
        true
    }
}

/// Returns a pause by chance: anything from zero to `first`, doubled `doublings` times, but to no more than `most`.
///
/// Whoever collides would otherwise collide again. Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
pub fn full_jitter(doublings: u32, first: Duration, most: Duration) -> Duration {
    let bound = first.saturating_mul(2_u32.saturating_pow(doublings)).min(most);
    bound.mul_f64(rand::random_range(0.0..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_ends_after_a_bounded_number_of_tries() {
        let mut tries = Tries::default();
        let mut made = 0;

        while tries.again().await {
            made += 1;
        }

        assert_eq!(made, MAX_TRIES);
        assert!(!tries.again().await);
    }

    #[test]
    fn a_pause_grows_to_its_bound_and_no_further() {
        let longest = |doublings| {
            let pauses = (0..200).map(|_| full_jitter(doublings, FIRST_PAUSE, MAX_PAUSE));
            pauses.max().expect("there are some")
        };

        assert!(longest(0) <= FIRST_PAUSE);
        assert!(longest(3) > FIRST_PAUSE && longest(3) <= 8 * FIRST_PAUSE);
        assert!(longest(u32::MAX) <= MAX_PAUSE);
    }
}
