//! What people are asked about an object: as the pre-annotation function gives it, or the built-in rule.

use active_learning_aws::failure::chain;
use active_learning_aws::personal_data::NotMasked;
use serde_json::{Value, json};

use super::access::AccessError;
use super::audits;
use super::drive::{Drive, DriveError};
use super::functions::{Prepared, pre_annotation_request, prepared};
use super::kept_lines::in_words;
use super::manifest::{Line, MAX_TEXT_CHARS};
use super::record::Task;

/// Longest text object, in bytes.
const MAX_TEXT_BYTES: u64 = 4 * MAX_TEXT_CHARS as u64;

/// Why an object is not asked about.
pub(super) enum Unprepared {
    /// None can be.
    Job(String),
    /// This one cannot be.
    Object(String),
    /// Its text was erased at a person's wish.
    Erased,
    /// It is tried again.
    Again(String),
    /// A service asks to slow down.
    Slower(String),
}

impl Drive<'_> {
    pub(super) async fn prepare(&self, line: &Line) -> Result<Prepared, Unprepared> {
        let Some(function) = &self.job.settings.pre_annotation else {
            return self.built_in_input(line).await.map(Prepared::Ask);
        };
        let request = pre_annotation_request(&self.job, line);
        let answer = self
            .access
            .invoke(function, request)
            .await
            .map_err(|error| match error {
                AccessError::Definite(reason) => Unprepared::Job(reason),
                AccessError::Passing(reason) => Unprepared::Again(format!("ClientError: {reason}.")),
                AccessError::Throttled(reason) => Unprepared::Slower(reason),
            })?;
        let told = |reason| Unprepared::Again(format!("ClientError: pre-annotation output: {reason}."));
        prepared(answer).map_err(told)
    }

    /// Returns what the built-in pre-annotation gives a template: `taskObject` and `labels`, as Ground Truth's does.
    async fn built_in_input(&self, line: &Line) -> Result<Value, Unprepared> {
        let text = match line.text("source") {
            Some(text) => text,
            None => {
                let text = self.text_of(&line.text("source-ref").unwrap_or_default()).await?;
                self.kept_text(text).await?
            }
        };
        Ok(self.input_of(&text, line))
    }

    /// Returns what the built-in pre-annotation makes of a text and the line that it is of.
    pub(super) fn input_of(&self, text: &str, line: &Line) -> Value {
        let labels = &self.job.categories.labels;
        let offered = self.job.offered(line);
        let offered: Vec<&String> = offered.iter().filter_map(|number| labels.get(*number)).collect();
        let mut input = json!({ "taskObject": text, "labels": offered });
        if self.job.settings.task == Task::MultiLabel {
            input["severalLabels"] = json!(true);
        }
        if let Some(words) = &self.job.categories.instructions {
            input["instructions"] = json!(words);
        }
        if let Some(words) = &self.job.categories.full_instructions {
            input["fullInstructions"] = json!(words);
        }
        audits::show(&mut input, line, &self.job);
        input
    }

    /// Returns the text of the object that a line names; none where it cannot be read, which those are told who ask about it.
    ///
    /// # Errors
    ///
    /// [`DriveError::Outside`] where it cannot be read at this moment.
    pub(super) async fn text_by_reference(&self, line: &Line) -> Result<Option<String>, DriveError> {
        let Some(uri) = line.text("source-ref") else {
            return Ok(None);
        };
        let read = match self.text_of(&uri).await {
            Ok(text) => self.kept_text(text).await,
            Err(unprepared) => Err(unprepared),
        };
        match read {
            Ok(text) => Ok(Some(text)),
            Err(Unprepared::Job(_) | Unprepared::Object(_) | Unprepared::Erased) => Ok(None),
            Err(Unprepared::Slower(reason) | Unprepared::Again(reason)) => Err(DriveError::Outside(reason)),
        }
    }

    /// Returns the text of an object as tasks and models see it: masked where that is wanted, and none that was erased.
    async fn kept_text(&self, text: String) -> Result<String, Unprepared> {
        let erased = self.jobs.erased.current().await;
        let erased = erased.map_err(|error| Unprepared::Again(format!("InternalError: {error}.")))?;
        if erased.contains(&text) {
            return Err(Unprepared::Erased);
        }
        let mut text = text;
        if let Some(masking) = self.jobs.masking {
            masking.apply(&mut text).await.map_err(|error| match error {
                NotMasked::Comprehend(ref refusal) if refusal.is_throttling() => {
                    Unprepared::Slower(in_words(&error))
                }
                error if error.is_of_text() => Unprepared::Object(format!("ClientError: {}.", chain(&error))),
                error => Unprepared::Again(format!("InternalError: {}.", in_words(&error))),
            })?;
        }
        Ok(text)
    }

    async fn text_of(&self, uri: &str) -> Result<String, Unprepared> {
        let bytes = self
            .access
            .read(uri, MAX_TEXT_BYTES)
            .await
            .map_err(|error| match error {
                AccessError::Definite(reason) => Unprepared::Object(format!("ClientError: {reason}.")),
                AccessError::Passing(reason) => Unprepared::Again(format!("InternalError: {reason}.")),
                AccessError::Throttled(reason) => Unprepared::Slower(reason),
            })?;
        let told = |what: &str| Unprepared::Object(format!("ClientError: {uri} {what}."));
        let mut text = String::from_utf8(bytes).map_err(|_| told("is not UTF-8"))?;
        // Some editors begin files with a byte order mark, which is no part of the text.
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        match text.chars().count() > MAX_TEXT_CHARS {
            true => Err(told("has more than 100,000 characters")),
            false => Ok(text),
        }
    }
}
