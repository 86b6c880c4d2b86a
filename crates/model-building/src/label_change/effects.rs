//! What a change of the label set does to the votes that there are, in words, and of whom it asks one more.

use std::{collections::HashSet, future::ready};

use active_learning_aws::questions;
use active_learning_core::{
    keys::FIRST_MODEL,
    labels::{
        human_loop::MAX_ROUNDS,
        label_set::LabelSet,
        labelled::LabelledRecord,
        question::{Question, State},
    },
    model::first_model::FirstModel,
    sampling::query_strategy::LabelCounts,
    text::counted,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Failure, LabelChanges,
    plan::{Plan, READS_AT_ONCE, texts},
};
use crate::effects::{Contradicted, Effects, effects};

/// What becomes of a text whose votes contradict one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// One more reviewer is asked.
    Asked,
    /// An adjudicator decides: others were asked as often as may be.
    Disputed,
    /// Somebody is being asked, or an adjudicator decides, already.
    Open,
}

/// How many texts have which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fates {
    asked: usize,
    /// Of those that are asked about, how many are no rows until somebody has answered.
    left_out: usize,
    disputed: usize,
    open: usize,
    /// Texts on which somebody need not be asked any more, since what spoke against the answer is the same label now.
    settled: usize,
    /// Texts whose votes tied, and come to an answer by it.
    untied: usize,
    /// Texts that wait for an adjudicator, and are answered by it.
    undisputed: usize,
}

/// How it is said what a change does to votes.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// What votes are for by it.
    pub for_what: &'static str,
    /// Whether it is said also where there is no such vote.
    pub always: bool,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            for_what: "it",
            always: false,
        }
    }
}

impl LabelChanges {
    /// Adds to a plan what the change from the one set to the other does to the votes that there are.
    ///
    /// # Errors
    ///
    /// As [`LabelChanges::plan`].
    pub async fn with_effects(
        &self,
        mut plan: Plan,
        sets: [&LabelSet; 2],
        said: Said,
    ) -> Result<Plan, Failure> {
        let (effects, fates) = self.add_effects(&mut plan, sets).await?;
        plan.text += &in_words(&effects, fates, said);
        plan.text += &self.first_model_in_words(sets).await?;
        Ok(plan)
    }

    /// Says how many labelled texts the first model needs by a change; nothing where that stays as it is, or a model serves.
    async fn first_model_in_words(&self, [before, after]: [&LabelSet; 2]) -> Result<String, Failure> {
        let progress: Option<FirstModel> = self.training.read_document(FIRST_MODEL).await?;
        let Some(progress) = progress else {
            return Ok(String::new());
        };
        let need = |set| FirstModel::new(set, &LabelCounts::new(), progress.rows_per_label).need();
        Ok(match (need(before), need(after)) {
            (before, after) if before == after => String::new(),
            (before, after) => {
                format!(" The first model then needs {after} labelled texts, and needs {before} now.")
            }
        })
    }

    /// Says what becomes of the rows of a label that is retired, `initial` of them in training files, and of the votes for it.
    pub(super) async fn plan_retirement(
        &self,
        name: &str,
        initial: usize,
        sets: [&LabelSet; 2],
    ) -> Result<Plan, Failure> {
        let mut plan = Plan::without_questions(String::new());
        let (effects, fates) = self.add_effects(&mut plan, sets).await?;
        plan.text = retirement_in_words(name, initial, &effects, fates);
        plan.text += &self.first_model_in_words(sets).await?;
        Ok(plan)
    }

