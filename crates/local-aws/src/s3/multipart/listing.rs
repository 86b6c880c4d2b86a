//! Listings of uploads that are under way, and of their parts.

use redb::ReadableTable;
use s3s::dto::*;

use super::kind;
use crate::s3::{
    backend::Backend,
    checksum::fill_checksum,
    filled::{Entry, Filled},
    index::{self, Failure, Tables, UPLOADS, UploadRecord},
    listing::{Encoding, prefixes},
    objects::timestamp,
};

impl Backend {
    pub(in crate::s3) fn list_upload_parts(&self, input: ListPartsInput) -> Result<ListPartsOutput, Failure> {
        let reader = self.reader()?;
        let upload = index::upload(&reader, &input.bucket, &input.key, &input.upload_id)?;
        let after = u32::try_from(input.part_number_marker.unwrap_or(0)).unwrap_or(0);
        let limit = usize::try_from(input.max_parts.unwrap_or(1000))
            .unwrap_or(0)
            .min(1000);
        let all = index::parts(&reader, &input.upload_id)?;
        let mut rest = all.range(after + 1..);
        let parts: Vec<Part> = rest
            .by_ref()
            .take(limit)
            .map(|(number, record)| {
                let mut part = Part {
                    e_tag: Some(ETag::Strong(record.etag.clone())),
                    last_modified: Some(timestamp(record.modified_ms)),
                    part_number: Some(*number as i32),
                    size: Some(record.size as i64),
                    ..Part::default()
                };
                fill_checksum!(part, &record.checksum);
                part
            })
            .collect();
        let is_truncated = rest.next().is_some();
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: upload
                .algorithm
                .map(|algorithm| algorithm.name().to_owned().into()),
            checksum_type: upload.algorithm.map(|_| kind(upload.composite)),
            part_number_marker: Some(after as i32),
            next_part_number_marker: parts.last().and_then(|part| part.part_number),
            max_parts: Some(limit as i32),
            is_truncated: Some(is_truncated),
            storage_class: Some(StorageClass::STANDARD.to_owned().into()),
            parts: Some(parts),
            ..ListPartsOutput::default()
        })
    }

    pub(in crate::s3) fn list_uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> Result<ListMultipartUploadsOutput, Failure> {
        let reader = self.reader()?;
        index::bucket(&reader, &input.bucket)?;
        let encoding = Encoding::new(input.encoding_type.as_ref());
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.as_deref();
        let key_marker = input.key_marker.clone().unwrap_or_default();
        let id_marker = input.upload_id_marker.clone().unwrap_or_default();
        let limit = usize::try_from(input.max_uploads.unwrap_or(1000))
            .unwrap_or(0)
            .min(1000);
        let mut uploads: Vec<MultipartUpload> = Vec::new();
        let mut filled = Filled::new(&prefix, delimiter, &key_marker, limit);
        let (mut last, mut next) = (None, None);
        let table = reader.table(UPLOADS).map_err(redb::Error::from)?;
        let start = (input.bucket.as_str(), prefix.as_str(), "");
        for entry in table
            .range::<(&str, &str, &str)>(start..)
            .map_err(redb::Error::from)?
        {
            let (guard, json) = entry.map_err(redb::Error::from)?;
            let (bucket, key, id) = guard.value();
            if bucket != input.bucket || !key.starts_with(&prefix) || limit == 0 {
                break;
            }
            let seen = key < key_marker.as_str()
                || key == key_marker && (id_marker.is_empty() || id <= id_marker.as_str());
            if seen {
                continue;
            }
            let of_upload = |key: &str| Some((key.to_owned(), id.to_owned()));
            match filled.take(key) {
                Entry::Seen(_) => {}
                Entry::Beyond => {
                    next = last;
                    break;
                }
                Entry::Common(common) => last = of_upload(common),
                Entry::Key => {
                    last = of_upload(key);
                    let record: UploadRecord = index::decode(json.value())?;
                    uploads.push(shown(&record, encoding.apply(key), id));
                }
            }
        }
        let (next_key_marker, next_upload_id_marker) = next.unzip();
        let common_prefixes = prefixes(&filled.common_prefixes, encoding);
        let encoded = |text: Option<String>| text.map(|text| encoding.apply(&text));
        Ok(ListMultipartUploadsOutput {
            is_truncated: Some(next_key_marker.is_some()),
            bucket: Some(input.bucket),
            encoding_type: input.encoding_type,
            prefix: encoded(input.prefix),
            delimiter: encoded(input.delimiter),
            key_marker: encoded(input.key_marker),
            upload_id_marker: input.upload_id_marker,
            next_key_marker: encoded(next_key_marker),
            next_upload_id_marker,
            max_uploads: Some(limit as i32),
            uploads: Some(uploads),
            common_prefixes: Some(common_prefixes),
            ..ListMultipartUploadsOutput::default()
        })
    }
}

fn shown(record: &UploadRecord, key: String, id: &str) -> MultipartUpload {
    MultipartUpload {
        initiated: Some(timestamp(record.initiated_ms)),
        key: Some(key),
        upload_id: Some(id.to_owned()),
        storage_class: Some(StorageClass::STANDARD.to_owned().into()),
        ..MultipartUpload::default()
    }
}
