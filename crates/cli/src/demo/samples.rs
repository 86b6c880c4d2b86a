//! What the demo plays: the texts of the first model, the traffic, and an exam that is in neither.

use std::{io, path::Path};

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
    /// What every new model is examined on; empty without a file of traffic.
    pub(super) exam: Vec<Labelled>,
}

/// Why a file of traffic cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// It cannot be read.
    #[error("the traffic cannot be read")]
    File(#[source] io::Error),
    /// A row has not two columns, or is no UTF-8.
    #[error("the traffic must be Comprehend CSV (label,text without a header line)")]
    Row(#[from] csv::Error),
    /// There is nothing to play.
    #[error("the traffic has no rows")]
    Empty,
}

impl Samples {
    /// Takes the shipped samples.
    pub(super) fn shipped() -> Result<Self, TrafficError> {
        let mut news = rows(NEWS.as_bytes())?;
        let traffic = news.split_off(INITIAL_ROWS);
        let mut initial = csv::Writer::from_writer(Vec::new());
        for row in &news {
            initial.serialize(row)?;
        }
        Ok(Self {
            initial: initial.into_inner().expect("memory takes everything"),
            traffic: [traffic, rows(TRICKY.as_bytes())?].concat(),
            exam: Vec::new(),
        })
    }

    /// Takes a file of traffic.
    pub(super) fn of_file(path: &Path) -> Result<Self, TrafficError> {
        let all = rows(&std::fs::read(path).map_err(TrafficError::File)?)?;
        if all.is_empty() {
            return Err(TrafficError::Empty);
        }
        let (exam, traffic): (Vec<_>, Vec<_>) =
            (1..).zip(all).partition(|(number, _)| number % EXAM_EVERY == 0);
        let texts = |rows: Vec<(usize, Labelled)>| rows.into_iter().map(|(_, row)| row).collect();
        Ok(Self {
            exam: texts(exam),
            traffic: texts(traffic),
            ..Self::shipped()?
        })
    }
}

fn rows(csv: &[u8]) -> Result<Vec<Labelled>, TrafficError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
    Ok(reader.deserialize().collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_both_learnt_from_and_asked() {
        let samples = Samples::shipped().expect("the samples are good");
        let initial = rows(&samples.initial).expect("CSV");

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
        assert_eq!(
            samples.exam,
            [10, 20].map(|number| ("A".to_owned(), format!("text, {number}")))
        );
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
