//! Who may sign in: their names, roles, and whether an operator has paused them.
//!
//! One small document for each, by the id of their worker. Who signed in with an earlier version has none until they
//! sign in again, and is what their session says.

mod changes;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use active_learning_aws::bucket::{Bucket, BucketError, Change};
use active_learning_core::{keys, labels::label_key::broad_key};
use chrono::{DateTime, Duration, Utc};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

pub use self::changes::{Invitation, MemberChange, MemberError};
use crate::damaged::Damaged;
use crate::flows::Workteam;
use crate::human_loop::Worker;
use crate::session::{Claims, Role, SIGN_IN_LINK_LIFETIME};

/// How long what was read is taken for true: a pause takes effect within it.
pub const FRESH: Duration = Duration::seconds(60);

/// Somebody who may sign in, or might once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Member {
    /// Name that their links are made for.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they are kept out until somebody lets them in again.
    pub paused: bool,
    /// Sessions that began at or before this time, in seconds since 1970, are over.
    pub revoked_at: Option<i64>,
    /// Links that were made at or before this time, in seconds since 1970, sign nobody in.
    pub links_void_at: Option<i64>,
    /// When a link was made for them last, in the console.
    pub invited_at: Option<DateTime<Utc>>,
    /// When they signed in last.
    pub signed_in_at: Option<DateTime<Utc>>,
    /// Work teams that they were invited to.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<String>,
    /// Groups that the provider named when it signed them in last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Their sessions that may not have expired, the newest last. Those that an earlier version began are missing.
    pub sessions: Vec<Session>,
    /// Ids of the same person in earlier versions, which told spellings of an e-mail address apart: what was known by them is
    /// in here. None where nobody has looked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier_ids: Option<Vec<String>>,
}

/// A session of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Id of its claims.
    pub id: String,
    /// End of its validity, in seconds since 1970.
    pub expires_at: i64,
    /// Whether it was ended before: by signing out, or by an operator.
    #[serde(default)]
    pub ended: bool,
}

/// Most sessions that are kept of a member: beyond it the oldest are ended.
const MOST_SESSIONS: usize = 50;

/// Members that are listed at a time.
const PAGE: usize = 100;

/// Members that are read at a time.
const CONCURRENT_READS: usize = 16;

/// A member of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Id of their worker.
    pub worker_id: String,
    /// They.
    #[serde(flatten)]
    pub member: Member,
}

/// Members in the order of their worker ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberPage {
    /// They, a hundred at most.
    pub reviewers: Vec<Listed>,
    /// Given as `after`, the next page; none where this is the last.
    pub next: Option<String>,
}

/// Why a session is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// The member is paused.
    Paused,
    /// The session was ended by an operator.
    Revoked,
}

impl Member {
    /// Returns what the member may do in a session.
    ///
    /// # Errors
    ///
    /// [`Shut`] where the session is over.
    pub fn admit(&self, session: &Claims) -> Result<Role, Shut> {
        if self.paused {
            return Err(Shut::Paused);
        }
        let is_ended = self
            .sessions
            .iter()
            .any(|known| known.id == session.id && known.ended);
        match self.revoked_at {
            _ if is_ended => Err(Shut::Revoked),
            Some(revoked_at) if session.began_at() <= revoked_at => Err(Shut::Revoked),
            _ => Ok(self.role),
        }
    }

    /// Adds what was known of the same person by an earlier id. Who was kept out by one of them is kept out.
    fn take_in(&mut self, id: &str, other: Self) {
        if self.signed_in_at.is_none() && self.invited_at.is_none() {
            self.role = other.role;
        }
        self.paused |= other.paused;
        self.revoked_at = self.revoked_at.max(other.revoked_at);
        self.links_void_at = self.links_void_at.max(other.links_void_at);
        self.invited_at = self.invited_at.max(other.invited_at);
        self.signed_in_at = self.signed_in_at.max(other.signed_in_at);
        self.sessions.extend(other.sessions);
        self.earlier_ids.get_or_insert_default().push(id.to_owned());
    }

    fn has_taken_in(&self, id: &str) -> bool {
        let known = self.earlier_ids.iter().flatten();
        known.into_iter().any(|known| known == id)
    }

