//! What a model is worth: evaluated, compared with the one before, watched in service.

/// Begins the reason why a job of the built-in classifier failed whose model cannot be used as it is: its file is damaged, of
/// another release, or was trained with another text encoder. To try it again is in vain.
pub const CANNOT_BE_LOADED: &str = "the model cannot be loaded";

pub mod accuracy_by_week;
pub mod accuracy_guarantee;
pub mod audit;
pub mod comparison;
pub mod confidence;
pub mod confusion;
pub mod evaluation;
pub mod first_model;
pub mod threshold;
