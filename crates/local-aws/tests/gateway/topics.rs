//! SNS: publishing over the Query protocol.

use local_aws::{LocalAws, sns::TopicSpec};
use serde_json::{Value, json};

use crate::setup::{Answer, Call, post, put_role, session, user};

const TOPIC_ARN: &str = "arn:aws:sns:us-east-1:000000000000:news";

async fn send(aws: &LocalAws, body: &str, credentials: aws_credential_types::Credentials) -> Answer {
    let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let call = Call {
        headers: &form,
        ..post("/", body)
    };
    call.send_as(aws, "sns", credentials).await
}

fn publish(topic_arn: &str, rest: &str) -> String {
    format!("Action=Publish&Version=2010-03-31&TopicArn={topic_arn}{rest}")
}

fn services(folder: &std::path::Path) -> LocalAws {
    let aws =
        LocalAws::open(folder, "us-east-1", local_aws::transport::ENDPOINT_URL).expect("the folder is free");
    aws.sns.put_topic(TopicSpec {
        name: "news".to_owned(),
    });
    aws
}

#[tokio::test]
async fn a_published_message_is_a_line_of_the_topics_log() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = services(folder.path());
    let right = json!({"Effect": "Allow", "Action": "sns:Publish", "Resource": TOPIC_ARN});
    put_role(&aws, "publisher", vec![right]);
    let body = publish(TOPIC_ARN, "&Subject=A+model&Message=two%0Alines+%26+more");

    let answer = send(&aws, &body, session(&aws, "publisher")).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    let log = std::fs::read_to_string(folder.path().join("logs/news.log")).expect("a log");
    let line: Value = serde_json::from_str(log.trim_end()).expect("one line of JSON");
    assert_eq!(
        (&line["subject"], &line["message"]),
        (&json!("A model"), &json!("two\nlines & more"))
    );
    let id = line["messageId"].as_str().expect("an id");
    assert!(answer.body.contains(&format!(
        "<PublishResult><MessageId>{id}</MessageId></PublishResult>"
    )));
}

#[tokio::test]
async fn attributes_of_a_message_are_logged_with_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = services(folder.path());
    let attributes = "&Message=m&MessageAttributes.entry.1.Name=kind&MessageAttributes.entry.1.Value.DataType=String\
        &MessageAttributes.entry.1.Value.StringValue=alarm";
    let without_value =
        "&Message=m&MessageAttributes.entry.1.Name=kind&MessageAttributes.entry.1.Value.DataType=String";

    let published = send(&aws, &publish(TOPIC_ARN, attributes), user()).await;
    let refused = send(&aws, &publish(TOPIC_ARN, without_value), user()).await;

    assert_eq!(
        (published.status, refused.status),
        (200, 400),
        "{}",
        published.body
    );
    let log = std::fs::read_to_string(folder.path().join("logs/news.log")).expect("a log");
    let line: Value = serde_json::from_str(log.trim_end()).expect("one line of JSON");
    assert_eq!(
        line["attributes"],
        json!({"kind": {"type": "String", "value": "alarm"}})
    );
}

#[tokio::test]
async fn a_topic_has_no_tags() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = services(folder.path());
    let list = |arn: &str| format!("Action=ListTagsForResource&Version=2010-03-31&ResourceArn={arn}");

    let known = send(&aws, &list(TOPIC_ARN), user()).await;
    let unknown = send(&aws, &list("arn:aws:sns:us-east-1:000000000000:other"), user()).await;

    assert_eq!((known.status, unknown.status), (200, 404));
    assert!(
        known.body.contains("<ListTagsForResourceResult><Tags></Tags>"),
        "{}",
        known.body
    );
}

#[tokio::test]
async fn what_cannot_be_published_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = services(folder.path());
    put_role(&aws, "stranger", vec![]);
    let too_long = format!("&Message={}", "x".repeat(262_145));
    for (body, code) in [
        (
            publish("arn:aws:sns:us-east-1:000000000000:none", "&Message=x"),
            "NotFound",
        ),
        (publish(TOPIC_ARN, ""), "InvalidParameter"),
        (publish(TOPIC_ARN, &too_long), "InvalidParameter"),
        (
            publish(TOPIC_ARN, "&Message=x&Subject=two%0Alines"),
            "InvalidParameter",
        ),
        (
            publish(TOPIC_ARN, "&Message=x&MessageStructure=json"),
            "NotImplemented",
        ),
        ("Action=Subscribe&Protocol=email".to_owned(), "NotImplemented"),
    ] {
        let answer = send(&aws, &body, user()).await;

        assert!(
            answer.body.contains(&format!("<Code>{code}</Code>")),
            "{}",
            answer.body
        );
    }

    let denied = send(&aws, &publish(TOPIC_ARN, "&Message=x"), session(&aws, "stranger")).await;

    assert_eq!(denied.status, 403);
    assert!(
        denied.body.contains("<Code>AuthorizationError</Code>"),
        "{}",
        denied.body
    );
    assert!(!folder.path().join("logs/news.log").exists());
}

