//! The same API, as Comprehend's own SDK sees it.

use aws_sdk_comprehend::{
    error::ProvideErrorMetadata,
    operation::classify_document::ClassifyDocumentError,
    types::{EndpointStatus, InvalidRequestDetailReason, LanguageCode, ModelStatus, PiiEntityType},
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
    let unsupported = comprehend
        .list_entity_recognizers()
        .send()
        .await
        .expect_err("unsupported");

    assert!(no_model.is_resource_unavailable_exception());
    assert!(too_long.is_text_size_limit_exceeded_exception());
    let ClassifyDocumentError::InvalidRequestException(binary) = binary else {
        panic!("{binary:?}")
    };
    let reason = binary.detail().and_then(|detail| detail.reason());
    assert_eq!(reason, Some(&InvalidRequestDetailReason::UnsupportedDocType));
    assert_eq!(unsupported.code(), Some("UnsupportedOperationException"));
}

#[tokio::test]
async fn the_sdk_reads_where_personal_data_is_in_characters_and_which_kinds_there_are() {
    let function = Function::new();
    let comprehend = function.comprehend();
    let text = "\u{1F600} Zoë: zoe@example.com, 4111 1111 1111 1111, 203.0.113.7, DE89370400440532013000, \
                +49 30 1234567, zoe@example.org";

    let detected = comprehend
        .detect_pii_entities()
        .text(text)
        .language_code(LanguageCode::En)
        .send()
        .await
        .expect("detected");
    let contained = comprehend
        .contains_pii_entities()
        .text(text)
        .language_code(LanguageCode::Es)
        .send()
        .await
        .expect("contained");

    let characters: Vec<char> = text.chars().collect();
    let found: Vec<(PiiEntityType, String)> = detected
        .entities()
        .iter()
        .map(|entity| {
            let begin = entity.begin_offset().and_then(|at| usize::try_from(at).ok());
            let end = entity.end_offset().and_then(|at| usize::try_from(at).ok());
            let range = begin.expect("a begin")..end.expect("an end");
            (
                entity.r#type().expect("a type").clone(),
                characters[range].iter().collect(),
            )
        })
        .collect();
    let expected = [
        (PiiEntityType::Email, "zoe@example.com"),
        (PiiEntityType::CreditDebitNumber, "4111 1111 1111 1111"),
        (PiiEntityType::IpAddress, "203.0.113.7"),
        (
            PiiEntityType::InternationalBankAccountNumber,
            "DE89370400440532013000",
        ),
        (PiiEntityType::Phone, "+49 30 1234567"),
        (PiiEntityType::Email, "zoe@example.org"),
    ];
    assert_eq!(found, expected.map(|(kind, text)| (kind, text.to_owned())));
    assert!(
        detected
            .entities()
            .iter()
            .all(|entity| entity.score() == Some(1.0))
    );
    assert_eq!(contained.labels().len(), 5);
}

#[tokio::test]
async fn personal_data_is_looked_for_in_two_languages_and_up_to_a_hundred_kilobytes() {
    let function = Function::new();
    let comprehend = function.comprehend();
    let detect = |text: String, language: &str| {
        let call = comprehend.detect_pii_entities().text(text);
        call.language_code(LanguageCode::from(language)).send()
    };

    let long = detect("x".repeat(102_400), "en").await;
    let too_long = detect("x".repeat(102_401), "en").await.expect_err("too long");
    let german = detect("x".to_owned(), "de").await.expect_err("German");
    let unknown = detect("x".to_owned(), "xx").await.expect_err("no language");
    let empty = detect(String::new(), "en").await.expect_err("empty");

    assert_eq!(long.expect("looked through").entities().len(), 0);
    assert!(
        too_long
            .into_service_error()
            .is_text_size_limit_exceeded_exception()
    );
    assert!(german.into_service_error().is_unsupported_language_exception());
    assert_eq!(unknown.code(), Some("ValidationException"));
    assert_eq!(empty.code(), Some("ValidationException"));
}
