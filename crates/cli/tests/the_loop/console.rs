//! An operator in the console of a whole stack, whose function has the rights of its role and no others.

use active_learning_cli::{http_client::send, sign_in};
use active_learning_core::feedback::record_id;
use aws_sdk_s3::primitives::ByteStream;
use human_review::session::Role;
use model_building::Outcome;
use serde_json::{Value, json};

use crate::{
    harness::{self, until},
    new_models::{BY_HAND, EASY_TO_WIN, Stack, news, put_labels},
    people::Started,
};

const TEXT: &str = "The minister, a keen cyclist, opened the velodrome that a bank had paid for.";

/// A browser without script, mostly an admin's.
pub struct Operator {
    portal: String,
    cookie: String,
}

impl Operator {
    async fn sign_in(stack: &Stack, name: &str) -> Self {
        Self::sign_in_as(stack, name, Role::Admin).await
    }

    pub async fn sign_in_as(stack: &Stack, name: &str, role: Role) -> Self {
        let link = sign_in::create_link_as(&stack.outputs, name, role).await;
        let link = link.expect("a link");
        let (portal, token) = link.split_once("sign-in?token=").expect("a link of the portal");
        let mut operator = Self {
            portal: portal.to_owned(),
            cookie: String::new(),
        };
        let response = operator.post("sign-in", &[("token", token)]).await;
        let cookie = response.headers()["set-cookie"].to_str().expect("text");
        operator.cookie = cookie.split(';').next().expect("a cookie").to_owned();
        operator
    }

    pub async fn get(&self, page: &str) -> String {
        let request = http::Request::get(format!("{}{page}", self.portal)).header("cookie", &self.cookie);
        let response = send(request.body(String::new()).expect("a request")).await;
        let response = response.expect("the portal answers");
        assert_eq!(response.status(), 200, "{page}: {}", response.body());
        response.into_body()
    }

    async fn json(&self, page: &str) -> Value {
        serde_json::from_str(&self.get(page).await).expect("JSON")
    }

    pub async fn post(&self, page: &str, form: &[(&str, &str)]) -> http::Response<String> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = http::Request::post(format!("{}{page}", self.portal))
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        send(request.body(body).expect("a request"))
            .await
            .expect("the portal answers")
    }

    /// Does an action, confirmed; returns the status and the page.
    async fn act(&self, action: &str, subject: &str, value: &str) -> (u16, String) {
        let fields = [("subject", subject), ("value", value), ("confirmed", "yes")];
        self.send(action, &fields).await
    }

    /// Sends the form of an action; returns the status and the page.
    pub async fn send(&self, action: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let page = self.get("overview").await;
        let (_, after) = page.split_once("name=\"portal:csrf\" value=\"").expect("a form");
        let token = after.split('"').next().expect("its token");
        let form = [&[("portal:csrf", token)][..], fields].concat();
        let response = self.post(action, &form).await;
        (response.status().as_u16(), response.into_body())
    }
}

async fn put(stack: &Stack, bucket: &str, key: &str, body: &Value) {
    let body = ByteStream::from(body.to_string().into_bytes());
    let put = stack
        .s3
        .put_object()
        .bucket(stack.outputs.output(bucket))
        .key(key)
        .body(body);
    put.send().await.expect("stored");
}

