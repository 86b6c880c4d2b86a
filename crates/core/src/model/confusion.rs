//! What people said of what models predicted, by label: sums whose size does not grow with the texts.
//!
//! People are asked about what a model doubts, so these are no shares of the traffic: they say what is taken for what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::labels::{
    consolidation::Consensus, human_loop::Answer, label_set::LabelSet, labelled::LabelledRecord,
};

/// Models that are kept: those that were judged last.
const MODELS_KEPT: usize = 3;
/// Pairs of labels that are kept of a model.
const PAIRS_KEPT: usize = 1_000;

/// What people said of the predictions of the models that were judged last, by the ARN of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusions(BTreeMap<String, ModelConfusion>);

/// What people said of the predictions of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelConfusion {
    /// When the newest of these answers was given, RFC 3339.
    pub newest: String,
    /// Texts that are in these sums.
    pub texts: u64,
    /// Texts by predicted label, then by the label that people gave; the empty one where no label fits, or a new one would.
    pub pairs: BTreeMap<String, BTreeMap<String, u64>>,
    /// Texts whose pair of labels is one too many.
    pub beyond: u64,
}

/// A predicted label, and what people said instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfusedPair<'a> {
    /// What the model predicted.
    pub predicted: &'a str,
    /// What people said; empty where no label fits.
    pub said: &'a str,
    /// Texts of this pair.
    pub texts: u64,
    /// Texts of which the model predicted so.
    pub of: u64,
}

impl Confusions {
    /// Returns what people said of a model's predictions.
    pub fn of(&self, model_arn: &str) -> Option<&ModelConfusion> {
        self.0.get(model_arn)
    }

    /// Adds what people agree on, where a model predicted something.
    ///
    /// Of several labels each that both have stands against itself, and each that only the model has against each that only
    /// people have. A prediction that was judged before, as of a text whose answer is corrected, is counted once.
    pub fn add_labelled(&mut self, labelled: &LabelledRecord) {
        let (Some(model), Consensus::Agreed { answer, .. }) =
            (&labelled.record.model_arn, &labelled.consensus)
        else {
            return;
        };
        let said: &[String] = match answer {
            Answer::Labels { labels } => labels,
            Answer::NoneFits | Answer::NewLabel { .. } => &[],
            Answer::Unsure => return,
        };
        let predicted = labelled.record.predicted_labels();
        if predicted.is_empty() {
            return;
        }
        let of_model = self.0.entry(model.clone()).or_default();
        match labelled.was_right {
            Some(true) => of_model.remove(&predicted, &predicted),
            Some(false) => {
                // Lines between may be of files, which judge no prediction.
                let said = labelled.was_said.as_ref().unwrap_or(&labelled.replaces);
                of_model.remove(&predicted, said);
            }
            None => {}
        }
        of_model.add(&predicted, said, &labelled.labelled_at);
        self.forget_old_models();
    }

    fn forget_old_models(&mut self) {
        while self.0.len() > MODELS_KEPT {
            let oldest = self.0.iter().min_by(|(_, a), (_, b)| a.newest.cmp(&b.newest));
            let Some((oldest, _)) = oldest else { return };
            let oldest = oldest.clone();
            self.0.remove(&oldest);
        }
    }
}

impl ModelConfusion {
    fn add(&mut self, predicted: &[String], said: &[String], at: &str) {
        self.texts += 1;
        if at > self.newest.as_str() {
            at.clone_into(&mut self.newest);
        }
        for (predicted, said) in pairs_of(predicted, said) {
            self.count(&predicted, &said);
        }
    }

    /// Takes out what was added for a text, since it is answered otherwise by now; nothing where it is not there.
    fn remove(&mut self, predicted: &[String], said: &[String]) {
        self.texts = self.texts.saturating_sub(1);
        for (predicted, said) in pairs_of(predicted, said) {
            let Some(row) = self.pairs.get_mut(&predicted) else {
                continue;
            };
            if let Some(count) = row.get_mut(&said) {
                *count = count.saturating_sub(1);
            }
            row.retain(|_, count| *count > 0);
            if row.is_empty() {
                self.pairs.remove(&predicted);
            }
        }
    }

