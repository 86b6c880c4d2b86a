//! Runs one execution: stores each turn, then makes its calls, then waits for whatever comes first.

use std::{collections::HashSet, mem, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{
    StepFunctions,
    definition::Machine,
    events::Event,
    execution::{Execution, News, Status},
    failure::Failure,
};
use crate::invocation_queue::epoch_millis;

/// Longest sleep, after which the clock is looked at again: a laptop may have slept meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Pause before what the disk did not take is stored again.
const STORING_PAUSE: Duration = Duration::from_secs(1);

/// What others tell a running execution. The answer says, once it is stored, whether it was of use.
#[derive(Debug)]
pub(super) enum Message {
    Task(String, News, oneshot::Sender<bool>),
    Stop(Failure, oneshot::Sender<bool>),
}

struct Runner {
    service: Arc<StepFunctions>,
    execution: Execution,
    machine: Arc<Machine>,
    calls: JoinSet<Option<(String, Result<Value, Failure>)>>,
    /// Ids of the tasks whose calls were made by this process.
    made: HashSet<String>,
    /// What a message has caused and is not stored yet.
    events: Vec<Event>,
    answer: Option<(oneshot::Sender<bool>, bool)>,
}

impl StepFunctions {
    /// Lets an execution run.
    pub(super) fn launch(self: &Arc<Self>, execution: Execution, machine: Arc<Machine>) {
        let (sender, inbox) = mpsc::channel(16);
        self.running().insert(execution.arn.clone(), sender);
        let runner = Runner {
            service: self.clone(),
            execution,
            machine,
            calls: JoinSet::new(),
            made: HashSet::new(),
            events: Vec::new(),
            answer: None,
        };
        self.tasks.spawn(runner.run(inbox));
    }

    /// Tells a running execution something; `false` if it does not run or has no use for it.
    pub(super) async fn tell(
        &self,
        execution_arn: &str,
        message: impl FnOnce(oneshot::Sender<bool>) -> Message,
    ) -> bool {
        let Some(sender) = self.running().get(execution_arn).cloned() else {
            return false;
        };
        let (answer, answered) = oneshot::channel();
        sender.send(message(answer)).await.is_ok() && answered.await.unwrap_or(false)
    }
}

impl Runner {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let service = self.service.clone();
        loop {
            let mut events = mem::take(&mut self.events);
            events.extend(self.execution.advance(&self.machine, epoch_millis()));
            let changed = !events.is_empty() || self.answer.is_some();
            if changed && !self.store(events).await {
                return;
            }
            if let Some((answer, used)) = self.answer.take() {
                // Whoever asked may have gone.
                let _ = answer.send(used);
            }
            if self.execution.status != Status::Running {
                service.running().remove(&self.execution.arn);
                return;
            }
            self.make_calls();
            let sleep = self.execution.due(&self.machine).map_or(LONGEST_SLEEP, |due| {
                Duration::from_millis(due.saturating_sub(epoch_millis())).min(LONGEST_SLEEP)
            });
            tokio::select! {
                biased;
                () = service.stopping.cancelled() => return,
                Some(message) = inbox.recv() => self.take(message),
                Some(Ok(Some((task_id, answer)))) = self.calls.join_next() => {
                    self.execution.note(&task_id, News::Answer(answer), epoch_millis());
                }
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    fn take(&mut self, message: Message) {
        let now_ms = epoch_millis();
        match message {
            Message::Task(task_id, news, answer) => {
                let used = self.execution.note(&task_id, news, now_ms);
                self.answer = Some((answer, used));
            }
            Message::Stop(failure, answer) => {
                self.events = self.execution.abort(failure, now_ms);
                self.answer = Some((answer, true));
            }
        }
    }

    fn make_calls(&mut self) {
        for call in self.execution.calls() {
            if self.made.insert(call.task_id.clone()) {
                let service = self.service.clone();
                let role_arn = self.execution.role_arn.clone();
                self.calls.spawn(async move {
                    let answer = service.call(&role_arn, call.resource, call.request).await?;
                    Some((call.task_id, answer))
                });
            }
        }
    }

    /// Stores the execution; nothing goes on before the disk has taken it. Returns `false` if the
    /// service stops meanwhile.
    async fn store(&self, events: Vec<Event>) -> bool {
        let events = Arc::new(events);
        loop {
            let (service, execution, events) = (self.service.clone(), self.execution.clone(), events.clone());
            let stored = tokio::task::spawn_blocking(move || service.records.save(&execution, &events));
            match stored.await.expect("storing does not panic and is not aborted") {
                Ok(()) => return true,
                Err(error) => {
                    tracing::error!(%error, execution = self.execution.arn, "an execution cannot be stored")
                }
            }
            let pause = tokio::time::sleep(STORING_PAUSE);
            if self.service.stopping.run_until_cancelled(pause).await.is_none() {
                return false;
            }
        }
    }
}
