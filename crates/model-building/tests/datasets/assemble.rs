//! What becomes a row, and of which version.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::{
    dataset::{DatasetManifest, Mode, ONLY_LABEL, Problem, Rules, Severity, TrainingFileState},
    feedback::{Signal, record_id},
    keys::selected_texts,
    labels::{
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        labelled::LabelledRecord,
        vote::{Vote, VoteSource},
    },
    sampling::selection::{SelectedBy, SelectedTexts},
    text::vector_id,
};
use model_building::{
    assemble::{AssembleError, AssemblePolicy, check_dataset},
    export::Format,
};
use serde_json::Value;

use crate::{
    bucket::{Answered, BUCKET, Bucket, POLICY, audited, doubted, record, vote},
    export::exported,
};

fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(text, label): &(&str, &str)| ((*text).to_owned(), (*label).to_owned());
    labels.iter().map(owned).collect()
}

/// A text that is no near copy of any other.
fn text(number: usize) -> String {
    format!(
        "{} by {}",
        number * 7_919 + 10_007,
        number * number * 104_729 + 1_000_003
    )
}

pub fn initial(rows: usize) -> String {
    (0..rows)
        .map(|row| format!("{},{}\n", ["World", "Sports"][row % 2], text(row)))
        .collect()
}

#[tokio::test]
async fn a_version_says_with_what_probability_its_training_rows_were_selected() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(40)).await;
    // Which of the audited texts are held out is a matter of their content.
    let audits: Vec<String> = (100..120).map(text).collect();
    let audits: Vec<Answered> = audits.iter().map(|text| audited(text, "World")).collect();
    bucket.answer("loop-1", 0, &audits).await;
    bucket
        .answer("loop-2", 1, &[doubted("a doubtful text", "World")])
        .await;
    bucket
        .answer(
            "loop-3",
            2,
            &[Answered {
                text: "one that a user disliked",
                label: "Sports",
                signal: Signal::Dislike,
            }],
        )
        .await;

    let manifest = bucket.assemble(&POLICY).await;

    let file = bucket.get(&selected_texts(&manifest.version)).await;
    let selected = SelectedTexts::from_bytes(&file);
    let of = |text: &str| selected.of(&vector_id(text));
    assert_eq!(of("a doubtful text"), SelectedBy::Policy(f64::from(0.05_f32)));
    assert_eq!(of("one that a user disliked"), SelectedBy::Choice);
    let (mut initial, mut audited) = (0_usize, 0_usize);
    for row in bucket.train(&manifest).await {
        match of(&row.text) {
            SelectedBy::Chance => initial += 1,
            // A fifth of the audited texts is held out, so those that are not stand for more.
            SelectedBy::Audit(probability) => {
                audited += 1;
                assert!((probability - 0.05 * 0.8).abs() < 1e-6, "{probability}");
            }
            SelectedBy::Choice | SelectedBy::Policy(_) => {}
        }
    }
    let held_out = bucket.test(&manifest).await.len();
    assert_eq!(initial + audited + held_out, 60);
    assert!(audited >= 10, "{audited}");
    assert!(
        bucket
            .test(&manifest)
            .await
            .iter()
            .all(|row| of(&row.text) == SelectedBy::Chance)
    );
}

#[tokio::test]
async fn initial_rows_and_answers_become_one_version() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(40)).await;
    bucket.put("initial/notes.txt", "not a training file").await;
    bucket
        .answer(
            "loop-1",
            0,
            &[
                doubted("a doubtful text", "World"),
                audited("an audited one", "Sports"),
            ],
        )
        .await;

    let manifest = bucket.assemble(&POLICY).await;

    let all = bucket.labels(&manifest).await;
    assert_eq!(all.len(), 42);
    assert_eq!(
        (&*all["a doubtful text"], &*all["an audited one"]),
        ("World", "Sports")
    );
    assert_eq!(manifest.train.summary.rows + manifest.test.summary.rows, 42);
    assert!((2..20).contains(&manifest.test.summary.rows), "{manifest:?}");
    assert_eq!(
        manifest.sources,
        [("human-review".into(), 2), ("initial".into(), 40)].into()
    );
    assert_eq!((manifest.parent.clone(), manifest.mode), (None, Mode::MultiClass));
    assert_eq!(manifest.created_at, "2026-11-21T12:00:00.000Z");
    assert_eq!(manifest.left_out, BTreeMap::new());
    let stored = bucket
        .get(&format!("datasets/{}/manifest.json", manifest.version))
        .await;
    assert_eq!(
        serde_json::from_slice::<DatasetManifest>(&stored).expect("JSON"),
        manifest
    );
    let report = bucket
        .get(&format!("datasets/{}/agreement.json", manifest.version))
        .await;
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(report["outcomes"]["labels"], 2);
    assert_eq!(report["reviewers"]["ada"]["answers"], 2);
}

