//! Examples are what they say, and metrics are those that functions count.

use std::{collections::BTreeSet, path::Path};

use crate::markdown::{Kind, code_spans, files_under, guide_page, pages, read};

#[test]
fn every_json_example_parses() {
    let mut wrong = Vec::new();
    for page in pages() {
        for block in page.blocks() {
            if let Kind::Code { language, text } = &block.kind
                && language == "json"
                && let Err(error) = serde_json::from_str::<serde_json::Value>(text)
            {
                wrong.push(format!("{}:{}: {error}", page.path.display(), block.line));
            }
        }
    }

    assert!(wrong.is_empty(), "not JSON:\n{}", wrong.join("\n"));
}

#[test]
fn every_code_block_says_its_language() {
    let mut without = Vec::new();
    for page in pages() {
        for block in page.blocks() {
            if matches!(&block.kind, Kind::Code { language, .. } if language.is_empty()) {
                without.push(format!("{}:{}", page.path.display(), block.line));
            }
        }
    }

    assert!(without.is_empty(), "no language: {without:?}");
}

#[test]
fn every_metric_that_a_function_counts_is_on_the_page_and_no_other() {
    let page = guide_page("reference/metrics-and-alarms.md");
    let described: BTreeSet<String> = (page.blocks().iter())
        .filter_map(|block| match &block.kind {
            Kind::Row(cells) => Some(&cells[0]),
            _ => None,
        })
        .flat_map(|cell| code_spans(cell))
        .filter(|name| !name.contains('/') && !["Errors", "Throttles"].contains(name))
        .map(str::to_owned)
        .collect();
    let sources: Vec<String> = (files_under("crates", "rs").into_iter())
        .filter(|path| is_source(path))
        .map(read)
        .collect();

    let counted: BTreeSet<String> = sources.iter().flat_map(|source| counted(source)).collect();
    let missing: Vec<_> = counted.difference(&described).collect();
    let unknown: Vec<_> = (described.iter())
        .filter(|name| {
            !sources
                .iter()
                .any(|source| source.contains(&format!("\"{name}\"")))
        })
        .collect();

    assert!(
        counted.len() > 20,
        "only {} metrics were found in the code",
        counted.len()
    );
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    assert!(unknown.is_empty(), "no function counts: {unknown:?}");
}

fn is_source(path: &Path) -> bool {
    path.iter().any(|part| part == "src")
}

/// Returns the names in calls of `metrics::count`.
fn counted(source: &str) -> Vec<String> {
    let calls = source.split("metrics::count(").skip(1);
    let arguments = calls.map(|rest| rest.split(");").next().unwrap_or_default());
    let strings = arguments.flat_map(|text| text.split('"').skip(1).step_by(2));
    let names = strings.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()));
    names.map(str::to_owned).collect()
}
