use std::collections::BTreeMap;

use local_aws::{
    apigateway::{Integration, Period, Quota, Throttle},
    eventbridge::{
        ApiDestinationSpec, HttpParameters, InputTransformer, RetryPolicy, TargetSpec, api_destination_arn,
    },
    s3::{Expiration, FunctionNotification, VersionExpiration, Versioning},
    scheduler::ScheduleSpec,
};
use serde_json::json;

use super::*;
use crate::{problems::Refused, template};

/// A small stack with one of everything, in the order of the data.
const TEMPLATE: &str = include_str!("one_of_everything.yaml");

fn plan_of(template: &str) -> Result<Plan, Refused> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::open(folder.path(), "http://127.0.0.1:4566").expect("a writable folder");
    let programs = Programs {
        executable: "/bin/local-stack".into(),
        names: &["classify", "feedback-api"],
        check: |_, environment| match environment.get("RATE").map(String::as_str) {
            Some("never") => Err(WrongVariable {
                name: "RATE".to_owned(),
                reason: "`never` is no rate".to_owned(),
            }),
            _ => Ok(()),
        },
    };
    let problems = Problems::default();
    let resolved = template::resolve(template, &BTreeMap::new(), &stack, &problems);
    let files = TemplateFiles::Folder(folder.path().to_owned());
    let plan = plan(&resolved, &stack, &programs, &files, &problems);
    problems.or(plan)
}

/// The problems of the template with one text in it replaced by another.
fn problems_with(old: &str, new: &str) -> Vec<String> {
    assert!(TEMPLATE.contains(old), "{old} is in the template");
    let refused = plan_of(&TEMPLATE.replacen(old, new, 1)).expect_err("the template is refused");
    refused.0.iter().map(ToString::to_string).collect()
}

#[test]
fn storage_and_delivery_are_planned() {
    let plan = plan_of(TEMPLATE).expect("the template is sound");

    let [target, upload] = plan.buckets.as_slice() else {
        panic!("two buckets: {:?}", plan.buckets);
    };
    assert_eq!(target.policy, Some(json!({"Statement": []})));
    let expiration = Expiration {
        prefix: "feedback/".to_owned(),
        days: 90,
    };
    assert_eq!(target.expirations, [expiration]);
    assert_eq!(upload.name, "upload-000000000000");
    let notification = FunctionNotification {
        event: "s3:ObjectCreated:*".to_owned(),
        function_arn: function_arn(&plan),
        prefix: "in/".to_owned(),
        suffix: ".json".to_owned(),
    };
    assert_eq!(upload.notifications, [notification]);
    let stream = &plan.delivery_streams[0];
    assert_eq!(stream.bucket_arn, format!("arn:aws:s3:::{}", target.name));
    assert_eq!(stream.prefix, "feedback/!{timestamp:yyyy/MM/dd/HH}/");
    assert_eq!((stream.buffer_seconds, stream.buffer_mebibytes), (60, 1));
    assert!(stream.gzip);
    assert_eq!(stream.delimiter.as_deref(), Some("\n"));
    assert_eq!(plan.secrets[0].generate.length, 64);
    assert!(plan.secrets[0].name.starts_with("local-Secret-"));
}

#[test]
fn functions_are_planned() {
    let plan = plan_of(TEMPLATE).expect("the template is sound");

    let function = &plan.functions[0];
    assert_eq!(function.command, ["/bin/local-stack", "lambda", "classify"]);
    assert_eq!(function.role_arn, plan.roles[0].arn);
    assert_eq!(function.environment["STREAM"], plan.delivery_streams[0].name);
    assert_eq!(function.environment["RATE"], "0.10");
    assert_eq!((function.timeout_seconds, function.memory_megabytes), (30, 256));
    assert_eq!(function.reserved_concurrency, Some(2));
    assert!(function.json_logs);
    let [group] = plan.log_groups.as_slice() else {
        panic!("{:?}", plan.log_groups);
    };
    assert_eq!(
        (group.retention_days, &group.functions),
        (Some(30), &vec![function.name.clone()])
    );
    assert!(group.name.starts_with("local-FunctionLogs-"), "{}", group.name);
    let retries = &plan.event_invokes[0];
    assert_eq!(retries.function_name, function.name);
    assert_eq!(retries.maximum_retry_attempts, 1);
    assert_eq!(retries.maximum_event_age_seconds, 21_600);
    assert!(
        retries
            .on_failure_arn
            .as_ref()
            .is_some_and(|arn| arn.starts_with("arn:aws:s3:::"))
    );
    assert_eq!(plan.permissions[0].function_name, function.name);
    let url = &plan.function_urls[0];
    assert_eq!(url.function_name, function.name);
    assert!(url.iam_auth);
    assert_eq!(plan.signing_names, [("comprehend".to_owned(), url.id.clone())]);
}

