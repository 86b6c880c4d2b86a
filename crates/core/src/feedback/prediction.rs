//! What a classifier answered, reduced to the label it stands for and how sure it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One class with its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Class name, as the model was trained with.
    pub name: String,
    /// Score from 0 to 1.
    pub score: f32,
}

/// The answer of a classifier, best class first.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The predicted label; several labels of a multi-label model are joined by
    /// [`LABEL_DELIMITER`].
    pub label: String,
    /// The predicted labels by themselves: one, unless the model is multi-label.
    pub labels: Vec<String>,
    /// Confidence in the label, from 0 to 1.
    pub confidence: f32,
    /// Distance between the best and the second-best answer, from 0 to 1.
    pub margin: f32,
    /// All classes that were returned, best first.
    pub classes: Vec<ClassScore>,
}

/// Joins the labels of a multi-label prediction: Comprehend's default label delimiter.
pub const LABEL_DELIMITER: char = '|';

/// Stands before a delimiter that is part of a name: `a\|b` is one name.
const ESCAPE: char = '\\';

/// Parts between bars that one name among others has at most; a text that is one name alone may have more. Who sends feedback
/// may send thousands of parts: each is looked up with so many others, not with all.
const MAX_PARTS_OF_NAME: usize = 32;

/// Joins names of labels so that [`split_labels`] finds them again, whatever they hold.
///
/// A bar within a name is written `\|`, and a name that ends with a backslash has a space before the bar that follows.
pub fn join_labels(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let escaped = format!("{ESCAPE}{LABEL_DELIMITER}");
    let names = names.into_iter();
    join_as_written(names.map(|name| name.as_ref().replace(LABEL_DELIMITER, &escaped)))
}

/// Joins names of labels as they are: [`cut_labels`] finds them again by those that are known.
pub fn join_as_written(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut joined = String::new();
    for (place, name) in names.into_iter().enumerate() {
        if place > 0 {
            // It would escape the bar. Names have no white space at their ends, so every reader drops this one.
            joined.extend(joined.ends_with(ESCAPE).then_some(' '));
            joined.push(LABEL_DELIMITER);
        }
        joined.push_str(name.as_ref());
    }
    joined
}

/// Reads a text that names one label, without white space at its ends: an escaped delimiter is part of the name.
pub fn single_label(text: &str) -> String {
    let parts = parts(text);
    let name = joined(parts.iter().map(|part| part.name.as_str()));
    name.trim().to_owned()
}

/// Cuts a text at its delimiters into names of labels, without white space at their ends; an escaped delimiter is part
/// of a name.
pub fn split_labels(text: &str) -> Vec<String> {
    let names = parts(text).into_iter();
    names.map(|part| part.name.trim().to_owned()).collect()
}

/// What stands between two delimiters.
#[derive(Clone, Default)]
struct Part {
    /// Without the backslashes before escaped delimiters.
    name: String,
    written: String,
}

/// Cuts a text at its delimiters; an escaped one is part of its part.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = vec![Part::default()];
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c == LABEL_DELIMITER {
            parts.push(Part::default());
            continue;
        }
        let escaped = (c == ESCAPE).then(|| characters.next_if_eq(&LABEL_DELIMITER));
        if let Some(part) = parts.last_mut() {
            part.name.push(escaped.flatten().unwrap_or(c));
            part.written.push(c);
            part.written.extend(escaped.flatten());
        }
    }
    parts
}

/// Returns the name that several parts make together.
fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(&LABEL_DELIMITER.to_string())
}

/// Cuts a text into names that are known, in as few pieces as there can be; `None` where a part means nothing.
///
/// A name that holds the delimiter is one name, and so is one with a backslash before it, if it is known as that. `known`
/// returns what a name stands for.
pub fn cut_labels(text: &str, known: impl Fn(&str) -> Option<String>) -> Option<Vec<String>> {
    let pieces = cut(text, known);
    let names = pieces.into_iter().map(|piece| piece.ok());
    names.collect()
}

/// Cuts a text into names as [`cut_labels`] does; what means nothing stays as it is written, part by part.
pub fn cut_names(text: &str, known: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let pieces = cut(text, known);
    let names = pieces
        .into_iter()
        .map(|piece| piece.unwrap_or_else(|part| part.written.trim().to_owned()));
    names.collect()
}

