//! A history of so many records: one text goes the whole way, and what it leaves is the pattern of all others.

use std::collections::BTreeSet;

use active_learning_core::feedback::FeedbackRecord;
use chrono::{DateTime, Days, TimeDelta, Utc};
use model_building::{Deployment, SwitchedBy};
use serde_json::{Value, json};

use crate::{
    series::{Pattern, Series, identities},
    session::Session,
    world::{World, text},
};

/// Buckets with a state.
const BUCKETS: [&str; 3] = ["feedback", "review", "training"];
/// Human loops that are open, so that none of the pool are asked: more than half of the 50 texts that may be open.
const DUMMIES: usize = 26;

/// What is known of a history.
pub struct History {
    /// Ids of predictions that people have judged.
    pub predictions: Vec<String>,
    /// Human loops that were answered since.
    pub answered: Vec<String>,
}

impl World {
    /// Fills the buckets with what so many answered texts leave, with as many in the pool, and with the tenth part as
    /// duplicates, the hundredth as accepted predictions and the thousandth as builds.
    pub async fn fill(&self, count: u64) -> History {
        let ann = self.human_review();
        Session::sign_in(&ann, Utc::now(), "pattern", "reviewer").await;
        let answered = self.new_objects(self.answered()).await;
        let duplicate = self.new_objects(self.duplicate()).await;
        let accepted = self.new_objects(self.accepted()).await;
        let waiting = self.new_objects(self.waiting()).await;
        for (kind, (objects, count)) in [
            (answered, count),
            (duplicate, count / 10),
            (accepted, count / 100),
            (waiting, count),
        ]
        .into_iter()
        .enumerate()
        {
            self.multiply(objects, count, kind as u8);
        }
        self.place_builds(count).await;

        let folder = self.path("feedback", "predictions/");
        let listed = self.memory.paths(&folder, 1_000).into_iter();
        let id = |path: String| Some(path.strip_prefix(&folder)?.strip_suffix(".json")?.to_owned());
        History {
            predictions: listed.filter_map(id).collect(),
            answered: Vec::new(),
        }
    }

    /// Returns what is there after some work and was not before, with what identities were there before.
    async fn new_objects(&self, work: impl Future<Output = ()>) -> (Vec<(String, String)>, Vec<String>) {
        let all = || {
            BUCKETS
                .iter()
                .flat_map(|kind| self.memory.objects(self.bucket(kind)))
        };
        let (mut known, mut fixed) = (BTreeSet::new(), BTreeSet::new());
        for (path, body) in all() {
            fixed.extend(identities(&path).into_iter().map(str::to_owned));
            if let Ok(body) = std::str::from_utf8(&body) {
                fixed.extend(identities(body).into_iter().map(str::to_owned));
            }
            known.insert(path);
        }
        work.await;
        let new = all().filter(|(path, _)| !known.contains(path));
        let new = new.filter_map(|(path, body)| Some((path, String::from_utf8(body).ok()?)));
        (new.collect(), fixed.into_iter().collect())
    }

    /// Puts so many objects like these in their place.
    fn multiply(&self, (objects, fixed): (Vec<(String, String)>, Vec<String>), count: u64, kind: u8) {
        let now = Utc::now();
        let (from, to) = (now - Days::new(80), now - Days::new(1));
        for (path, body) in objects {
            let pattern = Pattern {
                path: &path,
                body: &body,
                at: now,
                fixed: &fixed,
                kind,
            };
            if let Some(series) = Series::like(pattern, count, from, to) {
                self.memory.remove(&path);
                self.memory.place_series(series);
            }
        }
    }

    /// Has a text classified in doubt, reviewed, collected and told.
    async fn answered(&self) {
        self.services.predict_with(0.41);
        self.services.begin_loops(true);
        let body = json!({ "sentence": text(0) });
        let response = self
            .classify()
            .handle(self.request("POST", Some(&body), None))
            .await;
        assert_eq!(response.status(), 200);
        self.deliver(self.services.delivered()).await;

        let human_review = self.human_review();
        let session = Session::sign_in(&human_review, Utc::now(), "pattern", "reviewer").await;
        let task = session.get("next").await["next"].take();
        let human_loop = task["loop"].as_str().expect("a task").to_owned();
        let records = self.records_of(&human_loop);
        let answer: Value = records.iter().map(|id| (id.clone(), json!("Sports"))).collect();
        let reply = session.submit(&task, &answer, "").await;
        assert_eq!(reply["saved"], json!(true), "{reply}");
        self.collect(&human_loop).await;
        for id in records {
            let told = self.stored("feedback", &format!("questions/{id}.json"));
            self.review_events().handle(told).await.expect("told");
        }
        self.model_building()
            .handle(json!({ "operation": "tick" }))
            .await
            .expect("a tick");
    }

    /// Delivers lines of the stream; returns the key.
    pub async fn deliver(&self, lines: Vec<u8>) -> String {
        let key = self.place_delivery(lines);
        let event = self.stored("feedback", &key);
        self.a2i_trigger().handle(event).await.expect("delivered");
        key
    }

    /// Puts lines where Firehose delivers them.
    pub fn place_delivery(&self, lines: Vec<u8>) -> String {
        let id = uuid_of(&lines);
        let key = format!("feedback/{}/feedback-1-{id}", Utc::now().format("%Y/%m/%d/%H"));
        self.memory.place(self.path("feedback", &key), lines);
        key
    }

    /// Returns the key of the output of a human loop.
    pub fn output_of(&self, human_loop: &str) -> String {
        let bucket = self.bucket("review");
        let end = format!("/{human_loop}/output.json");
        let paths = self.memory.objects(bucket).into_iter().map(|(path, _)| path);
        let path = paths
            .into_iter()
            .find(|path| path.ends_with(&end))
            .expect("an output");
        path[bucket.len() + 2..].to_owned()
    }

