//! Answers that came in while the label set was being changed.
//!
//! A change counts the answers that it puts in doubt before it is made, and whoever makes it may think for a while. What
//! is answered between the count and the change is found afterwards, by whichever of the two comes second: whoever made the
//! change looks for labelled objects that are new since the count, and whoever writes a labelled object reads the set
//! again when it is written ([`Relabelling::ask_anew`]). Both ask about what the change puts in doubt, and about answers
//! whose votes contradict one another by it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    future::ready,
};

use active_learning_core::{
    feedback::{FeedbackRecord, Signal, record_id},
    keys,
    labels::{
        human_loop::Answer,
        label_set::{LabelSet, Mapped, Resolution, version_key},
        labelled::LabelledRecord,
        question::{Question, State},
        vote::{Vote, VoteSource},
    },
};
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{PlannedChange, RECORDS_PER_OBJECT, Relabelling};
use crate::{
    bucket::{BucketError, JSON_LINES},
    questions,
};

/// Largest labelled object that is read, in bytes.
pub(super) const MAX_LABELLED_BYTES: u64 = 64 << 20;

/// Objects that are read at a time.
pub(super) const READS_AT_ONCE: usize = 16;

/// Versions of the label set that are looked at for the one by which an answer was given.
const VERSIONS: u64 = 10;

/// Which answers a change of the label set puts in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// Those that name a label which is split.
    SplitLabel,
    /// Those that no label fits: one that is new may.
    NoneFits,
    /// Those that name a label which is retired. No change asks about them: see [`Relabelling::ask_anew`].
    RetiredLabel,
    /// Those that propose what is refused.
    RefusedProposal,
}

/// Texts that were answered while the label set was being changed, and of which somebody is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Late {
    /// Those that are asked anew, since their answer is in doubt.
    pub asked: usize,
    /// Those whose votes contradict one another by the change: one more reviewer is asked, or an adjudicator decides.
    pub contradicted: usize,
}

/// A text whose answer is in doubt.
pub(super) struct Doubtful {
    pub record: FeedbackRecord,
    doubt: Doubt,
    /// When the answer was given here; empty for one of an imported file, whose time is that of another clock.
    pub answered_at: String,
}

