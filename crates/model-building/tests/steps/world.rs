//! Buckets, labels and the function.

use std::collections::BTreeMap;

use active_learning_aws::{bucket::Bucket, env::Env, labelled};
use active_learning_core::{
    dataset::{CsvWriter, Row},
    feedback::{FeedbackRequest, Signal, Source},
    labels::{
        consolidation::Consensus,
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        labelled::{LabelledRecord, object_key},
        vote::{Vote, VoteSource},
    },
};
use aws_sdk_s3::{Client, primitives::ByteStream};
use axum::{Router, body::Body};
use http::Request;
use local_aws::{LocalAws, s3::BucketSpec, script::Script, stepfunctions::StateMachineSpec};
use model_building::{Config, ModelBuilding};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::comprehend::{Comprehend, model_arn};

pub const BUCKET: &str = "training-123456789012";
pub const ENDPOINT_ARN: &str = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news";

pub const MACHINE_ARN: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:model-building";

pub struct World {
    pub aws: LocalAws,
    pub s3: Client,
    pub sfn: aws_sdk_sfn::Client,
    pub comprehend: Comprehend,
    pub settings: BTreeMap<&'static str, &'static str>,
    /// Whether an erasure begins just when a build takes the lock.
    pub erases_at_lock: bool,
}

impl World {
    /// A champion that has one text in five wrong, 300 labelled texts, and a machine whose executions wait.
    pub async fn new() -> Self {
        let world = Self::on(LocalAws::in_memory()).await;
        put_machine(&world.aws);
        world
    }

    /// The same without the machine.
    pub async fn on(aws: LocalAws) -> Self {
        let bucket = BucketSpec {
            name: BUCKET.into(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(bucket).expect("a bucket");
        let world = Self {
            s3: Client::new(&aws.sdk_config()),
            sfn: aws_sdk_sfn::Client::new(&aws.sdk_config()),
            comprehend: Comprehend::default(),
            aws,
            settings: BTreeMap::new(),
            erases_at_lock: false,
        };
        {
            let mut state = world.comprehend.state();
            let champion = champion();
            state.wrong.insert(champion.clone(), 20);
            let trained = ("TRAINED".to_owned(), None);
            state.models.insert(champion.clone(), trained);
            state.endpoint = Some(json!({
                "EndpointArn": ENDPOINT_ARN, "Status": "IN_SERVICE", "ModelArn": champion, "DesiredModelArn": champion,
            }));
        }
        world.put_rows("pets", 0..300).await;
        world
    }

    /// The function's environment.
    pub fn environment(&self) -> BTreeMap<&str, &str> {
        let mut variables: BTreeMap<&str, &str> = [
            ("TRAINING_BUCKET_NAME", BUCKET),
            ("COMPREHEND_ENDPOINT_ARN", ENDPOINT_ARN),
            ("CLASSIFIER_URL", ""),
            ("SAGEMAKER_ENDPOINT_ARN", ""),
            ("FLYWHEEL_ARN", ""),
            ("EVENT_BUS_NAME", "bus"),
            ("CLASSIFIER_NAME", "news"),
            ("LANGUAGE_CODE", "en"),
            (
                "DATA_ACCESS_ROLE_ARN",
                "arn:aws:iam::123456789012:role/comprehend-data",
            ),
            ("STATE_MACHINE_ARN", MACHINE_ARN),
            ("TEST_SHARE", "0.3"),
            ("MIN_ROWS_PER_CLASS", "5"),
            ("SEVERAL_LABELS", "false"),
            ("FIRST_MODEL_ROWS_PER_LABEL", "5"),
            ("NEW_LABELS_TO_BUILD", "10"),
            ("MIN_MINUTES_BETWEEN_BUILDS", "30"),
            ("MAX_DAYS_BETWEEN_BUILDS", "7"),
            ("MIN_MACRO_F1_GAIN", "0.01"),
            ("MAX_RECALL_LOSS", "0.1"),
            ("SIGNIFICANCE", "0.05"),
            ("APPROVE_DEPLOYMENTS", "false"),
            ("ROLLBACK_SIGNIFICANCE", "0.01"),
            ("ROLLBACK_MIN_AUDITED", "30"),
            ("AUTOMATED_LABELLING_ACCURACY", "0"),
            ("KEEP_MODEL_VERSIONS", "0"),
        ]
        .into();
        variables.extend(&self.settings);
        variables
    }

    pub fn function(&self) -> ModelBuilding {
        self.function_by(&Script::default())
    }

    /// The same, whose calls are answered as the script says.
    pub fn function_by(&self, script: &Script) -> ModelBuilding {
        let env = Vec::from_iter(self.environment());
        let env: [(&str, &str); 25] = env.try_into().expect("all variables");
        let config = Config::from_env(&Env::from(env)).expect("complete");
        let (services, comprehend, s3) = (self.aws.router(), self.comprehend.clone(), self.s3.clone());
        let erases_at_lock = self.erases_at_lock;
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (services, comprehend, s3) = (services.clone(), comprehend.clone(), s3.clone());
            async move {
                let is_lock =
                    request.method() == "PUT" && request.uri().path().ends_with("builds/running.json");
                if is_lock && erases_at_lock {
                    let erasing = json!({"until": "2100-01-01T00:00:00.000Z"}).to_string();
                    let put = s3.put_object().bucket(BUCKET).key("builds/erasing.json");
                    put.body(erasing.into_bytes().into())
                        .send()
                        .await
                        .expect("stored");
                }
                let target = request.headers().get("x-amz-target");
                if target.is_some_and(|target| target.as_bytes().starts_with(b"Comprehend")) {
                    comprehend.answer(&s3, request).await
                } else {
                    services
                        .oneshot(request)
                        .await
                        .unwrap_or_else(|never| match never {})
                }
            }
        });
        ModelBuilding::new(config, &script.sdk_config(router))
    }

