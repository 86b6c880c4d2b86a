//! Who gets in: sign-in by a one-time link, what a session may do today, and the console for admins.

use active_learning_aws::adjudication::AdjudicationError;
use active_learning_aws::approval::ApprovalError;
use active_learning_aws::bucket::{BucketError, Created, TEXT};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;

use super::{Portal, PortalError};
use crate::console::{self, Console, ConsoleError};
use crate::event::{HttpReply, HttpRequest};
use crate::human_loop::sha256;
use crate::loops::LoopError;
use crate::members::Shut;
use crate::pages::{SignInPage, page, redirect};
use crate::session::{Claims, Purpose, Role, SESSION_LIFETIME};
use crate::worker::{Teams, Worker};

/// Largest id of a session, in bytes.
const MAX_ID_BYTES: u64 = 64;

impl From<ConsoleError> for PortalError {
    fn from(error: ConsoleError) -> Self {
        match error {
            ConsoleError::NotFound => Self::NoPage,
            ConsoleError::Invalid(why) => Self::Refused(why),
            ConsoleError::Loop(LoopError::WrongStatus(_)) => Self::Refused(error.to_string()),
            ConsoleError::Loop(error) => Self::Loop(error),
            ConsoleError::Approval(ApprovalError::Bucket(error))
            | ConsoleError::Adjudication(AdjudicationError::Bucket(error))
            | ConsoleError::Bucket(error) => error.into(),
            ConsoleError::Approval(_) | ConsoleError::Adjudication(_) => Self::Refused(error.to_string()),
        }
    }
}

impl From<Shut> for PortalError {
    fn from(shut: Shut) -> Self {
        match shut {
            Shut::Paused => Self::Paused,
            Shut::Revoked => Self::Revoked,
        }
    }
}

