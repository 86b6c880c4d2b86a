//! One output of a human loop into labelled records, and what it leaves open into one more loop.

use std::{collections::BTreeMap, future::ready};

use active_learning_aws::{
    bucket::{BucketError, Created},
    labelled, metrics,
};
use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        human_loop::{HumanLoopOutput, LoopName, ReviewedItem},
        label_set::LabelSet,
        labelled::LabelledRecord,
        question::{Question, State},
        vote::Vote,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{info, warn};

use crate::{FUNCTION, LabelCollection, LabelCollectionError, answers::Answers, report::report};

/// Largest output that is read, in bytes: an input of 3 MiB, whose letters may be escaped, and its answers.
const MAX_OUTPUT_BYTES: u64 = 32 << 20;

/// Largest labelled object that is read, in bytes.
const MAX_LABELLED_BYTES: u64 = 64 << 20;

/// Why a completed loop without a readable answer is set aside.
pub(crate) const UNREADABLE: &str = "people answered, but no field of their answers can be matched to an item: the worker \
    task template must name its fields by id or by number";

/// Questions of a loop that are counted at a time.
const QUESTIONS_IN_FLIGHT: usize = 8;

/// What became of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its labelled object was written, or was there.
    Labelled,
    /// It cannot be used and was set aside.
    Rejected,
    /// There is none.
    Absent,
}

impl LabelCollection {
    /// Writes the labelled object of a loop whose output has this key, unless it is there.
    ///
    /// What it leaves open is written down as a question before, and asked after: a run that breaks off in
    /// between is made good by the next one, or by the sweep, and no label waits for the review service.
    pub(crate) async fn label(&self, human_loop: &str, key: &str) -> Result<Outcome, LabelCollectionError> {
        let labelled_key = keys::labelled(human_loop);
        let done = self.training.exists(&labelled_key).await;
        if !done.map_err(LabelCollectionError::TrainingBucket)? {
            match self.read_output(human_loop, key).await? {
                None => return Ok(Outcome::Absent),
                Some(Ok(output)) => {
                    let answers = self.read_answers(&output).await?;
                    if answers.are_unreadable() {
                        self.set_unreadable_aside(&output, answers).await?;
                        return Ok(Outcome::Rejected);
                    }
                    let decided_by = answers.labels.as_ref().map(|labels| labels.version());
                    self.write(&output, answers).await?;
                    self.ask_anew(human_loop, &output, decided_by, |_| true).await?;
                }
                Some(Err(reason)) => {
                    let new = self.give_up(human_loop, &reason).await?;
                    metrics::count(FUNCTION, &[("RejectedOutputs", u64::from(new))]);
                    return Ok(Outcome::Rejected);
                }
            }
        } else if self.human_loops.input(human_loop).await?.is_some()
            && let Some(Ok(output)) = self.read_output(human_loop, key).await?
        {
            // An earlier run broke off once its labels were written.
            self.ask_anew(human_loop, &output, None, |_| true).await?;
            let items = self.read_answers(&output).await?.items.into_iter();
            let records = items.map(|item| item.record).collect();
            self.dispute_what_nobody_answers(human_loop, records).await?;
        }
        self.human_loops.forget(human_loop).await?;
        if let Some(next) = LoopName::parse(human_loop).and_then(|name| name.next_round()) {
            let next = next.to_string();
            if let Some(input) = self.human_loops.input(&next).await? {
                self.human_loops.start_kept(&next, &input).await?;
            }
        }
        Ok(Outcome::Labelled)
    }

    /// Gives up a loop that people have answered on a page of which nothing can be read: to ask again on the same page
    /// would be in vain. Its texts are listed with the reason and counted, and can be sent again.
    async fn set_unreadable_aside(
        &self,
        output: &HumanLoopOutput,
        answers: Answers,
    ) -> Result<(), LabelCollectionError> {
        let human_loop = &output.human_loop_name;
        let records = answers.items.into_iter().map(|item| item.record).collect();
        let new = self
            .abandon(human_loop, records, &output.origin(), UNREADABLE)
            .await?;
        self.human_loops.forget(human_loop).await?;
        warn!(human_loop.name = human_loop, reason = UNREADABLE, "set aside");
        metrics::count(
            FUNCTION,
            &[
                ("RejectedOutputs", u64::from(new)),
                ("UnreadableLoops", u64::from(new)),
            ],
        );
        self.tell_of_unreadable_loop(human_loop).await
    }

