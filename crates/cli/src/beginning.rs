//! How a stack begins without training data: with the names of labels, and with texts to label.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use active_learning_aws::{
    self as aws,
    bucket::{Bucket, BucketError, JSON_LINES},
    label_set::{ChangeError, LabelSets},
    overview,
    personal_data::Masking,
};
use active_learning_core::{
    keys::{CLAIMS_FOLDER, FIRST_MODEL},
    labels::label_set::{LabelSet, Resolution},
    model::first_model::FirstModel,
    sampling::{duplicates::form_of, query_strategy::LabelCounts},
};
use clap::Args;
use local_stack::boot::Running;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, sleep};

use crate::{
    encoder::{self, PlaceError},
    import::are_asked,
    personal_data,
    wording::counted_as,
};

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

/// Where texts to label go, and what is known of them.
#[derive(Debug)]
pub struct TextPlaces {
    /// Bucket of the batch files.
    pub uploads: Bucket,
    /// Training bucket.
    pub training: Bucket,
    /// Feedback bucket.
    pub feedback: Bucket,
    /// Classifier of texts that name none.
    pub classifier: String,
}

impl TextPlaces {
    async fn novelty_of(&self, lines: &[u8]) -> Result<Novelty, Failure> {
        let mut forms = HashSet::new();
        let (mut novelty, mut texts) = (Novelty::default(), Vec::new());
        for item in serde_json::Deserializer::from_slice(lines).into_iter::<Item>() {
            let text = item?.sentence;
            match forms.insert(form_of(&self.classifier, &text)) {
                true => texts.push(text),
                false => novelty.copies += 1,
            }
        }

        // A stack that was asked nothing yet knows no text.
        if self.feedback.list_after(CLAIMS_FOLDER, "", 1).await?.is_empty() {
            novelty.new = texts.len();
            return Ok(novelty);
        }
        let texts = texts.iter().map(|text| (&self.classifier[..], &text[..]));
        for is_known in are_asked(&self.training, &self.feedback, texts).await? {
            match is_known {
                true => novelty.known += 1,
                false => novelty.new += 1,
            }
        }
        Ok(novelty)
    }
}

/// A line of a file of texts.
#[derive(Deserialize)]
struct Item {
    sentence: String,
}

/// How many texts of a file are new.
#[derive(Debug, Default)]
struct Novelty {
    new: usize,
    /// Asked, answered or waiting before.
    known: usize,
    /// Of another text of the file, in any spelling.
    copies: usize,
}

impl Novelty {
    fn describe(&self, key: &str) -> String {
        let new = match self.new {
            0 => format!("No text of {key} is new."),
            new => format!(
                "{} to be labelled, of {key}.",
                counted_as(new, "text waits", "texts wait")
            ),
        };
        let known = counted_as(self.known, "text was", "texts were");
        let copies = counted_as(self.copies, "text is a copy", "texts are copies");
        let known = (self.known > 0).then(|| {
            format!(
                " {known} asked or answered before, or {} waiting already.",
                if self.known == 1 { "is" } else { "are" }
            )
        });
        let copies = (self.copies > 0).then(|| format!(" {copies} of others in the file."));
        new + &known.unwrap_or_default() + &copies.unwrap_or_default()
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
    use active_learning_aws::claims::Claims;
    use local_aws::{LocalAws, s3::BucketSpec};

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

    #[tokio::test]
    async fn texts_that_are_known_or_copies_do_not_wait_to_be_labelled() {
        let aws = LocalAws::in_memory();
        for name in ["uploads", "training", "feedback"] {
            let bucket = BucketSpec {
                name: name.to_owned(),
                ..BucketSpec::default()
            };
            aws.s3.put_bucket(bucket).expect("a new bucket");
        }
        let uploads = Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), "uploads");
        let places = TextPlaces {
            training: uploads.other("training"),
            feedback: uploads.other("feedback"),
            uploads,
            classifier: "default".to_owned(),
        };
        let told = async |texts: &[&str]| {
            let lines = texts
                .iter()
                .map(|text| json!({ "sentence": text }).to_string() + "\n");
            let lines = lines.collect::<String>().into_bytes();
            let novelty = places.novelty_of(&lines).await.expect("the buckets are there");
            novelty.describe("b.jsonl")
        };
        let first = told(&["Rain today", "Snow today"]).await;
        let claims = Claims::new(places.feedback.clone(), Duration::from_secs(86_400));
        for text in ["Rain today", "Snow today"] {
            let form = format!("text-{}", form_of("default", text));
            claims.hand_over(&form, "r").await.expect("written");
        }

        let again = told(&["Rain today", "Snow today"]).await;
        let some = told(&["Rain today", "Sun today", "Sun today"]).await;

        assert_eq!(first, "2 texts wait to be labelled, of b.jsonl.");
        assert_eq!(
            again,
            "No text of b.jsonl is new. 2 texts were asked or answered before, or are waiting already."
        );
        assert_eq!(
            some,
            "1 text waits to be labelled, of b.jsonl. 1 text was asked or answered before, or is waiting already. \
             1 text is a copy of others in the file."
        );
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
