//! What the portal costs: CPU time, requests to S3 and how long they take, by how much is open and finished.
//!
//! Prints what the tables of the guide are made of. The whole function is in this process, S3 is in memory, and both
//! on one thread: what is measured is the function with its SDK, and the little that S3 in memory takes. An argument
//! says how often each thing is done (50).

#[expect(dead_code, reason = "the benchmark `growth` takes more of it")]
mod memory;
mod portal_event;
mod series;
mod session;
mod wire;

use std::time::{Duration, Instant};

use active_learning_core::labels::label_set::{LABEL_SET_KEY, LabelSet, Origin};
use aws_credential_types::Credentials;
use chrono::{DateTime, TimeDelta, Utc};
use human_review::{Config, HumanReview};
use local_aws::transport::sdk_config;
use serde_json::{Value, json};

use memory::{Memory, Requests};
use series::{Pattern, Series, identities};
use session::Session;

const FLOW: &str = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/tc-review";
const BUCKET: &str = "review";
const PATTERN: &str = "pattern-0000000000000001";
const RECORD: &str = "0123456789abcdef0123456789abcdef";
// The quota of a flow definition is 5,000: beyond it StartHumanLoop refuses.
const OPEN: [usize; 5] = [10, 1_000, 4_900, 10_000, 50_000];
const FINISHED: [usize; 2] = [0, 50_000];
const PAGES: [&str; 8] = [
    "overview",
    "tasks",
    "quality",
    "reviewers",
    "model",
    "versions",
    "data",
    "operations",
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let steps: usize = std::env::args()
        .nth(1)
        .map_or(50, |steps| steps.parse().expect("a number of steps"));
    println!("| open | finished | what | CPU ms | requests | GET | LIST | PUT | DELETE | p50 ms | p95 ms |");
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for finished in FINISHED {
        for open in OPEN {
            let portal = Portal::with(open, finished).await;
            let print = |what: &str, cost: Cost| println!("| {open} | {finished} | {what} | {cost} |");
            print("step", portal.steps(steps.min(open.saturating_sub(3))).await);
            let (cost, taken) = portal.starts(steps).await;
            match taken {
                true => print("StartHumanLoop", cost),
                false => print("StartHumanLoop, refused", cost),
            }
            print("queue", portal.page("queue", "reviewer", steps).await);
            for page in PAGES {
                print(page, portal.page(page, "admin", steps).await);
            }
        }
    }
}

/// What one measurement came to.
struct Cost {
    cpu: Duration,
    requests: Requests,
    times: Vec<Duration>,
}

impl Cost {
    fn begin() -> Self {
        Self {
            cpu: Duration::ZERO,
            requests: Requests::default(),
            times: Vec::new(),
        }
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.times.len().max(1) as f64;
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = |share: f64| {
            let place = ((times.len().saturating_sub(1)) as f64 * share).round() as usize;
            times.get(place).copied().unwrap_or_default().as_secs_f64() * 1_000.0
        };
        let each = |number: usize| number as f64 / count;
        let Requests {
            get,
            put,
            list,
            delete,
        } = self.requests;
        write!(
            formatter,
            "{:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1}",
            self.cpu.as_secs_f64() * 1_000.0 / count,
            each(self.requests.all()),
            each(get),
            each(list),
            each(put),
            each(delete),
            at(0.5),
            at(0.95),
        )
    }
}

/// A portal with so much open and finished.
struct Portal {
    memory: Memory,
    function: HumanReview,
    now: DateTime<Utc>,
}

impl Portal {
    async fn with(open: usize, finished: usize) -> Self {
        let memory = Memory::default();
        let credentials = Credentials::from_keys("test", "test", None);
        let s3 = aws_sdk_s3::Client::new(&sdk_config(memory.router(), credentials));
        let new_process = || HumanReview::new(config(), s3.clone(), b"a secret of the benchmark");
        let mut portal = Self {
            memory,
            function: new_process(),
            now: "2026-11-20T10:00:00.123Z".parse().expect("a time"),
        };
        let labels = ["World", "Sports", "Business", "SciTech"].map(str::to_owned);
        let set = LabelSet::seed(&labels, Origin::InitialData, "2026-11-20T10:00:00.123Z");
        let path = format!("/training/{LABEL_SET_KEY}");
        portal.memory.place(path, set.to_json());
        portal.fill(open, finished).await;
        // It knows nothing of what was there before.
        portal.function = new_process();
        portal
    }

    /// Has one task started and answered, and puts objects like its own as they were open, and as they are finished.
    async fn fill(&self, open: usize, finished: usize) {
        let ann = self.sign_in("pattern", "reviewer").await;
        let before = self.memory.objects(BUCKET);
        self.start(PATTERN).await;
        let of_open = added(&before, self.memory.objects(BUCKET));
        let task = ann.get("next").await;
        ann.submit(&task["next"], &answer(), "").await;
        let of_finished = added(&before, self.memory.objects(BUCKET));

        let mut fixed: Vec<String> = vec![RECORD.to_owned()];
        for (path, _) in &before {
            fixed.extend(identities(path).into_iter().map(str::to_owned));
        }
        for (path, _) in of_open.iter().chain(&of_finished) {
            self.memory.remove(path);
        }
        for (objects, count, hours) in [(of_open, open, 12), (of_finished, finished, 24)] {
            let from = self.now - TimeDelta::hours(hours);
            let to = from + TimeDelta::milliseconds(count as i64);
            for (path, body) in &objects {
                let pattern = Pattern {
                    path,
                    body: std::str::from_utf8(body).expect("text"),
                    at: self.now,
                    fixed: &fixed,
                    kind: hours as u8,
                };
                let series = Series::like(pattern, count as u64, from, to);
                series
                    .into_iter()
                    .for_each(|series| self.memory.place_series(series));
            }
        }
    }

