//! What became of one prediction, for the client that it was made for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    consolidation::{Consensus, DecidedBy, last_votes},
    human_loop::{Answer, Meaning},
    label_set::LabelSet,
    question::{Question, State},
    vote::Vote,
};
use crate::{
    feedback::{
        InvalidFeedback, Signal, Source, is_same_prediction,
        prediction::{Prediction, join_as_written},
        record_id,
    },
    sampling::duplicates::form_of,
};

/// Version of the shape that is written; a later one is refused.
const SCHEMA_VERSION: u32 = 1;

/// What is kept of a prediction, the content of `predictions/<prediction id>.json`. It holds no text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptPrediction {
    /// Version of the shape.
    pub schema_version: u32,
    /// Id of the prediction, from the classification answer.
    pub prediction_id: String,
    /// Id of the question that people would be asked about the text.
    pub record_id: String,
    /// Names the text in all its spellings: see [`form_of`].
    pub form: String,
    /// Name of the classifier.
    pub classifier: String,
    /// The predicted label; none before the first model.
    pub prediction: Option<String>,
    /// Its confidence, from 0 to 1.
    pub confidence: Option<f32>,
    /// When it was made, RFC 3339 in UTC.
    pub predicted_at: String,
    /// Why it goes to people; none where it is trusted.
    pub review: Option<Signal>,
    /// Whether its text was erased at a person's wish: people are not asked, or not any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub erased: bool,
    /// Whether it could not be stored for people, so that they are not asked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_stored: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// How far a prediction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is trusted: nobody is asked.
    Predicted,
    /// People are asked, or will be.
    InReview,
    /// People agree.
    Answered,
    /// People do not agree: an adjudicator decides.
    Disputed,
    /// The user who complained took it back before anybody answered.
    Withdrawn,
    /// It was stopped, or nobody answered in time, nor to the repetitions.
    Abandoned,
    /// Its text was erased at a person's wish: no answer will come.
    Erased,
    /// It could not be stored for people: no answer will come.
    NotStored,
    /// What people were asked, and what they answered, is kept no longer: no answer will come.
    Expired,
}

impl Status {
    /// Returns whether nothing is expected to come any more, but for feedback.
    pub fn is_final(self) -> bool {
        self != Self::InReview
    }
}

/// What became of a prediction, as `GET /predictions/{predictionId}` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PredictionResult {
    /// Id of the prediction; none where people were asked about a text that nobody classified here.
    pub prediction_id: Option<String>,
    /// Name of the classifier.
    pub classifier: String,
    /// How far it is.
    pub status: Status,
    /// The predicted label; none before the first model.
    pub prediction: Option<String>,
    /// Its confidence, from 0 to 1.
    pub confidence: Option<f32>,
    /// When it was made, RFC 3339 in UTC; none where that is not known, as of a prediction that only feedback tells of.
    pub predicted_at: Option<String>,
    /// Why it went to people at once; none where it was trusted.
    pub review: Option<Signal>,
    /// The label that people gave; none while there is no answer, or where it is not one label.
    pub label: Option<String>,
    /// All labels that people gave.
    pub labels: Vec<String>,
    /// What kind of answer they gave: `labels`, `none-fits`, `new-label` or `unsure`.
    pub answer: Option<&'static str>,
    /// Reviewers and users who have voted so far; of each the last vote counts. Who could not tell, or took back what they said,
    /// is none of them, unless it is the answer that none could tell.
    pub votes: usize,
    /// How far these votes are like the answer, from 0 to 1: the mean of the share of labels that both name.
    pub agreement: Option<f64>,
    /// The rule that decided.
    pub decided_by: Option<DecidedBy>,
    /// When the newest vote of the answer was given, RFC 3339 in UTC.
    pub answered_at: Option<String>,
}

