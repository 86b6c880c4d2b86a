//! Amazon Data Firehose.

use std::{io::Read, time::Duration};

use aws_sdk_firehose::{
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{DeliveryStreamType, Record},
};
use local_aws::{
    firehose::{DeliveryError, DeliveryStreamSpec},
    s3::FunctionNotification,
};

use serde_json::json;

use crate::harness::{Storage, stream};

fn record(data: impl Into<Vec<u8>>) -> Record {
    let record = Record::builder().data(Blob::new(data));
    record.build().expect("a record with data")
}

fn streaming(spec: DeliveryStreamSpec) -> Storage {
    let storage = Storage::notifying(vec![FunctionNotification {
        event: "s3:ObjectCreated:*".into(),
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:listener".into(),
        prefix: "feedback/".into(),
        suffix: String::new(),
    }]);
    allow_delivery(&storage, "arn:aws:s3:::*");
    storage.services().firehose.put_stream(spec).expect("stream");
    storage
}

fn allow_delivery(storage: &Storage, resource: &str) {
    let allow = json!([{"Effect": "Allow", "Action": "s3:PutObject", "Resource": resource}]);
    storage.put_role("delivery", allow);
}

async fn put(storage: &Storage, data: &str) {
    let put = storage
        .firehose()
        .put_record()
        .delivery_stream_name("feedback-stream");
    put.record(record(data)).send().await.expect("put");
}

async fn flush(storage: &Storage) {
    let flush = storage.services().firehose.flush("feedback-stream");
    flush.await.expect("flush");
}

#[tokio::test]
async fn records_become_one_object_in_order_with_nothing_between_them() {
    let storage = streaming(stream());

    put(&storage, "one\n").await;
    put(&storage, "two\n").await;
    assert!(storage.objects("").await.is_empty());
    flush(&storage).await;
    flush(&storage).await;

    let objects = storage.objects("").await;
    assert_eq!(objects.len(), 1);
    let (key, body) = &objects[0];
    assert_eq!(body, b"one\ntwo\n");
    let folders: Vec<_> = key.split('/').collect();
    assert_eq!(folders.len(), 6, "{key}");
    assert!(folders[5].starts_with("feedback-stream-1-2"), "{key}");
    let events = storage.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["s3"]["object"]["key"], key.as_str());
}

#[tokio::test]
async fn delimiter_gzip_and_extension_are_honoured() {
    let storage = streaming(DeliveryStreamSpec {
        gzip: true,
        delimiter: Some("\n".into()),
        file_extension: Some(".jsonl.gz".into()),
        prefix: "feedback/!{timestamp:yyyy}/".into(),
        error_output_prefix: "errors/".into(),
        ..stream()
    });

    put(&storage, "{}").await;
    put(&storage, "[]").await;
    flush(&storage).await;

    let (key, body) = storage.objects("feedback/").await.remove(0);
    assert!(key.ends_with(".jsonl.gz"), "{key}");
    assert_eq!(key.split('/').count(), 3);
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(body.as_slice());
    decoder.read_to_string(&mut text).expect("gzip");
    assert_eq!(text, "{}\n[]\n");
}

#[tokio::test]
async fn a_batch_answers_each_record_in_order() {
    let storage = streaming(stream());
    let records = (0..500).map(|number| record(format!("{number}\n"))).collect();

    let put = storage
        .firehose()
        .put_record_batch()
        .delivery_stream_name("feedback-stream");
    let answer = put.set_records(Some(records)).send().await.expect("put");
    flush(&storage).await;

    assert_eq!(answer.failed_put_count(), 0);
    assert_eq!(answer.request_responses().len(), 500);
    assert!(
        answer
            .request_responses()
            .iter()
            .all(|entry| entry.record_id().is_some())
    );
    let expected: String = (0..500).map(|number| format!("{number}\n")).collect();
    assert_eq!(storage.objects("").await[0].1, expected.as_bytes());
}

