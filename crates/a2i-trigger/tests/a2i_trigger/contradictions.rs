//! Votes that contradict one another since the label set was changed.

use active_learning_core::{
    feedback::{FeedbackRecord, record_id},
    keys,
    labels::{
        consolidation::Consensus,
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, LabelSetError, Origin},
        labelled::LabelledRecord,
        question::{Question, State},
        vote::{Vote, VoteSource},
    },
};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::harness::{BUCKET, Services, TRAINING_BUCKET, asked, line, loops};

const TEXT: &str = "The minister opened the velodrome.";

fn vote(worker: &str, source: VoteSource, answer: Answer) -> Vote {
    Vote {
        worker: worker.to_owned(),
        answer,
        source,
        at: "2026-11-20T10:30:00.000Z".to_owned(),
        seconds: None,
        note: Default::default(),
    }
}

/// What a file proposed, before it was accepted.
fn proposal() -> Vote {
    let answer = Answer::NewLabel {
        label: "Weather".to_owned(),
    };
    vote("csv:annotator", VoteSource::Import, answer)
}

fn review(worker: &str, label: &str) -> Vote {
    vote(worker, VoteSource::HumanReview, Answer::labels([label]))
}

fn text() -> FeedbackRecord {
    FeedbackRecord::parse(line(TEXT, "low-confidence", 0.1).as_bytes()).expect("a record")
}

impl Services {
    async fn store(&self, bucket: &str, key: &str, content: Vec<u8>) {
        let put = self.s3.put_object().bucket(bucket).key(key);
        let put = put.body(ByteStream::from(content)).send().await;
        put.expect("an upload");
    }

    /// Accepts `Weather` as of a time; returns the event of what contradicts itself by it, with these votes.
    async fn accepted_at(&self, at: &str, votes: Vec<Vote>) -> Value {
        let accept = |set: &mut LabelSet| set.add("Weather", "");
        self.changed_at(at, accept, votes).await
    }

    /// Changes the set of `World` and `Sports` as of a time; returns the event of what contradicts itself by it.
    async fn changed_at(
        &self,
        at: &str,
        change: impl FnOnce(&mut LabelSet) -> Result<(), LabelSetError>,
        votes: Vec<Vote>,
    ) -> Value {
        let labelled = LabelledRecord {
            votes,
            ..LabelledRecord::new(text(), Vec::new(), "", "")
        };
        self.delivered_by(at, change, labelled, keys::contradictions_of)
            .await
    }

    /// Changes the set as of a time; returns the event by which a labelled record is delivered then.
    async fn delivered_by(
        &self,
        at: &str,
        change: impl FnOnce(&mut LabelSet) -> Result<(), LabelSetError>,
        labelled: LabelledRecord,
        name: fn(&str) -> String,
    ) -> Value {
        let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-20T10:00:00.000Z");
        change(&mut set).expect("allowed");
        set.edited(at);
        self.store(TRAINING_BUCKET, LABEL_SET_KEY, set.to_json()).await;
        let labelled = LabelledRecord {
            labelled_at: at.to_owned(),
            ..labelled
        };
        let time: String = at.chars().filter(char::is_ascii_digit).collect();
        let change = name(&format!("00000002-{time}"));
        self.deliver(&keys::relabelled_feedback(&change, 0), labelled.to_line())
            .await
    }

    async fn put_answered(&self, votes: &[Vote]) {
        let mut question = Question::asked(text(), "review-1", 1);
        question.answer_with(votes);
        let key = keys::question(&question.record.id);
        self.store(BUCKET, &key, question.to_json()).await;
    }

    async fn asked_question(&self) -> Question {
        let key = keys::question(&record_id("news", TEXT));
        Question::parse(self.get(&key).await.as_bytes()).expect("a question")
    }
}

