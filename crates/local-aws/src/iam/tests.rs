use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::*;

const ROLE: &str = "arn:aws:iam::000000000000:role/reader";
const OBJECT: &str = "arn:aws:s3:::bucket/folder/key";

fn iam_with(policy: Value) -> Iam {
    let iam = Iam::default();
    iam.put_role(role(policy)).expect("the policy is implemented");
    iam
}

fn role(policy: Value) -> RoleSpec {
    RoleSpec {
        name: "reader".to_owned(),
        arn: ROLE.to_owned(),
        trust_policy: json!({"Statement": {
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
        }}),
        policies: vec![json!({"Version": "2012-10-17", "Statement": policy})],
    }
}

fn decide(iam: &Iam, action: &str, resource: &str, context: &[(&str, &str)]) -> Result<(), Denied> {
    let principal = Principal::Role { arn: ROLE.to_owned() };
    decide_for(iam, &principal, action, resource, context, None)
}

fn decide_for(
    iam: &Iam,
    principal: &Principal,
    action: &str,
    resource: &str,
    context: &[(&str, &str)],
    resource_policy: Option<&Value>,
) -> Result<(), Denied> {
    let context = context
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    iam.authorize(&Call {
        principal,
        action,
        resource,
        context: &context,
        resource_policy,
    })
}

fn allow(action: Value, resource: Value) -> Value {
    json!([{"Effect": "Allow", "Action": action, "Resource": resource}])
}

fn refusal(policy: Value) -> String {
    Iam::default()
        .put_role(role(policy))
        .expect_err("the policy is not implemented")
}

#[test]
fn an_action_is_matched_whatever_its_case_and_a_resource_exactly() {
    let iam = iam_with(allow(json!("S3:Get*"), json!(["arn:aws:s3:::bucket/folder/*"])));

    assert!(decide(&iam, "s3:GetObject", OBJECT, &[]).is_ok());
    assert!(decide(&iam, "s3:PutObject", OBJECT, &[]).is_err());
    assert!(decide(&iam, "s3:GetObject", "arn:aws:s3:::bucket/Folder/key", &[]).is_err());
}

#[test]
fn a_refusal_reads_as_on_aws() {
    let iam = iam_with(allow(json!("s3:GetObject"), json!("*")));

    let denied = decide(&iam, "s3:PutObject", OBJECT, &[]).expect_err("nothing allows it");

    assert_eq!(
        denied.to_string(),
        "User: arn:aws:sts::000000000000:assumed-role/reader/local is not authorized to perform: \
         s3:PutObject on resource: arn:aws:s3:::bucket/folder/key because no identity-based policy \
         allows the s3:PutObject action"
    );
}

