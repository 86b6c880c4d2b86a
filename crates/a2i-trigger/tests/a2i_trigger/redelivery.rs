//! Deliveries that come again after a run that broke off: whatever became of a text in between, the others stay on their pages.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::labels::{
    human_loop::Answer,
    label_set::{LabelSet, Origin},
    question::State,
    vote::{Vote, VoteSource},
};
use aws_sdk_s3::primitives::ByteStream;
use local_aws::script::Script;
use serde_json::{Value, json};

use crate::{
    erased::erase,
    harness::*,
    labels::{AT, LATER, anew},
};

/// Three pages: of three, of three and of one.
const TEXTS: [&str; 7] = ["One", "Two", "Three", "Four", "Five", "Six", "Seven"];
const STOP: &str = "POST /human-loops/stop";

/// What happens to the first text before the object comes again.
#[derive(Clone, Copy, Debug)]
enum Between {
    /// Somebody answers it, and a later change of the label set has nothing against the answer.
    Answered,
    /// A later change takes the doubt away.
    TakenBack,
    /// A change that was made before this one is delivered, and asks it too.
    AskedByEarlierChange,
    /// It is erased.
    Erased,
}

/// Texts that no label fitted, and the label set of a change that puts that in doubt.
async fn in_doubt() -> Services {
    let services = Services::start();
    services.put_set(&set_of(LATER)).await;
    let lines = TEXTS.map(|text| line(text, "low-confidence", 0.2));
    let first = services.deliver("feedback/a", lines.concat()).await;
    services.work_off(&first).await;
    for text in TEXTS {
        services.nothing_fits(text, "2026-11-20T11:00:00.000Z").await;
    }
    services
}

fn set_of(at: &str) -> LabelSet {
    LabelSet::seed(["World", "Sports", "Business", "SciTech"], Origin::Edited, at)
}

fn asking_all() -> String {
    TEXTS.iter().map(|text| anew(text, LATER)).collect()
}

impl Services {
    async fn answered_with_world(&self, text: &str) {
        let mut question = self.question_about(text).await;
        question.votes.clear();
        question.answer_with(&[Vote {
            worker: "w2".to_owned(),
            answer: Answer::labels(["World"]),
            source: VoteSource::HumanReview,
            at: "2026-11-29T08:00:00.000Z".to_owned(),
            seconds: None,
            note: Default::default(),
        }]);
        let key = active_learning_core::keys::question(&question.record.id);
        let put = self.s3.put_object().bucket(BUCKET).key(key);
        let body = ByteStream::from(question.to_json());
        put.body(body).send().await.expect("an upload");
    }

    /// Lets it happen to the first text. Returns what the review service was told.
    async fn befall_first(&self, between: Between) -> Script {
        let event = match between {
            Between::Answered => {
                self.answered_with_world(TEXTS[0]).await;
                self.put_set(&set_of("2026-11-29T09:00:00.000Z")).await;
                return Script::default();
            }
            Between::Erased => {
                erase(self, TEXTS[0]).await;
                return Script::default();
            }
            Between::TakenBack => {
                let at = "2026-11-29T09:00:00.000Z";
                self.put_set(&set_of(at)).await;
                self.deliver("feedback/relabel/withdrawn-4-0000.jsonl", anew(TEXTS[0], at))
                    .await
            }
            Between::AskedByEarlierChange => {
                self.deliver("feedback/relabel/2-0000.jsonl", anew(TEXTS[0], AT))
                    .await
            }
        };
        self.work_off(&event).await
    }
}

/// Names of the loops that were started, by the texts that they show.
fn pages(scripts: &[&Script]) -> BTreeMap<String, BTreeSet<String>> {
    let mut pages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, input) in scripts.iter().flat_map(|script| loops(script)) {
        for text in utterances(&BTreeSet::from([(name.clone(), input)])) {
            pages.entry(text).or_default().insert(name.clone());
        }
    }
    pages
}

fn names(scripts: &[&Script]) -> BTreeSet<String> {
    pages(scripts).into_values().flatten().collect()
}

