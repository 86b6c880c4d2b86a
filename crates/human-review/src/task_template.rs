//! The worker task template in use, and whether it can show a task.

use std::borrow::Cow;
use std::collections::BTreeSet;

use active_learning_aws::bucket::{Bucket, BucketError};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use active_learning_core::labels::label_set::LabelSet;
use active_learning_core::text::is_blank;
use serde_json::{Value, json};

use crate::form::read_form;
use crate::trial::{Trial, has_no_choice, marked, offered_words, told_of_unseen, try_page, why_at_odds};
use crate::worker_template::{self, SHIPPED, TemplateError, render_html};

/// Longest rendered task: with the JSON around it the page stays below Lambda's 6 MB of response.
const MAX_TASK_BYTES: usize = 4_500_000;

/// Largest worker task template, in bytes.
pub(crate) const MAX_TEMPLATE_BYTES: u64 = 4 << 20;

/// Items of a made-up task, where nobody says how many there are.
const MADE_UP_ITEMS: usize = 2;

/// Most items of a made-up task.
const MAX_MADE_UP_ITEMS: usize = 100;

/// Members of an input that are not what a reviewer looks at.
const BESIDE_THE_TASK: [&str; 4] = ["labels", "rowCount", "bucketName", "keyName"];

/// Further members of an input of this project that nobody can tell a label by.
const OF_A_LOOP: [&str; 3] = ["excludedWorkers", "taskCount", "words"];

/// Members of an item that nobody can tell its label by: those of a feedback record but its text.
const BESIDE_THE_TEXT: [&str; 16] = [
    "schemaVersion",
    "id",
    "classifier",
    "prediction",
    "confidence",
    "classes",
    "source",
    "signal",
    "suggestedLabel",
    "predictionId",
    "modelArn",
    "selectionProbability",
    "acceptedAbove",
    "isOfAll",
    "user",
    "receivedAt",
];

/// Members of a made-up task that are looked at, and of what the language gives.
const OF_THE_LANGUAGE: [&str; 12] = [
    "input",
    "comprehendPredictions",
    "utterance",
    "first",
    "last",
    "size",
    "index",
    "index0",
    "rindex",
    "rindex0",
    "length",
    "parentloop",
];

/// Most members that a notice names.
const MAX_NAMED_MEMBERS: usize = 5;

/// So many bytes of a text do not stand on a page by chance.
const MIN_TELLING_BYTES: usize = 16;

/// Told of a page that is the same whatever the texts of its task are.
const SHOWS_NOTHING: &str = "This page does not show the texts of its task: the template must refer to the utterance of \
    each of task.input.comprehendPredictions.";

/// Stands for the nonce where nobody sees the page.
pub(crate) const NO_NONCE: &str = "trial";

/// Why a task cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The rendered task would not fit into a response.
    #[error("the rendered task is longer than a page can be")]
    TooLong,
    /// There is no object of that key.
    #[error("the worker task template is not in the bucket")]
    NoTemplate,
    /// It cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl From<BucketError> for TaskError {
    fn from(error: BucketError) -> Self {
        Self::Template(error.into())
    }
}

/// The worker task template in use.
#[derive(Debug, Clone, Copy)]
pub struct TaskTemplate<'a> {
    /// The review bucket.
    pub bucket: &'a Bucket,
    /// Key in it; empty for the shipped template.
    pub key: &'a str,
    /// Whether it is that of a flow definition or a labelling job of one's own: whatever it is given is shown as it is, and
    /// whoever started the task reads the answer.
    pub is_opaque: bool,
}

