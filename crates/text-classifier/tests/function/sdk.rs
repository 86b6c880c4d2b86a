//! The same API, as Comprehend's own SDK sees it.

use aws_sdk_comprehend::{
    error::ProvideErrorMetadata,
    operation::classify_document::ClassifyDocumentError,
    types::{EndpointStatus, InvalidRequestDetailReason, ModelStatus},
};

use crate::harness::{ENDPOINT_ARN, Function, PETS_CSV};

#[tokio::test]
async fn the_sdk_reads_classes_endpoint_and_model() {
    let function = Function::new();
    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");
    let comprehend = function.comprehend();

    let classified = comprehend
        .classify_document()
        .endpoint_arn(ENDPOINT_ARN)
        .text("it barks")
        .send()
        .await
        .expect("classified");
    let endpoint = comprehend
        .describe_endpoint()
        .endpoint_arn(ENDPOINT_ARN)
        .send()
        .await
        .expect("described");
    let properties = endpoint.endpoint_properties().expect("properties");
    let arn = properties.model_arn().expect("model");
    let model = comprehend
        .describe_document_classifier()
        .document_classifier_arn(arn)
        .send()
        .await
        .expect("described");

    let [first, second] = classified.classes() else {
        panic!("two classes: {classified:?}")
    };
    assert_eq!(first.name(), Some("Dog"));
    let sum = first.score().expect("score") + second.score().expect("score");
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    assert_eq!(properties.status(), Some(&EndpointStatus::InService));
    assert!(properties.creation_time().is_some());
    let model = model.document_classifier_properties().expect("properties");
    assert_eq!(model.status(), Some(&ModelStatus::Trained));
    let metrics = model
        .classifier_metadata()
        .and_then(|metadata| metadata.evaluation_metrics());
    assert!(metrics.and_then(|metrics| metrics.accuracy()).is_some());
}

#[tokio::test]
async fn the_sdk_reads_errors_as_its_own_types() {
    let function = Function::new();
    let comprehend = function.comprehend();
    let classify = || comprehend.classify_document().endpoint_arn(ENDPOINT_ARN);

    let no_model = classify()
        .text("it barks")
        .send()
        .await
        .expect_err("no model")
        .into_service_error();
    let too_long = classify()
        .text("x".repeat(10_241))
        .send()
        .await
        .expect_err("too long")
        .into_service_error();
    let binary = classify()
        .bytes(aws_sdk_comprehend::primitives::Blob::new([0xff, 0xd8]))
        .send()
        .await
        .expect_err("binary")
        .into_service_error();
    let unsupported = comprehend.list_flywheels().send().await.expect_err("unsupported");

    assert!(no_model.is_resource_unavailable_exception());
    assert!(too_long.is_text_size_limit_exceeded_exception());
    let ClassifyDocumentError::InvalidRequestException(binary) = binary else {
        panic!("{binary:?}")
    };
    let reason = binary.detail().and_then(|detail| detail.reason());
    assert_eq!(reason, Some(&InvalidRequestDetailReason::UnsupportedDocType));
    assert_eq!(unsupported.code(), Some("UnsupportedOperationException"));
}
