//! The operator's console: who gets in, what is shown, what is done.

use chrono::Duration;
use human_review::console::{confirmed_actions, page_addresses, searches};
use serde_json::{Value, json};

use crate::harness::{FEEDBACK_BUCKET, Review, Session, TRAINING_BUCKET, two_items};

pub const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";

/// Does an action, confirmed.
pub async fn act(admin: &Session<'_>, action: &str, subject: &str, value: &str) -> crate::harness::Reply {
    let token = admin.get("overview").await.field("portal:csrf");
    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", subject),
        ("value", value),
        ("confirmed", "yes"),
    ];
    admin.post(action, &form).await
}

pub async fn log(review: &Review) -> Vec<Value> {
    let mut entries = Vec::new();
    for key in review.keys("audit-log/").await {
        entries.push(serde_json::from_str(&review.object(&key).await).expect("JSON"));
    }
    entries
}

pub async fn put(review: &Review, bucket: &str, key: &str, body: &Value) {
    let body = aws_sdk_s3::primitives::ByteStream::from(body.to_string().into_bytes());
    let put = review.s3.put_object().bucket(bucket).key(key).body(body);
    put.send().await.expect("stored");
}

pub fn assert_harmless(page: &str, what: &str) {
    let lower = page.to_lowercase();
    assert!(
        !lower.contains("<script>alert") && !lower.contains("<img src=x"),
        "{what}: {page}"
    );
}

#[tokio::test]
async fn an_admin_sees_the_figures_of_the_stack_as_a_page_and_as_json() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    review.wait(Duration::hours(3));
    let admin = review.sign_in_admin("ada").await;
    let arn = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/c/version/v2";
    for (at, model) in [("2026-11-01", "v1"), ("2026-11-19", "v2")] {
        let switch = json!({
            "at": format!("{at}T08:00:00.000Z"), "modelArn": arn.replace("v2", model), "previousModelArn": null,
            "by": "build", "reason": "it is better", "buildId": "b",
        });
        put(
            &review,
            TRAINING_BUCKET,
            &format!("deployments/{at}T08:00:00.000Z-b.json"),
            &switch,
        )
        .await;
    }
    let tally = json!({
        "labels": 12, "since": "2026-11-02T00:00:00Z", "through": null, "recent": {},
        "models": { arn: { "judged": 10, "audited": 4, "right": [9.0, 9.0], "wrong": [1.0, 1.0] } },
    });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;
    put(&review, TRAINING_BUCKET, "disputed/r-1.json", &json!({})).await;
    put(&review, FEEDBACK_BUCKET, "backlog/4-pool/r-2.json", &json!({})).await;
    for key in ["batch-feedback/a.csv-1", "a2i-trigger/b-1", "review-events/c-1"] {
        let key = format!("rejected/{key}.jsonl");
        put(&review, FEEDBACK_BUCKET, &key, &json!({})).await;
    }

    let of_model = json!({ "trained": { "labels": ["Sports", "World"] } });
    let state = "text-classifier/document-classifier/c/version/v2.json";
    put(&review, TRAINING_BUCKET, state, &of_model).await;
    let set = json!({
        "schemaVersion": 1, "version": 1, "origin": "edited", "updatedAt": "2026-11-01T00:00:00.000Z",
        "labels": [{ "name": "Sports" }, { "name": "World" }, { "name": "Weather" }],
    });
    put(&review, TRAINING_BUCKET, "label-set.json", &set).await;

    let page = admin.get("overview").await;
    let figures = admin.get("overview.json").await;

    assert_eq!((page.status(), figures.status()), (200, 200));
    for text in [
        "1 task, 3 h old",
        "v2 since 2026-11-19 08:00 UTC",
        "90.0 %",
        "12 answers since 2026-11-02",
        "2 objects under rejected/ of the feedback bucket",
        "labels that the serving model does not know yet (choices, but never predicted): Weather",
    ] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
    let figures = figures.json();
    assert_eq!(figures["waiting"]["oldestAgeSeconds"], 10_800);
    assert_eq!(figures["serving"]["modelArn"], arn);
    assert_eq!(figures["liveAccuracy"]["judged"], 10);
    assert_eq!(figures["disputed"], json!({ "count": 1, "hasMore": false }));
    assert_eq!(figures["pool"]["count"], 1);
    assert_eq!(figures["rejectedLines"]["count"], 2);
    assert_eq!(figures["refusedWebhooks"]["count"], 1);
    assert!(admin.get("queue").await.body().contains("id=\"console\""));
    assert_eq!(admin.get("").await.header("location"), "overview");
}

