//! The labels that an erasure takes out of an object, for the sums over all labels.

use std::collections::BTreeMap;

use active_learning_core::labels::{
    consolidation::Consensus, human_loop::Answer, label_set::can_be_label, labelled::LabelledRecord,
};
use serde_json::Value;

use crate::rewrite::Left;

/// What the sums over the labels count of an object less than before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelsGone {
    /// Records on whose labels people agreed.
    labels: u64,
    /// The same by label; less than nothing where a correction goes that had replaced it.
    by_label: BTreeMap<String, i64>,
    /// Votes that propose a label, by its name.
    proposed: BTreeMap<String, i64>,
}

impl LabelsGone {
    /// Compares an object with what is left of it.
    pub(crate) fn of(before: &[u8], left: &Left) -> Self {
        let mut gone = Self::default();
        gone.add(before, 1);
        match left {
            Left::Nothing { .. } => {}
            Left::Rest { bytes, .. } => gone.add(bytes, -1),
            Left::All | Left::Unread { .. } => return Self::default(),
        }
        gone
    }

    fn add(&mut self, object: &[u8], sign: i64) {
        let lines = object.split(|byte| *byte == b'\n');
        for record in lines.filter_map(|line| LabelledRecord::parse(line).ok()) {
            for vote in &record.votes {
                if let Answer::NewLabel { label } = &vote.answer
                    && can_be_label(label)
                {
                    *self.proposed.entry(label.trim().to_owned()).or_default() += sign;
                }
            }
            let Consensus::Agreed {
                answer: Answer::Labels { labels },
                ..
            } = &record.consensus
            else {
                continue;
            };
            if *labels != record.replaces {
                self.labels = self.labels.saturating_add_signed(sign);
            }
            for label in labels {
                *self.by_label.entry(label.clone()).or_default() += sign;
            }
            for label in &record.replaces {
                *self.by_label.entry(label.clone()).or_default() -= sign;
            }
        }
    }

    /// Takes it out of the sums, in which a label that nothing is left of stays with 0.
    pub(crate) fn take_out_of(&self, tally: &mut Value) {
        let labels = tally["labels"].as_u64().unwrap_or_default();
        tally["labels"] = labels.saturating_sub(self.labels).into();
        for (sums, gone) in [("byLabel", &self.by_label), ("proposed", &self.proposed)] {
            for (label, count) in gone {
                if let Some(sum) = tally.get_mut(sums).and_then(|sums| sums.get_mut(label)) {
                    let before = sum.as_u64().unwrap_or_default();
                    *sum = before.saturating_add_signed(-count).into();
                }
            }
        }
        if let Some(proposed) = tally.get_mut("proposed").and_then(Value::as_object_mut) {
            proposed.retain(|_, votes| votes.as_u64() != Some(0));
        }
    }
}
