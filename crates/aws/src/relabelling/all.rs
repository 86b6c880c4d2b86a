//! Answers that a change of the label set puts in doubt which counted nothing before: all of them are looked at.
//!
//! A look goes through the labelled objects in the order of their keys, some at a time. After each of these the plan of the
//! change says how far it is: whoever comes next goes on there, and asks nothing twice. Where a text that may be in doubt
//! has no question any more, all objects are looked at once more for what was decided of it last.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::{
    feedback::{Signal, record_id},
    keys,
    labels::{
        consolidation::Consensus,
        human_loop::Answer,
        label_set::{LabelSet, version_key},
        labelled::LabelledRecord,
        question::Question,
        vote::Vote,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{
    PlannedChange, Relabelling,
    late::{Doubt, Doubtful, Late, MAX_LABELLED_BYTES, READS_AT_ONCE, is_about, may_propose},
};
use crate::{bucket::BucketError, questions};

/// How much is looked at before somebody else goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Labelled objects after which the plan says how far the look is.
    pub objects: usize,
    /// Answers, and texts without a question, after which a look is broken off.
    pub answers: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            objects: 200,
            answers: ANSWERS_PER_SWEEP,
        }
    }
}

/// Answers that a sweep looks at: some minutes, where each of them needs its question.
pub const ANSWERS_PER_SWEEP: usize = 50_000;

/// Texts without a question that are asked at a time.
const FORGOTTEN_AT_ONCE: usize = 500;

/// How far a look at all answers is. It holds no text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// Last labelled object that was looked at, without its folder.
    after: String,
    /// Whether all were looked at once: what was decided last of texts without a question is looked for now.
    again: bool,
    /// Whether that is known too.
    done: bool,
    /// Ids of the texts that are asked, or have another answer.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    found: BTreeSet<String>,
    /// Texts that may be in doubt and have no question any more, by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    forgotten: BTreeMap<String, Forgotten>,
}

/// A text that may be in doubt, of which no question is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Forgotten {
    /// Key of the labelled object that holds the answer in doubt.
    labelled_in: String,
    /// When it was given.
    answered_at: String,
    /// When something was decided of the text last.
    decided_at: String,
    /// Whether that is in doubt.
    is_in_doubt: bool,
}

/// What a look looks for.
struct Look<'a> {
    change: &'a PlannedChange,
    /// The set of now.
    set: &'a LabelSet,
    /// The set that was changed, where it is kept.
    before: Option<LabelSet>,
    doubt: Option<Doubt>,
}

impl Look<'_> {
    /// Returns whether a vote means something else by the change, so that votes may contradict one another by it.
    fn may_matter(&self, labelled: &LabelledRecord, vote: &Vote) -> bool {
        match &self.before {
            Some(before) => before.map(&labelled.record, vote) != self.set.map(&labelled.record, vote),
            None => may_propose(vote),
        }
    }

    /// Returns a text of a labelled line whose answer is in doubt; not one that was answered after the change.
    fn doubtful(&self, labelled: &LabelledRecord) -> Option<Doubtful> {
        let doubt = self.doubt?;
        let of_change = |vote: &&Vote| match doubt {
            Doubt::RefusedProposal => self.is_refused_by_it(&vote.answer, &vote.at),
            Doubt::SplitLabel | Doubt::NoneFits | Doubt::RetiredLabel => true,
        };
        let votes: Vec<Vote> = labelled.votes.iter().filter(of_change).cloned().collect();
        let found = Doubtful::of(self.set, &labelled.record, &votes, doubt)?;
        (found.answered_at <= self.change.at).then_some(found)
    }

    /// Returns whether an answer of a time proposes what the change refuses.
    fn is_refused_by_it(&self, answer: &Answer, at: &str) -> bool {
        let Answer::NewLabel { label } = answer else {
            return false;
        };
        let names = self.set.proposed_names(label);
        let was_before =
            |name: &String| (self.before.as_ref()).is_some_and(|before| before.was_refused_since(name, at));
        names
            .iter()
            .any(|name| self.set.was_refused_since(name, at) && !was_before(name))
    }

    /// Returns whether an answer that was decided is in doubt.
    fn puts_in_doubt(&self, answer: &Answer, at: &str) -> bool {
        match self.doubt {
            Some(Doubt::RefusedProposal) => self.is_refused_by_it(answer, at),
            Some(doubt) => is_about(self.set, doubt, answer),
            None => false,
        }
    }

    /// Returns whether a question need not be asked: people agree on what is not in doubt, are not done with it, or were asked
    /// since the change, by which they answered.
    fn is_settled(&self, question: &Question) -> bool {
        let at = self.change.at.as_str();
        let was_answered_since = question.newest_review().is_some_and(|newest| newest > at);
        let is_anew = question.record.signal == Signal::Relabel;
        let was_asked_since = is_anew && question.record.received_at.as_str() >= at;
        let answered_at = question.newest_review().unwrap_or_default();
        let in_doubt = (question.answer()).is_some_and(|answer| self.puts_in_doubt(answer, answered_at));
        question.is_asked_anew() || was_answered_since || was_asked_since || !in_doubt
    }

    /// Names what is delivered of the objects after one.
    fn name(&self, after: &str) -> String {
        let late = keys::late_answers_of(&self.change.id);
        format!("{late}-{}", &record_id("look", after)[..16])
    }
}

