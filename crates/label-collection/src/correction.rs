//! A reviewer's correction of an answer that was worked off, into their newest vote.

use active_learning_aws::{bucket::Created, labelled, metrics};
use active_learning_core::{
    keys,
    labels::{human_loop::LoopName, labelled::LabelledRecord, question::State},
};
use lambda_runtime::tracing::{info, warn};

use crate::{FUNCTION, LabelCollection, LabelCollectionError, labelling::use_own_names};

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
        let mut corrected = 0;
        let flow = &output.flow_definition_arn;
        let (labels, mut answered) = self.read_answers(&output).await?;
        let labels = labels.as_deref();
        let name = format!("{human_loop}-corrected-{}", correction_id(key));
        answered = self.not_erased(answered).await?;
        answered.retain(|item| !item.votes.is_empty());
        for item in answered {
            let question = self.decide(&output, &item, &[], labels).await?;
            let mut labelled = LabelledRecord::new(item.record, item.votes, human_loop, flow);
            use_own_names(labels, &labelled.record, &mut labelled.votes);
            lines.push_str(&labelled.decided(&question, false).to_line());
            corrected += 1;
            if question.state == State::Asked && !self.is_being_asked(human_loop).await? {
                self.dispute(question.record).await?;
            }
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
