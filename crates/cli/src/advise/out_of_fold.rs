//! Judged predictions of the built-in model on labelled texts, each by a model that has not seen the text.

use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc};

use active_learning_core::{
    dataset::{ContentId, HeldOut, NearCopies, Row, TextId, one_line},
    feedback::{
        prediction::{ClassScore, Prediction},
        record_id,
    },
    model::{evaluation::LabelNames, threshold::Judged},
};
use text_encoder::Encoder;
use text_model::{LabelledTexts, Mode, Model, train};

use super::{Evidence, Failure};
use crate::{
    encoder::{self, Vectors},
    labelled_texts::training_set,
    wording::{counted, counted_as},
};

/// Parts of the file; a model trained on the others judges each.
const FOLDS: NonZeroU32 = NonZeroU32::new(5).expect("five is not zero");
const SEED: u64 = 0;

/// A text with its labels.
struct Text {
    id: ContentId,
    row: Row,
}

/// Trains the built-in model on each four of five parts of labelled texts and judges it on the fifth.
///
/// The parts follow from the contents alone, and copies of a text count once. Near copies of a part are not trained on where it
/// is judged, as in production: a model that has seen them would be promised to know what it has never seen.
pub fn judge(texts: LabelledTexts, encoder: Option<Arc<Encoder>>) -> Result<Evidence, Failure> {
    let LabelledTexts { mode, rows, repairs } = texts;
    let read = rows.len();
    let mut seen = BTreeSet::new();
    let texts: Vec<Text> = rows
        .into_iter()
        .filter(|row| seen.insert(TextId::of(&row.text)))
        .map(|row| Text {
            id: ContentId::of(&row.text),
            // As a training file holds it.
            row: Row {
                text: one_line(&row.text),
                ..row
            },
        })
        .collect();
    let all = texts.iter().map(|text| text.row.text.as_str());
    let vectors = encoder.map(|encoder| Vectors::of(encoder, all));
    let vectors = vectors.as_ref();
    let mut judged = Vec::with_capacity(texts.len());
    let mut near_copies = BTreeSet::new();
    for fold in 0..FOLDS.get() {
        eprintln!("Training without part {} of {FOLDS} …", fold + 1);
        let (held_out, kept): (Vec<&Text>, Vec<&Text>) =
            texts.iter().partition(|text| text.id.part(FOLDS) == fold);
        let (near, kept) = apart(kept, &held_out);
        near_copies.extend(near.into_iter().map(|text| text.id));
        let kept = kept.into_iter().map(|text| &text.row);
        let mut training_set = training_set(kept, mode).map_err(|error| {
            format!("too few texts to train on four of five parts, near copies left out: {error}")
        })?;
        if let Some(vectors) = vectors {
            vectors.give_to(&mut training_set);
        }
        let model = train(&training_set, SEED).model;
        let of_fold = held_out.into_iter();
        judged.extend(of_fold.filter_map(|text| judge_one(&model, &text.row, vectors)));
    }
    let copies = read - texts.len();
    Ok(Evidence {
        judged,
        source: format!(
            "{}{}, each classified by the built-in model trained on four of five parts without it{}.",
            counted(texts.len(), "labelled text"),
            match copies {
                0 => String::new(),
                copies => format!(" ({} left out)", counted_as(copies, "copy", "copies")),
            },
            match near_copies.len() {
                0 => String::new(),
                near => format!(", nor its near copies, which {near} have"),
            }
        ),
        repairs,
        ..Evidence::default()
    })
}

/// Takes the near copies of held-out texts out of those to train on.
fn apart<'a>(kept: Vec<&'a Text>, held_out: &[&Text]) -> (Vec<&'a Text>, Vec<&'a Text>) {
    let mut of_part = HeldOut::default();
    for text in held_out {
        of_part.insert(&text.row.text);
    }
    let near = NearCopies::of(&of_part);
    kept.into_iter().partition(|text| near.contains(&text.row.text))
}

