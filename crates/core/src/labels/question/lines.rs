//! What lines of labelled objects have said of a question, one after another: so each can say what it takes the place of, and
//! a prediction is judged once, however often its answer changes.

use serde::{Deserialize, Serialize};

use super::Question;
use crate::{
    feedback::FeedbackRecord,
    labels::{consolidation::Consensus, label_set::LabelSet, labelled::LabelledRecord, vote::VoteSource},
    model::audit::JudgedPrediction,
};

/// What a line has said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Name of its object; empty for all that the version before wrote.
    pub name: String,
    /// When its record was received: another time is another prediction.
    pub received_at: String,
    /// The labels that people agreed on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Whether the prediction was right; none where it was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<bool>,
}

impl Line {
    fn of(name: &str, record: &FeedbackRecord, consensus: &Consensus) -> Self {
        let judged = JudgedPrediction::of_answer(record, consensus);
        Self {
            name: name.to_owned(),
            received_at: record.received_at.clone(),
            labels: consensus.labels().unwrap_or_default().to_vec(),
            right: judged.map(|(_, judged)| judged.right),
        }
    }
}

impl Question {
    /// Remembers what the lines of the version before have said, of which none is noted: that is the answer. To be called before
    /// anything else decides the question.
    pub fn remember_answer_of_before(&mut self) {
        let by_people = self
            .votes
            .iter()
            .any(|vote| matches!(vote.source, VoteSource::HumanReview | VoteSource::Adjudicator));
        let is_noted = !self.lines.is_empty() || !self.votes.iter().any(|vote| vote.source.is_review());
        if let Some(consensus) = self.consensus.as_ref().filter(|_| !is_noted) {
            let line = Line::of("", &self.record, consensus);
            // A file gives a label, and judges no prediction.
            let right = line.right.filter(|_| by_people);
            self.lines.push(Line { right, ..line });
        }
    }

    /// Takes in a line of an imported file, which is written: its votes, as [`Question::take_imported`] does, and what it says,
    /// where that is the answer now. What comes after it takes the place of that.
    pub fn take_imported_line(&mut self, line: &LabelledRecord, labels: &LabelSet) {
        self.remember_answer_of_before();
        self.take_imported(&line.votes, labels);
        let answer = self.consensus.as_ref().and_then(Consensus::labels);
        if answer.is_some() && answer == line.consensus.labels() {
            self.note_line(&line.human_loop, line.clone());
        }
    }

    /// Notes what a line of this object says, and has it say what it takes the place of: the labels that those before it gave
    /// the text, and whether the same prediction was right by the last of them. The same line again says the same.
    pub fn note_line(&mut self, name: &str, line: LabelledRecord) -> LabelledRecord {
        let known = self.lines.iter().position(|known| known.name == name);
        let place = known.unwrap_or(self.lines.len());
        let before = || self.lines[..place].iter().rev();
        let labelled = before().find(|before| !before.labels.is_empty());
        let replaces = labelled.map(|before| before.labels.clone()).unwrap_or_default();
        let judged = before().find(|before| before.received_at == line.record.received_at);
        let was_right = judged.and_then(|before| before.right);
        let was_said = judged.filter(|before| before.right.is_some());
        let was_said = was_said.map(|before| before.labels.clone());

        // What comes after it, if anything, takes the place of what it said the first time.
        if place + 1 >= self.lines.len() {
            self.lines.truncate(place);
            self.lines.push(Line::of(name, &line.record, &line.consensus));
        }
        LabelledRecord {
            replaces,
            was_right,
            was_said,
            ..line
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        feedback::{FeedbackRequest, Signal, Source},
        labels::{human_loop::Answer, vote::Vote},
    };

    fn audited(at: &str) -> FeedbackRecord {
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: "Text".into(),
            ..FeedbackRequest::default()
        };
        FeedbackRecord {
            source: Source::Implicit,
            signal: Signal::Audit,
            prediction: Some("World".into()),
            model_arn: Some("arn".into()),
            selection_probability: Some(0.01),
            ..request.into_record(Source::ExplicitApi, at).expect("complete")
        }
    }

    fn line(record: FeedbackRecord, answer: Answer) -> LabelledRecord {
        let vote = Vote {
            worker: "w1".into(),
            answer,
            source: VoteSource::HumanReview,
            at: "2026-11-20T11:00:00Z".into(),
            seconds: None,
            note: Default::default(),
        };
        LabelledRecord::new(record, vec![vote], "review-1", "arn:flow")
    }

    const AT: &str = "2026-11-20T10:00:00Z";

    #[test]
    fn a_line_says_what_it_takes_the_place_of_and_the_same_again_says_the_same() {
        let mut question = Question::asked(audited(AT), "review-1", 1);
        let world = line(audited(AT), Answer::labels(["World"]));
        let sports = line(audited(AT), Answer::labels(["Sports"]));

        let first = question.note_line("review-1", world.clone());
        let second = question.note_line("review-1-corrected-1", sports.clone());
        let again = question.note_line("review-1", world);
        let second_again = question.note_line("review-1-corrected-1", sports);

        assert_eq!((first.was_right, first.replaces.len()), (None, 0));
        assert_eq!(
            (second.was_right, &second.replaces[..]),
            (Some(true), &["World".to_owned()][..])
        );
        assert_eq!((again, second_again), (first, second));
        assert_eq!(question.lines.len(), 2);
    }

