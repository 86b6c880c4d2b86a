//! The console's pages on quality, model, versions and data, and what is decided there.

use std::sync::{Arc, Mutex};

use active_learning_core::feedback::record_id;
use active_learning_core::labels::label_set::{LabelSet, Origin};
use axum::Router;
use axum::body::{Body, to_bytes};
use chrono::Duration;
use serde_json::{Value, json};

use crate::console::{HOSTILE, act, assert_harmless, log, put};
use crate::harness::{FEEDBACK_BUCKET, Reply, Review, Session, TRAINING_BUCKET, config, two_items};

const MODEL: &str = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/c/version/v2";

fn record(text: &str) -> Value {
    json!({
        "schemaVersion": 1, "id": record_id("news", text), "classifier": "news", "utterance": text, "prediction": "World",
        "confidence": 0.4, "source": "implicit", "signal": "low-confidence", "receivedAt": "2026-11-19T08:00:00.000Z",
    })
}

pub fn question(text: &str) -> Value {
    let vote = |worker: &str, label: &str| {
        json!({
            "worker": worker, "answer": { "kind": "labels", "labels": [label] }, "source": "human-review",
            "at": "2026-11-19T09:00:00.000Z",
        })
    };
    json!({
        "schemaVersion": 1, "state": "disputed", "record": record(text), "humanLoop": "tc-1", "items": 1,
        "votes": [vote("0123456789abcdef", "World"), vote("fedcba9876543210", "Sports")],
    })
}

/// Puts a dispute about a text; returns the id of its record.
pub async fn dispute(review: &Review, text: &str) -> String {
    let set = json!({
        "schemaVersion": 1, "version": 1, "origin": "edited", "updatedAt": "2026-11-01T00:00:00.000Z",
        "labels": [{ "name": "World" }, { "name": "Sports" }],
    });
    put(review, TRAINING_BUCKET, "label-set.json", &set).await;
    let id = record_id("news", text);
    for (bucket, folder) in [(TRAINING_BUCKET, "disputed"), (FEEDBACK_BUCKET, "questions")] {
        put(review, bucket, &format!("{folder}/{id}.json"), &question(text)).await;
    }
    id
}

async fn exists(review: &Review, bucket: &str, key: &str) -> bool {
    review
        .s3
        .head_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .is_ok()
}

async fn read(review: &Review, bucket: &str, key: &str) -> String {
    let object = review
        .s3
        .get_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .expect("there");
    let bytes = object.body.collect().await.expect("a body").to_vec();
    String::from_utf8(bytes).expect("text")
}

fn evaluation(accuracy: f64, labels: [&str; 2]) -> Value {
    let class =
        |name: &str| json!({ "class": name, "support": 5, "precision": 0.8, "recall": 0.7, "f1": 0.75 });
    json!({
        "rows": 10, "accuracy": accuracy, "macroF1": 0.75, "classes": labels.map(class),
        "confusionMatrix": { "labels": labels, "counts": [[4, 1], [2, 3]] },
        "expectedCalibrationError": 0.02, "brierScore": 0.1, "auroc": 0.9,
    })
}

/// A build that has ended, with the decision.
async fn build(review: &Review, id: &str, text: &str) {
    let record = json!({
        "id": id, "executionArn": "arn", "action": "build", "reason": "manual", "outcome": "deployed", "why": text,
        "startedAt": "2026-11-19T08:00:00Z", "endedAt": "2026-11-19T08:01:00Z", "dataset": "d-1", "champion": text,
        "challenger": MODEL, "serving": MODEL, "decision": null, "approvedBy": text,
    });
    let decision = json!({
        "buildId": id, "deploy": true, "reasons": [{ "inFavour": true, "text": text }],
        "policy": { "minMacroF1Gain": 0.005, "significance": 0.05, "maxRecallLoss": 0.1 },
        "champion": { "modelArn": text, "evaluation": evaluation(0.7, ["World", text]) },
        "challenger": { "modelArn": MODEL, "evaluation": evaluation(0.8, ["World", text]) },
        "mcnemar": null, "recallChanges": {},
    });
    put(
        review,
        TRAINING_BUCKET,
        &format!("builds/{id}/record.json"),
        &record,
    )
    .await;
    put(
        review,
        TRAINING_BUCKET,
        &format!("builds/{id}/decision.json"),
        &decision,
    )
    .await;
}

async fn serving(review: &Review, text: &str) {
    let switch = json!({
        "at": "2026-11-19T08:00:00Z", "modelArn": MODEL, "previousModelArn": null, "by": "build", "reason": text,
        "buildId": text,
    });
    put(
        review,
        TRAINING_BUCKET,
        "deployments/2026-11-19T08:00:00.000Z-b.json",
        &switch,
    )
    .await;
}

#[tokio::test]
async fn a_dispute_is_shown_with_its_votes_and_decided_for_good() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let id = dispute(&review, "Cup final tonight").await;

    let page = admin.get("quality").await;
    let done = act(&admin, "adjudicate", &id, "sports").await;

    assert!(page.body().contains("Cup final tonight"), "{}", page.body());
    assert!(page.body().contains("<option value=\"Sports\">"));
    assert_eq!(
        (done.status(), done.header("location")),
        (303, "quality?done=adjudicate")
    );
    assert!(!exists(&review, TRAINING_BUCKET, &format!("disputed/{id}.json")).await);
    let question: Value =
        serde_json::from_str(&read(&review, FEEDBACK_BUCKET, &format!("questions/{id}.json")).await)
            .expect("JSON");
    assert_eq!(question["state"], "answered");
    assert_eq!(question["votes"][2]["worker"], "adjudicator:ada");
    assert_eq!(question["votes"][2]["answer"]["labels"], json!(["Sports"]));
    review.wait(Duration::seconds(1));
    let second = act(&admin, "adjudicate", &id, "World").await;
    assert_eq!(
        second.status(),
        303,
        "a slip is mended: the newest answer is final"
    );
    let eve = review.sign_in_admin("eve").await;
    let late = act(&eve, "adjudicate", &id, "Sports").await;
    assert_eq!((late.status(), late.code()), (400, "not_possible"));
    assert!(
        late.body().contains("ada has decided this dispute meanwhile"),
        "{}",
        late.body()
    );
    let other = act(&admin, "adjudicate", &record_id("news", "Not asked"), "World").await;
    assert_eq!((other.status(), other.code()), (400, "not_possible"));
    assert_eq!(
        admin.get("quality.json").await.json()["disputed"]["questions"],
        json!([])
    );
}

/// Decides a dispute for labels, each a field of its own.
async fn adjudicate(admin: &Session<'_>, id: &str, labels: &[&str], confirmed: bool) -> Reply {
    let token = admin.get("overview").await.field("portal:csrf");
    let mut form = vec![("portal:csrf", token.as_str()), ("subject", id)];
    form.extend(labels.iter().map(|label| ("value", *label)));
    form.extend(confirmed.then_some(("confirmed", "yes")));
    admin.post("adjudicate", &form).await
}

