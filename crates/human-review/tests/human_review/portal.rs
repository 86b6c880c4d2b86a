//! The reviewers' pages: queue, task, submit, and what users wrote shown as text.

use serde_json::{Value, json};

use crate::harness::{Review, config, two_items};

fn one_item(confidence: Value) -> Value {
    json!({
        "comprehendPredictions": [{ "id": "r-1", "utterance": "text", "prediction": "World", "confidence": confidence }],
        "labels": ["World", "Sports"],
    })
}

#[tokio::test]
async fn the_queue_shows_the_most_uncertain_first_and_those_without_confidence_last() {
    let review = Review::new();
    for (name, input) in [
        ("sure", one_item(json!(0.9))),
        ("unknown", one_item(json!("NONE"))),
        ("generic", json!({ "text": "x" })),
        ("unsure", one_item(json!(0.251))),
        ("two", two_items()),
    ] {
        review.start(name, &input).await;
        review.wait(chrono::Duration::minutes(1));
    }
    let ann = review.sign_in("ann").await;

    let queue = ann.get("queue").await;

    let order: Vec<&str> = queue
        .body()
        .split("data-loop=\"")
        .skip(1)
        .filter_map(|part| part.split('"').next())
        .collect();
    assert_eq!(order, ["unsure", "two", "sure", "unknown", "generic"]);
    assert!(queue.body().contains("data-waiting=\"5\""));
    assert!(
        queue.body().contains("25.1 %") && queue.body().contains("2 min"),
        "{}",
        queue.body()
    );
    assert_eq!(ann.get("next").await.header("location"), "task?loop=unsure");
}

#[tokio::test]
async fn an_empty_queue_says_so_kindly() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;

    assert_eq!(ann.get("next").await.header("location"), "queue");
    assert!(ann.get("queue").await.body().contains("id=\"empty-queue\""));
}

#[tokio::test]
async fn the_root_leads_to_the_queue_with_and_without_a_slash() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;

    assert_eq!(ann.get("").await.header("location"), "queue");
    let mut event = crate::harness::proxy_event("GET", "", Some(&ann.cookie), &[]);
    event["requestContext"]["path"] = json!("/dev");
    assert_eq!(review.handle(event).await["headers"]["location"], "dev/queue");
}

#[tokio::test]
async fn a_submitted_task_leads_to_the_next_and_its_output_is_what_a2i_would_write() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    review.wait(chrono::Duration::seconds(61));
    let task = ann.open("tc-1").await;
    review.wait(chrono::Duration::milliseconds(11_345));

    let reply = ann
        .submit(&task, &json!({ "r-2": "Business", "r-10": "__none__" }))
        .await;

    assert_eq!((reply.status(), reply.header("location")), (303, "next"));
    assert_eq!(review.status("tc-1").await, "Completed");
    assert_eq!(
        review
            .object("tc-review/2026/11/20/09/59/00/tc-1/output.json")
            .await,
        include_str!("output.json").trim_end()
    );
    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_script_the_plain_fields_are_the_answer() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    let (token, id) = (task.field("portal:csrf"), task.field("portal:loop-id"));

    let form = [
        ("portal:csrf", token.as_str()),
        ("portal:loop", "tc-1"),
        ("portal:loop-id", &id),
        ("portal:answer", ""),
        ("r-2", "World"),
        ("r-10", "Sports"),
    ];
    ann.post("submit", &form).await;

    let output: Value = serde_json::from_str(
        &review
            .object("tc-review/2026/11/20/09/59/00/tc-1/output.json")
            .await,
    )
    .expect("JSON");
    assert_eq!(
        output["humanAnswers"][0]["answerContent"],
        json!({ "r-10": "Sports", "r-2": "World" })
    );
}

#[tokio::test]
async fn a_page_without_an_answer_is_refused_and_the_task_kept() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;

    let incomplete = ann.submit(&task, &json!({ "r-2": "" })).await;
    let no_object = ann.submit(&task, &json!(["World"])).await;

    assert_eq!(
        (incomplete.status(), incomplete.code()),
        (400, "answer_incomplete")
    );
    assert_eq!((no_object.status(), no_object.code()), (400, "answer_invalid"));
    assert_eq!(
        ann.submit(&task, &json!({ "r-2": "World", "r-10": "Sports" }))
            .await
            .status(),
        303
    );
}