#[tokio::test]
async fn topics_are_listed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = services(folder.path());

    let answer = send(&aws, "Action=ListTopics&Version=2010-03-31", user()).await;

    assert!(
        answer.body.contains(&format!(
            "<Topics><member><TopicArn>{TOPIC_ARN}</TopicArn></member></Topics>"
        )),
        "{}",
        answer.body
    );
}

fn about(action: &str, rest: &str) -> String {
    format!("Action={action}&Version=2010-03-31{rest}")
}

#[tokio::test]
async fn a_topic_that_the_api_makes_is_there_after_a_restart_and_takes_messages_until_it_is_deleted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = "&Name=news-desk&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=Desk+%26+co";
    let arn = format!("{TOPIC_ARN}-desk");
    let at = format!("&TopicArn={arn}");
    let made = {
        let aws = services(folder.path());
        send(&aws, &about("CreateTopic", name), user()).await
    };
    let aws = services(folder.path());
    let right = json!({"Effect": "Allow", "Action": "sns:Publish", "Resource": format!("{TOPIC_ARN}-*")});
    put_role(&aws, "publisher", vec![right]);

    let again = send(&aws, &about("CreateTopic", "&Name=news-desk"), user()).await;
    let shown = send(&aws, &about("GetTopicAttributes", &at), user()).await;
    let published = send(&aws, &publish(&arn, "&Message=m"), session(&aws, "publisher")).await;
    let deleted = send(&aws, &about("DeleteTopic", &at), user()).await;
    let twice = send(&aws, &about("DeleteTopic", &at), user()).await;
    let gone = send(&aws, &publish(&arn, "&Message=m"), user()).await;

    for answer in [&made, &again] {
        let found = format!("<CreateTopicResult><TopicArn>{arn}</TopicArn></CreateTopicResult>");
        assert!(answer.body.contains(&found), "{}", answer.body);
    }
    let name = "<entry><key>DisplayName</key><value>Desk &amp; co</value></entry>";
    assert!(shown.body.contains(name), "{}", shown.body);
    let statuses = [published.status, deleted.status, twice.status, gone.status];
    assert_eq!(statuses, [200, 200, 200, 404], "{}", published.body);
}

#[tokio::test]
async fn the_policy_of_a_topic_lets_others_publish() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = services(folder.path());
    put_role(&aws, "stranger", vec![]);
    let arn = "arn:aws:sns:us-east-1:000000000000:mail";
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sns:Publish", "Resource": arn,
    }]});
    let policy: String = url::form_urlencoded::byte_serialize(policy.to_string().as_bytes()).collect();
    let set = format!("&TopicArn={arn}&AttributeName=Policy&AttributeValue={policy}");
    send(&aws, &about("CreateTopic", "&Name=mail"), user()).await;

    let before = send(&aws, &publish(arn, "&Message=m"), session(&aws, "stranger")).await;
    let changed = send(&aws, &about("SetTopicAttributes", &set), user()).await;
    let after = send(&aws, &publish(arn, "&Message=m"), session(&aws, "stranger")).await;

    let statuses = [before.status, changed.status, after.status];
    assert_eq!(statuses, [403, 200, 200], "{}", changed.body);
}

#[tokio::test]
async fn what_is_no_topic_of_the_api_is_not_made_or_changed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = services(folder.path());
    put_role(&aws, "stranger", vec![]);
    let of_template = format!("&TopicArn={TOPIC_ARN}");
    for (body, code) in [
        (about("CreateTopic", "&Name=no+name"), "InvalidParameter"),
        (about("CreateTopic", ""), "InvalidParameter"),
        (
            about("CreateTopic", "&Name=a&Tags.member.1.Key=k"),
            "NotImplemented",
        ),
        (
            about("CreateTopic", "&Name=a&Attributes.entry.1.key=KmsMasterKeyId"),
            "NotImplemented",
        ),
        (
            about(
                "CreateTopic",
                "&Name=news&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=x",
            ),
            "InvalidParameter",
        ),
        (about("DeleteTopic", &of_template), "InvalidParameter"),
        (
            about(
                "SetTopicAttributes",
                &format!("{of_template}&AttributeName=DisplayName&AttributeValue=x"),
            ),
            "InvalidParameter",
        ),
        (
            about(
                "GetTopicAttributes",
                "&TopicArn=arn:aws:sns:us-east-1:000000000000:none",
            ),
            "NotFound",
        ),
    ] {
        let answer = send(&aws, &body, user()).await;

        assert!(
            answer.body.contains(&format!("<Code>{code}</Code>")),
            "{body}: {}",
            answer.body
        );
    }

    let denied = send(&aws, &about("CreateTopic", "&Name=a"), session(&aws, "stranger")).await;

    assert_eq!(denied.status, 403, "{}", denied.body);
}
