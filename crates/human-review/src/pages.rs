//! The portal's own pages: what they show, and the headers that go with them.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::labels::agreement::ReviewerReport;
use askama::Template;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::asked::{first_words, reasons};
use crate::event::HttpReply;
use crate::guideline::Shown;
use crate::human_loop::{HumanLoop, LoopFlow};
use crate::loops::Waiting;

/// Policy of the portal's own pages: nothing inline, nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The signed-in reviewer, as pages show them.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// Name.
    pub reviewer: String,
    /// Whether they may open the console.
    pub is_admin: bool,
    /// Token of every form.
    pub form_token: String,
    /// Seconds until the session ends.
    pub seconds_left: i64,
}

/// The waiting tasks.
#[derive(Debug, Template)]
#[template(path = "queue.html")]
pub struct QueuePage {
    /// Reviewer.
    pub session: Option<SessionView>,
    /// All that wait.
    pub waiting: Waiting,
    /// The first of them, as far as they are asked for `why`.
    pub tasks: Vec<QueuedTask>,
    /// Why those are asked that are shown; empty shows all.
    pub why: String,
    /// Links to the same page of other reasons; none where there is nothing to choose.
    pub filters: Vec<Filter>,
    /// The last tasks that the reviewer answered, newest first.
    pub answers: Vec<OwnAnswer>,
    /// Tasks that the reviewer answered today.
    pub done_today: u32,
    /// How far it is to the first model, until one serves.
    pub first_model: Option<String>,
}

impl QueuePage {
    /// Returns what the page shows.
    pub fn to_json(&self) -> Value {
        let task = |task: &QueuedTask| {
            json!({
                "loop": task.name, "createdAt": task.created_at, "lowestConfidence": task.lowest_confidence,
                "items": task.item_count, "title": task.title, "skipped": task.skipped,
                "keptUntil": task.kept_until, "text": task.text, "reasons": task.reasons,
            })
        };
        json!({
            "why": self.why, "answers": self.answers.iter().map(OwnAnswer::to_json).collect::<Vec<_>>(),
            "waiting": self.waiting.count, "hasMore": self.waiting.has_more, "doneToday": self.done_today,
            "firstModel": self.first_model, "tasks": self.tasks.iter().map(task).collect::<Vec<_>>(),
        })
    }
}

/// A link to the tasks that are asked for a reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its address.
    pub address: String,
    /// What it says.
    pub text: String,
    /// Whether this is what is shown.
    pub is_here: bool,
}

impl Filter {
    /// Returns the links of a page that shows the tasks asked for `why`, or all where that is empty.
    pub fn all(reasons: &BTreeSet<String>, why: &str) -> Vec<Self> {
        if why.is_empty() && reasons.len() < 2 {
            return Vec::new();
        }
        let all = Self {
            address: "queue".to_owned(),
            text: "All".to_owned(),
            is_here: why.is_empty(),
        };
        let each = reasons.iter().map(|reason| {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("why", reason)
                .finish();
            Self {
                address: format!("queue?{query}"),
                text: format!("Only {reason}"),
                is_here: reason == why,
            }
        });
        std::iter::once(all).chain(each).collect()
    }
}

/// One line of the queue.
#[derive(Debug)]
pub struct QueuedTask {
    name: String,
    confidence: String,
    items: String,
    age: String,
    skipped: bool,
    /// What the task is, where its flow definition says so.
    title: Option<String>,
    /// How long it is kept for the reviewer, who has it open; empty where they do not.
    kept: String,
    /// Until when.
    kept_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    lowest_confidence: Option<f64>,
    item_count: Option<usize>,
    /// Beginning of its first text.
    text: String,
    /// Why people are asked, each reason once.
    reasons: Vec<String>,
}

impl QueuedTask {
    /// Returns the line of a loop that asks this for a worker.
    pub fn new(human_loop: &HumanLoop, input: &Value, worker_id: &str, now: DateTime<Utc>) -> Self {
        let confidence = human_loop.lowest_confidence;
        let kept_until = human_loop.lease_expires_at(worker_id).filter(|end| *end > now);
        Self {
            text: first_words(input),
            reasons: reasons(input),
            created_at: human_loop.created_at,
            lowest_confidence: confidence,
            item_count: human_loop.item_count,
            kept_until,
            name: human_loop.name.clone(),
            confidence: confidence.map_or("unknown".to_owned(), |score| format!("{:.1} %", score * 100.0)),
            items: human_loop
                .item_count
                .map_or("1".to_owned(), |count| count.to_string()),
            age: age(now - human_loop.created_at),
            skipped: human_loop.skipped_by.iter().any(|skipped| skipped == worker_id),
            title: human_loop.flow.as_ref().map(|flow| flow.title.clone()),
            kept: kept_until.map_or_else(String::new, |end| age(end - now)),
        }
    }

