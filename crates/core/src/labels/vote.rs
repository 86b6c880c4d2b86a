//! One person's opinion on one record.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    human_loop::{Answer, COMMENT_OF, FLAG_OF},
    label_key::broad_key,
};
use crate::feedback::{FeedbackRecord, Signal, prediction::split_labels};

/// Worker name of feedback that does not say whose it is.
const ANONYMOUS_USER: &str = "user";

/// Worker name of an imported vote of which the file does not say whose it is.
pub const UNSIGNED: &str = "import";

/// Where a vote comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoteSource {
    /// A reviewer's answer in a human loop.
    HumanReview,
    /// The label that a user gave with feedback.
    Feedback,
    /// The last word on a disputed question.
    Adjudicator,
    /// What somebody answered elsewhere, in a file that an operator has imported.
    Import,
}

impl VoteSource {
    /// Returns whether it is the answer of somebody who was asked, here or elsewhere, not what a user said unasked.
    pub fn is_review(self) -> bool {
        match self {
            Self::HumanReview | Self::Adjudicator | Self::Import => true,
            Self::Feedback => false,
        }
    }
}

/// One person's opinion on one record: evidence, not truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Who voted; users of the feedback API are told apart from reviewers by the prefix `user:`.
    pub worker: String,
    /// What they hold right.
    pub answer: Answer,
    /// How the vote came in.
    pub source: VoteSource,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Seconds spent on this record: the task's time divided by its items. Unknown in older outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What they said beside it.
    #[serde(flatten)]
    pub note: Note,
}

/// What is known of a vote beside the answer. By which name the answer was given does not tell two of them apart.
#[derive(Clone, Debug, Default, Eq, Serialize, Deserialize)]
pub struct Note {
    /// A comment; it may quote the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether they flag the item for a second look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flagged: bool,
    /// Whether an imported file proposed the label, which was none yet: it binds nobody who is asked here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proposed: bool,
    /// The answer as it was given, where it is kept by the names of another day: a name that is taken away may be none of its
    /// label's again. None in votes of the version before, and where the names are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Answer>,
    /// Labels of which the vote says nothing, neither that they fit nor that they do not: one that its answer named was split,
    /// and this is what stands of the answer. None of a whole answer.
    /// It is found anew each time, and never stored.
    #[serde(skip)]
    pub silent_on: Vec<String>,
}

/// What stands of an answer by a label set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The answer, or what is left of it: the labels that are in use.
    pub answer: Answer,
    /// Labels of which it says nothing, as in [`Note::silent_on`]; none where all of it stands.
    pub silent_on: Vec<String>,
}

impl PartialEq for Note {
    fn eq(&self, other: &Self) -> bool {
        let of = |note: &Self| (note.flagged, note.proposed);
        of(self) == of(other) && self.comment == other.comment && self.silent_on == other.silent_on
    }
}

impl Note {
    /// Reads what a form says beside the answer about the item that is called by one of these ids.
    pub fn read(ids: &[&str], content: &Map<String, Value>) -> Self {
        let field = |prefix: &str| {
            let mut named = ids.iter().map(|id| content.get(&format!("{prefix}{id}")));
            named.find_map(|value| value)
        };
        let comment = field(COMMENT_OF).and_then(Value::as_str).map(str::trim);
        Self {
            comment: comment.filter(|comment| !comment.is_empty()).map(str::to_owned),
            flagged: match field(FLAG_OF) {
                Some(Value::Bool(flagged)) => *flagged,
                Some(Value::String(text)) => !matches!(text.as_str(), "" | "false" | "off"),
                Some(Value::Object(marks)) => marks.values().any(|mark| mark == &Value::Bool(true)),
                _ => false,
            },
            ..Self::default()
        }
    }
}

impl Vote {
    /// Returns the source that it counts as. What an imported file says of a label that there is not counts as a user's
    /// word, since nobody could choose it: it is evidence, and no reviewer has to agree with it.
    pub fn counts_as(&self) -> VoteSource {
        match (self.source, &self.answer) {
            (VoteSource::Import, Answer::NewLabel { .. }) => VoteSource::Feedback,
            (source, _) => source,
        }
    }

    /// Returns the same vote with its answer written otherwise, by the names that labels have now. Of an imported proposal that
    /// is a label by now it stays known that nobody could choose it; one that is a proposal again is one as before.
    #[must_use]
    pub fn written_as(self, answer: Answer) -> Self {
        let is_proposal = |answer: &Answer| matches!(answer, Answer::NewLabel { .. });
        let is_label = matches!(answer, Answer::Labels { .. });
        let becomes_label = self.source == VoteSource::Import && is_proposal(&self.answer) && is_label;
        let proposed = !is_proposal(&answer) && (self.note.proposed || becomes_label);
        Self {
            note: Note {
                proposed,
                ..self.note
            },
            answer,
            ..self
        }
    }

