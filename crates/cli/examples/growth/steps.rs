//! The steps that are measured.

use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};

use crate::{
    cost::{Cost, LOG_BEGINS, LOG_ENDS, process_cpu},
    history::{History, doubtful},
    session::Session,
    world::{World, text},
};

/// Texts of a human loop, as the template has them by default.
pub const TEXTS_A_LOOP: u64 = 10;
/// CPU time after which a step is not done again.
pub const LONG: Duration = Duration::from_secs(10);
/// Records of a delivered object.
const RECORDS: u64 = 100;
/// Sentences of a file.
const SENTENCES: u64 = 1_000;

/// Measures every step over a history of so many records, each so many times; `tell` is told of each.
pub async fn measure(count: u64, times: u64, mut tell: impl FnMut(Cost)) {
    let world = World::new().await;
    let history = world.fill(count).await;
    eprintln!("{count} records: {} objects", world.memory.count());
    let mut bench = Bench {
        world,
        history,
        times,
        next: 10_000_000,
    };
    bench.have_tasks().await;
    bench.world.services.begin_loops(false);
    for cost in bench.requests().await {
        tell(cost);
    }
    for cost in bench.review().await {
        tell(cost);
    }
    for cost in bench.by_the_clock().await {
        tell(cost);
    }
    tell(bench.console().await);
    bench.pool().await.into_iter().for_each(tell);
}

/// What is measured, and with what.
pub struct Bench {
    pub world: World,
    pub history: History,
    pub times: u64,
    /// The next text that there was not yet.
    next: u64,
}

