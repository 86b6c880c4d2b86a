//! What reviewers do is counted, and what they cannot do raises an alarm.

use std::net::Ipv4Addr;

use axum::{Router, http::StatusCode};
use human_review::session::Role;
use serde_json::json;

use crate::{
    alarms::{metrics_of, names, raised_with},
    console::Operator,
    harness::until,
    new_models::{BY_HAND, Stack, news},
};

/// Key of the stack's own template.
const TEMPLATE: &str = "templates/own.html";
/// A page whose answers cannot be matched to texts.
const WITHHELD: &str = "<crowd-form><input name=topic><p>{{ task.input.rowCount }}</p></crowd-form>";
/// One whose answers can.
const NUMBERED: &str = "{% for item in task.input.comprehendPredictions %}<p>{{ item.utterance }}</p>\
    <select name=\"item-{{ forloop.index }}\">{% for label in task.input.labels %}<option>{{ label }}</option>{% endfor %}\
    </select>{% endfor %}";

/// Starts a receiver of webhooks that refuses each for good; returns its URL.
async fn refusing() -> String {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let url = format!("http://{}/reviewed", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(async || StatusCode::BAD_REQUEST);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn put_template(stack: &Stack, content: &str) {
    let bucket = stack.outputs.output("ReviewS3Bucket");
    let put = stack.s3.put_object().bucket(bucket).key(TEMPLATE);
    let put = put.body(content.as_bytes().to_vec().into()).send().await;
    put.expect("stored");
}

/// Returns the value of a hidden field of a page.
fn field(page: &str, name: &str) -> String {
    let (_, after) = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("{name}: {page}"));
    after.split('"').next().expect("a value").to_owned()
}

/// A loop of two texts that a test starts by itself.
const OWN_LOOP: &str = "own-1";

/// Starts the loop of two texts.
async fn start_own_loop(stack: &Stack, a2i: &aws_sdk_sagemakera2iruntime::Client) {
    let item = |id: &str| json!({ "id": id, "utterance": format!("Text {id}"), "classifier": "news" });
    let input = json!({ "comprehendPredictions": [item("a"), item("b")], "labels": ["World", "Sports"], "rowCount": 2 });
    let input =
        aws_sdk_sagemakera2iruntime::types::HumanLoopInput::builder().input_content(input.to_string());
    let start = a2i
        .start_human_loop()
        .human_loop_name(OWN_LOOP)
        .flow_definition_arn(stack.outputs.output("HumanReviewWorkflowArnInUse"))
        .human_loop_input(input.build());
    start.send().await.expect("started");
}

/// Asks people about two texts; returns the names of their loops.
async fn two_tasks(stack: &Stack, a2i: &aws_sdk_sagemakera2iruntime::Client) -> [String; 2] {
    let flow = stack.outputs.output("HumanReviewWorkflowArnInUse");
    for (_, text) in &news()[100..102] {
        stack.classify(text).await;
    }
    let mut found = Vec::new();
    until(async || {
        let listed = a2i.list_human_loops().flow_definition_arn(flow).send().await;
        let listed = listed.expect("listed");
        let names = listed.human_loop_summaries().iter();
        found = names
            .filter_map(|it| it.human_loop_name().map(str::to_owned))
            .filter(|name| name != OWN_LOOP)
            .collect();
        found.len() == 2
    })
    .await;
    found.try_into().expect("two")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_submit_and_a_refused_webhook_raise_theirs_and_what_reviewers_do_is_counted() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let url = refusing().await;
    let own = [
        ("ComprehendClassificationScoreThreshold", "1"),
        ("ItemsPerTask", "1"),
        ("ResultWebhookUrl", url.as_str()),
        ("WorkerTaskTemplateKey", TEMPLATE),
    ];
    let stack = Stack::start(folder.path(), &news()[..24], &[&BY_HAND[..], &own].concat()).await;
    put_template(&stack, WITHHELD).await;
    let ann = Operator::sign_in_as(&stack, "ann", Role::Reviewer).await;
    let bea = Operator::sign_in_as(&stack, "bea", Role::Reviewer).await;
    let a2i = aws_sdk_sagemakera2iruntime::Client::new(&stack.running.aws.sdk_config());
    start_own_loop(&stack, &a2i).await;
    let token = field(&bea.get("queue").await, "portal:csrf");
    let before = raised_with(folder.path(), &own);

    let withheld = ann.get(&format!("task?loop={OWN_LOOP}")).await;
    let lost = bea
        .post("renew", &[("portal:csrf", &token), ("portal:loop", OWN_LOOP)])
        .await;
    let raised = names(&["WithheldTasksAlarm"]);
    until(async || raised_with(folder.path(), &own) == raised).await;
    put_template(&stack, NUMBERED).await;
    let [first, second] = two_tasks(&stack, &a2i).await;
    let page = ann.get(&format!("task?loop={first}")).await;
    let (anns, id) = (field(&page, "portal:csrf"), field(&page, "portal:loop-id"));
    let answer = [
        ("portal:csrf", anns.as_str()),
        ("portal:loop", first.as_str()),
        ("portal:loop-id", id.as_str()),
        ("item-1", "World"),
    ];
    let submitted = ann.post("submit", &answer).await;
    bea.get(&format!("task?loop={second}")).await;
    let skipped = bea
        .post("release", &[("portal:csrf", &token), ("portal:loop", &second)])
        .await;
    stack
        .invoke("HumanReview", &json!({"operation": "measure"}))
        .await;

    let raised = names(&["WebhooksRefusedAlarm", "WithheldTasksAlarm"]);
    until(async || raised_with(folder.path(), &own) == raised).await;
    let counted = ["Submitted", "Skipped", "LeaseLost", "Waiting", "OldestAgeSeconds"];
    until(async || metrics_of(folder.path(), "human-review").is_superset(&names(&counted))).await;
    let classified = metrics_of(folder.path(), "classify");
    stack.stop().await;
    assert_eq!(before, names(&[]));
    assert!(withheld.contains("data-withheld=\"true\""), "{withheld}");
    assert_eq!(
        (lost.status(), submitted.status(), skipped.status()),
        (StatusCode::CONFLICT, StatusCode::SEE_OTHER, StatusCode::SEE_OTHER,)
    );
    assert!(
        classified.is_superset(&names(&["Classified", "Confidence"])),
        "{classified:?}"
    );
}
