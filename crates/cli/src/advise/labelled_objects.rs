//! Judged predictions from what reviewers of a stack answered.

use std::{collections::BTreeMap, fmt, future::ready};

use active_learning_aws::bucket::{Bucket, BucketError, MAX_DOCUMENT_BYTES};
use active_learning_core::{
    feedback::Signal, keys, labels::labelled::LabelledRecord, model::threshold::Judged,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::Evidence;

use crate::wording::counted;

const READS_IN_FLIGHT: usize = 16;

/// Why labelled records were left out.
#[derive(Debug, Default, PartialEq, Eq)]
struct LeftOut {
    /// Not chosen by the review policy, or people came to no answer.
    unfit: usize,
    /// Judged again later.
    superseded: usize,
    /// Predicted by other models.
    other_models: usize,
    /// Not understood.
    unreadable: usize,
}

/// Reads the labelled records of a training bucket; only predictions of the model that serves are used, or where that is
/// not known, of the one that predicted last.
///
/// # Errors
///
/// When the bucket cannot be read.
pub async fn judged(bucket: &Bucket, serving: Option<&str>) -> Result<Evidence, BucketError> {
    let listed = bucket.list(keys::LABELLED_FOLDER).await?;
    let objects: Vec<Vec<u8>> = stream::iter(&listed)
        .map(|object| bucket.read(&object.key, MAX_DOCUMENT_BYTES))
        .buffered(READS_IN_FLIGHT)
        // One that is gone has been taken away on purpose.
        .try_filter_map(|object| ready(Ok(object.map(|object| object.bytes))))
        .try_collect()
        .await?;
    Ok(select(&objects, serving))
}

fn select(objects: &[Vec<u8>], serving: Option<&str>) -> Evidence {
    let mut left_out = LeftOut::default();
    // By the prediction: model and record.
    let mut last: BTreeMap<(String, String), (LabelledRecord, Judged)> = BTreeMap::new();
    let lines = objects
        .iter()
        .flat_map(|object| object.split(|byte| *byte == b'\n'));
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        let Ok(record) = LabelledRecord::parse(line) else {
            left_out.unreadable += 1;
            continue;
        };
        let Some((model, judged)) = Judged::of(&record) else {
            left_out.unfit += 1;
            continue;
        };
        let prediction = (model.to_owned(), judged.id.clone());
        match last.get(&prediction) {
            Some((other, _)) => {
                left_out.superseded += 1;
                if record.supersedes(other) {
                    last.insert(prediction, (record, judged));
                }
            }
            None => {
                last.insert(prediction, (record, judged));
            }
        }
    }
    let newest = last
        .iter()
        .max_by_key(|(_, (record, _))| record.record.received_at.as_str());
    let newest = newest.map(|((model, _), _)| model.clone());
    let Some(model) = serving.map(str::to_owned).or(newest) else {
        return Evidence {
            source: format!("no reviewed prediction that the review policy chose{left_out}."),
            ..Evidence::default()
        };
    };
    let all = last.len();
    let is_audit = |(record, _): &(LabelledRecord, Judged)| record.record.signal == Signal::Audit;
    let is_doubtful = !last
        .iter()
        .any(|((of, _), judged)| *of == model && is_audit(judged));
    let judged: Vec<Judged> = last
        .into_iter()
        .filter(|((of, _), _)| *of == model)
        .map(|(_, (_, judged))| judged)
        .collect();
    left_out.other_models = all - judged.len();
    let version = version_of(&model);
    if judged.is_empty() {
        let source = format!(
            "no reviewed prediction of {version}, which serves, that the review policy chose{left_out}."
        );
        return Evidence {
            source,
            model: Some(model),
            ..Evidence::default()
        };
    }
    let role = match serving {
        Some(_) => "which serves",
        None => "which predicted last; whether it serves is not known",
    };
    let by_chance = judged
        .iter()
        .filter(|judged| judged.selection_probability < 1.0)
        .count();
    let source = format!(
        "{} of {version}, {role}: {by_chance} of them chosen by chance{left_out}.",
        counted(judged.len(), "reviewed prediction"),
    );
    Evidence {
        judged,
        source,
        is_doubtful,
        model: Some(model),
        ..Evidence::default()
    }
}

