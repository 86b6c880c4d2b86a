//! Answers of pages that are not ours, and corrections.

use active_learning_aws::{
    adjudication::{Choice, Decision, adjudicate},
    bucket::Bucket,
    label_set::LabelSets,
    questions::Questions,
};
use active_learning_core::{
    labels::{
        consolidation::DecidedBy,
        human_loop::Answer,
        label_set::{LabelSet, Origin},
        labelled::LabelledRecord,
        question::{Question, State},
        vote::Vote,
    },
    model::audit::{AuditTally, JudgedPrediction},
};
use serde_json::{Value, json};

use crate::harness::{
    BUILT_IN_OUTPUT, FEEDBACK, LOOP, REVIEW, Services, TRAINING, event, input, output, output_key,
};

fn answered_by(content: &Value, worker: &str, minute: u32) -> String {
    let answer = json!({"answerContent": content, "submissionTime": format!("2026-11-20T12:{minute:02}:00.000Z"), "workerId": worker});
    let mut output: Value = serde_json::from_str(BUILT_IN_OUTPUT).expect("JSON");
    output["humanAnswers"] = json!([answer]);
    output["humanLoopName"] = json!(LOOP);
    output.to_string()
}

/// What Eve decides, whatever others have decided.
fn by_eve<'a>(choice: &'a Choice, at: &'a str) -> Decision<'a> {
    Decision {
        choice,
        by: "eve",
        at,
        overrules: true,
    }
}

#[tokio::test]
async fn a_loop_of_which_no_answer_can_be_read_is_listed_with_its_reason_and_not_asked_in_vain() {
    let services = Services::start();

    services
        .answered(LOOP, answered_by(&json!({"topic": "World"}), "w1", 1))
        .await;

    let rejected = services.rejected(LOOP).await;
    let items = input()["comprehendPredictions"].as_array().map(Vec::len);
    assert_eq!(Some(rejected.len()), items);
    let reason = rejected[0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("can be matched to an item"), "{reason}");
    assert_eq!(services.keys(TRAINING, "labelled/").await, Vec::<String>::new());
}

#[tokio::test]
async fn people_are_told_by_mail_of_loops_whose_answers_cannot_be_read_once_a_day() {
    let services = Services::start();

    for human_loop in [LOOP, "review-0123456789abcdef0123456789abcdef01234567"] {
        let output = answered_by(&json!({"topic": "World"}), "w1", 1).replace(LOOP, human_loop);
        services.answered(human_loop, output).await;
    }

    let notices = services.keys(TRAINING, "notices/").await;
    assert!(
        notices.len() == 1 && notices[0].contains("unreadable-loops-"),
        "{notices:?}"
    );
    let notice: Value = serde_json::from_str(&services.get(TRAINING, &notices[0]).await).expect("JSON");
    assert_eq!(notice["subject"], "Answers of reviewers cannot be read");
    let message = notice["message"].as_str().expect("a message");
    assert!(
        message.contains(LOOP) && message.contains("redrive") && message.contains("try-template"),
        "{message}"
    );
}

#[tokio::test]
async fn a_correction_is_the_newest_vote_of_its_worker_and_decides() {
    let services = Services::start();
    let first = input()["comprehendPredictions"][0].clone();
    let labels: Vec<&str> = vec!["World"; 20];
    let asked = input().to_string();
    services
        .answered(LOOP, output(LOOP, &asked, &[("w1", 1, &labels)]))
        .await;
    let key = output_key(LOOP).replace("output.json", "corrections/w1-1/output.json");
    let id = first["id"].as_str().expect("an id");

    services
        .put(REVIEW, &key, answered_by(&json!({ id: "Sports" }), "w1", 9))
        .await;
    for _ in 0..2 {
        services.function().handle(event(&key)).await.expect("worked off");
    }

    let question = services
        .get(FEEDBACK, &active_learning_core::keys::question(id))
        .await;
    let question = Question::parse(question.as_bytes()).expect("a question");
    assert_eq!(question.state, State::Answered);
    assert_eq!(question.answer(), Some(&Answer::labels(["Sports"])));
    let corrected = services.labelled(&format!("{LOOP}-corrected-w1-1")).await;
    assert_eq!(corrected.len(), 1);
    assert_eq!(corrected[0].votes[0].answer, Answer::labels(["Sports"]));
}

