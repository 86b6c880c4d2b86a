//! The steps before training: a dataset version, and the check of it before money is spent.

use active_learning_aws::{bucket::BucketError, failure::chain, metrics};
use active_learning_core::dataset::{DatasetManifest, Problem, Rules, Severity};
use chrono::Utc;

use crate::{
    ModelBuilding,
    assemble::{AssembleError, AssemblePolicy, MAX_HELD_OUT, NEWEST_KEY, Newest, assemble, check_dataset},
    build::{Build, Status},
    endpoint::ServingEndpoint,
    error::StepError,
};

impl ModelBuilding {
    /// Assembles the labels of now to a dataset version. One that was decided on, or serves, is nothing new.
    pub(crate) async fn assemble(&self, mut build: Build) -> Result<Build, StepError> {
        // Labels of a promise that the newest audits break are not trained on.
        self.keep_promises(Utc::now()).await?;
        let policy = AssemblePolicy {
            test_share: self.config.test_share,
            is_first_model: build.champion.is_none(),
            max_held_out: MAX_HELD_OUT,
            min_rows_per_class: self.config.min_rows_per_class,
            mode: None,
            several_labels: self.config.several_labels,
            automated_labelling: self.config.automated_labelling.get(),
            is_hosted: self.config.endpoint.hosted().is_some(),
        };
        let assembled = assemble(&self.bucket, &policy, Utc::now());
        let version = assembled.await?.manifest.version;
        let model = match &self.config.endpoint {
            // It names its models itself.
            ServingEndpoint::Comprehend(_) if self.config.flywheel_arn.is_some() => None,
            ServingEndpoint::Comprehend(endpoint) => {
                Some(endpoint.model_arn(&self.config.classifier_name, &version))
            }
            ServingEndpoint::Hosted(_) => None,
        };
        let last = self.last_build().await?;
        // The same rows may do now: a champion that learnt from erased ones need not be surpassed.
        let has_to_go = self.learnt_and_erased(build.champion.as_deref()).await?.is_some();
        let decided = !has_to_go && last.is_some_and(|last| last.decided_dataset.as_ref() == Some(&version));
        build.status = Status::Assembled;
        if decided || model.is_some() && build.champion == model {
            build.status = Status::NothingNew;
            build.why =
                format!("the labels make dataset version {version} again, which the last build decided on");
        }
        build.dataset = Some(version);
        build.challenger = model;
        Ok(build)
    }

    /// Checks the dataset against the rules of the service that trains on it.
    pub(crate) async fn check(&self, mut build: Build) -> Result<Build, StepError> {
        let manifest = self.manifest(build.dataset()?).await?;
        let newest: Option<Newest> = self.bucket.read_document(NEWEST_KEY).await?;
        let newest = newest.filter(|newest| newest.version == manifest.version);
        let now_left_out = newest.and_then(|newest| newest.left_out);
        let all_left_out = now_left_out.as_ref().unwrap_or(&manifest.left_out);
        let left_out = |reason: &str| all_left_out.get(reason).copied().unwrap_or_default();
        metrics::count(
            "model-building",
            &[
                ("RefusedTrainingFiles", left_out("refused-initial-file")),
                ("UnreadableLabels", left_out("unreadable-line")),
            ],
        );

        let mut problems = self.problems(&manifest, &build);
        problems.extend(self.flywheel_problems(&manifest).await?);
        let errors = problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error);
        let errors: Vec<&str> = errors.map(|problem| problem.message.as_str()).collect();
        build.status = Status::Usable;
        if !errors.is_empty() {
            build.status = Status::Refused;
            build.why = format!("the dataset did not pass its check: {}", shortened(&errors));
        } else if let Some(endpoint) = self.config.endpoint.hosted() {
            self.hand_over(&mut build, &manifest, endpoint).await?;
        }
        Ok(build)
    }

    /// Reads the manifest of a dataset version.
    pub(crate) async fn manifest(&self, version: &str) -> Result<DatasetManifest, StepError> {
        let key = format!("datasets/{version}/manifest.json");
        let manifest = self.bucket.read_document(&key).await?;
        manifest.ok_or_else(|| StepError::Failed(format!("the manifest {key} is gone")))
    }

    /// Returns all that is wrong with a dataset.
    pub(crate) fn problems(&self, manifest: &DatasetManifest, build: &Build) -> Vec<Problem> {
        let mut rules = Rules {
            min_rows_per_class: self.config.min_rows_per_class,
            ..Rules::comprehend(manifest.mode)
        };
        if self.config.endpoint.hosted().is_some() {
            // What trains elsewhere has limits of its own.
            rules.min_rows = 0;
            rules.max_classes = usize::MAX;
            rules.max_bytes = u64::MAX;
        }
        check_dataset(manifest, &rules, build.champion.is_some())
    }
}

impl From<AssembleError> for StepError {
    fn from(error: AssembleError) -> Self {
        match error {
            // Nothing that time mends.
            AssembleError::Bucket(
                BucketError::Damaged { .. } | BucketError::Gone { .. } | BucketError::TooLarge { .. },
            ) => Self::Failed(chain(&error)),
            AssembleError::Bucket(error) => error.into(),
            AssembleError::Busy => Self::NotNow(error.to_string()),
            AssembleError::Disk(_) | AssembleError::Empty => Self::Failed(chain(&error)),
        }
    }
}

/// Joins reasons, of which a thousand classes can make a thousand.
fn shortened(reasons: &[&str]) -> String {
    const SHOWN: usize = 10;
    let shown = reasons[..reasons.len().min(SHOWN)].join("; ");
    match reasons.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
