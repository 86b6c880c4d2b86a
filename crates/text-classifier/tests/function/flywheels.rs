//! Flywheels: datasets go into a lake, an iteration trains and compares, a promotion changes what serves.

use active_learning_core::text::vector_id;
use aws_sdk_comprehend::{
    Client,
    types::{
        DatasetDocumentClassifierInputDataConfig, DatasetInputDataConfig, DatasetStatus, DatasetType,
        DocumentClassificationConfig, DocumentClassifierMode, EndpointStatus, FlywheelIterationProperties,
        FlywheelIterationStatus, FlywheelProperties, FlywheelStatus, LanguageCode, ModelType, TaskConfig,
    },
};
use serde_json::json;

use crate::harness::{BUCKET, Function, PETS_CSV, ROLE_ARN, SCOPE};

const ARN: &str = "arn:aws:comprehend:us-east-1:123456789012:flywheel/pets";

async fn create(comprehend: &Client, labels: &[&str]) -> String {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    let classes = DocumentClassificationConfig::builder()
        .mode(DocumentClassifierMode::MultiClass)
        .set_labels(Some(labels));
    let task = TaskConfig::builder()
        .language_code(LanguageCode::En)
        .document_classification_config(classes.build().expect("a mode"));
    let create = comprehend.create_flywheel().flywheel_name("pets");
    let create = create
        .data_access_role_arn(ROLE_ARN)
        .data_lake_s3_uri(format!("s3://{BUCKET}/flywheels"))
        .model_type(ModelType::DocumentClassifier)
        .task_config(task.build().expect("a language"));
    let created = create.send().await.expect("created");
    created.flywheel_arn().expect("an ARN").to_owned()
}

async fn described(comprehend: &Client) -> FlywheelProperties {
    let described = comprehend.describe_flywheel().flywheel_arn(ARN).send().await;
    described
        .expect("described")
        .flywheel_properties
        .expect("properties")
}

async fn add(function: &Function, name: &str, kind: DatasetType, csv: &str) -> String {
    let key = format!("data/{name}.csv");
    function.put_quietly(&key, csv).await;
    let classes = DatasetDocumentClassifierInputDataConfig::builder().s3_uri(format!("s3://{BUCKET}/{key}"));
    let input = DatasetInputDataConfig::builder()
        .document_classifier_input_data_config(classes.build().expect("a URI"))
        .build();
    let create = function.comprehend().create_dataset().flywheel_arn(ARN);
    let create = create
        .dataset_name(name)
        .dataset_type(kind)
        .input_data_config(input);
    let created = create.send().await.expect("created");
    function.work().await;
    created.dataset_arn().expect("an ARN").to_owned()
}

async fn status_of(comprehend: &Client, dataset: &str) -> (DatasetStatus, Option<i64>, Option<String>) {
    let described = comprehend.describe_dataset().dataset_arn(dataset).send().await;
    let dataset = described
        .expect("described")
        .dataset_properties
        .expect("properties");
    let status = dataset.status.expect("a status");
    (status, dataset.number_of_documents, dataset.message)
}

async fn iterate(function: &Function, token: &str) -> FlywheelIterationProperties {
    let comprehend = function.comprehend();
    let start = comprehend.start_flywheel_iteration().flywheel_arn(ARN);
    let started = start.client_request_token(token).send().await.expect("started");
    let id = started.flywheel_iteration_id().expect("an id").to_owned();
    let again = comprehend.start_flywheel_iteration().flywheel_arn(ARN);
    let again = again
        .client_request_token(token)
        .send()
        .await
        .expect("the same again");
    assert_eq!(again.flywheel_iteration_id(), Some(id.as_str()));
    function.work().await;
    let describe = comprehend.describe_flywheel_iteration().flywheel_arn(ARN);
    let described = describe
        .flywheel_iteration_id(id)
        .send()
        .await
        .expect("described");
    described.flywheel_iteration_properties.expect("properties")
}

async fn promote(comprehend: &Client, model: &str) {
    let update = comprehend.update_flywheel().flywheel_arn(ARN);
    update.active_model_arn(model).send().await.expect("promoted");
}

