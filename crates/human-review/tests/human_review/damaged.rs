//! Objects that cannot be read cost only themselves, and are told.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Reply, Review, Session, TRAINING_BUCKET, proxy_event, two_items};

const BROKEN: &str = "{";

async fn get(session: &Session<'_>, page: &str) -> Reply {
    let mut event = proxy_event("GET", page, Some(&session.cookie), &[]);
    event["headers"]["Accept"] = json!("application/json");
    Reply(session.review.handle(event).await)
}

async fn measure(review: &Review) {
    review.handle(json!({ "operation": "measure" })).await;
}

/// Keys of what the console says is damaged.
async fn told(admin: &Session<'_>) -> Vec<String> {
    let page = admin.get("operations.json").await;
    assert_eq!(page.status(), 200, "{page:?}");
    let objects = page.json()["damaged"]["objects"].take();
    let key = |object: &Value| object["key"].as_str().expect("a key").to_owned();
    objects.as_array().expect("a list").iter().map(key).collect()
}

fn state_of(name: &str) -> String {
    format!("human-review/loops/{name}.json")
}

fn member(name: &str) -> String {
    format!("human-review/reviewers/{}.json", human_review::worker_id(name))
}

#[tokio::test]
async fn a_task_whose_state_is_damaged_keeps_nobody_from_the_others_and_is_told_until_it_is_mended() {
    let review = Review::new();
    for name in ["tc-1", "tc-2"] {
        review.start(name, &two_items()).await;
        review.wait(Duration::seconds(1));
    }
    let good = review.object(&state_of("tc-1")).await;
    review.put(&state_of("tc-1"), BROKEN).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let admin = review.sign_in_admin("ada").await;

    let next = get(&ann, "next").await;
    let (queue, tasks) = (ann.get("queue").await, admin.get("tasks.json").await);
    let (opened, listed) = (get(&ann, "task?loop=tc-1").await, review.list_names("").await);
    let token = ann.get("queue").await.field("portal:csrf");
    let form = [("portal:csrf", token.as_str()), ("portal:loop", "tc-1")];
    let skipped = ann.post("release", &form).await;
    measure(&review).await;
    let while_damaged = told(&admin).await;
    let overview = admin.get("overview.json").await.json();
    review.put(&state_of("tc-1"), &good).await;
    measure(&review).await;

    assert_eq!(next.json()["next"]["loop"], "tc-2", "{next:?}");
    assert_eq!((queue.status(), tasks.status()), (200, 200));
    assert_eq!(
        (opened.status(), &opened.json()["code"]),
        (503, &json!("storage_damaged"))
    );
    assert_eq!(listed, ["tc-2"]);
    assert_eq!(skipped.status(), 303, "there is nothing to give back");
    assert_eq!(while_damaged, [state_of("tc-1")]);
    assert_eq!(overview["damagedObjects"]["count"], 1);
    assert_eq!(told(&admin).await, [""; 0]);
    assert_eq!(get(&bea, "next").await.json()["next"]["loop"], "tc-1");
}

#[tokio::test]
async fn a_name_that_is_that_of_no_mark_ends_no_listing_and_is_told() {
    let review = Review::new();
    for name in ["tc-1", "tc-2"] {
        review.start(name, &two_items()).await;
        review.wait(Duration::seconds(1));
    }
    let odd = ["queue/00-odd", "expiring/odd", "listing/ascending/00-odd"];
    review.put_marks(odd.map(|name| format!("human-review/{name}")));
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);

    let next = get(&ann, "next").await.json();
    let first = review.list_names("&SortOrder=Ascending&MaxResults=1").await;
    let flow = crate::harness::FLOW.replace(':', "%3A").replace('/', "%2F");
    let address = format!("/human-loops?FlowDefinitionArn={flow}&SortOrder=Ascending&MaxResults=1");
    let page = review.api("GET", &address, "").await.json();
    measure(&review).await;

    assert_eq!(next["next"]["loop"], "tc-1");
    assert_eq!(first, ["tc-1"]);
    assert!(page["NextToken"].is_string(), "tc-2 comes after it: {page}");
    assert_eq!(
        told(&admin).await,
        ["human-review/expiring/odd", "human-review/queue/00-odd"]
    );
}

#[tokio::test]
async fn a_reviewer_who_cannot_be_read_keeps_nobody_else_out() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let (bea, admin) = (review.sign_in("bea").await, review.sign_in_admin("ada").await);
    bea.open("tc-1").await;
    review.put(&member("bea"), BROKEN).await;
    review.wait(Duration::minutes(2));

    let kept_out = get(&bea, "next").await;
    let new = review.sign_in("carl@example.org").await;
    let (reviewers, tasks) = (admin.get("reviewers.json").await, admin.get("tasks.json").await);

    assert_eq!(
        (kept_out.status(), &kept_out.json()["code"]),
        (503, &json!("storage_damaged")),
        "what they may do is not guessed"
    );
    assert_eq!(new.get("queue").await.status(), 200);
    let people = reviewers.json()["reviewers"].take();
    let names: Vec<&Value> = people
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert!(names.contains(&&json!("ada")) && !names.contains(&&json!("bea")));
    assert_eq!(
        tasks.json()["tasks"][0]["heldBy"][0]["name"],
        human_review::worker_id("bea")
    );
    assert_eq!(told(&admin).await, [member("bea")]);
}