#[tokio::test]
async fn a_dispute_about_several_labels_is_decided_for_all_that_fit_once_confirmed_and_is_logged() {
    let mut config = config();
    config.show_rules.several_labels = true;
    let review = Review::with(config);
    let admin = review.sign_in_admin("ada").await;
    let id = dispute(&review, "Cup final tonight").await;
    let set = json!({
        "schemaVersion": 1, "version": 1, "origin": "edited", "updatedAt": "2026-11-01T00:00:00.000Z",
        "labels": [{ "name": "World" }, { "name": "Sports" }, { "name": "R|D" }],
    });
    put(&review, TRAINING_BUCKET, "label-set.json", &set).await;
    let mut disputed = question("Cup final tonight");
    disputed["votes"][0]["answer"]["labels"] = json!(["Sports", "World"]);
    put(
        &review,
        TRAINING_BUCKET,
        &format!("disputed/{id}.json"),
        &disputed,
    )
    .await;

    let page = admin.get("quality").await;
    let listed = admin.get("quality.json").await.json();
    let none = adjudicate(&admin, &id, &[], true).await;
    let asked = adjudicate(&admin, &id, &["World", "R|D"], false).await;
    let before = log(&review).await;
    let done = adjudicate(&admin, &id, &["World", "R|D"], true).await;

    for label in ["World", "Sports", "R|D"] {
        let toggle = format!("<input type=\"checkbox\" name=\"value\" value=\"{label}\">");
        assert!(page.body().contains(&toggle), "{label}: {}", page.body());
    }
    assert!(!page.body().contains("<option value=\"Sports\">"));
    assert_eq!(listed["disputed"]["questions"][0]["tied"], json!(["World"]));
    assert!(
        page.body()
            .contains("As many reviewers say that it fits as that it does not: World.")
    );
    assert_eq!((none.status(), none.code()), (400, "not_possible"));
    assert_eq!(asked.status(), 200);
    for label in ["World", "R|D"] {
        let kept = format!("<input type=\"hidden\" name=\"value\" value=\"{label}\">");
        assert!(asked.body().contains(&kept), "{label}: {}", asked.body());
    }
    assert!(asked.body().contains("World, R|D") && before.is_empty());
    assert_eq!(done.status(), 303, "{}", done.body());
    let stored = read(&review, FEEDBACK_BUCKET, &format!("questions/{id}.json")).await;
    let stored: Value = serde_json::from_str(&stored).expect("JSON");
    assert_eq!(stored["state"], "answered");
    assert_eq!(stored["consensus"]["answer"]["labels"], json!(["R|D", "World"]));
    assert_eq!(stored["decidedBy"], "adjudicator");
    let entries = log(&review).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (&entries[0]["action"], &entries[0]["value"]),
        (&json!("adjudicate"), &json!(r"World|R\|D"))
    );
}

#[tokio::test]
async fn several_labels_are_refused_before_anybody_confirms_them_where_a_text_has_one() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let id = dispute(&review, "Cup final tonight").await;

    let refused = adjudicate(&admin, &id, &["World", "Sports"], false).await;
    let joined = adjudicate(&admin, &id, &["World|Sports"], true).await;

    assert_eq!((refused.status(), refused.code()), (400, "not_possible"));
    assert!(
        refused.body().contains("a text has one label here"),
        "{}",
        refused.body()
    );
    assert_eq!((joined.status(), joined.code()), (400, "not_possible"));
    assert!(exists(&review, TRAINING_BUCKET, &format!("disputed/{id}.json")).await);
}

#[tokio::test]
async fn a_dispute_is_not_decided_for_a_label_that_is_none_and_the_attempt_is_written_down() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let id = dispute(&review, "Cup final tonight").await;

    let refused = act(&admin, "adjudicate", &id, "Weather").await;
    let none = act(&admin, "adjudicate-none-fits", &id, "").await;

    assert_eq!((refused.status(), refused.code()), (400, "not_possible"));
    assert_eq!(none.status(), 303);
    let entries = log(&review).await;
    assert_eq!(
        entries.iter().filter(|entry| !entry["failed"].is_null()).count(),
        1
    );
    assert_eq!(entries.len(), 3);
}

#[tokio::test]
async fn agreement_of_the_newest_dataset_is_shown_by_label_and_by_reviewer_with_their_name() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    review.sign_in("ann").await;
    let ann = admin.get("reviewers.json").await.json()["reviewers"]
        .as_array()
        .and_then(|people| people.iter().find(|member| member["name"] == "ann").cloned());
    let ann = ann.expect("ann")["workerId"].as_str().expect("an id").to_owned();
    let agreement =
        |alpha: f64| json!({ "records": 7, "answers": 20, "percentAgreement": 0.9, "alpha": alpha });
    let report = json!({
        "method": "dawid-skene", "outcomes": {}, "overall": agreement(0.81), "byLabel": { "World": agreement(0.62) },
        "reviewers": { ann: { "answers": 9, "unsure": 1, "compared": 4, "agreement": 0.75, "medianSeconds": 3.5 } },
    });
    put(
        &review,
        TRAINING_BUCKET,
        "datasets/newest.json",
        &json!({ "version": "d-1" }),
    )
    .await;
    put(&review, TRAINING_BUCKET, "datasets/d-1/agreement.json", &report).await;

    let page = admin.get("quality").await;

    for text in ["0.81", "0.62", "World", ">ann<", "75.0 %", "3.5 s"] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
}

#[tokio::test]
async fn who_is_asked_anew_or_decides_since_a_label_was_split_is_told_which_others_the_text_had() {
    const TEXT: &str = "Rates rise again!";
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let ann = review.sign_in("ann").await;
    let id = record_id("news", TEXT);
    let mut set = LabelSet::seed(["World", "Press"], Origin::Edited, "2026-11-19T10:00:00.000Z");
    set.split("Press", &["Papers", "Radio"]).expect("parts");
    let set: Value = serde_json::from_slice(&set.to_json()).expect("JSON");
    put(&review, TRAINING_BUCKET, "label-set.json", &set).await;
    let answer = |worker: &str, labels: &[&str]| {
        json!({
            "worker": worker, "answer": { "kind": "labels", "labels": labels }, "source": "human-review",
            "at": "2026-11-19T09:00:00.000Z",
        })
    };
    let mut asked = question(TEXT);
    asked["votes"] = json!([answer("fedcba9876543210", &["Radio"])]);
    asked["inDoubt"] = json!([answer("0123456789abcdef", &["Press", "World"])]);
    for (bucket, folder) in [(TRAINING_BUCKET, "disputed"), (FEEDBACK_BUCKET, "questions")] {
        put(&review, bucket, &format!("{folder}/{id}.json"), &asked).await;
    }
    let item = json!({ "id": id, "utterance": TEXT, "classifier": "news" });
    let input = json!({ "comprehendPredictions": [item], "labels": ["World"] });
    review.start("tc-1", &input).await;

    let page = ann.open("tc-1").await;
    let quality = admin.get("quality").await;
    let disputes = admin.get("quality.json").await.json();

    let told = "one of its labels was split; the others were <strong>World</strong>";
    assert!(page.body().contains(told), "{}", page.body());
    assert!(
        quality.body().contains("their word on them counts: World."),
        "{}",
        quality.body()
    );
    assert_eq!(
        disputes["disputed"]["questions"][0]["tied"],
        json!(["World"]),
        "{disputes}"
    );
}

