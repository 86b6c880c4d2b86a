//! S3, Firehose and Secrets Manager as the real SDK clients see them, in process.

mod damage;
mod faults;
mod firehose;
mod harness;
mod s3_access;
mod s3_buckets;
mod s3_conditions;
mod s3_damage;
mod s3_edges;
mod s3_notifications;
mod s3_objects;
mod s3_uploads;
mod s3_versions;
mod secretsmanager;
