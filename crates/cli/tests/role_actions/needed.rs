//! No role has a right that nothing needs: each is traced to the calls that `uses.txt` names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use local_stack::template::Resource;
use serde_json::Value;

use super::{resolve, texts};

/// Role, action, and the resource as the template names it.
type Right = (String, String, String);

/// Where a right is used: file and words in it, or `AWS` and what a service does.
type Traces = BTreeMap<Right, Vec<(String, String)>>;

/// Who it is that acts with a role by itself.
const SERVICE: &str = "AWS";

/// Reads what the rights are said to be for.
fn told() -> Traces {
    let mut traces = Traces::new();
    let (mut role, mut right) = (String::new(), None);
    for line in include_str!("uses.txt").lines() {
        match (line.len() - line.trim_start().len(), line.trim()) {
            (_, "") => {}
            (0, text) if text.starts_with('#') => {}
            (0, text) => role = text.to_owned(),
            (2, text) => {
                let (action, resource) = text.split_once(' ').expect("an action and a resource");
                let named = (role.clone(), action.to_owned(), resource.to_owned());
                let before = traces.insert(named.clone(), Vec::new());
                assert!(before.is_none(), "{named:?} is there twice");
                right = Some(named);
            }
            (_, text) => {
                let (file, words) = text.split_once(": ").expect("a file and words");
                let right = right.as_ref().expect("a right before it");
                let of_right = traces.get_mut(right).expect("it was inserted");
                of_right.push((file.to_owned(), words.to_owned()));
            }
        }
    }
    traces
}

/// Returns the elements of a list, or the only one; of a condition, those of both branches.
fn listed(written: &Value) -> Vec<&Value> {
    match written {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().flat_map(listed).collect(),
        Value::Object(one) if one.contains_key("Fn::If") => {
            let branches = one["Fn::If"].as_array().expect("condition and branches");
            branches[1..].iter().flat_map(listed).collect()
        }
        one if one["Ref"] == "AWS::NoValue" => Vec::new(),
        one => vec![one],
    }
}

/// Returns the name of a resource as the template writes it: of what it refers to, with the ids of the stack left out.
fn named(written: &Value) -> String {
    if let Value::String(text) = written {
        return text.clone();
    }
    let Some((function, argument)) = written.as_object().and_then(|it| it.iter().next()) else {
        panic!("{written} names no resource");
    };
    match function.as_str() {
        "Ref" => texts(argument).concat(),
        "Fn::GetAtt" => {
            let first = texts(argument).swap_remove(0);
            first.split('.').next().unwrap_or_default().to_owned()
        }
        "Fn::Sub" => texts(argument).swap_remove(0),
        "Fn::Join" => {
            let parts = argument[1].as_array().expect("parts");
            parts.iter().map(named).collect()
        }
        "Fn::Select" => String::new(),
        other => panic!("{other} names no resource that is known here"),
    }
}

