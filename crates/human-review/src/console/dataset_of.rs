//! The end of one text's way: the dataset that took it in, and whether it is held out.

use std::io::{BufRead, Cursor};

use active_learning_aws::bucket::BucketError;
use active_learning_core::dataset::ContentId;
use active_learning_core::labels::consolidation::Consensus;
use active_learning_core::labels::human_loop::Answer;
use active_learning_core::labels::labelled::LabelledRecord;
use futures::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};

use super::Console;
use crate::agreement_report::newest_version;

/// Versions that are looked at for the first that has a text, the newest first.
const VERSIONS: usize = 20;
/// Lists of held-out texts that are looked through, the newest first.
const LISTS: usize = 50;
/// Lists that are read at a time.
const CONCURRENT: usize = 4;
/// Largest list of held-out texts that is read, in bytes; at most 20,000 texts are held out.
const MAX_LIST_BYTES: u64 = 32 << 20;

/// A dataset version, as far as this page needs it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    version: String,
    #[serde(default)]
    parent: Option<String>,
    created_at: String,
}

/// Keys of the lists of the split, the oldest first.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Split {
    held_out: Vec<String>,
}

/// Which datasets a labelled text may be in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InDatasets {
    /// The first version that was assembled once the text had its label; none where none was since.
    pub first: Option<String>,
    /// Whether there may be an earlier one, beyond those that were looked at.
    pub may_be_earlier: bool,
    /// The newest version of all; none where none was assembled.
    pub newest: Option<String>,
    /// Whether models are tested on the text and never trained on it; none where that cannot be told.
    pub held_out: Option<bool>,
}

impl Console<'_> {
    /// Returns which datasets a labelled text may be in; none of one without a label.
    pub(super) async fn datasets_of(
        &self,
        labelled: &LabelledRecord,
    ) -> Result<Option<InDatasets>, BucketError> {
        let Consensus::Agreed {
            answer: Answer::Labels { .. },
            ..
        } = &labelled.consensus
        else {
            return Ok(None);
        };
        let mut found = self.versions_since(&labelled.labelled_at).await?;
        let text = ContentId::of(&labelled.record.utterance);
        found.held_out = match self.is_held_out(text).await {
            Ok(is_held_out) => is_held_out,
            Err(reason) if reason.is_damaged() => None,
            Err(error) => return Err(error),
        };
        Ok(Some(found))
    }

    /// Looks from the newest version back for the first that was assembled after a time.
    async fn versions_since(&self, at: &str) -> Result<InDatasets, BucketError> {
        let mut next = newest_version(self.training).await?;
        let mut found = InDatasets {
            newest: next.clone(),
            ..InDatasets::default()
        };
        for _ in 0..VERSIONS {
            let Some(version) = next.take() else { break };
            let key = format!("datasets/{version}/manifest.json");
            let manifest: Option<Manifest> = self.training.read_document(&key).await?;
            // Times of this form are in the order of their letters.
            let Some(manifest) = manifest.filter(|manifest| manifest.created_at.as_str() > at) else {
                break;
            };
            found.first = Some(manifest.version);
            next = manifest.parent;
        }
        found.may_be_earlier = next.is_some();
        Ok(found)
    }

    /// Returns whether a text is in a list of the split; none where that cannot be told.
    async fn is_held_out(&self, text: ContentId) -> Result<Option<bool>, BucketError> {
        let split: Option<Split> = self.training.read_document("datasets/split.json").await?;
        let lists = split.unwrap_or_default().held_out;
        let mut are_all_read = lists.len() <= LISTS;
        let newest = lists.iter().rev().take(LISTS);
        let reads: Vec<_> = newest.map(|key| self.is_in_list(key, text)).collect();
        let mut reads = stream::iter(reads).buffer_unordered(CONCURRENT);
        while let Some(is_in_list) = reads.next().await {
            match is_in_list? {
                Some(true) => return Ok(Some(true)),
                Some(false) => {}
                None => are_all_read = false,
            }
        }
        Ok(are_all_read.then_some(false))
    }

    /// Returns whether a text is in a list; none where the list is missing or no good.
    async fn is_in_list(&self, key: &str, text: ContentId) -> Result<Option<bool>, BucketError> {
        let list = match self.training.read(key, MAX_LIST_BYTES).await {
            Ok(Some(list)) => list,
            Ok(None) => return Ok(None),
            Err(reason) if reason.is_damaged() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut texts = Cursor::new(list.bytes).lines().map_while(Result::ok);
        Ok(Some(
            texts.any(|held_out| ContentId::of_normalised(&held_out) == text),
        ))
    }
}

impl InDatasets {
    /// Says it in words.
    pub(super) fn in_words(&self) -> String {
        let split = match self.held_out {
            Some(true) => "It is held out: models are tested on it, and none is ever trained on it.",
            Some(false) => "It is not held out.",
            None => {
                "Whether it is held out cannot be told: the lists of held-out texts are too many, or one cannot be read."
            }
        };
        let version = match (&self.first, &self.newest) {
            (None, None) => "No dataset was assembled yet.".to_owned(),
            (None, Some(newest)) => {
                format!("The newest dataset {newest} is older than its label: the next one takes it.")
            }
            (Some(first), _) => {
                let earlier = if self.may_be_earlier {
                    ", or an earlier one,"
                } else {
                    ""
                };
                format!(
                    "The dataset {first}{earlier} is the first that was assembled since it had its label."
                )
            }
        };
        let left_out = match (self.held_out, &self.first) {
            (Some(false) | None, Some(_)) => {
                " Models are trained on it from then on, unless it is left out: as a near duplicate of a held-out text, or \
                 for a label that is in no use. The manifest of the dataset counts what was left out, and why."
            }
            _ => "",
        };
        format!("{version} {split}{left_out}")
    }
}
