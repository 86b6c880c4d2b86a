//! The review budget: what waits, who is next, and that neither money nor items are lost.

use std::collections::BTreeMap;

use a2i_trigger::free_turn;
use active_learning_aws::bucket::Bucket;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use local_aws::script::Script;
use serde_json::{Value, json};

use crate::harness::*;

fn day(day: u32) -> DateTime<Utc> {
    format!("2026-11-{day:02}T12:00:00Z").parse().expect("a time")
}

fn select() -> Value {
    json!({"operation": "select"})
}

/// Doubtful predictions about different things.
fn doubtful(object: usize, count: usize) -> String {
    let line = |number: usize| line(&format!("Object {object} text {number}"), "low-confidence", 0.2);
    (0..count).map(line).collect()
}

/// Selection probability of every asked record, by text.
fn probabilities(script: &Script) -> BTreeMap<String, Option<f64>> {
    let mut probabilities = BTreeMap::new();
    for (_, input) in loops(script) {
        let input: Value = serde_json::from_str(&input).expect("JSON");
        for item in input["comprehendPredictions"].as_array().expect("items") {
            let utterance = item["utterance"].as_str().expect("text").to_owned();
            probabilities.insert(utterance, item["selectionProbability"].as_f64());
        }
    }
    probabilities
}

async fn backlog(services: &Services) -> usize {
    let keys = services.keys("backlog/").await;
    let is_state = |key: &&String| {
        let states = ["/budget.json", "/asked-before.json", "/selector.json"];
        states.iter().any(|state| key.ends_with(state))
    };
    let is_item = |key: &&String| !is_state(key);
    keys.iter().filter(is_item).count()
}

#[tokio::test]
async fn the_budget_is_spent_exactly_however_many_runs_spend_it_at_once() {
    let services = Services::start();
    let script = starting();
    let function = services.function_with_budget(&script, "25");
    let events = join_all((0..4).map(|object| {
        let services = &services;
        async move {
            let key = format!("feedback/{object}");
            services.deliver(&key, doubtful(object, 15)).await
        }
    }))
    .await;

    let deliveries = events
        .iter()
        .chain(&events)
        .map(|event| function.handle_at(event.clone(), day(20)));
    let selections = (0..3).map(|_| function.handle_at(select(), day(20)));
    let (delivered, selected) = futures::join!(join_all(deliveries), join_all(selections));
    let outcomes: Vec<_> = delivered.into_iter().chain(selected).collect();

    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(asked(&[&script]).len(), 25);
    for (today, expected) in [(20, 25), (21, 50), (22, 60)] {
        function.handle_at(select(), day(today)).await.expect("selected");
        assert_eq!(asked(&[&script]).len(), expected);
    }
    assert_eq!(backlog(&services).await, 0);
}

#[tokio::test]
async fn what_the_budget_leaves_out_is_asked_on_the_next_days_each_once() {
    let services = Services::start();
    let script = starting();
    let function = services.function_with_budget(&script, "20");
    let event = services.deliver("feedback/a", doubtful(0, 50)).await;

    let mut asked_by_day = Vec::new();
    for (today, payload) in [
        (20, event.clone()),
        (20, select()),
        (21, event),
        (22, select()),
        (23, select()),
    ] {
        function.handle_at(payload, day(today)).await.expect("selected");
        asked_by_day.push(asked(&[&script]).len());
    }

    assert_eq!(asked_by_day, [20, 20, 40, 50, 50]);
    let mut all = asked(&[&script]);
    all.dedup();
    assert_eq!((all.len(), backlog(&services).await), (50, 0));
}

