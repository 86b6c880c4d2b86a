//! Files of each kind, of the shape that people and tools write them in.

mod encodings;
mod headers;
mod others;
mod questions;
mod round_trip;
mod unnamed;
mod written;

use std::{fmt::Write, fs};

use text_import::{Format, Import, LabelDelimiter, Options, Role, Summary, Tool, read};

fn file(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a file of the tests")
}

fn import_with(content: impl AsRef<[u8]>, options: &Options) -> Import {
    read(content.as_ref(), options).expect("it is read")
}

fn import(content: impl AsRef<[u8]>) -> Import {
    import_with(content, &Options::default())
}

fn import_file(name: &str) -> Import {
    let options = Options {
        name: Some(name.to_owned()),
        ..Options::default()
    };
    import_with(file(name), &options)
}

fn refusal(content: impl AsRef<[u8]>) -> String {
    read(content.as_ref(), &Options::default())
        .expect_err("it is refused")
        .to_string()
}

/// Writes the rows as `text => who: labels; …`.
fn rows(import: &Import) -> Vec<String> {
    let line = |row: &text_import::Row| {
        let mut line = row.text.clone();
        for vote in &row.votes {
            let by = vote.by.as_deref().unwrap_or("?");
            write!(line, " => {by}: {}", vote.labels.join(" + ")).expect("memory");
        }
        line
    };
    import.rows.iter().map(line).collect()
}

fn role(import: &Import, role: Role) -> Vec<&str> {
    let of_role = import.columns.iter().filter(|column| column.role == role);
    of_role.map(|column| column.name.as_str()).collect()
}

#[test]
fn a_workbook_is_read_sheet_by_sheet_with_dates_numbers_and_booleans() {
    let tickets = import_file("tickets.xlsx");
    let urgent = Options {
        label_column: Some("Urgent".into()),
        ..Options::default()
    };
    let created = Options {
        label_column: Some("created".into()),
        ..Options::default()
    };
    let notes = Options {
        sheet: Some("Notes".into()),
        text_column: Some("1".into()),
        ..Options::default()
    };

    assert_eq!((tickets.format, tickets.sheets.len()), (Format::Xlsx, 2));
    assert_eq!(
        rows(&tickets),
        [
            "The invoice is wrong, again => ?: Billing",
            "The charge came twice => ?: Billing",
            "My parcel never came => ?: Delivery",
            "I cannot log in 😀 => ?: Login",
            "Two\nlines of text",
        ]
    );
    assert!(
        tickets.notes[0].contains("sheet `Notes` has other columns"),
        "{:?}",
        tickets.notes
    );
    assert_eq!(
        (role(&tickets, Role::Text), role(&tickets, Role::Label)),
        (vec!["Message"], vec!["Category"])
    );
    assert!(rows(&import_with(file("tickets.xlsx"), &urgent))[0].ends_with("=> ?: TRUE"));
    assert!(rows(&import_with(file("tickets.xlsx"), &created))[0].ends_with("=> ?: 2026-01-05T09:30:00"));
    assert_eq!(rows(&import_with(file("tickets.xlsx"), &notes)).len(), 2);
    let none = Options {
        sheet: Some("None".into()),
        ..Options::default()
    };
    let none = read(&file("tickets.xlsx"), &none)
        .expect_err("refused")
        .to_string();
    assert_eq!(
        none,
        "there is no sheet `None`; the sheets are `Tickets`, `Notes`, `Empty`, `More`"
    );
}

#[test]
fn every_way_in_which_excel_saves_text_gives_the_same_rows() {
    let expected = [
        "Mi pedido no llegó; ¿dónde está? => ?: Envío",
        "La factura es errónea => ?: Facturación",
        "No puedo entrar => ?: Acceso",
    ];
    for (name, encoding, delimiter) in [
        (
            "excel-semicolons-windows-1252.csv",
            "Windows-1252, or UTF-8 where it is",
            ';',
        ),
        ("excel-utf-8-bom.csv", "UTF-8 with a byte-order mark", ';'),
        ("excel-unicode-text.txt", "UTF-16LE", '\t'),
        ("excel-sep-line.csv", "UTF-8", ';'),
    ] {
        let import = import_file(name);

        assert_eq!(rows(&import), expected, "{name}");
        assert_eq!(import.encoding.as_deref(), Some(encoding), "{name}");
        assert_eq!(import.delimiter, Some(delimiter), "{name}");
        assert_eq!(
            (role(&import, Role::Text), role(&import, Role::Label)),
            (vec!["Texto"], vec!["Etiqueta"]),
            "{name}"
        );
    }
}

