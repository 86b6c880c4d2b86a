//! Texts and labels out of what somebody has, into a stack here or on AWS: shown first, then done.

mod fates;
mod known;
mod plan;
mod preview;
mod store;
mod swapped;
mod upload;

use std::{fs, path::PathBuf};

use active_learning_aws::{
    self as aws,
    erased::ErasedList,
    label_set::LabelSets,
    personal_data::{Masking, Settings},
};
use active_learning_core::{
    MAX_UTTERANCE_BYTES,
    erasure::ERASED,
    feedback::InvalidFeedback,
    labels::label_set::{LabelSet, Origin},
    text::personal_data::Treatment,
};
use clap::Args;
use known::Known;
pub(crate) use known::are_asked;
use plan::Plan;
use serde_json::{Value, json};
use text_import::{Import, LabelDelimiter, Rejected, Summary};

use crate::{
    confirm::confirmed,
    labels::{Added, Made},
    outputs::StackOutputs,
    personal_data::{self, Counts},
    place::{Place, batch_bucket, sdk_config},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Name of the classifier where neither a file nor somebody names one and the stack does not tell: the default of
/// `DefaultClassifierName`.
const DEFAULT_CLASSIFIER: &str = "default";

/// Language in which Comprehend looks for personal data where no stack names one.
const LANGUAGE: &str = "en";

/// The command `import`.
#[derive(Debug, Args)]
pub struct Options {
    /// Files with texts: CSV of any kind, Excel (.xlsx), JSON, JSON Lines, exports of labelling tools; also
    /// with gzip
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Column or field of the texts: its name, or its number from 1 [default: told by name or content]
    #[arg(long, value_name = "COLUMN")]
    text_column: Option<String>,
    /// Column or field of the labels: its name, or its number from 1 [default: told by name or content]
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    /// What stands between several labels of one cell, or `none` [default: what cuts cells into labels that
    /// come again]
    #[arg(long, value_name = "SIGN", value_parser = label_delimiter)]
    label_delimiter: Option<LabelDelimiter>,
    /// What stands between columns, or `tab` [default: told by content]
    #[arg(long, value_name = "SIGN", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// Encoding, such as `windows-1251` [default: UTF-8, UTF-16 or Windows-1252, told by content]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// Sheet of a workbook [default: the first with texts, and those with the same columns]
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Takes the texts alone: people are asked about all of them
    #[arg(long, conflicts_with = "add_labels")]
    ignore_labels: bool,
    /// Makes new labels labels; without it they are proposed
    #[arg(long)]
    add_labels: bool,
    /// Takes several labels of a text, as a multi-label stack does that has no model yet; else the stack says whether
    /// texts have several (parameter ReviewSeveralLabels)
    #[arg(long)]
    several_labels: bool,
    /// Name of the classifier that the texts are of [default: the one that a file names, else the stack's]
    #[arg(long, value_name = "NAME")]
    classifier: Option<String>,
    /// That of the stack, where it is known.
    #[arg(skip)]
    default_classifier: Option<String>,
    /// Shows what was understood, and does nothing
    #[arg(long, conflicts_with = "yes")]
    preview: bool,
    /// Asks nothing
    #[arg(long)]
    yes: bool,
    /// Prints JSON; asks nothing, and does nothing without --yes
    #[arg(long)]
    json: bool,
    /// What becomes of personal data: keep, mask or comprehend [default: what the stack does with it]
    #[arg(long, value_name = "HOW")]
    personal_data: Option<Treatment>,
    /// Training bucket of a stack on AWS (output TrainingS3Bucket) [default: the running local stack]
    #[arg(long)]
    bucket: Option<String>,
    /// Feedback bucket of a stack on AWS (output FeedbackS3Bucket) [default: the one of the same stack]
    #[arg(long, requires = "bucket")]
    feedback_bucket: Option<String>,
    /// Batch bucket of a stack on AWS (output BatchUploadS3Bucket) [default: the one of the same stack]
    #[arg(long, requires = "bucket")]
    batch_bucket: Option<String>,
}

/// A file that was read.
pub(crate) struct File {
    /// Its name, without folders.
    pub name: String,
    /// What was understood of it.
    pub import: Import,
}

/// Shows what was understood of files, asks, and does it; `stack` finds the running stack. Returns whether it
/// was done.
///
/// Twice is once: the same labels are the same objects, the same texts the same file.
///
/// # Errors
///
/// What a file, the label set or a bucket refuses, in words.
pub async fn execute(
    mut options: Options,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<bool, Failure> {
    let found = Target::find(&options, stack).await;
    let mut files = read_files(&options, found.as_ref().ok().map(|target| &target.set))?;
    let mut target = match found {
        Ok(target) => Some(target),
        // What was understood can be seen without a stack.
        Err(_) if options.preview => None,
        Err(error) => return Err(error),
    };
    let masked = mask_and_refuse(&mut files, target.as_ref(), &options).await?;
    let place = target.as_ref().map(|target| &target.place);
    options.default_classifier = place.and_then(|place| place.default_classifier.clone());
    let set = target
        .as_ref()
        .map_or_else(|| set_of(&files), |target| target.set.clone());
    let mut plan = Plan {
        masked,
        keeps_what_the_stack_masks: target
            .as_ref()
            .map(|target| &target.masking)
            .is_some_and(|masking| !masking.is_off())
            && options.personal_data == Some(Treatment::Keep),
        ..Plan::of(&files, &set, &options)
    };
    let (mut planned_set, mut added) = (set, None);
    if let Some(target) = target.as_ref().filter(|_| options.add_labels) {
        (plan, planned_set) = plan.adding_labels(&files, &planned_set, &options)?;
        added = target.count_votes(&plan).await?;
    }
    let swapped = swapped::refusal(&files, target.as_ref().map(|target| &target.set), &options);
    plan.looks_swapped |= swapped.is_some();
    let mut known = match &target {
        Some(target) => Some(Known::of(&target.place, &planned_set, &plan).await?),
        None => None,
    };
    let does_nothing = options.preview || options.json && !options.yes;
    match options.json {
        true if does_nothing => println!("{:#}", as_json(&files, &plan, known.as_ref(), added.as_ref())),
        true => {}
        false => {
            print!("{}", preview::in_words(&files, &plan, known.as_ref()));
            print!("{}", preview::votes_in_words(added.as_ref()));
        }
    }
    if does_nothing {
        return Ok(true);
    }
    let (Some(target), Some(known)) = (&mut target, &mut known) else {
        return Ok(false);
    };
    if let Some(reason) = swapped {
        return Err(reason.into());
    }
    let asks = !options.yes;
    if plan.is_empty() {
        return Err("there is nothing to import".into());
    }
    let mut adds_labels = options.add_labels;
    if asks && !adds_labels && !plan.new_labels.is_empty() {
        adds_labels = confirmed("Make the new labels labels? Otherwise they are proposed.")?;
        if adds_labels {
            added = target.count_votes(&plan).await?;
            print!("{}", preview::votes_in_words(added.as_ref()));
        }
    }
    if asks && !confirmed("Import?")? {
        println!("Nothing was changed.");
        return Ok(false);
    }
    let mut made = None;
    if adds_labels && !plan.new_labels.is_empty() {
        made = target.add_labels(&plan, added.as_ref()).await?;
        plan = plan.again(&files, &target.set, &options);
        *known = Known::of(&target.place, &target.set, &plan).await?;
    }
    let done = store::store(&target.place, &target.batch, &target.set, &plan, known).await?;
    if options.json {
        let mut document = as_json(&files, &plan, Some(known), added.as_ref());
        document["done"] = json!(done);
        if let Some(made) = &made {
            document["askedAgain"] = json!(made.asked_again);
            document["contradicted"] = json!(made.contradicted);
        }
        println!("{document:#}");
    } else {
        print!("{}", made.map_or_else(String::new, |made| made.in_words()));
        print!("{}", preview::done_in_words(&done, &plan));
    }
    Ok(true)
}

/// Returns what was understood of files, and what becomes of votes by it.
fn as_json(files: &[File], plan: &Plan, known: Option<&Known>, added: Option<&Added>) -> Value {
    let mut document = preview::as_json(files, plan, known);
    document["askedAgain"] = json!(added.map(Added::asked_again));
    document["contradicted"] = json!(added.map(Added::contradicted));
    document
}

/// Makes a configuration for what asks no service.
fn offline() -> aws_config::SdkConfig {
    aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .build()
}

/// Makes the label set of files, by which they are planned where there is no stack.
fn set_of(files: &[File]) -> LabelSet {
    let rows = files.iter().flat_map(|file| &file.import.rows);
    let labels = Summary::of(rows).labels.into_iter().map(|label| label.name);
    LabelSet::seed(labels, Origin::InitialData, "")
}

/// Reads the files, by the label set of the stack where there is one.
fn read_files(options: &Options, set: Option<&LabelSet>) -> Result<Vec<File>, Failure> {
    let labels = set.iter().flat_map(|set| set.labels());
    let names = labels.flat_map(|label| std::iter::once(&label.name).chain(&label.synonyms));
    let names: Vec<String> = names.cloned().collect();
    let has_several = set.is_some_and(LabelSet::has_several_labels);
    let mut files = Vec::new();
    for path in &options.files {
        let shown = path.display();
        let name = path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let bytes = fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
        let reading = text_import::Options {
            name: Some(name.clone()),
            text_column: options.text_column.clone(),
            label_column: options.label_column.clone(),
            label_delimiter: options.label_delimiter.unwrap_or_default(),
            several_labels_of: has_several.then(|| names.clone()),
            labels: names.clone(),
            delimiter: options.delimiter,
            encoding: options.encoding.clone(),
            sheet: options.sheet.clone(),
        };
        let import = text_import::read(&bytes, &reading).map_err(|refusal| format!("{shown}: {refusal}"))?;
        files.push(File { name, import });
    }
    Ok(files)
}

/// Takes personal data out of the texts of files, as the stack does it or the user says. What a mask makes too long is rejected.
async fn mask(files: &mut [File], of_stack: Option<&Masking>, options: &Options) -> Result<Counts, Failure> {
    let mut counts = Counts::new();
    let by_option = match (options.personal_data, of_stack) {
        (Some(treatment), Some(masking)) => Some(masking.clone().with(treatment)?),
        (Some(treatment), None) => {
            let sdk = match treatment {
                Treatment::Comprehend => sdk_config(None).await,
                // Nobody is asked: neither for texts nor for credentials.
                Treatment::Keep | Treatment::Mask => offline(),
            };
            Some(Masking::new(Settings::new(treatment, LANGUAGE)?, &sdk))
        }
        (None, _) => None,
    };
    let Some(masking) = by_option.as_ref().or(of_stack) else {
        return Ok(counts);
    };
    for file in files {
        let rows = &mut file.import.rows;
        let found = masking
            .apply_to_all(rows.iter_mut().map(|row| &mut row.text))
            .await?;
        found
            .iter()
            .for_each(|kinds| personal_data::count(&mut counts, kinds));
        for row in rows.extract_if(.., |row| row.text.len() > MAX_UTTERANCE_BYTES) {
            file.import.rejected.push(Rejected {
                line: row.line,
                reason: InvalidFeedback::TooLong(row.text.len()).to_string(),
            });
        }
    }
    Ok(counts)
}

/// Takes personal data out of the texts of files, then refuses those that were erased, as they would be stored.
async fn mask_and_refuse(
    files: &mut [File],
    target: Option<&Target>,
    options: &Options,
) -> Result<Counts, Failure> {
    let masked = mask(files, target.map(|target| &target.masking), options).await?;
    if let Some(target) = target {
        refuse_erased(files, &target.place).await?;
    }
    Ok(masked)
}

/// Refuses rows whose texts were erased at a person's wish.
async fn refuse_erased(files: &mut [File], place: &Place) -> Result<(), Failure> {
    let erased = ErasedList::new(place.feedback.clone()).current().await?;
    for File { import, .. } in files {
        for row in import.rows.extract_if(.., |row| erased.contains(&row.text)) {
            import.rejected.push(Rejected {
                line: row.line,
                reason: ERASED.to_owned(),
            });
        }
    }
    Ok(())
}

/// Where texts and labels go.
struct Target {
    place: Place,
    batch: aws::bucket::Bucket,
    masking: Masking,
    sets: LabelSets,
    set: LabelSet,
}

impl Target {
    async fn find(
        options: &Options,
        stack: impl FnOnce() -> Result<StackOutputs, Failure>,
    ) -> Result<Self, Failure> {
        let mut batch = options.batch_bucket.clone();
        if let (Some(training), None) = (&options.bucket, &batch) {
            batch = Some(batch_bucket(training)?);
        }
        let (bucket, feedback) = (options.bucket.as_deref(), options.feedback_bucket.as_deref());
        let (mut of_stack, mut local) = (None, None);
        let place = Place::of(bucket, feedback, || {
            let stack = stack()?;
            of_stack = Some(stack.output("BatchUploadS3Bucket").to_owned());
            local = Some(stack.clone());
            Ok(stack)
        });
        let place = place.await?;
        let batch = place.training.other(batch.or(of_stack).unwrap_or_default());
        let endpoint = local.as_ref().map(|stack| stack.endpoint_url.as_str());
        let sdk = sdk_config(endpoint).await;
        let masking = match (&local, options.personal_data) {
            (Some(stack), _) => personal_data::of_running(stack, &sdk)?,
            // Whoever says it may lack the right to read it.
            (None, Some(treatment)) => match personal_data::of_bucket(&place.training, &sdk).await {
                Ok(of_stack) => of_stack,
                Err(_) => Masking::new(Settings::new(treatment, LANGUAGE)?, &sdk),
            },
            (None, None) => personal_data::of_bucket(&place.training, &sdk)
                .await
                .map_err(|error| format!("{error}, or say it with --personal-data"))?,
        };
        let several = place.several_labels || options.several_labels;
        let sets = LabelSets::new(place.training.clone()).with_several_labels(several);
        let set = sets
            .current()
            .await
            .map_err(|error| format!("does the stack run? {}", aws::failure::chain(&error)))?;
        let set = set.map_or_else(
            || LabelSet::none().with_several_labels(several),
            |set| set.as_ref().clone(),
        );
        Ok(Self {
            place,
            batch,
            masking,
            sets,
            set,
        })
    }

    /// Counts what becomes of the votes that there are when the new labels are labels; `None` where there is no new one.
    async fn count_votes(&self, plan: &Plan) -> Result<Option<Added>, Failure> {
        if plan.new_labels.is_empty() {
            return Ok(None);
        }
        let mut after = self.set.clone();
        plan.add_labels_to(&mut after)?;
        let added = Added::count(&self.place, &self.sets, &self.set, &after).await?;
        Ok(Some(added))
    }

    /// Makes the new labels labels: texts that no label fitted are asked again, and somebody else where votes contradict one
    /// another by it.
    async fn add_labels(&mut self, plan: &Plan, added: Option<&Added>) -> Result<Option<Made>, Failure> {
        let add = |set: &mut LabelSet| plan.add_labels_to(set);
        let made = match added {
            Some(added) => Some(added.make(add).await?),
            None => self.sets.edit(&aws::now(), add).await.map(|_| None)?,
        };
        if let Some(set) = self.sets.newest().await? {
            self.set = set.as_ref().clone();
        }
        Ok(made)
    }
}

fn label_delimiter(argument: &str) -> Result<LabelDelimiter, String> {
    let mut letters = argument.chars();
    match (argument, letters.next(), letters.next()) {
        ("none", ..) => Ok(LabelDelimiter::None),
        (_, Some(sign), None) => Ok(LabelDelimiter::Char(sign)),
        _ => Err("expected one character, or `none`".to_owned()),
    }
}

fn delimiter(argument: &str) -> Result<u8, String> {
    match argument.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [sign] if *sign != b'"' && !sign.is_ascii_alphanumeric() => Ok(*sign),
        _ => Err("expected one sign, or `tab`".to_owned()),
    }
}

#[cfg(test)]
mod tests;