    /// Returns the same by the names that labels have now, so that a label which was renamed, or merged into another, is one.
    #[must_use]
    pub fn by_names_of(&self, set: &LabelSet) -> Self {
        let mut pairs: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (predicted, row) in &self.pairs {
            let named = pairs.entry(set.own_name(predicted).to_owned()).or_default();
            for (said, texts) in row {
                *named.entry(set.own_name(said).to_owned()).or_default() += texts;
            }
        }
        Self {
            pairs,
            ..self.clone()
        }
    }

    fn count(&mut self, predicted: &str, said: &str) {
        let known = self
            .pairs
            .get(predicted)
            .is_some_and(|row| row.contains_key(said));
        let kept: usize = self.pairs.values().map(BTreeMap::len).sum();
        if !known && kept >= PAIRS_KEPT {
            self.beyond += 1;
            return;
        }
        let row = self.pairs.entry(predicted.to_owned()).or_default();
        *row.entry(said.to_owned()).or_default() += 1;
    }

    /// Returns the pairs in which people contradict the model, the most frequent first.
    pub fn most_confused(&self) -> Vec<ConfusedPair<'_>> {
        let mut pairs: Vec<ConfusedPair<'_>> = Vec::new();
        for (predicted, row) in &self.pairs {
            let of = row.values().sum();
            let wrong = row.iter().filter(|(said, _)| *said != predicted);
            pairs.extend(wrong.map(|(said, texts)| ConfusedPair {
                predicted,
                said,
                texts: *texts,
                of,
            }));
        }
        pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.texts), pair.predicted, pair.said));
        pairs
    }
}

