//! Reads a batch file on a thread of its own, in chunks that fit the feedback stream.

use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
    sync::Arc,
};

use active_learning_aws::{
    bucket::Bucket,
    feedback_stream::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS},
    personal_data::Masking,
    rejected::{RejectedLines, RejectedObject},
};
use active_learning_core::{
    erasure::{ERASED, ErasedTexts},
    feedback::{
        FeedbackRecord, FeedbackRequest, Source,
        batch::{BadItem, ReadError},
        record_id,
    },
    labels::{
        label_key::{broad_key, label_key},
        label_set::{LabelSet, check_suggestion},
    },
    sampling::duplicates::form_of,
    text::counted,
};
use aws_sdk_s3::primitives::ByteStream;
use chrono::{DateTime, TimeDelta, Utc};
use text_import::feedback::{self, Whole};
use tokio::{
    runtime::Handle,
    sync::mpsc::Sender,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::io::SyncIoBridge;

use crate::prepared::{NotPrepared, Preparation, Prepared, Preparing};

/// Items behind which a repetition is always recognised; twice as much is remembered, at some 80 bytes each.
///
/// Repetitions from further back are sent again; a2i-trigger recognises them by their ids.
const REMEMBERED: usize = 50_000;

/// Most lines of a file that are set aside: a small file can hold very many, and has them still.
const MAX_REJECTED: u64 = 10_000;

/// Most bytes of them: packed, a few long lines are a small file too. The line that goes beyond is set aside as the last.
const MAX_REJECTED_BYTES: usize = 50_000_000;

/// Most classifiers of a file that are counted: a column of texts may be called so by mistake.
const MAX_CLASSIFIERS: usize = 100;

/// Told of items that name a prediction which is not kept, before their number.
const UNKNOWN_PREDICTION: &str = "a `predictionId` of a prediction that is not kept, without a `prediction`: a like of it \
    is no vote, and a dislike is against no label";

/// A part of a file.
#[derive(Debug, PartialEq)]
pub(crate) enum Chunk {
    /// Records for one batch of the feedback stream.
    Lines(Vec<String>),
    /// Lines that cannot be used.
    Rejected(RejectedObject),
}

/// What was found in a file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) duplicates: u64,
    /// In how many of the records personal data was replaced, by its kind.
    pub(crate) masked: BTreeMap<String, u64>,
    pub(crate) rejected_objects: usize,
    /// Of the rejected ones, those beyond the first that were not set aside.
    pub(crate) rejected_not_kept: u64,
    /// Accepted records that name a prediction by an id alone, of one that is not kept.
    pub(crate) of_unknown_predictions: u64,
    /// What was read otherwise than it is written.
    pub(crate) repairs: Vec<String>,
    /// Accepted records by their classifier: of those that were found first, at most [`MAX_CLASSIFIERS`].
    pub(crate) classifiers: BTreeMap<String, u64>,
}

/// Why reading ended before the end of the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadingError {
    /// The file could not be fetched.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Items could not be prepared.
    #[error(transparent)]
    NotPrepared(#[from] NotPrepared),
}

/// What records are made with.
pub(crate) struct Making {
    /// Of items that name none.
    pub(crate) classifier: String,
    pub(crate) received_at: String,
    pub(crate) masking: Masking,
    /// Where predictions are kept.
    pub(crate) predictions: Bucket,
    /// Texts that are not taken again.
    pub(crate) erased: Arc<ErasedTexts>,
    /// What labels are called by now.
    pub(crate) set: Option<Arc<LabelSet>>,
}

/// Starts reading the file; its chunks are sent until they are no longer wanted or the file ends.
pub(crate) fn start(
    body: ByteStream,
    whole: Whole,
    making: Making,
    sender: Sender<Chunk>,
) -> JoinHandle<Result<Outcome, ReadingError>> {
    let body = SyncIoBridge::new(body.into_async_read());
    let runtime = Handle::current();
    spawn_blocking(move || {
        let Making {
            classifier,
            received_at,
            masking,
            predictions,
            erased,
            set,
        } = making;
        let send = |chunk| sender.blocking_send(chunk).is_ok();
        let mut collector = Collector::new(received_at.clone(), erased.clone(), set.clone(), send);
        let with = Preparing {
            masking,
            set,
            predictions,
            erased,
            received_at,
        };
        let mut preparation = Preparation::new(with, runtime, |prepared| collector.take(prepared));
        let mut repairs = feedback::read(body, &whole, &classifier, &mut |item| preparation.take(item))?;
        preparation.finish()?;
        let outcome = collector.finish();
        if outcome.of_unknown_predictions > 0 {
            let count = counted(outcome.of_unknown_predictions as usize, "item");
            repairs.push(format!("{UNKNOWN_PREDICTION}: {count}"));
        }
        Ok(Outcome { repairs, ..outcome })
    })
}

