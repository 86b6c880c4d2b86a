//! The steps that the clock calls for, and what nobody waits for.

use chrono::Utc;
use serde_json::json;

use crate::{
    cost::Cost,
    session::Session,
    steps::{Bench, LONG, TEXTS_A_LOOP},
};

/// Times that is measured what takes long.
const FEW: u64 = 5;

impl Bench {
    /// What schedules call, each in a new process.
    pub async fn by_the_clock(&mut self) -> Vec<Cost> {
        let mut ticks = Cost::of("tick after 10 new labelled loops", "model-building");
        // What was labelled up to now is counted before.
        let function = self.world.model_building();
        let counted = function.handle(json!({ "operation": "tick" })).await;
        counted.expect("a tick");
        for _ in 0..self.times.min(FEW) {
            if ticks.cpu > LONG {
                break;
            }
            self.have_labels().await;
            let function = self.world.model_building();
            let tick = function.handle(json!({ "operation": "tick" }));
            self.run(&mut ticks, 1, tick).await.expect("a tick");
        }
        let mut costs = vec![ticks];
        let (mut tick, mut select) = (
            Cost::of("tick", "model-building"),
            Cost::of("select", "a2i-trigger"),
        );
        let (mut sweep, mut counts, mut ends) = (
            Cost::of("sweep", "label-collection"),
            Cost::of("measure", "human-review"),
            Cost::of("end-overdue", "human-review"),
        );
        for _ in 0..self.times {
            if tick.cpu < LONG {
                let function = self.world.model_building();
                let ticked = function.handle(json!({ "operation": "tick" }));
                self.run(&mut tick, 1, ticked).await.expect("a tick");
            }
            let function = self.world.a2i_trigger();
            self.run(&mut select, 1, function.handle(json!({ "operation": "select" })))
                .await
                .expect("selected");
            let function = self.world.label_collection();
            self.run(&mut sweep, 1, function.handle(json!({ "operation": "sweep" })))
                .await
                .expect("swept");
            let function = self.world.human_review();
            let measured = function.handle(json!({ "operation": "measure" }), Utc::now());
            self.run(&mut counts, 1, measured).await.expect("measured");
            let ended = function.handle(json!({ "operation": "end-overdue" }), Utc::now());
            self.run(&mut ends, 1, ended).await.expect("looked at");
        }
        costs.extend([tick, select, sweep, counts, ends]);
        costs
    }

    /// Puts ten labelled objects like those that there are.
    async fn have_labels(&mut self) {
        let like = self.history.answered.first().expect("one was answered").clone();
        let path = self.world.path("training", &format!("labelled/{like}.jsonl"));
        let labels = self.world.memory.body(&path).expect("labels");
        for _ in 0..10 {
            let key = format!("labelled/new-{}.jsonl", self.new_text());
            let new = self.world.path("training", &key);
            self.world.memory.place(new, labels.clone());
        }
    }

    pub async fn console(&mut self) -> Cost {
        let mut cost = Cost::of_client("the console's overview", "human-review");
        let human_review = self.world.human_review();
        let session = Session::sign_in(&human_review, Utc::now(), "ada", "admin").await;
        for _ in 0..self.times {
            let status = self.run(&mut cost, 1, session.status("overview")).await;
            assert_eq!(status, 200);
        }
        cost
    }

    /// There is room for texts of the pool, as many as may be open. Returns what the classifier had to do for that, too.
    pub async fn pool(&mut self) -> [Cost; 2] {
        self.world.services.predict_with(0.6);
        let asked = self.world.path("feedback", "asked/");
        let mut cost = Cost::of("50 texts of the pool are chosen, by text", "a2i-trigger");
        let mut encoding = Cost::of("`EncodeDocuments`, by text", "text-classifier");
        let before = self.world.services.calls();
        for _ in 0..self.times.min(FEW) {
            let open = self.world.memory.paths(&asked, usize::MAX);
            open.iter().for_each(|path| self.world.memory.remove(path));
            let function = self.world.a2i_trigger();
            self.run(&mut cost, 50, function.handle(json!({ "operation": "select" })))
                .await
                .expect("selected");
            let chosen = self.world.memory.paths(&asked, usize::MAX).len() as u64;
            assert_eq!(chosen * TEXTS_A_LOOP, 50);
        }
        let calls = self.world.services.calls().since(&before);
        encoding.cpu = calls.elsewhere.values().sum();
        let operations = calls.elsewhere.keys();
        let invocations = operations.filter_map(|operation| calls.others.get(operation));
        encoding.invocations = invocations.sum();
        encoding.units = cost.units;
        [cost, encoding]
    }
}
