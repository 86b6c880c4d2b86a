//! Judged predictions from a file: of the built-in model, each by a model that has not seen the text, or of any other.

use std::{collections::BTreeSet, io::Read, num::NonZeroU32, sync::Arc};

use active_learning_core::{
    dataset::{ContentId, Mode, Row, TextId, read_csv},
    feedback::{
        prediction::{ClassScore, Prediction, split_labels},
        record_id,
    },
    model::{evaluation::LabelNames, threshold::Judged},
};
use text_encoder::Encoder;
use text_model::{Model, TrainingSet, train};

use super::{Evidence, Failure};
use crate::{
    encoder::{self, Vectors},
    wording::{counted, counted_as},
};

/// Parts of the file; a model trained on the others judges each.
const FOLDS: NonZeroU32 = NonZeroU32::new(5).expect("five is not zero");
const SEED: u64 = 0;

/// Columns of a file of predictions.
const COLUMNS: [&str; 3] = ["label", "prediction", "confidence"];

/// A text with its label as the file has it.
struct Text {
    id: ContentId,
    label: String,
    text: String,
}

/// Trains the built-in model on each four of five parts of a labelled file and judges it on the fifth.
///
/// The parts follow from the contents alone, and copies of a text count once.
pub fn judge(file: &[u8], encoder: Option<Arc<Encoder>>) -> Result<Evidence, Failure> {
    TrainingSet::read_csv(file)?;
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let rows = read_csv(file, Mode::MultiClass).collect::<Result<Vec<Row>, _>>()?;
    let read = rows.len();
    let mut seen = BTreeSet::new();
    let texts: Vec<Text> = rows
        .into_iter()
        .map(|Row { labels, text }| Text {
            id: ContentId::of(&text),
            label: labels.join(""),
            text,
        })
        .filter(|text| seen.insert(TextId::of(&text.text)))
        .collect();
    let all = texts.iter().map(|text| text.text.as_str());
    let vectors = encoder.map(|encoder| Vectors::of(encoder, all));
    let vectors = vectors.as_ref();
    let mut judged = Vec::with_capacity(texts.len());
    for fold in 0..FOLDS.get() {
        eprintln!("Training without part {} of {FOLDS} …", fold + 1);
        let (held_out, kept): (Vec<&Text>, Vec<&Text>) =
            texts.iter().partition(|text| text.id.part(FOLDS) == fold);
        let mut training_set = TrainingSet::read_csv(&to_csv(&kept)[..])
            .map_err(|error| format!("too few texts to train on four of five parts: {error}"))?;
        if let Some(vectors) = vectors {
            vectors.give_to(&mut training_set);
        }
        let model = train(&training_set, SEED).model;
        let of_fold = held_out.into_iter();
        judged.extend(of_fold.filter_map(|text| judge_one(&model, text, vectors)));
    }
    let copies = read - texts.len();
    Ok(Evidence {
        judged,
        source: format!(
            "{}{}, each classified by the built-in model trained on four of five parts without it.",
            counted(texts.len(), "labelled text"),
            match copies {
                0 => String::new(),
                copies => format!(" ({} left out)", counted_as(copies, "copy", "copies")),
            }
        ),
        ..Evidence::default()
    })
}

fn to_csv(texts: &[&Text]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    for text in texts {
        writer
            .write_record([&text.label, &text.text])
            .expect("memory takes all, and rows have two columns");
    }
    writer.into_inner().expect("memory takes all")
}

fn judge_one(model: &Model, text: &Text, vectors: Option<&Vectors>) -> Option<Judged> {
    let classes = encoder::predict(model, &text.text, vectors);
    let classes = classes.into_iter().map(|class| ClassScore {
        name: class.label.to_owned(),
        score: class.score,
    });
    let prediction = match model.mode() {
        text_model::Mode::MultiClass => Prediction::multi_class(classes.collect()),
        text_model::Mode::MultiLabel => Prediction::multi_label(classes.collect()),
    }?;
    let is_of_one = model.mode() == text_model::Mode::MultiClass;
    let judged = judged(
        record_id("", &text.text),
        &text.label,
        prediction.label,
        prediction.confidence,
    );
    Some(Judged {
        several: judged.several && !is_of_one,
        ..judged
    })
}

fn judged(id: String, label: &str, prediction: String, confidence: f32) -> Judged {
    let names = |label: &str| LabelNames::of(split_labels(label));
    Judged {
        id,
        confidence,
        right: label == prediction || names(label) == names(&prediction),
        several: split_labels(&prediction).len() > 1,
        class: prediction,
        selection_probability: 1.0,
    }
}