/// Reads what a document says of all its texts; the inner error says why the file cannot be used.
pub(crate) async fn find_whole(body: ByteStream) -> Result<Result<Whole, String>, ReadError> {
    let body = SyncIoBridge::new(body.into_async_read());
    finished(spawn_blocking(move || feedback::whole(body))).await
}

/// Waits for a reader; one that panicked has not read its file.
pub(crate) async fn finished<T, E: From<ReadError>>(reading: JoinHandle<Result<T, E>>) -> Result<T, E> {
    let panicked = |error| Err(ReadError::Io(std::io::Error::other(error)).into());
    reading.await.unwrap_or_else(panicked)
}

/// Turns items into chunks and hands these to `send`, which says whether more are wanted.
struct Collector<F> {
    received_at: String,
    erased: Arc<ErasedTexts>,
    set: Option<Arc<LabelSet>>,
    send: F,
    lines: Vec<String>,
    bytes: usize,
    rejected: RejectedLines,
    /// Bytes of the lines that are set aside, as they were read.
    rejected_bytes: usize,
    seen: Seen,
    outcome: Outcome,
}

/// What each user said of each text last, and of which spelling, however long the file is.
#[derive(Default)]
struct Seen {
    minds: Remembered<Mind>,
    /// Of each line how often its user had changed their mind by then.
    lines: Remembered<u32>,
}

/// What a user holds of a text.
#[derive(Clone, Copy)]
struct Mind {
    said: u128,
    /// Times that something else was said before.
    changes: u32,
}

impl Seen {
    /// Takes a line: `of` names the text, in whatever spelling, and the user; `said` is what they hold of it; `line` names the
    /// spelling and all that is said. Returns how often that user has changed their mind; `None` where they have not since they
    /// said the same of the same spelling.
    fn insert(&mut self, of: u128, said: u128, line: u128) -> Option<u32> {
        let changes = match self.minds.get(of) {
            Some(last) if last.said == said => last.changes,
            Some(last) => last.changes + 1,
            None => 0,
        };
        self.minds.insert(of, Mind { said, changes });
        let before = self.lines.get(line);
        self.lines.insert(line, changes);
        (before != Some(changes)).then_some(changes)
    }
}

/// The entries that came last: at least [`REMEMBERED`], at most twice as many.
struct Remembered<T> {
    latest: HashMap<u128, T>,
    before: HashMap<u128, T>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self {
            latest: HashMap::new(),
            before: HashMap::new(),
        }
    }
}

impl<T: Copy> Remembered<T> {
    fn get(&self, key: u128) -> Option<T> {
        self.latest.get(&key).or_else(|| self.before.get(&key)).copied()
    }

    fn insert(&mut self, key: u128, value: T) {
        if self.latest.len() == REMEMBERED {
            std::mem::swap(&mut self.latest, &mut self.before);
            self.latest.clear();
        }
        self.latest.insert(key, value);
    }
}

impl<F: FnMut(Chunk) -> bool> Collector<F> {
    fn new(received_at: String, erased: Arc<ErasedTexts>, set: Option<Arc<LabelSet>>, send: F) -> Self {
        Self {
            received_at,
            erased,
            set,
            send,
            lines: Vec::new(),
            bytes: 0,
            rejected: RejectedLines::default(),
            rejected_bytes: 0,
            seen: Seen::default(),
            outcome: Outcome::default(),
        }
    }

