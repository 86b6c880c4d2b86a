//! The operations on the targets of a rule.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    EventBridge, HttpParameters, InputTransformer, PRINCIPAL, RetryPolicy, TargetSpec, api::RuleRequest,
    targets,
};
use crate::{aws_error::AwsError, iam::Principal, json_protocol::validation};

/// Targets of a rule.
const MAX_TARGETS: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Target {
    id: String,
    arn: String,
    input: Option<String>,
    input_path: Option<String>,
    input_transformer: Option<InputTransformer>,
    role_arn: Option<String>,
    #[serde(default)]
    http_parameters: HttpParameters,
    #[serde(default)]
    retry_policy: RetryPolicy,
    dead_letter_config: Option<Value>,
}

impl EventBridge {
    pub(super) fn put_targets(&self, caller: &Principal, request: RuleRequest) -> Result<Value, AwsError> {
        let _turn = self.turn();
        let (bus, name) = self.rule_of(caller, "events:PutTargets", &request)?;
        let mut rule = self.rule(&bus, &name)?;
        for target in request.targets {
            if target.dead_letter_config.is_some() {
                let what = "PutTargets with DeadLetterConfig";
                return Err(AwsError::not_implemented("events", what));
            }
            let spec = TargetSpec {
                arn: target.arn,
                input: target.input,
                input_path: target.input_path,
                input_transformer: target.input_transformer,
                role_arn: target.role_arn,
                http: target.http_parameters,
                retry: target.retry_policy,
            };
            if !targets::is_known(&spec.arn) {
                return Err(AwsError::not_implemented(
                    "events",
                    &format!("the target {}", spec.arn),
                ));
            }
            spec.check().map_err(validation)?;
            if let Some(role) = &spec.role_arn {
                self.authorize(caller, "iam:PassRole", role)?;
                self.check_trust(role)?;
            }
            rule.spec.targets.insert(target.id, spec);
        }
        if rule.spec.targets.len() > MAX_TARGETS {
            return Err(AwsError::new(
                400,
                "LimitExceededException",
                "The requested resource exceeds the maximum number allowed.",
            ));
        }
        self.keep_rule(rule)?;
        Ok(json!({ "FailedEntryCount": 0, "FailedEntries": [] }))
    }

    /// Refuses a role with which nothing could be sent: each event would be given up.
    fn check_trust(&self, role: &str) -> Result<(), AwsError> {
        match self.iam.may_assume(PRINCIPAL, role) {
            true => Ok(()),
            false => Err(validation(format!(
                "Provided role '{role}' cannot be assumed by principal '{PRINCIPAL}'. It must be of the template \
                 or made by CreateRole, and trust it."
            ))),
        }
    }

    pub(super) fn remove_targets(&self, caller: &Principal, request: RuleRequest) -> Result<Value, AwsError> {
        let _turn = self.turn();
        let (bus, name) = self.rule_of(caller, "events:RemoveTargets", &request)?;
        let mut rule = self.rule(&bus, &name)?;
        for id in &request.ids {
            rule.spec.targets.remove(id);
        }
        self.keep_rule(rule)?;
        Ok(json!({ "FailedEntryCount": 0, "FailedEntries": [] }))
    }

    pub(super) fn list_targets(&self, caller: &Principal, request: RuleRequest) -> Result<Value, AwsError> {
        let (bus, name) = self.rule_of(caller, "events:ListTargetsByRule", &request)?;
        let rule = self.rule(&bus, &name)?;
        let shown = rule.spec.targets.iter().map(|(id, target)| {
            let mut shown = json!({ "Id": id, "Arn": target.arn });
            let given = |is_given: bool, value: Value| if is_given { value } else { Value::Null };
            for (member, value) in [
                ("Input", json!(target.input)),
                ("InputPath", json!(target.input_path)),
                ("InputTransformer", json!(target.input_transformer)),
                ("RoleArn", json!(target.role_arn)),
                (
                    "HttpParameters",
                    given(target.http != HttpParameters::default(), json!(target.http)),
                ),
                (
                    "RetryPolicy",
                    given(target.retry != RetryPolicy::default(), json!(target.retry)),
                ),
            ] {
                if !value.is_null() {
                    shown[member] = value;
                }
            }
            (id.as_str(), shown)
        });
        request.paging.page("Targets", shown)
    }
}
