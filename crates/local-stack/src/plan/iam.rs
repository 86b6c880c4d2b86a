//! `AWS::IAM::Role`.

use local_aws::iam::{Iam, RoleSpec};
use serde_json::Value;

use super::Properties;
use crate::{stack::REGION, template::Resource};

/// Managed policies for services that are not on one machine: nobody here has such a role.
const ELSEWHERE: [&str; 1] = [":iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"];

fn is_of_no_service_here(arn: &Value) -> bool {
    let arn = arn.as_str().unwrap_or_default();
    ELSEWHERE.iter().any(|policy| arn.ends_with(policy))
}

pub(super) fn role(resource: &Resource, mut properties: Properties<'_>) -> RoleSpec {
    properties.ignore(&["Description", "MaxSessionDuration", "RoleName", "Tags"]);
    let path = properties.text("Path").unwrap_or_else(|| "/".to_owned());
    match properties.json("ManagedPolicyArns") {
        None => {}
        Some(Value::Array(arns)) if arns.iter().all(is_of_no_service_here) => {}
        Some(_) => properties.report(
            "ManagedPolicyArns",
            "managed policies are not supported by local-stack; write inline policies",
        ),
    }
    let role = RoleSpec {
        name: resource.reference.clone(),
        arn: format!(
            "arn:aws:iam::{}:role{path}{}",
            local_aws::ACCOUNT_ID,
            resource.reference
        ),
        trust_policy: properties.required_json("AssumeRolePolicyDocument"),
        policies: properties
            .list("Policies")
            .into_iter()
            .map(|mut policy| {
                policy.required_text("PolicyName");
                policy.required_json("PolicyDocument")
            })
            .collect(),
    };
    if let Err(reason) = Iam::new(REGION).put_role(role.clone()) {
        properties.report("Policies", &reason);
    }
    role
}