#[tokio::test]
async fn one_more_reviewer_is_asked_who_has_not_answered_and_twice_is_once() {
    let services = Services::start();
    let votes = vec![proposal(), review("w1", "World")];
    services.put_answered(&votes).await;
    let event = services.accepted_at("2026-11-21T10:00:00.000Z", votes).await;

    let first = services.work_off(&event).await;
    let again = services.work_off(&event).await;

    let started = loops(&first);
    let (name, input) = started.first().expect("a loop");
    let input: Value = serde_json::from_str(input).expect("JSON");
    assert!(name.ends_with("-again-1"), "{name}");
    assert_eq!(input["excludedWorkers"], json!(["csv:annotator", "w1"]));
    assert_eq!(input["taskCount"], 1);
    assert_eq!(input["labels"], json!(["World", "Sports", "Weather"]));
    assert!(loops(&again).is_empty(), "nobody is asked twice");
    let question = services.asked_question().await;
    assert_eq!((question.state, question.reopened), (State::Asked, 1));
    assert_eq!(question.human_loop.as_ref(), Some(name));
    assert_eq!(question.votes.len(), 2, "each vote once, by the names of now");
}

#[tokio::test]
async fn a_question_that_is_forgotten_by_now_is_asked_with_the_votes_of_the_labels() {
    let services = Services::start();
    let votes = vec![proposal(), review("w1", "World")];
    let event = services.accepted_at("2026-11-21T10:00:00.000Z", votes).await;

    let script = services.work_off(&event).await;

    assert_eq!(asked(&[&script]), [TEXT]);
    assert_eq!(
        services.asked_question().await.reviewers(),
        ["csv:annotator", "w1"]
    );
}

#[tokio::test]
async fn after_two_more_opinions_an_adjudicator_finds_what_is_contradicted_again() {
    let services = Services::start();
    let votes = vec![proposal(), review("w1", "World")];
    services.put_answered(&votes).await;
    let mut asked = Vec::new();

    for day in 21..24 {
        let at = format!("2026-11-{day}T10:00:00.000Z");
        let event = services.accepted_at(&at, votes.clone()).await;
        asked.push(loops(&services.work_off(&event).await).len());
        let mut question = services.asked_question().await;
        if question.state == State::Asked {
            question.answer_with(&[review(&format!("w{day}"), "World")]);
            let key = keys::question(&question.record.id);
            services.store(BUCKET, &key, question.to_json()).await;
        }
    }

    assert_eq!(asked, [1, 1, 0]);
    let id = record_id("news", TEXT);
    assert_eq!(
        services.keys_in(TRAINING_BUCKET, "disputed/").await,
        [format!("disputed/{id}.json")]
    );
}

#[tokio::test]
async fn where_people_are_at_it_or_agree_nobody_else_is_asked() {
    for (votes, state) in [
        (vec![proposal()], State::Asked),
        (vec![proposal(), review("w1", "Weather")], State::Answered),
    ] {
        let services = Services::start();
        services.put_answered(&votes).await;
        let event = services.accepted_at("2026-11-21T10:00:00.000Z", votes).await;

        let script = services.work_off(&event).await;

        assert!(loops(&script).is_empty());
        assert_eq!(services.asked_question().await.state, state);
    }
}

#[tokio::test]
async fn a_tie_that_users_broke_for_a_label_that_is_retired_is_asked_and_another_answer_is_known_at_once() {
    let user = |worker: &str, label: &str| vote(worker, VoteSource::Feedback, Answer::labels([label]));
    let torn = [review("w1", "World"), review("w2", "Sports")];
    let tie = [&torn[..], &[user("user:ada", "Sports")]].concat();
    let ada_and_bob = [user("user:ada", "Sports"), user("user:bob", "Sports")];
    let other = [&torn[..], &ada_and_bob, &[user("user:cy", "World")]].concat();
    for (votes, state, answer, tasks) in [
        (tie, State::Asked, None, 1),
        (other, State::Answered, Some(Answer::labels(["World"])), 0),
    ] {
        let services = Services::start();
        services.put_answered(&votes).await;
        let retire = |set: &mut LabelSet| set.retire("Sports");
        let event = services
            .changed_at("2026-11-21T10:00:00.000Z", retire, votes)
            .await;

        let script = services.work_off(&event).await;

        let question = services.asked_question().await;
        assert_eq!((question.state, question.answer().cloned()), (state, answer));
        assert_eq!(loops(&script).len(), tasks);
    }
}

