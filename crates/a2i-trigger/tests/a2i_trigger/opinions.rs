//! What users say of texts that people were asked about already.

use active_learning_aws::{
    asked_before::{AskedBefore, NotAsked, Settings},
    bucket::Bucket,
    class_names::ClassNames,
    env::Env,
};
use active_learning_core::{
    feedback::{FeedbackRecord, record_id},
    keys,
    labels::{
        consolidation::DecidedBy,
        human_loop::{Answer, reopening_loop_of_before},
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        labelled::LabelledRecord,
        question::{Question, State},
        vote::{Vote, VoteSource},
    },
};
use aws_sdk_s3::primitives::ByteStream;
use local_aws::script::Script;
use serde_json::{Value, json};

use crate::harness::{BUCKET, START, STARTED, Services, TRAINING_BUCKET, asked, line, loops, starting};

const STOP: &str = "POST /human-loops/stop";
const TEXT: &str = "The minister opened the velodrome.";

/// A line of explicit feedback on the text, with these fields beside.
fn feedback(fields: Value) -> String {
    let mut line = json!({
        "classifier": "news", "utterance": TEXT, "prediction": "World", "source": "explicit-api", "signal": "dislike",
        "receivedAt": "2026-11-20T11:00:00.000Z",
    });
    for (name, value) in fields.as_object().expect("fields") {
        line[name] = value.clone();
    }
    format!("{line}\n")
}

impl Services {
    async fn question(&self) -> Question {
        let key = keys::question(&record_id("news", TEXT));
        Question::parse(self.get(&key).await.as_bytes()).expect("a question")
    }

    /// Has one reviewer have answered the question.
    async fn answered(&self, label: &str) {
        let mut question = self.question().await;
        question.answer_with(&[Vote {
            worker: "w1".to_owned(),
            answer: Answer::labels([label]),
            source: VoteSource::HumanReview,
            at: "2026-11-20T10:30:00Z".to_owned(),
            seconds: None,
            note: Default::default(),
        }]);
        self.put_question(&question).await;
    }

    async fn put_question(&self, question: &Question) {
        let put = self.s3.put_object().bucket(BUCKET);
        let put = put.key(keys::question(&question.record.id));
        let body = ByteStream::from(question.to_json());
        put.body(body).send().await.expect("an upload");
    }

    /// Delivers lines and has them worked off; returns what the review service was told.
    async fn delivered(&self, key: &str, lines: &str) -> Script {
        let event = self.deliver(key, lines).await;
        let script = starting();
        script.always(STOP, 200, "{}");
        let outcome = self.function(&script).handle(event).await;
        outcome.expect("worked off");
        script
    }

    async fn votes(&self) -> Vec<LabelledRecord> {
        let mut votes = Vec::new();
        for key in self.keys_in(TRAINING_BUCKET, "labelled/vote-").await {
            let line = self.get_in(TRAINING_BUCKET, &key).await;
            votes.push(LabelledRecord::parse(line.trim_end().as_bytes()).expect("a labelled record"));
        }
        votes
    }
}

#[tokio::test]
async fn a_correction_of_a_text_that_waits_for_review_is_a_vote_on_that_question() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;

    let script = services
        .delivered(
            "feedback/2.gz",
            &feedback(json!({"suggestedLabel": "Sports", "user": "ada"})),
        )
        .await;

    assert!(asked(&[&script]).is_empty(), "nobody is asked twice");
    let question = services.question().await;
    assert_eq!(question.state, State::Asked);
    let users: Vec<(&str, &Answer)> = (question.votes.iter())
        .map(|vote| (vote.worker.as_str(), &vote.answer))
        .collect();
    assert_eq!(users, [("user:ada", &Answer::labels(["Sports"]))]);
    assert_eq!(
        services.votes().await[0].votes,
        question.votes,
        "training counts it too"
    );
}

#[tokio::test]
async fn a_correction_that_contradicts_the_answer_asks_somebody_else_once() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    services.answered("World").await;
    let correction = feedback(json!({"suggestedLabel": "Sports", "user": "ada"}));

    let first = services.delivered("feedback/2.gz", &correction).await;
    let again = services.delivered("feedback/2.gz", &correction).await;

    let reopened = loops(&first);
    let (name, input) = reopened.first().expect("a loop");
    let input: Value = serde_json::from_str(input).expect("JSON");
    assert!(name.ends_with("-again-1"), "{name}");
    assert_eq!(input["excludedWorkers"], json!(["w1"]));
    assert_eq!(input["taskCount"], 1);
    assert_eq!(asked(&[&first]), [TEXT]);
    assert!(loops(&again).is_empty(), "the same event opens nothing again");
    assert_eq!(services.question().await.human_loop.as_ref(), Some(name));
}

/// Puts the question that reviewers have answered, and that was given up or taken back then.
async fn answered_and_over(services: &Services, state: State, answers: &[(&str, Answer)]) {
    let record = FeedbackRecord::parse(line(TEXT, "low-confidence", 0.1).as_bytes()).expect("a record");
    let mut question = Question::known(record);
    let votes = answers.iter().map(|(worker, answer)| Vote {
        worker: (*worker).to_owned(),
        answer: answer.clone(),
        source: VoteSource::HumanReview,
        at: "2026-11-20T10:30:00Z".to_owned(),
        seconds: None,
        note: Default::default(),
    });
    question.add(&votes.collect::<Vec<_>>());
    question.state = state;
    services.put_question(&question).await;
}

