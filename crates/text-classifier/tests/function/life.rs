//! The life of models and endpoints, from the first version to the last delete.

use aws_sdk_comprehend::types::{
    DocumentClassifierInputDataConfig, DocumentClassifierOutputDataConfig, EndpointStatus, LanguageCode,
    ModelStatus,
};
use serde_json::{Value, json};

use crate::harness::{
    BUCKET, ENDPOINT_ARN, Function, PETS_CSV, ROLE_ARN, SCOPE, WEATHER_CSV, answer, url_event,
};

async fn best_class(comprehend: &aws_sdk_comprehend::Client, endpoint: &str, text: &str) -> String {
    let call = comprehend.classify_document().endpoint_arn(endpoint).text(text);
    let classified = call.send().await.expect("classified");
    classified.classes()[0].name().expect("name").to_owned()
}

async fn create_version(comprehend: &aws_sdk_comprehend::Client, version: &str, key: &str) -> String {
    let input = DocumentClassifierInputDataConfig::builder().s3_uri(format!("s3://{BUCKET}/{key}"));
    let output = DocumentClassifierOutputDataConfig::builder().s3_uri(format!("s3://{BUCKET}/out/"));
    let call = comprehend
        .create_document_classifier()
        .document_classifier_name("pets")
        .version_name(version)
        .data_access_role_arn(ROLE_ARN)
        .language_code(LanguageCode::En)
        .input_data_config(input.build())
        .output_data_config(output.build());
    let created = call.send().await.expect("created");
    created.document_classifier_arn().expect("ARN").to_owned()
}

