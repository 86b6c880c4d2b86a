//! What can be known at the time of a request of whether a person will be asked.
//!
//! Who is asked is decided when the feedback has been delivered. But whether the same text was asked,
//! answered, or waits is written in S3 already, and three small reads at once tell it, or some more for a copy. What they
//! do not tell is found when the feedback is delivered: near duplicates that come for the first time, and what repeats a
//! text that is still on its way. So nothing but a refusal is certain at the time of a request ([`Decided`]).

use std::{sync::Arc, time::Duration};

use active_learning_core::{
    feedback::{FeedbackRecord, Signal},
    labels::{
        label_set::LabelSet,
        question::{Effect, Opinion, Question, State},
    },
    sampling::duplicates::same_form,
};
use aws_sdk_s3::{Client, error::BoxError};
use lambda_runtime::tracing::warn;
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    bucket::Bucket,
    claims::{ClaimRetention, Claims},
    class_names::ClassNames,
    env::{ConfigError, Env},
    failure::chain,
    originals, questions,
};

/// Time for the reads. Without an answer by then it is decided on delivery, as for every text of which they tell nothing.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a text is not put to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotAsked {
    /// A person has answered the same question.
    AlreadyAnswered,
    /// A person is being asked the same question.
    AlreadyAsked,
    /// People do not agree on it: an adjudicator decides, and nobody else is asked. What is said counts.
    Disputed,
    /// The answer to another spelling of the text, or to what differs by a small change, is its answer.
    Duplicate,
    /// It waits already until the review budget reaches it.
    Budget,
    /// It waits in the pool of texts to label.
    Pool,
    /// It could not be stored.
    NotStored,
    /// The text was erased at a person's wish, and is not stored again.
    Erased,
}

/// When it is decided whether a person is asked, where that is not known at the time of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decided {
    /// When the feedback is delivered: a near duplicate, or a repeat of a text that was still on its way, is not asked.
    OnDelivery,
}

impl Decided {
    /// Returns when it is decided about a record that was stored; `None` where it is known that nobody is asked.
    pub fn later(goes_to_people: bool) -> Option<Self> {
        goes_to_people.then_some(Self::OnDelivery)
    }
}

/// Looks up what was asked before.
#[derive(Clone, Debug)]
pub struct AskedBefore {
    bucket: Bucket,
    claims: Claims,
    settings: Settings,
}

/// What an operator decides of it.
#[derive(Clone, Debug)]
pub struct Settings {
    bucket: String,
    claim_retention: Duration,
    /// Whether texts wait until a budget reaches them.
    has_budget: bool,
    /// Whether texts to label wait in a pool.
    has_pool: bool,
}

impl Settings {
    /// Reads the settings from a function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let claim_retention: ClaimRetention = env.required("CLAIM_RETENTION_DAYS")?;
        let budget: u64 = env.required("REVIEW_BUDGET_PER_DAY")?;
        let pool: u64 = env.required("POOL_TEXTS_IN_REVIEW")?;
        Ok(Self {
            bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            claim_retention: claim_retention.get(),
            has_budget: budget > 0,
            has_pool: pool > 0,
        })
    }

    /// Returns how long a claim counts.
    pub fn claim_retention(&self) -> Duration {
        self.claim_retention
    }
}

impl AskedBefore {
    /// Looks in the feedback bucket.
    pub fn new(s3: Client, settings: Settings) -> Self {
        let bucket = Bucket::new(s3, &settings.bucket);
        Self {
            claims: Claims::new(bucket.clone(), settings.claim_retention),
            bucket,
            settings,
        }
    }

    /// Returns what a record waits for before somebody is asked about it, if anything.
    pub fn waits_for(&self, record: &FeedbackRecord) -> Option<NotAsked> {
        if record.is_unlabelled() && self.settings.has_pool {
            return Some(NotAsked::Pool);
        }
        self.settings.has_budget.then_some(NotAsked::Budget)
    }