impl KeptPrediction {
    /// Keeps what a classification answered, without its text.
    pub fn new(
        prediction_id: &str,
        (classifier, utterance): (&str, &str),
        prediction: Option<&Prediction>,
        review: Option<Signal>,
        predicted_at: &str,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            prediction_id: prediction_id.to_owned(),
            record_id: record_id(classifier, utterance),
            form: form_of(classifier, utterance),
            classifier: classifier.to_owned(),
            prediction: prediction.map(|prediction| prediction.label.clone()),
            confidence: prediction.map(|prediction| prediction.confidence),
            predicted_at: predicted_at.to_owned(),
            review,
            erased: false,
            not_stored: false,
        }
    }

    /// Says that its text was erased.
    #[must_use]
    pub fn of_erased_text(self) -> Self {
        Self { erased: true, ..self }
    }

    /// Says that people are not asked, since it could not be stored for them.
    #[must_use]
    pub fn that_was_not_stored(self) -> Self {
        Self {
            not_stored: true,
            ..self
        }
    }

    /// Says in a kept prediction, as it was read, that its text was erased, whatever else stands in it; `None` where it says
    /// so, is damaged, or is of another text: feedback may name any prediction.
    pub fn end_as_erased(mut document: Value, utterance: &str) -> Option<Value> {
        let kept: Self = serde_json::from_value(document.clone()).ok()?;
        if kept.erased || !kept.is_of(utterance) {
            return None;
        }
        document["erased"] = true.into();
        Some(document)
    }

    /// Reads the object; `None` where it is damaged or of a newer version.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let kept: Self = serde_json::from_slice(json).ok()?;
        (kept.schema_version <= SCHEMA_VERSION).then_some(kept)
    }

    /// Returns whether it was made of this text, in whatever spelling.
    pub fn is_of(&self, utterance: &str) -> bool {
        record_id(&self.classifier, utterance) == self.record_id
            || form_of(&self.classifier, utterance) == self.form
    }

    /// Checks that feedback which names this prediction is about its text, and about what was predicted where it says so.
    ///
    /// # Errors
    ///
    /// [`InvalidFeedback::OtherText`], [`InvalidFeedback::OtherPrediction`].
    pub fn check(
        &self,
        utterance: &str,
        prediction: Option<&str>,
        set: Option<&LabelSet>,
    ) -> Result<(), InvalidFeedback> {
        if !self.is_of(utterance) {
            return Err(InvalidFeedback::OtherText);
        }
        match prediction.zip(self.prediction.as_deref()) {
            Some((said, kept)) if !is_same_prediction(said, kept, set) => {
                Err(InvalidFeedback::OtherPrediction)
            }
            _ => Ok(()),
        }
    }

    /// Returns the classifier of feedback that names this prediction: the one that made it, which need not be said.
    ///
    /// # Errors
    ///
    /// [`InvalidFeedback::OtherClassifier`] where another one is said: the same text is another question there.
    pub fn classifier_of(&self, said: &str) -> Result<&str, InvalidFeedback> {
        let said = said.trim();
        match said.is_empty() || said == self.classifier.trim() {
            true => Ok(&self.classifier),
            false => Err(InvalidFeedback::OtherClassifier {
                said: said.to_owned(),
                kept: self.classifier.clone(),
            }),
        }
    }

    /// Returns what became of it, by the names that labels have in a set; `question` is the one whose answer is its answer,
    /// where people were asked.
    pub fn result(&self, question: Option<&Question>, set: Option<&LabelSet>) -> PredictionResult {
        let result = PredictionResult {
            prediction_id: Some(self.prediction_id.clone()),
            prediction: called_now(self.prediction.as_deref(), set),
            confidence: self.confidence,
            review: self.review,
            status: match self.review {
                // Also of a trusted one: people may have been asked since a user complained.
                _ if self.erased => Status::Erased,
                Some(_) if self.not_stored => Status::NotStored,
                Some(_) => Status::InReview,
                None => Status::Predicted,
            },
            ..PredictionResult::without_answer(&self.classifier, Some(&self.predicted_at))
        };
        match question {
            Some(question) => result.with(question, set),
            None => result,
        }
    }

    /// Returns what became of it as [`KeptPrediction::result`] does. Of one that was made before a time, RFC 3339 in UTC, by which
    /// its question had to be there, the question is kept no longer where there is none.
    pub fn result_once_asked(
        &self,
        question: Option<&Question>,
        set: Option<&LabelSet>,
        asked_if_before: &str,
    ) -> PredictionResult {
        let mut result = self.result(question, set);
        let was_asked = self.predicted_at.as_str() < asked_if_before;
        if question.is_none() && was_asked && result.status == Status::InReview {
            result.status = Status::Expired;
        }
        result
    }
}

