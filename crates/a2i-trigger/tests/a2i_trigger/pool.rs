//! The pool: texts to label, of which reviewers have only so many open at a time.

use active_learning_core::{
    dataset::is_test,
    feedback::FeedbackRecord,
    keys,
    labels::{
        human_loop::Answer,
        question::Question,
        vote::{UNSIGNED, Vote, VoteSource},
    },
    sampling::duplicates::{KeptCopy, same_form},
};
use local_aws::script::Script;
use serde_json::{Value, json};

use crate::harness::*;

/// Reviewers may have so many texts of the pool open; a task has three.
const IN_REVIEW: &str = "12";

/// What a model says that is sure, and one that is not; the threshold is 0.5.
const SURE: &str = r#"{"Classes":[{"Name":"World","Score":0.6},{"Name":"Sports","Score":0.4}]}"#;
const DOUBTFUL: &str = r#"{"Classes":[{"Name":"World","Score":0.4},{"Name":"Sports","Score":0.3}]}"#;

/// Id of the other spelling of a text that was labelled.
const OTHER_SPELLING: &str = "0123456789abcdef0123456789abcdef";

/// Texts of a file that nobody complained about.
fn unlabelled(count: usize) -> String {
    let text = |number: usize| text_of_file(&format!("Letter {number} about thing {}", number * 7919));
    (0..count).map(text).collect()
}

fn text_of_file(text: &str) -> String {
    let line = json!({
        "classifier": "mail", "utterance": text, "source": "explicit-batch", "signal": "dislike",
        "receivedAt": "2026-11-20T10:00:00.000Z",
    });
    line.to_string() + "\n"
}

/// How many of the texts do not belong to the test set.
fn without_tests(texts: &[&str]) -> usize {
    texts.iter().filter(|text| !is_test(text, 0.2)).count()
}

fn without_a_model() -> Script {
    let script = starting();
    script.always(
        "DescribeEndpoint",
        400,
        r#"{"__type":"ResourceNotFoundException"}"#,
    );
    script
}

fn with_a_model() -> Script {
    let script = starting();
    script.always(
        "DescribeEndpoint",
        200,
        r#"{"EndpointProperties":{"ModelArn":"arn:model"}}"#,
    );
    script.always("ClassifyDocument", 200, SURE);
    script
}

/// What S3 sends when a loop is done with.
async fn done_with(services: &Services, key: &str) -> Value {
    let delete = services.s3.delete_object().bucket(BUCKET).key(key);
    delete.send().await.expect("removed");
    let mut event: Value = serde_json::from_str(OBJECT_CREATED).expect("JSON");
    event["Records"][0]["eventName"] = "ObjectRemoved:Delete".into();
    event["Records"][0]["s3"]["object"] = json!({"key": key, "sequencer": "0055AED6DCD90281E6"});
    event
}

#[tokio::test]
async fn no_more_texts_are_asked_than_reviewers_may_have_open_and_answers_make_room() {
    let services = Services::start();
    let script = without_a_model();
    let function = services.function_with_pool(&script, IN_REVIEW);
    let event = services.deliver("feedback/texts", unlabelled(40)).await;

    function.handle(event.clone()).await.expect("worked off");
    function.handle(event).await.expect("worked off again");
    let at_first = asked(&[&script]).len();
    let open = services.keys("asked/").await;
    let one = done_with(&services, &open[0]).await;
    function.handle(one).await.expect("selected");
    let after_one = asked(&[&script]).len();
    let two = done_with(&services, &open[1]).await;
    function.handle(two).await.expect("selected");
    let after_two = asked(&[&script]).len();

    assert_eq!((at_first, open.len()), (12, 4));
    assert_eq!(after_one, 12, "more than half is open");
    assert_eq!(after_two, 18, "as many as fit");
    let mut all = asked(&[&script]);
    all.dedup();
    assert_eq!(all.len(), after_two, "each once");
}

/// Puts an open task of these texts.
async fn put_task(services: &Services, name: &str, texts: &[&str]) {
    let record = |text: &&str| FeedbackRecord::parse(line(text, "low-confidence", 0.1).as_bytes());
    let records: Vec<FeedbackRecord> = texts.iter().map(|text| record(text).expect("a record")).collect();
    let input = json!({
        "comprehendPredictions": records, "labels": ["World"], "rowCount": records.len(),
        "bucketName": BUCKET, "keyName": "feedback/1.gz",
    });
    services
        .deliver(&format!("asked/{name}.json"), input.to_string())
        .await;
}

