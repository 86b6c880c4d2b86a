use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::problems::Refused;

const API_URL: &str = "http://127.0.0.1:4566";

fn resolve_with(template: &str, arguments: &[(&str, &str)]) -> Result<Resolved, Refused> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let identity = r#"{"stackUuid": "8e0b6ad4-1f40-4e5c-8b43-0d0b8f8e2c11", "seed": "5eed"}"#;
    std::fs::write(folder.path().join("stack.json"), identity).expect("the folder is writable");
    let stack = Stack::open(folder.path(), API_URL).expect("the identity is readable");
    let arguments = arguments
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let problems = Problems::default();
    let resolved = resolve(template, &arguments, &stack, &problems);
    problems.or(resolved)
}

/// Resolves one value in the place of an output, with a few things around it to refer to.
fn output(value: &str) -> Result<String, Refused> {
    let template = format!(
        r#"
Parameters:
  Text: {{ Type: String, Default: hello }}
  Count: {{ Type: Number, Default: 0.50 }}
  Classes: {{ Type: CommaDelimitedList, Default: "World, Sports,Business" }}
Mappings:
  Sizes: {{ small: {{ memory: 128, names: [a, b] }} }}
Conditions:
  Yes: !Equals [a, a]
  No: !Not [!Condition Yes]
Resources:
  Bucket: {{ Type: AWS::S3::Bucket }}
  Api: {{ Type: AWS::ApiGateway::RestApi }}
  Absent: {{ Type: AWS::S3::Bucket, Condition: No }}
Outputs:
  Value: {{ Value: {value} }}
"#
    );
    Ok(resolve_with(&template, &[])?.outputs["Value"].clone())
}

fn problems_of(outcome: Result<impl std::fmt::Debug, Refused>) -> Vec<String> {
    let refused = outcome.expect_err("the template is refused");
    refused.0.iter().map(ToString::to_string).collect()
}

#[test]
fn every_function_gives_its_value() {
    for (expression, expected) in [
        ("!Ref Text", "hello"),
        ("!Ref Count", "0.50"),
        ("!Ref AWS::AccountId", "000000000000"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::StackName", "local"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        (
            "!Ref AWS::StackId",
            "arn:aws:cloudformation:us-east-1:000000000000:stack/local/8e0b6ad4-1f40-4e5c-8b43-0d0b8f8e2c11",
        ),
        (
            "!Select [2, !Split ['/', !Ref AWS::StackId]]",
            "8e0b6ad4-1f40-4e5c-8b43-0d0b8f8e2c11",
        ),
        ("!Select ['1', !Ref Classes]", "Sports"),
        ("!Join ['+', !Ref Classes]", "World+Sports+Business"),
        ("!Join ['', [a, !Ref Text, 1]]", "ahello1"),
        ("!Join ['', [a, !Ref AWS::NoValue, b]]", "ab"),
        (
            "!Sub 'x-${Text}-${AWS::Region}-${!Text}'",
            "x-hello-us-east-1-${Text}",
        ),
        ("!Sub ['${a}-${Text}', {a: !Ref Count}]", "0.50-hello"),
        ("!Sub ['${Text}', {Text: mine}]", "mine"),
        ("!Sub '!{timestamp:yyyy} $5 }'", "!{timestamp:yyyy} $5 }"),
        ("!If [Yes, y, n]", "y"),
        ("!If [No, y, !If [Yes, inner, n]]", "inner"),
        ("!FindInMap [Sizes, small, memory]", "128"),
        (
            "!Select [1, !FindInMap [Sizes, !Select [0, [small]], names]]",
            "b",
        ),
        ("!Base64 hello", "aGVsbG8="),
        ("{'Fn::Base64': {'Fn::Join': ['', [hel, lo]]}}", "aGVsbG8="),
        ("{'Fn::Sub': 'x${Text}'}", "xhello"),
        ("{Ref: Text}", "hello"),
    ] {
        let value = output(expression).unwrap_or_else(|refused| panic!("{expression}: {refused}"));

        assert_eq!(value, expected, "{expression}");
    }
}

