//! Every right of every role of the shipped template, in the branches of its conditions, held against the service
//! authorization reference of AWS.

#[path = "role_actions/needed.rs"]
mod needed;

use std::collections::{BTreeMap, BTreeSet};

use local_stack::{
    problems::Problems,
    stack::Stack,
    template::{self, Resolved},
};
use serde::Deserialize;
use serde_json::Value;

/// The part of the reference that the template needs; `role_actions/extract.py` makes it.
#[derive(Deserialize)]
struct Reference {
    /// Types of resource by action, `<service>:<Action>`; none for an action on everything.
    actions: BTreeMap<String, Vec<String>>,
    /// Pattern of the ARN by `<service>:<type>`.
    resources: BTreeMap<String, String>,
}

/// Parameters on which conditions depend, each with a value that turns the condition over.
const BRANCHES: [(&str, &str); 18] = [
    ("AccessLogs", "true"),
    (
        "ComprehendEndpointArn",
        "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news",
    ),
    ("CreateAccessLogRole", "true"),
    ("CreateUserPool", "true"),
    (
        "FlywheelArn",
        "arn:aws:comprehend:us-east-1:123456789012:flywheel/news",
    ),
    (
        "HumanReviewWorkflowArn",
        "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/news",
    ),
    ("KeepModelVersions", "5"),
    ("NotificationEmail", "ann@example.com"),
    (
        "OidcClientSecretArn",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:oidc-AbCdEf",
    ),
    ("PersonalData", "comprehend"),
    ("PredictionRetentionDays", "0"),
    ("ResultWebhookUrl", "https://example.com/reviewed"),
    ("ReviewersEmail", "ann@example.com"),
    ("SageMakerEndpointName", "news"),
    ("TextEncoder", "s3"),
    ("TextRetentionDays", "30"),
    ("Tracing", "true"),
    ("TrainingBucketVersionDays", "30"),
];

fn reference() -> Reference {
    serde_json::from_str(include_str!("role_actions/reference.json")).expect("it is of this shape")
}

fn resolve(arguments: &BTreeMap<String, String>) -> Resolved {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::open(folder.path(), "http://127.0.0.1:4566").expect("a writable folder");
    let problems = Problems::default();
    let template = include_str!("../../../infra/template.yaml");
    let resolved = template::resolve(template, arguments, &stack, &problems);
    problems
        .or(resolved)
        .unwrap_or_else(|refused| panic!("{refused}"))
}

/// Parameters that a rule of the template keeps apart.
const EITHER: [[&str; 2]; 3] = [
    ["ComprehendEndpointArn", "SageMakerEndpointName"],
    ["CreateUserPool", "OidcClientSecretArn"],
    ["FlywheelArn", "SageMakerEndpointName"],
];

/// Most conditions that are turned over at a time: no right depends on more.
const MOST_TURNED: u32 = 2;