#[tokio::test]
async fn an_iteration_learns_what_is_in_the_lake_and_its_model_serves_once_it_is_promoted() {
    let function = Function::new();
    let comprehend = function.comprehend();
    assert_eq!(create(&comprehend, &["Cat", "Dog"]).await, ARN);
    let exchanged = PETS_CSV
        .replace("Cat,", "?,")
        .replace("Dog,", "Cat,")
        .replace("?,", "Dog,");

    // The first model learns nonsense, and is measured on what is right.
    let train = add(&function, "first", DatasetType::Train, &exchanged.repeat(3)).await;
    add(&function, "test", DatasetType::Test, PETS_CSV).await;
    let first = iterate(&function, "one").await;
    let model = first.trained_model_arn().expect("a model").to_owned();
    promote(&comprehend, &model).await;
    let endpoint = comprehend
        .create_endpoint()
        .endpoint_name("pets")
        .flywheel_arn(ARN);
    let endpoint = endpoint.desired_inference_units(1).send().await.expect("created");
    let endpoint = endpoint.endpoint_arn().expect("an ARN").to_owned();
    function.work().await;
    // Ten times what is right outweighs it.
    add(
        &function,
        "second",
        DatasetType::Train,
        &"Cat,it purrs\nDog,it barks\n".repeat(20),
    )
    .await;
    let second = iterate(&function, "two").await;
    let better = second.trained_model_arn().expect("a model").to_owned();
    promote(&comprehend, &better).await;
    let following = function.endpoint(&endpoint).await;
    function.work().await;

    assert_eq!(status_of(&comprehend, &train).await.1, Some(12));
    assert_eq!(first.status(), Some(&FlywheelIterationStatus::Completed));
    assert!(
        model.starts_with(&format!("{SCOPE}:document-classifier/pets/version/")),
        "{model}"
    );
    assert_eq!(first.evaluated_model_arn(), None);
    let f1 = |metrics: Option<&aws_sdk_comprehend::types::FlywheelModelEvaluationMetrics>| {
        metrics.and_then(|metrics| metrics.average_f1_score())
    };
    assert_eq!(f1(first.trained_model_metrics()), Some(0.0));
    assert_eq!(second.evaluated_model_arn(), Some(model.as_str()));
    assert_eq!(f1(second.evaluated_model_metrics()), Some(0.0));
    assert!(f1(second.trained_model_metrics()).is_some());
    assert_eq!(
        described(&comprehend).await.active_model_arn(),
        Some(better.as_str())
    );
    assert_eq!(following["Status"], "UPDATING");
    let serving = function.endpoint(&endpoint).await;
    assert_eq!(serving["ModelArn"], better.as_str());
    assert_eq!(serving["FlywheelArn"], ARN);
    let classifier = function.classifier(&better).await;
    assert_eq!(classifier["FlywheelArn"], ARN);
    let history = comprehend.list_flywheel_iteration_history().flywheel_arn(ARN);
    let history = history.send().await.expect("listed");
    assert_eq!(history.flywheel_iteration_properties_list().len(), 2);
}

#[tokio::test]
async fn an_endpoint_that_is_being_made_goes_on_to_the_model_that_its_flywheel_made_active_meanwhile() {
    let function = Function::new();
    let comprehend = function.comprehend();
    create(&comprehend, &["Cat", "Dog"]).await;
    add(&function, "first", DatasetType::Train, PETS_CSV).await;
    let first = iterate(&function, "one").await;
    promote(&comprehend, first.trained_model_arn().expect("a model")).await;
    add(&function, "second", DatasetType::Train, "Cat,it purrs a lot\n").await;
    // Iterations are named by the second in which they begin.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let second = iterate(&function, "two").await;
    let newer = second.trained_model_arn().expect("a model").to_owned();

    let endpoint = comprehend
        .create_endpoint()
        .endpoint_name("pets")
        .flywheel_arn(ARN);
    let endpoint = endpoint.desired_inference_units(1).send().await.expect("created");
    let endpoint = endpoint.endpoint_arn().expect("an ARN").to_owned();
    promote(&comprehend, &newer).await;
    function.work().await;

    let serving = function.endpoint(&endpoint).await;
    assert_eq!(
        (&serving["Status"], &serving["ModelArn"]),
        (&json!("IN_SERVICE"), &json!(newer))
    );
}

