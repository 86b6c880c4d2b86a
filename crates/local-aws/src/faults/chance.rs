//! Faults by chance: what befalls one call of thousands on AWS, often enough to be seen.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{Fault, Seen};
use crate::invocation_queue::MOST_EVENT_DELAY;

/// Longest that a call or an event is held up.
const MOST_DELAY: Duration = Duration::from_millis(500);

/// Probability of each fault of a call or an event that it can befall, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// [`Fault::SlowDown`].
    pub slow_down: f64,
    /// [`Fault::Failure`].
    pub failure: f64,
    /// [`Fault::Conflict`].
    pub conflict: f64,
    /// [`Fault::LostAnswer`].
    pub lost_answer: f64,
    /// [`Fault::Delay`].
    pub delay: f64,
    /// [`Fault::LostRecord`], of each record.
    pub lost_record: f64,
    /// [`Fault::RepeatedEvent`].
    pub repeated_event: f64,
    /// [`Fault::LateEvent`].
    pub late_event: f64,
}

/// Chance with a seed, and what it has done.
#[derive(Debug)]
pub(super) struct Chance {
    rates: Rates,
    random: StdRng,
    pub befallen: BTreeMap<Fault, u64>,
    pub seen: BTreeMap<Seen, u64>,
}

impl Rates {
    /// Returns rates at which every kind is seen within some hundred calls, and retries still get through.
    #[must_use]
    pub fn high() -> Self {
        Self {
            slow_down: 0.02,
            failure: 0.01,
            conflict: 0.03,
            lost_answer: 0.02,
            delay: 0.05,
            lost_record: 0.1,
            repeated_event: 0.05,
            late_event: 0.05,
        }
    }

    fn of(&self, fault: Fault) -> f64 {
        match fault {
            Fault::SlowDown => self.slow_down,
            Fault::Failure => self.failure,
            Fault::Conflict => self.conflict,
            Fault::LostAnswer => self.lost_answer,
            Fault::Delay => self.delay,
            Fault::LostRecord => self.lost_record,
            Fault::RepeatedEvent => self.repeated_event,
            Fault::LateEvent => self.late_event,
        }
    }
}

impl Chance {
    pub(super) fn new(seed: u64, rates: Rates) -> Self {
        Self {
            rates,
            random: StdRng::seed_from_u64(seed),
            befallen: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Lets chance decide, and counts.
    pub(super) fn befalls(&mut self, fault: Fault) -> bool {
        let befalls = self.random.random_bool(self.rates.of(fault));
        if befalls {
            *self.befallen.entry(fault).or_default() += 1;
        }
        befalls
    }

    /// Counts what came about by itself.
    pub(super) fn saw(&mut self, seen: Seen) {
        *self.seen.entry(seen).or_default() += 1;
    }

    pub(super) fn delay_of_call(&mut self) -> Option<Duration> {
        self.befalls(Fault::Delay).then(|| self.up_to(MOST_DELAY))
    }

    pub(super) fn delay_of_event(&mut self) -> Option<Duration> {
        self.befalls(Fault::LateEvent)
            .then(|| self.up_to(MOST_EVENT_DELAY))
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.random_range(0.0..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_befalls_the_same_calls_at_the_rate() {
        let draw = |seed| {
            let mut chance = Chance::new(seed, Rates::high());
            let drawn: Vec<bool> = (0..10_000).map(|_| chance.befalls(Fault::Delay)).collect();
            (drawn, chance.befallen[&Fault::Delay])
        };

        let (first, count) = draw(7);

        assert_eq!(draw(7).0, first);
        assert_ne!(draw(8).0, first);
        assert!((400..600).contains(&count), "{count}");
    }

    #[test]
    fn what_has_no_rate_never_befalls() {
        let mut chance = Chance::new(1, Rates::default());

        assert!((0..1_000).all(|_| !chance.befalls(Fault::LostAnswer)));
        assert!(chance.befallen.is_empty());
    }
}