#[tokio::test]
async fn tasks_that_ask_somebody_else_once_more_keep_no_texts_of_the_pool_waiting_and_others_by_their_texts()
{
    let services = Services::start();
    let first = |digit: usize| format!("review-{}", digit.to_string().repeat(40));
    for digit in 0..5 {
        put_task(
            &services,
            &format!("{}-again-1", first(digit)),
            &["One", "Two", "Three"],
        )
        .await;
    }
    put_task(&services, &first(5), &["Four", "Five"]).await;
    let script = without_a_model();
    let function = services.function_with_pool(&script, IN_REVIEW);

    let event = services.deliver("feedback/texts", unlabelled(40)).await;
    function.handle(event).await.expect("worked off");

    assert_eq!(asked(&[&script]).len(), 10, "two of twelve are open");
}

#[tokio::test]
async fn before_the_first_model_the_test_set_does_not_wait_for_somebody_who_is_asked_once_more() {
    let services = Services::start();
    let name = format!("review-{}-again-1", "0".repeat(40));
    put_task(&services, &name, &["One"]).await;
    let texts = (0..30).map(|number| format!("Letter {number} about thing {}", number * 7919));
    let tests: Vec<String> = texts.filter(|text| is_test(text, 0.2)).collect();
    let lines: String = tests.iter().map(|text| text_of_file(text)).collect();
    let script = without_a_model();
    let function = services.function_with_pool(&script, IN_REVIEW);

    let event = services.deliver("feedback/texts", lines).await;
    function.handle(event).await.expect("worked off");

    assert_eq!(asked(&[&script]).len(), tests.len().min(12));
}

#[tokio::test]
async fn people_are_asked_before_the_end_of_a_large_file() {
    let services = Services::start();
    let script = without_a_model();
    let plans = &format!("PUT /{BUCKET}/claims/plan-");
    script.pass(1, plans);
    script.always(plans, 403, "<Error><Code>AccessDenied</Code></Error>");
    let function = services.function_with_pool(&script, IN_REVIEW);

    // Of two parts, the second of which cannot be worked off.
    let lines = unlabelled(1_000) + &text_of_file("The last one");
    let event = services.deliver("feedback/texts", lines).await;
    let outcome = function.handle(event).await;

    assert!(outcome.is_err(), "the end was not reached");
    assert_eq!(asked(&[&script]).len(), 12);
}

#[tokio::test]
async fn before_the_first_model_nothing_of_the_test_set_is_asked_as_long_as_there_is_other_text() {
    let services = Services::start();
    let script = without_a_model();
    let function = services.function_with_pool(&script, IN_REVIEW);

    let event = services.deliver("feedback/texts", unlabelled(60)).await;
    function.handle(event).await.expect("worked off");

    let asked = asked(&[&script]);
    assert_eq!(asked.len(), 12);
    assert!(asked.iter().all(|text| !is_test(text, 0.2)), "{asked:?}");
    assert!(script.calls("ClassifyDocument").is_empty());
}

#[tokio::test]
async fn before_the_first_model_nothing_of_the_test_set_is_asked_because_other_texts_are_delivered_later() {
    let services = Services::start();
    let script = without_a_model();
    let function = services.function_with_pool(&script, IN_REVIEW);
    let texts: Vec<String> = (0..30)
        .map(|number| format!("Letter {number} about thing {}", number * 7919))
        .collect();
    let (tests, others): (Vec<&String>, Vec<&String>) = texts.iter().partition(|text| is_test(text, 0.2));
    let lines = [&others[..2], &tests[..2]].concat();
    let lines: String = lines.iter().map(|text| text_of_file(text)).collect();

    let event = services.deliver("feedback/texts", lines).await;
    function.handle(event).await.expect("worked off");
    let at_first = asked(&[&script]).len();
    let event = services.deliver("feedback/more", text_of_file(others[2])).await;
    function.handle(event).await.expect("worked off");
    let with_more = asked(&[&script]).len();
    // Nothing else is left that a model could come of.
    for key in services.keys("asked/").await {
        let done = done_with(&services, &key).await;
        function.handle(done).await.expect("selected");
    }

    assert_eq!((at_first, with_more), (2, 3));
    assert_eq!(asked(&[&script]).len(), 5, "and then they are");
}