#[test]
fn every_misuse_of_a_function_is_refused_by_its_path() {
    for (expression, expected) in [
        (
            "!Ref Nothing",
            "Outputs.Value.Value.Ref: Template format error: Unresolved resource dependencies [Nothing] in the Outputs block of the template",
        ),
        (
            "!Sub 'a${Nothing.Arn}'",
            "Outputs.Value.Value.Fn::Sub: Template format error: Unresolved resource dependencies [Nothing] in the Outputs block of the template",
        ),
        (
            "!Ref Absent",
            "Outputs.Value.Value.Ref: Template format error: Unresolved resource dependencies [Absent] in the Outputs block of the template (its condition is false)",
        ),
        (
            "!GetAtt Bucket.Colour",
            "Outputs.Value.Value.Fn::GetAtt: the attribute Colour of AWS::S3::Bucket is not supported by local-stack",
        ),
        (
            "!GetAtt Bucket",
            "Outputs.Value.Value.Fn::GetAtt: takes a list of 2 arguments",
        ),
        (
            "!Select [3, !Ref Classes]",
            "Outputs.Value.Value.Fn::Select: Template error: Fn::Select cannot select nonexistent value at index 3",
        ),
        (
            "!Select [0, text]",
            "Outputs.Value.Value.Fn::Select.1: must be a list of texts",
        ),
        (
            "!Join [a]",
            "Outputs.Value.Value.Fn::Join: takes a list of 2 arguments",
        ),
        (
            "!Split ['', a]",
            "Outputs.Value.Value.Fn::Split: the delimiter is empty",
        ),
        (
            "!FindInMap [Sizes, large, memory]",
            "Outputs.Value.Value.Fn::FindInMap: Template error: Unable to get mapping for Sizes::large::memory",
        ),
        (
            "!ImportValue other",
            "Outputs.Value.Value.Fn::ImportValue: No export named other found",
        ),
        (
            "!GetAZs ''",
            "Outputs.Value.Value.Fn::GetAZs: Fn::GetAZs is not supported by local-stack",
        ),
        (
            "!If [Maybe, a, b]",
            "Outputs.Value.Value.Fn::If: the condition Maybe is not in the template",
        ),
        (
            "!Sub 'a${b c}'",
            "Outputs.Value.Value.Fn::Sub: Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons",
        ),
        (
            "!Sub 'a${b'",
            "Outputs.Value.Value.Fn::Sub: Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons",
        ),
        (
            "!Sub '${Classes}'",
            "Outputs.Value.Value.Fn::Sub: the value of Classes is not a text",
        ),
        ("!Ref Classes", "Outputs.Value.Value: must be a text"),
        (
            "'{{resolve:ssm:x}}'",
            "Outputs.Value.Value: dynamic references are not supported by local-stack",
        ),
        (
            "{'Fn::Sub': a, b: c}",
            "Outputs.Value.Value.Fn::Sub: a function must be the only key of its object",
        ),
    ] {
        assert_eq!(problems_of(output(expression)), [expected], "{expression}");
    }
}

#[test]
fn an_api_url_of_this_stack_is_its_local_address() {
    let url = output("!Sub 'https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/dev/classify'");
    let id = output("!Ref Api").expect("the API has an id");

    assert_eq!(id.len(), 10);
    assert_eq!(url, Ok(format!("{API_URL}/_aws/execute-api/{id}/dev/classify")));
}

