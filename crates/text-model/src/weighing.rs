//! For how many texts of the traffic a judged one stands.
//!
//! Texts that were chosen because a model was in doubt are harder than the traffic: a confidence that is right of them is
//! too low of all others. Who has more to say is learned from all texts alike, since that is what they were chosen
//! for; how sure the model may be, and how frequent its classes are, from texts by the traffic that they stand for:
//!
//! - What the audit or the review policy selected with a known probability stands for its inverse, at most [`MAX_STANDS_FOR`]
//!   texts. A text that was chosen stands for itself alone. Together they are one sample of the traffic, and weigh as many
//!   texts as would tell as much had chance alone taken them.
//! - Each text that chance took, of files and of the pool, weighs one.
//!
//! With fewer than [`MIN_AUDITS`] audits nothing is known of the predictions that were trusted. All texts that were not taken
//! by chance then count together as [`CHOSEN_COUNT_AS`], with an encoder as [`CHOSEN_OF_A_CLASS`] a class: they
//! decide while few others are at hand, and hardly later.
//!
//! Sources: D. G. Horvitz and D. J. Thompson, "A generalization of sampling without replacement from a finite universe" (JASA
//! 1952); L. Kish, "Survey Sampling" (1965), of the effective size of a sample.

use active_learning_core::{dataset::Mode, sampling::selection::SelectedBy};

use crate::{calibration::Judged, plan::Plan};

/// Texts of the traffic that all chosen ones stand for at most, while there are few audits.
///
/// Of 5 to all of them: with n-grams alone the calibration error after 25 to 100 labels of news falls up to here, and after 300
/// no more.
const CHOSEN_COUNT_AS: f64 = 40.0;
/// The same for each class, where texts have vectors. Up to 300 labels of four classes each chosen text counts as one.
///
/// A fifth of 300 labels are 56 by chance, of which some six are judged wrongly. These and 40 do not tell how sure a model may
/// be: after 300 chosen labels of news the calibration error was 3.9 ± 1.6 % with 40 for all, 3.4 ± 0.9 % with 60 a class (ten
/// seeds). With 77 classes even ten a class are nearly all of 300 to 525 chosen texts.
///
/// With n-grams alone the error of 77 bank intents fell from 5.8 % to 4.5 % after 300 labels with ten a class, but rose from 2.8 %
/// to 4.7 % after 525: there 40 stays, as where a text may have several labels, which was not measured.
const CHOSEN_OF_A_CLASS: f64 = 60.0;
/// Fewest audits that say what the traffic is like.
const MIN_AUDITS: usize = 10;
/// Most texts of the traffic that one stands for: a rate of audits below the inverse counts as that.
const MAX_STANDS_FOR: f64 = 1_000.0;

/// Returns for how many texts of the traffic all chosen ones stand at most, while there are few audits.
pub(crate) fn chosen_count_as(plan: &Plan<'_>) -> f64 {
    match plan.mode {
        Mode::MultiClass if plan.encoder.is_some() => CHOSEN_OF_A_CLASS * plan.labels.len() as f64,
        Mode::MultiClass | Mode::MultiLabel => CHOSEN_COUNT_AS,
    }
}

/// Weighs texts by how they were selected, in order; returns whether the confidence is to follow these weights.
///
/// `chosen_count_as` is what [`chosen_count_as()`] returns.
pub(crate) fn weigh(
    judged: &mut [Judged],
    selected: impl Iterator<Item = SelectedBy>,
    chosen_count_as: f64,
) -> bool {
    let selected: Vec<SelectedBy> = selected.collect();
    let is_audit = |selected: &&SelectedBy| matches!(selected, SelectedBy::Audit(_));
    let audits = selected.iter().filter(is_audit).count();
    let (weights, follows) = match audits >= MIN_AUDITS {
        true => (by_probability(&selected), true),
        false => by_chance(&selected, chosen_count_as),
    };
    for (text, weight) in judged.iter_mut().zip(weights) {
        text.weight = weight;
    }
    follows
}

/// Returns the weights where audits are at hand.
fn by_probability(selected: &[SelectedBy]) -> Vec<f64> {
    let stands_for = |selected: &SelectedBy| match selected {
        SelectedBy::Chance => 0.0,
        SelectedBy::Choice => 1.0,
        SelectedBy::Audit(probability) | SelectedBy::Policy(probability) => {
            probability.recip().min(MAX_STANDS_FOR)
        }
    };
    let all: f64 = selected.iter().map(stands_for).sum();
    let squares: f64 = selected.iter().map(|selected| stands_for(selected).powi(2)).sum();
    let weight = |text: &SelectedBy| match text {
        SelectedBy::Chance => 1.0,
        SelectedBy::Choice | SelectedBy::Audit(_) | SelectedBy::Policy(_) => stands_for(text) * all / squares,
    };
    selected.iter().map(weight).collect()
}

