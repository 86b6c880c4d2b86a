//! A labelling job as its owner sees it: functions of their own, reviewers in the portal, a second level on top.

use std::{collections::BTreeMap, env};

use active_learning_cli::{demo::reviewer::Reviewer, http_client, sign_in};
use aws_sdk_s3::Client;
use local_aws::{iam::RoleSpec, lambda::FunctionSpec};
use serde_json::{Value, json};

use crate::{
    harness::{self, command, exported_labels, until},
    new_models::{BY_HAND, Stack, news, put_labels},
};

const BUCKET: &str = "owner-of-labels";
const ROLE: &str = "arn:aws:iam::000000000000:role/labels";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:own-functions";
const TEXTS: [&str; 4] = [
    "the cup final",
    "rates rise",
    "[known] old news",
    "chess at night",
];

/// The owner's functions, in a process of this program: see [`deploy_own_functions`].
#[tokio::test]
#[ignore = "it is a function of the stack that other tests start"]
async fn own_functions() {
    let Ok(runtime) = env::var("AWS_LAMBDA_RUNTIME_API") else {
        return;
    };
    let s3 = Client::new(&aws_config::load_from_env().await);
    let url = |path: &str| format!("http://{runtime}/2018-06-01/runtime/invocation/{path}");
    loop {
        let next = http::Request::get(url("next"))
            .body(String::new())
            .expect("a request");
        let Ok(event) = http_client::send(next).await else {
            return;
        };
        let id = event.headers()["lambda-runtime-aws-request-id"]
            .to_str()
            .expect("an id")
            .to_owned();
        let event: Value = serde_json::from_str(event.body()).expect("an event");
        let answer = match event.get("payload") {
            None => before(&event["dataObject"]),
            Some(payload) => after(&s3, payload["s3Uri"].as_str().expect("a URI"), &event).await,
        };
        let reply = http::Request::post(url(&format!("{id}/response"))).body(answer.to_string());
        http_client::send(reply.expect("a request"))
            .await
            .expect("it is taken");
    }
}

/// What the pre-annotation function says.
fn before(object: &Value) -> Value {
    let text = object["source"].as_str().expect("a text");
    let input = json!({ "taskObject": text.to_uppercase(), "labels": ["Sports", "Business"] });
    json!({ "taskInput": input, "isHumanAnnotationRequired": !text.starts_with("[known]") })
}

/// What the consolidation function says: the last word counts, whoever it is of.
async fn after(s3: &Client, payload: &str, event: &Value) -> Value {
    let attribute = event["labelAttributeName"].as_str().expect("a name");
    let objects: Value = serde_json::from_str(&read(s3, payload).await).expect("JSON");
    let consolidated = |object: &Value| {
        let last = object["annotations"]
            .as_array()
            .and_then(|all| all.last())
            .expect("an annotation");
        let answer = last["annotationData"]["content"].as_str().expect("a text");
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        let metadata =
            json!({ "class-name": answer["label"], "votes": object["annotations"].as_array().map(Vec::len) });
        json!({
            "datasetObjectId": object["datasetObjectId"],
            "consolidatedAnnotation": {
                "content": { attribute: answer["label"], format!("{attribute}-metadata"): metadata },
            },
        })
    };
    objects
        .as_array()
        .expect("objects")
        .iter()
        .map(consolidated)
        .collect()
}

/// Returns the role of the job and of the owner's functions: the review service may assume it, as its guide says.
fn role(stack: &Stack) -> RoleSpec {
    let functions = &stack.running.plan.functions;
    let review = functions
        .iter()
        .find(|function| function.command.iter().any(|word| word == "human-review"));
    let review = &review.expect("the review service").role_arn;
    let allow =
        |action: Value, resource: Value| json!({ "Effect": "Allow", "Action": action, "Resource": resource });
    let trust = json!({ "Service": "lambda.amazonaws.com", "AWS": review });
    RoleSpec {
        name: "labels".to_owned(),
        arn: ROLE.to_owned(),
        trust_policy: json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole" }],
        }),
        policies: vec![json!({
            "Version": "2012-10-17",
            "Statement": [
                allow(json!(["s3:GetObject", "s3:PutObject"]), json!(format!("arn:aws:s3:::{BUCKET}/*"))),
                allow(json!("s3:ListBucket"), json!(format!("arn:aws:s3:::{BUCKET}"))),
                allow(json!("lambda:InvokeFunction"), json!(FUNCTION)),
            ],
        })],
    }
}

