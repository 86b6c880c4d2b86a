//! From answers to a new model that serves: the second half of the loop, functions as processes.

use std::{collections::BTreeMap, path::Path};

use crate::harness::{self, Killable, boot, post, template, until};
use active_learning_aws::bucket::Bucket;
use active_learning_cli::{demo::reviewer::Reviewer, models::Models, outputs::StackOutputs, sign_in};
use active_learning_core::{
    dataset::{TrainingFileReport, TrainingFileState},
    feedback::{FeedbackRecord, record_id},
    labels::{
        consolidation::Consensus,
        human_loop::Answer,
        labelled::{LabelledRecord, object_key},
        vote::{Vote, VoteSource},
    },
};
use aws_sdk_comprehend::types::EndpointStatus;
use aws_sdk_sfn::types::HistoryEvent;
use local_stack::boot::Running;
use model_building::{BuildRecord, Deployment, Followed, Outcome, SwitchedBy};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Labels and texts.
pub type Rows = Vec<(String, String)>;

/// Builds start when a test says so.
pub const BY_HAND: [(&str, &str); 4] = [
    ("FeedbackBufferSeconds", "1"),
    ("NewLabelsToBuild", "1000000"),
    ("MaxDaysBetweenBuilds", "0"),
    ("TestShare", "0.4"),
];

/// A few dozen test rows say little: what matters to these tests is that there is a switch.
pub const EASY_TO_WIN: [(&str, &str); 3] = [
    ("MinMacroF1Gain", "0"),
    ("MaxRecallLoss", "1"),
    ("SelectionSignificance", "0"),
];

pub fn news() -> Rows {
    let rows = include_str!("../../data/news.csv");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(rows.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().expect("CSV")
}

fn to_csv(rows: &[(String, String)]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).expect("memory takes everything");
    }
    writer.into_inner().expect("memory takes everything")
}

/// What the reviewers said of some texts, as training-data writes it.
pub async fn put_labels(s3: &aws_sdk_s3::Client, bucket: &str, human_loop: &str, rows: &[(String, String)]) {
    let lines: String = rows
        .iter()
        .map(|(label, text)| {
            let record = json!({"classifier": "news", "utterance": text});
            let record = FeedbackRecord::parse(record.to_string().as_bytes()).expect("a record");
            let vote = Vote {
                worker: "ann".to_owned(),
                answer: Answer::labels([label]),
                source: VoteSource::HumanReview,
                at: "2026-11-21T10:00:00.000Z".to_owned(),
                seconds: None,
                note: Default::default(),
            };
            LabelledRecord::new(record, vec![vote], human_loop, "arn:flow").to_line()
        })
        .collect();
    let put = s3.put_object().bucket(bucket).key(object_key(human_loop));
    put.body(lines.into_bytes().into()).send().await.expect("stored");
}

/// Reads the JSON objects below a folder of the training bucket whose names end with `suffix`.
pub async fn objects<T: DeserializeOwned>(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    folder: &str,
    suffix: &str,
) -> Vec<T> {
    let values = harness::json_objects(s3, bucket, folder, suffix).await;
    let parsed = values.into_iter().map(serde_json::from_value);
    parsed.collect::<Result<_, _>>().expect("as written")
}

/// A stack in this process with a first model.
pub struct Stack {
    pub running: Running,
    pub outputs: StackOutputs,
    pub s3: aws_sdk_s3::Client,
}

impl Stack {
    /// The first model learns from `initial`, unless there is one.
    pub async fn start(folder: &Path, initial: &[(String, String)], parameters: &[(&str, &str)]) -> Self {
        Self::start_from(folder, template(), initial, parameters).await
    }

    pub async fn start_from(
        folder: &Path,
        template: &str,
        initial: &[(String, String)],
        parameters: &[(&str, &str)],
    ) -> Self {
        let running = boot(folder, template, parameters).await;
        Self::make_ready(running, folder, None, &to_csv(initial)).await
    }

    /// Starts a stack with training data of its user's own, which the label set comes from.
    pub async fn start_with_own(
        folder: &Path,
        own: &[(String, String)],
        parameters: &[(&str, &str)],
    ) -> Self {
        let running = boot(folder, template(), parameters).await;
        Self::make_ready(running, folder, Some(to_csv(own)), &[]).await
    }

