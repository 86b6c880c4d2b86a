//! The label of a text in a manifest, or its labels.

use std::collections::BTreeSet;
use std::fmt;

use active_learning_core::labels::label_audit::NO_LABEL;
use serde_json::{Value, json};

/// What the metadata of a label attribute say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    One(String),
    /// Of a text that may have several; also that none applies.
    Several(BTreeSet<String>),
}

impl Labels {
    /// Reads them; none where they name no class.
    pub(super) fn of(metadata: &Value) -> Option<Self> {
        if let Some(one) = metadata["class-name"].as_str() {
            return Some(Self::One(one.to_owned()));
        }
        let several = metadata["class-map"].as_object()?.values();
        Some(Self::Several(
            several.filter_map(Value::as_str).map(str::to_owned).collect(),
        ))
    }

    /// Returns their names; none where no label applies.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::Several(several) => several.iter().cloned().collect(),
        }
    }

    /// Returns one name, or a list.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::One(one) => json!(one),
            Self::Several(several) => json!(several),
        }
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names() {
            none if none.is_empty() => formatter.write_str(NO_LABEL),
            names => formatter.write_str(&names.join(", ")),
        }
    }
}
