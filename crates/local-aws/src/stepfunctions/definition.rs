//! A definition in the Amazon States Language (JSONPath), parsed so that what is not understood is
//! refused with the name of its state.

mod check;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use self::check::data_fields;
use super::{
    choice::Rule,
    expression::{Expression, Template},
    path::{DataPath, Path},
};

/// Longest name of a state, characters.
const MAX_NAME_CHARS: usize = 80;

/// Longest time of a wait, a timeout or a retry interval, seconds.
pub(super) const MAX_SECONDS: u64 = 99_999_999;

/// States, and where they start: a whole machine or a branch of one.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawMachine")]
pub(super) struct Machine {
    pub start_at: String,
    pub states: BTreeMap<String, State>,
    pub timeout_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawMachine {
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    #[serde(rename = "QueryLanguage")]
    _query_language: Option<QueryLanguage>,
    #[serde(rename = "Version")]
    _version: Option<Version>,
    start_at: String,
    states: BTreeMap<String, Value>,
    timeout_seconds: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
enum QueryLanguage {
    #[serde(rename = "JSONPath")]
    JsonPath,
}

#[derive(Deserialize)]
enum Version {
    #[serde(rename = "1.0")]
    One,
}

/// One state.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub data: DataFlow,
    /// The next state; `None` if it ends here, and for states that choose or end by themselves.
    pub next: Option<String>,
    pub kind: Kind,
}

/// What states do with data and failures. A state has only the fields of its type.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DataFlow {
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    #[serde(rename = "QueryLanguage")]
    _query_language: Option<QueryLanguage>,
    next: Option<String>,
    end: Option<bool>,
    #[serde(default)]
    pub input_path: DataPath,
    #[serde(default)]
    pub output_path: DataPath,
    pub parameters: Option<Template>,
    pub result_selector: Option<Template>,
    #[serde(default)]
    pub result_path: DataPath,
    #[serde(default)]
    pub retry: Vec<Retrier>,
    #[serde(default)]
    pub catch: Vec<Catcher>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Retrier {
    pub error_equals: Vec<String>,
    #[serde(default = "one")]
    pub interval_seconds: u64,
    #[serde(default = "three")]
    pub max_attempts: u32,
    #[serde(default = "two")]
    pub backoff_rate: f64,
    pub max_delay_seconds: Option<u64>,
    #[serde(default)]
    pub jitter_strategy: JitterStrategy,
    #[serde(rename = "Comment")]
    _comment: Option<String>,
}

fn one() -> u64 {
    1
}

fn two() -> f64 {
    2.0
}

fn three() -> u32 {
    3
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum JitterStrategy {
    #[default]
    None,
    Full,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Catcher {
    pub error_equals: Vec<String>,
    #[serde(default)]
    pub result_path: DataPath,
    pub next: String,
    #[serde(rename = "Comment")]
    _comment: Option<String>,
}

/// What a state does.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "Type")]
pub(super) enum Kind {
    Pass(Pass),
    Task(Task),
    Choice(Choice),
    Wait(Wait),
    Succeed(Succeed),
    Fail(Fail),
    Parallel(Parallel),
    Map(Box<MapState>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Pass {
    #[serde(default, deserialize_with = "present")]
    pub result: Option<Value>,
}

/// Tells `null` from a field that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Task {
    pub resource: Resource,
    pub timeout_seconds: Option<u64>,
    pub timeout_seconds_path: Option<Path>,
    pub heartbeat_seconds: Option<u64>,
    pub heartbeat_seconds_path: Option<Path>,
}

/// What a task calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) enum Resource {
    /// A function by its ARN: the input is its event, the answer the result.
    Function(String),
    /// `lambda:invoke`.
    LambdaInvoke,
    /// `lambda:invoke.waitForTaskToken`.
    LambdaInvokeAndWait,
    /// `sns:publish`.
    SnsPublish,
}

const LAMBDA_INVOKE: &str = "arn:aws:states:::lambda:invoke";
const LAMBDA_INVOKE_AND_WAIT: &str = "arn:aws:states:::lambda:invoke.waitForTaskToken";
const SNS_PUBLISH: &str = "arn:aws:states:::sns:publish";

impl TryFrom<String> for Resource {
    type Error = String;

    fn try_from(arn: String) -> Result<Self, String> {
        Ok(match arn.as_str() {
            LAMBDA_INVOKE => Self::LambdaInvoke,
            LAMBDA_INVOKE_AND_WAIT => Self::LambdaInvokeAndWait,
            SNS_PUBLISH => Self::SnsPublish,
            function if function.starts_with("arn:aws:lambda:") && function.contains(":function:") => {
                Self::Function(arn)
            }
            other => return Err(format!("the resource {other} is not supported")),
        })
    }
}

impl From<Resource> for String {
    fn from(resource: Resource) -> Self {
        match resource {
            Resource::Function(arn) => arn,
            Resource::LambdaInvoke => LAMBDA_INVOKE.to_owned(),
            Resource::LambdaInvokeAndWait => LAMBDA_INVOKE_AND_WAIT.to_owned(),
            Resource::SnsPublish => SNS_PUBLISH.to_owned(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Choice {
    pub choices: Vec<Rule>,
    pub default: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Wait {
    pub seconds: Option<u64>,
    pub seconds_path: Option<Path>,
    pub timestamp: Option<String>,
    pub timestamp_path: Option<Path>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Succeed {}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Fail {
    pub error: Option<String>,
    pub error_path: Option<Expression>,
    pub cause: Option<String>,
    pub cause_path: Option<Expression>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Parallel {
    pub branches: Vec<Machine>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct MapState {
    pub items_path: Option<Path>,
    pub item_selector: Option<Template>,
    #[serde(default)]
    pub max_concurrency: usize,
    #[serde(alias = "Iterator")]
    pub item_processor: ItemProcessor,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct ItemProcessor(pub Machine);

impl TryFrom<Map<String, Value>> for ItemProcessor {
    type Error = String;

    fn try_from(mut processor: Map<String, Value>) -> Result<Self, String> {
        if let Some(config) = processor.remove("ProcessorConfig")
            && config != serde_json::json!({"Mode": "INLINE"})
        {
            return Err("only the ProcessorConfig {\"Mode\": \"INLINE\"} is supported".to_owned());
        }
        from_value(processor.into()).map(Self)
    }
}

fn from_value<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

impl Machine {
    /// Parses a definition.
    ///
    /// # Errors
    ///
    /// Says what is wrong or not supported, and in which state.
    pub(super) fn parse(definition: &str) -> Result<Self, String> {
        let definition = serde_json::from_str(definition)
            .map_err(|error| format!("the definition is not JSON: {error}"))?;
        let machine: Self = from_value(definition)?;
        machine.check_names(&mut BTreeSet::new())?;
        Ok(machine)
    }
}

impl TryFrom<RawMachine> for Machine {
    type Error = String;

    fn try_from(raw: RawMachine) -> Result<Self, String> {
        let states = raw.states.into_iter().map(|(name, state)| {
            if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
                return Err(format!(
                    "state {name}: a name has 1 to {MAX_NAME_CHARS} characters"
                ));
            }
            let state = State::parse(state).map_err(|reason| format!("state {name}: {reason}"))?;
            Ok((name, state))
        });
        let machine = Self {
            start_at: raw.start_at,
            states: states.collect::<Result<_, _>>()?,
            timeout_seconds: raw.timeout_seconds,
        };
        if machine
            .timeout_seconds
            .is_some_and(|seconds| !(1..=MAX_SECONDS).contains(&seconds))
        {
            return Err(format!("TimeoutSeconds is from 1 to {MAX_SECONDS}"));
        }
        machine.check_transitions()?;
        Ok(machine)
    }
}

impl State {
    fn parse(state: Value) -> Result<Self, String> {
        let Value::Object(mut state) = state else {
            return Err("a state must be an object".to_owned());
        };
        let kind = state
            .get("Type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let fields = data_fields(&kind).iter();
        let data: Map<String, Value> = fields.filter_map(|field| state.remove_entry(*field)).collect();
        let data: DataFlow = from_value(data.into())?;
        let kind: Kind = from_value(state.into())?;
        let moves_on = match &kind {
            Kind::Choice(_) | Kind::Succeed(_) | Kind::Fail(_) => false,
            Kind::Pass(_) | Kind::Task(_) | Kind::Wait(_) | Kind::Parallel(_) | Kind::Map(_) => true,
        };
        match (&data.next, data.end) {
            (Some(_), None | Some(false)) | (None, Some(true)) => {}
            (None, None) if !moves_on => {}
            _ => return Err("it needs either Next or End: true".to_owned()),
        }
        let state = Self {
            next: data.next.clone(),
            data,
            kind,
        };
        state.check_data()?;
        state.check_kind()?;
        Ok(state)
    }

    fn targets(&self) -> impl Iterator<Item = &str> {
        let chosen = match &self.kind {
            Kind::Choice(choice) => choice
                .choices
                .iter()
                .map(|rule| &rule.next)
                .chain(&choice.default)
                .collect(),
            _ => Vec::new(),
        };
        let caught = self.data.catch.iter().map(|catcher| &catcher.next);
        chosen
            .into_iter()
            .chain(caught)
            .chain(&self.next)
            .map(String::as_str)
    }
}

impl Kind {
    /// Returns the machines inside a state.
    pub(super) fn machines(&self) -> impl Iterator<Item = &Machine> {
        let machines = match self {
            Self::Parallel(parallel) => parallel.branches.as_slice(),
            Self::Map(map) => std::slice::from_ref(&map.item_processor.0),
            _ => &[],
        };
        machines.iter()
    }

    /// Returns the name of the type.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pass(_) => "Pass",
            Self::Task(_) => "Task",
            Self::Choice(_) => "Choice",
            Self::Wait(_) => "Wait",
            Self::Succeed(_) => "Succeed",
            Self::Fail(_) => "Fail",
            Self::Parallel(_) => "Parallel",
            Self::Map(_) => "Map",
        }
    }
}

#[cfg(test)]
mod tests;
