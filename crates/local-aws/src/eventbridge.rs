//! Amazon EventBridge: buses, rules, and events that functions and HTTP endpoints get.
//!
//! Each event is a line of `logs/event-bus-<name>.log` in the state folder, whether a rule takes it or not. A rule gives
//! it to functions, whose permissions must allow `events.amazonaws.com` to invoke them for the rule, and to API
//! destinations, with the rights of the target's role; both are stored before `PutEvents` answers. Differs from
//! EventBridge: no other targets, and no dead-letter queues; patterns lack `cidr`; connections have a password or an API
//! key, not OAuth, and their secrets are kept in the index, not in Secrets Manager; requests are not slowed to a rate; no
//! schedules (they are EventBridge Scheduler's), archives, replays, bus policies or tags; an event for a bus that does
//! not exist is refused by its entry. What the API makes is kept; what the template describes is as it says at each
//! start.

mod api;
mod api_destinations;
mod buses;
mod connections;
mod deliveries;
mod http_client;
mod kept;
mod paging;
mod pattern;
mod put_events;
mod rule_targets;
mod targets;
mod waiting;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use axum::body::Body;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::future::BoxFuture;
use http::{Request, Response};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use api_destinations::{ApiDestinationSpec, api_destination_arn};
pub use connections::{
    ApiKeyAuthParameters, AuthParameters, BasicAuthParameters, ConnectionHttpParameters, ConnectionSpec,
    Parameter, auth_parameters, connection_arn,
};
pub use pattern::{InvalidPattern, Pattern};
pub use targets::{HttpParameters, InputTransformer, RetryPolicy, TargetSpec};

use self::{
    deliveries::{Delivery, Sender},
    kept::{Kept, Resource},
};
use crate::{
    ACCOUNT_ID,
    iam::Iam,
    invocation_queue::{EventSource, InvocationQueue, QueuedEvent, epoch_millis},
    json_protocol,
    service::{Protocol, Service},
    store::Store,
};

const BUSES: TableDefinition<&str, &[u8]> = TableDefinition::new("eventbridge-buses");
const RULES: TableDefinition<&str, &[u8]> = TableDefinition::new("eventbridge-rules");

/// Who calls functions and assumes roles.
const PRINCIPAL: &str = "events.amazonaws.com";
/// The bus that every account has.
pub const DEFAULT_BUS: &str = "default";

/// A bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBusSpec {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleSpec {
    /// Its name, unique on its bus.
    pub name: String,
    /// Name of its bus.
    pub bus: String,
    /// Which events it takes, a JSON object as text.
    pub pattern: String,
    /// What it is for.
    pub description: Option<String>,
    /// `State: ENABLED`.
    pub enabled: bool,
    /// Who gets the events, by id.
    pub targets: BTreeMap<String, TargetSpec>,
}

/// Returns the ARN of a bus.
pub fn event_bus_arn(region: &str, name: &str) -> String {
    format!("arn:aws:events:{region}:{ACCOUNT_ID}:event-bus/{name}")
}

/// Returns the ARN of a rule.
pub fn rule_arn(region: &str, bus: &str, name: &str) -> String {
    let bus = match bus {
        DEFAULT_BUS => String::new(),
        bus => format!("{bus}/"),
    };
    format!("arn:aws:events:{region}:{ACCOUNT_ID}:rule/{bus}{name}")
}

/// Returns the name of a bus, given its name or ARN; that of the default bus for none.
pub fn bus_name(name_or_arn: Option<&str>) -> &str {
    let given = name_or_arn
        .filter(|given| !given.is_empty())
        .unwrap_or(DEFAULT_BUS);
    match given.split_once(":event-bus/") {
        Some((_, name)) => name,
        None => given,
    }
}

/// A bus with when it was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bus {
    spec: EventBusSpec,
    created_ms: i64,
}

/// A rule whose pattern was understood.
#[derive(Debug, Clone)]
struct Rule {
    spec: RuleSpec,
    pattern: Pattern,
}

#[derive(Debug, Default)]
struct State {
    buses: BTreeMap<String, Bus>,
    /// By bus and name.
    rules: BTreeMap<(String, String), Rule>,
    connections: BTreeMap<String, Kept<ConnectionSpec>>,
    destinations: BTreeMap<String, Kept<ApiDestinationSpec>>,
}

/// An event on its way to a bus.
#[derive(Debug, Clone)]
struct Event {
    bus: String,
    source: String,
    detail_type: String,
    detail: Value,
    resources: Vec<String>,
    time: DateTime<Utc>,
}

/// The service. A clone is another handle to the same buses.
#[derive(Debug, Clone)]
pub struct EventBridge {
    store: Arc<Store>,
    iam: Arc<Iam>,
    queue: InvocationQueue,
    sender: Sender,
    region: String,
    state: Arc<RwLock<State>>,
    /// Held by each operation from where it reads what it changes to where that is kept.
    changes: Arc<Mutex<()>>,
}

/// What a target gets.
enum Outgoing {
    Invocation(QueuedEvent),
    Delivery(Delivery),
}

impl Service for EventBridge {
    fn name(&self) -> &'static str {
        "events"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Json {
            prefix: "AWSEvents",
            content_type: json_protocol::JSON_1_1,
        }
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(EventBridge::handle(self, request))
    }
}

