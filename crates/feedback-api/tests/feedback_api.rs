//! The function over a feedback stream that answers as each test says.

use active_learning_aws::env::Env;
use active_learning_core::{
    feedback::{ClassScore, Prediction, record_id},
    labels::{
        label_set::{LabelSet, Origin},
        prediction_result::KeptPrediction,
    },
};
use axum::Router;
use base64::{Engine, prelude::BASE64_STANDARD};
use feedback_api::{Config, FeedbackApi};
use lambda_http::{Body, Request, Response, http};
use local_aws::script::Script;
use serde_json::{Value, json};

const LIKE: &str = include_str!("../../../events/feedback-api/like.json");
const DISLIKE: &str = include_str!("../../../events/feedback-api/dislike.json");
const CORRECTION: &str = include_str!("../../../events/feedback-api/correction.json");

fn healthy() -> Script {
    let script = Script::default();
    script.always("PutRecord", 200, r#"{"RecordId":"1"}"#);
    script
}

async fn answer(script: &Script, request: Request) -> Response<Body> {
    answer_with_budget(script, request, "0").await
}

async fn answer_with_budget(script: &Script, request: Request, budget: &str) -> Response<Body> {
    answer_with(script, request, budget, "keep").await
}

async fn answer_with(script: &Script, request: Request, budget: &str, personal_data: &str) -> Response<Body> {
    api(script, budget, personal_data).handle(request).await
}

fn api(script: &Script, budget: &str, personal_data: &str) -> FeedbackApi {
    let env = Env::from([
        ("FEEDBACK_STREAM_NAME", "feedback"),
        ("FEEDBACK_BUCKET_NAME", "feedback"),
        ("TRAINING_BUCKET_NAME", "training"),
        ("SEVERAL_LABELS", "false"),
        ("DEFAULT_CLASSIFIER_NAME", "house"),
        ("PERSONAL_DATA", personal_data),
        ("LANGUAGE_CODE", "en"),
        ("CLAIM_RETENTION_DAYS", "90"),
        ("REVIEW_BUDGET_PER_DAY", budget),
        ("POOL_TEXTS_IN_REVIEW", "50"),
        ("ALLOWED_ORIGIN", "*"),
    ]);
    let config = Config::from_env(&env).expect("complete");
    FeedbackApi::new(config, &script.sdk_config(Router::new()))
}

fn event(text: &str) -> Request {
    lambda_http::request::from_str(text).expect("an API Gateway event")
}

fn post(body: &str) -> Request {
    let request = http::Request::builder().method("POST").uri("/feedback");
    request.body(body.into()).expect("a request")
}

fn body(response: &Response<Body>) -> Value {
    serde_json::from_slice(response.body()).expect("JSON")
}

fn record_sent(script: &Script) -> Value {
    let calls = script.calls("PutRecord");
    let call: Value = serde_json::from_slice(calls.last().expect("a call")).expect("JSON");
    let data = call["Record"]["Data"].as_str().expect("data");
    serde_json::from_slice(&BASE64_STANDARD.decode(data).expect("base64")).expect("a line")
}

#[tokio::test]
async fn a_like_is_stored_and_not_reviewed() {
    let script = healthy();

    let response = answer(&script, event(LIKE)).await;

    let sent = record_sent(&script);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(
        body(&response),
        json!({"status": "stored", "id": sent["id"], "feedback": "like", "review": false})
    );
    assert_eq!(sent["signal"], "like");
}

#[tokio::test]
async fn personal_data_is_masked_before_feedback_is_stored_and_the_user_stays_who_they_are() {
    let script = healthy();
    let request = r#"{"classifier":"news","sentence":"Ring 030/1234567","user":"jane@example.com"}"#;

    let response = answer_with(&script, post(request), "0", "mask").await;

    let sent = record_sent(&script);
    assert_eq!(body(&response)["masked"], json!(["PHONE"]));
    assert_eq!(sent["utterance"], "Ring [PHONE]");
    assert_eq!(sent["id"], record_id("news", "Ring [PHONE]"));
    assert_eq!(sent["user"], "jane@example.com");
}

#[tokio::test(start_paused = true)]
async fn feedback_that_cannot_be_looked_through_for_personal_data_is_not_stored() {
    let script = healthy();
    script.always("DetectPiiEntities", 500, "{}");

    let response = answer_with(&script, post(r#"{"sentence":"secret"}"#), "0", "comprehend").await;

    assert_eq!(response.status(), 503);
    assert_eq!(body(&response)["code"], "personal_data_unavailable");
    assert_eq!(script.calls("PutRecord").len(), 0);
}

#[tokio::test]
async fn no_opinion_means_dislike_and_asks_for_review() {
    let script = healthy();

    let response = answer(&script, event(DISLIKE)).await;

    assert_eq!(body(&response)["feedback"], "dislike");
    assert_eq!(body(&response)["review"], true);
    assert_eq!(body(&response)["decided"], "on-delivery");
    let sent = record_sent(&script);
    assert_eq!(
        (&sent["prediction"], &sent["confidence"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(sent["source"], "explicit-api");
}

#[tokio::test]
async fn a_correction_carries_all_that_the_user_said() {
    let script = healthy();

    answer(&script, event(CORRECTION)).await;

    let sent = record_sent(&script);
    assert_eq!(sent["suggestedLabel"], "Business");
    assert_eq!(sent["prediction"], "Sports");
    assert_eq!(sent["confidence"], 0.61);
    assert_eq!(sent["user"], "reader-17");
    assert_eq!(sent["predictionId"], "1c0be0a4-5d0d-4f7e-8a43-9d3f5f0c7a21");
}

#[tokio::test]
async fn nobody_can_say_that_a_prediction_was_accepted_as_a_label() {
    let script = healthy();
    let claim = json!({
        "classifier": "news", "sentence": "Rates rise", "prediction": "World", "confidence": 0.99, "signal": "accepted",
        "source": "implicit", "modelArn": "arn:model", "acceptedAbove": 0.5,
    });
    let opinion = json!({"classifier": "news", "sentence": "Rates rise", "feedback": "accepted"});

    let claimed = answer(&script, post(&claim.to_string())).await;
    let refused = answer(&script, post(&opinion.to_string())).await;

    assert_eq!((claimed.status().as_u16(), refused.status().as_u16()), (400, 400));
    assert_eq!(script.calls("PutRecord").len(), 0);
}

#[tokio::test]
async fn a_misspelt_like_is_refused_and_never_stored_as_its_opposite() {
    let script = healthy();
    for (fields, detail) in [
        (
            r#""Feedback":"like""#,
            "unknown field `Feedback`: did you mean `feedback`?",
        ),
        (r#""like":true"#, "unknown field `like`: did you mean `feedback`?"),
        (
            r#""rating":1"#,
            "unknown field `rating`: did you mean `feedback`?",
        ),
        (
            r#""feedback":"Like""#,
            "field `feedback` must be `like` or `dislike`, in lower case, not another text; left out it means `dislike`",
        ),
        (
            r#""feedback":true"#,
            "field `feedback` must be `like` or `dislike`, in lower case, not true or false; left out it means `dislike`",
        ),
        (
            r#""feedback":"like","feedback":"dislike""#,
            "field `feedback` is given more than once",
        ),
    ] {
        let response = answer(&script, post(&format!(r#"{{"sentence":"secret",{fields}}}"#))).await;

        assert_eq!(response.status(), 400, "{fields}");
        assert_eq!(body(&response)["detail"], detail);
    }
    assert_eq!(script.calls("PutRecord").len(), 0);
}

#[tokio::test]
async fn of_a_body_with_fields_missing_the_answer_names_the_field_or_says_what_it_was_taken_for() {
    let missing = "field `sentence` is missing or empty";
    for (fields, detail) in [
        ("{}", missing),
        (r#"{"feedback":"like"}"#, missing),
        (
            r#"{"predictionId":"82edcc00-a237-4925-ab3a-0a792b391ddf"}"#,
            missing,
        ),
        (r#"{"classifier":"news","label":"Sports"}"#, missing),
        (
            r#"{"classifier":"news","prediction":"World","confidence":0.5}"#,
            missing,
        ),
        (r#"{"sentence":null,"feedback":"like"}"#, missing),
        (r#"{"sentence":""}"#, missing),
        (
            r#"{"sentence":"secret","feedback":""}"#,
            "field `feedback` must be `like` or `dislike`, in lower case, not another text; left out it means `dislike`",
        ),
        (
            r#"{"sentence":"secret","label":["Sports"]}"#,
            "field `label` must be a text, in which a bar (|) stands between several labels, not an array",
        ),
        (
            r#"{"sentence":"secret","predictionId":7}"#,
            "field `predictionId` must be a text, not a number",
        ),
        (
            r#"{"sentence":"secret","prediction":{}}"#,
            "field `prediction` must be a text, not an object",
        ),
        (
            r#"{"sentence":"secret","user":true}"#,
            "field `user` must be a text, not true or false",
        ),
        (
            r#"{"sentence":"secret","confidence":"high"}"#,
            "field `confidence` must be a number from 0 to 1",
        ),
    ] {
        let script = healthy();

        let response = answer(&script, post(fields)).await;

        assert_eq!(response.status(), 400, "{fields}");
        assert_eq!(body(&response)["detail"], detail, "{fields}");
        assert_eq!(script.calls("PutRecord").len(), 0);
    }

    let (dislike, like) = (("dislike", Value::Null), ("like", Value::Null));
    let no_vote = ("like", json!("names-no-label"));
    for (fields, taken_for) in [
        ("", &dislike),
        (r#","label":"Sports""#, &dislike),
        (r#","label":"","prediction":"World""#, &dislike),
        (r#","prediction":"World""#, &dislike),
        (r#","prediction":"World","label":" WORLD""#, &like),
        (r#","feedback":"like","prediction":"World""#, &like),
        (r#","feedback":"like","label":"World""#, &like),
        (r#","feedback":"like""#, &no_vote),
        (r#","feedback":"like","prediction":"","user":"ada""#, &no_vote),
    ] {
        let script = healthy();

        let response = answer(&script, post(&format!(r#"{{"sentence":"Rates rise"{fields}}}"#))).await;

        let answered = body(&response);
        assert_eq!(response.status(), 200, "{fields}");
        assert_eq!(answered["feedback"], taken_for.0, "{fields}");
        assert_eq!(answered["notCountedBecause"], taken_for.1, "{fields}");
    }
}

#[tokio::test]
async fn a_classifier_that_is_absent_null_or_blank_is_the_default_one() {
    for text in [
        r#"{"sentence":"x"}"#,
        r#"{"classifier":null,"sentence":"x"}"#,
        r#"{"classifier":"","sentence":"x"}"#,
    ] {
        let script = healthy();

        let response = answer(&script, post(text)).await;

        assert_eq!(response.status(), 200, "{text}");
        assert_eq!(record_sent(&script)["classifier"], "house");
    }
}

#[tokio::test]
async fn a_text_that_will_not_be_asked_again_says_why_and_is_stored_all_the_same() {
    let now = active_learning_aws::now();
    let id = active_learning_core::feedback::record_id("news", "Rates rise");
    let dislike = r#"{"classifier":"news","sentence":"Rates rise"}"#;
    let like = r#"{"classifier":"news","sentence":"Rates rise","feedback":"like"}"#;
    let held = json!({"owner": "feedback/feedback/a", "claimedAt": now}).to_string();
    for (body_text, budget, review, why) in [
        (dislike, "0", false, json!("already-asked")),
        (dislike, "7", false, json!("budget")),
        (like, "0", false, Value::Null),
    ] {
        let script = healthy();
        let nothing = "<Error><Code>NoSuchKey</Code></Error>";
        script.always("GET /feedback/claims/text-", 404, nothing);
        script.always("GET /feedback/questions/", 404, nothing);
        script.always("GET /feedback/duplicates/", 404, nothing);
        script.always(&format!("GET /feedback/claims/{id}"), 200, held.clone());

        let response = answer_with_budget(&script, post(body_text), budget).await;

        assert_eq!(body(&response)["review"], review, "{body_text} {budget}");
        assert_eq!(body(&response)["notReviewedBecause"], why);
        assert_eq!(body(&response)["decided"], Value::Null, "it is known by now");
        assert_eq!(script.calls("PutRecord").len(), 1);
    }
}

/// What is answered to a dislike of a text whose question is this, or that of a text of the same form.
async fn answer_about(question: Value, is_of_same_form: bool) -> Value {
    let script = healthy();
    let nothing = "<Error><Code>NoSuchKey</Code></Error>";
    let now = active_learning_aws::now();
    let id = active_learning_core::feedback::record_id("news", "Rates rise");
    let held = |owner: &str| json!({"owner": owner, "claimedAt": now}).to_string();
    let (own, original) = match is_of_same_form {
        true => ("other", "original"),
        false => (id.as_str(), id.as_str()),
    };
    script.always("GET /feedback/claims/text-", 200, held(original));
    let kept = if is_of_same_form { "original" } else { own };
    script.always(
        &format!("GET /feedback/questions/{kept}"),
        200,
        question.to_string(),
    );
    script.always("GET /feedback/questions/", 404, nothing);
    script.always("GET /feedback/duplicates/", 404, nothing);
    script.always(
        &format!("GET /feedback/claims/{id}"),
        200,
        held("feedback/feedback/a"),
    );
    let dislike = r#"{"classifier":"news","sentence":"Rates rise","prediction":"World","label":"Sports"}"#;

    let response = answer_with_budget(&script, post(dislike), "0").await;

    let body = body(&response);
    json!([body["review"], body["notReviewedBecause"]])
}

#[tokio::test]
async fn a_complaint_is_reviewed_where_its_text_waits_in_the_pool_or_its_vote_reopens_another_spelling() {
    let record = json!({"classifier": "news", "utterance": "Rates rise", "source": "explicit-api", "signal": "unlabelled"});
    let in_pool = json!({"schemaVersion": 1, "state": "asked", "record": record});
    let mut answered = in_pool.clone();
    answered["state"] = "answered".into();
    answered["humanLoop"] = "review-1".into();
    let answer = |label: &str| json!({"state": "agreed", "answer": {"kind": "labels", "labels": [label]}, "confidence": 1.0});
    answered["consensus"] = answer("World");
    let mut agrees = answered.clone();
    agrees["consensus"] = answer("Sports");
    let (reviewed, known, copy) = (
        json!([true, null]),
        json!([false, "already-answered"]),
        json!([false, "duplicate"]),
    );

    for (question, is_of_same_form, expected) in [
        (&in_pool, false, &reviewed),
        (&in_pool, true, &reviewed),
        (&answered, false, &reviewed),
        (&answered, true, &reviewed),
        (&agrees, false, &known),
        (&agrees, true, &copy),
    ] {
        let said = answer_about(question.clone(), is_of_same_form).await;

        assert_eq!(said, *expected, "{is_of_same_form} {question}");
    }
}

#[tokio::test(start_paused = true)]
async fn feedback_that_the_stream_refuses_is_no_success() {
    for (status, code) in [
        (503, "ServiceUnavailableException"),
        (400, "ResourceNotFoundException"),
        (400, "AccessDeniedException"),
    ] {
        let script = Script::default();
        script.always("PutRecord", status, json!({"__type": code}).to_string());

        let response = answer(&script, event(DISLIKE)).await;

        assert_eq!(response.status(), 503, "{code}");
        assert_eq!(body(&response)["code"], "feedback_unavailable");
        assert_eq!(response.headers()["retry-after"], "5");
    }
}

#[tokio::test]
async fn what_is_no_feedback_is_refused_with_its_field_and_without_its_text() {
    let script = healthy();
    let long = "é".repeat(5_001);
    for (body_text, status, code) in [
        ("", 400, "invalid_request"),
        (r#"["news","secret"]"#, 400, "invalid_request"),
        (r#"{"classifier":"news"}"#, 400, "invalid_request"),
        (
            r#"{"classifier":"news","sentence":"\u200b"}"#,
            400,
            "invalid_request",
        ),
        (
            r#"{"classifier":"news","sentence":"secret","feedback":"love"}"#,
            400,
            "invalid_request",
        ),
        (
            r#"{"classifier":"news","sentence":"secret","confidence":2}"#,
            400,
            "invalid_request",
        ),
        (
            &json!({"classifier": "news", "sentence": long}).to_string(),
            413,
            "text_too_long",
        ),
    ] {
        let response = answer(&script, post(body_text)).await;

        assert_eq!(response.status(), status, "{body_text}");
        assert_eq!(body(&response)["code"], code);
        assert!(!String::from_utf8_lossy(response.body()).contains("secret"));
    }
    assert_eq!(script.calls("PutRecord").len(), 0);
}

#[tokio::test]
async fn a_preflight_is_answered() {
    let request = http::Request::builder().method("OPTIONS").uri("/feedback");

    let response = answer(&healthy(), request.body(Body::Empty).expect("a request")).await;

    assert_eq!(response.status(), 204);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(
        response.headers()["access-control-allow-headers"],
        "content-type,if-none-match,x-api-key"
    );
}

const PREDICTION: &str = "1c0be0a4-5d0d-4f7e-8a43-9d3f5f0c7a21";

/// A feedback bucket that keeps a prediction of this text.
fn predicting(text: &str) -> Script {
    let script = healthy();
    let prediction = Prediction::multi_class(vec![ClassScore {
        name: "World".into(),
        score: 0.9,
    }]);
    let kept = KeptPrediction::new(
        PREDICTION,
        ("news", text),
        prediction.as_ref(),
        None,
        "2026-11-28T10:00:00.000Z",
    );
    let path = format!("GET /feedback/predictions/{PREDICTION}.json");
    script.always(&path, 200, serde_json::to_string(&kept).expect("JSON"));
    script
}

#[tokio::test]
async fn a_prediction_of_another_text_is_refused_by_field_and_one_of_the_text_says_what_was_predicted() {
    let script = predicting("The minister opened the velodrome.");
    let dislike = |text: &str| {
        let request = json!({"classifier": "news", "sentence": text, "predictionId": PREDICTION});
        post(&request.to_string())
    };

    let other = answer(&script, dislike("Rates rise")).await;
    let stored = script.calls("PutRecord").len();
    let same = answer(&script, dislike(" the MINISTER opened the velodrome ")).await;

    assert_eq!(other.status(), 400);
    assert!(
        body(&other)["detail"]
            .as_str()
            .expect("a detail")
            .contains("`predictionId`")
    );
    assert_eq!(stored, 0);
    assert_eq!(same.status(), 200);
    let sent = record_sent(&script);
    assert_eq!(
        (&sent["prediction"], sent["confidence"].is_number()),
        (&json!("World"), true)
    );
}

#[tokio::test]
async fn feedback_on_a_prediction_is_of_its_classifier_and_another_one_is_refused_by_both_names() {
    let text = "The minister opened the velodrome.";
    let script = predicting(text);
    let id = record_id("news", text);
    let mark = format!("PUT /feedback/predictions-of/{id}/{PREDICTION}");
    script.always(&mark, 200, "");
    let dislike = |classifier: Value| {
        let request = json!({"sentence": text, "predictionId": PREDICTION, "classifier": classifier});
        post(&request.to_string())
    };

    for left_out in [json!(null), json!(""), json!("news"), json!(" news ")] {
        let stored = answer(&script, dislike(left_out.clone())).await;

        assert_eq!(stored.status(), 200, "{left_out}");
        let sent = record_sent(&script);
        assert_eq!((&sent["id"], &sent["classifier"]), (&json!(id), &json!("news")));
        assert_eq!(body(&stored)["id"], json!(id));
    }
    let stored = script.calls("PutRecord").len();
    let other = answer(&script, dislike(json!("mail"))).await;

    assert_eq!((other.status().as_u16(), stored), (400, 4));
    assert_eq!(script.calls(&mark).len(), 4);
    let detail = body(&other)["detail"].to_string();
    assert!(detail.contains("`news`") && detail.contains("`mail`"), "{detail}");
    assert_eq!(script.calls("PutRecord").len(), stored);
}

#[tokio::test]
async fn the_prediction_of_a_complaint_is_marked_so_that_its_client_is_told_and_that_of_a_like_is_not() {
    let text = "The minister opened the velodrome.";
    let script = predicting(text);
    let mark = format!(
        "PUT /feedback/predictions-of/{}/{PREDICTION}",
        record_id("news", text)
    );
    script.always(&mark, 200, "");
    let feedback = |opinion: &str| {
        let request =
            json!({"classifier": "news", "sentence": text, "predictionId": PREDICTION, "feedback": opinion});
        post(&request.to_string())
    };

    let like = answer(&script, feedback("like")).await;
    let marks_of_like = script.calls(&mark).len();
    let dislike = answer(&script, feedback("dislike")).await;

    assert_eq!(
        (like.status(), dislike.status()),
        (http::StatusCode::OK, http::StatusCode::OK)
    );
    assert_eq!((marks_of_like, script.calls(&mark).len()), (0, 1));
}

#[tokio::test]
async fn what_can_be_no_label_is_refused_by_field() {
    let script = healthy();
    for label in [
        "__none__",
        " __UNSURE__",
        "\u{200b}",
        "A\nB",
        "A|__none__",
        "none of these FITS",
    ] {
        let request = json!({"classifier": "news", "sentence": "Rates rise", "label": label});

        let response = answer(&script, post(&request.to_string())).await;

        assert_eq!(response.status(), 400, "{label:?}");
        assert!(
            body(&response)["detail"]
                .as_str()
                .expect("a detail")
                .contains("`label`")
        );
    }
    assert_eq!(script.calls("PutRecord").len(), 0);
}

#[tokio::test]
async fn a_prediction_from_before_a_rename_is_liked_by_its_old_and_its_new_name_and_disliked_by_neither() {
    let text = "The minister opened the velodrome.";
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-20T10:00:00.000Z");
    set.rename("World", "World news").expect("free");
    let set = String::from_utf8(set.to_json()).expect("UTF-8");
    let said = async |fields: Value| {
        let script = predicting(text);
        script.always("GET /training/label-set.json", 200, set.clone());
        let mut request = json!({"classifier": "news", "sentence": text});
        for (name, value) in fields.as_object().expect("fields") {
            request[name] = value.clone();
        }
        let response = answer(&script, post(&request.to_string())).await;
        (response.status().as_u16(), body(&response)["feedback"].clone())
    };

    let (like, dislike) = (json!("like"), json!("dislike"));
    for (fields, expected) in [
        (
            json!({"predictionId": PREDICTION, "feedback": "like", "label": "World news"}),
            (200, &like),
        ),
        (
            json!({"predictionId": PREDICTION, "feedback": "like", "label": "world"}),
            (200, &like),
        ),
        (
            json!({"predictionId": PREDICTION, "label": "World news"}),
            (200, &like),
        ),
        (
            json!({"prediction": "World", "feedback": "like", "label": "World news"}),
            (200, &like),
        ),
        (
            json!({"predictionId": PREDICTION, "prediction": "World news"}),
            (200, &dislike),
        ),
        (
            json!({"predictionId": PREDICTION, "feedback": "dislike", "label": "World news"}),
            (400, &Value::Null),
        ),
        (
            json!({"predictionId": PREDICTION, "feedback": "like", "label": "Sports"}),
            (400, &Value::Null),
        ),
        (
            json!({"predictionId": PREDICTION, "label": "Sports"}),
            (200, &dislike),
        ),
    ] {
        let (status, feedback) = said(fields.clone()).await;

        assert_eq!((status, &feedback), expected, "{fields}");
    }
}

#[tokio::test]
async fn who_says_the_new_name_of_a_label_right_after_the_rename_likes_the_prediction() {
    let text = "The minister opened the velodrome.";
    let before = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-20T10:00:00.000Z");
    let mut renamed = before.clone();
    renamed.rename("World", "World news").expect("free");
    renamed.edited("2026-11-20T11:00:00.000Z");
    let script = predicting(text);
    let read = "GET /training/label-set.json";
    let json = |set: &LabelSet| String::from_utf8(set.to_json()).expect("UTF-8");
    script.answer(1, read, 200, json(&before));
    script.always(read, 200, json(&renamed));
    let api = api(&script, "0", "keep");
    let said = async |label: &str| {
        let request =
            json!({"classifier": "news", "sentence": text, "predictionId": PREDICTION, "label": label});
        let response = api.handle(post(&request.to_string())).await;
        (response.status().as_u16(), body(&response)["feedback"].clone())
    };

    let old = said("World").await;
    let new = said("World news").await;

    assert_eq!((old, new), ((200, json!("like")), (200, json!("like"))));
    assert_eq!(
        script.calls(read).len(),
        2,
        "the set was read anew for the name that it did not have"
    );
}

#[tokio::test]
async fn the_label_set_is_read_only_where_two_names_may_have_to_be_compared() {
    let script = predicting("The minister opened the velodrome.");
    let request = json!({"classifier": "news", "sentence": "Rates rise", "label": "Sports"});

    let response = answer(&script, post(&request.to_string())).await;

    assert_eq!(response.status(), 200);
    assert_eq!(script.calls("GET /training/").len(), 0);
}
