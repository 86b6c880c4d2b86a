//! The label set, by which models of different times are compared.

use std::{collections::BTreeSet, slice, sync::Arc};

use active_learning_aws::label_set::LabelSets;
use active_learning_core::{
    dataset::Row,
    labels::label_set::{LabelSet, Resolution},
    model::{
        comparison::Reason,
        evaluation::{LabelNames, TestPrediction},
    },
    text::counted_as,
};

use crate::{ModelBuilding, error::StepError};

impl ModelBuilding {
    /// Reads the label set; `None` if there is none.
    pub(crate) async fn label_set(&self) -> Result<Option<Arc<LabelSet>>, StepError> {
        Ok(LabelSets::new(self.bucket.clone()).current().await?)
    }
}

/// Writes predictions, and what is right, by the names that labels have now: a model does not lose by a rename or a merge, nor
/// by one that comes after its rows were held out.
pub(crate) fn use_own_names(set: &LabelSet, predictions: &mut [TestPrediction]) {
    for prediction in predictions {
        for labels in [&mut prediction.predicted, &mut prediction.actual] {
            *labels = LabelNames::of(labels.names().iter().map(|name| set.own_name(name)));
        }
    }
}

/// Leaves out the rows whose label was retired or split since they were held out: what is right there is not known by the set
/// of now. Returns what is to be said of it. Without rows predictions are those of cross-validation.
pub(crate) fn leave_out_of_use(
    set: &LabelSet,
    rows: &mut Vec<Row>,
    challenger: &mut Vec<TestPrediction>,
    champion: Option<&mut Vec<TestPrediction>>,
) -> Option<Reason> {
    let is_in_use =
        |name: &String| !matches!(set.resolve(name), Resolution::Retired(_) | Resolution::Split(_));
    let kept: Vec<bool> = challenger
        .iter()
        .map(|row| row.actual.names().iter().all(is_in_use))
        .collect();
    let left_out = kept.iter().filter(|kept| !**kept).count();
    if left_out == 0 {
        return None;
    }
    keep(rows, kept.iter());
    keep(challenger, kept.iter());
    if let Some(champion) = champion {
        keep(champion, kept.iter());
    }
    let counted = counted_as(left_out, "row is", "rows are");
    Some(Reason {
        in_favour: true,
        text: format!(
            "{counted} left out: what people called them was retired or split since they were held out"
        ),
    })
}

fn keep<T>(items: &mut Vec<T>, mut kept: slice::Iter<'_, bool>) {
    items.retain(|_| kept.next().is_none_or(|kept| *kept));
}

/// Returns the classes of a champion that a challenger must know, and what is to be said of those it may lack.
pub(crate) fn required(set: &LabelSet, classes: &BTreeSet<String>) -> (BTreeSet<String>, Option<Reason>) {
    let (mut required, mut gone) = (BTreeSet::new(), Vec::new());
    for class in classes {
        match set.resolve(class) {
            Resolution::Label(name) => {
                required.insert(name.to_owned());
            }
            Resolution::Proposed(_) => {
                required.insert(class.clone());
            }
            Resolution::Retired(_) | Resolution::Split(_) => gone.push(format!("`{class}`")),
        }
    }
    let reason = (!gone.is_empty()).then(|| Reason {
        in_favour: true,
        text: format!(
            "{} of the champion may be missing: retired or split since",
            gone.join(", ")
        ),
    });
    (required, reason)
}

#[cfg(test)]
mod tests {
    use active_learning_core::labels::label_set::Origin;

    use super::*;

    fn predictions(rows: &[(&str, &str)]) -> Vec<TestPrediction> {
        let row = |(actual, predicted): &(&str, &str)| TestPrediction {
            actual: LabelNames::from(*actual),
            predicted: LabelNames::from(*predicted),
            confidence: 0.9,
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn a_row_that_was_held_out_before_a_rename_or_a_merge_is_right_by_the_name_of_now() {
        let mut set = LabelSet::seed(
            ["Cat", "Dog", "Pet"],
            Origin::Parameter,
            "2026-11-20T10:00:00.000Z",
        );
        set.rename("Cat", "Feline").expect("free");
        set.merge("Dog", "Pet").expect("both are there");
        let mut rows = predictions(&[("Cat", "Cat"), ("Cat", "Feline"), ("Dog", "Pet"), ("Dog", "Cat")]);

        use_own_names(&set, &mut rows);

        let of_now = [
            ("Feline", "Feline"),
            ("Feline", "Feline"),
            ("Pet", "Pet"),
            ("Pet", "Feline"),
        ];
        assert_eq!(rows, predictions(&of_now));
    }

    #[test]
    fn rows_whose_label_was_retired_or_split_since_say_nothing_of_either_model_and_that_is_said() {
        let mut set = LabelSet::seed(
            ["Cat", "Dog", "Fax"],
            Origin::Parameter,
            "2026-11-20T10:00:00.000Z",
        );
        set.split("Cat", &["Kitten", "Tom"]).expect("in use");
        set.retire("Fax").expect("in use");
        let row = |label: &str| Row {
            labels: vec![label.to_owned()],
            text: format!("about a {label}"),
        };
        let mut rows = vec![row("Cat"), row("Dog"), row("Fax"), row("Dog")];
        let mut challenger = predictions(&[("Cat", "Cat"), ("Dog", "Dog"), ("Fax", "Dog"), ("Dog", "Cat")]);
        let mut champion = predictions(&[("Cat", "Dog"), ("Dog", "Cat"), ("Fax", "Fax"), ("Dog", "Dog")]);

        let said = leave_out_of_use(&set, &mut rows, &mut challenger, Some(&mut champion));
        let again = leave_out_of_use(&set, &mut rows, &mut challenger, Some(&mut champion));

        assert_eq!(rows, [row("Dog"), row("Dog")]);
        assert_eq!(challenger, predictions(&[("Dog", "Dog"), ("Dog", "Cat")]));
        assert_eq!(champion, predictions(&[("Dog", "Cat"), ("Dog", "Dog")]));
        let said = said.expect("two are left out");
        assert!(
            said.in_favour && said.text.starts_with("2 rows are left out"),
            "{}",
            said.text
        );
        assert_eq!(again, None);
    }
}
