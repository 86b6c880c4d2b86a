//! AWS Secrets Manager.

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use local_aws::secretsmanager::{GenerateSecretString, SecretSpec, secret_arn};

use crate::harness::{REGION, Storage};

fn with_secret() -> Storage {
    let storage = Storage::with_bucket();
    storage.services().secrets.put_secret(&spec()).expect("secret");
    storage
}

fn spec() -> SecretSpec {
    SecretSpec {
        name: "signing".into(),
        generate: GenerateSecretString {
            length: 64,
            exclude_punctuation: true,
        },
    }
}

async fn value(storage: &Storage, id: &str) -> String {
    let asked = storage.secrets().get_secret_value().secret_id(id);
    asked.send().await.expect("value").secret_string.expect("text")
}

#[tokio::test]
async fn a_value_is_made_once_and_survives_a_restart() {
    let mut storage = with_secret();
    let first = value(&storage, "signing").await;

    storage.reopen();
    storage.services().secrets.put_secret(&spec()).expect("secret");

    assert_eq!(first.len(), 64);
    assert!(first.chars().all(|letter| letter.is_ascii_alphanumeric()));
    assert_eq!(value(&storage, "signing").await, first);
    assert_eq!(value(&storage, &secret_arn(REGION, "signing")).await, first);
    let other = with_secret();
    assert_ne!(value(&other, "signing").await, first);
}

#[tokio::test]
async fn a_secret_is_described_and_listed_without_its_value() {
    let storage = with_secret();

    let described = storage
        .secrets()
        .describe_secret()
        .secret_id("signing")
        .send()
        .await
        .expect("describe");
    let listed = storage.secrets().list_secrets().send().await.expect("list");

    let arn = secret_arn(REGION, "signing");
    assert_eq!(described.arn(), Some(arn.as_str()));
    let stages = described.version_ids_to_stages().expect("versions");
    assert!(stages.values().all(|stages| stages == &["AWSCURRENT"]));
    assert_eq!(listed.secret_list()[0].name(), Some("signing"));
}

#[tokio::test]
async fn what_is_missing_or_not_implemented_is_refused() {
    let storage = with_secret();
    let secrets = storage.secrets();

    let missing = secrets
        .get_secret_value()
        .secret_id("other")
        .send()
        .await
        .expect_err("missing");
    let previous = secrets
        .get_secret_value()
        .secret_id("signing")
        .version_stage("AWSPREVIOUS");
    let previous = previous.send().await.expect_err("no such version");
    let delete = secrets
        .delete_secret()
        .secret_id("signing")
        .send()
        .await
        .expect_err("read only");

    assert!(missing.into_service_error().is_resource_not_found_exception());
    assert!(previous.into_service_error().is_resource_not_found_exception());
    assert_eq!(delete.code(), Some("NotImplemented"));
}
