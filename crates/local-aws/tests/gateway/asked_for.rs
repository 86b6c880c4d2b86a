//! What a request asks for beside its operation: it is done, or refused by name, never ignored.

use std::collections::BTreeMap;

use local_aws::{
    LocalAws,
    apigateway::RestApiSpec,
    cloudformation::{ResourceSpec, StackSpec},
    logs::LogGroupSpec,
    secretsmanager::{GenerateSecretString, SecretSpec},
    sns::TopicSpec,
    stepfunctions::StateMachineSpec,
};
use serde_json::{Value, json};

use crate::setup::{Answer, Call, get, post, put_role, role_arn, user};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

async fn json_call(aws: &LocalAws, service: &str, target: &str, body: Value) -> Answer {
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

async fn form_call(aws: &LocalAws, service: &str, body: &str) -> Answer {
    let call = Call {
        headers: &[FORM],
        ..post("/", body)
    };
    call.send_as(aws, service, user()).await
}

/// Returns the type and the message of a refusal.
fn refusal(answer: &Answer) -> (String, String) {
    let body = answer.json();
    let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
    (text("__type"), text("message"))
}

/// Returns the texts that a list of an answer has at this member.
fn texts(answer: &Answer, list: &str, member: &str) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    let items = body[list].as_array().expect("a list").iter();
    items
        .map(|item| item[member].as_str().expect("a text").to_owned())
        .collect()
}

