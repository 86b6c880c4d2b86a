//! Work teams: each reviewer sees the tasks of their own, and everybody those of the stack.

use chrono::Duration;
use serde_json::{Value, json};

use crate::console::{act, log};
use crate::control_plane::{add_flow, flow, made, start};
use crate::harness::{Reply, Review, Session, two_items};
use crate::labelling_jobs;

const SCOPE: &str = "arn:aws:sagemaker:us-east-1:123456789012";

async fn with_teams() -> Review {
    let review = Review::new();
    add_teams(&review).await;
    review
}

/// Makes two teams, and a flow definition for each with one task.
pub async fn add_teams(review: &Review) {
    add_flow(review).await;
    for team in ["mail", "phone"] {
        let groups = json!([{ "OidcMemberDefinition": { "Groups": [format!("{team}-group")] } }]);
        let request = json!({ "WorkteamName": team, "Description": team, "MemberDefinitions": groups });
        made(review, "CreateWorkteam", request).await;
        let arn = format!("{SCOPE}:workteam/private-crowd/{team}");
        let of_team = json!({ "HumanLoopConfig.WorkteamArn": arn });
        made(review, "CreateFlowDefinition", flow(team, "tone", of_team)).await;
        let arn = format!("{SCOPE}:flow-definition/{team}");
        let input = json!({ "taskObject": format!("about {team}") });
        let started = start(review, &format!("{team}-1"), &arn, &input).await;
        assert_eq!(started.status(), 200, "{started:?}");
    }
}

/// Invites somebody to a team, and signs them in by the link.
async fn invited<'r>(review: &'r Review, name: &str, team: &str) -> Session<'r> {
    let payload = json!({
        "operation": "invite-reviewer", "reviewer": name, "teams": [team],
        "portalUrl": "https://portal.example/dev/",
    });
    let link = review.handle(payload).await;
    let url = link["url"].as_str().expect("a URL").to_owned();
    let token = url.split_once("sign-in?token=").expect("a token").1;
    let reply = review.portal("POST", "sign-in", None, &[("token", token)]).await;
    assert_eq!(reply.status(), 303, "{reply:?}");
    let cookie = reply.header("set-cookie").split(';').next().expect("a cookie");
    Session {
        review,
        cookie: cookie.to_owned(),
    }
}

#[tokio::test]
async fn an_admin_puts_somebody_into_a_team_and_takes_them_out_again() {
    let review = with_teams().await;
    let (ann, ada) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    let token = ada.get("overview").await.field("portal:csrf");
    let unconfirmed = [
        ("portal:csrf", token.as_str()),
        ("subject", "ann"),
        ("value", "mail"),
    ];

    let asked = ada.post("join-team", &unconfirmed).await;
    let before = tasks(&ann.get("queue").await);
    let joined = act(&ada, "join-team", "ann", "mail").await;
    let within = tasks(&ann.get("queue").await);
    let page = ada.get("reviewers").await;
    // Entries of one moment have no order.
    review.wait(Duration::seconds(1));
    let left = act(&ada, "leave-team", "ann", "mail").await;
    let after = tasks(&ann.get("queue").await);
    let unknown = act(&ada, "join-team", "ann", "fax").await;
    let nobody = act(&ada, "join-team", "zoe", "mail").await;
    let forged = [
        ("portal:csrf", "guess"),
        ("subject", "ann"),
        ("value", "mail"),
        ("confirmed", "yes"),
    ];
    let forged = ada.post("join-team", &forged).await;

    assert!(asked.body().contains("Put ann into the work team"), "{asked:?}");
    assert_eq!((before.len(), within, after.len()), (0, vec!["mail-1"], 0));
    assert_eq!((joined.status(), left.status()), (303, 303));
    assert!(page.body().contains("Take out of mail"), "{page:?}");
    assert_eq!((unknown.status(), unknown.code()), (400, "not_possible"));
    assert_eq!(nobody.status(), 400);
    assert_eq!(forged.status(), 403);
    let log = log(&review).await;
    let mut changes: Vec<_> = log
        .iter()
        .filter(|entry| entry["subject"] == "ann")
        .map(|entry| {
            (
                entry["action"].as_str(),
                entry["value"].as_str(),
                entry["by"].as_str(),
            )
        })
        .collect();
    // Two of the same millisecond have no order.
    changes.sort_unstable();
    assert_eq!(
        changes,
        [
            (Some("join-team"), Some("mail"), Some("ada")),
            (Some("leave-team"), Some("mail"), Some("ada"))
        ]
    );
}

fn tasks(queue: &Reply) -> Vec<&'static str> {
    let names = ["mail-1", "phone-1", "tc-1"];
    let is_there = |name: &&str| queue.body().contains(&format!("loop={name}"));
    names.into_iter().filter(is_there).collect()
}

async fn next_of(session: &Session<'_>) -> String {
    let reply = session.get("next").await;
    reply.header("location").replace("task?loop=", "")
}

