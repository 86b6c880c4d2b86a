//! The labels of people: an object for each human loop, marks on what is new, and packs of what builds have read.

use crate::model::accuracy_guarantee::MACHINE_LABELLED_FOLDER;

/// Folder of the labels of people, in the training bucket.
pub const LABELLED_FOLDER: &str = "labelled/";
const LABELLED_SUFFIX: &str = ".jsonl";
/// Folder of the marks of labelled objects that are not counted yet, in the training bucket.
pub const NEW_LABELS_FOLDER: &str = "labelled-new/";
/// Which packs of labelled objects there are, in the training bucket.
pub const LABEL_PACKS: &str = "datasets/labels.json";
/// Folder of the packs of labelled objects that builds have read, in the training bucket.
pub const LABEL_PACKS_FOLDER: &str = "datasets/labels/";

/// A folder of the training bucket whose objects builds keep in packs, so that none is read twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packs {
    /// Folder of the objects.
    pub objects: &'static str,
    /// Which packs of them there are.
    pub index: &'static str,
    /// Folder of the packs.
    pub folder: &'static str,
}

impl Packs {
    /// The labels of people.
    pub const LABELLED: Self = Self {
        objects: LABELLED_FOLDER,
        index: LABEL_PACKS,
        folder: LABEL_PACKS_FOLDER,
    };
    /// Predictions that were accepted as labels.
    pub const MACHINE_LABELLED: Self = Self {
        objects: MACHINE_LABELLED_FOLDER,
        index: "datasets/machine-labels.json",
        folder: "datasets/machine-labels/",
    };
    /// All that there are: they repeat texts.
    pub const ALL: [Self; 2] = [Self::LABELLED, Self::MACHINE_LABELLED];

    /// Returns the key of a pack, by the hash of its content.
    pub fn pack(&self, hash: &str) -> String {
        format!("{}{hash}.gz", self.folder)
    }
}

/// Returns the key of the labels that a human loop gave.
pub fn labelled(human_loop: &str) -> String {
    format!("{LABELLED_FOLDER}{human_loop}{LABELLED_SUFFIX}")
}

/// Returns the human loop that an object of [`labelled`] is of.
pub fn loop_of_labelled(key: &str) -> Option<&str> {
    key.strip_prefix(LABELLED_FOLDER)?.strip_suffix(LABELLED_SUFFIX)
}

/// Returns the key of the mark that an object of [`labelled`] is about to be written; `write` is the id of the write.
pub fn mark_of_labelled(human_loop: &str, write: &str) -> String {
    format!("{NEW_LABELS_FOLDER}{human_loop}/{write}")
}

/// Returns the key of the labels that a mark of [`mark_of_labelled`] is about, and the id of their write.
pub fn labelled_of_mark(key: &str) -> Option<(String, &str)> {
    let (human_loop, write) = key.strip_prefix(NEW_LABELS_FOLDER)?.rsplit_once('/')?;
    Some((labelled(human_loop), write))
}

/// Returns the key of a pack of labelled objects, by the hash of its content.
pub fn label_pack(hash: &str) -> String {
    Packs::LABELLED.pack(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_give_back_what_they_are_made_of() {
        assert_eq!(loop_of_labelled(&labelled("loop-1")), Some("loop-1"));
        assert_eq!(loop_of_labelled("elsewhere/loop-1.jsonl"), None);
        let mark = mark_of_labelled("loop-1", "w");
        assert_eq!(mark, "labelled-new/loop-1/w");
        assert_eq!(labelled_of_mark(&mark), Some((labelled("loop-1"), "w")));
        assert_eq!(labelled_of_mark("labelled/loop-1.jsonl"), None);
    }
}
