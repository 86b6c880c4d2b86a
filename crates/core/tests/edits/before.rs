//! The rule of before, by words and class alone: what is found now is measured beside it.

use active_learning_core::text::normalise;

/// Words of the shortest text that had copies by a small change.
const MIN_WORDS: usize = 9;

/// Returns whether two texts were one question, where the model gave them the same class or none is known.
///
/// One is at least the first half of the other, or the words are the same but for one small place.
pub fn were_copies(a: &str, b: &str) -> bool {
    let (a, b) = (normalise(a), normalise(b));
    let (short, long) = if a.len() < b.len() { (&a, &b) } else { (&b, &a) };
    let was_cut_off = long.starts_with(short.as_str()) && 2 * short.len() >= long.len();
    let has_words = short.split(' ').count() >= MIN_WORDS;
    a == b || (has_words && (was_cut_off || differ_in_one_place(&a, &b)))
}

fn differ_in_one_place(a: &str, b: &str) -> bool {
    let [a, b] = [a, b].map(|text| text.split(' ').collect::<Vec<_>>());
    let common = |(a, b): &(&&str, &&str)| a == b;
    let beginning = a.iter().zip(&b).take_while(common).count();
    let (a_rest, b_rest) = (&a[beginning..], &b[beginning..]);
    let end = a_rest
        .iter()
        .rev()
        .zip(b_rest.iter().rev())
        .take_while(common)
        .count();
    let (a_place, b_place) = (&a_rest[..a_rest.len() - end], &b_rest[..b_rest.len() - end]);

    let shared = beginning + end;
    let is_small = 5 * shared >= 4 * (a.len() + b.len() - shared);
    let is_replaced = !a_place.is_empty() && !b_place.is_empty();
    let has_number = a_place
        .iter()
        .chain(b_place)
        .any(|word| word.contains(char::is_numeric));
    is_small && !(is_replaced && has_number) && !a_place.iter().any(|word| b_place.contains(word))
}
