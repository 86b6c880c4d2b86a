//! Changes of the label set that were left between the change and the delivery of what they ask.

use active_learning_aws::{
    bucket::Bucket,
    label_set::LabelSets,
    relabelling::{Counted, Doubt, Pace, Relabelling},
};
use active_learning_core::{
    feedback::{FeedbackRecord, FeedbackRequest, Signal, Source, record_id},
    keys,
    labels::{
        human_loop::{Answer, NONE_FITS},
        label_set::{LabelSet, Origin, version_key},
        labelled::LabelledRecord,
        question::Question,
        vote::{Vote, VoteSource},
    },
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::harness::*;

const AT: &str = "2026-11-20T10:00:00.000Z";
/// After everything that the tests answer.
const AT_LATER: &str = "2026-11-20T13:00:00.000Z";

struct Change {
    services: Services,
    sets: LabelSets,
    relabelling: Relabelling,
    records: Vec<FeedbackRecord>,
}

/// A stack with a label set, and what a split of `Sports` will ask.
async fn before_a_split() -> Change {
    let services = Services::start();
    let feedback = Bucket::new(services.s3.clone(), FEEDBACK);
    let training = Bucket::new(services.s3.clone(), TRAINING);
    let set = LabelSet::seed(["Sports", "World"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
    services.put(TRAINING, "label-set.json", set.to_json()).await;
    let request = FeedbackRequest {
        classifier: "news".into(),
        sentence: "They won the cup.".into(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitApi, AT).expect("complete");
    Change {
        services,
        sets: LabelSets::new(training.clone()),
        relabelling: Relabelling::new(feedback, training),
        records: vec![record],
    }
}

impl Change {
    /// Writes down what is asked, and splits the label; nothing is delivered.
    async fn split(&self) {
        let set = self.sets.current().await.expect("a set").expect("a set");
        let planned = self.relabelling.plan(&set, AT, &self.records, None).await;
        planned.expect("written");
        let split = |set: &mut LabelSet| set.split("Sports", &["Ball games", "Racing"]);
        self.sets.edit(AT, split).await.expect("split");
    }

    async fn sweep(&self, at: &str) {
        let now: DateTime<Utc> = at.parse().expect("a time");
        let function = self.services.function();
        let swept = function.handle_at(json!({"operation": "sweep"}), now).await;
        swept.expect("swept");
    }

    async fn delivered(&self) -> Vec<String> {
        self.services.keys(FEEDBACK, "feedback/relabel/").await
    }

    async fn planned(&self) -> Vec<String> {
        self.services.keys(FEEDBACK, "relabel/").await
    }
}

#[tokio::test]
async fn what_a_change_was_to_ask_is_asked_by_the_sweep_where_its_command_was_stopped() {
    let change = before_a_split().await;
    change.split().await;

    change.sweep("2026-11-20T10:05:00Z").await;
    let first = change.delivered().await;
    change.sweep("2026-11-20T11:05:00Z").await;

    assert_eq!(first, ["feedback/relabel/00000002-20261120100000000-0000.jsonl"]);
    assert_eq!(change.delivered().await, first, "twice is once");
    assert_eq!(change.planned().await, [""; 0]);
    let asked = change.services.get(FEEDBACK, &first[0]).await;
    assert_eq!(asked, change.records[0].to_line());
}

#[tokio::test]
async fn a_change_is_found_although_the_set_was_changed_again_since() {
    let change = before_a_split().await;
    change.split().await;
    let add = |set: &mut LabelSet| set.add("Health", "");
    let later = change.sets.edit("2026-11-20T10:01:00.000Z", add).await;
    later.expect("added");

    change.sweep("2026-11-20T10:05:00Z").await;

    assert_eq!(change.delivered().await.len(), 1);
}

#[tokio::test]
async fn a_delivery_that_broke_off_is_finished() {
    let change = before_a_split().await;
    change.split().await;
    let part = "relabel/00000002-20261120100000000-0000.jsonl";
    let lines = change.services.get(FEEDBACK, part).await;
    let delivered = "feedback/relabel/00000002-20261120100000000-0000.jsonl";
    change.services.put(FEEDBACK, delivered, lines.as_bytes()).await;

    change.sweep("2026-11-20T10:05:00Z").await;

    assert_eq!(change.delivered().await, [delivered]);
    assert_eq!(change.planned().await, [""; 0]);
}

#[tokio::test]
async fn a_change_that_was_planned_and_not_made_asks_nothing_and_is_dropped_after_an_hour() {
    let change = before_a_split().await;
    let set = change.sets.current().await.expect("a set").expect("a set");
    let planned = change.relabelling.plan(&set, AT, &change.records, None).await;
    planned.expect("written");

    change.sweep("2026-11-20T10:30:00Z").await;
    let while_it_may_be_made = change.planned().await.len();
    change.sweep("2026-11-20T11:30:00Z").await;

    assert_eq!(while_it_may_be_made, 2);
    assert_eq!(change.planned().await, [""; 0]);
    assert_eq!(change.delivered().await, [""; 0]);
}

#[tokio::test]
async fn an_answer_with_a_label_that_was_split_while_its_page_was_open_is_asked_anew() {
    let services = Services::start();
    let mut set = LabelSet::seed(["Sports", "World"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
    set.split("Sports", &["Ball games", "Racing"]).expect("split");
    services.put(TRAINING, "label-set.json", set.to_json()).await;
    let asked = input();
    let mut answers = vec!["World"; 20];
    answers[0] = " sports";
    let output = output(LOOP, &asked.to_string(), &[("w1", 1, &answers)]);

    for _ in 0..2 {
        services.answered(LOOP, output.clone()).await;
    }

    let delivered = services.keys(FEEDBACK, "feedback/relabel/").await;
    assert_eq!(delivered.len(), 1);
    assert!(
        delivered[0].starts_with(&format!("feedback/relabel/{LOOP}-")),
        "{delivered:?}"
    );
    let lines = services.get(FEEDBACK, &delivered[0]).await;
    let anew = FeedbackRecord::parse(lines.trim_end().as_bytes()).expect("one record");
    assert_eq!(json!(anew.id), asked["comprehendPredictions"][0]["id"]);
    assert_eq!(anew.signal, Signal::Relabel);
    let given_at = "2026-11-20T12:01:00.000Z";
    assert_eq!(
        anew.received_at, given_at,
        "what was said until then counts no more"
    );
}

#[tokio::test]
async fn an_answer_by_a_label_that_was_retired_when_it_was_given_is_asked_anew_and_one_from_before_is_not() {
    // The answers were given at 12:01.
    for (retired_at, changed_since, is_asked) in [
        ("2026-11-20T12:00:59.000Z", false, true),
        ("2026-11-20T12:00:59.000Z", true, true),
        ("2026-11-20T12:01:01.000Z", false, false),
    ] {
        let (services, sets, _) = with_labels(&["Sports", "World"]).await;
        let retire = |set: &mut LabelSet| set.retire("Sports");
        sets.edit(retired_at, retire).await.expect("retired");
        if changed_since {
            let add = |set: &mut LabelSet| set.add("Weather", "");
            sets.edit(AT_LATER, add).await.expect("added");
        }
        let mut answers = vec!["World"; 20];
        answers[0] = "sports ";
        let output = output(LOOP, &input().to_string(), &[("w1", 1, &answers)]);

        for _ in 0..2 {
            services.answered(LOOP, output.clone()).await;
        }

        let asked = asked_again(&services).await;
        let ids: Vec<_> = asked
            .iter()
            .flat_map(|(_, records)| records)
            .map(|record| json!(record.id))
            .collect();
        let expected: Vec<_> = is_asked
            .then(|| input()["comprehendPredictions"][0]["id"].clone())
            .into_iter()
            .collect();
        assert_eq!(
            ids, expected,
            "retired at {retired_at}, changed since: {changed_since}"
        );
    }
}

/// Lines that are delivered to be asked again, by object.
async fn asked_again(services: &Services) -> Vec<(String, Vec<FeedbackRecord>)> {
    let mut delivered = Vec::new();
    for key in services.keys(FEEDBACK, "feedback/relabel/").await {
        let lines = services.get(FEEDBACK, &key).await;
        let record = |line: &str| FeedbackRecord::parse(line.as_bytes()).expect("a record");
        delivered.push((key, lines.lines().map(record).collect()));
    }
    delivered
}

/// Sets up what a change of the label set meets: a set of which its function knows what it was.
async fn with_labels(labels: &[&str]) -> (Services, LabelSets, Relabelling) {
    let services = Services::start();
    let feedback = Bucket::new(services.s3.clone(), FEEDBACK);
    let training = Bucket::new(services.s3.clone(), TRAINING);
    let set = LabelSet::seed(
        labels.iter().copied(),
        Origin::Parameter,
        "2026-11-19T10:00:00.000Z",
    );
    services.put(TRAINING, "label-set.json", set.to_json()).await;
    services.put(TRAINING, &version_key(1), set.to_json()).await;
    (
        services,
        LabelSets::new(training.clone()),
        Relabelling::new(feedback, training),
    )
}

/// The output of a loop in which one reviewer answers each text so, a minute after noon.
fn all_answered(label: &str) -> String {
    output(LOOP, &input().to_string(), &[("w1", 1, &[label; 20])])
}

fn split(set: &mut LabelSet) -> Result<(), active_learning_core::labels::label_set::LabelSetError> {
    set.split("Sports", &["Ball games", "Racing"])
}

fn counted_now(doubt: impl Into<Option<Doubt>>) -> Option<Counted> {
    Some(Counted {
        doubt: doubt.into(),
        at: active_learning_aws::now(),
        seen: Vec::new(),
    })
}

#[tokio::test]
async fn an_answer_that_is_collected_by_a_set_from_before_the_split_is_asked_anew() {
    let (services, sets, _) = with_labels(&["Sports", "World"]).await;
    let function = services.function();
    let earlier = output("review-other", &input().to_string(), &[("w1", 0, &["World"; 20])]);
    let earlier = services.output("review-other", earlier).await;
    function
        .handle(earlier)
        .await
        .expect("the function knows the set now");
    sets.edit("2026-11-20T12:00:59.900Z", split).await.expect("split");

    let event = services.output(LOOP, all_answered("Sports")).await;
    function.handle(event).await.expect("worked off");

    let asked = asked_again(&services).await;
    let texts = input()["comprehendPredictions"].as_array().expect("items").len();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1.len(), texts);
}

#[tokio::test]
async fn an_answer_that_comes_between_the_count_of_a_split_and_the_split_is_asked_by_it() {
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    let counted = counted_now(Doubt::SplitLabel);
    let set = sets.current().await.expect("a set").expect("a set");

    services.answered(LOOP, all_answered("Sports")).await;
    let before_the_split = asked_again(&services).await;
    let known: FeedbackRecord = services.labelled(LOOP).await.remove(0).record;
    let counted_before = [known.asked_anew(AT)];
    let planned = relabelling.plan(&set, AT, &counted_before, counted).await;
    sets.edit(AT, split).await.expect("split");
    let late = relabelling.deliver(&planned.expect("planned")).await;

    let asked = asked_again(&services).await;
    let ids: Vec<&str> = asked
        .iter()
        .flat_map(|(_, records)| records)
        .map(|one| &*one.id)
        .collect();
    let labelled = services.labelled(LOOP).await;
    let mut texts: Vec<&str> = labelled.iter().map(|line| &*line.record.id).collect();
    texts.sort_unstable();
    texts.dedup();
    assert!(before_the_split.is_empty());
    assert_eq!(
        late.expect("delivered").asked,
        texts.len() - 1,
        "one was counted before"
    );
    assert_eq!(ids.len(), texts.len(), "each is asked once");
    assert!(services.keys(FEEDBACK, "relabel/").await.is_empty());
}

#[tokio::test]
async fn what_was_answered_while_a_split_was_made_is_asked_by_the_sweep_where_its_command_was_stopped() {
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    let set = sets.current().await.expect("a set").expect("a set");
    let planned = relabelling
        .plan(&set, AT, &[], counted_now(Doubt::SplitLabel))
        .await;
    planned.expect("planned, though nothing was answered yet");
    services.answered(LOOP, all_answered("Sports")).await;
    sets.edit(AT, split).await.expect("split");

    services.sweep().await;
    services.sweep().await;

    let asked = asked_again(&services).await;
    assert_eq!(asked.len(), 1);
    let key = &asked[0].0;
    assert!(
        key.starts_with("feedback/relabel/00000002-20261120100000000-late-"),
        "{key}"
    );
}

#[tokio::test]
async fn what_was_delivered_stays_where_a_run_after_one_that_broke_off_finds_other_texts() {
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    let set = sets.current().await.expect("a set").expect("a set");
    let counted = counted_now(Doubt::SplitLabel);
    let planned = relabelling.plan(&set, AT, &[], counted).await.expect("planned");
    services.answered(LOOP, all_answered("Sports")).await;
    sets.edit(AT, split).await.expect("split");
    let deliver = async || relabelling.deliver(&planned).await.expect("delivered").asked;
    let first = deliver().await;
    let delivered = asked_again(&services).await;
    // One of them is asked by now.
    let record = delivered[0].1[0].clone();
    let question = Question::asked(record.clone(), "review-1", 1);
    services
        .put(FEEDBACK, &keys::question(&record.id), question.to_json())
        .await;

    let second = deliver().await;
    let third = deliver().await;

    assert_eq!((second, third), (first - 1, first - 1));
    let after = asked_again(&services).await;
    assert_eq!(after.len(), 2, "the same lines again are the same object");
    assert!(after.contains(&delivered[0]));
}

#[tokio::test]
async fn a_text_that_has_another_answer_by_now_is_not_asked_because_of_a_split() {
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    let counted = counted_now(Doubt::SplitLabel);
    let set = sets.current().await.expect("a set").expect("a set");
    services.answered(LOOP, all_answered("Sports")).await;
    let first = services.labelled(LOOP).await.remove(0);
    let mut question = Question::known(first.record.clone());
    let mut correction = first.votes[0].clone();
    (correction.answer, correction.at) = (Answer::labels(["World"]), "2026-11-20T12:02:00.000Z".to_owned());
    question.answer_with(&[correction]);
    let key = keys::question(&first.record.id);
    services.put(FEEDBACK, &key, question.to_json()).await;

    let planned = relabelling.plan(&set, AT, &[], counted).await;
    sets.edit(AT, split).await.expect("split");
    let late = relabelling.deliver(&planned.expect("planned")).await;

    assert!(late.expect("delivered").asked > 0);
    let asked = asked_again(&services).await;
    assert!(asked[0].1.iter().all(|record| record.id != first.record.id));
}

#[tokio::test]
async fn a_run_that_broke_off_once_its_labels_were_written_asks_anew_when_its_event_comes_again() {
    let (services, sets, _) = with_labels(&["Sports", "World"]).await;
    sets.edit("2026-11-20T12:00:59.900Z", split).await.expect("split");
    let asked = format!("asked/{LOOP}.json");
    services.put(FEEDBACK, &asked, input().to_string()).await;
    let relabel = format!("PUT /{FEEDBACK}/feedback/relabel/");
    services.script.answer(20, &relabel, 500, "");
    let event = services.output(LOOP, all_answered("Sports")).await;
    let broke_off = services.function().handle(event.clone()).await;
    let written = services.keys(TRAINING, "labelled/").await;

    for _ in 0..20 {
        if services.function().handle(event.clone()).await.is_ok() {
            break;
        }
    }

    assert!(broke_off.is_err());
    assert_eq!(written, [format!("labelled/{LOOP}.jsonl")]);
    assert_eq!(asked_again(&services).await.len(), 1);
    assert!(services.open().await.is_empty());
}

#[tokio::test]
async fn an_answer_that_no_label_fits_is_asked_anew_where_a_label_came_while_its_page_was_open() {
    let add = |set: &mut LabelSet| set.add("Weather", "");
    let describe = |set: &mut LabelSet| set.describe("World", "politics abroad");

    let mut asked = Vec::new();
    for (change_at, is_addition) in [
        ("2026-11-20T12:02:00.000Z", true),
        ("2026-11-20T12:00:00.000Z", true),
        ("2026-11-20T12:02:00.000Z", false),
    ] {
        let (services, sets, _) = with_labels(&["Sports", "World"]).await;
        let changed = match is_addition {
            true => sets.edit(change_at, add).await,
            false => sets.edit(change_at, describe).await,
        };
        changed.expect("changed");
        services.answered(LOOP, all_answered(NONE_FITS)).await;
        asked.push(asked_again(&services).await.len());
    }

    assert_eq!(
        asked,
        [1, 0, 0],
        "only who could not choose the label is asked again"
    );
}

#[tokio::test]
async fn an_answer_by_a_proposal_is_asked_anew_where_that_was_refused_while_its_page_was_open() {
    let mut asked = Vec::new();
    for refused_at in ["2026-11-20T12:02:00.000Z", "2026-11-20T12:00:00.000Z"] {
        let (services, sets, _) = with_labels(&["Sports", "World"]).await;
        let refuse = |set: &mut LabelSet| set.refuse("Fog");
        sets.edit(refused_at, refuse).await.expect("refused");

        services.answered(LOOP, all_answered("fog")).await;

        asked.push(asked_again(&services).await.len());
    }

    assert_eq!(asked, [1, 0], "who proposes it after that proposes it again");
}

#[tokio::test]
async fn an_answer_by_a_label_that_was_added_a_moment_ago_is_that_label_and_no_proposal() {
    let (services, sets, _) = with_labels(&["Sports", "World"]).await;
    let function = services.function();
    let earlier = output("review-other", &input().to_string(), &[("w1", 0, &["World"; 20])]);
    let earlier = services.output("review-other", earlier).await;
    function
        .handle(earlier)
        .await
        .expect("the function knows the set now");
    let add = |set: &mut LabelSet| set.add("Weather", "");
    sets.edit("2026-11-20T12:00:59.900Z", add).await.expect("added");

    let event = services.output(LOOP, all_answered("Weather")).await;
    function.handle(event).await.expect("worked off");

    let labelled = services.labelled(LOOP).await;
    assert!(labelled.iter().all(|line| {
        let reviewed = line.votes.iter().filter(|vote| vote.source.is_review());
        reviewed
            .map(|vote| &vote.answer)
            .all(|answer| *answer == Answer::labels(["Weather"]))
    }));
}

#[tokio::test]
async fn a_text_that_the_count_has_seen_was_not_answered_since_whatever_the_count_made_of_it() {
    for (label, doubt) in [(NONE_FITS, Doubt::NoneFits), ("Sports", Doubt::SplitLabel)] {
        let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
        let set = sets.current().await.expect("a set").expect("a set");
        services.answered(LOOP, all_answered(label)).await;
        let at = active_learning_aws::now();
        let seen = relabelling.seen_at(&at).await.expect("listed");
        let late_one = all_answered(label).replace(LOOP, "review-late");
        services.answered("review-late", late_one).await;

        let counted = Some(Counted {
            doubt: Some(doubt),
            at,
            seen: seen.clone(),
        });
        let planned = relabelling.plan(&set, AT_LATER, &[], counted).await;
        let changed = match doubt {
            Doubt::SplitLabel => sets.edit(AT_LATER, split).await,
            _ => sets.edit(AT_LATER, |set| set.add("Weather", "")).await,
        };
        changed.expect("changed");
        let late = relabelling.deliver(&planned.expect("planned")).await;

        assert_eq!(seen, [format!("labelled/{LOOP}.jsonl")]);
        let texts = input()["comprehendPredictions"].as_array().expect("items").len();
        let late = late.expect("delivered");
        assert_eq!(
            (late.asked, late.contradicted),
            (texts, 0),
            "those of the later loop"
        );
        let asked = asked_again(&services).await;
        let asked: Vec<_> = asked.iter().flat_map(|(_, records)| records).collect();
        assert_eq!(asked.len(), texts, "{label}");
    }
}

/// Makes a proposal a label as the console does, which counts nothing before; two sweeps ask.
async fn accept_weather_uncounted(services: &Services, sets: &LabelSets, relabelling: &Relabelling) {
    let set = sets.current().await.expect("a set").expect("a set");
    let planned = relabelling
        .plan_uncounted(&set, AT_LATER, Some(Doubt::NoneFits))
        .await;
    planned.expect("written");
    sets.edit(AT_LATER, |set| set.add("Weather", ""))
        .await
        .expect("accepted");
    services.sweep().await;
    services.sweep().await;
}

#[tokio::test]
async fn a_change_of_which_nothing_was_counted_asks_about_all_that_it_puts_in_doubt_at_the_next_sweep() {
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    let mut answers = vec!["Weather"; 20];
    answers[..3].fill(NONE_FITS);
    let output = output(LOOP, &input().to_string(), &[("w1", 1, &answers)]);
    services.answered(LOOP, output).await;
    let answered = services.labelled(LOOP).await;
    let none_fitted = answered.iter().filter(|line| {
        let mut votes = line.votes.iter();
        votes.any(|vote| vote.answer == Answer::NoneFits)
    });
    let none_fitted: Vec<&str> = none_fitted.map(|line| line.record.id.as_str()).collect();

    accept_weather_uncounted(&services, &sets, &relabelling).await;

    let asked = services.keys(FEEDBACK, "feedback/relabel/").await;
    assert_eq!(
        asked.len(),
        1,
        "what proposed the label is that label now, and asks nobody"
    );
    let lines = services.get(FEEDBACK, &asked[0]).await;
    let record = |line: &str| FeedbackRecord::parse(line.as_bytes()).expect("a record").id;
    let mut ids: Vec<String> = lines.lines().map(record).collect();
    ids.sort_by_key(|id| none_fitted.iter().position(|other| other == id));
    assert!(!none_fitted.is_empty());
    assert_eq!(ids, none_fitted);
    assert!(services.keys(FEEDBACK, "relabel/").await.is_empty());
}

#[tokio::test]
async fn what_no_label_fitted_once_and_what_was_decided_since_is_not_asked_though_its_question_is_gone() {
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    let mut answers = vec!["World"; 20];
    answers[..2].fill(NONE_FITS);
    let output = output(LOOP, &input().to_string(), &[("w1", 1, &answers)]);
    services.answered(LOOP, output).await;
    let mut none_fitted = services.labelled(LOOP).await;
    none_fitted.retain(|line| line.votes.iter().any(|vote| vote.answer == Answer::NoneFits));
    let open = none_fitted.pop().expect("one of two");
    let since = none_fitted.pop().expect("one of two");
    let vote = Vote {
        answer: Answer::labels(["World"]),
        at: AT_LATER.into(),
        ..since.votes[0].clone()
    };
    let since = LabelledRecord::new(since.record, vec![vote], &format!("{LOOP}-corrected-1"), "");
    let key = format!("labelled/{LOOP}-corrected-1.jsonl");
    services.put(TRAINING, &key, since.to_line()).await;
    for key in services.keys(FEEDBACK, "questions/").await {
        let delete = services.s3.delete_object().bucket(FEEDBACK).key(key);
        delete.send().await.expect("expired");
    }

    accept_weather_uncounted(&services, &sets, &relabelling).await;

    let asked = services.keys(FEEDBACK, "feedback/relabel/").await;
    let lines = services.get(FEEDBACK, &asked[0]).await;
    let ids: Vec<String> = lines
        .lines()
        .map(|line| FeedbackRecord::parse(line.as_bytes()).expect("a record").id)
        .collect();
    assert_eq!(ids, [open.record.id]);
}

#[tokio::test]
async fn what_contradicts_itself_by_a_change_is_delivered_with_its_votes_by_the_sweep_where_the_command_was_stopped()
 {
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    services.answered(LOOP, all_answered("Sports")).await;
    let answered = services.labelled(LOOP).await;
    let set = sets.current().await.expect("a set").expect("a set");
    let planned = relabelling.plan_contradictions(&set, AT, &answered[..1]).await;
    planned.expect("written");
    let synonym = |set: &mut LabelSet| set.add_synonym("World", "Weather");
    sets.edit(AT, synonym).await.expect("changed");

    services.sweep().await;
    services.sweep().await;

    let delivered = services.keys(FEEDBACK, "feedback/relabel/").await;
    assert_eq!(
        delivered,
        ["feedback/relabel/contradicted-00000002-20261120100000000-0000.jsonl"]
    );
    let line = services.get(FEEDBACK, &delivered[0]).await;
    let line = LabelledRecord::parse(line.trim_end().as_bytes()).expect("a labelled record");
    assert_eq!(line.votes, answered[0].votes);
    assert_eq!(line.labelled_at, AT, "the time of the change");
    assert!(services.keys(FEEDBACK, "relabel/").await.is_empty());
}

#[tokio::test]
async fn what_a_change_that_was_left_in_the_middle_only_decides_anew_is_delivered_and_not_told_as_asked() {
    let (services, sets, relabelling) = with_labels(&["Sports", "World", "Fax"]).await;
    services.answered(LOOP, all_answered("Sports")).await;
    let answered = services.labelled(LOOP).await;
    let set = sets.current().await.expect("a set").expect("a set");
    let planned = relabelling.plan_contradictions(&set, AT, &answered[..1]);
    planned.await.expect("written");
    let planned = relabelling.plan_decisions(&set, AT, &answered[1..4]);
    planned.await.expect("written");
    let retire = |set: &mut LabelSet| set.retire("Fax");
    sets.edit(AT, retire).await.expect("changed");

    let resumed = relabelling.resume(AT_LATER).await.expect("delivered");

    assert_eq!((resumed.texts, resumed.dropped), (1, 0));
    let delivered = services.keys(FEEDBACK, "feedback/relabel/").await;
    let name = |what: &str| format!("feedback/relabel/{what}-00000002-20261120100000000-0000.jsonl");
    assert_eq!(delivered, [name("contradicted"), name("decided")]);
    let lines = services.get(FEEDBACK, &delivered[1]).await;
    assert_eq!(lines.lines().count(), 3);
}

/// Completes a loop of two reviewers who do not agree on its first text, on which a user has said `Fax` before.
async fn tie_that_a_user_broke_for_fax(services: &Services) -> Value {
    let first = FeedbackRecord::parse(input()["comprehendPredictions"][0].to_string().as_bytes());
    let first = first.expect("a record");
    let vote = Vote {
        worker: "user:ada".to_owned(),
        answer: Answer::labels(["Fax"]),
        source: VoteSource::Feedback,
        at: "2026-11-20T09:00:00.000Z".to_owned(),
        seconds: None,
        note: Default::default(),
    };
    let mut question = Question::asked(first, LOOP, 20);
    question.add(&[vote]);
    let key = keys::question(&question.record.id);
    services.put(FEEDBACK, &key, question.to_json()).await;
    let (one, mut other) = (["World"; 20], ["World"; 20]);
    other[0] = "Fax";
    let answers = output(LOOP, &input().to_string(), &[("w1", 1, &one), ("w2", 1, &other)]);
    services.output(LOOP, answers).await
}

fn retire_fax(set: &mut LabelSet) -> Result<(), active_learning_core::labels::label_set::LabelSetError> {
    set.retire("Fax")
}

/// The ids of the texts that were delivered as contradicted, without the objects of other kinds.
async fn contradicted(services: &Services) -> Vec<String> {
    let mut ids = Vec::new();
    for key in services.keys(FEEDBACK, "feedback/relabel/contradicted-").await {
        let lines = services.get(FEEDBACK, &key).await;
        let lines = lines.lines().map(|line| LabelledRecord::parse(line.as_bytes()));
        ids.extend(lines.map(|line| line.expect("a labelled record").record.id));
    }
    ids
}

#[tokio::test]
async fn a_tie_that_comes_between_the_count_of_a_retirement_and_the_retirement_is_asked_by_it_or_by_the_sweep()
 {
    for is_stopped in [false, true] {
        let (services, sets, relabelling) = with_labels(&["Sports", "World", "Fax"]).await;
        let set = sets.current().await.expect("a set").expect("a set");
        let counted = counted_now(None);
        let event = tie_that_a_user_broke_for_fax(&services).await;
        services.function().handle(event).await.expect("worked off");

        let planned = relabelling.plan(&set, AT_LATER, &[], counted).await;
        let planned = planned.expect("planned");
        sets.edit(AT_LATER, retire_fax).await.expect("retired");
        if is_stopped {
            services.sweep().await;
        } else {
            let late = relabelling.deliver(&planned).await.expect("delivered");
            assert_eq!((late.asked, late.contradicted), (0, 1));
        }

        let first = input()["comprehendPredictions"][0]["id"].clone();
        assert_eq!(json!(contradicted(&services).await), json!([first]));
        assert!(services.keys(FEEDBACK, "relabel/").await.is_empty());
    }
}

#[tokio::test]
async fn a_merge_of_which_nothing_was_counted_asks_where_votes_contradict_one_another_by_it() {
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    let world = ["World"; 20];
    let (mut sports, mut weather) = (world, world);
    (sports[0], weather[0]) = ("Sports", "Weather");
    let voted = [
        ("w1", 1, &world),
        ("w2", 1, &world),
        ("w3", 1, &sports),
        ("w4", 1, &weather),
    ];
    let voted = voted.map(|(worker, minute, answers)| (worker, minute, &answers[..]));
    services
        .answered(LOOP, output(LOOP, &input().to_string(), &voted))
        .await;
    let set = sets.current().await.expect("a set").expect("a set");

    let planned = relabelling.plan_uncounted(&set, AT_LATER, None).await;
    planned.expect("written");
    let merge = |set: &mut LabelSet| set.add_synonym("Sports", "Weather");
    sets.edit(AT_LATER, merge).await.expect("merged");
    services.sweep().await;
    services.sweep().await;

    let first = input()["comprehendPredictions"][0]["id"].clone();
    assert_eq!(json!(contradicted(&services).await), json!([first]));
    assert!(services.keys(FEEDBACK, "relabel/").await.is_empty());
}

#[tokio::test]
async fn a_tie_that_is_decided_by_a_set_from_before_the_retirement_is_asked() {
    let (services, sets, _) = with_labels(&["Sports", "World", "Fax"]).await;
    let function = services.function();
    let earlier = output("review-other", &input().to_string(), &[("w1", 0, &["World"; 20])]);
    let earlier = services.output("review-other", earlier).await;
    function
        .handle(earlier)
        .await
        .expect("the function knows the set now");
    let event = tie_that_a_user_broke_for_fax(&services).await;
    sets.edit(AT_LATER, retire_fax).await.expect("retired");

    function.handle(event.clone()).await.expect("worked off");
    let first = input()["comprehendPredictions"][0]["id"].clone();
    let asked = contradicted(&services).await;
    function.handle(event).await.expect("twice is once");

    assert_eq!(json!(asked), json!([first]));
    assert_eq!(contradicted(&services).await, asked);
}

#[tokio::test]
async fn what_a_change_has_delivered_is_known_before_anybody_is_asked() {
    let change = before_a_split().await;
    change.split().await;
    let record = &change.records[0];
    let id = record.id.as_str();
    let before = change.relabelling.asked_anew().await.expect("read");
    change.sweep("2026-11-20T10:05:00Z").await;

    let delivered = change.relabelling.asked_anew().await.expect("read");
    let earlier = Question::known(FeedbackRecord {
        received_at: "2026-11-19T10:00:00.000Z".to_owned(),
        ..record.clone()
    });
    let asked = Question::asked(record.asked_anew(AT), "review-1", 1);
    let set = change.sets.current().await.expect("a set").expect("a set");
    let back = [record.asked_anew(AT_LATER)];
    let back = change.relabelling.plan_withdrawal(&set, AT_LATER, &back).await;
    let back = back.expect("planned");
    change.relabelling.deliver(&back).await.expect("delivered");
    let taken_back = change.relabelling.asked_anew().await.expect("read");

    assert!(!before.is_on_its_way(id, None), "it is not delivered");
    assert!(
        delivered.is_on_its_way(id, None),
        "an imported text has no question yet"
    );
    assert!(delivered.is_on_its_way(id, Some(&earlier)));
    assert!(!delivered.is_on_its_way(id, Some(&asked)), "its question tells");
    assert!(!delivered.is_on_its_way("another", None));
    assert!(!taken_back.is_on_its_way(id, Some(&earlier)));
}

/// A stack in which each of these loops has answered all its texts, which are its own, in this way.
async fn answered_in_loops(services: &Services, loops: &[(&str, &str)]) -> Vec<String> {
    let mut ids = Vec::new();
    for (name, label) in loops {
        let mut input = input();
        let items = input["comprehendPredictions"].as_array_mut().expect("items");
        items.truncate(2);
        for item in items {
            let text = format!("Text {}", ids.len());
            let id = record_id(item["classifier"].as_str().expect("a name"), &text);
            item["id"] = id.as_str().into();
            item["utterance"] = text.into();
            ids.push(id);
        }
        input["rowCount"] = 2.into();
        let output = output(name, &input.to_string(), &[("w1", 1, &[label, label])]);
        services.answered(name, output).await;
    }
    ids
}

const LOOPS: [&str; 4] = ["review-a", "review-b", "review-c", "review-d"];

/// Delivers what is planned, object by object, until all is delivered; returns what each step has asked.
async fn deliver_in_steps(services: &Services, relabelling: &Relabelling) -> Vec<usize> {
    let mut steps = Vec::new();
    while !services.keys(FEEDBACK, "relabel/").await.is_empty() {
        assert!(steps.len() < 30, "it comes to an end: {steps:?}");
        steps.push(relabelling.resume(AT_LATER).await.expect("gone on").texts);
    }
    steps
}

/// The ids of the texts that are asked anew, as often as they are delivered.
async fn delivered_ids(services: &Services) -> Vec<String> {
    let mut ids = Vec::new();
    for key in services.keys(FEEDBACK, "feedback/relabel/0").await {
        let lines = services.get(FEEDBACK, &key).await;
        let record = |line: &str| FeedbackRecord::parse(line.as_bytes()).expect("a record").id;
        ids.extend(lines.lines().map(record));
    }
    ids.sort();
    ids
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_look_at_all_answers_goes_on_where_it_was_and_asks_each_text_once_also_when_it_breaks_off() {
    for has_questions in [true, false] {
        let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
        let ids = answered_in_loops(&services, &LOOPS.map(|name| (name, NONE_FITS))).await;
        if !has_questions {
            for key in services.keys(FEEDBACK, "questions/").await {
                let delete = services.s3.delete_object().bucket(FEEDBACK).key(key);
                delete.send().await.expect("expired");
            }
        }
        let relabelling = relabelling.with_pace(Pace {
            objects: 1,
            answers: 1,
        });
        let set = sets.current().await.expect("a set").expect("a set");
        let planned = relabelling
            .plan_uncounted(&set, AT_LATER, Some(Doubt::NoneFits))
            .await;
        planned.expect("written");
        let add = |set: &mut LabelSet| set.add("Weather", "");
        sets.edit(AT_LATER, add).await.expect("accepted");

        let first = relabelling.resume(AT_LATER).await.expect("begun");
        let key = services.keys(FEEDBACK, "relabel/").await.remove(0);
        let place = services.get(FEEDBACK, &key).await;
        relabelling.resume(AT_LATER).await.expect("gone on");
        // As if it had died before it said how far it is.
        services.put(FEEDBACK, &key, place.clone()).await;
        let steps = deliver_in_steps(&services, &relabelling).await;

        assert!(!place.contains("Text "), "it holds no text");
        let place: Value = serde_json::from_str(&place).expect("JSON");
        assert_eq!(place["looked"]["after"], "review-a.jsonl");
        assert!(steps.len() >= 3, "{steps:?}");
        let asked: usize = steps.iter().sum();
        assert_eq!(first.texts + asked, ids.len(), "{has_questions}: {steps:?}");
        assert_eq!(delivered_ids(&services).await, sorted(&ids), "{has_questions}");
    }
}

#[tokio::test]
async fn a_text_that_stands_in_several_objects_is_asked_once_by_a_look_that_goes_on() {
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    let ids = answered_in_loops(&services, &[("review-a", NONE_FITS)]).await;
    let line = services.get(TRAINING, "labelled/review-a.jsonl").await;
    services.put(TRAINING, "labelled/review-b.jsonl", line).await;
    let relabelling = relabelling.with_pace(Pace {
        objects: 1,
        answers: 1,
    });
    let set = sets.current().await.expect("a set").expect("a set");
    let planned = relabelling
        .plan_uncounted(&set, AT_LATER, Some(Doubt::NoneFits))
        .await;
    planned.expect("written");
    let add = |set: &mut LabelSet| set.add("Weather", "");
    sets.edit(AT_LATER, add).await.expect("accepted");

    let steps = deliver_in_steps(&services, &relabelling).await;

    assert_eq!(steps.iter().sum::<usize>(), 2, "{steps:?}");
    assert_eq!(delivered_ids(&services).await, sorted(&ids));
}

#[tokio::test]
async fn texts_that_were_answered_by_a_refused_proposal_are_asked_anew_and_those_of_other_proposals_are_not()
{
    let (services, sets, relabelling) = with_labels(&["Sports", "World"]).await;
    let loops = [("review-a", "Fog"), ("review-b", "Rain"), ("review-c", "Sports")];
    let ids = answered_in_loops(&services, &loops).await;
    let set = sets.current().await.expect("a set").expect("a set");

    let planned = relabelling
        .plan_uncounted(&set, AT_LATER, Some(Doubt::RefusedProposal))
        .await;
    planned.expect("written");
    let refuse = |set: &mut LabelSet| set.refuse("fog");
    sets.edit(AT_LATER, refuse).await.expect("refused");
    services.sweep().await;
    services.sweep().await;

    assert_eq!(delivered_ids(&services).await, sorted(&ids[..2]));
    assert!(services.keys(FEEDBACK, "relabel/").await.is_empty());
}
