//! Faces made of punctuation: `:)`, `:-(`, `;D`, `(:`, `<3`, and the mouths without eyes of Russian: `Спасибо)`, `Плохо((`.

use super::characters::is_symbol;

const EYES: &str = ":;=";
const BRACKETS: &str = ")(][";
const MOUTHS: &str = ")(][dpo/\\|*$@3";

/// Returns the emoticon that begins at a place, without its nose and with one mouth, and how many characters it takes.
///
/// It stands by itself, or its bracket follows a word and closes nothing.
pub(super) fn emoticon(characters: &[char], place: usize) -> Option<(String, usize)> {
    let length = face_length(&characters[place..])?;
    let face = &characters[place..place + length];
    let before = place.checked_sub(1).map(|place| characters[place]);
    let after = characters.get(place + length).copied();
    let is_bracket = face.last().is_some_and(|mouth| BRACKETS.contains(*mouth));
    let ends = after.is_none_or(|c| !c.is_alphanumeric());
    let ends_a_sentence = after.is_none_or(stands_apart);
    let is_apart = before.is_none_or(stands_apart);
    let may_close = has_open_bracket(&characters[..place]);
    let is_face = match EYES.contains(face[0]) {
        true => (ends && is_apart) || (ends_a_sentence && is_bracket && !may_close),
        false => ends && is_apart && !(may_close && face[0] == ')'),
    };
    let mut one_mouth: Vec<char> = face.iter().copied().filter(|c| *c != '-').collect();
    one_mouth.dedup();
    is_face.then(|| (one_mouth.into_iter().collect(), length))
}

fn stands_apart(beside: char) -> bool {
    beside.is_whitespace() || is_symbol(beside) || ".,!?\"“”'’".contains(beside)
}

/// Returns how many characters the face takes at the beginning of these.
fn face_length(characters: &[char]) -> Option<usize> {
    let at = |place: usize| characters.get(place).copied().unwrap_or(' ');
    let nose = usize::from(matches!(at(1), '-' | '\''));
    match at(0) {
        '<' if at(1) == '3' => Some(2),
        '<' if at(1) == '/' && at(2) == '3' => Some(3),
        // `=-3` is a number.
        '=' | ':' | ';' if at(1 + nose) == '3' && (nose > 0 || at(0) == '=') => None,
        eyes if EYES.contains(eyes) && MOUTHS.contains(at(1 + nose)) => {
            let mouth = at(1 + nose);
            let mouths = characters[1 + nose..].iter().take_while(|c| **c == mouth);
            Some(
                1 + nose
                    + if BRACKETS.contains(mouth) {
                        mouths.count()
                    } else {
                        1
                    },
            )
        }
        mouth if "()".contains(mouth) && ":;".contains(at(1 + nose)) => Some(2 + nose),
        _ => None,
    }
}

/// Returns the places of round brackets that close nothing, or that nothing closes, in order. One that opens nothing behind a
/// Cyrillic word, as in `Плохо( но спасибо)`, waits for none.
pub(super) fn unmatched_brackets(characters: &[char]) -> Vec<usize> {
    let (mut open, mut unmatched) = (Vec::new(), Vec::new());
    for (place, c) in characters.iter().enumerate() {
        match c {
            '(' if is_sad_within(characters, place) => unmatched.push(place),
            '(' => open.push(place),
            ')' if open.pop().is_none() => unmatched.push(place),
            _ => {}
        }
    }
    unmatched.append(&mut open);
    unmatched.sort_unstable();
    unmatched
}

/// Returns whether brackets open behind a Cyrillic word with no space between, and nothing stands in them.
fn is_sad_within(characters: &[char], place: usize) -> bool {
    let before = characters[..place].iter().rev().find(|c| **c != '(');
    let after = characters[place..].iter().find(|c| **c != '(');
    before.is_some_and(|c| is_cyrillic(*c)) && after.is_none_or(|c| c.is_whitespace())
}

/// Returns the face that a round bracket at a place is which closes nothing and opens nothing, as if it had eyes, and how many
/// characters it takes; `unmatched` are the places of such brackets.
///
/// Several are a face, and one behind a Cyrillic word or at the end of a text. What counts items, as in `1) first`, is none, nor
/// is what is left of brackets where a text was cut off.
pub(super) fn mouth_without_eyes(
    characters: &[char],
    place: usize,
    unmatched: &[usize],
) -> Option<(String, usize)> {
    let is_unmatched = |place: &usize| unmatched.binary_search(place).is_ok();
    let mouth = *characters.get(place).filter(|c| "()".contains(**c))?;
    let is_mouth = |place: &usize| characters.get(*place) == Some(&mouth) && is_unmatched(place);
    let length = (place..).take_while(is_mouth).count();
    let (before, after) = (&characters[..place], &characters[place + length..]);
    let is_face = match length {
        0 => false,
        1 => is_one_mouth(before, after),
        _ => true,
    };
    let is_cut_off = after.starts_with(&['.', '.']);
    let opens = mouth == '(' && (is_cut_off || after.first().is_some_and(|c| c.is_alphanumeric()));
    (is_face && !opens).then(|| (format!(":{mouth}"), length))
}

/// Returns whether one bracket without eyes is a mouth between these.
fn is_one_mouth(before: &[char], after: &[char]) -> bool {
    let word: Vec<char> = {
        let letters = before.iter().rev().skip_while(|c| **c == ' ');
        letters.take_while(|c| c.is_alphanumeric()).copied().collect()
    };
    let is_at_end = !after.iter().any(|c| c.is_alphanumeric());
    let is_apart = after.first().is_none_or(|c| !c.is_alphanumeric());
    let is_behind_mark = || {
        let mut signs = before.iter().rev().skip_while(|c| **c == ' ');
        signs.next().is_some_and(|c| "!?.,".contains(*c))
    };
    let counts =
        word.len() == 1 || word.iter().any(|c| c.is_numeric()) || word.iter().all(|c| "ivxlc".contains(*c));
    let last_letter = before.iter().rev().find(|c| c.is_alphabetic());
    let is_of_cyrillic = last_letter.is_some_and(|c| is_cyrillic(*c));
    match word.is_empty() {
        true => is_behind_mark() && is_apart && (is_of_cyrillic || is_at_end),
        false if counts => is_at_end && is_of_cyrillic,
        false => is_apart && (is_of_cyrillic || is_at_end),
    }
}

fn is_cyrillic(c: char) -> bool {
    matches!(c, '\u{400}'..='\u{52f}')
}

fn has_open_bracket(before: &[char]) -> bool {
    let opened = before.iter().rev().find(|c| "()".contains(**c));
    opened == Some(&'(')
}
