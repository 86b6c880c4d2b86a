//! `AWS::KinesisFirehose::DeliveryStream`, to S3.

use local_aws::firehose::DeliveryStreamSpec;

use super::Properties;
use crate::template::Resource;

pub(super) fn delivery_stream(resource: &Resource, mut properties: Properties<'_>) -> DeliveryStreamSpec {
    // Encryption at rest is the disk's on one machine.
    properties.ignore(&[
        "DeliveryStreamEncryptionConfigurationInput",
        "DeliveryStreamName",
        "Tags",
    ]);
    properties.one_of("DeliveryStreamType", &["DirectPut"]);
    let mut stream = DeliveryStreamSpec {
        name: resource.reference.clone(),
        role_arn: String::new(),
        bucket_arn: String::new(),
        prefix: String::new(),
        error_output_prefix: String::new(),
        buffer_seconds: 300,
        buffer_mebibytes: 5,
        gzip: false,
        delimiter: None,
        file_extension: None,
    };
    properties.require("ExtendedS3DestinationConfiguration");
    if let Some(destination) = properties.nested("ExtendedS3DestinationConfiguration") {
        read_destination(&mut stream, destination);
    }
    stream
}

fn read_destination(stream: &mut DeliveryStreamSpec, mut destination: Properties<'_>) {
    destination.ignore(&["CloudWatchLoggingOptions", "EncryptionConfiguration"]);
    destination.one_of("S3BackupMode", &["Disabled"]);
    destination.one_of("CustomTimeZone", &["UTC"]);
    stream.role_arn = destination.required_text("RoleARN");
    stream.bucket_arn = destination.required_text("BucketARN");
    stream.prefix = destination.text("Prefix").unwrap_or_default();
    stream.error_output_prefix = destination.text("ErrorOutputPrefix").unwrap_or_default();
    stream.file_extension = destination.text("FileExtension");
    stream.gzip = destination
        .one_of("CompressionFormat", &["UNCOMPRESSED", "GZIP"])
        .is_some_and(|format| format == "GZIP");
    if let Some(mut hints) = destination.nested("BufferingHints") {
        stream.buffer_seconds = hints.integer("IntervalInSeconds", 0..=900).unwrap_or(300);
        stream.buffer_mebibytes = hints.integer("SizeInMBs", 1..=128).unwrap_or(5);
    }
    if let Some(mut processing) = destination.nested("ProcessingConfiguration") {
        let enabled = processing.flag("Enabled").unwrap_or(false);
        let delimiters: Vec<_> = processing.list("Processors").into_iter().map(delimiter).collect();
        if enabled {
            stream.delimiter = delimiters.into_iter().next();
        }
    }
}

/// Reads the one processor that is supported: it adds a delimiter to each record.
fn delimiter(mut processor: Properties<'_>) -> String {
    processor.one_of("Type", &["AppendDelimiterToRecord"]);
    let delimiter = processor.list("Parameters").into_iter().map(|mut it| {
        it.one_of("ParameterName", &["Delimiter"]);
        it.required_text("ParameterValue")
    });
    // The template carries the escape sequence, as the console does.
    let delimiter = delimiter.last().map(|text| text.replace("\\n", "\n"));
    delimiter.unwrap_or_else(|| "\n".to_owned())
}
