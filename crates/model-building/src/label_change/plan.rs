//! What a change of the label set will do, with numbers.

use active_learning_aws::{
    self as aws, questions,
    relabelling::{self, Counted},
};
use active_learning_core::{
    feedback::Signal,
    labels::{
        label_set::{LabelChange, LabelSet, Resolution},
        labelled::LabelledRecord,
        question::{Question, State as QuestionState},
    },
    text::counted,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Failure, LabelChanges,
    effects::Said,
    words::{becomes, made_synonym, mapped, none_fitted, still_means, taken_over, without_synonym},
};
use crate::relabel::{self, Doubt, Rows};

/// Questions that are read at a time.
pub(super) const READS_AT_ONCE: usize = 32;

/// What a change will do.
#[derive(Debug)]
pub struct Plan {
    /// In words.
    pub text: String,
    /// What is asked again.
    pub again: Rows,
    /// What an earlier change asks and this one takes back.
    pub taken_back: Rows,
    /// When the count began, and which answers it puts in doubt also where they come while it is being made; none where what
    /// comes then is as it was.
    pub counted: Option<Counted>,
    /// Texts whose votes contradict one another by it.
    pub contradicted: Vec<LabelledRecord>,
    /// Texts whose answer is another one by it.
    pub decided_anew: Vec<LabelledRecord>,
}

impl Plan {
    /// A change that asks nothing again.
    pub(super) fn without_questions(text: String) -> Self {
        Self {
            text,
            again: Rows::default(),
            taken_back: Rows::default(),
            counted: None,
            contradicted: Vec::new(),
            decided_anew: Vec::new(),
        }
    }
}

impl LabelChanges {
    /// Says what a change will do.
    ///
    /// # Errors
    ///
    /// What the label set refuses; a bucket or a training file cannot be read.
    pub async fn plan(&self, set: &LabelSet, change: &LabelChange) -> Result<Plan, Failure> {
        let doubt = match change {
            LabelChange::Refuse { .. } | LabelChange::Describe { .. } | LabelChange::Order { .. } => {
                return self.plan_rows(set, change).await;
            }
            LabelChange::Split { .. } => Some(relabelling::Doubt::SplitLabel),
            LabelChange::Add { .. } => Some(relabelling::Doubt::NoneFits),
            LabelChange::Retire { .. }
            | LabelChange::Rename { .. }
            | LabelChange::Merge { .. }
            | LabelChange::Synonym { .. }
            | LabelChange::RemoveSynonym { .. } => None,
        };
        let counted = self.count_begins(doubt).await?;
        let plan = self.plan_rows(set, change).await?;
        let plan = match change {
            // Retiring says all that it does.
            LabelChange::Retire { .. } => plan,
            _ => {
                let mut after = set.clone();
                after.apply(change)?;
                let said = Said {
                    for_what: match change {
                        LabelChange::Split { .. } => "a part of it",
                        _ => "it",
                    },
                    always: names_a_label_otherwise(set, change),
                };
                self.with_effects(plan, [set, &after], said).await?
            }
        };
        Ok(Plan {
            counted: Some(counted),
            ..plan
        })
    }

    /// Notes when a count begins, and what it will see of what is new, so that what comes later is looked for.
    ///
    /// # Errors
    ///
    /// S3 does not answer.
    pub async fn count_begins(&self, doubt: Option<relabelling::Doubt>) -> Result<Counted, Failure> {
        let at = aws::now();
        let seen = self.relabelling.seen_at(&at).await?;
        Ok(Counted { doubt, at, seen })
    }

