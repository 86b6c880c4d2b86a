//! What a template says of REST APIs, keys and usage plans.

use std::collections::BTreeMap;

/// A REST API of the template with the stage it is deployed to.
#[derive(Debug, Clone, PartialEq)]
pub struct RestApiSpec {
    /// API id.
    pub id: String,
    /// API name.
    pub name: String,
    /// Stage name.
    pub stage: String,
    /// Methods by resource path, for example `/classify` or `/{proxy+}`.
    pub methods: Vec<MethodSpec>,
    /// `AWS::ApiGateway::GatewayResponse`, by response type, for example `DEFAULT_4XX`.
    pub gateway_responses: BTreeMap<String, GatewayResponseSpec>,
    /// Stage-wide throttle.
    pub throttle: Option<Throttle>,
}

/// One method of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodSpec {
    /// Resource path.
    pub path: String,
    /// `GET`, `POST`, `OPTIONS`, … or `ANY`.
    pub http_method: String,
    /// `ApiKeyRequired`.
    pub api_key_required: bool,
    /// JSON Schema (draft 4) of the body by content type, or `$default`.
    pub request_models: BTreeMap<String, serde_json::Value>,
    /// Whether the validator checks the body.
    pub validate_body: bool,
    /// Names of required request parameters (`method.request.header.X`), if the validator checks them.
    pub required_parameters: Vec<String>,
    /// What answers.
    pub integration: Integration,
}

/// What answers a method.
#[derive(Debug, Clone, PartialEq)]
pub enum Integration {
    /// `AWS_PROXY` to a function.
    LambdaProxy {
        /// ARN of the function.
        function_arn: String,
        /// Milliseconds, 50 to 29,000.
        timeout_ms: u32,
    },
    /// `MOCK`: a fixed answer, used for CORS preflight.
    Mock {
        /// Status of the answer.
        status: u16,
        /// Headers of the answer.
        headers: BTreeMap<String, String>,
    },
}

/// A customised gateway response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayResponseSpec {
    /// Status instead of the usual one.
    pub status: Option<u16>,
    /// Headers to add.
    pub headers: BTreeMap<String, String>,
    /// Body template for `application/json`.
    pub template: Option<String>,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    /// Requests a second.
    pub rate: f64,
    /// Size of the bucket.
    pub burst: u32,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeySpec {
    /// Key id.
    pub id: String,
    /// Key name.
    pub name: String,
    /// Secret value, 20 to 128 characters.
    pub value: String,
    /// Whether it works.
    pub enabled: bool,
}

/// A usage plan.
#[derive(Debug, Clone, PartialEq)]
pub struct UsagePlanSpec {
    /// Plan id.
    pub id: String,
    /// API id and stage name of what it covers.
    pub stages: Vec<(String, String)>,
    /// Ids of the keys attached to it.
    pub key_ids: Vec<String>,
    /// Throttle per key.
    pub throttle: Option<Throttle>,
    /// Quota per key.
    pub quota: Option<Quota>,
}

/// A usage plan's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests in a period.
    pub limit: u32,
    /// The period.
    pub period: Period,
}

/// A quota's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// From midnight UTC.
    Day,
    /// From Sunday, midnight UTC.
    Week,
    /// From the first day of the month, midnight UTC.
    Month,
}
