//! How a stack is doing, at the command line: the figures of the console's overview.

use active_learning_aws::{
    overview::{Overview, RefusedFile},
    unknown_classes::UnknownClass,
};
use model_building::describe_training_file;
use serde::Serialize;

use crate::{encoder::OfStack, models::Models, wording::counted};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Classes, and damaged objects, that are named.
pub(crate) const NAMED: usize = 10;

/// The status as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(flatten)]
    overview: Overview,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_encoder: Option<OfStack>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_classes: Vec<UnknownClass>,
    /// Questions for which the review service had no room.
    #[serde(skip_serializing_if = "is_zero")]
    without_room: usize,
    /// Objects of this machine whose data is damaged or gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged_data: Vec<String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Says how many questions wait since there is no room for more tasks; nothing where none does.
fn told_of_queue(without_room: usize) -> Option<String> {
    (without_room > 0).then(|| {
        format!(
            "the queue is full: {} {} outside of it for room, and the hourly sweep asks what there is room for. Nothing is \
             lost; answer tasks, or stop what nobody is to answer",
            counted(without_room, "more question"),
            if without_room == 1 { "waits" } else { "wait" }
        )
    })
}

/// Says which classes a hosted model gave that are no labels; nothing where there are none.
fn told_of(unknown: &[UnknownClass]) -> Option<String> {
    if unknown.is_empty() {
        return None;
    }
    let texts = |class: &UnknownClass| match class.texts.has_more {
        true => format!("{} texts", class.texts),
        false => counted(class.texts.count, "text"),
    };
    let some = unknown.iter().take(NAMED);
    let some: Vec<String> = some
        .map(|class| format!("`{}` ({})", class.name, texts(class)))
        .collect();
    let more = match unknown.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "the hosted model gave classes that the label set does not know, and what it predicts so goes to people: {}{more}. \
         `labels synonym LABEL CLASS` says which label a class is, `labels add CLASS` makes it one",
        some.join(", ")
    ))
}

/// Says which objects of this machine are damaged: the first ones, and then how many more and where all are named.
pub(crate) fn told_of_damage(damaged: &[String]) -> Vec<String> {
    let name = |object: &String| {
        format!(
            "the data of {object} is damaged or gone: put the file back from a copy of the state folder, or write the \
             object again"
        )
    };
    let mut told: Vec<String> = damaged.iter().take(NAMED).map(name).collect();
    if damaged.len() > NAMED {
        let more = counted(damaged.len() - NAMED, "more object");
        told.push(format!(
            "the data of {more} is damaged or gone: `status --json` names all of them (`damagedData`)"
        ));
    }
    told
}

/// Prints how the stack is doing, after the objects of this machine whose data is `damaged`; returns whether no training
/// file was refused.
///
/// # Errors
///
/// When a bucket cannot be read, or, but for JSON, the endpoint not be described.
pub async fn show(models: &Models, damaged: Vec<String>, json: bool) -> Result<bool, Failure> {
    if !json {
        // First of all: what follows may need one of them.
        for sentence in told_of_damage(&damaged) {
            println!("! {sentence}");
        }
    }
    let files = models.training_files().await?;
    // One number: of all files, however many there are.
    let overview = Overview {
        refused_files: RefusedFile::of(&files),
        ..models.overview().await?
    };
    let unknown_classes = models.unknown_classes().await?;
    // Only a long queue can be full.
    let is_long = overview
        .waiting
        .as_ref()
        .is_some_and(|waiting| waiting.tasks.has_more);
    let without_room = if is_long { models.without_room().await? } else { 0 };
    let on_record = overview
        .serving
        .as_ref()
        .map(|serving| serving.model_arn.as_str());
    let text_encoder = models.encoders(on_record).await;
    let is_fine = overview.refused_files.is_empty();
    if json {
        let status = Status {
            overview,
            text_encoder,
            unknown_classes,
            without_room,
            damaged_data: damaged,
        };
        println!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(is_fine);
    }

    for (name, value) in overview.figures() {
        println!("{name:<30} {value}");
    }
    if let Some(encoders) = &text_encoder {
        println!("{:<30} {}", "Text encoder", encoders.in_use());
        println!("{:<30} {}", "Encoder of the serving model", encoders.of_model());
    }
    for problem in overview.missing_figures() {
        println!("! {problem}");
    }
    for problem in overview.template_problems() {
        println!("! {problem}");
    }
    if let Some(sentence) = told_of_queue(without_room) {
        println!("! {sentence}");
    }
    if let Some(erased) = models.erased_from_serving().await? {
        println!("! of the serving model: {erased}");
    }
    if let Some(sentence) = told_of(&unknown_classes) {
        println!("! {sentence}");
    }
    for difference in models.label_differences(models.serving().await?).await? {
        println!("! {difference}");
    }
    for warning in models.dataset_warnings().await? {
        println!("! of the labels, when a dataset was assembled last: {warning}");
    }
    if files.is_empty() {
        println!("No training file lies under initial/ that was looked at.");
    }
    files
        .iter()
        .for_each(|file| println!("{}", describe_training_file(file)));
    Ok(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_for_which_there_is_no_room_are_said_and_none_are_not() {
        let said = told_of_queue(20).expect("some wait");

        assert!(said.contains("20 more questions wait outside of it"), "{said}");
        assert!(told_of_queue(1).is_some_and(|said| said.contains("1 more question waits")));
        assert_eq!(told_of_queue(0), None);
    }

    #[test]
    fn of_many_damaged_objects_the_first_are_named_and_the_others_counted() {
        let damaged: Vec<String> = (0..1_234).map(|number| format!("s3://b/{number}")).collect();

        let few = told_of_damage(&damaged[..NAMED]);
        let many = told_of_damage(&damaged);

        assert!(few.iter().all(|said| said.contains("of s3://b/")), "{few:?}");
        assert_eq!((few.len(), many.len()), (NAMED, NAMED + 1));
        assert_eq!(many[..NAMED], few);
        let last = &many[NAMED];
        assert!(
            last.starts_with("the data of 1224 more objects is damaged"),
            "{last}"
        );
        assert!(last.contains("`status --json`"), "{last}");
    }
}
