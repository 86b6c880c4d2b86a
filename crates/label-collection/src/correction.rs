//! A reviewer's correction of an answer that was worked off, into their newest vote.

use std::collections::HashSet;

use active_learning_aws::{bucket::Created, labelled, metrics};
use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        human_loop::{HumanLoopOutput, LoopName, ReviewedItem},
        label_set::LabelSet,
        labelled::LabelledRecord,
        question::{Question, State},
        vote::Vote,
    },
};
use lambda_runtime::tracing::{info, warn};

use crate::{
    FUNCTION, LabelCollection, LabelCollectionError,
    deciding::{decide_with, use_own_names},
    labelling::{UNREADABLE, labelled_as_answered},
};

impl LabelCollection {
    /// Counts what a reviewer has corrected as their newest vote on its questions, and keeps it as a
    /// labelled object of its own. Idempotent, and right in either order with the output that it corrects:
    /// votes carry their time.
    ///
    /// Where people do not agree any more, or nobody can tell, and nobody is being asked, an adjudicator decides.
    pub(crate) async fn correct(&self, human_loop: &str, key: &str) -> Result<(), LabelCollectionError> {
        let output = match self.read_output(human_loop, key).await? {
            None => return Ok(()),
            Some(Ok(output)) => output,
            Some(Err(reason)) => return self.set_correction_aside(human_loop, key, &reason).await,
        };

        let mut lines = String::new();
        let (mut corrected, mut same) = (HashSet::new(), 0);
        let answers = self.read_answers(&output).await?;
        let fields = answers.fields;
        let name = corrected_name(human_loop, key);
        let is_alone = answers.items.len() == 1;
        let mut answered = self.not_erased(answers.items).await?;
        answered.retain(|item| !item.votes.is_empty());
        for item in answered {
            match self.correct_item(&output, &name, item, is_alone).await? {
                None => same += 1,
                Some(labelled) => {
                    lines.push_str(&labelled.to_line());
                    corrected.insert(labelled.record.id);
                }
            }
        }
        if fields.unreadable > 0 {
            metrics::count(FUNCTION, &[("UnreadableAnswers", fields.unreadable as u64)]);
        }
        // Also where the rest repeats what was said before: what cannot be read may be what was corrected.
        if lines.is_empty() && fields.unreadable > 0 {
            return self.set_correction_aside(human_loop, key, UNREADABLE).await;
        }
        if lines.is_empty() && same > 0 {
            info!(human_loop.name = human_loop, "a correction that changes nothing");
            return Ok(());
        }
        if lines.is_empty() {
            info!(human_loop.name = human_loop, "a correction that says nothing");
            return Ok(());
        }
        let created = labelled::create(&self.training, &name, lines).await;
        let created = created.map_err(LabelCollectionError::TrainingBucket)?;
        let is_corrected = |record: &FeedbackRecord| corrected.contains(&record.id);
        let decided_by = answers.labels.as_ref().map(|labels| labels.version());
        self.ask_anew(&name, &output, decided_by, is_corrected).await?;
        if created == Created::Created {
            let corrected = corrected.len();
            info!(human_loop.name = human_loop, corrected, "an answer was corrected");
            metrics::count(FUNCTION, &[("CorrectedRecords", corrected as u64)]);
        }
        Ok(())
    }

    /// Sets a correction aside that cannot be used, with its reason, and leaves a message for people: its reviewer was told that
    /// it is saved. What stands there names the output in which it is, by which `redrive` has it read again.
    async fn set_correction_aside(
        &self,
        human_loop: &str,
        key: &str,
        reason: &str,
    ) -> Result<(), LabelCollectionError> {
        let name = corrected_name(human_loop, key);
        self.set_output_aside(&name, &self.review.uri(key), reason)
            .await?;
        warn!(
            human_loop.name = human_loop,
            reason, "a correction cannot be used: it is set aside"
        );
        metrics::count(FUNCTION, &[("RejectedOutputs", 1)]);
        self.tell_of_unreadable_correction(human_loop, reason).await
    }

    /// Counts what a correction says of one text, and returns its line of the object `name`; `None` where it repeats what its
    /// reviewer said before. What is said of a text that is alone on its page is meant.
    async fn correct_item(
        &self,
        output: &HumanLoopOutput,
        name: &str,
        item: ReviewedItem,
        is_alone: bool,
    ) -> Result<Option<LabelledRecord>, LabelCollectionError> {
        let (human_loop, flow) = (&output.human_loop_name, &output.flow_definition_arn);
        let count = |question: &mut Option<Question>, labels: Option<&LabelSet>| {
            let question = question.get_or_insert_with(|| Question::known(item.record.clone()));
            question.remember_answer_of_before();
            let Counted { news, changes, later } =
                Counted::count(question, human_loop, &item, labels, is_alone);
            if news == News::None {
                return (changes, None, question.clone());
            }
            let mut item = item.clone();
            item.votes.extend(later);
            let line = labelled_as_answered(labels, item, human_loop, flow).decided(question, false);
            (changes, Some(question.note_line(name, line)), question.clone())
        };
        let (changes, line, question) = self.change_question(&item.record.id, count).await?;

        match changes {
            News::None => {}
            News::Note if question.state == State::Disputed => self.dispute(question.record.clone()).await?,
            News::Note => {}
            News::Answer => {
                self.show_adjudicator(&question, human_loop, &item).await?;
                let asker = question.human_loop.as_deref().unwrap_or(human_loop);
                if question.state == State::Asked && !self.is_being_asked(asker).await? {
                    self.dispute(question.record.clone()).await?;
                }
            }
        }
        Ok(line)
    }

