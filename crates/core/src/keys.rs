//! Every object of the system in S3: its key, who writes and reads it, what it holds, and how long it lies there.
//!
//! All state is in S3, and [`OBJECTS`] lists it. A test holds the list against the roles and lifecycle rules of the
//! template: who writes an object may do so, and whoever may write somewhere has an object there.

mod labelled;
mod objects;

pub use labelled::{
    LABEL_PACKS, LABEL_PACKS_FOLDER, LABELLED_FOLDER, NEW_LABELS_FOLDER, Packs, label_pack, labelled,
    labelled_of_mark, loop_of_labelled, mark_of_labelled,
};
pub use objects::OBJECTS;

use sha2::{Digest, Sha256};

use crate::labels::label_key::broad_key;

/// Bucket by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BucketName {
    /// Where clients upload files.
    Batch,
    /// Feedback, and what is remembered of it.
    Feedback,
    /// The review service's state, and the answers of people.
    Review,
    /// Labels, datasets and models.
    Training,
}

/// Who writes or reads an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A function, by its name.
    Function(&'static str),
    /// Lambda itself, in the name of a function that failed on an event to the end.
    Lambda,
    /// The delivery stream.
    Firehose,
    /// Amazon Comprehend, where it is the classifier.
    Comprehend,
    /// Amazon A2I, where it is the review service.
    A2i,
    /// Whoever uploads files.
    Client,
    /// An operator, mostly by the command line.
    Operator,
}

/// How long an object lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// For good.
    Kept,
    /// Until its work is done, when it is removed.
    UntilDone,
    /// For as long as claims count: parameter `ClaimRetentionDays`.
    ClaimRetention,
    /// For a day after it was written, or two.
    Day,
    /// Until its work is done, when it is removed, and for 7 days after it was written at most.
    Week,
    /// For 30 days after it was written, or until its work is done before.
    Month,
    /// As the parameter `PredictionRetentionDays` says.
    PredictionRetention,
}

/// One kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectKind {
    /// Its key, with names in angle brackets for what differs.
    pub key: &'static str,
    /// Its bucket.
    pub bucket: BucketName,
    /// Who writes it.
    pub writers: &'static [Party],
    /// Who reads it.
    pub readers: &'static [Party],
    /// Its format, and the type of what is in it.
    pub shape: &'static str,
    /// How long it lies there.
    pub lifetime: Lifetime,
    /// What it is for.
    pub description: &'static str,
}

impl ObjectKind {
    /// Returns a key of this kind, each name in angle brackets replaced by `value`.
    pub fn example(&self, value: &str) -> String {
        let mut parts = self.key.split('<');
        let mut key = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (_, rest) = part.split_once('>').unwrap_or(("", part));
            key.push_str(value);
            key.push_str(rest);
        }
        key
    }

    /// Returns the part of the key that is the same for all objects of this kind.
    pub fn prefix(&self) -> &'static str {
        self.key.split('<').next().unwrap_or_default()
    }
}

/// Folder of the dataset versions.
const DATASETS_FOLDER: &str = "datasets/";
/// Folder of the questions that people were asked, in the feedback bucket.
pub const QUESTIONS_FOLDER: &str = "questions/";
/// Folder of human loops that are not done with, in the feedback bucket.
pub const ASKED_FOLDER: &str = "asked/";
/// How far it is to the first model, in the training bucket.
pub const FIRST_MODEL: &str = "builds/first-model.json";
/// Folder of the built-in review service's own objects, in the review bucket.
pub const HUMAN_REVIEW_FOLDER: &str = "human-review/";
/// Folder of the marks of human loops in flight, in the review bucket.
pub const QUEUE_FOLDER: &str = "human-review/queue/";
/// Folder of the marks by which human loops are found that end by themselves, in the review bucket.
pub const EXPIRING_FOLDER: &str = "human-review/expiring/";
/// Folder of the marks of all human loops, whose names begin with their start in milliseconds since 1970, in the
/// review bucket.
pub const STARTED_FOLDER: &str = "human-review/listing/ascending/";
/// Folder of those who may sign in to the portal, in the review bucket.
pub const REVIEWERS_FOLDER: &str = "human-review/reviewers/";
/// Folder of what could not be read and was passed over, in the review bucket.
pub const DAMAGED_FOLDER: &str = "human-review/damaged/";
/// What the trial of the worker task template in use found, in the review bucket.
pub const TEMPLATE_TRIAL: &str = "human-review/template-trial.json";
/// Folder of what was done in the console, in the review bucket.
pub const AUDIT_LOG_FOLDER: &str = "audit-log/";
/// Texts that people were asked about lately, in the feedback bucket: what releases before remembered. It is read still.
pub const RECENT_TEXTS: &str = "copies/recent-texts.jsonl";

