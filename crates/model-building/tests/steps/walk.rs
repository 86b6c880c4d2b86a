//! Walks the state machine's file with the function, without waiting. What it reads is what the file uses.

use active_learning_core::labels::label_set::{LABEL_SET_KEY, LabelSet};
use chrono::{TimeDelta, Utc};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::world::World;

const MACHINE: &str = include_str!("../../../../infra/model-building.asl.json");
/// States after which a walk is going in a circle.
const MAX_STATES: usize = 200;

/// How a walk ended.
#[derive(Debug)]
pub struct End {
    /// The last state.
    pub state: String,
    /// All states that were entered.
    pub states: Vec<String>,
    pub build: Value,
    /// Subject and message of everything that people were told.
    pub told: Vec<(String, String)>,
}

impl End {
    pub fn why(&self) -> &str {
        self.build["why"].as_str().expect("a reason")
    }
}

/// One execution.
pub struct Walk<'a> {
    world: &'a World,
    name: String,
    /// How often each step is called, as after a crash in its middle.
    times: usize,
    /// What comes back for the task token.
    approval: Result<Value, (&'static str, &'static str)>,
    /// What happens elsewhere before the step that deploys.
    pub before_deploy: Option<Box<dyn Fn()>>,
    /// The label set that somebody has made by the time models are compared.
    pub label_set_at_select: Option<LabelSet>,
}

impl<'a> Walk<'a> {
    pub fn new(world: &'a World, name: &str) -> Self {
        Self {
            world,
            name: name.to_owned(),
            times: 1,
            approval: Err(("States.Timeout", "")),
            before_deploy: None,
            label_set_at_select: None,
        }
    }

    pub fn every_step(self, times: usize) -> Self {
        Self { times, ..self }
    }

    pub fn approval(self, approval: Result<Value, (&'static str, &'static str)>) -> Self {
        Self { approval, ..self }
    }

    pub async fn build(self) -> End {
        self.run(json!({"action": "build", "reason": "manual"})).await
    }

    pub async fn run(self, input: Value) -> End {
        let machine: Value = serde_json::from_str(MACHINE).expect("JSON");
        let mut name = machine["StartAt"].as_str().expect("a state").to_owned();
        let (mut data, mut states, mut told) = (json!({}), Vec::new(), Vec::new());
        loop {
            states.push(name.clone());
            assert!(states.len() < MAX_STATES, "{states:?}");
            let state = &machine["States"][&name];
            let mut next = state["Next"].as_str().unwrap_or_default().to_owned();
            match state["Type"].as_str().expect("a type") {
                "Pass" => data = self.start(&state["Parameters"], &input),
                "Task" if state["Resource"] == "arn:aws:states:::sns:publish" => {
                    let subject = state["Parameters"]["Subject.$"].as_str().expect("a path");
                    let notification = match subject {
                        "$.build.input.notification.subject" => &data["build"]["input"]["notification"],
                        _ => &data["build"]["notification"],
                    };
                    let text = |member: &str| notification[member].as_str();
                    let message = text("subject").zip(text("message")).expect("a notification");
                    told.push((message.0.to_owned(), message.1.to_owned()));
                    if state["End"] == true {
                        return End {
                            build: data["build"].take(),
                            state: name,
                            states,
                            told,
                        };
                    }
                }
                "Task" => {
                    if let Err((error, cause)) = self.task(state, &mut data).await {
                        let caught = &state["Catch"][0];
                        let caught_error = json!({"Error": error, "Cause": cause});
                        match caught["ResultPath"].as_str() {
                            Some("$.build.error") => data["build"]["error"] = caught_error,
                            _ => data["error"] = caught_error,
                        }
                        next = caught["Next"].as_str().expect("a state").to_owned();
                    }
                }
                "Choice" => {
                    let rules = state["Choices"].as_array().expect("rules");
                    let status = &data["build"]["status"];
                    let rule = rules.iter().find(|rule| {
                        if rule["IsPresent"] == true {
                            assert_eq!(rule["Variable"], "$.build.input.notification");
                            return !data["build"]["input"]["notification"].is_null();
                        }
                        assert_eq!(rule["Variable"], "$.build.status");
                        rule["StringEquals"] == *status
                    });
                    let chosen = rule.map_or(&state["Default"], |rule| &rule["Next"]);
                    chosen.as_str().expect("a state").clone_into(&mut next);
                }
                "Wait" => assert!(data["build"]["waitSeconds"].as_u64() >= Some(1), "{data}"),
                "Succeed" | "Fail" => {
                    let build = data["build"].take();
                    return End {
                        state: name,
                        states,
                        build,
                        told,
                    };
                }
                other => panic!("the walk does not know {other}"),
            }
            name = next;
        }
    }

    fn start(&self, parameters: &Value, input: &Value) -> Value {
        assert_eq!(parameters["build"]["executionArn.$"], "$$.Execution.Id");
        json!({"build": {
            "id": self.name,
            "executionArn": format!("arn:aws:states:us-east-1:000000000000:execution:walk:{}", self.name),
            "startedAt": Utc::now() - TimeDelta::hours(1),
            "input": input,
        }})
    }

    async fn task(&self, state: &Value, data: &mut Value) -> Result<(), (String, String)> {
        let waits = state["Resource"] == "arn:aws:states:::lambda:invoke.waitForTaskToken";
        let operation = state["Parameters"]["Payload"]["operation"].clone();
        if let Some(happens) = self.before_deploy.as_ref().filter(|_| operation == "deploy") {
            happens();
        }
        if let Some(set) = self
            .label_set_at_select
            .as_ref()
            .filter(|_| operation == "select")
        {
            self.world.put(LABEL_SET_KEY, set.to_json()).await;
        }
        let mut payload = json!({"operation": operation, "build": data["build"]});
        if waits {
            payload["taskToken"] = "token".into();
        }
        let mut build = json!(null);
        for _ in 0..self.times {
            build = self.call(&payload).await?;
        }
        if waits {
            let approved = self.approval.clone();
            data["build"]["approval"] = approved.map_err(|(error, cause)| (error.into(), cause.into()))?;
        } else {
            *data = json!({"build": build});
        }
        Ok(())
    }

    /// Calls the function as the state's retries do.
    async fn call(&self, payload: &Value) -> Result<Value, (String, String)> {
        for _ in 0..20 {
            let failure = match self.world.function().handle(payload.clone()).await {
                Ok(build) => return Ok(build),
                Err(failure) => Diagnostic::from(failure),
            };
            if failure.error_type != "NotNow" {
                let cause = json!({"errorType": failure.error_type, "errorMessage": failure.error_message});
                return Err((failure.error_type, cause.to_string()));
            }
        }
        Err((
            "NotNow".into(),
            json!({"errorMessage": "tried long enough"}).to_string(),
        ))
    }
}
