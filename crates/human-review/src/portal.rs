//! The reviewers' portal: sign-in, queue, task, submit, next.
//!
//! All pages lie one level deep and all links are relative, so the portal works behind any stage. Every
//! page but the sign-in link needs a session; every form carries its token.

mod access;
mod holding;
mod messages;
mod own_pages;
mod provider;
mod submission;
mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use active_learning_aws::bucket::{Bucket, BucketError};
use active_learning_aws::label_set::LabelSets;
use active_learning_core::feedback::review_policy::ConfidenceThreshold;
use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt, ready};
use serde_json::json;

use self::messages::{answered_task, message, own_words};
use crate::answer::AnswerError;
use crate::blind::BlindShare;
use crate::console::{self, ChangeCounter};
use crate::control_plane::ControlPlane;
use crate::event::{HttpReply, HttpRequest};
use crate::flows::Flows;
use crate::guideline::Guidelines;
use crate::history::Histories;
use crate::human_loop::Worker;
use crate::labelling_jobs::Jobs;
use crate::loops::{LoopError, Loops};
use crate::members::Members;
use crate::oidc::{OidcError, Provider};
use crate::pages::{
    Filter, MessagePage, QueuePage, QueuedTask, SessionView, asset, document, page, redirect,
};
use crate::session::{Claims, Purpose, Role, SigningKey, session_cookie, set_session_cookie};
use crate::task_template::{TaskError, TaskTemplate};
use crate::validation::is_loop_name;
use crate::worker_template::TemplateError;

const STYLE_SHEET: &str = include_str!("../assets/portal.css");
const CROWD_ELEMENTS: &str = include_str!("../assets/crowd-html-elements.js");
const TASK_SCRIPT: &str = include_str!("../assets/task.js");

/// Pages of everybody that are there as JSON too, under the same address with `.json` at its end.
const JSON_PAGES: [&str; 3] = ["queue", "history", "guide"];

/// Header in which the script of a page names the session that the page was shown in.
const PAGE_TOKEN: &str = "x-form-token";

/// Addresses that forms with a token of the session are sent to.
const FORMS: [&str; 4] = ["submit", "release", "renew", "give-back"];

/// How tasks are shown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ShowRules {
    /// Share of the items whose prediction is shown after the choice only.
    pub blind_share: BlindShare,
    /// Whether several labels may fit a text.
    pub several_labels: bool,
}

/// The portal for one request.
#[derive(Debug)]
pub struct Portal<'a> {
    /// The loops.
    pub loops: &'a Loops,
    /// The labelling jobs.
    pub jobs: Jobs<'a>,
    /// Creates them.
    pub control: &'a ControlPlane<'a>,
    /// The review bucket.
    pub bucket: &'a Bucket,
    /// Signs links and sessions.
    pub key: &'a SigningKey,
    /// The training bucket, which says how far the first model is.
    pub training: &'a Bucket,
    /// The feedback bucket, for the console, and for what users suggest.
    pub feedback: &'a Bucket,
    /// Step Functions, and the state machine that builds models, for the console.
    pub models: Option<(&'a aws_sdk_sfn::Client, &'a str)>,
    /// Counts what a change of the label set does, for the console.
    pub counter: Option<ChangeCounter<'a>>,
    /// Who may sign in.
    pub members: &'a Members,
    /// The work teams.
    pub flows: &'a Flows,
    /// The provider that signs people in, if there is one beside the links.
    pub provider: Option<&'a Provider>,
    /// The label set, which open tasks follow.
    pub label_sets: &'a LabelSets,
    /// What the tasks are shown by.
    pub template: TaskTemplate<'a>,
    /// How tasks are shown.
    pub rules: ShowRules,
    /// What is shown beside them.
    pub guidelines: &'a Guidelines,
    /// What each reviewer answered lately.
    pub histories: &'a Histories,
    /// Public URL of the portal; empty to take it from the request.
    pub portal_url: &'a str,
    /// Confidence that a prediction must exceed to be trusted, for the console.
    pub threshold: ConfidenceThreshold,
    /// Time of the request.
    pub now: DateTime<Utc>,
}

