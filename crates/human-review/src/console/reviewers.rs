//! Who may sign in.

use serde::Serialize;

use super::page::{Block, Cell, Field, Form, Table};
use super::{Console, ConsoleError, View, to_json};
use crate::event::HttpRequest;
use crate::members::Member;
use crate::session::{Role, SESSION_LIFETIME};

/// Members on a page.
const PAGE: usize = 100;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    worker_id: String,
    #[serde(flatten)]
    member: Member,
}

#[derive(Debug, Serialize)]
struct Rows {
    reviewers: Vec<Row>,
    /// Given as `after`, the next page.
    next: Option<String>,
}

impl Console<'_> {
    pub(super) async fn reviewers(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let after = request.query.get("after").map(String::as_str).unwrap_or_default();
        let members = self.members.page(after, PAGE).await?;
        let next = members
            .last()
            .filter(|_| members.len() == PAGE)
            .map(|(id, _)| id.clone());
        let rows: Vec<Row> = members
            .into_iter()
            .map(|(worker_id, member)| Row { worker_id, member })
            .collect();

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
                rows: rows.iter().map(cells).collect(),
            }),
        ];
        if let Some(next) = &next {
            blocks.push(Block::Link(
                format!("reviewers?after={next}"),
                "More people".to_owned(),
            ));
        }
        blocks.push(Block::heading("Invite somebody"));
        blocks.push(Block::Form(Form {
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
        }));
        let rows = Rows {
            reviewers: rows,
            next,
        };
        Ok(View {
            title: "Reviewers".to_owned(),
            blocks,
            json: to_json(&rows),
        })
    }
}

fn cells(row: &Row) -> Vec<Cell> {
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
