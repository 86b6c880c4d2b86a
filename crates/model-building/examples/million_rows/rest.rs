//! What follows the dataset in a build: a model is trained, two models classify the held-out rows, and they are compared.

use std::{
    error::Error,
    fs::File,
    io::{BufRead, BufReader},
    time::Instant,
};

use active_learning_core::{
    dataset::{Mode, Row, read_csv},
    model::evaluation::{LabelNames, McNemar, TestPrediction, evaluate},
};
use text_model::{Model, TrainingSet, train};

use crate::{peak_kilobytes, processor_seconds};

/// Rows that the model of before has learnt from: its training counts little.
const ROWS_OF_CHAMPION: usize = 10_000;
const SEED: u64 = 1;

/// Says of each step how long it took, and the most memory so far.
pub fn of_the_build(folder: &str) -> Result<(), Box<dyn Error>> {
    let file = |name: &str| File::open(format!("{folder}/{name}"));
    let begin = Instant::now();
    let mut step = Step::begin();
    let set = TrainingSet::read_csv(file("train.csv")?)?;
    step.end("read the training file")?;
    let challenger = train(&set, SEED).model.to_bytes();
    drop(set);
    step.end("trained the challenger")?;

    let mut first = Vec::new();
    for line in BufReader::new(file("train.csv")?).lines().take(ROWS_OF_CHAMPION) {
        first.extend_from_slice(line?.as_bytes());
        first.push(b'\n');
    }
    let champion = train(&TrainingSet::read_csv(&first[..])?, SEED).model;
    step.end("trained a small champion")?;

    let challenger = Model::from_bytes(&challenger)?;
    let rows = read_csv(file("test.csv")?, Mode::MultiClass);
    let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
    let said = [&champion, &challenger].map(|model| predictions(model, &rows));
    step.end("classified the held-out rows by both")?;
    let [champion, challenger] = &said;
    let measured = said.each_ref().map(|said| evaluate(said).accuracy);
    let compared = McNemar::test(champion, challenger).ok_or("the rows are not the same")?;
    step.end("evaluated and compared them")?;
    println!(
        "{} held-out rows, accuracy {measured:.3?}, p {:.3}; {:.1} s in all",
        rows.len(),
        compared.p_value,
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A step that is being measured.
struct Step {
    start: Instant,
    processor: f64,
}

impl Step {
    fn begin() -> Self {
        Self {
            start: Instant::now(),
            processor: processor_seconds().unwrap_or_default(),
        }
    }

    /// Tells what it took, and begins the next one.
    fn end(&mut self, what: &str) -> Result<(), Box<dyn Error>> {
        println!(
            "{what}: {:.1} s, {:.1} s of the processor, peak {} MB",
            self.start.elapsed().as_secs_f64(),
            processor_seconds()? - self.processor,
            peak_kilobytes()? >> 10
        );
        *self = Self::begin();
        Ok(())
    }
}

fn predictions(model: &Model, rows: &[Row]) -> Vec<TestPrediction> {
    let said = rows.iter().filter_map(|row| {
        let said = model.predict(&row.text);
        let best = said.into_iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
        Some(TestPrediction {
            actual: LabelNames::of(&row.labels),
            predicted: LabelNames::from(best.label),
            confidence: best.score.into(),
        })
    });
    said.collect()
}
