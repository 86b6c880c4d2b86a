//! Questions, and where an adjudicator finds those that are disputed.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use active_learning_aws::{
    adjudication::{AdjudicationError, Choice, Decision, Finding, adjudicate, adopt},
    bucket::{Bucket, Created, JSON},
    label_set::LabelSets,
    questions::Questions,
};
use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        consolidation::DecidedBy,
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        labelled::LabelledRecord,
        question::{Question, State, UnwrittenLine},
        vote::{Note, Vote, VoteSource},
    },
};
use axum::{Router, body::Body, extract::Request, http::Response};
use local_aws::{LocalAws, s3::BucketSpec, script::Script};
use serde_json::json;
use tower::ServiceExt;

/// Returns the services, the questions and the bucket of disputes.
fn world() -> (LocalAws, Questions, Bucket) {
    let aws = LocalAws::in_memory();
    for name in ["feedback", "training"] {
        let name = name.to_owned();
        let spec = BucketSpec {
            name,
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(spec).expect("the index works");
    }
    let feedback = Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), "feedback");
    let training = feedback.other("training");
    let questions = Questions::new("test", feedback, training.clone());
    (aws, questions, training)
}

fn question(state: State) -> Question {
    let line = json!({ "classifier": "news", "utterance": "Rates rise", "signal": "dislike", "source": "explicit-api" });
    let record = FeedbackRecord::parse(line.to_string().as_bytes()).expect("a record");
    Question {
        state,
        ..Question::known(record)
    }
}

/// A question that a reviewer has answered.
fn answered() -> Question {
    let mut answered = question(State::Asked);
    answered.answer_with(&[Vote {
        worker: "ann".to_owned(),
        answer: Answer::labels(["World"]),
        source: VoteSource::HumanReview,
        at: "2026-11-20T10:00:00.000Z".to_owned(),
        seconds: None,
        note: Note::default(),
    }]);
    answered
}

/// Has the question be this one, whatever it was.
async fn keep(questions: &Questions, kept: &Question) {
    let change = |question: &mut Option<Question>| *question = Some(kept.clone());
    questions.change(&kept.record.id, change).await.expect("written");
}

/// Reads what an adjudicator finds.
async fn shown(training: &Bucket, record_id: &str) -> Option<Question> {
    let shown = training.read_document(&keys::disputed(record_id)).await;
    shown.expect("read")
}

#[tokio::test]
async fn a_dispute_stays_on_the_list_that_another_run_has_just_begun_though_one_before_settles_it_late() {
    let (_aws, questions, training) = world();
    let disputed = question(State::Disputed);
    let id = &disputed.record.id;
    keep(&questions, &disputed).await;
    questions.dispute(&disputed).await.expect("shown");

    questions.settle(id).await.expect("answered");

    assert_eq!(shown(&training, id).await, Some(disputed.clone()));
}

#[tokio::test]
async fn a_dispute_that_was_decided_does_not_come_back_though_whoever_found_it_shows_it_late() {
    let (_aws, questions, training) = world();
    let found = question(State::Disputed);
    let decided = Question {
        state: State::Answered,
        ..found.clone()
    };
    keep(&questions, &decided).await;
    questions.settle(&found.record.id).await.expect("settled");

    questions.dispute(&found).await.expect("answered");

    assert_eq!(shown(&training, &found.record.id).await, None);
}

#[tokio::test]
async fn an_adjudicator_is_shown_the_newest_votes_whoever_comes_last() {
    let (_aws, questions, training) = world();
    let before = question(State::Disputed);
    let mut newest = before.clone();
    newest.add(&[Vote {
        worker: "ann".to_owned(),
        answer: Answer::labels(["World"]),
        source: VoteSource::HumanReview,
        at: "2026-11-20T12:01:00.000Z".to_owned(),
        seconds: None,
        note: Note::default(),
    }]);
    keep(&questions, &newest).await;
    questions.dispute(&newest).await.expect("shown");

    questions.dispute(&before).await.expect("shown");

    assert_eq!(shown(&training, &before.record.id).await, Some(newest));
}

/// Returns what an audit holds right of a text whose newest word this is.
fn found_wrong<'a>(newest: &'a LabelledRecord, labels: &'a [String]) -> Finding<'a> {
    Finding {
        audit: "spring",
        newest,
        labels,
        by: "bob",
        at: "2026-11-20T12:00:00.000Z",
    }
}

