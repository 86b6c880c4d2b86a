//! How well copies are found: texts with edits, and texts that have nothing to do with one another.
//!
//! With the news data at hand (`NEWS_DATA`, or `../shared/data` beside the workspace) the same is measured on it:
//! `cargo test --workspace --test copies -- --nocapture` prints the numbers.

mod edits;
mod skipped;

use std::{collections::HashMap, path::PathBuf};

use active_learning_core::{
    dataset::{Mode, read_csv},
    feedback::{ClassScore, FeedbackRecord, FeedbackRequest, Source},
    sampling::duplicates::{RecentTexts, same_form},
};
use edits::{CHANGES, CONTRASTS, Edit, FORM, before::were_copies};

const INVENTED: &str = include_str!("../../cli/data/news.csv");

fn record(text: &str) -> FeedbackRecord {
    let request = FeedbackRequest {
        classifier: "news".into(),
        sentence: text.into(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00Z");
    // As if no edit moved the model: what keeps texts apart here are the words alone.
    FeedbackRecord {
        prediction: Some("World".into()),
        classes: vec![ClassScore {
            name: "World".into(),
            score: 0.9,
        }],
        ..record.expect("short enough")
    }
}

/// Reads the texts of a CSV file.
fn read(csv: &[u8]) -> Vec<FeedbackRecord> {
    let rows = read_csv(csv, Mode::MultiClass).map(|row| row.expect("a good file"));
    rows.map(|row| record(&row.text)).collect()
}

/// What was found of edited texts.
#[derive(Debug, Default)]
struct Found {
    /// Copies of what they were made of.
    right: usize,
    /// Copies of something else.
    wrong: usize,
    /// Copies by the rule of before.
    before: usize,
    all: usize,
}

impl Found {
    /// Edits one in `step` of the texts.
    fn of(edit: Edit, texts: &[FeedbackRecord], recent: &RecentTexts, step: usize) -> Self {
        let mut found = Self {
            all: texts.len().div_ceil(step),
            ..Self::default()
        };
        for (number, original) in texts.iter().enumerate().step_by(step) {
            let other = &texts[(number + 1) % texts.len()].utterance;
            let copy = record(&edit(&original.utterance, other, number));
            let id = recent.original(&copy);
            let right = same_form(&copy) == same_form(original) || id == Some(original.id.as_str());
            found.right += usize::from(right);
            found.wrong += usize::from(!right && id.is_some());
            found.before += usize::from(were_copies(&copy.utterance, &original.utterance));
        }
        found
    }

    fn recall(&self) -> f64 {
        self.right as f64 / self.all as f64
    }

    /// Edited texts that are taken for what they were made of, or for something else.
    fn merged(&self) -> usize {
        self.right + self.wrong
    }

    fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }

    fn print(&self, name: &str) {
        let (recall, precision) = (self.recall(), self.precision());
        println!(
            "{name}: recall {recall:.4}, before {:.4}, precision {precision:.4} of {}",
            self.before as f64 / self.all as f64,
            self.all
        );
    }
}

fn all_recent(texts: &[FeedbackRecord]) -> RecentTexts {
    let mut recent = RecentTexts::default();
    for text in texts {
        recent.insert(text);
    }
    recent
}

/// What a stream of texts would be asked.
#[derive(Default)]
struct Stream<'a> {
    asked: Vec<&'a FeedbackRecord>,
    copies_of_form: usize,
    by_small_change: Vec<(&'a FeedbackRecord, &'a FeedbackRecord)>,
}

impl<'a> Stream<'a> {
    fn of(texts: &'a [FeedbackRecord]) -> Self {
        let mut stream = Self::default();
        let (mut forms, mut by_id) = (HashMap::new(), HashMap::new());
        let mut recent = RecentTexts::default();
        for text in texts {
            if forms.insert(same_form(text), ()).is_some() {
                stream.copies_of_form += 1;
            } else if let Some(original) = recent.original(text) {
                stream.by_small_change.push((by_id[original], text));
            } else {
                recent.insert(text);
                by_id.insert(text.id.clone(), text);
                stream.asked.push(text);
            }
        }
        stream
    }
}

#[test]
fn edited_texts_are_found_and_distinct_texts_are_not_merged() {
    let mut texts = read(INVENTED.as_bytes());
    assert_eq!(
        Stream::of(&texts).asked.len(),
        texts.len(),
        "each is about something else"
    );
    texts.retain(|text| text.utterance.split(' ').count() >= 16);
    let recent = all_recent(&texts);

    for (name, edit) in FORM {
        assert_eq!(Found::of(edit, &texts, &recent, 1).recall(), 1.0, "{name}");
    }
    for (name, edit) in CHANGES {
        let found = Found::of(edit, &texts, &recent, 1);
        found.print(name);
        assert!(
            found.recall() >= 0.9 && found.wrong == 0 && found.all > 100,
            "{name}: {found:?}"
        );
    }
    for (name, edit) in CONTRASTS {
        assert_eq!(Found::of(edit, &texts, &recent, 1).merged(), 0, "{name}");
    }
}

/// Pairs of texts in many scripts, `same` or `other`, one a line with tabs between.
const PAIRS: &str = include_str!("contrast-pairs.tsv");

#[test]
fn contrast_pairs_in_many_scripts_are_kept_apart_and_true_copies_are_one() {
    let (mut same, mut found, mut other) = (0, 0, 0);
    for line in PAIRS.lines().filter(|line| !line.starts_with('#')) {
        let [kind, a, b] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three columns: {line}");
        };
        let (a, b) = (record(a), record(b));
        let mut recent = RecentTexts::default();
        recent.insert(&a);
        let merged = same_form(&a) == same_form(&b) || recent.original(&b).is_some();
        match kind {
            "same" => {
                same += 1;
                found += usize::from(merged);
                assert!(merged, "one question: {line}");
            }
            _ => {
                other += 1;
                assert!(!merged, "two questions: {line}");
            }
        }
    }
    println!("contrast pairs: {other}, none merged; true copies: {found} of {same} found");
    assert!(other >= 350 && same >= 200, "{other} {same}");
}

#[test]
fn news_are_measured_where_they_are_at_hand() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("NEWS_DATA").map_or(PathBuf::from(beside), PathBuf::from);
    let Ok(csv) = std::fs::read(folder.join("ag_news_train.csv")) else {
        skipped::skipped(format!("no news data in {}", folder.display()));
        return;
    };
    let texts = read(&csv);

    let stream = Stream::of(&texts);
    println!("rows {}, copies of form {}", texts.len(), stream.copies_of_form);
    println!("copies by a small change {}:", stream.by_small_change.len());
    for (original, copy) in &stream.by_small_change {
        println!("  {}\n  {}\n", original.utterance, copy.utterance);
    }
    assert!(stream.asked.len() > texts.len() * 98 / 100);
    let distinct: Vec<FeedbackRecord> = stream.asked.into_iter().cloned().collect();
    let recent = all_recent(&distinct);
    for (name, edit) in FORM.into_iter().chain(CHANGES) {
        let found = Found::of(edit, &distinct, &recent, 4);
        found.print(name);
        // A hundredth goes to what takes a text back, and to texts of no sure language.
        assert!(
            100 * found.right >= 99 * found.before && found.wrong == 0,
            "{name}: {found:?}"
        );
    }
    for (name, edit) in CONTRASTS {
        let found = Found::of(edit, &distinct, &recent, 4);
        println!(
            "{name}: {} of {} merged, before {}",
            found.merged(),
            found.all,
            found.before
        );
        assert_eq!(found.merged(), 0, "{name}: {found:?}");
    }
}
