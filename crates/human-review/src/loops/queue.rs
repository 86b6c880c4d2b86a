//! What waits, and which of it a reviewer gets next.

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt as _};
use lambda_runtime::tracing::warn;
use serde_json::Value;

use super::{CONCURRENT_READS, LoopError, Loops};
use crate::human_loop::{HumanLoop, Worker};
use crate::marks::Mark;
use crate::records::QueueMarks;

/// Waiting loops whose state is read for one queue page.
const QUEUE_PAGE: usize = 100;
/// Inputs that no state holds which are read for one queue page.
const QUEUE_INPUTS: usize = 25;
/// Marks of the queue that are looked at together: one request.
const QUEUE_MARKS: usize = 200;
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
    /// All that wait for their teams, whoever may take them; those before the reviewer included.
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
        Ok(waiting_of(&self.own_marks(worker).await?))
    }

    /// Returns the first marks of the reviewer's teams. Where those of others come first they take a request for each two
    /// hundred: some dozens at most, as many as may be in flight.
    async fn own_marks(&self, worker: &Worker) -> Result<QueueMarks, LoopError> {
        let mut own = QueueMarks {
            marks: Vec::new(),
            last: Some(String::new()),
        };
        while let Some(last) = own.last.take_if(|_| own.marks.len() < QUEUE_MARKS) {
            let page = self.records.queue_marks(&last, QUEUE_MARKS).await?;
            let for_them = page.marks.into_iter().filter(|mark| mark.is_for(worker));
            own.marks.extend(for_them);
            own.last = page.last;
        }
        Ok(own)
    }

    /// Takes the next loop for the reviewer: the most uncertain one, those they skipped last.
    ///
    /// Lists and reads from the head of the queue until one is free: what it costs depends on what others
    /// hold and on what this reviewer skipped, not on how many wait.
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
        let mut skipped = Vec::new();
        if let Some(mut page) = self.head.recent() {
            page.marks.retain(|mark| mark.is_for(worker));
            let waiting = waiting_of(&page);
            page.marks.retain(|mark| !wish.without.contains(&mark.name));
            page.marks.truncate(RECENT_READS);
            let free = self
                .first_free(&page.marks, worker, wish, &mut skipped, now)
                .await?;
            if free.is_some() {
                let human_loop = free;
                return Ok(Next { human_loop, waiting });
            }
            skipped.clear();
        }
        let mut page = self.records.queue_marks("", QUEUE_MARKS).await?;
        self.head.keep(page.clone());
        page.marks.retain(|mark| mark.is_for(worker));
        let waiting = waiting_of(&page);
        loop {
            page.marks
                .retain(|mark| mark.is_for(worker) && !wish.without.contains(&mark.name));
            let free = self
                .first_free(&page.marks, worker, wish, &mut skipped, now)
                .await?;
            match (free, page.last) {
                (Some(human_loop), _) => {
                    let human_loop = Some(human_loop);
                    return Ok(Next { human_loop, waiting });
                }
                (None, Some(last)) => page = self.records.queue_marks(&last, QUEUE_MARKS).await?,
                (None, None) => break,
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

            for version in self.versions_of(some, now).await?.into_iter().flatten() {
                let (human_loop, _) = &version;
                let own_id = worker.in_loop(human_loop).id;
                if human_loop.may_answer(&own_id, now).is_err() {
                    continue;
                }
                let name = human_loop.name.clone();
                if human_loop.skipped_by.contains(&own_id) {
                    skipped.push(name);
                    continue;
                }
                let taken = Box::pin(self.try_take(&name, Some(version), worker, wish.is_ahead, now));
                if let Some(taken) = taken.await? {
                    return Ok(Some(taken));
                }
            }
        }
        Ok(None)
    }
}

fn waiting_of(page: &QueueMarks) -> Waiting {
    Waiting {
        count: page.marks.len(),
        has_more: page.last.is_some(),
    }
}