#[tokio::test]
async fn requests_beyond_the_limits_are_refused_whole() {
    let storage = streaming(stream());
    let put = |records: Vec<Record>| {
        let put = storage
            .firehose()
            .put_record_batch()
            .delivery_stream_name("feedback-stream");
        put.set_records(Some(records)).send()
    };
    let name = |name: &str| {
        let put = storage.firehose().put_record().delivery_stream_name(name);
        put.record(record("x")).send()
    };

    let too_many = put(vec![record("x"); 501]).await.expect_err("501 records");
    let none = put(Vec::new()).await.expect_err("no records");
    let too_large = put(vec![record(vec![0; 1_024_001])])
        .await
        .expect_err("a large record");
    let too_much = put(vec![record(vec![0; 1_024_000]); 5]).await.expect_err("5 MB");
    let bad_name = name("a stream!").await.expect_err("a bad name");
    let unknown = name("another").await.expect_err("an unknown stream");
    put(vec![record(vec![0; 1_024_000]); 4])
        .await
        .expect("as much as fits");

    assert_eq!(too_many.code(), Some("ValidationException"));
    assert_eq!(none.code(), Some("ValidationException"));
    assert_eq!(too_large.code(), Some("ValidationException"));
    assert_eq!(too_much.code(), Some("InvalidArgumentException"));
    assert_eq!(bad_name.code(), Some("ValidationException"));
    assert!(unknown.into_service_error().is_resource_not_found_exception());
}

#[tokio::test]
async fn acknowledged_records_survive_a_restart_and_are_delivered_once() {
    let mut storage = streaming(stream());
    put(&storage, "before\n").await;
    flush(&storage).await;
    put(&storage, "buffered\n").await;

    storage.reopen();
    allow_delivery(&storage, "arn:aws:s3:::*");
    storage.services().firehose.put_stream(stream()).expect("stream");
    put(&storage, "after\n").await;
    flush(&storage).await;
    storage.reopen();
    allow_delivery(&storage, "arn:aws:s3:::*");
    storage.services().firehose.put_stream(stream()).expect("stream");
    flush(&storage).await;

    let mut bodies: Vec<_> = storage
        .objects("")
        .await
        .into_iter()
        .map(|(_, body)| body)
        .collect();
    bodies.sort();
    assert_eq!(bodies, [b"before\n".to_vec(), b"buffered\nafter\n".to_vec()]);
    assert_eq!(storage.events().len(), 2);
}

#[tokio::test]
async fn a_full_buffer_and_a_zero_interval_deliver_without_being_asked() {
    for spec in [
        stream(),
        DeliveryStreamSpec {
            buffer_seconds: 0,
            ..stream()
        },
    ] {
        let at_once = spec.buffer_seconds == 0;
        let storage = streaming(spec);
        let firehose = storage.services().firehose.clone();
        let running = tokio::spawn(async move { firehose.run().await });

        let data = if at_once {
            "x".to_owned()
        } else {
            "x".repeat(512 * 1024)
        };
        put(&storage, &data).await;
        if !at_once {
            assert!(storage.objects("").await.is_empty());
            put(&storage, &data).await;
        }

        let mut objects = storage.objects("").await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while objects.is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
            objects = storage.objects("").await;
        }
        running.abort();
        assert_eq!(objects.len(), 1);
    }
}

#[tokio::test]
async fn records_stay_buffered_while_their_bucket_is_missing() {
    let storage = streaming(DeliveryStreamSpec {
        bucket_arn: "arn:aws:s3:::later".into(),
        ..stream()
    });
    put(&storage, "patience\n").await;

    let early = storage.services().firehose.flush("feedback-stream").await;
    storage
        .s3()
        .create_bucket()
        .bucket("later")
        .send()
        .await
        .expect("create");
    flush(&storage).await;

    assert!(early.is_err());
    let listed = storage
        .s3()
        .list_objects_v2()
        .bucket("later")
        .send()
        .await
        .expect("list");
    assert_eq!(listed.contents().len(), 1);
}

#[tokio::test]
async fn records_stay_buffered_while_the_role_may_not_deliver() {
    let storage = streaming(stream());
    allow_delivery(&storage, "arn:aws:s3:::bucket/elsewhere/*");
    put(&storage, "patience\n").await;

    let refused = storage.services().firehose.flush("feedback-stream").await;
    let delivered_early = storage.objects("").await;
    allow_delivery(&storage, "arn:aws:s3:::bucket/feedback/*");
    flush(&storage).await;

    assert!(matches!(refused, Err(DeliveryError::Denied(_))));
    assert!(delivered_early.is_empty());
    assert_eq!(storage.objects("").await.len(), 1);
}

