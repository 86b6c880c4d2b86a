//! Objects: put, get, copy, delete, with their conditions.

use std::{ops::Range, time::Duration, time::SystemTime};

use http::StatusCode;
use s3s::{S3Error, S3Request, S3Response, S3Result, dto::*, s3_error};

use super::{
    backend::{Backend, Opened, now_ms},
    blobs::{self, INLINE_LIMIT, Source},
    checksum::{Algorithm, Announced, Checksum, announced_checksum, fill_checksum},
    conditions::{ReadConditions, WriteConditions, precondition_failed},
    error::{absent, custom_error},
    events::Origin,
    index::{self, Failure, Headers, ObjectRecord},
    multipart::make_one_part,
    unsupported::refuse_unsupported,
    versions::{self, DeleteMarker, Located, Wanted},
};

/// Takes the headers that are stored with an object out of an input.
macro_rules! stored_headers {
    ($input:expr) => {
        $crate::s3::index::Headers {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::s3::objects::without_aws_chunked($input.content_encoding.take()),
            content_language: $input.content_language.take(),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(super) use stored_headers;

/// Longest user metadata of an object: names and values together, in bytes. Source: Amazon S3 User Guide, "Working with object
/// metadata".
const MAX_METADATA_BYTES: usize = 2048;

/// Refuses headers whose user metadata is too large.
pub(super) fn refuse_large_metadata(headers: &Headers) -> S3Result<()> {
    let sizes = headers
        .metadata
        .iter()
        .map(|(name, value)| name.len() + value.len());
    match sizes.sum::<usize>() > MAX_METADATA_BYTES {
        true => Err(custom_error(
            "MetadataTooLarge",
            StatusCode::BAD_REQUEST,
            "Your metadata headers exceed the maximum allowed metadata size",
        )),
        false => Ok(()),
    }
}

impl Backend {
    pub(super) async fn put(&self, mut request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let input = &mut request.input;
        refuse_unsupported!(input);
        let headers = stored_headers!(input);
        refuse_large_metadata(&headers)?;
        let announced = Announced::new(
            announced_checksum!(input),
            input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str),
            input.content_md5.as_deref(),
            &request.headers,
            request.trailing_headers.take(),
        )?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        index::bucket(&self.reader().map_err(Failure::from)?, &bucket)?;
        let received = blobs::receive(&self.folder(), input.body.take(), announced, INLINE_LIMIT).await?;
        let record = ObjectRecord {
            size: received.size,
            etag: received.etag,
            modified_ms: now_ms(),
            blob: None,
            part_sizes: Vec::new(),
            headers,
            checksum: received.checksum,
            version: None,
        };
        let conditions = WriteConditions::new(input.if_match.take(), input.if_none_match.take())?;
        let origin = origin(&request);
        let record = self
            .write(move |backend, change| {
                conditions.check(change.transaction, &bucket, &key)?;
                let event = ("ObjectCreated:Put", &origin);
                backend.insert(change, (&bucket, &key), record, received.content, event)
            })
            .await?;
        let mut output = PutObjectOutput {
            e_tag: Some(ETag::Strong(record.etag.clone())),
            checksum_type: record.checksum.as_ref().map(|checksum| checksum.kind()),
            version_id: versions::id(record.version.as_ref()),
            ..PutObjectOutput::default()
        };
        fill_checksum!(output, &record.checksum);
        Ok(output)
    }

    pub(super) async fn get(
        &self,
        request: &S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &request.input;
        let of_version = input.version_id.as_deref().map(Wanted::parse).transpose()?;
        let (record, source, version) = self
            .readable(request, &input.bucket, &input.key, of_version.as_ref())
            .await?;
        ReadConditions {
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            if_modified_since: input.if_modified_since.as_ref(),
            if_unmodified_since: input.if_unmodified_since.as_ref(),
        }
        .check(&record)?;
        let part = wanted(&record, input.range.as_ref(), input.part_number)?;
        let whole = part == (0..record.size);
        let range = part.clone();
        let body = source.stream(part, &record, &self.checked).await;
        let body = body.map_err(Failure::from)?;
        let mut output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(body),
            cache_control: or(&input.response_cache_control, &record.headers.cache_control),
            content_disposition: or(
                &input.response_content_disposition,
                &record.headers.content_disposition,
            ),
            content_encoding: or(&input.response_content_encoding, &record.headers.content_encoding),
            content_language: or(&input.response_content_language, &record.headers.content_language),
            content_length: Some((range.end - range.start) as i64),
            content_range: (input.range.is_some() || input.part_number.is_some())
                .then(|| content_range(&range, record.size)),
            content_type: or(&input.response_content_type, &Some(content_type(&record))),
            e_tag: Some(ETag::Strong(record.etag.clone())),
            last_modified: Some(timestamp(record.modified_ms)),
            metadata: Some(record.headers.metadata.clone().into_iter().collect()),
            parts_count: input.part_number.and(parts_count(&record)),
            version_id: version,
            ..GetObjectOutput::default()
        };
        // A checksum is of the whole: beside a part of the data a client would take it for the part's.
        if whole && input.checksum_mode.is_some() {
            output.checksum_type = record.checksum.as_ref().map(|checksum| checksum.kind());
            fill_checksum!(output, &record.checksum);
        }
        Ok(S3Response::new(output))
    }

    pub(super) async fn head(
        &self,
        request: &S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &request.input;
        let of_version = input.version_id.as_deref().map(Wanted::parse).transpose()?;
        let (record, _, version) = self
            .readable(request, &input.bucket, &input.key, of_version.as_ref())
            .await?;
        ReadConditions {
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            if_modified_since: input.if_modified_since.as_ref(),
            if_unmodified_since: input.if_unmodified_since.as_ref(),
        }
        .check(&record)?;
        let part = wanted(&record, input.range.as_ref(), input.part_number)?;
        let is_of_part = input.range.is_some() || input.part_number.is_some();
        let mut output = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: record.headers.cache_control.clone(),
            content_disposition: record.headers.content_disposition.clone(),
            content_encoding: record.headers.content_encoding.clone(),
            content_language: record.headers.content_language.clone(),
            content_length: Some((part.end - part.start) as i64),
            content_range: is_of_part.then(|| content_range(&part, record.size)),
            content_type: Some(content_type(&record)),
            e_tag: Some(ETag::Strong(record.etag.clone())),
            last_modified: Some(timestamp(record.modified_ms)),
            metadata: Some(record.headers.metadata.clone().into_iter().collect()),
            parts_count: input.part_number.and(parts_count(&record)),
            version_id: version,
            ..HeadObjectOutput::default()
        };
        if part == (0..record.size) && input.checksum_mode.is_some() {
            output.checksum_type = record.checksum.as_ref().map(|checksum| checksum.kind());
            fill_checksum!(output, &record.checksum);
        }
        Ok(S3Response::new(output))
    }

    /// Opens an object for its reader, who is told as much of a missing one as may be known. Names its version if the
    /// bucket keeps them.
    pub(super) async fn readable<T>(
        &self,
        request: &S3Request<T>,
        bucket: &str,
        key: &str,
        wanted: Option<&Wanted>,
    ) -> S3Result<(ObjectRecord, Source, Option<String>)> {
        match self.open_object(bucket, key, wanted).await? {
            Opened::Object {
                record,
                source,
                version,
            } => Ok((*record, source, version)),
            Opened::Absent(marker) => {
                self.may_know(request, bucket)?;
                Err(absent(wanted, marker.as_ref()))
            }
        }
    }

    pub(super) async fn copy(&self, mut request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        refuse_unsupported!(request.input);
        let source = self.copy_source(&request, &request.input.copy_source)?;
        let may_know = self.may_know(&request, &source.bucket);
        let origin = origin(&request);
        let input = &mut request.input;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let directive = input.metadata_directive.as_ref().map(MetadataDirective::as_str);
        let replace = directive == Some(MetadataDirective::REPLACE);
        if !replace && source.bucket == bucket && source.key == key && source.wanted.is_none() {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
            ));
        }
        let headers: Option<Headers> = replace.then(|| stored_headers!(input));
        headers.as_ref().map_or(Ok(()), refuse_large_metadata)?;
        let conditions = WriteConditions::of_headers(&request.headers)?;
        let algorithm = input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str);
        let algorithm = algorithm.map(Algorithm::parse).transpose()?;
        let input = request.input;
        let hashed = self.hashed_ahead(&source).await?;
        let (record, source_version) = self
            .write(move |backend, change| {
                let owner = index::bucket(change.transaction, &source.bucket)?;
                let found =
                    versions::locate(change.transaction, &owner, &source.key, source.wanted.as_ref())?;
                let (mut record, inline) = match found {
                    Located::Object(found) => found,
                    Located::Absent(marker) => {
                        may_know?;
                        return Err(source.absent(marker.as_ref()).into());
                    }
                };
                ReadConditions {
                    if_match: input.copy_source_if_match.as_ref(),
                    if_none_match: input.copy_source_if_none_match.as_ref(),
                    if_modified_since: input.copy_source_if_modified_since.as_ref(),
                    if_unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
                }
                .check(&record)
                .map_err(|_| precondition_failed())?;
                conditions.check(change.transaction, &bucket, &key)?;
                make_one_part(&backend.folder(), &mut record, &inline, hashed)?;
                refuse_other_checksum(algorithm, record.checksum.as_ref())?;
                let blob = record.blob.as_deref();
                record.blob = blob
                    .map(|name| blobs::link(&backend.folder(), name))
                    .transpose()?;
                record.modified_ms = now_ms();
                record.headers = headers.unwrap_or(record.headers);
                let version = owner.versioning.map(|_| versions::name(record.version.as_ref()));
                let event = ("ObjectCreated:Copy", &origin);
                let copy = backend.insert_kept(change, (&bucket, &key), *record, &inline, event)?;
                Ok((copy, version))
            })
            .await?;
        let mut result = CopyObjectResult {
            checksum_type: record.checksum.as_ref().map(|checksum| checksum.kind()),
            e_tag: Some(ETag::Strong(record.etag.clone())),
            last_modified: Some(timestamp(record.modified_ms)),
            ..CopyObjectResult::default()
        };
        fill_checksum!(result, &record.checksum);
        Ok(CopyObjectOutput {
            copy_object_result: Some(result),
            copy_source_version_id: source_version,
            version_id: versions::id(record.version.as_ref()),
            ..CopyObjectOutput::default()
        })
    }
}

