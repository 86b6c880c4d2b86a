//! Model selection: whether the challenger takes the champion's place, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    dataset::{Problem, Severity},
    model::evaluation::{Evaluation, LabelNames, McNemar, TestPrediction, evaluate},
};

/// What a challenger must show. There are no defaults: these are the operator's decisions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectionPolicy {
    /// Least gain in macro F1, from 0 to 1; 0 accepts an equal model.
    #[serde(rename = "minMacroF1Gain")]
    pub min_macro_f1_gain: f64,
    /// Significance level of McNemar's test: a challenger that is worse with a smaller p-value is refused.
    pub significance: f64,
    /// Most recall that any class may lose, from 0 to 1.
    pub max_recall_loss: f64,
}

/// A model with its predictions of the test rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<'a> {
    /// ARN of the model.
    pub model_arn: &'a str,
    /// All classes that it can predict.
    pub classes: BTreeSet<String>,
    /// Its predictions, in the order of the test rows.
    pub predictions: &'a [TestPrediction],
}

/// The decision with its reasons and numbers; written for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Whether the challenger is deployed: all reasons are in favour.
    pub deploy: bool,
    /// One sentence for each rule.
    pub reasons: Vec<Reason>,
    /// The rules that were applied.
    pub policy: SelectionPolicy,
    /// The model that serves, if any.
    pub champion: Option<Measured>,
    /// The new model.
    pub challenger: Measured,
    /// The paired test, if both were measured on the same rows.
    pub mcnemar: Option<McNemar>,
    /// Recall of the challenger less that of the champion, by class of the test rows.
    pub recall_changes: BTreeMap<String, f64>,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Whether it allows the deployment.
    pub in_favour: bool,
    /// The rule with its numbers.
    pub text: String,
}

/// Test rows below which a comparison is said to say little.
const FEW_ROWS: usize = 30;

/// What a champion knows of a class at most, as [`informedness`], for its recall to count for nothing.
const MIN_INFORMEDNESS: f64 = 0.1;

/// Returns the recall of a class less the share of the other rows that is taken for it too: 1 for a perfect model, 0 for
/// one that says the class of every text, or of none (Youden's J).
fn informedness(predictions: &[TestPrediction], class: &str) -> f64 {
    let is = |labels: &LabelNames| labels.names().iter().any(|name| name == class);
    let share = |of_class: bool| {
        let rows = predictions.iter().filter(|row| is(&row.actual) == of_class);
        let (all, taken) = rows.fold((0_u32, 0_u32), |(all, taken), row| {
            (all + 1, taken + u32::from(is(&row.predicted)))
        });
        f64::from(taken) / f64::from(all.max(1))
    };
    share(true) - share(false)
}

/// A model and its measured quality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// ARN of the model.
    pub model_arn: String,
    /// Its quality on the test rows.
    pub evaluation: Evaluation,
}

impl Measured {
    fn of(candidate: &Candidate<'_>) -> Self {
        Self {
            model_arn: candidate.model_arn.to_owned(),
            evaluation: evaluate(candidate.predictions),
        }
    }
}

