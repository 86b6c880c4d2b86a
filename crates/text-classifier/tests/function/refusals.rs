//! What the calls of a life cycle refuse, and with which code; what they recognise as the same request.

use serde_json::{Value, json};

use crate::harness::{ENDPOINT_ARN, Function, PETS_CSV, ROLE_ARN, SCOPE};

/// The request with these members instead; null leaves one out.
fn with(request: &Value, members: Value) -> Value {
    let mut request = request.clone();
    let request_members = request.as_object_mut().expect("object");
    for (name, value) in members.as_object().expect("object") {
        request_members.insert(name.clone(), value.clone());
    }
    request_members.retain(|_, value| !value.is_null());
    request
}

fn create_classifier() -> Value {
    json!({
        "DocumentClassifierName": "news",
        "VersionName": "v2",
        "DataAccessRoleArn": ROLE_ARN,
        "LanguageCode": "en",
        "InputDataConfig": {"S3Uri": "s3://example-training/train/v1.csv"},
    })
}

async fn assert_refused(function: &Function, operation: &str, request: &Value, code: &str) {
    let refused = function.call(operation, request).await;

    assert_eq!(refused.body["__type"], code, "{operation} {request}");
    assert_eq!(refused.headers["x-amzn-errortype"], code);
    assert_eq!(refused.status, 400);
    assert!(refused.body["Message"].is_string());
}

#[tokio::test]
async fn each_bad_request_for_a_classifier_has_its_code() {
    let function = Function::new();
    function.trained_classifier("v1", PETS_CSV).await;
    let tags: Vec<Value> = (0..51).map(|tag| json!({"Key": tag.to_string()})).collect();
    for (members, code) in [
        (json!({"DocumentClassifierName": null}), "ValidationException"),
        (json!({"DocumentClassifierName": "ne_ws"}), "ValidationException"),
        (
            json!({"DocumentClassifierName": "x".repeat(64)}),
            "ValidationException",
        ),
        (json!({"VersionName": "-"}), "ValidationException"),
        (json!({"VersionName": "v1"}), "ResourceInUseException"),
        (json!({"DataAccessRoleArn": null}), "ValidationException"),
        (json!({"DataAccessRoleArn": "comprehend"}), "ValidationException"),
        (json!({"LanguageCode": null}), "ValidationException"),
        (json!({"LanguageCode": "xx"}), "ValidationException"),
        (json!({"LanguageCode": "ja"}), "UnsupportedLanguageException"),
        (json!({"Mode": "BOTH"}), "ValidationException"),
        (json!({"InputDataConfig": null}), "ValidationException"),
        (json!({"InputDataConfig": {}}), "InvalidRequestException"),
        (json!({"InputDataConfig": "s3"}), "SerializationException"),
        (
            json!({"OutputDataConfig": {"S3Uri": "out"}}),
            "ValidationException",
        ),
        (
            json!({"OutputDataConfig": {"KmsKeyId": "key"}}),
            "KmsKeyValidationException",
        ),
        (json!({"VolumeKmsKeyId": "key"}), "KmsKeyValidationException"),
        (json!({"ModelKmsKeyId": "key"}), "KmsKeyValidationException"),
        (json!({"VpcConfig": {}}), "InvalidRequestException"),
        (json!({"ModelPolicy": "{}"}), "InvalidRequestException"),
        (
            json!({"ClientRequestToken": "not a token"}),
            "ValidationException",
        ),
        (json!({"Tags": tags}), "TooManyTagsException"),
    ] {
        let request = with(&create_classifier(), members);
        assert_refused(&function, "CreateDocumentClassifier", &request, code).await;
    }
    assert_eq!(function.waiting_events(), [], "nothing was begun");
}

#[tokio::test]
async fn the_eleventh_training_at_a_time_is_over_the_limit() {
    let function = Function::new();
    for version in 0..10 {
        function.create_classifier(&format!("v{version}"), PETS_CSV).await;
    }
    let request = with(&create_classifier(), json!({"VersionName": "v10"}));

    assert_refused(
        &function,
        "CreateDocumentClassifier",
        &request,
        "ResourceLimitExceededException",
    )
    .await;
    function.work().await;

    assert_eq!(
        function.call("CreateDocumentClassifier", &request).await.status,
        200
    );
}

