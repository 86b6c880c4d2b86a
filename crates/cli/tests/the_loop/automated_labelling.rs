//! Automated labelling over the whole stack: audits make a promise, confident predictions become labels beside those of
//! people, and audits end it.

use active_learning_core::{
    dataset::DatasetManifest,
    feedback::FeedbackRecord,
    model::accuracy_guarantee::{Promise, PromiseState, Promises},
};
use model_building::Outcome;
use serde_json::{Value, json};

use crate::{
    alarms,
    harness::until,
    new_models::{BY_HAND, Rows, Stack, news, objects, wrong},
};

impl Stack {
    /// Has the promises kept; returns that of the serving model.
    async fn promise(&self, model: &str) -> Promise {
        self.invoke("ModelBuilding", &json!({"operation": "tick"})).await;
        let promises: Vec<Promises> = objects(&self.s3, self.bucket(), "automated-labelling/", ".json").await;
        promises[0].0[model].clone()
    }

    async fn machine_labels(&self) -> Vec<FeedbackRecord> {
        let list = self
            .s3
            .list_objects_v2()
            .bucket(self.bucket())
            .prefix("machine-labelled/");
        let mut records = Vec::new();
        for object in list.send().await.expect("listed").contents() {
            let get = self.s3.get_object().bucket(self.bucket());
            let object = get.key(object.key().expect("a key")).send().await.expect("there");
            let lines = object.body.collect().await.expect("readable").to_vec();
            let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            records.extend(lines.map(|line| FeedbackRecord::parse(line).expect("a record")));
        }
        records
    }

    /// Builds, and returns the manifest of the dataset version.
    async fn build(&self) -> DatasetManifest {
        let built = self.models().build().await.expect("followed");
        let record = built.record.expect("a record");
        // A gain that no model can have: the champion serves on.
        assert_eq!(record.outcome, Outcome::Refused, "{}", record.why);
        let folder = format!("datasets/{}/", record.dataset.expect("a dataset"));
        let mut manifests = objects(&self.s3, self.bucket(), &folder, "/manifest.json").await;
        manifests.pop().expect("a manifest")
    }
}

/// The texts with other endings.
fn again(rows: &[(String, String)], round: usize) -> Rows {
    let other = |(label, text): &(String, String)| (label.clone(), format!("{text} Edition {round}."));
    rows.iter().map(other).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn confident_predictions_become_labels_while_audits_keep_the_promise_and_not_after_they_break_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = [
        &BY_HAND[..],
        &[
            ("MinMacroF1Gain", "1"),
            ("AuditSampleRate", "0.5"),
            ("ComprehendClassificationScoreThreshold", "0"),
            ("AutomatedLabellingAccuracy", "0.5"),
        ],
    ]
    .concat();
    let stack = Stack::start(folder.path(), &rows[..120], &parameters).await;
    let model = stack
        .models()
        .serving()
        .await
        .expect("an endpoint")
        .expect("a model");
    let mut promise = stack.promise(&model).await;
    assert_eq!(promise.state, PromiseState::Waiting);
    for round in 0..4 {
        stack
            .review(&again(&rows[120..200], round), |_, predicted| {
                predicted.to_owned()
            })
            .await;
        promise = stack.promise(&model).await;
        if promise.state == PromiseState::On {
            break;
        }
    }
    assert_eq!(promise.state, PromiseState::On, "{promise:?}");
    let threshold = promise.threshold.expect("it is on");
    // Functions that run remember for a minute what was promised; new ones ask.
    stack.stop().await;
    let stack = Stack::start(folder.path(), &[], &parameters).await;

    let (audited, trusted) = stack.ask(&rows[200..]).await;
    let is_confident = |answer: &&Value| {
        answer["confidence"]
            .as_f64()
            .is_some_and(|it| it as f32 > threshold)
    };
    let confident = trusted.iter().filter(is_confident).count();
    until(async || stack.machine_labels().await.len() == confident).await;
    let with = stack.build().await;
    stack.answer(&audited, |_, predicted| wrong(predicted)).await;
    for round in 4..8 {
        promise = stack.promise(&model).await;
        if promise.state == PromiseState::Broken {
            break;
        }
        stack
            .review(&again(&rows[120..200], round), |_, predicted| wrong(predicted))
            .await;
    }
    let without = stack.build().await;

    let labels = stack.machine_labels().await;
    let versions = stack.models().versions().await.expect("listed");
    stack.stop().await;
    let alarms = alarms::raised(folder.path());
    assert!(alarms.contains("GuaranteeRevokedAlarm"), "{alarms:?}");
    assert!(
        labels
            .iter()
            .all(|label| label.model_arn.as_ref() == Some(&model))
    );
    assert!(labels.iter().all(|label| label.accepted_above == Some(threshold)));
    let machine = with.machine_labelled.expect("machine rows");
    let rows = machine.file.summary.rows;
    assert!(0 < rows && rows <= confident as u64, "{rows} of {confident}");
    assert_eq!(machine.models[&model], rows);
    assert!(machine.file.key.ends_with("/train-machine-labelled.csv"));
    assert_eq!(promise.state, PromiseState::Broken, "{promise:?}");
    assert_eq!(without.machine_labelled, None);
    assert!(
        without.train.summary.rows > with.train.summary.rows,
        "people went on"
    );
    assert!(versions.iter().any(|version| version.machine_rows == Some(rows)));
}
