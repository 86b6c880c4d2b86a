//! Comprehend's JSON 1.1, request by request.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{ENDPOINT_ARN, Function, PETS_CSV, answer, url_event};

const OTHER_ENDPOINT: &str = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/other";

async fn ready() -> Function {
    let function = Function::new();
    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");
    function
}

async fn classify(function: &Function, members: Value) -> (u64, Value) {
    let mut body = json!({"EndpointArn": ENDPOINT_ARN});
    body.as_object_mut()
        .expect("object")
        .extend(members.as_object().expect("object").clone());
    let answer = function.call("ClassifyDocument", &body).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn the_sample_event_is_classified() {
    let function = Function::new();
    let csv = "Sports,the coach praised the goalkeeper\nBusiness,profit and shares fell\n\
               World,the president met the ministers\nSciTech,software for robots\n";
    function.train("initial/news.csv", csv).await.expect("good file");
    let event = include_str!("../../../../events/text-classifier/classify-document.json");

    let answer = answer(&function.classifier, &serde_json::from_str(event).expect("JSON")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(answer.headers["x-amzn-requestid"], "6f1c2f2e");
    let classes = answer.body["Classes"].as_array().expect("classes");
    assert_eq!(classes.len(), 3, "top three of four");
    assert_eq!(classes[0]["Name"], "Sports");
    let scores: Vec<f64> = classes
        .iter()
        .filter_map(|class| class["Score"].as_f64())
        .collect();
    assert!(scores.is_sorted_by(|left, right| left >= right), "{scores:?}");
    assert!(scores.iter().sum::<f64>() < 1.0);
}

#[tokio::test]
async fn all_labels_of_a_multi_label_model_are_answered() {
    let function = Function::new();
    let csv = "Rain|Wind,a storm\nSun,beach\nSnow,skis\nHail|Wind,ice and gusts\n";
    function
        .train("initial/weather.csv", csv)
        .await
        .expect("good file");

    let (status, body) = classify(&function, json!({"Text": "a storm"})).await;

    assert_eq!(status, 200);
    assert_eq!(body["Labels"].as_array().map(Vec::len), Some(5));
    assert_eq!(body.get("Classes"), None);
}

#[tokio::test]
async fn bytes_of_plain_text_are_classified_with_their_page() {
    let function = ready().await;

    let (status, body) = classify(&function, json!({"Bytes": "cHVycnMg4piD"})).await;

    assert_eq!(status, 200);
    assert_eq!(body["Classes"][0]["Name"], "Cat");
    assert_eq!(body["Classes"][0]["Page"], 1);
    assert_eq!(body["DocumentType"], json!([{"Page": 1, "Type": "PLAIN_TEXT"}]));
    assert_eq!(
        body["DocumentMetadata"],
        json!({"Pages": 1, "ExtractedCharacters": [{"Page": 1, "Count": 7}]})
    );
}

#[tokio::test]
async fn before_the_first_model_the_endpoint_is_creating_and_not_available() {
    let function = Function::new();

    let classified = classify(&function, json!({"Text": "purrs"})).await;
    let described = function
        .call("DescribeEndpoint", &json!({"EndpointArn": ENDPOINT_ARN}))
        .await;

    assert_eq!(classified.0, 400);
    assert_eq!(classified.1["__type"], "ResourceUnavailableException");
    assert_eq!(described.status, 200);
    assert_eq!(described.body["EndpointProperties"]["Status"], "CREATING");
    assert_eq!(described.body["EndpointProperties"]["EndpointArn"], ENDPOINT_ARN);
}

#[tokio::test]
async fn text_is_limited_in_bytes_not_characters() {
    let function = ready().await;

    let (longest, _) = classify(&function, json!({"Text": "é".repeat(5_120)})).await;
    let (status, body) = classify(&function, json!({"Text": "é".repeat(5_121)})).await;

    assert_eq!(longest, 200);
    assert_eq!(status, 400);
    assert_eq!(
        body,
        json!({
            "__type": "TextSizeLimitExceededException",
            "Message": "Input text size exceeds limit. Max length of request text allowed is 10240 bytes \
                        while in this request the text size is 10242 bytes",
        })
    );
}

#[tokio::test]
async fn each_bad_request_has_its_code() {
    let function = ready().await;
    let classify = "ClassifyDocument";
    let model = |arn: &str| json!({"DocumentClassifierArn": arn});
    let arn = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news/version/none";
    let cases = [
        (classify, json!({}), "ValidationException"),
        (
            classify,
            json!({"EndpointArn": null, "Text": "purrs"}),
            "ValidationException",
        ),
        (
            classify,
            json!({"EndpointArn": "news", "Text": "purrs"}),
            "ValidationException",
        ),
        (
            classify,
            json!({"EndpointArn": ENDPOINT_ARN, "Text": ""}),
            "ValidationException",
        ),
        (
            classify,
            json!({"EndpointArn": ENDPOINT_ARN, "Bytes": ""}),
            "ValidationException",
        ),
        (
            classify,
            json!({"EndpointArn": ENDPOINT_ARN}),
            "InvalidRequestException",
        ),
        (
            classify,
            json!({"EndpointArn": ENDPOINT_ARN, "Text": "a", "Bytes": "YQ=="}),
            "InvalidRequestException",
        ),
        (
            classify,
            json!({"EndpointArn": ENDPOINT_ARN, "Bytes": "not base64!"}),
            "SerializationException",
        ),
        (
            classify,
            json!({"EndpointArn": ENDPOINT_ARN, "Text": 5}),
            "SerializationException",
        ),
        (classify, json!([ENDPOINT_ARN, "purrs"]), "SerializationException"),
        (
            classify,
            json!({"EndpointArn": OTHER_ENDPOINT, "Text": "purrs"}),
            "ResourceUnavailableException",
        ),
        ("DescribeEndpoint", json!({}), "ValidationException"),
        (
            "DescribeEndpoint",
            json!({"EndpointArn": OTHER_ENDPOINT}),
            "ResourceNotFoundException",
        ),
        ("DescribeDocumentClassifier", json!({}), "ValidationException"),
        (
            "DescribeDocumentClassifier",
            model(ENDPOINT_ARN),
            "ValidationException",
        ),
        (
            "DescribeDocumentClassifier",
            model(arn),
            "ResourceNotFoundException",
        ),
        (
            "DescribeDocumentClassifier",
            model(&arn.replace("news", "other")),
            "ResourceNotFoundException",
        ),
    ];
    for (operation, body, code) in cases {
        let answer = function.call(operation, &body).await;

        assert_eq!(answer.body["__type"], code, "{operation} {body}");
        assert_eq!(answer.headers["x-amzn-errortype"], code);
        assert_eq!(answer.status, 400);
        assert!(answer.body["Message"].is_string());
    }
}

#[tokio::test]
async fn documents_that_are_not_plain_text_are_unsupported() {
    let function = ready().await;
    // "%PDF-1.7", a PNG's start, Latin-1.
    for base64 in ["JVBERi0xLjc=", "iVBORw0KGgo=", "Y2Fm6Q=="] {
        let (status, body) = classify(&function, json!({"Bytes": base64})).await;

        assert_eq!(status, 400);
        assert_eq!(body["__type"], "InvalidRequestException");
        assert_eq!(body["Reason"], "INVALID_DOCUMENT");
        assert_eq!(body["Detail"], json!({"Reason": "UNSUPPORTED_DOC_TYPE"}));
    }
}

#[tokio::test]
async fn bodies_that_are_not_json_are_refused() {
    let function = ready().await;
    for body in [
        "",
        "{",
        "null",
        "\"text\"",
        "{\"Text\": \"\\ud800\"}",
        &"[".repeat(10_000),
    ] {
        let answer = function
            .call_raw("Comprehend_20171127.ClassifyDocument", body)
            .await;

        assert_eq!(answer.body["__type"], "SerializationException", "{body}");
        assert_eq!(answer.status, 400);
    }
    for body in ["%%%", "/w=="] {
        let event = url_event("Comprehend_20171127.ClassifyDocument", body, true);
        assert_eq!(
            answer(&function.classifier, &event).await.body["__type"],
            "SerializationException"
        );
    }
}

#[tokio::test]
async fn operations_that_are_not_implemented_are_refused_by_name() {
    let function = Function::new();

    let known = function.call("CreateEntityRecognizer", &json!({})).await;
    let foreign = function.call_raw("Firehose_20150804.PutRecord", "{}").await;
    let mut no_target = url_event("", "{}", false);
    no_target["headers"] = json!({"smithy-protocol": "rpc-v2-cbor"});

    assert_eq!(known.status, 501);
    assert_eq!(known.body["__type"], "UnsupportedOperationException");
    assert!(
        known.body["Message"]
            .as_str()
            .is_some_and(|text| text.contains("CreateEntityRecognizer"))
    );
    assert_eq!(foreign.body["__type"], "UnknownOperationException");
    assert_eq!(
        answer(&function.classifier, &no_target).await.body["__type"],
        "UnknownOperationException"
    );
}

#[test]
fn any_body_gets_an_answer_of_the_protocol() {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let function = runtime.block_on(ready());
    proptest!(|(text in "(?s).{0,200}", target in "Comprehend_20171127\\.[A-Za-z]{0,20}|.{0,20}")| {
        let text_body = json!({"EndpointArn": ENDPOINT_ARN, "Text": text}).to_string();
        for body in [text.as_str(), &text_body] {
            for target in ["Comprehend_20171127.ClassifyDocument", &target] {
                let mut event = url_event("", body, false);
                if target.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                    event["headers"]["x-amz-target"] = target.into();
                }
                let answer = runtime.block_on(answer(&function.classifier, &event));
                prop_assert!(answer.status == 200 || answer.body["__type"].is_string());
                prop_assert_ne!(answer.status, 500);
            }
        }
    });
}

#[tokio::test]
async fn predictions_are_explained_by_words_of_the_text() {
    let function = ready().await;
    let endpoint = ENDPOINT_ARN;
    let documents = json!([
        {"Text": "The dog barks at a cat", "Classes": ["Dog"]},
        {"Text": "The dog barks at a cat", "Classes": ["Cat"]},
        {"Text": "The dog barks", "Classes": ["Fish"]},
    ]);
    let explain = async |endpoint: &str, documents: &Value| {
        let request = json!({"EndpointArn": endpoint, "Documents": documents});
        function.call("ExplainDocuments", &request).await
    };

    let explained = explain(endpoint, &documents).await;
    let too_many = explain(endpoint, &json!(vec![&documents[0]; 101])).await;
    let too_long = json!([{"Text": "x".repeat(10_241), "Classes": []}]);
    let too_long = explain(endpoint, &too_long).await;
    let elsewhere = explain(OTHER_ENDPOINT, &documents).await;

    assert_eq!(explained.status, 200, "{}", explained.body);
    let words = explained.body["Words"].as_array().expect("a list for each text");
    assert!(
        words[0].as_array().expect("words").contains(&json!("dog")),
        "{words:?}"
    );
    assert!(
        words[1].as_array().expect("words").contains(&json!("cat")),
        "{words:?}"
    );
    assert!(
        !words[1].as_array().expect("words").contains(&json!("dog")),
        "{words:?}"
    );
    assert_eq!(words[2], json!([]), "a class that the model does not know");
    assert_eq!(
        [too_many.status, too_long.status, elsewhere.status],
        [400, 400, 400]
    );
}
