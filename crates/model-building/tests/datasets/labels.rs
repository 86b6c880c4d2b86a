//! Datasets by the label set: what old rows mean after it changed.

use active_learning_core::{
    dataset::Mode,
    feedback::{Signal, Source},
    labels::{
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        labelled::LabelledRecord,
        vote::{Vote, VoteSource},
    },
    sampling::review_budget::Queue,
};
use model_building::{
    assemble::AssemblePolicy,
    export::Format,
    proposals::proposals,
    relabel::{Doubt, rows},
};
use serde_json::json;

use crate::{
    bucket::{Answered, Bucket, POLICY, doubted, record, time, vote},
    export::exported,
};

const AT: &str = "2026-11-20T10:00:00.000Z";

fn set() -> LabelSet {
    LabelSet::seed(["World", "Sports", "Biz", "Business", "Old"], Origin::Edited, AT)
}

impl Bucket {
    pub async fn put_set(&self, set: &LabelSet) {
        self.put(LABEL_SET_KEY, set.to_json()).await;
    }
}

/// A text that is no near copy of any other.
fn text(number: usize) -> String {
    format!(
        "{} by {}",
        number * 7_919 + 10_007,
        number * number * 104_729 + 1_000_003
    )
}

#[tokio::test]
async fn old_rows_are_mapped_and_those_of_a_label_out_of_use_are_left_out_and_counted() {
    let bucket = Bucket::new();
    let mut set = set();
    set.rename("World", "World | news").expect("free");
    set.merge("Biz", "Business").expect("active");
    set.retire("Old").expect("active");
    bucket.put_set(&set).await;
    let file: String = (0..40)
        .map(|row| {
            format!(
                "{},{}\n",
                ["WORLD ", "biz", "Business", "old"][row % 4],
                text(row)
            )
        })
        .collect();
    bucket.put("initial/a.csv", file).await;
    let answers = [
        doubted("an answer for biz", "Biz"),
        doubted("an answer for old", "Old"),
    ];
    bucket.answer("loop-1", 0, &answers).await;

    let manifest = bucket.assemble(&POLICY).await;

    let mut classes = manifest.train.summary.classes.clone();
    for (class, rows) in &manifest.test.summary.classes {
        *classes.entry(class.clone()).or_default() += rows;
    }
    let classes: Vec<(String, u64)> = classes.into_iter().collect();
    assert_eq!(
        classes,
        [("Business".to_owned(), 21), ("World | news".to_owned(), 10)]
    );
    assert_eq!(manifest.left_out["retired-label"], 11);
}

#[tokio::test]
async fn a_split_asks_no_row_of_a_refused_file_nor_of_sample_data_beside_own_data() {
    let bucket = Bucket::new();
    let set = set();
    bucket.put_set(&set).await;
    let own = "Sports,first\nWorld,second\nSports,torn\nWorld,torn\nsports,third\nSports,answered\n";
    bucket.put("initial/own.csv", own).await;
    bucket
        .put("initial/own-2.csv", "World,third\nWorld,fourth\n")
        .await;
    bucket
        .put("initial/sample-news.csv", "Sports,of the sample\nWorld,more\n")
        .await;
    bucket
        .put("initial/bad.csv", "Sports,before the bad line\nSports\n")
        .await;
    bucket.answer("loop-1", 0, &[doubted("answered", "World")]).await;

    let rows = rows(&bucket.bucket(), Some(&set), &Doubt::Label("Sports")).await;

    // The last row of a text counts, as in datasets.
    assert_eq!(rows.expect("rows").initial, ["first", "third"]);
}