#[tokio::test]
async fn who_has_answered_a_text_that_was_given_up_is_not_asked_again_when_it_comes_back() {
    let cases = [
        (
            State::Abandoned,
            vec![
                ("w1", Answer::labels(["World"])),
                ("w2", Answer::labels(["Sports"])),
            ],
            json!(["w1", "w2"]),
        ),
        (State::Withdrawn, vec![("w1", Answer::Unsure)], json!(["w1"])),
    ];
    for (state, answers, excluded) in cases {
        let services = Services::start();
        answered_and_over(&services, state, &answers).await;
        let lines =
            feedback(json!({"suggestedLabel": "Sports"})) + &line("Another text.", "low-confidence", 0.1);

        let first = services.delivered("feedback/2.gz", &lines).await;
        let again = services.delivered("feedback/2.gz", &lines).await;

        let started = loops(&first);
        let inputs: Vec<Value> = started
            .iter()
            .map(|(_, input)| serde_json::from_str(input).expect("JSON"))
            .collect();
        let of = |text: &str| {
            let is_of = |input: &&Value| input["comprehendPredictions"][0]["utterance"] == text;
            inputs.iter().find(is_of).expect("a loop").clone()
        };
        assert_eq!(inputs.len(), 2, "{state:?}");
        assert_eq!(of(TEXT)["excludedWorkers"], excluded);
        assert_eq!(of("Another text.").get("excludedWorkers"), None);
        assert_eq!(loops(&again), started, "twice is once");
        assert_eq!(services.question().await.votes.len(), answers.len() + 1);
    }
}

#[tokio::test]
async fn what_a_change_of_the_label_set_asks_anew_is_disputed_no_more_and_keeps_answers_in_use() {
    let services = Services::start();
    let set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-20T10:00:00.000Z");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    answered_and_over(
        &services,
        State::Disputed,
        &[("w1", Answer::labels(["World"])), ("w2", Answer::NoneFits)],
    )
    .await;
    let id = record_id("news", TEXT);
    services
        .put_training(&keys::disputed(&id), services.question().await.to_json())
        .await;
    let record = FeedbackRecord::parse(line(TEXT, "low-confidence", 0.1).as_bytes()).expect("a record");
    let anew = record.asked_anew("2026-11-20T12:00:00.000Z").to_line();

    let script = services.delivered("feedback/relabel/3-0000.jsonl", &anew).await;

    assert_eq!(asked(&[&script]), [TEXT]);
    assert!(services.keys_in(TRAINING_BUCKET, "disputed/").await.is_empty());
    let question = services.question().await;
    assert_eq!(question.reviewers(), ["w1"], "World is in use: its vote stays");
    assert_eq!(question.in_doubt.len(), 1);
}

#[tokio::test]
async fn a_user_s_word_between_tied_answers_takes_a_text_off_the_adjudicator_s_list_and_twice_is_once() {
    let services = Services::start();
    let set = LabelSet::seed(
        ["World", "Sports", "Business"],
        Origin::Edited,
        "2026-11-20T10:00:00.000Z",
    );
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    let mut tied = services.tied().await;
    let listed = async || services.keys_in(TRAINING_BUCKET, "disputed/").await.len();
    let said_by = said_by_the_api(&services, &feedback(json!({"suggestedLabel": "Sports"}))).await;

    let other = feedback(json!({"suggestedLabel": "Business", "user": "bob"}));
    services.delivered("feedback/1.gz", &other).await;
    let (with_other, open) = (listed().await, services.question().await);
    let sports = feedback(json!({"suggestedLabel": "Sports", "user": "ada"}));
    services.delivered("feedback/2.gz", &sports).await;
    let (after, settled) = (listed().await, services.question().await);
    // A run that broke off before the list was changed.
    tied.state = State::Disputed;
    let key = keys::disputed(&tied.record.id);
    services.put_training(&key, tied.to_json()).await;
    services.delivered("feedback/2.gz", &sports).await;

    assert_eq!(said_by, Some(NotAsked::Disputed), "nobody is being asked");
    assert_eq!(
        (with_other, open.state, open.votes.len()),
        (1, State::Disputed, 3)
    );
    assert_eq!(settled.answer(), Some(&Answer::labels(["Sports"])));
    assert_eq!(settled.decided_by, Some(DecidedBy::UserBrokeTie));
    assert_eq!((after, listed().await), (0, 0));
}

impl Services {
    /// Stores a text on which two reviewers do not agree, and that waits for an adjudicator.
    async fn tied(&self) -> Question {
        let answers = [
            ("w1", Answer::labels(["World"])),
            ("w2", Answer::labels(["Sports"])),
        ];
        answered_and_over(self, State::Asked, &answers).await;
        let mut tied = self.question().await;
        tied.decide(None);
        tied.wait_no_more(None);
        self.put_question(&tied).await;
        self.put_training(&keys::disputed(&tied.record.id), tied.to_json())
            .await;
        tied
    }
}

#[tokio::test]
async fn a_question_is_opened_again_twice_and_then_an_adjudicator_decides() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    let mut opened = Vec::new();

    for (number, user) in ["ada", "bob", "cy"].iter().enumerate() {
        services.answered("World").await;
        let correction = feedback(json!({"suggestedLabel": "Sports", "user": user}));
        let script = services
            .delivered(&format!("feedback/u{number}.gz"), &correction)
            .await;
        opened.push(loops(&script).len());
    }

    assert_eq!(opened, [1, 1, 0]);
    let id = record_id("news", TEXT);
    assert_eq!(
        services.keys_in(TRAINING_BUCKET, "disputed/").await,
        [format!("disputed/{id}.json")]
    );
}

#[tokio::test]
async fn a_like_is_a_vote_for_the_prediction_where_people_were_asked_and_nothing_elsewhere() {
    let services = Services::start();
    let like = feedback(json!({"signal": "like", "user": "ada"}));
    services.delivered("feedback/0.gz", &like).await;
    let before = services.keys("questions/").await;

    services
        .delivered("feedback/1.gz", &line(TEXT, "audit", 0.1))
        .await;
    services.delivered("feedback/2.gz", &like).await;

    assert!(before.is_empty());
    let question = services.question().await;
    assert_eq!(question.votes[0].answer, Answer::labels(["World"]));
    assert_eq!(
        question.state,
        State::Asked,
        "the review policy asks: no user withdraws that"
    );
}

