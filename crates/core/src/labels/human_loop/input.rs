//! What a human loop shows its reviewers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::name::{NAME_DIGITS, NAME_PREFIX};
use crate::{
    erasure::is_erased_item,
    feedback::{FeedbackRecord, Signal},
    labels::{label_set::LabelSet, question::Question, vote::UNSIGNED},
};

/// Largest `InputContent` of `StartHumanLoop`, in characters; counted here in bytes, which is never less.
///
/// Source: Amazon A2I Runtime API, `HumanLoopInput`.
pub const MAX_INPUT_CONTENT_BYTES: usize = 3_145_728;

/// Largest size of a page's records, as lines. The rest is for labels and for words that drove predictions, which may be others
/// when the same records are delivered again.
const MAX_RECORDS_BYTES: usize = MAX_INPUT_CONTENT_BYTES / 2;

/// What a reviewer is shown: `task.input` of the worker task template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HumanLoopInput {
    /// The items of the task. Those whose text was erased since are not read.
    #[serde(deserialize_with = "items_that_are_left")]
    pub comprehend_predictions: Vec<FeedbackRecord>,
    /// Labels to choose from.
    pub labels: Vec<String>,
    /// Number of items.
    pub row_count: usize,
    /// Bucket of the delivered feedback.
    pub bucket_name: String,
    /// Key of the delivered feedback.
    pub key_name: String,
    /// Ids of the workers who have answered one of the items and are not to be asked again. The built-in review
    /// service does not offer them the task; A2I cannot leave somebody out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_workers: Vec<String>,
    /// Reviewers that are wanted, where they are fewer than the flow definition asks: one, for one more opinion. Read by
    /// the built-in review service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_count: Option<u32>,
    /// Words that drove the predictions, by record id.
    #[serde(default, skip_serializing_if = "DrivingWords::is_empty")]
    pub words: DrivingWords,
}

/// Words of texts that drove their predictions, by record id: the weightiest first, spelt as in the text.
pub type DrivingWords = BTreeMap<String, Vec<String>>;

/// Ids of the workers who have answered a text before, by record id: its question was given up or taken back then.
pub type AnsweredBy = BTreeMap<String, Vec<String>>;

fn items_that_are_left<'de, D: Deserializer<'de>>(items: D) -> Result<Vec<FeedbackRecord>, D::Error> {
    let items = Vec::<Value>::deserialize(items)?;
    let left = items.into_iter().filter(|item| !is_erased_item(item));
    left.map(|item| serde_json::from_value(item).map_err(D::Error::custom))
        .collect()
}

impl HumanLoopInput {
    /// Writes the input as `InputContent`, the same text for the same input.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("records have string keys and finite numbers")
    }

    /// Returns whether it asks for one more opinion on what people have answered, of a loop of a further round.
    ///
    /// A text of a file that only proposes a label is asked in such a loop too, for somebody else than who labelled the file,
    /// and is the first question about it.
    pub fn asks_for_one_more_opinion(&self) -> bool {
        // People of files are named with the tool before a colon.
        let is_of_file = |worker: &String| worker == UNSIGNED || worker.contains(':');
        let is_text_of_file = |record: &FeedbackRecord| record.signal == Signal::Unlabelled;
        let has_answered = self.excluded_workers.iter().any(|worker| !is_of_file(worker));
        has_answered || !self.comprehend_predictions.iter().all(is_text_of_file)
    }
}

/// A human loop to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HumanLoop {
    /// Name, derived from the content: 47 characters of `[a-z0-9-]`.
    pub name: String,
    /// `InputContent`, JSON text.
    pub input_content: String,
    /// Ids of the records in it.
    pub record_ids: Vec<String>,
}