    /// Says which rows are mapped, asked again or left out.
    async fn plan_rows(&self, set: &LabelSet, change: &LabelChange) -> Result<Plan, Failure> {
        let text = match change {
            LabelChange::Rename { old, new } => {
                let rows = self.rows(set, &Doubt::Label(name_of(set, old))).await?;
                let called_so = self
                    .called_so(set, change, (name_of(set, old), &rows), new)
                    .await?;
                format!(
                    "`{}` becomes `{}`: {}. What the serving model predicts has the new name from now on.{called_so}",
                    name_of(set, old),
                    new.trim(),
                    mapped(&rows)
                )
            }
            LabelChange::Merge { from, into } if !set.has_name(from) => {
                let label = name_of(set, into);
                let rows = self.rows(set, &Doubt::Label(label)).await?;
                let called_so = self.called_so(set, change, (label, &rows), from).await?;
                made_synonym(from, label) + &called_so
            }
            LabelChange::Merge { from, into } => {
                let (from, into) = (name_of(set, from), name_of(set, into));
                let rows = self.rows(set, &Doubt::Label(from)).await?;
                format!("`{from}` becomes `{into}`: {}.", mapped(&rows))
            }
            LabelChange::Retire { name } => {
                let name = name_of(set, name);
                let rows = self.rows(set, &Doubt::Label(name)).await?;
                let mut after = set.clone();
                after.apply(change)?;
                return self
                    .plan_retirement(name, rows.initial.len(), [set, &after])
                    .await;
            }
            LabelChange::Synonym { name, synonym } => {
                let label = name_of(set, name);
                let rows = self.rows(set, &Doubt::Label(label)).await?;
                let called_so = self.called_so(set, change, (label, &rows), synonym).await?;
                format!("`{}` means `{label}` too.{called_so}", synonym.trim())
            }
            LabelChange::RemoveSynonym { name, synonym } => {
                let name = name_of(set, name);
                let mut after = set.clone();
                after.apply(change)?;
                let before = self.rows(set, &Doubt::Label(name)).await?;
                let left = self.rows(&after, &Doubt::Label(name)).await?;
                let moved = before.initial.len().saturating_sub(left.initial.len());
                match after.find(synonym) {
                    Some(label) => still_means(&label.name, synonym),
                    None => without_synonym(name, synonym, moved),
                }
            }
            LabelChange::Describe { name, .. } => {
                format!("`{}` gets another description.", name_of(set, name))
            }
            LabelChange::Order { .. } => {
                let mut after = set.clone();
                after.apply(change)?;
                let names: Vec<&str> = after.active().collect();
                format!("The labels stand in this order: `{}`.", names.join("`, `"))
            }
            LabelChange::Split { name, into } => return self.plan_split(set, name, into).await,
            LabelChange::Add { name, .. } => return self.plan_new(set, name).await,
            LabelChange::Refuse { name } => return self.plan_refusal(set, name).await,
        };
        Ok(Plan::without_questions(text))
    }

    async fn plan_split(&self, set: &LabelSet, name: &str, into: &[String]) -> Result<Plan, Failure> {
        let again = self.rows(set, &Doubt::Label(name_of(set, name))).await?;
        let text = format!(
            "`{}` is replaced by `{}`. {} will be asked again, the most doubtful first; until they are answered \
             their rows are left out.",
            name_of(set, name),
            into.join("`, `"),
            texts(again.count())
        );
        Ok(Plan {
            again,
            ..Plan::without_questions(text)
        })
    }

    async fn plan_new(&self, set: &LabelSet, name: &str) -> Result<Plan, Failure> {
        let mut after = set.clone();
        after.add(name, "")?;
        let kinds = [Doubt::NoneFits, Doubt::Label(name_of(&after, name))];
        let rows = relabel::rows_of_each(&self.training, Some(&after), &kinds).await?;
        let [mut again, own]: [Rows; 2] = rows.try_into().unwrap_or_default();
        let open = self.leave_out_open(&mut again).await?;
        let becomes = becomes(set, name, &own);

        let mut text = format!("{becomes}.{}", none_fitted(again.count(), open));
        let taken_back = self.asked_by_split(set, name, own).await?;
        if taken_back.count() > 0 {
            text += &format!(
                " Of the texts that the split asks about, {} whose tasks are not complete will be asked no more. What \
                 somebody has answered there already, or answers on a page that is open, is a vote; where votes \
                 contradict, one more reviewer is asked.",
                texts(taken_back.count())
            );
        }
        Ok(Plan {
            again,
            taken_back,
            ..Plan::without_questions(text)
        })
    }

    /// Says which texts that no label fitted are asked again by the new labels of a set.
    ///
    /// # Errors
    ///
    /// As [`LabelChanges::plan`].
    pub async fn plan_none_fitted(&self, after: &LabelSet) -> Result<Plan, Failure> {
        let mut again = self.rows(after, &Doubt::NoneFits).await?;
        let open = self.leave_out_open(&mut again).await?;
        let text = match again.count() + open {
            0 => String::new(),
            _ => none_fitted(again.count(), open),
        };
        Ok(Plan {
            again,
            ..Plan::without_questions(text)
        })
    }

