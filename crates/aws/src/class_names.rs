//! What the classes of a model are called here. A model is older than every change of the label set that came after its
//! training: until the next build it says the name of then.

use std::{sync::Arc, time::Duration};

use active_learning_core::{feedback::prediction::ClassScore, labels::label_set::LabelSet};
use lambda_runtime::tracing::{debug, warn};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::{bucket::Bucket, failure::chain, label_set::LabelSets};

/// Longest wait for the label set.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long it is not looked for where it could not be read.
const PAUSE: Duration = Duration::from_secs(60);

/// How long it is not looked for where there is none.
const PAUSE_WHERE_NONE: Duration = Duration::from_secs(10);

/// The label set, as far as predictions are held against it: asked seldom, and never long in the way of an answer.
#[derive(Clone, Debug)]
pub struct ClassNames {
    sets: LabelSets,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Until when it is not looked for.
    pause: Option<Instant>,
    /// The set as it was read last.
    known: Option<Arc<LabelSet>>,
}

impl ClassNames {
    /// Reads the set of a training bucket, by which a text may have several labels or one.
    pub fn new(training: Bucket, several_labels: bool) -> Self {
        Self {
            sets: LabelSets::new(training).with_several_labels(several_labels),
            state: Arc::default(),
        }
    }

    /// Returns the label set; where it cannot be read, which is logged, as it was read last. None where there is none.
    pub async fn set(&self) -> Option<Arc<LabelSet>> {
        self.set_at(Instant::now()).await
    }

    /// Returns the label set as [`ClassNames::set`] does, read anew.
    pub async fn newest(&self) -> Option<Arc<LabelSet>> {
        self.sets.forget().await;
        self.set().await
    }

    async fn set_at(&self, now: Instant) -> Option<Arc<LabelSet>> {
        let mut state = self.state.lock().await;
        if state.pause.is_some_and(|until| now < until) {
            return state.known.clone();
        }
        let length = match timeout(TIMEOUT, self.sets.current()).await {
            Ok(Ok(Some(set))) => {
                state.known = Some(set.clone());
                return Some(set);
            }
            Ok(Ok(None)) => {
                state.known = None;
                PAUSE_WHERE_NONE
            }
            // Without the right to list, S3 hides that there is none yet.
            Ok(Err(error)) if error.code() == Some("AccessDenied") => {
                debug!("there is no label set, or it may not be read");
                PAUSE_WHERE_NONE
            }
            Ok(Err(error)) => {
                warn!(
                    error = chain(&error),
                    "the label set cannot be read: classes have the names of before"
                );
                PAUSE
            }
            Err(_) => {
                warn!("the label set was not read in time: classes have the names of before");
                PAUSE
            }
        };
        state.pause = Some(now + length);
        state.known.clone()
    }

    /// Gives classes the names that they have here by now: see [`class_name`].
    pub async fn name(&self, classes: Vec<ClassScore>) -> Vec<ClassScore> {
        let set = self.set().await;
        let classes = classes.into_iter().map(|class| ClassScore {
            name: class_name(set.as_deref(), &class.name),
            score: class.score,
        });
        classes.collect()
    }
}

/// Returns what a class is called here, as far as there is a set: see [`LabelSet::class_name`].
pub fn class_name(set: Option<&LabelSet>, class: &str) -> String {
    set.map_or(class, |set| set.class_name(class)).to_owned()
}

#[cfg(test)]
mod tests {
    use active_learning_core::labels::label_set::{LABEL_SET_KEY, Origin};
    use local_aws::{LocalAws, s3::BucketSpec, script::Script};

    use super::*;
    use crate::bucket::JSON;

    const READ: &str = "GET /training/label-set.json";

    /// A training bucket with a set in which `Sports` is called `Sport`.
    async fn renamed(script: &Script) -> Bucket {
        let aws = LocalAws::in_memory();
        let bucket = BucketSpec {
            name: "training".to_owned(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(bucket).expect("a new bucket");
        let s3 = aws_sdk_s3::Client::new(&script.sdk_config(aws.router()));
        let training = Bucket::new(s3, "training");
        let mut set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-20T10:00:00.000Z");
        set.rename("Sports", "Sport").expect("a free name");
        let put = training.put(LABEL_SET_KEY, JSON, set.to_json()).await;
        put.expect("written");
        training
    }

    fn name(set: Option<Arc<LabelSet>>) -> String {
        class_name(set.as_deref(), "Sports")
    }

    #[tokio::test]
    async fn the_set_that_was_read_last_stands_in_while_it_cannot_be_read_and_is_looked_for_after_a_pause() {
        // Damaged for a minute; or, as S3 says it of what is not there, not allowed for ten seconds.
        let denied = "<Error><Code>AccessDenied</Code></Error>";
        for (status, answer, pause) in [(200, "no set", PAUSE), (403, denied, PAUSE_WHERE_NONE)] {
            let script = Script::default();
            let training = renamed(&script).await;
            let names = ClassNames::new(training.clone(), false);
            let start = Instant::now();

            let first = name(names.set_at(start).await);
            names.sets.forget().await;
            script.answer(1, READ, status, answer);
            let standing_in = name(names.set_at(start).await);
            let reads = script.calls(READ).len();
            let in_pause = name(names.set_at(start + pause - Duration::from_millis(1)).await);
            let reads_in_pause = script.calls(READ).len() - reads;
            let mut set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-21T10:00:00.000Z");
            set.rename("Sports", "Games").expect("a free name");
            let put = training.put(LABEL_SET_KEY, JSON, set.to_json()).await;
            put.expect("written");
            let later = name(names.set_at(start + pause).await);

            assert_eq!(
                [first.as_str(), &standing_in, &in_pause],
                ["Sport"; 3],
                "{status}"
            );
            assert_eq!(reads_in_pause, 0, "nobody waits for it again meanwhile");
            assert_eq!(later, "Games");
        }
    }

    #[tokio::test]
    async fn without_any_set_that_was_read_classes_are_called_as_the_model_calls_them() {
        let script = Script::default();
        let names = ClassNames::new(renamed(&script).await, false);
        script.answer(1, READ, 200, "no set");
        let start = Instant::now();

        let unread = name(names.set_at(start).await);
        let later = name(names.set_at(start + PAUSE).await);

        assert_eq!((unread.as_str(), later.as_str()), ("Sports", "Sport"));
    }

    #[test]
    fn a_class_is_called_by_the_label_that_it_means_and_else_as_the_model_calls_it() {
        let names = ["World", "Sports", "Fax", "Mail", "Letters", "Billing"];
        let mut set = LabelSet::seed(names, Origin::Parameter, "2026-11-20T10:00:00.000Z");
        set.add_synonym("World", "LABEL_0").expect("a free name");
        set.rename("Sports", "Sport").expect("a free name");
        set.merge("Mail", "Letters").expect("active");
        set.retire("Fax").expect("active");
        set.split("Billing", &["Invoice", "Refund"]).expect("parts");

        let classes = ["label_0", "Sports", "Mail", "Fax", "Billing", "LABEL_9"];
        let names = classes.map(|class| class_name(Some(&set), class));

        assert_eq!(names, ["World", "Sport", "Letters", "Fax", "Billing", "LABEL_9"]);
        assert_eq!(class_name(None, "Sports"), "Sports");
    }
}
