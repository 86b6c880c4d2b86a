//! What becomes of the records of a delivered object: decided once, noted, then done.
//!
//! The note is what makes a redelivery do the same again. Deciding anew would not: copies are found among texts
//! that were asked about lately, which change all the time. Whatever breaks off before the note is there has
//! asked nobody, and its claims are still the object's own.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    future::ready,
    num::NonZeroUsize,
};

use active_learning_aws::{
    backoff::Tries,
    bucket::{BucketError, Change, Created, JSON},
    copy_changes,
    s3_event::S3Object,
};
use active_learning_core::{
    feedback::{FeedbackRecord, Signal},
    keys,
    labels::{
        consolidation::without_corrected,
        human_loop::HumanLoopInput,
        label_set::LabelSet,
        question::{Question, State},
    },
    random::Random,
    sampling::{
        duplicates::{Becomes, Duplicate, KeptCopy, same_form},
        review_budget::may_be_explored,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT};

/// What becomes of the records that are the object's own; the others are being asked already.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Noted", rename_all = "camelCase")]
pub(crate) struct Plan {
    /// Fate of each record, by id.
    pub(crate) fates: BTreeMap<String, Fate>,
    /// Most records of a task by then: an operator may have changed the parameter when the object is delivered again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) items_per_task: Option<NonZeroUsize>,
    /// Ids of the records that an earlier run has left out of their pages: they stay out, since these pages may be there.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) left_out: BTreeSet<String>,
}

/// A plan as it is read.
#[derive(Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Noted {
    Plan {
        fates: BTreeMap<String, Fate>,
        #[serde(default)]
        items_per_task: Option<NonZeroUsize>,
        #[serde(default)]
        left_out: BTreeSet<String>,
    },
    /// Of the version before: the fates alone.
    Fates(BTreeMap<String, Fate>),
}

impl From<Noted> for Plan {
    fn from(noted: Noted) -> Self {
        match noted {
            Noted::Plan {
                fates,
                items_per_task,
                left_out,
            } => Self {
                fates,
                items_per_task,
                left_out,
            },
            Noted::Fates(fates) => Self {
                fates,
                ..Self::default()
            },
        }
    }
}

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fate {
    /// People are asked.
    Ask,
    /// Others than these workers are asked: they answered before the question was given up, or taken back.
    AskOthers(Vec<String>),
    /// It waits in the backlog.
    Wait {
        /// Probability of the draw, if it was drawn.
        explored: Option<f64>,
        /// Whether it is a text to label of which the serving model is not sure.
        #[serde(default)]
        is_doubtful: bool,
    },
    /// The answer to another record, of this id, is its answer too.
    CopyOf(String),
}

impl Fate {
    fn waits(explored: Option<f64>) -> Self {
        Self::Wait {
            explored,
            is_doubtful: false,
        }
    }
}

impl A2iTrigger {
    /// Returns the plan for some records of an object, the same whenever it is asked for. Nothing is decided of those of these ids,
    /// whose texts were erased.
    pub(crate) async fn plan(
        &self,
        object: &S3Object,
        (records, erased): (&[FeedbackRecord], &BTreeSet<String>),
        today: &str,
        to_judge: &mut usize,
    ) -> Result<Plan, A2iTriggerError> {
        let key = plan_key(object, records);
        let mut tries = Tries::default();
        while tries.again().await {
            let noted = self.feedback.read_document(&key).await;
            if let Some(plan) = noted.map_err(A2iTriggerError::Store)? {
                return Ok(plan);
            }
            let plan = self.decide(object, (records, erased), today, to_judge).await?;
            let created = self.feedback.create_document(&key, &plan).await;
            if created.map_err(A2iTriggerError::Store)? == Created::Created {
                return Ok(plan);
            }
            // A second run of the same event was faster: its plan counts.
        }
        let uri = self.feedback.uri(&key);
        Err(A2iTriggerError::Store(BucketError::Contended { uri }))
    }

    /// Notes in a plan what is left out of its pages, before any of them is made.
    pub(crate) async fn note_left_out(
        &self,
        key: &str,
        left_out: &BTreeSet<String>,
    ) -> Result<(), A2iTriggerError> {
        let note = |plan: Option<Plan>| {
            let after = plan.map(|mut plan| {
                plan.left_out.extend(left_out.iter().cloned());
                plan
            });
            Change::to(after, ())
        };
        let noted = self.feedback.change(key, note).await;
        noted.map_err(A2iTriggerError::Store)
    }