/// Folder of what changes of the label set will ask again, in the feedback bucket.
pub const RELABEL_FOLDER: &str = "relabel/";
/// Folder of what changes of the label set have asked again, as it is delivered, in the feedback bucket.
pub const RELABELLED_FOLDER: &str = "feedback/relabel/";
/// Folder of copies that are delivered again, in the feedback bucket.
const RELEASED_FOLDER: &str = "feedback/released/";
/// Folder of questions that are delivered again after they were given up, in the feedback bucket.
const REDRIVEN_FOLDER: &str = "feedback/redriven/";
/// Begins the name of what a change of the label set takes back.
const WITHDRAWN: &str = "withdrawn-";
/// Begins the name of what contradicts itself by a change of the label set.
const CONTRADICTED: &str = "contradicted-";
/// Begins the name of what a change of the label set decides anew.
const DECIDED: &str = "decided-";
/// Folder of where the answers to duplicates come from, in the feedback bucket.
pub const DUPLICATES_FOLDER: &str = "duplicates/";
/// Folder of the predictions of each record, in the feedback bucket.
const PREDICTIONS_OF_FOLDER: &str = "predictions-of/";
/// Folder of questions that could not be read, in the feedback bucket.
pub const DAMAGED_QUESTIONS_FOLDER: &str = "questions/damaged/";
/// What came for review on each of the last days, in the feedback bucket.
pub const ARRIVALS: &str = "stats/arrivals.json";
/// Folder of the claims, in the feedback bucket.
pub const CLAIMS_FOLDER: &str = "claims/";
/// Folder of the classes that a hosted model gave and the label set does not know, in the feedback bucket.
pub const UNKNOWN_CLASSES_FOLDER: &str = "claims/unknown-class/";
/// Folder of what people are to be told, in the training bucket.
pub const NOTICES_FOLDER: &str = "notices/";
/// Folder of the rows on which people do not agree, in the training bucket.
pub const DISPUTED_FOLDER: &str = "disputed/";

/// Hashes of the texts that were erased, in the feedback and in the training bucket.
pub const ERASED_TEXTS: &str = "erased/texts.bin";
/// Models that have learnt from texts which were erased, in the training bucket.
pub const LEARNT_AND_ERASED: &str = "erased/models.json";
/// The build that runs, in the training bucket: only one does at a time.
pub const BUILD_LOCK: &str = "builds/running.json";
/// Sums of labels and of the judged predictions of models, in the training bucket.
pub const TALLY: &str = "builds/tally.json";
/// That an erasure is under way, in the training bucket.
pub const ERASING: &str = "builds/erasing.json";
/// Folder of erasures that are not done, in the feedback bucket.
pub const ERASURES_FOLDER: &str = "erasures/";

/// Returns the key of an erasure that is not done.
pub fn erasure(id: &str) -> String {
    format!("{ERASURES_FOLDER}{id}.json")
}

/// Returns the name of the claim by which it is known that a delivered object was worked off to its end.
pub fn worked_off(bucket: &str, key: &str) -> String {
    let object = hex::encode(&Sha256::digest(format!("{bucket}\0{key}"))[..16]);
    format!("done-{object}")
}

/// Key of the dataset version that was assembled last.
pub const NEWEST_DATASET: &str = "datasets/newest.json";

