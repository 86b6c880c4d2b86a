//! What a change of the label set does to the answers that there are, counted before it is made: which become rows, which
//! rows get another label, and where votes contradict one another by it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use active_learning_aws::bucket::Bucket;
use active_learning_core::{
    dataset::Mode,
    feedback::{FeedbackRecord, Signal},
    labels::{
        consolidation::{Consensus, Consolidated, DecidedBy, Settings, consolidate},
        human_loop::Answer,
        label_set::{LabelSet, Mapped},
        labelled::LabelledRecord,
        vote::Vote,
    },
};

use crate::{
    export::has_several_labels,
    labels::{self, Labels, Line, NEW_LABEL, Outcome},
    proposals::open_questions,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a change of the label set does to what people have said.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Texts with a vote that proposed a label, and names one by the change: those too that nobody has answered yet, of which
    /// users have said so with the feedback that asks.
    pub votes: usize,
    /// Texts that are rows by it.
    pub gained: usize,
    /// Texts whose votes tied, and come to an answer by it.
    pub untied: usize,
    /// Rows that get another label, which is not their own by another name.
    pub changed: usize,
    /// Rows that are left out by it, since their label is retired.
    pub left_out: usize,
    /// Rows that are left out by it, since what they are called is a proposal then.
    pub unnamed: usize,
    /// Texts whose answer is another one by it, with all votes that count, and what these come to: their questions are to be
    /// decided anew.
    pub decided_anew: Vec<LabelledRecord>,
    /// Texts on whose answer a user or a file spoke against it, and does no more by the change: where somebody else is asked
    /// because of that, they need not be. With all votes that count.
    pub agreed: Vec<LabelledRecord>,
    /// Texts whose votes contradict one another by it: one more reviewer is to be asked.
    pub contradicted: Vec<Contradicted>,
}

/// A text whose votes contradict one another by a change.
#[derive(Clone, Debug)]
pub struct Contradicted {
    /// Its record with all votes that count, by the names of after the change.
    pub labelled: LabelledRecord,
    /// Whether its row is left out until somebody else has answered. Else the reviewers' answer stays, which a label that
    /// an imported file proposed contradicts.
    pub is_left_out: bool,
}

/// Votes of users on texts that wait for their first answer, by record: they stand with the text until then.
type Waiting = HashMap<u128, Vec<Vote>>;

/// Finds what a change does that makes the one set of the other.
///
/// # Errors
///
/// A bucket or the temporary folder cannot be read.
pub async fn effects(
    bucket: &Bucket,
    feedback: &Bucket,
    before: &LabelSet,
    after: &LabelSet,
) -> Result<Effects, Failure> {
    // Without a set there is no proposal: every answer stands as it was given.
    if before.version() == 0 {
        return Ok(Effects::default());
    }
    let several = has_several_labels(bucket, before.has_several_labels()).await?;
    let sets = [before, after].map(|set| Arc::new(set.clone().with_several_labels(several)));
    let mut waiting = waiting_votes(feedback, &sets).await?;
    let [before, after] = labels::read_before_and_after(bucket, sets).await?;
    let (old, new) = (Decided::of(&before), Decided::of(&after));

    let mut effects = Effects::default();
    for (was, is) in before.records().zip(after.records()) {
        let has_vote = match waiting.remove(&is[0].id) {
            Some(votes) => has_last_word(&votes, is, &after)?,
            None => false,
        };
        let (was, is) = (old.state(was), new.state(is));
        effects.votes += usize::from(has_vote || is.proposals < was.proposals);
        effects.add(was, is, &after)?;
    }
    effects.votes += waiting.len();
    Ok(effects)
}

