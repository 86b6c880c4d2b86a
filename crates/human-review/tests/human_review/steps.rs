//! The task page's own requests: one step with the next task in it, leases, undo, guideline, blind review.

use std::sync::atomic::Ordering;

use chrono::Duration;
use human_review::portal::ShowRules;
use serde_json::{Value, json};

use crate::harness::{Reply, Review, Session, config, proxy_event, two_items};
use crate::label_changes::{put_set, set_of};

fn item(signal: &str) -> Value {
    json!({
        "comprehendPredictions": [{
            "id": "r-1", "utterance": "text", "prediction": "World", "confidence": 0.4, "signal": signal,
        }],
        "labels": ["World", "Sports"],
    })
}

fn as_json(mut event: Value) -> Value {
    event["headers"]["Accept"] = json!("application/json");
    event
}

async fn get(session: &Session<'_>, page: &str) -> Reply {
    let event = proxy_event("GET", page, Some(&session.cookie), &[]);
    Reply(session.review.handle(as_json(event)).await)
}

async fn post(session: &Session<'_>, page: &str, form: &[(&str, &str)]) -> Reply {
    let event = proxy_event("POST", page, Some(&session.cookie), form);
    Reply(session.review.handle(as_json(event)).await)
}

/// A browser, which keeps the cookie of a history.
#[derive(Clone)]
struct Browser {
    session: String,
    history: String,
}

impl Browser {
    fn of(session: &Session<'_>) -> Self {
        Self {
            session: session.cookie.clone(),
            history: String::new(),
        }
    }

    /// Signs somebody else in.
    fn become_of(&mut self, session: &Session<'_>) {
        self.session.clone_from(&session.cookie);
    }

    async fn send(&mut self, review: &Review, mut event: Value) -> Reply {
        event["headers"]["Cookie"] = json!(format!("{}; {}", self.session, self.history));
        let reply = Reply(review.handle(as_json(event)).await);
        let given = reply.header("set-cookie").split(';').next().unwrap_or_default();
        if given.starts_with("review-history=") {
            given.clone_into(&mut self.history);
        }
        reply
    }

    async fn get(&mut self, session: &Session<'_>, page: &str) -> Value {
        let event = proxy_event("GET", page, None, &[]);
        self.send(session.review, event).await.json()
    }

    async fn post(&mut self, session: &Session<'_>, page: &str, form: &[(&str, &str)]) -> Reply {
        let event = proxy_event("POST", page, None, form);
        self.send(session.review, event).await
    }

