//! Evidence that predictions have become worse, at whatever time they did.

use serde::{Deserialize, Serialize};

use super::AuditCounts;
use crate::statistics::evidence_of_fewer;

/// How near to the target an accuracy that was never kept is expected: ten times as likely just below it as uniformly.
const NEAR_TARGET: u32 = 10;
/// So many times the allowed odds of being wrong are looked for after a change.
const WORSE_ODDS: [f64; 2] = [2.0, 6.0];
/// A change is as likely among the first so many audits as ever after.
const HALF_OF_CHANGES: f64 = 200.0;
/// Nothing needs more evidence, and JSON knows no infinity.
const MAX: f64 = 1e100;

/// Sums of likelihood ratios over all times at which predictions could have become worse, one for each of the odds.
///
/// A change before audit number `k`, counted from 0, has the weight `200 / ((k + 200) (k + 201))`; the weights sum to one.
/// So a sum is a mean of likelihood ratios, thus an e-value at any time, and takes one number. Without weights it is
/// the procedure of Shiryaev and Roberts. Source: J. Shin, A. Ramdas and A. Rinaldo, "E-detectors: a nonparametric framework
/// for sequential change detection", New England Journal of Statistics in Data Science 2 (2024).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SinceChange([f64; WORSE_ODDS.len()]);

impl SinceChange {
    /// Takes the audits between two looks, in no order; a change within them counts from their beginning.
    pub(super) fn add(&mut self, before: AuditCounts, now: AuditCounts, target: f64) {
        let new = now.without(before);
        let weight_after = |audits: u64| HALF_OF_CHANGES / (audits as f64 + HALF_OF_CHANGES);
        let weight = weight_after(before.audited) - weight_after(now.audited);
        for (sum, odds) in self.0.iter_mut().zip(WORSE_ODDS) {
            // Were fewer wrong than allowed, the ratio of one audit would be below 1 in the mean; at the target it is 1.
            let ln_ratio =
                new.wrong as f64 * odds.ln() - new.audited as f64 * ((1.0 - target) * (odds - 1.0)).ln_1p();
            *sum = ((*sum + weight) * ln_ratio.exp()).min(MAX);
        }
    }

    /// Returns how strongly all audits speak against the target: an e-value, however often one looks.
    ///
    /// The mean of the sums and of the [evidence](evidence_of_fewer) that it was never kept, which alone finds accuracies
    /// just below the target.
    pub(super) fn evidence(self, audits: AuditCounts, target: f64) -> f64 {
        let AuditCounts { audited, wrong } = audits;
        let never_kept = evidence_of_fewer(audited - wrong, audited, target, NEAR_TARGET);
        (never_kept.min(MAX) + self.0.iter().sum::<f64>()) / (1 + self.0.len()) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: f64 = 0.95;

    fn counts(audited: u64, wrong: u64) -> AuditCounts {
        AuditCounts { audited, wrong }
    }

    /// Mean evidence after this many audits, by all ways in which they can turn out, one look each.
    fn mean(audits: u64, right: f64) -> f64 {
        let ways = 0..1_u32 << audits;
        let of_way = ways.map(|way| {
            let (mut since_change, mut sum) = (SinceChange::default(), AuditCounts::default());
            let mut probability = 1.0;
            for number in 0..audits {
                let wrong = u64::from((way >> number) & 1);
                let next = counts(sum.audited + 1, sum.wrong + wrong);
                since_change.add(sum, next, TARGET);
                sum = next;
                probability *= if wrong == 1 { 1.0 - right } else { right };
            }
            probability * since_change.evidence(sum, TARGET)
        });
        of_way.sum()
    }

    #[test]
    fn where_the_target_is_kept_the_mean_evidence_is_never_above_1() {
        for audits in 1..12 {
            for right in [0.95, 0.97, 1.0] {
                assert!(mean(audits, right) <= 1.0 + 1e-9, "{audits} {right}");
            }
            assert!(mean(audits, 0.9) > mean(audits, 0.95));
        }
    }

    #[test]
    fn a_good_time_is_not_paid_back() {
        let since = |good: u64| {
            let mut since_change = SinceChange::default();
            let (kept, now) = (counts(good, good / 100), counts(good + 100, good / 100 + 25));
            since_change.add(AuditCounts::default(), kept, TARGET);
            since_change.add(kept, now, TARGET);
            since_change.evidence(now, TARGET)
        };

        assert!(since(100_000) > 20.0, "{}", since(100_000));
    }

    #[test]
    fn any_number_of_errors_at_once_is_a_number() {
        let (mut since_change, all) = (SinceChange::default(), counts(u64::MAX >> 12, u64::MAX >> 12));
        since_change.add(AuditCounts::default(), all, TARGET);

        assert!(
            since_change.0.iter().all(|sum| sum.is_finite()),
            "{since_change:?}"
        );
    }
}
