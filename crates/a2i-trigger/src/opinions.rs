//! What users say of texts that people were asked about: votes on the question that is there.
//!
//! A vote is kept in the question and as a labelled line of its own, so that training counts it too. One that
//! contradicts an answer opens the question again, for somebody who has not answered it, a bounded number of times.

use std::{
    collections::{BTreeMap, HashMap},
    future::ready,
};

use active_learning_aws::{bucket::Created, claims, copies::Copies, labelled, metrics, originals};
use active_learning_core::{
    feedback::{FeedbackRecord, Signal},
    keys::ASKED_FOLDER,
    labels::{
        consolidation::{DecidedBy, without_corrected},
        human_loop::{HumanLoop, LoopName, reopening_loop, reopening_loop_of_before},
        label_set::LabelSet,
        labelled::{LabelledRecord, name_of_vote},
        question::{Effect, Opinion, Question, State},
        vote::Vote,
    },
    sampling::duplicates::{occurrence, same_form},
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{info, warn};

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT, FUNCTION};

/// What became of some opinions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Votes that were new.
    pub votes: u64,
    /// Questions that were opened again.
    pub reopened: u64,
    /// Complaints that were taken back.
    pub withdrawn: u64,
}

/// Whether the text of an opinion is one that people were asked about, or will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WasAsked {
    /// Its claim says so. Where its question is not known, an older version asked it, or it was damaged.
    Certainly,
    /// Only if there is a question.
    Maybe,
}

/// Whether a human loop asks one of its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// People are to answer it there.
    Here,
    /// It did, or it is not to: it is answered, or another loop asks it by now.
    NoMore,
    /// The loop of an earlier change of the label set asks it.
    Joined,
}

impl Asks {
    fn here(is_asked: bool) -> Self {
        match is_asked {
            true => Self::Here,
            false => Self::NoMore,
        }
    }
}

/// What feedback says of a text.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Id of the question whose answer serves the text.
    pub question_id: String,
    pub record: FeedbackRecord,
    pub asked: WasAsked,
}

/// What feedback came to in its question.
struct Told {
    /// What it says, by the label set that decided.
    opinion: Opinion,
    effect: Effect,
    question: Question,
}

/// Groups what was said by its question, each in the order of its time: texts of one form have one question.
fn by_question(mut said: Vec<Said>) -> Vec<Vec<Said>> {
    said.sort_by(|one, other| one.record.received_at.cmp(&other.record.received_at));
    let mut questions: HashMap<String, String> = HashMap::new();
    for said in said.iter().filter(|said| said.asked == WasAsked::Certainly) {
        questions.insert(same_form(&said.record), said.question_id.clone());
    }
    let mut groups: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    for said in said {
        let question = match said.asked {
            WasAsked::Certainly => None,
            WasAsked::Maybe => questions.get(&same_form(&said.record)),
        };
        let question = question.unwrap_or(&said.question_id).clone();
        groups.entry(question).or_default().push(said);
    }
    groups.into_values().collect()
}

impl A2iTrigger {
    /// Notes a record that waits in the backlog as a question, so that votes find it; returns whether it still waits: its
    /// user may have taken the complaint back since the event came first.
    pub(crate) async fn note_waiting(&self, record: &FeedbackRecord) -> Result<bool, A2iTriggerError> {
        let note = |question: &mut Option<Question>, labels: &LabelSet| {
            let is_over = |known: &Question| matches!(known.state, State::Withdrawn | State::Abandoned);
            match question {
                Some(known) if !is_over(known) => return true,
                Some(known) if occurrence(&known.record) == occurrence(record) => return false,
                _ => {}
            }
            let mut waiting = Question::known(record.clone());
            if let Some(earlier) = question.take() {
                waiting.remember_loops_of(&earlier);
                waiting.remember_complaints(&earlier.complaints);
                waiting.add(&earlier.votes);
            }
            labels.canonical_votes(record, &mut waiting.votes);
            *question = Some(waiting);
            true
        };
        self.change_question(&record.id, note).await
    }