#[tokio::test]
async fn a_dislike_that_its_user_takes_back_stops_the_task_and_can_be_given_anew() {
    let services = Services::start();
    let dislike = feedback(json!({"predictionId": "p-1"}));
    let asked_first = services.delivered("feedback/1.gz", &dislike).await;
    let name = loops(&asked_first).first().expect("a loop").0.clone();

    let like =
        feedback(json!({"signal": "like", "predictionId": "p-1", "receivedAt": "2026-11-20T12:00:00.000Z"}));
    let withdrawn = services.delivered("feedback/2.gz", &like).await;
    let state = services.question().await.state;
    let anew = feedback(json!({"receivedAt": "2026-11-20T13:00:00.000Z"}));
    let asked_anew = services.delivered("feedback/3.gz", &anew).await;

    let stopped: Vec<Value> = (withdrawn.calls(STOP).iter())
        .map(|call| serde_json::from_slice(call).expect("JSON"))
        .collect();
    assert_eq!(stopped, [json!({"HumanLoopName": name})]);
    assert_eq!(state, State::Withdrawn);
    assert_eq!(asked(&[&asked_anew]), [TEXT]);
}

#[tokio::test]
async fn a_like_that_names_only_the_prediction_id_takes_the_dislike_back() {
    let services = Services::start();
    let dislike = feedback(json!({"predictionId": "p-1", "prediction": null}));
    services.delivered("feedback/1.gz", &dislike).await;

    let like = json!({"signal": "like", "predictionId": "p-1", "prediction": null, "receivedAt": "2026-11-20T12:00:00.000Z"});
    let script = services.delivered("feedback/2.gz", &feedback(like)).await;

    assert_eq!(script.calls(STOP).len(), 1);
    assert_eq!(services.question().await.state, State::Withdrawn);
}

#[tokio::test]
async fn a_dislike_with_a_label_that_its_user_takes_back_votes_no_more_where_the_text_was_in_doubt() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.4))
        .await;
    let dislike = feedback(json!({"suggestedLabel": "Sports", "user": "eva"}));
    services.delivered("feedback/2.gz", &dislike).await;
    let before = services.question().await;

    let like = json!({"signal": "like", "user": "EVA", "prediction": null, "receivedAt": "2026-11-20T12:00:00.000Z"});
    let script = services.delivered("feedback/3.gz", &feedback(like)).await;

    let question = services.question().await;
    assert_eq!(before.users_hold(), [(&Answer::labels(["Sports"]), 1)]);
    assert_eq!(question.users_hold(), [(&Answer::Unsure, 1)]);
    assert_eq!(question.state, State::Asked, "the review policy asks");
    assert!(script.calls(STOP).is_empty());
}

#[tokio::test]
async fn a_page_of_several_texts_is_stopped_once_all_of_them_are_taken_back_and_not_before() {
    let services = Services::start();
    let of = |text: &str, signal: &str, at: &str| {
        feedback(json!({"utterance": text, "signal": signal, "user": "ada", "receivedAt": at}))
    };
    let other = "The team won the cup.";
    let [first, second] = [TEXT, other].map(|text| of(text, "dislike", "2026-11-20T11:00:00.000Z"));
    let asked_first = services
        .delivered("feedback/1.gz", &format!("{first}{second}"))
        .await;
    let name = loops(&asked_first).first().expect("a loop").0.clone();

    let one = services
        .delivered("feedback/2.gz", &of(TEXT, "like", "2026-11-20T12:00:00.000Z"))
        .await;
    let state = services.question().await;
    let anew = services
        .delivered("feedback/3.gz", &of(TEXT, "dislike", "2026-11-20T13:00:00.000Z"))
        .await;
    let both = services
        .delivered("feedback/4.gz", &of(other, "like", "2026-11-20T14:00:00.000Z"))
        .await;

    assert!(one.calls(STOP).is_empty(), "the other text is to be answered");
    assert_eq!((state.state, state.is_taken_off(&name)), (State::Withdrawn, true));
    assert_eq!(
        asked(&[&anew]),
        [TEXT],
        "who complains anew is heard, on a page of its own"
    );
    assert!(
        services.question().await.is_taken_off(&name),
        "and not on the first"
    );
    let stopped: Vec<Value> = (both.calls(STOP).iter())
        .map(|call| serde_json::from_slice(call).expect("JSON"))
        .collect();
    assert_eq!(stopped, [json!({"HumanLoopName": name})]);
}

/// A line that asks about the text again, since the label set was changed at this time.
fn anew(at: &str) -> String {
    feedback(json!({"signal": "relabel", "receivedAt": at}))
}

#[tokio::test]
async fn what_a_split_asked_is_taken_back_with_its_answer_when_the_label_is_one_again() {
    const SPLIT: &str = "2026-11-21T10:00:00.000Z";
    const BACK: &str = "2026-11-22T10:00:00.000Z";
    let services = Services::start();
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-19T10:00:00.000Z");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    services.answered("Sports").await;
    set.split("Sports", &["Racing", "Tennis"]).expect("split");
    set.edited(SPLIT);
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    let split = services
        .delivered("feedback/relabel/2-0000.jsonl", &anew(SPLIT))
        .await;
    let name = loops(&split).first().expect("asked anew").0.clone();
    let while_asked = services.question().await;

    set.add("Sports", "").expect("split before");
    set.edited(BACK);
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    let back = "feedback/relabel/withdrawn-3-0000.jsonl";
    let script = services.delivered(back, &anew(BACK)).await;
    let restored = services.question().await;
    let again = services.delivered(back, &anew(BACK)).await;

    assert_eq!(while_asked.state, State::Asked);
    let stopped: Vec<Value> = (script.calls(STOP).iter())
        .map(|call| serde_json::from_slice(call).expect("JSON"))
        .collect();
    assert_eq!(stopped, [json!({"HumanLoopName": name})]);
    for script in [&script, &again] {
        assert_eq!(
            script.calls(START).len(),
            script.calls(STOP).len(),
            "nothing is asked"
        );
    }
    assert_eq!(restored.answer(), Some(&Answer::labels(["Sports"])));
    assert_eq!(services.question().await, restored, "twice is once");
}