impl Decision {
    /// Decides whether the challenger is deployed.
    ///
    /// Deployed only if the dataset has no error and, where there is a champion: both were measured on the same
    /// rows, macro F1 improves enough, McNemar's test is not against the challenger, no class loses too much recall, and
    /// the challenger knows every class that the champion knows. The first model needs a good dataset only.
    pub fn make(
        policy: SelectionPolicy,
        champion: Option<&Candidate<'_>>,
        challenger: &Candidate<'_>,
        problems: &[Problem],
    ) -> Self {
        let mut decision = Self {
            deploy: false,
            reasons: Vec::new(),
            policy,
            champion: champion.map(Measured::of),
            challenger: Measured::of(challenger),
            mcnemar: champion
                .and_then(|champion| McNemar::test(champion.predictions, challenger.predictions)),
            recall_changes: BTreeMap::new(),
        };
        let errors = problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error);
        let errors: Vec<&str> = errors.map(|problem| problem.message.as_str()).collect();
        match errors.as_slice() {
            [] => decision.reason(true, "the dataset passed its check".into()),
            errors => decision.reason(
                false,
                format!("the dataset did not pass its check: {}", errors.join("; ")),
            ),
        }
        match champion {
            None => decision.reason(true, "there is no champion yet".into()),
            Some(champion) => decision.compare(champion, challenger),
        }
        decision.deploy = decision.reasons.iter().all(|reason| reason.in_favour);
        decision
    }

    /// Adds what another rule says; one that is against it keeps the challenger from being deployed.
    pub fn add(&mut self, reason: Reason) {
        self.deploy &= reason.in_favour;
        self.reasons.push(reason);
    }

    fn compare(&mut self, champion: &Candidate<'_>, challenger: &Candidate<'_>) {
        let Some(measured) = &self.champion else { return };
        let (old, new, policy) = (
            measured.evaluation.clone(),
            self.challenger.evaluation.clone(),
            self.policy,
        );

        match self.mcnemar {
            _ if new.rows == 0 => self.reason(false, "there are no test rows to compare on".into()),
            None => self.reason(
                false,
                "champion and challenger were not measured on the same rows".into(),
            ),
            Some(test) => {
                let against = test.is_against_challenger(policy.significance);
                let verdict = if against { "is against" } else { "is not against" };
                let few = match new.rows {
                    rows if rows < FEW_ROWS => {
                        format!(". There are only {rows} test rows: the comparison says little")
                    }
                    _ => String::new(),
                };
                let text = format!(
                    "McNemar's test {verdict} the challenger: rows that it alone has right {}, the champion alone {} \
                     (p = {:.4}, significance level {}){few}",
                    test.only_challenger_right, test.only_champion_right, test.p_value, policy.significance
                );
                self.reason(!against, text);
            }
        }

        let gain = new.macro_f1 - old.macro_f1;
        // The gain is a difference of rounded numbers: equal is equal.
        let enough = gain >= policy.min_macro_f1_gain - 1e-12;
        let text = format!(
            "macro F1 went from {:.4} to {:.4} ({gain:+.4}); a gain of {} is needed",
            old.macro_f1, new.macro_f1, policy.min_macro_f1_gain
        );
        self.reason(enough, text);

        let recalls = |evaluation: &Evaluation| -> BTreeMap<String, f64> {
            let tested = evaluation.classes.iter().filter(|class| class.support > 0);
            tested.map(|class| (class.class.clone(), class.recall)).collect()
        };
        let before = recalls(&old);
        let change =
            |(class, recall): (String, f64)| before.get(&class).map(|before| (class, recall - before));
        self.recall_changes = recalls(&new).into_iter().filter_map(change).collect();
        let lost = self
            .recall_changes
            .iter()
            .filter(|(_, change)| **change < -policy.max_recall_loss - 1e-12);
        let (worthless, lost): (Vec<_>, Vec<_>) =
            lost.partition(|(class, _)| informedness(champion.predictions, class) <= MIN_INFORMEDNESS);
        let shown = |classes: Vec<(&String, &f64)>| {
            let shown = classes
                .iter()
                .map(|(class, change)| format!("`{class}` {change:+.4}"));
            shown.collect::<Vec<_>>().join(", ")
        };
        let limit = policy.max_recall_loss;
        let said = match worthless.is_empty() {
            true => String::new(),
            false => format!(
                "; the champion gives nearly every text this label, so its recall counts for nothing: {}",
                shown(worthless)
            ),
        };
        match lost.is_empty() {
            true => self.reason(true, format!("no class lost more recall than {limit}{said}")),
            false => {
                let text = format!(
                    "classes lost more recall than {limit}, the parameter MaxRecallLoss: {}{said}",
                    shown(lost)
                );
                self.reason(false, text);
            }
        }

        let missing: Vec<String> = champion
            .classes
            .difference(&challenger.classes)
            .map(|class| format!("`{class}`"))
            .collect();
        match missing.as_slice() {
            [] => self.reason(true, "the challenger knows every class of the champion".into()),
            missing => self.reason(
                false,
                format!("the challenger does not know {}", missing.join(", ")),
            ),
        }
    }

    fn reason(&mut self, in_favour: bool, text: String) {
        self.reasons.push(Reason { in_favour, text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: SelectionPolicy = SelectionPolicy {
        min_macro_f1_gain: 0.01,
        significance: 0.05,
        max_recall_loss: 0.1,
    };

    /// Predictions on 100 rows of each of two classes, of which so many are right.
    fn predictions(right_a: usize, right_b: usize) -> Vec<TestPrediction> {
        let row = |actual: &str, other: &str, right: bool| TestPrediction {
            actual: actual.into(),
            predicted: if right { actual } else { other }.into(),
            confidence: 0.8,
        };
        let a = (0..100).map(|n| row("A", "B", n < right_a));
        a.chain((0..100).map(|n| row("B", "A", n < right_b))).collect()
    }

    fn candidate<'a>(
        model_arn: &'a str,
        classes: &[&str],
        predictions: &'a [TestPrediction],
    ) -> Candidate<'a> {
        Candidate {
            model_arn,
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
            predictions,
        }
    }

    fn decide(old: (usize, usize), new: (usize, usize)) -> Decision {
        let (old, new) = (predictions(old.0, old.1), predictions(new.0, new.1));
        Decision::make(
            POLICY,
            Some(&candidate("old", &["A", "B"], &old)),
            &candidate("new", &["A", "B"], &new),
            &[],
        )
    }

    fn refusals(decision: &Decision) -> Vec<&str> {
        assert_eq!(
            decision.deploy,
            decision.reasons.iter().all(|reason| reason.in_favour)
        );
        decision
            .reasons
            .iter()
            .filter(|reason| !reason.in_favour)
            .map(|reason| reason.text.as_str())
            .collect()
    }

    #[test]
    fn a_better_challenger_is_deployed_and_the_numbers_are_readable() {
        let decision = decide((80, 80), (90, 85));

        assert!(decision.deploy);
        let json = serde_json::to_value(&decision).expect("JSON");
        assert_eq!(
            json["reasons"][2]["text"],
            "macro F1 went from 0.8000 to 0.8749 (+0.0749); a gain of 0.01 is needed"
        );
        assert_eq!(json["mcnemar"]["onlyChallengerRight"], 15);
        assert_eq!(json["champion"]["modelArn"], "old");
        assert_eq!(json["challenger"]["evaluation"]["accuracy"], 0.875);
        assert_eq!(serde_json::from_value::<Decision>(json).ok(), Some(decision));
    }

    #[test]
    fn too_small_a_gain_is_refused() {
        assert_eq!(
            refusals(&decide((80, 80), (81, 80))),
            ["macro F1 went from 0.8000 to 0.8050 (+0.0050); a gain of 0.01 is needed"]
        );
        assert!(refusals(&decide((80, 80), (80, 80)))[0].contains("(+0.0000)"));
    }

    #[test]
    fn a_class_that_loses_recall_is_refused_whatever_the_others_gain() {
        assert_eq!(
            refusals(&decide((80, 60), (69, 90))),
            ["classes lost more recall than 0.1, the parameter MaxRecallLoss: `A` -0.1100"]
        );
        assert!(
            decide((80, 60), (70, 90)).deploy,
            "a loss of the parameter itself is allowed"
        );
    }

    #[test]
    fn the_recall_of_a_champion_that_says_one_class_of_every_text_is_no_hindrance() {
        let decision = decide((100, 0), (85, 95));
        let nearly = decide((98, 3), (85, 95));

        assert!(decision.deploy && nearly.deploy, "{:?}", refusals(&decision));
        let said = decision
            .reasons
            .iter()
            .find(|reason| reason.text.contains("recall"));
        assert_eq!(
            said.expect("a rule").text,
            "no class lost more recall than 0.1; the champion gives nearly every text this label, so its recall counts for \
             nothing: `A` -0.1500"
        );
    }

    #[test]
    fn a_significantly_worse_challenger_has_the_test_against_it() {
        let decision = decide((90, 90), (83, 83));

        assert!(
            decision
                .mcnemar
                .is_some_and(|test| test.is_against_challenger(0.05))
        );
        assert!(refusals(&decision)[0].starts_with("McNemar's test is against the challenger"));
    }

    #[test]
    fn a_class_that_the_challenger_does_not_know_is_refused() {
        let (old, new) = (predictions(80, 80), predictions(90, 90));

        let decision = Decision::make(
            POLICY,
            Some(&candidate("old", &["A", "B", "C"], &old)),
            &candidate("new", &["A", "B"], &new),
            &[],
        );

        assert_eq!(refusals(&decision), ["the challenger does not know `C`"]);
    }

    #[test]
    fn models_measured_on_other_rows_are_not_compared() {
        let (old, new) = (predictions(80, 80), predictions(90, 90));
        let old_candidate = candidate("old", &["A"], &old[..150]);

        let other_rows = Decision::make(POLICY, Some(&old_candidate), &candidate("new", &["A"], &new), &[]);
        let no_rows = Decision::make(
            POLICY,
            Some(&candidate("old", &["A"], &[])),
            &candidate("new", &["A"], &[]),
            &[],
        );

        assert!(
            refusals(&other_rows).contains(&"champion and challenger were not measured on the same rows")
        );
        assert!(refusals(&no_rows).contains(&"there are no test rows to compare on"));
    }

    #[test]
    fn the_first_model_needs_a_good_dataset_only() {
        let new = predictions(50, 50);
        let problem = |severity| Problem {
            severity,
            message: "class `A` has 3 rows".into(),
        };
        let decide = |problems: &[Problem]| {
            Decision::make(POLICY, None, &candidate("new", &["A", "B"], &new), problems)
        };

        assert!(decide(&[problem(Severity::Warning)]).deploy);
        assert_eq!(
            refusals(&decide(&[problem(Severity::Error), problem(Severity::Error)])),
            ["the dataset did not pass its check: class `A` has 3 rows; class `A` has 3 rows"]
        );
    }
}