#[tokio::test]
async fn agreement_on_several_labels_is_shown_label_by_label_with_what_is_counted() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let ann = review.sign_in("ann").await;
    let agreement = json!({ "records": 7, "answers": 20, "percentAgreement": 0.5, "alpha": 0.3 });
    let own = json!({ "answers": 9, "unsure": 1, "compared": 4, "agreement": 0.5, "labelAgreement": 0.875, "medianSeconds": 3.5 });
    let report = json!({
        "method": "majority", "outcomes": {}, "overall": agreement, "byLabel": { "World": agreement },
        "reviewers": { human_review::worker_id("ann"): own },
    });
    put(
        &review,
        TRAINING_BUCKET,
        "datasets/newest.json",
        &json!({ "version": "d-1" }),
    )
    .await;
    put(&review, TRAINING_BUCKET, "datasets/d-1/agreement.json", &report).await;

    let (quality, people) = (admin.get("quality").await, admin.get("reviewers").await);
    let history = ann.get("history").await;

    for text in [
        "Texts have several labels here",
        "Whole answers",
        "Labels equal, each by itself",
        "87.5 %",
    ] {
        assert!(quality.body().contains(text), "{text}: {}", quality.body());
    }
    assert!(
        people.body().contains("50.0 % of 4; label by label 87.5 %"),
        "{}",
        people.body()
    );
    assert!(
        history.body().contains("for 87.5 %, each label by itself"),
        "{}",
        history.body()
    );
}

#[tokio::test]
async fn what_the_model_takes_for_what_is_shown_with_the_way_to_the_texts() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let none = admin.get("quality").await;
    serving(&review, "better").await;
    let unanswered = admin.get("quality").await;
    let tally = json!({
        "labels": 9,
        "confusions": { MODEL: {
            "newest": "2026-11-19T09:00:00.000Z", "texts": 9, "beyond": 0,
            "pairs": { "World": { "World": 5, "Sci & Tech": 3 }, HOSTILE: { "": 1 } },
        } },
    });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;

    let page = admin.get("quality").await;
    let document = admin.get("quality.json").await.json();

    assert!(none.body().contains("No model serves yet."));
    assert!(
        unanswered
            .body()
            .contains("No prediction of the serving model was answered")
    );
    assert_harmless(page.body(), "quality");
    for text in [
        "Model v2: 9 texts",
        "Texts of World for Sci &#38; Tech",
        "data?source=&#38;label=Sci+%26+Tech&#38;predicted=World",
        "37.5 % of 8",
        "label=World&#38;predicted=World\">5</a></td>",
        "answer=none",
    ] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
    let pairs = &document["confusion"]["mostConfused"];
    assert_eq!(
        pairs[0],
        json!({ "predicted": "World", "said": "Sci & Tech", "texts": 3, "of": 8 })
    );
    assert_eq!(pairs[1]["said"], Value::Null);
}

#[tokio::test]
async fn a_reviewer_sees_their_own_agreement_and_speed_and_no_others() {
    let review = Review::new();
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let agreement = json!({ "records": 7, "answers": 20, "percentAgreement": 0.9, "alpha": 0.8 });
    let own = json!({ "answers": 9, "unsure": 1, "compared": 4, "agreement": 0.75, "medianSeconds": 3.5 });
    let report = json!({
        "method": "dawid-skene", "outcomes": {}, "overall": agreement, "byLabel": {},
        "reviewers": { human_review::worker_id("ann"): own },
    });
    let newest = json!({ "version": "d-1" });
    put(&review, TRAINING_BUCKET, "datasets/newest.json", &newest).await;
    put(&review, TRAINING_BUCKET, "datasets/d-1/agreement.json", &report).await;

    let (anns, beas) = (ann.get("history").await, bea.get("history").await);

    for text in ["9 texts", "75.0 % of 4", "3.5 s each"] {
        assert!(anns.body().contains(text), "{text}: {}", anns.body());
    }
    assert_eq!(beas.status(), 200);
    assert!(!beas.body().contains("own-figures"), "{}", beas.body());
}

#[tokio::test]
async fn a_waiting_task_says_why_it_is_asked_and_how_it_begins_and_can_be_filtered_by_that() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    for (name, signal, text) in [("tc-1", "audit", "Rates rise"), ("tc-2", "dislike", HOSTILE)] {
        let item = json!({ "id": "r-1", "utterance": text, "prediction": "World", "confidence": 0.4, "signal": signal });
        let input = json!({ "comprehendPredictions": [item], "labels": ["World"] });
        review.start(name, &input).await;
        review.wait(chrono::Duration::seconds(1));
    }

    let (page, all) = (admin.get("tasks").await, admin.get("tasks.json").await.json());
    let audits = admin.get("tasks.json?why=audit").await.json();

    assert!(page.body().contains("tasks?why=dislike"), "{}", page.body());
    crate::console::assert_harmless(page.body(), "tasks");
    assert_eq!(
        (&all["tasks"][0]["text"], &all["tasks"][0]["reasons"]),
        (&json!("Rates rise"), &json!(["audit"]))
    );
    assert_eq!(all["tasks"].as_array().map(Vec::len), Some(2));
    let shown = audits["tasks"].as_array().expect("a list");
    assert_eq!((shown.len(), &shown[0]["name"]), (1, &json!("tc-1")));
}

#[tokio::test]
async fn charts_of_the_serving_model_have_their_numbers_in_a_table() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    serving(&review, "it is better").await;
    let sums = |count: u64| json!({ "count": count, "weight": count as f64, "square": count as f64 });
    let class = |right: u64, wrong: u64, confidence: f64| json!({ "right": sums(right), "wrong": sums(wrong), "confidence": confidence * (right + wrong) as f64 });
    let tally = json!({
        "labels": 20, "since": null, "through": null, "recent": {},
        "models": { MODEL: { "judged": 20, "audited": 20, "right": [15.0, 15.0], "wrong": [5.0, 5.0] } },
        "confidence": { MODEL: { "classes": { "0": class(5, 5, 0.5), "35": class(10, 0, 0.9) }, "distance": [1.0, 1.0, 1.0] } },
    });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;

    let page = admin.get("model").await;
    let numbers = admin.get("model.json").await.json();

    assert_eq!(page.body().matches("<figure").count(), 2, "{}", page.body());
    assert!(page.body().matches("<table").count() >= 2);
    for drawn in [
        "points=\"200.0,200.0 320.0,50.0\"",
        "<circle cx=\"200.0\" cy=\"200.0\"",
        "<circle cx=\"320.0\" cy=\"50.0\"",
        "260.0,50.0",
        "260.0,200.0",
    ] {
        assert!(page.body().contains(drawn), "{drawn}: {}", page.body());
    }
    let point = numbers["thresholds"]
        .as_array()
        .expect("points")
        .iter()
        .find(|point| point["threshold"] == 0.7);
    assert_eq!(point.expect("a point")["accuracy"], 1.0);
    assert_eq!(point.expect("a point")["reviewShare"], 0.5);
    assert_eq!(numbers["liveAccuracy"]["accuracy"], 0.75);
    assert_eq!(
        numbers["overTime"],
        json!({ "weeks": [], "versions": [] }),
        "sums of a version before"
    );
    assert!(page.body().contains("Live accuracy over time is not known yet"));
    assert!(
        page.body()
            .contains("no trusted prediction of this model was audited. AuditSampleRate")
    );
}

