//! Amazon Data Firehose.

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
