//! Reviewers out of a Cognito user pool, with the operator's own AWS credentials.

use active_learning_aws::{
    env::Env,
    failure::chain,
    user_pool::{Invited, PoolUser, UserPool},
};
use clap::Args;
use human_review::{operations::Operation, session::Role};
use serde_json::{Value, json};

use super::Failure;
use crate::{
    place::sdk_config,
    portal_function::PortalFunction,
    sign_in::{known_as, role},
};

/// Whom `reviewers import` takes.
#[derive(Debug, Args)]
pub struct Import {
    /// Id of the user pool (output UserPoolId)
    #[arg(long, value_name = "ID")]
    user_pool: String,
    /// Group of the pool
    #[arg(long, value_name = "NAME")]
    group: String,
    /// What they may do, until the provider says it at their sign-in
    #[arg(long, default_value = "reviewer", value_name = "ROLE", value_parser = role)]
    role: Role,
}

async fn open(id: &str) -> Result<UserPool, Failure> {
    Ok(UserPool::new(&sdk_config(None).await, id, &Env::from_process())?)
}

/// Lists everybody in a group as a reviewer, before they sign in.
pub async fn import(portal: &PortalFunction, import: Import, by: &str, is_json: bool) -> Result<(), Failure> {
    let pool = open(&import.user_pool).await?;
    let users = pool
        .users_of(&import.group)
        .await
        .map_err(|error| chain(&error))?;
    let (mut imported, mut left_out) = (Vec::new(), Vec::new());
    for user in users {
        match taken(&user) {
            Ok(email) => imported.push(add(portal, &email, (import.role, Some(&import.group)), by).await?),
            Err(reason) => left_out.push(json!({ "username": user.username, "reason": reason })),
        }
    }

    if is_json {
        let answer = json!({ "imported": imported, "leftOut": left_out });
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    println!("{} of the group {} are reviewers.", imported.len(), import.group);
    for one in &left_out {
        let text = |name: &str| one[name].as_str().unwrap_or_default();
        println!("Left out: {}, {}.", text("username"), text("reason"));
    }
    Ok(())
}

/// Makes a user in the pool, to whom Cognito writes, and lists them as a reviewer.
pub async fn invite(
    portal: &PortalFunction,
    (pool, group): (&str, Option<&str>),
    (email, role): (&str, Role),
    by: &str,
    is_json: bool,
) -> Result<(), Failure> {
    let email = email.trim().to_lowercase();
    if !email.contains('@') {
        return Err(format!("`{email}` is no e-mail address, to which Cognito could write").into());
    }
    let pool = open(pool).await?;
    let invited = pool.invite(&email, group).await.map_err(|error| chain(&error))?;
    let known = add(portal, &email, (role, group), by).await?;
    let is_mailed = invited == Invited::ByMail;
    match (is_json, is_mailed) {
        (true, _) => println!(
            "{}",
            json!({ "reviewer": known, "role": role, "mailed": is_mailed })
        ),
        (false, true) => println!("{known} is in the user pool; Cognito sends a mail with a first password."),
        (false, false) => println!("{known} was in the user pool before; no mail is sent."),
    }
    Ok(())
}

/// Returns the name of a user at their sign-in.
///
/// # Errors
///
/// Why they are left out.
fn taken(user: &PoolUser) -> Result<String, &'static str> {
    match &user.email {
        _ if !user.is_enabled => Err("who is disabled in the pool"),
        None => Err("who has no verified e-mail address"),
        Some(email) => Ok(email.to_lowercase()),
    }
}

async fn add(
    portal: &PortalFunction,
    email: &str,
    (role, group): (Role, Option<&str>),
    by: &str,
) -> Result<String, Failure> {
    let operation = Operation::AddReviewer {
        reviewer: email.to_owned(),
        role,
        groups: group.map(str::to_owned).into_iter().collect(),
        by: by.to_owned(),
    };
    let answer: Value = portal.call(&operation).await?;
    Ok(known_as(&answer, email).to_owned())
}