#[test]
fn a_state_machine_its_schedule_and_topic_are_planned() {
    let plan = plan_of(TEMPLATE).expect("the template is sound");

    let machine = &plan.state_machines[0];
    assert_eq!(
        (machine.name.as_str(), &machine.role_arn),
        ("build", &plan.roles[0].arn)
    );
    let definition: serde_json::Value = serde_json::from_str(&machine.definition).expect("JSON");
    let train = json!({"Type": "Task", "Resource": function_arn(&plan), "TimeoutSeconds": 900, "End": true});
    assert_eq!(definition["States"]["Train"], train);
    let sweep = ScheduleSpec {
        name: "sweep".to_owned(),
        expression: "rate(5 minutes)".to_owned(),
        enabled: false,
        target_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:build".to_owned(),
        role_arn: plan.roles[0].arn.clone(),
        input: Some(r#"{"operation": "sweep"}"#.to_owned()),
    };
    assert_eq!(plan.schedules, [sweep]);
    assert_eq!(plan.topics[0].name, "news");
}

#[test]
fn a_rule_is_planned_with_its_bus_pattern_and_targets() {
    let plan = plan_of(TEMPLATE).expect("the template is sound");

    assert_eq!(plan.event_buses[0].name, "told");
    let rule = &plan.rules[0];
    assert_eq!((rule.bus.as_str(), rule.enabled), ("told", false));
    assert!(rule.name.starts_with("local-Rule-"), "{}", rule.name);
    let pattern: serde_json::Value = serde_json::from_str(&rule.pattern).expect("JSON");
    assert_eq!(
        pattern,
        json!({"source": ["mine"], "detail": {"votes": [{"numeric": [">", 1]}]}})
    );
    let target = |input_path: Option<&str>| TargetSpec {
        arn: function_arn(&plan),
        input_path: input_path.map(str::to_owned),
        retry: RetryPolicy {
            maximum_retry_attempts: if input_path.is_some() { 185 } else { 2 },
            ..RetryPolicy::default()
        },
        ..TargetSpec::default()
    };
    let destination = &plan.api_destinations[0];
    let endpoint = TargetSpec {
        arn: api_destination_arn("us-east-1", &destination.name),
        input_transformer: Some(InputTransformer {
            input_paths_map: [("votes".to_owned(), "$.detail.votes".to_owned())].into(),
            input_template: r#"{"votes": <votes>}"#.to_owned(),
        }),
        role_arn: Some(plan.roles[0].arn.clone()),
        http: HttpParameters {
            path_parameter_values: vec!["$.detail.id".to_owned()],
            query_string_parameters: [("a".to_owned(), "b".to_owned())].into(),
            ..HttpParameters::default()
        },
        retry: RetryPolicy {
            maximum_retry_attempts: 3,
            ..RetryPolicy::default()
        },
        ..TargetSpec::default()
    };
    let targets = [
        ("endpoint", endpoint),
        ("part", target(Some("$.detail"))),
        ("whole", target(None)),
    ];
    assert_eq!(
        rule.targets,
        targets.map(|(id, target)| (id.to_owned(), target)).into()
    );
}

#[test]
fn an_api_destination_is_planned_with_its_connection() {
    let plan = plan_of(TEMPLATE).expect("the template is sound");

    let connection = &plan.connections[0];
    let basic = connection.auth_parameters.basic_auth_parameters.as_ref();
    assert_eq!(basic.map(|basic| basic.password.as_str()), Some("secret"));
    assert!(!format!("{connection:?}").contains("secret"));
    let expected = ApiDestinationSpec {
        name: plan.api_destinations[0].name.clone(),
        description: None,
        connection_arn: local_aws::eventbridge::connection_arn("us-east-1", &connection.name),
        invocation_endpoint: "https://example.com/items/*".to_owned(),
        http_method: "PUT".to_owned(),
        rate_limit: Some(5),
    };
    assert_eq!(plan.api_destinations, [expected]);
    let refused = problems_with(
        "AuthorizationType: BASIC",
        "AuthorizationType: OAUTH_CLIENT_CREDENTIALS",
    );
    assert!(
        refused[0].contains("`OAUTH_CLIENT_CREDENTIALS` is not supported"),
        "{refused:?}"
    );
}

#[test]
fn an_api_is_planned_with_its_plan_and_key() {
    let plan = plan_of(TEMPLATE).expect("the template is sound");

    let api = &plan.rest_apis[0];
    assert_eq!((api.name.as_str(), api.stage.as_str()), ("classification", "dev"));
    assert_eq!(
        api.throttle,
        Some(Throttle {
            rate: 50.0,
            burst: 100
        })
    );
    let [post, preflight] = api.methods.as_slice() else {
        panic!("two methods: {:?}", api.methods);
    };
    assert_eq!(
        (post.path.as_str(), post.http_method.as_str()),
        ("/items/{id}", "POST")
    );
    assert!(post.api_key_required && post.validate_body);
    assert_eq!(
        post.request_models["application/json"]["properties"]["sentence"]["minLength"],
        1
    );
    assert!(
        post.required_parameters.is_empty(),
        "the validator checks the body only"
    );
    let proxy = Integration::LambdaProxy {
        function_arn: function_arn(&plan),
        timeout_ms: 5_000,
    };
    assert_eq!(post.integration, proxy);
    let allow_origin = BTreeMap::from([("Access-Control-Allow-Origin".to_owned(), "*".to_owned())]);
    let mock = Integration::Mock {
        status: 204,
        headers: allow_origin.clone(),
    };
    assert_eq!(preflight.integration, mock);
    assert_eq!(api.gateway_responses["DEFAULT_4XX"].headers, allow_origin);
    let usage_plan = &plan.usage_plans[0];
    assert_eq!(usage_plan.stages, [(api.id.clone(), "dev".to_owned())]);
    assert_eq!(usage_plan.key_ids, [plan.api_keys[0].id.clone()]);
    let quota = Quota {
        limit: 2_000,
        period: Period::Month,
    };
    assert_eq!(usage_plan.quota, Some(quota));
    assert_eq!(plan.api_keys[0].value.len(), 40);
    assert!(plan.api_keys[0].enabled);
}

#[test]
fn what_is_not_understood_is_refused_by_its_path() {
    for (old, new, expected) in [
        (
            "Type: AWS::CloudWatch::Alarm",
            "Type: AWS::SQS::Queue",
            "Resources.Alarm.Type: AWS::SQS::Queue is not supported by local-stack",
        ),
        (
            "Timeout: 30",
            "Layers: [a]",
            "Resources.Function.Properties.Layers: the property is not supported by local-stack",
        ),
        (
            "Timeout: 30",
            "Timeout: 901",
            "Resources.Function.Properties.Timeout: must be a number from 1 to 900",
        ),
        (
            "Runtime: provided.al2023",
            "Runtime: python3.13",
            "Resources.Function.Properties.Runtime: `python3.13` is not supported by local-stack, only provided.al2023, provided.al2",
        ),
        (
            "classify/bootstrap.zip",
            "unknown.zip",
            "Resources.Function.Properties.Code: `../target/lambda/unknown.zip` names none of the functions in this program (classify, feedback-api), nor a program beside the template, or a folder with one that is called bootstrap",
        ),
        (
            "Variables: { STREAM: !Ref Stream, RATE: 0.10 }",
            "Variables: { STREAM: [a] }",
            "Resources.Function.Properties.Environment.Variables: must be an object of texts",
        ),
        (
            "BucketName: !Sub 'upload-${AWS::AccountId}'",
            "BucketName: Upload",
            "Resources.Upload.Properties.BucketName: Bucket name must be 3 to 63 lower-case letters, digits, dots and hyphens",
        ),
        (
            "ExpirationInDays: 90",
            "ExpirationInDays: 90, TagFilters: []",
            "Resources.Target.Properties.LifecycleConfiguration.Rules.0.TagFilters: the property is not supported by local-stack",
        ),
        (
            "Bucket: !Ref Target",
            "Bucket: other",
            "Resources.TargetPolicy.Properties.Bucket: the bucket other is not in this stack",
        ),
        (
            "      Policies:",
            "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:",
            "Resources.Role.Properties.ManagedPolicyArns: managed policies are not supported by local-stack; write inline policies",
        ),
        (
            "Quota: { Limit: 2000, Period: MONTH }",
            "Quota: { Limit: 2000, Period: YEAR }",
            "Resources.Plan.Properties.Quota.Period: must be DAY, WEEK or MONTH",
        ),
        (
            "Stage: !Ref Stage }]",
            "Stage: dev }]",
            "Resources.Plan.Properties.ApiStages: API Stage not found: ",
        ),
        (
            "{ method.response.header.Access-Control-Allow-Origin: \"'*'\" }",
            "{ method.response.header.Access-Control-Allow-Origin: method.request.header.Origin }",
            "Resources.Preflight.Properties.Integration.IntegrationResponses.0.ResponseParameters: method.response.header.Access-Control-Allow-Origin must be a header and its value a constant in single quotes",
        ),
        (
            "RequestModels: { application/json: !Ref Request }",
            "RequestModels: { application/json: Other }",
            "Resources.PostItem.Properties.RequestModels: the model Other is not one of its API",
        ),
        (
            "Type: AWS::ApiGateway::Stage",
            "Type: AWS::Logs::LogGroup",
            "Resources.Api: an API has one AWS::ApiGateway::Stage in local-stack, this one has 0",
        ),
        (
            "DisplayName: News",
            "Subscription: [{ Protocol: email, Endpoint: a@example.com }]",
            "Resources.Topic.Properties.Subscription: the property is not supported by local-stack",
        ),
        (
            "Resource: '${FunctionArn}'",
            "Resource: 'arn:aws:states:::aws-sdk:s3:getObject'",
            "Resources.Machine.Properties.Definition: state Train: the resource arn:aws:states:::aws-sdk:s3:getObject is not supported",
        ),
        (
            "Resource: '${FunctionArn}'",
            "Resource: '${Other}'",
            "Resources.Machine.Properties.Definition: ${Other} is not among the DefinitionSubstitutions",
        ),
        (
            "StateMachineType: STANDARD",
            "StateMachineType: EXPRESS",
            "Resources.Machine.Properties.StateMachineType: `EXPRESS` is not supported by local-stack, only STANDARD",
        ),
        (
            "StateMachineType: STANDARD",
            "DefinitionS3Location: none.asl.json",
            "Resources.Machine.Properties.Definition: give one of Definition, DefinitionString and DefinitionS3Location",
        ),
        (
            "{ Mode: 'OFF' }",
            "{ Mode: FLEXIBLE, MaximumWindowInMinutes: 5 }",
            "Resources.Sweep.Properties.FlexibleTimeWindow.Mode: `FLEXIBLE` is not supported by local-stack, only OFF",
        ),
        (
            "ServesSigningName: comprehend",
            "Serves: comprehend",
            "Resources.Url.Metadata.LocalStack: must be one ServesSigningName",
        ),
    ] {
        let problems = problems_with(old, new);

        let found = problems.iter().any(|problem| problem.starts_with(expected));
        assert!(found, "{expected}\nnot among\n{}", problems.join("\n"));
    }
}

#[test]
fn a_definition_in_a_file_that_is_not_there_is_refused() {
    let (start, end) = (TEMPLATE.find("      Definition:\n"), TEMPLATE.find("  Sweep:\n"));
    let definition = &TEMPLATE[start.expect("it is there")..end.expect("it is there")];
    for (location, expected) in [
        ("none.asl.json", "none.asl.json: No such file or directory"),
        (
            "{ Bucket: b, Key: k }",
            "DefinitionS3Location: must be a path relative to the template",
        ),
    ] {
        let problems = problems_with(definition, &format!("      DefinitionS3Location: {location}\n"));

        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}");
    }
}