#[tokio::test]
async fn each_reviewer_sees_opens_and_answers_the_tasks_of_their_own_team_only() {
    let review = with_teams().await;
    let (ann, ben) = (
        invited(&review, "ann", "mail").await,
        invited(&review, "ben", "phone").await,
    );
    let (nobody, ada) = (review.sign_in("cy").await, review.sign_in_admin("ada").await);

    let queues = [&ann, &ben, &nobody, &ada].map(async |session| {
        let queue = session.get("queue").await;
        tasks(&queue)
    });
    let [of_ann, of_ben, of_nobody, of_ada] = futures::future::join_all(queues)
        .await
        .try_into()
        .expect("four queues");
    let foreign = ben.open("mail-1").await;
    let next = next_of(&ben).await;
    let none = next_of(&nobody).await;
    let task = ann.open("mail-1").await;
    let form = [
        ("portal:loop", "mail-1"),
        ("portal:loop-id", &task.field("portal:loop-id")),
        ("portal:csrf", &nobody.get("queue").await.field("portal:csrf")),
        ("sentiment", "{\"label\":\"positive\"}"),
    ];
    let forged = nobody.post("submit", &form).await;
    let released = nobody.post("release", &form).await;
    let renewed = nobody.post("renew", &form).await;
    let given_back = nobody.post("give-back", &form).await;
    let loops_state = review.object("human-review/loops/mail-1.json").await;
    let submitted = ann
        .submit(&task, &json!({ "sentiment": { "label": "positive" } }))
        .await;

    assert_eq!((of_ann, of_ben), (vec!["mail-1"], vec!["phone-1"]));
    assert_eq!((of_nobody, of_ada), (vec![], vec!["mail-1", "phone-1"]));
    assert_eq!((foreign.status(), foreign.code()), (404, "task_not_found"));
    assert_eq!((next.as_str(), none.as_str()), ("phone-1", "queue"));
    for reply in [forged, renewed, given_back] {
        assert_eq!(
            (reply.status(), reply.code()),
            (404, "task_not_found"),
            "{reply:?}"
        );
    }
    assert_eq!(released.header("location"), "queue");
    let state: Value = serde_json::from_str(&loops_state).expect("JSON");
    assert_eq!(state["skipped_by"], json!([]));
    assert_eq!(submitted.status(), 303, "{submitted:?}");
    assert_eq!(review.status("mail-1").await, "Completed");
    assert!(ann.get("history").await.body().contains("mail-1"));
    assert!(!ben.get("history").await.body().contains("mail-1"));
}

#[tokio::test]
async fn everybody_sees_the_tasks_of_the_stack_and_each_count_is_of_what_they_may_take() {
    let review = with_teams().await;
    review.start("tc-1", &two_items()).await;
    let ann = invited(&review, "ann", "mail").await;
    let cy = review.sign_in("cy").await;
    let waiting = async |session: &Session<'_>| -> Value {
        let reply = review
            .handle(as_json("next?without=tc-1%20mail-1%20phone-1", &session.cookie))
            .await;
        let reply: Value = serde_json::from_str(reply["body"].as_str().expect("a body")).expect("JSON");
        reply["waiting"].clone()
    };

    let (of_ann, of_cy) = (ann.get("queue").await, cy.get("queue").await);

    assert_eq!(tasks(&of_ann), ["mail-1", "tc-1"]);
    assert_eq!(tasks(&of_cy), ["tc-1"]);
    assert_eq!((waiting(&ann).await, waiting(&cy).await), (json!(2), json!(1)));
}

fn as_json(page: &str, cookie: &str) -> Value {
    let mut event = crate::harness::proxy_event("GET", page, Some(cookie), &[]);
    event["headers"]["accept"] = json!("application/json");
    event
}

#[tokio::test]
async fn a_labelling_job_goes_to_the_team_that_it_names() {
    let review = with_teams().await;
    let changes = json!({
        "HumanTaskConfig.WorkteamArn": format!("{SCOPE}:workteam/private-crowd/mail"),
    });
    let request = labelling_jobs::request("topics", changes);
    labelling_jobs::started(&review, &labelling_jobs::sources(&["a goal", "a vote"]), &request).await;
    let (ann, ben) = (
        invited(&review, "ann", "mail").await,
        invited(&review, "ben", "phone").await,
    );

    let seen = async |session: &Session<'_>| {
        let queue = session.get("queue").await;
        queue.body().matches("loop=job-").count()
    };

    assert_eq!((seen(&ann).await, seen(&ben).await), (2, 0));
}

#[tokio::test]
async fn nobody_is_invited_to_a_team_that_there_is_not() {
    let review = with_teams().await;
    let payload = json!({
        "operation": "invite-reviewer", "reviewer": "ann", "teams": ["post"],
        "portalUrl": "https://portal.example/dev/",
    });

    let refused = review.function.handle(payload, review.now()).await;

    assert_eq!(
        refused.expect_err("no team").to_string(),
        "there is no work team `post`: CreateWorkteam makes one"
    );
}
