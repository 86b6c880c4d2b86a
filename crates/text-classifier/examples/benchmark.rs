//! Trains on one file and classifies another, for `benches/compare.py`: one JSON object of measurements on the
//! standard output.
//!
//! `benchmark TRAIN.csv TEST.csv MODEL SCORES.csv`: both files in Comprehend's CSV; the model is written to
//! MODEL, the probabilities of each test row, in the order of the labels, to SCORES.csv.

use std::{env, error::Error, fs, time::Instant};

use serde_json::json;
use text_classifier::{Model, TrainingSet, train};

/// Runs over the test texts of which the median counts.
const RUNS: usize = 5;
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [train_file, test_file, model_file, scores_file] = &arguments[..] else {
        return Err("usage: benchmark TRAIN.csv TEST.csv MODEL SCORES.csv".into());
    };
    let start = Instant::now();
    let set = TrainingSet::read_csv(fs::File::open(train_file)?)?;
    let trained = train(&set, SEED);
    let train_seconds = start.elapsed().as_secs_f64();
    fs::write(model_file, trained.model.to_bytes())?;

    let file = fs::read(model_file)?;
    let start = Instant::now();
    let model = Model::from_bytes(&file)?;
    let load_milliseconds = start.elapsed().as_secs_f64() * 1e3;

    let rows: Vec<(String, String)> = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(test_file)?
        .deserialize()
        .collect::<Result<_, _>>()?;
    let mut rates = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let certain = rows
            .iter()
            .filter(|(_, text)| model.predict(text)[0].score > 0.5)
            .count();
        rates.push(rows.len() as f64 / start.elapsed().as_secs_f64());
        assert!(
            certain <= rows.len(),
            "keeps the classification from being optimised away"
        );
    }
    rates.sort_by(f64::total_cmp);

    let mut scores = csv::Writer::from_path(scores_file)?;
    scores.write_record(model.labels())?;
    for (_, text) in &rows {
        let mut predictions = model.predict(text);
        predictions.sort_by_key(|prediction| prediction.label);
        scores.serialize(
            predictions
                .iter()
                .map(|prediction| prediction.score)
                .collect::<Vec<_>>(),
        )?;
    }
    scores.flush()?;
    println!(
        "{}",
        json!({
            "train_seconds": train_seconds,
            "load_milliseconds": load_milliseconds,
            "texts_per_second": rates[RUNS / 2],
            "file_bytes": file.len(),
            "cross_validated_accuracy": trained.metrics.accuracy,
        })
    );
    Ok(())
}