#[tokio::test]
async fn an_answer_by_the_old_name_of_a_label_is_written_by_the_name_of_now_and_contradicts_nothing() {
    let services = Services::start();
    let votes = vec![review("w1", "Sports")];
    services.put_answered(&votes).await;
    let rename = |set: &mut LabelSet| set.rename("Sports", "Games");
    let event = services
        .changed_at("2026-11-21T10:00:00.000Z", rename, votes)
        .await;

    let script = services.work_off(&event).await;

    assert!(loops(&script).is_empty());
    let question = services.asked_question().await;
    assert_eq!(question.answer(), Some(&Answer::labels(["Games"])));
}

#[tokio::test]
async fn an_answer_that_is_announced_to_become_another_one_does_so_and_nobody_is_asked() {
    let user = vote("user:ada", VoteSource::Feedback, Answer::labels(["Sports"]));
    let votes = vec![review("w1", "World"), review("w2", "Sports"), user];
    let services = Services::start();
    services.put_answered(&votes).await;
    let before = services.asked_question().await;
    let labelled = LabelledRecord {
        // As an earlier version decided by error rates: their votes alone tie.
        consensus: Consensus::Agreed {
            answer: Answer::labels(["World"]),
            confidence: 0.9,
        },
        votes,
        ..LabelledRecord::new(text(), Vec::new(), "", "")
    };
    let (at, retire) = ("2026-11-21T10:00:00.000Z", |set: &mut LabelSet| {
        set.retire("Sports")
    });
    let event = services
        .delivered_by(at, retire, labelled, keys::decisions_of)
        .await;

    let script = services.work_off(&event).await;
    let again = services.work_off(&event).await;

    assert_eq!(before.answer(), Some(&Answer::labels(["Sports"])));
    let question = services.asked_question().await;
    assert_eq!(
        (question.state, question.answer(), question.reopened),
        (State::Answered, Some(&Answer::labels(["World"])), 0)
    );
    assert!(loops(&script).is_empty() && loops(&again).is_empty());
}

#[tokio::test]
async fn of_a_forgotten_question_that_was_asked_anew_what_stands_beside_a_split_label_counts_no_further() {
    let services = Services::start();
    let both = |worker: &str| Vote {
        answer: Answer::labels(["World", "Sports"]),
        ..review(worker, "World")
    };
    let anew = Vote {
        at: "2026-11-20T11:30:00.000Z".to_owned(),
        ..review("w3", "Football")
    };
    let labelled = LabelledRecord {
        votes: vec![both("w1"), both("w2"), anew.clone()],
        ..LabelledRecord::new(text().asked_anew("2026-11-20T11:00:00.000Z"), Vec::new(), "", "")
    };
    let split = |set: &mut LabelSet| set.split("Sports", &["Football", "Racing"]);
    let at = "2026-11-21T10:00:00.000Z";
    let event = services
        .delivered_by(at, split, labelled, keys::decisions_of)
        .await;

    services.work_off(&event).await;
    services.work_off(&event).await;

    let question = services.asked_question().await;
    assert_eq!(
        (question.votes, question.in_doubt),
        (vec![anew], vec![both("w1"), both("w2")])
    );
}