    /// Returns why people are asked, each reason once.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }
}

/// A task, with the rendered worker task template.
#[derive(Debug, Template)]
#[template(path = "task.html")]
pub struct TaskPage {
    /// Reviewer.
    pub session: Option<SessionView>,
    /// Name of the loop.
    pub name: String,
    /// Id of the loop.
    pub id: String,
    /// All that wait, this one included.
    pub waiting: Waiting,
    /// Seconds until the reviewer's lease ends, if they have one.
    pub lease_seconds: Option<i64>,
    /// What the reviewer answered before, as JSON, where they correct it.
    pub previous: String,
    /// Whether the page's script shows the next task in the place of this one.
    pub is_swapped: bool,
    /// Flow definition of the task, if it is not the stack's own.
    pub flow: Option<LoopFlow>,
    /// Whether it is of a labelling job: then the answer is a label as soon as all are there.
    pub is_of_job: bool,
    /// What stands beside the task.
    pub guideline: Option<Shown>,
    /// The rendered template.
    pub task_html: String,
    /// How far it is to the first model, until one serves.
    pub first_model: Option<String>,
    /// What the trial of the page found.
    pub notices: Vec<String>,
    /// Whether the page cannot be submitted, since its answer could not be matched.
    pub is_withheld: bool,
}

/// The last tasks that the reviewer answered.
#[derive(Debug, Template)]
#[template(path = "history.html")]
pub struct HistoryPage {
    /// Reviewer.
    pub session: Option<SessionView>,
    /// Tasks that they answered today.
    pub done_today: u32,
    /// How their answers compare with those of others, as of the last dataset.
    pub own: Option<ReviewerReport>,
    /// When the history was begun anew, since what was there could not be read.
    pub begun_anew_at: Option<DateTime<Utc>>,
    /// Newest first.
    pub answers: Vec<OwnAnswer>,
}

impl HistoryPage {
    /// Returns what the page shows.
    pub fn to_json(&self) -> Value {
        let answers = self.answers.iter().map(OwnAnswer::to_json);
        let mut document = json!({ "doneToday": self.done_today, "answers": answers.collect::<Vec<_>>() });
        if let Some(own) = &self.own {
            document["own"] = json!(own);
        }
        if let Some(at) = self.begun_anew_at {
            document["begunAnewAt"] = json!(at);
        }
        document
    }
}

/// Returns a share as pages say it.
fn percent(share: &f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Returns seconds as pages say them.
fn tenths(seconds: &f64) -> String {
    format!("{seconds:.1} s")
}

/// One line of the history.
#[derive(Debug)]
pub struct OwnAnswer {
    /// Name of the loop.
    pub name: String,
    /// When it was answered last.
    pub at: DateTime<Utc>,
    /// Whether it can be answered again.
    pub is_open: bool,
    /// Its texts, each with what was answered to it, in the order of the page. At least one.
    pub items: Vec<OwnItem>,
}

impl OwnAnswer {
    fn to_json(&self) -> Value {
        let items = self.items.iter();
        let items = items.map(|item| json!({ "text": item.text, "answer": item.answer }));
        let answers: Vec<&str> = self.items.iter().map(|item| item.answer.as_str()).collect();
        json!({
            "loop": self.name,
            "at": self.at,
            "text": self.items.first().map(|item| &item.text),
            "answer": answers.join(" · "),
            "canBeCorrected": self.is_open,
            "items": items.collect::<Vec<_>>(),
        })
    }
}

/// What was answered to one text.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnItem {
    /// First words of the text.
    pub text: String,
    /// What was answered.
    pub answer: String,
}

/// The guideline on a page of its own.
#[derive(Debug, Template)]
#[template(path = "guide.html")]
pub struct GuidePage {
    /// Reviewer.
    pub session: Option<SessionView>,
    /// None where the operator has not written one.
    pub guideline: Option<Shown>,
}

impl GuidePage {
    /// Returns what the page shows.
    pub fn to_json(&self) -> Value {
        let shown = self.guideline.as_ref();
        let version = shown
            .map(|shown| &shown.version)
            .filter(|version| !version.is_empty());
        let (guideline, unreadable) = match shown.map(|shown| &shown.guideline) {
            Some(Ok(guideline)) => (Some(guideline), None),
            Some(Err(place)) => (None, Some(place)),
            None => (None, None),
        };
        json!({ "version": version, "guideline": guideline, "unreadable": unreadable })
    }
}

