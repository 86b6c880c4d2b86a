//! Faces made of punctuation: `:)`, `:-(`, `;D`, `(:`, `<3`.

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

fn has_open_bracket(before: &[char]) -> bool {
    let opened = before.iter().rev().find(|c| "()".contains(**c));
    opened == Some(&'(')
}
