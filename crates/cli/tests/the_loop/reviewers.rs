//! Who may sign in, as an operator sees and changes it at the command line.

use std::{
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use active_learning_cli::http_client::send;
use serde_json::{Value, json};

use crate::harness::{self, Killable, json_objects, until};

/// Uses a sign-in link as a browser would; returns the cookie of the session, or the status of the refusal.
async fn sign_in(link: &str) -> Result<String, u16> {
    let (portal, token) = link
        .trim()
        .split_once("sign-in?token=")
        .expect("a link of the portal");
    let request = http::Request::post(format!("{portal}sign-in"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={token}"))
        .expect("a request");
    let response = send(request).await.expect("the portal answers");
    match response.headers().get("set-cookie") {
        Some(cookie) => Ok(cookie
            .to_str()
            .expect("text")
            .split(';')
            .next()
            .expect("a cookie")
            .to_owned()),
        None => Err(response.status().as_u16()),
    }
}

/// Returns the status of a page for a session.
async fn status_of_queue(portal_url: &str, cookie: &str) -> u16 {
    let request = http::Request::get(format!("{}/queue", portal_url.trim_end_matches('/')))
        .header("cookie", cookie)
        .body(String::new())
        .expect("a request");
    send(request).await.expect("the portal answers").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_is_invited_paused_let_in_again_and_revoked_at_the_command_line() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Killable::start(folder.path(), "1");
    let portal = stack.outputs.portal_url.clone();
    let reviewers = async |arguments: &[&str]| {
        let arguments = [&["reviewers"], arguments].concat();
        harness::command(folder.path(), &arguments).await
    };
    let link_in = |printed: &str| printed.lines().next().expect("a line").to_owned();

    let (invited, first_link) = reviewers(&["invite", "ann", "--role", "admin", "--by", "ada"]).await;
    let session = sign_in(&link_in(&first_link)).await.expect("signed in");
    let as_ann = status_of_queue(&portal, &session).await;
    let (listed, list) = reviewers(&["list", "--json"]).await;
    let (paused, _) = reviewers(&["pause", "ann"]).await;
    // The function takes what it read for true up to a minute, but what it changed itself at once.
    until(async || status_of_queue(&portal, &session).await == 403).await;
    let (_, while_paused) = reviewers(&[]).await;
    let (resumed, _) = reviewers(&["resume", "ann"]).await;
    let let_in_again = status_of_queue(&portal, &session).await;
    let (revoked, _) = reviewers(&["revoke", "ann"]).await;
    let after_revoke = status_of_queue(&portal, &session).await;
    let (_, json_link) = reviewers(&["invite", "ann", "--json"]).await;
    let unknown = reviewers(&["pause", "bob"]).await;
    let s3 = stack.s3().await;
    let log = json_objects(&s3, stack.outputs.output("ReviewS3Bucket"), "audit-log/", ".json").await;

    assert!(invited && listed && paused && resumed && revoked);
    assert_eq!((as_ann, let_in_again), (200, 200));
    assert!(after_revoke >= 400, "{after_revoke}");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let ann = list
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["name"] == "ann");
    let ann = ann.expect("she is listed");
    assert_eq!((&ann["role"], &ann["paused"]), (&json!("admin"), &json!(false)));
    assert!(
        while_paused.contains("ann") && while_paused.contains("paused"),
        "{while_paused}"
    );
    let json_link: Value = serde_json::from_str(&json_link).expect("JSON");
    assert!(
        json_link["url"]
            .as_str()
            .is_some_and(|url| url.contains("sign-in?token="))
    );
    assert!(
        !unknown.0 && unknown.1.contains("nobody of this name is known"),
        "{}",
        unknown.1
    );

    let done: Vec<Value> = log
        .iter()
        .map(|entry| json!([entry["by"], entry["action"], entry["subject"], entry["failed"]]))
        .collect();
    for entry in [
        json!(["ada", "invite", "ann", null]),
        json!(["operator", "pause-reviewer", "ann", null]),
        json!(["operator", "resume-reviewer", "ann", null]),
        json!(["operator", "revoke-sessions", "ann", null]),
        json!(["operator", "invite", "ann", null]),
        json!([
            "operator",
            "pause-reviewer",
            "bob",
            "nobody of this name is known"
        ]),
    ] {
        assert!(done.contains(&entry), "{entry} is not in {done:?}");
    }
    assert!(log.iter().all(|entry| entry["invoked"] == true), "{log:?}");
    assert!(
        !log.iter().any(|entry| entry.to_string().contains("token=")),
        "the log holds a link"
    );
}

/// A user pool as Cognito answers for it: what it was asked, and whom it has in a group.
#[derive(Debug, Default)]
struct Pool {
    calls: Vec<(String, Value)>,
}

/// Answers as Cognito does: two pages of a group, new users, and one who was there before.
fn answer_of_pool(operation: &str, question: &Value) -> (u16, Value) {
    let user = |name: &str, verified: &str, enabled: bool| {
        json!({"Username": name, "Enabled": enabled, "UserStatus": "CONFIRMED", "UserCreateDate": 1.5, "Attributes": [
            {"Name": "sub", "Value": "x"}, {"Name": "email", "Value": name}, {"Name": "email_verified", "Value": verified},
        ]})
    };
    match (operation, question["NextToken"].as_str()) {
        ("ListUsersInGroup", None) => {
            let users = [
                user("Ann@example.com", "true", true),
                user("bob@example.com", "false", true),
            ];
            (200, json!({"Users": users, "NextToken": "more"}))
        }
        ("ListUsersInGroup", Some("more")) => {
            let users = [
                user("cid@example.com", "true", false),
                user("dora@example.com", "true", true),
            ];
            (200, json!({ "Users": users }))
        }
        ("AdminCreateUser", _) if question["Username"] == "dora@example.com" => {
            let refusal =
                json!({"__type": "UsernameExistsException", "message": "User account already exists"});
            (400, refusal)
        }
        ("AdminCreateUser", _) => (200, json!({"User": {"Username": question["Username"]}})),
        ("AdminAddUserToGroup", _) => (200, json!({})),
        _ => (
            400,
            json!({"__type": "ResourceNotFoundException", "message": "none"}),
        ),
    }
}

fn header_of(request: &axum::extract::Request, name: &str) -> String {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// Answers a call of the user pool, and notes it. What is signed for another service, or another Region, it refuses.
async fn take(pool: Arc<Mutex<Pool>>, request: axum::extract::Request) -> http::Response<axum::body::Body> {
    let [target, signature] = ["x-amz-target", "authorization"].map(|name| header_of(&request, name));
    let operation = target.strip_prefix("AWSCognitoIdentityProviderService.");
    let operation = operation.unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .expect("a body");
    let question: Value = serde_json::from_slice(&body).expect("JSON");
    let (status, answer) = match signature.contains("/eu-west-1/cognito-idp/aws4_request") {
        true => answer_of_pool(&operation, &question),
        false => (403, json!({"__type": "InvalidSignatureException"})),
    };
    pool.lock().expect("no panic").calls.push((operation, question));
    http::Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .body(axum::body::Body::from(answer.to_string()))
        .expect("a response")
}

/// Serves a user pool; returns its address and what it is asked.
async fn serve_pool() -> (String, Arc<Mutex<Pool>>) {
    let pool = Arc::new(Mutex::new(Pool::default()));
    let asked = pool.clone();
    let answer = move |request: axum::extract::Request| take(asked.clone(), request);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    (format!("http://{address}"), pool)
}

/// Runs `reviewers` with a user pool; returns whether it succeeded, and what it printed.
async fn with_pool(state_dir: &Path, pool_url: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(harness::PROGRAM);
    command
        .arg("reviewers")
        .args(arguments)
        .arg("--state-dir")
        .arg(state_dir)
        .env("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", pool_url)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1");
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("no panic").expect("the program runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_people_of_a_group_of_a_user_pool_are_listed_before_they_sign_in() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let _stack = Killable::start(folder.path(), "1");
    let (url, pool) = serve_pool().await;
    let group = ["--user-pool", "eu-west-1_AbC123", "--group", "mail-desk"];

    let (imported, told) = with_pool(folder.path(), &url, &[&["import"], &group[..]].concat()).await;
    let (again, _) = with_pool(folder.path(), &url, &[&["import"], &group[..]].concat()).await;
    let (listed, list) = harness::command(folder.path(), &["reviewers", "list", "--json"]).await;

    assert!(imported && again && listed, "{told}{list}");
    assert!(
        told.starts_with("2 of the group mail-desk are reviewers."),
        "{told}"
    );
    assert!(
        told.contains("bob@example.com, who has no verified e-mail address"),
        "{told}"
    );
    assert!(told.contains("cid@example.com, who is disabled"), "{told}");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let mut names: Vec<&str> = (list.as_array().expect("a list").iter())
        .filter(|one| one["groups"] == json!(["mail-desk"]) && one["signedInAt"].is_null())
        .filter_map(|one| one["name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["ann@example.com", "dora@example.com"]);
    let first = pool.lock().expect("no panic").calls[0].clone();
    assert_eq!(
        first,
        (
            "ListUsersInGroup".to_owned(),
            json!({"UserPoolId": "eu-west-1_AbC123", "GroupName": "mail-desk", "Limit": 60})
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_invited_into_a_user_pool_is_written_to_by_cognito_and_put_into_the_group() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let _stack = Killable::start(folder.path(), "1");
    let (url, pool) = serve_pool().await;
    let into = ["--user-pool", "eu-west-1_AbC123", "--group", "reviewers"];

    let (invited, told) = with_pool(
        folder.path(),
        &url,
        &[&["invite", "Eve@Example.com"], &into[..]].concat(),
    )
    .await;
    let (known, told_of_known) = with_pool(
        folder.path(),
        &url,
        &[&["invite", "dora@example.com"], &into[..]].concat(),
    )
    .await;
    let (no_address, why) = with_pool(folder.path(), &url, &[&["invite", "eve"], &into[..]].concat()).await;
    let wrong_pool = ["invite", "eve@example.com", "--user-pool", "AbC123"];
    let (no_pool, why_not) = with_pool(folder.path(), &url, &wrong_pool).await;

    assert!(
        invited && told.contains("eve@example.com is in the user pool; Cognito sends a mail"),
        "{told}"
    );
    assert!(
        known && told_of_known.contains("no mail is sent"),
        "{told_of_known}"
    );
    assert!(!no_address && why.contains("is no e-mail address"), "{why}");
    assert!(
        !no_pool && why_not.contains("is no id of a user pool"),
        "{why_not}"
    );
    let calls = pool.lock().expect("no panic").calls.clone();
    let operations: Vec<&str> = calls.iter().map(|(operation, _)| operation.as_str()).collect();
    let both = ["AdminCreateUser", "AdminAddUserToGroup"];
    assert_eq!(operations, [both, both].concat());
    assert_eq!(
        calls[0].1,
        json!({
            "UserPoolId": "eu-west-1_AbC123",
            "Username": "eve@example.com",
            "UserAttributes": [
                {"Name": "email", "Value": "eve@example.com"}, {"Name": "email_verified", "Value": "true"},
            ],
            "DesiredDeliveryMediums": ["EMAIL"],
        })
    );
    assert_eq!(calls[1].1["GroupName"], "reviewers");
}
