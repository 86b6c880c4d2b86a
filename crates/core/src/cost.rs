//! What a stack costs on AWS, about: what was measured of each step, by list prices.
//!
//! The guide says how it was measured: `explanation/growth-and-cost.md`, whose table a test holds against these numbers.

use serde::{Deserialize, Serialize};

/// What a thousand texts cost, measured over a million records, by list prices of us-east-1 of November 2026, without what is
/// free, without storage and without training.
pub const PER_THOUSAND: [(&str, f64); 5] = [
    ("classified, and trusted", 0.0098),
    ("classified in doubt, until it is queued", 0.0166),
    ("classified in doubt, answered and told", 0.0690),
    ("disliked, answered and told", 0.0582),
    ("of a file, chosen, answered and told", 0.0803),
];
/// What a month costs in which only schedules run, with the built-in classifier, in USD.
pub const IDLE_MONTH: f64 = 8.40;
/// What is in none of these.
pub const NOT_INCLUDED: &str =
    "without people, storage, training, and an endpoint of Amazon Comprehend or SageMaker";

/// What a month has cost so far, an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostSoFar {
    /// All of it, in USD.
    pub usd: f64,
    /// Of this, what an idle stack has cost.
    pub idle_usd: f64,
    /// Trusted predictions that are in it, about; none where they are not known, and not in it.
    pub trusted: Option<f64>,
    /// Predictions in doubt that are in it.
    pub doubtful: u64,
    /// Texts that were answered.
    pub answered: u64,
}

impl CostSoFar {
    /// Adds up what was counted since the beginning of a month of which `share` is over.
    pub fn of(trusted: Option<f64>, doubtful: u64, answered: u64, share: f64) -> Self {
        let [(_, of_trusted), (_, of_doubtful), (_, of_answered), ..] = PER_THOUSAND;
        let thousands = |count: f64| count / 1_000.0;
        let idle_usd = IDLE_MONTH * share;
        let predicted =
            thousands(trusted.unwrap_or_default()) * of_trusted + thousands(doubtful as f64) * of_doubtful;
        // What is answered has come before.
        let reviewed = thousands(answered as f64) * (of_answered - of_doubtful);
        Self {
            usd: idle_usd + predicted + reviewed,
            idle_usd,
            trusted,
            doubtful,
            answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_costs_what_stands_idle_and_what_was_done() {
        let idle = CostSoFar::of(None, 0, 0, 0.5);
        let busy = CostSoFar::of(Some(1e6), 100_000, 100_000, 0.5);

        assert!((idle.usd - 4.20).abs() < 1e-9);
        assert!((busy.usd - (4.20 + 9.8 + 6.90)).abs() < 1e-9, "{}", busy.usd);
    }
}
