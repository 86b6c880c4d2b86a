//! Clients, who send again until they are told that a text is stored, and reviewers, whose browsers send again until they
//! are told that an answer is taken.

use std::{collections::HashMap, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    ledger::{BLOCK, CLASSIFIER, Kind, Ledger},
    portal_event::portal_event,
    world::{REVIEW, World},
};

const PAUSE: Duration = Duration::from_millis(300);
/// A failure is often that of a session that the portal does not know.
const FAILURES_UNTIL_SIGN_IN: u32 = 5;

/// Sends a block of texts: as a file, or one by one.
pub async fn send_block(world: &World, ledger: &Ledger, first: usize) {
    let block = first..ledger.records().min(first + BLOCK);
    block.clone().for_each(|number| ledger.will_send(number));
    if ledger.is_file(first) {
        let lines = block.clone().map(|number| dislike(ledger, number).to_string());
        let file = lines.collect::<Vec<_>>().join("\n");
        world.put("batch", &format!("{CLASSIFIER}/{first}.jsonl"), file.into_bytes());
        block.for_each(|number| ledger.acknowledge(number, true));
        return;
    }
    for number in block {
        send(world, ledger, number).await;
    }
}

/// Sends a text until it is told that it is stored.
pub async fn send(world: &World, ledger: &Ledger, number: usize) {
    let (text, label) = (ledger.text(number), ledger.label(number));
    let (function, body) = match ledger.kind(number) {
        Kind::Classify => ("classify", json!({ "classifier": CLASSIFIER, "sentence": text })),
        Kind::Correct => (
            "feedback-api",
            json!({ "classifier": CLASSIFIER, "sentence": text, "feedback": "dislike", "label": label }),
        ),
        Kind::Dislike => ("feedback-api", dislike(ledger, number)),
        Kind::Like => (
            "feedback-api",
            json!({ "classifier": CLASSIFIER, "sentence": text, "feedback": "like" }),
        ),
    };
    let event = api_event(&body);
    let answer = loop {
        if let Ok(answer) = world.invoke(function, event.clone()).await {
            match answer["statusCode"].as_u64() {
                Some(200) => break answer,
                Some(429 | 500..) => {}
                _ => panic!("{function} answered {answer}"),
            }
        }
        sleep(PAUSE).await;
    };
    let answer: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).expect("JSON");
    // Feedback that was stored when it was sent before is not asked about again, but it was.
    let is_asked = match ledger.kind(number) {
        Kind::Like => false,
        Kind::Correct | Kind::Dislike => true,
        Kind::Classify => !answer["review"].is_null(),
    };
    ledger.acknowledge(number, is_asked);
}

/// Dislikes a wrong prediction.
fn dislike(ledger: &Ledger, number: usize) -> Value {
    let (text, wrong) = (ledger.text(number), ledger.disliked(number));
    json!({ "classifier": CLASSIFIER, "sentence": text, "feedback": "dislike", "prediction": wrong })
}

fn api_event(body: &Value) -> Value {
    let event = include_str!("../../../../events/classify/confident.json");
    let mut event: Value = serde_json::from_str(event).expect("an event");
    event["body"] = json!(body.to_string());
    event
}

/// A reviewer with a browser.
pub struct Reviewer {
    name: String,
    cookie: String,
    /// What its forms carry.
    token: String,
    shown: Option<Task>,
    /// Records of the tasks to correct: the function that asked them forgets them once they are answered.
    wrong: HashMap<String, Vec<String>>,
    failures: u32,
}

/// A task that a page shows.
struct Task {
    human_loop: String,
    id: String,
    /// Record ids of its texts.
    records: Vec<String>,
    /// Whether the portal knows that the page shows it: until then it is held for minutes only.
    is_open: bool,
    /// What is answered, once it was submitted.
    answer: Option<Value>,
}