#[tokio::test]
async fn what_users_wrote_is_shown_as_text_and_no_script_of_it_may_run() {
    let review = Review::new();
    let hostile = "\"><script>alert(1)</script>'<img src=x onerror=alert(1)>{{ 1 }}";
    let input = json!({
        "comprehendPredictions": [{
            "id": hostile, "utterance": hostile, "prediction": hostile, "classifier": hostile, "suggestedLabel": hostile, "confidence": 0.4,
            "language": hostile, "classes": [{ "name": hostile, "score": 0.4 }],
        }],
        "labels": [hostile],
        "words": { hostile: [hostile] },
    });
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;

    assert_eq!(task.status(), 200);
    assert!(
        !task.body().contains("<script>alert") && !task.body().contains("<img"),
        "{}",
        task.body()
    );
    assert!(task.body().contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    let policy = task.header("content-security-policy");
    let nonce = policy
        .split_once("script-src 'self' 'nonce-")
        .expect("a nonce")
        .1
        .split('\'')
        .next()
        .expect("a nonce");
    assert!(
        !policy
            .split_once("script-src")
            .expect("scripts")
            .1
            .split(';')
            .next()
            .expect("scripts")
            .contains("unsafe")
    );
    assert!(task.body().contains(&format!("<script nonce={nonce}>")));
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"));
    assert_eq!(task.header("cache-control"), "no-store");
    assert_eq!(
        ann.submit(&task, &json!({ hostile: hostile })).await.status(),
        303
    );
}

#[tokio::test]
async fn the_shipped_template_copes_with_old_and_foreign_input() {
    let review = Review::new();
    let old = json!({ "comprehendPredictions": [
        { "utterance": "old", "prediction": "CLASSIFY", "confidence": "NONE", "classifier": "news" }, { "utterance": "bare" },
    ], "labels": ["World"] });
    review.start("old", &old).await;
    review
        .start("foreign", &json!({ "text": "something else" }))
        .await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("old").await;
    assert!(task.body().contains("name=\"item-1\"") && task.body().contains("name=\"item-2\""));
    assert!(
        !task.body().contains("predicted <strong>") && !task.body().contains("· confidence"),
        "{}",
        task.body()
    );
    assert_eq!(ann.open("foreign").await.status(), 200);
}

#[tokio::test]
async fn confidence_is_shown_in_percent_beside_the_predicted_label() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;

    assert!(task.body().contains("· predicted <strong>Business</strong>"));
    assert!(task.body().contains("· confidence 41 %"), "{}", task.body());
    assert!(
        task.body()
            .contains("<option value=\"Business\">Business (predicted)</option>")
    );
    assert!(task.body().contains("data-waiting=\"1\""));
}

#[tokio::test]
async fn the_words_that_drove_a_prediction_are_named_but_not_in_an_audit() {
    let review = Review::new();
    let mut input = two_items();
    input["words"] = json!({ "r-2": ["Rates", "<img src=x>"], "r-10": ["Cup"] });
    input["comprehendPredictions"][1]["signal"] = json!("audit");
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;

    let html = task.body();
    assert!(
        html.contains("· for <q dir=\"auto\">Rates</q>, <q dir=\"auto\">&lt;img src=x&gt;</q>"),
        "{html}"
    );
    assert!(html.contains("data-words=\"[&quot;Rates&quot;,"), "{html}");
    assert!(
        !html.contains("<img")
            && !html.contains("<q dir=\"auto\">Cup</q>")
            && !html.contains("&quot;Cup&quot;")
    );
}

