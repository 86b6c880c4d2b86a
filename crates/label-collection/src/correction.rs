//! A reviewer's correction of an answer that was worked off, into their newest vote.

use active_learning_aws::{metrics, objects};
use active_learning_core::labels::{
    consolidation::Consensus,
    labelled::{self, LabelledRecord},
};
use lambda_runtime::tracing::{info, warn};

use crate::{FUNCTION, LabelCollection, LabelCollectionError};

impl LabelCollection {
    /// Counts what a reviewer has corrected as their newest vote on its questions, and keeps it as a
    /// labelled object of its own. Idempotent, and right in either order with the output that it corrects:
    /// votes carry their time.
    ///
    /// Where people do not agree any more, an adjudicator decides.
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
        let answered = output
            .reviewed()
            .into_iter()
            .filter(|item| !item.votes.is_empty());
        for item in answered {
            let question = self.decide(&output, &item, &[]).await?;
            let labelled = LabelledRecord::new(item.record, item.votes, human_loop, flow);
            lines.push_str(&labelled.decided(&question, false).to_line());
            corrected += 1;
            if question.consensus == Some(Consensus::Tie) {
                self.dispute(question.record).await?;
            }
        }
        let name = format!("{human_loop}-corrected-{}", correction_id(key));
        let (bucket, key) = (&self.config.training_bucket, labelled::object_key(&name));
        let created = match lines.is_empty() {
            true => Ok(false),
            false => {
                objects::create(&self.s3, bucket, &key, "application/x-ndjson", lines.into_bytes()).await
            }
        };
        created.map_err(LabelCollectionError::TrainingBucket)?;

        info!(human_loop.name = human_loop, corrected, "an answer was corrected");
        let unreadable = output.unreadable_answers() as u64;
        metrics::count(
            FUNCTION,
            &[("CorrectedRecords", corrected), ("UnreadableAnswers", unreadable)],
        );
        Ok(())
    }
}

/// Returns what tells a correction from others of its loop.
fn correction_id(key: &str) -> &str {
    let folder = key.trim_end_matches("/output.json");
    folder.rsplit('/').next().unwrap_or_default()
}