#[tokio::test]
async fn a_run_that_broke_off_anywhere_leaves_each_text_on_its_page_whatever_became_of_another_one() {
    let undisturbed = in_doubt().await;
    let event = undisturbed
        .deliver("feedback/relabel/3-0000.jsonl", asking_all())
        .await;
    let expected = names(&[&undisturbed.work_off(&event).await]);
    assert_eq!(expected.len(), 3);

    let questions = format!("PUT /{BUCKET}/questions/");
    let asked = format!("PUT /{BUCKET}/asked/");
    for between in [
        Between::Answered,
        Between::TakenBack,
        Between::AskedByEarlierChange,
        Between::Erased,
    ] {
        for (operation, passed) in [
            (START, [0, 2]),
            (asked.as_str(), [0, 1]),
            (questions.as_str(), [1, 5]),
        ]
        .into_iter()
        .flat_map(|(operation, passed)| passed.map(|passed| (operation, passed)))
        {
            let at = format!("{between:?}, broken off after {passed} of {operation}");
            let services = in_doubt().await;
            let event = services
                .deliver("feedback/relabel/3-0000.jsonl", asking_all())
                .await;

            let first = breaking_off(passed, operation);
            first.always(STOP, 200, "{}");
            // It fails, unless there is no such call any more.
            let _ = services.function(&first).handle(event.clone()).await;
            let other = services.befall_first(between).await;
            let again = services.work_off(&event).await;
            let once_more = services.work_off(&event).await;

            let own = [&first, &again, &once_more];
            assert!(names(&own).is_subset(&expected), "{at}: other pages");
            let started = pages(&[&again, &once_more]);
            let all = pages(&own);
            for text in &TEXTS[1..] {
                let question = services.question_about(text).await;
                assert_eq!(question.state, State::Asked, "{at}: {text}");
                let page = question.human_loop.expect("a loop");
                assert_eq!(all[*text], BTreeSet::from([page]), "{at}: {text}");
                assert_eq!(
                    all.get(*text),
                    started.get(*text),
                    "{at}: {text} waits for the sweep"
                );
            }
            let shown = pages(&[&first, &again, &once_more, &other]);
            let of_first = services.question_about(TEXTS[0]).await;
            if let (State::Asked, Some(page), false) = (
                of_first.state,
                &of_first.human_loop,
                matches!(between, Between::Erased),
            ) {
                assert!(shown[TEXTS[0]].contains(page), "{at}: nobody shows the first");
            }
            if let Between::Erased = between {
                assert_eq!(started.get(TEXTS[0]), None, "{at}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_left_out_of_a_page_once_stays_out_of_it_when_it_is_in_doubt_again() {
    let services = in_doubt().await;
    services.answered_with_world(TEXTS[0]).await;
    services.put_set(&set_of("2026-11-29T09:00:00.000Z")).await;
    let event = services
        .deliver("feedback/relabel/3-0000.jsonl", asking_all())
        .await;
    let first = services.work_off(&event).await;
    // By now a complaint asks it.
    let mut question = services.question_about(TEXTS[0]).await;
    question.state = State::Asked;
    question.human_loop = Some("review-of-a-complaint".to_owned());
    let key = active_learning_core::keys::question(&question.record.id);
    let put = services.s3.put_object().bucket(BUCKET).key(key);
    let body = ByteStream::from(question.to_json());
    put.body(body).send().await.expect("an upload");

    let again = services.work_off(&event).await;

    assert_eq!(services.question_about(TEXTS[0]).await, question);
    assert_eq!(pages(&[&first, &again]).get(TEXTS[0]), None);
    assert_eq!(pages(&[&first]), pages(&[&again]));
}

#[tokio::test]
async fn tasks_of_another_size_are_for_what_is_planned_from_then_on() {
    let lines = TEXTS.map(|text| line(text, "low-confidence", 0.2)).concat();
    let undisturbed = Services::start();
    let event = undisturbed.deliver("feedback/a", lines.clone()).await;
    let expected = names(&[&undisturbed.work_off(&event).await]);
    let services = Services::start();
    let event = services.deliver("feedback/a", lines.clone()).await;
    let first = breaking_off(1, START);
    let outcome = services.function(&first).handle(event.clone()).await;
    assert!(outcome.is_err());

    let again = starting();
    let function = services.function_with_items(&again, "0", "2");
    function.handle(event).await.expect("worked off");
    let later = starting();
    let event = services
        .deliver(
            "feedback/b",
            lines.replace("utterance\":\"", "utterance\":\"Another "),
        )
        .await;
    let function = services.function_with_items(&later, "0", "2");
    function.handle(event).await.expect("worked off");

    assert_eq!(names(&[&again]), expected);
    assert_eq!(names(&[&later]).len(), 4);
}

#[tokio::test]
async fn a_selection_that_was_paid_is_asked_in_tasks_of_the_size_of_that_time() {
    let lines = TEXTS.map(|text| line(text, "dislike", 0.2)).concat();
    let services = Services::start();
    let event = services.deliver("feedback/a", lines).await;
    let first = breaking_off(1, START);
    let outcome = services.function_with_budget(&first, "7").handle(event).await;
    assert!(outcome.is_err());

    let again = starting();
    let function = services.function_with_items(&again, "7", "2");
    function
        .handle(json!({"operation": "select"}))
        .await
        .expect("selected");

    let pages = pages(&[&first, &again]);
    assert_eq!(pages.len(), TEXTS.len());
    assert!(pages.values().all(|names| names.len() == 1), "{pages:?}");
    assert_eq!(names(&[&again]).len(), 3);
}

#[tokio::test]
async fn a_plan_of_the_version_before_is_followed() {
    let lines = TEXTS.map(|text| line(text, "low-confidence", 0.2)).concat();
    let services = Services::start();
    let event = services.deliver("feedback/a", lines).await;
    let first = services.work_off(&event).await;
    let key = services.keys("claims/plan-").await.remove(0);
    let plan: Value = serde_json::from_str(&services.get(&key).await).expect("JSON");
    assert_eq!(plan["itemsPerTask"], 3);
    let put = services.s3.put_object().bucket(BUCKET).key(key);
    let body = ByteStream::from(plan["fates"].to_string().into_bytes());
    put.body(body).send().await.expect("an upload");

    let again = services.work_off(&event).await;

    assert_eq!(loops(&again), loops(&first));
}