#[tokio::test]
async fn with_a_model_the_share_of_the_test_set_is_asked_and_the_rest_by_what_the_model_says() {
    let services = Services::start();
    let script = with_a_model();
    let function = services.function_with_pool(&script, "60");

    let event = services.deliver("feedback/texts", unlabelled(200)).await;
    function.handle(event).await.expect("worked off");

    let loops = loops(&script);
    let asked = utterances(&loops);
    let tests = asked.iter().filter(|text| is_test(text, 0.2)).count();
    assert_eq!(asked.len(), 60);
    // A fifth of the 60 that are judged as they come, and a fifth of the room that is left.
    assert!((16..=26).contains(&tests), "{tests} of 60");
    for (_, input) in &loops {
        let input: Value = serde_json::from_str(input).expect("JSON");
        for item in input["comprehendPredictions"].as_array().expect("items") {
            let text = item["utterance"].as_str().expect("text");
            let expected = match is_test(text, 0.2) {
                true => Value::Null,
                false => json!("World"),
            };
            assert_eq!(item["prediction"], expected, "{item}");
            match &item["selectionProbability"] {
                Value::Null => {} // chosen by rank, or of the test set as room came
                probability => assert_eq!((probability, is_test(text, 0.2)), (&json!(1.0), true), "{item}"),
            }
        }
    }
}

/// A model that is not sure of some texts; tells it in the order in which it is asked.
fn with_a_model_that_doubts(count: usize) -> Script {
    let script = starting();
    script.always(
        "DescribeEndpoint",
        200,
        r#"{"EndpointProperties":{"ModelArn":"arn:model"}}"#,
    );
    script.answer(count, "ClassifyDocument", 200, DOUBTFUL);
    script.always("ClassifyDocument", 200, SURE);
    script
}

#[tokio::test]
async fn a_text_of_which_the_serving_model_is_not_sure_is_asked_at_once_whatever_is_open() {
    let services = Services::start();
    let before = without_a_model();
    let event = services.deliver("feedback/first", unlabelled(40)).await;
    let function = services.function_with_pool(&before, IN_REVIEW);
    function.handle(event).await.expect("worked off");
    let script = with_a_model_that_doubts(usize::MAX);
    let texts = ["Where is my parcel?", "The invoice is wrong", "I cannot log in"];
    let lines: String = texts.iter().map(|text| text_of_file(text)).collect();

    let event = services.deliver("feedback/more", lines).await;
    let function = services.function_with_pool(&script, IN_REVIEW);
    function.handle(event.clone()).await.expect("worked off");
    function.handle(event).await.expect("worked off again");

    let mut expected = texts.map(str::to_owned);
    expected.sort();
    assert_eq!(asked(&[&before]).len(), 12, "the pool is full");
    assert_eq!(asked(&[&script]), expected);
    assert_eq!(
        script.calls("ClassifyDocument").len(),
        without_tests(&texts),
        "judged once"
    );
}

#[tokio::test]
async fn of_a_small_file_the_doubtful_texts_and_the_whole_test_set_are_asked_and_the_rest_waits() {
    let services = Services::start();
    let before = without_a_model();
    let event = services.deliver("feedback/first", unlabelled(40)).await;
    let function = services.function_with_pool(&before, IN_REVIEW);
    function.handle(event).await.expect("worked off");
    let waiting = services.keys("backlog/4-pool/").await.len();
    let script = with_a_model_that_doubts(2);
    let texts: Vec<String> = (0..12)
        .map(|number| format!("Mail about {}", number * 6151))
        .collect();
    let lines: String = texts.iter().map(|text| text_of_file(text)).collect();

    let event = services.deliver("feedback/more", lines).await;
    let function = services.function_with_pool(&script, IN_REVIEW);
    function.handle(event).await.expect("worked off");

    let asked = asked(&[&script]);
    let tests = texts.iter().filter(|text| is_test(text, 0.2)).count();
    assert!(tests > 0, "texts of both sides are needed");
    assert_eq!(asked.len(), tests + 2);
    assert_eq!(
        services.keys("backlog/4-pool/").await.len(),
        waiting + 12 - tests - 2
    );
    for (_, input) in loops(&script) {
        let input: Value = serde_json::from_str(&input).expect("JSON");
        for item in input["comprehendPredictions"].as_array().expect("items") {
            let text = item["utterance"].as_str().expect("text");
            let probability = is_test(text, 0.2).then_some(1.0);
            assert_eq!(
                (&item["signal"], item["selectionProbability"].as_f64()),
                (&json!("unlabelled"), probability),
                "what doubt chose is no sample: {item}"
            );
        }
    }
}