#[tokio::test]
async fn a_classifier_is_trained_served_replaced_and_deleted() {
    let function = Function::new();
    let comprehend = function.comprehend();
    let status = async |arn: &str| {
        let call = comprehend
            .describe_document_classifier()
            .document_classifier_arn(arn);
        let described = call.send().await.expect("described");
        described
            .document_classifier_properties()
            .and_then(|properties| properties.status().cloned())
    };
    let endpoint_properties = async |arn: &str| {
        let described = comprehend
            .describe_endpoint()
            .endpoint_arn(arn)
            .send()
            .await
            .expect("described");
        described.endpoint_properties().expect("properties").clone()
    };
    let pets = PETS_CSV.repeat(3);
    function.put_quietly("train/1.csv", &pets).await;
    // Labels exchanged, so that an answer tells which model gave it.
    let exchanged = pets
        .replace("Cat,", "?,")
        .replace("Dog,", "Cat,")
        .replace("?,", "Dog,");
    function.put_quietly("train/2.csv", &exchanged).await;

    let first = create_version(&comprehend, "v1", "train/1.csv").await;
    assert_eq!(first, format!("{SCOPE}:document-classifier/pets/version/v1"));
    assert_eq!(status(&first).await, Some(ModelStatus::Submitted));
    function.work().await;
    assert_eq!(status(&first).await, Some(ModelStatus::Trained));

    let create = comprehend
        .create_endpoint()
        .endpoint_name("pets")
        .model_arn(&first);
    let created = create.desired_inference_units(1).send().await.expect("created");
    let endpoint = created.endpoint_arn().expect("ARN").to_owned();
    assert_eq!(
        endpoint_properties(&endpoint).await.status(),
        Some(&EndpointStatus::Creating)
    );
    function.work().await;
    let in_service = endpoint_properties(&endpoint).await;
    assert_eq!(in_service.status(), Some(&EndpointStatus::InService));
    assert_eq!(in_service.current_inference_units(), Some(1));
    assert_eq!(
        best_class(&comprehend, &endpoint, "a kitten that purrs").await,
        "Cat"
    );

    let second = create_version(&comprehend, "v2", "train/2.csv").await;
    function.work().await;
    let update = comprehend
        .update_endpoint()
        .endpoint_arn(&endpoint)
        .desired_model_arn(&second);
    let updated = update.send().await.expect("updated");
    assert_eq!(updated.desired_model_arn(), Some(second.as_str()));
    let updating = endpoint_properties(&endpoint).await;
    assert_eq!(updating.status(), Some(&EndpointStatus::Updating));
    assert_eq!(updating.model_arn(), Some(first.as_str()));
    assert_eq!(updating.desired_model_arn(), Some(second.as_str()));
    assert_eq!(
        best_class(&comprehend, &endpoint, "a kitten that purrs").await,
        "Cat"
    );
    function.work().await;
    let updated = endpoint_properties(&endpoint).await;
    assert_eq!(updated.status(), Some(&EndpointStatus::InService));
    assert_eq!(updated.model_arn(), Some(second.as_str()));
    assert_eq!(updated.desired_model_arn(), Some(second.as_str()));
    assert_eq!(
        best_class(&comprehend, &endpoint, "a kitten that purrs").await,
        "Dog"
    );

    let delete = async |arn: &str| {
        comprehend
            .delete_document_classifier()
            .document_classifier_arn(arn)
            .send()
            .await
    };
    let in_use = delete(&second).await.expect_err("in use").into_service_error();
    assert!(in_use.is_resource_in_use_exception());
    comprehend
        .delete_endpoint()
        .endpoint_arn(&endpoint)
        .send()
        .await
        .expect("deleted");
    for arn in [&first, &second] {
        delete(arn).await.expect("deleted");
        let gone = delete(arn).await.expect_err("gone").into_service_error();
        assert!(gone.is_resource_not_found_exception());
    }
    assert_eq!(function.keys("text-classifier/").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_endpoint_that_is_made_anew_under_its_name_answers_by_its_new_model_alone() {
    let function = Function::new();
    let exchanged = PETS_CSV
        .replace("Cat,", "?,")
        .replace("Dog,", "Cat,")
        .replace("?,", "Dog,");
    let old = function.trained_classifier("v1", PETS_CSV).await;
    let new = function.trained_classifier("v2", &exchanged).await;
    let endpoint = function.endpoint_of("pets", &old).await;
    let comprehend = function.comprehend();

    let before = best_class(&comprehend, &endpoint, "a kitten that purrs").await;
    let deleted = function
        .call("DeleteEndpoint", &json!({"EndpointArn": endpoint}))
        .await;
    let anew = function.endpoint_of("pets", &new).await;
    let after = best_class(&comprehend, &anew, "a kitten that purrs").await;

    assert_eq!((deleted.status, &anew), (200, &endpoint));
    assert_eq!((before.as_str(), after.as_str()), ("Cat", "Dog"));
}

#[tokio::test]
async fn endpoints_serve_their_models_side_by_side_and_in_a_new_process() {
    let function = Function::new();
    let pets = function.trained_classifier("pets", PETS_CSV).await;
    let weather = function.trained_classifier("weather", WEATHER_CSV).await;
    let endpoints = [
        function.endpoint_of("pets", &pets).await,
        function.endpoint_of("weather", &weather).await,
    ];
    let restarted = function.restarted();

    for (endpoint, text, class) in [
        (&endpoints[0], "it barks", "Dog"),
        (&endpoints[1], "puddles", "Rain"),
    ] {
        let body = json!({"EndpointArn": endpoint, "Text": text});
        let here = function.call("ClassifyDocument", &body).await;
        let event = url_event("Comprehend_20171127.ClassifyDocument", &body.to_string(), false);
        let there = answer(&restarted, &event).await;

        assert_eq!(here.body["Classes"][0]["Name"], class);
        assert_eq!(there.body, here.body);
    }
}

#[tokio::test]
async fn an_update_that_fails_leaves_the_old_model_in_service_and_says_why() {
    let function = Function::new();
    let old = function.trained_classifier("v1", PETS_CSV).await;
    let new = function.trained_classifier("v2", WEATHER_CSV).await;
    let endpoint = function.endpoint_of("pets", &old).await;
    function
        .put_quietly(
            "text-classifier/models/document-classifier/news/version/v2.bin",
            "damaged",
        )
        .await;

    let request = json!({"EndpointArn": endpoint, "DesiredModelArn": new});
    function.call("UpdateEndpoint", &request).await;
    function.work().await;

    let properties = function.endpoint(&endpoint).await;
    assert_eq!(properties["Status"], "IN_SERVICE");
    assert_eq!(properties["ModelArn"], old.as_str());
    assert_eq!(properties["DesiredModelArn"], new.as_str());
    assert_eq!(
        properties["Message"],
        "the model cannot be loaded: not a model file"
    );
    let body = json!({"EndpointArn": endpoint, "Text": "it barks"});
    assert_eq!(
        function.call("ClassifyDocument", &body).await.body["Classes"][0]["Name"],
        "Dog"
    );
    let request = json!({"EndpointArn": endpoint, "DesiredModelArn": old, "DesiredInferenceUnits": 2});
    function.call("UpdateEndpoint", &request).await;
    function.work().await;
    let properties = function.endpoint(&endpoint).await;
    assert_eq!(properties["DesiredModelArn"], properties["ModelArn"]);
    assert_eq!(properties["CurrentInferenceUnits"], 2);
    assert_eq!(properties.get("Message"), None);
}

#[tokio::test]
async fn an_endpoint_whose_first_model_cannot_be_loaded_has_failed_and_can_be_deleted() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function
        .put_quietly(
            "text-classifier/models/document-classifier/news/version/v1.bin",
            "damaged",
        )
        .await;

    let endpoint = function.endpoint_of("pets", &model).await;

    assert_eq!(function.endpoint(&endpoint).await["Status"], "FAILED");
    let body = json!({"EndpointArn": endpoint, "Text": "it barks"});
    let classified = function.call("ClassifyDocument", &body).await;
    assert_eq!(classified.body["__type"], "ResourceUnavailableException");
    assert_eq!(
        function
            .call("DeleteEndpoint", &json!({"EndpointArn": endpoint}))
            .await
            .status,
        200
    );
    assert_eq!(function.endpoint(&endpoint).await, Value::Null);
}

#[tokio::test]
async fn a_promoted_model_is_not_replaced_by_an_old_initial_file() {
    let function = Function::new();
    let initial = function.put("initial/pets.csv", PETS_CSV).await;
    function.deliver(&initial).await.expect("good file");
    function.waiting_events();
    let promoted = function.trained_classifier("v2", WEATHER_CSV).await;
    let request = json!({"EndpointArn": ENDPOINT_ARN, "DesiredModelArn": promoted});
    function.call("UpdateEndpoint", &request).await;
    function.work().await;

    function.deliver(&initial).await.expect("nothing to do");

    assert_eq!(
        function.endpoint(ENDPOINT_ARN).await["ModelArn"],
        promoted.as_str()
    );
}

#[tokio::test]
async fn an_endpoint_that_lost_its_event_is_finished_after_somebody_describes_it() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    let request = json!({"EndpointName": "pets", "ModelArn": model, "DesiredInferenceUnits": 1});
    function.call("CreateEndpoint", &request).await;
    function.waiting_events();
    let arn = format!("{SCOPE}:document-classifier-endpoint/pets");
    function.endpoint(&arn).await;
    assert_eq!(function.waiting_events(), []);

    function
        .edit_state("document-classifier-endpoint/pets", |state| {
            state["properties"]["LastModifiedTime"] = 1_700_000_000.into();
        })
        .await;
    function.endpoint(&arn).await;
    function.work().await;

    assert_eq!(function.endpoint(&arn).await["Status"], "IN_SERVICE");
}