impl TaskTemplate<'_> {
    /// Returns whether it is the one that this project ships.
    pub fn is_shipped(self) -> bool {
        self.key.is_empty()
    }

    /// Renders a task and tries its page.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    pub async fn render(
        self,
        input: &Value,
        nonce: &str,
        set: Option<&LabelSet>,
    ) -> Result<(String, Trial), TaskError> {
        let (template, html) = self.page(input, nonce).await?;
        let mut trial = self.tried(&html, input, set);
        if !trial.is_withheld && !self.shows_task(&template, &html, input) {
            trial.is_withheld = true;
            trial.notices.push(SHOWS_NOTHING.to_owned());
        }
        self.try_order(&template, input, set, &mut trial);
        Ok((html, trial))
    }

    /// Returns the page of a task as it was shown, for what its elements say of an answer. It is not tried again: the answer
    /// itself is checked, and what the trial of one input finds may not hold for another.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    pub async fn html(self, input: &Value) -> Result<String, TaskError> {
        let (_, html) = self.page(input, NO_NONCE).await?;
        Ok(html)
    }

    /// Returns the template and the page that it makes of an input.
    async fn page(self, input: &Value, nonce: &str) -> Result<(String, String), TaskError> {
        let template = self.content().await?;
        let html = worker_template::render(&template, input, nonce, self.bucket, HUMAN_REVIEW_FOLDER).await?;
        match html.len() > MAX_TASK_BYTES {
            true => Err(TaskError::TooLong),
            false => Ok((template, html)),
        }
    }

    /// Returns whether the page that this template makes of an input shows anything by which somebody could answer; of whose
    /// pages that is not our concern, always.
    fn shows_task(self, template: &str, html: &str, input: &Value) -> bool {
        let is_ours = !self.is_opaque && !self.is_shipped();
        !is_ours || shows_a_text(html, input) || depends_on_texts(template, input)
    }

    /// Tries a page of this template: whether it takes an answer, and where it is the stack's own whether that could be read.
    fn tried(self, html: &str, input: &Value, set: Option<&LabelSet>) -> Trial {
        match self.is_opaque && !self.is_shipped() {
            true => try_page(html, &Value::Null, None),
            false => try_page(html, input, set),
        }
    }

    /// Withholds a page on which fields that are named by number stand at the texts of others.
    fn try_order(self, template: &str, input: &Value, set: Option<&LabelSet>, trial: &mut Trial) {
        let items = input["comprehendPredictions"].as_array().map_or(0, Vec::len);
        if trial.is_withheld || self.is_opaque || self.is_shipped() || items < 2 {
            return;
        }
        // What fails with longer texts than those of the task cannot be told.
        let Ok((html, _)) = render_html(template, &marked(input), NO_NONCE) else {
            return;
        };
        let why = why_at_odds(&html, input, set);
        trial.is_withheld = why.is_some();
        trial.notices.extend(why);
    }

    /// Tries the template as it is, with an input or with so many made-up items; two, if it is not said. The choices of
    /// made-up items are the labels of the set; where there are none yet, those of the template itself.
    pub async fn try_now(self, input: Option<Value>, items: Option<usize>, set: Option<&LabelSet>) -> Trial {
        let labels: Vec<String> = (set.iter().flat_map(|set| set.active()))
            .map(str::to_owned)
            .collect();
        let items = items.unwrap_or(MADE_UP_ITEMS).clamp(1, MAX_MADE_UP_ITEMS);
        let is_made_up = input.is_none();
        let words = ["A", "B"].map(str::to_owned);
        let known = if labels.is_empty() { &words[..] } else { &labels };
        let input = input.unwrap_or_else(|| made_up_input(items, known, false));
        let (template, html) = match self.page(&input, NO_NONCE).await {
            Ok(page) => page,
            Err(error) => {
                return Trial {
                    notices: vec![format!("The page cannot be shown: {error}.")],
                    is_withheld: true,
                    ..Trial::default()
                };
            }
        };
        let own = match is_made_up && labels.is_empty() {
            true => offered_words(&html),
            false => Vec::new(),
        };
        let known = match own.is_empty() || own.iter().any(|word| words.contains(word)) {
            true => known,
            false => &own,
        };
        let input = match is_made_up {
            true => made_up_input(items, known, false),
            false => input,
        };
        let mut trial = self.tried(&html, &input, set);
        if !trial.is_withheld && !self.shows_task(&template, &html, &input) {
            // Tasks may have more members than made-up ones.
            let others = if is_made_up {
                other_members(&template)
            } else {
                BTreeSet::new()
            };
            trial.is_withheld = others.is_empty();
            trial.notices.push(match others.is_empty() {
                true => SHOWS_NOTHING.to_owned(),
                false => told_of_members(&others),
            });
        }
        self.try_order(&template, &input, set, &mut trial);
        if is_made_up {
            self.try_order(&template, &made_up_input(items, known, true), set, &mut trial);
        }
        if !trial.is_withheld && !self.is_opaque && !self.is_shipped() {
            let page = render_html(&template, &marked(&input), NO_NONCE).ok();
            let told = page.and_then(|(html, _)| told_of_unseen(&html, &input, set));
            trial.notices.extend(told);
        }
        trial
    }

    /// Returns why a loop of an input that is not of our kind would be an empty page, if it would be.
    ///
    /// An input of our kind with a text to show, and items that can be told apart, is never refused here: its page says
    /// what is wrong, and the loop waits.
    ///
    /// # Errors
    ///
    /// [`BucketError`] when the template cannot be read.
    pub async fn refusal(self, input: &Value) -> Result<Option<Cow<'static, str>>, BucketError> {
        let is_ours = self.is_shipped() || !self.is_opaque;
        if let Some(items) = input["comprehendPredictions"].as_array().filter(|_| is_ours) {
            let has_text = |item: &Value| item["utterance"].as_str().is_some_and(|text| !is_blank(text));
            if has_one_id_twice(items) {
                return Ok(Some(
                    "two of its comprehendPredictions have the same id, so that an answer could not be told to be of one".into(),
                ));
            }
            // A template of one's own may show something else of an item than its text, but not a text in which nothing is.
            let is_blank_text = |item: &Value| item["utterance"].as_str().is_some_and(is_blank);
            let is_nothing = match self.is_shipped() {
                true => !items.iter().any(has_text),
                false => items.iter().all(is_blank_text),
            };
            return Ok(is_nothing.then(|| "none of its comprehendPredictions has a text (utterance)".into()));
        }
        let template = match self.content().await {
            Ok(template) => template,
            Err(TaskError::Template(TemplateError::Storage(error))) => return Err(error),
            Err(_) => {
                return Ok(Some(
                    "the worker task template is not in the review bucket".into(),
                ));
            }
        };
        let pages = (
            render_html(&template, input, NO_NONCE),
            render_html(&template, &json!({}), NO_NONCE),
        );
        Ok(match pages {
            (Err(_), _) => Some("the worker task template cannot be rendered with it".into()),
            _ if holds_nothing(input) => Some("it is empty".into()),
            (Ok(page), Ok(empty)) if page == empty => Some(
                "the worker task template shows nothing of it: it has no member that the template refers to"
                    .into(),
            ),
            (Ok((html, _)), _) if self.tried(&html, input, None).is_withheld => {
                let why = read_form(&html).why_without_field();
                let why = why.unwrap_or_else(|| "no field for an answer".to_owned());
                Some(format!("the page that the worker task template makes of it has {why}").into())
            }
            (Ok((html, _)), _) if has_no_choice(&html) => {
                Some("the page that the worker task template makes of it has no category to choose".into())
            }
            _ => None,
        })
    }

    /// Returns the template itself.
    ///
    /// # Errors
    ///
    /// [`TaskError::NoTemplate`]; [`TaskError::Template`] when S3 fails.
    pub async fn content(self) -> Result<String, TaskError> {
        if self.key.is_empty() {
            return Ok(SHIPPED.to_owned());
        }
        let found = self.bucket.read(self.key, MAX_TEMPLATE_BYTES).await?;
        let template = found.ok_or(TaskError::NoTemplate)?;
        Ok(String::from_utf8_lossy(&template.bytes).into_owned())
    }
}

