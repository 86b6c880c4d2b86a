//! Open pages and a label set that changes, or that is large.

use active_learning_core::labels::{
    human_loop::{Answer, HumanLoopOutput},
    label_set::LabelSet,
};
use serde_json::{Value, json};

use crate::harness::{Reply, Review, Session, TRAINING_BUCKET, config, two_items};

/// Largest page of ten texts and a thousand labels of some 40 bytes.
const MAX_PAGE_BYTES: usize = 150_000;

/// Puts a label set in place, for functions that have not read one.
pub async fn put_set(review: &Review, set: &LabelSet) {
    let put = review
        .s3
        .put_object()
        .bucket(TRAINING_BUCKET)
        .key("label-set.json");
    put.body(set.to_json().into()).send().await.expect("stored");
}

pub fn set_of(names: &[&str]) -> LabelSet {
    let mut set = LabelSet::none();
    for name in names {
        set.add(name, "").expect("free");
    }
    set
}

fn with_cookie<'r>(review: &'r Review, cookie: &str) -> Session<'r> {
    let cookie = cookie.to_owned();
    Session { review, cookie }
}

/// The choices of a page, in their order.
fn choices(task: &Reply) -> Vec<String> {
    let list = task
        .body()
        .split_once("<datalist id=\"review-labels\">")
        .map_or("", |(_, list)| list);
    let list = list.split("</datalist>").next().unwrap_or_default();
    let options = list.split("<option value=\"").skip(1);
    options
        .filter_map(|option| Some(option.split('"').next()?.to_owned()))
        .collect()
}

async fn output(review: &Review) -> Value {
    let output = review
        .object("tc-review/2026/11/20/09/59/00/tc-1/output.json")
        .await;
    serde_json::from_str(&output).expect("JSON")
}

#[tokio::test]
async fn an_open_page_follows_a_change_of_the_label_set() {
    let review = Review::new();
    let mut set = set_of(&["World", "Sports", "Business", "SciTech"]);
    put_set(&review, &set).await;
    review.start("tc-1", &two_items()).await;
    let cookie = review.sign_in("ann").await.cookie;
    let before = with_cookie(&review, &cookie).open("tc-1").await;
    set.retire("SciTech").expect("active");
    set.merge("Business", "World").expect("active");
    set.split("Sports", &["Ball games", "Racing"]).expect("active");
    put_set(&review, &set).await;

    // The function that shows pages now has not read the set of before.
    let review = review.restarted(config());
    let ann = with_cookie(&review, &cookie);
    let retired = ann
        .submit(&before, &json!({ "r-2": "SciTech", "r-10": "World" }))
        .await;
    let split = ann
        .submit(&before, &json!({ "r-2": "World", "r-10": " sports" }))
        .await;
    let (status, again) = (review.status("tc-1").await, ann.open("tc-1").await);
    let taken = ann
        .submit(&before, &json!({ "r-2": "Business", "r-10": "Racing" }))
        .await;

    assert_eq!(choices(&before), ["World", "Sports", "Business", "SciTech"]);
    assert_eq!((retired.status(), retired.code()), (400, "label_not_in_use"));
    assert!(
        retired
            .body()
            .contains("`SciTech` was retired since this page was opened. Nothing was saved")
    );
    assert_eq!((split.status(), split.code()), (400, "label_not_in_use"));
    assert!(
        split
            .body()
            .contains("`Sports` was split into `Ball games`, `Racing`"),
        "{}",
        split.body()
    );
    assert_eq!(status, "InProgress");
    assert_eq!(
        choices(&again),
        ["World", "Ball games", "Racing"],
        "the page opened again"
    );
    // What was merged is resolved by who collects the labels: see `a_correction…` and `mapping`.
    assert_eq!(taken.status(), 303);
    let given = &output(&review).await["humanAnswers"][0]["answerContent"];
    assert_eq!(given, &json!({ "r-2": "Business", "r-10": "Racing" }));
}

#[tokio::test]
async fn a_label_that_was_retired_within_the_last_seconds_is_left_to_who_collects_the_answers() {
    let review = Review::new();
    let mut set = set_of(&["World", "SciTech"]);
    put_set(&review, &set).await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let page = ann.open("tc-1").await;
    set.retire("SciTech").expect("active");
    put_set(&review, &set).await;

    let taken = ann
        .submit(&page, &json!({ "r-2": "SciTech", "r-10": "World" }))
        .await;

    // That its text is asked again: see the test of label-collection.
    assert_eq!(taken.status(), 303);
    let given = &output(&review).await["humanAnswers"][0]["answerContent"];
    assert_eq!(given, &json!({ "r-2": "SciTech", "r-10": "World" }));
}

