//! Measures an encoder: `cargo run --release -p text-encoder --example speed -- TEXTS.csv [FOLDER]`.
//!
//! Takes the second column of the file. Prints how long loading takes, texts a second and core, and the time of
//! one text of 50 tokens alone; of the process' CPU time, which other programs on the machine hardly change. With a
//! folder: that one, and how far the built-in one is from it.

#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::{env, fs, path::Path};

use text_encoder::{Encoder, built_in_files};

/// CPU seconds of this process, all threads.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let ticks: Vec<f64> = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|n| n.parse().unwrap())
        .collect();
    ticks.iter().sum::<f64>() / 100.0
}

fn main() {
    let file = fs::read_to_string(env::args().nth(1).unwrap()).unwrap();
    let folder = env::args().nth(2);
    let texts: Vec<&str> = file
        .lines()
        .filter_map(|line| Some(line.split_once(',')?.1))
        .take(1_000)
        .collect();

    let start = cpu();
    let encoder = match &folder {
        Some(folder) => Encoder::load(Path::new(folder)).unwrap(),
        None => Encoder::from_files(built_in_files()).unwrap(),
    };
    println!(
        "load, identity included: {:.2} s; {}",
        cpu() - start,
        encoder.identity()
    );

    let start = cpu();
    let tokens: usize = texts.iter().map(|text| encoder.tokens(text).len()).sum();
    println!(
        "tokens: {:.1} a text, {:.3} ms a text",
        tokens as f64 / texts.len() as f64,
        cpu() - start
    );

    let start = cpu();
    let vectors = encoder.encode(&texts);
    println!(
        "batch: {:.1} texts/s and core",
        texts.len() as f64 / (cpu() - start)
    );

    for wanted in [50, 7] {
        let text: String = "profit ".repeat(wanted - 2);
        assert_eq!(encoder.tokens(&text).len(), wanted);
        let start = cpu();
        for _ in 0..200 {
            std::hint::black_box(encoder.encode(&[&text]));
        }
        println!("one text of {wanted} tokens: {:.2} ms", (cpu() - start) * 5.0);
    }

    if folder.is_some() {
        let built_in = Encoder::built_in().encode(&texts);
        let dot =
            |(left, right): (&Vec<f32>, &Vec<f32>)| left.iter().zip(right).map(|(a, b)| a * b).sum::<f32>();
        let mut cosines: Vec<f32> = vectors.iter().zip(&built_in).map(dot).collect();
        cosines.sort_by(f32::total_cmp);
        println!(
            "cosine to the built-in one: least {}, median {}",
            cosines[0],
            cosines[texts.len() / 2]
        );
    }
}
