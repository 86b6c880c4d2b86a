//! Submitting a task: the answer is read as its page gave it, checked, stored and noted.

use std::collections::BTreeMap;

use active_learning_aws::metrics;
use active_learning_core::labels::human_loop::{ExclusionCategories, chosen_exclusions};
use active_learning_core::labels::label_set::LabelSet;
use chrono::Duration;
use futures::future::join;
use serde_json::{Map, Value, json};

use super::task::{add, wants_next};
use super::{Portal, PortalError, checked_name};
use crate::answer::{check_shipped_answer, is_by_script, read_answer};
use crate::erased_items::forget_erased;
use crate::event::{HttpReply, HttpRequest};
use crate::form::read_form;
use crate::guideline::is_version;
use crate::history::carried::Carried;
use crate::human_loop::{HumanLoop, LoopFlow, Worker};
use crate::labelling_jobs::answers::labels_in;
use crate::loops::{Given, LoopError, Taken};
use crate::not_in_use::not_in_use;
use crate::pages::{document, redirect};
use crate::remarks::{Remark, Remarks};
use crate::suggestions::show_questions;
use crate::task_template::TaskError;
use crate::trial::{check_answer, with_marks};
use crate::worker_template::TemplateError;
use crate::written::Written;

/// Longest time that a page may say it has shown a task.
const MAX_SPENT_SECONDS: f64 = 86_400.0;
/// Labels of a job that are named where an answer is none of them.
const NAMED_LABELS: usize = 20;