#[tokio::test]
async fn each_bad_request_about_a_classifier_has_its_code() {
    let function = Function::new();
    let training = function.create_classifier("v1", PETS_CSV).await;
    let missing = training.replace("v1", "v0");
    let foreign = training.replace("123456789012", "210987654321");
    for operation in [
        "DescribeDocumentClassifier",
        "StopTrainingDocumentClassifier",
        "DeleteDocumentClassifier",
    ] {
        for (arn, code) in [
            (json!(null), "ValidationException"),
            (json!("news"), "ValidationException"),
            (json!(ENDPOINT_ARN), "ValidationException"),
            (json!(missing), "ResourceNotFoundException"),
            (json!(foreign), "ResourceNotFoundException"),
        ] {
            assert_refused(&function, operation, &json!({"DocumentClassifierArn": arn}), code).await;
        }
    }
    let request = json!({"DocumentClassifierArn": training});
    assert_refused(
        &function,
        "DeleteDocumentClassifier",
        &request,
        "ResourceInUseException",
    )
    .await;
}

#[tokio::test]
async fn each_bad_request_about_an_endpoint_has_its_code() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    let multi_label = function.trained_classifier("v2", "a,one\nb,two\n").await;
    function
        .edit_state("document-classifier/news/version/v2", |state| {
            state["properties"]["Mode"] = "MULTI_LABEL".into();
        })
        .await;
    let endpoint = function.endpoint_of("pets", &model).await;
    let untrained = function.create_classifier("v3", PETS_CSV).await;
    let missing = model.replace("v1", "v0");
    let no_endpoint = endpoint.replace("pets", "none");
    let busy = json!({"EndpointName": "busy", "ModelArn": model, "DesiredInferenceUnits": 1});
    let busy = function.call("CreateEndpoint", &busy).await.body["EndpointArn"].clone();
    let create = json!({"EndpointName": "new", "ModelArn": model, "DesiredInferenceUnits": 1});
    let update = json!({"EndpointArn": endpoint, "DesiredModelArn": model});
    let tags: Vec<Value> = (0..51).map(|tag| json!({"Key": tag.to_string()})).collect();
    for (operation, request, code) in [
        (
            "CreateEndpoint",
            with(&create, json!({"EndpointName": null})),
            "ValidationException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"EndpointName": "x".repeat(41)})),
            "ValidationException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"EndpointName": "pets"})),
            "ResourceInUseException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"DesiredInferenceUnits": null})),
            "ValidationException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"DesiredInferenceUnits": 0})),
            "ValidationException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"DesiredInferenceUnits": 51})),
            "ResourceLimitExceededException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"ModelArn": null})),
            "InvalidRequestException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"ModelArn": "news"})),
            "ValidationException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"ModelArn": missing})),
            "ResourceNotFoundException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"ModelArn": untrained})),
            "ResourceUnavailableException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"FlywheelArn": "f"})),
            "InvalidRequestException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"DataAccessRoleArn": "r"})),
            "ValidationException",
        ),
        (
            "CreateEndpoint",
            with(&create, json!({"Tags": tags})),
            "TooManyTagsException",
        ),
        (
            "UpdateEndpoint",
            with(&update, json!({"EndpointArn": null})),
            "ValidationException",
        ),
        (
            "UpdateEndpoint",
            with(&update, json!({"EndpointArn": no_endpoint})),
            "ResourceNotFoundException",
        ),
        (
            "UpdateEndpoint",
            with(&update, json!({"EndpointArn": ENDPOINT_ARN})),
            "ResourceUnavailableException",
        ),
        (
            "UpdateEndpoint",
            with(&update, json!({"EndpointArn": busy})),
            "ResourceInUseException",
        ),
        (
            "UpdateEndpoint",
            with(&update, json!({"DesiredModelArn": null})),
            "InvalidRequestException",
        ),
        (
            "UpdateEndpoint",
            with(&update, json!({"DesiredModelArn": missing})),
            "ResourceNotFoundException",
        ),
        (
            "UpdateEndpoint",
            with(&update, json!({"DesiredModelArn": untrained})),
            "ResourceUnavailableException",
        ),
        (
            "UpdateEndpoint",
            with(&update, json!({"DesiredModelArn": multi_label})),
            "InvalidRequestException",
        ),
        (
            "UpdateEndpoint",
            with(&update, json!({"DesiredInferenceUnits": 51})),
            "ResourceLimitExceededException",
        ),
        (
            "DescribeEndpoint",
            json!({"EndpointArn": no_endpoint}),
            "ResourceNotFoundException",
        ),
        ("DeleteEndpoint", json!({}), "ValidationException"),
        (
            "DeleteEndpoint",
            json!({"EndpointArn": no_endpoint}),
            "ResourceNotFoundException",
        ),
        (
            "DeleteEndpoint",
            json!({"EndpointArn": busy}),
            "ResourceInUseException",
        ),
        (
            "DeleteEndpoint",
            json!({"EndpointArn": ENDPOINT_ARN}),
            "ResourceInUseException",
        ),
    ] {
        assert_refused(&function, operation, &request, code).await;
    }
}

