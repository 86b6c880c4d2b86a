//! Trains and runs the built-in model; Lambda: a Comprehend-compatible API.

mod features;
mod metrics;
mod model;
mod train;
mod training_data;

pub use metrics::EvaluationMetrics;
pub use model::{Model, ModelError, Prediction};
pub use train::{Trained, train};
pub use training_data::{
    LABEL_DELIMITER, MAX_CLASSES, MAX_LABELS, Mode, TrainingDataError, TrainingSet,
};
