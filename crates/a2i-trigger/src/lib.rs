//! Lambda: delivered feedback into human loops.
//!
//! What becomes of the records of a delivered object is decided once and noted before it is done: see
//! `plan.rs`, and `recent_texts.rs` for what is like another text. So the same event again starts nothing new, wherever the run before it broke off. What is to be
//! asked becomes human loops whose names and input depend on nothing but the object's content; what a loop
//! asks is kept below `asked/` before it is started. With a review budget it waits in the backlog instead, until
//! it is selected: see `backlog.rs`, by vectors of its text where there are any: see `vectors.rs`. Texts to label, which
//! nobody complained about, wait in a pool: see `pool.rs`; those of which a serving model is not sure do not: see
//! `at_once.rs`. What came is counted by day: see `arrivals.rs`. Predictions that were accepted as labels ask nobody
//! anything; they go to the training bucket: see `machine_labels.rs`. Where the stack masks personal data by its form, that
//! of other producers is masked: see `masking.rs`.

mod arrivals;
mod asking;
mod at_once;
mod backlog;
mod config;
mod contradictions;
mod early_likes;
mod erased;
mod machine_labels;
mod masking;
mod near_duplicates;
mod opinions;
mod plan;
mod pool;
mod reader;
mod recent_texts;
mod sorter;
mod taken_back;
mod turn;
mod unknown_classes;
mod vectors;
mod words;

use std::sync::Arc;

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    claims::{ClaimError, Claims},
    classifier::Classifier,
    clients,
    erased::ErasedList,
    human_loops::{AskError, HumanLoops},
    label_set::LabelSets,
    lambda,
    model_arn::ModelArn,
    model_classes::ModelClasses,
    personal_data::Masking,
    questions::Questions,
    rejected::{self, RejectedObject},
    s3_event::{self, InvalidEvent, Invocation, S3Object},
};
use active_learning_core::{
    feedback::{FeedbackRecord, Signal, batch::ReadError},
    keys,
    labels::{
        human_loop::{AnsweredBy, Delivery},
        label_set::LabelSet,
        question::{Opinion, Question},
    },
};
use asking::ToAsk;
use aws_config::SdkConfig;
use aws_sdk_s3::error::BoxError;
use backlog::Waiting;
use chrono::{DateTime, Utc};
use lambda_runtime::{
    Diagnostic, LambdaEvent,
    tracing::{info, warn},
};
use opinions::{Said, WasAsked};
use plan::{Fate, Plan};
use serde::Deserialize;
use serde_json::Value;
use sorter::Sorter;
use tokio::sync::mpsc;

pub use config::Config;
pub use turn::free_turn;

/// The function's name in metrics and below `rejected/`.
const FUNCTION: &str = "a2i-trigger";

/// Calls that are under way to S3 at a time.
const CALLS_IN_FLIGHT: usize = 16;

/// What a schedule calls for.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Operation {
    /// Select from the backlog.
    Select,
}