#[tokio::test]
async fn a_correction_after_an_adjudicator_s_last_word_changes_nothing_and_is_kept() {
    let services = Services::start();
    let id = input()["comprehendPredictions"][0]["id"].clone();
    let id = id.as_str().expect("an id");
    let labels: Vec<&str> = vec!["World"; 20];
    services
        .answered(LOOP, output(LOOP, &input().to_string(), &[("w1", 1, &labels)]))
        .await;
    let question = active_learning_core::keys::question(id);
    let disputed = services.get(FEEDBACK, &question).await;
    services
        .put(TRAINING, &active_learning_core::keys::disputed(id), disputed)
        .await;
    let bucket = |name: &str| Bucket::new(services.s3.clone(), name);
    let (training, feedback) = (bucket(TRAINING), bucket(FEEDBACK));
    let business = Choice::Labels(vec!["Business".to_owned()]);
    adjudicate(
        "test",
        (&training, &feedback),
        &LabelSets::new(training.clone()),
        id,
        by_eve(&business, "2026-11-20T11:00:00.000Z"),
    )
    .await
    .expect("decided");
    let line = services.keys(TRAINING, "labelled/adjudication-").await;
    let line = services.get(TRAINING, &line[0]).await;
    let line = LabelledRecord::parse(line.trim_end().as_bytes()).expect("a labelled record");
    assert_eq!(
        (line.was_right, &line.replaces[..]),
        (Some(false), &["World".to_owned()][..])
    );

    let key = output_key(LOOP).replace("output.json", "corrections/w1-1/output.json");
    services
        .put(REVIEW, &key, answered_by(&json!({ id: "Sports" }), "w1", 9))
        .await;
    services.function().handle(event(&key)).await.expect("worked off");

    let question = Question::parse(services.get(FEEDBACK, &question).await.as_bytes()).expect("a question");
    assert_eq!(question.answer(), Some(&Answer::labels(["Business"])));
    assert_eq!(
        (question.state, question.decided_by),
        (State::Answered, Some(DecidedBy::Adjudicator))
    );
    assert!(services.keys(TRAINING, "disputed/").await.is_empty());
    assert!(services.open().await.is_empty());
    let corrected = services.labelled(&format!("{LOOP}-corrected-w1-1")).await;
    assert_eq!(corrected[0].votes[0].answer, Answer::labels(["Sports"]));
}

#[tokio::test]
async fn who_takes_back_the_only_answer_since_they_cannot_tell_leaves_it_to_an_adjudicator() {
    let services = Services::start();
    let labels: Vec<&str> = vec!["World"; 20];
    let asked = input().to_string();
    services
        .answered(LOOP, output(LOOP, &asked, &[("w1", 1, &labels)]))
        .await;
    let key = output_key(LOOP).replace("output.json", "corrections/w1-1/output.json");
    let id = input()["comprehendPredictions"][0]["id"].clone();
    let id = id.as_str().expect("an id");

    services
        .put(REVIEW, &key, answered_by(&json!({ id: "__unsure__" }), "w1", 9))
        .await;
    services.function().handle(event(&key)).await.expect("worked off");

    let disputed = services
        .get(TRAINING, &active_learning_core::keys::disputed(id))
        .await;
    let disputed = Question::parse(disputed.as_bytes()).expect("a question");
    assert_eq!((disputed.state, disputed.answer()), (State::Disputed, None));
}

