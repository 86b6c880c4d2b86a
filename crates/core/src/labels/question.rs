//! What is known of one question while its claim lasts: asked where, answered how, by whose votes.
//!
//! Feedback on a text that was asked already is a vote on that question. It finds the question by the record's id,
//! whatever the human loop is called, at the cost of one object.

mod complaints;
mod lines;
mod loops;
mod near_duplicates;
mod news;
mod room;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use complaints::{are_of_one_user, complaint_of};
pub use lines::Line;
pub use room::MAX_USERS;

use super::{
    consolidation::{Consensus, DecidedBy, held_by_users, last_votes},
    human_loop::{Answer, LoopName, MAX_ROUNDS},
    label_key::label_key,
    label_set::{LabelSet, Mapped},
    labelled::LabelledRecord,
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
    /// Every loop of a delivery that has asked it, in order, and what joined one of them: see [`Question::join`]. None in
    /// questions of the version before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_in: Vec<String>,
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
    /// What reviewers answered before a change of the label set put it in doubt. Of several labels of which one was split the
    /// others stand: see [`Question::counted`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_doubt: Vec<Vote>,
    /// What users called wrong who named no label: of each their last complaint, with what was wrong, or that they do not
    /// say what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub complaints: Vec<Vote>,
    /// When the like was given that took the complaint back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back_at: Option<String>,
    /// Time of the last change of the label set by which votes contradict one another: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradicted_at: Option<String>,
    /// What lines of labelled objects have said of it, in order. None in questions of the version before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// Votes of users that are not kept here, since [`MAX_USERS`] others are: they stand in `labelled/` alone. One that is delivered
    /// again is counted again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub votes_left_out: u64,
    /// The line of an adjudicator's decision, until it is known to be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<Box<UnwrittenLine>>,
    /// Version of the label set by which it was decided last: no set from before decides it. None in questions of the version
    /// before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub label_set: u64,
}

/// A line that a decision has noted in its question before it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnwrittenLine {
    /// Name of its labelled object.
    pub name: String,
    /// What is to be written.
    pub line: LabelledRecord,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a vote of a user does to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was counted before.
    Known,
    /// It is kept, and counts when people have answered, or with what they answered.
    Counted,
    /// It is a vote that the question has no room for: it is kept as a line of its own alone, and decides nothing here.
    LeftOut,
    /// It decides between reviewers who tie: no adjudicator is to.
    Settles,
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
    /// This label was right, which is out of use now: it is kept, and contradicts none of those in its place.
    Past {
        /// What was said, by the labels' own names.
        vote: Vote,
        /// The labels that it may mean now, where it was split; none of a retired one, which contradicts nothing.
        parts: Option<Vec<String>>,
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
            (Signal::Dislike, Some(_)) => Self::Against(Answer::labels(record.predicted_labels())),
            (Signal::Dislike, None) => Self::AgainstAll,
            _ => Self::None,
        }
    }
}

impl Question {
    /// Returns whether an adjudicator finds it: it is disputed, or what one of them has decided is not written.
    pub fn is_for_adjudicators(&self) -> bool {
        self.state == State::Disputed || self.unwritten.is_some()
    }