#[tokio::test]
async fn a_dispute_that_a_merge_has_settled_is_answered_and_on_no_list_and_twice_is_once() {
    let services = Services::start();
    let votes = vec![review("w1", "World"), review("w2", "Sports")];
    let mut question = Question::asked(text(), "review-1", 1);
    question.answer_with(&votes);
    question.wait_no_more(None);
    let (key, listed) = (
        keys::question(&question.record.id),
        keys::disputed(&question.record.id),
    );
    services.store(BUCKET, &key, question.to_json()).await;
    let labelled = LabelledRecord {
        consensus: Consensus::Agreed {
            answer: Answer::labels(["World"]),
            confidence: 1.0,
        },
        votes,
        ..LabelledRecord::new(text(), Vec::new(), "", "")
    };
    let merge = |set: &mut LabelSet| set.merge("Sports", "World");
    let event = services
        .delivered_by("2026-11-21T10:00:00.000Z", merge, labelled, keys::decisions_of)
        .await;

    for _ in 0..2 {
        // The second run comes after one that broke off before the list was changed.
        services.store(TRAINING_BUCKET, &listed, question.to_json()).await;
        let script = services.work_off(&event).await;

        let settled = services.asked_question().await;
        assert_eq!(question.state, State::Disputed);
        assert_eq!(settled.answer(), Some(&Answer::labels(["World"])));
        assert!(services.keys_in(TRAINING_BUCKET, "disputed/").await.is_empty());
        assert!(loops(&script).is_empty());
    }
}

#[tokio::test]
async fn a_further_round_about_a_tie_that_a_merge_has_settled_is_stopped_and_twice_is_once() {
    // The round follows a loop that has left it open, or a change of the label set that has made the tie.
    for is_opened_again in [false, true] {
        let services = Services::start();
        let first = format!("review-{}", "a".repeat(40));
        let further = format!("{first}-again-1");
        let votes = vec![review("w1", "World"), review("w2", "Sports")];
        let mut question = Question::asked(text(), &first, 1);
        question.answer_with(&votes);
        // Another loop asked it before: the second run finds the one that left it open all the same.
        let before = format!("review-{}", "b".repeat(40));
        question.asked_in.insert(0, before.clone());
        question.first_loop = Some(before);
        if is_opened_again {
            question.human_loop = Some(further.clone());
        }
        let key = keys::question(&question.record.id);
        services.store(BUCKET, &key, question.to_json()).await;
        let input = json!({
            "comprehendPredictions": [question.record], "labels": ["World", "Sports"], "rowCount": 1,
            "bucketName": BUCKET, "keyName": "feedback/a", "excludedWorkers": ["w1", "w2"], "taskCount": 1,
        });
        let asked = format!("{}{further}.json", keys::ASKED_FOLDER);
        services
            .store(BUCKET, &asked, input.to_string().into_bytes())
            .await;
        let labelled = LabelledRecord {
            consensus: Consensus::Agreed {
                answer: Answer::labels(["World"]),
                confidence: 1.0,
            },
            votes,
            ..LabelledRecord::new(text(), Vec::new(), "", "")
        };
        let merge = |set: &mut LabelSet| set.merge("Sports", "World");
        let at = "2026-11-21T10:00:00.000Z";
        let event = services
            .delivered_by(at, merge, labelled, keys::decisions_of)
            .await;

        for _ in 0..2 {
            let script = services.work_off(&event).await;

            let question = services.asked_question().await;
            assert_eq!(question.state, State::Answered);
            assert_eq!(question.answer(), Some(&Answer::labels(["World"])));
            assert!(question.is_taken_off(&further), "its page leaves it out");
            assert!(loops(&script).is_empty());
            let stops = script.calls("POST /human-loops/stop");
            let stopped: Vec<Value> = (stops.iter())
                .map(|call| serde_json::from_slice(call).expect("JSON"))
                .collect();
            assert_eq!(stopped, [json!({ "HumanLoopName": further })]);
        }
    }
}

