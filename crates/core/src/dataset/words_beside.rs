//! Words that may be labels and stand within texts, beside a sign: `Billing: The invoice is wrong`, `It is late@negative`.

use std::collections::BTreeSet;

/// Texts from which such words are told.
const MIN_TEXTS: usize = 6;

/// Longest word, in characters.
const MAX_CHARACTERS: usize = 30;

/// Most different words that may be labels.
const MAX_WORDS: usize = 1_000;

/// What stands between a word and its text.
const SIGNS: [&str; 5] = [": ", "@", "  ", " - ", "#"];

/// Looks in texts, one by one, for one of few words that stands at the same end of each beside the same sign.
#[derive(Clone, Debug)]
pub struct WordsBeside {
    texts: usize,
    /// By sign, first what stands at the beginning, then what stands at the end; `None` where a text has no such word, or words
    /// are too many.
    words: Vec<Option<BTreeSet<String>>>,
}

impl Default for WordsBeside {
    fn default() -> Self {
        Self {
            texts: 0,
            words: vec![Some(BTreeSet::new()); 2 * SIGNS.len()],
        }
    }
}

impl WordsBeside {
    /// Looks in a text.
    pub fn add(&mut self, text: &str) {
        let text = text.trim();
        self.texts += 1;
        for (sign, ends) in SIGNS.iter().zip(self.words.chunks_mut(2)) {
            let first = text.split_once(sign).map(|(word, _)| word.trim());
            let last = text.rsplit_once(sign).map(|(_, word)| word.trim());
            for (words, word) in ends.iter_mut().zip([first, last]) {
                keep(words, word);
            }
        }
    }

    /// Says where the words stand and how many they are; nothing where there are none, or as many as texts differ.
    pub fn told(&self) -> Option<String> {
        if self.texts < MIN_TEXTS {
            return None;
        }
        let places = SIGNS
            .iter()
            .flat_map(|sign| [("begins with", sign), ("ends with", sign)]);
        let mut found = places
            .zip(&self.words)
            .filter_map(|(place, words)| Some((place, words.as_ref()?.len())));
        let ((place, sign), count) = found.find(|(_, count)| *count > 1 && 2 * count <= self.texts)?;
        Some(format!("{place} one of {count} words beside `{sign}`"))
    }
}

/// Adds a word that may be a label; the place is given up where there is none.
fn keep(words: &mut Option<BTreeSet<String>>, word: Option<&str>) {
    let Some(known) = words else { return };
    match word.filter(|word| !word.is_empty() && word.chars().count() <= MAX_CHARACTERS) {
        Some(word) if known.contains(word) => {}
        Some(word) if known.len() < MAX_WORDS => _ = known.insert(word.to_owned()),
        Some(_) | None => *words = None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_words_beside_a_sign_in_each_text_are_told_and_words_that_differ_are_not() {
        let told = |text: fn(usize) -> String| {
            let mut words = WordsBeside::default();
            (0..8).for_each(|at| words.add(&text(at)));
            words.told()
        };
        let begins = told(|at| format!("{}: The story of item {at}", ["Billing", "Login"][at % 2]));
        let ends = told(|at| format!("The story of item {at}@{}", ["good", "bad"][at % 2]));

        assert_eq!(begins.as_deref(), Some("begins with one of 2 words beside `: `"));
        assert_eq!(ends.as_deref(), Some("ends with one of 2 words beside `@`"));
        assert_eq!(told(|at| format!("Item {at}: it goes on")), None);
        assert_eq!(told(|at| format!("Note: the story of item {at}")), None);
    }
}
