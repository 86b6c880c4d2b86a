//! The shipped template: understood whole, and in step with the functions.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_aws::env::ConfigError;
use active_learning_cli::{functions, redrive, run::BUILT_IN};
use local_aws::{
    eventbridge::Pattern,
    iam::{Call, Iam, Principal},
    s3::Versioning,
};
use local_stack::{
    plan::{Plan, Programs, plan},
    problems::{Problems, Refused},
    stack::Stack,
    template,
    template_files::TemplateFiles,
};

/// Plans the shipped template.
fn shipped(arguments: &BTreeMap<String, String>) -> Plan {
    try_shipped(arguments).unwrap_or_else(|refused| panic!("{refused}"))
}

/// Plans the shipped template, or says what of it cannot be had here.
fn try_shipped(arguments: &BTreeMap<String, String>) -> Result<Plan, Refused> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::open(folder.path(), "http://127.0.0.1:4566").expect("a writable folder");
    let programs = Programs {
        executable: "/bin/active-learning".into(),
        names: functions::NAMES,
        check: functions::check,
    };
    let problems = Problems::default();
    let template = include_str!("../../../infra/template.yaml");
    let resolved = template::resolve(template, arguments, &stack, &problems);
    let plan = plan(
        &resolved,
        &stack,
        &programs,
        &TemplateFiles::BuiltIn(BUILT_IN),
        &problems,
    );
    problems.or(plan)
}

/// Arguments of the shipped template for Comprehend and A2I in place of what is built in.
fn managed_services() -> BTreeMap<String, String> {
    BTreeMap::from([
        (
            "ComprehendEndpointArn".to_owned(),
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news".to_owned(),
        ),
        (
            "HumanReviewWorkflowArn".to_owned(),
            "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/news".to_owned(),
        ),
    ])
}

/// Arguments of the shipped template for a model behind a SageMaker endpoint.
fn hosted_model() -> BTreeMap<String, String> {
    BTreeMap::from([("SageMakerEndpointName".to_owned(), "news".to_owned())])
}

/// Returns what the shipped template says to arguments that it refuses.
fn refusal(arguments: &[(&str, &str)]) -> String {
    let arguments = arguments
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    try_shipped(&arguments).expect_err("it is refused").to_string()
}

#[test]
fn a_user_pool_of_cognito_is_refused_by_name_on_one_machine_and_beside_another_provider() {
    let pool = ("CreateUserPool", "true");
    let issuer = ("OidcIssuer", "https://id.example.com");

    let here = refusal(&[pool]);
    let both = refusal(&[pool, issuer]);
    let nameless = refusal(&[issuer]);
    let secret = refusal(&[
        pool,
        ("OidcClientSecretArn", &with_provider()["OidcClientSecretArn"]),
    ]);

    assert!(here.contains("AWS::Cognito::UserPool"), "{here}");
    assert!(both.contains("not both"), "{both}");
    assert!(nameless.contains("OidcClientId"), "{nameless}");
    assert!(secret.contains("Leave OidcClientSecretArn empty"), "{secret}");
    assert!(try_shipped(&with_provider()).is_ok());
}

#[test]
fn a_class_with_a_comma_is_refused_with_the_ways_by_which_it_comes_in() {
    for classes in ["Bills, paid", "Login,\"Bills,paid\""] {
        let name = "ComprehendClassificationCategories".to_owned();
        let refused = try_shipped(&BTreeMap::from([(name, classes.to_owned())]));
        let said = refused.expect_err(classes).to_string();
        for way in [
            "labels add NAME",
            "start --labels",
            "double quotes",
            "training data",
        ] {
            assert!(said.contains(way), "{way}: {said}");
        }
    }
}

