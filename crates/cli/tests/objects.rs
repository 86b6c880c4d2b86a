//! The list of objects, held against the roles and lifecycle rules of the shipped template.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_cli::{functions, run::BUILT_IN};
use active_learning_core::keys::{AUDIT_LOG_FOLDER, BucketName, Lifetime, OBJECTS, ObjectKind, Party};
use human_review::oidc::PENDING_LIFETIME;
use human_review::session::SIGN_IN_LINK_LIFETIME;
use local_aws::iam::{Call, Iam, Principal};
use local_stack::{
    plan::{Plan, Programs, plan},
    problems::Problems,
    stack::Stack,
    template::{self, Resolved},
    template_files::TemplateFiles,
};
use serde_json::Value;

/// Condition of a write that takes no other object's place.
const ONCE: [(&str, &str); 1] = [("s3:if-none-match", "*")];
/// Stands for what differs from object to object.
const ANY: &str = "x";

/// The shipped template with its default parameters.
struct Shipped {
    plan: Plan,
    resolved: Resolved,
}

impl Shipped {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[(&str, &str)]) -> Self {
        let arguments = arguments.iter();
        let arguments: BTreeMap<String, String> = arguments
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let folder = tempfile::tempdir().expect("temporary folder");
        let stack = Stack::open(folder.path(), "http://127.0.0.1:4566").expect("a writable folder");
        let programs = Programs {
            executable: "/bin/active-learning".into(),
            names: functions::NAMES,
            check: functions::check,
        };
        let problems = Problems::default();
        let template = include_str!("../../../infra/template.yaml");
        let resolved = template::resolve(template, &arguments, &stack, &problems);
        let files = TemplateFiles::BuiltIn(BUILT_IN);
        let plan = plan(&resolved, &stack, &programs, &files, &problems);
        let plan = problems.or(plan).unwrap_or_else(|refused| panic!("{refused}"));
        Self { plan, resolved }
    }

    /// Returns the name of a bucket in the template.
    fn bucket(&self, bucket: BucketName) -> &str {
        let prefix = match bucket {
            BucketName::Batch => "batch-",
            BucketName::Feedback => "feedback-",
            BucketName::Review => "review-",
            BucketName::Training => "training-",
        };
        let mut names = self.plan.buckets.iter().map(|bucket| bucket.name.as_str());
        names.find(|name| name.starts_with(prefix)).expect("a bucket")
    }

    /// Returns the ARNs of the roles of the functions, by the function's name.
    fn roles(&self) -> BTreeMap<&str, &str> {
        let functions = self.plan.functions.iter();
        functions
            .map(|function| {
                let name = function.command[2].to_str().expect("a name");
                (name, function.role_arn.as_str())
            })
            .collect()
    }

    /// Returns the roles as the local services know them.
    fn iam(&self) -> Iam {
        let iam = Iam::new("us-east-1");
        for role in &self.plan.roles {
            iam.put_role(role.clone()).expect("the policy is implemented");
        }
        iam
    }

    /// Returns whether a function may do something to an object of a kind, under the conditions that the call names.
    fn allows(
        &self,
        iam: &Iam,
        function: &str,
        (action, kind): (&str, &ObjectKind),
        conditions: &[(&str, &str)],
    ) -> bool {
        let principal = Principal::Role {
            arn: self.roles()[function].to_owned(),
        };
        let bucket = self.bucket(kind.bucket);
        // An empty object is read by its name.
        let (action, resource) = match (action, kind.shape) {
            ("s3:GetObject", "empty") => ("s3:ListBucket", format!("arn:aws:s3:::{bucket}")),
            _ => (action, format!("arn:aws:s3:::{bucket}/{}", kind.example(ANY))),
        };
        let conditions = conditions.iter();
        let context = conditions
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let call = Call {
            principal: &principal,
            action,
            resource: &resource,
            context: &context,
            resource_policy: None,
        };
        iam.authorize(&call).is_ok()
    }

    /// Returns where a role may do something: bucket and pattern of the key.
    fn places(&self, role_arn: &str, action: &str) -> BTreeSet<(String, String)> {
        let role = self
            .plan
            .roles
            .iter()
            .find(|role| role.arn == role_arn)
            .expect("a role");
        let mut resources = self.resolved.resources.values();
        let resource = resources
            .find(|resource| {
                resource.type_name == "AWS::IAM::Role" && role.name.contains(&resource.logical_id)
            })
            .expect("its resource");
        let mut places = BTreeSet::new();
        for policy in list(&resource.properties["Policies"]) {
            for statement in list(&policy["PolicyDocument"]["Statement"]) {
                if list(&statement["Action"]).any(|granted| granted == action) {
                    places.extend(list(&statement["Resource"]).filter_map(|arn| {
                        let path = arn.as_str()?.rsplit(":::").next()?;
                        let (bucket, key) = path.split_once('/')?;
                        Some((bucket.to_owned(), key.to_owned()))
                    }));
                }
            }
        }
        places
    }
}

