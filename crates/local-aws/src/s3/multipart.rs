//! Multipart uploads. Each part is a blob of its own until they become one.

mod assembly;
mod listing;
mod one_part;

use s3s::{S3Request, S3Result, dto::*, s3_error};

use super::{
    backend::{Backend, Change, now_ms},
    blobs::{self, Content},
    checksum::{Algorithm, Announced, announced_checksum, fill_checksum},
    conditions::WriteConditions,
    index::{self, Failure, ObjectRecord, PARTS, PartRecord, UPLOADS, UploadRecord},
    objects::{origin, refuse_large_metadata, stored_headers, timestamp},
    unsupported::refuse_unsupported,
    versions,
};
use assembly::{assemble, check_size, chosen_parts};
pub(super) use one_part::make_one_part;

/// Greatest part number.
const MOST_PARTS: u32 = 10_000;

/// Returns which bytes of an object become a part: unlike those of a read they have both ends, within the object.
///
/// Source: Amazon S3 API, `UploadPartCopy`, `x-amz-copy-source-range`.
fn copied_range(text: &str, size: u64) -> S3Result<std::ops::Range<u64>> {
    match Range::parse(text) {
        Ok(Range::Int {
            first,
            last: Some(last),
        }) if last < size => Ok(first..last + 1),
        Ok(Range::Int { last: Some(_), .. }) => Err(s3_error!(
            InvalidArgument,
            "Range specified is not valid for source object of size: {size}"
        )),
        Ok(Range::Int { last: None, .. } | Range::Suffix { .. }) | Err(_) => Err(s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"
        )),
    }
}

impl Backend {
    pub(super) async fn create_upload(
        &self,
        mut request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let input = &mut request.input;
        refuse_unsupported!(input);
        let algorithm = input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str);
        let algorithm = algorithm.map(Algorithm::parse).transpose()?;
        let composite = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
            Some(kind) => kind == ChecksumType::COMPOSITE,
            None => algorithm != Some(Algorithm::Crc64Nvme),
        };
        let headers = stored_headers!(input);
        refuse_large_metadata(&headers)?;
        let record = UploadRecord {
            initiated_ms: now_ms(),
            headers,
            algorithm,
            composite,
        };
        // Uploads of one key are listed in the order they began.
        let id = format!("{:012x}{}", record.initiated_ms, uuid::Uuid::new_v4().simple());
        let output = CreateMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(id.clone()),
            checksum_algorithm: input.checksum_algorithm.take(),
            checksum_type: algorithm.map(|_| kind(composite)),
            ..CreateMultipartUploadOutput::default()
        };
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        self.write(move |_, change| {
            index::bucket(change.transaction, &bucket)?;
            let mut table = change
                .transaction
                .open_table(UPLOADS)
                .map_err(redb::Error::from)?;
            let json = index::encode(&record);
            let place = (bucket.as_str(), key.as_str(), id.as_str());
            table.insert(place, json.as_slice()).map_err(redb::Error::from)?;
            Ok(())
        })
        .await?;
        Ok(output)
    }

    pub(super) async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<UploadPartOutput> {
        let input = &mut request.input;
        let place = self.upload_place(&input.bucket, &input.key, &input.upload_id, input.part_number)?;
        let named = input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str);
        let announced = Announced::new(
            announced_checksum!(input),
            named.or(place.upload.algorithm.map(Algorithm::name)),
            input.content_md5.as_deref(),
            &request.headers,
            request.trailing_headers.take(),
        )?;
        place.upload.check_algorithm(announced.algorithm)?;
        let part = self.store_part(place, input.body.take(), announced).await?;
        let mut output = UploadPartOutput {
            e_tag: Some(ETag::Strong(part.etag.clone())),
            ..UploadPartOutput::default()
        };
        fill_checksum!(output, &part.checksum);
        Ok(output)
    }

    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<UploadPartCopyOutput> {
        let input = &request.input;
        let copied = self.copy_source(&request, &input.copy_source)?;
        let place = self.upload_place(&input.bucket, &input.key, &input.upload_id, input.part_number)?;
        let (record, source, version) = self
            .readable(&request, &copied.bucket, &copied.key, copied.wanted.as_ref())
            .await?;
        let range = match &input.copy_source_range {
            Some(text) => copied_range(text, record.size)?,
            None => 0..record.size,
        };
        let announced = Announced::nothing(place.upload.algorithm);
        let body = source.stream(range, &record, &self.checked).await;
        let body = body.map_err(Failure::from)?;
        let part = self.store_part(place, Some(body), announced).await?;
        let mut result = CopyPartResult {
            e_tag: Some(ETag::Strong(part.etag.clone())),
            last_modified: Some(timestamp(part.modified_ms)),
            ..CopyPartResult::default()
        };
        fill_checksum!(result, &part.checksum);
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: version,
            ..UploadPartCopyOutput::default()
        })
    }

    fn upload_place(&self, bucket: &str, key: &str, id: &str, number: i32) -> S3Result<PartPlace> {
        let number = u32::try_from(number)
            .ok()
            .filter(|number| (1..=MOST_PARTS).contains(number));
        let number = number.ok_or_else(|| {
            s3_error!(
                InvalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive"
            )
        })?;
        let upload = index::upload(&self.reader().map_err(Failure::from)?, bucket, key, id)?;
        Ok(PartPlace {
            upload,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            upload_id: id.to_owned(),
            number,
        })
    }

    async fn store_part(
        &self,
        place: PartPlace,
        body: Option<StreamingBlob>,
        announced: Announced,
    ) -> S3Result<PartRecord> {
        let received = blobs::receive(&self.folder(), body, announced, 0).await?;
        let stored = self.write(move |backend, change| {
            let PartPlace {
                bucket,
                key,
                upload_id,
                number,
                ..
            } = &place;
            index::upload(change.transaction, bucket, key, upload_id)?;
            let content = match received.content {
                Content::File(file) => Content::File(file),
                Content::Inline(_) => Content::File(blobs::new_file(&backend.folder())?),
            };
            let (blob, _) = blobs::keep(&backend.folder(), content)?;
            let part = PartRecord {
                size: received.size,
                etag: received.etag,
                modified_ms: now_ms(),
                blob: blob.expect("a part is a file"),
                checksum: received.checksum,
            };
            let replaced = insert_part(change, upload_id, *number, &part)?;
            change.unused_blobs.extend(replaced);
            Ok(part)
        });
        Ok(stored.await?)
    }

    pub(super) async fn complete_upload(
        &self,
        mut request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let origin = origin(&request);
        let input = &mut request.input;
        let conditions = WriteConditions::new(input.if_match.take(), input.if_none_match.take())?;
        let wanted = input.multipart_upload.take().and_then(|upload| upload.parts);
        let announced = announced_checksum!(input);
        let (size, checksum_type) = (input.mpu_object_size, input.checksum_type.take());
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let backend = self.clone();
        let assembled = tokio::task::spawn_blocking(move || {
            let reader = backend.reader()?;
            index::bucket(&reader, &bucket)?;
            let upload = index::upload(&reader, &bucket, &key, &id)?;
            upload.check_type(checksum_type.as_ref())?;
            let parts = chosen_parts(&reader, (&id, &upload), &wanted.unwrap_or_default())?;
            check_size(size, &parts)?;
            let (record, content) = assemble(&backend, upload, &parts)?;
            if let (Some((algorithm, value)), Some(checksum)) = (announced, &record.checksum)
                && (algorithm != checksum.algorithm || value != checksum.value)
            {
                return Err(s3_error!(
                    BadDigest,
                    "The {} you specified did not match the calculated checksum.",
                    algorithm.name()
                )
                .into());
            }
            backend.write_blocking(move |backend, change| {
                index::upload(change.transaction, &bucket, &key, &id)?;
                conditions.check(change.transaction, &bucket, &key)?;
                let unused = index::remove_upload(change.transaction, &bucket, &key, &id)?;
                change.unused_blobs.extend(unused);
                let event = ("ObjectCreated:CompleteMultipartUpload", &origin);
                backend.insert(change, (&bucket, &key), record, content, event)
            })
        });
        let record: Result<ObjectRecord, Failure> =
            assembled.await.expect("completing an upload does not panic");
        let record = record?;
        let host = request
            .headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok());
        let location = format!(
            "http://{}/{}/{}",
            host.unwrap_or_default(),
            request.input.bucket,
            super::listing::url_encoded(&request.input.key),
        );
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(request.input.bucket),
            key: Some(request.input.key),
            location: Some(location),
            e_tag: Some(ETag::Strong(record.etag.clone())),
            checksum_type: record.checksum.as_ref().map(|checksum| checksum.kind()),
            version_id: versions::id(record.version.as_ref()),
            ..CompleteMultipartUploadOutput::default()
        };
        fill_checksum!(output, &record.checksum);
        Ok(output)
    }

    pub(super) async fn abort_upload(&self, input: AbortMultipartUploadInput) -> S3Result<()> {
        let aborted = self.write(move |_, change| {
            let AbortMultipartUploadInput {
                bucket,
                key,
                upload_id,
                ..
            } = &input;
            index::upload(change.transaction, bucket, key, upload_id)?;
            let unused = index::remove_upload(change.transaction, bucket, key, upload_id)?;
            change.unused_blobs.extend(unused);
            Ok(())
        });
        Ok(aborted.await?)
    }
}