/// Shortens a name to what differs: `<bucket>/<key>`, or what comes after the account.
fn short(name: &str) -> String {
    let name = name.rsplit(":::").next().unwrap_or_default();
    let name = name.rsplit("${AWS::AccountId}:").next().unwrap_or_default();
    let name = name
        .replace("${FeedbackBucket.Arn}", "feedback")
        .replace("-/", "/");
    match name.trim_end_matches('-') {
        "FeedbackBucket" => "feedback".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns the rights of a role, whatever the conditions say.
fn rights(role: &Resource) -> BTreeSet<Right> {
    let policies = listed(&role.written["Policies"]);
    let statements = (policies.iter()).flat_map(|policy| listed(&policy["PolicyDocument"]["Statement"]));
    let mut rights = BTreeSet::new();
    for statement in statements {
        for action in texts(&statement["Action"]) {
            for resource in listed(&statement["Resource"]) {
                rights.insert((role.logical_id.clone(), action.clone(), short(&named(resource))));
            }
        }
    }
    rights
}

/// Returns whether a right needs no trace: to write one's own log, to trace requests, and what the list of objects is
/// about, which is held against the roles in `objects.rs`.
fn goes_without_saying((role, action, resource): &Right, is_function: bool) -> bool {
    match action.as_str() {
        "s3:GetObject" | "s3:PutObject" => is_function,
        "logs:CreateLogStream" | "logs:PutLogEvents" => {
            Some(resource.as_str())
                == role
                    .strip_suffix("Role")
                    .map(|it| format!("{it}LogGroup"))
                    .as_deref()
        }
        "xray:PutTraceSegments" | "xray:PutTelemetryRecords" => true,
        "xray:GetSamplingRules" | "xray:GetSamplingTargets" => !is_function,
        _ => false,
    }
}

/// The rights that need a trace, and the package of each function by its role.
fn shipped() -> (BTreeSet<Right>, BTreeMap<String, String>) {
    let resources = resolve(&BTreeMap::new()).resources;
    let functions = resources
        .values()
        .filter(|it| it.type_name == "AWS::Lambda::Function");
    let packages: BTreeMap<String, String> = functions
        .map(|function| {
            let code = function.written["Code"].as_str().expect("a path");
            let package = code.rsplit('/').next().unwrap_or_default();
            (named(&function.written["Role"]), package.to_owned())
        })
        .collect();
    let roles = resources.values().filter(|it| it.type_name == "AWS::IAM::Role");
    let rights = roles.flat_map(rights);
    let to_trace = rights.filter(|right| !goes_without_saying(right, packages.contains_key(&right.0)));
    (to_trace.collect(), packages)
}

/// Says what is wrong with a trace, if anything: the words must stand in a line of the file that is no comment.
fn objection(file: &str, words: &str) -> Option<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let Ok(source) = fs::read_to_string(crates.join(file)) else {
        return Some(format!("there is no file {file}"));
    };
    let mut code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let is_there = code.any(|line| line.contains(words));
    (!is_there).then(|| format!("{file} has no `{words}`"))
}

#[test]
fn every_right_of_every_role_is_there_for_a_call() {
    let (rights, _) = shipped();
    let traces = told();

    let unused: Vec<_> = rights
        .iter()
        .filter(|right| !traces.contains_key(*right))
        .collect();
    let gone: Vec<_> = traces.keys().filter(|right| !rights.contains(*right)).collect();

    assert!(rights.len() > 100, "only {} rights were looked at", rights.len());
    assert!(
        unused.is_empty(),
        "nothing in uses.txt says what these are for: {unused:?}"
    );
    assert!(
        gone.is_empty(),
        "uses.txt names rights that no role has: {gone:?}"
    );
}

#[test]
fn the_calls_that_rights_are_there_for_are_made() {
    let (_, packages) = shipped();

    let mut objections = Vec::new();
    for (right, traces) in told() {
        let begins = |package: &String| {
            traces
                .first()
                .is_some_and(|(file, _)| file.starts_with(&format!("{package}/")))
        };
        let is_of_service = traces.iter().all(|(file, _)| file == SERVICE);
        if traces.is_empty() || !is_of_service && !packages.get(&right.0).is_some_and(begins) {
            objections.push(format!("{right:?} begins with no call of its function"));
        }
        let calls = traces.iter().filter(|(file, _)| file != SERVICE);
        objections.extend(
            calls.filter_map(|(file, words)| Some(format!("{right:?}: {}", objection(file, words)?))),
        );
    }

    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

#[test]
fn a_right_that_is_added_without_need_is_told() {
    let mut resources = resolve(&BTreeMap::new()).resources;
    let role = resources.get_mut("ReviewEventsFunctionRole").expect("a role");
    let policies = role.written["Policies"].as_array_mut().expect("policies");
    policies.push(serde_json::json!({"PolicyName": "more", "PolicyDocument": {"Statement": [
        {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": {"Fn::Sub": "${FeedbackBucket.Arn}/questions/*"}},
        {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": {"Ref": "ReviewTopic"}},
        {"Fn::If": ["SendWebhooks",
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "ReviewSigningSecret"}},
            {"Effect": "Allow", "Action": "events:PutEvents", "Resource": "*"}]},
        {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": {"Fn::GetAtt": ["ClassifyFunctionLogGroup", "Arn"]}},
    ]}}));

    let traces = told();
    let rights = rights(&resources["ReviewEventsFunctionRole"]).into_iter();
    let unused: Vec<String> = rights
        .filter(|right| !goes_without_saying(right, true) && !traces.contains_key(right))
        .map(|(_, action, resource)| format!("{action} {resource}"))
        .collect();

    assert_eq!(
        unused,
        [
            "events:PutEvents *",
            "logs:PutLogEvents ClassifyFunctionLogGroup",
            "s3:DeleteObject feedback/questions/*",
            "secretsmanager:GetSecretValue ReviewSigningSecret",
            "sns:Publish ReviewTopic",
        ]
    );
}
