//! The task page and what is done on it: as pages for browsers without a script, as JSON for the page's own.
//!
//! With `Accept: application/json` a submitted, skipped or renewed task is answered with a document, and
//! with the next task in it: the page shows it without another request.

use std::collections::BTreeMap;

use active_learning_aws::{metrics, overview::first_model};
use active_learning_core::labels::human_loop::{ExclusionCategories, chosen_exclusions};
use active_learning_core::labels::label_set::LabelSet;
use chrono::Duration;
use futures::future::join;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Portal, PortalError, checked_name};
use crate::answer::{check_shipped_answer, is_by_script, read_answer};
use crate::blind::mark_blind;
use crate::choices::{name_predictions, shown_input};
use crate::erased_items::{forget_erased, leave_out_erased, notice_of_erased};
use crate::event::{HttpReply, HttpRequest};
use crate::form::read_form;
use crate::guideline::{Shown, is_version};
use crate::history::carried::Carried;
use crate::human_loop::{HumanLoop, LoopFlow, Worker};
use crate::labelling_jobs::answers::labels_in;
use crate::loops::{Given, LoopError, Taken, Wish};
use crate::not_in_use::not_in_use;
use crate::pages::{TaskPage, document, page, redirect};
use crate::remarks::{Remark, Remarks};
use crate::session::Claims;
use crate::suggestions::{leave_out_withdrawn, notice_of_withdrawn, show_questions};
use crate::task_template::TaskError;
use crate::trial::{Trial, check_answer, with_marks};
use crate::worker_template::TemplateError;
use crate::written::Written;

/// Longest time that a page may say it has shown a task.
const MAX_SPENT_SECONDS: f64 = 86_400.0;
/// Labels of a job that are named where an answer is none of them.
const NAMED_LABELS: usize = 20;

/// A task as a page shows it.
struct ShownTask {
    html: String,
    trial: Trial,
    /// What the reviewer has answered before, where they correct it.
    previous: Option<Value>,
}