#[tokio::test]
async fn a_role_that_does_not_trust_firehose_delivers_nothing() {
    let spec = DeliveryStreamSpec {
        role_arn: "arn:aws:iam::000000000000:role/unknown".into(),
        ..stream()
    };
    let storage = streaming(spec);
    put(&storage, "patience\n").await;

    let refused = storage.services().firehose.flush("feedback-stream").await;

    assert!(matches!(refused, Err(DeliveryError::NotTrusted(_))));
    assert!(storage.objects("").await.is_empty());
}

#[tokio::test]
async fn many_callers_at_once_lose_nothing() {
    let storage = streaming(stream());
    let firehose = storage.firehose();

    let puts = (0..64).map(|number| {
        let put = firehose.put_record().delivery_stream_name("feedback-stream");
        put.record(record(format!("{number:02}"))).send()
    });
    let answers = futures::future::join_all(puts).await;
    flush(&storage).await;

    assert!(answers.iter().all(Result::is_ok));
    let body = storage.objects("").await.remove(0).1;
    let mut delivered: Vec<_> = body.chunks(2).collect();
    delivered.sort_unstable();
    delivered.dedup();
    assert_eq!(delivered.len(), 64);
    assert_eq!(body.len(), 128);
}

#[tokio::test]
async fn streams_are_described_and_listed() {
    let storage = streaming(stream());
    let firehose = storage.firehose();

    let described = firehose
        .describe_delivery_stream()
        .delivery_stream_name("feedback-stream");
    let described = described.send().await.expect("describe");
    let listed = firehose.list_delivery_streams().send().await.expect("list");
    let of_type = |kind| firehose.list_delivery_streams().delivery_stream_type(kind).send();
    let others = of_type(DeliveryStreamType::KinesisStreamAsSource).await;
    let direct = of_type(DeliveryStreamType::DirectPut).await;
    let too_many = firehose.list_delivery_streams().limit(10_001).send().await;

    let description = described.delivery_stream_description().expect("description");
    assert_eq!(
        description.delivery_stream_arn(),
        "arn:aws:firehose:us-east-1:000000000000:deliverystream/feedback-stream"
    );
    assert_eq!(described_extension(&description.destinations()[0]), None);
    let destination = description.destinations()[0].extended_s3_destination_description();
    assert_eq!(destination.expect("S3").bucket_arn(), "arn:aws:s3:::bucket");
    assert_eq!(listed.delivery_stream_names(), ["feedback-stream"]);
    assert!(!listed.has_more_delivery_streams());
    assert!(others.expect("list").delivery_stream_names().is_empty());
    assert_eq!(direct.expect("list").delivery_stream_names(), ["feedback-stream"]);
    let refused = too_many.expect_err("10,000 at most").into_service_error();
    assert_eq!(refused.meta().code(), Some("ValidationException"));
}

#[tokio::test]
async fn a_stream_that_cannot_work_is_refused_when_it_is_made() {
    let storage = Storage::with_bucket();
    let make = |spec| storage.services().firehose.put_stream(spec);

    assert!(
        make(DeliveryStreamSpec {
            prefix: "!{timestamp:EEE}/".into(),
            error_output_prefix: "e/".into(),
            ..stream()
        })
        .is_err()
    );
    assert!(
        make(DeliveryStreamSpec {
            prefix: "!{timestamp:yyyy}/".into(),
            ..stream()
        })
        .is_err()
    );
    assert!(
        make(DeliveryStreamSpec {
            buffer_seconds: 901,
            ..stream()
        })
        .is_err()
    );
    assert!(
        make(DeliveryStreamSpec {
            buffer_mebibytes: 0,
            ..stream()
        })
        .is_err()
    );
    assert!(
        make(DeliveryStreamSpec {
            bucket_arn: "bucket".into(),
            ..stream()
        })
        .is_err()
    );
    assert_eq!(make(stream()), Ok(()));
}

#[tokio::test]
async fn records_of_a_stream_that_is_gone_are_kept_and_named() {
    let mut storage = streaming(stream());
    let before = storage.services().firehose.orphans().expect("readable");
    put(&storage, "patience\n").await;

    storage.reopen();
    let without = storage.services().firehose.orphans().expect("readable");
    storage.services().firehose.put_stream(stream()).expect("stream");
    let with = storage.services().firehose.orphans().expect("readable");

    assert!(before.is_empty());
    assert_eq!(without, [("feedback-stream".to_owned(), 9)]);
    assert!(with.is_empty());
}

fn described_extension(destination: &aws_sdk_firehose::types::DestinationDescription) -> Option<&str> {
    destination
        .extended_s3_destination_description()?
        .file_extension()
}