#[tokio::test]
async fn live_accuracy_is_drawn_by_week_with_its_band_and_where_versions_changed() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    build(&review, "b-7", "it wins").await;
    let key = "builds/b-7/decision.json";
    let mut decision: Value = serde_json::from_str(&read(&review, TRAINING_BUCKET, key).await).expect("JSON");
    decision["challenger"]["evaluation"]["meanConfidence"] = json!(0.8);
    put(&review, TRAINING_BUCKET, key, &decision).await;
    serving(&review, "b-7").await;
    let week = |right: f64, wrong: f64, mean: f64| {
        json!({ MODEL: {
            "accuracy": { "judged": 20, "audited": 20, "right": [right, right], "wrong": [wrong, wrong] },
            "confidence": { "count": 20, "weighted": [20.0, 20.0 * mean], "squares": [20.0, 20.0 * mean, 20.0 * mean * mean] },
        } })
    };
    let tally = json!({
        "labels": 40, "audits": { MODEL: { "9000": { "audited": 100, "wrong": 0 } } },
        "byWeek": { "2026-11-09": week(20.0, 0.0, 0.8), "2026-11-16": week(5.0, 15.0, 0.6) },
    });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;

    let page = admin.get("model").await;
    let numbers = admin.get("model.json").await.json();

    let weeks = numbers["overTime"]["weeks"].as_array().expect("weeks");
    let shares: Vec<&Value> = weeks.iter().map(|week| &week["accuracy"]["accuracy"]).collect();
    assert_eq!(shares, [&json!(1.0), &json!(0.25)]);
    assert!(
        weeks[1]["accuracy"]["interval"]["high"].as_f64() < Some(0.5),
        "{weeks:?}"
    );
    let versions = &numbers["overTime"]["versions"];
    assert_eq!(
        (&versions[0]["mark"], &versions[0]["version"]),
        (&json!("1"), &json!("v2"))
    );
    assert_eq!(numbers["drift"]["whenBuilt"], 0.8);
    assert_eq!(numbers["drift"]["week"], "2026-11-16");
    let threshold = &numbers["threshold"];
    assert_eq!(
        (&threshold["current"], &threshold["advised"]["threshold"]),
        (&json!(0.7), &json!(0.9))
    );
    for text in [
        "points=\"125.0,50.0 275.0,275.0\"",
        "<polyline class=\"band\"",
        "<line class=\"event\" x1=\"271.4\"",
        "-20.0 points: it is less sure",
        "60.0 % in the week from 2026-11-16",
        "A threshold of 90.0 % keeps what is trusted right in 95.0 % of cases",
    ] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
}

#[tokio::test]
async fn the_accuracy_of_a_model_is_not_known_while_only_doubtful_predictions_were_judged() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    serving(&review, "it is better").await;
    let sums = |count: u64| json!({ "count": count, "weight": count as f64, "square": count as f64 });
    let doubtful = json!({ "right": sums(1), "wrong": sums(1), "confidence": 1.0 });
    let tally = json!({
        "labels": 2, "since": null, "through": null, "recent": {},
        "models": { MODEL: { "judged": 2, "audited": 0, "right": [1.0, 1.0], "wrong": [1.0, 1.0] } },
        "confidence": { MODEL: { "classes": { "0": doubtful }, "distance": [0.5, 0.25, 0.5] } },
    });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;

    for name in ["model", "overview"] {
        let page = admin.get(name).await;
        let numbers = admin.get(&format!("{name}.json")).await.json();

        let said = "not known: none of the trusted predictions was audited yet";
        assert!(page.body().contains(said), "{}", page.body());
        assert_eq!(numbers["liveAccuracy"], json!(null), "{numbers}");
    }
    assert_eq!(admin.get("model.json").await.json()["confidence"], json!(null));
}

#[tokio::test]
async fn a_build_is_shown_with_scores_and_confusion_and_links_work_from_below() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    build(&review, "build-000001-20261119T08", "it wins").await;
    serving(&review, "it is better").await;

    let list = admin.get("versions").await;
    let page = admin.get("versions/build-000001-20261119T08").await;

    assert!(
        list.body().contains("href=\"versions/build-000001-20261119T08\""),
        "{}",
        list.body()
    );
    for text in [
        "it wins",
        "80.0 %",
        "70.0 %",
        "href=\"../portal.css\"",
        "href=\"../overview\"",
        "is \\ predicted as",
    ] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
    let json = admin.get("versions/build-000001-20261119T08.json").await.json();
    assert_eq!(
        json["decision"]["challenger"]["evaluation"]["confusionMatrix"]["counts"],
        json!([[4, 1], [2, 3]])
    );
    assert_eq!(admin.get("versions/nothing").await.status(), 404);
    assert_eq!(admin.get("versions/..%2Flast").await.status(), 404);
}

#[tokio::test]
async fn scores_of_models_of_several_labels_have_micro_f1_and_say_that_accuracy_is_of_all_of_them() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    build(&review, "b-1", "it wins").await;
    let single = admin.get("versions/b-1").await;
    let mut new = evaluation(0.8, ["World", "Sports"]);
    (new["microF1"], new["severalLabels"]) = (json!(0.913), json!(true));
    let decision = json!({
        "buildId": "b-1", "deploy": true, "reasons": [],
        "policy": { "minMacroF1Gain": 0.005, "significance": 0.05, "maxRecallLoss": 0.1 },
        // Measured by the release before.
        "champion": { "modelArn": "arn:old", "evaluation": evaluation(0.7, ["World", "Sports"]) },
        "challenger": { "modelArn": MODEL, "evaluation": new }, "mcnemar": null, "recallChanges": {},
    });
    put(&review, TRAINING_BUCKET, "builds/b-1/decision.json", &decision).await;

    let several = admin.get("versions/b-1").await;

    assert!(single.body().contains("Accuracy") && !single.body().contains("Micro F1"));
    for text in ["Subset accuracy", "Micro F1", "91.3 %", "Macro F1", "75.0 %"] {
        assert!(several.body().contains(text), "{text}: {}", several.body());
    }
}

