//! What the types of states make of their data.

use chrono::DateTime;
use serde_json::{Value, json};

use super::{
    definition::{Choice, Fail, MAX_SECONDS, MapState, State, Wait},
    execution::{Branch, Item},
    expression::text_of,
    failure::Failure,
    path::{Data, Path},
};

impl Fail {
    /// Returns the failure that the state is.
    pub(super) fn failure(&self, data: Data<'_>) -> Result<Failure, Failure> {
        let [error, cause] =
            [(&self.error, &self.error_path), (&self.cause, &self.cause_path)].map(|(text, path)| {
                match (text, path) {
                    (Some(text), _) => Ok(text.clone()),
                    (None, Some(path)) => path.evaluate(data).and_then(text_of),
                    (None, None) => Ok(String::new()),
                }
            });
        Ok(Failure::new(error?, cause?))
    }
}

impl Choice {
    /// Returns the next state.
    pub(super) fn choose(&self, data: Data<'_>) -> Result<String, Failure> {
        for rule in &self.choices {
            if rule.condition.holds(data)? {
                return Ok(rule.next.clone());
            }
        }
        self.default.clone().ok_or_else(|| {
            Failure::new(
                "States.NoChoiceMatched",
                "No choice rule matched and there is no Default.",
            )
        })
    }
}

impl Wait {
    /// Returns the end of the wait, milliseconds since the epoch.
    pub(super) fn until(&self, data: Data<'_>, now_ms: u64) -> Result<u64, Failure> {
        if let Some(seconds) = seconds_of(self.seconds, self.seconds_path.as_ref(), data)? {
            return Ok(now_ms + seconds * 1000);
        }
        let time = match &self.timestamp_path {
            Some(path) => path.get(data, Failure::RUNTIME)?,
            None => self.timestamp.clone().into(),
        };
        let parsed = time
            .as_str()
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let parsed = parsed.ok_or_else(|| Failure::runtime("The timestamp of a Wait state is not one."))?;
        Ok(u64::try_from(parsed.timestamp_millis()).unwrap_or(0))
    }
}

impl MapState {
    /// Makes a branch of each item.
    pub(super) fn branches(&self, state: &State, data: Data<'_>) -> Result<Vec<Branch>, Failure> {
        let items = match &self.items_path {
            Some(path) => path.get(data, Failure::RUNTIME)?,
            None => data.input.clone(),
        };
        let Value::Array(items) = items else {
            return Err(Failure::runtime("The items of a Map state are not a list."));
        };
        let selector = self.item_selector.as_ref().or(state.data.parameters.as_ref());
        let branches = items.into_iter().enumerate().map(|(index, value)| {
            let mut context = data.context.clone();
            context["Map"] = json!({"Item": {"Index": index, "Value": value}});
            let context = &context;
            let input = match selector {
                None => value.clone(),
                Some(template) => template.fill(Data { context, ..data })?,
            };
            let item = Some(Item { index, value });
            Ok(Branch::Pending { input, item })
        });
        branches.collect()
    }
}

/// Returns a time that is given as a number or by a path.
pub(super) fn seconds_of(
    seconds: Option<u64>,
    path: Option<&Path>,
    data: Data<'_>,
) -> Result<Option<u64>, Failure> {
    let Some(path) = path else {
        return Ok(seconds);
    };
    let value = path.get(data, Failure::RUNTIME)?;
    let seconds = value.as_u64().filter(|seconds| *seconds <= MAX_SECONDS);
    let wrong = || {
        Failure::runtime(format!(
            "{value} is not a number of seconds from 0 to {MAX_SECONDS}."
        ))
    };
    seconds.ok_or_else(wrong).map(Some)
}
