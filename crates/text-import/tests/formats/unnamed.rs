//! Labels that a file does not surely name: refused by row or as a whole, or read with what was done.

use super::*;

fn rejected(import: &Import) -> Vec<(u64, &str)> {
    import
        .rejected
        .iter()
        .map(|row| (row.line, row.reason.as_str()))
        .collect()
}

fn says(import: &Import, words: &str) -> bool {
    import.notes.iter().any(|note| note.contains(words))
}

#[test]
fn leaves_of_one_name_in_several_branches_of_a_taxonomy_keep_the_names_above_them_in_every_export() {
    let paths = [
        r#"["Goods","Other"]"#,
        r#"["Service","Other"]"#,
        r#"["Goods","Broken"]"#,
    ];
    let task = |(number, path): (usize, &&str)| {
        format!(
            r#"{{"id":{number},"data":{{"text":"Text {number}"}},"annotations":[{{"completed_by":1,"result":[{{"from_name":"tax","type":"taxonomy","value":{{"taxonomy":[{path}]}}}}]}}]}}"#
        )
    };
    let row = |(number, path): (usize, &&str)| {
        format!(
            r#"{{"id":{number},"text":"Text {number}","tax":[{path}],"annotator":1,"annotation_id":{number},"lead_time":3.1}}"#
        )
    };
    let cells = |(number, path): (usize, &&str)| {
        format!(
            "{number},1,\"[{}]\",Text {number},3.1\n",
            path.replace('"', "\"\"")
        )
    };
    let list = |rows: Vec<String>| format!("[{}]", rows.join(",\n"));
    let csv: String = paths.iter().enumerate().map(cells).collect();
    for content in [
        list(paths.iter().enumerate().map(task).collect()),
        list(paths.iter().enumerate().map(row).collect()),
        format!("annotation_id,annotator,tax,text,lead_time\n{csv}"),
    ] {
        let import = import(&content);

        let expected = [
            "Text 0 => 1: Goods / Other",
            "Text 1 => 1: Service / Other",
            "Text 2 => 1: Broken",
        ];
        assert_eq!(rows(&import), expected, "{content}");
        assert!(
            says(&import, "such as `Goods / Other` (2 so)"),
            "{:?}",
            import.notes
        );
    }
}

#[test]
fn labels_with_scores_and_numbers_for_each_label_are_refused_by_line_with_what_to_do() {
    let scores = import(
        "{\"text\":\"It leaks\",\"labels\":[{\"label\":\"defect\",\"score\":0.9},{\"label\":\"shipping\",\"score\":0.1}]}\n\
         {\"text\":\"It is late\",\"labels\":[{\"label\":\"defect\",\"score\":0},{\"label\":\"shipping\",\"score\":1}]}\n",
    );
    assert_eq!(rows(&scores), ["It is late => ?: shipping"]);
    assert!(
        rejected(&scores)[0].1.contains("without scores"),
        "{:?}",
        scores.rejected
    );

    for content in [
        "{\"text\":\"It leaks\",\"labels\":[1,0,0]}\n{\"text\":\"It is late\",\"labels\":[0,1,0]}\n",
        "text,labels\nIt leaks,\"[1, 0, 0]\"\nIt is late,\"[0, 1, 0]\"\n",
        "text,labels\nIt leaks,1|0|0\nIt is late,0|1|0\n",
    ] {
        let import = import(content);
        assert_eq!((import.rows.len(), import.rejected.len()), (0, 2), "{content}");
        assert!(
            rejected(&import)[0].1.contains("write the names"),
            "{:?}",
            import.rejected
        );
    }
    let ids = import("{\"text\":\"It leaks\",\"labels\":[0,1]}\n{\"text\":\"It is late\",\"labels\":[27]}\n");
    assert_eq!(rows(&ids), ["It leaks => ?: 0 + 1", "It is late => ?: 27"]);
    let two =
        import("{\"text\":\"It leaks\",\"labels\":[0,1]}\n{\"text\":\"It is late\",\"labels\":[1,0]}\n");
    assert_eq!((two.rows.len(), two.rejected.len()), (0, 2));
}

#[test]
fn labels_of_fast_text_are_labels_wherever_they_stand_and_never_words() {
    let expected = ["It leaks again => ?: defect", "It is so late => ?: ship"];
    for content in [
        "It leaks again __label__defect\nIt is so late __label__ship\n",
        "It leaks __label__defect again\nIt is __label__ship so late\n",
        "text\nIt leaks again __label__defect\nIt is so late __label__ship\n",
        "label,text\n__label__defect,It leaks again\n__label__ship,It is so late\n",
        "__label__defect,It leaks again\n__label__ship,It is so late\n",
        "text\tlabel\nIt leaks again\t__label__defect\nIt is so late\t__label__ship\n",
        "{\"text\":\"It leaks again\",\"label\":\"__label__defect\"}\n{\"text\":\"It is so late\",\"label\":\"__label__ship\"}\n",
    ] {
        assert_eq!(rows(&import(content)), expected, "{content}");
    }
    let within = import("id,text\n1,It leaks __label__defect\n2,It is late\n");
    assert_eq!(
        (rows(&within), rejected(&within).len()),
        (vec!["It is late".to_owned()], 1)
    );
}
