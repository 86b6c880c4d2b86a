//! What waits, and which of it a reviewer gets next.

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use lambda_runtime::tracing::warn;
use serde_json::Value;

use super::passed::Past;
use super::{CONCURRENT_READS, LoopError, Loops, Version};
use crate::human_loop::{HumanLoop, Refusal, Worker};
use crate::marks::Mark;
use crate::records::QueueMarks;

/// Waiting loops whose state is read for one queue page.
const QUEUE_PAGE: usize = 100;
/// Inputs that no state holds which are read for one queue page.
const QUEUE_INPUTS: usize = 25;
/// Marks of the queue that are looked at together: one request.
const QUEUE_MARKS: usize = 200;
/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const LISTED_AT_ONCE: usize = 1_000;
/// Marks at the head of the queue that are nothing for a reviewer before the queue begins later for them.
const PASSED_OVER: usize = 100;
/// States that are read first when the next task is looked for; twice as many each time that none is free.
const FIRST_READS: usize = 1;
/// States that are read of a head of the queue that was listed seconds ago, before it is listed again.
const RECENT_READS: usize = 7;

/// The queue as one reviewer sees it.
#[derive(Debug)]
pub struct Queue {
    /// Loops that wait for this reviewer; exact up to 100, an upper bound beyond.
    pub waiting: Waiting,
    /// The first of them in review order.
    pub tasks: Vec<HumanLoop>,
}

/// How many loops wait, as far as one request can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// So many.
    pub count: usize,
    /// Whether there are more.
    pub has_more: bool,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let more = if self.has_more { "+" } else { "" };
        write!(formatter, "{}{more}", self.count)
    }
}

/// Which task a reviewer wants next.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Whether one that they skipped will do, if there is no other.
    pub skipped_too: bool,
    /// Names of tasks that they have before them already.
    pub without: &'a [String],
    /// Whether it is fetched ahead by a page that may be gone when it comes.
    pub is_ahead: bool,
}

/// The next task, taken for the reviewer.
#[derive(Debug)]
pub struct Next {
    /// The task; none if nothing waits for this reviewer.
    pub human_loop: Option<HumanLoop>,
    /// All that wait for their teams, whoever may take them; those before the reviewer included. Of a queue that begins with
    /// a hundred or more that they have answered or skipped, without those.
    pub waiting: Waiting,
}