    /// Remembers how the answer was given, where it is kept by other names.
    #[must_use]
    pub(crate) fn remembering(self, said: Answer) -> Self {
        let is_other = !said.says_the_same(&self.answer);
        Self {
            note: Note {
                said: is_other.then_some(said),
                ..self.note
            },
            ..self
        }
    }

    /// Returns the answer as it was given, by whatever names it is kept.
    pub fn said(&self) -> &Answer {
        self.note.said.as_ref().unwrap_or(&self.answer)
    }

    /// Returns the last word of somebody who does not vote: it names no label, and binds nobody.
    #[must_use]
    pub fn abstaining(&self) -> Self {
        Self {
            answer: Answer::Unsure,
            source: VoteSource::Feedback,
            note: Note::default(),
            ..self.clone()
        }
    }

    /// Returns whether a user has taken back what they held right, or called that wrong: they name no label, though nobody has
    /// said that they are unsure.
    pub fn is_taken_back(&self) -> bool {
        self.source == VoteSource::Feedback && self.answer == Answer::Unsure
    }

    /// Returns whether it is all that its voter answered, and not what stands of that since a label was split.
    pub fn is_whole(&self) -> bool {
        self.note.silent_on.is_empty()
    }

    /// Returns who voted, however their name is spelt where it was typed: users and people of other tools are told apart by
    /// neither case nor white space.
    pub fn voter(&self) -> Cow<'_, str> {
        match self.source {
            VoteSource::Feedback | VoteSource::Import => match self.worker.split_once(':') {
                Some((kind, name)) => format!("{kind}:{}", broad_key(name)).into(),
                None => broad_key(&self.worker).into(),
            },
            VoteSource::HumanReview | VoteSource::Adjudicator => Cow::Borrowed(&self.worker),
        }
    }

    /// Returns the vote that a feedback record carries: for the label that its user suggested, or for the prediction
    /// that they like.
    ///
    /// Users without a name share one, since nothing tells them apart.
    pub fn of_feedback(record: &FeedbackRecord) -> Option<Self> {
        let labels = match &record.suggested_label {
            Some(label) => split_labels(label),
            None if record.signal == Signal::Like && record.prediction.is_some() => record.predicted_labels(),
            None => return None,
        };
        Some(Self::of_user(record, Answer::labels(labels)))
    }

    /// Returns the vote of a feedback record's user for an answer.
    pub fn of_user(record: &FeedbackRecord, answer: Answer) -> Self {
        Self {
            worker: match &record.user {
                Some(user) => format!("{ANONYMOUS_USER}:{}", user.trim()),
                None => ANONYMOUS_USER.to_owned(),
            },
            answer,
            source: VoteSource::Feedback,
            at: record.received_at.clone(),
            seconds: None,
            note: Default::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(worker: &str, source: VoteSource) -> Vote {
        Vote {
            worker: worker.to_owned(),
            answer: Answer::labels(["World"]),
            source,
            at: "2026-11-20T10:00:00Z".to_owned(),
            seconds: None,
            note: Note::default(),
        }
    }

    #[test]
    fn a_user_is_the_same_in_another_case_width_or_white_space_and_another_with_another_letter_or_sign() {
        let voter = |user: &str| {
            let vote = by(&format!("user:{user}"), VoteSource::Feedback);
            vote.voter().into_owned()
        };

        for same in [
            "Ada@Example.org",
            " ada@example.org ",
            "ADA@EXAMPLE.ORG",
            "ａｄａ@example.org",
        ] {
            assert_eq!(voter(same), voter("ada@example.org"), "{same}");
        }
        for other in ["ada@example.com", "ada+1@example.org", "ad-a@example.org", ""] {
            assert_ne!(voter(other), voter("ada@example.org"), "{other}");
        }
        assert_ne!(voter("user-17"), voter("user-71"));
        // Ids that differ in case only are one user: the guide says so.
        assert_eq!(voter("aB3x"), voter("Ab3X"));
    }

    #[test]
    fn ids_of_reviewers_are_compared_as_they_are_and_no_user_is_a_reviewer() {
        let reviewer = |id: &str| by(id, VoteSource::HumanReview).voter().into_owned();
        let user = |name: &str| by(name, VoteSource::Feedback).voter().into_owned();

        assert_ne!(reviewer("aB3x"), reviewer("Ab3X"));
        assert_ne!(reviewer("ada"), user("user:ada"));
        assert_ne!(user("user"), user("user:ada"));
    }
}
