use super::*;

fn check(rows: &[(&str, &str)]) -> Result<Findings, Unusable> {
    let mut check = TrainingCheck::default();
    for ((label, text), line) in rows.iter().zip(1..) {
        check.add([*label], text, line);
    }
    check.finish()
}

#[test]
fn one_class_in_several_spellings_is_joined_to_the_most_frequent_one_and_told() {
    let findings = check(&[
        ("World", "one"),
        ("world", "two"),
        ("World", "three"),
        ("ＷＯＲＬＤ", "four"),
        ("Sports", "five"),
    ])
    .expect("usable");

    for spelling in ["world", "WORLD", " World\u{a0}", "ＷＯＲＬＤ"] {
        assert_eq!(findings.spelling(spelling), "World");
    }
    assert_eq!(
        findings.repairs,
        ["`world` (1), `ＷＯＲＬＤ` (1) are read as `World`"]
    );
}

#[test]
fn classes_that_differ_by_a_dotless_i_stay_apart_and_capitals_are_joined_where_one_of_them_is_there() {
    let both = check(&[
        ("sınır", "one"),
        ("sinir", "two"),
        ("sınır", "three"),
        ("SINIR", "four"),
        ("sinir", "five"),
    ])
    .expect("usable");
    let one = check(&[
        ("ışık", "one"),
        ("IŞIK", "two"),
        ("ışık", "three"),
        ("Işık", "four"),
    ])
    .expect("usable");

    assert_eq!(
        (both.spelling("Sınır"), both.spelling("sinir")),
        ("sınır", "sinir")
    );
    assert_eq!(both.repairs.len(), 1, "{:?}", both.repairs);
    assert!(
        both.repairs[0].starts_with("`SINIR` (1"),
        "the doubtful one is told: {:?}",
        both.repairs
    );
    assert_eq!((one.spelling("IŞIK"), one.spelling("Işık")), ("ışık", "ışık"));
    assert_eq!(one.repairs, ["`IŞIK` (1), `Işık` (1) are read as `ışık`"]);
}

#[test]
fn one_text_with_spellings_that_are_joined_to_one_class_has_no_different_labels() {
    let joined = check(&[
        ("sınır", "one"),
        ("SINIR", "One!"),
        ("sınır", "two"),
        ("SINIR", "three"),
        ("sınır", "three"),
        ("sınav", "three"),
    ])
    .expect("usable");
    let apart = check(&[
        ("SINIR", "one"),
        ("sinir", "two"),
        ("sınır", "one"),
        ("sınır", "three"),
    ])
    .expect("usable");

    assert_eq!(joined.spelling("SINIR"), joined.spelling("sınır"));
    assert!(!joined.is_conflicting(text_id("one")));
    assert!(joined.is_conflicting(text_id("three")));
    assert_eq!(
        joined.repairs[1],
        "1 text has different labels and is left out, with all its 3 rows (lines 4 and 6)"
    );
    assert!(apart.is_conflicting(text_id("one")), "`SINIR` is `sinir` there");
}

#[test]
fn whole_numbers_with_a_point_are_the_class_without_it_and_others_are_not() {
    let findings = check(&[
        ("1", "one"),
        ("1.0", "two"),
        ("1", "three"),
        ("1.5", "four"),
        ("2.0", "five"),
        ("1.0", "One!"),
    ])
    .expect("usable");

    assert_eq!(
        ["1.0", "1", "1.5", "2.0"].map(|label| findings.spelling(label)),
        ["1", "1", "1.5", "2.0"]
    );
    assert_eq!(
        findings.repairs,
        ["`1.0` (2) is read as `1`"],
        "and no text has two labels"
    );
}

#[test]
fn conflicting_labels_of_one_text_leave_all_its_rows_out_and_are_told() {
    let findings = check(&[
        ("World", "The same text"),
        ("Sports", "another"),
        ("Sports", "\u{201c}the  same TEXT\u{201d}! "),
        ("World", "the same text"),
        ("World", "another"),
        ("world", "fine"),
        ("World", "fine"),
    ])
    .expect("usable");

    assert!(findings.is_conflicting(text_id("THE same text")) && findings.is_conflicting(text_id("another")));
    assert!(
        !findings.is_conflicting(text_id("fine")),
        "another spelling is no other label"
    );
    assert_eq!(
        findings.repairs[1],
        "2 texts have different labels and are left out, with all their 5 rows (lines 1 and 3, 2 and 5)"
    );
}

#[test]
fn labels_that_mean_the_same_and_texts_that_ask_something_else_are_no_conflict() {
    let mut check = TrainingCheck::default();
    let meaning = |label| if label == "Football" { "Sports" } else { label };
    check.add_meaning(["Football"], meaning, "They won", 1);
    check.add_meaning(["Sports"], meaning, "they won!", 2);
    check.add_meaning(["World"], meaning, "They won?", 3);

    let findings = check.finish().expect("usable");

    assert_eq!(findings.repairs, [""; 0]);
    assert!(!findings.is_conflicting(text_id("They won")));
}

#[test]
fn swapped_columns_are_refused_when_nearly_every_row_is_its_own_class() {
    let long: Vec<String> = (0..20)
        .map(|number| format!("a text with the number {number}"))
        .collect();
    let many: Vec<(&str, &str)> = long.iter().map(|text| (text.as_str(), "World")).collect();
    let few = [
        ("rates rise", "World"),
        ("goals fall", "Sports"),
        ("a treaty", "World"),
    ];

    assert_eq!(
        check(&many),
        Err(Unusable::SwappedColumns {
            classes: 20,
            rows: 20
        })
    );
    assert_eq!(check(&few), Err(Unusable::SwappedColumns { classes: 3, rows: 3 }));
    assert!(check(&[("a", "one"), ("b", "two")]).is_ok());
    assert!(check(&[("a", "one text"), ("b", "two texts"), ("c", "three texts")]).is_ok());
}

#[test]
fn classes_with_a_single_row_are_warned_of() {
    assert_eq!(warn_of_single_rows([("World", 2), ("Sports", 3)]), None);
    let warning = warn_of_single_rows([("World", 1), ("Sports", 3)]).expect("a warning");
    assert!(
        warning.starts_with("warning: 1 class has a single row (`World`)"),
        "{warning}"
    );
}

#[test]
fn labels_that_stand_within_the_texts_too_are_warned_of() {
    let row = |at: usize| {
        let label = ["billing", "login"][at % 2];
        (label, format!("{label} - the story of item {at}"))
    };
    let rows: Vec<(&str, String)> = (0..8).map(row).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(label, text)| (*label, text.as_str())).collect();

    let findings = check(&rows).expect("usable");
    let few = check(&rows[..4]).expect("usable");

    let told: Vec<&String> = findings
        .repairs
        .iter()
        .filter(|told| told.contains("beside"))
        .collect();
    assert_eq!(told.len(), 1, "{:?}", findings.repairs);
    assert!(
        told[0].contains("begins with one of 2 words beside ` - `"),
        "{told:?}"
    );
    assert_eq!(few.repairs, [""; 0]);
}