impl Relabelling {
    /// Asks about texts anew whose answers were put in doubt while their page was open, as the change asked about those that
    /// were answered before; `name` is that of the answers, which are written. Idempotent.
    ///
    /// Where they were `decided_by` an older version of the set than that of now, or it is not known by which, one more reviewer
    /// is asked where votes contradict one another by this one.
    ///
    /// So it does with an answer by a label that was retired when it was given: its reviewer meant a label that counts. One
    /// that was given before stays that label's.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn ask_anew(
        &self,
        name: &str,
        answered: &[(&FeedbackRecord, &[Vote])],
        decided_by: Option<u64>,
    ) -> Result<Late, BucketError> {
        self.sets.forget().await;
        let Some(set) = self.sets.current().await? else {
            return Ok(Late::default());
        };
        let (mut lines, mut others) = (Vec::new(), Vec::new());
        for (record, votes) in answered {
            let mut found = Doubtful::of(&set, record, votes, Doubt::SplitLabel);
            if found.is_none() {
                found = self.by_retired_label(&set, record, votes).await?;
            }
            if found.is_none() {
                found = self.without_new_label(&set, record, votes).await?;
            }
            if found.is_none() {
                found = by_refused_proposal(&set, record, votes);
            }
            match found {
                Some(found) => lines.push(found.asked_anew(set.updated_at())),
                None => others.push(record.id.clone()),
            }
        }
        self.deliver_lines(name, &lines).await?;
        if decided_by == Some(set.version()) {
            others.clear();
        }
        Ok(Late {
            asked: lines.len(),
            contradicted: self
                .contradict_late(name, &set, set.updated_at(), others)
                .await?
                .0,
        })
    }

    /// Delivers the answers among these, by id, that are other ones by a set than by the one that decided them. Returns in how
    /// many votes contradict one another by it, so that one more reviewer is asked, and the ids of all that are other ones.
    pub(super) async fn contradict_late(
        &self,
        name: &str,
        set: &LabelSet,
        changed_at: &str,
        ids: Vec<String>,
    ) -> Result<(usize, Vec<String>), BucketError> {
        let found: Vec<(String, (bool, String))> = stream::iter(ids)
            .map(async |id| {
                let question = questions::read(&self.feedback, &id).await?;
                let changed = question.and_then(|question| changed(question, set, changed_at));
                Ok::<_, BucketError>(changed.map(|changed| (id, changed)))
            })
            .buffered(READS_AT_ONCE)
            .try_filter_map(|changed| ready(Ok(changed)))
            .try_collect()
            .await?;
        let (ids, found): (Vec<String>, Vec<(bool, String)>) = found.into_iter().unzip();
        let (contradicted, decided): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|(is_contradicted, _)| *is_contradicted);
        for (name, found) in [
            (keys::contradictions_of(name), &contradicted),
            (keys::decisions_of(name), &decided),
        ] {
            let lines: Vec<String> = found.iter().map(|(_, line)| line.clone()).collect();
            self.deliver_lines(&name, &lines).await?;
        }
        Ok((contradicted.len(), ids))
    }

    /// Delivers lines by a name and by what they say. So what was delivered stays as it is where a run after one that broke off
    /// finds others: their pages are being made, and no other object asks about those texts.
    pub(super) async fn deliver_lines(&self, name: &str, lines: &[String]) -> Result<(), BucketError> {
        for (part, lines) in lines.chunks(RECORDS_PER_OBJECT).enumerate() {
            let lines = lines.concat();
            let name = format!("{name}-{}", &record_id("lines", &lines)[..16]);
            let key = keys::relabelled_feedback(&name, part);
            // Where it is there, it says the same.
            let created = self.feedback.create(&key, JSON_LINES, lines).await;
            created.map(drop)?;
        }
        Ok(())
    }

    /// Returns a text whose answer names a retired label, if that was retired when the answer was given.
    async fn by_retired_label(
        &self,
        set: &LabelSet,
        record: &FeedbackRecord,
        votes: &[Vote],
    ) -> Result<Option<Doubtful>, BucketError> {
        let Some(found) = Doubtful::of(set, record, votes, Doubt::RetiredLabel) else {
            return Ok(None);
        };
        let mut in_force = set.clone();
        let oldest = set.version().saturating_sub(VERSIONS).max(1);
        for version in (oldest..set.version()).rev() {
            if in_force.updated_at() <= found.answered_at.as_str() {
                break;
            }
            let kept: Option<LabelSet> = self.training.read_document(&version_key(version)).await?;
            let Some(kept) = kept else { return Ok(None) };
            in_force = kept;
        }
        let was_retired = in_force.updated_at() <= found.answered_at.as_str()
            && Doubtful::of(&in_force, record, votes, Doubt::RetiredLabel).is_some();
        Ok(was_retired.then_some(found))
    }

    /// Returns a text that no label fitted, if a label has come since that its reviewers could not choose.
    async fn without_new_label(
        &self,
        set: &LabelSet,
        record: &FeedbackRecord,
        votes: &[Vote],
    ) -> Result<Option<Doubtful>, BucketError> {
        let Some(found) = Doubtful::of(set, record, votes, Doubt::NoneFits) else {
            return Ok(None);
        };
        let (mut newer, oldest) = (set.clone(), set.version().saturating_sub(VERSIONS).max(1));
        for version in (oldest..set.version()).rev() {
            if newer.updated_at() < found.answered_at.as_str() {
                break;
            }
            let kept: Option<LabelSet> = self.training.read_document(&version_key(version)).await?;
            let Some(kept) = kept else { break };
            let is_new = |name: &str| !matches!(kept.resolve(name), Resolution::Label(_));
            if newer.active().any(is_new) {
                return Ok(Some(found));
            }
            newer = kept;
        }
        Ok(None)
    }

    /// Delivers the texts that were answered between the count of a change and the change, but for those that were counted.
    /// Idempotent.
    pub(super) async fn ask_late(
        &self,
        change: &PlannedChange,
        mut counted: HashSet<String>,
    ) -> Result<Late, BucketError> {
        let Some((count, since)) = change.counted_since() else {
            return Ok(Late::default());
        };
        self.sets.forget().await;
        let Some(set) = self.sets.current().await? else {
            return Ok(Late::default());
        };

        let mut new = self.labelled_since(since).await?;
        // What the count has seen was asked, or need not be.
        let seen: HashSet<&String> = count.seen.iter().collect();
        new.retain(|key| !seen.contains(key));
        let (mut ids, mut late) = self.answers_in(new, &set, count.doubt).await?;
        late.retain(|id, found| {
            // Who answered later that none fits could have chosen the new label.
            let is_in_doubt = found.doubt == Doubt::SplitLabel || found.answered_at <= change.at;
            is_in_doubt && !counted.contains(id)
        });
        let asked: Vec<(String, String)> = stream::iter(late.into_values())
            .map(async |found| {
                let is_settled = self.is_settled(&set, &found).await?;
                let asked = || (found.record.id.clone(), found.asked_anew(&change.at));
                Ok::<_, BucketError>((!is_settled).then(asked))
            })
            .buffered(READS_AT_ONCE)
            .try_filter_map(|line| ready(Ok(line)))
            .try_collect()
            .await?;
        let (asked_ids, lines): (Vec<String>, Vec<String>) = asked.into_iter().unzip();
        let name = keys::late_answers_of(&change.id);
        self.deliver_lines(&name, &lines).await?;

        counted.extend(asked_ids);
        ids.retain(|id| !counted.contains(id));
        let ids = ids.into_iter().collect();
        Ok(Late {
            asked: lines.len(),
            contradicted: self.contradict_late(&name, &set, &change.at, ids).await?.0,
        })
    }

    /// Returns the keys of labelled objects that were written since.
    pub(super) async fn labelled_since(&self, since: DateTime<Utc>) -> Result<Vec<String>, BucketError> {
        let mut new = Vec::new();
        let listed = self.training.list_each(keys::LABELLED_FOLDER, |object| {
            new.extend((object.modified >= since).then_some(object.key));
        });
        listed.await?;
        Ok(new)
    }

    /// Returns the ids of the texts in some of these objects, and those texts, by id, with an answer in doubt there; of several
    /// answers the last.
    async fn answers_in(
        &self,
        new: Vec<String>,
        set: &LabelSet,
        doubt: Option<Doubt>,
    ) -> Result<(BTreeSet<String>, BTreeMap<String, Doubtful>), BucketError> {
        let mut objects = stream::iter(new)
            .map(async |key| self.training.read(&key, MAX_LABELLED_BYTES).await)
            .buffered(READS_AT_ONCE);
        let mut ids = BTreeSet::new();
        let mut last: BTreeMap<String, Doubtful> = BTreeMap::new();
        while let Some(object) = objects.try_next().await? {
            let content = object.map(|object| object.bytes).unwrap_or_default();
            // Whoever reads all labels says which lines are damaged.
            let lines = content.split(|byte| *byte == b'\n');
            for labelled in lines.filter_map(|line| LabelledRecord::parse(line).ok()) {
                ids.insert(labelled.record.id.clone());
                let found =
                    doubt.and_then(|doubt| Doubtful::of(set, &labelled.record, &labelled.votes, doubt));
                let Some(found) = found else { continue };
                let known = last.get(&found.record.id);
                if known.is_none_or(|known| known.answered_at < found.answered_at) {
                    last.insert(found.record.id.clone(), found);
                }
            }
        }
        Ok((ids, last))
    }

    /// Returns whether a text need not be asked: people agree on another answer by now or are not done with it, or it has an
    /// open task that follows the set.
    async fn is_settled(&self, set: &LabelSet, found: &Doubtful) -> Result<bool, BucketError> {
        let Some(question) = questions::read(&self.feedback, &found.record.id).await? else {
            return Ok(false);
        };
        let is_open = question.state == State::Asked && question.record.signal == Signal::Relabel;
        let is_in_doubt = (question.answer()).is_some_and(|answer| is_about(set, found.doubt, answer));
        Ok(is_open || !is_in_doubt)
    }
}