/// Names a model as `versions` does; one that is hosted elsewhere by its ARN.
fn version_of(model_arn: &str) -> String {
    match model_arn.split_once("/version/") {
        Some((_, version)) => format!("version {version}"),
        None => model_arn.to_owned(),
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.unfit, "not chosen by the policy or not decided"),
            (self.superseded, "reviewed again later"),
            (self.other_models, "of other models"),
            (self.unreadable, "not readable"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, why)| format!("{count} {why}"))
            .collect();
        match parts.is_empty() {
            true => Ok(()),
            false => write!(formatter, "; left out: {}", parts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use active_learning_core::{
        feedback::{FeedbackRecord, Source, record_id},
        labels::{
            human_loop::Answer,
            labelled::object_key,
            vote::{Vote, VoteSource},
        },
    };
    use aws_sdk_s3::{Client, primitives::ByteStream};
    use local_aws::{LocalAws, s3::BucketSpec};

    use super::*;

    const BUCKET: &str = "training";

    fn labelled(text: &str, model: &str, source: Source, answer: &str, at: &str) -> LabelledRecord {
        let record = FeedbackRecord {
            schema_version: 1,
            id: record_id("news", text),
            classifier: "news".into(),
            utterance: text.into(),
            prediction: Some("World".into()),
            confidence: Some(0.9),
            classes: Vec::new(),
            source,
            signal: Signal::Audit,
            suggested_label: None,
            prediction_id: None,
            model_arn: Some(model.into()),
            selection_probability: Some(0.1),
            accepted_above: None,
            is_of_all: false,
            user: None,
            received_at: at.into(),
        };
        let vote = Vote {
            worker: "ann".into(),
            answer: Answer::labels([answer]),
            source: VoteSource::HumanReview,
            at: at.into(),
            seconds: None,
            note: Default::default(),
        };
        LabelledRecord::new(record, vec![vote], "loop", "arn:flow")
    }

    #[tokio::test]
    async fn only_what_the_policy_chose_of_the_newest_model_is_used_and_the_rest_is_counted() {
        let aws = LocalAws::in_memory();
        let spec = BucketSpec {
            name: BUCKET.to_owned(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(spec).expect("the index works");
        let s3 = Client::new(&aws.sdk_config());
        let put = async |key: String, body: String| {
            let put = s3
                .put_object()
                .bucket(BUCKET)
                .key(key)
                .body(ByteStream::from(body.into_bytes()));
            put.send().await.expect("the bucket is there");
        };
        let implicit =
            |text, model, answer, at| labelled(text, model, Source::Implicit, answer, at).to_line();
        let first = [
            implicit("one", "new", "World", "2026-11-20T10:00:00Z"),
            implicit("two", "new", "World", "2026-11-20T10:01:00Z"),
            implicit("one", "old", "World", "2026-11-19T10:00:00Z"),
            labelled(
                "three",
                "new",
                Source::ExplicitApi,
                "Sports",
                "2026-11-20T10:02:00Z",
            )
            .to_line(),
            "{not a record}\n".to_owned(),
        ];
        put(object_key("a"), first.concat()).await;
        put(
            object_key("b"),
            implicit("two", "new", "Sports", "2026-11-21T10:00:00Z"),
        )
        .await;
        put("initial/data.csv".to_owned(), "World,one\n".to_owned()).await;

        let evidence = judged(&Bucket::new(s3.clone(), BUCKET), None)
            .await
            .expect("read");

        let mut right: Vec<bool> = evidence.judged.iter().map(|judged| judged.right).collect();
        right.sort_unstable();
        assert_eq!(right, [false, true], "the last answer counts");
        assert_eq!(
            evidence.source,
            "2 reviewed predictions of new, which predicted last; whether it serves is not known: 2 of them chosen by \
             chance; left out: 1 not chosen by the policy or not decided, 1 reviewed again later, 1 of other models, 1 not \
             readable."
        );
        assert!(judged(&Bucket::new(s3, "missing"), None).await.is_err());
    }

    #[test]
    fn predictions_that_were_all_doubted_are_said_to_speak_of_the_doubtful_ones_only() {
        let line = |text, signal, model| {
            let mut labelled = labelled(text, model, Source::Implicit, "World", "2026-11-20T10:00:00Z");
            labelled.record.signal = signal;
            labelled.to_line().into_bytes()
        };
        let doubted = line("one", Signal::LowConfidence, "new");
        let audited = line("two", Signal::Audit, "new");
        let of_another = line("two", Signal::Audit, "a-model-before");

        let only_doubted = select(std::slice::from_ref(&doubted), None);
        let with_audit = select(&[doubted.clone(), audited], None);
        let other_audit = select(&[doubted, of_another], None);

        assert!(only_doubted.is_doubtful && other_audit.is_doubtful);
        assert!(!with_audit.is_doubtful);
    }

    #[test]
    fn after_a_rollback_the_model_that_serves_is_judged_and_named_and_not_the_one_that_predicted_last() {
        let arn = |version: &str| {
            format!("arn:aws:comprehend:us-east-1:1:document-classifier/news/version/{version}")
        };
        let line = |text, version: &str, answer, at| {
            labelled(text, &arn(version), Source::Implicit, answer, at)
                .to_line()
                .into_bytes()
        };
        let objects = [
            line("one", "good", "World", "2026-11-19T10:00:00Z"),
            line("two", "bad", "Sports", "2026-11-20T10:00:00Z"),
            line("three", "bad", "Sports", "2026-11-20T11:00:00Z"),
        ];

        let of_serving = select(&objects, Some(&arn("good")));
        let of_new = select(&objects, Some(&arn("new")));

        let right: Vec<bool> = of_serving.judged.iter().map(|judged| judged.right).collect();
        assert_eq!(right, [true]);
        assert_eq!(
            of_serving.source,
            "1 reviewed prediction of version good, which serves: 1 of them chosen by chance; left out: 2 of other models."
        );
        assert_eq!(of_serving.model, Some(arn("good")));
        assert_eq!(of_new.judged, []);
        assert_eq!(
            of_new.source,
            "no reviewed prediction of version new, which serves, that the review policy chose; left out: 3 of other models."
        );
    }

    #[test]
    fn nothing_reviewed_is_no_evidence() {
        let evidence = select(&[], None);

        assert_eq!(evidence.judged, []);
        assert_eq!(
            evidence.source,
            "no reviewed prediction that the review policy chose."
        );
    }
}
