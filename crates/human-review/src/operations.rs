//! What the function does when it is invoked directly, by whoever may invoke it: `{"operation": "…", …}`.
//!
//! Who may sign in is seen and changed by the same code as in the console, and written to the same log.

use active_learning_aws::failure::chain;
use active_learning_aws::metrics;
use active_learning_aws::overview::{Bounded, FAILED_EVENTS, UNDELIVERED, Waiting};
use active_learning_core::keys;
use chrono::{DateTime, SecondsFormat, Utc};
use lambda_runtime::tracing::warn;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::audit_log::{AuditLog, Deed};
use crate::damaged::Damaged;
use crate::event::HttpRequest;
use crate::members::{Invitation, MemberChange};
use crate::session::{Claims, Purpose, Role, SIGN_IN_LINK_LIFETIME, sign_in_url};
use crate::{HumanReview, HumanReviewError, checked_reviewer};

/// Payloads of direct invocations. A field that an operation does not have is refused by its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "operation",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Operation {
    /// Makes a one-time link: `{"url", "reviewer", "expiresAt"}`, the reviewer as they are known.
    CreateSignInLink {
        /// Who signs in with it.
        reviewer: String,
        /// Where the portal is, if the environment does not say.
        portal_url: Option<String>,
        /// What they may do.
        #[serde(default)]
        role: Role,
    },
    /// Counts what waits, as metrics, and tells reviewers where there is work again.
    Measure {},
    /// Ends the tasks that nobody answered in time, as far as their time came lately, also those of labelling jobs; called
    /// every minute.
    EndOverdue {},
    /// Answers a call of SageMaker's API as the function's URL does: `{"status", "body"}`.
    ControlPlane {
        /// Name of the API's operation, such as `DescribeLabelingJob`.
        call: String,
        /// Its request.
        request: Value,
    },
    /// Does what is due of the labelling jobs: `{"jobs"}`, how many were not final.
    DriveLabellingJobs {},
    /// Tries the worker task template in use with a made-up answer: `{"works", "notices"}`, and `"proposesOnly": true` where no
    /// choice is a label.
    TryTemplate {
        /// The input that it is tried with; made up where there is none.
        input: Option<Value>,
        /// Number of made-up items; as many as a task has, where it is not said.
        items: Option<usize>,
    },
    /// Lists who may sign in: a [`MemberPage`](crate::members::MemberPage).
    ListReviewers {
        /// Worker id after which the list begins; empty is the first.
        #[serde(default)]
        after: String,
    },
    /// Makes a one-time link and notes who was invited: `{"url", "reviewer", "expiresAt", "paused"}`, the reviewer as they are
    /// known.
    InviteReviewer {
        /// Who signs in with it.
        reviewer: String,
        /// Where the portal is, if the environment does not say.
        portal_url: Option<String>,
        /// What they may do.
        #[serde(default)]
        role: Role,
        /// Names of the work teams that they are in from then on; those of before where none is named.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        teams: Vec<String>,
        /// Who does it.
        #[serde(default = "operator")]
        by: String,
    },
    /// Notes somebody whom the provider will sign in, who is listed from then on: `{"reviewer"}`, as they are known.
    AddReviewer {
        /// Their name: the e-mail address that the provider has verified.
        reviewer: String,
        /// What they may do, until the provider says it.
        #[serde(default)]
        role: Role,
        /// Groups of theirs, until the provider names them: they are in the work teams of these.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        groups: Vec<String>,
        /// Who does it.
        #[serde(default = "operator")]
        by: String,
    },
    /// Keeps somebody out until they are let in again.
    PauseReviewer(Changed),
    /// Lets somebody in again.
    ResumeReviewer(Changed),
    /// Ends all sessions of somebody.
    RevokeSessions(Changed),
}

/// Who is changed, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// Name of who is changed.
    pub reviewer: String,
    /// Who does it.
    #[serde(default = "operator")]
    pub by: String,
}

/// Returns the name of whoever does not give one.
fn operator() -> String {
    "operator".to_owned()
}