/// Arguments of the shipped template that turn on what helps to operate it.
fn operated() -> BTreeMap<String, String> {
    [
        ("AccessLogs", "true"),
        ("CreateAccessLogRole", "true"),
        ("Tracing", "true"),
        ("TrainingBucketVersionDays", "30"),
        ("KeepModelVersions", "3"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[test]
fn what_helps_to_operate_the_stack_on_aws_is_accepted_here_with_a_word() {
    let remarks = shipped(&operated()).remarks;

    assert_eq!(shipped(&BTreeMap::new()).remarks, Vec::<String>::new());
    for word in ["access logs", "X-Ray"] {
        assert!(
            remarks.iter().any(|remark| remark.contains(word)),
            "{word}: {remarks:?}"
        );
    }
    assert_eq!(remarks.len(), 2, "each once: {remarks:?}");
}

#[test]
fn the_training_bucket_keeps_versions_where_a_parameter_says_for_how_long() {
    let of_training = |arguments: &BTreeMap<String, String>| {
        let buckets = shipped(arguments).buckets;
        let kept = buckets.into_iter().filter_map(|bucket| {
            let days = bucket
                .version_expirations
                .iter()
                .filter_map(|rule| rule.noncurrent_days);
            Some((bucket.versioning?, days.collect::<Vec<_>>()))
        });
        kept.collect::<Vec<_>>()
    };

    assert_eq!(of_training(&BTreeMap::new()), []);
    assert_eq!(of_training(&operated()), [(Versioning::Enabled, vec![30])]);
}

#[test]
fn the_built_in_classifier_has_the_memory_of_its_encoder_and_the_time_of_a_training() {
    for (encoder, megabytes) in [("built-in", 2_048), ("none", 2_048), ("s3", 3_008)] {
        let encoder = BTreeMap::from([("TextEncoder".to_owned(), encoder.to_owned())]);

        let functions = shipped(&encoder).functions;

        let classifier = functions
            .iter()
            .find(|function| function.command[2] == "text-classifier")
            .expect("it is built in");
        assert_eq!(
            (classifier.memory_megabytes, classifier.timeout_seconds),
            (megabytes, 900),
            "{encoder:?}"
        );
    }
}

#[test]
fn only_a_stack_that_is_traced_may_send_traces() {
    let roles_that_trace = |arguments: &BTreeMap<String, String>| {
        let roles = shipped(arguments).roles.into_iter();
        let policies = roles.filter(|role| role.policies.iter().any(|it| it.to_string().contains("xray:")));
        policies.count()
    };

    assert_eq!(roles_that_trace(&BTreeMap::new()), 0);
    assert_eq!(
        roles_that_trace(&operated()),
        10,
        "nine functions and the state machine"
    );
}

/// Returns what the build of models may list and delete at Comprehend, with so many versions to keep.
fn rights_to_delete_models(keep: &str) -> Vec<String> {
    let mut arguments = managed_services();
    arguments.insert("KeepModelVersions".to_owned(), keep.to_owned());
    let roles = shipped(&arguments).roles;
    let role = roles
        .iter()
        .find(|role| role.name.contains("ModelBuildingFunctionRole"));

    let policies = &role.expect("the role").policies;
    let statements = policies
        .iter()
        .filter_map(|policy| policy["Statement"].as_array());
    let wanted = statements.flatten().filter(|statement| {
        let action = &statement["Action"];
        action == "comprehend:DeleteDocumentClassifier" || action == "comprehend:ListDocumentClassifiers"
    });
    wanted
        .map(|statement| statement["Resource"].to_string())
        .collect()
}

#[test]
fn models_of_comprehend_may_be_deleted_only_where_a_parameter_says_so_and_only_those_of_the_stack() {
    let none = rights_to_delete_models("0");
    let some = rights_to_delete_models("3");

    assert_eq!(none, Vec::<String>::new());
    let [list, delete] = &some[..] else {
        panic!("{some:?}");
    };
    assert_eq!(list, "\"*\"");
    assert!(
        delete.contains(":document-classifier/active-learning-"),
        "{delete}"
    );
}

#[test]
fn access_logs_have_nothing_of_a_person_and_nothing_that_was_sent() {
    let template = include_str!("../../../infra/template.yaml");
    let formats: Vec<&str> = (template.lines())
        .filter_map(|line| line.trim().strip_prefix("Format: '"))
        .collect();

    assert_eq!(formats.len(), 3, "{formats:?}");
    for format in formats {
        let format: BTreeMap<String, String> =
            serde_json::from_str(format.trim_end_matches('\'')).expect("a line of JSON");
        for value in format.values() {
            let personal = [
                "sourceIp",
                "userAgent",
                "$context.path",
                "apiKey}",
                "querystring",
                "message",
                "caller",
            ];
            assert!(!personal.iter().any(|it| value.contains(it)), "{value}");
        }
    }
}

#[test]
fn networks_that_are_none_are_refused_by_parameter_and_value() {
    for networks in [
        "300.0.0.0/8",
        "10.0.0.0/33",
        "10.0.0.0/8,localhost",
        "2001:db8::/129",
        "1::2::3",
        "1:2:3",
        "1:2:3:4:5:6:7:8:9",
        "::256.0.0.1",
        "10.0.0.1 10.0.0.2",
        &["10.0.0.0/8"; 11].join(","),
    ] {
        let said = refusal(&[("AllowedReviewNetworks", networks)]);

        assert!(
            said.contains("Parameter 'AllowedReviewNetworks' failed to satisfy constraint")
                && said.contains(networks.rsplit(',').next().expect("a network")),
            "{networks}: {said}"
        );
    }
    for networks in [
        "",
        "10.0.0.1",
        "10.0.0.0/8, 192.168.0.0/16 ,255.255.255.255/32,",
        "2001:db8::/32",
        "::1,::ffff:10.0.0.0/104",
        "1:2:3:4:5:6:7::,1::8/64,1:2:3:4:5:6:10.0.0.1",
        &["2001:db8::/32"; 10].join(","),
    ] {
        assert!(
            networks
                .parse::<human_review::networks::AllowedNetworks>()
                .is_ok()
        );
        let arguments = [("AllowedReviewNetworks".to_owned(), networks.to_owned())].into();
        assert!(
            try_shipped(&arguments).is_ok(),
            "{networks}: {:?}",
            try_shipped(&arguments)
        );
    }
}

/// Arguments of the shipped template for a provider that signs reviewers in.
fn with_provider() -> BTreeMap<String, String> {
    let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:oidc-AbCdEf";
    [
        ("OidcIssuer", "https://id.example.com/realms/a"),
        ("OidcClientId", "portal"),
        ("OidcClientSecretArn", secret),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[test]
fn a_hosted_model_excludes_comprehend_promises_and_half_a_pair_of_paths() {
    let endpoint = ("SageMakerEndpointName", "news");
    let arn = &managed_services()["ComprehendEndpointArn"];

    let both = refusal(&[endpoint, ("ComprehendEndpointArn", arn)]);
    let promises = refusal(&[endpoint, ("AutomatedLabellingAccuracy", "0.95")]);
    let half = refusal(&[endpoint, ("SageMakerLabelPath", "$[0].label")]);

    assert!(both.contains("not both"), "{both}");
    assert!(
        promises.contains("AutomatedLabellingAccuracy must be 0"),
        "{promises}"
    );
    assert!(
        half.contains("SageMakerLabelPath and SageMakerScorePath"),
        "{half}"
    );
}

#[test]
fn the_shipped_template_is_understood_with_its_defaults_and_with_managed_services() {
    for (arguments, built_in) in [(BTreeMap::new(), 2), (managed_services(), 0), (hosted_model(), 1)] {
        let plan = shipped(&arguments);

        assert_eq!(plan.signing_names.len(), built_in);
    }
}

#[test]
fn every_function_of_the_shipped_template_reads_all_of_its_environment_and_lacks_nothing() {
    let mut functions = BTreeSet::new();
    for arguments in [
        BTreeMap::new(),
        managed_services(),
        hosted_model(),
        with_provider(),
    ] {
        for function in shipped(&arguments).functions {
            let name = function.command[2].to_str().expect("a name").to_owned();
            assert_eq!(
                functions::configure(&name, &function.environment),
                Ok(()),
                "{name}"
            );
            for variable in function.environment.keys() {
                let mut without = function.environment.clone();
                without.remove(variable);

                let outcome = functions::configure(&name, &without);

                let missing = Err(ConfigError::Missing(variable.clone()));
                assert_eq!(outcome, missing, "{name} does not read {variable}");
            }
            functions.insert(name);
        }
    }
    assert!(functions.iter().eq(functions::NAMES), "{functions:?}");
}

#[test]
fn the_portal_takes_what_the_template_sets_for_a_user_pool_of_the_stack() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::open(folder.path(), "http://127.0.0.1:4566").expect("a writable folder");
    let problems = Problems::default();
    let arguments = BTreeMap::from([("CreateUserPool".to_owned(), "true".to_owned())]);
    let template = include_str!("../../../infra/template.yaml");
    let resolved = template::resolve(template, &arguments, &stack, &problems);
    let resolved = problems
        .or(resolved)
        .unwrap_or_else(|refused| panic!("{refused}"));
    let function = &resolved.resources["HumanReviewFunction"];
    let variables = function.properties["Environment"]["Variables"].as_object();
    let mut environment: BTreeMap<String, String> = (variables.expect("variables").iter())
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();

    let taken = functions::configure("human-review", &environment);
    let set = ["OIDC_GROUPS_CLAIM", "OIDC_ADMIN_GROUP", "OIDC_REVIEWER_GROUP"]
        .map(|name| environment[name].clone());
    let issuer = environment["OIDC_ISSUER"].clone();
    environment.insert("OIDC_CLIENT_ID".to_owned(), String::new());
    let without_client = functions::configure("human-review", &environment);

    assert_eq!(taken, Ok(()));
    assert_eq!(set, ["cognito:groups", "admins", "reviewers"]);
    assert!(
        issuer.starts_with("https://cognito-idp.us-east-1.amazonaws.com/"),
        "{issuer}"
    );
    assert!(without_client.is_err(), "an issuer needs a client");
}

#[test]
fn what_the_shipped_schedules_call_for_is_known_to_come_again() {
    let schedules = shipped(&BTreeMap::new()).schedules;

    let operations: BTreeSet<String> = schedules
        .iter()
        .map(|schedule| {
            let input: serde_json::Value =
                serde_json::from_str(schedule.input.as_deref().expect("an input")).expect("JSON");
            input["operation"].as_str().expect("an operation").to_owned()
        })
        .collect();

    assert!(operations.iter().eq(&redrive::SCHEDULED), "{operations:?}");
}

#[test]
fn who_starts_human_loops_reaches_the_review_service_by_its_url_and_cannot_make_sign_in_links() {
    let plan = shipped(&BTreeMap::new());
    let role = plan
        .roles
        .iter()
        .find(|role| role.name.contains("A2iTriggerFunctionRole"))
        .expect("the role of a2i-trigger");
    let function = plan
        .functions
        .iter()
        .find(|function| function.name.contains("HumanReviewFunction"))
        .expect("the review service");
    let iam = Iam::new("us-east-1");
    iam.put_role(role.clone()).expect("the policy is implemented");
    let principal = Principal::Role {
        arn: role.arn.clone(),
    };
    let resource = format!("arn:aws:lambda:us-east-1:000000000000:function:{}", function.name);
    let may_invoke = |context: &[(&str, &str)]| {
        let context = context
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let call = Call {
            principal: &principal,
            action: "lambda:InvokeFunction",
            resource: &resource,
            context: &context,
            resource_policy: None,
        };
        iam.authorize(&call).is_ok()
    };

    assert!(may_invoke(&[("lambda:InvokedViaFunctionUrl", "true")]));
    assert!(!may_invoke(&[]));
}

/// Returns the resources of a type of the shipped template, by their logical ids.
fn resources(type_name: &str) -> BTreeMap<String, serde_json::Value> {
    resources_with(type_name, &BTreeMap::new())
}

fn resources_with(
    type_name: &str,
    arguments: &BTreeMap<String, String>,
) -> BTreeMap<String, serde_json::Value> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::open(folder.path(), "http://127.0.0.1:4566").expect("a writable folder");
    let template = include_str!("../../../infra/template.yaml");
    let resolved = template::resolve(template, arguments, &stack, &Problems::default());
    let resources = resolved.resources.into_values();
    resources
        .filter(|resource| resource.type_name == type_name)
        .map(|resource| (resource.logical_id, resource.properties.into()))
        .collect()
}

#[test]
fn reviewers_are_told_by_mail_where_an_address_is_given_and_the_review_service_is_built_in() {
    let address = ("ReviewersEmail".to_owned(), "reviewers@example.com".to_owned());
    let mut managed = managed_services();
    managed.extend([address.clone()]);
    let subscriptions =
        |arguments: &BTreeMap<String, String>| resources_with("AWS::SNS::Subscription", arguments);

    let told = subscriptions(&BTreeMap::from([address]));

    let [subscription] = told.values().collect::<Vec<_>>()[..] else {
        panic!("one subscription: {told:?}");
    };
    assert_eq!(subscription["Protocol"], "email");
    assert_eq!(subscription["Endpoint"], "reviewers@example.com");
    let topic = subscription["TopicArn"].as_str().expect("an ARN");
    assert!(topic.contains(":sns:"), "{topic}");
    assert!(subscriptions(&BTreeMap::new()).is_empty() && subscriptions(&managed).is_empty());
}

/// Returns the source of a function's crate.
fn source_of(function: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.join(function).join("src")];
    let mut source = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => source += &std::fs::read_to_string(path).expect("text"),
            }
        }
    }
    source
}

