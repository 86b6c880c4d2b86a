//! An operator who changes the label set while texts come: merges, splits, renames and retires.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use active_learning_core::labels::label_set::{LabelSet, Resolution};
use tokio::time::sleep;

use super::{
    ledger::{Ledger, MERGED, RENAMED, RETIRED, SPLIT},
    stack::Stack,
};

/// Prints the label set as it is stored.
const LIST: [&str; 3] = ["labels", "list", "--json"];

/// A change of the label set.
struct Change {
    /// What is given to the command `labels`.
    arguments: &'static [&'static str],
    /// Whether a label set has it.
    is_made: fn(&LabelSet) -> bool,
}

/// Labels that are changed later and that the shipped sample has not.
const ADDED: [Change; 2] = [
    Change {
        arguments: &["add", MERGED.0],
        is_made: |set| set.resolve(MERGED.0) == Resolution::Label(MERGED.0),
    },
    Change {
        arguments: &["add", RETIRED],
        is_made: |set| set.resolve(RETIRED) == Resolution::Label(RETIRED),
    },
];

/// Changes in the middle, with the eighths of the texts after which they are made. Clients go on to say the old names.
const CHANGES: [(usize, Change); 4] = [
    (
        2,
        Change {
            arguments: &["merge", MERGED.0, MERGED.1],
            is_made: |set| set.resolve(MERGED.0) == Resolution::Label(MERGED.1),
        },
    ),
    (
        3,
        Change {
            arguments: &["split", SPLIT.0, SPLIT.1[0], SPLIT.1[1]],
            is_made: |set| set.resolve(SPLIT.0) == Resolution::Split(SPLIT.0),
        },
    ),
    (
        4,
        Change {
            arguments: &["rename", RENAMED.0, RENAMED.1],
            is_made: |set| set.resolve(RENAMED.0) == Resolution::Label(RENAMED.1),
        },
    ),
    (
        5,
        Change {
            arguments: &["retire", RETIRED],
            is_made: |set| set.resolve(RETIRED) == Resolution::Retired(RETIRED),
        },
    ),
];

/// Adds the labels that texts have beside those of the sample, once these are there: the stack takes them from its data.
pub(super) async fn prepare(stack: &Stack) {
    let has_labels = |set: String| set_of(&set).is_some_and(|set| set.find(RENAMED.0).is_some());
    while !stack.command(&LIST).await.is_ok_and(has_labels) {
        sleep(Duration::from_secs(1)).await;
    }
    for change in &ADDED {
        change.make(stack).await;
    }
}

/// Makes each change once enough texts are acknowledged, or no more are sent; the rename alone where the texts have no label
/// of the others.
pub(super) async fn make(stack: Arc<Stack>, ledger: Arc<Ledger>, is_over: Arc<AtomicBool>) {
    let is_made = |change: &Change| ledger.has_changes() || change.arguments[0] == "rename";
    for (eighths, change) in CHANGES.iter().filter(|(_, change)| is_made(change)) {
        while ledger.acknowledged() * 8 < ledger.records() * eighths && !is_over.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(100)).await;
        }
        change.make(&stack).await;
    }
}

impl Change {
    /// Tries until it is made.
    async fn make(&self, stack: &Stack) {
        loop {
            let command = [&["labels"], self.arguments, &["--yes"]].concat();
            let made = stack.command(&command).await;
            // What failed may have been done.
            let listed = stack.command(&LIST).await;
            if listed.is_ok_and(|set| self.is_in(&set)) {
                return;
            }
            if let Err(error) = made {
                eprintln!("the label set is not changed yet: {error}");
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn is_in(&self, set: &str) -> bool {
        set_of(set).is_some_and(|set| (self.is_made)(&set))
    }
}

fn set_of(listed: &str) -> Option<LabelSet> {
    serde_json::from_str(listed).ok()
}

#[cfg(test)]
mod tests {
    use active_learning_core::labels::label_set::Origin;

    use super::*;

    fn written(set: &LabelSet) -> String {
        serde_json::to_string(set).expect("it has only string keys")
    }

    #[test]
    fn a_change_is_seen_in_the_label_set_once_it_is_made() {
        let mut set = LabelSet::seed(
            ["World", "Sports", "Business", "SciTech"],
            Origin::InitialData,
            "",
        );
        let seen = |set: &LabelSet| {
            let changes = ADDED.iter().chain(CHANGES.iter().map(|(_, change)| change));
            changes.filter(|change| change.is_in(&written(set))).count()
        };

        let before = seen(&set);
        set.add(MERGED.0, "").expect("a new label");
        set.add(RETIRED, "").expect("a new label");
        let added = seen(&set);
        set.merge(MERGED.0, MERGED.1).expect("both are there");
        set.split(SPLIT.0, &SPLIT.1).expect("new labels");
        set.rename(RENAMED.0, RENAMED.1).expect("a new name");
        set.retire(RETIRED).expect("a label");

        assert_eq!((before, added), (0, 2));
        // The two that were added are labels no longer.
        assert_eq!(seen(&set), CHANGES.len());
    }
}
