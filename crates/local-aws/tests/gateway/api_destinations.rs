//! EventBridge: API destinations, and a receiver of this machine that gets events.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes};
use http::{HeaderMap, StatusCode, Uri};
use local_aws::{LocalAws, iam::RoleSpec};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    events::{call, call_as, refusal},
    setup::{put_role as put_function_role, session, user},
};

const ROLE: &str = "arn:aws:iam::000000000000:role/events";

/// A request that the receiver got.
struct Received {
    target: String,
    headers: HeaderMap,
    body: Value,
}

/// Listens on this machine and gives these answers, then success; returns its address and what it gets.
async fn receiver(answers: Vec<u16>) -> (String, mpsc::UnboundedReceiver<Received>) {
    receiver_that_pauses(answers, "0").await
}

/// The same of one that says in how many seconds it may be asked again.
async fn receiver_that_pauses(
    answers: Vec<u16>,
    seconds: &'static str,
) -> (String, mpsc::UnboundedReceiver<Received>) {
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let (sender, received) = mpsc::unbounded_channel();
    let router = Router::new().fallback(move |target: Uri, headers: HeaderMap, body: Bytes| async move {
        let body = serde_json::from_slice(&body).expect("JSON");
        let target = target.to_string();
        drop(sender.send(Received {
            target,
            headers,
            body,
        }));
        let status = answers.lock().expect("no panic").next().unwrap_or(200);
        let status = StatusCode::from_u16(status).expect("a status");
        (status, [("retry-after", seconds)])
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), received)
}

/// Makes a role that may invoke API destinations.
fn put_role(aws: &LocalAws, action: &str) {
    let role = RoleSpec {
        name: "events".to_owned(),
        arn: ROLE.to_owned(),
        trust_policy: json!({"Statement": {
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole",
        }}),
        policies: vec![json!({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})],
    };
    aws.iam.put_role(role).expect("a good role");
}

/// Makes a connection, an API destination at `endpoint` and a rule with it as its target, with these members more.
async fn set_up(aws: &LocalAws, endpoint: &str, more: Value) {
    let parameters = json!({
        "ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "k3y"},
        "InvocationHttpParameters": {
            "HeaderParameters": [{"Key": "X-From", "Value": "connection"}],
            "QueryStringParameters": [{"Key": "q", "Value": "a b", "IsValueSecret": true}],
            "BodyParameters": [{"Key": "by", "Value": "news"}],
        },
    });
    let connection =
        json!({"Name": "receiver", "AuthorizationType": "API_KEY", "AuthParameters": parameters});
    let made = call(aws, "CreateConnection", connection).await;
    assert_eq!(made["ConnectionState"], "AUTHORIZED");
    let destination = json!({"Name": "receiver", "ConnectionArn": made["ConnectionArn"], "HttpMethod": "POST",
        "InvocationEndpoint": endpoint});
    let made = call(aws, "CreateApiDestination", destination).await;
    assert_eq!(made["ApiDestinationState"], "ACTIVE");

    let pattern = json!({"source": ["mine"]}).to_string();
    call(aws, "PutRule", json!({"Name": "all", "EventPattern": pattern})).await;
    let mut target = json!({"Id": "receiver", "Arn": made["ApiDestinationArn"], "RoleArn": ROLE});
    for (name, value) in more.as_object().into_iter().flatten() {
        target[name] = value.clone();
    }
    let put = json!({"Rule": "all", "Targets": [target]});
    assert_eq!(call(aws, "PutTargets", put).await["FailedEntryCount"], 0);
}

async fn tell(aws: &LocalAws) -> String {
    let detail = json!({"id": "7/é", "label": "A"}).to_string();
    let entry = json!({"Source": "mine", "DetailType": "Told", "Detail": detail});
    let answer = call(aws, "PutEvents", json!({"Entries": [entry]})).await;
    answer["Entries"][0]["EventId"]
        .as_str()
        .expect("an id")
        .to_owned()
}