/// Puts what came and was answered around the clock of the tests, 2026-11-20.
async fn put_activity(review: &Review, answered: u64) {
    let came = |texts: u64| json!({ "asked": { "low-confidence": texts, "audit": 1 }, "doubtful": texts, "audited": 1, "trusted": 100.0 });
    let arrivals = json!({
        "since": "2026-11-01T00:00:00Z", "deliveries": [],
        "days": { "2026-10-30": came(900), "2026-11-18": came(11), "2026-11-19": came(29) },
        "hours": { "2026-11-15T20": 900, "2026-11-19T20": 29 },
    });
    put(review, FEEDBACK_BUCKET, "stats/arrivals.json", &arrivals).await;
    let tally = json!({
        "labels": 12, "since": "2026-11-02T00:00:00Z",
        "answered": {
            "since": "2026-11-02T00:00:00Z",
            "days": { "2026-11-18": { "texts": answered, "items": 20, "tasks": 10 } },
            "hours": { "2026-11-18T21": answered },
        },
    });
    put(review, TRAINING_BUCKET, "builds/tally.json", &tally).await;
}

#[tokio::test]
async fn the_overview_draws_what_came_and_what_was_answered_and_foretells_when_nothing_waits() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let admin = review.sign_in_admin("ada").await;
    put_activity(&review, 43).await;

    let page = admin.get("overview").await;
    let figures = admin.get("overview.json").await.json();
    put_activity(&review, 5).await;
    let growing = admin.get("overview").await;

    let activity = &figures["activity"];
    let days = activity["days"].as_array().expect("days");
    assert_eq!(days.len(), 14);
    let day = days.iter().find(|day| day["day"] == "2026-11-18").expect("shown");
    assert_eq!((&day["arrived"], &day["answered"]), (&json!(12), &json!(43)));
    assert_eq!(activity["sentToPeople"]["doubtful"], 40);
    assert_eq!(activity["burndown"]["waitingTexts"], 2);
    assert_eq!(activity["cost"]["trusted"], 200.0);
    assert_eq!(activity["cost"]["answered"], 43);
    let hours = activity["hours"].as_array().expect("hours");
    let hour = |name: &str| hours.iter().find(|hour| hour["hour"] == name).expect("shown");
    assert_eq!(hours.len(), 48);
    assert_eq!(hour("2026-11-19T20")["arrived"], 29);
    assert_eq!(hour("2026-11-18T21")["answered"], 43);
    let operations = admin.get("operations").await;
    assert!(operations.body().contains("0.0690"), "{}", operations.body());
    for text in [
        "the rest for some 240 predictions and 43 answered texts",
        "42 came for review, 43 were answered",
        "about 17.5 % of some 240 predictions in 14 days",
        "<polyline class=\"second\"",
        "low-confidence: 29, audit: 1",
        "<th scope=\"row\">11-19 20 h</th><td>29</td><td>0</td>",
        "about 2 texts wait; in the last 7 days 42 came and 43 were answered",
    ] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
    assert!(growing.body().contains("it grows by about"), "{}", growing.body());
    assert!(!growing.body().contains("nothing waits in"));
}

#[tokio::test]
async fn where_nothing_was_counted_yet_nothing_is_foretold_and_sums_that_are_damaged_are_named() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let admin = review.sign_in_admin("ada").await;

    let new = admin.get("overview").await;
    put(&review, FEEDBACK_BUCKET, "stats/arrivals.json", &json!("none")).await;
    let damaged = admin.get("overview.json").await.json();

    for text in ["0 came for review, 0 were answered", "not known without audits"] {
        assert!(new.body().contains(text), "{text}: {}", new.body());
    }
    assert!(new.body().contains("is known when a day was counted"));
    assert_eq!(damaged["activity"], Value::Null);
    assert!(
        damaged["unreadable"][0]
            .as_str()
            .is_some_and(|reason| reason.contains("stats/arrivals.json"))
    );
}

#[tokio::test]
async fn more_than_a_page_of_keys_is_said_to_be_more_and_not_counted() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    for number in 0..1_001 {
        put(
            &review,
            TRAINING_BUCKET,
            &format!("disputed/{number:04}.json"),
            &json!({}),
        )
        .await;
    }

    let figures = admin.get("overview.json").await.json();

    assert_eq!(figures["disputed"], json!({ "count": 1_000, "hasMore": true }));
    assert!(admin.get("overview").await.body().contains("1000+"));
}