#[tokio::test]
async fn a_work_team_that_cannot_be_read_stops_no_reviewer() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    review.put("human-review/workteams/odd.json", BROKEN).await;
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);

    let next = get(&ann, "next").await;

    assert_eq!(next.json()["next"]["loop"], "tc-1", "{next:?}");
    assert_eq!(told(&admin).await, ["human-review/workteams/odd.json"]);
}

#[tokio::test]
async fn a_list_of_remarks_that_cannot_be_read_is_begun_anew_and_keeps_no_loop_from_being_deleted() {
    let review = Review::new();
    for name in ["tc-1", "tc-2"] {
        review.start(name, &two_items()).await;
    }
    review.put("human-review/remarks.json", BROKEN).await;
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    review.stop("tc-2").await;

    let (quality, deleted) = (admin.get("quality").await, review.delete("tc-2").await);
    let noted = told(&admin).await;
    let page = ann.open("tc-1").await;
    let answer = json!({ "r-2": "World", "r-10": "Sports", "comment:r-2": "odd" });
    let taken = ann.submit(&page, &answer).await;

    assert_eq!((quality.status(), deleted.status()), (200, 200), "{deleted:?}");
    assert_eq!(noted, ["human-review/remarks.json"]);
    assert_eq!(taken.status(), 303);
    let remarks = admin.get("quality.json").await.json()["remarks"].take();
    assert_eq!(remarks[0]["comment"], "odd");
}

#[tokio::test]
async fn a_history_that_cannot_be_read_begins_anew_and_says_so() {
    let review = Review::new();
    for name in ["tc-1", "tc-2"] {
        review.start(name, &two_items()).await;
        review.wait(Duration::seconds(1));
    }
    let key = format!("human-review/history/{}.json", human_review::worker_id("ann"));
    review.put(&key, BROKEN).await;
    let ann = review.sign_in("ann").await;
    let queue = ann.get("queue").await;
    let answer = json!({ "r-2": "World", "r-10": "Sports" });
    for name in ["tc-1", "tc-2"] {
        let page = ann.open(name).await;
        ann.submit(&page, &answer).await;
    }
    review.put(&state_of("tc-1"), BROKEN).await;

    let history = get(&ann, "history").await;
    let page = ann.get("history").await;

    assert_eq!((queue.status(), history.status(), page.status()), (200, 200, 200));
    let history = history.json();
    assert!(history["begunAnewAt"].is_string());
    assert!(page.body().contains("The list was damaged"));
    let of = |number: usize, member: &str| history["answers"][number][member].clone();
    assert_eq!(
        (of(0, "loop"), of(0, "canBeCorrected")),
        (json!("tc-2"), json!(true))
    );
    assert_eq!(
        (of(1, "loop"), of(1, "canBeCorrected")),
        (json!("tc-1"), json!(false))
    );
    let said = of(1, "answer");
    assert!(
        said.as_str().is_some_and(|said| said.contains("is damaged")),
        "{said}"
    );
}

#[tokio::test]
async fn a_figure_that_cannot_be_read_is_missing_from_the_overview_which_says_so() {
    let review = Review::new();
    let put = review.s3.put_object().bucket(TRAINING_BUCKET);
    let put = put
        .key("builds/tally.json")
        .body(BROKEN.as_bytes().to_vec().into());
    put.send().await.expect("stored");
    let admin = review.sign_in_admin("ada").await;

    let (page, document) = (admin.get("overview").await, admin.get("overview.json").await);

    assert_eq!((page.status(), document.status()), (200, 200));
    let missing = "s3://training-bucket/builds/tally.json is damaged in line 1, column 1";
    assert!(
        page.body().contains("Figures are missing: s3://training-bucket"),
        "{}",
        page.body()
    );
    assert_eq!(document.json()["unreadable"], json!([missing]));
}

#[tokio::test]
async fn an_entry_of_the_audit_log_that_cannot_be_read_stands_among_the_others() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let day = review.now().format("%Y-%m-%d");
    review.put(&format!("audit-log/{day}/000-odd.json"), BROKEN).await;

    let log = admin.get("operations.json").await.json()["auditLog"].take();

    let last = log["entries"].as_array().and_then(|entries| entries.last());
    let last = last.expect("an entry");
    assert_eq!(last["subject"], format!("audit-log/{day}/000-odd.json"));
    assert_eq!(last["action"], "cannot be read");
}

#[tokio::test]
async fn a_guideline_that_is_too_large_says_so_beside_the_task() {
    let review = Review::new();
    review.put("guideline.json", &" ".repeat(262_145)).await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;

    let (task, guide) = (ann.open("tc-1").await, ann.get("guide").await);

    for page in [task, guide] {
        assert_eq!(page.status(), 200);
        assert!(page.body().contains("more than 262144 bytes"), "{}", page.body());
    }
}

#[tokio::test]
async fn a_labelling_job_that_cannot_be_read_keeps_no_other_from_being_driven() {
    let review = Review::new();
    review.put("human-review/open-labelling-jobs/a-damaged", "").await;
    review
        .put("human-review/labelling-jobs/a-damaged.json", BROKEN)
        .await;
    let admin = review.sign_in_admin("ada").await;

    measure(&review).await;
    let audits = admin.get("audits").await;

    assert_eq!(audits.status(), 200);
    assert_eq!(told(&admin).await, ["human-review/labelling-jobs/a-damaged.json"]);
}
