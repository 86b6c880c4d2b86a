//! The workforce, and who is in work teams, by the shapes of SageMaker's API.

use human_review::Config;
use human_review::oidc::OidcSettings;
use serde_json::{Value, json};

use crate::control_plane::{made, refused};
use crate::harness::{Review, config};

const ROLE: &str = "arn:aws:iam::123456789012:role/reviews";

fn signed_in_by(issuer: &str) -> Config {
    Config {
        oidc: Some(OidcSettings {
            issuer: issuer.to_owned(),
            client_id: "portal".to_owned(),
            client_secret_arn: None,
            more_scopes: None,
            groups_claim: "groups".to_owned(),
            admin_group: None,
            reviewer_group: None,
        }),
        ..config()
    }
}

/// `OidcConfig` as its documentation has it.
fn oidc_config(issuer: &str) -> Value {
    let at = |path: &str| format!("{issuer}/{path}");
    json!({
        "WorkforceName": "default",
        "OidcConfig": {
            "ClientId": "portal", "ClientSecret": "not told", "Issuer": issuer, "AuthorizationEndpoint": at("authorize"),
            "TokenEndpoint": at("token"), "UserInfoEndpoint": at("userinfo"), "LogoutEndpoint": at("logout"),
            "JwksUri": at("keys"),
        },
    })
}

#[tokio::test]
async fn the_provider_in_use_is_described_and_taken_and_another_is_refused_with_the_way_to_change_it() {
    let review = Review::with(signed_in_by("https://id.example"));

    let described = made(
        &review,
        "DescribeWorkforce",
        json!({ "WorkforceName": "default" }),
    )
    .await;
    let same = made(&review, "UpdateWorkforce", oidc_config("https://id.example")).await;
    let (kind, other) = refused(&review, "UpdateWorkforce", oidc_config("https://other.example")).await;

    assert_eq!(
        described["Workforce"]["OidcConfig"],
        json!({ "Issuer": "https://id.example", "ClientId": "portal" })
    );
    assert_eq!(same["Workforce"]["WorkforceName"], "default");
    assert_eq!(kind, "ValidationException");
    assert!(
        other.contains("OidcIssuer") && !other.contains("not told"),
        "{other}"
    );
}

#[tokio::test]
async fn the_user_pool_of_the_stack_is_described_as_one() {
    let issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123";
    let review = Review::with(signed_in_by(issuer));

    let described = made(
        &review,
        "DescribeWorkforce",
        json!({ "WorkforceName": "default" }),
    )
    .await;

    let expected = json!({ "UserPool": "eu-west-1_AbC123", "ClientId": "portal" });
    assert_eq!(described["Workforce"]["CognitoConfig"], expected);
    assert_eq!(described["Workforce"]["OidcConfig"], Value::Null);
}

#[tokio::test]
async fn what_is_of_the_stack_is_refused_with_what_to_do_instead() {
    let review = Review::new();
    let of_workforce = |member: &str, value: Value| json!({ "WorkforceName": "default", member: value });
    let team = |member: &str, value: Value| {
        let mut team = json!({
            "WorkteamName": "mail", "Description": "Mail",
            "MemberDefinitions": [{ "OidcMemberDefinition": { "Groups": ["mail"] } }],
        });
        team[member] = value;
        team
    };
    let presign = json!({ "S3Presign": { "IamPolicyConstraints": { "SourceIp": "Enabled" } } });

    for (operation, request, told) in [
        (
            "UpdateWorkforce",
            of_workforce("WorkforceVpcConfig", json!({ "VpcId": "vpc-1" })),
            "SourceIpConfig",
        ),
        (
            "UpdateWorkforce",
            of_workforce("IpAddressType", json!("dualstack")),
            "leave it out",
        ),
        (
            "CreateWorkforce",
            json!({ "WorkforceName": "mine" }),
            "UpdateWorkforce",
        ),
        (
            "DeleteWorkforce",
            json!({ "WorkforceName": "default" }),
            "of the stack",
        ),
        (
            "CreateWorkteam",
            team("WorkerAccessConfiguration", presign),
            "UpdateWorkforce",
        ),
    ] {
        let (kind, message) = refused(&review, operation, request).await;
        assert_eq!(kind, "ValidationException", "{operation}: {message}");
        assert!(message.contains(told), "{operation}: {message}");
    }
    let subscribed = made(&review, "ListSubscribedWorkteams", json!({})).await;
    assert_eq!(subscribed, json!({ "SubscribedWorkteams": [] }));
}

#[tokio::test]
async fn a_team_that_nobody_could_be_in_is_refused_by_the_member_that_is_missing_or_wrong() {
    let review = Review::new();
    let team = |name: &str, member: Value| json!({ "WorkteamName": name, "Description": "Mail", "MemberDefinitions": [member] });
    let groups = |groups: Value| json!({ "OidcMemberDefinition": { "Groups": groups } });
    let eleven: Vec<String> = (0..11).map(|number| format!("g{number}")).collect();

    for (member, named) in [
        (json!({ "OidcMemberDefinition": {} }), "groups"),
        (groups(json!([])), "groups"),
        (groups(json!(eleven)), "groups"),
        (groups(json!(["mail desk"])), "groups"),
        (groups(json!(["x".repeat(64)])), "groups"),
        (
            json!({ "CognitoMemberDefinition": { "UserPool": "us-east-1_1", "ClientId": "c" } }),
            "userGroup",
        ),
        (json!({}), "must all be"),
    ] {
        let (kind, message) = refused(&review, "CreateWorkteam", team("mail", member.clone())).await;
        assert_eq!(kind, "ValidationException", "{member}");
        assert!(
            message.to_lowercase().contains(&named.to_lowercase()),
            "{member}: {message}"
        );
    }
    made(
        &review,
        "CreateWorkteam",
        team("mail", groups(json!(["mail-desk"]))),
    )
    .await;
}

#[tokio::test]
async fn a_template_is_rendered_for_a_role_and_one_that_there_is_not_is_not_found() {
    let review = Review::new();
    let arn = "arn:aws:sagemaker:us-east-1:123456789012:human-task-ui/none";
    let request = |role: &str| json!({ "HumanTaskUiArn": arn, "Task": { "Input": "{}" }, "RoleArn": role });

    let (unknown, _) = refused(&review, "RenderUiTemplate", request(ROLE)).await;
    let (kind, message) = refused(&review, "RenderUiTemplate", request("nobody")).await;

    assert_eq!(unknown, "ResourceNotFound");
    assert_eq!(kind, "ValidationException");
    assert!(message.contains("roleArn"), "{message}");
}