    async fn collect(&self, human_loop: &str) {
        let event = self.stored("review", &self.output_of(human_loop));
        self.label_collection().handle(event).await.expect("collected");
    }

    /// Has the same text classified in other letters.
    async fn duplicate(&self) {
        let body = json!({ "sentence": text(0).to_uppercase() });
        let response = self
            .classify()
            .handle(self.request("POST", Some(&body), None))
            .await;
        assert_eq!(response.status(), 200);
        self.deliver(self.services.delivered()).await;
    }

    /// Has a prediction accepted as a label.
    async fn accepted(&self) {
        let mut record: Value = serde_json::from_slice(&doubtful(1)).expect("JSON");
        record["signal"] = json!("accepted");
        record["confidence"] = json!(0.99);
        record["acceptedAbove"] = json!(0.9);
        self.deliver(format!("{record}\n").into_bytes()).await;
    }

    /// Has a text of a file wait in the pool, since enough are open.
    async fn waiting(&self) {
        let dummy = |number: usize| self.path("feedback", &format!("asked/open-{number}.json"));
        (0..DUMMIES).for_each(|number| self.memory.place(dummy(number), b"{}".to_vec()));
        self.services.predict_with(0.99);
        let file = json!({ "classifier": "", "sentences": [text_of_many()] });
        self.memory
            .place("/batch/file.json".to_owned(), file.to_string().into_bytes());
        self.batch_feedback()
            .handle(self.stored("batch", "file.json"))
            .await
            .expect("read");
        self.deliver(self.services.delivered()).await;
        (0..DUMMIES).for_each(|number| self.memory.remove(&dummy(number)));
    }

    /// Puts as many builds as a build for each thousand labels makes, each with a model that was put in service.
    async fn place_builds(&self, count: u64) {
        let tally = self.path("training", "builds/tally.json");
        let sums = self.memory.body(&tally).expect("a tally");
        let mut sums: Value = serde_json::from_slice(&sums).expect("JSON");
        sums["labels"] = json!(count);
        // For an hour after that all labelled objects are listed, in case a version before still writes some.
        sums["listedAt"] = json!(Utc::now() - Days::new(80));
        self.memory.place(tally, sums.to_string().into_bytes());

        let endpoint = self
            .shipped
            .variable("text-classifier", "COMPREHEND_ENDPOINT_ARN");
        let comprehend = aws_sdk_comprehend::Client::new(&self.sdk);
        let serving = model_building::serving_model(&comprehend, endpoint).await;
        let serving = serving.expect("described").expect("a model");
        let now = Utc::now();
        let builds = (count / 1_000).max(1);
        let model = |number: u64| match number == builds {
            true => serving.clone(),
            false => format!("{}-{number}", serving.trim_end_matches('/')),
        };
        for number in 1..=builds {
            let id = format!("build-{number:06}-20260101T00");
            let at: DateTime<Utc> = now - Days::new(1) - TimeDelta::hours((builds - number) as i64);
            let deployment = Deployment {
                at,
                by: SwitchedBy::Build,
                model_arn: model(number),
                previous_model_arn: Some(model(number - 1)),
                reason: "better".to_owned(),
                build_id: id.clone(),
            };
            let time = active_learning_aws::rfc3339(at);
            let deployed = self.path("training", &format!("deployments/{time}-{id}.json"));
            self.memory
                .place(deployed, serde_json::to_vec(&deployment).expect("JSON"));
            let record = json!({
                "id": id, "executionArn": format!("arn:aws:states:us-east-1:0:execution:m:{id}"), "action": "build",
                "reason": "new-labels", "outcome": "deployed", "why": "better", "startedAt": at, "endedAt": at,
                "dataset": format!("v{number}"), "champion": model(number - 1), "challenger": model(number),
                "serving": model(number),
            });
            let recorded = self.path("training", &format!("builds/{id}/record.json"));
            self.memory.place(recorded, record.to_string().into_bytes());
        }
        let last = json!({
            "id": format!("build-{builds:06}-20260101T00"), "startedAt": now - TimeDelta::hours(3), "number": builds,
            "labels": 2 * count,
        });
        self.memory.place(
            self.path("training", "builds/last.json"),
            last.to_string().into_bytes(),
        );
    }
}

/// Returns the line of a doubtful prediction of a text.
pub fn doubtful(number: u64) -> Vec<u8> {
    let utterance = text(number);
    let record = json!({
        "schemaVersion": 1, "id": active_learning_core::feedback::record_id("news", &utterance), "classifier": "news",
        "utterance": utterance, "prediction": "World", "confidence": 0.41, "source": "implicit",
        "signal": "low-confidence", "predictionId": uuid_of(utterance.as_bytes()), "selectionProbability": 1.0,
        "receivedAt": active_learning_aws::now(),
    });
    let record = FeedbackRecord::parse(record.to_string().as_bytes()).expect("a record");
    record.to_line().into_bytes()
}

/// Returns a text in which identities stand, so that each text of its series is another.
fn text_of_many() -> String {
    let word = "0123456789abcdef";
    format!("{} {word} {word}0 {word}00 {word}000", text(2))
}

/// Makes an id of a content.
fn uuid_of(content: &[u8]) -> String {
    let id = active_learning_core::feedback::record_id("", &String::from_utf8_lossy(content));
    format!(
        "{}-{}-4{}-8{}-{}",
        &id[..8],
        &id[8..12],
        &id[13..16],
        &id[17..20],
        &id[20..]
    )
}
