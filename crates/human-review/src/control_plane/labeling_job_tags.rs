//! The tags with which `CreateLabelingJob` is told what SageMaker has no member for.

use serde::Deserialize;

use super::{ControlError, invalid};
use crate::labelling_jobs::census::{
    AUDIT_TAG, ONLY_WHERE_TAG, PARENT_TAG, SAME_TEXT_TAG, SHARE_TAG, SHOW_TAG,
};
use crate::labelling_jobs::record::Filter;

/// Begins the names of all of them; other tags mean nothing here.
const OWN_TAGS: &str = "active-learning:";
const KNOWN: [&str; 6] = [
    AUDIT_TAG,
    ONLY_WHERE_TAG,
    PARENT_TAG,
    SAME_TEXT_TAG,
    SHARE_TAG,
    SHOW_TAG,
];

/// A tag of a request.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

/// What the tags of a request say.
pub(super) struct JobTags {
    pub only_where: Option<Filter>,
    pub show: Option<String>,
    pub audit: Option<String>,
    pub share: Option<f64>,
    pub asks_each: bool,
    pub parent: Option<String>,
}

impl JobTags {
    /// Reads the tags; one without a value says nothing.
    ///
    /// # Errors
    ///
    /// [`ControlError`] naming a tag of this project that there is not, or that does not have its form.
    pub(super) fn read(tags: &[Tag]) -> Result<Self, ControlError> {
        let is_unknown = |tag: &&Tag| tag.key.starts_with(OWN_TAGS) && !KNOWN.contains(&tag.key.as_str());
        if let Some(unknown) = tags.iter().find(is_unknown) {
            let rule = format!(
                "Member must be one of [{}], or another word before the colon",
                KNOWN.join(", ")
            );
            return Err(invalid(&unknown.key, "tags.key", &rule));
        }
        let text = |key: &str| tag(tags, key).map(str::to_owned);
        Ok(Self {
            only_where: tag(tags, ONLY_WHERE_TAG).map(filter).transpose()?,
            show: text(SHOW_TAG),
            audit: text(AUDIT_TAG),
            share: tag(tags, SHARE_TAG).map(share).transpose()?,
            parent: text(PARENT_TAG),
            asks_each: tag(tags, SAME_TEXT_TAG)
                .map(each)
                .transpose()?
                .unwrap_or_default(),
        })
    }
}

fn tag<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    let found = tags.iter().find(|tag| tag.key == key)?;
    Some(found.value.as_str()).filter(|value| !value.is_empty())
}

fn filter(value: &str) -> Result<Filter, ControlError> {
    let rule = format!("Member {ONLY_WHERE_TAG} must be <label attribute>=<class>");
    let filter = value.split_once('=').map(|(attribute, class)| Filter {
        attribute: attribute.to_owned(),
        class: class.to_owned(),
    });
    filter.ok_or_else(|| invalid(value, "tags", &rule))
}

/// Returns whether each line is asked about, whatever the others hold.
fn each(value: &str) -> Result<bool, ControlError> {
    match value {
        "once" => Ok(false),
        "each" => Ok(true),
        _ => {
            let rule = format!("Member {SAME_TEXT_TAG} must be one of [once, each]");
            Err(invalid(value, "tags", &rule))
        }
    }
}

fn share(value: &str) -> Result<f64, ControlError> {
    let rule = format!("Member {SHARE_TAG} must be a number above 0, at most 1");
    let share = value.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| invalid(value, "tags", &rule))
}
