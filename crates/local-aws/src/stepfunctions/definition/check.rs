//! What of a definition is refused although it can be read: names, transitions, and settings that do not go together.

use std::collections::BTreeSet;

use super::{Kind, MAX_SECONDS, Machine, Parallel, Resource, Retrier, State, Task, Wait};
use crate::stepfunctions::{expression::Template, path::DataPath};

impl Machine {
    /// Names are unique over all branches.
    pub(super) fn check_names<'a>(&'a self, seen: &mut BTreeSet<&'a str>) -> Result<(), String> {
        for (name, state) in &self.states {
            if !seen.insert(name) {
                return Err(format!("state {name}: another state has the same name"));
            }
            for branch in state.kind.machines() {
                branch.check_names(seen)?;
            }
        }
        Ok(())
    }

    pub(super) fn check_transitions(&self) -> Result<(), String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![("StartAt", self.start_at.as_str())];
        while let Some((from, name)) = open.pop() {
            let state = self
                .states
                .get(name)
                .ok_or_else(|| format!("{from}: the next state {name} is not defined"))?;
            if reached.insert(name) {
                open.extend(state.targets().map(|target| (name, target)));
            }
        }
        match self.states.keys().find(|name| !reached.contains(name.as_str())) {
            Some(name) => Err(format!("state {name}: nothing leads to it")),
            None => Ok(()),
        }
    }
}

impl State {
    pub(super) fn check_data(&self) -> Result<(), String> {
        let result_paths = self.data.catch.iter().map(|catcher| &catcher.result_path);
        if !result_paths
            .chain([&self.data.result_path])
            .all(DataPath::is_writable)
        {
            return Err("a ResultPath cannot be in the context object".to_owned());
        }
        let catchers = self.data.catch.iter().map(|catcher| &catcher.error_equals);
        let retriers = self.data.retry.iter().map(|retrier| &retrier.error_equals);
        for names in [catchers.collect::<Vec<_>>(), retriers.collect()] {
            for (index, names_of_one) in names.iter().enumerate() {
                let is_all = names_of_one.iter().any(|name| name == "States.ALL");
                if names_of_one.is_empty() || (is_all && (names_of_one.len() > 1 || index + 1 < names.len()))
                {
                    return Err("ErrorEquals needs names; States.ALL stands alone and last".to_owned());
                }
            }
        }
        let is_sound = |retrier: &Retrier| {
            (1..=MAX_SECONDS).contains(&retrier.interval_seconds)
                && retrier.backoff_rate >= 1.0
                && retrier.max_attempts as u64 <= MAX_SECONDS
                && retrier
                    .max_delay_seconds
                    .is_none_or(|it| it > retrier.interval_seconds)
        };
        match self.data.retry.iter().all(is_sound) {
            true => Ok(()),
            false => Err("the numbers of a Retry are out of range".to_owned()),
        }
    }

    pub(super) fn check_kind(&self) -> Result<(), String> {
        match &self.kind {
            Kind::Pass(_) | Kind::Succeed(_) => Ok(()),
            Kind::Task(task) => task.check(self.data.parameters.as_ref()),
            Kind::Choice(choice) if choice.choices.is_empty() => Err("Choices is empty".to_owned()),
            Kind::Choice(_) => Ok(()),
            Kind::Wait(wait) => wait.check(),
            Kind::Fail(fail) => {
                let twice = fail.error.is_some() && fail.error_path.is_some()
                    || fail.cause.is_some() && fail.cause_path.is_some();
                (!twice)
                    .then_some(())
                    .ok_or_else(|| "either a text or a path, not both".to_owned())
            }
            Kind::Parallel(Parallel { branches }) if branches.is_empty() => {
                Err("Branches is empty".to_owned())
            }
            Kind::Map(map) if map.item_selector.is_some() && self.data.parameters.is_some() => {
                Err("either ItemSelector or Parameters, not both".to_owned())
            }
            Kind::Parallel(_) | Kind::Map(_) => {
                let timed = self
                    .kind
                    .machines()
                    .any(|branch| branch.timeout_seconds.is_some());
                (!timed)
                    .then_some(())
                    .ok_or_else(|| "a branch has no TimeoutSeconds".to_owned())
            }
        }
    }
}

/// Returns the fields of [`DataFlow`] that a state of this type may have.
pub(super) fn data_fields(kind: &str) -> &'static [&'static str] {
    const ALL: [&str; 11] = [
        "Comment",
        "QueryLanguage",
        "InputPath",
        "OutputPath",
        "Next",
        "End",
        "Parameters",
        "ResultPath",
        "ResultSelector",
        "Retry",
        "Catch",
    ];
    match kind {
        "Fail" => &ALL[..2],
        "Choice" | "Succeed" => &ALL[..4],
        "Wait" => &ALL[..6],
        "Pass" => &ALL[..8],
        _ => &ALL,
    }
}

impl Task {
    fn check(&self, parameters: Option<&Template>) -> Result<(), String> {
        let times = [self.timeout_seconds, self.heartbeat_seconds];
        if times
            .iter()
            .flatten()
            .any(|seconds| !(1..=MAX_SECONDS).contains(seconds))
            || self.timeout_seconds.is_some() && self.timeout_seconds_path.is_some()
            || self.heartbeat_seconds.is_some() && self.heartbeat_seconds_path.is_some()
            || self
                .heartbeat_seconds
                .zip(self.timeout_seconds)
                .is_some_and(|(beat, end)| beat >= end)
        {
            return Err("its times are out of range or given twice".to_owned());
        }
        let (required, optional): (&str, &[&str]) = match self.resource {
            Resource::Function(_) => return Ok(()),
            Resource::LambdaInvoke | Resource::LambdaInvokeAndWait => ("FunctionName", &["Payload"]),
            Resource::SnsPublish => ("TopicArn", &["Message", "Subject"]),
        };
        let members = parameters.map(Template::members).unwrap_or_default();
        if let Some((name, _)) = members
            .iter()
            .find(|(name, _)| name != required && !optional.contains(&name.as_str()))
        {
            return Err(format!("the parameter {name} is not supported"));
        }
        if !members.iter().any(|(name, _)| name == required) {
            return Err(format!("its Parameters need {required}"));
        }
        if self.resource == Resource::LambdaInvokeAndWait && !parameters.is_some_and(Template::uses_context) {
            return Err("its Parameters must hand on $$.Task.Token".to_owned());
        }
        Ok(())
    }
}

impl Wait {
    fn check(&self) -> Result<(), String> {
        let paths = [&self.seconds_path, &self.timestamp_path]
            .into_iter()
            .flatten()
            .count();
        let given = paths + usize::from(self.seconds.is_some()) + usize::from(self.timestamp.is_some());
        if given != 1 {
            return Err("it needs one of Seconds, SecondsPath, Timestamp and TimestampPath".to_owned());
        }
        if self.seconds.is_some_and(|seconds| seconds > MAX_SECONDS) {
            return Err(format!("Seconds is at most {MAX_SECONDS}"));
        }
        match &self.timestamp {
            Some(time) if chrono::DateTime::parse_from_rfc3339(time).is_err() => {
                Err(format!("the Timestamp {time} is not in the form of RFC 3339"))
            }
            _ => Ok(()),
        }
    }
}
