//! Training outside the request: data, results, and what happens when something goes wrong in the middle.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{BUCKET, Function, PETS_CSV, ROLE_ARN, SCOPE, WEATHER_CSV, delivery};

const RESOURCE: &str = "document-classifier/news/version/v1";

async fn train(function: &Function, members: Value) -> Value {
    let mut request = json!({
        "DocumentClassifierName": "news",
        "VersionName": "v1",
        "DataAccessRoleArn": ROLE_ARN,
        "LanguageCode": "en",
        "OutputDataConfig": {"S3Uri": format!("s3://{BUCKET}/out")},
    });
    let members = members.as_object().expect("object").clone();
    request.as_object_mut().expect("object").extend(members);
    let created = function.call("CreateDocumentClassifier", &request).await;
    assert_eq!(created.status, 200, "{}", created.body);
    function.work().await;
    function
        .classifier(created.body["DocumentClassifierArn"].as_str().expect("ARN"))
        .await
}

fn arn() -> String {
    format!("{SCOPE}:{RESOURCE}")
}

#[tokio::test]
async fn describing_a_classifier_tells_what_was_repaired_in_its_training_data() {
    let function = Function::new();
    let file = format!(
        "text,label\nthe DOG barks,dog\n{}",
        "it purrs,Cat\nit barks,Dog\n".repeat(3)
    );
    function.put_quietly("data/train.csv", &file).await;

    let config = json!({"InputDataConfig": {"S3Uri": format!("s3://{BUCKET}/data/train.csv")}});
    let properties = train(&function, config).await;

    assert_eq!(properties["Status"], "TRAINED", "{properties}");
    assert_eq!(properties["ClassifierMetadata"]["NumberOfLabels"], 2);
    let told = properties["Message"].as_str().expect("a message");
    let header = format!("s3://{BUCKET}/data/train.csv: line 1: the header line was skipped");
    assert!(
        told.starts_with(&header) && told.contains("`dog` (1) is read as `Dog`"),
        "{told}"
    );
}

#[tokio::test]
async fn training_data_that_cannot_be_meant_is_refused_with_line_and_reason() {
    let swapped: String = (0..20)
        .map(|row| format!("the text of row {row},Cat\n"))
        .collect();
    for (file, reason) in [
        (
            swapped.as_str(),
            "line 1: nearly every row is its own class (20 classes in 20 rows)",
        ),
        (
            "Cat;purrs\nDog;barks\n",
            "line 1: the columns are separated by semicolons",
        ),
        ("{\"label\": \"Cat\"}\n", "line 1: the file is JSON Lines"),
    ] {
        let function = Function::new();
        function.put_quietly("data/train.csv", file).await;

        let config = json!({"InputDataConfig": {"S3Uri": format!("s3://{BUCKET}/data/train.csv")}});
        let properties = train(&function, config).await;

        assert_eq!(properties["Status"], "IN_ERROR", "{properties}");
        let told = properties["Message"].as_str().expect("a message");
        assert!(told.contains(reason), "{told}");
    }
}

#[tokio::test]
async fn training_data_in_utf_16_is_refused_by_name() {
    let function = Function::new();
    let file: Vec<u8> = PETS_CSV.encode_utf16().flat_map(u16::to_le_bytes).collect();
    function
        .put_bytes_quietly("data/train.csv", [b"\xff\xfe", file.as_slice()].concat())
        .await;

    let config = json!({"InputDataConfig": {"S3Uri": format!("s3://{BUCKET}/data/train.csv")}});
    let properties = train(&function, config).await;

    assert_eq!(properties["Status"], "IN_ERROR", "{properties}");
    let told = properties["Message"].as_str().expect("a message");
    assert!(
        told.contains("line 1: the file is UTF-16; save it as UTF-8"),
        "{told}"
    );
}

