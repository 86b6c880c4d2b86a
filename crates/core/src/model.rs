//! What a model is worth: evaluated, compared with the one before, watched in service.

pub mod accuracy_guarantee;
pub mod audit;
pub mod comparison;
pub mod confidence;
pub mod evaluation;
pub mod first_model;
pub mod threshold;