#[tokio::test]
async fn builds_are_listed_a_page_at_a_time() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    for number in 0..60 {
        let record = json!({
            "id": format!("build-{number:06}"), "outcome": "refused", "why": "", "startedAt": "2026-11-19T08:00:00Z",
            "endedAt": "2026-11-19T08:00:00Z",
        });
        put(
            &review,
            TRAINING_BUCKET,
            &format!("builds/build-{number:06}/record.json"),
            &record,
        )
        .await;
        put(
            &review,
            TRAINING_BUCKET,
            &format!("builds/build-{number:06}/x.json"),
            &json!({}),
        )
        .await;
    }

    let mut names = Vec::new();
    let mut page = admin.get("versions.json").await.json();
    loop {
        let builds = page["builds"].as_array().expect("builds").iter();
        names.extend(builds.map(|build| build["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        page = admin.get(&format!("versions.json?after={next}")).await.json();
    }

    let second = admin.get("versions?after=build-000029&done=approve").await;
    assert_eq!(names.len(), 60);
    assert!(names.is_sorted());
    assert!(
        second
            .body()
            .contains("href=\"versions.json?after=build-000029\""),
        "the page that is shown, as JSON: {}",
        second.body()
    );
}

#[tokio::test]
async fn a_build_that_waits_for_an_approval_is_offered_and_without_a_state_machine_nothing_is_said_to_be_done()
 {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    put(
        &review,
        TRAINING_BUCKET,
        "builds/last.json",
        &json!({ "id": "b-1", "startedAt": "2026-11-20T08:00:00Z" }),
    )
    .await;
    put(
        &review,
        TRAINING_BUCKET,
        "builds/b-1/approval.json",
        &json!({ "taskToken": "secret-token" }),
    )
    .await;

    let page = admin.get("versions").await;
    let done = act(&admin, "approve-build", "b-1", "").await;

    assert!(
        page.body().contains("action=\"approve-build\""),
        "{}",
        page.body()
    );
    assert!(!page.body().contains("secret-token"));
    assert_eq!((done.status(), done.code()), (400, "not_possible"));
}

#[tokio::test]
async fn a_text_is_found_by_its_exact_words_which_stay_out_of_the_address() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let id = record_id("news", "Cup final tonight");
    let mut question = question("Cup final tonight");
    question["record"]["id"] = json!(id);
    put(
        &review,
        FEEDBACK_BUCKET,
        &format!("questions/{id}.json"),
        &question,
    )
    .await;
    let token = admin.get("data").await.field("portal:csrf");

    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", "Cup final tonight"),
        ("value", "news"),
    ];
    let found = admin.post("find-text", &form).await;
    let page = admin.get(found.header("location")).await;

    assert_eq!(
        (found.status(), found.header("location")),
        (303, format!("data?id={id}").as_str())
    );
    for text in ["Cup final tonight", "40.0 %", "tc-1", "Sports"] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
    assert!(log(&review).await.is_empty());
}

#[tokio::test]
async fn what_clients_reviewers_and_builds_write_is_shown_as_text() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let id = dispute(&review, HOSTILE).await;
    let mut hostile = question(HOSTILE);
    for field in ["prediction", "classifier", "modelArn", "receivedAt"] {
        hostile["record"][field] = json!(HOSTILE);
    }
    hostile["votes"][0]["worker"] = json!(HOSTILE);
    hostile["votes"][0]["at"] = json!(HOSTILE);
    hostile["votes"][1]["answer"] = json!({ "kind": "new-label", "label": HOSTILE });
    for (bucket, folder) in [(TRAINING_BUCKET, "disputed"), (FEEDBACK_BUCKET, "questions")] {
        put(&review, bucket, &format!("{folder}/{id}.json"), &hostile).await;
    }
    let set = json!({
        "schemaVersion": 1, "version": 1, "origin": "edited", "updatedAt": "2026-11-01T00:00:00.000Z",
        "labels": [{ "name": HOSTILE }],
    });
    put(&review, TRAINING_BUCKET, "label-set.json", &set).await;
    let agreement = json!({ "records": 7, "answers": 20, "percentAgreement": 0.9, "alpha": 0.5 });
    let report = json!({ "overall": agreement, "byLabel": { HOSTILE: agreement }, "reviewers": { HOSTILE: { "answers": 1, "unsure": 0, "compared": 0, "agreement": null, "medianSeconds": null } } });
    put(
        &review,
        TRAINING_BUCKET,
        "datasets/newest.json",
        &json!({ "version": "d-1" }),
    )
    .await;
    put(&review, TRAINING_BUCKET, "datasets/d-1/agreement.json", &report).await;
    build(&review, "b-1", HOSTILE).await;
    serving(&review, HOSTILE).await;
    let proposed = format!("{HOSTILE} too");
    put(
        &review,
        TRAINING_BUCKET,
        "builds/tally.json",
        &json!({ "proposed": { proposed: 1 } }),
    )
    .await;

    for page in [
        "quality",
        "model",
        "versions",
        "versions/b-1",
        &format!("data?id={id}"),
        "overview",
    ] {
        let shown = admin.get(page).await;
        assert_eq!(shown.status(), 200, "{page}: {}", shown.body());
        assert_harmless(shown.body(), page);
        assert!(
            page == "model" || page == "overview" || shown.body().contains("&#60;script&#62;"),
            "{page}"
        );
    }
    let token = admin.get("overview").await.field("portal:csrf");
    for action in [
        "adjudicate",
        "accept-label",
        "label-up",
        "merge-label",
        "refuse-label",
        "remove-synonym",
        "approve-build",
        "reject-build",
        "roll-back",
        "find-text",
        "find-id",
    ] {
        for subject in [id.as_str(), "b-1", MODEL, HOSTILE] {
            let form = [
                ("portal:csrf", token.as_str()),
                ("subject", subject),
                ("value", HOSTILE),
            ];
            assert_harmless(admin.post(action, &form).await.body(), action);
        }
    }
}

#[tokio::test]
async fn a_form_whose_version_of_the_label_set_is_unreadable_changes_nothing() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    dispute(&review, "Cup final tonight").await;
    let tally = json!({ "labels": 1, "since": null, "proposed": { "Football": 3 } });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;
    let token = admin.get("overview").await.field("portal:csrf");
    let accept = async |version: &str| {
        let form = [
            ("portal:csrf", token.as_str()),
            ("subject", "Football"),
            ("confirmed", "yes"),
            ("version", version),
        ];
        admin.post("accept-label", &form).await
    };
    let set = async || read(&review, TRAINING_BUCKET, "label-set.json").await;
    let before = set().await;

    for unreadable in ["one", "-1", "1.0", "99999999999999999999"] {
        let refused = accept(unreadable).await;
        assert_eq!(
            (refused.status(), refused.code()),
            (400, "not_possible"),
            "{unreadable}"
        );
        assert!(
            refused.body().contains("version is no number"),
            "{}",
            refused.body()
        );
    }
    assert_eq!(set().await, before);
    assert_eq!(accept("1").await.status(), 303, "the version that there is");
}

