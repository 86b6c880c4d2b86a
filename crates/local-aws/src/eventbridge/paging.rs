//! Lists in pages: `Limit` and `NextToken`.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{aws_error::AwsError, json_protocol::validation};

/// Most entries of a page.
const MOST_ENTRIES: i64 = 100;

/// Which page of a list is wanted. Without a limit it is all.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Paging {
    limit: Option<i64>,
    next_token: Option<String>,
}

impl Paging {
    /// Returns the page of a list as the member of an answer. Its entries come in the order of their names.
    pub(super) fn page<'a>(
        &self,
        member: &str,
        entries: impl Iterator<Item = (&'a str, Value)>,
    ) -> Result<Value, AwsError> {
        let limit = self.limit()?;
        let after = self.after()?;
        let mut entries = entries
            .filter(|(name, _)| after.as_deref().is_none_or(|after| *name > after))
            .peekable();

        let (mut page, mut last) = (Vec::new(), None);
        while page.len() < limit
            && let Some((name, shown)) = entries.next()
        {
            last = Some(name);
            page.push(shown);
        }
        let mut answer = json!({ member: page });
        if let Some(last) = last.filter(|_| entries.peek().is_some()) {
            answer["NextToken"] = json!(BASE64_URL_SAFE_NO_PAD.encode(last));
        }
        Ok(answer)
    }

    fn limit(&self) -> Result<usize, AwsError> {
        match self.limit {
            None => Ok(usize::MAX),
            Some(limit) if (1..=MOST_ENTRIES).contains(&limit) => Ok(limit as usize),
            Some(limit) => Err(validation(format!(
                "the Limit {limit} is not from 1 to {MOST_ENTRIES}"
            ))),
        }
    }

    fn after(&self) -> Result<Option<String>, AwsError> {
        let Some(token) = &self.next_token else {
            return Ok(None);
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
        let after = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        after
            .map(Some)
            .ok_or_else(|| validation("the NextToken is none that was given".to_owned()))
    }
}