    /// Returns whether a loop, or a further round of it, is not done with: what it comes to decides what is open.
    async fn is_being_asked(&self, human_loop: &str) -> Result<bool, LabelCollectionError> {
        let name = LoopName::parse(human_loop);
        let first = name.as_ref().map_or(human_loop, LoopName::first);
        let prefix = format!("{}{first}", keys::ASKED_FOLDER);
        let open = self.feedback.list_after(&prefix, "", 1).await;
        Ok(!open.map_err(LabelCollectionError::Question)?.is_empty())
    }
}

/// What is new in what a reviewer says of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    /// Nothing.
    None,
    /// What is said beside the answer: a comment or a flag, or that there is none any more.
    Note,
    /// The answer.
    Answer,
}

impl News {
    /// Returns what is new in a vote after another of its worker.
    fn after(last: Option<&Vote>, vote: &Vote) -> Self {
        match last {
            Some(last) if last.answer != vote.answer => Self::Answer,
            Some(last) if last.note != vote.note => Self::Note,
            Some(_) => Self::None,
            None => Self::Answer,
        }
    }
}

/// What a correction came to with the other votes on its question.
struct Counted {
    /// What its reviewer says otherwise than before: a correction repeats the whole page.
    news: News,
    /// What it changes of their newest vote. Nothing, where a later correction was worked off before.
    changes: News,
    /// What they have said since: it may have repeated what was known then, so that it stands nowhere else.
    later: Vec<Vote>,
}

impl Counted {
    /// Counts a correction. Its votes are kept, also those that repeat what is known: an older one may come after them. One
    /// that changes no answer decides nothing: who is being asked since is asked still.
    ///
    /// Votes are compared by the names that labels have now. One that was counted by a run that broke off has its own time,
    /// and is none of the others. What the page does not show any more, since another loop asks it, is repeated by the portal:
    /// it is left out, so that it does not take the place of what was said there.
    fn count(
        question: &mut Question,
        human_loop: &str,
        item: &ReviewedItem,
        labels: Option<&LabelSet>,
        is_alone: bool,
    ) -> Self {
        let mut votes = item.votes.clone();
        use_own_names(labels, &item.record, &mut votes);
        use_own_names(labels, &item.record, &mut question.votes);
        use_own_names(labels, &item.record, &mut question.in_doubt);
        votes.retain(|vote| is_alone || !repeats_what_was_taken_off(question, human_loop, vote));

        let (mut news, mut changes, mut later) = (News::None, News::None, Vec::new());
        for vote in &votes {
            let others = question
                .votes
                .iter()
                .filter(|other| is_another_of_worker(vote, other));
            let (earlier, since): (Vec<&Vote>, Vec<&Vote>) = others.partition(|other| other.at < vote.at);
            let differs = News::after(earlier.into_iter().max_by_key(|other| &other.at), vote);
            news = news.max(differs);
            if since.is_empty() {
                changes = changes.max(differs);
            }
            later.extend(since.into_iter().cloned());
        }

        question.add(&votes);
        if changes == News::Answer {
            decide_with(question, human_loop, item, labels);
        }
        Self { news, changes, later }
    }
}

/// Returns whether a vote says only what its worker said of a text before the page did not show it any more, and is not what
/// they said last: that may be said again.
fn repeats_what_was_taken_off(question: &Question, human_loop: &str, vote: &Vote) -> bool {
    let others = question
        .votes
        .iter()
        .filter(|other| is_another_of_worker(vote, other) && other.at < vote.at);
    let last = others.max_by_key(|other| &other.at);
    last.is_none_or(|last| last.answer != vote.answer)
        && question.was_said_before_it_was_taken_off(human_loop, vote)
}

/// Returns whether the worker of a vote gave this one as well, at another time.
fn is_another_of_worker(vote: &Vote, other: &Vote) -> bool {
    (&other.worker, other.source) == (&vote.worker, vote.source) && other.at != vote.at
}

/// Returns the name of what is written about a correction whose output has this key.
fn corrected_name(human_loop: &str, key: &str) -> String {
    let folder = key.trim_end_matches("/output.json");
    let id = folder.rsplit('/').next().unwrap_or_default();
    format!("{human_loop}-corrected-{id}")
}
