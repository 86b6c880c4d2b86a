//! What a sentence encoder is worth: accuracy, calibration error and AUROC by the number of labels, in random order.
//!
//! `cargo run --release -p text-model --example learning_curve -- TRAIN.csv TEST.csv SIZES SEEDS [FOLDER]`, for
//! example with `20,50,100 5`; with `-` for the test all rows that are not trained on are. Prints a line a size,
//! without and with the built-in encoder, or that of a folder.

#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::{env, fs, path::Path, sync::Arc};

use active_learning_core::{random::Random, text::Vector};
use text_encoder::Encoder;
use text_model::{
    TrainingSet,
    metrics::{self, Outcome},
    train::{Confidence, train},
    training_data::{self, Collector, Example, LabelSyntax},
};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [train_file, test_file, sizes, seeds, folder @ ..] = &arguments[..] else {
        panic!("usage: learning_curve TRAIN.csv TEST.csv SIZES SEEDS [FOLDER]");
    };
    let encoder = folder.first().map_or_else(Encoder::built_in, |folder| {
        Arc::new(Encoder::load(Path::new(folder)).unwrap())
    });
    let encode = |examples: &mut [Example]| {
        let vectors = encoder.encode(&training_data::texts(examples).unwrap());
        let vectors = vectors.iter().map(|vector| Vector::of(vector)).collect();
        training_data::set_vectors(examples, vectors);
    };
    let mut all = TrainingSet::read_csv(fs::File::open(train_file).unwrap()).unwrap();
    encode(&mut all.examples);
    let names: Vec<&str> = all.labels.iter().map(String::as_str).collect();
    let names = encoder.encode(&names);
    all.set_name_vectors(names.iter().map(|name| Vector::of(name)).collect());
    let test = (test_file != "-").then(|| {
        let mut collector = Collector::new(LabelSyntax::One);
        collector.read_csv(fs::File::open(test_file).unwrap()).unwrap();
        let mut test = collector.test_set(&all.labels).unwrap().examples;
        encode(&mut test);
        test
    });

    println!("labels | n-grams: accuracy, ECE, AUROC | and encoder");
    let seeds: u64 = seeds.parse().unwrap();
    for size in sizes.split(',').map(|size| size.parse::<usize>().unwrap()) {
        let mut sums = [[0.0; 3]; 2];
        for seed in 1..=seeds {
            let mut set = all.clone();
            Random::new(seed).shuffle(&mut set.examples);
            let rest = set.examples.split_off(size);
            let test = test.as_deref().unwrap_or(&rest);
            set.encoder = Some(encoder.identity().to_owned());
            let with = measure(&set, test);
            set.encoder = None;
            set.examples.iter_mut().for_each(|example| example.vector = None);
            for (sums, measured) in sums.iter_mut().zip([measure(&set, test), with]) {
                let sums = sums.iter_mut().zip(measured);
                sums.for_each(|(sum, value)| *sum += value / seeds as f64);
            }
        }
        let [without, with] =
            sums.map(|[accuracy, ece, auroc]| format!("{:.1} {ece:.3} {auroc:.3}", accuracy * 100.0));
        println!("{size} | {without} | {with}");
    }
}

/// Classes that chance left out are never predicted; their texts count.
fn measure(set: &TrainingSet, test: &[Example]) -> [f64; 3] {
    let mut present: Vec<u32> = set.examples.iter().map(|example| example.labels[0]).collect();
    present.sort_unstable();
    present.dedup();
    let mut smaller = set.clone();
    let name = |&label: &u32| set.labels[label as usize].clone();
    smaller.labels = present.iter().map(name).collect();
    let name = |&label: &u32| set.names[label as usize].clone();
    smaller.names = present.iter().map(name).collect();
    for example in &mut smaller.examples {
        let number = present.binary_search(&example.labels[0]).unwrap();
        example.labels = [number as u32].into();
    }
    let model = train(&smaller, 1).model;
    let judge = |example: &Example| {
        let mut probabilities = vec![0.0; set.labels.len()];
        let given = model.probabilities(&example.features, example.vector.as_ref());
        let given = present.iter().zip(given);
        given.for_each(|(&label, probability)| probabilities[label as usize] = probability);
        Outcome {
            probabilities,
            truth: vec![example.labels[0] as usize],
        }
    };
    let outcomes: Vec<Outcome> = test.iter().map(judge).collect();
    let confidence = Confidence::of(set.mode, &outcomes);
    let accuracy = metrics::evaluate(set.mode, set.labels.len(), &outcomes).accuracy;
    [
        accuracy,
        confidence.calibration_error,
        confidence.auroc.unwrap_or(0.0),
    ]
}