#[test]
fn an_explicit_deny_outweighs_an_allow() {
    let iam = iam_with(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::bucket/*"},
    ]));

    let denied = decide(&iam, "s3:DeleteObject", OBJECT, &[]).expect_err("it is denied");

    assert!(
        denied
            .to_string()
            .ends_with("with an explicit deny in an identity-based policy")
    );
    assert!(decide(&iam, "s3:DeleteObject", "arn:aws:s3:::other/key", &[]).is_ok());
}

#[test]
fn not_action_and_not_resource_match_everything_else() {
    let iam = iam_with(json!({
        "Effect": "Allow", "NotAction": "s3:Put*", "NotResource": "arn:aws:s3:::secret/*",
    }));

    assert!(decide(&iam, "s3:GetObject", OBJECT, &[]).is_ok());
    assert!(decide(&iam, "s3:PutObject", OBJECT, &[]).is_err());
    assert!(decide(&iam, "s3:GetObject", "arn:aws:s3:::secret/key", &[]).is_err());
}

#[test]
fn a_wildcard_does_not_reach_into_the_next_part_of_an_arn() {
    let iam = iam_with(allow(
        json!("lambda:*"),
        json!("arn:aws:lambda:*:000000000000:function:a?c"),
    ));

    assert!(
        decide(
            &iam,
            "lambda:Invoke",
            "arn:aws:lambda:eu-west-1:000000000000:function:abc",
            &[]
        )
        .is_ok()
    );
    assert!(
        decide(
            &iam,
            "lambda:Invoke",
            "arn:aws:lambda:eu-west-1:1:000000000000:function:abc",
            &[]
        )
        .is_err()
    );
}

#[test]
fn conditions_compare_the_keys_of_the_call() {
    let condition = json!({
        "StringLike": {"s3:prefix": ["a/*", "b/*"]},
        "NumericLessThanEquals": {"s3:max-keys": 10},
        "Bool": {"aws:SecureTransport": true},
        "StringEquals": {"AWS:requestedregion": "us-east-1"},
        "StringNotEquals": {"s3:delimiter": "|"},
        "Null": {"s3:versionid": "true"},
    });
    let iam = iam_with(json!({
        "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*", "Condition": condition,
    }));
    let list = |context: &[(&str, &str)]| decide(&iam, "s3:ListBucket", "arn:aws:s3:::bucket", context);

    assert!(list(&[("s3:prefix", "b/c"), ("s3:max-keys", "10")]).is_ok());
    assert!(list(&[("s3:prefix", "c/b"), ("s3:max-keys", "10")]).is_err());
    assert!(list(&[("s3:prefix", "b/c"), ("s3:max-keys", "11")]).is_err());
    assert!(list(&[("s3:prefix", "b/c")]).is_err());
    assert!(list(&[("s3:prefix", "b/c"), ("s3:max-keys", "1"), ("s3:delimiter", "|")]).is_err());
    assert!(list(&[("s3:prefix", "b/c"), ("s3:max-keys", "1"), ("s3:VersionId", "1")]).is_err());
}

#[test]
fn if_exists_holds_without_the_key() {
    let iam = iam_with(json!({
        "Effect": "Allow", "Action": "s3:*", "Resource": "*",
        "Condition": {"StringEqualsIfExists": {"s3:prefix": "a"}},
    }));

    assert!(decide(&iam, "s3:ListBucket", "*", &[]).is_ok());
    assert!(decide(&iam, "s3:ListBucket", "*", &[("s3:prefix", "b")]).is_err());
}

#[test]
fn a_service_needs_the_resource_policy() {
    let iam = Iam::default();
    let policy = json!({"Statement": {
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::up*"}},
    }});
    let invoke = |service: &str, source: &str| {
        let principal = Principal::Service(service.to_owned());
        let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
        let context = [("aws:SourceArn", source)];
        decide_for(
            &iam,
            &principal,
            "lambda:InvokeFunction",
            function,
            &context,
            Some(&policy),
        )
    };

    assert!(invoke("s3.amazonaws.com", "arn:aws:s3:::uploads").is_ok());
    assert!(invoke("s3.amazonaws.com", "arn:aws:s3:::other").is_err());
    assert!(invoke("events.amazonaws.com", "arn:aws:s3:::uploads").is_err());
}

#[test]
fn a_bucket_policy_that_demands_tls_denies_nobody_here() {
    let iam = iam_with(allow(json!("s3:*"), json!("*")));
    let policy = json!({"Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }, {
        "Effect": "Deny", "Principal": {"AWS": "000000000000"}, "Action": "s3:DeleteBucket", "Resource": "*",
    }]});
    let principal = Principal::Role { arn: ROLE.to_owned() };
    let decide = |action| decide_for(&iam, &principal, action, OBJECT, &[], Some(&policy));

    assert!(decide("s3:GetObject").is_ok());
    let denied = decide("s3:DeleteBucket").expect_err("the second statement denies it");
    assert!(
        denied
            .to_string()
            .ends_with("with an explicit deny in a resource-based policy")
    );
}

#[test]
fn naming_the_account_in_a_resource_policy_leaves_the_role_to_its_own_policies() {
    let iam = iam_with(allow(json!("s3:GetObject"), json!("*")));
    let principal = Principal::Role { arn: ROLE.to_owned() };
    let put_with = |principal_of_policy: &str| {
        let policy = json!({"Statement": {
            "Effect": "Allow", "Principal": {"AWS": principal_of_policy}, "Action": "s3:PutObject", "Resource": "*",
        }});
        decide_for(&iam, &principal, "s3:PutObject", OBJECT, &[], Some(&policy))
    };

    assert!(put_with("arn:aws:iam::000000000000:root").is_err());
    assert!(put_with(ROLE).is_ok());
}

#[test]
fn an_unreadable_resource_policy_denies() {
    let iam = iam_with(allow(json!("s3:*"), json!("*")));
    let principal = Principal::Role { arn: ROLE.to_owned() };
    let policy = json!({"Statement": {
        "Effect": "Allow", "NotPrincipal": "*", "Action": "s3:*", "Resource": "*",
    }});

    let denied = decide_for(&iam, &principal, "s3:GetObject", OBJECT, &[], Some(&policy));

    assert!(
        denied
            .expect_err("it cannot be evaluated")
            .reason
            .contains("NotPrincipal")
    );
}

#[test]
fn what_is_not_implemented_is_refused_by_name() {
    let with = |condition: Value| {
        refusal(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition}))
    };

    assert!(with(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})).contains("IpAddress"));
    assert!(with(json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}})).contains("aws:PrincipalOrgID"));
    assert!(with(json!({"ForAllValues:StringEquals": {"a:b": "c"}})).contains("ForAllValues:StringEquals"));
    let variable = refusal(allow(json!("s3:*"), json!("arn:aws:s3:::bucket/${aws:username}")));
    assert!(variable.contains("${aws:username}"), "{variable}");
    assert!(refusal(allow(json!("s3:*"), json!("bucket/key"))).contains("must be an ARN or *"));
    assert!(refusal(json!({"Effect": "Maybe", "Action": "*", "Resource": "*"})).contains("Effect"));
    assert!(refusal(allow(json!("Get"), json!("*"))).contains("service:Operation"));
}

#[test]
fn a_role_is_assumed_by_whom_it_trusts() {
    let iam = iam_with(allow(json!("s3:*"), json!("*")));

    assert!(iam.may_assume("lambda.amazonaws.com", ROLE));
    assert!(!iam.may_assume("firehose.amazonaws.com", ROLE));
    assert!(!iam.may_assume("lambda.amazonaws.com", "arn:aws:iam::000000000000:role/none"));
}

#[test]
fn credentials_name_their_role_and_need_their_token() {
    let iam = iam_with(allow(json!("s3:*"), json!("*")));
    let credentials = iam.role_credentials(ROLE).expect("the role exists");

    let (secret, principal) = iam
        .access_key(&credentials.access_key_id)
        .expect("the key exists");

    assert_eq!(credentials.access_key_id.len(), 20);
    assert_eq!(secret, credentials.secret_access_key);
    assert_eq!(principal, Principal::Role { arn: ROLE.to_owned() });
    assert!(iam.has_session_token(&credentials.access_key_id, Some(&credentials.session_token)));
    assert!(!iam.has_session_token(&credentials.access_key_id, None));
    assert!(!iam.has_session_token("test", Some("other")));
    assert!(iam.has_session_token("test", None));
    assert!(iam.access_key("AKIAUNKNOWN").is_none());
}

#[test]
fn a_role_is_assumed_by_whom_it_trusts_and_one_that_no_template_made_by_anybody() {
    let iam = Iam::default();
    let trusting = |principal: serde_json::Value| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})
    };
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT_ID}:role/{name}");
    for (name, trust) in [
        ("function", trusting(json!({"Service": "lambda.amazonaws.com"}))),
        ("data", trusting(json!({"AWS": arn("function")}))),
    ] {
        let role = RoleSpec {
            name: name.to_owned(),
            arn: arn(name),
            trust_policy: trust,
            policies: Vec::new(),
        };
        iam.put_role(role).expect("a role");
    }
    let function = Principal::Role { arn: arn("function") };
    let data = Principal::Role { arn: arn("data") };

    let assumed = iam
        .assume_role(&function, &arn("data"), &session(None))
        .expect("trusted");
    let refused = iam
        .assume_role(&data, &arn("function"), &session(None))
        .expect_err("not trusted");
    let of_user = iam
        .assume_role(&function, &arn("somebody"), &session(None))
        .expect("anybody may");

    let principal_of = |credentials: &RoleCredentials| iam.access_key(&credentials.access_key_id);
    let (_, taken) = principal_of(&assumed).expect("known");
    assert_eq!(taken.role_arn(), data.role_arn());
    assert_eq!(
        taken.caller_arn(),
        "arn:aws:sts::000000000000:assumed-role/data/ann"
    );
    assert!(refused.to_string().contains("sts:AssumeRole"), "{refused}");
    let (_, somebody) = principal_of(&of_user).expect("known");
    let call = Call {
        principal: &somebody,
        action: "s3:GetObject",
        resource: "arn:aws:s3:::any/key",
        context: &BTreeMap::new(),
        resource_policy: None,
    };
    assert!(iam.authorize(&call).is_ok());
}

#[test]
fn a_function_that_serves_a_service_takes_the_roles_that_trust_it_and_no_others() {
    let iam = Iam::default();
    let put = |name: &str, service: &str| {
        let arn = format!("arn:aws:iam::000000000000:role/{name}");
        let trust = json!({"Statement": {"Effect": "Allow", "Principal": {"Service": service},
            "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}}});
        iam.put_role(RoleSpec {
            name: name.to_owned(),
            arn: arn.clone(),
            trust_policy: trust,
            policies: Vec::new(),
        })
        .expect("a good role");
        arn
    };
    let function = Principal::Role {
        arn: put("function", "lambda.amazonaws.com"),
    };
    let (data, other) = (
        put("data", "comprehend.amazonaws.com"),
        put("other", "sagemaker.amazonaws.com"),
    );
    let takes = |role: &str| iam.assume_role(&function, role, &session(None)).is_ok();

    let before = takes(&data);
    let Principal::Role { arn } = &function else {
        unreachable!("it is a role")
    };
    iam.stand_for(arn, "comprehend.amazonaws.com");

    assert_eq!((before, takes(&data), takes(&other)), (false, true, false));
}

/// Makes a role with this principal and these conditions in its trust policy, that may do all.
fn put_trusting(iam: &Iam, name: &str, principal: Value, condition: Value) -> Result<String, String> {
    let arn = format!("arn:aws:iam::{ACCOUNT_ID}:role/{name}");
    iam.put_role(RoleSpec {
        name: name.to_owned(),
        arn: arn.clone(),
        trust_policy: json!({"Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole",
            "Condition": condition}}),
        policies: vec![json!({"Statement": allow(json!("*"), json!("*"))})],
    })
    .map(|()| arn)
}

fn session(policy: Option<&Value>) -> SessionSpec<'_> {
    SessionSpec {
        name: "ann",
        external_id: None,
        policy,
        expires: Utc::now() + TimeDelta::hours(1),
    }
}

fn assumed(iam: &Iam, by: &Principal, role: &str, spec: &SessionSpec<'_>) -> Principal {
    let credentials = iam.assume_role(by, role, spec).expect("it may");
    let (_, principal) = iam
        .access_key(&credentials.access_key_id)
        .expect("the key is known");
    principal
}

#[test]
fn a_session_may_do_what_its_role_and_its_policy_both_allow() {
    let iam = Iam::default();
    let role = put_trusting(&iam, "all", json!({"AWS": ACCOUNT_ID}), json!({})).expect("a role");
    let reads = json!({"Statement": allow(json!("s3:GetObject"), json!("arn:aws:s3:::bucket/*"))});
    let denies = json!({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}});
    let may = |policy: Option<&Value>, action: &str, resource_policy: Option<&Value>| {
        let principal = assumed(&iam, &Principal::Root, &role, &session(policy));
        let decided = decide_for(&iam, &principal, action, OBJECT, &[], resource_policy);
        decided.map_err(|denied| denied.reason)
    };
    let of_bucket = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "s3:*",
        "Resource": "*"}});

    assert_eq!(may(None, "s3:DeleteObject", None), Ok(()));
    assert_eq!(may(Some(&reads), "s3:GetObject", None), Ok(()));
    let outside = Err("because no session policy allows the s3:DeleteObject action".to_owned());
    assert_eq!(may(Some(&reads), "s3:DeleteObject", None), outside);
    assert_eq!(may(Some(&reads), "s3:DeleteObject", Some(&of_bucket)), outside);
    let denied = Err("with an explicit deny in a session policy".to_owned());
    assert_eq!(may(Some(&denies), "s3:GetObject", None), denied);
}

#[test]
fn a_session_policy_gives_nothing_that_the_role_does_not_have() {
    let iam = iam_with(allow(json!("s3:GetObject"), json!("*")));
    let all = json!({"Statement": allow(json!("*"), json!("*"))});
    iam.stand_for(ROLE, "lambda.amazonaws.com");
    let function = Principal::Role { arn: ROLE.to_owned() };

    let principal = assumed(&iam, &function, ROLE, &session(Some(&all)));

    let write = decide_for(&iam, &principal, "s3:PutObject", OBJECT, &[], None);
    assert!(write.is_err());
    assert!(decide_for(&iam, &principal, "s3:GetObject", OBJECT, &[], None).is_ok());
}

#[test]
fn a_session_does_not_leave_its_policy_behind_by_another_role() {
    let iam = Iam::default();
    let first = put_trusting(&iam, "first", json!({"AWS": ACCOUNT_ID}), json!({})).expect("a role");
    let second = put_trusting(&iam, "second", json!({"AWS": first}), json!({})).expect("a role");
    let reads = json!({"Statement": allow(json!("s3:GetObject"), json!("*"))});
    let bound = assumed(&iam, &Principal::Root, &first, &session(Some(&reads)));
    let free = assumed(&iam, &Principal::Root, &first, &session(None));
    let by = |principal: &Principal, role: &str| iam.assume_role(principal, role, &session(None)).is_ok();

    assert_eq!((by(&bound, &second), by(&free, &second)), (false, true));
    assert!(!by(&bound, "arn:aws:iam::000000000000:role/somebody"));
}

#[test]
fn a_role_that_demands_an_external_id_is_assumed_with_that_one_alone() {
    let iam = Iam::default();
    let caller = put_trusting(&iam, "caller", json!({"AWS": ACCOUNT_ID}), json!({})).expect("a role");
    let demands = json!({"StringEquals": {"sts:ExternalId": "right"}});
    let role = put_trusting(&iam, "demanding", json!({"AWS": caller}), demands).expect("a role");
    let caller = Principal::Role { arn: caller };
    let with = |external_id| {
        let spec = SessionSpec {
            external_id,
            ..session(None)
        };
        iam.assume_role(&caller, &role, &spec).is_ok()
    };

    assert_eq!(
        [with(Some("right")), with(Some("wrong")), with(None)],
        [true, false, false]
    );
}

#[test]
fn the_user_takes_a_role_only_if_it_trusts_the_account_or_everybody() {
    let iam = Iam::default();
    let takes = |name: &str, principal: Value| {
        let role = put_trusting(&iam, name, principal, json!({})).expect("a role");
        iam.assume_role(&Principal::Root, &role, &session(None)).is_ok()
    };

    assert!(takes("account", json!({"AWS": "arn:aws:iam::000000000000:root"})));
    assert!(takes("everybody", json!({"AWS": "*"})));
    assert!(!takes("function", json!({"Service": "lambda.amazonaws.com"})));
    assert!(!takes("other", json!({"AWS": ROLE})));
}

#[test]
fn a_role_takes_one_that_trusts_the_account_where_its_own_policies_let_it() {
    let iam = Iam::default();
    let target = put_trusting(&iam, "target", json!({"AWS": ACCOUNT_ID}), json!({})).expect("a role");
    let may = |statement: Value| {
        iam.put_role(role(statement)).expect("a role");
        let caller = Principal::Role { arn: ROLE.to_owned() };
        iam.assume_role(&caller, &target, &session(None)).is_ok()
    };

    assert!(may(allow(json!("sts:AssumeRole"), json!(target))));
    assert!(!may(allow(json!("s3:*"), json!("*"))));
    assert!(!may(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "sts:*", "Resource": "*"},
    ])));
}

#[test]
fn a_trust_policy_with_a_key_that_no_request_for_a_role_has_is_refused() {
    let iam = Iam::default();
    let put = |key: &str| {
        put_trusting(
            &iam,
            "r",
            json!({"AWS": "*"}),
            json!({"StringNotEquals": {key: "x"}}),
        )
    };

    assert!(put("sts:RoleSessionName").is_ok());
    assert!(put("aws:PrincipalArn").is_ok());
    for key in ["foo:bar", "sts:SourceIdentity", "aws:MultiFactorAuthPresent"] {
        let refusal = put(key).expect_err("no such key");
        let named = refusal.to_ascii_lowercase().contains(&key.to_ascii_lowercase());
        assert!(named, "{refusal}");
    }
}

#[test]
fn sessions_of_a_role_are_each_their_own_and_end_with_it() {
    let iam = Iam::default();
    let role = put_trusting(&iam, "all", json!({"AWS": ACCOUNT_ID}), json!({})).expect("a role");
    let take = |expires| {
        let spec = SessionSpec {
            expires,
            ..session(None)
        };
        iam.assume_role(&Principal::Root, &role, &spec).expect("trusted")
    };
    let now = Utc::now();
    let (short, long) = (
        take(now + TimeDelta::minutes(15)),
        take(now + TimeDelta::hours(1)),
    );
    let later = now + TimeDelta::minutes(20);

    assert_ne!(short.access_key_id, long.access_key_id);
    assert_ne!(short.secret_access_key, long.secret_access_key);
    assert!(iam.has_session_token(&long.access_key_id, Some(&long.session_token)));
    assert!(!iam.has_session_token(&long.access_key_id, Some(&short.session_token)));
    assert!(iam.has_expired(&short.access_key_id, later) && !iam.has_expired(&long.access_key_id, later));
    iam.remove_role(&role);
    assert!(iam.access_key(&long.access_key_id).is_none());
}
