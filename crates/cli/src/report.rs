//! A decision on two models, as a table for people.

use std::fmt::Write;

use active_learning_core::{
    erasure::describe_rows,
    model::{
        accuracy_guarantee::PromiseState,
        comparison::{Decision, Measured},
        confidence::{ConfidenceQuality, Ranking},
        evaluation::{COUNT_ALIKE, Evaluation},
    },
};
use model_building::{Outcome, VersionSummary};

use crate::wording::counted_as;

/// Writes the table of champion against challenger, the rules and the verdict; indented by two spaces.
pub fn decision(decision: &Decision) -> String {
    let challenger = &decision.challenger.evaluation;
    let names = challenger.classes.iter().filter(|class| class.support > 0);
    let longest = names
        .map(|class| "recall of ".len() + class.class.chars().count() + 2)
        .max();
    let width = longest.unwrap_or_default().max(24);
    let mut text = format!("  {:<width$}{:>10}{:>12}\n", "", "champion", "challenger");
    let champion = decision.champion.as_ref().map(|champion| &champion.evaluation);
    let mut row = |name: &str, value: &dyn Fn(&Evaluation) -> Option<f64>, percent: bool| {
        let shown = |evaluation: Option<&Evaluation>| match evaluation.and_then(value) {
            None => "–".to_owned(),
            Some(value) if percent => format!("{:.1} %", 100.0 * value),
            Some(value) => format!("{value:.3}"),
        };
        let (old, new) = (shown(champion), shown(Some(challenger)));
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {name:<width$}{old:>10}{new:>12}");
    };
    let of_several = champion.into_iter().chain([challenger]);
    let of_several = of_several.filter(|it| it.several_labels).count() > 0;
    row(name_of_accuracy(of_several), &|it| Some(it.accuracy), true);
    row("macro F1", &|it| Some(it.macro_f1), true);
    if of_several {
        row("micro F1", &|it| it.micro_f1, true);
    }
    for class in challenger.classes.iter().filter(|class| class.support > 0) {
        let recall = |it: &Evaluation| {
            let found = it.classes.iter().find(|other| other.class == class.class);
            found.map(|found| found.recall)
        };
        row(&format!("recall of {}", class.class), &recall, true);
    }
    row(
        "calibration error",
        &|it| it.is_detailed().then_some(it.expected_calibration_error),
        false,
    );
    row("AUROC of confidence", &|it| it.auroc, false);
    for reason in &decision.reasons {
        let sign = if reason.in_favour { '+' } else { '-' };
        let _ = writeln!(text, "  {sign} {}", reason.text);
    }
    for line in COUNT_ALIKE {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Returns what the share of rows is called whose labels are all right.
fn name_of_accuracy(of_several_labels: bool) -> &'static str {
    match of_several_labels {
        true => "subset accuracy",
        false => "accuracy",
    }
}

/// Returns accuracy and macro F1 of a model on one line's columns.
pub fn accuracy(measured: Option<&Measured>) -> String {
    measured.map_or_else(
        || "–".to_owned(),
        |measured| format!("{:.1} %", 100.0 * measured.evaluation.accuracy),
    )
}

/// Says in a few words what an execution came to.
pub fn verdict(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Deployed => "Deployed",
        Outcome::Refused => "Not deployed",
        Outcome::NothingNew => "Nothing new to learn",
        Outcome::DatasetReady => "Dataset ready",
        Outcome::RolledBack => "Rolled back",
        Outcome::NothingToDo => "Nothing to do",
        Outcome::Failed => "Failed",
    }
}

/// Writes what the confidence of a model is worth in service, on one line.
fn quality(quality: &ConfidenceQuality) -> String {
    let brier = quality.brier_interval;
    let mut text = format!(
        "confidence on {} judged: calibration error {:.3} ({:.3} by chance alone), Brier {:.3} ({:.3}–{:.3})",
        quality.judged,
        quality.expected_calibration_error,
        quality.calibration_error_by_chance,
        quality.brier_score,
        brier.low,
        brier.high,
    );
    if let Some(Ranking { auroc, interval }) = quality.ranking {
        let _ = write!(
            text,
            ", AUROC {auroc:.2} ({:.2}–{:.2})",
            interval.low, interval.high
        );
    }
    text
}

/// Says what the build of a version came to, and why.
fn came_to(version: &VersionSummary) -> Option<String> {
    let why = version.why.as_deref()?;
    let Some(build) = &version.build_id else {
        return version
            .outcome
            .map(|outcome| format!("{}: {why}", verdict(outcome)));
    };
    if version.waits_for_approval {
        return Some(format!(
            "build {build} waits for a person (active-learning approve {build}): {why}"
        ));
    }
    let outcome = version.outcome?;
    // A release before let somebody put a model in service that its build had not deployed.
    let said = match (outcome == Outcome::Deployed, version.serving, version.rolled_back) {
        (false, true, _) => "its build did not deploy it, somebody put it in service later",
        (true, _, true) => "Deployed, rolled back later",
        (_, _, _) => verdict(outcome),
    };
    Some(format!("build {build}: {said}: {why}"))
}