    /// Puts a label set of which a label has been renamed.
    pub async fn put_renamed(&self, old: &str, new: &str) {
        let mut set = LabelSet::seed(["Cat", "Dog"].map(str::to_owned), Origin::InitialData, "");
        set.rename(old, new).expect("free");
        let set = serde_json::to_vec(&set).expect("JSON");
        self.put(LABEL_SET_KEY, set).await;
    }

    /// Puts training rows, half cats and half dogs, no two of them alike.
    pub async fn put_rows(&self, name: &str, numbers: std::ops::Range<u64>) {
        let mut csv = CsvWriter::new(Vec::new());
        for number in numbers {
            let (label, text) = text(number);
            let labels = vec![label.to_owned()];
            csv.write(&Row { labels, text }).expect("a good row");
        }
        let (csv, _) = csv.finish().expect("memory");
        self.put(&format!("initial/{name}.csv"), csv).await;
    }

    /// Puts one human loop's answers to audited predictions of a model, so many of them right, as a version before did:
    /// without a mark.
    pub async fn put_labels(&self, human_loop: &str, model: &str, numbers: std::ops::Range<u64>, right: u64) {
        let lines = labels(human_loop, model, numbers, right);
        self.put(&object_key(human_loop), lines.into_bytes()).await;
    }

    /// Puts the same as the functions do.
    pub async fn label(&self, human_loop: &str, model: &str, numbers: std::ops::Range<u64>, right: u64) {
        let lines = labels(human_loop, model, numbers, right);
        let created = labelled::create(&self.bucket(), human_loop, lines).await;
        created.map(drop).expect("written");
    }

    /// Returns the bucket as the function sees it.
    pub fn bucket(&self) -> Bucket {
        Bucket::new(self.s3.clone(), BUCKET)
    }

    pub async fn put(&self, key: &str, body: Vec<u8>) {
        let put = self.s3.put_object().bucket(BUCKET).key(key);
        put.body(ByteStream::from(body)).send().await.expect("an upload");
    }

    pub async fn read<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let object = self.s3.get_object().bucket(BUCKET).key(key).send().await.ok()?;
        let body = object.body.collect().await.expect("a body").to_vec();
        Some(serde_json::from_slice(&body).expect("JSON"))
    }

    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(BUCKET).prefix(prefix);
        let list = list.send().await.expect("a list");
        let keys = list.contents().iter().filter_map(|object| object.key());
        keys.map(str::to_owned).collect()
    }

    /// All switches, oldest first.
    pub async fn deployments(&self) -> Vec<Value> {
        let mut deployments = Vec::new();
        for key in self.keys("deployments/").await {
            deployments.extend(self.read(&key).await);
        }
        deployments
    }

    /// Names and inputs of the executions that were started, newest first.
    pub async fn executions(&self) -> Vec<(String, Value)> {
        let listed = self
            .sfn
            .list_executions()
            .state_machine_arn(MACHINE_ARN)
            .send()
            .await;
        let mut executions = Vec::new();
        for execution in listed.expect("a list").executions() {
            let describe = self.sfn.describe_execution();
            let described = describe.execution_arn(execution.execution_arn()).send().await;
            let input = described.expect("an execution").input.expect("an input");
            let input = serde_json::from_str(&input).expect("JSON");
            executions.push((execution.name().to_owned(), input));
        }
        executions
    }
}

/// A machine whose executions run for an hour.
fn put_machine(aws: &LocalAws) {
    let definition =
        json!({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": true}}});
    let machine = StateMachineSpec {
        name: "model-building".to_owned(),
        definition: definition.to_string(),
        role_arn: "arn:aws:iam::000000000000:role/machine".to_owned(),
    };
    aws.step_functions.put_state_machine(machine).expect("a machine");
}

/// ARN of the model that serves at first.
pub fn champion() -> String {
    model_arn("initial", "v0")
}

/// One human loop's answers to audited predictions of a model, so many of them right.
fn labels(human_loop: &str, model: &str, numbers: std::ops::Range<u64>, right: u64) -> String {
    let mut lines = String::new();
    let first = numbers.start;
    for number in numbers {
        let (label, text) = text(number);
        let other = if label == "Cat" { "Dog" } else { "Cat" };
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: text,
            ..FeedbackRequest::default()
        };
        let record = request.into_record(Source::Implicit, "2026-11-20T10:00:00Z");
        let mut record = record.expect("complete");
        record.signal = Signal::Audit;
        record.selection_probability = Some(0.1);
        record.model_arn = Some(model.to_owned());
        record.confidence = Some(0.75);
        record.prediction = Some(if number - first < right { label } else { other }.to_owned());
        let vote = Vote {
            worker: "ann".into(),
            answer: Answer::labels([label]),
            source: VoteSource::HumanReview,
            at: "2026-11-20T11:00:00Z".into(),
            seconds: None,
            note: Default::default(),
        };
        let labelled = LabelledRecord::new(record, vec![vote], human_loop, "arn:flow");
        assert!(matches!(labelled.consensus, Consensus::Agreed { .. }));
        lines += &labelled.to_line();
    }
    lines
}

/// A text of random words with its label.
pub fn text(number: u64) -> (&'static str, String) {
    let (label, animal) = if number.is_multiple_of(2) {
        ("Cat", "cat")
    } else {
        ("Dog", "dog")
    };
    let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let mut text = animal.to_owned();
    for _ in 0..8 {
        text.push(' ');
        for _ in 0..6 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push(char::from(b'a' + ((seed >> 33) % 26) as u8));
        }
    }
    (label, text)
}
