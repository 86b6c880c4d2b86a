//! How far reviewers agree with one another, and each of them with the consensus.
//!
//! What users say, and a file that does not say whose its labels are, is nobody's answer to the question and is not compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::labels::{
    consolidation::{Ballot, Consensus, Consolidated, NamedLabels, Votes},
    human_loop::Answer,
    label_key::label_key,
    vote::VoteSource,
};

/// Agreement on records that at least two reviewers answered; unsure answers do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agreement {
    /// Records with at least two answers.
    pub records: usize,
    /// Answers to them.
    pub answers: usize,
    /// Share of pairs of answers to the same record that are equal, from 0 to 1; unknown without a pair.
    pub percent_agreement: Option<f64>,
    /// Krippendorff's alpha for nominal data: 1 is perfect, 0 is chance, below 0 is worse than chance.
    /// Unknown where all answers are the same, since chance would agree as well.
    pub alpha: Option<f64>,
}

/// Agreement over all answers and on each label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgreementReport {
    /// On the whole answer.
    pub overall: Agreement,
    /// On the question "does this label fit?", by label.
    pub by_label: BTreeMap<String, Agreement>,
}

/// Measures agreement on many records, of reviewers and of annotators whose labels were imported with their names.
///
/// Users say something mostly where they contradict, and an adjudicator has seen what the others said: neither tells how far
/// people agree who look at the same texts.
///
/// Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), nominal metric with missing data.
pub fn agreement(votes: &Votes) -> AgreementReport {
    let answers = votes.answers();
    let sure = |ballots: &[Ballot]| -> Vec<usize> {
        let is_compared = |ballot: &&Ballot| votes.is_independent(ballot) && votes.is_whole(ballot);
        let said = ballots
            .iter()
            .filter(is_compared)
            .map(|ballot| votes.meaning(ballot));
        said.filter(|said| *answers[*said] != Answer::Unsure).collect()
    };
    let units: Vec<Vec<usize>> = votes
        .records()
        .map(|(_, ballots)| sure(ballots))
        .filter(|said| said.len() > 1)
        .collect();
    let named = NamedLabels::of(votes);
    let said: BTreeSet<usize> = units.iter().flatten().copied().collect();
    let mut labels: BTreeMap<usize, &String> = BTreeMap::new();
    for label in said.iter().flat_map(|said| labels_of(answers[*said])) {
        // Of the spellings of a label the first in the order of characters.
        if let Some(number) = named.number(&label_key(label)) {
            let spelling = labels.entry(number).or_insert(label);
            *spelling = label.min(*spelling);
        }
    }
    let on_label = |label: usize| {
        let fits = |unit: &Vec<usize>| {
            let fits = unit.iter().map(|said| named.named_by(*said).contains(&label));
            fits.collect()
        };
        nominal(&units.iter().map(fits).collect::<Vec<Vec<bool>>>())
    };
    AgreementReport {
        overall: nominal(&units),
        by_label: labels
            .into_iter()
            .map(|(number, label)| (label.clone(), on_label(number)))
            .collect(),
    }
}

fn labels_of(answer: &Answer) -> &[String] {
    match answer {
        Answer::Labels { labels } => labels,
        Answer::NoneFits | Answer::NewLabel { .. } | Answer::Unsure => &[],
    }
}

/// Computes agreement from the values given to each unit.
fn nominal<T: Ord>(units: &[Vec<T>]) -> Agreement {
    let mut totals: BTreeMap<&T, f64> = BTreeMap::new();
    let (mut records, mut equal_pairs, mut pairs, mut coincidences) = (0, 0.0, 0.0, 0.0);
    for unit in units.iter().filter(|unit| unit.len() > 1) {
        let mut counts: BTreeMap<&T, f64> = BTreeMap::new();
        for value in unit {
            *counts.entry(value).or_default() += 1.0;
        }
        let size = unit.len() as f64;
        let equal: f64 = counts.values().map(|count| count * (count - 1.0)).sum();
        records += 1;
        equal_pairs += equal;
        pairs += size * (size - 1.0);
        coincidences += equal / (size - 1.0);
        for (value, count) in counts {
            *totals.entry(value).or_default() += count;
        }
    }
    let n: f64 = totals.values().sum();
    let expected_equal: f64 = totals.values().map(|count| count * (count - 1.0)).sum();
    let expected_disagreement = n * (n - 1.0) - expected_equal;
    let alpha = || 1.0 - (n - 1.0) * (n - coincidences) / expected_disagreement;
    Agreement {
        records,
        answers: n as usize,
        percent_agreement: (pairs > 0.0).then(|| equal_pairs / pairs),
        alpha: (expected_disagreement > 0.0).then(alpha),
    }
}