/// Has a stack know [`own_functions`] as a function of the account.
fn deploy_own_functions(stack: &Stack) {
    let aws = &stack.running.aws;
    aws.iam.put_role(role(stack)).expect("a role");
    let program = env::current_exe().expect("this program");
    let arguments = ["labelling_jobs::own_functions", "--exact", "--ignored"].map(Into::into);
    aws.lambda.put_function(FunctionSpec {
        name: "own-functions".to_owned(),
        role_arn: ROLE.to_owned(),
        environment: BTreeMap::new(),
        timeout_seconds: 30,
        memory_megabytes: 128,
        json_logs: false,
        reserved_concurrency: None,
        command: std::iter::once(program.into()).chain(arguments).collect(),
    });
}

/// Calls the control plane as its function URL does.
async fn call(stack: &Stack, operation: &str, body: &Value) -> Value {
    let event = json!({
        "version": "2.0", "rawPath": "/", "rawQueryString": "", "body": body.to_string(), "isBase64Encoded": false,
        "headers": { "x-amz-target": format!("SageMaker.{operation}") },
        "requestContext": { "http": { "method": "POST", "path": "/" }, "requestId": "r" },
    });
    let function = stack.outputs.output("ReviewPortalFunction");
    let answer = stack
        .running
        .aws
        .lambda
        .invoke(function, event.to_string().into())
        .await
        .expect("invoked");
    let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!(answer["statusCode"], 200, "{answer}");
    serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
}

async fn status(stack: &Stack, job: &str) -> Value {
    let described = call(stack, "DescribeLabelingJob", &json!({ "LabelingJobName": job })).await;
    assert_ne!(described["LabelingJobStatus"], "Failed", "{described}");
    described["LabelingJobStatus"].clone()
}

async fn put(s3: &Client, key: &str, body: String) {
    let put = s3
        .put_object()
        .bucket(BUCKET)
        .key(key)
        .body(body.into_bytes().into());
    put.send().await.expect("stored");
}

async fn read(s3: &Client, uri: &str) -> String {
    let (bucket, key) = uri
        .strip_prefix("s3://")
        .and_then(|rest| rest.split_once('/'))
        .expect("a URI");
    let object = s3
        .get_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .expect("an object");
    let bytes = object.body.collect().await.expect("bytes").to_vec();
    String::from_utf8(bytes).expect("text")
}