/// Finds the votes that stand with texts which people are asked about, or which wait for it, and name a label by the change.
async fn waiting_votes(feedback: &Bucket, [before, after]: &[Arc<LabelSet>; 2]) -> Result<Waiting, Failure> {
    let proposes = |set: &LabelSet, record: &FeedbackRecord| {
        set.vote_of(record)
            .filter(|vote| matches!(vote.answer, Answer::NewLabel { .. }))
    };
    let mut waiting = Waiting::new();
    for record in open_questions(feedback).await? {
        let proposal = proposes(before, &record).filter(|_| proposes(after, &record).is_none());
        if let (Some(vote), Ok(id)) = (proposal, u128::from_str_radix(&record.id, 16)) {
            waiting.entry(id).or_default().push(vote);
        }
    }
    Ok(waiting)
}

/// Returns whether one of these votes is what its user said last: nothing later stands in the lines of the record.
fn has_last_word(votes: &[Vote], lines: &[Line], labels: &Labels) -> Result<bool, Failure> {
    let mut later: Vec<Vote> = Vec::new();
    for line in lines {
        let kept = labels.kept.read(line.kept)?;
        later.extend(LabelledRecord::parse(kept.as_bytes())?.votes);
    }
    let is_last = |vote: &Vote| {
        later
            .iter()
            .all(|other| other.voter() != vote.voter() || other.at < vote.at)
    };
    Ok(votes.iter().any(is_last))
}

/// Labels with what they come to.
struct Decided<'a> {
    labels: &'a Labels,
    consolidated: Consolidated<'a>,
    mode: Mode,
}

/// What is known of one record.
struct State<'a> {
    record: &'a [Line],
    consensus: Consensus<&'a Answer>,
    decided_by: Option<DecidedBy>,
    outcome: Outcome<'a>,
    /// Votes that propose what is no label.
    proposals: usize,
    /// Labels that files proposed.
    proposed: Vec<&'a Answer>,
    /// Whether a user or a file names another label than people agree on.
    is_contradicted: bool,
}

impl<'a> Decided<'a> {
    fn of(labels: &'a Labels) -> Self {
        let consolidated = consolidate(&labels.votes, Settings::default());
        Self {
            mode: labels.mode(&consolidated),
            consolidated,
            labels,
        }
    }

    fn state(&'a self, record: &'a [Line]) -> State<'a> {
        let id = record[0].id;
        let consensus = self.consolidated.of(id);
        let set = self.labels.set.as_deref();
        let is_in_use = |answer: &&Answer| set.is_none_or(|set| set.is_in_use(answer));
        State {
            record,
            outcome: Outcome::of(record, consensus, self.mode, set),
            consensus,
            decided_by: self.consolidated.decided_by(id),
            is_contradicted: match consensus {
                Consensus::Agreed { answer, .. } => self.labels.votes.contradict(id, answer),
                Consensus::Tie | Consensus::Unanswered => false,
            },
            proposals: self.labels.votes.proposals(id),
            proposed: self.labels.votes.proposed(id).filter(is_in_use).collect(),
        }
    }
}

impl Effects {
    fn add(&mut self, was: State<'_>, is: State<'_>, labels: &Labels) -> Result<(), Failure> {
        let Some(set) = labels.set.as_deref() else {
            return Ok(());
        };
        // A further round, or an adjudicator, may be asked what is decided now.
        let is_tie_no_more = matches!(was.outcome, Outcome::Open("tie")) && is.outcome.counts();
        self.untied += usize::from(is_tie_no_more);
        let mut is_another = is_tie_no_more;
        match (&was.outcome, &is.outcome) {
            (Outcome::Labels(old), Outcome::Labels(new)) => {
                let old: BTreeSet<&str> = old.iter().map(|label| set.own_name(label)).collect();
                let new: BTreeSet<&str> = new.iter().map(String::as_str).collect();
                is_another = old != new;
                self.changed += usize::from(is_another);
            }
            (Outcome::NoClass(_) | Outcome::Open(_), Outcome::Labels(_)) => {
                self.gained += 1;
            }
            (Outcome::Labels(_), Outcome::NoClass(Mapped::RETIRED)) => self.left_out += 1,
            (Outcome::Labels(_), Outcome::NoClass(NEW_LABEL)) => {
                self.unnamed += 1;
                is_another = true;
            }
            _ => {}
        }

        let is_tie = was.outcome.counts() && matches!(is.outcome, Outcome::Open("tie"));
        if is_tie || is.is_doubted_since(&was, set) {
            self.contradicted.push(Contradicted {
                labelled: with_votes(labels, is.record, set)?,
                is_left_out: is_tie,
            });
        } else if !is_another && was.is_contradicted && is.outcome.counts() && !is.is_contradicted {
            self.agreed.push(with_decision(labels, &is, set)?);
        } else if is_another {
            self.decided_anew.push(with_decision(labels, &is, set)?);
        }
        Ok(())
    }
}

