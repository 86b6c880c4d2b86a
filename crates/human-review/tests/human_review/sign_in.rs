//! Who gets in: one-time links, sessions, forms.

use chrono::Duration;
use human_review::HumanReviewError;
use local_aws::secretsmanager::{GenerateSecretString, SecretSpec};
use serde_json::{Value, json};

use crate::harness::{Reply, Review, Session, config, proxy_event, two_items};

#[tokio::test]
async fn nothing_but_static_files_is_open_to_the_anonymous() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;

    for (method, page) in [
        ("GET", ""),
        ("GET", "queue"),
        ("GET", "next"),
        ("GET", "task?loop=tc-1"),
        ("GET", "sign-in"),
        ("GET", "nothing"),
        ("POST", "submit"),
        ("POST", "release"),
        ("POST", "sign-out"),
        ("DELETE", "queue"),
    ] {
        let reply = review.portal(method, page, None, &[]).await;
        assert_eq!(
            (reply.status(), reply.code()),
            (401, "sign_in_required"),
            "{method} {page}"
        );
        assert!(!reply.body().contains("tc-1"));
    }
    for file in ["portal.css", "crowd-html-elements.js"] {
        let reply = review.portal("GET", file, None, &[]).await;
        assert_eq!(reply.status(), 200);
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn a_link_shows_a_button_as_often_as_wanted_and_signs_in_once() {
    let review = Review::new();
    let token = review.link_token("Ann <b>").await;

    for _ in 0..2 {
        let preview = review
            .portal("GET", &format!("sign-in?token={token}"), None, &[])
            .await;
        assert_eq!(preview.status(), 200);
        assert_eq!(preview.field("token"), token);
        assert_eq!(preview.header("set-cookie"), "");
        assert!(
            preview.body().contains("Welcome, Ann &#60;b&#62;"),
            "{}",
            preview.body()
        );
    }
    let first = review.portal("POST", "sign-in", None, &[("token", &token)]).await;
    let second = review.portal("POST", "sign-in", None, &[("token", &token)]).await;

    assert_eq!((first.status(), first.header("location")), (303, "queue"));
    let cookie = first.header("set-cookie");
    assert!(
        cookie.ends_with("; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"),
        "{cookie}"
    );
    assert!(!cookie.contains("Path"));
    assert_eq!((second.status(), second.code()), (403, "link_used"));
    assert_eq!(second.header("set-cookie"), "");
}

#[tokio::test]
async fn an_expired_or_forged_link_and_an_expired_session_are_refused() {
    let review = Review::new();
    let token = review.link_token("ann").await;
    let ann = review.sign_in("ann").await;
    let session_as_link = ann.cookie.split_once('=').expect("a cookie").1.to_owned();

    for forged in ["nonsense", session_as_link.as_str()] {
        let reply = review.portal("POST", "sign-in", None, &[("token", forged)]).await;
        assert_eq!((reply.status(), reply.code()), (403, "link_invalid"));
    }
    let link_as_session = Session {
        review: &review,
        cookie: format!("review-session={token}"),
    };
    assert_eq!(link_as_session.get("queue").await.status(), 401);

    review.wait(Duration::minutes(60));
    let reply = review.portal("POST", "sign-in", None, &[("token", &token)]).await;
    assert_eq!((reply.status(), reply.code()), (403, "link_invalid"));
    assert_eq!(ann.get("queue").await.status(), 200);
    review.wait(Duration::hours(12));
    assert_eq!(ann.get("queue").await.status(), 401);
}

#[tokio::test]
async fn a_form_without_the_sessions_token_changes_nothing() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let bea = review.sign_in("bea").await;
    let task = ann.open("tc-1").await;
    let (loop_id, bea_token) = (
        task.field("portal:loop-id"),
        bea.get("queue").await.field("portal:csrf"),
    );
    let before = review.object("human-review/loops/tc-1.json").await;

    for token in ["", "forged", bea_token.as_str()] {
        for page in ["submit", "release", "sign-out"] {
            let form = [
                ("portal:csrf", token),
                ("portal:loop", "tc-1"),
                ("portal:loop-id", &loop_id),
                ("portal:answer", r#"{"r-2":"World","r-10":"World"}"#),
            ];
            let reply = ann.post(page, &form).await;
            assert_eq!((reply.status(), reply.code()), (403, "form_invalid"), "{page}");
        }
    }
    assert_eq!(review.object("human-review/loops/tc-1.json").await, before);
}

#[tokio::test]
async fn signing_out_ends_the_cookie() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;
    let token = ann.get("queue").await.field("portal:csrf");

    let reply = ann.post("sign-out", &[("portal:csrf", &token)]).await;

    assert_eq!((reply.status(), reply.header("location")), (303, "sign-in"));
    assert!(
        reply
            .header("set-cookie")
            .starts_with("review-session=; Max-Age=0;")
    );
}

