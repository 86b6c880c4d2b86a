//! AWS Secrets Manager.

/// A secret of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSpec {
    /// Secret name.
    pub name: String,
    /// How its value is made the first time; the value then stays.
    pub generate: GenerateSecretString,
}

/// `GenerateSecretString`, as far as it is implemented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateSecretString {
    /// Length in characters.
    pub length: u32,
    /// Leaves punctuation out.
    pub exclude_punctuation: bool,
}