#[tokio::test]
async fn a_proposed_label_is_merged_or_refused_and_then_proposed_no_more() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    dispute(&review, "Cup final tonight").await;
    let tally =
        json!({ "labels": 1, "since": null, "proposed": { "Football": 3, "Nonsense": 1, "sports": 2 } });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;

    let before = admin.get("quality.json").await.json();
    let merged = act(&admin, "merge-label", "Football", "Sports").await;
    let refused = act(&admin, "refuse-label", "Nonsense", "").await;
    let taken = act(&admin, "merge-label", "World", "Sports").await;
    let after = admin.get("quality.json").await.json();

    let names = [
        json!({ "name": "Football", "votes": 3 }),
        json!({ "name": "Nonsense", "votes": 1 }),
    ];
    assert_eq!(before["proposed"]["labels"], json!(names));
    assert_eq!(
        (merged.status(), refused.status()),
        (303, 303),
        "{}",
        merged.body()
    );
    assert_eq!((taken.status(), taken.code()), (400, "not_possible"));
    assert_eq!(after["proposed"]["labels"], json!([]));
    let set: Value =
        serde_json::from_str(&read(&review, TRAINING_BUCKET, "label-set.json").await).expect("JSON");
    assert_eq!(set["labels"][1]["synonyms"], json!(["Football"]));
    assert_eq!(set["refused"], json!(["Nonsense"]));
}

#[tokio::test]
async fn of_several_names_of_one_text_those_are_proposed_that_are_no_labels() {
    let mut config = config();
    config.show_rules.several_labels = true;
    let review = Review::with(config);
    let admin = review.sign_in_admin("ada").await;
    dispute(&review, "Cup final tonight").await;
    let tally =
        json!({ "labels": 1, "since": null, "proposed": { "Football|Sports": 3, "football|Fog": 2 } });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;

    let page = admin.get("quality.json").await.json();
    let token = admin.get("overview").await.field("portal:csrf");
    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", "football"),
        ("value", "Sports"),
    ];
    let asked = admin.post("merge-label", &form).await;

    let names = [
        json!({ "name": "Football", "votes": 5 }),
        json!({ "name": "Fog", "votes": 2 }),
    ];
    assert_eq!(page["proposed"]["labels"], json!(names));
    assert!(asked.body().contains("5 votes propose it"), "{}", asked.body());
}

#[tokio::test]
async fn what_is_known_of_a_proposal_and_of_how_many_texts_people_are_asked_is_said_before_it_is_merged_or_refused()
 {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let proposed = json!({ "Football": 3, "football": 1, "Fog": 1 });
    let tally = json!({ "labels": 1, "since": null, "proposed": proposed, "noneFits": 7 });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;
    let token = admin.get("overview").await.field("portal:csrf");
    let asked = async |action: &str, subject: &str| {
        let form = [
            ("portal:csrf", token.as_str()),
            ("subject", subject),
            ("value", "Sports"),
        ];
        admin.post(action, &form).await.body().to_owned()
    };

    let merge = asked("merge-label", "Football").await;
    let accept = asked("accept-label", "Football").await;
    let refuse = asked("refuse-label", "Fog").await;
    let other = asked("pause-reviewer", "bob").await;

    for said in [
        "4 votes propose it, as of the last look",
        "one more reviewer is asked: about at most 4 texts.",
        "within some hour",
    ] {
        assert!(merge.contains(said), "{said}: {merge}");
    }
    for said in [
        "1 vote proposes it, as of the last look",
        "answered by it are asked again: at most 1 text.",
        "within some hour",
    ] {
        assert!(refuse.contains(said), "{said}: {refuse}");
    }
    let none_fitted = "Texts that no label fitted are asked again: at most 7 texts";
    assert!(accept.contains(none_fitted), "{accept}");
    assert!(!merge.contains(none_fitted) && !refuse.contains("one more reviewer"));
    assert!(!other.contains("as of the last look"), "{other}");
}

#[tokio::test]
async fn a_proposal_is_accepted_and_what_that_puts_in_doubt_is_left_to_be_asked() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    dispute(&review, "Cup final tonight").await;
    let tally = json!({ "labels": 1, "since": null, "proposed": { "Weather": 3, "Football": 1 } });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;
    let planned = async || {
        let listed = review
            .s3
            .list_objects_v2()
            .bucket(FEEDBACK_BUCKET)
            .prefix("relabel/");
        let listed = listed.send().await.expect("a list");
        let mut plans = Vec::new();
        for object in listed.contents() {
            let plan = read(&review, FEEDBACK_BUCKET, object.key().expect("a key")).await;
            plans.push(serde_json::from_str::<Value>(&plan).expect("JSON"));
        }
        plans
    };

    let accepted = act(&admin, "accept-label", "Weather", "").await;
    let not_proposed = act(&admin, "accept-label", "Nonsense", "").await;
    let taken = act(&admin, "merge-label", "World", "Sports").await;
    let after_accepting = planned().await;
    review.wait(Duration::seconds(1));
    let merged = act(&admin, "merge-label", "Football", "Sports").await;
    let before_refusing = planned().await;
    review.wait(Duration::seconds(1));
    act(&admin, "refuse-label", "Fog", "").await;
    let after_refusing = planned().await;

    assert_eq!(after_refusing[2]["counted"]["doubt"], "refused-proposal");
    assert_eq!(
        (accepted.status(), merged.status()),
        (303, 303),
        "{}",
        accepted.body()
    );
    assert_eq!((not_proposed.status(), taken.status()), (400, 400));
    let set: Value =
        serde_json::from_str(&read(&review, TRAINING_BUCKET, "label-set.json").await).expect("JSON");
    assert_eq!(set["labels"][2]["name"], "Weather");
    assert_eq!(after_accepting.len(), 1, "what cannot be done asks nothing");
    assert_eq!(after_accepting[0]["counted"]["doubt"], "none-fits");
    assert_eq!((before_refusing.len(), after_refusing.len()), (2, 3));
    assert_eq!(before_refusing[1]["counted"]["doubt"], Value::Null);
    assert_eq!(after_refusing[2]["at"], set["updatedAt"]);
}

#[tokio::test]
async fn another_name_of_a_label_is_taken_away_once_it_is_said_what_that_does() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    dispute(&review, "Cup final tonight").await;
    let without = admin.get("guideline").await;
    act(&admin, "merge-label", "Football", "Sports").await;

    let shown = admin.get("guideline").await;
    let token = shown.field("portal:csrf");
    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", "Sports"),
        ("value", "Football"),
    ];
    let asked = admin.post("remove-synonym", &form).await;
    let removed = act(&admin, "remove-synonym", "Sports", "football").await;
    let again = act(&admin, "remove-synonym", "Sports", "Football").await;

    assert!(!without.body().contains("Other names of the labels"));
    assert!(shown.body().contains("Take away: Football"), "{}", shown.body());
    assert!(
        asked
            .body()
            .contains("is a proposal again, and its rows are left out"),
        "{}",
        asked.body()
    );
    assert_eq!(removed.header("location"), "guideline?done=remove-synonym");
    assert_eq!(again.status(), 400, "it is none of its names any more");
    let set: Value =
        serde_json::from_str(&read(&review, TRAINING_BUCKET, "label-set.json").await).expect("JSON");
    assert!(!set.to_string().contains("Football"), "{set}");
}

