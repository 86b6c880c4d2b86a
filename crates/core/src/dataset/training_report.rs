//! What was done with a training file under `initial/`: written beside it, for whoever looks.

use serde::{Deserialize, Serialize};

/// Where training files are put that make a model at once, in the training bucket.
pub const INITIAL_PREFIX: &str = "initial/";
/// End of the keys of training files.
const INITIAL_SUFFIX: &str = ".csv";
/// Where the reports on training files lie, in the training bucket.
const REPORTS_PREFIX: &str = "initial-reports/";

/// Why sample data is not learnt from.
pub const SAMPLE_IGNORED: &str = "it is sample data, and there is data of your own under initial/";

/// What is said of a file whose rows all have one label, while there are others.
pub const ONLY_LABEL: &str = "all its rows have one label, so no model is made of it alone: they train beside those of other \
                              labels from the next build on";

/// Says of a file why it is refused whose rows all have one label that is retired or split.
pub fn only_label_out_of_use(label: &str) -> String {
    format!(
        "all its rows have the label `{label}`, which is no longer in use: bring the label back, or put other labels in the file"
    )
}

/// SHA-256 of the sample data that earlier versions put under the key of a user's own data.
const SHIPPED_SAMPLES: [&str; 1] = ["290f1631d4f8322caa38e2819f45358e5d7715c21b82fcc9734c8765422c24e4"];
/// Part of the name of a file of sample data.
const SAMPLE_MARK: &str = "initial/sample-";

/// What was done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainingFileState {
    /// It is learnt from.
    Taken,
    /// It cannot be used, and changes nothing.
    Refused,
    /// It is sample data, and there is data of the user's own.
    Ignored,
    /// Nothing is wrong with it, but the text encoder cannot be used: it is taken as soon as that can.
    Waiting,
}

/// The content of `initial-reports/<name>.json`. Names lines and classes, never a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrainingFileReport {
    /// Key of the file.
    pub key: String,
    /// ETag of the file that this is about.
    pub etag: String,
    /// What was done with it.
    pub state: TrainingFileState,
    /// Why it was refused or ignored, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was read otherwise than it is written, and what to mind.
    #[serde(default)]
    pub repairs: Vec<String>,
    /// Numbers, from 0, of the rows of the file that the model did not learn from, since their texts had been erased before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased_rows: Vec<usize>,
    /// ARN of the model that was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_arn: Option<String>,
    /// When the file was looked at, RFC 3339 in UTC.
    pub at: String,
}

impl TrainingFileReport {
    /// Begins the report on a file, with nothing more to say.
    pub fn of(key: &str, etag: &str, state: TrainingFileState) -> Self {
        Self {
            key: key.to_owned(),
            etag: etag.to_owned(),
            state,
            reason: None,
            repairs: Vec::new(),
            erased_rows: Vec::new(),
            model_arn: None,
            at: String::new(),
        }
    }
}

/// Returns whether an object is a training file that makes a model at once.
pub fn is_initial_file(key: &str) -> bool {
    key.starts_with(INITIAL_PREFIX) && key.ends_with(INITIAL_SUFFIX)
}

/// Why an object under `initial/` that is no training file is not looked at.
const NOT_CSV: &str = "only files whose names end with .csv are read";

/// Returns the report on an object under `initial/` that nobody reads, since its name says that it is no CSV; `None` of
/// a training file, and of a folder.
pub fn report_on_other_file(key: &str, etag: &str) -> Option<TrainingFileReport> {
    let name = key.strip_prefix(INITIAL_PREFIX)?;
    if is_initial_file(key) || name.is_empty() || name.ends_with('/') {
        return None;
    }
    let mut report = TrainingFileReport::of(key, etag, TrainingFileState::Refused);
    report.reason = Some(NOT_CSV.to_owned());
    Some(report)
}

/// Returns the key of the report on a training file.
pub fn report_key(key: &str) -> String {
    let name = key.strip_prefix(INITIAL_PREFIX).unwrap_or(key);
    format!("{REPORTS_PREFIX}{name}.json")
}

/// Returns whether a file is the sample data that is shipped: by its name, or, of earlier versions, by the
/// SHA-256 of its content, in hex digits.
///
/// A user's own data replaces it: no model learns from both.
pub fn is_shipped_sample(key: &str, sha256: &str) -> bool {
    key.starts_with(SAMPLE_MARK) || SHIPPED_SAMPLES.contains(&sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lies_beside_its_file_by_name() {
        assert_eq!(
            report_key("initial/my pets+.csv"),
            "initial-reports/my pets+.csv.json"
        );
        assert!(is_initial_file("initial/a/b.csv") && !is_initial_file("initial-reports/a.csv"));
    }

    #[test]
    fn sample_data_is_known_by_its_name_or_by_its_content() {
        assert!(is_shipped_sample("initial/sample-news.csv", ""));
        assert!(is_shipped_sample("initial/training-data.csv", SHIPPED_SAMPLES[0]));
        assert!(!is_shipped_sample("initial/training-data.csv", ""));
    }

    #[test]
    fn a_file_that_nobody_reads_is_told_of_and_a_folder_is_not() {
        let told = report_on_other_file("initial/news.xlsx", "e").expect("a report");

        assert_eq!(told.state, TrainingFileState::Refused);
        assert_eq!(told.reason.as_deref(), Some(NOT_CSV));
        for other in [
            "initial/news.csv",
            "initial/",
            "initial/old/",
            "elsewhere/news.xlsx",
        ] {
            assert_eq!(report_on_other_file(other, "e"), None, "{other}");
        }
    }
}