/// Returns the elements of a list, or the only one where there is none.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.iter(),
        Value::Null => [].iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

fn is_of(parties: &[Party], function: &str) -> bool {
    let is = |party: &Party| matches!(party, Party::Function(name) if *name == function);
    parties.iter().any(is)
}

#[test]
fn who_writes_or_reads_an_object_may_do_so() {
    let shipped = Shipped::new();
    let iam = shipped.iam();
    let may = |function: &str, action: &str, kind: &ObjectKind| {
        let is_written_once = kind.key.starts_with(AUDIT_LOG_FOLDER);
        let conditions: &[(&str, &str)] = if is_written_once { &ONCE } else { &[] };
        shipped.allows(&iam, function, (action, kind), conditions)
    };

    let mut refused = Vec::new();
    for kind in OBJECTS {
        for (parties, action) in [(kind.writers, "s3:PutObject"), (kind.readers, "s3:GetObject")] {
            for party in parties {
                match party {
                    Party::Function(name) if !may(name, action, kind) => {
                        refused.push(format!("{name}: {action} {}", kind.key));
                    }
                    _ => {}
                }
            }
        }
    }

    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn what_operators_did_is_neither_written_over_nor_deleted_by_any_function() {
    let shipped = Shipped::new();
    let iam = shipped.iam();
    let mut kinds = OBJECTS
        .iter()
        .filter(|kind| kind.key.starts_with(AUDIT_LOG_FOLDER));
    let entry = kinds.next().expect("a kind of object");

    let mut may_write = Vec::new();
    for function in shipped.roles().into_keys() {
        let may = |action: &str, conditions: &[(&str, &str)]| {
            shipped.allows(&iam, function, (action, entry), conditions)
        };
        assert!(!may("s3:PutObject", &[]), "{function} writes over entries");
        assert!(!may("s3:DeleteObject", &ONCE), "{function} deletes entries");
        if may("s3:PutObject", &ONCE) {
            may_write.push(function);
        }
    }

    assert_eq!(may_write, ["human-review"]);
}

/// Returns the places where functions may do something and have no object of theirs.
fn places_without_object(action: &str, is_theirs: impl Fn(&ObjectKind, &str) -> bool) -> Vec<String> {
    let shipped = Shipped::new();
    let mut unused = Vec::new();
    for (function, role) in shipped.roles() {
        for (bucket, pattern) in shipped.places(role, action) {
            let has_object = OBJECTS.iter().any(|kind| {
                shipped.bucket(kind.bucket) == bucket
                    && is_theirs(kind, function)
                    && matches(&pattern, &kind.example(ANY))
            });
            if !has_object {
                unused.push(format!("{function}: {bucket}/{pattern}"));
            }
        }
    }
    unused
}

#[test]
fn wherever_a_function_may_write_it_has_an_object() {
    let unused = places_without_object("s3:PutObject", |kind, function| {
        is_of(kind.writers, function) || kind.writers.contains(&Party::Lambda)
    });

    assert_eq!(unused, Vec::<String>::new());
}

#[test]
fn wherever_a_function_may_read_it_has_an_object() {
    let unused = places_without_object("s3:GetObject", |kind, function| is_of(kind.readers, function));

    assert_eq!(unused, Vec::<String>::new());
}

/// Returns whether a key is one of a pattern, whose stars stand for anything.
fn matches(pattern: &str, key: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == key,
        Some((start, rest)) => key.strip_prefix(start).is_some_and(|key| {
            (0..=key.len()).any(|end| key.is_char_boundary(end) && matches(rest, &key[end..]))
        }),
    }
}