    async fn decide(
        &self,
        object: &S3Object,
        (records, erased): (&[FeedbackRecord], &BTreeSet<String>),
        today: &str,
        to_judge: &mut usize,
    ) -> Result<Plan, A2iTriggerError> {
        let left = records.iter().filter(|record| !erased.contains(&record.id));
        let mut mine = self.claim(object, left).await?;
        let mut originals = self.originals_of_form(&mine).await?;
        let mut known = self.known_questions(&mine).await?;
        let (mut answered, mut started) = (HashSet::new(), BTreeSet::new());
        // What a change of the label set asks is asked although it was answered.
        for record in mine.iter().filter(|record| record.signal != Signal::Relabel) {
            if let Some(question) = known.get(record.id.as_str())
                && self.is_answered(object, question, &mut started).await?
            {
                answered.insert(record.id.clone());
            }
        }
        mine.retain(|record| !answered.contains(record.id.as_str()));
        known.retain(|id, _| !answered.contains(*id));
        self.add_originals_by_small_change(&mine, &mut originals).await?;
        let new: Vec<_> = mine
            .iter()
            .copied()
            .filter(|record| !originals.contains_key(&record.id))
            .collect();
        let at_once = self.asked_at_once(&new, to_judge).await;
        let draw = match self.config.review_budget {
            0 => None,
            limit => {
                let doubtful = new.iter().filter(|record| may_be_explored(record)).count() as u64;
                Some(self.arrive(today, doubtful, limit).await?)
            }
        };
        let mut fate = |record: &FeedbackRecord| match (originals.remove(&record.id), draw) {
            (Some(original), _) => Fate::CopyOf(original),
            (None, _) if self.is_for_pool(record) && !at_once.contains(&record.id) => Fate::waits(None),
            (None, None) => Fate::Ask,
            (None, Some(_)) if self.is_for_pool(record) => Fate::Wait {
                explored: None,
                is_doubtful: true,
            },
            (None, Some(draw)) => {
                let drawn = may_be_explored(record) && chance(object, record) < draw;
                Fate::waits(drawn.then_some(draw))
            }
        };
        let labels = self.labels_for(records).await?;
        let fate = |record: &FeedbackRecord| match (fate(record), known.get(record.id.as_str())) {
            (Fate::Ask, Some(question)) => match answered_by(question, record, &labels) {
                workers if workers.is_empty() => Fate::Ask,
                workers => Fate::AskOthers(workers),
            },
            (fate, _) => fate,
        };
        let ids = mine.iter().map(|record| record.id.clone());
        Ok(Plan {
            fates: ids.zip(mine.iter().copied().map(fate)).collect(),
            items_per_task: Some(self.config.items_per_task),
            left_out: BTreeSet::new(),
        })
    }