/// One reviewer's work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewerReport {
    /// Records they answered, unsure or not.
    pub answers: usize,
    /// Of these, records on which they were unsure.
    pub unsure: usize,
    /// Of these, records with a consensus in which another reviewer took part too.
    pub compared: usize,
    /// Share of the compared records on which their whole answer is the consensus.
    pub agreement: Option<f64>,
    /// Where texts may have several labels: share of the labels that reviewers named on the compared records of which they say
    /// what the consensus says, that it fits or that it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_agreement: Option<f64>,
    /// Median of the seconds they spent on a record; unknown where no output says.
    pub median_seconds: Option<f64>,
}

/// Reports on each reviewer, by worker id.
///
/// A consensus of one's own single vote proves nothing and is not compared. That users said something too makes it no other:
/// they decide nothing against a reviewer. Nor is an adjudicator compared with what they decided by themselves.
pub fn reviewers(votes: &Votes, consolidated: &Consolidated<'_>) -> BTreeMap<String, ReviewerReport> {
    let mut reports: BTreeMap<u32, Work> = BTreeMap::new();
    let labels = votes.have_several_labels().then(|| NamedLabels::of(votes));
    for (id, ballots) in votes.records() {
        let is_reviewer =
            |ballot: &&Ballot| ballot.is_review() && votes.is_signed(ballot) && votes.is_whole(ballot);
        let is_sure = |ballot: &&Ballot| *votes.answer(ballot) != Answer::Unsure;
        let sure = ballots.iter().filter(is_reviewer).filter(is_sure);
        let final_answer = match consolidated.of(id) {
            Consensus::Agreed { answer, .. } if sure.clone().count() > 1 => Some(answer),
            _ => None,
        };
        let on_labels = labels.as_ref().zip(final_answer).map(|(labels, answer)| {
            let named = sure.flat_map(|ballot| labels.named_by(votes.meaning(ballot)));
            OnLabels {
                labels,
                asked: named.collect(),
                fitting: labels.named_in(answer),
            }
        });
        for ballot in ballots.iter().filter(is_reviewer) {
            let work = reports.entry(ballot.worker).or_default();
            let answer = votes.answer(ballot);
            work.report.answers += 1;
            work.report.unsure += usize::from(*answer == Answer::Unsure);
            work.seconds.extend(ballot.seconds());
            if let Some(final_answer) = final_answer
                && *answer != Answer::Unsure
                && ballot.source != VoteSource::Adjudicator
            {
                work.report.compared += 1;
                work.agreed += usize::from(answer.says_the_same(final_answer));
                if let Some(on_labels) = &on_labels {
                    work.labels += on_labels.asked.len();
                    work.labels_agreed += on_labels.agreed(votes.meaning(ballot));
                }
            }
        }
    }
    let finish = |(worker, work): (u32, Work)| (votes.workers[worker as usize].clone(), work.finish());
    reports.into_iter().map(finish).collect()
}

/// The labels of one record on which reviewers are compared.
struct OnLabels<'a> {
    labels: &'a NamedLabels,
    /// Those that a reviewer names.
    asked: BTreeSet<&'a usize>,
    /// Those that fit in the end.
    fitting: BTreeSet<usize>,
}

impl OnLabels<'_> {
    /// Counts the labels of which an answer says what is so in the end.
    fn agreed(&self, meaning: usize) -> usize {
        let named = self.labels.named_by(meaning);
        let is_agreed = |label: &&&usize| named.contains(**label) == self.fitting.contains(**label);
        self.asked.iter().filter(is_agreed).count()
    }
}

/// What is counted of one reviewer.
#[derive(Default)]
struct Work {
    report: ReviewerReport,
    agreed: usize,
    /// Labels on which they are compared, and those on which they are right.
    labels: usize,
    labels_agreed: usize,
    seconds: Vec<f64>,
}