    /// Reads an output; `None` if there is none, and the reason where it cannot be used.
    pub(crate) async fn read_output(
        &self,
        human_loop: &str,
        key: &str,
    ) -> Result<Option<Result<HumanLoopOutput, String>>, LabelCollectionError> {
        let uri = self.review.uri(key);
        let unusable = |reason: String| Some(Err(format!("the output {uri} cannot be used: {reason}")));
        let content = match self.review.read(key, MAX_OUTPUT_BYTES).await {
            Ok(Some(output)) => output.bytes,
            Ok(None) => {
                warn!(human_loop.name = human_loop, "there is no output");
                return Ok(None);
            }
            Err(BucketError::TooLarge { limit, .. }) => {
                return Ok(unusable(format!("it is larger than {limit} bytes")));
            }
            Err(error) => return Err(LabelCollectionError::Read(error.into())),
        };
        Ok(match HumanLoopOutput::parse(&content) {
            Ok(output) if output.human_loop_name == human_loop => Some(Ok(output)),
            Ok(_) => unusable("it is that of another human loop".to_owned()),
            Err(invalid) => unusable(invalid.to_string()),
        })
    }

    /// Writes the labelled object; before, what its questions come to with all votes on them, and the question of the
    /// next round, if there is one. What a loop of another origin leaves open stays so.
    async fn write(&self, output: &HumanLoopOutput, answers: Answers) -> Result<(), LabelCollectionError> {
        let name = LoopName::parse(&output.human_loop_name);
        let earlier = match &name {
            Some(name) => self.earlier_votes(name).await?,
            None => BTreeMap::new(),
        };
        let is_first = name.as_ref().is_none_or(|name| name.round() == 0);
        let fields = answers.fields;
        let items = self.not_erased(answers.items).await?;

        let decided: Vec<(LabelledRecord, Question)> = stream::iter(items)
            .map(async |item| {
                let earlier = earlier.get(&item.record.id).map(Vec::as_slice);
                self.decide(output, &item, earlier.unwrap_or_default(), is_first)
                    .await
            })
            .buffered(QUESTIONS_IN_FLIGHT)
            .try_filter_map(|decided| ready(Ok(decided)))
            .try_collect()
            .await?;
        let (records, questions): (Vec<_>, Vec<_>) = decided.into_iter().unzip();
        let open = questions
            .into_iter()
            .filter(|question| question.state == State::Asked)
            .filter(|question| !question.is_asked_elsewhere(&output.human_loop_name));
        let asked_again = match &name {
            Some(name) => self.keep_open(output, name, open.collect()).await?,
            None => 0,
        };

        let lines: String = records.iter().map(LabelledRecord::to_line).collect();
        let created = labelled::create(&self.training, &output.human_loop_name, lines).await;
        if created.map_err(LabelCollectionError::TrainingBucket)? == Created::Created {
            report(output, fields, &records, asked_again);
        }
        Ok(())
    }

    /// Leaves out the texts that were erased at a person's wish while their page was open; that is counted.
    pub(crate) async fn not_erased(
        &self,
        items: Vec<ReviewedItem>,
    ) -> Result<Vec<ReviewedItem>, LabelCollectionError> {
        let before = items.len();
        let items = self.without_erased(items).await?;
        let left_out = (before - items.len()) as u64;
        if left_out > 0 {
            warn!(left_out, "answers about texts that were erased are left out");
            metrics::count(FUNCTION, &[("ErasedRecords", left_out)]);
        }
        Ok(items)
    }

    async fn without_erased(
        &self,
        mut items: Vec<ReviewedItem>,
    ) -> Result<Vec<ReviewedItem>, LabelCollectionError> {
        let erased = self.erased.current().await;
        let erased = erased.map_err(LabelCollectionError::Erased)?;
        items.retain(|item| !erased.contains(&item.record.utterance));
        Ok(items)
    }

    /// Matches the answers to the records by the label set: see [`Answers::read`]. What names no label of a set that was read
    /// a while ago may name one that was added since; so may what cannot be read.
    pub(crate) async fn read_answers(
        &self,
        output: &HumanLoopOutput,
    ) -> Result<Answers, LabelCollectionError> {
        let current = async || {
            let labels = self.label_sets.current().await;
            labels.map_err(LabelCollectionError::TrainingBucket)
        };
        let answers = Answers::read(output, current().await?);
        if answers.are_all_known() {
            return Ok(answers);
        }
        self.label_sets.forget().await;
        Ok(Answers::read(output, current().await?))
    }

    /// Asks about texts anew whose answers a change of the label set has put in doubt while their page was open, and one more
    /// reviewer where votes contradict one another by it; `name` is that of the answers, `decided_by` the version of the set by
    /// which they were decided, if that is known, and `says` tells in which texts they say something.
    ///
    /// Their labels are written before the set is read again: a change that does not see them here yet is seen.
    pub(crate) async fn ask_anew(
        &self,
        name: &str,
        output: &HumanLoopOutput,
        decided_by: Option<u64>,
        says: impl Fn(&FeedbackRecord) -> bool,
    ) -> Result<(), LabelCollectionError> {
        let answers = self.read_answers(output).await?;
        let mut items = self.without_erased(answers.items).await?;
        items.retain(|item| says(&item.record));
        let answered: Vec<(&FeedbackRecord, &[Vote])> =
            items.iter().map(|item| (&item.record, &item.votes[..])).collect();
        let late = self.relabelling.ask_anew(name, &answered, decided_by).await;
        let late = late.map_err(LabelCollectionError::Relabelling)?;
        if late.asked + late.contradicted > 0 {
            info!(
                answer.name = name,
                texts = late.asked + late.contradicted,
                "the label set was changed while its page was open: its texts are asked again"
            );
        }
        Ok(())
    }

