//! What a service of the one port is, and the table of them: a new one is a folder and a line here.
//!
//! Two services are not of the table, since they check signatures in their own way and carry no operations of one
//! protocol: S3, and the URLs of functions and APIs. Services that a function serves are in [`crate::gateway`].

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response};

use crate::{LocalAws, aws_error::Envelope};

/// A service whose signatures the gateway checks.
pub(crate) trait Service: Send + Sync {
    /// Returns its name in signatures and in the actions of policies.
    fn name(&self) -> &'static str;

    /// Returns how its requests are told from others, and how it writes errors.
    fn protocol(&self) -> Protocol;

    /// Answers a request of the verified [`Caller`](crate::sigv4::Caller), and their
    /// [`Principal`](crate::iam::Principal), in its extensions.
    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>>;

    /// Returns whether faults befall it.
    fn takes_faults(&self) -> bool {
        false
    }
}

/// The protocol of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// JSON 1.0 or 1.1: `X-Amz-Target` is the prefix, a dot and the operation.
    Json {
        /// What stands before the operation.
        prefix: &'static str,
        /// Content type, which names the version.
        content_type: &'static str,
    },
    /// REST with JSON: told by the name in the signature.
    Rest,
    /// Query: a form, told by the name in the signature.
    Query,
}

impl Protocol {
    /// Returns how errors are written.
    pub(crate) fn envelope(self) -> Envelope {
        match self {
            Self::Json { content_type, .. } => Envelope::Json {
                content_type,
                message_member: "message",
            },
            Self::Rest => Envelope::RestJson,
            Self::Query => Envelope::Query,
        }
    }
}

/// Returns the services.
pub(crate) fn table(aws: &LocalAws) -> [&dyn Service; 13] {
    [
        &aws.firehose,
        &aws.secrets,
        &aws.step_functions,
        &aws.logs,
        &aws.events,
        &aws.parameters,
        &aws.lambda,
        &aws.api_gateway,
        &aws.sns,
        &aws.sagemaker_runtime,
        &aws.cloudformation,
        &aws.tokens,
        &aws.roles,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_says_of_every_service_how_it_differs() {
        let aws = LocalAws::in_memory();
        let readme = include_str!("../README.md");
        let others = ["s3", "scheduler"];

        let names = table(&aws).map(Service::name).into_iter().chain(others);
        let missing: Vec<&str> = names
            .filter(|name| !readme.contains(&format!("| `{name}` |")))
            .collect();

        assert!(missing.is_empty(), "README.md lacks {missing:?}");
    }

    #[test]
    fn no_two_services_are_told_by_the_same() {
        let aws = LocalAws::in_memory();

        let mut told: Vec<&str> = table(&aws)
            .into_iter()
            .map(|service| match service.protocol() {
                Protocol::Json { prefix, .. } => prefix,
                Protocol::Rest | Protocol::Query => service.name(),
            })
            .collect();
        told.sort_unstable();
        let count = told.len();
        told.dedup();

        assert_eq!(told.len(), count);
    }
}