/// Returns the dataset version that an object belongs to; `None` if to none.
pub fn dataset_of(key: &str) -> Option<&str> {
    let (version, _) = key.strip_prefix(DATASETS_FOLDER)?.split_once('/')?;
    Some(version)
}

/// Folder of the marks of copies that are not counted yet, in the training bucket.
pub const NEW_COPIES_FOLDER: &str = "copies-new/";
/// All copies that builds have counted, in the training bucket.
pub const COUNTED_COPIES: &str = "datasets/copies.bin";

/// Returns the key of the mark that copies are about to be kept or removed; `write` tells it from others.
pub fn mark_of_copies(write: &str) -> String {
    format!("{NEW_COPIES_FOLDER}{write}.json")
}

/// Returns the key of a part of the texts that people were asked about lately, in the feedback bucket; see
/// [`parts_of`](crate::sampling::duplicates::parts_of).
pub fn recent_texts(part: &str) -> String {
    format!("copies/recent/{part}.jsonl")
}

/// Returns the key of what a dataset version says of itself.
pub fn dataset_manifest(version: &str) -> String {
    format!("{DATASETS_FOLDER}{version}/manifest.json")
}

/// Returns the key of the state of a model or endpoint of the built-in classifier.
pub fn classifier_state(resource: &str) -> String {
    format!("text-classifier/{resource}.json")
}

/// Returns the key of how the texts of a dataset version were selected: see
/// [`SelectedTexts`](crate::sampling::selection::SelectedTexts).
pub fn selected_texts(version: &str) -> String {
    format!("{DATASETS_FOLDER}{version}/chosen.bin")
}

/// Returns the key of a change of the label set that is about to be made.
pub fn relabel_change(change: &str) -> String {
    format!("{RELABEL_FOLDER}{change}.json")
}

/// Returns the change of the label set that an object of [`relabel_change`] is.
pub fn change_of_relabel(key: &str) -> Option<&str> {
    key.strip_prefix(RELABEL_FOLDER)?.strip_suffix(".json")
}

/// Returns the key of a part of what a change of the label set will ask again.
pub fn relabel_part(change: &str, part: usize) -> String {
    format!("{RELABEL_FOLDER}{change}-{part:04}.jsonl")
}

/// Returns the key of a part of what a change of the label set asks again, as it is delivered.
pub fn relabelled_feedback(change: &str, part: usize) -> String {
    format!("{RELABELLED_FOLDER}{change}-{part:04}.jsonl")
}

/// Names, of a change of the label set, what it takes back: the questions that an earlier change opened and nobody has
/// answered.
pub fn withdrawal_of(change: &str) -> String {
    format!("{WITHDRAWN}{change}")
}

/// Names, of a change of the label set, the texts whose votes contradict one another by it.
pub fn contradictions_of(change: &str) -> String {
    format!("{CONTRADICTED}{change}")
}

/// Names, of a change of the label set, the texts whose votes come to another answer by it.
pub fn decisions_of(change: &str) -> String {
    format!("{DECIDED}{change}")
}

/// Returns whether a change is one of [`decisions_of`].
pub fn is_decision(change: &str) -> bool {
    change.starts_with(DECIDED)
}

/// Returns whether delivered feedback is that of [`decisions_of`].
pub fn is_decided_feedback(key: &str) -> bool {
    change_of_feedback(key).is_some_and(is_decision)
}

/// Returns whether delivered feedback is that of [`contradictions_of`].
pub fn is_contradicted_feedback(key: &str) -> bool {
    change_of_feedback(key).is_some_and(|change| change.starts_with(CONTRADICTED))
}

/// Names, of a change of the label set, the texts that were answered while it was being made.
pub fn late_answers_of(change: &str) -> String {
    format!("{change}-late")
}

/// Returns whether a change is one of [`withdrawal_of`].
pub fn is_withdrawal(change: &str) -> bool {
    change.starts_with(WITHDRAWN)
}

