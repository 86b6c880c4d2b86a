//! Starting an audit: confirmed first, then written down, then done.

use std::collections::BTreeMap;
use std::pin::pin;

use active_learning_aws::bucket::{Created, JSON, JSON_LINES, MAX_DOCUMENT_BYTES};
use active_learning_core::keys::LABELLED_FOLDER;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::actions::CONFIRMED;
use super::form::{Field, Form, SearchField};
use super::page::Block;
use super::{Console, ConsoleError, View, done_redirect};
use crate::audit_log::{AuditLog, Deed};
use crate::control_plane::{ControlError, PRIVATE_TEAM, checked_role};
use crate::event::HttpReply;
use crate::labelling_jobs::{AccessError, split_uri};
use crate::stack_audit::{AuditJob, LOCAL_ROLE, Labelled, Only, categories, draw, rows_of, unreadable_lines};
use crate::validation::is_name;

/// Address of the form.
pub(super) const START_AUDIT: &str = "start-audit";
/// Names in an address how many lines of labels could not be read.
pub(super) const UNREADABLE: &str = "unreadable";
/// What is said above it.
pub(super) const HOW: &str = "A random share of the texts that people have labelled is looked at again by others. Input and \
    output lie in a bucket of your own, with the rights of a role of yours: on AWS it needs one, of those that the \
    parameter AuditRoleArns names.";
/// Labelled objects that are read for it: a request has half a minute.
const MOST_OBJECTS: usize = 5_000;
/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const LISTED_AT_ONCE: usize = 1_000;
/// Objects that are read at a time.
const READS_IN_FLIGHT: usize = 16;
/// Shares that may be chosen.
const SHARES: [(&str, &str); 5] = [
    ("0.1", "10 %"),
    ("0.05", "5 %"),
    ("0.2", "20 %"),
    ("0.5", "50 %"),
    ("1", "all of them"),
];
/// The account of a stack on one machine.
const LOCAL_ACCOUNT: &str = ":000000000000:";
/// Longest field, in characters.
const MAX_CHARS: usize = 1_024;

/// Returns the form that begins it.
pub(super) fn start_form() -> Form {
    let field = |name, label| Field {
        name,
        label,
        options: Vec::new(),
    };
    let shares = SHARES.iter();
    let shares = shares.map(|(value, text)| ((*value).to_owned(), (*text).to_owned()));
    let optional = |name, label| SearchField {
        name,
        label,
        value: String::new(),
        options: Vec::new(),
    };
    Form {
        action: START_AUDIT,
        fields: vec![
            field("subject", "Name: letters, digits and hyphens"),
            field("value", "Folder for input and output, such as s3://my-audits"),
            Field {
                options: shares.collect(),
                ..field("share", "Share of the labelled texts")
            },
        ],
        search: vec![
            optional("label", "Only texts with this label (may stay empty)"),
            optional("role", "ARN of the role (on one machine it may stay empty)"),
        ],
        button: "Start".to_owned(),
        ..Form::default()
    }
}

/// What is asked for.
struct Wanted<'f> {
    name: &'f str,
    output: &'f str,
    share: f64,
    label: &'f str,
    role: &'f str,
}