impl Relabelling {
    /// Goes on with the look at all answers where it is, until the pace says that somebody else is to. Returns what is asked by
    /// that, and whether all were looked at. Idempotent.
    pub(super) async fn look_at_all(&self, change: &PlannedChange) -> Result<(Late, bool), BucketError> {
        self.sets.forget().await;
        let Some(set) = self.sets.current().await? else {
            return Ok((Late::default(), true));
        };
        let look = Look {
            before: self.set_before(change, &set).await?,
            doubt: change.counted.as_ref().and_then(|counted| counted.doubt),
            set: &set,
            change,
        };
        let (mut place, mut late) = (change.looked.clone().unwrap_or_default(), Late::default());
        let mut answers = 0;
        while answers < self.pace.answers {
            let found = match place.done {
                true if place.forgotten.is_empty() => return Ok((late, true)),
                true => {
                    answers += place.forgotten.len().min(FORGOTTEN_AT_ONCE);
                    self.ask_forgotten(&look, &mut place).await?
                }
                false => self.look_at_next(&look, &mut place, &mut answers).await?,
            };
            late.asked += found.asked;
            late.contradicted += found.contradicted;
            let plan = PlannedChange {
                looked: Some(place.clone()),
                ..change.clone()
            };
            let key = keys::relabel_change(&change.id);
            self.feedback.put_document(&key, &plan).await?;
        }
        Ok((late, false))
    }

    /// Returns the set that a change was made of; `None` where it is not kept.
    async fn set_before(
        &self,
        change: &PlannedChange,
        now: &LabelSet,
    ) -> Result<Option<LabelSet>, BucketError> {
        let set = match change.from_version {
            0 => Some(LabelSet::none()),
            version => self.training.read_document(&version_key(version)).await?,
        };
        Ok(set.map(|set: LabelSet| set.with_several_labels(now.has_several_labels())))
    }

    /// Looks at the next labelled objects; where there are none any more, the next look begins.
    async fn look_at_next(
        &self,
        look: &Look<'_>,
        place: &mut Place,
        answers: &mut usize,
    ) -> Result<Late, BucketError> {
        let folder = keys::LABELLED_FOLDER;
        let listed = self
            .training
            .list_after(folder, &place.after, self.pace.objects)
            .await?;
        let Some(last) = listed.last().map(|object| object.key[folder.len()..].to_owned()) else {
            place.done = place.again || place.forgotten.is_empty();
            (place.again, place.after) = (true, String::new());
            return Ok(Late::default());
        };
        let keys = listed.into_iter().map(|object| object.key);
        let mut objects = stream::iter(keys)
            .map(async |key| {
                let object = self.training.read(&key, MAX_LABELLED_BYTES).await?;
                Ok::<_, BucketError>((key, object))
            })
            .buffered(READS_AT_ONCE);
        let mut page = Page::default();
        while let Some((key, object)) = objects.try_next().await? {
            let content = object.map(|object| object.bytes).unwrap_or_default();
            // Whoever reads all labels says which lines are damaged.
            let lines = content.split(|byte| *byte == b'\n');
            for labelled in lines.filter_map(|line| LabelledRecord::parse(line).ok()) {
                *answers += 1;
                match place.again {
                    true => place.note_decided(look, &labelled),
                    false => page.take(look, place, &key, &labelled),
                }
            }
        }
        let late = match place.again {
            true => Late::default(),
            false => self.ask_page(look, place, page).await?,
        };
        place.after = last;
        Ok(late)
    }