#[tokio::test]
async fn a_change_of_the_labels_is_counted_before_it_is_confirmed_and_without_a_count_that_is_said() {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let requests = asked.clone();
    let functions = Router::new().fallback(move |request: http::Request<Body>| {
        let requests = requests.clone();
        async move {
            assert_eq!(
                request.uri().path(),
                "/2015-03-31/functions/model-building/invocations"
            );
            let body = to_bytes(request.into_body(), 1 << 20).await.expect("a body");
            let request: Value = serde_json::from_slice(&body).expect("JSON");
            let answer = match request["change"]["kind"] == "refuse" {
                true => json!({ "not-counted": "it takes longer than a page may wait" }),
                false => json!({ "counted": { "text": "3 rows get another label.", "version": 1 } }),
            };
            requests.lock().expect("not poisoned").push(request);
            http::Response::new(Body::from(answer.to_string()))
        }
    });
    let review = Review::with_counts(functions);
    let admin = review.sign_in_admin("ada").await;
    dispute(&review, "Cup final tonight").await;
    let token = admin.get("quality").await.field("portal:csrf");
    let confirm = async |action: &str, subject: &str, value: &str| {
        let form = [
            ("portal:csrf", token.as_str()),
            ("subject", subject),
            ("value", value),
        ];
        admin.post(action, &form).await.body().to_owned()
    };

    let merged = confirm("merge-label", "Football", "Sports").await;
    let removed = confirm("remove-synonym", "Sports", "Football").await;
    let refused = confirm("refuse-label", "Nonsense", "").await;
    let moved = confirm("label-up", "Sports", "").await;

    for page in [&merged, &removed] {
        assert!(page.contains("3 rows get another label."), "{page}");
        assert!(!page.contains("was not counted"), "{page}");
    }
    assert!(refused.contains("was not counted in time"), "{refused}");
    assert!(
        refused.contains("value=\"yes\""),
        "it can be done all the same: {refused}"
    );
    assert!(!moved.contains("counted"), "{moved}");
    let asked = asked.lock().expect("not poisoned").clone();
    let change = |change: Value| {
        json!({
            "operation": "count-label-change", "feedbackBucket": FEEDBACK_BUCKET, "change": change, "withinSeconds": 15,
        })
    };
    assert_eq!(
        asked,
        [
            change(json!({ "kind": "synonym", "name": "Sports", "synonym": "Football" })),
            change(json!({ "kind": "remove-synonym", "name": "Sports", "synonym": "Football" })),
            change(json!({ "kind": "refuse", "name": "Nonsense" })),
        ]
    );
}

#[tokio::test]
async fn of_two_operators_who_change_the_labels_the_second_is_told_that_the_set_is_another_one_than_was_counted()
 {
    let review = Review::new();
    let (ada, bob) = (
        review.sign_in_admin("ada").await,
        review.sign_in_admin("bob").await,
    );
    dispute(&review, "Cup final tonight").await;
    let form = async |who: &Session<'_>, action: &str, subject: &str, value: &str| {
        let token = who.get("quality").await.field("portal:csrf");
        let form = [
            ("portal:csrf", token.as_str()),
            ("subject", subject),
            ("value", value),
        ];
        let asked = who.post(action, &form).await;
        (asked.field("portal:csrf"), asked.field("version"))
    };
    let yes =
        async |who: &Session<'_>, action: &str, (subject, value): (&str, &str), said: (String, String)| {
            let (token, version) = (said.0.as_str(), said.1.as_str());
            let form = [
                ("portal:csrf", token),
                ("subject", subject),
                ("value", value),
                ("version", version),
                ("confirmed", "yes"),
            ];
            who.post(action, &form).await
        };

    let said_to_ada = form(&ada, "merge-label", "Football", "Sports").await;
    let said_to_bob = form(&bob, "merge-label", "Footy", "World").await;
    let of_ada = yes(&ada, "merge-label", ("Football", "Sports"), said_to_ada).await;
    let of_bob = yes(&bob, "merge-label", ("Footy", "World"), said_to_bob).await;

    assert_eq!(of_ada.header("location"), "quality?done=merge-label");
    assert_eq!(of_bob.status(), 400);
    assert!(
        of_bob.body().contains("somebody else has changed the label set"),
        "{}",
        of_bob.body()
    );
    let set: Value =
        serde_json::from_str(&read(&review, TRAINING_BUCKET, "label-set.json").await).expect("JSON");
    assert_eq!(set["version"], 2);
}

#[tokio::test]
async fn a_label_is_moved_up_where_all_are_listed() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    dispute(&review, "Cup final tonight").await;

    let before = admin.get("guideline").await;
    let moved = act(&admin, "label-up", "Sports", "").await;
    let unknown = act(&admin, "label-up", "Weather", "").await;

    assert!(before.body().contains("Move up: Sports"), "{}", before.body());
    assert!(!before.body().contains("Move up: World"));
    assert_eq!(moved.header("location"), "guideline?done=label-up");
    assert_eq!(unknown.status(), 400);
    let set: Value =
        serde_json::from_str(&read(&review, TRAINING_BUCKET, "label-set.json").await).expect("JSON");
    assert_eq!(
        (&set["labels"][0]["name"], &set["version"]),
        (&json!("Sports"), &json!(2))
    );
}

#[tokio::test]
async fn a_label_that_is_proposed_again_after_it_was_refused_is_shown_again_as_refused_before() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    dispute(&review, "Cup final tonight").await;
    act(&admin, "refuse-label", "Nonsense", "").await;
    let tally = |at: &str| json!({ "labels": 1, "since": null, "proposed": { "Nonsense": 2 }, "proposedAt": { "Nonsense": at } });
    let shown = async |at: &str| {
        put(&review, TRAINING_BUCKET, "builds/tally.json", &tally(at)).await;
        admin.get("quality.json").await.json()["proposed"]["labels"].clone()
    };

    let before = shown("2020-01-01T00:00:00.000Z").await;
    let again = shown("2099-01-01T00:00:00.000Z").await;

    assert_eq!(before, json!([]));
    assert_eq!(
        again,
        json!([{ "name": "Nonsense", "votes": 2, "refusedBefore": true }])
    );
    let page = admin.get("quality").await;
    assert!(page.body().contains("2, proposed again since it was refused"));
}

#[tokio::test]
async fn the_first_model_which_came_without_a_switch_is_known_by_the_report_on_its_training_file() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let report = json!({
        "key": "initial/a.csv", "etag": "x", "state": "taken", "modelArn": MODEL, "at": "2026-11-18T08:00:00.000Z",
    });
    put(&review, TRAINING_BUCKET, "initial/a.csv", &json!("rows")).await;
    put(&review, TRAINING_BUCKET, "initial-reports/a.csv.json", &report).await;

    let before = admin.get("overview.json").await.json();
    serving(&review, "it is better").await;
    let after = admin.get("overview.json").await.json();

    assert_eq!(before["serving"]["at"], "2026-11-18T08:00:00Z");
    assert_eq!(
        (&before["serving"]["modelArn"], &before["serving"]["by"]),
        (&json!(MODEL), &json!("initial-file"))
    );
    assert_eq!(after["serving"]["reason"], "it is better");
}

