//! The first model: puts training data where the classifier looks for it, and waits for its answer.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use active_learning_aws::{
    bucket::{Bucket, BucketError, CSV, Listed},
    erased::ErasedList,
    failure::chain,
    label_set::LabelSets,
    overview::FAILED_EVENTS,
};
use active_learning_core::{
    dataset::{
        Mode, ONLY_LABEL, TrainingFileReport, TrainingFileState, is_initial_file, is_shipped_sample,
        report_key,
    },
    erasure::ErasedTexts,
    text::counted_as,
};
use aws_sdk_comprehend::{
    error::SdkError, operation::classify_document::ClassifyDocumentError, primitives::DateTime,
    types::EndpointProperties,
};
use erasure::{
    rewrite::{Left, Shape, rewrite},
    wanted::Wanted,
};
use text_classifier::{SERVICE_FAILED, STATE_MAX_AGE};
use text_model::{TrainingDataError, TrainingSet};

use local_stack::boot::Running;

use crate::{
    labelled_texts::tell_repairs, personal_data, phases::Phases, welcome::Examples, wording::listed,
};

/// The sample data that is shipped: news in four categories, Comprehend CSV.
pub const SAMPLE_DATA: &[u8] = include_bytes!("../data/news.csv");

/// Template output that names the bucket of training data.
const BUCKET_OUTPUT: &str = "TrainingS3Bucket";
/// Template output that names the bucket of feedback, and of events that failed.
const FEEDBACK_OUTPUT: &str = "FeedbackS3Bucket";
/// Template output with the ARN of the endpoint that classifies.
const ENDPOINT_OUTPUT: &str = "ComprehendEndpointArnInUse";
/// Signing name of the built-in classifier.
const SIGNING_NAME: &str = "comprehend";

const FOLDER: &str = "initial/";
const KEY: &str = "initial/training-data.csv";
/// Where the sample is put: its name says that it is one, so that data of the user's own replaces it.
const SAMPLE_KEY: &str = "initial/sample-news.csv";

/// Largest training file that is compared with one of before, as the classifier reads them.
const MAX_TRAINING_FILE_BYTES: u64 = 1 << 30;

/// Failed events and training files that are counted.
const MAX_LISTED: usize = 1_000;

/// How long the function may take to say that it has no model; a training takes as long as it takes.
const READY_WITHIN: Duration = Duration::from_secs(120);
const BETWEEN_TRIES: Duration = Duration::from_millis(200);
/// Time between two looks at functions that cannot start.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Whether a model serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasModel(pub bool);

/// Why there is no first model.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The user's file cannot be read.
    #[error("the training data {0} cannot be read")]
    File(PathBuf, #[source] io::Error),
    /// The classifier would not take the user's file.
    #[error("the training data {0} cannot be used")]
    Data(PathBuf, #[source] TrainingDataError),
    /// The bucket cannot be read or written.
    #[error("the training data cannot be stored")]
    Storage(#[from] BucketError),
    /// Personal data could not be taken out of the user's file.
    #[error("personal data could not be taken out of the training data")]
    NotMasked(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The user's file holds erased texts only.
    #[error("every text of the training data was erased at a person's wish: give a file of others")]
    Erased,
    /// No file can be trained on.
    #[error("{0}")]
    Refused(String),
    /// The model that serves needs something else than there is.
    #[error(
        "No text is classified: {reason}. Start with the text encoder of before, or have a model made with this one: \
         `--training-data FILE`. What people have labelled is datasets/<version>/train.csv in the training bucket"
    )]
    Unserved {
        /// What the classifier says.
        reason: String,
    },
    /// The data that the classifier needs is damaged.
    #[error(
        "No text is classified: the data of {} is damaged or gone. Put the file back from a copy of the state folder, bring \
         another model back (`rollback`), or have one made: `--training-data FILE`",
        listed(.objects, Clone::clone)
    )]
    Damaged {
        /// The objects, and their files.
        objects: Vec<String>,
    },
    /// The function failed as often as it is tried.
    #[error("training failed; the state folder's logs say why, and the next start tries again")]
    Failed,
    /// A function does not start.
    #[error(
        "the function {function} cannot start: {}. Its log is logs/{function}.log in the state folder. A template of \
         another version of this program may lack what it needs (--template)",
        reason.strip_prefix("error: ").unwrap_or(reason)
    )]
    NotStarted {
        /// Name of the function.
        function: String,
        /// What its process said last.
        reason: String,
    },
    /// The classifier does not answer in time.
    #[error("the classifier did not answer within {within} s: {reason}", within = READY_WITHIN.as_secs())]
    NotReady {
        /// What it said last.
        reason: String,
    },
}

