//! Labels that people propose, as soon as they have said so.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    label_set::LabelSets,
};
use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        human_loop::{Answer, HumanLoopInput},
        label_key::label_key,
        label_set::{LabelSet, Resolution, can_be_label},
        labelled::LabelledRecord,
        vote::Vote,
    },
    sampling::review_budget::Queue,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::labels::{self, Keep, Packing};

/// Largest human loop, and largest item of the backlog, that is read, in bytes.
const MAX_ITEM_BYTES: u64 = 4 << 20;
const READS_IN_FLIGHT: usize = 16;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A label that somebody proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Its name, as most reviewers wrote it, of as many most people, then who was first: as answers are spelt.
    pub name: String,
    /// Votes that name it, of those that were given since it was refused.
    pub votes: u64,
    /// Whether it was refused before, and somebody has proposed it again since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused_before: bool,
}

/// What people propose by their last word on each text.
#[derive(Default)]
struct Proposed(BTreeMap<(String, String), LastWord>);

/// How often a spelling was given: by reviewers, by anybody, and first when.
type Frequency = (u64, u64, Reverse<String>);

/// When somebody voted last, and which names of that are neither labels nor were refused since.
#[derive(Default)]
struct LastWord {
    at: String,
    is_review: bool,
    names: BTreeSet<String>,
}

impl Proposed {
    /// Adds what a vote names that is neither a label nor was refused since.
    fn add(&mut self, set: &LabelSet, record: &FeedbackRecord, vote: Vote) {
        let names = match set.canonical(record, vote.clone()).answer {
            // As it was refused, maybe by a version that listed the whole.
            Answer::NewLabel { label } if set.was_refused_since(&label, &vote.at) => Vec::new(),
            Answer::NewLabel { label } => set.proposed_names(&label),
            Answer::Labels { labels } => labels,
            Answer::NoneFits | Answer::Unsure => Vec::new(),
        };
        let is_proposed = |name: &String| {
            matches!(set.resolve(name), Resolution::Proposed(_))
                && can_be_label(name)
                && !set.was_refused_since(name, &vote.at)
        };
        let voter = (record.id.clone(), vote.voter().into_owned());
        let last = self.0.entry(voter).or_default();
        if vote.at < last.at {
            return;
        }
        if vote.at > last.at {
            last.names.clear();
        }
        last.names.extend(names.into_iter().filter(is_proposed));
        last.is_review = vote.source.is_review();
        last.at = vote.at;
    }

    /// Counts the votes for each name, in the spelling in which an answer of as many would be written.
    fn count(self, set: &LabelSet) -> Vec<Proposal> {
        let mut spellings: BTreeMap<String, BTreeMap<String, Frequency>> = BTreeMap::new();
        for LastWord { at, is_review, names } in self.0.into_values() {
            for name in names {
                let spellings = spellings.entry(label_key(&name)).or_default();
                let first = || (0, 0, Reverse(at.clone()));
                let (reviewers, all, first) = spellings.entry(name.trim().to_owned()).or_insert_with(first);
                *reviewers += u64::from(is_review);
                *all += 1;
                if at < first.0 {
                    first.0.clone_from(&at);
                }
            }
        }
        let mut proposals: Vec<Proposal> = spellings
            .into_values()
            .filter_map(|spellings| {
                let votes = spellings.values().map(|(_, all, _)| all).sum();
                // Of equal ones the last is taken, which is the first in the order of characters.
                let most = spellings
                    .into_iter()
                    .rev()
                    .max_by(|one, other| one.1.cmp(&other.1));
                let name = most?.0;
                Some(Proposal {
                    refused_before: set.is_refused(&name),
                    name,
                    votes,
                })
            })
            .collect();
        proposals.sort_by(|a, b| b.votes.cmp(&a.votes).then_with(|| a.name.cmp(&b.name)));
        proposals
    }
}

