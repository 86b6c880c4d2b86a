//! The shipped stack in this process: its functions, which die when they are to, the services that they call, and the
//! events that wait for them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use active_learning_aws::bucket::Bucket;
use active_learning_core::random::Random;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use axum::{Router, body::Body};
use chrono::Utc;
use http::Request;
use local_aws::{faults::Faults, transport::sdk_config};
use serde_json::{Value, json};
use tokio::select;

use crate::{
    function::Function,
    memory::Memory,
    process::{Death, Life},
    stack::Shipped,
};

/// The review service.
pub const REVIEW: &str = "human-review";
/// Calls of a function within which it dies by chance.
const CALLS_TO_DIE_AT: u64 = 20;

/// Which invocations end with the death of their process.
#[derive(Clone, Debug)]
pub enum Fate {
    /// These, by their number.
    Chosen(BTreeMap<usize, Death>),
    /// So many of a hundred, at some call; one that makes fewer calls survives.
    Chance { percent: u64, random: Random },
}

/// Why an invocation gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its process died.
    Died,
    /// It failed, and says why.
    Failed(String),
}

/// An invocation that there was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub function: String,
    /// Numbers of its calls to services that changed something.
    pub writes: Vec<usize>,
}

/// An event that waits for a function.
#[derive(Clone, Debug)]
pub struct Event {
    pub function: String,
    pub payload: Value,
    /// How often it has failed.
    pub failures: u32,
}

/// A stack.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    shipped: Arc<Shipped>,
    memory: Memory,
    faults: Faults,
    state: Mutex<State>,
    this: Weak<Inner>,
}

struct State {
    fate: Fate,
    /// Processes that wait for an invocation, by function.
    idle: HashMap<String, Vec<Process>>,
    invocations: Vec<Invocation>,
    deaths: u64,
    events: Vec<Event>,
    /// What the delivery stream took.
    stream: Vec<u8>,
}

struct Process {
    function: Function,
    life: Arc<Life>,
}

impl World {
    /// Makes an empty stack.
    pub fn new(shipped: Arc<Shipped>, fate: Fate) -> Self {
        let state = State {
            fate,
            idle: HashMap::new(),
            invocations: Vec::new(),
            deaths: 0,
            events: Vec::new(),
            stream: Vec::new(),
        };
        Self(Arc::new_cyclic(|this| Inner {
            shipped,
            memory: Memory::default(),
            faults: Faults::default(),
            state: Mutex::new(state),
            this: this.clone(),
        }))
    }

    /// Lets no process die any more.
    pub fn spare_all(&self) {
        self.state().fate = Fate::Chosen(BTreeMap::new());
    }

