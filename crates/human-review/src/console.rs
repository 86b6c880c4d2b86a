//! The operator's console: pages and actions for admins.
//!
//! Each page is made of blocks by one template, which escapes whatever it is given, and is there as
//! JSON under the same address with `.json` at its end. No page needs a script, and none lists more than a page of keys.
//!
//! An action is a form that is sent twice: first it is answered with what is about to be done and a button, then it
//! is written down and done.

mod actions;
mod audit_start;
mod audits;
mod chart;
mod confusion;
mod counting;
mod data;
mod data_search;
mod dataset_of;
mod form;
mod guideline;
mod model;
mod model_over_time;
mod operations;
mod overview;
mod page;
mod proposals;
mod quality;
mod report;
mod reviewers;
mod skips;
mod table;
mod tasks;
mod versions;
mod work;

use std::collections::BTreeMap;

use active_learning_aws::adjudication::AdjudicationError;
use active_learning_aws::approval::ApprovalError;
use active_learning_aws::bucket::{Bucket, BucketError};
use active_learning_aws::label_set::LabelSets;
use active_learning_core::feedback::review_policy::ConfidenceThreshold;
use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt, ready};
use serde_json::Value;

pub use self::actions::{confirmed_actions, is_action, searches};
pub use self::counting::ChangeCounter;
use self::page::{Block, ConsolePage, NavigationItem};
use crate::control_plane::ControlPlane;
use crate::event::{HttpReply, HttpRequest};
use crate::flows::Flows;
use crate::history::Histories;
use crate::labelling_jobs::Jobs;
use crate::loops::{LoopError, Loops};
use crate::members::{MemberError, Members};
use crate::pages::{SessionView, asset, document, page, redirect};
use crate::session::{Claims, SigningKey};

const STYLE_SHEET: &str = include_str!("../assets/console.css");

/// The pages in the navigation: address and name.
const PAGES: [(&str, &str); 10] = [
    ("overview", "Overview"),
    ("tasks", "Tasks"),
    ("quality", "Quality"),
    ("audits", "Audits"),
    ("guideline", "Guideline"),
    ("reviewers", "Reviewers"),
    ("model", "Model"),
    ("versions", "Versions"),
    ("data", "Data"),
    ("operations", "Operations"),
];
/// What the addresses of single builds begin with.
const VERSION: &str = "versions/";
/// What the addresses of single audits begin with.
const AUDIT: &str = "audits/";
/// Address of the report on a file, or of rejected lines.
const REPORT: &str = "report";

/// The console for one request of an admin.
#[derive(Debug)]
pub struct Console<'a> {
    /// Review bucket.
    pub review: &'a Bucket,
    /// Training bucket.
    pub training: &'a Bucket,
    /// Feedback bucket.
    pub feedback: &'a Bucket,
    /// The loops.
    pub loops: &'a Loops,
    /// The labelling jobs.
    pub jobs: Jobs<'a>,
    /// Creates them.
    pub control: &'a ControlPlane<'a>,
    /// Who may sign in.
    pub members: &'a Members,
    /// What each reviewer did lately.
    pub histories: &'a Histories,
    /// The work teams.
    pub flows: &'a Flows,
    /// The label set.
    pub label_sets: &'a LabelSets,
    /// Step Functions, and the state machine that builds models.
    pub models: Option<(&'a aws_sdk_sfn::Client, &'a str)>,
    /// Counts what a change of the label set does; none where nobody is to be asked.
    pub counter: Option<ChangeCounter<'a>>,
    /// Signs links.
    pub key: &'a SigningKey,
    /// Who is signed in.
    pub session: &'a Claims,
    /// The same for pages.
    pub view: SessionView,
    /// Where the browser sees the portal, without a slash at the end.
    pub portal_url: String,
    /// Confidence that a prediction must exceed to be trusted.
    pub threshold: ConfidenceThreshold,
    /// Time of the request.
    pub now: DateTime<Utc>,
}

/// Why the console does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// There is no such page or thing.
    #[error("there is no such page")]
    NotFound,
    /// A field of a form is missing or cannot be; says which and why.
    #[error("{0}")]
    Invalid(String),
    /// A loop could not be changed.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// The state machine was not told.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// A dispute was not decided.
    #[error(transparent)]
    Adjudication(#[from] AdjudicationError),
    /// A bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl From<MemberError> for ConsoleError {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Unknown => Self::Invalid(error.to_string()),
            MemberError::Bucket(error) => Self::Bucket(error),
        }
    }
}

