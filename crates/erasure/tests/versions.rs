//! Old versions: the local service keeps none, so that this one answers as S3 does.

use std::sync::{Arc, Mutex};

use active_learning_aws::bucket::Bucket;
use aws_credential_types::Credentials;
use axum::{Router, body::Body};
use chrono::Utc;
use erasure::erase::{self, Buckets};
use http::{Request, Response};
use local_aws::{LocalAws, s3::BucketSpec, transport::sdk_config};
use serde_json::json;
use tower::ServiceExt;

const TEXT: &str = "I live in 4 Elm Street, next to the old mill.";

/// Old versions of the training bucket, each by its id: the key and the content.
fn versions() -> [(&'static str, &'static str, String); 4] {
    let labelled = |text: &str| json!({"record": {"classifier": "news", "utterance": text}}).to_string();
    [
        ("v1", "disputed/gone.json", labelled(TEXT)),
        (
            "v2",
            "disputed/of-another.json",
            labelled(&format!("He wrote: {TEXT}")),
        ),
        (
            "v3",
            "datasets/v1/train.csv",
            format!("World,\"{TEXT}\"\nWorld,Other\n"),
        ),
        ("v4", "label-set.json", labelled(TEXT)),
    ]
}

fn xml(body: String) -> Response<Body> {
    Response::new(Body::from(body))
}

/// Answers what concerns versions of the training bucket; `None` is for the service.
fn answer(request: &Request<Body>, deleted: &Mutex<Vec<String>>) -> Option<Response<Body>> {
    let query = request.uri().query().unwrap_or_default();
    let pair = |name: &str| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")))
    };
    if !request.uri().path().starts_with("/training") {
        return None;
    }
    if query
        .split('&')
        .any(|pair| pair.trim_end_matches('=') == "versioning")
    {
        let status = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        return Some(xml(status.to_owned()));
    }
    if query
        .split('&')
        .any(|pair| pair.trim_end_matches('=') == "versions")
    {
        let wanted =
            |key: &str| pair("prefix").is_none_or(|prefix| key.starts_with(&prefix.replace("%2F", "/")));
        let listed = versions().into_iter().filter(|(_, key, _)| wanted(key));
        let listed: String = listed
            .map(|(id, key, content)| {
                let size = content.len();
                format!(
                    "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>false</IsLatest><Size>{size}</Size></Version>"
                )
            })
            .collect();
        let listing =
            format!("<ListVersionsResult><IsTruncated>false</IsTruncated>{listed}</ListVersionsResult>");
        return Some(xml(listing));
    }
    let id = pair("versionId")?;
    if request.method() == "DELETE" {
        deleted.lock().expect("not poisoned").push(id.to_owned());
        return Some(xml(String::new()));
    }
    let (_, _, content) = versions().into_iter().find(|(known, ..)| *known == id)?;
    Some(xml(content))
}

#[tokio::test]
async fn old_versions_go_that_hold_an_erased_text_also_of_objects_that_are_gone() {
    let aws = LocalAws::in_memory();
    for name in ["batch", "feedback", "review", "training"] {
        let name = name.to_owned();
        let spec = BucketSpec {
            name,
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(spec).expect("the index works");
    }
    let deleted: Arc<Mutex<Vec<String>>> = Arc::default();
    let (service, log) = (aws.router(), deleted.clone());
    let router = Router::new().fallback(move |request: Request<Body>| {
        let answered = answer(&request, &log);
        let service = service.clone();
        async move {
            match answered {
                Some(response) => response,
                None => service
                    .oneshot(request)
                    .await
                    .unwrap_or_else(|never| match never {}),
            }
        }
    });
    let sdk = sdk_config(router, Credentials::from_keys("test", "test", None));
    let batch = Bucket::new(aws_sdk_s3::Client::new(&sdk), "batch");
    let buckets = Buckets {
        feedback: batch.other("feedback"),
        review: batch.other("review"),
        training: batch.other("training"),
        batch,
    };

    let job = erase::find(&buckets, &[TEXT.to_owned()], &[], Utc::now())
        .await
        .expect("looked through");
    let report = erase::erase(&buckets, job).await.expect("erased");

    assert_eq!(*deleted.lock().expect("not poisoned"), ["v1", "v3"]);
    assert_eq!(report.old_versions, 2);
}