    /// Writes down the next round about what a loop left open, for somebody else; after the last round an adjudicator
    /// is to decide. What an operator has stopped is given up. Returns how many records are asked again.
    async fn keep_open(
        &self,
        output: &HumanLoopOutput,
        name: &LoopName,
        mut open: Vec<Question>,
    ) -> Result<usize, LabelCollectionError> {
        if open.is_empty() {
            return Ok(0);
        }
        let next = name.next_round().map(|next| next.to_string());
        if self.is_stopped(&output.human_loop_name).await? {
            // What its page left out was not stopped by an operator: who had it open has answered, and others contradict. An
            // earlier run may have noted that they are asked again.
            let is_asked_again =
                |question: &Question| next.as_deref().is_some_and(|next| question.was_asked_in(next));
            let (contradicted, stopped): (Vec<_>, Vec<_>) = (open.into_iter()).partition(|question| {
                question.is_taken_off(&output.human_loop_name) || is_asked_again(question)
            });
            let reason = "the human loop was stopped";
            let stopped = stopped.into_iter().map(|question| question.record).collect();
            self.abandon(&output.human_loop_name, stopped, &output.origin(), reason)
                .await?;
            if contradicted.is_empty() {
                return Ok(0);
            }
            open = contradicted;
        }
        let records: Vec<_> = open.iter().map(|question| question.record.clone()).collect();
        let Some(next) = next else {
            for question in open {
                self.dispute(question.record).await?;
            }
            return Ok(0);
        };
        let mut voted: Vec<String> = open.iter().flat_map(Question::reviewers).collect();
        voted.sort_unstable();
        voted.dedup();
        let question = output.asking_again(records, voted).to_json();
        self.human_loops.keep(&next, &question).await?;
        for taken_off in open.iter().filter(|question| question.human_loop.is_none()) {
            // Else the next page would leave it out as well, and nobody would answer it.
            let ask_further = |stored: &mut Option<Question>| {
                if let Some(question) = stored {
                    question.ask_further(&output.human_loop_name, &next);
                }
            };
            let noted = self.questions.change(&taken_off.record.id, ask_further).await;
            noted.map_err(LabelCollectionError::Question)?;
        }
        Ok(open.len())
    }

    /// Returns the votes of the rounds before a loop, by record id.
    async fn earlier_votes(
        &self,
        name: &LoopName,
    ) -> Result<BTreeMap<String, Vec<Vote>>, LabelCollectionError> {
        let mut votes: BTreeMap<String, Vec<Vote>> = BTreeMap::new();
        if name.round() == 0 {
            return Ok(votes);
        }
        let prefix = format!("{}{}", keys::LABELLED_FOLDER, name.first());
        let listed = self.training.list(&prefix).await;
        for object in listed.map_err(LabelCollectionError::TrainingBucket)? {
            let before = keys::loop_of_labelled(&object.key)
                .and_then(LoopName::parse)
                .is_some_and(|other| other.round() < name.round());
            if !before {
                continue;
            }
            let labelled = self.training.read(&object.key, MAX_LABELLED_BYTES).await;
            let labelled = labelled.map_err(|error| LabelCollectionError::Read(error.into()))?;
            for line in labelled
                .map(|labelled| labelled.bytes)
                .unwrap_or_default()
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                let labelled =
                    LabelledRecord::parse(line).map_err(|error| LabelCollectionError::Read(error.into()))?;
                votes
                    .entry(labelled.record.id)
                    .or_default()
                    .extend(labelled.votes);
            }
        }
        Ok(votes)
    }
}

/// Makes the labelled record of what a human loop answered. Votes are written as they are kept, each once: see
/// [`LabelSet::as_answered`]; the prediction by the names of now: see [`LabelSet::with_own_names`].
pub(crate) fn labelled_as_answered(
    labels: Option<&LabelSet>,
    item: ReviewedItem,
    human_loop: &str,
    flow: &str,
) -> LabelledRecord {
    let mut labelled = LabelledRecord::new(item.record, item.votes, human_loop, flow);
    let Some(labels) = labels else { return labelled };
    let mut kept: Vec<Vote> = Vec::with_capacity(labelled.votes.len());
    for vote in labelled.votes.drain(..) {
        let vote = labels.as_answered(&labelled.record, vote);
        if !kept.contains(&vote) {
            kept.push(vote);
        }
    }
    LabelledRecord {
        votes: kept,
        record: labels.with_own_names(labelled.record),
        ..labelled
    }
}