#[test]
fn references_and_attributes_follow_the_type() {
    let resolved = resolve_with(
        r#"
Resources:
  Bucket: { Type: AWS::S3::Bucket }
  Named: { Type: AWS::S3::Bucket, Properties: { BucketName: !Sub 'data-${AWS::AccountId}' } }
  Role: { Type: AWS::IAM::Role, Properties: { RoleName: reader, Path: /team/ } }
  Function: { Type: AWS::Lambda::Function, Properties: { FunctionName: classify } }
  Url: { Type: AWS::Lambda::Url, Properties: { TargetFunctionArn: !GetAtt Function.Arn } }
  Stream: { Type: AWS::KinesisFirehose::DeliveryStream, Properties: { DeliveryStreamName: s } }
  Logs: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: /aws/lambda/x } }
  Secret: { Type: AWS::SecretsManager::Secret, Properties: { Name: signing } }
  Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: alarms } }
  Machine: { Type: AWS::StepFunctions::StateMachine, Properties: { StateMachineName: build } }
  Schedule: { Type: AWS::Scheduler::Schedule, Properties: { Name: sweep } }
  Bus: { Type: AWS::Events::EventBus, Properties: { Name: news } }
  Rule: { Type: AWS::Events::Rule, Properties: { Name: told, EventBusName: !GetAtt Bus.Arn } }
  DefaultRule: { Type: AWS::Events::Rule, Properties: { Name: told, EventBusName: default } }
  Stage: { Type: AWS::ApiGateway::Stage, Properties: { StageName: dev } }
  Key: { Type: AWS::ApiGateway::ApiKey }
Outputs:
  BucketArn: { Value: !GetAtt Bucket.Arn }
  NamedArn: { Value: !Sub '${Named.Arn}/*' }
  RoleArn: { Value: !GetAtt Role.Arn }
  FunctionArn: { Value: !GetAtt Function.Arn }
  UrlFunction: { Value: !Ref Url }
  FunctionUrl: { Value: !GetAtt Url.FunctionUrl }
  StreamArn: { Value: !GetAtt Stream.Arn }
  LogsArn: { Value: !GetAtt Logs.Arn }
  Secret: { Value: !Ref Secret }
  Topic: { Value: !Ref Topic }
  Machine: { Value: !Sub '${Machine} ${Machine.Arn} ${Machine.Name}' }
  Schedule: { Value: !Sub '${Schedule} ${Schedule.Arn}' }
  Bus: { Value: !Sub '${Bus} ${Bus.Arn} ${Bus.Name}' }
  Rule: { Value: !Sub '${Rule} ${Rule.Arn}' }
  DefaultRule: { Value: !Sub '${DefaultRule} ${DefaultRule.Arn}' }
  Stage: { Value: !Ref Stage }
  Key: { Value: !GetAtt Key.APIKeyId }
"#,
        &[],
    )
    .expect("the template is sound");

    let bucket = &resolved.resources["Bucket"].reference;
    assert!(bucket.starts_with("local-bucket-"), "{bucket}");
    let outputs = &resolved.outputs;
    assert_eq!(outputs["BucketArn"], format!("arn:aws:s3:::{bucket}"));
    assert_eq!(outputs["NamedArn"], "arn:aws:s3:::data-000000000000/*");
    assert_eq!(outputs["RoleArn"], "arn:aws:iam::000000000000:role/team/reader");
    let function_arn = "arn:aws:lambda:us-east-1:000000000000:function:classify";
    assert_eq!(outputs["FunctionArn"], function_arn);
    assert_eq!(outputs["UrlFunction"], function_arn);
    let url = &outputs["FunctionUrl"];
    assert!(url.starts_with("http://127.0.0.1:4566/_aws/lambda-url/"), "{url}");
    assert!(url.ends_with('/'), "{url}");
    assert_eq!(
        outputs["StreamArn"],
        "arn:aws:firehose:us-east-1:000000000000:deliverystream/s"
    );
    assert_eq!(
        outputs["LogsArn"],
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/x:*"
    );
    let secret = &outputs["Secret"];
    assert!(
        secret.starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:signing-"),
        "{secret}"
    );
    assert_eq!(outputs["Topic"], "arn:aws:sns:us-east-1:000000000000:alarms");
    let machine_arn = "arn:aws:states:us-east-1:000000000000:stateMachine:build";
    assert_eq!(outputs["Machine"], format!("{machine_arn} {machine_arn} build"));
    assert_eq!(
        outputs["Schedule"],
        "sweep arn:aws:scheduler:us-east-1:000000000000:schedule/default/sweep"
    );
    let events = "arn:aws:events:us-east-1:000000000000";
    assert_eq!(outputs["Bus"], format!("news {events}:event-bus/news news"));
    assert_eq!(outputs["Rule"], format!("news|told {events}:rule/news/told"));
    assert_eq!(outputs["DefaultRule"], format!("told {events}:rule/told"));
    assert_eq!(outputs["Stage"], "dev");
    assert_eq!(outputs["Key"].len(), 10);
}

