//! Who may invoke a function: its resource policy, made of `AWS::Lambda::Permission`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Lambda, PermissionSpec, function_name};
use crate::iam::{Call, PolicyDocument, Principal};

impl Lambda {
    /// Returns the resource policy of a function, by name or ARN; `None` without permissions.
    pub fn policy(&self, function: &str) -> Option<PolicyDocument> {
        let function_arn = self.function_arn(function);
        let provisioned = self.provisioned();
        let permissions = provisioned.permissions.get(function_name(function))?;
        let statements: Vec<Value> = permissions
            .iter()
            .enumerate()
            .map(|(number, permission)| permission.statement(number, &function_arn))
            .collect();
        Some(json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements }))
    }

    /// Returns whether a function's permissions let a service call `action` (for example
    /// `lambda:InvokeFunction`) on behalf of a source, say a bucket or an API's method.
    pub fn may_invoke(
        &self,
        function: &str,
        principal_service: &str,
        source_arn: &str,
        source_account: &str,
        action: &str,
    ) -> bool {
        let context = BTreeMap::from([
            ("aws:SourceArn".to_owned(), source_arn.to_owned()),
            ("aws:SourceAccount".to_owned(), source_account.to_owned()),
        ]);
        let policy = self.policy(function);
        let call = Call {
            principal: &Principal::Service(principal_service.to_owned()),
            action,
            resource: &self.function_arn(function),
            context: &context,
            resource_policy: policy.as_ref(),
        };
        self.iam.authorize(&call).is_ok()
    }
}

impl PermissionSpec {
    fn statement(&self, number: usize, function_arn: &str) -> Value {
        let principal = match self.principal.as_str() {
            "*" => json!("*"),
            service if service.ends_with(".amazonaws.com") => json!({ "Service": service }),
            arn => json!({ "AWS": arn }),
        };
        let mut statement = json!({
            "Sid": format!("permission-{number}"),
            "Effect": "Allow",
            "Principal": principal,
            "Action": self.action,
            "Resource": function_arn,
        });
        if let Some(arn) = &self.source_arn {
            statement["Condition"]["ArnLike"]["aws:SourceArn"] = json!(arn);
        }
        if let Some(account) = &self.source_account {
            statement["Condition"]["StringEquals"]["aws:SourceAccount"] = json!(account);
        }
        statement
    }
}