#[tokio::test]
async fn an_iteration_waits_for_datasets_to_test_with_and_of_two_at_a_time_one_is_made() {
    let function = Function::new();
    let comprehend = function.comprehend();
    create(&comprehend, &["Cat", "Dog"]).await;
    add(&function, "first", DatasetType::Train, PETS_CSV).await;
    let start = |token: &'static str| {
        let start = comprehend.start_flywheel_iteration().flywheel_arn(ARN);
        start.client_request_token(token).send()
    };
    function.put_quietly("data/test.csv", PETS_CSV).await;
    let classes =
        DatasetDocumentClassifierInputDataConfig::builder().s3_uri(format!("s3://{BUCKET}/data/test.csv"));
    let input = DatasetInputDataConfig::builder()
        .document_classifier_input_data_config(classes.build().expect("a URI"))
        .build();
    let dataset = comprehend.create_dataset().flywheel_arn(ARN).dataset_name("test");
    let dataset = dataset.dataset_type(DatasetType::Test).input_data_config(input);
    dataset.send().await.expect("created");

    let early = start("early").await.expect_err("a dataset is being made");
    function.work().await;
    let (one, other) = tokio::join!(start("one"), start("other"));

    assert!(early.into_service_error().is_resource_in_use_exception());
    let refused: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    let history = comprehend.list_flywheel_iteration_history().flywheel_arn(ARN);
    let history = history.send().await.expect("listed");
    assert_eq!(history.flywheel_iteration_properties_list().len(), 1);
}

