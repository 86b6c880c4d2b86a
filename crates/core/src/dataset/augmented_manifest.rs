//! Ground Truth's augmented manifest for text classification: JSON Lines with `source`, label and metadata.
//!
//! Source: Amazon SageMaker Ground Truth, "Output data"; Amazon Comprehend, "Augmented manifest file".

use std::io::BufRead;

use serde_json::{Map, Value, json};

use super::{BadRow, Mode, Row};
use crate::labels::{human_loop::LoopName, manifest_classes::classes_of_label};
use crate::repeated_field::repeated_field;

/// `type` of a multi-class label's metadata.
const SINGLE: &str = "groundtruth/text-classification";
/// `type` of a multi-label attribute's metadata.
const MULTI: &str = "groundtruth/text-classification-multilabel";

/// Begins a `job-name`.
const JOB: &str = "labeling-job/";

/// What a manifest line says beside label and text.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestInfo<'a> {
    /// Name of the label attribute: letters, digits and inner hyphens, as Comprehend's `AttributeNames` wants.
    pub attribute: &'a str,
    /// All classes of the dataset, in the order that numbers them.
    pub classes: &'a [String],
    /// Name of the work that labelled, for `job-name`.
    pub job_name: &'a str,
    /// When it was labelled, RFC 3339 in UTC.
    pub labelled_at: &'a str,
    /// How sure the consensus is, from 0 to 1.
    pub confidence: f64,
    /// Name of the classifier of the text, for the key `classifier`, which is passed over like `copies`.
    pub classifier: &'a str,
    /// Copies of the text that the answer serves, for the key `copies`, which only says so: a reader that is not told
    /// of it passes it over, as Comprehend does with whatever `AttributeNames` does not name.
    pub copies: u64,
}

/// Writes a row as a line of an augmented manifest, with its line feed.
///
/// The text stays as it is: JSON needs no one-line rule. A label beyond `classes` is left out.
pub fn manifest_line(row: &Row, mode: Mode, info: &ManifestInfo<'_>) -> String {
    let number = |label: &String| info.classes.iter().position(|class| class == label);
    let numbered: Vec<(usize, &String)> = row
        .labels
        .iter()
        .filter_map(|label| Some((number(label)?, label)))
        .collect();
    // Ground Truth writes dates in UTC without saying so, to the microsecond at most.
    let date = info.labelled_at.trim_end_matches('Z');
    let mut metadata = json!({
        "job-name": format!("{JOB}{}", info.job_name),
        "human-annotated": "yes",
        "creation-date": date,
    });
    let label = match mode {
        Mode::MultiClass => {
            metadata["type"] = json!(SINGLE);
            metadata["confidence"] = json!(info.confidence);
            metadata["class-name"] = json!(numbered.first().map(|(_, label)| label));
            json!(numbered.first().map(|(number, _)| number))
        }
        Mode::MultiLabel => {
            let by_number = |value: &dyn Fn(&String) -> Value| -> Map<String, Value> {
                numbered
                    .iter()
                    .map(|(number, label)| (number.to_string(), value(label)))
                    .collect()
            };
            metadata["type"] = json!(MULTI);
            metadata["class-map"] = Value::Object(by_number(&|label| json!(label)));
            metadata["confidence-map"] = Value::Object(by_number(&|_| json!(info.confidence)));
            json!(numbered.iter().map(|(number, _)| number).collect::<Vec<_>>())
        }
    };
    let attribute = info.attribute;
    let metadata_attribute = format!("{attribute}-metadata");
    let line = json!({
        "source": row.text, attribute: label, metadata_attribute: metadata, "classifier": info.classifier,
        "copies": info.copies,
    });
    format!("{line}\n")
}

/// Returns whether a line of an augmented manifest is one that [`manifest_line`] wrote: whoever reads it again has heard of
/// its labels. `job_name` is that of the label attribute.
pub fn is_own_manifest_line(line: &Map<String, Value>, job_name: &str) -> bool {
    let work = job_name.strip_prefix(JOB).unwrap_or_default();
    // A version before wrote no copies.
    line.get("copies").is_some_and(Value::is_u64) || is_own_work(work)
}

/// Returns whether labels come from work of a stack by its name: a human loop, an import or an adjudication.
fn is_own_work(name: &str) -> bool {
    let is_import = |rest: &str| rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    LoopName::parse(name).is_some()
        || name.strip_prefix("import-").is_some_and(is_import)
        || name.starts_with("adjudication-")
}

