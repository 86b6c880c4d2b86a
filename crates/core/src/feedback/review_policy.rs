//! Trust the prediction or ask a person, and with what probability it was asked.

use std::str::FromStr;

use crate::feedback::{Signal, prediction::Prediction};

/// Why a setting of the policy was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number from 0 to 1, got `{0}`")]
pub struct NotAProbability(String);

/// Confidence that a prediction must exceed to be trusted without human review.
///
/// Unit: probability from 0 to 1, the scale of Comprehend's `DocumentClass.Score`. Kept as `f32`, the
/// type the service returns: widened to `f64`, 0.7 reads 0.69999999 and falls below a threshold of 0.7.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct ConfidenceThreshold(f32);

/// Margin between the best and the second class that a prediction must exceed to be trusted; 0 turns
/// the rule off.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct MarginThreshold(f32);

/// Share of all predictions that is reviewed whatever its confidence, from 0 to 1; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct AuditSampleRate(f64);

impl AuditSampleRate {
    /// Returns whether nothing is ever audited.
    pub fn is_off(self) -> bool {
        self.0 <= 0.0
    }
}

fn probability<T: FromStr + PartialOrd + From<u8>>(text: &str) -> Result<T, NotAProbability> {
    text.trim()
        .parse()
        .ok()
        .filter(|number| (T::from(0)..=T::from(1)).contains(number))
        .ok_or_else(|| NotAProbability(text.to_owned()))
}

impl ConfidenceThreshold {
    /// Returns the confidence that a prediction must exceed, from 0 to 1.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl FromStr for ConfidenceThreshold {
    type Err = NotAProbability;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        probability(text).map(Self)
    }
}

impl FromStr for MarginThreshold {
    type Err = NotAProbability;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        probability(text).map(Self)
    }
}

impl FromStr for AuditSampleRate {
    type Err = NotAProbability;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        probability(text).map(Self)
    }
}

/// The rules by which a prediction goes to human review.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReviewPolicy {
    /// Least-confidence rule.
    pub threshold: ConfidenceThreshold,
    /// Margin rule.
    pub margin: MarginThreshold,
    /// Random audit.
    pub audit_rate: AuditSampleRate,
}

/// The decision that a person looks at a prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Review {
    /// The rule that asked for it.
    pub signal: Signal,
    /// Probability with which this prediction was selected, greater than 0 and at most 1.
    ///
    /// Its inverse weights the item in an unbiased estimate over all traffic (Horvitz–Thompson).
    pub selection_probability: f64,
}

impl ReviewPolicy {
    /// Returns whether every prediction goes to review, whatever its confidence.
    pub fn reviews_all(&self) -> bool {
        self.threshold.0 >= 1.0 || self.margin.0 >= 1.0 || self.audit_rate.0 >= 1.0
    }

    /// Decides whether a person should look at `prediction`; `draw` is uniform in `[0, 1)`.
    ///
    /// A prediction is trusted only when its confidence exceeds the threshold and its margin exceeds
    /// the margin threshold; what the rules do not ask for is asked for with the audit rate.
    pub fn decide(&self, prediction: &Prediction, draw: f64) -> Option<Review> {
        let certain = |signal| {
            Some(Review {
                signal,
                selection_probability: 1.0,
            })
        };
        if prediction.confidence <= self.threshold.0 {
            certain(Signal::LowConfidence)
        } else if self.margin.0 > 0.0 && prediction.margin <= self.margin.0 {
            certain(Signal::LowMargin)
        } else if draw < self.audit_rate.0 {
            Some(Review {
                signal: Signal::Audit,
                selection_probability: self.audit_rate.0,
            })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::feedback::prediction::ClassScore;

    fn policy(threshold: &str, margin: &str, audit: &str) -> ReviewPolicy {
        ReviewPolicy {
            threshold: threshold.parse().expect("a probability"),
            margin: margin.parse().expect("a probability"),
            audit_rate: audit.parse().expect("a probability"),
        }
    }

    fn prediction(first: f32, second: f32) -> Prediction {
        let class = |name: &str, score| ClassScore {
            name: name.into(),
            score,
        };
        Prediction::multi_class(vec![class("World", first), class("Sports", second)]).expect("two classes")
    }

    #[test]
    fn a_confidence_equal_to_the_threshold_is_reviewed() {
        let review = policy("0.7", "0", "0").decide(&prediction(0.7, 0.1), 0.0);

        assert_eq!(
            review,
            Some(Review {
                signal: Signal::LowConfidence,
                selection_probability: 1.0
            })
        );
    }

    #[test]
    fn a_confidence_above_the_threshold_is_trusted() {
        assert_eq!(
            policy("0.7", "0", "0").decide(&prediction(0.701, 0.299), 0.0),
            None
        );
    }

    #[test]
    fn a_close_second_class_is_reviewed_when_the_margin_rule_is_on() {
        let close = prediction(0.55, 0.44);

        let review = policy("0.5", "0.2", "0").decide(&close, 0.0);

        assert_eq!(review.map(|review| review.signal), Some(Signal::LowMargin));
        assert_eq!(policy("0.5", "0", "0").decide(&close, 0.0), None);
    }

    #[test]
    fn the_audit_selects_below_its_rate_and_records_the_probability() {
        let policy = policy("0.5", "0", "0.01");

        let chosen = policy.decide(&prediction(0.99, 0.01), 0.009);

        assert_eq!(
            chosen,
            Some(Review {
                signal: Signal::Audit,
                selection_probability: 0.01
            })
        );
        assert_eq!(policy.decide(&prediction(0.99, 0.01), 0.01), None);
    }

    #[test]
    fn everything_is_reviewed_where_one_rule_selects_whatever_comes() {
        for (threshold, margin, audit, reviews_all) in [
            ("1", "0", "0", true),
            ("0.5", "1", "0", true),
            ("0.5", "0", "1", true),
            ("0.99", "0.9", "0.9", false),
        ] {
            let policy = policy(threshold, margin, audit);

            assert_eq!(policy.reviews_all(), reviews_all, "{policy:?}");
            assert!(!reviews_all || policy.decide(&prediction(1.0, 0.0), 0.999).is_some());
        }
    }

    #[test]
    fn settings_outside_zero_to_one_are_refused_with_their_value() {
        for text in ["50%", "1.1", "-0.1", "NaN", "", "inf"] {
            let error = ConfidenceThreshold::from_str(text).expect_err("not a probability");
            assert_eq!(
                error.to_string(),
                format!("expected a number from 0 to 1, got `{text}`")
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_selected_has_a_positive_probability(
            threshold in 0.0f32..=1.0, margin in 0.0f32..=1.0, audit in 0.0f64..=1.0,
            first in 0.0f32..=1.0, second in 0.0f32..=1.0, draw in 0.0f64..1.0,
        ) {
            let policy = ReviewPolicy {
                threshold: ConfidenceThreshold(threshold),
                margin: MarginThreshold(margin),
                audit_rate: AuditSampleRate(audit),
            };
            let prediction = prediction(first, second);

            match policy.decide(&prediction, draw) {
                Some(review) => prop_assert!(review.selection_probability > 0.0 && review.selection_probability <= 1.0),
                None => prop_assert!(prediction.confidence > threshold && draw >= audit),
            }
        }
    }
}