impl State<'_> {
    /// Returns whether a file proposed what is another label than that of people, and was none before the change.
    fn is_doubted_since(&self, was: &Self, set: &LabelSet) -> bool {
        let Consensus::Agreed { answer, .. } = self.consensus else {
            return false;
        };
        let is_in_use = !matches!(self.outcome.name(), Mapped::RETIRED | Mapped::SPLIT);
        let is_answered = self.outcome.counts() && self.decided_by != Some(DecidedBy::Adjudicator);
        let before: Vec<Answer> = was.proposed.iter().map(|answer| set.answer_now(answer)).collect();
        let mut new = self.proposed.iter().filter(|label| !before.contains(label));
        is_answered && is_in_use && new.any(|label| *label != answer)
    }
}

/// Returns a record with all votes on it that count, and what these come to.
fn with_decision(labels: &Labels, is: &State<'_>, set: &LabelSet) -> Result<LabelledRecord, Failure> {
    Ok(LabelledRecord {
        consensus: is.consensus.cloned(),
        decided_by: is.decided_by,
        ..with_votes(labels, is.record, set)?
    })
}

/// Returns the record of some lines with all votes on it that count.
fn with_votes(labels: &Labels, lines: &[Line], set: &LabelSet) -> Result<LabelledRecord, Failure> {
    let mut read = Vec::with_capacity(lines.len());
    for line in lines {
        let kept = labels.kept.read(line.kept)?;
        read.push(LabelledRecord::parse(kept.as_bytes())?);
    }
    let answered_anew = read
        .iter()
        .zip(lines)
        .filter(|(labelled, line)| line.reviewed && labelled.record.signal == Signal::Relabel);
    let asked_anew = answered_anew.map(|(labelled, _)| labelled.record.received_at.clone());
    let asked_anew = asked_anew.max().unwrap_or_default();

    let mut votes: Vec<Vote> = Vec::new();
    for labelled in &read {
        votes.extend(labelled.votes.iter().cloned());
    }
    let last = read.pop().ok_or("a record has no line")?;
    set.canonical_votes(&last.record, &mut votes);
    let votes = without_doubtful(votes, &asked_anew, set);
    Ok(LabelledRecord { votes, ..last })
}

/// Leaves out what reviewers answered up to the time at which they were asked anew, but for their last answer where it stands:
/// as [`Ballots`](active_learning_core::labels::consolidation::Ballots) count them. One with a label that was split stays as it
/// was given: its question finds what stands of it.
fn without_doubtful(votes: Vec<Vote>, asked_anew: &str, set: &LabelSet) -> Vec<Vote> {
    let is_old = |vote: &Vote| vote.source.is_review() && vote.at.as_str() <= asked_anew;
    let is_last = |vote: &Vote| {
        let own = |other: &&Vote| is_old(other) && other.voter() == vote.voter();
        votes.iter().filter(own).all(|other| other.at <= vote.at)
    };
    let counts = |vote: &&Vote| !is_old(vote) || (is_last(vote) && set.standing(&vote.answer).is_some());
    votes.iter().filter(counts).cloned().collect()
}
