//! Which pages may be sent, and what is said of the others.

use serde_json::{Value, json};

use super::*;
use crate::worker_template::render_html;

fn task(items: usize) -> Value {
    let items: Vec<Value> = (1..=items)
        .map(|number| json!({ "id": format!("r-{number}"), "classifier": "news", "utterance": format!("Text {number}") }))
        .collect();
    json!({ "comprehendPredictions": items, "labels": ["World", "Sports"] })
}

const OPTIONS: &str = "<option value=''>?</option><option>World</option><option>Sports</option></select>";

#[test]
fn pages_whose_answers_can_be_matched_may_be_sent() {
    for (items, html) in [
        (1, format!("<select name=category>{OPTIONS}<textarea name=comment></textarea>")),
        (1, "<crowd-classifier name=x categories=\"['World','Sports']\" exclusion-category=\"{ text: 'None' }\"></crowd-classifier>".into()),
        (1, "<crowd-classifier-multi-select name=x categories='[\"World\",\"Sports\"]'></crowd-classifier-multi-select>".into()),
        (1, "<crowd-radio-group><crowd-radio-button name=World value=World>W</crowd-radio-button>\
             <crowd-radio-button name=Sports value=Sports>S</crowd-radio-button></crowd-radio-group>".into()),
        (1, "<crowd-checkbox name=World>W</crowd-checkbox><crowd-checkbox name=Sports>S</crowd-checkbox>".into()),
        (1, "<input type=radio name=t value=World><input type=radio name=t value=Sports>".into()),
        (1, "<input name=whatever>".into()),
        (2, format!("<select name=r-1>{OPTIONS}<select name=r-2>{OPTIONS}")),
        (2, format!("<select name=label_0>{OPTIONS}<select name=label_1>{OPTIONS}")),
        (2, "<input type=radio name=q1 value=World><input type=radio name=q2 value=Sports>".into()),
    ] {
        assert_eq!(try_page(&html, &task(items), None), Trial::default(), "{html}");
    }
}

#[test]
fn a_page_whose_answer_could_not_be_matched_is_withheld_and_says_for_which_items() {
    for (html, says) in [
        (format!("<select name=category>{OPTIONS}"), "1, 2"),
        (
            format!("<select name=r-1>{OPTIONS}"),
            "items could not be read: 2;",
        ),
        ("<p>No field</p>".to_owned(), "no field for an answer"),
        (
            "<crowd-entity-annotation name=x></crowd-entity-annotation>".to_owned(),
            "no field for an answer",
        ),
    ] {
        let trial = try_page(&html, &task(2), None);

        assert!(trial.is_withheld, "{html}");
        assert!(trial.notices.join(" ").contains(says), "{trial:?}");
    }
}

#[test]
fn a_choice_that_is_a_label_is_no_verdict_whatever_it_is_called() {
    let page = read_form("<select name=category><option>Ja</option><option>Nein</option></select>");
    let judges = |labels: Value| {
        let mut input = task(1);
        input["labels"] = labels;
        let items = HumanLoopOutput::unanswered(input).expect("records");
        has_verdict(&page.fields, &Task::new(items, None).labels)
    };

    assert!(judges(json!(["World", "Sports"])));
    assert!(!judges(json!(["Ja", "NEIN"])));
}

#[test]
fn a_page_whose_label_is_the_same_whatever_is_chosen_is_withheld() {
    let list = "<input type=hidden name=labels value='[\"World\",\"Sports\"]'>";
    let with_prediction = "<input type=hidden name=meta value='{\"of\":{\"label\":\"World\"}}'>";
    for html in [
        "<input type=hidden name=prediction value=World><input type=radio name=is_correct value=yes>\
         <input type=radio name=is_correct value=no>"
            .to_owned(),
        format!("{list}<select name=t>{OPTIONS}"),
        format!("{with_prediction}<select name=t>{OPTIONS}"),
    ] {
        let trial = try_page(&html, &task(1), None);

        assert!(trial.is_withheld, "{html}");
        assert!(
            trial.notices.join(" ").contains("whatever is chosen"),
            "{html}: {trial:?}"
        );
    }
    // What a script fills in cannot be tried.
    let by_script = "<input type=hidden name=label value=World>";
    assert_eq!(try_page(by_script, &task(1), None), Trial::default());
}

#[test]
fn items_may_offer_different_numbers_of_labels_and_one_of_a_single_label_is_left_alone() {
    let radio = |name: &str, words: &[&str]| -> String {
        let buttons = words
            .iter()
            .map(|word| format!("<input type=radio name={name} value={word}>"));
        buttons.collect()
    };
    let few = radio("r-1", &["World", "__none__"]);
    let more = radio("r-2", &["World", "Sports", "__none__"]);

    assert_eq!(
        try_page(&format!("{few}{more}"), &task(2), None),
        Trial::default()
    );
}