impl Reviewer {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            cookie: String::new(),
            token: String::new(),
            shown: None,
            wrong: HashMap::new(),
            failures: 0,
        }
    }

    /// Does the next thing that there is to do; returns false if there was nothing.
    pub async fn step(&mut self, world: &World, ledger: &Ledger) -> bool {
        if self.cookie.is_empty() || self.failures >= FAILURES_UNTIL_SIGN_IN {
            self.failures = 0;
            return self.sign_in(world).await.is_some();
        }
        if self.shown.is_none() {
            for human_loop in ledger.tasks_to_correct(&self.name) {
                if self.correct(world, ledger, &human_loop).await {
                    ledger.is_corrected(&self.name, &human_loop);
                }
            }
            let next = self.get(world, "next").await;
            self.shown = next.and_then(|next| task_of(world, &next["next"]));
            return self.shown.is_some();
        }
        let Some(mut task) = self.shown.take() else {
            return false;
        };
        if !task.is_open {
            if let Some(is_held) = self.renew(world, &task).await {
                task.is_open = is_held;
                // What is no longer held is answered by others.
                self.shown = is_held.then_some(task);
            } else {
                self.shown = Some(task);
            }
            return true;
        }
        let answer = task.answer.take().unwrap_or_else(|| self.choose(ledger, &task));
        match self.submit(world, &task, &answer).await {
            Some(reply) if reply["saved"] == json!(true) => {
                ledger.answered(&self.name, &task.records);
                self.shown = task_of(world, &reply["next"]);
            }
            // The portal said why it did not take it.
            Some(_) => {}
            None => {
                task.answer = Some(answer);
                self.shown = Some(task);
            }
        }
        true
    }

    async fn sign_in(&mut self, world: &World) -> Option<()> {
        let payload =
            json!({ "operation": "create-sign-in-link", "reviewer": self.name, "role": "reviewer" });
        let link = world.invoke(REVIEW, payload).await.ok()?;
        let (_, token) = link["url"].as_str()?.split_once("sign-in?token=")?;
        let reply = world
            .invoke(REVIEW, portal_event("", "POST", "sign-in", &[("token", token)]))
            .await
            .ok()?;
        let cookie = reply["headers"]["set-cookie"].as_str()?;
        cookie
            .split(';')
            .next()
            .unwrap_or_default()
            .clone_into(&mut self.cookie);
        let document = self.get(world, "session").await.unwrap_or_default();
        let Some(token) = document["formToken"].as_str() else {
            // Without it no form is taken.
            self.cookie.clear();
            return None;
        };
        token.clone_into(&mut self.token);
        Some(())
    }

    /// Chooses labels, now and then a wrong one first.
    fn choose(&mut self, ledger: &Ledger, task: &Task) -> Value {
        let mut is_wrong = false;
        let label = |id: &String| {
            let mistake = ledger.mistake(id);
            is_wrong |= mistake.is_some();
            (id.clone(), json!(mistake.or_else(|| ledger.answer(id, &[]))))
        };
        let answer = task.records.iter().map(label).collect();
        if is_wrong {
            ledger.to_correct(&self.name, &task.human_loop);
            self.wrong.insert(task.human_loop.clone(), task.records.clone());
        }
        answer
    }

    /// Corrects an answer; returns whether it was taken.
    async fn correct(&mut self, world: &World, ledger: &Ledger, human_loop: &str) -> bool {
        let page = format!("task?loop={human_loop}&correct=yes");
        let shown = self.get(world, &page).await.unwrap_or_default();
        let (Some(id), Some(records)) = (shown["task"]["id"].as_str(), self.wrong.get(human_loop)) else {
            return false;
        };
        let task = Task {
            human_loop: human_loop.to_owned(),
            id: id.to_owned(),
            records: records.clone(),
            is_open: true,
            answer: None,
        };
        let answer = task
            .records
            .iter()
            .map(|id| (id.clone(), json!(ledger.answer(id, &[]))))
            .collect();
        let reply = self.submit(world, &task, &answer).await;
        reply.is_some_and(|reply| reply["saved"] == json!(true))
    }

    async fn get(&mut self, world: &World, page: &str) -> Option<Value> {
        let event = portal_event(&self.cookie, "GET", page, &[]);
        self.request(world, event).await
    }

    /// Says that a task is open in the browser; returns whether the reviewer holds it, `None` where there was no answer.
    async fn renew(&mut self, world: &World, task: &Task) -> Option<bool> {
        let form = [
            ("portal:csrf", self.token.as_str()),
            ("portal:loop", &task.human_loop),
            ("portal:loop-id", &task.id),
        ];
        let event = portal_event(&self.cookie, "POST", "renew", &form);
        let reply = self.request(world, event).await?;
        Some(!reply["leaseSeconds"].is_null())
    }

    async fn submit(&mut self, world: &World, task: &Task, answer: &Value) -> Option<Value> {
        let form = [
            ("portal:csrf", self.token.as_str()),
            ("portal:loop", &task.human_loop),
            ("portal:loop-id", &task.id),
            ("portal:answer", &answer.to_string()),
            ("portal:without", ""),
        ];
        let event = portal_event(&self.cookie, "POST", "submit", &form);
        self.request(world, event).await
    }

    /// Asks for a document; `None` where there was no answer, or one that says to try again.
    async fn request(&mut self, world: &World, mut event: Value) -> Option<Value> {
        event["headers"]["Accept"] = json!("application/json");
        let reply = world.invoke(REVIEW, event).await.ok();
        let is_answer = |reply: &Value| reply["statusCode"].as_u64().is_some_and(|status| status < 500);
        match reply.filter(is_answer) {
            Some(reply) => {
                self.failures = 0;
                serde_json::from_str(reply["body"].as_str()?).ok()
            }
            None => {
                self.failures += 1;
                None
            }
        }
    }
}

/// Returns a task of a document; the records that it asks about lie where the function put them that asked.
fn task_of(world: &World, task: &Value) -> Option<Task> {
    let human_loop = task["loop"].as_str()?.to_owned();
    let path = format!(
        "/{}/{}",
        world.bucket_name("feedback"),
        active_learning_core::keys::asked(&human_loop)
    );
    let input: Value = serde_json::from_slice(&world.memory().body(&path)?).ok()?;
    let records = input["comprehendPredictions"].as_array()?.iter();
    Some(Task {
        human_loop,
        id: task["id"].as_str()?.to_owned(),
        records: records
            .filter_map(|record| Some(record["id"].as_str()?.to_owned()))
            .collect(),
        is_open: false,
        answer: None,
    })
}