#[test]
fn comprehend_s_files_have_one_label_or_several() {
    let one = import_file("comprehend-multi-class.csv");
    let several = import_file("comprehend-multi-label.csv");

    assert_eq!(rows(&one)[0], "The invoice is wrong, again => ?: BILLING");
    assert_eq!(one.rows.len(), 4);
    assert_eq!(
        rows(&several)[2],
        "It is late and I need it => ?: URGENT + DELIVERY"
    );
    assert!(
        several.notes.iter().any(|note| note.contains("cut at `|`")),
        "{:?}",
        several.notes
    );
}

#[test]
fn ground_truth_s_manifests_are_read_and_labels_of_machines_are_no_votes() {
    let input = import_file("ground-truth-input.manifest");
    let output = import_file("ground-truth-output.manifest");
    let several = import_file("ground-truth-multi-label.manifest");

    assert_eq!(rows(&input), ["The invoice is wrong", "My parcel never came"]);
    assert_eq!(
        rows(&output),
        [
            "The invoice is wrong => labeling-job/tickets: Billing",
            "My parcel never came => labeling-job/tickets: Delivery",
            "Labelled by a machine",
            "Failed",
        ]
    );
    assert_eq!(output.tool, Some(Tool::GroundTruth));
    assert_eq!(
        output.rows[0].votes[0].at.as_deref(),
        Some("2026-03-04T05:06:07.123Z")
    );
    assert_eq!((output.rejected.len(), output.rejected[0].line), (1, 4));
    assert_eq!(rows(&several), ["Both => labeling-job/t: Billing + Urgent"]);
}

#[test]
fn the_manifest_that_a_stack_exports_names_its_classifier_and_no_annotator() {
    let line = |metadata: &str| {
        format!(
            r#"{{"source": "Both", "label": [0, 1], "label-metadata": {{"job-name": "labeling-job/my-loop", {metadata}}},
                "classifier": "mail", "copies": 2}}"#
        )
        .replace('\n', " ")
    };
    let one = line(r#""class-name": "Billing""#);
    let several = line(r#""class-map": {"0": "Billing", "1": "Urgent"}"#);

    let import = import(format!("{one}\n{several}\n"));

    assert_eq!(
        rows(&import),
        ["Both => ?: Billing", "Both => ?: Billing + Urgent"]
    );
    let of = |row: &text_import::Row| row.classifier.clone();
    assert!(import.rows.iter().all(|row| of(row).as_deref() == Some("mail")));
}

#[test]
fn the_lines_that_a_stack_exports_name_their_classifier_and_no_annotator() {
    let line = r#"{"labels": ["Billing"], "text": "One", "copies": 0, "consensus": {"state": "agreed",
        "answer": {"kind": "labels", "labels": ["Billing"]}, "confidence": 1.0, "agreement": 1.0}, "decidedBy": "majority",
        "record": {"schemaVersion": 1, "id": "1", "classifier": "mail", "utterance": "One", "source": "explicit-batch",
        "signal": "dislike", "receivedAt": "2026-11-20T10:00:00Z"}, "votes": [{"worker": "ann", "answer": {"kind": "labels",
        "labels": ["Billing"]}, "source": "human-review", "at": "2026-11-20T10:00:00Z"}], "humanLoops": [{"name": "l"}]}"#
        .replace('\n', " ");
    let other = line
        .replace("One", "Two")
        .replace("[\"Billing\"]", "[\"Urgent\"]");

    let import = import(format!("{line}\n{other}\n"));

    assert_eq!(rows(&import), ["One => ?: Billing", "Two => ?: Urgent"]);
    let of = |row: &text_import::Row| row.classifier.clone();
    assert!(import.rows.iter().all(|row| of(row).as_deref() == Some("mail")));
}

