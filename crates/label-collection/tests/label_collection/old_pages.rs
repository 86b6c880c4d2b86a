//! Corrections of pages of which some texts are asked by another loop since: the page shows those no more, and says of them
//! again what its reviewer said at first.

use active_learning_core::{
    feedback::{FeedbackRecord, Signal},
    keys,
    labels::{
        human_loop::{Answer, NONE_FITS},
        label_set::{LabelSet, Origin},
        question::{Question, State},
        vote::Vote,
    },
};
use serde_json::{Value, json};

use crate::harness::*;

/// When the label set was changed: after the first answers, and before all others.
const CHANGED_AT: &str = "2026-11-20T12:05:00.000Z";

/// A page of several texts, of which one is asked anew in another loop.
struct OldPage {
    services: Services,
    /// The loop that asks the text anew.
    anew: String,
    /// The text that is asked anew, as the page has it.
    moved: FeedbackRecord,
    /// A text that is asked by the page alone.
    other: String,
}

impl OldPage {
    /// Has reviewers answer the page: this of the text that is then asked anew, and `World` of all others.
    async fn answered_by(workers: &[&str], label: &str, set: &LabelSet) -> Self {
        let services = Services::start();
        services.put(TRAINING, "label-set.json", set.to_json()).await;
        let items = input()["comprehendPredictions"].clone();
        let moved = FeedbackRecord::parse(items[0].to_string().as_bytes()).expect("a record");
        let mut labels = ["World"; 20];
        labels[0] = label;
        let answers: Vec<(&str, u32, &[&str])> =
            workers.iter().map(|worker| (*worker, 1, &labels[..])).collect();
        let first = output(LOOP, &input().to_string(), &answers);
        services.answered(LOOP, first).await;
        Self {
            services,
            anew: format!("review-{}", "a".repeat(40)),
            moved,
            other: items[3]["id"].as_str().expect("an id").to_owned(),
        }
    }

    /// Asks the text in another loop since the label set was changed, as a2i-trigger notes it.
    async fn ask_anew(&self) {
        let before = self.question(&self.moved.id).await;
        let mut asked = Question::asked(self.moved.asked_anew(CHANGED_AT), &self.anew, 1);
        asked.remember_loops_of(&before);
        asked.in_doubt = before.votes;
        self.store(&asked).await;
    }

    /// Has a reviewer answer the text in that loop.
    async fn answer_anew(&self, worker: &str, label: &str) {
        let mut input = input();
        input["comprehendPredictions"] = json!([self.moved.asked_anew(CHANGED_AT)]);
        let answer = output(&self.anew, &input.to_string(), &[(worker, 7, &[label])]);
        self.services.answered(&self.anew, answer).await;
    }

    /// Corrects the page, with these answers to the text that is asked anew and to the other one.
    async fn correct(&self, worker: &str, moved: &str, other: &str) {
        let key = output_key(LOOP).replace("output.json", "corrections/w-8/output.json");
        let items = input()["comprehendPredictions"]
            .as_array()
            .expect("items")
            .clone();
        let of_item = |item: &Value| match item["id"].as_str() {
            Some(id) if id == self.moved.id => moved.to_owned(),
            Some(id) if id == self.other => other.to_owned(),
            _ => "World".to_owned(),
        };
        let labels: Vec<String> = items.iter().map(of_item).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let corrected = output(LOOP, &input().to_string(), &[(worker, 8, &labels)]);
        self.services.put(REVIEW, &key, corrected).await;
        for _ in 0..2 {
            let handled = self.services.function().handle(event(&key)).await;
            handled.expect("worked off");
        }
    }

    async fn question(&self, id: &str) -> Question {
        let question = self.services.get(FEEDBACK, &keys::question(id)).await;
        Question::parse(question.as_bytes()).expect("a question")
    }

    async fn store(&self, question: &Question) {
        let key = keys::question(&question.record.id);
        self.services.put(FEEDBACK, &key, question.to_json()).await;
    }