async fn output(s3: &Client, job: &str) -> Vec<Value> {
    let manifest = read(
        s3,
        &format!("s3://{BUCKET}/out/{job}/manifests/output/output.manifest"),
    )
    .await;
    manifest
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn request(name: &str, attribute: &str, manifest: &str, labels: &str, team: &Value) -> Value {
    json!({
        "LabelingJobName": name,
        "LabelAttributeName": attribute,
        "InputConfig": { "DataSource": { "S3DataSource": { "ManifestS3Uri": format!("s3://{BUCKET}/{manifest}") } } },
        "OutputConfig": { "S3OutputPath": format!("s3://{BUCKET}/out") },
        "RoleArn": ROLE,
        "LabelCategoryConfigS3Uri": format!("s3://{BUCKET}/{labels}"),
        "HumanTaskConfig": {
            "WorkteamArn": team, "UiConfig": {}, "TaskTitle": "Topic", "TaskDescription": "What is it about?",
            "NumberOfHumanWorkersPerDataObject": 1, "TaskTimeLimitInSeconds": 600,
        },
    })
}

fn choice(label: &str) -> Vec<(String, String)> {
    vec![("label".to_owned(), label.to_owned())]
}

#[tokio::test]
async fn a_labelling_job_with_own_functions_is_chained_into_a_second_level() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::start(folder.path(), &news()[..24], &BY_HAND).await;
    deploy_own_functions(&stack);
    let s3 = stack.s3.clone();
    s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
    let lines = TEXTS.map(|text| format!("{}\n", json!({ "source": text })));
    put(&s3, "in.manifest", lines.concat()).await;
    put(
        &s3,
        "topics.json",
        r#"{"labels": [{"label": "Sports"}, {"label": "Business"}]}"#.to_owned(),
    )
    .await;
    put(
        &s3,
        "sports.json",
        r#"{"labels": [{"label": "Football"}, {"label": "Chess"}]}"#.to_owned(),
    )
    .await;
    let teams = call(&stack, "ListWorkteams", &json!({})).await;
    let team = &teams["Workteams"][0]["WorkteamArn"];
    let link = sign_in::create_link(&stack.outputs, "ann").await.expect("a link");
    let mut ann = Reviewer::sign_in(&link).await.expect("signed in");

    let mut first = request("topics", "topic", "in.manifest", "topics.json", team);
    first["HumanTaskConfig"]["PreHumanTaskLambdaArn"] = json!(FUNCTION);
    first["HumanTaskConfig"]["AnnotationConsolidationConfig"] =
        json!({ "AnnotationConsolidationLambdaArn": FUNCTION });
    call(&stack, "CreateLabelingJob", &first).await;
    let by_topic = |page: &str| {
        choice(if page.contains("RATES") {
            "Business"
        } else {
            "Sports"
        })
    };
    until(async || {
        ann.answer_next_page(by_topic).await.expect("an answer");
        status(&stack, "topics").await == "Completed"
    })
    .await;
    let mut second = request(
        "sports",
        "sport",
        "out/topics/manifests/output/output.manifest",
        "sports.json",
        team,
    );
    second["Tags"] = json!([{ "Key": "active-learning:only-where", "Value": "topic=Sports" }]);
    call(&stack, "CreateLabelingJob", &second).await;
    let by_sport = |page: &str| {
        choice(if page.contains("chess") {
            "Chess"
        } else {
            "Football"
        })
    };
    until(async || {
        ann.answer_next_page(by_sport).await.expect("an answer");
        status(&stack, "sports").await == "Completed"
    })
    .await;

    let all = output(&s3, "sports").await;
    drop(s3);
    stack.stop().await;
    let named = |attribute: &str| -> Vec<Option<String>> {
        let class = |line: &Value| {
            line[format!("{attribute}-metadata")]["class-name"]
                .as_str()
                .map(str::to_owned)
        };
        all.iter().map(class).collect()
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(
        named("topic"),
        [some("Sports"), some("Business"), None, some("Sports")]
    );
    assert_eq!(named("sport"), [some("Football"), None, None, some("Chess")]);
    assert_eq!(all[0]["topic-metadata"]["votes"], 1);
    assert_eq!(all[0]["topic-metadata"]["type"], "groundtruth/custom");
    assert_eq!(all[0]["sport-metadata"]["job-name"], "labeling-job/sports");
    let order: Vec<&Value> = all.iter().map(|line| &line["source"]).collect();
    assert_eq!(order, TEXTS);
}

/// Returns texts whose labels are wrong once in ten, as people gave them.
fn one_in_ten_wrong() -> Vec<(String, String)> {
    let row = |number: usize| {
        let right = if number.is_multiple_of(2) {
            "Sports"
        } else {
            "Business"
        };
        let wrong = if right == "Sports" { "Business" } else { "Sports" };
        let label = if number % 10 == 3 { wrong } else { right };
        (
            label.to_owned(),
            format!("{right} is what number {number} is about."),
        )
    };
    (0..300).map(row).collect()
}

/// Returns whether a line of an audit's input has the label that its text is about.
fn is_right(line: &Value) -> bool {
    let text = line["source"].as_str().expect("a text");
    let label = line["label-metadata"]["class-name"].as_str().expect("a label");
    text.starts_with(label)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_audit_of_one_label_adjusts_is_appended_and_exported_and_the_old_label_stays() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::start(folder.path(), &news()[..24], &BY_HAND).await;
    let s3 = stack.s3.clone();
    s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
    let rows = &one_in_ten_wrong()[..60];
    put_labels(&s3, stack.bucket(), "loop-1", rows).await;
    // Of long ago, whatever the clock of this machine says.
    let loop_1 = format!("s3://{}/labelled/loop-1.jsonl", stack.bucket());
    let dated = read(&s3, &loop_1).await.replace("2026-11-21T", "2024-11-21T");
    let put = s3
        .put_object()
        .bucket(stack.bucket())
        .key("labelled/loop-1.jsonl");
    put.body(dated.into_bytes().into()).send().await.expect("stored");
    let output = format!("s3://{BUCKET}/audits");
    let link = sign_in::create_link(&stack.outputs, "bob").await.expect("a link");
    let mut bob = Reviewer::sign_in(&link).await.expect("signed in");
    let wrong: Vec<&str> = rows
        .iter()
        .filter(|(label, text)| !text.starts_with(label.as_str()))
        .map(|(_, text)| text.as_str())
        .collect();

    let start = [
        "audit", "start", "sports", "--output", &output, "--share", "1", "--label", "Sports",
    ];
    let (is_begun, begun) = command(folder.path(), &start).await;
    assert!(is_begun, "{begun}");
    let asked = read(&s3, &format!("{output}/sports/audit/in.manifest")).await;
    let right = |page: &str| {
        choice(match page.contains("Sports is what") {
            true => "Sports",
            false => "Business",
        })
    };
    until(async || {
        while bob.answer_next_page(right).await.expect("an answer") {}
        status(&stack, "sports").await == "Completed"
    })
    .await;
    let report = ["audit", "report", "sports", "--output", &output];
    let kept = command(folder.path(), &report).await;
    let before = exported_labels(folder.path()).await;
    let append = [&report[..], &["--append", "--json"]].concat();
    let appended = command(folder.path(), &append).await;
    let again = command(folder.path(), &append).await;
    let unasked = command(folder.path(), &report).await;
    let after = exported_labels(folder.path()).await;
    let first = read(&s3, &loop_1).await;
    let lines: Vec<Value> =
        harness::json_objects(&s3, stack.bucket(), "labelled/", "-audit-sports.jsonl").await;

    drop(s3);
    stack.stop().await;
    let asked: Vec<Value> = asked
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        (asked.len(), wrong.len()),
        (36, 6),
        "30 are of Sports, and 6 are said to be"
    );
    assert!(
        asked
            .iter()
            .all(|line| line["label-metadata"]["class-name"] == "Sports")
    );
    assert!(
        kept.0 && kept.1.contains("6 labels are adjusted; --append adds them"),
        "{}",
        kept.1
    );
    let record = asked
        .iter()
        .find(|line| line["source"] == wrong[0])
        .expect("asked");
    let named = format!(
        "{}  Sports -> Business",
        record["record"].as_str().expect("an id")
    );
    assert!(kept.1.contains(&named), "{}", kept.1);
    let json = |printed: &(bool, String)| -> Value {
        assert!(printed.0, "{}", printed.1);
        serde_json::from_str(&printed.1).expect("JSON")
    };
    let (appended, again) = (json(&appended), json(&again));
    assert_eq!(
        appended["adjusted"].as_array().map(Vec::len),
        Some(6),
        "{appended}"
    );
    assert_eq!(appended["labels"]["appended"], 6, "{appended}");
    assert_eq!(
        (&again["labels"]["appended"], &again["labels"]["appendedBefore"]),
        (&json!(0), &json!(6)),
        "{again}"
    );
    let told = "6 labels were appended by an earlier report";
    assert!(
        unasked.0 && unasked.1.contains(told) && !unasked.1.contains("--append"),
        "{}",
        unasked.1
    );
    for text in &wrong {
        assert_eq!(before[*text], ["Sports"], "{text}");
        assert_eq!(after[*text], ["Business"], "{text}");
        assert!(first.contains(text), "the old line stays");
    }
    assert_eq!(lines.len(), 6);
    for line in &lines {
        assert_eq!(line["votes"][0]["worker"], "adjudicator:bob", "{line}");
        assert_eq!(line["replaces"], json!(["Sports"]), "{line}");
    }
}

