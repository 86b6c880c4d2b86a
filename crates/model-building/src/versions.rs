//! Which model versions there were, how good they are, and which serves.

use std::collections::BTreeMap;

use active_learning_aws::{
    approval::{Wanted, approval_key},
    bucket::{Bucket, BucketError},
};
use active_learning_core::{
    erasure::LearntAndErased,
    keys,
    model::{
        accuracy_guarantee::{PROMISES_KEY, Promise, Promises},
        audit::AuditedAccuracy,
        comparison::Measured,
        confidence::ConfidenceQuality,
    },
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    begin::{LAST_KEY, LastBuild},
    build_record::{BuildRecord, Outcome, RECORD},
    decision_record::{DECISION, DecisionRecord},
    deployment::{self, Deployment, SwitchedBy},
    tally::{self, Tally},
};

/// One model version with its metrics and lineage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionSummary {
    /// Name of the version: of a built one that of its dataset.
    pub version: String,
    /// ARN of the model; of a dataset for a hosted model to learn from, its own in S3.
    pub model_arn: String,
    /// Name of the execution that built it; none for a model that no build made.
    pub build_id: Option<String>,
    /// When that execution ended.
    pub built_at: Option<DateTime<Utc>>,
    /// What that execution came to.
    pub outcome: Option<Outcome>,
    /// Why.
    pub why: Option<String>,
    /// Whether the build waits for a person to approve its deployment.
    #[serde(default)]
    pub waits_for_approval: bool,
    /// Dataset version before.
    pub parent: Option<String>,
    /// Rows of people that it was trained on.
    pub train_rows: Option<u64>,
    /// Rows beside them that other versions had labelled.
    pub machine_rows: Option<u64>,
    /// Rows that it was compared on.
    pub test_rows: Option<u64>,
    /// Its scores on the held-out rows; of a model that no build made, when it was compared last.
    pub scores: Option<Scores>,
    /// The champion's on the same rows.
    pub champion_scores: Option<Scores>,
    /// ARN of the champion that it was compared with.
    pub champion: Option<String>,
    /// When it came into service last.
    pub deployed_at: Option<DateTime<Utc>>,
    /// Whether it was taken out of service again by a roll-back.
    pub rolled_back: bool,
    /// When it was deleted as old; it cannot be brought back.
    #[serde(default)]
    pub deleted_at: Option<DateTime<Utc>>,
    /// Whether it serves.
    pub serving: bool,
    /// What audits say of it in service; none while no prediction that it is sure of was audited.
    pub audited: Option<AuditedAccuracy>,
    /// What audits say of its confidence in service; not of labels that an earlier release has tallied.
    pub confidence: Option<ConfidenceQuality>,
    /// What is promised of predictions that are accepted as labels, if any are.
    pub promise: Option<Promise>,
    /// Rows that it learnt from and that were erased since at a person's wish; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_rows: Option<u64>,
}

/// Scores on held-out rows, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scores {
    /// Share of rows that are right; where they may have several labels, with all of them.
    pub accuracy: f64,
    /// Mean F1 of the classes.
    #[serde(rename = "macroF1")]
    pub macro_f1: f64,
    /// F1 of all labels together; only where rows may have several.
    #[serde(rename = "microF1", default, skip_serializing_if = "Option::is_none")]
    pub micro_f1: Option<f64>,
    /// Expected calibration error; unknown where a flywheel measured, which tells averages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_error: Option<f64>,
}

impl Scores {
    fn of(measured: &Measured) -> Self {
        let evaluation = &measured.evaluation;
        Self {
            accuracy: evaluation.accuracy,
            macro_f1: evaluation.macro_f1,
            micro_f1: evaluation.micro_f1_of_several(),
            calibration_error: evaluation
                .is_detailed()
                .then_some(evaluation.expected_calibration_error),
        }
    }
}

impl VersionSummary {
    fn new(model_arn: &str) -> Self {
        Self {
            version: model_arn.rsplit('/').next().unwrap_or_default().to_owned(),
            model_arn: model_arn.to_owned(),
            build_id: None,
            built_at: None,
            outcome: None,
            why: None,
            waits_for_approval: false,
            parent: None,
            train_rows: None,
            machine_rows: None,
            test_rows: None,
            scores: None,
            champion_scores: None,
            champion: None,
            deployed_at: None,
            rolled_back: false,
            deleted_at: None,
            serving: false,
            audited: None,
            confidence: None,
            promise: None,
            erased_rows: None,
        }
    }

    /// Takes over what a build says of the model that it made.
    fn built(&mut self, record: &BuildRecord, decision: Option<DecisionRecord>) {
        self.build_id = Some(record.id.clone());
        self.built_at = Some(record.ended_at);
        self.outcome = Some(record.outcome);
        self.deleted_at = None;
        self.why = Some(record.why.clone());
        self.champion.clone_from(&record.champion);
        self.compared(decision);
    }

    /// Takes over what a build says of a model that waits for an approval.
    fn waiting(&mut self, decision: DecisionRecord) {
        self.build_id = Some(decision.build_id.clone());
        self.waits_for_approval = true;
        self.why = Some(decision.why());
        let champion = decision.decision.champion.as_ref();
        self.champion = champion.map(|champion| champion.model_arn.clone());
        self.compared(Some(decision));
    }