/// Groups records into human loops of at most `items_per_task` items of one classifier each.
///
/// The order of the records is kept. A loop's content and name depend on nothing but the arguments,
/// so that the same delivery again starts the same loops. To choose from are the active labels of the set,
/// together with the classes that the model gave scores to. What a user predicted or suggested, and the set does
/// not know, is shown with its own item only: it is a proposal, and no choice of others. Names do not depend on the
/// words that drove the predictions. A text that somebody has answered before is alone in its loop, which asks somebody
/// else for one more opinion.
///
/// Records that are left out ([`Making::left_out`]) keep their place: loops are cut and named as if they were asked too, and
/// shown without them. So the others stay in the loop of the same name, whatever is left out by the time of the next delivery.
/// There is no loop in which nothing is left.
pub fn human_loops(records: &[FeedbackRecord], items_per_task: usize, making: &Making<'_>) -> Vec<HumanLoop> {
    let mut by_classifier: BTreeMap<&str, Vec<&FeedbackRecord>> = BTreeMap::new();
    let mut loops = Vec::new();
    for record in records {
        match making.answered_by.get(&record.id) {
            Some(workers) => loops.extend(making.one_more_opinion(record, workers)),
            None => by_classifier.entry(&record.classifier).or_default().push(record),
        }
    }
    for group in by_classifier.values() {
        for chunk in group.chunks(items_per_task.max(1)) {
            making.split_to_size(chunk, &mut loops);
        }
    }
    loops
}

/// Where records were delivered.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Bucket of the delivered feedback.
    pub bucket: &'a str,
    /// Its key.
    pub key: &'a str,
}

/// Returns the human loop that asks somebody else about a question that was opened again: one more opinion of nobody
/// who has given theirs. The same for the same question until it is opened once more, or is asked anew from the beginning.
pub fn reopening_loop(question: &Question, labels: &LabelSet, classes: &[String]) -> HumanLoop {
    let record = &question.record;
    let input = HumanLoopInput {
        labels: offered_labels(&[record], labels, classes),
        comprehend_predictions: vec![record.clone()],
        row_count: 1,
        bucket_name: String::new(),
        key_name: String::new(),
        excluded_workers: question.reviewers(),
        task_count: Some(1),
        words: DrivingWords::new(),
    };
    let asking = question.first_loop.as_ref().unwrap_or(&record.received_at);
    let parts = ["reopened", &record.id, asking, &question.reopened.to_string()];
    HumanLoop {
        name: format!("{}-again-1", name_of(parts.into_iter())),
        input_content: input.to_json(),
        record_ids: vec![record.id.clone()],
    }
}

/// Returns the name that the version before gave this loop: the same whenever the question was asked anew, so that a loop of
/// this name may have ended long ago.
pub fn reopening_loop_of_before(question: &Question) -> String {
    let parts = ["reopened", &question.record.id, &question.reopened.to_string()];
    format!("{}-again-1", name_of(parts.into_iter()))
}

/// Derives the name of a loop from what it asks.
fn name_of<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    format!("{NAME_PREFIX}{}", &hex::encode(hash.finalize())[..NAME_DIGITS])
}

/// What human loops are made of, beside their records.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// The label set.
    pub labels: &'a LabelSet,
    /// Classes of the model that serves, as far as they are known.
    pub classes: &'a [String],
    /// Words that drove the predictions.
    pub words: &'a DrivingWords,
    /// Who has answered before.
    pub answered_by: &'a AnsweredBy,
    /// Ids of the records that nobody is asked about any more: they were taken back or erased, or are asked elsewhere.
    pub left_out: &'a BTreeSet<String>,
    /// Where the records were delivered.
    pub delivery: Delivery<'a>,
}