    #[test]
    fn an_answer_after_an_import_takes_the_place_of_the_label_that_the_file_gave() {
        let set = LabelSet::none();
        let mut question = Question::asked(audited(AT), "review-1", 1);
        question.note_line("review-1", line(audited(AT), Answer::labels(["World"])));
        let mut imported = line(audited(AT), Answer::labels(["Sports"]));
        imported.human_loop = "import-1".into();

        question.take_imported_line(&imported, &set);
        question.take_imported_line(&imported, &set);
        let after = question.note_line("review-2", line(audited(AT), Answer::labels(["Business"])));

        assert_eq!(after.replaces, ["Sports"]);
        assert_eq!(question.lines.len(), 3);
    }

    #[test]
    fn an_answer_after_an_import_says_what_the_line_said_whose_judgement_it_takes_the_place_of() {
        let mut question = Question::asked(audited(AT), "review-1", 1);
        question.note_line("review-1", line(audited(AT), Answer::labels(["Sports"])));
        let mut imported = line(audited("2026-11-22T10:00:00Z"), Answer::labels(["Business"]));
        imported.human_loop = "import-1".into();
        question.take_imported_line(&imported, &LabelSet::none());

        let after = question.note_line("review-2", line(audited(AT), Answer::labels(["World"])));

        assert_eq!(after.replaces, ["Business"]);
        assert_eq!(
            (after.was_right, after.was_said),
            (Some(false), Some(vec!["Sports".to_owned()]))
        );
    }

    #[test]
    fn a_file_that_is_not_the_answer_leaves_no_line_to_take_the_place_of() {
        let mut question = Question::asked(audited(AT), "review-1", 1);
        let decision = line(audited(AT), Answer::labels(["World"]));
        let by_adjudicator = Vote {
            source: VoteSource::Adjudicator,
            ..decision.votes[0].clone()
        };
        question.answer_with(&[by_adjudicator]);
        question.note_line("adjudication-1", decision);
        let mut imported = line(audited("2026-11-22T10:00:00Z"), Answer::labels(["Business"]));
        imported.human_loop = "import-1".into();
        imported.votes[0].source = VoteSource::Import;
        question.take_imported_line(&imported, &LabelSet::none());

        let after = question.note_line("review-2", line(audited(AT), Answer::labels(["Sports"])));

        assert_eq!(after.replaces, ["World"]);
    }

    #[test]
    fn where_nobody_can_tell_the_judgement_is_gone_and_the_next_one_is_the_first_again() {
        let mut question = Question::asked(audited(AT), "review-1", 1);
        question.note_line("1", line(audited(AT), Answer::labels(["World"])));

        let unsure = question.note_line("2", line(audited(AT), Answer::Unsure));
        let sports = question.note_line("3", line(audited(AT), Answer::labels(["Sports"])));

        assert_eq!(unsure.was_right, Some(true));
        assert_eq!(
            (sports.was_right, &sports.replaces[..]),
            (None, &["World".to_owned()][..])
        );
    }

    #[test]
    fn another_prediction_of_the_same_text_is_judged_by_itself_and_its_label_is_that_of_the_text() {
        let mut question = Question::asked(audited(AT), "review-1", 1);
        question.note_line("review-1", line(audited(AT), Answer::labels(["World"])));
        let later = "2026-11-21T10:00:00Z";
        let mut asked_anew = Question::asked(audited(later), "review-2", 1);
        asked_anew.remember_loops_of(&question);

        let anew = asked_anew.note_line("review-2", line(audited(later), Answer::labels(["Sports"])));
        let of_first = asked_anew.note_line("3", line(audited(AT), Answer::labels(["Sports"])));

        assert_eq!(
            (anew.was_right, &anew.replaces[..]),
            (None, &["World".to_owned()][..])
        );
        assert_eq!(of_first.was_right, Some(true));
    }

    #[test]
    fn of_a_question_of_the_version_before_the_answer_is_what_was_written() {
        let mut question = Question::asked(audited(AT), "review-1", 1);
        question.answer_with(&line(audited(AT), Answer::labels(["Sports"])).votes);
        let json = String::from_utf8(question.to_json()).expect("UTF-8");
        assert!(!json.contains("\"lines\""), "{json}");

        question.remember_answer_of_before();
        question.remember_answer_of_before();

        assert_eq!(question.lines.len(), 1);
        let line = question.note_line("2", line(audited(AT), Answer::labels(["World"])));
        assert_eq!(
            (line.was_right, &line.replaces[..]),
            (Some(false), &["Sports".to_owned()][..])
        );
    }
}
