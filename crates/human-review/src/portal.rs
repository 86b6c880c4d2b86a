//! The reviewers' portal: sign-in, queue, task, submit, next.
//!
//! All pages lie one level deep and all links are relative, so the portal works behind any stage. Every
//! page but the sign-in link needs a session; every form carries its token.

use std::collections::BTreeMap;
use std::error::Error;

use active_learning_aws::bucket::{Bucket, BucketError, Created, TEXT};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::answer::{AnswerError, check_shipped_answer, read_answer};
use crate::event::{HttpReply, HttpRequest};
use crate::human_loop::{HumanLoop, Refusal, Worker};
use crate::loops::{LoopError, Loops};
use crate::output::iso_time;
use crate::pages::{
    MessagePage, QueuePage, QueuedTask, SessionView, SignInPage, TaskPage, asset, page, redirect,
};
use crate::records::STATE_PREFIX;
use crate::session::{Claims, Purpose, SESSION_LIFETIME, SigningKey, session_cookie, set_session_cookie};
use crate::validation::is_loop_name;
use crate::worker_template::{self, TemplateError};

const STYLE_SHEET: &str = include_str!("../assets/portal.css");
/// Longest rendered task: with the JSON around it the page stays below Lambda's 6 MB of response.
const MAX_TASK_BYTES: usize = 4_500_000;
/// Largest worker task template, in bytes.
const MAX_TEMPLATE_BYTES: u64 = 4 << 20;
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
    /// Key of the worker task template in the review bucket; empty for the shipped one.
    pub template_key: &'a str,
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
    #[error("the rendered task is longer than a page can be")]
    TaskTooLong,
    #[error("the worker task template is not in the bucket")]
    NoTemplate,
    #[error(transparent)]
    Template(#[from] TemplateError),
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
            Err(error) => self.error_page(&error, session.as_ref()),
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
        let human_loop = self.loops.take(name, worker, self.now).await?;
        let nonce = Uuid::new_v4().simple().to_string();
        let task_html = match self.render(&human_loop, &nonce).await {
            Ok(html) => html,
            Err(error) => {
                // Else the next task would be this one again.
                self.loops.release(name, worker, self.now).await?;
                return Err(error);
            }
        };
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
        };
        Ok(page(200, &view, Some(&nonce)))
    }

    async fn render(&self, human_loop: &HumanLoop, nonce: &str) -> Result<String, PortalError> {
        let input = self.loops.input(human_loop).await?;
        let template = self.template().await?;
        let html = worker_template::render(&template, &input, nonce, self.bucket, STATE_PREFIX).await?;
        if html.len() > MAX_TASK_BYTES {
            return Err(PortalError::TaskTooLong);
        }
        Ok(html)
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
        if self.template_key.is_empty() {
            let human_loop = self.loops.find(name, self.now).await?;
            check_shipped_answer(&self.loops.input(&human_loop).await?, &answer)?;
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

    async fn template(&self) -> Result<String, PortalError> {
        if self.template_key.is_empty() {
            return Ok(worker_template::SHIPPED.to_owned());
        }
        let template = self.bucket.read(self.template_key, MAX_TEMPLATE_BYTES).await?;
        let template = template.ok_or(PortalError::NoTemplate)?;
        Ok(String::from_utf8_lossy(&template.bytes).into_owned())
    }

    fn error_page(&self, error: &PortalError, session: Option<&Claims>) -> HttpReply {
        let (status, code, title, text) = message(error);
        match error {
            // What Liquid says may quote the task's texts: the reviewer sees it, the log does not.
            PortalError::Template(TemplateError::Liquid(_)) => tracing::error!(code, "portal request failed"),
            _ if status >= 500 => {
                tracing::error!(error = error as &dyn Error, code, "portal request failed");
            }
            _ => {}
        }
        let detail = match error {
            PortalError::Template(TemplateError::Liquid(cause)) => cause.to_string(),
            _ => String::new(),
        };
        let view = MessagePage {
            session: session.map(|session| self.view(session)),
            code,
            title,
            text: text.to_owned(),
            detail,
        };
        let mut reply = page(status, &view, None);
        if let PortalError::Method(allowed) = error {
            reply.headers.insert("allow", (*allowed).to_owned());
        }
        reply
    }
}

/// Returns status, stable code, title and advice for an error.
fn message(error: &PortalError) -> (u16, &'static str, &'static str, &'static str) {
    match error {
        PortalError::Anonymous => (
            401,
            "sign_in_required",
            "Please sign in",
            "Reviewers come in by a personal one-time link. Ask the operator of this portal for one.",
        ),
        PortalError::BadLink => (
            403,
            "link_invalid",
            "This link does not work",
            "It has expired or is incomplete. Ask the operator of this portal for a new one.",
        ),
        PortalError::UsedLink => (
            403,
            "link_used",
            "This link has been used",
            "A sign-in link works once. Ask the operator of this portal for a new one.",
        ),
        PortalError::ForgedForm => (
            403,
            "form_invalid",
            "This page is out of date",
            "You have signed in again since it was opened. Nothing was saved: please open the task again.",
        ),
        PortalError::NoPage => (
            404,
            "no_page",
            "No such page",
            "The queue shows what waits for you.",
        ),
        PortalError::Method(_) => (
            405,
            "method_not_allowed",
            "This does not work",
            "Please use the links and buttons.",
        ),
        PortalError::Answer(AnswerError::Incomplete) => (
            400,
            "answer_incomplete",
            "Some items have no answer",
            "Please go back and choose a label, or that none fits, for every item. The task is still yours.",
        ),
        PortalError::Answer(AnswerError::NotAnObject) => (
            400,
            "answer_invalid",
            "The answer cannot be read",
            "Please go back and try again. The task is still yours.",
        ),
        PortalError::Loop(LoopError::NotFound) => (
            404,
            "task_not_found",
            "This task does not exist",
            "It may have been removed. Here is the next one.",
        ),
        PortalError::Loop(LoopError::Refused(Refusal::Held)) => (
            409,
            "task_held",
            "Somebody else has this task",
            "Another reviewer is at it or has answered it. Here is the next one.",
        ),
        PortalError::Loop(LoopError::Refused(Refusal::Answered)) => (
            409,
            "task_answered",
            "You have answered this task",
            "Thank you! Here is the next one.",
        ),
        PortalError::Loop(LoopError::Refused(Refusal::Closed)) => (
            410,
            "task_closed",
            "This task is closed",
            "It was completed, stopped or its time is over. Here is the next one.",
        ),
        PortalError::NoTemplate
        | PortalError::TaskTooLong
        | PortalError::Template(TemplateError::Liquid(_)) => (
            500,
            "template_failed",
            "The task page cannot be shown",
            "The worker task template does not work with this task. The task stays in the queue; please tell the operator.",
        ),
        PortalError::Loop(
            LoopError::Conflict
            | LoopError::QuotaExceeded
            | LoopError::WrongStatus(_)
            | LoopError::Contention
            | LoopError::Storage(_),
        )
        | PortalError::Template(TemplateError::Storage(_)) => (
            503,
            "storage_unavailable",
            "Please try again",
            "The storage did not answer. Nothing is lost; go back and send it again.",
        ),
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