#[tokio::test]
async fn the_same_content_is_the_same_version_and_writes_nothing() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(40)).await;
    bucket
        .answer("b-loop", 0, &[doubted("one", "World"), doubted("two", "Sports")])
        .await;
    let first = bucket.assemble(&POLICY).await;
    // The same question again, with the same answer, in a loop that comes earlier in the list.
    bucket.answer("a-loop", 1, &[doubted("two", "Sports")]).await;
    let writes = bucket.writes();

    let again = bucket.try_assemble(&POLICY).await.expect("a dataset");

    assert_eq!((again.manifest, again.new_texts), (first, 0));
    assert_eq!(
        bucket.writes(),
        writes + 2,
        "what was read of the new loop is kept"
    );
}

#[tokio::test]
async fn a_version_names_the_one_before_it() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(40)).await;
    let first = bucket.assemble(&POLICY).await;
    bucket
        .answer("loop-1", 0, &[doubted("something new", "World")])
        .await;

    let second = bucket.try_assemble(&POLICY).await.expect("a dataset");

    assert_eq!(second.manifest.parent, Some(first.version));
    assert_eq!(second.new_texts, 1);
}

#[tokio::test]
async fn the_last_human_answer_wins_over_older_ones_and_over_initial_rows() {
    let bucket = Bucket::new();
    let rows = "World,answered since\nWorld,nothing fits it\nWorld,nobody can tell\nSports,said twice\nSports,Said twice!\n";
    bucket.put("initial/a.csv", rows).await;
    bucket
        .answer(
            "z-older",
            0,
            &[
                doubted("answered since", "World"),
                doubted("ANSWERED, since", "Business"),
            ],
        )
        .await;
    bucket
        .answer(
            "a-newer",
            9,
            &[
                doubted("Answered since", "Sports"),
                doubted("nothing fits it", "-"),
                doubted("nobody can tell", "?"),
                doubted("a class to come", "+Health"),
            ],
        )
        .await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(
        bucket.labels(&manifest).await,
        labels(&[
            ("Answered since", "Sports"),
            ("nobody can tell", "World"),
            ("Said twice!", "Sports")
        ])
    );
    let left_out = [
        ("duplicate-initial-row", 1),
        ("initial-row-answered-since", 2),
        ("new-label", 1),
        ("none-fits", 1),
        ("older-answer", 2),
        ("unsure", 1),
    ];
    let left_out = left_out.map(|(reason, count)| (reason.to_owned(), count));
    assert_eq!(manifest.left_out, left_out.into());
}

/// Stores one vote on a text of a classifier, in a human loop or an import of its own.
async fn say(bucket: &Bucket, (classifier, text): (&str, &str), name: &str, vote: Vote) {
    let mut record = record(text, Signal::Unlabelled);
    record.id = record_id(classifier, text);
    record.classifier = classifier.to_owned();
    let labelled = LabelledRecord::new(record, vec![vote], name, "");
    bucket.label(name, &[labelled]).await;
}

fn imported(label: &str, minute: usize) -> Vote {
    Vote {
        source: VoteSource::Import,
        ..vote("import", label, minute)
    }
}