#[tokio::test]
async fn audits_come_first_then_what_users_dislike_and_what_the_model_doubts_most() {
    let services = Services::start();
    let script = starting();
    let function = services.function_with_budget(&script, "4");
    let content: String = (0..30)
        .map(|number| line(&format!("Fairly sure {number}"), "low-margin", 0.8))
        .chain([
            line("Torn between two", "low-confidence", 0.01),
            line("Said to be wrong", "dislike", 0.95),
            line("Audited one", "audit", 0.9),
            line("Audited two", "audit", 0.99),
        ])
        .collect();
    // Old lines have no probability, and none of them is drawn.
    let content = content.replace(r#""selectionProbability":1.0"#, r#""selectionProbability":null"#);
    let event = services.deliver("feedback/a", content).await;

    function.handle_at(event, day(20)).await.expect("selected");

    let probabilities = probabilities(&script);
    let expected = [
        ("Audited one", Some(0.01)),
        ("Audited two", Some(0.01)),
        ("Said to be wrong", None),
        ("Torn between two", None),
    ];
    let expected = expected.map(|(text, probability)| (text.to_owned(), probability));
    assert_eq!(probabilities, BTreeMap::from(expected));
}

#[tokio::test]
async fn what_is_like_a_question_of_the_day_before_waits_for_something_else() {
    for damaged in [false, true] {
        let services = Services::start();
        let script = starting();
        let function = services.function_with_budget(&script, "1");
        let doubt = |text| line(text, "low-confidence", 0.2).replace(r#":1.0"#, ":null");
        let first = services
            .deliver("feedback/a", doubt("central bank raises interest rates"))
            .await;
        function.handle_at(first, day(20)).await.expect("selected");
        if damaged {
            services.deliver("backlog/asked-before.json", "[1]").await;
        }
        let texts = [
            "bank raises rates",
            "bank raises interest rates",
            "team wins match",
        ];
        let second = services.deliver("feedback/b", texts.map(doubt).concat()).await;

        function.handle_at(second, day(21)).await.expect("selected");

        let asked: Vec<String> = probabilities(&script).into_keys().collect();
        let second = if damaged { "bank raises" } else { "team wins" };
        assert!(asked.iter().any(|text| text.starts_with(second)), "{asked:?}");
    }
}

#[tokio::test]
async fn some_are_drawn_by_chance_and_say_with_what_probability() {
    let services = Services::start();
    let script = starting();
    let function = services.function_with_budget(&script, "150");
    let event = services.deliver("feedback/a", doubtful(0, 150)).await;

    function.handle_at(event, day(20)).await.expect("selected");

    let probabilities = probabilities(&script);
    let drawn = probabilities.values().flatten().count();
    assert_eq!(probabilities.len(), 150);
    assert!((5..=30).contains(&drawn), "{drawn}");
    assert!(
        probabilities
            .values()
            .flatten()
            .all(|probability| *probability == 0.1)
    );
}

#[tokio::test]
async fn without_a_limit_nothing_waits_and_what_waited_is_asked() {
    let services = Services::start();
    let (limited, unlimited) = (starting(), starting());
    let first = services.deliver("feedback/a", doubtful(0, 30)).await;
    let second = services.deliver("feedback/b", doubtful(1, 5)).await;

    services
        .function_with_budget(&limited, "10")
        .handle_at(first, day(20))
        .await
        .expect("selected");
    services
        .function(&unlimited)
        .handle_at(second, day(20))
        .await
        .expect("worked off");
    assert_eq!((asked(&[&limited]).len(), asked(&[&unlimited]).len()), (10, 5));
    services
        .function(&unlimited)
        .handle_at(select(), day(20))
        .await
        .expect("selected");

    assert_eq!(asked(&[&limited, &unlimited]).len(), 35);
    assert_eq!(backlog(&services).await, 0);
}

#[tokio::test]
async fn a_run_that_breaks_off_anywhere_loses_and_overspends_nothing() {
    for operation in [
        "PUT /BUCKET/claims/",
        "PUT /BUCKET/backlog/3-ranked/",
        "PUT /BUCKET/backlog/budget.json",
        "PUT /BUCKET/asked/",
        "PUT /BUCKET/backlog/asked-before.json",
        "DELETE /BUCKET/backlog/",
        START,
    ] {
        for passed in [0, 2, 7] {
            let services = Services::start();
            let event = services.deliver("feedback/a", doubtful(0, 8)).await;
            let broken = breaking_off(passed, &operation.replace("BUCKET", BUCKET));
            let whole = starting();

            let outcome = services
                .function_with_budget(&broken, "5")
                .handle_at(event.clone(), day(20))
                .await;
            let function = services.function_with_budget(&whole, "5");
            for _ in 0..2 {
                function
                    .handle_at(event.clone(), day(20))
                    .await
                    .expect("worked off");
            }
            let case = format!("{operation} {passed} {outcome:?}");
            assert_eq!(asked(&[&broken, &whole]).len(), 5, "{case}");
            function.handle_at(event, day(21)).await.expect("worked off");

            let mut all = asked(&[&broken, &whole]);
            assert_eq!(all.len(), 8, "{case}");
            all.dedup();
            assert_eq!((all.len(), backlog(&services).await), (8, 0), "{case}");
        }
    }
}

#[tokio::test]
async fn a_damaged_item_is_set_aside_with_its_reason_and_the_others_are_asked() {
    let services = Services::start();
    services
        .deliver("backlog/1-audit/0-damaged.json", "{\"classifier\": \"news\"}")
        .await;
    let event = services.deliver("feedback/a", doubtful(0, 3)).await;
    let script = starting();

    services
        .function_with_budget(&script, "3")
        .handle_at(event, day(20))
        .await
        .expect("selected");

    assert_eq!(asked(&[&script]).len(), 3, "it costs nothing");
    let rejected = services.keys("rejected/a2i-trigger/").await;
    let line: Value = serde_json::from_str(&services.get(&rejected[0]).await).expect("one line");
    assert_eq!(line["reason"], "field `utterance` is missing or empty");
    assert_eq!(line["raw"], "{\"classifier\": \"news\"}");
    assert_eq!(backlog(&services).await, 0);
}

#[tokio::test]
async fn a_damaged_budget_is_named_and_quotes_nothing() {
    let services = Services::start();
    services
        .deliver("backlog/budget.json", "{\"day\": [\"secret\"]}")
        .await;

    let outcome = services
        .function_with_budget(&starting(), "3")
        .handle_at(select(), day(20))
        .await;

    let error = active_learning_aws::failure::chain(&outcome.expect_err("damaged"));
    assert_eq!(
        error,
        "plans, copies or the backlog could not be read or written: \
         s3://feedback-123456789012/backlog/budget.json is damaged in line 1, column 8"
    );
}

/// Lets somebody have the turn to select for so many seconds.
async fn hold_turn(services: &Services, seconds: i64) {
    let until = Utc::now() + TimeDelta::seconds(seconds);
    let turn = json!({"holder": "somebody", "until": until, "again": false});
    let put = services
        .s3
        .put_object()
        .bucket(BUCKET)
        .key("backlog/selector.json");
    let body = aws_sdk_s3::primitives::ByteStream::from(turn.to_string().into_bytes());
    put.body(body).send().await.expect("stored");
}

#[tokio::test]
async fn while_one_run_selects_others_leave_word_and_go() {
    let services = Services::start();
    let script = starting();
    let function = services.function_with_budget(&script, "25");
    hold_turn(&services, 60).await;

    for object in 0..3 {
        let event = services
            .deliver(&format!("feedback/{object}"), doubtful(object, 2))
            .await;
        function.handle_at(event, day(20)).await.expect("taken in");
    }

    assert_eq!((asked(&[&script]).len(), backlog(&services).await), (0, 6));
    let turn: Value = serde_json::from_str(&services.get("backlog/selector.json").await).expect("JSON");
    assert_eq!(
        (&turn["holder"], &turn["again"]),
        (&json!("somebody"), &json!(true))
    );
}

#[tokio::test]
async fn a_turn_of_before_a_start_is_freed_and_one_that_was_taken_since_is_not() {
    let services = Services::start();
    let script = starting();
    let function = services.function_with_budget(&script, "25");
    let feedback = Bucket::new(services.s3.clone(), BUCKET);
    let now = Utc::now();
    hold_turn(&services, 60).await;
    let event = services.deliver("feedback/a", doubtful(0, 2)).await;
    function.handle_at(event, day(20)).await.expect("taken in");
    let while_held = asked(&[&script]).len();

    let of_later = free_turn(&feedback, now - TimeDelta::minutes(5)).await;
    let of_before = free_turn(&feedback, now).await;
    let once_more = free_turn(&feedback, now).await;
    function.handle_at(select(), day(20)).await.expect("selected");

    assert!(!of_later.expect("read"), "it was taken since");
    assert!(of_before.expect("freed"));
    assert!(!once_more.expect("read"), "there is none any more");
    assert_eq!((while_held, asked(&[&script]).len()), (0, 2));
}

#[tokio::test]
async fn a_turn_that_was_never_ended_or_lies_in_the_future_is_taken_over() {
    for seconds in [-1, 86_400] {
        let services = Services::start();
        let script = starting();
        let function = services.function_with_budget(&script, "25");
        hold_turn(&services, seconds).await;
        let event = services.deliver("feedback/a", doubtful(0, 2)).await;

        function.handle_at(event, day(20)).await.expect("taken in");

        assert_eq!(asked(&[&script]).len(), 2, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_too_many_others_keep_from_counting_is_worked_off() {
    let services = Services::start();
    let script = starting();
    // As many as it tries.
    let taken = "<Error><Code>PreconditionFailed</Code></Error>";
    script.answer(30, &format!("PUT /{BUCKET}/backlog/budget.json"), 412, taken);
    let function = services.function_with_budget(&script, "20");
    let event = services.deliver("feedback/a", doubtful(0, 5)).await;

    function.handle_at(event, day(20)).await.expect("worked off");

    assert_eq!(asked(&[&script]).len(), 5);
    assert_eq!(backlog(&services).await, 0);
}
