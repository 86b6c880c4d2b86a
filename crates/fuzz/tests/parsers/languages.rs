//! What is written in a language of its own: templates, state machines, pages for reviewers.

use std::collections::BTreeMap;

use fuzz::fuzz;
use human_review::worker_template::render_html;
use local_aws::stepfunctions::StepFunctions;
use local_stack::{
    plan::{Programs, plan},
    problems::Problems,
    stack::Stack,
    template,
    template_files::TemplateFiles,
};
use serde_json::{Value, json};

const TEMPLATES: &[&[u8]] = &[
    include_bytes!("../../../local-stack/src/plan/one_of_everything.yaml"),
    br#"
Parameters:
  Text: { Type: String, Default: hello, AllowedPattern: '[a-z]+', MinLength: 1, NoEcho: true }
  Count: { Type: Number, Default: 0.50, MinValue: 0, MaxValue: 10 }
  Classes: { Type: CommaDelimitedList, Default: "World, Sports", AllowedValues: [World, Sports] }
Mappings: { Sizes: { small: { memory: 128, names: [a, b] } } }
Rules:
  Both: { RuleCondition: !Equals [!Ref Text, hello], Assertions: [{ Assert: !Contains [[a, b], a], AssertDescription: no }] }
Conditions:
  Yes: !And [!Equals [a, a], !Or [!Not [!Condition No], !Condition No]]
  No: !Equals [!Ref Text, '']
Resources:
  Bucket: { Type: AWS::S3::Bucket, Properties: { BucketName: !If [Yes, !Sub 'a-${AWS::AccountId}', !Ref AWS::NoValue] } }
  Topic: { Type: AWS::SNS::Topic, DependsOn: [Bucket], Condition: Yes }
Outputs:
  A: { Value: !Sub ['${Bucket.Arn} ${!x} ${v}', { v: !Select [1, !Split [',', 'a,b']] }] }
  B: { Value: !Join ['-', [!FindInMap [Sizes, small, memory], !Base64 x, !GetAtt Bucket.Arn]] }
  C: { Condition: Yes, Description: the topic, Value: !Ref Topic }
"#,
    br#"{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {
        "BucketName": {"Fn::Join": ["", ["a", {"Ref": "AWS::StackName"}]]}}}}, "Outputs": {"O": {"Value": {"Ref": "B"}}}}"#,
    b"a: &a [x, y]\nb: &b { c: *a, d: [*a, *a] }\nResources: { B: { Type: AWS::S3::Bucket, Properties: { Tags: [*b, *b] } } }\n",
];

#[test]
fn a_template_is_refused_with_reasons_or_planned_alike_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let stack = Stack::open(folder.path(), "http://127.0.0.1:4566").expect("a folder that can be written");
    let programs = Programs {
        executable: "/bin/local-stack".into(),
        names: &["classify"],
        check: |_, _| Ok(()),
    };
    let files = TemplateFiles::BuiltIn(&[]);
    let read = |text: &str| {
        let problems = Problems::default();
        let resolved = template::resolve(text, &BTreeMap::new(), &stack, &problems);
        let plan = plan(&resolved, &stack, &programs, &files, &problems);
        problems.or((plan, resolved.outputs))
    };
    fuzz(TEMPLATES, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        match read(&text) {
            Ok(first) => assert_eq!(read(&text).ok(), Some(first)),
            Err(refused) => assert!(!refused.0.is_empty()),
        }
    });
}