impl Console<'_> {
    /// Asks whether an audit is to be started, or starts it.
    pub(super) async fn start_audit(
        &self,
        form: &BTreeMap<String, String>,
    ) -> Result<HttpReply, ConsoleError> {
        let wanted = self.wanted(form)?;
        if self.jobs.find(wanted.name).await?.is_some() {
            let text = format!(
                "a labelling job {} was started before: take another name",
                wanted.name
            );
            return Err(ConsoleError::Invalid(text));
        }
        if form.get(CONFIRMED).map(String::as_str) != Some("yes") {
            return Ok(self.confirm_audit(&wanted));
        }
        let value = in_words(&wanted);
        let deed = Deed {
            action: START_AUDIT,
            subject: wanted.name,
            value: &value,
        };
        let unreadable = AuditLog::of_session(self.review, &self.session.reviewer, self.now)
            .record(deed, Box::pin(self.begin_audit(&wanted)))
            .await?;
        Ok(match unreadable {
            0 => done_redirect("audits", START_AUDIT),
            lines => done_redirect("audits", &format!("{START_AUDIT}&{UNREADABLE}={lines}")),
        })
    }

    fn wanted<'f>(&self, form: &'f BTreeMap<String, String>) -> Result<Wanted<'f>, ConsoleError> {
        let invalid = |text: &str| ConsoleError::Invalid(text.to_owned());
        let field = |name: &str| form.get(name).map(|value| value.trim()).unwrap_or_default();
        let all = ["subject", "value", "share", "label", "role"].map(field);
        let is_bad = |value: &&str| value.chars().count() > MAX_CHARS || value.contains(char::is_control);
        if all.iter().any(is_bad) {
            return Err(invalid("a field is too long, or holds a control character"));
        }
        let [name, output, share, label, role] = all;
        let output = output.trim_end_matches('/');
        if !is_name(name, true) {
            return Err(invalid(
                "the name must have 1 to 63 letters, digits and inner hyphens",
            ));
        }
        if split_uri(&format!("{output}/x")).is_none() {
            return Err(invalid("the folder must be s3:// with a bucket"));
        }
        let share = match share {
            "" => 0.1,
            share => share.parse().unwrap_or_default(),
        };
        if !(share > 0.0 && share <= 1.0) {
            return Err(invalid("the share must be above 0 and at most 1"));
        }
        let is_local = self.flows.arn("labeling-job", name).contains(LOCAL_ACCOUNT);
        let role = match role {
            "" if is_local => LOCAL_ROLE,
            "" => {
                return Err(invalid(
                    "name the role with whose rights the audit reads and writes",
                ));
            }
            role => role,
        };
        checked_role(Some(role.to_owned())).map_err(|error| ConsoleError::Invalid(error.to_string()))?;
        self.check_may_use(role, is_local)?;
        Ok(Wanted {
            name,
            output,
            share,
            label,
            role,
        })
    }

    /// Refuses a role that nobody has said the portal may use: of who is signed in no policy says which they may pass, as IAM
    /// says it of the callers of AWS by `iam:PassRole`.
    fn check_may_use(&self, role: &str, is_local: bool) -> Result<(), ConsoleError> {
        let roles = self.control.audit_roles;
        if is_local && role == LOCAL_ROLE || roles.iter().any(|named| named == role) {
            return Ok(());
        }
        let text = format!(
            "the portal may not use the role {role}: the parameter AuditRoleArns of the stack names those that it may. The \
             command `active-learning audit start` takes any, by the rights of who runs it"
        );
        Err(ConsoleError::Invalid(text))
    }

    fn confirm_audit(&self, wanted: &Wanted<'_>) -> HttpReply {
        let text = format!(
            "Start the audit {}, {}? People who have not voted on a text are asked about its label again.",
            wanted.name,
            in_words(wanted)
        );
        let hidden = [
            ("subject", wanted.name.to_owned()),
            ("value", wanted.output.to_owned()),
            ("share", wanted.share.to_string()),
            ("label", wanted.label.to_owned()),
            ("role", wanted.role.to_owned()),
            (CONFIRMED, "yes".to_owned()),
        ];
        let form = Form {
            action: START_AUDIT,
            hidden: hidden.into(),
            button: "Yes".to_owned(),
            ..Form::default()
        };
        let view = View {
            title: "Are you sure?".to_owned(),
            blocks: vec![
                Block::Text(text),
                Block::Form(form),
                Block::Link("audits".to_owned(), "No, go back".to_owned()),
            ],
            json: serde_json::Value::Null,
        };
        self.show("", view, None, None)
    }

    /// Writes the input of the job with the rights of its role, and creates it. Nothing is written for a job that would be
    /// refused. Returns how many lines of labels could not be read.
    async fn begin_audit(&self, wanted: &Wanted<'_>) -> Result<usize, ConsoleError> {
        let invalid = |text: &str| ConsoleError::Invalid(text.to_owned());
        let set = self.label_sets.current().await?;
        let set = set.ok_or_else(|| invalid("there are no labels yet"))?;
        let several = set.has_several_labels();
        let only = Only {
            label: (!wanted.label.is_empty())
                .then(|| wanted.label.to_owned())
                .into_iter()
                .collect(),
            ..Only::default()
        };
        let Labelled { records, unreadable } = self.labels_of_stack().await?;
        let mut rows = rows_of(records.into_iter(), &set, several);
        rows.retain(|row| only.takes(row, &set));
        let drawn = draw(&rows, wanted.share, wanted.name);
        if drawn.is_empty() {
            return Err(invalid("no text with such a label of people was found"));
        }

        let team = self.flows.arn(PRIVATE_TEAM, self.flows.own_name());
        let job = AuditJob {
            name: wanted.name,
            output: wanted.output,
            role_arn: wanted.role,
            team: &team,
            reviewers: 1,
            several,
            unreadable,
        };
        let check = Box::pin(self.control.check_labelling_job(job.request())).await;
        check.map_err(not_created)?;
        let labels: Vec<&str> = set.active().collect();
        let files = [
            (job.manifest_uri(), JSON_LINES, job.manifest(&drawn, &labels)),
            (job.categories_uri(), JSON, categories(&labels).to_string()),
        ];
        let access = self.jobs.access(wanted.role).await.map_err(refused)?;
        let [
            (uri, kind, manifest),
            (categories_uri, categories_kind, categories),
        ] = files;
        let manifest = manifest.into_bytes();
        let created = access.write_once(&uri, kind, manifest.clone()).await;
        // The same again is an attempt that broke off.
        if created.map_err(refused)? == Created::Exists
            && access.read(&uri, MAX_DOCUMENT_BYTES).await.map_err(refused)? != manifest
        {
            let text = format!(
                "an audit {} was started there before, {uri}: take another name",
                wanted.name
            );
            return Err(ConsoleError::Invalid(text));
        }
        let written = access
            .write(&categories_uri, categories_kind, categories.into_bytes())
            .await;
        written.map_err(|error| input_stays(&error.to_string(), &job))?;
        let created = Box::pin(self.control.create_labelling_job(job.request())).await;
        created.map_err(|error| match error {
            ControlError::Storage(error) => error.into(),
            // Something else has come in between.
            error => input_stays(&error.to_string(), &job),
        })?;
        Ok(unreadable)
    }

    /// Reads the labels of the stack.
    async fn labels_of_stack(&self) -> Result<Labelled, ConsoleError> {
        let keys = self.labelled_keys().await?;
        let reads: Vec<_> = keys
            .iter()
            .map(|key| self.training.read(key, MAX_DOCUMENT_BYTES))
            .collect();
        let mut objects = pin!(stream::iter(reads).buffered(READS_IN_FLIGHT));
        let mut labelled = Labelled::default();
        while let Some(object) = objects.try_next().await? {
            labelled.add(&object.map(|object| object.bytes).unwrap_or_default());
        }
        Ok(labelled)
    }

    async fn labelled_keys(&self) -> Result<Vec<String>, ConsoleError> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let last = keys.last().and_then(|key| key.strip_prefix(LABELLED_FOLDER));
            let page = self
                .training
                .list_after(LABELLED_FOLDER, last.unwrap_or_default(), LISTED_AT_ONCE)
                .await?;
            let is_last = page.len() < LISTED_AT_ONCE;
            keys.extend(page.into_iter().map(|listed| listed.key));
            if keys.len() > MOST_OBJECTS {
                let text = format!(
                    "there are more than {MOST_OBJECTS} objects of labels, too many for a page: start it by the \
                     command `active-learning audit start`"
                );
                return Err(ConsoleError::Invalid(text));
            }
            if is_last {
                return Ok(keys);
            }
        }
    }
}