/// Returns whether an answer is one that a change puts in doubt, as far as the set tells.
pub(super) fn is_about(set: &LabelSet, doubt: Doubt, answer: &Answer) -> bool {
    let is_split = |label: &String| matches!(set.resolve(label), Resolution::Split(_));
    match (doubt, answer) {
        (Doubt::SplitLabel, Answer::Labels { labels }) => labels.iter().any(is_split),
        (Doubt::NoneFits, answer) => *answer == Answer::NoneFits,
        (Doubt::RefusedProposal, answer) => matches!(answer, Answer::NewLabel { .. }),
        (Doubt::SplitLabel | Doubt::RetiredLabel, _) => false,
    }
}

/// Returns a text whose answer proposes what was refused after it was given. Of a refusal without a time nothing is known.
fn by_refused_proposal(set: &LabelSet, record: &FeedbackRecord, votes: &[Vote]) -> Option<Doubtful> {
    let is_refused = |vote: &&Vote| match &vote.answer {
        Answer::NewLabel { label } => set.proposed_names(label).iter().any(|name| {
            let at = set.refused_at(name);
            at.is_some_and(|at| vote.at.as_str() <= at)
        }),
        _ => false,
    };
    let votes: Vec<Vote> = votes.iter().filter(is_refused).cloned().collect();
    Doubtful::of(set, record, &votes, Doubt::RefusedProposal)
}