    /// Takes an item that is prepared.
    fn take(&mut self, prepared: Prepared) -> ControlFlow<()> {
        let Prepared {
            item,
            masked,
            is_of_unknown_prediction,
            record,
        } = prepared;
        let made = match record {
            Some(record) => self.checked(record),
            None => item.content.and_then(|request| self.record(request)),
        };
        let goes_on = match made {
            Err(reason) => {
                // What is not taken again is not set aside either.
                let raw = if reason == ERASED { Vec::new() } else { item.raw };
                self.set_aside(item.number, BadItem { reason, raw })
            }
            Ok(mut record) => match self.changes_of_mind(&record) {
                None => {
                    self.outcome.duplicates += 1;
                    true
                }
                Some(changes) => {
                    for kind in masked {
                        *self.outcome.masked.entry(kind.clone()).or_default() += 1;
                    }
                    self.outcome.of_unknown_predictions += u64::from(is_of_unknown_prediction);
                    record.received_at = later(&self.received_at, changes);
                    self.count_classifier(&record);
                    self.add(record.to_line())
                }
            },
        };
        if goes_on {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }

    /// Sets a line aside, or counts it where a file has too many; returns whether more are wanted.
    fn set_aside(&mut self, number: u64, bad: BadItem) -> bool {
        if self.rejected.count >= MAX_REJECTED || self.rejected_bytes >= MAX_REJECTED_BYTES {
            self.outcome.rejected_not_kept += 1;
            return true;
        }
        self.rejected_bytes += bad.raw.len();
        match self.rejected.push(number, &bad) {
            Some(object) => (self.send)(Chunk::Rejected(object)),
            None => true,
        }
    }

    fn record(&self, request: FeedbackRequest) -> Result<FeedbackRecord, String> {
        let set = self.set.as_deref();
        let record = request.into_record_by(set, Source::ExplicitBatch, &self.received_at);
        self.checked(record.map_err(|error| error.to_string())?)
    }

    fn checked(&self, record: FeedbackRecord) -> Result<FeedbackRecord, String> {
        check_suggestion(&record).map_err(|error| error.to_string())?;
        match self.erased.contains(&record.utterance) {
            true => Err(ERASED.to_owned()),
            false => Ok(record),
        }
    }

    /// Returns how often a user of the file has changed their mind on a text, in whatever spelling; `None` where a record
    /// repeats what was said of the same spelling and prediction, and they have not changed their mind since.
    fn changes_of_mind(&mut self, record: &FeedbackRecord) -> Option<u32> {
        let user = broad_key(record.user.as_deref().unwrap_or_default());
        let signal = record.signal.needs_review();
        let mind = match (&record.suggested_label, &record.prediction, &record.prediction_id) {
            (Some(label), _, _) => format!("label {} {signal}", label_key(label)),
            (None, Some(prediction), _) => format!("prediction {prediction} {signal}"),
            (None, None, id) => format!("{id:?} {signal}"),
        };
        let said = [&record.suggested_label, &record.prediction, &record.prediction_id];
        let line = format!("{user:?} {said:?} {signal}");
        let form = form_of(&record.classifier, &record.utterance);
        self.seen
            .insert(hash(&form, &user), hash(&form, &mind), hash(&record.id, &line))
    }

    fn count_classifier(&mut self, record: &FeedbackRecord) {
        let counts = &mut self.outcome.classifiers;
        if let Some(count) = counts.get_mut(&record.classifier) {
            *count += 1;
        } else if counts.len() < MAX_CLASSIFIERS {
            counts.insert(record.classifier.clone(), 1);
        }
    }

    /// Adds a line to the batch. Its fields are bounded, so that it is far below a batch's size.
    fn add(&mut self, line: String) -> bool {
        let full = self.lines.len() == MAX_BATCH_RECORDS || self.bytes + line.len() > MAX_BATCH_BYTES;
        let goes_on = !full || self.send_lines();
        self.bytes += line.len();
        self.lines.push(line);
        self.outcome.accepted += 1;
        goes_on
    }

    fn send_lines(&mut self) -> bool {
        self.bytes = 0;
        (self.send)(Chunk::Lines(std::mem::take(&mut self.lines)))
    }

    /// Sends what is left.
    fn finish(mut self) -> Outcome {
        if !self.lines.is_empty() {
            self.send_lines();
        }
        if let Some(object) = self.rejected.finish() {
            (self.send)(Chunk::Rejected(object));
        }
        Outcome {
            rejected: self.rejected.count + self.outcome.rejected_not_kept,
            rejected_objects: self.rejected.objects(),
            ..self.outcome
        }
    }
}

/// Returns a number for a text and what belongs to it.
fn hash(id: &str, other: &str) -> u128 {
    let id = record_id(id, other);
    u128::from_str_radix(&id, 16).expect("an id is 32 hex digits")
}

/// Returns the time of what a user says after so many changes of mind: their last word has the latest time.
fn later(received_at: &str, changes: u32) -> String {
    match DateTime::parse_from_rfc3339(received_at) {
        Ok(at) if changes > 0 => {
            let later = at.with_timezone(&Utc) + TimeDelta::milliseconds(changes.into());
            active_learning_aws::rfc3339(later)
        }
        _ => received_at.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use active_learning_aws::personal_data::Kinds;
    use active_learning_core::{feedback::Opinion, labels::label_set::Origin};
    use text_import::feedback::Item;

    use super::*;

    fn item(number: u64, sentence: &str) -> Item {
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: sentence.into(),
            ..FeedbackRequest::default()
        };
        Item {
            number,
            raw: format!(" {sentence}").into_bytes(),
            content: Ok(request),
        }
    }

    fn prepared(item: Item) -> Prepared {
        Prepared {
            item,
            masked: Kinds::new(),
            is_of_unknown_prediction: false,
            record: None,
        }
    }

    /// Collects items; returns the chunks with the outcome.
    fn collect(items: impl IntoIterator<Item = Item>) -> (Vec<Chunk>, Outcome) {
        collect_without(&[], items)
    }

    /// Collects items but those of erased texts.
    fn collect_without(erased: &[&str], items: impl IntoIterator<Item = Item>) -> (Vec<Chunk>, Outcome) {
        let chunks = RefCell::new(Vec::new());
        let mut list = ErasedTexts::default();
        for text in erased {
            list.insert(text);
        }
        let mut collector = Collector::new("2026-11-20T10:00:00.000Z".into(), list.into(), None, |chunk| {
            chunks.borrow_mut().push(chunk);
            true
        });
        for item in items {
            assert!(collector.take(prepared(item)).is_continue());
        }
        let outcome = collector.finish();
        (chunks.into_inner(), outcome)
    }

    fn batches(chunks: &[Chunk]) -> Vec<(usize, usize)> {
        let size = |chunk: &Chunk| match chunk {
            Chunk::Lines(lines) => Some((lines.len(), lines.iter().map(String::len).sum())),
            Chunk::Rejected(_) => None,
        };
        chunks.iter().filter_map(size).collect()
    }

    #[test]
    fn batches_keep_the_stream_s_limits_of_records_and_bytes() {
        let (short, _) = collect((0..1_001).map(|number| item(number, &format!("Text {number}"))));
        let long = |number| item(number, &format!("{number:05}{}", "\u{1}".repeat(9_995)));
        let (large, outcome) = collect((0..200).map(long));

        let counts: Vec<_> = batches(&short).iter().map(|(count, _)| *count).collect();
        assert_eq!(counts, [500, 500, 1]);
        assert!(batches(&large).len() > 1);
        assert!(batches(&large).iter().all(|(_, bytes)| *bytes <= MAX_BATCH_BYTES));
        assert_eq!(outcome.accepted, 200);
    }

    #[test]
    fn records_are_counted_by_classifier_and_of_very_many_the_first_are() {
        let of = |number: u64| {
            let mut item = item(number, &format!("Text {number}"));
            if let Ok(request) = &mut item.content {
                request.classifier = format!("classifier {}", number % 150);
            }
            item
        };

        let (_, outcome) = collect((0..300).map(of));

        assert_eq!(outcome.classifiers.len(), MAX_CLASSIFIERS);
        assert_eq!(outcome.classifiers["classifier 7"], 2);
        assert_eq!(outcome.accepted, 300);
    }

    #[test]
    fn a_repetition_is_counted_but_a_like_is_no_repetition_of_a_dislike() {
        let mut like = item(3, "One");
        if let Ok(request) = &mut like.content {
            request.feedback = Some(Opinion::Like);
        }

        let (chunks, outcome) = collect([item(1, "One"), item(2, " One "), like]);

        assert_eq!((outcome.accepted, outcome.duplicates), (2, 1));
        assert_eq!(batches(&chunks)[0].0, 2);
    }

    /// Collects what users say of one text, each as JSON; returns what is sent of it.
    fn said(items: &[serde_json::Value]) -> Vec<FeedbackRecord> {
        let items = items.iter().zip(1..).map(|(fields, number)| {
            let mut request = serde_json::json!({"classifier": "news", "sentence": "One"});
            for (name, value) in fields.as_object().expect("fields") {
                request[name] = value.clone();
            }
            let request = FeedbackRequest::parse(request.to_string().as_bytes());
            let content = Ok(request.expect("a request"));
            Item {
                number,
                raw: Vec::new(),
                content,
            }
        });
        let (chunks, _) = collect(items);
        let lines = chunks.iter().flat_map(|chunk| match chunk {
            Chunk::Lines(lines) => &lines[..],
            Chunk::Rejected(_) => &[],
        });
        lines
            .map(|line| FeedbackRecord::parse(line.as_bytes()).expect("a record"))
            .collect()
    }

    #[test]
    fn complaints_about_two_predictions_of_one_text_are_two() {
        let (a, b) = (
            serde_json::json!({"prediction": "A", "user": "ada"}),
            serde_json::json!({"prediction": "B", "user": "ada"}),
        );
        let ids = ["p1", "p2"].map(|id| serde_json::json!({"prediction": "A", "predictionId": id}));

        let predictions = said(&[a.clone(), a.clone(), b]);
        let with_ids = said(&ids);

        let of: Vec<_> = predictions
            .iter()
            .filter_map(|record| record.prediction.as_deref())
            .collect();
        assert_eq!((of, with_ids.len()), (vec!["A", "B"], 2));
    }

    #[test]
    fn who_changes_their_mind_and_back_within_a_file_is_taken_at_their_last_word() {
        let word = |feedback: &str, user: &str| serde_json::json!({"prediction": "A", "feedback": feedback, "user": user});

        let taken = said(&[
            word("dislike", "ada"),
            word("like", " Ada"),
            word("dislike", "bob"),
            word("dislike", "ADA"),
            word("dislike", "ada"),
        ]);

        let times: Vec<_> = taken
            .iter()
            .map(|record| (record.signal.needs_review(), &record.received_at[20..]))
            .collect();
        assert_eq!(
            times,
            [(true, "000Z"), (false, "001Z"), (true, "000Z"), (true, "002Z")]
        );
    }

    #[test]
    fn who_changes_their_mind_on_another_spelling_of_a_text_is_taken_at_their_last_word() {
        let says = |sentence: &str, label: &str| serde_json::json!({"sentence": sentence, "label": label, "user": "ada"});

        let taken = said(&[says("Rates rise", "World"), says("RATES RISE!", "Sports")]);

        let labels: Vec<_> = taken
            .iter()
            .map(|record| (record.suggested_label.as_deref(), &record.received_at[20..]))
            .collect();
        assert_eq!(labels, [(Some("World"), "000Z"), (Some("Sports"), "001Z")]);
    }

    #[test]
    fn a_repetition_is_counted_also_where_other_spellings_of_the_text_stand_between() {
        let of = |sentences: &[&str]| {
            let items = sentences.iter().zip(1..);
            let (_, outcome) = collect(items.map(|(sentence, number)| item(number, sentence)));
            (outcome.accepted, outcome.duplicates)
        };

        let spellings = [
            "It is cold",
            "IT IS COLD",
            "It is cold.",
            "It is cold",
            "IT IS COLD",
        ];
        assert_eq!(of(&spellings), (3, 2));
        assert_eq!(of(&["It is cold", "IT IS COLD", " It is cold "]), (2, 1));
    }

    #[test]
    fn who_says_the_same_of_a_spelling_again_after_another_word_has_changed_their_mind() {
        let says = |sentence: &str, label: &str| serde_json::json!({"sentence": sentence, "label": label, "user": "ada"});

        let changed = said(&[
            says("Rates rise", "World"),
            says("RATES RISE!", "Sports"),
            says("Rates rise", "World"),
            says("Rates rise", "world"),
        ]);
        let unchanged = said(&[
            says("Rates rise", "World"),
            says("RATES RISE!", "World"),
            says("Rates rise", "World"),
        ]);

        let times = |taken: &[FeedbackRecord]| -> Vec<String> {
            taken
                .iter()
                .map(|record| record.received_at[20..].to_owned())
                .collect()
        };
        assert_eq!(times(&changed), ["000Z", "001Z", "002Z", "002Z"]);
        assert_eq!(times(&unchanged), ["000Z", "000Z"]);
    }

    #[test]
    fn a_line_that_likes_a_renamed_class_by_its_new_name_is_taken() {
        let mut set = LabelSet::seed(["World"], Origin::Parameter, "2026-11-20T10:00:00Z");
        set.rename("World", "World news").expect("free");
        let mut like = item(1, "One");
        if let Ok(request) = &mut like.content {
            request.feedback = Some(Opinion::Like);
            request.prediction = Some("World".to_owned());
            request.label = Some("World news".to_owned());
        }
        let taken = |set: Option<LabelSet>| {
            let set = set.map(Arc::new);
            let mut collector = Collector::new(String::new(), Arc::default(), set, |_| true);
            assert!(collector.take(prepared(like.clone())).is_continue());
            let outcome = collector.finish();
            (outcome.accepted, outcome.rejected)
        };

        assert_eq!(taken(Some(set)), (1, 0));
        assert_eq!(taken(None), (0, 1), "nothing says that they are one label");
    }

    #[test]
    fn a_request_that_is_no_record_is_set_aside_as_it_was() {
        let (chunks, outcome) = collect([item(7, " ")]);

        let [Chunk::Rejected(object)] = chunks.as_slice() else {
            panic!("one object of rejected lines: {chunks:?}");
        };
        let line: serde_json::Value = serde_json::from_slice(&object.content).expect("one line");
        assert_eq!(line["line"], 7);
        assert_eq!(line["reason"], "field `sentence` is missing or empty");
        assert_eq!(line["raw"], "  ");
        assert_eq!((outcome.rejected, outcome.rejected_objects), (1, 1));
    }

    #[test]
    fn a_text_that_was_erased_is_refused_and_no_copy_of_it_is_set_aside() {
        let (chunks, outcome) = collect_without(&["one"], [item(1, "ONE."), item(2, "Two")]);

        let [Chunk::Lines(lines), Chunk::Rejected(object)] = chunks.as_slice() else {
            panic!("a batch and an object of rejected lines: {chunks:?}");
        };
        let line: serde_json::Value = serde_json::from_slice(&object.content).expect("one line");
        assert_eq!((lines.len(), outcome.rejected), (1, 1));
        assert_eq!(line, serde_json::json!({"line": 1, "reason": ERASED, "raw": ""}));
    }

    #[test]
    fn of_very_many_bad_lines_the_first_are_set_aside_and_the_others_counted() {
        let good = item(20_001, "One");

        let (chunks, outcome) = collect((1..=20_000).map(|number| item(number, "")).chain([good]));

        assert_eq!((outcome.rejected, outcome.rejected_not_kept), (20_000, 10_000));
        assert_eq!(outcome.accepted, 1);
        let kept = chunks.iter().map(|chunk| match chunk {
            Chunk::Rejected(object) => object.content.iter().filter(|byte| **byte == b'\n').count(),
            Chunk::Lines(_) => 0,
        });
        assert_eq!(kept.sum::<usize>(), 10_000);
    }

    #[test]
    fn of_very_long_bad_lines_no_more_is_set_aside_than_a_file_may() {
        let long = |number| Item {
            raw: vec![b'x'; 1 << 20],
            ..item(number, "")
        };
        let fits = (MAX_REJECTED_BYTES as u64).div_ceil(1 << 20);

        let (chunks, outcome) = collect((1..=200).map(long).chain([item(201, "One")]));

        let kept = chunks.iter().map(|chunk| match chunk {
            Chunk::Rejected(object) => object.content.len(),
            Chunk::Lines(_) => 0,
        });
        assert!(kept.sum::<usize>() < MAX_REJECTED_BYTES + (2 << 20));
        assert_eq!((outcome.rejected, outcome.rejected_not_kept), (200, 200 - fits));
        assert_eq!(outcome.accepted, 1);
    }

    #[test]
    fn a_repetition_is_recognised_behind_very_many_others_and_not_from_the_beginning_of_a_long_file() {
        let mut seen = Seen::default();
        for said in 0..1_000_000 {
            assert_eq!(seen.insert(said, said, said), Some(0));
        }

        let still_known = 1_000_000 - REMEMBERED as u128;
        assert_eq!(seen.insert(still_known, still_known, still_known), None);
        assert_eq!(seen.insert(0, 0, 0), Some(0));
        let (minds, lines) = (&seen.minds, &seen.lines);
        assert!(minds.latest.len() + minds.before.len() <= 2 * REMEMBERED);
        assert!(lines.latest.len() + lines.before.len() <= 2 * REMEMBERED);
    }

    #[test]
    fn reading_ends_when_nobody_wants_more() {
        let mut collector = Collector::new(String::new(), Arc::default(), None, |_| false);
        let mut items = (0..10_000).map(|number| item(number, &format!("Text {number}")));

        let taken = items
            .by_ref()
            .take_while(|item| collector.take(prepared(item.clone())).is_continue());

        assert_eq!(taken.count(), MAX_BATCH_RECORDS);
    }
}
