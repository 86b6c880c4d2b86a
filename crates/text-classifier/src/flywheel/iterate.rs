//! Iterations outside requests: the new model is trained, then both are measured.

use active_learning_core::{
    dataset::{Mode, Row},
    model::evaluation::{Evaluation, LabelNames, TestPrediction, evaluate},
};
use chrono::Utc;

use text_model::{Prediction, metrics::LABEL_THRESHOLD};

use crate::{
    arn::{ClassifierArn, FlywheelArn},
    bucket::{Bucket, StoreError},
    classifier::{Classifier, ClassifierProperties, ModelStatus},
    encoders::Encoders,
    flywheel::{
        self, Flywheel, FlywheelProperties,
        iteration::{Iteration, IterationStatus, Metrics},
        lake::{self, LakeError},
        run::{Begun, EXHAUSTED, begin},
    },
    time::epoch_seconds,
    training_input::{InputDataConfig, Use},
    training_run,
    vectors::{self, For},
    work::Invocation,
};

/// What an iteration came to: the metrics of the active model, if it was measured, and those of the new one.
type Measured = (Option<Metrics>, Metrics);

/// Trains the new model of an iteration and evaluates it, and the active one, on the test rows of the lake.
///
/// # Errors
///
/// The bucket failed; the event may be sent again.
pub(crate) async fn iterate(
    bucket: &Bucket,
    encoders: &Encoders,
    scope: &str,
    (flywheel, id): (&str, &str),
    invocation: &Invocation,
) -> Result<(), StoreError> {
    let resource = flywheel::nested(flywheel::iteration::KIND, flywheel, id);
    let begun = begin(
        bucket,
        &resource,
        invocation,
        |iteration: &Iteration| iteration.properties.status.is_open(),
        |iteration| &mut iteration.run,
        |iteration| end_iteration(iteration, &Err(EXHAUSTED.to_owned())),
    );
    let iteration = match begun.await? {
        Begun::Busy => return Ok(()),
        Begun::Finished => return bucket.work_is_done(&resource).await,
        Begun::Mine(iteration) => iteration,
    };
    let arn = FlywheelArn::new(scope, flywheel);
    let measured = match bucket.read::<Flywheel>(&arn.resource()).await? {
        Some(flywheel) => {
            let properties = &flywheel.properties;
            Box::pin(train_and_evaluate(
                bucket, encoders, properties, &iteration, invocation,
            ))
            .await?
        }
        None => Some(Err("the flywheel was deleted".to_owned())),
    };
    let Some(measured) = measured else {
        return Ok(()); // Another invocation trains the model: describing the iteration asks again.
    };
    let put_down = |iteration: &mut Iteration| {
        end_iteration(iteration, &measured);
        Ok::<(), ()>(())
    };
    bucket.update(&resource, put_down).await?;
    bucket.work_is_done(&resource).await
}

fn end_iteration(iteration: &mut Iteration, measured: &Result<Measured, String>) {
    let properties = &mut iteration.properties;
    properties.end_time = Some(epoch_seconds(Utc::now()));
    match measured {
        Ok((evaluated, trained)) => {
            properties.status = IterationStatus::Completed;
            properties.evaluated_model_metrics = *evaluated;
            properties.trained_model_metrics = Some(*trained);
        }
        Err(reason) => {
            properties.status = IterationStatus::Failed;
            properties.message = Some(reason.clone());
        }
    }
}

async fn train_and_evaluate(
    bucket: &Bucket,
    encoders: &Encoders,
    flywheel: &FlywheelProperties,
    iteration: &Iteration,
    invocation: &Invocation,
) -> Result<Option<Result<Measured, String>>, StoreError> {
    let Ok(arn) = iteration.properties.trained_model_arn.parse::<ClassifierArn>() else {
        return Ok(Some(Err("the new model has no name".to_owned())));
    };
    let rows = match lake::test_rows(bucket, flywheel).await {
        Ok(rows) => rows,
        Err(LakeError::Store(error)) => return Err(error),
        Err(refusal) => return Ok(Some(Err(refusal.to_string()))),
    };
    let classifier = match new_classifier(flywheel, &arn, !rows.is_empty()) {
        Ok(classifier) => classifier,
        Err(refusal) => return Ok(Some(Err(refusal.to_string()))),
    };
    bucket.create(&arn.resource(), &classifier).await?;
    Box::pin(training_run::run(bucket, encoders, &arn, invocation)).await?;

    let trained: Option<Classifier> = bucket.read(&arn.resource()).await?;
    let Some(trained) = trained else {
        return Ok(Some(Err("the new model was deleted".to_owned())));
    };
    let properties = &trained.properties;
    let facts = match (properties.status, &properties.classifier_metadata) {
        (ModelStatus::Trained | ModelStatus::TrainedWithWarning, Some(facts)) => facts,
        (status, _) if status.is_final() => {
            let message = properties.message.as_deref().unwrap_or("it was stopped");
            return Ok(Some(Err(format!(
                "the new model could not be trained: {message}"
            ))));
        }
        _ => return Ok(None),
    };
    if rows.is_empty() {
        let own = &facts.evaluation_metrics;
        let own = Metrics {
            average_f1_score: own.f1_score,
            average_precision: own.precision,
            average_recall: own.recall,
            average_accuracy: own.accuracy,
        };
        return Ok(Some(Ok((None, own))));
    }
    note_evaluating(bucket, flywheel, iteration).await?;
    let new = measure(bucket, encoders, &arn, &rows).await?;
    let active = iteration.properties.evaluated_model_arn.as_deref();
    let active = match active.and_then(|active| active.parse::<ClassifierArn>().ok()) {
        Some(active) => match measure(bucket, encoders, &active, &rows).await {
            Ok(metrics) => Some(metrics),
            Err(StoreError::Model { source, .. }) => {
                return Ok(Some(Err(format!("the active model cannot be loaded: {source}"))));
            }
            Err(error) => return Err(error),
        },
        None => None,
    };
    Ok(Some(Ok((active, new))))
}

