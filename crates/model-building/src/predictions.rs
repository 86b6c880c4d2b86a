//! Reads the `output.tar.gz` of a classification job, and what the built-in classifier adds to that of a training.

use std::{
    collections::{BTreeSet, HashMap},
    io::{self, BufRead, BufReader, Read},
};

use active_learning_core::{
    feedback::prediction::{ClassScore, Prediction},
    model::evaluation::TestPrediction,
};
use flate2::read::GzDecoder;
use serde::Deserialize;

/// What a model said, by line number from 0: the order of lines is not given, and some may be missing.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Predictions {
    pub by_line: HashMap<usize, Prediction>,
    /// Every class that was named.
    pub classes: BTreeSet<String>,
}

/// One line of the output. A document that could not be classified has an error instead of classes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    /// A string, as Comprehend writes it.
    line: String,
    #[serde(default)]
    classes: Vec<Score>,
    #[serde(default)]
    labels: Vec<Score>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Score {
    name: String,
    score: f32,
}

/// Reads an output from its beginning to its end.
///
/// # Errors
///
/// The archive or one of its lines is damaged; the message does not hold the line.
pub(crate) fn read(archive: impl Read) -> io::Result<Predictions> {
    let mut predictions = Predictions::default();
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for file in archive.entries()? {
        let file = file?;
        if !file.header().entry_type().is_file() {
            continue;
        }
        for line in BufReader::new(file).lines() {
            let line = line?;
            if !line.trim().is_empty() {
                predictions.add(&line)?;
            }
        }
    }
    Ok(predictions)
}

/// File of a training's output with what was said of rows by a model that had not seen them.
const CROSS_VALIDATION: &str = "cross_validation.jsonl";

/// Reads the cross-validation of a training; nothing where there is none.
///
/// # Errors
///
/// The archive or one of its lines is damaged.
pub(crate) fn read_cross_validation(archive: impl Read) -> io::Result<Vec<TestPrediction>> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for file in archive.entries()? {
        let file = file?;
        if !file.path()?.ends_with(CROSS_VALIDATION) {
            continue;
        }
        let parse = |line: io::Result<String>| Ok(serde_json::from_str(&line?)?);
        return BufReader::new(file).lines().map(parse).collect();
    }
    Ok(Vec::new())
}

impl Predictions {
    fn add(&mut self, line: &str) -> io::Result<()> {
        let damaged = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let line: Line = serde_json::from_str(line).map_err(|error| {
            damaged(format!(
                "a line is not a document's classes (column {})",
                error.column()
            ))
        })?;
        let number = line.line.parse();
        let number = number.map_err(|_| damaged(format!("`{}` is no line number", line.line)))?;
        let prediction = if line.labels.is_empty() {
            Prediction::multi_class(scores(line.classes))
        } else {
            Prediction::multi_label(scores(line.labels))
        };
        if let Some(prediction) = prediction {
            let names = prediction.classes.iter().map(|class| class.name.clone());
            self.classes.extend(names);
            self.by_line.insert(number, prediction);
        }
        Ok(())
    }
}

fn scores(scores: Vec<Score>) -> Vec<ClassScore> {
    let score = |score: Score| ClassScore {
        name: score.name,
        score: score.score,
    };
    scores.into_iter().map(score).collect()
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn archive(content: &str) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        let appended = archive.append_data(&mut header, "predictions.jsonl", content.as_bytes());
        appended.expect("memory");
        archive.into_inner().and_then(GzEncoder::finish).expect("memory")
    }

    #[test]
    fn lines_are_matched_by_number_in_any_order_and_errors_are_no_predictions() {
        let output = archive(concat!(
            r#"{"File":"t","Line":"2","Classes":[{"Name":"B","Score":0.4},{"Name":"A","Score":0.6}]}"#,
            "\n",
            r#"{"File":"t","Line":"1","ErrorCode":"INVALID_DOCUMENT","ErrorMessage":"empty"}"#,
            "\n",
            r#"{"File":"t","Line":"0","Labels":[{"Name":"C","Score":0.9},{"Name":"B","Score":0.8}]}"#,
            "\n\n",
        ));

        let predictions = read(&output[..]).expect("a good archive");

        assert_eq!(predictions.by_line.len(), 2);
        assert_eq!(predictions.by_line[&2].label, "A");
        assert_eq!(predictions.by_line[&0].label, "C|B");
        let classes: Vec<&str> = predictions.classes.iter().map(String::as_str).collect();
        assert_eq!(classes, ["A", "B", "C"]);
    }

    #[test]
    fn a_damaged_output_is_refused_without_its_content() {
        for content in ["secret\n", r#"{"Line":"x","Classes":[]}"#] {
            let error = read(&archive(content)[..]).expect_err("damaged").to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(read(&b"no archive"[..]).is_err());
        let whole = archive(r#"{"Line":"0","Classes":[]}"#);
        assert!(read(&whole[..whole.len() / 2]).is_err());
    }
}
