//! A person's approval of a deployment: the build waits for its task token to come back.

use active_learning_aws::approval::{Wanted, approval_key};

use crate::{
    ModelBuilding,
    build::{Build, Status},
    error::StepError,
};

impl ModelBuilding {
    /// Keeps the task token for whoever approves.
    pub(crate) async fn request_approval(
        &self,
        mut build: Build,
        task_token: Option<String>,
    ) -> Result<Build, StepError> {
        let missing = || StepError::Failed("the step request-approval needs a taskToken".to_owned());
        let wanted = Wanted {
            task_token: task_token.ok_or_else(missing)?,
        };
        self.bucket
            .put_document(&approval_key(&build.id), &wanted)
            .await?;
        build.status = Status::ApprovalRequested;
        Ok(build)
    }
}