/// Returns whether a vote may name what is no label: what a user or a file says is kept as it was said.
pub(super) fn may_propose(vote: &Vote) -> bool {
    match vote.source {
        VoteSource::Feedback | VoteSource::Import => true,
        VoteSource::HumanReview | VoteSource::Adjudicator => matches!(vote.answer, Answer::NewLabel { .. }),
    }
}

/// Returns the line by which a question follows a change of the label set, if its answer is another one by it, and whether its
/// votes contradict one another then.
fn changed(mut question: Question, set: &LabelSet, changed_at: &str) -> Option<(bool, String)> {
    let before = question.answer().map(|answer| set.answer_now(answer));
    let is_contradicted = question.is_contradicted_by(set);
    if !is_contradicted {
        set.use_own_names(&mut question);
        match question.state {
            State::Asked => _ = question.settle(set),
            State::Disputed => _ = question.settle_dispute(set),
            State::Answered | State::Withdrawn | State::Abandoned => {}
        }
    }
    if !is_contradicted && question.answer() == before.as_ref() {
        return None;
    }
    let labelled = LabelledRecord::new(question.record.clone(), Vec::new(), "", "").decided(&question, false);
    let labelled = LabelledRecord {
        votes: question.votes,
        labelled_at: changed_at.to_owned(),
        ..labelled
    };
    Some((is_contradicted, labelled.to_line()))
}

impl Doubtful {
    /// Returns a text if a reviewer's answer to it is in doubt.
    pub(super) fn of(set: &LabelSet, record: &FeedbackRecord, votes: &[Vote], doubt: Doubt) -> Option<Self> {
        let is_in_doubt = |vote: &&Vote| {
            vote.source.is_review()
                && match doubt {
                    Doubt::SplitLabel => set.map(record, vote) == Mapped::Split,
                    Doubt::NoneFits => vote.answer == Answer::NoneFits,
                    Doubt::RetiredLabel => set.map(record, vote) == Mapped::Retired,
                    Doubt::RefusedProposal => {
                        vote.source != VoteSource::Import && matches!(vote.answer, Answer::NewLabel { .. })
                    }
                }
        };
        let given_here = |vote: &Vote| match vote.source {
            VoteSource::HumanReview | VoteSource::Adjudicator => vote.at.clone(),
            VoteSource::Import | VoteSource::Feedback => String::new(),
        };
        let last = votes.iter().filter(is_in_doubt).map(given_here).max()?;
        Some(Self {
            record: record.clone(),
            doubt,
            answered_at: last,
        })
    }

    /// Writes the record that asks about the text anew since a change at this time. What is said before a text is asked anew
    /// counts no more: so it is never asked before the answer that is in doubt.
    pub(super) fn asked_anew(&self, changed_at: &str) -> String {
        let at = changed_at.max(&self.answered_at);
        self.record.asked_anew(at).to_line()
    }
}