#[test]
fn what_expires_is_what_the_lifecycle_rules_say() {
    let shipped = Shipped::new();

    for kind in OBJECTS {
        let name = shipped.bucket(kind.bucket);
        let bucket = shipped.plan.buckets.iter().find(|bucket| bucket.name == name);
        let rules = &bucket.expect("a bucket").expirations;
        let expires = rules.iter().any(|rule| kind.key.starts_with(&rule.prefix));

        let does = matches!(
            kind.lifetime,
            Lifetime::ClaimRetention
                | Lifetime::Day
                | Lifetime::Week
                | Lifetime::Month
                | Lifetime::PredictionRetention
        );
        assert_eq!(expires, does, "{}", kind.key);
    }
}

#[test]
fn what_notes_that_a_link_was_used_outlives_the_link() {
    let shipped = Shipped::new();
    let name = shipped.bucket(BucketName::Review);
    let bucket = shipped.plan.buckets.iter().find(|bucket| bucket.name == name);

    let rules = &bucket.expect("a bucket").expirations;
    let of_links = rules
        .iter()
        .find(|rule| rule.prefix == "human-review/used-sign-in-links/")
        .expect("a rule");

    assert_eq!(of_links.days, 1);
    assert!(i64::from(of_links.days) > SIGN_IN_LINK_LIFETIME.num_days());
    assert!(i64::from(of_links.days) > PENDING_LIFETIME.num_days());
}

/// What texts are in, as objects say of their shape.
const TEXTS: [&str; 14] = [
    "as it was found",
    "FeedbackRecord",
    "HumanLoopInput",
    "HumanLoopOutput",
    "JSON: Answer",
    "JSON: Question",
    "LabelledRecord",
    "RecentTexts",
    "JSON: texts",
    "compressed",
    "remarks",
    "records of failures",
    "line, reason, raw",
    "learnt from texts",
];

#[test]
fn texts_expire_as_the_parameter_says_and_nothing_else_does() {
    let shipped = Shipped::with(&[("TextRetentionDays", "30")]);
    let (before, after) = (Shipped::new(), &shipped);
    let days = |shipped: &Shipped, kind: &ObjectKind| {
        let name = shipped.bucket(kind.bucket).to_owned();
        let bucket = shipped.plan.buckets.iter().find(|bucket| bucket.name == name);
        let key = kind.key.replace("<flow definition>", "text-review-");
        let rules = bucket.expect("a bucket").expirations.clone();
        let of_key = rules.into_iter().filter(|rule| {
            let prefix = rule.prefix.split_inclusive("text-review-").next();
            key.starts_with(prefix.unwrap_or_default())
        });
        of_key.map(|rule| rule.days).min()
    };

    let mut wrong = Vec::new();
    for kind in OBJECTS {
        let holds_texts = TEXTS.iter().any(|text| kind.shape.contains(text));
        let (days_before, days_after) = (days(&before, kind), days(after, kind));
        let expires = days_after.is_some_and(|days| days <= 30);
        let is_right = match holds_texts {
            true => expires && days_before.is_none_or(|days| days > 30 || days_after == Some(days)),
            // Beside them in the same folder: vectors of texts, and what is told of a change of labels. And claims, which say
            // nothing without the question of their text.
            false => {
                days_before == days_after
                    || kind.key.starts_with("backlog/")
                    || expires
                        && ["relabel/", "claims/"]
                            .iter()
                            .any(|folder| kind.key.starts_with(folder))
            }
        };
        if !is_right {
            wrong.push(format!(
                "{} ({}): {days_before:?} {days_after:?}",
                kind.key, kind.shape
            ));
        }
    }

    assert_eq!(wrong, Vec::<String>::new());
}
