//! AWS Systems Manager Parameter Store.
//!
//! Differs from Parameter Store: only `PutParameter`, `GetParameter` and `GetParameters` answer, with the types
//! `String` and `StringList`; a parameter keeps its last version alone; labels, tags, patterns, policies and the
//! advanced tier are refused by name.

use std::sync::Arc;

use axum::body::Body;
use chrono::Utc;
use futures::future::BoxFuture;
use http::{Request, Response};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    ACCOUNT_ID,
    aws_error::AwsError,
    iam::{Iam, Principal},
    json_protocol,
    service::{Protocol, Service},
    store::Store,
};

const PARAMETERS: TableDefinition<&str, &[u8]> = TableDefinition::new("ssm-parameters");
const MAX_BODY_BYTES: usize = 64 * 1024;
const MAX_NAME_CHARS: usize = 1_011;
const MAX_VALUE_BYTES: usize = 4_096;
const TYPES: [&str; 2] = ["String", "StringList"];
/// Most names of one `GetParameters`.
const MAX_NAMES: usize = 10;
/// Members that `PutParameter` knows here. No operation shows a description.
const PUT_MEMBERS: [&str; 7] = [
    "Name",
    "Value",
    "Type",
    "Overwrite",
    "Description",
    "Tier",
    "DataType",
];
/// Tiers in which a value of at most 4,096 bytes is a standard parameter.
const TIERS: [&str; 2] = ["Standard", "Intelligent-Tiering"];

/// The service. A clone is another handle to the same parameters.
#[derive(Debug, Clone)]
pub struct ParameterStore {
    store: Arc<Store>,
    iam: Arc<Iam>,
    region: String,
}

#[derive(Serialize, Deserialize)]
struct Parameter {
    value: String,
    type_name: String,
    version: u64,
    modified_ms: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest {
    name: String,
    value: String,
    #[serde(rename = "Type")]
    type_name: Option<String>,
    #[serde(default)]
    overwrite: bool,
    tier: Option<String>,
    data_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRequest {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetAllRequest {
    names: Vec<String>,
}

impl Service for ParameterStore {
    fn name(&self) -> &'static str {
        "ssm"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Json {
            prefix: "AmazonSSM",
            content_type: json_protocol::JSON_1_1,
        }
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(ParameterStore::handle(self, request))
    }
}

impl ParameterStore {
    /// Opens the parameters in `store`.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn new(store: Arc<Store>, iam: Arc<Iam>, region: String) -> Result<Self, redb::Error> {
        let transaction = store.index.begin_write()?;
        transaction.open_table(PARAMETERS)?;
        transaction.commit()?;
        Ok(Self { store, iam, region })
    }

    /// Answers one request, whose caller the gateway has put into its extensions.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        json_protocol::reply(self.answer(request).await)
    }

    async fn answer(&self, request: Request<Body>) -> Result<Value, AwsError> {
        let caller = json_protocol::caller(&request)?;
        let operation = json_protocol::operation(request.headers(), "AmazonSSM.");
        let body = request.into_body();
        match operation.as_str() {
            "PutParameter" => {
                let (known, of) = (&PUT_MEMBERS, ("ssm", "PutParameter"));
                let request = json_protocol::parse_known(body, MAX_BODY_BYTES, of, known).await?;
                self.put(&caller, request)
            }
            "GetParameter" => {
                let GetRequest { name } = json_protocol::parse(body, MAX_BODY_BYTES).await?;
                let found = self.get(&caller, "ssm:GetParameter", &name)?;
                let parameter = found.ok_or_else(|| AwsError::new(400, "ParameterNotFound", ""))?;
                Ok(json!({ "Parameter": parameter }))
            }
            "GetParameters" => {
                let GetAllRequest { names } = json_protocol::parse(body, MAX_BODY_BYTES).await?;
                if !(1..=MAX_NAMES).contains(&names.len()) {
                    return Err(json_protocol::validation(format!(
                        "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 and {MAX_NAMES}"
                    )));
                }
                let (mut found, mut missing) = (Vec::new(), Vec::new());
                for name in names {
                    match self.get(&caller, "ssm:GetParameters", &name)? {
                        Some(parameter) => found.push(parameter),
                        None => missing.push(name),
                    }
                }
                Ok(json!({ "Parameters": found, "InvalidParameters": missing }))
            }
            other => Err(AwsError::not_implemented("ssm", other)),
        }
    }

