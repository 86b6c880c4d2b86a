//! What is known of one question while its claim lasts: asked where, answered how, by whose votes.
//!
//! Feedback on a text that was asked already is a vote on that question. It finds the question by the record's id,
//! whatever the human loop is called, at the cost of one object.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    consolidation::{Consensus, DecidedBy, last_vote_of_each_worker},
    human_loop::{Answer, MAX_ROUNDS},
    label_key::label_key,
    vote::{Vote, VoteSource},
};
use crate::feedback::{FeedbackRecord, Signal};

/// Version of the shape that is written; a later one is refused.
const SCHEMA_VERSION: u32 = 1;

/// How far a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// People are being asked.
    Asked,
    /// People agree, as far as they were asked.
    Answered,
    /// People do not agree, and nobody else is there to ask: an adjudicator decides.
    Disputed,
    /// The user who complained took it back before anybody answered.
    Withdrawn,
    /// It was stopped, or nobody answered in time, nor to the repetitions.
    Abandoned,
}

impl State {
    /// Returns whether people are done with it, as far as nobody opens it again.
    pub fn is_final(self) -> bool {
        match self {
            Self::Asked => false,
            Self::Answered | Self::Disputed | Self::Withdrawn | Self::Abandoned => true,
        }
    }
}

/// One question, the content of `questions/<record id>.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Version of the shape.
    pub schema_version: u32,
    /// How far it is.
    pub state: State,
    /// The record that was asked about first.
    pub record: FeedbackRecord,
    /// The latest human loop that asks it; none where only votes are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub human_loop: Option<String>,
    /// The loop that asked it first: an event that is delivered again asks nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_loop: Option<String>,
    /// Items of the latest loop.
    #[serde(default)]
    pub items: usize,
    /// Every vote so far, of reviewers and users.
    #[serde(default)]
    pub votes: Vec<Vote>,
    /// What the votes come to, once it is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consensus: Option<Consensus>,
    /// The rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<DecidedBy>,
    /// Times that it was opened again after an answer.
    #[serde(default)]
    pub reopened: u8,
}

/// What a vote of a user does to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was counted before.
    Known,
    /// It is kept, and counts when people have answered, or with what they answered.
    Counted,
    /// It contradicts the answer: somebody else is asked.
    Reopens,
    /// It contradicts the answer, which was opened again as often as may be: an adjudicator decides.
    Disputes,
}

/// What feedback on a text that was asked already holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Opinion {
    /// This label is right.
    For(Vote),
    /// This label was right, which has been split since: it is kept, and contradicts none of those in its place.
    Past {
        /// What was said, by the labels' own names.
        vote: Vote,
        /// The labels that it may mean now.
        parts: Vec<String>,
    },
    /// The prediction is wrong; which label is right the user does not say.
    Against(Answer),
    /// What was said of the text is wrong; the user says neither what that was nor what is right.
    AgainstAll,
    /// Nothing: it is the policy that asks, or a user who likes what they do not name.
    None,
}

impl Opinion {
    /// Returns the opinion that a record holds of its text.
    ///
    /// A like is a vote for the prediction, a label one for the label; a dislike alone speaks against the prediction, or,
    /// where its user names none, against whatever is said of the text. A text of a file says nothing.
    pub fn of(record: &FeedbackRecord) -> Self {
        if let Some(vote) = Vote::of_feedback(record) {
            return Self::For(vote);
        }
        match (record.signal, &record.prediction) {
            (Signal::Dislike, Some(prediction)) => Self::Against(Answer::labels([prediction.as_str()])),
            (Signal::Dislike, None) if !record.is_unlabelled() => Self::AgainstAll,
            _ => Self::None,
        }
    }
}

impl Question {
    /// Starts a question that people are asked.
    pub fn asked(record: FeedbackRecord, human_loop: &str, items: usize) -> Self {
        Self {
            human_loop: Some(human_loop.to_owned()),
            first_loop: Some(human_loop.to_owned()),
            items,
            ..Self::known(record)
        }
    }