#[test]
fn conditions_leave_resources_outputs_and_properties_out() {
    let template = r#"
Parameters:
  Arn: { Type: String, Default: "" }
  Mode: { Type: String, Default: test }
Conditions:
  BuiltIn: !Equals [!Ref Arn, ""]
  Test: !Equals [!Ref Mode, test]
  Either: !Or [!Condition BuiltIn, !Condition Test]
  Both: !And [!Condition BuiltIn, !Not [!Equals [!Ref Mode, test]]]
Resources:
  Always:
    Type: AWS::S3::Bucket
    DependsOn: OnlyBuiltIn
    Properties:
      BucketName: !If [BuiltIn, !Ref AWS::NoValue, given]
      Tags: [!If [Either, a, b], !If [Both, c, !Ref AWS::NoValue]]
  OnlyBuiltIn: { Type: AWS::S3::Bucket, Condition: BuiltIn }
  OnlyBoth: { Type: AWS::S3::Bucket, Condition: Both }
Outputs:
  Name: { Condition: BuiltIn, Value: !Ref OnlyBuiltIn }
  Used: { Value: !If [BuiltIn, !Ref OnlyBuiltIn, !Ref Arn] }
"#;

    let built_in = resolve_with(template, &[]).expect("the template is sound");
    let given = resolve_with(template, &[("Arn", "arn:x")]).expect("the template is sound");

    assert_eq!(
        Value::from(built_in.resources["Always"].properties.clone()),
        json!({"Tags": ["a"]})
    );
    assert!(built_in.depends_on("Always", "OnlyBuiltIn"));
    assert!(!built_in.resources.contains_key("OnlyBoth"));
    assert!(built_in.outputs.contains_key("Name"));
    assert_eq!(
        Value::from(given.resources["Always"].properties.clone()),
        json!({"BucketName": "given", "Tags": ["a"]})
    );
    assert!(!given.resources.contains_key("OnlyBuiltIn"));
    assert_eq!(
        given.outputs,
        BTreeMap::from([("Used".to_owned(), "arn:x".to_owned())])
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let problems = problems_of(resolve_with(
        r#"
AWSTemplateFormatVersion: 2010-09-10
Transform: AWS::Serverless-2016-10-31
Colour: red
Parameters:
  Missing: { Type: String }
  Typed: { Type: "AWS::SSM::Parameter::Value<String>", Default: x, Shade: dark }
Conditions:
  Loop: !Not [!Condition Pool]
  Pool: !Not [!Condition Loop]
  Fact: !Equals [!Ref A, b]
Resources:
  A-1: { Type: AWS::S3::Bucket }
  A: { Type: AWS::S3::Bucket, DependsOn: B }
  B: { Type: AWS::S3::Bucket, Properties: { BucketName: !Ref A } }
  C: { Properties: { X: !Ref Nowhere, Y: !GetAtt A.Colour }, CreationPolicy: {} }
  D: { Type: AWS::S3::Bucket, DependsOn: [Nowhere], Condition: Never }
Outputs:
  Empty: { Description: nothing }
"#,
        &[("Extra", "1")],
    ));

    let expected = [
        "AWSTemplateFormatVersion: Template format error: unsupported value",
        "Transform: this section is not supported by local-stack",
        "Invalid template property or properties [Colour]",
        "Parameters: [Extra] do not exist in the template",
        "Parameters: [Missing] must have values",
        "Parameters.Typed.Type: `AWS::SSM::Parameter::Value<String>` is not supported by local-stack",
        "Parameters.Typed.Shade: `dark` is not supported by local-stack",
        "Conditions.Pool.Fn::Not.Condition: the condition Loop depends on itself",
        "Resources.A-1: Template format error: Resource name A-1 is non alphanumeric.",
        "Resources: Circular dependency between resources: [A, B]",
        "Resources.C: Type is missing",
        "Resources.C.CreationPolicy: is not supported by local-stack",
        "Resources.C.Properties.Y.Fn::GetAtt: the attribute Colour of AWS::S3::Bucket is not supported by local-stack",
        "Resources.D.Condition: the condition Never is not in the template",
        "Outputs.Empty: Value is missing",
    ];
    for message in expected {
        let found = problems.iter().any(|problem| problem == message);
        assert!(found, "{message}\nnot among\n{}", problems.join("\n"));
    }
    for part in [
        "Unresolved resource dependencies [A] in the Conditions block",
        "Unresolved resource dependencies [Nowhere] in the Resources block",
    ] {
        assert!(problems.iter().any(|it| it.contains(part)), "{part}");
    }
}

#[test]
fn a_resource_that_refers_to_itself_is_a_circle() {
    let problems = problems_of(resolve_with(
        "Resources: { A: { Type: AWS::S3::Bucket, Properties: { BucketName: !Ref A } } }",
        &[],
    ));

    assert_eq!(
        problems,
        ["Resources: Circular dependency between resources: [A]"]
    );
}

#[test]
fn a_template_without_resources_is_refused() {
    assert_eq!(
        problems_of(resolve_with("Resources: {}", &[])),
        ["Template format error: At least one Resources member must be defined."]
    );
    assert_eq!(
        problems_of(resolve_with("- a", &[])),
        ["Template format error: the template is not an object"]
    );
    assert_eq!(problems_of(resolve_with("{\"Resources\": [", &[])).len(), 1);
}

#[test]
fn a_parameter_value_is_checked_against_its_declaration() {
    for (declaration, value, expected) in [
        ("{Type: String, AllowedValues: [a, 1]}", "1", None),
        (
            "{Type: String, AllowedValues: [a, 1]}",
            "b",
            Some("must be one of `a`, `1`"),
        ),
        ("{Type: String, AllowedPattern: '[a-z]+'}", "abc", None),
        (
            "{Type: String, AllowedPattern: 'a|b'}",
            "ab",
            Some("must match pattern a|b"),
        ),
        (
            "{Type: String, MinLength: 2}",
            "é",
            Some("must contain at least 2 characters"),
        ),
        ("{Type: String, MaxLength: 2}", "éé", None),
        (
            "{Type: String, MaxLength: 2}",
            "abc",
            Some("must contain at most 2 characters"),
        ),
        ("{Type: Number, MinValue: 0, MaxValue: 1}", "0.5", None),
        (
            "{Type: Number, MinValue: 0.5}",
            "0.4",
            Some("must be a number not less than 0.5"),
        ),
        (
            "{Type: Number, MaxValue: 1}",
            "2",
            Some("must be a number not greater than 1"),
        ),
        ("{Type: Number}", "50%", Some("must be a number")),
        (
            "{Type: Number, MinLength: 5, AllowedPattern: '[0-9]+'}",
            "0,3",
            Some("must be a number"),
        ),
        (
            "{Type: CommaDelimitedList, AllowedPattern: '[a-z]+'}",
            "a, b",
            None,
        ),
        (
            "{Type: CommaDelimitedList, AllowedPattern: '[a-z]+'}",
            "a,,b",
            Some("must match pattern [a-z]+"),
        ),
    ] {
        let template =
            format!("{{Parameters: {{P: {declaration}}}, Resources: {{A: {{Type: AWS::S3::Bucket}}}}}}");

        let outcome = resolve_with(&template, &[("P", value)]);

        match expected {
            None => assert!(outcome.is_ok(), "{declaration} takes {value}: {outcome:?}"),
            Some(words) => {
                let got = if value == "a,,b" { "" } else { value };
                let expected = format!("Parameter 'P' {words}, got `{got}`");
                assert_eq!(problems_of(outcome), [expected]);
            }
        }
    }
}

#[test]
fn a_constraint_description_replaces_the_rule_and_no_secret_is_shown() {
    let problems = problems_of(resolve_with(
        r#"
Parameters: { P: { Type: String, NoEcho: true, AllowedPattern: "[0-9]+", ConstraintDescription: digits only } }
Resources: { A: { Type: AWS::S3::Bucket } }
"#,
        &[("P", "hunter2")],
    ));

    assert_eq!(
        problems,
        ["Parameter 'P' failed to satisfy constraint: digits only"]
    );
}

proptest! {
    #[test]
    fn joining_what_was_split_gives_the_same_text(items in prop::collection::vec("[a-z]{0,5}", 1..6)) {
        let text = items.join("/");

        let joined = output(&format!("!Join ['/', !Split ['/', '{text}']]"));

        prop_assert_eq!(joined, Ok(text));
    }

    #[test]
    fn a_text_without_variables_passes_through_sub(text in "[a-z!{} .:$-]{0,30}") {
        prop_assume!(!text.contains("${"));

        let substituted = output(&format!("!Sub '{text}'"));

        prop_assert_eq!(substituted, Ok(text));
    }

    #[test]
    fn no_template_text_makes_the_resolver_panic(
        expression in "(!Sub|!Ref|!GetAtt|!Select|!If|!Join)? ?[\\[{'\"]?[A-Za-z0-9${}., :!&*-]{0,30}[\\]}'\"]?",
    ) {
        // Whether it is taken or refused: it returns.
        let _ = output(&expression);
    }
}

#[test]
fn a_rule_whose_assertion_fails_is_reported_in_its_own_words_and_one_that_does_not_apply_is_not() {
    let template = |region: &str, service: &str| {
        format!(
            "
Parameters: {{ Arn: {{ Type: String, Default: '{service}' }} }}
Rules:
  Regions:
    RuleCondition: !Equals [!Ref Arn, '']
    Assertions:
      - Assert: {{ 'Fn::Not': [{{ 'Fn::Contains': [[eu-south-2, {region}], !Ref AWS::Region] }}] }}
        AssertDescription: this Region has no function URLs
Resources: {{ Data: {{ Type: AWS::S3::Bucket }} }}
"
        )
    };

    let refused = problems_of(resolve_with(&template("us-east-1", ""), &[]));
    let elsewhere = resolve_with(&template("ca-west-1", ""), &[]);
    let not_needed = resolve_with(&template("us-east-1", "arn"), &[]);

    assert_eq!(
        refused,
        ["Rules.Regions.Assertions: this Region has no function URLs"]
    );
    assert!(elsewhere.is_ok() && not_needed.is_ok());
}

#[test]
fn a_rule_and_a_condition_have_only_the_functions_that_cloudformation_gives_them() {
    let template = "
Conditions: { Here: { 'Fn::Contains': [[us-east-1], !Ref AWS::Region] } }
Rules:
  Empty: {}
  Odd: { Assertions: [{ Assert: { 'Fn::If': [a, b, c] } }], Colour: red }
Resources: { Data: { Type: AWS::S3::Bucket } }
";

    let problems = problems_of(resolve_with(template, &[]));

    for expected in [
        "Rules.Empty.Assertions: must be a list",
        "Rules.Odd.Colour: is not supported by local-stack",
        "Rules.Odd.Assertions.Assert.Fn::If: is not a condition function",
        "Conditions.Here.Fn::Contains: is not a condition function",
    ] {
        assert!(problems.iter().any(|problem| problem == expected), "{problems:?}");
    }
}

#[test]
fn what_a_stack_is_described_with_is_kept_but_the_value_of_a_secret_parameter() {
    let template = "
Description: Texts and labels
Parameters:
  Count: { Type: Number, Default: 3 }
  Classes: { Type: CommaDelimitedList, Default: 'a, b' }
  Token: { Type: String, NoEcho: true, Default: secret }
Resources: { Data: { Type: AWS::S3::Bucket } }
Outputs: { Name: { Value: !Ref Data, Description: Name of it. } }
";

    let resolved = resolve_with(template, &[("Count", "4")]).expect("the template is sound");

    assert_eq!(resolved.description, "Texts and labels");
    assert_eq!(resolved.output_descriptions["Name"], "Name of it.");
    let shown: Vec<_> = resolved.parameters.values().map(String::as_str).collect();
    assert_eq!(shown, ["a,b", "4", "****"]);
}
