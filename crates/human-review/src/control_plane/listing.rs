//! Pages of resources.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{ControlError, invalid};
use crate::flows::Resource;

const MAX_RESULTS: usize = 100;

/// What a list operation asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRequest {
    creation_time_after: Option<f64>,
    creation_time_before: Option<f64>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    name_contains: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// A page, and the token of the next one.
pub(super) struct Page<T> {
    pub items: Vec<T>,
    pub next_token: Option<String>,
}

impl ListRequest {
    /// Returns the page of these resources that is asked for: by time, newest first, unless it says otherwise.
    pub(super) fn page<T: Resource>(&self, all: Vec<T>) -> Result<Page<T>, ControlError> {
        let (items, most) = self.in_order(all)?;
        Ok(self.cut(items, most))
    }

    /// Returns the resources that are asked for from this page on, in their order, and how many a page has.
    ///
    /// The token names the last one of a page, so that one that was deleted meanwhile hides no other.
    pub(super) fn in_order<T: Resource>(&self, all: Vec<T>) -> Result<(Vec<T>, usize), ControlError> {
        let most = self.max_results.unwrap_or(MAX_RESULTS);
        if !(1..=MAX_RESULTS).contains(&most) {
            let rule = "Member must have value from 1 to 100";
            return Err(invalid(&most.to_string(), "maxResults", rule));
        }
        let descending = self.sort_order.as_deref().unwrap_or("Descending") == "Descending";
        let after = self.next_token.as_deref().map(read_token).transpose()?;
        let mut items: Vec<T> = all.into_iter().filter(|item| self.wants(item)).collect();
        items.sort_by_key(|item| self.position(item));
        if descending {
            items.reverse();
        }
        items.retain(|item| match &after {
            None => true,
            Some(after) if descending => self.position(item) < *after,
            Some(after) => self.position(item) > *after,
        });
        Ok((items, most))
    }

    /// Cuts a page from items in their order; one more than it has shows that there is another.
    pub(super) fn cut<T: Resource>(&self, mut items: Vec<T>, most: usize) -> Page<T> {
        let has_more = items.len() > most;
        items.truncate(most);
        let last = items.last().filter(|_| has_more).map(|item| self.position(item));
        Page {
            items,
            next_token: last.map(|(place, name)| URL_SAFE_NO_PAD.encode(format!("{place}/{name}"))),
        }
    }

    fn position(&self, item: &impl Resource) -> (String, String) {
        match self.sort_by.as_deref() == Some("Name") {
            true => (String::new(), item.name().to_owned()),
            false => (place(item.created_at()), item.name().to_owned()),
        }
    }

    fn wants(&self, item: &impl Resource) -> bool {
        let time = item.created_at().timestamp_millis() as f64 / 1_000.0;
        self.creation_time_after.is_none_or(|after| time >= after)
            && self.creation_time_before.is_none_or(|before| time < before)
            && self
                .name_contains
                .as_deref()
                .is_none_or(|part| item.name().contains(part))
    }
}

fn place(time: DateTime<Utc>) -> String {
    format!("{:014}", time.timestamp_millis())
}

fn read_token(token: &str) -> Result<(String, String), ControlError> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = text
        .as_deref()
        .and_then(|text| text.split_once('/'))
        .map(|(place, name)| (place.to_owned(), name.to_owned()));
    let rule = "Member must be a token that an earlier page of this listing returned";
    parts.ok_or_else(|| invalid(token, "nextToken", rule))
}
