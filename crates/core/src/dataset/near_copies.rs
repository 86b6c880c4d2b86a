//! Held-out texts and their near copies.
//!
//! No hash of a text alone can send all near copies to one side: along a chain of near copies that leads from one
//! text to a quite different one, it would have to change somewhere. So the test set is written down, and this
//! guarantee holds for every dataset version that is built by the three steps of [`HeldOut`]:
//!
//! > No training row of any version is a near copy of a test row of that version or of any other.
//!
//! *Near copy* means: of the normalised texts' five-character pieces, at least four fifths are shared
//! (Jaccard index ≥ 0.8). In a text of 100 characters about one changed word. It is verified on all pieces,
//! nothing is sampled; pieces are compared by 64-bit hashes, whose collisions can only add a near copy.
//! A translation or a paraphrase is no near copy.

use std::{
    collections::{BTreeSet, HashMap},
    io::{self, BufRead, Write},
};

use crate::text::normalise;

/// Rarest pieces that near copies must have in common before all pieces are compared.
const COMMON_RARE_PIECES: usize = 4;

/// Characters of a piece. Words would tie the measure to scripts with spaces.
const PIECE: usize = 5;

/// The texts that were ever held out, normalised; written as one text a line, in order.
///
/// A build takes three steps, all by streaming:
///
/// 1. Candidates: texts that are to be held out, such as the audited ones for which
///    [`is_test`](super::is_test) holds.
/// 2. Of these, [`HeldOut::remove_near_copies_of`] drops what is near a row of any earlier training file;
///    the others join with [`HeldOut::append`] and stay for ever. A dropped one is a text like any other.
/// 3. A text that [`HeldOut::contains`] may be a test row. Of all others, one that [`NearCopies::contains`] is
///    left out, the rest is trained on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldOut {
    texts: BTreeSet<String>,
}

impl HeldOut {
    /// Reads what [`HeldOut::write`] wrote.
    ///
    /// # Errors
    ///
    /// Those of the reader; text that is not UTF-8.
    pub fn read(reader: impl BufRead) -> io::Result<Self> {
        Ok(Self {
            texts: reader.lines().collect::<io::Result<_>>()?,
        })
    }

    /// Writes the texts, one a line.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, mut writer: impl Write) -> io::Result<()> {
        self.texts.iter().try_for_each(|text| writeln!(writer, "{text}"))
    }

    /// Holds a text out; returns whether it is new.
    pub fn insert(&mut self, text: &str) -> bool {
        self.texts.insert(normalise(text))
    }

    /// Returns whether this text, or a copy that normalises to the same, is held out.
    pub fn contains(&self, text: &str) -> bool {
        self.texts.contains(&normalise(text))
    }

    /// Returns the texts, normalised, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// Takes over all texts of another set.
    pub fn append(&mut self, mut other: Self) {
        self.texts.append(&mut other.texts);
    }

    /// Drops every text that is a near copy of one of `others`, such as the rows of earlier training files.
    ///
    /// All `others` are taken, also where there is nothing to drop.
    pub fn remove_near_copies_of(&mut self, others: impl Iterator<Item = impl AsRef<str>>) {
        if self.is_empty() {
            return others.for_each(drop);
        }
        let near_copies = NearCopies::of(self);
        let mut found = BTreeSet::new();
        for other in others {
            found.extend(near_copies.find(other.as_ref()));
        }
        let mut number = 0..;
        self.texts
            .retain(|_| number.next().is_some_and(|number| !found.contains(&number)));
    }

    /// Returns the number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns whether nothing is held out.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

/// An index that finds near copies of held-out texts.
///
/// Exact, by prefix filtering: two sets that share enough must share some of their rarest pieces, since there
/// are too few others. Most texts share no rare pieces with any held-out text and are answered at once.
/// Memory: about 16 bytes a character held out, so 10,000 texts of 240 characters take 40 MB.
/// Source: R. Bayardo, Y. Ma and R. Srikant, "Scaling Up All Pairs Similarity Search" (WWW 2007);
/// J. Wang, G. Li and J. Feng, "Can We Beat the Prefix Filtering?" (SIGMOD 2012) for several common pieces.
pub struct NearCopies {
    /// Pieces of each text, rarest first.
    texts: Vec<Vec<u64>>,
    /// In how many texts a piece occurs, for pieces in more than one.
    frequencies: HashMap<u64, usize>,
    /// Each text under each of its rarest pieces; sorted.
    by_rare_piece: Vec<(u64, u32)>,
}