    /// Starts a question of which only feedback is known: it was asked by an older version.
    pub fn known(record: FeedbackRecord) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            state: State::Asked,
            votes: Vote::of_feedback(&record).into_iter().collect(),
            record,
            human_loop: None,
            first_loop: None,
            items: 0,
            consensus: None,
            decided_by: None,
            reopened: 0,
        }
    }

    /// Reads the object; `None` where it is damaged or of a newer version.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let question: Self = serde_json::from_slice(json).ok()?;
        (question.schema_version <= SCHEMA_VERSION).then_some(question)
    }

    /// Writes the object.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a question has string keys and finite numbers")
    }

    /// Takes a user's opinion. A user who said something else before has changed their mind.
    pub fn hear(&mut self, opinion: &Opinion) -> Effect {
        let contradicts = match opinion {
            Opinion::None => return Effect::Known,
            Opinion::For(vote) | Opinion::Past { vote, .. } if self.votes.contains(vote) => {
                return Effect::Known;
            }
            Opinion::Past { vote, parts } => {
                self.votes.push(vote.clone());
                self.answer().is_some_and(|answer| !is_among(answer, parts))
            }
            Opinion::For(vote) => {
                self.votes.push(vote.clone());
                self.answer().is_some_and(|answer| !is_same(answer, &vote.answer))
            }
            Opinion::Against(_) | Opinion::AgainstAll if self.nobody_could_tell() => true,
            Opinion::Against(wrong) => self.answer().is_some_and(|answer| is_same(answer, wrong)),
            Opinion::AgainstAll => self.answer().is_some_and(|answer| self.was_predicted(answer)),
        };
        if !contradicts || self.decided_by == Some(DecidedBy::Adjudicator) {
            return Effect::Counted;
        }
        if self.reopened >= MAX_ROUNDS {
            self.state = State::Disputed;
            return Effect::Disputes;
        }
        self.reopened += 1;
        self.state = State::Asked;
        Effect::Reopens
    }

    /// Adds votes of reviewers and decides. Where they do not agree, or none of them can tell, somebody else is to be asked.
    pub fn answer_with(&mut self, votes: &[Vote]) {
        self.add(votes);
        let (consensus, decided_by) = Consensus::by_majority(&self.votes);
        self.state = match consensus {
            Consensus::Agreed { .. } if consensus.is_answer() => State::Answered,
            Consensus::Agreed { .. } | Consensus::Unanswered if self.state == State::Withdrawn => {
                State::Withdrawn
            }
            Consensus::Agreed { .. } | Consensus::Tie | Consensus::Unanswered => State::Asked,
        };
        (self.consensus, self.decided_by) = (Some(consensus), decided_by);
    }

    /// Adds votes, each once, and decides nothing.
    pub fn add(&mut self, votes: &[Vote]) {
        for vote in votes {
            if !self.votes.contains(vote) {
                self.votes.push(vote.clone());
            }
        }
    }

    /// Returns the answer that people gave, where the question is answered.
    pub fn answer(&self) -> Option<&Answer> {
        match (&self.state, &self.consensus) {
            (State::Answered, Some(Consensus::Agreed { answer, .. })) => Some(answer),
            _ => None,
        }
    }

    /// Returns whether it counts as answered though nobody could tell, as an older version left it.
    fn nobody_could_tell(&self) -> bool {
        self.answer() == Some(&Answer::Unsure)
    }

    /// Returns whether an answer may be what a user was shown: the prediction that was asked about, if there was one. What
    /// people corrected is not what the user complains of.
    fn was_predicted(&self, answer: &Answer) -> bool {
        let predicted = self.record.prediction.as_ref();
        predicted.is_none_or(|label| is_same(answer, &Answer::labels([label.as_str()])))
    }

    /// Returns whether anybody has said that a class is not the right one.
    pub fn contradicts(&self, class: &Answer) -> bool {
        let mut answers = self.votes.iter().map(|vote| &vote.answer);
        answers.any(|answer| !matches!(answer, Answer::Unsure) && answer != class)
    }

    /// Returns what users hold right today, with how many of them do: the most frequent first, of equal ones the newest.
    ///
    /// A user has one opinion, their last; users without a name share one.
    pub fn users_hold(&self) -> Vec<(&Answer, usize)> {
        let mut held: Vec<(&Answer, usize, &str)> = Vec::new();
        for (source, at, answer) in last_vote_of_each_worker(&self.votes) {
            if source != VoteSource::Feedback {
                continue;
            }
            match held.iter_mut().find(|(known, ..)| is_same(known, answer)) {
                Some((_, users, newest)) => {
                    *users += 1;
                    *newest = at.max(newest);
                }
                None => held.push((answer, 1, at)),
            }
        }
        held.sort_by(|one, other| (other.1, other.2).cmp(&(one.1, one.2)));
        held.into_iter()
            .map(|(answer, users, _)| (answer, users))
            .collect()
    }

    /// Returns everybody who was asked and has answered, each once, in order.
    pub fn reviewers(&self) -> Vec<String> {
        let reviews = self.votes.iter().filter(|vote| vote.source.is_review());
        let mut workers: Vec<String> = reviews.map(|vote| vote.worker.clone()).collect();
        workers.sort_unstable();
        workers.dedup();
        workers
    }

    /// Returns whether a like takes back the complaint that asked this question, before anybody has answered.
    ///
    /// It does if it is about the same prediction, or of the same named user about the same text, unless somebody else
    /// holds another label right. What the review policy asks is not taken back by a user: the like is a vote there.
    pub fn is_taken_back_by(&self, like: &FeedbackRecord) -> bool {
        let key = |name: Option<&String>| name.map(|name| label_key(name));
        let same = |of: fn(&FeedbackRecord) -> Option<&String>| {
            of(&self.record).is_some() && key(of(&self.record)) == key(of(like))
        };
        like.signal == Signal::Like
            && like.received_at >= self.record.received_at
            && self.state == State::Asked
            && self.record.signal == Signal::Dislike
            && self.votes.iter().all(|vote| vote.source == VoteSource::Feedback)
            && !self.others_hold_another_label_right(like)
            && (same(|record| record.prediction_id.as_ref()) || same(|record| record.user.as_ref()))
    }

    /// Returns whether a user other than who complained holds a label right that is not the prediction.
    fn others_hold_another_label_right(&self, like: &FeedbackRecord) -> bool {
        let complaint = Vote::of_feedback(&self.record);
        let user = Vote::of_feedback(like).or_else(|| complaint.clone());
        let is_own = |vote: &Vote| {
            Some(vote.voter()) == user.as_ref().map(Vote::voter) || Some(vote) == complaint.as_ref()
        };
        let prediction = like.prediction.as_ref().or(self.record.prediction.as_ref());
        let predicted = |answer: &Answer| match answer {
            Answer::Labels { labels } => prediction.is_some_and(|prediction| labels.contains(prediction)),
            Answer::NoneFits | Answer::NewLabel { .. } | Answer::Unsure => false,
        };
        self.votes
            .iter()
            .any(|vote| !is_own(vote) && !predicted(&vote.answer))
    }

    /// Takes the complaint back, and with it what its user held right, however often they said it.
    pub fn withdraw(&mut self, like: &Opinion) {
        if let Some(complaint) = Vote::of_feedback(&self.record) {
            let is_named = self.record.user.is_some();
            let is_same = |vote: &Vote| *vote == complaint || (is_named && vote.voter() == complaint.voter());
            self.votes.retain(|vote| !is_same(vote));
        }
        if let Opinion::For(vote) | Opinion::Past { vote, .. } = like {
            self.add(std::slice::from_ref(vote));
        }
        self.state = State::Withdrawn;
    }
}