#[tokio::test]
async fn with_a_budget_a_doubtful_text_of_a_file_waits_for_it_before_those_of_the_pool() {
    let services = Services::start();
    let script = with_a_model_that_doubts(1);
    let function = services.function_with(&script, "1", IN_REVIEW);

    let spend = services
        .deliver("feedback/complaint", line("It is wrong", "dislike", 0.2))
        .await;
    function.handle(spend).await.expect("worked off");
    let event = services.deliver("feedback/texts", unlabelled(8)).await;
    function.handle(event).await.expect("worked off");

    assert_eq!(asked(&[&script]), ["It is wrong"]);
    assert_eq!(services.keys("backlog/3-ranked/").await.len(), 1);
    assert_eq!(services.keys("backlog/4-pool/").await.len(), 7);
}

#[tokio::test]
async fn without_a_limit_all_texts_are_asked_at_once() {
    let services = Services::start();
    let script = starting();
    let function = services.function_with_pool(&script, "0");

    let event = services.deliver("feedback/texts", unlabelled(40)).await;
    function.handle(event).await.expect("worked off");

    assert_eq!(asked(&[&script]).len(), 40);
    assert!(services.keys("backlog/").await.is_empty());
}

#[tokio::test]
async fn what_a_user_complains_about_does_not_wait_in_the_pool() {
    let services = Services::start();
    let script = without_a_model();
    let function = services.function_with_pool(&script, IN_REVIEW);
    let lines: String = (0..20)
        .map(|number| {
            line(
                &format!("Complaint {number} of {}", number * 7919),
                "dislike",
                0.2,
            )
        })
        .collect();

    let event = services.deliver("feedback/complaints", lines).await;
    function.handle(event).await.expect("worked off");

    assert_eq!(asked(&[&script]).len(), 20);
}

#[tokio::test]
async fn a_text_of_the_pool_is_asked_when_a_user_complains_about_it() {
    let services = Services::start();
    let script = without_a_model();
    let function = services.function_with_pool(&script, IN_REVIEW);
    let event = services.deliver("feedback/texts", unlabelled(40)).await;
    function.handle(event).await.expect("worked off");
    let first = services.keys("backlog/4-pool/").await;
    let mut waiting: Value = serde_json::from_str(&services.get(&first[0]).await).expect("JSON");
    let text = waiting["utterance"].as_str().expect("a text").to_owned();
    for (name, value) in [
        ("signal", "dislike"),
        ("source", "explicit-api"),
        ("suggestedLabel", "Sports"),
    ] {
        waiting[name] = value.into();
    }

    let event = services
        .deliver("feedback/complaint", format!("{waiting}\n"))
        .await;
    function.handle(event.clone()).await.expect("worked off");
    function.handle(event).await.expect("worked off again");

    let mut all = asked(&[&script]);
    assert_eq!(all.len(), 13);
    all.dedup();
    assert_eq!(all.len(), 13, "each once");
    assert!(all.contains(&text));
    assert_eq!(services.keys("backlog/4-pool/").await, first[1..]);
    assert!(services.keys("backlog/3-ranked/").await.is_empty());
    let input = loops(&script)
        .into_iter()
        .find(|(_, input)| input.contains(&text));
    assert!(input.expect("a loop").1.contains("suggestedLabel"));
}

