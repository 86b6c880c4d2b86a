//! Sign-in by an OpenID Connect provider: the browser is sent there, and comes back with a code.
//!
//! Where it goes afterwards is never part of a request, so nobody is sent anywhere else.

use super::{Portal, PortalError};
use crate::event::{HttpReply, HttpRequest};
use crate::human_loop::Worker;
use crate::oidc::{LOGIN_COOKIE, OidcError, Pending, Person, Provider};
use crate::pages::{SignInChoicePage, SignedInPage, SignedOutPage, page, redirect};
use crate::session::{Claims, Purpose, cookie};

/// Page that sends the browser to the provider.
pub(super) const BEGIN: &str = "provider";
/// Page that the provider sends the browser back to.
pub(super) const CALLBACK: &str = "callback";

impl Portal<'_> {
    /// Shows the ways to sign in, where there is more than a one-time link.
    pub(super) fn sign_in_choice(&self) -> Result<HttpReply, PortalError> {
        match self.provider {
            Some(_) => Ok(page(200, &SignInChoicePage { session: None }, None)),
            None => Err(PortalError::Anonymous),
        }
    }

    /// Sends the browser to the provider.
    pub(super) async fn begin_at_provider(&self, request: &HttpRequest) -> Result<HttpReply, PortalError> {
        let provider = self.provider.ok_or(PortalError::NoPage)?;
        let pending = Pending::new(self.now);
        let back = self.redirect_uri(request);
        let url = provider.authorization_url(&pending, &back, self.now).await?;
        let mut reply = redirect(&url);
        let cookie = pending.set_cookie(self.key, request.is_https());
        reply.headers.insert("set-cookie", cookie);
        Ok(reply)
    }

    /// Begins the session of whom the provider has signed in.
    pub(super) async fn end_at_provider(&self, request: &HttpRequest) -> Result<HttpReply, PortalError> {
        let provider = self.provider.ok_or(PortalError::NoPage)?;
        let (pending, code) = self.answer_of(provider, request)?;
        let session_id = Claims::new(Purpose::Session, "", self.now).id;
        if self.is_used_up(&pending.state).await? {
            return Err(OidcError::Replayed.into());
        }
        let back = self.redirect_uri(request);
        let person = provider.person(code, &pending, &back, self.now).await?;
        // Only what the provider has signed leaves an object: codes that are made up do not.
        if !self.use_up(&pending.state, &session_id).await? {
            return Err(OidcError::Replayed.into());
        }

        let session = self.begin_session(&person, session_id).await?;
        tracing::info!(role = session.role.as_str(), "somebody signed in by the provider");
        // A page and no redirect: after one from the provider's site the browser would not show the session's cookie.
        let reply = page(200, &SignedInPage { session: None }, None);
        Ok(self.with_session(reply, &self.key.sign(&session), request))
    }

    /// Returns the sign-in that the provider's answer belongs to, and its code.
    fn answer_of<'r>(
        &self,
        provider: &Provider,
        request: &'r HttpRequest,
    ) -> Result<(Pending, &'r str), OidcError> {
        let query = |name: &str| request.query.get(name).map(String::as_str);
        let kept = request
            .header("cookie")
            .and_then(|header| cookie(header, LOGIN_COOKIE));
        let pending = kept
            .zip(query("state"))
            .and_then(|(kept, state)| Pending::read(kept, state, self.key, self.now))
            .ok_or(OidcError::NotBegun)?;
        if query("iss").is_some_and(|issuer| !provider.is_issuer(issuer)) {
            return Err(OidcError::Untrusted("the answer is of another issuer"));
        }
        match (query("error"), query("code")) {
            (None, Some(code)) if !code.is_empty() => Ok((pending, code)),
            _ => Err(OidcError::Denied),
        }
    }

    async fn begin_session(&self, person: &Person, id: String) -> Result<Claims, PortalError> {
        let worker = Worker::signing_in(&person.name, self.members, self.now).await?;
        let session = Claims {
            id,
            by_provider: true,
            ..Claims::new(Purpose::Session, &person.name, self.now)
        };

        // What was read a while ago says neither the role nor that nobody paused them.
        let member = self
            .members
            .change(&worker, self.now, |member| {
                if member.paused {
                    return;
                }
                member.role = person.role.unwrap_or(member.role);
                member.earlier_ids.get_or_insert_default();
                member.groups.clone_from(&person.groups);
                member.signed_in_at = Some(self.now);
                member.begin(&session, self.now);
            })
            .await?;
        match member.paused {
            true => Err(PortalError::Paused),
            false => Ok(session.with_role(member.role)),
        }
    }

    /// Returns the link to the provider for a page that says why nobody is signed in.
    pub(super) fn way_to_provider(&self, request: &HttpRequest, error: &PortalError) -> Option<String> {
        let signs_in_again = matches!(
            error,
            PortalError::Anonymous
                | PortalError::Revoked
                | PortalError::BadLink
                | PortalError::UsedLink
                | PortalError::Provider(_)
        );
        let depth = request.path.trim_start_matches('/').matches('/').count();
        let is_shown = signs_in_again && self.provider.is_some();
        is_shown.then(|| format!("{}{BEGIN}", "../".repeat(depth)))
    }

    /// Returns the page that sends the browser on to sign out at the provider, where the provider has signed it in and has
    /// a place for that. A page and no redirect: browsers do not follow a form's answer to another site.
    pub(super) async fn signed_out_page(&self, request: &HttpRequest, session: &Claims) -> Option<HttpReply> {
        let provider = self.provider.filter(|_| session.by_provider)?;
        let back = format!("{}/sign-in", self.base_url(request));
        match provider.sign_out_url(&back, self.now).await {
            Ok(url) => {
                let view = SignedOutPage {
                    session: None,
                    provider_url: url?,
                };
                Some(page(200, &view, None))
            }
            Err(error) => {
                tracing::warn!(%error, "somebody is signed out here and not at the provider");
                None
            }
        }
    }

    fn redirect_uri(&self, request: &HttpRequest) -> String {
        format!("{}/{CALLBACK}", self.base_url(request))
    }
}
