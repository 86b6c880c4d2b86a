use super::*;

fn read(csv: impl AsRef<[u8]>) -> Result<TrainingSet, TrainingDataError> {
    TrainingSet::read_csv(csv.as_ref())
}

fn refusal(csv: impl AsRef<[u8]>) -> String {
    read(csv).expect_err("the file is bad").to_string()
}

#[test]
fn labels_are_sorted_whatever_their_order_in_the_file() {
    let set = read("b,one\na,two\nb,three\n").expect("good file");

    assert_eq!(set.mode, Mode::MultiClass);
    assert_eq!(set.labels, ["a", "b"]);
    let labels: Vec<_> = set.examples.iter().map(|example| &example.labels[..]).collect();
    assert_eq!(labels, [[1], [0], [1]]);
}

#[test]
fn how_texts_were_selected_is_known_also_where_there_are_too_many_to_keep() {
    let rows: String = (0..=MAX_ENCODED)
        .map(|n| format!("{},text {n}\n", ["a", "b"][n % 2]))
        .collect();
    let mut set = read(rows).expect("good file");

    let chosen = ["text 7", "text 20000", "another"].into_iter();
    set.set_selected(&chosen.map(|text| (vector_id(text), SelectedBy::Choice)).collect());

    let chosen = set.examples.iter().enumerate();
    let chosen = chosen
        .filter(|(_, example)| example.selected_by == SelectedBy::Choice)
        .map(|(place, _)| place);
    assert_eq!(set.texts(), None, "none is kept");
    assert_eq!(chosen.collect::<Vec<_>>(), [7, 20_000]);
}

#[test]
fn byte_order_mark_crlf_blank_lines_and_missing_last_line_end_change_nothing() {
    let plain = read("a,one\nb,\"two, and\nthree\"\n").expect("good file");

    let disguised = read("\u{feff}a,one\r\n\r\nb,\"two, and\nthree\"").expect("good file");

    assert_eq!(disguised, plain);
}

#[test]
fn a_delimiter_in_any_label_makes_the_file_multi_label() {
    let set = read("b,one\nc|a|c,two\n").expect("good file");

    assert_eq!(set.mode, Mode::MultiLabel);
    assert_eq!(set.labels, ["a", "b", "c"]);
    assert_eq!(set.examples[1].labels[..], [0, 2]);
}

#[test]
fn each_bad_row_is_refused_with_its_line_and_reason() {
    let cases: [(&[u8], &str); 8] = [
        (
            b"a,one\nb\n",
            "line 2: expected two columns, label and text, found 1 (a text with a comma needs quotes)",
        ),
        (
            b"a,one\n\nb,two, three\n",
            "line 3: expected two columns, label and text, found 3 (a text with a comma needs quotes)",
        ),
        (b"a,\"one\nmore\"\n,two\n", "line 3: the label is empty"),
        (b"a|,one\n", "line 1: the label is empty"),
        (b"a,one\r\nb, \t\r\n", "line 2: the text is empty"),
        (
            b"a,one\nb,caf\xe9\n",
            "line 2: not valid UTF-8; save the file as UTF-8 (is it Latin-1 or Windows-1252?)",
        ),
        (
            b"\xff\xfea\0,\0o\0n\0e\0",
            "line 1: the file is UTF-16; save it as UTF-8",
        ),
        (
            b"a,one\nb,\"two\nb,three\nb,four\n",
            "line 2: the quote of this text is never closed",
        ),
    ];
    for (csv, message) in cases {
        assert_eq!(refusal(csv), message, "{}", csv.escape_ascii());
    }
}

#[test]
fn fewer_than_two_labels_are_refused() {
    assert_eq!(
        refusal(""),
        "the file has 0 different labels, at least two are needed"
    );
    assert_eq!(
        refusal("a,one\na,two\n"),
        "the file has 1 different label, at least two are needed"
    );
}

#[test]
fn swapped_columns_are_refused_when_every_row_is_its_own_label() {
    let csv: String = (0..1_001).map(|row| format!("text number {row},a\n")).collect();

    assert!(
        refusal(csv).starts_with("line 1: nearly every row is its own class (1001 classes in 1001 rows)")
    );
}

#[test]
fn more_labels_than_are_supported_are_refused() {
    let csv: String = (0..3_003)
        .map(|row| format!("label {},text number {row}\n", row % 1_001))
        .collect();

    assert!(refusal(csv).starts_with("the file has 1001 different labels, at most 1000"));
}

#[test]
fn a_header_spellings_conflicts_and_single_rows_are_told_and_the_rest_is_trained_on() {
    let set = read(
        "label,text\nWorld,one\nworld,two\nWorld,three\nSports,four\nSports,five\n\
         Sports,three\nTech,six\n",
    )
    .expect("good file");

    assert_eq!(set.labels, ["Sports", "Tech", "World"]);
    assert_eq!((set.len(), set.counts()), (5, vec![2, 1, 2]));
    assert_eq!(
        set.repairs,
        [
            "line 1: the header line was skipped",
            "`world` (1) is read as `World`",
            "1 text has different labels and is left out, with all its 2 rows (lines 4 and 7)",
            "warning: 1 class has a single row (`Tech`): \
             a model can hardly learn from it, and not be measured by it",
        ]
    );
}