impl NearCopies {
    /// Makes the index of a set of texts; at most 2³² of them.
    pub fn of(held_out: &HeldOut) -> Self {
        let mut texts: Vec<Vec<u64>> = held_out.texts.iter().map(|text| pieces(text)).collect();
        let mut all: Vec<u64> = texts.iter().flatten().copied().collect();
        all.sort_unstable();
        let equal = all.chunk_by(|a, b| a == b).filter(|equal| equal.len() > 1);
        let frequencies = equal.map(|equal| (equal[0], equal.len())).collect();
        let mut by_rare_piece = Vec::new();
        for (text, number) in texts.iter_mut().zip(0..) {
            rarest_first(text, &frequencies);
            by_rare_piece.extend(
                text[..rare_pieces(text.len())]
                    .iter()
                    .map(|piece| (*piece, number)),
            );
        }
        by_rare_piece.sort_unstable();
        Self {
            texts,
            frequencies,
            by_rare_piece,
        }
    }

    /// Returns whether the text is a near copy of a held-out one, or held out itself.
    pub fn contains(&self, text: &str) -> bool {
        !self.find(text).is_empty()
    }

    /// Returns the numbers of the held-out texts, in their order, that are near copies of `text`.
    fn find(&self, text: &str) -> BTreeSet<usize> {
        let mut text = pieces(&normalise(text));
        rarest_first(&mut text, &self.frequencies);
        let with_piece = |piece: &u64| {
            let start = self.by_rare_piece.partition_point(|(other, _)| other < piece);
            self.by_rare_piece[start..]
                .chunk_by(|a, b| a.0 == b.0)
                .next()
                .filter(|equal| equal[0].0 == *piece)
        };
        let rare = text[..rare_pieces(text.len())].iter();
        let mut hits: Vec<u32> = rare
            .filter_map(with_piece)
            .flatten()
            .map(|(_, number)| *number)
            .collect();
        hits.sort_unstable();
        let enough = COMMON_RARE_PIECES.min(least_shared(text.len()));
        text.sort_unstable();
        let near = |number: &usize| are_near(&text, &self.texts[*number]);
        let candidates = hits.chunk_by(|a, b| a == b).filter(|hits| hits.len() >= enough);
        candidates.map(|hits| hits[0] as usize).filter(near).collect()
    }
}

/// Returns whether the Jaccard index of two sets is at least 4/5; `sorted` by value, `other` in any order.
///
/// Rarest pieces first, texts that share little are told apart after a few of them.
fn are_near(sorted: &[u64], other: &[u64]) -> bool {
    let needed = (4 * (sorted.len() + other.len())).div_ceil(9);
    let Some(mut may_miss) = other.len().checked_sub(needed) else {
        return false;
    };
    needed <= sorted.len()
        && other.iter().all(|piece| {
            sorted.binary_search(piece).is_ok()
                || may_miss.checked_sub(1).map(|left| may_miss = left).is_some()
        })
}

/// Returns how many pieces of a set of `len` any near copy has at least: four fifths.
fn least_shared(len: usize) -> usize {
    (4 * len).div_ceil(5)
}

/// Returns how many of the rarest pieces of a set are looked at. Of the pieces that near copies have in common,
/// the rarest [`COMMON_RARE_PIECES`] are among them on both sides: all the others in common come later.
fn rare_pieces(len: usize) -> usize {
    (len - least_shared(len) + COMMON_RARE_PIECES).min(len)
}

fn rarest_first(pieces: &mut [u64], frequencies: &HashMap<u64, usize>) {
    pieces.sort_by_cached_key(|piece| (frequencies.get(piece).copied().unwrap_or(0), *piece));
}

/// Returns the hashes of the different pieces of a normalised text; a shorter text is one piece.
fn pieces(text: &str) -> Vec<u64> {
    let starts: Vec<usize> = text
        .char_indices()
        .map(|(start, _)| start)
        .chain([text.len()])
        .collect();
    let mut pieces: Vec<u64> = if starts.len() <= PIECE {
        vec![hash(text)]
    } else {
        starts
            .windows(PIECE + 1)
            .map(|window| hash(&text[window[0]..window[PIECE]]))
            .collect()
    };
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}

