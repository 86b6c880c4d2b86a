//! The identity of a label's name, however it is spelt.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::text::{is_invisible, is_part_of_flag, is_virama};

/// Makes one picture of the emoji on its both sides.
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// The `i` without a dot, of Turkish.
pub(crate) const DOTLESS_I: char = 'ı';

/// The dot of a capital `İ`, as a mark of its own.
const DOT_ABOVE: char = '\u{307}';

/// Rounds after which folding ends at the latest; two or three reach the fixed point of every known text.
const MAX_ROUNDS: usize = 8;

/// Returns the key of a label's name: names with the same key are one label.
///
/// Compatibility forms are unified (NFKC), letters folded by their full case mapping, characters that
/// cannot be seen removed, and white space of any kind, no-break space included, collapsed to one space and
/// trimmed. Punctuation, accents and symbols stay: `C`, `C#` and `C++` are three labels. So do joiners between emoji, which
/// make one picture of several; whether an emoji is coloured (variation selectors) tells no labels apart. The empty key is no
/// label.
///
/// `ı` and `i` are two letters, as in Turkish. Their capitals are not told apart here: `I` is that of `i`, and see
/// [`may_be_one`].
///
/// Stable: the key of a key is itself. Source: Unicode, `toNFKC_Casefold`, with white space collapsed.
pub fn label_key(name: &str) -> String {
    let mut key = fold(name);
    for _ in 1..MAX_ROUNDS {
        let next = fold(&key);
        if next == key {
            break;
        }
        key = next;
    }
    key
}

/// Returns the key of a name in which `ı` and `i` are one: that of a person, and of labels until they are told apart.
pub fn broad_key(name: &str) -> String {
    label_key(name).replace(DOTLESS_I, "i")
}

/// Returns whether two names are of one label: they have the same key, or the capitals of one of them leave open whether it is
/// the other: `SINIR` may be `sınır` as well as `sinir`, which are two.
pub fn may_be_one(one: &str, other: &str) -> bool {
    let keys = |name: &str| [label_key(name), dotless_key(name)];
    let of_other = keys(other);
    keys(one).iter().any(|key| of_other.contains(key))
}

/// Returns the key of a name in which each capital `I` is that of `ı`, as in Turkish.
pub fn dotless_key(name: &str) -> String {
    let mut letters = name.nfkd().peekable();
    let mut read = String::with_capacity(name.len());
    while let Some(letter) = letters.next() {
        let is_open = letter == 'I' && letters.peek() != Some(&DOT_ABOVE);
        read.push(if is_open { DOTLESS_I } else { letter });
    }
    label_key(&read)
}

/// Returns whether a name has a capital `I` without a dot, which is that of `i` or, in Turkish, of `ı`.
pub fn has_open_capital(name: &str) -> bool {
    let mut letters = name.nfkd().peekable();
    while let Some(letter) = letters.next() {
        if letter == 'I' && letters.peek() != Some(&DOT_ABOVE) {
            return true;
        }
    }
    false
}

/// Returns the whole number that a name such as `1.0` is: programs write `1` so as soon as one row of a column has none.
pub fn whole_number(name: &str) -> Option<&str> {
    let whole = name.trim().strip_suffix(".0")?;
    is_digits(whole).then_some(whole)
}

/// Returns the other way to write a number that names a label: `1` and `1.0`.
pub fn other_number(name: &str) -> Option<String> {
    let name = name.trim();
    match whole_number(name) {
        Some(whole) => Some(whole.to_owned()),
        None => is_digits(name).then(|| format!("{name}.0")),
    }
}

/// The digits 0 of other scripts; those from 1 to 9 follow each. NFKC keeps them apart, and so does [`label_key`].
const ZEROS: [char; 22] = [
    '0', '٠', '۰', '߀', '०', '০', '੦', '૦', '୦', '௦', '౦', '೦', '൦', '෦', '๐', '໐', '༠', '၀', '០', '᠐', '᮰',
    '꩐',
];