/// Reads the user's training data, checks it as the classifier will, and tells what is read otherwise than
/// it is written.
///
/// # Errors
///
/// [`TrainingError::File`] and [`TrainingError::Data`].
pub fn read(path: &Path) -> Result<Vec<u8>, TrainingError> {
    let data = std::fs::read(path).map_err(|error| TrainingError::File(path.to_owned(), error))?;
    let set = TrainingSet::read_csv_where(&data[..], Mode::MultiClass, &|_| None, &|_| true);
    let set = set.map_err(|error| TrainingError::Data(path.to_owned(), error))?;
    tell_repairs(path, &set.repairs);
    Ok(data)
}

/// Makes the built-in classifier ready: `data`, if given, replaces what it learned from; without it
/// `sample` is used the first time, unless the stack begins, or began, with labels and no data. Does nothing for a
/// template without that classifier.
///
/// # Errors
///
/// [`TrainingError`].
pub async fn prepare(
    stack: &Running,
    data: Option<Vec<u8>>,
    sample: &[u8],
) -> Result<HasModel, TrainingError> {
    let built_in = (stack.plan.signing_names.iter()).any(|(name, _)| name == SIGNING_NAME);
    let (Some(bucket), true) = (stack.outputs.get(BUCKET_OUTPUT), built_in) else {
        return Ok(HasModel(true));
    };
    let bucket = Bucket::new(aws_sdk_s3::Client::new(&stack.aws.sdk_config()), bucket);
    let data = match data {
        Some(data) => {
            let data = without_personal_data(stack, data).await?;
            let erased = ErasedList::new(bucket.clone()).current().await?;
            let data = without_erased_texts(data, &erased)?;
            is_new(stack, &bucket, &data).await?.then_some((KEY, data))
        }
        None if !bucket.list_after(FOLDER, "", 1).await?.is_empty() => None,
        None if has_labels(&bucket).await? => {
            return wait_or_tell(stack).await;
        }
        None => Some((SAMPLE_KEY, sample.to_vec())),
    };
    offer_again(&bucket).await?;
    let mut waiting = Waiting::of(stack, &bucket).await?;
    if let Some((key, data)) = data {
        waiting.file = Some(key);
        waiting.replaced = replaced(stack).await?;
        bucket.put(key, CSV, data).await?;
    }
    match waiting.until_ready().await {
        // People can go on without it.
        Err(TrainingError::Refused(reason)) if waiting.file.is_none() && has_labels(&bucket).await? => {
            eprintln!("{reason}");
            return wait_or_tell(stack).await;
        }
        Err(unserved) if unserved.is_of_model() => eprintln!("! {unserved}"),
        ready => ready?,
    }
    for file in model_building::training_files(&bucket).await? {
        if file.state != TrainingFileState::Taken {
            eprintln!("{}", model_building::describe_training_file(&file));
        }
    }
    Ok(HasModel(true))
}

/// Puts those files there anew that wait for the text encoder: another one may be chosen now, of which no event tells.
async fn offer_again(training: &Bucket) -> Result<(), BucketError> {
    for report in model_building::training_files(training).await? {
        if report.state != TrainingFileState::Waiting {
            continue;
        }
        if let Some(file) = training.read(&report.key, MAX_TRAINING_FILE_BYTES).await? {
            // What is said of it from now on is of this encoder.
            training.delete(&report_key(&report.key)).await?;
            training.put(&report.key, CSV, file.bytes).await?;
        }
    }
    Ok(())
}

/// Returns whether the user's file is to be learned from, and tells what that means for the model that serves: where the file
/// of before was taken and another model serves by now, it would only take back what people have taught since.
async fn is_new(stack: &Running, training: &Bucket, data: &[u8]) -> Result<bool, TrainingError> {
    match wait_until_it_answers(stack).await {
        Ok(HasModel(true)) => {}
        Ok(HasModel(false)) => return Ok(true),
        Err(error) if error.is_of_model() => return Ok(true),
        Err(error) => return Err(error),
    }
    let stored = training.read(KEY, MAX_TRAINING_FILE_BYTES).await?;
    if stored.is_none_or(|stored| stored.bytes != data) {
        println!(
            "Training data: a model that learns from this file takes the place of the one that serves; `rollback` undoes it."
        );
        return Ok(true);
    }
    let reports = model_building::training_files(training).await?;
    let taken = reports.into_iter().find(|report| report.key == KEY);
    let taken = taken.filter(|report| report.state == TrainingFileState::Taken);
    let (own, serves) = (
        taken.and_then(|report| report.model_arn),
        serving_model(stack).await,
    );
    // Where its own model serves, it is trained again if that would be another one by now: with another encoder, say.
    let is_replaced = own.is_some() && serves.is_some() && own != serves;
    if is_replaced {
        println!(
            "Training data: the file is that of before, and another model serves since. That one stays; `versions` says what it \
             learned from."
        );
    }
    Ok(!is_replaced)
}