#[tokio::test]
async fn a_question_that_is_asked_anew_after_it_was_opened_again_can_be_opened_again() {
    const SPLIT: &str = "2026-11-21T10:00:00.000Z";
    let services = Services::start();
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-19T10:00:00.000Z");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    services.answered("Sports").await;
    let eva = |at: &str| feedback(json!({"suggestedLabel": "World", "user": "eva", "receivedAt": at}));
    let first = services
        .delivered("feedback/2.gz", &eva("2026-11-20T11:00:00.000Z"))
        .await;
    services.answered("Sports").await;
    set.split("Sports", &["Racing", "Tennis"]).expect("split");
    set.edited(SPLIT);
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    services
        .delivered("feedback/relabel/2-0000.jsonl", &anew(SPLIT))
        .await;
    services.answered("Racing").await;

    let second = services
        .delivered("feedback/3.gz", &eva("2026-11-22T11:00:00.000Z"))
        .await;

    let (first, second) = (loops(&first), loops(&second));
    let (first, second) = (first.first().expect("a loop"), second.first().expect("a loop"));
    assert_ne!(first.0, second.0, "a loop of the name of before has ended");
    let question = services.question().await;
    assert_eq!((question.state, question.reopened), (State::Asked, 1));
    assert_eq!(question.human_loop.as_ref(), Some(&second.0));
}

#[tokio::test]
async fn what_the_version_before_opened_again_is_asked_once_and_again_only_where_its_loop_has_ended() {
    for (is_open, asked_again) in [(true, 0), (false, 1)] {
        let services = Services::start();
        services
            .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
            .await;
        services.answered("World").await;
        let mut question = services.question().await;
        (question.state, question.reopened) = (State::Asked, 1);
        let name = reopening_loop_of_before(&question);
        question.human_loop = Some(name.clone());
        services.put_question(&question).await;
        if is_open {
            services.deliver(&keys::asked(&name), "{}").await;
        }
        let correction = feedback(json!({"suggestedLabel": "Sports", "user": "ada"}));

        let script = services.delivered("feedback/2.gz", &correction).await;

        assert_eq!(loops(&script).len(), asked_again, "{is_open}");
    }
}

#[tokio::test]
async fn what_a_split_is_to_ask_is_not_asked_where_the_label_is_one_again_before_its_turn() {
    let services = Services::start();
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-19T10:00:00.000Z");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    services.answered("Sports").await;
    set.split("Sports", &["Racing", "Tennis"]).expect("split");
    set.add("Sports", "").expect("split before");
    set.edited("2026-11-22T10:00:00.000Z");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;

    let late = services
        .delivered("feedback/relabel/2-0000.jsonl", &anew("2026-11-21T10:00:00.000Z"))
        .await;
    let file_row = feedback(
        json!({"utterance": "A row of a file.", "signal": "relabel", "receivedAt": "2026-11-22T10:00:00.000Z"}),
    );
    services
        .delivered("feedback/relabel/withdrawn-3-0000.jsonl", &file_row)
        .await;
    let row = file_row.replace("2026-11-22T10", "2026-11-21T10");
    let late_row = services.delivered("feedback/relabel/2-0001.jsonl", &row).await;

    assert!(loops(&late).is_empty() && loops(&late_row).is_empty());
    assert_eq!(services.question().await.state, State::Answered);
}

#[tokio::test]
async fn a_complaint_about_a_text_that_a_change_asked_and_took_back_again_is_asked() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    services
        .delivered("feedback/relabel/2-0000.jsonl", &anew("2026-11-21T10:00:00.000Z"))
        .await;
    let back = "feedback/relabel/withdrawn-3-0000.jsonl";
    services.delivered(back, &anew("2026-11-22T10:00:00.000Z")).await;
    assert_eq!(services.question().await.state, State::Withdrawn);

    let complaint = feedback(json!({"receivedAt": "2026-11-23T10:00:00.000Z"}));
    let script = services.delivered("feedback/4.gz", &complaint).await;

    assert_eq!(asked(&[&script]), [TEXT]);
}

#[tokio::test]
async fn what_others_said_of_a_text_goes_on_when_its_complaint_is_taken_back_from_a_shared_page() {
    let at = |user: &str, minute: &str| {
        let time = format!("2026-11-20T11:{minute}:00.000Z");
        json!({"user": user, "receivedAt": time})
    };
    let services = Services::start();
    let page = feedback(at("ada", "00")) + &line("Another text.", "low-confidence", 0.1);
    assert_eq!(loops(&services.delivered("feedback/1.gz", &page).await).len(), 1);
    services
        .delivered("feedback/2.gz", &feedback(at("bob", "01")))
        .await;
    let again = feedback(at("Ada", "02"));
    services.delivered("feedback/3.gz", &again).await;
    let mut like = at("ada", "03");
    like["signal"] = "like".into();
    let like = feedback(like);

    services.delivered("feedback/4.gz", &like).await;
    services.delivered("feedback/4.gz", &like).await;

    let released = services.released().await;
    let [event] = &released[..] else {
        panic!("one object: {released:?}");
    };
    assert_eq!(asked(&[&services.work_off(event).await]), [TEXT]);
    let question = services.question().await;
    assert_eq!(question.record.user.as_deref(), Some("bob"));
    assert_eq!(question.state, State::Asked);
    let kept = services.keys_in(TRAINING_BUCKET, "copies/").await;
    assert!(kept.is_empty(), "ada has taken hers back: {kept:?}");
}