/// Cuts a text into names as [`cut_labels`] does, and returns the parts that mean nothing, without the backslashes before
/// their bars and without white space at their ends.
pub fn unknown_names(text: &str, known: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let unknown = cut(text, known).into_iter().filter_map(Result::err);
    unknown.map(|part| part.name.trim().to_owned()).collect()
}

/// Cuts a text into names as [`cut_labels`] does; what means nothing stays, part by part, without the backslashes before its
/// bars and without white space at its ends.
pub fn apart(text: &str, known: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let pieces = cut(text, known).into_iter();
    let names = pieces.map(|piece| piece.unwrap_or_else(|part| part.name.trim().to_owned()));
    names.collect()
}

/// Writes names that were joined for people: one name as it is called, several as they are joined.
pub fn for_people(joined: &str) -> String {
    match split_labels(joined).as_slice() {
        [name] => name.clone(),
        _ => joined.to_owned(),
    }
}

/// Cuts a text into names that are known, and parts that are not: as few of these as there can be, then of all.
fn cut(text: &str, known: impl Fn(&str) -> Option<String>) -> Vec<Result<String, Part>> {
    let parts = parts(text);
    // Of the best way to read the first parts, by their number: how many mean nothing, and how many pieces there are.
    let mut best: Vec<(usize, usize)> = vec![(0, 0)];
    // The last of these pieces, and where it begins.
    let mut last: Vec<(usize, Result<String, Part>)> = Vec::with_capacity(parts.len());
    for end in 1..=parts.len() {
        let nearest = end.saturating_sub(MAX_PARTS_OF_NAME);
        let whole = (end == parts.len() && nearest > 0).then_some(0);
        let readings = whole.into_iter().chain(nearest..end).filter_map(|start| {
            let piece = match (known_piece(&parts[start..end], &known), &parts[start..end]) {
                (Some(label), _) => Ok(label),
                (None, [part]) => Err(part.clone()),
                (None, _) => return None,
            };
            let (unknown, pieces) = best[start];
            Some((unknown + usize::from(piece.is_err()), pieces, start, piece))
        });
        let fewest = readings.min_by_key(|(unknown, pieces, start, _)| (*unknown, *pieces, *start));
        let (unknown, pieces, start, piece) = fewest.expect("each part can stand by itself");
        best.push((unknown, pieces + 1));
        last.push((start, piece));
    }
    let mut pieces = Vec::new();
    while let Some((start, piece)) = last.pop() {
        pieces.push(piece);
        last.truncate(start);
    }
    pieces.reverse();
    pieces
}

/// Returns what several parts stand for together.
fn known_piece(parts: &[Part], known: impl Fn(&str) -> Option<String>) -> Option<String> {
    let label = known(&joined(parts.iter().map(|part| part.name.as_str())));
    let is_escaped = || parts.iter().any(|part| part.name != part.written);
    label.or_else(|| {
        is_escaped()
            .then(|| known(&joined(parts.iter().map(|part| part.written.as_str()))))
            .flatten()
    })
}

/// Score from which a multi-label model assigns a label.
const ASSIGNED: f32 = 0.5;

impl Prediction {
    /// Makes a prediction of classes that have been given the names of labels; `None` when none has a name and a finite score.
    /// Classes that became one label are one: see [`merged`].
    pub fn of_labels(classes: Vec<ClassScore>, several_labels: bool) -> Option<Self> {
        let classes = merged(classes, several_labels);
        match several_labels {
            true => Self::multi_label(classes),
            false => Self::multi_class(classes),
        }
    }

    /// Reads the classes of a multi-class model, whose scores compete with one another.
    ///
    /// Any number of classes from one up is understood: Comprehend returns the best three only. The
    /// margin of a single class is its score, since nothing is known of the second. `None` when no
    /// class has a name and a finite score.
    pub fn multi_class(classes: Vec<ClassScore>) -> Option<Self> {
        let classes = best_first(classes);
        let best = classes.first()?;
        let second = classes.get(1).map_or(0.0, |class| class.score);
        Some(Self {
            label: best.name.clone(),
            labels: vec![best.name.clone()],
            confidence: best.score,
            margin: best.score - second,
            classes,
        })
    }

