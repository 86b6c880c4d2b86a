//! What the likeness of vectors would say of copies: of pairs in many scripts, and of edited news.
//!
//! `cargo run --release -p text-model --example copies -- PAIRS.tsv NEWS.csv STEP [FOLDER]`: an n-gram model learns from three
//! quarters of the news and gives the scores; one text in `STEP` of the others is edited. Through the built-in encoder, or that
//! of a folder. Copies of form are left out: they are found without.

#![allow(clippy::unwrap_used, reason = "a tool for developers")]

#[path = "../../core/tests/edits/mod.rs"]
#[allow(dead_code, reason = "the tests use all of them")]
mod edits;

use std::{env, fs, path::Path, sync::Arc};

use active_learning_core::{
    dataset::{Mode, read_csv},
    feedback::{ClassScore, FeedbackRecord, FeedbackRequest, Source},
    sampling::duplicates::{RecentTexts, same_form},
    text::Vector,
};
use edits::{CHANGES, CONTRASTS};
use text_encoder::Encoder;
use text_model::{Model, TrainingSet, train};

const LIMITS: [f32; 7] = [0.0, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99];

/// Two texts, what is known of them and how alike their vectors are.
struct Pair {
    words: bool,
    scores: bool,
    cosine: f32,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [pairs, news, step, folder @ ..] = &arguments[..] else {
        panic!("usage: copies PAIRS.tsv NEWS.csv STEP [FOLDER]");
    };
    let encoder = folder.first().map_or_else(Encoder::built_in, |folder| {
        Arc::new(Encoder::load(Path::new(folder)).unwrap())
    });
    let file = fs::read_to_string(pairs).unwrap();
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let lines: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
    header("pairs");
    for english in [false, true] {
        for kind in ["same", "other"] {
            let of_kind = lines
                .iter()
                .filter(|line| line[0] == kind && (!english || line[1].is_ascii() && line[2].is_ascii()));
            let texts: Vec<(String, String)> = of_kind
                .map(|line| (line[1].to_owned(), line[2].to_owned()))
                .collect();
            let name = if english { "in ASCII" } else { "all" };
            print(&format!("{kind}, {name}"), &judge(&encoder, None, &texts));
        }
    }

    let news = fs::read(news).unwrap();
    let rows = read_csv(&news[..], Mode::MultiClass).map(Result::unwrap);
    let (held_out, trained): (Vec<_>, Vec<_>) =
        rows.enumerate().partition(|(number, _)| number.is_multiple_of(4));
    let mut csv = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    for (_, row) in &trained {
        csv.write_record([&row.labels[0], &row.text]).unwrap();
    }
    let model = train(&TrainingSet::read_csv(&csv.into_inner().unwrap()[..]).unwrap(), 1).model;
    let texts: Vec<String> = held_out.into_iter().map(|(_, row)| row.text).collect();
    header("news");
    for (name, edit) in CHANGES.into_iter().chain(CONTRASTS) {
        let edited = (0..texts.len()).step_by(step.parse().unwrap()).map(|number| {
            let other = &texts[(number + 1) % texts.len()];
            (texts[number].clone(), edit(&texts[number], other, number))
        });
        print(name, &judge(&encoder, Some(&model), &edited.collect::<Vec<_>>()));
    }
}

fn judge(encoder: &Encoder, model: Option<&Model>, texts: &[(String, String)]) -> Vec<Pair> {
    let vectors = |texts: Vec<&str>| encoder.encode(&texts);
    let first = vectors(texts.iter().map(|(text, _)| text.as_str()).collect());
    let second = vectors(texts.iter().map(|(_, text)| text.as_str()).collect());
    let both = texts.iter().zip(first.iter().zip(&second));
    let pairs = both.filter_map(|((a, b), (first, second))| {
        let merged = |model| {
            let mut recent = RecentTexts::default();
            recent.insert(&record(a, model));
            recent.original(&record(b, model)).is_some()
        };
        let differ = same_form(&record(a, None)) != same_form(&record(b, None));
        differ.then(|| Pair {
            words: merged(None),
            scores: merged(model),
            cosine: Vector::of(first).cosine(&Vector::of(second)),
        })
    });
    pairs.collect()
}

/// Without a model as if no edit moved it.
fn record(text: &str, model: Option<&Model>) -> FeedbackRecord {
    let request = FeedbackRequest {
        classifier: "news".into(),
        sentence: text.into(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00Z");
    let predictions = model.map_or_else(Vec::new, |model| model.predict(text));
    let mut classes: Vec<ClassScore> = predictions
        .iter()
        .map(|prediction| ClassScore {
            name: prediction.label.to_owned(),
            score: prediction.score,
        })
        .collect();
    if classes.is_empty() {
        let name = "World".to_owned();
        classes.push(ClassScore { name, score: 0.9 });
    }
    FeedbackRecord {
        prediction: Some(classes[0].name.clone()),
        classes,
        ..record.unwrap()
    }
}

fn header(first: &str) {
    let limits = LIMITS.map(|limit| format!("{limit}")).join(" | ");
    println!(
        "\n{first} | pairs | words | words and scores | by vector alone, from {limits} | words and vector, from {limits}"
    );
}

fn print(name: &str, pairs: &[Pair]) {
    let count = |holds: &dyn Fn(&Pair) -> bool| pairs.iter().filter(|pair| holds(pair)).count();
    let at = |words: bool| {
        LIMITS
            .map(|limit| count(&|pair| (pair.words || !words) && pair.cosine >= limit).to_string())
            .join(" ")
    };
    println!(
        "{name} | {} | {} | {} | {} | {}",
        pairs.len(),
        count(&|pair| pair.words),
        count(&|pair| pair.scores),
        at(false),
        at(true)
    );
    let mut refused: Vec<f32> = pairs
        .iter()
        .filter(|pair| pair.words && !pair.scores)
        .map(|pair| pair.cosine)
        .collect();
    refused.sort_by(f32::total_cmp);
    println!("  cosines of those that scores refuse: {refused:.2?}");
}
