//! What people are told, in one paragraph: what was compared, the numbers, the decision, why, what to do.

use active_learning_core::{
    model::{
        accuracy_guarantee::{Promise, PromiseState},
        comparison::Measured,
    },
    text::{counted, counted_as},
};

use crate::{
    build::{Action, Build, Notification},
    build_record::{BuildRecord, Outcome},
    decision_record::DecisionRecord,
};

/// Longest subject that SNS takes.
const MAX_SUBJECT: usize = 100;
/// Longest message; SNS takes 256 KiB, people less.
const MAX_MESSAGE: usize = 4_000;

/// Asks for the approval of a deployment.
pub(crate) fn approval_wanted(build: &Build, decision: &DecisionRecord) -> Notification {
    let id = &build.id;
    notification(
        &format!("Approval wanted: model of build {id}"),
        format!(
            "Build {id} has a better model and waits for a person. {} To deploy it: active-learning approve {id}. To \
             keep the present model: active-learning approve {id} --reject REASON. On AWS add --bucket and --state-machine. \
             Without an answer within 7 days it is not deployed.",
            compared(decision)
        ),
    )
}

/// Warns of a model whose confidence does not tell right from wrong.
pub(crate) fn confidence_warning(model_arn: &str, warning: &str) -> Notification {
    let model = name(model_arn);
    notification(
        &format!("The confidence does not rank: model {model}"),
        format!("Audited predictions of model {model}, which serves, show: {warning}. This is told once."),
    )
}

/// Tells of a promise that was switched on or is broken.
pub(crate) fn promise(model_arn: &str, promise: &Promise) -> Notification {
    let (model, reason) = (name(model_arn), &promise.reason);
    let target = 100.0 * promise.target;
    if promise.state == PromiseState::Broken {
        return notification(
            &format!("Automated labelling is off: model {model}"),
            format!(
                "What was promised of model {model} does not hold: {reason}. No more of its predictions are accepted as \
                 labels, and those that were are not trained on any more. The next version starts with its own evidence."
            ),
        );
    }
    notification(
        &format!("Automated labelling is on: model {model}"),
        format!(
            "Predictions of model {model} are accepted as labels with a promised accuracy of {target:.1} %, with 95 % \
             confidence: {reason}. Audits go on and end it when the promise breaks."
        ),
    )
}

/// Tells what an execution came to.
pub(crate) fn outcome(record: &BuildRecord, decision: Option<&DecisionRecord>) -> Notification {
    let id = &record.id;
    let model = record.challenger.as_deref().map_or("none", name);
    let serving = record.serving.as_deref().map_or("no model", name);
    let compared = decision.map(compared).unwrap_or_default();
    let (subject, message) = match record.outcome {
        Outcome::Deployed => (
            format!("Deployed: model {model}"),
            format!(
                "Build {id} deployed model {model}. {compared} Why: {}. To undo it: active-learning rollback.",
                record.why
            ),
        ),
        Outcome::Refused => (
            format!("Not deployed: model {model}"),
            format!(
                "Build {id} did not deploy model {model}; {serving} goes on. {compared} Why: {}. The next build \
                 starts by itself with more labels.",
                record.why
            ),
        ),
        Outcome::NothingNew => (
            format!("Nothing new: build {id}"),
            format!("Build {id} trained nothing: {}. {serving} goes on.", record.why),
        ),
        Outcome::DatasetReady => (
            format!("Dataset ready: build {id}"),
            format!(
                "Build {id} made a dataset and trained nothing: {}. Once the new model is behind the endpoint, audits \
                 measure it.",
                record.why
            ),
        ),
        Outcome::RolledBack => (
            format!("Rolled back to model {model}"),
            format!(
                "Roll-back {id} brought model {model} back into service in place of {}.{}",
                record.champion.as_deref().map_or("no model", name),
                match record.reason {
                    Some(crate::Reason::Accuracy) =>
                        " Audited predictions showed that its accuracy was significantly worse. It is not \
                         deployed again by itself.",
                    _ => "",
                }
            ),
        ),
        Outcome::NothingToDo => (
            format!("Nothing to do: {id}"),
            format!("Roll-back {id} changed nothing: {}.", record.why),
        ),
        Outcome::Failed => (
            format!("Failed: {id}"),
            format!(
                "{id} failed; {serving} serves. {compared} Why: {}. The training bucket has the details under \
                 builds/{id}/{}.",
                record.why,
                match record.action {
                    Some(Action::RollBack) => "",
                    _ => "; once the cause is removed, start another with active-learning build",
                }
            ),
        ),
    };
    notification(&subject, message + &deleted(record.deleted_models.len()))
}

/// Says that old model versions were deleted.
fn deleted(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " One old model version was deleted.".to_owned(),
        _ => format!(" {count} old model versions were deleted."),
    }
}

fn compared(decision: &DecisionRecord) -> String {
    let (dataset, decision) = (&decision.dataset, &decision.decision);
    let mut trained = counted(dataset.train.summary.rows, "row");
    if let Some(machine) = &dataset.machine_labelled {
        trained += &format!(
            " of people and {} labelled automatically",
            counted_as(machine.file.summary.rows, "that was", "that were")
        );
    }
    let rows = decision.challenger.evaluation.rows;
    let how = match dataset.test.summary.rows {
        0 => "on rows that it had not seen, in cross-validation".to_owned(),
        _ => format!("on {}", counted(rows, "held-out row")),
    };
    match &decision.champion {
        Some(champion) => format!(
            "Trained on {trained}; on {} {} (champion) has {}, {} (challenger) has {}.",
            counted(rows, "held-out row"),
            name(&champion.model_arn),
            scores(champion),
            name(&decision.challenger.model_arn),
            scores(&decision.challenger)
        ),
        None => format!(
            "Trained on {trained}; it is the first model and has {} {how}.",
            scores(&decision.challenger)
        ),
    }
}

fn scores(model: &Measured) -> String {
    let evaluation = &model.evaluation;
    if let Some(micro_f1) = evaluation.micro_f1_of_several() {
        return format!(
            "all labels right in {:.1} % (subset accuracy), micro F1 {micro_f1:.3} and macro F1 {:.3}",
            evaluation.accuracy * 100.0,
            evaluation.macro_f1
        );
    }
    format!(
        "accuracy {:.1} % and macro F1 {:.3}",
        evaluation.accuracy * 100.0,
        evaluation.macro_f1
    )
}

/// Returns name and version of a model by its ARN.
fn name(arn: &str) -> &str {
    arn.split_once(":document-classifier/")
        .map_or(arn, |(_, name)| name)
}

fn notification(subject: &str, message: String) -> Notification {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    Notification {
        subject: subject.chars().map(printable).take(MAX_SUBJECT).collect(),
        message: message.chars().take(MAX_MESSAGE).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_what_sns_takes() {
        let notification = notification(&format!("N\u{e9}w\n{}", "x".repeat(200)), "m".repeat(9_000));

        assert!(notification.subject.starts_with("N?w?x") && notification.subject.len() == MAX_SUBJECT);
        assert_eq!(notification.message.len(), MAX_MESSAGE);
    }
}