#[test]
fn an_unrelated_choice_withholds_no_page_that_a_script_fills_in_and_one_that_denies_it_does() {
    let beside = |words: [&str; 2]| {
        let options = words.map(|word| format!("<option>{word}</option>")).concat();
        format!("<input type=hidden name=label value=World><select name=beside>{options}</select>")
    };

    assert!(!try_page(&beside(["easy", "hard"]), &task(1), None).is_withheld);
    assert!(try_page(&beside(["yes", "no"]), &task(1), None).is_withheld);
}

#[test]
fn a_text_that_begins_as_a_label_beside_the_choice_is_found_before_anybody_chooses_otherwise() {
    let beside = |name: &str| {
        format!("<select name=category>{OPTIONS}<crowd-input name={name} initial-value=World></crowd-input>")
    };

    let (rival, comment) = (
        try_page(&beside("other"), &task(1), None),
        try_page(&beside("comment"), &task(1), None),
    );

    assert!(
        rival.is_withheld && rival.notices[0].contains("could not be read: 1;"),
        "{rival:?}"
    );
    assert_eq!(comment, Trial::default(), "a comment is no answer");
}

#[test]
fn a_page_whose_choices_are_no_labels_says_that_they_are_kept_as_proposals() {
    let numbers =
        "<select name=category><option value=0>World</option><option value=1>Sports</option></select>";
    let radio = "<input type=radio name=category value=a><input type=radio name=category value=b><input name=comment>";

    for html in [numbers, radio] {
        let trial = try_page(html, &task(1), None);

        assert_eq!(
            (trial.is_withheld, &trial.notices[..]),
            (false, &[OTHER_CHOICES.to_owned()][..])
        );
    }
}

#[test]
fn a_page_on_which_some_choice_could_not_be_read_is_withheld_and_says_which() {
    let choices = format!("<select name=first>{OPTIONS}<select name=second>{OPTIONS}");
    let yes_or_no = "<input type=radio name=World value=yes><input type=radio name=World value=no>";
    let neither = "<input type=radio name=t value=a><input type=radio name=t value=b><input name=comment>";
    for (html, says) in [
        (choices.as_str(), "which one counts"),
        (yes_or_no, "where “no” is chosen"),
        (neither, "items could not be read: 1;"),
    ] {
        let trial = try_page(html, &task(1), None);

        assert!(trial.is_withheld, "{html}");
        assert!(trial.notices.join(" ").contains(says), "{trial:?}");
    }
}

#[test]
fn words_beside_the_labels_and_fields_beside_the_answer_leave_a_page_as_it_is() {
    let beside = "<select name=topic><option>battery</option><option>price</option></select>";
    for html in [
        format!("{beside}<select name=sentiment>{OPTIONS}"),
        "<input type=radio name=ans value=WORLD><input type=radio name=ans value=none><input name=other>"
            .to_owned(),
        "<input type=hidden name=version value=Sports><input type=radio name=t value=World>\
         <input type=radio name=t value=Sports>"
            .to_owned(),
        "<input type=checkbox name=World><input type=checkbox name=Sports>".to_owned(),
        "<crowd-radio-group><crowd-radio-button name=World>W</crowd-radio-button>\
         <crowd-radio-button name=Sports>S</crowd-radio-button></crowd-radio-group>"
            .to_owned(),
    ] {
        assert_eq!(try_page(&html, &task(1), None), Trial::default(), "{html}");
    }
}

#[test]
fn a_word_beside_the_labels_of_a_list_that_is_no_answer_is_told_and_the_labels_may_be_sent() {
    let list = |name: &str| {
        format!(
            "<select name={name}><option>World</option><option>Sports</option><option>Don't know</option></select>"
        )
    };

    let (told, kept) = (
        try_page(&list("topic"), &task(1), None),
        try_page(&list("label"), &task(1), None),
    );

    assert!(
        !told.is_withheld && told.notices[0].contains("“Don't know” is chosen"),
        "{told:?}"
    );
    assert!(
        kept.works()
            && kept.notices[0].contains("kept as a proposed label")
            && kept.notices[0].contains("“Don't know”"),
        "{kept:?}"
    );
}

#[test]
fn a_form_that_is_sent_without_a_script_is_read_as_with_one() {
    let html = "<input type=hidden name=version value=Sports><input type=radio name=t value=World>\
        <input type=radio name=t value=Sports><input type=checkbox name=sure>";
    let sent = json!({ "version": "Sports", "t": "World" });

    let answer = with_marks(sent.as_object().expect("fields").clone(), html);

    let marks = json!({ "World": true, "Sports": false });
    assert_eq!(answer["t"], marks);
    assert_eq!(answer["sure"], json!({ "on": false }));
    assert_eq!(
        check_answer(&answer, &ExclusionCategories::new(), &task(1), None),
        Ok(())
    );
}