async fn note_evaluating(
    bucket: &Bucket,
    flywheel: &FlywheelProperties,
    iteration: &Iteration,
) -> Result<(), StoreError> {
    let name = flywheel.flywheel_arn.rsplit('/').next().unwrap_or_default();
    let id = &iteration.properties.flywheel_iteration_id;
    let evaluating = |iteration: &mut Iteration| {
        iteration.properties.status = IterationStatus::Evaluating;
        Ok::<(), ()>(())
    };
    let resource = flywheel::nested(flywheel::iteration::KIND, name, id);
    bucket.update(&resource, evaluating).await?;
    Ok(())
}

/// Returns the state of the classifier that an iteration trains on all that is in the lake.
fn new_classifier(
    flywheel: &FlywheelProperties,
    arn: &ClassifierArn,
    has_test_rows: bool,
) -> Result<Classifier, LakeError> {
    let uri = |use_for| lake::folder(flywheel, use_for).map(|folder| folder.to_string());
    let test = has_test_rows.then(|| uri(Use::Test)).transpose()?;
    Ok(Classifier {
        properties: ClassifierProperties {
            document_classifier_arn: arn.to_string(),
            version_name: arn.version.clone(),
            language_code: Some(flywheel.task_config.language_code.clone()),
            status: ModelStatus::Submitted,
            message: None,
            mode: flywheel.mode(),
            submit_time: epoch_seconds(Utc::now()),
            training_start_time: None,
            training_end_time: None,
            end_time: None,
            input_data_config: InputDataConfig {
                data_format: Some("COMPREHEND_CSV".to_owned()),
                s3_uri: Some(uri(Use::Train)?),
                test_s3_uri: test,
                ..InputDataConfig::default()
            },
            output_data_config: None,
            data_access_role_arn: Some(flywheel.data_access_role_arn.clone()),
            classifier_metadata: None,
            flywheel_arn: Some(flywheel.flywheel_arn.clone()),
        },
        origin: None,
        tags: Vec::new(),
        run: None,
        trained: None,
    })
}

/// Measures a model on rows that it has not seen.
async fn measure(
    bucket: &Bucket,
    encoders: &Encoders,
    arn: &ClassifierArn,
    rows: &[Row],
) -> Result<Metrics, StoreError> {
    let model = encoders.model(&arn.resource()).await?;
    let vectors = match model.encoder() {
        Some(encoder) => {
            let texts = rows.iter().map(|row| row.text.clone()).collect();
            let made = vectors::of(bucket, encoder, model.recent(), For::Training, texts).await;
            made.into_iter().map(Some).collect()
        }
        None => vec![None; rows.len()],
    };
    let rows = rows.to_vec();
    let measuring = tokio::task::spawn_blocking(move || {
        let mode = model.model.mode();
        let predictions = rows.into_iter().zip(&vectors).map(|(row, vector)| {
            let said = model.model.predict_with(&row.text, vector.as_ref());
            TestPrediction {
                actual: LabelNames::of(row.labels),
                confidence: said.first().map_or(0.0, |best| f64::from(best.score)),
                predicted: given(mode, &said),
            }
        });
        Metrics::of(&evaluate(&predictions.collect::<Vec<_>>()))
    });
    Ok(measuring
        .await
        .expect("measuring neither panics nor is cancelled"))
}

/// Returns the labels that a model gives: the best one, or those that are more likely than not.
fn given(mode: Mode, said: &[Prediction<'_>]) -> LabelNames {
    let count = match mode {
        Mode::MultiClass => said.len().min(1),
        Mode::MultiLabel => said.iter().filter(|it| it.score >= LABEL_THRESHOLD).count(),
    };
    LabelNames::of(said.iter().take(count).map(|it| it.label))
}

impl Metrics {
    fn of(evaluation: &Evaluation) -> Self {
        let classes = evaluation.classes.iter().filter(|class| class.support > 0);
        let sums = classes.fold((0.0, 0.0, 0.0), |(precision, recall, count), class| {
            (precision + class.precision, recall + class.recall, count + 1.0)
        });
        let (precision, recall, count) = sums;
        Self {
            average_f1_score: evaluation.macro_f1,
            average_precision: precision / f64::max(count, 1.0),
            average_recall: recall / f64::max(count, 1.0),
            average_accuracy: evaluation.accuracy,
        }
    }
}