/// Writes the model versions, one a line, the reasons below each.
pub fn versions(versions: &[VersionSummary]) -> String {
    if versions.is_empty() {
        return "No model yet.\n".to_owned();
    }
    let mut text = format!(
        "  {:<20}  {:<16}  {:>7}  {:>6}  {:>8}  {:>8}  {:<20}\n",
        "version", "built", "train", "test", "accuracy", "macro F1", "audited accuracy"
    );
    for version in versions {
        text += &summary(version);
        for line in beside(version) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text + "* serves\n"
}

/// Writes the line of a version.
fn summary(version: &VersionSummary) -> String {
    let built = match version.built_at {
        Some(at) => at.format("%Y-%m-%d %H:%M").to_string(),
        None if version.waits_for_approval => "waits".to_owned(),
        None => "first model".to_owned(),
    };
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let score = |share: Option<f64>| share.map_or_else(String::new, percent);
    let not_known = if version.serving { "not known yet" } else { "" };
    let audited = version.audited.as_ref().map(|audited| {
        let (low, high) = (audited.interval.low, audited.interval.high);
        format!(
            "{} ({}–{})",
            percent(audited.accuracy),
            percent(low),
            percent(high)
        )
    });
    format!(
        "{} {:<20}  {:<16}  {:>7}  {:>6}  {:>8}  {:>8}  {:<20}\n",
        if version.serving { '*' } else { ' ' },
        version.version,
        built,
        number(version.train_rows),
        number(version.test_rows),
        score(version.scores.map(|scores| scores.accuracy)),
        score(version.scores.map(|scores| scores.macro_f1)),
        audited.unwrap_or_else(|| not_known.to_owned()),
    )
}

/// Writes what is to be said beside the line of a version.
fn beside(version: &VersionSummary) -> Vec<String> {
    let mut lines = Vec::new();
    let erased = version.erased_rows.map(describe_rows);
    lines.extend(erased.map(|erased| format!("! {erased}")));
    if let Some(confidence) = &version.confidence {
        lines.push(quality(confidence));
        lines.extend(confidence.warning().map(|warning| format!("! {warning}")));
    }
    if let Some(promise) = &version.promise {
        let state = match promise.state {
            PromiseState::Waiting => "waits",
            PromiseState::On => "is on",
            PromiseState::Broken => "is off for good",
        };
        let (target, reason) = (percent(promise.target), &promise.reason);
        lines.push(format!("automated labelling at {target} {state}: {reason}"));
    }
    let rows = version.machine_rows;
    lines.extend(rows.map(|rows| {
        let more = counted_as(rows, "more row that was", "more rows that were");
        format!("trained on {more} labelled automatically")
    }));
    lines.extend(came_to(version));
    lines.extend(version.deleted_at.map(|at| {
        let day = at.format("%Y-%m-%d");
        format!("deleted on {day}, since KeepModelVersions keeps others: it cannot be brought back")
    }));
    let micro_f1 = version.scores.and_then(|scores| scores.micro_f1);
    lines.extend(micro_f1.map(|micro_f1| {
        let micro_f1 = percent(micro_f1);
        format!(
            "several labels a text: micro F1 {micro_f1}; accuracy is that of all of them (subset accuracy)"
        )
    }));
    let parent = version.parent.as_ref();
    lines.extend(parent.map(|parent| format!("dataset after {parent}")));
    lines
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use active_learning_core::model::{
        accuracy_guarantee::{AuditGrid, Promise},
        audit::JudgedPrediction,
        comparison::{Candidate, SelectionPolicy},
        confidence::ConfidenceTally,
        evaluation::{LabelNames, TestPrediction},
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_of_a_decision_keeps_its_columns_with_a_long_name_of_a_class() {
        let row = |actual: &str| TestPrediction {
            actual: actual.into(),
            predicted: actual.into(),
            confidence: 0.9,
        };
        let predictions = [row("Complaints about a delivery that came late"), row("Billing")];
        let candidate = Candidate {
            model_arn: "arn:b",
            classes: BTreeSet::new(),
            predictions: &predictions,
            has_to_go: None,
        };
        let policy = SelectionPolicy {
            min_macro_f1_gain: 0.0,
            significance: 0.05,
            max_recall_loss: 0.1,
        };

        let text = decision(&Decision::make(policy, None, &candidate, &[]));

        let table = text
            .lines()
            .take_while(|line| !line.starts_with("  + ") && !line.starts_with("  - "));
        let widths: BTreeSet<usize> = table.map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 1, "{text}");
        assert!(
            text.contains("recall of Complaints about a delivery that came late"),
            "{text}"
        );
        assert!(
            text.contains("none that was asked about in doubt is held out"),
            "the rows are no sample of the traffic: {text}"
        );
    }

    #[test]
    fn of_several_labels_a_text_micro_f1_is_shown_and_accuracy_is_called_what_it_is() {
        let row = |predicted: &str| TestPrediction {
            actual: LabelNames::of(["login", "refund"]),
            predicted: LabelNames::of(predicted.split('|')),
            confidence: 0.9,
        };
        let predictions = [row("login|refund"), row("login")];
        let candidate = Candidate {
            model_arn: "arn:b",
            classes: BTreeSet::new(),
            predictions: &predictions,
            has_to_go: None,
        };
        let policy = SelectionPolicy {
            min_macro_f1_gain: 0.0,
            significance: 0.05,
            max_recall_loss: 0.1,
        };
        let version = json!({
            "version": "v1", "modelArn": "arn", "rolledBack": false, "serving": true,
            "scores": { "accuracy": 0.5, "macroF1": 0.75, "microF1": 0.8 },
        });

        let table = decision(&Decision::make(policy, None, &candidate, &[]));
        let listed = versions(&[serde_json::from_value(version).expect("a version")]);

        let line = |name: &str| {
            let line = table.lines().find(|line| line.starts_with(&format!("  {name}")));
            line.and_then(|line| line.split_once("–"))
                .map(|(_, value)| value.trim())
        };
        assert_eq!(line("subset accuracy"), Some("50.0 %"), "{table}");
        assert_eq!(line("micro F1"), Some("85.7 %"), "{table}");
        assert!(
            listed.contains("    several labels a text: micro F1 80.0 %; accuracy is that of all of them"),
            "{listed}"
        );
    }

    #[test]
    fn a_version_shows_what_its_confidence_is_worth_and_what_is_promised_of_it() {
        let mut confidence = ConfidenceTally::default();
        let mut audits = AuditGrid::default();
        for number in 0..40 {
            let judged = JudgedPrediction {
                right: number % 2 == 0,
                selection_probability: 0.1,
                audited: true,
                of_all: false,
            };
            confidence.add(judged, 0.75);
            audits.add(0.75, judged.right);
        }
        let mut promise = Promise::waiting(0.95, "2026-11-21T10:00:00Z");
        promise.look(&audits, "2026-11-21T10:05:00Z");
        let version = json!({
            "version": "v1", "modelArn": "arn", "rolledBack": false, "serving": true, "machineRows": 7,
            "confidence": confidence.quality(), "promise": promise,
        });

        let text = versions(&[serde_json::from_value(version).expect("a version")]);

        for line in [
            "    confidence on 40 judged: calibration error 0.250 (0.055 by chance alone), Brier 0.312 (0.235–0.390), AUROC 0.50 (",
            "    ! the confidence does not tell right predictions from wrong ones",
            "    automated labelling at 95.0 % waits: 40 audited predictions, 20 of them wrong, do not show yet",
            "    trained on 7 more rows that were labelled automatically",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn a_challenger_that_waits_for_approval_is_no_first_model() {
        let version = |name: &str, waits: bool| {
            let version = json!({
                "version": name, "modelArn": name, "rolledBack": false, "serving": !waits, "waitsForApproval": waits,
            });
            serde_json::from_value(version).expect("a version")
        };

        let text = versions(&[version("v1", false), version("v2", true)]);

        let line = |name: &str| text.lines().find(|line| line.contains(name)).expect("a line");
        assert!(line("v1").contains("first model"), "{text}");
        assert!(
            line("v2").contains("waits") && !line("v2").contains("first model"),
            "{text}"
        );
    }

    #[test]
    fn the_accuracy_in_service_is_not_known_before_the_first_audit() {
        let version = |audited: serde_json::Value| {
            let version = json!({
                "version": "v1", "modelArn": "arn", "rolledBack": false, "serving": true, "audited": audited,
            });
            versions(&[serde_json::from_value(version).expect("a version")])
        };
        let audited = json!({
            "judged": 3, "audited": 1, "accuracy": 0.5, "effective": 2.0, "interval": {"low": 0.1, "high": 0.9},
        });

        let (before, after) = (version(serde_json::Value::Null), version(audited));

        assert!(before.contains("not known yet"), "{before}");
        assert!(
            after.contains("50.0 % (10.0 %–90.0 %)") && !after.contains("not known"),
            "{after}"
        );
    }
}
