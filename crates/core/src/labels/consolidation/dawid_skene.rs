//! Dawid–Skene: who is right, and how reliable is everybody, estimated together.
//!
//! Source: A. P. Dawid and A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM
//! Algorithm", Applied Statistics 28 (1979), 20–28; equations 2.3 to 2.5. Smoothed, so that few votes claim
//! no certainty.

/// Pseudo-votes of each worker for each true answer, on the diagonal: everyone starts as somewhat reliable.
///
/// It also breaks the symmetry of the model, which fits as well with all answers renamed.
const PRIOR_RIGHT: f64 = 1.0;
/// Pseudo-votes off the diagonal, shared by the other answers.
const PRIOR_WRONG: f64 = 0.5;
/// Pseudo-records of each true answer.
const PRIOR_RECORDS: f64 = 0.5;
/// EM stops when no posterior moves by more than this.
const TOLERANCE: f64 = 1e-6;
/// EM stops after so many steps in any case; its likelihood rises with every step, so any stop is sound.
const MAX_STEPS: usize = 500;

/// One vote: a worker's answer, both as numbers from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Observation {
    /// Number of the worker.
    pub worker: usize,
    /// Number of the answer.
    pub answer: usize,
}

/// The votes on a record, and how many records have the same votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The votes; a worker may have given several.
    pub votes: Vec<Observation>,
    /// Records with these votes.
    pub count: usize,
}

/// The fitted model.
#[derive(Clone, Debug, PartialEq)]
pub struct DawidSkene {
    /// For each record the probability of each answer to be true; sums to 1.
    pub posteriors: Vec<Vec<f64>>,
    /// Share of each answer among the records.
    pub priors: Vec<f64>,
    /// For each worker, by true answer (row) the probability of each answer given (column).
    pub confusions: Vec<Vec<Vec<f64>>>,
    /// EM steps that were taken.
    pub steps: usize,
}

impl DawidSkene {
    /// Returns the probability of each answer to be the true one, given these votes.
    pub fn posterior(&self, votes: &[Observation]) -> Vec<f64> {
        posterior(votes, &self.priors, &self.confusions)
    }
}

/// Weight of the pseudo-votes in [`dawid_skene`] that suits few votes; 0 is the paper's maximum likelihood.
pub const SMOOTHING: f64 = 1.0;

/// Fits the model to records.
///
/// `smoothing`, greater than 0, weights the pseudo-votes that keep few votes from claiming certainty.
/// Deterministic. Counted once or listed
/// one by one, records with the same votes have the same posterior. Time: votes × answers a step; memory: workers × answers².
pub fn dawid_skene(records: &[Record], workers: usize, answers: usize, smoothing: f64) -> DawidSkene {
    let mut posteriors: Vec<Vec<f64>> = records
        .iter()
        .map(|record| vote_shares(&record.votes, answers))
        .collect();
    let mut steps = 0;
    loop {
        steps += 1;
        let (priors, confusions) = maximise(records, &posteriors, workers, answers, smoothing);
        let next: Vec<Vec<f64>> = records
            .iter()
            .map(|record| posterior(&record.votes, &priors, &confusions))
            .collect();
        let moved = posteriors
            .iter()
            .flatten()
            .zip(next.iter().flatten())
            .map(|(old, new)| (old - new).abs());
        let moved = moved.fold(0.0, f64::max);
        posteriors = next;
        if moved <= TOLERANCE || steps == MAX_STEPS {
            return DawidSkene {
                posteriors,
                priors,
                confusions,
                steps,
            };
        }
    }
}

fn vote_shares(votes: &[Observation], answers: usize) -> Vec<f64> {
    let mut shares = vec![0.0; answers];
    for vote in votes {
        shares[vote.answer] += 1.0 / votes.len() as f64;
    }
    if votes.is_empty() {
        vec![1.0 / answers as f64; answers]
    } else {
        shares
    }
}

/// M-step: answer shares and confusion matrices, given who is right.
fn maximise(
    records: &[Record],
    posteriors: &[Vec<f64>],
    workers: usize,
    answers: usize,
    smoothing: f64,
) -> (Vec<f64>, Vec<Vec<Vec<f64>>>) {
    let mut priors = vec![PRIOR_RECORDS * smoothing; answers];
    let right = PRIOR_RIGHT * smoothing;
    let wrong = PRIOR_WRONG * smoothing / (answers - 1).max(1) as f64;
    let row = |truth| {
        (0..answers)
            .map(|given| if given == truth { right } else { wrong })
            .collect()
    };
    let mut confusions: Vec<Vec<Vec<f64>>> = vec![(0..answers).map(row).collect(); workers];
    for (record, posterior) in records.iter().zip(posteriors) {
        for (truth, probability) in posterior.iter().enumerate() {
            let probability = probability * record.count as f64;
            priors[truth] += probability;
            for vote in &record.votes {
                confusions[vote.worker][truth][vote.answer] += probability;
            }
        }
    }
    normalise(&mut priors);
    confusions.iter_mut().flatten().for_each(|row| normalise(row));
    (priors, confusions)
}

