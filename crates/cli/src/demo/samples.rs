//! What the demo plays: the texts of the first model, the traffic, and an exam that is in neither.

use std::{io, path::Path};

use active_learning_core::{
    dataset::{CsvWriter, Findings, Row},
    feedback::prediction::{join_labels, split_labels},
    model::evaluation::LabelNames,
};
use text_model::{LabelledTexts, TrainingDataError};

use crate::labelled_texts::tell_repairs;

/// Sample news, `label,text`: the first rows train the first model, the others are traffic.
const NEWS: &str = include_str!("../../data/news.csv");
/// Rows of [`NEWS`] that the first model learns from.
const INITIAL_ROWS: usize = 100;
/// Texts about which it is easy to be wrong, `label,text`.
const TRICKY: &str = include_str!("../../data/traffic.csv");
/// Of the user's traffic, one row in so many is kept for the exam.
const EXAM_EVERY: usize = 10;

/// A text with the label that the scripted reviewer gives it.
pub(super) type Labelled = (String, String);

/// What is played.
pub(super) struct Samples {
    /// What the first model learns from where there is none yet, Comprehend CSV.
    pub(super) initial: Vec<u8>,
    /// What clients ask about.
    pub(super) traffic: Vec<Labelled>,
    /// Whether feedback and files of samples are played too: their labels are those of the shipped traffic.
    pub(super) has_feedback: bool,
    /// What every new model is examined on; empty without a file of traffic.
    pub(super) exam: Vec<Labelled>,
}

/// Why a file of traffic cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// It cannot be read.
    #[error("the traffic cannot be read")]
    File(#[source] io::Error),
    /// A row cannot be used.
    #[error("the traffic must be Comprehend CSV (label,text): {0}")]
    Row(#[from] TrainingDataError),
    /// There is nothing to play.
    #[error("the traffic has no rows")]
    Empty,
}

impl Samples {
    /// Takes the shipped samples.
    pub(super) fn shipped() -> Result<Self, TrafficError> {
        let mut news = LabelledTexts::to_ask(NEWS.as_bytes())?.rows;
        let traffic = news.split_off(INITIAL_ROWS);
        let mut initial = CsvWriter::escaped(Vec::new());
        for row in &news {
            initial.write(row).expect("memory takes everything");
        }
        let tricky = LabelledTexts::to_ask(TRICKY.as_bytes())?.rows;
        Ok(Self {
            initial: initial.finish().expect("memory takes everything").0,
            traffic: traffic.into_iter().chain(tricky).map(labelled).collect(),
            has_feedback: true,
            exam: Vec::new(),
        })
    }

    /// Takes a file of traffic, as training reads it, and tells what is read otherwise than it is written.
    pub(super) fn of_file(path: &Path) -> Result<Self, TrafficError> {
        let file = std::fs::read(path).map_err(TrafficError::File)?;
        let all = LabelledTexts::to_ask(&file[..])?;
        tell_repairs(path, &all.repairs);
        if all.rows.is_empty() {
            return Err(TrafficError::Empty);
        }
        let (exam, traffic): (Vec<_>, Vec<_>) = (1..)
            .zip(all.rows)
            .partition(|(number, _)| number % EXAM_EVERY == 0);
        let texts = |rows: Vec<(usize, Row)>| rows.into_iter().map(|(_, row)| labelled(row)).collect();
        Ok(Self {
            exam: texts(exam),
            traffic: texts(traffic),
            has_feedback: false,
            ..Self::shipped()?
        })
    }
}

fn labelled(Row { labels, text }: Row) -> Labelled {
    (join_labels(labels), text)
}

/// Returns whether these labels are those of a row, in whatever spelling and order.
pub(super) fn are_labels(label: &str, answered: &[String]) -> bool {
    let spelling = Findings::of_labels(answered);
    let expected = split_labels(label);
    let expected = expected.iter().map(|name| spelling.spelling(name));
    LabelNames::of(expected) == LabelNames::of(answered.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_both_learnt_from_and_asked() {
        let samples = Samples::shipped().expect("the samples are good");
        let initial = LabelledTexts::to_train(&samples.initial[..]).expect("CSV");
        let initial: Vec<Labelled> = initial.rows.into_iter().map(labelled).collect();

        assert_eq!(initial.len(), INITIAL_ROWS);
        assert!(samples.traffic.len() > INITIAL_ROWS);
        assert!(samples.traffic.iter().all(|row| !initial.contains(row)));
    }

    #[test]
    fn every_tenth_row_of_a_file_is_kept_for_the_exam() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("traffic.csv");
        let text: String = (1..=25).map(|number| format!("A,\"text, {number}\"\n")).collect();
        std::fs::write(&file, text).expect("written");

        let samples = Samples::of_file(&file).expect("it is good");

        assert_eq!(samples.traffic.len(), 23);
        assert!(!samples.has_feedback, "the samples have other labels");
        assert_eq!(
            samples.exam,
            [10, 20].map(|number| ("A".to_owned(), format!("text, {number}")))
        );
    }

    #[test]
    fn traffic_is_read_as_training_reads_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("traffic.csv");
        let rows = "label,text\nWorld,one\nworld,two\nWorld,three\nNULL,four\nWorld,five\nSports,five\n";
        std::fs::write(&file, rows).expect("written");

        let samples = Samples::of_file(&file).expect("it is good");

        let world = |text: &str| ("World".to_owned(), text.to_owned());
        assert_eq!(samples.traffic, ["one", "two", "three"].map(world));
    }

    #[test]
    fn an_answer_is_right_in_any_spelling_and_order() {
        let right = |label, answered: &[&str]| {
            let answered: Vec<String> = answered.iter().map(|name| (*name).to_owned()).collect();
            are_labels(label, &answered)
        };

        assert!(right("world", &["World"]) && right("b|A", &["a", "B"]) && right("1.0", &["1"]));
        assert!(right(r"Home\|Garden", &["home|garden"]));
        assert!(!right("World", &["Sports"]) && !right("A|B", &["A"]) && !right("World", &[]));
    }

    #[test]
    fn a_file_without_rows_or_with_other_columns_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("traffic.csv");
        std::fs::write(&file, "").expect("written");
        assert!(matches!(Samples::of_file(&file), Err(TrafficError::Empty)));
        std::fs::write(&file, "only one column\n").expect("written");
        assert!(matches!(Samples::of_file(&file), Err(TrafficError::Row(_))));
        assert!(matches!(
            Samples::of_file(&folder.path().join("none.csv")),
            Err(TrafficError::File(_))
        ));
    }
}