#[tokio::test]
async fn an_answer_that_was_taken_before_its_label_went_is_taken_where_it_is_sent_again() {
    for workers in [1, 2] {
        let review = Review::with(human_review::Config {
            task_count: workers,
            ..config()
        });
        let mut set = set_of(&["World", "Sports", "SciTech"]);
        put_set(&review, &set).await;
        review.start("tc-1", &two_items()).await;
        let cookie = review.sign_in("ann").await.cookie;
        let page = with_cookie(&review, &cookie).open("tc-1").await;
        let answer = json!({ "r-2": "Sports", "r-10": "World" });
        let taken = with_cookie(&review, &cookie)
            .submit_by_script(&page, &answer)
            .await;
        set.split("Sports", &["Ball games", "Racing"]).expect("active");
        put_set(&review, &set).await;

        let review = review.restarted(human_review::Config {
            task_count: workers,
            ..config()
        });
        let ann = with_cookie(&review, &cookie);
        let again = ann.submit_by_script(&page, &answer).await;
        let other = json!({ "r-2": "Sports", "r-10": "SciTech" });
        let other = ann.submit_by_script(&page, &other).await;

        assert_eq!(taken.json()["saved"], true, "{}", taken.body());
        assert_eq!(again.json()["saved"], true, "{}", again.body());
        assert_eq!((other.status(), other.code()), (400, "label_not_in_use"));
    }
}

#[tokio::test]
async fn a_script_that_sends_a_retired_label_is_told_in_words_and_the_task_stays_open() {
    let template = "{% for item in task.input.comprehendPredictions %}<p>{{ item.utterance }}</p>\
        <input name=\"label_{{ forloop.index }}\">{% endfor %}";
    let own = human_review::Config {
        template_key: "templates/own.html".to_owned(),
        ..config()
    };
    for config in [config(), own] {
        let review = Review::with(config.clone());
        review.put("templates/own.html", template).await;
        let mut set = set_of(&["World", "Old"]);
        set.retire("Old").expect("active");
        put_set(&review, &set).await;
        review.start("tc-1", &two_items()).await;
        let ann = review.sign_in("ann").await;
        let task = ann.open("tc-1").await;
        let answer = match config.template_key.is_empty() {
            true => json!({ "r-2": "World", "r-10": "OLD " }),
            false => json!({ "label_1": "World", "label_2": "OLD " }),
        };

        let reply = ann.submit_by_script(&task, &answer).await;

        let problem = reply.json();
        assert_eq!(
            (reply.status(), problem["code"].as_str()),
            (400, Some("label_not_in_use"))
        );
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.starts_with("`Old` was retired since"), "{problem}");
        assert_eq!(review.status("tc-1").await, "InProgress");
    }
}

/// A thousand labels, most of which only their ends tell apart.
fn thousand() -> Vec<String> {
    (1..=1_000)
        .map(|number| format!("Department of claims & returns, desk {number:04}"))
        .collect()
}

#[tokio::test]
async fn of_a_thousand_labels_each_can_be_found_on_the_page_and_the_last_is_stored_as_it_is() {
    for several in [false, true] {
        let review = Review::with(human_review::Config {
            show_rules: human_review::portal::ShowRules {
                several_labels: several,
                ..Default::default()
            },
            ..config()
        });
        let labels = thousand();
        let names: Vec<&str> = labels.iter().map(String::as_str).collect();
        put_set(&review, &set_of(&names)).await;
        let item = |number: u32| json!({ "id": format!("r-{number}"), "utterance": format!("Text {number}"), "classifier": "mail" });
        let items: Vec<Value> = (1..=10).map(item).collect();
        let input = json!({ "comprehendPredictions": items, "labels": ["World"], "rowCount": 10 });
        review.start("tc-1", &input).await;
        let ann = review.sign_in("ann").await;

        let task = ann.open("tc-1").await;
        let last = match several {
            true => json!([labels[0], labels[999]]),
            false => json!(labels[999]),
        };
        let answer: serde_json::Map<_, _> = (1..=10)
            .map(|number| (format!("r-{number}"), last.clone()))
            .collect();
        let answer = Value::Object(answer);
        let submitted = ann.submit(&task, &answer).await;

        assert_eq!(task.status(), 200);
        // The search of the page looks through this list: the labels, and those of older tasks that the set lacks.
        let shown: Vec<String> = choices(&task)
            .iter()
            .map(|name| name.replace("&amp;", "&"))
            .collect();
        assert_eq!(shown[..1_000], labels[..]);
        // One list for all items, else ten thousand options: replies of functions are bounded.
        let bytes = task.body().len();
        assert!(bytes < MAX_PAGE_BYTES, "{bytes} bytes, several labels: {several}");
        assert_eq!(submitted.status(), 303, "{}", submitted.body());
        assert_eq!(output(&review).await["humanAnswers"][0]["answerContent"], answer);
    }
}