/// Refuses a copy that is to have another checksum than its source: none is computed when an object is copied.
fn refuse_other_checksum(asked: Option<Algorithm>, kept: Option<&Checksum>) -> S3Result<()> {
    let has_it = |asked| kept.is_some_and(|kept| kept.algorithm == asked && !kept.composite);
    match asked {
        Some(asked) if !has_it(asked) => Err(s3_error!(
            NotImplemented,
            "a copy with a checksum {} that its source does not have is not implemented",
            asked.name()
        )),
        _ => Ok(()),
    }
}

/// Returns which bytes a read wants: a range, a part, or all.
fn wanted(
    record: &ObjectRecord,
    range: Option<&s3s::dto::Range>,
    part_number: Option<i32>,
) -> S3Result<Range<u64>> {
    match (range, part_number) {
        (Some(_), Some(_)) => Err(s3_error!(
            InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter"
        )),
        (Some(range), None) => Ok(range.check(record.size)?),
        (None, None) => Ok(0..record.size),
        (None, Some(1)) if record.part_sizes.is_empty() => Ok(0..record.size),
        (None, Some(number)) => {
            let index = usize::try_from(number)
                .ok()
                .and_then(|number| number.checked_sub(1));
            let before = index.and_then(|index| record.part_sizes.get(..index));
            let size = index.and_then(|index| record.part_sizes.get(index));
            match (before, size) {
                (Some(before), Some(size)) => {
                    let start = before.iter().sum();
                    Ok(start..start + size)
                }
                _ => Err(custom_error(
                    "InvalidPartNumber",
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "The requested partnumber is not satisfiable",
                )),
            }
        }
    }
}

