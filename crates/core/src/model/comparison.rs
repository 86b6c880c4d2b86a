//! Model selection: whether the challenger takes the champion's place, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    dataset::{Problem, Severity},
    model::evaluation::{Evaluation, LabelNames, McNemar, TestPrediction, evaluate},
    text::counted,
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
    /// Why a champion is not to go on serving, if it is so: the challenger need not be better then, only not worse by more
    /// than chance.
    pub has_to_go: Option<String>,
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

/// Returns by how much the recall of each class changed that both models were tested on.
fn recall_changes(old: &Evaluation, new: &Evaluation) -> BTreeMap<String, f64> {
    let before = recalls(old);
    let change = |(class, recall): (String, f64)| before.get(&class).map(|before| (class, recall - before));
    recalls(new).into_iter().filter_map(change).collect()
}

fn recalls(evaluation: &Evaluation) -> BTreeMap<String, f64> {
    let tested = evaluation.classes.iter().filter(|class| class.support > 0);
    tested.map(|class| (class.class.clone(), class.recall)).collect()
}

/// Says what macro F1 leaves open where a row may have several labels; it decides nothing.
fn of_several_labels(old: &Evaluation, new: &Evaluation) -> String {
    let is_of_several = old.several_labels || new.several_labels;
    match old.micro_f1.zip(new.micro_f1).filter(|_| is_of_several) {
        Some((before, after)) => format!(
            "; beside it micro F1 went from {before:.4} to {after:.4}, and the share of rows with all labels right (subset \
             accuracy) from {:.4} to {:.4}",
            old.accuracy, new.accuracy
        ),
        None => String::new(),
    }
}

