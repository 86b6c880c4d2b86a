//! Flow definitions, worker task templates, teams and the workforce, as SageMaker's API makes them.

use active_learning_core::labels::label_set::{LABEL_SET_KEY, LabelSet, Origin};
use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{
    BUCKET, FEEDBACK_BUCKET, FLOW, Reply, Review, TRAINING_BUCKET, config, proxy_event, two_items, url_event,
};

const SCOPE: &str = "arn:aws:sagemaker:us-east-1:123456789012";
const OWN_TEAM: &str = "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/tc-review";
const ROLE: &str = "arn:aws:iam::123456789012:role/a2i";
const TEMPLATE: &str = r#"<crowd-form><crowd-classifier name="sentiment" categories="['positive', 'negative']" header="Tone?">
<classification-target>{{ task.input.taskObject }}</classification-target></crowd-classifier></crowd-form>"#;

async fn call(review: &Review, operation: &str, body: Value) -> Reply {
    let mut event = url_event("POST", "/", &body.to_string());
    event["headers"]["x-amz-target"] = json!(format!("SageMaker.{operation}"));
    Reply(review.handle(event).await)
}

pub async fn made(review: &Review, operation: &str, body: Value) -> Value {
    let reply = call(review, operation, body).await;
    assert_eq!(reply.status(), 200, "{operation}: {reply:?}");
    reply.json()
}

pub async fn refused(review: &Review, operation: &str, body: Value) -> (String, String) {
    let reply = call(review, operation, body).await;
    assert_eq!(reply.status(), 400, "{operation}: {reply:?}");
    let document = reply.json();
    let member = |name: &str| document[name].as_str().expect(name).to_owned();
    (member("__type"), member("Message"))
}

pub fn flow(name: &str, ui: &str, changes: Value) -> Value {
    let mut request = json!({
        "FlowDefinitionName": name,
        "HumanLoopConfig": {
            "WorkteamArn": OWN_TEAM,
            "HumanTaskUiArn": format!("{SCOPE}:human-task-ui/{ui}"),
            "TaskTitle": "Tone of a mail",
            "TaskDescription": "Say whether the mail is positive <b>or</b> negative",
            "TaskCount": 1,
        },
        "OutputConfig": { "S3OutputPath": format!("s3://{FEEDBACK_BUCKET}/tone/") },
        "RoleArn": ROLE,
    });
    for (name, value) in changes.as_object().expect("an object") {
        match name.split_once('.') {
            Some((outer, inner)) => request[outer][inner] = value.clone(),
            None => request[name] = value.clone(),
        }
    }
    request
}

async fn with_flow() -> Review {
    let review = Review::new();
    add_flow(&review).await;
    review
}

/// Makes the flow definition `tone`.
pub async fn add_flow(review: &Review) {
    let ui = json!({ "HumanTaskUiName": "tone", "UiTemplate": { "Content": TEMPLATE } });
    made(review, "CreateHumanTaskUi", ui).await;
    made(review, "CreateFlowDefinition", flow("tone", "tone", json!({}))).await;
}

pub async fn start(review: &Review, name: &str, flow: &str, input: &Value) -> Reply {
    let body = json!({
        "HumanLoopName": name, "FlowDefinitionArn": flow,
        "HumanLoopInput": { "InputContent": input.to_string() },
    });
    review.api("POST", "/human-loops", &body.to_string()).await
}

#[tokio::test]
async fn a_template_of_elements_that_the_portal_does_not_have_is_refused_and_they_are_named() {
    let review = Review::new();
    let ui = |content: &str| json!({ "HumanTaskUiName": "spans", "UiTemplate": { "Content": content } });
    let entities = "<crowd-form><crowd-entity-annotation name=\"spans\" text=\"{{ task.input.text }}\"></crowd-entity-annotation></crowd-form>";
    let beside = format!("{entities}<crowd-input name=\"remark\"></crowd-input>");

    let (kind, message) = refused(&review, "CreateHumanTaskUi", ui(entities)).await;
    let taken = call(&review, "CreateHumanTaskUi", ui(&beside)).await;

    assert_eq!(kind, "ValidationException");
    assert!(
        message.contains("does not have crowd-entity-annotation"),
        "{message}"
    );
    assert_eq!(
        taken.status(),
        200,
        "another field takes an answer, and the page names the element"
    );
}

async fn names(review: &Review, flow: &str) -> Vec<String> {
    let flow = flow.replace(':', "%3A").replace('/', "%2F");
    let path = format!("/human-loops?FlowDefinitionArn={flow}");
    let reply = review.api("GET", &path, "").await.json();
    let summaries = reply["HumanLoopSummaries"].as_array().expect("summaries");
    let name = |summary: &Value| summary["HumanLoopName"].as_str().expect("a name").to_owned();
    summaries.iter().map(name).collect()
}