#[tokio::test]
async fn what_an_audit_holds_right_is_final_for_its_question_and_is_written_once() {
    let (_aws, questions, training) = world();
    let feedback = training.other("feedback");
    let asked = answered();
    keep(&questions, &asked).await;
    let newest = LabelledRecord::new(asked.record.clone(), asked.votes.clone(), "review-1", "arn:flow");
    let right = ["Sports".to_owned()];
    let finding = found_wrong(&newest, &right);

    let first = adopt("test", (&training, &feedback), None, finding).await;
    let again = adopt("test", (&training, &feedback), None, finding).await;

    let created = [first, again].map(|adopted| adopted.expect("adopted"));
    assert_eq!(created, [Created::Created, Created::Exists]);
    let decided = questions
        .read(&asked.record.id)
        .await
        .expect("read")
        .expect("there");
    assert_eq!(decided.answer(), Some(&Answer::labels(["Sports"])));
    assert_eq!(decided.decided_by, Some(DecidedBy::Adjudicator));
    assert_eq!((decided.votes.len(), decided.unwritten.is_some()), (2, false));
    let lines = training.list(keys::LABELLED_FOLDER).await.expect("listed");
    assert_eq!(lines.len(), 1);
    let line = training
        .read(&lines[0].key, 1 << 20)
        .await
        .expect("read")
        .expect("there");
    let line = LabelledRecord::parse(&line.bytes).expect("a line");
    assert_eq!(line.consensus.labels(), Some(&["Sports".to_owned()][..]));
    assert_eq!(
        (line.replaces, line.votes[0].worker.as_str()),
        (vec!["World".to_owned()], "adjudicator:bob")
    );
}

#[tokio::test]
async fn an_audit_that_broke_off_after_its_line_was_written_is_done_with_by_the_next_run() {
    let (_aws, questions, training) = world();
    let feedback = training.other("feedback");
    let asked = answered();
    keep(&questions, &asked).await;
    let newest = LabelledRecord::new(asked.record.clone(), asked.votes.clone(), "review-1", "arn:flow");
    let right = ["Sports".to_owned()];
    let finding = found_wrong(&newest, &right);
    let adopted = adopt("test", (&training, &feedback), None, finding).await;
    assert_eq!(adopted.expect("adopted"), Created::Created);
    let id = &asked.record.id;
    let mut broken_off = questions.read(id).await.expect("read").expect("there");
    broken_off.unwritten = Some(Box::new(UnwrittenLine {
        name: format!("adjudication-{id}-audit-spring"),
        line: newest.clone(),
    }));
    keep(&questions, &broken_off).await;
    questions.dispute(&broken_off).await.expect("shown");

    let again = adopt("test", (&training, &feedback), None, finding).await;

    assert_eq!(again.expect("adopted"), Created::Exists);
    let done = questions.read(id).await.expect("read").expect("there");
    assert_eq!(done.unwritten, None);
    assert_eq!(shown(&training, id).await, None);
    let lines = training.list(keys::LABELLED_FOLDER).await.expect("listed");
    assert_eq!(lines.len(), 1);
}

/// Decides a dispute by a label, as this adjudicator at this time, also where another one has decided it.
async fn decide(training: &Bucket, record_id: &str, label: &str, by: &str, at: &str) {
    let decided = decide_or_not(training, record_id, label, (by, at), true).await;
    decided.expect("decided");
}

async fn decide_or_not(
    training: &Bucket,
    record_id: &str,
    label: &str,
    (by, at): (&str, &str),
    overrules: bool,
) -> Result<Answer, AdjudicationError> {
    let choice = &Choice::Labels(vec![label.to_owned()]);
    let sets = LabelSets::new(training.clone());
    let feedback = training.other("feedback");
    let decision = Decision {
        choice,
        by,
        at,
        overrules,
    };
    adjudicate("test", (training, &feedback), &sets, record_id, decision).await
}

/// Returns the bucket of labels as somebody sees it who is overtaken: just before their first label is written, another
/// adjudicator decides.
fn overtaken(aws: &LocalAws, training: &Bucket, record_id: &str) -> Bucket {
    let (services, training) = (aws.router(), training.clone());
    let (record_id, has_decided) = (record_id.to_owned(), Arc::new(AtomicBool::new(false)));
    let router = Router::new().fallback(move |request: Request<Body>| {
        let (services, training, record_id) = (services.clone(), training.clone(), record_id.clone());
        let is_label = request.method() == "PUT" && request.uri().path().contains("/labelled/");
        let decides = is_label && !has_decided.swap(true, Ordering::Relaxed);
        async move {
            if decides {
                decide(&training, &record_id, "Sports", "bob", "2026-11-20T11:00:01.000Z").await;
            }
            let response: Result<Response<Body>, Infallible> = services.oneshot(request).await;
            response.unwrap_or_else(|never| match never {})
        }
    });
    let client = aws_sdk_s3::Client::new(&Script::default().sdk_config(router));
    Bucket::new(client, "training")
}

#[tokio::test]
async fn of_two_decisions_at_once_the_later_one_takes_the_place_of_the_other() {
    let (aws, questions, training) = world();
    let disputed = question(State::Disputed);
    let id = &disputed.record.id;
    keep(&questions, &disputed).await;
    questions.dispute(&disputed).await.expect("shown");

    let slow = overtaken(&aws, &training, id);
    decide(&slow, id, "Business", "eve", "2026-11-20T11:00:00.000Z").await;

    let line_of = async |time: &str| {
        let key = format!("labelled/adjudication-{id}-{time}.jsonl");
        let line = training.read(&key, 1 << 20).await.expect("read");
        LabelledRecord::parse(line.expect("it is there").bytes.trim_ascii_end()).expect("a labelled record")
    };
    let (first, later) = (
        line_of("2026-11-20T110000000Z").await,
        line_of("2026-11-20T110001000Z").await,
    );
    assert_eq!(first.votes[0].answer, Answer::labels(["Business"]));
    assert_eq!(later.votes[0].answer, Answer::labels(["Sports"]));
    assert_eq!(later.replaces, ["Business"]);
    let question = questions.read(id).await.expect("read").expect("it is there");
    assert_eq!(question.answer(), Some(&Answer::labels(["Sports"])));
}

