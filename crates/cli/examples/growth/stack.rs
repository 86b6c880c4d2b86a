//! The shipped template: what its functions are given, how often they are called by the clock, and what lies idle.

use std::collections::BTreeMap;

use active_learning_aws::env::Env;
use active_learning_cli::{functions, run::BUILT_IN};
use local_stack::{
    plan::{Programs, plan},
    problems::Problems,
    stack::Stack,
    template,
    template_files::TemplateFiles,
};

/// Minutes of a month, as AWS reckons one: 730 hours.
const MINUTES_A_MONTH: f64 = 730.0 * 60.0;

/// What of the template matters for what it costs.
#[derive(Debug)]
pub struct Shipped {
    environments: BTreeMap<String, BTreeMap<String, String>>,
    /// Memory of each function, MB.
    pub memory: BTreeMap<String, i64>,
    /// Calls a month by the clock, by function and operation.
    pub schedules: BTreeMap<(String, String), f64>,
    /// Metrics that alarms look at.
    pub alarm_metrics: usize,
    /// Dashboards.
    pub dashboards: usize,
    /// Secrets.
    pub secrets: usize,
    /// What functions are told of by buckets.
    pub notifications: Vec<Notification>,
}

/// A function is told of objects of a bucket.
#[derive(Debug)]
pub struct Notification {
    pub bucket: String,
    /// For example `s3:ObjectCreated:*`.
    pub event: String,
    /// Their keys begin so.
    pub prefix: String,
    /// And end so.
    pub suffix: String,
    /// Program of the function.
    pub function: String,
}

impl Shipped {
    /// Reads the template with the defaults of its parameters.
    pub fn read() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let stack = Stack::open(folder.path(), "http://127.0.0.1:4566").expect("a writable folder");
        let programs = Programs {
            executable: "active-learning".into(),
            names: functions::NAMES,
            check: functions::check,
        };
        let problems = Problems::default();
        let text = include_str!("../../../../infra/template.yaml");
        let resolved = template::resolve(text, &BTreeMap::new(), &stack, &problems);
        let plan = plan(
            &resolved,
            &stack,
            &programs,
            &TemplateFiles::BuiltIn(BUILT_IN),
            &problems,
        );
        let plan = problems.or(plan).unwrap_or_else(|refused| panic!("{refused}"));

        let of_type = |name: &str| {
            resolved
                .resources
                .values()
                .filter(move |it| it.type_name == name)
                .count()
        };
        let mut shipped = Self {
            environments: BTreeMap::new(),
            memory: BTreeMap::new(),
            schedules: BTreeMap::new(),
            alarm_metrics: 0,
            dashboards: of_type("AWS::CloudWatch::Dashboard"),
            secrets: of_type("AWS::SecretsManager::Secret"),
            notifications: Vec::new(),
        };
        let mut names = BTreeMap::new();
        for function in plan.functions {
            let program = function.command.last().and_then(|name| name.to_str());
            let program = program.unwrap_or_default().to_owned();
            names.insert(function.name, program.clone());
            shipped
                .memory
                .insert(program.clone(), function.memory_megabytes.into());
            shipped.environments.insert(program, function.environment);
        }
        for bucket in plan.buckets {
            let told = bucket.notifications.into_iter().map(|told| Notification {
                bucket: bucket.name.clone(),
                event: told.event,
                prefix: told.prefix,
                suffix: told.suffix,
                function: names
                    .get(told.function_arn.rsplit(':').next().unwrap_or_default())
                    .cloned()
                    .unwrap_or_default(),
            });
            shipped.notifications.extend(told);
        }
        for schedule in plan.schedules {
            let target = schedule.target_arn.rsplit(':').next().unwrap_or_default();
            let function = names.get(target).cloned().unwrap_or_default();
            let input: serde_json::Value =
                serde_json::from_str(schedule.input.as_deref().unwrap_or_default()).unwrap_or_default();
            let operation = input["operation"].as_str().unwrap_or_default().to_owned();
            let calls = MINUTES_A_MONTH / minutes(&schedule.expression);
            shipped.schedules.insert((function, operation), calls);
        }
        let alarms = resolved
            .resources
            .values()
            .filter(|it| it.type_name == "AWS::CloudWatch::Alarm");
        shipped.alarm_metrics = alarms
            .map(|alarm| {
                match alarm
                    .properties
                    .get("Metrics")
                    .and_then(|metrics| metrics.as_array())
                {
                    Some(metrics) => metrics
                        .iter()
                        .filter(|metric| metric.get("MetricStat").is_some())
                        .count(),
                    None => 1,
                }
            })
            .sum();
        shipped
    }

    /// Returns the environment of a function.
    pub fn env(&self, function: &str) -> Env {
        self.environments[function].clone().into_iter().collect()
    }

    /// Gives a function another value of a variable than the template's.
    pub fn set_variable(&mut self, function: &str, name: &str, value: &str) {
        let environment = self.environments.get_mut(function).expect("the template has it");
        environment.insert(name.to_owned(), value.to_owned());
    }

    /// Returns a variable of a function.
    pub fn variable(&self, function: &str, name: &str) -> &str {
        &self.environments[function][name]
    }
}

/// Reads a rate such as `rate(5 minutes)`.
fn minutes(rate: &str) -> f64 {
    let inner = rate.trim_start_matches("rate(").trim_end_matches(')');
    let (number, unit) = inner.split_once(' ').expect("a rate");
    let number: f64 = number.parse().expect("a number");
    match unit {
        "minute" | "minutes" => number,
        "hour" | "hours" => number * 60.0,
        _ => panic!("the benchmark does not know {rate}"),
    }
}