impl HumanReview {
    /// Does one of the operations.
    pub(crate) async fn operate(
        &self,
        payload: Value,
        now: DateTime<Utc>,
    ) -> Result<Value, HumanReviewError> {
        match serde_json::from_value(payload).map_err(HumanReviewError::InvalidOperation)? {
            Operation::CreateSignInLink {
                reviewer,
                portal_url,
                role,
            } => self.create_sign_in_link(&reviewer, portal_url, role, now).await,
            Operation::Measure {} => self.measure(now).await,
            Operation::EndOverdue {} => {
                if let Err(error) = Box::pin(self.loops.end_just_due(now)).await {
                    warn!(
                        error = chain(&error),
                        "tasks whose time is over could not be ended"
                    );
                }
                if let Err(error) = Box::pin(self.jobs().have_due_driven(now)).await {
                    warn!(
                        error = chain(&error),
                        "tasks of labelling jobs whose time is over could not be ended"
                    );
                }
                Ok(Value::Null)
            }
            Operation::ControlPlane { call, request } => {
                let request = HttpRequest {
                    body: request.to_string().into_bytes(),
                    ..HttpRequest::default()
                };
                let reply = Box::pin(self.control_plane(now).answer(&call, &request)).await;
                let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
                Ok(json!({ "status": reply.status, "body": body }))
            }
            Operation::DriveLabellingJobs {} => Ok(json!({ "jobs": self.jobs().drive_all(now).await? })),
            Operation::TryTemplate { input, items } => {
                let trial = self.try_template(input, items, now).await?;
                let mut answer = json!({ "works": trial.works(), "notices": trial.notices });
                if trial.proposes_only {
                    answer["proposesOnly"] = json!(true);
                }
                Ok(answer)
            }
            Operation::ListReviewers { after } => {
                let page = self.members.page(&after).await?;
                Ok(serde_json::to_value(page).expect("a list of members has string keys"))
            }
            Operation::InviteReviewer {
                reviewer,
                portal_url,
                role,
                teams,
                by,
            } => {
                self.invite((&reviewer, &by), portal_url, (role, &teams), now)
                    .await
            }
            Operation::AddReviewer {
                reviewer,
                role,
                groups,
                by,
            } => self.add((&reviewer, &by), (role, &groups), now).await,
            Operation::PauseReviewer(who) => self.change_member(&who, MemberChange::Pause, now).await,
            Operation::ResumeReviewer(who) => self.change_member(&who, MemberChange::Resume, now).await,
            Operation::RevokeSessions(who) => {
                self.change_member(&who, MemberChange::RevokeSessions, now).await
            }
        }
    }