#[tokio::test]
async fn a_flow_definition_has_its_own_template_title_and_output_beside_that_of_the_stack() {
    let review = with_flow().await;
    let arn = format!("{SCOPE}:flow-definition/tone");
    review.start("tc-1", &two_items()).await;
    let input = json!({ "taskObject": "I love it" });
    assert_eq!(start(&review, "tone-1", &arn, &input).await.status(), 200);

    let session = review.sign_in("ada").await;
    let queue = session.get("queue").await;
    let task = session.open("tone-1").await;
    let answer = json!({ "sentiment": { "label": "positive" } });
    let submitted = session.submit(&task, &answer).await;

    assert!(
        queue.body().contains("<small>Tone of a mail</small>"),
        "{queue:?}"
    );
    assert!(task.body().contains("I love it") && task.body().contains("crowd-classifier"));
    assert!(task.body().contains("<h1 id=\"task-title\">Tone of a mail</h1>"));
    assert!(task.body().contains("positive &#60;b&#62;or"), "{}", task.body());
    assert_eq!(submitted.status(), 303, "{submitted:?}");
    let described = review.api("GET", "/human-loops/tone-1", "").await.json();
    assert_eq!(described["HumanLoopStatus"], "Completed");
    assert_eq!(described["FlowDefinitionArn"], arn);
    let uri = described["HumanLoopOutput"]["OutputS3Uri"]
        .as_str()
        .expect("a URI");
    let key = uri
        .strip_prefix(&format!("s3://{FEEDBACK_BUCKET}/"))
        .expect("its bucket");
    assert!(key.starts_with("tone/tone/2026/11/20/09/59/00/tone-1/"), "{key}");
    let object = (review.s3.get_object().bucket(FEEDBACK_BUCKET).key(key))
        .send()
        .await;
    let bytes = object
        .expect("the output")
        .body
        .collect()
        .await
        .expect("bytes")
        .to_vec();
    let output: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(output["flowDefinitionArn"], arn);
    assert_eq!(output["inputContent"], input);
    assert_eq!(output["humanAnswers"][0]["answerContent"], answer);
    assert_eq!(names(&review, &arn).await, ["tone-1"]);
    assert_eq!(names(&review, FLOW).await, ["tc-1"]);
}

#[tokio::test]
async fn a_flow_definition_has_its_own_rules_of_count_and_time() {
    let review = with_flow().await;
    let changes = json!({
        "HumanLoopConfig.TaskCount": 2,
        "HumanLoopConfig.TaskTimeLimitInSeconds": 30,
        "HumanLoopConfig.TaskAvailabilityLifetimeInSeconds": 120,
    });
    made(&review, "CreateFlowDefinition", flow("two", "tone", changes)).await;
    let arn = format!("{SCOPE}:flow-definition/two");
    start(&review, "two-1", &arn, &json!({ "taskObject": "Fine" })).await;

    let (ada, bob) = (review.sign_in("ada").await, review.sign_in("bob").await);
    let task = ada.open("two-1").await;
    ada.submit(&task, &json!({ "sentiment": { "label": "positive" } }))
        .await;
    let after_one = review.status("two-1").await;
    bob.open("two-1").await;
    review.wait(Duration::seconds(31));
    let taken_over = review.sign_in("eve").await.open("two-1").await;
    review.wait(Duration::seconds(90));

    assert_eq!(after_one, "InProgress");
    assert_eq!(taken_over.status(), 200, "{taken_over:?}");
    assert_eq!(review.status("two-1").await, "Failed");
    let described = review.api("GET", "/human-loops/two-1", "").await.json();
    assert_eq!(described["FailureCode"], "Expired");
}

/// Makes a flow definition with a template of its own; returns its ARN.
async fn add_own(review: &Review, name: &str, template: &str, changes: Value) -> String {
    let ui = json!({ "HumanTaskUiName": name, "UiTemplate": { "Content": template } });
    made(review, "CreateHumanTaskUi", ui).await;
    made(review, "CreateFlowDefinition", flow(name, name, changes)).await;
    format!("{SCOPE}:flow-definition/{name}")
}

#[tokio::test]
async fn an_input_in_a_flow_definition_of_ones_own_says_neither_how_many_are_asked_nor_who() {
    let review = with_flow().await;
    let changes = json!({ "HumanLoopConfig.TaskCount": 2 });
    made(&review, "CreateFlowDefinition", flow("two", "tone", changes)).await;
    let ada = human_review::human_loop::Worker::of("ada").id;
    let input = json!({ "taskObject": "Fine", "taskCount": 1, "excludedWorkers": [ada] });
    let arn = format!("{SCOPE}:flow-definition/two");
    start(&review, "two-1", &arn, &input).await;

    let mut states = Vec::new();
    for name in ["ada", "bob"] {
        let session = review.sign_in(name).await;
        let task = session.open("two-1").await;
        let answer = json!({ "sentiment": { "label": "positive" } });
        assert_eq!(session.submit(&task, &answer).await.status(), 303);
        states.push(review.status("two-1").await);
    }

    assert_eq!(states, ["InProgress", "Completed"]);
}