    /// Returns the names of the work teams that they are in: by invitation, or by a group of theirs.
    pub fn teams_among(&self, teams: &[Workteam]) -> BTreeSet<String> {
        let by_group = teams.iter().filter(|team| team.has_any(&self.groups));
        let by_group = by_group.map(|team| team.workteam_name.clone());
        self.teams.iter().cloned().chain(by_group).collect()
    }

    /// Notes a session that begins.
    pub fn begin(&mut self, session: &Claims, now: DateTime<Utc>) {
        self.forget_expired(now);
        self.sessions.push(Session {
            id: session.id.clone(),
            expires_at: session.expires_at,
            ended: false,
        });
        let too_many = self.sessions.len().saturating_sub(MOST_SESSIONS);
        for session in &mut self.sessions[..too_many] {
            session.ended = true;
        }
    }

    /// Returns the id of a session of theirs, also of one that is over, by what it begins with.
    pub fn session_of(&self, beginning: &str) -> Option<&str> {
        let mut ids = self.sessions.iter().map(|known| known.id.as_str());
        ids.find(|id| id.starts_with(beginning))
    }

    /// Ends the session of an id; it is none any more, wherever its cookie is.
    pub fn end(&mut self, id: &str, expires_at: i64, now: DateTime<Utc>) {
        self.forget_expired(now);
        match self.sessions.iter_mut().find(|session| session.id == id) {
            Some(session) => session.ended = true,
            None => self.sessions.push(Session {
                id: id.to_owned(),
                expires_at,
                ended: true,
            }),
        }
    }

    fn forget_expired(&mut self, now: DateTime<Utc>) {
        self.sessions
            .retain(|session| session.expires_at > now.timestamp());
    }

    /// Returns when a link that is made now counts as made. Times are whole seconds: one of the second in which the earlier ones
    /// were made void is a later one.
    fn next_link_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let is_void = |void_at: i64| void_at >= now.timestamp();
        match self.links_void_at.is_some_and(is_void) {
            true => now + Duration::seconds(1),
            false => now,
        }
    }

    /// Returns whether a link of theirs still signs in.
    pub fn takes_link(&self, link: &Claims) -> bool {
        let made_at = link.expires_at - SIGN_IN_LINK_LIFETIME.num_seconds();
        self.links_void_at.is_none_or(|void_at| made_at > void_at)
    }
}

type Known = HashMap<String, (DateTime<Utc>, Option<Member>)>;

/// The members of a review bucket.
#[derive(Debug, Clone)]
pub struct Members {
    bucket: Bucket,
    damaged: Damaged,
    known: Arc<Mutex<Known>>,
}

