//! What tells two names apart that a reader cannot tell apart.

use unicode_normalization::UnicodeNormalization;

use super::is_invisible;

/// Most code points that are named.
const NAMED: usize = 8;

/// Says how a name is written otherwise than another one that looks the same: by the code points in which they differ; `None`
/// where they can be told apart by sight.
pub fn look_alike(name: &str, other: &str) -> Option<String> {
    if name == other || looks(name) != looks(other) {
        return None;
    }
    let (name, other): (Vec<char>, Vec<char>) = (name.chars().collect(), other.chars().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&char, &char)>| pairs.take_while(|(a, b)| a == b).count();
    let before = same(&mut name.iter().zip(&other));
    let (name, other) = (&name[before..], &other[before..]);
    let behind = same(&mut name.iter().rev().zip(other.iter().rev()));
    let points = |characters: &[char]| match &characters[..characters.len() - behind] {
        [] => "nothing".to_owned(),
        characters => {
            let mut points: Vec<String> = (characters.iter().take(NAMED))
                .map(|c| format!("U+{:04X}", u32::from(*c)))
                .collect();
            points.extend((characters.len() > NAMED).then(|| "…".to_owned()));
            points.join(" ")
        }
    };
    Some(format!(
        "they look the same: {} instead of {}",
        points(name),
        points(other)
    ))
}

/// Returns what a reader sees: accents on their letters, white space as one space, and nothing of what takes no room.
fn looks(name: &str) -> String {
    let visible: String = name
        .nfc()
        .filter(|c| c.is_whitespace() || !is_invisible(*c))
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_the_same_are_told_apart_by_their_code_points() {
        let told = |name: &str, other: &str| look_alike(name, other);
        let said = |points: &str| Some(format!("they look the same: {points}"));

        assert_eq!(
            told("Cafe\u{301}s", "Caf\u{e9}s"),
            said("U+0065 U+0301 instead of U+00E9")
        );
        assert_eq!(
            told("Bil\u{200b}ling", "Billing"),
            said("U+200B instead of nothing")
        );
        assert_eq!(
            told("Old name", "Old\u{a0}name"),
            said("U+0020 instead of U+00A0")
        );
    }

    #[test]
    fn names_that_can_be_told_apart_by_sight_need_no_code_points() {
        assert_eq!(look_alike("BILLING", "Billing"), None);
        assert_eq!(look_alike("Billing", "Billing"), None);
        assert_eq!(
            look_alike("\u{ff21}", "A"),
            None,
            "a wide letter is seen to be wide"
        );
    }
}
