//! What became of the loops that are not done with.

use active_learning_aws::{bucket::Bucket, originals};
use active_learning_core::{
    feedback::{FeedbackRecord, record_id},
    keys,
    labels::{
        human_loop::{Answer, reopening_loop},
        label_set::{LabelSet, Origin},
        question::{Effect, Opinion, Question, State},
        review_event::MAX_PREDICTIONS,
        vote::{Vote, VoteSource},
    },
    sampling::duplicates::{RecentTexts, same_form},
};
use chrono::{SecondsFormat, TimeDelta, Utc};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::harness::{
    BUILT_IN_OUTPUT, FEEDBACK, LIST, LOOP, REVIEW, START, Services, TRAINING, input, output, output_key,
};

impl Services {
    /// Keeps the sample's input as that of an open loop, and claims its records for its delivered object.
    async fn asked_for(&self, name: &str) {
        let input = input();
        self.put(FEEDBACK, &format!("asked/{name}.json"), input.to_string())
            .await;
        let owner = format!("{FEEDBACK}/{}", input["keyName"].as_str().expect("a key"));
        for item in input["comprehendPredictions"].as_array().expect("items") {
            let claim = json!({"owner": owner, "claimedAt": "2026-11-20T10:00:00Z"});
            let key = format!("claims/{}", item["id"].as_str().expect("an id"));
            self.put(FEEDBACK, &key, claim.to_string()).await;
        }
    }

    async fn asked_and(&self, name: &str, status: &str) {
        self.asked_for(name).await;
        self.review.add(name, status, &active_learning_aws::now());
    }
}

#[tokio::test]
async fn nothing_open_asks_nothing_of_the_review_service() {
    let services = Services::start();
    services.review.add(LOOP, "Failed", &active_learning_aws::now());

    services.sweep().await;

    assert!(services.script.calls(LIST).is_empty());
}

#[tokio::test]
async fn loops_that_people_are_at_are_left_alone_and_history_is_not_walked() {
    let services = Services::start();
    for number in 0..50 {
        services
            .review
            .add(&format!("tc-{number}"), "Completed", "2026-01-01T00:00:00.000Z");
    }
    services
        .review
        .add("another-flow-s", "Failed", &active_learning_aws::now());
    services.asked_and(LOOP, "InProgress").await;
    services.asked_and(&LOOP.replace('5', "6"), "Stopping").await;

    services.sweep().await;

    assert_eq!(services.script.calls(LIST).len(), 2, "three loops are two pages");
    assert_eq!(services.open().await.len(), 2);
    assert!(services.script.calls(START).is_empty());
}

#[tokio::test]
async fn one_forgotten_loop_does_not_have_all_loops_listed_that_were_made_since() {
    let services = Services::start();
    services.asked_for(LOOP).await;
    services
        .review
        .add(LOOP, "InProgress", "2026-01-01T00:00:00.000Z");
    let now = active_learning_aws::now();
    for number in 0..50 {
        services
            .review
            .add(&format!("another-{number}"), "Completed", &now);
    }

    services.sweep().await;

    assert_eq!(
        services.script.calls(LIST).len(),
        3,
        "two pages, and the loop itself"
    );
    assert_eq!(services.script.calls(&format!("{LIST}/{LOOP}")).len(), 1);
    assert_eq!(services.open().await, [LOOP]);
    assert!(services.script.calls(START).is_empty());
}

#[tokio::test]
async fn a_loop_that_failed_is_started_again_under_the_next_name_and_twice_is_once() {
    let services = Services::start();
    services.asked_and(LOOP, "Failed").await;

    services.sweep().await;
    services.sweep().await;

    let next = format!("{LOOP}-retry-1");
    assert_eq!(services.open().await, [next.as_str()]);
    assert_eq!(services.review.loops()[&next].input, input().to_string());
    assert_eq!(services.review.loops().len(), 2);
    assert_eq!(
        services.keys(FEEDBACK, "claims/").await.len(),
        6,
        "they are still being asked"
    );
}

