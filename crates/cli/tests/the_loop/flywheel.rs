//! A flywheel trains in place of trainings of our own: what is new goes into its lake, its averages decide, and what
//! serves is its active model.

use std::path::Path;

use aws_sdk_comprehend::{
    Client,
    types::{
        DatasetProperties, DatasetType, DocumentClassificationConfig, DocumentClassifierMode,
        FlywheelProperties, FlywheelStatus, LanguageCode, ModelType, TaskConfig,
    },
};
use model_building::Outcome;

use crate::{
    harness::until,
    new_models::{BY_HAND, EASY_TO_WIN, Rows, Stack, news, put_labels},
};

const FLYWHEEL: &str = "arn:aws:comprehend:us-east-1:000000000000:flywheel/news";

async fn stack(folder: &Path, initial: &Rows) -> Stack {
    let parameters = [&BY_HAND[..], &EASY_TO_WIN, &[("FlywheelArn", FLYWHEEL)]].concat();
    Stack::start(folder, initial, &parameters).await
}

async fn flywheel(comprehend: &Client) -> FlywheelProperties {
    let described = comprehend.describe_flywheel().flywheel_arn(FLYWHEEL).send().await;
    described
        .expect("described")
        .flywheel_properties
        .expect("properties")
}

/// Makes the flywheel of the model that serves, as the guide says.
async fn create_of(stack: &Stack, comprehend: &Client, model: &str) {
    let create = comprehend.create_flywheel().flywheel_name("news");
    let create = create
        .active_model_arn(model)
        .data_access_role_arn(stack.outputs.output("DataAccessRoleArn"))
        .data_lake_s3_uri(format!("s3://{}/flywheels", stack.bucket()));
    create.send().await.expect("created");
    until(async || flywheel(comprehend).await.status == Some(FlywheelStatus::Active)).await;
}

async fn datasets(comprehend: &Client, kind: DatasetType) -> Vec<DatasetProperties> {
    let listed = comprehend.list_datasets().flywheel_arn(FLYWHEEL).send().await;
    let listed = listed
        .expect("listed")
        .dataset_properties_list
        .unwrap_or_default();
    let is_of = |dataset: &DatasetProperties| dataset.dataset_type.as_ref() == Some(&kind);
    listed.into_iter().filter(is_of).collect()
}

fn documents(datasets: &[DatasetProperties]) -> Vec<i64> {
    let mut counts: Vec<i64> = datasets.iter().filter_map(|it| it.number_of_documents).collect();
    counts.sort_unstable();
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_with_a_flywheel_learns_what_is_new_and_a_roll_back_changes_its_active_model_too() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let stack = stack(folder.path(), &rows[..24].to_vec()).await;
    let (models, comprehend) = (stack.models(), Client::new(&stack.running.aws.sdk_config()));
    let first = models.serving().await.expect("an endpoint").expect("a model");
    create_of(&stack, &comprehend, &first).await;

    put_labels(&stack.s3, stack.bucket(), "one", &rows[24..160]).await;
    let built = models.build().await.expect("followed");
    let second = models.serving().await.expect("an endpoint").expect("a model");
    let after_first = flywheel(&comprehend).await.active_model_arn;
    let again = models.build().await.expect("followed");
    put_labels(&stack.s3, stack.bucket(), "two", &rows[160..200]).await;
    let more = models.build().await.expect("followed");
    let replaced = models.serving().await.expect("an endpoint").expect("a model");
    let back = models.roll_back(Some(&first)).await.expect("followed");
    let third = models.serving().await.expect("an endpoint").expect("a model");
    let after_roll_back = flywheel(&comprehend).await.active_model_arn;
    let versions = models.versions().await.expect("listed");
    let (train, test) = (
        datasets(&comprehend, DatasetType::Train).await,
        datasets(&comprehend, DatasetType::Test).await,
    );
    drop(comprehend);
    stack.stop().await;

    let record = built.record.expect("a record");
    assert_eq!(record.outcome, Outcome::Deployed, "{}", record.why);
    assert_eq!(record.challenger.as_deref(), Some(second.as_str()));
    assert!(second.contains("/version/Comprehend-Generated-v1-"), "{second}");
    assert_eq!(after_first.as_deref(), Some(second.as_str()));
    let decision = built.decision.expect("a decision");
    let champion = decision.champion.as_ref().expect("it was compared");
    assert_eq!(champion.model_arn, first);
    assert!(champion.evaluation.macro_f1 < decision.challenger.evaluation.macro_f1);
    assert_eq!(again.record.expect("a record").outcome, Outcome::NothingNew);
    let more = more.record.expect("a record");
    assert!(
        matches!(more.outcome, Outcome::Deployed | Outcome::Refused),
        "{}",
        more.why
    );
    // The rows of the second build are those that the first had not put there.
    let put: i64 = documents(&train).iter().chain(&documents(&test)).sum();
    assert_eq!((train.len(), test.len()), (2, 1), "answers are not held out");
    assert_eq!(documents(&train).first(), Some(&40));
    assert_eq!(put, 200);
    assert_eq!(back.record.expect("a record").outcome, Outcome::RolledBack);
    assert_eq!(third, first);
    assert_eq!(after_roll_back, Some(first));
    let listed = |arn: &str| {
        let version = versions.iter().find(|version| version.model_arn == arn);
        version.expect("it is listed")
    };
    let scores = listed(&second).scores.expect("it was measured");
    assert_eq!(scores.calibration_error, None);
    assert!(scores.macro_f1 > 0.0);
    // Whether the 40 rows of the second build make a better model is for the averages to say.
    assert!(listed(&replaced).rolled_back, "{replaced}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_refused_where_the_flywheel_does_not_know_a_label_of_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let stack = stack(folder.path(), &rows[..60].to_vec()).await;
    let (models, comprehend) = (stack.models(), Client::new(&stack.running.aws.sdk_config()));
    let without = models.build().await.expect("followed");
    let classes = DocumentClassificationConfig::builder()
        .mode(DocumentClassifierMode::MultiClass)
        .labels("World")
        .labels("Sports")
        .labels("Business");
    let task = TaskConfig::builder()
        .language_code(LanguageCode::En)
        .document_classification_config(classes.build().expect("a mode"));
    let create = comprehend.create_flywheel().flywheel_name("news");
    let create = create
        .data_access_role_arn(stack.outputs.output("DataAccessRoleArn"))
        .data_lake_s3_uri(format!("s3://{}/flywheels", stack.bucket()))
        .model_type(ModelType::DocumentClassifier)
        .task_config(task.build().expect("a language"));
    create.send().await.expect("created");

    let built = models.build().await.expect("followed");

    drop(comprehend);
    stack.stop().await;
    let without = without.record.expect("a record");
    assert_eq!(without.outcome, Outcome::Failed);
    assert!(without.why.contains("parameter FlywheelArn"), "{}", without.why);
    let built = built.record.expect("a record");
    assert_eq!(built.outcome, Outcome::Refused);
    assert!(
        built.why.contains("the flywheel does not know `SciTech`"),
        "{}",
        built.why
    );
}
