//! Amazon Data Firehose: direct put, delivered to S3.
//!
//! A record is acknowledged when it is in the state folder's database. Delivery is one commit: the
//! object, the events it causes, and the end of its records in the buffer, so that each record is
//! delivered exactly once even across `kill -9`.
//!
//! Differs from Firehose:
//! - Of the control plane only `DescribeDeliveryStream` and `ListDeliveryStreams` answer.
//! - Records that cannot be delivered are kept and tried again for ever, not for 24 hours.
//! - No quotas on rates. No processors but `AppendDelimiterToRecord`, no partitions by keys.

mod buffer;
mod delivery;
mod prefix;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::BoxFuture;
use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    ACCOUNT_ID,
    aws_error::AwsError,
    faults::{Fault, Faults},
    iam::{Iam, Principal},
    json_protocol,
    s3::S3,
    service::{Protocol, Service},
    store::Store,
};
use buffer::Put;
pub use delivery::DeliveryError;

/// Most records of one `PutRecordBatch`.
pub const MAX_BATCH_RECORDS: usize = 500;
/// Largest record, bytes before base64.
pub const MAX_RECORD_BYTES: usize = 1_024_000;
/// Most bytes of one `PutRecordBatch`, before base64.
pub const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Types of streams: all are of the first here.
const TYPES: [&str; 4] = [
    "DirectPut",
    "KinesisStreamAsSource",
    "MSKAsSource",
    "DatabaseAsSource",
];
/// Room for a full batch in base64 and its JSON.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// A delivery stream of the template (direct put, to S3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStreamSpec {
    /// Stream name.
    pub name: String,
    /// Role whose rights the delivery has.
    pub role_arn: String,
    /// ARN of the bucket.
    pub bucket_arn: String,
    /// Key prefix, with its `!{…}` expressions.
    pub prefix: String,
    /// Key prefix for what cannot be delivered.
    pub error_output_prefix: String,
    /// Buffering hint: interval, seconds, 0 to 900.
    pub buffer_seconds: u32,
    /// Buffering hint: size, MiB, 1 to 128.
    pub buffer_mebibytes: u32,
    /// Whether objects are gzip files.
    pub gzip: bool,
    /// What `AppendDelimiterToRecord` adds to each record, if configured.
    pub delimiter: Option<String>,
    /// `FileExtension`, with its dot.
    pub file_extension: Option<String>,
}