/// Returns on which bus label-collection hears that human loops have ended, and of which of these events.
fn told(arguments: &BTreeMap<String, String>, events: &[&serde_json::Value]) -> (String, Vec<bool>) {
    let plan = shipped(arguments);
    let rule = plan
        .rules
        .iter()
        .find(|rule| rule.targets.contains_key("label-collection"));
    let rule = rule.expect("a rule");
    let pattern = Pattern::parse(&rule.pattern).expect("a pattern");
    let are_told = events.iter().map(|event| pattern.matches(event)).collect();
    (rule.bus.clone(), are_told)
}

#[test]
fn with_amazon_a2i_failed_and_stopped_loops_of_its_flow_definition_are_told_by_the_default_bus() {
    let stopped = include_str!("../../../events/label-collection/human-loop-status-change.json");
    let stopped: serde_json::Value = serde_json::from_str(stopped).expect("JSON");
    let with = |field: &str, value: &str| {
        let mut event = stopped.clone();
        event["detail"][field] = value.into();
        event
    };
    let failed = with("humanLoopStatus", "Failed");
    let completed = with("humanLoopStatus", "Completed");
    let flow = stopped["detail"]["flowDefinitionArn"]
        .as_str()
        .expect("an ARN")
        .to_owned();
    let of_another = with("flowDefinitionArn", &format!("{flow}-2"));
    let events = [&stopped, &failed, &completed, &of_another];
    let mut managed = managed_services();
    managed.insert("HumanReviewWorkflowArn".to_owned(), flow);

    let (bus, are_told) = told(&managed, &events);
    let (own_bus, none) = told(&BTreeMap::new(), &events);

    assert_eq!(
        (bus.as_str(), are_told),
        ("default", vec![true, true, false, false])
    );
    assert!(own_bus.starts_with("active-learning-"), "{own_bus}");
    assert_eq!(none, [false; 4], "the built-in service is another source");
}

