//! How a stack begins without training data: with the names of labels, and with texts to label.

mod text_places;

use std::path::{Path, PathBuf};

use active_learning_aws::{
    self as aws,
    bucket::{Bucket, BucketError, JSON_LINES},
    label_set::{ChangeError, LabelSets},
    overview,
    personal_data::Masking,
};
use active_learning_core::{
    keys::FIRST_MODEL,
    labels::label_set::{LabelSet, Resolution},
    model::first_model::FirstModel,
    sampling::query_strategy::LabelCounts,
};
use clap::Args;
use local_stack::boot::Running;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, sleep};

use crate::{
    encoder::{self, PlaceError},
    personal_data,
    wording::counted_as,
};
pub use text_places::TextPlaces;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Pause between two looks at how far the first model is.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Environment variable of the function that builds models.
const ROWS_PER_LABEL: &str = "FIRST_MODEL_ROWS_PER_LABEL";

/// Rejected rows that are shown of a file.
const SHOWN: usize = 5;

/// What to begin with.
#[derive(Debug, Default, Args)]
pub struct Options {
    /// Names of the labels, separated by commas; a name with a comma in double quotes. No training data is needed
    #[arg(long, value_name = "NAMES")]
    labels: Option<String>,
    /// File of texts that people are to label: CSV, Excel, JSON, JSON Lines or an export; may be repeated
    #[arg(long, value_name = "FILE")]
    texts: Vec<PathBuf>,
    /// Column of the files that holds the text, by name or number from 1 [default: told by content]
    #[arg(long, value_name = "COLUMN", requires = "texts")]
    text_column: Option<String>,
    /// Encoding of the files, such as windows-1251 or shift_jis [default: told by content]
    #[arg(long, value_name = "NAME", requires = "texts")]
    encoding: Option<String>,
    /// Sheet of the workbooks [default: all that have the same columns]
    #[arg(long, value_name = "NAME", requires = "texts")]
    sheet: Option<String>,
}

/// What to begin with, read and checked.
#[derive(Debug, Default)]
pub struct Beginning {
    labels: Vec<String>,
    texts: Vec<Texts>,
    encoder: Option<encoder::Choice>,
}

/// The texts of a file, as an object of the batch bucket.
#[derive(Debug)]
struct Texts {
    key: String,
    lines: String,
}

impl Beginning {
    /// Reads labels and files, and tells what was understood of each file.
    ///
    /// # Errors
    ///
    /// A name that is no label, or a file that cannot be read; in words for the user.
    pub fn read(options: &Options) -> Result<Self, Failure> {
        let labels = options
            .labels
            .as_deref()
            .map(names)
            .transpose()?
            .unwrap_or_default();
        let texts = options.texts.iter().map(|file| read_texts(file, options));
        Ok(Self {
            labels,
            texts: texts.collect::<Result<_, _>>()?,
            encoder: None,
        })
    }

    /// Begins with this text encoder, if any was chosen.
    #[must_use]
    pub fn with_encoder(self, encoder: Option<encoder::Choice>) -> Self {
        Self { encoder, ..self }
    }

    /// Puts the encoder of a folder where the classifier reads it.
    ///
    /// # Errors
    ///
    /// [`PlaceError`].
    pub async fn place_encoder(&self, training: &Bucket) -> Result<(), PlaceError> {
        match &self.encoder {
            Some(encoder) => encoder.place(training).await,
            None => Ok(()),
        }
    }

    /// Returns whether the stack is to begin without training data.
    pub fn is_without_data(&self) -> bool {
        !self.labels.is_empty() || !self.texts.is_empty()
    }