/// Reads a file of predictions with a header line that names [`COLUMNS`], in any order and among others; `None`
/// where the first line does not.
///
/// # Errors
///
/// The first line that cannot be used.
pub fn predictions(file: impl Read) -> Result<Option<Evidence>, Failure> {
    let mut reader = csv::ReaderBuilder::new().from_reader(file);
    let Ok(headers) = reader.headers() else {
        return Ok(None);
    };
    let column = |name: &str| headers.iter().position(|header| header.trim() == name);
    let [Some(label), Some(prediction), Some(confidence)] = COLUMNS.map(column) else {
        return Ok(None);
    };
    let mut all = Vec::new();
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
        all.push(judged(
            line.to_string(),
            &value(label, "label")?,
            value(prediction, "prediction")?,
            number,
        ));
    }
    let source = format!("{} with their labels.", counted(all.len(), "prediction"));
    Ok(Some(Evidence {
        judged: all,
        source,
        ..Evidence::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled_csv() -> String {
        let row = |number: usize| match number % 2 {
            0 => format!("Sports,\"Match {number}, the team won the cup final\"\n"),
            _ => format!("Business,\"Quarter {number}: shares, profit and the market\"\n"),
        };
        (0..100).map(row).collect()
    }

    #[test]
    fn every_text_is_judged_once_by_a_model_that_has_not_seen_it() {
        let file = labelled_csv();
        let twice = format!("{file}{}", file.lines().next().expect("rows"));

        let evidence = judge(twice.as_bytes(), None).expect("usable");

        assert_eq!(evidence.judged.len(), 100);
        assert!(
            evidence
                .judged
                .iter()
                .all(|judged| judged.right && judged.selection_probability == 1.0)
        );
        assert!(
            evidence
                .source
                .starts_with("100 labelled texts (1 copy left out)"),
            "{}",
            evidence.source
        );
        assert_eq!(
            judge(file.as_bytes(), None).expect("usable").judged,
            evidence.judged,
            "deterministic"
        );
    }

    #[test]
    fn models_look_through_the_encoder() {
        // No text shares a word with another: n-grams say nothing of what was not seen.
        let foods = [
            "lasagne",
            "noodle soup",
            "roast chicken",
            "omelette",
            "cheese sandwich",
            "fried rice",
            "apple pie",
            "pancakes",
            "grilled salmon",
            "potato salad",
            "chocolate cake",
            "beef stew",
            "tomato sauce",
            "yoghurt",
            "scrambled eggs",
            "garlic bread",
        ];
        let sports = [
            "basketball",
            "goalkeeper",
            "tennis final",
            "marathon runner",
            "swimming",
            "hockey league",
            "boxing",
            "cycling race",
            "volleyball",
            "gymnastics",
            "world cup",
            "rugby match",
            "skiing",
            "wrestling",
            "golf tournament",
            "javelin throw",
        ];
        let rows = foods.iter().zip(sports);
        let file: String = rows
            .map(|(food, sport)| format!("Food,{food}\nSport,{sport}\n"))
            .collect();
        let right = |encoder| {
            let evidence = judge(file.as_bytes(), encoder).expect("usable");
            evidence.judged.iter().filter(|judged| judged.right).count()
        };

        let (without, with) = (right(None), right(Some(Encoder::built_in())));

        assert!(with >= 28 && with > without + 4, "{without} {with} of 32");
    }

    #[test]
    fn labels_of_several_classes_are_right_together_or_not_at_all() {
        let row = |number: usize| match number % 3 {
            0 => format!("Sports,Match {number} the team won the cup final\n"),
            1 => format!("Business,Quarter {number} shares profit market\n"),
            _ => format!(
                "Sports|Business,Match {number} the team won the cup final and shares profit market\n"
            ),
        };

        let evidence = judge((0..120).map(row).collect::<String>().as_bytes(), None).expect("usable");

        let right = evidence.judged.iter().filter(|judged| judged.right).count();
        assert!(right > 100, "{right}");
        let is_of_several = |judged: &&Judged| judged.several;
        assert!(
            evidence
                .judged
                .iter()
                .filter(is_of_several)
                .any(|judged| judged.right)
        );
        let of_one = evidence.judged.iter().filter(|judged| !judged.several);
        assert!(of_one.count() > 60, "two of three texts have one label");
    }

    #[test]
    fn a_file_that_cannot_be_trained_on_is_refused_by_line() {
        let reason = |file: &str| {
            judge(file.as_bytes(), None)
                .expect_err("no training file")
                .to_string()
        };

        assert!(
            reason("Sports,a text\nBusiness\n").contains("line 2"),
            "{}",
            reason("Sports,a text\nBusiness\n")
        );
        assert!(reason("").contains("labels"));
        assert!(reason("Sports,one\nBusiness,two\n").contains("too few texts"));
    }

    #[test]
    fn predictions_of_any_model_are_read_by_their_column_names() {
        let file =
            "\u{feff}text,confidence,label,prediction\nx,0.9,World,World\ny,0.4,A|B,B|A\nz,1,World,Sports\n";

        let evidence = predictions(file.as_bytes())
            .expect("usable")
            .expect("predictions");

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
        assert_eq!(predictions("World,a text\n".as_bytes()).expect("readable"), None);
    }

    #[test]
    fn a_bad_prediction_is_named_by_line_and_value() {
        let reason = |line: &str| {
            let file = format!("label,prediction,confidence\nA,A,0.5\n{line}\n");
            predictions(file.as_bytes()).expect_err("bad").to_string()
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
