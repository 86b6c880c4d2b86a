//! The sweep: what became of the human loops that are not done with.
//!
//! Only they are looked at, whatever else the flow definition is used for. With none there is one listing of
//! an empty prefix to pay for. The queue of the built-in review service tells by its keys whom people are at; of these
//! fifty in turn are looked at all the same, since a start that broke off leaves its key there. Amazon A2I lists as many of
//! its latest loops as are open. What neither names is asked about loop by loop.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use active_learning_aws::{
    bucket::Listed,
    failure::chain,
    human_loops::{AskError, Asked, OpenLoop},
    metrics,
};
use active_learning_core::{
    keys,
    labels::human_loop::{HumanLoopInput, LoopName, MAX_RETRIES},
    random::Random,
};
use aws_sdk_s3::primitives;
use aws_sdk_sagemakera2iruntime::{
    operation::describe_human_loop::DescribeHumanLoopOutput,
    types::{HumanLoopStatus, SortOrder},
};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use lambda_runtime::tracing::{error, info};

use crate::{FUNCTION, LabelCollection, LabelCollectionError, labelling::Outcome};

/// Open loops that are seen to at a time; A2I does not publish its request rates.
const LOOPS_IN_FLIGHT: usize = 4;

/// Loops on a page of the review service's list.
const PAGE: usize = 100;
/// Pages that are read beyond those that the open loops would fill.
const PAGES_BEYOND: usize = 1;

/// Loops of the queue that are looked at in a sweep, each time others of them.
const IN_TURN: usize = 50;
/// Loops that are looked at in a sweep once it is known that there is no room: most are questions that wait for some.
const WITHOUT_ROOM: usize = 500;

/// How far the clocks of S3 and the review service may be apart, in seconds.
const CLOCK_SKEW_SECONDS: i64 = 600;

/// What was done about an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Done {
    /// People are at it.
    Waiting,
    /// Its output had not been worked off, since the event was lost.
    Recovered,
    /// It had never been started.
    Started,
    /// The review service has no room for it: it stays kept.
    Kept,
    /// It had failed, and was started again under another name.
    Reopened,
    /// It was set aside.
    GivenUp,
    /// Nobody else came to give one more opinion in time: an adjudicator decides.
    Disputed,
}

/// Whether the review service has room for more loops, as far as a run has heard.
///
/// Once it had none, the run asks for no more: each of thousands of questions would be tried, with pauses, in vain.
#[derive(Debug, Default)]
pub(crate) struct Room {
    is_full: AtomicBool,
    /// Loops that were looked at since.
    looks: AtomicUsize,
}

impl Room {
    /// Returns whether a loop that nobody seems to be at is left for another sweep.
    fn leaves_for_later(&self) -> bool {
        self.is_full.load(Ordering::Relaxed) && self.looks.fetch_add(1, Ordering::Relaxed) >= WITHOUT_ROOM
    }
}

impl LabelCollection {
    /// Sees to every loop that was asked for and is not done with. Idempotent.
    ///
    /// What failed or expired is asked again, [`MAX_RETRIES`] times; where it was one more opinion, an adjudicator decides
    /// after that, or once the time for it is over. A loop that was stopped is not: only an
    /// operator stops one, on purpose; its records are set aside. A loop that the service does not know, since
    /// it was never started or was deleted before a sweep saw it stopped, is started. What the service has no room for
    /// stays kept, which is no failure, and holds back nothing else.
    pub(crate) async fn sweep(&self, now: DateTime<Utc>) -> Result<(), LabelCollectionError> {
        let mut open = self.human_loops.open().await?;
        open.retain(|asked| LoopName::parse(&asked.name).is_some());
        let queued = self.queued(&open).await?;
        let waiting = match queued.is_empty() {
            true => self.waiting(&open).await?,
            false => queued.difference(&in_turn(&queued, now)).cloned().collect(),
        };
        // Where not all can be looked at, each sweep begins with another.
        let first = by_chance(open.len(), now);
        open.rotate_left(first);
        // First those that people are at: where the service is busy, nothing after it is looked at.
        open.sort_by_key(|asked| (!waiting.contains(&asked.name), !queued.contains(&asked.name)));
        let (mut done, room) = (Vec::new(), Room::default());
        let mut result = Ok(());
        let mut outcomes = stream::iter(&open)
            .map(async |asked| {
                let outcome = match waiting.contains(&asked.name) {
                    true => self.wait_for(asked, now).await,
                    false if room.leaves_for_later() => Ok(Done::Kept),
                    false => match self.see_to(&asked.name, &room).await {
                        Ok(Done::Waiting) => self.wait_for(asked, now).await,
                        seen_to => seen_to,
                    },
                };
                (asked, outcome)
            })
            .buffer_unordered(LOOPS_IN_FLIGHT);
        while let Some((asked, outcome)) = outcomes.next().await {
            match outcome {
                Ok(outcome) => done.push(outcome),
                Err(failure) => {
                    error!(
                        human_loop.name = asked.name,
                        error = chain(&failure),
                        "not seen to"
                    );
                    let busy = matches!(failure, LabelCollectionError::Ask(AskError::NotNow { .. }));
                    result = result.and(Err(failure));
                    if busy {
                        break; // The next sweep goes on.
                    }
                }
            }
        }
        report(&done);
        result
    }