#[tokio::test]
async fn a_later_label_of_a_file_takes_no_answer_of_people_away_that_was_given_in_another_spelling() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(4)).await;
    let last_word = Vote {
        source: VoteSource::Adjudicator,
        ..vote("adjudicator:lea", "World", 1)
    };
    for (text, name, vote) in [
        ("Holiday request", "review-1", vote("ada", "World", 0)),
        ("HOLIDAY request!", "import-1", imported("Sports", 9)),
        ("holiday request.", "import-2", imported("World", 10)),
        ("Two submitted", "adjudication-1", last_word),
        ("Two submitted!", "review-2", vote("ada", "Sports", 5)),
        ("One of a file", "import-3", imported("World", 1)),
        ("ONE of a file", "import-4", imported("Sports", 2)),
        ("Nothing fits here", "review-3", vote("ada", "-", 0)),
        ("nothing fits here!", "import-5", imported("Sports", 9)),
    ] {
        say(&bucket, ("news", text), name, vote).await;
    }

    let manifest = bucket.assemble(&POLICY).await;
    let (csv, summary) = exported(&bucket, Format::ComprehendCsv).await;

    let mut rows = bucket.labels(&manifest).await;
    rows.retain(|text, _| !initial(4).contains(text.as_str()));
    let counting = [
        ("Holiday request", "World"),
        ("Two submitted", "World"),
        ("ONE of a file", "Sports"),
    ];
    assert_eq!(rows, labels(&counting));
    let csv = String::from_utf8(csv).expect("UTF-8");
    let csv = csv.lines().filter_map(|line| line.split_once(','));
    let csv: Vec<(&str, &str)> = csv.map(|(label, text)| (text, label)).collect();
    assert_eq!(labels(&csv), rows, "an export is what a dataset is made of");
    let left_out = [("none-fits", 1), ("older-answer", 2), ("overruled-answer", 3)];
    let left_out: BTreeMap<String, u64> = left_out.map(|(reason, count)| (reason.to_owned(), count)).into();
    assert_eq!((&manifest.left_out, &summary.left_out), (&left_out, &left_out));
    let problems = check_dataset(&manifest, &Rules::comprehend(Mode::MultiClass), true);
    let said = problems
        .iter()
        .any(|problem| problem.message.starts_with("3 answers are left out"));
    assert!(said, "{problems:?}");
}

#[tokio::test]
async fn labels_of_one_text_under_two_classifiers_that_differ_are_counted_apart() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(4)).await;
    for (classifier, text, name, label, minute) in [
        ("ca", "One text", "import-1", "World", 1),
        ("cb", "One text", "import-2", "Sports", 2),
        ("ca", "Another text", "import-3", "World", 1),
        ("cb", "Another text", "import-4", "World", 2),
    ] {
        say(&bucket, (classifier, text), name, imported(label, minute)).await;
    }

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(bucket.labels(&manifest).await["One text"], "Sports");
    let left_out = [("older-answer", 1), ("other-classifier-answer", 1)];
    let left_out = left_out.map(|(reason, count)| (reason.to_owned(), count));
    assert_eq!(manifest.left_out, left_out.into());
}

#[tokio::test]
async fn votes_of_all_loops_count_together_and_a_suggested_label_once() {
    let bucket = Bucket::new();
    let mut disputed = record("a disputed text", Signal::Dislike);
    disputed.suggested_label = Some("World".into());
    let labelled = |worker, human_loop, minute| {
        let votes = vec![vote(worker, "Sports", minute)];
        LabelledRecord::new(disputed.clone(), votes, human_loop, "arn:flow")
    };
    bucket.put("initial/a.csv", initial(4)).await;
    bucket.label("loop-1", &[labelled("ada", "loop-1", 0)]).await;
    let one = bucket.assemble(&POLICY).await;

    let other = LabelledRecord::new(
        disputed.clone(),
        vec![vote("bob", "SciTech", 5)],
        "loop-2",
        "arn:flow",
    );
    bucket.label("loop-2", &[other]).await;
    let tied = bucket.assemble(&POLICY).await;

    assert_eq!(
        bucket.labels(&one).await["a disputed text"],
        "Sports",
        "the only reviewer's word counts against a user's"
    );
    assert_eq!(tied.left_out, [("tie".into(), 1)].into());
}