#[tokio::test]
async fn a_receiver_that_fails_twice_gets_the_event_the_third_time_and_once() {
    let aws = LocalAws::in_memory();
    put_role(&aws, "events:InvokeApiDestination");
    aws.start();
    let (url, mut received) = receiver(vec![503, 429]).await;
    let more = json!({
        "InputTransformer": {
            "InputPathsMap": {"label": "$.detail.label"},
            "InputTemplate": "{\"text\": \"it is <label>\", \"rule\": <aws.events.rule-name>}",
        },
        "HttpParameters": {"PathParameterValues": ["$.detail.id"], "QueryStringParameters": {"p": "1", "q": "target"},
            "HeaderParameters": {"X-From": "target", "X-Label": "$.detail.label"}},
    });
    set_up(&aws, &format!("{url}/items/*/told?x=1"), more).await;

    tell(&aws).await;

    for _ in 0..3 {
        let Received {
            target,
            headers,
            body,
        } = received.recv().await.expect("a request");
        assert_eq!(target, "/items/7%2F%C3%A9/told?x=1&p=1&q=a+b");
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("x-key"), Some("k3y"));
        assert_eq!(
            (header("x-from"), header("x-label")),
            (Some("connection"), Some("A"))
        );
        assert_eq!(header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(header("user-agent"), Some("Amazon/EventBridge/ApiDestinations"));
        assert_eq!(body, json!({"text": "it is A", "rule": "all", "by": "news"}));
    }
    // The next event comes after the one before it: it was sent no fourth time.
    let id = tell(&aws).await;
    let next = received.recv().await.expect("a request");
    aws.shutdown().await;
    assert_eq!(next.body["text"], "it is A");
    assert!(!id.is_empty() && received.try_recv().is_err());
}