#[tokio::test]
async fn after_three_repetitions_records_are_set_aside_and_may_be_asked_anew() {
    let services = Services::start();
    services.asked_and(LOOP, "Failed").await;

    for retry in 1..=3 {
        services.sweep().await;
        services.review.set(&format!("{LOOP}-retry-{retry}"), "Failed");
    }
    services.sweep().await;
    services.sweep().await;

    let rejected = services.rejected(&format!("{LOOP}-retry-3")).await;
    assert_eq!(rejected.len(), 6);
    assert!(
        rejected[0]["reason"]
            .as_str()
            .expect("a reason")
            .contains("nobody answered in time")
    );
    let raw: Value = serde_json::from_str(rejected[3]["raw"].as_str().expect("text")).expect("a record");
    assert_eq!(raw, input()["comprehendPredictions"][3]);
    assert_eq!(services.review.loops().len(), 4);
    assert!(services.keys(FEEDBACK, "claims/").await.is_empty());
    assert!(services.open().await.is_empty());
}

#[tokio::test]
async fn a_claim_that_somebody_else_holds_by_now_is_not_given_back() {
    let services = Services::start();
    services.asked_and(LOOP, "Stopped").await;
    let id = input()["comprehendPredictions"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let claim = json!({"owner": "another/object", "claimedAt": "2026-11-20T10:00:00Z"});
    services
        .put(FEEDBACK, &format!("claims/{id}"), claim.to_string())
        .await;

    services.sweep().await;

    assert_eq!(services.keys(FEEDBACK, "claims/").await, [format!("claims/{id}")]);
}

#[tokio::test]
async fn what_an_operator_stopped_is_not_started_again() {
    let services = Services::start();
    services.asked_and(LOOP, "Stopped").await;

    services.sweep().await;

    assert_eq!(
        services.rejected(LOOP).await[0]["reason"],
        "the human loop was stopped"
    );
    assert!(services.script.calls(START).is_empty());
    assert!(services.open().await.is_empty());
}

#[tokio::test]
async fn an_output_whose_event_was_lost_is_worked_off_whatever_the_loop_says() {
    for status in ["Completed", "Failed", "Stopped"] {
        let services = Services::start();
        services.asked_and(LOOP, status).await;
        services.put(REVIEW, &output_key(LOOP), BUILT_IN_OUTPUT).await;

        services.sweep().await;

        assert_eq!(services.labelled(LOOP).await.len(), 6, "{status}");
        let asked_again = services.open().await;
        match status {
            "Stopped" => assert!(asked_again.is_empty(), "an operator wants no more answers"),
            _ => assert_eq!(asked_again, [format!("{LOOP}-again-1")], "{status}"),
        }
    }
}

#[tokio::test]
async fn what_one_worker_answered_before_a_loop_was_stopped_counts_and_the_rest_is_given_up() {
    let services = Services::start();
    services.asked_and(LOOP, "Stopped").await;
    let answers = output(LOOP, &input().to_string(), &[("w1", 1, &["Business", "Sports"])]);
    services.put(REVIEW, &output_key(LOOP), answers).await;

    services.sweep().await;

    let labelled = services.labelled(LOOP).await;
    assert_eq!(labelled[0].consensus.labels(), Some(&["Business".to_owned()][..]));
    assert_eq!(services.rejected(LOOP).await.len(), 4);
    assert!(services.open().await.is_empty());
}

#[tokio::test]
async fn a_tie_whose_further_round_is_stopped_waits_for_an_adjudicator() {
    let services = Services::start();
    services.asked_and(LOOP, "Completed").await;
    let tie = output(
        LOOP,
        &input().to_string(),
        &[("w1", 1, &["Business"]), ("w2", 2, &["Sports"])],
    );
    services.put(REVIEW, &output_key(LOOP), tie).await;
    services.sweep().await;
    let next = format!("{LOOP}-again-1");
    assert!(services.open().await.contains(&next));

    services.review.set(&next, "Stopped");
    services.sweep().await;

    let id = input()["comprehendPredictions"][0]["id"].clone();
    let id = id.as_str().expect("an id");
    let disputed = services.keys(TRAINING, "disputed/").await;
    assert!(
        disputed.contains(&active_learning_core::keys::disputed(id)),
        "{disputed:?}"
    );
    let rejected = services.rejected(&next).await;
    let is_listed = |line: &serde_json::Value| line["raw"].as_str().is_some_and(|raw| raw.contains(id));
    assert!(!rejected.iter().any(is_listed), "{rejected:?}");
}

#[tokio::test]
async fn a_question_that_is_given_up_releases_its_form_and_its_place_and_its_copies_go_on() {
    for (status, retries) in [("Stopped", 0), ("Failed", 3)] {
        what_is_given_up_is_released(status, retries).await;
    }
}

/// The loop ends so, and so do the loops that repeat it.
async fn what_is_given_up_is_released(status: &str, retries: usize) {
    let services = Services::start();
    services.asked_and(LOOP, status).await;
    let record = &input()["comprehendPredictions"][0];
    let id = record["id"].as_str().expect("an id");
    let parsed = FeedbackRecord::parse(record.to_string().as_bytes()).expect("a record");
    let form = format!("claims/text-{}", same_form(&parsed));
    let claim = json!({"owner": id, "claimedAt": "2026-11-20T10:00:00Z"}).to_string();
    services.put(FEEDBACK, &form, claim).await;
    let mut recent = RecentTexts::default();
    let long = FeedbackRecord {
        utterance: "one two three four five six seven eight nine ten".to_owned(),
        ..parsed.clone()
    };
    assert!(recent.insert(&long), "a text that is long enough");
    services.put(FEEDBACK, keys::RECENT_TEXTS, recent.write()).await;
    let copy = parsed.to_line();
    let key = format!("copies/{id}/{id}-0123456789abcdef.json");
    services.put(TRAINING, &key, copy.clone()).await;

    for retry in 1..=retries {
        services.sweep().await;
        services.review.set(&format!("{LOOP}-retry-{retry}"), status);
    }
    services.sweep().await;

    assert!(services.keys(FEEDBACK, "claims/").await.is_empty());
    let recent = services.get(FEEDBACK, keys::RECENT_TEXTS).await;
    assert_eq!(recent, "");
    let last = match retries {
        0 => LOOP.to_owned(),
        _ => format!("{LOOP}-retry-{retries}"),
    };
    let released = services.keys(FEEDBACK, "feedback/released/").await;
    assert!(
        released.len() == 1 && released[0].contains(&format!("{last}-{id}")),
        "{released:?}"
    );
    assert_eq!(services.get(FEEDBACK, &released[0]).await, copy);
    assert!(services.keys(TRAINING, "copies/").await.is_empty());
}

#[tokio::test]
async fn a_copy_that_is_spelt_otherwise_is_released_and_goes_on_with_its_own_copies() {
    let services = Services::start();
    services.asked_and(LOOP, "Stopped").await;
    let first = &input()["comprehendPredictions"][0];
    let first = FeedbackRecord::parse(first.to_string().as_bytes()).expect("a record");
    let utterance = first.utterance.to_uppercase();
    let copy = FeedbackRecord {
        id: record_id(&first.classifier, &utterance),
        utterance,
        ..first.clone()
    };
    let (id, line) = (&copy.id, copy.to_line());
    for original in [&first.id, id] {
        let key = format!("copies/{original}/{id}-0123456789abcdef.json");
        services.put(TRAINING, &key, line.clone()).await;
    }
    let claim = json!({"owner": "another/object", "claimedAt": "2026-11-20T10:00:00Z"});
    let claim_of_copy = format!("claims/{id}");
    services.put(FEEDBACK, &claim_of_copy, claim.to_string()).await;
    let duplicate = json!({"original": first.id}).to_string();
    services
        .put(FEEDBACK, &format!("duplicates/{id}.json"), duplicate)
        .await;
    let prediction = keys::prediction_of(&first.id, "p-1");
    services.put(FEEDBACK, &prediction, "").await;

    services.sweep().await;

    // Who waits for the answer to the one is told that to the other.
    let marks = services.keys(FEEDBACK, &keys::predictions_of(id)).await;
    assert_eq!(marks, [keys::prediction_of(id, "p-1")]);
    let mut lines = String::new();
    for key in services.keys(FEEDBACK, "feedback/released/").await {
        lines += &services.get(FEEDBACK, &key).await;
    }
    assert_eq!(lines, line.repeat(2));
    for (bucket, prefix) in [
        (FEEDBACK, "claims/"),
        (FEEDBACK, "duplicates/"),
        (TRAINING, "copies/"),
    ] {
        assert!(services.keys(bucket, prefix).await.is_empty(), "{prefix}");
    }
}

#[tokio::test]
async fn whoever_waits_for_an_answer_gets_that_to_a_near_duplicate_which_goes_on_unless_something_was_said_of_the_text()
 {
    for is_silent in [true, false] {
        let services = Services::start();
        services.asked_and(LOOP, "Stopped").await;
        let first = &input()["comprehendPredictions"][0];
        let first = FeedbackRecord::parse(first.to_string().as_bytes()).expect("a record");
        let utterance = format!("{} today", first.utterance);
        let near = FeedbackRecord {
            id: record_id(&first.classifier, &utterance),
            utterance,
            ..first.clone()
        };
        let key = format!("copies/{}/{}-0123456789abcdef.json", first.id, near.id);
        services.put(TRAINING, &key, near.to_line()).await;
        let duplicate = json!({"original": first.id}).to_string();
        services
            .put(FEEDBACK, &keys::duplicate(&near.id), duplicate)
            .await;
        let prediction = keys::prediction_of(&first.id, "p-1");
        services.put(FEEDBACK, &prediction, "").await;
        if !is_silent {
            let mut question = Question::asked(first.clone(), LOOP, 6);
            question.add(&[Vote::of_user(&first, Answer::labels(["Sports"]))]);
            services
                .put(FEEDBACK, &keys::question(&first.id), question.to_json())
                .await;
        }

        services.sweep().await;

        // People answer the near duplicate, which went on as a question of its own.
        let mut question = Question::asked(near.clone(), "review-2", 1);
        question.answer_with(&[Vote {
            source: VoteSource::HumanReview,
            ..Vote::of_user(&near, Answer::labels(["World"]))
        }]);
        services
            .put(FEEDBACK, &keys::question(&near.id), question.to_json())
            .await;
        let feedback = Bucket::new(services.s3.clone(), FEEDBACK);
        let nobody_s = async { Ok(None) };
        let asked = originals::question_of(&feedback, &first.id, nobody_s).await;
        let asked = asked.expect("S3 answers");
        let marks = services.keys(FEEDBACK, &keys::predictions_of(&near.id)).await;
        if is_silent {
            assert_eq!(marks, [keys::prediction_of(&near.id, "p-1")]);
            assert_eq!(asked.id, near.id, "the prediction has the answer of the copy");
        } else {
            assert_eq!(marks, [""; 0]);
            assert_eq!(asked.id, first.id);
        }
    }
}

#[tokio::test]
async fn whoever_waits_for_an_answer_is_told_that_to_another_spelling_however_often_the_text_came() {
    let services = Services::start();
    services.asked_and(LOOP, "Stopped").await;
    let first = &input()["comprehendPredictions"][0];
    let first = FeedbackRecord::parse(first.to_string().as_bytes()).expect("a record");
    // One whose copies are listed behind those of the text itself.
    let spellings = (1..100).map(|spaces| first.utterance.replacen(' ', &" ".repeat(1 + spaces), 1));
    let mut copies = spellings.map(|utterance| FeedbackRecord {
        id: record_id(&first.classifier, &utterance),
        utterance,
        ..first.clone()
    });
    let copy = copies.find(|copy| copy.id > first.id).expect("one of many");
    for occurrence in 0..120 {
        let key = format!("copies/{0}/{0}-{occurrence:016x}.json", first.id);
        services.put(TRAINING, &key, first.to_line()).await;
    }
    let key = format!("copies/{}/{}-0123456789abcdef.json", first.id, copy.id);
    services.put(TRAINING, &key, copy.to_line()).await;
    for number in 0..=MAX_PREDICTIONS {
        let prediction = keys::prediction_of(&first.id, &format!("p-{number:03}"));
        services.put(FEEDBACK, &prediction, "").await;
    }

    services.sweep().await;

    let marks = services.keys(FEEDBACK, &keys::predictions_of(&copy.id)).await;
    assert_eq!(marks[0], keys::prediction_of(&copy.id, "p-000"));
    assert_eq!(marks.len(), MAX_PREDICTIONS + 1, "one more than an event names");
}

#[tokio::test]
async fn what_a_change_of_the_label_set_asked_and_nobody_answers_may_be_asked_anew() {
    let services = Services::start();
    let mut input = input();
    let first = input["comprehendPredictions"][0].to_string();
    let first = FeedbackRecord::parse(first.as_bytes()).expect("a record");
    let anew = first.asked_anew("2026-11-21T10:00:00.000Z");
    input["comprehendPredictions"] = json!([serde_json::from_str::<Value>(&anew.to_line()).expect("JSON")]);
    services
        .put(FEEDBACK, &format!("asked/{LOOP}.json"), input.to_string())
        .await;
    services.review.add(LOOP, "Stopped", &active_learning_aws::now());
    let question = Question::asked(anew.clone(), LOOP, 1);
    services
        .put(FEEDBACK, &keys::question(&anew.id), question.to_json())
        .await;
    let owners = [
        (anew.claim_name(), "feedback/relabel/2"),
        (first.id.clone(), "feedback/1"),
    ];
    for (name, owner) in &owners {
        let claim = json!({"owner": owner, "claimedAt": "2026-11-20T10:00:00Z"});
        services
            .put(FEEDBACK, &keys::claim(name), claim.to_string())
            .await;
    }

    services.sweep().await;

    assert!(services.keys(FEEDBACK, "claims/").await.is_empty());
    assert_eq!(services.rejected(LOOP).await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_a_vote_contradicts_waits_for_an_adjudicator_where_its_further_loop_is_stopped() {
    let services = Services::start();
    let first = input()["comprehendPredictions"][0].to_string();
    let first = FeedbackRecord::parse(first.as_bytes()).expect("a record");
    let said = |label: &str, source: VoteSource| Vote {
        answer: Answer::labels([label]),
        source,
        ..Vote::of_user(&first, Answer::Unsure)
    };
    let mut question = Question::asked(first.clone(), LOOP, 6);
    question.answer_with(&[said("World", VoteSource::HumanReview)]);
    let contradiction = Opinion::For(said("Sports", VoteSource::Feedback));
    assert_eq!(question.hear(&contradiction), Effect::Reopens);
    let set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-20T10:00:00Z");
    let again = reopening_loop(&question, &set, &[]);
    question.human_loop = Some(again.name.clone());
    services
        .put(FEEDBACK, &keys::question(&first.id), question.to_json())
        .await;
    services
        .put(
            FEEDBACK,
            &format!("asked/{}.json", again.name),
            again.input_content,
        )
        .await;
    services
        .review
        .add(&again.name, "Stopped", &active_learning_aws::now());

    services.sweep().await;

    let disputed = services.keys(TRAINING, "disputed/").await;
    assert_eq!(disputed, [keys::disputed(&first.id)]);
    let question = services.get(FEEDBACK, &keys::question(&first.id)).await;
    let question = Question::parse(question.as_bytes()).expect("a question");
    assert_eq!((question.state, question.votes.len()), (State::Disputed, 2));
    assert!(services.keys(FEEDBACK, "rejected/").await.is_empty());
}

#[tokio::test]
async fn a_record_for_which_nobody_else_comes_in_time_waits_for_an_adjudicator() {
    let services = Services::start();
    services.answered(LOOP, BUILT_IN_OUTPUT).await;
    let again = format!("{LOOP}-again-1");
    let sweep = json!({"operation": "sweep"});
    let in_hours = |hours| Utc::now() + TimeDelta::hours(hours);

    services
        .function()
        .handle_at(sweep.clone(), in_hours(71))
        .await
        .expect("swept");
    let early = services.keys(TRAINING, "disputed/").await;
    services
        .function()
        .handle_at(sweep, in_hours(73))
        .await
        .expect("swept");

    assert!(early.is_empty());
    let disputed = services.keys(TRAINING, "disputed/").await;
    assert_eq!(disputed.len(), 2, "a tie, and a text of which nobody could tell");
    for key in disputed {
        let question: Value = serde_json::from_str(&services.get(TRAINING, &key).await).expect("JSON");
        assert_eq!(question["state"], "disputed");
        assert_eq!(question["votes"].as_array().map(Vec::len), Some(2));
    }
    assert_eq!(services.review.status(&again).as_deref(), Some("Stopped"));
    assert!(services.open().await.is_empty());
}

#[tokio::test]
async fn what_an_adjudicator_is_to_decide_stays_so_where_a_last_answer_comes_late_and_does_not_settle_it() {
    let services = Services::start();
    services.answered(LOOP, BUILT_IN_OUTPUT).await;
    let again = format!("{LOOP}-again-1");
    let asked = services.review.loops()[&again].input.clone();
    let late = Utc::now() + TimeDelta::hours(73);
    let sweep = json!({"operation": "sweep"});
    services.function().handle_at(sweep, late).await.expect("swept");

    // One that nobody can tell, and one that is left blank.
    services
        .answered(&again, output(&again, &asked, &[("w3", 1, &["__unsure__", ""])]))
        .await;

    let disputed = services.keys(TRAINING, "disputed/").await;
    assert_eq!(disputed.len(), 2);
    for key in disputed {
        let shown = services.get(TRAINING, &key).await;
        let shown = Question::parse(shown.as_bytes()).expect("a question");
        let question = services.get(FEEDBACK, &keys::question(&shown.record.id)).await;
        assert_eq!(shown.state, State::Disputed);
        assert_eq!(Question::parse(question.as_bytes()), Some(shown));
    }
    assert!(services.keys(FEEDBACK, "rejected/").await.is_empty());
    assert!(services.open().await.is_empty());
}

#[tokio::test]
async fn a_dispute_that_an_answer_has_settled_is_taken_off_the_list_by_the_next_run_where_one_broke_off() {
    let services = Services::start();
    services.answered(LOOP, BUILT_IN_OUTPUT).await;
    let again = format!("{LOOP}-again-1");
    let asked = services.review.loops()[&again].input.clone();
    let late = Utc::now() + TimeDelta::hours(73);
    let sweep = json!({"operation": "sweep"});
    services.function().handle_at(sweep, late).await.expect("swept");
    let denied = "<Error><Code>AccessDenied</Code></Error>";
    services
        .script
        .answer(1, &format!("DELETE /{TRAINING}/disputed/"), 403, denied);
    let answers = output(&again, &asked, &[("w3", 1, &["Sports", "Sports"])]);
    let event = services.output(&again, answers).await;

    let broken = services.function().handle(event.clone()).await;
    let before = services.keys(TRAINING, "disputed/").await.len();
    services.function().handle(event).await.expect("worked off");

    assert!(broken.is_err() && before > 0, "{broken:?}, {before}");
    assert!(services.keys(TRAINING, "disputed/").await.is_empty());
}

#[tokio::test]
async fn one_more_opinion_that_nobody_gives_before_its_loops_expire_waits_for_an_adjudicator() {
    let services = Services::start();
    services.answered(LOOP, BUILT_IN_OUTPUT).await;

    for retry in ["", "-retry-1", "-retry-2", "-retry-3"] {
        services.review.set(&format!("{LOOP}-again-1{retry}"), "Failed");
        services.sweep().await;
    }

    assert_eq!(services.keys(TRAINING, "disputed/").await.len(), 2);
    assert!(services.keys(FEEDBACK, "rejected/").await.is_empty());
    assert!(services.open().await.is_empty());
}

#[tokio::test]
async fn the_time_for_one_more_opinion_counts_from_the_first_loop_that_asked_for_it() {
    let services = Services::start();
    services.answered(LOOP, BUILT_IN_OUTPUT).await;
    let again = format!("{LOOP}-again-1");
    let two_days_ago = Utc::now() - TimeDelta::hours(48);
    services.review.add(
        &again,
        "Failed",
        &two_days_ago.to_rfc3339_opts(SecondsFormat::Millis, true),
    );
    services.sweep().await;
    assert_eq!(services.open().await, [format!("{again}-retry-1")]);
    let sweep_in_hours = async |hours| {
        let at = Utc::now() + TimeDelta::hours(hours);
        let sweep = json!({"operation": "sweep"});
        services.function().handle_at(sweep, at).await.expect("swept");
        services.keys(TRAINING, "disputed/").await.len()
    };

    assert_eq!((sweep_in_hours(23).await, sweep_in_hours(25).await), (0, 2));
}

#[tokio::test]
async fn a_completed_loop_whose_output_is_nowhere_is_asked_again() {
    let services = Services::start();
    services.asked_and(LOOP, "Completed").await;

    services.sweep().await;

    assert_eq!(services.open().await, [format!("{LOOP}-retry-1")]);
}

#[tokio::test]
async fn a_loop_that_was_never_started_is_started_under_its_own_name() {
    let services = Services::start();
    services.asked_for(LOOP).await;

    services.sweep().await;

    assert_eq!(services.review.status(LOOP).as_deref(), Some("InProgress"));
    assert_eq!(services.open().await, [LOOP]);
}

#[tokio::test]
async fn a_loop_older_than_its_question_is_known_by_its_name() {
    let services = Services::start();
    // An event that came again wrote the question of a loop that had been started long before.
    services.asked_for(LOOP).await;
    services
        .review
        .add(LOOP, "InProgress", "2026-01-01T00:00:00.000Z");

    services.sweep().await;

    assert!(services.script.calls(START).is_empty());
    assert_eq!(services.open().await, [LOOP]);
}

#[tokio::test]
async fn a_question_that_a_loop_was_to_ask_which_had_ended_long_ago_waits_for_an_adjudicator() {
    let services = Services::start();
    let mut asked = input();
    let items = asked["comprehendPredictions"].as_array_mut().expect("items");
    items.truncate(1);
    let id = items[0]["id"].as_str().expect("an id").to_owned();
    let again = format!("{LOOP}-again-1");
    let answers: [(&str, u32, &[&str]); 1] = [("w1", 1, &["World"])];
    services
        .answered(&again, output(&again, &asked.to_string(), &answers))
        .await;
    let question = services.get(FEEDBACK, &keys::question(&id)).await;
    let mut question = Question::parse(question.as_bytes()).expect("a question");
    (question.state, question.reopened) = (State::Asked, 1);
    services
        .put(FEEDBACK, &keys::question(&id), question.to_json())
        .await;
    services.asked_and(&again, "Completed").await;

    services.sweep().await;

    assert_eq!(services.keys(TRAINING, "disputed/").await, [keys::disputed(&id)]);
    assert!(services.open().await.is_empty());
}

#[tokio::test]
async fn what_was_labelled_before_is_only_taken_off_the_open_questions() {
    let services = Services::start();
    services.answered(LOOP, BUILT_IN_OUTPUT).await;
    services.review.set(&format!("{LOOP}-again-1"), "InProgress");
    services.asked_and(LOOP, "Completed").await;

    services.sweep().await;

    assert_eq!(services.open().await, [format!("{LOOP}-again-1")]);
    assert_eq!(services.labelled(LOOP).await.len(), 6);
    assert!(services.keys(FEEDBACK, "rejected/").await.is_empty());
}

#[tokio::test]
async fn an_output_elsewhere_is_an_error_that_says_where_to_look() {
    let services = Services::start();
    services.asked_and(LOOP, "Completed").await;
    let elsewhere = json!({"HumanLoopName": LOOP, "HumanLoopStatus": "Completed", "HumanLoopArn": "a", "FlowDefinitionArn": "f",
        "CreationTime": "2026-11-20T10:00:00.000Z", "HumanLoopOutput": {"OutputS3Uri": "s3://another/x/output.json"}});
    let describe = format!("{LIST}/{LOOP}");
    services.script.always(&describe, 200, elsewhere.to_string());

    let failed = services.function().handle(json!({"operation": "sweep"})).await;

    let diagnostic = Diagnostic::from(failed.expect_err("not in the review bucket"));
    assert_eq!(diagnostic.error_type, "OutputElsewhere");
    assert!(diagnostic.error_message.contains("output path"));
    assert_eq!(services.open().await, [LOOP]);
}

#[tokio::test]
async fn what_lies_there_of_others_is_skipped() {
    let services = Services::start();
    services.put(FEEDBACK, "asked/notes.json", "{}").await;
    services.put(FEEDBACK, "asked/readme.txt", "text").await;

    services.sweep().await;

    assert!(services.script.calls(LIST).is_empty());
    assert_eq!(services.keys(FEEDBACK, "").await.len(), 2);
}

#[tokio::test]
async fn one_loop_that_cannot_be_seen_to_does_not_hold_back_the_others() {
    let services = Services::start();
    let other = LOOP.replace('5', "6");
    services.asked_and(LOOP, "Failed").await;
    services.asked_and(&other, "Failed").await;
    let denied = r#"{"__type": "AccessDeniedException"}"#;
    services.script.always(&format!("{LIST}/{LOOP}"), 403, denied);

    let failed = services.function().handle(json!({"operation": "sweep"})).await;

    assert_eq!(
        Diagnostic::from(failed.expect_err("not described")).error_type,
        "Review"
    );
    assert_eq!(
        services.open().await,
        [LOOP.to_owned(), format!("{other}-retry-1")]
    );
}

#[tokio::test]
async fn a_loop_whose_first_one_cannot_be_described_does_not_hold_back_the_others() {
    let services = Services::start();
    let (first, other) = (format!("{LOOP}-again-1"), LOOP.replace('5', "6"));
    let retry = format!("{first}-retry-1");
    services.asked_and(&retry, "InProgress").await;
    services.asked_and(&other, "Failed").await;
    let denied = r#"{"__type": "AccessDeniedException"}"#;
    services.script.always(&format!("{LIST}/{first}"), 403, denied);

    let failed = services.function().handle(json!({"operation": "sweep"})).await;

    assert_eq!(
        Diagnostic::from(failed.expect_err("not described")).error_type,
        "Review"
    );
    assert_eq!(services.open().await, [retry, format!("{other}-retry-1")]);
}

#[tokio::test(start_paused = true)]
async fn a_full_review_service_fails_no_sweep_and_holds_back_no_answer() {
    let services = Services::start();
    // Kept questions stand before all that is due, by name: more of them than are seen to at a time.
    let name = |digit: char| LOOP.replacen('5', &digit.to_string(), 1);
    let kept = ['0', '1', '2', '3', '4', '5'].map(name);
    for name in &kept {
        services.asked_for(name).await;
    }
    let (answered, failed) = (name('7'), name('8'));
    services.asked_and(&answered, "Completed").await;
    let output = BUILT_IN_OUTPUT.replace(LOOP, &answered);
    services.put(REVIEW, &output_key(&answered), output).await;
    services.asked_and(&failed, "Failed").await;
    services
        .script
        .always(START, 402, r#"{"__type": "ServiceQuotaExceededException"}"#);

    services.sweep().await;

    assert_eq!(services.labelled(&answered).await.len(), 6);
    let mut open = kept.to_vec();
    open.extend([format!("{answered}-again-1"), format!("{failed}-retry-1")]);
    assert_eq!(services.open().await, open, "what has no room stays kept");
}

#[tokio::test(start_paused = true)]
async fn what_had_no_room_is_asked_by_the_sweep_that_finds_some() {
    let services = Services::start();
    services.asked_for(LOOP).await;
    services
        .script
        .answer(5, START, 402, r#"{"__type": "ServiceQuotaExceededException"}"#);

    services.sweep().await;
    let before = services.review.status(LOOP);
    services.sweep().await;

    assert_eq!(before, None);
    assert_eq!(services.review.status(LOOP).as_deref(), Some("InProgress"));
    assert_eq!(services.open().await, [LOOP]);
}

/// A question of its own for each number, and whether it stands in the queue of the built-in service.
async fn open_loop(services: &Services, number: usize, is_queued: bool) -> String {
    let name = format!("review-{number:040x}");
    let asked = keys::asked(&name);
    services.put(FEEDBACK, &asked, input().to_string()).await;
    if is_queued {
        let mark = format!("{}00500-1790000000000-{number:032x}-{name}", keys::QUEUE_FOLDER);
        services.put(REVIEW, &mark, String::new()).await;
        services
            .review
            .add(&name, "InProgress", &active_learning_aws::now());
    }
    name
}

#[tokio::test]
async fn of_what_is_in_the_queue_a_sweep_looks_at_fifty_and_at_all_that_is_not() {
    let services = Services::start();
    for number in 0..150 {
        open_loop(&services, number, true).await;
    }
    let failed = open_loop(&services, 200, false).await;
    services
        .review
        .add(&failed, "Failed", &active_learning_aws::now());

    services.sweep().await;

    let looks = services.script.calls(LIST).len();
    assert_eq!(looks, 50 + 1, "a third of the queue, and what is not in it");
    let open = services.open().await;
    assert!(open.contains(&format!("{failed}-retry-1")), "{open:?}");
    assert_eq!(open.len(), 151);
}

#[tokio::test]
async fn what_stands_in_the_queue_and_was_never_started_is_started_when_its_turn_comes() {
    let services = Services::start();
    let name = open_loop(&services, 1, true).await;
    services.review.loops().clear();

    services.sweep().await;

    assert_eq!(services.review.status(&name).as_deref(), Some("InProgress"));
}

#[tokio::test(start_paused = true)]
async fn while_there_is_no_room_a_sweep_does_not_look_at_each_question_that_waits_for_some() {
    let services = Services::start();
    open_loop(&services, 0, true).await;
    for number in 1..=520 {
        open_loop(&services, number, false).await;
    }
    services
        .script
        .always(START, 402, r#"{"__type": "ServiceQuotaExceededException"}"#);

    services.sweep().await;

    let looks = services.script.calls(LIST).len();
    assert!((500..515).contains(&looks), "{looks}");
    assert_eq!(services.open().await.len(), 521);
}
