//! Pages and inputs that are not ours: what cannot be read is seen at once.

use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        human_loop::{Answer, HumanLoopOutput},
        label_set::LabelSet,
        question::{Question, State},
    },
};
use serde_json::{Value, json};

use crate::harness::{FEEDBACK_BUCKET, Reply, Review, TRAINING_BUCKET, config, two_items};

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
async fn an_input_that_leaves_nothing_to_choose_is_refused_at_its_start() {
    for element in ["crowd-classifier", "crowd-classifier-multi-select"] {
        let review = review_with(&format!(
            r#"<crowd-form><{element} name="a" categories="{{{{ task.input.labels | to_json | escape }}}}" header="?">
            <classification-target>{{{{ task.input.text }}}}</classification-target></{element}></crowd-form>"#
        ))
        .await;

        for input in [json!({ "text": "Hi" }), json!({ "text": "Hi", "labels": [] })] {
            let refused = message(&review.start("none", &input).await);
            assert!(refused.contains("has no category to choose"), "{refused}");
        }
        let some = review
            .start("some", &json!({ "text": "Hi", "labels": ["World"] }))
            .await;
        assert_eq!(some.status(), 200, "{some:?}");
    }
}

#[tokio::test]
async fn an_input_of_which_a_page_would_show_nothing_is_refused_at_its_start() {
    let shipped = Review::new();
    for input in [
        json!({}),
        json!({ "text": " " }),
        json!({ "taskObject": "\u{200b}" }),
        json!({ "initialValue": "\u{1}" }),
        json!({ "a": [{ "b": null }] }),
    ] {
        let refused = message(&shipped.start("tc-1", &input).await);
        assert!(refused.contains("it is empty"), "{refused}");
    }
    let mut twice = two_items();
    twice["comprehendPredictions"][1]["id"] = json!("r-2");
    let refused = message(&shipped.start("tc-1", &twice).await);
    assert!(refused.contains("have the same id"), "{refused}");
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
    for blank in ["", "\u{200b}"] {
        let items = json!({ "comprehendPredictions": [{ "id": "a", "utterance": blank }] });
        let refused = message(&of_items.start("tc-1", &items).await);
        assert!(refused.contains("has a text"), "{refused}");
    }
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
async fn a_text_that_was_taken_back_is_left_out_of_our_page_and_told_on_others() {
    let line = json!({"classifier": "news", "utterance": "Cup final tonight", "source": "explicit-api", "signal": "dislike"});
    let record = FeedbackRecord::parse(line.to_string().as_bytes()).expect("a record");
    let mut input = two_items();
    input["comprehendPredictions"][1]["id"] = json!(record.id);
    let mut question = Question::asked(record, "tc-1", 2);
    question.state = State::Withdrawn;
    let numbered = "{% for item in task.input.comprehendPredictions %}<p>{{ item.utterance }}</p>\
        <select name=\"item-{{ forloop.index }}\"><option>World<option>Sports<option>Business</select>{% endfor %}";
    let mut pages = Vec::new();

    for review in [Review::new(), review_with(numbered).await] {
        let key = keys::question(&question.record.id);
        let put = review.s3.put_object().bucket(FEEDBACK_BUCKET).key(key);
        let put = put.body(question.to_json().into()).send().await;
        put.expect("stored");
        review.start("tc-1", &input).await;
        let ann = review.sign_in("ann").await;
        let task = ann.open("tc-1").await;
        let answer = json!({"r-2": "World", "item-1": "World"});
        pages.push((task.body().to_owned(), ann.submit(&task, &answer).await.status()));
    }

    let [(ours, submitted), (other, submitted_other)] = &pages[..] else {
        unreachable!("two pages")
    };
    assert!(ours.contains("Rates rise again") && !ours.contains("Cup final tonight"));
    assert!(
        other.contains("Cup final tonight") && other.contains("need no answer: 2."),
        "{other}"
    );
    assert_eq!((*submitted, *submitted_other), (303, 303));
}

#[tokio::test]
async fn a_text_that_is_erased_goes_from_open_pages_and_the_others_keep_their_numbers() {
    let numbered = "{% for item in task.input.comprehendPredictions %}<p>{{ item.utterance }}</p>\
        <select name=\"item-{{ forloop.index }}\"><option>World<option>Sports<option>Business</select>{% endfor %}";
    for (review, answer) in [
        (
            Review::new(),
            json!({ "r-10": "Sports", "r-2": "Business", "comment:r-2": "Rates rise again" }),
        ),
        (
            review_with(numbered).await,
            json!({ "item-1": "Business", "item-2": "Sports" }),
        ),
    ] {
        review.start("tc-1", &two_items()).await;
        let ann = review.sign_in("ann").await;
        assert!(ann.open("tc-1").await.body().contains("Rates rise again"));
        let key = "human-review/loops/tc-1.json";
        let mut state: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
        state["input"]["comprehendPredictions"][0] = json!({ "id": "r-2", "erased": true });
        review.put(key, &state.to_string()).await;

        let task = ann.open("tc-1").await;
        assert!(task.body().contains("Cup final tonight") && !task.body().contains("Rates rise again"));
        assert!(!task.body().contains("data-withheld=\"true\""), "{}", task.body());
        assert_eq!(ann.submit(&task, &answer).await.status(), 303);

        let history = ann.get("history").await;
        assert!(history.body().contains("Cup final tonight") && !history.body().contains("Rates rise again"));
        let output = review.keys("tc-review/").await.remove(0);
        let output = review.object(&output).await;
        assert!(!output.contains("Rates rise again"), "{output}");
        let votes = HumanLoopOutput::parse(output.as_bytes())
            .expect("an output")
            .reviewed();
        let votes: Vec<_> = votes
            .iter()
            .map(|item| (&item.record.utterance[..], &item.votes[0].answer))
            .collect();
        assert_eq!(votes, [("Cup final tonight", &Answer::labels(["Sports"]))]);
    }
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
        "{% for item in task.input.comprehendPredictions %}{{ item.utterance }}<input name=\"{{ item.id }}\">{% endfor %}",
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
        "{% for item in task.input.comprehendPredictions %}<crowd-line></crowd-line>{{ item.utterance }}\
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
        "{% for item in task.input.comprehendPredictions %}{{ item.utterance }}<input name=\"label_{{ forloop.index }}\">{% endfor %}",
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
async fn a_template_that_is_replaced_is_tried_by_the_next_look_and_told_to_the_operator() {
    let good = "{% for item in task.input.comprehendPredictions %}{{ item.utterance }}<input name=\"label_{{ forloop.index }}\">{% endfor %}";
    let review = review_with(good).await;
    let admin = review.sign_in_admin("ada").await;
    let look = async || {
        review.handle(json!({ "operation": "measure" })).await;
        let trial: Value = serde_json::from_str(&review.object(keys::TEMPLATE_TRIAL).await).expect("JSON");
        let page = admin.get("overview").await;
        (trial, page.body().contains("its pages have no Submit"))
    };

    let (first, told_first) = look().await;
    review.wait(chrono::Duration::minutes(5));
    let (same, _) = look().await;
    review.put(KEY, "<input name=topic>").await;
    let (replaced, told) = look().await;
    review.remove(KEY).await;
    let (removed, _) = look().await;

    assert_eq!((&first["works"], told_first), (&json!(true), false));
    assert_eq!(same, first, "what was tried is not tried again");
    assert_eq!((&replaced["works"], told), (&json!(false), true), "{replaced}");
    assert!(
        replaced["notices"][0]
            .as_str()
            .is_some_and(|notice| notice.contains("1, 2"))
    );
    assert!(removed.to_string().contains("is not in the bucket"), "{removed}");
}

#[tokio::test]
async fn a_trial_that_somebody_asks_for_is_what_the_operator_is_told_with_its_time() {
    let review = review_with("<input name=topic>").await;
    let admin = review.sign_in_admin("ada").await;
    review.handle(json!({ "operation": "measure" })).await;
    let told = async || {
        let trial: Value = serde_json::from_str(&review.object(keys::TEMPLATE_TRIAL).await).expect("JSON");
        (trial, admin.get("overview").await.body().to_owned())
    };
    let (before, _) = told().await;
    review.wait(chrono::Duration::minutes(2));
    let good = "{% for item in task.input.comprehendPredictions %}{{ item.utterance }}<input name=\"label_{{ forloop.index }}\">{% endfor %}";
    review.put(KEY, good).await;

    let other_items = review
        .handle(json!({ "operation": "try-template", "items": 7 }))
        .await;
    let (untouched, _) = told().await;
    let tried = review.handle(json!({ "operation": "try-template" })).await;
    let (after, page) = told().await;
    review.handle(json!({ "operation": "measure" })).await;
    let (looked_at, _) = told().await;

    assert_eq!((&before["works"], &untouched), (&json!(false), &before));
    assert_eq!(other_items["works"], true);
    assert_eq!(tried["works"], true);
    assert_eq!(after["works"], true, "{after}");
    assert_ne!(after["at"], before["at"]);
    assert_eq!(looked_at, after, "the next look need not try it again");
    let time = after["at"].as_str().expect("a time")[..16].replace('T', " ");
    assert!(
        page.contains(&format!("works ({KEY}), tried {time} UTC")),
        "{time}: {page}"
    );
    assert!(!page.contains("have no Submit"), "{page}");
}

#[tokio::test]
async fn a_template_whose_choices_are_no_labels_does_not_work_and_that_is_said() {
    let choices = "{% for item in task.input.comprehendPredictions %}\
        {{ item.utterance }}<select name=\"label_{{ forloop.index }}\"><option>1<option>2</select>{% endfor %}";
    let tried = tried(choices, &["World", "Sports"]).await;
    let review = review_with(choices).await;
    let mut set = LabelSet::none();
    for name in ["World", "Sports"] {
        set.add(name, "").expect("free");
    }
    let put = review.s3.put_object().bucket(TRAINING_BUCKET);
    let put = put.key("label-set.json").body(set.to_json().into());
    put.send().await.expect("stored");
    let admin = review.sign_in_admin("ada").await;

    review.handle(json!({ "operation": "measure" })).await;
    let page = admin.get("overview").await;

    assert_eq!(
        (&tried["works"], &tried["proposesOnly"]),
        (&json!(false), &json!(true)),
        "{tried}"
    );
    let notice = tried["notices"][0].as_str().unwrap_or_default();
    assert!(notice.contains("No choice of this page is a label"), "{tried}");
    assert!(
        page.body().contains("every answer is only a proposal"),
        "{}",
        page.body()
    );
    assert!(!page.body().contains("have no Submit"), "{}", page.body());
}

#[tokio::test]
async fn a_page_whose_numbers_follow_another_order_than_its_input_takes_no_answer() {
    let listed = |list: &str| {
        format!(
            "{{% assign ps = task.input.comprehendPredictions {list} %}}{{% for p in ps %}}<p>{{{{ p.utterance }}}}</p>\
             <select name=\"item-{{{{ forloop.index }}}}\"><option value=\"\"></option>{{% for l in task.input.labels %}}\
             <option>{{{{ l }}}}</option>{{% endfor %}}</select>{{% endfor %}}"
        )
    };
    for list in [
        "| sort: \"utterance\"",
        "| sort: \"confidence\"",
        "| sort: \"prediction\"",
        "| sort: \"confidence\" | reverse",
        "| reverse",
    ] {
        let tried = tried_with(&listed(list), &["World", "Sports"], 3).await;
        assert_eq!(tried["works"], false, "{list}: {tried}");
        let notice = tried["notices"][0].as_str().unwrap_or_default();
        assert!(notice.contains("one to another text"), "{list}: {tried}");
    }
    let plain = tried_with(&listed(""), &["World", "Sports"], 3).await;
    assert_eq!(plain["works"], true, "{plain}");

    // What the texts of this task show, made-up ones may not.
    let review = review_with(&listed("| sort: \"utterance\"")).await;
    let input = |texts: [&str; 2]| {
        let items =
            texts.map(|text| json!({ "id": format!("r-{text}"), "classifier": "news", "utterance": text }));
        json!({ "comprehendPredictions": items, "labels": ["World", "Sports"] })
    };
    review.start("tc-1", &input(["zebra", "alpaka"])).await;
    let ann = review.sign_in("ann").await;
    let page = ann.open("tc-1").await;
    assert!(page.body().contains("one to another text"), "{}", page.body());
    review.start("tc-2", &input(["alpaka", "zebra"])).await;
    let page = ann.open("tc-2").await;
    assert!(!page.body().contains("one to another text"), "{}", page.body());
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
async fn queue_history_and_guideline_are_there_as_json_under_the_same_address() {
    let review = Review::new();
    let guideline = json!({ "introduction": "All", "labels": [] });
    review.put("guideline.json", &guideline.to_string()).await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;

    let queue = ann.get("queue.json").await;
    let history = ann.get("history.json").await;
    let guide = ann.get("guide.json").await;
    let (anonymous, none) = (
        review.portal("GET", "queue.json", None, &[]).await,
        ann.get("session.json").await,
    );

    for page in [&queue, &history, &guide] {
        assert_eq!(page.status(), 200, "{page:?}");
        assert_eq!(page.header("content-type"), "application/json");
    }
    let queue = queue.json();
    assert_eq!(
        (&queue["waiting"], &queue["tasks"][0]["loop"]),
        (&json!(1), &json!("tc-1"))
    );
    assert_eq!(queue["tasks"][0]["lowestConfidence"], 0.41);
    assert_eq!(history.json(), json!({ "doneToday": 0, "answers": [] }));
    assert_eq!(guide.json()["guideline"], guideline);
    assert_eq!(
        (anonymous.status(), anonymous.json()["code"].as_str()),
        (401, Some("sign_in_required"))
    );
    assert_eq!(none.status(), 404);
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

/// Puts the question about the first of two items, on which users have said this, each at a later second.
async fn put_votes(review: &Review, said: &[(&str, &str)]) {
    let vote = |(second, (user, label)): (usize, &(&str, &str))| {
        json!({
            "worker": user, "answer": { "kind": "labels", "labels": [label] }, "source": "feedback",
            "at": format!("2026-11-20T09:00:{second:02}Z"),
        })
    };
    let votes: Vec<Value> = said.iter().enumerate().map(vote).collect();
    let record = json!({ "utterance": "Rates rise again", "classifier": "news" }).to_string();
    let record = FeedbackRecord::parse(record.as_bytes())
        .expect("a record")
        .to_line();
    let mut record: Value = serde_json::from_str(&record).expect("JSON");
    record["id"] = json!("r-2");
    let question = json!({ "schemaVersion": 1, "state": "asked", "record": record, "votes": votes });
    let put = review.s3.put_object().bucket(FEEDBACK_BUCKET);
    let put = put.key(keys::question("r-2"));
    put.body(question.to_string().into_bytes().into())
        .send()
        .await
        .expect("stored");
}

#[tokio::test]
async fn the_page_shows_what_each_user_holds_right_today() {
    let review = Review::new();
    let mut input = two_items();
    input["comprehendPredictions"][0]["suggestedLabel"] = json!("World");
    review.start("tc-1", &input).await;
    put_votes(
        &review,
        &[
            ("user:u1", "World"),
            ("user:u2", "Sports"),
            ("user:u1", "Business"),
            ("user:u3", "Sports"),
            ("user", "Weather"),
        ],
    )
    .await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;

    let said = |words: &str, label: &str| task.body().contains(&format!("{words} <strong>{label}</strong>"));
    assert!(said("2 users suggest", "Sports"), "{}", task.body());
    assert!(said("a user suggests", "Business") && said("a user suggests", "Weather"));
    assert!(!said("a user suggests", "World"), "u1 says something else by now");
    assert_eq!(task.body().matches("proposed by a user: Weather").count(), 1);
    assert_eq!(
        task.body().matches("proposed by a user").count(),
        1,
        "the others are labels"
    );
}

/// Shows the text of a task.
const SHOWN: &str = "{{ task.input.comprehendPredictions[0].utterance }}";

/// What the trial of a template says, where the label set has these labels.
async fn tried(template: &str, labels: &[&str]) -> Value {
    tried_with(template, labels, 1).await
}

/// Tries a template with a label set and so many items.
async fn tried_with(template: &str, labels: &[&str], items: usize) -> Value {
    let review = review_with(template).await;
    if !labels.is_empty() {
        let mut set = LabelSet::none();
        for name in labels {
            set.add(name, "").expect("free");
        }
        let put = review.s3.put_object().bucket(TRAINING_BUCKET);
        let put = put.key("label-set.json").body(set.to_json().into());
        put.send().await.expect("stored");
    }
    review
        .handle(json!({ "operation": "try-template", "items": items }))
        .await
}

#[tokio::test]
async fn a_template_is_tried_with_the_labels_of_the_set_or_else_with_its_own_choices() {
    let buttons = "<crowd-radio-group><crowd-radio-button name=positive>Good</crowd-radio-button>\
        <crowd-radio-button name=negative>Bad</crowd-radio-button></crowd-radio-group>";
    let boxes = "<input type=checkbox name=positive><input type=checkbox name=negative>";
    let classifier = "<crowd-classifier name=category categories='[\"positive\",\"negative\"]' \
        exclusion-category=\"{ text: 'None of these' }\"></crowd-classifier>";
    let works = json!({ "works": true, "notices": [] });

    for template in [buttons, boxes, classifier] {
        let template = &format!("{SHOWN}{template}");
        for labels in [&["Positive", "Negative", "Neutral"][..], &[]] {
            assert_eq!(tried(template, labels).await, works, "{template} {labels:?}");
        }
    }
    let two = "<select name=first><option>positive<option>negative</select>\
        <select name=second><option>positive<option>negative</select>";
    let refused = tried(two, &["positive", "negative"]).await;
    assert_eq!(refused["works"], false);
}

#[tokio::test]
async fn a_template_that_shows_nothing_does_not_work_without_a_label_set_either() {
    let buttons = "<input type=radio name=t value=positive><input type=radio name=t value=negative>";
    let other = format!("{{{{ task.input.comprehendPredictions[0].title }}}}{buttons}");

    for labels in [&["positive", "negative"][..], &[]] {
        let (nothing, another) = (tried(buttons, labels).await, tried(&other, labels).await);

        assert_eq!(nothing["works"], false, "{nothing}");
        assert!(
            nothing.to_string().contains("does not show the texts"),
            "{nothing}"
        );
        assert_eq!(another["works"], true, "{another}");
        assert!(another.to_string().contains("(title)"), "{another}");
    }
}

#[tokio::test]
async fn a_text_beside_the_items_is_shown_as_well_as_one_of_an_item() {
    let review =
        review_with("<p>{{ task.input.article }}</p><select name=a><option>World<option>Sports</select>")
            .await;
    let input = json!({
        "comprehendPredictions": [{ "id": "a" }], "labels": ["World", "Sports"], "article": "Cup",
    });
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;

    assert!(
        !task.body().contains("does not show the texts"),
        "{}",
        task.body()
    );
    assert!(task.body().contains("action=\"submit\""), "{}", task.body());
}

#[tokio::test]
async fn a_form_of_an_own_page_is_taken_without_a_script_and_a_proposal_with_a_line_break_is_not() {
    let review = review_with(
        "<p>{{ task.input.comprehendPredictions[0].utterance }}</p><input type=hidden name=version value=World>\
         <input type=radio name=category value=Sports><input type=radio name=category value=World>",
    )
    .await;
    let mut input = two_items();
    input["comprehendPredictions"]
        .as_array_mut()
        .expect("items")
        .pop();
    review.start("tc-1", &input).await;
    let shipped = Review::new();
    shipped.start("tc-1", &input).await;
    let (ann, bob) = (review.sign_in("ann").await, shipped.sign_in("bob").await);

    let task = ann.open("tc-1").await;
    let own = ["portal:csrf", "portal:loop", "portal:loop-id"].map(|name| (name, task.field(name)));
    let mut form: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    form.extend([
        ("portal:answer", ""),
        ("version", "World"),
        ("category", "Sports"),
    ]);
    let taken = ann.post("submit", &form).await;
    let task = bob.open("tc-1").await;
    let refused = bob.submit(&task, &json!({ "r-2": "a\nb" })).await;

    assert_eq!(taken.status(), 303, "{}", taken.body());
    assert_eq!((refused.status(), refused.code()), (400, "no_label"));
}

#[tokio::test]
async fn the_exclusion_category_of_an_own_page_is_none_fits_and_its_answer_stays_as_a2i_has_it() {
    for (element, chosen, label) in [
        (
            "crowd-classifier",
            json!({ "label": "Keine davon" }),
            json!({ "label": "Sports" }),
        ),
        (
            "crowd-classifier-multi-select",
            json!({ "labels": ["Keine davon"] }),
            json!({ "labels": ["Sports"] }),
        ),
    ] {
        let review = review_with(&format!(
            "<{element} name=category categories=\"{{{{ task.input.labels | to_json | escape }}}}\" \
             exclusion-category=\"{{ text: 'Keine davon' }}\">{{{{ task.input.comprehendPredictions[0].utterance }}}}</{element}>"
        ))
        .await;
        let mut input = two_items();
        input["comprehendPredictions"]
            .as_array_mut()
            .expect("items")
            .pop();
        review.start("tc-1", &input).await;
        review.start("tc-2", &input).await;
        let ann = review.sign_in("ann").await;

        for (name, answer) in [("tc-1", &chosen), ("tc-2", &label)] {
            let task = ann.open(name).await;
            let taken = ann.submit(&task, &json!({ "category": answer })).await;
            assert_eq!(taken.status(), 303, "{}", taken.body());
        }

        for key in review.keys("tc-review/").await {
            let output = review.object(&key).await;
            let read = HumanLoopOutput::parse(output.as_bytes())
                .expect("an output")
                .reviewed();
            let written: Value = serde_json::from_str(&output).expect("JSON");
            let answer = &written["humanAnswers"][0];
            let (content, vote) = (&answer["answerContent"]["category"], &read[0].votes[0].answer);
            if key.contains("/tc-1/") {
                assert_eq!((content, vote), (&chosen, &Answer::NoneFits));
                assert_eq!(
                    answer["exclusionCategories"],
                    json!({ "category": "Keine davon" })
                );
            } else {
                assert_eq!((content, vote), (&label, &Answer::labels(["Sports"])));
                assert_eq!(
                    answer["exclusionCategories"],
                    Value::Null,
                    "only where it was chosen"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_answer_is_taken_though_its_page_was_broken_after_it_was_shown() {
    let review =
        review_with("<input name=category>{{ task.input.comprehendPredictions[0].utterance }}").await;
    let mut input = two_items();
    input["comprehendPredictions"]
        .as_array_mut()
        .expect("items")
        .pop();
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;

    review.put(KEY, "{% for x in %}").await;
    let taken = ann.submit(&task, &json!({ "category": "World" })).await;

    assert_eq!(taken.status(), 303, "{}", taken.body());
}