/// Returns the weights where the trusted predictions are unknown, and whether chance and choice both took texts.
///
/// The few audits count as taken by chance.
fn by_chance(selected: &[SelectedBy], count_as: f64) -> (Vec<f64>, bool) {
    let is_chosen = |text: &SelectedBy| matches!(text, SelectedBy::Choice | SelectedBy::Policy(_));
    let chosen = selected.iter().filter(|text| is_chosen(text)).count();
    let of_chosen = (count_as / chosen as f64).min(1.0);
    let weight = |text| if is_chosen(text) { of_chosen } else { 1.0 };
    let weights = selected.iter().map(weight).collect();
    (weights, chosen > 0 && chosen < selected.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(selected: &[SelectedBy]) -> (Vec<f64>, bool) {
        let judged = |_: &SelectedBy| Judged {
            scores: vec![vec![1.0, -1.0]],
            truth: vec![0],
            weight: 1.0,
        };
        let mut texts: Vec<Judged> = selected.iter().map(judged).collect();
        let follows = weigh(&mut texts, selected.iter().copied(), CHOSEN_COUNT_AS);
        (texts.into_iter().map(|text| text.weight).collect(), follows)
    }

    #[test]
    fn audits_stand_for_all_that_was_trusted() {
        // 900 trusted predictions of which 2 % are audited, and 100 doubtful ones which are all asked about.
        let selected = [
            [SelectedBy::Audit(0.02)].repeat(18),
            [SelectedBy::Policy(1.0)].repeat(100),
        ]
        .concat();

        let (weights, follows) = weights(&selected);

        let all: f64 = weights.iter().sum();
        let trusted: f64 = weights[..18].iter().sum();
        assert!(follows);
        assert!((trusted / all - 0.9).abs() < 1e-9, "{trusted} of {all}");
        // What 1,000² / (18 × 50² + 100) texts by chance would tell.
        assert!((all - 22.172_95).abs() < 1e-4, "{all}");
    }

    #[test]
    fn explored_texts_stand_for_those_that_were_not_drawn_and_a_choice_for_itself() {
        let selected = [
            [SelectedBy::Audit(0.1)].repeat(10),
            [SelectedBy::Policy(0.05)].repeat(10),
            [SelectedBy::Choice].repeat(30),
            [SelectedBy::Chance].repeat(7),
        ]
        .concat();

        let (weights, _) = weights(&selected);

        assert!((weights[10] / weights[0] - 2.0).abs() < 1e-9, "{weights:?}");
        assert!((weights[20] / weights[0] - 0.1).abs() < 1e-9, "{weights:?}");
        assert_eq!(weights[50..], [1.0; 7]);
        assert!(weights[..50].iter().sum::<f64>() < 50.0, "{weights:?}");
    }

    #[test]
    fn no_text_stands_for_more_than_a_thousand() {
        let selected = [
            [SelectedBy::Audit(1e-6)].repeat(10),
            [SelectedBy::Policy(1.0)].repeat(10),
        ]
        .concat();

        let (weights, _) = weights(&selected);

        assert!((weights[0] / weights[10] - 1_000.0).abs() < 1e-6, "{weights:?}");
    }

    #[test]
    fn with_few_audits_all_chosen_texts_together_count_as_forty() {
        let selected = [
            [SelectedBy::Chance].repeat(11),
            [SelectedBy::Audit(0.02)].repeat(9),
            [SelectedBy::Choice].repeat(50),
            [SelectedBy::Policy(0.1)].repeat(30),
        ]
        .concat();

        let (weights, follows) = weights(&selected);

        assert!(follows);
        assert_eq!(weights[..20], [1.0; 20]);
        assert_eq!(weights[20..], [0.5; 80]);
    }

    #[test]
    fn chosen_texts_count_as_sixty_a_class_where_they_have_vectors() {
        let count_as = |mode, encoder, classes: usize| {
            chosen_count_as(&Plan {
                mode,
                labels: &vec![String::new(); classes],
                encoder,
                names: &[],
                unlabelled: &[],
                max_weight_bytes: 0,
                seed: 0,
            })
        };
        let with_vectors = |classes| count_as(Mode::MultiClass, Some("an encoder"), classes);

        assert_eq!([2, 4, 77].map(with_vectors), [120.0, 240.0, 4_620.0]);
        assert_eq!(count_as(Mode::MultiClass, None, 77), 40.0);
        assert_eq!(count_as(Mode::MultiLabel, Some("an encoder"), 77), 40.0);
    }

    #[test]
    fn no_chosen_text_counts_as_more_than_one() {
        let selected = [SelectedBy::Chance, SelectedBy::Choice];

        assert_eq!(by_chance(&selected, 4_620.0), (vec![1.0; 2], true));
    }

    #[test]
    fn texts_of_one_kind_weigh_alike() {
        assert_eq!(weights(&[SelectedBy::Chance; 100]), (vec![1.0; 100], false));
        assert!(!weights(&[SelectedBy::Choice; 100]).1);
    }
}
