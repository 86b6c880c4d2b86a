//! What a file holds beside the votes of people: a machine's labels, other notations, what is damaged.

use encoding_rs::{EUC_KR, GBK, SHIFT_JIS};

use super::*;

fn says(import: &Import, words: &str) -> bool {
    import.notes.iter().any(|note| note.contains(words))
}

#[test]
fn what_a_machine_predicted_is_no_vote_in_whatever_order_the_columns_stand() {
    for (machine, people) in [
        ("predicted_label", "true_label"),
        ("model_label", "human_label"),
        ("auto_label", "gold_label"),
        ("Predicted Label", "Corrected Label"),
        ("old_label", "new_label"),
        ("label_model", "label_reviewer"),
        ("kategorie_ki", "kategorie_mensch"),
        ("predictedCategory", "finalCategory"),
    ] {
        for (header, row) in [
            (format!("text,{machine},{people}"), "a,b"),
            (format!("text,{people},{machine}"), "b,a"),
        ] {
            let import = import(format!("{header}\nMy box is lost,{row}\nI cannot log in,{row}\n"));

            assert_eq!(role(&import, Role::Label), [people], "{header}");
            assert_eq!(rows(&import)[0], "My box is lost => ?: b", "{header}");
        }
    }
    for machine in ["predicted_label", "suggested_label", "not_label", "prediction"] {
        let import = import(format!(
            "text,{machine},label_confidence\nMy box is lost,a,0.9\nI cannot log in,b,0.8\nIt is lost,a,0.9\n"
        ));

        assert_eq!(rows(&import)[0], "My box is lost", "{machine}");
        assert!(
            says(&import, machine) && says(&import, "--label-column"),
            "{:?}",
            import.notes
        );
    }
    let nested = import(
        "{\"text\":\"My box is lost\",\"prediction\":{\"label\":\"a\",\"score\":0.9}}\n\
         {\"text\":\"I cannot log in\",\"prediction\":{\"label\":\"b\",\"score\":0.8}}\n",
    );
    assert_eq!(rows(&nested), ["My box is lost", "I cannot log in"]);
}

#[test]
fn several_columns_that_are_called_like_labels_are_named() {
    let import = import("text,true_label,final_label\nMy box is lost,a,b\nI cannot log in,b,b\n");

    assert_eq!(role(&import, Role::Label), ["true_label"]);
    assert!(
        says(&import, "also called so: `final_label`"),
        "{:?}",
        import.notes
    );
}

#[test]
fn lines_of_json_with_a_comma_behind_each_are_read_one_by_one() {
    let line = |number: usize| format!("{{\"text\": \"Text number {number}\", \"label\": \"x\"}},\n");
    let lines: String = (0..20).map(line).collect();
    let spread = lines.replace(", \"label\"", ",\n \"label\"");

    for content in [lines, spread] {
        let import = import(content);

        assert_eq!((import.rows.len(), import.rejected.len()), (20, 0));
        assert!(says(&import, "comma"), "{:?}", import.notes);
    }
}

#[test]
fn lists_one_behind_another_are_read_and_what_stands_between_objects_costs_only_itself() {
    let lists =
        import("[{\"text\":\"One text\",\"label\":\"a\"}]\n[{\"text\":\"Two text\",\"label\":\"b\"}]\n");
    assert_eq!(rows(&lists), ["One text => ?: a", "Two text => ?: b"]);

    let damaged = import("[{\"text\":\"One text\"}] ,\n[{\"text\":\"Two text\"}]\n");
    assert!(damaged.rejected[0].reason.contains("nothing behind it was read"));

    let objects = import("{\n\"text\":\"One text\"\n}\noops\n{\n\"text\":\"Two text\"\n}\n");
    assert_eq!(rows(&objects), ["One text", "Two text"]);
    assert_eq!(objects.rejected.len(), 1);
}

#[test]
fn a_file_of_east_asia_whose_columns_have_names_of_there_is_no_windows_1250() {
    for (content, encoding, expected) in [
        (
            "文章,ラベル\n荷物が届きません,Shipping\n請求が間違っています,Billing\n",
            SHIFT_JIS,
            "荷物が届きません => ?: Shipping",
        ),
        (
            "文本,标签\n包裹还没有送到,物流\n登录不了账号,登录\n",
            GBK,
            "包裹还没有送到 => ?: 物流",
        ),
        (
            "텍스트,라벨\n소포가 아직 도착하지 않았습니다,배송\n로그인할 수 없습니다,로그인\n",
            EUC_KR,
            "소포가 아직 도착하지 않았습니다 => ?: 배송",
        ),
    ] {
        let import = import(encoding.encode(content).0);

        assert_eq!(rows(&import)[0], expected);
        assert_eq!(import.encoding.as_deref(), Some(encoding.name()));
    }
}

