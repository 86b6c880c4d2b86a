//! What every function shares with AWS: configuration, clients, the feedback stream, claims, replies.

pub mod claims;
pub mod clients;
pub mod env;
pub mod feedback_stream;
pub mod metrics;
pub mod objects;
pub mod reply;

/// Starts logging as the function's logging configuration says: level and JSON or text, to stdout.
pub fn init_tracing() {
    lambda_runtime::tracing::init_default_subscriber();
}

/// Returns the time now in RFC 3339, UTC, with milliseconds.
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
