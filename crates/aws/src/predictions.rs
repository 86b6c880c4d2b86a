//! What a classifier answers, as classes with scores.

use active_learning_core::feedback::prediction::{ClassScore, Prediction};
use aws_sdk_comprehend::operation::classify_document::ClassifyDocumentOutput;

/// What a classifier answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Classified {
    /// Classes by the model's own names.
    pub classes: Vec<ClassScore>,
    /// Whether a text may have several of them.
    pub several_labels: bool,
}

impl Classified {
    /// Returns the prediction; `None` if no class has a name and a finite score.
    pub fn prediction(self) -> Option<Prediction> {
        Prediction::of_labels(self.classes, self.several_labels)
    }
}

/// Reads the classes of a multi-class endpoint, or the labels of a multi-label one.
pub fn read(answer: &ClassifyDocumentOutput) -> Classified {
    let score = |name: Option<&str>, score: Option<f32>| {
        Some(ClassScore {
            name: name?.to_owned(),
            score: score?,
        })
    };
    let several_labels = !answer.labels().is_empty();
    let labels = answer.labels().iter();
    let labels = labels.filter_map(|label| score(label.name(), label.score()));
    let classes = answer.classes().iter();
    let classes = classes.filter_map(|class| score(class.name(), class.score()));
    Classified {
        classes: match several_labels {
            true => labels.collect(),
            false => classes.collect(),
        },
        several_labels,
    }
}
