//! Judged predictions of any model, from a file that has them beside the labels.

use std::io::Read;

use active_learning_core::{
    dataset::{Spelling, Spellings},
    feedback::prediction::{join_labels, split_labels},
    labels::missing::{MissingLabels, is_missing},
    model::{evaluation::LabelNames, threshold::Judged},
};

use super::{Evidence, Failure};
use crate::wording::counted;

/// Columns of a file of predictions.
const COLUMNS: [&str; 3] = ["label", "prediction", "confidence"];

/// A line of a file of predictions.
struct Predicted {
    line: u64,
    labels: Vec<String>,
    predicted: Vec<String>,
    confidence: f32,
}

/// Reads a file of predictions with a header line that names [`COLUMNS`], in any case and order and among others; `None`
/// where the first line does not. One label in several spellings is joined, and a row whose label says that there is none is
/// left out, as in training data.
///
/// # Errors
///
/// The first line that cannot be used.
pub fn judge(file: impl Read) -> Result<Option<Evidence>, Failure> {
    let mut reader = csv::ReaderBuilder::new().from_reader(file);
    let Ok(headers) = reader.headers() else {
        return Ok(None);
    };
    let column = |name: &str| {
        let is_named = |header: &str| header.trim().eq_ignore_ascii_case(name);
        headers.iter().position(is_named)
    };
    let places = COLUMNS.map(column);
    let [Some(label), Some(prediction), Some(confidence)] = places else {
        // Labelled texts have two columns.
        let is_of_predictions = headers.len() > 2 && places[1..].iter().any(Option::is_some);
        return match is_of_predictions {
            true => Err(no_column(&places).into()),
            false => Ok(None),
        };
    };
    let mut all = Vec::new();
    let (mut missing, mut spellings) = (MissingLabels::default(), Spellings::default());
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let value = |column: usize, name: &str| match record[column].trim() {
            "" => Err(format!("line {line}: the {name} is empty")),
            value => Ok(value.to_owned()),
        };
        let confidence = value(confidence, "confidence")?;
        let number: Option<f32> = confidence.parse().ok();
        let number = number
            .filter(|number| (0.0..=1.0).contains(number))
            .ok_or_else(|| format!("line {line}: the confidence is no number from 0 to 1: `{confidence}`"))?;
        let (label, prediction) = (value(label, "label")?, value(prediction, "prediction")?);
        if is_missing(&label) {
            missing.left_out(line);
            continue;
        }
        let (labels, predicted) = (split_labels(&label), split_labels(&prediction));
        labels.iter().for_each(|label| missing.taken(label, line));
        let named = labels.iter().chain(&predicted);
        named.for_each(|label| spellings.add(label, 1));
        all.push(Predicted {
            line,
            labels,
            predicted,
            confidence: number,
        });
    }
    let (spelling, joined) = spellings.finish();
    let judged = all.iter().map(|predicted| judged(predicted, &spelling));
    Ok(Some(Evidence {
        judged: judged.collect(),
        source: format!("{} with their labels.", counted(all.len(), "prediction")),
        repairs: missing.told().into_iter().chain(joined).collect(),
        ..Evidence::default()
    }))
}

fn no_column(places: &[Option<usize>]) -> String {
    let missing = COLUMNS.iter().zip(places).filter(|(_, place)| place.is_none());
    let missing: Vec<String> = missing.map(|(name, _)| format!("`{name}`")).collect();
    format!(
        "line 1: a file of predictions has a header line that names {}; this one lacks {}",
        COLUMNS.join(", "),
        missing.join(" and ")
    )
}

fn judged(predicted: &Predicted, spelling: &Spelling) -> Judged {
    let own = |names: &[String]| LabelNames::of(names.iter().map(|name| spelling.of(name)));
    Judged {
        id: predicted.line.to_string(),
        confidence: predicted.confidence,
        right: own(&predicted.labels) == own(&predicted.predicted),
        several: predicted.predicted.len() > 1,
        class: join_labels(predicted.predicted.iter().map(|name| spelling.of(name))),
        selection_probability: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_of_any_model_are_read_by_their_column_names() {
        let file =
            "\u{feff}text,confidence,label,prediction\nx,0.9,World,World\ny,0.4,A|B,B|A\nz,1,World,Sports\n";

        let evidence = judge(file.as_bytes()).expect("usable").expect("predictions");

        let judged: Vec<_> = evidence
            .judged
            .iter()
            .map(|judged| {
                (
                    judged.class.as_str(),
                    judged.several,
                    judged.confidence,
                    judged.right,
                )
            })
            .collect();
        assert_eq!(
            judged,
            [
                ("World", false, 0.9, true),
                ("B|A", true, 0.4, true),
                ("Sports", false, 1.0, false)
            ]
        );
        assert_eq!(judge("World,a text\n".as_bytes()).expect("readable"), None);
    }

    #[test]
    fn column_names_are_read_in_any_case() {
        let file = "Label,Prediction,CONFIDENCE\nWorld,World,0.9\n";

        let evidence = judge(file.as_bytes()).expect("usable").expect("predictions");

        assert_eq!(evidence.judged.len(), 1);
        assert!(evidence.judged[0].right);
    }

    #[test]
    fn a_header_that_names_a_part_of_the_columns_is_told_which_it_lacks() {
        let refused = judge("label,prediction,score\nA,A,0.9\n".as_bytes()).expect_err("no confidence");

        assert_eq!(
            refused.to_string(),
            "line 1: a file of predictions has a header line that names label, prediction, confidence; this one lacks \
             `confidence`"
        );
        assert_eq!(
            judge("prediction,a text\n".as_bytes()).expect("two columns"),
            None
        );
    }

    #[test]
    fn a_prediction_is_right_in_any_spelling_of_its_label_and_says_nothing_where_there_is_no_label() {
        let file = "label,prediction,confidence\nWorld,world,0.9\nworld,world,0.8\nNaN,world,0.7\nB|a,A|b,0.6\na,A,0.5\n\
                    1.0,1,0.4\nSports,world,0.3\n";

        let evidence = judge(file.as_bytes()).expect("usable").expect("predictions");

        let judged = evidence.judged.iter();
        let judged: Vec<_> = judged
            .map(|judged| (judged.class.as_str(), judged.right))
            .collect();
        assert_eq!(
            judged,
            [
                ("world", true),
                ("world", true),
                ("A|B", true),
                ("A", true),
                ("1", true),
                ("world", false)
            ]
        );
        assert_eq!(evidence.source, "6 predictions with their labels.");
        assert!(
            evidence.repairs[0].starts_with("line 4: a label such as"),
            "{:?}",
            evidence.repairs
        );
        assert!(
            evidence
                .repairs
                .contains(&"`World` (1) is read as `world`".to_owned()),
            "{:?}",
            evidence.repairs
        );
    }

    #[test]
    fn a_bad_prediction_is_named_by_line_and_value() {
        let reason = |line: &str| {
            let file = format!("label,prediction,confidence\nA,A,0.5\n{line}\n");
            judge(file.as_bytes()).expect_err("bad").to_string()
        };

        assert_eq!(
            reason("A,A,95%"),
            "line 3: the confidence is no number from 0 to 1: `95%`"
        );
        assert_eq!(reason("A,,0.5"), "line 3: the prediction is empty");
        assert!(reason("A,A,NaN").contains("NaN"));
        assert!(reason("A,A").contains("line: 3"), "{}", reason("A,A"));
    }
}