#[tokio::test]
async fn an_iteration_reads_which_rows_a_models_doubt_chose() {
    // Half of the texts tell their class, of the other half nobody could; these are what doubt chose.
    let text = |n: usize| format!("{} number {n}", ["cat", "dog"][n % 2]);
    let label = |n: usize| ["a", "b"][if n < 100 { n % 2 } else { n / 2 % 2 }];
    let rows: String = (0..200).map(|n| format!("{},{}\n", label(n), text(n))).collect();
    let confidence = async |chosen: std::ops::Range<usize>| {
        let function = Function::new();
        create(&function.comprehend(), &["a", "b"]).await;
        let ids: Vec<u8> = chosen.flat_map(|n| vector_id(&text(n))).collect();
        function.put_bytes_quietly("datasets/v2/chosen.bin", ids).await;
        function
            .put_quietly("datasets/newest.json", r#"{"version":"v2"}"#)
            .await;
        add(&function, "first", DatasetType::Train, &rows).await;
        let iteration = iterate(&function, "one").await;
        let model = iteration.trained_model_arn().expect("a model").to_owned();
        let endpoint = function.endpoint_of("late", &model).await;
        let request = json!({"EndpointArn": endpoint, "Text": "cat"});
        let answer = function.call("ClassifyDocument", &request).await;
        answer.body["Classes"][0]["Score"].as_f64().expect("a score")
    };

    let (without, with) = (confidence(0..0).await, confidence(100..200).await);

    assert!(with > without + 0.05, "{without} {with}");
}

#[tokio::test]
async fn the_newest_dataset_says_what_the_label_of_a_text_is() {
    let function = Function::new();
    create(&function.comprehend(), &["Cat", "Dog"]).await;
    let others = "Cat,a kitten purrs\nCat,it meows at night\nDog,a puppy barks\nDog,it growls at dawn\n";
    // In the order of the names the corrected rows would come first.
    add(
        &function,
        "old",
        DatasetType::Train,
        &format!("Dog,it purrs\n{others}"),
    )
    .await;
    add(
        &function,
        "old-test",
        DatasetType::Test,
        "Dog,Whiskers purrs\nDog,a puppy barks loudly\n",
    )
    .await;
    add(&function, "new", DatasetType::Train, "Cat,It purrs.\n").await;
    add(&function, "a-test", DatasetType::Test, "Cat,Whiskers purrs\n").await;

    let iteration = iterate(&function, "one").await;

    assert_eq!(
        iteration.status(),
        Some(&FlywheelIterationStatus::Completed),
        "{iteration:?}"
    );
    let model = function
        .classifier(iteration.trained_model_arn().expect("a model"))
        .await;
    let facts = &model["ClassifierMetadata"];
    assert_eq!(
        (
            &facts["NumberOfTrainedDocuments"],
            &facts["NumberOfTestDocuments"]
        ),
        (&json!(5), &json!(2))
    );
    let message = model["Message"].as_str().expect("a message");
    assert!(
        message.contains("1 row is left out: a newer dataset has the text"),
        "{message}"
    );
    let measured = iteration
        .trained_model_metrics()
        .and_then(|metrics| metrics.average_accuracy());
    assert_eq!(measured, Some(1.0));
}

#[tokio::test]
async fn a_flywheel_of_a_model_starts_with_its_data_and_knows_its_labels_alone() {
    let function = Function::new();
    let comprehend = function.comprehend();
    let model = function.trained_classifier("v1", &PETS_CSV.repeat(3)).await;
    let create = comprehend.create_flywheel().flywheel_name("pets");
    let create = create
        .active_model_arn(&model)
        .data_access_role_arn(ROLE_ARN)
        .data_lake_s3_uri(format!("s3://{BUCKET}/flywheels/"));
    create.send().await.expect("created");
    assert_eq!(
        described(&comprehend).await.status(),
        Some(&FlywheelStatus::Creating)
    );
    function.work().await;

    let flywheel = described(&comprehend).await;
    let taken = add(
        &function,
        "more",
        DatasetType::Train,
        "Cat,it purrs\nBird,it sings\n",
    )
    .await;
    let refused = add(&function, "birds", DatasetType::Train, "Bird,it sings\n").await;
    let iteration = iterate(&function, "one").await;

    assert_eq!(flywheel.status(), Some(&FlywheelStatus::Active));
    assert_eq!(flywheel.active_model_arn(), Some(model.as_str()));
    let task = flywheel
        .task_config()
        .and_then(|task| task.document_classification_config());
    assert_eq!(task.expect("a task").labels(), ["Cat", "Dog"]);
    let (status, documents, message) = status_of(&comprehend, &taken).await;
    assert_eq!((status, documents), (DatasetStatus::Completed, Some(1)));
    assert!(message.is_some_and(|message| message.starts_with("1 row has no label")));
    assert_eq!(status_of(&comprehend, &refused).await.0, DatasetStatus::Failed);
    assert_eq!(iteration.status(), Some(&FlywheelIterationStatus::Completed));
    // Without test data the model that is active is not measured.
    assert!(iteration.evaluated_model_metrics().is_none());
    let trained = function
        .classifier(iteration.trained_model_arn().expect("a model"))
        .await;
    assert_eq!(trained["ClassifierMetadata"]["NumberOfTrainedDocuments"], 13);
    assert_eq!(
        function.keys("flywheels/pets/").await.len(),
        2,
        "the model's data and the dataset"
    );
}

#[tokio::test]
async fn what_a_flywheel_needs_is_not_deleted_and_the_lake_outlives_it() {
    let function = Function::new();
    let comprehend = function.comprehend();
    create(&comprehend, &[]).await;
    add(&function, "first", DatasetType::Train, &PETS_CSV.repeat(3)).await;
    let iteration = iterate(&function, "one").await;
    let model = iteration.trained_model_arn().expect("a model").to_owned();
    promote(&comprehend, &model).await;
    let endpoint = function.endpoint_of("pets", &model).await;
    let bind = comprehend.update_endpoint().endpoint_arn(&endpoint);
    bind.flywheel_arn(ARN).send().await.expect("bound");
    function.work().await;
    let delete = async || {
        let deleted = comprehend.delete_flywheel().flywheel_arn(ARN).send().await;
        deleted.err().map(|error| error.into_service_error().to_string())
    };

    let bound = delete().await;
    let end = comprehend.delete_endpoint().endpoint_arn(&endpoint);
    end.send().await.expect("deleted");
    let active = json!({"DocumentClassifierArn": model});
    let active = function.call("DeleteDocumentClassifier", &active).await;
    let deleted = delete().await;

    assert!(bound.is_some_and(|error| error.contains("ResourceInUse")));
    assert_eq!(active.body["__type"], "ResourceInUseException");
    assert_eq!(deleted, None);
    let listed = comprehend.list_flywheels().send().await.expect("listed");
    assert!(listed.flywheel_summary_list().is_empty());
    assert_eq!(
        function.keys("text-classifier/flywheel").await,
        Vec::<String>::new()
    );
    assert_eq!(function.keys("flywheels/").await.len(), 1);
    assert_eq!(function.classifier(&model).await["Status"], "TRAINED");
    assert_eq!(EndpointStatus::InService.as_str(), "IN_SERVICE");
}

#[tokio::test]
async fn each_bad_request_has_its_code() {
    let function = Function::new();
    create(&function.comprehend(), &[]).await;
    let task = json!({"LanguageCode": "en", "DocumentClassificationConfig": {"Mode": "MULTI_CLASS"}});
    let flywheel = |changes: serde_json::Value| {
        let mut request = json!({
            "FlywheelName": "other", "DataAccessRoleArn": ROLE_ARN, "ModelType": "DOCUMENT_CLASSIFIER",
            "DataLakeS3Uri": format!("s3://{BUCKET}/flywheels"), "TaskConfig": task,
        });
        for (name, value) in changes.as_object().expect("members") {
            request[name] = value.clone();
        }
        request
    };
    let csv = json!({"DocumentClassifierInputDataConfig": {"S3Uri": format!("s3://{BUCKET}/data/a.csv")}});
    for (operation, request, code) in [
        (
            "CreateFlywheel",
            flywheel(json!({"FlywheelName": "-"})),
            "ValidationException",
        ),
        (
            "CreateFlywheel",
            flywheel(json!({"DataLakeS3Uri": "lake"})),
            "ValidationException",
        ),
        (
            "CreateFlywheel",
            flywheel(json!({"DataLakeS3Uri": format!("s3://{BUCKET}/initial")})),
            "InvalidRequestException",
        ),
        (
            "CreateFlywheel",
            flywheel(json!({"TaskConfig": null})),
            "InvalidRequestException",
        ),
        (
            "CreateFlywheel",
            flywheel(json!({"ModelType": "ENTITY_RECOGNIZER"})),
            "InvalidRequestException",
        ),
        (
            "CreateFlywheel",
            flywheel(json!({"TaskConfig": {
                "LanguageCode": "en",
                "DocumentClassificationConfig": {"Mode": "MULTI_CLASS", "Labels": ["Cat"]},
            }})),
            "InvalidRequestException",
        ),
        (
            "CreateFlywheel",
            flywheel(json!({"FlywheelName": "pets"})),
            "ResourceInUseException",
        ),
        ("DescribeFlywheel", json!({}), "ValidationException"),
        (
            "DescribeFlywheel",
            json!({"FlywheelArn": format!("{SCOPE}:flywheel/none")}),
            "ResourceNotFoundException",
        ),
        (
            "CreateDataset",
            json!({"FlywheelArn": ARN, "DatasetName": "a", "DatasetType": "DEV", "InputDataConfig": csv}),
            "ValidationException",
        ),
        (
            "CreateDataset",
            json!({"FlywheelArn": ARN, "DatasetName": "a", "InputDataConfig": {"AugmentedManifests": []}}),
            "InvalidRequestException",
        ),
        (
            "DescribeDataset",
            json!({"DatasetArn": format!("{ARN}/dataset/none")}),
            "ResourceNotFoundException",
        ),
        (
            "DescribeFlywheelIteration",
            json!({"FlywheelArn": ARN, "FlywheelIterationId": "20261121T000000Z"}),
            "ResourceNotFoundException",
        ),
        (
            "UpdateFlywheel",
            json!({"FlywheelArn": ARN, "ActiveModelArn": format!("{SCOPE}:document-classifier/none")}),
            "ResourceNotFoundException",
        ),
    ] {
        let refused = function.call(operation, &request).await;

        assert_eq!(
            refused.body["__type"], code,
            "{operation} {request}: {}",
            refused.body
        );
    }
}
