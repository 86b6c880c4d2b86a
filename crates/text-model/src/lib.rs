//! Trains and runs the built-in text classification model. Knows nothing of AWS.
//!
//! [`TrainingSet::read_csv`] reads labelled texts, [`train()`] makes a [`Model`] of them, [`Model::to_bytes`]
//! and [`Model::from_bytes`] keep it in a file.

mod augmented_manifest;
mod calibration;
mod dense;
mod doubt;
mod features;
mod fit;
mod labelled;
pub mod metrics;
mod model;
mod model_file;
mod model_format;
mod plan;
mod region;
mod spread;
mod squares;
mod thresholds;
pub mod train;
pub mod training_data;
mod vectors;
mod weighing;
mod weights;
mod words;

pub use active_learning_core::dataset::Mode;
pub use features::Features;
pub use metrics::EvaluationMetrics;
pub use model::{Model, Prediction};
pub use model_format::ModelError;
pub use train::{Confidence, MAX_UNLABELLED, Trained, train, train_classes, train_within};
pub use training_data::{
    LABEL_DELIMITER, LabelledTexts, MAX_CLASSES, MAX_ENCODED, MAX_LABELS, TrainingDataError, TrainingSet,
};