#[test]
fn an_answer_of_two_fields_that_differ_is_refused_for_that_reason() {
    let none = ExclusionCategories::new();
    let check = |answer: Value| check_answer(answer.as_object().expect("fields"), &none, &task(1), None);

    assert_eq!(
        check(json!({ "first": "World", "second": "Sports" })),
        Err(AnswerError::Ambiguous)
    );
    assert_eq!(
        check(json!({ "whatever": "a text" })),
        Err(AnswerError::Unreadable)
    );
}

#[test]
fn an_unknown_element_beside_the_answer_is_named_and_the_page_may_be_sent() {
    let html = format!("<crowd-keypoint></crowd-keypoint><select name=category>{OPTIONS}");

    let trial = try_page(&html, &task(1), None);

    assert!(
        !trial.is_withheld && trial.notices[0].contains("crowd-keypoint"),
        "{trial:?}"
    );
}

#[test]
fn the_shipped_template_passes_its_own_trial() {
    let (html, _) =
        crate::worker_template::render_html(crate::worker_template::SHIPPED, &task(3), "n0").expect("HTML");

    assert_eq!(try_page(&html, &task(3), None), Trial::default());
}

#[test]
fn the_page_of_labelling_jobs_offers_each_label_whatever_is_in_its_name() {
    for several in [false, true] {
        let labels = ["Bills, \"paid\"", "Don't know", "A|B <1>"];
        let input = json!({ "taskObject": "A text", "labels": labels, "severalLabels": several, "initialValue": labels[..1] });

        let (html, _) = render_html(crate::labelling_jobs::BUILT_IN_TEMPLATE, &input, "").expect("a page");

        let offered = offered_words(&html);
        assert!(
            labels
                .iter()
                .all(|label| offered.iter().any(|word| word == label)),
            "{offered:?}"
        );
    }
}

#[test]
fn none_fits_and_a_label_of_two_fields_are_refused_in_the_words_of_the_page_too() {
    let none = ExclusionCategories::from([("category".to_owned(), "Keine davon".to_owned())]);
    let check = |answer: Value| check_answer(answer.as_object().expect("fields"), &none, &task(1), None);
    let excluded = json!({ "label": "Keine davon" });

    assert_eq!(check(json!({ "category": excluded })), Ok(()));
    assert_eq!(
        check(json!({ "category": excluded, "topic": { "label": "World" } })),
        Err(AnswerError::Ambiguous)
    );
}

/// A task of one item, as the portal shows it and as its answer is collected.
fn predicted_task() -> Value {
    let item = json!({ "id": "r-1", "classifier": "news", "utterance": "Cup final tonight", "prediction": "World", "confidence": 0.4 });
    json!({ "comprehendPredictions": [item], "labels": ["World", "Sports"] })
}

#[test]
fn what_is_collected_of_an_answer_is_taken_and_what_is_not_is_refused() {
    let task = predicted_task();
    let item = task["comprehendPredictions"][0].clone();
    let none = ExclusionCategories::new();
    for (answer, expected) in [
        // A script confirms the prediction in the item that it sends back.
        (json!({ "answer": item }), Ok(())),
        (json!({ "answer": item.to_string() }), Ok(())),
        (json!({ "answer": item, "comment": "clear" }), Ok(())),
        // What repeats the item is no answer where another is given, or where it is denied.
        (json!({ "meta": item, "category": "Sports" }), Ok(())),
        (
            json!({ "meta": item, "is_correct": { "yes": false, "no": true } }),
            Err(AnswerError::Denied),
        ),
        (
            json!({ "prediction": "World", "correct": "nein" }),
            Err(AnswerError::Denied),
        ),
        (
            json!({ "meta": item, "category": "Sports", "topic": "World" }),
            Err(AnswerError::Ambiguous),
        ),
        (json!({ "category": "" }), Err(AnswerError::Incomplete)),
    ] {
        let fields = answer.as_object().expect("fields");
        let output = json!({
            "flowDefinitionArn": "arn", "humanLoopName": "review-1", "inputContent": task,
            "humanAnswers": [{ "workerId": "w", "submissionTime": "", "answerContent": answer }],
        });
        let output = HumanLoopOutput::parse(output.to_string().as_bytes()).expect("an output");

        assert_eq!(check_answer(fields, &none, &task, None), expected, "{answer}");
        let has_vote = output.reviewed().iter().any(|item| !item.votes.is_empty());
        assert_eq!(has_vote, expected.is_ok(), "{answer}");
    }
}

