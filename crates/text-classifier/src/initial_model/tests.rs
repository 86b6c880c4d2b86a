use super::*;

fn leaving_out(test_share: f64) -> Reading {
    Reading {
        test_share,
        mode: Mode::MultiClass,
    }
}

fn file(rows: usize) -> String {
    (0..rows)
        .map(|row| {
            format!(
                "{},{row} {} {}\n",
                ["a", "b"][row % 2],
                row * 7919,
                row * row * 104_729
            )
        })
        .collect()
}

#[test]
fn what_datasets_hold_out_is_left_out_with_its_near_copies() {
    let file = file(100);
    let held_out: Vec<String> = TrainingRows::new(file.as_bytes(), None)
        .expect("a CSV file")
        .filter_map(Result::ok)
        .map(|row| row.text)
        .filter(|text| is_test(text, 0.2))
        .collect();
    let copies: String = held_out
        .iter()
        .map(|text| format!("a,{}!!\n", text.to_uppercase()))
        .collect();

    let all = training_set(file.as_bytes(), leaving_out(0.0), &|_| None).expect("a good file");
    let some = training_set(file.as_bytes(), leaving_out(0.2), &|_| None).expect("a good file");
    let with_copies =
        training_set((file + &copies).as_bytes(), leaving_out(0.2), &|_| None).expect("a good file");

    assert_eq!(all.len(), 100);
    assert!(held_out.len() > 5 && some.len() > 50);
    assert!(some.len() <= 100 - held_out.len());
    assert_eq!(with_copies.len(), some.len());
}

#[test]
fn a_label_is_not_left_without_a_row() {
    let share = (1..100)
        .map(|percent| f64::from(percent) / 100.0)
        .find(|share| is_test("the only row", *share))
        .expect("some share");
    let file = format!("{}c,the only row\n", file(100));

    let set = training_set(file.as_bytes(), leaving_out(share), &|_| None).expect("a good file");

    assert_eq!((set.len(), set.labels.len()), (101, 3));
}

#[test]
fn labels_stay_several_when_all_rows_with_a_delimiter_are_left_out() {
    let file = "a|b,the only row with two\na,one\nb,two\na,three\nb,four\n";

    for percent in 0..100 {
        let set = training_set(file.as_bytes(), leaving_out(f64::from(percent) / 100.0), &|_| {
            None
        })
        .expect("a good file");
        assert_eq!(set.mode, Mode::MultiLabel, "{percent} %");
    }
}

#[test]
fn another_encoder_makes_another_version() {
    let versions =
        [None, Some("one"), Some("another")].map(|encoder| version(b"a,b", leaving_out(0.1), encoder));

    assert!(versions[0] != versions[1] && versions[1] != versions[2]);
}

#[test]
fn another_share_makes_another_version() {
    assert_ne!(
        version(b"a,b", leaving_out(0.1), None),
        version(b"a,b", leaving_out(0.2), None)
    );
}