#[tokio::test]
async fn a_split_label_counts_no_more_until_its_texts_are_answered_again() {
    let bucket = Bucket::new();
    let mut set = set();
    bucket.put_set(&set).await;
    bucket
        .answer("loop-1", 0, &[doubted("one", "Sports"), doubted("two", "Sports")])
        .await;
    let before = rows(&bucket.bucket(), Some(&set), &Doubt::Label("Sports")).await;
    set.split("Sports", &["Ball games", "Racing"]).expect("parts");
    bucket.put_set(&set).await;
    let mut again = record("one", Signal::Relabel);
    again.received_at = time(5);
    let votes = vec![vote("ada", "Racing", 6)];
    let answered = LabelledRecord::new(again, votes, "loop-2", "arn:flow");
    bucket.label("loop-2", &[answered]).await;

    let (csv, summary) = exported(&bucket, Format::ComprehendCsv).await;

    assert_eq!(before.expect("rows").count(), 2);
    assert_eq!(String::from_utf8_lossy(&csv), "Racing,one\n");
    assert_eq!(summary.left_out["split-label"], 1);
}

#[tokio::test]
async fn a_split_of_one_of_two_labels_keeps_the_other_beside_what_is_answered_anew() {
    let bucket = Bucket::new();
    let mut set = set().with_several_labels(true);
    let before = ["one", "two"].map(|text| {
        let votes = ["ada", "bob"].map(|worker| vote(worker, "Sports|World", 1));
        let votes = votes.to_vec();
        LabelledRecord::new(record(text, Signal::Dislike), votes, "loop-1", "arn:flow")
    });
    bucket.label("loop-1", &before).await;
    set.split("Sports", &["Ball games", "Racing"]).expect("parts");
    bucket.put_set(&set).await;
    let mut again = record("one", Signal::Relabel);
    again.received_at = time(5);
    let votes = vec![vote("cy", "Racing", 6)];
    let answered = LabelledRecord::new(again, votes, "loop-2", "arn:flow");
    bucket.label("loop-2", &[answered]).await;

    let (csv, summary) = exported(&bucket, Format::ComprehendCsv).await;

    assert_eq!(String::from_utf8_lossy(&csv), "Racing|World,one\n");
    assert_eq!(summary.left_out["split-label"], 1);
}

#[tokio::test]
async fn a_split_label_that_is_a_label_again_has_its_answers_beside_those_that_were_given_meanwhile() {
    let bucket = Bucket::new();
    let mut set = set();
    bucket
        .answer("loop-1", 0, &[doubted("one", "Sports"), doubted("two", "Sports")])
        .await;
    set.split("Sports", &["Ball games", "Racing"]).expect("parts");
    let mut again = record("one", Signal::Relabel);
    again.received_at = time(5);
    let votes = vec![vote("another", "Racing", 6)];
    let answered = LabelledRecord::new(again, votes, "loop-2", "arn:flow");
    bucket.label("loop-2", &[answered]).await;
    set.add("Sports", "").expect("it was split");
    bucket.put_set(&set).await;

    let (csv, summary) = exported(&bucket, Format::ComprehendCsv).await;

    assert_eq!(String::from_utf8_lossy(&csv), "Sports,two\n");
    assert_eq!(summary.left_out["tie"], 1, "two reviewers contradict");
}

#[tokio::test]
async fn answers_by_a_label_that_was_merged_while_its_page_was_open_come_back_with_it() {
    let bucket = Bucket::new();
    let mut set = set();
    set.merge("Biz", "Business").expect("labels");
    let asked = record("one", Signal::LowConfidence);
    let kept = set.as_answered(&asked, vote("ada", "biz", 1));
    let answered = LabelledRecord::new(asked, vec![kept], "loop-1", "arn:flow");
    bucket.label("loop-1", &[answered]).await;
    bucket.put_set(&set).await;
    let merged = exported(&bucket, Format::ComprehendCsv).await.0;
    set.add("Biz", "").expect("it was merged");
    bucket.put_set(&set).await;

    let back = exported(&bucket, Format::ComprehendCsv).await.0;

    assert_eq!(String::from_utf8_lossy(&merged), "Business,one\n");
    assert_eq!(String::from_utf8_lossy(&back), "Biz,one\n");
}