impl PredictionResult {
    /// Returns what became of the prediction that people were asked about first, by the names that labels have in a set.
    pub fn of(question: &Question, set: Option<&LabelSet>) -> Self {
        let record = &question.record;
        // Feedback comes later than what it is about.
        let predicted_at = (record.source == Source::Implicit).then_some(record.received_at.as_str());
        let result = Self {
            prediction_id: record.prediction_id.clone(),
            prediction: called_now(record.prediction.as_deref(), set),
            confidence: record.confidence,
            review: Some(record.signal),
            ..Self::without_answer(&record.classifier, predicted_at)
        };
        result.with(question, set)
    }

    /// Returns what is known of a prediction beside itself while people have not answered.
    fn without_answer(classifier: &str, predicted_at: Option<&str>) -> Self {
        Self {
            prediction_id: None,
            classifier: classifier.to_owned(),
            status: Status::InReview,
            prediction: None,
            confidence: None,
            predicted_at: predicted_at.map(str::to_owned),
            review: None,
            label: None,
            labels: Vec::new(),
            answer: None,
            votes: 0,
            agreement: None,
            decided_by: None,
            answered_at: None,
        }
    }

    /// Adds what people say.
    fn with(mut self, question: &Question, set: Option<&LabelSet>) -> Self {
        self.status = of_state(question.state);
        self.votes = said(question, None).len();
        if question.state == State::Answered {
            self.take(question, set);
        }
        self
    }

    fn take(&mut self, question: &Question, set: Option<&LabelSet>) {
        let Some(Consensus::Agreed { answer, .. }) = &question.consensus else {
            return;
        };
        let now = |answer: &Answer| set.map_or_else(|| answer.clone(), |set| set.answer_now(answer));
        let answer = now(answer);
        let votes = said(question, Some(&answer));
        self.votes = votes.len();
        let likeness = votes.iter().map(|vote| alike(&now(&vote.answer), &answer));
        self.agreement = (!votes.is_empty()).then(|| likeness.sum::<f64>() / votes.len() as f64);
        self.answer = Some(match answer {
            Answer::Labels { .. } => "labels",
            Answer::NoneFits => "none-fits",
            Answer::NewLabel { .. } => "new-label",
            Answer::Unsure => "unsure",
        });
        if let Answer::Labels { labels } = answer {
            self.labels = labels;
        }
        if let [label] = self.labels.as_slice() {
            self.label = Some(label.clone());
        }
        self.decided_by = question.decided_by;
        self.answered_at = question.newest_answer().map(str::to_owned);
    }
}

/// Returns the last votes that say anything, beside an answer: who could not tell is for none and against none.
fn said<'a>(question: &'a Question, answer: Option<&Answer>) -> Vec<&'a Vote> {
    let mut votes = last_votes(&question.votes);
    let counts_unsure = answer == Some(&Answer::Unsure);
    votes.retain(|vote| match vote.answer {
        Answer::Unsure => counts_unsure && !vote.is_taken_back(),
        _ => true,
    });
    votes
}

/// Returns what was predicted by the names that its labels have now.
fn called_now(prediction: Option<&str>, set: Option<&LabelSet>) -> Option<String> {
    let prediction = prediction?;
    Some(match set {
        Some(set) => join_as_written(set.prediction_names(prediction)),
        None => prediction.to_owned(),
    })
}

/// Returns how far a vote is like an answer: 1 for the same, 0 for another one. Of labels it is the share that both name among
/// those that either names, so that a text with several may have part of them.
///
/// Source: P. Jaccard, "The Distribution of the Flora in the Alpine Zone" (New Phytologist, 1912).
fn alike(vote: &Answer, answer: &Answer) -> f64 {
    let (vote, answer) = (vote.meaning(), answer.meaning());
    let (Meaning::Labels(said), Meaning::Labels(labels)) = (&vote, &answer) else {
        return f64::from(u8::from(vote == answer));
    };
    let both = said.intersection(labels).count();
    let either = said.len() + labels.len() - both;
    if either == 0 {
        1.0
    } else {
        both as f64 / either as f64
    }
}