#[tokio::test]
async fn an_action_is_confirmed_first_then_written_down_and_done() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let (admin, ann) = (review.sign_in_admin("ada").await, review.sign_in("ann").await);
    ann.open("tc-1").await;
    assert!(admin.get("tasks").await.body().contains("ann until"));
    let token = admin.get("tasks").await.field("portal:csrf");

    let asked = admin
        .post("release-task", &[("portal:csrf", &token), ("subject", "tc-1")])
        .await;
    assert_eq!(asked.status(), 200);
    assert_eq!(asked.field("confirmed"), "yes");
    assert!(log(&review).await.is_empty());
    assert!(admin.get("tasks").await.body().contains("ann until"));
    let done = act(&admin, "release-task", "tc-1", "").await;

    assert_eq!(
        (done.status(), done.header("location")),
        (303, "tasks?done=release-task")
    );
    assert_eq!(
        admin.get("tasks.json").await.json()["tasks"][0]["heldBy"],
        json!([])
    );
    let entries = log(&review).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["by"], "ada");
    assert_eq!(entries[0]["action"], "release-task");
    assert_eq!(entries[0]["subject"], "tc-1");
    let operations = admin.get("operations").await;
    assert!(operations.body().contains("release-task"));
}

#[tokio::test]
async fn a_stopped_task_leaves_the_queue_and_a_second_stop_is_refused_and_written_down() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let admin = review.sign_in_admin("ada").await;

    let first = act(&admin, "stop-task", "tc-1", "").await;
    let second = act(&admin, "stop-task", "tc-1", "").await;

    assert_eq!(first.status(), 303);
    assert_eq!(review.status("tc-1").await, "Stopped");
    assert_eq!((second.status(), second.code()), (400, "not_possible"));
    let failed: Vec<_> = log(&review)
        .await
        .into_iter()
        .filter(|entry| !entry["failed"].is_null())
        .collect();
    assert_eq!(failed.len(), 1);
}

#[tokio::test]
async fn a_paused_reviewer_is_out_within_a_minute_until_they_are_let_in_again() {
    let review = Review::new();
    let (admin, ann) = (review.sign_in_admin("ada").await, review.sign_in("ann").await);
    let link = review.link_token("ann").await;
    assert_eq!(ann.get("queue").await.status(), 200);

    act(&admin, "pause-reviewer", "ann", "").await;
    let paused = ann.get("queue").await;
    let again = review.portal("POST", "sign-in", None, &[("token", &link)]).await;
    act(&admin, "resume-reviewer", "ann", "").await;
    let resumed = ann.get("queue").await;

    assert_eq!((paused.status(), paused.code()), (403, "paused"));
    assert_eq!((again.status(), again.code()), (403, "paused"));
    assert_eq!(resumed.status(), 200);
}

#[tokio::test]
async fn ended_sessions_and_links_from_before_are_over_and_a_new_link_works() {
    let review = Review::new();
    let (admin, ann) = (review.sign_in_admin("ada").await, review.sign_in("ann").await);
    let link = review.link_token("ann").await;

    act(&admin, "revoke-sessions", "ann", "").await;
    let ended = ann.get("queue").await;
    let old_link = review.portal("POST", "sign-in", None, &[("token", &link)]).await;
    review.wait(Duration::seconds(2));
    let back = review.sign_in("ann").await;

    assert_eq!((ended.status(), ended.code()), (401, "session_ended"));
    assert_eq!((old_link.status(), old_link.code()), (403, "link_invalid"));
    assert_eq!(back.get("queue").await.status(), 200);
}

