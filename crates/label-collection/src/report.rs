//! What an output came to, for logs and metrics.

use active_learning_aws::metrics;
use active_learning_core::labels::{
    consolidation::Consensus,
    human_loop::{Answer, HumanLoopOutput},
    labelled::LabelledRecord,
};
use lambda_runtime::tracing::{info, warn};

use crate::{FUNCTION, answers::Fields};

/// What the records of a loop came to.
#[derive(Debug, Default)]
struct Counts {
    labelled: u64,
    none_fits: u64,
    new_labels: u64,
    unsure: u64,
    ties: u64,
    unanswered: u64,
}

impl Counts {
    fn of(records: &[LabelledRecord]) -> Self {
        let mut counts = Self::default();
        for record in records {
            *match &record.consensus {
                Consensus::Agreed { answer, .. } => match answer {
                    Answer::Labels { .. } => &mut counts.labelled,
                    Answer::NoneFits => &mut counts.none_fits,
                    Answer::NewLabel { .. } => &mut counts.new_labels,
                    Answer::Unsure => &mut counts.unsure,
                },
                Consensus::Tie => &mut counts.ties,
                Consensus::Unanswered => &mut counts.unanswered,
            } += 1;
        }
        counts
    }
}

/// Logs and counts what the records of an output came to.
pub(crate) fn report(
    output: &HumanLoopOutput,
    fields: Fields,
    records: &[LabelledRecord],
    asked_again: usize,
) {
    let counts = Counts::of(records);
    let Fields {
        unreadable,
        unmatched,
    } = fields;
    info!(
        human_loop.name = output.human_loop_name,
        human_loop.workers = output.answers.len(),
        records = records.len(),
        asked_again,
        "labelled"
    );
    if unmatched > 0 {
        // Not their names: a template of somebody else's may make them of texts.
        warn!(
            human_loop.name = output.human_loop_name,
            unmatched, "fields that belong to no record"
        );
    }
    let unusable = output.unusable_items();
    if unreadable > 0 || !unusable.is_empty() {
        let items: Vec<usize> = unusable.iter().map(|(number, _)| *number).collect();
        warn!(
            human_loop.name = output.human_loop_name,
            unreadable,
            ?items,
            "answers that cannot be read, or items that are no records"
        );
    }
    metrics::count(
        FUNCTION,
        &[
            ("UnreadableAnswers", unreadable as u64),
            ("UnusableItems", unusable.len() as u64),
            ("LabelledRecords", counts.labelled),
            ("NoneFits", counts.none_fits),
            ("NewLabels", counts.new_labels),
            ("Unsure", counts.unsure),
            ("Ties", counts.ties),
            ("UnansweredRecords", counts.unanswered),
            ("AskedAgain", asked_again as u64),
            ("UnmatchedFields", unmatched as u64),
        ],
    );
}