    async fn create_sign_in_link(
        &self,
        reviewer: &str,
        portal_url: Option<String>,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<Value, HumanReviewError> {
        let reviewer = checked_reviewer(reviewer)?;
        let portal_url = self.portal_url(portal_url)?;
        let known = self.members.other_spelling(reviewer, now).await?;
        let reviewer = known.as_deref().unwrap_or(reviewer);
        let (made_at, is_paused) = self.members.next_link_at(reviewer, now).await?;
        let claims = Claims::new(Purpose::SignIn, reviewer, made_at).with_role(role);
        let token = self.key.recent(now).await.sign(&claims);
        let mut made = link(&portal_url, &token, (reviewer, made_at + SIGN_IN_LINK_LIFETIME));
        made["paused"] = json!(is_paused);
        Ok(made)
    }

    async fn invite(
        &self,
        (reviewer, by): (&str, &str),
        portal_url: Option<String>,
        (role, teams): (Role, &[String]),
        now: DateTime<Utc>,
    ) -> Result<Value, HumanReviewError> {
        let (reviewer, by) = (checked_reviewer(reviewer)?, checked_reviewer(by)?);
        let known = self.flows.teams(now).await?;
        let is_known = |team: &&String| known.iter().any(|known| known.workteam_name == **team);
        if let Some(unknown) = teams.iter().find(|team| !is_known(team)) {
            return Err(HumanReviewError::UnknownTeam(unknown.clone()));
        }
        let portal_url = self.portal_url(portal_url)?;
        let deed = Deed {
            action: "invite",
            subject: reviewer,
            value: role.as_str(),
        };
        let key = self.key.recent(now).await;
        let invitation = AuditLog::of_invocation(&self.bucket, by, now)
            .record(
                deed,
                Box::pin(self.members.invite(&key, reviewer, (role, teams), now)),
            )
            .await?;
        let Invitation {
            reviewer,
            token,
            expires_at,
            is_paused,
        } = invitation;
        let mut made = link(&portal_url, &token, (&reviewer, expires_at));
        made["paused"] = json!(is_paused);
        Ok(made)
    }

    async fn add(
        &self,
        (reviewer, by): (&str, &str),
        (role, groups): (Role, &[String]),
        now: DateTime<Utc>,
    ) -> Result<Value, HumanReviewError> {
        let (reviewer, by) = (checked_reviewer(reviewer)?, checked_reviewer(by)?);
        let deed = Deed {
            action: "add-reviewer",
            subject: reviewer,
            value: role.as_str(),
        };
        let added = AuditLog::of_invocation(&self.bucket, by, now)
            .record(deed, Box::pin(self.members.add(reviewer, (role, groups), now)))
            .await?;
        Ok(json!({ "reviewer": added }))
    }

    async fn change_member(
        &self,
        Changed { reviewer, by }: &Changed,
        change: MemberChange<'_>,
        now: DateTime<Utc>,
    ) -> Result<Value, HumanReviewError> {
        let (reviewer, by) = (checked_reviewer(reviewer)?, checked_reviewer(by)?);
        let deed = Deed {
            action: change.address(),
            subject: reviewer,
            value: "",
        };
        let changed = AuditLog::of_invocation(&self.bucket, by, now)
            .record(deed, Box::pin(self.members.apply(reviewer, change, now)))
            .await?;
        Ok(json!({ "reviewer": changed }))
    }

    fn portal_url(&self, given: Option<String>) -> Result<String, HumanReviewError> {
        let portal_url = given.unwrap_or_else(|| self.config.portal_url.clone());
        match portal_url.is_empty() {
            true => Err(HumanReviewError::UnknownPortalUrl),
            false => Ok(portal_url),
        }
    }

    /// Counts what waits, for alarms; called by a schedule. Loops whose time is over end meanwhile, so that it is told, and a
    /// worker task template that was replaced is tried. Labelling jobs come last: they take their time, which the counts and
    /// notices do not wait for.
    async fn measure(&self, now: DateTime<Utc>) -> Result<Value, HumanReviewError> {
        if let Err(error) = self.loops.end_overdue(now).await {
            warn!(
                error = chain(&error),
                "loops whose time is over could not be ended"
            );
        }

        if let Err(error) = self.watch_template(now).await {
            warn!(
                error = chain(&error),
                "whether the worker task template was replaced is not known"
            );
        }

        if let Err(error) = Damaged::new(self.bucket.clone()).forget_mended().await {
            warn!(
                error = chain(&error),
                "whether what was damaged can be read now is not known"
            );
        }

        let waiting = Waiting::read(&self.bucket, now).await?;
        let damaged = Bounded::count(&self.bucket, keys::DAMAGED_FOLDER).await?;
        let failed = Bounded::count(&self.feedback, FAILED_EVENTS).await?;
        let undelivered = Bounded::count(&self.feedback, UNDELIVERED).await?;
        let disputes = Bounded::count(&self.training, keys::DISPUTED_FOLDER).await?;
        let age = waiting.oldest_age_seconds.unwrap_or(0);
        let counts = [
            ("Waiting", waiting.tasks.count as u64),
            ("OldestAgeSeconds", u64::try_from(age).unwrap_or(0)),
            ("FailedEvents", failed.count as u64),
            ("UndeliveredObjects", undelivered.count as u64),
            ("OpenDisputes", disputes.count as u64),
            ("DamagedObjects", damaged.count as u64),
        ];
        metrics::count("human-review", &counts);
        self.tell_of_work(waiting.tasks, now).await;

        if let Err(error) = Box::pin(self.jobs().have_all_driven(now)).await {
            warn!(error = chain(&error), "the labelling jobs could not be driven");
        }
        Ok(json!({ "waiting": waiting, "failedEvents": failed }))
    }
}

/// Says of a link whose it is, by the name that they are known by, and until when.
fn link(portal_url: &str, token: &str, (reviewer, expires_at): (&str, DateTime<Utc>)) -> Value {
    json!({
        "url": sign_in_url(portal_url, token),
        "reviewer": reviewer,
        "expiresAt": expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}