    /// Notes in which human loop each of its records is asked; returns whether people are to answer any of them there.
    /// Idempotent: a question that the loop has asked before, whatever became of it and whatever asks it by now, stays as
    /// it is. So does one that an earlier change of the label set asks anew: its loop follows the set. Votes that came before
    /// the loop count.
    pub(crate) async fn note_loop(
        &self,
        human_loop: &HumanLoop,
        records: &[FeedbackRecord],
    ) -> Result<bool, A2iTriggerError> {
        let of_loop = records
            .iter()
            .filter(|record| human_loop.record_ids.contains(&record.id));
        stream::iter(of_loop)
            .map(async |record| {
                let note = |question: &mut Option<Question>, labels: &LabelSet| {
                    let opinion = labels.opinion(record, Opinion::of(record));
                    if let Some(known) = question
                        .as_mut()
                        .filter(|known| known.was_asked_in(&human_loop.name))
                    {
                        let retracted = known.retract(&opinion, record).map(|vote| (known.clone(), vote));
                        let asks = Asks::here(known.is_asked_in(&human_loop.name));
                        return (retracted, asks, known.loop_before(&human_loop.name));
                    }
                    if (question.as_mut()).is_some_and(|known| known.join(record, &human_loop.name)) {
                        return (None, Asks::Joined, None);
                    }
                    let mut asked =
                        Question::asked(record.clone(), &human_loop.name, human_loop.record_ids.len());
                    let known = question.take();
                    let mut before = None;
                    if let Some(known) = &known {
                        asked.remember_loops_of(known);
                        before = asked.take_over_from(known);
                        asked.remember_complaints(&known.complaints);
                    }
                    let (earlier, in_doubt) = known
                        .map(|known| (known.votes, known.in_doubt))
                        .unwrap_or_default();
                    // What reviewers answered before the label set changed is in doubt, unless its labels are in use.
                    let (doubtful, earlier): (Vec<_>, Vec<_>) = without_corrected(&earlier)
                        .cloned()
                        .partition(|vote| labels.puts_in_doubt(record, vote));
                    asked.add(&earlier);
                    asked.in_doubt = [in_doubt, doubtful].concat();
                    labels.canonical_votes(record, &mut asked.votes);
                    let retracted = asked.retract(&opinion, record).map(|vote| (asked.clone(), vote));
                    *question = Some(asked);
                    (retracted, Asks::Here, before)
                };
                let (retracted, asks, before) = self.change_question(&record.id, note).await?;
                if asks == Asks::Joined {
                    self.let_answers_be_doubted(record).await?;
                }
                if record.signal == Signal::Relabel && asks == Asks::Here {
                    // Where people did not agree before, they are asked now, not an adjudicator.
                    let settled = self.questions.settle(&record.id).await;
                    settled.map_err(A2iTriggerError::Store)?;
                    // A complaint may have had it asked there: nobody is to answer it twice.
                    if let Some(before) = before {
                        self.take_off(&before).await?;
                    }
                }
                if let Some((question, vote)) = retracted {
                    self.keep_vote(&question, vote, occurrence(record)).await?;
                }
                self.hear_early(&record.id, record).await?;
                Ok(asks == Asks::Here)
            })
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_fold(false, |any, is_asked| ready(Ok(any || is_asked)))
            .await
    }

    /// Takes what feedback says of texts that people were asked about: of each question in the order in which it was said.
    pub(crate) async fn hear(&self, said: Vec<Said>) -> Result<Heard, A2iTriggerError> {
        stream::iter(by_question(said))
            .map(async |of_question| {
                let mut heard = Heard::default();
                for said in of_question {
                    let one = Box::pin(self.hear_one(&said.question_id, &said.record, said.asked)).await?;
                    heard = heard.and(one);
                }
                Ok::<_, A2iTriggerError>(heard)
            })
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_fold(Heard::default(), |heard, one| ready(Ok(heard.and(one))))
            .await
    }