    /// Adds to a plan the questions on which a change from the one set to the other puts votes in another light.
    async fn add_effects(
        &self,
        plan: &mut Plan,
        [before, after]: [&LabelSet; 2],
    ) -> Result<(Effects, Fates), Failure> {
        let mut effects = effects(&self.training, &self.feedback, before, after).await?;
        let asked_or_not = plan.again.answers.iter().chain(&plan.taken_back.answers);
        let elsewhere: HashSet<String> = asked_or_not.map(|record| record.id.clone()).collect();
        let found = std::mem::take(&mut effects.contradicted).into_iter();
        let found: Vec<Contradicted> = found
            .filter(|text| !elsewhere.contains(text.labelled.record.id.as_str()))
            .collect();
        let asked: Vec<Option<Question>> = stream::iter(&found)
            .map(|text| questions::read(&self.feedback, &text.labelled.record.id))
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;

        let mut fates = Fates::default();
        for (text, question) in found.into_iter().zip(&asked) {
            let fate = fate(question.as_ref());
            fates.add(fate, text.is_left_out);
            if fate != Fate::Open {
                plan.contradicted.push(text.labelled);
            }
        }
        plan.decided_anew = std::mem::take(&mut effects.decided_anew);
        plan.decided_anew
            .retain(|labelled| !elsewhere.contains(labelled.record.id.as_str()));
        fates.untied = effects.untied;
        fates.undisputed = self.undisputed(&plan.decided_anew, after).await?;
        let agreed = std::mem::take(&mut effects.agreed).into_iter();
        let agreed = agreed.filter(|labelled| !elsewhere.contains(labelled.record.id.as_str()));
        let settled = self.settled(agreed.collect(), after).await?;
        let disputed = settled.iter().filter(|(_, state)| *state == State::Disputed);
        let disputed = disputed.count();
        fates.undisputed += disputed;
        fates.settled = settled.len() - disputed;
        plan.decided_anew
            .extend(settled.into_iter().map(|(labelled, _)| labelled));
        Ok((effects, fates))
    }

    /// Counts those of texts that wait for an adjudicator, though their votes come to an answer by a set.
    async fn undisputed(&self, decided_anew: &[LabelledRecord], after: &LabelSet) -> Result<usize, Failure> {
        let undisputed = stream::iter(decided_anew).map(async |labelled| {
            let question = questions::read(&self.feedback, &labelled.record.id).await?;
            let is_answered = question.is_some_and(|mut question| {
                let was_disputed = question.state == State::Disputed;
                question.add(&labelled.votes);
                after.use_own_names(&mut question);
                question.decide_anew(after, &labelled.consensus, labelled.decided_by);
                was_disputed && question.state == State::Answered
            });
            Ok::<_, Failure>(usize::from(is_answered))
        });
        let undisputed = undisputed.buffered(READS_AT_ONCE);
        undisputed.try_fold(0, |sum, one| ready(Ok(sum + one))).await
    }

    /// Returns those of texts that nobody need be asked about by a set: their questions are open, or disputed, only since somebody
    /// spoke against the answer.
    async fn settled(
        &self,
        agreed: Vec<LabelledRecord>,
        after: &LabelSet,
    ) -> Result<Vec<(LabelledRecord, State)>, Failure> {
        let settled = stream::iter(agreed).map(async |labelled| {
            let question = questions::read(&self.feedback, &labelled.record.id).await?;
            let settled = question.and_then(|mut question| {
                let before = question.state;
                after.use_own_names(&mut question);
                (question.settle(after).is_some() || question.settle_dispute(after)).then_some(before)
            });
            Ok::<_, Failure>(settled.map(|before| (labelled, before)))
        });
        let settled = settled.buffered(READS_AT_ONCE);
        settled
            .try_filter_map(|labelled| ready(Ok(labelled)))
            .try_collect()
            .await
    }
}

fn fate(question: Option<&Question>) -> Fate {
    match question {
        Some(question) if question.state == State::Asked && question.human_loop.is_some() => Fate::Open,
        Some(question) if question.state == State::Disputed => Fate::Open,
        Some(question) if question.reopened >= MAX_ROUNDS => Fate::Disputed,
        Some(_) | None => Fate::Asked,
    }
}

impl Fates {
    fn add(&mut self, fate: Fate, is_left_out: bool) {
        match fate {
            Fate::Asked => {
                self.asked += 1;
                self.left_out += usize::from(is_left_out);
            }
            Fate::Disputed => self.disputed += 1,
            Fate::Open => self.open += 1,
        }
    }
}