#[tokio::test]
async fn one_session_is_ended_and_the_others_of_the_same_reviewer_go_on() {
    let review = Review::new();
    let (admin, home) = (review.sign_in_admin("ada").await, review.sign_in("ann").await);
    review.wait(Duration::seconds(2));
    let train = review.sign_in("ann").await;
    let shown = admin.get("reviewers.json").await;
    let shown: Value = serde_json::from_str(shown.body()).expect("JSON");
    let ann = shown["reviewers"].as_array().expect("people").iter();
    let ann = ann
        .clone()
        .find(|person| person["name"] == "ann")
        .expect("she is known");
    let first = ann["sessions"][0]["id"].as_str().expect("an id").to_owned();

    let ended = act(&admin, "end-session", "ann", &first).await;

    assert_eq!(ended.status(), 303);
    let answer = home.get("queue").await;
    assert_eq!((answer.status(), answer.code()), (401, "session_ended"));
    assert_eq!(train.get("queue").await.status(), 200);
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_at_once_and_nobody_shuts_themselves_out() {
    let review = Review::new();
    let (ada, bob) = (
        review.sign_in_admin("ada").await,
        review.sign_in_admin("bob").await,
    );

    let own = act(&ada, "set-role", "ada", "reviewer").await;
    let other = act(&ada, "set-role", "bob", "reviewer").await;

    assert_eq!((own.status(), own.code()), (400, "not_possible"));
    assert_eq!(other.status(), 303);
    assert_eq!(bob.get("overview").await.status(), 403);
    assert_eq!(bob.get("queue").await.status(), 200);
}

#[tokio::test]
async fn an_invitation_shows_its_link_once_and_writes_it_down_nowhere() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;

    let made = act(&admin, "invite", "bea", "admin").await;

    let token = made.body().split("sign-in?token=").nth(1).expect("a link");
    let token = token.split('"').next().expect("its end").to_owned();
    for key in review.keys("").await {
        assert!(!review.object(&key).await.contains(&token), "{key}");
    }
    let signed_in = review.portal("POST", "sign-in", None, &[("token", &token)]).await;
    assert_eq!(signed_in.status(), 303);
    let people = admin.get("reviewers.json").await.json();
    let bea = people["reviewers"]
        .as_array()
        .expect("people")
        .iter()
        .find(|member| member["name"] == "bea");
    assert_eq!(bea.expect("bea")["role"], "admin");
}

#[tokio::test]
async fn what_anybody_can_write_is_shown_as_text_on_every_page_of_the_console() {
    let review = Review::new();
    let admin = review.sign_in_admin(&format!("ada {HOSTILE}")).await;
    let name: String = HOSTILE.chars().take(60).collect();
    let ann = review.sign_in(&name).await;
    review.start("tc-1", &two_items()).await;
    ann.open("tc-1").await;
    let record = json!({ "outcome": HOSTILE, "why": HOSTILE, "endedAt": "2026-11-19T08:00:00Z" });
    let last = json!({ "id": "b-1", "startedAt": "2026-11-19T08:00:00Z" });
    let switch =
        json!({ "at": "2026-11-19T08:00:00Z", "modelArn": HOSTILE, "by": HOSTILE, "reason": HOSTILE });
    let first_model = json!({ "rowsPerLabel": 5, "labels": { HOSTILE: 1 }, "refused": HOSTILE });
    for (key, document) in [
        ("builds/last.json", &last),
        ("builds/b-1/record.json", &record),
        ("deployments/2026-11-19T08:00:00.000Z-b.json", &switch),
        ("builds/first-model.json", &first_model),
    ] {
        put(&review, TRAINING_BUCKET, key, document).await;
    }
    let key = "rejected/batch-feedback/<script>alert(1)</script>-00000.jsonl";
    put(&review, FEEDBACK_BUCKET, key, &json!({})).await;

    let decision = json!({});
    put(&review, TRAINING_BUCKET, "builds/b-2/x.json", &decision).await;
    let full = json!({
        "id": "one", "outcome": HOSTILE, "why": HOSTILE, "startedAt": "2026-11-19T08:00:00Z",
        "endedAt": "2026-11-19T08:00:00Z",
    });
    for build in ["b-1", "one"] {
        let key = format!("builds/{build}/record.json");
        put(&review, TRAINING_BUCKET, &key, &full).await;
    }

    // There is no audit of this name, and a report's address needs its key.
    let is_there = |page: &&String| !["audits/one", "report"].contains(&page.as_str());
    for page in page_addresses().iter().filter(is_there) {
        let shown = admin.get(&format!("{page}?done={HOSTILE}&after=")).await;
        assert_eq!(shown.status(), 200, "{page}");
        assert_harmless(shown.body(), page);
        let json = admin.get(&format!("{page}.json")).await;
        assert_eq!(json.header("content-type"), "application/json");
        assert_eq!(json.header("x-content-type-options"), "nosniff");
    }
    let token = admin.get("overview").await.field("portal:csrf");
    for action in confirmed_actions().chain(searches()) {
        let form = [
            ("portal:csrf", token.as_str()),
            ("subject", &name),
            ("value", HOSTILE),
        ];
        let asked = admin.post(action, &form).await;
        assert_harmless(asked.body(), action);
    }
    let made = act(&admin, "invite", &name, "reviewer").await;
    assert_harmless(made.body(), "invite");
}