async fn exists(stack: &Stack, bucket: &str, key: &str) -> bool {
    let head = stack
        .s3
        .head_object()
        .bucket(stack.outputs.output(bucket))
        .key(key);
    head.send().await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_approved_and_rolled_back_in_the_console_whose_figures_are_those_of_status() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = [&BY_HAND[..], &EASY_TO_WIN, &[("ApproveDeployments", "true")]].concat();
    let stack = Stack::start(folder.path(), &rows[..60], &parameters).await;
    let models = stack.models();
    let champion = models.serving().await.expect("an endpoint").expect("a model");
    let operator = Operator::sign_in(&stack, "ada").await;

    put_labels(&stack.s3, stack.bucket(), "first", &rows[60..150]).await;
    let build = Started::until_it_waits(&stack).await;
    let waiting = operator.json("overview.json").await;
    let offered = operator.get("versions").await;
    let approved = operator.act("approve-build", build.id(), "").await;
    let record = build.record().await;
    let shown = operator.json(&format!("versions/{}.json", build.id())).await;
    let mut figures = operator.json("overview.json").await;
    let (_, printed) = harness::command(folder.path(), &["status", "--json"]).await;
    let rolled_back = operator.act("roll-back", &champion, "").await;
    until(async || models.serving().await.expect("an endpoint").as_ref() == Some(&champion)).await;
    until(async || operator.json("overview.json").await["serving"]["by"] == "roll-back").await;
    let log = operator.json("operations.json").await;
    stack.stop().await;

    assert_eq!(waiting["lastBuild"]["waitsForApproval"], true);
    assert!(offered.contains("action=\"approve-build\""), "{offered}");
    assert_eq!(
        (approved.0, rolled_back.0),
        (303, 303),
        "{} {}",
        approved.1,
        rolled_back.1
    );
    assert_eq!(record.outcome, Outcome::Deployed, "{}", record.why);
    assert_eq!(record.approved_by.as_deref(), Some("ada"));
    assert_eq!(shown["record"]["outcome"], "deployed");
    assert!(shown["decision"]["challenger"]["evaluation"]["confusionMatrix"].is_object());
    let mut status: Value = serde_json::from_str(&printed).expect("JSON");
    for figures in [&mut figures, &mut status] {
        figures.as_object_mut().expect("figures").remove("at");
    }
    assert_eq!(status["waiting"]["tasks"]["count"], 0, "{status}");
    // What a month costs goes on while both are asked, and an hour may end.
    for figures in [&mut figures, &mut status] {
        let activity = figures["activity"].as_object_mut().expect("figures");
        let hours = activity.remove("hours").expect("hours");
        assert_eq!(hours.as_array().map(Vec::len), Some(48));
        activity.remove("cost");
    }
    let encoders = status.as_object_mut().expect("figures").remove("textEncoder");
    let encoders = encoders.expect("the built-in classifier serves");
    assert!(encoders["choice"].is_string(), "{encoders}");
    assert_eq!(
        encoders["ofServingModel"],
        encoders["identity"].as_str().unwrap_or("none"),
        "{encoders}"
    );
    assert_eq!(figures, status);
    let actions: Vec<_> = log["auditLog"]["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    assert!(
        actions
            .iter()
            .any(|entry| entry["action"] == "approve-build" && entry["by"] == "ada")
    );
    assert!(
        actions.iter().all(|entry| entry["failed"].is_null()),
        "{actions:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_rejected_in_the_console_once_confirmed_and_keeps_the_serving_model() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = [&BY_HAND[..], &EASY_TO_WIN, &[("ApproveDeployments", "true")]].concat();
    let stack = Stack::start(folder.path(), &rows[..60], &parameters).await;
    let champion = stack.models().serving().await.expect("an endpoint");
    let operator = Operator::sign_in(&stack, "ada").await;

    put_labels(&stack.s3, stack.bucket(), "first", &rows[60..150]).await;
    let build = Started::until_it_waits(&stack).await;
    let without_reason = operator.act("reject-build", build.id(), "").await;
    let fields = [("subject", build.id()), ("value", "too risky today")];
    let asked = operator.send("reject-build", &fields).await;
    let still_waits = operator.json("overview.json").await;
    let before = operator.json("operations.json").await;
    let rejected = operator.act("reject-build", build.id(), "too risky today").await;
    let record = build.record().await;
    let log = operator.json("operations.json").await;
    let serving = stack.models().serving().await.expect("an endpoint");
    stack.stop().await;

    assert_eq!((without_reason.0, asked.0), (400, 200));
    assert!(
        asked.1.contains("Reject the model of the build") && asked.1.contains("too risky today"),
        "{}",
        asked.1
    );
    assert_eq!(still_waits["lastBuild"]["waitsForApproval"], true);
    let entries = |log: &Value| log["auditLog"]["entries"].as_array().cloned().unwrap_or_default();
    assert!(entries(&before).is_empty(), "nothing was done yet");
    assert_eq!(rejected.0, 303, "{}", rejected.1);
    assert_eq!(record.outcome, Outcome::Refused);
    assert_eq!(record.why, "a person rejected it: ada: too risky today");
    assert_eq!(serving, champion);
    let logged = entries(&log);
    let [entry] = logged.as_slice() else {
        panic!("one action: {logged:?}");
    };
    assert_eq!(
        (&entry["action"], &entry["by"]),
        (&json!("reject-build"), &json!("ada"))
    );
    assert_eq!(entry["value"], "too risky today");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_decided_and_a_failed_event_sent_again_with_the_rights_of_the_function() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let stack = Stack::start(folder.path(), &rows[..24], &BY_HAND).await;
    let operator = Operator::sign_in(&stack, "ada").await;
    let id = record_id("news", TEXT);
    let question = json!({
        "schemaVersion": 1, "state": "disputed", "items": 1, "votes": [],
        "record": {
            "schemaVersion": 1, "id": id, "classifier": "news", "utterance": TEXT, "prediction": "World",
            "confidence": 0.4, "source": "implicit", "signal": "low-confidence",
            "receivedAt": "2026-11-19T08:00:00.000Z",
        },
    });
    put(
        &stack,
        "TrainingS3Bucket",
        &format!("disputed/{id}.json"),
        &question,
    )
    .await;
    put(
        &stack,
        "FeedbackS3Bucket",
        &format!("questions/{id}.json"),
        &question,
    )
    .await;
    let upload =
        json!({ "classifier": "news", "sentences": ["A probe landed on the far side of the Moon."] });
    put(&stack, "BatchUploadS3Bucket", "first.json", &upload).await;
    let batch = stack.outputs.output("BatchUploadS3Bucket");
    let object = json!({ "s3": { "bucket": { "name": batch }, "object": { "key": "first.json" } } });
    let failure = json!({ "requestPayload": { "Records": [object] } });
    put(
        &stack,
        "FeedbackS3Bucket",
        "aws/lambda/async/batch-feedback/one",
        &failure,
    )
    .await;

    let decided = operator.act("adjudicate", &id, "sports").await;
    let sent = operator
        .act("send-again", "aws/lambda/async/batch-feedback/one", "")
        .await;
    let shown = operator.get(&format!("data?id={id}")).await;
    for page in [
        "overview",
        "tasks",
        "quality",
        "guideline",
        "reviewers",
        "model",
        "versions",
        "data",
        "operations",
    ] {
        operator.get(page).await;
    }
    let disputed = exists(&stack, "TrainingS3Bucket", &format!("disputed/{id}.json")).await;
    let failed = exists(&stack, "FeedbackS3Bucket", "aws/lambda/async/batch-feedback/one").await;
    let (exported, csv) = harness::command(folder.path(), &["export", "--format", "csv"]).await;
    stack.stop().await;

    assert_eq!((decided.0, sent.0), (303, 303), "{} {}", decided.1, sent.1);
    assert!(!disputed && !failed);
    assert!(
        shown.contains("adjudicator:ada") && shown.contains("Sports"),
        "{shown}"
    );
    assert!(
        exported
            && csv
                .lines()
                .any(|line| line.starts_with("Sports,") && line.contains("velodrome")),
        "{csv}"
    );
}
