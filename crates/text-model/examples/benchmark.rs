//! Trains on one file and classifies another, for `benches/compare.py`: one JSON object of measurements on the
//! standard output.
//!
//! `benchmark TRAIN.csv TEST.csv MODEL SCORES.csv [encoder | MAX_WEIGHT_BYTES]`: both files in Comprehend's CSV; the
//! model is written to MODEL, the probabilities of each test row, in the order of the labels, to SCORES.csv. With
//! `encoder` it looks through the built-in text encoder, whose time counts.

use std::{env, error::Error, fs, hint::black_box, iter, time::Instant};

use active_learning_core::text::Vector;
use serde_json::json;
use text_encoder::Encoder;
use text_model::{Model, TrainingSet, train, train_within};

/// Measurements of which the median counts.
const RUNS: usize = 5;
/// Passes over the test texts in a measurement: the processor's time is known in hundredths of a second.
const PASSES: usize = 20;
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [train_file, test_file, model_file, scores_file, variant @ ..] = &arguments[..] else {
        return Err(
            "usage: benchmark TRAIN.csv TEST.csv MODEL SCORES.csv [encoder | MAX_WEIGHT_BYTES]".into(),
        );
    };
    let start = Instant::now();
    let mut set = TrainingSet::read_csv(fs::File::open(train_file)?)?;
    let mut encoder = None;
    let trained = match variant.first().map(String::as_str) {
        None => train(&set, SEED),
        Some("encoder") => {
            let built_in = encoder.insert(Encoder::built_in());
            let texts = set.texts().ok_or("too many texts")?;
            let vectors = encode(built_in, &texts);
            set.set_vectors(built_in.identity(), vectors);
            let names: Vec<&str> = set.labels.iter().map(String::as_str).collect();
            set.set_name_vectors(encode(built_in, &names));
            train(&set, SEED)
        }
        Some(bytes) => train_within(&set, bytes.parse()?, SEED),
    };
    let train_wall_seconds = start.elapsed().as_secs_f64();
    let train_seconds = process_seconds()?;
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
    let texts: Vec<&str> = rows.iter().map(|(_, text)| text.as_str()).collect();
    let mut vectors = vec![None; rows.len()];
    let mut rates = Vec::new();
    // An encoder takes long enough to be measured once.
    let (runs, passes) = if encoder.is_some() { (1, 1) } else { (RUNS, PASSES) };
    for _ in 0..runs {
        let start = process_seconds()?;
        if let Some(encoder) = &encoder {
            vectors = encode(encoder, &texts).into_iter().map(Some).collect();
        }
        for (text, vector) in iter::repeat_n(texts.iter().zip(&vectors), passes).flatten() {
            black_box(model.predict_with(black_box(text), vector.as_ref()));
        }
        rates.push((passes * rows.len()) as f64 / (process_seconds()? - start).max(1e-9));
    }
    rates.sort_by(f64::total_cmp);

    let mut scores = csv::Writer::from_path(scores_file)?;
    scores.write_record(model.labels())?;
    for (text, vector) in texts.iter().zip(&vectors) {
        let mut predictions = model.predict_with(text, vector.as_ref());
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
            "train_wall_seconds": train_wall_seconds,
            "load_milliseconds": load_milliseconds,
            "texts_per_second": rates[runs / 2],
            "file_bytes": file.len(),
            "cross_validated_accuracy": trained.metrics.accuracy,
        })
    );
    Ok(())
}

fn encode(encoder: &Encoder, texts: &[&str]) -> Vec<Vector> {
    let vectors = encoder.encode(texts);
    vectors.iter().map(|vector| Vector::of(vector)).collect()
}

/// Returns the time that the processor has spent on this process, all its threads together.
///
/// Only Linux tells. Source: proc(5), `/proc/self/stat`, user and system time in hundredths of a second.
fn process_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no process name")?;
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}