/// Labels a text that waits, as an import does: in its own spelling, or in one that has its form.
async fn label(services: &Services, waiting: &str, is_spelt_otherwise: bool) -> String {
    let line = services.get(waiting).await;
    let mut record = FeedbackRecord::parse(line.as_bytes()).expect("a record");
    let text = record.utterance.clone();
    let form = keys::claim(&format!("text-{}", same_form(&record)));
    if is_spelt_otherwise {
        record.id = OTHER_SPELLING.to_owned();
        record.utterance = text.to_uppercase();
        let claim = json!({"owner": record.id, "claimedAt": chrono::Utc::now()});
        put(services, &form, claim.to_string().into_bytes()).await;
    }
    let vote = Vote {
        worker: UNSIGNED.to_owned(),
        answer: Answer::labels(["World"]),
        source: VoteSource::Import,
        at: "2026-11-19T10:00:00.000Z".to_owned(),
        seconds: None,
        note: Default::default(),
    };
    let key = keys::question(&record.id);
    let mut question = Question::known(record);
    question.answer_with(&[vote]);
    put(services, &key, question.to_json()).await;
    text
}

async fn put(services: &Services, key: &str, content: Vec<u8>) {
    let put = services.s3.put_object().bucket(BUCKET).key(key);
    put.body(content.into()).send().await.expect("stored");
}

#[tokio::test]
async fn a_text_of_the_pool_that_was_labelled_meanwhile_is_not_asked_in_whatever_spelling_it_was() {
    let services = Services::start();
    let script = without_a_model();
    let function = services.function_with_pool(&script, IN_REVIEW);
    let event = services.deliver("feedback/texts", unlabelled(40)).await;
    function.handle(event).await.expect("worked off");
    let waiting = services.keys("backlog/4-pool/").await;
    let labelled = [
        label(&services, &waiting[0], false).await,
        label(&services, &waiting[1], true).await,
    ];

    while let [open, ..] = &services.keys("asked/").await[..] {
        let event = done_with(&services, open).await;
        function.handle(event).await.expect("selected");
    }

    let all = asked(&[&script]);
    assert_eq!(all.len(), 38);
    assert!(labelled.iter().all(|text| !all.contains(text)), "{labelled:?}");
    assert_eq!(services.keys("backlog/4-pool/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_text_of_the_pool_that_was_labelled_in_another_spelling_meanwhile_is_kept_as_its_copy() {
    let services = Services::start();
    let script = without_a_model();
    let function = services.function_with_pool(&script, IN_REVIEW);
    let event = services.deliver("feedback/texts", unlabelled(40)).await;
    function.handle(event).await.expect("worked off");
    let waiting = services.keys("backlog/4-pool/").await;
    let line = services.get(&waiting[0]).await;
    let copy = FeedbackRecord::parse(line.as_bytes()).expect("a record");
    label(&services, &waiting[0], true).await;
    label(&services, &waiting[1], false).await;

    while let [open, ..] = &services.keys("asked/").await[..] {
        let event = done_with(&services, open).await;
        function.handle(event).await.expect("selected");
    }

    let duplicates = services.keys("duplicates/").await;
    assert_eq!(
        duplicates,
        [keys::duplicate(&copy.id)],
        "one has a label of its own"
    );
    let duplicate: Value = serde_json::from_str(&services.get(&duplicates[0]).await).expect("JSON");
    assert_eq!(duplicate, json!({"original": OTHER_SPELLING}));
    let kept = KeptCopy::of(OTHER_SPELLING, &copy).expect("ids");
    assert_eq!(services.copies().await, [kept]);
}

#[tokio::test]
async fn an_audit_that_waits_is_asked_although_its_text_was_labelled_meanwhile() {
    for is_spelt_otherwise in [false, true] {
        let services = Services::start();
        let script = starting();
        let function = services.function_with_budget(&script, "1");
        let at = |day: u32| -> chrono::DateTime<chrono::Utc> {
            let noon = format!("2026-11-{day}T12:00:00Z");
            noon.parse().expect("a time")
        };
        let audits =
            ["A late goal wins the cup", "The minister resigns"].map(|text| line(text, "audit", 0.9));
        let event = services.deliver("feedback/a", audits.concat()).await;
        function.handle_at(event, at(20)).await.expect("worked off");
        let waiting = services.keys("backlog/1-audit/").await;
        assert_eq!(waiting.len(), 1);
        let text = label(&services, &waiting[0], is_spelt_otherwise).await;

        let select = json!({"operation": "select"});
        function.handle_at(select, at(21)).await.expect("selected");

        let all = asked(&[&script]);
        assert!(all.len() == 2 && all.contains(&text), "{all:?}");
        assert_eq!(services.keys("backlog/1-audit/").await, Vec::<String>::new());
    }
}
