//! How well near duplicates are told by the scores of a real model, which has not seen the texts.
//!
//! With news data at hand: `NEWS_DATA=FOLDER cargo test --workspace --test copies -- --nocapture`.

#[path = "../../core/tests/edits/mod.rs"]
mod edits;
#[path = "../../core/tests/skipped/mod.rs"]
mod skipped;

use std::path::PathBuf;

use active_learning_core::{
    feedback::{ClassScore, FeedbackRecord, FeedbackRequest, Source},
    sampling::duplicates::{RecentTexts, same_form},
};
use edits::{CHANGES, CONTRASTS, Edit, FORM, before::were_copies};
use text_model::{Model, TrainingSet, train};

const SEED: u64 = 1;

/// Every so manieth text is edited; the model learns from the others.
const HELD_OUT: usize = 4;

/// Makes the record of a text as the model sees it.
fn record(model: &Model, text: &str) -> FeedbackRecord {
    let request = FeedbackRequest {
        classifier: "news".into(),
        sentence: text.into(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00Z");
    let predictions = model.predict(text);
    FeedbackRecord {
        prediction: predictions.first().map(|best| best.label.to_owned()),
        classes: predictions
            .into_iter()
            .map(|class| ClassScore {
                name: class.label.to_owned(),
                score: class.score,
            })
            .collect(),
        ..record.expect("short enough")
    }
}

/// What became of edited texts.
#[derive(Debug, Default)]
struct Measured {
    all: usize,
    /// One question with what they were made of.
    right: usize,
    /// One question with something else.
    wrong: usize,
    /// One question with what they were made of by the rule of before, which asked for the same class too.
    before: usize,
}

fn measure(edit: Edit, model: &Model, texts: &[FeedbackRecord], recent: &RecentTexts) -> Measured {
    let mut measured = Measured {
        all: texts.len(),
        ..Measured::default()
    };
    for (number, original) in texts.iter().enumerate() {
        let other = &texts[(number + 1) % texts.len()].utterance;
        let copy = record(model, &edit(&original.utterance, other, number));
        let id = recent.original(&copy);
        let right = same_form(&copy) == same_form(original) || id == Some(original.id.as_str());
        let was_copy = were_copies(&copy.utterance, &original.utterance);
        measured.right += usize::from(right);
        measured.wrong += usize::from(!right && id.is_some());
        measured.before += usize::from(was_copy && copy.prediction == original.prediction);
    }
    measured
}

/// Pairs of texts in many scripts, `same` or `other`, one a line with tabs between.
const PAIRS: &str = include_str!("../../core/tests/contrast-pairs.tsv");

/// Returns how many pairs of a kind are one question, and how many there are.
fn merged(kind: &str, model: &Model) -> (usize, usize) {
    let pairs: Vec<Vec<&str>> = PAIRS
        .lines()
        .filter(|line| line.starts_with(kind))
        .map(|line| line.split('\t').collect())
        .collect();
    let are_one = |pair: &&Vec<&str>| {
        let (a, b) = (record(model, pair[1]), record(model, pair[2]));
        let mut recent = RecentTexts::default();
        recent.insert(&a);
        same_form(&a) == same_form(&b) || recent.original(&b).is_some()
    };
    (pairs.iter().filter(are_one).count(), pairs.len())
}

#[test]
fn near_duplicates_of_news_are_measured_with_the_scores_of_a_model_that_has_not_seen_them() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("NEWS_DATA").map_or(PathBuf::from(beside), PathBuf::from);
    let Ok(file) = std::fs::read(folder.join("ag_news_train.csv")) else {
        skipped::skipped(format!("no news data in {}", folder.display()));
        return;
    };
    let rows: Vec<(String, String)> = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(&file[..])
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("two columns");
    let (held_out, kept): (Vec<_>, Vec<_>) =
        rows.iter().enumerate().partition(|(row, _)| row % HELD_OUT == 0);
    let mut csv = csv::Writer::from_writer(Vec::new());
    for (_, row) in kept {
        csv.serialize(row).expect("memory");
    }
    let set = TrainingSet::read_csv(&csv.into_inner().expect("memory")[..]).expect("good file");
    let model = train(&set, SEED).model;
    let texts: Vec<FeedbackRecord> = held_out
        .iter()
        .map(|(_, (_, text))| record(&model, text))
        .collect();
    let mut recent = RecentTexts::default();
    for text in &texts {
        recent.insert(text);
    }

    println!("edit | one question | with something else | one question before | of");
    for (name, edit) in FORM.into_iter().chain(CHANGES) {
        let found = measure(edit, &model, &texts, &recent);
        print(name, &found);
        assert!(
            found.wrong == 0 && found.right >= found.before,
            "{name}: {found:?}"
        );
    }
    for (name, edit) in CONTRASTS {
        let found = measure(edit, &model, &texts, &recent);
        print(name, &found);
        // Where two words differ in form only.
        assert!((found.right + found.wrong) * 500 < found.all, "{name}: {found:?}");
    }
    let (copies, contrasts) = (merged("same", &model), merged("other", &model));
    println!("pairs in many scripts: true copies {copies:?}, contrasts {contrasts:?} are one question");
    assert_eq!(contrasts.0, 0);
}

fn print(name: &str, found: &Measured) {
    let Measured {
        all,
        right,
        wrong,
        before,
    } = found;
    println!("{name} | {right} | {wrong} | {before} | {all}");
}