    fn put(&self, caller: &Principal, request: PutRequest) -> Result<Value, AwsError> {
        self.authorize(caller, "ssm:PutParameter", &request.name)?;
        check(&request)?;
        let transaction = self.store.index.begin_write().map_err(unavailable)?;
        let version;
        {
            let mut table = transaction.open_table(PARAMETERS).map_err(unavailable)?;
            let before = table.get(request.name.as_str()).map_err(unavailable)?;
            let before: Option<Parameter> =
                before.and_then(|bytes| serde_json::from_slice(bytes.value()).ok());
            if before.is_some() && !request.overwrite {
                let message = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
                return Err(AwsError::new(400, "ParameterAlreadyExists", message));
            }
            let of_before = before.as_ref().map(|it| it.type_name.clone());
            let type_name = request.type_name.or(of_before).ok_or_else(|| {
                json_protocol::validation("A parameter type is required when you create a parameter.")
            })?;
            version = before.map_or(1, |it| it.version + 1);
            let parameter = Parameter {
                value: request.value,
                type_name,
                version,
                modified_ms: Utc::now().timestamp_millis(),
            };
            let bytes = serde_json::to_vec(&parameter).expect("a parameter has only string keys");
            table
                .insert(request.name.as_str(), bytes.as_slice())
                .map_err(unavailable)?;
        }
        transaction.commit().map_err(unavailable)?;
        Ok(json!({ "Version": version, "Tier": "Standard" }))
    }

    fn get(&self, caller: &Principal, action: &str, name_or_arn: &str) -> Result<Option<Value>, AwsError> {
        let name = match name_or_arn.split_once(":parameter/") {
            Some((_, name)) if name.contains('/') => format!("/{name}"),
            Some((_, name)) => name.to_owned(),
            None => name_or_arn.to_owned(),
        };
        self.authorize(caller, action, &name)?;
        let transaction = self.store.index.begin_read().map_err(unavailable)?;
        let table = transaction.open_table(PARAMETERS).map_err(unavailable)?;
        let bytes = table.get(name.as_str()).map_err(unavailable)?;
        let parameter: Option<Parameter> = bytes.and_then(|bytes| serde_json::from_slice(bytes.value()).ok());
        Ok(parameter.map(|parameter| {
            json!({
                "Name": name,
                "Type": parameter.type_name,
                "Value": parameter.value,
                "Version": parameter.version,
                "LastModifiedDate": parameter.modified_ms as f64 / 1_000.0,
                "ARN": self.arn(&name),
                "DataType": "text",
            })
        }))
    }

    fn arn(&self, name: &str) -> String {
        let name = name.strip_prefix('/').unwrap_or(name);
        format!("arn:aws:ssm:{}:{ACCOUNT_ID}:parameter/{name}", self.region)
    }

    fn authorize(&self, caller: &Principal, action: &str, name: &str) -> Result<(), AwsError> {
        self.iam.permit(caller, action, &self.arn(name))?;
        Ok(())
    }
}

fn check(request: &PutRequest) -> Result<(), AwsError> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let name = &request.name;
    if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.chars().all(is_of_name) {
        return Err(json_protocol::validation(
            "Parameter name: can't be empty, has at most 1011 characters, of letters, digits and _ . - /",
        ));
    } else if request.value.is_empty() || request.value.len() > MAX_VALUE_BYTES {
        return Err(json_protocol::validation(
            "Standard tier parameters support a maximum parameter value of 4096 characters.",
        ));
    }
    check_reserved(name)?;
    for (what, given, known) in [
        ("type", &request.type_name, &TYPES[..]),
        ("tier", &request.tier, &TIERS[..]),
        ("data type", &request.data_type, &["text"][..]),
    ] {
        if let Some(other) = given.as_deref().filter(|given| !known.contains(given)) {
            return Err(AwsError::not_implemented(
                "ssm",
                &format!("PutParameter of the {what} {other}"),
            ));
        }
    }
    Ok(())
}

/// Refuses the names that AWS keeps for itself.
fn check_reserved(name: &str) -> Result<(), AwsError> {
    let first = name.trim_start_matches('/').to_ascii_lowercase();
    if !first.starts_with("aws") && !first.starts_with("ssm") {
        return Ok(());
    }
    match name.to_ascii_lowercase().starts_with("/aws") && name.matches('/').count() > 1 {
        true => Err(AwsError::new(
            400,
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        )),
        false => Err(json_protocol::validation(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).",
        )),
    }
}

fn unavailable(error: impl Into<redb::Error>) -> AwsError {
    let error = error.into();
    tracing::error!(%error, "the index cannot be used");
    AwsError::new(500, "InternalServerError", "the state folder cannot be used")
}
