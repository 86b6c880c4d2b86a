//! A reviewer's correction of an answer that was worked off, into their newest vote.

use active_learning_aws::{bucket::Created, labelled, metrics};
use active_learning_core::{
    keys,
    labels::{
        human_loop::{LoopName, ReviewedItem},
        label_set::LabelSet,
        question::State,
        vote::Vote,
    },
};
use lambda_runtime::tracing::{info, warn};

use crate::{
    FUNCTION, LabelCollection, LabelCollectionError,
    labelling::{labelled_as_answered, use_own_names},
};

impl LabelCollection {
    /// Counts what a reviewer has corrected as their newest vote on its questions, and keeps it as a
    /// labelled object of its own. Idempotent, and right in either order with the output that it corrects:
    /// votes carry their time.
    ///
    /// Where people do not agree any more, or nobody can tell, and nobody is being asked, an adjudicator decides.
    pub(crate) async fn correct(&self, human_loop: &str, key: &str) -> Result<(), LabelCollectionError> {
        let output = match self.read_output(human_loop, key).await? {
            None => return Ok(()),
            Some(Ok(output)) => output,
            Some(Err(reason)) => {
                warn!(
                    human_loop.name = human_loop,
                    reason, "a correction cannot be used"
                );
                metrics::count(FUNCTION, &[("RejectedOutputs", 1)]);
                return Ok(());
            }
        };

        let mut lines = String::new();
        let (mut corrected, mut same) = (0, 0);
        let flow = &output.flow_definition_arn;
        let (labels, mut answered) = self.read_answers(&output).await?;
        let labels = labels.as_deref();
        let name = format!("{human_loop}-corrected-{}", correction_id(key));
        answered = self.not_erased(answered).await?;
        answered.retain(|item| !item.votes.is_empty());
        for item in answered {
            if self.says_the_same(&item, labels).await? {
                same += 1;
                continue;
            }
            let question = self.decide(&output, &item, &[], labels).await?;
            let labelled = labelled_as_answered(labels, item, human_loop, flow);
            lines.push_str(&labelled.decided(&question, false).to_line());
            corrected += 1;
            if question.state == State::Asked && !self.is_being_asked(human_loop).await? {
                self.dispute(question.record).await?;
            }
        }
        if lines.is_empty() && same > 0 {
            info!(human_loop.name = human_loop, "a correction that changes nothing");
            return Ok(());
        }
        if lines.is_empty() {
            warn!(
                human_loop.name = human_loop,
                "a correction of which nothing can be read"
            );
            metrics::count(
                FUNCTION,
                &[("UnreadableAnswers", output.unreadable_answers() as u64)],
            );
            return Ok(());
        }
        let created = labelled::create(&self.training, &name, lines).await;
        let created = created.map_err(LabelCollectionError::TrainingBucket)?;
        self.ask_anew(&name, &output).await?;
        if created == Created::Created {
            info!(human_loop.name = human_loop, corrected, "an answer was corrected");
            metrics::count(FUNCTION, &[("CorrectedRecords", corrected)]);
        }
        Ok(())
    }

    /// Returns whether a reviewer said the same of a text before: a correction repeats the whole page. One that was counted
    /// by a run that broke off has its own time, and is none of before.
    async fn says_the_same(
        &self,
        item: &ReviewedItem,
        labels: Option<&LabelSet>,
    ) -> Result<bool, LabelCollectionError> {
        let question = self.questions.read(&item.record.id).await;
        let Some(question) = question.map_err(LabelCollectionError::Question)? else {
            return Ok(false);
        };
        let mut votes = item.votes.clone();
        use_own_names(labels, &item.record, &mut votes);
        Ok(votes.iter().all(|vote| {
            let is_earlier = |other: &&Vote| {
                (&other.worker, other.source) == (&vote.worker, vote.source) && other.at < vote.at
            };
            let last = question
                .votes
                .iter()
                .filter(is_earlier)
                .max_by_key(|other| &other.at);
            last.is_some_and(|last| last.answer == vote.answer)
        }))
    }

    /// Returns whether a loop, or a further round of it, is not done with: what it comes to decides what is open.
    async fn is_being_asked(&self, human_loop: &str) -> Result<bool, LabelCollectionError> {
        let name = LoopName::parse(human_loop);
        let first = name.as_ref().map_or(human_loop, LoopName::first);
        let prefix = format!("{}{first}", keys::ASKED_FOLDER);
        let open = self.feedback.list_after(&prefix, "", 1).await;
        Ok(!open.map_err(LabelCollectionError::Question)?.is_empty())
    }
}

/// Returns what tells a correction from others of its loop.
fn correction_id(key: &str) -> &str {
    let folder = key.trim_end_matches("/output.json");
    folder.rsplit('/').next().unwrap_or_default()
}
