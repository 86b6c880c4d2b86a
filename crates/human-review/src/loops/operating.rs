//! What an operator does to a loop.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{LoopError, Loops};
use crate::human_loop::HumanLoop;
use crate::marks::Mark;
use crate::output::Answer;

/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const LISTED_AT_ONCE: usize = 1_000;

/// Loops that are counted by flow definition: a page of S3's.
const COUNTED: usize = 1_000;

impl Loops {
    /// Ends all leases of a loop, so that anybody may take it. Who had it open may still answer while nobody else has.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`].
    pub async fn free(&self, name: &str, now: DateTime<Utc>) -> Result<HumanLoop, LoopError> {
        self.change(name, now, |human_loop| {
            human_loop.leases.clear();
            Ok(())
        })
        .await
    }

    /// Counts the loops in flight by the flow definition that they are of, none for that of the stack: of the first
    /// thousand in review order.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn in_flight_by_flow(
        &self,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<Option<String>, usize>, LoopError> {
        let page = self.records.queue_marks("", COUNTED).await?;
        let mut counts = BTreeMap::new();
        for human_loop in self.of_marks(&page.marks, now).await? {
            let flow = human_loop.flow.as_ref().map(|flow| flow.name().into_owned());
            *counts.entry(flow).or_default() += 1;
        }
        Ok(counts)
    }

    /// Returns the loops of some marks, those left out that are gone, with what was due carried out.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn of_marks(&self, marks: &[Mark], now: DateTime<Utc>) -> Result<Vec<HumanLoop>, LoopError> {
        let loops = self.loops_of(marks, now).await?;
        let in_flight = loops.into_iter().flatten();
        Ok(in_flight
            .filter(|human_loop| human_loop.status.is_in_flight())
            .collect())
    }

    /// Returns the names of all loops in flight, by their marks alone: a request for each thousand.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn waiting_names(&self) -> Result<Vec<String>, LoopError> {
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.records.queue_marks(&after, LISTED_AT_ONCE).await?;
            names.extend(page.marks.into_iter().map(|mark| mark.name));
            match page.last {
                Some(last) => after = last,
                None => return Ok(names),
            }
        }
    }

    /// Returns the answers to a loop, in the order in which they came.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn answers_of(&self, human_loop: &HumanLoop) -> Result<Vec<Answer>, LoopError> {
        Ok(self.records.answers(human_loop, &[]).await?)
    }
}
