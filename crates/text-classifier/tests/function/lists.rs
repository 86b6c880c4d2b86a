//! Lists: filters one at a time, pages, order.

use serde_json::{Value, json};

use crate::harness::{ENDPOINT_ARN, Function, PETS_CSV, ROLE_ARN, WEATHER_CSV};

const CLASSIFIERS: (&str, &str) = ("ListDocumentClassifiers", "DocumentClassifierPropertiesList");
const ENDPOINTS: (&str, &str) = ("ListEndpoints", "EndpointPropertiesList");
const JOBS: (&str, &str) = (
    "ListDocumentClassificationJobs",
    "DocumentClassificationJobPropertiesList",
);

async fn list(
    function: &Function,
    (operation, member): (&str, &str),
    request: Value,
    name: &str,
) -> Vec<Value> {
    let listed = function.call(operation, &request).await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    let items = listed.body[member].as_array().expect("a list");
    items.iter().map(|item| item[name].clone()).collect()
}

async fn set_submit_time(function: &Function, version: &str, time: f64) {
    function
        .edit_state(&format!("document-classifier/news/version/{version}"), |state| {
            state["properties"]["SubmitTime"] = time.into();
        })
        .await;
}

#[tokio::test]
async fn classifiers_are_filtered_by_name_status_and_time() {
    let function = Function::new();
    function.trained_classifier("v1", PETS_CSV).await;
    function.trained_classifier("v2", WEATHER_CSV).await;
    function.create_classifier("v3", PETS_CSV).await;
    for (version, time) in [("v1", 100.0), ("v2", 200.0), ("v3", 300.0)] {
        set_submit_time(&function, version, time).await;
    }

    for (filter, versions) in [
        (json!(null), json!(["v3", "v2", "v1"])),
        (json!({}), json!(["v3", "v2", "v1"])),
        (json!({"Status": "TRAINED"}), json!(["v2", "v1"])),
        (
            json!({"DocumentClassifierName": "news"}),
            json!(["v3", "v2", "v1"]),
        ),
        (json!({"DocumentClassifierName": "other"}), json!([])),
        (json!({"SubmitTimeBefore": 300.0}), json!(["v1", "v2"])),
        (json!({"SubmitTimeAfter": 100}), json!(["v3", "v2"])),
    ] {
        let found = list(&function, CLASSIFIERS, json!({"Filter": filter}), "VersionName").await;

        assert_eq!(json!(found), versions, "{filter}");
    }
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let function = Function::new();
    for version in ["v1", "v2", "v3"] {
        function.trained_classifier(version, PETS_CSV).await;
    }
    let mut found = Vec::new();
    let mut request = json!({"MaxResults": 2});

    loop {
        let page = function.call("ListDocumentClassifiers", &request).await.body;
        let items = page["DocumentClassifierPropertiesList"]
            .as_array()
            .expect("a list");
        found.push(items.len());
        if page["NextToken"].is_null() {
            break;
        }
        request["NextToken"] = page["NextToken"].clone();
    }

    assert_eq!(found, [2, 1]);
}

#[tokio::test]
async fn summaries_count_versions_and_name_the_latest() {
    let function = Function::new();
    function.trained_classifier("v1", PETS_CSV).await;
    function.create_classifier("v2", PETS_CSV).await;
    set_submit_time(&function, "v1", 100.0).await;
    set_submit_time(&function, "v2", 200.5).await;

    let listed = function.call("ListDocumentClassifierSummaries", &json!({})).await;

    assert_eq!(
        listed.body,
        json!({"DocumentClassifierSummariesList": [{
            "DocumentClassifierName": "news",
            "NumberOfVersions": 2,
            "LatestVersionCreatedAt": 200.5,
            "LatestVersionName": "v2",
            "LatestVersionStatus": "SUBMITTED",
        }]})
    );
}

#[tokio::test]
async fn endpoints_are_filtered_by_model_status_and_time() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    let pets = function.endpoint_of("pets", &model).await;

    for (filter, endpoints) in [
        (json!({}), json!([pets, ENDPOINT_ARN])),
        (json!({"ModelArn": model}), json!([pets])),
        (json!({"Status": "IN_SERVICE"}), json!([pets])),
        (json!({"Status": "CREATING"}), json!([ENDPOINT_ARN])),
        (json!({"CreationTimeAfter": 1_000.5}), json!([pets])),
        (json!({"CreationTimeBefore": 1_000}), json!([ENDPOINT_ARN])),
    ] {
        let found = list(&function, ENDPOINTS, json!({"Filter": filter}), "EndpointArn").await;

        assert_eq!(json!(found), endpoints, "{filter}");
    }
}

