//! The reviewers' portal: sign-in, queue, task, submit, next.
//!
//! All pages lie one level deep and all links are relative, so the portal works behind any stage. Every
//! page but the sign-in link needs a session; every form carries its token.

mod messages;

use std::collections::BTreeMap;
use std::error::Error;

use active_learning_aws::bucket::{Bucket, BucketError, Created, TEXT};
use active_learning_aws::label_set::LabelSets;
use active_learning_aws::metrics;
use active_learning_core::{keys::FIRST_MODEL, model::first_model::FirstModel};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use self::messages::{answered_task, message};
use crate::answer::{AnswerError, check_shipped_answer, read_answer};
use crate::choices::shown_input;
use crate::event::{HttpReply, HttpRequest};
use crate::human_loop::{HumanLoop, Worker};
use crate::loops::{LoopError, Loops};
use crate::output::iso_time;
use crate::pages::{
    MessagePage, QueuePage, QueuedTask, SessionView, SignInPage, TaskPage, asset, page, redirect,
};
use crate::records::STATE_PREFIX;
use crate::session::{Claims, Purpose, SESSION_LIFETIME, SigningKey, session_cookie, set_session_cookie};
use crate::task_template::{TaskError, TaskTemplate};
use crate::trial::{Trial, check_answer};
use crate::validation::is_loop_name;
use crate::worker_template::TemplateError;

const STYLE_SHEET: &str = include_str!("../assets/portal.css");
const CROWD_ELEMENTS: &str = include_str!("../assets/crowd-html-elements.js");

/// The portal for one request.
#[derive(Debug)]
pub struct Portal<'a> {
    /// The loops.
    pub loops: &'a Loops,
    /// The review bucket.
    pub bucket: &'a Bucket,
    /// Signs links and sessions.
    pub key: &'a SigningKey,
    /// The training bucket, which says how far the first model is.
    pub training: &'a Bucket,
    /// The label set, which open tasks follow.
    pub label_sets: &'a LabelSets,
    /// What the tasks are shown by.
    pub template: TaskTemplate<'a>,
    /// Public URL of the portal; empty to take it from the request.
    pub portal_url: &'a str,
    /// Time of the request.
    pub now: DateTime<Utc>,
}