    /// Ends the processes of a function that wait for an invocation. The example does not.
    #[cfg(test)]
    pub fn end_idle(&self, function: &str) {
        self.state().idle.remove(function);
    }

    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }

    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Returns the invocations up to now, in the order in which they began.
    pub fn invocations(&self) -> Vec<Invocation> {
        self.state().invocations.clone()
    }

    /// Returns how many processes have died.
    pub fn deaths(&self) -> u64 {
        self.state().deaths
    }

    /// Returns one of the buckets, as an operator's program sees it: `feedback`, `review` or `training`.
    pub fn bucket(&self, kind: &str) -> Bucket {
        let sdk = self.sdk(Arc::default());
        Bucket::new(aws_sdk_s3::Client::new(&sdk), self.bucket_name(kind))
    }

    /// Returns the name of one of the buckets, of that for files too: `batch`.
    pub fn bucket_name(&self, kind: &str) -> &str {
        if kind == "batch" {
            let mut told = self.0.shipped.notifications.iter();
            let told = told.find(|told| told.function == "batch-feedback");
            return &told.expect("files are read").bucket;
        }
        let variable = format!("{}_BUCKET_NAME", kind.to_uppercase());
        self.0.shipped.variable("label-collection", &variable)
    }

    /// Invokes a function in a process that waits, or in a new one.
    ///
    /// # Errors
    ///
    /// [`Ended`].
    pub async fn invoke(&self, name: &str, event: Value) -> Result<Value, Ended> {
        let (process, number) = self.begin(name);
        let outcome = select! {
            biased;
            () = process.life.death() => Err(Ended::Died),
            outcome = Box::pin(process.function.handle(event)) => outcome.map_err(Ended::Failed),
        };
        self.end(process, number, outcome)
    }

    /// Invokes the review service, for a function that called it.
    pub async fn invoke_review(&self, event: Value) -> Result<Value, Ended> {
        let (process, number) = self.begin(REVIEW);
        let outcome = select! {
            biased;
            () = process.life.death() => Err(Ended::Died),
            outcome = Box::pin(process.function.review(event)) => outcome.map_err(Ended::Failed),
        };
        self.end(process, number, outcome)
    }

    fn end(&self, process: Process, number: usize, outcome: Result<Value, Ended>) -> Result<Value, Ended> {
        let mut state = self.state();
        let writes = process.life.writes();
        let name = state.invocations[number].function.clone();
        state.invocations[number].writes = writes;
        if outcome == Err(Ended::Died) {
            state.deaths += 1;
        } else {
            state.idle.entry(name).or_default().push(process);
        }
        outcome
    }

    /// Begins an invocation, and decides whether it ends with a death; returns its number.
    fn begin(&self, name: &str) -> (Process, usize) {
        let waiting = self.state().idle.get_mut(name).and_then(Vec::pop);
        let process = waiting.unwrap_or_else(|| self.start(name));
        let mut state = self.state();
        let number = state.invocations.len();
        state.invocations.push(Invocation {
            function: name.to_owned(),
            writes: Vec::new(),
        });
        let death = match &mut state.fate {
            Fate::Chosen(deaths) => deaths.get(&number).copied(),
            Fate::Chance { percent, random } => {
                (random.next_u64() % 100 < *percent).then(|| Death {
                    // Most make few calls.
                    call: (random.next_u64() % (1 + random.next_u64() % CALLS_TO_DIE_AT)) as usize,
                    is_carried_out: random.next_u64().is_multiple_of(2),
                })
            }
        };
        process.life.begin(death);
        (process, number)
    }

    fn start(&self, name: &str) -> Process {
        let life = Arc::new(Life::default());
        let function = Function::start(name, &self.0.shipped, &self.sdk(life.clone()));
        Process { function, life }
    }

    fn sdk(&self, life: Arc<Life>) -> SdkConfig {
        let world = self.0.this.clone();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (world, life) = (world.clone(), life.clone());
            async move {
                match world.upgrade() {
                    Some(world) => World(world).answer(&life, request).await,
                    None => std::future::pending().await,
                }
            }
        });
        sdk_config(router, Credentials::from_keys("test", "test", None))
    }

    /// Puts an object in place as a client does.
    pub fn put(&self, kind: &str, key: &str, body: Vec<u8>) {
        let path = format!("/{}/{key}", self.bucket_name(kind));
        self.memory().place(path.clone(), body);
        self.tell("ObjectCreated:Put", &path);
    }

    /// Lets the functions know that are to be told of an object.
    pub fn tell(&self, event: &str, path: &str) {
        let Some((bucket, key)) = path.trim_start_matches('/').split_once('/') else {
            return;
        };
        let told = self.0.shipped.notifications.iter().filter(|told| {
            told.bucket == bucket
                && key.starts_with(&told.prefix)
                && key.ends_with(&told.suffix)
                && format!("s3:{event}").starts_with(told.event.trim_end_matches('*'))
        });
        let etag = self.memory().etag(path).unwrap_or_default();
        for told in told {
            let event = Event {
                function: told.function.clone(),
                payload: s3_event(event, bucket, key, etag.trim_matches('"')),
                failures: 0,
            };
            self.state().events.push(event);
        }
    }

    /// Returns how many events wait.
    pub fn waiting(&self) -> usize {
        self.state().events.len()
    }

    /// Takes the event at a place of the queue, or at the last.
    pub fn take_event(&self, place: usize) -> Option<Event> {
        let mut state = self.state();
        let place = place.min(state.events.len().checked_sub(1)?);
        Some(state.events.remove(place))
    }

    /// Puts an event back.
    pub fn put_back(&self, event: Event) {
        self.state().events.push(event);
    }

    /// Takes a record into the delivery stream.
    pub fn stream(&self, record: &[u8]) {
        self.state().stream.extend_from_slice(record);
    }

    /// Has the delivery stream deliver what it took; returns whether there was anything.
    pub fn deliver(&self, number: u64) -> bool {
        let lines = std::mem::take(&mut self.state().stream);
        if lines.is_empty() {
            return false;
        }
        let key = format!(
            "feedback/{}/feedback-1-{number}",
            Utc::now().format("%Y/%m/%d/%H")
        );
        self.put("feedback", &key, lines);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the event of S3 about an object.
fn s3_event(name: &str, bucket: &str, key: &str, etag: &str) -> Value {
    let event = include_str!("../../../../events/a2i-trigger/object-created.json");
    let mut event: Value = serde_json::from_str(event).expect("an event");
    let key: Vec<String> = key
        .split('/')
        .map(|part| url::form_urlencoded::byte_serialize(part.as_bytes()).collect())
        .collect();
    let record = &mut event["Records"][0];
    record["eventName"] = json!(name);
    record["eventTime"] = json!(active_learning_aws::rfc3339(Utc::now()));
    record["s3"]["bucket"]["name"] = json!(bucket);
    record["s3"]["object"]["key"] = json!(key.join("/"));
    record["s3"]["object"]["eTag"] = json!(etag);
    event
}
