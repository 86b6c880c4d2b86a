//! The operations of the protocol: buckets, listings, and the way to the rest.

use s3s::{S3, S3Request, S3Response, S3Result, dto::*, s3_error};

use super::{
    Versioning,
    backend::Backend,
    buckets::{is_empty, uploads},
    events,
    index::{self, BUCKETS, Listing},
    listing::{Encoding, common_prefixes, contents, decode_token, encode_token, limit},
    unsupported::check_new_bucket,
};
use crate::iam::{Iam, PolicyDocument};

#[async_trait::async_trait]
impl S3 for Backend {
    async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        Ok(S3Response::new(self.bucket_page(request.input)?))
    }

    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        check_new_bucket(&request.input, &self.region)?;
        let name = request.input.bucket;
        let location = format!("/{name}");
        self.write(move |backend, change| backend.create(change.transaction, name))
            .await?;
        Ok(S3Response::new(CreateBucketOutput {
            location: Some(location),
        }))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.existing(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(self.region.to_string()),
            ..HeadBucketOutput::default()
        }))
    }

    async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let name = request.input.bucket;
        self.write(move |_, change| {
            let owner = index::bucket(change.transaction, &name)?;
            if !is_empty(change.transaction, &name)? {
                let message = match owner.versioning {
                    None => "The bucket you tried to delete is not empty",
                    Some(_) => {
                        "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
                    }
                };
                return Err(s3_error!(BucketNotEmpty, "{message}").into());
            }
            for (key, id) in uploads(change.transaction, &name)? {
                let unused = index::remove_upload(change.transaction, &name, &key, &id)?;
                change.unused_blobs.extend(unused);
            }
            let mut table = change
                .transaction
                .open_table(BUCKETS)
                .map_err(redb::Error::from)?;
            table.remove(name.as_str()).map_err(redb::Error::from)?;
            Ok(())
        })
        .await?;
        Ok(S3Response::with_status(
            DeleteBucketOutput {},
            http::StatusCode::NO_CONTENT,
        ))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.existing(&request.input.bucket)?;
        // The oldest region has no name here.
        let elsewhere = (&*self.region != "us-east-1").then(|| self.region.to_string().into());
        Ok(S3Response::new(GetBucketLocationOutput {
            location_constraint: elsewhere,
        }))
    }

    async fn put_bucket_policy(
        &self,
        request: S3Request<PutBucketPolicyInput>,
    ) -> S3Result<S3Response<PutBucketPolicyOutput>> {
        let malformed = |problem: String| s3_error!(MalformedPolicy, "{problem}");
        let policy: PolicyDocument = serde_json::from_str(&request.input.policy).map_err(|_| {
            malformed("Policies must be valid JSON and the first byte must be '{'".to_owned())
        })?;
        Iam::validate_resource_policy(&policy).map_err(malformed)?;
        self.set_policy(request.input.bucket, Some(policy)).await?;
        Ok(S3Response::with_status(
            PutBucketPolicyOutput::default(),
            http::StatusCode::NO_CONTENT,
        ))
    }

    async fn get_bucket_policy(
        &self,
        request: S3Request<GetBucketPolicyInput>,
    ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
        let policy = self.existing(&request.input.bucket)?.spec.policy;
        let policy =
            policy.ok_or_else(|| s3_error!(NoSuchBucketPolicy, "The bucket policy does not exist"))?;
        Ok(S3Response::new(GetBucketPolicyOutput {
            policy: Some(policy.to_string()),
        }))
    }

    async fn delete_bucket_policy(
        &self,
        request: S3Request<DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
        self.set_policy(request.input.bucket, None).await?;
        Ok(S3Response::with_status(
            DeleteBucketPolicyOutput::default(),
            http::StatusCode::NO_CONTENT,
        ))
    }

    async fn get_bucket_notification_configuration(
        &self,
        request: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
        let spec = self.existing(&request.input.bucket)?.spec;
        let configurations = spec.notifications.iter().map(|notification| {
            let rules = [("prefix", &notification.prefix), ("suffix", &notification.suffix)];
            let rules: Vec<_> = rules
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| FilterRule {
                    name: Some(name.to_owned().into()),
                    value: Some(value.clone()),
                })
                .collect();
            LambdaFunctionConfiguration {
                events: vec![notification.event.clone().into()],
                filter: (!rules.is_empty()).then_some(NotificationConfigurationFilter {
                    key: Some(S3KeyFilter {
                        filter_rules: Some(rules),
                    }),
                }),
                id: Some(events::configuration_id(&spec, notification)),
                lambda_function_arn: notification.function_arn.clone(),
            }
        });
        Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
            lambda_function_configurations: Some(configurations.collect()),
            ..GetBucketNotificationConfigurationOutput::default()
        }))
    }

    async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let input = request.input;
        if input.versioning_configuration.mfa_delete.is_some() {
            return Err(s3_error!(NotImplemented, "MfaDelete is not implemented"));
        }
        let status = input.versioning_configuration.status;
        let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            Some(_) => {
                return Err(s3_error!(
                    MalformedXML,
                    "The XML you provided was not well-formed or did not validate against our published schema"
                ));
            }
            None => {
                return Err(s3_error!(
                    IllegalVersioningConfigurationException,
                    "The Versioning element must be specified"
                ));
            }
        };
        self.set_versioning(input.bucket, versioning).await?;
        Ok(S3Response::new(PutBucketVersioningOutput {}))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let versioning = self.existing(&request.input.bucket)?.versioning;
        let status = versioning.map(|versioning| match versioning {
            Versioning::Enabled => BucketVersioningStatus::ENABLED,
            Versioning::Suspended => BucketVersioningStatus::SUSPENDED,
        });
        Ok(S3Response::new(GetBucketVersioningOutput {
            mfa_delete: None,
            status: status.map(BucketVersioningStatus::from_static),
        }))
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        Ok(S3Response::new(self.list_versions(request.input)?))
    }

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let encoding = Encoding::new(input.encoding_type.as_ref());
        let limit = limit(input.max_keys)?;
        let page = self.page(&Listing {
            bucket: &input.bucket,
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref(),
            after: input.marker.as_deref().unwrap_or_default(),
            limit: limit as usize,
        })?;
        Ok(S3Response::new(ListObjectsOutput {
            is_truncated: Some(page.next.is_some()),
            next_marker: page.next.as_deref().map(|next| encoding.apply(next)),
            contents: Some(contents(&page, encoding, true)),
            common_prefixes: Some(common_prefixes(&page, encoding)),
            prefix: input.prefix.map(|text| encoding.apply(&text)),
            marker: Some(encoding.apply(&input.marker.unwrap_or_default())),
            delimiter: input.delimiter.map(|text| encoding.apply(&text)),
            max_keys: Some(limit),
            name: Some(input.bucket),
            encoding_type: input.encoding_type,
            ..ListObjectsOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let encoding = Encoding::new(input.encoding_type.as_ref());
        let limit = limit(input.max_keys)?;
        let after = match &input.continuation_token {
            Some(token) => decode_token(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let page = self.page(&Listing {
            bucket: &input.bucket,
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref(),
            after: &after,
            limit: limit as usize,
        })?;
        let contents = contents(&page, encoding, input.fetch_owner.unwrap_or(false));
        let common_prefixes = common_prefixes(&page, encoding);
        Ok(S3Response::new(ListObjectsV2Output {
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(encode_token),
            key_count: i32::try_from(contents.len() + common_prefixes.len()).ok(),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            prefix: Some(encoding.apply(&input.prefix.unwrap_or_default())),
            start_after: input.start_after.map(|text| encoding.apply(&text)),
            delimiter: input.delimiter.map(|text| encoding.apply(&text)),
            max_keys: Some(limit),
            name: Some(input.bucket),
            continuation_token: input.continuation_token,
            encoding_type: input.encoding_type,
            ..ListObjectsV2Output::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        Ok(S3Response::new(self.put(request).await?))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.get(&request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.head(&request).await
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        Ok(S3Response::new(self.copy(request).await?))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        Ok(S3Response::with_status(
            self.delete(request).await?,
            http::StatusCode::NO_CONTENT,
        ))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        Ok(S3Response::new(self.delete_many(request).await?))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        Ok(S3Response::new(self.create_upload(request).await?))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        Ok(S3Response::new(Backend::upload_part(self, request).await?))
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        Ok(S3Response::new(Backend::upload_part_copy(self, request).await?))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        Ok(S3Response::new(self.complete_upload(request).await?))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.abort_upload(request.input).await?;
        Ok(S3Response::with_status(
            AbortMultipartUploadOutput::default(),
            http::StatusCode::NO_CONTENT,
        ))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        Ok(S3Response::new(self.list_upload_parts(request.input)?))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        Ok(S3Response::new(self.list_uploads(request.input)?))
    }
}
