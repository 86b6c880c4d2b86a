//! Who may sign in, as an operator sees and changes it at the command line.

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
