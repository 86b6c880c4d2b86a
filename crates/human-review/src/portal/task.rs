//! The task page and what is done on it: as pages for browsers without a script, as JSON for the page's own.
//!
//! With `Accept: application/json` a submitted, skipped or renewed task is answered with a document, and
//! with the next task in it: the page shows it without another request.

use std::collections::BTreeMap;

use active_learning_aws::{metrics, overview::first_model};
use chrono::Duration;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Portal, PortalError, checked_name};
use crate::answer::{check_shipped_answer, is_by_script, read_answer};
use crate::blind::mark_blind;
use crate::choices::shown_input;
use crate::event::{HttpReply, HttpRequest};
use crate::guideline::{Shown, is_version};
use crate::human_loop::{HumanLoop, Refusal, Worker};
use crate::loops::{Given, LoopError, Wish};
use crate::not_in_use::not_in_use;
use crate::pages::{TaskPage, document, page, redirect};
use crate::remarks::{Remark, Remarks};
use crate::session::Claims;
use crate::suggestions::show_suggestions;
use crate::task_template::{NO_NONCE, TaskTemplate};
use crate::trial::{Trial, check_answer, with_marks};

/// Longest reason of a skip that is kept, in characters.
const MAX_REASON_CHARS: usize = 500;
/// Longest time that a page may say it has shown a task.
const MAX_SPENT_SECONDS: f64 = 86_400.0;

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

    async fn go_on(
        &self,
        request: &HttpRequest,
        worker: &Worker,
        skipped_too: bool,
        without: &[String],
    ) -> Result<HttpReply, PortalError> {
        let wish = Wish { skipped_too, without };
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
            waiting: self.loops.waiting().await?,
            lease_seconds: self.lease_seconds(&human_loop, worker),
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
                // Else the next task would be this one again.
                self.loops.release(name, worker, None, self.now).await?;
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
            true => self.loops.latest_content(human_loop, &worker.id).await?,
            false => None,
        };
        Ok(ShownTask {
            html,
            trial,
            previous,
        })
    }

    fn lease_seconds(&self, human_loop: &HumanLoop, worker: &Worker) -> Option<i64> {
        let end = human_loop.lease_expires_at(&worker.id)?;
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

    /// Returns the input of a loop as its page shows it today, with the choices of the current label set.
    pub(super) async fn shown(&self, human_loop: &HumanLoop) -> Result<Value, PortalError> {
        let input = self.loops.input(human_loop).await?;
        if human_loop.is_of_labelling_job() {
            return Ok(input); // Its choices are the job's.
        }
        let set = self.label_sets.current().await?;
        let choices = set.map(|set| {
            let started_with = input["labels"].as_array().into_iter().flatten();
            set.choices(started_with.filter_map(Value::as_str))
        });
        let mut input = shown_input(input, choices.as_deref());
        if input["comprehendPredictions"].is_array() {
            mark_blind(&mut input, &human_loop.id, self.rules.blind_share);
            input["severalLabels"] =
                json!(self.rules.several_labels || input["severalLabels"] == json!(true));
        }
        Ok(input)
    }

    /// Returns what a loop is shown by: the template of its flow definition.
    fn template_of<'a>(&'a self, human_loop: &'a HumanLoop) -> TaskTemplate<'a> {
        TaskTemplate {
            key: (human_loop.flow.as_ref()).map_or(self.template.key, |flow| &flow.template_key),
            ..self.template
        }
    }

    async fn render(&self, human_loop: &HumanLoop, nonce: &str) -> Result<(String, Trial), PortalError> {
        let mut input = self.shown(human_loop).await?;
        let set = self.label_sets.current().await?;
        show_suggestions(&mut input, self.feedback, set.as_deref()).await;
        Ok(self.template_of(human_loop).render(&input, nonce).await?)
    }

    pub(super) async fn submit(
        &self,
        request: &HttpRequest,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        let human_loop = self.loops.find(name, self.now).await?;
        if form.get("portal:loop-id") != Some(&human_loop.id) {
            return Err(LoopError::NotFound.into());
        }
        let mut answer = read_answer(&request.fields())?;
        let input = self.shown(&human_loop).await?;
        if !self.template_of(&human_loop).is_shipped() && !is_by_script(&request.fields()) {
            let (html, _) = self.template_of(&human_loop).render(&input, NO_NONCE).await?;
            answer = with_marks(answer, &html);
        }
        if self.template_of(&human_loop).is_shipped() {
            check_shipped_answer(&input, &answer)?;
        } else {
            check_answer(&answer, &input)?;
        }
        if !human_loop.is_of_labelling_job()
            && let Some(set) = self.label_sets.current().await?
            && let Some(fate) = not_in_use(&answer, &input, &set)
        {
            return Err(PortalError::LabelNotInUse(fate));
        }

        let remarks = Remark::of(&human_loop, worker, &input, &answer, self.now);
        let given = self.given(request, form, Value::Object(answer));
        self.loops.answer(&human_loop, worker, given, self.now).await?;
        metrics::count("human-review", &[("Submitted", 1)]);
        if let Err(error) = Remarks(self.bucket).note(remarks).await {
            // They are stored with the answer: what is missing is their place in the operator's list.
            tracing::warn!(%error, "remarks are missing from the newest");
        }
        let done = match self.histories().note(worker, &human_loop, self.now).await {
            Ok(history) => Some(history.done_on(self.now)),
            Err(error) => {
                // The answer is stored: that it is missing from the last ten is no reason to say it is not.
                tracing::warn!(%error, "an answer is missing from its reviewer's history");
                None
            }
        };
        if !request.wants_json() {
            return Ok(redirect("next"));
        }
        let saved = json!({ "saved": true, "doneToday": done });
        Ok(self.with_next(saved, form, worker, true).await)
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
        }
    }

    /// Adds the next task to what a step answers; what is done stays done where there is trouble with the
    /// next.
    async fn with_next(
        &self,
        mut done: Value,
        form: &BTreeMap<String, String>,
        worker: &Worker,
        skipped_too: bool,
    ) -> HttpReply {
        if form.get("portal:next").is_some_and(|wanted| wanted == "no") {
            return document(200, &done);
        }
        let without = names(form.get("portal:without"));
        let wish = Wish {
            skipped_too,
            without: &without,
        };
        match self.next_document(worker, wish).await {
            Ok(next) => {
                for name in ["next", "waiting", "hasMore"] {
                    done[name] = next[name].clone();
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the next task cannot be had"
                );
                done["nextFailed"] = json!(true);
            }
        }
        document(200, &done)
    }

    /// Gives the task back and goes to one that this reviewer has not skipped.
    pub(super) async fn release(
        &self,
        request: &HttpRequest,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        let reason = form.get("portal:reason").map(|reason| reason.trim());
        let reason = reason.filter(|reason| !reason.is_empty());
        let reason: Option<String> = reason.map(|reason| reason.chars().take(MAX_REASON_CHARS).collect());
        match self
            .loops
            .release(name, worker, reason.as_deref(), self.now)
            .await
        {
            Ok(()) => metrics::count("human-review", &[("Skipped", 1)]),
            Err(LoopError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        if request.wants_json() {
            let skipped = json!({ "skipped": true });
            return Ok(self.with_next(skipped, form, worker, false).await);
        }
        self.go_on(request, worker, false, &[]).await
    }

    /// Lets the reviewer's lease run from now on.
    pub(super) async fn renew(
        &self,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        let renewed = self.loops.renew(name, worker, self.now).await;
        if let Err(LoopError::Refused(Refusal::Held)) = &renewed {
            metrics::count("human-review", &[("LeaseLost", 1)]);
        }
        let human_loop = renewed?;
        let lease = json!({ "leaseSeconds": self.lease_seconds(&human_loop, worker) });
        Ok(document(200, &lease))
    }

    /// Takes back a task that lay ready for the reviewer and that they have not seen.
    pub(super) async fn give_back(
        &self,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        self.loops.give_back(name, worker, self.now).await?;
        Ok(document(200, &json!({ "givenBack": true })))
    }
}

/// Reads names of loops, with spaces between.
fn names(list: Option<&String>) -> Vec<String> {
    let list = list.map(String::as_str).unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}
