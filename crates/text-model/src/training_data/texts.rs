//! The texts of a training file themselves, with the labels that a model would learn of them.

use std::io::Read;

use active_learning_core::dataset::{Findings, Row};

use super::{Collected, Collector, LabelSyntax, Mode, TrainingDataError};

/// Labelled texts as a model learns them from a training file: labels in the one spelling that is used, without rows that
/// have no label or contradict one another.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledTexts {
    /// Whether a text has one label or several.
    pub mode: Mode,
    /// The texts, in the order of the file, which may hold copies.
    pub rows: Vec<Row>,
    /// What was read otherwise than it is written, and what to mind, in sentences; they name no text.
    pub repairs: Vec<String>,
}

impl LabelledTexts {
    /// Reads Comprehend CSV as [`TrainingSet::read_csv_where`](super::TrainingSet::read_csv_where) does where there is no label
    /// set: what is joined, left out and refused there is so here, and told in the same words.
    ///
    /// # Errors
    ///
    /// As [`TrainingSet::read_csv`](super::TrainingSet::read_csv).
    pub fn to_train(reader: impl Read) -> Result<Self, TrainingDataError> {
        let mut collector = Collector::of_texts(reader)?;
        let (findings, joined) = collector.join_to_learn()?;
        Ok(collector.labelled_texts(&findings, joined.repairs))
    }

    /// Reads them as [`LabelledTexts::to_train`] does where no model learns from them alone: one label is enough, and each text
    /// may have a label of its own.
    ///
    /// # Errors
    ///
    /// The first row that cannot be used, or no text whose labels do not contradict each other.
    pub fn to_ask(reader: impl Read) -> Result<Self, TrainingDataError> {
        let mut collector = Collector::of_texts(reader)?;
        let findings = std::mem::take(&mut collector.check).finish_of_known_labels()?;
        let joined = collector.join(&findings);
        Ok(collector.labelled_texts(&findings, joined.repairs))
    }
}

impl Collector {
    fn of_texts(reader: impl Read) -> Result<Self, TrainingDataError> {
        let mut collector = Self::new(LabelSyntax::Detect);
        collector.leaves_out_missing = true;
        collector.keeps_texts_alone = true;
        collector.read_csv(reader)?;
        Ok(collector)
    }

    fn labelled_texts(self, findings: &Findings, repairs: Vec<String>) -> LabelledTexts {
        let mut spellings = vec![""; self.label_ids.len()];
        for (label, id) in &self.label_ids {
            spellings[*id as usize] = findings.spelling(label);
        }
        let row = |Collected { labels, kept, .. }: Collected| {
            let mut names: Vec<String> = Vec::new();
            for id in labels {
                let name = spellings[id as usize];
                if !names.iter().any(|other| other == name) {
                    names.push(name.to_owned());
                }
            }
            let text = kept?.into_string();
            Some(Row { labels: names, text })
        };
        LabelledTexts {
            mode: self.mode,
            rows: self.rows.into_iter().filter_map(row).collect(),
            repairs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{MAX_ENCODED, TrainingSet},
        *,
    };

    fn own_training_set(csv: &str) -> TrainingSet {
        TrainingSet::read_csv_where(csv.as_bytes(), Mode::MultiClass, &|_| None, &|_| true)
            .expect("good rows")
    }

    fn rows(texts: &LabelledTexts) -> Vec<(&str, &str)> {
        let rows = texts.rows.iter();
        rows.map(|row| (row.labels[0].as_str(), row.text.as_str()))
            .collect()
    }

    #[test]
    fn texts_have_the_labels_that_a_model_learns_and_the_same_is_told() {
        let csv = "label,text\nWorld,one\nworld,two\n WORLD,three\nWorld,four\nSports,five\nNULL,six\nSports,seven\n\
                   World,eight\nSports,Eight!\n1.0,nine\n1,ten\n1,eleven\n";

        let texts = LabelledTexts::to_train(csv.as_bytes()).expect("good rows");

        let set = own_training_set(csv);
        assert_eq!(
            rows(&texts),
            [
                ("World", "one"),
                ("World", "two"),
                ("World", "three"),
                ("World", "four"),
                ("Sports", "five"),
                ("Sports", "seven"),
                ("1", "nine"),
                ("1", "ten"),
                ("1", "eleven"),
            ]
        );
        assert_eq!(texts.repairs, set.repairs);
        assert_eq!(texts.mode, Mode::MultiClass);
        let learnt = set.examples.iter().zip(&texts.rows);
        for (example, row) in learnt {
            assert_eq!(set.labels[example.labels[0] as usize], row.labels[0]);
            assert_eq!(example.text.as_deref(), Some(row.text.as_str()));
        }
        assert_eq!(set.len(), texts.rows.len());
        for told in [
            "`1.0` (1) is read as `1`",
            "`NULL`",
            "different labels and is left out",
        ] {
            assert!(
                texts.repairs.iter().any(|repair| repair.contains(told)),
                "{told}: {:?}",
                texts.repairs
            );
        }
    }

    #[test]
    fn several_labels_of_a_text_are_named_once_each_whatever_their_spelling() {
        let texts =
            LabelledTexts::to_train("b|A|B,one\nb,two\na\\|c,three\nA,four\n".as_bytes()).expect("good rows");

        assert_eq!(texts.mode, Mode::MultiLabel);
        assert_eq!(texts.rows[0].labels, ["b", "A"]);
        assert_eq!(texts.rows[2].labels, ["a|c"]);
    }

    #[test]
    fn a_file_that_no_model_learns_from_is_refused_as_training_refuses_it_and_may_still_be_asked() {
        let one_label = "World,one\nworld,two\n";
        let refused = |csv: &str| {
            LabelledTexts::to_train(csv.as_bytes())
                .expect_err("nothing to learn")
                .to_string()
        };

        assert_eq!(
            refused(one_label),
            TrainingSet::read_csv(one_label.as_bytes())
                .expect_err("one label")
                .to_string()
        );
        assert!(refused("World,one\nSports\n").contains("line 2"));
        let asked = LabelledTexts::to_ask(one_label.as_bytes()).expect("two texts");
        assert_eq!(rows(&asked), [("World", "one"), ("World", "two")]);
        assert!(
            asked.repairs[0].contains("is read as `World`"),
            "{:?}",
            asked.repairs
        );
        assert!(LabelledTexts::to_ask("World,one\nSports,one\n".as_bytes()).is_err());
    }

    #[test]
    fn all_texts_are_kept_also_of_a_large_file() {
        let row = |number: usize| format!("{},text {number}\n", ["a", "b"][number % 2]);
        let csv: String = (0..MAX_ENCODED + 10).map(row).collect();

        let texts = LabelledTexts::to_train(csv.as_bytes()).expect("good rows");

        assert_eq!(texts.rows.len(), MAX_ENCODED + 10);
    }
}
