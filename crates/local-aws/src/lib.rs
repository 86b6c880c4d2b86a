//! The AWS services that a serverless application needs, on their real wire protocols, on one machine.
//!
//! [`LocalAws`] holds the services; [`LocalAws::router`] serves all of them on one port, and
//! [`LocalAws::sdk_config`] hands out an SDK configuration whose transport is that router, without a
//! socket. Each service module says at its top where it differs from AWS; what is not implemented is
//! answered with an error that names it.

pub mod apigateway;
pub mod firehose;
pub mod gateway;
pub mod iam;
pub mod invocation_queue;
pub mod lambda;
pub mod s3;
pub mod secretsmanager;
pub mod store;
pub mod transport;

/// Account id of everything local: LocalStack's default, which users of such tools know.
pub const ACCOUNT_ID: &str = "000000000000";
