//! Pages of loops by creation time.

use chrono::{DateTime, Utc};

use super::{LoopError, Loops};
use crate::human_loop::HumanLoop;
use crate::marks::{Mark, Order};

/// One page of the listing.
#[derive(Debug)]
pub struct Page {
    /// Loops in the order asked for.
    pub loops: Vec<HumanLoop>,
    /// Name of the mark after which the next page begins.
    pub next: Option<String>,
}

/// What a listing asks for.
#[derive(Debug)]
pub struct Listing {
    /// Order by creation time.
    pub order: Order,
    /// Only loops created at or after this time.
    pub created_from: Option<DateTime<Utc>>,
    /// Only loops created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Loops on a page.
    pub page_size: usize,
    /// Mark after which this page begins.
    pub after: Option<String>,
    /// Name of the flow definition, if it is not the stack's own.
    pub flow: Option<String>,
}

impl Loops {
    /// Returns a page of loops by creation time.
    ///
    /// Reads the state of the loops on the page only. So there may be one more page, which is empty, where a loop is gone of
    /// which a mark is left.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn list(&self, listing: &Listing, now: DateTime<Utc>) -> Result<Page, LoopError> {
        let first = listing.order.first(listing.created_from, listing.created_before);
        let mut after = listing
            .after
            .clone()
            .map_or(first.clone(), |after| after.max(first));
        let mut found: Vec<HumanLoop> = Vec::new();
        loop {
            let keys = self
                .records
                .listing_marks(
                    listing.flow.as_deref(),
                    listing.order,
                    &after,
                    listing.page_size + 1,
                )
                .await?;
            let parsed: Vec<Mark> = keys
                .iter()
                .filter_map(|key| Mark::parse_listing(listing.order, key))
                .map(|mark| Mark {
                    flow: listing.flow.clone(),
                    ..mark
                })
                .collect();
            let is_within = |mark: &&Mark| mark.is_within(listing.created_from, listing.created_before);
            let marks: Vec<Mark> = parsed.iter().take_while(is_within).cloned().collect();
            let (read, beyond) = marks.split_at(marks.len().min(listing.page_size - found.len()));
            found.extend(self.loops_of(read, now).await?.into_iter().flatten());

            // A name that is that of no mark ends no page.
            let is_last = keys.len() <= listing.page_size || marks.len() < parsed.len();
            let has_more = !beyond.is_empty() || !is_last;
            let last = read.last().map(|mark| mark.listing_key(listing.order));
            match last.or_else(|| keys.last().cloned()) {
                Some(last) if has_more => after = last,
                _ => {
                    return Ok(Page {
                        loops: found,
                        next: None,
                    });
                }
            }
            if found.len() == listing.page_size {
                return Ok(Page {
                    loops: found,
                    next: Some(after),
                });
            }
        }
    }
}