/// Why a reviewer does not get what they asked for.
#[derive(Debug, thiserror::Error)]
enum PortalError {
    #[error("nobody is signed in")]
    Anonymous,
    #[error("the sign-in link is not valid")]
    BadLink,
    #[error("the sign-in link has been used")]
    UsedLink,
    #[error("the form does not belong to this session")]
    ForgedForm,
    #[error("no such page")]
    NoPage,
    #[error("the page does not take this method")]
    Method(&'static str),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    Loop(#[from] LoopError),
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl From<BucketError> for PortalError {
    fn from(error: BucketError) -> Self {
        Self::Loop(LoopError::Storage(error))
    }
}

impl Portal<'_> {
    /// Answers a request; errors become pages.
    pub async fn answer(&self, request: &HttpRequest) -> HttpReply {
        let session = self.session(request);
        match self.dispatch(request, session.as_ref()).await {
            Ok(reply) => reply,
            Err(error) => self.error_page(request, &error, session.as_ref()),
        }
    }

    async fn dispatch(
        &self,
        request: &HttpRequest,
        session: Option<&Claims>,
    ) -> Result<HttpReply, PortalError> {
        let method = request.method.as_str();
        // A slash at the end would break relative links: such a page does not exist.
        let path = request.path.trim_start_matches('/');
        match (method, path) {
            ("GET", "portal.css") => return Ok(asset("text/css; charset=utf-8", STYLE_SHEET)),
            ("GET", "crowd-html-elements.js") => {
                return Ok(asset("text/javascript; charset=utf-8", CROWD_ELEMENTS));
            }
            ("GET", "sign-in") => return self.sign_in_page(request),
            ("POST", "sign-in") => return self.sign_in(request).await,
            _ => {}
        }
        let session = session.ok_or(PortalError::Anonymous)?;
        let worker = Worker::of(&session.reviewer);
        match (method, path) {
            ("GET", "") => Ok(redirect(&beside_root(&request.full_path, "queue"))),
            ("GET", "queue") => self.queue_page(session, &worker).await,
            ("GET", "next") => self.next(&worker, true).await,
            ("GET", "task") => self.task_page(request, session, &worker).await,
            ("POST", "submit") => self.submit(request, &self.form(request, session)?, &worker).await,
            ("POST", "release") => self.release(&self.form(request, session)?, &worker).await,
            ("POST", "sign-out") => {
                self.form(request, session)?;
                Ok(self.with_session(redirect("sign-in"), "", request))
            }
            (_, "" | "queue" | "next" | "task") => Err(PortalError::Method("GET")),
            (_, "submit" | "release" | "sign-out") => Err(PortalError::Method("POST")),
            _ => Err(PortalError::NoPage),
        }
    }

    fn session(&self, request: &HttpRequest) -> Option<Claims> {
        let token = session_cookie(request.header("cookie")?)?;
        self.key.verify(token, Purpose::Session, self.now)
    }

    /// Returns the fields of a form that was sent from a page of this session.
    fn form(&self, request: &HttpRequest, session: &Claims) -> Result<BTreeMap<String, String>, PortalError> {
        let form = request.form();
        let token = form.get("portal:csrf").map(String::as_str).unwrap_or_default();
        if !self.key.is_form_token(session, token) {
            return Err(PortalError::ForgedForm);
        }
        Ok(form)
    }

    fn view(&self, session: &Claims) -> SessionView {
        SessionView {
            reviewer: session.reviewer.clone(),
            form_token: self.key.form_token(session),
        }
    }

    fn with_session(&self, mut reply: HttpReply, token: &str, request: &HttpRequest) -> HttpReply {
        reply
            .headers
            .insert("set-cookie", set_session_cookie(token, request.is_https()));
        reply
    }

    /// Shows a button, so that a mail program's preview does not use up the link.
    fn sign_in_page(&self, request: &HttpRequest) -> Result<HttpReply, PortalError> {
        let token = request.query.get("token").ok_or(PortalError::Anonymous)?;
        let claims = self
            .key
            .verify(token, Purpose::SignIn, self.now)
            .ok_or(PortalError::BadLink)?;
        let view = SignInPage {
            session: None,
            reviewer: claims.reviewer,
            token: token.clone(),
            hours: SESSION_LIFETIME.num_hours(),
        };
        Ok(page(200, &view, None))
    }

    async fn sign_in(&self, request: &HttpRequest) -> Result<HttpReply, PortalError> {
        let form = request.form();
        let token = form.get("token").map(String::as_str).unwrap_or_default();
        let link = self
            .key
            .verify(token, Purpose::SignIn, self.now)
            .ok_or(PortalError::BadLink)?;
        let session = Claims::new(Purpose::Session, &link.reviewer, self.now);
        if !self.use_up(&link, &session).await? {
            return Err(PortalError::UsedLink);
        }
        Ok(self.with_session(redirect("queue"), &self.key.sign(&session), request))
    }

    /// Notes that a link has begun a session; returns false if it has begun another one.
    async fn use_up(&self, link: &Claims, session: &Claims) -> Result<bool, BucketError> {
        let key = format!("{STATE_PREFIX}used-sign-in-links/{}", link.id);
        let used = self.bucket.create(&key, TEXT, session.id.clone()).await?;
        Ok(used == Created::Created)
    }

    async fn queue_page(&self, session: &Claims, worker: &Worker) -> Result<HttpReply, PortalError> {
        let queue = self.loops.queue(worker, self.now).await?;
        let tasks = queue
            .tasks
            .iter()
            .map(|task| QueuedTask::new(task, &worker.id, self.now));
        let view = QueuePage {
            session: Some(self.view(session)),
            waiting: queue.waiting,
            tasks: tasks.collect(),
            first_model: self.first_model().await,
        };
        Ok(page(200, &view, None))
    }

    /// Goes to the next task, or to the queue when there is none.
    async fn next(&self, worker: &Worker, skipped_too: bool) -> Result<HttpReply, PortalError> {
        let next = self.loops.take_next(worker, skipped_too, self.now).await?;
        Ok(redirect(
            &next.map_or("queue".to_owned(), |name| format!("task?loop={name}")),
        ))
    }

    async fn task_page(
        &self,
        request: &HttpRequest,
        session: &Claims,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(request.query.get("loop"))?;
        // Who has answered may see the task again, to correct the answer.
        let human_loop = match request.query.contains_key("correct") {
            true => self.loops.answered(name, worker, self.now).await?,
            false => self.loops.take(name, worker, self.now).await?,
        };
        let nonce = Uuid::new_v4().simple().to_string();
        let (task_html, trial) = match self.render(&human_loop, &nonce).await {
            Ok(page) => page,
            Err(error) => {
                // Else the next task would be this one again.
                self.loops.release(name, worker, self.now).await?;
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

        let lease_expires = human_loop
            .lease_expires_at(&worker.id)
            .map(iso_time)
            .unwrap_or_default();
        let view = TaskPage {
            session: Some(self.view(session)),
            waiting: self.loops.queue(worker, self.now).await?.waiting,
            name: human_loop.name,
            id: human_loop.id,
            lease_expires,
            task_html,
            first_model: self.first_model().await,
            notices: trial.notices,
            is_withheld: trial.is_withheld,
        };
        Ok(page(200, &view, Some(&nonce)))
    }

    /// Says how far it is to the first model; nothing once there is one. A page that cannot say it is shown without.
    async fn first_model(&self) -> Option<String> {
        match self.training.read_document::<FirstModel>(FIRST_MODEL).await {
            Ok(progress) => progress.map(|progress| progress.describe()),
            Err(error) => {
                tracing::warn!(%error, "how far the first model is cannot be told");
                None
            }
        }
    }

    /// Returns the input of a loop as its page shows it today, with the choices of the current label set.
    async fn shown(&self, human_loop: &HumanLoop) -> Result<Value, PortalError> {
        let input = self.loops.input(human_loop).await?;
        let set = self.label_sets.current().await?;
        let choices = set.map(|set| {
            let started_with = input["labels"].as_array().into_iter().flatten();
            set.choices(started_with.filter_map(Value::as_str))
        });
        Ok(shown_input(input, choices.as_deref()))
    }

    async fn render(&self, human_loop: &HumanLoop, nonce: &str) -> Result<(String, Trial), PortalError> {
        let input = self.shown(human_loop).await?;
        Ok(self.template.render(&input, nonce).await?)
    }

    async fn submit(
        &self,
        request: &HttpRequest,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        let id = form.get("portal:loop-id").map(String::as_str).unwrap_or_default();
        let answer = read_answer(form)?;
        let human_loop = self.loops.find(name, self.now).await?;
        let input = self.shown(&human_loop).await?;
        if self.template.is_shipped() {
            check_shipped_answer(&input, &answer)?;
        } else {
            check_answer(&answer, &input)?;
        }
        let issuer = match self.portal_url {
            "" => request.base_url(),
            url => url.trim_end_matches('/').to_owned(),
        };
        self.loops
            .answer(name, id, worker, &issuer, Value::Object(answer), self.now)
            .await?;
        Ok(redirect("next"))
    }

    /// Gives the task back and goes to one that this reviewer has not skipped.
    async fn release(
        &self,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        match self.loops.release(name, worker, self.now).await {
            Ok(()) | Err(LoopError::NotFound) => self.next(worker, false).await,
            Err(error) => Err(error.into()),
        }
    }

    fn error_page(&self, request: &HttpRequest, error: &PortalError, session: Option<&Claims>) -> HttpReply {
        let (status, code, title, text) = message(error);
        match error {
            // What Liquid says may quote the task's texts: the reviewer sees it, the log does not.
            PortalError::Task(TaskError::Template(TemplateError::Liquid(_))) => {
                tracing::error!(code, "portal request failed");
            }
            _ if status >= 500 => {
                tracing::error!(error = error as &dyn Error, code, "portal request failed");
            }
            _ => {}
        }
        let detail = match error {
            PortalError::Task(TaskError::Template(TemplateError::Liquid(cause))) => cause.to_string(),
            _ => String::new(),
        };
        let view = MessagePage {
            session: session.map(|session| self.view(session)),
            code,
            title,
            text: text.to_owned(),
            detail,
            answered: answered_task(request, error),
        };
        let mut reply = page(status, &view, None);
        if let PortalError::Method(allowed) = error {
            reply.headers.insert("allow", (*allowed).to_owned());
        }
        reply
    }
}

/// Returns a link from the root, which the browser may see with or without a slash at the end.
fn beside_root(full_path: &str, page: &str) -> String {
    match full_path.rsplit('/').next() {
        None | Some("") => page.to_owned(),
        Some(stage) => format!("{stage}/{page}"),
    }
}

fn checked_name(name: Option<&String>) -> Result<&str, PortalError> {
    let name = name.filter(|name| is_loop_name(name));
    name.map(String::as_str)
        .ok_or(PortalError::Loop(LoopError::NotFound))
}
