//! The task page and what is done on it: as pages for browsers without a script, as JSON for the page's own.
//!
//! With `Accept: application/json` a submitted, skipped or renewed task is answered with a document, and
//! with the next task in it: the page shows it without another request.

use std::collections::BTreeMap;

use active_learning_aws::{metrics, overview::first_model};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Portal, PortalError, checked_name};
use crate::blind::mark_blind;
use crate::choices::{name_predictions, shown_input};
use crate::erased_items::{leave_out_erased, notice_of_erased};
use crate::event::{HttpReply, HttpRequest};
use crate::guideline::Shown;
use crate::human_loop::{HumanLoop, Worker};
use crate::loops::Wish;
use crate::pages::{TaskPage, document, page, redirect};
use crate::session::Claims;
use crate::suggestions::{leave_out_withdrawn, notice_of_withdrawn, show_questions};
use crate::trial::Trial;

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
    pub(super) async fn shown(&self, human_loop: &HumanLoop, input: Value) -> Result<Value, PortalError> {
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

/// Returns whether a form asks for the next task too.
pub(super) fn wants_next(form: &BTreeMap<String, String>) -> bool {
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
