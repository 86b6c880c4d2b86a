//! What is said of predictions: the record and where it comes from, requests, files, what a person looks at.

pub mod arrivals;
pub mod batch;
pub mod delivery;
mod fields;
pub mod hosted_model;
mod invalid;
pub mod prediction;
mod record;
mod request;
pub mod review_policy;
mod schema;
mod signal;

pub use fields::{
    Fields, Known, check_texts, folded_name, kind, parse_fields, take_name, take_text, unknown_field,
    with_decimal_point,
};
pub use invalid::InvalidFeedback;
pub use prediction::{ClassScore, Prediction};
pub use record::{FeedbackRecord, record_id};
pub use request::{FIELDS as REQUEST_FIELDS, FeedbackRequest, Opinion, is_same_prediction, take_opinion};
pub use review_policy::Review;
pub use schema::SCHEMA_VERSION;
pub use signal::{Signal, Source};

#[cfg(test)]
mod tests;
