//! The labelled record: one reviewed utterance with its votes and where everything came from.

use serde::{Deserialize, Serialize};

use super::{
    consolidation::{Consensus, DecidedBy},
    question::Question,
    vote::Vote,
};
use crate::{feedback::FeedbackRecord, keys};

/// Version of the line that is written; lines of a later version are refused.
pub const SCHEMA_VERSION: u32 = 1;

/// What people said of one record in one human loop: a line of the loop's immutable object.
///
/// The record names the model that predicted, the selection probability and the time of the prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelledRecord {
    /// Version of the line's shape.
    pub schema_version: u32,
    /// The record that was asked about.
    pub record: FeedbackRecord,
    /// What the votes come to: those of this loop, and of the loops before it where it asked for one more opinion.
    pub consensus: Consensus,
    /// The rule that decided; none where nothing is agreed, and in older lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<DecidedBy>,
    /// Every vote of this loop, in the order of the output, the user's own last; that is in the first loop only.
    pub votes: Vec<Vote>,
    /// Name of the human loop.
    pub human_loop: String,
    /// ARN of its flow definition.
    pub flow_definition_arn: String,
    /// When the last vote was given, RFC 3339 in UTC; the record's own time where nobody voted.
    pub labelled_at: String,
    /// The labels that the text had before, which these take the place of: of an answer that comes after another one, or of
    /// an imported file that corrects an earlier one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// Whether the same prediction was right by the line before this one, whose judgement this takes the place of; none
    /// where it was not judged before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_right: Option<bool>,
    /// The labels that the line gave whose judgement this takes the place of; none where there is no such line, or an older
    /// version wrote this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_said: Option<Vec<String>>,
}

/// Why a line of a labelled object cannot be used. Safe to show: it never holds the text itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabelled {
    /// Not a labelled record.
    #[error("not a labelled record (column {0})")]
    Json(usize),
    /// Written by a newer version.
    #[error("schema version {0} is newer than {SCHEMA_VERSION}, the newest that is understood")]
    NewerSchema(u32),
}

impl LabelledRecord {
    /// Consolidates the votes of one human loop on one record, by majority.
    ///
    /// A label that the user suggested is evidence beside it: see [`Consensus::by_majority`].
    pub fn new(
        record: FeedbackRecord,
        mut votes: Vec<Vote>,
        human_loop: &str,
        flow_definition_arn: &str,
    ) -> Self {
        votes.extend(Vote::of_feedback(&record));
        let last = votes.iter().map(|vote| vote.at.as_str()).max();
        let (consensus, decided_by) = Consensus::by_majority(&votes);
        Self {
            schema_version: SCHEMA_VERSION,
            consensus,
            decided_by,
            labelled_at: last.unwrap_or(&record.received_at).to_owned(),
            record,
            votes,
            human_loop: human_loop.to_owned(),
            flow_definition_arn: flow_definition_arn.to_owned(),
            replaces: Vec::new(),
            was_right: None,
            was_said: None,
        }
    }

    /// Takes the consensus of all votes on the question, those of other loops and of later feedback too.
    ///
    /// They stay where they came from: whoever merges the lines of a record has each vote once. The user's own vote
    /// stands in the line of the first loop only.
    pub fn decided(mut self, question: &Question, is_first_loop: bool) -> Self {
        self.votes.retain(|vote| is_first_loop || vote.source.is_review());
        self.consensus = question.consensus.clone().unwrap_or(Consensus::Unanswered);
        self.decided_by = question.decided_by;
        self
    }

    /// Reads one line.
    ///
    /// # Errors
    ///
    /// [`InvalidLabelled`] when the line is no labelled record, or of a newer schema version.
    pub fn parse(line: &[u8]) -> Result<Self, InvalidLabelled> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            schema_version: u32,
        }
        let invalid = |error: serde_json::Error| InvalidLabelled::Json(error.column());
        let Version { schema_version } = serde_json::from_slice(line).map_err(invalid)?;
        if schema_version > SCHEMA_VERSION {
            return Err(InvalidLabelled::NewerSchema(schema_version));
        }
        serde_json::from_slice(line).map_err(invalid)
    }

    /// Writes the record as one line with its line feed.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("a record has only string keys and finite numbers");
        line.push('\n');
        line
    }

    /// Returns whether this is the newer answer to the same question: the last human answer wins.
    ///
    /// Of two at the same instant the loop's name decides, so that every machine takes the same one.
    pub fn supersedes(&self, other: &Self) -> bool {
        (&self.labelled_at, &self.human_loop) > (&other.labelled_at, &other.human_loop)
    }
}

/// Returns the key of a human loop's labelled object: the same event again writes the same object.
pub fn object_key(human_loop: &str) -> String {
    keys::labelled(human_loop)
}

/// Names the labelled object of a user's vote on a question, which is that of one piece of feedback.
pub fn name_of_vote(record_id: &str, occurrence: u64) -> String {
    format!("vote-{record_id}-{occurrence:016x}")
}

