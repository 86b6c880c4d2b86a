//! Metrics in CloudWatch's embedded metric format: one JSON line on stdout.

use serde_json::{Value, json};

/// Namespace of all metrics of this project.
pub const NAMESPACE: &str = "ActiveLearning";

/// Counts things that a function did. On AWS the log line becomes metrics with the dimension `Function`.
///
/// Source: CloudWatch embedded metric format specification.
pub fn count(function: &str, counts: &[(&str, u64)]) {
    count_with(function, counts, &[]);
}

/// Counts things, and tells values of which CloudWatch keeps the distribution; they have no unit.
pub fn count_with(function: &str, counts: &[(&str, u64)], values: &[(&str, f64)]) {
    let now = chrono::Utc::now().timestamp_millis();
    println!("{}", line(function, counts, values, now));
}

fn line(function: &str, counts: &[(&str, u64)], values: &[(&str, f64)], timestamp_ms: i64) -> Value {
    let counted = counts
        .iter()
        .map(|(name, _)| json!({"Name": name, "Unit": "Count"}));
    let told = values
        .iter()
        .map(|(name, _)| json!({"Name": name, "Unit": "None"}));
    let metrics: Vec<Value> = counted.chain(told).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": timestamp_ms,
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": metrics}],
        },
        "Function": function,
    });
    for (name, count) in counts {
        line[*name] = (*count).into();
    }
    for (name, value) in values {
        line[*name] = (*value).into();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_each_metric_that_it_carries() {
        let line = line(
            "classify",
            &[("Classified", 1), ("FeedbackLost", 0)],
            &[("Confidence", 0.5)],
            1_700_000_000_000,
        );

        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": 1_700_000_000_000_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "ActiveLearning",
                        "Dimensions": [["Function"]],
                        "Metrics": [
                            {"Name": "Classified", "Unit": "Count"},
                            {"Name": "FeedbackLost", "Unit": "Count"},
                            {"Name": "Confidence", "Unit": "None"}
                        ],
                    }],
                },
                "Function": "classify",
                "Classified": 1,
                "FeedbackLost": 0,
                "Confidence": 0.5,
            })
        );
    }
}