#[tokio::test]
async fn a_label_that_only_a_user_suggested_is_no_row() {
    let bucket = Bucket::new();
    let mut suggested = record("a text with a suggestion", Signal::Dislike);
    suggested.suggested_label = Some("Nonsense".into());
    bucket.put("initial/a.csv", initial(4)).await;
    let unsure = LabelledRecord::new(suggested, vec![vote("ada", "?", 0)], "loop-1", "arn:flow");
    bucket.label("loop-1", &[unsure]).await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(manifest.left_out, [("unsure".into(), 1)].into());
    assert!(!manifest.train.summary.classes.contains_key("Nonsense"));
}

#[tokio::test]
async fn a_vote_that_came_after_the_answers_breaks_their_tie_and_is_no_answer_itself() {
    let bucket = Bucket::new();
    let text = record("a disputed text", Signal::LowConfidence);
    bucket.put("initial/a.csv", initial(4)).await;
    let votes = vec![vote("ada", "Sports", 0), vote("bob", "World", 1)];
    let tied = LabelledRecord::new(text.clone(), votes, "loop-1", "arn:flow");
    bucket.label("loop-1", &[tied]).await;
    let mut later = LabelledRecord::new(text, Vec::new(), "vote-1", "");
    later.votes = vec![Vote {
        worker: "user:cy".into(),
        source: VoteSource::Feedback,
        ..vote("cy", "World", 9)
    }];
    later.labelled_at = later.votes[0].at.clone();
    bucket.label("vote-1", &[later]).await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(bucket.labels(&manifest).await["a disputed text"], "World");
}

#[tokio::test]
async fn an_adjudicator_decides_whatever_the_others_said() {
    let bucket = Bucket::new();
    let text = record("a disputed text", Signal::LowConfidence);
    bucket.put("initial/a.csv", initial(4)).await;
    let votes = vec![vote("ada", "Sports", 0), vote("bob", "Sports", 1)];
    let tied = LabelledRecord::new(text.clone(), votes, "loop-1", "arn:flow");
    bucket.label("loop-1", &[tied]).await;
    let last_word = Vote {
        source: VoteSource::Adjudicator,
        ..vote("adjudicator:lea", "World", 9)
    };
    let adjudication = LabelledRecord::new(text, vec![last_word], "adjudication-1", "");
    bucket.label("adjudication-1", &[adjudication]).await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(bucket.labels(&manifest).await["a disputed text"], "World");
}

#[tokio::test]
async fn a_bad_initial_file_blocks_no_build_and_is_left_out_with_line_and_reason() {
    let cases = [
        (
            "World,good\n\nWorld\n",
            "line 3: expected two columns, label and text, found 1 (a text with a comma needs quotes)",
        ),
        ("World,good\n,text\n", "line 2: the label is empty"),
        ("World|,text\n", "line 1: the label is empty"),
        ("World,\u{1}\u{2}\n", "line 1: the text is empty"),
        (
            "\"Wor\nld\",text\n",
            "line 1: the label holds a line break or another control character",
        ),
        (
            "World,good\nWorld,\"open\nWorld,swallowed\n",
            "line 2: the quote of this text is never closed",
        ),
        (
            "{\"label\":\"World\",\"text\":\"good\"}\n",
            "line 1: the file is JSON Lines, not CSV of a label and a text a line",
        ),
    ];
    for (file, reason) in cases {
        let bucket = Bucket::new();
        bucket.put("initial/good.csv", initial(4)).await;
        let good = bucket.assemble(&POLICY).await;
        bucket.put("initial/of people.csv", file).await;

        let manifest = bucket.assemble(&POLICY).await;

        assert_eq!(
            manifest.train.summary.sha256, good.train.summary.sha256,
            "{reason}"
        );
        let reports = bucket.objects("initial-reports/").await;
        let report: serde_json::Value =
            serde_json::from_slice(reports["initial-reports/of people.csv.json"].as_ref()).expect("JSON");
        assert_eq!(
            (&report["state"], &report["reason"]),
            (&"refused".into(), &reason.into())
        );
    }
}

