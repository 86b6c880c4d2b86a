//! Messages for people about answers that cannot be read.

use active_learning_core::keys;
use serde_json::json;

use crate::{LabelCollection, LabelCollectionError, labelling::UNREADABLE};

impl LabelCollection {
    /// Leaves a message for people: their answers are lost until somebody mends the page. One message a day is enough,
    /// however many loops there are.
    pub(crate) async fn tell_of_unreadable_loop(&self, human_loop: &str) -> Result<(), LabelCollectionError> {
        let message = format!(
            "Reviewers have completed the human loop {human_loop}, but {UNREADABLE}. Its texts are set aside below \
             rejected/training-data/ of the feedback bucket; those whose answer a user had contradicted wait for an \
             adjudicator. Mend the template: try it with {{\"operation\": \"try-template\"}}. Then `active-learning \
             redrive` has the texts asked anew. Further loops of today are counted (metric UnreadableLoops) and listed \
             there, not mailed."
        );
        let subject = "Answers of reviewers cannot be read";
        self.tell_once_a_day("unreadable-loops", subject, &message).await
    }

    /// Leaves a message for people: what a reviewer has corrected does not count until it can be read. One message a day is
    /// enough, too.
    pub(crate) async fn tell_of_unreadable_correction(
        &self,
        human_loop: &str,
        reason: &str,
    ) -> Result<(), LabelCollectionError> {
        let message = format!(
            "A reviewer has corrected an answer to the human loop {human_loop}, but the correction cannot be used: {reason}. \
             The earlier answer stays. The correction is set aside below rejected/training-data/ of the feedback bucket. \
             Mend the cause; then `active-learning redrive` has it read again. Further corrections of today are counted \
             (metric RejectedOutputs) and listed there, not mailed."
        );
        let subject = "A reviewer's correction cannot be read";
        self.tell_once_a_day("unreadable-corrections", subject, &message)
            .await
    }

    async fn tell_once_a_day(
        &self,
        name: &str,
        subject: &str,
        message: &str,
    ) -> Result<(), LabelCollectionError> {
        let today = &active_learning_aws::now()[..10];
        let notice = json!({ "subject": subject, "message": message });
        let key = keys::notice(&format!("{name}-{today}"));
        let left = self.training.create_document(&key, &notice).await;
        left.map(drop).map_err(LabelCollectionError::TrainingBucket)
    }
}