/// Returns whether two answers are the same, however their labels are spelt.
fn is_same(one: &Answer, other: &Answer) -> bool {
    let keys = |labels: &[String]| {
        labels
            .iter()
            .map(|label| label_key(label))
            .collect::<BTreeSet<_>>()
    };
    match (one, other) {
        (Answer::Labels { labels }, Answer::Labels { labels: others }) => keys(labels) == keys(others),
        _ => one == other,
    }
}

/// Returns whether an answer names some of these labels and no other.
fn is_among(answer: &Answer, parts: &[String]) -> bool {
    match answer {
        Answer::Labels { labels } => labels.iter().all(|label| parts.contains(label)),
        Answer::NoneFits | Answer::NewLabel { .. } | Answer::Unsure => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::{FeedbackRequest, Source};

    fn feedback(request: &str) -> FeedbackRecord {
        FeedbackRequest::parse(request.as_bytes())
            .and_then(|request| request.into_record(Source::ExplicitApi, "2026-11-20T10:00:00Z"))
            .expect("feedback")
    }

    fn dislike() -> FeedbackRecord {
        feedback(
            r#"{"classifier": "news", "sentence": "t", "prediction": "A", "predictionId": "p", "user": "ada"}"#,
        )
    }

    fn with(extra: &str) -> FeedbackRecord {
        feedback(&format!(
            r#"{{"classifier": "news", "sentence": "t", "prediction": "A", {extra}}}"#
        ))
    }

    fn review(worker: &str, label: &str) -> Vote {
        Vote {
            worker: worker.to_owned(),
            answer: Answer::labels([label]),
            source: VoteSource::HumanReview,
            at: "2026-11-20T11:00:00Z".to_owned(),
            seconds: None,
            note: Default::default(),
        }
    }

    fn answered(label: &str) -> Question {
        let mut question = Question::asked(dislike(), "review-1", 1);
        question.answer_with(&[review("w1", label)]);
        question
    }

    #[test]
    fn feedback_while_people_are_asked_is_a_vote_that_counts_when_they_have_answered() {
        let mut question = Question::asked(dislike(), "review-1", 2);

        let effect = question.hear(&Opinion::of(&with(r#""label": "B", "user": "bob""#)));
        question.answer_with(&[review("w1", "B"), review("w2", "C")]);

        assert_eq!(effect, Effect::Counted);
        assert_eq!(
            question.answer(),
            Some(&Answer::labels(["B"])),
            "the user broke the tie"
        );
        assert_eq!(question.decided_by, Some(DecidedBy::UserBrokeTie));
        assert_eq!(question.reviewers(), ["w1", "w2"]);
    }

    #[test]
    fn the_same_feedback_again_is_known() {
        let mut question = Question::asked(dislike(), "review-1", 1);
        let opinion = Opinion::of(&with(r#""label": "B""#));

        let effects = [question.hear(&opinion), question.hear(&opinion)];

        assert_eq!(effects, [Effect::Counted, Effect::Known]);
    }

    #[test]
    fn feedback_that_contradicts_an_answer_reopens_it_a_bounded_number_of_times() {
        let mut question = answered("A");
        let mut effects = Vec::new();
        for user in ["b", "c", "d"] {
            effects.push(question.hear(&Opinion::of(&with(&format!(r#""label": "B", "user": "{user}""#)))));
            if question.state == State::Asked {
                question.answer_with(&[review(user, "A")]);
            }
        }

        assert_eq!(effects, [Effect::Reopens, Effect::Reopens, Effect::Disputes]);
        assert_eq!(question.state, State::Disputed);
    }

    #[test]
    fn who_cannot_tell_leaves_the_question_to_somebody_else_whose_vote_counts() {
        let unsure = Vote {
            answer: Answer::Unsure,
            ..review("w1", "")
        };
        let mut question = Question::asked(with(r#""label": "B""#), "review-1", 1);

        question.answer_with(std::slice::from_ref(&unsure));
        let before = (question.state, question.answer().cloned(), question.decided_by);
        question.answer_with(&[review("w2", "B")]);

        assert_eq!(before, (State::Asked, None, None));
        assert_eq!(question.answer(), Some(&Answer::labels(["B"])));
        assert_eq!(question.decided_by, Some(DecidedBy::SingleReviewer));
        assert_eq!(question.reviewers(), ["w1", "w2"], "neither is asked again");
    }

    #[test]
    fn a_complaint_reopens_what_an_older_version_left_as_answered_though_nobody_could_tell() {
        let left = || Question {
            state: State::Answered,
            consensus: Some(Consensus::Agreed {
                answer: Answer::Unsure,
                confidence: 1.0,
            }),
            ..Question::asked(dislike(), "review-1", 1)
        };

        for complaint in [with(r#""user": "bob""#), with(r#""label": "B", "user": "bob""#)] {
            assert_eq!(left().hear(&Opinion::of(&complaint)), Effect::Reopens);
        }
    }

    #[test]
    fn users_hold_what_each_of_them_said_last() {
        let said = |label: &str, user: &str, second: u8| {
            Opinion::of(&FeedbackRecord {
                received_at: format!("2026-11-20T10:00:0{second}Z"),
                ..with(&format!(r#""label": "{label}", "user": "{user}""#))
            })
        };
        let mut question = Question::asked(with(r#""label": "B", "user": "u1""#), "review-1", 1);

        for opinion in [
            said("C", "u2", 1),
            said("D", "u1", 2),
            said(" c", "u3", 3),
            said("E", "u4", 4),
        ] {
            question.hear(&opinion);
        }
        question.answer_with(&[review("w1", "B")]);

        let held: Vec<(Answer, usize)> = (question.users_hold().into_iter())
            .map(|(answer, users)| (answer.clone(), users))
            .collect();
        let labels = |label: &str| Answer::labels([label]);
        assert_eq!(held, [(labels("C"), 2), (labels("E"), 1), (labels("D"), 1)]);
    }

    #[test]
    fn feedback_that_agrees_with_an_answer_opens_nothing() {
        let mut question = answered("A");

        let like = question.hear(&Opinion::of(&with(r#""feedback": "like""#)));
        let other = answered("B").hear(&Opinion::of(&with(r#""user": "bob""#)));

        assert_eq!((like, other), (Effect::Counted, Effect::Counted));
        assert_eq!(question.votes.len(), 2, "a like is a vote for the prediction");
    }

    #[test]
    fn a_dislike_of_what_people_answered_reopens_it() {
        assert_eq!(
            answered("A").hear(&Opinion::of(&with(r#""user": "bob""#))),
            Effect::Reopens
        );
    }

    #[test]
    fn a_dislike_that_names_nothing_reopens_an_answer_unless_people_corrected_what_was_predicted() {
        let dislike = Opinion::of(&feedback(
            r#"{"classifier": "news", "sentence": "t", "feedback": "dislike"}"#,
        ));
        let mut unlabelled = answered("A");
        unlabelled.record.prediction = None;

        assert_eq!(dislike, Opinion::AgainstAll);
        assert_eq!(answered("A").hear(&dislike), Effect::Reopens);
        assert_eq!(
            answered("B").hear(&dislike),
            Effect::Counted,
            "A was predicted, and is wrong"
        );
        assert_eq!(unlabelled.hear(&dislike), Effect::Reopens);
        assert_eq!(
            Question::asked(self::dislike(), "review-1", 1).hear(&dislike),
            Effect::Counted
        );
    }

    #[test]
    fn a_text_of_a_file_says_nothing_of_an_answer() {
        let text = FeedbackRequest::parse(br#"{"classifier": "news", "sentence": "t"}"#)
            .and_then(|request| request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00Z"))
            .expect("a text");

        assert_eq!(Opinion::of(&text), Opinion::None);
    }

    #[test]
    fn a_label_that_was_split_contradicts_an_answer_that_is_none_of_its_parts() {
        let past = |user: &str| {
            let Opinion::For(vote) = Opinion::of(&with(&format!(r#""label": "AB", "user": "{user}""#)))
            else {
                panic!("a label is a vote");
            };
            let parts = vec!["A".to_owned(), "AB".to_owned(), "B".to_owned()];
            Opinion::Past { vote, parts }
        };

        assert_eq!(answered("A").hear(&past("bob")), Effect::Counted);
        assert_eq!(answered("C").hear(&past("bob")), Effect::Reopens);
    }

    #[test]
    fn how_a_label_is_spelt_contradicts_nothing() {
        let mut question = answered("Billing");

        let effect = question.hear(&Opinion::of(&with(r#""label": " BILLING""#)));

        assert_eq!(effect, Effect::Counted);
    }

    #[test]
    fn an_imported_proposal_is_evidence_that_no_reviewer_has_to_agree_with() {
        let proposal = Vote {
            answer: Answer::NewLabel { label: "New".into() },
            source: VoteSource::Import,
            ..review("import", "")
        };
        let mut question = Question::known(dislike());

        question.answer_with(std::slice::from_ref(&proposal));
        let before = question.state;
        question.answer_with(&[review("w1", "B")]);

        assert_eq!(before, State::Asked);
        assert_eq!(question.answer(), Some(&Answer::labels(["B"])));
        assert!(question.votes.contains(&proposal));
    }

    #[test]
    fn an_adjudicator_is_not_contradicted() {
        let mut question = answered("A");
        question.answer_with(&[Vote {
            source: VoteSource::Adjudicator,
            ..review("adjudicator:lea", "C")
        }]);

        let effect = question.hear(&Opinion::of(&with(r#""label": "B""#)));

        assert_eq!(effect, Effect::Counted);
        assert_eq!(question.answer(), Some(&Answer::labels(["C"])));
    }

    #[test]
    fn a_like_of_the_same_prediction_or_user_takes_a_dislike_back_unless_somebody_answered() {
        let question = Question::asked(dislike(), "review-1", 1);
        let taken_back = |question: &Question, extra: &str| {
            question.is_taken_back_by(&with(&format!(r#""feedback": "like", {extra}"#)))
        };

        assert!(taken_back(&question, r#""predictionId": "p""#));
        assert!(taken_back(&question, r#""user": "ada""#));
        assert!(!taken_back(&question, r#""user": "bob""#));
        assert!(!taken_back(&question, r#""predictionId": "q""#));
        let mut answered = question.clone();
        answered.answer_with(&[review("w1", "B")]);
        assert!(!taken_back(&answered, r#""predictionId": "p""#));
        let mut audit = question.clone();
        audit.record.signal = Signal::Audit;
        assert!(!taken_back(&audit, r#""predictionId": "p""#));
    }

    #[test]
    fn a_complaint_is_not_taken_back_for_another_user_who_holds_another_label_right() {
        let mut question = Question::asked(with(r#""user": "ada", "predictionId": "p""#), "review-1", 1);
        let like = with(r#""feedback": "like", "user": "ada""#);
        assert!(question.is_taken_back_by(&like));

        question.hear(&Opinion::of(&with(r#""label": "B", "user": "bob""#)));

        assert!(!question.is_taken_back_by(&like));
    }

    #[test]
    fn who_takes_a_complaint_back_holds_what_they_said_last() {
        let suggestion = with(r#""label": "B", "user": "ada""#);
        let mut question = Question::asked(suggestion, "review-1", 1);
        question.hear(&Opinion::of(&FeedbackRecord {
            received_at: "2026-11-20T10:00:01Z".to_owned(),
            ..with(r#""label": "B", "user": "ada""#)
        }));

        question.withdraw(&Opinion::of(&with(r#""feedback": "like", "user": "ada""#)));

        let answers: Vec<&Answer> = question.votes.iter().map(|vote| &vote.answer).collect();
        assert_eq!(answers, [&Answer::labels(["A"])]);
        assert_eq!(question.state, State::Withdrawn);
    }

    #[test]
    fn a_question_is_read_as_it_was_written() {
        let question = answered("A");

        assert_eq!(Question::parse(&question.to_json()), Some(question));
        assert_eq!(Question::parse(b"{}"), None);
    }
}