impl UploadRecord {
    /// Refuses the checksum of a part that is not of the upload's algorithm: the parts' checksums make that of the whole.
    fn check_algorithm(&self, announced: Option<Algorithm>) -> S3Result<()> {
        match (self.algorithm, announced) {
            (Some(expected), Some(actual)) if expected != actual => Err(s3_error!(
                InvalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                expected.name().to_lowercase(),
                actual.name().to_lowercase()
            )),
            _ => Ok(()),
        }
    }

    /// Refuses an end by another type of checksum than the beginning.
    fn check_type(&self, asked: Option<&ChecksumType>) -> S3Result<()> {
        match asked {
            Some(asked) if self.algorithm.is_some() && *asked != kind(self.composite) => Err(s3_error!(
                InvalidRequest,
                "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
                kind(self.composite).as_str()
            )),
            _ => Ok(()),
        }
    }
}

/// Where a part belongs.
struct PartPlace {
    upload: UploadRecord,
    bucket: String,
    key: String,
    upload_id: String,
    number: u32,
}

fn kind(composite: bool) -> ChecksumType {
    let kind = if composite {
        ChecksumType::COMPOSITE
    } else {
        ChecksumType::FULL_OBJECT
    };
    kind.to_owned().into()
}

/// Stores a part and returns the blob of the one it replaces.
fn insert_part(
    change: &mut Change<'_>,
    upload_id: &str,
    number: u32,
    part: &PartRecord,
) -> Result<Option<String>, redb::Error> {
    let mut table = change.transaction.open_table(PARTS)?;
    let replaced = table.insert((upload_id, number), index::encode(part).as_slice())?;
    match replaced {
        Some(json) => Ok(Some(index::decode::<PartRecord>(json.value())?.blob)),
        None => Ok(None),
    }
}
