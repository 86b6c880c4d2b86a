//! What weights by selection probability are worth: calibration error and AUROC on the traffic, where a model's doubt and
//! audits select what people label.
//!
//! `cargo run --release -p text-model --example audits -- TRAIN.csv START THRESHOLD RATE SEEDS`, for example with
//! `500 0.5 0.02 10`: so many rows by chance train a first model, whose doubtful predictions are all asked about, and of the
//! trusted ones a share. The last third of the rows is never asked about and measures. Without an encoder.

#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::{env, fs};

use active_learning_core::{
    random::Random,
    sampling::selection::{SelectedBy, SelectedTexts},
};
use text_model::{
    TrainingSet,
    train::{Confidence, judge, train},
};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, start, threshold, rate, seeds] = &arguments[..] else {
        panic!("usage: audits TRAIN.csv START THRESHOLD RATE SEEDS");
    };
    let (start, threshold): (usize, f64) = (start.parse().unwrap(), threshold.parse().unwrap());
    let (rate, seeds): (f64, u64) = (rate.parse().unwrap(), seeds.parse().unwrap());
    let all = TrainingSet::read_csv(fs::File::open(file).unwrap()).unwrap();

    let names = ["all alike", "chosen as forty", "by probability"];
    let mut sums = [[0.0; 5]; 3];
    for seed in 1..=seeds {
        let mut random = Random::new(seed);
        let mut set = all.clone();
        random.shuffle(&mut set.examples);
        let test = set.examples.split_off(all.len() * 2 / 3);
        let traffic = set.examples.split_off(start);
        let first = train(&set, 1).model;
        let mut selected = Vec::new();
        for (example, outcome) in traffic.iter().zip(judge(&first, &traffic)) {
            let is_doubtful = outcome.confidence(all.mode) <= threshold;
            let by = match is_doubtful {
                true => SelectedBy::Policy(1.0),
                false if random.next_f64() < rate => SelectedBy::Audit(rate),
                false => continue,
            };
            selected.push((example.id, by));
            set.examples.push(example.clone());
        }
        let of = |from: &dyn Fn(SelectedBy) -> SelectedBy| -> SelectedTexts {
            selected.iter().map(|&(id, by)| (id, from(by))).collect()
        };
        let as_forty = |by| match by {
            SelectedBy::Policy(_) => SelectedBy::Choice,
            _ => SelectedBy::Chance,
        };
        let ways = [of(&|_| SelectedBy::Chance), of(&as_forty), of(&|by| by)];
        for (sums, way) in sums.iter_mut().zip(ways) {
            set.set_selected(&way);
            let outcomes = judge(&train(&set, 1).model, &test);
            let measured = Confidence::of(set.mode, &outcomes);
            let decisions: Vec<_> = outcomes
                .iter()
                .flat_map(|outcome| outcome.decisions(set.mode))
                .collect();
            let share = |sum: f64| sum / decisions.len() as f64;
            let confidence = share(decisions.iter().map(|decision| decision.confidence).sum());
            let right = share(decisions.iter().filter(|decision| decision.is_right()).count() as f64);
            let auroc = measured.auroc.unwrap_or(f64::NAN);
            let measured = [
                set.len() as f64,
                right,
                confidence,
                measured.calibration_error,
                auroc,
            ];
            let sums = sums.iter_mut().zip(measured);
            sums.for_each(|(sum, value)| *sum += value / seeds as f64);
        }
    }
    println!("weights | labels | accuracy | mean confidence | ECE | AUROC");
    for (name, [labels, right, confidence, ece, auroc]) in names.iter().zip(sums) {
        println!("{name} | {labels:.0} | {right:.3} | {confidence:.3} | {ece:.4} | {auroc:.3}");
    }
}