#[tokio::test]
async fn a_label_out_of_use_brings_back_no_answer_that_was_corrected_or_outvoted() {
    let bucket = Bucket::new();
    let mut set = set();
    bucket.put_set(&set).await;
    let answered = |text: &str, name: &str, votes: Vec<Vote>| {
        LabelledRecord::new(record(text, Signal::LowConfidence), votes, name, "arn:flow")
    };
    // Corrected, outvoted, outvoted by more than "none fits", and decided by an adjudicator.
    let corrected = vec![vote("ada", "World", 1), vote("ada", "Sports", 2)];
    let outvoted = vec![
        vote("ada", "World", 1),
        vote("bob", "Sports", 1),
        vote("cleo", "Sports", 2),
    ];
    let none_fits = vec![
        vote("ada", "-", 1),
        vote("bob", "Sports", 1),
        vote("cleo", "Sports", 2),
    ];
    let adjudicated = vec![
        vote("ada", "World", 1),
        vote("bob", "Business", 1),
        Vote {
            source: VoteSource::Adjudicator,
            ..vote("eve", "Sports", 3)
        },
    ];
    for (text, votes) in [
        ("one", corrected),
        ("two", outvoted),
        ("three", none_fits),
        ("four", adjudicated),
    ] {
        bucket.label(text, &[answered(text, text, votes)]).await;
    }

    let (before, _) = exported(&bucket, Format::ComprehendCsv).await;
    set.retire("Sports").expect("active");
    bucket.put_set(&set).await;
    let (retired, retired_summary) = exported(&bucket, Format::ComprehendCsv).await;
    set.add("Sports", "").expect("retired");
    set.split("Sports", &["Ball games", "Racing"]).expect("parts");
    bucket.put_set(&set).await;
    let (split, split_summary) = exported(&bucket, Format::ComprehendCsv).await;

    assert_eq!(String::from_utf8_lossy(&before).matches("Sports,").count(), 4);
    assert_eq!(String::from_utf8_lossy(&retired), "");
    assert_eq!(retired_summary.left_out["retired-label"], 4);
    assert_eq!(String::from_utf8_lossy(&split), "");
    assert_eq!(split_summary.left_out["split-label"], 4);
}

#[tokio::test]
async fn whose_last_word_is_a_label_out_of_use_does_not_vote_for_what_they_said_before() {
    let from = |source, worker: &str, label: &str, minute| Vote {
        source,
        ..vote(worker, label, minute)
    };
    let of_user = |label, minute| from(VoteSource::Feedback, "user:ada", label, minute);
    let of_file = |label, minute| from(VoteSource::Import, "csv:ann", label, minute);
    let torn = [vote("ann", "World", 1), vote("bob", "Business", 1)];
    let user = [&torn[..], &[of_user("World", 2), of_user("Sports", 3)]].concat();
    let file = vec![of_file("World", 2), of_file("Sports", 3)];
    for change in ["retire", "split"] {
        let bucket = Bucket::new();
        let mut set = set();
        for (text, votes) in [("torn", &user), ("of a file", &file)] {
            let (first, last) = votes.split_at(votes.len() - 1);
            for (name, votes) in [("1", first), ("2", last)] {
                let name = format!("{text}-{name}");
                let record = record(text, Signal::LowConfidence);
                let labelled = LabelledRecord::new(record, votes.to_vec(), &name, "arn:flow");
                bucket.label(&name, &[labelled]).await;
            }
        }
        bucket.put_set(&set).await;
        let before = exported(&bucket, Format::ComprehendCsv).await.0;
        match change {
            "retire" => set.retire("Sports").expect("active"),
            _ => set.split("Sports", &["Ball games", "Racing"]).expect("parts"),
        }
        bucket.put_set(&set).await;

        let (csv, summary) = exported(&bucket, Format::ComprehendCsv).await;

        assert_eq!(String::from_utf8_lossy(&before), "Sports,of a file\n");
        assert_eq!(String::from_utf8_lossy(&csv), "", "{change}");
        assert_eq!(summary.left_out["tie"], 1, "{change}");
        let reason = if change == "retire" {
            "retired-label"
        } else {
            "split-label"
        };
        assert_eq!(summary.left_out[reason], 1, "{change}");
    }
}