#[test]
fn texts_with_their_categories_are_read_and_an_object_is_no_text() {
    let spacy = import(
        "[[\"A good film\", {\"cats\": {\"POS\": 1.0, \"NEG\": 0.0}}],\n [\"A bad one\", {\"cats\": {\"POS\": 0.0, \"NEG\": 1.0}}]]",
    );
    assert_eq!(rows(&spacy), ["A good film => ?: POS", "A bad one => ?: NEG"]);

    let entities = import("[[\"A good film\", {\"entities\": []}], [\"A bad one\", {\"entities\": []}]]");
    assert_eq!((entities.rows.len(), entities.rejected.len()), (0, 2));

    let lists = import(
        "[[\"A good film\", [\"one label\", \"another label\"]], [\"A bad one\", [\"one label\", \"third label\"]]]",
    );
    assert_eq!(rows(&lists)[0], "A good film");
}

#[test]
fn python_s_notation_is_refused_by_name() {
    for content in [
        "{'text': 'My box is lost', 'label': 'Billing'}\n{'text': 'I cannot log in', 'label': 'Login'}\n",
        "('My box is lost', 'Billing')\n('I cannot log in', 'Login')\n",
        "[{'text': 'My box is lost'}, {'text': 'I cannot log in'}]",
    ] {
        assert!(refusal(content).contains("Python's notation"), "{content}");
    }
}

#[test]
fn an_export_of_a_stack_names_no_annotator_by_who_gave_the_feedback() {
    let line = "{\"labels\":[\"Delivery\"],\"text\":\"Great shoes\",\"copies\":0,\"consensus\":{\"state\":\"answered\"},\
        \"record\":{\"classifier\":\"news\",\"utterance\":\"Great shoes\",\"suggestedLabel\":\"Positive\",\"user\":\"a@x.de\"},\
        \"votes\":[{\"worker\":\"30d42f94f58c17ed\"}],\"humanLoops\":[]}\n";
    let import = import(format!("{line}{}", line.replace("Great", "Good")));

    assert_eq!(
        rows(&import),
        ["Great shoes => ?: Delivery", "Good shoes => ?: Delivery"]
    );
    assert_eq!(import.rows[0].classifier.as_deref(), Some("news"));
}

#[test]
fn a_label_that_was_rejected_or_discarded_is_no_vote_in_a_table_either() {
    let prodigy = import("text,label,answer\nfoo bar,a,accept\nbaz qux,b,reject\nzip zap,a,ignore\n");
    assert_eq!(rows(&prodigy), ["foo bar => ?: a", "baz qux", "zip zap"]);
    assert!(
        says(&prodigy, "rejected") && says(&prodigy, "ignored"),
        "{:?}",
        prodigy.notes
    );

    let status = import("text,label,status\nfoo bar,a,accepted\nbaz qux,b,rejected\n");
    assert!(says(&status, "column `status`"), "{:?}", status.notes);

    let argilla = "{\"text\":\"a3\",\"inputs\":{\"text\":\"a3\"},\"annotation\":\"pos\",\"prediction\":null,\
        \"annotation_agent\":\"ann\",\"status\":\"Discarded\"}\n";
    let records = import(format!(
        "{argilla}{}",
        argilla.replace("Discarded", "Validated").replace("a3", "a4")
    ));
    assert_eq!(rows(&records), ["a3", "a4 => ann: pos"]);

    let csv =
        "id,text,topic.responses,topic.responses.users\n3,both,\"['billing', 'login']\",\"['u1', 'u2']\"\n";
    assert!(refusal(csv).contains("Argilla"), "{}", refusal(csv));
}

#[test]
fn a_file_in_which_no_column_is_called_like_labels_is_told_also_where_its_names_are_guessed() {
    let content = "Review ID,Review Title,Review Content,Star Rating\n\
        1,Great,The box came in time and all was well packed,5\n\
        2,Bad,The box never came and nobody answers the phone,1\n\
        3,Good,It came a day late but it was the right one,4\n";
    let import = import(content);

    assert_eq!(role(&import, Role::Label), [""; 0]);
    assert!(
        says(&import, "no column is called like one of labels"),
        "{:?}",
        import.notes
    );
}

#[test]
fn of_rows_whose_fields_have_all_other_names_the_thousand_are_read_that_most_rows_have() {
    let row = |at: usize| format!(r#"{{"text": "Where is parcel {at}?", "label": "A", "x{at}": 1}}"#) + "\n";
    let content: String = (0..3_000).map(row).collect();

    let import = import(content);

    assert_eq!(import.rows.len(), 3_000);
    let expected = "the rows have 3002 different fields: all but the 1000 that most rows have were left out";
    assert!(import.notes.contains(&expected.to_owned()), "{:?}", import.notes);
}