/// What ada says of the prediction at a second.
fn at_second(signal: &str, second: u8) -> String {
    let time = format!("2026-11-20T11:00:{second:02}.000Z");
    feedback(json!({"user": "ada", "signal": signal, "receivedAt": time}))
}

#[tokio::test]
async fn a_like_that_is_delivered_with_its_users_later_dislike_is_no_vote() {
    let services = Services::start();

    let said = at_second("like", 0) + &at_second("dislike", 20);
    let script = services.delivered("feedback/1.gz", &said).await;

    let question = services.question().await;
    assert_eq!(asked(&[&script]), [TEXT]);
    assert_eq!((question.state, question.votes.len()), (State::Asked, 0));
    assert!(services.votes().await.is_empty(), "training counts it neither");
}

#[tokio::test]
async fn who_likes_and_dislikes_again_within_a_delivery_is_asked_about_at_their_last_word() {
    for others in ["", &line("Another text.", "low-confidence", 0.1)] {
        let services = Services::start();
        let page = at_second("dislike", 0) + others;
        services.delivered("feedback/1.gz", &page).await;

        let said = at_second("dislike", 20) + &at_second("like", 10);
        services.delivered("feedback/2.gz", &said).await;
        for event in services.released().await {
            services.work_off(&event).await;
        }

        let question = services.question().await;
        assert_eq!(question.state, State::Asked);
        assert_eq!(question.record.received_at, "2026-11-20T11:00:20.000Z");
        let held: Vec<_> = question
            .users_hold()
            .into_iter()
            .map(|(answer, _)| answer.clone())
            .collect();
        assert_eq!(held, [Answer::Unsure], "the like is taken back");
    }
}

#[tokio::test]
async fn after_a_rename_agreement_opens_no_answer_and_disagreement_does() {
    let said = [
        (at_second("like", 50), 0),
        (feedback(json!({"user": "bob", "suggestedLabel": "World"})), 0),
        (at_second("dislike", 50), 1),
        (feedback(json!({"user": "bob", "prediction": null})), 1),
    ];
    for (line_of_user, loops_of_it) in said {
        let services = Services::start();
        let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-19T10:00:00.000Z");
        services.put_training(LABEL_SET_KEY, set.to_json()).await;
        let first = line(TEXT, "low-confidence", 0.1);
        services.delivered("feedback/1.gz", &first).await;
        services.answered("World").await;
        set.rename("World", "Planet").expect("free");
        services.put_training(LABEL_SET_KEY, set.to_json()).await;

        let renamed = line_of_user.replace(r#""World""#, r#""Planet""#);
        let said = said_by_the_api(&services, &renamed).await;
        let script = services.delivered("feedback/2.gz", &renamed).await;

        assert_eq!(loops(&script).len(), loops_of_it, "{renamed}");
        assert_eq!(said.is_none(), loops_of_it == 1, "{renamed}");
        let question = services.question().await;
        assert_eq!(question.state == State::Answered, loops_of_it == 0);
        let planet = Answer::labels(["Planet"]);
        assert!(
            question
                .votes
                .iter()
                .all(|vote| vote.answer == planet || vote.answer == Answer::Unsure)
        );
    }
}

#[tokio::test]
async fn a_vote_that_comes_again_after_a_merge_is_the_same_vote() {
    let services = Services::start();
    let mut set = LabelSet::seed(
        ["World", "Sports", "Biz"],
        Origin::Edited,
        "2026-11-19T10:00:00.000Z",
    );
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    let first = line(TEXT, "low-confidence", 0.1);
    services.delivered("feedback/1.gz", &first).await;
    let vote = feedback(json!({"suggestedLabel": "Biz", "user": "ada"}));
    services.delivered("feedback/2.gz", &vote).await;
    set.merge("Biz", "Sports").expect("active");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;

    services.delivered("feedback/2.gz", &vote).await;

    let votes = services.question().await.votes;
    assert_eq!(votes.len(), 1, "{votes:?}");
    assert_eq!(votes[0].answer, Answer::labels(["Sports"]));
}

#[tokio::test]
async fn after_a_split_nobody_is_asked_whose_answer_stands() {
    let services = Services::start();
    let mut set = LabelSet::seed(["Old", "Other"], Origin::Edited, "2026-11-19T10:00:00.000Z");
    set.split("Old", &["New", "Newer"]).expect("parts");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    let answers = [("w1", "Old"), ("w2", "Other"), ("w3", "Old")];
    let answers = answers.map(|(worker, label)| (worker, Answer::labels([label])));
    answered_and_over(&services, State::Answered, &answers).await;
    let lines = anew("2026-11-21T10:00:00.000Z") + &line("Another text.", "low-confidence", 0.1);

    let script = services.delivered("feedback/relabel/2-0000.jsonl", &lines).await;

    let inputs: Vec<Value> = loops(&script)
        .iter()
        .map(|(_, input)| serde_json::from_str(input).expect("JSON"))
        .collect();
    let input = inputs
        .iter()
        .find(|input| input["comprehendPredictions"][0]["utterance"] == TEXT)
        .expect("a loop");
    assert_eq!(inputs.len(), 2, "it is a loop of its own");
    assert_eq!(input["excludedWorkers"], json!(["w2"]));
    assert_eq!(input["taskCount"], 1);
    let question = services.question().await;
    assert_eq!(
        (question.reviewers(), question.in_doubt.len()),
        (vec!["w2".to_owned()], 2)
    );
}

#[tokio::test]
async fn what_a_complaint_has_opened_and_a_label_change_asks_anew_is_asked_in_one_loop() {
    const SPLIT: &str = "2026-11-21T10:00:00.000Z";
    let services = Services::start();
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-19T10:00:00.000Z");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    services.answered("Sports").await;
    let correction = feedback(json!({"suggestedLabel": "World", "user": "ada"}));
    let complaint = services.delivered("feedback/2.gz", &correction).await;
    let opened = loops(&complaint).first().expect("asked again").0.clone();
    set.split("Sports", &["Racing", "Tennis"]).expect("split");
    set.edited(SPLIT);
    services.put_training(LABEL_SET_KEY, set.to_json()).await;

    let key = "feedback/relabel/2-0000.jsonl";
    let split = services.delivered(key, &anew(SPLIT)).await;
    let question = services.question().await;
    let again = services.delivered(key, &anew(SPLIT)).await;

    let stopped: Vec<Value> = (split.calls(STOP).iter())
        .map(|call| serde_json::from_slice(call).expect("JSON"))
        .collect();
    assert_eq!(stopped, [json!({"HumanLoopName": opened})], "its page is closed");
    assert_eq!(loops(&split).len(), 1);
    assert_eq!(
        question.human_loop.as_ref(),
        loops(&split).first().map(|(name, _)| name)
    );
    assert!(question.was_asked_in(&opened) && question.is_taken_off(&opened));
    assert!(loops(&again).len() <= 1, "the same loop, if any");
    assert_eq!(services.question().await, question, "twice is once");
}

#[tokio::test]
async fn an_object_that_comes_again_takes_no_question_from_the_loop_that_asks_it_by_now() {
    let services = Services::start();
    let said = |signal: &str, minute: &str| {
        let time = format!("2026-11-20T11:{minute}:00.000Z");
        feedback(json!({"user": "ada", "signal": signal, "receivedAt": time}))
    };
    let first = said("dislike", "00");
    services.delivered("feedback/1.gz", &first).await;
    services.delivered("feedback/2.gz", &said("like", "01")).await;
    services.delivered("feedback/3.gz", &said("dislike", "02")).await;
    let before = services.question().await;

    let again = services.delivered("feedback/1.gz", &first).await;

    assert_eq!(services.question().await, before);
    assert!(loops(&again).is_empty());
}

#[tokio::test]
async fn an_object_that_comes_again_wipes_no_answer_that_a_change_of_the_label_set_asked_for() {
    let services = Services::start();
    let first = line(TEXT, "low-confidence", 0.1);
    services.delivered("feedback/1.gz", &first).await;
    services.answered("Sports").await;
    services
        .delivered("feedback/relabel/2-0000.jsonl", &anew("2026-11-21T10:00:00.000Z"))
        .await;
    let asked_anew = services.question().await;
    services.delivered("feedback/1.gz", &first).await;
    assert_eq!(services.question().await, asked_anew);
    services.answered("World").await;
    let answered = services.question().await;

    let again = services.delivered("feedback/1.gz", &first).await;

    assert_eq!(services.question().await, answered);
    assert_eq!(answered.state, State::Answered);
    assert!(loops(&again).is_empty());
}

#[tokio::test]
async fn a_dislike_that_somebody_answered_is_not_taken_back() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &feedback(json!({"user": "ada"})))
        .await;
    services.answered("Sports").await;

    let like = feedback(json!({"signal": "like", "user": "ada", "receivedAt": "2026-11-20T12:00:00.000Z"}));
    let script = services.delivered("feedback/2.gz", &like).await;

    assert!(script.calls(STOP).is_empty());
    assert_eq!(
        asked(&[&script]),
        [TEXT],
        "it contradicts the answer: somebody else is asked"
    );
}