#[test]
fn label_studio_s_exports_give_every_annotator_s_vote() {
    let json = import_file("label-studio.json");

    assert_eq!(
        rows(&json),
        [
            "Works very well => 1: Positive => bea@example.com: Neutral",
            "Broke after a day => 1: Negative",
            "Skipped",
            "Nobody labelled it",
        ]
    );
    assert_eq!(
        json.rows[0].votes[0].at.as_deref(),
        Some("2026-03-09T22:17:08.728Z")
    );
    assert!(
        json.notes.iter().any(|note| note.contains("skipped")),
        "{:?}",
        json.notes
    );
    for name in ["label-studio-min.json", "label-studio.csv"] {
        let import = import_file(name);
        let expected = [
            "Works very well => 1: Positive",
            "Good, but late => bea@example.com: Positive + Delivery",
        ];
        assert_eq!(
            (rows(&import), import.tool),
            (expected.map(str::to_owned).to_vec(), Some(Tool::LabelStudio)),
            "{name}"
        );
    }
}

#[test]
fn doccano_s_exports_are_read_and_marks_of_parts_are_refused_by_line() {
    let expected = [
        "Works very well => ?: positive",
        "Good, but late => ?: delivery + positive",
    ];

    for name in ["doccano.jsonl", "doccano.csv"] {
        let import = import_file(name);
        assert_eq!(
            (&rows(&import)[..2], import.tool),
            (&expected.map(str::to_owned)[..], Some(Tool::Doccano)),
            "{name}"
        );
        assert_eq!(import.unlabelled().count(), 1, "{name}");
    }
    let spans = import_file("doccano-spans.jsonl");
    assert_eq!(
        spans.rejected[0].reason,
        "its labels mark parts of the text, not the whole"
    );
}

#[test]
fn prodigy_s_answers_are_votes_and_what_was_ignored_or_rejected_waits() {
    let choice = import_file("prodigy-choice.jsonl");
    let binary = import_file("prodigy-binary.jsonl");

    assert_eq!(
        rows(&choice),
        [
            "The invoice is wrong => tickets-ann: Billing",
            "Both are wrong => tickets-bob: Billing + Delivery",
            "What is this",
        ]
    );
    assert_eq!(
        rows(&binary),
        ["The invoice is wrong => ?: BILLING", "My parcel never came"]
    );
    assert!(
        binary.notes.iter().any(|note| note.contains("rejected")),
        "{:?}",
        binary.notes
    );
}

