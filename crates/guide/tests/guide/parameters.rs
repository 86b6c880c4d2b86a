//! The page of parameters says what the template says.

use std::collections::BTreeMap;

use crate::markdown::{Kind, code_spans, guide_page, read};

const PAGE: &str = "reference/parameters.md";

#[test]
fn every_parameter_of_the_template_has_its_heading_with_default_and_range() {
    let page = guide_page(PAGE);

    let mut wrong = Vec::new();
    for (name, fields) in entries("Parameters") {
        let expected = describe(&fields);
        let section = page.section(&format!("`{name}`"));
        let first = section.as_deref().and_then(|blocks| blocks.first());
        match first.map(|block| &block.kind) {
            Some(Kind::Prose(text)) if *text == expected => {}
            _ => wrong.push(format!("### `{name}`\n\n{expected}\n\n{}", fields["Description"])),
        }
    }

    assert!(
        wrong.is_empty(),
        "{PAGE} lacks, or says otherwise:\n\n{}",
        wrong.join("\n\n")
    );
}

#[test]
fn no_parameter_is_described_that_the_template_does_not_have() {
    let page = guide_page(PAGE);
    let known = entries("Parameters");

    let unknown: Vec<String> = (page.blocks().into_iter())
        .filter_map(|block| match block.kind {
            Kind::Heading(heading) if heading.starts_with('`') => Some(heading),
            _ => None,
        })
        .filter(|heading| !known.contains_key(heading.trim_matches('`')))
        .collect();

    assert!(
        unknown.is_empty(),
        "{PAGE} describes what is not in the template: {unknown:?}"
    );
}

#[test]
fn every_output_of_the_template_is_in_the_table_and_no_other() {
    let section = guide_page(PAGE).section("Outputs").expect("the section is there");
    let mut described: Vec<String> = Vec::new();
    for block in section {
        if let Kind::Row(cells) = block.kind {
            described.extend(code_spans(&cells[0]).into_iter().map(str::to_owned));
        }
    }
    described.sort();

    let outputs: Vec<String> = entries("Outputs").into_keys().collect();

    assert_eq!(described, outputs);
}

/// Says default and range as the page does.
fn describe(fields: &BTreeMap<String, String>) -> String {
    let default = match fields.get("Default").map(|value| value.trim_matches('\'')) {
        None => "Required.".to_owned(),
        Some("") => "Default: empty.".to_owned(),
        Some(value) => format!("Default: `{value}`."),
    };
    let range = match (
        fields.get("AllowedValues"),
        fields.get("MinValue"),
        fields.get("MaxValue"),
    ) {
        (Some(values), ..) => {
            let values = values.trim_matches(['[', ']']).split(',');
            let values: Vec<_> = values
                .map(|value| format!("`{}`", value.trim().trim_matches('\'')))
                .collect();
            format!(" One of {}.", values.join(", "))
        }
        (None, Some(least), Some(most)) => format!(" From {least} to {most}."),
        (None, Some(least), None) => format!(" At least {least}."),
        (None, None, Some(most)) => format!(" At most {most}."),
        (None, None, None) => String::new(),
    };
    default + &range
}

/// Reads the entries of a block of the template with their fields of one line.
fn entries(block: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let template = read("infra/template.yaml");
    let mut lines = template.lines();
    let title = format!("{block}:");
    lines.find(|line| *line == title).expect("the block is there");
    let mut entries: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut name = String::new();
    for line in lines.take_while(|line| line.is_empty() || line.starts_with([' ', '#'])) {
        let indented = line.len() - line.trim_start().len();
        match (indented, line.trim().split_once(':')) {
            (2, Some((key, ""))) => {
                name = key.to_owned();
                entries.insert(name.clone(), BTreeMap::new());
            }
            (4, Some((key, value))) => {
                let fields = entries.get_mut(&name).expect("fields follow a name");
                fields.insert(key.to_owned(), value.trim().to_owned());
            }
            _ => {}
        }
    }
    entries
}