/// Resolves the template with every few of its conditions turned over.
fn all_branches() -> Vec<Resolved> {
    (0_u32..1 << BRANCHES.len())
        .filter(|choice| choice.count_ones() <= MOST_TURNED)
        .map(|choice| {
            let chosen = (0..BRANCHES.len()).filter(|bit| choice & (1 << bit) != 0);
            let arguments = chosen.map(|bit| BRANCHES[bit]);
            arguments
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        })
        .filter(|arguments: &BTreeMap<String, String>| {
            let has_both = |pair: &[&str; 2]| pair.iter().all(|name| arguments.contains_key(*name));
            !EITHER.iter().any(has_both)
        })
        .map(|arguments| resolve(&arguments))
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Returns (role, action, resource) for every right that a role has. A trust policy has no resource.
fn rights(resolved: &Resolved) -> BTreeSet<(String, String, Option<String>)> {
    let mut rights = BTreeSet::new();
    for role in resolved
        .resources
        .values()
        .filter(|it| it.type_name == "AWS::IAM::Role")
    {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let trust = list(&role.properties["AssumeRolePolicyDocument"]["Statement"]);
        let granted = list(role.properties.get("Policies").unwrap_or(&Value::Null));
        let granted = granted
            .iter()
            .flat_map(|it| list(&it["PolicyDocument"]["Statement"]));
        for statement in trust.into_iter().chain(granted) {
            let resources = match texts(&statement["Resource"]) {
                none if none.is_empty() => vec![None],
                some => some.into_iter().map(Some).collect(),
            };
            for action in texts(&statement["Action"]) {
                for resource in &resources {
                    rights.insert((role.logical_id.clone(), action.clone(), resource.clone()));
                }
            }
        }
    }
    rights
}

/// A part of an ARN: a character, or a run of characters that excludes some.
#[derive(Clone, Copy)]
enum Part {
    One(char),
    Run(&'static str),
}

/// Reads the pattern of a type, such as `arn:${Partition}:s3:::${BucketName}/${ObjectName}`.
fn of_type(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').expect("a variable ends");
        parts.extend(before.chars().map(Part::One));
        parts.push(Part::Run(match name {
            "Partition" | "Region" | "Account" => ":/",
            "BucketName" => "/",
            _ => "",
        }));
        rest = after;
    }
    parts.extend(rest.chars().map(Part::One));
    parts
}

/// Reads a resource of a policy, in which a star stands for anything.
fn of_policy(resource: &str) -> Vec<Part> {
    let part = |character| match character {
        '*' => Part::Run(""),
        other => Part::One(other),
    };
    resource.chars().map(part).collect()
}

/// Returns whether some ARN is of both patterns.
fn overlap(left: &[Part], right: &[Part]) -> bool {
    match (left, right) {
        ([], []) => true,
        ([Part::One(a), left @ ..], [Part::One(b), right @ ..]) => a == b && overlap(left, right),
        ([Part::Run(_), rest @ ..], _) if overlap(rest, right) => true,
        (_, [Part::Run(_), rest @ ..]) if overlap(left, rest) => true,
        ([Part::Run(not), ..], [Part::One(b), right @ ..]) => !not.contains(*b) && overlap(left, right),
        ([Part::One(a), left @ ..], [Part::Run(not), ..]) => !not.contains(*a) && overlap(left, right),
        _ => false,
    }
}

/// Says what the reference has against a right, if anything.
fn objection(reference: &Reference, action: &str, resource: Option<&str>) -> Option<String> {
    let Some(types) = reference.actions.get(action) else {
        return Some("there is no such action (or role_actions/extract.py has not run since)".to_owned());
    };
    let resource = resource?;
    if types.is_empty() {
        return (resource != "*")
            .then(|| "the action has no type of resource: only `*` grants it".to_owned());
    }
    let service = action.split(':').next().unwrap_or_default();
    let fits = types.iter().any(|name| {
        let pattern = &reference.resources[&format!("{service}:{name}")];
        resource != "*" && overlap(&of_type(pattern), &of_policy(resource))
    });
    (!fits).then(|| format!("the action is on {types:?}"))
}

#[test]
fn every_right_of_every_role_is_an_action_of_aws_on_a_type_of_resource_that_it_supports() {
    let reference = reference();
    let rights: BTreeSet<_> = all_branches().iter().flat_map(rights).collect();

    let objections: Vec<String> = rights
        .iter()
        .filter_map(|(role, action, resource)| {
            let objection = objection(&reference, action, resource.as_deref())?;
            Some(format!("{role}: {action} on {resource:?}: {objection}"))
        })
        .collect();

    assert!(rights.len() > 100, "only {} rights were looked at", rights.len());
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

#[test]
fn the_branches_are_all_that_the_conditions_of_the_template_have() {
    let template = include_str!("../../../infra/template.yaml");
    let conditions = template.split("\nConditions:\n").nth(1).expect("a section");
    let conditions = conditions.split("\n\n").next().expect("its end");

    let parameters: BTreeSet<&str> = (conditions.split("!Ref ").skip(1))
        .map(|rest| rest.split([',', ']']).next().expect("a name"))
        .collect();

    assert!(
        parameters.iter().eq(BRANCHES.map(|(name, _)| name).iter()),
        "{parameters:?}"
    );
}

#[test]
fn a_right_that_grants_nothing_is_told() {
    let reference = reference();
    let of = |action, resource| objection(&reference, action, Some(resource));

    let wrong = [
        of("s3:GetObjects", "arn:aws:s3:::b/*"),
        of("s3:GetObject", "arn:aws:s3:::b"),
        of("s3:ListBucket", "arn:aws:s3:::b/*"),
        of(
            "sagemaker:ListHumanLoops",
            "arn:aws:sagemaker:us-east-1:1:flow-definition/f",
        ),
        of("lambda:InvokeFunction", "*"),
        of(
            "comprehend:UpdateEndpoint",
            "arn:aws:comprehend:us-east-1:1:document-classifier/*",
        ),
    ];
    let right = [
        of("s3:GetObject", "arn:aws:s3:::b/*"),
        of("s3:ListBucket", "arn:aws:s3:::b"),
        of("sagemaker:ListHumanLoops", "*"),
        of("logs:PutLogEvents", "arn:aws:logs:us-east-1:1:log-group:g:*"),
    ];

    assert!(wrong.iter().all(Option::is_some), "{wrong:?}");
    assert_eq!(right, [const { None }; 4]);
}