#[test]
fn options_of_prodigy_are_called_by_the_text_that_people_chose_by() {
    let options =
        r#"[{"id": "L", "text": "Login / account"}, {"id": "BILLING", "text": "billing"}, {"id": "x"}]"#;
    let line = |text: &str, accept: &str| {
        format!(r#"{{"text": "{text}", "options": {options}, "accept": ["{accept}"], "answer": "accept"}}"#)
    };
    let lines = [
        line("I cannot log in", "L"),
        line("Too dear", "BILLING"),
        line("What is this", "x"),
    ];

    let import = import(lines.join("\n"));

    assert_eq!(
        rows(&import),
        [
            "I cannot log in => ?: Login / account",
            "Too dear => ?: BILLING",
            "What is this => ?: x",
        ]
    );
}

#[test]
fn an_encoding_that_was_named_wrongly_and_a_sheet_of_no_workbook_are_told() {
    let csv = "text;label\nDie Gebühr ist zu hoch;Gebühr\n";
    let marked: Vec<u8> = format!("\u{feff}{csv}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let unmarked: Vec<u8> = csv.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let encoding = |name: &str| Options {
        encoding: Some(name.into()),
        ..Options::default()
    };
    let sheet = Options {
        sheet: Some("Tickets".into()),
        ..Options::default()
    };
    let refused = |bytes: &[u8], name: &str| {
        read(bytes, &encoding(name))
            .expect_err("another encoding")
            .to_string()
    };

    assert!(refused(&marked, "utf-8").starts_with("the file is UTF-16LE, not UTF-8"));
    assert!(refused(&unmarked, "windows-1252").starts_with("the file is UTF-16BE, not Windows-1252"));
    assert_eq!(import_with(&marked, &encoding("utf-16le")).rows.len(), 1);
    let notes = import_with(csv, &sheet).notes;
    assert!(
        notes.iter().any(|note| note.contains("no workbook but")),
        "{notes:?}"
    );
}

#[test]
fn argilla_s_records_of_every_kind_are_read_without_suggestions_and_drafts() {
    for (name, expected) in [
        (
            "argilla-records.json",
            "Works very well => 11111111-1111-1111-1111-111111111111: positive \
             => 22222222-2222-2222-2222-222222222222: neutral",
        ),
        (
            "argilla-datasets.jsonl",
            "Works very well => 11111111-1111-1111-1111-111111111111: positive",
        ),
        ("argilla-server.jsonl", "Works very well => u-1: positive + fast"),
        ("argilla-1.jsonl", "Works very well => u-1: positive"),
        (
            "argilla-text-classification.jsonl",
            "Works very well => ann: positive",
        ),
    ] {
        let import = import_file(name);

        assert_eq!(
            (rows(&import)[0].as_str(), import.tool),
            (expected, Some(Tool::Argilla)),
            "{name}"
        );
        assert!(
            import.unlabelled().all(|row| row.text == "Nobody answered"),
            "{name}"
        );
    }
}

#[test]
fn a_help_desk_s_columns_are_told_or_named() {
    let told = import_file("help-desk.csv");
    let named = Options {
        text_column: Some("subject".into()),
        label_column: Some("Channel".into()),
        ..Options::default()
    };
    let cut = Options {
        label_delimiter: LabelDelimiter::Char(' '),
        ..Options::default()
    };
    let wrong = Options {
        text_column: Some("Body".into()),
        ..Options::default()
    };

    assert_eq!(
        (role(&told, Role::Text), role(&told, Role::Label)),
        (vec!["Description"], vec!["Tags"])
    );
    assert_eq!(rows(&told)[1], "My parcel\nnever came => ?: delivery");
    assert_eq!(
        rows(&import_with(file("help-desk.csv"), &named)),
        ["Invoice => ?: email", "Parcel => ?: web", "Login => ?: email"]
    );
    assert!(rows(&import_with(file("help-desk.csv"), &cut))[0].ends_with("billing + vip"));
    let refused = read(&file("help-desk.csv"), &wrong)
        .expect_err("refused")
        .to_string();
    assert!(
        refused.starts_with("there is no column `Body`; the columns are `Id`, `Subject`"),
        "{refused}"
    );
}

#[test]
fn documents_lines_and_compressed_files_have_fields_of_their_own_and_of_the_whole_file() {
    let document = import_file("sentences.json");
    let lines = import_file("rows.jsonl.gz");
    let texts = import_file("texts.txt");

    assert_eq!(
        rows(&document),
        [
            "The invoice is wrong => ?: Billing",
            "My parcel never came => ?: Delivery"
        ]
    );
    assert_eq!(document.classifier.as_deref(), Some("tickets"));
    assert_eq!(document.rejected[0].reason, "neither a text nor an object");
    assert_eq!(
        rows(&lines),
        [
            "The invoice is wrong => ?: Billing + Urgent",
            "My parcel never came"
        ]
    );
    assert!(lines.gzip && lines.format == Format::JsonLines);
    assert_eq!(texts.format, Format::Lines);
    assert_eq!(
        rows(&texts),
        [
            "The invoice is wrong, again",
            "Hello, my parcel never came",
            "I cannot log in; help"
        ]
    );
}

#[test]
fn zip_and_parquet_are_refused_by_name_with_what_to_do() {
    assert_eq!(
        refusal(file("texts.zip")),
        "the file is a zip archive; unpack it, and give the files in it"
    );
    assert!(refusal(file("texts.parquet")).starts_with("the file is Parquet; write it as CSV or JSON Lines"));
    assert_eq!(refusal(""), "the file is empty");
}

#[test]
fn an_unclosed_quote_in_row_12_of_2000_costs_that_row_and_no_other() {
    for other in ["plain {n}", "\"quoted, {n}\"", "\"in two\nlines {n}\""] {
        let mut content = String::from("label,text\n");
        let mut line = 2;
        let mut broken = 0;
        for number in 1..=2_000 {
            let text = if number == 12 {
                broken = line;
                "\"never closed".to_owned()
            } else {
                other.replace("{n}", &number.to_string())
            };
            line += 1 + text.matches('\n').count() as u64;
            writeln!(content, "Label {},{text}", number % 4).expect("memory");
        }

        let import = import(&content);

        assert_eq!(import.rows.len(), 1_999, "{other}");
        let rejected: Vec<_> = import
            .rejected
            .iter()
            .map(|rejected| (rejected.line, rejected.reason.as_str()))
            .collect();
        assert_eq!(
            rejected,
            [(
                broken,
                format!("the quote that opens in line {broken} is never closed").as_str()
            )],
            "{other}"
        );
    }
}

#[test]
fn what_hostile_files_hold_is_read_or_told() {
    let mixed = import(b"label;text\nA;caf\xc3\xa9\nB;caf\xe9\n");
    let numbers = import("text,label\nGood,1\nBad,0\nFine,1\nPoor,0\n");
    let nul = import("label,text\nA,on\0e\nB,two\n");
    let ends = import("label,text\rA,one\r\nB,two\nA,three\r");
    let quoted = import("label,text\n\"Billing, payments\",one\nA|B,two\n");
    let ragged = import("label,text\nA,one,\nB,two, three\nC\n,,\n\nD,four\n");
    let only_header = refusal(b"label,text\n");
    let long = import(format!("label,text\nA,{}\nB,two\n", "x".repeat(20_000)));
    let huge = import(format!("label,text\nA,{}\nB,two\n", "x".repeat(3 << 20)));

    assert_eq!(rows(&mixed), ["café => ?: A", "café => ?: B"]);
    assert!(
        mixed.notes[0].starts_with("lines that are no UTF-8"),
        "{:?}",
        mixed.notes
    );
    assert_eq!(rows(&numbers)[0], "Good => ?: 1");
    assert_eq!(rows(&nul)[0], "one => ?: A");
    assert!(
        nul.notes.iter().any(|note| note.contains("NUL")),
        "{:?}",
        nul.notes
    );
    assert_eq!(ends.rows.len(), 3);
    assert_eq!(rows(&quoted), ["one => ?: Billing, payments", "two => ?: A|B"]);
    assert_eq!(rows(&ragged), ["one => ?: A", "four => ?: D"]);
    let lines: Vec<u64> = ragged.rejected.iter().map(|rejected| rejected.line).collect();
    assert_eq!(lines, [3, 4]);
    assert_eq!(only_header, "the file names its columns and holds no row");
    assert_eq!((long.rows.len(), long.rejected[0].line), (1, 2));
    assert_eq!((huge.rows.len(), huge.rejected[0].line), (1, 2));
}

#[test]
fn what_programs_write_where_there_is_no_label_is_none_and_told() {
    let cells = import("text,label\nOne,NULL\nTwo,A\nThree,NaN\nFour,n/a\nFive,None\nSix,A\n");
    let fields =
        import("{\"text\":\"One\",\"label\":\"null\"}\n{\"text\":\"Two\",\"label\":[\"NaN\",\"A\"]}\n");

    assert_eq!(
        rows(&cells),
        [
            "One",
            "Two => ?: A",
            "Three",
            "Four",
            "Five => ?: None",
            "Six => ?: A"
        ]
    );
    let note =
        "texts with a label such as `NULL`, `NaN` or `n/a`, which was read as none: 3, the first in line 2";
    assert!(cells.notes.iter().any(|told| told == note), "{:?}", cells.notes);
    assert_eq!(rows(&fields), ["One", "Two => ?: A"]);
}

#[test]
fn two_columns_of_one_name_are_names_all_the_same_and_it_is_said_which_is_read() {
    let import = import("text,text,label\nOne,Uno,A\nTwo,Dos,B\n");

    assert_eq!(rows(&import), ["One => ?: A", "Two => ?: B"]);
    assert_eq!(
        import.notes,
        ["2 columns are called `text`: one is read, which a number names"]
    );
}

#[test]
fn a_title_above_the_names_of_the_columns_is_no_text() {
    let csv = import("Report of May,\nAll tickets,\nText,Label\nOne text here,A\nTwo text here,B\n");
    let plain = import("World,One text here about it\nSports,Two text here about it\n");

    assert_eq!(rows(&csv), ["One text here => ?: A", "Two text here => ?: B"]);
    assert!(
        csv.notes
            .iter()
            .any(|note| note == "the columns are named in line 3; what stands above it was not read"),
        "{:?}",
        csv.notes
    );
    assert_eq!(plain.rows.len(), 2);
}

#[test]
fn every_way_in_which_pandas_writes_json_gives_the_same_rows() {
    let expected = ["One text => ?: A", "Two text => ?: B"];
    for document in [
        r#"{"text":{"0":"One text","1":"Two text"},"label":{"0":"A","1":"B"}}"#,
        r#"{"text":["One text","Two text"],"label":["A","B"]}"#,
        "{\n \"texts\": [\"One text\", \"Two text\"],\n \"labels\": [\"A\", \"B\"]\n}",
        r#"{"columns":["text","label"],"index":[0,1],"data":[["One text","A"],["Two text","B"]]}"#,
        r#"{"0":{"text":"One text","label":"A"},"1":{"text":"Two text","label":"B"}}"#,
        r#"{"schema":{"fields":[]},"data":[{"index":0,"text":"One text","label":"A"},{"index":1,"text":"Two text","label":"B"}]}"#,
        r#"[["text","label"],["One text","A"],["Two text","B"]]"#,
        r#"[{"text":"One text","label":"A"},{"text":"Two text","label":"B"}]"#,
        "{\"text\":\"One text\",\"label\":\"A\"}\n{\"text\":\"Two text\",\"label\":\"B\"}\n",
    ] {
        assert_eq!(rows(&import(document)), expected, "{document}");
    }
    let list = import(r#"{"sentences":["One","Two","Three"],"labels":["A","B"]}"#);
    assert_eq!(list.rows.len(), 3);
    assert!(
        list.notes.iter().any(|note| note.contains("not used: `labels`")),
        "{:?}",
        list.notes
    );
}

#[test]
fn fast_text_s_files_have_their_labels_in_front() {
    let import = import(
        "__label__billing The invoice is wrong\n__label__delivery __label__urgent My parcel, never came\nNo label here\n",
    );

    assert_eq!(import.tool, Some(Tool::FastText));
    assert_eq!(
        rows(&import),
        [
            "The invoice is wrong => ?: billing",
            "My parcel, never came => ?: delivery + urgent",
            "No label here",
        ]
    );
}

#[test]
fn a_compressed_file_that_was_cut_off_says_where() {
    let content: String = (0..5_000)
        .map(|number| format!("Text {},A{}\n", number * 7_919, number % 3))
        .collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, format!("text,label\n{content}").as_bytes()).expect("memory");
    let whole = encoder.finish().expect("memory");

    let import = import(&whole[..whole.len() - 2_000]);

    let [rejected] = &import.rejected[..] else {
        panic!("{:?}", import.rejected);
    };
    assert_eq!(rejected.line, import.rows.len() as u64 + 2);
}

#[test]
fn a_summary_counts_labels_joins_spellings_and_names_duplicates_and_conflicts() {
    let import = import(
        "label,text\nBilling,The invoice\nbilling ,Another invoice\nDelivery,the  INVOICE\n\
         Delivery,A parcel\nBilling,Another invoice\n,Unlabelled\n",
    );

    let summary = Summary::of(&import.rows);

    assert_eq!(
        (
            summary.labelled,
            summary.unlabelled,
            summary.votes,
            summary.duplicates
        ),
        (3, 1, 5, 2)
    );
    let labels: Vec<_> = summary
        .labels
        .iter()
        .map(|label| (label.name.as_str(), label.votes))
        .collect();
    assert_eq!(labels, [("Billing", 3), ("Delivery", 2)]);
    assert_eq!(summary.joined, ["`billing` (1) is read as `Billing`"]);
    assert_eq!(
        (summary.conflicts.len(), &summary.conflicts[0].lines),
        (1, &vec![2, 4])
    );
}

#[test]
fn who_gave_a_label_is_read_out_of_the_object_of_the_label() {
    let nested = import(
        "{\"content\": {\"body\": \"The invoice is wrong\"}, \"annotation\": {\"label\": \"billing\", \"by\": \"ann\"}}\n\
         {\"content\": {\"body\": \"There is no parcel\"}, \"annotation\": {\"label\": \"delivery\", \"by\": \"bob\"}}\n",
    );

    assert_eq!(role(&nested, Role::Annotator), ["annotation.by"]);
    assert_eq!(
        rows(&nested),
        [
            "The invoice is wrong => ann: billing",
            "There is no parcel => bob: delivery"
        ]
    );
}

#[test]
fn chinese_names_of_columns_of_texts_and_labels_are_known() {
    let import = import("内容,标注\n我的包裹没有到,物流\n发票错误,发票\n包裹损坏了,物流\n");

    assert_eq!(
        (role(&import, Role::Text), role(&import, Role::Label)),
        (vec!["内容"], vec!["标注"])
    );
    assert_eq!(rows(&import)[0], "我的包裹没有到 => ?: 物流");
    assert_eq!(text_import::feedback::field("内容"), Some("sentence"));
    assert_eq!(text_import::feedback::field("标注"), Some("label"));
}

#[test]
fn labels_of_parts_of_a_text_by_label_studio_are_none_of_the_whole() {
    let value = r#"{"start": 0, "end": 8, "text": "Rechnung", "choices": ["Billing"]}"#;
    let result = format!(r#"{{"type": "choices", "from_name": "c", "to_name": "text", "value": {value}}}"#);
    let task = format!(
        r#"[{{"id": 1, "data": {{"text": "Rechnung fehlt"}}, "annotations": [{{"id": 1, "result": [{result}]}}]}}]"#
    );

    let import = import(task);

    assert!(import.rows.is_empty());
    assert!(
        import.rejected[0].reason.contains("parts of the text"),
        "{:?}",
        import.rejected
    );
}

#[test]
fn files_whose_lines_are_no_texts_and_tables_of_crosses_are_refused_with_what_to_do() {
    for (content, words) in [
        (
            "\"text\" \"label\"\n\"1\" \"It is late\" \"Delivery\"\n",
            "a table of R",
        ),
        ("T1\tPerson 0 5\tAlice\nA1\tNegation T1\n", "brat"),
        (
            "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\nGerman JJ B-NP B-MISC\n",
            "CoNLL",
        ),
        (
            "{\"File\": \"f.txt\", \"Line\": \"0\", \"Classes\": []}\n",
            "Amazon Comprehend",
        ),
        (
            "Ticket text;Billing;Login\nCharged two times;x;\nCannot sign in;;x\n",
            "a cross where it holds",
        ),
    ] {
        let refused = read(content.as_bytes(), &Options::default()).expect_err(content);
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&bytes, &Options::default());
        }

        #[test]
        fn no_damage_of_a_good_file_panics(
            index in 0_usize..64,
            at in 0_usize..5_000,
            with in proptest::collection::vec(any::<u8>(), 0..8),
            cut in any::<bool>(),
        ) {
            let files = fs::read_dir(format!("{}/tests/files", env!("CARGO_MANIFEST_DIR"))).expect("files");
            let mut names: Vec<_> = files.map(|entry| entry.expect("a file").path()).collect();
            names.sort();
            let mut bytes = fs::read(&names[index % names.len()]).expect("a file");
            let at = at % bytes.len();
            let end = if cut { bytes.len() } else { (at + with.len()).min(bytes.len()) };
            bytes.splice(at..end, with);

            let _ = read(&bytes, &Options::default());
        }

        #[test]
        fn text_that_looks_like_a_file_of_columns_never_panics(
            content in "[a\"\\\\,;\t|\r\n{}\\[\\]:\u{feff}\u{0}é0 ]{0,200}",
        ) {
            let _ = read(content.as_bytes(), &Options::default());
        }

        #[test]
        fn what_a_writer_writes_is_read_again(
            rows in proptest::collection::vec(("[A-C]", "[a-z,;\"\n\t |é😀]{1,40}x"), 5..40),
            delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
        ) {
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
            writer.write_record(["label", "text"]).expect("memory");
            for (label, text) in &rows {
                writer.write_record([label, text]).expect("memory");
            }

            let import = import(writer.into_inner().expect("memory"));

            let pair = |row: &text_import::Row| (row.votes[0].labels[0].clone(), row.text.clone());
            let read: Vec<_> = import.rows.iter().map(pair).collect();
            let pair = |(label, text): &(String, String)| (label.clone(), text.trim().to_owned());
            let expected: Vec<_> = rows.iter().map(pair).collect();
            prop_assert_eq!(read, expected);
        }
    }
}