#[test]
fn a_test_set_may_spell_labels_otherwise() {
    let train = read("World,one\nWorld,two\nSports,three\nSports,four\n").expect("good file");
    let mut test = Collector::new(LabelSyntax::One);
    test.read_csv(&b"WORLD,five\nsports ,six\n"[..])
        .expect("good file");

    let test = test.test_set(&train.labels).expect("known labels");

    let labels: Vec<_> = test.examples.iter().map(|example| &example.labels[..]).collect();
    assert_eq!(labels, [[1], [0]]);
    assert_eq!(
        test.repairs,
        [
            "`WORLD` of the test set is read as `World`",
            "`sports` of the test set is read as `Sports`"
        ]
    );
}

#[test]
fn conflicts_unknown_labels_and_swapped_columns_of_a_test_set_are_found() {
    let train = read("World,one\nWorld,two\nSports,three\nSports,four\n").expect("good file");
    let test = |csv: &str| {
        let mut test = Collector::new(LabelSyntax::One);
        test.read_csv(csv.as_bytes()).expect("good rows");
        test.test_set(&train.labels)
    };
    let swapped: String = (0..20).map(|row| format!("text number {row},World\n")).collect();

    let conflict = test("World,five\nSports,six\nWorld,SIX!\nSports,seven\n").expect("some rows are good");
    let refused = test(&swapped).expect_err("swapped columns");
    let unknown = test("World,five\nWeather,six\n").expect_err("no such label");

    let labels: Vec<_> = conflict
        .examples
        .iter()
        .map(|example| &example.labels[..])
        .collect();
    assert_eq!(labels, [[1], [0]], "the text that is both is left out");
    assert_eq!(
        conflict.repairs,
        ["in the test set 1 text has different labels and is left out, with all its 2 rows (lines 2 and 3)"]
    );
    assert_eq!(
        refused.to_string(),
        "the test set cannot be used: line 1: nearly every row is its own class (20 classes in 20 rows): \
         the label comes first, then the text; are the columns swapped?"
    );
    assert_eq!(
        unknown.to_string(),
        "the test set has 1 labels that the training set does not have"
    );
}

#[test]
fn a_small_test_set_in_which_each_label_is_rare_is_taken() {
    let labels: Vec<String> = (10..30).map(|number| format!("Desk {number}")).collect();
    let taken = |syntax: LabelSyntax, csv: &str, labels: &[String]| {
        let mut test = Collector::new(syntax);
        test.read_csv(csv.as_bytes()).expect("good rows");
        test.test_set(labels).map(|test| test.examples.len())
    };
    let several: String = (0..16)
        .map(|row| format!("{}|{},This is number {row}.\n", labels[row], labels[row % 4 + 16]))
        .collect();
    let one_each: String = labels[..12]
        .iter()
        .map(|label| format!("{label},This is meant for {label}.\n"))
        .collect();
    let one_is_unknown = format!("{one_each}Weather,This is rain.\n");

    let several = taken(LabelSyntax::Several('|'), &several, &labels);
    let one_each = taken(LabelSyntax::One, &one_each, &labels[..12]);
    let refused = taken(LabelSyntax::One, &one_is_unknown, &labels[..12]);

    assert_eq!(several.expect("20 labels in 16 rows"), 16);
    assert_eq!(one_each.expect("12 labels in 12 rows"), 12);
    assert_eq!(
        refused.expect_err("one label is no label").to_string(),
        "the test set has 1 labels that the training set does not have"
    );
}

#[test]
fn swapped_columns_are_refused_with_a_line_also_where_texts_come_again() {
    let texts = (0..20).map(|row| {
        if row % 5 == 0 {
            "ok".to_owned()
        } else {
            format!("text number {row}")
        }
    });
    let labels = ["World", "Sports"].into_iter().cycle();
    let csv: String = texts
        .zip(labels)
        .map(|(text, label)| format!("{text},{label}\n"))
        .collect();

    assert_eq!(
        refusal(csv),
        "line 3: the text of line 1 has another label here, and 17 different labels stand beside 2 different texts in 20 \
         rows: the label comes first, then the text; are the columns swapped?"
    );
}

#[test]
fn a_file_of_which_conflicts_leave_nothing_to_tell_apart_is_refused_by_its_lines() {
    assert_eq!(
        refusal("A,first text\nB,another text\nB,first text\nA,another text\n"),
        "line 3: the text of line 1 has another label here, and so it is with every text (2 in 4 rows): nothing is left to \
         learn from; give each text the same labels wherever it stands"
    );
    assert_eq!(
        refusal("A,first text\nB,another text\nB,first text\nB,third text\n"),
        "only 1 different label is left, at least two are needed: 1 text has different labels and is left out, with all its \
         2 rows (lines 1 and 3)"
    );
}

