//! What `advise` would take as a threshold, as far as audits alone tell.

use serde::{Deserialize, Serialize};

use super::{AuditCounts, AuditGrid};
use crate::{
    model::threshold::{CONFIDENCE, fallback, grid, threshold_of},
    statistics::{binomial_at_most, clopper_pearson_low},
};

/// A threshold above which what is trusted is as accurate as was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdvisedByAudits {
    /// Confidence that a prediction must exceed, from 0 to 1.
    pub threshold: f64,
    /// Audited predictions above it.
    pub audited: u64,
    /// Of these, the wrong ones.
    pub wrong: u64,
    /// Exact lower bound of the accuracy above it, at the significance with which it was tested.
    pub accuracy_at_least: f64,
}

impl AuditGrid {
    /// Returns the lowest threshold above which the `target` accuracy is kept, with the test of
    /// [`advise`](crate::model::threshold::advise) on audited predictions alone: these are a plain sample of what is trusted.
    ///
    /// `None` where it can be shown of no threshold. Where thresholds accept the same audited predictions it is the highest of
    /// them, so none below those that audits come from: `advise` also counts doubtful predictions, and may find a lower one.
    pub fn advised(&self, target: f64) -> Option<AdvisedByAudits> {
        let above: Vec<AuditCounts> = grid().map(|number| self.above(threshold_of(number))).collect();
        let p_value = |number: usize| {
            let AuditCounts { audited, wrong } = above[number];
            binomial_at_most(wrong, audited, 1.0 - target)
        };
        let tests = fallback(1.0 - CONFIDENCE, p_value);
        let lowest = tests.iter().rposition(|test| test.passes)?;
        let AuditCounts { audited, wrong } = above[lowest];
        let best = above.iter().position(|counts| counts.audited == audited)?;
        Some(AdvisedByAudits {
            threshold: f64::from(grid().nth(best)?) / 10_000.0,
            audited,
            wrong,
            accuracy_at_least: clopper_pearson_low(wrong, audited, tests[lowest].level),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::threshold::{Judged, Verdict, advise, fewest_to_advise};

    fn audits(groups: &[(usize, f32, bool)]) -> AuditGrid {
        let mut grid = AuditGrid::default();
        for &(count, confidence, right) in groups {
            (0..count).for_each(|_| grid.add(confidence, right));
        }
        grid
    }

    #[test]
    fn audits_advise_what_advise_does_of_the_same_predictions_and_never_less_than_they_reach() {
        let groups = [
            (200, 0.97, true),
            (2, 0.97, false),
            (60, 0.72, true),
            (20, 0.72, false),
        ];
        let judged = groups
            .iter()
            .enumerate()
            .flat_map(|(group, &(count, confidence, right))| {
                (0..count).map(move |number| Judged {
                    id: format!("{group}-{number}"),
                    class: "World".to_owned(),
                    several: false,
                    confidence,
                    right,
                    selection_probability: 0.1,
                })
            });
        let judged: Vec<Judged> = judged.collect();

        let by_audits = audits(&groups).advised(0.95).expect("enough audits");

        let Some(Verdict::Met(point)) = advise(&judged, 0.95, 1.0).map(|advice| advice.verdict) else {
            panic!("enough predictions");
        };
        assert_eq!(
            (by_audits.audited, by_audits.wrong),
            (point.accepted, point.wrong)
        );
        assert_eq!(Some(by_audits.accuracy_at_least), point.accuracy_at_least);
        // Of what lies between 72 % and 96 % nothing is known.
        assert_eq!(by_audits.threshold, 0.96);
    }

    #[test]
    fn too_few_audits_advise_nothing() {
        let fewest = usize::try_from(fewest_to_advise(0.95)).expect("few");

        assert_eq!(audits(&[(fewest - 1, 0.97, true)]).advised(0.95), None);
        assert!(audits(&[(fewest, 0.97, true)]).advised(0.95).is_some());
        assert_eq!(AuditGrid::default().advised(0.95), None);
    }
}
