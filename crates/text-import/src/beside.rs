//! Labels that stand within the lines of texts, beside a sign: `Billing: The invoice is wrong`, `It is late@negative`.

use active_learning_core::dataset::WordsBeside;

/// Says that each line begins or ends with one of few words beside a sign, which may be labels.
pub(crate) fn note(lines: &[&str]) -> Option<String> {
    let mut words = WordsBeside::default();
    lines.iter().for_each(|line| words.add(line));
    let told = words.told()?;
    Some(format!(
        "each line {told}, which was read as part of the text: if these are labels, put them into a column of their own"
    ))
}

#[cfg(test)]
mod tests {
    use crate::{Options, read};

    fn told(line: fn(usize) -> String) -> Vec<String> {
        let content: String = (0..8).map(|at| line(at) + "\n").collect();
        read(content.as_bytes(), &Options::default())
            .expect("lines")
            .notes
    }

    fn label(at: usize) -> &'static str {
        ["Billing", "Login", "Delivery"][at % 3]
    }

    #[test]
    fn labels_beside_a_sign_within_each_line_are_told_and_words_that_differ_are_not() {
        for (line, words) in [
            (
                (|at| format!("{}: The story of item {at}", label(at))) as fn(usize) -> String,
                "begins with one of 3 words beside `: `",
            ),
            (
                |at| format!("The story of item {at}@{}", label(at)),
                "ends with one of 3 words beside `@`",
            ),
            (
                |at| format!("The story of item {at}     {}", label(at)),
                "ends with one of 3 words beside `  `",
            ),
        ] {
            let notes = told(line);
            assert!(notes.iter().any(|note| note.contains(words)), "{notes:?}");
        }
        for line in [
            (|at| format!("The story of item {at}: it goes on")) as fn(usize) -> String,
            |at| format!("Note: the story of item {at}"),
        ] {
            let notes = told(line);
            assert!(!notes.iter().any(|note| note.contains("beside")), "{notes:?}");
        }
    }
}
