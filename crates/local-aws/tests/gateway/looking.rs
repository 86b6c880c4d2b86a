//! What users look at: stacks, logs, parameters, usage plans and usage.

use std::collections::BTreeMap;

use local_aws::{
    LocalAws,
    cloudformation::{OutputSpec, ResourceSpec, StackSpec},
    logs::LogGroupSpec,
};
use serde_json::{Value, json};

use crate::setup::{Answer, Call, ENDPOINT, KEY, get, post, put_api, put_role, services, session, user};

const STACK_ID: &str = "arn:aws:cloudformation:us-east-1:000000000000:stack/local/8e0b6ad4";

fn put_stack(aws: &LocalAws) {
    aws.cloudformation.put_stack(StackSpec {
        id: STACK_ID.to_owned(),
        name: "local".to_owned(),
        description: "Texts & labels".to_owned(),
        created: "2026-03-04T01:00:00Z".parse().expect("it is a time"),
        parameters: BTreeMap::from([("Threshold".to_owned(), "0.5".to_owned())]),
        outputs: BTreeMap::from([(
            "Url".to_owned(),
            OutputSpec {
                value: "http://127.0.0.1/?a&b".to_owned(),
                description: "URL of it.".to_owned(),
            },
        )]),
        resources: BTreeMap::from([(
            "Data".to_owned(),
            ResourceSpec {
                physical_id: "data-8e0b6ad4".to_owned(),
                type_name: "AWS::S3::Bucket".to_owned(),
            },
        )]),
    });
}

async fn cloudformation(aws: &LocalAws, form: &str) -> Answer {
    let call = Call {
        headers: &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
        ..post("/", form)
    };
    call.send_as(aws, "cloudformation", user()).await
}

async fn json_call(aws: &LocalAws, service: &str, target: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let call = Call {
        headers: &[
            ("x-amz-target", target),
            ("content-type", "application/x-amz-json-1.1"),
        ],
        ..post("/", &body)
    };
    call.send_as(aws, service, user()).await
}