    /// Starts a question that people are asked.
    pub fn asked(record: FeedbackRecord, human_loop: &str, items: usize) -> Self {
        Self {
            human_loop: Some(human_loop.to_owned()),
            first_loop: Some(human_loop.to_owned()),
            asked_in: vec![human_loop.to_owned()],
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
            complaints: complaint_of(&record, &Opinion::of(&record)).into_iter().collect(),
            record,
            human_loop: None,
            first_loop: None,
            asked_in: Vec::new(),
            items: 0,
            consensus: None,
            decided_by: None,
            reopened: 0,
            in_doubt: Vec::new(),
            taken_back_at: None,
            contradicted_at: None,
            lines: Vec::new(),
            votes_left_out: 0,
            unwritten: None,
            label_set: 0,
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

    /// Takes a user's opinion. A user who said something else before has changed their mind; what comes later than their
    /// last word, and is older, changes nothing.
    pub fn hear(&mut self, opinion: &Opinion) -> Effect {
        let contradicts = match opinion {
            Opinion::None => return Effect::Known,
            Opinion::For(vote) | Opinion::Past { vote, .. } if self.votes.contains(vote) => {
                return Effect::Known;
            }
            Opinion::For(vote) | Opinion::Past { vote, .. } if self.was_called_wrong_since(vote) => {
                return Effect::Known;
            }
            Opinion::For(vote) | Opinion::Past { vote, .. } if !self.makes_room_for(vote) => {
                self.votes_left_out += 1;
                return Effect::LeftOut;
            }
            Opinion::For(vote) | Opinion::Past { vote, .. } if self.has_later_vote_than(vote) => {
                self.votes.push(vote.clone());
                return Effect::Counted;
            }
            Opinion::Past { vote, parts } => {
                self.votes.push(vote.clone());
                let is_none_of_them =
                    |parts: &Vec<String>| self.answer().is_some_and(|answer| !is_among(answer, parts));
                parts.as_ref().is_some_and(is_none_of_them)
            }
            Opinion::For(vote) => {
                self.votes.push(vote.clone());
                self.answer()
                    .is_some_and(|answer| !answer.says_the_same(&vote.answer))
            }
            Opinion::Against(_) | Opinion::AgainstAll if self.nobody_could_tell() => true,
            Opinion::Against(wrong) => self.answer().is_some_and(|answer| answer.says_the_same(wrong)),
            Opinion::AgainstAll => self.answer().is_some_and(|answer| self.was_predicted(answer)),
        };
        if !contradicts || self.decided_by == Some(DecidedBy::Adjudicator) {
            return Effect::Counted;
        }
        self.reopen()
    }

    /// Opens it again for somebody else, as often as may be; else an adjudicator decides.
    fn reopen(&mut self) -> Effect {
        if self.reopened >= MAX_ROUNDS {
            self.state = State::Disputed;
            return Effect::Disputes;
        }
        self.reopened += 1;
        self.state = State::Asked;
        Effect::Reopens
    }

    /// Takes in what a change of the label set made of its votes, which are those of now and written by the names of now. Where
    /// they contradict one another by it and nobody is being asked who could decide, somebody else is; once for each change.
    pub fn contradict(&mut self, changed_at: &str, labels: &LabelSet) -> Effect {
        if self.contradicted_at.as_deref() >= Some(changed_at) {
            return Effect::Known;
        }
        self.contradicted_at = Some(changed_at.to_owned());
        let is_being_asked = self.state == State::Asked && self.human_loop.is_some();
        if is_being_asked || self.state == State::Disputed {
            return Effect::Counted;
        }
        self.decide(Some(labels));
        let is_tie = self.consensus == Some(Consensus::Tie);
        if (is_tie || self.is_doubted_by_proposals(labels)) && self.decided_by != Some(DecidedBy::Adjudicator)
        {
            return self.reopen();
        }
        Effect::Counted
    }

    /// Takes in that its votes, which are those of now, come to another answer by a change of the label set, as `decided` says
    /// of all of them: nobody is asked. Where its own votes alone do not say, that is the answer.
    /// Returns the loop that has left it open, where somebody else was to settle a contradiction that there is no more. What an
    /// adjudicator was to decide is answered then: see [`Question::settle_dispute`].
    pub fn decide_anew(
        &mut self,
        labels: &LabelSet,
        decided: &Consensus,
        decided_by: Option<DecidedBy>,
    ) -> Option<String> {
        let is_being_asked = self.state == State::Asked && self.human_loop.is_some();
        if is_being_asked {
            return self.settle(labels);
        }
        match self.state {
            State::Disputed => _ = self.settle_dispute(labels),
            State::Asked | State::Answered | State::Withdrawn | State::Abandoned => {
                self.decide(Some(labels));
            }
        }
        if self.consensus == Some(Consensus::Tie) && decided.is_answer() {
            self.state = State::Answered;
            (self.consensus, self.decided_by) = (Some(decided.clone()), decided_by);
        }
        None
    }

    /// Takes in that its votes, which are those of now, contradict one another no more by a change of the label set: neither
    /// reviewers, who tied, nor a user or a file, by whose word the answer was opened again. Nobody need answer what somebody else
    /// was to settle. Returns the latest loop, which has left it open or asks about it, and forgets that people are asked; `None`
    /// where it stays as it is. Who has the page open and answers all the same is heard.
    pub fn settle(&mut self, labels: &LabelSet) -> Option<String> {
        let is_tie = self.consensus == Some(Consensus::Tie);
        let was_opened_again = self.reopened > 0 && self.was_doubted_by_other_names();
        if self.state != State::Asked || !(is_tie || was_opened_again) || self.is_asked_anew() {
            return None;
        }
        let before = self.clone();
        self.decide(Some(labels));
        if self.state != State::Answered || !is_tie && self.is_doubted(labels) {
            *self = before;
            return None;
        }
        let asking = self.human_loop.take()?;
        // A run that is broken off before the loop is stopped finds it by this.
        if !self.was_asked_in(&asking) {
            self.asked_in.push(asking.clone());
        }
        Some(asking)
    }

    /// Takes in what the votes come to, which are those of now, where an adjudicator is to decide: by what a user says, a file or a
    /// change of the label set reviewers may tie no more. Returns whether it is answered now. What is disputed since somebody spoke
    /// against the answer stays so as long as anybody does; datasets have the reviewers' word meanwhile.
    pub fn settle_dispute(&mut self, labels: &LabelSet) -> bool {
        if self.state != State::Disputed {
            return false;
        }
        let had_answer = self.consensus.as_ref().is_some_and(Consensus::is_answer);
        self.decide(Some(labels));
        if self.state != State::Answered || had_answer && self.is_doubted(labels) {
            self.state = State::Disputed;
        }
        self.state == State::Answered
    }

    /// Gives up waiting for somebody else: an adjudicator decides what is open. Not where users have said since which of the tied
    /// answers is right.
    pub fn wait_no_more(&mut self, labels: Option<&LabelSet>) {
        if self.state != State::Asked {
            return;
        }
        if self.consensus == Some(Consensus::Tie) {
            self.decide(labels);
        }
        if self.state == State::Asked {
            self.state = State::Disputed;
        }
    }

    /// Takes in what users have said or taken back, as far as their word decided between reviewers who tie: see
    /// [`DecidedBy::UserBrokeTie`]. A dispute may be settled by it, and an answer may be none any more.
    pub fn follow_users(&mut self, labels: &LabelSet) -> Effect {
        if self.state == State::Disputed {
            return match self.settle_dispute(labels) {
                true => Effect::Settles,
                false => Effect::Counted,
            };
        }
        if self.state != State::Answered || self.decided_by != Some(DecidedBy::UserBrokeTie) {
            return Effect::Counted;
        }
        let (consensus, decided_by) = Consensus::by_majority(&self.counted(Some(labels)));
        let is_tie = consensus == Consensus::Tie;
        (self.consensus, self.decided_by) = (Some(consensus), decided_by);
        match is_tie {
            true => self.reopen(),
            false => Effect::Counted,
        }
    }

    /// Returns whether somebody who was not asked has named another label than reviewers did, as both were called then.
    fn was_doubted_by_other_names(&self) -> bool {
        let is_doubt = |vote: &&Vote| !vote.source.is_review() || vote.note.proposed;
        let (doubts, answers): (Vec<&Vote>, Vec<&Vote>) =
            last_votes(&self.votes).into_iter().partition(is_doubt);
        let is_other =
            |doubt: &&Vote| (answers.iter()).any(|answer| !answer.said().says_the_same(doubt.said()));
        doubts.iter().any(is_other)
    }

    /// Returns whether a user or a file speaks against the answer.
    fn is_doubted(&self, labels: &LabelSet) -> bool {
        let Some(answer) = self.answer() else { return false };
        let is_wrong = |complaint: &Vote| match &complaint.answer {
            Answer::Unsure => self.was_predicted(answer),
            wrong => wrong.says_the_same(answer),
        };
        let votes = labels.counting(&self.votes);
        let speaks_against =
            |vote: &&Vote| vote.answer != Answer::Unsure && !vote.answer.says_the_same(answer);
        last_votes(&votes).iter().any(speaks_against) || self.complaints.iter().any(is_wrong)
    }

    /// Decides an answer anew by a label set that is newer than the one by which it was decided. Returns whether votes
    /// contradict one another by it, so that somebody else is to be asked, as [`Question::contradict`] finds it.
    pub fn is_contradicted_by(&mut self, labels: &LabelSet) -> bool {
        if self.state != State::Answered || self.decided_by == Some(DecidedBy::Adjudicator) {
            return false;
        }
        let (before, was_doubted) = (self.clone(), self.is_doubted_by_proposals(labels));
        labels.use_own_names(self);
        self.decide(Some(labels));
        if self.consensus == Some(Consensus::Tie) {
            return true;
        }
        if self.state != State::Answered {
            // Nobody's word is left that counts: nobody contradicts it either.
            *self = before;
        }
        !was_doubted && self.is_doubted_by_proposals(labels)
    }

    /// Returns whether what a file proposed, and is a label by now, is another answer than that of people.
    fn is_doubted_by_proposals(&self, labels: &LabelSet) -> bool {
        let Some(answer) = self.answer() else { return false };
        let votes = labels.counting(&self.votes);
        let is_label = |vote: &&Vote| vote.note.proposed && labels.map_vote(vote) != Mapped::Split;
        let proposed = last_votes(&votes).into_iter().filter(is_label);
        let mut labels = proposed.filter(|vote| matches!(vote.answer, Answer::Labels { .. }));
        labels.any(|vote| !vote.answer.says_the_same(answer))
    }

    /// Takes back what the user of feedback held right, where they call that wrong now, or like what was predicted instead
    /// without naming it: neither names another label, so that from now on they do not vote. Returns what is their last word
    /// then.
    pub fn retract(&mut self, opinion: &Opinion, feedback: &FeedbackRecord) -> Option<Vote> {
        self.remember_complaints(complaint_of(feedback, opinion).as_slice());
        let predicted = Answer::labels(self.record.predicted_labels());
        let likes = feedback.signal == Signal::Like && self.may_be_liked_by(feedback);
        let is_wrong = |answer: &Answer| match opinion {
            Opinion::Against(wrong) => answer.says_the_same(wrong),
            Opinion::AgainstAll => true,
            Opinion::None => likes && *answer != Answer::Unsure && !answer.says_the_same(&predicted),
            Opinion::For(_) | Opinion::Past { .. } => false,
        };
        let last_word = Vote::of_user(feedback, Answer::Unsure);
        let own = self.votes.iter().filter(|vote| {
            vote.source == VoteSource::Feedback
                && vote.voter() == last_word.voter()
                && vote.at <= last_word.at
        });
        let held = own.max_by(|one, other| one.at.cmp(&other.at))?;
        if *held != last_word && !is_wrong(&held.answer) {
            return None;
        }
        self.add(std::slice::from_ref(&last_word));
        Some(last_word)
    }

    /// Adds votes of reviewers and decides. Where they do not agree, or none of them can tell, somebody else is to be asked.
    pub fn answer_with(&mut self, votes: &[Vote]) {
        self.add(votes);
        self.decide(None);
    }

    /// Returns the votes that count by a label set: the last word of each voter, as [`LabelSet::counting`] counts it, or what
    /// stands of it where it names a label that was split since. What somebody has taken back comes back by no change.
    pub fn counted(&self, labels: Option<&LabelSet>) -> Vec<Vote> {
        let Some(labels) = labels else {
            return self.votes.clone();
        };
        let votes = labels.counting(&self.votes);
        let said: Vec<Vote> = votes.iter().chain(&self.in_doubt).cloned().collect();
        let last = last_votes(&said).into_iter();
        let left = last.filter_map(|vote| match votes.contains(vote) {
            true => Some(vote.clone()),
            false => labels.left_of(vote),
        });
        left.collect()
    }

    /// Counts those votes again that a change of the label set had put in doubt and that name labels in use by now: datasets
    /// count them as well, and who gave them is not asked again. No set from before that change is to decide, by which they were
    /// never in doubt: see [`Question::label_set`].
    fn take_doubt_off(&mut self, labels: &LabelSet) {
        let mut standing = self.in_doubt.clone();
        labels.canonical_votes(&self.record, &mut standing);
        standing.retain(|vote| labels.is_in_use(&vote.answer));
        let counts_again = |vote: &Vote| {
            standing
                .iter()
                .any(|other| (&other.worker, &other.at) == (&vote.worker, &vote.at))
        };
        self.in_doubt.retain(|vote| !counts_again(vote));
        self.add(&standing);
    }

    /// Returns the labels that stand of answers with a label that was split since, in order: who is asked anew is told of them.
    pub fn labels_kept(&self, labels: &LabelSet) -> Vec<String> {
        let counted = self.counted(Some(labels)).into_iter();
        let left = counted.filter(|vote| !vote.is_whole());
        let names = left.filter_map(|vote| match vote.answer {
            Answer::Labels { labels } => Some(labels),
            Answer::NoneFits | Answer::NewLabel { .. } | Answer::Unsure => None,
        });
        let names: BTreeSet<String> = names.flatten().collect();
        names.into_iter().collect()
    }

    /// Decides by the votes that [count](Question::counted).
    pub fn decide(&mut self, labels: Option<&LabelSet>) {
        if let Some(labels) = labels {
            self.take_doubt_off(labels);
        }
        let (consensus, decided_by) = Consensus::by_majority(&self.counted(labels));
        self.state = match consensus {
            Consensus::Agreed { .. } if consensus.is_answer() => State::Answered,
            Consensus::Agreed { .. } | Consensus::Unanswered if self.state == State::Withdrawn => {
                State::Withdrawn
            }
            Consensus::Agreed { .. } | Consensus::Tie | Consensus::Unanswered => State::Asked,
        };
        (self.consensus, self.decided_by) = (Some(consensus), decided_by);
    }

    /// Adds votes of an imported file and decides. Where nobody is being asked who could decide, an adjudicator is to decide a
    /// tie, and what they were to decide before and is not settled.
    pub fn take_imported(&mut self, votes: &[Vote], labels: &LabelSet) {
        let was_disputed = self.state == State::Disputed;
        let is_being_asked = self.state == State::Asked && self.human_loop.is_some();
        labels.use_own_names(self);
        self.add(votes);
        self.decide(Some(labels));
        let is_open = self.consensus == Some(Consensus::Tie) || was_disputed && self.state == State::Asked;
        if is_open && !is_being_asked {
            self.state = State::Disputed;
        }
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

    /// Returns whether nobody has said anything of its text.
    pub fn is_silent(&self) -> bool {
        self.votes.is_empty() && self.complaints.is_empty()
    }

    /// Returns whether it counts as answered though nobody could tell, as an older version left it.
    fn nobody_could_tell(&self) -> bool {
        self.answer() == Some(&Answer::Unsure)
    }

    /// Returns whether an answer may be what a user was shown: the prediction that was asked about, if there was one. What
    /// people corrected is not what the user complains of.
    fn was_predicted(&self, answer: &Answer) -> bool {
        let predicted = Answer::labels(self.record.predicted_labels());
        self.record.prediction.is_none() || answer.says_the_same(&predicted)
    }

    /// Returns whether anybody whose vote counts has said that a class is not the right one.
    pub fn contradicts(&self, class: &Answer, labels: &LabelSet) -> bool {
        let votes = labels.counting(&self.votes);
        let mut answers = votes.iter().map(|vote| &vote.answer);
        answers.any(|answer| !matches!(answer, Answer::Unsure) && !answer.says_the_same(class))
    }

    /// Returns what users hold right today, with how many of them do: the most frequent first, of equal ones the newest.
    ///
    /// A user has one opinion, their last; users without a name share one.
    pub fn users_hold(&self) -> Vec<(&Answer, usize)> {
        let mut held: Vec<(&Answer, usize, &str)> = Vec::new();
        for (at, answer) in held_by_users(&self.votes) {
            match held.iter_mut().find(|(known, ..)| known.says_the_same(answer)) {
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
    /// It does if it is of the same named user about the same text, or, where one of the two does not name a user, about the
    /// same prediction, unless somebody else holds another label right. What the review policy asks is not taken back by a
    /// user: the like is a vote there. So is a like of another prediction, which agrees with the complaint. Nor does a like where the same user has said something else since. `opinion` is what
    /// the like says, by the labels' own names. Who holds a label right that is out of use does not vote.
    pub fn is_taken_back_by(&self, like: &FeedbackRecord, opinion: &Opinion, labels: &LabelSet) -> bool {
        like.signal == Signal::Like
            && like.received_at >= self.record.received_at
            && self.state == State::Asked
            && self.record.signal == Signal::Dislike
            && self.votes.iter().all(|vote| vote.source == VoteSource::Feedback)
            && !self.likes_another_label(like, opinion, labels)
            && !self.others_hold_another_label_right(like, opinion, labels)
            && are_of_one_user(&self.record, like)
            && !self.has_later_word_than(like)
    }

    /// Returns whether a like holds another label right than the one that was complained of.
    fn likes_another_label(&self, like: &FeedbackRecord, opinion: &Opinion, labels: &LabelSet) -> bool {
        let liked = like.prediction.as_ref().or(like.suggested_label.as_ref());
        let (Some(liked), Some(wrong)) = (liked, &self.record.prediction) else {
            return false;
        };
        let (Opinion::For(vote) | Opinion::Past { vote, .. }) = opinion else {
            return false;
        };
        let wrong_now = labels.opinion(
            &self.record,
            Opinion::Against(Answer::labels(self.record.predicted_labels())),
        );
        let is_same = |answer: &Answer| vote.answer.says_the_same(answer);
        label_key(liked) != label_key(wrong)
            && !matches!(&wrong_now, Opinion::Against(answer) if is_same(answer))
    }

    /// Returns whether a user other than who complained holds a label right that is not the prediction.
    fn others_hold_another_label_right(
        &self,
        like: &FeedbackRecord,
        opinion: &Opinion,
        labels: &LabelSet,
    ) -> bool {
        let complaint = Vote::of_feedback(&self.record);
        let user = Vote::of_feedback(like).or_else(|| complaint.clone());
        let is_own = |vote: &Vote| {
            Some(vote.voter()) == user.as_ref().map(Vote::voter) || Some(vote) == complaint.as_ref()
        };
        let held_right = match opinion {
            Opinion::For(vote) | Opinion::Past { vote, .. } => vote.answer.clone(),
            _ => Answer::labels(self.record.predicted_labels()),
        };
        let keys = |answer: &Answer| match answer {
            Answer::Labels { labels } => labels.iter().map(|label| label_key(label)).collect(),
            _ => BTreeSet::new(),
        };
        let held_right = keys(&held_right);
        let predicted = |answer: &Answer| match answer {
            Answer::Labels { .. } => !held_right.is_empty() && held_right.is_subset(&keys(answer)),
            Answer::Unsure => true,
            Answer::NoneFits | Answer::NewLabel { .. } => false,
        };
        let votes = labels.counting(&self.votes);
        let mut votes = votes.iter();
        votes.any(|vote| !is_own(vote) && !predicted(&vote.answer))
    }

    /// Takes back what a change of the label set asked anew, since a later change has taken the doubt away: what people
    /// answered before is the answer again, by the names that labels have now; without one it is withdrawn as of `at`.
    /// Returns the loop that asks it no more, or that none does yet; `None` where it stays as it is, since somebody has
    /// answered or something else asks.
    pub fn restore(&mut self, labels: &LabelSet, at: &str) -> Option<Option<String>> {
        if self.state != State::Asked || self.record.signal != Signal::Relabel || self.is_answered_anew() {
            return None;
        }
        let in_doubt = std::mem::take(&mut self.in_doubt);
        self.add(&in_doubt);
        labels.use_own_names(self);
        self.decide(Some(labels));
        if self.state != State::Answered {
            self.state = State::Withdrawn;
            at.clone_into(&mut self.record.received_at);
        }
        Some(self.human_loop.take())
    }

    /// Returns whether the page of a loop is to leave the text out: it was taken back, or another loop asks it by now.
    pub fn is_taken_off(&self, human_loop: &str) -> bool {
        let was_taken_back = self.human_loop.is_none() && self.first_loop.is_some();
        self.state == State::Withdrawn || was_taken_back || self.is_asked_elsewhere(human_loop)
    }

    /// Returns whether another loop than this, or than a further round or a repetition of it, asks the question by now.
    pub fn is_asked_elsewhere(&self, human_loop: &str) -> bool {
        let first = |name: &str| LoopName::parse(name).map(|name| name.first().to_owned());
        let latest = self.human_loop.as_deref().and_then(first);
        latest.is_some() && latest != first(human_loop)
    }

    /// Takes the complaint back, and with it what its user held right, however often they said it; `at` is when they like
    /// the prediction.
    pub fn withdraw(&mut self, like: &Opinion, at: &str) {
        if let Some(complaint) = Vote::of_feedback(&self.record) {
            let is_named = self.record.user.is_some();
            let is_same = |vote: &Vote| *vote == complaint || (is_named && vote.voter() == complaint.voter());
            self.votes.retain(|vote| !is_same(vote));
        }
        if let Opinion::For(vote) | Opinion::Past { vote, .. } = like {
            self.add(std::slice::from_ref(vote));
        }
        self.state = State::Withdrawn;
        self.taken_back_at = Some(at.to_owned());
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
mod tests;