/// Returns a name with its numbers in the digits of each other script: `4` and `٤` are one number, for who types on another
/// keyboard. None of a name without digits.
pub fn in_other_digits(name: &str) -> impl Iterator<Item = String> {
    let has_digit = name.chars().any(|c| digit(c).is_some());
    let zeros = ZEROS.iter().filter(move |_| has_digit);
    let written = zeros.map(move |zero| {
        let digits = name.chars().map(|c| match digit(c) {
            Some(value) => char::from_u32(*zero as u32 + value).unwrap_or(c),
            None => c,
        });
        digits.collect::<String>()
    });
    written.filter(move |other| other != name)
}

/// Returns the value of a decimal digit of any of these scripts.
fn digit(c: char) -> Option<u32> {
    let values = ZEROS.iter().map(|zero| (c as u32).wrapping_sub(*zero as u32));
    values.into_iter().find(|value| *value < 10)
}

fn is_digits(name: &str) -> bool {
    let digits = name.strip_prefix('-').unwrap_or(name);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Folds once; what one step brings to light (a ligature taken apart, say) the next round folds.
fn fold(name: &str) -> String {
    let cased: String = name.nfkd().flat_map(fold_case).collect();
    // The capital of a Turkish `i` keeps its dot, as a mark of its own; `I` is folded to `i` as well.
    let cased = cased.replace("i\u{307}", "i");
    let visible = visible(cased.nfkc());
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Drops what cannot be seen, but for joiners between emoji, one of each row of them, and those beside a virama.
fn visible(characters: impl Iterator<Item = char>) -> String {
    let mut visible = String::new();
    let (mut before, mut is_joined) = (' ', false);
    for c in characters {
        if c == ZERO_WIDTH_JOINER && is_virama(before) {
            visible.push(c);
            before = c;
        } else if c == ZERO_WIDTH_JOINER {
            is_joined = true;
        } else if c.is_whitespace() || !is_invisible(c) || is_part_of_flag(before, c) {
            if is_joined && (is_virama(c) || is_pictograph(before) && is_joined_sign(c)) {
                visible.push(ZERO_WIDTH_JOINER);
            }
            visible.push(c);
            (before, is_joined) = (c, false);
        }
    }
    visible
}

/// Returns whether a character may stand before a joiner: an emoji, or the skin tone of one.
fn is_pictograph(c: char) -> bool {
    c.general_category() == GeneralCategory::OtherSymbol || matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

/// Returns whether a character may stand after a joiner: an emoji, or a sign as of *nodding*, which ends with an arrow.
fn is_joined_sign(c: char) -> bool {
    is_pictograph(c) || (!c.is_ascii() && c.general_category() == GeneralCategory::MathSymbol)
}

/// Folds the case of one letter, by way of its capital: `ß` and `ẞ` become `ss`, `ς` becomes `σ`. An `ı` stays, whose capital
/// is that of `i` too.
fn fold_case(letter: char) -> impl Iterator<Item = char> {
    let is_dotless = letter == DOTLESS_I;
    let folded = (!is_dotless).then_some(letter).into_iter();
    let folded = folded
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase);
    is_dotless.then_some(DOTLESS_I).into_iter().chain(folded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Letters of several scripts, with signs that tell labels apart.
    const NAME: &str = "[a-zA-Z0-9äöüßéñçŠžΑ-Ωα-ωА-Яа-яあ-んア-ン一-十가-힣#+&|,/.!?€👍👎]{1,12}";

    /// One to four emoji with and without skin tones, some of them joined.
    fn pictures() -> impl Strategy<Value = String> {
        let emoji = proptest::sample::select(vec![
            "👩", "👨", "👧", "💻", "🔥", "🌈", "❤", "👍", "👍🏽", "👩🏿", "🏳",
        ]);
        let joined = proptest::collection::vec((emoji, any::<bool>()), 1..5);
        joined.prop_map(|emoji| {
            let last = emoji.len() - 1;
            let parts = emoji.into_iter().enumerate().map(|(place, (emoji, is_joined))| {
                match is_joined && place < last {
                    true => format!("{emoji}\u{200d}"),
                    false => emoji.to_owned(),
                }
            });
            parts.collect()
        })
    }

    /// Writes a name with full-width forms where there are any.
    fn full_width(name: &str) -> String {
        name.chars()
            .map(|c| match c {
                '!'..='~' => char::from_u32(c as u32 + 0xFEE0).unwrap_or(c),
                ' ' => '\u{3000}',
                _ => c,
            })
            .collect()
    }

    #[test]
    fn the_spellings_that_people_use_are_one_label() {
        for (spelling, label) in [
            ("  Sci Tech ", "sci tech"),
            ("Sci\u{a0}Tech", "sci tech"),
            ("Sci\u{202f}\tTech\r\n", "sci tech"),
            ("ＳＣＩ　ＴＥＣＨ", "sci tech"),
            ("Sci\u{200b}Tech\u{feff}", "scitech"),
            ("Cafe\u{301}", "café"),
            ("GİRİŞ", "giriş"),
            ("STRASSE", "straße"),
            ("STRAẞE", "straße"),
            ("ΟΔΟΣ", "οδος"),
            ("ﬁnance", "finance"),
            ("ｶﾞｽ", "ガス"),
            ("❤\u{fe0f}", "❤"),
            ("\u{202e}World\u{202c}", "world"),
            ("Sports\u{e0041}", "sports"),
            ("Sports\u{fff9}\u{fffb}", "sports"),
        ] {
            assert_eq!(label_key(spelling), label_key(label), "{spelling:?}");
        }
    }

    #[test]
    fn labels_that_differ_in_a_sign_an_accent_or_an_emoji_stay_apart() {
        let names = [
            "C",
            "C#",
            "C++",
            "A|B",
            "A B",
            "A, B",
            "AB",
            "resume",
            "résumé",
            "👍",
            "👎",
            "👍🏽",
            "+1",
            "-1",
            "1",
            "100 €",
            "100 %",
            "ok",
            "ok?",
            "ok!",
            "か",
            "が",
            "ก่า",
            "กา",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        ];

        for (index, one) in names.iter().enumerate() {
            for other in &names[index + 1..] {
                assert_ne!(label_key(one), label_key(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_number_is_written_in_the_digits_of_each_other_script_and_stays_another_name() {
        let of = |name: &str| in_other_digits(name).collect::<Vec<_>>();

        assert_eq!(of("Tier ३")[0], "Tier 3");
        assert!(of("42").contains(&"٤٢".to_owned()) && of("42").contains(&"๔๒".to_owned()));
        assert!(of("Sports").is_empty() && of("").is_empty());
        assert_ne!(label_key("٤"), label_key("4"), "as NFKC has it");
        assert_eq!(label_key("４"), label_key("4"), "as NFKC has it");
    }

    #[test]
    fn a_dotless_i_is_a_letter_of_its_own_and_a_capital_may_be_that_of_both() {
        for (one, other) in [("sınır", "sinir"), ("kıl", "kil"), ("Kündıgung", "Kündigung")] {
            assert_ne!(label_key(one), label_key(other), "{one} and {other}");
            assert!(!may_be_one(one, other), "{one} and {other}");
            assert_eq!(broad_key(one), broad_key(other));
        }
        for (one, other) in [
            ("SINIR", "sınır"),
            ("SINIR", "sinir"),
            ("SİNİR", "sinir"),
            ("IŞIK", "Işık"),
            ("Işık", "ışık"),
        ] {
            assert!(
                may_be_one(one, other) && may_be_one(other, one),
                "{one} and {other}"
            );
        }
        assert!(!may_be_one("SİNİR", "sınır"), "it has its dots");
        assert!(!may_be_one("SINIR", "sınav"));
        assert!(!may_be_one("Ilık", "ilik"), "it has an `ı`");
    }

    #[test]
    fn a_curly_apostrophe_and_a_hyphen_that_does_not_break_are_signs_of_their_own() {
        // Unicode unifies neither: who writes both gives one as a synonym.
        assert_ne!(label_key("Men\u{2019}s"), label_key("Men's"));
        assert_ne!(label_key("e\u{2011}mail"), label_key("e-mail"));
        assert_eq!(label_key("e\u{2011}mail"), label_key("E\u{2010}Mail"));
    }

    #[test]
    fn a_joiner_beside_a_virama_tells_labels_apart_and_shows_nothing_elsewhere() {
        assert_ne!(label_key("അവന്\u{200d}"), label_key("അവന്"));
        assert_ne!(label_key("র\u{200d}্য"), label_key("র্য"));
        assert_eq!(label_key("Wo\u{200d}rld"), label_key("World"));
    }

    #[test]
    fn emoji_that_look_different_are_different_labels() {
        let apart = [
            "👩\u{200d}💻",
            "👩💻",
            "👩",
            "💻",
            "👨\u{200d}💻",
            "👩🏽\u{200d}💻",
            "👩🏿\u{200d}💻",
            "👩🏽💻",
            "👨\u{200d}👩\u{200d}👧",
            "👨👩👧",
            "👨\u{200d}👩👧",
            "👨\u{200d}👩\u{200d}👦",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "❤",
            "💔",
            "❤\u{200d}🔥",
            "❤🔥",
            "🏳\u{200d}🌈",
            "🏳🌈",
            "🏳\u{200d}⚧",
            "🏴\u{200d}☠",
            "🏴☠",
            "🏴",
            "🏴󠁧󠁢󠁷󠁬󠁳󠁿",
            "🇩🇪",
            "🇪🇩",
            "🇩 🇪",
            "🇩",
            "🇦🇹",
            "🇩🇪🇦🇹",
            "👍",
            "👍🏻",
            "👍🏽",
            "👍🏿",
            "✊",
            "✊🏾",
            "1\u{20e3}",
            "2\u{20e3}",
            "1",
            "#\u{20e3}",
            "#",
            "*\u{20e3}",
            "*",
            "🏃",
            "🏃\u{200d}♀",
            "🏃\u{200d}♂",
            "🏃♀",
            "🏃\u{200d}➡",
            "🏃\u{200d}♀\u{200d}➡",
            "🙂",
            "🙂\u{200d}↔",
            "🙂\u{200d}↕",
            "🙂↔",
            "🐻",
            "🐻\u{200d}❄",
            "👁\u{200d}🗨",
            "🧑\u{200d}🦰",
            "🧑\u{200d}🦱",
            "🧑🦰",
        ];

        for (index, one) in apart.iter().enumerate() {
            for other in &apart[index + 1..] {
                assert_ne!(label_key(one), label_key(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn emoji_that_differ_only_in_how_they_are_encoded_are_one_label() {
        for (spelling, label) in [
            ("❤\u{fe0f}", "❤"),
            ("❤\u{fe0e}", "❤"),
            ("❤\u{fe0f}\u{200d}🔥", "❤\u{200d}🔥"),
            ("🏳\u{fe0f}\u{200d}🌈", "🏳\u{200d}🌈"),
            ("🏳\u{fe0f}\u{200d}⚧\u{fe0f}", "🏳\u{200d}⚧"),
            ("🏃\u{200d}♀\u{fe0f}", "🏃\u{200d}♀"),
            ("🙂\u{200d}↔\u{fe0f}", "🙂\u{200d}↔"),
            ("1\u{fe0f}\u{20e3}", "1\u{20e3}"),
            ("#\u{fe0f}\u{20e3}", "＃\u{20e3}"),
            ("☝\u{fe0f}🏽", "☝🏽"),
            ("👩\u{200d}\u{200d}💻", "👩\u{200d}💻"),
            ("👩\u{200b}\u{200d}\u{fe0f}💻\u{200d}", "👩\u{200d}💻"),
            ("\u{200d}👩\u{200d} 💻", "👩 💻"),
            ("Sci\u{200d}Tech", "SciTech"),
            ("C\u{200d}+\u{200d}+", "C++"),
            ("👍\u{200d}ok", "👍ok"),
            ("ok\u{200d}👍", "ok👍"),
            (" 👩\u{200d}💻 Team\u{a0}", "👩\u{200d}💻 TEAM"),
        ] {
            assert_eq!(label_key(spelling), label_key(label), "{spelling:?}");
        }
    }

    #[test]
    fn a_name_of_nothing_that_can_be_seen_has_the_empty_key() {
        for name in [
            "",
            " ",
            "\u{a0}\u{3000}",
            "\u{200b}\u{200d}\u{feff}",
            "\u{0}\u{7}\u{ad}",
            "\t\r\n",
            "\u{e0041}\u{e007f}",
            "\u{fff9}",
        ] {
            assert_eq!(label_key(name), "", "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn any_casing_spacing_width_composed_or_decomposed_form_is_the_one_label(
            words in proptest::collection::vec(NAME, 1..4),
            space in "[ \t\u{a0}\u{2003}\u{202f}\u{3000}]{1,3}",
            edge in "[ \t\r\n\u{a0}\u{200b}\u{feff}\u{3000}]{0,3}",
        ) {
            let name = words.join(" ");
            let key = label_key(&name);

            for spelling in [
                name.to_uppercase(),
                name.to_lowercase(),
                words.join(&space),
                format!("{edge}{name}{edge}"),
                full_width(&name),
                name.nfc().collect(),
                name.nfd().collect(),
                name.nfkc().collect(),
                name.nfkd().collect(),
                name.to_uppercase().nfd().collect(),
                full_width(&name.to_lowercase()).nfd().collect(),
                words.join("\u{200b} "),
            ] {
                prop_assert_eq!(label_key(&spelling), key.clone(), "{:?}", spelling);
            }
        }

        #[test]
        fn different_labels_never_meet(one in "[a-zäéж0-9#+&|,/.!?€👍👎]{1,8}", other in "[a-zäéж0-9#+&|,/.!?€👍👎]{1,8}") {
            prop_assert_eq!(label_key(&one) == label_key(&other), one == other);
        }

        #[test]
        fn sequences_of_emoji_meet_only_where_they_are_the_same_picture(
            one in pictures(),
            other in pictures(),
            selector in "[\u{fe0e}\u{fe0f}]?",
        ) {
            let coloured = |picture: &str| picture.replace('\u{200d}', &format!("{selector}\u{200d}"));

            prop_assert_eq!(label_key(&one) == label_key(&coloured(&other)), one == other);
            prop_assert_eq!(label_key(&label_key(&one)), label_key(&one));
        }

        #[test]
        fn the_key_of_a_key_is_itself(name in "\\PC{0,20}") {
            let key = label_key(&name);

            prop_assert_eq!(label_key(&key), key);
        }

        #[test]
        fn any_text_has_a_key_without_anything_invisible(name in any::<String>()) {
            let key = label_key(&name);

            let joiners = |c: &char| *c == ZERO_WIDTH_JOINER;
            let pairs = key.chars().zip(key.chars().skip(1));
            let flags = pairs.filter(|(before, c)| is_part_of_flag(*before, *c)).count();
            let invisible = key.chars().filter(|c| !joiners(c) && is_invisible(*c)).count();
            prop_assert_eq!(invisible, flags, "{:?}", key);
            let places = key.char_indices().filter(|(_, c)| joiners(c));
            let between = |at: usize| {
                let before = key[..at].chars().next_back();
                before.is_some_and(is_pictograph)
            };
            prop_assert!(places.clone().all(|(at, _)| between(at)), "{:?}", key);
            prop_assert_eq!(key.trim(), key.as_str());
        }
    }
}
