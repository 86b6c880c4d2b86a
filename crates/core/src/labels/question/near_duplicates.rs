//! What is said of a near duplicate: whether the answer to a question may serve it still.

use super::{Opinion, Question, is_among};
use crate::labels::human_loop::Answer;

impl Question {
    /// Returns whether what is said of a text that differs by a small change speaks against the answer that it gets here: the
    /// people's, or, as long as they have not answered, the class by which the model made the two texts one question. All by
    /// the labels' own names. A label that is out of use speaks against an answer that it cannot mean alone.
    pub fn cannot_serve(&self, opinion: &Opinion) -> bool {
        let predicted = Answer::labels(self.record.predicted_labels());
        let served = self.answer().unwrap_or(&predicted);
        match opinion {
            Opinion::None => false,
            Opinion::For(vote) => !served.says_the_same(&vote.answer),
            Opinion::Past { parts, .. } => {
                let is_none_of = |parts: &Vec<String>| !is_among(served, parts);
                self.answer().is_some() && parts.as_ref().is_some_and(is_none_of)
            }
            // Who complained of the one text and who complains of the other say the same.
            Opinion::Against(_) | Opinion::AgainstAll
                if self.answer().is_none() && self.record.is_complaint() =>
            {
                false
            }
            Opinion::Against(wrong) => served.says_the_same(wrong),
            Opinion::AgainstAll => self.was_predicted(served),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        feedback::{FeedbackRecord, FeedbackRequest, Signal, Source},
        labels::vote::{Vote, VoteSource},
    };

    fn said(label: Option<&str>, signal: Signal) -> Opinion {
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: "Rates rise".into(),
            prediction: Some("World".into()),
            ..FeedbackRequest::default()
        };
        let record = request
            .into_record(Source::ExplicitApi, "2026-11-20T11:00:00.000Z")
            .expect("complete");
        Opinion::of(&FeedbackRecord {
            suggested_label: label.map(Into::into),
            signal,
            ..record
        })
    }

    /// A question about what was predicted as `World`, with this answer.
    fn question(answer: Option<&str>) -> Question {
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: "Rates rise again".into(),
            prediction: Some("World".into()),
            ..FeedbackRequest::default()
        };
        let mut record = request
            .into_record(Source::ExplicitApi, "2026-11-20T10:00:00.000Z")
            .expect("complete");
        record.signal = Signal::LowConfidence;
        let mut question = Question::asked(record, "review-1", 1);
        if let Some(answer) = answer {
            question.answer_with(&[Vote {
                worker: "w1".to_owned(),
                answer: Answer::labels([answer]),
                source: VoteSource::HumanReview,
                at: "2026-11-20T10:30:00Z".to_owned(),
                seconds: None,
                note: Default::default(),
            }]);
        }
        question
    }

    #[test]
    fn a_near_duplicate_is_not_served_by_what_its_user_contradicts() {
        let cases = [
            // Not answered yet: the class of the model is what makes them one.
            (None, Some("Sports"), true),
            (None, Some("World"), false),
            (None, None, true),
            // Answered: only the answer counts.
            (Some("Sports"), Some("Sports"), false),
            (Some("Sports"), Some("Business"), true),
            (Some("Sports"), None, false),
            (Some("World"), Some("Sports"), true),
            (Some("World"), None, true),
        ];
        for (answer, label, expected) in cases {
            let opinion = said(label, Signal::Dislike);

            assert_eq!(
                question(answer).cannot_serve(&opinion),
                expected,
                "{answer:?} {label:?}"
            );
        }
        let mut complained = question(None);
        complained.record.signal = Signal::Dislike;
        assert!(
            !complained.cannot_serve(&said(None, Signal::Dislike)),
            "both call it wrong"
        );
        assert!(complained.cannot_serve(&said(Some("Sports"), Signal::Dislike)));
        for answer in [None, Some("World"), Some("Sports")] {
            let is_other = answer == Some("Sports");
            assert_eq!(question(answer).cannot_serve(&said(None, Signal::Like)), is_other);
            assert!(!question(answer).cannot_serve(&said(None, Signal::LowConfidence)));
            assert!(!question(answer).cannot_serve(&Opinion::Past {
                vote: question(Some("World")).votes[0].clone(),
                parts: None
            }));
        }
    }
}