    /// Returns why nobody will be asked about a record; `None` if that is decided on delivery, also where it could not be
    /// looked up. What it says is held against an answer by `names`, as on delivery; only then are they read.
    pub async fn why_not(&self, record: &FeedbackRecord, names: Option<&ClassNames>) -> Option<NotAsked> {
        match timeout(LOOK_UP_TIMEOUT, self.look_up(record, names)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                warn!(
                    record.id,
                    error = chain(error.as_ref()),
                    "what was asked before is not known"
                );
                None
            }
            Err(_) => {
                warn!(record.id, "what was asked before was not told in time");
                None
            }
        }
    }

    async fn look_up(
        &self,
        record: &FeedbackRecord,
        names: Option<&ClassNames>,
    ) -> Result<Option<NotAsked>, BoxError> {
        let form = format!("text-{}", same_form(record));
        let (question, original, owner) = tokio::join!(
            questions::read(&self.bucket, &record.id),
            self.claims.holder(&form),
            self.claims.holder(&record.id)
        );
        let (question, owner) = (question?, owner?);
        let by_form = original?.filter(|original| *original != record.id);
        // What was delivered, and has no question of its own, is a copy by a small change.
        let by_small_change = match &question {
            Some(question) if !originals::has_votes_alone(question) => None,
            _ if by_form.is_some() || owner.is_none() => None,
            _ => originals::duplicate_of(&self.bucket, &record.id).await?,
        };
        let mut waits_in_pool = false;
        if let Some(question) = question.filter(|_| by_small_change.is_none()) {
            waits_in_pool = self::waits_in_pool(&question);
            let set = set_for(&question, names).await;
            if let Some(known) = self.known(question, record, set.as_deref()) {
                return Ok(known);
            }
        }
        let original = by_form.or(by_small_change);
        if let Some(original) = original.filter(|_| record.signal != Signal::Audit) {
            let asked = originals::follow(&self.bucket, original).await?;
            let Some(mut question) = asked.question else {
                // What was asked so long ago that its question and its claim are gone is asked again.
                let is_held = self.claims.holder(&asked.id).await?.is_some();
                return Ok(is_held.then_some(NotAsked::Duplicate));
            };
            if same_form(&question.record) != same_form(record)
                && cannot_serve(&question, record, names).await
            {
                return Ok(None); // It is a question of its own from now on.
            }
            let set = set_for(&question, names).await;
            let asks = makes_people_be_asked(&mut question, record, set.as_deref());
            return Ok((!asks).then_some(NotAsked::Duplicate));
        }
        let selected = format!("{}/backlog/", self.settings.bucket);
        let is_for_pool = self.settings.has_pool && (waits_in_pool || record.is_unlabelled());
        Ok(owner.map(|owner| match owner.starts_with(&selected) {
            false if is_for_pool => NotAsked::Pool,
            false if self.settings.has_budget => NotAsked::Budget,
            _ => NotAsked::AlreadyAsked,
        }))
    }

    /// Returns what a question says of a record on its text: that somebody will be asked, or why not; `None` where its claim
    /// tells.
    fn known(
        &self,
        mut question: Question,
        record: &FeedbackRecord,
        set: Option<&LabelSet>,
    ) -> Option<Option<NotAsked>> {
        let (state, waits) = (question.state, question.human_loop.is_none());
        let waits_in_pool = self.settings.has_pool && waits_in_pool(&question);
        if makes_people_be_asked(&mut question, record, set) {
            return Some(None);
        }
        match state {
            State::Answered => Some(Some(NotAsked::AlreadyAnswered)),
            // It may wait for the review budget, or in the pool: its claim tells.
            State::Asked if waits_in_pool || (waits && self.settings.has_budget) => None,
            State::Asked => Some(Some(NotAsked::AlreadyAsked)),
            State::Disputed => Some(Some(NotAsked::Disputed)),
            State::Withdrawn | State::Abandoned => None,
        }
    }
}

/// Returns the label set where what is said is held against an answer.
async fn set_for(question: &Question, names: Option<&ClassNames>) -> Option<Arc<LabelSet>> {
    match (question.state, names) {
        (State::Answered, Some(names)) => names.set().await,
        _ => None,
    }
}

/// Returns whether a record on a text that differs by a small change speaks against the answer that it would get.
async fn cannot_serve(question: &Question, record: &FeedbackRecord, names: Option<&ClassNames>) -> bool {
    let opinion = Opinion::of(record);
    if opinion == Opinion::None {
        return false;
    }
    let set = match names {
        Some(names) => names.set().await,
        None => None,
    };
    match set {
        Some(set) => {
            let mut question = question.clone();
            set.use_own_names(&mut question);
            question.cannot_serve(&set.opinion(record, opinion))
        }
        None => question.cannot_serve(&opinion),
    }
}

/// Returns whether a question is about a text that waits in the pool.
fn waits_in_pool(question: &Question) -> bool {
    question.state == State::Asked && question.human_loop.is_none() && question.record.is_unlabelled()
}

/// Returns whether people are asked because of what a record says: it contradicts their answer, or complains about a text
/// that would wait in the pool else.
fn makes_people_be_asked(question: &mut Question, record: &FeedbackRecord, set: Option<&LabelSet>) -> bool {
    let is_lifted = waits_in_pool(question) && record.is_complaint();
    let mut opinion = Opinion::of(record);
    if let Some(set) = set {
        set.use_own_names(question);
        opinion = set.opinion(record, opinion);
    }
    is_lifted || (question.state == State::Answered && question.hear(&opinion) == Effect::Reopens)
}