/// The service. Clones share their state.
#[derive(Clone)]
pub struct Firehose {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<Store>,
    iam: Arc<Iam>,
    s3: S3,
    region: String,
    streams: RwLock<BTreeMap<String, DeliveryStreamSpec>>,
    faults: Faults,
    /// Puts that wait for the next commit.
    waiting: Mutex<Vec<Put>>,
    committing: tokio::sync::Mutex<()>,
    delivering: Mutex<()>,
    arrived: Notify,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordRequest {
    delivery_stream_name: Option<String>,
    record: Option<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordBatchRequest {
    delivery_stream_name: Option<String>,
    records: Option<Vec<Record>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    data: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeRequest {
    delivery_stream_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListRequest {
    limit: Option<usize>,
    delivery_stream_type: Option<String>,
    exclusive_start_delivery_stream_name: Option<String>,
}

impl Service for Firehose {
    fn name(&self) -> &'static str {
        "firehose"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Json {
            prefix: "Firehose_20150804",
            content_type: json_protocol::JSON_1_1,
        }
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(Firehose::handle(self, request))
    }

    fn takes_faults(&self) -> bool {
        true
    }
}

impl Firehose {
    /// Opens the buffers in `store`.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        s3: S3,
        region: String,
        faults: Faults,
    ) -> Result<Self, redb::Error> {
        buffer::create_tables(&store)?;
        Ok(Self {
            shared: Arc::new(Shared {
                store,
                iam,
                s3,
                region,
                streams: RwLock::default(),
                faults,
                waiting: Mutex::default(),
                committing: tokio::sync::Mutex::default(),
                delivering: Mutex::default(),
                arrived: Notify::new(),
            }),
        })
    }

    /// Adds or replaces a delivery stream and keeps its buffered records.
    ///
    /// # Errors
    ///
    /// Names what of the configuration is wrong or not implemented.
    pub fn put_stream(&self, spec: DeliveryStreamSpec) -> Result<(), String> {
        check_spec(&spec).map_err(|problem| format!("delivery stream {}: {problem}", spec.name))?;
        let mut streams = self
            .shared
            .streams
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        streams.insert(spec.name.clone(), spec);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// Answers one request, whose caller the gateway has put into its extensions.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        json_protocol::reply(self.answer(request).await)
    }

    async fn answer(&self, request: Request<Body>) -> Result<Value, AwsError> {
        let caller = json_protocol::caller(&request)?;
        let operation = json_protocol::operation(request.headers(), "Firehose_20150804.");
        let body = request.into_body();
        match operation.as_str() {
            "PutRecord" => {
                self.put_record(&caller, json_protocol::parse(body, MAX_BODY_BYTES).await?)
                    .await
            }
            "PutRecordBatch" => {
                self.put_record_batch(&caller, json_protocol::parse(body, MAX_BODY_BYTES).await?)
                    .await
            }
            "DescribeDeliveryStream" => {
                // A stream has one destination: no limit cuts that off.
                let known = ["DeliveryStreamName", "Limit"];
                let of = ("firehose", "DescribeDeliveryStream");
                let request = json_protocol::parse_known(body, MAX_BODY_BYTES, of, &known).await?;
                self.describe(&caller, request)
            }
            "ListDeliveryStreams" => self.list(&caller, json_protocol::parse(body, MAX_BODY_BYTES).await?),
            other => Err(AwsError::not_implemented("firehose", other)),
        }
    }

    async fn put_record(&self, caller: &Principal, request: PutRecordRequest) -> Result<Value, AwsError> {
        let stream = self.stream(caller, "firehose:PutRecord", request.delivery_stream_name)?;
        let record = request.record.ok_or_else(|| null("record"))?;
        let data = decode(record, "record.data")?;
        let ids = self.store_records(stream.name, vec![data]).await?;
        Ok(json!({"RecordId": ids[0], "Encrypted": false}))
    }

    async fn put_record_batch(
        &self,
        caller: &Principal,
        request: PutRecordBatchRequest,
    ) -> Result<Value, AwsError> {
        let stream = self.stream(caller, "firehose:PutRecordBatch", request.delivery_stream_name)?;
        let records = request.records.ok_or_else(|| null("records"))?;
        if records.is_empty() || records.len() > MAX_BATCH_RECORDS {
            return Err(json_protocol::validation(format!(
                "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length between 1 and {MAX_BATCH_RECORDS}"
            )));
        }
        let records: Vec<Vec<u8>> = records
            .into_iter()
            .enumerate()
            .map(|(at, record)| decode(record, &format!("records.{}.member.data", at + 1)))
            .collect::<Result<_, _>>()?;
        if records.iter().map(Vec::len).sum::<usize>() > MAX_BATCH_BYTES {
            return Err(AwsError::new(
                400,
                "InvalidArgumentException",
                "Records size exceeds 4 MB limit",
            ));
        }
        let is_lost: Vec<bool> = records
            .iter()
            .map(|_| self.shared.faults.befalls(Fault::LostRecord))
            .collect();
        let kept = records.into_iter().zip(&is_lost);
        let kept: Vec<Vec<u8>> = kept
            .filter(|(_, is_lost)| !**is_lost)
            .map(|(record, _)| record)
            .collect();
        let failed = is_lost.iter().filter(|is_lost| **is_lost).count();
        let mut ids = match kept.is_empty() {
            true => Vec::new(),
            false => self.store_records(stream.name, kept).await?,
        }
        .into_iter();
        let responses: Vec<Value> = is_lost
            .into_iter()
            .map(|is_lost| match is_lost {
                true => {
                    json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "A fault by chance."})
                }
                false => json!({"RecordId": ids.next()}),
            })
            .collect();
        Ok(json!({"FailedPutCount": failed, "Encrypted": false, "RequestResponses": responses}))
    }