/// Returns whether delivered feedback takes questions back that an earlier change of the label set opened.
pub fn is_withdrawn_feedback(key: &str) -> bool {
    change_of_feedback(key).is_some_and(is_withdrawal)
}

/// Returns whether delivered feedback holds questions that the stack has had before, by the ids that they have.
pub fn is_feedback_again(key: &str) -> bool {
    let folders = [RELABELLED_FOLDER, RELEASED_FOLDER, REDRIVEN_FOLDER];
    folders.iter().any(|folder| key.starts_with(folder))
}

/// Returns what names the change of the label set that delivered feedback is of, and its part.
fn change_of_feedback(key: &str) -> Option<&str> {
    key.strip_prefix(RELABELLED_FOLDER)
}

/// Returns the key by which it is told that an object of the review bucket cannot be read.
pub fn damaged_object(key: &str) -> String {
    let name = key.strip_prefix(HUMAN_REVIEW_FOLDER).unwrap_or(key);
    format!("{DAMAGED_FOLDER}{name}")
}

/// Returns the key of a question that could not be read, the same for the same content.
pub fn damaged_question(record_id: &str, content: &[u8]) -> String {
    let content = hex::encode(&Sha256::digest(content)[..8]);
    format!("{DAMAGED_QUESTIONS_FOLDER}{record_id}-{content}.json")
}

/// Returns the key of the mark that a text was given a class which the label set does not know.
pub fn unknown_class(class: &str, record_id: &str) -> String {
    let class = hex::encode(&Sha256::digest(broad_key(class))[..8]);
    format!("{UNKNOWN_CLASSES_FOLDER}{class}/{record_id}")
}

/// Returns the key of something that people are to be told, once for each name.
pub fn notice(name: &str) -> String {
    format!("{NOTICES_FOLDER}{name}.json")
}

/// Returns the name of what an object of [`notice`] tells.
pub fn name_of_notice(key: &str) -> Option<&str> {
    key.strip_prefix(NOTICES_FOLDER)?.strip_suffix(".json")
}

/// Returns the key of a row on which people do not agree.
pub fn disputed(record_id: &str) -> String {
    format!("{DISPUTED_FOLDER}{record_id}.json")
}

/// Returns the key of what a human loop that is not done with asks.
pub fn asked(human_loop: &str) -> String {
    format!("{ASKED_FOLDER}{human_loop}.json")
}

/// Returns the human loop that an object of [`asked`] is about.
pub fn loop_of_asked(key: &str) -> Option<&str> {
    key.strip_prefix(ASKED_FOLDER)?.strip_suffix(".json")
}

/// Returns the key of the report on an uploaded file; `name` is that of [`result_name`].
pub fn batch_report(name: &str) -> String {
    format!("batch-reports/{name}.json")
}

/// Returns the key of copies that are delivered again; `name` says why and of which question, and `content` tells them
/// from others.
pub fn released_feedback(name: &str, content: &str) -> String {
    format!("{RELEASED_FOLDER}{name}-{content}.jsonl")
}

/// Returns the key of questions that are delivered again; `set_aside` is the key where they were since they were given up.
pub fn redriven_feedback(set_aside: &str) -> String {
    let name = set_aside.rsplit('/').next().unwrap_or_default();
    format!("{REDRIVEN_FOLDER}{name}")
}

/// Returns the key of a claim.
pub fn claim(name: &str) -> String {
    format!("{CLAIMS_FOLDER}{name}")
}

/// Returns the key of the likes of a text of this form that came before people were asked about it. It expires as claims do.
pub fn liked(form: &str) -> String {
    claim(&format!("liked-{form}"))
}

/// Returns when the human loop was started whose mark in the queue has this key, in milliseconds since 1970.
pub fn queued_at(key: &str) -> Option<i64> {
    let mark = key.strip_prefix(QUEUE_FOLDER)?;
    mark.split('-').nth(1)?.parse().ok()
}

/// Returns the name of the human loop whose mark in the queue has this key.
pub fn queued_loop(key: &str) -> Option<&str> {
    let name = key.strip_prefix(QUEUE_FOLDER)?.splitn(4, '-').nth(3)?;
    // Its team follows after a dot, which no name has.
    Some(name.split_once('.').map_or(name, |(name, _)| name))
}