#[tokio::test]
async fn an_input_of_our_shape_in_a_flow_definition_of_ones_own_is_shown_and_answered_as_it_was_sent() {
    let review = Review::new();
    let mut set = LabelSet::seed(
        ["World", "Sports", "negative"],
        Origin::Edited,
        "2026-11-20T09:00:00Z",
    );
    set.retire("negative").expect("active");
    let put = review.s3.put_object().bucket(TRAINING_BUCKET).key(LABEL_SET_KEY);
    put.body(set.to_json().into()).send().await.expect("stored");
    let template = r#"<crowd-form><p>{{ task.input.comprehendPredictions[0].utterance }}</p>
        <crowd-classifier name="sentiment" categories="{{ task.input.labels | to_json | escape }}" header="Tone?"></crowd-classifier>
        <crowd-classifier name="topic" categories="{{ task.input.labels | to_json | escape }}" header="Topic?"></crowd-classifier>
        </crowd-form>"#;
    let arn = add_own(&review, "own", template, json!({})).await;
    let labels = json!(["positive", "negative", "Positive"]);
    let item = json!({ "id": "1", "utterance": "I love it", "prediction": "negative" });
    let input = json!({ "comprehendPredictions": [item], "labels": labels });
    assert_eq!(start(&review, "own-1", &arn, &input).await.status(), 200);

    let session = review.sign_in("ada").await;
    let task = session.open("own-1").await;
    let answer = json!({ "sentiment": { "label": "negative" }, "topic": { "label": "positive" } });
    let submitted = session.submit(&task, &answer).await;

    let choices = "[&quot;positive&quot;,&quot;negative&quot;,&quot;Positive&quot;]";
    assert!(task.body().contains(choices), "{}", task.body());
    assert!(!task.body().contains("World") && !task.body().contains("data-withheld=\"true\""));
    assert_eq!(submitted.status(), 303, "{submitted:?}");
    assert_eq!(review.status("own-1").await, "Completed");
}

#[tokio::test]
async fn whatever_a_template_of_ones_own_can_show_is_taken_as_an_input() {
    let review = Review::new();
    let template = "<crowd-form><p>{{ task.input.text }}</p><input name=\"answer\"></crowd-form>";
    let arn = add_own(&review, "own", template, json!({})).await;

    for (name, predictions) in [
        ("own-1", json!({ "Sentiment": "MIXED" })),
        ("own-2", json!([])),
        ("own-3", json!([{ "id": "1" }, { "id": "1" }])),
    ] {
        let input = json!({ "comprehendPredictions": predictions, "text": "I love it" });
        let started = start(&review, name, &arn, &input).await;
        assert_eq!(started.status(), 200, "{started:?}");
        let session = review.sign_in(name).await;
        let task = session.open(name).await;
        assert!(task.body().contains("I love it"), "{}", task.body());
        let submitted = session.submit(&task, &json!({ "answer": "mixed" })).await;
        assert_eq!(submitted.status(), 303, "{submitted:?}");
    }
}

#[tokio::test]
async fn an_output_that_cannot_be_written_fails_its_loop_with_the_reason() {
    let review = with_flow().await;
    let changes = json!({ "OutputConfig.S3OutputPath": "s3://no-such-bucket-anywhere" });
    made(&review, "CreateFlowDefinition", flow("lost", "tone", changes)).await;
    let arn = format!("{SCOPE}:flow-definition/lost");
    start(&review, "lost-1", &arn, &json!({ "taskObject": "Fine" })).await;

    let session = review.sign_in("ada").await;
    let task = session.open("lost-1").await;
    session
        .submit(&task, &json!({ "sentiment": { "label": "positive" } }))
        .await;

    let described = review.api("GET", "/human-loops/lost-1", "").await.json();
    assert_eq!(described["HumanLoopStatus"], "Failed", "{described}");
    assert_eq!(described["FailureCode"], "InternalError");
    let reason = described["FailureReason"].as_str().expect("a reason");
    assert!(
        reason.contains("s3://no-such-bucket-anywhere/lost/") && reason.contains("NoSuchBucket"),
        "{reason}"
    );
}

#[tokio::test]
async fn what_a_loop_is_started_with_is_tried_with_the_template_of_its_flow_definition() {
    let review = with_flow().await;
    let arn = format!("{SCOPE}:flow-definition/tone");

    let empty = start(&review, "tone-1", &arn, &json!({ "other": "member" })).await;
    let unknown = start(
        &review,
        "tone-1",
        &format!("{SCOPE}:flow-definition/none"),
        &json!({ "a": 1 }),
    )
    .await;
    start(&review, "tone-1", &arn, &json!({ "taskObject": "Fine" })).await;
    let of_stack = start(&review, "tone-1", FLOW, &json!({ "taskObject": "Fine" })).await;

    assert_eq!(empty.header("x-amzn-errortype"), "ValidationException");
    assert!(empty.body().contains("shows nothing of it"), "{empty:?}");
    assert_eq!(unknown.header("x-amzn-errortype"), "ValidationException");
    assert_eq!(of_stack.header("x-amzn-errortype"), "ConflictException");
}