#[tokio::test]
async fn the_newest_comments_and_flags_are_listed_until_their_task_is_deleted() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let ann = review.sign_in("ann").await;
    review.start("tc-1", &two_items()).await;
    let task = ann.open("tc-1").await;
    let answer = |remark: &str| json!({ "r-2": "Business", "comment:r-2": remark, "r-10": "__unsure__", "flag:r-10": "yes" });
    let nothing = admin.get("quality").await;

    ann.submit(&task, &answer(HOSTILE)).await;
    let first = admin.get("quality").await;
    let task = ann.get("task?loop=tc-1&correct=yes").await;
    ann.submit(&task, &answer("Shares of a club")).await;
    let corrected = admin.get("quality.json").await.json();
    review.delete("tc-1").await;
    let after = admin.get("quality.json").await.json();

    assert!(nothing.body().contains("Nobody has commented"), "{nothing:?}");
    assert_harmless(first.body(), "quality");
    for part in [
        "Rates rise again",
        "Cup final tonight",
        "unsure",
        "flagged",
        ">ann<",
    ] {
        assert!(first.body().contains(part), "{part} in {first:?}");
    }
    let remarks = corrected["remarks"].as_array().expect("remarks");
    assert_eq!(remarks.len(), 2, "a correction takes the place: {remarks:?}");
    assert_eq!(remarks[0]["comment"], "Shares of a club");
    assert_eq!(remarks[1]["flagged"], true);
    assert_eq!(after["remarks"], json!([]));
}

#[tokio::test]
async fn a_comment_and_a_flag_that_their_reviewer_takes_back_are_listed_no_more() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let (ann, bob) = (review.sign_in("ann").await, review.sign_in("bob").await);
    for name in ["tc-1", "tc-2"] {
        review.start(name, &two_items()).await;
    }
    let flagged = json!({ "r-2": "Business", "comment:r-2": "A threat", "flag:r-2": "yes", "r-10": "World" });
    let plain = json!({ "r-2": "World", "r-10": "World" });
    let task = bob.open("tc-2").await;
    bob.submit(&task, &flagged).await;
    let task = ann.open("tc-1").await;
    ann.submit(&task, &flagged).await;
    let before = admin.get("quality.json").await.json();

    let task = ann.get("task?loop=tc-1&correct=yes").await;
    ann.submit(&task, &plain).await;
    let after = admin.get("quality.json").await.json();

    let loops = |page: &Value| {
        let remarks = page["remarks"].as_array().expect("remarks").iter();
        let loops: Vec<Value> = remarks.map(|remark| remark["humanLoop"].clone()).collect();
        loops
    };
    assert_eq!(loops(&before), ["tc-1", "tc-2"]);
    assert_eq!(loops(&after), ["tc-2"], "what somebody else says stays");
}

#[tokio::test]
async fn a_flag_of_a_page_of_one_s_own_is_listed_as_its_vote_has_it() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let ann = review.sign_in("ann").await;
    review.start("tc-1", &two_items()).await;
    let task = ann.open("tc-1").await;
    let answer = json!({ "r-2": "World", "flag:r-2": { "on": true }, "r-10": "World", "flag:r-10": "off" });

    ann.submit(&task, &answer).await;

    let page = admin.get("quality.json").await.json();
    let remarks = page["remarks"].as_array().expect("remarks");
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert_eq!(
        (&remarks[0]["text"], &remarks[0]["flagged"]),
        (&json!("Rates rise again"), &json!(true))
    );
}

/// Puts an object of JSON Lines into the feedback bucket.
async fn put_lines(review: &Review, key: &str, lines: &[Value]) {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let put = review.s3.put_object().bucket(FEEDBACK_BUCKET).key(key);
    put.body(lines.into_bytes().into()).send().await.expect("stored");
}

#[tokio::test]
async fn rejected_lines_and_reports_on_files_are_shown_with_the_reasons_counted() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let key = "rejected/batch-feedback/week 1.jsonl-1.jsonl";
    let line = |number: u64, reason: &str| json!({ "line": number, "reason": reason, "raw": HOSTILE });
    let lines = [line(2, "no text"), line(3, "too long"), line(9, "no text")];
    put_lines(&review, key, &lines).await;
    let report = json!({
        "bucket": "batch", "key": "week 1.jsonl", "etag": "e", "classifier": "news", "accepted": 6, "rejected": 3,
        "duplicates": 0, "startedAt": "2026-11-19T08:00:00Z", "finishedAt": "2026-11-19T08:00:01Z",
        "repairs": ["column `Texte` was read as the text"], "rejectedKeys": [key],
    });
    put(
        &review,
        FEEDBACK_BUCKET,
        "batch-reports/week 1.jsonl.json",
        &report,
    )
    .await;

    let operations = admin.get("operations").await;
    let rejected = "report?key=rejected%2Fbatch-feedback%2Fweek+1.jsonl-1.jsonl";
    let page = admin.get(rejected).await;
    let report = "report?key=batch-reports%2Fweek+1.jsonl.json";
    let of_file = admin.get(report).await;
    let json = admin.get(&report.replace("report?", "report.json?")).await.json();
    let foreign = admin.get("report?key=questions%2Fx.json").await;
    let reviewers = review.sign_in("ann").await.get(rejected).await;

    for address in [rejected, report] {
        let link = format!("href=\"{address}\"");
        assert!(operations.body().contains(&link), "{link}: {}", operations.body());
    }
    for body in [page.body(), of_file.body()] {
        assert_harmless(body, "report");
        assert!(
            body.contains("no text</th>") && body.contains("<td>2</td>"),
            "{body}"
        );
    }
    assert!(
        of_file.body().contains("column `Texte` was read as the text"),
        "{}",
        of_file.body()
    );
    assert_eq!(json["reasons"], json!([["no text", 2], ["too long", 1]]));
    assert_eq!(foreign.status(), 404);
    assert!([403, 404].contains(&reviewers.status()), "{}", reviewers.status());
}

#[tokio::test]
async fn without_a_model_before_there_is_nothing_to_roll_back_to() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;

    let versions = admin.get("versions").await;
    let model = admin.get("model").await;
    let refused = act(&admin, "roll-back", "the model before", "").await;

    assert!(!versions.body().contains("Roll back to"), "{}", versions.body());
    assert!(
        versions.body().contains("There is no model before"),
        "{}",
        versions.body()
    );
    assert!(model.body().contains("No model serves yet"), "{}", model.body());
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn what_is_no_id_of_a_record_is_told_and_is_in_no_address() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let token = admin.get("data").await.field("portal:csrf");

    let form = [("portal:csrf", token.as_str()), ("subject", "why oh why")];
    let found = admin.post("find-id", &form).await;
    let page = admin.get(found.header("location")).await;

    assert!(!found.header("location").contains("why"));
    assert!(
        page.body().contains("This is no id of a record"),
        "{}",
        page.body()
    );
}