/// Returns what a reader wants a header of the answer to be, or what it is.
fn or(wanted: &Option<String>, stored: &Option<String>) -> Option<String> {
    wanted.clone().or_else(|| stored.clone())
}

fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}

fn parts_count(record: &ObjectRecord) -> Option<i32> {
    i32::try_from(record.part_sizes.len())
        .ok()
        .filter(|count| *count > 0)
}

fn content_type(record: &ObjectRecord) -> String {
    let stored = record.headers.content_type.as_deref();
    stored.unwrap_or("binary/octet-stream").to_owned()
}

/// `aws-chunked` is how the body travelled, not how the object is encoded.
pub(super) fn without_aws_chunked(encoding: Option<String>) -> Option<String> {
    let kept: Vec<_> = encoding
        .as_deref()?
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// What is to be copied.
pub(super) struct Copied {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) wanted: Option<Wanted>,
}

impl Copied {
    /// Says that there is nothing to copy.
    fn absent(&self, marker: Option<&DeleteMarker>) -> S3Error {
        match (&self.wanted, marker) {
            (Some(_), Some(_)) => s3_error!(
                InvalidRequest,
                "The source of a copy request may not specifically refer to a delete marker by version id."
            ),
            (wanted, marker) => absent(wanted.as_ref(), marker),
        }
    }
}

impl Backend {
    /// Returns what a request copies, if its caller may read it.
    pub(super) fn copy_source<T>(&self, request: &S3Request<T>, source: &CopySource) -> S3Result<Copied> {
        let CopySource::Bucket {
            bucket,
            key,
            version_id,
        } = source
        else {
            return Err(s3_error!(
                NotImplemented,
                "copies from access points are not implemented"
            ));
        };
        let action = match version_id {
            Some(_) => "s3:GetObjectVersion",
            None => "s3:GetObject",
        };
        self.allow_object(request, action, bucket, key)?;
        Ok(Copied {
            bucket: bucket.to_string(),
            key: key.to_string(),
            wanted: version_id.as_deref().map(Wanted::parse).transpose()?,
        })
    }
}

pub(super) fn timestamp(milliseconds: u64) -> Timestamp {
    (SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)).into()
}

pub(super) fn origin<T>(request: &S3Request<T>) -> Origin {
    let origin = request.extensions.get::<Origin>();
    origin.cloned().unwrap_or_else(Origin::service)
}