#[tokio::test]
async fn a_refused_file_is_listed_until_it_is_mended_or_removed() {
    let bucket = Bucket::new();
    bucket.put("initial/good.csv", initial(4)).await;
    bucket.put("initial/bad.csv", "World,good\n,text\n").await;
    bucket.assemble(&POLICY).await;
    let listed = async || {
        let files = model_building::training_files(&bucket.bucket())
            .await
            .expect("listed");
        files
            .into_iter()
            .map(|file| (file.key, file.state))
            .collect::<Vec<_>>()
    };

    let refused = listed().await;
    let delete = bucket.s3.delete_object().bucket(BUCKET).key("initial/bad.csv");
    delete.send().await.expect("deleted");
    let removed = listed().await;

    assert_eq!(
        refused,
        [("initial/bad.csv".to_owned(), TrainingFileState::Refused)]
    );
    assert_eq!(removed, []);
}

#[tokio::test]
async fn a_refused_file_that_was_removed_is_told_of_no_more_though_the_rows_are_the_same() {
    let bucket = Bucket::new();
    bucket.put("initial/good.csv", initial(4)).await;
    bucket.put("initial/bad.csv", "World,good\n,text\n").await;
    bucket.assemble(&POLICY).await;
    let warnings = async || {
        let told = model_building::assemble::warnings(&bucket.bucket()).await;
        told.expect("warnings").join("; ")
    };

    let with_it = warnings().await;
    let delete = bucket.s3.delete_object().bucket(BUCKET).key("initial/bad.csv");
    delete.send().await.expect("deleted");
    bucket.assemble(&POLICY).await;

    assert!(with_it.contains("1 training file under initial/"), "{with_it}");
    assert_eq!(warnings().await, "");
}

#[tokio::test]
async fn own_initial_data_replaces_the_shipped_sample_and_no_build_mixes_them() {
    let bucket = Bucket::new();
    bucket
        .put("initial/sample-news.csv", "Cars,a sample\nBoats,another sample\n")
        .await;
    let sample = bucket.assemble(&POLICY).await;
    bucket.put("initial/own.csv", initial(4)).await;

    let own = bucket.assemble(&POLICY).await;

    let is_of_sample = |label: &String| label == "Cars" || label == "Boats";
    assert!(bucket.labels(&sample).await.values().all(is_of_sample));
    assert!(!bucket.labels(&own).await.values().any(is_of_sample));
    assert_eq!(own.left_out["sample-row"], 2);
}

#[tokio::test]
async fn one_class_in_several_spellings_over_files_is_one_class_of_the_dataset() {
    let bucket = Bucket::new();
    bucket
        .put(
            "initial/a.csv",
            "World,one\nWorld,two\nSports,three\nworld ,four\n",
        )
        .await;
    bucket
        .put(
            "initial/b.csv",
            "label,text\nWORLD,five\nSports,six\nSports,three\nWorld,three\n",
        )
        .await;

    let manifest = bucket.assemble(&POLICY).await;

    let labels = bucket.labels(&manifest).await;
    assert!(
        labels.values().all(|label| label == "World" || label == "Sports"),
        "{labels:?}"
    );
    assert_eq!(
        labels["three"], "Sports",
        "of two labels in one file neither counts"
    );
    assert_eq!(manifest.left_out["conflicting-initial-row"], 2);
}

#[tokio::test]
async fn sets_of_labels_in_a_file_conflict_unless_they_are_the_same_ones_in_any_order_and_spelling() {
    let bucket = Bucket::new();
    let file =
        "World|Sports,one\nsports | World,One!\nWorld|Sports,two\nWorld,two\nWorld,three\nSports,four\n";
    bucket.put("initial/a.csv", file).await;

    let manifest = bucket.assemble(&POLICY).await;

    let labels = bucket.labels(&manifest).await;
    assert_eq!(manifest.mode, Mode::MultiLabel);
    assert_eq!(manifest.left_out["conflicting-initial-row"], 2, "those of `two`");
    assert!(!labels.contains_key("two"), "{labels:?}");
    let one = labels
        .iter()
        .find(|(text, _)| text.to_lowercase().starts_with("one"));
    let one: BTreeSet<&str> = one.expect("it has a row").1.split('|').collect();
    assert_eq!(one, BTreeSet::from(["Sports", "World"]));
}