    /// Returns which of the open loops are in the queue of the built-in review service: a request for each thousand marks.
    async fn queued(&self, open: &[OpenLoop]) -> Result<BTreeSet<String>, LabelCollectionError> {
        if open.is_empty() {
            return Ok(BTreeSet::new());
        }
        let names: BTreeSet<&str> = open.iter().map(|asked| asked.name.as_str()).collect();
        let mut queued = BTreeSet::new();
        let take = |mark: Listed| {
            let name = keys::queued_loop(&mark.key).filter(|name| names.contains(name));
            queued.extend(name.map(str::to_owned));
        };
        let listed = self.review.list_each(keys::QUEUE_FOLDER, take).await;
        listed.map_err(LabelCollectionError::Queue)?;
        Ok(queued)
    }

    /// Returns which of the open loops people are still at, as far as they are among the latest.
    async fn waiting(&self, open: &[OpenLoop]) -> Result<BTreeSet<String>, LabelCollectionError> {
        let Some(oldest) = open.iter().map(|asked| asked.asked_at).min() else {
            return Ok(BTreeSet::new());
        };
        // A loop is written down before it is started: none of them is older.
        let after = primitives::DateTime::from_secs(oldest.timestamp() - CLOCK_SKEW_SECONDS);
        let names: BTreeSet<&str> = open.iter().map(|asked| asked.name.as_str()).collect();
        let mut pages = self
            .a2i
            .list_human_loops()
            .flow_definition_arn(&self.config.workflow_arn)
            .creation_time_after(after)
            .sort_order(SortOrder::Descending)
            .into_paginator()
            .page_size(PAGE as i32)
            .send();
        let mut waiting = BTreeSet::new();
        // One that was forgotten long ago would have all loops listed that were made since.
        for _ in 0..open.len().div_ceil(PAGE) + PAGES_BEYOND {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(|error| LabelCollectionError::Review(error.into()))?;
            for summary in page.human_loop_summaries() {
                let waits = !has_ended(summary.human_loop_status());
                if let Some(name) = summary
                    .human_loop_name()
                    .filter(|name| waits && names.contains(name))
                {
                    waiting.insert(name.to_owned());
                }
            }
        }
        Ok(waiting)
    }

    /// Lets people go on with a loop, unless they have been waited for too long.
    async fn wait_for(&self, asked: &OpenLoop, now: DateTime<Utc>) -> Result<Done, LabelCollectionError> {
        match self.is_overdue(asked, now).await? {
            true => self.stop_waiting(&asked.name).await,
            false => Ok(Done::Waiting),
        }
    }

    /// Returns whether somebody who has not answered yet has been waited for too long, in this loop and in those of its
    /// round that have expired.
    async fn is_overdue(&self, asked: &OpenLoop, now: DateTime<Utc>) -> Result<bool, LabelCollectionError> {
        let Some(name) = LoopName::parse(&asked.name).filter(LoopName::is_further_round) else {
            return Ok(false);
        };
        let mut since = asked.asked_at;
        if let Some(first) = name.before_retries()
            && let Some(found) = self.describe(&first.to_string()).await?
            && let Some(created) = found.creation_time()
            && let Some(created) = DateTime::from_timestamp(created.secs(), 0)
        {
            since = since.min(created);
        }
        Ok(now.signed_duration_since(since) > self.config.second_opinion_within)
    }

    /// Stops a loop that nobody else answers; its records wait for an adjudicator.
    async fn stop_waiting(&self, human_loop: &str) -> Result<Done, LabelCollectionError> {
        let input = self.human_loops.input(human_loop).await?;
        let asked: Option<HumanLoopInput> = input.as_deref().and_then(|text| serde_json::from_str(text).ok());
        for record in asked.into_iter().flat_map(|asked| asked.comprehend_predictions) {
            self.dispute(record).await?;
        }
        self.human_loops.stop(human_loop).await?;
        self.human_loops.forget(human_loop).await?;
        Ok(Done::Disputed)
    }

    /// Returns whether an operator has stopped a loop.
    pub(crate) async fn is_stopped(&self, human_loop: &str) -> Result<bool, LabelCollectionError> {
        let found = self.describe(human_loop).await?;
        Ok(found.is_some_and(|found| found.human_loop_status() == Some(&HumanLoopStatus::Stopped)))
    }

    /// Does what is due about a loop that nobody seems to be at.
    pub(crate) async fn see_to(&self, human_loop: &str, room: &Room) -> Result<Done, LabelCollectionError> {
        let Some(found) = self.describe(human_loop).await? else {
            return self.start_kept(human_loop, room).await;
        };
        if !has_ended(found.human_loop_status()) {
            return Ok(Done::Waiting);
        }
        if let Some(key) = self.output_key(human_loop, &found)?
            && Box::pin(self.label(human_loop, &key)).await? != Outcome::Absent
        {
            return Ok(Done::Recovered);
        }
        if found.human_loop_status() == Some(&HumanLoopStatus::Stopped) {
            self.give_up(human_loop, "the human loop was stopped").await?;
            return Ok(Done::GivenUp);
        }
        self.reopen(human_loop, room).await
    }