/// Why a reviewer does not get what they asked for.
#[derive(Debug, thiserror::Error)]
enum PortalError {
    #[error("nobody is signed in")]
    Anonymous,
    #[error("an operator has ended the session")]
    Revoked,
    #[error("an operator has paused the reviewer")]
    Paused,
    #[error("the page is for admins")]
    Forbidden,
    #[error("the console does not do this")]
    Refused(String),
    #[error("the sign-in link is not valid")]
    BadLink,
    #[error("the sign-in link has been used")]
    UsedLink,
    #[error(transparent)]
    Provider(#[from] OidcError),
    #[error("the form does not belong to this session")]
    ForgedForm,
    #[error("no such page")]
    NoPage,
    #[error("the page does not take this method")]
    Method(&'static str),
    #[error("the answer names no label of the labelling job")]
    NoLabelOfJob(String),
    #[error("a label of the answer is not in use any more")]
    LabelNotInUse(String),
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
        let (session, shut) = match self.admitted(request).await {
            Ok(session) => (session, PortalError::Anonymous),
            Err(shut) => (None, shut),
        };
        let signed_in = session.as_ref().map(|(session, worker)| (session, worker));
        match self.dispatch(request, signed_in, shut).await {
            Ok(reply) => reply,
            Err(error) => self.error_page(request, &error, signed_in.map(|(session, _)| session)),
        }
    }

    async fn dispatch(
        &self,
        request: &HttpRequest,
        signed_in: Option<(&Claims, &Worker)>,
        shut: PortalError,
    ) -> Result<HttpReply, PortalError> {
        self.check_origin(request)?;
        let method = request.method.as_str();
        // A slash at the end would break relative links: such a page does not exist.
        let path = request.path.trim_start_matches('/');
        match (method, path) {
            ("GET", "portal.css") => return Ok(asset("text/css; charset=utf-8", STYLE_SHEET)),
            ("GET", "crowd-html-elements.js") => {
                return Ok(asset("text/javascript; charset=utf-8", CROWD_ELEMENTS));
            }
            ("GET", "task.js") => return Ok(asset("text/javascript; charset=utf-8", TASK_SCRIPT)),
            ("GET", "sign-in") => return self.sign_in_page(request),
            ("POST", "sign-in") => return self.sign_in(request).await,
            ("GET", provider::BEGIN) if self.provider.is_some() => {
                return Box::pin(self.begin_at_provider(request)).await;
            }
            ("GET", provider::CALLBACK) if self.provider.is_some() => {
                return Box::pin(self.end_at_provider(request)).await;
            }
            _ => {}
        }
        if let ("GET", Some(style)) = (method, console::style_sheet(path)) {
            return Ok(style);
        }
        let (session, worker) = signed_in.ok_or(shut)?;
        // That is how the script learns of it.
        if path != "session" {
            self.check_page_of(request, session)?;
        }
        if console::is_address(path) {
            return self.console(request, path, session).await;
        }
        let worker = &self.in_teams(worker, session).await?;
        let path = match path.strip_suffix(".json") {
            Some(page) if request.wants_json() && JSON_PAGES.contains(&page) => page,
            _ => path,
        };
        let form = match method {
            "POST" if FORMS.contains(&path) => self.form(request, session)?,
            _ => BTreeMap::new(),
        };
        self.page_at((method, path), request, &form, (session, worker))
            .await
    }

    /// Begins the page at an address. Boxed here: an unoptimised build keeps a place on the stack for each of them.
    fn page_at<'a>(
        &'a self,
        address: (&str, &str),
        request: &'a HttpRequest,
        form: &'a BTreeMap<String, String>,
        (session, worker): (&'a Claims, &'a Worker),
    ) -> BoxFuture<'a, Result<HttpReply, PortalError>> {
        let at_once = |answer| ready(answer).boxed();
        match address {
            ("GET", "") => {
                let first = match session.role {
                    Role::Admin => "overview",
                    Role::Reviewer => "queue",
                };
                at_once(Ok(redirect(&beside_root(&request.full_path, first))))
            }
            ("GET", "queue") => self.queue_page(request, session, worker).boxed(),
            ("GET", "next") => self.next(request, worker).boxed(),
            ("GET", "task") => self.task_page(request, session, worker).boxed(),
            ("POST", "submit") => self.submit(request, form, worker).boxed(),
            ("POST", "release") => self.release(request, form, worker).boxed(),
            ("POST", "renew") => self.renew(form, worker).boxed(),
            ("POST", "give-back") => self.give_back(form, worker).boxed(),
            ("GET", "session") => at_once(Ok(self.session_document(session))),
            ("GET", "history") => self.history_page(request, session, worker).boxed(),
            ("GET", "guide") => self.guide_page(request, session).boxed(),
            ("POST", "sign-out") => self.sign_out(request, session).boxed(),
            (_, "" | "queue" | "next" | "task" | "session" | "history" | "guide") => {
                at_once(Err(PortalError::Method("GET")))
            }
            (_, path) if path == "sign-out" || FORMS.contains(&path) => {
                at_once(Err(PortalError::Method("POST")))
            }
            _ => at_once(Err(PortalError::NoPage)),
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

    /// Refuses what the script of a page asks for that was shown in another session: a task would be held for who has signed in
    /// since, and shown to who was signed in before.
    fn check_page_of(&self, request: &HttpRequest, session: &Claims) -> Result<(), PortalError> {
        let token = request.header(PAGE_TOKEN);
        match token.is_none_or(|token| self.key.is_form_token(session, token)) {
            true => Ok(()),
            false => Err(PortalError::ForgedForm),
        }
    }

    fn view(&self, session: &Claims) -> SessionView {
        SessionView {
            reviewer: session.reviewer.clone(),
            is_admin: session.role == Role::Admin,
            form_token: self.key.form_token(session),
            seconds_left: session.expires_at - self.now.timestamp(),
        }
    }

    fn with_session(&self, mut reply: HttpReply, token: &str, request: &HttpRequest) -> HttpReply {
        reply
            .headers
            .insert("set-cookie", set_session_cookie(token, request.is_https()));
        reply
    }

    async fn queue_page(
        &self,
        request: &HttpRequest,
        session: &Claims,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let carried = self.carried(request);
        let history = self.histories.of(worker, carried.as_ref(), self.now).await?;
        let queue = self.loops.queue(worker, self.now).await?;
        let inputs = self.loops.inputs_of(&queue.tasks).await;
        let tasks = queue.tasks.iter().zip(&inputs);
        let tasks =
            tasks.map(|(task, input)| QueuedTask::new(task, input, &worker.in_loop(task).id, self.now));
        let mut tasks: Vec<QueuedTask> = tasks.collect();
        let why = request.query.get("why").cloned().unwrap_or_default();
        let reasons: BTreeSet<String> = tasks.iter().flat_map(QueuedTask::reasons).cloned().collect();
        if !why.is_empty() {
            tasks.retain(|task| task.reasons().contains(&why));
        }
        let first_model = self.first_model().await;
        // A page that looks again by itself, every few seconds, does without.
        let answers = match queue.waiting.count == 0 && first_model.is_some() {
            true => Vec::new(),
            // Who cannot see what they have answered can go on all the same.
            false => Box::pin(self.own_answers(&history, worker))
                .await
                .unwrap_or_else(|error| {
                    tracing::warn!(
                        error = &error as &dyn Error,
                        "a reviewer's last answers are missing from the queue page"
                    );
                    Vec::new()
                }),
        };
        let view = QueuePage {
            session: Some(self.view(session)),
            waiting: queue.waiting,
            tasks,
            filters: Filter::all(&reasons, &why),
            why,
            answers,
            done_today: history.done_on(self.now),
            first_model,
        };
        if request.wants_json() {
            return Ok(document(200, &view.to_json()));
        }
        Ok(page(200, &view, None))
    }

    fn error_page(&self, request: &HttpRequest, error: &PortalError, session: Option<&Claims>) -> HttpReply {
        let (status, code, title, text) = message(error);
        match error {
            // What Liquid says may quote the task's texts: the reviewer sees it, the log does not.
            PortalError::Task(TaskError::Template(TemplateError::Liquid(_))) => {
                tracing::error!(code, "portal request failed");
            }
            // What somebody does wrong at the provider, an operator may have set up wrong.
            PortalError::Provider(error) if status < 500 => {
                tracing::warn!(%error, code, "nobody is signed in");
            }
            _ if status >= 500 => {
                tracing::error!(error = error as &dyn Error, code, "portal request failed");
            }
            _ => {}
        }
        if request.wants_json() {
            let detail = own_words(error).unwrap_or_else(|| text.to_owned());
            let problem = json!({ "status": status, "code": code, "title": title, "detail": detail });
            return document(status, &problem);
        }
        let detail = match error {
            PortalError::Task(TaskError::Template(TemplateError::Liquid(cause))) => cause.to_string(),
            _ => String::new(),
        };
        let view = MessagePage {
            session: session.map(|session| self.view(session)),
            code,
            title,
            text: own_words(error).unwrap_or_else(|| text.to_owned()),
            detail,
            answered: answered_task(request, error),
            provider: self.way_to_provider(request, error),
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
