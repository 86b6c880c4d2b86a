//! Pages of resources.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{ControlError, invalid};
use crate::flows::Resource;
use crate::labelling_jobs::listed::Start;
use crate::marks::Order;

const MAX_RESULTS: usize = 100;

/// What a list operation asks for.
#[derive(Debug, Clone, Default, Deserialize)]
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
    /// Returns the same, by time from the oldest on unless it says otherwise: the default of work teams and labelling jobs.
    ///
    /// The lists of flow definitions and of templates, of which no default is documented, have the newest first.
    /// Source: SageMaker API, `SortOrder` of each list.
    pub(super) fn oldest_first(mut self) -> Self {
        self.sort_order.get_or_insert_with(|| "Ascending".to_owned());
        self
    }

    /// Returns the page of these resources that is asked for: by time, newest first, unless it says otherwise.
    pub(super) fn page<T: Resource>(&self, all: Vec<T>) -> Result<Page<T>, ControlError> {
        let (items, most) = self.in_order(all)?;
        Ok(self.cut(items, most))
    }

    /// Returns the resources that are asked for from this page on, in their order, and how many a page has.
    ///
    /// The token names the last one of a page, so that one that was deleted meanwhile hides no other.
    pub(super) fn in_order<T: Resource>(&self, all: Vec<T>) -> Result<(Vec<T>, usize), ControlError> {
        let most = self.most()?;
        let descending = self.order() == Order::Descending;
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

    /// Returns how many a page has.
    pub(super) fn most(&self) -> Result<usize, ControlError> {
        let most = self.max_results.unwrap_or(MAX_RESULTS);
        if !(1..=MAX_RESULTS).contains(&most) {
            let rule = "Member must have value from 1 to 100";
            return Err(invalid(&most.to_string(), "maxResults", rule));
        }
        Ok(most)
    }

    /// Returns the same where its order can be had: by one of these, `Ascending` or `Descending`.
    ///
    /// # Errors
    ///
    /// [`ControlError::Validation`] naming the member.
    pub(super) fn sorted_by(self, known: &[&str]) -> Result<Self, ControlError> {
        let members = [
            ("sortBy", &self.sort_by, known),
            ("sortOrder", &self.sort_order, &["Ascending", "Descending"][..]),
        ];
        for (member, given, known) in members {
            if let Some(given) = given
                && !known.contains(&given.as_str())
            {
                let rule = match known {
                    [] => "Member must be left out: this list has one order".to_owned(),
                    known => format!("Member must satisfy enum value set: [{}]", known.join(", ")),
                };
                return Err(invalid(given, member, &rule));
            }
        }
        Ok(self)
    }

    /// Splits the token of a list whose pages go through several lists into the place of one and the token there, if any.
    pub(super) fn place_and_token(&self) -> Result<Option<(String, Option<String>)>, ControlError> {
        let Some(token) = &self.next_token else {
            return Ok(None);
        };
        let (place, rest) = token.split_once('.').ok_or_else(|| unknown_token(token))?;
        Ok(Some((
            place.to_owned(),
            Some(rest.to_owned()).filter(|rest| !rest.is_empty()),
        )))
    }

    /// Returns the same with another page of at most so many.
    pub(super) fn at(&self, next_token: Option<String>, most: usize) -> Self {
        Self {
            next_token,
            max_results: Some(most),
            ..self.clone()
        }
    }

    /// Returns whether the only resource that there is of a kind, which fills one page, is asked for.
    pub(super) fn wants_only(&self, name: &str) -> Result<bool, ControlError> {
        self.most()?;
        match &self.next_token {
            Some(token) => Err(unknown_token(token)),
            None => Ok(self
                .name_contains
                .as_deref()
                .is_none_or(|part| name.contains(part))),
        }
    }

    pub(super) fn order(&self) -> Order {
        match self.sort_order.as_deref().unwrap_or("Descending") {
            "Descending" => Order::Descending,
            _ => Order::Ascending,
        }
    }

    pub(super) fn is_by_status(&self) -> bool {
        self.sort_by.as_deref() == Some("Status")
    }

    pub(super) fn is_by_name(&self) -> bool {
        self.sort_by.as_deref() == Some("Name")
    }

    /// Returns the marks of jobs among which this page is: where they begin.
    pub(super) fn start(&self) -> Result<Start, ControlError> {
        let order = self.order();
        if let Some(token) = &self.next_token {
            let (place, name) = read_token(token)?;
            let time = place.parse().map_err(|_| unknown_token(token))?;
            return Ok(Start::after(order, time, &name));
        }
        // A float converts to an integer by saturation. The time of the request is of milliseconds.
        let microseconds = |seconds: f64| (seconds * 1_000_000.0) as i64;
        Ok(
            match (order, self.creation_time_after, self.creation_time_before) {
                (Order::Ascending, Some(after), _) => {
                    Start::at(order, microseconds(after).saturating_sub(1_000))
                }
                (Order::Descending, _, Some(before)) => {
                    Start::at(order, microseconds(before).saturating_add(1_000))
                }
                _ => Start::at_the_first(),
            },
        )
    }

    /// Returns whether a resource, and all that come after it by time, are out of the range of times.
    pub(super) fn is_past(&self, item: &impl Resource) -> bool {
        let time = seconds(item);
        match self.order() {
            Order::Ascending => self.creation_time_before.is_some_and(|before| time >= before),
            Order::Descending => self.creation_time_after.is_some_and(|after| time < after),
        }
    }

    /// Returns the token of the page after a resource.
    pub(super) fn token_after(&self, item: &impl Resource) -> String {
        let (place, name) = self.position(item);
        URL_SAFE_NO_PAD.encode(format!("{place}/{name}"))
    }

    /// Cuts a page from items in their order; one more than it has shows that there is another.
    pub(super) fn cut<T: Resource>(&self, mut items: Vec<T>, most: usize) -> Page<T> {
        let has_more = items.len() > most;
        items.truncate(most);
        let last = items.last().filter(|_| has_more);
        Page {
            next_token: last.map(|item| self.token_after(item)),
            items,
        }
    }

    fn position(&self, item: &impl Resource) -> (String, String) {
        match self.is_by_name() {
            true => (String::new(), item.name().to_owned()),
            false => (place(item.created_at()), item.name().to_owned()),
        }
    }

    pub(super) fn wants(&self, item: &impl Resource) -> bool {
        let time = seconds(item);
        self.creation_time_after.is_none_or(|after| time >= after)
            && self.creation_time_before.is_none_or(|before| time < before)
            && self
                .name_contains
                .as_deref()
                .is_none_or(|part| item.name().contains(part))
    }
}

fn seconds(item: &impl Resource) -> f64 {
    item.created_at().timestamp_millis() as f64 / 1_000.0
}

fn place(time: DateTime<Utc>) -> String {
    format!("{:016}", time.timestamp_micros())
}

fn read_token(token: &str) -> Result<(String, String), ControlError> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = text
        .as_deref()
        .and_then(|text| text.split_once('/'))
        .map(|(place, name)| (place.to_owned(), name.to_owned()));
    parts.ok_or_else(|| unknown_token(token))
}

pub(super) fn unknown_token(token: &str) -> ControlError {
    let rule = "Member must be a token that an earlier page of this listing returned";
    invalid(token, "nextToken", rule)
}