impl Loops {
    /// Returns the waiting loops that the reviewer may take, most uncertain first.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn queue(&self, worker: &Worker, now: DateTime<Utc>) -> Result<Queue, LoopError> {
        let page = self.own_marks(worker).await?;
        let examined = &page.marks[..page.marks.len().min(QUEUE_PAGE)];
        let tasks: Vec<HumanLoop> = self
            .loops_of(examined, now)
            .await?
            .into_iter()
            .flatten()
            .filter(|human_loop| {
                human_loop.is_for(worker)
                    && human_loop.may_answer(&worker.in_loop(human_loop).id, now).is_ok()
            })
            .collect();
        let waiting = Waiting {
            count: page.marks.len() - examined.len() + tasks.len(),
            has_more: page.last.is_some(),
        };
        Ok(Queue { waiting, tasks })
    }

    /// Returns what some waiting loops ask, to be listed. Most states hold it; of the others the first 25 are read. Null of
    /// further ones, and of what cannot be read.
    pub async fn inputs_of(&self, waiting: &[HumanLoop]) -> Vec<Value> {
        let mut left = QUEUE_INPUTS;
        let reads: Vec<_> = waiting
            .iter()
            .map(|human_loop| {
                let is_read = human_loop.input.is_none() && left > 0;
                left -= usize::from(is_read);
                self.input_to_list(human_loop, is_read)
            })
            .collect();
        stream::iter(reads).buffered(CONCURRENT_READS).collect().await
    }

    async fn input_to_list(&self, human_loop: &HumanLoop, is_read: bool) -> Value {
        match (&human_loop.input, is_read) {
            (Some(input), _) => input.clone(),
            (None, false) => Value::Null,
            (None, true) => {
                let read = self.records.input(&human_loop.id).await;
                let read = read.inspect_err(|error| warn!(%error, "what a task asks cannot be listed"));
                read.ok().flatten().unwrap_or_default()
            }
        }
    }

    /// Returns how many loops wait for the reviewer's teams, whoever may take them: by their marks alone, mostly in one
    /// request.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn waiting(&self, worker: &Worker) -> Result<Waiting, LoopError> {
        Ok(waiting_of(&self.own_marks(worker).await?, worker))
    }

    /// Returns the first marks of the reviewer's teams. Where those of others come first they take a request for each
    /// thousand: half a dozen at most, since no more may be in flight.
    async fn own_marks(&self, worker: &Worker) -> Result<QueueMarks, LoopError> {
        let mut own = QueueMarks {
            marks: Vec::new(),
            last: Some(String::new()),
        };
        let mut limit = QUEUE_MARKS;
        while let Some(last) = own.last.take_if(|_| own.marks.len() < QUEUE_MARKS) {
            let page = self.listed(&last, limit).await?;
            limit = LISTED_AT_ONCE;
            let for_them = page.marks.into_iter().filter(|mark| mark.is_for(worker));
            own.marks.extend(for_them);
            own.last = page.last;
        }
        Ok(own)
    }

    /// Returns marks of the queue after one, without those of loops that this process knows to have ended.
    pub(super) async fn listed(&self, after: &str, limit: usize) -> Result<QueueMarks, LoopError> {
        let mut page = self.records.queue_marks(after, limit).await?;
        self.leaving.leave_out_of(&mut page);
        self.known.keep_listed(after, &page);
        Ok(page)
    }

    /// Takes the next loop for the reviewer: the most uncertain one, those they skipped last.
    ///
    /// Lists and reads from the head of the queue until one is free. What this process knows to be nothing for them is
    /// passed over without a read: what it costs depends on what others hold, not on how many wait or on what this reviewer
    /// has done.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn take_next(
        &self,
        worker: &Worker,
        wish: Wish<'_>,
        now: DateTime<Utc>,
    ) -> Result<Next, LoopError> {
        let next = Box::pin(self.find_next(worker, wish, now)).await?;
        self.remove_leaving_if(next.human_loop.is_none(), now).await;
        Ok(next)
    }

    async fn find_next(
        &self,
        worker: &Worker,
        wish: Wish<'_>,
        now: DateTime<Utc>,
    ) -> Result<Next, LoopError> {
        let mut skipped = Vec::new();
        let begin = self.passed.begin(worker, now);
        if let Some(page) = self.head.recent(&begin) {
            let waiting = waiting_of(&page, worker);
            let mut marks = self.offered(&page.marks, worker, wish, &mut skipped);
            marks.truncate(RECENT_READS);
            let free = self.first_free(&marks, worker, wish, &mut skipped, now).await?;
            if free.is_some() {
                let human_loop = free;
                return Ok(Next { human_loop, waiting });
            }
            skipped.clear();
        }

        let page = self.listed(&begin, QUEUE_MARKS).await?;
        self.head.keep(&begin, page.clone());
        let waiting = waiting_of(&page, worker);
        let free = self
            .next_of(page, &begin, worker, wish, &mut skipped, now)
            .await?;
        if let Some(human_loop) = free {
            let human_loop = Some(human_loop);
            return Ok(Next { human_loop, waiting });
        }
        if !begin.is_empty() {
            // There may be some by now before where the queue begins for them.
            skipped.clear();
            let page = self.listed("", LISTED_AT_ONCE).await?;
            let free = self.next_of(page, "", worker, wish, &mut skipped, now).await?;
            if let Some(human_loop) = free {
                let human_loop = Some(human_loop);
                return Ok(Next { human_loop, waiting });
            }
        }

        for name in skipped.into_iter().filter(|_| wish.skipped_too) {
            if let Some(taken) = self.try_take(&name, None, worker, wish.is_ahead, now).await? {
                let human_loop = Some(taken);
                return Ok(Next { human_loop, waiting });
            }
        }
        Ok(Next {
            human_loop: None,
            waiting,
        })
    }

    /// Takes the first loop that is free for the reviewer, from a listing after `begin` on. Where much of its beginning is
    /// nothing for them, the queue begins later for them from now on.
    async fn next_of(
        &self,
        mut page: QueueMarks,
        begin: &str,
        worker: &Worker,
        wish: Wish<'_>,
        skipped: &mut Vec<String>,
        now: DateTime<Utc>,
    ) -> Result<Option<HumanLoop>, LoopError> {
        let mut is_begin = true;
        loop {
            let marks = self.offered(&page.marks, worker, wish, skipped);
            let free = self.first_free(&marks, worker, wish, skipped, now).await?;
            if is_begin {
                let past = page
                    .marks
                    .iter()
                    .take_while(|mark| self.is_past(mark, worker))
                    .count();
                is_begin = past == page.marks.len();
                if past >= PASSED_OVER
                    && let Some(after) = page.marks[past - 1].queue_key()
                {
                    self.passed.begin_after(worker, after, begin.is_empty(), now);
                }
            }
            match (free, page.last) {
                (Some(free), _) => return Ok(Some(free)),
                (None, Some(last)) => page = self.listed(&last, LISTED_AT_ONCE).await?,
                (None, None) => return Ok(None),
            }
        }
    }

    /// Returns whether a mark is nothing for a reviewer, as far as is known, and stays so: but for those that they skipped.
    fn is_past(&self, mark: &Mark, worker: &Worker) -> bool {
        !mark.is_for(worker) || self.passed.of(worker, &mark.id).is_some()
    }

    /// Returns the marks that may be free for the reviewer; notes those they skipped.
    fn offered(
        &self,
        marks: &[Mark],
        worker: &Worker,
        wish: Wish<'_>,
        skipped: &mut Vec<String>,
    ) -> Vec<Mark> {
        let mut offered = Vec::new();
        let own = marks
            .iter()
            .filter(|mark| mark.is_for(worker) && !wish.without.contains(&mark.name));
        for mark in own {
            match self.passed.of(worker, &mark.id) {
                None => offered.push(mark.clone()),
                Some(Past::Skipped) => skipped.push(mark.name.clone()),
                Some(Past::Done) => {}
            }
        }
        offered
    }

    /// Takes the first of these loops that is free for the reviewer; notes those they skipped.
    async fn first_free(
        &self,
        marks: &[Mark],
        worker: &Worker,
        wish: Wish<'_>,
        skipped: &mut Vec<String>,
        now: DateTime<Utc>,
    ) -> Result<Option<HumanLoop>, LoopError> {
        let (mut rest, mut reads) = (marks, FIRST_READS);
        while !rest.is_empty() {
            let (some, others) = rest.split_at(rest.len().min(reads));
            (rest, reads) = (others, (reads * 2).min(CONCURRENT_READS));

            let versions: Vec<_> = some
                .iter()
                .map(|mark| self.version_to_take(mark, worker, now))
                .collect();
            let versions: Vec<Option<Version>> = stream::iter(versions)
                .buffered(CONCURRENT_READS)
                .try_collect()
                .await?;
            for version in versions.into_iter().flatten() {
                if !self.is_offered(&version.0, worker, skipped, now) {
                    continue;
                }
                let name = version.0.name.clone();
                let taken = Box::pin(self.try_take(&name, Some(version), worker, wish.is_ahead, now));
                if let Some(taken) = taken.await? {
                    return Ok(Some(taken));
                }
            }
        }
        Ok(None)
    }

    /// Returns whether a loop is free for a reviewer who has not skipped it; notes what it is for them, if it stays that.
    fn is_offered(
        &self,
        human_loop: &HumanLoop,
        worker: &Worker,
        skipped: &mut Vec<String>,
        now: DateTime<Utc>,
    ) -> bool {
        let own_id = worker.in_loop(human_loop).id;
        match human_loop.may_answer(&own_id, now) {
            Ok(()) if human_loop.skipped_by.contains(&own_id) => {
                self.passed.note(worker, &human_loop.id, Past::Skipped);
                skipped.push(human_loop.name.clone());
                false
            }
            Ok(()) => true,
            Err(Refusal::Answered | Refusal::Counted | Refusal::Excluded) => {
                // Whoever finds the mark of one that has ended does what is left to do of it, and finds it until that is done.
                if human_loop.status.is_in_flight() {
                    self.passed.note(worker, &human_loop.id, Past::Done);
                }
                false
            }
            Err(Refusal::Held | Refusal::Closed) => false,
        }
    }

    /// Returns the loop of a mark as this process knows it, if it is free for the reviewer by that; else it is read.
    async fn version_to_take(
        &self,
        mark: &Mark,
        worker: &Worker,
        now: DateTime<Utc>,
    ) -> Result<Option<Version>, LoopError> {
        // What they hold already might be returned without a write, as it was.
        let is_free = |(human_loop, _): &Version| {
            let own_id = worker.in_loop(human_loop).id;
            human_loop.id == mark.id
                && human_loop.due(now).is_none()
                && human_loop.accepted_at(&own_id).is_none()
                && !human_loop.skipped_by.contains(&own_id)
                && human_loop.may_answer(&own_id, now).is_ok()
        };
        let known = self.known.get(mark).or_else(|| self.taken.get(&mark.name));
        match known.filter(is_free) {
            Some(known) => Ok(Some(known)),
            None => self.version_of(mark, now).await,
        }
    }
}

fn waiting_of(page: &QueueMarks, worker: &Worker) -> Waiting {
    Waiting {
        count: page.marks.iter().filter(|mark| mark.is_for(worker)).count(),
        has_more: page.last.is_some(),
    }
}