#[tokio::test]
async fn the_same_delivery_again_leaves_an_answered_question_as_it_is() {
    let services = Services::start();
    let lines = line(TEXT, "low-confidence", 0.1);
    services.delivered("feedback/1.gz", &lines).await;
    services.answered("World").await;
    let before = services.question().await;

    services.delivered("feedback/1.gz", &lines).await;

    assert_eq!(services.question().await, before);
}

#[tokio::test]
async fn feedback_on_a_text_that_differs_in_form_only_is_a_vote_on_the_same_question() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;

    let shouted = feedback(json!({"utterance": TEXT.to_uppercase(), "suggestedLabel": "Sports"}));
    services.delivered("feedback/2.gz", &shouted).await;
    let liked = feedback(json!({"utterance": format!("  {TEXT}"), "signal": "like", "user": "bob"}));
    services.delivered("feedback/3.gz", &liked).await;

    let record = FeedbackRecord::parse(shouted.trim_end().as_bytes()).expect("a record");
    assert_ne!(record.id, record_id("news", TEXT));
    assert_eq!(services.question().await.votes.len(), 2);
}

impl Services {
    /// Delivers lines to a function with a budget that is spent, so that they wait; returns what the service was told.
    async fn delivered_to_wait(&self, key: &str, lines: &str) -> Script {
        let event = self.deliver(key, lines).await;
        let script = starting();
        script.always(STOP, 200, "{}");
        let function = self.function_with_budget(&script, "1");
        function.handle(event).await.expect("worked off");
        script
    }

    /// Spends the budget of today, and then of the text makes one that waits.
    async fn waiting(&self, lines: &str) {
        let first = line("A text that takes the budget.", "audit", 0.5);
        self.delivered_to_wait("feedback/0.gz", &first).await;
        self.delivered_to_wait("feedback/1.gz", lines).await;
    }

    /// Has everything that waits asked about.
    async fn selected(&self) -> Script {
        let script = starting();
        let select = json!({"operation": "select"});
        self.function(&script).handle(select).await.expect("selected");
        script
    }
}

#[tokio::test]
async fn a_correction_of_a_text_that_waits_for_the_budget_is_a_vote_when_it_is_asked() {
    let services = Services::start();
    services.waiting(&line(TEXT, "low-confidence", 0.1)).await;
    let correction = feedback(json!({"suggestedLabel": "Sports", "user": "ada"}));
    services.delivered_to_wait("feedback/2.gz", &correction).await;
    let while_it_waits = services.question().await;

    let script = services.selected().await;

    assert_eq!(asked(&[&script]), [TEXT]);
    let question = services.question().await;
    assert!(question.human_loop.is_some() && while_it_waits.human_loop.is_none());
    let users: Vec<&str> = question.votes.iter().map(|vote| vote.worker.as_str()).collect();
    assert_eq!(users, ["user:ada"]);
    assert_eq!(services.votes().await.len(), 1, "training counts it too");
}

