//! Who may sign in.

use super::form::{Field, Form};
use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError, View, to_json};
use crate::event::HttpRequest;
use crate::members::Listed;
use crate::session::{Role, SESSION_LIFETIME};

impl Console<'_> {
    pub(super) async fn reviewers(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let after = request.query.get("after").map(String::as_str).unwrap_or_default();
        let page = self.members.page(after).await?;
        let mut blocks = vec![
            Block::text(
                "Whoever was invited here or has signed in. What is changed here takes effect within a minute. Who \
                 signed in last with an earlier version is listed once they sign in again.",
            ),
            Block::Table(Table {
                caption: "People".to_owned(),
                head: vec![
                    "Name",
                    "Role",
                    "State",
                    "Invited",
                    "Signed in last",
                    "Worker id",
                    "Actions",
                ],
                rows: page.reviewers.iter().map(cells).collect(),
            }),
        ];
        if let Some(next) = &page.next {
            blocks.push(Block::Link(
                format!("reviewers?after={next}"),
                "More people".to_owned(),
            ));
        }
        blocks.push(Block::heading("Invite somebody"));
        blocks.push(Block::Form(invitation()));

        Ok(View {
            title: "Reviewers".to_owned(),
            blocks,
            json: to_json(&page),
        })
    }
}

/// Returns the form that makes a link for somebody.
fn invitation() -> Form {
    Form {
        action: "invite",
        fields: vec![
            Field {
                name: "subject",
                label: "Name",
                options: Vec::new(),
            },
            Field {
                name: "value",
                label: "Role",
                options: [Role::Reviewer, Role::Admin]
                    .map(|role| (role.as_str().into(), role.as_str().into()))
                    .into(),
            },
        ],
        button: "Make a sign-in link".to_owned(),
        ..Form::default()
    }
}

fn cells(row: &Listed) -> Vec<Cell> {
    let member = &row.member;
    let form = |action, button: &str, value: &str| Form {
        action,
        hidden: vec![("subject", member.name.clone()), ("value", value.to_owned())],
        button: button.to_owned(),
        about: member.name.clone(),
        ..Form::default()
    };
    let pause = match member.paused {
        true => form("resume-reviewer", "Let in again", ""),
        false => form("pause-reviewer", "Pause", ""),
    };
    let role = match member.role {
        Role::Admin => form("set-role", "Make a reviewer", Role::Reviewer.as_str()),
        Role::Reviewer => form("set-role", "Make an admin", Role::Admin.as_str()),
    };
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
        at.map_or_else(
            || "never".to_owned(),
            |at| at.format("%Y-%m-%d %H:%M UTC").to_string(),
        )
    };
    let sessions = member.sessions.iter().filter(|session| !session.ended);
    let sessions = sessions.map(|session| {
        let began_at = session.expires_at - SESSION_LIFETIME.num_seconds();
        let began_at = time(chrono::DateTime::from_timestamp(began_at, 0));
        form(
            "end-session",
            &format!("End the session of {began_at}"),
            &session.id,
        )
    });
    vec![
        Cell::text(&member.name),
        Cell::text(member.role.as_str()),
        Cell::text(if member.paused { "paused" } else { "active" }),
        Cell::text(time(member.invited_at)),
        Cell::text(time(member.signed_in_at)),
        Cell::text(&row.worker_id),
        Cell::Forms(
            [pause, form("revoke-sessions", "End sessions", ""), role]
                .into_iter()
                .chain(sessions)
                .collect(),
        ),
    ]
}