#[tokio::test]
async fn describing_a_classifier_tells_of_texts_with_several_labels_and_of_classes_with_a_single_row() {
    let function = Function::new();
    let file = format!("{PETS_CSV}Cat,it runs\nDog,it RUNS!\nBird,it sings\n");
    function.put_quietly("data/train.csv", &file).await;

    let config = json!({"InputDataConfig": {"S3Uri": format!("s3://{BUCKET}/data/train.csv")}});
    let properties = train(&function, config).await;

    assert_eq!(properties["Status"], "TRAINED", "{properties}");
    let rows = PETS_CSV.lines().count();
    let documents = &properties["ClassifierMetadata"]["NumberOfTrainedDocuments"];
    let held_out = &properties["ClassifierMetadata"]["NumberOfTestDocuments"];
    assert!(documents == rows + 1, "{documents} {held_out}");
    let told = properties["Message"].as_str().expect("a message");
    let conflict = format!(
        "1 text has different labels and is left out, with all its 2 rows (lines {} and {})",
        rows + 1,
        rows + 2
    );
    assert!(
        told.contains(&conflict) && told.contains("warning: 1 class has a single row (`Bird`)"),
        "{told}"
    );
}

#[tokio::test]
async fn a_test_file_is_checked_as_the_training_file_is() {
    let swapped: String = (0..20)
        .map(|row| format!("the text of row {row},Cat\n"))
        .collect();
    let conflicting = "Cat,it purrs\nDog,it barks\nDog,It purrs!\nDOG,it growls\n";
    let mut told = Vec::new();
    for test in [swapped.as_str(), conflicting] {
        let function = Function::new();
        function.put_quietly("data/train.csv", PETS_CSV).await;
        function.put_quietly("data/test.csv", test).await;
        let [train_file, test_file] = ["train", "test"].map(|name| format!("s3://{BUCKET}/data/{name}.csv"));

        let config = json!({"InputDataConfig": {"S3Uri": train_file, "TestS3Uri": test_file}});
        told.push(train(&function, config).await);
    }

    let [refused, trained] = told.as_slice() else {
        panic!("two trainings");
    };
    assert_eq!(refused["Status"], "IN_ERROR", "{refused}");
    let why = refused["Message"].as_str().expect("a message");
    assert!(
        why.contains("the test set cannot be used: line 1: nearly every row is its own class"),
        "{why}"
    );
    assert_eq!(trained["Status"], "TRAINED", "{trained}");
    assert_eq!(trained["ClassifierMetadata"]["NumberOfTestDocuments"], 2);
    let message = trained["Message"].as_str().expect("a message");
    for part in [
        "`DOG` of the test set is read as `Dog`",
        "in the test set 1 text has different labels and is left out, with all its 2 rows (lines 1 and 3)",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn a_training_with_a_test_set_is_measured_on_it() {
    let function = Function::new();
    function.put_quietly("data/train/a.csv", PETS_CSV).await;
    function
        .put_quietly("data/train/b.csv", "Cat,purrs all day\nDog,barks all day\n")
        .await;
    function
        .put_quietly("data/test.csv", "Cat,it purrs\nDog,it barks\nDog,it purrs too\n")
        .await;

    let properties = train(
        &function,
        json!({"InputDataConfig": {
            "S3Uri": format!("s3://{BUCKET}/data/train/"),
            "TestS3Uri": format!("s3://{BUCKET}/data/test.csv"),
        }}),
    )
    .await;

    assert_eq!(properties["Status"], "TRAINED", "{properties}");
    assert_eq!(properties["Mode"], "MULTI_CLASS");
    assert_eq!(properties["LanguageCode"], "en");
    assert_eq!(properties["DataAccessRoleArn"], ROLE_ARN);
    assert_eq!(properties["InputDataConfig"]["DataFormat"], "COMPREHEND_CSV");
    let metadata = &properties["ClassifierMetadata"];
    assert_eq!(metadata["NumberOfLabels"], 2);
    assert_eq!(metadata["NumberOfTrainedDocuments"], 6);
    assert_eq!(metadata["NumberOfTestDocuments"], 3);
    let metrics = metadata["EvaluationMetrics"].as_object().expect("metrics");
    assert_eq!(metrics.len(), 8);
    let accuracy = metrics["Accuracy"].as_f64().expect("number");
    assert!((accuracy - 2.0 / 3.0).abs() < 1e-9, "{accuracy}");
    let times = ["SubmitTime", "TrainingStartTime", "TrainingEndTime", "EndTime"];
    let times: Vec<f64> = times
        .iter()
        .filter_map(|time| properties[time].as_f64())
        .collect();
    assert_eq!(times.len(), 4);
    assert!(times.is_sorted(), "{times:?}");
    let uri = properties["OutputDataConfig"]["S3Uri"].as_str().expect("URI");
    assert!(
        uri.starts_with("s3://example-training/out/123456789012-CLR-"),
        "{uri}"
    );
    assert!(uri.ends_with("/output/output.tar.gz"), "{uri}");
    let (name, content) = function.output(uri).await;
    assert_eq!(name, "confusion_matrix.json");
    assert_eq!(
        serde_json::from_str::<Value>(&content).expect("JSON"),
        json!({
            "type": "multi_class",
            "confusion_matrix": [[1, 0], [1, 1]],
            "labels": ["Cat", "Dog"],
            "all_labels": ["Cat", "Dog"],
        })
    );
}

#[tokio::test]
async fn without_a_test_set_a_tenth_is_held_out() {
    let function = Function::new();
    let csv: String = (0..50)
        .map(|row| format!("Cat,purrs {row}\nDog,barks {row}\n"))
        .collect();
    function.put_quietly("data.csv", &csv).await;

    let config = json!({"InputDataConfig": {"S3Uri": format!("s3://{BUCKET}/data.csv")}});
    let properties = train(&function, config).await;

    let metadata = &properties["ClassifierMetadata"];
    assert_eq!(metadata["NumberOfTrainedDocuments"], 90);
    assert_eq!(metadata["NumberOfTestDocuments"], 10);
    assert_eq!(metadata["EvaluationMetrics"]["F1Score"], 1.0);
}

#[tokio::test]
async fn several_labels_are_separated_as_the_request_says() {
    let function = Function::new();
    let csv = "Rain;Wind|Gust,a storm\nSun,beach\nRain,puddles\nWind|Gust,gusts\nSun,sunglasses\n";
    function.put_quietly("data.csv", csv).await;

    let properties = train(
        &function,
        json!({"Mode": "MULTI_LABEL", "InputDataConfig": {
            "S3Uri": format!("s3://{BUCKET}/data.csv"),
            "TestS3Uri": format!("s3://{BUCKET}/data.csv"),
            "LabelDelimiter": ";",
        }}),
    )
    .await;

    assert_eq!(properties["Status"], "TRAINED", "{properties}");
    assert_eq!(properties["Mode"], "MULTI_LABEL");
    let uri = properties["OutputDataConfig"]["S3Uri"].as_str().expect("URI");
    let matrix: Value = serde_json::from_str(&function.output(uri).await.1).expect("JSON");
    assert_eq!(matrix["type"], "multi_label");
    assert_eq!(matrix["labels"], json!(["Rain", "Sun", "Wind|Gust"]));
    assert_eq!(matrix["confusion_matrix"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn manifests_train_and_test() {
    let function = Function::new();
    let line = |label: &str, text: &str| {
        json!({"source": text, "topic": 0, "topic-metadata": {"class-name": label}}).to_string() + "\n"
    };
    let train_lines = line("Cat", "it purrs") + &line("Dog", "it barks, \"loud\"\nand long");
    function.put_quietly("train.manifest", &train_lines).await;
    function.put_quietly("test.manifest", &line("Dog", "barks")).await;

    let properties = train(&function, json!({"InputDataConfig": {
        "DataFormat": "AUGMENTED_MANIFEST",
        "AugmentedManifests": [
            {"S3Uri": format!("s3://{BUCKET}/train.manifest"), "AttributeNames": ["topic"]},
            {"S3Uri": format!("s3://{BUCKET}/test.manifest"), "AttributeNames": ["topic"], "Split": "TEST"},
        ],
    }}))
    .await;

    assert_eq!(properties["Status"], "TRAINED", "{properties}");
    assert_eq!(
        properties["ClassifierMetadata"]["EvaluationMetrics"]["Accuracy"],
        1.0
    );
}

/// A line of an augmented manifest.
fn line(label: &str, text: &str) -> String {
    json!({"source": text, "topic": 0, "topic-metadata": {"class-name": label}}).to_string() + "\n"
}

/// Trains on a manifest.
async fn train_on_manifest(manifest: &[u8]) -> Value {
    let function = Function::new();
    function
        .put_bytes_quietly("train.manifest", manifest.to_vec())
        .await;
    let config = json!({"InputDataConfig": {
        "DataFormat": "AUGMENTED_MANIFEST",
        "AugmentedManifests": [{"S3Uri": format!("s3://{BUCKET}/train.manifest"), "AttributeNames": ["topic"]}],
    }});
    train(&function, config).await
}

#[tokio::test]
async fn a_manifest_is_checked_as_a_csv_is() {
    let good: String = (0..12)
        .map(|row| line("Cat", &format!("purrs {row}")) + &line("Dog", &format!("barks {row}")))
        .collect();
    let conflict = line("Cat", "it runs") + &line("Dog", "it RUNS!");
    let told = good.clone() + &line("CAT", "purrs softly") + &conflict;
    let swapped: String = (0..20)
        .map(|row| line(&format!("the text of row {row}"), "Cat"))
        .collect();
    let utf_16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();

    let taken = train_on_manifest(told.as_bytes()).await;

    assert_eq!(taken["Status"], "TRAINED", "{taken}");
    let message = taken["Message"].as_str().expect("a message");
    assert!(
        message
            .contains("1 text has different labels and is left out, with all its 2 rows (lines 26 and 27)"),
        "{message}"
    );
    assert!(message.contains("`CAT` (1) is read as `Cat`"), "{message}");
    for (manifest, reason) in [
        (
            swapped.as_bytes(),
            "nearly every row is its own class (20 classes in 20 rows)",
        ),
        (&utf_16[..], "line 1: the file is UTF-16; save it as UTF-8"),
        (&b"Cat,purrs\n"[..], "line 1: not JSON"),
        (
            &br#"{"source":"x\ud800","topic-metadata":{"class-name":"a"}}"#[..],
            "line 1: it holds half of a surrogate pair",
        ),
    ] {
        let refused = train_on_manifest(manifest).await;

        assert_eq!(refused["Status"], "IN_ERROR", "{refused}");
        let message = refused["Message"].as_str().expect("a message");
        assert!(message.contains(reason), "{message}");
    }
}

#[tokio::test]
async fn what_cannot_be_trained_ends_in_error_with_the_reason() {
    let uri = |key: &str| format!("s3://{BUCKET}/{key}");
    for (members, reason) in [
        (
            json!({"InputDataConfig": {"S3Uri": uri("nothing")}}),
            "there is no training data at s3://example-training/nothing",
        ),
        (
            json!({"InputDataConfig": {"S3Uri": "s3://not-there/pets.csv"}}),
            "s3://not-there/pets.csv cannot be used: NoSuchBucket",
        ),
        (
            json!({"InputDataConfig": {"S3Uri": uri("bad.csv")}}),
            "training data s3://example-training/bad.csv cannot be used: line 2: the text is empty",
        ),
        (
            json!({"InputDataConfig": {"S3Uri": uri("one.csv")}}),
            "the training data cannot be used: the file has 1 different label, at least two are needed",
        ),
        (
            json!({"InputDataConfig": {"S3Uri": uri("pets.csv"), "TestS3Uri": uri("one.csv")}}),
            "the training data cannot be used: the test set has 1 labels that the training set does not have",
        ),
        (
            json!({"InputDataConfig": {"S3Uri": uri("pets.csv")}, "OutputDataConfig": {"S3Uri": "s3://not-there"}}),
            "NoSuchBucket",
        ),
    ] {
        let function = Function::new();
        function.put_quietly("bad.csv", "Cat,purrs\nDog,\n").await;
        function.put_quietly("one.csv", "Bird,sings\n").await;
        function.put_quietly("pets.csv", PETS_CSV).await;

        let properties = train(&function, members).await;

        assert_eq!(properties["Status"], "IN_ERROR", "{properties}");
        let message = properties["Message"].as_str().expect("message");
        assert!(message.ends_with(reason), "{message}");
        assert_eq!(function.keys("text-classifier/jobs/").await, Vec::<String>::new());
        let delete = json!({"DocumentClassifierArn": arn()});
        assert_eq!(
            function.call("DeleteDocumentClassifier", &delete).await.status,
            200
        );
    }
}

#[tokio::test]
async fn a_stopped_training_ends_stopped_whether_or_not_it_had_begun() {
    for status in ["SUBMITTED", "TRAINING"] {
        let function = Function::new();
        let arn = function.create_classifier("v1", PETS_CSV).await;
        function
            .edit_state(RESOURCE, |state| state["properties"]["Status"] = status.into())
            .await;

        let stopped = function
            .call(
                "StopTrainingDocumentClassifier",
                &json!({"DocumentClassifierArn": arn}),
            )
            .await;

        assert_eq!((stopped.status, stopped.body), (200, json!({})));
        assert_eq!(function.classifier(&arn).await["Status"], "STOP_REQUESTED");
        function.work().await;
        assert_eq!(function.classifier(&arn).await["Status"], "STOPPED");
    }
}

/// Begins a training and drops it as soon as the state says that it runs.
async fn die_in_the_middle(function: &Function, request_id: &str, event: &Value) {
    let arn = arn();
    let deadline = Instant::now() + Duration::from_secs(30);
    let training = async {
        while function.classifier(&arn).await["Status"] != "TRAINING" {
            assert!(Instant::now() < deadline, "the training does not begin");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = training => {}
        _ = function.classifier.handle(delivery(event, request_id, 60)) => panic!("it was not in the middle"),
    }
}

#[tokio::test]
async fn a_run_that_died_is_resumed_by_its_own_event_and_by_no_other() {
    let function = Function::new();
    let news = include_str!("../../../cli/data/news.csv");
    let arn = function.create_classifier("v1", news).await;
    let (request_id, event) = function.waiting_events().remove(0);
    Box::pin(die_in_the_middle(&function, &request_id, &event)).await;
    let restarted = function.restarted();

    restarted
        .handle(delivery(&event, "another", 60))
        .await
        .expect("left alone");
    assert_eq!(function.classifier(&arn).await["Status"], "TRAINING");
    restarted
        .handle(delivery(&event, &request_id, 60))
        .await
        .expect("trained");

    assert_eq!(function.classifier(&arn).await["Status"], "TRAINED");
}

#[tokio::test]
async fn after_its_deadline_a_dead_run_is_resumed_by_any_event() {
    let function = Function::new();
    let arn = function.create_classifier("v1", PETS_CSV).await;
    function
        .edit_state(RESOURCE, |state| {
            state["properties"]["Status"] = "TRAINING".into();
            state["run"] = json!({"owner": "dead", "until": "2026-01-01T00:00:00Z", "attempts": 1});
        })
        .await;
    function.waiting_events();

    function.classifier(&arn).await;
    function.work().await;

    assert_eq!(function.classifier(&arn).await["Status"], "TRAINED");
}

#[tokio::test]
async fn a_training_that_dies_each_time_ends_in_error() {
    let function = Function::new();
    let arn = function.create_classifier("v1", PETS_CSV).await;
    function
        .edit_state(RESOURCE, |state| {
            state["run"] = json!({"owner": "dead", "until": "2026-01-01T00:00:00Z", "attempts": 5});
        })
        .await;

    function.work().await;

    let properties = function.classifier(&arn).await;
    assert_eq!(properties["Status"], "IN_ERROR");
    assert_eq!(
        properties["Message"],
        "training did not come to an end in several attempts"
    );
}

#[tokio::test]
async fn the_same_event_three_times_trains_once() {
    let function = Function::new();
    let arn = function.create_classifier("v1", PETS_CSV).await;
    let (request_id, event) = function.waiting_events().remove(0);
    let deliver = |request_id: &str| function.classifier.handle(delivery(&event, request_id, 60));

    deliver(&request_id).await.expect("trained");
    let first = function.classifier(&arn).await;
    let keys = function.keys("").await;
    deliver(&request_id).await.expect("nothing to do");
    deliver("another").await.expect("nothing to do");

    assert_eq!(first["Status"], "TRAINED");
    assert_eq!(function.classifier(&arn).await, first);
    assert_eq!(function.keys("").await, keys);
}

#[tokio::test]
async fn a_classifier_that_was_deleted_leaves_an_event_nothing_to_do() {
    let function = Function::new();
    let arn = function.create_classifier("v1", WEATHER_CSV).await;
    let (request_id, event) = function.waiting_events().remove(0);
    let deliver = || function.classifier.handle(delivery(&event, &request_id, 60));
    deliver().await.expect("trained");
    function
        .call("DeleteDocumentClassifier", &json!({"DocumentClassifierArn": arn}))
        .await;

    deliver().await.expect("nothing to do");

    assert_eq!(function.keys("text-classifier/").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_sample_event_trains_the_classifier_that_it_names() {
    let function = Function::new();
    let arn = function.create_classifier("2026-11-02", PETS_CSV).await;
    let event = include_str!("../../../../events/text-classifier/training-job.json");
    let event = serde_json::from_str(event).expect("JSON");

    function.deliver(&event).await.expect("trained");

    assert_eq!(function.classifier(&arn).await["Status"], "TRAINED");
}