#[tokio::test]
async fn a_form_without_the_sessions_token_and_a_wrong_method_do_nothing() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let admin = review.sign_in_admin("ada").await;
    let before = review.object("human-review/loops/tc-1.json").await;

    for action in confirmed_actions().chain(searches()) {
        let form = [
            ("portal:csrf", "forged"),
            ("subject", "tc-1"),
            ("confirmed", "yes"),
        ];
        let forged = admin.post(action, &form).await;
        assert_eq!(
            (forged.status(), forged.code()),
            (403, "form_invalid"),
            "{action}"
        );
        assert_eq!(admin.get(action).await.status(), 405, "{action}");
    }
    for page in page_addresses() {
        assert_eq!(admin.post(&page, &[]).await.status(), 405, "{page}");
    }

    assert_eq!(review.object("human-review/loops/tc-1.json").await, before);
    assert!(log(&review).await.is_empty());
}

#[tokio::test]
async fn what_waits_is_measured_for_alarms() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    review.wait(Duration::minutes(10));

    let measured = review.handle(json!({ "operation": "measure" })).await;

    assert_eq!(measured["waiting"]["tasks"]["count"], 1);
    assert_eq!(measured["waiting"]["oldestAgeSeconds"], 600);
}

#[tokio::test]
async fn a_failed_event_is_sent_again_and_its_record_goes() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    put(&review, FEEDBACK_BUCKET, "feedback/2026/x.gz", &json!({})).await;
    let event = |key: &str| {
        let object = json!({ "s3": { "bucket": { "name": FEEDBACK_BUCKET }, "object": { "key": key } } });
        json!({ "requestPayload": { "Records": [object] } })
    };
    let (good, gone) = ("aws/lambda/async/f/good", "aws/lambda/async/f/gone");
    put(&review, FEEDBACK_BUCKET, good, &event("feedback/2026/x.gz")).await;
    put(&review, FEEDBACK_BUCKET, gone, &event("feedback/2026/gone.gz")).await;
    let question = json!({ "classifier": "news", "utterance": "Rates rise", "signal": "dislike", "source": "explicit-api" });
    let line = json!({ "line": 1, "reason": "stopped", "raw": question.to_string() });
    let given_up = "rejected/training-data/review-1-00001.jsonl";
    put(&review, FEEDBACK_BUCKET, given_up, &line).await;
    let operations = admin.get("operations.json").await.json();
    assert_eq!(operations["givenUp"]["objects"][0]["key"], given_up);
    assert_eq!(operations["errorsByFunction"], json!({ "f": 2 }));
    let page = admin.get("operations").await;
    for text in [
        "Errors of functions among the failed events above",
        "and no bill of this one",
    ] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }

    let sent = act(&admin, "send-again", good, "").await;
    let kept = act(&admin, "send-again", gone, "").await;
    let elsewhere = act(&admin, "send-again", "feedback/2026/x.gz", "").await;
    let asked_anew = act(&admin, "send-again", given_up, "").await;

    assert_eq!(sent.status(), 303);
    assert_eq!((kept.status(), kept.code()), (400, "not_possible"));
    assert_eq!(elsewhere.status(), 404);
    let left = admin.get("operations.json").await.json()["failedEvents"]["objects"].clone();
    assert_eq!(left.as_array().map(Vec::len), Some(1));
    assert_eq!(left[0]["key"], gone);
    assert_eq!(asked_anew.status(), 303);
    let given_up = admin.get("operations.json").await.json()["givenUp"]["objects"].clone();
    assert_eq!(given_up, json!([]));
}

#[tokio::test]
async fn a_correction_that_cannot_be_read_is_told_from_a_human_loop_that_was_given_up() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    for name in [
        "review-1-00001.jsonl",
        "review-2-00001.jsonl",
        "review-1-corrected-w1-1-00001.jsonl",
    ] {
        let key = format!("rejected/training-data/{name}");
        put(&review, FEEDBACK_BUCKET, &key, &json!({})).await;
    }

    let overview = admin.get("overview.json").await.json();
    let operations = admin.get("operations").await;

    assert_eq!(overview["givenUp"]["count"], 2, "{overview}");
    assert_eq!(overview["unreadableCorrections"]["count"], 1, "{overview}");
    let page = operations.body();
    let times = |what: &str| page.matches(&format!(">{what}<")).count();
    assert_eq!(times("a human loop"), 2, "{page}");
    assert_eq!(times("a correction that cannot be read"), 1, "{page}");
}
