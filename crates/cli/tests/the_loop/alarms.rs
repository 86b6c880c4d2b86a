//! Each alarm of the template is raised by the metric that it watches, and by nothing before.
//!
//! There is no CloudWatch here: an alarm is worked out as the template says, from what functions have printed, and from
//! what AWS itself would count.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use local_stack::{problems::Problems, stack, template};
use serde_json::{Value, json};

use crate::{
    harness::{template, until},
    new_models::{BY_HAND, Stack, news, put_labels},
};

/// A value of a metric.
#[derive(Clone, Debug)]
struct Datum {
    namespace: String,
    metric: String,
    /// Name and value.
    dimension: (String, String),
    value: f64,
}

/// Returns the alarms that what the functions of a stack have printed raises.
pub fn raised(state_dir: &Path) -> BTreeSet<String> {
    raised_with(state_dir, &[])
}

/// Does the same for a stack with these parameters, which may have further alarms.
pub fn raised_with(state_dir: &Path, parameters: &[(&str, &str)]) -> BTreeSet<String> {
    let printed = printed(state_dir);
    let alarms = alarms(state_dir, parameters).into_iter();
    let raised = alarms.filter(|(_, alarm)| is_raised(alarm, &printed));
    raised.map(|(name, _)| name).collect()
}

/// Returns the names of the metrics that a function of a stack has printed.
pub fn metrics_of(state_dir: &Path, function: &str) -> BTreeSet<String> {
    let of_function = |datum: &Datum| datum.namespace == "ActiveLearning" && datum.dimension.1 == function;
    let printed = printed(state_dir).into_iter().filter(of_function);
    printed.map(|datum| datum.metric).collect()
}

fn alarms(state_dir: &Path, parameters: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let stack = stack::Stack::open(state_dir, "http://127.0.0.1:4566").expect("a folder");
    let resolved = template::resolve(template(), &parameters, &stack, &Problems::default());
    let resources = resolved.resources.into_values();
    resources
        .filter(|resource| resource.type_name == "AWS::CloudWatch::Alarm")
        .map(|resource| (resource.logical_id, resource.properties.into()))
        .collect()
}

/// Reads the lines in the embedded metric format from the functions' logs.
fn printed(state_dir: &Path) -> Vec<Datum> {
    let logs = std::fs::read_dir(state_dir.join("logs")).expect("logs");
    let texts = logs.map(|log| std::fs::read_to_string(log.expect("a log").path()).expect("text"));
    let lines: Vec<Value> = texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| serde_json::from_str(&line).ok())
        .collect();
    lines.iter().flat_map(data_of).collect()
}

fn data_of(line: &Value) -> Vec<Datum> {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten();
    let data = directives.flat_map(|directive| {
        let dimension = text(&directive["Dimensions"][0][0]);
        let metrics = directive["Metrics"].as_array().into_iter().flatten();
        metrics.map(move |metric| Datum {
            namespace: text(&directive["Namespace"]),
            metric: text(&metric["Name"]),
            dimension: (dimension.clone(), text(&line[dimension.as_str()])),
            value: number(&line[text(&metric["Name"])]),
        })
    });
    data.collect()
}

/// Returns whether a period with these values raises an alarm.
fn is_raised(alarm: &Value, data: &[Datum]) -> bool {
    let value = match alarm["Metrics"].as_array() {
        None => statistic(alarm, &alarm["Statistic"], data),
        Some(metrics) => {
            assert_eq!(metrics[0]["Expression"], "SUM(METRICS())");
            let parts = metrics[1..].iter().map(|metric| &metric["MetricStat"]);
            let values = parts.filter_map(|part| statistic(&part["Metric"], &part["Stat"], data));
            values.reduce(|sum, value| sum + value)
        }
    };
    let rule = ["ComparisonOperator", "TreatMissingData"].map(|member| text(&alarm[member]));
    assert_eq!(rule, ["GreaterThanThreshold", "notBreaching"]);
    assert_eq!(number(&alarm["EvaluationPeriods"]), 1.0);
    value.is_some_and(|value| value > number(&alarm["Threshold"]))
}

