//! What an operator does to a loop.

use chrono::{DateTime, Utc};

use super::{LoopError, Loops};
use crate::human_loop::HumanLoop;
use crate::marks::Mark;

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
}