#[test]
fn every_alarm_on_a_metric_of_ours_names_one_that_its_function_counts_and_tells_the_topic() {
    let alarms = resources("AWS::CloudWatch::Alarm");

    let mut ours = 0;
    for (name, alarm) in &alarms {
        assert!(
            alarm["AlarmActions"][0]
                .as_str()
                .is_some_and(|arn| arn.contains(":sns:")),
            "{name}"
        );
        if alarm["Namespace"] == "ActiveLearning" {
            ours += 1;
            let function = alarm["Dimensions"][0]["Value"].as_str().expect("a function");
            let metric = alarm["MetricName"].as_str().expect("a metric");
            assert!(
                source_of(function).contains(&format!("\"{metric}\"")),
                "{name}: {metric}"
            );
        }
    }
    assert_eq!((alarms.len(), ours), (11, 8));
}

#[test]
fn the_dashboard_is_json_and_shows_metrics_that_functions_count() {
    let dashboards = resources("AWS::CloudWatch::Dashboard");
    let body = dashboards["Dashboard"]["DashboardBody"].as_str().expect("a text");

    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");

    let widgets = body["widgets"].as_array().expect("widgets");
    for widget in widgets {
        let metrics = widget["properties"]["metrics"].as_array().expect("metrics");
        if metrics[0][0] == "ActiveLearning" {
            let source = source_of(metrics[0][3].as_str().expect("a function"));
            for metric in metrics {
                let name = metric[1].as_str().expect("a metric");
                assert!(source.contains(&format!("\"{name}\"")), "{name}");
            }
        }
    }
    assert_eq!(widgets.len(), 8);
    let errors = widgets.last().expect("a widget")["properties"]["metrics"].as_array();
    let functions = errors.expect("metrics").iter();
    let functions: BTreeSet<&str> = functions
        .filter_map(|metric| metric.as_array()?.last()?.as_str())
        .collect();
    assert_eq!(
        functions.len(),
        resources("AWS::Lambda::Function").len(),
        "each function once: {functions:?}"
    );
    let all = body.to_string();
    for metric in ["Submitted", "Skipped", "LeaseLost", "DamagedObjects"] {
        assert!(all.contains(&format!("\"{metric}\"")), "{metric}");
    }
}