/// Returns the pairs of labels that a text counts for; people's is empty where no label fits.
fn pairs_of(predicted: &[String], said: &[String]) -> Vec<(String, String)> {
    let (right, wrong): (Vec<_>, Vec<_>) = predicted.iter().partition(|label| said.contains(label));
    let missed: Vec<&String> = said.iter().filter(|label| !predicted.contains(label)).collect();
    let none = String::new();
    let missed = if missed.is_empty() { vec![&none] } else { missed };

    let of_right = right.into_iter().map(|label| (label.clone(), label.clone()));
    let of_wrong = wrong
        .into_iter()
        .flat_map(|label| missed.iter().map(move |said| (label.clone(), (*said).clone())));
    of_right.chain(of_wrong).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::labels::label_set::Origin;

    fn labelled(model: &str, predicted: &str, answer: &Value, at: &str) -> LabelledRecord {
        serde_json::from_value(json!({
            "schemaVersion": 1, "humanLoop": "l", "flowDefinitionArn": "f", "labelledAt": at,
            "record": {
                "schemaVersion": 1, "id": crate::feedback::record_id("news", "One"), "classifier": "news",
                "utterance": "One", "prediction": predicted, "confidence": 0.4, "modelArn": model,
                "source": "implicit", "signal": "low-confidence", "receivedAt": at,
            },
            "consensus": { "state": "agreed", "answer": answer, "confidence": 1.0 }, "votes": [],
        }))
        .expect("a labelled record")
    }

    fn label(name: &str) -> Value {
        json!({ "kind": "labels", "labels": [name] })
    }

    #[test]
    fn the_most_confused_pairs_come_first_and_right_predictions_are_no_pairs() {
        let mut confusions = Confusions::default();
        let answers = [
            ("World", label("World")),
            ("World", label("Sports")),
            ("World", label("Sports")),
            ("Sports", json!({ "kind": "none-fits" })),
            ("Sports", json!({ "kind": "unsure" })),
        ];
        for (predicted, answer) in &answers {
            confusions.add_labelled(&labelled("m", predicted, answer, "2026-11-20T10:00:00Z"));
        }

        let of_model = confusions.of("m").expect("judged");
        let pairs = of_model.most_confused();

        let pairs: Vec<_> = pairs
            .iter()
            .map(|pair| (pair.predicted, pair.said, pair.texts, pair.of))
            .collect();
        assert_eq!(pairs, [("World", "Sports", 2, 3), ("Sports", "", 1, 1)]);
        assert_eq!(of_model.texts, 4);
    }

    #[test]
    fn a_text_whose_answer_is_corrected_counts_once_and_as_it_is_answered_now() {
        let mut confusions = Confusions::default();
        let at = "2026-11-20T10:00:00Z";
        let first = labelled("m", "World", &label("World"), at);
        let sports = LabelledRecord {
            was_right: Some(true),
            replaces: vec!["World".into()],
            ..labelled("m", "World", &label("Sports"), at)
        };
        let business = LabelledRecord {
            was_right: Some(false),
            replaces: vec!["Sports".into()],
            ..labelled("m", "World", &label("Business"), at)
        };

        // A file called it something else in between, which judges no prediction.
        let science = LabelledRecord {
            was_right: Some(false),
            was_said: Some(vec!["Business".into()]),
            replaces: vec!["Technology".into()],
            ..labelled("m", "World", &label("Science"), at)
        };

        for line in [first, sports, business, science] {
            confusions.add_labelled(&line);
        }

        let of_model = confusions.of("m").expect("judged");
        assert_eq!(of_model.texts, 1);
        let pairs = [("World".to_owned(), [("Science".to_owned(), 1)].into())];
        assert_eq!(of_model.pairs, pairs.into());
    }

    #[test]
    fn of_several_labels_those_that_both_have_are_right() {
        let mut model = ModelConfusion::default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();

        model.add(&names(&["A", "B"]), &names(&["B", "C"]), "t");
        model.add(&names(&["A", "B"]), &names(&["B"]), "t");

        assert_eq!(model.pairs["B"], [("B".to_owned(), 2)].into());
        let of_a = [("C".to_owned(), 1), (String::new(), 1)];
        assert_eq!(model.pairs["A"], of_a.into());
    }

    #[test]
    fn a_label_that_was_renamed_or_merged_is_one_by_its_name_of_now() {
        let at = "2026-11-20T10:00:00Z";
        let mut set = LabelSet::seed(["Outage", "Billing", "Delivery"], Origin::Edited, at);
        set.rename("Outage", "Technical").expect("free");
        set.merge("Billing", "Delivery").expect("active");
        let mut model = ModelConfusion::default();
        for (predicted, said) in [
            ("Outage", "Outage"),
            ("Outage", "Technical"),
            ("Technical", "Billing"),
            ("Billing", "Delivery"),
            ("Delivery", ""),
        ] {
            model.count(predicted, said);
        }

        let named = model.by_names_of(&set);

        let technical = [("Technical".to_owned(), 2), ("Delivery".to_owned(), 1)];
        let delivery = [("Delivery".to_owned(), 1), (String::new(), 1)];
        let expected = [
            ("Technical".to_owned(), technical.into()),
            ("Delivery".to_owned(), delivery.into()),
        ];
        assert_eq!(named.pairs, expected.into());
        let confused = named.most_confused();
        assert_eq!(
            (confused[0].predicted, confused[0].said, confused[0].of),
            ("Delivery", "", 2)
        );
        assert_eq!((confused[1].predicted, confused[1].of), ("Technical", 3));
    }

    #[test]
    fn the_sums_are_of_three_models_and_of_a_thousand_pairs_however_many_there_are() {
        let mut confusions = Confusions::default();
        for day in 1..=5 {
            let at = format!("2026-11-0{day}T00:00:00Z");
            confusions.add_labelled(&labelled(&format!("m{day}"), "World", &label("World"), &at));
        }
        let mut model = ModelConfusion::default();
        for number in 0..1_100 {
            model.count(&number.to_string(), "World");
        }

        assert!(confusions.of("m2").is_none() && confusions.of("m3").is_some());
        assert_eq!((model.pairs.len(), model.beyond), (PAIRS_KEPT, 100));
    }
}