/// Returns the bucket of labels as somebody sees it who is overtaken: once they have read the dispute, another adjudicator
/// decides it.
fn overtaken_after_the_look(aws: &LocalAws, training: &Bucket, record_id: &str) -> Bucket {
    let (services, training) = (aws.router(), training.clone());
    let (record_id, has_decided) = (record_id.to_owned(), Arc::new(AtomicBool::new(false)));
    let router = Router::new().fallback(move |request: Request<Body>| {
        let (services, training, record_id) = (services.clone(), training.clone(), record_id.clone());
        let is_look = request.method() == "GET" && request.uri().path().contains("/disputed/");
        let decides = is_look && !has_decided.swap(true, Ordering::Relaxed);
        async move {
            let response: Result<Response<Body>, Infallible> = services.oneshot(request).await;
            if decides {
                decide(&training, &record_id, "Sports", "bob", "2026-11-20T11:00:00.000Z").await;
            }
            response.unwrap_or_else(|never| match never {})
        }
    });
    let client = aws_sdk_s3::Client::new(&Script::default().sdk_config(router));
    Bucket::new(client, "training")
}

#[tokio::test]
async fn of_two_operators_who_saw_a_dispute_at_once_the_second_is_refused_by_name_unless_they_overrule() {
    for (overrules, by) in [(false, "eve"), (true, "eve"), (false, "bob")] {
        let (aws, questions, training) = world();
        let disputed = question(State::Disputed);
        let id = &disputed.record.id;
        keep(&questions, &disputed).await;
        questions.dispute(&disputed).await.expect("shown");

        let slow = overtaken_after_the_look(&aws, &training, id);
        let said = (by, "2026-11-20T11:00:01.000Z");
        let decided = decide_or_not(&slow, id, "Business", said, overrules).await;

        let kept = questions.read(id).await.expect("read").expect("it is there");
        assert_eq!(shown(&training, id).await, None);
        assert_eq!(kept.unwritten, None);
        let lines = training.list(keys::LABELLED_FOLDER).await.expect("listed");
        if overrules || by == "bob" {
            assert_eq!(decided.expect("decided"), Answer::labels(["Business"]), "{by}");
            assert_eq!(lines.len(), 2);
            continue;
        }
        let refused = decided.expect_err("bob was sooner").to_string();
        assert!(
            refused.contains("bob has decided this dispute meanwhile"),
            "{refused}"
        );
        assert_eq!(kept.answer(), Some(&Answer::labels(["Sports"])));
        assert_eq!(lines.len(), 1);
    }
}

#[tokio::test]
async fn no_set_that_is_kept_since_before_decides_what_a_newer_one_has_decided_and_an_unchanged_question_is_not_written()
 {
    let (_aws, questions, training) = world();
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-20T09:00:00.000Z");
    let put = async |set: &LabelSet| {
        training
            .put(LABEL_SET_KEY, JSON, set.to_json())
            .await
            .expect("stored")
    };
    put(&set).await;
    let (kept, fresh) = (LabelSets::new(training.clone()), LabelSets::new(training.clone()));
    kept.current().await.expect("read");
    set.rename("Sports", "Sport").expect("free");
    set.edited("2026-11-20T10:00:00.000Z");
    put(&set).await;
    let answered = answered();
    let id = &answered.record.id;
    keep(&questions, &answered).await;
    let names = |_: &mut Option<Question>, labels: Option<&LabelSet>| labels.map(LabelSet::version);
    let decide = |question: &mut Option<Question>, labels: Option<&LabelSet>| {
        let question = question.as_mut().expect("it is there");
        question.items += 1;
        labels.map(LabelSet::version)
    };

    let by_kept = questions.change_by(&kept, id, names).await.expect("read");
    let untouched = questions.read(id).await.expect("read").expect("it is there");
    let by_fresh = questions.change_by(&fresh, id, decide).await.expect("written");
    let decided = questions.read(id).await.expect("read").expect("it is there");
    let by_kept_now = questions.change_by(&kept, id, decide).await.expect("written");

    assert_eq!(
        (by_kept, untouched.label_set),
        (Some(1), 0),
        "nothing has decided it yet"
    );
    assert_eq!((by_fresh, decided.label_set), (Some(2), 2));
    assert_eq!(by_kept_now, Some(2), "read anew");

    // A bucket that was brought back has an older set than the question says.
    let older = LabelSet::seed(["World"], Origin::Edited, "2026-11-20T08:00:00.000Z");
    put(&older).await;
    let brought_back = LabelSets::new(training.clone());
    let by_older = questions
        .change_by(&brought_back, id, decide)
        .await
        .expect("written");
    assert_eq!(by_older, Some(1), "there is no other");
}