/// Returns whether YAML reads a value as a number or a boolean.
fn is_no_text(value: &str) -> bool {
    value.parse::<f64>().is_ok() || ["true", "false", "yes", "no", "on", "off"].contains(&value)
}

#[test]
fn numbers_and_booleans_in_environments_and_conditions_are_quoted() {
    let template = include_str!("../../../infra/template.yaml");
    let mut unquoted = Vec::new();
    for (number, line) in template.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let (name, value) = line.split_once(": ").unwrap_or_default();
        let is_variable = name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let is_condition = ["Bool", "StringEquals", "NumericEquals", "Null"].contains(&name);
        let value = value.trim_matches(|c| "{}".contains(c)).trim();
        let value = if is_condition {
            value.rsplit(": ").next().unwrap_or(value)
        } else {
            value
        };
        let operands = line
            .split_once("!Equals [")
            .map(|(_, rest)| rest.split(']').next().unwrap_or(rest));
        let operands = operands.into_iter().flat_map(|operands| operands.split(','));
        if (is_variable || is_condition) && is_no_text(value) || operands.map(str::trim).any(is_no_text) {
            unquoted.push(number + 1);
        }
    }

    assert!(
        template.contains("Bool: { aws:SecureTransport: 'false' }"),
        "the test looks for conditions"
    );
    assert!(unquoted.is_empty(), "lines {unquoted:?}");
}