#[tokio::test]
async fn a_label_that_a_later_file_gives_otherwise_is_counted_and_said() {
    let bucket = Bucket::new();
    bucket
        .put(
            "initial/a.csv",
            "Business,Rates rise\nSports,a match\nSports,answered since\nWorld,one\n",
        )
        .await;
    bucket
        .put(
            "initial/b.csv",
            "World,Rates rise\nsports,A match\nWorld,answered since\nWorld,two\n",
        )
        .await;
    bucket
        .answer("loop-1", 0, &[doubted("answered since", "Sports")])
        .await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(bucket.labels(&manifest).await["Rates rise"], "World");
    assert_eq!(manifest.left_out["overruled-initial-row"], 1);
    assert_eq!(manifest.left_out["duplicate-initial-row"], 2);
    let said = check_dataset(&manifest, &Rules::comprehend(Mode::MultiClass), false);
    let is_said = |problem: &Problem| problem.message.contains("gives its text another label");
    assert!(said.iter().any(is_said), "{said:?}");
}

#[tokio::test]
async fn a_bucket_without_rows_is_refused() {
    let bucket = Bucket::new();
    bucket.answer("loop-1", 0, &[doubted("nothing fits", "-")]).await;

    let refused = bucket
        .try_assemble(&POLICY)
        .await
        .expect_err("nothing to train on");

    assert_eq!(
        refused.to_string(),
        "there is nothing to train on: no row under initial/ and no agreed label under labelled/"
    );
}

#[tokio::test]
async fn lines_that_cannot_be_read_are_counted_and_warned_of() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(40)).await;
    bucket
        .put(
            "labelled/odd.jsonl",
            "{\"schemaVersion\":99}\n\nno json\n{\"schemaVersion\":1}\n",
        )
        .await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(manifest.left_out, [("unreadable-line".into(), 3)].into());
    let problems = check_dataset(&manifest, &Rules::comprehend(Mode::MultiClass), true);
    let warning = problems
        .iter()
        .find(|problem| problem.message.starts_with("3 labelled lines"));
    assert_eq!(warning.map(|problem| problem.severity), Some(Severity::Warning));
}

#[tokio::test]
async fn labels_with_a_delimiter_make_the_dataset_multi_label() {
    let bucket = Bucket::new();
    bucket
        .put("initial/a.csv", "World,one\nSports | World,two\nSports,three\n")
        .await;
    bucket
        .answer("loop-1", 0, &[doubted("four", "World|Sports")])
        .await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(manifest.mode, Mode::MultiLabel);
    let all = bucket.labels(&manifest).await;
    assert_eq!((&*all["two"], &*all["four"]), ("Sports|World", "Sports|World"));
}

#[tokio::test]
async fn several_labels_are_no_row_where_texts_have_one_class() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(4)).await;
    bucket
        .answer("loop-1", 0, &[doubted("two classes", "World|Sports")])
        .await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(manifest.mode, Mode::MultiClass);
    assert_eq!(manifest.left_out, [("several-labels".into(), 1)].into());
}

#[tokio::test]
async fn where_texts_may_have_several_labels_a_dataset_is_multi_label_from_the_first() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(4)).await;
    let policy = AssemblePolicy {
        several_labels: true,
        ..POLICY
    };

    let manifest = bucket.assemble(&policy).await;

    assert_eq!(manifest.mode, Mode::MultiLabel);
}

#[tokio::test]
async fn an_added_class_waits_until_it_can_be_trained_and_tested() {
    let bucket = Bucket::new();
    let policy = AssemblePolicy {
        min_rows_per_class: 5,
        ..POLICY
    };
    bucket.put("initial/a.csv", initial(100)).await;
    let texts: Vec<String> = (500..520).map(text).collect();
    let answers: Vec<_> = texts.iter().map(|text| doubted(text, "Health")).collect();

    bucket.answer("loop-1", 0, &answers[..3]).await;
    let waiting = bucket.assemble(&policy).await;
    bucket.answer("loop-2", 1, &answers[3..]).await;
    let trained = bucket.assemble(&policy).await;

    assert_eq!(waiting.left_out, [("waiting-class".into(), 3)].into());
    assert_eq!(waiting.train.summary.classes.len(), 2);
    assert!(trained.train.summary.classes["Health"] >= 5, "{trained:?}");
    assert!(trained.test.summary.classes["Health"] >= 1, "{trained:?}");
    let rules = Rules {
        min_rows_per_class: 5,
        ..Rules::comprehend(Mode::MultiClass)
    };
    for manifest in [waiting, trained] {
        let problems = check_dataset(&manifest, &rules, true);
        assert!(
            problems
                .iter()
                .all(|problem| problem.severity == Severity::Warning),
            "{problems:?}"
        );
    }
}