/// FNV-1a, 64 bits: only compared within one process, so any good hash would do.
fn hash(piece: &str) -> u64 {
    piece.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dataset::is_test;

    const STORY: &str =
        "Oil prices rose above fifty dollars a barrel on Monday as exports from the north were halted again";

    fn held_out(texts: &[&str]) -> HeldOut {
        let mut held_out = HeldOut::default();
        texts.iter().for_each(|text| assert!(held_out.insert(text)));
        held_out
    }

    #[test]
    fn near_copies_are_found_and_other_texts_are_not() {
        let index = NearCopies::of(&held_out(&[
            STORY,
            "ok",
            "\u{6cb9}\u{4ef7}\u{4e0a}\u{6da8}\u{8d85}\u{8fc7}\u{4e94}\u{5341}\u{7f8e}\u{5143}",
        ]));

        for copy in [
            STORY.to_uppercase(),
            STORY.replace("Monday", "Tuesday"),
            format!("{STORY} (Agency)"),
            STORY.replace("fifty", "50"),
            "OK!".to_owned(),
        ] {
            assert!(index.contains(&copy), "{copy}");
        }
        for other in ["Oil prices rose on Monday", "no", "", &STORY[..60], "ok then"] {
            assert!(!index.contains(other), "{other}");
        }
    }

    #[test]
    fn the_set_is_written_in_order_and_read_again() {
        let set = held_out(&["Two\nlines", "\u{1f600}", "A: b"]);
        let mut file = Vec::new();

        set.write(&mut file).expect("memory");

        assert_eq!(String::from_utf8_lossy(&file), "a b\ntwo lines\n\u{1f600}\n");
        assert_eq!(HeldOut::read(&file[..]).expect("memory"), set);
        assert!(set.contains("two, lines") && !set.contains("three lines"));
    }

    #[test]
    fn a_candidate_near_a_trained_row_is_not_held_out() {
        let mut candidates = held_out(&["A first text of its own", STORY, "The second text is another one"]);

        candidates.remove_near_copies_of([STORY.replace("again", "anew"), "unrelated".into()].iter());

        assert_eq!(
            candidates,
            held_out(&["A first text of its own", "The second text is another one"])
        );
    }

    fn jaccard(a: &str, b: &str) -> f64 {
        let [a, b] = [a, b].map(|text| pieces(&normalise(text)).into_iter().collect::<BTreeSet<_>>());
        a.intersection(&b).count() as f64 / a.union(&b).count() as f64
    }

    /// Texts near and not so near to one another: a line of 70 letters with a few of them replaced.
    fn edited() -> impl Strategy<Value = String> {
        proptest::collection::vec((0usize..70, "[a-z]"), 0..4).prop_map(|edits| {
            let mut text =
                "theoilpriceroseabovefiftydollarsonmondayasexportsfromthenorthwerehalted".to_owned();
            edits
                .into_iter()
                .for_each(|(place, letter)| text.replace_range(place..=place, &letter));
            text
        })
    }

    fn found_is_expected(texts: &BTreeSet<String>, other: &str) -> Result<(), TestCaseError> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let expected = (0..texts.len()).filter(|number| jaccard(texts[*number], other) >= 0.8);
        prop_assert_eq!(
            NearCopies::of(&held_out(&texts)).find(other),
            expected.collect::<BTreeSet<_>>()
        );
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_index_finds_exactly_what_comparing_all_pairs_finds(
            short in proptest::collection::btree_set("[ab]{1,14}", 1..30), other_short in "[ab]{1,14}",
            long in proptest::collection::btree_set(edited(), 1..20), other_long in edited(),
        ) {
            found_is_expected(&short, &other_short)?;
            found_is_expected(&long, &other_long)?;
        }

        /// Texts arrive in three builds, full of near copies that fall on both sides.
        #[test]
        fn no_version_trains_on_a_near_copy_of_any_versions_test_rows(
            builds in proptest::collection::vec(proptest::collection::vec(edited(), 1..12), 3),
        ) {
            let (mut held_out, mut seen) = (HeldOut::default(), vec![]);
            let (mut trained, mut tested) = (BTreeSet::new(), BTreeSet::new());
            for build in builds {
                seen.extend(build);
                let mut candidates = HeldOut::default();
                for text in seen.iter().filter(|text| is_test(text, 0.3) && !held_out.contains(text)) {
                    candidates.insert(text);
                }
                candidates.remove_near_copies_of(trained.iter());
                held_out.append(candidates);
                let near_copies = NearCopies::of(&held_out);
                for text in &seen {
                    if held_out.contains(text) {
                        tested.insert(text.clone());
                    } else if !near_copies.contains(text) {
                        trained.insert(text.clone());
                    }
                }
            }

            for (test, train) in tested.iter().flat_map(|test| trained.iter().map(move |train| (test, train))) {
                prop_assert!(jaccard(test, train) < 0.8, "{test} / {train}");
            }
        }
    }
}