#[test]
fn a_deployment_that_may_lack_methods_is_refused() {
    assert_eq!(
        problems_with(
            "DependsOn: [PostItem, Preflight, Default4xx]",
            "DependsOn: Preflight"
        ),
        [
            "Resources.Deployment.DependsOn: the deployment does not depend on [PostItem, Default4xx]: on AWS it may be made before them and lack them"
        ]
    );
}

#[test]
fn a_notification_without_a_permission_before_it_is_refused() {
    for (old, new) in [
        ("    DependsOn: MayUpload\n", ""),
        ("Principal: s3.amazonaws.com", "Principal: sns.amazonaws.com"),
        ("arn:aws:s3:::upload-${AWS::AccountId}", "arn:aws:s3:::other"),
        (
            "SourceAccount: !Ref AWS::AccountId",
            "SourceAccount: 123456789012",
        ),
        (
            "Action: lambda:InvokeFunction",
            "Action: lambda:InvokeFunctionUrl",
        ),
    ] {
        let problems = problems_with(old, new);

        assert_eq!(problems.len(), 1, "{problems:?}");
        let expected = "Resources.Upload.Properties.NotificationConfiguration: Unable to validate the following destination configurations";
        assert!(problems[0].starts_with(expected), "{problems:?}");
    }
}

