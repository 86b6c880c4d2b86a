//! What stands in the place of labels and names none.

/// What fastText writes before each label, anywhere in a line.
pub const FAST_TEXT_MARK: &str = "__label__";

/// Why a number for each label is not read.
pub const VECTOR: &str = "its labels are a number for each label, such as 0 and 1, which do not name them: write the names of \
    those that hold, with a `|` between them";

/// Returns why what stands in the place of labels names none: it is a row of numbers from 0 to 1, or of true and false, in which
/// one comes again or stands within brackets, such as `[0, 1, 0]`, `0|1|0` or `1 0 0`. Two labels may be called `0` and `1`.
pub fn unnamed_labels(label: &str) -> Option<&'static str> {
    let label = label.trim();
    // Nearly all are such.
    if !label.starts_with(['[', '(', '0', '1', '.', 't', 'T', 'f', 'F']) {
        return None;
    }
    let inside = label.trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
    let is_bracketed = inside.len() < label.len();
    let between = |c: char| matches!(c, ',' | ';' | '|') || c.is_whitespace();
    let share = |part: &str| match part.to_ascii_lowercase().as_str() {
        "true" => Some(1.0),
        "false" => Some(0.0),
        number => number
            .parse::<f64>()
            .ok()
            .filter(|share| (0.0..=1.0).contains(share)),
    };
    let parts = inside.split(between).filter(|part| !part.is_empty());
    let shares: Vec<f64> = parts.map(share).collect::<Option<_>>()?;
    let comes_again = || (1..shares.len()).any(|at| shares[..at].contains(&shares[at]));
    let is_fraction = || shares.iter().any(|share| share.fract() != 0.0);
    (shares.len() > 1 && (is_bracketed || is_fraction() || comes_again())).then_some(VECTOR)
}

/// Returns whether a word of a text is a label as fastText marks it.
pub fn holds_fast_text_label(text: &str) -> bool {
    let is_label = |word: &str| {
        word.strip_prefix(FAST_TEXT_MARK)
            .is_some_and(|label| !label.is_empty())
    };
    text.contains(FAST_TEXT_MARK) && text.split_whitespace().any(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_numbers_name_no_labels_and_numbers_as_names_do() {
        for vector in [
            "[0, 1, 0]",
            "[1 0]",
            "(1, 0)",
            "0|1|0",
            "1 0 0",
            "1;1",
            "0.9, 0.1",
            "True,False,True",
        ] {
            assert_eq!(unnamed_labels(vector), Some(VECTOR), "{vector}");
        }
        for label in [
            "0", "1", "0|1", "1|0", "27|1|1", "true", "[urgent]", "1 star", "F#", "10,10", "",
        ] {
            assert_eq!(unnamed_labels(label), None, "{label}");
        }
    }

    #[test]
    fn a_word_with_the_mark_of_fast_text_is_a_label_within_a_text() {
        assert!(holds_fast_text_label("It leaks __label__defect"));
        assert!(!holds_fast_text_label(
            "What is __label__ good for? See my__label__x"
        ));
    }
}