    async fn hear_one(
        &self,
        question_id: &str,
        record: &FeedbackRecord,
        asked: WasAsked,
    ) -> Result<Heard, A2iTriggerError> {
        let mut heard = Heard::default();
        let said = Opinion::of(record);
        // A like that does not say of what may still take a complaint back.
        if said == Opinion::None && record.signal != Signal::Like {
            return Ok(heard);
        }
        let opinion = self.labels().await?.opinion(record, said);
        if self.set_apart(question_id, record, &opinion).await? {
            return Ok(heard);
        }
        let question_id = self.asked_instead_of(question_id, record).await?;
        let told = match self.tell(&question_id, record).await? {
            None if asked == WasAsked::Certainly => self.begin_and_tell(&question_id, record).await?,
            // People may be asked meanwhile.
            None if self.keep_early(record, &opinion).await? => {
                let question_id = self.asked_instead_of(&record.id, record).await?;
                self.tell(&question_id, record).await?
            }
            told => told,
        };
        let Some(Told {
            opinion,
            effect,
            mut question,
        }) = told
        else {
            return Ok(heard);
        };
        heard.votes = u64::from(effect != Effect::Known);
        let vote = match &opinion {
            Opinion::For(vote) | Opinion::Past { vote, .. } => Some(vote.clone()),
            Opinion::Against(_) | Opinion::AgainstAll | Opinion::None => question.retract(&opinion, record),
        };
        let is_left_out = effect == Effect::LeftOut;
        if is_left_out {
            warn!(
                record.id = question.record.id,
                "more users vote on a text than its question keeps: the vote stands in `labelled/` alone"
            );
            metrics::count(FUNCTION, &[("VotesLeftOut", 1)]);
        }
        // What its user has called wrong since is no vote.
        if let Some(vote) = vote.filter(|vote| is_left_out || question.votes.contains(vote)) {
            self.set_contradicted_apart(&question, &vote).await?;
            self.keep_vote(&question, vote, occurrence(record)).await?;
        }

        // Also what an earlier run of the same event has begun.
        match question.state {
            State::Withdrawn => {
                self.take_back(&question).await?;
                heard.withdrawn = heard.votes;
            }
            State::Asked => {
                self.lift_from_pool(&question, record).await?;
                heard.reopened = u64::from(self.ask_or_dispute(&question).await?);
            }
            State::Disputed | State::Answered | State::Abandoned => {
                self.ask_or_dispute(&question).await?;
            }
        }
        Ok(heard)
    }

    /// Has somebody else asked, or an adjudicator, where an answer is contradicted; returns whether it is a reviewer.
    pub(crate) async fn ask_or_dispute(&self, question: &Question) -> Result<bool, A2iTriggerError> {
        match question.state {
            State::Asked => self.ask_somebody_else(question).await,
            State::Disputed => {
                let stored = self.questions.dispute(question).await;
                stored.map_err(A2iTriggerError::Store)?;
                Ok(false)
            }
            State::Answered if question.decided_by == Some(DecidedBy::UserBrokeTie) => {
                // An adjudicator may have been to decide.
                let settled = self.questions.settle(&question.record.id).await;
                settled.map_err(A2iTriggerError::Store)?;
                Ok(false)
            }
            State::Answered | State::Withdrawn | State::Abandoned => Ok(false),
        }
    }

    /// Returns the id of the question whose answer a text gets: that of its original, of form or by a small change, where it
    /// was not asked itself.
    pub(crate) async fn asked_instead_of(
        &self,
        record_id: &str,
        record: &FeedbackRecord,
    ) -> Result<String, A2iTriggerError> {
        let form = format!("text-{}", same_form(record));
        let asked = originals::question_of(&self.feedback, record_id, self.claims.owner(&form));
        Ok(Box::pin(asked).await.map_err(A2iTriggerError::Store)?.id)
    }

    /// Tells a question what feedback says of its text; `None` where people were not asked.
    async fn tell(
        &self,
        question_id: &str,
        record: &FeedbackRecord,
    ) -> Result<Option<Told>, A2iTriggerError> {
        let tell = |question: &mut Option<Question>, labels: &LabelSet| {
            let question = question.as_mut()?;
            labels.use_own_names(question);
            let opinion = labels.opinion(record, Opinion::of(record));
            let effect = if question.is_taken_back_by(record, &opinion, labels) {
                question.withdraw(&opinion, &record.received_at);
                Effect::Counted
            } else {
                question.retract(&opinion, record);
                let heard = question.hear(&opinion);
                match question.follow_users(labels) {
                    Effect::Known | Effect::Counted | Effect::LeftOut => heard,
                    effect @ (Effect::Settles | Effect::Reopens | Effect::Disputes) => effect,
                }
            };
            Some(Told {
                opinion,
                effect,
                question: question.clone(),
            })
        };
        self.change_question(question_id, tell).await
    }

