//! Faults by script, as an SDK client meets them.

use aws_sdk_s3::{config::retry::RetryConfig, error::ProvideErrorMetadata, primitives::ByteStream};
use local_aws::{
    LocalAws,
    faults::{Fault, S3Call},
    s3::BucketSpec,
};

fn service() -> (LocalAws, aws_sdk_s3::Client) {
    let aws = LocalAws::in_memory();
    let bucket = BucketSpec {
        name: "bucket".into(),
        ..BucketSpec::default()
    };
    aws.s3.put_bucket(bucket).expect("a bucket");
    let config = aws_sdk_s3::config::Builder::from(&aws.sdk_config()).retry_config(RetryConfig::disabled());
    (aws, aws_sdk_s3::Client::from_conf(config.build()))
}

async fn put(s3: &aws_sdk_s3::Client, key: &str, only_new: bool) -> Result<(), Option<String>> {
    let put = s3
        .put_object()
        .bucket("bucket")
        .key(key)
        .body(ByteStream::from_static(b"1"));
    let put = put.set_if_none_match(only_new.then(|| "*".to_owned()));
    put.send()
        .await
        .map(|_| ())
        .map_err(|error| error.code().map(str::to_owned))
}

async fn is_there(s3: &aws_sdk_s3::Client, key: &str) -> bool {
    s3.head_object().bucket("bucket").key(key).send().await.is_ok()
}

#[tokio::test]
async fn the_first_conditional_write_of_each_object_conflicts_and_does_nothing() {
    let (aws, s3) = service();
    aws.faults
        .once_per_object(S3Call::ConditionalWrite, Fault::Conflict);

    let plain = put(&s3, "plain", false).await;
    let first = put(&s3, "new", true).await;
    let after_first = is_there(&s3, "new").await;
    let second = put(&s3, "new", true).await;

    assert_eq!(plain, Ok(()));
    assert_eq!(first, Err(Some("ConditionalRequestConflict".to_owned())));
    assert!(!after_first);
    assert_eq!(second, Ok(()));
    assert_eq!(aws.faults.count(Fault::Conflict), 1);
}

#[tokio::test]
async fn a_lost_answer_leaves_its_write_done() {
    let (aws, s3) = service();
    aws.faults.once_per_object(S3Call::Write, Fault::LostAnswer);

    let lost = put(&s3, "a", true).await;
    let after = is_there(&s3, "a").await;
    let again = put(&s3, "a", true).await;

    assert_eq!(lost, Err(None));
    assert!(after);
    assert_eq!(again, Err(Some("PreconditionFailed".to_owned())));
}

#[tokio::test]
async fn a_slow_down_comes_before_a_lost_answer_and_both_befall_an_object() {
    let (aws, s3) = service();
    aws.faults.once_per_object(S3Call::Write, Fault::LostAnswer);
    aws.faults.once_per_object(S3Call::Write, Fault::SlowDown);

    let outcomes = [
        put(&s3, "a", false).await,
        put(&s3, "a", false).await,
        put(&s3, "a", false).await,
    ];

    assert_eq!(outcomes, [Err(Some("SlowDown".to_owned())), Err(None), Ok(())]);
}
