//! What a classifier answers, as a prediction.

use active_learning_core::feedback::prediction::{ClassScore, Prediction};
use aws_sdk_comprehend::operation::classify_document::ClassifyDocumentOutput;

/// Reads the classes of a multi-class endpoint, or the labels of a multi-label one; `None` if it names neither.
pub fn read(answer: &ClassifyDocumentOutput) -> Option<Prediction> {
    let score = |name: Option<&str>, score: Option<f32>| {
        Some(ClassScore {
            name: name?.to_owned(),
            score: score?,
        })
    };
    if answer.labels().is_empty() {
        let classes = answer.classes().iter();
        Prediction::multi_class(
            classes
                .filter_map(|class| score(class.name(), class.score()))
                .collect(),
        )
    } else {
        let labels = answer.labels().iter();
        Prediction::multi_label(
            labels
                .filter_map(|label| score(label.name(), label.score()))
                .collect(),
        )
    }
}