impl Work {
    fn finish(self) -> ReviewerReport {
        let share = |part: usize, all: usize| (all > 0).then(|| part as f64 / all as f64);
        ReviewerReport {
            agreement: share(self.agreed, self.report.compared),
            label_agreement: share(self.labels_agreed, self.labels),
            median_seconds: median(self.seconds),
            ..self.report
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::labels::{
        consolidation::{
            Settings, consolidate,
            tests::{counted, vote},
        },
        vote::{UNSIGNED, Vote},
    };

    /// Turns rows of answers, one a worker, into votes by record; a dot is a missing answer.
    fn votes(rows: &[&str]) -> BTreeMap<u128, Vec<Vote>> {
        let mut votes: BTreeMap<u128, Vec<Vote>> = BTreeMap::new();
        for (worker, row) in rows.iter().enumerate() {
            for (label, record) in row.split(' ').zip(0..).filter(|(label, _)| *label != ".") {
                votes
                    .entry(record)
                    .or_default()
                    .push(vote(&worker.to_string(), label));
            }
        }
        votes
    }

    fn measured(rows: &[&str]) -> AgreementReport {
        agreement(&counted(&votes(rows)))
    }

    fn close(value: Option<f64>, expected: f64) -> bool {
        value.is_some_and(|value| (value - expected).abs() < 5e-4)
    }

    #[test]
    fn alpha_is_that_of_krippendorffs_examples() {
        // Krippendorff 2011, example A (two observers, binary) and C (four observers, missing data).
        let binary = measured(&["0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"]);
        let missing = measured(&[
            "1 2 3 3 2 1 4 1 2 . . .",
            "1 2 3 3 2 2 4 1 2 5 . 3",
            ". 3 3 3 2 3 4 2 2 5 1 .",
            "1 2 3 3 2 4 4 1 2 5 1 .",
        ]);

        assert!(close(binary.overall.alpha, 0.095), "{binary:?}");
        assert_eq!(binary.overall.percent_agreement, Some(0.6));
        assert!(close(missing.overall.alpha, 0.743), "{missing:?}");
        assert_eq!((missing.overall.records, missing.overall.answers), (11, 40));
    }

    #[test]
    fn a_label_is_measured_on_its_own() {
        let report = measured(&["X X Y Y Z", "X X Y Z Y"]);

        assert_eq!(report.by_label["X"].alpha, Some(1.0));
        assert_eq!(report.by_label["Y"].percent_agreement, Some(0.6));
        assert!(
            close(
                report.by_label["Y"].alpha,
                1.0 - 9.0 * 4.0 / (2.0 * 4.0 * 6.0 - 0.0)
            ),
            "{report:?}"
        );
    }

    #[test]
    fn unsure_and_single_answers_leave_agreement_unknown() {
        let report = measured(&["X ? .", "? . Y"]);

        assert_eq!(report.overall, Agreement::default());
        assert_eq!(measured(&["X X", "X X"]).overall.alpha, None);
    }

    /// One reviewer who is contradicted by users, by an unsigned file and at last by an adjudicator.
    fn among_others() -> Vec<Vote> {
        let said = |worker: &str, label: &str, source| Vote {
            source,
            ..vote(worker, label)
        };
        vec![
            vote("ann", "X"),
            said("user:u", "Y", VoteSource::Feedback),
            said("user:v", "Y", VoteSource::Feedback),
        ]
    }

    #[test]
    fn what_users_and_unsigned_files_say_makes_a_single_reviewer_neither_disagree_nor_agree() {
        let mut with_a_file = among_others();
        with_a_file.push(Vote {
            source: VoteSource::Import,
            ..vote(UNSIGNED, "X")
        });
        let votes = counted(&BTreeMap::from([(1, among_others()), (2, with_a_file)]));
        let consensus = consolidate(&votes, Settings::default());

        let reports = reviewers(&votes, &consensus);

        assert_eq!(agreement(&votes), AgreementReport::default());
        let names: Vec<&String> = reports.keys().collect();
        assert_eq!(names, ["ann"], "a file without names is no reviewer");
        assert_eq!((reports["ann"].answers, reports["ann"].compared), (2, 0));
        assert_eq!(reports["ann"].agreement, None);
    }

    #[test]
    fn a_signed_annotator_of_a_file_is_compared_and_an_adjudicator_is_only_whom_others_are_compared_with() {
        let mut signed = among_others();
        signed.push(Vote {
            source: VoteSource::Import,
            ..vote("prodigy:zoe", "x")
        });
        let mut adjudicated = among_others();
        adjudicated.push(Vote {
            source: VoteSource::Adjudicator,
            ..vote("adjudicator:lea", "Y")
        });
        let votes = counted(&BTreeMap::from([(1, signed), (2, adjudicated)]));
        let consensus = consolidate(&votes, Settings::default());

        let report = agreement(&votes);
        let reports = reviewers(&votes, &consensus);

        assert_eq!((report.overall.records, report.overall.answers), (1, 2));
        assert_eq!(
            report.overall.percent_agreement,
            Some(1.0),
            "one label in two spellings"
        );
        let compared = |name: &str| (reports[name].compared, reports[name].agreement);
        assert_eq!(compared("ann"), (2, Some(0.5)));
        assert_eq!(compared("prodigy:zoe"), (1, Some(1.0)));
        assert_eq!(compared("adjudicator:lea"), (0, None), "they decide themselves");
    }

    #[test]
    fn a_reviewer_is_compared_where_others_answered_too() {
        let mut votes = votes(&["X X X ?", "X Y . X", "X X . X"]);
        for (votes, seconds) in votes.values_mut().zip([1.0, 4.0, 2.0, 10.0]) {
            votes[0].seconds = Some(seconds);
        }
        let votes = counted(&votes);
        let consensus = consolidate(&votes, Settings::default());

        let reports = reviewers(&votes, &consensus);

        assert_eq!(
            reports["0"],
            ReviewerReport {
                answers: 4,
                unsure: 1,
                compared: 2,
                agreement: Some(1.0),
                label_agreement: None,
                median_seconds: Some(3.0)
            }
        );
        assert_eq!(reports["1"].agreement, Some(2.0 / 3.0));
        assert_eq!(reports["1"].median_seconds, None);
    }

    #[test]
    fn of_several_labels_each_is_compared_by_itself_in_whatever_spelling() {
        let said = |worker: &str, labels: &[&str]| Vote {
            answer: Answer::labels(labels.iter().copied()),
            ..vote(worker, "-")
        };
        let votes = counted(&BTreeMap::from([
            (
                1,
                vec![said("a", &["A", "B"]), said("b", &["A", "C"]), said("c", &["A"])],
            ),
            (2, vec![said("a", &["a", "B"]), said("b", &["A", "b"])]),
        ]));
        let consensus = consolidate(&votes, Settings::default());

        let reports = reviewers(&votes, &consensus);
        let agreement = agreement(&votes);

        let compared = |name: &str| (reports[name].agreement, reports[name].label_agreement);
        assert_eq!(compared("a"), (Some(0.5), Some(0.8)), "B is wrong once, of five");
        assert_eq!(compared("b"), (Some(0.5), Some(0.8)));
        assert_eq!(compared("c"), (Some(1.0), Some(1.0)));
        let labels: Vec<&String> = agreement.by_label.keys().collect();
        assert_eq!(labels, ["A", "B", "C"], "one label in two spellings");
        assert_eq!(agreement.by_label["A"].percent_agreement, Some(1.0));
    }

    proptest! {
        #[test]
        fn alpha_is_at_most_one_and_does_not_depend_on_who_answered(
            labels in proptest::collection::vec(proptest::collection::vec(0usize..3, 0..5), 0..20),
        ) {
            let votes = |reverse: bool| -> BTreeMap<u128, Vec<Vote>> {
                labels.iter().zip(0..).map(|(labels, record)| {
                    let worker = |number: usize| if reverse { 9 - number } else { number }.to_string();
                    (record, labels.iter().enumerate().map(|(w, l)| vote(&worker(w), ["X", "Y", "-"][*l])).collect())
                }).collect()
            };

            let report = agreement(&counted(&votes(false)));

            prop_assert_eq!(&report, &agreement(&counted(&votes(true))));
            prop_assert!(report.overall.alpha.is_none_or(|alpha| alpha <= 1.0 + 1e-12));
            prop_assert!(report.overall.percent_agreement.is_none_or(|share| (0.0..=1.0).contains(&share)));
        }
    }
}
