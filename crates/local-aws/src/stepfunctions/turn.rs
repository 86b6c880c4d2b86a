//! One turn of an execution: its states run until each of them waits.

use std::mem;

use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    definition::{JitterStrategy, Kind, MAX_SECONDS, Machine, Resource, State, Task},
    events::{Event, task_details, task_event},
    execution::{Branch, Execution, Frame, MAX_DATA_BYTES, Phase, RunningTask, Status, task_token},
    failure::Failure,
    path::Data,
    states::seconds_of,
};

/// Most events of an execution.
const MAX_EVENTS: u64 = 25_000;

/// What comes after a state's work.
enum Step {
    Waits,
    /// To the next state, or to the end of the machine, with this output.
    Goes(Option<String>, Value),
}

/// One turn.
pub(super) struct Turn<'a> {
    execution: &'a mut Execution,
    now_ms: u64,
    /// What has happened.
    pub events: Vec<Event>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(execution: &'a mut Execution, now_ms: u64) -> Self {
        Self {
            execution,
            now_ms,
            events: Vec::new(),
        }
    }

    /// Runs the states of a machine until one waits; returns the outcome once the machine has ended.
    pub(super) fn run(&mut self, machine: &Machine, frame: &mut Frame) -> Option<Result<Value, Failure>> {
        loop {
            let Some(state) = machine.states.get(&frame.state) else {
                return Some(Err(Failure::runtime(format!(
                    "there is no state {}",
                    frame.state
                ))));
            };
            // Room is left for the event of the end.
            if self.execution.events + 2 > MAX_EVENTS {
                let cause =
                    format!("The execution reached the maximum number of history events ({MAX_EVENTS}).");
                return Some(Err(Failure::runtime(cause)));
            }
            let step = self.work(state, frame);
            match step.or_else(|failure| self.recover(state, frame, failure)) {
                Ok(Step::Waits) => return None,
                Ok(Step::Goes(Some(next), output)) => frame.enter(&next, output),
                Ok(Step::Goes(None, output)) => return Some(Ok(output)),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    /// Records the end of the execution.
    pub(super) fn end(&mut self, status: Status, previous: u64, outcome: Result<Value, Failure>) {
        let kind = match status {
            Status::Succeeded => "ExecutionSucceeded",
            Status::TimedOut => "ExecutionTimedOut",
            Status::Aborted => "ExecutionAborted",
            Status::Failed | Status::Running => "ExecutionFailed",
        };
        let details = match outcome {
            Ok(output) => {
                let output = output.to_string();
                self.execution.output = Some(output.clone());
                json!({"output": output, "outputDetails": {"truncated": false}})
            }
            Err(failure) => {
                let details = failure_details(&failure);
                self.execution.error = Some(failure.error).filter(|text| !text.is_empty());
                self.execution.cause = Some(failure.cause).filter(|text| !text.is_empty());
                details
            }
        };
        self.execution.status = status;
        self.execution.ended_ms = Some(self.now_ms);
        self.emit(previous, kind.to_owned(), details);
    }

    fn emit(&mut self, previous: u64, kind: String, details: Value) -> u64 {
        self.execution.events += 1;
        let id = self.execution.events;
        self.events
            .push(Event::new(id, previous, self.now_ms, kind, details));
        id
    }

    /// Records an event of a frame's state.
    fn note(&mut self, frame: &mut Frame, kind: impl Into<String>, details: Value) {
        frame.previous = self.emit(frame.previous, kind.into(), details);
    }

    fn work(&mut self, state: &State, frame: &mut Frame) -> Result<Step, Failure> {
        match mem::take(&mut frame.phase) {
            Phase::New => {
                frame.entered_ms = self.now_ms;
                let details = json!({
                    "name": frame.state,
                    "input": frame.input.to_string(),
                    "inputDetails": {"truncated": false},
                });
                self.note(frame, format!("{}StateEntered", state.kind.name()), details);
                self.begin(state, frame)
            }
            Phase::Until(at) | Phase::RetryAt(at) if at > self.now_ms => {
                frame.phase = match state.kind {
                    Kind::Wait(_) => Phase::Until(at),
                    _ => Phase::RetryAt(at),
                };
                Ok(Step::Waits)
            }
            Phase::RetryAt(_) => self.begin(state, frame),
            Phase::Until(_) => {
                let context = self.context(frame, None);
                let input = state.data.input_path.select(Data {
                    input: &frame.input,
                    context: &context,
                })?;
                self.leave(state, frame, input, state.next.clone())
            }
            Phase::Task(task) => self.poll_task(state, frame, task),
            Phase::Branches(branches) => self.poll_branches(state, frame, branches),
        }
    }

    fn begin(&mut self, state: &State, frame: &mut Frame) -> Result<Step, Failure> {
        let task_id = Uuid::new_v4().to_string();
        let token = match &state.kind {
            Kind::Task(task) if task.resource == Resource::LambdaInvokeAndWait => {
                Some(task_token(&self.execution.arn, &task_id))
            }
            _ => None,
        };
        let context = self.context(frame, token);
        let input = state.data.input_path.select(Data {
            input: &frame.input,
            context: &context,
        })?;
        let data = Data {
            input: &input,
            context: &context,
        };
        let arguments = match &state.data.parameters {
            Some(template) if !matches!(state.kind, Kind::Map(_)) => limited(template.fill(data)?)?,
            _ => input.clone(),
        };
        match &state.kind {
            Kind::Pass(pass) => {
                let result = pass.result.clone().unwrap_or(arguments);
                self.finish(state, frame, result)
            }
            Kind::Succeed(_) => self.leave(state, frame, input, None),
            Kind::Fail(fail) => Err(fail.failure(data)?),
            Kind::Choice(choice) => {
                let next = choice.choose(data)?;
                self.leave(state, frame, input, Some(next))
            }
            Kind::Wait(wait) => {
                frame.phase = Phase::Until(wait.until(data, self.now_ms)?);
                self.work(state, frame)
            }
            Kind::Task(task) => self.begin_task(task, frame, task_id, arguments, &context),
            Kind::Parallel(parallel) => {
                self.note(frame, "ParallelStateStarted", Value::Null);
                let branch = |_| Branch::Pending {
                    input: arguments.clone(),
                    item: frame.item.clone(),
                };
                let branches = parallel.branches.iter().map(branch).collect();
                self.poll_branches(state, frame, branches)
            }
            Kind::Map(map) => {
                let branches = map.branches(state, data)?;
                self.note(frame, "MapStateStarted", json!({"length": branches.len()}));
                self.poll_branches(state, frame, branches)
            }
        }
    }

    fn begin_task(
        &mut self,
        task: &Task,
        frame: &mut Frame,
        id: String,
        request: Value,
        context: &Value,
    ) -> Result<Step, Failure> {
        let data = Data {
            input: &frame.input,
            context,
        };
        let timeout = seconds_of(task.timeout_seconds, task.timeout_seconds_path.as_ref(), data)?;
        let heartbeat = seconds_of(task.heartbeat_seconds, task.heartbeat_seconds_path.as_ref(), data)?;
        let resource = &task.resource;
        let mut details = match resource {
            Resource::Function(arn) => json!({"resource": arn, "input": request.to_string()}),
            _ => json!({"region": region_of(&self.execution.arn), "parameters": request.to_string()}),
        };
        for (member, seconds) in [("timeoutInSeconds", timeout), ("heartbeatInSeconds", heartbeat)] {
            if let Some(seconds) = seconds {
                details[member] = seconds.into();
            }
        }
        self.note(
            frame,
            task_event(resource, "Scheduled"),
            task_details(resource, details),
        );
        let started = match resource {
            Resource::Function(_) => Value::Null,
            _ => task_details(resource, json!({})),
        };
        self.note(frame, task_event(resource, "Started"), started);
        frame.phase = Phase::Task(Box::new(RunningTask {
            id,
            resource: resource.clone(),
            request,
            timeout_at: timeout.map(|seconds| self.now_ms + seconds * 1000),
            heartbeat_ms: heartbeat.map(|seconds| seconds * 1000),
            heartbeat_at: heartbeat.map(|seconds| self.now_ms + seconds * 1000),
            submitted: false,
            answer: None,
            outcome: None,
        }));
        Ok(Step::Waits)
    }

    fn poll_task(
        &mut self,
        state: &State,
        frame: &mut Frame,
        mut task: Box<RunningTask>,
    ) -> Result<Step, Failure> {
        let resource = task.resource.clone();
        let mut outcome = task.outcome.take();
        if outcome.is_none() {
            outcome = match task.answer.take() {
                Some(Ok(answer)) if task.waits_for_token() => {
                    task.submitted = true;
                    let details =
                        json!({"output": answer.to_string(), "outputDetails": {"truncated": false}});
                    self.note(frame, "TaskSubmitted", task_details(&resource, details));
                    None
                }
                answer => answer,
            };
        }
        let outcome = outcome.map(|outcome| outcome.and_then(limited));
        match outcome {
            Some(Ok(result)) => {
                let details = json!({"output": result.to_string(), "outputDetails": {"truncated": false}});
                self.note(
                    frame,
                    task_event(&resource, "Succeeded"),
                    task_details(&resource, details),
                );
                self.finish(state, frame, result)
            }
            Some(Err(failure)) => {
                let details = task_details(&resource, failure_details(&failure));
                self.note(frame, task_event(&resource, "Failed"), details);
                Err(failure)
            }
            None => {
                let times = [task.timeout_at, task.heartbeat_at];
                if times.into_iter().flatten().all(|at| at > self.now_ms) {
                    frame.phase = Phase::Task(task);
                    return Ok(Step::Waits);
                }
                let failure = Failure::new(Failure::TIMEOUT, "");
                let details = task_details(&resource, failure_details(&failure));
                self.note(frame, task_event(&resource, "TimedOut"), details);
                Err(failure)
            }
        }
    }

    fn poll_branches(
        &mut self,
        state: &State,
        frame: &mut Frame,
        mut branches: Vec<Branch>,
    ) -> Result<Step, Failure> {
        let machines: Vec<&Machine> = state.kind.machines().collect();
        let most = match &state.kind {
            Kind::Map(map) if map.max_concurrency > 0 => map.max_concurrency,
            _ => usize::MAX,
        };
        let is_map = matches!(state.kind, Kind::Map(_));
        let mut running = 0;
        for (index, branch) in branches.iter_mut().enumerate() {
            let machine = machines[index % machines.len()];
            if let Branch::Pending { input, item } = branch
                && running < most
            {
                let details = json!({"name": frame.state, "index": index});
                let mut child = Frame::new(&machine.start_at, input.take(), frame.previous, item.take());
                if is_map {
                    self.note(&mut child, "MapIterationStarted", details);
                }
                *branch = Branch::Running(Box::new(child));
            }
            let Branch::Running(child) = branch else {
                continue;
            };
            let outcome = self.run(machine, child);
            let details = json!({"name": frame.state, "index": index});
            match outcome {
                None => running += 1,
                Some(Ok(output)) => {
                    if is_map {
                        self.note(child, "MapIterationSucceeded", details);
                    }
                    *branch = Branch::Done(output);
                }
                Some(Err(failure)) => {
                    if is_map {
                        self.note(child, "MapIterationFailed", details);
                    }
                    frame.previous = child.previous;
                    self.note(frame, format!("{}StateFailed", state.kind.name()), Value::Null);
                    return Err(failure);
                }
            }
        }
        if running > 0 {
            frame.phase = Phase::Branches(branches);
            return Ok(Step::Waits);
        }
        let outputs = branches.into_iter().map(|branch| match branch {
            Branch::Done(output) => output,
            Branch::Pending { .. } | Branch::Running(_) => Value::Null,
        });
        let outputs = limited(outputs.collect())?;
        self.note(frame, format!("{}StateSucceeded", state.kind.name()), Value::Null);
        self.finish(state, frame, outputs)
    }

    /// Puts a state's result into its output and moves on.
    fn finish(&mut self, state: &State, frame: &mut Frame, result: Value) -> Result<Step, Failure> {
        let result = match &state.data.result_selector {
            None => result,
            Some(template) => template.fill(Data {
                input: &result,
                context: &self.context(frame, None),
            })?,
        };
        let output = state.data.result_path.place(&frame.input, result)?;
        self.leave(state, frame, output, state.next.clone())
    }

    fn leave(
        &mut self,
        state: &State,
        frame: &mut Frame,
        output: Value,
        next: Option<String>,
    ) -> Result<Step, Failure> {
        let output = state.data.output_path.select(Data {
            input: &output,
            context: &self.context(frame, None),
        })?;
        self.exit(state, frame, limited(output)?, next)
    }

    fn exit(
        &mut self,
        state: &State,
        frame: &mut Frame,
        output: Value,
        next: Option<String>,
    ) -> Result<Step, Failure> {
        let details = json!({
            "name": frame.state,
            "output": output.to_string(),
            "outputDetails": {"truncated": false},
        });
        self.note(frame, format!("{}StateExited", state.kind.name()), details);
        Ok(Step::Goes(next, output))
    }

    /// Retries a state that failed, or goes where its failure is caught.
    fn recover(&mut self, state: &State, frame: &mut Frame, failure: Failure) -> Result<Step, Failure> {
        let retrier = state.data.retry.iter().enumerate();
        let retrier = retrier
            .into_iter()
            .find(|(_, it)| failure.is_among(&it.error_equals));
        if let Some((index, retrier)) = retrier {
            let retries = frame.retries.entry(index).or_default();
            if *retries < retrier.max_attempts {
                let longest = retrier.max_delay_seconds.unwrap_or(MAX_SECONDS) as f64;
                let growth = retrier.backoff_rate.powf((*retries).into());
                let mut delay = (retrier.interval_seconds as f64 * growth).min(longest);
                if retrier.jitter_strategy == JitterStrategy::Full {
                    delay *= rand::random::<f64>();
                }
                *retries += 1;
                frame.phase = Phase::RetryAt(self.now_ms + (delay * 1000.0) as u64);
                return Ok(Step::Waits);
            }
        }
        let catcher = state
            .data
            .catch
            .iter()
            .find(|it| failure.is_among(&it.error_equals));
        let Some(catcher) = catcher else {
            return Err(failure);
        };
        let output = catcher.result_path.place(&frame.input, failure.to_json())?;
        self.exit(state, frame, limited(output)?, Some(catcher.next.clone()))
    }

    /// Returns the context object, `$$`.
    fn context(&self, frame: &Frame, token: Option<String>) -> Value {
        let execution = &self.execution;
        let mut context = json!({
            "Execution": {
                "Id": execution.arn,
                "Input": serde_json::from_str::<Value>(&execution.input).unwrap_or_default(),
                "Name": execution.name,
                "RoleArn": execution.role_arn,
                "StartTime": timestamp(execution.started_ms),
                "RedriveCount": 0,
            },
            "StateMachine": {
                "Id": execution.machine_arn,
                "Name": execution.machine_arn.rsplit(':').next(),
            },
            "State": {
                "Name": frame.state,
                "EnteredTime": timestamp(frame.entered_ms),
                "RetryCount": frame.retries.values().sum::<u32>(),
            },
        });
        if let Some(token) = token {
            context["Task"] = json!({"Token": token});
        }
        if let Some(item) = &frame.item {
            context["Map"] = json!({"Item": {"Index": item.index, "Value": item.value}});
        }
        context
    }
}

fn failure_details(failure: &Failure) -> Value {
    let members = [("error", &failure.error), ("cause", &failure.cause)];
    let given = members.into_iter().filter(|(_, text)| !text.is_empty());
    given
        .map(|(member, text)| (member.to_owned(), Value::from(text.as_str())))
        .collect()
}

/// Lets data through that a state may have.
fn limited(value: Value) -> Result<Value, Failure> {
    if value.to_string().len() <= MAX_DATA_BYTES {
        return Ok(value);
    }
    let cause = format!("The data of the state is larger than {MAX_DATA_BYTES} bytes.");
    Err(Failure::new(Failure::DATA_LIMIT, cause))
}

fn region_of(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}

fn timestamp(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    time.unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
