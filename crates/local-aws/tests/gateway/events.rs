//! EventBridge: buses, rules, and who gets an event.

use aws_credential_types::Credentials;
use local_aws::{LocalAws, eventbridge::EventBusSpec, transport::ENDPOINT_URL};
use serde_json::{Value, json};

use crate::setup::{Call, post, put_role, session, user};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:mine";
const BUS_ARN: &str = "arn:aws:events:us-east-1:000000000000:event-bus/news";

fn services(folder: &std::path::Path) -> LocalAws {
    LocalAws::open(folder, "us-east-1", ENDPOINT_URL).expect("the folder is free")
}

pub async fn call_as(aws: &LocalAws, operation: &str, body: &Value, who: Credentials) -> (u16, Value) {
    let (body, target) = (body.to_string(), format!("AWSEvents.{operation}"));
    let call = Call {
        headers: &[
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
        ],
        ..post("/", &body)
    };
    let answer = call.send_as(aws, "events", who).await;
    (answer.status, answer.json())
}

/// Calls an operation that must succeed.
pub async fn call(aws: &LocalAws, operation: &str, body: Value) -> Value {
    let (status, answer) = call_as(aws, operation, &body, user()).await;
    assert_eq!(status, 200, "{operation}: {answer}");
    answer
}

/// Calls an operation that must be refused; returns its code.
pub async fn refusal(aws: &LocalAws, operation: &str, body: Value) -> String {
    let (status, answer) = call_as(aws, operation, &body, user()).await;
    assert_ne!(status, 200, "{operation}: {answer}");
    answer["__type"].as_str().expect("a code").to_owned()
}

fn event(detail: &Value) -> Value {
    json!({"Source": "mine", "DetailType": "Told", "Detail": detail.to_string(), "EventBusName": "news"})
}

/// Makes the bus, and a rule on it that gives what is answered to a function.
async fn set_up(aws: &LocalAws) {
    call(aws, "CreateEventBus", json!({"Name": "news"})).await;
    let pattern = json!({"source": ["mine"], "detail": {"status": ["answered"]}}).to_string();
    let rule = json!({"Name": "reviewed", "EventBusName": "news", "EventPattern": pattern});
    let made = call(aws, "PutRule", rule).await;
    assert_eq!(
        made["RuleArn"],
        "arn:aws:events:us-east-1:000000000000:rule/news/reviewed"
    );
    let targets = json!([{"Id": "whole", "Arn": FUNCTION}, {"Id": "part", "Arn": FUNCTION, "InputPath": "$.detail.label"}]);
    let put = json!({"Rule": "reviewed", "EventBusName": BUS_ARN, "Targets": targets});
    assert_eq!(call(aws, "PutTargets", put).await["FailedEntryCount"], 0);
}

#[tokio::test]
async fn an_event_is_queued_for_each_target_of_a_rule_that_takes_it_before_the_answer() {
    let aws = LocalAws::in_memory();
    set_up(&aws).await;
    let entries = json!([
        event(&json!({"status": "answered", "label": "A"})),
        event(&json!({"status": "disputed"}))
    ]);

    let answer = call(&aws, "PutEvents", json!({"Entries": entries})).await;

    assert_eq!(answer["FailedEntryCount"], 0);
    let queued = aws.queue.list().expect("readable");
    let payloads: Vec<Value> = (queued.iter())
        .map(|(_, queued)| serde_json::from_str(&queued.payload).expect("JSON"))
        .collect();
    assert_eq!(payloads.len(), 2, "{payloads:?}");
    assert_eq!(payloads[0], json!("A"));
    assert_eq!(
        (
            &payloads[1]["detail-type"],
            &payloads[1]["id"],
            &payloads[1]["account"]
        ),
        (
            &json!("Told"),
            &answer["Entries"][0]["EventId"],
            &json!("000000000000")
        )
    );
    let source = queued[0].1.source.as_ref().expect("a service");
    assert_eq!(source.service, "events.amazonaws.com");
    assert_eq!(
        source.arn,
        "arn:aws:events:us-east-1:000000000000:rule/news/reviewed"
    );
}