fn statistic(metric: &Value, statistic: &Value, data: &[Datum]) -> Option<f64> {
    let dimension = &metric["Dimensions"][0];
    let wanted = [
        text(&metric["Namespace"]),
        text(&metric["MetricName"]),
        text(&dimension["Name"]),
        text(&dimension["Value"]),
    ];
    let of_metric = data.iter().filter(|datum| {
        let (name, value) = &datum.dimension;
        [&datum.namespace, &datum.metric, name, value]
            .into_iter()
            .eq(&wanted)
    });
    let values = of_metric.map(|datum| datum.value);
    match text(statistic).as_str() {
        "Sum" => values.reduce(|sum, value| sum + value),
        "Maximum" => values.reduce(f64::max),
        other => panic!("{other}"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Parameters are texts.
fn number(value: &Value) -> f64 {
    let text = value.as_str().map(|text| text.parse().expect("a number"));
    text.or(value.as_f64()).expect("a number")
}

pub fn names(alarms: &[&str]) -> BTreeSet<String> {
    alarms.iter().map(|alarm| (*alarm).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_raised_by_a_task_that_waits_a_failed_event_undelivered_or_lost_feedback_and_a_failed_build()
 {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    // Classify can store nothing: stream and bucket are not there.
    let template = template()
        .replacen(
            "FEEDBACK_STREAM_NAME: !Ref FeedbackStream",
            "FEEDBACK_STREAM_NAME: gone",
            1,
        )
        .replacen(
            "FEEDBACK_BUCKET_NAME: !Ref FeedbackBucket",
            "FEEDBACK_BUCKET_NAME: gone-bucket",
            1,
        );
    let parameters = [&BY_HAND[..], &[("ComprehendClassificationScoreThreshold", "1")]].concat();
    let stack = Stack::start_from(folder.path(), &template, &rows[..60], &parameters).await;
    let put = async |output: &str, key: &str, content: &str| {
        let put = stack
            .s3
            .put_object()
            .bucket(stack.outputs.output(output))
            .key(key);
        put.body(content.as_bytes().to_vec().into())
            .send()
            .await
            .expect("stored");
    };
    stack
        .invoke("HumanReview", &json!({"operation": "measure"}))
        .await;
    let before = raised(folder.path());

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let started = now.as_millis() - 2 * 24 * 3_600_000;
    let mark = format!("human-review/queue/04000-{started}-{}-old", "0".repeat(32));
    put("ReviewS3Bucket", &mark, "").await;
    put("ReviewS3Bucket", "human-review/expiring/odd", "").await;
    put("FeedbackS3Bucket", "aws/lambda/async/f/one", "{}").await;
    put("FeedbackS3Bucket", "firehose-errors/one", "{}").await;
    stack
        .invoke("HumanReview", &json!({"operation": "measure"}))
        .await;
    stack.classify(&rows[100].1).await;
    put_labels(&stack.s3, stack.bucket(), "review-1", &rows[60..90]).await;
    put("TrainingS3Bucket", "datasets/newest.json", "{").await;
    let built = stack.models().build().await.expect("followed");

    let expected = names(&[
        "BuildsFailedAlarm",
        "DamagedObjectsAlarm",
        "FailedEventsAlarm",
        "FeedbackLostAlarm",
        "OldestTaskAlarm",
        "UndeliveredFeedbackAlarm",
    ]);
    until(async || raised(folder.path()) == expected).await;
    stack.stop().await;
    assert_eq!(before, names(&[]), "{}", built.describe());
}

#[test]
fn alarms_on_what_aws_counts_are_raised_by_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let alarms = alarms(folder.path(), &[]);
    let metric_of = |alarm: &str| {
        let alarm = &alarms[alarm];
        let parts = alarm["Metrics"].as_array().map(|metrics| metrics[1..].to_vec());
        let metrics = parts.map(|parts| {
            parts
                .iter()
                .map(|part| part["MetricStat"]["Metric"].clone())
                .collect()
        });
        metrics.unwrap_or_else(|| vec![alarm.clone()])
    };
    let datum = |metric: &Value, value: f64| Datum {
        namespace: text(&metric["Namespace"]),
        metric: text(&metric["MetricName"]),
        dimension: (
            text(&metric["Dimensions"][0]["Name"]),
            text(&metric["Dimensions"][0]["Value"]),
        ),
        value,
    };

    for (name, quiet, loud) in [
        ("FunctionErrorsAlarm", 0.0, 1.0),
        ("FunctionThrottlesAlarm", 0.0, 1.0),
        ("FeedbackDeliveryAlarm", 1_800.0, 1_801.0),
    ] {
        let metrics: Vec<Value> = metric_of(name);
        let all_quiet: Vec<Datum> = metrics.iter().map(|metric| datum(metric, quiet)).collect();
        assert!(!is_raised(&alarms[name], &all_quiet), "{name}");
        assert!(!is_raised(&alarms[name], &[]), "{name} without data");
        for (place, metric) in metrics.iter().enumerate() {
            assert!(text(&metric["Namespace"]).starts_with("AWS/"), "{name}");
            let mut data = all_quiet.clone();
            data[place] = datum(metric, loud);
            assert!(is_raised(&alarms[name], &data), "{name} by {metric}");
        }
    }
    let functions = metric_of("FunctionErrorsAlarm");
    assert_eq!(functions.len(), 9, "one for each function: {functions:?}");
}
