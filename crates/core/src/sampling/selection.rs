//! How labelled texts were selected, and so for how many texts of the traffic each of them stands.
//!
//! A dataset keeps it beside its training file, as [`SelectedTexts`]: of each text that is no sample by itself, found by the
//! digest of the text, so that it names none. The file begins with a header; each text then takes 21 bytes: the first 16 bytes
//! of its SHA-256, how it was selected in a byte, and the probability as `f32`, little-endian. Files of releases before hold
//! the 16 bytes alone, of texts that were chosen.

use std::collections::BTreeMap;

use crate::text::VectorId;

/// First bytes of a file that has probabilities.
const HEADER: [u8; 16] = *b"selected texts 2";
const ID_BYTES: usize = size_of::<VectorId>();
const ENTRY_BYTES: usize = ID_BYTES + 1 + size_of::<f32>();

/// How a text came to be labelled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum SelectedBy {
    /// Chance or nobody: a sample of what is classified, as far as anybody knows. Files, and the pool without a choice.
    #[default]
    Chance,
    /// A model's doubt or a user's, or it was to stand for others; the probability of it is not known.
    Choice,
    /// The audit, which takes predictions that are trusted with this probability, above 0 and at most 1.
    Audit(f64),
    /// The review policy, which takes doubtful predictions with this probability, above 0 and at most 1.
    Policy(f64),
}

impl SelectedBy {
    /// Returns the same with a probability that is so many times as large, where one is known: of what was selected, only
    /// that share is at hand.
    ///
    /// A share that makes none of it changes nothing.
    #[must_use]
    pub fn of_share(self, share: f64) -> Self {
        let times = |probability: f64| Some(probability * share).filter(|product| is_probability(*product));
        match self {
            Self::Audit(probability) => times(probability).map_or(self, Self::Audit),
            Self::Policy(probability) => times(probability).map_or(self, Self::Policy),
            Self::Chance | Self::Choice => self,
        }
    }

    fn to_bytes(self) -> [u8; ENTRY_BYTES - ID_BYTES] {
        let (how, probability) = match self {
            Self::Choice => (0, 0.0),
            Self::Audit(probability) => (1, probability),
            Self::Policy(probability) => (2, probability),
            Self::Chance => (3, 0.0),
        };
        let [a, b, c, d] = (probability as f32).to_le_bytes();
        [how, a, b, c, d]
    }

    /// Reads what is known; a probability that can be none is not.
    fn from_bytes([how, probability @ ..]: [u8; ENTRY_BYTES - ID_BYTES]) -> Self {
        let probability = f64::from(f32::from_le_bytes(probability));
        match how {
            1 if is_probability(probability) => Self::Audit(probability),
            2 if is_probability(probability) => Self::Policy(probability),
            0 | 2 => Self::Choice,
            _ => Self::Chance,
        }
    }
}

/// Returns whether a number is a probability with which something may have been selected: above 0 and at most 1.
pub(crate) fn is_probability(number: f64) -> bool {
    number > 0.0 && number <= 1.0
}

/// How texts were selected, of those that are no sample by themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectedTexts(BTreeMap<VectorId, SelectedBy>);

impl SelectedTexts {
    /// Returns how a text was selected.
    #[must_use]
    pub fn of(&self, text: &VectorId) -> SelectedBy {
        self.0.get(text).copied().unwrap_or_default()
    }

    /// Takes over what others say; where both know a text, what they say.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Returns whether all texts are a sample by themselves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for (id, selected) in &self.0 {
            bytes.extend(id);
            bytes.extend(selected.to_bytes());
        }
        bytes
    }

    /// Reads a file of this release or of one before; of one that was cut short the whole entries.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let Some(entries) = bytes.strip_prefix(&HEADER) else {
            let ids = bytes.as_chunks::<ID_BYTES>().0.iter();
            return ids.map(|id| (*id, SelectedBy::Choice)).collect();
        };
        let entries = entries.as_chunks::<ENTRY_BYTES>().0.iter();
        entries
            .filter_map(|entry| {
                let (id, selected) = entry.split_first_chunk()?;
                Some((*id, SelectedBy::from_bytes(selected.try_into().ok()?)))
            })
            .collect()
    }

    /// Returns what is left of a file without some texts, and how many were in it. All else stays byte for byte; nothing is
    /// left where no text is.
    #[must_use]
    pub fn without(bytes: &[u8], is_left_out: impl Fn(&VectorId) -> bool) -> (Vec<u8>, u64) {
        let (header, size) = match bytes.starts_with(&HEADER) {
            true => (HEADER.len(), ENTRY_BYTES),
            false => (0, ID_BYTES),
        };
        let (header, entries) = bytes.split_at(header);
        let (mut kept, mut left_out) = (Vec::new(), 0);
        for entry in entries.chunks(size) {
            match entry.first_chunk().is_some_and(&is_left_out) {
                true => left_out += 1,
                false => kept.extend(entry),
            }
        }
        if !kept.is_empty() {
            kept.splice(..0, header.iter().copied());
        }
        (kept, left_out)
    }
}

