//! Votes that contradict one another since the label set was changed: what a file proposed is a label now, or labels are one
//! that were two. Of each such text one more reviewer is asked, who has not answered it, as often as a question may be
//! opened again; after that, or where nobody comes, an adjudicator decides.

use std::{collections::BTreeSet, future::ready};

use active_learning_aws::s3_event::S3Object;
use active_learning_core::labels::{
    human_loop::LoopName,
    label_set::LabelSet,
    labelled::LabelledRecord,
    question::{Effect, Question, State},
    vote::Vote,
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{info, warn};

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT};

/// Largest delivered object of these that is read, in bytes: a thousand records of the longest texts, with their votes.
const MAX_OBJECT_BYTES: u64 = 512 << 20;

impl A2iTrigger {
    /// Works off an object of texts whose votes contradict one another by a change of the label set. Idempotent.
    pub(crate) async fn contradict_delivered(&self, object: &S3Object) -> Result<(), A2iTriggerError> {
        let contradicted = self.delivered_labels(object).await?;
        let asked: usize = stream::iter(&contradicted)
            .map(|labelled| self.contradict(labelled))
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_fold(0, |sum, is_asked| ready(Ok(sum + usize::from(is_asked))))
            .await?;
        info!(
            object.key,
            texts = contradicted.len(),
            asked,
            "votes contradict one another since the label set was changed"
        );
        Ok(())
    }

    /// Works off an object of texts whose votes come to another answer by a change of the label set: nobody is asked, no adjudicator is
    /// to decide, and what a further round is asked about a tie that there is no more is taken back. Idempotent.
    pub(crate) async fn decide_delivered(&self, object: &S3Object) -> Result<(), A2iTriggerError> {
        let decided = self.delivered_labels(object).await?;
        let settled: Vec<Vec<String>> = stream::iter(&decided)
            .map(|labelled| self.decide_anew(labelled))
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_collect()
            .await?;
        let loops = settled.iter().flatten().filter_map(|name| LoopName::parse(name));
        // Where a change had opened it again, the latest is the one that asks about the tie.
        let loops: BTreeSet<LoopName> = loops.flat_map(|name| name.with_further_rounds()).collect();
        let names = loops.iter().map(LoopName::to_string);
        stream::iter(names.collect::<Vec<_>>())
            .map(|human_loop| async move { self.take_off(&human_loop).await })
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await?;
        info!(
            object.key,
            texts = decided.len(),
            settled = settled.iter().filter(|loops| !loops.is_empty()).count(),
            "answers are other ones since the label set was changed"
        );
        Ok(())
    }

    /// Reads the labelled records of a delivered object, but for those of texts that were erased.
    async fn delivered_labels(&self, object: &S3Object) -> Result<Vec<LabelledRecord>, A2iTriggerError> {
        let bucket = self.feedback.other(&object.bucket);
        let read = bucket.read(&object.key, MAX_OBJECT_BYTES).await;
        let Some(delivered) = read.map_err(|error| A2iTriggerError::Read(error.into()))? else {
            warn!(object.bucket, object.key, "the delivered object is gone");
            return Ok(Vec::new());
        };
        let erased = self.erased.current().await?;
        let lines = delivered.bytes.split(|byte| *byte == b'\n');
        let labelled = lines
            .filter_map(|line| LabelledRecord::parse(line).ok())
            .filter(|labelled| !erased.contains(&labelled.record.utterance));
        Ok(labelled.collect())
    }

