//! Lambda: a file of feedback in S3.
fn main() {}