#[test]
fn a_page_that_asks_whether_the_prediction_is_right_beside_a_choice_may_be_sent_in_any_order_of_its_words() {
    for words in [["yes", "no"], ["no", "yes"], ["Nein", "Ja"]] {
        let radio = words
            .map(|word| format!("<input type=radio name=is_correct value={word}>"))
            .concat();
        let trial = try_page(
            &format!("{radio}<select name=category>{OPTIONS}"),
            &predicted_task(),
            None,
        );

        assert_eq!(trial, Trial::default(), "{words:?}");
    }
    let repeated = "<input type=hidden name=prediction value=World><input type=radio name=agree value=oui>\
        <input type=radio name=agree value=\"not correct\">";
    assert!(try_page(repeated, &predicted_task(), None).is_withheld);
}

#[test]
fn a_blank_item_asks_for_no_answer_and_items_that_are_no_records_are_told() {
    let mut task = task(2);
    task["comprehendPredictions"][0]["utterance"] = json!(" ");
    let none = ExclusionCategories::new();
    let check = |answer: Value| check_answer(answer.as_object().expect("fields"), &none, &task, None);

    assert_eq!(
        try_page(&format!("<select name=r-2>{OPTIONS}"), &task, None),
        Trial::default()
    );
    assert_eq!(check(json!({ "r-2": "World" })), Ok(()));
    assert_eq!(check(json!({ "r-1": "World" })), Err(AnswerError::Incomplete));

    let foreign = json!({ "comprehendPredictions": [{ "id": "a" }], "labels": ["World"] });
    let trial = try_page(&format!("<select name=a>{OPTIONS}"), &foreign, None);
    assert!(
        !trial.is_withheld && trial.notices[0].contains("becomes no label"),
        "{trial:?}"
    );
}

#[test]
fn another_name_of_a_label_that_somebody_types_is_an_answer_as_it_is_where_it_is_collected() {
    let mut set = LabelSet::none();
    for name in ["World", "Sports"] {
        set.add(name, "").expect("free");
    }
    set.add_synonym("Sports", "Football").expect("free");
    let none = ExclusionCategories::new();
    let typed = json!({ "topic": " FOOTBALL" });
    let check = |set| check_answer(typed.as_object().expect("fields"), &none, &task(1), set);

    assert_eq!(check(Some(&set)), Ok(()));
    assert_eq!(check(None), Err(AnswerError::Unreadable));
}

#[test]
fn a_page_that_calls_its_labels_by_names_of_before_may_be_sent() {
    let mut set = LabelSet::none();
    for name in ["Global", "Sports"] {
        set.add(name, "").expect("free");
    }
    set.rename("Global", "World").expect("free");
    set.add_synonym("Sports", "Football").expect("free");
    let page = "<select name=category><option>Global</option><option>Football</option></select>";

    assert_eq!(try_page(page, &task(1), Some(&set)), Trial::default());
    assert!(try_page(page, &task(1), None).proposes_only);
}

#[test]
fn a_list_that_begins_with_words_that_are_no_label_is_withheld_and_one_that_begins_empty_is_not() {
    let list = |options: &str| {
        format!("<select name=r-1>{options}<option>World</option><option>Sports</option></select>")
    };
    for begins in [
        "<option>please choose</option>",
        "<option value='please choose' selected>Choose</option>",
        "<option value='-'>-</option>",
    ] {
        let trial = try_page(&list(begins), &task(1), None);

        assert!(
            trial.is_withheld && trial.notices[0].contains("<option value=\"\">"),
            "{begins}: {trial:?}"
        );
    }
    for begins in [
        "<option value=''>please choose</option>",
        "<option disabled selected>please choose</option>",
        "<option value='__none__'>None fits</option>",
        "",
    ] {
        assert_eq!(
            try_page(&list(begins), &task(1), None),
            Trial::default(),
            "{begins}"
        );
    }
}

#[test]
fn a_label_whose_value_a_filter_changes_is_withheld_and_named() {
    let mut task = task(1);
    task["labels"] = json!(["Alpha", "Beta", "Gamma, delta", "Ü 1"]);
    let template = |value: &str| {
        format!(
            "{{% for l in task.input.labels %}}<option value=\"{{{{ {value} }}}}\">{{{{ l }}}}</option>{{% endfor %}}</select>"
        )
    };
    let page = |value: &str| {
        let list = format!("<select name=r-1><option value=''></option>{}", template(value));
        let (html, _) = render_html(&list, &task, "n0").expect("HTML");
        try_page(&html, &task, None)
    };

    let changed = page("l | downcase | replace: ' ', '_'");
    let cut = page("l | truncate: 7");

    assert!(
        changed.is_withheld && changed.notices[0].contains("“gamma,_delta” is not the label “Gamma, delta”"),
        "{changed:?}"
    );
    assert!(
        cut.notices[0].contains("“Gamm...”")
            && cut.notices[0].contains("No choice names these labels: “Gamma, delta”"),
        "{cut:?}"
    );
    assert_eq!(page("l | downcase"), Trial::default());
}