/// What a sign-in link shows until its button is pressed.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// Nobody is signed in yet.
    pub session: Option<SessionView>,
    /// Who signs in.
    pub reviewer: String,
    /// The link's token.
    pub token: String,
    /// Length of the session.
    pub hours: i64,
}

/// The ways to sign in, where there is more than a one-time link.
#[derive(Debug, Template)]
#[template(path = "sign_in_choice.html")]
pub struct SignInChoicePage {
    /// Nobody is signed in yet.
    pub session: Option<SessionView>,
}

/// What follows a sign-in at a provider: the browser goes on by itself, from this page and not from the provider's.
#[derive(Debug, Template)]
#[template(path = "signed_in.html")]
pub struct SignedInPage {
    /// The session begins with this page.
    pub session: Option<SessionView>,
}

/// What follows a sign-out of whom a provider has signed in: the browser goes on to the provider by itself.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOutPage {
    /// The session has ended.
    pub session: Option<SessionView>,
    /// Where the provider ends its own.
    pub provider_url: String,
}

/// A message instead of what was asked for.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub struct MessagePage {
    /// Reviewer, if anybody is signed in.
    pub session: Option<SessionView>,
    /// Stable name of the situation.
    pub code: &'static str,
    /// Heading.
    pub title: &'static str,
    /// What to do.
    pub text: String,
    /// Technical detail, for the author of a template.
    pub detail: String,
    /// The task whose answer the reviewer may correct, if that is what the page is about.
    pub answered: Option<String>,
    /// Link to the provider, where signing in there may help.
    pub provider: Option<String>,
}

/// Returns a page as a reply; `nonce` admits the scripts and styles of a worker task template.
pub fn page(status: u16, page: &impl Template, nonce: Option<&str>) -> HttpReply {
    let body = page.render().expect("a page writes into memory");
    let policy = nonce.map_or(PAGE_POLICY.to_owned(), task_policy);
    let mut headers = security_headers(policy);
    headers.insert("content-type", "text/html; charset=utf-8".to_owned());
    HttpReply {
        status,
        headers,
        body,
    }
}

/// Returns a JSON document as a reply.
pub fn document(status: u16, document: &Value) -> HttpReply {
    let mut headers = security_headers(PAGE_POLICY.to_owned());
    headers.insert("content-type", "application/json".to_owned());
    HttpReply {
        status,
        headers,
        body: document.to_string(),
    }
}

/// Returns a file that the browser keeps.
pub fn download(content_type: &str, name: &str, body: String) -> HttpReply {
    let mut headers = security_headers(PAGE_POLICY.to_owned());
    headers.insert("content-type", content_type.to_owned());
    headers.insert("content-disposition", format!("attachment; filename=\"{name}\""));
    HttpReply {
        status: 200,
        headers,
        body,
    }
}

/// Returns a redirect to a page beside this one.
pub fn redirect(location: &str) -> HttpReply {
    let mut headers = security_headers(PAGE_POLICY.to_owned());
    headers.insert("location", location.to_owned());
    HttpReply {
        status: 303,
        headers,
        body: String::new(),
    }
}

/// Returns a static file, the only thing that everybody may read.
pub fn asset(content_type: &str, body: &str) -> HttpReply {
    let mut headers = security_headers(PAGE_POLICY.to_owned());
    headers.insert("content-type", content_type.to_owned());
    headers.insert("cache-control", "public, max-age=300".to_owned());
    HttpReply {
        status: 200,
        headers,
        body: body.to_owned(),
    }
}

fn security_headers(policy: String) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("cache-control", "no-store".to_owned()),
        ("content-security-policy", policy),
        ("referrer-policy", "no-referrer".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("x-frame-options", "DENY".to_owned()),
    ])
}

/// Policy of a task page. Templates use style attributes, so these are allowed; inline handlers are not.
fn task_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; \
         style-src-attr 'unsafe-inline'; connect-src 'self'; img-src 'self' https: data:; media-src 'self' https:; font-src 'self' https:; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

fn age(age: Duration) -> String {
    match (age.num_days(), age.num_hours(), age.num_minutes()) {
        (0, 0, minutes) => format!("{} min", minutes.max(0)),
        (0, hours, _) => format!("{hours} h"),
        (days, ..) => format!("{days} d"),
    }
}