#[tokio::test]
async fn an_entry_that_is_refused_is_told_in_an_answer_of_success_and_the_others_are_taken() {
    let aws = LocalAws::in_memory();
    set_up(&aws).await;
    let with = |member: &str, value: Value| {
        let mut entry = event(&json!({"status": "answered"}));
        entry[member] = value;
        entry
    };
    let entries = json!([
        with("Source", json!("aws.sagemaker")),
        with("Detail", json!("no JSON")),
        with("DetailType", json!("")),
        with("EventBusName", json!("absent")),
        with("Resources", json!(["arn:x"])),
    ]);

    let answer = call(&aws, "PutEvents", json!({"Entries": entries})).await;

    let entries = answer["Entries"].as_array().expect("entries");
    let codes: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry["ErrorCode"].as_str())
        .collect();
    assert_eq!(
        codes,
        [
            "NotAuthorizedForSourceException",
            "MalformedDetail",
            "InvalidArgument",
            "ResourceNotFoundException"
        ]
    );
    assert_eq!(answer["FailedEntryCount"], 4);
    assert!(entries[4]["EventId"].is_string());
    assert_eq!(aws.queue.list().expect("readable").len(), 2);
    let many = vec![event(&json!({})); 11];
    assert_eq!(
        refusal(&aws, "PutEvents", json!({"Entries": many})).await,
        "ValidationException"
    );
}

#[tokio::test]
async fn a_role_puts_events_on_the_bus_that_its_policy_names_and_on_no_other() {
    let aws = LocalAws::in_memory();
    set_up(&aws).await;
    let right = json!({"Effect": "Allow", "Action": "events:PutEvents", "Resource": BUS_ARN});
    put_role(&aws, "teller", vec![right]);
    let on = |bus: &str| {
        let mut entry = event(&json!({"status": "answered"}));
        entry["EventBusName"] = json!(bus);
        json!({"Entries": [entry]})
    };

    let (allowed, _) = call_as(&aws, "PutEvents", &on("news"), session(&aws, "teller")).await;
    let (denied, answer) = call_as(&aws, "PutEvents", &on("default"), session(&aws, "teller")).await;
    let (rule, _) = call_as(&aws, "ListRules", &json!({}), session(&aws, "teller")).await;

    assert_eq!((allowed, denied, rule), (200, 400, 400));
    assert_eq!(answer["__type"], "AccessDeniedException");
}

#[tokio::test]
async fn buses_rules_and_targets_are_shown_changed_and_removed_and_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rule = json!({"Name": "reviewed", "EventBusName": "news"});
    {
        let aws = services(folder.path());
        set_up(&aws).await;
        call(&aws, "DisableRule", rule.clone()).await;
    }
    let aws = services(folder.path());

    let shown = call(&aws, "DescribeRule", rule.clone()).await;
    let bus = call(&aws, "DescribeEventBus", json!({"Name": "news"})).await;
    let buses = call(&aws, "ListEventBuses", json!({})).await;
    let rules = call(
        &aws,
        "ListRules",
        json!({"EventBusName": "news", "NamePrefix": "rev"}),
    )
    .await;
    let names = call(
        &aws,
        "ListRuleNamesByTarget",
        json!({"EventBusName": "news", "TargetArn": FUNCTION}),
    )
    .await;
    let targets = call(
        &aws,
        "ListTargetsByRule",
        json!({"Rule": "reviewed", "EventBusName": "news"}),
    )
    .await;
    call(
        &aws,
        "PutEvents",
        json!({"Entries": [event(&json!({"status": "answered"}))]}),
    )
    .await;
    let queued = aws.queue.list().expect("readable").len();
    let with_targets = refusal(&aws, "DeleteRule", rule.clone()).await;
    let remove = json!({"Rule": "reviewed", "EventBusName": "news", "Ids": ["whole", "part"]});
    call(&aws, "RemoveTargets", remove).await;
    call(&aws, "DeleteRule", rule.clone()).await;
    let gone = refusal(&aws, "DescribeRule", rule).await;
    call(&aws, "DeleteEventBus", json!({"Name": "news"})).await;
    let no_bus = refusal(&aws, "DescribeEventBus", json!({"Name": "news"})).await;

    assert_eq!((&shown["State"], queued), (&json!("DISABLED"), 0));
    assert_eq!(bus["Arn"], BUS_ARN);
    assert_eq!(
        buses["EventBuses"].as_array().map(Vec::len),
        Some(2),
        "the default one too"
    );
    assert_eq!(rules["Rules"][0]["Name"], "reviewed");
    assert_eq!(names["RuleNames"], json!(["reviewed"]));
    assert_eq!(
        targets["Targets"][0],
        json!({"Id": "part", "Arn": FUNCTION, "InputPath": "$.detail.label"})
    );
    assert_eq!(with_targets, "ValidationException");
    assert_eq!(
        [gone, no_bus],
        ["ResourceNotFoundException", "ResourceNotFoundException"]
    );
}