    async fn make_ready(running: Running, folder: &Path, own: Option<Vec<u8>>, sample: &[u8]) -> Self {
        let beginning = active_learning_cli::beginning::Beginning::default();
        let ready = active_learning_cli::run::make_ready(&running, folder, own, &beginning, sample).await;
        let outputs = ready.expect("a model");
        let s3 = aws_sdk_s3::Client::new(&running.aws.sdk_config());
        Self { running, outputs, s3 }
    }

    pub async fn stop(self) {
        // The client holds on to the services of this process.
        drop(self.s3);
        self.running.stop().await;
    }

    pub fn models(&self) -> Models {
        Models::of_stack(&self.running.aws.sdk_config(), &self.outputs)
    }

    pub fn bucket(&self) -> &str {
        self.outputs.output("TrainingS3Bucket")
    }

    pub async fn classify(&self, text: &str) -> Value {
        let url = self.outputs.output("TextClassificationApiGatewayID");
        let body = json!({"classifier": "news", "sentence": text});
        let (status, body) = post(url, &self.outputs.api_key_value, &body).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Classifies texts, and answers what goes to review as `choose` does from right label and prediction.
    pub async fn review(&self, rows: &[(String, String)], choose: impl Fn(&str, &str) -> String) {
        let (labels, _) = self.ask(rows).await;
        self.answer(&labels, choose).await;
    }

    /// Classifies texts; returns the right labels of what goes to review, by record, and the answers for the others.
    pub async fn ask<'a>(&self, rows: &'a [(String, String)]) -> (BTreeMap<String, &'a str>, Vec<Value>) {
        let (mut labels, mut trusted) = (BTreeMap::new(), Vec::new());
        for (label, text) in rows {
            let answer = self.classify(text).await;
            if answer["review"].is_null() {
                trusted.push(answer);
            } else {
                labels.insert(record_id("news", text), label.as_str());
            }
        }
        (labels, trusted)
    }

    /// Answers what was sent to review as `choose` does from right label and prediction, and waits for the labels.
    pub async fn answer(&self, labels: &BTreeMap<String, &str>, choose: impl Fn(&str, &str) -> String) {
        let link = sign_in::create_link(&self.outputs, "test").await.expect("a link");
        let mut reviewer = Reviewer::sign_in(&link).await.expect("signed in");
        until(async || {
            let answer = |id: &str, predicted: &str| Some(choose(labels.get(id)?, predicted));
            while reviewer.answer_next(answer).await.expect("the portal answers") {}
            let labelled = self.labelled().await;
            labels
                .keys()
                .all(|id| labelled.iter().any(|record| record.record.id == *id))
        })
        .await;
    }

    async fn labelled(&self) -> Vec<LabelledRecord> {
        let mut records = Vec::new();
        let list = self
            .s3
            .list_objects_v2()
            .bucket(self.bucket())
            .prefix("labelled/");
        for object in list.send().await.expect("listed").contents() {
            let key = object.key().expect("a key");
            let object = self.s3.get_object().bucket(self.bucket()).key(key).send();
            let lines = object
                .await
                .expect("there")
                .body
                .collect()
                .await
                .expect("readable");
            let lines = lines.to_vec();
            let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            records.extend(lines.map(|line| LabelledRecord::parse(line).expect("a labelled record")));
        }
        records
    }

    fn function(&self, part: &str) -> &str {
        let functions = &self.running.plan.functions;
        let function = functions.iter().find(|function| function.name.contains(part));
        &function.expect("there").name
    }

    pub async fn invoke(&self, function: &str, payload: &Value) {
        let name = self.function(function);
        let invoked = self
            .running
            .aws
            .lambda
            .invoke(name, payload.to_string().into())
            .await;
        let invoked = invoked.expect("invoked");
        assert!(invoked.function_error.is_none(), "{:?}", invoked.payload);
    }
}