    fn compared(&mut self, decision: Option<DecisionRecord>) {
        let Some(decision) = decision else { return };
        self.parent = decision.dataset.parent;
        self.train_rows = Some(decision.dataset.train.summary.rows);
        let machine = decision.dataset.machine_labelled.as_ref();
        self.machine_rows = machine.map(|machine| machine.file.summary.rows);
        self.test_rows = Some(decision.dataset.test.summary.rows);
        self.scores = Some(Scores::of(&decision.decision.challenger));
        self.champion_scores = decision.decision.champion.as_ref().map(Scores::of);
    }
}

/// Returns whether a person was asked to approve what a build came to. Two builds never run at once, so that one before the
/// last was stopped.
async fn is_asked_about(
    bucket: &Bucket,
    build_id: &str,
    last: Option<&LastBuild>,
) -> Result<bool, BucketError> {
    if last.is_some_and(|last| last.id != build_id) {
        return Ok(false);
    }
    let wanted: Option<Wanted> = bucket.read_document(&approval_key(build_id)).await?;
    Ok(wanted.is_some())
}

/// Lists the model versions of a training bucket, oldest first; those that no build made come first.
///
/// `serving` is the model that serves, see [`serving_model`](crate::serving_model). Audited accuracies are as
/// of the last tick.
///
/// # Errors
///
/// [`BucketError`].
pub async fn versions(bucket: &Bucket, serving: Option<&str>) -> Result<Vec<VersionSummary>, BucketError> {
    let mut versions = Versions::default();
    let mut builds = Vec::new();
    let last: Option<LastBuild> = bucket.read_document(LAST_KEY).await?;
    for folder in bucket.folders("builds/").await? {
        let record: Option<BuildRecord> = bucket.read_document(&format!("{folder}{RECORD}")).await?;
        let decision: Option<DecisionRecord> = bucket.read_document(&format!("{folder}{DECISION}")).await?;
        match (record, decision) {
            (Some(record), decision) => builds.push((record, decision)),
            (None, Some(decision)) if is_asked_about(bucket, &decision.build_id, last.as_ref()).await? => {
                let model = decision.decision.challenger.model_arn.clone();
                versions.of(&model).waiting(decision);
            }
            (None, _) => {}
        }
    }
    builds.sort_by_key(|(record, _)| record.started_at);
    for (record, decision) in builds {
        versions.add_build(&record, decision, bucket.name());
    }

    if let Some(serving) = serving {
        versions.of(serving).serving = true;
    }
    let deployments = deployment::read_all(bucket).await?;
    deployments.iter().for_each(|switch| versions.add_switch(switch));

    let lasting = deployment::lasting(&deployments);
    let tally: Tally = tally::read(bucket).await?;
    let promises: Promises = bucket.read_document(PROMISES_KEY).await?.unwrap_or_default();
    let learnt: Option<LearntAndErased> = bucket.read_document(keys::LEARNT_AND_ERASED).await?;
    let learnt = learnt.unwrap_or_default();
    let mut versions: Vec<VersionSummary> = versions.0.into_values().collect();
    for version in &mut versions {
        let arn = &version.model_arn;
        let last = lasting.iter().rfind(|switch| switch.model_arn == *arn);
        version.deployed_at = last.map(|switch| switch.at);
        version.rolled_back = deployment::was_rolled_back(&deployments, arn);
        version.audited = tally.accuracy(arn);
        version.confidence = tally.confidence(arn);
        version.promise = promises.0.get(arn).cloned();
        version.erased_rows = learnt.of_model(arn);
    }
    versions.sort_by_key(|version| (version.waits_for_approval, version.built_at));
    Ok(versions)
}

/// What is known of each model, by its ARN.
#[derive(Default)]
struct Versions(BTreeMap<String, VersionSummary>);

impl Versions {
    /// Returns a model's version, which is known from then on.
    fn of(&mut self, model_arn: &str) -> &mut VersionSummary {
        let entry = self.0.entry(model_arn.to_owned());
        entry.or_insert_with(|| VersionSummary::new(model_arn))
    }

    /// Adds what a build says of its champion and its challenger.
    fn add_build(&mut self, record: &BuildRecord, decision: Option<DecisionRecord>, bucket: &str) {
        if record.action != Some(crate::Action::Build) {
            return;
        }
        if let Some(champion) = &record.champion {
            let version = self.of(champion);
            let measured = decision.as_ref().and_then(|it| it.decision.champion.as_ref());
            if version.build_id.is_none() {
                version.scores = measured.map(Scores::of).or(version.scores);
            }
        }
        // What learns from it is hosted elsewhere and has no version here: the dataset stands for it.
        let handed_over = record
            .dataset
            .as_ref()
            .filter(|_| record.outcome == Outcome::DatasetReady);
        if let Some(dataset) = handed_over {
            let version = self.of(&format!("arn:aws:s3:::{bucket}/datasets/{dataset}"));
            version.built(record, None);
        }
        let new = record.outcome != Outcome::NothingNew;
        if let Some(challenger) = record.challenger.as_deref().filter(|_| new) {
            self.of(challenger).built(record, decision);
        }
        for model in &record.deleted_models {
            self.of(model).deleted_at = Some(record.ended_at);
        }
    }

    /// Adds the models of a switch.
    fn add_switch(&mut self, switch: &Deployment) {
        let version = self.of(&switch.model_arn);
        if switch.by == SwitchedBy::InitialFile {
            version.built_at.get_or_insert(switch.at);
            version.why.get_or_insert_with(|| switch.reason.clone());
        }
        if let Some(before) = &switch.previous_model_arn {
            self.of(before);
        }
    }
}