#[tokio::test]
async fn nothing_held_out_is_an_error_before_money_is_spent() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(100)).await;
    let policy = AssemblePolicy {
        test_share: 0.0,
        ..POLICY
    };

    let manifest = bucket.assemble(&policy).await;

    let problems = check_dataset(&manifest, &Rules::comprehend(Mode::MultiClass), true);
    let errors: Vec<&str> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        errors,
        ["no row is held out, so models cannot be compared: is the parameter TestShare greater than 0?"]
    );
}

#[tokio::test]
async fn a_row_whose_label_says_that_there_is_none_is_in_no_dataset_and_is_counted() {
    let bucket = Bucket::new();
    let rows = "World,one\nWorld,two\nSports,three\nNULL,four\nnan,five\nSports,six\n";
    bucket.put("initial/a.csv", rows).await;

    let manifest = bucket.assemble(&POLICY).await;

    let labels = bucket.labels(&manifest).await;
    assert!(
        labels.values().all(|label| label == "World" || label == "Sports"),
        "{labels:?}"
    );
    assert_eq!(manifest.left_out["unlabelled-initial-row"], 2);
}

#[tokio::test]
async fn a_file_of_one_more_label_trains_beside_others_and_its_report_says_so() {
    let bucket = Bucket::new();
    bucket.put("initial/good.csv", initial(4)).await;
    let good = bucket.assemble(&POLICY).await;
    bucket
        .put(
            "initial/neutral.csv",
            "Neutral,so so\nNeutral,as ever\nneutral,nothing new\n",
        )
        .await;
    let listed = bucket.bucket().list("initial/neutral.csv").await.expect("listed");
    let refused = serde_json::json!({"key": "initial/neutral.csv", "etag": listed[0].etag, "state": "refused",
        "reason": "as an earlier version said", "repairs": ["line 1: the header line was skipped"], "erasedRows": [2],
        "at": "2026-11-20T10:00:00Z"});
    bucket
        .put("initial-reports/neutral.csv.json", refused.to_string())
        .await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(
        manifest.train.summary.rows + manifest.test.summary.rows,
        good.train.summary.rows + good.test.summary.rows + 3
    );
    let report = report(&bucket, "neutral.csv").await;
    assert_eq!(
        (&report["state"], &report["reason"]),
        (&"taken".into(), &serde_json::Value::Null)
    );
    assert_eq!(
        report["repairs"],
        serde_json::json!(["line 1: the header line was skipped", ONLY_LABEL]),
        "what was repaired stays told"
    );
    assert_eq!(report["erasedRows"], serde_json::json!([2]));
}

#[tokio::test]
async fn files_that_all_have_the_same_one_label_are_refused_and_left_out() {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", "Dog,barks\nDog,wags\n").await;
    bucket.put("initial/b.csv", "dog,howls\n").await;

    let assembled = bucket.try_assemble(&POLICY).await;

    assert!(matches!(assembled, Err(AssembleError::Empty)));
    for name in ["a.csv", "b.csv"] {
        let report = report(&bucket, name).await;
        assert_eq!(report["state"], "refused");
        assert_eq!(
            report["reason"],
            "the file has 1 different label, at least two are needed"
        );
    }
}

#[tokio::test]
async fn a_file_of_too_many_labels_is_refused_and_blocks_no_build() {
    let bucket = Bucket::new();
    bucket.put("initial/good.csv", initial(4)).await;
    let good = bucket.assemble(&POLICY).await;
    bucket.put("initial/many.csv", many_labels()).await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(manifest.train.summary.sha256, good.train.summary.sha256);
    let report = report(&bucket, "many.csv").await;
    assert_eq!(report["state"], "refused");
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|reason| reason.starts_with("the file has 1001 different labels"))
    );
}