impl Portal<'_> {
    pub(super) async fn submit(
        &self,
        request: &HttpRequest,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        let id = form.get("portal:loop-id").ok_or(LoopError::NotFound)?;
        let mut read = self.loops.find_taken(name, id, worker, self.now).await?;
        let mut human_loop = read.0.clone();
        let mut answer = read_answer(&request.fields())?;
        let input = self
            .shown(&human_loop, self.loops.input_shown(&human_loop).await?)
            .await?;
        let mut exclusions = ExclusionCategories::new();
        let set = match human_loop.is_opaque() {
            true => None,
            false => self.label_sets.current().await?,
        };
        if self.template_of(&human_loop).is_shipped() {
            let is_by_script = is_by_script(&request.fields());
            let reading = self.read_written(&human_loop, &input, set.as_deref(), &mut answer, is_by_script);
            Box::pin(reading).await?;
            check_shipped_answer(&input, &answer)?;
        } else {
            let by_page = self.by_page(request, &human_loop, &input, answer);
            (answer, exclusions) = Box::pin(by_page).await?;
            if !human_loop.is_opaque() {
                check_answer(&answer, &exclusions, &input, set.as_deref())?;
            }
        }
        self.check_for_job(&human_loop, &input, &answer, &exclusions)
            .await?;
        // What is answered by a label that went out of use within the last seconds is asked again by who collects it.
        if let Some(set) = &set
            && let Some(fate) = not_in_use(&answer, &exclusions, &input, set)
        {
            // Who sends it again has not heard that it was taken before the label went.
            let mut again = answer.clone();
            forget_erased(&mut again, &input);
            if !self
                .loops
                .has_answer(&human_loop, worker, &Value::Object(again))
                .await?
            {
                return Err(PortalError::LabelNotInUse(fate));
            }
        }

        forget_erased(&mut answer, &input);
        let mut remarks = Remark::of(&human_loop, worker, &input, &answer, self.now);
        if !remarks.is_empty() {
            // A text may have been erased since it was shown.
            read = self.loops.find_same(&human_loop, self.now).await?;
            human_loop = read.0.clone();
            let input = self.loops.input_now(&human_loop).await?;
            forget_erased(&mut answer, &input);
            remarks = Remark::of(&human_loop, worker, &input, &answer, self.now);
        }
        let given = Given {
            exclusions,
            ..self.given(request, form, Value::Object(answer))
        };
        let taken = Box::pin(self.loops.answer(read, worker, given, self.now)).await?;
        metrics::count("human-review", &[("Submitted", 1)]);
        if taken == Taken::Again || !remarks.is_empty() {
            let list = Remarks(self.bucket);
            list.note_if_possible(&human_loop, worker, remarks).await;
        }
        let noted = self.note_in_history(request, worker, &human_loop);
        if !request.wants_json() {
            let carried = noted.await;
            return Ok(self.with_carried(redirect("next"), carried.as_ref(), request));
        }
        let (carried, next) = join(noted, Box::pin(self.next_members(form, worker, true))).await;
        let done_today = carried.as_ref().map(|carried| carried.history.done_on(self.now));
        let mut saved = json!({ "saved": true, "doneToday": done_today });
        add(&mut saved, next);
        Ok(self.with_carried(document(200, &saved), carried.as_ref(), request))
    }

    /// Writes an answer to the shipped page by the words and labels of the page; see [`Written`].
    async fn read_written(
        &self,
        human_loop: &HumanLoop,
        input: &Value,
        set: Option<&LabelSet>,
        answer: &mut Map<String, Value>,
        is_by_script: bool,
    ) -> Result<(), PortalError> {
        let written = Written::new(input, set, is_by_script);
        if human_loop.is_opaque() || !written.may_be_suggested(answer) {
            return Ok(written.read(answer)?);
        }
        let mut shown = input.clone();
        show_questions(&mut shown, &human_loop.name, self.feedback, set).await;
        Ok(Written::new(&shown, set, is_by_script).read(answer)?)
    }

    /// Returns an answer to a page of another template in the shapes of the page's elements, with the choices in it that say
    /// that no label fits.
    async fn by_page(
        &self,
        request: &HttpRequest,
        human_loop: &HumanLoop,
        input: &Value,
        answer: Map<String, Value>,
    ) -> Result<(Map<String, Value>, ExclusionCategories), PortalError> {
        let is_complete = is_by_script(&request.fields());
        let html = match self.template_of(human_loop).html(input).await {
            Ok(html) => html,
            // The page was shown before its template failed, and its script has sent all of it.
            Err(error) if is_complete && !is_storage(&error) => {
                tracing::warn!(%error, human_loop.name = human_loop.name, "the page of an answer cannot be shown any more");
                return Ok((answer, ExclusionCategories::new()));
            }
            Err(error) => return Err(error.into()),
        };
        let answer = match is_complete {
            true => answer,
            false => with_marks(answer, &html),
        };
        let exclusions = chosen_exclusions(&answer, &read_form(&html).exclusions);
        Ok((answer, exclusions))
    }

    /// Checks that the answer to a task of a labelling job, whose input is this one, can become a label: where a function of
    /// the job's own reads it, everything is taken.
    async fn check_for_job(
        &self,
        human_loop: &HumanLoop,
        input: &Value,
        answer: &Map<String, Value>,
        exclusions: &ExclusionCategories,
    ) -> Result<(), PortalError> {
        let Some(name) = human_loop.flow.as_ref().and_then(LoopFlow::job) else {
            return Ok(());
        };
        let Some(choices) = self.jobs.choices(name).await? else {
            return Ok(());
        };
        if choices.is_read_by_function {
            return Ok(());
        }
        // A large input is not in the loop itself.
        let own = input["labels"].as_array().filter(|_| choices.are_by_object);
        let own: Option<Vec<String>> = own.map(|labels| {
            labels
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        });
        let labels = own.as_ref().unwrap_or(&choices.labels);
        match labels_in(answer, exclusions, labels, choices.task) {
            Ok(_) => Ok(()),
            Err(why) => {
                let first: Vec<&str> = labels.iter().take(NAMED_LABELS).map(String::as_str).collect();
                let more = if labels.len() > NAMED_LABELS { ", …" } else { "" };
                let words = format!("{why}. The labels of this task: {}{more}", first.join(", "));
                Err(PortalError::NoLabelOfJob(words))
            }
        }
    }

    /// Notes an answer in its reviewer's history; returns what the browser is to carry of that, where it can be told.
    async fn note_in_history(
        &self,
        request: &HttpRequest,
        worker: &Worker,
        human_loop: &HumanLoop,
    ) -> Option<Carried> {
        let carried = self.carried(request);
        match self.histories.note(worker, human_loop, carried, self.now).await {
            Ok(carried) => Some(carried),
            Err(error) => {
                // The answer is stored: that it is missing from the last ten is no reason to say it is not.
                tracing::warn!(%error, "an answer is missing from its reviewer's history");
                None
            }
        }
    }

    fn given(&self, request: &HttpRequest, form: &BTreeMap<String, String>, content: Value) -> Given {
        let spent: Option<f64> = form.get("portal:spent").and_then(|spent| spent.parse().ok());
        let spent = spent.filter(|spent| (0.0..=MAX_SPENT_SECONDS).contains(spent));
        let guideline = form.get("portal:guideline").filter(|version| is_version(version));
        Given {
            content,
            issuer: self.base_url(request),
            // In range: a day has fewer milliseconds than an integer can hold.
            spent: spent.map(|seconds| Duration::milliseconds((seconds * 1_000.0) as i64)),
            guideline: guideline.cloned(),
            exclusions: ExclusionCategories::new(),
            is_step: request.wants_json() && wants_next(form),
        }
    }
}

/// Returns whether it is the storage that fails: a later try may succeed.
fn is_storage(error: &TaskError) -> bool {
    matches!(error, TaskError::Template(TemplateError::Storage(_)))
}
