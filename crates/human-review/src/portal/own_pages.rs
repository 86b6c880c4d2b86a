//! A reviewer's own pages: what they answered last, and the guideline.

use active_learning_core::erasure::is_erased_item;
use active_learning_core::feedback::prediction::for_people;
use active_learning_core::labels::agreement::ReviewerReport;
use active_learning_core::labels::human_loop::{
    Answer, ExclusionCategories, HumanLoopOutput, NONE_FITS, UNSURE,
};
use active_learning_core::labels::label_key::label_key;
use active_learning_core::labels::label_set::LabelSet;
use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::{Portal, PortalError};
use crate::agreement_report;
use crate::erased_items::left;
use crate::event::{HttpReply, HttpRequest};
use crate::history::carried::{Carried, HISTORY_COOKIE, KIND, set_history_cookie};
use crate::history::{Answered, OwnHistory};
use crate::human_loop::{HumanLoop, Worker};
use crate::loops::LoopError;
use crate::pages::{GuidePage, HistoryPage, OwnAnswer, OwnItem, document, page};
use crate::session::{Claims, cookie};
use crate::task_template::TaskTemplate;

/// What the text of a task is usually called in inputs that are not of our kind.
const TEXT_NAMES: [&str; 6] = ["taskObject", "source", "text", "utterance", "sentence", "content"];

/// Characters of a text that the history shows.
const SHOWN_CHARS: usize = 120;
/// What the history says of a task that is stored and cannot be read.
const UNREADABLE: &str = "what is stored of this task is damaged: please tell the operator";

