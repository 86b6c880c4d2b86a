//! Which side of the split a text is on: decided by its content, the same on any machine for ever.

use std::num::NonZeroU32;

use sha2::{Digest, Sha256};

use crate::text::{normal_form, normalise};

/// Identity of a text's words: the first 128 bits of the SHA-256 of its normalised form.
///
/// Texts that differ in form only have the same one. A million different texts share one by accident with a
/// probability of 10⁻²⁷.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(u128);

impl ContentId {
    /// Returns the identity of a text.
    pub fn of(text: &str) -> Self {
        Self::of_normalised(&normalise(text))
    }

    /// Returns the identity of a text that [`normalise`] made.
    pub fn of_normalised(text: &str) -> Self {
        let hash = Sha256::digest(text);
        Self(
            hash.iter()
                .take(16)
                .fold(0, |number, byte| number << 8 | u128::from(*byte)),
        )
    }

    /// Returns whether the text belongs to the test set when `test_share` of all texts (0 to 1) is held out.
    ///
    /// With a greater share, what was held out before still is. Near copies that normalise differently may fall
    /// on the other side: see [`HeldOut`](super::HeldOut).
    pub fn is_test(self, test_share: f64) -> bool {
        ((self.0 >> 64) as f64) < test_share * 2_f64.powi(64)
    }

    /// Returns which of `parts` parts of equal size the text belongs to, independent of [`Self::is_test`].
    pub fn part(self, parts: NonZeroU32) -> u32 {
        self.0 as u32 % parts
    }
}

/// Identity of a text as a question: the first 128 bits of the SHA-256 of its [normal form](normal_form).
///
/// Rows with the same one are one row. Finer than [`ContentId`]: `great 👍` and `great 👎` are two texts, and always on
/// the same side of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextId(u128);

impl TextId {
    /// Returns the identity of a text.
    pub fn of(text: &str) -> Self {
        let hash = Sha256::digest(normal_form(text));
        Self(u128::from_be_bytes(
            *hash.first_chunk().expect("a digest has 32 bytes"),
        ))
    }

    /// Returns its bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Returns the identity of these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

/// Returns whether the text belongs to the test set, see [`ContentId::is_test`].
pub fn is_test(text: &str, test_share: f64) -> bool {
    ContentId::of(text).is_test(test_share)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn copies_that_differ_in_form_only_normalise_to_the_same_text() {
        let plain = normalise("Rates rise: it's \"AT&T\"");

        assert_eq!(plain, "rates rise it s at t");
        for copy in [
            "  rates   RISE it's AT&T",
            "Rates rise: it&#39;s &quot;AT&amp;T&quot;",
            "Rates rise: it#39;s &quot;AT&T&quot;",
            "Rates rise\u{2014}it\u{2019}s AT&T!!",
            "\u{ff32}ates rise: it&#x27;s AT&T",
        ] {
            assert_eq!(normalise(copy), plain, "{copy}");
        }
        assert_eq!(
            normalise("&lt;b&gt; &unknown; & # &#1114112; &&amp;"),
            "b unknown 1114112"
        );
    }

    #[test]
    fn texts_without_letters_are_told_apart() {
        assert_ne!(normalise("\u{1f600}"), normalise("\u{1f622}"));
        assert_eq!(normalise(" \u{1f600}\n"), "\u{1f600}");
        assert_eq!(normalise(""), "");
    }

    #[test]
    fn the_split_is_the_same_for_ever() {
        let held_out: Vec<usize> = (0..40)
            .filter(|n| is_test(&format!("Text number {n}"), 0.2))
            .collect();

        assert_eq!(
            held_out,
            [11, 25, 28, 34, 36],
            "another split would leak test texts of older versions into training"
        );
    }

    #[test]
    fn the_share_is_held_out() {
        let held_out = (0..10_000)
            .filter(|n| is_test(&format!("Text number {n}"), 0.2))
            .count();

        assert!((1_850..2_150).contains(&held_out), "{held_out}");
        assert!(!is_test("any", 0.0) && is_test("any", 1.0));
    }

    proptest! {
        #[test]
        fn a_greater_share_keeps_what_was_held_out(text in "\\PC{0,30}", share in 0.0f64..1.0, more in 0.0f64..1.0) {
            prop_assert!(!is_test(&text, share) || is_test(&text, share.max(more)));
        }

        #[test]
        fn case_space_and_punctuation_never_change_the_side(text in "[a-zA-Z\u{5d0}-\u{5ea} ]{1,30}[a-z]", share in 0.0f64..1.0) {
            let copy = format!(" {}!?", text.to_uppercase().replace(' ', " \u{2014}\t"));

            prop_assert_eq!(ContentId::of(&text), ContentId::of(&copy));
            prop_assert_eq!(is_test(&text, share), is_test(&copy, share));
        }

        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
