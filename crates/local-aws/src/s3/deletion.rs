//! Objects and versions that are deleted.

use s3s::{S3Request, S3Result, dto::*, s3_error};

use super::{
    backend::{Backend, Change},
    conditions::WriteConditions,
    events::{Event, Origin, enqueue},
    index::{self, Failure},
    objects::origin,
    versions::{self, VersionRecord, Wanted},
};

/// Most keys of one request.
const MOST_KEYS: usize = 1000;

/// What became of a deletion.
#[derive(Debug, Clone, Default)]
struct Deleted {
    /// Whether a delete marker was made or removed.
    is_marker: bool,
    /// The version that was removed, or the marker that was made.
    version_id: Option<String>,
}

impl Backend {
    pub(super) async fn delete(&self, request: S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
        let origin = origin(&request);
        let DeleteObjectInput {
            bucket,
            key,
            if_match,
            if_match_last_modified_time,
            if_match_size,
            version_id,
            ..
        } = request.input;
        if if_match_last_modified_time.is_some() || if_match_size.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "conditions of a deletion on time or size are not implemented"
            ));
        }
        let wanted = version_id.as_deref().map(Wanted::parse).transpose()?;
        if wanted.is_some() && if_match.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "the header If-Match with a versionId is not implemented"
            ));
        }
        let conditions = WriteConditions {
            if_match,
            only_new: false,
        };
        let deletion = self.write(move |backend, change| {
            index::bucket(change.transaction, &bucket)?;
            conditions.check(change.transaction, &bucket, &key)?;
            backend.remove(change, (&bucket, &key), wanted.as_ref(), &origin)
        });
        let deleted = deletion.await?;
        Ok(DeleteObjectOutput {
            delete_marker: deleted.is_marker.then_some(true),
            version_id: deleted.version_id,
            ..DeleteObjectOutput::default()
        })
    }

    pub(super) async fn delete_many(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<DeleteObjectsOutput> {
        let bucket = request.input.bucket.clone();
        let Delete { objects, quiet } = &request.input.delete;
        if objects.is_empty() || objects.len() > MOST_KEYS {
            return Err(s3_error!(
                MalformedXML,
                "The XML you provided was not well-formed or did not validate against our published schema"
            ));
        }
        let (mut allowed, mut errors) = (Vec::new(), Vec::new());
        for object in objects {
            match self.may_delete(&request, object) {
                Ok(wanted) => allowed.push((object.key.clone(), wanted)),
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key.clone()),
                    message: error.message().map(str::to_owned),
                    version_id: object.version_id.clone(),
                }),
            }
        }
        let origin = origin(&request);
        let deletion = self.write(move |backend, change| {
            index::bucket(change.transaction, &bucket)?;
            let mut deleted = Vec::with_capacity(allowed.len());
            for (key, wanted) in allowed {
                let what = backend.remove(change, (&bucket, &key), wanted.as_ref(), &origin)?;
                deleted.push((key, wanted.is_some(), what));
            }
            Ok(deleted)
        });
        let deleted = deletion.await?.into_iter().map(shown);
        Ok(DeleteObjectsOutput {
            deleted: (!quiet.unwrap_or(false)).then(|| deleted.collect()),
            errors: (!errors.is_empty()).then_some(errors),
            ..DeleteObjectsOutput::default()
        })
    }

    /// Returns which version is to be deleted, if the caller may.
    fn may_delete(
        &self,
        request: &S3Request<DeleteObjectsInput>,
        object: &ObjectIdentifier,
    ) -> S3Result<Option<Wanted>> {
        if object.e_tag.is_some() || object.last_modified_time.is_some() || object.size.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "conditions of deletions of many are not implemented"
            ));
        }
        let action = match object.version_id {
            Some(_) => "s3:DeleteObjectVersion",
            None => "s3:DeleteObject",
        };
        self.allow_object(request, action, &request.input.bucket, &object.key)?;
        let wanted = object.version_id.as_deref().map(Wanted::parse).transpose();
        wanted.map_err(|_| s3_error!(NoSuchVersion, "The specified version does not exist."))
    }

    /// Removes an object or one version, or marks the object as deleted where its bucket keeps versions, and tells who
    /// wants to know if something was removed.
    fn remove(
        &self,
        change: &mut Change<'_>,
        (bucket, key): (&str, &str),
        wanted: Option<&Wanted>,
        origin: &Origin,
    ) -> Result<Deleted, Failure> {
        let owner = index::bucket(change.transaction, bucket)?;
        let (event, deleted) = match wanted {
            Some(wanted) => {
                let removed = versions::remove(change, (bucket, key), wanted)?;
                let is_object = matches!(removed, Some(VersionRecord::Object(_)));
                let deleted = Deleted {
                    is_marker: removed.is_some_and(|removed| removed.is_marker()),
                    version_id: Some(wanted.to_string()),
                };
                (is_object.then_some("ObjectRemoved:Delete"), deleted)
            }
            None => match versions::mark(change, &owner, key)? {
                Some(marker) => {
                    let deleted = Deleted {
                        is_marker: true,
                        version_id: Some(versions::name(Some(&marker.version))),
                    };
                    (Some("ObjectRemoved:DeleteMarkerCreated"), deleted)
                }
                None => {
                    let removed = index::remove_object(change.transaction, bucket, key)?;
                    let event = removed.is_some().then_some("ObjectRemoved:Delete");
                    change
                        .unused_blobs
                        .extend(removed.and_then(|(record, _)| record.blob));
                    (event, Deleted::default())
                }
            },
        };
        if let Some(name) = event {
            let event = Event {
                name,
                created: None,
                version_id: deleted.version_id.clone().filter(|id| id != "null"),
                origin,
            };
            enqueue(self, change.transaction, &owner.spec, key, &event)?;
        }
        Ok(deleted)
    }
}

fn shown((key, is_of_version, deleted): (String, bool, Deleted)) -> DeletedObject {
    let Deleted {
        is_marker,
        version_id,
    } = deleted;
    DeletedObject {
        delete_marker: is_marker.then_some(true),
        delete_marker_version_id: version_id.clone().filter(|_| is_marker),
        key: Some(key),
        version_id: version_id.filter(|_| is_of_version),
    }
}