/// Takes personal data out of the user's file where the stack does so, and tells what.
async fn without_personal_data(stack: &Running, data: Vec<u8>) -> Result<Vec<u8>, TrainingError> {
    let masking = personal_data::of_starting(stack).map_err(TrainingError::NotMasked)?;
    let masked = personal_data::mask_csv(&masking, data).await;
    let (data, counts) = masked.map_err(TrainingError::NotMasked)?;
    if !counts.is_empty() {
        println!("Training data: {}.", personal_data::in_words(&counts));
    }
    Ok(data)
}

/// Takes texts out of the user's file that were erased at a person's wish, and tells how many: the file is likely the one
/// of before.
fn without_erased_texts(data: Vec<u8>, erased: &ErasedTexts) -> Result<Vec<u8>, TrainingError> {
    let wanted = Wanted::new([], erased.clone());
    let (data, rows) = match rewrite(Shape::Rows, &data, &wanted) {
        Left::All | Left::Unread { .. } => return Ok(data),
        Left::Nothing { .. } => return Err(TrainingError::Erased),
        Left::Rest { bytes, pieces } => (bytes, pieces),
    };
    let rows = counted_as(
        rows,
        "row is left out, whose text was",
        "rows are left out, whose texts were",
    );
    println!("Training data: {rows} erased at a person's wish. Take them out of the file too.");
    Ok(data)
}

/// Returns whether the classifier learned from the sample that is shipped, or from data of the user's own.
///
/// # Errors
///
/// When the bucket fails.
pub async fn examples(training: &Bucket) -> Result<Examples, BucketError> {
    let files = training.list_after(FOLDER, "", MAX_LISTED).await?;
    let is_own = |file: &Listed| is_initial_file(&file.key) && !is_shipped_sample(&file.key, "");
    Ok(match files.is_empty() || files.iter().any(is_own) {
        true => Examples::Own,
        false => Examples::News,
    })
}

async fn has_labels(training: &Bucket) -> Result<bool, BucketError> {
    let set = LabelSets::new(training.clone()).current().await?;
    Ok(set.is_some())
}

/// The wait for a model of a training file.
struct Waiting<'a> {
    stack: &'a Running,
    training: &'a Bucket,
    /// Where events that failed lie, and what their keys begin with.
    failed: Option<(Bucket, String)>,
    /// What lay there before.
    failed_before: usize,
    /// Key of the file that is waited for; without one any will do.
    file: Option<&'static str>,
    /// When the model was put in service that is to be replaced.
    replaced: Option<DateTime>,
}

impl<'a> Waiting<'a> {
    async fn of(stack: &'a Running, training: &'a Bucket) -> Result<Self, TrainingError> {
        let mut waiting = Self {
            stack,
            training,
            failed: failed_events(stack, training),
            failed_before: 0,
            file: None,
            replaced: None,
        };
        waiting.failed_before = waiting.failed_events().await?;
        Ok(waiting)
    }

    /// Waits as long as the file may still become a model: until it serves, the file is refused, or the function has
    /// failed as often as it is tried. Says every few seconds that it goes on.
    async fn until_ready(&self) -> Result<(), TrainingError> {
        let progress = Phases::default();
        let end = self.end(&progress).await;
        progress.end();
        end
    }