/// Returns the key of what is known of a reviewer, by the id of their worker.
pub fn reviewer(worker_id: &str) -> String {
    format!("{REVIEWERS_FOLDER}{worker_id}.json")
}

/// Returns the key of an entry of the audit log: `time` in RFC 3339, whose date makes the folder.
pub fn audit_log_entry(time: &str, id: &str) -> String {
    let day = time.get(..10).unwrap_or_default();
    format!("{AUDIT_LOG_FOLDER}{day}/{time}-{id}.json")
}

/// Returns the key of what is kept of a prediction, by its id.
pub fn prediction(prediction_id: &str) -> String {
    format!("predictions/{prediction_id}.json")
}

/// Returns the folder of the marks of a record's predictions.
pub fn predictions_of(record_id: &str) -> String {
    format!("{PREDICTIONS_OF_FOLDER}{record_id}/")
}

/// Returns the key of the mark that a prediction is of a record.
pub fn prediction_of(record_id: &str, prediction_id: &str) -> String {
    format!("{PREDICTIONS_OF_FOLDER}{record_id}/{prediction_id}")
}

/// Returns the prediction that a mark of [`prediction_of`] names.
pub fn prediction_of_mark(key: &str) -> Option<&str> {
    let (_, prediction) = key.strip_prefix(PREDICTIONS_OF_FOLDER)?.split_once('/')?;
    Some(prediction)
}

/// Returns the key of where the answer to a duplicate comes from, by the id of the duplicate's record.
pub fn duplicate(record_id: &str) -> String {
    format!("{DUPLICATES_FOLDER}{record_id}.json")
}

/// Returns the id of the record that an object of [`duplicate`] is about.
pub fn record_of_duplicate(key: &str) -> Option<&str> {
    key.strip_prefix(DUPLICATES_FOLDER)?.strip_suffix(".json")
}

/// Returns the key of the question about a record.
pub fn question(record_id: &str) -> String {
    format!("{QUESTIONS_FOLDER}{record_id}.json")
}

/// Returns the id of the record that an object of [`question`] is about; `None` for one that was kept aside.
pub fn record_of_question(key: &str) -> Option<&str> {
    let record = key.strip_prefix(QUESTIONS_FOLDER)?.strip_suffix(".json")?;
    (!record.contains('/')).then_some(record)
}

/// Returns the key of an object of rejected lines; `name` is that of [`result_name`].
///
/// The same lines have the same key, so that a repeated event writes them over with the same content.
pub fn rejected(folder: &str, name: &str, number: usize) -> String {
    format!("rejected/{folder}/{name}-{number:05}.jsonl")
}

/// Characters that a name takes over from a key, at most.
const MAX_NAME_CHARS: usize = 80;