#[tokio::test]
async fn an_answer_that_no_label_fits_gives_way_to_the_one_that_somebody_else_gives_to_the_new_label() {
    let bucket = Bucket::new();
    bucket.put_set(&set()).await;
    bucket.answer("loop-1", 0, &[doubted("one", "-")]).await;
    let mut again = record("one", Signal::Relabel);
    again.received_at = time(5);
    let votes = vec![vote("bob", "World", 6)];
    let answered = LabelledRecord::new(again, votes, "loop-2", "arn:flow");
    bucket.label("loop-2", &[answered]).await;

    let (csv, _) = exported(&bucket, Format::ComprehendCsv).await;

    assert_eq!(String::from_utf8_lossy(&csv), "World,one\n");
}

#[tokio::test]
async fn a_proposed_label_is_no_class_until_somebody_accepts_it() {
    let bucket = Bucket::new();
    let mut set = set();
    bucket.put_set(&set).await;
    let answers = [
        doubted("one", "+Weather"),
        doubted("two", "+ weather"),
        doubted("three", "+Wether"),
    ];
    bucket.answer("loop-1", 0, &answers).await;
    let (before, _) = exported(&bucket, Format::ComprehendCsv).await;
    set.refuse("wether").expect("no label");
    let proposed = proposals(&bucket.bucket(), &bucket.feedback(), &set)
        .await
        .expect("proposals");
    set.add("Weather", "").expect("free");
    bucket.put_set(&set).await;

    let (after, summary) = exported(&bucket, Format::ComprehendCsv).await;

    assert!(before.is_empty());
    assert_eq!((proposed.len(), proposed[0].votes), (1, 2));
    assert_eq!(String::from_utf8_lossy(&after).matches("Weather,").count(), 2);
    assert_eq!(summary.left_out["new-label"], 1);
}

#[tokio::test]
async fn of_several_labels_of_a_text_the_new_one_is_proposed_and_the_others_are_its_labels_once_it_is_accepted()
 {
    let bucket = Bucket::new();
    let mut set = set();
    bucket.put_set(&set).await;
    // As the version before kept them.
    let answers = [
        doubted("one", "+Fog|Sports"),
        doubted("two", "+Sports|Fog"),
        doubted("three", "+Rain|Snow"),
        doubted("four", "World"),
    ];
    bucket.answer("loop-1", 0, &answers).await;
    let listed = async |set: &LabelSet| {
        let listed = proposals(&bucket.bucket(), &bucket.feedback(), set).await;
        let listed = listed.expect("proposals").into_iter();
        listed
            .map(|one| (one.name, one.votes))
            .collect::<Vec<(String, u64)>>()
    };

    let of_several = listed(&set).await;
    let of_one = listed(&set.clone().with_several_labels(false)).await;
    set.add("Fog", "").expect("no label is written so");
    let rows = rows(&bucket.bucket(), Some(&set), &Doubt::Label("Fog")).await;
    let refused = set.add("Rain|Sports", "");
    bucket.put_set(&set).await;
    let several = AssemblePolicy {
        several_labels: true,
        ..NOTHING_HELD_OUT
    };
    let manifest = bucket.assemble(&several).await;

    let named = |names: &[(&str, u64)]| -> Vec<(String, u64)> {
        names
            .iter()
            .map(|(name, votes)| ((*name).to_owned(), *votes))
            .collect()
    };
    assert_eq!(of_several, named(&[("Fog", 2), ("Rain", 1), ("Snow", 1)]));
    assert_eq!(
        of_one,
        named(&[("Fog|Sports", 1), ("Rain|Snow", 1), ("Sports|Fog", 1)])
    );
    assert_eq!(rows.expect("rows").count(), 2);
    assert!(refused.is_err(), "`Sports` is a label");
    let labels = bucket.labels(&manifest).await;
    let both = labels.values().filter(|labels| *labels == "Fog|Sports");
    assert_eq!(both.count(), 2, "{labels:?}");
}