    /// Ids of the texts in the labelled object of the correction.
    async fn corrected(&self) -> Vec<String> {
        let lines = self.services.labelled(&format!("{LOOP}-corrected-w-8")).await;
        lines.into_iter().map(|line| line.record.id).collect()
    }
}

fn labels(names: &[&str]) -> LabelSet {
    LabelSet::seed(
        names.iter().copied(),
        Origin::Parameter,
        "2026-11-19T10:00:00.000Z",
    )
}

#[tokio::test]
async fn a_correction_of_another_text_says_no_old_answer_again_where_the_text_was_answered_anew_since() {
    let page = OldPage::answered_by(&["w1"], NONE_FITS, &labels(&["Sports", "World", "Weather"])).await;
    page.ask_anew().await;
    page.answer_anew("w1", "Weather").await;
    let before = page.question(&page.moved.id).await;

    page.correct("w1", NONE_FITS, "Sports").await;

    let after = page.question(&page.moved.id).await;
    assert_eq!(before.answer(), Some(&Answer::labels(["Weather"])));
    assert_eq!(after, before, "as it was answered in the other loop");
    assert_eq!(page.corrected().await, std::slice::from_ref(&page.other));
    let other = page.question(&page.other).await;
    assert_eq!(other.answer(), Some(&Answer::labels(["Sports"])));
}

#[tokio::test]
async fn an_old_answer_that_a_correction_repeats_neither_answers_what_others_are_asked_nor_disputes_their_answer()
 {
    let page = OldPage::answered_by(&["w1", "w2"], NONE_FITS, &labels(&["Sports", "World", "Weather"])).await;
    page.ask_anew().await;

    page.correct("w1", NONE_FITS, "Sports").await;
    let while_asked = page.question(&page.moved.id).await;
    page.answer_anew("w2", "Weather").await;
    page.correct("w1", NONE_FITS, "Weather").await;

    let after = page.question(&page.moved.id).await;
    assert_eq!((while_asked.state, while_asked.votes.len()), (State::Asked, 0));
    assert_eq!(after.answer(), Some(&Answer::labels(["Weather"])));
    assert_eq!(after.reviewers(), ["w2"]);
    let disputed = page
        .services
        .keys(TRAINING, &keys::disputed(&page.moved.id))
        .await;
    assert!(disputed.is_empty(), "{disputed:?}");
}

#[tokio::test]
async fn a_correction_of_another_text_does_not_ask_anew_what_was_settled_since_its_label_was_split() {
    let mut set = labels(&["Sports", "World"]);
    set.split("Sports", &["Ball games", "Racing"]).expect("split");
    let page = OldPage::answered_by(&["w1"], "World", &set).await;
    let mut first = page.question(&page.moved.id).await;
    first
        .votes
        .iter_mut()
        .for_each(|vote| vote.answer = Answer::labels(["Sports"]));
    page.store(&first).await;
    page.ask_anew().await;
    page.answer_anew("w1", "Racing").await;

    page.correct("w1", "Sports", "Racing").await;

    assert!(page.services.keys(FEEDBACK, "feedback/relabel/").await.is_empty());
    let after = page.question(&page.moved.id).await;
    assert_eq!(after.answer(), Some(&Answer::labels(["Racing"])));
    assert_eq!(page.corrected().await, std::slice::from_ref(&page.other));
}

#[tokio::test]
async fn what_a_reviewer_says_otherwise_of_a_text_that_another_loop_asks_is_their_newest_vote() {
    let page = OldPage::answered_by(&["w1"], NONE_FITS, &labels(&["Sports", "World", "Weather"])).await;
    page.ask_anew().await;

    page.correct("w1", "Weather", "World").await;

    let after = page.question(&page.moved.id).await;
    assert_eq!(after.answer(), Some(&Answer::labels(["Weather"])));
    assert_eq!(after.record.signal, Signal::Relabel);
    let reviews = after.votes.iter().filter(|vote| vote.source.is_review());
    let at: Vec<&str> = reviews.map(|vote: &Vote| vote.at.as_str()).collect();
    assert_eq!(at, ["2026-11-20T12:08:00.000Z"]);
}