    async fn describe(&self, name: &str) -> Result<Option<DescribeHumanLoopOutput>, LabelCollectionError> {
        match self.a2i.describe_human_loop().human_loop_name(name).send().await {
            Ok(found) => Ok(Some(found)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(LabelCollectionError::Review(error.into())),
        }
    }

    /// Returns where the output of a loop would lie.
    fn output_key(
        &self,
        human_loop: &str,
        found: &DescribeHumanLoopOutput,
    ) -> Result<Option<String>, LabelCollectionError> {
        let uri = found
            .human_loop_output()
            .and_then(|output| output.output_s3_uri());
        let Some(uri) = uri else {
            return Ok(None);
        };
        let prefix = format!("s3://{}/", self.config.review_bucket);
        match uri.strip_prefix(&prefix) {
            Some(key) => Ok(Some(key.to_owned())),
            None => Err(LabelCollectionError::OutputElsewhere(human_loop.to_owned())),
        }
    }

    /// Asks the same again in a loop of the next name. After [`MAX_RETRIES`] an adjudicator decides on what was answered
    /// in another round; else it is given up.
    async fn reopen(&self, human_loop: &str, room: &Room) -> Result<Done, LabelCollectionError> {
        let name = LoopName::parse(human_loop);
        let Some(next) = name.as_ref().and_then(LoopName::next_retry) else {
            if name.is_some_and(|name| name.is_further_round()) {
                return self.stop_waiting(human_loop).await;
            }
            let reason = format!("nobody answered in time, nor to {MAX_RETRIES} repetitions");
            self.give_up(human_loop, &reason).await?;
            return Ok(Done::GivenUp);
        };
        let Some(input) = self.human_loops.input(human_loop).await? else {
            return Ok(Done::Reopened); // Done with meanwhile.
        };
        let next = next.to_string();
        self.human_loops.keep(&next, &input).await?;
        self.human_loops.forget(human_loop).await?;
        Ok(match self.start_if_room(&next, &input, room).await? {
            Asked::Started => Done::Reopened,
            Asked::Kept => Done::Kept,
        })
    }

    async fn start_kept(&self, human_loop: &str, room: &Room) -> Result<Done, LabelCollectionError> {
        let Some(input) = self.human_loops.input(human_loop).await? else {
            return Ok(Done::Started); // Done with meanwhile.
        };
        Ok(match self.start_if_room(human_loop, &input, room).await? {
            Asked::Started => Done::Started,
            Asked::Kept => Done::Kept,
        })
    }

    async fn start_if_room(&self, human_loop: &str, input: &str, room: &Room) -> Result<Asked, AskError> {
        if room.is_full.load(Ordering::Relaxed) {
            return Ok(Asked::Kept);
        }
        let asked = self.human_loops.start_kept(human_loop, input).await?;
        if asked == Asked::Kept {
            room.is_full.store(true, Ordering::Relaxed);
        }
        Ok(asked)
    }
}

/// Returns the loops of the queue whose turn it is to be looked at.
fn in_turn(queued: &BTreeSet<String>, now: DateTime<Utc>) -> BTreeSet<String> {
    let turns = queued.len().div_ceil(IN_TURN).max(1);
    let turn = by_chance(turns, now);
    queued.iter().skip(turn).step_by(turns).cloned().collect()
}

/// Returns a number below `bound` for this hour, the same in all of it. Hours that are near have numbers that are not: a
/// machine that runs at some hours of the day only comes to all of them.
fn by_chance(bound: usize, now: DateTime<Utc>) -> usize {
    let hour = now.timestamp().div_euclid(3_600).unsigned_abs();
    match bound {
        0 => 0,
        bound => (Random::new(hour).next_u64() % bound as u64) as usize,
    }
}

/// Returns whether nobody can answer any more; a status of a later API version is left alone.
fn has_ended(status: Option<&HumanLoopStatus>) -> bool {
    use HumanLoopStatus::{Completed, Failed, Stopped};
    matches!(status, Some(Completed | Failed | Stopped))
}

pub(crate) fn report(done: &[Done]) {
    let mut counts: BTreeMap<Done, u64> = BTreeMap::new();
    for done in done {
        *counts.entry(*done).or_default() += 1;
    }
    let count = |done| counts.get(&done).copied().unwrap_or_default();
    info!(?counts, "swept");
    metrics::count(
        FUNCTION,
        &[
            ("OpenLoops", count(Done::Waiting)),
            ("RecoveredOutputs", count(Done::Recovered)),
            ("StartedLoops", count(Done::Started)),
            ("LoopsWithoutRoom", count(Done::Kept)),
            ("ReopenedLoops", count(Done::Reopened)),
            ("GivenUpLoops", count(Done::GivenUp)),
            ("DisputedLoops", count(Done::Disputed)),
        ],
    );
}