#[tokio::test]
async fn a_copy_of_the_cookie_lets_nobody_in_after_signing_out() {
    let review = Review::new();
    let (ann, other) = (review.sign_in("ann").await, review.sign_in("ann").await);
    let token = ann.get("queue").await.field("portal:csrf");

    ann.post("sign-out", &[("portal:csrf", &token)]).await;
    let copied = ann.get("queue").await;
    let form = ann
        .post("release", &[("portal:csrf", &token), ("portal:loop", "tc-1")])
        .await;

    assert_eq!((copied.status(), copied.code()), (401, "session_ended"));
    assert_eq!((form.status(), form.code()), (401, "session_ended"));
    assert_eq!(other.get("queue").await.status(), 200);
}

#[tokio::test]
async fn an_admin_who_signs_out_stays_an_admin() {
    let review = Review::new();
    let ada = review.sign_in_admin("ada").await;
    let token = ada.get("overview").await.field("portal:csrf");

    ada.post("sign-out", &[("portal:csrf", &token)]).await;

    let back = review.sign_in_admin("ada").await;
    assert_eq!(back.get("overview").await.status(), 200);
}

#[tokio::test]
async fn a_foreign_page_signs_nobody_in_and_sends_no_form() {
    let review = Review::new();
    let token = review.link_token("mallory").await;
    let foreign = [
        ("Origin", "https://evil.example"),
        ("Origin", "https://portal.example.evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ];
    let own = [
        ("Origin", "https://portal.example"),
        ("Sec-Fetch-Site", "same-origin"),
    ];

    for (name, value) in foreign {
        let mut event = proxy_event("POST", "sign-in", None, &[("token", &token)]);
        event["headers"][name] = json!(value);
        let reply = Reply(review.handle(event).await);
        assert_eq!((reply.status(), reply.code()), (403, "form_invalid"), "{value}");
        assert_eq!(reply.header("set-cookie"), "");
    }
    for (name, value) in own {
        let token = review.link_token("ann").await;
        let mut event = proxy_event("POST", "sign-in", None, &[("token", &token)]);
        event["headers"][name] = json!(value);
        assert_eq!(Reply(review.handle(event).await).status(), 303, "{value}");
    }
}

#[tokio::test]
async fn a_new_signing_secret_ends_every_link_and_session_within_five_minutes() {
    let aws = local_aws::LocalAws::in_memory();
    aws.secrets
        .put_secret(&SecretSpec {
            name: "signing".to_owned(),
            generate: GenerateSecretString {
                length: 64,
                exclude_punctuation: true,
            },
        })
        .expect("made");
    let secrets = aws_sdk_secretsmanager::Client::new(&aws.sdk_config());
    let mut config = crate::harness::config();
    config.signing_secret_arn = "signing".to_owned();
    let review = Review::following(config, secrets.clone());
    let (ann, link) = (review.sign_in("ann").await, review.link_token("bea").await);
    let replace = |value: &str| {
        secrets
            .put_secret_value()
            .secret_id("signing")
            .secret_string(value)
            .send()
    };

    replace("short").await.expect("stored");
    review.wait(Duration::minutes(6));
    let before = ann.get("queue").await;
    replace("another secret of thirty-odd characters")
        .await
        .expect("stored");
    review.wait(Duration::minutes(6));
    let after = ann.get("queue").await;
    let old_link = review.portal("POST", "sign-in", None, &[("token", &link)]).await;
    let back = review.sign_in("ann").await;

    assert_eq!((before.status(), after.status()), (200, 401));
    assert_eq!((old_link.status(), old_link.code()), (403, "link_invalid"));
    assert_eq!(back.get("queue").await.status(), 200);
}

#[tokio::test]
async fn links_are_made_for_named_reviewers_at_a_known_portal() {
    let review = Review::new();
    let link = review
        .handle(json!({ "operation": "create-sign-in-link", "reviewer": "ann" }))
        .await;
    let elsewhere = json!({ "operation": "create-sign-in-link", "reviewer": "ann", "portalUrl": "https://other.example/x/" });
    let elsewhere = review.handle(elsewhere).await;

    assert!(
        link["url"]
            .as_str()
            .expect("a URL")
            .starts_with("https://portal.example/dev/sign-in?token=")
    );
    assert_eq!(link["expiresAt"], "2026-11-20T10:59:00Z");
    assert!(
        elsewhere["url"]
            .as_str()
            .expect("a URL")
            .starts_with("https://other.example/x/sign-in?token=")
    );
    for payload in [
        json!({ "operation": "create-sign-in-link", "reviewer": " " }),
        json!({ "operation": "create-sign-in-link", "reviewer": "a\nb" }),
        json!({ "operation": "create-sign-in-link", "reviewer": "x".repeat(65) }),
        json!({ "operation": "drop-everything" }),
        json!({ "operation": "invite-reviewer", "reviewer": "ann", "rolle": "admin" }),
        json!({ "operation": "invite-reviewer", "reviewer": "ann", "team": "mail" }),
        json!({ "operation": "create-sign-in-link", "reviewer": "ann", "portalurl": "https://x.example/" }),
        json!({ "operation": "pause-reviewer", "reviewer": "ann", "bye": "ops" }),
        json!({ "operation": "list-reviewers", "before": "a" }),
        json!({ "operation": "try-template", "item": 3 }),
        json!({ "operation": "measure", "now": true }),
        json!({ "operation": "drive-labelling-jobs", "job": "spring" }),
        json!({}),
    ] {
        assert!(review.function.handle(payload, review.now()).await.is_err());
    }
    let mut nowhere = crate::harness::config();
    nowhere.portal_url.clear();
    let nowhere = Review::with(nowhere);
    let payload = json!({ "operation": "create-sign-in-link", "reviewer": "ann" });
    let error = nowhere
        .function
        .handle(payload, nowhere.now())
        .await
        .expect_err("no URL is known");
    assert!(matches!(error, HumanReviewError::UnknownPortalUrl));
}

#[tokio::test]
async fn a_field_that_an_operation_does_not_have_is_refused_by_its_name() {
    let review = Review::new();
    let invite = json!({ "operation": "invite-reviewer", "reviewer": "ann", "rolle": "admin" });

    let refused = review.function.handle(invite, review.now()).await;
    let listed = review.handle(json!({ "operation": "list-reviewers" })).await;

    let error = refused.expect_err("a role is spelt otherwise");
    let told = active_learning_aws::failure::chain(&error);
    assert!(told.contains("unknown field `rolle`"), "{told}");
    assert_eq!(listed["reviewers"], json!([]), "{listed}");
}

#[tokio::test]
async fn a_client_of_another_network_finds_nothing_whatever_its_headers_say() {
    let review = Review::with(human_review::Config {
        allowed_networks: "203.0.113.0/24,2001:db8::/32".parse().expect("networks"),
        ..config()
    });
    let visit = |path: &str, identity: Value| {
        json!({
            "httpMethod": "GET", "path": path,
            "headers": { "X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Real-IP": "203.0.113.7" },
            "requestContext": { "path": format!("/dev{path}"), "requestId": "r-1", "identity": identity },
        })
    };

    for identity in [
        json!({ "sourceIp": "198.51.100.7" }),
        json!({ "sourceIp": "" }),
        json!({}),
    ] {
        for path in ["/", "/sign-in", "/admin", "/portal.css", "/no-such-page"] {
            let reply = Reply(review.handle(visit(path, identity.clone())).await);

            assert_eq!(reply.status(), 404, "{path} {identity}");
            assert_eq!(reply.body(), "Not Found\n", "{path} {identity}");
        }
    }
    for address in ["203.0.113.7", "2001:db8::7"] {
        let reply = Reply(review.handle(visit("/", json!({ "sourceIp": address }))).await);
        assert_eq!((reply.status(), reply.code()), (401, "sign_in_required"));
    }
    // The API is not concerned.
    assert_eq!(review.start("tc-1", &two_items()).await.status(), 200);
}

#[tokio::test]
async fn a_link_signs_in_where_the_storage_failed_in_the_midst_and_then_no_more() {
    let review = Review::new();
    let token = review.link_token("ann").await;
    let sign_in = async || review.portal("POST", "sign-in", None, &[("token", &token)]).await;
    review.fail_puts_to(Some(("/reviewers/", "KMS.KeyUnavailableException")));

    let failed = sign_in().await;
    review.fail_puts_to(None);
    review.wait(Duration::seconds(5));
    let first = sign_in().await;
    review.wait(Duration::seconds(5));
    let second = sign_in().await;

    assert_eq!((failed.status(), failed.code()), (503, "storage_unavailable"));
    assert_eq!((first.status(), first.header("location")), (303, "queue"));
    let cookie = first.header("set-cookie").split(';').next().expect("a cookie");
    let queue = review.portal("GET", "queue", Some(cookie), &[]).await;
    assert_eq!(queue.status(), 200);
    assert_eq!((second.status(), second.code()), (403, "link_used"));
}