    /// Reads the labels of a multi-label model, each with a probability of its own.
    ///
    /// The prediction is every label with a score of at least 0.5, or the best one if there is none.
    /// Each label is a decision with confidence `max(p, 1 - p)`; the prediction is as sure as its
    /// least certain decision, and the margin is the distance between the two sides of that decision.
    pub fn multi_label(labels: Vec<ClassScore>) -> Option<Self> {
        let classes = best_first(labels);
        let best = classes.first()?;
        let mut labels: Vec<String> = classes
            .iter()
            .filter(|class| class.score >= ASSIGNED)
            .map(|class| class.name.clone())
            .collect();
        let is_none_assigned = labels.is_empty();
        if is_none_assigned {
            labels.push(best.name.clone());
        }
        let confidence = if is_none_assigned {
            best.score
        } else {
            classes
                .iter()
                .map(|class| class.score.max(1.0 - class.score))
                .fold(1.0, f32::min)
        };
        Some(Self {
            label: join_as_written(&labels),
            labels,
            confidence,
            margin: (2.0 * confidence - 1.0).max(0.0),
            classes,
        })
    }
}

/// Makes one of the classes that have the same name, best first: their scores add up where one label is right, and the
/// greater one counts where several may be. Those without a name or a finite score are left out.
pub fn merged(classes: Vec<ClassScore>, several_labels: bool) -> Vec<ClassScore> {
    let mut by_name: BTreeMap<String, f32> = BTreeMap::new();
    for class in classes.into_iter().filter(|class| class.score.is_finite()) {
        let score = by_name.entry(class.name).or_default();
        *score = match several_labels {
            true => score.max(class.score),
            false => (*score + class.score).min(1.0),
        };
    }
    let classes = by_name
        .into_iter()
        .map(|(name, score)| ClassScore { name, score });
    best_first(classes.collect())
}

