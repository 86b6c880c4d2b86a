//! `AWS::SecretsManager::Secret`, generated.

use local_aws::secretsmanager::{GenerateSecretString, SecretSpec};

use super::Properties;
use crate::template::Resource;

pub(super) fn secret(resource: &Resource, mut properties: Properties<'_>) -> SecretSpec {
    properties.ignore(&["Description", "Name", "Tags"]);
    let mut generate = GenerateSecretString {
        length: 32,
        exclude_punctuation: false,
    };
    properties.require("GenerateSecretString");
    if let Some(mut settings) = properties.nested("GenerateSecretString") {
        generate.length = settings.integer("PasswordLength", 1..=4096).unwrap_or(32);
        generate.exclude_punctuation = settings.flag("ExcludePunctuation").unwrap_or(false);
    }
    SecretSpec {
        name: secret_name(&resource.reference),
        generate,
    }
}

/// Returns the name in a secret's ARN, without the six characters that the service adds.
fn secret_name(arn: &str) -> String {
    let name = arn.rsplit(':').next().unwrap_or_default();
    name.rsplit_once('-').map_or(name, |(name, _)| name).to_owned()
}