    /// Makes the label set of the names, unless there is one.
    ///
    /// # Errors
    ///
    /// When the bucket fails, or texts are given and there is no label yet.
    pub async fn take_labels(&self, training: &Bucket) -> Result<(), Failure> {
        let sets = LabelSets::new(training.clone());
        let Some(set) = sets.current().await? else {
            return match &self.labels[..] {
                [] if self.texts.is_empty() => Ok(()),
                [] => Err("which labels do the texts get? Name them: --labels first,second".into()),
                names => begin_set(&sets, names).await,
            };
        };

        let is_missing = |name: &&String| !matches!(set.resolve(name), Resolution::Label(_));
        for name in self.labels.iter().filter(is_missing) {
            eprintln!(
                "The label set is there already and does not have `{name}`: \
                 `active-learning labels add` adds it."
            );
        }
        Ok(())
    }

    /// Hands in the texts, and tells how many of them are new; a file that was handed in before stays as it is.
    ///
    /// # Errors
    ///
    /// When a bucket fails.
    pub async fn hand_in_texts(&self, places: &TextPlaces, masking: &Masking) -> Result<(), Failure> {
        for texts in &self.texts {
            if places.uploads.exists(&texts.key).await? {
                println!("{} was handed in before.", texts.key);
                continue;
            }
            let (lines, counts) = personal_data::mask_lines(masking, &texts.lines).await?;
            // They are claimed as soon as the file is there.
            let novelty = places.novelty_of(&lines).await?;
            places.uploads.put(&texts.key, JSON_LINES, lines).await?;
            println!("{}", novelty.describe(&texts.key));
            if !counts.is_empty() {
                println!("{}: {}.", texts.key, personal_data::in_words(&counts));
            }
        }
        Ok(())
    }
}

async fn begin_set(sets: &LabelSets, names: &[String]) -> Result<(), Failure> {
    let add = |set: &mut LabelSet| names.iter().try_for_each(|name| set.add(name, ""));
    match sets.edit(&aws::now(), add).await {
        Ok(_) => Ok(()),
        Err(ChangeError::Bucket(error)) => Err(error.into()),
        Err(error) => Err(format!("the labels cannot be used: {error}").into()),
    }
}

/// Signs that people put between names where a comma belongs.
const OTHER_SEPARATORS: [char; 6] = [';', '\t', '،', '、', '，', '；'];

/// Reads names out of one line of CSV.
fn names(line: &str) -> Result<Vec<String>, Failure> {
    if !line.matches('"').count().is_multiple_of(2) {
        return Err("a double quote of the labels is never closed: --labels '\"Bills, paid\",login'".into());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next();
    let record = record
        .transpose()
        .map_err(|error| format!("the labels cannot be read: {error}"))?
        .unwrap_or_default();
    let names: Vec<String> = record
        .iter()
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();

    let is_quoted = |name: &str| line.contains(&format!("\"{}\"", name.replace('"', "\"\"")));
    let holds = |name: &&String| name.contains(OTHER_SEPARATORS) && !is_quoted(name);
    if let Some(name) = names.iter().find(holds) {
        return Err(format!(
            "a comma (,) stands between labels; `{name}` holds another sign: put a name with it in double quotes"
        )
        .into());
    }

    // Checked before anything is started.
    let mut set = LabelSet::none();
    for name in &names {
        set.add(name, "")
            .map_err(|error| format!("the labels cannot be used: {error}"))?;
    }
    match names.len() {
        0 | 1 => Err("a classifier needs at least two labels: --labels first,second".into()),
        _ => Ok(names),
    }
}

fn read_texts(file: &Path, given: &Options) -> Result<Texts, Failure> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let options = text_import::Options {
        name: name.clone(),
        text_column: given.text_column.clone(),
        encoding: given.encoding.clone(),
        sheet: given.sheet.clone(),
        ..text_import::Options::default()
    };
    let import = text_import::read(&bytes, &options).map_err(|refusal| format!("{shown}: {refusal}"))?;
    // Labels are not looked for here.
    let is_about_texts = |note: &&String| !note.contains("--label-");
    for note in import.notes.iter().filter(is_about_texts) {
        eprintln!("{shown}: {note}");
    }
    for rejected in import.rejected.iter().take(SHOWN) {
        eprintln!("{shown}, line {}: left out, {}", rejected.line, rejected.reason);
    }
    if let Some(more) = import.rejected.len().checked_sub(SHOWN + 1) {
        eprintln!(
            "{shown}: {} left out",
            counted_as(more + 1, "more row is", "more rows are")
        );
    }
    let labelled = import.labelled().count();
    if labelled > 0 {
        eprintln!(
            "{shown}: {} already, which {} not used here: `active-learning import` takes them",
            counted_as(labelled, "row has a label", "rows have labels"),
            if labelled == 1 { "is" } else { "are" }
        );
    }
    if import.rows.is_empty() {
        return Err(format!("{shown} holds no text").into());
    }

    let lines: String = import
        .rows
        .iter()
        .map(|row| json!({"sentence": row.text}).to_string() + "\n")
        .collect();
    let stem = Path::new(name.as_deref().unwrap_or("texts")).file_stem();
    let stem = stem.map_or_else(|| "texts".into(), |stem| stem.to_string_lossy());
    let digest = hex::encode(&Sha256::digest(&lines)[..6]);
    Ok(Texts {
        key: format!("{stem}-{digest}.jsonl"),
        lines,
    })
}

