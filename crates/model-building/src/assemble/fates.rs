//! What becomes of each row: trained on, held out, or left out for now.

use std::{
    collections::{BTreeMap, HashSet},
    io,
};

use active_learning_core::dataset::{ContentId, HeldOut, NearCopies};

use super::{
    AssemblePolicy,
    row::{Row, Source},
    rows::Rows,
    split::Split,
};

/// What becomes of a row.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fate {
    Train,
    Test,
    /// It is a near copy of a held-out text.
    NearCopy,
    /// Its class is new and has too few rows.
    Waiting,
}

/// Returns the texts that are to be held out and are not yet: candidates first, then others of classes that would
/// be without a test row.
pub(super) fn candidates(rows: &Rows, split: &Split, policy: &AssemblePolicy) -> io::Result<HeldOut> {
    let mut chosen = HeldOut::default();
    if policy.test_share <= 0.0 {
        return Ok(chosen);
    }
    let held_out: HashSet<ContentId> = split.held_out.iter().map(ContentId::of_normalised).collect();
    let is_held_out = |row: &&Row| held_out.contains(&row.content);
    let is_free = |row: &&Row| !held_out.contains(&row.content) && !split.trained.contains(&row.content);
    let mut tested: HashSet<&String> = HashSet::new();
    for row in rows.rows.iter().filter(is_held_out) {
        tested.extend(rows.labels(row));
    }
    let share = share_of_candidates(rows, policy);
    for row in rows.rows.iter().filter(|row| row.candidate).filter(is_free) {
        if row.content.is_test(share) {
            chosen.insert(&rows.text(row)?);
            tested.extend(rows.labels(row));
        }
    }
    // Of each class without a test row the text that comes first, should none fall into the share.
    let mut first: BTreeMap<&String, &Row> = BTreeMap::new();
    for row in rows.rows.iter().filter(is_free) {
        for label in rows.labels(row).iter().filter(|label| !tested.contains(label)) {
            if row.content.is_test(share) {
                chosen.insert(&rows.text(row)?);
            }
            let first = first.entry(label).or_insert(row);
            if row.content < first.content {
                *first = row;
            }
        }
    }
    for row in first.into_values() {
        chosen.insert(&rows.text(row)?);
    }
    Ok(chosen)
}

/// Returns the share of the candidates that is held out: so many of them that no more than the greatest number is.
pub(super) fn share_of_candidates(rows: &Rows, policy: &AssemblePolicy) -> f64 {
    let most = policy.max_held_out as f64 / rows.rows.len().max(1) as f64;
    policy.test_share.min(most)
}

/// Decides on each row, the split being final.
pub(super) fn fates(
    rows: &Rows,
    split: &Split,
    near_copies: &NearCopies,
    policy: &AssemblePolicy,
) -> io::Result<Vec<Fate>> {
    let held_out: HashSet<ContentId> = split.held_out.iter().map(ContentId::of_normalised).collect();
    let fate = |row: &Row| {
        Ok(if held_out.contains(&row.content) {
            Fate::Test
        } else if split.trained.contains(&row.content) || !near_copies.contains(&rows.text(row)?) {
            // Nothing was held out that is near a text which was ever trained on.
            Fate::Train
        } else {
            Fate::NearCopy
        })
    };
    let mut fates: Vec<Fate> = rows.rows.iter().map(fate).collect::<io::Result<_>>()?;
    let waiting = waiting_classes(rows, &fates, policy);
    for (row, fate) in rows.rows.iter().zip(&mut fates) {
        if rows.labels(row).iter().any(|label| waiting.contains(label)) && *fate != Fate::NearCopy {
            *fate = Fate::Waiting;
        }
    }
    Ok(fates)
}

/// Returns the classes that no initial row has and that cannot be trained and tested yet.
///
/// One answer with a class that was just added would otherwise stop all builds until there are more.
fn waiting_classes<'a>(rows: &'a Rows, fates: &[Fate], policy: &AssemblePolicy) -> HashSet<&'a String> {
    let needs_test_rows = policy.test_share > 0.0;
    let mut counts: BTreeMap<&String, (u64, u64)> = BTreeMap::new();
    let mut initial: HashSet<&String> = HashSet::new();
    for (row, fate) in rows.rows.iter().zip(fates) {
        for label in rows.labels(row) {
            let (train, test) = counts.entry(label).or_default();
            *train += u64::from(*fate == Fate::Train);
            *test += u64::from(*fate == Fate::Test);
            if row.source == Source::Initial {
                initial.insert(label);
            }
        }
    }
    counts
        .into_iter()
        .filter(|(label, (train, test))| {
            let too_few = *train < policy.min_rows_per_class || needs_test_rows && *test == 0;
            !initial.contains(label) && too_few
        })
        .map(|(label, _)| label)
        .collect()
}
