//! The label set, as an operator sees and changes it, here or on AWS.
//!
//! Every change says first what it will do, with numbers, and asks.

mod added;
mod listing;
mod made;

use std::collections::HashMap;

use active_learning_aws::{
    self as aws,
    label_set::{ChangeError, LabelSets, time_of_change},
    relabelling::{Late, Relabelling},
};
use active_learning_core::labels::{
    label_key::label_key,
    label_set::{LabelChange, LabelSet, LabelSetError},
};
use clap::{Args, Subcommand};
use model_building::{
    label_change::{LabelChanges, Plan},
    proposals::{Proposal, proposals},
    relabel,
};
use serde::Serialize;

use self::listing::{listed, proposed};
pub(crate) use self::{added::Added, made::Made};
use crate::{confirm::confirmed, outputs::StackOutputs, place::Place, wording::counted};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Proposals that are named where another one is looked for.
const NAMED: usize = 5;

/// The command `labels`.
#[derive(Debug, Args)]
pub struct Options {
    /// Training bucket of a stack on AWS (output TrainingS3Bucket) [default: the running local stack]
    #[arg(long, global = true)]
    bucket: Option<String>,
    /// Feedback bucket of a stack on AWS (output FeedbackS3Bucket) [default: the one of the same stack]
    #[arg(long, global = true, requires = "bucket")]
    feedback_bucket: Option<String>,
    /// Asks nothing
    #[arg(long, global = true)]
    yes: bool,
    /// Prints JSON; asks nothing, and changes nothing without --yes
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Shows the labels with their synonyms and states (the default)
    #[command(after_help = "Example: active-learning labels list")]
    List,
    /// Adds a label, or brings one back that was retired, merged or split; texts that no label fitted are asked again
    #[command(after_help = "Example: active-learning labels add refund --description 'money back'")]
    Add {
        /// Its name
        name: String,
        /// What belongs to it, for reviewers
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Gives a label another name; its rows stay its rows
    #[command(after_help = "Example: active-learning labels rename login account")]
    Rename {
        /// Its name now
        old: String,
        /// Its name from now on
        new: String,
    },
    /// Makes the rows of a label those of another; of a proposed name another name of it
    #[command(after_help = "Example: active-learning labels merge invoice billing")]
    Merge {
        /// The label that goes
        from: String,
        /// The label that stays
        into: String,
    },
    /// Takes a label out of use; its rows are left out
    #[command(after_help = "Example: active-learning labels retire fax")]
    Retire {
        /// Its name
        name: String,
    },
    /// Puts other labels in the place of one; its rows are asked again
    #[command(after_help = "Example: active-learning labels split billing invoice refund")]
    Split {
        /// The label that goes
        name: String,
        /// The labels in its place; new ones are added
        #[arg(required = true, num_args = 2..)]
        into: Vec<String>,
    },
    /// Says what belongs to a label, for reviewers
    #[command(after_help = "Example: active-learning labels describe refund 'money back'")]
    Describe {
        /// Its name
        name: String,
        /// What belongs to it
        description: String,
    },
    /// Puts labels first where all are listed, in this order; the others follow as they stand
    #[command(after_help = "Example: active-learning labels order billing refund")]
    Order {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Gives a label one more name
    #[command(after_help = "Example: active-learning labels synonym billing payments")]
    Synonym {
        /// Its name
        name: String,
        /// The other name
        synonym: String,
    },
    /// Takes another name of a label away, such as one of before a rename; it may be another label's then
    #[command(after_help = "Example: active-learning labels remove-synonym billing payments")]
    RemoveSynonym {
        /// Its name
        name: String,
        /// The other name
        synonym: String,
    },
    /// Shows what users and reviewers proposed as labels
    #[command(after_help = "Example: active-learning labels proposed")]
    Proposed,
    /// Makes a proposed label one; its rows count, and texts that no label fitted are asked again
    #[command(after_help = "Example: active-learning labels accept warranty")]
    Accept {
        /// Its name
        name: String,
    },
    /// Refuses a proposed label: it is proposed no more, and texts that were answered by it are asked again
    #[command(after_help = "Example: active-learning labels refuse test")]
    Refuse {
        /// Its name
        name: String,
    },
}

/// The label set of a stack, and the buckets it lies in.
struct Labels {
    place: Place,
    sets: LabelSets,
    relabelling: Relabelling,
    changes: LabelChanges,
}

/// Does what was asked; `stack` finds the running stack. Returns whether it was done.
///
/// # Errors
///
/// What the bucket or the label set refuses, in words.
pub async fn execute(
    options: Options,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<bool, Failure> {
    let (bucket, feedback) = (options.bucket.as_deref(), options.feedback_bucket.as_deref());
    let place = Place::of(bucket, feedback, stack).await?;
    let labels = Labels {
        sets: LabelSets::new(place.training.clone()).with_several_labels(place.several_labels),
        relabelling: Relabelling::new(place.feedback.clone(), place.training.clone())
            .with_several_labels(place.several_labels),
        changes: LabelChanges::new(
            place.training.clone(),
            place.feedback.clone(),
            place.several_labels,
        ),
        place,
    };
    labels.go_on_with_earlier_changes().await?;
    let set = labels.sets.current().await?;
    let set = set.map_or_else(LabelSet::none, |set| set.as_ref().clone());

    match options.action.unwrap_or(Action::List) {
        Action::List if options.json => println!("{}", serde_json::to_string_pretty(&set)?),
        Action::List => print!("{}", listed(&set)),
        Action::Proposed => {
            let proposals = labels.proposals(&set).await?;
            match options.json {
                true => println!("{}", serde_json::to_string_pretty(&proposals)?),
                false => print!("{}", proposed(&proposals)),
            }
        }
        action => {
            let asking = Asking {
                yes: options.yes,
                json: options.json,
            };
            return labels.change(&set, action, asking).await;
        }
    }
    Ok(true)
}

/// How a change is agreed on, and told.
#[derive(Clone, Copy)]
struct Asking {
    yes: bool,
    json: bool,
}

/// What became of a change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    /// What it does, in words.
    change: String,
    /// Version of the label set that has it; `None` where nothing was changed.
    version: Option<u64>,
    /// Texts that are asked again because of it.
    asked_again: usize,
    /// Texts that an earlier change asks about and that are asked no more.
    withdrawn: usize,
    /// Texts whose votes contradict one another by it: one more reviewer is asked, or an adjudicator decides.
    contradicted: usize,
}

impl Labels {
    /// Makes a change, if it can be made and whoever asked wants it once they know what it does.
    async fn change(
        &self,
        set: &LabelSet,
        mut action: Action,
        Asking { yes, json }: Asking,
    ) -> Result<bool, Failure> {
        // What cannot be done is said before anything is counted.
        let Some(change) = action.change() else {
            return Ok(false);
        };
        set.clone().apply(&change)?;
        let or_else = match &action {
            Action::Accept { .. } => "`labels add` makes a label of your own",
            _ => "`labels proposed` lists all of them",
        };
        if let Action::Accept { name } | Action::Refuse { name } = &mut action
            && let Some(proposed) = self.proposed(set, name, or_else).await?
        {
            *name = proposed;
        }
        let change = action.change().unwrap_or(change);
        let plan = self.changes.plan(set, &change).await?;
        let mut text = plan.text.clone();
        if set.labels().is_empty() {
            text = format!(
                "There is no label set yet: this begins one, without the classes of the template parameter.\n{text}"
            );
        }
        if json {
            let mut changed = Changed {
                change: text,
                version: None,
                asked_again: plan.again.count(),
                withdrawn: plan.taken_back.count(),
                contradicted: plan.contradicted.len(),
            };
            if yes {
                let made = self.make(set, &plan, |set| set.apply(&change)).await?;
                changed.version = Some(made.version);
                (changed.asked_again, changed.withdrawn) = (made.asked_again, made.withdrawn);
                changed.contradicted = made.contradicted;
            }
            println!("{}", serde_json::to_string_pretty(&changed)?);
            return Ok(yes);
        }
        println!("{text}");
        if !yes && !confirmed("Change the label set?")? {
            println!("Nothing was changed.");
            return Ok(false);
        }

        let made = self.make(set, &plan, |set| set.apply(&change)).await?;
        println!("Label set version {}.", made.version);
        print!("{}", made.in_words());
        Ok(true)
    }

    /// Makes a change, asks again what it puts in doubt, and takes back what is in doubt no more.
    async fn make(
        &self,
        set: &LabelSet,
        plan: &Plan,
        change: impl FnMut(&mut LabelSet) -> Result<(), LabelSetError>,
    ) -> Result<Made, Failure> {
        let at = time_of_change(set, &aws::now());
        let records = |rows| relabel::again(rows, self.place.default_classifier.as_deref(), &at);
        // A withdrawal has the time of the change.
        let taken_back = relabel::Rows {
            reviewed_at: HashMap::new(),
            ..plan.taken_back.clone()
        };
        let (again, taken_back) = (records(&plan.again), records(&taken_back));

        // Written down first: whatever happens after the change, its questions are asked.
        let mut planned = Vec::new();
        if !again.is_empty() || plan.counted.is_some() {
            let counted = plan.counted.clone();
            planned.push(self.relabelling.plan(set, &at, &again, counted).await?);
        }
        if !taken_back.is_empty() {
            let withdrawal = self.relabelling.plan_withdrawal(set, &at, &taken_back);
            planned.push(withdrawal.await?);
        }
        if !plan.contradicted.is_empty() {
            let contradictions = self.relabelling.plan_contradictions(set, &at, &plan.contradicted);
            planned.push(contradictions.await?);
        }
        if !plan.decided_anew.is_empty() {
            let decisions = self.relabelling.plan_decisions(set, &at, &plan.decided_anew);
            planned.push(decisions.await?);
        }
        let changed = self.sets.edit_counted(set, &at, change).await;
        if let Err(ChangeError::Refused(_) | ChangeError::ChangedSince { .. }) = &changed {
            for planned in &planned {
                self.relabelling.drop_plan(planned).await?;
            }
        }
        let version = changed?.version();
        let mut late = Late::default();
        for planned in &planned {
            let found = self.relabelling.deliver(planned).await?;
            late.asked += found.asked;
            late.contradicted += found.contradicted;
        }
        Ok(Made {
            version,
            asked_again: again.len() + late.asked,
            withdrawn: taken_back.len(),
            contradicted: plan.contradicted.len() + late.contradicted,
            late,
        })
    }

    /// Asks what an earlier change was to ask, where whoever made it was stopped before it was asked.
    async fn go_on_with_earlier_changes(&self) -> Result<(), Failure> {
        let resumed = self.relabelling.resume(&aws::now()).await?;
        if resumed.texts > 0 {
            eprintln!(
                "Not all that an earlier change of the label set asks again was asked; asked now: {}. What is left of a look \
                 at all answers goes on in the sweep of label-collection.",
                counted(resumed.texts, "text")
            );
        }
        Ok(())
    }

    /// Returns what is proposed, as soon as somebody has said so.
    async fn proposals(&self, set: &LabelSet) -> Result<Vec<Proposal>, Failure> {
        proposals(&self.place.training, &self.place.feedback, set).await
    }

    /// Returns a proposal as it was written most often, however it is spelt here; `None` of a label that there was before.
    /// Refuses to accept or refuse what nobody proposed, and says what to do `or_else`: it is a slip more often than a wish.
    async fn proposed(&self, set: &LabelSet, name: &str, or_else: &str) -> Result<Option<String>, Failure> {
        if set.find(name).is_some() {
            return Ok(None);
        }
        let proposals = self.proposals(set).await?;
        let key = label_key(name);
        let same = proposals.iter().find(|proposal| label_key(&proposal.name) == key);
        if let Some(proposal) = same {
            return Ok(Some(proposal.name.clone()));
        }
        // What was refused was proposed: somebody has thought better of it.
        if set.is_refused(name) {
            return Ok(None);
        }
        let names: Vec<String> = proposals
            .iter()
            .take(NAMED)
            .map(|one| format!("`{}`", one.name))
            .collect();
        let proposed = match names.is_empty() {
            true => "nothing is".to_owned(),
            false => format!("proposed are {}", names.join(", ")),
        };
        Err(format!("nobody proposed `{}`; {proposed}. {or_else}", name.trim()).into())
    }
}

impl Action {
    /// Returns the change of the label set that it makes; what only shows something makes none.
    fn change(&self) -> Option<LabelChange> {
        Some(match self.clone() {
            Self::Add { name, description } => LabelChange::Add { name, description },
            Self::Accept { name } => LabelChange::Add {
                name,
                description: String::new(),
            },
            Self::Rename { old, new } => LabelChange::Rename { old, new },
            Self::Merge { from, into } => LabelChange::Merge { from, into },
            Self::Retire { name } => LabelChange::Retire { name },
            Self::Split { name, into } => LabelChange::Split { name, into },
            Self::Describe { name, description } => LabelChange::Describe { name, description },
            Self::Order { names } => LabelChange::Order { names },
            Self::Synonym { name, synonym } => LabelChange::Synonym { name, synonym },
            Self::RemoveSynonym { name, synonym } => LabelChange::RemoveSynonym { name, synonym },
            Self::Refuse { name } => LabelChange::Refuse { name },
            Self::List | Self::Proposed => return None,
        })
    }
}