impl Making<'_> {
    /// Halves a chunk until its content fits, also with what is left out; a single record always fits, since utterances are
    /// bounded.
    fn split_to_size(&self, chunk: &[&FeedbackRecord], loops: &mut Vec<HumanLoop>) {
        if chunk.len() > 1 && self.is_too_large(chunk) {
            let (first, second) = chunk.split_at(chunk.len() / 2);
            self.split_to_size(first, loops);
            self.split_to_size(second, loops);
        } else {
            loops.extend(self.human_loop(chunk));
        }
    }

    fn is_too_large(&self, chunk: &[&FeedbackRecord]) -> bool {
        let records: usize = chunk.iter().map(|record| record.to_line().len()).sum();
        records > MAX_RECORDS_BYTES || self.input(chunk).to_json().len() > MAX_INPUT_CONTENT_BYTES
    }

    /// Returns the loop of a chunk; none where all of it is left out.
    fn human_loop(&self, chunk: &[&FeedbackRecord]) -> Option<HumanLoop> {
        let is_asked = |record: &&FeedbackRecord| !self.left_out.contains(&record.id);
        let asked: Vec<&FeedbackRecord> = chunk.iter().copied().filter(is_asked).collect();
        (!asked.is_empty()).then(|| HumanLoop {
            name: self.name(chunk),
            input_content: self.input(&asked).to_json(),
            record_ids: asked.iter().map(|record| record.id.clone()).collect(),
        })
    }

    /// Asks somebody who has not answered. Its name is that of a further round, which an adjudicator ends where nobody else
    /// comes in time.
    fn one_more_opinion(&self, record: &FeedbackRecord, workers: &[String]) -> Option<HumanLoop> {
        let first = self.human_loop(&[record])?;
        let input = HumanLoopInput {
            excluded_workers: workers.to_vec(),
            task_count: Some(1),
            ..self.input(&[record])
        };
        Some(HumanLoop {
            name: format!("{}-again-1", first.name),
            input_content: input.to_json(),
            ..first
        })
    }

    fn name(&self, chunk: &[&FeedbackRecord]) -> String {
        let Delivery { bucket, key } = self.delivery;
        let ids = chunk.iter().map(|record| record.id.as_str());
        name_of([bucket, key].into_iter().chain(ids))
    }

    fn input(&self, chunk: &[&FeedbackRecord]) -> HumanLoopInput {
        let Delivery { bucket, key } = self.delivery;
        let ids = chunk.iter().map(|record| record.id.as_str());
        let words = ids.filter_map(|id| self.words.get_key_value(id));
        HumanLoopInput {
            comprehend_predictions: chunk.iter().map(|record| (*record).clone()).collect(),
            labels: offered_labels(chunk, self.labels, self.classes),
            row_count: chunk.len(),
            bucket_name: bucket.to_owned(),
            key_name: key.to_owned(),
            excluded_workers: Vec::new(),
            task_count: None,
            words: words.map(|(id, words)| (id.clone(), words.clone())).collect(),
        }
    }
}

