//! S3, Firehose and Secrets Manager as the real SDK clients see them, in process.

mod harness;
mod s3;
