//! How a model comes into service at an endpoint, outside the request that asked for it.
//!
//! A new model serves only after this function has loaded it; until then, and if that fails, the one before
//! goes on. An update ends when no process can serve the old model any more.

use chrono::Utc;

use crate::{
    arn::{ClassifierArn, EndpointArn},
    bucket::{Bucket, StoreError},
    classifier::Classifier,
    encoders::Encoders,
    endpoint::{Endpoint, EndpointProperties, EndpointStatus},
    serving,
    time::epoch_seconds,
};

/// Brings the desired model of an endpoint into service, or says why it cannot be.
///
/// Idempotent: an endpoint that is not being changed is left alone.
///
/// # Errors
///
/// The bucket failed; the event may be sent again.
pub(crate) async fn run(bucket: &Bucket, encoders: &Encoders, arn: &EndpointArn) -> Result<(), StoreError> {
    let resource = arn.resource();
    // Once more where its flywheel has another active model by then.
    while let Some(endpoint) = bucket.read::<Endpoint>(&resource).await?
        && let Some(desired) = endpoint.desired_while_changing()
    {
        match load_problem(bucket, encoders, desired).await? {
            Some(problem) => give_up(bucket, &resource, desired, &problem).await?,
            None => switch(bucket, &resource, &endpoint, desired).await?,
        }
    }
    bucket.work_is_done(&resource).await
}

async fn give_up(bucket: &Bucket, resource: &str, desired: &str, problem: &str) -> Result<(), StoreError> {
    let status = |properties: &mut EndpointProperties| {
        properties.message = Some(problem.to_owned());
        properties.status = match properties.status {
            EndpointStatus::Creating | EndpointStatus::Failed => EndpointStatus::Failed,
            EndpointStatus::Updating | EndpointStatus::InService | EndpointStatus::Deleting => {
                EndpointStatus::InService
            }
        };
    };
    tracing::warn!(
        endpoint = resource,
        model.arn = desired,
        problem,
        "model not in service"
    );
    step(bucket, resource, desired, status).await
}

async fn switch(
    bucket: &Bucket,
    resource: &str,
    endpoint: &Endpoint,
    desired: &str,
) -> Result<(), StoreError> {
    if endpoint.properties.status == EndpointStatus::Updating {
        let serve = |properties: &mut EndpointProperties| properties.model_arn = Some(desired.to_owned());
        step(bucket, resource, desired, serve).await?;
    }
    // From here on every process has read the new state before it answers, also where it knew an endpoint of this name that
    // has been deleted since.
    tokio::time::sleep(serving::STATE_MAX_AGE + serving::STATE_MAX_AGE / 4).await;
    let finish = |properties: &mut EndpointProperties| {
        properties.status = EndpointStatus::InService;
        properties.current_inference_units = Some(properties.desired_inference_units);
        if let Some(role) = properties.desired_data_access_role_arn.take() {
            properties.data_access_role_arn = Some(role);
        }
    };
    step(bucket, resource, desired, finish).await?;
    tracing::info!(endpoint = resource, model.arn = desired, "model in service");
    Ok(())
}

/// Changes an endpoint that is still on its way to the same model.
async fn step(
    bucket: &Bucket,
    resource: &str,
    desired: &str,
    change: impl Fn(&mut EndpointProperties),
) -> Result<(), StoreError> {
    let change = |endpoint: &mut Endpoint| {
        if endpoint.desired_while_changing() != Some(desired) {
            return Err(());
        }
        let now = epoch_seconds(Utc::now());
        change(&mut endpoint.properties);
        endpoint.properties.last_modified_time = Some(now);
        if endpoint.properties.status == EndpointStatus::InService
            && let Some(next) = endpoint.next_model.take()
        {
            endpoint.follow(&next, now);
        }
        Ok(())
    };
    bucket.update(resource, change).await?;
    Ok(())
}

/// Loads a model as serving does; returns why it cannot be used, if it cannot.
async fn load_problem(
    bucket: &Bucket,
    encoders: &Encoders,
    model_arn: &str,
) -> Result<Option<String>, StoreError> {
    let Ok(model) = model_arn.parse::<ClassifierArn>() else {
        return Ok(Some("the model's ARN is not one".to_owned()));
    };
    let classifier: Option<Classifier> = bucket.read(&model.resource()).await?;
    if !classifier.is_some_and(|classifier| classifier.properties.status.is_usable()) {
        return Ok(Some("the model was deleted".to_owned()));
    }
    match encoders.model(&model.resource()).await {
        Ok(_) => Ok(None),
        Err(StoreError::Model { source, .. }) => Ok(Some(format!("the model cannot be loaded: {source}"))),
        Err(error @ StoreError::Encoder(_)) => Ok(Some(format!("the model cannot be loaded: {error}"))),
        Err(error) => Err(error),
    }
}