/// Returns what is written of events that were given up, once there is something.
async fn given_up(folder: &std::path::Path) -> Value {
    let log = folder.join("logs/api-destination-receiver.log");
    loop {
        match std::fs::read_to_string(&log)
            .ok()
            .filter(|text| text.ends_with('\n'))
        {
            Some(text) => return serde_json::from_str(&text).expect("one line"),
            None => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn what_is_refused_or_tried_often_enough_is_written_down() {
    for (answers, retries, reason, attempts) in [
        (vec![404, 200], json!({}), "HTTP 404", 1),
        (
            vec![500, 500, 500],
            json!({"RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}}),
            "HTTP 500",
            2,
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let aws = LocalAws::open(folder.path(), "us-east-1", "http://127.0.0.1:4566").expect("a free folder");
        put_role(&aws, "events:*");
        aws.start();
        let (url, _received) = receiver(answers).await;
        set_up(&aws, &url, retries).await;

        let id = tell(&aws).await;
        let line = given_up(folder.path()).await;
        aws.shutdown().await;

        assert_eq!((&line["eventId"], &line["reason"]), (&json!(id), &json!(reason)));
        assert_eq!(line["attempts"], attempts);
        assert_eq!(line["ruleArn"], "arn:aws:events:us-east-1:000000000000:rule/all");
    }
}

#[tokio::test]
async fn an_event_that_may_come_again_only_when_it_is_too_old_is_given_up_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let aws = LocalAws::open(folder.path(), "us-east-1", "http://127.0.0.1:4566").expect("a free folder");
    put_role(&aws, "events:*");
    aws.start();
    let (url, mut received) = receiver_that_pauses(vec![503], "61").await;
    let retries = json!({"RetryPolicy": {"MaximumRetryAttempts": 9, "MaximumEventAgeInSeconds": 60}});
    set_up(&aws, &url, retries).await;

    let id = tell(&aws).await;
    let line = given_up(folder.path()).await;
    aws.shutdown().await;

    assert_eq!(line["eventId"], id);
    assert_eq!(line["reason"], "HTTP 503, to come again in 61 s");
    assert_eq!(line["attempts"], 1);
    assert!(received.try_recv().is_ok() && received.try_recv().is_err());
}

#[tokio::test]
async fn a_key_that_is_changed_alone_keeps_its_name_and_is_sent() {
    let aws = LocalAws::in_memory();
    put_role(&aws, "events:InvokeApiDestination");
    aws.start();
    let (url, mut received) = receiver(Vec::new()).await;
    set_up(&aws, &url, json!({})).await;
    let key = json!({"ApiKeyAuthParameters": {"ApiKeyValue": "new"}});

    call(
        &aws,
        "UpdateConnection",
        json!({"Name": "receiver", "AuthParameters": key}),
    )
    .await;
    tell(&aws).await;

    let Received { headers, .. } = received.recv().await.expect("a request");
    let shown = call(&aws, "DescribeConnection", json!({"Name": "receiver"})).await;
    aws.shutdown().await;
    assert_eq!(headers["x-key"], "new");
    assert_eq!(
        shown["AuthParameters"],
        json!({"ApiKeyAuthParameters": {"ApiKeyName": "X-Key"}})
    );
    let other = json!({"Name": "other", "AuthorizationType": "API_KEY", "AuthParameters":
        {"ApiKeyAuthParameters": {"ApiKeyValue": "new"}}});
    assert_eq!(
        refusal(&aws, "CreateConnection", other).await,
        "ValidationException"
    );
}

#[tokio::test]
async fn a_target_gets_a_role_only_from_whom_may_pass_it() {
    let aws = LocalAws::in_memory();
    put_role(&aws, "events:InvokeApiDestination");
    set_up(&aws, "http://127.0.0.1:9/", json!({})).await;
    let listed = call(&aws, "ListTargetsByRule", json!({"Rule": "all"})).await;
    let put = json!({"Rule": "all", "Targets": listed["Targets"]});
    let may_put = json!({"Effect": "Allow", "Action": "events:PutTargets", "Resource": "*"});
    let may_pass = json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": ROLE});
    put_function_role(&aws, "puts", vec![may_put.clone()]);
    put_function_role(&aws, "passes", vec![may_put, may_pass]);

    let (denied, answer) = call_as(&aws, "PutTargets", &put, session(&aws, "puts")).await;
    let (allowed, _) = call_as(&aws, "PutTargets", &put, session(&aws, "passes")).await;

    assert_eq!((denied, allowed), (400, 200));
    assert_eq!(answer["__type"], "AccessDeniedException");
    let message = answer.to_string();
    assert!(
        message.contains("iam:PassRole") && message.contains(ROLE),
        "{message}"
    );
}

#[tokio::test]
async fn a_role_that_eventbridge_cannot_assume_is_refused_when_it_is_given() {
    let aws = LocalAws::in_memory();
    put_role(&aws, "events:InvokeApiDestination");
    put_function_role(&aws, "function", Vec::new());
    set_up(&aws, "http://127.0.0.1:9/", json!({})).await;
    let listed = call(&aws, "ListTargetsByRule", json!({"Rule": "all"})).await;

    for name in ["absent", "function"] {
        let role = format!("arn:aws:iam::000000000000:role/{name}");
        let mut target = listed["Targets"][0].clone();
        target["RoleArn"] = json!(role);
        let put = json!({"Rule": "all", "Targets": [target]});
        let (status, answer) = call_as(&aws, "PutTargets", &put, user()).await;

        let message = answer["message"].as_str().unwrap_or_default();
        assert_eq!((status, &answer["__type"]), (400, &json!("ValidationException")));
        assert!(
            message.contains(&role) && message.contains("events.amazonaws.com"),
            "{answer}"
        );
    }
    let after = call(&aws, "ListTargetsByRule", json!({"Rule": "all"})).await;
    assert_eq!(after["Targets"], listed["Targets"]);
}

#[tokio::test]
async fn a_role_that_may_not_invoke_sends_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let aws = LocalAws::open(folder.path(), "us-east-1", "http://127.0.0.1:4566").expect("a free folder");
    put_role(&aws, "events:PutEvents");
    aws.start();
    let (url, mut received) = receiver(Vec::new()).await;
    set_up(&aws, &url, json!({})).await;

    tell(&aws).await;
    let line = given_up(folder.path()).await;
    aws.shutdown().await;

    let reason = line["reason"].as_str().expect("a reason");
    assert!(reason.contains("events:InvokeApiDestination"), "{reason}");
    assert!(received.try_recv().is_err());
}

#[tokio::test]
async fn an_event_that_waits_is_sent_after_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, mut received) = receiver(Vec::new()).await;
    let open = || {
        let aws = LocalAws::open(folder.path(), "us-east-1", "http://127.0.0.1:4566");
        aws.expect("a free folder")
    };
    let id = {
        let aws = open();
        put_role(&aws, "events:InvokeApiDestination");
        // Nothing is started: the event is only stored.
        set_up(&aws, &url, json!({})).await;
        tell(&aws).await
    };

    let aws = open();
    put_role(&aws, "events:InvokeApiDestination");
    aws.start();
    let Received { body, .. } = received.recv().await.expect("a request");
    aws.shutdown().await;

    assert_eq!((&body["id"], &body["by"]), (&json!(id), &json!("news")));
}

#[tokio::test]
async fn secrets_are_not_shown_and_what_is_not_implemented_is_refused_by_name() {
    let aws = LocalAws::in_memory();
    put_role(&aws, "events:InvokeApiDestination");
    set_up(&aws, "http://127.0.0.1:9/", json!({})).await;
    let name = json!({"Name": "receiver"});

    let shown = call(&aws, "DescribeConnection", name.clone()).await;
    let destination = call(&aws, "DescribeApiDestination", name.clone()).await;
    let targets = call(&aws, "ListTargetsByRule", json!({"Rule": "all"})).await;
    let basic = json!({"Name": "receiver", "AuthorizationType": "BASIC", "AuthParameters":
        {"BasicAuthParameters": {"Username": "ann", "Password": "secret"}}});
    call(&aws, "UpdateConnection", basic.clone()).await;
    let changed = call(&aws, "DescribeConnection", name.clone()).await;

    assert_eq!(
        shown["AuthParameters"],
        json!({
            "ApiKeyAuthParameters": {"ApiKeyName": "X-Key"},
            "InvocationHttpParameters": {
                "HeaderParameters": [{"Key": "X-From", "Value": "connection", "IsValueSecret": false}],
                "QueryStringParameters": [{"Key": "q", "IsValueSecret": true}],
                "BodyParameters": [{"Key": "by", "Value": "news", "IsValueSecret": false}],
            },
        })
    );
    assert_eq!(
        changed["AuthParameters"],
        json!({"BasicAuthParameters": {"Username": "ann"}})
    );
    assert_eq!(destination["ConnectionArn"], shown["ConnectionArn"]);
    assert_eq!(destination["InvocationRateLimitPerSecond"], 300);
    assert_eq!(targets["Targets"][0]["RoleArn"], ROLE);

    let arn = &destination["ApiDestinationArn"];
    let oauth = json!({"Name": "o", "AuthorizationType": "OAUTH_CLIENT_CREDENTIALS", "AuthParameters": {}});
    let http = json!({"Name": "h", "ConnectionArn": shown["ConnectionArn"], "HttpMethod": "POST",
        "InvocationEndpoint": "http://example.com/"});
    let queue = json!({"Rule": "all", "Targets": [{"Id": "d", "Arn": arn, "RoleArn": ROLE,
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:q"}}]});
    let no_role = json!({"Rule": "all", "Targets": [{"Id": "d", "Arn": arn}]});
    for (operation, body, code) in [
        ("CreateConnection", basic, "ResourceAlreadyExistsException"),
        ("CreateConnection", oauth, "NotImplemented"),
        ("DeauthorizeConnection", name.clone(), "NotImplemented"),
        ("CreateApiDestination", http, "ValidationException"),
        ("PutTargets", queue, "NotImplemented"),
        ("PutTargets", no_role, "ValidationException"),
        (
            "DescribeConnection",
            json!({"Name": "other"}),
            "ResourceNotFoundException",
        ),
        (
            "DescribeApiDestination",
            json!({"Name": "other"}),
            "ResourceNotFoundException",
        ),
    ] {
        assert_eq!(refusal(&aws, operation, body).await, code, "{operation}");
    }

    call(&aws, "DeleteConnection", name.clone()).await;
    let listed = call(&aws, "ListApiDestinations", json!({"NamePrefix": "rec"})).await;
    assert_eq!(listed["ApiDestinations"][0]["ApiDestinationState"], "INACTIVE");
    call(&aws, "DeleteApiDestination", name).await;
    let connections = call(&aws, "ListConnections", json!({})).await;
    let destinations = call(&aws, "ListApiDestinations", json!({})).await;
    assert_eq!(
        (&connections["Connections"], &destinations["ApiDestinations"]),
        (&json!([]), &json!([]))
    );
}