fn in_words(wanted: &Wanted<'_>) -> String {
    let of = match wanted.label {
        "" => "the labelled texts".to_owned(),
        label => format!("the texts with the label {label}"),
    };
    let share = match wanted.share {
        share if share >= 1.0 => "all".to_owned(),
        share => format!("{} %", (share * 1_000_000.0).round() / 10_000.0),
    };
    format!(
        "{share} of {of}, in {}, with the rights of {}",
        wanted.output, wanted.role
    )
}

/// Says what was done, beside how many lines of labels were left out, where the address names them.
pub(super) fn started_without(done: &str, query: &BTreeMap<String, String>) -> String {
    let lines = query.get(UNREADABLE).and_then(|lines| lines.parse().ok());
    match lines.and_then(unreadable_lines) {
        Some(told) => format!("{done} {told}"),
        None => done.to_owned(),
    }
}

fn not_created(error: ControlError) -> ConsoleError {
    match error {
        ControlError::Storage(error) => error.into(),
        error => ConsoleError::Invalid(error.to_string()),
    }
}

/// Says that an audit was not started, and what there is of it.
fn input_stays(error: &str, job: &AuditJob<'_>) -> ConsoleError {
    let folder = format!("{}/{}/audit/", job.output, job.name);
    ConsoleError::Invalid(format!(
        "{error}. The input of the audit stays below {folder}: remove it, or start the same again"
    ))
}

fn refused(error: AccessError) -> ConsoleError {
    ConsoleError::Invalid(error.to_string())
}