#[tokio::test]
async fn a_correction_that_names_a_split_label_is_asked_anew_and_not_dropped() {
    let services = Services::start();
    let labels: Vec<&str> = vec!["World"; 20];
    services
        .answered(LOOP, output(LOOP, &input().to_string(), &[("w1", 1, &labels)]))
        .await;
    let mut set = LabelSet::seed(["Sports", "World"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
    set.split("Sports", &["Ball games", "Racing"]).expect("split");
    services.put(TRAINING, "label-set.json", set.to_json()).await;
    let key = output_key(LOOP).replace("output.json", "corrections/w1-1/output.json");
    let id = input()["comprehendPredictions"][0]["id"].clone();
    let id = id.as_str().expect("an id");

    services
        .put(REVIEW, &key, answered_by(&json!({ id: "Sports" }), "w1", 9))
        .await;
    services.function().handle(event(&key)).await.expect("worked off");

    let delivered = services.keys(FEEDBACK, "feedback/relabel/").await;
    assert_eq!(delivered.len(), 1, "{delivered:?}");
    let lines = services.get(FEEDBACK, &delivered[0]).await;
    assert!(lines.contains(id) && lines.lines().count() == 1, "{lines}");
}

/// Answers a text of the sample's page, then again with these forms; returns its question and the id.
async fn corrected_with(services: &Services, forms: impl Fn(&str) -> Vec<Value>) -> (Question, String) {
    let id = input()["comprehendPredictions"][0]["id"].clone();
    let id = id.as_str().expect("an id").to_owned();
    let labels: Vec<&str> = vec!["World"; 20];
    services
        .answered(LOOP, output(LOOP, &input().to_string(), &[("w1", 1, &labels)]))
        .await;

    for (minute, form) in (2..).zip(forms(&id)) {
        correct(services, minute, &form).await;
    }

    let question = services
        .get(FEEDBACK, &active_learning_core::keys::question(&id))
        .await;
    (Question::parse(question.as_bytes()).expect("a question"), id)
}

/// Sums judgements up as `model-building` does.
fn judged<'a>(lines: impl IntoIterator<Item = &'a LabelledRecord>) -> AuditTally {
    let mut tally = AuditTally::default();
    for line in lines {
        if let Some((_, before)) = JudgedPrediction::before(line) {
            tally.remove(before);
        }
        if let Some((_, judged)) = JudgedPrediction::of(line) {
            tally.add(judged);
        }
    }
    tally
}

#[tokio::test]
async fn a_prediction_is_judged_once_and_as_its_last_answer_says_however_often_it_is_corrected() {
    let services = Services::start();
    let forms = |id: &str| {
        vec![
            json!({ id: "Sports" }),
            json!({ id: "Sports", format!("comment:{id}"): "I am sure" }),
            json!({ id: "__unsure__" }),
            json!({ id: "Business" }),
        ]
    };

    let (question, id) = corrected_with(&services, forms).await;

    let mut lines = vec![services.labelled(LOOP).await[0].clone()];
    for minute in 2..6 {
        lines.extend(services.labelled(&format!("{LOOP}-corrected-w1-{minute}")).await);
    }
    assert!(lines.iter().all(|line| line.record.id == id));
    let judgements: Vec<(Option<bool>, Vec<String>)> = lines
        .iter()
        .map(|line| (line.was_right, line.replaces.clone()))
        .collect();
    let label = |name: &str| vec![name.to_owned()];
    assert_eq!(
        judgements,
        [
            (None, vec![]),
            (Some(false), label("World")),
            (Some(true), label("Sports")),
            (Some(true), label("Sports")),
            (None, label("Sports")),
        ]
    );
    let only_the_last = LabelledRecord {
        was_right: None,
        ..lines[4].clone()
    };
    assert_eq!(judged(&lines), judged([&only_the_last]));
    assert_eq!(
        judged(&lines[..4]),
        AuditTally::default(),
        "nobody could tell then"
    );
    assert_eq!(question.lines.len(), 5, "each once, though its event came twice");
}

#[tokio::test]
async fn an_answer_that_comes_in_a_further_loop_takes_the_place_of_the_one_before_also_of_the_version_before()
{
    for is_of_version_before in [false, true] {
        let services = Services::start();
        let (mut question, id) = corrected_with(&services, |_| Vec::new()).await;
        if is_of_version_before {
            question.lines.clear();
        }
        let again = "review-0123456789abcdef0123456789abcdef01234567-again-1";
        (question.state, question.human_loop) = (State::Asked, Some(again.to_owned()));
        let key = active_learning_core::keys::question(&id);
        services.put(FEEDBACK, &key, question.to_json()).await;
        let mut asked = input();
        asked["comprehendPredictions"]
            .as_array_mut()
            .expect("items")
            .truncate(1);

        services
            .answered(again, output(again, &asked.to_string(), &[("w2", 9, &["World"])]))
            .await;

        let line = &services.labelled(again).await[0];
        assert_eq!(
            (line.was_right, &line.replaces[..]),
            (Some(false), &["World".to_owned()][..])
        );
        let first = &services.labelled(LOOP).await[0];
        assert_eq!(
            judged([first, line]),
            judged([first]),
            "it confirms what was counted before"
        );
    }
}

async fn correct(services: &Services, minute: u32, form: &Value) {
    let folder = format!("corrections/w1-{minute}/output.json");
    let key = output_key(LOOP).replace("output.json", &folder);
    services.put(REVIEW, &key, answered_by(form, "w1", minute)).await;
    for _ in 0..2 {
        services.function().handle(event(&key)).await.expect("worked off");
    }
}

#[tokio::test]
async fn a_comment_and_a_flag_that_a_correction_adds_to_the_same_answer_are_kept_with_the_vote() {
    let services = Services::start();

    let (question, _) = corrected_with(&services, |id| {
        vec![
            json!({ id: "World", format!("comment:{id}"): "contains a threat", format!("flag:{id}"): "yes" }),
        ]
    })
    .await;

    let last = question.votes.last().expect("a vote");
    assert_eq!(question.votes.len(), 2, "{:?}", question.votes);
    assert_eq!(last.answer, Answer::labels(["World"]));
    assert_eq!(last.note.comment.as_deref(), Some("contains a threat"));
    assert!(last.note.flagged);
    assert_eq!(
        (question.state, question.answer()),
        (State::Answered, Some(&Answer::labels(["World"])))
    );
    let corrected = services.labelled(&format!("{LOOP}-corrected-w1-2")).await;
    assert_eq!(corrected.len(), 1, "the text that it is about, and no other");
    assert_eq!(&corrected[0].votes, std::slice::from_ref(last));
    assert_eq!(corrected[0].consensus.labels(), Some(&["World".to_owned()][..]));
}

#[tokio::test]
async fn a_flag_that_a_correction_takes_back_is_not_in_the_newest_vote_and_the_same_again_corrects_nothing() {
    let services = Services::start();

    let (question, _) = corrected_with(&services, |id| {
        let flagged = json!({ id: "World", format!("flag:{id}"): "yes" });
        let plain = json!({ id: "World" });
        vec![flagged.clone(), flagged, plain.clone(), plain]
    })
    .await;

    let flags: Vec<bool> = question.votes.iter().map(|vote| vote.note.flagged).collect();
    assert_eq!(flags, [false, true, true, false, false]);
    assert_eq!(
        question.newest_review(),
        Some("2026-11-20T12:04:00.000Z"),
        "the first without it"
    );
    let corrected = services
        .keys(TRAINING, &format!("labelled/{LOOP}-corrected-"))
        .await;
    assert_eq!(
        corrected,
        [2, 4].map(|minute| format!("labelled/{LOOP}-corrected-w1-{minute}.jsonl"))
    );
}

#[tokio::test]
async fn a_correction_that_goes_back_to_the_first_answer_counts_though_its_event_comes_before_that_of_the_one_between()
 {
    let services = Services::start();
    let (_, id) = corrected_with(&services, |_| Vec::new()).await;

    correct(&services, 3, &json!({ &id: "World" })).await;
    correct(&services, 2, &json!({ &id: "Sports" })).await;

    let question = services
        .get(FEEDBACK, &active_learning_core::keys::question(&id))
        .await;
    let question = Question::parse(question.as_bytes()).expect("a question");
    assert_eq!(question.answer(), Some(&Answer::labels(["World"])));
    assert_eq!(question.votes.len(), 3, "{:?}", question.votes);
    let corrected = services.labelled(&format!("{LOOP}-corrected-w1-2")).await;
    let said: Vec<_> = corrected[0]
        .votes
        .iter()
        .map(|vote| vote.answer.clone())
        .collect();
    assert_eq!(said, [Answer::labels(["Sports"]), Answer::labels(["World"])]);
    assert_eq!(corrected[0].labelled_at, "2026-11-20T12:03:00.000Z");
    assert_eq!(corrected[0].consensus.labels(), Some(&["World".to_owned()][..]));
}

#[tokio::test]
async fn the_same_answer_by_the_name_that_its_label_has_now_closes_no_question_that_somebody_else_is_asked() {
    let services = Services::start();
    let (mut question, id) = corrected_with(&services, |_| Vec::new()).await;
    let key = active_learning_core::keys::question(&id);
    (question.state, question.human_loop) = (State::Asked, Some("review-another".to_owned()));
    services.put(FEEDBACK, &key, question.to_json()).await;
    let mut set = LabelSet::seed(["Sports", "World"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
    set.rename("World", "Politics").expect("renamed");
    services.put(TRAINING, "label-set.json", set.to_json()).await;

    correct(&services, 9, &json!({ &id: "World" })).await;

    let after = services.get(FEEDBACK, &key).await;
    let after = Question::parse(after.as_bytes()).expect("a question");
    assert_eq!(
        (after.state, after.human_loop),
        (State::Asked, question.human_loop)
    );
    let corrected = services
        .keys(TRAINING, &format!("labelled/{LOOP}-corrected-"))
        .await;
    assert!(corrected.is_empty(), "{corrected:?}");
}

#[tokio::test]
async fn a_correction_that_does_not_settle_a_dispute_leaves_it_though_others_of_its_page_are_being_asked() {
    let services = Services::start();
    let (mut question, id) = corrected_with(&services, |_| Vec::new()).await;
    question.votes.push(Vote {
        worker: "w2".to_owned(),
        answer: Answer::labels(["Business"]),
        ..question.votes[0].clone()
    });
    question.state = State::Disputed;
    let key = active_learning_core::keys::question(&id);
    services.put(FEEDBACK, &key, question.to_json()).await;
    services
        .put(FEEDBACK, &format!("asked/{LOOP}-again-1.json"), "{}")
        .await;

    correct(&services, 9, &json!({ &id: "Sports" })).await;

    let after = services.get(FEEDBACK, &key).await;
    let after = Question::parse(after.as_bytes()).expect("a question");
    assert_eq!((after.state, after.votes.len()), (State::Disputed, 3));
    let shown = services
        .get(TRAINING, &active_learning_core::keys::disputed(&id))
        .await;
    assert_eq!(Question::parse(shown.as_bytes()), Some(after));
}

/// The input of the sample's loop with one of its texts alone.
fn about_one_text(place: usize) -> Value {
    let mut one = input();
    one["comprehendPredictions"] = json!([one["comprehendPredictions"][place]]);
    one
}

#[tokio::test]
async fn an_answer_by_a_label_that_came_after_the_task_was_started_is_read_whatever_its_field_is_called() {
    let services = Services::start();
    let set = |labels: &[&str]| {
        LabelSet::seed(
            labels.iter().copied(),
            Origin::Parameter,
            "2026-11-19T10:00:00.000Z",
        )
    };
    services
        .put(TRAINING, "label-set.json", set(&["Sports", "World"]).to_json())
        .await;
    let by_new_label = answered_by(&json!({"topic": "Weather"}), "w1", 1);
    let mut by_new_label: Value = serde_json::from_str(&by_new_label).expect("JSON");
    by_new_label["inputContent"] = about_one_text(0);
    by_new_label["inputContent"]["labels"] = json!(["Sports", "World"]);
    let function = services.function();
    // The set of before is known to the function.
    let earlier = "review-0123456789abcdef0123456789abcdef01234567";
    let other = output(earlier, &about_one_text(1).to_string(), &[("w1", 1, &["World"])]);
    let event = services.output(earlier, other).await;
    function.handle(event).await.expect("worked off");

    let new = set(&["Sports", "World", "Weather"]);
    services.put(TRAINING, "label-set.json", new.to_json()).await;
    let event = services.output(LOOP, by_new_label.to_string()).await;
    function.handle(event).await.expect("worked off");

    let labelled = services.labelled(LOOP).await;
    assert_eq!(labelled[0].consensus.labels(), Some(&["Weather".to_owned()][..]));
    assert!(services.keys(FEEDBACK, "rejected/").await.is_empty());
    assert!(services.keys(TRAINING, "notices/").await.is_empty());
}

#[tokio::test]
async fn a_comment_that_a_correction_adds_leaves_a_question_open_that_is_asked_again() {
    let services = Services::start();
    let (mut question, id) = corrected_with(&services, |_| Vec::new()).await;
    let key = active_learning_core::keys::question(&id);
    (question.state, question.human_loop) = (State::Asked, Some("review-another".to_owned()));
    services.put(FEEDBACK, &key, question.to_json()).await;

    correct(
        &services,
        9,
        &json!({ &id: "World", format!("comment:{id}"): "I am sure" }),
    )
    .await;

    let noted = services.get(FEEDBACK, &key).await;
    let noted = Question::parse(noted.as_bytes()).expect("a question");
    assert_eq!(noted.votes[1].note.comment.as_deref(), Some("I am sure"));
    assert_eq!(
        (noted.state, noted.human_loop),
        (State::Asked, question.human_loop)
    );
    assert!(services.keys(TRAINING, "disputed/").await.is_empty());
}

#[tokio::test]
async fn who_takes_an_answer_back_while_somebody_else_is_asked_leaves_it_to_them_and_not_to_an_adjudicator() {
    let another = "review-0123456789abcdef0123456789abcdef01234567-again-1";
    for (is_open, state) in [(true, State::Asked), (false, State::Disputed)] {
        let services = Services::start();
        let (mut question, id) = corrected_with(&services, |_| Vec::new()).await;
        (question.state, question.human_loop) = (State::Asked, Some(another.to_owned()));
        let key = active_learning_core::keys::question(&id);
        services.put(FEEDBACK, &key, question.to_json()).await;
        if is_open {
            services
                .put(FEEDBACK, &format!("asked/{another}.json"), "{}")
                .await;
        }

        correct(&services, 9, &json!({ &id: "__unsure__" })).await;

        let question = services.get(FEEDBACK, &key).await;
        let question = Question::parse(question.as_bytes()).expect("a question");
        assert_eq!(question.state, state);
        let disputed = services.keys(TRAINING, "disputed/").await;
        assert_eq!(disputed.is_empty(), is_open, "{disputed:?}");
    }
}

#[tokio::test]
async fn a_comment_that_a_correction_adds_is_before_the_adjudicator_of_a_dispute() {
    let services = Services::start();
    let (mut question, id) = corrected_with(&services, |_| Vec::new()).await;
    question.state = State::Disputed;
    let key = active_learning_core::keys::question(&id);
    services.put(FEEDBACK, &key, question.to_json()).await;
    let disputed = active_learning_core::keys::disputed(&id);
    services.put(TRAINING, &disputed, question.to_json()).await;

    correct(
        &services,
        9,
        &json!({ &id: "World", format!("comment:{id}"): "I am sure" }),
    )
    .await;

    let shown = services.get(TRAINING, &disputed).await;
    let shown = Question::parse(shown.as_bytes()).expect("a question");
    assert_eq!(
        shown.votes.last().and_then(|vote| vote.note.comment.as_deref()),
        Some("I am sure")
    );
}

#[tokio::test]
async fn a_decision_that_broke_off_between_the_question_and_its_line_is_counted_once_when_it_is_made_again() {
    let services = Services::start();
    let id = input()["comprehendPredictions"][0]["id"].clone();
    let id = id.as_str().expect("an id");
    let labels: Vec<&str> = vec!["World"; 20];
    services
        .answered(LOOP, output(LOOP, &input().to_string(), &[("w1", 1, &labels)]))
        .await;
    let key = active_learning_core::keys::question(id);
    let dispute_key = active_learning_core::keys::disputed(id);
    let dispute = services.get(FEEDBACK, &key).await;
    services.put(TRAINING, &dispute_key, dispute).await;
    let bucket = |name: &str| Bucket::new(services.scripted_s3(), name);
    let (training, feedback) = (bucket(TRAINING), bucket(FEEDBACK));
    let sets = LabelSets::new(training.clone());
    let decide = async |label: &str, at: &str| {
        let choice = Choice::Labels(vec![label.to_owned()]);
        let buckets = (&training, &feedback);
        adjudicate("test", buckets, &sets, id, by_eve(&choice, at)).await
    };
    let lines = async || services.keys(TRAINING, "labelled/adjudication-").await;
    let line_of = async |key: &str| {
        let line = services.get(TRAINING, key).await;
        LabelledRecord::parse(line.trim_end().as_bytes()).expect("a labelled record")
    };

    // It dies when the question has noted the line.
    let write = format!("PUT /{TRAINING}/labelled/adjudication-");
    let denied = "<Error><Code>AccessDenied</Code></Error>";
    services.script.answer(1, &write, 403, denied);
    let died = decide("Business", "2026-11-20T11:00:00.000Z").await;
    let written_then = lines().await;
    // An answer that comes late leaves the question as it is.
    Questions::new("test", feedback.clone(), training.clone())
        .settle(id)
        .await
        .expect("settled");
    let listed = services.keys(TRAINING, "disputed/").await;
    decide("Business", "2026-11-20T11:00:05.000Z")
        .await
        .expect("they try again at once");
    let after_death = lines().await;
    services.script.answer(1, &write, 403, denied);
    let died_again = decide("Sports", "2026-11-20T11:01:00.000Z").await;
    decide("Tech", "2026-11-20T11:02:00.000Z").await.expect("decided");

    assert!(died.is_err() && died_again.is_err(), "{died:?}, {died_again:?}");
    assert!(written_then.is_empty(), "{written_then:?}");
    assert_eq!(listed, [dispute_key]);
    let all = lines().await;
    assert_eq!(after_death, all[..1], "the same decision again is one");
    assert_eq!(all.len(), 3, "another one has a line of its own: {all:?}");
    let of = async |at: usize| {
        let line = line_of(&all[at]).await;
        (
            line.replaces.clone(),
            line.consensus.labels().map(<[String]>::to_vec),
        )
    };
    let expected = [["World", "Business"], ["Business", "Sports"], ["Sports", "Tech"]];
    for (at, [before, after]) in expected.into_iter().enumerate() {
        let (before, after) = (vec![before.to_owned()], Some(vec![after.to_owned()]));
        assert_eq!(of(at).await, (before, after));
    }
    assert!(services.keys(TRAINING, "disputed/").await.is_empty());
}

#[tokio::test]
async fn a_dispute_that_is_missing_from_the_list_can_be_decided_all_the_same() {
    let services = Services::start();
    let (mut question, id) = corrected_with(&services, |_| Vec::new()).await;
    question.state = State::Disputed;
    let key = active_learning_core::keys::question(&id);
    services.put(FEEDBACK, &key, question.to_json()).await;
    let training = Bucket::new(services.s3.clone(), TRAINING);

    let decided = adjudicate(
        "test",
        (&training, &Bucket::new(services.s3.clone(), FEEDBACK)),
        &LabelSets::new(training.clone()),
        &id,
        by_eve(
            &Choice::Labels(vec!["Business".to_owned()]),
            "2026-11-20T11:00:00.000Z",
        ),
    )
    .await;

    assert_eq!(decided.expect("decided"), Answer::labels(["Business"]));
    let question = Question::parse(services.get(FEEDBACK, &key).await.as_bytes()).expect("a question");
    assert_eq!(question.answer(), Some(&Answer::labels(["Business"])));
    assert!(services.keys(TRAINING, "disputed/").await.is_empty());
}

#[tokio::test]
async fn the_exclusion_category_of_an_own_template_is_none_fits_and_no_proposed_label() {
    let services = Services::start();
    let ids: Vec<String> = (input()["comprehendPredictions"].as_array().expect("items").iter())
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect();
    let by_id = |value: Value| Value::Object(ids.iter().map(|id| (id.clone(), value.clone())).collect());
    let content = by_id(json!({ "label": "Keine davon" }));
    let mut output: Value = serde_json::from_str(&answered_by(&content, "w1", 1)).expect("JSON");
    output["humanAnswers"][0]["exclusionCategories"] = by_id(json!("Keine davon"));

    services.answered(LOOP, output.to_string()).await;

    let labelled = services.labelled(LOOP).await;
    assert_eq!(labelled.len(), ids.len());
    for record in labelled {
        assert_eq!(record.votes[0].answer, Answer::NoneFits);
    }
}