#[test]
fn problems_of_different_resources_are_reported_together_and_cause_no_others() {
    let template = TEMPLATE
        .replacen("Timeout: 30", "Timeout: !Ref Nowhere", 1)
        .replacen("Threshold: 1", "Threshold: !GetAtt Nowhere.Arn", 1)
        .replacen("Limit: 2000", "Limit: 0", 1);

    let refused = plan_of(&template).expect_err("the template is refused");

    let paths: Vec<_> = refused.0.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "Resources.Alarm.Properties.Threshold.Fn::GetAtt",
            "Resources.Function.Properties.Timeout.Ref",
            "Resources.Plan.Properties.Quota.Limit",
        ]
    );
}

fn function_arn(plan: &Plan) -> String {
    let name = &plan.functions[0].name;
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
}

#[test]
fn a_value_that_a_function_cannot_use_is_refused_by_its_parameter_or_where_it_stands() {
    let with_parameter = format!("Parameters: {{ Rate: {{ Type: String, Default: never }} }}\n{TEMPLATE}");
    let with_parameter = with_parameter.replacen("RATE: 0.10", "RATE: !Ref Rate", 1);

    let of_parameter = plan_of(&with_parameter).expect_err("no function takes it");
    let written = problems_with("RATE: 0.10", "RATE: never");

    assert_eq!(
        of_parameter.0[0].to_string(),
        "Parameter 'Rate' failed to satisfy constraint: `never` is no rate"
    );
    assert_eq!(
        written,
        ["Resources.Function.Properties.Environment.Variables.RATE: `never` is no rate"]
    );
}