impl Bench {
    pub fn new_text(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn doubtful(&mut self, count: u64) -> Vec<u8> {
        (0..count).flat_map(|_| doubtful(self.new_text())).collect()
    }

    /// Has more tasks than reviewers answer here.
    async fn have_tasks(&mut self) {
        self.world.services.predict_with(0.41);
        self.world.services.begin_loops(true);
        let deliveries = (2 * self.times * TEXTS_A_LOOP).div_ceil(RECORDS);
        for _ in 0..deliveries {
            let lines = self.doubtful(RECORDS);
            self.world.deliver(lines).await;
        }
    }

    /// Does a step, and adds what it took.
    pub async fn run<T>(&self, cost: &mut Cost, units: u64, work: impl Future<Output = T>) -> T {
        let before = self.world.services.calls();
        println!("{LOG_BEGINS}");
        let begin = process_cpu();
        let outcome = work.await;
        cost.cpu += process_cpu() - begin;
        println!("{LOG_ENDS}");
        let calls = self.world.services.calls().since(&before);
        // The classifier is another function.
        let elsewhere: Duration = calls.elsewhere.values().sum();
        cost.cpu = cost.cpu.saturating_sub(elsewhere);
        cost.add(&calls);
        cost.invocations += 1;
        cost.units += units;
        outcome
    }

    /// What clients ask.
    async fn requests(&mut self) -> Vec<Cost> {
        let classify = self.world.classify();
        let mut costs = Vec::new();
        for (step, confidence) in [("classify, confident", 0.99), ("classify, in doubt", 0.41)] {
            self.world.services.predict_with(confidence);
            let mut cost = Cost::of_client(step, "classify");
            for number in 0..=self.times {
                let body = json!({ "sentence": text(self.new_text()) });
                let request = self.world.request("POST", Some(&body), None);
                let mut first = Cost::default();
                // The first reads what is known afterwards.
                let cost = if number == 0 { &mut first } else { &mut cost };
                let response = self.run(cost, 1, classify.handle(request)).await;
                assert_eq!(response.status(), 200);
            }
            costs.push(cost);
        }
        self.world.services.delivered();
        costs.push(self.classify_document().await);

        let feedback_api = self.world.feedback_api();
        let mut cost = Cost::of_client("feedback", "feedback-api");
        for number in 0..self.times {
            let body =
                json!({ "sentence": text(self.next - number), "feedback": "dislike", "prediction": "World" });
            let request = self.world.request("POST", Some(&body), None);
            let response = self.run(&mut cost, 1, feedback_api.handle(request)).await;
            assert_eq!(response.status(), 200);
        }
        costs.push(cost);
        self.world.services.delivered();

        let mut cost = Cost::of_client("what became of a prediction", "classify");
        let ids: Vec<String> = self
            .history
            .predictions
            .iter()
            .take(self.times as usize)
            .cloned()
            .collect();
        for id in ids {
            let request = self.world.request("GET", None, Some(&id));
            let response = self.run(&mut cost, 1, classify.handle(request)).await;
            assert_eq!(response.status(), 200);
        }
        costs.push(cost);
        costs
    }

    /// The built-in classifier.
    async fn classify_document(&mut self) -> Cost {
        let event = include_str!("../../../../events/text-classifier/classify-document.json");
        let mut event: Value = serde_json::from_str(event).expect("an event");
        let endpoint = self
            .world
            .shipped
            .variable("text-classifier", "COMPREHEND_ENDPOINT_ARN")
            .to_owned();
        let classifier = self.world.text_classifier();
        let mut cost = Cost::of("`ClassifyDocument`", "text-classifier");
        for number in 0..=self.times {
            event["body"] =
                json!(json!({ "EndpointArn": endpoint, "Text": text(self.new_text()) }).to_string());
            event["isBase64Encoded"] = json!(false);
            let payload = serde_json::from_value(event.clone()).expect("an event");
            let request = lambda_runtime::LambdaEvent::new(payload, lambda_runtime::Context::default());
            let mut first = Cost::default();
            // The first loads the model.
            let cost = if number == 0 { &mut first } else { &mut cost };
            let answer = self.run(cost, 1, classifier.handle(request)).await;
            let answer = answer.expect("requests never fail").expect("an answer");
            assert_eq!(answer.status_code, 200);
        }
        cost
    }

    /// From a file or a delivered object to labels.
    async fn review(&mut self) -> Vec<Cost> {
        let mut costs = vec![self.file().await];
        costs.extend(self.delivery().await);
        costs.push(self.start().await);
        costs.push(self.answers().await);
        costs.extend(self.collection().await);
        costs
    }

    async fn file(&mut self) -> Cost {
        let batch_feedback = self.world.batch_feedback();
        let mut cost = Cost::of("a file of 1,000 sentences", "batch-feedback");
        for number in 0..self.times {
            let sentences: Vec<String> = (0..SENTENCES).map(|_| text(self.new_text())).collect();
            let key = format!("file-{number}.json");
            let file = json!({ "classifier": "", "sentences": sentences });
            self.world
                .memory
                .place(self.world.path("batch", &key), file.to_string().into_bytes());
            let event = self.world.stored("batch", &key);
            self.run(&mut cost, 1, batch_feedback.handle(event))
                .await
                .expect("read");
        }
        self.world.services.delivered();
        cost
    }

    /// Delivers objects, and returns what the classifier had to do for that, too. Their loops are only said to begin.
    async fn delivery(&mut self) -> [Cost; 2] {
        self.world.services.predict_with(0.41);
        let a2i_trigger = self.world.a2i_trigger();
        let mut cost = Cost::of("delivery of 100 texts, by text", "a2i-trigger");
        let mut explaining = Cost::of("`ExplainDocuments`, by text", "text-classifier");
        let before = self.world.services.calls();
        let asked = self.world.path("feedback", "asked/");
        let known = self.world.memory.paths(&asked, usize::MAX);
        for _ in 0..self.times {
            let lines = self.doubtful(RECORDS);
            let key = self.world.place_delivery(lines);
            let event = self.world.stored("feedback", &key);
            let delivered = self.run(&mut cost, RECORDS, a2i_trigger.handle(event)).await;
            delivered.expect("delivered");
        }
        let asked = self.world.memory.paths(&asked, usize::MAX);
        let new = asked.iter().filter(|path| !known.contains(path));
        new.for_each(|path| self.world.memory.remove(path));

        let calls = self.world.services.calls().since(&before);
        explaining.cpu = calls.elsewhere.values().sum();
        explaining.invocations = calls.others.get("ExplainDocuments").copied().unwrap_or_default();
        explaining.units = cost.units;
        [cost, explaining]
    }

    async fn start(&mut self) -> Cost {
        let human_review = self.world.human_review();
        let mut cost = Cost::of("`StartHumanLoop`, of 10 texts", "human-review");
        for number in 0..self.times {
            let records = (0..TEXTS_A_LOOP).map(|_| doubtful(self.new_text()));
            let records: Vec<Value> = records
                .map(|line| serde_json::from_slice(&line).expect("JSON"))
                .collect();
            let input = json!({
                "comprehendPredictions": records, "labels": ["World", "Sports", "Business", "SciTech"],
                "rowCount": TEXTS_A_LOOP, "bucketName": "feedback", "keyName": "feedback/x",
            });
            let flow = self
                .world
                .shipped
                .variable("human-review", "HUMAN_REVIEW_WORKFLOW_ARN");
            let body = json!({
                "HumanLoopName": format!("new-{number}"), "FlowDefinitionArn": flow,
                "HumanLoopInput": { "InputContent": input.to_string() },
            });
            let event = json!({
                "version": "2.0", "routeKey": "$default", "rawPath": "/human-loops", "rawQueryString": "",
                "headers": { "host": "abc.lambda-url.us-east-1.on.aws", "content-type": "application/json" },
                "requestContext": { "http": { "method": "POST", "path": "/human-loops" }, "requestId": "1", "timeEpoch": 1 },
                "body": body.to_string(), "isBase64Encoded": false,
            });
            let reply = self
                .run(&mut cost, 1, human_review.handle(event, Utc::now()))
                .await
                .expect("answered");
            assert_eq!(reply["statusCode"], json!(200), "{reply}");
        }
        cost
    }

    /// A reviewer answers one task after another, and has the next one with each reply.
    async fn answers(&mut self) -> Cost {
        let human_review = self.world.human_review();
        let session = Session::sign_in(&human_review, Utc::now(), "ann", "reviewer").await;
        let name = |task: &Value| task["loop"].as_str().expect("a task").to_owned();
        let mut cost = Cost::of_client("a reviewer's answer to 10 texts", "human-review");
        let mut shown = session.get("next").await["next"].take();
        let mut ready = session.get(&format!("next?without={}", name(&shown))).await["next"].take();
        for _ in 0..self.times {
            let records = self.world.records_of(&name(&shown)).into_iter();
            let answer: Value = records.map(|id| (id, json!("Sports"))).collect();
            let without = name(&ready);
            let submitted = session.submit(&shown, &answer, &without);
            let mut reply = self.run(&mut cost, 1, submitted).await;
            assert_eq!(reply["saved"], json!(true), "{reply}");
            self.history.answered.push(name(&shown));
            shown = std::mem::replace(&mut ready, reply["next"].take());
        }
        cost
    }

    /// What follows of answers.
    async fn collection(&mut self) -> Vec<Cost> {
        let label_collection = self.world.label_collection();
        let (review_events, model_building) = (self.world.review_events(), self.world.model_building());
        let mut labelling = Cost::of("labels of a loop of 10 texts", "label-collection");
        let mut telling = Cost::of("the answer to a text is told", "review-events");
        let mut considering = Cost::of("new labels are seen", "model-building");
        let mut ending = Cost::of("a loop is done with", "a2i-trigger");
        let mut asking = Cost::of("a new question: nothing to tell", "review-events");
        for human_loop in self.history.answered.clone() {
            let records = self.world.records_of(&human_loop);
            for id in &records {
                let new = self.world.stored("feedback", &format!("questions/{id}.json"));
                self.run(&mut asking, 1, review_events.handle(new))
                    .await
                    .expect("seen");
            }
            let event = self.world.stored("review", &self.world.output_of(&human_loop));
            self.run(&mut labelling, 1, label_collection.handle(event))
                .await
                .expect("collected");
            for id in records {
                let told = self.world.stored("feedback", &format!("questions/{id}.json"));
                self.run(&mut telling, 1, review_events.handle(told))
                    .await
                    .expect("told");
            }
            if considering.cpu < LONG {
                let key = format!("labelled/{human_loop}.jsonl");
                let labelled = model_building.handle(self.world.stored("training", &key));
                self.run(&mut considering, 1, labelled).await.expect("considered");
            }
            let removed = self
                .world
                .removed("feedback", &format!("asked/{human_loop}.json"));
            let a2i_trigger = self.world.a2i_trigger();
            self.run(&mut ending, 1, a2i_trigger.handle(removed))
                .await
                .expect("selected");
        }
        vec![asking, labelling, telling, considering, ending]
    }
}