    async fn steps(&self, steps: usize) -> Cost {
        let ann = self.sign_in("ann", "reviewer").await;
        let mut shown = ann.get("next").await["next"].take();
        let name = shown["loop"].as_str().expect("a task").to_owned();
        let mut ready = ann.get(&format!("next?without={name}")).await["next"].take();
        let mut cost = Cost::begin();
        for _ in 0..steps {
            let without = ready["loop"].as_str().expect("a task").to_owned();
            let mut reply = self
                .measure(&mut cost, ann.submit(&shown, &answer(), &without))
                .await;
            assert_eq!(reply["saved"], json!(true), "{reply}");
            shown = std::mem::replace(&mut ready, reply["next"].take());
        }
        cost
    }

    /// Returns what starts cost, and whether they were taken: the quota may be full.
    async fn starts(&self, steps: usize) -> (Cost, bool) {
        let (mut cost, mut refused) = (Cost::begin(), 0);
        for number in 0..steps {
            let name = format!("new-{number}");
            let started = self.start(&name);
            match self.measure(&mut cost, started).await {
                200 => {}
                402 => refused += 1,
                status => panic!("StartHumanLoop answers {status}"),
            }
        }
        assert!(
            refused == 0 || refused == steps,
            "{refused} of {steps} were refused"
        );
        (cost, refused == 0)
    }

    async fn page(&self, page: &str, role: &str, steps: usize) -> Cost {
        let session = self.sign_in("ada", role).await;
        let mut cost = Cost::begin();
        for _ in 0..steps {
            let status = self.measure(&mut cost, session.status(page)).await;
            assert_eq!(status, 200, "{page}");
        }
        cost
    }

    async fn measure<T>(&self, cost: &mut Cost, work: impl Future<Output = T>) -> T {
        let (requests, cpu, start) = (self.memory.requests(), thread_cpu(), Instant::now());
        let outcome = work.await;
        cost.times.push(start.elapsed());
        cost.cpu += thread_cpu() - cpu;
        let after = self.memory.requests();
        cost.requests.get += after.get - requests.get;
        cost.requests.put += after.put - requests.put;
        cost.requests.list += after.list - requests.list;
        cost.requests.delete += after.delete - requests.delete;
        outcome
    }

    async fn handle(&self, event: Value) -> Value {
        self.function.handle(event, self.now).await.expect("answered")
    }

    async fn start(&self, name: &str) -> u64 {
        let input = json!({
            "comprehendPredictions": [{
                "id": RECORD, "utterance": "The parliament voted on the border treaty.",
                "prediction": "World", "confidence": 0.41, "classifier": "news", "signal": "low-confidence",
            }],
            "labels": ["World", "Sports", "Business", "SciTech"],
            "rowCount": 1, "bucketName": "feedback", "keyName": "feedback/x",
        });
        let body = json!({
            "HumanLoopName": name, "FlowDefinitionArn": FLOW, "HumanLoopInput": { "InputContent": input.to_string() },
        });
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/human-loops", "rawQueryString": "",
            "headers": { "host": "abc.lambda-url.us-east-1.on.aws", "content-type": "application/json" },
            "requestContext": { "http": { "method": "POST", "path": "/human-loops" }, "requestId": "1", "timeEpoch": 1 },
            "body": body.to_string(), "isBase64Encoded": false,
        });
        let reply = self.handle(event).await;
        reply["statusCode"].as_u64().expect("a status")
    }

    async fn sign_in(&self, name: &str, role: &str) -> Session<'_> {
        Session::sign_in(&self.function, self.now, name, role).await
    }
}

fn config() -> Config {
    Config {
        flow_definition_arn: FLOW.to_owned(),
        role_arn: String::new(),
        bucket: BUCKET.to_owned(),
        training_bucket: "training".to_owned(),
        feedback_bucket: "feedback".to_owned(),
        model_building_function: String::new(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:model-building".to_owned(),
        event_bus: "active-learning".to_owned(),
        review_topic_arn: String::new(),
        portal_url: "https://portal.example/dev".to_owned(),
        signing_secret_arn: "arn:aws:secretsmanager:us-east-1:123456789012:secret:signing".to_owned(),
        task_count: 1,
        task_availability_seconds: 864_000,
        text_retention: Default::default(),
        task_time_limit_seconds: 3_600,
        show_rules: human_review::portal::ShowRules::default(),
        allowed_networks: Default::default(),
        audit_roles: Vec::new(),
        oidc: None,
        items_per_task: 2,
        confidence_threshold: "0.7".parse().expect("a share"),
        personal_data: Default::default(),
        template_key: String::new(),
    }
}

fn added(before: &[(String, Vec<u8>)], after: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let known: Vec<&str> = before.iter().map(|(path, _)| path.as_str()).collect();
    let new = after
        .into_iter()
        .filter(|(path, _)| !known.contains(&path.as_str()));
    new.collect()
}

/// Returns the answer to every task.
fn answer() -> Value {
    json!({ RECORD: "Sports" })
}

/// Returns the time that this thread has had a processor.
fn thread_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = stat
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}