fn of_state(state: State) -> Status {
    match state {
        State::Asked => Status::InReview,
        State::Answered => Status::Answered,
        State::Disputed => Status::Disputed,
        State::Withdrawn => Status::Withdrawn,
        State::Abandoned => Status::Abandoned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        feedback::{FeedbackRecord, Review, prediction::ClassScore},
        labels::vote::VoteSource,
    };

    fn prediction() -> Prediction {
        Prediction::multi_class(vec![ClassScore {
            name: "Sports".to_owned(),
            score: 0.4,
        }])
        .expect("a class")
    }

    fn kept(review: Option<Signal>) -> KeptPrediction {
        let text = ("news", "Rates rise");
        KeptPrediction::new("p1", text, Some(&prediction()), review, "2026-11-20T10:00:00Z")
    }

    fn question(answers: &[Answer]) -> Question {
        let review = Review {
            signal: Signal::LowConfidence,
            selection_probability: 1.0,
        };
        let text = ("news", "Rates rise");
        let at = "2026-11-20T10:00:00Z";
        let record = FeedbackRecord::predicted(text.0, text.1, &prediction(), review, "p1", None, at);
        let mut question = Question::asked(record, "review-1", 1);
        let votes: Vec<Vote> = (answers.iter().enumerate())
            .map(|(number, answer)| Vote {
                worker: format!("w{number}"),
                answer: answer.clone(),
                source: VoteSource::HumanReview,
                at: format!("2026-11-20T11:0{number}:00Z"),
                seconds: None,
                note: Default::default(),
            })
            .collect();
        question.answer_with(&votes);
        question
    }

    #[test]
    fn a_person_who_votes_again_is_one_vote() {
        let mut question = question(&[Answer::labels(["World"])]);
        let said = |worker: &str, at: &str, label: &str| Vote {
            worker: worker.to_owned(),
            answer: Answer::labels([label]),
            source: VoteSource::Feedback,
            at: at.to_owned(),
            ..question.votes[0].clone()
        };
        let earlier = said("user:ada", "2026-11-20T11:00:00Z", "Sports");
        let later = said("user:Ada ", "2026-11-20T12:00:00Z", "World");
        question.votes.extend([earlier, later]);

        let result = kept(Some(Signal::LowConfidence)).result(Some(&question), None);

        assert_eq!(result.votes, 2);
    }

    #[test]
    fn a_prediction_is_trusted_in_review_or_answered_with_label_votes_agreement_and_time() {
        let world = Answer::labels(["World"]);

        let trusted = kept(None).result(None, None);
        let waiting = kept(Some(Signal::LowConfidence)).result(None, None);
        let votes = [world.clone(), world, Answer::labels(["Sports"])];
        let answered = kept(Some(Signal::LowConfidence)).result(Some(&question(&votes)), None);

        assert_eq!(
            (trusted.status, waiting.status),
            (Status::Predicted, Status::InReview)
        );
        assert_eq!(answered.status, Status::Answered);
        assert_eq!(answered.label.as_deref(), Some("World"));
        assert_eq!(
            (answered.votes, answered.decided_by),
            (3, Some(DecidedBy::Majority))
        );
        assert!((answered.agreement.expect("agreed") - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(answered.answered_at.as_deref(), Some("2026-11-20T11:02:00Z"));
    }

    #[test]
    fn a_dispute_and_a_complaint_that_was_taken_back_are_told_as_such() {
        let told = |state: State| {
            let question = Question {
                state,
                ..question(&[Answer::labels(["World"]), Answer::labels(["Sports"])])
            };
            let result = kept(Some(Signal::LowConfidence)).result(Some(&question), None);
            serde_json::to_value(&result).expect("JSON")
        };

        let named = [
            (State::Disputed, "disputed"),
            (State::Withdrawn, "withdrawn"),
            (State::Abandoned, "abandoned"),
        ];
        for (state, name) in named {
            let result = told(state);
            assert_eq!(result["status"], name);
            assert_eq!(
                (&result["label"], &result["votes"]),
                (&Value::Null, &Value::from(2))
            );
        }
    }

    #[test]
    fn nobody_waits_for_an_answer_about_an_erased_text_or_one_that_was_not_stored() {
        let review = Some(Signal::LowConfidence);
        let document = serde_json::to_value(kept(review)).expect("JSON");
        let ended = KeptPrediction::end_as_erased(document.clone(), "rates  RISE!").expect("of this text");
        let of_another = KeptPrediction::end_as_erased(document, "Another text");
        let erased: KeptPrediction = serde_json::from_value(ended.clone()).expect("JSON");
        let not_stored = kept(review).that_was_not_stored();

        assert_eq!(erased.result(None, None).status, Status::Erased);
        assert_eq!(
            (of_another, KeptPrediction::end_as_erased(ended, "Rates rise")),
            (None, None)
        );
        assert_eq!(not_stored.result(None, None).status, Status::NotStored);
        assert!(Status::NotStored.is_final() && Status::Erased.is_final());
        // Should it have been stored after all, the answer counts.
        let question = question(&[Answer::labels(["World"])]);
        assert_eq!(not_stored.result(Some(&question), None).status, Status::Answered);
    }

    #[test]
    fn a_prediction_whose_question_is_kept_no_longer_is_expired_and_final_and_one_that_is_on_its_way_is_in_review()
     {
        let made_at = |at: &str| KeptPrediction {
            predicted_at: at.to_owned(),
            ..kept(Some(Signal::LowConfidence))
        };
        let limit = "2026-11-25T10:00:00.000Z";
        let status = |kept: &KeptPrediction, question: Option<&Question>| {
            kept.result_once_asked(question, None, limit).status
        };
        let (old, new) = (
            made_at("2026-11-20T10:00:00Z"),
            made_at("2026-11-25T10:00:00.001Z"),
        );
        let open = Question {
            state: State::Asked,
            ..question(&[])
        };

        assert_eq!(status(&old, None), Status::Expired);
        assert!(Status::Expired.is_final());
        assert_eq!(serde_json::to_value(Status::Expired).expect("JSON"), "expired");
        assert_eq!(status(&new, None), Status::InReview);
        assert_eq!(
            status(&old, Some(&open)),
            Status::InReview,
            "people are asked still"
        );
        let trusted = KeptPrediction {
            review: None,
            ..old.clone()
        };
        assert_eq!(status(&trusted, None), Status::Predicted);
        assert_eq!(status(&old.that_was_not_stored(), None), Status::NotStored);
    }

    #[test]
    fn a_trusted_prediction_whose_text_was_erased_is_not_said_to_be_trusted() {
        let document = serde_json::to_value(kept(None)).expect("JSON");
        let ended = KeptPrediction::end_as_erased(document, "Rates rise").expect("of this text");
        let erased: KeptPrediction = serde_json::from_value(ended).expect("JSON");

        assert_eq!(kept(None).result(None, None).status, Status::Predicted);
        assert_eq!(erased.result(None, None).status, Status::Erased);
        assert_eq!(
            kept(None).that_was_not_stored().result(None, None).status,
            Status::Predicted,
            "people were not to be asked"
        );
    }

    #[test]
    fn who_says_the_same_again_later_moves_no_time_of_an_answer() {
        let mut question = question(&[Answer::labels(["World"])]);
        let mut again = question.votes[0].clone();
        again.at = "2026-11-20T12:30:00Z".to_owned();
        let before = kept(None).result(Some(&question), None);

        question.add(std::slice::from_ref(&again));
        let repeated = kept(None).result(Some(&question), None);
        (again.answer, again.at) = (Answer::labels(["Sports"]), "2026-11-20T12:40:00Z".to_owned());
        question.answer_with(&[again]);
        let corrected = kept(None).result(Some(&question), None);

        assert_eq!(before.answered_at.as_deref(), Some("2026-11-20T11:00:00Z"));
        assert_eq!(repeated, before);
        assert_eq!(corrected.answered_at.as_deref(), Some("2026-11-20T12:40:00Z"));
    }

    #[test]
    fn votes_that_an_answer_overrules_are_no_agreement_and_labels_in_common_are_part_of_one() {
        let of = |answers: &[Answer], answer: &Answer| {
            let mut question = question(answers);
            question.state = State::Answered;
            question.consensus = Some(Consensus::Agreed {
                answer: answer.clone(),
                confidence: 1.0,
            });
            let result = kept(None).result(Some(&question), None);
            (result.votes, result.agreement)
        };
        let (login, billing) = (Answer::labels(["Login"]), Answer::labels(["Billing"]));

        assert_eq!(of(&[login.clone(), billing.clone()], &billing), (2, Some(0.5)));
        assert_eq!(of(&[billing.clone(), billing.clone()], &billing), (2, Some(1.0)));
        assert_eq!(of(&[Answer::NoneFits, login], &billing), (2, Some(0.0)));
        let both = Answer::labels(["Billing", "Login"]);
        assert_eq!(of(&[both, billing.clone()], &billing), (2, Some(0.75)));
    }

    #[test]
    fn who_could_not_tell_is_no_vote_and_lessens_no_agreement_unless_that_is_the_answer() {
        let of = |answers: &[Answer], answer: &Answer, state: State| {
            let mut question = question(answers);
            question.state = state;
            question.consensus = Some(Consensus::Agreed {
                answer: answer.clone(),
                confidence: 1.0,
            });
            let user = |answer: &Answer| Vote {
                worker: "user:ada".to_owned(),
                source: VoteSource::Feedback,
                ..vote_of(&question, answer)
            };
            let taken_back = user(&Answer::Unsure);
            question.votes.push(taken_back);
            let result = kept(None).result(Some(&question), None);
            (result.votes, result.agreement)
        };
        let (billing, unsure) = (Answer::labels(["Billing"]), Answer::Unsure);

        let votes = [billing.clone(), unsure.clone(), billing.clone()];
        assert_eq!(of(&votes, &billing, State::Answered), (2, Some(1.0)));
        assert_eq!(of(&votes, &billing, State::Asked), (2, None));
        let votes = [unsure.clone(), unsure.clone()];
        assert_eq!(of(&votes, &unsure, State::Answered), (2, Some(1.0)));
    }

    fn vote_of(question: &Question, answer: &Answer) -> Vote {
        Vote {
            answer: answer.clone(),
            ..question.votes[0].clone()
        }
    }

    #[test]
    fn when_a_prediction_was_made_is_not_known_where_feedback_tells_of_it() {
        let mut question = question(&[Answer::NoneFits]);
        let of = |question: &Question| PredictionResult::of(question, None).predicted_at;

        assert_eq!(of(&question).as_deref(), Some("2026-11-20T10:00:00Z"));
        question.record.source = Source::ExplicitApi;
        assert_eq!(of(&question), None);
    }

    #[test]
    fn what_is_not_one_label_is_told_by_its_kind() {
        let of = |answer: Answer| kept(None).result(Some(&question(&[answer])), None);

        let several = of(Answer::labels(["A", "B"]));
        let none = of(Answer::NoneFits);

        assert_eq!((several.label.as_deref(), several.labels.len()), (None, 2));
        assert_eq!((none.status, none.answer), (Status::Answered, Some("none-fits")));
        assert!(none.labels.is_empty());
    }

    #[test]
    fn a_prediction_and_its_answer_from_before_a_change_of_the_set_have_the_names_of_now() {
        let mut set = LabelSet::none();
        for name in ["Sports", "World", "Fax"] {
            set.add(name, "").expect("free");
        }
        set.rename("Sports", "Sport").expect("free");
        set.add("Weather", "").expect("accepted");
        set.merge("World", "Weather").expect("active");
        set.retire("Fax").expect("active");
        let proposal = |label: &str| Answer::NewLabel {
            label: label.to_owned(),
        };
        let told = |answer: Answer| {
            let result = kept(None).result(Some(&question(&[answer])), Some(&set));
            assert_eq!(result.prediction.as_deref(), Some("Sport"));
            (result.answer.expect("answered"), result.labels)
        };

        for (answer, kind, labels) in [
            (Answer::labels(["Sports"]), "labels", &["Sport"][..]),
            (Answer::labels(["World"]), "labels", &["Weather"]),
            (
                Answer::labels(["Sports", "World"]),
                "labels",
                &["Sport", "Weather"],
            ),
            (proposal(" weather"), "labels", &["Weather"]),
            (proposal("Climate"), "new-label", &[]),
            (Answer::labels(["Fax"]), "labels", &["Fax"]),
            (Answer::NoneFits, "none-fits", &[]),
        ] {
            assert_eq!(
                told(answer.clone()),
                (kind, labels.iter().map(|name| (*name).to_owned()).collect()),
                "{answer:?}"
            );
        }
        let trusted = kept(None).result(None, Some(&set));
        assert_eq!(trusted.prediction.as_deref(), Some("Sport"));
    }

    #[test]
    fn a_tie_is_in_review_and_a_kept_prediction_is_read_back() {
        let tie = [Answer::labels(["A"]), Answer::labels(["B"])];
        let kept = kept(Some(Signal::Audit));
        let json = serde_json::to_vec(&kept).expect("JSON");

        assert_eq!(kept.result(Some(&question(&tie)), None).status, Status::InReview);
        assert_eq!(KeptPrediction::parse(&json), Some(kept));
        assert!(!String::from_utf8(json).expect("UTF-8").contains("Rates"));
        assert_eq!(KeptPrediction::parse(b"{}"), None);
    }
}