#[test]
fn a_formula_without_its_value_is_reported_and_no_empty_cell() {
    let import = import_file("formulas-without-values.xlsx");

    assert_eq!(
        rows(&import),
        [
            "The invoice is wrong again => ?: Billing",
            "I cannot log in => ?: Login",
            "The invoice came twice => ?: Billing",
        ]
    );
    let rejected: Vec<_> = import.rejected.iter().map(|rejected| rejected.line).collect();
    assert_eq!(rejected, [3, 5], "{:?}", import.rejected);
    assert!(import.rejected[0].reason.contains("a formula without its value"));
}

#[test]
fn an_object_of_texts_and_labels_is_read_on_one_line_and_on_several() {
    let pretty = "{\n  \"The invoice is wrong\": \"billing\",\n  \"I cannot log in\": \"login\"\n}\n";
    for content in [pretty.to_owned(), pretty.replace('\n', "")] {
        let import = import(&content);

        assert_eq!(import.format, text_import::Format::Json);
        assert_eq!(
            rows(&import),
            [
                "I cannot log in => ?: login",
                "The invoice is wrong => ?: billing"
            ]
        );
        assert!(
            import
                .notes
                .iter()
                .any(|note| note.contains("names were read as texts"))
        );
    }
}

#[test]
fn objects_over_several_lines_are_read_one_behind_the_other() {
    let one = "{\n  \"text\": \"The invoice is wrong\",\n  \"label\": \"billing\"\n}\n";
    let two = one.to_owned() + "{\n  \"text\": \"I cannot log in\",\n  \"label\": \"login\"\n}\n";

    assert_eq!(rows(&import(one)), ["The invoice is wrong => ?: billing"]);
    assert_eq!(
        rows(&import(&two)),
        [
            "The invoice is wrong => ?: billing",
            "I cannot log in => ?: login"
        ]
    );
}