#[tokio::test]
async fn secrets_are_listed_by_name_and_in_pages() {
    let aws = LocalAws::in_memory();
    for name in ["app-one", "app-two", "other"] {
        let generate = GenerateSecretString {
            length: 8,
            exclude_punctuation: true,
        };
        let name = name.to_owned();
        let put = aws.secrets.put_secret(&SecretSpec { name, generate });
        put.expect("a secret");
    }
    let list =
        async |body: Value| json_call(&aws, "secretsmanager", "secretsmanager.ListSecrets", body).await;
    let by = |key: &str, value: &str| json!({"Filters": [{"Key": key, "Values": [value]}]});
    let names = |answer: &Answer| texts(answer, "SecretList", "Name");

    let first = list(json!({"MaxResults": 2})).await;
    let token = first.json()["NextToken"].clone();
    let rest = list(json!({"MaxResults": 2, "NextToken": token})).await;

    assert_eq!(names(&list(by("name", "app-t")).await), ["app-two"]);
    assert_eq!(names(&list(by("name", "!app")).await), ["other"]);
    assert!(names(&list(by("name", "zzz")).await).is_empty());
    assert_eq!(names(&first), ["app-one", "app-two"]);
    assert_eq!(names(&rest), ["other"]);
    assert!(rest.json().get("NextToken").is_none());
    let stale = refusal(&list(json!({"NextToken": "zzz"})).await);
    assert_eq!(stale.0, "InvalidNextTokenException");
    for (body, named) in [
        (by("tag-key", "a"), "tag-key"),
        (json!({"SortBy": "name"}), "SortBy"),
    ] {
        let answer = list(body).await;
        assert_eq!(answer.status, 501);
        assert!(answer.body.contains(named), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_parameter_is_not_put_without_what_is_asked_for_it() {
    let aws = LocalAws::in_memory();
    let put = async |member: &str, value: Value| {
        let mut body = json!({"Name": "/app/x", "Value": "x", "Type": "String"});
        body[member] = value;
        json_call(&aws, "ssm", "AmazonSSM.PutParameter", body).await
    };

    for (member, value, named) in [
        ("AllowedPattern", json!("^y$"), "AllowedPattern"),
        ("Tags", json!([{"Key": "a", "Value": "b"}]), "Tags"),
        ("Policies", json!("[]"), "Policies"),
        ("KeyId", json!("alias/a"), "KeyId"),
        ("Tier", json!("Advanced"), "Advanced"),
        ("DataType", json!("aws:ec2:image"), "aws:ec2:image"),
    ] {
        let answer = put(member, value).await;
        assert_eq!(answer.status, 501, "{member}");
        assert!(answer.body.contains(named), "{}", answer.body);
    }
    let reserved = refusal(&put("Name", json!("/aws/x")).await);
    assert_eq!(reserved.0, "AccessDeniedException");
    for name in ["aws-x", "/SSMx"] {
        let reserved = refusal(&put("Name", json!(name)).await);
        assert_eq!(reserved.0, "ValidationException", "{}", reserved.1);
    }
    let missing = json_call(&aws, "ssm", "AmazonSSM.GetParameter", json!({"Name": "/app/x"})).await;
    assert_eq!(refusal(&missing).0, "ParameterNotFound");
    assert_eq!(put("Tier", json!("Intelligent-Tiering")).await.status, 200);
    assert_eq!(put("Overwrite", json!(true)).await.status, 200);
}

#[tokio::test]
async fn log_groups_come_in_pages() {
    let aws = LocalAws::in_memory();
    for name in ["a", "b", "c"] {
        aws.logs.put_log_group(LogGroupSpec {
            name: name.to_owned(),
            retention_days: None,
            functions: vec![],
            created: chrono::Utc::now(),
        });
    }
    let list = async |body: Value| json_call(&aws, "logs", "Logs_20140328.DescribeLogGroups", body).await;
    let names = |answer: &Answer| texts(answer, "logGroups", "logGroupName");

    let first = list(json!({"limit": 2})).await;
    let token = first.json()["nextToken"].clone();
    let rest = list(json!({"limit": 2, "nextToken": token})).await;

    assert_eq!((names(&first).len(), names(&rest)), (2, vec!["c".to_owned()]));
    assert!(rest.json().get("nextToken").is_none());
    assert!(names(&list(json!({"logGroupClass": "INFREQUENT_ACCESS"})).await).is_empty());
    for body in [json!({"nextToken": "zzz"}), json!({"limit": 0})] {
        assert_eq!(refusal(&list(body).await).0, "InvalidParameterException");
    }
    assert_eq!(list(json!({"logGroupIdentifiers": ["a"]})).await.status, 501);
}

#[tokio::test]
async fn a_stale_token_is_refused_where_all_are_on_one_page() {
    let aws = LocalAws::in_memory();

    let topics = form_call(&aws, "sns", "Action=ListTopics&NextToken=zzz").await;
    let stacks = form_call(&aws, "cloudformation", "Action=DescribeStacks&NextToken=zzz").await;

    assert_eq!((topics.status, stacks.status), (400, 400));
    assert!(topics.body.contains("<Code>InvalidParameter</Code>"));
    assert!(stacks.body.contains("<Code>ValidationError</Code>"));
}

#[tokio::test]
async fn a_message_has_attributes_of_the_types_that_there_are() {
    let aws = LocalAws::in_memory();
    aws.sns.put_topic(TopicSpec {
        name: "news".to_owned(),
    });
    let publish = async |data_type: &str, value: &str| {
        let body = format!(
            "Action=Publish&TopicArn=arn:aws:sns:us-east-1:000000000000:news&Message=m\
             &MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType={data_type}\
             &MessageAttributes.entry.1.Value.{value}"
        );
        form_call(&aws, "sns", &body).await.status
    };

    assert_eq!(publish("Number.int", "StringValue=-1.5").await, 200);
    assert_eq!(publish("String.Array", "StringValue=%5B1%5D").await, 200);
    assert_eq!(publish("Binary", "BinaryValue=eA%3D%3D").await, 200);
    for (data_type, value) in [
        ("Foo", "StringValue=1"),
        ("Number", "StringValue=zz"),
        ("Strings", "StringValue=x"),
        ("Binary", "StringValue=x"),
    ] {
        assert_eq!(publish(data_type, value).await, 400, "{data_type} {value}");
    }
}

#[tokio::test]
async fn the_resources_of_a_stack_come_in_pages_of_a_hundred() {
    let aws = LocalAws::in_memory();
    let resource = |number: usize| {
        let resource = ResourceSpec {
            physical_id: format!("bucket-{number}"),
            type_name: "AWS::S3::Bucket".to_owned(),
        };
        (format!("Bucket{number:03}"), resource)
    };
    aws.cloudformation.put_stack(StackSpec {
        id: "arn:aws:cloudformation:us-east-1:000000000000:stack/local/1".to_owned(),
        name: "local".to_owned(),
        description: String::new(),
        created: chrono::Utc::now(),
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        resources: (0..120).map(resource).collect(),
    });
    let list = async |rest: &str| {
        let body = format!("Action=ListStackResources&StackName=local{rest}");
        form_call(&aws, "cloudformation", &body).await
    };
    let count = |answer: &Answer| answer.body.matches("<LogicalResourceId>").count();

    let first = list("").await;
    let rest = list("&NextToken=100").await;

    assert_eq!((count(&first), count(&rest)), (100, 20));
    assert!(first.body.contains("<NextToken>100</NextToken>"));
    assert!(!rest.body.contains("NextToken") && rest.body.contains("Bucket119"));
    assert_eq!(list("&NextToken=zzz").await.status, 400);
}

#[tokio::test]
async fn apis_come_in_pages_and_keys_by_name() {
    let aws = LocalAws::in_memory();
    crate::setup::put_api(&aws, 1_000);
    let other = RestApiSpec {
        id: "api2".to_owned(),
        name: "other".to_owned(),
        stage: "dev".to_owned(),
        methods: vec![],
        gateway_responses: BTreeMap::new(),
        throttle: None,
    };
    aws.api_gateway.put_rest_api(other).expect("an API");
    let list = async |path: &str| get(path).send_as(&aws, "apigateway", user()).await;
    let ids = |answer: &Answer| texts(answer, "item", "id");

    let first = list("/restapis?limit=1").await;
    let position = first.json()["position"].clone();
    let position = position.as_str().expect("there is another page");
    let rest = list(&format!("/restapis?limit=1&position={position}")).await;

    assert_eq!(
        (ids(&first), ids(&rest)),
        (vec!["api1".to_owned()], vec!["api2".to_owned()])
    );
    assert!(rest.json().get("position").is_none());
    for path in ["/apikeys", "/usageplans/plan1/keys"] {
        assert_eq!(ids(&list(&format!("{path}?nameQuery=us")).await), ["key1"]);
        assert!(ids(&list(&format!("{path}?nameQuery=zzz")).await).is_empty());
    }
    for path in [
        "/restapis?position=zzz",
        "/restapis?limit=0",
        "/apikeys?limit=501",
    ] {
        assert_eq!(list(path).await.status, 400, "{path}");
    }
    let refused = list("/apikeys?customerId=zzz").await;
    assert_eq!(refused.status, 501);
    assert!(refused.body.contains("customerId"), "{}", refused.body);
}

#[tokio::test]
async fn an_execution_and_its_machine_are_described_without_data_when_asked_so() {
    let aws = LocalAws::in_memory();
    put_role(&aws, "builder", vec![]);
    let machine = StateMachineSpec {
        name: "build".to_owned(),
        definition: json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}).to_string(),
        role_arn: role_arn("builder"),
    };
    let put = aws.step_functions.put_state_machine(machine);
    put.expect("the definition is sound");
    let machine = json!("arn:aws:states:us-east-1:000000000000:stateMachine:build");
    let call = async |operation: &str, body: Value| {
        json_call(&aws, "states", &format!("AWSStepFunctions.{operation}"), body).await
    };
    let input = json!({"stateMachineArn": machine, "name": "one", "input": "{\"a\":1}"});
    let started = call("StartExecution", input).await.json();
    let execution = &started["executionArn"];

    let all = call("DescribeExecution", json!({"executionArn": execution})).await;
    let asked = json!({"executionArn": execution, "includedData": "METADATA_ONLY"});
    let bare = call("DescribeExecution", asked).await.json();
    let asked = json!({"stateMachineArn": machine, "includedData": "METADATA_ONLY"});
    let bare_machine = call("DescribeStateMachine", asked).await.json();
    let bad = json!({"executionArn": execution, "includedData": "SOME"});
    let bad = call("DescribeExecution", bad).await;
    let list = async |filter: &str| {
        let asked = json!({"stateMachineArn": machine, "redriveFilter": filter});
        texts(&call("ListExecutions", asked).await, "executions", "name")
    };
    let of_map = json!({"mapRunArn": "arn:x"});

    assert_eq!(all.json()["input"], "{\"a\":1}");
    assert_eq!(bare["name"], "one");
    for member in ["input", "inputDetails", "output", "outputDetails"] {
        assert!(bare.get(member).is_none(), "{bare}");
    }
    assert_eq!(bare_machine["name"], "build");
    assert!(bare_machine.get("definition").is_none());
    assert_eq!(refusal(&bad).0, "ValidationException");
    assert!(list("REDRIVEN").await.is_empty());
    assert_eq!(list("NOT_REDRIVEN").await, ["one"]);
    assert_eq!(call("ListExecutions", of_map).await.status, 501);
}

#[tokio::test]
async fn what_eventbridge_would_ignore_is_refused_by_name() {
    let aws = LocalAws::in_memory();
    let rule = |member: &str, value: Value| {
        let mut body = json!({"Name": "r", "EventPattern": "{\"source\": [\"a\"]}"});
        body[member] = value;
        body
    };

    for (operation, body, named) in [
        (
            "PutRule",
            rule("RoleArn", json!("arn:aws:iam::000000000000:role/r")),
            "RoleArn",
        ),
        (
            "PutRule",
            rule("Tags", json!([{"Key": "a", "Value": "b"}])),
            "Tags",
        ),
        (
            "PutEvents",
            json!({"Entries": [], "EndpointId": "a.b"}),
            "EndpointId",
        ),
        (
            "ListConnections",
            json!({"ConnectionState": "DELETING"}),
            "ConnectionState",
        ),
    ] {
        let answer = json_call(&aws, "events", &format!("AWSEvents.{operation}"), body).await;
        assert_eq!(answer.status, 501, "{operation}");
        assert!(answer.body.contains(named), "{}", answer.body);
    }
    let put = json_call(
        &aws,
        "events",
        "AWSEvents.PutRule",
        rule("State", json!("DISABLED")),
    )
    .await;
    assert_eq!(put.status, 200, "{}", put.body);
}