#[test]
fn a_value_that_the_template_refuses_is_not_refused_again_by_the_functions_that_read_it() {
    let with_parameter = format!("Parameters: {{ Rate: {{ Type: Number, Default: never }} }}\n{TEMPLATE}");
    let with_parameter = with_parameter.replacen("RATE: 0.10", "RATE: !Ref Rate", 1);

    let refused = plan_of(&with_parameter).expect_err("no number");

    let said: Vec<String> = refused.0.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["Parameter 'Rate' must be a number, got `never`"]);
}

#[test]
fn what_has_no_effect_on_one_machine_is_said_once_each() {
    let quiet = plan_of(TEMPLATE).expect("the template is sound");
    let traced = TEMPLATE.replacen(
        "      Timeout: 30\n",
        "      Timeout: 30\n      TracingConfig: { Mode: Active }\n",
        1,
    );

    let plan = plan_of(&traced).expect("it is accepted");

    assert_eq!(quiet.remarks, Vec::<String>::new());
    let [tracing] = &plan.remarks[..] else {
        panic!("{:?}", plan.remarks);
    };
    assert!(tracing.contains("X-Ray"), "{tracing}");
}

#[test]
fn versions_of_a_bucket_are_planned_with_what_becomes_of_them() {
    let rule = "Prefix: feedback/, ExpirationInDays: 90 }";
    let with = |properties: &str| {
        assert!(TEMPLATE.contains(rule), "the template has a rule");
        let rules = format!("{rule}, {{ Id: versions, Status: Enabled, {properties} }}");
        let versioning =
            "      VersioningConfiguration: { Status: Enabled }\n      LifecycleConfiguration:\n";
        let template = TEMPLATE.replacen(rule, &rules, 1);
        template.replacen("      LifecycleConfiguration:\n", versioning, 1)
    };

    let plan = plan_of(&with(
        "NoncurrentVersionExpiration: { NoncurrentDays: 30, NewerNoncurrentVersions: 2 }, ExpiredObjectDeleteMarker: true, \
         AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 }",
    ));
    let refused = plan_of(&with("ExpirationInDays: 1, ExpiredObjectDeleteMarker: true"));

    let plan = plan.expect("it is accepted");

    let target = &plan.buckets[0];
    assert_eq!(target.versioning, Some(Versioning::Enabled));
    let rule = VersionExpiration {
        prefix: String::new(),
        noncurrent_days: Some(30),
        kept_versions: 2,
        lone_markers: true,
    };
    assert_eq!(target.version_expirations, [rule]);
    let given_up = Expiration {
        prefix: String::new(),
        days: 7,
    };
    assert_eq!(target.upload_expirations, [given_up]);
    assert_eq!(target.expirations.len(), 1);
    assert_eq!(plan.buckets[1].versioning, None);
    let refused = refused.expect_err("S3 takes one or the other");
    assert_eq!(
        refused.0[0].to_string(),
        "Resources.Target.Properties.LifecycleConfiguration.Rules.1.ExpiredObjectDeleteMarker: cannot be specified with \
         ExpirationInDays"
    );
}
