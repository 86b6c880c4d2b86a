//! Audits of the labels of a stack: a random share of its labelled texts becomes a labelling job that adjusts labels.
//!
//! The command line and the console start them alike.

mod only;
mod rows;

use serde_json::{Value, json};

pub use only::Only;
pub use rows::{Labelled, Row, SEPARATOR, draw, rows_of};

/// Label attribute of what is looked at.
pub const BEFORE: &str = "label";
/// Label attribute of what it should be.
pub const AFTER: &str = "audited";
/// Role that a job takes on one machine, where roles that no template made may do what the user may.
pub const LOCAL_ROLE: &str = "arn:aws:iam::000000000000:role/audit";
/// Tag of the job of an audit: how many lines of labels could not be read when it began, where there were any.
pub const UNREADABLE_TAG: &str = "unreadable-label-lines";
/// Seconds for which a task belongs to the reviewer who opened it.
const TIME_LIMIT_SECONDS: u32 = 3_600;
/// The functions of Ground Truth that stand for the built-in behaviour; the account does not matter.
const FUNCTION: &str = "arn:aws:lambda:us-east-1:432418664414:function";

/// The job of an audit.
#[derive(Debug, Clone, Copy)]
pub struct AuditJob<'a> {
    /// Name of the audit.
    pub name: &'a str,
    /// Where its folder is, below which input and output lie: `s3://` with a bucket, without a slash at the end.
    pub output: &'a str,
    /// Role with whose rights it reads and writes there.
    pub role_arn: &'a str,
    /// ARN of the work team that looks at the labels.
    pub team: &'a str,
    /// How many look at each.
    pub reviewers: u8,
    /// Whether texts may have several labels.
    pub several: bool,
    /// Lines of labels that could not be read: their texts may be missing, or have an older label.
    pub unreadable: usize,
}

impl AuditJob<'_> {
    /// Returns the URI of its input manifest.
    pub fn manifest_uri(&self) -> String {
        self.uri("in.manifest")
    }

    /// Returns the URI of its label category file.
    pub fn categories_uri(&self) -> String {
        self.uri("labels.json")
    }

    fn uri(&self, file: &str) -> String {
        format!("{}/{}/audit/{file}", self.output, self.name)
    }

    /// Returns its input manifest: a line for each text, with the labels that are in use.
    pub fn manifest(&self, rows: &[Row], labels: &[&str]) -> String {
        let lines = rows.iter().map(|row| row.line(labels, self.several));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Returns the request of `CreateLabelingJob`.
    pub fn request(&self) -> Value {
        let tags = (self.unreadable > 0)
            .then(|| json!({ "Key": UNREADABLE_TAG, "Value": self.unreadable.to_string() }));
        let (kind, description) = match self.several {
            true => (
                "TextMultiClassMultiLabel",
                "Choose other labels if those that are there are wrong.",
            ),
            false => (
                "TextMultiClass",
                "Choose another label if the one that is there is wrong.",
            ),
        };
        json!({
            "LabelingJobName": self.name,
            "LabelAttributeName": AFTER,
            "InputConfig": { "DataSource": { "S3DataSource": { "ManifestS3Uri": self.manifest_uri() } } },
            "OutputConfig": { "S3OutputPath": self.output },
            "RoleArn": self.role_arn,
            "LabelCategoryConfigS3Uri": self.categories_uri(),
            "Tags": tags.into_iter().collect::<Vec<Value>>(),
            "HumanTaskConfig": {
                "WorkteamArn": self.team,
                "UiConfig": {},
                "PreHumanTaskLambdaArn": format!("{FUNCTION}:PRE-Adjustment{kind}"),
                "AnnotationConsolidationConfig":
                    { "AnnotationConsolidationLambdaArn": format!("{FUNCTION}:ACS-Adjustment{kind}") },
                "TaskTitle": "Is the label right?",
                "TaskDescription": description,
                "NumberOfHumanWorkersPerDataObject": self.reviewers,
                "TaskTimeLimitInSeconds": TIME_LIMIT_SECONDS,
            },
        })
    }
}

/// Returns how many lines of labels an audit has left out; `tags` are those of its job.
pub fn lines_left_out(tags: &Value) -> usize {
    let tags = tags.as_array().into_iter().flatten();
    let count = tags
        .filter(|tag| tag["Key"] == UNREADABLE_TAG)
        .find_map(|tag| tag["Value"].as_str()?.parse().ok());
    count.unwrap_or_default()
}

/// Says of an audit how many lines of labels it has left out, if any; `tags` are those of its job.
pub fn left_out(tags: &Value) -> Option<String> {
    unreadable_lines(lines_left_out(tags))
}

/// Says how many lines of labels could not be read, if any.
pub fn unreadable_lines(count: usize) -> Option<String> {
    let lines = match count {
        0 => return None,
        1 => "1 line of labels could not be read and was left out".to_owned(),
        _ => format!("{count} lines of labels could not be read and were left out"),
    };
    Some(format!(
        "{lines}: their texts are not in the audit, or with the label before. The log of the next build names them."
    ))
}

/// Returns the label category file of an audit of these labels.
pub fn categories(labels: &[&str]) -> Value {
    let choices: Vec<Value> = labels.iter().map(|label| json!({ "label": label })).collect();
    json!({ "document-version": "2018-11-28", "labels": choices, "auditLabelAttributeName": BEFORE })
}