/// Says what a change does to votes; nothing where it does nothing.
fn in_words(effects: &Effects, fates: Fates, said: Said) -> String {
    let mut text = String::new();
    if effects.votes > 0 || said.always {
        text += &format!(
            " By this {} a vote for {}: {} new, {} another label.",
            has(effects.votes),
            said.for_what,
            is(effects.gained),
            gets(effects.changed)
        );
    } else if effects.changed > 0 {
        text += &format!(
            " By this the answer to {} becomes another one.",
            texts(effects.changed)
        );
    }
    if effects.unnamed > 0 {
        text += &format!(
            " {} left out by this, since what they are called is a proposed label then: `labels proposed` lists it, and \
             as soon as it is a label or another name of one they count again.",
            is(effects.unnamed)
        );
    }
    text + &contradictions_in_words(fates)
}

/// Says what becomes of the rows of a label that is retired, and of the votes for it.
fn retirement_in_words(name: &str, initial: usize, effects: &Effects, fates: Fates) -> String {
    let mut text = format!(
        "`{name}` is no choice and no class any more: {} and {} of training files are left out. The portal refuses it on \
         pages that are open.",
        counted(effects.left_out, "answer"),
        counted(initial, "row")
    );
    if effects.changed > 0 {
        text += &format!(
            " The answer to {} becomes another one, since votes of users and of imported files for it count no more.",
            texts(effects.changed)
        );
    }
    if effects.gained > 0 {
        text += &format!(" {} new by it.", is(effects.gained));
    }
    text + &contradictions_in_words(fates)
}

/// Says what becomes of texts whose votes contradict one another.
fn contradictions_in_words(fates: Fates) -> String {
    let mut text = String::new();
    if fates.asked > 0 {
        text += &format!(
            " In {} votes contradict one another then, and one more reviewer is asked, nobody who has answered: where \
             only a proposal of an imported file contradicts, what reviewers answered stays the label meanwhile.",
            texts(fates.asked)
        );
    }
    if fates.left_out > 0 {
        text += &format!(" Until then {} left out.", are(fates.left_out));
    }
    if fates.disputed > 0 {
        text += &format!(
            " In {} votes contradict one another then, of which others were asked as often as may be: an adjudicator \
             decides.",
            texts(fates.disputed)
        );
    }
    if fates.open > 0 {
        text += &format!(
            " In {} votes contradict one another then, about which somebody is being asked, or an adjudicator decides, \
             already.",
            texts(fates.open)
        );
    }
    if fates.untied > 0 {
        text += &format!(
            " In {} votes tied that come to an answer then, and nobody else is asked.",
            texts(fates.untied)
        );
    }
    if fates.undisputed > 0 {
        text += &format!(" {} for an adjudicator no more.", wait(fates.undisputed));
    }
    if fates.settled > 0 {
        text += &format!(
            " In {} what spoke against the answer is the same label then: somebody else is being asked because of that, \
             and is asked no more.",
            texts(fates.settled)
        );
    }
    text
}

fn has(count: usize) -> String {
    let verb = if count == 1 { "has" } else { "have" };
    format!("{} {verb}", texts(count))
}

fn wait(count: usize) -> String {
    let verb = if count == 1 { "waits" } else { "wait" };
    format!("{} {verb}", texts(count))
}

fn is(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(count, "row"))
}

fn are(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} of them {verb}", counted(count, "row"))
}

fn gets(count: usize) -> String {
    let verb = if count == 1 { "gets" } else { "get" };
    format!("{} {verb}", counted(count, "row"))
}

#[cfg(test)]
mod tests {
    use active_learning_core::feedback::FeedbackRecord;

    use super::*;

    fn effects(votes: usize, gained: usize, changed: usize) -> Effects {
        Effects {
            votes,
            gained,
            changed,
            ..Effects::default()
        }
    }

