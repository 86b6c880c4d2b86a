//! One-time links into the reviewers' portal.

use clap::Args;
use human_review::{operations::Operation, session::Role};
use serde_json::{Value, json};

use crate::{
    outputs::StackOutputs,
    portal_function::{PortalError, PortalFunction},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The command `sign-in-link`.
#[derive(Debug, Args)]
pub struct Options {
    /// Who signs in with it
    #[arg(long, default_value = "local", value_name = "NAME")]
    reviewer: String,
    /// What they may do: reviewer answers tasks, admin runs the console as well
    #[arg(long, default_value = "reviewer", value_name = "ROLE", value_parser = role)]
    role: Role,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Prints a link into the portal of the running stack.
///
/// # Errors
///
/// When no stack runs, or no link is made.
pub async fn print_link(
    Options { reviewer, role, json }: Options,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<(), Failure> {
    let answer = ask_for_link(&stack()?, &reviewer, role).await?;
    let (link, known) = (url_of(&answer)?, known_as(&answer, &reviewer));
    match json {
        true => println!(
            "{}",
            json!({"url": link, "reviewer": known, "role": role, "paused": is_paused(&answer)})
        ),
        false => println!("{link}"),
    }
    tell_spelling(&reviewer, known);
    tell_pause(&answer, known);
    Ok(())
}

/// Says that who the link is for is paused.
pub fn tell_pause(answer: &Value, known: &str) {
    if is_paused(answer) {
        eprintln!(
            "{known} is paused: no link lets them in until `active-learning reviewers resume {known}`."
        );
    }
}

/// Returns whether who the link is for is paused; a function of a version before does not say.
pub fn is_paused(answer: &Value) -> bool {
    answer["paused"].as_bool().unwrap_or_default()
}

/// Returns the name by which somebody is known, as the function answers it.
pub fn known_as<'a>(answer: &'a Value, name: &'a str) -> &'a str {
    answer["reviewer"].as_str().unwrap_or(name)
}

/// Says by which name somebody is known, where it is spelt otherwise.
pub fn tell_spelling(name: &str, known: &str) {
    if name != known {
        eprintln!("{name} is known as {known}: case and white space tell no names apart.");
    }
}

/// Makes a link that signs `reviewer` in, once. On AWS, `aws lambda invoke` does the same.
///
/// # Errors
///
/// [`PortalError`], for example when the stack does not run.
pub async fn create_link(stack: &StackOutputs, reviewer: &str) -> Result<String, PortalError> {
    create_link_as(stack, reviewer, Role::Reviewer).await
}

/// Makes a link that signs `reviewer` in, once, with this role.
///
/// # Errors
///
/// [`PortalError`], for example when the stack does not run.
pub async fn create_link_as(stack: &StackOutputs, reviewer: &str, role: Role) -> Result<String, PortalError> {
    url_of(&ask_for_link(stack, reviewer, role).await?)
}

async fn ask_for_link(stack: &StackOutputs, reviewer: &str, role: Role) -> Result<Value, PortalError> {
    let portal = PortalFunction::of_stack(stack).await?;
    let operation = Operation::CreateSignInLink {
        reviewer: reviewer.to_owned(),
        portal_url: portal.portal_url(),
        role,
    };
    portal.call(&operation).await
}

/// Returns the link in an answer of the function.
///
/// # Errors
///
/// [`PortalError::Refused`] where there is none.
pub fn url_of(answer: &Value) -> Result<String, PortalError> {
    match answer["url"].as_str() {
        Some(url) => Ok(url.to_owned()),
        None => Err(PortalError::Refused("it answered without a link".to_owned())),
    }
}

/// Has the worker task template in use tried with a made-up task of so many items. Returns what is wrong with it, one
/// sentence each; nothing where its answers can be read, or where there is no portal.
///
/// # Errors
///
/// [`PortalError`], for example when the stack does not run.
pub async fn try_template(stack: &StackOutputs, items: usize) -> Result<Vec<String>, PortalError> {
    let portal = match PortalFunction::of_stack(stack).await {
        Ok(portal) => portal,
        Err(PortalError::NoPortal) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let operation = Operation::TryTemplate {
        input: None,
        items: Some(items),
    };
    let answer = portal.call(&operation).await?;
    if answer["works"] == true {
        return Ok(Vec::new());
    }

    let notices = answer["notices"].as_array().into_iter().flatten();
    let notices: Vec<String> = notices.filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(match notices.is_empty() {
        true => vec!["It could not be tried.".to_owned()],
        false => notices,
    })
}

/// Reads a role of the command line.
///
/// # Errors
///
/// What it may be.
pub fn role(argument: &str) -> Result<Role, &'static str> {
    Role::parse(argument).ok_or("expected reviewer or admin")
}