#[tokio::test]
async fn flow_definitions_are_described_listed_by_pages_and_deleted_while_their_loops_finish() {
    let review = with_flow().await;
    for name in ["a", "b"] {
        review.wait(Duration::seconds(1));
        made(&review, "CreateFlowDefinition", flow(name, "tone", json!({}))).await;
    }
    let arn = format!("{SCOPE}:flow-definition/a");
    start(&review, "a-1", &arn, &json!({ "taskObject": "Fine" })).await;

    let first = made(&review, "ListFlowDefinitions", json!({ "MaxResults": 2 })).await;
    let rest = json!({ "MaxResults": 2, "NextToken": first["NextToken"] });
    let rest = made(&review, "ListFlowDefinitions", rest).await;
    let described = made(
        &review,
        "DescribeFlowDefinition",
        json!({ "FlowDefinitionName": "a" }),
    )
    .await;
    made(
        &review,
        "DeleteFlowDefinition",
        json!({ "FlowDefinitionName": "a" }),
    )
    .await;
    let gone = refused(
        &review,
        "DescribeFlowDefinition",
        json!({ "FlowDefinitionName": "a" }),
    )
    .await;
    let session = review.sign_in("ada").await;
    let task = session.open("a-1").await;
    session
        .submit(&task, &json!({ "sentiment": { "label": "negative" } }))
        .await;

    let names = |page: &Value| -> Vec<String> {
        let summaries = page["FlowDefinitionSummaries"].as_array().expect("summaries");
        let name = |flow: &Value| flow["FlowDefinitionName"].as_str().expect("a name").to_owned();
        summaries.iter().map(name).collect()
    };
    assert_eq!(
        (names(&first), names(&rest)),
        (
            vec!["b".into(), "a".into()],
            vec!["tone".into(), "tc-review".into()]
        )
    );
    assert_eq!(rest["NextToken"], Value::Null);
    assert_eq!(described["FlowDefinitionStatus"], "Active");
    assert_eq!(described["HumanLoopConfig"]["TaskTitle"], "Tone of a mail");
    assert_eq!(
        described["OutputConfig"]["S3OutputPath"],
        format!("s3://{FEEDBACK_BUCKET}/tone/")
    );
    assert_eq!(gone.0, "ResourceNotFound");
    assert_eq!(review.status("a-1").await, "Completed");
}

#[tokio::test]
async fn requests_that_break_a_rule_are_refused_by_member_and_reason() {
    let review = with_flow().await;
    let changed = |changes: Value| flow("new", "tone", changes);
    for (changes, words) in [
        (json!({ "FlowDefinitionName": "Bad_Name" }), "flowDefinitionName"),
        (json!({ "HumanLoopConfig.TaskCount": 4 }), "taskCount"),
        (
            json!({ "HumanLoopConfig.TaskTimeLimitInSeconds": 29 }),
            "taskTimeLimitInSeconds",
        ),
        (json!({ "HumanLoopConfig.TaskTitle": "" }), "taskTitle"),
        (
            json!({ "HumanLoopConfig.TaskKeywords": ["mail", "c!"] }),
            "taskKeywords",
        ),
        (
            json!({ "HumanLoopConfig.TaskKeywords": ["a  b"] }),
            "taskKeywords",
        ),
        (json!({ "HumanLoopConfig.TaskKeywords": ["für"] }), "taskKeywords"),
        (
            json!({ "HumanLoopConfig.HumanTaskUiArn": format!("{SCOPE}:human-task-ui/none") }),
            "humanTaskUiArn",
        ),
        (
            json!({ "HumanLoopConfig.WorkteamArn": format!("{SCOPE}:workteam/private-crowd/none") }),
            "The specified Workteam",
        ),
        (
            json!({ "HumanLoopConfig.PublicWorkforceTaskPrice": {} }),
            "public workforce",
        ),
        (
            json!({ "HumanLoopConfig.WorkteamArn":
                "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default" }),
            "public workforce",
        ),
        (
            json!({ "OutputConfig.S3OutputPath": "https://example.com/x" }),
            "s3OutputPath",
        ),
        (
            json!({ "OutputConfig.S3OutputPath": format!("s3://{BUCKET}/x") }),
            "a bucket of your own",
        ),
        (json!({ "OutputConfig.KmsKeyId": "key" }), "KmsKeyId"),
        (json!({ "RoleArn": "role" }), "roleArn"),
        (json!({ "HumanLoopRequestSource": {} }), "custom task"),
    ] {
        let (code, message) = refused(&review, "CreateFlowDefinition", changed(changes.clone())).await;
        assert_eq!(code, "ValidationException", "{changes}");
        assert!(message.contains(words), "{changes}: {message}");
    }
    let again = flow("tone", "tone", json!({}));
    assert_eq!(
        refused(&review, "CreateFlowDefinition", again).await.0,
        "ResourceInUse"
    );
    let own = json!({ "FlowDefinitionName": "tc-review" });
    assert_eq!(
        refused(&review, "DeleteFlowDefinition", own.clone()).await.0,
        "ResourceInUse"
    );
    let own = made(&review, "DescribeFlowDefinition", own).await;
    assert_eq!(own["FlowDefinitionArn"], FLOW);
    let unknown = refused(&review, "CreateTrainingJob", json!({})).await;
    assert_eq!(unknown.0, "UnknownOperationException");
}

async fn rendered(review: &Review, content: &str, input: Value) -> Value {
    let request = json!({
        "UiTemplate": { "Content": content }, "Task": { "Input": input.to_string() }, "RoleArn": ROLE,
    });
    made(review, "RenderUiTemplate", request).await
}

