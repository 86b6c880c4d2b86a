//! What an operator does to a loop.

use std::collections::BTreeMap;

use active_learning_aws::overview::Bounded;
use chrono::{DateTime, Utc};

use super::{LoopError, Loops};
use crate::human_loop::HumanLoop;
use crate::marks::Mark;
use crate::output::Answer;

/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const LISTED_AT_ONCE: usize = 1_000;

/// Loops that are read to count them by flow definition.
const COUNTED: usize = 1_000;

impl Loops {
    /// Ends all leases of a loop, so that anybody may take it. Who had it open may still answer while nobody else has.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`].
    pub async fn free(&self, name: &str, now: DateTime<Utc>) -> Result<HumanLoop, LoopError> {
        self.change(name, now, |human_loop| {
            human_loop.end_leases(|_| true);
            Ok(())
        })
        .await
    }

    /// Counts the loops in flight by the flow definition that they are of, none for that of the stack. Those that `of_job`
    /// knows by their name are of the flow that it says, and all of them count; of the others, which have to be read, the
    /// first thousand in review order: then there may be more.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn in_flight_by_flow(
        &self,
        of_job: impl Fn(&str) -> Option<String>,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<Option<String>, Bounded>, LoopError> {
        let mut counts: BTreeMap<Option<String>, Bounded> = BTreeMap::new();
        let (mut others, mut has_more) = (Vec::new(), false);
        let mut after = String::new();
        loop {
            let page = self.listed(&after, LISTED_AT_ONCE).await?;
            for mark in page.marks {
                match of_job(&mark.name) {
                    Some(flow) => counts.entry(Some(flow)).or_default().count += 1,
                    None if others.len() < COUNTED => others.push(mark),
                    None => has_more = true,
                }
            }
            match page.last {
                Some(last) => after = last,
                None => break,
            }
        }
        for human_loop in self.of_marks(&others, now).await? {
            let flow = human_loop.flow.as_ref().map(|flow| flow.name().into_owned());
            let of_flow = counts.entry(flow).or_default();
            of_flow.count += 1;
            of_flow.has_more = has_more;
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
            let page = self.listed(&after, LISTED_AT_ONCE).await?;
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
        Ok(self.records.answers(human_loop).await?)
    }
}