fn many_labels() -> String {
    let rows = (0..2_002).map(|row| format!("Label {},text number {row} of them all\n", row / 2));
    rows.collect()
}

#[tokio::test]
async fn a_model_that_is_hosted_elsewhere_learns_from_a_file_of_any_number_of_labels() {
    let bucket = Bucket::new();
    bucket.put("initial/many.csv", many_labels()).await;
    let policy = AssemblePolicy {
        is_hosted: true,
        ..POLICY
    };

    let manifest = bucket.assemble(&policy).await;

    let rows = [bucket.train(&manifest).await, bucket.test(&manifest).await].concat();
    let labels: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| &row.labels)
        .map(String::as_str)
        .collect();
    assert_eq!(labels.len(), 1_001);
    assert_eq!(bucket.objects("initial-reports/").await.len(), 0);
}

#[tokio::test]
async fn a_file_whose_only_label_is_retired_is_refused_by_that_reason_until_the_label_is_back() {
    let bucket = Bucket::new();
    bucket.put("initial/good.csv", initial(4)).await;
    bucket.put("initial/birds.csv", "Bird,sings\nBird,flies\n").await;
    let at = "2026-11-20T10:00:00.000Z";
    let mut set = LabelSet::seed(["World", "Sports", "Bird"], Origin::Edited, at);
    set.retire("Bird").expect("in use");
    bucket.put(LABEL_SET_KEY, set.to_json()).await;

    bucket.assemble(&POLICY).await;
    let retired = report(&bucket, "birds.csv").await;
    let set = LabelSet::seed(["World", "Sports", "Bird"], Origin::Edited, at);
    bucket.put(LABEL_SET_KEY, set.to_json()).await;
    bucket.assemble(&POLICY).await;
    let back = report(&bucket, "birds.csv").await;

    assert_eq!(retired["state"], "refused");
    let reason = retired["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("the label `Bird`, which is no longer in use"),
        "{reason}"
    );
    assert_eq!(
        (&back["state"], &back["repairs"][0]),
        (&"taken".into(), &ONLY_LABEL.into())
    );
}

#[tokio::test]
async fn a_report_that_cannot_be_read_blocks_no_build_and_is_written_anew() {
    let bucket = Bucket::new();
    bucket.put("initial/good.csv", initial(4)).await;
    bucket
        .put("initial/neutral.csv", "Neutral,so so\nNeutral,as ever\n")
        .await;
    bucket
        .put("initial-reports/neutral.csv.json", "{\"state\": 7")
        .await;

    bucket.assemble(&POLICY).await;

    assert_eq!(report(&bucket, "neutral.csv").await["state"], "taken");
}

#[tokio::test]
async fn a_build_changes_no_report_on_a_file_that_waits_or_that_came_in_its_place_meanwhile() {
    let bucket = Bucket::new();
    bucket.put("initial/good.csv", initial(4)).await;
    bucket
        .put("initial/one.csv", "Neutral,so so\nNeutral,as ever\n")
        .await;
    bucket.assemble(&POLICY).await;
    let etag = report(&bucket, "one.csv").await["etag"].clone();
    for (etag, state) in [(etag, "waiting"), ("of-the-new-one".into(), "refused")] {
        let told = serde_json::json!({
            "key": "initial/one.csv", "etag": etag, "state": state, "reason": "a reason",
            "at": "2999-01-01T00:00:00.000Z",
        });
        bucket.put("initial-reports/one.csv.json", told.to_string()).await;

        bucket.assemble(&POLICY).await;

        let kept = report(&bucket, "one.csv").await;
        assert_eq!(
            (kept["state"].as_str(), kept["reason"].as_str()),
            (Some(state), Some("a reason"))
        );
    }
}

async fn report(bucket: &Bucket, name: &str) -> serde_json::Value {
    let reports = bucket.objects("initial-reports/").await;
    serde_json::from_slice(reports[&format!("initial-reports/{name}.json")].as_ref()).expect("JSON")
}