/// Returns which piece of feedback gave a line of a name of [`name_of_vote`]; `None` for others.
pub fn occurrence_of_vote(name: &str) -> Option<u64> {
    let (_, occurrence) = name.strip_prefix("vote-")?.rsplit_once('-')?;
    // Loops that are started by others may be called nearly so.
    let is_written_so = occurrence.len() == 16 && occurrence.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(occurrence, 16).ok().filter(|_| is_written_so)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::feedback::{Signal, Source, prediction::ClassScore};
    use crate::labels::{human_loop::Answer, vote::VoteSource};

    fn feedback() -> FeedbackRecord {
        FeedbackRecord {
            schema_version: 1,
            id: crate::feedback::record_id("news", "Rates \"rise\", again\u{1f600}"),
            classifier: "news".into(),
            utterance: "Rates \"rise\", again\u{1f600}".into(),
            prediction: Some("World".into()),
            confidence: Some(0.7),
            classes: vec![ClassScore {
                name: "World".into(),
                score: 0.7,
            }],
            source: Source::Implicit,
            signal: Signal::Audit,
            suggested_label: Some("Business".into()),
            prediction_id: Some("p-1".into()),
            model_arn: Some("arn:model/version/1".into()),
            selection_probability: Some(0.01),
            accepted_above: None,
            is_of_all: false,
            user: Some("ada".into()),
            received_at: "2026-11-20T10:00:00Z".into(),
        }
    }

    fn vote(label: &str, at: &str) -> Vote {
        Vote {
            worker: "w1".into(),
            answer: Answer::labels([label]),
            source: VoteSource::HumanReview,
            at: at.into(),
            seconds: Some(2.5),
            note: Default::default(),
        }
    }

    #[test]
    fn a_line_keeps_the_whole_lineage() {
        let labelled = LabelledRecord::new(
            feedback(),
            vec![vote("Business", "2026-11-20T11:00:00.000Z")],
            "review-1",
            "arn:flow",
        );

        let line = labelled.to_line();

        assert_eq!(LabelledRecord::parse(line.as_bytes()), Ok(labelled));
        let json: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(json["schemaVersion"], 1);
        assert_eq!(json["record"]["selectionProbability"], 0.01);
        assert_eq!(json["record"]["modelArn"], "arn:model/version/1");
        assert_eq!(json["labelledAt"], "2026-11-20T11:00:00.000Z");
        assert_eq!(
            json["consensus"],
            json!({"state": "agreed", "answer": {"kind": "labels", "labels": ["Business"]}, "confidence": 1.0})
        );
        assert_eq!(
            json["votes"][1],
            json!({"worker": "user:ada", "answer": {"kind": "labels", "labels": ["Business"]}, "source": "feedback", "at": "2026-11-20T10:00:00Z"})
        );
    }

    #[test]
    fn a_suggested_label_is_one_vote_and_the_only_reviewer_s_word_counts() {
        let labelled = LabelledRecord::new(feedback(), vec![vote("World", "2026-11-20T11:00:00Z")], "l", "f");

        assert_eq!(labelled.votes.len(), 2);
        assert_eq!(labelled.consensus.labels(), Some(&["World".to_owned()][..]));
        assert_eq!(labelled.decided_by, Some(DecidedBy::SingleReviewer));
    }

    #[test]
    fn one_more_opinion_decides_with_the_earlier_ones_and_the_user_votes_once() {
        let first = LabelledRecord::new(feedback(), vec![vote("World", "2026-11-20T11:00:00Z")], "l", "f");
        let mut opinion = vote("World", "2026-11-20T12:00:00Z");
        opinion.worker = "w2".into();

        let mut question = Question::asked(feedback(), "l-again-1", 1);
        question.answer_with(&first.votes);
        question.answer_with(std::slice::from_ref(&opinion));
        let again = LabelledRecord::new(feedback(), vec![opinion.clone()], "l-again-1", "f");
        let again = again.decided(&question, false);

        assert_eq!(again.votes, [opinion]);
        let Consensus::Agreed { answer, confidence } = again.consensus else {
            panic!("both reviewers hold the same");
        };
        assert_eq!((answer, confidence), (Answer::labels(["World"]), 1.0));
    }

    #[test]
    fn what_only_its_user_labelled_nobody_reviewed() {
        let labelled = LabelledRecord::new(feedback(), vec![], "l", "f");

        assert_eq!(
            (labelled.votes.len(), labelled.consensus),
            (1, Consensus::Unanswered)
        );
    }

    #[test]
    fn the_last_answer_supersedes_older_ones() {
        let at = |time, name| LabelledRecord::new(feedback(), vec![vote("World", time)], name, "f");
        let (old, new) = (at("2026-11-20T11:00:00Z", "b"), at("2026-11-21T11:00:00Z", "a"));

        assert!(new.supersedes(&old) && !old.supersedes(&new));
        assert!(!old.supersedes(&old));
        assert!(at("2026-11-20T11:00:00Z", "c").supersedes(&old));
    }

    #[test]
    fn lines_of_a_newer_version_and_damaged_ones_are_refused_without_their_text() {
        let mut labelled = LabelledRecord::new(feedback(), vec![], "l", "f");
        labelled.schema_version = 2;

        assert_eq!(
            LabelledRecord::parse(labelled.to_line().as_bytes()),
            Err(InvalidLabelled::NewerSchema(2))
        );
        assert!(matches!(
            LabelledRecord::parse(b"{\"schemaVersion\":1,\"secret\":1}"),
            Err(InvalidLabelled::Json(_))
        ));
        assert_eq!(object_key("review-1"), "labelled/review-1.jsonl");
    }

    #[test]
    fn a_line_of_a_user_s_vote_says_of_which_feedback_it_is() {
        let name = name_of_vote("00ff", 0x1a);

        assert_eq!(name, "vote-00ff-000000000000001a");
        assert_eq!(occurrence_of_vote(&name), Some(0x1a));
        for other in [
            "vote-",
            "vote-00ff",
            "vote-00ff-x",
            "vote-2026-12",
            "vote-00ff-+00000000000001a",
            "text-review-00ff-000000000000001a",
            "",
        ] {
            assert_eq!(occurrence_of_vote(other), None, "{other}");
        }
    }
}