    /// Answers the next task.
    async fn answer(&mut self, session: &Session<'_>) -> Value {
        let token = token(session).await;
        let task = get(session, "next").await.json()["next"].take();
        let form = [
            ("portal:csrf", token.as_str()),
            ("portal:loop", task["loop"].as_str().expect("a name")),
            ("portal:loop-id", task["id"].as_str().expect("an id")),
            ("portal:answer", r#"{"r-1":"Sports"}"#),
            ("portal:next", "no"),
        ];
        let reply = self.post(session, "submit", &form).await;
        assert_eq!(reply.status(), 200, "{reply:?}");
        reply.json()
    }
}

async fn token(session: &Session<'_>) -> String {
    let document = get(session, "session").await.json();
    document["formToken"].as_str().expect("a token").to_owned()
}

async fn submit(session: &Session<'_>, task: &Value, answer: &Value, more: &[(&str, &str)]) -> Reply {
    let (token, answer) = (token(session).await, answer.to_string());
    let mut form = vec![
        ("portal:csrf", token.as_str()),
        ("portal:loop", task["loop"].as_str().expect("a name")),
        ("portal:loop-id", task["id"].as_str().expect("an id")),
        ("portal:answer", &answer),
    ];
    form.extend_from_slice(more);
    post(session, "submit", &form).await
}

#[tokio::test]
async fn a_step_brings_the_next_task_and_says_what_is_saved() {
    let review = Review::new();
    for name in ["tc-1", "tc-2", "tc-3"] {
        review.start(name, &item("low-confidence")).await;
        review.wait(Duration::seconds(1));
    }
    let ann = review.sign_in("ann").await;
    let first = get(&ann, "next").await.json();
    let second = get(&ann, "next?without=tc-1").await.json();

    let step = submit(
        &ann,
        &first["next"],
        &json!({ "r-1": "Sports" }),
        &[("portal:without", "tc-2")],
    )
    .await;

    assert_eq!(
        (&first["next"]["loop"], &second["next"]["loop"]),
        (&json!("tc-1"), &json!("tc-2"))
    );
    assert_eq!(step.status(), 200);
    let step = step.json();
    assert_eq!((&step["saved"], &step["doneToday"]), (&json!(true), &json!(1)));
    assert_eq!(
        (&step["next"]["loop"], &step["waiting"]),
        (&json!("tc-3"), &json!(2))
    );
    assert!(
        step["next"]["html"]
            .as_str()
            .is_some_and(|html| html.contains("name=\"r-1\""))
    );
    assert_eq!(review.status("tc-1").await, "Completed");
}

#[tokio::test]
async fn what_a_step_reads_does_not_depend_on_how_many_wait() {
    let mut reads = Vec::new();
    for open in [5, 60] {
        let review = Review::new();
        for number in 0..open {
            review.start(&format!("tc-{number}"), &item("dislike")).await;
            review.wait(Duration::seconds(1));
        }
        let ann = review.sign_in("ann").await;
        let first = get(&ann, "next").await.json();
        let before = review.reads.load(Ordering::Relaxed);

        submit(&ann, &first["next"], &json!({ "r-1": "Sports" }), &[]).await;

        reads.push(review.reads.load(Ordering::Relaxed) - before);
    }
    assert_eq!(reads[0], reads[1], "{reads:?}");
}

/// Starts tasks of one text each, a second apart.
async fn start_many(review: &Review, count: usize) {
    for number in 0..count {
        review.start(&format!("tc-{number:02}"), &item("dislike")).await;
        review.wait(Duration::seconds(1));
    }
}

/// Answers tasks as the page's script does, which has one more ready; returns what each step asked of S3, but for what a
/// process asks for once in some seconds.
async fn asked_in_steps(review: &Review, steps: usize) -> Vec<usize> {
    let ann = review.sign_in("ann").await;
    let token = token(&ann).await;
    let mut shown = get(&ann, "next").await.json()["next"].take();
    let first = shown["loop"].as_str().expect("a name").to_owned();
    let mut ready = get(&ann, &format!("next?without={first}")).await.json()["next"].take();
    let mut browser = Browser::of(&ann);
    let mut requests = Vec::new();
    for _ in 0..steps {
        let before = review.asked();
        let form = [
            ("portal:csrf", token.as_str()),
            ("portal:loop", shown["loop"].as_str().expect("a name")),
            ("portal:loop-id", shown["id"].as_str().expect("an id")),
            ("portal:answer", r#"{"r-1":"Sports"}"#),
            ("portal:without", ready["loop"].as_str().expect("a name")),
        ];
        let mut step = browser.post(&ann, "submit", &form).await.json();
        requests.push(review.asked() - before);
        shown = std::mem::replace(&mut ready, step["next"].take());
    }
    requests
}

#[tokio::test]
async fn a_step_of_one_text_asks_s3_four_times_and_each_fifth_and_eighth_once_more() {
    let review = Review::new();
    put_set(&review, &set_of(&["World", "Sports"])).await;
    start_many(&review, 20).await;

    let requests = asked_in_steps(&review, 8).await;

    // The first reads the history of the reviewer and writes it; those between are carried by the browser.
    assert_eq!(requests, [6, 4, 4, 4, 4, 5, 4, 5]);
    assert_eq!(
        review.keys("human-review/queue/").await.len(),
        12,
        "the marks of eight tasks left together"
    );
}

#[tokio::test]
async fn a_step_asks_once_more_where_another_process_has_started_the_task() {
    let review = Review::new();
    put_set(&review, &set_of(&["World", "Sports"])).await;
    start_many(&review, 20).await;
    let review = review.restarted(config());

    let requests = asked_in_steps(&review, 8).await;

    assert_eq!(requests, [7, 5, 5, 5, 5, 6, 5, 6]);
}

#[tokio::test]
async fn a_step_costs_the_same_however_many_tasks_the_reviewer_has_answered_that_wait_for_another() {
    let mut config = config();
    config.task_count = 2;
    let review = Review::with(config);
    put_set(&review, &set_of(&["World", "Sports"])).await;
    start_many(&review, 40).await;

    let requests = asked_in_steps(&review, 31).await;

    // The history is written at each fifth; no output, and no mark goes.
    let first: Vec<usize> = requests[1..6].to_vec();
    assert_eq!(first, [3, 3, 3, 3, 4]);
    for later in requests[6..].chunks(5) {
        assert_eq!(later, first, "{requests:?}");
    }
}

#[tokio::test]
async fn skipped_tasks_are_passed_over_without_a_read_and_come_when_there_is_nothing_else() {
    let review = Review::new();
    put_set(&review, &set_of(&["World", "Sports"])).await;
    start_many(&review, 14).await;
    let ann = review.sign_in("ann").await;
    let token = token(&ann).await;
    let mut task = get(&ann, "next").await.json()["next"].take();
    let mut requests = Vec::new();
    for _ in 0..13 {
        let name = task["loop"].as_str().expect("a name").to_owned();
        let before = review.asked();
        let form = [("portal:csrf", token.as_str()), ("portal:loop", name.as_str())];
        task = post(&ann, "release", &form).await.json()["next"].take();
        requests.push(review.asked() - before);
    }
    let last = task["loop"].as_str().expect("a name").to_owned();

    let again = get(&ann, &format!("next?without={last}")).await.json();

    assert!(
        requests[1..].iter().all(|request| *request == requests[1]),
        "{requests:?}"
    );
    assert_eq!(
        (last.as_str(), &again["next"]["loop"]),
        ("tc-13", &json!("tc-00"))
    );
}

#[tokio::test]
async fn a_task_that_another_process_has_taken_meanwhile_is_not_given_twice() {
    let review = Review::new();
    start_many(&review, 2).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let other = human_review::HumanReview::new(config(), review.s3.clone(), b"a secret of the test");
    let event = as_json(proxy_event("GET", "next", Some(&bea.cookie), &[]));
    let of_bea = Reply(other.handle(event, review.now()).await.expect("answered")).json();

    // This process knows both as it has started them.
    let of_ann = get(&ann, "next").await.json();
    let no_more = get(&ann, "next?without=tc-01").await.json();

    assert_eq!(of_bea["next"]["loop"], "tc-00");
    assert_eq!(of_ann["next"]["loop"], "tc-01");
    assert_eq!(no_more["next"], Value::Null);
}

#[tokio::test]
async fn a_mark_that_stayed_since_its_process_was_ended_holds_up_nobody_and_goes() {
    let review = Review::new();
    start_many(&review, 4).await;
    asked_in_steps(&review, 1).await;
    let left = review.keys("human-review/queue/").await.len();
    let review = review.restarted(config());
    let bea = review.sign_in("bea").await;
    review.wait(Duration::minutes(2));

    let next = get(&bea, "next").await.json();

    assert_eq!(left, 4, "that of the first task leaves with others");
    assert_eq!(next["next"]["loop"], "tc-03", "ann has the others ready");
    assert_eq!(review.keys("human-review/queue/").await.len(), 3);
}

#[tokio::test]
async fn what_a_browser_carries_of_a_history_is_listed_everywhere_once_it_was_noted_and_counted_once() {
    let review = Review::new();
    for number in 0..9 {
        review.start(&format!("tc-{number}"), &item("dislike")).await;
        review.wait(Duration::seconds(1));
    }
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let mut browser = Browser::of(&ann);
    let mut done = Vec::new();
    for _ in 0..3 {
        done.push(browser.answer(&ann).await["doneToday"].clone());
        review.wait(Duration::seconds(1));
    }
    // Another process, which was not told.
    let cookies = [&ann, &bea].map(|session| session.cookie.clone());
    let review = review.restarted(config());
    let [ann, bea] = cookies.map(|cookie| Session {
        review: &review,
        cookie,
    });

    let here = browser.get(&ann, "history").await;
    let elsewhere = get(&ann, "history").await.json();
    let mut stale = browser.clone();
    browser.become_of(&bea);
    let of_bea = browser.answer(&bea).await;
    let after = get(&ann, "history").await.json();
    let again = stale.answer(&ann).await;

    let names = |history: &Value| history["answers"].as_array().map(Vec::len);
    assert_eq!(done, [1, 2, 3].map(|count| json!(count)));
    assert_eq!((names(&here), &here["doneToday"]), (Some(3), &json!(3)));
    assert_eq!(
        (names(&elsewhere), &elsewhere["doneToday"]),
        (Some(1), &json!(1)),
        "the first was noted, the others are in the browser"
    );
    assert_eq!(of_bea["doneToday"], 1);
    assert_eq!((names(&after), &after["doneToday"]), (Some(3), &json!(3)));
    assert_eq!(
        again["doneToday"], 4,
        "what was noted meanwhile is not counted again"
    );
}

#[tokio::test]
async fn a_history_that_a_browser_carries_is_noted_when_its_reviewer_signs_out() {
    let review = Review::new();
    for number in 0..3 {
        review.start(&format!("tc-{number}"), &item("dislike")).await;
        review.wait(Duration::seconds(1));
    }
    let ann = review.sign_in("ann").await;
    let mut browser = Browser::of(&ann);
    for _ in 0..3 {
        browser.answer(&ann).await;
    }
    let token = token(&ann).await;

    browser.post(&ann, "sign-out", &[("portal:csrf", &token)]).await;
    let review = review.restarted(config());
    let ann = review.sign_in("ann").await;

    assert_eq!(get(&ann, "history").await.json()["doneToday"], 3);
}

#[tokio::test]
async fn an_answer_counts_where_the_task_has_changed_since_it_was_taken() {
    let review = Review::new();
    review.start("tc-1", &item("dislike")).await;
    let ann = review.sign_in("ann").await;
    let shown = get(&ann, "next").await.json()["next"].take();
    // Another process does, which this one does not know.
    let key = "human-review/loops/tc-1.json";
    let mut state: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    state["skipped_by"] = json!(["somebody"]);
    review.put(key, &state.to_string()).await;

    let step = submit(&ann, &shown, &json!({ "r-1": "Sports" }), &[]).await;

    assert_eq!(step.status(), 200);
    let state: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    assert_eq!(
        (&state["status"], &state["skipped_by"]),
        (&json!("Completed"), &json!(["somebody"]))
    );
}

#[tokio::test]
async fn a_text_that_was_erased_while_its_page_was_open_is_not_kept_with_a_comment() {
    let review = Review::new();
    review.start("tc-1", &item("dislike")).await;
    let ann = review.sign_in("ann").await;
    let shown = get(&ann, "next").await.json()["next"].take();
    let state = "human-review/loops/tc-1.json";
    let rest = review.object(state).await.replace("\"text\"", "\"[erased]\"");
    review.put(state, &rest).await;

    let answer = json!({ "r-1": "Sports", "comment:r-1": "a comment" });
    let step = submit(&ann, &shown, &answer, &[]).await;

    assert_eq!(step.status(), 200);
    let mut kept = String::new();
    for key in review.keys("human-review/remarks").await {
        kept += &review.object(&key).await;
    }
    assert!(kept.contains("a comment") && kept.contains("[erased]"), "{kept}");
}

#[tokio::test]
async fn what_is_said_of_a_text_that_was_erased_while_its_page_was_open_is_in_no_answer_and_no_output() {
    let review = Review::new();
    let input = json!({ "labels": ["World", "Sports"], "comprehendPredictions": [
        { "id": "r-1", "utterance": "hers", "prediction": "World", "confidence": 0.4 },
        { "id": "r-2", "utterance": "mine", "prediction": "World", "confidence": 0.4 },
    ] });
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;
    let shown = get(&ann, "next").await.json()["next"].take();
    let key = "human-review/loops/tc-1.json";
    let mut state: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    state["input"]["comprehendPredictions"][0] = json!({ "id": "r-1", "erased": true });
    review.put(key, &state.to_string()).await;

    let step = submit(&ann, &shown, &json!({ "r-1": "Sports", "r-2": "World" }), &[]).await;

    assert_eq!(step.status(), 200);
    let state: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    let output = review.keys("tc-review/").await.remove(0);
    let output: Value = serde_json::from_str(&review.object(&output).await).expect("JSON");
    let expected = json!({ "r-2": "World" });
    assert_eq!(state["answers"][0]["answer"]["content"], expected);
    assert_eq!(output["humanAnswers"][0]["answerContent"], expected);
    assert!(!output.to_string().contains("hers"), "{output}");
}

#[tokio::test]
async fn a_task_of_the_version_before_is_shown_and_answered_though_its_state_holds_neither_input_nor_answers()
{
    let review = Review::new();
    let long = "a long text ".repeat(1_000);
    for (name, text) in [("tc-old", "text"), ("tc-long", &*long)] {
        let mut input = item("dislike");
        input["comprehendPredictions"][0]["utterance"] = json!(text);
        review.start(name, &input).await;
    }
    let key = "human-review/loops/tc-old.json";
    let mut state: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    let input = state.as_object_mut().and_then(|state| state.remove("input"));
    let id = state["id"].as_str().expect("an id").to_owned();
    let earlier = json!({
        "worker": human_review::human_loop::Worker::of("bea"), "accepted_at": "2026-11-20T09:00:00Z",
        "submitted_at": "2026-11-20T09:00:01Z", "issuer": "https://portal", "content": { "r-1": "World" },
    });
    (state["task_count"], state["answers"]) =
        (json!(2), json!([{ "worker_id": "w-bea", "answer_id": "a-1" }]));
    review.put(key, &state.to_string()).await;
    let input_key = format!("human-review/inputs/{id}.json");
    review.put(&input_key, &input.expect("held").to_string()).await;
    review
        .put(
            &format!("human-review/answers/{id}/a-1.json"),
            &earlier.to_string(),
        )
        .await;
    let ann = review.sign_in("ann").await;

    for name in ["tc-old", "tc-long"] {
        let task = get(&ann, &format!("task?loop={name}")).await.json()["task"].take();
        assert!(
            task["html"].as_str().is_some_and(|html| html.contains("text")),
            "{task}"
        );
        let step = submit(&ann, &task, &json!({ "r-1": "Sports" }), &[]).await;
        assert_eq!(step.status(), 200, "{name}");
    }

    let output = review
        .object("tc-review/2026/11/20/09/59/00/tc-old/output.json")
        .await;
    let output: Value = serde_json::from_str(&output).expect("JSON");
    let answers = output["humanAnswers"].as_array().expect("answers");
    let said: Vec<&Value> = answers
        .iter()
        .map(|answer| &answer["answerContent"]["r-1"])
        .collect();
    assert_eq!(said, ["World", "Sports"]);
    assert_eq!(
        review.keys("human-review/inputs/").await.len(),
        2,
        "the old and the long one"
    );
    assert_eq!(review.status("tc-long").await, "Completed");
}

#[tokio::test]
async fn loops_are_not_counted_for_each_that_starts() {
    let review = Review::new();

    for number in 0..30 {
        review.start(&format!("tc-{number}"), &item("dislike")).await;
    }
    let of_minutes = review.lists.load(Ordering::Relaxed);
    review.wait(Duration::seconds(301));
    review.start("tc-later", &item("dislike")).await;
    let later = review.lists.load(Ordering::Relaxed);
    review.wait(Duration::seconds(301));
    review.handle(json!({ "operation": "measure" })).await;
    let before = review.lists.load(Ordering::Relaxed);
    review.start("tc-measured", &item("dislike")).await;

    assert_eq!((of_minutes, later), (1, 2));
    assert_eq!(
        review.lists.load(Ordering::Relaxed),
        before,
        "the look at what is overdue has counted"
    );
}

#[tokio::test]
async fn a_script_is_told_in_json_why_an_answer_is_not_taken() {
    let review = Review::new();
    review.start("tc-1", &item("dislike")).await;
    let ann = review.sign_in("ann").await;
    let task = get(&ann, "next").await.json();

    let blank = submit(&ann, &task["next"], &json!({ "r-1": "" }), &[]).await;
    let long = submit(
        &ann,
        &task["next"],
        &json!({ "r-1": "World", "comment:r-1": "x".repeat(9_000) }),
        &[],
    )
    .await;
    let event = as_json(proxy_event("GET", "next", None, &[]));
    let anonymous = Reply(review.handle(event).await);

    assert_eq!(
        (blank.status(), &blank.json()["code"]),
        (400, &json!("answer_incomplete"))
    );
    assert_eq!(
        (long.status(), &long.json()["code"]),
        (400, &json!("comment_too_long"))
    );
    assert_eq!(
        (anonymous.status(), &anonymous.json()["code"]),
        (401, &json!("sign_in_required"))
    );
    assert_eq!(review.status("tc-1").await, "InProgress");
}

#[tokio::test]
async fn the_last_ten_tasks_can_be_opened_and_answered_again() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;
    for number in 0..12 {
        review.start(&format!("tc-{number}"), &item("dislike")).await;
        let task = get(&ann, "next").await.json();
        submit(
            &ann,
            &task["next"],
            &json!({ "r-1": "Sports", "comment:r-1": "why" }),
            &[("portal:next", "no")],
        )
        .await;
        review.wait(Duration::seconds(1));
    }

    let history = get(&ann, "history").await.json();
    let again = get(&ann, "task?loop=tc-4&correct=yes").await.json();
    let page = ann.get("history").await;
    let corrected = submit(&ann, &again["task"], &json!({ "r-1": "World" }), &[]).await;

    let names: Vec<&Value> = history["answers"]
        .as_array()
        .expect("answers")
        .iter()
        .map(|own| &own["loop"])
        .collect();
    assert_eq!(
        (names.len(), names[0], names[9]),
        (10, &json!("tc-11"), &json!("tc-2"))
    );
    assert_eq!(history["doneToday"], 12);
    assert_eq!(history["answers"][0]["answer"], "Sports");
    assert_eq!(
        again["task"]["previous"],
        json!({ "r-1": "Sports", "comment:r-1": "why" })
    );
    assert!(
        page.body().contains("task?loop=tc-11&amp;correct=yes"),
        "{}",
        page.body()
    );
    assert_eq!(
        (corrected.status(), &corrected.json()["doneToday"]),
        (200, &json!(12))
    );
}

#[tokio::test]
async fn a_lease_is_renewed_given_back_and_lost() {
    let review = Review::new();
    review.start("tc-1", &item("dislike")).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let (anns, beas) = (token(&ann).await, token(&bea).await);
    let form = |token| [("portal:csrf", token), ("portal:loop", "tc-1")];
    get(&ann, "next").await;
    review.wait(Duration::seconds(500));

    let renewed = post(&ann, "renew", &form(anns.as_str())).await;
    review.wait(Duration::seconds(200));
    let still_held = get(&bea, "next").await.json();
    post(&ann, "give-back", &form(anns.as_str())).await;
    let free = get(&bea, "next").await.json();
    let lost = post(&ann, "renew", &form(anns.as_str())).await;
    let forged = post(&ann, "renew", &form(beas.as_str())).await;

    assert_eq!(renewed.json()["leaseSeconds"], 600);
    assert_eq!(still_held["next"], Value::Null);
    assert_eq!(free["next"]["loop"], "tc-1");
    assert_eq!((lost.status(), &lost.json()["code"]), (409, &json!("task_held")));
    assert_eq!(forged.json()["code"], "form_invalid");
}

#[tokio::test]
async fn what_was_fetched_ahead_is_free_within_minutes_unless_its_page_is_open() {
    let review = Review::new();
    for name in ["tc-1", "tc-2", "tc-3"] {
        review.start(name, &item("dislike")).await;
        review.wait(Duration::seconds(1));
    }
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let anns = token(&ann).await;
    let first = get(&ann, "next").await.json();
    let second = get(&ann, "next?without=tc-1").await.json();
    let third = get(&ann, "next?without=tc-1+tc-2").await.json();
    ann.open("tc-1").await;
    let form = [("portal:csrf", anns.as_str()), ("portal:loop", "tc-2")];
    post(&ann, "renew", &form).await;
    let at_once = get(&bea, "next").await.json();

    review.wait(Duration::seconds(181));
    let later = get(&bea, "next").await.json();
    let no_more = get(&bea, "next?without=tc-3").await.json();

    for ahead in [&first, &second, &third] {
        let next = &ahead["next"];
        assert_eq!(
            (&next["leaseSeconds"], &next["isAhead"]),
            (&json!(180), &json!(true))
        );
    }
    assert_eq!(at_once["next"], Value::Null);
    assert_eq!(later["next"]["loop"], "tc-3", "nobody has seen it");
    assert_eq!(no_more["next"], Value::Null, "one is open, the other lies ready");
}

#[tokio::test]
async fn why_a_task_was_skipped_is_kept() {
    let review = Review::new();
    review.start("tc-1", &item("dislike")).await;
    let ann = review.sign_in("ann").await;
    get(&ann, "next").await;
    let token = token(&ann).await;

    let form = [
        ("portal:csrf", token.as_str()),
        ("portal:loop", "tc-1"),
        ("portal:reason", " not my language "),
    ];
    let skipped = post(&ann, "release", &form).await.json();

    assert_eq!(
        (&skipped["skipped"], &skipped["next"]),
        (&json!(true), &Value::Null)
    );
    let state: Value =
        serde_json::from_str(&review.object("human-review/loops/tc-1.json").await).expect("JSON");
    let reasons = state["skip_reasons"].as_object().expect("reasons");
    assert_eq!(reasons.values().collect::<Vec<_>>(), [&json!("not my language")]);
}

#[tokio::test]
async fn audits_are_reviewed_blind_whatever_the_share() {
    let review = Review::new();
    review.start("audit", &item("audit")).await;
    review.start("other", &item("dislike")).await;
    let ann = review.sign_in("ann").await;

    let (audit, other) = (ann.open("audit").await, ann.open("other").await);

    assert!(audit.body().contains("<span class=\"review-verdict\" hidden>"));
    assert!(audit.body().contains("data-blind=\"yes\""));
    assert!(!audit.body().contains("(predicted)"));
    assert!(!other.body().contains("data-blind=\"yes\"") && other.body().contains("(predicted)"));
}

#[tokio::test]
async fn several_labels_are_offered_and_taken_where_the_operator_says_so() {
    let mut config = config();
    config.show_rules = ShowRules {
        several_labels: true,
        ..ShowRules::default()
    };
    let review = Review::with(config);
    review.start("tc-1", &item("dislike")).await;
    let ann = review.sign_in("ann").await;
    let page = ann.open("tc-1").await;

    let taken = ann.submit(&page, &json!({ "r-1": ["Sports", "World"] })).await;

    assert!(page.body().contains("multiple size=") && page.body().contains("data-several"));
    assert_eq!(taken.status(), 303);
}

#[tokio::test]
async fn several_labels_are_offered_where_the_label_set_says_that_training_data_has_them() {
    let review = Review::new();
    let mut set = set_of(&["World", "Sports"]);
    set.take_several_labels("2026-11-20T09:30:00.000Z");
    put_set(&review, &set).await;
    review.start("tc-1", &item("dislike")).await;
    let ann = review.sign_in("ann").await;

    let page = ann.open("tc-1").await;

    assert!(page.body().contains("multiple size=") && page.body().contains("data-several"));
}

#[tokio::test]
async fn the_guideline_stands_beside_the_task_and_its_version_with_the_answer() {
    let review = Review::new();
    let hostile = "<script>alert(1)</script>";
    let world = json!({ "label": "World", "meaning": "Politics", "good": ["A treaty"] });
    let guideline = json!({ "introduction": hostile, "labels": [world] });
    review.put("guideline.json", &guideline.to_string()).await;
    review.start("tc-1", &item("dislike")).await;
    let ann = review.sign_in("ann").await;

    let page = ann.open("tc-1").await;
    let version = page.field("portal:guideline");
    let task = json!({ "loop": "tc-1", "id": page.field("portal:loop-id") });
    submit(
        &ann,
        &task,
        &json!({ "r-1": "World" }),
        &[("portal:guideline", &version)],
    )
    .await;

    assert!(
        page.body().contains("A treaty") && !page.body().contains(hostile),
        "{}",
        page.body()
    );
    assert!(ann.get("guide").await.body().contains("A treaty"));
    let output = review
        .object("tc-review/2026/11/20/09/59/00/tc-1/output.json")
        .await;
    let output: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(output["humanAnswers"][0]["guidelineVersion"], json!(version));
    let kept = review
        .object(&format!("human-review/guidelines/{version}.json"))
        .await;
    assert_eq!(kept, guideline.to_string());
}

#[tokio::test]
async fn a_guideline_that_cannot_be_read_says_where() {
    let review = Review::new();
    review.put("guideline.json", "{\"labels\": 1}").await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;

    let page = ann.open("tc-1").await;

    assert_eq!(page.status(), 200);
    assert!(page.body().contains("line 1, column 12"), "{}", page.body());
}

#[tokio::test]
async fn the_time_spent_is_that_on_the_page_and_not_that_of_lying_ready() {
    let review = Review::new();
    review.start("tc-1", &item("dislike")).await;
    let ann = review.sign_in("ann").await;
    let task = get(&ann, "next").await.json();
    review.wait(Duration::seconds(100));

    submit(
        &ann,
        &task["next"],
        &json!({ "r-1": "World" }),
        &[("portal:spent", "2.5")],
    )
    .await;

    let output = review
        .object("tc-review/2026/11/20/09/59/00/tc-1/output.json")
        .await;
    let output: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(output["humanAnswers"][0]["timeSpentInSeconds"], json!(2.5));
}

#[tokio::test]
async fn the_page_of_one_reviewer_fetches_no_task_in_the_name_of_another_who_has_signed_in() {
    let review = Review::new();
    review.start("tc-1", &item("low-confidence")).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let of_page = token(&ann).await;
    let with_token = |page: &str| {
        let mut event = as_json(proxy_event("GET", page, Some(&bea.cookie), &[]));
        event["headers"]["x-form-token"] = json!(of_page);
        event
    };

    let next = Reply(review.handle(with_token("next")).await);
    let who = Reply(review.handle(with_token("session")).await).json();
    let own = get(&ann, "next").await.json();

    assert_eq!(
        (next.status(), &next.json()["code"]),
        (403, &json!("form_invalid"))
    );
    assert_eq!(who["reviewer"], "bea", "so its script learns who is signed in");
    assert_eq!(own["next"]["loop"], "tc-1", "nobody holds it");
}

#[tokio::test]
async fn a_page_and_its_script_know_when_the_session_ends() {
    let review = Review::new();
    review.start("tc-1", &item("low-confidence")).await;
    let ann = review.sign_in("ann").await;
    review.wait(Duration::hours(11));

    let page = ann.open("tc-1").await;
    let document = get(&ann, "session").await.json();

    assert!(
        page.body().contains("data-session-seconds=\"3600\""),
        "{}",
        page.body()
    );
    assert_eq!(document["secondsLeft"], 3_600);
}