#[test]
fn doccano_s_numbers_are_no_labels_and_it_is_said_what_to_do() {
    let import = import(
        "{\"id\": 1, \"text\": \"The invoice is wrong\", \"annotations\": [{\"label\": 3, \"user\": 1}], \"meta\": {}}\n\
         {\"id\": 2, \"text\": \"I cannot log in\", \"annotations\": [], \"meta\": {}}\n",
    );

    assert_eq!(rows(&import), ["The invoice is wrong", "I cannot log in"]);
    assert!(
        import
            .notes
            .iter()
            .any(|note| note.contains("numbers of doccano's own") && note.contains("export as")),
        "{:?}",
        import.notes
    );
}

#[test]
fn labels_that_are_all_numbers_are_told() {
    let numbers = import("text,label\nThe invoice is wrong,3\nI cannot log in,1\nToo expensive,3\n");
    let names = import("text,label\nThe invoice is wrong,3\nI cannot log in,login\nToo expensive,3\n");

    let is_told = |import: &Import| {
        import
            .notes
            .iter()
            .any(|note| note.contains("all labels are numbers"))
    };
    assert!(is_told(&numbers) && !is_told(&names));
}

#[test]
fn a_file_in_gbk_or_shift_jis_is_converted_and_it_is_said_so() {
    let chinese = "text,label\n发票金额不对，请帮我检查一下,账单\n包裹还没有送到,物流\n登录不了账号,登录\n";
    let (bytes, ..) = encoding_rs::GBK.encode(chinese);

    let import = import(&bytes);

    assert_eq!(import.encoding.as_deref(), Some("GBK"));
    assert_eq!(rows(&import)[0], "发票金额不对，请帮我检查一下 => ?: 账单");
    assert!(
        import.notes.iter().any(|note| note.contains("read as GBK")),
        "{:?}",
        import.notes
    );
}
