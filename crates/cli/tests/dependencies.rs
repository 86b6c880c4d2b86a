//! What the program is made of: licences, sources, and what there may be one of only.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Crates that do the same as one that is there, are not kept up, or bring what the system should have.
const BANNED: [&str; 7] = [
    "native-tls",
    "openssl",
    "openssl-sys",
    "ring",
    "serde_yaml",
    "simd-json",
    "sled",
];
/// Crates of which several versions are too many.
const ONE_VERSION: [&str; 5] = ["cfg-if", "encoding_rs", "hyper", "rustls", "tokio"];

/// What compiles C or C++, or binds it.
const NATIVE: [&str; 7] = ["bindgen", "cc", "cmake", "cxx", "onig", "onig_sys", "pkg-config"];

fn packages() -> Vec<Value> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&metadata.stderr);
    assert!(metadata.status.success(), "{errors}");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn text<'a>(package: &'a Value, member: &str) -> &'a str {
    package[member].as_str().unwrap_or_default()
}

/// Splits an expression at a word that stands outside of brackets.
fn split<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, character) in expression.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && at >= start && expression[at..].starts_with(word) => {
                parts.push(&expression[start..at]);
                start = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(&expression[start..]);
    parts
}

/// Returns whether the licences that we take satisfy an SPDX expression.
fn is_satisfied(expression: &str) -> bool {
    let expression = expression.trim();
    for (word, needs_all) in [(" OR ", false), ("/", false), (" AND ", true)] {
        let parts = split(expression, word);
        if parts.len() > 1 {
            return match needs_all {
                true => parts.iter().all(|part| is_satisfied(part)),
                false => parts.iter().any(|part| is_satisfied(part)),
            };
        }
    }
    let inner = expression
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    inner.map_or_else(|| LICENCES.contains(&expression), is_satisfied)
}

#[test]
fn licences_are_those_that_we_take() {
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| !is_satisfied(text(package, "license")))
        .map(|package| format!("{}: {}", text(package, "name"), text(package, "license")))
        .collect();

    assert_eq!(refused, Vec::<String>::new());
    assert!(is_satisfied("ISC AND (GPL-3.0 OR MIT)"));
    assert!(!is_satisfied("MIT AND GPL-3.0") && !is_satisfied("GPL-3.0/LGPL-2.1") && !is_satisfied(""));
}

#[test]
fn everything_comes_from_the_registry_or_is_ours() {
    let elsewhere: Vec<String> = packages()
        .iter()
        .filter(|package| !package["source"].is_null() && package["source"] != REGISTRY)
        .map(|package| text(package, "name").to_owned())
        .collect();

    assert_eq!(elsewhere, Vec::<String>::new());
}

/// Names and versions of what is built into these packages, on whatever system. `metadata` has what no feature turns on as
/// well.
fn built_in(packages: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let tree = Command::new(env!("CARGO"))
        .arg("tree")
        .args(packages)
        .args(["--locked", "--offline", "--target", "all", "--prefix", "none"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs");
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&tree.stdout).lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            versions
                .entry(name.to_owned())
                .or_default()
                .insert(version.to_owned());
        }
    }
    versions
}

#[test]
fn there_is_one_tls_back_end_and_one_version_of_what_should_have_one() {
    let versions = built_in(&["--workspace"]);

    let banned: Vec<_> = BANNED
        .iter()
        .filter(|name| versions.contains_key(**name))
        .collect();
    let several: Vec<_> = ONE_VERSION
        .iter()
        .filter(|name| versions.get(**name).is_none_or(|versions| versions.len() != 1))
        .collect();

    assert!(banned.is_empty() && several.is_empty(), "{banned:?} {several:?}");
}

#[test]
fn the_text_encoder_brings_no_c() {
    let encoder = built_in(&["--package", "text-encoder", "--edges", "normal,build"]);
    let workspace = built_in(&["--workspace", "--edges", "normal,build"]);

    let native: Vec<_> = NATIVE
        .iter()
        .filter(|name| encoder.contains_key(**name))
        .collect();

    assert!(encoder.contains_key("tokenizers"), "{encoder:?}");
    // Others do: TLS has assembler.
    assert!(workspace.contains_key("cc"));
    assert!(native.is_empty(), "{native:?}");
}