#[test]
fn several_labels_of_one_text_conflict_unless_they_are_the_same_ones() {
    let set = read(
        "A|B,first text\nB|A,first text\nb | a,First text!\nA|B,second text\nA,second text\nA,third text\nB,fourth text\n",
    )
    .expect("good file");

    assert_eq!(
        (set.mode, set.labels.as_slice()),
        (Mode::MultiLabel, &["A".to_owned(), "B".to_owned()][..])
    );
    let labels: Vec<Vec<u32>> = set
        .examples
        .iter()
        .map(|example| example.labels.to_vec())
        .collect();
    assert_eq!(labels, [vec![0, 1], vec![0, 1], vec![0, 1], vec![0], vec![1]]);
    assert_eq!(
        set.repairs[..3],
        [
            "`a` (1) is read as `A`",
            "`b` (1) is read as `B`",
            "1 text has different labels and is left out, with all its 2 rows (lines 4 and 5)",
        ]
    );
}

#[test]
fn swapped_columns_of_a_file_with_several_labels_are_refused_with_a_line() {
    let swapped: String = (0..20).map(|row| format!("text number {row},A|B\n")).collect();
    let mut collector = Collector::new(LabelSyntax::Several(';'));
    collector
        .read_csv(swapped.replace('|', ";").as_bytes())
        .expect("rows");

    assert!(refusal(swapped).starts_with("line 1: nearly every row is its own class"));
    let refused = collector.training_set().expect_err("swapped columns").to_string();
    assert!(
        refused.starts_with("line 1: nearly every row is its own class"),
        "{refused}"
    );
}

#[test]
fn labels_by_another_delimiter_are_checked_each() {
    for (label, reason) in [
        ("World;__none__", "a word of the review page"),
        ("World;\u{200b}", "nothing that can be seen"),
    ] {
        let mut collector = Collector::new(LabelSyntax::Several(';'));

        let error = collector.read_csv(format!("World,one\n{label},two\n").as_bytes());

        let told = error.expect_err("no label").to_string();
        assert!(
            told.starts_with("line 2: the label") && told.contains(reason),
            "{told}"
        );
    }
}

#[test]
fn what_is_repaired_within_the_file_is_told_too() {
    let set = read("a,one\nlabel,text\nb,\"Rates\" rise\na,three\nb,four\n").expect("a file");

    assert_eq!(
        set.repairs,
        [
            "line 2: a header line within the file was skipped",
            "line 3: a quote that ends before its text was left out; quotes within a text are written twice",
        ]
    );
}

fn read_initial(csv: &str, known: &[&str]) -> TrainingSet {
    let own_name = |name: &str| known.contains(&name).then(|| name.to_owned());
    let set = TrainingSet::read_csv_where(csv.as_bytes(), Mode::MultiClass, &own_name, &|_| true);
    set.expect("good file")
}

#[test]
fn a_label_that_says_that_there_is_none_is_no_class_of_a_users_file_and_is_told() {
    let csv = "World,one\nNULL,two\nSports,three\nnan,four\nn/a,five\nNA,six\nWorld|NaN,seven\n";

    let set = read_initial(csv, &[]);

    assert_eq!(set.labels, ["NA", "Sports", "World"]);
    assert_eq!(set.len(), 4);
    let says = |words: &str| set.repairs.iter().any(|repair| repair.contains(words));
    assert!(
        says("line 2 and 3 more: a label such as `NULL`")
            && says("line 6: `NA` (1 row) was taken for a class"),
        "{:?}",
        set.repairs
    );
    assert_eq!(set.mode, Mode::MultiClass, "a missing value is no second label");
}

#[test]
fn a_label_of_the_label_set_is_a_class_however_it_is_called() {
    let set = read_initial("World,one\nN/A,two\n", &["N/A"]);

    assert_eq!(set.labels, ["N/A", "World"]);
}

#[test]
fn a_service_takes_a_missing_value_for_a_class_as_comprehend_does_and_says_so() {
    let set = read("World,one\nnan,two\nnan,three\n").expect("good file");

    assert_eq!(set.labels, ["World", "nan"]);
    assert!(
        set.repairs
            .iter()
            .any(|repair| repair.starts_with("line 2 and 1 more: `nan` (2 rows) was taken for a class")),
        "{:?}",
        set.repairs
    );
}

#[test]
fn texts_and_labels_of_a_dataset_may_look_like_those_of_another_format_and_end_no_training() {
    let mut one = Collector::new(LabelSyntax::One);
    one.read_csv(&b"World,It leaks __label__defect\nSports,two\nWorld,three\nSports,four\n"[..])
        .expect("a text is a text");
    let mut several = Collector::new(LabelSyntax::Several('|'));
    several
        .read_csv(&b"0.5|0.7,one\n0.5,two\n0.7,three __label__x\n"[..])
        .expect("labels are names");

    assert_eq!(one.training_set().expect("two labels").len(), 4);
    assert_eq!(several.training_set().expect("two labels").labels, ["0.5", "0.7"]);
    assert!(refusal("World,It leaks __label__defect\nSports,two\n").contains("as fastText marks labels"));
}
