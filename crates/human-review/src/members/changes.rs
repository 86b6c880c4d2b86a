//! What operators do to members, in the console or by invoking the function: invite, pause, resume, end sessions.

use active_learning_aws::bucket::BucketError;
use active_learning_core::keys;
use chrono::{DateTime, Utc};

use super::Members;
use crate::human_loop::Worker;
use crate::session::{Claims, Purpose, Role, SESSION_LIFETIME, SIGN_IN_LINK_LIFETIME, SigningKey};

/// A change of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange<'a> {
    /// Keeps them out until they are let in again.
    Pause,
    /// Lets them in again.
    Resume,
    /// Ends all their sessions.
    RevokeSessions,
    /// Ends the session of this id.
    EndSession(&'a str),
    /// Changes what they may do.
    SetRole(Role),
    /// Puts them into the work team of this name.
    JoinTeam(&'a str),
    /// Takes them out of the work team of this name, which a group of theirs may bring them back to.
    LeaveTeam(&'a str),
}

/// Why a member was not changed.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// Nobody of this name was invited or has signed in.
    #[error("nobody of this name is known")]
    Unknown,
    /// The review bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// A sign-in link that was made for a member: shown once, stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Name of whom it is for, as they are known.
    pub reviewer: String,
    /// What the link carries.
    pub token: String,
    /// When it stops to work.
    pub expires_at: DateTime<Utc>,
    /// Whether they are paused, so that it lets them in only once they are resumed.
    pub is_paused: bool,
}

impl MemberChange<'_> {
    /// Returns its address in the console, which is its name in the audit log.
    pub fn address(self) -> &'static str {
        match self {
            Self::Pause => "pause-reviewer",
            Self::Resume => "resume-reviewer",
            Self::RevokeSessions => "revoke-sessions",
            Self::EndSession(_) => "end-session",
            Self::SetRole(_) => "set-role",
            Self::JoinTeam(_) => "join-team",
            Self::LeaveTeam(_) => "leave-team",
        }
    }

    /// Returns the change of an address in the console with what was chosen there; none of other addresses.
    pub fn of_address<'a>(address: &str, value: &'a str) -> Option<MemberChange<'a>> {
        match address {
            "pause-reviewer" => Some(MemberChange::Pause),
            "resume-reviewer" => Some(MemberChange::Resume),
            "revoke-sessions" => Some(MemberChange::RevokeSessions),
            "end-session" => Some(MemberChange::EndSession(value)),
            "set-role" => Role::parse(value).map(MemberChange::SetRole),
            "join-team" => Some(MemberChange::JoinTeam(value)),
            "leave-team" => Some(MemberChange::LeaveTeam(value)),
            _ => None,
        }
    }

    /// Returns whether it makes the links void that were made before: they carry a role, and begin a session.
    fn voids_links(self) -> bool {
        match self {
            Self::Pause | Self::Resume | Self::RevokeSessions | Self::SetRole(_) => true,
            Self::EndSession(_) | Self::JoinTeam(_) | Self::LeaveTeam(_) => false,
        }
    }
}

impl Members {
    /// Changes somebody who is known, and returns the name by which they are. What a link of before would undo makes their
    /// links void.
    ///
    /// # Errors
    ///
    /// [`MemberError`].
    pub async fn apply(
        &self,
        name: &str,
        change: MemberChange<'_>,
        now: DateTime<Utc>,
    ) -> Result<String, MemberError> {
        let known = self.other_spelling(name, now).await?;
        let name = known.as_deref().unwrap_or(name);
        let worker = Worker::of(name);
        if self.of(&worker, now).await?.is_none() {
            return Err(MemberError::Unknown);
        }

        self.change(&worker, now, |member| {
            if change.voids_links() {
                member.links_void_at = Some(now.timestamp());
            }
            match change {
                MemberChange::Pause => member.paused = true,
                MemberChange::Resume => member.paused = false,
                MemberChange::RevokeSessions => member.revoked_at = Some(now.timestamp()),
                MemberChange::EndSession(id) => member.end(id, (now + SESSION_LIFETIME).timestamp(), now),
                MemberChange::SetRole(role) => member.role = role,
                MemberChange::JoinTeam(team) => drop(member.teams.insert(team.to_owned())),
                MemberChange::LeaveTeam(team) => drop(member.teams.remove(team)),
            }
        })
        .await?;
        Ok(name.to_owned())
    }

    /// Notes somebody whom the provider will sign in; returns the name by which they are known. Nothing changes of who has
    /// signed in: what the provider said then counts. Who was invited keeps the role of then, which a link of theirs may
    /// carry: [`MemberChange::SetRole`] changes it. Idempotent.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn add(
        &self,
        name: &str,
        (role, groups): (Role, &[String]),
        now: DateTime<Utc>,
    ) -> Result<String, BucketError> {
        let known = self.other_spelling(name, now).await?;
        let name = known.as_deref().unwrap_or(name);
        self.change(&Worker::of(name), now, |member| {
            if member.signed_in_at.is_some() {
                return;
            }
            if member.invited_at.is_none() {
                member.invited_at = Some(now);
                member.role = role;
            }
            let new = groups.iter().filter(|group| !member.groups.contains(group));
            let new: Vec<String> = new.cloned().collect();
            member.groups.extend(new);
        })
        .await?;
        Ok(name.to_owned())
    }

    /// Returns when a link for somebody counts as made, after what has made the earlier ones void, also a moment ago in another
    /// process; and whether they are paused, so that it lets them in only once they are resumed.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn next_link_at(
        &self,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(DateTime<Utc>, bool), BucketError> {
        let member = self.readable(&keys::reviewer(&Worker::of(name).id)).await?;
        Ok(member.map_or((now, false), |member| (member.next_link_at(now), member.paused)))
    }

    /// Makes a link for somebody, who is known from then on; a member of these work teams, or of those of before where none is
    /// named.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn invite(
        &self,
        key: &SigningKey,
        name: &str,
        (role, teams): (Role, &[String]),
        now: DateTime<Utc>,
    ) -> Result<Invitation, BucketError> {
        let known = self.other_spelling(name, now).await?;
        let name = known.as_deref().unwrap_or(name);
        let member = self
            .change(&Worker::of(name), now, |member| {
                member.invited_at = Some(now);
                if !teams.is_empty() {
                    member.teams = teams.iter().cloned().collect();
                }
                if member.signed_in_at.is_none() {
                    member.role = role;
                }
            })
            .await?;

        let made_at = member.next_link_at(now);
        let link = Claims::new(Purpose::SignIn, name, made_at).with_role(role);
        Ok(Invitation {
            reviewer: name.to_owned(),
            token: key.sign(&link),
            expires_at: made_at + SIGN_IN_LINK_LIFETIME,
            is_paused: member.paused,
        })
    }
}