#[tokio::test]
async fn jobs_are_filtered_by_name_status_and_time() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    for name in ["first", "second"] {
        let request = json!({
            "JobName": name,
            "DocumentClassifierArn": model,
            "InputDataConfig": {"S3Uri": "s3://example-training/nothing"},
            "OutputDataConfig": {"S3Uri": "s3://example-training/out"},
            "DataAccessRoleArn": ROLE_ARN,
        });
        function.call("StartDocumentClassificationJob", &request).await;
        if name == "first" {
            function.work().await;
        }
    }

    for (filter, names) in [
        (json!({"JobName": "first"}), json!(["first"])),
        (json!({"JobStatus": "SUBMITTED"}), json!(["second"])),
        (json!({"JobStatus": "STOPPED"}), json!([])),
        (
            json!({"SubmitTimeBefore": 4_000_000_000_u64}),
            json!(["first", "second"]),
        ),
        (json!({"SubmitTimeAfter": 0}), json!(["second", "first"])),
    ] {
        let found = list(&function, JOBS, json!({"Filter": filter}), "JobName").await;

        assert_eq!(json!(found), names, "{filter}");
    }
}

#[tokio::test]
async fn two_filters_at_a_time_and_bad_pages_are_refused() {
    let function = Function::new();
    let two_times = json!({"Filter": {"SubmitTimeBefore": 2, "SubmitTimeAfter": 1}});
    for (operation, request, code) in [
        (CLASSIFIERS.0, two_times.clone(), "InvalidFilterException"),
        (
            CLASSIFIERS.0,
            json!({"Filter": {"Status": "TRAINED", "DocumentClassifierName": "news"}}),
            "InvalidFilterException",
        ),
        (JOBS.0, two_times, "InvalidFilterException"),
        (
            CLASSIFIERS.0,
            json!({"Filter": {"Status": "READY"}}),
            "ValidationException",
        ),
        (
            JOBS.0,
            json!({"Filter": {"JobStatus": "TRAINED"}}),
            "ValidationException",
        ),
        (
            ENDPOINTS.0,
            json!({"Filter": {"Status": "READY"}}),
            "ValidationException",
        ),
        (
            ENDPOINTS.0,
            json!({"Filter": {"ModelArn": "news"}}),
            "ValidationException",
        ),
        (ENDPOINTS.0, json!({"MaxResults": 0}), "ValidationException"),
        (CLASSIFIERS.0, json!({"MaxResults": 501}), "ValidationException"),
        (
            "ListDocumentClassifierSummaries",
            json!({"NextToken": "x"}),
            "InvalidRequestException",
        ),
    ] {
        let refused = function.call(operation, &request).await;

        assert_eq!(refused.body["__type"], code, "{operation} {request}");
    }
}

#[tokio::test]
async fn tags_of_a_resource_are_listed_added_replaced_and_removed() {
    let function = Function::new();
    let arn = function.create_classifier("v1", PETS_CSV).await;
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let of = |arn: &str, more: Value| {
        let mut request = json!({"ResourceArn": arn});
        for (member, value) in more.as_object().expect("an object") {
            request[member] = value.clone();
        }
        request
    };
    let listed = async || {
        let listed = function.call("ListTagsForResource", &of(&arn, json!({}))).await;
        assert_eq!(listed.status, 200, "{}", listed.body);
        listed.body["Tags"].clone()
    };
    let before = listed().await;

    let tags = json!({"Tags": [tag("team", "a"), tag("cost", "1")]});
    let tagged = function.call("TagResource", &of(&arn, tags)).await;
    let again = json!({"Tags": [tag("team", "b")]});
    function.call("TagResource", &of(&arn, again)).await;
    let both = listed().await;
    let untagged = json!({"TagKeys": ["cost", "none"]});
    function.call("UntagResource", &of(&arn, untagged)).await;
    let many: Vec<Value> = (0..51).map(|number| tag(&number.to_string(), "")).collect();
    let too_many = function
        .call("TagResource", &of(&arn, json!({"Tags": many})))
        .await;
    let unknown = of(&format!("{arn}x"), json!({}));
    let unknown = function.call("ListTagsForResource", &unknown).await;

    assert_eq!((tagged.status, before), (200, json!([])));
    assert_eq!(both, json!([tag("cost", "1"), tag("team", "b")]));
    assert_eq!(listed().await, json!([tag("team", "b")]));
    assert_eq!(too_many.body["__type"], "TooManyTagsException");
    assert_eq!(unknown.body["__type"], "ResourceNotFoundException");
    assert_eq!(function.classifier(&arn).await["Status"], "SUBMITTED");
}