#[tokio::test]
async fn the_size_of_a_text_is_in_characters_and_a_text_that_fits_is_not_cut() {
    let review = Review::new();
    let template = "{{ task.input.s | size }} {{ task.input.s.size }} [{{ task.input.s | truncate: 10 }}] \
        [{{ task.input.s | truncate: 4, '…' }}]{% for s in task.input.of %} {{ s.size }}\
        {% if s.size > 5 %} long{% endif %}{% endfor %} {{ task.input.of | size }} {{ task.input.of.size }}\
        {{ task.input.none | size }}{{ task.input.none.size }}";

    let page = rendered(
        &review,
        template,
        json!({ "s": "Überfällig", "of": ["日本語", "😀😀", "Привет"] }),
    )
    .await;
    let longer =
        "{{ task.input.s | truncate: 10 }}|{{ task.input.s | truncate }}|{{ task.input.s | truncate: 2 }}";
    let longer = rendered(&review, longer, json!({ "s": "Überfällige Post" })).await;

    let expected = "10 10 [Überfällig] [Übe…] 3 2 6 long 3 30";
    assert_eq!(page["RenderedContent"], expected, "{page}");
    assert_eq!(
        longer["RenderedContent"], "Überfäl...|Überfällige Post|...",
        "{longer}"
    );
}

#[tokio::test]
async fn whoever_tries_a_template_gets_no_link_to_what_they_may_have_no_right_to_read() {
    let review = Review::new();
    let uri = format!("s3://{BUCKET}/text-review/output.json");

    let tried = rendered(
        &review,
        "{{ task.input.u | grant_read_access }}",
        json!({ "u": uri }),
    )
    .await;

    assert_eq!(tried["RenderedContent"], uri, "{tried}");
}

#[tokio::test]
async fn a_filter_that_there_is_not_is_named_with_those_that_there_are() {
    let review = Review::new();
    for content in [
        "<p>{{ task.input.x | upcase | foo }}</p>",
        "{%- assign y = task.input.x | append: '|bar' | foo: 1 -%}{{ y }}",
    ] {
        let ui = json!({ "HumanTaskUiName": "tone", "UiTemplate": { "Content": content } });
        let refused = refused(&review, "CreateHumanTaskUi", ui).await;

        assert!(refused.1.contains("There is no filter `foo`"), "{}", refused.1);
        assert!(refused.1.contains("to_json, truncate"), "{}", refused.1);
    }
    let fine = "{% raw %}{{ x | foo }}{% endraw %}{% comment %}{{ x | foo }}{% endcomment %}{{ 'a | foo' | upcase }}";
    let page = rendered(&review, fine, json!({})).await;
    assert_eq!(page["RenderedContent"], "{{ x | foo }}A | FOO", "{page}");
}

#[tokio::test]
async fn what_is_the_stacks_own_is_described_and_listed_with_the_others() {
    let review = with_flow().await;
    let own = json!({ "FlowDefinitionName": "tc-review" });
    let own_ui = json!({ "HumanTaskUiName": "tc-review" });

    let flows = made(&review, "ListFlowDefinitions", json!({})).await;
    let flow = made(&review, "DescribeFlowDefinition", own).await;
    let uis = made(&review, "ListHumanTaskUis", json!({})).await;
    let ui = made(&review, "DescribeHumanTaskUi", own_ui.clone()).await;
    let deleted = refused(&review, "DeleteHumanTaskUi", own_ui).await;

    let listed = |document: &Value, list: &str, name: &str| -> Vec<Value> {
        let all = document[list].as_array().expect("a list").iter();
        all.map(|one| one[name].clone()).collect()
    };
    assert_eq!(
        listed(&flows, "FlowDefinitionSummaries", "FlowDefinitionArn"),
        [json!(format!("{SCOPE}:flow-definition/tone")), json!(FLOW)]
    );
    assert_eq!(
        listed(&uis, "HumanTaskUiSummaries", "HumanTaskUiName"),
        ["tone", "tc-review"]
    );
    assert_eq!(ui["HumanTaskUiArn"], flow["HumanLoopConfig"]["HumanTaskUiArn"]);
    assert_eq!(ui["HumanTaskUiStatus"], "Active");
    assert_eq!(ui["UiTemplate"]["ContentSha256"].as_str().map(str::len), Some(64));
    assert_eq!(flow["FlowDefinitionStatus"], "Active");
    assert_eq!(flow["HumanLoopConfig"]["TaskTitle"], "Text classification");
    assert_eq!(flow["RoleArn"], "arn:aws:iam::123456789012:role/human-review");
    assert_eq!(deleted.0, "ResourceInUse");
}