/// Why an event could not be worked off; Lambda gives it again, and in the end to the failure destination.
#[derive(Debug, thiserror::Error)]
pub enum A2iTriggerError {
    /// The payload is not what S3 sends.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// The delivered object could not be fetched to its end.
    #[error("the delivered object could not be read")]
    Read(#[source] BoxError),
    /// A record could not be claimed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Lines that cannot be used could not be set aside.
    #[error("rejected lines could not be written")]
    Rejected(#[source] BucketError),
    /// Accepted predictions could not be stored.
    #[error("machine labels could not be written")]
    MachineLabels(#[source] BucketError),
    /// What becomes of the records could not be read or noted.
    #[error("plans, copies or the backlog could not be read or written")]
    Store(#[from] BucketError),
    /// The label set could not be read, or is damaged.
    #[error("the label set could not be read or made")]
    LabelSet(#[source] BucketError),
    /// A text's claim is that of something that nobody could have asked about.
    #[error("a claim names no question")]
    ForeignClaim,
    /// People could not be asked; the event is left for redelivery.
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl From<A2iTriggerError> for Diagnostic {
    fn from(error: A2iTriggerError) -> Self {
        let error_type = match &error {
            A2iTriggerError::InvalidEvent(_) => "InvalidEvent",
            A2iTriggerError::Read(_) => "Read",
            A2iTriggerError::Claim(_) => "Claim",
            A2iTriggerError::Rejected(_) => "Rejected",
            A2iTriggerError::MachineLabels(_) => "MachineLabels",
            A2iTriggerError::Store(_) => "Store",
            A2iTriggerError::LabelSet(_) => "LabelSet",
            A2iTriggerError::ForeignClaim => "ForeignClaim",
            A2iTriggerError::Ask(error) => error.error_type(),
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// The function.
#[derive(Debug)]
pub struct A2iTrigger {
    feedback: Bucket,
    training: Bucket,
    claims: Claims,
    human_loops: HumanLoops,
    questions: Questions,
    label_sets: LabelSets,
    erased: ErasedList,
    comprehend: aws_sdk_comprehend::Client,
    classifier: Classifier,
    model_arn: ModelArn,
    model_classes: ModelClasses,
    masking: Masking,
    config: Config,
}

impl A2iTrigger {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let feedback = Bucket::new(aws_sdk_s3::Client::new(sdk), &config.feedback_bucket);
        let training = feedback.other(&config.training_bucket);
        let a2i = clients::a2i(sdk, config.human_review_url.as_deref());
        let comprehend = clients::comprehend(sdk, config.classifier.url.as_deref());
        let classifier = Classifier::new(sdk, config.classifier.clone(), training.clone());
        Self {
            claims: Claims::new(feedback.clone(), config.claim_retention),
            human_loops: HumanLoops::new(feedback.clone(), a2i, config.workflow_arn.clone()),
            questions: Questions::new(FUNCTION, feedback.clone(), training.clone()),
            label_sets: LabelSets::new(training.clone()).with_several_labels(config.several_labels),
            erased: ErasedList::new(feedback.clone()),
            model_classes: ModelClasses::new(training.clone()),
            masking: masking::by_form(config.personal_data, sdk),
            training,
            feedback,
            model_arn: ModelArn::new(classifier.clone()),
            comprehend,
            classifier,
            config,
        }
    }

    /// Works off what an S3 event names, or selects from the backlog: `{"operation": "select"}`, or when a human loop
    /// is done with, which S3 tells by what was removed from `asked/`.
    ///
    /// Idempotent: the same object again starts no further human loop, also after a run that broke off.
    ///
    /// # Errors
    ///
    /// [`A2iTriggerError`], that of the first object that failed; the others are worked off.
    pub async fn handle(&self, payload: Value) -> Result<(), A2iTriggerError> {
        self.handle_at(payload, Utc::now()).await
    }

    /// Does what [`A2iTrigger::handle`] does, as if it were `now`.
    ///
    /// # Errors
    ///
    /// As [`A2iTrigger::handle`].
    pub async fn handle_at(&self, payload: Value, now: DateTime<Utc>) -> Result<(), A2iTriggerError> {
        let today = now.format("%Y-%m-%d").to_string();
        // Boxed as in `for_each`.
        match Invocation::parse(payload)? {
            Invocation::Operation(Operation::Select) => Box::pin(self.select(&today)).await,
            Invocation::Objects(objects) => {
                let (answered, delivered): (Vec<_>, Vec<_>) = objects
                    .into_iter()
                    .partition(|object| object.key.starts_with(keys::ASKED_FOLDER));
                let work_off = async |object| self.work_off(&object, &today).await;
                let outcome = s3_event::for_each(delivered, work_off).await;
                let has_limit = self.config.review_budget > 0 || self.config.pool_texts_in_review > 0;
                if !has_limit && answered.is_empty() {
                    return outcome;
                }
                outcome.and(Box::pin(self.select(&today)).await)
            }
        }
    }

    async fn work_off(&self, object: &S3Object, today: &str) -> Result<(), A2iTriggerError> {
        if self.feedback.other(&object.bucket).is_left(&object.key).await? {
            info!(object.key, "texts were erased from what was worked off before");
            return Ok(());
        }
        if keys::is_withdrawn_feedback(&object.key) {
            return Box::pin(self.take_back_delivered(object)).await;
        }
        if keys::is_contradicted_feedback(&object.key) {
            return Box::pin(self.contradict_delivered(object)).await;
        }
        if keys::is_decided_feedback(&object.key) {
            return Box::pin(self.decide_delivered(object)).await;
        }
        // Without its ETag: whatever lies there is what was delivered.
        let body = self.feedback.other(&object.bucket).open(&object.key).await;
        let Some(body) = body.map_err(|error| A2iTriggerError::Read(error.into()))? else {
            warn!(object.bucket, object.key, "the delivered object is gone");
            return Ok(());
        };
        let (sender, mut receiver) = mpsc::channel(1);
        let reading = reader::start(body, sender);
        let erased = self.erased.current().await?;
        let to_judge = self.config.pool_texts_in_review.min(pool::MAX_PREDICTED);
        let mut sorter = Sorter::judging(to_judge, erased);
        let masks = !self.masking.is_off() && !keys::is_feedback_again(&object.key);
        let mut parts = 0;
        while let Some(mut lines) = receiver.recv().await {
            if masks {
                // A masked text is not known as erased any more: what is erased by now is left to the sorter.
                sorter.erased = self.erased.current().await?;
                masking::mask(&self.masking, &sorter.erased, &mut lines).await;
            }
            // Nobody waits for the end of a large file; whatever is chosen of a budget is chosen of all.
            if parts == 1 && self.config.review_budget == 0 && self.config.pool_texts_in_review > 0 {
                Box::pin(self.select(today)).await?;
            }
            parts += 1;
            for rejected in sorter.sort(lines) {
                self.set_aside(object, rejected).await?;
            }
            if let Some(part) = sorter.machine_labels.full() {
                self.store_machine_labels(object, part).await?;
            }
            Box::pin(self.see_to(object, &mut sorter, today)).await?;
        }
        reader::finished(reading)
            .await
            .map_err(|error: ReadError| A2iTriggerError::Read(error.into()))?;
        if let Some(rejected) = sorter.rejected.finish() {
            self.set_aside(object, rejected).await?;
        }
        if let Some(part) = sorter.machine_labels.finish() {
            self.store_machine_labels(object, part).await?;
        }
        sorter.report(object);
        self.count_arrivals(object, &sorter.came, today).await?;
        self.note_worked_off(object, sorter.counts.erased > 0).await
    }

    /// Plans what becomes of the records at hand, and does it.
    async fn see_to(
        &self,
        object: &S3Object,
        sorter: &mut Sorter,
        today: &str,
    ) -> Result<(), A2iTriggerError> {
        self.leave_out_erased(sorter).await?;
        let said = sorter.records.iter().chain(&sorter.repeated).chain(&sorter.likes);
        self.learn_new_names(said).await?;
        let records = std::mem::take(&mut sorter.records);
        let erased = std::mem::take(&mut sorter.in_place);
        let known = records.iter().filter(|record| !erased.contains(&record.id));
        self.note_unknown_classes(known).await?;
        let plan_key = plan::plan_key(object, &records);
        let same_text = |record: FeedbackRecord| (record.id.clone(), record);
        let mut copies: Vec<_> = sorter.repeated.drain(..).map(same_text).collect();
        let mut plan = if records.is_empty() {
            Plan::default()
        } else {
            Box::pin(self.plan(object, (&records, &erased), today, &mut sorter.to_judge)).await?
        };
        let (mut to_ask, mut answered_by, mut waiting) = (Vec::new(), AnsweredBy::new(), Vec::new());
        for mut record in records {
            match plan.fates.remove(&record.id) {
                Some(Fate::AskOthers(workers)) => {
                    answered_by.insert(record.id.clone(), workers);
                    to_ask.push(record);
                }
                Some(Fate::Ask) => {
                    if record.is_unlabelled() && self.is_asked_without_choice(&record) {
                        record.selection_probability = Some(1.0);
                    }
                    to_ask.push(record);
                }
                _ if erased.contains(&record.id) => {}
                None => {
                    sorter.counts.asked_before += 1;
                    copies.push(same_text(record));
                }
                Some(Fate::Wait {
                    explored,
                    is_doubtful,
                }) => {
                    sorter.came.count_asked(record.signal);
                    waiting.push(Waiting {
                        record,
                        explored,
                        is_doubtful,
                    });
                }
                Some(Fate::CopyOf(original)) => {
                    sorter.counts.near_duplicates += 1;
                    copies.push((original, record));
                }
            }
        }
        sorter.counts.backlogged += waiting.len() as u64;
        self.keep_copies(copies.clone()).await?;
        self.put_in_backlog(waiting).await?;
        let mut known = std::mem::take(&mut plan.left_out);
        known.extend(erased);
        let left_out = self.left_out(object, &to_ask, &known, sorter).await?;
        if !left_out.is_empty() {
            self.note_left_out(&plan_key, &left_out).await?;
        }
        let to_ask = ToAsk {
            records: to_ask,
            answered_by,
            left_out: &known | &left_out,
            items_per_task: plan.items_per_task,
            delivery: Delivery {
                bucket: &object.bucket,
                key: &object.key,
            },
        };
        sorter.counts.human_loops += Box::pin(self.ask(to_ask)).await?;
        self.hear_early_of_copies(&copies).await?;

        let likes = sorter.likes.drain(..).map(|record| Said {
            question_id: record.id.clone(),
            record,
            asked: WasAsked::Maybe,
        });
        let copies = copies.into_iter().map(|(question_id, record)| Said {
            question_id,
            record,
            asked: WasAsked::Certainly,
        });
        let heard = self.hear(copies.chain(likes).collect()).await?;
        sorter.counts.heard = sorter.counts.heard.and(heard);
        Ok(())
    }

    /// Returns the label set; where there is none yet, the configured classes make one.
    pub(crate) async fn labels(&self) -> Result<Arc<LabelSet>, A2iTriggerError> {
        let now = active_learning_aws::now();
        let labels = self.label_sets.current_or_seed(&self.config.classes, &now);
        labels.await.map_err(A2iTriggerError::LabelSet)
    }

    /// Has the label set read anew where users name what it does not know as it was read last: a name may have come since, and what
    /// they say by it contradicts nothing.
    async fn learn_new_names(
        &self,
        said: impl Iterator<Item = &FeedbackRecord>,
    ) -> Result<(), A2iTriggerError> {
        let mut said = said
            .filter(|record| Opinion::of(record) != Opinion::None)
            .peekable();
        if said.peek().is_none() {
            return Ok(());
        }
        let labels = self.labels().await?;
        let mut names = said.flat_map(|record| record.suggested_label.iter().chain(&record.prediction));
        if names.any(|names| labels.names(names).is_none()) {
            self.label_sets.forget().await;
        }
        Ok(())
    }

    /// Changes a question by the label set, as [`Questions::change_by`] does.
    pub(crate) async fn change_question<T>(
        &self,
        record_id: &str,
        mut change: impl FnMut(&mut Option<Question>, &LabelSet) -> T,
    ) -> Result<T, A2iTriggerError> {
        let labels = self.labels().await?;
        let change = |question: &mut Option<Question>, newer: Option<&LabelSet>| {
            change(question, newer.unwrap_or(&labels))
        };
        let changed = self.questions.change_by(&self.label_sets, record_id, change);
        Ok(changed.await?)
    }

    /// Returns the classes of the model that serves; none where it is not known which they are.
    pub(crate) async fn serving_classes(&self) -> Arc<[String]> {
        let Some(model) = self.model_arn.get().await else {
            return Arc::default();
        };
        self.model_classes.of(&model).await.unwrap_or_else(|error| {
            warn!(
                error = active_learning_aws::failure::chain(&error),
                model, "people are asked without the classes that only the model has"
            );
            Arc::default()
        })
    }

    /// Returns the label set, not older than the change that asks about a record again.
    pub(crate) async fn labels_for(
        &self,
        records: &[FeedbackRecord],
    ) -> Result<Arc<LabelSet>, A2iTriggerError> {
        let asked_anew = records.iter().filter(|record| record.signal == Signal::Relabel);
        let changed_at = asked_anew.map(|record| record.received_at.as_str()).max();
        self.labels_since(changed_at.unwrap_or_default()).await
    }

    /// Returns the label set, not older than a change of it.
    pub(crate) async fn labels_since(&self, changed_at: &str) -> Result<Arc<LabelSet>, A2iTriggerError> {
        let labels = self.labels().await?;
        if labels.updated_at() >= changed_at {
            return Ok(labels);
        }
        self.label_sets.forget().await;
        self.labels().await
    }

    async fn set_aside(&self, object: &S3Object, lines: RejectedObject) -> Result<(), A2iTriggerError> {
        let name = keys::result_name(&object.bucket, &object.key, &object.etag);
        let put = rejected::put(&self.feedback, FUNCTION, &name, lines).await;
        put.map_err(A2iTriggerError::Rejected)
    }
}

/// Runs the function in its Lambda environment.
///
/// # Errors
///
/// A wrong configuration, or the Lambda runtime's own failure.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let (env, sdk) = lambda::start().await;
    let a2i_trigger = &A2iTrigger::new(lambda::configured(&env, Config::from_env(&env))?, &sdk);
    lambda::run_events(|event: LambdaEvent<Value>| a2i_trigger.handle(event.payload)).await
}