    /// Takes in what the votes on a text come to. Returns the loops that may have left it open, where a further round is not to be
    /// answered any more.
    async fn decide_anew(&self, labelled: &LabelledRecord) -> Result<Vec<String>, A2iTriggerError> {
        let record_id = &labelled.record.id;
        self.labels_since(&labelled.labelled_at).await?;
        let decide = |question: &mut Option<Question>, labels: &LabelSet| {
            let question = with_votes(question, labelled, labels);
            let settled = question.decide_anew(labels, &labelled.consensus, labelled.decided_by);
            // An earlier run of the same event may have settled it, and forgotten which of its loops was the latest.
            let is_asked_no_more = question.state == State::Answered && question.human_loop.is_none();
            let earlier = question.first_loop.iter().chain(&question.asked_in);
            let loops = match settled {
                Some(left_open_by) => vec![left_open_by],
                None if is_asked_no_more => earlier.cloned().collect(),
                None => Vec::new(),
            };
            let may_be_disputed = question.reopened > 0 || question.reviewers().len() > 1;
            (loops, question.state == State::Answered && may_be_disputed)
        };
        let (loops, may_be_listed) = self.change_question(record_id, decide).await?;
        if may_be_listed {
            // No adjudicator is to decide any more.
            let settled = self.questions.settle(record_id).await;
            settled.map_err(A2iTriggerError::Store)?;
        }
        Ok(loops)
    }

    /// Takes in what became of the votes on a text. Returns whether somebody else is asked.
    async fn contradict(&self, labelled: &LabelledRecord) -> Result<bool, A2iTriggerError> {
        let (record, changed_at) = (&labelled.record, labelled.labelled_at.as_str());
        self.labels_since(changed_at).await?;
        let contradict = |question: &mut Option<Question>, labels: &LabelSet| {
            let question = with_votes(question, labelled, labels);
            (question.contradict(changed_at, labels), question.clone())
        };
        let (effect, question) = self.change_question(&record.id, contradict).await?;
        match (effect, question.state) {
            (Effect::Counted, _) => Ok(false),
            // Also what an earlier run of the same event has begun.
            (_, State::Asked) => self.ask_somebody_else(&question).await,
            (_, State::Disputed) => {
                let stored = self.questions.dispute(&question).await;
                stored.map_err(A2iTriggerError::Store)?;
                Ok(false)
            }
            (_, State::Answered | State::Withdrawn | State::Abandoned) => Ok(false),
        }
    }
}

/// Adds the votes of a delivered line to its question, by the names of now. What was asked so long ago that it is forgotten has
/// all its votes there. Of those from before it was asked anew, with a label that was split, the rest counts.
fn with_votes<'a>(
    question: &'a mut Option<Question>,
    labelled: &LabelledRecord,
    labels: &LabelSet,
) -> &'a mut Question {
    let question = question.get_or_insert_with(|| Question {
        votes: Vec::new(),
        ..Question::known(labelled.record.clone())
    });
    let (record, asked_anew) = (&labelled.record, labelled.record.received_at.as_str());
    let is_in_doubt = |vote: &&Vote| {
        vote.at.as_str() <= asked_anew && labels.puts_in_doubt(record, vote) && labels.left_of(vote).is_some()
    };
    let (in_doubt, votes): (Vec<&Vote>, Vec<&Vote>) = labelled.votes.iter().partition(is_in_doubt);
    let in_doubt = in_doubt.into_iter().filter(|vote| !question.votes.contains(vote));
    let new: Vec<Vote> = in_doubt
        .filter(|vote| !question.in_doubt.contains(vote))
        .cloned()
        .collect();
    question.in_doubt.extend(new);
    // What was kept by the name of another day is the same vote: a name that was taken away may be none of its label's now.
    question.votes.retain(|kept| {
        let mut same = votes.iter().filter(|vote| is_same(vote, kept)).peekable();
        same.peek().is_none() || same.any(|vote| vote.answer == kept.answer)
    });
    question.add(&votes.into_iter().cloned().collect::<Vec<_>>());
    labels.use_own_names(question);
    question
}

/// Returns whether two votes are of one person at one time, whatever their labels are called.
fn is_same(vote: &Vote, kept: &Vote) -> bool {
    (&vote.worker, vote.source, &vote.at) == (&kept.worker, kept.source, &kept.at)
}