#[test]
fn targets_that_are_put_at_the_same_time_are_all_kept() {
    let aws = LocalAws::in_memory();
    let run = |operation: &str, body: Value| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(call(&aws, operation, body))
    };
    let pattern = json!({"source": ["mine"]}).to_string();
    for round in 0..20 {
        let rule = format!("r{round}");
        run("PutRule", json!({"Name": rule, "EventPattern": pattern}));
        let start = std::sync::Barrier::new(5);

        std::thread::scope(|scope| {
            for id in 0..5 {
                let (start, rule) = (&start, &rule);
                scope.spawn(move || {
                    let targets = json!([{"Id": id.to_string(), "Arn": FUNCTION}]);
                    start.wait();
                    run("PutTargets", json!({"Rule": rule, "Targets": targets}))
                });
            }
        });

        let listed = run("ListTargetsByRule", json!({"Rule": rule}));
        assert_eq!(listed["Targets"].as_array().map(Vec::len), Some(5), "{listed}");
    }
}

#[tokio::test]
async fn a_state_that_is_none_is_refused_and_lists_come_in_pages() {
    let aws = LocalAws::in_memory();
    let pattern = json!({"source": ["mine"]}).to_string();
    let rule = |name: &str, state: &str| json!({"Name": name, "EventPattern": pattern, "State": state});
    let wrong = refusal(&aws, "PutRule", rule("x", "disabled")).await;
    for (name, state) in [("a", "ENABLED"), ("b", "DISABLED"), ("c", "ENABLED")] {
        call(&aws, "PutRule", rule(name, state)).await;
    }
    let targets = json!([{"Id": "1", "Arn": FUNCTION}, {"Id": "2", "Arn": FUNCTION}]);
    call(&aws, "PutTargets", json!({"Rule": "a", "Targets": targets})).await;

    let first = call(&aws, "ListRules", json!({"Limit": 2})).await;
    let rest = json!({"Limit": 2, "NextToken": first["NextToken"]});
    let rest = call(&aws, "ListRules", rest).await;
    let target = call(&aws, "ListTargetsByRule", json!({"Rule": "a", "Limit": 1})).await;
    let too_many = refusal(&aws, "ListRules", json!({"Limit": 101})).await;
    let no_token = refusal(&aws, "ListEventBuses", json!({"NextToken": "?"})).await;

    let names = |page: &Value| -> Vec<(String, String)> {
        let rules = page["Rules"].as_array().expect("rules").iter();
        rules
            .map(|rule| (rule["Name"].to_string(), rule["State"].to_string()))
            .collect()
    };
    let line = |name: &str, state: &str| (json!(name).to_string(), json!(state).to_string());
    assert_eq!(names(&first), [line("a", "ENABLED"), line("b", "DISABLED")]);
    assert_eq!(names(&rest), [line("c", "ENABLED")]);
    assert!(rest.get("NextToken").is_none());
    assert_eq!(target["Targets"], json!([{"Id": "1", "Arn": FUNCTION}]));
    assert!(target["NextToken"].is_string());
    assert_eq!([wrong, too_many, no_token], ["ValidationException"; 3]);
}

#[tokio::test]
async fn what_is_no_pattern_no_function_or_not_implemented_is_refused_by_name() {
    let aws = LocalAws::in_memory();
    aws.events.put_event_bus(EventBusSpec {
        name: "news".to_owned(),
        description: None,
    });
    let pattern = json!({"source": ["mine"]}).to_string();
    call(&aws, "PutRule", json!({"Name": "r", "EventPattern": pattern})).await;
    let topic = json!([{"Id": "t", "Arn": "arn:aws:sns:us-east-1:000000000000:topic"}]);

    let wrong = refusal(
        &aws,
        "PutRule",
        json!({"Name": "x", "EventPattern": r#"{"source": "mine"}"#}),
    )
    .await;
    let schedule = refusal(
        &aws,
        "PutRule",
        json!({"Name": "x", "ScheduleExpression": "rate(1 day)"}),
    )
    .await;
    let target = refusal(&aws, "PutTargets", json!({"Rule": "r", "Targets": topic})).await;
    let replay = refusal(&aws, "StartReplay", json!({})).await;
    let again = refusal(&aws, "CreateEventBus", json!({"Name": "news"})).await;
    let tested = call(
        &aws,
        "TestEventPattern",
        json!({"EventPattern": pattern, "Event": json!({"source": "mine"}).to_string()}),
    )
    .await;

    assert_eq!(wrong, "InvalidEventPatternException");
    assert_eq!(
        [schedule, target, replay],
        ["NotImplemented", "NotImplemented", "NotImplemented"]
    );
    assert_eq!(again, "ResourceAlreadyExistsException");
    assert_eq!(tested["Result"], true);
}