/// What a page shows: blocks for people, and the same as JSON.
struct View {
    title: String,
    blocks: Vec<Block>,
    json: Value,
}

/// Returns the style sheet, which anybody may read.
pub fn style_sheet(path: &str) -> Option<HttpReply> {
    (path == "console.css").then(|| asset("text/css; charset=utf-8", STYLE_SHEET))
}

/// Returns the address of each page; of those of single builds and audits one.
pub fn page_addresses() -> Vec<String> {
    let single = [VERSION, AUDIT].map(|folder| format!("{folder}one"));
    let named = PAGES.iter().map(|(address, _)| (*address).to_owned());
    named.chain(single).chain([REPORT.to_owned()]).collect()
}

/// Returns whether an address is one of the console, be it a page or an action.
pub fn is_address(path: &str) -> bool {
    let page = path.strip_suffix(".json").unwrap_or(path);
    let is_page = PAGES.iter().any(|(address, _)| *address == page) || page == REPORT;
    is_page || page.starts_with(VERSION) || page.starts_with(AUDIT) || is_action(path)
}

impl Console<'_> {
    /// Answers a request for an address of the console.
    ///
    /// # Errors
    ///
    /// [`ConsoleError`].
    pub async fn answer(
        &self,
        request: &HttpRequest,
        path: &str,
        form: Option<&BTreeMap<String, String>>,
    ) -> Result<HttpReply, ConsoleError> {
        if let Some(form) = form {
            return Box::pin(self.act(path, form, &request.fields())).await;
        }
        let (address, is_json) = match path.strip_suffix(".json") {
            Some(address) => (address, true),
            None => (path, false),
        };
        let view = self.view_at(address, request).await?;
        if is_json {
            return Ok(document(200, &view.json));
        }
        let done = request.query.get("done").and_then(|action| actions::done(action));
        let done = done.map(|done| audit_start::started_without(done, &request.query));
        let json = json_address(address, &request.query);
        Ok(self.show(address, view, done, Some(json)))
    }

    /// Begins the page at an address. Boxed here: an unoptimised build keeps a place on the stack for each of them.
    fn view_at<'a>(
        &'a self,
        address: &'a str,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<View, ConsoleError>> {
        match address {
            "overview" => self.overview().boxed(),
            "tasks" => self.tasks(request).boxed(),
            "reviewers" => self.reviewers(request).boxed(),
            "quality" => self.quality(request).boxed(),
            "guideline" => self.guideline(request).boxed(),
            "audits" => self.audits().boxed(),
            "model" => self.model().boxed(),
            "versions" => self.versions(request).boxed(),
            "data" => self.data(request).boxed(),
            "operations" => self.operations().boxed(),
            REPORT => self.report(request).boxed(),
            _ if address.starts_with(AUDIT) => self.audit(&address[AUDIT.len()..]).boxed(),
            _ if address.starts_with(VERSION) => self.version(&address[VERSION.len()..]).boxed(),
            _ => ready(Err(ConsoleError::NotFound)).boxed(),
        }
    }

    fn show(&self, address: &str, view: View, note: Option<String>, json: Option<String>) -> HttpReply {
        let navigation = PAGES.iter().map(|(to, name)| NavigationItem {
            address: to,
            name,
            is_here: *to == address
                || *to == "versions" && address.starts_with(VERSION)
                || *to == "audits" && address.starts_with(AUDIT)
                || *to == "operations" && address == REPORT,
        });
        let shown = ConsolePage {
            session: self.view.clone(),
            root: if address.starts_with(VERSION) || address.starts_with(AUDIT) {
                "../"
            } else {
                ""
            },
            navigation: navigation.collect(),
            title: view.title,
            note,
            blocks: view.blocks,
            json,
        };
        page(200, &shown, None)
    }
}

/// Returns the address of a page as JSON: of what is shown, not of what is shown without these words of its address.
fn json_address(address: &str, query: &BTreeMap<String, String>) -> String {
    let is_shown = |name: &str| name != "done" && name != audit_start::UNREADABLE;
    let shown = query.iter().filter(|(name, _)| is_shown(name));
    let words = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(shown)
        .finish();
    match words.as_str() {
        "" => format!("{address}.json"),
        words => format!("{address}.json?{words}"),
    }
}

/// Goes back to a page and says there what was done.
fn done_redirect(back: &str, action: &str) -> HttpReply {
    redirect(&format!("{back}?done={action}"))
}

fn to_json(document: &impl serde::Serialize) -> Value {
    serde_json::to_value(document).expect("what a page shows has string keys and finite numbers")
}