#[tokio::test]
async fn without_a_script_several_of_many_labels_are_written_in_one_field() {
    let review = Review::with(human_review::Config {
        show_rules: human_review::portal::ShowRules {
            several_labels: true,
            ..Default::default()
        },
        ..config()
    });
    let labels = thousand();
    let names: Vec<&str> = labels.iter().map(String::as_str).collect();
    let set = set_of(&names);
    put_set(&review, &set).await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;
    let fields = ["portal:csrf", "portal:loop", "portal:loop-id"].map(|name| (name, task.field(name)));
    let mut form: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let both = format!("{} | {}", labels[0], labels[999]);
    form.extend([("r-2", both.as_str()), ("r-10", labels[500].as_str())]);
    let submitted = ann.post("submit", &form).await;

    assert!(
        task.body()
            .contains("write\n        several labels with a comma or <kbd>|</kbd> between them")
    );
    assert_eq!(submitted.status(), 303, "{}", submitted.body());
    let key = "tc-review/2026/11/20/09/59/00/tc-1/output.json";
    let output = HumanLoopOutput::parse(review.object(key).await.as_bytes()).expect("an output");
    let known = |name: &str| set.find(name).map(|label| label.name.clone());
    let answers: Vec<_> = output
        .reviewed_by(&known)
        .into_iter()
        .map(|item| item.votes[0].answer.clone())
        .collect();
    assert_eq!(
        answers,
        [
            Answer::labels([&labels[0], &labels[999]]),
            Answer::labels([&labels[500]])
        ]
    );
}

#[tokio::test]
async fn without_a_script_and_with_many_labels_what_is_no_label_is_refused_and_i_cannot_tell_is_that() {
    let review = Review::new();
    let labels = thousand();
    let names: Vec<&str> = labels.iter().map(String::as_str).collect();
    put_set(&review, &set_of(&names)).await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    let fields = ["portal:csrf", "portal:loop", "portal:loop-id"].map(|name| (name, task.field(name)));
    let submit = async |first: &str, second: &str| {
        let hidden = fields.iter().map(|(name, value)| (*name, value.as_str()));
        let form: Vec<(&str, &str)> = hidden.chain([("r-2", first), ("r-10", second)]).collect();
        ann.post("submit", &form).await
    };

    let words = ["None of these fits", "I cannot tell"];
    for word in words {
        assert!(
            task.body()
                .contains(&format!("<option data-word value=\"{word}\">")),
            "{word}"
        );
    }
    let two = format!("{}, {}", labels[0], labels[1]);
    for wrong in ["clas 5", two.as_str()] {
        let refused = submit(&labels[3], wrong).await;
        assert_eq!(
            (refused.status(), refused.code()),
            (400, "not_of_list"),
            "{wrong}"
        );
        assert!(refused.body().contains("text 2"), "{}", refused.body());
        assert!(
            refused.body().contains("The task is still yours"),
            "{}",
            refused.body()
        );
    }
    assert_eq!(submit(" none of these FITS", "i cannot tell").await.status(), 303);

    let given = &output(&review).await["humanAnswers"][0]["answerContent"];
    assert_eq!(given, &json!({ "r-2": "__none__", "r-10": "__unsure__" }));
}

#[tokio::test]
async fn with_several_labels_a_new_label_with_a_bar_is_proposed_as_one_and_none_joins_a_label_with_it() {
    let review = Review::with(human_review::Config {
        show_rules: human_review::portal::ShowRules {
            several_labels: true,
            ..Default::default()
        },
        ..config()
    });
    let set = set_of(&["World", "Sports", "Business"]).with_several_labels(true);
    put_set(&review, &set).await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;

    let joins = ann
        .submit(&task, &json!({ "r-2": ["World|new"], "r-10": ["World"] }))
        .await;
    let unsure = ann
        .submit(&task, &json!({ "r-2": ["World", "unsure"], "r-10": ["World"] }))
        .await;
    let taken = ann
        .submit(
            &task,
            &json!({ "r-2": ["AC|DC"], "r-10": ["World", "rock|roll"] }),
        )
        .await;

    assert_eq!((joins.status(), joins.code()), (400, "joins_labels"));
    assert_eq!(
        (unsure.status(), unsure.code()),
        (400, "answer_contradicts_itself")
    );
    assert_eq!(taken.status(), 303, "{}", taken.body());
    let history = ann.get("history").await;
    assert!(history.body().contains("AC|DC"), "{}", history.body());
    let output = HumanLoopOutput::parse(output(&review).await.to_string().as_bytes()).expect("an output");
    let items = output.reviewed_by(&|name| set.find(name).map(|label| label.name.clone()));
    let proposed = items.into_iter().map(|item| {
        let vote = set.canonical(&item.record, item.votes[0].clone());
        match vote.answer {
            Answer::NewLabel { label } => set.proposed_names(&label),
            other => panic!("no proposal: {other:?}"),
        }
    });
    assert_eq!(proposed.collect::<Vec<_>>(), [["AC|DC"], ["rock|roll"]]);
}