#[tokio::test]
async fn a_stack_is_described_by_its_name_by_its_arn_and_without_one() {
    let aws = LocalAws::in_memory();
    put_stack(&aws);

    for name in ["", "&StackName=local", &format!("&StackName={STACK_ID}")] {
        let answer = cloudformation(&aws, &format!("Action=DescribeStacks{name}")).await;

        assert_eq!(answer.status, 200, "{}", answer.body);
        for part in [
            "<StackStatus>CREATE_COMPLETE</StackStatus>",
            "<Description>Texts &amp; labels</Description>",
            "<CreationTime>2026-03-04T01:00:00.000Z</CreationTime>",
            "<ParameterKey>Threshold</ParameterKey><ParameterValue>0.5</ParameterValue>",
            "<OutputKey>Url</OutputKey><OutputValue>http://127.0.0.1/?a&amp;b</OutputValue><Description>URL of it.",
        ] {
            assert!(answer.body.contains(part), "{part}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn the_resources_of_a_stack_are_listed_and_found() {
    let aws = LocalAws::in_memory();
    put_stack(&aws);

    let all = cloudformation(&aws, "Action=DescribeStackResources&StackName=local").await;
    let one = cloudformation(
        &aws,
        "Action=DescribeStackResources&PhysicalResourceId=data-8e0b6ad4",
    )
    .await;
    let listed = cloudformation(&aws, "Action=ListStackResources&StackName=local").await;

    for answer in [all, one, listed] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let data = "<LogicalResourceId>Data</LogicalResourceId><PhysicalResourceId>data-8e0b6ad4</PhysicalResourceId>\
                    <ResourceType>AWS::S3::Bucket</ResourceType>";
        assert!(answer.body.contains(data), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_stack_or_resource_that_is_not_there_is_a_validation_error_and_a_role_needs_the_right() {
    let aws = LocalAws::in_memory();
    put_stack(&aws);
    put_role(&aws, "worker", vec![]);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let call = Call {
        headers: &form,
        ..post("/", "Action=DescribeStacks&StackName=local")
    };

    let unknown = cloudformation(&aws, "Action=DescribeStacks&StackName=other").await;
    let resource = cloudformation(
        &aws,
        "Action=DescribeStackResources&StackName=local&LogicalResourceId=X",
    )
    .await;
    let other = cloudformation(&aws, "Action=DeleteStack&StackName=local").await;
    let denied = call
        .send_as(&aws, "cloudformation", session(&aws, "worker"))
        .await;

    assert_eq!(unknown.status, 400);
    assert!(
        unknown.body.contains("<Code>ValidationError</Code>"),
        "{}",
        unknown.body
    );
    assert!(unknown.body.contains("Stack with id other does not exist"));
    assert!(
        resource.body.contains("Resource X does not exist"),
        "{}",
        resource.body
    );
    assert_eq!(other.status, 501);
    assert!(
        other
            .body
            .contains("cloudformation: DeleteStack is not implemented")
    );
    assert_eq!(denied.status, 403);
    assert!(
        denied.body.contains("<Code>AccessDenied</Code>"),
        "{}",
        denied.body
    );
}

/// Opens services with a group whose function has printed three lines.
fn with_logs(folder: &std::path::Path) -> LocalAws {
    let aws = LocalAws::open(folder, "us-east-1", ENDPOINT).expect("the folder is new");
    std::fs::create_dir_all(folder.join("logs")).expect("the folder is writable");
    let lines = [
        r#"{"timestamp":"2026-03-04T01:00:00Z","level":"INFO","message":"begin"}"#,
        r#"{"timestamp":"2026-03-04T01:00:01Z","level":"ERROR","message":"no answer"}"#,
        r#"{"timestamp":"2026-03-04T01:00:02Z","level":"INFO","message":"end"}"#,
    ];
    std::fs::write(folder.join("logs/worker.log"), lines.join("\n") + "\n").expect("the folder is writable");
    aws.logs.put_log_group(LogGroupSpec {
        name: "worker-logs".to_owned(),
        retention_days: Some(30),
        functions: vec!["worker".to_owned()],
        created: "2026-03-04T00:00:00Z".parse().expect("it is a time"),
    });
    aws
}

/// Calls an operation on the group, with more members.
async fn logs(aws: &LocalAws, operation: &str, members: &[(&str, Value)]) -> Answer {
    let mut body = match operation {
        "DescribeLogGroups" => json!({}),
        _ => json!({ "logGroupName": "worker-logs" }),
    };
    for (name, value) in members {
        body[*name] = value.clone();
    }
    json_call(aws, "logs", &format!("Logs_20140328.{operation}"), &body).await
}

fn messages(answer: &Answer) -> Vec<String> {
    let answer = answer.json();
    let events = answer["events"].as_array().expect("a list").iter();
    let lines = events.map(|event| serde_json::from_str(event["message"].as_str().expect("text")));
    let lines = lines.map(|line| line.expect("JSON"));
    lines
        .map(|line: Value| line["message"].as_str().expect("text").to_owned())
        .collect()
}

#[tokio::test]
async fn log_events_are_filtered_by_pattern_and_time_and_come_in_pages() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let aws = with_logs(folder.path());
    let filter = "FilterLogEvents";
    let pattern = |pattern: &str| [("filterPattern", json!(pattern))];

    let all = logs(&aws, filter, &[]).await;
    let errors = logs(&aws, filter, &pattern("ERROR")).await;
    let by_field = logs(&aws, filter, &pattern("{ $.level = \"ERROR\" }")).await;
    let late = logs(&aws, filter, &[("startTime", json!(1_772_586_001_000_i64))]).await;
    let first = logs(&aws, filter, &[("limit", json!(2))]).await;
    let next = [
        ("limit", json!(2)),
        ("nextToken", first.json()["nextToken"].clone()),
    ];
    let rest = logs(&aws, filter, &next).await;
    let refused = logs(&aws, filter, &pattern("[a, b]")).await;

    assert_eq!(messages(&all), ["begin", "no answer", "end"]);
    assert_eq!(messages(&errors), ["no answer"]);
    assert_eq!(messages(&by_field), ["no answer"]);
    assert_eq!(messages(&late), ["no answer", "end"]);
    assert_eq!(messages(&first), ["begin", "no answer"]);
    assert_eq!(messages(&rest), ["end"]);
    assert!(rest.json().get("nextToken").is_none());
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["__type"], "InvalidParameterException");
}

#[tokio::test]
async fn log_groups_and_streams_are_described_and_events_got_from_either_end() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let aws = with_logs(folder.path());
    let (stream, limit) = (("logStreamName", json!("local")), ("limit", json!(2)));
    let after = |answer: &Answer| ("nextToken", answer.json()["nextForwardToken"].clone());
    let head = ("startFromHead", json!(true));

    let groups = logs(
        &aws,
        "DescribeLogGroups",
        &[("logGroupNamePrefix", json!("worker"))],
    )
    .await;
    let none = logs(
        &aws,
        "DescribeLogGroups",
        &[("logGroupNamePrefix", json!("other"))],
    )
    .await;
    let streams = logs(&aws, "DescribeLogStreams", &[]).await.json();
    let head = logs(&aws, "GetLogEvents", &[stream.clone(), limit.clone(), head]).await;
    let more = logs(
        &aws,
        "GetLogEvents",
        &[stream.clone(), limit.clone(), after(&head)],
    )
    .await;
    let end = logs(
        &aws,
        "GetLogEvents",
        &[stream.clone(), limit.clone(), after(&more)],
    )
    .await;
    let tail = logs(&aws, "GetLogEvents", &[stream, limit]).await;
    let missing = logs(&aws, "FilterLogEvents", &[("logGroupName", json!("absent"))]).await;

    assert_eq!(groups.json()["logGroups"][0]["logGroupName"], "worker-logs");
    assert_eq!(groups.json()["logGroups"][0]["retentionInDays"], 30);
    assert_eq!(none.json(), json!({ "logGroups": [] }));
    assert_eq!(streams["logStreams"][0]["logStreamName"], "local");
    assert_eq!(
        streams["logStreams"][0]["lastEventTimestamp"],
        1_772_586_002_000_i64
    );
    assert_eq!(messages(&head), ["begin", "no answer"]);
    assert_eq!(messages(&more), ["end"]);
    assert!(messages(&end).is_empty());
    assert_eq!(after(&end), after(&more));
    assert_eq!(messages(&tail), ["no answer", "end"]);
    assert_eq!(missing.json()["__type"], "ResourceNotFoundException");
}

#[tokio::test]
async fn a_parameter_is_put_got_and_replaced_only_when_told() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let aws = LocalAws::open(folder.path(), "us-east-1", ENDPOINT).expect("the folder is new");
    let put = |value: &str, overwrite: bool| json!({ "Name": "/app/url", "Type": "String", "Value": value, "Overwrite": overwrite });
    let (name, names) = (
        json!({ "Name": "/app/url" }),
        json!({ "Names": ["/app/url", "/app/other"] }),
    );
    let secret = json!({ "Name": "s", "Type": "SecureString", "Value": "x" });

    let missing = json_call(&aws, "ssm", "AmazonSSM.GetParameter", &name).await;
    let made = json_call(&aws, "ssm", "AmazonSSM.PutParameter", &put("one", false)).await;
    let again = json_call(&aws, "ssm", "AmazonSSM.PutParameter", &put("two", false)).await;
    let replaced = json_call(&aws, "ssm", "AmazonSSM.PutParameter", &put("two", true)).await;
    let got = json_call(&aws, "ssm", "AmazonSSM.GetParameter", &name)
        .await
        .json();
    let all = json_call(&aws, "ssm", "AmazonSSM.GetParameters", &names)
        .await
        .json();
    let secret = json_call(&aws, "ssm", "AmazonSSM.PutParameter", &secret).await;

    assert_eq!(missing.status, 400);
    assert_eq!(missing.json()["__type"], "ParameterNotFound");
    assert_eq!(made.json()["Version"], 1);
    assert_eq!(again.json()["__type"], "ParameterAlreadyExists");
    assert_eq!(replaced.json()["Version"], 2);
    assert_eq!(got["Parameter"]["Value"], "two");
    assert_eq!(
        got["Parameter"]["ARN"],
        "arn:aws:ssm:us-east-1:000000000000:parameter/app/url"
    );
    assert_eq!(all["InvalidParameters"], json!(["/app/other"]));
    assert_ne!(secret.status, 200);
    assert!(secret.body.contains("not implemented"), "{}", secret.body);
}

#[tokio::test]
async fn usage_plans_their_keys_and_their_usage_are_told_without_the_value_of_a_key() {
    let aws = services();
    put_api(&aws, 29_000);
    let keyed = Call {
        headers: &[("x-api-key", KEY)],
        ..post("/_aws/execute-api/api1/dev/keyed", "{}")
    };
    keyed.send(&aws).await;
    let today = chrono::Utc::now().date_naive();
    let usage = format!("/usageplans/plan1/usage?endDate={today}&startDate={today}");
    let bad = "/usageplans/plan1/usage?startDate=today&endDate=today";

    let plans = get("/usageplans")
        .send_as(&aws, "apigateway", user())
        .await
        .json();
    let of_key = get("/usageplans?keyId=other")
        .send_as(&aws, "apigateway", user())
        .await;
    let keys = get("/usageplans/plan1/keys")
        .send_as(&aws, "apigateway", user())
        .await;
    let used = get(&usage).send_as(&aws, "apigateway", user()).await.json();
    let bad = get(bad).send_as(&aws, "apigateway", user()).await;
    let absent = get("/usageplans/other").send_as(&aws, "apigateway", user()).await;

    assert_eq!(
        plans["item"][0]["quota"],
        json!({ "limit": 2, "offset": 0, "period": "MONTH" })
    );
    assert_eq!(
        plans["item"][0]["apiStages"],
        json!([{ "apiId": "api1", "stage": "dev" }])
    );
    assert_eq!(of_key.json(), json!({ "item": [] }));
    assert_eq!(
        keys.json()["item"][0],
        json!({ "id": "key1", "type": "API_KEY", "name": "users" })
    );
    assert!(!keys.body.contains(KEY));
    assert_eq!(used["values"], json!({ "key1": [[1, 1]] }));
    assert_eq!((bad.status, absent.status), (400, 404));
}