/// Reads the rows of an augmented manifest one by one; bad lines are named and reading goes on.
///
/// The class is the metadata's `class-name` or `class-map`: numbers are written as texts by some jobs. A multi-label
/// row without any label is good. Lines with `source-ref` cannot be read here.
pub fn read_manifest<'a>(
    reader: impl BufRead + 'a,
    attribute: &str,
) -> impl Iterator<Item = Result<Row, BadRow>> + 'a {
    let (label, metadata) = (attribute.to_owned(), format!("{attribute}-metadata"));
    let mut failed = false;
    reader.split(b'\n').zip(1..).map_while(move |(line, number)| {
        let stop = std::mem::replace(&mut failed, line.is_err());
        let bad = |reason: &str| BadRow {
            line: number,
            reason: reason.to_owned(),
        };
        (!stop).then(|| {
            let line = line.map_err(|_| bad("the file could not be read"))?;
            if repeated_field(&line[..]).is_some() {
                return Err(bad(
                    "one of its fields is given twice: which is meant cannot be told",
                ));
            }
            let line: Value = serde_json::from_slice(&line).map_err(|_| bad("not a JSON object"))?;
            let text = line
                .get("source")
                .and_then(Value::as_str)
                .ok_or_else(|| bad("`source` is missing"))?;
            let metadata = line
                .get(&metadata)
                .ok_or_else(|| bad("the label's metadata is missing"))?;
            let labels = classes_of_label(metadata, line.get(&label))
                .ok_or_else(|| bad("neither `class-name` nor `class-map` names a class"))?;
            Ok(Row {
                labels,
                text: text.to_owned(),
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn classes() -> Vec<String> {
        ["Business", "Sports", "World"].map(str::to_owned).to_vec()
    }

    fn info(classes: &[String]) -> ManifestInfo<'_> {
        ManifestInfo {
            attribute: "topic",
            classes,
            job_name: "review-1",
            labelled_at: "2026-11-20T10:00:12.345Z",
            confidence: 0.75,
            classifier: "news",
            copies: 3,
        }
    }

    fn line(row: &Row, mode: Mode) -> Value {
        serde_json::from_str(&manifest_line(row, mode, &info(&classes()))).expect("JSON")
    }

    #[test]
    fn lines_have_the_keys_of_ground_truth() {
        let row = Row {
            labels: vec!["World".into()],
            text: "Rates rise".into(),
        };
        let both = Row {
            labels: vec!["World".into(), "Business".into()],
            text: "Both".into(),
        };

        assert_eq!(
            line(&row, Mode::MultiClass),
            json!({"source": "Rates rise", "topic": 2, "classifier": "news", "copies": 3, "topic-metadata": {
                "class-name": "World", "confidence": 0.75, "job-name": "labeling-job/review-1", "human-annotated": "yes",
                "creation-date": "2026-11-20T10:00:12.345", "type": "groundtruth/text-classification"}})
        );
        assert_eq!(
            line(&both, Mode::MultiLabel),
            json!({"source": "Both", "topic": [2, 0], "classifier": "news", "copies": 3, "topic-metadata": {
                "class-map": {"0": "Business", "2": "World"}, "confidence-map": {"0": 0.75, "2": 0.75},
                "job-name": "labeling-job/review-1", "human-annotated": "yes", "creation-date": "2026-11-20T10:00:12.345",
                "type": "groundtruth/text-classification-multilabel"}})
        );
    }

    #[test]
    fn a_line_of_this_stack_is_told_from_that_of_a_labelling_job_also_where_a_version_before_wrote_it() {
        let own = |line: Value| {
            let line = line.as_object().expect("an object");
            let job = |metadata: &Value| metadata["job-name"].as_str().expect("a name").to_owned();
            is_own_manifest_line(line, &job(&line["topic-metadata"]))
        };
        let row = Row {
            labels: vec!["World".into()],
            text: "Rates rise".into(),
        };
        let of_job = |name: &str| json!({"source": "t", "topic": 0, "topic-metadata": {"job-name": name}});

        assert!(own(line(&row, Mode::MultiClass)) && own(line(&row, Mode::MultiLabel)));
        for name in [
            "labeling-job/import-798847ab798847ab",
            "labeling-job/review-0123456789012345678901234567890123456789-again-1",
            "labeling-job/adjudication-0123-20261120T100000000Z",
        ] {
            assert!(own(of_job(name)), "{name}");
        }
        for name in [
            "labeling-job/tickets",
            "labeling-job/import-2024",
            "labeling-job/review-1",
            "",
        ] {
            assert!(!own(of_job(name)), "{name}");
        }
    }

    #[test]
    fn bad_lines_are_named_and_the_next_one_is_read() {
        let file = "{}\nno json\n{\"source\":\"t\"}\n{\"source\":\"t\",\"topic-metadata\":{}}\n\
            {\"source\":\"t\",\"topic\":\"1\",\"topic-metadata\":{\"class-name\":\"World\"}}\n";

        let rows: Vec<_> = read_manifest(file.as_bytes(), "topic").collect();

        assert!(
            rows[..4]
                .iter()
                .zip(1..)
                .all(|(row, n)| row.as_ref().is_err_and(|bad| bad.line == n)),
            "{rows:?}"
        );
        assert_eq!(
            rows[4],
            Ok(Row {
                labels: vec!["World".into()],
                text: "t".into()
            })
        );
    }

    proptest! {
        #[test]
        fn rows_survive_the_manifest_and_json_lines(
            text in "[\\PC\n\r\t,\"\\\\\u{1f600}\u{5d0}-\u{5ea}\u{202b}]{0,40}", labels in proptest::sample::subsequence(classes(), 0..=3), mode in 0..2,
        ) {
            let mode = if mode == 0 && labels.len() == 1 { Mode::MultiClass } else { Mode::MultiLabel };
            let row = Row { labels, text };

            let line = manifest_line(&row, mode, &info(&classes()));
            let read: Vec<_> = read_manifest(line.as_bytes(), "topic").collect();

            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(read, vec![Ok(row.clone())]);
            prop_assert_eq!(serde_json::from_str::<Row>(&row.to_json_line()).ok(), Some(row));
        }
    }
}