fn best_first(mut classes: Vec<ClassScore>) -> Vec<ClassScore> {
    classes.retain(|class| !class.name.is_empty() && class.score.is_finite());
    for class in &mut classes {
        class.score = class.score.clamp(0.0, 1.0);
    }
    classes.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.name.cmp(&b.name)));
    classes
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_ends_with_a_backslash_stands_by_itself() {
        let names = ["A\\", "B"];
        let known = |name: &str| names.contains(&name.trim()).then(|| name.trim().to_owned());

        assert_eq!(split_labels(&join_labels(names)), names);
        assert_eq!(
            cut_labels(&join_as_written(names), known),
            Some(names.map(str::to_owned).to_vec())
        );
        // As rows were written before.
        assert_eq!(split_labels(r"A\|B"), ["A|B"]);
        assert_eq!(split_labels(r"A\B|C"), [r"A\B", "C"]);
    }

    #[test]
    fn a_name_may_hold_the_delimiter() {
        let known = |name: &str| ["A", "B", "A|B"].contains(&name).then(|| name.to_owned());

        assert_eq!(split_labels(r"Home\|Garden | Sports"), ["Home|Garden", "Sports"]);
        assert_eq!(cut_labels("A|B", known), Some(vec!["A|B".to_owned()]));
        assert_eq!(
            cut_labels("B|A", known),
            Some(vec!["B".to_owned(), "A".to_owned()])
        );
        assert_eq!(
            cut_labels(r"A\|B|B", known),
            Some(vec!["A|B".to_owned(), "B".to_owned()])
        );
        assert_eq!(cut_labels("A|C", known), None);
    }

    #[test]
    fn thousands_of_parts_are_looked_up_some_thirty_times_each_and_a_long_name_alone_is_found() {
        let asked = Cell::new(0);
        let long = ["A"; 40].join("|");
        let known = |name: &str| {
            asked.set(asked.get() + 1);
            (name == "A" || name == long).then(|| name.to_owned())
        };
        let many = ["A"; 5_000].join("|");

        assert_eq!(cut_labels(&many, known), Some(vec!["A".to_owned(); 5_000]));
        assert!(asked.get() <= 5_000 * MAX_PARTS_OF_NAME + 1, "{}", asked.get());
        assert_eq!(cut_labels(&long, known), Some(vec![long.clone()]));
        assert_eq!(unknown_names(&format!("{long}|B"), known), ["B"]);
    }

    #[test]
    fn what_no_name_is_known_by_stands_as_it_is_written_beside_what_is_known() {
        let known = |name: &str| {
            ["A", "A|B"]
                .contains(&name.trim())
                .then(|| name.trim().to_lowercase())
        };

        assert_eq!(cut_names("C|A|B", known), ["C", "a|b"]);
        assert_eq!(cut_names(r"B | A | x\|y", known), ["B", "a", r"x\|y"]);
        assert_eq!(cut_names("C", known), ["C"]);
        assert_eq!(unknown_names(r" x\|y |A|C|A|B", known), ["x|y", "C"]);
        assert_eq!(unknown_names("A|B", known), [""; 0]);
    }

    proptest! {
        #[test]
        fn names_that_were_joined_are_found_again(
            names in proptest::collection::vec(r"[a-c|\\]{1,5}", 1..4),
        ) {
            let known = |name: &str| names.iter().find(|known| *known == name.trim()).cloned();
            let joined = join_labels(&names);

            prop_assert_eq!(split_labels(&joined), names.clone());
            let names_of = |text: &str| cut_labels(text, known).map(|cut| cut.join("\n"));
            let reads_as = |name: &str, other: &String| name.contains(other.as_str()) || single_label(name).contains(other.as_str());
            let is_apart = |name: &String| !names.iter().any(|other| other != name && reads_as(name, other));
            if names.iter().all(is_apart) {
                prop_assert_eq!(names_of(&join_as_written(&names)), Some(names.join("\n")));
            }
            prop_assert_eq!(single_label(&join_labels(&names[..1])), names[0].clone());
        }
    }

    fn scores(pairs: &[(&str, f32)]) -> Vec<ClassScore> {
        pairs
            .iter()
            .map(|(name, score)| ClassScore {
                name: (*name).into(),
                score: *score,
            })
            .collect()
    }

    #[test]
    fn three_of_four_classes_are_enough_for_label_and_margin() {
        let prediction =
            Prediction::multi_class(scores(&[("Sports", 0.2), ("World", 0.7), ("Business", 0.08)]))
                .expect("classes were given");

        assert_eq!(prediction.label, "World");
        assert_eq!(prediction.confidence, 0.7);
        assert!((prediction.margin - 0.5).abs() < 1e-6);
        assert_eq!(prediction.classes[2].name, "Business");
    }

    #[test]
    fn classes_that_became_one_label_are_one() {
        let named = |scores_of: [f32; 3]| {
            let [first, second, third] = scores_of;
            scores(&[("World", first), ("Sports", second), ("World", third)])
        };

        let one = Prediction::of_labels(named([0.25, 0.5, 0.25]), false).expect("classes");
        let several = Prediction::of_labels(named([0.25, 0.75, 0.5]), true).expect("classes");
        let broken = Prediction::of_labels(named([0.25, f32::NAN, 0.25]), false).expect("classes");

        assert_eq!((one.classes.len(), one.classes[0].score), (2, 0.5));
        assert_eq!(several.labels, ["Sports", "World"]);
        assert_eq!(several.classes[1].score, 0.5);
        assert_eq!((broken.label.as_str(), broken.confidence), ("World", 0.5));
        assert_eq!(broken.classes.len(), 1);
    }

    #[test]
    fn an_answer_without_usable_classes_is_no_prediction() {
        assert_eq!(Prediction::multi_class(vec![]), None);
        assert_eq!(
            Prediction::multi_class(scores(&[("World", f32::NAN), ("", 0.9)])),
            None
        );
        assert_eq!(Prediction::multi_label(vec![]), None);
    }

    #[test]
    fn multi_label_answers_are_as_sure_as_their_least_certain_label() {
        let prediction =
            Prediction::multi_label(scores(&[("World", 0.95), ("Business", 0.6), ("Sports", 0.01)]))
                .expect("labels were given");

        assert_eq!(prediction.label, "World|Business");
        assert_eq!(prediction.confidence, 0.6);
        assert!((prediction.margin - 0.2).abs() < 1e-6);
    }

    #[test]
    fn multi_label_answers_without_an_assigned_label_name_the_best_one() {
        let prediction =
            Prediction::multi_label(scores(&[("World", 0.3), ("Sports", 0.1)])).expect("labels were given");

        assert_eq!(prediction.label, "World");
        assert_eq!(prediction.confidence, 0.3);
    }
}