    /// Asks about what some objects hold that is in doubt, and where votes contradict one another.
    async fn ask_page(&self, look: &Look<'_>, place: &mut Place, page: Page) -> Result<Late, BucketError> {
        let doubtful: Vec<(Doubtful, String, Option<Question>)> = stream::iter(page.doubtful.into_values())
            .map(async |(found, labelled_in)| {
                let question = questions::read(&self.feedback, &found.record.id).await?;
                Ok::<_, BucketError>((found, labelled_in, question))
            })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let mut lines = Vec::new();
        for (found, labelled_in, question) in doubtful {
            match question {
                Some(question) if look.is_settled(&question) => {}
                Some(_) => {
                    lines.push(found.asked_anew(&look.change.at));
                    place.found.insert(found.record.id);
                }
                None => place.forget(found, labelled_in),
            }
        }
        let name = look.name(&place.after);
        self.deliver_lines(&name, &lines).await?;

        let ids = page.ids.into_iter().filter(|id| !place.found.contains(id));
        let ids: Vec<String> = ids.collect();
        let (contradicted, changed) = (self.contradict_late(&name, look.set, &look.change.at, ids)).await?;
        place.found.extend(changed);
        Ok(Late {
            asked: lines.len(),
            contradicted,
        })
    }

    /// Asks about some texts without a question of which the last that was decided is in doubt. One that was erased stands in no
    /// object any more.
    async fn ask_forgotten(&self, look: &Look<'_>, place: &mut Place) -> Result<Late, BucketError> {
        let some = place.forgotten.iter().take(FORGOTTEN_AT_ONCE);
        let some: Vec<(String, Forgotten)> = some.map(|(id, text)| (id.clone(), text.clone())).collect();
        let first = some.first().map(|(id, _)| id.clone()).unwrap_or_default();
        let mut in_objects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, text) in some.iter().filter(|(_, text)| text.is_in_doubt) {
            let ids = in_objects.entry(text.labelled_in.clone()).or_default();
            ids.insert(id.clone());
        }
        let lines: Vec<Vec<String>> = stream::iter(in_objects)
            .map(async |(key, ids)| {
                let object = self.training.read(&key, MAX_LABELLED_BYTES).await?;
                let content = object.map(|object| object.bytes).unwrap_or_default();
                let mut lines = BTreeMap::new();
                for line in content.split(|byte| *byte == b'\n') {
                    let labelled = LabelledRecord::parse(line).ok();
                    let found = labelled.filter(|labelled| ids.contains(&labelled.record.id));
                    if let Some(found) = found.and_then(|labelled| look.doubtful(&labelled)) {
                        // Who asked meanwhile has made a question.
                        let question = questions::read(&self.feedback, &found.record.id).await?;
                        if question.is_none_or(|question| !look.is_settled(&question)) {
                            lines.insert(found.record.id.clone(), found.asked_anew(&look.change.at));
                        }
                    }
                }
                Ok::<_, BucketError>(lines.into_values().collect())
            })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let lines = lines.concat();
        self.deliver_lines(&look.name(&format!("forgotten/{first}")), &lines)
            .await?;
        for (id, _) in some {
            place.forgotten.remove(&id);
        }
        Ok(Late {
            asked: lines.len(),
            contradicted: 0,
        })
    }
}

/// What some labelled objects hold.
#[derive(Default)]
struct Page {
    /// Texts with a vote that may mean something else now.
    ids: BTreeSet<String>,
    /// Texts whose answer is in doubt, by id, each with the key of its object.
    doubtful: BTreeMap<String, (Doubtful, String)>,
}

impl Page {
    fn take(&mut self, look: &Look<'_>, place: &Place, key: &str, labelled: &LabelledRecord) {
        let id = &labelled.record.id;
        if place.found.contains(id) {
            return;
        }
        if labelled.votes.iter().any(|vote| look.may_matter(labelled, vote)) {
            self.ids.insert(id.clone());
        }
        let Some(found) = look.doubtful(labelled) else {
            return;
        };
        let known = self.doubtful.get(id);
        if known.is_none_or(|(known, _)| known.answered_at < found.answered_at) {
            self.doubtful.insert(id.clone(), (found, key.to_owned()));
        }
    }
}

impl Place {
    /// Remembers a text that may be in doubt and has no question any more.
    fn forget(&mut self, found: Doubtful, labelled_in: String) {
        let known = self.forgotten.entry(found.record.id).or_default();
        if known.labelled_in.is_empty() || known.answered_at < found.answered_at {
            (known.labelled_in, known.answered_at) = (labelled_in, found.answered_at);
        }
    }

    /// Remembers what was decided of a text without a question, if it is newer than what is known.
    fn note_decided(&mut self, look: &Look<'_>, labelled: &LabelledRecord) {
        let Consensus::Agreed { answer, .. } = &labelled.consensus else {
            return;
        };
        let Some(known) = self.forgotten.get_mut(&labelled.record.id) else {
            return;
        };
        if known.decided_at <= labelled.labelled_at {
            known.decided_at.clone_from(&labelled.labelled_at);
            known.is_in_doubt = look.puts_in_doubt(answer, &labelled.labelled_at);
        }
    }
}
