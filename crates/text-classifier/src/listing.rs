//! Lists of resources: filters by time, pages.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{api_error::ApiError, validation::invalid};

const DEFAULT_PAGE: usize = 100;
const PAGE_SIZES: std::ops::RangeInclusive<i64> = 1..=500;

/// Which page is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Paging {
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// Where something stands in a list: by time, then by name.
pub(crate) type Position = (f64, String);

/// Whether the oldest comes first: so it does where only what is older than some time is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    NewestFirst,
    OldestFirst,
}

impl Order {
    /// Source: Comprehend API reference, `SubmitTimeBefore` and `SubmitTimeAfter`.
    pub(crate) fn of_filter(before: Option<f64>) -> Self {
        match before {
            Some(_) => Self::OldestFirst,
            None => Self::NewestFirst,
        }
    }

    fn compare(self, left: &Position, right: &Position) -> std::cmp::Ordering {
        let ascending = left.0.total_cmp(&right.0).then_with(|| left.1.cmp(&right.1));
        match self {
            Self::NewestFirst => ascending.reverse(),
            Self::OldestFirst => ascending,
        }
    }
}

/// Returns one page under the member's name, with the token of the next if there is one.
pub(crate) fn page<T: Into<Value>>(
    member: &'static str,
    items: Vec<(Position, T)>,
    order: Order,
    paging: &Paging,
) -> Result<Value, ApiError> {
    let size = page_size(paging.max_results)?;
    let after = paging.next_token.as_deref().map(read_token).transpose()?;
    let mut rest: Vec<_> = items
        .into_iter()
        .filter(|(position, _)| {
            after
                .as_ref()
                .is_none_or(|after| order.compare(position, after).is_gt())
        })
        .collect();
    rest.sort_by(|(left, _), (right, _)| order.compare(left, right));
    let next = rest.get(size).map(|_| write_token(&rest[size - 1].0));
    rest.truncate(size);
    let found: Vec<Value> = rest.into_iter().map(|(_, item)| item.into()).collect();
    let mut answer = json!({member: found});
    if let Some(next) = next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

/// Returns whether a time lies strictly between the limits of a filter.
pub(crate) fn is_between(time: f64, after: Option<f64>, before: Option<f64>) -> bool {
    after.is_none_or(|after| time > after) && before.is_none_or(|before| time < before)
}

fn page_size(max_results: Option<i64>) -> Result<usize, ApiError> {
    match max_results {
        None => Ok(DEFAULT_PAGE),
        Some(size) if PAGE_SIZES.contains(&size) => Ok(size as usize),
        Some(_) => Err(invalid("maxResults", "Member must have value between 1 and 500")),
    }
}

fn write_token(position: &Position) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json!(position).to_string())
}

fn read_token(token: &str) -> Result<Position, ApiError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|position| serde_json::from_slice(&position).ok())
        .ok_or(ApiError::InvalidRequest(
            "the NextToken is not one of a page before",
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(names: &[&str]) -> Vec<(Position, Value)> {
        (1..)
            .zip(names)
            .map(|(time, &name)| ((f64::from(time), name.to_owned()), name.into()))
            .collect()
    }

    #[test]
    fn pages_together_are_the_whole_list_once() {
        for (order, expected) in [
            (Order::NewestFirst, ["e", "d", "c", "b", "a"]),
            (Order::OldestFirst, ["a", "b", "c", "d", "e"]),
        ] {
            let mut seen = Vec::new();
            let mut paging = Paging {
                max_results: Some(2),
                ..Paging::default()
            };
            loop {
                let page = page("Items", items(&["a", "b", "c", "d", "e"]), order, &paging).expect("a page");
                let found = page["Items"].as_array().expect("a list").clone();
                seen.extend(found.iter().filter_map(Value::as_str).map(str::to_owned));
                paging.next_token = page["NextToken"].as_str().map(str::to_owned);
                if paging.next_token.is_none() {
                    break;
                }
            }

            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn a_full_last_page_has_no_next() {
        let paging = Paging {
            max_results: Some(2),
            ..Paging::default()
        };

        let page = page("Items", items(&["a", "b"]), Order::NewestFirst, &paging).expect("a page");

        assert_eq!(page, json!({"Items": ["b", "a"]}));
    }

    #[test]
    fn sizes_out_of_range_and_foreign_tokens_are_refused() {
        let refusal = |next_token: Option<&str>, max_results| {
            let paging = Paging {
                next_token: next_token.map(str::to_owned),
                max_results,
            };
            page("Items", items(&["a"]), Order::NewestFirst, &paging)
                .err()
                .map(|error| error.code())
        };

        assert_eq!(refusal(None, Some(500)), None);
        assert_eq!(refusal(None, Some(0)), Some("ValidationException"));
        assert_eq!(refusal(None, Some(501)), Some("ValidationException"));
        assert_eq!(refusal(Some("nonsense!"), None), Some("InvalidRequestException"));
    }
}
