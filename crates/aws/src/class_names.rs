//! What the classes of a model are called here. A model is older than every change of the label set that came after its
//! training: until the next build it says the name of then.

use std::{sync::Arc, time::Duration};

use active_learning_core::{
    feedback::prediction::ClassScore,
    labels::label_set::{LabelSet, Resolution},
};
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
    /// Reads the set of a training bucket.
    pub fn new(training: Bucket) -> Self {
        Self {
            sets: LabelSets::new(training),
            state: Arc::default(),
        }
    }

    /// Returns the label set; where it cannot be read, which is logged, as it was read last. None where there is none.
    pub async fn set(&self) -> Option<Arc<LabelSet>> {
        let mut state = self.state.lock().await;
        if state.pause.is_some_and(|until| Instant::now() < until) {
            return state.known.clone();
        }
        let length = match timeout(TIMEOUT, self.sets.current()).await {
            Ok(Ok(set)) => {
                state.known.clone_from(&set);
                return set;
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
        state.pause = Some(Instant::now() + length);
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

/// Returns what a class is called here: the label in use whose name it is, in whatever spelling, or whose synonym, or that
/// was renamed or merged since; else as the model calls it.
pub fn class_name(set: Option<&LabelSet>, class: &str) -> String {
    match set.map(|set| set.resolve(class)) {
        Some(Resolution::Label(label)) => label.to_owned(),
        _ => class.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use active_learning_core::labels::label_set::Origin;

    use super::*;

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