#[tokio::test]
async fn an_audit_of_a_random_share_finds_one_wrong_label_in_ten_within_its_interval() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::start(folder.path(), &news()[..24], &BY_HAND).await;
    let s3 = stack.s3.clone();
    s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
    put_labels(&s3, stack.bucket(), "loop-1", &one_in_ten_wrong()).await;
    let output = format!("s3://{BUCKET}/audits");
    let link = sign_in::create_link(&stack.outputs, "bob").await.expect("a link");
    let mut bob = Reviewer::sign_in(&link).await.expect("signed in");

    let start = ["audit", "start", "spring", "--output", &output, "--share", "0.2"];
    let (is_begun, begun) = command(folder.path(), &start).await;
    assert!(is_begun, "{begun}");
    let first = read(&s3, &format!("{output}/spring/audit/in.manifest")).await;
    let more = ["audit", "start", "spring", "--output", &output, "--share", "1"];
    let (is_again, again) = command(folder.path(), &more).await;
    let (is_misnamed, misnamed) = command(
        folder.path(),
        &["audit", "start", "bad name", "--output", &output],
    )
    .await;
    let no_role = [
        "audit",
        "start",
        "third",
        "--output",
        &output,
        "--role-arn",
        "nobody",
    ];
    let (has_role, role) = command(folder.path(), &no_role).await;
    let nowhere = ["audit", "start", "fourth", "--output", "s3://nowhere-yet/audits"];
    let (has_bucket, no_bucket) = command(folder.path(), &nowhere).await;
    let same = read(&s3, &format!("{output}/spring/audit/in.manifest")).await;
    let left = s3.list_objects_v2().bucket(BUCKET).prefix("audits/").send().await;
    let left = left.expect("a list");
    let report = ["audit", "report", "spring", "--output", &output, "--json"];
    let (is_early, early) = command(folder.path(), &report).await;
    let right = |page: &str| {
        choice(if page.contains("Sports is what") {
            "Sports"
        } else {
            "Business"
        })
    };
    until(async || {
        while bob.answer_next_page(right).await.expect("an answer") {}
        status(&stack, "spring").await == "Completed"
    })
    .await;
    let (is_done, done) = command(folder.path(), &report).await;

    drop(s3);
    stack.stop().await;
    assert!(begun.contains("60 of 300 labelled texts wait"), "{begun}");
    assert!(!is_again && again.contains("take another name"), "{again}");
    assert!(!is_misnamed && misnamed.contains("labelingJobName"), "{misnamed}");
    assert!(!has_role && role.contains("roleArn"), "{role}");
    let advice = "the bucket nowhere-yet of --output does not exist: make it first";
    assert!(!has_bucket && no_bucket.contains(advice), "{no_bucket}");
    assert!(
        first == same,
        "a refused start leaves the running one's input as it is"
    );
    let left = left.contents().iter().filter_map(|object| object.key());
    let others: Vec<&str> = left.filter(|key| !key.starts_with("audits/spring/")).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(
        !is_early && early.contains("texts have been looked at"),
        "{early}"
    );
    assert!(is_done, "{done}");
    let done: Value = serde_json::from_str(&done).expect("JSON");
    let (low, high) = (
        done["all"]["low"].as_f64().expect("low"),
        done["all"]["high"].as_f64().expect("high"),
    );
    assert_eq!(done["all"]["audited"], 60);
    let drawn = first
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let wrong = drawn.filter(|line| !is_right(line)).count();
    assert_eq!(done["all"]["wrong"], wrong, "{done}");
    assert!((low..=high).contains(&0.1), "{done}");
    assert!(low > 0.02 && high < 0.25, "60 of 300 say that much: {done}");
    assert_eq!(done["byReviewer"]["ann"]["audited"], 60, "{done}");
    let by_label = done["byLabel"].as_object().expect("labels");
    assert_eq!(by_label.keys().collect::<Vec<_>>(), ["Business", "Sports"]);
}
