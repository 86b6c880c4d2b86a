//! The AWS services that a serverless application needs, on their real wire protocols, on one machine.