/// Of what chance took nothing is kept.
impl FromIterator<(VectorId, SelectedBy)> for SelectedTexts {
    fn from_iter<T: IntoIterator<Item = (VectorId, SelectedBy)>>(texts: T) -> Self {
        let is_told = |(_, selected): &(VectorId, SelectedBy)| *selected != SelectedBy::Chance;
        Self(texts.into_iter().filter(is_told).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::vector_id;

    fn texts() -> SelectedTexts {
        let texts = [
            ("asked", SelectedBy::Policy(1.0)),
            ("audited", SelectedBy::Audit(0.015_625)),
            ("disliked", SelectedBy::Choice),
            ("of a file", SelectedBy::Chance),
        ];
        texts
            .map(|(text, selected)| (vector_id(text), selected))
            .into_iter()
            .collect()
    }

    #[test]
    fn a_file_says_how_each_text_was_selected() {
        let read = SelectedTexts::from_bytes(&texts().to_bytes());

        assert_eq!(read, texts());
        let of = |text| read.of(&vector_id(text));
        assert_eq!(of("asked"), SelectedBy::Policy(1.0));
        assert_eq!(of("audited"), SelectedBy::Audit(0.015_625));
        assert_eq!(of("disliked"), SelectedBy::Choice);
        assert_eq!([of("of a file"), of("unknown")], [SelectedBy::Chance; 2]);
    }

    #[test]
    fn a_file_of_the_release_before_names_the_chosen_texts() {
        let ids = ["one", "two"].map(vector_id);

        let read = SelectedTexts::from_bytes(&ids.concat());

        assert_eq!(ids.map(|id| read.of(&id)), [SelectedBy::Choice; 2]);
        assert_eq!(read.of(&vector_id("three")), SelectedBy::Chance);
        assert!(SelectedTexts::from_bytes(b"").is_empty());
    }

    #[test]
    fn no_file_makes_a_probability_that_is_none() {
        for probability in [0.0, -0.5, 1.5, f32::NAN, f32::INFINITY] {
            let mut bytes = HEADER.to_vec();
            for (how, text) in [(1, "audited"), (2, "asked")] {
                bytes.extend(vector_id(text));
                bytes.push(how);
                bytes.extend(probability.to_le_bytes());
            }

            let read = SelectedTexts::from_bytes(&bytes);

            assert_eq!(
                read.of(&vector_id("audited")),
                SelectedBy::Chance,
                "{probability}"
            );
            assert_eq!(read.of(&vector_id("asked")), SelectedBy::Choice, "{probability}");
        }
    }

    #[test]
    fn files_of_both_releases_lose_a_text_and_keep_the_others() {
        let is = |wanted: &'static str| move |id: &VectorId| *id == vector_id(wanted);
        let file = texts().to_bytes();

        let (rest, left_out) = SelectedTexts::without(&file, is("audited"));

        assert_eq!((left_out, rest.len()), (1, file.len() - ENTRY_BYTES));
        let rest = SelectedTexts::from_bytes(&rest);
        assert_eq!(rest.of(&vector_id("audited")), SelectedBy::Chance);
        assert_eq!(rest.of(&vector_id("asked")), SelectedBy::Policy(1.0));
        assert_eq!(SelectedTexts::without(&file, is("unknown")), (file.clone(), 0));
        assert_eq!(SelectedTexts::without(&file, |_| true), (Vec::new(), 3));
        let before = ["one", "two"].map(vector_id);
        assert_eq!(
            SelectedTexts::without(&before.concat(), is("one")),
            (before[1].to_vec(), 1)
        );
    }

    #[test]
    fn of_a_part_that_is_held_out_the_rest_was_selected_with_less() {
        assert_eq!(SelectedBy::Audit(0.5).of_share(0.5), SelectedBy::Audit(0.25));
        assert_eq!(SelectedBy::Policy(1.0).of_share(0.0), SelectedBy::Policy(1.0));
        assert_eq!(SelectedBy::Choice.of_share(0.5), SelectedBy::Choice);
    }
}