/// Writes down that nothing is labelled yet, where the portal and [`show_progress`] look.
///
/// # Errors
///
/// When the bucket fails.
pub async fn begin_progress(stack: &Running, training: &Bucket) -> Result<(), BucketError> {
    let needed = stack
        .plan
        .functions
        .iter()
        .find_map(|function| function.environment.get(ROWS_PER_LABEL)?.parse().ok());
    let set = LabelSets::new(training.clone()).current().await?;
    if let (Some(needed), Some(set)) = (needed, set) {
        let progress = FirstModel::new(&set, &LabelCounts::new(), needed);
        let _ = training.create_document(FIRST_MODEL, &progress).await?;
    }
    Ok(())
}

/// Tells how far it is to the first model whenever that changes, until a model serves.
pub async fn show_progress(training: &Bucket) {
    let mut told = None;
    loop {
        match overview::first_model(training).await {
            Ok(Some(progress)) if told.as_ref() != Some(&progress) => {
                if told.is_none() {
                    println!("\nOpen the sign-in link to label. The first texts are there within a minute.");
                }
                println!("{}", progress.describe());
                told = Some(progress);
            }
            Ok(None) if told.is_some() => {
                println!("The first model serves. What waits is ranked by it from now on.");
                return;
            }
            Ok(None) => return,
            // It is told at the next look.
            Ok(Some(_)) | Err(_) => {}
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_a_line_of_csv() {
        let read = |line| names(line).map_err(|error| error.to_string());

        assert_eq!(
            read("billing, delivery,login").expect("three"),
            ["billing", "delivery", "login"]
        );
        assert_eq!(read(r#""Bills, paid",A|B"#).expect("two"), ["Bills, paid", "A|B"]);
    }

    #[test]
    fn fewer_than_two_labels_and_one_label_twice_are_refused_with_the_reason() {
        let refusal = |line| names(line).expect_err("refused").to_string();

        assert!(refusal("billing").contains("at least two"));
        assert!(refusal(" , ").contains("at least two"));
        assert!(refusal("Billing,billing").contains("the labels cannot be used"));
    }

    #[test]
    fn a_quote_that_is_never_closed_and_another_sign_between_labels_are_refused() {
        let refusal = |line| names(line).expect_err("refused").to_string();

        assert!(refusal(r#""Bills, paid,login"#).contains("never closed"));
        for line in [
            "شحن،دخول,فوترة",
            "Positive, good;Negative, bad;Neutral",
            "账单，物流,登录",
        ] {
            assert!(refusal(line).contains("stands between labels"), "{line}");
        }
        assert_eq!(
            names(r#""Sci; Tech",World"#).expect("two"),
            ["Sci; Tech", "World"]
        );
    }
}