/// Returns a name for what is written about an object, the same for the same content.
pub fn result_name(bucket: &str, key: &str, etag: &str) -> String {
    let identity = hex::encode(&Sha256::digest(format!("{bucket}\0{key}\0{etag}"))[..8]);
    let name: String = key
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_'))
        .take(MAX_NAME_CHARS)
        .collect();
    format!("{name}-{identity}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_stack_delivers_again_is_told_from_what_producers_deliver() {
        let again = [
            relabelled_feedback("4-2026", 0),
            released_feedback("x", "y"),
            redriven_feedback("given-up/review-1-0.jsonl"),
        ];

        assert!(again.iter().all(|key| is_feedback_again(key)), "{again:?}");
        assert!(!is_feedback_again("feedback/2026/11/20/10/stream-1"));
    }

    #[test]
    fn keys_are_of_a_listed_kind_and_give_their_names_back() {
        let keys = [
            asked("x"),
            batch_report("x"),
            released_feedback("x", "x"),
            redriven_feedback(&rejected("training-data", "x", 1)).replace("00001", "x"),
            claim("x"),
            liked("x"),
            labelled("x"),
            mark_of_labelled("x", "x"),
            mark_of_copies("x"),
            COUNTED_COPIES.to_owned(),
            label_pack("x"),
            LABEL_PACKS.to_owned(),
            Packs::MACHINE_LABELLED.pack("x"),
            Packs::MACHINE_LABELLED.index.to_owned(),
            question("x"),
            duplicate("x"),
            prediction("x"),
            prediction_of("x", "x"),
            relabel_change("x"),
            unknown_class("x", "x").replace(&hex::encode(&Sha256::digest("x")[..8]), "x"),
            disputed("x"),
            notice("x"),
            RECENT_TEXTS.to_owned(),
            recent_texts("x"),
            ERASED_TEXTS.to_owned(),
            LEARNT_AND_ERASED.to_owned(),
            ERASING.to_owned(),
            erasure("x"),
            damaged_object("x"),
            damaged_object("human-review/x"),
        ];

        for key in keys {
            assert!(OBJECTS.iter().any(|kind| kind.example("x") == key), "{key}");
        }
        assert_eq!(loop_of_asked(&asked("loop-1")), Some("loop-1"));
        for team in ["", ".team-1"] {
            let mark = format!("{QUEUE_FOLDER}04210-1790000000123-ab12-tc-a--b-again-1{team}");
            assert_eq!(queued_loop(&mark), Some("tc-a--b-again-1"));
            assert_eq!(queued_at(&mark), Some(1_790_000_000_123));
        }
        assert_eq!(record_of_question(&question("r")), Some("r"));
        assert_eq!(record_of_question(&damaged_question("r", b"")), None);
        assert_eq!(record_of_duplicate(&duplicate("r")), Some("r"));
        assert_eq!(prediction_of_mark(&prediction_of("r", "p")), Some("p"));
        assert_eq!(name_of_notice(&notice("odd")), Some("odd"));
        assert_eq!(change_of_relabel(&relabel_change("4-2026")), Some("4-2026"));
        assert_eq!(change_of_relabel(&relabel_part("4-2026", 0)), None);
        assert!(is_withdrawn_feedback(&relabelled_feedback(
            &withdrawal_of("4-2026"),
            0
        )));
        assert!(!is_withdrawn_feedback(&relabelled_feedback("4-2026", 0)));
        let contradicted = relabelled_feedback(&contradictions_of("4-2026"), 0);
        assert!(is_contradicted_feedback(&contradicted) && !is_withdrawn_feedback(&contradicted));
        assert!(!is_contradicted_feedback(&relabelled_feedback("4-2026", 0)));
        let decided = relabelled_feedback(&decisions_of("4-2026"), 0);
        assert!(is_decided_feedback(&decided) && !is_contradicted_feedback(&decided));
        assert!(!is_decided_feedback(&contradicted));
    }

    #[test]
    fn an_example_has_a_value_for_each_name() {
        let build = OBJECTS
            .iter()
            .find(|kind| kind.key == "builds/<build>/record.json");

        let build = build.expect("records of builds are listed");

        assert_eq!(build.example("b-1"), "builds/b-1/record.json");
        assert_eq!(build.prefix(), "builds/");
    }

    #[test]
    fn objects_are_listed_once_by_bucket_and_key_and_described_in_a_sentence() {
        let places: Vec<_> = OBJECTS.iter().map(|kind| (kind.bucket, kind.key)).collect();

        assert!(places.is_sorted_by(|a, b| a < b), "{places:#?}");
        for kind in OBJECTS {
            assert!(kind.description.ends_with('.'), "{}", kind.key);
            assert!(
                !kind.writers.is_empty() && !kind.readers.is_empty(),
                "{}",
                kind.key
            );
        }
    }

    #[test]
    fn result_names_tell_objects_of_the_same_name_apart() {
        let first = result_name("b", "x/a b.csv", "1");

        assert!(first.starts_with("ab.csv-"), "{first}");
        assert_ne!(first, result_name("b", "y/a b.csv", "1"));
        assert_ne!(first, result_name("b", "x/a b.csv", "2"));
    }
}
