//! What decides: policies, and patterns of events and of lines of logs.

use std::{collections::BTreeMap, panic::AssertUnwindSafe};

use fuzz::fuzz;
use local_aws::{
    eventbridge::Pattern,
    iam::{Call, Iam, Principal, RoleSpec},
    logs,
};
use serde_json::{Value, json};

/// Splits an input at its first line's end.
fn two(bytes: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(bytes);
    let (first, second) = text.split_once('\n').unwrap_or((&text, ""));
    (first.to_owned(), second.to_owned())
}

const POLICIES: &[&[u8]] = &[
    br#"{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject"],
        "Resource": "arn:aws:s3:::bucket/?*/c", "Condition": {"StringLike": {"aws:PrincipalArn": ["*role*"]},
        "NumericLessThanIfExists": {"s3:max-keys": 10}, "Bool": {"aws:SecureTransport": "true"}}}]}"#,
    br#"{"Statement": {"Effect": "Deny", "NotAction": "s3:*", "NotResource": ["arn:aws:s3:::b/*"]}}"#,
    br#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": {"AWS": "000000000000"}}}"#,
];

#[test]
fn a_policy_that_says_no_allow_allows_nothing() {
    let iam = AssertUnwindSafe(Iam::default());
    let trust = json!({"Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole"}});
    let role = |policy: Value| RoleSpec {
        name: "role".to_owned(),
        arn: "arn:aws:iam::000000000000:role/role".to_owned(),
        trust_policy: trust.clone(),
        policies: vec![policy],
    };
    fuzz(POLICIES, |bytes| {
        let Ok(policy) = serde_json::from_slice::<Value>(bytes) else {
            return;
        };
        let says_allow = policy.to_string().contains("\"Allow\"");
        drop(Iam::validate_resource_policy(&policy));
        let role = role(policy);
        let principal = Principal::Role {
            arn: role.arn.clone(),
        };
        if iam.put_role(role).is_err() {
            return;
        }
        let call = Call {
            principal: &principal,
            action: "s3:GetObject",
            resource: "arn:aws:s3:::bucket/a/b/c",
            context: &BTreeMap::from([("s3:max-keys".to_owned(), "1e3".to_owned())]),
            resource_policy: None,
        };
        assert!(iam.authorize(&call).is_err() || says_allow);
    });
}

const PATTERNS: &[&[u8]] = &[
    b"{\"source\": [\"mine\"], \"detail\": {\"votes\": [{\"numeric\": [\">\", 1, \"<=\", 5]}], \"by\": [{\"prefix\": \"a\"}, \
      {\"suffix\": {\"equals-ignore-case\": \"N\"}}]}}\n{\"source\": \"mine\", \"detail\": {\"votes\": 2, \"by\": [\"ann\"]}}",
    b"{\"$or\": [{\"a\": [{\"exists\": false}]}, {\"b\": [{\"anything-but\": {\"wildcard\": [\"*x*y\", \"\"]}}]}], \
      \"c\": [null, 1.5, true, {\"equals-ignore-case\": \"\xc3\x89\"}]}\n{\"b\": [{\"b\": \"xy\"}, \"y\"], \"c\": \"\xc3\xa9\"}",
    b"{\"a\": {\"b\": [{\"wildcard\": \"*a**b*\"}]}}\n{\"a\": [{\"b\": \"aab\"}, {\"b\": []}]}",
];

#[test]
fn a_pattern_takes_or_leaves_an_event() {
    fuzz(PATTERNS, |bytes| {
        let (pattern, event) = two(bytes);
        let event: Value = serde_json::from_str(&event).unwrap_or_default();
        match Pattern::parse(&pattern) {
            // Something must be in an event that is taken, unless the pattern asks that it is not.
            Ok(pattern_read) => {
                let asks_for_absence = pattern.contains("exists") && pattern.contains("false");
                assert!(!pattern_read.matches(&json!({})) || asks_for_absence, "{pattern}");
                pattern_read.matches(&event);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

const LINES: &[&[u8]] = &[
    b"WARN \"is busy\" -ERROR ?a ?b\n{\"level\": \"WARN\", \"error\": \"it is busy\"}",
    b"{ $.fields.status = 429 }\n{\"fields\": {\"status\": 429}}",
    b"{ $.level != \"INFO\" }\n{\"level\": \"WARN\"}",
    "-é ?\"ü\"\nüé".as_bytes(),
];

#[test]
fn a_filter_pattern_shows_a_line_or_not() {
    fuzz(LINES, |bytes| {
        let (pattern, line) = two(bytes);
        if let Err(reason) = logs::shows(&pattern, &line) {
            assert!(!reason.is_empty());
        }
    });
}