#[tokio::test]
async fn templates_are_tried_rendered_listed_and_deleted() {
    let review = with_flow().await;
    let bad = json!({ "HumanTaskUiName": "bad", "UiTemplate": { "Content": "{% if %}" } });
    let again = json!({ "HumanTaskUiName": "tone", "UiTemplate": { "Content": TEMPLATE } });
    let render = |content: &str| json!({ "UiTemplate": { "Content": content }, "Task": { "Input": r#"{"taskObject": "<i>"}"# }, "RoleArn": ROLE });

    let bad = refused(&review, "CreateHumanTaskUi", bad).await;
    let again = refused(&review, "CreateHumanTaskUi", again).await;
    let rendered = made(&review, "RenderUiTemplate", render(TEMPLATE)).await;
    let by_arn = json!({ "HumanTaskUiArn": format!("{SCOPE}:human-task-ui/tone"), "Task": { "Input": "{}" }, "RoleArn": ROLE });
    let by_arn = made(&review, "RenderUiTemplate", by_arn).await;
    let wrong = made(&review, "RenderUiTemplate", render("{{ task.input | nofilter }}")).await;
    let described = made(
        &review,
        "DescribeHumanTaskUi",
        json!({ "HumanTaskUiName": "tone" }),
    )
    .await;
    let listed = made(&review, "ListHumanTaskUis", json!({})).await;
    made(&review, "DeleteHumanTaskUi", json!({ "HumanTaskUiName": "tone" })).await;
    let gone = refused(
        &review,
        "DescribeHumanTaskUi",
        json!({ "HumanTaskUiName": "tone" }),
    )
    .await;

    assert_eq!(bad.0, "ValidationException");
    assert!(bad.1.contains("not valid Liquid"), "{}", bad.1);
    assert_eq!(again.0, "ResourceInUse");
    let html = rendered["RenderedContent"].as_str().expect("a page");
    assert!(
        html.contains("&lt;i&gt;") && rendered["Errors"] == json!([]),
        "{rendered}"
    );
    assert!(
        by_arn["RenderedContent"]
            .as_str()
            .is_some_and(|page| page.contains("crowd-classifier"))
    );
    assert_eq!(wrong["RenderedContent"], "");
    assert_eq!(wrong["Errors"][0]["Code"], "LiquidError");
    assert_eq!(described["HumanTaskUiStatus"], "Active");
    assert_eq!(
        described["UiTemplate"]["ContentSha256"].as_str().map(str::len),
        Some(64)
    );
    assert_eq!(listed["HumanTaskUiSummaries"][0]["HumanTaskUiName"], "tone");
    assert_eq!(gone.0, "ResourceNotFound");
    // The flow definition keeps what it was made with.
    let arn = format!("{SCOPE}:flow-definition/tone");
    start(&review, "tone-9", &arn, &json!({ "taskObject": "Fine" })).await;
    assert!(
        review
            .sign_in("ada")
            .await
            .open("tone-9")
            .await
            .body()
            .contains("crowd-classifier")
    );
}

#[tokio::test]
async fn teams_are_made_changed_and_deleted_and_that_of_the_stack_is_among_them() {
    let review = Review::new();
    let team = |name: &str, members: Value| json!({ "WorkteamName": name, "Description": "Mail", "MemberDefinitions": members });
    let oidc = json!({ "OidcMemberDefinition": { "Groups": ["mail"] } });
    let cognito = json!({ "CognitoMemberDefinition": { "UserPool": "us-east-1_1", "UserGroup": "g", "ClientId": "c" } });

    let created = made(&review, "CreateWorkteam", team("Mail", json!([oidc]))).await;
    let mixed = refused(&review, "CreateWorkteam", team("Mixed", json!([oidc, cognito]))).await;
    let again = refused(&review, "CreateWorkteam", team("Mail", json!([oidc]))).await;
    let changed = made(
        &review,
        "UpdateWorkteam",
        json!({ "WorkteamName": "Mail", "Description": "Letters" }),
    )
    .await;
    let listed = made(
        &review,
        "ListWorkteams",
        json!({ "SortBy": "Name", "SortOrder": "Ascending" }),
    )
    .await;
    let unsorted = made(&review, "ListWorkteams", json!({})).await;
    let own = refused(&review, "DeleteWorkteam", json!({ "WorkteamName": "tc-review" })).await;
    let deleted = made(&review, "DeleteWorkteam", json!({ "WorkteamName": "Mail" })).await;

    assert_eq!(
        created["WorkteamArn"],
        format!("{SCOPE}:workteam/private-crowd/Mail")
    );
    assert!(mixed.1.contains("must all be"), "{}", mixed.1);
    assert_eq!(again.0, "ResourceInUse");
    assert_eq!(changed["Workteam"]["Description"], "Letters");
    assert_eq!(changed["Workteam"]["SubDomain"], "portal.example/dev");
    let names: Vec<&str> = (listed["Workteams"].as_array().expect("teams").iter())
        .map(|team| team["WorkteamName"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["Mail", "tc-review"]);
    assert_eq!(
        unsorted["Workteams"][0]["WorkteamName"], "tc-review",
        "the default is from the oldest on, so that the team of the stack is the first"
    );
    assert_eq!(own.0, "ValidationException");
    assert_eq!(deleted["Success"], true);
}

#[tokio::test]
async fn an_order_that_a_list_does_not_have_is_refused_by_name() {
    let review = Review::new();
    for (operation, order, named) in [
        ("ListLabelingJobs", json!({ "SortBy": "x" }), "sortBy"),
        ("ListWorkforces", json!({ "SortBy": "Foo" }), "sortBy"),
        ("ListWorkforces", json!({ "NextToken": "zzz" }), "nextToken"),
        ("ListWorkteams", json!({ "SortBy": "x" }), "sortBy"),
        (
            "ListFlowDefinitions",
            json!({ "SortOrder": "descending" }),
            "sortOrder",
        ),
        ("ListHumanTaskUis", json!({ "SortOrder": "x" }), "sortOrder"),
    ] {
        let (kind, message) = refused(&review, operation, order).await;
        assert_eq!(kind, "ValidationException", "{operation}");
        assert!(message.contains(&format!("'{named}'")), "{message}");
    }
    for (operation, order) in [
        (
            "ListLabelingJobs",
            json!({ "SortBy": "CreationTime", "SortOrder": "Descending" }),
        ),
        (
            "ListLabelingJobs",
            json!({ "SortBy": "Status", "StatusEquals": "Completed" }),
        ),
        ("ListLabelingJobs", json!({ "SortBy": "Status" })),
        ("ListWorkteams", json!({ "SortBy": "CreateDate" })),
    ] {
        made(&review, operation, order).await;
    }
    for (part, count) in [("fault", 1), ("zzz", 0)] {
        let listed = made(&review, "ListWorkforces", json!({ "NameContains": part })).await;
        let workforces = listed["Workforces"].as_array().expect("a list");
        assert_eq!(workforces.len(), count, "{part}");
    }
    let address_type = json!({ "WorkforceName": "default", "IpAddressType": "dualstack" });
    let (_, message) = refused(&review, "UpdateWorkforce", address_type).await;
    assert!(message.contains("IpAddressType"), "{message}");
}

#[tokio::test]
async fn networks_of_the_workforce_take_effect_within_half_a_minute_in_every_process() {
    let review = Review::new();
    let visit = |address: &str| {
        json!({ "httpMethod": "GET", "path": "/", "headers": {},
            "requestContext": { "path": "/dev/", "requestId": "r", "identity": { "sourceIp": address } } })
    };
    assert_eq!(Reply(review.handle(visit("198.51.100.1")).await).status(), 401);
    let networks = |cidrs: Value| json!({ "WorkforceName": "default", "SourceIpConfig": { "Cidrs": cidrs } });

    let wrong = refused(&review, "UpdateWorkforce", networks(json!(["office"]))).await;
    let blank = refused(&review, "UpdateWorkforce", networks(json!([""]))).await;
    made(
        &review,
        "UpdateWorkforce",
        networks(json!(["203.0.113.0/24", "2001:db8::/32"])),
    )
    .await;

    assert!(blank.1.contains("`` is not a network"), "{}", blank.1);
    assert!(wrong.1.contains("`office`"), "{}", wrong.1);
    assert_eq!(Reply(review.handle(visit("198.51.100.1")).await).status(), 404);
    assert_eq!(Reply(review.handle(visit("203.0.113.9")).await).status(), 401);
    let described = made(
        &review,
        "DescribeWorkforce",
        json!({ "WorkforceName": "default" }),
    )
    .await;
    assert_eq!(
        described["Workforce"]["SourceIpConfig"]["Cidrs"][1],
        "2001:db8::/32"
    );
    let other = refused(&review, "DescribeWorkforce", json!({ "WorkforceName": "other" })).await;
    assert_eq!(other.0, "ValidationException");
    // Another process has changed it.
    review
        .put(
            "human-review/workforce.json",
            r#"{"LastUpdatedDate": null, "Cidrs": []}"#,
        )
        .await;
    review.wait(Duration::seconds(31));
    assert_eq!(Reply(review.handle(visit("198.51.100.1")).await).status(), 401);
}

#[tokio::test]
async fn where_it_cannot_be_told_who_may_reach_the_portal_nobody_gets_in_and_everybody_hears_why() {
    let review = Review::with(human_review::Config {
        bucket: "gone".to_owned(),
        ..config()
    });

    let reply = Reply(review.handle(proxy_event("GET", "queue", None, &[])).await);

    assert_eq!(reply.status(), 503, "{reply:?}");
    assert!(reply.body().contains("The storage did not answer"), "{reply:?}");
}

#[tokio::test]
async fn networks_that_cannot_be_read_let_nobody_in_until_they_are_put_anew() {
    let review = Review::new();
    let visit = |address: &str| {
        json!({ "httpMethod": "GET", "path": "/", "headers": {},
            "requestContext": { "path": "/dev/", "requestId": "r", "identity": { "sourceIp": address } } })
    };
    review
        .put(
            "human-review/workforce.json",
            r#"{"LastUpdatedDate": null, "Cidrs": ["203.0.113.0/24", "office"]}"#,
        )
        .await;

    let of_nobody = Reply(review.handle(visit("198.51.100.1")).await).status();
    let of_network = Reply(review.handle(visit("203.0.113.9")).await).status();
    let anew = json!({ "WorkforceName": "default", "SourceIpConfig": { "Cidrs": ["203.0.113.0/24"] } });
    made(&review, "UpdateWorkforce", anew).await;

    assert_eq!((of_nobody, of_network), (503, 503));
    assert_eq!(Reply(review.handle(visit("203.0.113.9")).await).status(), 401);
    assert_eq!(Reply(review.handle(visit("198.51.100.1")).await).status(), 404);
}

#[tokio::test]
async fn a_task_that_would_wait_longer_than_its_texts_are_kept_is_refused_with_both_numbers() {
    let week = human_review::Config {
        text_retention: human_review::text_retention::TextRetention(7),
        task_availability_seconds: 2_592_000,
        ..config()
    };
    let lifetime = |seconds: u32| json!({ "HumanLoopConfig.TaskAvailabilityLifetimeInSeconds": seconds });
    let review = with_flow().await.restarted(week);

    let mut told = Vec::new();
    for changes in [json!({}), lifetime(604_801)] {
        told.push(refused(&review, "CreateFlowDefinition", flow("long", "tone", changes)).await);
    }
    made(
        &review,
        "CreateFlowDefinition",
        flow("week", "tone", lifetime(604_800)),
    )
    .await;
    let flow_of = |name: &str| format!("{SCOPE}:flow-definition/{name}");
    let input = json!({ "taskObject": "Fine" });
    let in_old = start(&review, "old-1", &flow_of("tone"), &input).await;
    let in_new = start(&review, "new-1", &flow_of("week"), &input).await;
    review.start("tc-1", &two_items()).await;
    review.wait(Duration::days(7));
    review.handle(json!({ "operation": "measure" })).await;

    for (place, seconds) in ["is 2592000", "is 604801"].into_iter().enumerate() {
        let (kind, message) = &told[place];
        assert_eq!(kind, "ValidationException");
        for part in [seconds, "604800 seconds", "TextRetentionDays, 7"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    assert_eq!((in_old.status(), in_new.status()), (400, 200), "{in_new:?}");
    let message = in_old.json()["Message"].to_string();
    assert!(
        message.contains("is 2592000") && message.contains("TextRetentionDays, 7"),
        "{message}"
    );
    for name in ["tc-1", "new-1"] {
        assert_eq!(
            review.status(name).await,
            "Failed",
            "{name} ends before its texts are gone"
        );
    }
}

#[tokio::test]
async fn tags_are_kept_listed_changed_and_removed() {
    let review = Review::new();
    let tag = |key: &str, value: &str| json!({ "Key": key, "Value": value });
    let ui = json!({
        "HumanTaskUiName": "tone", "UiTemplate": { "Content": TEMPLATE }, "Tags": [tag("team", "mail")],
    });
    let ui = made(&review, "CreateHumanTaskUi", ui).await["HumanTaskUiArn"].clone();
    let tagged = flow("tone", "tone", json!({ "Tags": [tag("cost", "7")] }));
    let flow = made(&review, "CreateFlowDefinition", tagged).await["FlowDefinitionArn"].clone();
    let team = json!({
        "WorkteamName": "mail", "Description": "Mail",
        "MemberDefinitions": [{ "OidcMemberDefinition": { "Groups": ["mail"] } }],
    });
    let team = made(&review, "CreateWorkteam", team).await["WorkteamArn"].clone();
    let tags =
        async |arn: &Value| made(&review, "ListTags", json!({ "ResourceArn": arn })).await["Tags"].clone();

    let more = json!({ "ResourceArn": flow, "Tags": [tag("cost", "8"), tag("owner", "ann")] });
    let added = made(&review, "AddTags", more).await;
    let of_team = json!({ "ResourceArn": team, "Tags": [tag("a", "1")] });
    made(&review, "AddTags", of_team).await;
    let rename = json!({ "WorkteamName": "mail", "Description": "Mails" });
    made(&review, "UpdateWorkteam", rename).await;
    let before = tags(&flow).await;
    let fewer = json!({ "ResourceArn": flow, "TagKeys": ["cost", "none"] });
    made(&review, "DeleteTags", fewer).await;

    assert_eq!(tags(&ui).await, json!([tag("team", "mail")]));
    assert_eq!(added["Tags"], before);
    assert_eq!(before, json!([tag("cost", "8"), tag("owner", "ann")]));
    assert_eq!(tags(&flow).await, json!([tag("owner", "ann")]));
    assert_eq!(
        tags(&team).await,
        json!([tag("a", "1")]),
        "a change of the team leaves its tags"
    );
    assert_eq!(tags(&json!(OWN_TEAM)).await, json!([]));
}

#[tokio::test]
async fn tags_that_cannot_be_are_refused_and_leave_those_there_are() {
    let review = Review::new();
    add_flow(&review).await;
    let arn = format!("{SCOPE}:flow-definition/tone");
    let many: Vec<Value> = (0..50)
        .map(|number| json!({ "Key": format!("k{number}"), "Value": "" }))
        .collect();
    made(&review, "AddTags", json!({ "ResourceArn": arn, "Tags": many })).await;
    let add = |arn: &str, key: &str, value: &str| json!({ "ResourceArn": arn, "Tags": [{ "Key": key, "Value": value }] });

    for request in [
        add(&arn, "one-more", ""),
        add(&arn, "aws:own", ""),
        add(&arn, "", ""),
        add(&arn, "k1", &"x".repeat(257)),
        add(OWN_TEAM, "a", "b"),
        json!({ "ResourceArn": arn }),
    ] {
        let (code, _) = refused(&review, "AddTags", request.clone()).await;
        assert_eq!(code, "ValidationException", "{request}");
    }
    let nowhere = add(&format!("{SCOPE}:flow-definition/none"), "a", "b");
    let (code, _) = refused(&review, "AddTags", nowhere).await;

    assert_eq!(code, "ResourceNotFound");
    let kept = made(&review, "ListTags", json!({ "ResourceArn": arn })).await;
    assert_eq!(kept["Tags"].as_array().map(Vec::len), Some(50));
}
