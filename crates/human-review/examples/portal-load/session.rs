//! A browser at the portal, without a socket.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use human_review::HumanReview;
use serde_json::{Value, json};

use super::portal_event::portal_event;

/// A signed-in person's browser.
pub struct Session<'p> {
    function: &'p HumanReview,
    now: DateTime<Utc>,
    /// Cookies by name, as the portal has set them last: it gives some with its replies.
    cookies: Mutex<BTreeMap<String, String>>,
    /// What its forms carry.
    token: String,
}

impl<'p> Session<'p> {
    /// Signs somebody in by a link.
    pub async fn sign_in(function: &'p HumanReview, now: DateTime<Utc>, name: &str, role: &str) -> Self {
        let mut session = Session {
            function,
            now,
            cookies: Mutex::default(),
            token: String::new(),
        };
        let payload = json!({ "operation": "create-sign-in-link", "reviewer": name, "role": role });
        let link = session.handle(payload).await;
        let url = link["url"].as_str().expect("a URL");
        let (_, token) = url.split_once("sign-in?token=").expect("a token");
        session
            .handle(portal_event("", "POST", "sign-in", &[("token", token)]))
            .await;
        let document = session.get("session").await;
        session.token = document["formToken"].as_str().expect("a token").to_owned();
        session
    }

    /// Gets a page as a JSON document.
    pub async fn get(&self, page: &str) -> Value {
        json_of(&self.handle(self.json_event("GET", page, &[])).await)
    }

    /// Gets a page as a browser does, and returns its status.
    pub async fn status(&self, page: &str) -> u64 {
        let reply = self.handle(portal_event(&self.cookie(), "GET", page, &[])).await;
        reply["statusCode"].as_u64().expect("a status")
    }

    /// Answers a task, each record by its id; the next one comes with the reply.
    pub async fn submit(&self, task: &Value, answer: &Value, without: &str) -> Value {
        let text = |name: &str| task[name].as_str().expect("a task").to_owned();
        let form = [
            ("portal:csrf", self.token.as_str()),
            ("portal:loop", &text("loop")),
            ("portal:loop-id", &text("id")),
            ("portal:answer", &answer.to_string()),
            ("portal:without", without),
        ];
        json_of(&self.handle(self.json_event("POST", "submit", &form)).await)
    }

    async fn handle(&self, event: Value) -> Value {
        let reply = self.function.handle(event, self.now).await.expect("answered");
        let set = reply["headers"]["set-cookie"].as_str().unwrap_or_default();
        if let Some((name, value)) = set.split(';').next().unwrap_or_default().split_once('=') {
            self.jar().insert(name.to_owned(), value.to_owned());
        }
        reply
    }

    fn jar(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cookie(&self) -> String {
        let pairs: Vec<String> = self
            .jar()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    fn json_event(&self, method: &str, page: &str, form: &[(&str, &str)]) -> Value {
        let mut event = portal_event(&self.cookie(), method, page, form);
        event["headers"]["Accept"] = json!("application/json");
        event
    }
}

fn json_of(reply: &Value) -> Value {
    let body = reply["body"].as_str().expect("a body");
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{body}"))
}
