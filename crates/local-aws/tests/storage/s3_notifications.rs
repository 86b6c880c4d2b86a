//! Amazon S3: what functions are told of new objects.

use aws_sdk_s3::types::MetadataDirective;
use local_aws::s3::FunctionNotification;
use serde_json::{Value, json};

use crate::harness::Storage;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:listener";

fn listener(event: &str, prefix: &str, suffix: &str) -> FunctionNotification {
    FunctionNotification {
        event: event.into(),
        function_arn: FUNCTION.into(),
        prefix: prefix.into(),
        suffix: suffix.into(),
    }
}

#[tokio::test]
async fn every_way_to_make_an_object_tells_the_function_once() {
    let storage = Storage::notifying(vec![listener("s3:ObjectCreated:*", "in/", ".csv")]);
    let s3 = storage.s3();
    let key = "in/a b+ü@.csv";

    storage.put(key, b"hello").await;
    let copy = s3
        .copy_object()
        .bucket("bucket")
        .key(key)
        .metadata_directive(MetadataDirective::Replace);
    copy.copy_source("bucket/in%2Fa%20b%2B%C3%BC%40.csv")
        .send()
        .await
        .expect("copy onto itself");
    storage.put("in/a.json", b"other suffix").await;
    storage.put("out/a.csv", b"other prefix").await;
    let refused = s3
        .put_object()
        .bucket("bucket")
        .key(key)
        .if_none_match("*")
        .send()
        .await;

    assert!(refused.is_err());
    let events = storage.events();
    let names: Vec<_> = events.iter().map(|event| &event["eventName"]).collect();
    assert_eq!(names, ["ObjectCreated:Put", "ObjectCreated:Copy"]);
    let mut first = events[0].clone();
    assert!(first["s3"]["object"]["sequencer"].as_str() < events[1]["s3"]["object"]["sequencer"].as_str());
    for volatile in [
        "/eventTime",
        "/s3/object/sequencer",
        "/responseElements/x-amz-request-id",
        "/responseElements/x-amz-id-2",
    ] {
        let value = first.pointer_mut(volatile).expect(volatile);
        assert!(value.as_str().is_some_and(|text| text.len() >= 16), "{volatile}");
        *value = Value::Null;
    }
    assert_eq!(
        first,
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": null,
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "AWS:000000000000"},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": null, "x-amz-id-2": null},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "bucket-0",
                "bucket": {
                    "name": "bucket",
                    "ownerIdentity": {"principalId": "000000000000"},
                    "arn": "arn:aws:s3:::bucket",
                },
                "object": {
                    "key": "in/a+b%2B%C3%BC%40.csv",
                    "size": 5,
                    "eTag": "5d41402abc4b2a76b9719d911017c592",
                    "sequencer": null,
                },
            },
        })
    );
}

#[tokio::test]
async fn the_notification_configuration_is_told() {
    let storage = Storage::notifying(vec![listener("s3:ObjectCreated:*", "in/", "")]);

    let asked = storage
        .s3()
        .get_bucket_notification_configuration()
        .bucket("bucket");
    let told = asked.send().await.expect("configuration");

    let function = &told.lambda_function_configurations()[0];
    assert_eq!(function.lambda_function_arn(), FUNCTION);
    assert_eq!(function.events()[0].as_str(), "s3:ObjectCreated:*");
    let rules = function
        .filter()
        .and_then(|filter| filter.key())
        .expect("filter")
        .filter_rules();
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].value(), Some("in/"));
}
