//! The environment of a function, captured once and complained about by name.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

/// The environment variables of a process.
#[derive(Clone, Debug, Default)]
pub struct Env(BTreeMap<String, String>);

/// A variable that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The variable is not set.
    #[error("environment variable {0} is not set")]
    Missing(String),
    /// The variable has a value that cannot be used.
    #[error("environment variable {name} is invalid: {reason}")]
    Invalid {
        /// Name of the variable.
        name: String,
        /// What is wrong with its value.
        reason: String,
    },
}

impl Env {
    /// Captures the environment of this process. Variables that are not UTF-8 are left out.
    pub fn from_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// Reads a variable that must be set and not empty.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is absent, empty, or does not parse.
    pub fn required<T>(&self, name: &str) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.0.get(name).map(String::as_str) {
            None | Some("") => Err(ConfigError::Missing(name.to_owned())),
            Some(value) => parse(name, value),
        }
    }

    /// Reads a variable that must be set; an empty value means "none".
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is absent or does not parse.
    pub fn optional<T>(&self, name: &str) -> Result<Option<T>, ConfigError>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.0.get(name).map(String::as_str) {
            None => Err(ConfigError::Missing(name.to_owned())),
            Some("") => Ok(None),
            Some(value) => parse(name, value).map(Some),
        }
    }

    /// Reads a comma-separated list; blank entries are left out.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is absent or has no entry.
    pub fn list(&self, name: &str) -> Result<Vec<String>, ConfigError> {
        let text: String = self.required(name)?;
        let entries: Vec<String> = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect();
        if entries.is_empty() {
            Err(ConfigError::Missing(name.to_owned()))
        } else {
            Ok(entries)
        }
    }
}

fn parse<T>(name: &str, value: &str) -> Result<T, ConfigError>
where
    T: FromStr,
    T::Err: Display,
{
    value.parse().map_err(|error: T::Err| ConfigError::Invalid {
        name: name.to_owned(),
        reason: error.to_string(),
    })
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(variables: [(&str, &str); N]) -> Self {
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect()
    }
}

impl FromIterator<(String, String)> for Env {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use active_learning_core::feedback::review_policy::ConfidenceThreshold;

    use super::*;

    #[test]
    fn a_wrong_value_is_named_with_what_was_expected() {
        let env = Env::from([("CONFIDENCE_THRESHOLD", "50%")]);

        let error = env
            .required::<ConfidenceThreshold>("CONFIDENCE_THRESHOLD")
            .expect_err("no number");

        assert_eq!(
            error.to_string(),
            "environment variable CONFIDENCE_THRESHOLD is invalid: expected a number from 0 to 1, got `50%`"
        );
    }

    #[test]
    fn an_empty_optional_is_none_and_an_absent_one_an_error() {
        let env = Env::from([("CLASSIFIER_URL", "")]);

        assert_eq!(env.optional::<String>("CLASSIFIER_URL"), Ok(None));
        assert_eq!(
            env.optional::<String>("OTHER"),
            Err(ConfigError::Missing("OTHER".into()))
        );
        assert_eq!(
            env.required::<String>("CLASSIFIER_URL"),
            Err(ConfigError::Missing("CLASSIFIER_URL".into()))
        );
    }

    #[test]
    fn a_list_is_split_at_commas_without_blanks() {
        let env = Env::from([("CLASSES", "World, Sports,,Business "), ("NONE", " ,")]);

        assert_eq!(
            env.list("CLASSES"),
            Ok(["World", "Sports", "Business"].map(str::to_owned).to_vec())
        );
        assert!(env.list("NONE").is_err());
    }
}