fn listed(changes: &[(&String, &f64)]) -> String {
    let changes = changes
        .iter()
        .map(|(class, change)| format!("`{class}` {change:+.4}"));
    changes.collect::<Vec<_>>().join(", ")
}

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
    /// the challenger knows every class that the champion knows. The first model needs a good dataset only. Where the
    /// champion [has to go](Candidate::has_to_go), neither gain nor recall count.
    pub fn make(
        policy: SelectionPolicy,
        champion: Option<&Candidate<'_>>,
        challenger: &Candidate<'_>,
        problems: &[Problem],
    ) -> Self {
        Self::decide(
            policy,
            champion.ok_or("there is no champion yet"),
            challenger,
            problems,
        )
    }

    /// Decides as [`Decision::make`] does where the champion cannot be measured, and says why. Whether the challenger is good
    /// for anything, another rule is to say.
    pub fn without_champion(
        policy: SelectionPolicy,
        why: &str,
        challenger: &Candidate<'_>,
        problems: &[Problem],
    ) -> Self {
        Self::decide(policy, Err(why), challenger, problems)
    }

    fn decide(
        policy: SelectionPolicy,
        champion: Result<&Candidate<'_>, &str>,
        challenger: &Candidate<'_>,
        problems: &[Problem],
    ) -> Self {
        let why_not = champion.err();
        let champion = champion.ok();
        let measured = champion.map(Measured::of);
        let mut decision = Self::begin(policy, measured, Measured::of(challenger), problems);
        decision.mcnemar =
            champion.and_then(|champion| McNemar::test(champion.predictions, challenger.predictions));
        match champion {
            None => decision.reason(true, why_not.unwrap_or_default().to_owned()),
            Some(champion) => decision.compare(champion, challenger),
        }
        decision.deploy = decision.reasons.iter().all(|reason| reason.in_favour);
        decision
    }

    /// Decides where the models were measured elsewhere and only averages are told: by the dataset and macro F1; without
    /// the latter where the champion [has to go](Candidate::has_to_go).
    pub fn of_averages(
        policy: SelectionPolicy,
        champion: Option<Measured>,
        has_to_go: Option<&str>,
        challenger: Measured,
        problems: &[Problem],
    ) -> Self {
        let mut decision = Self::begin(policy, champion, challenger, problems);
        let new = decision.challenger.evaluation.macro_f1;
        match decision.champion.as_ref().map(|old| old.evaluation.macro_f1) {
            None => decision.reason(true, "there is no champion yet".into()),
            Some(old) => {
                match has_to_go {
                    Some(why) => decision.tell_macro_f1(old, new, why, ""),
                    None => decision.compare_macro_f1(old, new, ""),
                }
                let text =
                    "averages alone are known: no paired test was made, and no class was looked at by itself";
                decision.reason(true, text.into());
            }
        }
        decision.deploy = decision.reasons.iter().all(|reason| reason.in_favour);
        decision
    }

    /// Begins with what the check of the dataset says.
    fn begin(
        policy: SelectionPolicy,
        champion: Option<Measured>,
        challenger: Measured,
        problems: &[Problem],
    ) -> Self {
        let mut decision = Self {
            deploy: false,
            reasons: Vec::new(),
            policy,
            champion,
            challenger,
            mcnemar: None,
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
        decision
    }

    /// Adds what another rule says; one that is against it keeps the challenger from being deployed.
    pub fn add(&mut self, reason: Reason) {
        self.deploy &= reason.in_favour;
        self.reasons.push(reason);
    }

    fn compare(&mut self, champion: &Candidate<'_>, challenger: &Candidate<'_>) {
        let Some(measured) = &self.champion else { return };
        let (old, new) = (measured.evaluation.clone(), self.challenger.evaluation.clone());

        self.compare_rows(new.rows);
        self.recall_changes = recall_changes(&old, &new);
        let beside = of_several_labels(&old, &new);
        match &champion.has_to_go {
            Some(why) => self.tell_macro_f1(old.macro_f1, new.macro_f1, why, &beside),
            None => {
                self.compare_macro_f1(old.macro_f1, new.macro_f1, &beside);
                self.compare_recalls(champion.predictions);
            }
        }
        self.compare_classes(champion, challenger);
    }

    /// Whether the rows that only one of the models has right speak against the challenger.
    fn compare_rows(&mut self, rows: usize) {
        let Some(test) = self.mcnemar.filter(|_| rows > 0) else {
            let why = match rows {
                0 => "there are no test rows to compare on",
                _ => "champion and challenger were not measured on the same rows",
            };
            return self.reason(false, why.into());
        };
        let significance = self.policy.significance;
        let against = test.is_against_challenger(significance);
        let verdict = if against { "is against" } else { "is not against" };
        let few = match rows {
            rows if rows < FEW_ROWS => {
                format!(
                    ". There {} only {}: the comparison says little",
                    if rows == 1 { "is" } else { "are" },
                    counted(rows, "test row")
                )
            }
            _ => String::new(),
        };
        let text = format!(
            "McNemar's test {verdict} the challenger: rows that it alone has right {}, the champion alone {} \
             (p = {:.4}, significance level {significance}){few}",
            test.only_challenger_right, test.only_champion_right, test.p_value
        );
        self.reason(!against, text);
    }

    /// Says what macro F1 came to where it decides nothing: the champion is to go.
    fn tell_macro_f1(&mut self, old: f64, new: f64, why: &str, beside: &str) {
        let text = format!(
            "macro F1 went from {old:.4} to {new:.4} ({:+.4}); no gain is needed, since the champion is to go: {why}{beside}",
            new - old
        );
        self.reason(true, text);
    }

    fn compare_macro_f1(&mut self, old: f64, new: f64, beside: &str) {
        let (gain, needed) = (new - old, self.policy.min_macro_f1_gain);
        // The gain is a difference of rounded numbers: equal is equal.
        let enough = gain >= needed - 1e-12;
        let text = format!(
            "macro F1 went from {old:.4} to {new:.4} ({gain:+.4}); a gain of {needed} is needed{beside}"
        );
        self.reason(enough, text);
    }

    /// Whether a class lost more recall than is allowed; that of a label which the champion gives nearly every text
    /// counts for nothing.
    fn compare_recalls(&mut self, champion: &[TestPrediction]) {
        let limit = self.policy.max_recall_loss;
        let changes = self.recall_changes.iter();
        let lost = changes.filter(|(_, change)| **change < -limit - 1e-12);
        let (worthless, lost): (Vec<_>, Vec<_>) =
            lost.partition(|(class, _)| informedness(champion, class) <= MIN_INFORMEDNESS);
        let said = match worthless.is_empty() {
            true => String::new(),
            false => format!(
                "; the champion gives nearly every text this label, so its recall counts for nothing: {}",
                listed(&worthless)
            ),
        };

        let in_favour = lost.is_empty();
        let text = match in_favour {
            true => format!("no class lost more recall than {limit}{said}"),
            false => format!(
                "classes lost more recall than {limit}, the parameter MaxRecallLoss: {}{said}",
                listed(&lost)
            ),
        };
        self.reason(in_favour, text);
    }

    fn compare_classes(&mut self, champion: &Candidate<'_>, challenger: &Candidate<'_>) {
        let missing = champion.classes.difference(&challenger.classes);
        let missing: Vec<String> = missing.map(|class| format!("`{class}`")).collect();
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
mod tests;
