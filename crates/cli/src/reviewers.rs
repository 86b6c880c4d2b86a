//! Who may sign in to the portal, as an operator sees and changes it, here or on AWS.
//!
//! The function of the portal does it, by the code of the console, and writes it to the console's log.

mod pool;

use clap::{Args, Subcommand};
use human_review::{
    members::{Listed, Member, MemberPage},
    operations::{Changed, Operation},
    session::Role,
};
use serde_json::json;

use crate::{
    outputs::StackOutputs,
    portal_function::PortalFunction,
    sign_in::{is_paused, known_as, role, tell_pause, tell_spelling, url_of},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The command `reviewers`.
#[derive(Debug, Args)]
pub struct Options {
    /// Function of the portal of a stack on AWS (output ReviewPortalFunction) [default: the running local stack's]
    #[arg(long, global = true, value_name = "NAME")]
    function: Option<String>,
    /// Who does it, for the audit log
    #[arg(long, global = true, value_name = "NAME", default_value = "operator")]
    by: String,
    /// Prints JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Shows who was invited or has signed in, with role and state (the default)
    #[command(after_help = "Example: active-learning reviewers list --json")]
    List,
    /// Makes a one-time sign-in link for somebody; it is shown once and stored nowhere
    #[command(after_help = "Example: active-learning reviewers invite ann --role admin")]
    Invite {
        /// Their name
        name: String,
        /// What they may do: reviewer answers tasks, admin runs the console as well
        #[arg(long, default_value = "reviewer", value_name = "ROLE", value_parser = role)]
        role: Role,
        /// A work team that they are in, beside that of the stack; may be repeated
        #[arg(long = "team", value_name = "NAME", conflicts_with = "user_pool")]
        teams: Vec<String>,
        /// Cognito user pool in which they are made, instead of a link: Cognito writes to them, and NAME is their address
        #[arg(long, value_name = "ID")]
        user_pool: Option<String>,
        /// Group of the user pool that they are put into
        #[arg(long, value_name = "NAME", requires = "user_pool")]
        group: Option<String>,
    },
    /// Lists everybody in a group of a Cognito user pool as a reviewer, before they sign in
    #[command(
        after_help = "Example: active-learning reviewers import --user-pool us-east-1_AbCdEfGhI --group reviewers"
    )]
    Import(pool::Import),
    /// Keeps somebody out until they are let in again; what they have answered stays
    #[command(after_help = "Example: active-learning reviewers pause ann")]
    Pause {
        /// Their name
        name: String,
    },
    /// Lets somebody in again
    #[command(after_help = "Example: active-learning reviewers resume ann")]
    Resume {
        /// Their name
        name: String,
    },
    /// Ends all sessions of somebody; they need a new link to come in again
    #[command(after_help = "Example: active-learning reviewers revoke ann --by ada")]
    Revoke {
        /// Their name
        name: String,
    },
}

/// Does what was asked; `stack` finds the running stack.
///
/// # Errors
///
/// When no stack runs, the function cannot be invoked, or it refuses; in words.
pub async fn execute(
    options: Options,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<(), Failure> {
    let portal = match options.function {
        Some(function) => PortalFunction::on_aws(function).await,
        None => PortalFunction::of_stack(&stack()?).await?,
    };
    let (by, json) = (options.by, options.json);
    match options.action.unwrap_or(Action::List) {
        Action::List => list(&portal, json).await,
        Action::Invite {
            name,
            role,
            user_pool: Some(id),
            group,
            ..
        } => {
            let into = (id.as_str(), group.as_deref());
            Box::pin(pool::invite(&portal, into, (&name, role), &by, json)).await
        }
        Action::Invite {
            name, role, teams, ..
        } => invite(&portal, name, (role, teams), by, json).await,
        Action::Import(import) => Box::pin(pool::import(&portal, import, &by, json)).await,
        Action::Pause { name } => {
            let done = "is paused: they are kept out within a minute";
            change(&portal, name, by, Operation::PauseReviewer, done, json).await
        }
        Action::Resume { name } => {
            let done = "may come in again; links made before are void";
            change(&portal, name, by, Operation::ResumeReviewer, done, json).await
        }
        Action::Revoke { name } => {
            let done = "has no session any more within a minute; links made before are void";
            change(&portal, name, by, Operation::RevokeSessions, done, json).await
        }
    }
}

async fn list(portal: &PortalFunction, json: bool) -> Result<(), Failure> {
    let (mut reviewers, mut after) = (Vec::new(), Some(String::new()));
    while let Some(from) = after {
        let answer = portal.call(&Operation::ListReviewers { after: from }).await?;
        let page: MemberPage = serde_json::from_value(answer)?;
        reviewers.extend(page.reviewers);
        after = page.next;
    }

    match json {
        true => println!("{}", serde_json::to_string_pretty(&reviewers)?),
        false => print!("{}", listed(&reviewers)),
    }
    Ok(())
}

async fn invite(
    portal: &PortalFunction,
    name: String,
    (role, teams): (Role, Vec<String>),
    by: String,
    json: bool,
) -> Result<(), Failure> {
    let operation = Operation::InviteReviewer {
        reviewer: name.clone(),
        portal_url: portal.portal_url(),
        role,
        teams,
        by,
    };
    let answer = portal.call(&operation).await?;
    let (url, until) = (url_of(&answer)?, &answer["expiresAt"]);
    let known = known_as(&answer, &name);
    tell_spelling(&name, known);
    tell_pause(&answer, known);
    if json {
        let paused = is_paused(&answer);
        println!(
            "{}",
            json!({"url": url, "expiresAt": until, "reviewer": known, "role": role, "paused": paused})
        );
        return Ok(());
    }
    println!("{url}");
    let until = until.as_str().unwrap_or("an hour from now");
    eprintln!("Give it to {known}. It works once, until {until}, and is not shown again.");
    Ok(())
}

async fn change(
    portal: &PortalFunction,
    name: String,
    by: String,
    operation: impl FnOnce(Changed) -> Operation,
    done: &str,
    json: bool,
) -> Result<(), Failure> {
    let reviewer = name.clone();
    let answer = portal.call(&operation(Changed { reviewer, by })).await?;
    let known = known_as(&answer, &name);
    tell_spelling(&name, known);
    match json {
        true => println!("{answer}"),
        false => println!("{known} {done}."),
    }
    Ok(())
}

fn listed(reviewers: &[Listed]) -> String {
    if reviewers.is_empty() {
        return "Nobody was invited or has signed in.\n".to_owned();
    }
    let lines = reviewers.iter().map(|one| line(&one.member));
    let head = line_of(["name", "role", "state", "sessions", "signed in last"]);
    std::iter::once(head).chain(lines).collect()
}

fn line(member: &Member) -> String {
    let state = if member.paused { "paused" } else { "active" };
    let sessions = member.sessions.iter().filter(|session| !session.ended).count();
    let signed_in = match (member.signed_in_at, member.invited_at) {
        (Some(at), _) => at.format("%Y-%m-%d %H:%M UTC").to_string(),
        (None, Some(at)) => format!("never; invited {}", at.format("%Y-%m-%d %H:%M UTC")),
        (None, None) => "never".to_owned(),
    };
    line_of([
        &member.name,
        member.role.as_str(),
        state,
        &sessions.to_string(),
        &signed_in,
    ])
}

fn line_of([name, role, state, sessions, signed_in]: [&str; 5]) -> String {
    format!("{name:<24} {role:<9} {state:<7} {sessions:<9} {signed_in}\n")
}