    async fn end(&self, progress: &Phases) -> Result<(), TrainingError> {
        // Asked itself: a request to the API would leave a record for review.
        let comprehend = aws_sdk_comprehend::Client::new(&self.stack.aws.sdk_config());
        // A file of before is trained only if there is no model of it yet.
        let mut is_training = self.file.is_some();
        loop {
            let question = comprehend.classify_document().endpoint_arn(endpoint(self.stack));
            let answer = question.text("Ready?").send().await;
            is_training |= answer.as_ref().is_err_and(has_no_model);
            // A model of the file that is waited for takes the place of one that cannot be used.
            if self.file.is_none()
                && let Some(unserved) = answer
                    .as_ref()
                    .err()
                    .and_then(|error| unserved(self.stack, error))
            {
                return Err(unserved);
            }
            let answers = answer.is_ok();
            if answers && self.replaced.is_none() {
                return Ok(());
            }
            if answers && last_change(self.stack).await > self.replaced {
                // Another process of the function may serve the model before for a moment.
                tokio::time::sleep(STATE_MAX_AGE).await;
                return Ok(());
            }
            check_starts(self.stack)?;
            if let Some(refused) = self.refused().await? {
                return Err(TrainingError::Refused(refused));
            }
            if self.failed_events().await? > self.failed_before {
                return Err(TrainingError::Failed);
            }
            progress.begin(match (is_training, self.replaced) {
                (false, _) => "Starting the classifier",
                (true, None) => "Training the first model",
                (true, Some(_)) => "Training a model of the new file",
            });
            progress.show();
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// Returns why there will be no model: the file is not taken, or none of those that lie there is.
    async fn refused(&self) -> Result<Option<String>, BucketError> {
        let files = model_building::training_files(self.training).await?;
        let untaken = |file: &&TrainingFileReport| {
            file.state != TrainingFileState::Taken || file.repairs.iter().any(|told| told == ONLY_LABEL)
        };
        let refused = match self.file {
            Some(key) => files.iter().find(|file| file.key == key).filter(untaken),
            None => {
                let listed = self.training.list_after(FOLDER, "", MAX_LISTED).await?;
                let all = listed.iter().filter(|file| is_initial_file(&file.key)).count();
                let none_is_taken = files.len() == all && files.iter().all(|file| untaken(&file));
                files.first().filter(|_| none_is_taken)
            }
        };
        Ok(refused.map(model_building::describe_training_file))
    }

    async fn failed_events(&self) -> Result<usize, BucketError> {
        match &self.failed {
            Some((bucket, prefix)) => Ok(bucket.list_after(prefix, "", MAX_LISTED).await?.len()),
            None => Ok(0),
        }
    }
}

/// Gives up once a function cannot start: what waits for it would wait for ever.
fn check_starts(stack: &Running) -> Result<(), TrainingError> {
    match stack.aws.lambda.failed_starts().into_iter().next() {
        Some((function, reason)) => Err(TrainingError::NotStarted { function, reason }),
        None => Ok(()),
    }
}

/// Says of each function that cannot start why, once.
pub async fn tell_failed_starts(stack: &Running) {
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    loop {
        for (function, reason) in stack.aws.lambda.failed_starts() {
            if told.insert((function.clone(), reason.clone())) {
                eprintln!("! {}", TrainingError::NotStarted { function, reason });
            }
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Returns where the events of the built-in classifier lie that failed to the end.
fn failed_events(stack: &Running, training: &Bucket) -> Option<(Bucket, String)> {
    let (_, url) = (stack.plan.signing_names.iter()).find(|(name, _)| name == SIGNING_NAME)?;
    let url = stack.plan.function_urls.iter().find(|other| other.id == *url)?;
    let feedback = training.other(stack.outputs.get(FEEDBACK_OUTPUT)?);
    Some((feedback, format!("{FAILED_EVENTS}{}/", url.function_name)))
}

/// Returns whether the classifier says that it has no model.
fn has_no_model(error: &SdkError<ClassifyDocumentError>) -> bool {
    let error = error.as_service_error();
    error.is_some_and(ClassifyDocumentError::is_resource_unavailable_exception)
}

/// Waits until the classifier answers, be it that it has no model yet.
async fn wait_until_it_answers(stack: &Running) -> Result<HasModel, TrainingError> {
    let comprehend = aws_sdk_comprehend::Client::new(&stack.aws.sdk_config());
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    loop {
        let question = comprehend.classify_document().endpoint_arn(endpoint(stack));
        let error = match question.text("Ready?").send().await {
            Ok(_) => return Ok(HasModel(true)),
            Err(error) => error,
        };
        if has_no_model(&error) {
            return Ok(HasModel(false));
        }
        if let Some(unserved) = unserved(stack, &error) {
            return Err(unserved);
        }
        check_starts(stack)?;
        if tokio::time::Instant::now() > deadline {
            let reason = chain(&error);
            return Err(TrainingError::NotReady { reason });
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// Waits as [`wait_until_it_answers`], and goes on with a model that cannot be used, which people are told: until another
/// one is made, they label.
async fn wait_or_tell(stack: &Running) -> Result<HasModel, TrainingError> {
    match wait_until_it_answers(stack).await {
        Err(unserved) if unserved.is_of_model() => {
            eprintln!("! {unserved}");
            Ok(HasModel(true))
        }
        answer => answer,
    }
}

impl TrainingError {
    /// Returns whether it is the serving model's, without which people can go on.
    fn is_of_model(&self) -> bool {
        matches!(self, Self::Unserved { .. } | Self::Damaged { .. })
    }
}

/// Returns why the classifier does not answer, if waiting does not help: what it says itself, or that data is damaged
/// which was asked for.
fn unserved(stack: &Running, error: &SdkError<ClassifyDocumentError>) -> Option<TrainingError> {
    if let Some(reason) = lasting(error) {
        return Some(TrainingError::Unserved { reason });
    }
    let failed = |error: &ClassifyDocumentError| error.is_internal_server_exception();
    if !error.as_service_error().is_some_and(failed) {
        return None;
    }
    let training = stack.outputs.get(BUCKET_OUTPUT)?;
    let mut damaged = stack.aws.s3.damaged_objects().ok()?;
    damaged.retain(|object| object.was_refused && object.bucket == *training);
    let objects: Vec<String> = damaged.iter().map(ToString::to_string).collect();
    (!objects.is_empty()).then_some(TrainingError::Damaged { objects })
}

/// Returns why the classifier says that it does not answer, if waiting does not help.
fn lasting(error: &SdkError<ClassifyDocumentError>) -> Option<String> {
    let error = error
        .as_service_error()
        .filter(|error| error.is_internal_server_exception())?;
    let reason = error
        .meta()
        .message()
        .filter(|reason| *reason != SERVICE_FAILED)?;
    Some(reason.to_owned())
}

/// Returns when the model was put in service that is to be replaced; `None` if there is none. A function that has just
/// been started may not answer yet: then the model before would be taken for the new one.
async fn replaced(stack: &Running) -> Result<Option<DateTime>, TrainingError> {
    match wait_until_it_answers(stack).await {
        Ok(HasModel(false)) => return Ok(None),
        Ok(HasModel(true)) => {}
        Err(error) if error.is_of_model() => {}
        Err(error) => return Err(error),
    }
    loop {
        if let Some(changed) = last_change(stack).await {
            return Ok(Some(changed));
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// Returns when the classifier's model was last put in service; `None` if there is none yet.
async fn last_change(stack: &Running) -> Option<DateTime> {
    described(stack).await?.last_modified_time
}

/// Returns the ARN of the classifier's model that serves; `None` if there is none.
async fn serving_model(stack: &Running) -> Option<String> {
    described(stack).await?.model_arn
}

async fn described(stack: &Running) -> Option<EndpointProperties> {
    let comprehend = aws_sdk_comprehend::Client::new(&stack.aws.sdk_config());
    let description = comprehend.describe_endpoint().endpoint_arn(endpoint(stack));
    description.send().await.ok()?.endpoint_properties
}

fn endpoint(stack: &Running) -> &str {
    stack.outputs.get(ENDPOINT_OUTPUT).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_shipped_sample_is_known_by_its_key_and_in_older_states_by_its_content() {
        let sha256 = hex::encode(Sha256::digest(SAMPLE_DATA));

        assert!(is_shipped_sample(SAMPLE_KEY, "") && is_shipped_sample(KEY, &sha256));
        assert!(!is_shipped_sample(KEY, ""));
    }

    #[test]
    fn a_file_given_again_brings_no_erased_text_back() {
        let mut erased = ErasedTexts::default();
        erased.insert("Where is my parcel?");
        let left = |file: &str| without_erased_texts(file.as_bytes().to_vec(), &erased);

        let rest = left("billing,Pay twice\ndelivery,\"where is  my PARCEL?\"\nlogin,No way in\n");
        let others = left("billing,Pay twice\n");
        let none = left("delivery,Where is my parcel?\n");

        assert_eq!(
            rest.expect("texts are left"),
            b"billing,Pay twice\nlogin,No way in\n"
        );
        assert_eq!(others.expect("texts are left"), b"billing,Pay twice\n");
        assert!(matches!(none, Err(TrainingError::Erased)), "{none:?}");
    }
}