    #[test]
    fn what_a_change_does_to_votes_is_said_with_numbers_and_nothing_where_it_does_nothing() {
        let said = |always| Said {
            always,
            ..Said::default()
        };
        let none = [false, true].map(|always| in_words(&effects(0, 0, 0), Fates::default(), said(always)));
        let some = in_words(&effects(3, 1, 0), Fates::default(), said(false));
        let mapped = in_words(&effects(0, 0, 2), Fates::default(), said(false));
        let unnamed = Effects {
            unnamed: 2,
            ..Effects::default()
        };
        let unnamed = in_words(&unnamed, Fates::default(), said(false));
        let contradicted = Fates {
            asked: 2,
            left_out: 1,
            disputed: 1,
            open: 1,
            settled: 1,
            untied: 2,
            undisputed: 1,
        };
        let contradicted = in_words(&effects(4, 0, 1), contradicted, said(false));

        let nothing = " By this 0 texts have a vote for it: 0 rows are new, 0 rows get another label.";
        assert_eq!(none, ["", nothing]);
        assert_eq!(
            some,
            " By this 3 texts have a vote for it: 1 row is new, 0 rows get another label."
        );
        assert!(
            unnamed
                .starts_with(" 2 rows are left out by this, since what they are called is a proposed label"),
            "{unnamed}"
        );
        assert_eq!(mapped, " By this the answer to 2 texts becomes another one.");
        for said in [
            " By this 4 texts have a vote for it: 0 rows are new, 1 row gets another label.",
            " In 2 texts votes contradict one another then, and one more reviewer is asked, nobody who has answered",
            " Until then 1 row of them is left out.",
            " In 1 text votes contradict one another then, of which others were asked as often as may be",
            " In 1 text votes contradict one another then, about which somebody is being asked",
            " In 1 text what spoke against the answer is the same label then: somebody else is being asked",
            " In 2 texts votes tied that come to an answer then, and nobody else is asked.",
            " 1 text waits for an adjudicator no more.",
        ] {
            assert!(contradicted.contains(said), "{said}: {contradicted}");
        }
    }

    #[test]
    fn one_more_reviewer_is_asked_unless_somebody_is_or_was_as_often_as_may_be() {
        let line = br#"{"classifier":"news","utterance":"One"}"#;
        let record = FeedbackRecord::parse(line).expect("a record");
        let question = |state, human_loop: Option<&str>, reopened| Question {
            state,
            human_loop: human_loop.map(str::to_owned),
            reopened,
            ..Question::known(record.clone())
        };

        for (question, expected) in [
            (None, Fate::Asked),
            (Some(question(State::Answered, Some("review-1"), 0)), Fate::Asked),
            (Some(question(State::Asked, None, 0)), Fate::Asked),
            (Some(question(State::Asked, Some("review-1"), 0)), Fate::Open),
            (Some(question(State::Disputed, Some("review-1"), 0)), Fate::Open),
            (
                Some(question(State::Answered, Some("review-1"), MAX_ROUNDS)),
                Fate::Disputed,
            ),
        ] {
            assert_eq!(fate(question.as_ref()), expected, "{question:?}");
        }
    }

    #[test]
    fn retiring_says_what_is_left_out_what_gets_another_answer_and_what_is_asked() {
        let none = retirement_in_words("Fax", 0, &effects(0, 0, 0), Fates::default());
        let fates = Fates {
            asked: 1,
            left_out: 1,
            ..Fates::default()
        };
        let effects = Effects {
            left_out: 4,
            ..effects(0, 1, 2)
        };
        let some = retirement_in_words("Fax", 3, &effects, fates);

        assert_eq!(
            none,
            "`Fax` is no choice and no class any more: 0 answers and 0 rows of training files are left out. The portal \
             refuses it on pages that are open."
        );
        for said in [
            "4 answers and 3 rows of training files are left out.",
            " The answer to 2 texts becomes another one, since votes of users and of imported files for it count no more.",
            " 1 row is new by it.",
            " In 1 text votes contradict one another then, and one more reviewer is asked",
        ] {
            assert!(some.contains(said), "{said}: {some}");
        }
    }
}
