//! Pages and inputs that are not ours: what cannot be read is seen at once.

use serde_json::{Value, json};

use crate::harness::{Reply, Review, config, two_items};

const KEY: &str = "templates/own.html";

async fn review_with(template: &str) -> Review {
    let review = Review::with(human_review::Config {
        template_key: KEY.to_owned(),
        ..config()
    });
    review.put(KEY, template).await;
    review
}

fn message(reply: &Reply) -> String {
    assert_eq!(
        (reply.status(), reply.header("x-amzn-errortype")),
        (400, "ValidationException"),
        "{reply:?}"
    );
    reply.json()["Message"].as_str().expect("a message").to_owned()
}

#[tokio::test]
async fn an_input_of_which_a_page_would_show_nothing_is_refused_at_its_start() {
    let shipped = Review::new();
    for input in [json!({}), json!({ "text": " " }), json!({ "a": [{ "b": null }] })] {
        let refused = message(&shipped.start("tc-1", &input).await);
        assert!(refused.contains("it is empty"), "{refused}");
    }
    let only_labels = json!({ "labels": ["World"], "rowCount": 1 });
    let refused = message(&shipped.start("tc-1", &only_labels).await);
    assert!(refused.contains("it is empty"), "{refused}");
    for items in [
        json!([]),
        json!([{ "utterance": "\u{200b}" }]),
        json!([{ "text": "Some words" }]),
    ] {
        let input = json!({ "comprehendPredictions": items });
        let refused = message(&shipped.start("tc-1", &input).await);
        assert!(refused.contains("has a text"), "{refused}");
    }
    let of_items =
        "{% for item in task.input.comprehendPredictions %}{{ item.utterance }}{% endfor %}<input name=a>";
    let of_items = review_with(of_items).await;
    let refused = message(
        &of_items
            .start("tc-1", &json!({ "taskObject": "Some words" }))
            .await,
    );
    assert!(refused.contains("shows nothing of it"), "{refused}");
    let no_field = review_with("<p>{{ task.input.question }}</p>").await;
    let refused = message(&no_field.start("tc-1", &json!({ "question": "?" })).await);
    assert!(refused.contains("no field for an answer"), "{refused}");
    let broken = review_with("{% for x in %}").await;
    let refused = message(&broken.start("tc-1", &json!({ "question": "?" })).await);
    assert!(refused.contains("cannot be rendered"), "{refused}");
    assert_eq!(shipped.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_input_that_is_not_ours_is_shown_by_a_template_that_can_show_it() {
    let shipped = Review::new();
    for (name, input) in [
        ("tc-1", json!({ "initialValue": "Some words", "labels": ["A"] })),
        ("tc-2", json!({ "taskObject": "Some words" })),
        ("tc-3", json!({ "text": "Some words" })),
        ("tc-4", json!({ "taskObject": { "title": "Some words" } })),
        ("tc-5", json!({ "anything": ["Some words"] })),
    ] {
        assert_eq!(shipped.start(name, &input).await.status(), 200);
        let ann = shipped.sign_in(name).await;
        let task = ann.open(name).await;
        assert!(task.body().contains("Some words") && task.body().contains("name=\"item-1\""));
        assert_eq!(ann.submit(&task, &json!({})).await.code(), "answer_incomplete");
        assert_eq!(
            ann.submit(&task, &json!({ "item-1": "__none__" })).await.status(),
            303
        );
    }
    let own = review_with("<p>{{ task.input.question.text }}</p><input name=answer>").await;
    let input = json!({ "question": { "text": "How many?" } });
    assert_eq!(own.start("tc-1", &input).await.status(), 200);
    let ann = own.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    assert!(task.body().contains("How many?"));
    assert_eq!(ann.submit(&task, &json!({ "answer": "7" })).await.status(), 303);
}

#[tokio::test]
async fn a_page_whose_answer_could_not_be_matched_says_so_and_has_no_submit() {
    let review =
        review_with("<crowd-form><input name=topic><p>{{ task.input.rowCount }}</p></crowd-form>").await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;

    assert_eq!(task.status(), 200);
    assert!(
        task.body().contains("data-withheld=\"true\"") && task.body().contains("could not be read: 1, 2")
    );
    assert!(!task.body().contains("action=\"submit\""), "{}", task.body());
    assert_eq!(review.status("tc-1").await, "InProgress");
}

#[tokio::test]
async fn an_initial_value_is_a_text_whatever_a_user_wrote_in_it() {
    let template = "{% for item in task.input.comprehendPredictions %}\
        <crowd-classifier name=\"{{ item.id }}\" categories=\"{{ task.input.labels | to_json | escape }}\" \
        initial-value=\"{{ item.prediction }}\"></crowd-classifier>\
        <crowd-text-area name=\"note-{{ item.id }}\" initial-value=\"{{ item.utterance }}\"></crowd-text-area>\
        <crowd-input name=\"json-{{ item.id }}\" initial-value='{{ item.utterance | to_json | escape }}'></crowd-input>\
        {% endfor %}";
    let review = review_with(template).await;
    let hostile = [
        "\"><script>alert(1)</script><crowd-input name=\"r-10\" value=\"World\">",
        "' onfocus='alert(1)' x='</crowd-text-area><select name=r-2><option>Sports",
    ];
    let mut input = two_items();
    for (place, text) in hostile.iter().enumerate() {
        input["comprehendPredictions"][place]["utterance"] = json!(text);
        input["comprehendPredictions"][place]["prediction"] = json!(text);
    }
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;
    let answer = json!({
        "r-2": { "label": "World" }, "note-r-2": hostile[0], "json-r-2": hostile[0],
        "r-10": { "label": "Sports" }, "note-r-10": hostile[1], "json-r-10": hostile[1],
    });
    let submitted = ann.submit(&task, &answer).await;

    assert!(task.body().contains("action=\"submit\""), "{}", task.body());
    for smuggled in [
        "<script>alert",
        "<crowd-input name=\"r-10\"",
        "<select",
        "onfocus='",
        "</crowd-text-area><",
    ] {
        let written = task.body().matches(smuggled).count();
        // The template's own elements end so.
        let own = if smuggled.starts_with("</") { 2 } else { 0 };
        assert_eq!(written, own, "{smuggled}: {}", task.body());
    }
    assert_eq!(submitted.status(), 303);
    let key = "tc-review/2026/11/20/09/59/00/tc-1/output.json";
    let output: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    assert_eq!(output["humanAnswers"][0]["answerContent"], answer);
}

#[tokio::test]
async fn an_answer_that_cannot_be_matched_is_not_taken() {
    let review = review_with(
        "{% for item in task.input.comprehendPredictions %}<input name=\"{{ item.id }}\">{% endfor %}",
    )
    .await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;

    let unreadable = ann.submit(&task, &json!({ "topic": "World" })).await;
    let blank = ann.submit(&task, &json!({ "r-2": "", "r-10": " " })).await;

    assert_eq!(
        (unreadable.status(), unreadable.code()),
        (400, "answer_unreadable")
    );
    assert_eq!((blank.status(), blank.code()), (400, "answer_incomplete"));
    assert_eq!(review.status("tc-1").await, "InProgress");
    assert_eq!(ann.submit(&task, &json!({ "r-2": "World" })).await.status(), 303);
}

#[tokio::test]
async fn unknown_elements_are_named_on_the_page() {
    let review = review_with(
        "{% for item in task.input.comprehendPredictions %}<crowd-line></crowd-line>\
         <crowd-classifier name=\"{{ item.id }}\" categories=\"{{ task.input.labels | to_json | escape }}\"></crowd-classifier>{% endfor %}",
    )
    .await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;

    assert!(
        task.body().contains("does not have: crowd-line."),
        "{}",
        task.body()
    );
    assert!(task.body().contains("action=\"submit\""));
}

#[tokio::test]
async fn a_template_is_tried_when_it_is_put_in_place() {
    let good = review_with(
        "{% for item in task.input.comprehendPredictions %}<input name=\"label_{{ forloop.index }}\">{% endfor %}",
    )
    .await;
    let bad = review_with("<input name=topic>").await;
    let try_template = json!({ "operation": "try-template" });

    let (works, fails) = (
        good.handle(try_template.clone()).await,
        bad.handle(try_template).await,
    );

    assert_eq!(works, json!({ "works": true, "notices": [] }));
    assert_eq!(fails["works"], false);
    assert!(
        fails["notices"][0]
            .as_str()
            .is_some_and(|notice| notice.contains("1, 2")),
        "{fails}"
    );
}

#[tokio::test]
async fn a_users_suggestion_is_a_choice_of_its_own_item_only() {
    let review = Review::new();
    let mut input = two_items();
    input["comprehendPredictions"][0]["suggestedLabel"] = json!("Weather");
    input["comprehendPredictions"][1]["suggestedLabel"] = json!(" sPORTS ");
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;

    let proposal = ">proposed by a user: Weather</option>";
    assert_eq!(task.body().matches(proposal).count(), 1, "{}", task.body());
    assert_eq!(task.body().matches("proposed by a user").count(), 1);
    let answer = json!({ "r-2": "Weather", "r-10": "__unsure__" });
    assert_eq!(ann.submit(&task, &answer).await.status(), 303);
    let output: Value = serde_json::from_str(
        &review
            .object("tc-review/2026/11/20/09/59/00/tc-1/output.json")
            .await,
    )
    .expect("JSON");
    assert_eq!(output["humanAnswers"][0]["answerContent"], answer);
}

#[tokio::test]
async fn a_blank_item_does_not_reject_the_others_of_its_page() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;

    let reply = ann.submit(&task, &json!({ "r-2": "World", "r-10": "" })).await;

    assert_eq!(reply.status(), 303);
    assert_eq!(review.status("tc-1").await, "Completed");
}