#[tokio::test]
async fn a_training_file_with_several_labels_a_text_lets_people_give_several_too() {
    let bucket = Bucket::new();
    bucket.put_set(&set()).await;
    let file: String = (0..20)
        .map(|row| format!("{},{}\n", ["World", "World|Sports"][row % 2], text(row)))
        .collect();
    bucket.put("initial/a.csv", file).await;
    bucket
        .answer(
            "loop-1",
            0,
            &[doubted(&text(30), "Biz|World"), doubted(&text(31), "+Sports|Biz")],
        )
        .await;

    let manifest = bucket.assemble(&NOTHING_HELD_OUT).await;

    assert_eq!(manifest.mode, Mode::MultiLabel);
    let set = LabelSet::parse(&bucket.get(LABEL_SET_KEY).await).expect("a set");
    assert!(set.with_several_labels(false).has_several_labels());
    let labels = bucket.labels(&manifest).await;
    let of_people = labels.values().filter(|labels| labels.contains("Biz"));
    assert_eq!(of_people.count(), 2, "{labels:?}");
}

#[tokio::test]
async fn a_name_that_is_proposed_again_after_it_was_refused_is_listed_with_the_votes_since() {
    let bucket = Bucket::new();
    let mut set = set();
    let answers = [
        doubted("one", "+Weather"),
        doubted("two", "+Weather"),
        doubted("three", "+Fog"),
    ];
    bucket.answer("loop-1", 0, &answers).await;
    for name in ["Weather", "Fog"] {
        set.refuse(name).expect("no label");
    }
    set.edited(&time(5));
    bucket.put_set(&set).await;
    let listed = async || {
        let listed = proposals(&bucket.bucket(), &bucket.feedback(), &set).await;
        listed.expect("proposals")
    };
    let refused = listed().await;

    bucket.answer("loop-2", 6, &[doubted("one", "+weather")]).await;

    let again = listed().await;
    assert_eq!(refused, []);
    assert_eq!((again.len(), again[0].name.as_str()), (1, "weather"));
    assert_eq!((again[0].votes, again[0].refused_before), (1, true));
}

#[tokio::test]
async fn a_proposal_that_its_author_replaced_is_listed_no_more() {
    let bucket = Bucket::new();
    let first = LabelledRecord::new(
        record("one", Signal::LowConfidence),
        vec![vote("ann", "+Weather", 1)],
        "loop-1",
        "arn:flow",
    );
    let corrected = LabelledRecord::new(
        record("one", Signal::LowConfidence),
        vec![vote("ann", "World", 2)],
        "loop-1-corrected-1",
        "arn:flow",
    );
    bucket.label("loop-1", &[first]).await;
    let before = proposals(&bucket.bucket(), &bucket.feedback(), &set()).await;
    bucket.label("loop-1-corrected-1", &[corrected]).await;

    let after = proposals(&bucket.bucket(), &bucket.feedback(), &set()).await;

    assert_eq!(before.expect("read").len(), 1);
    assert_eq!(after.expect("read"), []);
}

#[tokio::test]
async fn what_a_user_proposes_is_listed_while_its_text_waits_or_is_asked_and_counted_once_when_it_is_answered()
 {
    let bucket = Bucket::new();
    let set = set();
    bucket.put_set(&set).await;
    let said = |text: &str, label: &str, user: &str| {
        let mut record = record(text, Signal::Dislike);
        record.source = Source::ExplicitApi;
        record.suggested_label = Some(label.to_owned());
        record.user = Some(user.to_owned());
        record
    };
    let asked = said("one", "Weather", "ada");
    let waiting = said("two", " Weather", "bob");
    let known = said("three", "Sports", "cy");
    let input = json!({
        "comprehendPredictions": [asked, known], "labels": ["World"], "rowCount": 2, "bucketName": "b", "keyName": "k",
    });
    bucket
        .put_feedback("asked/review-1.json", input.to_string())
        .await;
    bucket
        .put_feedback(&Queue::Ranked.key(&waiting), waiting.to_line())
        .await;
    bucket.put_feedback("asked/review-2.json", "{}".to_owned()).await;
    let proposed = async || {
        let proposed = proposals(&bucket.bucket(), &bucket.feedback(), &set).await;
        let proposed = proposed.expect("read").into_iter();
        proposed.map(|one| (one.name, one.votes)).collect::<Vec<_>>()
    };

    let before = proposed().await;
    let answered = LabelledRecord::new(asked, vec![vote("ann", "World", 3)], "review-1", "arn:flow");
    bucket.label("review-1", &[answered]).await;
    let after = proposed().await;

    assert_eq!(before, [("Weather".to_owned(), 2)]);
    assert_eq!(after, before, "the user's vote counts once");
}