impl EventBridge {
    /// Opens the buses and rules in `store`.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        queue: InvocationQueue,
        region: String,
    ) -> Result<Self, redb::Error> {
        let transaction = store.index.begin_write()?;
        transaction.open_table(BUSES)?;
        transaction.open_table(RULES)?;
        transaction.open_table(ConnectionSpec::TABLE)?;
        transaction.open_table(ApiDestinationSpec::TABLE)?;
        waiting::open(&transaction)?;
        transaction.commit()?;
        let service = Self {
            store,
            iam,
            queue,
            sender: Sender::default(),
            region,
            state: Arc::default(),
            changes: Arc::default(),
        };
        service.load()?;
        service.put_event_bus(EventBusSpec {
            name: DEFAULT_BUS.to_owned(),
            description: None,
        });
        Ok(service)
    }

    /// Waits for its turn to change something: what was read stays as it is until the guard goes.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the API has made.
    fn load(&self) -> Result<(), redb::Error> {
        let reader = self.store.index.begin_read()?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for entry in reader.open_table(BUSES)?.iter()? {
            let bus: Bus = read(entry?.1.value())?;
            state.buses.insert(bus.spec.name.clone(), bus);
        }
        for entry in reader.open_table(RULES)?.iter()? {
            let spec: RuleSpec = read(entry?.1.value())?;
            match Pattern::parse(&spec.pattern) {
                Ok(pattern) => {
                    let key = (spec.bus.clone(), spec.name.clone());
                    state.rules.insert(key, Rule { spec, pattern });
                }
                // A version before took it.
                Err(error) => {
                    tracing::error!(%error, rule = spec.name, bus = spec.bus, "a rule is not in use: put it again");
                }
            }
        }
        kept::load::<ConnectionSpec>(&reader, &mut state)?;
        kept::load::<ApiDestinationSpec>(&reader, &mut state)
    }

    /// Adds a bus, unless it is there already.
    pub fn put_event_bus(&self, spec: EventBusSpec) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.buses.entry(spec.name.clone()).or_insert(Bus {
            spec,
            created_ms: Utc::now().timestamp_millis(),
        });
    }

    /// Adds or replaces a rule.
    ///
    /// # Errors
    ///
    /// Names what is wrong or not implemented.
    pub fn put_rule(&self, spec: RuleSpec) -> Result<(), String> {
        let refused = |reason: String| format!("rule {}: {reason}", spec.name);
        let pattern = Pattern::parse(&spec.pattern).map_err(|error| refused(error.to_string()))?;
        for target in spec.targets.values() {
            target.check().map_err(refused)?;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !state.buses.contains_key(&spec.bus) {
            return Err(refused(format!("there is no event bus {}", spec.bus)));
        }
        let key = (spec.bus.clone(), spec.name.clone());
        state.rules.insert(key, Rule { spec, pattern });
        Ok(())
    }

    /// Answers one request, whose caller the gateway has put into its extensions.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        json_protocol::reply(self.answer(request).await)
    }

    /// Gives events to the targets of the rules that take them; returns their ids.
    fn publish(&self, events: &[Event]) -> Result<Vec<String>, redb::Error> {
        let transaction = self.store.index.begin_write()?;
        let mut ids = Vec::new();
        let mut lines = Vec::new();
        for event in events {
            let id = uuid::Uuid::new_v4().to_string();
            let envelope = self.envelope(event, &id);
            for outgoing in self.outgoing(&event.bus, &envelope) {
                match outgoing {
                    Outgoing::Invocation(queued) => self.queue.put(&transaction, &queued)?,
                    Outgoing::Delivery(delivery) => waiting::put(&transaction, &delivery)?,
                }
            }
            lines.push((format!("event-bus-{}", event.bus.replace('/', "-")), envelope));
            ids.push(id);
        }
        transaction.commit()?;
        self.queue.wake();
        self.sender.wake();
        for (log, envelope) in lines {
            if let Err(error) = self.store.append_log(&log, &format!("{envelope}\n")) {
                tracing::warn!(%error, log, "an event cannot be logged");
            }
        }
        Ok(ids)
    }

    /// Returns an event as its targets get it.
    fn envelope(&self, event: &Event, id: &str) -> Value {
        json!({
            "version": "0",
            "id": id,
            "detail-type": event.detail_type,
            "source": event.source,
            "account": ACCOUNT_ID,
            "time": event.time.to_rfc3339_opts(SecondsFormat::Secs, true),
            "region": self.region,
            "resources": event.resources,
            "detail": event.detail,
        })
    }

    fn outgoing(&self, bus: &str, envelope: &Value) -> Vec<Outgoing> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let rules = state
            .rules
            .values()
            .filter(|rule| rule.spec.bus == bus && rule.spec.enabled && rule.pattern.matches(envelope));
        let mut outgoing = Vec::new();
        for rule in rules {
            let rule_arn = rule_arn(&self.region, bus, &rule.spec.name);
            let targets = rule.spec.targets.values();
            outgoing.extend(targets.map(|target| Outgoing::of(target, envelope, &rule_arn)));
        }
        outgoing
    }
}

impl Outgoing {
    fn of(target: &TargetSpec, envelope: &Value, rule_arn: &str) -> Self {
        let payload = target.payload(envelope, rule_arn);
        if targets::is_function(&target.arn) {
            let mut queued = QueuedEvent::new(target.arn.clone(), payload);
            queued.source = Some(EventSource {
                service: PRINCIPAL.to_owned(),
                arn: rule_arn.to_owned(),
            });
            return Self::Invocation(queued);
        }
        Self::Delivery(Delivery {
            destination_arn: target.arn.clone(),
            rule_arn: rule_arn.to_owned(),
            event_id: envelope["id"].as_str().unwrap_or_default().to_owned(),
            role_arn: target.role_arn.clone(),
            payload,
            http: target.http.of(envelope),
            retry: target.retry,
            accepted_ms: epoch_millis(),
            attempts: 0,
            not_before_ms: 0,
        })
    }
}

fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, redb::Error> {
    serde_json::from_slice(json)
        .map_err(|error| redb::Error::Corrupted(format!("a bus or a rule cannot be read: {error}")))
}

#[cfg(test)]
mod tests;