fn judge_one(model: &Model, row: &Row, vectors: Option<&Vectors>) -> Option<Judged> {
    let classes = encoder::predict(model, &row.text, vectors);
    let classes = classes.into_iter().map(|class| ClassScore {
        name: class.label.to_owned(),
        score: class.score,
    });
    let prediction = match model.mode() {
        Mode::MultiClass => Prediction::multi_class(classes.collect()),
        Mode::MultiLabel => Prediction::multi_label(classes.collect()),
    }?;
    Some(Judged {
        id: record_id("", &row.text),
        confidence: prediction.confidence,
        right: LabelNames::of(row.labels.iter().cloned())
            == LabelNames::of(prediction.labels.iter().cloned()),
        several: prediction.labels.len() > 1,
        class: prediction.label,
        selection_probability: 1.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(file: &[u8], encoder: Option<Arc<Encoder>>) -> Result<Evidence, Failure> {
        super::judge(LabelledTexts::to_train(file)?, encoder)
    }

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
    fn a_model_has_not_seen_near_copies_of_what_it_judges() {
        // Letters in four versions each; nothing but a version of it tells the label of one.
        let letter = |number: usize| -> String {
            let word = |place: usize| record_id("", &format!("{number} {place}"))[..9].to_owned();
            (0..20).map(word).collect::<Vec<_>>().join(" ")
        };
        let row = |number: usize| {
            let label = ["a", "b"][number / 4 % 2];
            format!("{label},{} {}\n", letter(number / 4), number % 4)
        };
        let file: String = (0..240).map(row).collect();

        let evidence = judge(file.as_bytes(), None).expect("usable");

        let right = evidence.judged.iter().filter(|judged| judged.right).count();
        assert!((60..=180).contains(&right), "half of 240 by chance, not {right}");
        assert!(
            evidence
                .source
                .contains("trained on four of five parts without it, nor its near copies, which "),
            "{}",
            evidence.source
        );
    }

    #[test]
    fn one_label_in_several_spellings_is_judged_as_one_and_no_label_or_two_of_one_text_are_left_out() {
        let clean = labelled_csv();
        let respelt = |(number, line): (usize, &str)| match number % 3 {
            0 => {
                line.replacen("Sports", "sports", 1)
                    .replacen("Business", "BUSINESS", 1)
                    + "\n"
            }
            _ => format!("{line}\n"),
        };
        let respelt: String = clean.lines().enumerate().map(respelt).collect();
        let unusable =
            "NULL,The team is of no class\nSports,the market of the cup\nBusiness,The market of the cup!\n";

        let evidence = judge((respelt + unusable).as_bytes(), None).expect("usable");

        let of_clean = judge(clean.as_bytes(), None).expect("usable");
        assert_eq!(evidence.judged, of_clean.judged);
        assert_eq!(
            evidence.repairs,
            [
                "line 101: a label such as `NULL`, `NaN` or `n/a` was read as none; a row without another one is left out \
                 as unlabelled",
                "`BUSINESS` (17) is read as `Business`",
                "`sports` (17) is read as `Sports`",
                "1 text has different labels and is left out, with all its 2 rows (lines 102 and 103)",
            ]
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
        // No two are near copies: those are left out of training.
        let sports = ["team", "cup", "final", "goal", "coach", "league", "stadium"];
        let business = [
            "shares", "profit", "market", "bank", "merger", "dividend", "index",
        ];
        let words = |of: &[&str; 7], number: usize| {
            let places = [number, number / 7 + 1, number / 3 + 2, number / 2 + 4];
            places.map(|place| of[place % 7]).join(" ")
        };
        let row = |number: usize| {
            let (sport, money) = (words(&sports, number), words(&business, number));
            match number % 3 {
                0 => format!("Sports,{sport}\n"),
                1 => format!("Business,{money}\n"),
                _ => format!("Sports|Business,{sport} {money}\n"),
            }
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
}
