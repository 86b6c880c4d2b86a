//! Who is let in: names of this machine, and pages of it.

use local_aws::LocalAws;

use crate::setup::{Call, FUNCTION_ARN, get, post, put_api, services};

const REBOUND: &[(&str, &str)] = &[("host", "evil.example:4566")];
const FOREIGN: &[(&str, &str)] = &[("host", "127.0.0.1:4566"), ("origin", "http://evil.example")];

fn with<'a>(headers: &'a [(&'a str, &'a str)], call: Call<'a>) -> Call<'a> {
    Call { headers, ..call }
}

#[tokio::test]
async fn a_page_that_rebinds_its_name_or_comes_from_elsewhere_reaches_no_service() {
    let aws = services();
    put_api(&aws, 29_000);
    let lists_buckets = "/";
    let invokes = format!("/2015-03-31/functions/{FUNCTION_ARN}/invocations");
    let paths = ["/_aws/health", lists_buckets, &invokes, "/_aws/lambda-url/url1/"];

    for path in paths {
        let rebound = with(REBOUND, get(path)).send(&aws).await;
        let foreign = with(FOREIGN, get(path)).send(&aws).await;
        assert_eq!((rebound.status, foreign.status), (421, 403), "{path}");
        assert!(foreign.body.contains("ForeignOrigin"), "{path}: {}", foreign.body);
    }
    let api = with(REBOUND, post("/_aws/execute-api/api1/dev/any", "{}"))
        .send(&aws)
        .await;
    assert_eq!(api.status, 421);
}

#[tokio::test]
async fn an_api_decides_itself_which_pages_may_call_it() {
    let aws = services();
    put_api(&aws, 29_000);

    let answer = with(FOREIGN, post("/_aws/execute-api/api1/dev/any", "{}"))
        .send(&aws)
        .await;

    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn another_name_is_answered_where_it_is_allowed() {
    let aws = LocalAws::in_memory();
    let before = with(&[("host", "review.example")], get("/_aws/health"))
        .send(&aws)
        .await;

    aws.allow_host("Review.example");
    let after = with(&[("host", "review.example")], get("/_aws/health"))
        .send(&aws)
        .await;

    assert_eq!((before.status, after.status), (421, 200));
}