impl Portal<'_> {
    /// Shows the last ten tasks that the reviewer answered, each to be opened and answered again.
    pub(super) async fn history_page(
        &self,
        request: &HttpRequest,
        session: &Claims,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let carried = self.carried(request);
        let history = self.histories.of(worker, carried.as_ref(), self.now).await?;
        let answers = self.own_answers(&history, worker).await?;
        let view = HistoryPage {
            session: Some(self.view(session)),
            done_today: history.done_on(self.now),
            own: self.own_figures(worker).await,
            begun_anew_at: history.begun_anew_at,
            answers,
        };
        if request.wants_json() {
            return Ok(document(200, &view.to_json()));
        }
        Ok(page(200, &view, None))
    }

    /// Returns the last tasks that a reviewer answered, those left out that are gone.
    pub(super) async fn own_answers(
        &self,
        history: &OwnHistory,
        worker: &Worker,
    ) -> Result<Vec<OwnAnswer>, PortalError> {
        let own = history
            .answered
            .iter()
            .map(|answered| self.own_answer(answered, worker));
        let answers: Vec<Option<OwnAnswer>> = join_all(own).await.into_iter().collect::<Result<_, _>>()?;
        Ok(answers.into_iter().flatten().collect())
    }

    /// Returns what the browser carries of its reviewer's history.
    pub(super) fn carried(&self, request: &HttpRequest) -> Option<Carried> {
        let token = cookie(request.header("cookie")?, HISTORY_COOKIE)?;
        Carried::read(&self.key.open(KIND, token)?)
    }

    /// Returns a reply with what the browser is to carry from now on, if that is known.
    pub(super) fn with_carried(
        &self,
        mut reply: HttpReply,
        carried: Option<&Carried>,
        request: &HttpRequest,
    ) -> HttpReply {
        if let Some(content) = carried.and_then(|carried| serde_json::to_vec(carried).ok()) {
            let token = self.key.seal(KIND, &content);
            let cookie = set_history_cookie(&token, request.is_https());
            reply.headers.insert("set-cookie", cookie);
        }
        reply
    }

    /// Returns how a reviewer's answers compare with those of others; a page that cannot say it is shown without.
    async fn own_figures(&self, worker: &Worker) -> Option<ReviewerReport> {
        let newest = agreement_report::newest(self.training).await;
        let newest = newest.inspect_err(
            |error| tracing::warn!(%error, "how a reviewer's answers compare with those of others cannot be told"),
        );
        let report = newest.ok().flatten().and_then(|(_, report)| report)?;
        let mut ids = std::iter::once(&worker.id).chain(worker.earlier_ids());
        ids.find_map(|id| report.reviewers.get(id).copied())
    }

    /// Returns one line of the history; none where the task was removed. What cannot be read says so in its own line.
    async fn own_answer(
        &self,
        answered: &Answered,
        worker: &Worker,
    ) -> Result<Option<OwnAnswer>, PortalError> {
        match self.readable_answer(answered, worker).await {
            Err(PortalError::Loop(LoopError::Storage(reason))) if reason.is_damaged() => {
                tracing::error!(%reason, human_loop.name = answered.human_loop, "an answer cannot be shown");
                Ok(Some(OwnAnswer {
                    name: answered.human_loop.clone(),
                    at: answered.at,
                    is_open: false,
                    items: vec![OwnItem {
                        text: String::new(),
                        answer: UNREADABLE.to_owned(),
                    }],
                }))
            }
            line => line,
        }
    }

    async fn readable_answer(
        &self,
        answered: &Answered,
        worker: &Worker,
    ) -> Result<Option<OwnAnswer>, PortalError> {
        let human_loop = match self.loops.find(&answered.human_loop, self.now).await {
            Ok(human_loop) if human_loop.id == answered.id => human_loop,
            Ok(_) | Err(LoopError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let input = match self.loops.input_now(&human_loop).await {
            Ok(input) => input,
            Err(LoopError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let content = self.loops.known_content(&human_loop, worker).await?;
        let set = match human_loop.is_opaque() {
            true => None,
            false => self.label_sets.current().await?,
        };
        Ok(Some(OwnAnswer {
            name: answered.human_loop.clone(),
            at: answered.at,
            is_open: human_loop.may_correct(&worker.in_loop(&human_loop).id, self.now),
            items: own_items(&input, &content.unwrap_or_default(), set.as_deref()),
        }))
    }

    /// Returns what a loop is shown by: the template of its flow definition.
    pub(super) fn template_of<'a>(&'a self, human_loop: &'a HumanLoop) -> TaskTemplate<'a> {
        TaskTemplate {
            key: (human_loop.flow.as_ref()).map_or(self.template.key, |flow| &flow.template_key),
            is_opaque: human_loop.is_opaque(),
            ..self.template
        }
    }

    /// Returns who is signed in, and the token that their forms carry from now on.
    pub(super) fn session_document(&self, session: &Claims) -> HttpReply {
        let view = self.view(session);
        document(
            200,
            &json!({ "reviewer": view.reviewer, "formToken": view.form_token, "secondsLeft": view.seconds_left }),
        )
    }

    pub(super) async fn guide_page(
        &self,
        request: &HttpRequest,
        session: &Claims,
    ) -> Result<HttpReply, PortalError> {
        let view = GuidePage {
            session: Some(self.view(session)),
            guideline: self.guidelines.current().await?,
        };
        if request.wants_json() {
            return Ok(document(200, &view.to_json()));
        }
        Ok(page(200, &view, None))
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Returns the texts of a task with what was answered to each, in the order of the page, but for those that were erased. Of an
/// own template's answer that
/// names no item, and of a task that is not of our kind, everything is said with the first text. Labels have the names of now; what
/// was chosen is said where it was called otherwise.
fn own_items(input: &Value, content: &Value, set: Option<&LabelSet>) -> Vec<OwnItem> {
    let items = input["comprehendPredictions"].as_array().map(Vec::as_slice);
    let items = items.unwrap_or_default();
    let text = |item: &Value| shortened(item["utterance"].as_str().unwrap_or_default());
    let answers: Vec<Option<String>> = match (items, content.as_object()) {
        ([_, ..], Some(content)) => answers(items, content, input, set),
        _ => Vec::new(),
    };
    if answers.iter().all(Option::is_none) {
        let answer = summary(content);
        let of_item = left(input).next().map(|(_, item)| text(item));
        let text = of_item.unwrap_or_else(|| shortened(text_of_other(input).unwrap_or_default()));
        return vec![OwnItem { text, answer }];
    }
    let said = |(item, answer): (&Value, Option<String>)| OwnItem {
        text: text(item),
        answer: answer.unwrap_or_else(|| "no answer".to_owned()),
    };
    let all = items.iter().zip(answers);
    all.filter(|(item, _)| !is_erased_item(item)).map(said).collect()
}

/// Returns the text of an input that is not of our kind: that of a usual name, or else the first that is found.
fn text_of_other(input: &Value) -> Option<&str> {
    let members = input.as_object()?;
    let named = TEXT_NAMES.iter().find_map(|name| members.get(*name)?.as_str());
    let inner = || members.values().find_map(text_of_other);
    named
        .or_else(inner)
        .or_else(|| members.values().find_map(Value::as_str))
}

/// Returns what was answered to each item; none where it was left blank, or cannot be told.
fn answers(
    items: &[Value],
    content: &Map<String, Value>,
    input: &Value,
    set: Option<&LabelSet>,
) -> Vec<Option<String>> {
    let task = HumanLoopOutput::unanswered(input.clone());
    let read = task.map(|task| task.read_form(content, &ExclusionCategories::new(), None));
    let answer = |(number, item): (usize, &Value)| {
        let own = item["id"].as_str().and_then(|id| content.get(id));
        let named = own.or_else(|| content.get(&format!("item-{number}")));
        let named = named.map(in_words).filter(|words| !words.trim().is_empty());
        let answer = read.as_ref().ok().and_then(|read| read.answer(number));
        let chosen = named.or_else(|| answer.map(said))?;
        let now = answer.zip(set).map(|(answer, set)| set.answer_now(answer));
        Some(
            match now.filter(|now| !answer.is_some_and(|answer| answer.says_the_same(now))) {
                // A proposal that was accepted is called as it was.
                Some(now) if label_key(&said(&now)) != label_key(&chosen) => {
                    format!("{} (called {chosen} then)", said(&now))
                }
                Some(_) | None => chosen,
            },
        )
    };
    (1..).zip(items).map(answer).collect()
}

fn said(answer: &Answer) -> String {
    match answer {
        Answer::Labels { labels } => labels.join(", "),
        Answer::NoneFits => in_words(&NONE_FITS.into()),
        Answer::NewLabel { label } => for_people(label),
        Answer::Unsure => in_words(&UNSURE.into()),
    }
}

/// Says in one line what was answered: the fields in the order of their names, with these where there are several.
fn summary(content: &Value) -> String {
    let members = content.as_object().into_iter().flatten();
    let answers: Vec<(&String, &Value)> = members.filter(|(name, _)| !name.contains(':')).collect();
    match answers.as_slice() {
        [(_, value)] => in_words(value),
        all => {
            let said = all
                .iter()
                .map(|(name, value)| format!("{name}: {}", in_words(value)));
            said.collect::<Vec<_>>().join(" · ")
        }
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(label) if label == NONE_FITS => "none fits".to_owned(),
        Value::String(label) if label == UNSURE => "cannot tell".to_owned(),
        Value::String(label) => label.clone(),
        Value::Array(labels) => labels.iter().map(in_words).collect::<Vec<_>>().join(", "),
        Value::Object(members) => of_element(members),
        other => other.to_string(),
    }
}

/// Says what was chosen by an element: `{"label": "A"}`, `{"labels": ["A", "B"]}` or `{"A": true, "B": false}`.
fn of_element(members: &Map<String, Value>) -> String {
    let chosen = members.iter().filter(|(_, value)| **value == Value::Bool(true));
    let chosen: Vec<&str> = chosen.map(|(name, _)| name.as_str()).collect();
    match members.get("label").or_else(|| members.get("labels")) {
        Some(labels) if !labels.is_boolean() => in_words(labels),
        _ if !members.values().all(Value::is_boolean) => Value::from(members.clone()).to_string(),
        _ if members.len() == 1 && members.contains_key("on") => {
            let is_on = !chosen.is_empty();
            if is_on { "yes".to_owned() } else { "no".to_owned() }
        }
        _ => chosen.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of a task with what the history says of each.
    fn shown(content: Value) -> Vec<(String, String)> {
        let item = |id: &str, text: &str| json!({ "id": id, "classifier": "mail", "utterance": text });
        let input = json!({
            "comprehendPredictions": [item("f9", "asdf qwer"), item("a1", "Where is it?"), item("c5", "I cannot log in")],
            "labels": ["Login", "Delivery"],
        });
        let items = own_items(&input, &content, None).into_iter();
        items.map(|item| (item.text, item.answer)).collect()
    }

    #[test]
    fn each_text_of_the_history_stands_beside_its_own_answer_in_the_order_of_the_page() {
        let expected = [
            ("asdf qwer", "none fits"),
            ("Where is it?", "Delivery"),
            ("I cannot log in", "no answer"),
        ];
        let expected = expected.map(|(text, answer)| (text.to_owned(), answer.to_owned()));

        for content in [
            json!({ "a1": "Delivery", "f9": "__none__", "comment:a1": "late", "c5": "" }),
            json!({ "item-1": "__none__", "item-2": "Delivery" }),
            json!({ "label_1": "None", "label_2": { "label": "Delivery" }, "label_3": "" }),
        ] {
            assert_eq!(shown(content.clone()), expected, "{content}");
        }
    }

    #[test]
    fn an_erased_text_is_not_in_the_history_and_the_others_keep_their_answers() {
        let item = |id: &str, text: &str| json!({ "id": id, "classifier": "mail", "utterance": text });
        let input = json!({
            "comprehendPredictions": [{ "id": "f9", "erased": true }, item("a1", "Where is it?"), item("c5", "I cannot log in")],
            "labels": ["Login", "Delivery"],
        });

        let items = own_items(&input, &json!({ "item-2": "Delivery", "item-3": "Login" }), None);

        let shown: Vec<_> = items
            .iter()
            .map(|item| (item.text.as_str(), item.answer.as_str()))
            .collect();
        assert_eq!(
            shown,
            [("Where is it?", "Delivery"), ("I cannot log in", "Login")]
        );
        assert_eq!(
            own_items(&input, &json!({ "b": "Login" }), None)[0].text,
            "Where is it?"
        );
    }

    #[test]
    fn the_history_calls_labels_as_they_are_called_now_and_says_what_they_were_called_then() {
        let mut set = LabelSet::none();
        for name in ["Login", "Delivery", "Refund", "Parcel lost"] {
            set.add(name, "").expect("free");
        }
        set.rename("Login", "Access").expect("free");
        set.merge("Delivery", "Refund").expect("active");
        let item = |id: &str| json!({ "id": id, "classifier": "mail", "utterance": id });
        let input = json!({
            "comprehendPredictions": [item("f9"), item("a1"), item("c5"), item("d6"), item("e7")],
            "labels": ["Login", "Delivery", "Refund"],
        });
        let content = json!({
            "f9": "Login", "a1": ["Delivery"], "c5": "Refund", "d6": "__none__", "e7": "parcel lost",
        });

        let items = own_items(&input, &content, Some(&set));

        let answers: Vec<&str> = items.iter().map(|item| item.answer.as_str()).collect();
        assert_eq!(
            answers,
            [
                "Access (called Login then)",
                "Refund (called Delivery then)",
                "Refund",
                "none fits",
                "parcel lost"
            ]
        );
    }

    #[test]
    fn an_answer_that_names_no_item_is_said_as_a_whole() {
        assert_eq!(
            shown(json!({ "b": "Login", "a": "Delivery" })),
            [("asdf qwer".to_owned(), "a: Delivery · b: Login".to_owned())]
        );
    }

    #[test]
    fn a_task_of_a_job_or_an_own_flow_is_shown_by_its_text_and_its_fields() {
        let content = json!({
            "category": { "labels": ["refund", "late"] },
            "spam": { "on": false },
            "tone": { "neg": false, "pos": true },
            "topic": { "label": "Delivery" },
            "year": "2024",
        });
        for (input, text) in [
            (
                json!({ "taskObject": "Where is it?", "labels": ["a", "b"] }),
                "Where is it?",
            ),
            (json!({ "id": "7", "source": "Where is it?" }), "Where is it?"),
            (
                json!({ "id": "7", "initialValue": { "text": "Where is it?" } }),
                "Where is it?",
            ),
            (json!({ "n": 7, "said": "Where is it?" }), "Where is it?"),
        ] {
            let items = own_items(&input, &content, None);
            assert_eq!(items[0].text, text, "{input}");
            assert_eq!(
                items[0].answer,
                "category: refund, late · spam: no · tone: pos · topic: Delivery · year: 2024"
            );
        }
    }
}