impl Portal<'_> {
    /// Goes to the next task, or to the queue when there is none.
    pub(super) async fn next(
        &self,
        request: &HttpRequest,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let without = names(request.query.get("without"));
        self.go_on(request, worker, true, &without).await
    }

    pub(super) async fn go_on(
        &self,
        request: &HttpRequest,
        worker: &Worker,
        skipped_too: bool,
        without: &[String],
    ) -> Result<HttpReply, PortalError> {
        let wish = Wish {
            skipped_too,
            without,
            is_ahead: request.wants_json(),
        };
        if request.wants_json() {
            return Ok(document(200, &self.next_document(worker, wish).await?));
        }
        let next = self.loops.take_next(worker, wish, self.now).await?.human_loop;
        let address = next.map_or("queue".to_owned(), |taken| format!("task?loop={}", taken.name));
        Ok(redirect(&address))
    }

    /// Returns the next task and how many wait.
    async fn next_document(&self, worker: &Worker, wish: Wish<'_>) -> Result<Value, PortalError> {
        let next = self.loops.take_next(worker, wish, self.now).await?;
        let task = match next.human_loop {
            Some(taken) => self.task_document(&taken, worker, false).await?,
            None => Value::Null,
        };
        Ok(json!({
            "next": task,
            "waiting": next.waiting.count,
            "hasMore": next.waiting.has_more,
        }))
    }

    pub(super) async fn task_page(
        &self,
        request: &HttpRequest,
        session: &Claims,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(request.query.get("loop"))?;
        let corrects = request.query.contains_key("correct");
        // Who has answered may see the task again, to correct the answer.
        let human_loop = match corrects {
            true => self.loops.answered(name, worker, self.now).await?,
            false => self.loops.take(name, worker, self.now).await?,
        };
        if request.wants_json() {
            let task = self.task_document(&human_loop, worker, corrects).await?;
            return Ok(document(200, &json!({ "task": task })));
        }

        let nonce = Uuid::new_v4().simple().to_string();
        let shown = self.show(&human_loop, worker, &nonce, corrects).await?;
        let previous = shown.previous.map(|answer| answer.to_string());
        let is_swapped = self.template_of(&human_loop).is_shipped();
        let view = TaskPage {
            session: Some(self.view(session)),
            waiting: self.loops.waiting(worker).await?,
            lease_seconds: self.lease_seconds(&human_loop, worker),
            is_of_job: human_loop.is_of_labelling_job(),
            name: human_loop.name,
            id: human_loop.id,
            previous: previous.unwrap_or_default(),
            is_swapped,
            flow: human_loop.flow,
            task_html: shown.html,
            first_model: self.first_model().await,
            guideline: self.guideline().await,
            notices: shown.trial.notices,
            is_withheld: shown.trial.is_withheld,
        };
        Ok(page(200, &view, Some(&nonce)))
    }

    /// Returns a task as the page's script takes it in.
    async fn task_document(
        &self,
        human_loop: &HumanLoop,
        worker: &Worker,
        corrects: bool,
    ) -> Result<Value, PortalError> {
        let nonce = Uuid::new_v4().simple().to_string();
        let shown = self.show(human_loop, worker, &nonce, corrects).await?;
        // Pages of other templates have scripts of their own, and those that are withheld say why: they are
        // loaded.
        let is_swapped = self.template_of(human_loop).is_shipped() && !shown.trial.is_withheld;
        Ok(json!({
            "loop": human_loop.name,
            "id": human_loop.id,
            "leaseSeconds": self.lease_seconds(human_loop, worker),
            "isAhead": human_loop.is_ahead(&worker.in_loop(human_loop).id),
            "previous": shown.previous,
            "html": if is_swapped { shown.html } else { String::new() },
            "notices": shown.trial.notices,
        }))
    }

    async fn show(
        &self,
        human_loop: &HumanLoop,
        worker: &Worker,
        nonce: &str,
        corrects: bool,
    ) -> Result<ShownTask, PortalError> {
        let name = human_loop.name.as_str();
        let (html, trial) = match self.render(human_loop, nonce).await {
            Ok(page) => page,
            Err(error) => {
                if !corrects {
                    self.leave(name, worker, &error).await;
                }
                return Err(error);
            }
        };
        if trial.is_withheld {
            tracing::error!(
                human_loop.name = name,
                "an answer of this page could not be matched"
            );
            metrics::count("human-review", &[("WithheldTasks", 1)]);
        }
        let previous = match corrects {
            true => self.loops.known_content(human_loop, worker).await?,
            false => None,
        };
        Ok(ShownTask {
            html,
            trial,
            previous,
        })
    }

    pub(super) fn lease_seconds(&self, human_loop: &HumanLoop, worker: &Worker) -> Option<i64> {
        let end = human_loop.lease_expires_at(&worker.in_loop(human_loop).id)?;
        Some((end - self.now).num_seconds().max(0))
    }

    /// Says how far it is to the first model; nothing once there is one. A page that cannot say it is shown
    /// without.
    pub(super) async fn first_model(&self) -> Option<String> {
        match first_model(self.training).await {
            Ok(progress) => progress.map(|progress| progress.describe()),
            Err(error) => {
                tracing::warn!(%error, "how far the first model is cannot be told");
                None
            }
        }
    }

    /// Returns the guideline; a page that cannot have it is shown without.
    async fn guideline(&self) -> Option<Shown> {
        match self.guidelines.current().await {
            Ok(shown) => shown,
            Err(error) => {
                tracing::warn!(%error, "the guideline cannot be read");
                None
            }
        }
    }

    /// Returns an input of a loop as its page shows it today, with the choices of the current label set. One of a flow
    /// definition or a labelling job of one's own is shown as it was sent.
    async fn shown(&self, human_loop: &HumanLoop, input: Value) -> Result<Value, PortalError> {
        if human_loop.is_opaque() {
            return Ok(input);
        }
        let set = self.label_sets.current().await?;
        let has_several = match &set {
            Some(set) => set.has_several_labels(),
            None => self.rules.several_labels,
        };
        let choices = set.map(|set| {
            let started_with = input["labels"].as_array().into_iter().flatten();
            set.choices(started_with.filter_map(Value::as_str))
        });
        let mut input = shown_input(input, choices.as_deref());
        if input["comprehendPredictions"].is_array() {
            mark_blind(&mut input, &human_loop.id, self.rules.blind_share);
            input["severalLabels"] = json!(has_several || input["severalLabels"] == json!(true));
        }
        Ok(input)
    }

    async fn render(&self, human_loop: &HumanLoop, nonce: &str) -> Result<(String, Trial), PortalError> {
        let mut input = self
            .shown(human_loop, self.loops.input_now(human_loop).await?)
            .await?;
        let set = match human_loop.is_opaque() {
            true => None,
            false => self.label_sets.current().await?,
        };
        if !human_loop.is_opaque() {
            name_predictions(&mut input, set.as_deref());
            show_questions(&mut input, &human_loop.name, self.feedback, set.as_deref()).await;
        }
        let template = self.template_of(human_loop);
        if template.is_shipped() {
            leave_out_erased(&mut input);
            leave_out_withdrawn(&mut input);
        }
        // Fields of other pages may name the items by number: all of them stay, and so does a page of nothing else.
        let (html, mut trial) = template.render(&input, nonce, set.as_deref()).await?;
        trial.notices.extend(notice_of_withdrawn(&input));
        trial.notices.extend(notice_of_erased(&input));
        Ok((html, trial))
    }

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
            return Err(PortalError::LabelNotInUse(fate));
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

    /// Returns the next task as what a step answers has it, if it is wanted; what is done stays done where there is
    /// trouble with the next.
    pub(super) async fn next_members(
        &self,
        form: &BTreeMap<String, String>,
        worker: &Worker,
        skipped_too: bool,
    ) -> Value {
        if !wants_next(form) {
            return json!({});
        }
        let without = names(form.get("portal:without"));
        let wish = Wish {
            skipped_too,
            without: &without,
            is_ahead: true,
        };
        match self.next_document(worker, wish).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the next task cannot be had"
                );
                json!({ "nextFailed": true })
            }
        }
    }
}

/// Returns whether it is the storage that fails: a later try may succeed.
fn is_storage(error: &TaskError) -> bool {
    matches!(error, TaskError::Template(TemplateError::Storage(_)))
}

/// Returns whether a form asks for the next task too.
fn wants_next(form: &BTreeMap<String, String>) -> bool {
    form.get("portal:next").is_none_or(|wanted| wanted != "no")
}

/// Adds the members of one object to another.
pub(super) fn add(object: &mut Value, members: Value) {
    if let (Some(object), Value::Object(members)) = (object.as_object_mut(), members) {
        object.extend(members);
    }
}

/// Reads names of loops, with spaces between.
fn names(list: Option<&String>) -> Vec<String> {
    let list = list.map(String::as_str).unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}
