//! Which functions a labelling job calls: its own, or the built-in ones that go by the names of Ground Truth's.

use super::{ControlError, invalid};
use crate::labelling_jobs::record::{AuditKind, Task};

const PRE_MEMBER: &str = "humanTaskConfig.preHumanTaskLambdaArn";
const ACS_MEMBER: &str = "humanTaskConfig.annotationConsolidationConfig.annotationConsolidationLambdaArn";

/// Accounts of Ground Truth's own functions, one for each Region. Source: SageMaker API, `HumanTaskConfig`.
const GROUND_TRUTH: [&str; 12] = [
    "081040173940",
    "203001061592",
    "266458841044",
    "377565633583",
    "432418664414",
    "454466003867",
    "477331159723",
    "487402164563",
    "565803892007",
    "568282634449",
    "845288260483",
    "918755190332",
];

/// The functions of a job, none for the built-in behaviour, and its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Functions {
    pub pre_annotation: Option<String>,
    pub consolidation: Option<String>,
    pub task: Task,
    pub audit: Option<AuditKind>,
}

/// What a built-in function is for.
type Kind = (Task, Option<AuditKind>);

/// Which function an ARN names.
enum Named {
    Own(String),
    BuiltIn(Kind),
}

/// Returns what the ARNs of the functions before and after people name: functions of one's own, or built-in ones, which
/// say the type of the task.
///
/// # Errors
///
/// [`ControlError`] where they name a type that is not here, or two types.
pub(super) fn checked_functions(pre: Option<&str>, acs: Option<&str>) -> Result<Functions, ControlError> {
    let pre = pre.map(|arn| named(arn, "PRE-", PRE_MEMBER)).transpose()?;
    let acs = acs.map(|arn| named(arn, "ACS-", ACS_MEMBER)).transpose()?;
    let (task, audit) = match (&pre, &acs) {
        (Some(Named::BuiltIn(one)), Some(Named::BuiltIn(other))) if one != other => {
            let message =
                "PreHumanTaskLambdaArn and AnnotationConsolidationLambdaArn are of different task types.";
            return Err(ControlError::Validation(message.to_owned()));
        }
        (_, Some(Named::BuiltIn(kind))) | (Some(Named::BuiltIn(kind)), _) => *kind,
        _ => (Task::SingleLabel, None),
    };
    Ok(Functions {
        pre_annotation: own(pre),
        consolidation: own(acs),
        task,
        audit,
    })
}

fn own(named: Option<Named>) -> Option<String> {
    match named {
        Some(Named::Own(arn)) => Some(arn),
        Some(Named::BuiltIn(_)) | None => None,
    }
}

fn named(arn: &str, built_in: &str, member: &str) -> Result<Named, ControlError> {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let &["arn", partition, "lambda", region, account, "function", name] = parts.as_slice() else {
        return Err(not_an_arn(arn, member));
    };
    let is_account = account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit());
    if !partition.starts_with("aws") || region.is_empty() || !is_account || name.is_empty() {
        return Err(not_an_arn(arn, member));
    }
    let rest = name.strip_prefix(built_in);
    // A function of that name in any other account is called, as Ground Truth calls it.
    let Some(rest) = rest.filter(|_| GROUND_TRUTH.contains(&account)) else {
        return Ok(Named::Own(arn.to_owned()));
    };
    let (rest, audit) = match (rest.strip_prefix("Verification"), rest.strip_prefix("Adjustment")) {
        (Some(rest), _) => (rest, Some(AuditKind::Verification)),
        (_, Some(rest)) => (rest, Some(AuditKind::Adjustment)),
        (None, None) => (rest, None),
    };
    match (rest, audit) {
        ("TextMultiClass", audit) => Ok(Named::BuiltIn((Task::SingleLabel, audit))),
        // A verdict on several labels is one label.
        ("TextMultiClassMultiLabel", Some(AuditKind::Verification)) => {
            Ok(Named::BuiltIn((Task::SingleLabel, audit)))
        }
        ("TextMultiClassMultiLabel", audit) => Ok(Named::BuiltIn((Task::MultiLabel, audit))),
        _ => {
            let rule = format!(
                "Member must be a function of your own, {built_in}TextMultiClass or {built_in}TextMultiClassMultiLabel, \
                 or one of them after {built_in}Verification or {built_in}Adjustment: other built-in task types are not \
                 offered here"
            );
            Err(invalid(arn, member, &rule))
        }
    }
}

fn not_an_arn(arn: &str, member: &str) -> ControlError {
    let rule = r"Member must satisfy regular expression pattern: arn:aws[a-z\-]*:lambda:[a-z0-9\-]*:[0-9]{12}:function:.*";
    invalid(arn, member, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: &str = "arn:aws:lambda:us-east-1:432418664414:function:";

    #[test]
    fn the_functions_of_ground_truth_stand_for_the_built_in_behaviour() {
        let of = |pre: &str, acs: &str| {
            checked_functions(Some(&format!("{AWS}{pre}")), Some(&format!("{AWS}{acs}"))).ok()
        };

        let single = Functions {
            pre_annotation: None,
            consolidation: None,
            task: Task::SingleLabel,
            audit: None,
        };
        assert_eq!(
            of("PRE-TextMultiClass", "ACS-TextMultiClass"),
            Some(single.clone())
        );
        assert_eq!(checked_functions(None, None).ok(), Some(single));
        let multi = of("PRE-TextMultiClassMultiLabel", "ACS-TextMultiClassMultiLabel").expect("good");
        assert_eq!(multi.task, Task::MultiLabel);
        let adjusted = of("PRE-AdjustmentTextMultiClass", "ACS-AdjustmentTextMultiClass").expect("good");
        assert_eq!(adjusted.audit, Some(AuditKind::Adjustment));
        let verified = of(
            "PRE-VerificationTextMultiClassMultiLabel",
            "ACS-VerificationTextMultiClassMultiLabel",
        );
        assert_eq!(verified.expect("good").task, Task::SingleLabel);
        assert_eq!(of("PRE-TextMultiClass", "ACS-TextMultiClassMultiLabel"), None);
        assert_eq!(of("PRE-BoundingBox", "ACS-BoundingBox"), None);
    }

    #[test]
    fn any_other_function_is_called() {
        let own = format!("{AWS}mine");

        let functions = checked_functions(Some(&own), Some(&format!("{AWS}ACS-TextMultiClassMultiLabel")));

        let functions = functions.expect("good");
        assert_eq!(
            (functions.pre_annotation, functions.task),
            (Some(own), Task::MultiLabel)
        );
        assert_eq!(functions.consolidation, None);
        for name in ["PRE-mytask", "PRE-TextMultiClass", "PRE-AdjustmentTextMultiClass"] {
            let own = format!("arn:aws:lambda:eu-west-1:111122223333:function:{name}");
            let functions = checked_functions(Some(&own), None).expect("good");
            assert_eq!(functions.pre_annotation, Some(own));
            assert_eq!(functions.audit, None, "{name}");
        }
        assert!(checked_functions(Some("mine"), None).is_err());
    }
}