#[tokio::test]
async fn a_dislike_that_is_taken_back_while_it_waits_for_the_budget_is_not_asked() {
    let services = Services::start();
    services
        .waiting(&feedback(json!({"user": "ada", "predictionId": "p1"})))
        .await;
    let like = json!({"signal": "like", "user": "ada", "predictionId": "p1", "receivedAt": "2026-11-20T11:01:00.000Z"});
    services.delivered_to_wait("feedback/2.gz", &feedback(like)).await;
    // The event of the dislike once more.
    services
        .delivered_to_wait(
            "feedback/1.gz",
            &feedback(json!({"user": "ada", "predictionId": "p1"})),
        )
        .await;

    let script = services.selected().await;

    assert_eq!(asked(&[&script]), [""; 0]);
    assert_eq!(services.question().await.state, State::Withdrawn);
    let again = json!({"user": "ada", "predictionId": "p1", "receivedAt": "2026-11-20T11:02:00.000Z"});
    let script = services.delivered("feedback/3.gz", &feedback(again)).await;
    assert_eq!(asked(&[&script]), [TEXT], "who complains anew is heard");
}

#[tokio::test]
async fn a_damaged_question_is_kept_aside_and_a_vote_on_it_is_not_lost() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    let key = keys::question(&record_id("news", TEXT));
    services.deliver(&key, "{\"schemaVersion\": 1, \"state\":").await;

    let correction = feedback(json!({"suggestedLabel": "Sports", "user": "ada"}));
    services.delivered("feedback/2.gz", &correction).await;

    let aside = services.keys(keys::DAMAGED_QUESTIONS_FOLDER).await;
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(services.get(&aside[0]).await, "{\"schemaVersion\": 1, \"state\":");
    let question = services.question().await;
    assert_eq!(question.votes.len(), 1);
    assert_eq!(services.votes().await[0].votes, question.votes);
}

#[tokio::test]
async fn a_dislike_that_names_neither_label_nor_prediction_opens_what_people_answered_as_predicted() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    let predicted = services.question().await.record.prediction.expect("a prediction");
    let dislike = feedback(json!({"prediction": null, "user": "ada"}));

    services.answered("Sports").await;
    let corrected = services.delivered("feedback/2.gz", &dislike).await;
    services.answered(&predicted).await;
    let mut question = services.question().await;
    question
        .votes
        .retain(|vote| vote.answer == Answer::labels([&predicted]));
    question.answer_with(&[]);
    services.put_question(&question).await;
    let dislike = feedback(json!({"prediction": null, "user": "bob"}));
    let confirmed = services.delivered("feedback/3.gz", &dislike).await;

    assert!(
        loops(&corrected).is_empty(),
        "what was predicted was wrong, as people said"
    );
    assert_eq!(loops(&confirmed).len(), 1);
}

#[tokio::test]
async fn a_user_s_split_label_asks_again_where_the_answer_is_none_of_its_parts() {
    let services = Services::start();
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-19T10:00:00.000Z");
    set.split("Sports", &["Racing", "Tennis"]).expect("split");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    let correction = feedback(json!({"suggestedLabel": "sports", "user": "ada"}));

    services.answered("World").await;
    let other = services.delivered("feedback/2.gz", &correction).await;

    assert_eq!(loops(&other).len(), 1, "it is asked again");
    let votes = services.question().await.votes;
    assert!(
        votes.iter().any(|vote| vote.worker == "user:ada"),
        "and kept: {votes:?}"
    );
}

#[tokio::test]
async fn a_suggestion_of_two_labels_is_one_proposal_where_a_text_has_one() {
    let services = Services::start();
    services
        .delivered(
            "feedback/1.gz",
            &feedback(json!({"suggestedLabel": "World|Sports", "user": "ada"})),
        )
        .await;

    let votes = services.question().await.votes;

    // In whatever order they are named.
    let proposal = Answer::NewLabel {
        label: "Sports|World".to_owned(),
    };
    assert_eq!(
        votes.iter().map(|vote| &vote.answer).collect::<Vec<_>>(),
        [&proposal]
    );
}

/// Has ada complain of `World` and take it back, and reviewers who had the page open answer nevertheless.
async fn withdrawn_and_answered(labels: &[&str]) -> Services {
    let services = Services::start();
    let complaint = feedback(json!({"user": "ada", "predictionId": "p1"}));
    services.delivered("feedback/1.gz", &complaint).await;
    let like = json!({"user": "ada", "predictionId": "p1", "signal": "like", "receivedAt": "2026-11-20T11:05:00.000Z"});
    services.delivered("feedback/2.gz", &feedback(like)).await;
    let mut question = services.question().await;
    assert_eq!(question.state, State::Withdrawn);

    for (label, worker) in labels.iter().zip(["w1", "w2"]) {
        question.answer_with(&[Vote {
            worker: worker.to_owned(),
            answer: Answer::labels([*label]),
            source: VoteSource::HumanReview,
            at: "2026-11-20T11:10:00.000Z".to_owned(),
            seconds: None,
            note: Default::default(),
        }]);
    }
    services.put_question(&question).await;
    services
}