/// Makes up items of which every member rises from one to the next, or falls: what is sorted by any of them is in another order in
/// one of both.
fn made_up_input(items: usize, labels: &[String], falls: bool) -> Value {
    let mut sorted: Vec<&String> = labels.iter().collect();
    sorted.sort();
    let item = |number: usize| {
        let rank = if falls { items + 1 - number } else { number };
        let share = (rank as f64) / (items + 1) as f64;
        let predicted = (rank - 1) * sorted.len() / items.max(1);
        json!({ "id": format!("trial-item-{number}"), "utterance": format!("Text {rank:03}"),
            "prediction": sorted.get(predicted), "confidence": share, "classifier": "trial" })
    };
    let made_up: Vec<Value> = (1..=items).map(item).collect();
    json!({ "comprehendPredictions": made_up, "labels": labels, "rowCount": items })
}

/// Returns whether a page holds several words of the text of an item as they stand there, which spares a look at what it would
/// be without.
fn shows_a_text(html: &str, input: &Value) -> bool {
    let items = input["comprehendPredictions"].as_array();
    let texts = items
        .into_iter()
        .flatten()
        .filter_map(|item| item["utterance"].as_str());
    // What else stands in a text may be escaped on the page.
    let mut words = texts.flat_map(|text| text.split(|char: char| !char.is_alphanumeric() && char != ' '));
    words.any(|words| {
        let words = words.trim();
        words.len() >= MIN_TELLING_BYTES && words.contains(' ') && html.contains(words)
    })
}