/// So that one row of a class is enough.
const NOTHING_HELD_OUT: AssemblePolicy = AssemblePolicy {
    test_share: 0.0,
    ..POLICY
};

#[tokio::test]
async fn texts_that_differ_in_a_sign_only_are_rows_of_their_own_each_with_its_label() {
    let bucket = Bucket::new();
    bucket.put_set(&set()).await;
    let pairs = [
        (" \u{1f44d}", "World"),
        (" \u{1f44e}", "Sports"),
        ("?", "Business"),
    ];
    let texts: Vec<(String, &str)> = (0..20)
        .flat_map(|number| pairs.map(|(sign, label)| (text(number) + sign, label)))
        .collect();
    let answers: Vec<Answered> = texts.iter().map(|(text, label)| doubted(text, label)).collect();
    bucket.answer("loop-1", 0, &answers).await;

    let manifest = bucket.assemble(&NOTHING_HELD_OUT).await;

    let labels = bucket.labels(&manifest).await;
    assert_eq!(labels.len(), 60, "{manifest:?}");
    for (text, label) in &texts {
        assert_eq!(labels[text], *label, "{text}");
    }
}

fn imported(text: &str, label: &str, minute: usize) -> LabelledRecord {
    let vote = Vote {
        worker: "import".to_owned(),
        source: VoteSource::Import,
        ..vote("import", label, minute)
    };
    let mut record = record(text, Signal::Dislike);
    (record.prediction, record.confidence, record.source) = (None, None, Source::ExplicitBatch);
    LabelledRecord::new(record, vec![vote], "import-1", "")
}

#[tokio::test]
async fn imported_labels_have_their_own_source_and_are_held_out_as_initial_rows_are() {
    let bucket = Bucket::new();
    bucket.put_set(&set()).await;
    let labels = ["World", "Sports"];
    let imports: Vec<LabelledRecord> = (0..60)
        .map(|row| imported(&text(row), labels[row % 2], row))
        .collect();
    bucket.label("import-1", &imports).await;
    bucket.answer("loop-1", 90, &[doubted(&text(100), "World")]).await;
    bucket.answer("loop-2", 91, &[doubted(&text(0), "Sports")]).await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(
        manifest.sources,
        [("human-review".into(), 1), ("import".into(), 59)].into(),
        "where people here answer too, and do not agree, nothing counts"
    );
    assert!((4..25).contains(&manifest.test.summary.rows), "{manifest:?}");
}