/// Returns the next class, which is wrong.
pub fn wrong(label: &str) -> String {
    let classes = ["World", "Sports", "Business", "SciTech"];
    let at = classes.iter().position(|class| *class == label).expect("a class");
    classes[(at + 1) % classes.len()].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn enough_new_labels_start_one_build_and_the_endpoint_answers_throughout() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = [
        ("FeedbackBufferSeconds", "1"),
        ("NewLabelsToBuild", "40"),
        ("MinMinutesBetweenBuilds", "600"),
        ("ComprehendClassificationScoreThreshold", "1"),
        ("TestShare", "0.4"),
    ];
    let stack = Stack::start(folder.path(), &rows[..60], &parameters).await;
    let first_model = stack
        .models()
        .serving()
        .await
        .expect("an endpoint")
        .expect("a model");

    let (built, answered) = tokio::join!(
        async {
            stack.review(&rows[60..140], |label, _| label.to_owned()).await;
            until(async || {
                let builds: Vec<BuildRecord> =
                    objects(&stack.s3, stack.bucket(), "builds/", "/record.json").await;
                !builds.is_empty()
            })
            .await;
            objects::<BuildRecord>(&stack.s3, stack.bucket(), "builds/", "/record.json").await
        },
        async {
            // Longer than any build of this size takes, and in step with nothing.
            let models = stack.models();
            let mut answered = 0;
            for _ in 0..300 {
                assert!(
                    !models
                        .classify("The striker scored twice.")
                        .await
                        .expect("it serves")
                        .is_empty()
                );
                answered += 1;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            answered
        }
    );

    let serving = stack.models().serving().await.expect("an endpoint");
    stack.running.stop().await;
    let [build] = &built[..] else { panic!("{built:?}") };
    assert!(
        matches!(build.outcome, Outcome::Deployed | Outcome::Refused),
        "{build:?}"
    );
    assert_eq!(build.champion.as_ref(), Some(&first_model));
    assert_eq!(serving, build.serving);
    assert_eq!(
        serving.as_ref() != Some(&first_model),
        build.outcome == Outcome::Deployed
    );
    assert_eq!(answered, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_learnt_nonsense_is_refused_and_the_champion_serves_on() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let stack = Stack::start(folder.path(), &rows[..150], &BY_HAND).await;
    let models = stack.models();
    let champion = models.serving().await.expect("an endpoint");
    let nonsense: Rows = rows[150..]
        .iter()
        .map(|(label, text)| (wrong(label), text.clone()))
        .collect();
    put_labels(&stack.s3, stack.bucket(), "nonsense", &nonsense).await;

    let built = models.build().await.expect("followed");
    let again = models.build().await.expect("followed");

    let serving = models.serving().await.expect("an endpoint");
    stack.running.stop().await;
    let record = built.record.expect("a record");
    assert_eq!(record.outcome, Outcome::Refused, "{}", record.why);
    let decision = built.decision.expect("a decision");
    assert!(decision.reasons.iter().any(|reason| !reason.in_favour));
    assert_eq!(serving, champion);
    let again = again.record.expect("a record");
    assert_eq!(again.outcome, Outcome::NothingNew, "{}", again.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_people_find_worse_in_service_is_rolled_back_by_itself() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = [
        &BY_HAND[..],
        &EASY_TO_WIN,
        &[
            ("AuditSampleRate", "1"),
            ("ComprehendClassificationScoreThreshold", "0"),
        ],
    ]
    .concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let models = stack.models();
    let first = models.serving().await.expect("an endpoint");

    stack.review(&rows[24..200], |label, _| label.to_owned()).await;
    let built = models.build().await.expect("followed");
    let second = models.serving().await.expect("an endpoint");
    assert_eq!(built.record.expect("a record").outcome, Outcome::Deployed);
    // Functions that run remember for a minute which model serves; new ones ask.
    drop(models);
    stack.stop().await;
    let stack = Stack::start(folder.path(), &[], &parameters).await;
    let models = stack.models();
    stack
        .review(&rows[200..260], |_, predicted| wrong(predicted))
        .await;
    stack.invoke("ModelBuilding", &json!({"operation": "tick"})).await;
    until(async || models.serving().await.expect("an endpoint") == first).await;
    until(async || {
        let switches: Vec<Deployment> = objects(&stack.s3, stack.bucket(), "deployments/", ".json").await;
        switches.len() == 2
    })
    .await;

    let switches: Vec<Deployment> = objects(&stack.s3, stack.bucket(), "deployments/", ".json").await;
    let versions = models.versions().await.expect("listed");
    stack.running.stop().await;
    assert_ne!(first, second);
    assert_eq!(switches[0].by, SwitchedBy::Build);
    assert_eq!(switches[1].by, SwitchedBy::AutomaticRollBack);
    assert_eq!(Some(&switches[1].model_arn), first.as_ref());
    let rolled_back = versions
        .iter()
        .find(|version| Some(&version.model_arn) == second.as_ref());
    assert!(rolled_back.expect("it is listed").rolled_back);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answers_three_times_are_labels_once_and_a_roll_back_by_hand_brings_the_old_model_back() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let threshold = [
        ("ComprehendClassificationScoreThreshold", "1"),
        ("MinMacroF1Gain", "0"),
    ];
    let parameters = [&BY_HAND[..], &threshold].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let models = stack.models();
    let first = models.serving().await.expect("an endpoint");
    stack.review(&rows[24..200], |label, _| label.to_owned()).await;
    let review = stack.outputs.output("ReviewS3Bucket");
    let list = stack
        .s3
        .list_objects_v2()
        .bucket(review)
        .send()
        .await
        .expect("listed");
    let keys = list.contents().iter().filter_map(|object| object.key());
    let records: Vec<Value> = keys
        .filter(|key| key.ends_with("/output.json"))
        .map(|key| {
            json!({
                "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1",
                "eventTime": "2026-11-20T10:00:00.000Z", "eventVersion": "2.1", "userIdentity": {},
                "requestParameters": {}, "responseElements": {},
                "s3": {"bucket": {"name": review}, "object": {"key": key, "size": 1}},
            })
        })
        .collect();
    let before = stack.labelled().await;

    for _ in 0..3 {
        stack.invoke("TrainingData", &json!({"Records": records})).await;
    }

    let after = stack.labelled().await;
    let built = models.build().await.expect("followed");
    let second = models.serving().await.expect("an endpoint");
    let back = models.roll_back(None).await.expect("followed");
    let third = models.serving().await.expect("an endpoint");
    stack.running.stop().await;
    assert_eq!(before.len(), 176);
    assert!(
        before
            .iter()
            .all(|record| matches!(record.consensus, Consensus::Agreed { .. }))
    );
    assert_eq!(after, before);
    assert_eq!(built.record.expect("a record").outcome, Outcome::Deployed);
    assert_ne!(second, first);
    assert_eq!(back.record.expect("a record").outcome, Outcome::RolledBack);
    assert_eq!(third, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initial_file_replaces_the_sample_and_is_undone_by_rollback_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let stack = Stack::start(folder.path(), &rows[..100], &BY_HAND).await;
    let models = stack.models();
    let first = models.serving().await.expect("an endpoint").expect("a model");
    let put = async |key: &str, content: Vec<u8>| {
        let put = stack.s3.put_object().bucket(stack.bucket()).key(key);
        put.body(content.into()).send().await.expect("stored");
    };
    let listed = async |count: usize| {
        until(async || models.training_files().await.expect("listed").len() == count).await;
        models.training_files().await.expect("listed")
    };

    put("initial/bad.csv", b"World;one\nSports;two\n".to_vec()).await;
    let with_bad = listed(2).await;
    let beside_bad = models.serving().await.expect("an endpoint").expect("a model");
    put("initial/own.csv", to_csv(&rows[100..200])).await;
    until(async || models.serving().await.expect("an endpoint").as_ref() != Some(&first)).await;
    let own = models.serving().await.expect("an endpoint").expect("a model");
    listed(3).await;
    let versions = models.versions().await.expect("listed");
    let back = models.roll_back(None).await.expect("followed");
    let last = models.serving().await.expect("an endpoint").expect("a model");
    let built = models.build().await.expect("followed");
    let with_own = models.training_files().await.expect("listed");

    stack.running.stop().await;
    let state = |files: &[TrainingFileReport]| -> Vec<(String, TrainingFileState)> {
        files.iter().map(|file| (file.key.clone(), file.state)).collect()
    };
    let refused = ("initial/bad.csv".to_owned(), TrainingFileState::Refused);
    let sample = |state| ("initial/sample-news.csv".to_owned(), state);
    assert_eq!(
        state(&with_bad),
        [refused.clone(), sample(TrainingFileState::Taken)]
    );
    assert_eq!(beside_bad, first);
    assert_ne!(
        built.record.as_ref().expect("a record").outcome,
        Outcome::Failed,
        "{built}",
        built = built.describe()
    );
    for arn in [&first, &own] {
        assert!(versions.iter().any(|version| version.model_arn == *arn), "{arn}");
    }
    assert_eq!(back.record.expect("a record").outcome, Outcome::RolledBack);
    assert_eq!(last, first);
    let taken = ("initial/own.csv".to_owned(), TrainingFileState::Taken);
    assert_eq!(
        state(&with_own),
        [refused, taken, sample(TrainingFileState::Ignored)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_killed_in_training_evaluation_or_switch_ends_once_and_the_endpoint_serves() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = BY_HAND.map(|(name, value)| format!("{name}={value}"));
    let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
    for (round, state) in ["Train", "StartEvaluation", "Deploy"].into_iter().enumerate() {
        let first = Killable::start_with(folder.path(), &parameters);
        let sfn = aws_sdk_sfn::Client::new(&first.sdk_config().await);
        let bucket = first.outputs.output("TrainingS3Bucket").to_owned();
        let machine = first.outputs.output("ModelBuildingStateMachineArn").to_owned();
        // The sample's own texts with other endings: new texts, better known classes.
        let new: Rows = rows
            .iter()
            .map(|(label, text)| {
                (
                    label.clone(),
                    format!("{text} Report {round} of the day's news in brief."),
                )
            })
            .collect();
        put_labels(&first.s3().await, &bucket, &format!("round-{round}"), &new).await;
        let execution = model_building::start_build(&sfn, &machine)
            .await
            .expect("started");
        until(async || {
            let history = sfn
                .get_execution_history()
                .execution_arn(&execution)
                .max_results(1000);
            let history = history.send().await.expect("a history");
            let entered = |event: &HistoryEvent| {
                let details = event.state_entered_event_details();
                details.is_some_and(|details| details.name().starts_with(state))
            };
            let ended = history
                .events()
                .iter()
                .any(|event| event.r#type().as_str() == "ExecutionSucceeded");
            ended || history.events().iter().any(entered)
        })
        .await;
        first.kill();

        let second = Killable::start_with(folder.path(), &parameters);
        let config = second.sdk_config().await;
        let (s3, sfn) = (
            aws_sdk_s3::Client::new(&config),
            aws_sdk_sfn::Client::new(&config),
        );
        let followed =
            model_building::follow(&Bucket::new(s3.clone(), &bucket), &sfn, &execution, |_| {}).await;

        let Ok(Followed::Recorded(record)) = followed else {
            panic!("{state}: {followed:?}")
        };
        assert!(
            matches!(record.outcome, Outcome::Deployed | Outcome::Refused),
            "{state}: {}",
            record.why
        );
        let decisions: Vec<Value> =
            objects(&s3, &bucket, &format!("builds/{}/", record.id), "/decision.json").await;
        assert_eq!(decisions.len(), 1);
        let records: Vec<BuildRecord> = objects(&s3, &bucket, "builds/", "/record.json").await;
        assert_eq!(records.len(), round + 1);
        let comprehend = aws_sdk_comprehend::Client::new(&config);
        let endpoint = second.outputs.output("ComprehendEndpointArnInUse");
        let described = comprehend.describe_endpoint().endpoint_arn(endpoint).send().await;
        let properties = described.expect("described").endpoint_properties.expect("there");
        assert_eq!(properties.status(), Some(&EndpointStatus::InService));
        assert_eq!(properties.model_arn(), record.serving.as_deref());
        let answer = comprehend
            .classify_document()
            .endpoint_arn(endpoint)
            .text("A goal!");
        assert!(!answer.send().await.expect("it serves").classes().is_empty());
    }
}