    /// Returns those of a label's rows, of one that was split, or merged into one that was, and that is to be a label again, which
    /// nobody has answered since.
    async fn asked_by_split(&self, set: &LabelSet, name: &str, mut rows: Rows) -> Result<Rows, Failure> {
        if !matches!(set.resolve(name), Resolution::Split(_)) {
            return Ok(Rows::default());
        }
        let is_answered = |_: &str, question: Option<&Question>| {
            question
                .is_some_and(|question| question.state == QuestionState::Asked && question.is_answered_anew())
        };
        self.leave_out(&mut rows, is_answered).await?;
        Ok(rows)
    }

    async fn plan_refusal(&self, set: &LabelSet, name: &str) -> Result<Plan, Failure> {
        let mut again = self.rows(set, &Doubt::Proposed(name)).await?;
        let open = self.leave_out_open(&mut again).await?;
        let mut text = format!(
            "`{}` is proposed no more. Of the texts that were answered by it {} will be asked again.",
            name.trim(),
            texts(again.count())
        );
        if open > 0 {
            text += &format!(" An earlier change asks about {} already.", texts(open));
        }
        Ok(Plan {
            again,
            ..Plan::without_questions(text)
        })
    }

    /// Leaves out the texts that an earlier change asks about already, or is about to: their tasks follow the label set.
    /// Returns how many these are.
    async fn leave_out_open(&self, rows: &mut Rows) -> Result<usize, Failure> {
        let asked = self.relabelling.asked_anew().await?;
        let is_open = |id: &str, question: Option<&Question>| {
            let is_asked = |question: &Question| {
                question.state == QuestionState::Asked && question.record.signal == Signal::Relabel
            };
            question.is_some_and(is_asked) || asked.is_on_its_way(id, question)
        };
        self.leave_out(rows, is_open).await
    }

    /// Leaves out the answers to some questions. Returns how many these are.
    async fn leave_out(
        &self,
        rows: &mut Rows,
        is_left_out: impl Fn(&str, Option<&Question>) -> bool,
    ) -> Result<usize, Failure> {
        let before = rows.answers.len();
        let answers = std::mem::take(&mut rows.answers);
        let asked: Vec<Option<Question>> = stream::iter(&answers)
            .map(|record| questions::read(&self.feedback, &record.id))
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let answers = answers.into_iter().zip(asked);
        rows.answers = answers
            .filter(|(record, question)| !is_left_out(&record.id, question.as_ref()))
            .map(|(record, _)| record)
            .collect();
        Ok(before - rows.answers.len())
    }

    /// Says how many rows are called by a name already that a change gives a label, which has these rows before.
    async fn called_so(
        &self,
        set: &LabelSet,
        change: &LabelChange,
        (label, before): (&str, &Rows),
        name: &str,
    ) -> Result<String, Failure> {
        let mut after = set.clone();
        after.apply(change)?;
        let label = match change {
            LabelChange::Rename { .. } => name_of(&after, name),
            _ => label,
        };
        let rows = self.rows(&after, &Doubt::Label(label)).await?;
        Ok(taken_over(label, name, before, &rows))
    }

    async fn rows(&self, set: &LabelSet, doubt: &Doubt<'_>) -> Result<Rows, Failure> {
        relabel::rows(&self.training, Some(set), doubt).await
    }
}

/// Returns whether a change gives a label one more name, by which votes may have proposed it.
fn names_a_label_otherwise(set: &LabelSet, change: &LabelChange) -> bool {
    match change {
        LabelChange::Synonym { .. } => true,
        LabelChange::Merge { from, .. } => !set.has_name(from),
        _ => false,
    }
}

/// Returns a label's name as the set has it; a name that is not a label stays.
fn name_of<'n>(set: &'n LabelSet, name: &'n str) -> &'n str {
    set.find(name).map_or(name, |label| &label.name)
}

pub(super) fn texts(count: usize) -> String {
    counted(count, "text")
}