/// E-step: who is right, given shares and confusion matrices; in logarithms, so that many votes do not vanish.
fn posterior(votes: &[Observation], priors: &[f64], confusions: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let log = |truth: usize| {
        let given = votes
            .iter()
            .map(|vote| confusions[vote.worker][truth][vote.answer].ln());
        priors[truth].ln() + given.sum::<f64>()
    };
    let logs: Vec<f64> = (0..priors.len()).map(log).collect();
    let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut posterior: Vec<f64> = logs.iter().map(|log| (log - greatest).exp()).collect();
    normalise(&mut posterior);
    posterior
}

fn normalise(row: &mut [f64]) {
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= sum);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The data of the paper (table 1): 45 patients; the first anaesthetist answers three times, four others once.
    const PAPER: [&str; 45] = [
        "1111111", "3334334", "1122122", "2223121", "2223222", "2223322", "1222111", "3333433", "2222223",
        "2322223", "4444444", "2223343", "1111111", "2223212", "1211111", "1112111", "1111111", "1111111",
        "2222221", "2221322", "2222222", "2222221", "2223222", "2212222", "1111111", "1111111", "2322222",
        "1111111", "1111111", "1121121", "1111111", "3333233", "1111111", "2222222", "2223232", "4334343",
        "2212232", "2323233", "3333432", "1111111", "1111111", "1212111", "2322222", "1211111", "2222222",
    ];
    const WORKERS: [usize; 7] = [0, 0, 0, 1, 2, 3, 4];

    fn single(votes: Vec<Observation>) -> Record {
        Record { votes, count: 1 }
    }

    fn paper() -> Vec<Record> {
        let observe = |(digit, worker): (u8, usize)| Observation {
            worker,
            answer: usize::from(digit - b'1'),
        };
        PAPER
            .iter()
            .map(|patient| single(patient.bytes().zip(WORKERS).map(observe).collect()))
            .collect()
    }

    #[test]
    fn the_estimates_of_the_paper_are_found() {
        let model = dawid_skene(&paper(), 5, 4, 1e-9);

        let rounded = |row: &Vec<f64>| {
            row.iter()
                .map(|p| (p * 100.0).round() / 100.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(rounded(&model.priors), [0.40, 0.42, 0.11, 0.07]);
        let first_observer: Vec<_> = model.confusions[0].iter().map(rounded).collect();
        assert_eq!(
            first_observer,
            [
                [0.89, 0.11, 0.0, 0.0],
                [0.07, 0.88, 0.05, 0.0],
                [0.0, 0.34, 0.66, 0.0],
                [0.0, 0.0, 0.56, 0.44]
            ]
        );
        assert!(
            model.posteriors[2][1] > 0.99,
            "three ones and four twos are a two, by who gave them"
        );
    }

    #[test]
    fn records_without_votes_follow_the_shares_of_the_others() {
        let mut records = vec![single(vec![Observation { worker: 0, answer: 0 }; 3]); 9];
        records.push(single(vec![]));

        let model = dawid_skene(&records, 1, 2, SMOOTHING);

        assert!(model.posteriors[9][0] > 0.8, "{:?}", model.posteriors[9]);
    }

    #[test]
    fn counting_equal_records_is_the_same_as_listing_them() {
        let listed = dawid_skene(&paper(), 5, 4, SMOOTHING);
        let mut records: Vec<Record> = Vec::new();
        for record in paper() {
            match records.iter_mut().find(|other| other.votes == record.votes) {
                Some(other) => other.count += 1,
                None => records.push(record),
            }
        }

        let counted = dawid_skene(&records, 5, 4, SMOOTHING);

        assert!(records.len() < PAPER.len());
        for (a, b) in listed.posteriors[0].iter().zip(&counted.posteriors[0]) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn probabilities_are_probabilities_and_the_order_of_records_does_not_count(
            votes in proptest::collection::vec(proptest::collection::vec((0usize..3, 0usize..3), 0..4), 1..30), by in 0usize..30,
        ) {
            let mut records: Vec<Record> = votes.iter()
                .map(|votes| single(votes.iter().map(|&(worker, answer)| Observation { worker, answer }).collect())).collect();
            let by = by % records.len();

            let mut model = dawid_skene(&records, 3, 3, SMOOTHING);
            records.rotate_left(by);
            let rotated = dawid_skene(&records, 3, 3, SMOOTHING);

            model.posteriors.rotate_left(by);
            for (a, b) in model.posteriors.iter().zip(&rotated.posteriors) {
                prop_assert!((a.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!(a.iter().zip(b).all(|(a, b)| a.is_finite() && (a - b).abs() < 1e-4), "{a:?} {b:?}");
            }
        }
    }
}