/// Returns what to choose from: the labels, and classes of the serving model, those too that the scores of a record name.
///
/// What a user complains about has no scores, and Comprehend answers with the best three only.
fn offered_labels(chunk: &[&FeedbackRecord], labels: &LabelSet, serving: &[String]) -> Vec<String> {
    let scored = chunk.iter().flat_map(|record| &record.classes);
    let scored = scored.map(|class| class.name.as_str());
    labels.choices(scored.chain(serving.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        MAX_UTTERANCE_BYTES,
        erasure::erased_item,
        feedback::{FeedbackRequest, Source, prediction::ClassScore},
        labels::label_set::Origin,
    };

    fn record(classifier: &str, utterance: &str) -> FeedbackRecord {
        let request = FeedbackRequest {
            classifier: classifier.into(),
            sentence: utterance.into(),
            ..FeedbackRequest::default()
        };
        request
            .into_record(Source::ExplicitApi, "2026-11-20T10:00:00Z")
            .expect("complete")
    }

    fn labels() -> LabelSet {
        LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-20T10:00:00Z")
    }

    const DELIVERY: Delivery<'static> = Delivery {
        bucket: "bucket",
        key: "key",
    };

    fn made_with(
        records: &[FeedbackRecord],
        items_per_task: usize,
        labels: &LabelSet,
        words: &DrivingWords,
        answered_by: &AnsweredBy,
    ) -> Vec<HumanLoop> {
        made_while_serving(records, items_per_task, labels, words, answered_by, &[])
    }

    fn made_while_serving(
        records: &[FeedbackRecord],
        items_per_task: usize,
        labels: &LabelSet,
        words: &DrivingWords,
        answered_by: &AnsweredBy,
        classes: &[String],
    ) -> Vec<HumanLoop> {
        let making = Making {
            labels,
            classes,
            words,
            answered_by,
            left_out: &BTreeSet::new(),
            delivery: DELIVERY,
        };
        human_loops(records, items_per_task, &making)
    }

    fn made_of(records: &[FeedbackRecord], items_per_task: usize, labels: &LabelSet) -> Vec<HumanLoop> {
        made_with(
            records,
            items_per_task,
            labels,
            &DrivingWords::new(),
            &AnsweredBy::new(),
        )
    }

    #[test]
    fn the_first_question_about_a_text_of_a_file_is_no_further_opinion() {
        let task = |signal: Signal, excluded: &[&str]| {
            let record = FeedbackRecord {
                signal,
                ..FeedbackRecord::without_model("news", "One", "p-1", "2026-11-20T10:00:00Z")
            };
            HumanLoopInput {
                comprehend_predictions: vec![record],
                labels: Vec::new(),
                row_count: 1,
                bucket_name: String::new(),
                key_name: String::new(),
                excluded_workers: excluded.iter().map(|worker| (*worker).to_owned()).collect(),
                task_count: Some(1),
                words: DrivingWords::new(),
            }
        };
        let asks = |signal, excluded: &[&str]| task(signal, excluded).asks_for_one_more_opinion();

        assert!(!asks(Signal::Unlabelled, &["csv:annotator"]));
        assert!(!asks(Signal::Unlabelled, &[UNSIGNED]));
        assert!(!asks(Signal::Unlabelled, &[]));
        assert!(asks(Signal::Unlabelled, &["csv:annotator", "0123456789abcdef"]));
        assert!(asks(Signal::LowConfidence, &[]), "as an earlier version asked");
    }

    #[test]
    fn eleven_records_of_two_classifiers_make_three_loops_of_ten_items() {
        let mut records: Vec<_> = (0..11)
            .map(|number| record("news", &format!("Text {number}")))
            .collect();
        records.insert(3, record("mail", "A letter"));

        let loops = made_of(&records, 10, &labels());

        assert_eq!(
            loops.iter().map(|l| l.record_ids.len()).collect::<Vec<_>>(),
            [1, 10, 1]
        );
    }

    #[test]
    fn the_input_has_the_keys_that_worker_task_templates_read() {
        let records = [record("news", "Rates rise")];

        let loops = made_of(&records, 10, &labels());
        let input: Value = serde_json::from_str(&loops[0].input_content).expect("JSON");

        assert_eq!(input["rowCount"], 1);
        assert_eq!(input["bucketName"], "bucket");
        assert_eq!(input["keyName"], "key");
        assert_eq!(input["labels"], json!(["World", "Sports"]));
        let item = &input["comprehendPredictions"][0];
        assert_eq!(item["utterance"], "Rates rise");
        assert_eq!(item["classifier"], "news");
        assert_eq!(item["id"], records[0].id);
        assert!(item.get("prediction").is_some() && item.get("confidence").is_some());
    }

    #[test]
    fn each_loop_has_the_words_of_its_own_records_and_the_same_name_without_them() {
        let records = [record("news", "Rates rise"), record("news", "A late goal")];
        let words = DrivingWords::from([(records[1].id.clone(), vec!["goal".to_owned()])]);

        let with = made_with(&records, 1, &labels(), &words, &AnsweredBy::new());
        let without = made_of(&records, 1, &labels());

        let input = |of: &HumanLoop| serde_json::from_str::<Value>(&of.input_content).expect("JSON");
        assert_eq!(input(&with[0]).get("words"), None);
        assert_eq!(input(&with[1])["words"], json!({&records[1].id: ["goal"]}));
        assert_eq!(with[1].name, without[1].name);
    }

    #[test]
    fn a_text_that_somebody_has_answered_is_asked_alone_and_of_somebody_else() {
        let records = ["One", "Two", "Three"].map(|text| record("news", text));
        let workers = vec!["w-1".to_owned(), "w-2".to_owned()];
        let answered_by = AnsweredBy::from([(records[1].id.clone(), workers)]);

        let loops = made_with(&records, 10, &labels(), &DrivingWords::new(), &answered_by);

        let ids: Vec<_> = loops
            .iter()
            .map(|human_loop| human_loop.record_ids.clone())
            .collect();
        assert_eq!(
            ids,
            [
                vec![records[1].id.clone()],
                vec![records[0].id.clone(), records[2].id.clone()]
            ]
        );
        let input: Value = serde_json::from_str(&loops[0].input_content).expect("JSON");
        assert_eq!(input["excludedWorkers"], json!(["w-1", "w-2"]));
        assert_eq!(input["taskCount"], 1);
        assert!(loops[0].name.ends_with("-again-1"));
        let others: Value = serde_json::from_str(&loops[1].input_content).expect("JSON");
        assert_eq!(others.get("excludedWorkers"), None);
    }

    #[test]
    fn an_input_of_which_a_text_was_erased_is_read_without_it() {
        let input = &made_of(&[record("news", "One"), record("news", "Two")], 2, &labels())[0];
        let mut left: Value = serde_json::from_str(&input.input_content).expect("JSON");
        left["comprehendPredictions"][0] = erased_item(&left["comprehendPredictions"][0]);

        let read: HumanLoopInput = serde_json::from_value(left).expect("an input");

        let texts: Vec<_> = read
            .comprehend_predictions
            .iter()
            .map(|item| &item.utterance)
            .collect();
        assert_eq!(texts, ["Two"]);
    }

    #[test]
    fn what_users_name_is_a_button_for_nobody_else() {
        let mut first = record("news", "One");
        first.suggested_label = Some("Weather".into());
        let mut second = record("news", "Two");
        second.prediction = Some("Politics".into());

        let loops = made_of(&[first, second], 10, &labels());
        let input: Value = serde_json::from_str(&loops[0].input_content).expect("JSON");

        assert_eq!(input["labels"], json!(["World", "Sports"]));
        assert_eq!(input["comprehendPredictions"][0]["suggestedLabel"], "Weather");
    }

    #[test]
    fn choices_are_the_active_labels_together_with_the_classes_of_the_serving_model() {
        let mut set = labels();
        set.add("Retired", "").expect("free");
        set.retire("Retired").expect("active");
        let score = |name: &str| ClassScore {
            name: name.into(),
            score: 0.2,
        };
        let mut first = record("news", "One");
        first.classes = ["SPORTS", "Weather", "retired"].map(score).to_vec();
        let mut second = record("news", "Two");
        second.classes = ["weather ", "Culture"].map(score).to_vec();

        let loops = made_of(&[first, second], 10, &set);
        let input: Value = serde_json::from_str(&loops[0].input_content).expect("JSON");

        assert_eq!(input["labels"], json!(["World", "Sports", "Weather", "Culture"]));
    }

    #[test]
    fn a_complaint_without_scores_is_offered_the_classes_of_the_serving_model_in_each_round() {
        let mut set = labels();
        set.add("Old", "").expect("free");
        set.retire("Old").expect("active");
        let classes = ["Weather", "OLD", "sports", "World", "weather "].map(str::to_owned);
        let complaint = record("news", "One");

        let (words, nobody) = (DrivingWords::new(), AnsweredBy::new());
        let first = made_while_serving(
            std::slice::from_ref(&complaint),
            10,
            &set,
            &words,
            &nobody,
            &classes,
        );
        let reopened = reopening_loop(&Question::asked(complaint, "review-1", 1), &set, &classes);

        for human_loop in [&first[0], &reopened] {
            let input: Value = serde_json::from_str(&human_loop.input_content).expect("JSON");
            assert_eq!(input["labels"], json!(["World", "Sports", "Weather"]));
        }
    }

    #[test]
    fn a_chunk_beyond_the_limit_of_a2i_is_split() {
        let records: Vec<_> = (0..400)
            .map(|number| {
                record(
                    "news",
                    &format!("{number:04}{}", "\u{1}".repeat(MAX_UTTERANCE_BYTES - 4)),
                )
            })
            .collect();

        let loops = made_of(&records, 400, &labels());

        assert!(loops.len() > 1);
        assert!(
            loops
                .iter()
                .all(|l| l.input_content.len() <= MAX_INPUT_CONTENT_BYTES)
        );
        assert_eq!(loops.iter().map(|l| l.record_ids.len()).sum::<usize>(), 400);
    }

    /// Name of the page that shows each record, by its id; each is on one page.
    fn pages(loops: &[HumanLoop]) -> BTreeMap<String, String> {
        let mut pages = BTreeMap::new();
        for human_loop in loops {
            let input: HumanLoopInput = serde_json::from_str(&human_loop.input_content).expect("an input");
            let shown: Vec<String> = (input.comprehend_predictions.into_iter())
                .map(|item| item.id)
                .collect();
            assert!(!shown.is_empty() && input.row_count == shown.len());
            assert_eq!(shown, human_loop.record_ids);
            for id in shown {
                let before = pages.insert(id, human_loop.name.clone());
                assert_eq!(before, None, "on two pages");
            }
        }
        pages
    }

    #[test]
    fn pages_that_are_cut_by_their_size_stay_whatever_is_left_out_and_whatever_the_labels_are() {
        let records: Vec<_> = (0..100)
            .map(|number| record("news", &format!("{number:04}{}", "\u{1}".repeat(5_000))))
            .collect();
        let left_out: BTreeSet<String> = (records.iter().step_by(3))
            .map(|record| record.id.clone())
            .collect();
        let many: Vec<String> = (0..1_000)
            .map(|number| format!("{number} {}", "x".repeat(1_000)))
            .collect();
        let many = LabelSet::seed(&many, Origin::Edited, "2026-11-20T10:00:00Z");

        let before = made_of(&records, 100, &labels());
        let after = human_loops(
            &records,
            100,
            &Making {
                labels: &many,
                classes: &[],
                words: &DrivingWords::new(),
                answered_by: &AnsweredBy::new(),
                left_out: &left_out,
                delivery: DELIVERY,
            },
        );

        let mut expected = pages(&before);
        expected.retain(|id, _| !left_out.contains(id));
        assert!(before.len() > 1);
        assert_eq!(pages(&after), expected);
    }

    proptest! {
        #[test]
        fn whatever_is_left_out_the_others_stay_on_the_page_of_the_same_name(
            sizes in proptest::collection::vec(("[a-c]", 1usize..400, 0u8..3, 0u8..5), 0..40), items_per_task in 0usize..12,
        ) {
            let records: Vec<_> = sizes
                .iter()
                .enumerate()
                .map(|(number, (classifier, size, ..))| record(classifier, &format!("{number} {}", "x".repeat(*size))))
                .collect();
            let ids = || records.iter().map(|record| record.id.clone()).zip(&sizes);
            let left_out: BTreeSet<String> = ids().filter(|(_, of)| of.2 == 0).map(|(id, _)| id).collect();
            let answered_by: AnsweredBy =
                ids().filter(|(_, of)| of.3 == 0).map(|(id, _)| (id, vec!["w-1".to_owned()])).collect();
            let (labels, words) = (labels(), DrivingWords::new());
            let made = |left_out: &BTreeSet<String>| {
                let making = Making {
                    labels: &labels,
                    classes: &[],
                    words: &words,
                    answered_by: &answered_by,
                    left_out,
                    delivery: DELIVERY,
                };
                pages(&human_loops(&records, items_per_task, &making))
            };

            let all = made(&BTreeSet::new());
            let left = made(&left_out);

            prop_assert_eq!(all.len(), records.len());
            let mut expected = all;
            expected.retain(|id, _| !left_out.contains(id));
            prop_assert_eq!(left, expected);
        }

        #[test]
        fn no_record_is_lost_or_doubled_and_names_fit_the_service(
            sizes in proptest::collection::vec(("[a-c]", 1usize..400), 0..40), items_per_task in 0usize..12,
        ) {
            let records: Vec<_> = sizes
                .iter()
                .enumerate()
                .map(|(number, (classifier, size))| record(classifier, &format!("{number} {}", "x".repeat(*size))))
                .collect();

            let loops = made_of(&records, items_per_task, &labels());
            let again = made_of(&records, items_per_task, &labels());

            let mut ids: Vec<_> = loops.iter().flat_map(|l| l.record_ids.clone()).collect();
            let mut expected: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
            ids.sort();
            expected.sort();
            prop_assert_eq!(ids, expected);
            prop_assert_eq!(&loops, &again);
            for l in &loops {
                prop_assert!(l.name.len() <= 63);
                prop_assert!(l.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert!(l.record_ids.len() <= items_per_task.max(1));
            }
        }
    }
}