#[tokio::test]
async fn a_review_that_is_kept_by_a_name_of_another_day_is_the_one_that_is_delivered_and_no_second() {
    let services = Services::start();
    let mut question = Question::asked(text(), &format!("review-{}", "a".repeat(40)), 1);
    // The label was called Golf when it was chosen, and Sports later.
    question.answer_with(&[review("w1", "Sports")]);
    let key = keys::question(&question.record.id);
    services.store(BUCKET, &key, question.to_json()).await;
    let labelled = LabelledRecord {
        consensus: Consensus::Agreed {
            answer: Answer::labels(["Golf"]),
            confidence: 1.0,
        },
        votes: vec![review("w1", "Golf")],
        ..LabelledRecord::new(text(), Vec::new(), "", "")
    };
    let take_away = |set: &mut LabelSet| {
        set.add_synonym("Sports", "Golf")?;
        set.remove_synonym("Sports", "Golf")
    };
    let at = "2026-11-21T10:00:00.000Z";
    let event = services
        .delivered_by(at, take_away, labelled, keys::decisions_of)
        .await;

    services.work_off(&event).await;

    let question = services.asked_question().await;
    assert_eq!(question.answer(), Some(&Answer::labels(["Golf"])));
    assert_eq!(question.votes, [review("w1", "Golf")]);
}

#[tokio::test]
async fn what_a_user_said_is_a_proposal_again_once_its_name_is_taken_away_from_a_label() {
    let services = Services::start();
    let said = |answer: Answer| vote("user:ada", VoteSource::Feedback, answer);
    let proposal = Answer::NewLabel {
        label: "Golf".to_owned(),
    };
    let mut question = Question::asked(text(), &format!("review-{}", "a".repeat(40)), 1);
    // The version before kept it by the name of its day alone.
    question.answer_with(&[review("w1", "Sports"), said(Answer::labels(["Sports"]))]);
    let key = keys::question(&question.record.id);
    services.store(BUCKET, &key, question.to_json()).await;
    let labelled = LabelledRecord {
        consensus: Consensus::Agreed {
            answer: Answer::labels(["Sports"]),
            confidence: 1.0,
        },
        votes: vec![review("w1", "Sports"), said(proposal.clone())],
        ..LabelledRecord::new(text(), Vec::new(), "", "")
    };
    let at = "2026-11-21T10:00:00.000Z";
    let event = services
        .delivered_by(at, |_| Ok(()), labelled, keys::decisions_of)
        .await;

    services.work_off(&event).await;

    let question = services.asked_question().await;
    assert_eq!(question.votes, [review("w1", "Sports"), said(proposal)]);
}

#[tokio::test]
async fn a_round_that_a_user_s_contradiction_has_opened_is_stopped_where_a_merge_takes_the_contradiction_away()
 {
    let services = Services::start();
    let first = format!("review-{}", "a".repeat(40));
    let further = format!("{first}-again-1");
    let user = vote("user:ada", VoteSource::Feedback, Answer::labels(["Sports"]));
    let votes = vec![review("w1", "World"), user];
    let mut question = Question::asked(text(), &first, 1);
    question.answer_with(&votes);
    (question.state, question.reopened) = (State::Asked, 1);
    question.human_loop = Some(further.clone());
    let key = keys::question(&question.record.id);
    services.store(BUCKET, &key, question.to_json()).await;
    let input = json!({
        "comprehendPredictions": [question.record], "labels": ["World", "Sports"], "rowCount": 1,
        "bucketName": BUCKET, "keyName": "feedback/a", "excludedWorkers": ["w1"], "taskCount": 1,
    });
    let asked = format!("{}{further}.json", keys::ASKED_FOLDER);
    services
        .store(BUCKET, &asked, input.to_string().into_bytes())
        .await;
    let labelled = LabelledRecord {
        consensus: Consensus::Agreed {
            answer: Answer::labels(["World"]),
            confidence: 1.0,
        },
        votes,
        ..LabelledRecord::new(text(), Vec::new(), "", "")
    };
    let merge = |set: &mut LabelSet| set.merge("Sports", "World");
    let at = "2026-11-21T10:00:00.000Z";
    let event = services
        .delivered_by(at, merge, labelled, keys::decisions_of)
        .await;

    for _ in 0..2 {
        let script = services.work_off(&event).await;

        let question = services.asked_question().await;
        assert_eq!(question.answer(), Some(&Answer::labels(["World"])));
        assert!(question.is_taken_off(&further), "its page leaves it out");
        assert!(loops(&script).is_empty());
        assert_eq!(script.calls("POST /human-loops/stop").len(), 1);
    }
}
