//! What every function shares with AWS: configuration, clients, the feedback stream, human loops, claims, replies.

pub mod adjudication;
pub mod approval;
pub mod asked_before;
pub mod backoff;
pub mod bucket;
pub mod claims;
pub mod class_names;
pub mod classifier;
pub mod clients;
pub mod copies;
pub mod copy_changes;
pub mod driving_words;
pub mod encoder_in_use;
pub mod env;
pub mod erased;
pub mod event_bus;
pub mod failure;
pub mod feedback_stream;
pub mod hosted_model;
pub mod http;
mod http_client;
pub mod human_loops;
pub mod kept_predictions;
pub mod label_set;
pub mod labelled;
pub mod lambda;
pub mod metrics;
pub mod model_arn;
pub mod model_classes;
pub mod originals;
pub mod overview;
mod own_operation;
pub mod personal_data;
pub mod predictions;
pub mod questions;
pub mod redrive;
pub mod rejected;
pub mod relabelling;
pub mod reply;
pub mod role;
mod root_certificates;
pub mod s3_event;
pub mod text_vectors;
pub mod training_files;
pub mod unknown_classes;
pub mod user_pool;

/// Returns the time now in RFC 3339, UTC, with milliseconds.
pub fn now() -> String {
    rfc3339(chrono::Utc::now())
}

/// Writes a time in RFC 3339 with milliseconds.
pub fn rfc3339(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