    /// Returns the records that are this object's to ask, in their order.
    async fn claim<'a>(
        &self,
        object: &S3Object,
        records: impl Iterator<Item = &'a FeedbackRecord>,
    ) -> Result<Vec<&'a FeedbackRecord>, A2iTriggerError> {
        let owner = &format!("{}/{}", object.bucket, object.key);
        stream::iter(records)
            .map(async |record| {
                let mine = self.claims.claim(&record.claim_name(), owner).await?;
                Ok(mine.then_some(record))
            })
            .buffered(CALLS_IN_FLIGHT)
            .try_filter_map(|record| ready(Ok(record)))
            .try_collect()
            .await
    }

    /// Returns the questions about these records that have been asked before: their claims were given back when a complaint
    /// was taken back, or the question given up, or a change of the label set asks them anew.
    async fn known_questions<'a>(
        &self,
        records: &[&'a FeedbackRecord],
    ) -> Result<HashMap<&'a str, Question>, A2iTriggerError> {
        stream::iter(records.iter().copied())
            .map(async |record| {
                let question = self.questions.read(&record.id).await?;
                Ok(question.map(|question| (record.id.as_str(), question)))
            })
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_filter_map(|known| ready(Ok(known)))
            .try_collect()
            .await
    }

    /// Returns whether people have answered a question, or are still at it: a reviewer who had the page open answered after its
    /// complaint was taken back; or the object was written anew while it was worked off, without a text that was erased. What
    /// is said of it is heard, as of every text that was asked before. The loop that asks it is started where the run before has
    /// only written it down, each once.
    async fn is_answered(
        &self,
        object: &S3Object,
        question: &Question,
        started: &mut BTreeSet<String>,
    ) -> Result<bool, A2iTriggerError> {
        let Some(human_loop) = &question.human_loop else {
            return Ok(matches!(question.state, State::Answered | State::Disputed));
        };
        Ok(match question.state {
            State::Answered | State::Disputed => true,
            State::Asked if question.reviewers().is_empty() => {
                let Some(input) = self.human_loops.input(human_loop).await? else {
                    return Ok(false);
                };
                let asked: Option<HumanLoopInput> = serde_json::from_str(&input).ok();
                let is_own = |asked: &HumanLoopInput| {
                    asked.bucket_name == object.bucket && asked.key_name == object.key
                };
                let Some(asked) = asked.filter(is_own) else {
                    return Ok(false);
                };
                let erased = self
                    .erased_among(&asked.comprehend_predictions, &BTreeSet::new())
                    .await?;
                // Who erases a text takes it out of what is asked too; the sweep starts the rest.
                if erased.is_empty() && started.insert(human_loop.clone()) {
                    self.human_loops.start_kept(human_loop, &input).await?;
                }
                true
            }
            State::Asked => true,
            State::Withdrawn | State::Abandoned => false,
        })
    }

    /// Claims the form of each text for its record, and returns whose it is where it is not the record's own.
    ///
    /// An audited record is asked whatever else was: left out because of its copies, it could not stand for them.
    async fn originals_of_form(
        &self,
        records: &[&FeedbackRecord],
    ) -> Result<HashMap<String, String>, A2iTriggerError> {
        stream::iter(records)
            .map(async |record| {
                let name = format!("text-{}", same_form(record));
                let original = self.claims.claim_or_owner(&name, &record.id).await?;
                let is_copy = original != record.id && may_be_copy(record);
                Ok(is_copy.then(|| (record.id.clone(), original)))
            })
            .buffered(CALLS_IN_FLIGHT)
            .try_filter_map(|copy| ready(Ok(copy)))
            .try_collect()
            .await
    }

    /// Keeps copies, each with the id of its original, where the labels will lie: see [`KeptCopy::key`].
    pub(crate) async fn keep_copies(
        &self,
        copies: Vec<(String, FeedbackRecord)>,
    ) -> Result<(), A2iTriggerError> {
        let keys: Vec<String> = copies
            .iter()
            .map(|(original, copy)| KeptCopy::key(original, copy))
            .collect::<Option<_>>()
            .ok_or(A2iTriggerError::ForeignClaim)?;
        let announced = copy_changes::announce(&self.training, Becomes::Kept, &keys).await;
        announced.map_err(A2iTriggerError::Store)?;
        stream::iter(copies.into_iter().zip(keys))
            .map(async |((original, copy), key)| {
                let put = self.training.put(&key, JSON, copy.to_line());
                put.await.map_err(A2iTriggerError::Store)?;
                self.name_original(&original, &copy).await
            })
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await
    }

    /// Notes whose answer is that of a duplicate, for the client that asks what became of its prediction.
    async fn name_original(&self, original: &str, copy: &FeedbackRecord) -> Result<(), A2iTriggerError> {
        if copy.id == original {
            return Ok(());
        }
        let duplicate = Duplicate {
            original: original.to_owned(),
        };
        let key = keys::duplicate(&copy.id);
        let put = self.feedback.put_document(&key, &duplicate);
        put.await.map_err(A2iTriggerError::Store)
    }
}

/// Returns the workers who have answered a question that is asked again; not those whose answers a change of the label set
/// has put in doubt.
pub(crate) fn answered_by(question: &Question, record: &FeedbackRecord, labels: &LabelSet) -> Vec<String> {
    if record.signal != Signal::Relabel {
        return question.reviewers();
    }
    let standing = without_corrected(&question.votes)
        .filter(|vote| vote.source.is_review() && !labels.puts_in_doubt(record, vote));
    let workers: BTreeSet<String> = standing.map(|vote| vote.worker.clone()).collect();
    workers.into_iter().collect()
}

/// Returns whether a copy's answer may serve a record: not an audited one, nor one that is asked again on purpose.
pub(crate) fn may_be_copy(record: &FeedbackRecord) -> bool {
    !matches!(record.signal, Signal::Audit | Signal::Relabel)
}

/// Names the plan for these records of this object, however the object is cut into parts.
///
/// Among the claims, since it expires with them.
pub(crate) fn plan_key(object: &S3Object, records: &[FeedbackRecord]) -> String {
    let ids = records.iter().map(|record| record.id.as_str());
    keys::claim(&format!("plan-{}", hex::encode(&digest(object, ids)[..16])))
}

/// Returns a number from 0 to 1 by chance, the same for the same record of the same object.
fn chance(object: &S3Object, record: &FeedbackRecord) -> f64 {
    let digest = digest(object, ["exploration", &record.id].into_iter());
    let seed = digest.first_chunk().expect("a digest has 32 bytes");
    Random::new(u64::from_be_bytes(*seed)).next_f64()
}

fn digest<'a>(object: &'a S3Object, parts: impl Iterator<Item = &'a str>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [object.bucket.as_str(), &object.key].into_iter().chain(parts) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}
