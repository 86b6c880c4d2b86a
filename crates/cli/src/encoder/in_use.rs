//! Through which text encoder a stack looks, and which one its serving model was trained with.

use std::path::Path;

use active_learning_aws::{encoder_in_use::EncoderInUse, text_vectors::TextVectorsError};
use serde::Serialize;

use super::{Described, PARAMETER, describe};
use crate::{models::Models, outputs::StackOutputs, place};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a model was trained with that looks at words alone.
const NONE: &str = "none";

/// The encoders of a stack whose classifier is the built-in one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfStack {
    /// Value of the parameter `TextEncoder`; none where the classifier could not be asked.
    pub choice: Option<String>,
    /// Identity of the encoder in use; none where there is none.
    pub identity: Option<String>,
    /// Identities that earlier releases gave the same encoder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier_identities: Vec<String>,
    /// Why the classifier did not say it, or could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether a model serves; none where that could not be asked.
    pub has_serving_model: Option<bool>,
    /// What the serving model was trained with: an identity, or `none`. Nothing where none serves, or it is not known.
    pub of_serving_model: Option<String>,
}

impl OfStack {
    /// Joins what is known of the serving model, if one serves, with what the classifier said, if it could be asked.
    pub fn of(
        serving: Option<Option<String>>,
        asked: Option<Result<EncoderInUse, TextVectorsError>>,
    ) -> Self {
        let mut stack = Self {
            has_serving_model: Some(serving.is_some()),
            of_serving_model: serving.flatten(),
            ..Self::default()
        };
        match asked {
            Some(Ok(said)) => {
                (stack.choice, stack.identity) = (Some(said.text_encoder), said.encoder);
                stack.earlier_identities = said.earlier;
            }
            Some(Err(error)) => stack.problem = Some(error.to_string()),
            None => {}
        }
        stack
    }

    /// Is what is known of a stack that cannot be asked.
    pub fn unknown(problem: String) -> Self {
        Self {
            problem: Some(problem),
            ..Self::default()
        }
    }

    /// Says through which encoder the stack looks.
    pub fn in_use(&self) -> String {
        match (&self.problem, &self.choice, &self.identity) {
            (Some(problem), _, _) => format!("not known, the classifier did not say it: {problem}"),
            (None, Some(choice), Some(identity)) => format!("{PARAMETER}={choice}, identity {identity}"),
            (None, Some(choice), None) => format!("{PARAMETER}={choice}"),
            (None, None, _) => format!("as the parameter {PARAMETER} of the stack says"),
        }
    }

    /// Says which encoder the serving model was trained with.
    pub fn of_model(&self) -> String {
        match self.of_serving_model.as_deref() {
            _ if self.has_serving_model == Some(false) => "no model serves".to_owned(),
            None if self.has_serving_model.is_none() => "not known".to_owned(),
            None => "not known: the model was trained by an earlier release, or elsewhere".to_owned(),
            Some(NONE) => "none: it looks at words alone".to_owned(),
            Some(identity) if self.identity.as_deref() == Some(identity) => "the same".to_owned(),
            Some(identity) if self.earlier_identities.iter().any(|earlier| earlier == identity) => {
                format!("the same, which an earlier release called {identity}")
            }
            Some(identity) => format!("identity {identity}"),
        }
    }
}

/// What the program has, and what a stack uses.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(flatten)]
    described: Described,
    /// Nothing where no stack runs, or none with the built-in classifier.
    in_use: Option<OfStack>,
}

/// Prints what the encoder of the program is and what the running stack uses, or what that of a folder is.
///
/// # Errors
///
/// As [`describe`].
pub async fn print(
    folder: Option<&Path>,
    json: bool,
    running: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<(), Failure> {
    let described = describe(folder)?;
    if folder.is_some() {
        return print_described(&described, json);
    }
    let (in_use, why_not) = match running() {
        Ok(stack) => {
            let config = place::sdk_config(Some(&stack.endpoint_url)).await;
            let of_stack = Models::of_stack(&config, &stack).encoders(None).await;
            (
                of_stack,
                "it classifies by another service than the built-in one".to_owned(),
            )
        }
        Err(why_not) => (None, why_not.to_string()),
    };
    if json {
        let answer = Answer { described, in_use };
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }

    print_described(&described, false)?;
    match in_use {
        Some(stack) => {
            println!("The running stack looks through: {}", stack.in_use());
            println!("Its serving model was trained with: {}", stack.of_model());
        }
        None => println!("What a stack uses is not told: {why_not}"),
    }
    Ok(())
}

fn print_described(described: &Described, json: bool) -> Result<(), Failure> {
    match json {
        true => println!("{}", serde_json::to_string_pretty(described)?),
        false => print!("{described}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(choice: &str, encoder: Option<&str>) -> Option<Result<EncoderInUse, TextVectorsError>> {
        Some(Ok(EncoderInUse {
            text_encoder: choice.to_owned(),
            encoder: encoder.map(str::to_owned),
            earlier: vec!["0a".to_owned()],
        }))
    }

    #[test]
    fn a_stack_says_its_encoder_and_that_of_its_model() {
        let model = |encoder: &str| Some(Some(encoder.to_owned()));
        let words = |stack: OfStack| (stack.in_use(), stack.of_model());
        let both = |in_use: &str, of_model: &str| (in_use.to_owned(), of_model.to_owned());

        assert_eq!(
            words(OfStack::of(model("1f"), said("s3", Some("1f")))),
            both("TextEncoder=s3, identity 1f", "the same")
        );
        assert_eq!(
            words(OfStack::of(model("0a"), said("s3", Some("1f")))).1,
            "the same, which an earlier release called 0a"
        );
        assert_eq!(
            words(OfStack::of(model("1f"), said("built-in", Some("2e")))),
            both("TextEncoder=built-in, identity 2e", "identity 1f")
        );
        assert_eq!(
            words(OfStack::of(model("none"), said("none", None))),
            both("TextEncoder=none", "none: it looks at words alone")
        );
        assert_eq!(words(OfStack::of(None, said("none", None))).1, "no model serves");
    }

    #[test]
    fn what_is_not_known_of_encoders_is_said_to_be_so() {
        let refused = OfStack::of(Some(None), Some(Err(TextVectorsError::Answer)));
        let on_aws = OfStack::of(Some(Some("1f".to_owned())), None);
        let unknown = OfStack::unknown("nobody answers".to_owned());

        assert!(refused.in_use().contains("no encoder"), "{}", refused.in_use());
        assert!(
            refused.of_model().contains("an earlier release"),
            "{}",
            refused.of_model()
        );
        assert_eq!(on_aws.in_use(), "as the parameter TextEncoder of the stack says");
        assert_eq!(on_aws.of_model(), "identity 1f");
        assert!(
            unknown.in_use().contains("nobody answers"),
            "{}",
            unknown.in_use()
        );
        assert_eq!(unknown.of_model(), "not known");
    }
}