/// Returns whether the page of a template depends on anything of the task by which somebody could tell the labels of its items:
/// of the items, or beside them.
fn depends_on_texts(template: &str, input: &Value) -> bool {
    let Some(members) = input
        .as_object()
        .filter(|members| members.contains_key("comprehendPredictions"))
    else {
        return true;
    };
    let mut without = members.clone();
    without.retain(|name, _| {
        let name = name.as_str();
        name == "comprehendPredictions" || BESIDE_THE_TASK.contains(&name) || OF_A_LOOP.contains(&name)
    });
    let items = without["comprehendPredictions"].as_array_mut();
    for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
        item.retain(|name, _| BESIDE_THE_TEXT.contains(&name.as_str()));
        item.insert("utterance".to_owned(), json!(""));
    }
    let without = Value::Object(without);
    if without == *input {
        return true;
    }
    let pages = (
        render_html(template, input, NO_NONCE),
        render_html(template, &without, NO_NONCE),
    );
    // A template that fails without the texts refers to them.
    !matches!(pages, (Ok(page), Ok(without)) if page == without)
}

/// Returns the members that a template refers to, as `item.title` or `item["title"]`, and no made-up task has.
fn other_members(template: &str) -> BTreeSet<String> {
    let outputs = template
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split("}}").next());
    let tags = template
        .split("{%")
        .skip(1)
        .filter_map(|rest| rest.split("%}").next());
    let mut found = BTreeSet::new();
    for tag in outputs.chain(tags) {
        let dotted = tag.split('.').skip(1);
        let bracketed = tag
            .split('[')
            .skip(1)
            .map(|rest| rest.trim_start_matches([' ', '"', '\'']));
        for rest in dotted.chain(bracketed) {
            let is_of_name = |char: char| char.is_alphanumeric() || char == '_' || char == '-';
            let name: String = rest.chars().take_while(|char| is_of_name(*char)).collect();
            let begins = name.starts_with(|char: char| char.is_alphabetic() || char == '_');
            let is_known = OF_THE_LANGUAGE.contains(&name.as_str())
                || BESIDE_THE_TASK.contains(&name.as_str())
                || BESIDE_THE_TEXT.contains(&name.as_str());
            if begins && !is_known {
                found.insert(name);
            }
        }
    }
    found
}

/// Says that what a page of made-up items shows tells nothing of what it shows of others.
fn told_of_members(others: &BTreeSet<String>) -> String {
    let names: Vec<&str> = others
        .iter()
        .take(MAX_NAMED_MEMBERS)
        .map(String::as_str)
        .collect();
    let more = if others.len() > MAX_NAMED_MEMBERS {
        ", …"
    } else {
        ""
    };
    format!(
        "Whether a page shows the texts of its task cannot be told by made-up items: they do not have what the template refers \
         to ({}{more}). A page of a task that does not have it either takes no answer.",
        names.join(", ")
    )
}

/// Returns whether two items have the same id.
fn has_one_id_twice(items: &[Value]) -> bool {
    let mut seen = BTreeSet::new();
    let mut ids = items.iter().filter_map(|item| item["id"].as_str());
    !ids.all(|id| seen.insert(id))
}

/// Returns whether an input has nothing to show beside what says how to show it.
fn holds_nothing(input: &Value) -> bool {
    match input {
        Value::Object(members) => members
            .iter()
            .all(|(name, value)| BESIDE_THE_TASK.contains(&name.as_str()) || is_empty(value)),
        input => is_empty(input),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => is_blank(text),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(members) => members.values().all(is_empty),
    }
}
