//! Prepares the items of a file before anything is made of them: takes personal data out, and holds what they say against the
//! predictions that they name.

use std::{collections::HashSet, ops::ControlFlow, sync::Arc};

use active_learning_aws::{
    bucket::{BINARY, Bucket, BucketError},
    kept_predictions::{self, PredictionId},
    personal_data::{Kinds, Masking, NotMasked},
};
use active_learning_core::{
    erasure::ErasedTexts,
    feedback::{FeedbackRecord, FeedbackRequest, Source},
    keys,
    labels::{
        label_set::{LabelSet, check_suggestion},
        prediction_result::KeptPrediction,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use text_import::feedback::Item;
use tokio::runtime::Handle;

/// Items that are prepared at a time.
const ITEMS: usize = 64;

/// Predictions that are looked up at a time.
const LOOK_UPS: usize = 16;

/// Said of a line that is not set aside as it was.
const LEFT_OUT: &str =
    "; the line cannot be looked through for personal data, and is in the uploaded file alone";

/// Why items could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum NotPrepared {
    /// A text could not be looked through for personal data.
    #[error(transparent)]
    NotMasked(#[from] NotMasked),
    /// A prediction that an item names could not be read or marked.
    #[error("a prediction could not be read or marked")]
    Prediction(#[source] BucketError),
}

/// An item that is prepared.
pub(crate) struct Prepared {
    pub(crate) item: Item,
    /// Kinds of personal data that were replaced in its text.
    pub(crate) masked: Kinds,
    /// Whether it names a prediction by an id alone, and that one is not kept: what it says is held against nothing.
    pub(crate) is_of_unknown_prediction: bool,
    /// Its record, where it had to be made to hold it against a prediction.
    pub(crate) record: Option<FeedbackRecord>,
}

/// What items are prepared with.
pub(crate) struct Preparing {
    pub(crate) masking: Masking,
    /// What labels are called by now.
    pub(crate) set: Option<Arc<LabelSet>>,
    /// Where predictions are kept.
    pub(crate) predictions: Bucket,
    /// Texts that are not taken again.
    pub(crate) erased: Arc<ErasedTexts>,
    /// When the file was received.
    pub(crate) received_at: String,
}

/// Collects items, prepares some at a time, and hands them on in their order.
pub(crate) struct Preparation<F> {
    with: Preparing,
    runtime: Handle,
    waiting: Vec<Item>,
    hand_on: F,
    failed: Option<NotPrepared>,
}

impl<F: FnMut(Prepared) -> ControlFlow<()>> Preparation<F> {
    /// Makes it, on a thread beside those of the runtime.
    pub(crate) fn new(with: Preparing, runtime: Handle, hand_on: F) -> Self {
        Self {
            with,
            runtime,
            waiting: Vec::new(),
            hand_on,
            failed: None,
        }
    }

    /// Takes an item; breaks off when nobody wants more, or an item could not be prepared.
    pub(crate) fn take(&mut self, item: Item) -> ControlFlow<()> {
        if self.waiting.is_empty() && self.with.masking.is_off() && prediction_of(&item).is_none() {
            return (self.hand_on)(Prepared {
                is_of_unknown_prediction: names_by_id_alone(&item),
                item,
                masked: Kinds::new(),
                record: None,
            });
        }
        self.waiting.push(item);
        match self.waiting.len() < ITEMS {
            true => ControlFlow::Continue(()),
            false => self.hand_on_all(),
        }
    }

    /// Hands the last items on.
    ///
    /// # Errors
    ///
    /// [`NotPrepared`], where an item could not be prepared: nothing of it was handed on.
    pub(crate) fn finish(mut self) -> Result<(), NotPrepared> {
        let _ = self.hand_on_all();
        self.failed.map_or(Ok(()), Err)
    }

    fn hand_on_all(&mut self) -> ControlFlow<()> {
        if self.failed.is_some() {
            return ControlFlow::Break(());
        }
        let items = std::mem::take(&mut self.waiting);
        match (self.runtime).block_on(self.with.prepare(items)) {
            Ok(prepared) => prepared.into_iter().try_for_each(&mut self.hand_on),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl Preparing {
    async fn prepare(&self, mut items: Vec<Item>) -> Result<Vec<Prepared>, NotPrepared> {
        let kinds = match self.masking.is_off() {
            true => vec![Kinds::new(); items.len()],
            false => mask(&self.masking, self.set.as_deref(), &mut items).await?,
        };
        let kept = stream::iter(items.iter().map(prediction_of).collect::<Vec<_>>())
            .map(async |id| match id {
                Some(id) => kept_predictions::find(&self.predictions, id).await,
                None => Ok(None),
            })
            .buffered(LOOK_UPS);
        let kept: Vec<Option<KeptPrediction>> = kept.try_collect().await.map_err(NotPrepared::Prediction)?;
        let mut prepared = Vec::new();
        let mut marks = HashSet::new();
        for ((mut item, masked), kept) in items.into_iter().zip(kinds).zip(kept) {
            let is_of_unknown_prediction = kept.is_none() && names_by_id_alone(&item);
            let mut record = None;
            if let (Some(kept), Ok(request)) = (&kept, &mut item.content) {
                match request.hold_against(kept, self.set.as_deref()) {
                    Ok(()) => {
                        record = self.record(request);
                        marks.extend(record.as_ref().and_then(|record| self.mark_of(record, kept)));
                    }
                    Err(error) => {
                        let is_left_out = self.masking.apply_to_raw(&mut item.raw).await?;
                        let left_out = if is_left_out { LEFT_OUT } else { "" };
                        item.content = Err(format!("{error}{left_out}"));
                    }
                }
            }
            prepared.push(Prepared {
                item,
                masked,
                is_of_unknown_prediction,
                record,
            });
        }
        let marked = stream::iter(marks)
            .map(async |key: String| self.predictions.put(&key, BINARY, Vec::new()).await)
            .buffer_unordered(LOOK_UPS);
        let marked: Result<(), BucketError> = marked.try_collect().await;
        marked.map_err(NotPrepared::Prediction)?;
        Ok(prepared)
    }

    /// Returns the key of the mark that people are asked about a prediction, so that its client is told what they answer.
    fn mark_of(&self, record: &FeedbackRecord, kept: &KeptPrediction) -> Option<String> {
        let is_asked = record.signal.needs_review() && !self.erased.contains(&record.utterance);
        is_asked.then(|| keys::prediction_of(&record.id, &kept.prediction_id))
    }

    /// Makes the record of a request; none where it cannot be used, which is told where it is counted.
    fn record(&self, request: &FeedbackRequest) -> Option<FeedbackRecord> {
        let request = request.clone();
        let record = request.into_record_by(self.set.as_deref(), Source::ExplicitBatch, &self.received_at);
        record.ok()
    }
}

/// Returns the id of the prediction that an item names.
fn prediction_of(item: &Item) -> Option<PredictionId> {
    let id = item.content.as_ref().ok()?.prediction_id.as_deref()?;
    PredictionId::parse(id)
}

/// Returns whether an item names a prediction by its id, and not what was predicted.
fn names_by_id_alone(item: &Item) -> bool {
    let request = item.content.as_ref().ok();
    request.is_some_and(|request| {
        let has_id = (request.prediction_id.as_deref()).is_some_and(|id| !id.trim().is_empty());
        has_id && request.known_prediction().is_none()
    })
}

/// Returns the kinds of each item: none of one that is set aside, of which the copy is masked.
async fn mask(
    masking: &Masking,
    set: Option<&LabelSet>,
    items: &mut [Item],
) -> Result<Vec<Kinds>, NotMasked> {
    let mut kinds = vec![Kinds::new(); items.len()];
    let (mut places, mut texts) = (Vec::new(), Vec::new());
    for (place, item) in items.iter_mut().enumerate() {
        if let Some(reason) = why_unusable(item, set) {
            let is_left_out = masking.apply_to_raw(&mut item.raw).await?;
            let left_out = if is_left_out { LEFT_OUT } else { "" };
            item.content = Err(reason + left_out);
        } else if let Ok(request) = &mut item.content {
            places.push(place);
            texts.push(&mut request.sentence);
        }
    }
    let found = masking.apply_to_all(texts).await?;
    for (place, found) in places.into_iter().zip(found) {
        kinds[place] = found;
    }
    Ok(kinds)
}

/// Returns why an item will be set aside: before its text is sent anywhere.
fn why_unusable(item: &Item, set: Option<&LabelSet>) -> Option<String> {
    let request = match &item.content {
        Ok(request) => request.clone(),
        Err(reason) => return Some(reason.clone()),
    };
    let record = request.into_record_by(set, Source::ExplicitBatch, "");
    let checked = record.and_then(|record| check_suggestion(&record).map(|()| record));
    checked.err().map(|error| error.to_string())
}