/// What the API says of a record on delivery.
async fn said_by_the_api(services: &Services, line: &str) -> Option<NotAsked> {
    let env = Env::from([
        ("CLAIM_RETENTION_DAYS", "90"),
        ("REVIEW_BUDGET_PER_DAY", "0"),
        ("POOL_TEXTS_IN_REVIEW", "0"),
        ("FEEDBACK_BUCKET_NAME", BUCKET),
    ]);
    let settings = Settings::from_env(&env).expect("complete");
    let record = FeedbackRecord::parse(line.trim_end().as_bytes()).expect("a record");
    let asked_before = AskedBefore::new(services.s3.clone(), settings);
    let training = Bucket::new(services.s3.clone(), TRAINING_BUCKET);
    let names = ClassNames::new(training, false);
    asked_before.why_not(&record, Some(&names)).await
}

#[tokio::test]
async fn an_answer_that_came_after_a_complaint_was_taken_back_stays_and_what_the_api_says_happens() {
    let later = "2026-11-20T11:20:00.000Z";
    let (answered, asked) = (Some(NotAsked::AlreadyAnswered), None);
    let cases = [
        ("Sports", json!({"user": "ada"}), answered),
        ("Sports", json!({"user": "ada", "predictionId": "p1"}), answered),
        ("Sports", json!({"user": "bob"}), answered),
        ("Sports", json!({}), answered),
        (
            "Sports",
            json!({"user": "ada", "suggestedLabel": "Sports"}),
            answered,
        ),
        (
            "Sports",
            json!({"user": "ada", "suggestedLabel": "Business"}),
            asked,
        ),
        (
            "Sports",
            json!({"user": "bob", "suggestedLabel": "Business"}),
            asked,
        ),
        (
            "Sports",
            json!({"signal": "low-confidence", "source": "implicit"}),
            answered,
        ),
        ("World", json!({"user": "ada"}), asked),
        ("World", json!({"user": "bob"}), asked),
    ];

    for (answer, mut fields, expected) in cases {
        let services = withdrawn_and_answered(&[answer]).await;
        fields["receivedAt"] = later.into();
        let line = feedback(fields.clone());

        let said = said_by_the_api(&services, &line).await;
        let script = services.delivered("feedback/3.gz", &line).await;
        let again = services.delivered("feedback/3.gz", &line).await;

        let question = services.question().await;
        assert_eq!(said, expected, "{fields}");
        assert_eq!(
            loops(&script).len(),
            usize::from(said.is_none()),
            "{answer} {fields}"
        );
        assert!(
            loops(&again).is_empty(),
            "the same event asks nobody twice: {fields}"
        );
        assert_eq!(
            question.state == State::Answered,
            said.is_some(),
            "{answer} {fields}"
        );
        let reviewers = question.votes.iter().filter(|vote| vote.source.is_review());
        assert_eq!(reviewers.count(), 1, "the answer that was given stays a vote");
    }
}

#[tokio::test]
async fn reviewers_who_disagree_after_a_complaint_was_taken_back_are_not_asked_in_a_second_loop() {
    let services = withdrawn_and_answered(&["Sports", "Business"]).await;
    let line = feedback(json!({"user": "bob", "receivedAt": "2026-11-20T11:20:00.000Z"}));

    let said = said_by_the_api(&services, &line).await;
    let script = services.delivered("feedback/3.gz", &line).await;

    assert_eq!(said, Some(NotAsked::AlreadyAsked));
    assert!(loops(&script).is_empty());
    assert_eq!(services.question().await.reviewers(), ["w1", "w2"]);
}

#[tokio::test]
async fn a_complaint_that_was_taken_back_and_that_nobody_answered_is_asked_when_it_comes_again() {
    let services = withdrawn_and_answered(&[]).await;
    let line = feedback(json!({"user": "ada", "receivedAt": "2026-11-20T11:20:00.000Z"}));

    let said = said_by_the_api(&services, &line).await;
    let script = services.delivered("feedback/3.gz", &line).await;

    assert_eq!(said, None);
    assert_eq!(loops(&script).len(), 1);
}

#[tokio::test]
async fn a_further_loop_is_kept_before_it_is_noted_so_that_no_correction_takes_it_for_one_that_nobody_asks() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    services.answered("World").await;
    let first = services.question().await.human_loop;
    let correction = feedback(json!({"suggestedLabel": "Sports", "user": "ada"}));
    let event = services.deliver("feedback/2.gz", correction).await;
    let script = starting();
    script.always(&format!("PUT /{BUCKET}/asked/"), 403, "");

    let outcome = services.function(&script).handle(event.clone()).await;
    let broken_off = services.question().await;
    let again = starting();
    services.function(&again).handle(event).await.expect("worked off");

    assert!(outcome.is_err());
    assert_eq!(broken_off.state, State::Asked);
    assert_eq!(broken_off.human_loop, first, "what is not kept is not noted");
    let further = loops(&again);
    assert_eq!(further.len(), 1);
    assert_eq!(
        services.question().await.human_loop.as_ref(),
        further.first().map(|(name, _)| name)
    );
}

#[tokio::test]
async fn the_loop_of_an_unanswered_text_that_a_label_change_asks_anew_is_closed_by_the_retry_too() {
    let services = Services::start();
    services
        .delivered("feedback/1.gz", &line(TEXT, "low-confidence", 0.1))
        .await;
    let first = services.question().await.human_loop.expect("a loop");
    let lines = anew("2026-11-21T10:00:00.000Z");
    let event = services.deliver("feedback/relabel/2-0000.jsonl", lines).await;
    // The first that fits a call answers it.
    let refusing = Script::default();
    refusing.always(STOP, 403, r#"{"__type": "AccessDeniedException"}"#);
    refusing.always(START, 201, STARTED);

    let outcome = services.function(&refusing).handle(event.clone()).await;
    let retry = starting();
    retry.always(STOP, 200, "{}");
    services.function(&retry).handle(event).await.expect("worked off");

    assert!(outcome.is_err());
    let stopped: Vec<Value> = (retry.calls(STOP).iter())
        .map(|call| serde_json::from_slice(call).expect("JSON"))
        .collect();
    assert_eq!(stopped, [json!({"HumanLoopName": first})]);
}