#[tokio::test]
async fn each_bad_request_about_a_job_has_its_code() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    let untrained = function.create_classifier("v3", PETS_CSV).await;
    let start = json!({
        "DocumentClassifierArn": model,
        "InputDataConfig": {"S3Uri": "s3://example-training/docs"},
        "OutputDataConfig": {"S3Uri": "s3://example-training/out"},
        "DataAccessRoleArn": ROLE_ARN,
    });
    for (members, code) in [
        (json!({"JobName": "a!"}), "ValidationException"),
        (json!({"DocumentClassifierArn": null}), "InvalidRequestException"),
        (json!({"DocumentClassifierArn": "news"}), "ValidationException"),
        (
            json!({"DocumentClassifierArn": model.replace("v1", "v0")}),
            "ResourceNotFoundException",
        ),
        (
            json!({"DocumentClassifierArn": untrained}),
            "ResourceUnavailableException",
        ),
        (json!({"FlywheelArn": "f"}), "InvalidRequestException"),
        (json!({"InputDataConfig": null}), "ValidationException"),
        (json!({"InputDataConfig": {}}), "ValidationException"),
        (
            json!({"InputDataConfig": {"S3Uri": "s3://example-training/docs", "InputFormat": "CSV"}}),
            "ValidationException",
        ),
        (json!({"OutputDataConfig": null}), "ValidationException"),
        (json!({"OutputDataConfig": {}}), "ValidationException"),
        (
            json!({"OutputDataConfig": {"S3Uri": "s3://example-training/out", "KmsKeyId": "k"}}),
            "KmsKeyValidationException",
        ),
        (json!({"DataAccessRoleArn": null}), "ValidationException"),
        (json!({"VpcConfig": {}}), "InvalidRequestException"),
    ] {
        assert_refused(
            &function,
            "StartDocumentClassificationJob",
            &with(&start, members),
            code,
        )
        .await;
    }
    for (id, code) in [
        (json!(null), "ValidationException"),
        (json!(""), "ValidationException"),
        (json!("x".repeat(33)), "ValidationException"),
        (json!("none"), "JobNotFoundException"),
        (json!("../x"), "JobNotFoundException"),
    ] {
        assert_refused(
            &function,
            "DescribeDocumentClassificationJob",
            &json!({"JobId": id}),
            code,
        )
        .await;
    }
}

#[tokio::test]
async fn the_same_token_is_the_same_request() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    let job = json!({
        "DocumentClassifierArn": model,
        "InputDataConfig": {"S3Uri": "s3://example-training/docs"},
        "OutputDataConfig": {"S3Uri": "s3://example-training/out"},
        "DataAccessRoleArn": ROLE_ARN,
    });
    let endpoint = json!({"EndpointName": "pets", "ModelArn": model, "DesiredInferenceUnits": 1});
    let token = json!({"ClientRequestToken": "token-1"});
    for (operation, request, other, other_code) in [
        (
            "CreateDocumentClassifier",
            create_classifier(),
            json!({"Mode": "MULTI_LABEL"}),
            "ResourceInUseException",
        ),
        (
            "CreateEndpoint",
            endpoint,
            json!({"DesiredInferenceUnits": 2}),
            "ResourceInUseException",
        ),
        (
            "StartDocumentClassificationJob",
            job,
            json!({"JobName": "other"}),
            "",
        ),
    ] {
        let request = with(&request, token.clone());
        let first = function.call(operation, &request).await;
        let again = function.call(operation, &request).await;
        let changed = function.call(operation, &with(&request, other)).await;
        let other_token = with(&request, json!({"ClientRequestToken": "token-2"}));
        let other_token = function.call(operation, &other_token).await;

        assert_eq!(first.status, 200, "{operation} {}", first.body);
        assert_eq!(again.body, first.body);
        assert_eq!(changed.body["__type"], "InvalidRequestException", "{operation}");
        assert_eq!(
            other_token.body["__type"].as_str().unwrap_or_default(),
            other_code,
            "{operation}"
        );
    }
    function.work().await;
    let jobs = function.call("ListDocumentClassificationJobs", &json!({})).await;
    let found = jobs.body["DocumentClassificationJobPropertiesList"]
        .as_array()
        .map(Vec::len);
    assert_eq!(found, Some(2), "one for each token");
    assert_eq!(
        function
            .classifier(&format!("{SCOPE}:document-classifier/news/version/v2"))
            .await["Status"],
        "TRAINED"
    );
}
