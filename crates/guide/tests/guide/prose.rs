//! The measures of prose: what is easy to read is short.

use crate::markdown::{Kind, Page, pages, read};

/// Most lines of the README.
const README_LINES: usize = 120;
/// Most columns of a line, in characters.
const COLUMNS: usize = 110;
/// Most words of a paragraph or list item.
const PARAGRAPH_WORDS: usize = 80;
/// Words that a sentence should not exceed, and the share of sentences that must not.
const SENTENCE_WORDS: usize = 25;
const SHORT_SENTENCES: f64 = 0.9;

/// What we say in the place of words that are our own or out of use.
const WORDS: [(&str, &str); 9] = [
    ("nobody", "no one"),
    ("whoever", "anyone who, the user"),
    ("lies under", "is under"),
    ("lies below", "is under"),
    ("worked off", "processed"),
    ("near copy", "near duplicate"),
    ("near copies", "near duplicates"),
    ("put down to", "attributed to"),
    ("made good", "repaired"),
];

#[test]
fn the_readme_sells_and_starts_and_leaves_the_rest_to_the_guide() {
    let lines = read("README.md").lines().count();

    assert!(
        lines <= README_LINES,
        "README.md has {lines} lines, more than {README_LINES}"
    );
}

#[test]
fn no_line_is_too_wide() {
    let mut wide = Vec::new();
    for page in pages() {
        for (index, line) in page.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS {
                wide.push(format!(
                    "{}:{}: {columns} columns",
                    page.path.display(),
                    index + 1
                ));
            }
        }
    }

    assert!(wide.is_empty(), "wider than {COLUMNS}:\n{}", wide.join("\n"));
}

#[test]
fn no_paragraph_is_too_long() {
    let mut long = Vec::new();
    for page in pages() {
        for (line, paragraph) in paragraphs(&page) {
            let words = paragraph.split_whitespace().count();
            if words > PARAGRAPH_WORDS {
                long.push(format!("{}:{line}: {words} words", page.path.display()));
            }
        }
    }

    assert!(
        long.is_empty(),
        "longer than {PARAGRAPH_WORDS} words:\n{}",
        long.join("\n")
    );
}

#[test]
fn nine_of_ten_sentences_of_every_page_are_short() {
    let mut heavy = Vec::new();
    for page in pages() {
        let sentences: Vec<(usize, String)> = (paragraphs(&page).into_iter())
            .flat_map(|(line, paragraph)| sentences(&paragraph).into_iter().map(move |it| (line, it)))
            .collect();
        let long: Vec<_> = (sentences.iter())
            .filter(|(_, sentence)| sentence.split_whitespace().count() > SENTENCE_WORDS)
            .collect();
        let share = 1.0 - long.len() as f64 / sentences.len().max(1) as f64;
        if share < SHORT_SENTENCES && long.len() > 1 {
            heavy.push(format!(
                "{}: {:.0} % of {} are short",
                page.path.display(),
                100.0 * share,
                sentences.len()
            ));
            heavy.extend(
                long.iter()
                    .map(|(line, sentence)| format!("  line {line}: {sentence}")),
            );
        }
    }

    assert!(
        heavy.is_empty(),
        "sentences of more than {SENTENCE_WORDS} words:\n{}",
        heavy.join("\n")
    );
}

#[test]
fn pages_use_the_words_of_the_field() {
    let mut found = Vec::new();
    for page in pages() {
        for (line, paragraph) in paragraphs(&page) {
            let paragraph = paragraph.to_lowercase();
            let wrong = WORDS.iter().filter(|(word, _)| paragraph.contains(word));
            found.extend(wrong.map(|(word, instead)| {
                let path = page.path.display();
                format!("{path}:{line}: \"{word}\"; say {instead}")
            }));
        }
    }

    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Returns paragraphs and list items with their lines; a link counts as its text.
fn paragraphs(page: &Page) -> Vec<(usize, String)> {
    let blocks = page.blocks().into_iter();
    let prose = blocks.filter_map(|block| match block.kind {
        Kind::Prose(text) => Some((block.line, without_targets(&text))),
        _ => None,
    });
    prose.collect()
}

fn without_targets(text: &str) -> String {
    let mut parts = text.split("](");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
    }
    plain.replace(['[', '!'], "")
}

/// Splits at full stops and question marks before a new beginning, and at the colon that a list follows.
fn sentences(paragraph: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    for word in paragraph.split_whitespace() {
        let begins = word.starts_with(|c: char| c.is_uppercase() || matches!(c, '`' | '*' | '"' | '('));
        let last = sentences.last_mut().expect("there is one");
        let ended = last.trim_end_matches(['*', '"', ')']).ends_with(['.', '?', ':']);
        if begins && ended {
            sentences.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    sentences
}