impl Portal<'_> {
    /// Returns the session, with what its owner may do today, and who they are; none where nobody is signed in.
    pub(super) async fn admitted(
        &self,
        request: &HttpRequest,
    ) -> Result<Option<(Claims, Worker)>, PortalError> {
        let Some(session) = self.session(request) else {
            return Ok(None);
        };
        let worker = Worker::of(&session.reviewer);
        match self.members.of(&worker, self.now).await? {
            Some(member) => {
                let role = member.admit(&session)?;
                let earlier = member.earlier_ids.unwrap_or_default();
                Ok(Some((session.with_role(role), worker.with_earlier(&earlier))))
            }
            None => Ok(Some((session, worker))),
        }
    }

    /// Returns somebody who is signed in with the work teams that they are in today. Admins are in all of them.
    pub(super) async fn in_teams(&self, worker: &Worker, session: &Claims) -> Result<Worker, PortalError> {
        let worker = worker.clone();
        if session.role == Role::Admin {
            return Ok(worker.in_teams(Teams::All));
        }
        let teams = self.flows.teams(self.now).await?;
        let member = self.members.of(&worker, self.now).await?;
        let names = member
            .map(|member| member.teams_among(&teams))
            .unwrap_or_default();
        Ok(worker.in_teams(match names.is_empty() {
            true => Teams::None,
            false => Teams::Named(names),
        }))
    }

    pub(super) async fn console(
        &self,
        request: &HttpRequest,
        path: &str,
        session: &Claims,
    ) -> Result<HttpReply, PortalError> {
        if session.role != Role::Admin {
            return Err(PortalError::Forbidden);
        }
        let form = match (request.method.as_str(), console::is_action(path)) {
            ("GET", false) => None,
            ("POST", true) => Some(self.form(request, session)?),
            (_, false) => return Err(PortalError::Method("GET")),
            (_, true) => return Err(PortalError::Method("POST")),
        };
        let console = Console {
            review: self.bucket,
            training: self.training,
            feedback: self.feedback,
            loops: self.loops,
            jobs: self.jobs,
            control: self.control,
            members: self.members,
            histories: self.histories,
            flows: self.flows,
            label_sets: self.label_sets,
            models: self.models,
            counter: self.counter,
            key: self.key,
            session,
            view: self.view(session),
            portal_url: self.base_url(request),
            threshold: self.threshold,
            now: self.now,
        };
        Ok(Box::pin(console.answer(request, path, form.as_ref())).await?)
    }

    /// Returns where the browser sees the portal.
    pub(super) fn base_url(&self, request: &HttpRequest) -> String {
        match self.portal_url {
            "" => request.base_url(),
            url => url.trim_end_matches('/').to_owned(),
        }
    }

    /// Shows a button, so that a mail program's preview does not use up the link.
    pub(super) fn sign_in_page(&self, request: &HttpRequest) -> Result<HttpReply, PortalError> {
        let Some(token) = request.query.get("token") else {
            return self.sign_in_choice();
        };
        let claims = self
            .key
            .verify(token, Purpose::SignIn, self.now)
            .ok_or(PortalError::BadLink)?;
        let view = SignInPage {
            session: None,
            reviewer: claims.reviewer,
            token: token.clone(),
            hours: SESSION_LIFETIME.num_hours(),
        };
        Ok(page(200, &view, None))
    }

    pub(super) async fn sign_in(&self, request: &HttpRequest) -> Result<HttpReply, PortalError> {
        let form = request.form();
        let token = form.get("token").map(String::as_str).unwrap_or_default();
        let link = self
            .key
            .verify(token, Purpose::SignIn, self.now)
            .ok_or(PortalError::BadLink)?;
        let worker = Worker::signing_in(&link.reviewer, self.members, self.now).await?;
        let member = self.members.of(&worker, self.now).await?;
        match member {
            Some(member) if member.paused => return Err(PortalError::Paused),
            Some(member) if !member.takes_link(&link) => return Err(PortalError::BadLink),
            _ => {}
        }
        let mut session = Claims::new(Purpose::Session, &link.reviewer, self.now).with_role(link.role);
        let of_link = beginning_of_session(&link);
        session.id.replace_range(..of_link.len(), &of_link);
        // A run before may have come no further than this: then the link has not signed in anybody.
        if !self.use_up(&link.id, &session.id).await? && !self.is_used_by(&link.id, &of_link).await? {
            return Err(PortalError::UsedLink);
        }
        // What was read before may be a minute old.
        let mut is_used = false;
        let member = self
            .members
            .change(&worker, self.now, |member| {
                if member.paused || !member.takes_link(&link) {
                    return;
                }
                // The answer to a write of this session's own may have been lost.
                let begun = member.session_of(&of_link).map(str::to_owned);
                is_used = begun.as_ref().is_some_and(|id| *id != session.id);
                if begun.is_some() {
                    return;
                }
                member.role = link.role;
                member.earlier_ids.get_or_insert_default();
                member.signed_in_at = Some(self.now);
                member.begin(&session, self.now);
            })
            .await?;
        match member {
            member if member.paused => Err(PortalError::Paused),
            member if !member.takes_link(&link) => Err(PortalError::BadLink),
            _ if is_used => Err(PortalError::UsedLink),
            _ => Ok(self.with_session(redirect("queue"), &self.key.sign(&session), request)),
        }
    }

    /// Ends a session for good: the cookie is forgotten, and a copy of it lets nobody in.
    pub(super) async fn sign_out(
        &self,
        request: &HttpRequest,
        session: &Claims,
    ) -> Result<HttpReply, PortalError> {
        self.form(request, session)?;
        let worker = Worker::of(&session.reviewer);
        self.members
            .change(&worker, self.now, |member| {
                // Who signed in with an earlier version is not known yet.
                if member.signed_in_at.is_none() {
                    member.role = session.role;
                }
                member.end(&session.id, session.expires_at, self.now);
            })
            .await?;
        if let Some(carried) = self.carried(request)
            && let Err(error) = self.histories.store_carried(&carried, self.now).await
        {
            tracing::warn!(%error, "a history is not up to date: its browser carries the rest");
        }
        let onwards = self.signed_out_page(request, session).await;
        let reply = onwards.unwrap_or_else(|| redirect("sign-in"));
        Ok(self.with_session(reply, "", request))
    }

    /// Refuses what a page of somewhere else sends: it could sign somebody in under its own name. Links may be
    /// followed from anywhere.
    pub(super) fn check_origin(&self, request: &HttpRequest) -> Result<(), PortalError> {
        let site = request.header("sec-fetch-site");
        let from_here = match (site, request.header("origin")) {
            _ if request.method == "GET" => true,
            (Some(site), _) => matches!(site, "same-origin" | "none"),
            // Older browsers show no origin where the page has no referrer.
            (None, None | Some("null")) => true,
            (None, Some(origin)) => {
                let authority = origin.split_once("://").map(|(_, authority)| authority);
                authority == request.header("host")
                    || self.base_url(request).starts_with(&format!("{origin}/"))
            }
        };
        match from_here {
            true => Ok(()),
            false => Err(PortalError::ForgedForm),
        }
    }

    /// Notes that a link, or an answer of a provider, has begun a session; returns false if it has begun another one.
    pub(super) async fn use_up(&self, link_id: &str, session_id: &str) -> Result<bool, BucketError> {
        let key = used_up(link_id);
        let used = self.bucket.create(&key, TEXT, session_id.to_owned()).await?;
        Ok(used == Created::Created)
    }

    /// Returns whether it is for a session of this beginning that a link was used up: not by a version before, which began it
    /// by any id.
    async fn is_used_by(&self, link_id: &str, beginning: &str) -> Result<bool, BucketError> {
        let used = self.bucket.read(&used_up(link_id), MAX_ID_BYTES).await?;
        Ok(used.is_some_and(|used| used.bytes.starts_with(beginning.as_bytes())))
    }

    /// Returns whether a link, or an answer of a provider, has begun a session.
    pub(super) async fn is_used_up(&self, link_id: &str) -> Result<bool, BucketError> {
        self.bucket.exists(&used_up(link_id)).await
    }
}

/// Returns what the id of the session that a link begins begins with: the same at each try.
fn beginning_of_session(link: &Claims) -> String {
    sha256(&format!("session\n{}", link.id))[..16].to_owned()
}

/// Returns the key of what notes that a link was used. A lifecycle rule removes it after a day, when no link is valid.
fn used_up(link_id: &str) -> String {
    format!("{HUMAN_REVIEW_FOLDER}used-sign-in-links/{link_id}")
}