const MACHINES: &[&[u8]] = &[
    br#"{"StartAt": "A", "TimeoutSeconds": 60, "States": {"A": {"Type": "Pass", "Parameters": {"a.$": "States.Format('{} \\{', $.a[0])",
"b.$": "States.MathAdd($.n, -1)", "c.$": "States.ArrayGetItem(States.Array(1, 'x', null), 1)", "d": {"e.$": "$$.State.Name"},
"f.$": "States.JsonMerge($.o, States.StringToJson('{\"k\": 1}'), false)", "g.$": "States.Hash($.o, 'SHA-256')",
"h.$": "States.Base64Decode(States.Base64Encode($.a[0]))"}, "ResultPath": "$.r['x y']", "Next": "B"},
"B": {"Type": "Choice", "Choices": [{"And": [{"Variable": "$.n", "NumericGreaterThanEquals": 1}, {"Not": {"Variable": "$.t",
"TimestampLessThanPath": "$.u"}}], "Next": "C"}, {"Variable": "$.a[0]", "StringMatches": "a*\\*", "Next": "C"}], "Default": "D"},
"C": {"Type": "Map", "ItemsPath": "$.a", "ItemSelector": {"v.$": "$$.Map.Item.Value"}, "ItemProcessor": {"StartAt": "E",
"States": {"E": {"Type": "Succeed", "OutputPath": "$.v"}}}, "Next": "D"}, "D": {"Type": "Wait", "SecondsPath": "$[0]", "End": true}}}
{"a": ["x", "y"], "n": 2, "o": {"p": 1}, "t": "2026-11-21T10:00:00Z", "u": "2026-11-21T09:00:00+01:00"}"#,
    br#"{"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [{"StartAt": "X", "States": {"X": {"Type": "Fail",
"ErrorPath": "$.e", "Cause": "c"}}}], "Retry": [{"ErrorEquals": ["b"], "IntervalSeconds": 2, "BackoffRate": 1.5, "MaxAttempts": 3,
"MaxDelaySeconds": 5, "JitterStrategy": "FULL"}], "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "T"}],
"End": true}, "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f", "Payload.$": "$"},
"TimeoutSecondsPath": "$.s", "HeartbeatSeconds": 3, "ResultSelector": {"x.$": "$.Payload"}, "End": true}}}
{"e": "b", "s": 9}"#,
];

#[test]
fn a_state_machine_that_is_taken_runs_to_an_output_a_failure_or_a_wait() {
    fuzz(MACHINES, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (definition, input) = text.rsplit_once('\n').unwrap_or((&text, "null"));
        let checked = StepFunctions::validate_definition(definition);
        let output = StepFunctions::rehearse(definition, input);

        if let Err(reason) = &checked {
            assert_eq!(output.as_ref(), Err(reason));
        }
        if let Ok(Some(output)) = output {
            assert!(serde_json::from_str::<Value>(&output).is_ok(), "{output}");
        }
    });
}

const PAGES: &[&[u8]] = &[
    b"{% for i in task.input.items limit:2 offset:1 reversed %}{{ i | upcase | append: 'x' }}{% cycle 'a', i %}{% else %}-{% endfor %}\
      {% tablerow i in (1..task.input.n) cols:2 %}{{ i }}{% endtablerow %}",
    b"{%- if task.input.text contains 'a' and task.input.n >= 2 -%}{{ task.input.text | truncate: 3 | escape_once }}{%- elsif x == nil -%}\
      {% else %}{% endif %}{% unless a %}{% case task.input.n %}{% when 1, 2 %}b{% endcase %}{% endunless %}",
    b"{% assign a = task.input.items | join: ',' | split: ',' %}{% capture b %}{{ a | first | times: 3 | plus: 1.5 }}{% endcapture %}{{ b | \
      skip_autoescape }}{% raw %}{{ x }}{% endraw %}{% comment %}{{ y {% endcomment %}{{ task.input | to_json }}{% increment c %}",
    b"<script>{{ 's3://b/k' | grant_read_access }}</script><p a=\"{{ task.input.text | slice: -3, 2 | date: '%Y' }}\">",
];

#[test]
fn a_page_is_rendered_or_refused_in_words_that_do_not_tell_the_nonce() {
    let input = json!({"items": ["a", "b", "<c>"], "n": 3, "text": "abc & é", "least": i64::MIN});
    fuzz(PAGES, |bytes| {
        // The library is slow at long ones.
        let page = String::from_utf8_lossy(&bytes[..bytes.len().min(1_000)]);
        if let Err(error) = render_html(&page, &input, "n0nce") {
            let said = error.to_string();
            assert!(
                !said.is_empty() && (page.contains("n0nce") || !said.contains("n0nce")),
                "{said}"
            );
        }
    });
}