    fn describe(&self, caller: &Principal, request: DescribeRequest) -> Result<Value, AwsError> {
        let stream = self.stream(
            caller,
            "firehose:DescribeDeliveryStream",
            request.delivery_stream_name,
        )?;
        let destination = json!({
            "RoleARN": stream.role_arn,
            "BucketARN": stream.bucket_arn,
            "Prefix": stream.prefix,
            "ErrorOutputPrefix": stream.error_output_prefix,
            "BufferingHints": {
                "SizeInMBs": stream.buffer_mebibytes,
                "IntervalInSeconds": stream.buffer_seconds,
            },
            "CompressionFormat": if stream.gzip { "GZIP" } else { "UNCOMPRESSED" },
            "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        });
        let mut extended = destination.clone();
        extended["S3BackupMode"] = "Disabled".into();
        if let Some(extension) = stream.file_extension {
            extended["FileExtension"] = extension.into();
        }
        Ok(json!({"DeliveryStreamDescription": {
            "DeliveryStreamName": stream.name,
            "DeliveryStreamARN": self.stream_arn(&stream.name),
            "DeliveryStreamStatus": "ACTIVE",
            "DeliveryStreamType": "DirectPut",
            "VersionId": "1",
            "Destinations": [{
                "DestinationId": "destinationId-000000000001",
                "S3DestinationDescription": destination,
                "ExtendedS3DestinationDescription": extended,
            }],
            "HasMoreDestinations": false,
        }}))
    }

    fn list(&self, caller: &Principal, request: ListRequest) -> Result<Value, AwsError> {
        const DEFAULT_LIMIT: usize = 10;
        const MAX_LIMIT: usize = 10_000;
        let any = format!(
            "arn:aws:firehose:{}:{ACCOUNT_ID}:deliverystream/*",
            self.shared.region
        );
        self.authorize(caller, "firehose:ListDeliveryStreams", &any)?;
        let limit = request.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(json_protocol::validation(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value from 1 to {MAX_LIMIT}"
            )));
        }
        let of_type = request.delivery_stream_type.as_deref().unwrap_or(TYPES[0]);
        if !TYPES.contains(&of_type) {
            return Err(json_protocol::validation(format!(
                "1 validation error detected: Value '{of_type}' at 'deliveryStreamType' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
                TYPES.join(", ")
            )));
        }
        let after = request.exclusive_start_delivery_stream_name.unwrap_or_default();
        let streams = self.shared.streams.read().unwrap_or_else(PoisonError::into_inner);
        let mut names = streams
            .keys()
            .filter(|name| of_type == TYPES[0] && **name > after);
        let listed: Vec<_> = names.by_ref().take(limit).collect();
        let has_more = names.next().is_some();
        Ok(json!({"DeliveryStreamNames": listed, "HasMoreDeliveryStreams": has_more}))
    }

    /// Returns the stream that a caller names and may use for `action`.
    fn stream(
        &self,
        caller: &Principal,
        action: &str,
        name: Option<String>,
    ) -> Result<DeliveryStreamSpec, AwsError> {
        let name = name.ok_or_else(|| null("deliveryStreamName"))?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
            return Err(json_protocol::validation(
                "1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+ and have length between 1 and 64",
            ));
        }
        self.authorize(caller, action, &self.stream_arn(&name))?;
        self.spec(&name).ok_or_else(|| {
            AwsError::new(
                400,
                "ResourceNotFoundException",
                format!("Firehose {name} under account {ACCOUNT_ID} not found."),
            )
        })
    }

    fn spec(&self, name: &str) -> Option<DeliveryStreamSpec> {
        let streams = self.shared.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.get(name).cloned()
    }

    fn stream_arn(&self, name: &str) -> String {
        format!(
            "arn:aws:firehose:{}:{ACCOUNT_ID}:deliverystream/{name}",
            self.shared.region
        )
    }

    fn authorize(&self, caller: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        Ok(self.shared.iam.permit(caller, action, resource)?)
    }
}

fn check_spec(spec: &DeliveryStreamSpec) -> Result<(), String> {
    if !spec.bucket_arn.starts_with(delivery::BUCKET_ARN_START) {
        return Err(format!("{} is not the ARN of a bucket", spec.bucket_arn));
    }
    if spec.buffer_seconds > 900 || !(1..=128).contains(&spec.buffer_mebibytes) {
        return Err("the buffering hints are 0 to 900 seconds and 1 to 128 MiB".to_owned());
    }
    if spec.prefix.contains("!{") && spec.error_output_prefix.is_empty() {
        return Err("a prefix with expressions needs an ErrorOutputPrefix".to_owned());
    }
    prefix::evaluate(&spec.prefix, chrono::DateTime::UNIX_EPOCH).map(|_| ())
}

fn null(member: &str) -> AwsError {
    json_protocol::validation(format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

fn decode(record: Record, member: &str) -> Result<Vec<u8>, AwsError> {
    let text = record.data.ok_or_else(|| null(member))?;
    let data = BASE64_STANDARD
        .decode(text)
        .map_err(|_| AwsError::new(400, "SerializationException", format!("'{member}' is not base64")))?;
    if data.len() > MAX_RECORD_BYTES {
        return Err(json_protocol::validation(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have length less than or equal to {MAX_RECORD_BYTES}"
        )));
    }
    Ok(data)
}
