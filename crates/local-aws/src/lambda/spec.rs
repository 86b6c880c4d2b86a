//! What a template says of functions.

use std::{collections::BTreeMap, ffi::OsString};

/// A function of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Function name.
    pub name: String,
    /// Role whose credentials the process gets.
    pub role_arn: String,
    /// Environment block of the template.
    pub environment: BTreeMap<String, String>,
    /// Timeout of one invocation, seconds.
    pub timeout_seconds: u32,
    /// Memory size, MB; told to the process, not enforced.
    pub memory_megabytes: u32,
    /// Asks the process for log lines in JSON; what it writes is kept as it comes.
    pub json_logs: bool,
    /// Most processes at once; `None` for [`DEFAULT_CONCURRENCY`](super::DEFAULT_CONCURRENCY).
    pub reserved_concurrency: Option<u32>,
    /// Program and arguments that run the function.
    pub command: Vec<OsString>,
}

/// `AWS::Lambda::EventInvokeConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInvokeSpec {
    /// Function name.
    pub function_name: String,
    /// Retries after a function error, 0 to 2.
    pub maximum_retry_attempts: u32,
    /// Greatest age of an event, seconds, 60 to 21,600.
    pub maximum_event_age_seconds: u32,
    /// ARN of the on-failure destination (an S3 bucket).
    pub on_failure_arn: Option<String>,
}

/// `AWS::Lambda::Permission`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionSpec {
    /// Function name.
    pub function_name: String,
    /// For example `lambda:InvokeFunction`.
    pub action: String,
    /// Service or ARN.
    pub principal: String,
    /// Pattern that the source's ARN must match.
    pub source_arn: Option<String>,
    /// Account of the source.
    pub source_account: Option<String>,
}

/// `AWS::Lambda::Url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUrlSpec {
    /// Id in the URL.
    pub id: String,
    /// Function name.
    pub function_name: String,
    /// `AuthType: AWS_IAM`; without it anyone may call.
    pub iam_auth: bool,
}
