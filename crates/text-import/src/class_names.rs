//! Names of classes that a document gives beside rows which have their numbers.
//!
//! Source: Hugging Face, dataset viewer API, `/rows` and `/first-rows`: `features` with the type `ClassLabel`.

use serde_json::Value;

use crate::draft::Fields;

/// The field of a document that says what its columns hold.
pub(crate) const FEATURES: &str = "features";

/// A column of class numbers with the names of the classes, in the order of their numbers.
pub(crate) struct ClassNames {
    column: String,
    names: Vec<String>,
}

/// Reads the columns whose classes a document names.
pub(crate) fn class_names(document: &Fields) -> Vec<ClassNames> {
    let features = document.get(FEATURES).and_then(Value::as_array);
    let class_names = |feature: &Value| {
        let kind = feature.get("type")?;
        // A column of several labels has a list of such.
        let kind = kind.get("feature").unwrap_or(kind);
        if kind.get("_type")?.as_str()? != "ClassLabel" {
            return None;
        }
        let names = kind.get("names")?.as_array()?.iter();
        Some(ClassNames {
            column: feature.get("name")?.as_str()?.to_owned(),
            names: names
                .map(|name| name.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
        })
    };
    features.into_iter().flatten().filter_map(class_names).collect()
}

impl ClassNames {
    /// Puts the names in the place of the numbers; a row without a label has -1.
    pub(crate) fn name(&self, row: &mut Fields) {
        let fields = match row.get_mut("row") {
            Some(Value::Object(inner)) => inner,
            _ => row,
        };
        if let Some(value) = fields.get_mut(&self.column) {
            self.name_value(value);
        }
    }

    fn name_value(&self, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.name_value(value)),
            Value::Number(number) => match number.as_i64().map(usize::try_from) {
                Some(Ok(at)) if at < self.names.len() => *value = Value::from(self.names[at].as_str()),
                Some(Err(_)) => *value = Value::Null,
                _ => {}
            },
            _ => {}
        }
    }

    /// Says that the numbers were named.
    pub(crate) fn note(&self) -> String {
        format!(
            "the numbers of `{}` were read as the names that `{FEATURES}` gives",
            self.column
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Options, read};

    #[test]
    fn numbers_of_classes_that_the_document_names_are_these_names() {
        let names = json!({"names": ["billing", "login"], "_type": "ClassLabel"});
        let row = |at: usize, text: &str, label: serde_json::Value| json!({"row_idx": at, "row": {"text": text, "label": label}, "truncated_cells": []});
        let document = |kind: serde_json::Value, labels: [serde_json::Value; 3]| {
            let [one, two, three] = labels;
            json!({
                "features": [
                    {"feature_idx": 0, "name": "text", "type": {"dtype": "string", "_type": "Value"}},
                    {"feature_idx": 1, "name": "label", "type": kind},
                ],
                "rows": [row(0, "No invoice", one), row(1, "I cannot log in", two), row(2, "It is late", three)],
            })
            .to_string()
        };
        let several = json!({"feature": names, "_type": "Sequence"});
        for content in [
            document(names, [json!(0), json!(1), json!(-1)]),
            document(several, [json!([0]), json!([1]), json!([])]),
        ] {
            let import = read(content.as_bytes(), &Options::default()).expect("rows");

            let labels = import.rows.iter().map(|row| {
                let votes = row.votes.iter().map(|vote| vote.labels.join("|"));
                (row.text.as_str(), votes.collect::<Vec<_>>().join(","))
            });
            let expected = [
                ("No invoice", "billing"),
                ("I cannot log in", "login"),
                ("It is late", ""),
            ];
            assert_eq!(
                labels.collect::<Vec<_>>(),
                expected.map(|(text, label)| (text, label.to_owned())),
                "{content}"
            );
            assert!(
                import
                    .notes
                    .iter()
                    .any(|note| note.contains("names that `features` gives")),
                "{:?}",
                import.notes
            );
            assert!(
                !import.notes.iter().any(|note| note.contains("not used")),
                "{:?}",
                import.notes
            );
        }
    }
}