#[tokio::test]
async fn imported_proposals_and_split_labels_wait_and_bind_no_reviewer() {
    let bucket = Bucket::new();
    let mut set = set();
    set.split("Sports", &["Racing", "Tennis"]).expect("parts");
    bucket.put_set(&set).await;
    let rows = [
        ("+Weather", 0),
        ("+Weather", 1),
        ("+Sports", 2),
        ("World", 3),
        ("+Sports", 4),
    ];
    let imports: Vec<LabelledRecord> = rows
        .iter()
        .map(|(label, row)| imported(&text(*row), label, *row))
        .collect();
    bucket.label("import-1", &imports).await;
    bucket
        .answer(
            "loop-1",
            90,
            &[doubted(&text(1), "Business"), doubted(&text(4), "Racing")],
        )
        .await;

    let before = bucket.assemble(&NOTHING_HELD_OUT).await;
    let proposed = proposals(&bucket.bucket(), &bucket.feedback(), &set)
        .await
        .expect("read");
    set.add("Weather", "").expect("free");
    bucket.put_set(&set).await;
    let after = bucket.assemble(&NOTHING_HELD_OUT).await;

    let labels = bucket.labels(&before).await;
    assert_eq!(labels[&text(1)], "Business", "the reviewer's word counts");
    assert_eq!(labels[&text(4)], "Racing");
    assert_eq!(labels.len(), 3, "{labels:?}");
    assert_eq!(
        (before.left_out["new-label"], before.left_out["split-label"]),
        (1, 1)
    );
    assert_eq!(
        proposed
            .iter()
            .map(|it| (it.name.as_str(), it.votes))
            .collect::<Vec<_>>(),
        [("Weather", 2)]
    );
    let labels = bucket.labels(&after).await;
    assert_eq!(labels[&text(0)], "Weather", "accepted, it trains");
    assert_eq!(
        labels[&text(1)],
        "Business",
        "the reviewer's word counts all the same"
    );
}

#[tokio::test]
async fn nothing_that_anybody_says_makes_a_single_label_stack_one_of_several() {
    let bucket = Bucket::new();
    bucket.put_set(&set()).await;
    let may_be_several = AssemblePolicy {
        several_labels: true,
        ..NOTHING_HELD_OUT
    };
    let mut both = imported(&text(1), "World|Sports", 1);
    both.votes[0].source = VoteSource::Import;
    bucket.label("import-1", &[both]).await;
    bucket
        .answer(
            "loop-1",
            5,
            &[
                doubted(&text(2), "World"),
                doubted(&text(3), "Sports"),
                doubted(&text(4), "World|Sports"),
                doubted(&text(5), "+World|Biz"),
            ],
        )
        .await;

    let one = bucket.assemble(&NOTHING_HELD_OUT).await;
    let several = bucket.assemble(&may_be_several).await;

    assert_eq!(one.mode, Mode::MultiClass);
    assert_eq!(bucket.labels(&one).await.len(), 2);
    assert_eq!(one.left_out["new-label"], 3);
    assert_eq!(several.mode, Mode::MultiLabel);
}

#[tokio::test]
async fn a_text_whose_file_names_a_split_label_most_often_is_left_out_until_it_is_answered_anew() {
    let bucket = Bucket::new();
    let mut set = set();
    let of_file = |worker: &str, label: &str| Vote {
        source: VoteSource::Import,
        ..vote(worker, label, 1)
    };
    let votes = vec![
        of_file("csv:ann", "Sports"),
        of_file("csv:bob", "Sports"),
        of_file("csv:cy", "World"),
    ];
    let labelled = LabelledRecord::new(record("torn", Signal::Dislike), votes, "import-1", "");
    bucket.label("import-1", &[labelled]).await;
    bucket.put_set(&set).await;
    let before = exported(&bucket, Format::ComprehendCsv).await.0;

    set.split("Sports", &["Ball games", "Racing"]).expect("parts");
    bucket.put_set(&set).await;
    let (meanwhile, summary) = exported(&bucket, Format::ComprehendCsv).await;
    let mut again = record("torn", Signal::Relabel);
    again.received_at = time(5);
    let votes = vec![vote("eve", "Racing", 6), vote("dan", "Racing", 7)];
    let answered = LabelledRecord::new(again, votes, "loop-2", "arn:flow");
    bucket.label("loop-2", &[answered]).await;
    let anew = exported(&bucket, Format::ComprehendCsv).await.0;

    let text = |csv: &[u8]| String::from_utf8_lossy(csv).into_owned();
    assert_eq!(text(&before), "Sports,torn\n");
    assert_eq!(text(&meanwhile), "", "not the other row");
    assert_eq!(summary.left_out["split-label"], 1);
    assert_eq!(text(&anew), "Racing,torn\n");
}