    /// Tells a vote to a question of which only the claim is known.
    async fn begin_and_tell(
        &self,
        question_id: &str,
        record: &FeedbackRecord,
    ) -> Result<Option<Told>, A2iTriggerError> {
        let tell = |question: &mut Option<Question>, labels: &LabelSet| {
            let opinion = labels.opinion(record, Opinion::of(record));
            let (Opinion::For(_) | Opinion::Past { .. }) = opinion else {
                return None;
            };
            let question = question.get_or_insert_with(|| {
                let known = Question::known(FeedbackRecord {
                    id: question_id.to_owned(),
                    ..record.clone()
                });
                let votes = Vec::new();
                Question { votes, ..known }
            });
            labels.use_own_names(question);
            Some(Told {
                effect: question.hear(&opinion),
                question: question.clone(),
                opinion,
            })
        };
        self.change_question(question_id, tell).await
    }

    /// Keeps a vote as a labelled line of the question, for training. Idempotent: the occurrence is that of the feedback.
    pub(crate) async fn keep_vote(
        &self,
        question: &Question,
        vote: Vote,
        occurrence: u64,
    ) -> Result<(), A2iTriggerError> {
        let name = name_of_vote(&question.record.id, occurrence);
        let mut line = LabelledRecord::new(question.record.clone(), Vec::new(), &name, "");
        line.labelled_at = vote.at.clone();
        line.votes = vec![vote];
        let created = labelled::create(&self.training, &name, line.to_line()).await;
        created.map(drop).map_err(A2iTriggerError::Store)
    }

    /// Asks somebody who has not answered a question that was opened again; nothing where that was done before.
    pub(crate) async fn ask_somebody_else(&self, question: &Question) -> Result<bool, A2iTriggerError> {
        if question.reopened == 0 {
            return Ok(false);
        }
        let (labels, classes) = (self.labels().await?, self.serving_classes().await);
        let human_loop = reopening_loop(question, &labels, &classes);
        if self.was_asked_again(question, &human_loop.name).await? {
            return Ok(false);
        }
        // Kept before it is noted: whoever finds it noted sees that somebody is being asked. Noted before it is started: its page
        // shows only what the question says is asked there.
        let kept = self
            .human_loops
            .keep_new(&human_loop.name, &human_loop.input_content)
            .await?;
        let note = |known: &mut Option<Question>| {
            let is_open =
                |known: &&mut Question| known.state == State::Asked && known.reopened == question.reopened;
            let Some(known) = known.as_mut().filter(is_open) else {
                return false;
            };
            (known.human_loop, known.items) = (Some(human_loop.name.clone()), 1);
            true
        };
        if !self.questions.change(&question.record.id, note).await? {
            if kept == Created::Created {
                self.human_loops.forget(&human_loop.name).await?;
            }
            return Ok(false);
        }
        self.human_loops
            .start_kept(&human_loop.name, &human_loop.input_content)
            .await?;
        info!(
            human_loop.name,
            "the answer is contradicted: somebody else is asked"
        );
        Ok(true)
    }

    /// Returns whether somebody else was asked since a question was opened again, and is asked still: in this loop, or in the one
    /// that the version before started. A run may have broken off before it asked.
    async fn was_asked_again(&self, question: &Question, human_loop: &str) -> Result<bool, A2iTriggerError> {
        let first = |name: &str| LoopName::parse(name).map(|name| name.first().to_owned());
        let of_before = reopening_loop_of_before(question);
        let latest = question.human_loop.as_deref().and_then(first);
        let Some(latest) = latest.filter(|latest| {
            let latest = Some(latest.as_str());
            [first(human_loop), first(&of_before)]
                .iter()
                .any(|name| name.as_deref() == latest)
        }) else {
            return Ok(false);
        };
        let prefix = format!("{ASKED_FOLDER}{latest}");
        Ok(!self.feedback.list_after(&prefix, "", 1).await?.is_empty())
    }

    /// Takes a complaint that was taken back off its page, and releases what was claimed. What others said of the text goes
    /// on as feedback of its own. A complaint that waits in the backlog is passed over when its turn comes.
    async fn take_back(&self, question: &Question) -> Result<(), A2iTriggerError> {
        if let Some(human_loop) = &question.human_loop {
            self.take_off(human_loop).await?;
        }
        claims::withdraw(&self.feedback, &question.record.id).await?;
        let copies = Copies {
            feedback: &self.feedback,
            training: &self.training,
        };
        Ok(copies.let_go_on("withdrawn", question).await?)
    }
}

impl Heard {
    /// Adds what became of other opinions.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            votes: self.votes + other.votes,
            reopened: self.reopened + other.reopened,
            withdrawn: self.withdrawn + other.withdrawn,
        }
    }
}
