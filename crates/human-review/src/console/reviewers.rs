//! Who may sign in, and what they did.

use serde_json::Value;

use super::form::{Field, Form};
use super::page::Block;
use super::table::{Cell, Table};
use super::work::{self, Worked};
use super::{Console, ConsoleError, View, to_json};
use crate::event::HttpRequest;
use crate::flows::Workteam;
use crate::members::{Listed, Member, MemberPage};
use crate::session::{Role, SESSION_LIFETIME};

impl Console<'_> {
    pub(super) async fn reviewers(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let after = request.query.get("after").map(String::as_str).unwrap_or_default();
        let page = self.members.page(after).await?;
        let teams = self.flows.teams(self.now).await?;
        let worked = self.work_of(&page.reviewers).await?;
        let mut blocks = vec![
            Block::text(
                "Whoever was invited here or has signed in. What is changed here takes effect within a minute. Who \
                 signed in last with an earlier version is listed once they sign in again.",
            ),
            Block::text(about_work(worked.dataset.as_deref())),
            Block::Table(work::table(&page.reviewers, &worked)),
            Block::Table(Table {
                caption: "People".to_owned(),
                head: vec![
                    "Name",
                    "Role",
                    "State",
                    "Work teams",
                    "Invited",
                    "Signed in last",
                    "Worker id",
                    "Actions",
                ],
                rows: page.reviewers.iter().map(|row| cells(row, &teams)).collect(),
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
            json: document(&page, &worked),
        })
    }

    /// Refuses a work team that is not there.
    pub(super) async fn check_team(&self, name: &str) -> Result<(), ConsoleError> {
        let teams = self.flows.teams(self.now).await?;
        match teams.iter().any(|team| team.workteam_name == name) {
            true => Ok(()),
            false => Err(ConsoleError::Invalid(format!("there is no work team {name}"))),
        }
    }
}

/// Says what the figures of the work are, and of when.
fn about_work(dataset: Option<&str>) -> String {
    let counted = match dataset {
        Some(version) => format!(
            "Answers, median time, agreement and unsure are those of the dataset {version}, which was assembled last; not \
             known is who had answered nothing then."
        ),
        None => "Answers, median time, agreement and unsure are counted when a dataset is assembled: none was yet.".to_owned(),
    };
    format!(
        "{counted} Skipped tasks count since the version that shows them here, each task once. Last active and tasks today \
         may be five answers behind."
    )
}

/// Returns the members of a page, each with what they did.
fn document(page: &MemberPage, worked: &Worked) -> Value {
    let mut document = to_json(page);
    let members = document["reviewers"].as_array_mut().into_iter().flatten();
    for (member, work) in members.zip(&worked.rows) {
        member["work"] = to_json(work);
    }
    document["dataset"] = to_json(&worked.dataset);
    document
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

fn cells(row: &Listed, teams: &[Workteam]) -> Vec<Cell> {
    let member = &row.member;
    let form = |action, button: &str, value: &str| one_button(member, action, button, value);
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
        Cell::written(&member.name),
        Cell::text(member.role.as_str()),
        Cell::text(if member.paused { "paused" } else { "active" }),
        Cell::text(teams_of(member, teams)),
        Cell::text(time(member.invited_at)),
        Cell::text(time(member.signed_in_at)),
        Cell::text(&row.worker_id),
        Cell::Forms(
            [pause, form("revoke-sessions", "End sessions", ""), role]
                .into_iter()
                .chain(sessions)
                .chain(team_forms(member, teams))
                .collect(),
        ),
    ]
}

/// Returns a form that is a button, about somebody.
fn one_button(member: &Member, action: &'static str, button: &str, value: &str) -> Form {
    Form {
        action,
        hidden: vec![("subject", member.name.clone()), ("value", value.to_owned())],
        button: button.to_owned(),
        about: member.name.clone(),
        ..Form::default()
    }
}

/// Names the work teams that somebody is in beside that of the stack.
fn teams_of(member: &Member, teams: &[Workteam]) -> String {
    let all = member.teams_among(teams);
    let named = all.iter().map(|team| match member.teams.contains(team) {
        true => team.clone(),
        false => format!("{team} (by a group)"),
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Returns the forms that take somebody out of a work team, and put them into another.
fn team_forms(member: &Member, teams: &[Workteam]) -> Vec<Form> {
    let leave = member.teams.iter();
    let mut forms: Vec<Form> = leave
        .map(|team| one_button(member, "leave-team", &format!("Take out of {team}"), team))
        .collect();
    let others = teams.iter().map(|team| team.workteam_name.clone());
    let others: Vec<_> = others
        .filter(|team| !member.teams.contains(team))
        .map(|team| (team.clone(), team))
        .collect();
    if !others.is_empty() {
        forms.push(Form {
            action: "join-team",
            hidden: vec![("subject", member.name.clone())],
            fields: vec![Field {
                name: "value",
                label: "Work team",
                options: others,
            }],
            button: "Put into this team".to_owned(),
            about: member.name.clone(),
            ..Form::default()
        });
    }
    forms
}