/// Returns what is proposed and neither a label nor was refused since, the most frequent first: in answers and votes, and
/// with the texts that people are asked about or that wait for it.
///
/// # Errors
///
/// A bucket cannot be read.
pub async fn proposals(
    training: &Bucket,
    feedback: &Bucket,
    set: &LabelSet,
) -> Result<Vec<Proposal>, Failure> {
    let mut proposed = Proposed::default();
    let sets = LabelSets::new(training.clone()).with_several_labels(true);
    let labels = labels::read_by(training, Keep::Line, sets.current().await?, Packing::AsItIs).await?;
    for piece in labels.records().flatten() {
        let kept = labels.kept.read(piece.kept)?;
        let labelled = LabelledRecord::parse(kept.as_bytes())?;
        for vote in &labelled.votes {
            proposed.add(set, &labelled.record, vote.clone());
        }
    }
    // What users say with a text stands in its first answer; until then it waits with the text.
    for record in open_questions(feedback).await? {
        if let Some(vote) = Vote::of_feedback(&record) {
            proposed.add(set, &record, vote);
        }
    }
    Ok(proposed.count(set))
}

/// Returns the records that people are asked about, and those that wait until there is time for them. Texts of the pool
/// carry no opinion.
pub(crate) async fn open_questions(feedback: &Bucket) -> Result<Vec<FeedbackRecord>, BucketError> {
    let of_loop = |bytes: &[u8]| {
        let input: Option<HumanLoopInput> = serde_json::from_slice(bytes).ok();
        input.map_or_else(Vec::new, |input| input.comprehend_predictions)
    };
    let of_item = |bytes: &[u8]| Vec::from_iter(FeedbackRecord::parse(bytes).ok());
    let mut open = read_all(feedback, keys::ASKED_FOLDER, of_loop).await?;
    for queue in Queue::IN_ORDER {
        open.extend(read_all(feedback, queue.prefix(), of_item).await?);
    }
    Ok(open)
}

/// Reads all objects of a folder; what cannot be understood is left to those who work it off.
async fn read_all(
    bucket: &Bucket,
    folder: &str,
    records: impl Fn(&[u8]) -> Vec<FeedbackRecord>,
) -> Result<Vec<FeedbackRecord>, BucketError> {
    let listed = bucket.list(folder).await?;
    let objects: Vec<_> = stream::iter(&listed)
        .map(|object| bucket.read(&object.key, MAX_ITEM_BYTES))
        .buffered(READS_IN_FLIGHT)
        .try_collect()
        .await?;
    let objects = objects.into_iter().flatten();
    Ok(objects.flat_map(|object| records(&object.bytes)).collect())
}

#[cfg(test)]
mod tests {
    use active_learning_core::{
        feedback::{FeedbackRequest, Source},
        labels::vote::VoteSource,
    };

    use super::*;

    fn proposed(name: &str, worker: &str, source: VoteSource, at: &str) -> Vote {
        Vote {
            worker: worker.to_owned(),
            answer: Answer::NewLabel {
                label: name.to_owned(),
            },
            source,
            at: at.to_owned(),
            seconds: None,
            note: Default::default(),
        }
    }

    #[test]
    fn a_proposal_is_spelt_as_reviewers_agree_on_it_and_not_as_the_last_of_them_wrote() {
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: "A voucher".into(),
            ..FeedbackRequest::default()
        };
        let record = request
            .into_record(Source::ExplicitApi, "2026-11-20T09:00:00.000Z")
            .expect("complete");
        let set = LabelSet::none();
        let of_reviewers = [
            proposed(
                "Gift card",
                "ann",
                VoteSource::HumanReview,
                "2026-11-20T10:00:00Z",
            ),
            proposed(
                "ＧＩＦＴ  CARD",
                "bob",
                VoteSource::HumanReview,
                "2026-11-20T10:05:00Z",
            ),
        ];
        let of_users = [
            proposed(
                "GIFT CARD",
                "user:u1",
                VoteSource::Feedback,
                "2026-11-20T08:00:00Z",
            ),
            proposed(
                "GIFT CARD",
                "user:u2",
                VoteSource::Feedback,
                "2026-11-20T08:01:00Z",
            ),
        ];
        let mut all = Proposed::default();
        for vote in of_reviewers.into_iter().chain(of_users) {
            all.add(&set, &record, vote);
        }

        let proposals = all.count(&set);

        let expected = Proposal {
            name: "Gift card".to_owned(),
            votes: 4,
            refused_before: false,
        };
        assert_eq!(proposals, [expected]);
    }
}