#[tokio::test]
async fn a_template_from_the_bucket_is_used_and_answers_of_any_form_are_kept() {
    let mut config = config();
    config.template_key = "templates/own.liquid.html".to_owned();
    let review = Review::with(config);
    let template = "<script src=\"https://assets.crowd.aws/crowd-html-elements.js\"></script><crowd-form>\
        <crowd-classifier name=\"category\" categories=\"{{ task.input.labels | to_json | escape }}\"></crowd-classifier>\
        <img src=\"{{ task.input.image | grant_read_access }}\"><img src=\"{{ task.input.state | grant_read_access }}\"></crowd-form>";
    review.put("templates/own.liquid.html", template).await;
    let input = json!({ "labels": ["A"], "image": "s3://review-bucket/pictures/1.png", "state": "s3://review-bucket/human-review/loops/tc-1.json" });
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;
    let answer = json!({ "category": { "label": "A" } });
    ann.submit(&task, &answer).await;

    assert!(
        task.body().contains("src=\"crowd-html-elements.js\"") && !task.body().contains("assets.crowd.aws")
    );
    assert!(task.body().contains("categories=\"[&quot;A&quot;]\""));
    assert!(
        task.body().contains("/review-bucket/pictures/1.png?"),
        "{}",
        task.body()
    );
    assert!(task.body().contains("&amp;X-Amz-Signature="));
    assert!(
        task.body()
            .contains("src=\"s3://review-bucket/human-review/loops/tc-1.json\"")
    );
    let output: Value = serde_json::from_str(
        &review
            .object("tc-review/2026/11/20/09/59/00/tc-1/output.json")
            .await,
    )
    .expect("JSON");
    assert_eq!(output["humanAnswers"][0]["answerContent"], answer);
}

#[tokio::test]
async fn a_broken_template_is_explained_and_the_loop_stays() {
    let mut config = config();
    config.template_key = "own.html".to_owned();
    let review = Review::with(config);
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;

    let absent = ann.open("tc-1").await;
    review.put("own.html", "{% for item in %}").await;
    let broken = ann.open("tc-1").await;

    assert_eq!((absent.status(), absent.code()), (500, "template_failed"));
    assert_eq!((broken.status(), broken.code()), (500, "template_failed"));
    assert!(broken.body().contains("<pre>"));
    assert_eq!(review.status("tc-1").await, "InProgress");
}

#[tokio::test]
async fn unknown_pages_and_methods_are_told_apart() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;

    assert_eq!(ann.get("nothing").await.status(), 404);
    assert_eq!(ann.get("task?loop=../../x").await.code(), "task_not_found");
    assert_eq!(ann.get("task").await.code(), "task_not_found");
    let wrong = ann.get("submit").await;
    assert_eq!((wrong.status(), wrong.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn a_task_that_cannot_be_shown_does_not_hold_up_the_others() {
    let mut config = config();
    config.template_key = "own.html".to_owned();
    let review = Review::with(config);
    review
        .put(
            "own.html",
            "<crowd-form>{{ task.input.number }}<input name=a></crowd-form>",
        )
        .await;
    review.start("bad", &json!({ "number": "x" })).await;
    review.wait(chrono::Duration::seconds(1));
    review.start("good", &json!({ "number": 21 })).await;
    review
        .put(
            "own.html",
            "<crowd-form>{{ task.input.number | times: 2 }}<input name=a></crowd-form>",
        )
        .await;
    let ann = review.sign_in("ann").await;

    assert_eq!(ann.get("next").await.header("location"), "task?loop=bad");
    assert_eq!(ann.open("bad").await.code(), "template_failed");
    assert_eq!(ann.get("next").await.header("location"), "task?loop=good");
    assert!(
        ann.open("good")
            .await
            .body()
            .contains("<crowd-form>42<input name=a></crowd-form>")
    );
}

#[tokio::test]
async fn a_template_without_end_has_an_error_page_and_keeps_nobody_s_turn() {
    for endless in [
        "{% for i in (1..task.input.n) %}{% endfor %}",
        "{% tablerow i in (1..2) cols:0 %}{% endtablerow %}",
    ] {
        let mut config = config();
        config.template_key = "own.html".to_owned();
        let review = Review::with(config);
        let form = "<crowd-form>{{ task.input.n }}<input name=a></crowd-form>";
        review.put("own.html", form).await;
        review.start("tc-1", &json!({ "n": 9_000_000_000_000_i64 })).await;
        review.put("own.html", &format!("{endless}{form}")).await;
        let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);

        let shown = ann.open("tc-1").await;
        review.put("own.html", form).await;
        let mended = bea.open("tc-1").await;

        assert_eq!(
            (shown.status(), shown.code()),
            (500, "template_failed"),
            "{endless}"
        );
        assert_eq!(mended.status(), 200, "{endless}");
    }
}

#[tokio::test]
async fn a_task_longer_than_a_page_can_be_is_explained() {
    let review = Review::new();
    let text = "<".repeat(2_000_000);
    let input = json!({ "comprehendPredictions": [{ "id": "r-1", "utterance": text }], "labels": ["World"] });
    review.start("long", &input).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("long").await;

    assert_eq!((task.status(), task.code()), (500, "template_failed"));
}