impl Members {
    /// Keeps members in a review bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            damaged: Damaged::new(bucket.clone()),
            bucket,
            known: Arc::default(),
        }
    }

    /// Returns a member as they were within the last minute.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn recent(&self, worker_id: &str, now: DateTime<Utc>) -> Result<Option<Member>, BucketError> {
        let known = self.locked().get(worker_id).cloned();
        match known {
            Some((read_at, member)) if now - read_at < FRESH => Ok(member),
            _ => {
                let member: Option<Member> = self.bucket.read_document(&keys::reviewer(worker_id)).await?;
                self.remember(worker_id, member.clone(), now);
                Ok(member)
            }
        }
    }

    /// Returns the member that a worker is, by whatever id they were known, as they were within the last minute.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn of(&self, worker: &Worker, now: DateTime<Utc>) -> Result<Option<Member>, BucketError> {
        let mut member = self.recent(&worker.id, now).await?;
        for id in worker.earlier_ids() {
            if member.as_ref().is_some_and(|member| member.has_taken_in(id)) {
                continue;
            }
            if let Some(other) = self.recent(id, now).await? {
                member
                    .get_or_insert_with(|| Member {
                        name: other.name.clone(),
                        ..Member::default()
                    })
                    .take_in(id, other);
            }
        }
        Ok(member)
    }

    /// Returns the other ids of a worker that members have who are the same person.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn other_ids_of(&self, worker: &Worker) -> Result<Vec<String>, BucketError> {
        let (mut ids, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.raw_page(&after).await?;
            let others = page.reviewers.into_iter();
            let others = others.filter(|listed| Worker::of(&listed.member.name).id == worker.id);
            ids.extend(
                others
                    .map(|listed| listed.worker_id)
                    .filter(|id| *id != worker.id),
            );
            match page.next {
                Some(next) => after = next,
                None => return Ok(ids),
            }
        }
    }

    /// Returns the spelling by which somebody is known, if it is another than this one: the names of new people are told apart
    /// by neither case nor white space. Who is known by this very name is asked for by it.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn other_spelling(
        &self,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, BucketError> {
        if self.of(&Worker::of(name), now).await?.is_some() {
            return Ok(None);
        }
        let (key, mut after) = (broad_key(name), String::new());
        loop {
            let page = self.page(&after).await?;
            let mut names = page.reviewers.into_iter().map(|listed| listed.member.name);
            match (names.find(|known| broad_key(known) == key), page.next) {
                (Some(known), _) => return Ok(Some(known)),
                (None, Some(next)) => after = next,
                (None, None) => return Ok(None),
            }
        }
    }

    /// Changes a member, or makes one; returns them. What was known of them by earlier ids is taken in.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn change(
        &self,
        worker: &Worker,
        now: DateTime<Utc>,
        mut change: impl FnMut(&mut Member),
    ) -> Result<Member, BucketError> {
        let key = keys::reviewer(&worker.id);
        let mut earlier: Vec<(&String, Member)> = Vec::new();
        for id in worker.earlier_ids() {
            let other: Option<Member> = self.bucket.read_document(&keys::reviewer(id)).await?;
            earlier.extend(other.map(|other| (id, other)));
        }
        let change = |before: Option<Member>| {
            let mut member = before.unwrap_or_default();
            for (id, other) in &earlier {
                if !member.has_taken_in(id) {
                    member.take_in(id, other.clone());
                }
            }
            member.name.clone_from(&worker.reviewer);
            change(&mut member);
            Change::Write(member.clone(), member)
        };
        let member = self.bucket.change(&key, change).await?;
        self.remember(&worker.id, Some(member.clone()), now);
        Ok(member)
    }

    /// Returns a page of members after the worker of this id, from the first where it is empty. Those that others were
    /// found to be are left out.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn page(&self, after: &str) -> Result<MemberPage, BucketError> {
        let mut page = self.raw_page(after).await?;
        let mut reviewers = Vec::with_capacity(page.reviewers.len());
        for listed in page.reviewers {
            let worker = Worker::of(&listed.member.name);
            let is_old = worker.id != listed.worker_id;
            let now: Option<Member> = match is_old {
                true => self.readable(&keys::reviewer(&worker.id)).await?,
                false => None,
            };
            if now.is_none_or(|now| !now.has_taken_in(&listed.worker_id)) {
                reviewers.push(listed);
            }
        }
        page.reviewers = reviewers;
        Ok(page)
    }

    async fn raw_page(&self, after: &str) -> Result<MemberPage, BucketError> {
        let after = match after {
            "" => String::new(),
            id => format!("{id}.json"),
        };
        let listed = self
            .bucket
            .list_after(keys::REVIEWERS_FOLDER, &after, PAGE)
            .await?;

        let id_of = |key: &str| {
            key[keys::REVIEWERS_FOLDER.len()..]
                .trim_end_matches(".json")
                .to_owned()
        };
        let reads: Vec<_> = listed.iter().map(|object| self.readable(&object.key)).collect();
        let members: Vec<Option<Member>> = stream::iter(reads)
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        let reviewers = listed.iter().zip(members).filter_map(|(object, member)| {
            let worker_id = id_of(&object.key);
            member.map(|member| Listed { worker_id, member })
        });
        let reviewers = reviewers.collect();
        let last = listed.last().filter(|_| listed.len() == PAGE);
        Ok(MemberPage {
            reviewers,
            next: last.map(|object| id_of(&object.key)),
        })
    }

    /// Reads a member of a list: one who cannot be read keeps nobody else from it.
    async fn readable(&self, key: &str) -> Result<Option<Member>, BucketError> {
        let read = self.bucket.read_document(key).await;
        self.damaged.pass_over(key, read).await
    }

    /// Returns the name of a worker; none where nobody knows it, or it cannot be read.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn name_of(&self, worker_id: &str, now: DateTime<Utc>) -> Result<Option<String>, BucketError> {
        let read = self.recent(worker_id, now).await;
        let member = self.damaged.pass_over(&keys::reviewer(worker_id), read).await?;
        Ok(member.map(|member| member.name))
    }

    fn remember(&self, worker_id: &str, member: Option<Member>, now: DateTime<Utc>) {
        self.locked().insert(worker_id.to_owned(), (now, member));
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
